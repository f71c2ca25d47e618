# The models of lease, fence and sequencers hold, in every state; and with each of their mutations they do not.
# LS_TEST_MODELS: these only. LS_TEST_BOUNDS: with these bounds (-DTOP=3 ...), and no mutations.
. "$srcdir/t/lib.sh"
command -v spin >/dev/null || skip "no model checker: apt-get install spin"

# checked MODEL [-DNAME...]: "STATES ERRORS", of everything that can be reached.
checked() {
    local model=$1 dir optimise
    shift
    dir=$work/$model$*
    dir=${dir// /}
    mkdir "$dir"
    case $* in *MUTATION*) optimise=-O1 ;; *) optimise=-O2 ;; esac
    (cd "$dir" && spin "$@" -a "$srcdir/t/model/$model.pml" &&
        ${CC:-cc} $optimise -w -DSAFETY -DNOFAIR ${LS_TEST_BOUNDS:+-DCOLLAPSE} -DMEMLIM="${LS_TEST_MODEL_MB:-1024}" -o pan pan.c &&
        ./pan -E -m1000000) > "$dir/log" 2>&1 || { cat "$dir/log" >&2; fail "$model $*"; }
    case $* in *MUTATION*) ;; *)
        grep -q 'max search depth too small\|not completed\|MEMLIM' "$dir/log" && { cat "$dir/log" >&2; fail "$model $*: not searched to the end"; } ;;
    esac
    sed -n 's/.*errors: \([0-9]*\).*/\1/p; s/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$dir/log" | tac | tr '\n' ' '
}

# holds MODEL [-DBOUND...]
holds() {
    local states errors
    read -r states errors <<< "$(checked "$@")"
    [ "$errors" = 0 ] || { cat "$work"/*/log; fail "$1.pml does not hold"; }
    echo "$1.pml ${*:2} holds in $states states"
}

for model in ${LS_TEST_MODELS:-lease watch sequencer}; do
    if [ -n "${LS_TEST_BOUNDS:-}" ]; then
        # shellcheck disable=SC2086
        holds "$model" $LS_TEST_BOUNDS
        continue
    fi
    holds "$model"
    [ "$model" != sequencer ] || holds sequencer -DJOINS=1 -DLOSSES=1 -DLOG
    for mutation in $(grep '^#' "$srcdir/t/model/$model.pml" | grep -o 'MUTATION_[A-Z]*' | sort -u); do
        read -r states errors <<< "$(checked "$model" "-D$mutation" -DLOG -DJOINS=1)"
        [ "${errors:-0}" -gt 0 ] || fail "$model.pml holds with $mutation: it proves nothing"
        echo "$model.pml with $mutation: broken, as it must be, within $states states"
    done
done
