# Figures of issue "Identity, topology and authentication". Sourced by t/figures.
bench_programs=t/bench/bench_topology

measure() {
    "$build/t/bench/bench_topology" 5000 5 > "$work/send" || fail "bench_topology"
    figure bare-checks-per-second "$(value_of bare-checks-per-second)" /s ''
    figure applied-per-second "$(value_of applied-per-second)" /s ''
    figure share-of-bare-checks "$(value_of share-of-bare-checks)" % 70 least
}
