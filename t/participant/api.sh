# The participants' API on SQLite, then again after kill -9 of everything: no outcome is lost or twice.
. "$srcdir/t/lib.sh"

public=$(free_port) admin=$(free_port)
LS_TEST_ALICE=$(free_port) LS_TEST_BOB=$(free_port) LS_TEST_CAROL=$(free_port)
export LS_TEST_ALICE LS_TEST_BOB LS_TEST_CAROL
cat > "$work/lockstepd.yaml" <<END
synchronizer:
  demo:
    storage: {type: sqlite, file: "$work/demo.db"}
    public-api: {port: $public}
    admin-api: {port: $admin}
participants:
  alice:
    storage: {type: sqlite, file: "$work/alice.db"}
    api: {port: $LS_TEST_ALICE}
    synchronizers: {demo: ["http://127.0.0.1:$public"]}
  bob:
    storage: {type: sqlite, file: "$work/bob.db"}
    api: {port: $LS_TEST_BOB}
    confirm: manual
    synchronizers: {demo: ["http://127.0.0.1:$public"]}
  carol:
    storage: {type: sqlite, file: "$work/carol.db"}
    api: {port: $LS_TEST_CAROL}
    confirm: reject
    synchronizers: {demo: ["http://127.0.0.1:$public"]}
END
daemon_start() {
    : > "$work/lockstepd.log"
    "$builddir/lockstepd" -c "$work/lockstepd.yaml" >> "$work/lockstepd.log" 2>&1 &
    daemon=$!
    await 'grep -q "ready," "$work/lockstepd.log" || ! kill -0 $daemon' 30
    kill -0 "$daemon" || { cat "$work/lockstepd.log"; fail "lockstepd ended"; }
}
at_exit 'kill -9 $daemon 2>/dev/null'
# outcomes PORT: offset, request and verdict of each, a line each.
outcomes() {
    "$builddir/lockstep" outcomes -a "127.0.0.1:$1" -n 1000 -t 3s -o json |
        sed 's/},{/}\n{/g' | grep -o '"verdict":"[^"]*"\|"request_id":[0-9]*\|"offset":[0-9]*\|"command_id":"[^"]*"' |
        paste -sd ' ' | sed 's/ "verdict"/\n"verdict"/g'
}

daemon_start
"$builddir/t/participant/test_api" || { tail -30 "$work/lockstepd.log"; fail "the API"; }

# A client that submits all the time, each command until it is answered, while everything is killed.
(
    for n in $(seq 60); do
        until "$builddir/lockstep" submit -a "127.0.0.1:$LS_TEST_ALICE" -I "kill-$n" -p "kill $n" \
            >/dev/null 2>&1; do read -rt 0.05 <> <(:) || :; done
        echo "$n" >> "$work/answered"
    done
) &
submitter=$!
at_exit 'kill $submitter 2>/dev/null'
for round in 1 2 3; do
    before=$(cat "$work/answered" 2>/dev/null | wc -l)
    await "[ \$(cat $work/answered 2>/dev/null | wc -l) -ge $((before + 10)) ]" 60
    kill -9 "$daemon"
    wait "$daemon" 2>/dev/null || :
    daemon_start
done
wait "$submitter" || fail "the submitter"
outcomes "$LS_TEST_ALICE" > "$work/alice.outcomes"
for n in $(seq 60); do
    times=$(grep -c "\"command_id\":\"kill-$n\"" "$work/alice.outcomes" || :)
    [ "$times" = 1 ] || fail "command kill-$n has $times outcomes"
    grep -q "committed.*\"command_id\":\"kill-$n\"" "$work/alice.outcomes" || fail "kill-$n is not committed"
done
grep -o '"offset":[0-9]*' "$work/alice.outcomes" | cut -d: -f2 > "$work/offsets"
seq "$(wc -l < "$work/offsets")" | cmp - "$work/offsets" || fail "offsets have a gap or a repeat"
"$builddir/t/participant/test_api" || { tail -30 "$work/lockstepd.log"; fail "the API, after the kills"; }
echo "PASS"
