# A PostgreSQL that goes away, comes back read-only, ends every session, or stops answering, while a
# sequencer runs on it: sends are refused, not lost and not left waiting, and go on by themselves.
. "$srcdir/t/lib.sh"
postgres_start
export pg_pid="$(as_server head -n1 "$pg_dir/data/postmaster.pid")"
status=0
"${PYTHON3:-python3}" "$srcdir/t/blackbox/bad_postgres_check.py" || status=$?
[ "$status" = 77 ] && skip "no grpcio"
[ "$status" = 0 ] || fail "see above"
