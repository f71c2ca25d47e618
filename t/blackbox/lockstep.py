"""lockstep.py: verbs of the black-box tests that are written in Python: real lockstepd processes, and
members that speak to them through another implementation of gRPC (grpcio), with messages that
protoc's Python generator reads and writes.

A participant that has joined is stopped, and its keys are read from its SQLite file: from then on the
test is that participant. Everything lives in one private folder that goes with the test. Conditions
are awaited. Exit status 77: something that is needed is not there."""
import atexit
import gzip
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

SKIP = 77


def skip(why):
    print("SKIPPED:", why, file=sys.stderr)
    sys.exit(SKIP)


try:
    import grpc
    import google.protobuf  # noqa: F401 what protoc writes imports it
except ImportError:
    # A python of one's own may lack what Debian's has.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    skip("apt-get install python3-grpcio python3-protobuf")
for tool in ("protoc", "openssl"):
    if not shutil.which(tool):
        skip("no %s: apt-get install protobuf-compiler openssl" % tool)

SRC = os.environ.get("srcdir", ".")
BUILD = os.environ.get("builddir", ".")
WORK = tempfile.mkdtemp(prefix="lockstep-black-box.")
SEQ = "/com.digitalasset.canton.sequencer.api.v30."
PART = "/lockstep.participant.v1.ParticipantService/"
TS_MAX = 253402300799999999
AWAIT = 20.0  # seconds
running = []


def fail(*what):
    print("FAILED:", *what, file=sys.stderr)
    for d in running:
        print("--- %s ---" % d.name, *(l[:300] for l in d.log().splitlines()[-12:]), sep="\n",
              file=sys.stderr)
    sys.stderr.flush()
    raise SystemExit(1)


def expect(what, got, wanted):
    if got != wanted:
        fail("%s: %r in place of %r" % (what, got, wanted))


def await_(what, condition, seconds=AWAIT):
    """The first true answer of condition()."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            fail("not within %g s: %s" % (seconds, what))
        threading.Event().wait(0.02)


def _end():
    for d in list(running):
        if d.process.poll() is None:
            d.process.kill()
            d.process.wait()
    if os.environ.get("KEEP_WORK"):
        print("kept:", WORK, file=sys.stderr)
    else:
        shutil.rmtree(WORK, ignore_errors=True)


atexit.register(_end)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def path(name):
    return os.path.join(WORK, name)


def _compile():
    out = path("pb")
    os.mkdir(out)
    proto = os.path.join(SRC, "proto")
    files = sorted(f for f in os.listdir(proto) if f.endswith(".proto"))
    subprocess.run(["protoc", "-I", proto, "--python_out=" + out, *files], check=True)
    sys.path.insert(0, out)


_compile()
import crypto_v30_pb2 as C30  # noqa: E402
import google_rpc_pb2 as Rpc  # noqa: E402
import lockstep_participant_v1_pb2 as Part  # noqa: E402
import protocol_v30_pb2 as P30  # noqa: E402
import protocol_v31_pb2 as P31  # noqa: E402
import sequencer_api_v30_pb2 as Api  # noqa: E402
import version_v1_pb2 as Ver  # noqa: E402

Auth = Api.SequencerAuthentication


class Daemon:
    """A lockstepd on NAME.yaml, with its log."""

    def __init__(self, name, yaml=None, env=None):
        self.name = name
        self.file = path(name + ".yaml")
        self.env = dict(os.environ, **(env or {}))
        if yaml is not None:
            with open(self.file, "w") as f:
                # These tests sign with the nodes' keys.
                f.write(yaml if "\nkeys:" in yaml else "keys: {plaintext: true}\n" + yaml)
        self.start()

    def start(self):
        self.log_file = path("%s.log" % self.name)
        with open(self.log_file, "w") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "lockstepd"), "-c", self.file], stderr=log, stdout=log,
                env=self.env)
        if self not in running:
            running.append(self)
        return self

    def log(self):
        with open(self.log_file, errors="replace") as f:
            return f.read()

    def await_log(self, pattern, seconds=AWAIT):
        def there():
            found = re.search(pattern, self.log())
            if not found and self.process.poll() is not None:
                fail("%s ended with %d: %s" % (self.name, self.process.returncode, self.log()))
            return found
        return await_("%s: %s" % (self.name, pattern), there, seconds)

    def port(self, node, api):
        """Where a node listens, from the log."""
        return int(self.await_log(
            r"%s\W.*listening on.*\b%s 127\.0\.0\.1:(\d+)" % (re.escape(node), api)).group(1))

    def stop(self, seconds=5.0):
        """A clean stop: exit status 0 within 5 s."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            fail("%s does not stop within %g s" % (self.name, seconds))
        expect("exit status of " + self.name, status, 0)

    def kill(self):
        self.process.kill()
        self.process.wait()


# ---- what is signed ----

def versioned(message, version):
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return Ver.UntypedVersionedMessage(data=data, version=version).SerializeToString()


def unwrap(data, into):
    return into.FromString(Ver.UntypedVersionedMessage.FromString(data).data)


def hash_of(purpose, content):
    """34 bytes: what a signature is over."""
    return b"\x12\x20" + hashlib.sha256(purpose.to_bytes(4, "big") + content).digest()


class Key:
    """A P-256 key of ls_key. usages: bit n = usage n of crypto.v30."""

    def __init__(self, fingerprint, usages, pkcs8):
        self.fingerprint, self.usages, self.pkcs8 = fingerprint, usages, pkcs8
        self.file = path("key-%s.der" % fingerprint[-12:])
        with open(self.file, "wb") as f:
            f.write(pkcs8)

    def sign(self, digest):
        raw = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.file, "-keyform", "DER"], check=True,
            input=digest, stdout=subprocess.PIPE).stdout
        return C30.Signature(
            format=C30.SIGNATURE_FORMAT_DER, signature=raw, signed_by=self.fingerprint,
            signing_algorithm_spec=C30.SIGNING_ALGORITHM_SPEC_EC_DSA_SHA_256)


class Identity:
    """Who a stopped node is, from its SQLite file."""

    def __init__(self, file):
        with sqlite3.connect("file:%s?mode=ro" % path(file), uri=True) as db:
            kind, self.uid = db.execute("SELECT kind, node_uid FROM ls_identity").fetchone()
            self.keys = [Key(*row) for row in db.execute(
                "SELECT fingerprint, usages, private_key FROM ls_key"
                " WHERE purpose = 'signing' AND spec = 'ec-p256' ORDER BY created_at")]
        self.member = {"participant": "PAR", "mediator": "MED", "sequencer": "SEQ"}[kind] + \
            "::" + self.uid

    def key(self, usage):
        found = [k for k in self.keys if k.usages & (1 << usage)]
        if not found:
            fail("%s has no key with usage %d" % (self.member, usage))
        return found[-1]


USAGE_SEQUENCER_AUTH = C30.SIGNING_KEY_USAGE_SEQUENCER_AUTHENTICATION
USAGE_PROTOCOL = C30.SIGNING_KEY_USAGE_PROTOCOL


# ---- the sequencer's public API ----

def reason(error):
    """ErrorInfo.reason of a refusal, or ""."""
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    for any_ in Rpc.Status.FromString(raw).details if raw else ():
        if any_.type_url.endswith("/google.rpc.ErrorInfo"):
            return Rpc.ErrorInfo.FromString(any_.value).reason
    return ""


def code_of(call, *args, **kw):
    """The name of the status of a call that should fail, and the error; "OK" and the answer else."""
    try:
        answer = call(*args, **kw)
    except grpc.RpcError as e:
        return e.code().name, e
    return "OK", answer


class Session:
    """A member that has authenticated at one endpoint."""

    def __init__(self, channel, identity):
        self.channel, self.identity = channel, identity
        self.psid = self.plain("SequencerConnectService/GetSynchronizerId",
                               Api.SequencerConnect.GetSynchronizerIdRequest(),
                               Api.SequencerConnect.GetSynchronizerIdResponse
                               ).physical_synchronizer_id
        self.login()

    def plain(self, method, message, answer, metadata=()):
        raw = message if isinstance(message, bytes) else message.SerializeToString()
        return answer.FromString(self.channel.unary_unary(SEQ + method)(
            raw, timeout=AWAIT, metadata=metadata))

    def challenge(self, member=None, versions=(35,)):
        return self.plain("SequencerAuthenticationService/Challenge", Auth.ChallengeRequest(
            member=member or self.identity.member, member_protocol_versions=versions,
            client_version="test"), Auth.ChallengeResponse)

    def answer(self, nonce, key=None, member=None):
        psid = self.psid.encode()
        signature = (key or self.identity.key(USAGE_SEQUENCER_AUTH)).sign(
            hash_of(14, nonce + len(psid).to_bytes(4, "big") + psid))
        return self.plain("SequencerAuthenticationService/Authenticate", Auth.AuthenticateRequest(
            member=member or self.identity.member, nonce=nonce, signature=signature),
            Auth.AuthenticateResponse)

    def login(self):
        self.token = self.answer(self.challenge().nonce).token

    def headers(self):
        return (("synchronizerid", self.psid), ("memberid", self.identity.member),
                ("authtoken-bin", self.token))

    def call(self, method, message, answer, metadata=None):
        return self.plain("SequencerService/" + method, message, answer,
                          self.headers() if metadata is None else metadata)

    def get_time(self, metadata=None):
        return self.call("GetTime", Api.GetTimeRequest(), Api.GetTimeResponse,
                         metadata).sequencing_timestamp

    def submission(self, envelopes=(), **fields):
        """envelopes: (content, [recipient, ...]), each recipient one tree."""
        request = P31.SubmissionRequest(
            sender=self.identity.member, message_id="m",
            max_sequencing_time=int(time.time() * 1e6) + 60000000)
        recipients = P31.CompressedBatch.DecompressedRecipients()
        request.batch.algorithm = P30.CompressedBatch.COMPRESSION_ALGORITHM_GZIP
        for content, to in envelopes:
            list_ = recipients.recipients.add()
            for one in to:
                list_.recipients_tree.add(recipients=[one])
            request.batch.compressed_envelopes.append(gzip.compress(
                P31.EnvelopeWithoutRecipients(content=content).SerializeToString()))
        request.batch.compressed_recipients = gzip.compress(recipients.SerializeToString())
        for name, value in fields.items():
            if isinstance(value, (str, int)):
                setattr(request, name, value)
            else:
                getattr(request, name).CopyFrom(value)
        return request

    def signed(self, content, purpose=35, key=None):
        """content: W bytes. The signed frame as bytes."""
        key = key or self.identity.key(USAGE_PROTOCOL)
        return versioned(P30.SignedContent(
            content=content, signatures=[key.sign(hash_of(purpose, content))]), 30)

    def send_frame(self, frame, metadata=()):
        return self.call("SendAsync", Api.SendAsyncRequest(signed_submission_request=frame),
                         Api.SendAsyncResponse, self.headers() + tuple(metadata))

    def send(self, request, key=None, version=31, metadata=()):
        return self.send_frame(self.signed(versioned(request, version), key=key), metadata)

    def subscribe(self, from_ts=None, member=None):
        request = Api.SubscriptionRequest(member=member or self.identity.member)
        if from_ts is not None:
            request.timestamp = from_ts
        return Feed(self.channel.unary_stream(SEQ + "SequencerService/Subscribe")(
            request.SerializeToString(), metadata=self.headers()))


class Feed:
    """A stream, collected by a thread; decode makes of a message what next() gives."""

    def __init__(self, stream, decode=None):
        self.stream, self.items, self.error = stream, [], None
        self.decode = decode or (lambda raw: unwrap(unwrap(
            Api.SubscriptionResponse.FromString(raw).signed_sequenced_event,
            P30.SignedContent).content, P31.SequencedEvent))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            for raw in self.stream:
                self.items.append(self.decode(raw))
        except grpc.RpcError as e:
            self.error = e

    def next_where(self, what, wanted):
        return await_(what, lambda: next((e for e in list(self.items) if wanted(e)), None))

    def ended(self):
        """Awaits the end: its status and text."""
        self.thread.join(AWAIT)
        if self.thread.is_alive():
            fail("a stream that should have ended goes on")
        return (self.error.code().name, self.error.details()) if self.error else ("OK", "")

    def cancel(self):
        self.stream.cancel()
        self.thread.join(AWAIT)


# ---- whole systems ----

def channel(port):
    return grpc.insecure_channel("127.0.0.1:%d" % port, options=[
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])


def synchronizer_yaml(name="demo", public=0, admin=0, more="", top=""):
    return """synchronizer:
  %s:
    storage: {type: sqlite, file: %s.db}
    public-api: {port: %d}
    admin-api: {port: %d}
%s%s
""" % (name, name, public, admin, more, top)


def participants_yaml(names, public, more="", top="", synchronizer="demo"):
    out = "participants:\n"
    for name in names:
        out += """  %s:
    storage: {type: sqlite, file: %s.db}
    api: {port: 0}
    synchronizers: {%s: ["http://127.0.0.1:%d"]}
%s""" % (name, name, synchronizer, public, more)
    return out + top


class Api1:
    """The API of a participant."""

    def __init__(self, port):
        self.channel = channel(port)

    def call(self, method, message, answer, metadata=()):
        return answer.FromString(self.channel.unary_unary(PART + method)(
            message.SerializeToString(), timeout=AWAIT, metadata=metadata))

    def status(self):
        return self.call("Status", Part.StatusRequest(), Part.StatusResponse)

    def submit(self, command_id, metadata=(), **fields):
        return self.call("Submit", Part.SubmitRequest(command_id=command_id, **fields),
                         Part.SubmitResponse, metadata)

    def confirm(self, request_id, approve, reason=""):
        return self.call("Confirm", Part.ConfirmRequest(
            request_id=request_id, approve=approve, reason=reason), Part.ConfirmResponse)

    def requests(self):
        return Feed(self.channel.unary_stream(PART + "Requests")(
            Part.RequestsRequest().SerializeToString()), Part.RequestsResponse.FromString)

    def outcomes(self, from_offset=0):
        return Feed(self.channel.unary_stream(PART + "Outcomes")(
            Part.OutcomesRequest(from_offset=from_offset).SerializeToString()),
            Part.OutcomesResponse.FromString)

    def await_connected(self):
        def connected():
            try:
                s = self.status()
            except grpc.RpcError:
                return None
            return s if s.state == "connected" else None
        return await_("a connected participant", connected)


def become(names, public, synchronizer="demo"):
    """Lets participants join, stops them, and returns who they are: the test is them from now on."""
    d = Daemon("join", participants_yaml(names, public, synchronizer=synchronizer))
    for name in names:
        Api1(d.port("participant/" + name, "api")).await_connected()
    d.stop()
    running.remove(d)
    return [Identity(name + ".db") for name in names]


def rows(file, query):
    with sqlite3.connect("file:%s?mode=ro" % path(file), uri=True) as db:
        return db.execute(query).fetchall()
