# The mediator's rows on a private PostgreSQL.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/psqlodbcw.so /usr/lib/odbc/psqlodbcw.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no PostgreSQL driver: apt-get install odbc-postgresql"
postgres_start
export LS_TEST_ENGINE=postgresql
"$builddir/t/mediator/test_rows"
