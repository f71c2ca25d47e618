"""lease_unknown.py [CASE...]: the answer to a write or a COMMIT is lost, before and after the server did it. What was
committed is found, nothing is doubled. Each kind must have happened, else the test fails."""
import os, subprocess, time
from lease_world import *

work = os.environ["work"]
ROUNDS = int(os.environ.get("LS_TEST_UNKNOWNS", 1))
os.environ.setdefault("LS_PEER_WRITE_MS", "1000")
UNKNOWN = "LS-UNKNOWN-OUTCOME"
hits = {}  # kind: [not there, there]


def hit(kind, n):
    hits.setdefault(kind, [0, 0])[1 if n else 0] += 1


def want(kind, is_there, times):
    """It must have happened as often, and each time so."""
    seen = hits.get(kind, [0, 0])
    check(seen[1 if is_there else 0] >= times, f"{kind}: never so: {seen[0]} times not there, {seen[1]} times there")
    check(is_there is None or seen[0 if is_there else 1] == 0, f"{kind}: {seen[0]} times not there, {seen[1]} times there")


def settle(p):
    """Until it is answered; its own answer may be lost too. The tries that it took."""
    for tries in range(1, 50):
        s = p.ask("SETTLED", "settle")
        if s[1] == "OK":
            return tries
        check(s[1] in (UNKNOWN, "LS-UNAVAILABLE", "LS-RETRY", "LS-TIMEOUT", "LS-CONNECTION"), f"settle: {s}")
        time.sleep(0.05)
    raise Failed("cannot settle")


def resolve(p, kind, id):
    """After an unknown outcome: settle, read back by key, write again what is not there."""
    settle(p)
    n = p.count(id)
    check(n in (0, 1), f"{kind}: {n} rows")
    hit(kind, n)
    if n == 0:
        code, _ = p.write(id)
        check(code == "OK", f"{kind}: again: {code}")
    check(p.count(id) == 1, f"{kind}: lost or doubled")


def resolve_txn(p, kind, id):
    c = p.ask("COUNT", "tcount", p.base + id)
    check(c[2] == "OK", str(c))
    n = int(c[1])
    hit(kind, n)
    if n == 0:
        code = p.ask("T", "txn", p.base + id)[2]
        check(code in ("OK", "LS-DUPLICATE"), f"{kind}: again: {code}")
    check(int(p.ask("COUNT", "tcount", p.base + id)[1]) == 1, f"{kind}: lost or doubled")


def commit_request(p, proxy, how, id):
    """The process is stopped before it sends COMMIT, and then its network is away. The last key used."""
    p.hush()  # one connection, on which everything is prepared
    for _ in range(2):
        id += 1
        calls = p.ask("T", "txn", p.base + id)[3:]
    at = len(calls) - calls[::-1].index("send")
    id += 1
    p.drain("STOP")
    p.say("txn", p.base + id, at)
    check(p.hear("STOP")[1] == "send", "stopped elsewhere")
    proxy.tell("cut" if how == "lose" else "blackhole")
    p.cont()
    code = p.hear("T")[2]
    proxy.tell("pass")
    check(code == UNKNOWN, f"{how} COMMIT: {code}")
    resolve_txn(p, f"commit: {how} request", id)
    p.speak()
    return id


def cut():
    """The network, by the fault proxy: with a reset, and silently."""
    proxy = Proxy(os.environ["LS_TEST_PG_PORT"])
    p = Peer("cut", 1000, 250, {"LS_TEST_PG_PORT": proxy.port})
    p.speak()
    p.hear("WON")
    id = 0
    p.write(id)
    for _ in range(ROUNDS):
        for how in ("lose", "swallow"):
            for where, text in (("requests", None), ("answers", "INSERT 0 ")):
                id += 1
                before = proxy.tell(f"{how} {where} 1 {text or p.base + id}")["fired"]
                code, _ = p.write(id)
                check(proxy.tell("pass")["fired"] == before + 1, "the trap was not met")
                check(code == UNKNOWN, f"{how} {where}: {code}")
                resolve(p, f"write: {how} {where}", id)
            id = commit_request(p, proxy, how, id)
            id += 1
            before = proxy.tell(f"{how}-commit-answer")["fired"]
            code = p.ask("T", "txn", p.base + id)[2]
            check(proxy.tell("pass")["fired"] == before + 1, "the trap was not met")
            check(code == UNKNOWN, f"{how} the answer to COMMIT: {code}")
            resolve_txn(p, f"commit: {how} answer", id)
        # The answer to a settling, and to a take-over.
        p.hush()
        before = proxy.tell("lose answers 1 UPDATE 1")["fired"]
        tries = settle(p)
        check(proxy.tell("pass")["fired"] == before + 1 and tries > 1, f"settled in {tries} tries")
        hit("settle: lose answers", 1)
        check(p.ask("RELEASED", "release")[1] == "OK", "release")
        before = proxy.tell("lose answers 1 UPDATE 1")["fired"]
        p.drain("WON")
        p.speak()
        won = p.hear("WON")
        check(proxy.tell("pass")["fired"] == before + 1, "the trap was not met")
        check(journal("cut")[-1][2] == int(won[1]), "the take-over whose answer was lost is the one that counts")
        hit("take-over: lose answers", 1)
    for how in ("lose", "swallow"):
        want(f"write: {how} requests", False, ROUNDS)
        want(f"write: {how} answers", True, ROUNDS)
        want(f"commit: {how} request", False, ROUNDS)
        want(f"commit: {how} answer", True, ROUNDS)
    judge(journal("cut"))


def orders():
    """Oracle: the session ends before or after the last act of a fenced write, by the imitation's orders. With 12170
    (a connection that timed out) as with 3113, 3114 and 25408."""
    p = Peer("orders", 1000, 250)
    p.speak()
    p.hear("WON")
    id = 0
    p.write(id)
    for code in (3113, 3114, 25408, 12170):
        for where in ("before", "after"):
            for match, done, ask, verb in (("INSERT INTO t_act", resolve, "W", "write"),
                                           ("RAISE_APPLICATION_ERROR(-20001", resolve, "W", "write"),
                                           ("COMMIT", resolve_txn, "T", "txn")):
                if match.startswith("INSERT") and where == "after":
                    continue
                id += 1
                p.hush()
                with open(os.environ["FAKEORA_FAULTS"], "a") as f:
                    f.write(f"{where} {code} match={match}\n")
                p.say(verb, p.base + id, *((1, 10, 0, 0) if verb == "write" else ()))
                said = p.hear(ask)[2]
                p.speak()
                if match.startswith("INSERT"):
                    check(said == "OK", f"{where} {code} {match}: {said}")  # nothing was done: it tries again
                    check(p.count(id) == 1, "lost or doubled")
                    hit("row: before", 1)
                    continue
                check(said == UNKNOWN, f"{where} {code} {match}: {said}")
                done(p, f"{'block' if verb == 'write' else 'commit'}: {where}", id)
    for kind in ("block", "commit"):
        want(f"{kind}: before", False, 4)
        want(f"{kind}: after", True, 4)
    judge(journal("orders"))


def waiting(what):
    return sql(f"SELECT pid FROM pg_stat_activity WHERE {what} AND pid <> pg_backend_pid()")


def started(p, verb, id, what):
    """Sends it, and waits until its session waits; that session."""
    p.say(verb, p.base + id, *((1, 10, 0, 0) if verb == "write" else ()))
    text = "t_act" if verb == "write" else "COMMIT"
    await_true(lambda: waiting(f"{what} AND query LIKE '%{text}%'"), f"{verb} waits for {what}")
    return waiting(f"{what} AND query LIKE '%{text}%'")[0][0]


def backend():
    """The server's process is ended: before it did it (it waits for a lock), and after (it waits for a standby);
    the wait for the standby is cancelled; nobody ends it but our deadline."""
    p = Peer("backend", 1000, 250)
    p.speak()
    p.hear("WON")
    p.write(0)
    p.ask("T", "txn", p.base)
    for i in range(ROUNDS):
        locker = subprocess.Popen([os.environ["pg_bin"] + "/psql", "-Xq", "-h", "127.0.0.1", "-p",
                                   os.environ["LS_TEST_PG_PORT"], "-U", "lockstep", "-d", "lockstep"],
                                  stdin=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL,
                                  env=dict(os.environ, PGPASSWORD=os.environ["LS_TEST_PG_PASSWORD"]))
        locker.stdin.write("BEGIN; SELECT * FROM ls_test.ls_lease WHERE name = 'backend' FOR UPDATE;\n")
        locker.stdin.flush()
        await_true(lambda: waiting("state = 'idle in transaction'"), "locked")
        id = 10 * i + 1
        sql(f"SELECT pg_terminate_backend({started(p, 'write', id, 'wait_event_type = ' + chr(39) + 'Lock' + chr(39))})")
        check(p.hear("W")[2] == UNKNOWN, "ended while it waited for a lock")
        locker.stdin.write("ROLLBACK;\n")
        locker.stdin.close()
        locker.wait()
        resolve(p, "write: backend ended before", id)
        for verb, ask, done in (("write", "W", resolve), ("txn", "T", resolve_txn)):
            for end in ("terminate", "cancel", None):
                id += 1
                sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
                sql("SELECT pg_reload_conf()")
                await_true(lambda: sql("SHOW synchronous_standby_names") == [["nobody"]], "nobody")
                p.hush()
                pid = started(p, verb, id, "wait_event = 'SyncRep'")
                if end:
                    sql(f"SELECT pg_{end}_backend({pid})")
                code = p.hear(ask)[2]
                sql("ALTER SYSTEM RESET synchronous_standby_names")
                sql("SELECT pg_reload_conf()")
                await_true(lambda: sql("SHOW synchronous_standby_names") != [["nobody"]], "nobody left")
                check(code == UNKNOWN, f"{verb}: {end}: {code}")
                done(p, f"{verb}: standby, {end or 'deadline'}", id)
                p.speak()
    want("write: backend ended before", False, ROUNDS)
    for verb in ("write", "txn"):
        for end in ("terminate", "cancel", "deadline"):
            want(f"{verb}: standby, {end}", True, ROUNDS)
    judge(journal("backend"))


def killed():
    """The process is killed at a call of its fenced write: all of it or nothing is there, and stays so."""
    id, n = 100, 0
    probe = Peer("killed")
    probe.speak()
    probe.hear("WON")
    probe.write(1)
    calls = probe.write(2, 3)[1]
    probe.ask("RELEASED", "release")
    probe.close()
    c = Peer("killed")
    c.speak()
    c.hear("WON")
    for at in range(1, len(calls) + 1):
        for when in (BEFORE, AFTER):
            h, c = c, Peer("killed")
            c.speak()
            h.write(id, 3)  # prepares what the next one uses
            id += 2
            h.say("write", h.base + id - 1, 3, 10, at, when)
            if h.hear_first("STOP", "W")[0] == "W":  # this time with fewer calls
                h.close()
                c.hear("WON")
                continue
            h.process.kill()
            h.process.wait()
            c.hear("WON")
            found = c.count(id - 1)
            check(found in (0, 3), f"killed {WHEN[when]} {calls[at - 1]}: {found} of 3 rows")
            hit("process killed", found)
            if not found:
                check(c.write(id - 1, 3)[0] == "OK", "again")
            check(c.count(id - 1) == 3, "lost or doubled")
            n += 1
    check(all(hits["process killed"]), f"killed before and after the commit: {hits['process killed']}")
    judge(journal("killed"))


def disk():
    """SQLite: the disk fails while a transaction is written."""
    p = Peer("disk", 1000, 250)
    p.speak()
    p.hear("WON")
    p.write(0)
    calls = p.write(1)[1]
    points = [i + 1 for i, c in enumerate(calls) if c in ("pwrite", "fdatasync")]
    check(len(points) >= 2, f"{calls}")
    id = 1
    for at in points * ROUNDS:
        id += 1
        code, seen = p.write(id, 1, 10, at, FAIL)
        kind = f"disk fails at {calls[at - 1]}"
        check(code in (UNKNOWN, "LS-IO"), f"{kind}: {code}")
        resolve(p, f"{kind} ({code})", id)
    check(any(UNKNOWN in k for k in hits), f"no unknown outcome: {hits}")
    judge(journal("disk"))


def counted(case):
    def run():
        case()
        for kind, (away, there) in sorted(hits.items()):
            print(f"{ENGINE}:   {kind}: {away} times not there, {there} times there")
        told(f"outcomes unknown, {case.__name__}", sum(map(sum, hits.values())), f"times in {len(hits)} kinds: "
             f"{sum(h[1] for h in hits.values())} found, {sum(h[0] for h in hits.values())} not there and written again")
        hits.clear()
    return run


cases = {"sqlite": (disk, killed), "postgresql": (cut, backend, killed), "oracle": (orders, killed)}[ENGINE]
main({case.__name__: counted(case) for case in cases})
