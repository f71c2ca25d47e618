/* client.h: one member's connection to a synchronizer through one or more endpoints of its
 * sequencer. Follows doc/architecture.md "Client side".
 *
 * Every endpoint is validated (name, version, synchronizer id, static parameters), authenticated
 * and watched on its own, all the time, so that when the one in use goes away the next is ready at
 * once. A broken endpoint is tried again after 10 ms, doubling to 10 s, with jitter.
 *
 * The stream has no gap and no repeat: each event must name its predecessor, rise in time, belong
 * to the synchronizer and be signed. After a reconnect the sequencer sends the last event again; it
 * must equal the one remembered. One that differs is a fork: it is never delivered, the client
 * stops.
 *
 * Threads: every function from any thread, unless it says otherwise. Callbacks come on threads of
 * the client: `event` and `sequenced` on the one delivery thread, `state` on the same or an
 * endpoint's thread, `accepted` on a thread of rpc/ (do not block there). client_close never from a
 * callback. Times: *_us and *_at are microseconds; *_at of clock_now_us. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/hash.h"

struct client;
struct keyring;
struct logger;
struct event; /* wire/event.h */
struct rpc_loop;
struct rpc_tls_client;
struct signature;

#define CLIENT_ENDPOINTS_MAX  16
#define CLIENT_URL_MAX        256
#define CLIENT_REASON_MAX     256
#define CLIENT_PSID_SIZE      301
#define CLIENT_MESSAGE_ID_MAX 73

enum client_endpoint_health {
    CLIENT_ENDPOINT_CONNECTING,
    CLIENT_ENDPOINT_OK,
    CLIENT_ENDPOINT_DOWN,
    CLIENT_ENDPOINT_FATAL /* never tried again: other synchronizer or version, access disabled */
};

enum client_state_kind {
    CLIENT_DISCONNECTED, /* no subscription; trying */
    CLIENT_CONNECTED,    /* the subscription runs at `endpoint` */
    CLIENT_FAILED /* for good: fork, bad event, all endpoints fatal, or the handler said so */
};

struct client_state {
    enum client_state_kind kind;
    int64_t since_at;
    /* CONNECTED: the endpoint of the subscription, and how long there was none before it (0: the
     * first). Else the endpoint that was lost ("": none), and how long it had been silent by then.
     */
    char endpoint[CLIENT_URL_MAX];
    int64_t outage_us;
    enum error_code code; /* of the loss; ERR_FORK, ... */
    char reason[CLIENT_REASON_MAX];
};

/* One event of the own stream, borrowed for the call. */
struct client_event {
    int64_t ts;
    int64_t previous_ts;       /* INT64_MIN: the first event of this member */
    struct bytes content;      /* the versioned SequencedEvent, as signed */
    struct hash hash;          /* H(1, content): what the next resume compares with */
    const struct event *event; /* parsed, batch still compressed */
    const char *traceparent;   /* "" for none */
};

/* Where to go on: the last event that the caller has processed. */
struct client_position {
    bool is_set; /* false: from the member's first event */
    int64_t ts;
    struct hash hash;
};

struct client_callbacks {
    void *ctx;
    /* Checks the sequencer's signature on the event of time ts: PROTOCOL keys of the sequencer at
     * ts. Called on the delivery thread, for every event but the first of a member (which nobody
     * can check), before `event` sees it and after `event` has returned for all earlier ones.
     * false with ERR_SIGNATURE ends the client as FAILED. */
    bool (*verify)(void *ctx, int64_t ts, const struct hash *h, const struct signature *s,
                   struct error *err);
    /* The next event. May block: then nothing more is read from the sequencer than the inbox holds.
     * false ends the client as FAILED with err. */
    bool (*event)(void *ctx, const struct client_event *e, struct error *err);
    /* Optional. Connected, disconnected, failed, with reasons and times. */
    void (*state)(void *ctx, const struct client_state *s);
};

struct client_config {
    struct rpc_loop *loop;        /* borrowed until client_close */
    const char *const *endpoints; /* "http://host:port" or "https://host:port"; 1..16, distinct */
    size_t n_endpoints;
    const struct rpc_tls_client *tls; /* for https; NULL: the system's roots; read at open */
    const char *member;         /* PAR::uid or MED::uid; NULL: only calls without authentication */
    const char *psid;           /* expected; NULL: what the first validated endpoint reports */
    const char *client_version; /* NULL: "lockstep-VERSION" */
    struct keyring *keys;       /* borrowed until client_close; NULL only without member */
    struct logger *logger;      /* borrowed; may be NULL */
    int64_t call_timeout_us;    /* per call; 0: 10 s */
    int64_t probe_us;           /* how often the endpoint in use is probed; 0: 250 ms */
    int64_t probe_timeout_us;   /* silence after which it counts as hung; 0: 1 s */
};

/* Copies the configuration, starts a thread for each endpoint and connects in the background.
 * Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool client_open(const struct client_config *cfg, struct client **out,
                            struct error *err);
/* Ends all calls, the subscription and the threads, and waits for callbacks that run. Sends that
 * are open get their callback with CLIENT_SEND_CLOSED. The handle stays good; what is called on it
 * fails with ERR_CLOSED. One thread. */
void client_stop(struct client *c);
/* Stops and frees; nobody may use it any more. NULL is allowed. */
void client_close(struct client *c);

/* --- without authentication ------------------------------------------------------------------- */

struct client_info {
    char psid[CLIENT_PSID_SIZE];
    char sequencer_uid[260];
    struct buffer static_params; /* StaticSynchronizerParameters as received (plain P30) */
};
/* Waits until an endpoint is validated. deadline_us: monotonic (clock_mono_us). The caller frees
 * out->static_params. Fails: ERR_TIMEOUT (cause: the last reason of each endpoint), ERR_UNAVAILABLE
 * (all endpoints fatal), ERR_CLOSED. */
MUST_CHECK bool client_wait_info(struct client *c, int64_t deadline_us, struct client_info *out,
                                 struct error *err);
/* Whether the member is active there. Fails: ERR_UNAVAILABLE, ERR_REFUSED, ERR_CLOSED. */
MUST_CHECK bool client_verify_active(struct client *c, bool *is_active, struct error *err);
/* Hands in the own topology transactions (SignedTopologyTransaction, plain, not wrapped). One try.
 * Fails: ERR_REFUSED (INVALID_ARGUMENT, FAILED_PRECONDITION), ERR_UNAVAILABLE (may have happened:
 * ask client_verify_active). */
MUST_CHECK bool client_register_onboarding(struct client *c, const struct bytes *txs, size_t n,
                                           struct error *err);

/* --- authenticated ---------------------------------------------------------------------------- */

/* From now on endpoints authenticate as the member (and renew 20 s before the token expires). The
 * other calls below do this by themselves; a member that is not onboarded yet must not. */
void client_login(struct client *c);

/* Downloads the topology state for initialisation. chunk gets plain TopologyTransactions messages
 * in order (topology_items_from_message), borrowed; *stated is the hash of the whole that the
 * sequencer states: the caller compares topology_items_hash with it, and drops all and tries again
 * when it differs. Blocks. Fails: what chunk put into err when it returned false; ERR_UNAVAILABLE,
 * ERR_REFUSED, ERR_MALFORMED, ERR_TIMEOUT (deadline_us, monotonic). */
MUST_CHECK bool client_download_topology(struct client *c, int64_t deadline_us,
                                         bool (*chunk)(void *ctx, struct bytes message,
                                                       struct error *err),
                                         void *ctx, struct hash *stated, struct error *err);

/* Starts the subscription, once per client, and keeps it running. cb is copied. Fails: ERR_REFUSED
 * (second time, or no member), ERR_MEMORY. */
MUST_CHECK bool client_subscribe(struct client *c, const struct client_position *from,
                                 const struct client_callbacks *cb, struct error *err);

enum client_send_result {
    CLIENT_SEND_ACCEPTED,  /* a sequencer answered OK: durable. (Also: the aggregation is complete.)
                            */
    CLIENT_SEND_REFUSED,   /* surely not sequenced; error says why */
    CLIENT_SEND_UNKNOWN,   /* no answer and not safe to repeat: only the stream can tell */
    CLIENT_SEND_SEQUENCED, /* seen in the own stream at ts */
    CLIENT_SEND_REJECTED,  /* sequenced at ts as a delivery error; reason is its id */
    CLIENT_SEND_EXPIRED,   /* an event later than max_sequencing_us came without it: never sequenced
                            */
    CLIENT_SEND_CLOSED     /* the client was closed or failed first */
};
struct client_send_report {
    enum client_send_result result;
    const char *message_id;
    int64_t ts;           /* SEQUENCED, REJECTED, EXPIRED (the event that showed it) */
    const char *reason;   /* error id such as SEQUENCER_OVERLOADED, or "" */
    const char *endpoint; /* who answered, or "" */
    const struct error *error;
};
/* Borrowed for the call. */
typedef void client_send_fn(void *ctx, const struct client_send_report *r);

struct client_send {
    struct bytes request; /* versioned SubmissionRequest, W(31); signed and sent as it is; copied */
    const char *message_id;    /* as in request; unique among the open sends */
    int64_t max_sequencing_us; /* as in request */
    /* The bytes carry a rule that makes a double impossible (sender dedup, or a mediator group).
     * Then a send without an answer, or refused as overloaded or unavailable, is repeated at the
     * next endpoint until one answers or max_sequencing_us has passed by the own clock. */
    bool is_repeatable;
    int64_t timeout_us; /* each try; 0: call_timeout_us, 2 s at most when repeatable */
    const char
        *traceparent; /* of the trace that this goes on with; copied; NULL or "": a new one */
    /* Called at most once, with ACCEPTED, REFUSED, UNKNOWN or CLOSED. May be NULL. */
    client_send_fn *accepted;
    /* Called exactly once, last: with SEQUENCED, REJECTED, EXPIRED, REFUSED or CLOSED; before
     * `event` sees the event that told. NULL: not tracked. Needs a subscription for the first
     * three. */
    client_send_fn *sequenced;
    void *ctx;
};
/* Signs with the newest PROTOCOL key and sends in the background. Without a healthy endpoint a
 * repeatable send waits for one, another fails. At most 10000 may be open. Fails: ERR_UNAVAILABLE,
 * ERR_OVERLOADED, ERR_DUPLICATE (message id in use), ERR_CRYPTO, ERR_CLOSED; then there is no
 * callback. */
MUST_CHECK bool client_send(struct client *c, const struct client_send *s, struct error *err);

/* Asks for an event of the own with an empty batch ("tick-..."), so that the stream's time moves.
 * One is in flight at a time: more calls do nothing until it was seen or 10 s have passed. */
void client_time_proof(struct client *c);
/* True for the message id of a time proof. */
bool client_is_time_proof(const char *message_id);

/* Acknowledges all events up to ts. Blocks up to the call timeout. Fails: ERR_UNAVAILABLE,
 * ERR_REFUSED. */
MUST_CHECK bool client_ack(struct client *c, int64_t ts, struct error *err);

/* --- looking at it ---------------------------------------------------------------------------- */

struct client_endpoint_status {
    char url[CLIENT_URL_MAX];
    enum client_endpoint_health health;
    bool is_subscribed;
    char reason[CLIENT_REASON_MAX]; /* why not OK */
};
struct client_status {
    struct client_state state;
    int64_t last_ts; /* of the last event delivered, or INT64_MIN */
    size_t open_sends;
    size_t n_endpoints;
    struct client_endpoint_status endpoints[CLIENT_ENDPOINTS_MAX];
};
void client_status(struct client *c, struct client_status *out);
#endif
