# A member that subscribes at one of two sequencers on one PostgreSQL loses its access through the other:
# trust certificate, permission, key, group, logout. Within a second its stream has ended as the protocol
# says and its token is void at both; a token that is void stays so; nobody else notices.
. "$srcdir/t/lib.sh"
postgres_start
export PG_BIN="$pg_bin"
status=0
"${PYTHON3:-python3}" "$srcdir/t/blackbox/revocation_check.py" || status=$?
[ "$status" = 77 ] && skip "no grpcio"
[ "$status" = 0 ] || fail "see above"
