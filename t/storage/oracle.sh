# The storage layer through t/fakeora: the Oracle dialect as it is sent, on an imitation of its driver.
. "$srcdir/t/lib.sh"
oracle_start
ora_user LS_TEST
ora_user NOT_THERE
export LS_TEST_ENGINE=oracle
"$builddir/t/storage/test_engine"
"$builddir/t/storage/test_oracle"
