# Accounts on the imitation of Oracle: the script of `lockstep db sql`, run as it is printed; nodes under an
# account that only reads and writes rows; another account that makes the tables; passwords that nobody sees.
. "$srcdir/t/lib.sh"
command -v isql >/dev/null || skip "no isql: apt-get install unixodbc"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
oracle_start
for role in own own_mediator ddl_b lockstep_run; do
    postgres_sql -c "CREATE ROLE $role LOGIN PASSWORD 'pw-$role'; GRANT USAGE ON SCHEMA sys TO $role"
    printf 'pw-%s\n' "$role" > "$work/$role.pw"
done
# Oracle has no right to look into a schema: what counts are the tables.
for role in own own_mediator ddl_b; do
    postgres_sql -c "CREATE SCHEMA $role AUTHORIZATION $role; GRANT USAGE ON SCHEMA $role TO PUBLIC"
done
# as ROLE: runs the statements on its input, one a line as isql takes them, outside of the trace of our programs;
# what it says.
as() {
    FAKEORA_TRACE= isql -k "Driver=$ora_driver;DBQ=//127.0.0.1:$pg_port/lockstep;UID=$1;PWD=pw-$1" -b -v
}
# isql commits each statement by itself: COMMIT is for sqlplus, and no statement that a driver takes.
script() { sed -e '/^--/d' -e '/^$/d' -e '/^COMMIT;$/d' -e 's/;$//' "$1"; }
refused() { # ROLE TEXT
    echo "$2" | as "$1" > "$work/out" 2>&1 || :
    grep -q 'ORA-01031\|ORA-00942' "$work/out" || fail "$1 may: $2: $(cat "$work/out")"
}
storage() { # SCHEMA FURTHER
    echo "{type: oracle, driver: \"$ora_driver\", server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep_run, password-file: lockstep_run.pw, schema: $1${2:-}}"
}
for schema in own own_mediator; do
    "$lockstep" db sql --dialect oracle --schema $schema --runtime-user lockstep_run > "$work/$schema.sql"
    script "$work/$schema.sql" | as $schema > "$work/out" 2>&1 || :
    ! grep -i 'error\|ORA-' "$work/out" || fail "$schema: $(cat "$work/out")"
done
cat > "$work/a.yaml" <<END
migrate-on-start: false
synchronizer:
  a: {storage: $(storage own), public-api: {port: 0}, admin-api: {port: 0}}
END
"$lockstep" db verify -c "$work/a.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
"$lockstep" db status -c "$work/a.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
"$lockstep" db migrate -c "$work/a.yaml" > "$work/out" 2>&1 || fail "nothing to do, and that fails: $(cat "$work/out")"
: > "$work/a.log"
"$lockstepd" -c "$work/a.yaml" > "$work/a.log" 2>&1 &
a=$!
at_exit "kill -9 $a 2>/dev/null"
await "grep -q 'lockstep ready' $work/a.log || ! kill -0 $a"
admin=127.0.0.1:$(sed -n 's|.*sequencer/a.*listening on.*admin-api 127.0.0.1:\([0-9]*\).*|\1|p' "$work/a.log")
"$lockstep" status "$admin" --wait active --timeout 30s > "$work/out" 2>&1 || fail "$(cat "$work/out" "$work/a.log")"

# The tables made by another account, which grants them; the same as the script's.
cat > "$work/b.yaml" <<END
mediators:
  b:
    storage: $(storage ddl_b ", migration-user: ddl_b, migration-password-file: ddl_b.pw")
    admin-api: {port: 0}
    sequencer-connections: ["http://127.0.0.1:1"]
END
"$lockstep" db migrate -c "$work/b.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
"$lockstep" db verify -c "$work/b.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
shape() {
    postgres_sql -c "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = '$1' ORDER BY 1, ordinal_position" \
        -c "SELECT replace(indexdef, ' $1.', ' ') FROM pg_indexes WHERE schemaname = '$1' ORDER BY 1" \
        -c "SELECT version, name, checksum FROM $1.ls_schema_version ORDER BY 1" \
        -c "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE table_schema = '$1' AND grantee = 'lockstep_run' ORDER BY 1, 2"
}
shape own > "$work/shape"
[ "$(wc -l < "$work/shape")" -gt 100 ] || fail "no shape"
shape own_mediator | diff "$work/shape" - || fail "own_mediator"
shape ddl_b | diff "$work/shape" - || fail "ddl_b"
refused lockstep_run 'CREATE TABLE own.x (i NUMBER(10))'
refused lockstep_run 'DROP TABLE own.ls_log'
refused lockstep_run 'DELETE FROM own.ls_schema_version'

# Wrong passwords, in every way of saying them: one line, and not the password.
n=0
for password in 'password: S3cret-wrong' "password: \"S3cret;}{\"" 'password-file: bad.pw' 'options: "PWD=S3cret-options"'; do
    echo S3cret-file > "$work/bad.pw"
    n=$((n + 1))
    printf 'mediators:\n  m:\n    storage: {type: oracle, driver: "%s", server: 127.0.0.1, port: %s, database: lockstep, user: lockstep_run, %s}\n    admin-api: {port: 0}\n    sequencer-connections: ["http://127.0.0.1:1"]\nlogging: {level: trace}\n' \
        "$ora_driver" "$pg_port" "$password" > "$work/w.yaml"
    ! "$lockstep" db verify -c "$work/w.yaml" > "$work/seen.$n" 2>&1 || fail "$password: accepted"
    ! timeout 30 "$lockstepd" -c "$work/w.yaml" > "$work/seen.$n.daemon" 2>&1 || fail "$password: lockstepd started"
    grep -q 'LS-CONFIG' "$work/seen.$n" || fail "$(cat "$work/seen.$n")"
done
# Rotation, without a restart.
postgres_sql -c "ALTER ROLE lockstep_run PASSWORD 'S3cret-new'"
postgres_sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lockstep_run'" > "$work/out"
await "grep -q 'ORA-01017' $work/a.log"
echo S3cret-new > "$work/lockstep_run.pw"
await "\"$lockstep\" status $admin --wait active --timeout 1s > $work/out 2>&1" 30
kill -TERM "$a"
wait "$a" || fail "exit status $? of a stop"
! grep -h 'S3cret\|pw-lockstep_run' "$work"/seen.* "$work/a.log" || fail "a secret is shown"
# TLS is the client's matter there, and that is said.
sed -i 's/user: lockstep_run,/user: lockstep_run, tls: verify-full,/' "$work/w.yaml"
! "$lockstep" config check -c "$work/w.yaml" > "$work/out" 2>&1 || fail "tls with oracle"
grep -q 'storage.tls: is for postgresql; with oracle write DBQ=tcps' "$work/out" || fail "$(cat "$work/out")"
