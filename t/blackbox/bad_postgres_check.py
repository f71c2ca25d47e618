"""Of bad_postgres.sh, which brings the PostgreSQL."""
import sys

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403

PG = {k: os.environ["LS_TEST_PG_" + k] for k in ("SERVER", "PORT", "DATABASE", "USER", "PASSWORD")}
demo = Daemon("demo", """migrate-on-start: true
synchronizer:
  demo:
    storage: {type: postgresql, server: %(SERVER)s, port: %(PORT)s, database: %(DATABASE)s, user: %(USER)s,
              password: "${env:LS_TEST_PG_PASSWORD}", schema: demo, statement-timeout: 2s, connection-timeout: 2s}
    public-api: {port: 0}
    admin-api: {port: 0}
""" % PG)
public = demo.port("sequencer/demo", "public-api")
demo.await_log("lockstep ready")
alice, bob = become(["alice", "bob"], public)
session = Session(channel(public), alice)
sent = []


def sql(text):
    done = subprocess.run(["psql", "-XqAt", "-h", PG["SERVER"], "-p", PG["PORT"], "-U", PG["USER"], "-d", "postgres",
                           "-c", text], env=dict(os.environ, PGPASSWORD=PG["PASSWORD"], PGOPTIONS="-c default_transaction_read_only=off"),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        fail(done.stdout.decode())


def send(name):
    name = "%s-%d" % (name, len(sent))
    began = time.monotonic()
    code, e = code_of(session.send, session.submission([(b"x", [bob.member])], message_id=name))
    took = time.monotonic() - began
    sent.append((name, code))
    if code not in ("OK", "UNAVAILABLE"):
        fail("%s after %.1f s: %s %s" % (name, took, code, e.details()))
    if took > 10:
        fail("%s took %.1f s" % (name, took))
    return code, e


def mended(what):
    await_(what, lambda: send(what)[0] == "OK")


def refused(what):
    code, e = await_(what, lambda: (lambda r: r if r[0] != "OK" else None)(send(what)))
    if reason(e) not in ("SEQUENCER_UNAVAILABLE", ""):  # "": before it was looked at
        fail("%s: %s %s" % (what, reason(e), e.details()))


expect("before", send("before")[0], "OK")
for _ in range(3):
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lockstep' AND pid <> pg_backend_pid()")
    mended("after all sessions were ended")
sql("ALTER SYSTEM SET default_transaction_read_only = on")
sql("SELECT pg_reload_conf()")
refused("read-only")
demo.await_log("read.only.*LS-|LS-READ-ONLY")
sql("ALTER SYSTEM RESET default_transaction_read_only")
sql("SELECT pg_reload_conf()")
mended("after read-only")
sql("ALTER DATABASE lockstep ALLOW_CONNECTIONS false")
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lockstep'")
refused("no connections")
sql("ALTER DATABASE lockstep ALLOW_CONNECTIONS true")
mended("after connections are allowed again")
backends = subprocess.run(["pgrep", "-P", os.environ["pg_pid"]], stdout=subprocess.PIPE).stdout.split()
frozen = [int(p) for p in backends] + [int(os.environ["pg_pid"])]
atexit.register(lambda: [os.kill(p, signal.SIGCONT) for p in frozen if os.path.exists("/proc/%d" % p)])
for p in frozen:
    os.kill(p, signal.SIGSTOP)
refused("a server that does not answer")
for p in reversed(frozen):
    os.kill(p, signal.SIGCONT)
mended("after it answers again")

own = session.subscribe()
own.next_where("the last receipt", lambda e: e.message_id == sent[-1][0])
seen = [e.message_id for e in own.items if e.message_id]
for name, code in sent:
    if not (1 if code == "OK" else 0) <= seen.count(name) <= 1:
        fail("%s, answered %s, came %d times" % (name, code, seen.count(name)))
if PG["PASSWORD"] in demo.log():
    fail("the password is in the log")
if len(demo.log().splitlines()) > 400:
    fail("%d lines of log" % len(demo.log().splitlines()))
demo.stop()
print("PASS: %d sends, %d answered OK, %d lines of log" % (
    len(sent), sum(c == "OK" for _, c in sent), len(demo.log().splitlines())))
