# The pool on the imitation of Oracle's driver, whose socket nobody tells. Not the black hole: there a cancel request
# and logins without a timeout of the driver's may hang until the network resets them.
. "$srcdir/t/lib.sh"
. "$srcdir/t/storage/alive-lib.sh"
recovery_max=1500 overrun_max=1200
oracle_start
ora_user ls_test
export LS_TEST_ENGINE=oracle
proxy_start pg "$pg_port"
alive_start "$proxy_port"
for fault in refused server-stopped; do
    alive_round $fault
    echo "$fault: recovered after $recovered_ms ms, worst call $overrun_ms ms late ($alive_heard)"
    [ "$recovered_ms" -le $recovery_max ] || fail "$fault: recovered after $recovered_ms ms"
    [ "$overrun_ms" -le $overrun_max ] || fail "$fault: a call returned $overrun_ms ms behind its deadline"
done
alive quiet
at_rest() { alive state; [ "$(alive_value threads)" = 10 ] && [ "$(alive_value open)" = "$(proxy_stat pg open)" ]; }
await at_rest
alive_stop
