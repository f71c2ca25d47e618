/* client_impl.h: what the files of this folder share.
 *
 *   endpoint.c   one keeper thread an endpoint: connect, validate, log in, probe
 *   connect.c    the calls of that: handshake, challenge, onboarding
 *   call.c       one blocking call that client_close can end
 *   stream.c     one server stream, pulled by one thread into a bounded inbox
 *   subscription.c  the delivery thread: choose an endpoint, check the chain, hand over
 *   received.c   one event as it came: parsed
 *   send.c       submissions in flight, their repetition and their end
 *
 * Locks: one, client.m; never held over a callback of the user, a call or a signature. */
#ifndef CLIENT_CLIENT_IMPL_H
#define CLIENT_CLIENT_IMPL_H
#include "base/logger.h"
#include "base/thread.h"
#include "client/backoff.h"
#include "client/chain.h"
#include "client/client.h"
#include "rpc/client.h"

#define CALL_REASON_MAX 64
#define TOKEN_MAX       256

struct endpoint {
    struct client *c;
    char url[CLIENT_URL_MAX];
    struct rpc_channel *ch;
    struct thread keeper;
    /* guarded by client.m */
    enum rpc_state rpc;
    enum client_endpoint_health health;
    enum error_code code; /* why not OK */
    char reason[CLIENT_REASON_MAX];
    bool is_subscribed;
    uint8_t token[TOKEN_MAX];
    size_t token_len;
    uint64_t token_serial;
    int64_t token_renew_at; /* monotonic */
    bool must_recheck;      /* somebody met an error: probe now */
    int64_t seen_at;        /* monotonic; when it last answered a probe */
};

/* A blocking call that runs. */
struct waiter {
    struct waiter *next, *prev;
    struct cond done_cond;
    bool is_done;
    struct call_reply *reply;
    struct client *c;
};

/* A server stream read by one thread (stream.c). */
struct stream;

struct open_send; /* send.c */

struct client {
    /* set by client_open, read only after */
    struct rpc_loop *loop;
    struct logger *lg;
    struct keyring *keys;
    char *member, *version;
    int64_t call_timeout_us, probe_us, probe_timeout_us;
    size_t n_endpoints;
    struct endpoint *endpoints;

    struct mutex m;
    struct cond changed;      /* endpoints, state, stopping: whoever waits looks again */
    struct cond send_changed; /* the sender thread */
    bool is_stopping GUARDED_BY(m);
    bool is_failed GUARDED_BY(m);
    bool wants_login GUARDED_BY(m);
    bool has_info GUARDED_BY(m);
    char psid[CLIENT_PSID_SIZE] GUARDED_BY(m);
    char sequencer_uid[260] GUARDED_BY(m);
    struct buffer static_params GUARDED_BY(m);
    size_t next_endpoint GUARDED_BY(m);
    struct waiter *waiters GUARDED_BY(m); /* calls and streams to wake when something ends */
    struct stream *streams GUARDED_BY(m);
    struct client_state state GUARDED_BY(m);
    bool has_subscription GUARDED_BY(m);
    int64_t last_ts GUARDED_BY(m);

    /* of the delivery thread */
    struct thread delivery;
    struct chain chain;
    struct client_callbacks cb;

    /* sends */
    struct thread sender;
    struct open_send *sends GUARDED_BY(m); /* hash by message id */
    size_t n_sends GUARDED_BY(m);
    struct open_send *retries GUARDED_BY(m);
    int64_t earliest_expiry GUARDED_BY(m); /* no tracked send has a smaller max_sequencing_us */
    int64_t proof_until GUARDED_BY(m);     /* monotonic; a time proof is in flight until then */
    char proof_id[CLIENT_MESSAGE_ID_MAX + 1] GUARDED_BY(m);
};

/* --- call.c --- */
struct call_reply {
    enum rpc_code code;
    char message[CLIENT_REASON_MAX];
    struct buffer body;
    char id[CALL_REASON_MAX]; /* ErrorInfo.reason, or "" */
    bool is_token_bad;        /* the token must be drawn anew */
    bool is_disabled;         /* the member has no access */
};
void call_reply_free(struct call_reply *r);
/* Copies what matters of r. */
void call_reply_fill(struct call_reply *out, const struct rpc_result *r);
enum call_auth { CALL_PLAIN, CALL_MEMBER_ID, CALL_TOKEN };
/* Metadata of a call, and the strings it points to. */
struct call_headers {
    struct rpc_md md[3];
    size_t n;
    char psid[CLIENT_PSID_SIZE];
    uint8_t token[TOKEN_MAX];
    uint64_t token_serial;
};
/* Fails: ERR_UNAVAILABLE (no token yet). */
MUST_CHECK bool call_headers_make(struct endpoint *e, enum call_auth auth, struct call_headers *h,
                                  struct error *err);
/* Calls and waits. True: out holds an answer of any code (call_reply_free). Fails: ERR_CLOSED,
 * ERR_UNAVAILABLE, ERR_MEMORY. */
MUST_CHECK bool call_wait(struct endpoint *e, const char *method, enum call_auth auth,
                          struct bytes message, int64_t timeout_us, struct call_reply *out,
                          struct error *err);
/* The same with packing of a generated message, and unpacking of an answer that must be OK:
 * *reply_message is the caller's (wire_message_free). */
struct ProtobufCMessageDescriptor;
MUST_CHECK bool call_proto(struct endpoint *e, const char *method, enum call_auth auth,
                           const void *message, const struct ProtobufCMessageDescriptor *reply_desc,
                           void **reply_message, struct call_reply *reply, struct error *err);

/* --- endpoint.c --- */
MUST_CHECK bool endpoint_open(struct client *c, struct endpoint *e, const char *url,
                              const struct rpc_tls_client *tls, struct error *err);
MUST_CHECK bool endpoint_start(struct endpoint *e, struct error *err);
/* The next usable endpoint in turn, not `not` unless it is the only one; NULL: none now. */
struct endpoint *endpoint_pick(struct client *c, const struct endpoint *not_this) REQUIRES(c->m);
bool endpoint_is_ready(struct client *c) REQUIRES(c->m); /* endpoint_pick would find one */
/* A call at e ended with this: draws conclusions for its health and its token. */
void endpoint_judge(struct endpoint *e, const struct call_reply *r, uint64_t token_serial);
/* Marks and wakes whoever waits. health: DOWN or FATAL. */
void endpoint_lost(struct endpoint *e, enum client_endpoint_health health, enum error_code code,
                   const char *reason);
bool endpoints_all_fatal(struct client *c, char *reason, size_t size) REQUIRES(c->m);

/* --- connect.c: each false means this endpoint cannot be used; *is_fatal: never --- */
MUST_CHECK bool connect_validate(struct endpoint *e, bool *is_fatal, struct error *err);
MUST_CHECK bool connect_login(struct endpoint *e, bool *is_fatal, struct error *err);
MUST_CHECK bool connect_probe(struct endpoint *e, struct error *err);

/* --- stream.c --- */
enum stream_take { STREAM_MESSAGE, STREAM_ENDED, STREAM_TIMEOUT, STREAM_INTERRUPTED };
/* Opens at e with the token. Fails: ERR_UNAVAILABLE, ERR_CLOSED, ERR_MEMORY. */
MUST_CHECK bool stream_open(struct endpoint *e, const char *method, const void *message,
                            int64_t timeout_us, struct stream **out, struct error *err);
/* The next message into b (replaced), waiting until deadline_us (monotonic; INT64_MAX: none).
 * INTERRUPTED: the client stops, or the endpoint is lost. */
enum stream_take stream_take(struct stream *s, int64_t deadline_us, struct buffer *b);
const struct call_reply *stream_end(const struct stream *s); /* after STREAM_ENDED */
uint64_t stream_token_serial(const struct stream *s);
/* Cancels if need be, waits for the last callback, frees. NULL is allowed. */
void stream_close(struct stream *s);
void streams_wake(struct client *c) REQUIRES(c->m);

/* --- subscription.c --- */
void *subscription_main(void *client);
void client_set_state(struct client *c, enum client_state_kind kind, const char *endpoint,
                      int64_t outage_us, enum error_code code, const char *reason);

/* --- send.c --- */
void *send_main(void *client);
/* An event of the own stream at ts; message_id NULL: not ours. is_error with reason: a delivery
 * error. Called on the delivery thread. */
void send_sequenced(struct client *c, int64_t ts, const char *message_id, bool is_error,
                    const char *reason);
void send_close_all(struct client *c, enum error_code code, const char *why);
#endif
