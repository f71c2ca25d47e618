-- The mediator: what it serves, how far it has read, what it decided, the topology that it was told of.

-- One row once initialised.
CREATE TABLE ls_mediator (
    id NUMBER(5) NOT NULL,
    psid VARCHAR2(300 CHAR) NOT NULL,
    initialized_at NUMBER(19) NOT NULL,
    connections CLOB NOT NULL,
    static_params BLOB NOT NULL,
    CONSTRAINT ls_mediator_pk PRIMARY KEY (id),
    CONSTRAINT ls_mediator_ck CHECK (id = 1)
);

-- A restart reads on after position_ts, the last event before the oldest open request (NULL: from the
-- first event); everything that events up to seen_ts caused is stored.
CREATE TABLE ls_mediator_head (
    id NUMBER(5) NOT NULL,
    position_ts NUMBER(19),
    seen_ts NUMBER(19),
    position_hash RAW(64),
    CONSTRAINT ls_mediator_head_pk PRIMARY KEY (id),
    CONSTRAINT ls_mediator_head_ck CHECK (id = 1)
);

-- Verdicts: what was decided, the outbox of what is to be sent, and the uuids that are burnt.
-- state: 0 decided, 1 sent (a sequencer has it), 2 sequenced, 3 expired, 4 nothing to send.
-- participants: one a line.
CREATE TABLE ls_verdict (
    request_id NUMBER(19) NOT NULL,
    part NUMBER(10) NOT NULL,
    state NUMBER(5) NOT NULL,
    outcome NUMBER(5) NOT NULL,
    decided_ts NUMBER(19) NOT NULL,
    decision_ts NUMBER(19) NOT NULL,
    group_index NUMBER(10) NOT NULL,
    uuid_expires_ts NUMBER(19),
    participants CLOB,
    uuid RAW(16),
    content BLOB,
    CONSTRAINT ls_verdict_pk PRIMARY KEY (request_id, part)
);
CREATE INDEX ls_verdict_uuid_ix ON ls_verdict (uuid_expires_ts, request_id);
CREATE INDEX ls_verdict_decision_ix ON ls_verdict (decision_ts, request_id, part);

-- Topology broadcasts of the own stream up to position_ts and beyond, as received.
CREATE TABLE ls_mediator_topology (
    ts NUMBER(19) NOT NULL,
    idx NUMBER(10) NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT ls_mediator_topology_pk PRIMARY KEY (ts, idx)
);

-- What mediator_write hands over, inside its transaction only: no committed row ever stays. Keyed by
-- the holder, so that a mediator that was stopped here blocks nobody. No key: nothing can collide.
CREATE TABLE ls_mediator_stage (
    holder RAW(16) NOT NULL,
    kind NUMBER(5) NOT NULL,
    request_id NUMBER(19) NOT NULL,
    part NUMBER(10) NOT NULL,
    state NUMBER(5),
    outcome NUMBER(5),
    decided_ts NUMBER(19),
    decision_ts NUMBER(19),
    group_index NUMBER(10),
    uuid_expires_ts NUMBER(19),
    participants CLOB,
    uuid RAW(16),
    content BLOB
);
