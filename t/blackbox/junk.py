"""Junk at every port: each method of each service of proto/, with nothing, noise and noise that parses; bytes
that are no HTTP/2, and connections that say nothing. Nobody dies, no answer is an internal error, nothing
that was made is unmade, and descriptors are given back."""
import random
import socket
import sys

sys.dont_write_bytecode = True
from google.protobuf import descriptor_pb2
from lockstep import *  # noqa: E402,F403

random.seed(int(os.environ.get("LS_TEST_SEED", "5")))
demo = Daemon("demo", synchronizer_yaml())
public, admin = (demo.port("sequencer/demo", a) for a in ("public-api", "admin-api"))
mediator = demo.port("mediator/demo-mediator", "admin-api")
demo.await_log("lockstep ready")
parts = Daemon("parts", participants_yaml(["alice", "bob"], public))
api = parts.port("participant/alice", "api")
alice, bob = Api1(api), Api1(parts.port("participant/bob", "api"))
alice.await_connected()
uid = bob.await_connected().uid
before = rows("demo.db", "SELECT COUNT(*) FROM ls_log WHERE kind = 1")


def noise(n):
    return bytes(random.randrange(256) for _ in range(random.randrange(n)))


def field():
    number, kind = random.randrange(1, 12), random.randrange(2)
    if kind == 0:
        return bytes([number << 3, random.randrange(128)])
    text = random.choice([noise(20), b"", b"PAR::x::1220aa", b"x" * 200, field_of(1), b"demo::1220" + b"a" * 64])
    return bytes([number << 3 | 2]) + bytes([len(text) & 127 | 128, len(text) >> 7]) + text


def field_of(depth):
    return bytes([10, 3]) + noise(4).ljust(3, b"\0")[:3] if depth else b""


files = descriptor_pb2.FileDescriptorSet()
proto = os.path.join(SRC, "proto")
subprocess.run(["protoc", "-I", proto, "--descriptor_set_out=" + path("all.ds"),
                *sorted(f for f in os.listdir(proto) if f.endswith(".proto"))], check=True)
with open(path("all.ds"), "rb") as f:
    files.ParseFromString(f.read())
methods = [("/%s.%s/%s" % (f.package, s.name, m.name), m.client_streaming, m.server_streaming)
           for f in files.file for s in f.service for m in s.method]
served, codes = set(), {}
for port in (public, admin, mediator, api):
    line = channel(port)
    for name, up, down in methods:
        for message in [b"", noise(40), noise(300)] + [b"".join(field() for _ in range(random.randrange(1, 6)))
                                                       for _ in range(4)]:
            make = {(0, 0): line.unary_unary, (0, 1): line.unary_stream, (1, 0): line.stream_unary,
                    (1, 1): line.stream_stream}[bool(up), bool(down)]
            given = iter([message]) if up else message
            call = make(name)(given, timeout=0.3) if down else make(name).future(given, timeout=5)
            try:
                if down:
                    next(call, None)
                    call.cancel()
                else:
                    call.result()
                code = "OK"
            except grpc.RpcError as e:
                code = e.code().name
                if code in ("INTERNAL", "UNKNOWN", "DATA_LOSS") or code == "DEADLINE_EXCEEDED" and not down:
                    fail("%s with %s: %s %s" % (name, message.hex(), code, e.details()))
            codes[code] = codes.get(code, 0) + 1
            if code != "UNIMPLEMENTED":
                served.add((port, name))
            else:
                break
    line.close()
if len(served) < 30:
    fail("%d methods are served" % len(served))

# ---- what is no gRPC ----
descriptors = lambda d: len(os.listdir("/proc/%d/fd" % d.process.pid))
at_rest = descriptors(demo)
open_sockets = []
for i in range(200):
    s = socket.create_connection(("127.0.0.1", random.choice([public, admin])), timeout=5)
    try:
        s.sendall([b"", b"GET / HTTP/1.1\r\n\r\n", noise(2000), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + noise(500),
                   b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + b"\0\0\0\2\0\0\0\0\1" * 100,
                   b"\x16\x03\x01" + noise(300)][i % 6])
    except OSError:
        pass
    open_sockets.append(s)
expect("a call beside 200 strange connections", Api1(api).await_connected().state, "connected")
for s in open_sockets:
    s.close()
await_("the descriptors of before", lambda: descriptors(demo) <= at_rest + 5)
expect("the log of before", rows("demo.db", "SELECT COUNT(*) FROM ls_log WHERE kind = 1"), before)
alice.submit("after", informees=[uid], payload=b"after")
feed = bob.outcomes()
expect("the verdict", feed.next_where("an outcome", lambda o: o.payload == b"after").verdict,
       Part.VERDICT_COMMITTED)
feed.cancel()
for d in (demo, parts):
    bad = [l for l in d.log().splitlines() if " ERROR " in l]
    if bad:
        fail("%s: %s" % (d.name, bad[0]))
parts.stop()
demo.stop()
print("PASS: %d methods served, %r" % (len(served), codes))
