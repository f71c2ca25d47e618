#!/bin/bash
# failpoints.sh SOURCE BUILD: each fault of t/fault/README makes its named tests fail, and without it they
# pass. BUILD is configured with --enable-failpoints. Ends with 0 when all of that is so.
set -u
srcdir=$(cd "${1:?source folder}" && pwd) || exit 1
builddir=$(cd "${2:?build folder}" && pwd) || exit 1
export srcdir builddir LS_TEST_WAIT_S=5 LS_TEST_ROUNDS=2
wrong=0 checked=0

# fault, program, test (for kill9: what the senders' records say)
table='
signature-check-off  sequencer     what_is_wrong_is_refused_at_once_and_changes_nothing
answer-before-commit kill9-sqlite  lost=[1-9]
lease-gap-ignored    storage       a_gap_starts_the_count_again
chain-check-off      client_chain  a_gap_is_a_fork
chain-check-off      client_chain  a_beginning_that_claims_a_past_is_a_fork
chain-check-off      client_chain  time_that_does_not_rise_is_a_fork
chain-check-off      client_chain  a_resume_with_another_event_is_a_fork
chain-check-off      client        a_gap_is_never_delivered
chain-check-off      client        a_resume_at_a_changed_event_is_a_fork
'

# run PROGRAM TEST: its output on stdout, its exit status.
run() {
    case $1 in
    sequencer) LS_TEST_ONLY=$2 bash "$srcdir/t/sequencer/sqlite.sh" ;;
    kill9-*) bash "$srcdir/t/fault/$1.sh" ;;
    *) LS_TEST_ONLY=$2 "$builddir/t/unit/test_$1" ;;
    esac 2>&1
}
passes() { # PROGRAM TEST
    local out
    out=$(LOCKSTEP_FAILPOINT='' run "$1" "$2") || { tail -20 <<<"$out"; return 1; }
    case $1 in
    kill9-*) grep -q '^PASS: 2 kills' <<<"$out" ;;
    *) grep -qF "[       OK ] $2" <<<"$out" ;;
    esac
}
fails() { # FAULT PROGRAM TEST
    local out
    out=$(LOCKSTEP_FAILPOINT=$1 run "$2" "$3") && return 1
    case $2 in
    kill9-*) grep -q "$3" <<<"$out" ;;
    *) grep -qF "[  FAILED  ] $3" <<<"$out" ;;
    esac || { tail -20 <<<"$out"; return 1; }
}
wrong() { echo "WRONG: $*"; wrong=1; verdict=wrong; }

# Of this script itself: a fault that does not exist is noticed, and so is a test that does not.
! fails none client_chain a_gap_is_a_fork || wrong "a fault that does nothing is not noticed"
! passes client_chain no_such_test || wrong "a test that does not exist is not noticed"

while read -r fault program test; do
    [ -n "$fault" ] || continue
    verdict=ok
    passes "$program" "$test" || wrong "$program: $test: fails without a fault"
    fails "$fault" "$program" "$test" || wrong "$program: $test: does not fail with $fault"
    echo "$fault: $program: $test: $verdict ($SECONDS s)"
    checked=$((checked + 1))
done <<<"$table"

# Every fault in the code is in the README and in the table, and the other way round.
code=$(grep -rhoE 'failpoint_is_on\("[a-z-]+"' "$srcdir/src" "$srcdir/storage" | cut -d'"' -f2 | sort -u)
readme=$(sed -nE 's/^  ([a-z-]*)  *(src\/|storage).*/\1/p' "$srcdir/t/fault/README" | sort -u)
tested=$(awk 'NF { print $1 }' <<<"$table" | sort -u)
[ "$code" = "$readme" ] || wrong "in the code: $code; in t/fault/README: $readme"
[ "$code" = "$tested" ] || wrong "in the code: $code; tested: $tested"
[ "$wrong" = 0 ] && echo "$checked named tests pass, and fail with their faults"
exit "$wrong"
