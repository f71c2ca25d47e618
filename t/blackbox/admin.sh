# A synchronizer is set up over the admin API by an owner elsewhere, with the calls of a stock console.
. "$srcdir/t/lib.sh"
run() {
    : > "$work/$1.log"
    "$builddir/lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    at_exit "kill -9 $! 2>/dev/null"
    await "grep -q 'listening on' '$work/$1.log'"
}
port() { sed -n "s|.*listening on.*$2 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log"; }

cat > "$work/seq.yaml" <<END
sequencers:
  seq: {storage: {type: sqlite, file: seq.db}, public-api: {port: 0}, admin-api: {port: 0}}
END
run seq
cat > "$work/med.yaml" <<END
mediators:
  med: {storage: {type: sqlite, file: med.db}, admin-api: {port: 0}, sequencer-connections: ["http://127.0.0.1:$(port seq public-api)"]}
END
run med
"$builddir/t/node/test_admin" "127.0.0.1:$(port seq admin-api)" "127.0.0.1:$(port med admin-api)" "http://127.0.0.1:$(port seq public-api)" ||
    fail "$(tail -n 5 "$work"/*.log)"
