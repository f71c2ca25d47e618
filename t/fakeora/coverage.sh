# Every statement and every migration of the Oracle catalogue was executed, and no other text was even
# sent: read from what the driver wrote down while the tests ran that module.mk names.
. "$srcdir/t/lib.sh"
command -v python3 >/dev/null || skip "no python3: apt-get install python3"
traces=$builddir/t/fakeora/traces
for test in "$@" ${LS_TEST_TRACED:-t/fakeora/server.sh t/fault/chaos-oracle.sh t/storage/accounts-oracle.sh t/storage/oracle.sh}; do
    trace=$traces/$(echo "$test" | tr / -)
    [ -s "$trace" ] || fail "no trace of $test: make check TESTS='$test t/fakeora/coverage.sh'"
    cp "$trace" "$work"
done
"$builddir/lockstep" db statements --dialect oracle -o json > "$work/catalogue.json"
compared() { python3 "$srcdir/t/fakeora/compare.py" "$work/catalogue.json" "$srcdir/t/storage/sql" "$work"/t-*.sh; }
compared || fail "the Oracle catalogue and what was sent differ"

# What is missing, and what is foreign, is named.
missed() { compared > "$work/out" && fail "not noticed: $1"; grep -q "$1" "$work/out" || fail "not named: $1: $(cat "$work/out")"; }
printf 'E\tSELECT 2 FROM ls_log\n' >> "$work/t-fakeora-server.sh"
missed 'foreign .*SELECT 2 FROM ls_log'
for t in "$work"/t-*.sh; do grep -v "INSERT INTO ls_log (ts, node_index, kind, sender_id" "$t" > "$work/less"; mv "$work/less" "$t"; done
missed 'never executed: sequencer_append'
