# Two synchronizers in one PostgreSQL, each in schemas of its own: one whose tables a DBA made by the script of
# `lockstep db sql`, one whose tables another account made at start. Nodes run under accounts that may read and
# write rows and nothing else. And the script for SQLite.
. "$srcdir/t/lib.sh"
command -v sqlite3 >/dev/null || skip "no sqlite3: apt-get install sqlite3"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
for role in ddl_a ddl_b ddl_c run_a run_b; do
    postgres_sql -c "CREATE ROLE $role LOGIN PASSWORD 'pw-$role'"
    printf 'pw-%s\n' "$role" > "$work/$role.pw"
done
# What the manual says that the owner needs; the nodes' accounts get what is printed and granted, no more.
postgres_sql -c 'REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT CREATE ON DATABASE lockstep TO ddl_b, ddl_c'
as() { PGPASSWORD=pw-$1 "$pg_bin/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$pg_port" -U "$1" -d lockstep -c "$2"; }
refused() { # ROLE TEXT
    ! as "$1" "$2" > "$work/out" 2>&1 || fail "$1 may: $2"
    grep -q 'permission denied\|must be owner' "$work/out" || fail "$1: $2: $(cat "$work/out")"
}
port() { sed -n "s|.*$2.*listening on.*$3 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
# network NAME ACCOUNT FURTHER-STORAGE MIGRATE: a synchronizer with its mediator and a participant, schemas NAME*.
network() {
    cat > "$work/$1.yaml" <<END
storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: $2, password-file: $2.pw$3}
migrate-on-start: $4
synchronizer:
  $1: {storage: {schema: $1}, public-api: {port: 0}, admin-api: {port: 0}}
END
    cat > "$work/$1-part.yaml" <<END
storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: $2, password-file: $2.pw$3}
migrate-on-start: $4
participants:
  $1-part: {storage: {schema: $1_part}, api: {port: 0}, synchronizers: {s: "http://127.0.0.1:${5:-1}"}}
END
}
run() {
    : > "$work/$1.log"
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_${1//-/_}=$!"
    at_exit "kill -9 $! 2>/dev/null"
    await "grep -q 'lockstep ready' $work/$1.log || ! kill -0 $! 2>/dev/null"
    grep -q 'lockstep ready' "$work/$1.log" || fail "$1: $(cat "$work/$1.log")"
}
start() { # as network: run both
    network "$@"
    run "$1"
    network "$@" "$(port "$1" "sequencer/$1" public-api)"
    run "$1-part"
    eval "api_$1=127.0.0.1:$(port "$1-part" "participant/$1-part" api)"
    "$lockstep" status "$(eval "echo \$api_$1")" --wait connected --timeout 20s > "$work/status" 2>&1 || fail "$1: $(cat "$work/status" "$work/$1.log")"
}
committed() { "$lockstep" submit -o json --server "$(eval "echo \$api_$1")" --payload x > "$work/answer" 2>&1 && grep -q '"verdict": *"committed"' "$work/answer"; }

# a: by hand of a DBA. Before that a node says what to do, and may not do it.
network a run_a '' true
for migrating in true false; do
    status=0
    sed -i "s/^migrate-on-start: .*/migrate-on-start: $migrating/" "$work/a.yaml"
    "$lockstepd" -c "$work/a.yaml" > "$work/out" 2>&1 || status=$?
    [ "$status" != 0 ] && [ "$(grep -c LS- "$work/out")" = 1 ] || fail "no schema, $migrating: $status: $(cat "$work/out")"
done
grep -q 'run `lockstep db migrate`' "$work/out" || fail "$(cat "$work/out")"
for schema in a a_mediator a_part; do
    "$lockstep" db sql --dialect postgresql --schema $schema --owner ddl_a --runtime-user run_a > "$work/$schema.sql"
    postgres_sql -f "$work/$schema.sql" > "$work/out" 2>&1 || fail "$schema: $(cat "$work/out")"
done
start a run_a '' false
committed a || fail "a: $(cat "$work/answer")"
for f in a a-part; do
    "$lockstep" db verify -c "$work/$f.yaml" > "$work/out" 2>&1 || fail "$f: $(cat "$work/out")"
    "$lockstep" db migrate -c "$work/$f.yaml" > "$work/out" 2>&1 || fail "$f: nothing to do, and that fails: $(cat "$work/out")"
done
[ "$(postgres_sql -c "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname LIKE 'a%'")" = ddl_a ] || fail "the owner"
# twice is refused as a whole
! postgres_sql -f "$work/a.sql" > "$work/out" 2>&1 || fail "the script ran twice"

# b: another account makes the tables at start, and grants. c: at the command line.
start b run_b ', migration-user: ddl_b, migration-password-file: ddl_b.pw' true
committed b || fail "b: $(cat "$work/answer")"
cat > "$work/c.yaml" <<END
mediators:
  c:
    storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: run_b, password-file: run_b.pw, schema: c}
    admin-api: {port: 0}
    sequencer-connections: ["http://127.0.0.1:1"]
END
! "$lockstep" db migrate -c "$work/c.yaml" > "$work/out" 2>&1 || fail "run_b made a schema"
"$lockstep" db migrate -c "$work/c.yaml" --user ddl_c --password-file "$work/ddl_c.pw" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
"$lockstep" db verify -c "$work/c.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"

# All three ways end in the same schema, with the same versions and checksums.
shape() {
    postgres_sql -c "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = '$1' ORDER BY 1, ordinal_position" \
        -c "SELECT replace(indexdef, ' $1.', ' ') FROM pg_indexes WHERE schemaname = '$1' ORDER BY 1" \
        -c "SELECT version, name, checksum FROM $1.ls_schema_version ORDER BY 1" \
        -c "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE table_schema = '$1' AND grantee LIKE 'run%' ORDER BY 1, 2"
}
shape a > "$work/shape"
[ "$(wc -l < "$work/shape")" -gt 100 ] || fail "no shape"
for schema in a_mediator b b_mediator b_part c; do
    shape $schema | diff "$work/shape" - > "$work/out" || fail "$schema: $(cat "$work/out")"
done
# The clock of the script and of the program agree.
[ "$(postgres_sql -c "SELECT max(abs(applied_at / 1e6 - extract(epoch FROM now()))) < 600 FROM (SELECT * FROM a.ls_schema_version UNION SELECT * FROM b.ls_schema_version) v")" = t ] || fail "applied_at"

# The account of a node makes nothing, notes no migration, and sees nothing of the other synchronizer.
refused run_a 'CREATE TABLE a.x (i int)'
refused run_a 'CREATE SCHEMA x'
refused run_a 'CREATE TABLE public.x (i int)'
refused run_a 'ALTER TABLE a.ls_log ADD x int'
refused run_a 'DROP TABLE a.ls_log'
refused run_a 'TRUNCATE a.ls_log'
refused run_a 'DELETE FROM a.ls_schema_version'
refused run_a 'SELECT 1 FROM b.ls_log'
refused run_b 'SELECT 1 FROM a.ls_log'
# They are independent: what happens to one is nothing to the other.
postgres_sql -c 'DROP SCHEMA a CASCADE; DROP SCHEMA a_mediator CASCADE; DROP SCHEMA a_part CASCADE'
committed b || fail "b after the end of a: $(cat "$work/answer")"
kill -TERM "$pid_b_part" "$pid_b"
wait "$pid_b_part" && wait "$pid_b" || fail "a stop"
run b # again: nothing to migrate, the grants are there
kill -9 "$pid_a" "$pid_a_part" 2>/dev/null || :

# SQLite: one file a node.
cat > "$work/s.yaml" <<END
migrate-on-start: false
synchronizer:
  s: {storage: {type: sqlite, file: s.db}, migrate-on-start: false, public-api: {port: 0}, admin-api: {port: 0}}
END
for f in s s-mediator; do
    "$lockstep" db sql --dialect sqlite | sqlite3 -bail "$work/$f.db" || fail "sqlite3: $f"
done
"$lockstep" db verify -c "$work/s.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
"$lockstep" db status -c "$work/s.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
run s
"$lockstep" status "127.0.0.1:$(port s sequencer/s admin-api)" --wait active --timeout 20s > "$work/out" 2>&1 || fail "$(cat "$work/out" "$work/s.log")"
! "$lockstep" db sql --dialect sqlite | sqlite3 -bail "$work/s.db" 2> "$work/out" || fail "the script ran twice"

# Wrong names: one line, no script.
wrong() {
    local status=0
    "$lockstep" db sql "$@" > "$work/script" 2> "$work/err" || status=$?
    [ "$status" = 2 ] && [ ! -s "$work/script" ] && [ "$(wc -l < "$work/err")" = 1 ] || fail "$*: $status: $(cat "$work/err")"
}
wrong
wrong --dialect mysql
wrong --dialect sqlite --schema x
wrong --dialect postgresql --schema 'x; DROP'
wrong --dialect oracle --schema '1x'
wrong --dialect oracle --schema X --owner Y
wrong --dialect oracle --schema X --runtime-user 'Y; DROP USER Z'
wrong --dialect postgresql --runtime-user "$(head -c 80 /dev/zero | tr '\0' u)"
wrong --dialect postgresql -o json
"$lockstep" db sql --dialect postgresql --runtime-user 'o"dd' --after 3 > "$work/script"
grep -q 'GRANT SELECT ON ls_schema_version TO "o""dd";' "$work/script" && grep -q 'version 4' "$work/script" &&
    ! grep -q 'version 3\|CREATE TABLE ls_schema_version' "$work/script" || fail "$(cat "$work/script")"
