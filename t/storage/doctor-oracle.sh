# lockstep db doctor on "Oracle": the whole checklist runs through t/fakeora, and what does not hold is found.
. "$srcdir/t/lib.sh"
. "$srcdir/t/storage/doctor-lib.sh"
lockstep=$builddir/lockstep
pg_options='-c deadlock_timeout=100ms'
oracle_start
cat > "$work/a.yaml" <<YAML
mediators:
  med:
    storage: $(ora_storage MED)
    admin-api: {port: 5022}
    sequencer-connections: ["http://127.0.0.1:5001"]
YAML
doctor 1
found schema fail 'db migrate'
not_tried fence
"$lockstep" db migrate -c "$work/a.yaml" > /dev/null

doctor 0
for check in connection schema privileges clock size isolation row-lock deadlock fence values arrays errors latency clean-up; do found $check ok; done
found connection ok 'version 19'
found durability warn 'RPO 0 when the instance crashes'
found fence ok 'in the middle of a write'
not_tried pooler
nothing_left

postgres_sql -c 'REVOKE UPDATE ON med.ls_lease FROM lockstep'
doctor 1
found privileges fail 'lacks UPDATE on ls_lease'
not_tried fence
postgres_sql -c 'GRANT UPDATE ON med.ls_lease TO lockstep'

# A driver that answers another code than we know is told by the check that needs it.
ora_fault 'before 600 match=FOR UPDATE NOWAIT'
doctor 1
found row-lock fail NOWAIT
found fence ok
nothing_left
# A session that ends in the middle of the fenced block: not taken for a success.
ora_fault 'before 3113 match=BEGIN UPDATE ls_lease SET epoch = epoch WHERE'
doctor 1
found fence fail LS-UNKNOWN-OUTCOME
found values ok
nothing_left
# A standby answers.
postgres_sql -c "CREATE OR REPLACE FUNCTION sys.sys_context(TEXT, TEXT) RETURNS TEXT LANGUAGE sql STABLE AS \$\$
    SELECT CASE upper(\$2) WHEN 'CURRENT_SCHEMA' THEN upper(current_schema()) WHEN 'SESSION_USER' THEN upper(session_user)
        WHEN 'DATABASE_ROLE' THEN 'PHYSICAL STANDBY' END \$\$"
doctor 1
found durability fail 'connect to the primary'
