-- The mediator: what it serves, how far it has read, what it decided, the topology that it was told of.

-- One row once initialised.
CREATE TABLE IF NOT EXISTS ls_mediator (
    id INTEGER NOT NULL,
    psid TEXT NOT NULL,
    connections TEXT NOT NULL,
    initialized_at INTEGER NOT NULL,
    static_params BLOB NOT NULL,
    CONSTRAINT ls_mediator_pk PRIMARY KEY (id),
    CONSTRAINT ls_mediator_ck CHECK (id = 1)
);

-- A restart reads on after position_ts, the last event before the oldest open request (NULL: from the
-- first event); everything that events up to seen_ts caused is stored.
CREATE TABLE IF NOT EXISTS ls_mediator_head (
    id INTEGER NOT NULL,
    position_ts INTEGER,
    seen_ts INTEGER,
    position_hash BLOB,
    CONSTRAINT ls_mediator_head_pk PRIMARY KEY (id),
    CONSTRAINT ls_mediator_head_ck CHECK (id = 1)
);

-- Verdicts: what was decided, the outbox of what is to be sent, and the uuids that are burnt.
-- state: 0 decided, 1 sent (a sequencer has it), 2 sequenced, 3 expired, 4 nothing to send.
-- participants: one a line.
CREATE TABLE IF NOT EXISTS ls_verdict (
    request_id INTEGER NOT NULL,
    part INTEGER NOT NULL,
    state INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    decided_ts INTEGER NOT NULL,
    decision_ts INTEGER NOT NULL,
    group_index INTEGER NOT NULL,
    uuid_expires_ts INTEGER,
    participants TEXT,
    uuid BLOB,
    content BLOB,
    CONSTRAINT ls_verdict_pk PRIMARY KEY (request_id, part)
);
CREATE INDEX IF NOT EXISTS ls_verdict_uuid_ix ON ls_verdict (uuid_expires_ts, request_id);
CREATE INDEX IF NOT EXISTS ls_verdict_decision_ix ON ls_verdict (decision_ts, request_id, part);

-- Topology broadcasts of the own stream up to position_ts and beyond, as received.
CREATE TABLE IF NOT EXISTS ls_mediator_topology (
    ts INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT ls_mediator_topology_pk PRIMARY KEY (ts, idx)
);
