#!/bin/bash
# fuzz.sh SOURCE FOLDER [NAME...]: every parser under libFuzzer, from its corpus, LS_FUZZ_S seconds each (10),
# as many at once as there are cores. Builds in FOLDER. What is found stays there: a crash is then copied into
# t/fuzz/corpus by a person, whom the line on it tells how. Ends with 0, 1, or 77 without libFuzzer.
set -u
srcdir=$(cd "${1:?source folder}" && pwd) || exit 1
mkdir -p "${2:?folder to build in}" && dir=$(cd "$2" && pwd) || exit 1
shift 2
seconds=${LS_FUZZ_S:-10}
clang=clang
unset MAKEFLAGS MFLAGS MAKELEVEL
echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { (void)d; return n > 1; }' > "$dir/probe.c"
clang -fsanitize=fuzzer "$dir/probe.c" -o "$dir/probe" 2> "$dir/probe.log" || {
    echo "no libFuzzer: apt-get install clang libclang-rt-dev" >&2
    exit 77
}
if command -v ccache > /dev/null; then clang='ccache clang'; fi
sanitizers=address,undefined
[ -f "$dir/Makefile" ] && [ ! "$srcdir/configure" -nt "$dir/config.status" ] || (cd "$dir" && "$srcdir/configure" -q CC="$clang" \
    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,$sanitizers -fno-sanitize-recover=undefined" \
    LDFLAGS=-fsanitize=$sanitizers CPPFLAGS=-DLS_FUZZER) || exit 1
all=$(make -s -C "$dir" print-unit-tests | tr ' ' '\n' | sed -n 's|^t/fuzz/fuzz_||p')
names=${*:-$all}
# shellcheck disable=SC2086
make -s -C "$dir" -j"$(nproc)" LDFLAGS=-fsanitize=fuzzer,$sanitizers $(printf 't/fuzz/fuzz_%s ' $names) > "$dir/build.log" 2>&1 ||
    { tail -20 "$dir/build.log" >&2; exit 1; }
one() {
    mkdir -p "$dir/found/$1" "$dir/crash"
    "$dir/t/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$dir/crash/$1-" "$dir/found/$1" "$srcdir/t/fuzz/corpus/$1" > "$dir/$1.log" 2>&1 || {
        tail -25 "$dir/$1.log"
        echo "FAILED: fuzz_$1; input: $(sed -n 's/.*Test unit written to //p' "$dir/$1.log"); keep it in t/fuzz/corpus/$1"
        return 1
    }
    echo "fuzz_$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$1.log") inputs in $seconds s"
}
export -f one
export dir srcdir seconds
# shellcheck disable=SC2086
printf '%s\n' $names | xargs -P "$(nproc)" -I{} bash -c 'one {}'
