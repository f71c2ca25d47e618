-- A participant: where it is in its stream, what it submitted, what waits, what was decided.
-- body: a message of lockstep.participant.v1, so that what the API shows is kept as it is.

-- One row. event_hash: of the last event processed, compared when the stream is resumed. commit_no:
-- raised by every commit, so that one whose answer was lost can be told.
CREATE TABLE IF NOT EXISTS ls_part_position (
    id INTEGER NOT NULL,
    psid TEXT NOT NULL,
    sequencer_uid TEXT NOT NULL,
    event_ts INTEGER,
    outcome_id INTEGER NOT NULL,
    commit_no INTEGER NOT NULL,
    event_hash BLOB,
    CONSTRAINT ls_part_position_pk PRIMARY KEY (id),
    CONSTRAINT ls_part_position_ck CHECK (id = 1)
);

-- The topology it started from (event_ts before all others, a V2 file), then each broadcast.
CREATE TABLE IF NOT EXISTS ls_part_topology (
    event_ts INTEGER NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT ls_part_topology_pk PRIMARY KEY (event_ts)
);

-- What was submitted here. state: 1 sending, 2 accepted, 3 sequenced, 4 decided.
CREATE TABLE IF NOT EXISTS ls_part_command (
    command_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    state INTEGER NOT NULL,
    max_ts INTEGER NOT NULL,
    request_ts INTEGER,
    outcome_id INTEGER,
    body BLOB,
    request BLOB,
    CONSTRAINT ls_part_command_pk PRIMARY KEY (command_id),
    CONSTRAINT ls_part_command_uk UNIQUE (message_id)
);
CREATE INDEX IF NOT EXISTS ls_part_command_open ON ls_part_command (max_ts) WHERE state < 4;

-- Confirmation requests without a verdict yet. state: 1 waits for an answer, 2 answered or not asked.
CREATE TABLE IF NOT EXISTS ls_part_request (
    request_ts INTEGER NOT NULL,
    respond_by INTEGER NOT NULL,
    decide_by INTEGER NOT NULL,
    mediator_group INTEGER NOT NULL,
    state INTEGER NOT NULL,
    command_id TEXT,
    view_position BLOB,
    body BLOB NOT NULL,
    CONSTRAINT ls_part_request_pk PRIMARY KEY (request_ts)
);

CREATE TABLE IF NOT EXISTS ls_part_outcome (
    outcome_id INTEGER NOT NULL,
    request_ts INTEGER NOT NULL,
    body BLOB NOT NULL,
    CONSTRAINT ls_part_outcome_pk PRIMARY KEY (outcome_id)
);
