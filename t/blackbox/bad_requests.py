"""Whatever a hostile client sends, the answer is the status that the protocol names, and nothing
changes: no row in the log, no event in anybody's stream, and what is right still works afterwards.

   mallory (a joined member, by hand) --gRPC--> lockstepd --ODBC--> demo.db
   bob (a joined member) <--stream--"
"""
import random
import sys
import time

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403

MALFORMED = ("INVALID_ARGUMENT", "SEQUENCER_SUBMISSION_REQUEST_MALFORMED")
REFUSED = ("FAILED_PRECONDITION", "SEQUENCER_SUBMISSION_REQUEST_REFUSED")
EXCEEDED = ("ABORTED", "MAX_SEQUENCING_TIME_EXCEEDED")
TOO_FAR = ("FAILED_PRECONDITION", "SEQUENCER_MAX_SEQUENCING_TIME_TOO_FAR")
UNKNOWN = ("FAILED_PRECONDITION", "SEQUENCER_UNKNOWN_RECIPIENTS")
LIMIT = 1 << 20

demo = Daemon("demo", synchronizer_yaml(more="    parameters: {max-request-size: 1MiB}\n",
                                        top="logging: {level: debug}\n"))
public = demo.port("sequencer/demo", "public-api")
demo.await_log("lockstep ready")
mallory_, bob_, carol_ = become(["mallory", "bob", "carol"], public)
line = channel(public)
mallory, bob = Session(line, mallory_), Session(line, bob_)
feed, own = bob.subscribe(), mallory.subscribe()


def log_rows():
    return rows("demo.db", "SELECT COUNT(*), MAX(ts) FROM ls_log WHERE kind = 1")[0]


def hello(text):
    """A good message from mallory to bob arrives; nothing else came since the last one."""
    mallory.send(mallory.submission([(text.encode(), [bob_.member])], message_id=text))
    def content(e):
        return [P31.EnvelopeWithoutRecipients.FromString(gzip.decompress(c)).content
                for c in e.batch.compressed_envelopes]
    feed.next_where(text, lambda e: text.encode() in content(e))
    own.next_where("its receipt", lambda e: e.message_id == text)
    return len(feed.items), len(own.items), log_rows()


def refused(what, wanted, send, *args, **kw):
    code, error = code_of(send, *args, **kw)
    if code == "OK":
        fail(what, "was accepted")
    got = (code, reason(error))
    if got != (wanted if isinstance(wanted, tuple) else (wanted, "")):
        fail("%s: %r %s in place of %r" % (what, got, error.details(), wanted))
    return error


before = hello("before")
good = mallory.submission([(b"x", [bob_.member])], message_id="never")


def changed(**fields):
    request = P31.SubmissionRequest.FromString(good.SerializeToString())
    for name, value in fields.items():
        setattr(request, name, value)
    return request


# ---- bytes ----
frame = mallory.signed(versioned(good, 31))
send_raw = lambda raw: line.unary_unary(SEQ + "SequencerService/SendAsync")(
    raw, timeout=AWAIT, metadata=mallory.headers())
refused("an empty request", MALFORMED, send_raw, b"")
refused("no protobuf", MALFORMED, send_raw, b"\xff\xff\xff")
refused("an unfinished varint", MALFORMED, send_raw, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
refused("a length beyond the end", MALFORMED, send_raw, b"\x0a\x7f\x01")
refused("a group", MALFORMED, mallory.send_frame, b"\x0b\x0c")
for cut in (1, len(frame) // 3, len(frame) // 2, len(frame) - 1):
    refused("cut at %d" % cut, MALFORMED, mallory.send_frame, frame[:cut])
refused("a bare request", MALFORMED, mallory.send_frame, versioned(good, 31))
refused("no signature", MALFORMED, mallory.send_frame,
        versioned(P30.SignedContent(content=versioned(good, 31)), 30))

# ---- sizes ----
big = changed()
big.batch.compressed_envelopes[0] = bytes(LIMIT + 1)
refused("more than the limit of a request", MALFORMED, mallory.send, big)
huge = changed()
huge.batch.compressed_envelopes[0] = bytes(3 * LIMIT)
refused("more than the limit of a message", "RESOURCE_EXHAUSTED", mallory.send, huge)
bomb = gzip.compress(bytes(200 * LIMIT))
for what, of in (("an envelope", "envelope"), ("recipients", "recipients")):
    request = changed()
    if of == "envelope":
        request.batch.compressed_envelopes[0] = bomb
    else:
        request.batch.compressed_recipients = bomb
    began = time.monotonic()
    refused("a gzip bomb in " + what, MALFORMED, mallory.send, request)
    if time.monotonic() - began > 2:
        fail("a gzip bomb in %s takes %g s" % (what, time.monotonic() - began))
many = changed()
list_ = P31.CompressedBatch.DecompressedRecipients()
part = gzip.compress(P31.EnvelopeWithoutRecipients(content=bytes(LIMIT - 100)).SerializeToString())
del many.batch.compressed_envelopes[:]
for _ in range(400):
    many.batch.compressed_envelopes.append(part)
    list_.recipients.add().recipients_tree.add(recipients=[bob_.member])
many.batch.compressed_recipients = gzip.compress(list_.SerializeToString())
refused("a bomb of 400 envelopes", MALFORMED, mallory.send, many)
no_gzip = changed()
no_gzip.batch.compressed_envelopes[0] = b"no gzip"
refused("no gzip", MALFORMED, mallory.send, no_gzip)
half = changed()
half.batch.compressed_envelopes[0] = good.batch.compressed_envelopes[0][:-5]
refused("half a gzip", MALFORMED, mallory.send, half)


def field(number, content):
    out, n = bytes([number << 3 | 2]), len(content)
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n]) + content


def tree(depth):
    node = b""
    for _ in range(depth):
        node = field(1, bob_.member.encode()) + (field(2, node) if node else b"")
    return field(1, field(1, node))


for depth in (101, 1000, 4000):
    deep = changed()
    deep.batch.compressed_recipients = gzip.compress(tree(depth))
    refused("recipients %d deep" % depth, MALFORMED, mallory.send, deep)

# ---- strings, versions, identities, signatures ----
raw = good.SerializeToString()
for what, text in (("a NUL", b"ne\0er"), ("half a character", b"ne\xc3er"), ("a surrogate", b"\xed\xa0\x80er")):
    if len(text) != 5:
        text = text[:5]
    refused("%s in message_id" % what, MALFORMED, mallory.send, raw.replace(b"never", text))
refused("a long message_id", MALFORMED, mallory.send, changed(message_id="x" * 74))
refused("no sender", MALFORMED, mallory.send, changed(sender=""))
refused("a sender that is none", MALFORMED, mallory.send, changed(sender="PAR::mallory"))
refused("a request of protocol 34", MALFORMED, mallory.send, good, version=30)
refused("another member's name", REFUSED, mallory.send, changed(sender=bob_.member))
refused("another member's name and key", REFUSED, mallory.send, changed(sender=bob_.member),
        key=bob_.key(USAGE_PROTOCOL))
refused("another member's key", REFUSED, mallory.send, good, key=bob_.key(USAGE_PROTOCOL))
refused("a key for another use", REFUSED, mallory.send, good,
        key=mallory_.key(USAGE_SEQUENCER_AUTH))
refused("a signature for another purpose", REFUSED, mallory.send_frame,
        mallory.signed(versioned(good, 31), purpose=36))
broken = unwrap(frame, P30.SignedContent)
flipped = bytearray(broken.signatures[0].signature)
flipped[-1] ^= 1
broken.signatures[0].signature = bytes(flipped)
refused("a broken signature", REFUSED, mallory.send_frame, versioned(broken, 30))
broken = unwrap(frame, P30.SignedContent)
broken.content = versioned(changed(message_id="other"), 31)
refused("other content", REFUSED, mallory.send_frame, versioned(broken, 30))
broken = unwrap(frame, P30.SignedContent)
broken.signatures[0].signature = b""
refused("an empty signature", MALFORMED, mallory.send_frame, versioned(broken, 30))

# ---- what is asked for ----
unknown = "PAR::nobody::1220" + 64 * "a"
refused("an unknown recipient", UNKNOWN, mallory.send,
        mallory.submission([(b"x", [unknown])]))
refused("a recipient that is none", MALFORMED, mallory.send,
        mallory.submission([(b"x", ["PAR::nobody"])]))
refused("an envelope for nobody", MALFORMED, mallory.send, mallory.submission([(b"x", [])]))
refused("an envelope without content", MALFORMED, mallory.send,
        mallory.submission([(b"", [bob_.member])]))
short = mallory.submission([(b"x", [bob_.member])])
short.batch.compressed_envelopes.append(short.batch.compressed_envelopes[0])
refused("an envelope without recipients", MALFORMED, mallory.send, short)
refused("a time that has passed", EXCEEDED, mallory.send, changed(max_sequencing_time=1))
refused("a time out of range", MALFORMED, mallory.send, changed(max_sequencing_time=TS_MAX + 1))
far = changed(max_sequencing_time=TS_MAX)
far.aggregation_rule.threshold = 0
refused("a rule until ever", TOO_FAR, mallory.send, far)
rule = changed()
rule.aggregation_rule.eligible_members.append("MGR::0")
refused("a rule for mediators", MALFORMED, mallory.send, rule)
rule = changed()
rule.aggregation_rule.eligible_members.append(mallory_.member)
rule.aggregation_rule.threshold = 2
refused("a threshold that cannot be reached", MALFORMED, mallory.send, rule)
rule.aggregation_rule.eligible_members[:] = [bob_.member, carol_.member]
refused("a rule without its sender", MALFORMED, mallory.send, rule)
rule.aggregation_rule.eligible_members[:] = [mallory_.member, "MGR::0"]
refused("a rule of members and groups", MALFORMED, mallory.send, rule)
rule.aggregation_rule.eligible_members[:] = ["SOD::"]
refused("a rule for sequencers", MALFORMED, mallory.send, rule)
rule.aggregation_rule.eligible_members[:] = [mallory_.member, unknown]
refused("a rule with somebody unknown", REFUSED, mallory.send, rule)
two = mallory.submission([(b"x", ["MGR::0", "ALL::All"])])
refused("two mediators", REFUSED, mallory.send, two)

# ---- the first check that fails decides: all is wrong, then one thing after the other is put right ----
wrong_key, right_key = bob_.key(USAGE_PROTOCOL), mallory_.key(USAGE_PROTOCOL)
all_ = mallory.submission([(b"x", ["MGR::0", "MGR::1", unknown])], sender=bob_.member, max_sequencing_time=1)
all_.aggregation_rule.eligible_members.append(mallory_.member)
all_.aggregation_rule.threshold = 2


def first(what, wanted, text, key=wrong_key):
    error = refused("first: " + what, wanted, mallory.send, all_, key=key)
    if text not in error.details():
        fail("first: %s: %s" % (what, error.details()))


first("whose token", REFUSED, "authenticated")
all_.sender = mallory_.member
first("the rule", MALFORMED, "Threshold 2")
all_.aggregation_rule.threshold = 1
first("the mediators", REFUSED, "multiple mediators")
all_.batch.compressed_recipients = mallory.submission(
    [(b"x", ["MGR::0", unknown])]).batch.compressed_recipients
first("the signature", REFUSED, "Invalid signature")
first("the time", EXCEEDED, "has passed", right_key)
all_.max_sequencing_time = TS_MAX
first("the time of a rule", TOO_FAR, "too far", right_key)
all_.ClearField("aggregation_rule")
first("recipients", UNKNOWN, unknown, right_key)
expect("after what cannot be sent", log_rows(), before[2])

# ---- who asks ----
token, names = mallory.token, ("synchronizerid", "memberid", "authtoken-bin")
wrong = bytes([token[0] ^ 1]) + token[1:]
full = dict(mallory.headers())
for missing in (names, names[:1], names[1:2], names[2:]):
    error = refused("without " + ", ".join(missing), "UNAUTHENTICATED", mallory.get_time,
                    tuple((k, v) for k, v in full.items() if k not in missing))
    expect("the text", error.details(), "Authentication headers are not set")


def unauthenticated(what, auth_code, **headers):
    sent = dict(full, **{k.replace("_", "-"): v for k, v in headers.items()})
    trailers = dict(refused(what, "UNAUTHENTICATED", mallory.get_time,
                            tuple(sent.items())).trailing_metadata())
    expect(what + ": authErrorCode", trailers.get("autherrorcode"), auth_code)
    for name, value in sent.items():
        expect(what + ": " + name, trailers.get(name), value)


unauthenticated("another synchronizer", "NonMatchingSynchronizerId",
                synchronizerid="x" + mallory.psid)
unauthenticated("a wrong token", "MissingToken", authtoken_bin=wrong)
unauthenticated("a short token", "MissingToken", authtoken_bin=token[:7])
unauthenticated("a long token", "MissingToken", authtoken_bin=token + b"x")
unauthenticated("another's name", "MissingToken", memberid=bob_.member)
unauthenticated("no member", "MissingToken", memberid="mallory")
mallory.token = wrong
for method, kind in (("SendAsync", Api.SendAsyncRequest), ("AcknowledgeSigned", Api.AcknowledgeSignedRequest),
                     ("DownloadTopologyStateForInitHash", Api.DownloadTopologyStateForInitHashRequest),
                     ("GetTrafficStateForMember", Api.GetTrafficStateForMemberRequest)):
    refused(method + " with a wrong token", "UNAUTHENTICATED", mallory.call, method, kind(), kind)
expect("Subscribe with a wrong token", mallory.subscribe().ended()[0], "UNAUTHENTICATED")
mallory.token = token

# ---- challenges ----
refused("a challenge for nobody", "PERMISSION_DENIED", mallory.challenge, member=unknown)
refused("a challenge for no member", "INVALID_ARGUMENT", mallory.challenge, member="x")
refused("a challenge of protocol 34", "INVALID_ARGUMENT", mallory.challenge, versions=(34,))
refused("a challenge of no protocol", "INVALID_ARGUMENT", mallory.challenge, versions=())
nonce = mallory.challenge().nonce
refused("an invented nonce", "UNAUTHENTICATED", mallory.answer, bytes(20))
refused("an empty nonce", "UNAUTHENTICATED", mallory.answer, b"")
refused("another's nonce", "UNAUTHENTICATED", mallory.answer, bob.challenge().nonce)
refused("a nonce signed by another", "INVALID_ARGUMENT", mallory.answer, nonce,
        key=bob_.key(USAGE_SEQUENCER_AUTH))
refused("a nonce signed with a key for another use", "INVALID_ARGUMENT", mallory.answer, nonce,
        key=mallory_.keys[0])
expect("a token after that", len(mallory.answer(nonce).token), 20)
refused("a replayed nonce", "UNAUTHENTICATED", mallory.answer, nonce)
refused("a logout of nobody", "FAILED_PRECONDITION", mallory.plain,
        "SequencerAuthenticationService/Logout", Auth.LogoutRequest(token=bytes(20)), Auth.LogoutResponse)
refused("a handshake of protocol 34", "INVALID_ARGUMENT", mallory.plain,
        "SequencerConnectService/Handshake", Api.SequencerConnect.HandshakeRequest(
            client_protocol_versions=[34], client_version="x"), Api.SequencerConnect.HandshakeResponse)

# ---- reading ----
expect("another's events", mallory.subscribe(member=bob_.member).ended()[0], "PERMISSION_DENIED")
expect("events before the registration", mallory.subscribe(from_ts=1).ended()[0],
       "FAILED_PRECONDITION")
ack = lambda member, ts: versioned(Api.AcknowledgeRequest(member=member, timestamp=ts), 30)
acknowledge = lambda raw, **kw: mallory.call("AcknowledgeSigned", Api.AcknowledgeSignedRequest(
    signed_acknowledge_request=raw), Api.AcknowledgeSignedResponse, **kw)
now = mallory.get_time()
refused("an ack of junk", "INVALID_ARGUMENT", acknowledge, b"junk")
refused("another's ack", "PERMISSION_DENIED", acknowledge,
        mallory.signed(ack(bob_.member, now), purpose=36))
refused("an ack signed by another", "INVALID_ARGUMENT", acknowledge,
        mallory.signed(ack(mallory_.member, now), purpose=36, key=bob_.key(USAGE_PROTOCOL)))
refused("an ack signed as a submission", "INVALID_ARGUMENT", acknowledge,
        mallory.signed(ack(mallory_.member, now), purpose=35))
refused("an ack out of range", "INVALID_ARGUMENT", acknowledge,
        mallory.signed(ack(mallory_.member, TS_MAX + 1), purpose=36))
acknowledge(mallory.signed(ack(mallory_.member, TS_MAX), purpose=36))  # ignored
expect("acknowledgements", rows("demo.db", "SELECT COUNT(*) FROM ls_ack WHERE acked_ts >= %d" % now), [(0,)])
refused("another's traffic", "PERMISSION_DENIED", mallory.call, "GetTrafficStateForMember",
        Api.GetTrafficStateForMemberRequest(member=bob_.member, timestamp=now),
        Api.GetTrafficStateForMemberResponse)
traffic = mallory.call("GetTrafficStateForMember", Api.GetTrafficStateForMemberRequest(
    member=mallory_.member, timestamp=now), Api.GetTrafficStateForMemberResponse)
expect("the state without traffic control", traffic.traffic_state, P30.TrafficState(timestamp=now))
refused("the topology of nobody", "FAILED_PRECONDITION", mallory.call,
        "DownloadTopologyStateForInitHash", Api.DownloadTopologyStateForInitHashRequest(member=unknown),
        Api.DownloadTopologyStateForInitHashResponse)

# ---- joining ----
Register = Api.SequencerConnect.RegisterOnboardingTopologyTransactionsRequest
Registered = Api.SequencerConnect.RegisterOnboardingTopologyTransactionsResponse
topology = Api.DownloadTopologyStateForInitResponse
stored = [unwrap(item.transaction, P30.SignedTopologyTransaction)
          for raw in line.unary_stream(SEQ + "SequencerService/DownloadTopologyStateForInit")(
              Api.DownloadTopologyStateForInitRequest(member=mallory_.member).SerializeToString(),
              metadata=mallory.headers(), timeout=AWAIT)
          for item in topology.FromString(raw).topology_transactions.items
          if mallory_.uid.split("::")[1].encode() in item.transaction]
if len(stored) != 3:
    fail("mallory joined with %d transactions" % len(stored))
register = lambda member, txs: mallory.plain(
    "SequencerConnectService/RegisterOnboardingTopologyTransactions", Register(
        topology_transactions=txs), Registered, (("memberid", member),))
refused("joining twice", "FAILED_PRECONDITION", register, mallory_.member, stored)
refused("joining with nothing", "INVALID_ARGUMENT", register, unknown, [])
refused("joining with another's keys", "INVALID_ARGUMENT", register, unknown, stored)
refused("joining as no member", "INVALID_ARGUMENT", register, "x", stored)
refused("joining with too much", "INVALID_ARGUMENT", register, mallory_.member, stored * 20)
refused("joining with a part", "INVALID_ARGUMENT", register, mallory_.member, stored[:2])
refused("joining with junk", "INVALID_ARGUMENT", register, unknown,
        [P30.SignedTopologyTransaction(transaction=b"junk")])

# ---- too much ----
def still_quiet(what):
    after = (len(feed.items), len(own.items), log_rows())
    expect(what + ": events of bob and mallory, log", after, before)


still_quiet("after all that")
feeds = [bob.subscribe()]
feeds[0].next_where("an event", lambda e: True)
for _ in range(4):
    feeds.append(bob.subscribe())
    feeds[-1].next_where("an event", lambda e: True)
code, text = feed.ended()  # the oldest of six
expect("the oldest subscription", (code, text),
       ("UNAVAILABLE", "Too many open subscriptions for member"))
for f in feeds[1:]:
    f.cancel()
feed = feeds[0]
await_("bob's events again", lambda: len(feed.items) == before[0])

# ---- chance: what was right, with some bytes changed ----
random.seed(7)
codes = {}
for i in range(400):
    one = bytearray(frame)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(one))
        how = random.randrange(3)
        if how == 0:
            one[at] = random.randrange(256)
        elif how == 1:
            del one[at:at + random.randrange(1, 9)]
        else:
            one[at:at] = bytes(random.randrange(256) for _ in range(random.randrange(1, 9)))
    code, answer = code_of(mallory.send_frame, bytes(one))
    if code == "OK":
        continue  # bytes that mean nothing, such as an unknown field of the frame
    codes[code] = codes.get(code, 0) + 1
    if code not in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "ABORTED"):
        fail("a changed request: %s %s %s" % (code, answer.details(), bytes(one).hex()))
for service, methods in (
        ("SequencerAuthenticationService", ("Challenge", "Authenticate", "Logout")),
        ("SequencerConnectService", ("Handshake", "GetSynchronizerId", "GetSynchronizerParameters",
                                     "VerifyActive", "RegisterOnboardingTopologyTransactions")),
        ("SequencerService", ("SendAsync", "AcknowledgeSigned", "GetTrafficStateForMember",
                              "DownloadTopologyStateForInitHash", "GetTime"))):
    for method in methods:
        for _ in range(10):
            junk = bytes(random.randrange(256) for _ in range(random.randrange(60)))
            code, answer = code_of(mallory.plain, "%s/%s" % (service, method), junk, Ver.UntypedVersionedMessage,
                                   mallory.headers())
            if code in ("INTERNAL", "UNKNOWN", "UNAVAILABLE"):
                fail("%s with %s: %s %s" % (method, junk.hex(), code, answer.details()))
refused("a method that is not there", "UNIMPLEMENTED", mallory.plain, "SequencerService/Nonsense",
        b"", Api.GetTimeResponse)

seen = len(feed.items)
hello("after")
if "after" not in [e.message_id for e in own.items]:
    fail("no receipt")
chain = [e.previous_timestamp for e in feed.items[1:]] == [e.timestamp for e in feed.items[:-1]]
expect("the chain of bob's events", chain, True)
if re.search(r" ERROR ", demo.log()):
    fail("a hostile client makes errors: " + re.search(r".* ERROR .*", demo.log()).group(0))
with open("/proc/%d/status" % demo.process.pid) as f:
    peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) >> 10
with open("/proc/%d/exe" % demo.process.pid, "rb") as f:
    is_sanitized = b"__asan_init" in f.read()
if peak > 256 and not is_sanitized:
    fail("%d MiB of memory after small bombs" % peak)

# ---- more than the writer takes: its database is locked, and its queue is full ----
lock = sqlite3.connect(path("demo.db"), isolation_level=None)
lock.execute("PRAGMA busy_timeout = 10000")
lock.execute("BEGIN IMMEDIATE")
frame = mallory.signed(versioned(mallory.submission(
    [(random.randbytes(900000), [bob_.member])], message_id="y", max_sequencing_time=TS_MAX), 31))
method = line.unary_unary(SEQ + "SequencerService/SendAsync")
request = Api.SendAsyncRequest(signed_submission_request=frame).SerializeToString()
calls = [method.future(request, timeout=AWAIT, metadata=mallory.headers()) for _ in range(100)]
overloaded = lambda: [c for c in calls if c.done() and c.exception() and
                      c.code().name == "ABORTED"]
one = await_("a full queue", overloaded)[0]
expect("a full queue", reason(one), "SEQUENCER_OVERLOADED")
lock.execute("ROLLBACK")
answers = [c.code().name for c in calls if await_("an answer", c.done) or True]
odd = set(answers) - {"OK", "ABORTED", "UNAVAILABLE"}
expect("answers after a full queue", odd, set())
arrived = lambda: sum(e.message_id == "y" for e in own.items)
def again():
    code, error = code_of(mallory.send, mallory.submission([], message_id="again"))
    return code == "OK" or code != "UNAVAILABLE" and fail("afterwards: %s %s" % (code, error))
await_("a sequencer that mends itself", again)
await_("what was sent afterwards", lambda: any(e.message_id == "again" for e in own.items) or
       own.error)
if own.error:
    own = mallory.subscribe(from_ts=own.items[-1].timestamp)
if not answers.count("OK") <= arrived() <= 100 - answers.count("ABORTED"):
    fail("%d of %r arrived" % (arrived(), {a: answers.count(a) for a in set(answers)}))
demo.stop()
print("PASS: refused, and nothing changed; changed requests: %r; peak memory %d MiB; a full queue: %r" %
      (codes, peak, {a: answers.count(a) for a in set(answers)}))
