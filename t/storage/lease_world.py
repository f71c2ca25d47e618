"""lease_world.py: what the tests of lease and fence share: peers (t/storage/lease_peer), the database seen
from outside, and the judge of its journal."""
import os, queue, signal, socket, sqlite3, subprocess, sys, threading, time, zlib

ENGINE = os.environ["LS_TEST_ENGINE"]
PEER = os.path.join(os.environ["builddir"], "t/storage/lease_peer")
WAIT_S = 60
BEFORE, IN, AFTER, FAIL = range(4)
WHEN = ("before", "in", "after")


class Failed(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Failed(what)


def mono_us():
    return time.monotonic_ns() // 1000


def await_true(fn, what, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while not fn():
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.005)


class Peer:
    """A process. Lines that it says are sorted by their first word."""

    all = []

    def __init__(self, name, expiry_ms=200, poll_ms=50, env=None):
        self.expiry_us, self.poll_us = expiry_ms * 1000, poll_ms * 1000
        self.lines, self.lock = {}, threading.Lock()
        self.errors, self.log = [], []
        self.base = zlib.crc32(name.encode()) * 10**8  # the keys of tests in one database differ
        self.process = subprocess.Popen([PEER, name, str(expiry_ms), str(poll_ms)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=dict(os.environ, **(env or {})))
        self.pid = self.process.pid
        Peer.all.append(self)
        threading.Thread(target=self._read, daemon=True).start()
        self.hear("READY")

    def _queue(self, word):
        with self.lock:
            return self.lines.setdefault(word, queue.Queue())

    def _read(self):
        for line in self.process.stdout:
            words = line.split()
            self.log.append(line)
            if words[0] == "ERROR":
                self.errors.append(line.strip())
            self._queue(words[0]).put(words)

    def say(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()

    def hear(self, word, seconds=WAIT_S):
        """The next line that begins with this word; None when none comes in time and seconds is short."""
        try:
            return self._queue(word).get(timeout=seconds)
        except queue.Empty:
            if seconds < WAIT_S:
                return None
            raise Failed(f"no {word} within {seconds} s; it said: {''.join(self.log[:4] + self.log[-4:])}") from None

    def hear_first(self, *words):
        """The next line that begins with one of these words."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            for word in words:
                try:
                    return self._queue(word).get(timeout=0.002)
                except queue.Empty:
                    pass
        raise Failed(f"none of {words}; it said: {''.join(self.log[-8:])}")

    def drain(self, *words):
        for word in words:
            q = self._queue(word)
            while not q.empty():
                q.get()

    def ask(self, word, *verb):
        self.say(*verb)
        return self.hear(word)

    def speak(self):
        self.ask("HUSHED", "hush", 0)

    def hush(self):
        self.ask("HUSHED", "hush", 1)

    def stat(self):
        s = self.ask("STAT", "stat")[1:]
        return dict(zip(s[::2], map(int, s[1::2])))

    def write(self, id, rows=1, size=10, at=0, when=BEFORE):
        """Code, names of the calls."""
        w = self.ask("W", "write", self.base + id, rows, size, at, when)
        check(int(w[1]) == self.base + id, f"{w}: the answer to another write")
        return w[2], w[3:]

    def count(self, id):
        w = self.ask("COUNT", "count", self.base + id)
        check(w[2] == "OK", str(w))
        return int(w[1])

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)
        await_true(lambda: open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T", "stopped")

    def cont(self):
        os.kill(self.pid, signal.SIGCONT)

    def close(self):
        try:
            self.cont()
            self.process.stdin.close()
            self.process.wait(WAIT_S)
        except Exception:
            self.process.kill()


def end_all():
    for p in Peer.all:
        if p.process.poll() is None:
            try:
                p.cont()
                p.process.kill()
                p.process.wait()
            except OSError:
                pass


def pair(name, expiry_ms=200, poll_ms=50, env=None):
    """Holder and contender, both with a runner that runs."""
    h = Peer(name, expiry_ms, poll_ms, env)
    c = Peer(name, expiry_ms, poll_ms, env)
    h.speak()
    h.hear("WON")
    c.speak()
    return h, c


def sql(text, env=None, fails=False):
    """Rows, as lists of texts, from outside of what is tested."""
    e = dict(os.environ, **(env or {}))
    if ENGINE == "sqlite":
        db = sqlite3.connect(e["LS_TEST_SQLITE_FILE"], timeout=20)
        try:
            rows = db.execute(text).fetchall()
            db.commit()
        finally:
            db.close()
        return [[c.hex() if isinstance(c, bytes) else str(c) for c in r] for r in rows]
    p = subprocess.run([e["pg_bin"] + "/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
                        e["LS_TEST_PG_PORT"], "-U", "lockstep", "-d", "lockstep", "-c",
                        f"SET search_path = ls_test", "-c", text],
                       env=dict(e, PGPASSWORD=e["LS_TEST_PG_PASSWORD"]), capture_output=True, text=True)
    check(fails or p.returncode == 0, f"{text}: {p.stderr}")
    return [r.split("|") for r in p.stdout.splitlines()]


def sqlite_copy(source, target):
    """All of it in one transaction, also into a file that is open elsewhere."""
    a, b = sqlite3.connect(source, timeout=20), sqlite3.connect(target, timeout=20)
    a.backup(b)
    a.close()
    b.close()


def as_server(*command):
    """As the user that the private PostgreSQL runs as."""
    user = ["runuser", "-u", os.environ["pg_user"], "--"] if os.getuid() == 0 else []
    p = subprocess.run(user + list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd="/",
                       stderr=subprocess.STDOUT, text=True)
    check(p.returncode == 0, f"{command}: {p.stdout}")
    return p.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    """The private PostgreSQL of the script, or another one."""

    def __init__(self, data=None, port=None):
        self.bin, self.data = os.environ["pg_bin"], data or os.environ["pg_dir"] + "/data"
        self.port = port or os.environ["LS_TEST_PG_PORT"]

    def start(self):
        socket_dir = os.path.dirname(self.data)
        as_server(self.bin + "/pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.data + ".log", "-o",
                  f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{socket_dir}'", "start")

    def stop(self, mode):
        as_server(self.bin + "/pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def follow(self, primary):
        """A standby, copied from it."""
        as_server("env", "PGPASSWORD=" + os.environ["LS_TEST_PG_PASSWORD"], self.bin + "/pg_basebackup", "-h",
                  "127.0.0.1", "-p", str(primary.port), "-U", "lockstep", "-D", self.data, "-R", "-c", "fast")
        self.start()


class Proxy:
    """The fault proxy, t/proxy/README."""

    def __init__(self, to_port):
        self.process = subprocess.Popen([os.path.join(os.environ["builddir"], "t/proxy/proxy"), "0", "127.0.0.1",
                                         str(to_port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().split()[1]

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        check(said.startswith("OK"), f"proxy: {command}: {said}")
        return {k: int(v) for k, v in (w.split("=") for w in said.split()[1:])}


HEX = "holder" if ENGINE == "sqlite" else "encode(holder, 'hex')"


def journal(name, env=None):
    """[(seq, "take" or "write", epoch, holder, id)] in the order of the commits."""
    takes = [(int(s), "take", int(e), h, -1) for s, e, h in
             sql(f"SELECT seq, epoch, {HEX} FROM t_take WHERE name = '{name}'", env)]
    writes = [(int(s), "write", int(e), h, int(i)) for s, e, h, i in
              sql(f"SELECT seq, epoch, {HEX}, id FROM t_act WHERE name = '{name}'", env)]
    return sorted(takes + writes)


def judge(rows):
    """The invariant of the fence. Returns (takes, writes)."""
    epoch, holder, holders, takes = 0, None, set(), 0
    check(len({r[0] for r in rows}) == len(rows), "a number of the journal was given twice")
    for seq, kind, e, h, i in rows:
        if kind == "take":
            check(e > epoch, f"#{seq}: epoch {e} taken after {epoch}")
            check(h not in holders, f"#{seq}: holder {h} drawn twice")
            epoch, holder, takes = e, h, takes + 1
            holders.add(h)
        else:
            check((e, h) == (epoch, holder),
                  f"#{seq}: write {i} of epoch {e} ({h}) committed under epoch {epoch} ({holder})")
    return takes, len(rows) - takes


def judge_is_awake():
    """The judge finds what it is for."""
    good = [(1, "take", 1, "a", -1), (2, "write", 1, "a", 1), (3, "take", 2, "b", -1), (4, "write", 2, "b", 2)]
    judge(good)
    for bad in (good + [(5, "write", 1, "a", 3)], good + [(5, "write", 2, "a", 3)],
                good + [(5, "take", 2, "c", -1)], good + [(5, "take", 3, "a", -1)]):
        try:
            judge(bad)
        except Failed:
            continue
        raise Failed(f"not found by the judge: {bad[-1]}")


table = []


def told(what, times, unit, worst=None, bound=None):
    """A line of the table; times is how often it really happened."""
    table.append((what, times, unit, worst, bound))
    extra = "" if worst is None else f", worst {worst:.0f} ms" + ("" if bound is None else f" of {bound:.0f} ms")
    print(f"{ENGINE}: {what}: {times} {unit}{extra}", flush=True)


def main(cases):
    """Runs the cases named on the command line, all without one. Figures: one line each, `what|times|worst`."""
    failed = 0
    judge_is_awake()
    for name in sys.argv[1:] or cases:
        began = time.monotonic()
        try:
            cases[name]()
            print(f"{ENGINE}: {name}: ok ({time.monotonic() - began:.1f} s)", flush=True)
        except Failed as e:
            failed += 1
            print(f"FAILED: {ENGINE}: {name}: {e}", flush=True)
        finally:
            end_all()
            Peer.all.clear()
    sys.exit(1 if failed else 0)
