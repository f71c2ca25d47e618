# lib.sh: verbs of the black-box tests. Source it: . "$srcdir/t/lib.sh"
# Everything lives in one private folder ($work) and ends with the test. Servers never run as root.
# Tests await conditions; they never sleep for a time.
set -eu
: "${srcdir:=.}" "${builddir:=.}"
work=$(mktemp -d "${TMPDIR:-/tmp}/${work_name:-lockstep-test}.XXXXXX")
chmod 711 "$work"
pg_running=
cleanup_hooks=

# Nodes keep their private keys encrypted under this one, unless a test's configuration says otherwise.
export LOCKSTEP_ENCRYPTION_KEY=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "SKIPPED: $*" >&2; exit 77; }

# at_exit 'COMMAND': runs it when the test ends, the last one first.
at_exit() { cleanup_hooks="$1
$cleanup_hooks"; }
cleanup() {
    status=$?
    trap - EXIT INT TERM
    set +e
    eval "$cleanup_hooks"
    if [ -n "$pg_running" ]; then postgres_stop immediate >/dev/null 2>&1; fi
    if [ -n "${KEEP_WORK:-}" ]; then echo "kept: $work" >&2; else rm -rf "$work"; fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# await 'CONDITION' [SECONDS]: until it holds; the test fails when it does not within 20 s.
await() {
    local end=$((SECONDS + ${2:-20}))
    until eval "$1"; do
        [ "$SECONDS" -lt "$end" ] || fail "not within ${2:-20} s: $1"
        read -rt 0.02 <> <(:) || :
    done
}

# port_in_use PORT: somebody listens there on 127.0.0.1.
port_in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# free_port: a TCP port of 127.0.0.1 that nobody listens on now, and that this test was not given yet.
free_port() {
    local p
    while :; do
        p=$((20000 + RANDOM % 12000))
        if ! port_in_use "$p" && mkdir "$work/port.$p" 2>/dev/null; then echo "$p"; return; fi
    done
}

postgres_find() {
    local d
    for d in $(ls -d /usr/lib/postgresql/*/bin /usr/local/pgsql/bin 2>/dev/null | sort -rV); do
        if [ -x "$d/initdb" ]; then echo "$d"; return; fi
    done
    d=$(command -v initdb) && dirname "$d"
}

# as_server COMMAND...: as root, as somebody else.
as_server() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    local u=nobody
    if id postgres >/dev/null 2>&1; then u=postgres; fi
    (cd / && exec runuser -u "$u" -- "$@")
}

# postgres_start: a private cluster with user, password and database `lockstep`. Sets pg_port,
# pg_socket (folder), and LS_TEST_PG_* for the test programs. Called again after postgres_stop or
# postgres_kill it starts the same cluster on the same port.
postgres_start() {
    pg_bin=$(postgres_find)
    [ -n "$pg_bin" ] || skip "no PostgreSQL server: apt-get install postgresql"
    pg_dir=$work/pg
    pg_socket=$work/pg
    if [ ! -d "$pg_dir/data" ]; then
        mkdir -p "$pg_dir"
        pg_password=pw-$RANDOM$RANDOM
        printf '%s\n' "$pg_password" > "$pg_dir/pw"
        if [ "$(id -u)" = 0 ]; then
            if id postgres >/dev/null 2>&1; then chown postgres "$pg_dir" "$pg_dir/pw"; else chown nobody "$pg_dir" "$pg_dir/pw"; fi
        fi
        chmod 755 "$pg_dir"
        as_server "$pg_bin/initdb" -D "$pg_dir/data" -U lockstep -A scram-sha-256 -E UTF8 \
            --locale=C --pwfile="$pg_dir/pw" --no-instructions > "$work/initdb.log" 2>&1 ||
            { cat "$work/initdb.log" >&2; fail "initdb"; }
        pg_port=
    fi
    local try
    for try in 1 2 3 4 5; do
        [ -n "$pg_port" ] || pg_port=$(free_port)
        if as_server "$pg_bin/pg_ctl" -D "$pg_dir/data" -w -t 30 -l "$pg_dir/log" -o \
            "-p $pg_port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$pg_socket' ${pg_options:-}" \
            start > "$work/pg_ctl.log" 2>&1; then
            pg_running=1
            break
        fi
        [ "$try" != 5 ] || { cat "$work/pg_ctl.log" "$pg_dir/log" >&2; fail "PostgreSQL does not start"; }
        pg_port=
    done
    export PGPASSWORD=$pg_password
    postgres_sql -d postgres -c 'CREATE DATABASE lockstep' >/dev/null 2>&1 || :
    LS_TEST_PG_SERVER=127.0.0.1 LS_TEST_PG_PORT=$pg_port LS_TEST_PG_DATABASE=lockstep
    LS_TEST_PG_USER=lockstep LS_TEST_PG_PASSWORD=$pg_password
    export LS_TEST_PG_SERVER LS_TEST_PG_PORT LS_TEST_PG_DATABASE LS_TEST_PG_USER LS_TEST_PG_PASSWORD
}

# postgres_stop [fast|immediate]: stops it. postgres_start starts it again.
postgres_stop() {
    as_server "$pg_bin/pg_ctl" -D "$pg_dir/data" -w -m "${1:-fast}" stop > "$work/pg_ctl.log" 2>&1 || :
    pg_running=
}
# postgres_stop_command: what a person runs, by /bin/sh, to stop the cluster.
postgres_stop_command() {
    local as=
    [ "$(id -u)" != 0 ] || as="cd / && runuser -u $(stat -c %U "$pg_dir") -- "
    echo "$as'$pg_bin/pg_ctl' -D '$pg_dir/data' -w -m fast stop >/dev/null"
}
# postgres_kill: kill -9 of the whole server.
postgres_kill() {
    local pid
    pid=$(as_server head -n1 "$pg_dir/data/postmaster.pid")
    kill -9 "$pid"
    await "! kill -0 $pid 2>/dev/null"
    await "! pgrep -P $pid >/dev/null"
    pg_running=
}

# postgres_sql PSQL-ARGUMENTS...: one answer, unaligned, from the private cluster (database lockstep).
postgres_sql() {
    PGPASSWORD=$pg_password "$pg_bin/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$pg_port" \
        -U lockstep -d lockstep "$@"
}

# proxy_start NAME TO-PORT: the fault proxy (t/proxy/README) in front of 127.0.0.1:TO-PORT. Sets proxy_port and
# proxy_port_NAME. proxy_cmd NAME COMMAND...: tells it; its answer is in proxy_heard.
proxy_start() {
    local to from pid
    mkfifo "$work/proxy.$1.to" "$work/proxy.$1.from"
    "$builddir/t/proxy/proxy" 0 127.0.0.1 "$2" < "$work/proxy.$1.to" > "$work/proxy.$1.from" &
    pid=$!
    at_exit "kill $pid 2>/dev/null"
    exec {to}> "$work/proxy.$1.to" {from}< "$work/proxy.$1.from"
    eval "proxy_to_$1=$to proxy_from_$1=$from proxy_pid_$1=$pid"
    proxy_hear "$1"
    case $proxy_heard in READY*) proxy_port=${proxy_heard#READY } ;; *) fail "proxy $1: $proxy_heard" ;; esac
    eval "proxy_port_$1=$proxy_port"
}
proxy_hear() {
    local from
    eval "from=\$proxy_from_$1"
    read -r -t 20 -u "$from" proxy_heard || fail "no answer of proxy $1 within 20 s"
}
proxy_cmd() {
    local name=$1 to
    shift
    eval "to=\$proxy_to_$name"
    printf '%s\n' "$*" >&"$to"
    proxy_hear "$name"
    case $proxy_heard in OK*) ;; *) fail "proxy $name: $proxy_heard" ;; esac
}
# proxy_stat NAME FIELD: open, accepted, requests, answers or fired.
proxy_stat() {
    proxy_cmd "$1" stats
    proxy_heard=${proxy_heard#*"$2"=}
    echo "${proxy_heard%% *}"
}

# oracle_start: "Oracle" is t/fakeora, an imitation of its driver in front of a private PostgreSQL. Sets
# ora_driver (its path), ora_faults (its control file, t/fakeora/README), ora_trace (texts that were sent;
# a file of this test in the build folder), pg_port, and LS_TEST_ORACLE_* for the test programs.
oracle_start() {
    ora_driver=$builddir/t/fakeora/.libs/fakeora.so
    [ -e "$ora_driver" ] || fail "no $ora_driver: make check TESTS="
    FAKEORA_REAL=$(ls /usr/lib/*/odbc/psqlodbca.so /usr/lib/odbc/psqlodbca.so 2>/dev/null | head -n1)
    [ -n "$FAKEORA_REAL" ] || skip "no PostgreSQL driver: apt-get install odbc-postgresql"
    postgres_start
    if [ -z "$(postgres_sql -c "SELECT 1 FROM pg_namespace WHERE nspname = 'sys'")" ]; then
        postgres_sql -1 -f "$srcdir/t/fakeora/objects.sql" >/dev/null || fail "t/fakeora/objects.sql"
        ora_user lockstep
        mkdir -p "$builddir/t/fakeora/traces"
        ora_faults=$work/faults
        ora_trace=$builddir/t/fakeora/traces/$(realpath --relative-to="$srcdir" "$0" | tr / -)
        : > "$ora_trace"
        : > "$ora_faults"
    fi
    FAKEORA_TRACE=$ora_trace FAKEORA_FAULTS=$ora_faults
    LS_TEST_ORACLE_DRIVER=$ora_driver LS_TEST_ORACLE_SERVER=127.0.0.1 LS_TEST_ORACLE_PORT=$pg_port
    LS_TEST_ORACLE_DATABASE=lockstep LS_TEST_ORACLE_USER=lockstep LS_TEST_ORACLE_PASSWORD=$pg_password
    export FAKEORA_REAL FAKEORA_TRACE FAKEORA_FAULTS LS_TEST_ORACLE_DRIVER LS_TEST_ORACLE_SERVER \
        LS_TEST_ORACLE_PORT LS_TEST_ORACLE_DATABASE LS_TEST_ORACLE_USER LS_TEST_ORACLE_PASSWORD
}
# ora_user NAME: a user and schema of that "Oracle"; only lockstep can log in.
ora_user() { postgres_sql -c "CREATE SCHEMA IF NOT EXISTS \"$(echo "$1" | tr A-Z a-z)\"" 2>/dev/null; }
# ora_storage SCHEMA: makes that user, and prints the `storage:` of a node that lives in its schema. The
# password is in the environment.
ora_storage() {
    ora_user "$1"
    echo "{type: oracle, driver: \"$ora_driver\", server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LS_TEST_ORACLE_PASSWORD}\", schema: $1}"
}
# ora_fault ORDER: one more line for the driver, "before 3113 skip=10 match=ls_log".
ora_fault() { flock "$ora_faults" sh -c 'printf "%s\n" "$2" >> "$1"' - "$ora_faults" "$1"; }
