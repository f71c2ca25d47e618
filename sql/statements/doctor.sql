-- What `lockstep db doctor` asks and tries. It writes rows of ls_doctor and two of ls_lease and
-- ls_lease_beat whose name begins with `doctor.`, and deletes them again.

-- doctor_session: who is at the other end
-- dialect: postgresql
-- columns: pid i64, client_port i64, version text, encoding text
-- rows: 1   locks: none   plan: none   called: by db doctor
SELECT pg_backend_pid() AS pid, COALESCE(inet_client_port(), 0) AS client_port,
       current_setting('server_version') AS version, current_setting('server_encoding') AS encoding

-- doctor_session: who is at the other end
-- dialect: sqlite
-- columns: pid i64, client_port i64, version text, encoding text
-- rows: 1   locks: none   plan: none   called: by db doctor
SELECT 0 AS pid, 0 AS client_port, sqlite_version() AS version, encoding FROM pragma_encoding

-- doctor_session: who is at the other end
-- dialect: oracle
-- columns: pid i64, client_port i64, version text, encoding text
-- rows: 1   locks: none   plan: none   called: by db doctor
SELECT 0 AS pid, 0 AS client_port, MAX(p.version) AS version, MAX(n.value) AS encoding
  FROM product_component_version p CROSS JOIN nls_database_parameters n
 WHERE n.parameter = 'NLS_CHARACTERSET'

-- doctor_settings: what durability rests on; value: in this session, usual: without it
-- dialect: postgresql
-- columns: name text, value text, usual text
-- rows: 4   locks: none   plan: none   called: by db doctor
SELECT name, setting AS value, reset_val AS usual FROM pg_catalog.pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names')

-- doctor_settings: what durability rests on
-- dialect: sqlite
-- columns: name text, value text, usual text
-- rows: 2   locks: none   plan: none   called: by db doctor
SELECT 'journal_mode' AS name, journal_mode AS value, NULL AS usual FROM pragma_journal_mode
 UNION ALL SELECT 'synchronous', CAST(synchronous AS TEXT), NULL FROM pragma_synchronous

-- doctor_settings: what durability rests on; the rest needs V$
-- dialect: oracle
-- columns: name text, value text, usual text
-- rows: 1   locks: none   plan: none   called: by db doctor
SELECT 'database_role' AS name, SYS_CONTEXT('USERENV', 'DATABASE_ROLE') AS value, NULL AS usual FROM dual

-- doctor_standbys: who replicates; states that the account may not see count in attached only
-- dialect: postgresql
-- columns: attached i64, visible i64, in_sync i64
-- rows: 1   locks: none   plan: none   called: by db doctor
SELECT COUNT(*) AS attached, COUNT(sync_state) AS visible,
       COUNT(CASE WHEN sync_state IN ('sync', 'quorum') THEN 1 END) AS in_sync
  FROM pg_catalog.pg_stat_replication

-- doctor_account: what the account lacks (2), should not have (1), has if one account does all (0)
-- dialect: postgresql
-- columns: weight i64, what text
-- rows: a few   locks: none   plan: catalog   called: by db doctor
SELECT 1 AS weight, CAST('is a superuser' AS VARCHAR) AS what
  FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper
 UNION ALL
SELECT 1, 'may make roles or databases'
  FROM pg_catalog.pg_roles WHERE rolname = current_user AND (rolcreaterole OR rolcreatedb) AND NOT rolsuper
 UNION ALL
SELECT 0, 'may change the schema' WHERE has_schema_privilege(current_schema(), 'CREATE')
 UNION ALL
SELECT 2, CAST('lacks' || p.lacks || ' on ' || p.relname AS VARCHAR) FROM (
    SELECT c.relname,
           CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN '' ELSE ' SELECT' END ||
           CASE WHEN c.relname = 'ls_schema_version' OR has_table_privilege(c.oid, 'INSERT') THEN '' ELSE ' INSERT' END ||
           CASE WHEN c.relname = 'ls_schema_version' OR has_table_privilege(c.oid, 'UPDATE') THEN '' ELSE ' UPDATE' END ||
           CASE WHEN c.relname = 'ls_schema_version' OR has_table_privilege(c.oid, 'DELETE') THEN '' ELSE ' DELETE' END AS lacks
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
     WHERE s.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname LIKE 'ls!_%' ESCAPE '!') p
 WHERE p.lacks <> ''

-- doctor_account: what the account lacks (2), should not have (1), has if one account does all (0)
-- dialect: oracle
-- columns: weight i64, what text
-- rows: a few   locks: none   plan: catalog   called: by db doctor
SELECT 1 AS weight, 'has privileges over all schemas (ANY, ALTER SYSTEM)' AS what FROM dual
 WHERE EXISTS (SELECT 1 FROM session_privs WHERE privilege LIKE '% ANY %' OR privilege = 'ALTER SYSTEM')
 UNION ALL
SELECT 0, 'may make tables' FROM session_privs WHERE privilege = 'CREATE TABLE'
 UNION ALL
SELECT 2, 'lacks ' || p.privilege || ' on ' || LOWER(t.table_name)
  FROM all_tables t CROSS JOIN (
    SELECT 'SELECT' AS privilege FROM dual UNION ALL SELECT 'INSERT' FROM dual
     UNION ALL SELECT 'UPDATE' FROM dual UNION ALL SELECT 'DELETE' FROM dual) p
 WHERE t.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND t.owner <> SYS_CONTEXT('USERENV', 'SESSION_USER')
   AND t.table_name LIKE 'LS!_%' ESCAPE '!' AND (t.table_name <> 'LS_SCHEMA_VERSION' OR p.privilege = 'SELECT')
   AND NOT EXISTS (SELECT 1 FROM all_tab_privs g WHERE g.table_schema = t.owner
                      AND g.table_name = t.table_name AND g.privilege = p.privilege)

-- doctor_sizes: bytes of each table with its indexes, and about how many rows (-1: not counted yet)
-- dialect: postgresql
-- columns: name text, bytes i64, row_count i64
-- rows: one per table   locks: none   plan: catalog   called: by db doctor
SELECT CAST(c.relname AS VARCHAR) AS name, pg_total_relation_size(c.oid) AS bytes,
       CAST(c.reltuples AS BIGINT) AS row_count
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
 WHERE s.nspname = current_schema() AND c.relkind = 'r' AND c.relname LIKE 'ls!_%' ESCAPE '!'
 ORDER BY 2 DESC, 1

-- doctor_sizes: bytes of each table with its indexes
-- dialect: sqlite
-- columns: name text, bytes i64, row_count i64
-- rows: one per table   locks: none   plan: every page's header   called: by db doctor
SELECT m.tbl_name AS name, SUM(p.pgsize) AS bytes, -1 AS row_count
  FROM sqlite_master m JOIN dbstat p ON p.name = m.name
 WHERE m.tbl_name LIKE 'ls!_%' ESCAPE '!' AND p.aggregate = 1
 GROUP BY m.tbl_name ORDER BY 2 DESC, 1

-- doctor_sizes: bytes of each table, as the last statistics say; LOBs apart from it are not in
-- dialect: oracle
-- columns: name text, bytes i64, row_count i64
-- rows: one per table   locks: none   plan: catalog   called: by db doctor
SELECT LOWER(table_name) AS name, COALESCE(blocks, 0) * 8192 AS bytes, COALESCE(num_rows, -1) AS row_count
  FROM all_tables
 WHERE owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND table_name LIKE 'LS!_%' ESCAPE '!'
 ORDER BY 2 DESC, 1

-- doctor_insert: a row to try things on
-- params: id i64, noted_at i64, n i64, words text(80), digest bytes(34), payload bytes
-- rows: 1   locks: that row   plan: primary key   called: by db doctor
INSERT INTO ls_doctor (id, noted_at, n, words, digest, payload)
VALUES (:id, :noted_at, :n, :words, :digest, :payload)

-- doctor_insert_rows: many of them
-- row: id i64, noted_at i64, n i64
-- rows: as given   locks: those rows   plan: primary key   called: by db doctor
INSERT INTO ls_doctor (id, noted_at, n) VALUES :rows

-- doctor_read: a row as it was stored
-- params: id i64
-- columns: n i64, words text, digest bytes, payload bytes
-- rows: 0 or 1   locks: none   plan: primary key   called: by db doctor
SELECT n, words, digest, payload FROM ls_doctor WHERE id = :id

-- doctor_write: another payload
-- params: id i64, payload bytes
-- rows: 1   locks: that row   plan: primary key   called: by db doctor
UPDATE ls_doctor SET payload = :payload WHERE id = :id

-- doctor_touch: the smallest change
-- params: id i64
-- rows: 1   locks: that row   plan: primary key   called: by db doctor
UPDATE ls_doctor SET n = n + 1 WHERE id = :id

-- doctor_lock: keeps a row until the transaction ends
-- params: id i64
-- columns: n i64
-- rows: 1   locks: that row   plan: primary key   called: by db doctor
SELECT n FROM ls_doctor WHERE id = :id{lock}

-- doctor_lock_nowait: the same, or an error at once
-- dialect: postgresql oracle
-- params: id i64
-- columns: n i64
-- rows: 1   locks: that row   plan: primary key   called: by db doctor
SELECT n FROM ls_doctor WHERE id = :id FOR UPDATE NOWAIT

-- doctor_by_digest: bytes compared
-- params: digest bytes(34)
-- columns: id i64
-- rows: 1   locks: none   plan: index ls_doctor_digest_ix   called: by db doctor
SELECT id FROM ls_doctor WHERE digest = :digest

-- doctor_page: own rows in order
-- params: after i64, upto i64, limit i64
-- columns: id i64
-- rows: a page   locks: none   plan: primary key range   called: by db doctor
SELECT id FROM ls_doctor WHERE id > :after AND id <= :upto ORDER BY id {page}

-- doctor_clean: own rows, and what one that was killed left an hour ago
-- params: after i64, upto i64, before i64
-- rows: a few   locks: those rows   plan: whole table, which is small   called: by db doctor
DELETE FROM ls_doctor WHERE (id > :after AND id <= :upto) OR noted_at < :before

-- doctor_fenced: rows under a lease
-- dialect: postgresql
-- params: name text(64), epoch i64, holder bytes(16)
-- row: id i64, noted_at i64, n i64
-- fenced: ls_lease
-- rows: as given, 0 when fenced   locks: the lease's row, those rows   plan: primary keys   called: by db doctor
WITH f AS (
    SELECT 1 AS held FROM ls_lease WHERE name = :name AND epoch = :epoch AND holder = :holder FOR UPDATE)
INSERT INTO ls_doctor (id, noted_at, n)
SELECT v.* FROM (VALUES :rows) v (id, noted_at, n), f WHERE v.id IS NOT NULL

-- doctor_fenced: rows under a lease
-- dialect: sqlite
-- params: name text(64), epoch i64, holder bytes(16)
-- row: id i64, noted_at i64, n i64
-- fenced: ls_lease
-- rows: as given, 0 when fenced   locks: the database   plan: primary keys   called: by db doctor
UPDATE ls_lease SET epoch = epoch WHERE name = :name AND epoch = :epoch AND holder = :holder;
INSERT INTO ls_doctor (id, noted_at, n) VALUES :rows;

-- doctor_fenced: rows under a lease
-- dialect: oracle
-- params: name text(64), epoch i64, holder bytes(16)
-- row: id i64, noted_at i64, n i64
-- fenced: ls_lease
-- rows: as given, or fenced   locks: those rows, at the end the lease's   plan: primary keys   called: by db doctor
INSERT INTO ls_doctor (id, noted_at, n) VALUES :rows;
BEGIN
UPDATE ls_lease SET epoch = epoch WHERE name = :name AND epoch = :epoch AND holder = :holder;
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
COMMIT;
END;

-- doctor_lease_clean: the lease of this run, and of one that was killed an hour ago
-- params: name text(64), after text(64), before text(64)
-- rows: 1   locks: that row   plan: primary key   called: by db doctor
DELETE FROM ls_lease WHERE name = :name OR (name > :after AND name < :before)

-- doctor_beat_clean: its sign of life
-- params: name text(64), after text(64), before text(64)
-- rows: 1   locks: that row   plan: primary key   called: by db doctor
DELETE FROM ls_lease_beat WHERE name = :name OR (name > :after AND name < :before)
