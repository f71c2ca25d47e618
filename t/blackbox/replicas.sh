# Two processes run each node on one PostgreSQL. Replicas that start together on an empty schema end up
# with one identity; lockstep bootstrap can be repeated; the second replica of each finds everything in the
# database; a participant never runs twice.
#
#   participant p --- seq1 --- PostgreSQL --- med1
#              \----- seq2 ---/          \--- med2
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
export LOCKSTEP_PASSWORD="$pg_password"
storage() { echo "{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LOCKSTEP_PASSWORD}\", schema: $1}"; }
run() {
    : > "$work/$1.log" # what stood there is of an earlier run
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
}
port() { sed -n "s|.*listening on.*$2 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
has() { grep -sq -e "$2" "$work/$1.log"; }
uid() { "$lockstep" status "127.0.0.1:$(port "$1" admin-api)" -o json | sed -n 's/.*"uid": *"\([^"]*\)".*/\1/p'; }
sequencer_file() { printf 'logging: {level: trace}\nsequencers:\n  seq:\n    storage: %s\n    public-api: {port: 0}\n    admin-api: {port: 0}\n    migrate-on-start: true\n' "$(storage "$2")" > "$work/$1.yaml"; }

# The race for an empty schema, several times.
for round in 1 2 3; do
    sequencer_file "a$round" "race$round"
    sequencer_file "b$round" "race$round"
    run "a$round"
    run "b$round"
    await "has a$round 'listening on' && has b$round 'listening on'"
    a=$(uid "a$round") b=$(uid "b$round")
    [ -n "$a" ] && [ "$a" = "$b" ] || fail "two identities: $a and $b"
    [ "$(postgres_sql -c "SELECT COUNT(*) FROM race$round.ls_identity")" = 1 ] || fail "rows of ls_identity"
done
await "has a3 uninitialised && has b3 uninitialised"
cp "$work/a3.log" "$work/seq1.log"
cp "$work/b3.log" "$work/seq2.log"
for m in 1 2; do
    printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: 0}\n    migrate-on-start: true\n    sequencer-connections: ["http://127.0.0.1:%s", "http://127.0.0.1:%s"]\n' \
        "$(storage med)" "$(port seq1 public-api)" "$(port seq2 public-api)" > "$work/med$m.yaml"
    run "med$m"
done
await "has med1 'listening on' && has med2 'listening on'"

# Repeating it changes nothing.
for time in 1 2; do
    "$lockstep" bootstrap -o json --name demo --sequencer "127.0.0.1:$(port seq1 admin-api)" --mediator "127.0.0.1:$(port med1 admin-api)" \
        --sequencer-url "http://127.0.0.1:$(port seq1 public-api)" --sequencer-url "http://127.0.0.1:$(port seq2 public-api)" > "$work/bootstrap$time" 2>&1 || fail "bootstrap $time: $(cat "$work/bootstrap$time")"
    "$lockstep" status --wait active,standby --timeout 20s "127.0.0.1:$(port seq1 admin-api)" "127.0.0.1:$(port seq2 admin-api)" \
        "127.0.0.1:$(port med1 admin-api)" "127.0.0.1:$(port med2 admin-api)" > "$work/status" 2>&1 || fail "$(cat "$work/status" "$work"/med*.log)"
done
! "$lockstep" bootstrap --name another --sequencer "127.0.0.1:$(port seq2 admin-api)" --mediator "127.0.0.1:$(port med1 admin-api)" \
    --sequencer-url "http://127.0.0.1:$(port seq1 public-api)" > "$work/another" 2>&1 || fail "a second synchronizer was made"

# The one active mediator dies; the other takes over.
active=med1 standby=med2
if has med2 '-> active'; then active=med2 standby=med1; fi
eval "kill -9 \$pid_$active"
await "has $standby '-> active'"

# Of two processes that run one participant, one stands by until the other is gone.
for p in 1 2; do
    printf 'participants:\n  alice:\n    storage: %s\n    api: {port: 0}\n    migrate-on-start: true\n    synchronizers: {demo: ["http://127.0.0.1:%s", "http://127.0.0.1:%s"]}\n' \
        "$(storage alice)" "$(port seq1 public-api)" "$(port seq2 public-api)" > "$work/alice$p.yaml"
    run "alice$p"
    await "has alice$p '-> active\|-> standby: another process runs'"
done
has alice1 '-> active' && has alice2 '-> standby' || fail "both participants: $(tail -n 3 "$work"/alice?.log)"
! has alice2 'connected' || fail "the one that stands by connects"
kill -9 "$pid_alice1"
await "has alice2 '-> active'"

# The one that runs is stopped with work before it, and goes on when the other has taken over: it
# commits nothing any more.
submit() { "$lockstep" submit --server "127.0.0.1:$(port "$1" api)" --payload "$2" --timeout 10s > "$work/submit$2" 2>&1; }
commit_no() { postgres_sql -c "SELECT commit_no FROM alice.ls_part_position"; }
submit alice2 1 || fail "$(cat "$work/submit1")"
run alice1
await "has alice1 '-> standby: another process runs'"
kill -STOP "$pid_alice2"
for i in 2 3 4 5; do submit alice2 $i & done
await "has alice1 '-> connected'"
for i in 6 7 8 9; do submit alice1 $i || fail "$(cat "$work/submit$i")"; done
no=$(commit_no)
kill -CONT "$pid_alice2"
await "has alice2 'has taken this participant over'"
[ "$(commit_no)" -ge "$no" ] || fail "a process that lost its participant moved the position back"
submit alice1 10 || fail "the one that took over: $(cat "$work/submit10")"
eval "pid=\$pid_alice2 pid_alice2=\$pid_alice1"
kill -9 "$pid"
kill -TERM "$pid_alice2"
wait "$pid_alice2" || fail "exit status $? of a clean stop"
# What fences: the number of the last commit. Somebody claims it; what comes after is not written.
run alice2
await "has alice2 '-> connected'"
postgres_sql -c "UPDATE alice.ls_part_position SET commit_no = commit_no + 1"
no=$(commit_no)
! submit alice2 11 || fail "committed by a process that lost its participant"
await "has alice2 'has taken this participant over'"
[ "$(commit_no)" = "$no" ] || fail "a process that lost its participant moved the position"

# A database that goes away is said, and so is its return.
postgres_stop immediate
await "has a3 'active -> degraded: .*database' && has $standby '-> degraded'"
postgres_start
await "has a3 'degraded -> active' && has $standby 'degraded -> active'"

! grep -l -e "$pg_password" "$work"/*.log || fail "the password is in a log"
