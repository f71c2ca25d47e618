# The table of the storage suite: what it covers x engine, from the cells that the engines' runs have
# left in the build folder. A cell is ok with the number of its checks (a statement: of its executions),
# FAIL, or a hole: skipped, never called, never seen, never run, or the run itself is missing. Holes
# fail. What an engine does otherwise has a number, which stands below the table with its reason.
. "$srcdir/t/lib.sh"
engines='postgresql sqlite oracle'
cells=$builddir/t/storage

# table FOLDER: prints the table of the cells there; 0 when there is no hole and nothing failed.
table() {
    local e
    for e in $engines; do
        if [ -e "$1/cells-$e" ]; then sed "s/^/$e\t/" "$1/cells-$e"; else printf '%s\tnone\n' "$e"; fi
    done | awk -F '\t' -v engines="$engines" '
        $2 == "none" { next }
        {
            key = $2 "\t" $3
            if (!(key in seen)) { seen[key] = 1; order[++n] = key; width = length($3) > width ? length($3) : width }
            state[key, $1] = $4; count[key, $1] = $5; note[key, $1] = $6
        }
        function cell(key, e,    s, text) {
            s = (key, e) in state ? state[key, e] : "hole"
            if (s != "ok") {
                bad++
                faults = faults "\n  " e ": " s ": " key (note[key, e] == "" ? "" : ": " note[key, e])
                return s
            }
            text = "ok " count[key, e]
            if (note[key, e] != "") {
                if (!((e, note[key, e]) in number)) { number[e, note[key, e]] = ++notes; foot[notes] = e ": " note[key, e] }
                text = text " [" number[e, note[key, e]] "]"
            }
            return text
        }
        END {
            m = split(engines, engine, " ")
            for (i = 1; i <= n; i++) {
                split(order[i], part, "\t")
                if (part[1] != kind) {
                    kind = part[1]
                    printf "\n%-" width "s", kind
                    for (k = 1; k <= m; k++) printf "  %-12s", engine[k]
                    print ""
                }
                printf "%-" width "s", part[2]
                for (k = 1; k <= m; k++) printf "  %-12s", cell(order[i], engine[k])
                print ""
            }
            print ""
            for (i = 1; i <= notes; i++) print "[" i "] " foot[i]
            print n + 0 " rows, " bad + 0 " holes or failures" faults
            exit n == 0 || bad > 0
        }'
}

status=0
table "$cells" || status=1

# The lists of suite_calls.h against the headers and sources: what is new there must be covered here.
cd "$srcdir"
sed -n 's/^ *"\([a-z0-9_]*\)",.*/&/p' t/storage/suite_calls.h | grep -o '"[a-z0-9_]*"' | tr -d '"' | sort > "$work/calls"
headers='storage/doctor.h storage/db.h storage/lease.h storage/migrate.h storage/catalogue.h storage/value.h src/sequencer/node_store.h
    src/sequencer/member_store.h src/sequencer/synchronizer_store.h src/mediator/mediator_store.h src/node/node_identity.h'
{
    # A prototype begins in column 1; its name stands before the first bracket.
    grep -hE '^(MUST_CHECK |static inline )?(bool|void|enum|struct|const|int|int64_t|size_t)[^;=]*\(' $headers |
        grep -v '^typedef' | sed -E 's/^([^(]*[ *])([a-z0-9_]+)\(.*/\2/'
    sed -n '/participant_store.c ---/,/participant_streams.c ---/p' src/participant/participant_impl.h |
        grep -hE '^MUST_CHECK bool' | sed -E 's/^MUST_CHECK bool ([a-z0-9_]+)\(.*/\1/'
} | sort -u > "$work/declared"
diff "$work/declared" "$work/calls" || fail "suite_calls.h and the headers differ (<: not in the suite)"
grep -ohE '\bERR_[A-Z_]+\b' $(ls storage/*.[ch] | grep -v doctor) | grep -v '^ERR_NONE$' | sort -u > "$work/given"
sed -n '/suite_codes/,/};/p' t/storage/suite_calls.h | grep -oE '\bERR_[A-Z_]+\b' | sort -u > "$work/codes"
diff "$work/given" "$work/codes" || fail "suite_calls.h lacks a code that storage gives, or has one too many"
[ "$(ls src/*/*_store.h | wc -l)" = 4 ] || fail "a store's header is new: cover it, and name it here"

# The table is tested: each kind of fault must show.
mkdir "$work/cells"
for e in $engines; do printf 'rule\ta\tok\t3\t\nfunction\tb\tok\t1\twhy\n' > "$work/cells/cells-$e"; done
table "$work/cells" > "$work/good" || fail "a full table is refused"
grep -q 'ok 1 \[1\]' "$work/good" && grep -q '^\[1\] postgresql: why' "$work/good" || fail "no note"
planted() { ! table "$work/cells" > /dev/null || fail "not found: $1"; }
printf 'rule\ta\thole\t0\t\nfunction\tb\tok\t1\t\n' > "$work/cells/cells-oracle"; planted "a hole"
printf 'rule\ta\tFAIL\t2\t\nfunction\tb\tok\t1\t\n' > "$work/cells/cells-oracle"; planted "a failure"
printf 'rule\ta\tok\t2\t\n' > "$work/cells/cells-oracle"; planted "a row that lacks"
rm "$work/cells/cells-oracle"; planted "an engine that lacks"
rm "$work"/cells/*; planted "an empty table"
exit $status
