# kill9.sh ENGINE: lockstepd is killed with kill -9 under at least 100 unanswered requests, 20 times.
#
#   sender a, b, c (processes of their own, with records) --gRPC--> lockstepd <--kill -9-- sender a
#
# What was answered OK appears in its sender's stream exactly once, what was not answered at most
# once, what was refused never.
. "$srcdir/t/lib.sh"
engine=${1:-sqlite}
rounds=${LS_TEST_ROUNDS:-20}
min=100

public=$(free_port)
admin=$(free_port)
if [ "$engine" = postgres ]; then
    postgres_start
    storage="{type: postgresql, server: $LS_TEST_PG_SERVER, port: $LS_TEST_PG_PORT, database: $LS_TEST_PG_DATABASE, user: $LS_TEST_PG_USER, password: \"\${env:LS_TEST_PG_PASSWORD}\", schema: kill9}"
else
    storage="{type: sqlite, file: \"$work/kill9.db\"}"
fi
cat > "$work/lockstepd.yaml" <<END
synchronizer:
  kill9:
    storage: $storage
    migrate-on-start: true
    public-api: {port: $public}
    admin-api: {port: $admin}
END

daemon_start() {
    "$builddir/lockstepd" -c "$work/lockstepd.yaml" >> "$work/lockstepd.log" 2>&1 &
    daemon=$!
}
at_exit 'kill -9 $daemon 2>/dev/null'

# ask NAME COMMAND: one command, one line of answer in $answer.
ask() {
    local to=${1}_in from=${1}_out
    echo "$2" >&"${!to}"
    read -rt 120 answer <&"${!from}" || fail "sender $1 does not answer $2: $(tail -5 "$work/lockstepd.log")"
}

daemon_start
for name in a b c; do
    mkfifo "$work/$name.in" "$work/$name.out"
    "$builddir/t/fault/sender" "http://127.0.0.1:$public" "$name" "$work/$name.records" \
        < "$work/$name.in" > "$work/$name.out" 2>> "$work/$name.log" &
    eval "$name=\$!"
    exec {fd_in}> "$work/$name.in" {fd_out}< "$work/$name.out"
    eval "${name}_in=\$fd_in ${name}_out=\$fd_out"
done
at_exit 'kill $a $b $c 2>/dev/null'
for name in a b c; do
    from=${name}_out
    read -rt 30 answer <&"${!from}" || fail "sender $name: $(cat "$work/$name.log" "$work/lockstepd.log")"
    [ "$answer" = ready ] || fail "sender $name: $answer"
done

for ((round = 1; round <= rounds; round++)); do
    ask b 'burst 50'
    ask c 'burst 50'
    ask a "kill $daemon $min"
    open=${answer#*=}
    [ "$open" -ge "$min" ] || fail "round $round: only $open requests were unanswered"
    wait "$daemon" 2>/dev/null && fail "round $round: lockstepd ended by itself"
    daemon_start
done
status=0
for name in a b c; do
    ask "$name" settle
    echo "$name: $answer"
    case $answer in *IN\ TIME*) status=1 ;; esac
done
for name in a b c; do
    ask "$name" check
    echo "$name: $answer"
    case $answer in PASS*) ;; *) status=1 ;; esac
done
# The records agree with what the senders say they know.
for name in a b c; do
    sent=$(grep -c '^S' "$work/$name.records")
    ended=$(grep -c '^[ARU]' "$work/$name.records")
    [ "$sent" = "$ended" ] || { echo "$name: $sent sent, $ended ended"; status=1; }
done
[ $status = 0 ] || { tail -20 "$work/lockstepd.log"; fail "kill -9, $engine"; }
echo "PASS: $rounds kills on $engine"
