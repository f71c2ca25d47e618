#!/bin/bash
# The database comes back as it was a while ago, under running replicas: they notice, serve nothing, and
# fork nothing. Once by a restore; once only a commit of one node is gone, the largest watermark is not.
#
#   sender a --- seq1 ---+--- PostgreSQL
#            \-- seq2 ---+
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
export LOCKSTEP_PASSWORD="$pg_password"
for p in s1 s2 a1 a2 m1; do eval "$p=$(free_port)"; done
storage() { echo "{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LOCKSTEP_PASSWORD}\", schema: $1}"; }
for n in 1 2; do
    eval "s=\$s$n a=\$a$n"
    printf 'sequencers:\n  seq:\n    storage: %s\n    public-api: {port: %s}\n    admin-api: {port: %s}\n    migrate-on-start: true\n' \
        "$(storage seq)" "$s" "$a" > "$work/seq$n.yaml"
done
printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: %s}\n    migrate-on-start: true\n' "$(storage med)" "$m1" > "$work/med1.yaml"
run() {
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
}
has() { grep -sq -e "$2" "$work/$1.log"; }
hear() { read -rt 90 answer <&"$from_a" || fail "sender: $(tail -3 "$work/a.log")"; }
ask() { echo "$1" >&"$to_a"; hear; }
active() { "$lockstep" status --wait active --timeout 30s "127.0.0.1:$a1" "127.0.0.1:$a2" > "$work/status" 2>&1 || fail "$(cat "$work/status")"; }
sequencers() { run seq1; run seq2; }

sequencers
run med1
"$lockstep" status --wait uninitialised --timeout 30s "127.0.0.1:$a1" "127.0.0.1:$m1" > "$work/status" 2>&1 || fail "start"
"$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$a1" --mediator "127.0.0.1:$m1" \
    --sequencer-url "http://127.0.0.1:$s1" --sequencer-url "http://127.0.0.1:$s2" > "$work/bootstrap" 2>&1 || fail "$(cat "$work/bootstrap")"
active
mkfifo "$work/a.in" "$work/a.out"
"$builddir/t/fault/sender" "http://127.0.0.1:$s1,http://127.0.0.1:$s2" a "$work/a.records" < "$work/a.in" > "$work/a.out" 2> "$work/a.log" &
at_exit "kill $! 2>/dev/null"
exec {to_a}> "$work/a.in" {from_a}< "$work/a.out"
hear
ask 'burst 50'
ask settle

# One node's last commit is gone; it is not the largest of all.
node=$(sed -n 's/.*active: serves as node index \([0-9]*\).*/\1/p' "$work/seq1.log" | tail -1)
postgres_sql -c "UPDATE seq.ls_node SET watermark = watermark - 1 WHERE node_index = $node AND is_online = 1"
await "has seq1 LS-HISTORY"
# It leaves: a node that does not follow its peers any more would hold them back.
await '[ "$(postgres_sql -c "SELECT is_online FROM seq.ls_node WHERE node_index = $node")" = 0 ]'
for n in 1 2; do eval "kill -9 \$pid_seq$n; wait \$pid_seq$n" 2>/dev/null || :; done

# Replicas that were not there start on what there is; then all of it goes back under them.
sequencers
active
postgres_stop fast
cp -a "$pg_dir/data" "$pg_dir/before"
postgres_start
active
ask 'burst 200'
ask settle
case $answer in *ok=0*) fail "nothing was accepted: $answer" ;; esac
postgres_kill
rm -rf "$pg_dir/data"
mv "$pg_dir/before" "$pg_dir/data"
postgres_start
await "has seq1 LS-HISTORY && has seq2 LS-HISTORY"
"$lockstep" status --wait failed --timeout 20s "127.0.0.1:$a1" "127.0.0.1:$a2" > "$work/status" 2>&1 || fail "$(cat "$work/status")"
echo PASS
