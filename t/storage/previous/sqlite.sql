-- authorized_insert
INSERT INTO ls_authorized_tx (seq, tx) VALUES (?, ?);
-- authorized_list
SELECT tx FROM ls_authorized_tx ORDER BY seq;
-- clock
SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000 AS now_us;
-- identity_insert
INSERT INTO ls_identity (id, kind, node_uid) VALUES (1, ?, ?);
-- identity_read
SELECT kind, node_uid FROM ls_identity WHERE id = 1;
-- key_insert
INSERT INTO ls_key (fingerprint, purpose, usages, spec, name, created_at, public_key, private_key) VALUES (?, ?, ?, ?, NULL, ?, ?, ?);
-- key_list
SELECT purpose, usages, spec, private_key FROM ls_key ORDER BY created_at, fingerprint;
-- lease_beat_create
INSERT INTO ls_lease_beat (name, epoch, holder, beat) VALUES (?, 0, ?, 0);
-- lease_create
INSERT INTO ls_lease (name, epoch, holder, is_released) VALUES (?, 0, ?, 1);
-- lease_read
SELECT l.epoch, l.holder, l.is_released, b.beat FROM ls_lease l JOIN ls_lease_beat b ON b.name = l.name WHERE l.name = ?;
-- lease_release
UPDATE ls_lease SET is_released = 1 WHERE name = ? AND epoch = ? AND holder = ?;
-- lease_renew
UPDATE ls_lease_beat SET beat = beat + 1 WHERE name = ? AND epoch = ? AND holder = ?;
-- lease_take
UPDATE ls_lease SET epoch = epoch + 1, holder = ?, is_released = 0 WHERE name = ? AND epoch = ? AND holder = ?;
-- lease_take
UPDATE ls_lease_beat SET epoch = ? + 1, holder = ?, beat = 0 WHERE name = ?;
-- mediator_config
SELECT psid, connections, static_params FROM ls_mediator WHERE id = 1;
-- mediator_config_insert
INSERT INTO ls_mediator (id, psid, connections, initialized_at, static_params) VALUES (1, ?, ?, ?, ?);
-- mediator_head
SELECT CASE WHEN position_ts IS NULL THEN 0 ELSE 1 END AS has_position, position_ts, CASE WHEN seen_ts IS NULL THEN 0 ELSE 1 END AS has_seen, seen_ts, position_hash FROM ls_mediator_head WHERE id = 1;
-- mediator_head_insert
INSERT INTO ls_mediator_head (id, position_ts, seen_ts, position_hash) VALUES (1, NULL, NULL, NULL);
-- mediator_move
UPDATE ls_lease SET epoch = epoch WHERE name = 'mediator' AND epoch = ? AND holder = ?;
-- mediator_move
UPDATE ls_mediator_head SET position_ts = ?, seen_ts = ?, position_hash = ? WHERE id = 1;
-- mediator_topology_page
SELECT ts, idx, content FROM ls_mediator_topology WHERE (ts > ? OR (ts = ? AND idx > ?)) AND ts <= ? ORDER BY ts, idx LIMIT ?;
-- mediator_unsequenced_page
SELECT decision_ts, request_id, part, state, outcome, decided_ts, group_index, participants, content FROM ls_verdict WHERE (decision_ts > ? OR (decision_ts = ? AND (request_id > ? OR (request_id = ? AND part > ?)))) AND request_id <= ? AND state < 2 ORDER BY decision_ts, request_id, part LIMIT ?;
-- mediator_uuid_page
SELECT uuid_expires_ts, request_id, uuid FROM ls_verdict WHERE (uuid_expires_ts > ? OR (uuid_expires_ts = ? AND request_id > ?)) AND request_id <= ? ORDER BY uuid_expires_ts, request_id LIMIT ?;
-- mediator_verdict_page
SELECT request_id, part, state, outcome, decided_ts, decision_ts, group_index, participants, content FROM ls_verdict WHERE request_id > ? OR (request_id = ? AND part > ?) ORDER BY request_id, part LIMIT ?;
-- mediator_write
UPDATE ls_lease SET epoch = epoch WHERE name = 'mediator' AND epoch = ? AND holder = ?;
-- mediator_write
INSERT OR IGNORE INTO ls_mediator_topology (ts, idx, content) SELECT column2, column3, column12 FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 = 1;
-- mediator_write
INSERT INTO ls_verdict (request_id, part, state, outcome, decided_ts, decision_ts, group_index, uuid_expires_ts, participants, uuid, content) SELECT column2, column3, column4, column5, column6, column7, column8, column9, column10, column11, column12 FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 = 2 ON CONFLICT (request_id, part) DO UPDATE SET state = EXCLUDED.state WHERE ls_verdict.state < EXCLUDED.state;
-- mediator_write
UPDATE ls_verdict SET state = v.column4 FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) v WHERE v.column1 = 3 AND request_id = v.column2 AND part = v.column3 AND state < v.column4;
-- mediator_write
UPDATE ls_mediator_head SET position_ts = ?, seen_ts = ?, position_hash = ? WHERE id = 1;
-- part_command_accepted
UPDATE ls_part_command SET state = 2 WHERE command_id = ? AND state = 1;
-- part_command_decided
UPDATE ls_part_command SET state = 4, outcome_id = ?, request = NULL, body = NULL WHERE command_id = ?;
-- part_command_delete
DELETE FROM ls_part_command WHERE command_id = ? AND state < 3;
-- part_command_insert
INSERT INTO ls_part_command (command_id, message_id, state, max_ts, request_ts, outcome_id, body, request) VALUES (?, ?, 1, ?, NULL, NULL, ?, ?);
-- part_command_open
SELECT command_id, message_id, state, max_ts, request_ts, body, request FROM ls_part_command WHERE state < 4 ORDER BY max_ts;
-- part_command_read
SELECT message_id, state, request_ts, outcome_id FROM ls_part_command WHERE command_id = ?;
-- part_command_sequenced
UPDATE ls_part_command SET state = 3, request_ts = ?, request = NULL WHERE command_id = ? AND state < 3;
-- part_outcome_insert
INSERT INTO ls_part_outcome (outcome_id, request_ts, body) VALUES (?, ?, ?);
-- part_outcome_list
SELECT outcome_id, body FROM ls_part_outcome WHERE outcome_id > ? ORDER BY outcome_id LIMIT ?;
-- part_position_claim
UPDATE ls_part_position SET commit_no = commit_no + 1 WHERE id = 1;
-- part_position_insert
INSERT INTO ls_part_position (id, psid, sequencer_uid, event_ts, outcome_id, commit_no, event_hash) VALUES (1, ?, ?, NULL, 0, 0, NULL);
-- part_position_move
UPDATE ls_part_position SET event_ts = ?, outcome_id = ?, commit_no = ?, event_hash = ? WHERE id = 1 AND commit_no = CAST(? AS BIGINT) - 1;
-- part_position_read
SELECT psid, sequencer_uid, event_ts, outcome_id, commit_no, event_hash FROM ls_part_position WHERE id = 1;
-- part_request_answered
UPDATE ls_part_request SET state = 2, body = ? WHERE request_ts = ?;
-- part_request_delete
DELETE FROM ls_part_request WHERE request_ts = ?;
-- part_request_insert
INSERT INTO ls_part_request (request_ts, respond_by, decide_by, mediator_group, state, command_id, view_position, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?);
-- part_request_list
SELECT request_ts, respond_by, decide_by, mediator_group, state, command_id, view_position, body FROM ls_part_request ORDER BY request_ts;
-- part_topology_insert
INSERT INTO ls_part_topology (event_ts, content) VALUES (?, ?);
-- part_topology_list
SELECT event_ts, content FROM ls_part_topology WHERE event_ts > ? ORDER BY event_ts LIMIT ?;
-- ping
SELECT 1 AS one;
-- schema_version_create
CREATE TABLE IF NOT EXISTS ls_schema_version (version INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL, CONSTRAINT ls_schema_version_pk PRIMARY KEY (version));
-- schema_version_exists
SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name = 'ls_schema_version';
-- schema_version_insert
INSERT INTO ls_schema_version (version, name, checksum, applied_at) VALUES (?, ?, ?, ?);
-- schema_version_list
SELECT version, name, checksum, applied_at FROM ls_schema_version ORDER BY version;
-- sequencer_ack
INSERT INTO ls_ack (member_id, acked_ts) VALUES (?, ?) ON CONFLICT (member_id) DO UPDATE SET acked_ts = excluded.acked_ts WHERE ls_ack.acked_ts < excluded.acked_ts;
-- sequencer_append
UPDATE ls_node SET watermark = ? WHERE node_index = ? AND epoch = ? AND holder = ? AND is_online = 1 AND watermark = ? AND watermark < ? AND (? <= CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) + ? OR ? <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000);
-- sequencer_append
INSERT INTO ls_log (ts, node_index, kind, sender_id, payload) VALUES (?, ?, ?, ?, ?);
-- sequencer_beat
UPDATE ls_node SET watermark = ?, applied_ts = ?, digest = ? WHERE node_index = ? AND epoch = ? AND holder = ? AND is_online = 1 AND watermark = ? AND watermark < ? AND (? <= CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) + ? OR ? <= (SELECT MAX(m.watermark) FROM ls_node m) + 1000);
-- sequencer_log_insert
INSERT INTO ls_log (ts, node_index, kind, payload) VALUES (?, ?, ?, ?);
-- sequencer_log_page
SELECT ts, node_index, kind, payload FROM ls_log WHERE ts > ? AND ts <= ? AND (node_index <> ? OR ts < ? OR ts > ?) ORDER BY ts LIMIT ?;
-- sequencer_log_row
SELECT ts, node_index, kind, payload FROM ls_log WHERE ts = ?;
-- sequencer_member
SELECT member_id, is_enabled, revocation_epoch FROM ls_member WHERE member = ?;
-- sequencer_member_insert
INSERT INTO ls_member (member_id, member, is_enabled, revocation_epoch) SELECT COALESCE(MAX(m.member_id), 0) + 1, CAST(? AS VARCHAR(300)), 1, 0 FROM ls_member m;
-- sequencer_member_revoke
UPDATE ls_member SET revocation_epoch = revocation_epoch + 1 WHERE member_id = ?;
-- sequencer_members
SELECT member_id, member, is_enabled, revocation_epoch FROM ls_member ORDER BY member_id;
-- sequencer_members_changed
UPDATE ls_synchronizer SET members_version = members_version + 1 WHERE id = 1;
-- sequencer_node_claim
UPDATE ls_node SET epoch = epoch + 1, holder = ?, is_online = 1, floor_ts = watermark WHERE node_index = ? AND epoch = ? AND is_online = 0;
-- sequencer_node_insert
INSERT INTO ls_node (node_index, epoch, is_online, watermark, floor_ts, applied_ts, holder) SELECT CAST(? AS BIGINT), 1, 1, COALESCE(MAX(n.watermark), CAST(? AS BIGINT)), COALESCE(MAX(n.watermark), CAST(? AS BIGINT)), 0, ? FROM ls_node n;
-- sequencer_node_leave
UPDATE ls_node SET is_online = 0, applied_ts = ?, digest = ? WHERE node_index = ? AND epoch = ? AND holder = ? AND is_online = 1;
-- sequencer_node_reap
UPDATE ls_node SET epoch = epoch + 1, holder = ?, is_online = 0 WHERE node_index = ? AND epoch = ? AND holder = ? AND watermark = ? AND is_online = 1;
-- sequencer_node_settle
UPDATE ls_node SET epoch = epoch + 1, holder = ? WHERE node_index = ? AND epoch = ? AND holder = ? AND is_online = 1;
-- sequencer_node_start
UPDATE ls_node SET watermark = (SELECT CASE WHEN MAX(m.watermark) > CAST(? AS BIGINT) THEN MAX(m.watermark) ELSE CAST(? AS BIGINT) END FROM ls_node m) WHERE node_index = ? AND epoch = ? AND holder = ? AND is_online = 1;
-- sequencer_nodes
SELECT n.node_index AS node_index, n.is_online AS is_online, n.epoch AS epoch, n.watermark AS watermark, s.members_version AS members_version, n.holder AS holder FROM ls_node n CROSS JOIN ls_synchronizer s;
-- sequencer_nonce
SELECT expires_at, nonce FROM ls_nonce WHERE member = ?;
-- sequencer_nonce_offer
INSERT INTO ls_nonce (member, expires_at, nonce) VALUES (?, ?, ?) ON CONFLICT (member) DO UPDATE SET expires_at = excluded.expires_at, nonce = excluded.nonce WHERE ls_nonce.expires_at <= ?;
-- sequencer_nonce_take
DELETE FROM ls_nonce WHERE member = ? AND nonce = ? AND expires_at > ?;
-- sequencer_synchronizer
SELECT psid, sequencer_uid, total_node_count, start_ts, token_key, static_params, genesis FROM ls_synchronizer WHERE id = 1;
-- sequencer_synchronizer_insert
INSERT INTO ls_synchronizer (id, psid, sequencer_uid, total_node_count, start_ts, members_version, token_key, static_params, genesis) VALUES (1, ?, ?, ?, ?, 0, ?, ?, ?);
-- txn_begin
BEGIN IMMEDIATE;
-- txn_commit
COMMIT;
-- txn_rollback
ROLLBACK;
