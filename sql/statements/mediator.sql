-- Statements of the mediator: its row, its position, its verdicts, the topology that it was told of.

-- mediator_config: the synchronizer that this mediator serves
-- columns: psid text, connections text, static_params bytes
-- rows: 0 or 1   locks: none   plan: primary key   called: at start, while uninitialised
SELECT psid, connections, static_params FROM ls_mediator WHERE id = 1

-- mediator_config_insert: initialises; a duplicate means that it was
-- params: psid text(300), connections text(4000), initialized_at i64, static_params bytes
-- rows: 1   locks: none   plan: none   called: once
INSERT INTO ls_mediator (id, psid, connections, initialized_at, static_params)
VALUES (1, :psid, :connections, :initialized_at, :static_params)

-- mediator_config_insert: initialises; a duplicate means that it was
-- dialect: oracle
-- params: psid text(300), connections text(4000), initialized_at i64, static_params bytes
-- rows: 1   locks: none   plan: none   called: once
INSERT INTO ls_mediator (id, psid, initialized_at, connections, static_params)
VALUES (1, :psid, :initialized_at, :connections, :static_params)

-- mediator_head_insert: the position before the first event
-- rows: 1   locks: none   plan: none   called: once, with mediator_config_insert
INSERT INTO ls_mediator_head (id, position_ts, seen_ts, position_hash) VALUES (1, NULL, NULL, NULL)

-- mediator_head: how far the active replica has come
-- columns: has_position i64, position_ts i64, has_seen i64, seen_ts i64, position_hash bytes
-- rows: 0 or 1   locks: none   plan: primary key   called: at start, at a take-over, every second when passive
SELECT CASE WHEN position_ts IS NULL THEN 0 ELSE 1 END AS has_position, position_ts,
       CASE WHEN seen_ts IS NULL THEN 0 ELSE 1 END AS has_seen, seen_ts, position_hash
  FROM ls_mediator_head WHERE id = 1

-- mediator_write: rows of the outbox in, states up, position on, while the lease is ours
-- dialect: postgresql
-- params: epoch i64, position_ts i64, seen_ts i64, holder bytes, position_hash bytes
-- row: kind i64, request_id i64, part i64, state i64, outcome i64, decided_ts i64, decision_ts i64,
-- row: group_index i64, uuid_expires_ts i64, participants text, uuid bytes, content bytes
-- columns: held i64, written i64
-- fenced: ls_lease
-- rows: the batch   locks: the lease's row, the head   plan: primary keys   called: once per batch of events
-- The kind is 1 for a topology broadcast (request_id is its ts, part its index), 2 a verdict, 3 a verdict's state.
-- Rows that are there already stay as they are, but for a higher state: a write can be repeated.
WITH f AS (
    SELECT 1 AS held FROM ls_lease
     WHERE name = 'mediator' AND epoch = :epoch AND holder = :holder FOR UPDATE),
v AS (
    SELECT x.* FROM (VALUES :rows) x (kind, request_id, part, state, outcome, decided_ts, decision_ts,
                                      group_index, uuid_expires_ts, participants, uuid, content)
     WHERE x.kind IS NOT NULL),
t AS (
    INSERT INTO ls_mediator_topology (ts, idx, content)
    SELECT v.request_id, v.part, v.content FROM v, f WHERE v.kind = 1
        ON CONFLICT DO NOTHING RETURNING 1),
w AS (
    INSERT INTO ls_verdict (request_id, part, state, outcome, decided_ts, decision_ts, group_index,
                            uuid_expires_ts, participants, uuid, content)
    SELECT v.request_id, v.part, v.state, v.outcome, v.decided_ts, v.decision_ts, v.group_index,
           v.uuid_expires_ts, v.participants, v.uuid, v.content
      FROM v, f WHERE v.kind = 2
        ON CONFLICT (request_id, part) DO UPDATE SET state = EXCLUDED.state
           WHERE ls_verdict.state < EXCLUDED.state RETURNING 1),
u AS (
    UPDATE ls_verdict r SET state = v.state FROM v, f
     WHERE v.kind = 3 AND r.request_id = v.request_id AND r.part = v.part AND r.state < v.state
    RETURNING 1),
h AS (
    UPDATE ls_mediator_head SET position_ts = :position_ts, seen_ts = :seen_ts, position_hash = :position_hash
      FROM f WHERE id = 1 RETURNING 1)
SELECT (SELECT COUNT(*) FROM f) AS held,
       (SELECT COUNT(*) FROM t) + (SELECT COUNT(*) FROM w) + (SELECT COUNT(*) FROM u) AS written

-- mediator_write: rows of the outbox in, states up, position on, while the lease is ours
-- dialect: sqlite
-- params: epoch i64, position_ts i64, seen_ts i64, holder bytes, position_hash bytes
-- row: kind i64, request_id i64, part i64, state i64, outcome i64, decided_ts i64, decision_ts i64,
-- row: group_index i64, uuid_expires_ts i64, participants text, uuid bytes, content bytes
-- fenced: ls_lease
-- rows: the batch   locks: the database   plan: primary keys   called: once per batch of events
-- The kind is 1 for a topology broadcast (request_id is its ts, part its index), 2 a verdict, 3 a verdict's state.
UPDATE ls_lease SET epoch = epoch WHERE name = 'mediator' AND epoch = :epoch AND holder = :holder;
INSERT OR IGNORE INTO ls_mediator_topology (ts, idx, content)
SELECT column2, column3, column12 FROM (VALUES :rows) WHERE column1 = 1;
INSERT INTO ls_verdict (request_id, part, state, outcome, decided_ts, decision_ts, group_index,
                        uuid_expires_ts, participants, uuid, content)
SELECT column2, column3, column4, column5, column6, column7, column8, column9, column10, column11, column12
  FROM (VALUES :rows) WHERE column1 = 2
    ON CONFLICT (request_id, part) DO UPDATE SET state = EXCLUDED.state
       WHERE ls_verdict.state < EXCLUDED.state;
UPDATE ls_verdict SET state = v.column4 FROM (VALUES :rows) v
 WHERE v.column1 = 3 AND request_id = v.column2 AND part = v.column3 AND state < v.column4;
UPDATE ls_mediator_head SET position_ts = :position_ts, seen_ts = :seen_ts, position_hash = :position_hash
 WHERE id = 1;

-- mediator_write: rows of the outbox in, states up, position on, while the lease is ours
-- dialect: oracle
-- params: epoch i64, position_ts i64, seen_ts i64, holder bytes, position_hash bytes
-- row: kind i64, request_id i64, part i64, state i64, outcome i64, decided_ts i64, decision_ts i64,
-- row: group_index i64, uuid_expires_ts i64, participants text, uuid bytes, content bytes
-- fenced: ls_lease
-- rows: the batch   locks: the lease's row, the head   plan: primary keys   called: once per batch of events
-- The kind is 1 for a topology broadcast (request_id is its ts, part its index), 2 a verdict, 3 a verdict's state.
-- Rows go by way of ls_mediator_stage: a row of ls_verdict that waits for its commit would block the
-- next active mediator, which decides the same requests, for as long as this one is stopped.
INSERT INTO ls_mediator_stage (holder, kind, request_id, part, state, outcome, decided_ts, decision_ts,
                               group_index, uuid_expires_ts, uuid, content)
VALUES (:holder, :row.kind, :row.request_id, :row.part, :row.state, :row.outcome, :row.decided_ts, :row.decision_ts,
        :row.group_index, :row.uuid_expires_ts, :row.uuid, :row.content);
INSERT INTO ls_mediator_stage (holder, kind, request_id, part, participants)
VALUES (:holder, 4, :row.request_id, :row.part, :row.participants!);
BEGIN
UPDATE ls_lease SET epoch = epoch WHERE name = 'mediator' AND epoch = :epoch AND holder = :holder;
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
INSERT INTO ls_mediator_topology (ts, idx, content)
SELECT s.request_id, s.part, s.content FROM ls_mediator_stage s
 WHERE s.holder = :holder AND s.kind = 1
   AND NOT EXISTS (SELECT 1 FROM ls_mediator_topology t WHERE t.ts = s.request_id AND t.idx = s.part);
INSERT INTO ls_verdict (request_id, part, state, outcome, decided_ts, decision_ts, group_index,
                        uuid_expires_ts, uuid, participants, content)
SELECT s.request_id, s.part, s.state, s.outcome, s.decided_ts, s.decision_ts, s.group_index,
       s.uuid_expires_ts, s.uuid, p.participants, s.content
  FROM ls_mediator_stage s
  LEFT JOIN ls_mediator_stage p
    ON p.holder = s.holder AND p.kind = 4 AND p.request_id = s.request_id AND p.part = s.part
 WHERE s.holder = :holder AND s.kind = 2
   AND NOT EXISTS (SELECT 1 FROM ls_verdict v WHERE v.request_id = s.request_id AND v.part = s.part);
UPDATE ls_verdict
   SET state = (SELECT MAX(s.state) FROM ls_mediator_stage s
                 WHERE s.holder = :holder AND s.request_id = ls_verdict.request_id AND s.part = ls_verdict.part
                   AND s.kind IN (2, 3))
 WHERE (request_id, part) IN (SELECT s.request_id, s.part FROM ls_mediator_stage s
                               WHERE s.holder = :holder AND s.kind IN (2, 3))
   AND state < (SELECT MAX(s.state) FROM ls_mediator_stage s
                 WHERE s.holder = :holder AND s.request_id = ls_verdict.request_id AND s.part = ls_verdict.part
                   AND s.kind IN (2, 3));
UPDATE ls_mediator_head SET position_ts = :position_ts, seen_ts = :seen_ts, position_hash = :position_hash
 WHERE id = 1;
DELETE FROM ls_mediator_stage WHERE holder = :holder;
COMMIT;
END;

-- mediator_move: position on without rows, while the lease is ours
-- dialect: postgresql
-- params: epoch i64, position_ts i64, seen_ts i64, holder bytes, position_hash bytes
-- columns: held i64, written i64
-- fenced: ls_lease
-- rows: 1   locks: the lease's row, the head   plan: primary keys   called: every second while events come
WITH f AS (
    SELECT 1 AS held FROM ls_lease
     WHERE name = 'mediator' AND epoch = :epoch AND holder = :holder FOR UPDATE),
h AS (
    UPDATE ls_mediator_head SET position_ts = :position_ts, seen_ts = :seen_ts, position_hash = :position_hash
      FROM f WHERE id = 1 RETURNING 1)
SELECT (SELECT COUNT(*) FROM f) AS held, (SELECT COUNT(*) FROM h) AS written

-- mediator_move: position on without rows, while the lease is ours
-- dialect: sqlite
-- params: epoch i64, position_ts i64, seen_ts i64, holder bytes, position_hash bytes
-- fenced: ls_lease
-- rows: 1   locks: the database   plan: primary keys   called: every second while events come
UPDATE ls_lease SET epoch = epoch WHERE name = 'mediator' AND epoch = :epoch AND holder = :holder;
UPDATE ls_mediator_head SET position_ts = :position_ts, seen_ts = :seen_ts, position_hash = :position_hash
 WHERE id = 1;

-- mediator_move: position on without rows, while the lease is ours
-- dialect: oracle
-- params: epoch i64, position_ts i64, seen_ts i64, holder bytes, position_hash bytes
-- fenced: ls_lease
-- rows: 1   locks: the lease's row, the head   plan: primary keys   called: every second while events come
BEGIN
UPDATE ls_lease SET epoch = epoch WHERE name = 'mediator' AND epoch = :epoch AND holder = :holder;
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
UPDATE ls_mediator_head SET position_ts = :position_ts, seen_ts = :seen_ts, position_hash = :position_hash
 WHERE id = 1;
COMMIT;
END;

-- mediator_topology_page: topology broadcasts in order
-- params: after_ts i64, after_idx i64, upto_ts i64, limit i64
-- columns: ts i64, idx i64, content bytes
-- rows: a page   locks: none   plan: primary key range   called: at start
SELECT ts, idx, content FROM ls_mediator_topology
 WHERE (ts > :after_ts OR (ts = :after_ts AND idx > :after_idx)) AND ts <= :upto_ts
 ORDER BY ts, idx {page}

-- mediator_uuid_page: uuids burnt by requests up to a time, by expiry
-- params: after_expires_ts i64, after_request_id i64, upto_ts i64, limit i64
-- columns: uuid_expires_ts i64, request_id i64, uuid bytes
-- rows: a page   locks: none   plan: ls_verdict_uuid_ix range   called: at start
SELECT uuid_expires_ts, request_id, uuid FROM ls_verdict
 WHERE (uuid_expires_ts > :after_expires_ts
        OR (uuid_expires_ts = :after_expires_ts AND request_id > :after_request_id))
   AND request_id <= :upto_ts
 ORDER BY uuid_expires_ts, request_id {page}

-- mediator_verdict_page: verdicts of requests after a time, in order
-- params: after_request_id i64, after_part i64, limit i64
-- columns: request_id i64, part i64, state i64, outcome i64, decided_ts i64, decision_ts i64,
-- columns: group_index i64, participants text, content bytes
-- rows: a page   locks: none   plan: primary key range   called: at start, at a take-over
SELECT request_id, part, state, outcome, decided_ts, decision_ts, group_index, participants, content
  FROM ls_verdict
 WHERE request_id > :after_request_id OR (request_id = :after_request_id AND part > :after_part)
 ORDER BY request_id, part {page}

-- mediator_unsequenced_page: verdicts of requests up to a time that may still be sequenced, by decision time
-- params: after_decision_ts i64, after_request_id i64, after_part i64, upto_ts i64, limit i64
-- columns: decision_ts i64, request_id i64, part i64, state i64, outcome i64, decided_ts i64,
-- columns: group_index i64, participants text, content bytes
-- rows: a page   locks: none   plan: ls_verdict_decision_ix range   called: at start, at a take-over
SELECT decision_ts, request_id, part, state, outcome, decided_ts, group_index, participants, content
  FROM ls_verdict
 WHERE (decision_ts > :after_decision_ts
        OR (decision_ts = :after_decision_ts
            AND (request_id > :after_request_id OR (request_id = :after_request_id AND part > :after_part))))
   AND request_id <= :upto_ts AND state < 2
 ORDER BY decision_ts, request_id, part {page}
