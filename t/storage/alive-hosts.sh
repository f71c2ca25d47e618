# Two servers in one connection string: the pool follows the writable one, within a second, when the primary
# turns read-only and the standby is promoted, and when a server's machine is gone without a word.
. "$srcdir/t/lib.sh"
. "$srcdir/t/storage/alive-lib.sh"
recovery_max=1500 overrun_max=1200
postgres_start
export LS_TEST_ENGINE=postgresql
proxy_start pg "$pg_port"
alive_hosts_start
alive_start "$proxy_port_pg" "$proxy_port_standby"
within() { # WHAT
    alive state
    echo "$1: recovered after $recovered_ms ms, worst call $(alive_value overrun) ms late"
    [ "$recovered_ms" -le $recovery_max ] || fail "$1: recovered after $recovered_ms ms"
    [ "$(alive_value overrun)" -le $overrun_max ] || fail "$1: a call returned $(alive_value overrun) ms behind its deadline"
}
alive usable
alive recovered
alive_read_only
within 'the standby is promoted'
[ "$(standby_sql -c "SELECT COUNT(*) > 0 FROM pg_stat_activity WHERE application_name = 'lockstep'")" = t ] || fail "nobody is at the new primary"
alive_silent_host
within 'the first host is silent'
alive_stop
