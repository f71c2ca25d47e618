# doctor-lib.sh: verbs of the tests of `lockstep db doctor`; $work/a.yaml is the configuration.
# doctor CODE: runs it; its findings are in $work/out.json.
doctor() {
    local got=0
    "$lockstep" db doctor -c "$work/a.yaml" -o json > "$work/out.json" 2> "$work/err" || got=$?
    [ "$got" = "$1" ] || { cat "$work/out.json" "$work/err" >&2; fail "the doctor ended with $got, not $1"; }
}
# found CHECK VERDICT [TEXT]: it said so.
found() {
    python3 - "$work/out.json" "$@" <<'PY' || { cat "$work/out.json" >&2; fail "not found: $*"; }
import json, sys
path, check, verdict, text = (sys.argv[1:] + [""])[:4]
rows = [r for r in json.load(open(path)) if r["check"] == check]
assert rows and all(r["verdict"] == verdict and text in r["found"] + " " + r["change"] for r in rows), rows
PY
}
not_tried() { if grep -q "\"check\":\"$1\"" "$work/out.json"; then fail "$1 was tried"; fi; }
nothing_left() {
    local left
    left=$(postgres_sql -c "SELECT (SELECT COUNT(*) FROM med.ls_doctor) + (SELECT COUNT(*) FROM med.ls_lease WHERE name LIKE 'doctor%')
        + (SELECT COUNT(*) FROM med.ls_lease_beat WHERE name LIKE 'doctor%')")
    [ "$left" = 0 ] || fail "$left rows were left"
}
# documented: every check that it made is in the manual page.
documented() {
    local check
    for check in $(grep -o '"check":"[^"]*"' "$work/out.json" | cut -d'"' -f4 | sort -u); do
        grep -q "^\.It Cm .*\b$check\b" "$srcdir/man/lockstep-db-doctor.1" || fail "lockstep-db-doctor(1) lacks $check"
    done
}
