"""Transactions as clients of the participants' API see them: confirmed and rejected by hand, by rule,
one of two, not in time, without a mediator, twice with one name, over kill -9 of either side. Each
informee learns of each outcome once.

   this test --API--> alice (auto), dave (reject) --+
   this test --API--> bob, carol (manual) ----------+--> sequencer <-- mediator (a process of its own)
"""
import subprocess
import sys

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403

SECONDS = 3  # of each time limit
LIMITS = "parameters: {confirmation-response-timeout: %ds, mediator-reaction-timeout: %ds}" % (SECONDS, SECONDS)
seq = Daemon("seq", """sequencers:
  seq:
    storage: {type: sqlite, file: seq.db}
    public-api: {port: 0}
    admin-api: {port: 0}
    %s
logging: {level: debug}
""" % LIMITS)
public = seq.port("seq", "public-api")
MEDIATOR = """mediators:
  med:
    storage: {type: sqlite, file: med.db}
    admin-api: {port: %d}
    sequencer-connections: ["http://127.0.0.1:%d"]
logging: {level: debug}
"""
med = Daemon("med", MEDIATOR % (0, public))
done = subprocess.run(
    [os.path.join(BUILD, "lockstep"), "bootstrap", "--name", "demo",
     "--sequencer", "127.0.0.1:%d" % seq.port("seq", "admin-api"),
     "--mediator", "127.0.0.1:%d" % med.port("med", "admin-api"),
     "--sequencer-url", "http://127.0.0.1:%d" % public], stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT, timeout=60)
if done.returncode:
    fail("bootstrap: " + done.stdout.decode())


def participants(*of):
    out = "participants:\n"
    for name, rule in of:
        out += """  %s:
    storage: {type: sqlite, file: %s.db}
    api: {port: 0}
    confirm: %s
    synchronizers: {demo: ["http://127.0.0.1:%d"]}
""" % (name, name, rule, public)
    return out + "logging: {level: debug}\n"


left = Daemon("left", participants(("alice", "auto"), ("dave", "reject")))
right = Daemon("right", participants(("bob", "manual"), ("carol", "manual")))
api, uid = {}, {}


def connect(daemon, *names):
    for name in names:
        api[name] = Api1(daemon.port("participant/" + name, "api"))
        uid[name] = api[name].await_connected().uid


connect(left, "alice", "dave")
connect(right, "bob", "carol")
COMMITTED, REJECTED, TIMED_OUT = (Part.VERDICT_COMMITTED, Part.VERDICT_REJECTED,
                                  Part.VERDICT_TIMED_OUT)
expected = {name: [] for name in api}  # (payload, verdict) in order


def submit(command_id, informees, **fields):
    names = [uid[n] for n in informees]
    return api["alice"].submit(command_id, informees=names, payload=command_id.encode(),
                               confirmers=[uid[n] for n in fields.pop("confirmers", informees)],
                               **fields)


def pending(name, command_id):
    return requests[name].next_where("%s at %s" % (command_id, name),
                                     lambda r: r.payload == command_id.encode())


def decided(command_id, verdict, informees):
    """Every informee has learnt of it, and all the same."""
    out = None
    for name in ("alice", *informees):
        feed = api[name].outcomes()
        o = feed.next_where("the outcome of %s at %s" % (command_id, name),
                            lambda o: o.payload == command_id.encode())
        feed.cancel()
        if o.verdict != verdict:
            fail("%s at %s: verdict %d %s, not %d" % (command_id, name, o.verdict, o.reason, verdict))
        if out and (o.request_id, o.verdict_ts, o.root_hash) != (out.request_id, out.verdict_ts, out.root_hash):
            fail("%s is another at %s: %s and %s" % (command_id, name, out, o))
        expected[name].append((command_id.encode(), verdict))
        out = o
    return out


def refused(what, code, send, *args, **kw):
    got, error = code_of(send, *args, **kw)
    if got != code:
        fail("%s: %s in place of %s: %s" % (what, got, code, error))
    return error


requests = {name: api[name].requests() for name in ("bob", "carol")}

# ---- by hand ----
first = submit("yes", ["bob"])
r = pending("bob", "yes")
expect("submitter", r.submitter, uid["alice"])
expect("threshold", r.threshold, 1)
api["bob"].confirm(r.request_id, True)
o = decided("yes", COMMITTED, ["bob"])
expect("confirmed by", list(o.confirmed_by), [uid["bob"]])
expect("request", o.request_id, r.request_id)
refused("a second answer", "NOT_FOUND", api["bob"].confirm, r.request_id, False)

submit("no", ["bob"])
api["bob"].confirm(pending("bob", "no").request_id, False, "I do not like it")
decided("no", REJECTED, ["bob"])

# ---- one of two ----
submit("either", ["bob", "carol"], threshold=1)
late = pending("carol", "either").request_id
api["bob"].confirm(pending("bob", "either").request_id, True)
decided("either", COMMITTED, ["bob", "carol"])
refused("an answer after the verdict", "NOT_FOUND", api["carol"].confirm, late, False)

submit("one against", ["bob", "carol"], threshold=1)
api["carol"].confirm(pending("carol", "one against").request_id, False, "no")
api["bob"].confirm(pending("bob", "one against").request_id, True)
decided("one against", COMMITTED, ["bob", "carol"])

submit("both against", ["bob", "carol"], threshold=1)
for name in ("bob", "carol"):
    api[name].confirm(pending(name, "both against").request_id, False, "no")
decided("both against", REJECTED, ["bob", "carol"])

# ---- by rule ----
submit("by rule", ["dave"])
decided("by rule", REJECTED, ["dave"])
submit("dave is told only", ["dave", "bob"], confirmers=["bob"])
api["bob"].confirm(pending("bob", "dave is told only").request_id, True)
decided("dave is told only", COMMITTED, ["dave", "bob"])
expect("requests by rule", api["dave"].requests().ended()[0], "FAILED_PRECONDITION")

# ---- one name, one transaction ----
again = submit("yes", ["bob", "carol"])
expect("the same message", again.message_id, first.message_id)
expect("its state", again.state, Part.COMMAND_STATE_DECIDED)
twins = [api["alice"].channel.unary_unary(PART + "Submit").future(
    Part.SubmitRequest(command_id="twins", informees=[uid["bob"]], confirmers=[uid["bob"]],
                       payload=b"twins").SerializeToString(), timeout=AWAIT) for _ in range(8)]
ids = set()
for t in twins:
    try:
        ids.add(Part.SubmitResponse.FromString(t.result()).message_id)
    except grpc.RpcError as e:
        expect("a twin", e.code().name, "ABORTED")  # one of the same name is being submitted
expect("messages of eight twins", len(ids), 1)
api["bob"].confirm(pending("bob", "twins").request_id, True)
decided("twins", COMMITTED, ["bob"])

# ---- what is wrong ----
ok = dict(informees=[uid["bob"]])
for what, code, fields in (
        ("no command_id", "INVALID_ARGUMENT", dict(ok, command_id="")),
        ("a long command_id", "INVALID_ARGUMENT", dict(ok, command_id="x" * 256)),
        ("a strange command_id", "INVALID_ARGUMENT", dict(ok, command_id="x;y")),
        ("an informee that is none", "INVALID_ARGUMENT", dict(command_id="w", informees=["bob"])),
        ("an unknown informee", "FAILED_PRECONDITION",
         dict(command_id="w", informees=["x::1220" + 64 * "a"])),
        ("a confirmer who is not told", "INVALID_ARGUMENT",
         dict(ok, command_id="w", confirmers=[uid["carol"]])),
        ("a threshold of 3 of 2", "INVALID_ARGUMENT", dict(ok, command_id="w", threshold=3)),
        ("a threshold of 4 thousand millions", "INVALID_ARGUMENT",
         dict(ok, command_id="w", threshold=2**32 - 1)),
        ("too many informees", "INVALID_ARGUMENT",
         dict(command_id="w", informees=["x::1220" + "%064x" % i for i in range(1001)])),
        ("a large payload", "INVALID_ARGUMENT",
         dict(ok, command_id="w", payload=bytes((8 << 20) + 1))),
        ("another synchronizer", "INVALID_ARGUMENT", dict(ok, command_id="w", synchronizer="x"))):
    refused(what, code, api["alice"].submit, **fields)
raw = api["alice"].channel.unary_unary(PART + "Submit")
refused("junk", "INVALID_ARGUMENT", raw, b"\xff\xff", timeout=AWAIT)
refused("a NUL", "INVALID_ARGUMENT", raw, b"\x0a\x02w\0", timeout=AWAIT)
refused("much too much", "RESOURCE_EXHAUSTED", raw, bytes(64 << 20), timeout=AWAIT)
refused("an answer to nothing", "NOT_FOUND", api["bob"].confirm, 1, True)
refused("a long reason", "INVALID_ARGUMENT", api["bob"].confirm, 1, False, "x" * 513)
expect("outcomes from before the beginning", api["alice"].outcomes(-1).ended()[0],
       "INVALID_ARGUMENT")

# ---- nobody answers ----
submit("silence", ["bob"])
r = pending("bob", "silence")
o = decided("silence", TIMED_OUT, ["bob"])
if o.verdict_ts and not 0 < o.verdict_ts - r.request_id <= 2 * SECONDS * 1000000:
    fail("the time-out's verdict came %d us after the request" % (o.verdict_ts - r.request_id))
refused("an answer that is too late", "NOT_FOUND", api["bob"].confirm, r.request_id, True)

# ---- kill -9 of who should confirm, and of who has submitted ----
submit("bob dies", ["bob"])
pending("bob", "bob dies")
right.kill()
right.start()
connect(right, "bob", "carol")
requests = {name: api[name].requests() for name in ("bob", "carol")}
code, error = code_of(api["bob"].confirm, pending("bob", "bob dies").request_id, True)
if code == "OK":
    decided("bob dies", COMMITTED, ["bob"])
else:
    decided("bob dies", TIMED_OUT, ["bob"])  # a slow machine
submit("alice dies", ["bob"])
left.kill()
left.start()
connect(left, "alice", "dave")
r = pending("bob", "alice dies")
code, error = code_of(api["bob"].confirm, r.request_id, True)
decided("alice dies", COMMITTED if code == "OK" else TIMED_OUT, ["bob"])
expect("its name is known", submit("alice dies", ["bob"]).state, Part.COMMAND_STATE_DECIDED)

# ---- no mediator: the participants' own clock of the sequencer decides ----
port = med.port("med", "admin-api")
med.kill()
submit("no mediator", ["bob"])
api["bob"].confirm(pending("bob", "no mediator").request_id, True)
o = decided("no mediator", TIMED_OUT, ["bob"])
expect("no verdict", o.verdict_ts, 0)
med.start()
submit("a mediator again", ["bob"])
api["bob"].confirm(pending("bob", "a mediator again").request_id, True)
decided("a mediator again", COMMITTED, ["bob"])

# ---- each outcome once, in the order of the offsets, from wherever one reads ----
for name in expected:
    feed = api[name].outcomes()
    await_("all outcomes of " + name, lambda: len(feed.items) >= len(expected[name]))
    feed.cancel()
    expect("outcomes of " + name, [(o.payload, o.verdict) for o in feed.items], expected[name])
    offsets = [o.offset for o in feed.items]
    expect("offsets of " + name, offsets, sorted(set(offsets)))
    for o in feed.items:
        expect("command of " + name, bool(o.command_id), name == "alice")
    if len(offsets) > 1:
        rest = api[name].outcomes(offsets[0])
        await_("the rest", lambda: len(rest.items) >= len(offsets) - 1)
        rest.cancel()
        expect("the rest of " + name, [o.offset for o in rest.items], offsets[1:])

# ---- clean stops, with open streams and unanswered requests ----
open_feeds = [api["bob"].requests(), api["alice"].outcomes()]
submit("at the end", ["bob"])
for daemon in (left, med, right, seq):
    daemon.stop()
for f in open_feeds:
    expect("a stream at the stop", f.ended()[0], "UNAVAILABLE")
for daemon in (left, med, right, seq):
    if " ERROR " in daemon.log():
        fail("an error in the log of " + daemon.name)
print("PASS: %d transactions" % len(expected["alice"]))
