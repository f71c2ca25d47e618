# Logs, as text and as JSON, at every level: no secret in them or in the process list; each line in its form;
# the trace of a request in the lines of everyone who handled it.
. "$srcdir/t/lib.sh"
postgres_start
for format in text json; do
    status=0
    "${PYTHON3:-python3}" "$srcdir/t/blackbox/logs_check.py" "$format" || status=$?
    [ "$status" = 77 ] && skip "no grpcio"
    [ "$status" = 0 ] || fail "$format"
done
