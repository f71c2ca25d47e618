-- The sequencer: what it is, its nodes, its log, its members.

-- One row: the synchronizer that this sequencer serves, written once at initialisation.
CREATE TABLE IF NOT EXISTS ls_synchronizer (
    id SMALLINT NOT NULL,
    psid VARCHAR(384) NOT NULL,
    sequencer_uid VARCHAR(300) NOT NULL,
    total_node_count BIGINT NOT NULL,
    start_ts BIGINT NOT NULL,
    members_version BIGINT NOT NULL,
    token_key BYTEA NOT NULL,
    static_params BYTEA NOT NULL,
    genesis BYTEA NOT NULL,
    CONSTRAINT ls_synchronizer_pk PRIMARY KEY (id),
    CONSTRAINT ls_synchronizer_ck CHECK (id = 1)
);

-- The lease of each node index; its watermark is its beat, and every write fences here.
CREATE TABLE IF NOT EXISTS ls_node (
    node_index BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    is_online SMALLINT NOT NULL,
    watermark BIGINT NOT NULL,
    floor_ts BIGINT NOT NULL,
    applied_ts BIGINT NOT NULL,
    holder BYTEA NOT NULL,
    digest BYTEA,
    CONSTRAINT ls_node_pk PRIMARY KEY (node_index),
    CONSTRAINT ls_node_ck CHECK (is_online IN (0, 1))
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The ordered log. kind: 1 submission, 2 tick, 3 operator, 4 rule version.
CREATE TABLE IF NOT EXISTS ls_log (
    ts BIGINT NOT NULL,
    node_index BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    sender_id BIGINT,
    payload BYTEA NOT NULL,
    CONSTRAINT ls_log_pk PRIMARY KEY (ts)
);

-- Small numbers for members, and what an operator or a logout says about them.
CREATE TABLE IF NOT EXISTS ls_member (
    member_id BIGINT NOT NULL,
    member VARCHAR(300) NOT NULL,
    is_enabled SMALLINT NOT NULL,
    revocation_epoch BIGINT NOT NULL,
    CONSTRAINT ls_member_pk PRIMARY KEY (member_id),
    CONSTRAINT ls_member_uq UNIQUE (member),
    CONSTRAINT ls_member_ck CHECK (is_enabled IN (0, 1))
);

-- How far each member has read for good.
CREATE TABLE IF NOT EXISTS ls_ack (
    member_id BIGINT NOT NULL,
    acked_ts BIGINT NOT NULL,
    CONSTRAINT ls_ack_pk PRIMARY KEY (member_id)
) WITH (fillfactor = 50);

-- Challenges that wait for their answer, at whichever replica; whoever uses one deletes it.
CREATE TABLE IF NOT EXISTS ls_nonce (
    member VARCHAR(300) NOT NULL,
    expires_at BIGINT NOT NULL,
    nonce BYTEA NOT NULL,
    CONSTRAINT ls_nonce_pk PRIMARY KEY (member)
);
