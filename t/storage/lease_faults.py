"""lease_faults.py [CASE...]: holder and contender while clocks jump, processes pause, the database is slow,
restarts, turns read-only or goes back in time. t/storage/lease-ENGINE.sh starts the database."""
import os, time
from lease_world import *

work = os.environ["work"]
SLACK_MS = int(os.environ.get("LS_TEST_SLACK_MS", 1000))  # of a loaded machine
PAUSES = int(os.environ.get("LS_TEST_PAUSES", 6))
SLOW_S = int(os.environ.get("LS_TEST_SLOW_S", 5))
FLOOD_MS = int(os.environ.get("LS_TEST_FLOOD_MS", 3000))


def calm(what, *peers):
    """Nothing has changed hands."""
    for p in peers:
        for word in ("WON", "LOST"):
            said = p.hear(word, 0.001)
            check(said is None, f"{what}: {said}")


def took_over(h, c, since_us, what):
    """The contender has won, neither early nor late. The milliseconds that it took."""
    won = c.hear("WON")
    took = int(won[3]) - since_us
    check(took >= h.expiry_us - h.poll_us, f"{what}: taken over already after {took // 1000} ms")
    if int(won[4]) <= c.poll_us // 2:  # else the machine woke it up late
        check(took <= h.expiry_us + h.poll_us + SLACK_MS * 1000, f"{what}: taken over after {took // 1000} ms")
    return took / 1000


def clock():
    """The wall clock of a process jumps by an hour either way."""
    worst, jumps = 0, 0
    for shift in (3600, -3600):
        for jumper in ("holder", "contender"):
            h, c = pair(f"clock{shift}{jumper}")
            p = h if jumper == "holder" else c
            time.sleep(0.1)
            before = int(p.ask("CLOCK", "clock", 0)[1])
            after = int(p.ask("CLOCK", "clock", shift)[1])
            check(abs(after - before - shift * 10**6) < 60 * 10**6, f"the clock did not jump: {before} {after}")
            time.sleep(3 * h.expiry_us / 1e6)
            calm(f"{jumper}'s clock by {shift} s", h, c)
            h.ask("CLOCK", "clock", -shift)
            c.ask("MARKED", "mark")
            h.stop()
            stopped = mono_us()
            time.sleep(h.expiry_us / 2e6)
            c.ask("CLOCK", "clock", shift if p is h else 0)  # in the middle of its count
            worst = max(worst, took_over(h, c, stopped, f"clock by {shift} s"))
            h.cont()
            h.hear("LOST")
            judge(journal(f"clock{shift}{jumper}"))
            jumps += 4
            h.close()
            c.close()
    told("wall clock jumps by an hour", jumps, "times, take-over", worst, 250 + SLACK_MS)


def paused():
    """Both were paused, as when a machine sleeps; the contender wakes up first, and must count again."""
    h, c = pair("paused")
    earliest = None
    for _ in range(PAUSES):
        time.sleep(2.5 * h.poll_us / 1e6)
        h.drain("LOST")
        h.stop()
        time.sleep(1.5 * h.poll_us / 1e6)  # it has seen the last beat
        c.stop()
        time.sleep(2 * h.expiry_us / 1e6)
        woken = mono_us()
        c.cont()
        time.sleep(h.poll_us / 1e6)
        h.cont()
        won = c.hear("WON", 2 * h.expiry_us / 1e6)
        if won:  # the holder was not woken up in time by this machine
            check(int(won[3]) - woken >= h.expiry_us, f"taken over {(int(won[3]) - woken) // 1000} ms after a pause")
            h.hear("LOST")
            h, c = c, h
            earliest = min(earliest or 10**9, int(won[3]) - woken)
    judge(journal("paused"))
    told("contender paused", PAUSES, f"times, {'never took over' if earliest is None else f'took over after {earliest // 1000} ms'}")


def starve():
    """Eight writers in the holder, and its renewal."""
    h, c = pair("starve", 1000, 250)
    h.ask("MARKED", "mark")
    ok, failed = map(int, h.ask("FLOODED", "flood", 8, FLOOD_MS, h.base + 1)[1:])
    s = h.stat()
    calm("8 writers", h, c)
    check(ok > 100 and failed == 0, f"{ok} writes, {failed} failed")
    check(s["worst"] < 750000, f"a renewal took {s['worst'] // 1000} ms beside 8 writers")
    judge(journal("starve"))
    told("renewal beside 8 writers", ok, "writes, renewal", s["worst"] / 1000, 750)


def slow_is_calm(name, seconds, slower, faster, env=None):
    """No role changes while it is slow, nor when it ends."""
    h, c = pair(name, 1000, 250, env)
    time.sleep(0.6)
    epoch = journal(name)[-1][2]
    slower(h, c)
    time.sleep(seconds)
    calm(f"{name}: roles flap", h, c)
    check(not c.stat()["held"], "both hold it")
    faster(h, c)
    time.sleep(2)
    calm(f"{name}: roles flap afterwards", h, c)
    check(h.stat()["may_act"], f"{name}: the holder does not recover: {h.errors[-2:]}")
    check(h.write(1)[0] == "OK", "its write")
    takes, _ = judge(journal(name))
    check(journal(name)[-1][2] == epoch, "another epoch")
    h.close()
    c.close()
    told(name, 1, f"time for {seconds} s: no role changed")


SLOW_COMMIT = """
CREATE FUNCTION t_doze() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER t_doze AFTER INSERT OR UPDATE ON ls_lease DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.name = 'slow-commits') EXECUTE FUNCTION t_doze();
CREATE CONSTRAINT TRIGGER t_doze AFTER INSERT OR UPDATE ON ls_lease_beat DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.name = 'slow-commits') EXECUTE FUNCTION t_doze()"""


def slow():
    """A database that answers in 2 s; one that reads quickly and commits in 2 s."""
    if ENGINE == "sqlite":
        slow_is_calm("slow-disk", SLOW_S, lambda *ps: [p.ask("DISK", "disk", 2000) for p in ps],
                     lambda *ps: [p.ask("DISK", "disk", 0) for p in ps])
        return
    proxy = Proxy(os.environ["LS_TEST_PG_PORT"])
    slow_is_calm("slow-answers", SLOW_S, lambda *_: proxy.tell("delay 1000"), lambda *_: proxy.tell("pass"),
                 {"LS_TEST_PG_PORT": proxy.port, "LS_TEST_ORACLE_PORT": proxy.port})
    try:
        slow_is_calm("slow-commits", SLOW_S, lambda *_: sql(SLOW_COMMIT), lambda *_: sql("DROP FUNCTION t_doze CASCADE"))
    finally:
        sql("DROP FUNCTION IF EXISTS t_doze CASCADE")


def backwards():
    """The database goes back in time; the epoch that the old holder had is given once more."""
    name = "backwards"
    a, b = Peer(name), Peer(name)
    a.speak()
    a.hear("WON")
    check(a.ask("RELEASED", "release")[1] == "OK", "release")
    a.hush()
    check(a.write(1)[0] == "OK", "released, and nobody else has it: its epoch still stands")
    snapshot()
    a.speak()
    won_a = a.hear("WON")
    a.hush()
    check(a.write(2)[0] == "OK", "its write")
    restore()
    b.speak()
    won_b = b.hear("WON")
    check(won_a[1] == won_b[1] and won_a[2] != won_b[2], f"the same epoch, another holder: {won_a} {won_b}")
    check(b.count(2) == 0, "the database did not go back")
    code, _ = a.write(3)
    while code in ("LS-UNAVAILABLE", "LS-UNKNOWN-OUTCOME"):
        code, _ = a.write(3)
    check(code == "LS-FENCED", f"the old holder's write: {code}")
    check(b.write(4)[0] == "OK", "the new holder's write")
    a.speak()
    a.hear("LOST")
    check(b.count(3) == 0 and b.count(4) == 1, "rows")
    judge(journal(name))
    told("database goes back in time", 1, f"time: epoch {won_a[1]} twice, the old holder refused")


def snapshot():
    if ENGINE == "sqlite":
        sqlite_copy(os.environ["LS_TEST_SQLITE_FILE"], work + "/older.db")
        return
    cluster = Cluster()
    cluster.stop("fast")
    as_server("cp", "-a", cluster.data, cluster.data + ".older")
    cluster.start()


def restore():
    if ENGINE == "sqlite":
        sqlite_copy(work + "/older.db", os.environ["LS_TEST_SQLITE_FILE"])
        return
    cluster = Cluster()
    cluster.stop("immediate")
    as_server("mv", cluster.data, cluster.data + ".newer")
    as_server("mv", cluster.data + ".older", cluster.data)
    cluster.start()


def goes_on(name, h, c, id):
    """One of them holds the lease, and its write is accepted. The seconds until then."""
    began = time.monotonic()

    def is_written():
        held = [p for p in (h, c) if p.stat()["held"]]
        return any(p.write(next(id))[0] == "OK" for p in held)

    try:
        await_true(is_written, f"{name}: nobody can write", 30)
    except Failed as e:
        raise Failed(f"{e}: {[p.errors[-2:] for p in (h, c)]}") from None
    await_true(lambda: h.stat()["held"] + c.stat()["held"] == 1, f"{name}: one holder")
    judge(journal(name))
    return time.monotonic() - began


def numbers(n):
    while True:
        yield n
        n += 1


def restart():
    """The database stops and starts, by request and by a crash."""
    h, c = pair("restart", 1000, 250)
    id, worst = numbers(1), 0
    cluster = Cluster()
    for how in ("fast", "immediate"):
        cluster.stop(how)
        check(h.write(next(id))[0] in ("LS-UNAVAILABLE", "LS-UNKNOWN-OUTCOME"), "written without a database")
        time.sleep(1.5)  # longer than the expiry: nobody may win by silence that it could not see
        calm("no database", h, c)
        cluster.start()
        worst = max(worst, goes_on("restart", h, c, id))
    told("database restarts", 2, "times, writes go on", worst * 1000)


def readonly():
    """The database turns read-only."""
    h, c = pair("readonly", 1000, 250)
    check(h.write(1)[0] == "OK", "its write")
    try:
        sql("ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()".split(";")[0])
        sql("SELECT pg_reload_conf()")
        await_true(lambda: sql("SHOW default_transaction_read_only") == [["on"]], "read-only")
        codes = {h.write(id)[0] for id in range(2, 6)}
        # Oracle: then the service is not offered, so that a new connection finds nothing.
        check("LS-READ-ONLY" in codes and codes <= {"LS-READ-ONLY"} | ({"LS-UNAVAILABLE"} if ENGINE == "oracle" else set()),
              f"{codes}")
        time.sleep(1.5)
        calm("read-only", h, c)
        check(not h.stat()["may_act"], "may act without a renewal for the expiry")
    finally:
        sql("ALTER SYSTEM RESET default_transaction_read_only")
        sql("SELECT pg_reload_conf()")
    seconds = goes_on("readonly", h, c, numbers(10))
    check(all(h.count(id) == 0 for id in range(2, 6)), "written while read-only")
    told("database turns read-only", 4, "writes refused, writes go on", seconds * 1000)


def standby():
    """The primary dies, the standby is read-only, then promoted. What was answered OK is there."""
    first, second = Cluster(), Cluster(work + "/pg/second", free_port())
    second.follow(first)
    env = {"LS_TEST_PG_SERVER": "127.0.0.1,127.0.0.1", "LS_TEST_PG_PORT": f"{first.port},{second.port}"}
    try:
        sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        sql("SELECT pg_reload_conf()")
        await_true(lambda: sql("SELECT sync_state FROM pg_stat_replication") == [["sync"]], "synchronous")
        h, c = pair("standby", 1000, 250, env)
        done = [id for id in range(1, 21) if h.write(id)[0] == "OK"]
        check(len(done) == 20, f"{done}")
        first.stop("immediate")
        codes = {h.write(id)[0] for id in range(21, 24)}
        check("OK" not in codes, f"written to a standby: {codes}")
        time.sleep(1.2)
        calm("hot standby", h, c)
        as_server(second.bin + "/pg_ctl", "-D", second.data, "-w", "promote")
        os.environ["LS_TEST_PG_PORT"] = str(second.port)
        sql("ALTER SYSTEM RESET synchronous_standby_names")
        sql("SELECT pg_reload_conf()")
        seconds = goes_on("standby", h, c, numbers(30))
        check(all(h.count(id) == 1 for id in done), "an acknowledged write is lost")
        told("standby promoted", 1, "time, writes go on", seconds * 1000)
    finally:
        second.stop("immediate")
        os.environ["LS_TEST_PG_PORT"] = str(first.port)


cases = {"clock": clock, "paused": paused, "starve": starve, "slow": slow, "backwards": backwards}
if ENGINE != "sqlite":
    cases.update({"restart": restart, "readonly": readonly})
if ENGINE == "postgresql":
    cases["standby"] = standby
main(cases)
