# A confirmer that does not answer: the verdict says who, soon after the response deadline, though nothing
# else moves the time of the stream. What it would have said later changes nothing.
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
printf 'synchronizer:\n  demo:\n    storage: {type: sqlite, file: "%s/demo.db"}\n    public-api: {port: 0}\n    admin-api: {port: 0}\n    parameters: {confirmation-response-timeout: 1s, mediator-reaction-timeout: 5s}\n' "$work" > "$work/demo.yaml"
run() {
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
}
port() { sed -n "s|.*listening on.*$2 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
has() { grep -sq -e "$2" "$work/$1.log"; }
run demo
await "has demo 'listening on.*public-api'"
for p in alice bob; do
    printf 'participants:\n  %s:\n    storage: {type: sqlite, file: "%s/%s.db"}\n    api: {port: 0}\n    synchronizers: {demo: ["http://127.0.0.1:%s"]}\n' $p "$work" $p "$(port demo public-api)" > "$work/$p.yaml"
    run $p
done
await "has alice 'listening on' && has bob 'listening on'"
alice=127.0.0.1:$(port alice api) bob=127.0.0.1:$(port bob api)
"$lockstep" status --wait connected --timeout 30s "$alice" "$bob" > "$work/status" 2>&1 || fail "$(cat "$work/status")"
"$lockstep" submit --server "$alice" --with "$bob" -o json > "$work/one" || fail "$(cat "$work/one")"
party=$("$lockstep" status "$bob" -o json | sed -n 's/.*"uid": *"\([^"]*\)".*/\1/p')
[ -n "$party" ] || fail "bob has no uid"

kill -STOP "$pid_bob"
! "$lockstep" submit --server "$alice" --informee "$party" --wait 20s -o json > "$work/two" 2>&1 || fail "committed: $(cat "$work/two")"
grep -q '"verdict": *"timed-out"' "$work/two" || fail "no time-out: $(cat "$work/two")"
grep -q 'MEDIATOR_SAYS_TX_TIMED_OUT' "$work/two" || fail "not by the mediator: $(cat "$work/two")"
ms=$(sed -n 's/.*"submit_to_verdict_ms": *\([0-9]*\).*/\1/p' "$work/two")
[ "$ms" -ge 1000 ] && [ "$ms" -lt 4000 ] || fail "the verdict came after $ms ms"
kill -CONT "$pid_bob"
"$lockstep" submit --server "$alice" --with "$bob" -o json > "$work/three" || fail "$(cat "$work/three")"
"$lockstep" outcomes --server "$bob" -o json --count 3 > "$work/bob" || fail "$(cat "$work/bob")"
[ "$(grep -o '"verdict": *"[a-z-]*"' "$work/bob" | sed 's/.*"\(.*\)"/\1/' | tr '\n' ' ')" = "committed timed-out committed " ] || fail "bob: $(cat "$work/bob")"
echo "timed out after $ms ms"
