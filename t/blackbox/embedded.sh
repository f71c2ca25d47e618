# An embedded synchronizer and two participants in another process: a transaction is committed, over TLS,
# and again after kill -9 of either; signals and systemd are answered; a stop is clean.
. "$srcdir/t/lib.sh"
command -v openssl >/dev/null || skip "no openssl: apt-get install openssl"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
export LOCKSTEP_PASSWORD=hunter2-secret

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>"$work/openssl.log"

# synchronizer_file PUBLIC ADMIN, participants_file PUBLIC: configurations; port 0 is any free one.
synchronizer_file() {
    cat > "$work/demo.yaml" <<END
synchronizer:
  demo:
    storage: {type: sqlite, file: demo.db}
    public-api: {port: $1, tls: {cert-chain-file: cert.pem, private-key-file: key.pem}}
    admin-api: {port: $2}
    parameters: {confirmation-response-timeout: 5s, mediator-reaction-timeout: 5s}
logging: {level: debug}
END
}
participants_file() {
    cat > "$work/parts.yaml" <<END
x-part: &part
  api: {port: 0}
  synchronizers: {demo: ["https://127.0.0.1:$1"]}
  sequencer-client: {tls: {trust-collection-file: cert.pem}}
participants:
  alice: {<<: *part, storage: {type: sqlite, file: alice.db}}
  bob: {<<: *part, storage: {type: sqlite, file: bob.db}}
logging: {level: debug, format: json}
END
}
# run NAME: lockstepd in the background with NAME.yaml, its log NAME.log. Sets pid_NAME.
run() {
    : > "$work/$1.log" # what stood there is of an earlier run
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
}
# port NODE API LOG: where it listens, from the log.
port() { sed -n "s|.*$1.*listening on.*$2 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$3.log" | tail -1; }
has() { grep -sq -e "$2" "$work/$1.log"; }
commit() {
    "$lockstep" submit -o json --server "127.0.0.1:$alice" --with "127.0.0.1:$bob" --payload "$1" > "$work/answer" 2>&1 &&
        grep -q '"verdict": *"committed"' "$work/answer" || fail "$1: $(cat "$work/answer"; tail -n 5 "$work"/*.log)"
}
ports_of_parts() {
    await "has parts 'participant/bob.*listening on\|bob.*listening on'"
    alice=$(sed -n 's|.*alice.*listening on api 127.0.0.1:\([0-9]*\).*|\1|p' "$work/parts.log")
    bob=$(sed -n 's|.*bob.*listening on api 127.0.0.1:\([0-9]*\).*|\1|p' "$work/parts.log")
    "$lockstep" status "127.0.0.1:$alice" "127.0.0.1:$bob" --wait connected --timeout 20s > "$work/status" 2>&1 ||
        fail "$(cat "$work/status" "$work/parts.log")"
}

synchronizer_file 0 0
run demo
await "has demo 'lockstep ready'"
public=$(port sequencer/demo public-api demo) admin=$(port sequencer/demo admin-api demo)
synchronizer_file "$public" "$admin" # a restart comes back here
participants_file "$public"
run parts
ports_of_parts
commit first

psid() { "$lockstep" status "127.0.0.1:$admin" -o json | sed -n 's/.*"synchronizer": *"\([^"]*\)".*/\1/p'; }
before=$(psid)
kill -9 "$pid_demo"
wait "$pid_demo" 2>/dev/null || :
run demo
await "has demo 'lockstep ready'"
[ "$(psid)" = "$before" ] || fail "another synchronizer after kill -9: $(psid), not $before"
commit "after kill -9 of the synchronizer"

kill -9 "$pid_parts"
wait "$pid_parts" 2>/dev/null || :
run parts
ports_of_parts
commit "after kill -9 of the participants"

# Health, as a load balancer asks.
"$lockstep" health "127.0.0.1:$admin" "127.0.0.1:$alice" > "$work/health" || fail "health: $(cat "$work/health")"
"$lockstep" health --service sequencer-health-check-service --tls-trust "$work/cert.pem" "127.0.0.1:$public" > "$work/health" || fail "public health: $(cat "$work/health")"
"$lockstep" health --service liveness "127.0.0.1:$bob" > "$work/health" || fail "liveness: $(cat "$work/health")"
! "$lockstep" health --service nonsense "127.0.0.1:$admin" > "$work/health" || fail "a service that is not there serves"

# SIGHUP says what it does, and does not stop.
kill -HUP "$pid_demo"
await "has demo 'SIGHUP: .* needs a restart'"
cp "$work/demo.yaml" "$work/good.yaml"
echo 'nonsense: 1' >> "$work/demo.yaml"
kill -HUP "$pid_demo"
await "has demo 'SIGHUP: .*nonsense: unknown key'"
mv "$work/good.yaml" "$work/demo.yaml"
commit "after SIGHUP"

# A second process on the same ports is told so.
status=0
"$lockstepd" -c "$work/demo.yaml" > "$work/second.log" 2>&1 || status=$?
[ "$status" = 69 ] || fail "second process: exit status $status"
grep -q 'in use.*LS-' "$work/second.log" || fail "$(cat "$work/second.log")"

# A clean stop, participants last: they wait for their synchronizer and still stop at once.
kill -TERM "$pid_demo"
wait "$pid_demo" || fail "exit status $? of a clean stop: $(tail -n 3 "$work/demo.log")"
has demo 'lockstep stopped' || fail "no clean stop"
kill -TERM "$pid_parts"
wait "$pid_parts" || fail "exit status $? of the participants' stop"

# Another name for what is in the database is refused.
sed 's/  demo:/  other:/' "$work/demo.yaml" > "$work/other.yaml"
status=0
"$lockstepd" -c "$work/other.yaml" > "$work/other.log" 2>&1 || status=$?
[ "$status" = 1 ] || fail "another name: exit status $status: $(tail -n 2 "$work/other.log")"

# A database belongs to one kind of node.
status=0
sed 's/alice.db/demo.db/' "$work/parts.yaml" > "$work/mixed.yaml"
"$lockstepd" -c "$work/mixed.yaml" > "$work/mixed.log" 2>&1 || status=$?
[ "$status" = 78 ] || fail "a participant on a sequencer's database: exit status $status: $(tail -n 2 "$work/mixed.log")"

# systemd is told of readiness and stop, and gets its watchdog's sign.
if command -v python3 >/dev/null; then
    cat > "$work/notify.py" <<'END'
import os, signal, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(20)
env = dict(os.environ, NOTIFY_SOCKET=sys.argv[1], WATCHDOG_USEC="600000")
p = subprocess.Popen(sys.argv[2:], env=env, stderr=subprocess.DEVNULL)
seen = []
def wait_for(what):
    while not any(what in m for m in seen):
        seen.append(s.recv(4096).decode())
try:
    wait_for("READY=1"); wait_for("WATCHDOG=1")
    p.send_signal(signal.SIGTERM)
    wait_for("STOPPING=1")
    sys.exit(p.wait(20))
finally:
    p.kill()
END
    python3 "$work/notify.py" "$work/notify.sock" "$lockstepd" -c "$work/demo.yaml" || fail "sd_notify"
fi
