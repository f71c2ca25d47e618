#!/bin/bash
# Keys and topology by the command line, on two sequencers and two mediators of one PostgreSQL: keys of a
# sequencer and of a mediator are replaced under load and nothing is lost; replicas find each other's keys;
# changes are proposed, exported, verified and imported; what would be rejected changes nothing.
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
export LOCKSTEP_PASSWORD="$pg_password"
storage() { echo "{type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: lockstep, password: \"\${env:LOCKSTEP_PASSWORD}\", schema: $1}"; }
run() {
    "$lockstepd" -c "$work/$1.yaml" >> "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null; wait $! 2>/dev/null || :"
}
has() { grep -sq -e "$2" "$work/$1.log"; }
s1=$(free_port) s2=$(free_port) a1=$(free_port) a2=$(free_port) m1=$(free_port) m2=$(free_port) alice=$(free_port)
for n in 1 2; do
    eval "s=\$s$n a=\$a$n m=\$m$n"
    printf 'sequencers:\n  seq:\n    storage: %s\n    public-api: {port: %s}\n    admin-api: {port: %s}\n    migrate-on-start: true\n' "$(storage seq)" "$s" "$a" > "$work/seq$n.yaml"
    printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: %s}\n    migrate-on-start: true\n    sequencer-connections: ["http://127.0.0.1:%s", "http://127.0.0.1:%s"]\n' "$(storage med)" "$m" "$s1" "$s2" > "$work/med$n.yaml"
done
printf 'participants:\n  alice:\n    storage: %s\n    api: {port: %s}\n    migrate-on-start: true\n    synchronizers: {demo: ["http://127.0.0.1:%s", "http://127.0.0.1:%s"]}\n' "$(storage alice)" "$alice" "$s1" "$s2" > "$work/alice.yaml"
for n in seq1 seq2 med1 med2 alice; do run $n; done
await "has seq1 'listening on' && has seq2 'listening on' && has med1 'listening on' && has med2 'listening on'"
"$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$a1" --mediator "127.0.0.1:$m1" --sequencer-url "http://127.0.0.1:$s1" --sequencer-url "http://127.0.0.1:$s2" > "$work/bootstrap" 2>&1 || fail "$(cat "$work/bootstrap")"
"$lockstep" status --wait active,standby --timeout 30s "127.0.0.1:$a1" "127.0.0.1:$a2" "127.0.0.1:$m1" "127.0.0.1:$m2" > "$work/status" 2>&1 || fail "$(cat "$work/status")"
"$lockstep" status --wait connected --timeout 30s "127.0.0.1:$alice" > /dev/null || fail "alice: $(tail -n 3 "$work/alice.log")"

# says 'PATTERN' COMMAND...: fails, in one line.
says() {
    local pattern=$1
    shift
    ! "$lockstep" "$@" > "$work/said" 2>&1 || fail "lockstep $* succeeded: $(cat "$work/said")"
    [ "$(wc -l < "$work/said")" = 1 ] && grep -q "$pattern" "$work/said" || fail "lockstep $*: $(cat "$work/said")"
}
keys() { "$lockstep" keys list -a "127.0.0.1:$1" -o json; }
announced() { keys "$1" | python3 -c 'import json,sys; print(" ".join(sorted(k["fingerprint"] for k in json.load(sys.stdin) if k["announced"])))'; }
topology() { "$lockstep" topology "$1" -a "127.0.0.1:$a1" -o json "${@:2}"; }

# ---- keys under load ----
active=$m1 passive=$m2
if "$lockstep" status "127.0.0.1:$m2" -o json | grep -q '"state": *"active"'; then active=$m2 passive=$m1; fi
(
    i=0
    while [ ! -e "$work/enough" ]; do
        i=$((i + 1))
        "$lockstep" submit --server "127.0.0.1:$alice" --payload "load $i" --timeout 20s > "$work/load" 2>&1 || { cp "$work/load" "$work/load-failed"; exit 1; }
        echo "$i" > "$work/loaded"
    done
) &
load=$!
at_exit "touch '$work/enough'; wait $load 2>/dev/null || :"
await "[ -s '$work/loaded' ]"
before_s=$(announced "$a1") before_m=$(announced "$active")
[ "$(echo "$before_s" | wc -w)" = 2 ] || fail "announced at first: $before_s"
says 'this replica is passive.*ask the active replica' keys rotate -a "127.0.0.1:$passive" --overlap 2s
"$lockstep" keys rotate -a "127.0.0.1:$a1" --overlap 3s -o json > "$work/rotate-s" 2> "$work/rotate-s.err" &
rotate_s=$!
"$lockstep" keys rotate -a "127.0.0.1:$active" --overlap 3s -o json > "$work/rotate-m" 2> "$work/rotate-m.err" || fail "mediator: $(cat "$work/rotate-m.err")"
wait $rotate_s || fail "sequencer: $(cat "$work/rotate-s.err")"
"$lockstep" keys rotate -a "127.0.0.1:$a2" --usage authentication --spec ed25519 --overlap 2s -o json > "$work/rotate-a" 2>&1 || fail "authentication: $(cat "$work/rotate-a")"
from=$(cat "$work/loaded")
await "[ \$(cat '$work/loaded') -gt $((from + 5)) ] || [ -e '$work/load-failed' ]"
touch "$work/enough"
wait $load || fail "lost under rotation: $(cat "$work/load-failed")"
after_s=$(announced "$a1") after_m=$(announced "$active")
[ "$after_s" != "$before_s" ] && [ "$(echo "$after_s" | wc -w)" = 2 ] || fail "the sequencer's keys: $before_s then $after_s"
[ "$after_m" != "$before_m" ] && [ "$(echo "$after_m" | wc -w)" = 2 ] || fail "the mediator's keys: $before_m then $after_m"
[ "$(announced "$a2")" = "$after_s" ] || fail "the second sequencer announces others"
old=$(sed -n 's/.*"old": *"\([^"]*\)".*/\1/p' "$work/rotate-s") new=$(sed -n 's/.*"new": *"\([^"]*\)".*/\1/p' "$work/rotate-s")
echo "$after_s" | grep -q "$new" && ! echo "$after_s" | grep -q "$old" || fail "$old is not replaced by $new"
for n in seq1 seq2; do ! has $n 'no private key here to sign with' || fail "$n could not sign"; done

# After a restart, and with one replica alone, the new keys serve: also at a mediator that takes over.
kill -9 "$pid_seq1" "$pid_med1"
"$lockstep" status --wait active --timeout 20s "127.0.0.1:$a2" "127.0.0.1:$m2" > "$work/status" 2>&1 || fail "$(cat "$work/status")"
"$lockstep" submit --server "127.0.0.1:$alice" --payload 'new keys' --timeout 20s > "$work/submit" 2>&1 || fail "$(cat "$work/submit")"
run seq1
"$lockstep" status --wait active --timeout 20s "127.0.0.1:$a1" > "$work/status" 2>&1 || fail "$(cat "$work/status")"
[ "$(announced "$a1")" = "$after_s" ] || fail "after a restart: $(announced "$a1")"

# ---- generate, export ----
"$lockstep" keys generate -a "127.0.0.1:$a1" --usage protocol --spec p384 --name spare -o json > "$work/generated" || fail "generate"
spare=$(sed -n 's/.*"fingerprint": *"\([^"]*\)".*/\1/p' "$work/generated")
keys "$a2" | grep -q "$spare" || fail "the other replica does not list the new key"
! announced "$a1" | grep -q "$spare" || fail "a key is announced by itself"
"$lockstep" keys export-public -a "127.0.0.1:$a1" "$spare" -o json | grep -q '"public_key": *"30' || fail "export-public"
says 'no kind of key rsa' keys generate -a "127.0.0.1:$a1" --usage protocol --spec rsa
says 'without a usage' keys generate -a "127.0.0.1:$a1"
says '0 keys begin with' keys export-public -a "127.0.0.1:$a1" 1220ffffffffffffffffffff
says 'the topology names no such key' keys rotate -a "127.0.0.1:$a1" --key "$spare"
says 'drop needs --key' keys rotate -a "127.0.0.1:$a1" --drop

# ---- topology ----
topology list > "$work/list" || fail "list"
python3 - "$work/list" "$work/mds.json" <<'P' || fail "what topology list gives"
import json, sys
rows = json.load(open(sys.argv[1]))
kinds = {r["mapping"] for r in rows}
need = {"namespace_delegation", "owner_to_key_mapping", "decentralized_namespace_definition", "mediator_synchronizer_state",
        "sequencer_synchronizer_state", "synchronizer_parameters_state", "synchronizer_trust_certificate"}
assert need <= kinds, need - kinds
assert all(r["until"] == "" for r in rows)
params = next(r for r in rows if r["mapping"] == "synchronizer_parameters_state")
c = params["content"]
c["synchronizer_parameters_state"]["synchronizer_parameters"]["confirmation_response_timeout"] = {"seconds": 17}
json.dump(c, open(sys.argv[2], "w"))
P
serial() { topology list -m dop | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["serial"])'; }
one=$(serial)
"$lockstep" topology propose -a "127.0.0.1:$a1" "$work/mds.json" -o json > "$work/proposed" 2>&1 || fail "propose: $(cat "$work/proposed")"
[ "$(serial)" = $((one + 1)) ] || fail "serial $(serial) after $one"
topology list -m dop | grep -q '"seconds": *17' || fail "the new parameters are not there"
"$lockstep" topology list -a "127.0.0.1:$a2" -m dop -o json | grep -q '"seconds": *17' || fail "nor at the other replica"
topology list -m dop --all | python3 -c 'import json,sys; sys.exit(len(json.load(sys.stdin)) != '$((one + 1))')' || fail "--all does not show what ended"
says 'is rejected: SerialMismatch.*nothing was changed' topology propose -a "127.0.0.1:$a1" "$work/mds.json" --serial 1
echo '{"synchronizer_parameters_state": {"synchronizer": 1}}' > "$work/bad.json"
says 'has no field synchronizer' topology propose -a "127.0.0.1:$a1" "$work/bad.json"
echo '{' > "$work/bad.json"
says 'bad.json:' topology propose -a "127.0.0.1:$a1" "$work/bad.json"
says 'no open proposal' topology authorize -a "127.0.0.1:$a1" "1220$(printf '0%.0s' $(seq 64))"
says 'no time' topology list -a "127.0.0.1:$a1" --at yesterday
topology list --store authorized -m otk | python3 -c 'import json,sys; r=json.load(sys.stdin); sys.exit(len(r) != 1 or r[0]["serial"] < 3)' || fail "the authorized store does not keep the new keys"

# A participant's namespace is not the sequencer's to sign for.
topology list -m dtc | python3 -c 'import json,sys; u=json.load(sys.stdin)[0]["content"]["synchronizer_trust_certificate"]["participant_uid"]; json.dump({"vetted_packages": {"participant_uid": u, "packages": [{"package_id": "x"}]}}, open(sys.argv[1], "w"))' "$work/vtp.json"
says 'is rejected: .*nothing was changed' topology propose -a "127.0.0.1:$a1" "$work/vtp.json"
[ "$(topology list -m vtp --all)" = '[]' ] || fail "a change without its owner's signature is in the state"

# Export, verify, and import of what is there already; a damaged one changes nothing.
"$lockstep" topology export -a "127.0.0.1:$a1" "$work/export" > /dev/null || fail "export"
"$lockstep" topology verify "$work/export" -o json > "$work/verified" || fail "verify: $(cat "$work/verified")"
grep -q '"failures": *\[\]' "$work/verified" || fail "$(cat "$work/verified")"
gzip -k "$work/export"
"$lockstep" topology verify "$work/export.gz" > /dev/null || fail "verify of the packed export"
"$lockstep" topology export -a "127.0.0.1:$a2" "$work/export2" > /dev/null || fail "export of the other replica"
cmp -s "$work/export" "$work/export2" || fail "two replicas export differently"
"$lockstep" topology import -a "127.0.0.1:$a1" "$work/export" > "$work/imported" 2>&1 || fail "import: $(cat "$work/imported")"
rows=$(topology list --all | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')
python3 - "$work/export" "$work/damaged" <<'P'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[-40] ^= 1
open(sys.argv[2], "wb").write(b)
P
! "$lockstep" topology verify "$work/damaged" > "$work/verified" 2>&1 || fail "a damaged export verifies"
"$lockstep" topology import -a "127.0.0.1:$a1" "$work/damaged" > "$work/imported" 2>&1 || :
[ "$(topology list --all | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')" = "$rows" ] || fail "a damaged import changed the state"
says 'nowhere' topology verify "$work/nowhere"
says '127.0.0.1:1' topology list -a 127.0.0.1:1 --timeout 1s
