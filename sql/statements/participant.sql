-- Statements of the participant (src/participant/participant_store.c).

-- part_position_read: where it is
-- columns: psid text, sequencer_uid text, event_ts i64, outcome_id i64, commit_no i64, event_hash bytes
-- rows: 1, 0 before the first connection   locks: none   plan: primary key   called: at start
SELECT psid, sequencer_uid, event_ts, outcome_id, commit_no, event_hash
  FROM ls_part_position WHERE id = 1

-- part_position_insert: the synchronizer that it belongs to
-- params: psid text(400), sequencer_uid text(300)
-- rows: 1   locks: that row   plan: primary key   called: once
INSERT INTO ls_part_position (id, psid, sequencer_uid, event_ts, outcome_id, commit_no, event_hash)
VALUES (1, :psid, :sequencer_uid, NULL, 0, 0, NULL)

-- part_position_claim: from now on what a process before this one has in flight cannot be committed
-- rows: 1, 0 before the first connection   locks: that row   plan: primary key   called: at start
UPDATE ls_part_position SET commit_no = commit_no + 1 WHERE id = 1

-- part_position_move: everything up to this event is processed; event_ts is null before the first
-- params: event_ts i64, outcome_id i64, commit_no i64, event_hash bytes
-- rows: 1, 0 when another process has committed or claimed since   locks: that row   plan: primary key   called: once per commit, first
UPDATE ls_part_position
   SET event_ts = :event_ts, outcome_id = :outcome_id, commit_no = :commit_no,
       event_hash = :event_hash
 WHERE id = 1 AND commit_no = CAST(:commit_no AS {i64}) - 1

-- part_topology_insert: the topology it starts from, or one broadcast
-- params: event_ts i64, content bytes
-- rows: 1   locks: that row   plan: primary key   called: once per change of topology
INSERT INTO ls_part_topology (event_ts, content) VALUES (:event_ts, :content)

-- part_topology_list: all of it in order, by page
-- params: event_ts i64, limit i64
-- columns: event_ts i64, content bytes
-- rows: a page   locks: none   plan: primary key   called: at start
SELECT event_ts, content FROM ls_part_topology WHERE event_ts > :event_ts ORDER BY event_ts {page}

-- part_command_insert: a command, before it is sent
-- params: command_id text(255), message_id text(80), max_ts i64, body bytes, request bytes
-- rows: 1   locks: that row   plan: primary key   called: once per command
INSERT INTO ls_part_command (command_id, message_id, state, max_ts, request_ts, outcome_id, body, request)
VALUES (:command_id, :message_id, 1, :max_ts, NULL, NULL, :body, :request)

-- part_command_insert: a command, before it is sent
-- dialect: oracle
-- texts: all
-- params: command_id text(255), message_id text(80), max_ts i64, body bytes, request bytes
-- rows: 1   locks: that row   plan: primary key   called: once per command
INSERT INTO ls_part_command (command_id, message_id, state, max_ts, request_ts, outcome_id, request, body)
VALUES (:command_id, :message_id, 1, :max_ts, NULL, NULL, NULL, :body);
UPDATE ls_part_command SET request = :request WHERE command_id = :command_id;

-- part_command_accepted: a sequencer answered OK
-- params: command_id text(255)
-- rows: 1, 0 when it is further   locks: that row   plan: primary key   called: once per command
UPDATE ls_part_command SET state = 2 WHERE command_id = :command_id AND state = 1

-- part_command_sequenced: seen in the own stream
-- params: command_id text(255), request_ts i64
-- rows: 1   locks: that row   plan: primary key   called: once per command
UPDATE ls_part_command SET state = 3, request_ts = :request_ts, request = NULL
 WHERE command_id = :command_id AND state < 3

-- part_command_decided: its outcome is known
-- params: command_id text(255), outcome_id i64
-- rows: 1   locks: that row   plan: primary key   called: once per command
UPDATE ls_part_command SET state = 4, outcome_id = :outcome_id, request = NULL, body = NULL
 WHERE command_id = :command_id

-- part_command_delete: a command that was surely not sequenced, so that it may be tried again
-- params: command_id text(255)
-- rows: 1   locks: that row   plan: primary key   called: once per refused command
DELETE FROM ls_part_command WHERE command_id = :command_id AND state < 3

-- part_command_read: what became of a command
-- params: command_id text(255)
-- columns: message_id text, state i64, request_ts i64, outcome_id i64
-- rows: 1 or 0   locks: none   plan: primary key   called: once per Submit
SELECT message_id, state, request_ts, outcome_id FROM ls_part_command WHERE command_id = :command_id

-- part_command_open: commands without outcome
-- columns: command_id text, message_id text, state i64, max_ts i64, request_ts i64, body bytes, request bytes
-- rows: at most those in flight   locks: none   plan: index on state   called: at start
SELECT command_id, message_id, state, max_ts, request_ts, body, request
  FROM ls_part_command WHERE state < 4 ORDER BY max_ts

-- part_request_insert: confirmation requests
-- params: request_ts i64, respond_by i64, decide_by i64, mediator_group i64, state i64, command_id text(255), view_position bytes, body bytes
-- rows: 1   locks: that row   plan: primary key   called: once per request
INSERT INTO ls_part_request (request_ts, respond_by, decide_by, mediator_group, state, command_id,
                             view_position, body)
VALUES (:request_ts, :respond_by, :decide_by, :mediator_group, :state, :command_id,
        :view_position, :body)

-- part_request_answered: it was confirmed or rejected here
-- params: request_ts i64, body bytes
-- rows: 1, 0 when decided meanwhile   locks: that row   plan: primary key   called: once per answer
UPDATE ls_part_request SET state = 2, body = :body WHERE request_ts = :request_ts

-- part_request_delete: it is decided
-- params: request_ts i64
-- rows: 1   locks: that row   plan: primary key   called: once per request
DELETE FROM ls_part_request WHERE request_ts = :request_ts

-- part_request_list: those without verdict
-- columns: request_ts i64, respond_by i64, decide_by i64, mediator_group i64, state i64, command_id text, view_position bytes, body bytes
-- rows: those pending   locks: none   plan: primary key   called: at start
SELECT request_ts, respond_by, decide_by, mediator_group, state, command_id, view_position, body
  FROM ls_part_request ORDER BY request_ts

-- part_outcome_insert: what was decided
-- params: outcome_id i64, request_ts i64, body bytes
-- rows: 1   locks: that row   plan: primary key   called: once per outcome
INSERT INTO ls_part_outcome (outcome_id, request_ts, body) VALUES (:outcome_id, :request_ts, :body)

-- part_outcome_list: outcomes in order, by page
-- params: outcome_id i64, limit i64
-- columns: outcome_id i64, body bytes
-- rows: a page   locks: none   plan: primary key   called: by readers of Outcomes
SELECT outcome_id, body FROM ls_part_outcome WHERE outcome_id > :outcome_id
 ORDER BY outcome_id {page}
