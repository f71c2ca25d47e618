#!/bin/bash
# Bad input in bulk, on an embedded synchronizer: an export of thousands of transactions with one forged
# signature in it is refused by number and reason and changes nothing, the same without the forgery is taken
# whole, also a second time; a gzip bomb is refused in bounded memory by verify, import and the server.
# LS_TEST_IMPORT: how many transactions (2000; 10000 at night).
. "$srcdir/t/lib.sh"
command -v python3 >/dev/null || skip "no python3: apt-get install python3"
python=python3
python3 -c 'import grpc' 2>/dev/null || python=/usr/bin/python3 # one of one's own may lack what Debian's has
$python -c 'import grpc' 2>/dev/null || skip "no grpc for python3: apt-get install python3-grpcio"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
n=${LS_TEST_IMPORT:-2000} memory=450
if grep -q '^C*FLAGS = .*-fsanitize\|^LS_LDFLAGS = .*-fsanitize' "$builddir/Makefile"; then memory=4000; fi # what is freed stays
public=$(free_port) admin=$(free_port)
printf 'synchronizer:\n  demo:\n    storage: {type: sqlite, file: "%s"}\n    public-api: {port: %s}\n    admin-api: {port: %s}\n' "$work/demo.db" "$public" "$admin" > "$work/demo.yaml"
"$lockstepd" -c "$work/demo.yaml" > "$work/demo.log" 2>&1 &
pid=$!
at_exit "kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null || :"
read -r number hash < <("$builddir/t/topology/bulk" "$n" "$work/good" "$work/bad") || fail "nothing generated"
await "grep -sq 'lockstep ready' '$work/demo.log'" 60

import() { "$lockstep" topology import -a "127.0.0.1:$admin" -o json "$1" > "$work/said" 2>&1; }
export_to() { "$lockstep" topology export -a "127.0.0.1:$admin" "$work/$1" > "$work/out" 2>&1 || fail "export: $(cat "$work/out")"; }
unchanged() {
    rm -f "$work/after"
    export_to after
    cmp -s "$work/before" "$work/after" || fail "$1 changed the state"
}
# refused WHAT PATTERN: the last import said this, in one line.
refused() { [ "$(wc -l < "$work/said")" = 1 ] && grep -q "$2" "$work/said" || fail "$1: $(cat "$work/said")"; }
export_to before

# ---- one forged signature in the middle ----
status=0
"$lockstep" topology verify "$work/bad" -o json > "$work/verified" 2>&1 || status=$?
[ "$status" = 1 ] || fail "verify ends with $status: $(cut -c 1-300 "$work/verified")"
python3 - "$work/verified" "$n" "$number" "$hash" <<'P' || fail "verify: $(cut -c 1-300 "$work/verified")"
import json, sys
v, (n, number, fingerprint) = json.load(open(sys.argv[1])), sys.argv[2:]
(f,) = v["failures"]
assert (f["transaction"], f["hash"]) == (int(number), fingerprint), f
assert "SignatureCheckFailed" in f["reason"], f
assert v["items"] == int(n) and v["accepted"] == int(n) - 1, v
P
"$lockstep" topology verify "$work/good" > "$work/verified" 2>&1 || fail "verify of the good: $(tail -n 3 "$work/verified")"
begun=$SECONDS
! import "$work/bad" || fail "a forged signature is imported"
[ $((SECONDS - begun)) -lt 60 ] || fail "refused after $((SECONDS - begun)) s"
refused "import" "transaction $number of $n ($hash) is rejected: SignatureCheckFailed.*nothing was changed"
unchanged "a refused import"
head -c $(($(wc -c < "$work/good") - 20)) "$work/good" > "$work/short"
! import "$work/short" || fail "an export that is cut short is imported"
refused "cut short" .
unchanged "an import cut short"

# ---- gzip bombs: 1 GiB of zeros ----
# bomb COMMAND...: is refused with the reason, soon, with less memory than this, in MiB.
dd if=/dev/zero bs=1M count=1024 status=none | gzip -1 > "$work/bomb"
hwm() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; }
bomb() {
    python3 - "$memory" "$@" > "$work/said" 2>&1 <<'P' || fail "a bomb: $*: $(cat "$work/said")"
import resource, subprocess, sys
p = subprocess.run(sys.argv[2:], capture_output=True, text=True, timeout=60)
assert p.returncode == 1 and "decompresses to more than" in p.stderr and p.stderr.count("\n") == 1, p
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
assert used < int(sys.argv[1]), "%d MiB" % used
P
}
bomb "$lockstep" topology verify "$work/bomb"
bomb "$lockstep" topology import -a "127.0.0.1:$admin" "$work/bomb"
before_hwm=$(hwm)
$python - "$admin" "$work/bomb" > "$work/said" 2>&1 <<'P' || fail "a bomb sent to the server: $(cat "$work/said")"
import grpc, sys
data, n, head = open(sys.argv[2], "rb").read(), 0, bytearray(b"\x0a")
n = len(data)
while n > 127:
    head.append(n & 127 | 128)
    n >>= 7
head.append(n)
call = grpc.insecure_channel("127.0.0.1:" + sys.argv[1]).stream_unary(
    "/com.digitalasset.canton.topology.admin.v30.TopologyManagerWriteService/ImportTopologySnapshotV2")
try:
    call(iter([bytes(head) + data]), timeout=60)
    sys.exit("it was accepted")
except grpc.RpcError as e:
    if "decompresses to more than" not in e.details():
        sys.exit("%s: %s" % (e.code(), e.details()))
P
[ $(($(hwm) - before_hwm)) -lt $((memory * 512)) ] || fail "the server took $((($(hwm) - before_hwm) / 1024)) MiB for a bomb"
unchanged "a bomb"

# ---- the same without the forgery ----
import "$work/good" || fail "the good one: $(cat "$work/said")"
rm "$work/before"
export_to before
"$lockstep" topology verify "$work/before" -o json > "$work/verified" || fail "the state does not verify"
python3 - "$work/verified" "$n" <<'P' || fail "$(cut -c 1-300 "$work/verified")"
import json, sys
v = json.load(open(sys.argv[1]))
assert v["accepted"] >= int(sys.argv[2]) + 8 and v["failures"] == [], v
P
import "$work/good" || fail "what is there already: $(cat "$work/said")"
unchanged "importing it again"
