# ./quickstart --postgres: six processes on one private PostgreSQL; it commits, kills the active mediator
# and one sequencer with kill -9, commits again, and says what the participants noticed.
. "$srcdir/t/lib.sh"
command -v python3 >/dev/null || skip "no python3: apt-get install python3"
export TMPDIR="$work"
for run in $(seq "${LS_TEST_ROUNDS:-1}"); do
    status=0
    bash "$srcdir/quickstart" --build-dir "$builddir" --postgres -o json > "$work/out" 2> "$work/err" || status=$?
    [ "$status" != 77 ] || skip "$(tail -n 1 "$work/err")"
    [ "$status" = 0 ] || fail "run $run: $(cat "$work/err")"
    tail -n 1 "$work/out" | python3 -c '
import json, sys
a = json.load(sys.stdin)
for answer in (a["first"], a):
    assert answer["verdict"] == "committed", a
    assert [p.split("::")[0] for p in sorted(answer["confirmed_by"])] == ["alice", "bob"], a
assert a["first"]["root_hash"] != a["root_hash"], a
assert a["mode"] == "postgres" and sorted(a["outages"]) == ["alice", "bob"], a
' || fail "run $run: $(cat "$work/out" "$work/err")"
    [ -z "$(ls -d "$work"/lockstep-quickstart.* 2>/dev/null)" ] || fail "left: $(ls -d "$work"/lockstep-quickstart.*)"
done
