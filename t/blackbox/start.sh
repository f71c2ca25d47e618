# A database that cannot be used ends the start with one line: driver, data source with its password
# blanked, what to do; and an exit status that says whether starting again may help.
. "$srcdir/t/lib.sh"
lockstepd=$builddir/lockstepd

# refused STATUS 'PATTERN' STORAGE: a participant on that storage does not start.
refused() {
    local status=0
    printf 'participants:\n  p:\n    storage: %s\n    api: {port: 0}\n    synchronizers: {s: "http://127.0.0.1:1"}\n' "$3" > "$work/p.yaml"
    timeout 30 $as "$lockstepd" -c "$work/p.yaml" > "$work/p.log" 2>&1 || status=$?
    [ "$status" = "$1" ] || fail "$3: exit status $status, not $1: $(cat "$work/p.log")"
    [ "$(grep -c ERROR "$work/p.log")" = 1 ] || fail "$3: not one line: $(cat "$work/p.log")"
    grep -q "ERROR .*cannot start: participant p: .*$2" "$work/p.log" || fail "$3: $(grep ERROR "$work/p.log")"
    ! grep -q hunter2 "$work/p.log" || fail "a secret in the log: $(cat "$work/p.log")"
}
as=

refused 78 'Driver\|DRIVER=.*Database=/nowhere/x.db.*; check the path.*LS-CONFIG' '{type: sqlite, file: /nowhere/x.db}'
mkdir "$work/folder"
refused 78 'DRIVER=.*; check the path.*LS-CONFIG' "{type: sqlite, file: $work/folder}"
head -c 5000 /dev/urandom > "$work/junk.db"
refused 78 'not a database.*LS-CONFIG' "{type: sqlite, file: $work/junk.db}"
refused 78 'driver for sqlite not found: /nowhere/lib.so; .*LS-CONFIG' '{type: sqlite, file: x.db, driver: /nowhere/lib.so}'
refused 78 'DSN=nowhere;PWD=\*\*\*: .*LS-CONFIG' '{type: postgresql, dsn: nowhere, password: hunter2}'
refused 69 'DRIVER=.*PORT=1;.*PWD=\*\*\*.*Connection refused.*LS-UNAVAILABLE' '{type: postgresql, server: 127.0.0.1, port: 1, database: d, user: u, password: hunter2}'

# A file that may be read only, for somebody who is not root.
as="setpriv --reuid 65534 --regid 65534 --clear-groups"
if [ "$(id -u)" = 0 ] && $as "$lockstepd" --version > /dev/null 2>&1; then
    mkdir "$work/ro"
    : > "$work/ro/x.db"
    chmod 644 "$work/ro/x.db"; chmod 755 "$work" "$work/ro"
    refused 69 'DRIVER=.*x.db.*read.*LS-READ-ONLY' "{type: sqlite, file: $work/ro/x.db}"
fi
as=
refused 1 'lockstep db migrate.*LS-SCHEMA' "{type: sqlite, file: $work/new.db}
    migrate-on-start: false"

postgres_start
pg="type: postgresql, server: 127.0.0.1, port: $pg_port, user: lockstep"
refused 78 'PWD=\*\*\*.*password.*LS-CONFIG' "{$pg, database: lockstep, password: hunter2}"
refused 78 'database "nowhere" does not exist.*LS-CONFIG' "{$pg, database: nowhere, password: $pg_password}"
