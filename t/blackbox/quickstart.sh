# ./quickstart, twice in a row, and its last line for programs; --keep and its stop; what it says when a
# package is missing, a port is taken or an argument is unknown.
. "$srcdir/t/lib.sh"
command -v python3 >/dev/null || skip "no python3: apt-get install python3"
export TMPDIR="$work"
quickstart() { bash "$srcdir/quickstart" --build-dir "$builddir" "$@" > "$work/out" 2> "$work/err"; }
# committed MODE: the last line is JSON, and says that both participants confirmed.
committed() {
    tail -n 1 "$work/out" | python3 -c '
import json, sys
a = json.load(sys.stdin)
assert a["verdict"] == "committed", a
assert [p.split("::")[0] for p in sorted(a["confirmed_by"])] == ["alice", "bob"], a
assert 0 < a["submit_to_sequenced_ms"] <= a["submit_to_verdict_ms"] < 30000, a
assert a["mode"] == sys.argv[1], a
' "$1" || fail "$(cat "$work/out" "$work/err")"
}
nothing_left() { [ -z "$(ls -d "$work"/lockstep-quickstart.* 2>/dev/null)" ] || fail "left: $(ls -d "$work"/lockstep-quickstart.*)"; }

for run in 1 2; do
    quickstart --free-ports -o json || fail "run $run: $(cat "$work/err")"
    committed sqlite
    nothing_left
done
quickstart --free-ports || fail "as text: $(cat "$work/err")"
for word in 'ready  ' 'request  ' 'confirmed   alice and bob' 'verdict     committed' 'timings  ' 'Try next'; do
    grep -q "^ *$word" "$work/out" || fail "no '$word' in: $(cat "$work/out")"
done

# --keep leaves it running until its stop is run.
quickstart --free-ports --keep || fail "--keep: $(cat "$work/err")"
stop=$(sed -n 's/.*To stop it: //p' "$work/out")
kept=$(ls -d "$work"/lockstep-quickstart.*)
pid=$(sed -n 's/^kill \([0-9]*\)$/\1/p' "$kept/stop")
kill -0 "$pid" || fail "--keep: lockstepd does not run"
$stop || fail "$stop"
await "! kill -0 $pid 2>/dev/null"
nothing_left

# refused STATUS ARGUMENT...
refused() {
    local want=$1 got=0
    shift
    quickstart "$@" || got=$?
    [ "$got" = "$want" ] || fail "$*: exit status $got, not $want: $(cat "$work/err")"
    nothing_left
}
refused 2 --nonsense
grep -q 'unknown argument --nonsense; see .*--help' "$work/err" || fail "$(cat "$work/err")"
refused 1 -o xml
grep -q 'json or text' "$work/err" || fail "$(cat "$work/err")"

# A port that is taken is named, before anything is started.
cat > "$work/listen.py" <<'END'
import os, signal, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    s.bind(("127.0.0.1", 5011))
    s.listen()
except OSError:
    pass  # taken by somebody else: as good
os.mkdir(sys.argv[1])
signal.pause()
END
python3 "$work/listen.py" "$work/listening" &
listener=$!
at_exit "kill $listener 2>/dev/null"
await '[ -e "$work/listening" ]'
refused 1
grep -q 'port 50[01][12] is in use: .*--free-ports' "$work/err" || fail "$(cat "$work/err")"

# Without the packages and without root: the line to run, with all of them. Two programs of this test
# stand in front of the system's, in a folder of its own.
mkdir "$work/fake"
printf '#!/bin/sh\nexit 1\n' > "$work/fake/dpkg-query"
printf '#!/bin/sh\necho 1000\n' > "$work/fake/id"
chmod +x "$work/fake/id" "$work/fake/dpkg-query"
for mode in '' --postgres; do
    status=0
    PATH="$work/fake:$PATH" bash "$srcdir/quickstart" $mode > "$work/out" 2> "$work/err" || status=$?
    [ "$status" = 1 ] || fail "no packages: exit status $status: $(cat "$work/err")"
    wanted=$(for word in build ${mode:+postgres}; do sed -n "s/^$word //p" "$srcdir/.ci/packages"; done | xargs)
    grep -qxF "sudo apt-get install -y --no-install-recommends $wanted" "$work/err" || fail "$(cat "$work/err")"
done

# ./check says the same things.
status=0
PATH="$work/fake:$PATH" bash "$srcdir/check" > "$work/out" 2> "$work/err" || status=$?
[ "$status" = 1 ] || fail "check without packages: exit status $status: $(cat "$work/err")"
wanted=$(sed -n 's/^\(build\|postgres\|test\) //p' "$srcdir/.ci/packages" | xargs)
grep -qxF "sudo apt-get install -y --no-install-recommends $wanted" "$work/err" || fail "$(cat "$work/err")"
status=0
bash "$srcdir/check" nonsense > "$work/out" 2> "$work/err" || status=$?
[ "$status" = 2 ] && grep -q "no part 'nonsense': plain clang" "$work/err" || fail "check nonsense: $status: $(cat "$work/err")"
