# A PostgreSQL that stops, dies or answers too late: no call waits for ever, nothing is said to be stored
# that is not, and a lease can be taken from somebody who holds its row.
. "$srcdir/t/lib.sh"
postgres_start
export LS_TEST_ENGINE=postgresql

# client_start: another one, which verbs go to from now on.
client_start() {
    rm -f "$work/to" "$work/from"
    mkfifo "$work/to" "$work/from"
    "$builddir/t/storage/fault_client" < "$work/to" > "$work/from" &
    client_pid=$!
    exec 8> "$work/to" 9< "$work/from"
    at_exit "kill -9 $client_pid 2>/dev/null"
    hear 20
    [ "$heard" = READY ] || fail "$heard"
}
# tell VERB...: sends it; hear SECONDS: its answer into $heard.
tell() { echo "$*" >&8; }
hear() { read -r -t "$1" heard <&9 || fail "no answer within $1 s"; }
expect() { # PATTERN VERB...
    local want=$1
    shift
    tell "$@"
    hear 20
    case $heard in $want) ;; *) fail "$*: '$heard', expected '$want'" ;; esac
}

client_start
expect 'OK*' node
expect 'OK*' fenced 1

# The server's process stops: the call ends, with an outcome that nobody knows.
expect 'OK*' backend
pid=${heard#OK }
kill -STOP "$pid"
at_exit "kill -CONT $pid 2>/dev/null"
expect 'LS-UNKNOWN-OUTCOME*' fenced 2
expect 'OK*' fenced 3                   # on another connection
kill -CONT "$pid"
await "! kill -0 $pid 2>/dev/null"      # it notices that we are gone
expect 'OK [23]' count

# The server dies and comes back: idle connections are replaced, work goes on.
expect 'OK*' backend
pid=${heard#OK }
postgres_kill
expect 'LS-UNAVAILABLE*' txn 1
postgres_start
expect 'OK*' txn 2
expect 'OK 1' values
expect 'OK*' fenced 4
postgres_kill
postgres_start
expect 'OK*' fenced 7                   # an idle connection is tried before a write goes over it

# A COMMIT that is not replicated as asked for is no success.
expect 'OK*' win 5000
expect 'OK 1' leased 2
postgres_sql -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c 'SELECT pg_reload_conf()' > /dev/null
await '[ "$(postgres_sql -c "SHOW synchronous_standby_names")" = nobody ]'
waits="FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
for verb in 'patient 5' 'txn 3' 'leased 2'; do     # somebody ends the waiting: the server warns and answers success
    tell "$verb"
    await '[ "$(postgres_sql -c "SELECT COUNT(*) $waits")" = 1 ]'
    postgres_sql -c "SELECT pg_cancel_backend(pid) $waits" > /dev/null
    hear 20
    case $heard in LS-UNKNOWN-OUTCOME*warning*) ;; *) fail "$verb: $heard" ;; esac
done
expect 'LS-UNKNOWN-OUTCOME*' fenced 6   # nobody ends it: our deadline does
postgres_sql -c "ALTER SYSTEM RESET synchronous_standby_names" -c 'SELECT pg_reload_conf()' > /dev/null
await '[ -z "$(postgres_sql -c "SHOW synchronous_standby_names")" ]'

# Somebody who was stopped inside a transaction holds the row of the lease: the taker ends that session.
expect 'OK*' settle
mkfifo "$work/holder"
PGPASSWORD=$pg_password PGOPTIONS='-c search_path=ls_test' "$pg_bin/psql" -Xq -h 127.0.0.1 -p "$pg_port" \
    -U lockstep -d lockstep < "$work/holder" > "$work/holder.log" 2>&1 &
exec 7> "$work/holder"
echo "BEGIN; UPDATE ls_lease SET epoch = epoch + 1 WHERE name = 'fault';" >&7
await '[ "$(postgres_sql -c "SELECT COUNT(*) FROM pg_stat_activity WHERE state = '"'idle in transaction'"'")" = 1 ]'
kill -9 $client_pid
client_start
expect 'OK*' win 10000
echo 'SELECT 1;' >&7
exec 7>&-
await 'grep -q "terminating connection" "$work/holder.log"'
