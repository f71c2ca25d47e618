# Sequencers on a private PostgreSQL, over gRPC: one alone, and two replicas on one database.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/psqlodbcw.so /usr/lib/odbc/psqlodbcw.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no PostgreSQL driver: apt-get install odbc-postgresql"
postgres_start
export LS_TEST_ENGINE=postgresql
"$builddir/t/sequencer/test_service"
"$builddir/t/sequencer/test_replicas"
