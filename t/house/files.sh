#!/bin/bash
# Every file of ours: no C file over 800 lines, no function over 80; laid out as .clang-format says; no path
# of somebody's machine; and all of them are in the tarball. Then the test is tested with planted faults.
. "$srcdir/t/lib.sh"
fault() { echo "$*"; echo x >> "$work/faults"; }
ours() { # PATTERN...
    if [ -e "$srcdir/.git" ]; then git -C "$srcdir" ls-files "$@"; else (cd "$srcdir" && find README.md doc etc include man proto sql src storage t -type f | grep -E '\.(c|h|sh|py|sql|yaml|md|proto|awk|mk|def|[1-8])$'); fi
}
# To be split; no other may join them.
too_long_for_now='src/mediator/core.c'

# long_parts FILE: what is too long. A function begins and ends with a brace of its own in column 1.
long_parts() {
    awk '/^\{/ { start = FNR } /^\}/ { if (start && FNR - start - 1 > 80) print FILENAME ":" start ": a function of " FNR - start - 1 " lines, more than 80"; start = 0 }
        END { if (FNR > 800) print FILENAME ": " FNR " lines, more than 800" }' "$1"
}
machine_paths() { # FILE...; what mkdtemp fills is nobody's path
    grep -HnIE '(^|[^A-Za-z0-9_.$}/-])/(work|home/[a-z]+|root|Users)/|(^|[^-])/tmp/[A-Za-z0-9]' "$@" | grep -v XXXXXX
}

cd "$srcdir"
for f in $(ours '*.c' '*.h' | grep -E '\.[ch]$'); do
    case " $too_long_for_now " in *" $f "*) continue ;; esac
    found=$(long_parts "$f")
    [ -z "$found" ] || fault "$found"
done
found=$(machine_paths $(ours | grep -v '^t/house/files.sh$') || :)
[ -z "$found" ] || fault "paths of a machine: $found"
if command -v clang-format >/dev/null; then
    found=$(ours '*.c' '*.h' | grep -E '\.[ch]$' | xargs clang-format --dry-run -Werror 2>&1 | grep error: | cut -d: -f1 | sort -u)
    [ -z "$found" ] || fault "not as .clang-format says (make format): $found"
fi

if [ -e "$srcdir/.git" ]; then
    env -u MAKEFLAGS -u MFLAGS make -C "$builddir" -s distdir distdir="$work/dist" top_distdir="$work/dist" > "$work/dist.log" 2>&1 ||
        fail "make distdir: $(tail -5 "$work/dist.log")"
    found=$(ours | grep -vE '(^|/)\.(gitignore|keep)$' | while read -r f; do [ -e "$work/dist/$f" ] || echo "$f"; done)
    [ -z "$found" ] || fault "in git, not in the tarball (EXTRA_DIST): $found"
fi

# planted TEXT COMMAND...: that text in a file is found by that command.
planted() {
    printf '%b\n' "$1" > "$work/planted.c"
    shift
    [ -n "$("$@" "$work/planted.c" 2>&1)" ] || fault "not found: $(head -c 40 "$work/planted.c")"
}
planted "f(void)\n{\n$(printf ';\\n%.0s' $(seq 81))}" long_parts
planted "$(printf ';\\n%.0s' $(seq 801))" long_parts
planted 'cd /home/somebody/x' machine_paths
planted '"/work/x"' machine_paths
[ ! -e "$work/faults" ] || fail "$(wc -l < "$work/faults") faults"
