# An active mediator that has lost its sequencers, but neither its life nor its database, gives way to a
# replica that has one.
#
#   alice --- seq2 --- PostgreSQL        med1 --- seq1 (killed)
#                                        med2 --- seq2
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
export LOCKSTEP_PASSWORD="$pg_password"
storage() { echo "{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LOCKSTEP_PASSWORD}\", schema: $1}"; }
run() {
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
}
port() { sed -n "s|.*listening on.*$2 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
has() { grep -sq -e "$2" "$work/$1.log"; }
for n in 1 2; do
    printf 'sequencers:\n  seq:\n    storage: %s\n    public-api: {port: 0}\n    admin-api: {port: 0}\n    migrate-on-start: true\n' "$(storage seq)" > "$work/seq$n.yaml"
    run seq$n
    await "has seq$n 'listening on'"
    printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: 0}\n    migrate-on-start: true\n    sequencer-connections: ["http://127.0.0.1:%s"]\n' "$(storage med)" "$(port seq$n public-api)" > "$work/med$n.yaml"
done
printf 'participants:\n  alice:\n    storage: %s\n    api: {port: 0}\n    migrate-on-start: true\n    synchronizers: {demo: ["http://127.0.0.1:%s"]}\n' "$(storage alice)" "$(port seq2 public-api)" > "$work/alice.yaml"
run med1
run alice
await "has med1 'listening on' && has alice 'listening on'"
"$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$(port seq1 admin-api)" --mediator "127.0.0.1:$(port med1 admin-api)" --sequencer-url "http://127.0.0.1:$(port seq1 public-api)" > "$work/bootstrap" 2>&1 || fail "$(cat "$work/bootstrap")"
await "has med1 'catching-up -> active'"
run med2
await "has med2 'starting -> passive'"
alice=127.0.0.1:$(port alice api)
"$lockstep" status --wait connected --timeout 30s "$alice" > "$work/status" 2>&1 || fail "$(cat "$work/status")"
"$lockstep" submit --server "$alice" > "$work/one" || fail "$(cat "$work/one")"
! has med2 'lease won' || fail "the passive replica has taken over too early"

kill -9 "$pid_seq1"
await "has med1 'active -> passive: no sequencer'"
await "has med2 'catching-up -> active'"
"$lockstep" submit --server "$alice" > "$work/two" || fail "$(cat "$work/two")"
