# One sequencer on SQLite, over gRPC.
. "$srcdir/t/lib.sh"
driver=$(ls /usr/lib/*/odbc/libsqlite3odbc.so /usr/lib/odbc/libsqlite3odbc.so 2>/dev/null | head -n1)
[ -n "$driver" ] || skip "no SQLite driver: apt-get install libsqliteodbc"
export LS_TEST_ENGINE=sqlite LS_TEST_SQLITE_FILE="$work/seq.db"
"$builddir/t/sequencer/test_service"
