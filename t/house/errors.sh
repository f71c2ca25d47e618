#!/bin/bash
# Every error code of errors.def is in lockstep-errors(7), in the same order, and no other is; and whatever
# code the manual pages, the README and the samples mention exists.
. "$srcdir/t/lib.sh"
sed -n 's/^X([A-Z_]*, "\(LS-[A-Z-]*\)".*/\1/p' "$srcdir/src/base/errors.def" > "$work/defined"
[ "$(wc -l < "$work/defined")" = "$(grep -c '^X(' "$srcdir/src/base/errors.def")" ] || fail "errors.def: a row that this test does not read"
sed -n 's/^\.It Li \(LS-[A-Z-]*\)$/\1/p' "$srcdir/man/lockstep-errors.7" > "$work/documented"
diff "$work/defined" "$work/documented" || fail "errors.def and lockstep-errors(7) differ"
# A meaning: at least one sentence between two items.
awk '/^\.It Li/ { if (item && !text) print item; item = $3; text = 0; next } /^\.El/ { if (item && !text) print item; item = "" } item { text = 1 }' \
    "$srcdir/man/lockstep-errors.7" > "$work/empty"
[ ! -s "$work/empty" ] || fail "no word about $(cat "$work/empty")"
grep -ohE '\[LS-[A-Z-]+\]' "$srcdir"/man/*.[1-8] "$srcdir/README.md" "$srcdir"/etc/*.yaml "$srcdir"/doc/*.md | tr -d '[]' | sort -u > "$work/mentioned"
sort "$work/defined" | comm -13 - "$work/mentioned" > "$work/unknown"
[ ! -s "$work/unknown" ] || fail "mentioned, but not defined: $(cat "$work/unknown")"
