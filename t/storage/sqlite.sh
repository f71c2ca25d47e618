# The storage layer on SQLite.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/libsqlite3odbc.so /usr/lib/odbc/libsqlite3odbc.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no SQLite driver: apt-get install libsqliteodbc"
export LS_TEST_ENGINE=sqlite LS_TEST_SQLITE_FILE="$work/a.db" LS_TEST_SQLITE_FILE2="$work/b.db"
export LS_TEST_SQLITE_FILE3="$work/c.db" LS_TEST_SQLITE_FILE4="$work/d.db"
printf '[ls-test]\nDriver=%s\nDatabase=%s\n' "$driver" "$work/dsn.db" > "$work/odbc.ini"
export ODBCINI="$work/odbc.ini"
"$builddir/t/storage/test_engine"

# A file that may not be written: root writes everywhere, so this one runs as somebody else.
mkdir "$work/ro" "$work/other"
cp "$work/a.db" "$work/ro/ro.db"
chmod 444 "$work/ro/ro.db"
chmod 555 "$work/ro"
chmod 777 "$work/other"
if as_server test -x "$builddir/t/storage/test_engine"; then
    export LS_TEST_SQLITE_READ_ONLY="$work/ro/ro.db" LS_TEST_SQLITE_FILE="$work/other/a.db"
    LS_TEST_ONLY=a_read_only_file_is_named as_server "$builddir/t/storage/test_engine" | tee "$work/ro.log"
    grep -q 'OK.*a_read_only_file_is_named' "$work/ro.log" || fail "the read-only file was not tried"
fi

# Two processes on one file: SQLite's own locks make it safe. What was answered OK is there, once.
export LS_TEST_SQLITE_FILE="$work/shared.db"
echo | "$builddir/t/storage/fault_client" > /dev/null
seq 1 150 | sed 's/^/txn /' | "$builddir/t/storage/fault_client" > "$work/one" & one=$!
seq 1001 1150 | sed 's/^/txn /' | "$builddir/t/storage/fault_client" > "$work/two" & two=$!
wait $one; wait $two
ok=$(cat "$work/one" "$work/two" | grep -c '^OK')
[ "$ok" -ge 200 ] || { grep -hv '^OK' "$work/one" "$work/two" | sort | uniq -c; fail "only $ok of 300 were stored"; }
[ "$(echo values | "$builddir/t/storage/fault_client" | sed -n 's/^OK //p')" = "$ok" ] || fail "answered and stored differ"
