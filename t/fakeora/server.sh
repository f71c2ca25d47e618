# A synchronizer and two participants, one process, on "Oracle": migrated by hand, found fit, a transaction
# is committed, the process restarted cleanly and by kill -9, and commits again; its keys are encrypted
# anew. Then migrations that lose their session at each table, where Oracle has committed what came before.
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
oracle_start
for p in public admin alice bob; do eval "$p=$(free_port)"; done
cat > "$work/demo.yaml" <<END
synchronizer:
  demo: {mediator: embedded, storage: $(ora_storage DEMO), public-api: {port: $public}, admin-api: {port: $admin}}
participants:
  alice: {storage: $(ora_storage ALICE), api: {port: $alice}, synchronizers: {demo: ["http://127.0.0.1:$public"]}}
  bob: {storage: $(ora_storage BOB), api: {port: $bob}, synchronizers: {demo: ["http://127.0.0.1:$public"]}}
END
ora_user DEMO_mediator # the embedded mediator's
pid=
db() { "$lockstep" db "$@" > "$work/db.out" 2>&1; }
run() {
    "$lockstepd" -c "$work/demo.yaml" >> "$work/demo.log" 2>&1 &
    pid=$!
    "$lockstep" status --wait active,connected --timeout 60s "127.0.0.1:$admin" "127.0.0.1:$alice" "127.0.0.1:$bob" > "$work/status" 2>&1 ||
        fail "not ready: $(cat "$work/status"; tail -5 "$work/demo.log")"
}
at_exit '[ -z "$pid" ] || kill -9 $pid 2>/dev/null'
submit() {
    "$lockstep" submit -o json --server "127.0.0.1:$alice" --with "127.0.0.1:$bob" --payload "$1" --wait 30s > "$work/submit" 2>&1 || fail "$1: $(cat "$work/submit")"
    grep -q '"verdict": *"committed"' "$work/submit" || fail "$1: $(cat "$work/submit")"
}

# Without its tables it says what to do.
! "$lockstepd" -c "$work/demo.yaml" > "$work/early.log" 2>&1 || fail "started without tables"
grep -q 'db migrate' "$work/early.log" || fail "no advice: $(cat "$work/early.log")"

db migrate -c "$work/demo.yaml" || fail "migrate: $(cat "$work/db.out")"
db migrate -c "$work/demo.yaml" || fail "migrate again: $(cat "$work/db.out")"
db verify -c "$work/demo.yaml" || fail "verify: $(cat "$work/db.out")"
db doctor -c "$work/demo.yaml" -n alice || fail "doctor: $(cat "$work/db.out")"
run
submit "before"
kill -TERM $pid
wait $pid || fail "exit status $? of a clean stop"
run
submit "after a stop"
kill -9 $pid
wait $pid 2>/dev/null || :
printf 'keys: {encryption-key: %064d, previous-encryption-key: %s}\n' 1 "$LOCKSTEP_ENCRYPTION_KEY" >> "$work/demo.yaml"
run
submit "after kill -9"
grep -q 'stored the private keys anew, encrypted' "$work/demo.log" || fail "the keys were not encrypted"
grep -q "$pg_password" "$work"/*.log && fail "the password is in a log"

# Each table is a place where the session is lost: once before it was made, once after.
for when in before after; do
    sed "s/DEMO/${when}_demo/; s/ALICE/${when}_alice/; s/BOB/${when}_bob/" "$work/demo.yaml" > "$work/$when.yaml"
    for user in demo demo_mediator alice bob; do ora_user "${when}_$user"; done
    for table in $(sed -n 's/^CREATE TABLE \(ls_[a-z_]*\).*/\1/p' "$srcdir"/sql/oracle/*.sql); do
        ora_fault "$when 3113 match=CREATE TABLE $table ("
    done
    tries=0
    until db migrate -c "$work/$when.yaml"; do
        grep -q 'ORA-0311[34]' "$work/db.out" || fail "migrate, lost $when a table: $(cat "$work/db.out")"
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "migrate does not get on: $(cat "$work/db.out")"
    done
    [ ! -s "$ora_faults" ] || fail "not every table was lost: $(cat "$ora_faults")"
    db verify -c "$work/$when.yaml" || fail "verify: $(cat "$work/db.out")"
done
