# The storage layer on SQLite.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/libsqlite3odbc.so /usr/lib/odbc/libsqlite3odbc.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no SQLite driver: apt-get install libsqliteodbc"
export LS_TEST_ENGINE=sqlite LS_TEST_SQLITE_FILE="$work/a.db"
printf '[ls-test]\nDriver=%s\nDatabase=%s\n' "$driver" "$work/dsn.db" > "$work/odbc.ini"
export ODBCINI="$work/odbc.ini"
cells=$builddir/t/storage/cells-sqlite
rm -f "$cells"
LS_TEST_CELLS=$cells timeout 120 "$builddir/t/storage/test_engine"

# Two processes on one file: SQLite's own locks make it safe. What was answered OK is there, once.
export LS_TEST_SQLITE_FILE="$work/shared.db"
echo | "$builddir/t/storage/fault_client" > /dev/null
seq 1 150 | sed 's/^/txn /' | "$builddir/t/storage/fault_client" > "$work/one" & one=$!
seq 1001 1150 | sed 's/^/txn /' | "$builddir/t/storage/fault_client" > "$work/two" & two=$!
wait $one; wait $two
ok=$(cat "$work/one" "$work/two" | grep -c '^OK')
[ "$ok" -ge 200 ] || { grep -hv '^OK' "$work/one" "$work/two" | sort | uniq -c; fail "only $ok of 300 were stored"; }
[ "$(echo values | "$builddir/t/storage/fault_client" | sed -n 's/^OK //p')" = "$ok" ] || fail "answered and stored differ"
