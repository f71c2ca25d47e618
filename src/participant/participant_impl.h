/* participant_impl.h: what the files of this folder share.
 *
 *   participant.c          life, status
 *   participant_runner.c   the house thread: connect, onboard, subscribe, time proofs, acks
 *   participant_events.c   one event of the stream: requests, verdicts, time (delivery thread)
 *   participant_commands.c Submit, and what becomes of a command
 *   participant_commit.c   the commit thread: changes in order, many in one transaction
 *   participant_store.c    rows
 *   participant_service.c  RPC; participant_streams.c: Outcomes and Requests
 *   submit.c               the messages that are sent (pure)
 *
 * Invariant: memory runs ahead of the database by the changes that are queued; nothing leaves the
 * process that says more than the database (outcomes, the answer to Submit), except responses,
 * which a mediator counts once however often they come.
 *
 * Lock: participant.m, for everything that is not said to belong to one thread. Not held over I/O.
 */
#ifndef PARTICIPANT_PARTICIPANT_IMPL_H
#define PARTICIPANT_PARTICIPANT_IMPL_H
#include <uthash.h>

#include "base/logger.h"
#include "base/pool.h"
#include "base/thread.h"
#include "client/client.h"
#include "lockstep_participant_v1.pb-c.h"
#include "participant/participant.h"
#include "rpc/trace.h"
#include "storage/db.h"
#include "topology/identity.h"
#include "topology/snapshot.h"
#include "wire/messages.h"

#define COMMAND_ID_MAX  255
#define MESSAGE_ID_SIZE 80
#define PAYLOAD_MAX     ((size_t)8 << 20)
#define INFORMEES_MAX   1000
#define COMMAND_BYTES   ((size_t)256 << 20) /* of all requests that are not sequenced yet */
#define OUTAGES_MAX     16
#define RECENT_MAX      256

struct rpc_call;

enum command_state {
    COMMAND_NEW = 0,
    COMMAND_SENDING,
    COMMAND_ACCEPTED,
    COMMAND_SEQUENCED,
    COMMAND_DECIDED
};

/* A Submit that waits for the answer of a sequencer. */
struct submit_waiter {
    struct submit_waiter *next;
    struct rpc_call *call;
};

struct command {
    UT_hash_handle by_id, by_message;
    char id[COMMAND_ID_MAX + 1];
    char message_id[MESSAGE_ID_SIZE];
    enum command_state state;
    bool was_loaded; /* by a restart: an earlier process may have sent it */
    int64_t max_ts, request_ts;
    char traceparent[TRACE_PARENT_LEN]; /* of its Submit; "" after a restart */
    struct buffer request;              /* what is sent; empty once sequenced */
    struct buffer body;                 /* Part__OutcomesResponse as far as known */
    struct submit_waiter *waiters;
};

/* A confirmation request without verdict. */
struct pending {
    UT_hash_handle hh;
    int64_t ts, respond_by, decide_by;
    int32_t group;
    bool is_waiting; /* for an answer by Confirm */
    bool has_position;
    struct view_position position;
    struct hash root;
    char command_id[COMMAND_ID_MAX + 1]; /* "" : not ours */
    char traceparent[TRACE_PARENT_LEN];  /* "" when it is not known */
    struct buffer body;
};

enum change_kind {
    CHANGE_TOPOLOGY,
    CHANGE_COMMAND_INSERT,
    CHANGE_COMMAND_ACCEPTED,
    CHANGE_COMMAND_SEQUENCED,
    CHANGE_COMMAND_DECIDED,
    CHANGE_COMMAND_DELETE,
    CHANGE_REQUEST_INSERT,
    CHANGE_REQUEST_ANSWERED,
    CHANGE_REQUEST_DELETE,
    CHANGE_OUTCOME,
    CHANGE_EVENT /* all that this event caused stands before it */
};

/* One thing to write. The commit thread takes them in order. */
struct change {
    struct change *next;
    enum change_kind kind;
    int64_t ts;         /* of the event or request */
    int64_t outcome_id; /* OUTCOME, COMMAND_DECIDED */
    int64_t max_ts, respond_by, decide_by;
    int32_t group;
    bool is_waiting;
    char command_id[COMMAND_ID_MAX + 1];
    char message_id[MESSAGE_ID_SIZE];
    struct hash hash; /* EVENT */
    struct buffer body, extra;
};

struct position {
    bool has_event;
    int64_t event_ts, outcome_id, commit_no;
    struct hash hash;
};

struct outage {
    int64_t from_at, to_at;
    char lost[CLIENT_URL_MAX], found[CLIENT_URL_MAX], reason[CLIENT_REASON_MAX];
};

struct api_stream; /* participant_streams.c */

struct participant {
    /* set by participant_open */
    struct db *db;
    struct keyring *keys;
    struct logger *lg;
    struct rpc_loop *loop;
    const struct rpc_tls_client *tls;
    char uid[UID_TEXT_SIZE];
    char member[MEMBER_TEXT_SIZE];
    char *alias;
    char **endpoints;
    size_t n_endpoints;
    enum participant_confirm confirm;
    struct signed_txs identity;
    int64_t submit_window_us;
    uint32_t max_in_flight;
    struct pool *pool; /* Submit: builds and encrypts */

    struct thread house, committer, streamer;
    struct client *client; /* set by the house thread, stopped by stop, freed by close */

    struct mutex m;
    struct cond changed;        /* house thread */
    struct cond commit_changed; /* commit thread, and those who wait for room */
    struct cond stream_changed; /* stream thread */
    bool is_started, is_stopping, is_failed;
    enum participant_state state;
    char reason[256];
    char psid[PSID_TEXT_SIZE];
    char sequencer[MEMBER_TEXT_SIZE];
    char endpoint[CLIENT_URL_MAX];
    struct outage outages[OUTAGES_MAX]; /* newest first */
    size_t n_outages;

    /* The delivery thread writes it under the lock and reads it without; others read it locked. */
    struct topology *topology;
    size_t next_group; /* round robin over mediator groups */
    struct command *by_id, *by_message;
    size_t n_commands, command_bytes;
    struct pending *pending;
    int64_t last_event_ts;   /* processed in memory */
    int64_t last_event_mono; /* when */
    int64_t next_outcome_id; /* in memory */
    int64_t earliest_due;    /* no pending request or command has a smaller deadline */

    struct change *head, *tail; /* to commit */
    size_t n_changes, change_bytes;
    bool is_committing;
    struct position committed;
    int64_t acked_ts; /* of the house thread */

    struct api_stream *streams;
    /* The last outcomes committed, for readers at the end: ring by outcome_id. */
    struct buffer recent[RECENT_MAX];
    int64_t recent_id[RECENT_MAX];
};

/* --- participant.c --- */
void participant_set_state(struct participant *p, enum participant_state s, const char *reason);
/* Never goes on: FAILED, and threads end. */
void participant_fail(struct participant *p, const struct error *err, const char *what);

/* --- participant_runner.c --- */
void *participant_house_main(void *p);
void participant_on_state(void *p, const struct client_state *s);

/* --- participant_events.c: on the delivery thread --- */
bool participant_on_event(void *p, const struct client_event *e, struct error *err);
bool participant_verify(void *p, int64_t ts, const struct hash *h, const struct signature *s,
                        struct error *err);
/* Sends the answer to a request; the lock is not held. verdict as in submit.h. */
MUST_CHECK bool participant_respond(struct participant *p, int64_t request_ts, int64_t max_ts,
                                    int32_t group, const struct hash *root,
                                    const struct view_position *position,
                                    enum local_verdict verdict, const char *reason,
                                    struct error *err);
/* After a start: what was answered may not have been sent before the end of the process. A mediator
 * counts an answer once, however often it comes. */
void participant_respond_again(struct participant *p);
/* Puts an outcome behind body: sets what is final, gives it the next id and queues it. Locked. */
MUST_CHECK bool participant_decide(struct participant *p, const struct buffer *body,
                                   int64_t request_ts, const char *command_id,
                                   Part__Verdict verdict, const char *reason, int64_t verdict_ts,
                                   struct error *err);
void pending_free(struct pending *r);

/* --- participant_commands.c --- */
void participant_submit(struct participant *p, struct rpc_call *call); /* on the pool */
/* The command of this message was seen at ts (or refused at sequencing). Locked. */
MUST_CHECK bool command_sequenced(struct participant *p, struct command *c, int64_t ts,
                                  struct error *err);
void command_forget(struct participant *p, struct command *c); /* locked */
void command_free(struct command *c);
MUST_CHECK bool command_add(struct participant *p, struct command *c,
                            struct error *err); /* locked */
/* Sends or sends again what is stored. Not locked. */
void command_send(struct participant *p, const char *id);
/* Ends all Submits that wait: the participant stops. */
void commands_release_waiters(struct participant *p);
/* The longest of all: checks a command id's form. */
bool command_id_ok(const char *id);

/* --- participant_commit.c --- */
void *participant_commit_main(void *p);
/* Queues (owned afterwards). Locked. */
void commit_queue(struct participant *p, struct change *c);
struct change *change_new(enum change_kind kind, int64_t ts, struct error *err);
void change_free(struct change *c);
/* Waits while too much is queued; false: stopping or failed. Locked. */
bool commit_wait_room(struct participant *p) REQUIRES(p->m);

/* --- participant_store.c --- */
/* Where it is. What another process of this participant has in flight is never committed. */
MUST_CHECK bool store_claim_position(struct participant *p, bool *found, struct error *err);
MUST_CHECK bool store_load(struct participant *p, struct error *err); /* commands, requests */
/* The topology as stored into items and p->topology; *found false: there is none. */
MUST_CHECK bool store_load_topology(struct participant *p, const struct static_parameters *s,
                                    bool *found, struct error *err);
/* The synchronizer and the topology that it starts from, in one transaction. */
MUST_CHECK bool store_begin(struct participant *p, const char *psid, const char *sequencer_uid,
                            struct bytes topology_file, struct error *err);
/* One commit: the position, then the changes of the list. Settles a lost answer by itself.
 * *is_unknown: false before the first try of a commit, kept from try to try. Fails also: ERR_FENCED
 * (another process has taken the participant over; nothing was written). */
MUST_CHECK bool store_commit(struct participant *p, const struct change *list,
                             const struct position *to, bool *is_unknown, struct error *err);
/* What is known of a command; *found. */
struct stored_command {
    bool found;
    char message_id[MESSAGE_ID_SIZE];
    int64_t state, request_ts, outcome_id; /* 0: none */
};
MUST_CHECK bool store_read_command(struct participant *p, const char *id,
                                   struct stored_command *out, struct error *err);
/* Up to limit outcomes above id. */
MUST_CHECK bool store_outcomes(struct participant *p, int64_t above, int64_t limit,
                               bool (*fn)(void *ctx, int64_t id, struct bytes body,
                                          struct error *err),
                               void *ctx, struct error *err);

/* --- participant_streams.c --- */
void *participant_stream_main(void *p);
MUST_CHECK bool participant_streams_register(struct participant *p, struct rpc_server *s,
                                             struct error *err);
/* Keeps a committed outcome for readers at the end. Locked. */
void streams_publish(struct participant *p, int64_t outcome_id, struct bytes body);
#endif
