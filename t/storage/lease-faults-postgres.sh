# Lease and fence on a private PostgreSQL that is hurt, and with processes that are.
. "$srcdir/t/lib.sh"
postgres_start
export work pg_bin pg_dir LS_TEST_ENGINE=postgresql PYTHONDONTWRITEBYTECODE=1 pg_user="$(stat -c %U "$pg_dir")"
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_faults.py" slow & slow=$!
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_faults.py" clock paused starve
wait $slow
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_faults.py" backwards restart readonly standby
