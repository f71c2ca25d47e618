-- A participant: where it is in its stream, what it submitted, what waits, what was decided.
-- body: a message of lockstep.participant.v1, so that what the API shows is kept as it is.

-- One row. event_hash: of the last event processed, compared when the stream is resumed. commit_no:
-- raised by every commit, so that one whose answer was lost can be told.
CREATE TABLE IF NOT EXISTS ls_part_position (
    id SMALLINT NOT NULL,
    psid VARCHAR(400) NOT NULL,
    sequencer_uid VARCHAR(300) NOT NULL,
    event_ts BIGINT,
    outcome_id BIGINT NOT NULL,
    commit_no BIGINT NOT NULL,
    event_hash BYTEA,
    CONSTRAINT ls_part_position_pk PRIMARY KEY (id),
    CONSTRAINT ls_part_position_ck CHECK (id = 1)
) WITH (fillfactor = 50);

-- The topology it started from (event_ts before all others, a V2 file), then each broadcast.
CREATE TABLE IF NOT EXISTS ls_part_topology (
    event_ts BIGINT NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT ls_part_topology_pk PRIMARY KEY (event_ts)
);

-- What was submitted here. state: 1 sending, 2 accepted, 3 sequenced, 4 decided.
CREATE TABLE IF NOT EXISTS ls_part_command (
    command_id VARCHAR(255) NOT NULL,
    message_id VARCHAR(80) NOT NULL,
    state SMALLINT NOT NULL,
    max_ts BIGINT NOT NULL,
    request_ts BIGINT,
    outcome_id BIGINT,
    body BYTEA,
    request BYTEA,
    CONSTRAINT ls_part_command_pk PRIMARY KEY (command_id),
    CONSTRAINT ls_part_command_uk UNIQUE (message_id)
);
CREATE INDEX IF NOT EXISTS ls_part_command_open ON ls_part_command (max_ts) WHERE state < 4;

-- Confirmation requests without a verdict yet. state: 1 waits for an answer, 2 answered or not asked.
CREATE TABLE IF NOT EXISTS ls_part_request (
    request_ts BIGINT NOT NULL,
    respond_by BIGINT NOT NULL,
    decide_by BIGINT NOT NULL,
    mediator_group BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    command_id VARCHAR(255),
    view_position BYTEA,
    body BYTEA NOT NULL,
    CONSTRAINT ls_part_request_pk PRIMARY KEY (request_ts)
);

CREATE TABLE IF NOT EXISTS ls_part_outcome (
    outcome_id BIGINT NOT NULL,
    request_ts BIGINT NOT NULL,
    body BYTEA NOT NULL,
    CONSTRAINT ls_part_outcome_pk PRIMARY KEY (outcome_id)
);
