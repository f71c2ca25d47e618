# Sequencers on a private PostgreSQL, over gRPC: one alone, and two replicas on one database.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/psqlodbcw.so /usr/lib/odbc/psqlodbcw.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no PostgreSQL driver: apt-get install odbc-postgresql"
postgres_start
export LS_TEST_ENGINE=postgresql
"$builddir/t/sequencer/test_service"
"$builddir/t/sequencer/test_replicas"

# Again, while somebody breaks every connection about five times a second.
export LS_TEST_BREAKS="$work/breaks"
break_connections() {
    while :; do
        [ ! -e "$LS_TEST_BREAKS" ] ||
            postgres_sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                              WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'" >/dev/null || :
        read -rt 0.2 <> <(:) || :
    done
}
break_connections & breaker=$!
at_exit 'kill $breaker 2>/dev/null || :'
LS_TEST_ONLY=answers_tell_the_truth_while_connections_break "$builddir/t/sequencer/test_replicas"
