#!/bin/bash
# nightly.sh SOURCE BUILD [PART...]: what `make nightly` runs: all that is good for a release and too long
# for ./check. Logs and builds lie in BUILD/nightly. Ends with one summary line, and 0 when nothing failed.
#   tsan        thread sanitizer: the unit tests, the servers on SQLite and the embedded synchronizer
#   asan        address and undefined behaviour: every test, the black-box ones too
#   kill9       100 kills of lockstepd under load, on each engine      (LS_NIGHTLY_KILLS)
#   chaos       faults at random on replicas, for longer, on PostgreSQL and on Oracle (t/fakeora)
#   lease       10000 races, 400 stops of a holder, more unknown outcomes, on each engine
#   model       the sequencers' model with larger bounds, to the end
#   import      an import of 10000 transactions with one forged      (LS_TEST_IMPORT)
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
model() {
    local bounds
    for bounds in '-DTOP=2 -DJOINS=2 -DLOSSES=1' '-DTOP=2 -DJOINS=2 -DKILLS=1' '-DTOP=3 -DJOINS=2 -DLOG'; do
        LS_TEST_MODELS=sequencer LS_TEST_BOUNDS=$bounds LS_TEST_MODEL_MB=6144 bash "$srcdir/t/model/lease.sh" || return
    done
}
import() {
    LS_TEST_IMPORT=${LS_TEST_IMPORT:-10000} bash "$srcdir/t/blackbox/topology_import.sh"
}
quickstart() {
    LS_TEST_ROUNDS=${LS_NIGHTLY_QUICKSTARTS:-20} bash "$srcdir/t/blackbox/quickstart-postgres.sh"
}
fuzz() {
    LS_FUZZ_S=${LS_NIGHTLY_FUZZ_S:-60} bash "$srcdir/t/fuzz/fuzz.sh" "$srcdir" "$night/fuzz"
}
distcheck() {
    make -C "$builddir" distcheck AM_MAKEFLAGS="$jobs" DISTCHECK_CONFIGURE_FLAGS="CC='$gcc' CFLAGS='-O1 -g'"
}
unit_tests() { make -s -C "$builddir" print-unit-tests | tr ' ' '\n'; }

for part in ${*:-tsan asan kill9 chaos lease model import quickstart fuzz migrate previous distcheck}; do
    case $part in tsan | asan | kill9 | chaos | lease | model | import | quickstart | fuzz | migrate | previous | distcheck) ;; *)
        say "no part '$part': tsan asan kill9 chaos lease model import quickstart fuzz migrate previous distcheck"
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
