# The pool on the imitation of Oracle's driver, whose socket nobody tells, which has no timeout of its own, and whose
# server has none either. Then the driver's own faults, under eight threads.
. "$srcdir/t/lib.sh"
. "$srcdir/t/storage/alive-lib.sh"
recovery_max=1500 overrun_max=1200
oracle_start
ora_user ls_test
export LS_TEST_ENGINE=oracle
proxy_start pg "$pg_port"

# A server that is not told that its clients are gone keeps the rows that they have locked, until it looks
# (SQLNET.EXPIRE_TIME): only then it is usable again.
heal_black-hole() {
    proxy_cmd pg pass
    postgres_sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'" > /dev/null
}
within() { # WHAT
    echo "$1: recovered after $recovered_ms ms, worst call $overrun_ms ms late ($alive_heard)"
    [ "$recovered_ms" -le $recovery_max ] || fail "$1: recovered after $recovered_ms ms"
    [ "$overrun_ms" -le $overrun_max ] || fail "$1: a call returned $overrun_ms ms behind its deadline"
}
# injected WHAT ORDER...: the driver is told, the threads run into all of it. It is over when each of them has done
# a call behind it (a delay that was taken is not in the file any more, and still runs); from then on they work.
injected() {
    local what=$1 order
    shift
    alive state
    for order; do ora_fault "$order"; done
    await '[ ! -s "$ora_faults" ]'
    alive usable
    alive recovered
    echo "$what: over after $(alive_value all) ms"
    alive usable
    alive recovered
    recovered_ms=$(alive_value all)
    alive state
    overrun_ms=$(alive_value overrun)
    within "$what"
}

alive_start "$proxy_port"
for fault in black-hole refused server-stopped black-hole; do
    alive_round $fault
    within $fault
done
injected 3113 'before 3113 skip=20 times=4' 'after 3113 skip=40 times=4 match=t_value' 'after 3113 times=2 match=COMMIT'
injected 12170 'before 12170 times=3 match=CONNECT' 'before 3113 times=2'
overrun_max=$((overrun_max + 1300)) # nobody ends what sleeps inside the driver
injected delays 'delay 1300 times=8 match=t_value' 'delay 600 times=4 match=t_log' 'delay 1500 times=2 match=CONNECT' 'before 3113 times=1'

alive quiet
at_rest() { alive state; [ "$(alive_value threads)" = 10 ] && [ "$(alive_value open)" = "$(proxy_stat pg open)" ]; }
at_exit 'echo "at rest: ${alive_heard:-}; proxy: ${proxy_heard:-}"'
await at_rest
alive_stop
