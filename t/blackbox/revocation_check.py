"""Of revocation.sh, which brings the PostgreSQL."""
import sys

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403

BOUND = 2.0  # seconds after the effective time; the promise is 1
DELAY = 0.25  # topology-change-delay
PG = {k: os.environ["LS_TEST_PG_" + k] for k in ("SERVER", "PORT", "DATABASE", "USER")}
YAML = """migrate-on-start: true
synchronizer:
  demo:
    storage: {type: postgresql, server: %(SERVER)s, port: %(PORT)s, database: %(DATABASE)s, user: %(USER)s,
              password: "${env:LS_TEST_PG_PASSWORD}", schema: demo}
    public-api: {port: 0}
    admin-api: {port: 0}
""" % PG
EXPIRED = ("UNAVAILABLE", "Subscription token has expired")
REVOKED = ("PERMISSION_DENIED", "Member access was revoked.")
ADD, REMOVE = (P30.Enums.TOPOLOGY_CHANGE_OP_ADD_REPLACE, P30.Enums.TOPOLOGY_CHANGE_OP_REMOVE)
USAGE_NAMESPACE = C30.SIGNING_KEY_USAGE_NAMESPACE


def sql(text):
    out = subprocess.run([os.path.join(os.environ["PG_BIN"], "psql"), "-XqAt", "-F", " ", "-h", PG["SERVER"], "-p",
                          PG["PORT"], "-U", PG["USER"], "-d", PG["DATABASE"], "-c", text], check=True,
                         env=dict(os.environ, PGPASSWORD=os.environ["LS_TEST_PG_PASSWORD"]), stdout=subprocess.PIPE)
    return [line.split(" ") for line in out.stdout.decode().splitlines()]


# Beside all that, tokens of the shortest life: streams end so that one comes again, and what runs on
# them loses nothing.
LIFE = 10  # seconds
c = Daemon("c", """synchronizer:
  demo:
    storage: {type: sqlite, file: c.db}
    public-api: {port: 0, max-token-expiration-interval: %ds}
    admin-api: {port: 0}
""" % LIFE)
public = c.port("sequencer/demo", "public-api")
c.await_log("lockstep ready")
a, b = Daemon("a", YAML), Daemon("b", YAML)
port = {d: d.port("sequencer/demo", "public-api") for d in (a, b)}
for d in (a, b):
    d.await_log("lockstep ready")
NAMES = ["witness", "gone", "barred", "rekeyed", "leaver", "med", "seq"]
who = dict(zip(NAMES, become(NAMES, port[a])))
short, = become(["short"], public)
parts = Daemon("parts", participants_yaml(["alice", "bob"], public))
alice, bob = (Api1(parts.port("participant/" + n, "api")) for n in ("alice", "bob"))
alice.await_connected()
bank = bob.await_connected().uid
outcomes = bob.outcomes()
short = Session(channel(public), short)
stream, committed = short.subscribe(), []
until = time.time() + 1.1 * LIFE


def work():
    while time.time() < until:
        name = "t%d" % len(committed)
        alice.submit(name, informees=[bank], payload=name.encode())
        outcomes.next_where(name, lambda o: o.payload == name.encode())
        committed.append((name.encode(), Part.VERDICT_COMMITTED))
        threading.Event().wait(0.1)  # gentle: the machine has more to do
    committed.append(None)


worker = threading.Thread(target=work, daemon=True)
worker.start()
channels = {d: channel(port[d]) for d in (a, b)}


def session(d, identity):
    return Session(channels[d], identity)


witness = {d: session(d, who["witness"]) for d in (a, b)}
watched = {d: witness[d].subscribe() for d in (a, b)}
old = {d: witness[d].token for d in (a, b)}
synchronizer = witness[a].psid.rsplit("::", 1)[0]
uid, = sql("SELECT node_uid FROM demo.ls_identity WHERE kind = 'sequencer'")[0]
owner = Key(uid.split("::")[1], 1 << USAGE_NAMESPACE, bytes.fromhex(sql(
    "SELECT encode(private_key, 'hex') FROM demo.ls_key WHERE fingerprint = '%s'" % uid.split("::")[1])[0][0]))


# ---- topology ----

def transaction(mapping, serial, keys, op=ADD):
    raw = versioned(P30.TopologyTransaction(operation=op, serial=serial, mapping=mapping), VERSION)
    digest = hash_of(11, raw)
    return versioned(P30.SignedTopologyTransaction(transaction=raw, signatures=[k.sign(digest) for k in keys]),
                     30)


def stored():
    """Everything that the topology says, as a member that joins gets it: [TopologyTransaction]."""
    chunks = witness[a].channel.unary_stream(SEQ + "SequencerService/DownloadTopologyStateForInit")(
        Api.DownloadTopologyStateForInitRequest(member=who["seq"].member).SerializeToString(),
        metadata=witness[a].headers(), timeout=AWAIT)
    for chunk in chunks:
        for item in Api.DownloadTopologyStateForInitResponse.FromString(chunk).topology_transactions.items:
            frame = Ver.UntypedVersionedMessage.FromString(unwrap(item.transaction, P30.SignedTopologyTransaction).transaction)
            yield frame.version, P30.TopologyTransaction.FromString(frame.data)


VERSION, _ = next(stored())
mappings = [t for _, t in stored()]
serials, sent = {}, 0


def order(*txs):
    """Orders through A; the local time at which they have effect."""
    global sent
    content = versioned(P31.EnvelopeContent(topology_transactions_broadcast=P30.TopologyTransactionsBroadcast(
        physical_synchronizer_id=witness[a].psid,
        signed_transactions=P30.SignedTopologyTransactions(signed_transaction=txs))), 31)
    sent += 1
    name = "order%d" % sent
    witness[a].send(witness[a].submission([(content, ["ALL::All"])], message_id=name))
    event = watched[a].next_where(name, lambda e: e.message_id == name)
    return event.timestamp / 1e6 + DELAY


def of(kind, wanted):
    """The newest mapping of a kind that is wanted, and its serial."""
    found = [t for t in mappings if t.mapping.WhichOneof("mapping") == kind and wanted(getattr(t.mapping, kind))]
    if not found:
        fail("no %s" % kind)
    return found[-1].mapping, found[-1].serial


def new_key(name):
    pkcs8 = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-outform", "DER"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    file = path(name + ".der")
    with open(file, "wb") as f:
        f.write(pkcs8)
    spki = subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", file, "-pubout", "-outform", "DER"],
                          check=True, stdout=subprocess.PIPE).stdout
    fingerprint = hash_of(12, spki).hex()
    public = C30.SigningPublicKey(format=C30.CRYPTO_KEY_FORMAT_DER_X509_SUBJECT_PUBLIC_KEY_INFO, public_key=spki,
                                  usage=[USAGE_SEQUENCER_AUTH, C30.SIGNING_KEY_USAGE_PROOF_OF_OWNERSHIP],
                                  key_spec=C30.SIGNING_KEY_SPEC_EC_P256)
    return Key(fingerprint, 1 << USAGE_SEQUENCER_AUTH, pkcs8), C30.PublicKey(signing_public_key=public)


# ---- what must come of it ----

def token_is_void(d, s, token, what):
    code, e = code_of(s[d].get_time, (("synchronizerid", s[d].psid), ("memberid", s[d].identity.member),
                                      ("authtoken-bin", token)))
    if code == "OK":
        return False
    trailers = dict(e.trailing_metadata())
    expect(what, (code, trailers.get("autherrorcode"), trailers.get("authtoken-bin")),
           ("UNAUTHENTICATED", "MissingToken", token))
    return True


class Member:
    """Authenticated at both, with a stream at B."""

    def __init__(self, name, identity=None):
        self.name, self.identity = name, identity or who[name]
        self.login()

    def login(self):
        def there():
            code, s = code_of(lambda: {d: session(d, self.identity) for d in (a, b)})
            return s if code == "OK" else None
        self.s = await_(self.name + " is let in", there)
        self.tokens = [self.s[d].token for d in (a, b)]
        self.stream = self.s[b].subscribe()
        await_(self.name + " has events or waits", lambda: self.stream.thread.is_alive())
        for d in (a, b):
            for t in self.tokens:  # a token of the one is good at the other
                expect("a token of " + self.name, token_is_void(d, self.s, t, self.name), False)

    def loses(self, since, wanted):
        """Stream and tokens end within the bound."""
        left = since + BOUND - time.time()
        self.stream.thread.join(max(left, 0.05))
        if self.stream.thread.is_alive():
            fail("%s: the stream goes on %g s after the effective time" % (self.name, BOUND))
        took = time.time() - since
        expect("the end of " + self.name, self.stream.ended(), wanted)
        for d in (a, b):
            for t in self.tokens:
                await_("%s: a token void at %s" % (self.name, d.name),
                       lambda: token_is_void(d, self.s, t, self.name), max(since + BOUND - time.time(), 0.2))
        print("%s: %.0f ms after the effective time" % (self.name, 1000 * took))

    def is_refused(self):
        for d in (a, b):
            code, e = code_of(self.s[d].challenge)
            expect("a challenge of " + self.name, code, "PERMISSION_DENIED")
            if "access is disabled" not in e.details():
                fail(e.details())
            expect("an answer of " + self.name, code_of(self.s[d].answer, bytes(20))[0], "PERMISSION_DENIED")

    def old_tokens_stay_void(self, tokens):
        for d in (a, b):
            for t in tokens:
                expect("%s: an old token at %s" % (self.name, d.name),
                       token_is_void(d, self.s, t, self.name), True)


# A logout at the replica that has never seen the member ends all of it at both.
leaver = session(a, who["leaver"])
leaver.plain("SequencerConnectService/GetSynchronizerId", Api.SequencerConnect.GetSynchronizerIdRequest(),
             Api.SequencerConnect.GetSynchronizerIdResponse)
logout = lambda d, token: channels[d].unary_unary(SEQ + "SequencerAuthenticationService/Logout")(
    Auth.LogoutRequest(token=token).SerializeToString(), timeout=AWAIT)
expect("a logout elsewhere", code_of(logout, b, leaver.token)[0], "OK")
leaver = Member("leaver")
before = leaver.tokens
start = time.time()
logout(a, leaver.tokens[1])
leaver.loses(start, EXPIRED)
leaver.login()
leaver.old_tokens_stay_void(before)
expect("a logout with a void token", code_of(logout, b, before[0])[0], "FAILED_PRECONDITION")

# A participant that takes its trust certificate back.
gone = Member("gone")
trust, serial = of("synchronizer_trust_certificate", lambda m: m.participant_uid == gone.identity.uid)
ns = gone.identity.key(USAGE_NAMESPACE)
gone.loses(order(transaction(trust, serial + 1, [ns], REMOVE)), REVOKED)
gone.is_refused()

# One whose permission is for later, and then for now: what was void stays void.
barred = Member("barred")
before = barred.tokens


def permission(serial, **more):
    return transaction(P30.TopologyMapping(participant_permission=P30.ParticipantSynchronizerPermission(
        synchronizer_id=synchronizer, participant_uid=barred.identity.uid,
        permission=P30.Enums.PARTICIPANT_PERMISSION_SUBMISSION, **more)), serial, [owner])


barred.loses(order(permission(1, login_after=TS_MAX)), REVOKED)
barred.is_refused()
order(permission(2))
barred.login()
barred.old_tokens_stay_void(before)

# One whose key is replaced: another key, another token.
rekeyed = Member("rekeyed")
before, first = rekeyed.tokens, rekeyed.identity.key(USAGE_SEQUENCER_AUTH)
keys, serial = of("owner_to_key_mapping", lambda m: m.member == rekeyed.identity.member)
fresh, public = new_key("fresh")
other = P30.TopologyMapping.FromString(keys.SerializeToString())
mine = [k for k in other.owner_to_key_mapping.public_keys
        if not USAGE_SEQUENCER_AUTH in k.signing_public_key.usage]
del other.owner_to_key_mapping.public_keys[:]
other.owner_to_key_mapping.public_keys.extend(mine + [public])
ns = rekeyed.identity.key(USAGE_NAMESPACE)
rekeyed.loses(order(transaction(other, serial + 1, [ns, fresh])), EXPIRED)
s = rekeyed.s[b]
expect("an answer by a removed key", code_of(s.answer, s.challenge().nonce, first)[0], "INVALID_ARGUMENT")
rekeyed.identity.keys.append(fresh)
rekeyed.login()
after = rekeyed.tokens
rekeyed.loses(order(transaction(keys, serial + 2, [ns, first])), EXPIRED)
rekeyed.identity.keys.remove(fresh)
rekeyed.login()
rekeyed.old_tokens_stay_void(before + after)

# A mediator and a sequencer that their groups no longer name.


def as_member(name, kind):
    """Another member with the keys of a participant."""
    identity = who[name]
    keys, _ = of("owner_to_key_mapping", lambda m: m.member == identity.member)
    own = P30.TopologyMapping.FromString(keys.SerializeToString())
    identity.uid = name + "-2" + identity.uid[identity.uid.index("::"):]
    identity.member = own.owner_to_key_mapping.member = kind + "::" + identity.uid
    signing = [k for k in own.owner_to_key_mapping.public_keys if k.HasField("signing_public_key")]
    if kind == "SEQ":
        del own.owner_to_key_mapping.public_keys[:]
        own.owner_to_key_mapping.public_keys.extend(signing)
    by = {identity.key(u).fingerprint: identity.key(u)
          for u in (USAGE_NAMESPACE, USAGE_SEQUENCER_AUTH, USAGE_PROTOCOL)}
    order(transaction(own, 1, by.values()))


def mediators(serial, op, *uids):
    return transaction(P30.TopologyMapping(mediator_synchronizer_state=P30.MediatorSynchronizerState(
        synchronizer_id=synchronizer, group=7, threshold=1, active=uids)), serial, [owner], op)


def sequencers(state, serial, uids):
    m = P30.TopologyMapping.FromString(state.SerializeToString())
    del m.sequencer_synchronizer_state.active[:]
    m.sequencer_synchronizer_state.active.extend(uids)
    return transaction(m, serial, [owner])


as_member("med", "MED")
order(mediators(1, ADD, who["med"].uid))
med = Member("med")
med.loses(order(mediators(2, REMOVE, who["med"].uid)), REVOKED)
med.is_refused()
state, serial = of("sequencer_synchronizer_state", lambda m: True)
as_member("seq", "SEQ")
order(sequencers(state, serial + 1, [uid, who["seq"].uid]))
seq = Member("seq")
seq.loses(order(sequencers(state, serial + 2, [uid])), REVOKED)
seq.is_refused()

# Nobody else has noticed.
for d in (a, b):
    if not watched[d].thread.is_alive():
        fail("the stream of the witness at %s: %s" % (d.name, watched[d].ended()))
    witness[d].token = old[d]
    witness[d].get_time()
for d in (a, b):
    d.stop()

expect("a stream whose token expired", stream.ended(), EXPIRED)
expect("its token", token_is_void(c, {c: short}, short.token, "short"), True)
last = stream.items[-1].timestamp
short.login()
again = short.subscribe(last)
again.next_where("the event again", lambda e: e.timestamp == last)
again.cancel()
worker.join(LIFE + AWAIT)
expect("the work came to its end", committed.pop(), None)
expect("outcomes, each once", [(o.payload, o.verdict) for o in outcomes.items], committed)
outcomes.cancel()
for d in (parts, c):
    d.stop()
print("%d transactions over the end of a token" % len(committed))
