-- The sequencer: what it is, its nodes, its log, its members.

-- One row: the synchronizer that this sequencer serves, written once at initialisation.
CREATE TABLE ls_synchronizer (
    id NUMBER(5) NOT NULL,
    psid VARCHAR2(384 CHAR) NOT NULL,
    sequencer_uid VARCHAR2(300 CHAR) NOT NULL,
    total_node_count NUMBER(19) NOT NULL,
    start_ts NUMBER(19) NOT NULL,
    members_version NUMBER(19) NOT NULL,
    token_key RAW(64) NOT NULL,
    static_params BLOB NOT NULL,
    genesis BLOB NOT NULL,
    CONSTRAINT ls_synchronizer_pk PRIMARY KEY (id),
    CONSTRAINT ls_synchronizer_ck CHECK (id = 1)
);

-- The lease of each node index; its watermark is its beat, and every write fences here.
CREATE TABLE ls_node (
    node_index NUMBER(19) NOT NULL,
    epoch NUMBER(19) NOT NULL,
    is_online NUMBER(1) NOT NULL,
    watermark NUMBER(19) NOT NULL,
    floor_ts NUMBER(19) NOT NULL,
    applied_ts NUMBER(19) NOT NULL,
    holder RAW(16) NOT NULL,
    digest RAW(64),
    CONSTRAINT ls_node_pk PRIMARY KEY (node_index),
    CONSTRAINT ls_node_ck CHECK (is_online IN (0, 1))
);

-- The ordered log. kind: 1 submission, 2 tick, 3 operator, 4 rule version.
CREATE TABLE ls_log (
    ts NUMBER(19) NOT NULL,
    node_index NUMBER(19) NOT NULL,
    kind NUMBER(5) NOT NULL,
    sender_id NUMBER(19),
    payload BLOB NOT NULL,
    CONSTRAINT ls_log_pk PRIMARY KEY (ts)
);

-- Small numbers for members, and what an operator or a logout says about them.
CREATE TABLE ls_member (
    member_id NUMBER(19) NOT NULL,
    member VARCHAR2(300 CHAR) NOT NULL,
    is_enabled NUMBER(1) NOT NULL,
    revocation_epoch NUMBER(19) NOT NULL,
    CONSTRAINT ls_member_pk PRIMARY KEY (member_id),
    CONSTRAINT ls_member_uq UNIQUE (member),
    CONSTRAINT ls_member_ck CHECK (is_enabled IN (0, 1))
);

-- How far each member has read for good.
CREATE TABLE ls_ack (
    member_id NUMBER(19) NOT NULL,
    acked_ts NUMBER(19) NOT NULL,
    CONSTRAINT ls_ack_pk PRIMARY KEY (member_id)
);

-- Challenges that wait for their answer, at whichever replica; whoever uses one deletes it.
CREATE TABLE ls_nonce (
    member VARCHAR2(300 CHAR) NOT NULL,
    expires_at NUMBER(19) NOT NULL,
    nonce RAW(64) NOT NULL,
    CONSTRAINT ls_nonce_pk PRIMARY KEY (member)
);
