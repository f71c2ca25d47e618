"""A member with good keys and bad intent: everything that a transaction sends, taken from the log, is
changed here and there, signed anew, and sent to mediator and participants. They stay up, log no error of
their own, decide nothing, and the next transaction is committed.

   mallory (by hand) --> sequencer --> mediator, alice, bob (as they are)
"""
import random
import sys

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403

ROUNDS = int(os.environ.get("LS_TEST_ROUNDS", "8"))
random.seed(int(os.environ.get("LS_TEST_SEED", "11")))
demo = Daemon("demo", synchronizer_yaml(
    more="    parameters: {confirmation-response-timeout: 5s, mediator-reaction-timeout: 5s}\n"))
public = demo.port("sequencer/demo", "public-api")
demo.await_log("lockstep ready")
identity, = become(["mallory"], public)
parts = Daemon("parts", participants_yaml(["alice", "bob"], public))
alice, bob = (Api1(parts.port("participant/" + n, "api")) for n in ("alice", "bob"))
alice.await_connected()
uid = bob.await_connected().uid


def commit(name):
    alice.submit(name, informees=[uid], payload=name.encode())
    for api in (alice, bob):
        feed = api.outcomes()
        o = feed.next_where(name, lambda o: o.payload == name.encode())
        expect(name, o.verdict, Part.VERDICT_COMMITTED)
        feed.cancel()


commit("before")
mallory = Session(channel(public), identity)
own = mallory.subscribe()


def body(payload):
    at = 1
    for _ in range(2):
        at += 2 + int.from_bytes(payload[at:at + 2], "big")
    return payload[at:]


samples = []
for payload, in rows("demo.db", "SELECT payload FROM ls_log WHERE sender_id IS NOT NULL"):
    try:
        request = unwrap(unwrap(body(payload), P30.SignedContent).content, P31.SubmissionRequest)
    except Exception:
        continue
    to = P31.CompressedBatch.DecompressedRecipients.FromString(
        gzip.decompress(request.batch.compressed_recipients))
    if request.batch.compressed_envelopes:
        samples.append((request, to, [P31.EnvelopeWithoutRecipients.FromString(gzip.decompress(e))
                                      for e in request.batch.compressed_envelopes]))
if len(samples) < 3:
    fail("%d submissions in the log" % len(samples))


def change(raw):
    one = bytearray(raw)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(one) or 1)
        how = random.randrange(4)
        if how == 0 and one:
            one[at] ^= 1 << random.randrange(8)
        elif how == 1:
            del one[at:at + random.randrange(1, 9)]
        elif how == 2:
            one[at:at] = bytes(random.randrange(256) for _ in range(random.randrange(1, 9)))
        else:
            one[at:at] = one[at:at + random.randrange(1, 200)]
    return bytes(one)


key = identity.key(USAGE_PROTOCOL)
codes, n = {}, 0
for round_ in range(ROUNDS):
    for request, to, envelopes in samples:
        for i in range(len(envelopes)):
            changed = P31.SubmissionRequest.FromString(request.SerializeToString())
            changed.sender, changed.message_id = identity.member, "%d" % n
            changed.max_sequencing_time = TS_MAX
            changed.ClearField("aggregation_rule")
            changed.ClearField("topology_timestamp")
            some = [P31.EnvelopeWithoutRecipients.FromString(e.SerializeToString()) for e in envelopes]
            if round_ > 0:  # round 0: what others have sent, unchanged, from somebody else
                some[i].content = change(some[i].content)
            for e in some:  # a good signature, of the wrong member
                if e.signatures:
                    del e.signatures[:]
                    e.signatures.append(key.sign(hash_of(38, e.content)))
            for k, e in enumerate(some):
                changed.batch.compressed_envelopes[k] = gzip.compress(e.SerializeToString())
            if round_ % 4 == 3:
                recipients = change(to.SerializeToString())
                changed.batch.compressed_recipients = gzip.compress(recipients)
            code, e = code_of(mallory.send, changed)
            codes[code] = codes.get(code, 0) + 1
            n += 1
            if code not in ("OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION"):
                fail("%s %s" % (code, e.details()))
mallory.send(mallory.submission([], message_id="last"))
own.next_where("the last receipt", lambda e: e.message_id == "last")
commit("after")
for api in (alice, bob):
    feed = api.outcomes()
    await_("both outcomes", lambda: len(feed.items) >= 2)
    feed.cancel()
    if [o.payload for o in feed.items if o.verdict == Part.VERDICT_COMMITTED] != [b"before", b"after"]:
        fail("committed: %r" % [(o.payload, o.verdict) for o in feed.items])
for d in (demo, parts):
    bad = [l for l in d.log().splitlines() if re.search(r" ERROR | LS-INTERNAL|internal", l)]
    if bad:
        fail("%s: %s" % (d.name, bad[0]))
parts.stop()
demo.stop()
demo.start()  # the log with all of that is replayed
demo.await_log("lockstep ready")
demo.stop()
print("PASS: %d changed submissions: %r" % (n, codes))
