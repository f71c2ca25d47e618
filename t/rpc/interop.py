"""Another implementation of gRPC (grpcio) against ours, raw bytes both ways.
   Exit 77: python3-grpcio is not there."""
import os
import socket
import subprocess
import sys
import threading
from concurrent import futures

try:
    import grpc
except ImportError:
    # A python of one's own may lack what Debian's has.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    print("skipped: apt-get install python3-grpcio")
    sys.exit(77)

PEER = os.path.join(os.environ.get("builddir", "."), "t/rpc/peer")
HEALTH = b"\x0a\x1esequencer-health-check-service"
MD = (("authtoken-bin", b"\x00\xff\x10"), ("memberid", "PAR::alice::1220ab"))


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAIL: {what}: {repr(got)[:200]} in place of {wanted!r}")


def failure(fn, *args, **kw):
    try:
        got = fn(*args, **kw)
        got = list(got) if not isinstance(got, bytes) else got
    except grpc.RpcError as e:
        return e
    sys.exit(f"FAIL: no error but {repr(got)[:200]}")


def our_server():
    server = subprocess.Popen([PEER, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    target = "127.0.0.1:" + server.stdout.readline().decode().strip()
    with grpc.insecure_channel(target, options=[("grpc.keepalive_time_ms", 20000)]) as ch:
        unary = lambda m: ch.unary_unary("/t.S/" + m)
        expect("echo", unary("Echo")(b"\x00raw\xff", timeout=20), b"\x00raw\xff")
        expect("empty", unary("Echo")(b"", timeout=20), b"")
        e = failure(unary("Refuse"), b"\x08\x0a", metadata=MD, timeout=20)
        trailers = dict(e.trailing_metadata())
        expect("code", e.code(), grpc.StatusCode.ABORTED)
        expect("message", e.details(), "SEQUENCER_OVERLOADED(2,0): zu viel – später")
        expect("details", trailers["grpc-status-details-bin"], b"\x08\x0a")
        expect("token", trailers["authtoken-bin"], MD[0][1])
        expect("member", trailers["memberid"], MD[1][1])
        code = lambda m, **kw: failure(unary(m), kw.pop("b", b""), timeout=20, **kw).code()
        expect("unknown", code("Other"), grpc.StatusCode.UNIMPLEMENTED)
        expect("too large", code("Echo", b=bytes((1 << 20) + 1)), grpc.StatusCode.RESOURCE_EXHAUSTED)
        expect("compressed", code("Echo", b=bytes(100000), compression=grpc.Compression.Gzip),
               grpc.StatusCode.UNIMPLEMENTED)
        expect("deadline", failure(unary("Never"), b"", timeout=0.2).code(),
               grpc.StatusCode.DEADLINE_EXCEEDED)
        count = ch.unary_stream("/t.S/Count")
        expect("stream", [len(m) for m in count(b"12345", timeout=20)], [0, 1, 2, 3, 4])
        concat = ch.stream_unary("/t.S/Concat")
        expect("upload", concat(iter([b"ab", b"", b"cd"]), timeout=20), b"abcd")
        expect("upload too large", failure(concat, iter([bytes(600000)] * 2), timeout=20).code(),
               grpc.StatusCode.RESOURCE_EXHAUSTED)
        expect("no message", failure(ch.stream_unary("/t.S/Echo"), iter([]), timeout=20).code(),
               grpc.StatusCode.INTERNAL)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        for junk in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"", b"\x16\x03\x01\x02\x00\x01",
                     preface + b"\xff" * 100, preface + os.urandom(4096)):
            with socket.create_connection(target.split(":"), 20) as s:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionError:
                    pass
        expect("echo after junk", unary("Echo")(b"alive", timeout=20), b"alive")
        check = ch.unary_unary("/grpc.health.v1.Health/Check")
        expect("health", check(HEALTH, timeout=20), b"\x08\x01")
        expect("health, unknown", failure(check, b"\x0a\x01x", timeout=20).code(),
               grpc.StatusCode.NOT_FOUND)
        watch = ch.unary_stream("/grpc.health.v1.Health/Watch")(HEALTH)
        expect("watch", next(watch), b"\x08\x01")
        server.stdin.close()  # a graceful stop tells the watcher
        expect("watch at the end", failure(lambda: watch).code(), grpc.StatusCode.UNAVAILABLE)
    expect("exit status", server.wait(20), 0)


def our_client():
    released = threading.Event()

    def refuse(request, ctx):
        ctx.set_trailing_metadata((("grpc-status-details-bin", b"blob:" + request),) + tuple(
            (k, v) for k, v in ctx.invocation_metadata() if k == "authtoken-bin"))
        ctx.abort(grpc.StatusCode.FAILED_PRECONDITION, "nein – so nicht")

    def never(request, ctx):
        ctx.add_callback(released.set)
        released.wait(20)
        return b""

    unary = grpc.unary_unary_rpc_method_handler
    handlers = {
        "Echo": unary(lambda request, ctx: request),
        "Refuse": unary(refuse),
        "Never": unary(never),
        "Concat": grpc.stream_unary_rpc_method_handler(lambda it, ctx: b"".join(it)),
        "Count": grpc.unary_stream_rpc_method_handler(
            lambda request, ctx: (bytes(n) for n in range(len(request)))),
    }
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[
        grpc.method_handlers_generic_handler("t.S", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    done = subprocess.run([PEER, "call", f"http://127.0.0.1:{port}"], stdout=subprocess.PIPE,
                          timeout=60, check=True)
    lines = done.stdout.decode().splitlines()
    expect("echo", lines[0], "Echo OK [] reply=hello details=")
    expect("refuse", lines[1],
           "Refuse FAILED_PRECONDITION [nein – so nicht] reply= details=blob:hello token=00ff")
    expect("deadline", lines[2].split()[:2], ["Never", "DEADLINE_EXCEEDED"])
    expect("unknown", lines[3].split()[:2], ["Absent", "UNIMPLEMENTED"])
    expect("upload", lines[4], "Concat OK [] reply=abcde details=")
    expect("stream", lines[5], "stream OK 5")
    server.stop(None).wait()


our_server()
our_client()
print("PASS: grpcio", grpc.__version__, "and ours understand each other both ways")
