# t/bench/sequencer.sh ENGINE: figures of the sequencer, one JSON object a line. Not a test.
: "${srcdir:=.}"
. "$srcdir/t/lib.sh"
export LS_TEST_ENGINE=${1:-postgresql} LS_TEST_SQLITE_FILE="$work/seq.db"
if [ "$LS_TEST_ENGINE" = postgresql ]; then postgres_start; fi
"$builddir/t/bench/bench_sequencer"
