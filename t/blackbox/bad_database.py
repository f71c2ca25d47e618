"""A database that cannot be used, at the start and while it runs. At the start: one line that names the
driver, the data source and what to do, the exit status of lockstepd(8), and nothing changed. While it
runs: sends are refused as UNAVAILABLE, what was answered OK stays, and it mends itself once the disk does.
Full and read-only disks need root for a small file system of their own; without it they are left out.
(Wrong password, no server, no driver: start.sh, dsn.sh.)"""
import hashlib
import subprocess
import sys

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403


def digest(name):
    h = hashlib.sha256()
    for suffix in ("", "-wal"):
        if os.path.exists(path(name + suffix)):
            with open(path(name + suffix), "rb") as f:
                h.update(f.read())
    return h.hexdigest()


def participant(file, name="p"):
    return """participants:
  %s: {storage: {type: sqlite, file: "%s"}, api: {port: 0}, synchronizers: {s: "http://127.0.0.1:1"}}
""" % (name, path(file))


def refused(what, status, pattern, yaml, file=None):
    """The start ends with that status and one line."""
    before = file and digest(file)
    d = Daemon("refused", yaml)
    try:
        got = d.process.wait(AWAIT)
    except subprocess.TimeoutExpired:
        fail(what, "runs")
    expect(what + ": exit status", got, status)
    lines = [l for l in d.log().splitlines() if " ERROR " in l]
    if len(lines) != 1 or not re.search(pattern, lines[0]):
        fail("%s: %r, not %s" % (what, lines, pattern))
    running.remove(d)
    if file:
        expect(what + ": the file", digest(file), before)


# ---- what is not ours, or not of this kind ----
p = Daemon("p", participant("p.db"))
p.await_log("ready|connecting|no endpoint|listening")
p.port("participant/p", "api")
expect("the mode of a file with private keys", os.stat(path("p.db")).st_mode & 0o777, 0o600)
refused("a second process on one file", 69, r"sqlite.*p\.db is in use by another lockstepd; stop that one.*LS-UNAVAILABLE",
        participant("p.db"), "p.db")
p.kill()
p.start()  # at once
p.port("participant/p", "api")
p.stop()
running.remove(p)
sequencer = """sequencers:
  p: {storage: {type: sqlite, file: "%s"}, public-api: {port: 0}, admin-api: {port: 0}}
""" % path("p.db")
with sqlite3.connect(path("p.db")) as db:
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
refused("another kind of node", 78, r"participant.*sequencer|sequencer.*participant", sequencer, "p.db")
with sqlite3.connect(path("p.db")) as db:
    db.execute("INSERT INTO ls_schema_version (version, name, checksum, applied_at) VALUES (99999, 'future', 'x', 1)")
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
refused("a newer schema", 1, r"99999.*LS-SCHEMA", participant("p.db"), "p.db")
with sqlite3.connect(path("p.db")) as db:
    db.execute("DELETE FROM ls_schema_version WHERE version = 99999")
    db.execute("UPDATE ls_schema_version SET checksum = 'x' WHERE version = 1")
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
refused("a changed schema", 1, r"p: DRIVER=[^:]*Database=[^:]*p\.db: version 1 .*another text; .*LS-SCHEMA", participant("p.db"), "p.db")
with open(path("p.db"), "r+b") as f:
    f.truncate(5000)
refused("half a file", 1, r"DRIVER=|malformed|LS-", participant("p.db"))

# ---- disks ----
if os.geteuid() != 0 or not shutil.which("mount"):
    print("PASS: without the full and the read-only disk, which need root")
    sys.exit(0)
disk = path("disk")
os.mkdir(disk)
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "lockstep-test", disk],
                  stderr=subprocess.DEVNULL).returncode:
    print("PASS: without the full and the read-only disk: no file system may be mounted here")
    sys.exit(0)
atexit.register(lambda: subprocess.run(["umount", "-l", disk], check=False))


def fill():
    with open(path("disk/ballast"), "ab", buffering=0) as f:
        for size in (65536, 4096, 1):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass


def remount(how):
    subprocess.run(["mount", "-o", "remount,%s,size=6m" % how, disk], check=True)


fill()
refused("a full disk", 69, r"DRIVER=.*x\.db.*; free space.*LS-FULL", participant("disk/x.db"))
os.unlink(path("disk/ballast"))
y = Daemon("y", participant("disk/y.db"))
y.port("participant/p", "api")
y.stop()
running.remove(y)
remount("ro")
refused("a new file on a read-only disk", 69, r"DRIVER=.*z\.db.*; mount .*LS-READ-ONLY", participant("disk/z.db"))
refused("a read-only disk", 69, r"DRIVER=.*y\.db.*; mount .*LS-READ-ONLY", participant("disk/y.db"), "disk/y.db")
remount("rw")

demo = Daemon("demo", """synchronizer:
  demo: {storage: {type: sqlite, file: disk/demo.db}, public-api: {port: 0}, admin-api: {port: 0}}
""")
public = demo.port("sequencer/demo", "public-api")
demo.await_log("lockstep ready")
alice, bob = become(["alice", "bob"], public)
session = Session(channel(public), alice)
feed = Session(channel(public), bob).subscribe()
sent = []


def send(n, size=20000):
    name = "%s-%d" % (n, len(sent))
    code, e = code_of(session.send, session.submission(
        [(os.urandom(size), [bob.member])], message_id=name))
    sent.append((name, code))
    if code not in ("OK", "UNAVAILABLE"):
        fail("%s: %s %s" % (name, code, e.details()))
    return code, e


def mended(what):
    def again():
        try:
            return send(what, 100)[0] == "OK"
        except grpc.RpcError:
            return False
    await_(what, again)


expect("before", send("before")[0], "OK")
fill()
code, e = await_("a refusal when the disk is full", lambda: (lambda r: r if r[0] != "OK" else None)(send("full")))
expect("its reason", reason(e), "SEQUENCER_UNAVAILABLE")
demo.await_log(r"DRIVER=.*demo\.db.*; free space.*LS-FULL")
expect("still running", demo.process.poll(), None)
os.unlink(path("disk/ballast"))
mended("after the full disk")
def limit(size):
    subprocess.run(["prlimit", "--pid", str(demo.process.pid), "--fsize=%s:unlimited" % size], check=True)


if shutil.which("prlimit"):  # writes fail in another way, and SIGXFSZ comes
    limit(32768)
    code, e = await_("a refusal when files may not grow",
                     lambda: (lambda r: r if r[0] != "OK" else None)(send("limit")))
    expect("its reason", reason(e), "SEQUENCER_UNAVAILABLE")
    expect("still running", demo.process.poll(), None)
    limit("unlimited")
    mended("after the limit")

# What was answered OK is there once, what was not at most once, in the stream as in a new one.
own = session.subscribe()
last = sent[-1][0]
own.next_where("the last receipt", lambda e: e.message_id == last)
seen = [e.message_id for e in own.items if e.message_id]
for name, code in sent:
    if not (1 if code == "OK" else 0) <= seen.count(name) <= 1:
        fail("%s, answered %s, came %d times" % (name, code, seen.count(name)))
before = len(seen)
own.cancel()
if len(demo.log().splitlines()) > 200:
    fail("%d lines of log for three troubles" % len(demo.log().splitlines()))
demo.stop()
demo.start()
demo.await_log("lockstep ready")
session = Session(channel(demo.port("sequencer/demo", "public-api")), alice)
own = session.subscribe()
await_("all of them after a restart", lambda: len([1 for e in own.items if e.message_id]) >= before)
expect("after a restart", [e.message_id for e in own.items if e.message_id], seen)
demo.stop()
print("PASS: %d sends, %d answered OK" % (len(sent), sum(c == "OK" for _, c in sent)))
