# lockstep db doctor: what is fit is told so, and each thing that is not is found: on SQLite, on PostgreSQL,
# through pgbouncer, with an account that lacks something, on a server that loses commits or is read-only.
. "$srcdir/t/lib.sh"
command -v pgbouncer >/dev/null || PATH=$PATH:/usr/sbin
command -v pgbouncer >/dev/null || skip "no pgbouncer: apt-get install pgbouncer"
lockstep=$builddir/lockstep
pg_options='-c deadlock_timeout=100ms'
postgres_start

# config PORT DATABASE USER: $work/a.yaml, a mediator on PostgreSQL.
config() {
    cat > "$work/a.yaml" <<YAML
mediators:
  med:
    storage: {type: postgresql, server: 127.0.0.1, port: $1, database: $2, user: $3, password: "\${env:LS_TEST_PG_PASSWORD}", schema: med}
    admin-api: {port: 5022}
    sequencer-connections: ["http://127.0.0.1:5001"]
YAML
}
. "$srcdir/t/storage/doctor-lib.sh"

# ---- SQLite ----
cat > "$work/a.yaml" <<YAML
synchronizer:
  demo: {storage: {type: sqlite, file: "$work/demo.db"}, public-api: {port: 5001}, admin-api: {port: 5002}}
YAML
doctor 1
found schema fail 'db migrate'
not_tried fence
"$lockstep" db migrate -c "$work/a.yaml" > /dev/null
doctor 0
for check in connection schema privileges clock isolation row-lock fence values arrays errors clean-up; do found $check ok; done
found durability ok 'synchronous FULL: RPO 0'
[ "$(grep -o '"check":"fence"' "$work/out.json" | wc -l)" = 2 ] || fail "the embedded mediator's database was not looked at"
not_tried pooler
chmod 644 "$work/demo.db"
sed -i 's/demo.db"/&, options: "SyncPragma=OFF"/' "$work/a.yaml"
doctor 0
grep -q 'others may read' "$work/out.json" || fail "the file's mode"
found durability ok FULL # an option cannot weaken it
[ "$(sqlite3 "$work/demo.db" 'SELECT (SELECT COUNT(*) FROM ls_doctor) + (SELECT COUNT(*) FROM ls_lease)')" = 0 ] || fail "rows were left"

# ---- PostgreSQL: an account for the schema, one that serves ----
config "$pg_port" lockstep lockstep
"$lockstep" db migrate -c "$work/a.yaml" > /dev/null
postgres_sql -c 'ALTER ROLE lockstep SET synchronous_commit = off'
doctor 0
found privileges warn superuser
found durability warn 'synchronous_commit is off by default: RPO 0 for sessions of Lockstep'
found durability warn 'RPO 0 when the server crashes'
postgres_sql -c 'ALTER ROLE lockstep RESET synchronous_commit'
nothing_left
postgres_sql -c "CREATE ROLE app LOGIN PASSWORD '$pg_password'; GRANT USAGE ON SCHEMA med TO app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA med TO app; REVOKE INSERT, UPDATE, DELETE ON med.ls_schema_version FROM app"
config "$pg_port" lockstep app
# Two at once do not disturb each other; one is read by a person.
"$lockstep" db doctor -c "$work/a.yaml" > "$work/out.txt" & second=$!
doctor 0
for check in connection pooler schema privileges clock isolation row-lock deadlock fence values arrays errors clean-up; do found $check ok; done
found pooler ok 'nothing between'
documented
grep -q '"p99_us":' "$work/out.json" || fail "no latency as a number"
grep -q '"ls_log":' "$work/out.json" || fail "no size of ls_log"
wait $second || { cat "$work/out.txt" >&2; fail "the second of two"; }
grep -q '^  ok *fence *take-over in ' "$work/out.txt" || fail "no table"
grep -q '^ *change: for RPO 0 set ' "$work/out.txt" || fail "no advice"
[ "$(grep -v DRIVER= "$work/out.txt" | wc -L)" -le 79 ] || fail "long lines"
nothing_left

postgres_sql -c 'REVOKE UPDATE ON med.ls_lease FROM app'
doctor 1
found privileges fail 'lacks UPDATE on ls_lease'
not_tried fence
postgres_sql -c 'GRANT UPDATE ON med.ls_lease TO app'
# A statement that would not run is named.
postgres_sql -c 'ALTER TABLE med.ls_lease_beat RENAME beat TO beet'
doctor 1
found schema fail lease_
postgres_sql -c 'ALTER TABLE med.ls_lease_beat RENAME beet TO beat'

# ---- through pgbouncer, as an ordinary user ----
bouncer_port=$(free_port)
bouncer=$work/bouncer
mkdir "$bouncer"
cat > "$bouncer/ini" <<INI
[databases]
by_session = host=127.0.0.1 port=$pg_port dbname=lockstep pool_mode=session
by_transaction = host=127.0.0.1 port=$pg_port dbname=lockstep pool_mode=transaction
by_statement = host=127.0.0.1 port=$pg_port dbname=lockstep pool_mode=statement
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $bouncer_port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $bouncer/users
pidfile = $bouncer/pid
logfile = $bouncer/log
INI
printf '"app" "%s"\n' "$pg_password" > "$bouncer/users"
if [ "$(id -u)" = 0 ]; then chown -R "$(stat -c %U "$pg_dir")" "$bouncer"; fi
as_server pgbouncer "$bouncer/ini" > "$bouncer.out" 2>&1 &
at_exit 'kill "$(cat "$bouncer/pid" 2>/dev/null)" 2>/dev/null; wait'
await 'port_in_use "$bouncer_port"'
config "$bouncer_port" by_session app
doctor 0
found pooler ok 'session mode'
found fence ok
config "$bouncer_port" by_transaction app
doctor 1
found pooler fail 'pool_mode = session'
not_tried fence
config "$bouncer_port" by_statement app
doctor 1
found pooler fail 'pool_mode = session'
nothing_left

# ---- servers that are not fit ----
config "$pg_port" lockstep app
LS_TEST_PG_PASSWORD=s3cret-wrong doctor 1
found connection fail password
if grep -q s3cret "$work/out.json" "$work/err"; then fail "the password is shown"; fi
postgres_sql -c 'ALTER ROLE app SET default_transaction_read_only = on'
doctor 1
found connection fail LS-READ-ONLY
postgres_sql -c 'ALTER ROLE app RESET default_transaction_read_only'
postgres_stop
doctor 1
found connection fail LS-UNAVAILABLE
pg_options='-c fsync=off -c full_page_writes=off -c synchronous_standby_names=nobody -c synchronous_commit=local'
postgres_start
doctor 1
found durability fail 'RPO unbounded'
found durability fail 'full_page_writes is off'
found durability fail 'commits wait for no standby'
found fence ok

# ---- usage ----
got=0; "$lockstep" db doctor --frobnicate 2> /dev/null || got=$?
[ $got = 2 ] || fail "usage ended with $got"
