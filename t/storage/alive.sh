# A server that is silent, unreachable, stopped or dead, under eight threads that share one pool: each call
# returns within its deadline and a bound, no thread hangs, and the pool is well again within a second of the
# server's being usable. Nothing is left behind.
. "$srcdir/t/lib.sh"
. "$srcdir/t/storage/alive-lib.sh"
recovery_max=1500 overrun_max=1200 # the issue says 1000, which t/figures storage measures
postgres_start
export LS_TEST_ENGINE=postgresql
proxy_start pg "$pg_port"
alive_start "$proxy_port"

for fault in black-hole network-away no-syn refused server-stopped server-killed; do
    alive_round $fault
    echo "$fault: recovered after $recovered_ms ms, worst call $overrun_ms ms late ($alive_heard)"
    [ "$recovered_ms" -le $recovery_max ] || fail "$fault: recovered after $recovered_ms ms"
    [ "$overrun_ms" -le $overrun_max ] || fail "$fault: a call returned $overrun_ms ms behind its deadline"
    [ $fault != black-hole ] || alive_rest # it acknowledges for ever: what hangs in it must have been cut
done
alive state
alive_stuck_login
echo "stuck login: recovered after $recovered_ms ms"
[ "$recovered_ms" -le $recovery_max ] || fail "a stuck login: recovered after $recovered_ms ms"

# At rest: the threads that were stuck are gone, and as many connections are open as the pool says.
alive quiet
at_rest() {
    alive state
    [ "$(alive_value threads)" = 10 ] && [ "$(alive_value waiting)" = 0 ] &&
        [ "$(alive_value open)" = "$(proxy_stat pg open)" ]
}
at_exit 'echo "at rest: ${alive_heard:-}; proxy: ${proxy_heard:-}"'
await at_rest

# Connections that a firewall forgot while nobody used them: a call finds out before its own deadline.
proxy_cmd pg half-open server
alive usable
alive go
alive recovered
echo "forgotten while idle: recovered after $(alive_value all) ms"
[ "$(alive_value all)" -le $recovery_max ] || fail "forgotten while idle: recovered after $(alive_value all) ms"
alive_stop
