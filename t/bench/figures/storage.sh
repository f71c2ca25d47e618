# Figures of issue "One storage layer, three engines". Sourced by t/figures. The take-over of a lease is measured by
# storage-lease.sh, where it is there.
bench_programs='t/bench/bench_storage t/bench/bench_threads t/storage/alive_client t/storage/fault_client t/proxy/proxy'
bench_programs="$bench_programs t/fakeora/fakeora.la"
. "$top/t/storage/alive-lib.sh"
! [ -e "$top/t/bench/figures/storage-lease.sh" ] || . "$top/t/bench/figures/storage-lease.sh"

# costs ENGINE: what a commit, a fenced write and rows cost there.
costs() {
    local name median
    LS_TEST_ENGINE=$1 "$build/t/bench/bench_storage" > "$work/send" || fail "bench_storage on $1"
    figure "$1-read" "$(value_of read)" ms ''
    figure "$1-commit" "$(value_of commit)" ms ''
    figure "$1-fenced-1" "$(value_of fenced_1)" ms ''
    figure "$1-fenced-1-over-plain-insert" "$(awk "BEGIN {printf \"%.2f\", $(value_of fenced_1) / $(value_of commit)}")" ratio ''
    for name in 1 100 1000; do
        median=$(value_of fenced_$name)
        figure "$1-fenced-rows-per-second-batch-$name" "$(awk "BEGIN {printf \"%.0f\", $name * 1000 / $median}")" rows/s ''
    done
    figure "$1-insert-rows-per-second-batch-1000" "$(awk "BEGIN {printf \"%.0f\", 1e6 / $(value_of insert_1000)}")" rows/s ''
}

# share_of DRIVER: how much of eight parallel threads it gives, in percent.
share_of() {
    LS_TEST_ENGINE=postgresql LS_TEST_DRIVER=$1 ODBCSYSINI=$work/odbc "$build/t/bench/bench_threads" > "$work/send" 2> "$work/threads.log" ||
        fail "bench_threads: $(cat "$work/threads.log")"
    value_of threads-in-parallel
}
measure_threads() {
    local driver
    driver=$(ls /usr/lib/*/odbc/psqlodbcw.so /usr/lib/odbc/psqlodbcw.so 2>/dev/null | head -n1)
    mkdir -p "$work/odbc"
    printf '[serial]\nDriver=%s\nThreading=3\n' "$driver" > "$work/odbc/odbcinst.ini"
    figure threads-in-parallel-by-path "$(share_of "$driver")" % 80 least
    figure threads-in-parallel-with-Threading-3 "$(share_of serial)" % ''
}

# seconds MS, and the two figures of a fault: the pool is well again, and nobody returned later than this behind
# a deadline of one second.
seconds() { awk "BEGIN {printf \"%.3f\", $1 / 1000}"; }
measure_alive() {
    local fault worst=0
    proxy_start pg "$pg_port"
    LS_TEST_ENGINE=postgresql alive_start "$proxy_port"
    for fault in black-hole network-away no-syn refused server-stopped server-killed; do
        alive_round $fault
        figure "recovered-from-$fault" "$(seconds "$recovered_ms")" s 1.0
        [ "$overrun_ms" -le "$worst" ] || worst=$overrun_ms
    done
    alive_stuck_login
    figure recovered-from-stuck-login "$(seconds "$recovered_ms")" s 1.0
    alive_stop
    alive_hosts_start
    LS_TEST_ENGINE=postgresql alive_start "$proxy_port_pg" "$proxy_port_standby"
    alive usable
    alive recovered
    alive_read_only
    figure recovered-from-read-only-primary "$(seconds "$recovered_ms")" s 1.0
    alive state
    [ "$(alive_value overrun)" -le "$worst" ] || worst=$(alive_value overrun)
    alive_silent_host
    figure recovered-from-silent-first-host "$(seconds "$recovered_ms")" s 1.0
    alive_stop
    figure worst-return-behind-a-deadline "$(seconds "$worst")" s 1.0
}

measure() {
    postgres_start
    costs postgresql
    export LS_TEST_SQLITE_FILE=$work/bench.db
    costs sqlite
    measure_threads
    if command -v measure_lease > /dev/null; then measure_lease; fi
    measure_alive
    postgres_stop immediate
    rm -rf "$pg_dir"
    oracle_start
    ora_user ls_test
    costs oracle
}
