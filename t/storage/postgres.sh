# The storage layer on a private PostgreSQL.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/psqlodbcw.so /usr/lib/odbc/psqlodbcw.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no PostgreSQL driver: apt-get install odbc-postgresql"
postgres_start
export LS_TEST_ENGINE=postgresql
printf '[ls-test]\nDriver=%s\nServername=127.0.0.1\nPort=%s\nDatabase=lockstep\nUserName=lockstep\n' \
    "$driver" "$pg_port" > "$work/odbc.ini"
LS_TEST_PG_ODD='p;}{ %41+x=@}' # whatever a generator may come up with
export LS_TEST_PG_ODD
postgres_sql -c "CREATE ROLE odd LOGIN PASSWORD '$LS_TEST_PG_ODD'"
export ODBCINI="$work/odbc.ini"
cells=$builddir/t/storage/cells-postgresql
rm -f "$cells"
LS_TEST_CELLS=$cells timeout 120 "$builddir/t/storage/test_engine"
