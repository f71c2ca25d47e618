# Verdicts go on when the active mediator dies, comes back, and is stopped and wakes up again: nothing in
# flight is lost, no request gets two verdicts, and one that slept through a take-over writes nothing more.
#
#   alice, bob <--load-- lockstep bench
#       \--- seq --- PostgreSQL --- med1, med2 (kill -9, SIGSTOP)
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
export LOCKSTEP_PASSWORD="$pg_password"
storage() { echo "{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LOCKSTEP_PASSWORD}\", schema: $1}"; }
run() {
    "$lockstepd" -c "$work/$1.yaml" >> "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
}
port() { sed -n "s|.*listening on.*$2 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
has() { grep -sq -e "$2" "$work/$1.log"; }
verdicts() { postgres_sql -c "SELECT COUNT(*) FROM med.ls_verdict WHERE $1"; }
is_active() { "$lockstep" status "127.0.0.1:$(port "$1" admin-api)" -o json 2>/dev/null | grep -q '"state": *"active"'; }
enough() { [ "$(verdicts true)" -ge "$1" ]; }

printf 'sequencers:\n  seq:\n    storage: %s\n    public-api: {port: 0}\n    admin-api: {port: 0}\n    migrate-on-start: true\n' "$(storage seq)" > "$work/seq.yaml"
run seq
await "has seq 'listening on'"
url="http://127.0.0.1:$(port seq public-api)"
for m in med1 med2; do
    printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: 0}\n    migrate-on-start: true\n    sequencer-connections: ["%s"]\n' "$(storage med)" "$url" > "$work/$m.yaml"
    run $m
done
for p in alice bob; do
    printf 'participants:\n  %s:\n    storage: %s\n    api: {port: 0}\n    migrate-on-start: true\n    synchronizers: {demo: ["%s"]}\n' $p "$(storage $p)" "$url" > "$work/$p.yaml"
    run $p
done
await "has med1 'listening on' && has med2 'listening on' && has alice 'listening on' && has bob 'listening on'"
"$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$(port seq admin-api)" --mediator "127.0.0.1:$(port med1 admin-api)" --sequencer-url "$url" > "$work/bootstrap" 2>&1 || fail "$(cat "$work/bootstrap")"
alice=127.0.0.1:$(port alice api) bob=127.0.0.1:$(port bob api)
"$lockstep" status --wait connected --timeout 30s "$alice" "$bob" > "$work/status" 2>&1 || fail "$(cat "$work/status")"
await "is_active med1 || is_active med2"
if is_active med1; then active=med1 standby=med2; else active=med2 standby=med1; fi
await "has $standby 'standby: following'"

"$lockstep" bench -p "$alice,$bob" --rate 20 --duration 15s --drain 60s -o json > "$work/bench" 2> "$work/bench.err" &
bench=$!
at_exit 'kill $bench 2>/dev/null'

# It dies.
await "enough 20"
eval "kill -9 \$pid_$active"
await "is_active $standby"

# It comes back as a passive one, and the other dies.
run "$active"
await "[ \$(grep -c 'starting -> passive' $work/$active.log) -ge 2 ]"
seen=$(verdicts true)
await "enough $((seen + 20))"
eval "kill -9 \$pid_$standby"
await "is_active $active"
run "$standby"
await "[ \$(grep -c 'starting -> passive' $work/$standby.log) -ge 2 ]"

# It is stopped in the middle of things, and wakes up when the other has taken over.
seen=$(verdicts true)
await "enough $((seen + 20))"
eval "kill -STOP \$pid_$active"
await "is_active $standby"
eval "kill -CONT \$pid_$active"
await "has $active 'active -> passive'"

wait "$bench" || fail "not all committed: $(cat "$work/bench" "$work/bench.err")"
n=$(sed -n 's/.*"committed": *\([0-9]*\).*/\1/p' "$work/bench")
await "[ \"\$(verdicts 'state = 2')\" = $n ]"
[ "$(verdicts true)" = "$n" ] || fail "$(verdicts true) verdicts for $n transactions"
[ "$(verdicts 'outcome <> 1')" = 0 ] || fail "$(verdicts 'outcome <> 1') verdicts are no approvals"
! grep -h 'LS-INTERNAL' "$work"/med*.log || fail "a replica says that it has a defect"
echo "$n transactions, three take-overs, all committed; $(cat "$work/bench")"
