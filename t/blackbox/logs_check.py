"""Of logs.sh, which brings a PostgreSQL: drives everything that knows a secret, then reads the logs."""
import base64
import json
import sys

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403

FORMAT = sys.argv[1]
PASSWORD = os.environ["LS_TEST_PG_PASSWORD"]
TOP = "logging: {level: trace, format: %s}\n" % FORMAT
PG = """{type: postgresql, server: %s, port: %s, database: %s, user: %s, password: "${env:LS_TEST_PG_PASSWORD}", schema: %%s_%s}""" % (
    *(os.environ["LS_TEST_PG_" + k] for k in ("SERVER", "PORT", "DATABASE", "USER")), FORMAT)
TRACE = "4bf92f3577b34da6a3ce929d0e0e473%d" % (FORMAT == "json")
PARENT = (("traceparent", "00-%s-00f067aa0ba902b7-01" % TRACE),)
PAYLOAD = b"a payload that nobody else may read"

demo = Daemon("demo", """migrate-on-start: true
synchronizer:
  demo: {storage: %s, public-api: {port: 0}, admin-api: {port: 0}}
""" % (PG % "demo") + TOP)
public = demo.port("sequencer/demo", "public-api")
demo.await_log("lockstep\\W.*ready")
carol, = become(["carol"], public)
parts = Daemon("parts", """migrate-on-start: true
participants:
  alice: {storage: %s, api: {port: 0}, synchronizers: {demo: "http://127.0.0.1:%d"}}
  bob: {storage: {type: sqlite, file: bob.db}, api: {port: 0}, synchronizers: {demo: "http://127.0.0.1:%d"}}
""" % (PG % "alice", public, public) + TOP)
alice, bob = (Api1(parts.port("participant/" + n, "api")) for n in ("alice", "bob"))
alice.await_connected()
uid = bob.await_connected().uid


def traced(daemon, name):
    wanted = [l for l in daemon.log().splitlines() if TRACE in l and re.search(r"\b%s\W" % name, l)]
    return wanted


alice.submit("c1", PARENT, informees=[uid], payload=PAYLOAD)
feed = bob.outcomes()
expect("verdict", feed.next_where("an outcome", lambda o: True).verdict, Part.VERDICT_COMMITTED)
for daemon, name in ((parts, "participant/alice"), (parts, "participant/bob"), (demo, "sequencer/demo"),
                     (demo, "mediator/demo-mediator")):
    await_("the trace in a line of " + name, lambda: traced(daemon, name))

# Secrets that the test knows, in good requests and bad ones.
line = channel(public)
session = Session(line, carol)
nonce = session.challenge().nonce
code_of(session.answer, nonce, key=carol.keys[0])
session.send(session.submission([(PAYLOAD, [carol.member])], message_id="mine"), metadata=PARENT)
own = session.subscribe()
own.next_where("the own message", lambda e: e.message_id == "mine")
await_("the trace of a direct request", lambda: len(traced(demo, "sequencer/demo")) >= 2)
code_of(session.send, session.submission([(PAYLOAD, ["PAR::x::1220aa"])]))
token = session.token
code_of(session.get_time, (("synchronizerid", session.psid), ("memberid", "PAR::x::1220aa"), ("authtoken-bin", token)))
session.plain("SequencerAuthenticationService/Logout", Auth.LogoutRequest(token=token), Auth.LogoutResponse)
code_of(session.get_time)
bad = Daemon("bad", "participants:\n  p: {storage: %s, api: {port: 0}, synchronizers: {demo: \"http://127.0.0.1:1\"}}\n%s" % (
    PG.replace("${env:LS_TEST_PG_PASSWORD}", "hunter2-wrong") % "p", TOP))
expect("a wrong password", bad.process.wait(AWAIT), 78)
for d in (demo, parts):
    with open("/proc/%d/cmdline" % d.process.pid, "rb") as f:
        if PASSWORD.encode() in f.read():
            fail("the password is in the process list")
keys = [k.pkcs8 for k in carol.keys] + [r[0] for r in rows("bob.db", "SELECT private_key FROM ls_key")]
psql = subprocess.run(["psql", "-XqAt", "-h", os.environ["LS_TEST_PG_SERVER"], "-p", os.environ["LS_TEST_PG_PORT"],
                       "-U", "lockstep", "-d", "lockstep", "-c",
                       "SELECT encode(private_key, 'hex') FROM demo_%s.ls_key" % FORMAT],
                      env=dict(os.environ, PGPASSWORD=PASSWORD), stdout=subprocess.PIPE)
keys += [bytes.fromhex(l) for l in psql.stdout.decode().split()]
if len(keys) < 8:
    fail("%d private keys" % len(keys))
code_of(alice.submit, "bad\xff\n2026-11-23T00:00:00.000000Z ERROR forged \"\\ line", informees=["\x1b[31mred\n"])
parts.stop()
demo.stop()

secrets = {"password": [PASSWORD.encode(), b"hunter2"], "payload": [PAYLOAD], "token": [token], "nonce": [nonce],
           "private key": [k[-24:] for k in keys] + [k[36:60] for k in keys]}
n = 0
for d in (demo, parts, bad):
    with open(d.log_file, "rb") as f:
        text = f.read()
    for what, values in secrets.items():
        for v in values:
            for shown in (v, v.hex().encode(), v.hex().upper().encode(), base64.b64encode(v)[:-4] or v):
                if shown in text:
                    fail("%s: a %s in the log: %r" % (d.name, what, shown))
    for l in text.decode().splitlines():  # UTF-8, or this fails
        n += 1
        if FORMAT == "json":
            o = json.loads(l)
            if not {"at", "level", "name", "message"} <= set(o) <= {"at", "level", "name", "message", "code", "trace"}:
                fail("keys of " + l)
            at, level, code = o["at"], o["level"], o.get("code", "")
        else:
            m = re.match(r"(\S+) (\S+) \S+ .*?(?: trace=[0-9a-f]{32})?(?: \[(LS-[A-Z-]+)\])?$", l) or fail("form of " + l)
            at, level, code = m.group(1), m.group(2), m.group(3) or ""
        if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", at) or level not in (
                "TRACE", "DEBUG", "INFO", "WARN", "ERROR"):
            fail("time or level of " + l)
        if bool(re.match(r"LS-[A-Z-]+$", code)) != (level in ("WARN", "ERROR")):
            fail("code of " + l)
print("PASS: %s, %d lines" % (FORMAT, n))
