# Passwords: rotated while nodes run, by new content of their file; and never seen, in no log at any level, no
# message, no process list, no environment, whatever is wrong.
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
ulimit -c 0
first="S3cret one;'}{" second='S3cret=two\%+x' third=S3cret-three
said() { printf '%s\n' "$1" > "$work/pw.new"; mv "$work/pw.new" "$work/pw"; } # as an operator or kubelet does
quoted() { printf "%s" "$1" | sed "s/'/''/g"; }
rotate() { postgres_sql -c "ALTER ROLE runner PASSWORD '$(quoted "$1")'" ; }
terminate() { postgres_sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'runner'" >/dev/null; }
postgres_sql -c "CREATE ROLE runner LOGIN PASSWORD '$(quoted "$first")'; GRANT CREATE ON DATABASE lockstep TO runner"
said "$first"

# Both ways to name the file; the second node's is read again too, as its value is the whole file.
cat > "$work/demo.yaml" <<END
storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, user: runner, password-file: pw}
migrate-on-start: true
logging: {level: trace}
synchronizer:
  demo: {storage: {schema: demo}, public-api: {port: 0}, admin-api: {port: 0}}
END
: > "$work/demo.log"
"$lockstepd" -c "$work/demo.yaml" > "$work/demo.log" 2>&1 &
demo=$!
at_exit "kill -9 $demo 2>/dev/null"
await "grep -q 'lockstep ready' $work/demo.log || ! kill -0 $demo"
port() { sed -n "s|.*$2.*listening on.*$3 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
public=$(port demo sequencer/demo public-api)
cat > "$work/alice.yaml" <<END
participants:
  alice:
    storage: {type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep, schema: alice, user: runner, password: "\${file:pw}"}
    api: {port: 0}
    synchronizers: {demo: "http://127.0.0.1:$public"}
    migrate-on-start: true
logging: {level: trace, format: json}
END
: > "$work/alice.log"
"$lockstepd" -c "$work/alice.yaml" > "$work/alice.log" 2>&1 &
alice=$!
at_exit "kill -9 $alice 2>/dev/null"
await "grep -q 'alice.*listening on' $work/alice.log || ! kill -0 $alice"
api=127.0.0.1:$(sed -n 's|.*listening on api 127.0.0.1:\([0-9]*\).*|\1|p' "$work/alice.log")
"$lockstep" status "$api" --wait connected --timeout 20s > "$work/status" 2>&1 || fail "$(cat "$work/status" "$work/demo.log")"
# A command that met a fault may say so; a client tries again, as it would.
committed() { "$lockstep" submit -o json --server "$api" --payload x > "$work/answer" 2>&1 && grep -q '"verdict": *"committed"' "$work/answer"; }
committed || fail "$(cat "$work/answer")"

# The database first, then the file: what reconnects in between is refused, and comes back by itself.
rotate "$second"
terminate
await "grep -q 'password authentication failed' $work/demo.log"
"$lockstep" submit -o json --server "$api" --payload y > "$work/between" 2>&1 &
submit=$!
await "[ $(grep -c 'password authentication failed' "$pg_dir/log") -lt \$(grep -c 'password authentication failed' $pg_dir/log) ]"
said "$second"
wait "$submit" && grep -q '"verdict": *"committed"' "$work/between" || fail "sent in between: $(cat "$work/between")"
await committed 30
# The file first: nothing is noticed before the sessions end.
said "$third"
committed || fail "a session that is open does not need the new password: $(cat "$work/answer")"
rotate "$third"
terminate
await committed 30
# A file that is gone for a moment.
mv "$work/pw" "$work/pw.away"
terminate
await "grep -q 'password-file.*No such file' $work/demo.log $work/alice.log"
said "$third"
await committed 30
kill -0 "$demo" && kill -0 "$alice" || fail "a process ended: $(tail -n 3 "$work/demo.log" "$work/alice.log")"

# What anybody on the host may see of the processes.
for p in "$demo" "$alice"; do
    tr '\0' '\n' < "/proc/$p/cmdline" >> "$work/seen.cmdline"
    tr '\0' '\n' < "/proc/$p/environ" | grep -v "^PGPASSWORD\|^LS_TEST" >> "$work/seen.environ"
done

# What each fault makes the programs say: a wrong password, host, database, driver, file, keyword.
wrong() { # STORAGE...: to db verify, config check and lockstepd
    printf 'participants:\n  p:\n    storage: {%s}\n    api: {port: 0}\n    synchronizers: {s: "http://127.0.0.1:1"}\nlogging: {level: trace}\n' "$1" > "$work/p.yaml"
    local status=0
    n=$((n + 1))
    "$lockstep" db verify -c "$work/p.yaml" -o json > "$work/seen.$n.db" 2>&1 || status=$?
    [ "$status" != 0 ] || fail "$1: accepted"
    "$lockstep" config check -c "$work/p.yaml" -o json > "$work/seen.$n.config" 2>&1 || :
    ! timeout 30 "$lockstepd" -c "$work/p.yaml" > "$work/seen.$n.daemon" 2>&1 || fail "$1: lockstepd started"
}
n=0
pg="type: postgresql, server: 127.0.0.1, port: $pg_port, database: lockstep"
said 'S3cret-wrong'
wrong "$pg, user: runner, password-file: pw"
wrong "$pg, user: runner, password: S3cret-plain"
wrong "$pg, user: runner, password: S3cret-plain, password-file: pw"
wrong "$pg, user: runner, password-file: nowhere"
wrong "$pg, user: nobody-we-know, password: 'S3cret}{;x'"
wrong "type: postgresql, server: 127.0.0.1, port: 1, database: lockstep, user: u, password: S3cret-port"
wrong "type: postgresql, server: no.such.host.invalid, database: lockstep, user: u, password: S3cret-host"
wrong "$pg, user: u, password: S3cret-driver, driver: /nowhere/lib.so"
wrong "$pg, user: u, password: S3cret-driver, driver: no-such-driver"
wrong "type: postgresql, dsn: no-such-dsn, user: u, password: S3cret-dsn"
wrong "$pg, user: runner, options: \"PWD=S3cret-options\""
wrong "$pg, user: runner, options: \"pqopt={sslpassword=S3cret S3cret-more}\""
wrong "$pg, user: runner, options: \"pqopt={sslpassword='S3cret\""
wrong "$pg, user: runner, password: 9, tls: S3cret"
wrong "type: sqlite, file: nowhere/x.db, options: \"Key=S3cret-sqlite;PWD=S3cret-sqlite\""
printf 'two\nlines S3cret\n' > "$work/pw"
wrong "$pg, user: runner, password-file: pw"
head -c 5000 /dev/zero | tr '\0' S > "$work/pw"
wrong "$pg, user: runner, password-file: pw"
: > "$work/pw"
wrong "$pg, user: runner, password-file: pw"
# an end that nobody asked for
kill -ABRT "$demo"
wait "$demo" 2>/dev/null || :
kill -TERM "$alice"
wait "$alice" || fail "exit status $? of a stop"
grep -h 'S3cret\|SSSSSSS' "$work"/*.log "$work"/seen.* > "$work/leaks" || :
# tls: S3cret is a value of an option that holds none: it is repeated, and proves that the search finds.
! grep -v 'tls: "S3cret" is wrong; write one of' "$work/leaks" >&2 || fail "a secret is shown"
[ "$(wc -l < "$work/leaks")" = 3 ] || fail "the search does not find what is there"
