#!/bin/bash
# Private keys at rest: encrypted under keys.encryption-key, found again after each change of it, never
# readable without it, and not to be moved from row to row.
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd
one=$(openssl rand -hex 32) two=$(openssl rand -hex 32)
printf '%s\n' "$two" > "$work/two.key"

# config 'KEYS': a participant that keeps its private keys so.
config() {
    printf '%s\nparticipants:\n  p:\n    storage: {type: sqlite, file: %s/p.db}\n    api: {port: 0}\n    synchronizers: {s: "http://127.0.0.1:1"}\n' "$1" "$work" > "$work/p.yaml"
}
# starts 'KEYS': it comes up, and stops again.
starts() {
    config "$1"
    "$lockstepd" -c "$work/p.yaml" > "$work/p.log" 2>&1 &
    local pid=$!
    at_exit "kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null || :"
    await "grep -q 'listening on' '$work/p.log' || ! kill -0 $pid"
    grep -q 'listening on' "$work/p.log" || fail "keys '$1': $(cat "$work/p.log")"
    kill $pid
    wait $pid || fail "keys '$1': it did not stop well"
    ! grep -q "$one\|$two" "$work/p.log" || fail "an encryption key is in the log"
}
# refused 'KEYS' 'PATTERN': it does not start, says why in one line, and changes nothing.
refused() {
    local status=0 before
    before=$(rows)
    config "$1"
    timeout 30 "$lockstepd" -c "$work/p.yaml" > "$work/p.log" 2>&1 || status=$?
    [ "$status" = "${3:-78}" ] || fail "keys '$1': exit status $status: $(cat "$work/p.log")"
    grep -q "$2" "$work/p.log" || fail "keys '$1': $(cat "$work/p.log")"
    ! grep -q "$one\|$two" "$work/p.log" || fail "an encryption key is in the log"
    [ "$(rows)" = "$before" ] || fail "keys '$1': the rows were changed"
}
sql() { sqlite3 "$work/p.db" "$1"; }
rows() { [ ! -e "$work/p.db" ] || sql 'SELECT fingerprint, hex(private_key) FROM ls_key ORDER BY fingerprint'; }
# forms: the first bytes of all rows, each once.
forms() { sql "SELECT DISTINCT substr(hex(private_key), 1, $1) FROM ls_key"; }
key_id() { printf 'lockstep key id' | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" | sed 's/.*= //' | cut -c1-16 | tr a-f A-F; }

unset LOCKSTEP_ENCRYPTION_KEY
refused '' 'neither the configuration nor LOCKSTEP_ENCRYPTION_KEY says how private keys are kept; write keys.encryption-key .*LS-CONFIG'
[ ! -e "$work/p.db" ] || fail "a database was made"
LOCKSTEP_ENCRYPTION_KEY=$two starts 'logging: {level: debug}'
[ "$(forms 18)" = "01$(key_id "$two")" ] || fail "not all keys are under the environment's key: $(forms 18)"
rm "$work"/p.db*
starts 'keys: {plaintext: true}'
[ "$(forms 2)" = 30 ] || fail "unencrypted keys are PKCS#8, not $(forms 2)"
public=$(sql 'SELECT hex(public_key) FROM ls_key ORDER BY fingerprint')

starts "keys: {encryption-key: $one}"
[ "$(forms 18)" = "01$(key_id "$one")" ] || fail "not all keys are under the first key: $(forms 18)"
grep -q 'stored the private keys anew, encrypted' "$work/p.log" || fail "the log does not say it"
starts "keys: {encryption-key: $one}"
! grep -q 'anew' "$work/p.log" || fail "stored anew without need"

refused "keys: {encryption-key: $two}" "under another key, its id is $(key_id "$one" | tr A-F a-f).*keys.previous-encryption-key.*LS-CONFIG"
refused 'keys: {plaintext: true}' 'under another key.*LS-CONFIG'
refused 'keys: {encryption-key: 0123}' 'keys.encryption-key: not 64 hex digits; make one with: openssl rand -hex 32 .LS-CONFIG.'
refused "keys: {encryption-key: $one, plaintext: true}" 'keys.plaintext: contradicts keys.encryption-key'
refused "keys: {previous-encryption-key: $one}" 'keys.previous-encryption-key: reads only'
refused 'keys: {encryption-key: "${credential:key}"}' 'systemd gave no credentials'

# The second key from a file, from systemd's folder, and from the environment.
starts "keys: {encryption-key: \"\${file:$work/two.key}\", previous-encryption-key: $one}"
[ "$(forms 18)" = "01$(key_id "$two")" ] || fail "not all keys are under the second key: $(forms 18)"
refused "keys: {encryption-key: $one}" 'under another key'
mkdir "$work/credentials"
cp "$work/two.key" "$work/credentials/lockstep-key"
CREDENTIALS_DIRECTORY=$work/credentials starts 'keys: {encryption-key: "${credential:lockstep-key}"}'
CREDENTIALS_DIRECTORY=$work/credentials refused 'keys: {encryption-key: "${credential:../two.key}"}' 'not the name of a credential'
LS_KEY=$two starts 'keys: {encryption-key: "${env:LS_KEY}"}'

# A row whose key came from another row, or was damaged.
cp "$work/p.db" "$work/good.db"
sql "UPDATE ls_key SET private_key = (SELECT private_key FROM ls_key ORDER BY fingerprint DESC LIMIT 1) WHERE fingerprint = (SELECT min(fingerprint) FROM ls_key)"
refused "keys: {encryption-key: $two}" 'key .* in ls_key: ciphertext not made with this key' 1
cp "$work/good.db" "$work/p.db"
sql "UPDATE ls_key SET private_key = x'0102' WHERE fingerprint = (SELECT min(fingerprint) FROM ls_key)"
refused "keys: {encryption-key: $two}" 'no wrapped key' 1
cp "$work/good.db" "$work/p.db"

# And back; the keys are the same all the way.
starts "keys: {plaintext: true, previous-encryption-key: $two}"
[ "$(forms 2)" = 30 ] || fail "not unencrypted again: $(forms 2)"
[ "$(sql 'SELECT hex(public_key) FROM ls_key ORDER BY fingerprint')" = "$public" ] || fail "the public keys changed"
