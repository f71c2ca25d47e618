"""Of topology.sh, which brings the PostgreSQL."""
import json
import sys

sys.dont_write_bytecode = True
from lockstep import *  # noqa: E402,F403

TRANSACTIONS = int(os.environ.get("LS_TEST_TRANSACTIONS", "1000"))
PG = {k: os.environ["LS_TEST_PG_" + k] for k in ("SERVER", "PORT", "DATABASE", "USER", "PASSWORD")}
YAML = """migrate-on-start: true
synchronizer:
  demo:
    storage: {type: postgresql, server: %(SERVER)s, port: %(PORT)s, database: %(DATABASE)s, user: %(USER)s,
              password: "${env:LS_TEST_PG_PASSWORD}", schema: demo}
    public-api: {port: 0}
    admin-api: {port: 0}
""" % PG
SPECS = {"ec-curve25519": 1, "ed25519": 1, "ec-p256": 2, "ec-p384": 3, "ec-secp256k1": 4}


def sql(text):
    return subprocess.run([os.path.join(os.environ["PG_BIN"], "psql"), "-XqAt", "-h", PG["SERVER"], "-p", PG["PORT"],
                           "-U", PG["USER"], "-d", PG["DATABASE"], "-c", text], check=True,
                          env=dict(os.environ, PGPASSWORD=PG["PASSWORD"]), stdout=subprocess.PIPE).stdout.decode().split("\n")[0]


one, two = Daemon("one", YAML), Daemon("two", YAML)
ports = {d: d.port("sequencer/demo", "public-api") for d in (one, two)}
for d in (one, two):
    d.await_log("lockstep ready")
mallory, = become(["mallory"], ports[one])


def session(d):
    """The member at one of the two, as soon as it serves."""
    return await_("a session at " + d.name, lambda: (lambda r: r[1] if r[0] == "OK" else None)(
        code_of(Session, channel(ports[d]), mallory)))


# ---- what is ordered ----
at = session(one)
# The owner of the synchronizer is its sequencer: the key whose fingerprint is the sequencer's namespace.
uid = sql("SELECT node_uid FROM demo.ls_identity WHERE kind = 'sequencer'")
spec, pkcs8 = sql("SELECT spec || ' ' || encode(private_key, 'hex') FROM demo.ls_key WHERE fingerprint = '%s'"
                  % uid.split("::", 1)[1]).split(" ")
with open(path("owner.der"), "wb") as f:
    f.write(bytes.fromhex(pkcs8))
made = json.loads(subprocess.run(
    [os.path.join(BUILD, "t", "topology", "generate"), at.psid, uid, str(SPECS[spec]), path("owner.der"),
     str(TRANSACTIONS), path("broadcasts")], check=True, stdout=subprocess.PIPE).stdout)
broadcasts, raw = [], open(path("broadcasts"), "rb").read()
while raw:
    n = int.from_bytes(raw[:4], "big")
    broadcasts.append(raw[4:4 + n])
    raw = raw[4 + n:]


def order(d, content, name):
    """Sends it until somebody says that it is durable; one without an answer may be ordered twice."""
    global at

    def sent():
        global at
        code, e = code_of(at.send, at.submission([(content, ["ALL::All"])], message_id=name))
        if code == "OK":
            return True
        if code not in ("UNAVAILABLE", "ABORTED", "UNAUTHENTICATED"):
            fail("%s: %s %s" % (name, code, e.details()))
        at = session(d)
        return False
    await_(name + " is durable", sent, 60)


half = len(broadcasts) // 2
for i, b in enumerate(broadcasts[:half]):
    order(one, b, "b%d" % i)
one.kill()
for i, b in enumerate(broadcasts[half:]):
    order(two, b, "b%d" % (half + i))


# ---- what has become of it ----
def state(d):
    """(hash, the bytes of all items) as a new member gets them."""
    s = session(d)

    def ask():
        code, answer = code_of(s.call, "DownloadTopologyStateForInitHash",
                               Api.DownloadTopologyStateForInitHashRequest(member=made["last"]),
                               Api.DownloadTopologyStateForInitHashResponse)
        return answer.topology_state_hash if code == "OK" else None
    digest = await_("the topology at " + d.name, ask)
    chunks = s.channel.unary_stream(SEQ + "SequencerService/DownloadTopologyStateForInit")(
        Api.DownloadTopologyStateForInitRequest(member=made["last"]).SerializeToString(),
        metadata=s.headers(), timeout=AWAIT)
    return digest, b"".join(Api.DownloadTopologyStateForInitResponse.FromString(c).topology_transactions
                            .SerializeToString() for c in chunks)


survivor = state(two)
ports[one] = one.start().port("sequencer/demo", "public-api")
replica = state(one)
expect("hash at the replica that was killed", replica[0], survivor[0])
expect("its bytes", replica[1] == survivor[1], True)
for d in (one, two):
    d.kill()
for d in (one, two):
    d.start()
for d in (one, two):
    ports[d] = d.port("sequencer/demo", "public-api")
    again = state(d)
    expect("hash after the restart of " + d.name, again[0], survivor[0])
    expect("bytes after the restart of " + d.name, again[1] == survivor[1], True)

# It is what was sent, with every verdict, and it holds when it is replayed from its bytes.
with open(path("state"), "wb") as f:
    f.write(versioned(survivor[1], 30))
done = subprocess.run([os.path.join(BUILD, "t", "topology", "verify"), path("state")],
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
if done.returncode:
    fail("verify: %s %s" % (done.stdout.decode()[:2000], done.stderr.decode()[:2000]))
said = json.loads(done.stdout)
expect("hash by verify", said["hash"], survivor[0].hex())
for kind in ("accepted", "proposed", "rejected"):
    if said[kind] < made[kind]:
        fail("%d %s, sent %d" % (said[kind], kind, made[kind]))
if said["transactions"] < TRANSACTIONS:
    fail("%d transactions" % said["transactions"])
print("%(transactions)d transactions, %(signatures)d signatures: %(accepted)d accepted, %(proposed)d proposed, "
      "%(rejected)d rejected" % said)
for d in (one, two):
    d.stop()
