# Lease and fence through the Oracle dialect, on the imitation of its driver (t/fakeora).
. "$srcdir/t/lib.sh"
oracle_start
ora_user LS_TEST
export work pg_bin pg_dir LS_TEST_ENGINE=oracle PYTHONDONTWRITEBYTECODE=1 pg_user="$(stat -c %U "$pg_dir")"
"$builddir/t/storage/lease_peer" first 1000 250 < /dev/null | grep -q READY || fail "it does not migrate"
postgres_sql -f "$srcdir/t/storage/lease-journal.sql" > /dev/null
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_faults.py" slow & slow=$!
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_stop.py" race stop
wait $slow
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_unknown.py" killed & killed=$!
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_faults.py" clock paused starve
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_unknown.py" orders
wait $killed
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_faults.py" backwards restart readonly
