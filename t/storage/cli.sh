# lockstep db: migrate, status, verify and statements, on SQLite and PostgreSQL.
. "$srcdir/t/lib.sh"
lockstep=$builddir/lockstep
postgres_start
cat > "$work/a.yaml" <<YAML
synchronizer:
  demo: {storage: {type: sqlite, file: "$work/demo.db"}, public-api: {port: 5001}, admin-api: {port: 5002}}
mediators:
  med:
    storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: "\${env:LS_TEST_PG_PASSWORD}", schema: med}
    admin-api: {port: 5022}
    sequencer-connections: ["http://127.0.0.1:5001"]
YAML

db() { "$lockstep" db "$@" -c "$work/a.yaml"; }
ends_with() { # CODE COMMAND...
    local want=$1 got=0
    shift
    "$@" > "$work/out" 2> "$work/err" || got=$?
    [ "$got" = "$want" ] || { cat "$work/out" "$work/err" >&2; fail "$* ended with $got, not $want"; }
}

ends_with 1 db status                                        # all pending
grep -q pending "$work/out" || fail "nothing is pending"
ends_with 0 db migrate -o json
grep -q '"node": *"demo/mediator"' "$work/out" || fail "the embedded mediator was not migrated"
ends_with 0 db migrate -o json                               # again: nothing to do
if grep -q '"applied": *[1-9]' "$work/out"; then fail "applied twice"; fi
ends_with 0 db status
ends_with 0 db verify
[ "$(postgres_sql -c "SELECT COUNT(*) FROM med.ls_schema_version WHERE version = 1")" = 1 ] || fail "schema med"

# Starters at once: one runs, the others wait, nobody fails.
postgres_sql -c 'DROP SCHEMA med CASCADE' 2>/dev/null
for i in 1 2 3; do db migrate -n med > "$work/start.$i" 2>&1 & pids="${pids:-} $!"; done
for p in $pids; do wait "$p" || { cat "$work"/start.* >&2; fail "a starter failed"; }; done

# A database that is newer, or was changed, is refused.
postgres_sql -c "UPDATE med.ls_schema_version SET checksum = 'x' WHERE version = 1"
ends_with 1 db status -n med
grep -q changed "$work/out" || fail "the change was not seen"
ends_with 1 db migrate -n med
grep -q LS-SCHEMA "$work/err" || fail "no LS-SCHEMA"
postgres_sql -c "DELETE FROM med.ls_schema_version WHERE version = 1;
    INSERT INTO med.ls_schema_version VALUES (99999, 'future', 'x', 1)"
ends_with 1 db migrate -n med
grep -q 99999 "$work/err" || fail "the newer version was not named"

# A column that lacks is found.
postgres_sql -c 'ALTER TABLE med.ls_lease_beat DROP COLUMN beat'
ends_with 1 db verify -n med
grep -q lease_renew "$work/out" || fail "lease_renew can not be right"

# What is wrong is said in one line, without the password.
LS_TEST_PG_PASSWORD=s3cret-wrong ends_with 78 db status -n med
[ "$(wc -l < "$work/err")" = 1 ] || fail "not one line"
grep -q 'password' "$work/err" || fail "the password is not named"
if grep -q s3cret "$work/err"; then fail "the password is shown"; fi
postgres_stop
ends_with 69 db status -n med
grep -q 'psqlodbc.*PORT=' "$work/err" || fail "driver and server are not named"

"$lockstep" db statements --dialect postgresql > "$work/pg.sql"
grep -q '^-- postgresql lease_take: ' "$work/pg.sql" || fail "lease_take is not listed"
"$lockstep" db statements --dialect sqlite -o json > "$work/sqlite.json"
grep -q 'BEGIN IMMEDIATE' "$work/sqlite.json" || fail "BEGIN IMMEDIATE is not listed"
ends_with 2 "$lockstep" db statements --dialect mysql
