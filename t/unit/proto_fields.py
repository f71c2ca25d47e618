#!/usr/bin/env python3
"""The .proto files against the table of the wire: package, message, field number, type, label,
oneof, enum value, method and streaming. The table is read where LOCKSTEP_SPEC says (wire-fields.md);
without it the test is skipped. The descriptor set is decoded by hand, to need no package."""
import glob
import os
import re
import subprocess
import sys
import tempfile

SKIP = 77
SHORT = "com.digitalasset.canton."
TYPES = {1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32",
         8: "bool", 9: "string", 12: "bytes", 13: "uint32", 15: "sfixed32", 16: "sfixed64",
         17: "sint32", 18: "sint64"}


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """Field number to its values, of one message."""
    out, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            value, at = None, at + (8 if tag & 7 == 1 else 4)
        out.setdefault(tag >> 3, []).append(value)
    return out


def one(message, number, default=0):
    return message.get(number, [default])[-1]


def text(message, number):
    return one(message, number, b"").decode()


def type_of(field, maps):
    name = text(field, 6)[1:]
    if name in maps:
        entry = {one(f, 3): f for f in map(fields, maps[name].get(2, []))}
        return "map<%s,%s>" % (type_of(entry[1], maps), type_of(entry[2], maps))
    return name or TYPES[one(field, 5)]


def reserved_of(message):
    numbers = set()
    for r in map(fields, message.get(9, [])):
        numbers |= set(range(one(r, 1), one(r, 2)))
    return frozenset(numbers)


def read_message(facts, prefix, message):
    name = prefix + "." + text(message, 1)
    maps = {name + "." + text(n, 1): n for n in map(fields, message.get(3, []))
            if one(fields(one(n, 7, b"")), 7)}
    oneofs = [text(fields(o), 1) for o in message.get(8, [])]
    facts["message " + name] = {"reserved": reserved_of(message)}
    for f in map(fields, message.get(2, [])):
        what = type_of(f, maps)
        optional = one(f, 17)
        oneof = "" if optional or 9 not in f else " in " + oneofs[one(f, 9)]
        label = "" if what.startswith("map<") else "*" if one(f, 4) == 3 else "?" if optional else ""
        deprecated = " deprecated" if one(fields(one(f, 8, b"")), 3) else ""
        facts["message " + name][text(f, 1)] = "=%d %s%s%s%s" % (one(f, 3), what, label, oneof,
                                                                  deprecated)
    for nested in map(fields, message.get(3, [])):
        if name + "." + text(nested, 1) not in maps:
            read_message(facts, name, nested)
    for e in map(fields, message.get(4, [])):
        read_enum(facts, name, e)


def read_enum(facts, prefix, e):
    facts["enum %s.%s" % (prefix, text(e, 1))] = {text(v, 1): "=%d" % one(v, 2)
                                                  for v in map(fields, e.get(2, []))}


def read_protos(folder):
    """What our .proto files say."""
    files = sorted(os.path.basename(p) for p in glob.glob(os.path.join(folder, "*.proto")))
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", "-I", folder, "-I", "/usr/include",
                        "--descriptor_set_out=" + out.name] + files, check=True)
        data = out.read()
    facts = {}
    for file in map(fields, fields(data)[1]):
        package = text(file, 2)
        for m in map(fields, file.get(4, [])):
            read_message(facts, package, m)
        for e in map(fields, file.get(5, [])):
            read_enum(facts, package, e)
        for s in map(fields, file.get(6, [])):
            for m in map(fields, s.get(2, [])):
                facts["rpc %s.%s/%s" % (package, text(s, 1), text(m, 1))] = {
                    "request": stream(one(m, 5)) + text(m, 2)[1:],
                    "response": stream(one(m, 6)) + text(m, 3)[1:]}
    return facts


def stream(flag):
    return "stream " if flag else ""


def full_type(name, package):
    if name in TYPES.values():
        return name
    if name.startswith("map<"):
        key, value = name[4:-1].split(",", 1)
        return "map<%s,%s>" % (key, full_type(value.strip(), package))
    if name.startswith("~"):
        return SHORT + name[1:]
    return name if name.startswith(("google.", "com.")) else package + "." + name


def table_field(item, package, oneof):
    m = re.fullmatch(r"(\w+)=(\d+) (.+?)([?*]?)( DEPRECATED)?", item.strip())
    if not m:
        sys.exit("cannot read the table's \"%s\"" % item)
    return m[1], "=%s %s%s%s%s" % (m[2], full_type(m[3], package), m[4],
                                    " in " + oneof if oneof else "",
                                    " deprecated" if m[5] else "")


def table_message(body, package):
    out = {"reserved": frozenset()}
    reserved = re.search(r"\s*\[reserved ([^\]]*)\]", body)
    if reserved:
        out["reserved"] = frozenset(int(n) for n in re.findall(r"(?<![\w\"])\d+", reserved[1]))
        body = body[:reserved.start()] + body[reserved.end():]
    if body.strip() in ("(empty)", ""):
        return out
    for part in re.findall(r"oneof \w+\{[^}]*\}|[^;]+", body):
        part = part.strip(" ;")
        m = re.fullmatch(r"oneof (\w+)\{(.*)\}", part)
        for item in m[2].split("|") if m else [part] if part else []:
            name, fact = table_field(item, package, m[1] if m else "")
            out[name] = fact
    return out


def read_table(path):
    facts, package = {}, ""
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("## "):
            package = line[3:].strip()
        m = re.match(r"- (rpc |enum )?\*\*([\w./]+)\*\* ?(.*)", line)
        if not m:
            continue
        if m[1] == "rpc ":
            r = re.fullmatch(r"\((stream )?([\w.~]+)\) -> (stream )?([\w.~]+)", m[3].strip())
            facts["rpc %s.%s" % (package, m[2])] = {
                "request": (r[1] or "") + full_type(r[2], package),
                "response": (r[3] or "") + full_type(r[4], package)}
        elif m[1] == "enum ":
            facts["enum %s.%s" % (package, m[2])] = {
                v.split("=")[0].strip(): "=" + v.split("=")[1].strip()
                for v in re.sub(r"\[.*?\]", "", m[3]).split(",")}
        else:
            facts["message %s.%s" % (package, m[2])] = table_message(m[3], package)
    return facts


def main():
    spec = os.environ.get("LOCKSTEP_SPEC")
    if not spec:
        print("LOCKSTEP_SPEC is not set: the .proto files are not compared with the table")
        sys.exit(SKIP)
    table = read_table(os.path.join(spec, "wire-fields.md"))
    ours = read_protos(os.path.join(os.environ.get("srcdir", "."), "proto"))
    packages = {re.match(r"\w+ (.*?\.v\d+)\.", k)[1] for k in table}
    wrong = 0
    for key in sorted(set(table) | {k for k in ours if any(k.split(" ")[1].startswith(p + ".")
                                                          for p in packages)}):
        mine, theirs = ours.get(key), table.get(key)
        if mine == theirs:
            continue
        wrong += 1
        if mine is None or theirs is None:
            print("%s: %s" % (key, "missing in proto/" if mine is None else "not in the table"))
            continue
        for name in sorted(set(mine) | set(theirs)):
            if mine.get(name) != theirs.get(name):
                print("%s %s: ours %s, table %s" % (key, name, mine.get(name), theirs.get(name)))
    if len(table) < 600:
        sys.exit("only %d entries were read from the table" % len(table))
    print("%d messages, enums and methods compared, %d differ" % (len(table), wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
