# More than a thousand topology transactions of every mapping: two sequencers on one PostgreSQL, kill -9
# while they are ordered. The state is the same, byte for byte, at the survivor, at a replica that starts
# again, and after both were killed; and nothing is wrong with it when it is replayed from its bytes.
. "$srcdir/t/lib.sh"
postgres_start
export PG_BIN="$pg_bin"
status=0
"${PYTHON3:-python3}" "$srcdir/t/blackbox/topology_check.py" || status=$?
[ "$status" = 77 ] && skip "no grpcio"
[ "$status" = 0 ] || fail "see above"
