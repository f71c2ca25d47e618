# Writes and COMMITs whose answer is lost, on SQLite: the disk fails, or the process is killed.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/libsqlite3odbc.so /usr/lib/odbc/libsqlite3odbc.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no SQLite driver: apt-get install libsqliteodbc"
export work LS_TEST_ENGINE=sqlite LS_TEST_SQLITE_FILE="$work/a.db" PYTHONDONTWRITEBYTECODE=1
"${PYTHON3:-python3}" "$srcdir/t/storage/lease_unknown.py"
