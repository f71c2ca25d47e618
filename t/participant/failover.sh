# A participant outlives the sequencer that it is subscribed to, killed or hung, and notices for how long;
# without a mediator its transactions end at the decision time, though nothing else moves the stream.
#
#   alice, bob --- seq1 --- PostgreSQL --- med
#         \------- seq2 ---/
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
export LOCKSTEP_PASSWORD="$pg_password"
storage() { echo "{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LOCKSTEP_PASSWORD}\", schema: $1}"; }
run() {
    : > "$work/$1.log"
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
}
port() { sed -n "s|.*listening on.*$2 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
has() { grep -sq -e "$2" "$work/$1.log"; }
for s in 1 2; do
    eval "public_$s=$(free_port)"
    public=public_$s
    printf 'sequencers:\n  seq:\n    storage: %s\n    public-api: {port: %s}\n    admin-api: {port: 0}\n    migrate-on-start: true\n' \
        "$(storage seq)" "${!public}" > "$work/seq$s.yaml"
    run "seq$s"
    await "has seq$s 'listening on'"
done
urls="[\"http://127.0.0.1:$public_1\", \"http://127.0.0.1:$public_2\"]"
printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: 0}\n    migrate-on-start: true\n    sequencer-connections: %s\n' \
    "$(storage med)" "$urls" > "$work/med.yaml"
run med
await "has med 'listening on'"
"$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$(port seq1 admin-api)" --mediator "127.0.0.1:$(port med admin-api)" \
    --sequencer-url "http://127.0.0.1:$public_1" --sequencer-url "http://127.0.0.1:$public_2" \
    --confirmation-response-timeout 3s --mediator-reaction-timeout 3s > "$work/bootstrap" 2>&1 || fail "$(cat "$work/bootstrap")"
for p in alice bob; do
    printf 'participants:\n  %s:\n    storage: %s\n    api: {port: 0}\n    migrate-on-start: true\n    synchronizers: {demo: %s}\n' \
        $p "$(storage $p)" "$urls" > "$work/$p.yaml"
    run $p
done
await "has alice 'listening on' && has bob 'listening on'"
alice=127.0.0.1:$(port alice api) bob=127.0.0.1:$(port bob api)
connected() { "$lockstep" status --wait connected --timeout 30s "$alice" "$bob" > "$work/status" 2>&1 || fail "$(cat "$work/status")"; }
commits() { "$lockstep" submit --server "$alice" --with "$bob" --wait 20s -o json > "$work/commit" 2>&1 || fail "$1: $(cat "$work/commit")"; }
# subscribed: the sequencer (1 or 2) that alice's log named last.
subscribed() {
    local p
    p=$(sed -n 's|.*subscribed at http://127.0.0.1:\([0-9]*\).*|\1|p' "$work/alice.log" | tail -1)
    if [ "$p" = "$public_1" ]; then echo 1; else echo 2; fi
}
# outage: milliseconds between the loss and the next subscription, by alice's own log.
outage() {
    sed -n 's|.*subscribed at .*, again after \([0-9]*\) ms.*|\1|p' "$work/alice.log" | tail -1
}
connected
commits "at first"

# Killed: the other one continues within a second, and the client sees no gap.
at=$(subscribed)
pid=pid_seq$at
kill -9 "${!pid}"
await '[ "$(subscribed)" != "$at" ]'
killed=$(outage)
[ "$killed" -lt 1000 ] || fail "$killed ms without a sequencer"
connected
commits "after kill -9"
wait "${!pid}" 2>/dev/null || :
run "seq$at"
await "has seq$at 'listening on'"
"$lockstep" status --wait active --timeout 30s "127.0.0.1:$(port seq1 admin-api)" "127.0.0.1:$(port seq2 admin-api)" > "$work/status" 2>&1 || fail "$(cat "$work/status")"

# Hung: nothing is refused, nothing is answered.
at=$(subscribed)
pid=pid_seq$at
kill -STOP "${!pid}"
await '[ "$(subscribed)" != "$at" ]'
hung=$(outage)
[ "$hung" -lt 5000 ] || fail "$hung ms with a hung sequencer"
connected
commits "while a sequencer hangs"
kill -CONT "${!pid}"

# No mediator: rolled back at the decision time.
kill -9 "$pid_med"
! "$lockstep" submit --server "$alice" --with "$bob" --wait 30s -o json > "$work/commit" 2>&1 || fail "committed without a mediator"
grep -q '"verdict": *"timed-out"' "$work/commit" || fail "no time-out: $(cat "$work/commit")"
grep -q 'LOCAL_VERDICT_TIMEOUT' "$work/commit" || fail "not by the participant: $(cat "$work/commit")"
ms=$(sed -n 's/.*"submit_to_verdict_ms": *\([0-9]*\).*/\1/p' "$work/commit")
[ "$ms" -ge 6000 ] && [ "$ms" -lt 12000 ] || fail "rolled back after $ms ms"
run med
connected
commits "with a mediator again"
echo "PASS: without a sequencer $killed ms after kill -9, $hung ms after a stop; rolled back after $ms ms"
