-- Statements of the sequencer: members, acknowledgements, challenges.

-- sequencer_members: all that is said about members
-- columns: member_id i64, member text, is_enabled i64, revocation_epoch i64
-- rows: one per member   locks: none   plan: whole table   called: at start, and when members_version moved
SELECT member_id, member, is_enabled, revocation_epoch FROM ls_member ORDER BY member_id

-- sequencer_member: one member
-- params: member text(300)
-- columns: member_id i64, is_enabled i64, revocation_epoch i64
-- rows: 0 or 1   locks: none   plan: unique key   called: at the first use of a member
SELECT member_id, is_enabled, revocation_epoch FROM ls_member WHERE member = :member

-- sequencer_member_insert: gives a member its number; a duplicate means that somebody did
-- params: member text(300)
-- rows: 1   locks: none   plan: primary key   called: at the first use of a member
INSERT INTO ls_member (member_id, member, is_enabled, revocation_epoch)
SELECT COALESCE(MAX(m.member_id), 0) + 1, CAST(:member AS {text 300}), 1, 0 FROM ls_member m

-- sequencer_member_revoke: makes every token of a member void
-- params: member_id i64
-- rows: 1   locks: that row   plan: primary key   called: at a logout
UPDATE ls_member SET revocation_epoch = revocation_epoch + 1 WHERE member_id = :member_id

-- sequencer_members_changed: tells every replica to read the members again
-- rows: 1   locks: that row   plan: primary key   called: at a logout
UPDATE ls_synchronizer SET members_version = members_version + 1 WHERE id = 1

-- sequencer_ack: remembers the highest acknowledgement of a member
-- dialect: postgresql sqlite
-- params: member_id i64, acked_ts i64
-- rows: 1, or 0 when it is not higher   locks: that row   plan: primary key   called: at an acknowledgement
INSERT INTO ls_ack (member_id, acked_ts) VALUES (:member_id, :acked_ts)
ON CONFLICT (member_id) DO UPDATE SET acked_ts = excluded.acked_ts
 WHERE ls_ack.acked_ts < excluded.acked_ts

-- sequencer_ack: remembers the highest acknowledgement of a member
-- dialect: oracle
-- texts: first
-- params: member_id i64, acked_ts i64
-- rows: 1, or 0 when it is not higher   locks: that row   plan: primary key   called: at an acknowledgement
UPDATE ls_ack SET acked_ts = :acked_ts WHERE member_id = :member_id AND acked_ts < :acked_ts;
INSERT INTO ls_ack (member_id, acked_ts)
SELECT CAST(:member_id AS NUMBER(19)), CAST(:acked_ts AS NUMBER(19)) FROM dual
 WHERE NOT EXISTS (SELECT 1 FROM ls_ack a WHERE a.member_id = :member_id);

-- sequencer_nonce_offer: a new challenge for a member, unless one is waiting
-- dialect: postgresql sqlite
-- params: member text(300), expires_at i64, now_us i64, nonce bytes
-- rows: 1, or 0 when one waits   locks: that row   plan: primary key   called: at a challenge
INSERT INTO ls_nonce (member, expires_at, nonce) VALUES (:member, :expires_at, :nonce)
ON CONFLICT (member) DO UPDATE SET expires_at = excluded.expires_at, nonce = excluded.nonce
 WHERE ls_nonce.expires_at <= :now_us

-- sequencer_nonce_offer: a new challenge for a member, unless one is waiting
-- dialect: oracle
-- texts: first
-- params: member text(300), expires_at i64, now_us i64, nonce bytes
-- rows: 1, or 0 when one waits   locks: that row   plan: primary key   called: at a challenge
UPDATE ls_nonce SET expires_at = :expires_at, nonce = :nonce
 WHERE member = :member AND expires_at <= :now_us;
INSERT INTO ls_nonce (member, expires_at, nonce)
SELECT CAST(:member AS VARCHAR2(300 CHAR)), CAST(:expires_at AS NUMBER(19)), CAST(:nonce AS RAW(64)) FROM dual
 WHERE NOT EXISTS (SELECT 1 FROM ls_nonce n WHERE n.member = :member);

-- sequencer_nonce: the challenge that waits for a member
-- params: member text(300)
-- columns: expires_at i64, nonce bytes
-- rows: 0 or 1   locks: none   plan: primary key   called: at a challenge, at an authentication
SELECT expires_at, nonce FROM ls_nonce WHERE member = :member

-- sequencer_nonce_take: uses up a challenge
-- params: member text(300), now_us i64, nonce bytes
-- rows: 1 the winner, 0 used or expired   locks: that row   plan: primary key   called: at an authentication
DELETE FROM ls_nonce WHERE member = :member AND nonce = :nonce AND expires_at > :now_us
