# Lease and fence on a private PostgreSQL.
. "$srcdir/t/lib.sh"
postgres_start
export work pg_bin LS_TEST_ENGINE=postgresql PYTHONDONTWRITEBYTECODE=1
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_stop.py" race stop
