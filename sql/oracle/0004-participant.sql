-- A participant: where it is in its stream, what it submitted, what waits, what was decided.
-- body: a message of lockstep.participant.v1, so that what the API shows is kept as it is.

-- One row. event_hash: of the last event processed, compared when the stream is resumed. commit_no:
-- raised by every commit, so that one whose answer was lost can be told.
CREATE TABLE ls_part_position (
    id NUMBER(5) NOT NULL,
    psid VARCHAR2(400 CHAR) NOT NULL,
    sequencer_uid VARCHAR2(300 CHAR) NOT NULL,
    event_ts NUMBER(19),
    outcome_id NUMBER(19) NOT NULL,
    commit_no NUMBER(19) NOT NULL,
    event_hash RAW(64),
    CONSTRAINT ls_part_position_pk PRIMARY KEY (id),
    CONSTRAINT ls_part_position_ck CHECK (id = 1)
);

-- The topology it started from (event_ts before all others, a V2 file), then each broadcast.
CREATE TABLE ls_part_topology (
    event_ts NUMBER(19) NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT ls_part_topology_pk PRIMARY KEY (event_ts)
);

-- What was submitted here. state: 1 sending, 2 accepted, 3 sequenced, 4 decided.
CREATE TABLE ls_part_command (
    command_id VARCHAR2(255 CHAR) NOT NULL,
    message_id VARCHAR2(80 CHAR) NOT NULL,
    state NUMBER(5) NOT NULL,
    max_ts NUMBER(19) NOT NULL,
    request_ts NUMBER(19),
    outcome_id NUMBER(19),
    body BLOB,
    request BLOB,
    CONSTRAINT ls_part_command_pk PRIMARY KEY (command_id),
    CONSTRAINT ls_part_command_uk UNIQUE (message_id)
);
CREATE INDEX ls_part_command_open ON ls_part_command (state, max_ts);

-- Confirmation requests without a verdict yet. state: 1 waits for an answer, 2 answered or not asked.
CREATE TABLE ls_part_request (
    request_ts NUMBER(19) NOT NULL,
    respond_by NUMBER(19) NOT NULL,
    decide_by NUMBER(19) NOT NULL,
    mediator_group NUMBER(19) NOT NULL,
    state NUMBER(5) NOT NULL,
    command_id VARCHAR2(255 CHAR),
    view_position BLOB,
    body BLOB NOT NULL,
    CONSTRAINT ls_part_request_pk PRIMARY KEY (request_ts)
);

CREATE TABLE ls_part_outcome (
    outcome_id NUMBER(19) NOT NULL,
    request_ts NUMBER(19) NOT NULL,
    body BLOB NOT NULL,
    CONSTRAINT ls_part_outcome_pk PRIMARY KEY (outcome_id)
);
