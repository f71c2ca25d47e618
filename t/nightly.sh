#!/bin/bash
# nightly.sh SOURCE BUILD [PART...]: what `make nightly` runs: all that is good for a release and too long
# for ./check. Logs and builds lie in BUILD/nightly. Ends with one summary line, and 0 when nothing failed.
#   tsan        thread sanitizer: the unit tests, the servers on SQLite and the embedded synchronizer
#   asan        address and undefined behaviour: every test, the black-box ones too
#   kill9       100 kills of lockstepd under load, on each engine      (LS_NIGHTLY_KILLS)
#   chaos       faults at random on replicas, for longer, on PostgreSQL and on Oracle (t/fakeora)
#   lease       10000 races, 400 stops of a holder, more unknown outcomes, on each engine
#   quickstart  ./quickstart --postgres, 20 times                      (LS_NIGHTLY_QUICKSTARTS)
#   fuzz        libFuzzer on each parser, 60 s each, from its corpus   (LS_NIGHTLY_FUZZ_S)
#   migrate     kill -9 before every statement of every migration, on each engine
#   previous    the last release's program (t/storage/previous) runs on the schema of this one
#   distcheck   the tarball builds out of a read-only tree, passes its tests, installs and uninstalls
set -u
srcdir=$(cd "${1:?source folder}" && pwd) || exit 1
builddir=$(cd "${2:?build folder}" && pwd) || exit 1
shift 2
export srcdir builddir
night=$builddir/nightly
passed=0 failed=0 skipped=0
unset MAKEFLAGS MFLAGS MAKELEVEL
jobs=-j$(nproc)
gcc=gcc clang=clang
if command -v ccache >/dev/null; then gcc='ccache gcc' clang='ccache clang'; fi
mkdir -p "$night"
say() { printf '%s\n' "$*"; }

# build NAME CONFIGURE-ARGUMENT...: configured in its own folder.
build() {
    local dir=$night/$1
    shift
    mkdir -p "$dir"
    (cd "$dir" && { [ -f Makefile ] || "$srcdir/configure" -q "$@"; })
}
# tested NAME MAKE-ARGUMENT...: make check there; the log shows what failed.
tested() {
    local dir=$night/$1 f
    shift
    make -C "$dir" $jobs check TESTS= && make -C "$dir" -k $jobs check "$@" && return 0
    for f in $(grep -rlE '^:global-test-result: (FAIL|ERROR)' "$dir" --include='*.trs'); do
        say "FAILED: $f"
        tail -25 "${f%.trs}.log"
    done
    return 1
}

tsan() {
    # gRPC is not instrumented: its own locks can not be seen.
    export TSAN_OPTIONS="suppressions=$srcdir/t/tsan.supp ignore_noninstrumented_modules=1 halt_on_error=0 exitcode=66"
    build tsan CC="$gcc" CFLAGS='-O1 -g -fsanitize=thread' LDFLAGS=-fsanitize=thread &&
        tested tsan TESTS="$(unit_tests) t/sequencer/sqlite.sh t/blackbox/embedded.sh"
}
asan() {
    build asan --enable-sanitizers CC="$gcc" CFLAGS='-O1 -g' && tested asan
}
kill9() {
    local engine
    for engine in sqlite postgres; do
        LS_TEST_ROUNDS=${LS_NIGHTLY_KILLS:-100} bash "$srcdir/t/fault/kill9-$engine.sh" || return
    done
}
chaos() {
    export LS_TEST_ROUNDS=60 LS_TEST_BURST=300 LS_TEST_RATE=60
    bash "$srcdir/t/fault/chaos.sh" && LS_TEST_FAULT='' bash "$srcdir/t/fault/chaos-oracle.sh"
}
lease() {
    local script
    export LS_TEST_RACES=10000 LS_TEST_STOPS=400 LS_TEST_UNKNOWNS=5 LS_TEST_PAUSES=30 LS_TEST_FLOOD_MS=30000 LS_TEST_SLOW_S=30
    for script in "$srcdir"/t/storage/lease*.sh; do bash "$script" || return; done
}
quickstart() {
    LS_TEST_ROUNDS=${LS_NIGHTLY_QUICKSTARTS:-20} bash "$srcdir/t/blackbox/quickstart-postgres.sh"
}
fuzz() {
    local f name dir=$night/fuzz found=0
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { (void)d; return n > 1; }' >"$night/probe.c"
    clang -fsanitize=fuzzer "$night/probe.c" -o "$night/probe" || return 77
    build fuzz CC="$clang" CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
        LDFLAGS=-fsanitize=address,undefined CPPFLAGS=-DLS_FUZZER || return
    make -C "$dir" $jobs LDFLAGS=-fsanitize=fuzzer,address,undefined $(unit_tests | grep ^t/fuzz/) || return
    for f in $(unit_tests | grep ^t/fuzz/); do
        name=${f##*fuzz_}
        mkdir -p "$dir/found/$name" "$dir/crash"
        # What it finds goes to the build; a crash is then copied into t/fuzz/corpus by a person.
        (cd "$dir" && "./$f" -max_total_time="${LS_NIGHTLY_FUZZ_S:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
            -artifact_prefix="$dir/crash/$name-" "$dir/found/$name" "$srcdir/t/fuzz/corpus/$name") || found=1
    done
    return $found
}
migrate() {
    LS_TEST_STEP=1 bash "$srcdir/t/storage/migrate.sh"
}
previous() {
    local commit dir=$night/previous
    commit=$(cat "$srcdir/t/storage/previous/COMMIT")
    git -C "$srcdir" cat-file -e "$commit^{commit}" 2>/dev/null || return 77 # a tarball, or a shallow checkout
    mkdir -p "$dir"
    git -C "$srcdir" archive "$commit" | tar -x -C "$dir" || return
    (cd "$dir" && { [ -x configure ] || autoreconf -fi; } && { [ -f Makefile ] || ./configure -q CC="$gcc" CFLAGS='-O1 -g'; } &&
        make -s $jobs all) || return
    LS_TEST_PREVIOUS=$dir bash "$srcdir/t/storage/previous.sh"
}
distcheck() {
    make -C "$builddir" distcheck AM_MAKEFLAGS="$jobs" DISTCHECK_CONFIGURE_FLAGS="CC='$gcc' CFLAGS='-O1 -g'"
}
unit_tests() { make -s -C "$builddir" print-unit-tests | tr ' ' '\n'; }

for part in ${*:-tsan asan kill9 chaos lease quickstart fuzz migrate previous distcheck}; do
    case $part in tsan | asan | kill9 | chaos | lease | quickstart | fuzz | migrate | previous | distcheck) ;; *)
        say "no part '$part': tsan asan kill9 chaos lease quickstart fuzz migrate previous distcheck"
        exit 2 ;;
    esac
    began=$SECONDS
    ($part) >"$night/$part.log" 2>&1
    case $? in
    0) passed=$((passed + 1)) verdict=passed ;;
    77) skipped=$((skipped + 1)) verdict=skipped ;;
    *) failed=$((failed + 1)) verdict=FAILED ;;
    esac
    say "$verdict: $part ($((SECONDS - began)) s)"
    [ $verdict = passed ] || { tail -25 "$night/$part.log"; say "all of it: $night/$part.log"; }
done
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
