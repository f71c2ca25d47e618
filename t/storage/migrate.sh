# Migrations: kill -9 before each statement of them, then a second run finishes and nothing differs from a
# run that nobody hurt; a stopped runner; newer schemas, refused or served. On SQLite, PostgreSQL and the
# imitation of Oracle, where DDL commits.  LS_TEST_ENGINES: which; LS_TEST_STEP: every n-th statement only.
. "$srcdir/t/lib.sh"
lockstep=$builddir/lockstep
kill_at=$(realpath "$builddir/t/storage/.libs/kill_at.so")
[ -e "$kill_at" ] || fail "no $kill_at: make check TESTS="
command -v sqlite3 >/dev/null || skip "no sqlite3: apt-get install sqlite3"


# file NAME: the configuration of a node on $engine, in a schema or file of that name.
file() {
    local storage
    case $engine in
    sqlite) storage="{type: sqlite, file: $1.db}" ;;
    postgresql) storage="{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LS_TEST_PG_PASSWORD}\", schema: $1}" ;;
    oracle) storage=$(ora_storage "$1") ;;
    esac
    printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: 5022}\n    sequencer-connections: ["http://127.0.0.1:5001"]\n' \
        "$storage" > "$work/$1.yaml"
}
migrate() { # NAME [ENVIRONMENT...]
    local name=$1
    shift
    env "$@" "$lockstep" db migrate -c "$work/$name.yaml" > "$work/$name.out" 2>&1
}
verified() { # NAME
    "$lockstep" db verify -c "$work/$1.yaml" > "$work/out" 2>&1 || fail "$engine: $1: $(cat "$work/out")"
    "$lockstep" db status -c "$work/$1.yaml" > "$work/out" 2>&1 || fail "$engine: $1: $(cat "$work/out")"
}
# shape NAME: tables, columns, indexes and versions, as text.
shape() {
    if [ $engine = sqlite ]; then
        sqlite3 "$work/$1.db" "SELECT type, name, sql FROM sqlite_master ORDER BY 2; SELECT version, name, checksum FROM ls_schema_version ORDER BY 1"
        return
    fi
    postgres_sql -c "SET search_path TO \"$1\"" -c "SELECT table_name, column_name, data_type, is_nullable, character_maximum_length
          FROM information_schema.columns WHERE table_schema = '$1' ORDER BY 1, ordinal_position" \
        -c "SELECT tablename, replace(indexdef, '$1.', '') FROM pg_indexes WHERE schemaname = '$1' ORDER BY indexname" \
        -c "SELECT version, name, checksum FROM ls_schema_version ORDER BY 1"
}

# One that is killed before its n-th statement, and the one that comes after it; they run side by side with
# those of other n. Says how it ended: killed, or whole (there was no n-th).
killed_at() { # N
    local name=k$1 status=0
    file "$name"
    migrate "$name" LD_PRELOAD="$kill_at" LS_KILL_AT="$1" 2>/dev/null || status=$?
    [ "$status" != 0 ] || { echo whole > "$work/$name.how"; return; }
    [ "$status" = 137 ] || { cat "$work/$name.out" >&2; fail "$engine: statement $1: ended with $status, not by the signal"; }
    migrate "$name" || { cat "$work/$name.out" >&2; fail "$engine: after a kill before statement $1: the second run fails"; }
    echo killed > "$work/$name.how"
}
killed_everywhere() {
    local n=1 batch pids p kills=0
    file whole
    migrate whole || fail "$engine: $(cat "$work/whole.out")"
    verified whole
    shape whole > "$work/shape"
    while :; do
        pids=
        for ((batch = 0; batch < side; batch++, n += step)); do killed_at "$n" & pids="$pids $!"; done
        for p in $pids; do wait "$p" || fail "$engine: see above"; done
        [ "$(cat "$work/k$((n - step)).how")" = killed ] || break
    done
    for ((p = 1; p < n; p += step)); do
        shape "k$p" > "$work/shape.k"
        cmp -s "$work/shape" "$work/shape.k" || fail "$engine: after a kill before statement $p: $(diff "$work/shape" "$work/shape.k")"
        [ "$(cat "$work/k$p.how")" = whole ] || kills=$((kills + 1))
    done
    verified "k$((1 + step))"
    [ "$kills" -ge "$((30 / step))" ] || fail "$engine: only $kills statements were hit"
    echo "$engine: killed before each of $kills statements, $SECONDS s"
}

# Several at once, and one that is stopped in the middle: the others do not wait for it for ever, and when it
# goes on it harms nothing.
stopped() {
    local runner other began
    file stopped
    env LD_PRELOAD="$kill_at" LS_KILL_AT=25 LS_KILL_SIGNAL=STOP "$lockstep" db migrate -c "$work/stopped.yaml" > "$work/runner.out" 2>&1 &
    runner=$!
    at_exit "kill -9 $runner 2>/dev/null"
    await "[ \$(cut -d ' ' -f 3 /proc/$runner/stat) = T ]"
    began=$(date +%s%N)
    for other in 1 2 3; do
        "$lockstep" db migrate -c "$work/stopped.yaml" > "$work/other.$other" 2>&1 &
        eval "other_$other=$!"
    done
    # SQLite: a stopped process keeps the lock of its file, whatever the others do
    [ $engine != sqlite ] || kill -CONT $runner
    for other in 1 2 3; do wait "$(eval echo \$other_$other)" || fail "$engine: $(cat "$work/other.$other")"; done
    # Where no lock lasts, they have waited for the claim of the one that is silent: 3 s.
    [ $engine != oracle ] || [ $((($(date +%s%N) - began) / 1000000)) -ge 2500 ] || fail "$engine: two runners at a time"
    kill -CONT $runner 2>/dev/null || :
    wait $runner || fail "$engine: stopped and gone on: $(cat "$work/runner.out")"
    shape stopped | cmp -s "$work/shape" - || fail "$engine: a stopped runner left another schema"
    verified stopped
}

sql() { # NAME TEXT
    if [ $engine = sqlite ]; then sqlite3 "$work/$1.db" "$2"; else postgres_sql -c "SET search_path TO \"$1\"; $2" >/dev/null; fi
}
# A schema that is newer than the program: refused, but where the newer release says that it may be served.
newer() {
    local version name
    sql whole "INSERT INTO ls_schema_version VALUES (9001, 'expand-new-table', 'x', 1)"
    verified whole
    migrate whole || fail "$engine: expand: $(cat "$work/whole.out")"
    "$lockstep" db status -c "$work/whole.yaml" | grep -q '9001.*expand-new-table.*newer' || fail "$engine: expand is not shown"
    sql whole "INSERT INTO ls_schema_version VALUES (9002, 'contract-0004-old-table', 'x', 1)"
    verified whole
    for name in contract-9001-old-table future contract-4-x contract-0000-x expand; do
        sql whole "DELETE FROM ls_schema_version WHERE version = 9003"
        sql whole "INSERT INTO ls_schema_version VALUES (9003, '$name', 'x', 1)"
        ! migrate whole || fail "$engine: $name: accepted"
        grep -q "version 9003 ($name), which this program does not know; use the release that made it, or a newer one.*LS-SCHEMA" "$work/whole.out" &&
            [ "$(wc -l < "$work/whole.out")" = 1 ] || fail "$engine: $name: $(cat "$work/whole.out")"
        ! timeout 20 "$builddir/lockstepd" -c "$work/whole.yaml" > "$work/out" 2>&1 || fail "$engine: $name: lockstepd serves it"
        grep -q "version 9003 ($name)" "$work/out" || fail "$engine: $name: $(cat "$work/out")"
        ! "$lockstep" db status -c "$work/whole.yaml" > "$work/out" || fail "$engine: $name: status"
        grep -q 'unknown' "$work/out" || fail "$engine: $name: $(cat "$work/out")"
    done
}

for engine in ${LS_TEST_ENGINES:-sqlite postgresql oracle}; do
    SECONDS=0
    rm -f "$work"/*.db* "$work"/*.how
    case $engine in
    postgresql) postgres_start ;;
    oracle)
        if [ -n "$pg_running" ]; then # the same names again
            postgres_sql -c "SELECT format('DROP SCHEMA %I CASCADE;', nspname) FROM pg_namespace
                WHERE nspname ~ '^(k[0-9]+|whole|stopped)\$'" > "$work/drop.sql"
            postgres_sql -f "$work/drop.sql" > "$work/out" 2>&1 || fail "$(cat "$work/out")"
            postgres_stop
        fi
        oracle_start ;;
    esac
    step=${LS_TEST_STEP:-6} side=4 # make nightly: each of them
    [ $engine != sqlite ] || step=1
    [ $engine != oracle ] || side=12 # they wait for the claim of the killed one
    killed_everywhere
    stopped
    newer
    echo "$engine: $SECONDS s"
done
