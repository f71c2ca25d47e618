"""compare.py CATALOGUE OWN-FOLDER TRACE...: statements of the catalogue (lockstep db statements -o json)
that no trace of the fakeora driver has as executed, and texts in the traces that are not of the catalogue.
Traces of t/storage may hold the statements that its tests bring along, from the SQL files of OWN-FOLDER."""
import json
import os
import re
import sys


# On the tables of the storage tests.
OWN_GRANT = re.compile(r"GRANT SELECT, INSERT, UPDATE, DELETE ON t_[a-z]+ TO [a-z_]+\Z")


def normal(text):
    text = re.sub(r"\s+", " ", text).strip()
    return text if text.startswith("BEGIN") else text.rstrip("; ")


def rendered(text):
    """A pattern of what is sent: {schema} is the name of a user, as is lockstep_run of a grant, :rows one
    row, :name a parameter; what else stands in braces is of the dialect."""
    text = re.sub(r"(GRANT .* TO )lockstep_run$", r"\1{schema}", text)
    text = re.sub(r":(?!rows\b)[a-z_][a-z_0-9.!]*", "?", normal(text))
    text = re.sub(r"^(GRANT .* TO )\w+$", r"\1{schema}", text)  # to the account that is configured
    text = re.escape(text.replace("{schema}", "\1").replace(":rows", "\2"))
    text = re.sub(r"\\\{[^}]*\\\}", ".*", text)
    return re.compile(text.replace("\1", "[A-Za-z][A-Za-z0-9_]*").replace("\2", r"\(\?(, \?)*\)") + r"\Z")


def texts_of(path):
    """The texts of a file of sql/: each ends with a comment, with a line that ends with a semicolon
    outside of a block, or with the file."""
    text = []
    for line in open(path, encoding="utf-8"):
        if line.startswith("--"):
            yield " ".join(text)
            text = []
            continue
        text.append(line.strip())
        in_block = text[0] == "BEGIN" and text[-1] != "END;"
        if text[-1].endswith(";") and not in_block:
            yield " ".join(text)
            text = []
    yield " ".join(text)


def own_texts(folder):
    files = [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names
             if name.endswith(".sql") and os.path.basename(top) in ("statements", "oracle")]
    grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON t_[a-z_]+ TO [a-z_]+"  # on the tables of tests
    return [rendered(text) for path in files for text in texts_of(path) if text.strip()] + [re.compile(grants + r"\Z")]


def main():
    rows = json.load(open(sys.argv[1], encoding="utf-8"))
    wanted = [("%s, text %s" % (row["name"], row["step"]), rendered(row["sql"])) for row in rows]
    own = own_texts(sys.argv[2])
    executed, faults, sent = set(), 0, 0
    if not wanted or not own:
        sys.exit("no statements")
    for path in sys.argv[3:]:
        may_be_own = os.path.basename(path).startswith("t-storage-")
        seen = {}
        for line in open(path, encoding="utf-8"):
            kind, text = line.rstrip("\n").split("\t", 1)
            seen.setdefault(normal(text), set()).add(kind)
        sent += len(seen)
        for text, kinds in sorted(seen.items()):
            found = [name for name, pattern in wanted if pattern.match(text)]
            if "E" in kinds or ("F" in kinds and text.endswith("NOWAIT")):  # it is there to be refused
                executed.update(found)
            if not found and not (may_be_own and any(pattern.match(text) for pattern in own + [OWN_GRANT])):
                faults += 1
                print("foreign (%s): %s" % (os.path.basename(path), text))
    for name, _ in wanted:
        if name not in executed:
            faults += 1
            print("never executed: %s" % name)
    print("%d statements, %d texts in %d traces, %d faults" % (len(wanted), sent, len(sys.argv) - 3, faults))
    sys.exit(1 if faults else 0)


main()
