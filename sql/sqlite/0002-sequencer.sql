-- The sequencer: what it is, its nodes, its log, its members.

-- One row: the synchronizer that this sequencer serves, written once at initialisation.
CREATE TABLE IF NOT EXISTS ls_synchronizer (
    id INTEGER NOT NULL,
    psid TEXT NOT NULL,
    sequencer_uid TEXT NOT NULL,
    total_node_count INTEGER NOT NULL,
    start_ts INTEGER NOT NULL,
    members_version INTEGER NOT NULL,
    token_key BLOB NOT NULL,
    static_params BLOB NOT NULL,
    genesis BLOB NOT NULL,
    CONSTRAINT ls_synchronizer_pk PRIMARY KEY (id),
    CONSTRAINT ls_synchronizer_ck CHECK (id = 1)
);

-- The lease of each node index; its watermark is its beat, and every write fences here.
CREATE TABLE IF NOT EXISTS ls_node (
    node_index INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    is_online INTEGER NOT NULL,
    watermark INTEGER NOT NULL,
    floor_ts INTEGER NOT NULL,
    applied_ts INTEGER NOT NULL,
    holder BLOB NOT NULL,
    digest BLOB,
    CONSTRAINT ls_node_pk PRIMARY KEY (node_index),
    CONSTRAINT ls_node_ck CHECK (is_online IN (0, 1))
);

-- The ordered log. kind: 1 submission, 2 tick, 3 operator, 4 rule version.
CREATE TABLE IF NOT EXISTS ls_log (
    ts INTEGER NOT NULL,
    node_index INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    sender_id INTEGER,
    payload BLOB NOT NULL,
    CONSTRAINT ls_log_pk PRIMARY KEY (ts)
);

-- Small numbers for members, and what an operator or a logout says about them.
CREATE TABLE IF NOT EXISTS ls_member (
    member_id INTEGER NOT NULL,
    member TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    revocation_epoch INTEGER NOT NULL,
    CONSTRAINT ls_member_pk PRIMARY KEY (member_id),
    CONSTRAINT ls_member_uq UNIQUE (member),
    CONSTRAINT ls_member_ck CHECK (is_enabled IN (0, 1))
);

-- How far each member has read for good.
CREATE TABLE IF NOT EXISTS ls_ack (
    member_id INTEGER NOT NULL,
    acked_ts INTEGER NOT NULL,
    CONSTRAINT ls_ack_pk PRIMARY KEY (member_id)
);

-- Challenges that wait for their answer, at whichever replica; whoever uses one deletes it.
CREATE TABLE IF NOT EXISTS ls_nonce (
    member TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    nonce BLOB NOT NULL,
    CONSTRAINT ls_nonce_pk PRIMARY KEY (member)
);
