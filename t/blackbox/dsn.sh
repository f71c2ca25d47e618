# A data source that odbc.ini describes works as well as driver and keywords: SQLite and PostgreSQL, for
# lockstepd and lockstep db. The system's own odbc.ini and odbcinst.ini are neither needed nor read.
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
postgres_start
driver() { # FILE: where it is
    local f
    for f in /usr/lib/*/odbc/"$1" /usr/lib/odbc/"$1" /usr/lib64/"$1" /usr/local/lib/"$1"; do
        if [ -r "$f" ]; then echo "$f"; return; fi
    done
}
sqlite_driver=$(driver libsqlite3odbc.so) postgres_driver=$(driver psqlodbcw.so)
[ -n "$sqlite_driver" ] && [ -n "$postgres_driver" ] || skip "no ODBC drivers: apt-get install libsqliteodbc odbc-postgresql"
mkdir "$work/etc"
export ODBCSYSINI=$work/etc ODBCINI=$work/etc/odbc.ini ODBCINSTINI=odbcinst.ini
printf '[private sqlite]\nDriver = %s\n[private postgresql]\nDriver = %s\n' "$sqlite_driver" "$postgres_driver" > "$ODBCSYSINI/odbcinst.ini"
cat > "$ODBCINI" <<END
[ls sequencer]
Driver = private sqlite
Database = $work/seq.db
[ls-mediator]
Driver = private postgresql
Servername = 127.0.0.1
Port = $pg_port
Database = lockstep
Username = lockstep
Password = $pg_password
[ls-alice]
Driver = private postgresql
Servername = 127.0.0.1
Port = $pg_port
Database = lockstep
[bad]
Driver = /nowhere/lib.so
END
export LOCKSTEP_PASSWORD=$pg_password
cat > "$work/seq.yaml" <<END
sequencers:
  seq: {storage: {type: sqlite, dsn: ls sequencer}, public-api: {port: 0}, admin-api: {port: 0}}
END
run() {
    : > "$work/$1.log"
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
    await "grep -q '$2.*listening on' $work/$1.log || ! kill -0 $! 2>/dev/null"
    grep -q "$2.*listening on" "$work/$1.log" || fail "$(cat "$work/$1.log")"
}
port() { sed -n "s|.*$2.*listening on.*$3 127.0.0.1:\([0-9]*\).*|\1|p" "$work/$1.log" | tail -1; }
run seq sequencer/seq
[ -s "$work/seq.db" ] || fail "not in the file that odbc.ini names"
public=$(port seq sequencer/seq public-api)
cat > "$work/rest.yaml" <<END
migrate-on-start: true
mediators:
  med:
    storage: {type: postgresql, dsn: ls-mediator, schema: med}
    admin-api: {port: 0}
    sequencer-connections: ["http://127.0.0.1:$public"]
participants:
  alice:
    storage: {type: postgresql, dsn: ls-alice, schema: alice, user: lockstep, password: "\${env:LOCKSTEP_PASSWORD}"}
    api: {port: 0}
    synchronizers: {demo: "http://127.0.0.1:$public"}
END
run rest participant/alice
await "grep -q 'mediator/med.*listening on' $work/rest.log"
alice=$(port rest participant/alice api)
"$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$(port seq sequencer/seq admin-api)" \
    --mediator "127.0.0.1:$(port rest mediator/med admin-api)" \
    --sequencer-url "http://127.0.0.1:$public" > "$work/bootstrap" 2>&1 || fail "$(cat "$work/bootstrap")"
"$lockstep" status "127.0.0.1:$alice" --wait connected --timeout 20s > "$work/status" 2>&1 || fail "$(cat "$work/status" "$work/rest.log")"
"$lockstep" submit -o json --server "127.0.0.1:$alice" --payload x > "$work/answer" 2>&1 &&
    grep -q '"verdict": *"committed"' "$work/answer" || fail "$(cat "$work/answer")"
"$lockstep" db verify -c "$work/rest.yaml" > "$work/verify" 2>&1 || fail "$(cat "$work/verify")"
! grep -q "$pg_password" "$work"/*.log || fail "the password is in a log"
for p in "$pid_rest" "$pid_seq"; do
    kill -TERM "$p"
    wait "$p" || fail "exit status $? of a stop"
done

# A data source that is not there, a driver that is not there, a wrong password: one line each.
refused() { # PATTERN STORAGE
    local status=0
    printf 'participants:\n  p:\n    storage: %s\n    api: {port: 0}\n    synchronizers: {s: "http://127.0.0.1:1"}\n' "$2" > "$work/p.yaml"
    timeout 30 "$lockstepd" -c "$work/p.yaml" > "$work/p.log" 2>&1 || status=$?
    [ "$status" = 78 ] || fail "$2: exit status $status: $(cat "$work/p.log")"
    ! grep -q hunter2 "$work/p.log" || fail "a secret: $(cat "$work/p.log")"
    [ "$(grep -c 'LS-' "$work/p.log")" = 1 ] && grep -q "$1.*LS-CONFIG" "$work/p.log" || fail "$2: $(cat "$work/p.log")"
}
refused 'cannot start: participant p: DSN=nothing.*: .*not found.*; describe the data source in odbc.ini' '{type: sqlite, dsn: nothing}'
refused 'cannot start: participant p: DSN=bad.*: .*nowhere/lib.so.*; ' '{type: sqlite, dsn: bad}'
refused 'cannot start: participant p: DSN=ls-alice;UID=lockstep;PWD=\*\*\*.*: .*password.*; check user and password' \
    '{type: postgresql, dsn: ls-alice, user: lockstep, password: hunter2}'
# What should be a name holds a password: it is not repeated.
refused 'storage.dsn: not a name of odbc.ini' '{type: postgresql, dsn: "ls-alice;PWD=hunter2"}'
