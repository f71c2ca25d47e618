# Expand first, contract later: the schema of this source serves the statements of the last release
# (t/storage/previous), on PostgreSQL and SQLite; and a schema that does not is noticed.
# LS_TEST_PREVIOUS=FOLDER: a build of that release; then its lockstepd and ours run on one database in turns.
. "$srcdir/t/lib.sh"
command -v sqlite3 >/dev/null || skip "no sqlite3: apt-get install sqlite3"
postgres_start
cat > "$work/a.yaml" <<END
mediators:
  pg:
    storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: "\${env:LS_TEST_PG_PASSWORD}", schema: s}
    admin-api: {port: 5022}
    sequencer-connections: ["http://127.0.0.1:5001"]
  lite:
    storage: {type: sqlite, file: s.db}
    admin-api: {port: 5023}
    sequencer-connections: ["http://127.0.0.1:5001"]
END
"$builddir/lockstep" db migrate -c "$work/a.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"

# Transactions, DDL and locks have no plan; everything else is prepared.
awk '/^--/ { name = $2; next }
    /^(BEGIN|COMMIT|ROLLBACK|LOCK|CREATE) ?/ { next }
    { n = 0; while (sub(/\?/, "$" ++n)); print "PREPARE p" NR " AS " $0 " -- " name }' "$srcdir/t/storage/previous/postgresql.sql" > "$work/pg.sql"
awk '/^--/ { name = $2; next }
    /^(BEGIN|COMMIT|ROLLBACK|CREATE) ?/ { next }
    { print "EXPLAIN " $0 " -- " name }' "$srcdir/t/storage/previous/sqlite.sql" > "$work/lite.sql"
on_postgres() { { echo 'SET search_path TO s;'; cat "$work/pg.sql"; } > "$work/run.sql"; postgres_sql -f "$work/run.sql" > "$work/out" 2>&1; }
on_sqlite() { sqlite3 -bail "$work/s.db" < "$work/lite.sql" > "$work/out" 2>&1; }
[ "$(wc -l < "$work/pg.sql")" -gt 60 ] && [ "$(wc -l < "$work/lite.sql")" -gt 60 ] || fail "where are the statements?"
on_postgres || fail "the last release can not run on this schema of PostgreSQL: $(cat "$work/out")"
on_sqlite || fail "the last release can not run on this schema of SQLite: $(cat "$work/out")"
# An expansion harms nobody, a contraction that came too early is seen.
postgres_sql -c 'ALTER TABLE s.ls_member ADD COLUMN more bigint; CREATE TABLE s.ls_more (i bigint)'
sqlite3 "$work/s.db" 'ALTER TABLE ls_member ADD COLUMN more INTEGER'
{ on_postgres && on_sqlite; } || fail "an expansion: $(cat "$work/out")"
postgres_sql -c 'ALTER TABLE s.ls_member DROP COLUMN is_enabled'
sqlite3 "$work/s.db" 'ALTER TABLE ls_ack DROP COLUMN acked_ts'
! on_postgres || fail "a column that lacks is not noticed on PostgreSQL"
grep -q is_enabled "$work/out" || fail "$(cat "$work/out")"
! on_sqlite || fail "a column that lacks is not noticed on SQLite"

# The build refuses an expansion that is none, and a name that says nothing.
embed() { /bin/sh "$srcdir/storage/embed.sh" "${AWK:-awk}" "$work" "$work/out.c" sql/postgres/"$1" > "$work/out" 2>&1; }
mkdir -p "$work/storage" "$work/sql/postgres"
cp "$srcdir/storage/embed.awk" "$work/storage"
tried() { # NAME TEXT
    printf '%s\n' "$2" > "$work/sql/postgres/$1"
    embed "$1"
}
tried 0005-expand-x.sql 'ALTER TABLE t ADD COLUMN IF NOT EXISTS c BIGINT;' || fail "$(cat "$work/out")"
tried 0005-expand-x.sql "ALTER TABLE t ADD c BIGINT DEFAULT 0 NOT NULL;" || fail "$(cat "$work/out")"
tried 0005-contract-0004-x.sql 'ALTER TABLE t DROP COLUMN c;' || fail "$(cat "$work/out")"
! tried 0005-x.sql 'CREATE TABLE t (i BIGINT);' || fail "a name that says nothing"
! tried 0005-contract-x.sql 'ALTER TABLE t DROP COLUMN c;' || fail "a contraction that does not say for whom"
for text in 'ALTER TABLE t DROP COLUMN c;' 'ALTER TABLE t ADD c BIGINT NOT NULL;' 'DROP TABLE t;' 'ALTER TABLE t RENAME TO u;' \
    'CREATE UNIQUE INDEX i ON t (c);' 'ALTER TABLE t ADD c BIGINT UNIQUE;' 'UPDATE t SET c = 1;' 'ALTER TABLE t ADD CONSTRAINT k CHECK (c > 0);'; do
    ! tried 0005-expand-x.sql "$text" || fail "no expansion: $text"
done

[ -n "${LS_TEST_PREVIOUS:-}" ] || exit 0
# run BUILD FILE: its lockstepd; sets pid. The first one made the database: ours, then the last release's.
run() {
    : > "$work/$2.log"
    # The last release knows no keys.plaintext, and reads no keys that are encrypted.
    { [ "$1" != "$builddir" ] || echo 'keys: {plaintext: true}'; cat "$work/$2.yaml"; } > "$work/$2.run.yaml"
    "$1/lockstepd" -c "$work/$2.run.yaml" > "$work/$2.log" 2>&1 &
    pid=$!
    at_exit "kill -9 $pid 2>/dev/null"
    await "grep -q 'lockstep ready' $work/$2.log || ! kill -0 $pid 2>/dev/null"
    grep -q 'lockstep ready' "$work/$2.log" || fail "$1: $(cat "$work/$2.log")"
}
port() { sed -n "s|.*$2.*listening on.*$3 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
public=$(free_port)
cat > "$work/demo.yaml" <<END
storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: "\${env:LS_TEST_PG_PASSWORD}"}
migrate-on-start: false
synchronizer:
  demo: {storage: {schema: demo}, public-api: {port: $public}, admin-api: {port: 0}}
END
cat > "$work/part.yaml" <<END
storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: "\${env:LS_TEST_PG_PASSWORD}"}
migrate-on-start: false
participants:
  alice: {storage: {schema: alice}, api: {port: 0}, synchronizers: {demo: "http://127.0.0.1:$public"}}
END
for f in demo part; do "$builddir/lockstep" db migrate -c "$work/$f.yaml" > "$work/out" 2>&1 || fail "$(cat "$work/out")"; done
# What the next release might add.
postgres_sql -c "ALTER TABLE demo.ls_member ADD COLUMN more bigint"
for turn in "$LS_TEST_PREVIOUS $builddir" "$builddir $LS_TEST_PREVIOUS" "$LS_TEST_PREVIOUS $LS_TEST_PREVIOUS" "$builddir $builddir"; do
    run "${turn% *}" demo
    demo=$pid
    run "${turn#* }" part
    part=$pid
    api=127.0.0.1:$(port part participant/alice api)
    "$builddir/lockstep" status "$api" --wait connected --timeout 20s > "$work/out" 2>&1 || fail "$turn: $(cat "$work/out" "$work"/*.log)"
    "$builddir/lockstep" submit -o json --server "$api" --payload x > "$work/out" 2>&1 && grep -q '"verdict": *"committed"' "$work/out" ||
        fail "$turn: $(cat "$work/out")"
    kill -TERM "$part" "$demo"
    wait "$part" && wait "$demo" || fail "$turn: a stop"
done
echo "the last release and this one in turns: 4 of 4"
