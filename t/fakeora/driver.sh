# The imitated Oracle driver does what its README says.
. "$srcdir/t/lib.sh"
oracle_start
ora_user other
postgres_sql -c "CREATE ROLE odd LOGIN PASSWORD '${LS_TEST_ORACLE_ODD:=p;\}\{ %41+x=@\}}'"
export LS_TEST_ORACLE_ODD
if [ -n "${LS_TEST_TOOL:-}" ]; then $LS_TEST_TOOL "$builddir/t/fakeora/test_fakeora"; exit; fi
"$builddir/t/fakeora/test_fakeora"
