#!/bin/bash
# chaos.sh [ENGINE]: faults at random under load; afterwards everything that was said must be true.
#
#   sender a, b, c ---+--- seq1 ---+            alice, bob: participants, driven by lockstep bench
#   alice, bob -------+            +--- PostgreSQL, or "Oracle" (t/fakeora)
#                     +--- seq2 ---+--- med1, med2
#
# Each round one of: kill -9 of a sequencer, of a mediator, of both; SIGSTOP of one for 3 s, longer than
# the expiry; a session's server process stopped; sessions ended; PostgreSQL restarted, or killed. On
# Oracle also: sessions lost at any statement, and answers to commits lost, before and after they were done.
# LS_TEST_ROUNDS: how many rounds; LS_TEST_SEED: repeats a run's choice of faults; LS_TEST_FAULT: only
# these, in turn; LS_TEST_BURST, LS_TEST_RATE: letters a round and sender, transactions a second.
#
# What holds at the end: every member's stream is the same, byte for byte, from each sequencer and as it
# was followed live; what was answered OK is there once, what was refused is not; both replicas decided
# alike; each request has one verdict, the same everywhere; nobody has failed.
. "$srcdir/t/lib.sh"
engine=${1:-postgres}
rounds=${LS_TEST_ROUNDS:-6} burst=${LS_TEST_BURST:-60}
seed=${LS_TEST_SEED:-$RANDOM}
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
sessions=lockstep # their application_name
if [ "$engine" = oracle ]; then
    oracle_start
    sessions=fakeora
    storage() { ora_storage "$1"; }
else
    postgres_start
    export LOCKSTEP_PASSWORD="$pg_password"
    storage() { echo "{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LOCKSTEP_PASSWORD}\", schema: $1}"; }
fi
for p in s1 s2 a1 a2 m1 m2 pa pb; do eval "$p=$(free_port)"; done
urls="\"http://127.0.0.1:$s1\", \"http://127.0.0.1:$s2\""
for n in 1 2; do
    eval "s=\$s$n a=\$a$n m=\$m$n"
    printf 'sequencers:\n  seq:\n    storage: %s\n    public-api: {port: %s}\n    admin-api: {port: %s}\n    migrate-on-start: true\n' \
        "$(storage seq)" "$s" "$a" > "$work/seq$n.yaml"
    printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: %s}\n    migrate-on-start: true\n    sequencer-connections: [%s]\n' \
        "$(storage med)" "$m" "$urls" > "$work/med$n.yaml"
done
for p in alice:$pa bob:$pb; do
    printf 'participants:\n  %s:\n    storage: %s\n    api: {port: %s}\n    migrate-on-start: true\n    synchronizers: {demo: [%s]}\n' \
        "${p%:*}" "$(storage "${p%:*}")" "${p#*:}" "$urls" > "$work/${p%:*}.yaml"
done
run() {
    "$lockstepd" -c "$work/$1.yaml" >> "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
}
kill_all() { for n in seq1 seq2 med1 med2 alice bob; do eval "kill -9 \$pid_$n"; done; kill $a $b $c $bench; }
a= b= c= bench= pid_alice= pid_bob= # a run that fails early has none
at_exit 'kill_all 2>/dev/null'
logs() { for n in seq1 seq2 med1 med2 alice bob; do echo "--- $n"; tail -n "${1:-8}" "$work/$n.log"; done >&2; }
is_active() { "$lockstep" status --wait active,standby,connected --timeout "$@" > "$work/status" 2>&1; }
# What a supervisor does: a node that found no database at its start is started again.
is_back() {
    for n in seq1 seq2 med1 med2 alice bob; do eval "kill -0 \$pid_$n" 2>/dev/null || run $n; done
    is_active 3s $all
}
all="127.0.0.1:$a1 127.0.0.1:$a2 127.0.0.1:$m1 127.0.0.1:$m2 127.0.0.1:$pa 127.0.0.1:$pb"

for n in seq1 seq2 med1 med2; do run $n; done
"$lockstep" status --wait uninitialised --timeout 30s "127.0.0.1:$a1" "127.0.0.1:$m1" > "$work/status" 2>&1 || { logs; fail "start"; }
"$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$a1" --mediator "127.0.0.1:$m1" \
    --sequencer-url "http://127.0.0.1:$s1" --sequencer-url "http://127.0.0.1:$s2" > "$work/bootstrap" 2>&1 || { logs; fail "$(cat "$work/bootstrap")"; }
run alice
run bob
is_active 40s $all || { logs; fail "not ready: $(cat "$work/status")"; }

# --- load ---

say_to() { local to=${1}_in; echo "$2" >&"${!to}"; }
hear() { local from=${1}_out; read -rt 150 answer <&"${!from}" || { logs; fail "sender $1 does not answer: $(tail -3 "$work/$1.log")"; }; }
ask() { say_to "$1" "$2"; hear "$1"; }
for name in a b c; do
    mkfifo "$work/$name.in" "$work/$name.out"
    "$builddir/t/fault/sender" "http://127.0.0.1:$s1,http://127.0.0.1:$s2" "$name" "$work/$name.records" \
        < "$work/$name.in" > "$work/$name.out" 2>> "$work/$name.log" &
    eval "$name=\$!"
    exec {fd_in}> "$work/$name.in" {fd_out}< "$work/$name.out"
    eval "${name}_in=\$fd_in ${name}_out=\$fd_out"
done
for name in a b c; do hear $name; done
for name in a b c; do ask $name who; eval "id_$name=\$answer"; done
# Streams of which some events are shared: a's letters go to all, b's to c and itself.
ask a "to $id_b"
ask a "to $id_c"
ask b "to $id_c"
for name in a b c; do ask $name "follow $work/$name.live"; done
"$lockstep" bench -o json --participants "127.0.0.1:$pa,127.0.0.1:$pb" --rate "${LS_TEST_RATE:-20}" --payload 200 --duration "$((rounds * 5))s" --drain 90s \
    > "$work/bench" 2> "$work/bench.log" &
bench=$!

# --- faults ---

pause() { read -rt "$1" <> <(:) || :; }
any() { eval "echo \${$((1 + RANDOM % $#))}"; }
stop_for() { kill -STOP "$1"; pause "$2"; kill -CONT "$1"; }
# In the background: what comes next hits the others meanwhile.
stop_node() { eval "stop_for \$pid_$1 3" 2>/dev/null & pause 0.2; }
kill_node() { eval "kill -9 \$pid_$1; wait \$pid_$1" 2>/dev/null || :; run "$1"; }
lose_commits() {
    ora_fault "$1 3113 skip=$((RANDOM % 10)) times=2 match=BEGIN UPDATE ls_node"
    ora_fault "$1 3113 skip=$((RANDOM % 4)) times=2 match=BEGIN UPDATE ls_lease"
    ora_fault "$1 3113 skip=$((RANDOM % 10)) times=2 match=COMMIT"
}
faults=(sequencer sequencer stopped_sequencer stopped_sequencer mediator mediators stopped_mediator backend sessions both restart immediate)
[ "$engine" != oracle ] || faults+=(lost lost undone undone unsaid unsaid replay slow)
fault() {
    local n pid
    case $1 in
    sequencer) n=$(any seq1 seq2); kill_node $n ;;
    mediator) n=$(any med1 med2); kill_node $n ;;
    both) kill_node seq1; kill_node seq2 ;;
    mediators) kill_node med1; kill_node med2 ;;
    stopped_sequencer) n=$(any seq1 seq2); stop_node $n ;;
    stopped_mediator) n=$(any med1 med2); stop_node $n ;;
    backend)
        # Any, or one that writes the log, in the middle of it if there is such a moment.
        n=$(any "random()" "query LIKE '%INTO ls_log%' DESC, state = 'active' DESC, random()")
        pid=$(postgres_sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = '$sessions' ORDER BY $n LIMIT 1")
        stop_for "$pid" 3 ;;
    sessions) postgres_sql -c "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '$sessions'" > /dev/null ;;
    # ORA-03113 at any call; or at the fenced block of the log, at that of the verdicts, at any COMMIT:
    # before it is done, or after.
    lost) ora_fault "before 3113 skip=$((RANDOM % 40)) times=4" ;;
    undone) lose_commits before ;;
    unsaid) lose_commits after ;;
    replay) ora_fault "after 25408 skip=$((RANDOM % 20)) times=3" ;;
    slow) ora_fault "delay 150 times=20" ;;
    restart) postgres_stop fast; postgres_start ;;
    immediate) postgres_kill; postgres_start ;;
    esac
    echo "round $round: $1 ${n:-}"
}
echo "seed $seed"
RANDOM=$seed
turn=0
next_fault() { # LS_TEST_FAULT in turn, or any
    local only
    read -ra only <<< "${LS_TEST_FAULT:-}"
    if [ ${#only[@]} = 0 ]; then fault "${faults[RANDOM % ${#faults[@]}]}"; return; fi
    fault "${only[turn % ${#only[@]}]}"
    turn=$((turn + 1))
}
for ((round = 1; round <= rounds; round++)); do
    for name in a b c; do say_to $name "burst $burst"; done
    # In the middle of it; at another place each time.
    pause "0.$((RANDOM % 5))$((RANDOM % 10))"
    next_fault
    # Every other time another one before all is well again.
    if [ -n "${LS_TEST_FAULT:-}" ] || [ $((RANDOM % 2)) = 0 ]; then next_fault; fi
    for name in a b c; do say_to $name 'burst 20'; done
    for name in a b c; do hear $name; hear $name; done
    end=$((SECONDS + 40))
    until is_back; do [ "$SECONDS" -lt "$end" ] || { logs 30; fail "round $round: not back: $(cat "$work/status")"; }; done
done

# --- what must hold ---

status=0
[ "$engine" != oracle ] || await '[ ! -s "$ora_faults" ]' 40 # each fault has come
bad() { echo "BAD: $*" >&2; status=1; }
for name in a b c; do ask $name settle; case $answer in *IN\ TIME*) bad "$name: $answer" ;; esac; done
for name in a b c; do
    ask $name check
    echo "$name: $answer"
    case $answer in PASS*) ;; *) bad "$name: $answer" ;; esac
    for i in 0 1; do
        ask $name "dump $i $work/$name.$i"
        [ "$answer" = dumped ] || bad "$name from sequencer $i: $answer"
    done
    ask $name end
    [ "$answer" = ended ] || bad "$name: $answer"
done
for name in a b c; do
    # What b and c get from a may still come; the streams agree as far as the shorter goes.
    for i in 1 live; do
        lines=$(cat "$work/$name.0" "$work/$name.$i" | wc -l)
        n0=$(wc -l < "$work/$name.0") n1=$(wc -l < "$work/$name.$i")
        [ "$lines" -gt 0 ] || bad "$name: no events"
        least=$((n0 < n1 ? n0 : n1))
        cmp <(head -n $least "$work/$name.0") <(head -n $least "$work/$name.$i") || bad "$name: sequencer 1 and $i differ"
    done
done
wait $bench 2>/dev/null || :
echo "bench: $(tr -d '\n ' < "$work/bench" | sed 's/.*\("submitted":.*"lost":[0-9]*\).*/\1/')"
grep -q '"lost": *0' "$work/bench" || bad "bench: $(cat "$work/bench" "$work/bench.log")"
grep -q '"committed": *[1-9]' "$work/bench" || bad "bench: nothing was committed"
# Both replicas have applied the same log to the same end.
alike="SELECT COUNT(*) = 2 AND MIN(applied_ts) = MAX(applied_ts) AND MIN(encode(digest, 'hex')) = MAX(encode(digest, 'hex')) FROM seq.ls_node WHERE is_online = 1"
await "[ \"\$(postgres_sql -c \"$alike\")\" = t ]" 20
# No row above the promise of its node: who was marked offline wrote nothing afterwards.
above="SELECT COUNT(*) FROM seq.ls_log l JOIN seq.ls_node n ON n.node_index = l.node_index WHERE l.ts > n.watermark"
[ "$(postgres_sql -c "$above")" = 0 ] || bad "rows above the watermark of their node"
# One outcome a request, the same at both participants, and what the mediator has decided.
for p in alice:$pa bob:$pb; do
    n=$(postgres_sql -c "SELECT COUNT(*) FROM ${p%:*}.ls_part_outcome")
    "$lockstep" outcomes -o json --server "127.0.0.1:${p#*:}" --count "$n" > "$work/${p%:*}.outcomes" 2>&1 || bad "outcomes of ${p%:*}: $(tail -3 "$work/${p%:*}.outcomes")"
    [ "$(postgres_sql -c "SELECT COUNT(*) FROM ${p%:*}.ls_part_command WHERE state < 4")" = 0 ] || bad "${p%:*} has commands without an outcome"
done
# One line a request: its id, the verdict, the hash of what was decided about.
decided() {
    sed 's/},{/}\n{/g' "$1" | awk '
        function get(k, s) { if (!match($0, "\"" k "\": *\"?[^\",}]*")) return "?"; s = substr($0, RSTART, RLENGTH); sub(/^.*: *"?/, "", s); return s }
        get("request_id") > 0 { print get("request_id"), get("verdict"), get("root_hash") }' | sort
}
for p in alice bob; do
    decided "$work/$p.outcomes" > "$work/$p.decided"
    [ -s "$work/$p.decided" ] && [ -z "$(cut -d' ' -f1 "$work/$p.decided" | uniq -d)" ] || bad "$p: outcomes of one request: $(cut -d' ' -f1 "$work/$p.decided" | uniq -d)"
done
cmp "$work/alice.decided" "$work/bob.decided" || bad "alice and bob differ"
if grep -hE 'LS-(HISTORY|INTERNAL|FORK)|-> failed|will not be used|decided otherwise|AddressSanitizer|runtime error' "$work"/*.log; then bad "see the lines above"; fi
[ $status = 0 ] || { logs 12; fail "chaos on $engine, seed $seed"; }
echo "PASS: $rounds rounds on $engine, seed $seed"
