# storage.sh postgresql|sqlite: what the storage layer costs, one JSON object a line.
. "$srcdir/t/lib.sh"
export LS_TEST_ENGINE=${1:-postgresql} LS_TEST_SQLITE_FILE="$work/bench.db"
if [ "$LS_TEST_ENGINE" = postgresql ]; then postgres_start; fi
"$builddir/t/bench/bench_storage"
