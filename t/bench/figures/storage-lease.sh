# Figures of lease and fence, of t/storage/lease*.sh: how often what was done, and the worst that came of it.
# Sourced by storage.sh, which calls measure_lease.

# lease_said LOG TEXT FIELD: out of the line about TEXT, the number of times or the worst milliseconds.
lease_said() {
    case $3 in
    times) sed -n "s/^[a-z]*: $2: \([0-9]*\) .*/\1/p" "$1" ;;
    worst) sed -n "s/^[a-z]*: $2: .*worst \([0-9]*\) ms.*/\1/p" "$1" ;;
    esac | tail -n 1
}

measure_lease() {
    local engine script log
    for engine in postgres sqlite oracle; do
        log=$work/lease-$engine.log
        for script in lease lease-faults lease-unknown; do
            [ -e "$srcdir/t/storage/$script-$engine.sh" ] || continue
            srcdir=$srcdir builddir=$builddir bash "$srcdir/t/storage/$script-$engine.sh" >> "$log" 2>&1 ||
                fail "$script-$engine: $(grep FAILED "$log" || tail -n 5 "$log")"
        done
        figure "$engine-lease-competed" "$(lease_said "$log" compete times)" times 1000 least
        figure "$engine-holder-stopped" "$(lease_said "$log" 'holder stopped' times)" times 100 least
        # Expiry 200 ms, poll 50 ms, and five round trips; SQLite's without its transaction (doc/architecture.md).
        figure "$engine-worst-takeover-of-stopped" "$(lease_said "$log" 'holder stopped' worst)" ms 300
        figure "$engine-worst-renewal-beside-8-writers" "$(lease_said "$log" 'renewal beside 8 writers' worst)" ms 250
        figure "$engine-unknown-outcomes" "$(sed -n 's/^[a-z]*: outcomes unknown, [a-z]*: \([0-9]*\) .*/\1/p' "$log" | awk '{ n += $1 } END { print n }')" times 1 least
    done
}
