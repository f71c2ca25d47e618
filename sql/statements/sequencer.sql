-- Statements of the sequencer: the log, the nodes that write it, the synchronizer's row.

-- sequencer_append: log rows in and own watermark up, while the node is ours, online and where we left it, and its clock is sane
-- dialect: postgresql
-- params: node_index i64, epoch i64, previous i64, watermark i64, skew_us i64, holder bytes
-- row: ts i64, node_index i64, kind i64, sender_id i64, payload bytes
-- fenced: ls_node
-- rows: 1 and the batch   locks: own row of ls_node   plan: primary key   called: once per batch
WITH f AS (
    UPDATE ls_node SET watermark = :watermark
     WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1
       AND watermark = :previous AND watermark < :watermark
       AND (CAST(:watermark AS BIGINT) <= {now_us} + CAST(:skew_us AS BIGINT)
            OR CAST(:watermark AS BIGINT) <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000)
    RETURNING 1)
INSERT INTO ls_log (ts, node_index, kind, sender_id, payload)
SELECT v.ts, v.node_index, v.kind, v.sender_id, v.payload
  FROM (VALUES :rows) v (ts, node_index, kind, sender_id, payload), f
 WHERE v.ts IS NOT NULL

-- sequencer_append: log rows in and own watermark up, while the node is ours, online and where we left it, and its clock is sane
-- dialect: sqlite
-- params: node_index i64, epoch i64, previous i64, watermark i64, skew_us i64, holder bytes
-- row: ts i64, node_index i64, kind i64, sender_id i64, payload bytes
-- fenced: ls_node
-- rows: 1 and the batch   locks: the database   plan: primary key   called: once per batch
UPDATE ls_node SET watermark = :watermark
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1
   AND watermark = :previous AND watermark < :watermark
   AND (:watermark <= {now_us} + :skew_us
        OR :watermark <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000);
INSERT INTO ls_log (ts, node_index, kind, sender_id, payload) VALUES :rows;

-- sequencer_append: log rows in and own watermark up, while the node is ours, online and where we left it, and its clock is sane
-- dialect: oracle
-- params: node_index i64, epoch i64, previous i64, watermark i64, skew_us i64, holder bytes
-- row: ts i64, node_index i64, kind i64, sender_id i64, payload bytes
-- fenced: ls_node
-- rows: 1 and the batch   locks: own row of ls_node   plan: primary key   called: once per batch
INSERT INTO ls_log (ts, node_index, kind, sender_id, payload) VALUES :rows;
BEGIN
UPDATE ls_node SET watermark = :watermark
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1
   AND watermark = :previous AND watermark < :watermark
   AND (CAST(:watermark AS NUMBER(19)) <= {now_us} + CAST(:skew_us AS NUMBER(19))
        OR CAST(:watermark AS NUMBER(19)) <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000);
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
COMMIT;
END;

-- sequencer_beat: own watermark up without rows, and what this node has applied, while the node is ours and where we left it
-- dialect: postgresql
-- params: node_index i64, epoch i64, previous i64, watermark i64, skew_us i64, applied_ts i64, holder bytes, digest bytes
-- rows: 1, or 0 when fenced or far ahead   locks: own row   plan: primary key   called: every 250 ms when idle
UPDATE ls_node SET watermark = :watermark, applied_ts = :applied_ts, digest = :digest
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1
   AND watermark = :previous AND watermark < :watermark
   AND (CAST(:watermark AS BIGINT) <= {now_us} + CAST(:skew_us AS BIGINT)
        OR CAST(:watermark AS BIGINT) <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000)

-- sequencer_beat: own watermark up without rows, and what this node has applied, while the node is ours and where we left it
-- dialect: sqlite
-- params: node_index i64, epoch i64, previous i64, watermark i64, skew_us i64, applied_ts i64, holder bytes, digest bytes
-- rows: 1, or 0 when fenced or far ahead   locks: the database   plan: primary key   called: every 250 ms when idle
UPDATE ls_node SET watermark = :watermark, applied_ts = :applied_ts, digest = :digest
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1
   AND watermark = :previous AND watermark < :watermark
   AND (:watermark <= {now_us} + :skew_us
        OR :watermark <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000)

-- sequencer_beat: own watermark up without rows, and what this node has applied, while the node is ours and where we left it
-- dialect: oracle
-- params: node_index i64, epoch i64, previous i64, watermark i64, skew_us i64, applied_ts i64, holder bytes, digest bytes
-- rows: 1, or 0 when fenced or far ahead   locks: own row of ls_node   plan: primary key   called: every 250 ms when idle
UPDATE ls_node SET watermark = :watermark, applied_ts = :applied_ts, digest = :digest
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1
   AND watermark = :previous AND watermark < :watermark
   AND (CAST(:watermark AS NUMBER(19)) <= {now_us} + CAST(:skew_us AS NUMBER(19))
        OR CAST(:watermark AS NUMBER(19)) <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000)

-- sequencer_nodes: who is online, how far each has promised, and the version of what is said about members
-- columns: node_index i64, is_online i64, epoch i64, watermark i64, members_version i64, holder bytes
-- rows: one per node index ever used   locks: none   plan: two small tables   called: at each poll and after each commit
SELECT n.node_index AS node_index, n.is_online AS is_online, n.epoch AS epoch, n.watermark AS watermark,
       s.members_version AS members_version, n.holder AS holder
  FROM ls_node n CROSS JOIN ls_synchronizer s

-- sequencer_node_insert: first claim of a node index; a duplicate means that somebody was faster
-- params: node_index i64, start_ts i64, holder bytes
-- rows: 1   locks: none   plan: primary key   called: at a join
INSERT INTO ls_node (node_index, epoch, is_online, watermark, floor_ts, applied_ts, holder)
SELECT CAST(:node_index AS {i64}), 1, 1, COALESCE(MAX(n.watermark), CAST(:start_ts AS {i64})),
       COALESCE(MAX(n.watermark), CAST(:start_ts AS {i64})), 0, :holder
  FROM ls_node n

-- sequencer_node_claim: claims a node index that is offline; its old watermark is the floor that holds readers back
-- params: node_index i64, epoch i64, holder bytes
-- rows: 1 claimed, 0 somebody was faster   locks: that row   plan: primary key   called: at a join
UPDATE ls_node SET epoch = epoch + 1, holder = :holder, is_online = 1, floor_ts = watermark
 WHERE node_index = :node_index AND epoch = :epoch AND is_online = 0

-- sequencer_node_start: second commit of a join: starts at the largest watermark of all, offline ones included
-- params: node_index i64, epoch i64, start_ts i64, holder bytes
-- rows: 1, or 0 when fenced   locks: own row   plan: primary key, small table   called: at a join
UPDATE ls_node
   SET watermark = (SELECT CASE WHEN MAX(m.watermark) > CAST(:start_ts AS {i64}) THEN MAX(m.watermark)
                                ELSE CAST(:start_ts AS {i64}) END FROM ls_node m)
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1

-- sequencer_node_settle: moves the own epoch, which waits for a write whose answer was lost, or fences it
-- params: node_index i64, epoch i64, holder bytes, new_holder bytes
-- rows: 1, or 0 when fenced   locks: own row   plan: primary key   called: after an unknown outcome
UPDATE ls_node SET epoch = epoch + 1, holder = :new_holder
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1

-- sequencer_node_reap: marks a silent node offline; its watermark stays where it was
-- params: node_index i64, epoch i64, watermark i64, holder bytes, new_holder bytes
-- rows: 1, or 0 when it lives   locks: that row   plan: primary key   called: after a second of silence
UPDATE ls_node SET epoch = epoch + 1, holder = :new_holder, is_online = 0
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND watermark = :watermark
   AND is_online = 1

-- sequencer_node_leave: says goodbye, so that nobody waits for this node
-- params: node_index i64, epoch i64, applied_ts i64, holder bytes, digest bytes
-- rows: 1, or 0 when fenced   locks: own row   plan: primary key   called: at a clean stop
UPDATE ls_node SET is_online = 0, applied_ts = :applied_ts, digest = :digest
 WHERE node_index = :node_index AND epoch = :epoch AND holder = :holder AND is_online = 1

-- sequencer_log_page: rows of the log in order, without those that the caller has in memory
-- params: after_ts i64, upto_ts i64, own_index i64, own_from i64, own_until i64, limit i64
-- columns: ts i64, node_index i64, kind i64, payload bytes
-- rows: a page   locks: none   plan: primary key range   called: when another node has moved, at start
SELECT ts, node_index, kind, payload FROM ls_log
 WHERE ts > :after_ts AND ts <= :upto_ts AND (node_index <> :own_index OR ts < :own_from OR ts > :own_until)
 ORDER BY ts {page}

-- sequencer_log_row: one row
-- params: ts i64
-- columns: ts i64, node_index i64, kind i64, payload bytes
-- rows: 0 or 1   locks: none   plan: primary key   called: for an event that is no longer in memory
SELECT ts, node_index, kind, payload FROM ls_log WHERE ts = :ts

-- sequencer_log_insert: one row, outside of the fence: the first of all at initialisation
-- params: ts i64, node_index i64, kind i64, payload bytes
-- rows: 1   locks: none   plan: none   called: once
INSERT INTO ls_log (ts, node_index, kind, payload) VALUES (:ts, :node_index, :kind, :payload)

-- sequencer_synchronizer: the synchronizer's row
-- columns: psid text, sequencer_uid text, total_node_count i64, start_ts i64, token_key bytes, static_params bytes, genesis bytes
-- rows: 0 or 1   locks: none   plan: primary key   called: at start, while uninitialised
SELECT psid, sequencer_uid, total_node_count, start_ts, token_key, static_params, genesis
  FROM ls_synchronizer WHERE id = 1

-- sequencer_synchronizer_insert: initialises; a duplicate means that it was
-- params: psid text(384), sequencer_uid text(300), total_node_count i64, start_ts i64, token_key bytes, static_params bytes, genesis bytes
-- rows: 1   locks: none   plan: none   called: once
INSERT INTO ls_synchronizer (id, psid, sequencer_uid, total_node_count, start_ts, members_version,
                             token_key, static_params, genesis)
VALUES (1, :psid, :sequencer_uid, :total_node_count, :start_ts, 0, :token_key, :static_params, :genesis)
