# A driver whose section of odbcinst.ini says Threading = 3 serialises the whole process: one warning says what to
# do, for a driver's name and for a DSN. With the driver's path, or another level, the threads run in parallel.
# Everything lies in a folder of the test; the system's files are not touched.
. "$srcdir/t/lib.sh"
postgres_start
export LS_TEST_ENGINE=postgresql ODBCSYSINI="$work/odbc" ODBCINI="$work/odbc/odbc.ini"
driver=$(ls /usr/lib/*/odbc/psqlodbcw.so /usr/lib/odbc/psqlodbcw.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no PostgreSQL driver: apt-get install odbc-postgresql"
mkdir "$work/odbc"
printf '[slow]\nDriver=%s\nThreading=3\n[quick]\nDriver=%s\nThreading=1\n' "$driver" "$driver" > "$work/odbc/odbcinst.ini"
# share DRIVER: how much of eight threads it gives; what was logged is in $work/log.
share() {
    LS_TEST_DRIVER=$1 "$builddir/t/bench/bench_threads" > "$work/out" 2> "$work/log" || fail "$(cat "$work/log")"
    sed -n 's/.*"value":\([0-9]*\).*/\1/p' "$work/out"
}
slow=$(share slow)
[ "$(grep -c 'WARN.*Threading = 3 in \[slow\] of odbcinst.ini.*LS-CONFIG' "$work/log")" = 1 ] || fail "no warning: $(cat "$work/log")"
quick=$(share "$driver")
[ ! -s "$work/log" ] || fail "the driver's path: $(cat "$work/log")"
named=$(share quick)
[ ! -s "$work/log" ] || fail "Threading=1: $(cat "$work/log")"
echo "of eight threads in parallel: $quick % by the driver's path, $named % with Threading=1, $slow % with Threading=3"
[ "$slow" -lt 30 ] || fail "Threading=3 gave $slow %: the benchmark measures something else"
[ "$quick" -gt $((2 * slow)) ] && [ "$named" -gt $((2 * slow)) ] || fail "not in parallel"

# A DSN that leads to such a driver, and a level for all drivers.
printf '[bank]\nDriver=slow\nServername=127.0.0.1\nPort=%s\nDatabase=lockstep\n' "$pg_port" > "$ODBCINI"
printf 'participants:\n  p:\n    storage: {type: postgresql, dsn: bank, user: lockstep, password: "${env:LS_TEST_PG_PASSWORD}"}\n    api: {port: 5011}\n    synchronizers: {demo: ["http://127.0.0.1:5001"]}\n' > "$work/p.yaml"
"$builddir/lockstep" db status -c "$work/p.yaml" > "$work/out" 2> "$work/log" || :
grep -q 'DSN=bank.*Threading = 3 in \[slow\]' "$work/log" || fail "no warning for the DSN: $(cat "$work/log" "$work/out")"
printf '[ODBC]\nThreading=3\n' > "$work/odbc/odbcinst.ini"
LS_TEST_DRIVER=$driver "$builddir/t/bench/bench_threads" > "$work/out" 2> "$work/log" || fail "$(cat "$work/log")"
grep -q 'Threading = 3 in \[ODBC\]' "$work/log" || fail "no warning for [ODBC]: $(cat "$work/log")"
