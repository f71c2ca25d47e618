#!/bin/bash
# liblockstep exports its own names and no others, all of those in its header, and its pkg-config file
# names it.
set -u
lib="$builddir/.libs/liblockstep.so"
header="$srcdir/include/lockstep/lockstep.h"
fail() { echo "FAIL: $*"; exit 1; }

[ -e "$lib" ] || fail "$lib is not there"
exported=$(nm -D --defined-only "$lib" | awk '{print $3}' | sed 's/@.*//' | sort -u)
foreign=$(grep -v '^lockstep_' <<<"$exported")
[ -z "$foreign" ] || fail "exported besides lockstep_: $foreign"
declared=$(grep -v '^typedef' "$header" | grep -oE '\blockstep_[a-z_]+\(' | tr -d '(' | sort -u)
[ "$exported" = "$declared" ] || fail "declared and exported differ: $(diff <(echo "$declared") <(echo "$exported"))"
grep -q -- '-llockstep' "$builddir/include/lockstep/lockstep.pc" || fail "lockstep.pc"
for name in $declared; do
    grep -q "$name" "$srcdir/man/liblockstep.3" || fail "$name is not in liblockstep(3)"
done
echo "PASS: $(wc -w <<<"$exported") names"
