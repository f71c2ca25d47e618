# The models of lease and fence hold, in every state; and with each of their mutations they do not.
. "$srcdir/t/lib.sh"
command -v spin >/dev/null || skip "no model checker: apt-get install spin"

# checked MODEL [-DMUTATION]: "STATES ERRORS", of everything that can be reached.
checked() {
    local dir=$work/$1${2:-}
    mkdir "$dir"
    (cd "$dir" && spin ${2:+"$2"} -a "$srcdir/t/model/$1.pml" && ${CC:-cc} -O1 -DSAFETY -DNOFAIR -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c &&
        ./pan -E -m1000000) > "$dir/log" 2>&1 || { cat "$dir/log" >&2; fail "$1 $2"; }
    [ -z "${2:-}" ] && grep -q 'max search depth too small\|not completed\|MEMLIM' "$dir/log" && { cat "$dir/log" >&2; fail "$1: not searched to the end"; }
    sed -n 's/.*errors: \([0-9]*\).*/\1/p; s/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$dir/log" | tac | tr '\n' ' '
}

for model in lease watch; do
    read -r states errors <<< "$(checked $model)"
    [ "$errors" = 0 ] || { cat "$work/$model/log"; fail "$model.pml does not hold"; }
    echo "$model.pml holds in $states states"
    for mutation in $(grep -o '^#if*n*def MUTATION_[A-Z]*' "$srcdir/t/model/$model.pml" | cut -d' ' -f2 | sort -u); do
        read -r states errors <<< "$(checked $model "-D$mutation")"
        [ "$errors" -gt 0 ] || fail "$model.pml holds with $mutation: it proves nothing"
        echo "$model.pml with $mutation: broken, as it must be, within $states states"
    done
done
