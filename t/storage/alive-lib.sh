# alive-lib.sh: what hurts a database server, and how long the pool of t/storage/alive_client takes to be well
# again. Sourced behind t/lib.sh by t/storage/alive*.sh and t/figures storage.

# alive_start PORT...: the client, on these ports of 127.0.0.1 (several: hosts of one connection string).
alive_start() {
    local ports hosts
    ports=$(IFS=,; echo "$*") hosts=$(printf '127.0.0.1,%.0s' "$@")
    mkfifo "$work/alive.to" "$work/alive.from"
    LS_TEST_PG_SERVER=${hosts%,} LS_TEST_PG_PORT=$ports LS_TEST_ORACLE_PORT=$ports "$builddir/t/storage/alive_client" \
        < "$work/alive.to" > "$work/alive.from" 2> "$work/alive.log" &
    alive_pid=$!
    at_exit "kill -9 $alive_pid 2>/dev/null"
    exec {alive_to}> "$work/alive.to" {alive_from}< "$work/alive.from"
    read -r -t 60 -u "$alive_from" alive_heard || fail "the client does not start"
    [ "$alive_heard" = READY ] || fail "$alive_heard"
}
# alive VERB: asks it; the answer is in alive_heard.
alive() {
    echo "$*" >&"$alive_to"
    read -r -t 60 -u "$alive_from" alive_heard || fail "no answer to '$*' within 60 s: a thread hangs"
    case $alive_heard in OK*) ;; *) fail "$*: $alive_heard $(tail -n 9 "$work/alive.log")" ;; esac
}
# alive_value NAME: out of the last answer.
alive_value() {
    local v=${alive_heard#*"$1"=}
    echo "${v%% *}"
}
alive_stop() {
    echo end >&"$alive_to"
    wait "$alive_pid" || fail "the client ended with $?"
    exec {alive_to}>&- {alive_from}<&-
    rm -f "$work/alive.to" "$work/alive.from"
}

# The processes of a cluster: its postmaster and all of its children. Each hurts or heals one thing.
pg_pids() {
    local pid
    pid=$(as_server head -n1 "$pg_dir/data/postmaster.pid")
    echo "$pid" $(pgrep -P "$pid")
}
hurt_black-hole() { proxy_cmd pg blackhole; }
heal_black-hole() { proxy_cmd pg pass; }
hurt_network-away() { proxy_cmd pg hold; }
heal_network-away() { proxy_cmd pg pass; }
hurt_no-syn() { proxy_cmd pg no-syn; proxy_cmd pg half-open server; }
heal_no-syn() { proxy_cmd pg pass; }
hurt_refused() { proxy_cmd pg refuse; proxy_cmd pg cut; }
heal_refused() { proxy_cmd pg pass; }
hurt_server-stopped() { stopped=$(pg_pids); at_exit "kill -CONT $stopped 2>/dev/null"; kill -STOP $stopped; }
heal_server-stopped() { kill -CONT $stopped; }
hurt_server-killed() { postgres_kill; }
heal_server-killed() { postgres_start; }
# alive_round NAME: hurts, waits until a call of each thread has failed, heals. Sets recovered_ms (a call of
# each thread that began behind the healing was done) and overrun_ms (the worst return behind a deadline).
alive_round() {
    alive state
    "hurt_$1"
    alive suffer
    "heal_$1"
    alive usable
    alive recovered
    recovered_ms=$(alive_value all)
    alive state
    overrun_ms=$(alive_value overrun)
}

# alive_rest: nobody calls, and no thread hangs: there are the eight, the client's own and the watchdog.
alive_rest() {
    alive quiet
    await alive_is_at_rest
    alive go
}
alive_is_at_rest() { alive state; [ "$(alive_value threads)" = 10 ]; }

# A login that libpq has done, and the driver's first SET is never answered: no timeout of the driver's covers
# that, and nobody may wait for it. Sets recovered_ms.
alive_stuck_login() {
    proxy_cmd pg swallow answers 1 'C\x00\x00\x00\x08SET\x00'
    proxy_cmd pg cut
    alive usable
    await '[ "$(proxy_stat pg fired)" = 1 ]'
    alive recovered
    recovered_ms=$(alive_value all)
}

# alive_hosts_start: a second cluster, a standby of the first, behind proxy `standby`; pg_standby is its folder.
alive_hosts_start() {
    pg_standby=$pg_dir/standby standby_port=$(free_port)
    as_server env PGPASSWORD="$pg_password" "$pg_bin/pg_basebackup" -D "$pg_standby" -h 127.0.0.1 -p "$pg_port" \
        -U lockstep -R -X stream -c fast > "$work/basebackup.log" 2>&1 || fail "$(cat "$work/basebackup.log")"
    at_exit 'as_server "$pg_bin/pg_ctl" -D "$pg_standby" -m immediate stop > /dev/null 2>&1'
    as_server "$pg_bin/pg_ctl" -D "$pg_standby" -w -t 30 -l "$pg_dir/standby.log" -o \
        "-p $standby_port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$pg_socket'" start > "$work/pg_ctl.log" 2>&1 ||
        fail "the standby does not start: $(cat "$pg_dir/standby.log")"
    proxy_start standby "$standby_port"
}
standby_sql() {
    PGPASSWORD=$pg_password "$pg_bin/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$standby_port" -U lockstep -d lockstep "$@"
}

# The primary turns read-only, and nobody can write until the standby is promoted. Sets recovered_ms.
alive_read_only() {
    postgres_sql -c 'ALTER SYSTEM SET default_transaction_read_only = on' -c 'SELECT pg_reload_conf()' > /dev/null
    await '[ "$(postgres_sql -c "SHOW default_transaction_read_only")" = on ]'
    await '[ "$(proxy_stat pg accepted)" -gt 20 ]'    # it looks for a writable one, and finds none
    standby_sql -c 'SELECT pg_promote()' > /dev/null
    alive usable
    alive recovered
    recovered_ms=$(alive_value all)
}
# The first host of the string is gone without a word, and new connections are needed. Sets recovered_ms.
alive_silent_host() {
    proxy_cmd pg no-syn
    proxy_cmd standby cut
    alive usable
    alive recovered
    recovered_ms=$(alive_value all)
}
