# Writes and COMMITs whose answer is lost, on a private PostgreSQL.
. "$srcdir/t/lib.sh"
postgres_start
export work pg_bin LS_TEST_ENGINE=postgresql PYTHONDONTWRITEBYTECODE=1
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_unknown.py" killed & killed=$!
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_unknown.py" cut
wait $killed
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_unknown.py" backend
