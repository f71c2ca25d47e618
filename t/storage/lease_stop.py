"""lease_stop.py [CASE...]: two processes compete, and a holder is stopped by SIGSTOP at each call of its fenced
write. t/storage/lease-ENGINE.sh starts the database. LS_TEST_RACES, LS_TEST_STOPS: how often."""
import os, sqlite3, threading, time
from lease_world import *

RACES = int(os.environ.get("LS_TEST_RACES", 1000))
STOPS = int(os.environ.get("LS_TEST_STOPS", 100))
SLACK_MS = int(os.environ.get("LS_TEST_SLACK_MS", 250))  # of a loaded machine
LANES = 4
work = os.environ["work"]


def race():
    """Two processes try at the same moment."""
    file = os.path.join(work, "race")
    with open(file, "wb") as f:
        f.write(bytes(4096))
    a, b = Peer("race", 300, 75), Peer("race", 300, 75)
    for p in (a, b):
        p.say("race", file, RACES)
    seen = {}
    for p in (a, b):
        said = p.hear("RACED", 300)
        check(p.hear("RACE")[1] == "OK", f"{[l for l in p.log if l.startswith('BAD')]}")
        for k, v in zip(said[1::2], said[2::2]):
            seen[k] = seen.get(k, 0) + int(v)
    rows = journal("race")
    takes, writes = judge(rows)
    live = RACES // 4
    check(takes == seen["won"] == RACES + live, f"{takes} takes, {RACES} rounds and {live} live: {seen}")
    check(seen["live"] == live, f"{seen}")
    check(seen["contested"] >= RACES // 10, f"hardly contested: {seen}")
    check(seen["refused"] >= RACES // 4, f"{seen}")
    told("compete", RACES, f"times ({seen['contested']} contested, {live} from a holder that writes, "
         f"{seen['refused']} writes of an old epoch refused, {writes} writes)")


# Two sizes of a write: one packet, and many.
SMALL, LARGE = (1, 10), (3, 50000) if ENGINE == "sqlite" else (24, 20000)


def points_of(peer, size, id):
    """The calls of such a write at which to stop: all of them, of many like ones the first, two inner ones and
    the last."""
    for i in (0, 1):  # the second time everything is prepared, as it is in service
        code, calls = peer.write(id + i, *size)
        check(code == "OK", f"{code}")
    found, i = [], 0
    while i < len(calls):
        j = i
        while j + 1 < len(calls) and calls[j + 1] == calls[i]:
            j += 1
        found += sorted({i, i + (j - i) // 3, i + 2 * (j - i) // 3, j})
        i = j + 1
    return [(size, k + 1, calls[k], when) for k in found
            for when in ((BEFORE, IN, AFTER) if calls[k] in ("send", "pwrite") else (BEFORE, AFTER))]


def has_file_lock(env):
    """SQLite: somebody holds the write lock, for longer than a moment."""
    if ENGINE != "sqlite":
        return False
    for _ in range(20):
        db = sqlite3.connect(env["LS_TEST_SQLITE_FILE"], timeout=0, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
            return False
        except sqlite3.OperationalError:
            time.sleep(0.01)
        finally:
            db.close()
    return True


class Lane:
    """A pair of processes that hold the lease in turn; the holder is stopped, the other takes over."""

    def __init__(self, number, points, share):
        self.name, self.points, self.share, self.first = f"stop-{number}", points, share, number
        self.env = {}
        if ENGINE == "sqlite":
            self.env = {"LS_TEST_SQLITE_FILE": os.path.join(work, f"{self.name}.db")}
        self.h, self.c = pair(self.name, env=self.env)
        self.id = (number + 1) * 1000000
        self.worst, self.late, self.locked, self.hits, self.came_first, self.refused = 0, 0, 0, {}, 0, 0
        self.error, self.slow = None, 0

    def run(self):
        try:
            i = self.first
            while self.share > 0:
                if self.round(self.points[i % len(self.points)]):
                    self.share -= 1
                    i += LANES
        except Exception as e:  # told by the main thread
            self.error = e

    def stopped(self, point):
        """Sends the write that stops; the time of the stop, or None when the call was not reached."""
        size, at, name, when = point
        self.id += 1
        self.c.drain("WON", "LOST")
        self.h.drain("WON", "LOST", "STOP", "CONT", "W")
        self.c.ask("MARKED", "mark")
        self.h.say("write", self.h.base + self.id, *size, at, when)
        s = self.h.hear_first("STOP", "W")
        return int(s[3]) if s[0] == "STOP" else None

    def round(self, point):
        h, c = self.h, self.c
        t = self.stopped(point)
        if t is None:  # this time with fewer calls (an idle connection is asked first, or not)
            return False
        bound = h.expiry_us + h.poll_us + SLACK_MS * 1000
        is_locked = has_file_lock(self.env)
        won = c.hear("WON", bound / 1e6 if is_locked else WAIT_S)
        if is_locked:
            check(won is None, f"{point}: taken over while the file was locked")
        else:
            took, late = int(won[3]) - t, int(won[4])
            if late > c.poll_us // 2:  # the machine woke it up late: no measurement
                check(self.late <= 3 * STOPS, "the machine is too slow to measure")
            elif took > bound:  # what the point does to the taker it does each time; a busy machine does not
                self.slow += 1
                check(self.slow < 3, f"{point}: 3 times in a row not within {bound // 1000} ms, now {took // 1000} ms; "
                      f"longest turn {int(won[5]) // 1000} ms; {c.errors[-3:]}")
                late = c.poll_us
            else:
                self.worst, self.slow = max(self.worst, took), 0
        h.cont()
        may_act = h.hear("CONT")[1]
        check(is_locked or may_act == "0", f"{point}: a holder that was replaced may act")
        answer = h.hear("W")
        check(int(answer[1]) == h.base + self.id, f"{answer}")
        self.settle(point, is_locked, answer[2], bound)
        if not is_locked and late > c.poll_us // 2:
            self.late += 1
            return False
        key = (point[0] == LARGE, point[2], point[3])
        self.hits[key] = self.hits.get(key, 0) + 1
        return True

    def settle(self, point, is_locked, code, bound):
        """What the stopped write has become; and the roles are exchanged."""
        h, c = self.h, self.c
        if is_locked:
            self.locked += 1
            # Its commit comes first now. Then either goes on: the row is as the contender last saw it.
            check(code == "OK", f"{point}: {code} with the lock held")
            c.hush()
            is_replaced = c.stat()["held"]
            c.speak()
            if not is_replaced:
                check(c.count(self.id) == point[0][0], f"{point}: {code}, and not there")
                self.came_first += 1
                return
        lost = h.hear("LOST")
        check(lost, "the loss is not seen")
        n = c.count(self.id)
        if code == "OK":
            check(n == point[0][0], f"{point}: {code}, and {n} rows are there")
        elif code == "LS-FENCED":
            check(n == 0, f"{point}: {code}, and {n} rows are there")
        else:
            check(code == "LS-UNKNOWN-OUTCOME" and n in (0, point[0][0]), f"{point}: {code}, {n} rows")
        self.came_first += n > 0
        self.refused += n == 0
        self.h, self.c = c, h


def stop():
    """STOPS times at each call of a fenced write, before, in and after it."""
    probe = Peer("probe")
    probe.speak()
    probe.hear("WON")
    points = points_of(probe, SMALL, 1) + points_of(probe, LARGE, 11)
    probe.close()
    lanes = [Lane(i, points, STOPS // LANES + (i < STOPS % LANES)) for i in range(LANES)]
    threads = [threading.Thread(target=l.run) for l in lanes]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    hits, total = {}, 0
    for l in lanes:
        if l.error:
            raise Failed(f"{l.name}: {l.error}")
        judge(journal(l.name, l.env))
        for k, n in l.hits.items():
            hits[k] = hits.get(k, 0) + n
            total += n
    for (large, name, when), n in sorted(hits.items()):
        print(f"{ENGINE}:   {WHEN[when]:6} {name:11} of a {'large' if large else 'small'} write: {n}")
    check(total >= STOPS, f"{total} stops")
    first, refused = sum(l.came_first for l in lanes), sum(l.refused for l in lanes)
    locked = sum(l.locked for l in lanes)
    check(first > 0 and refused > 0, f"{first} came first, {refused} were refused: both should happen")
    check(ENGINE == "sqlite" or locked == 0, "a stopped holder blocks")
    told("holder stopped", total, f"times at {len(points)} points ({first} commits had come first, {refused} were refused, "
         f"{locked} with the file's lock, {sum(l.late for l in lanes)} measured again)",
         max(l.worst for l in lanes) / 1000, 200 + 50 + SLACK_MS)


main({"race": race, "stop": stop})
