-- Statements of the storage tests.

-- t_value_insert: one row
-- params: id i64, i i64, s text, b bytes
-- rows: 1   locks: that row   plan: primary key   called: tests
INSERT INTO t_value (id, i, s, b) VALUES (:id, :i, :s, :b)

-- t_value_insert: one row
-- dialect: oracle
-- texts: all
-- params: id i64, i i64, s text, b bytes
-- rows: 1   locks: that row   plan: primary key   called: tests
INSERT INTO t_value (id, i, s) VALUES (:id, :i, :s);
UPDATE t_value SET b = :b WHERE id = :id;

-- t_value_update: one row
-- params: id i64, i i64
-- rows: 1   locks: that row   plan: primary key   called: tests
UPDATE t_value SET i = :i WHERE id = :id

-- t_value_add: counts up
-- params: id i64, n i64
-- rows: 1   locks: that row   plan: primary key   called: tests
UPDATE t_value SET i = i + :n WHERE id = :id

-- t_value_read: one row, and what the engine says of it
-- params: id i64
-- columns: i i64, s text, b bytes, s_null i64, b_len i64
-- rows: 1   locks: none   plan: primary key   called: tests
SELECT i, s, b, CASE WHEN s IS NULL THEN 1 ELSE 0 END AS s_null, LENGTH(b) AS b_len FROM t_value WHERE id = :id

-- t_value_by_i: compares numbers as numbers
-- params: i i64
-- columns: id i64
-- rows: some   locks: none   plan: scan   called: tests
SELECT id FROM t_value WHERE i < :i ORDER BY id

-- t_value_count: how many
-- columns: n i64
-- rows: 1   locks: none   plan: scan   called: tests
SELECT COUNT(*) AS n FROM t_value

-- t_value_lock: holds a row
-- params: id i64
-- columns: i i64
-- rows: 1   locks: that row   plan: primary key   called: tests
SELECT i FROM t_value WHERE id = :id {lock}

-- t_value_clear: empties it
-- rows: all   locks: all   plan: scan   called: tests
DELETE FROM t_value

-- t_slow: takes some seconds
-- dialect: postgresql
-- columns: n i64
-- rows: 1   locks: none   plan: none   called: tests
SELECT COUNT(pg_sleep(20)) AS n

-- t_slow: takes some seconds
-- dialect: sqlite
-- columns: n i64
-- rows: 1   locks: none   plan: none   called: tests
SELECT COUNT(*) AS n FROM (WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 300000000)
    SELECT n FROM r)

-- t_slow: takes some seconds
-- dialect: oracle
-- columns: n i64
-- rows: 1   locks: none   plan: none   called: tests
WITH d AS (SELECT 1 AS one FROM dual UNION ALL SELECT 2 AS one FROM dual UNION ALL SELECT 3 AS one FROM dual
    UNION ALL SELECT 4 AS one FROM dual UNION ALL SELECT 5 AS one FROM dual UNION ALL SELECT 6 AS one FROM dual
    UNION ALL SELECT 7 AS one FROM dual UNION ALL SELECT 8 AS one FROM dual)
SELECT COUNT(*) AS n FROM d a CROSS JOIN d b CROSS JOIN d c CROSS JOIN d e CROSS JOIN d f CROSS JOIN d g CROSS JOIN d h
  CROSS JOIN d i CROSS JOIN d j CROSS JOIN d k

-- t_nap: takes 10 ms of the server and none of the processor
-- dialect: postgresql
-- columns: n i64
-- rows: 1   locks: none   plan: none   called: t/bench/bench_threads
SELECT COUNT(pg_sleep(0.01)) AS n

-- t_log_many: rows without a fence
-- row: ts i64, kind i64, name text(100), payload bytes
-- rows: as many as given   locks: those rows   plan: primary key   called: tests
INSERT INTO t_log (ts, kind, name, payload) VALUES :rows

-- t_log_page: the log in order
-- params: after_ts i64, kind i64, limit i64
-- columns: ts i64, name text, payload bytes
-- rows: a page   locks: none   plan: primary key   called: tests
SELECT ts, name, payload FROM t_log WHERE ts > :after_ts AND kind = :kind ORDER BY ts {page}

-- t_log_count: how many
-- columns: n i64
-- rows: 1   locks: none   plan: scan   called: tests
SELECT COUNT(*) AS n FROM t_log

-- t_log_clear: empties it
-- rows: all   locks: all   plan: scan   called: tests
DELETE FROM t_log

-- t_node_create: the fence row
-- params: node_index i64, epoch i64, holder bytes
-- rows: 1   locks: that row   plan: primary key   called: tests
INSERT INTO t_node (node_index, epoch, holder, watermark) VALUES (:node_index, :epoch, :holder, 0)

-- t_node_clear: empties it
-- rows: all   locks: all   plan: scan   called: tests
DELETE FROM t_node

-- t_node_take: a newer epoch
-- params: node_index i64
-- rows: 1   locks: that row   plan: primary key   called: tests
UPDATE t_node SET epoch = epoch + 1 WHERE node_index = :node_index

-- t_node_read: the fence row
-- params: node_index i64
-- columns: epoch i64, watermark i64
-- rows: 1   locks: none   plan: primary key   called: tests
SELECT epoch, watermark FROM t_node WHERE node_index = :node_index

-- t_log_fenced: log rows under the fence of their node
-- dialect: postgresql
-- params: watermark i64, node_index i64, epoch i64, holder bytes
-- row: ts i64, kind i64, name text(100), payload bytes
-- fenced: t_node
-- rows: as many as given   locks: the node's row   plan: primary keys   called: tests
WITH f AS (
    UPDATE t_node SET watermark = :watermark
     WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND watermark < :watermark RETURNING 1)
INSERT INTO t_log (ts, kind, name, payload)
SELECT v.* FROM (VALUES :rows) v (ts, kind, name, payload), f WHERE v.ts IS NOT NULL

-- t_log_fenced: log rows under the fence of their node
-- dialect: sqlite
-- params: watermark i64, node_index i64, epoch i64, holder bytes
-- row: ts i64, kind i64, name text(100), payload bytes
-- fenced: t_node
-- rows: as many as given   locks: the database   plan: primary keys   called: tests
UPDATE t_node SET watermark = :watermark
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND watermark < :watermark;
INSERT INTO t_log (ts, kind, name, payload) VALUES :rows;

-- t_log_fenced: log rows under the fence of their node
-- dialect: oracle
-- params: watermark i64, node_index i64, epoch i64, holder bytes
-- row: ts i64, kind i64, name text(100), payload bytes
-- fenced: t_node
-- rows: as many as given   locks: the node's row   plan: primary keys   called: tests
INSERT INTO t_log (ts, kind, name, payload) VALUES :rows;
BEGIN
UPDATE t_node SET watermark = :watermark
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND watermark < :watermark;
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
COMMIT;
END;

-- t_value_fenced: an update under the fence of a lease, which may find no row
-- dialect: postgresql
-- params: name text, epoch i64, holder bytes, id i64, i i64
-- columns: held i64, written i64
-- fenced: ls_lease
-- rows: 0 or 1   locks: the lease's row   plan: primary keys   called: tests
WITH f AS (SELECT name FROM ls_lease WHERE name = :name AND epoch = :epoch AND holder = :holder FOR UPDATE),
     u AS (UPDATE t_value SET i = :i FROM f WHERE t_value.id = :id RETURNING 1)
SELECT (SELECT COUNT(*) FROM f) AS held, (SELECT COUNT(*) FROM u) AS written

-- t_value_fenced: an update under the fence of a lease, which may find no row
-- dialect: sqlite
-- params: name text, epoch i64, holder bytes, id i64, i i64
-- columns: held i64, written i64
-- fenced: ls_lease
-- rows: 0 or 1   locks: the database   plan: primary keys   called: tests
UPDATE ls_lease SET epoch = epoch WHERE name = :name AND epoch = :epoch AND holder = :holder;
UPDATE t_value SET i = :i WHERE id = :id;

-- t_value_fenced: an update under the fence of a lease, which may find no row
-- dialect: oracle
-- params: name text, epoch i64, holder bytes, id i64, i i64
-- columns: held i64, written i64
-- fenced: ls_lease
-- rows: 0 or 1   locks: the value, the lease's row   plan: primary keys   called: tests
UPDATE t_value SET i = :i WHERE id = :id;
BEGIN
UPDATE ls_lease SET epoch = epoch WHERE name = :name AND epoch = :epoch AND holder = :holder;
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
COMMIT;
END;

-- t_schema_forget: undoes a note of a migration
-- params: version i64
-- rows: 1   locks: that row   plan: primary key   called: tests
DELETE FROM ls_schema_version WHERE version = :version

-- t_full: no more pages
-- dialect: sqlite
-- columns: n i64
-- rows: 1   locks: none   plan: none   called: tests
PRAGMA max_page_count = 1

-- t_read_only: makes this transaction read-only
-- dialect: postgresql
-- columns: s text
-- rows: 1   locks: none   plan: none   called: tests
SELECT set_config('transaction_read_only', 'on', true) AS s

-- t_kill_others: ends every other session of ours
-- dialect: postgresql
-- columns: n i64
-- rows: 1   locks: none   plan: none   called: tests
SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity
 WHERE usename = current_user AND pid <> pg_backend_pid()

-- t_session: what the session was set to
-- dialect: postgresql
-- columns: path text, statement_timeout text, lock_timeout text, idle_timeout text
-- rows: 1   locks: none   plan: none   called: tests
SELECT current_setting('search_path'), current_setting('statement_timeout'), current_setting('lock_timeout'),
       current_setting('idle_in_transaction_session_timeout')

-- t_backend: the server's process
-- dialect: postgresql
-- columns: pid i64
-- rows: 1   locks: none   plan: none   called: tests
SELECT pg_backend_pid() AS pid

-- t_value_get: one number
-- params: id i64
-- columns: i i64
-- rows: 1   locks: none   plan: primary key   called: tests
SELECT i FROM t_value WHERE id = :id

-- t_value_all: all numbers
-- columns: id i64, i i64
-- rows: all   locks: none   plan: scan   called: tests
SELECT id, i FROM t_value ORDER BY id

-- t_value_less: how many before a key
-- params: id i64
-- columns: n i64
-- rows: 1   locks: none   plan: primary key   called: tests
SELECT COUNT(*) AS n FROM t_value WHERE id < :id

-- t_value_swap: writes over what was seen
-- params: id i64, seen i64, i i64
-- rows: 1, or 0 when it is another   locks: that row   plan: primary key   called: tests
UPDATE t_value SET i = :i WHERE id = :id AND i = :seen

-- t_value_lock_nowait: holds a row, or says at once that somebody does
-- dialect: postgresql oracle
-- params: id i64
-- columns: i i64
-- rows: 1   locks: that row   plan: primary key   called: tests
SELECT i FROM t_value WHERE id = :id FOR UPDATE NOWAIT

-- t_value_lock_nowait: the transaction holds the whole file already
-- dialect: sqlite
-- params: id i64
-- columns: i i64
-- rows: 1   locks: that row   plan: primary key   called: tests
SELECT i FROM t_value WHERE id = :id

-- t_schema_touch: another text of an applied migration
-- params: version i64, checksum text(64)
-- rows: 1   locks: that row   plan: primary key   called: tests
UPDATE ls_schema_version SET checksum = :checksum WHERE version = :version

-- t_die: an answer that never comes: the session ends itself in the middle of the statement
-- dialect: postgresql
-- params: id i64
-- rows: none   locks: none   plan: primary key   called: tests
UPDATE t_value SET i = i + 1 WHERE id = :id AND pg_terminate_backend(pg_backend_pid())

-- t_raise: an error of any state
-- dialect: postgresql
-- params: code text
-- columns: n i64
-- rows: 1   locks: none   plan: none   called: tests
SELECT t_raise(CAST(:code AS VARCHAR)) AS n

-- t_read_only: makes this connection read-only
-- dialect: sqlite
-- rows: none   locks: none   plan: none   called: tests
PRAGMA query_only = 1

-- t_ack_read: how far a member has read
-- params: member_id i64
-- columns: acked_ts i64
-- rows: 0 or 1   locks: none   plan: primary key   called: tests
SELECT acked_ts FROM ls_ack WHERE member_id = :member_id

-- t_stage_count: what a write of the outbox left behind
-- dialect: oracle
-- columns: n i64
-- rows: 1   locks: none   plan: scan   called: tests
SELECT COUNT(*) AS n FROM ls_mediator_stage
