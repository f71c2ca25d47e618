# The storage suite through t/fakeora: the Oracle dialect as it is sent, on an imitation of its driver.
. "$srcdir/t/lib.sh"
oracle_start
# An account is a schema, and a schema is an account: each rule with a place of its own has one.
for name in LS_TEST NOT_THERE RACE RO POISON FULL DISK LOST DYING AGAIN UNDONE SEQUENCER MEDIATOR \
    PARTICIPANT IDENTITY; do
    case $name in LS_TEST) ora_user LS_TEST ;; *) ora_user "LS_TEST_$name" ;; esac
done
export LS_TEST_ENGINE=oracle
postgres_sql -c "CREATE ROLE odd LOGIN"
printf '[ls-test]\nDriver=%s\nDBQ=//127.0.0.1:%s/lockstep\n' "$ora_driver" "$pg_port" > "$work/odbc.ini"
export ODBCINI="$work/odbc.ini"
cells=$builddir/t/storage/cells-oracle
rm -f "$cells"
LS_TEST_CELLS=$cells timeout 120 "$builddir/t/storage/test_engine"

: > "$ora_faults"
"$builddir/t/storage/test_oracle"
