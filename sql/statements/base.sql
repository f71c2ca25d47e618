-- Statements of storage itself; those of a node's identity and keys are in node.sql.

-- ping: proves that an idle connection still answers
-- columns: one i64
-- rows: 1   locks: none   plan: none   called: at a checkout after 100 ms of idleness
SELECT 1 AS one {dual}

-- clock: the database's clock, microseconds since 1970
-- dialect: postgresql
-- columns: now_us i64
-- rows: 1   locks: none   plan: none   called: at start and by checks
SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now_us

-- clock: the database's clock, microseconds since 1970 (to the millisecond)
-- dialect: sqlite
-- columns: now_us i64
-- rows: 1   locks: none   plan: none   called: at start and by checks
SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000000
     + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000 AS now_us

-- clock: the database's clock, microseconds since 1970
-- dialect: oracle
-- columns: now_us i64
-- rows: 1   locks: none   plan: none   called: at start and by checks
SELECT {now_us} AS now_us FROM dual

-- session_setup: sets the limits of a new session; an empty search_path setting is left alone
-- dialect: postgresql
-- params: search_path text, statement_ms text, lock_ms text, idle_ms text
-- columns: path text, client_port i64
-- rows: 1   locks: none   plan: none   called: once per connection
SELECT CASE WHEN CAST(:search_path AS VARCHAR) IS NULL THEN current_setting('search_path')
            ELSE set_config('search_path', :search_path, false) END AS path,
       COALESCE(inet_client_port(), 0) AS client_port
  FROM (SELECT set_config('statement_timeout', :statement_ms, false) AS a,
               set_config('lock_timeout', :lock_ms, false) AS b,
               set_config('idle_in_transaction_session_timeout', :idle_ms, false) AS c,
               set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                          WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false) AS d,
               set_config('default_transaction_isolation', 'read committed', false) AS e) s

-- session_setup: comparisons by bytes, and COMMIT waits for the disk, whatever the client's environment or the instance say
-- dialect: oracle
-- rows: none   locks: none   plan: none   called: once per connection
ALTER SESSION SET NLS_COMP = BINARY NLS_SORT = BINARY COMMIT_LOGGING = IMMEDIATE COMMIT_WAIT = WAIT

-- session_schema: where unqualified names are looked up, when the account is not the owner
-- dialect: oracle
-- rows: none   locks: none   plan: none   called: once per connection, when a schema is configured
ALTER SESSION SET CURRENT_SCHEMA = {schema}

-- session_check: does text arrive as it was sent (NLS_LANG)
-- dialect: oracle
-- params: sample text(8)
-- columns: sample text, chars i64
-- rows: 1   locks: none   plan: none   called: once per connection
SELECT s.sample AS sample, LENGTH(s.sample) AS chars FROM (SELECT CAST(:sample AS VARCHAR2(8 CHAR)) AS sample FROM dual) s

-- schema_exists: is there a schema of this name
-- dialect: postgresql
-- params: name text
-- columns: n i64
-- rows: 1   locks: none   plan: catalog   called: at a migration
SELECT COUNT(*) AS n FROM pg_catalog.pg_namespace WHERE nspname = :name

-- schema_create: makes the configured schema
-- dialect: postgresql
-- rows: none   locks: catalog   plan: none   called: at the first migration
CREATE SCHEMA {schema}

-- schema_version_exists: has any migration run here
-- dialect: postgresql
-- columns: n i64
-- rows: 1   locks: none   plan: catalog   called: at start
SELECT COUNT(*) AS n FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
 WHERE s.nspname = current_schema() AND c.relname = 'ls_schema_version'

-- schema_version_exists: has any migration run here
-- dialect: sqlite
-- columns: n i64
-- rows: 1   locks: none   plan: catalog   called: at start
SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name = 'ls_schema_version'

-- schema_version_exists: has any migration run here; an error (no such table) says no
-- dialect: oracle
-- columns: n i64
-- rows: 1   locks: none   plan: whole table   called: at start
SELECT COUNT(*) + 1 AS n FROM ls_schema_version

-- schema_version_create: the table that remembers what was applied
-- dialect: postgresql
-- rows: none   locks: catalog   plan: none   called: at the first migration
CREATE TABLE ls_schema_version (version BIGINT NOT NULL, name VARCHAR(64) NOT NULL,
    checksum VARCHAR(64) NOT NULL, applied_at BIGINT NOT NULL,
    CONSTRAINT ls_schema_version_pk PRIMARY KEY (version))

-- schema_version_create: the table that remembers what was applied
-- dialect: sqlite
-- rows: none   locks: database   plan: none   called: at the first migration
CREATE TABLE IF NOT EXISTS ls_schema_version (version INTEGER NOT NULL, name TEXT NOT NULL,
    checksum TEXT NOT NULL, applied_at INTEGER NOT NULL,
    CONSTRAINT ls_schema_version_pk PRIMARY KEY (version))

-- schema_version_create: the table that remembers what was applied
-- dialect: oracle
-- rows: none   locks: catalog   plan: none   called: at the first migration
CREATE TABLE ls_schema_version (version NUMBER(19) NOT NULL, name VARCHAR2(64 CHAR) NOT NULL,
    checksum VARCHAR2(64 CHAR) NOT NULL, applied_at NUMBER(19) NOT NULL,
    CONSTRAINT ls_schema_version_pk PRIMARY KEY (version))

-- migration_setup: a migration may take as long as it needs
-- dialect: postgresql
-- columns: ms text
-- rows: 1   locks: none   plan: none   called: once per migration
SELECT set_config('statement_timeout', '3600000', true) AS ms

-- schema_version_lock: keeps other starters out until the transaction ends
-- dialect: postgresql
-- rows: none   locks: that table   plan: none   called: once per migration
LOCK TABLE ls_schema_version IN EXCLUSIVE MODE

-- schema_version_list: what was applied
-- columns: version i64, name text, checksum text, applied_at i64
-- rows: some ten   locks: none   plan: primary key   called: at start
SELECT version, name, checksum, applied_at FROM ls_schema_version ORDER BY version

-- schema_version_insert: notes a migration as applied
-- params: version i64, name text(64), checksum text(64), applied_at i64
-- rows: 1   locks: that row   plan: primary key   called: once per migration
INSERT INTO ls_schema_version (version, name, checksum, applied_at)
VALUES (:version, :name, :checksum, :applied_at)

-- lease_read: who holds it, and the sign of life
-- params: name text(64)
-- columns: epoch i64, holder bytes, is_released i64, beat i64
-- rows: 1, 0 when nobody ever took it   locks: none   plan: primary keys   called: each poll of a contender
SELECT l.epoch, l.holder, l.is_released, b.beat
  FROM ls_lease l JOIN ls_lease_beat b ON b.name = l.name
 WHERE l.name = :name

-- lease_create: the row of a lease, released
-- params: name text(64), holder bytes
-- rows: 1   locks: that row   plan: primary key   called: once per name
INSERT INTO ls_lease (name, epoch, holder, is_released) VALUES (:name, 0, :holder, 1)

-- lease_beat_create: the row of its sign of life
-- params: name text(64), holder bytes
-- rows: 1   locks: that row   plan: primary key   called: once per name
INSERT INTO ls_lease_beat (name, epoch, holder, beat) VALUES (:name, 0, :holder, 0)

-- lease_take: takes over from the holder that the caller has seen silent, or that released
-- dialect: postgresql
-- params: name text(64), seen_epoch i64, seen_holder bytes, holder bytes
-- fenced: ls_lease
-- rows: 1 taken, 0 somebody was faster   locks: those rows   plan: primary keys   called: once per take-over
WITH f AS (
    UPDATE ls_lease SET epoch = epoch + 1, holder = :holder, is_released = 0
     WHERE name = :name AND epoch = :seen_epoch AND holder = :seen_holder RETURNING epoch)
UPDATE ls_lease_beat SET epoch = f.epoch, holder = :holder, beat = 0 FROM f WHERE name = :name

-- lease_take: takes over from the holder that the caller has seen silent, or that released
-- dialect: sqlite
-- params: name text(64), seen_epoch i64, seen_holder bytes, holder bytes
-- fenced: ls_lease
-- rows: 1 taken, 0 somebody was faster   locks: those rows   plan: primary keys   called: once per take-over
UPDATE ls_lease SET epoch = epoch + 1, holder = :holder, is_released = 0
 WHERE name = :name AND epoch = :seen_epoch AND holder = :seen_holder;
UPDATE ls_lease_beat SET epoch = :seen_epoch + 1, holder = :holder, beat = 0 WHERE name = :name;

-- lease_take: takes over from the holder that the caller has seen silent, or that released
-- dialect: oracle
-- params: name text(64), seen_epoch i64, seen_holder bytes, holder bytes
-- fenced: ls_lease
-- rows: 1 taken, 0 somebody was faster   locks: those rows   plan: primary keys   called: once per take-over
BEGIN
UPDATE ls_lease SET epoch = epoch + 1, holder = :holder, is_released = 0
 WHERE name = :name AND epoch = :seen_epoch AND holder = :seen_holder;
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
UPDATE ls_lease_beat SET epoch = CAST(:seen_epoch AS NUMBER(19)) + 1, holder = :holder, beat = 0 WHERE name = :name;
COMMIT;
END;

-- lease_renew: the sign of life
-- params: name text(64), epoch i64, holder bytes
-- rows: 1, 0 when the lease is lost   locks: that row   plan: primary key   called: every 250 ms
UPDATE ls_lease_beat SET beat = beat + 1 WHERE name = :name AND epoch = :epoch AND holder = :holder

-- lease_probe: is a commit quick, and is no renewal under way
-- params: name text(64), epoch i64, beat i64, holder bytes
-- rows: 1, 0 when there was a sign of life   locks: that row   plan: primary key   called: before a take-over by silence
-- Writes the row that a renewal writes: waits for one whose commit takes its time, and then finds its beat.
UPDATE ls_lease_beat SET beat = beat
 WHERE name = :name AND epoch = :epoch AND beat = :beat AND holder = :holder

-- lease_release: gives it up
-- params: name text(64), epoch i64, holder bytes
-- rows: 1, 0 when it was lost before   locks: that row   plan: primary key   called: at a clean stop
UPDATE ls_lease SET is_released = 1 WHERE name = :name AND epoch = :epoch AND holder = :holder

-- session_unblock: ends sessions of ours that hold a row of this table and wait for their client
-- dialect: postgresql
-- params: table_name text, older_than_us i64
-- columns: n i64
-- rows: 1   locks: none   plan: pg_locks   called: when a take-over is blocked
-- A stopped client keeps its row lock without end. Never one that commits: that does not wait for its client.
SELECT COUNT(pg_terminate_backend(b.pid)) AS n FROM (
    SELECT DISTINCT a.pid
      FROM pg_catalog.pg_locks k JOIN pg_catalog.pg_stat_activity a ON a.pid = k.pid
     WHERE k.relation = to_regclass(:table_name) AND k.granted AND k.database = a.datid
       AND k.mode IN ('RowShareLock', 'RowExclusiveLock')
       AND a.wait_event = 'ClientRead' AND a.usename = current_user AND a.pid <> pg_backend_pid()
       AND a.xact_start < clock_timestamp() - CAST(:older_than_us AS BIGINT) * INTERVAL '1 microsecond') b

-- txn_begin: starts a transaction
-- dialect: postgresql
-- rows: none   locks: none   plan: none   called: once per transaction
BEGIN ISOLATION LEVEL READ COMMITTED

-- txn_begin: starts a writing transaction; waits here, not at the first write
-- dialect: sqlite
-- rows: none   locks: the database against other writers   plan: none   called: once per transaction
BEGIN IMMEDIATE

-- txn_commit: makes it durable
-- dialect: postgresql sqlite
-- rows: none   locks: none   plan: none   called: once per transaction
COMMIT

-- txn_rollback: undoes it
-- dialect: postgresql sqlite
-- rows: none   locks: none   plan: none   called: after a failure
ROLLBACK
