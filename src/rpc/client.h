/* client.h: a channel to one endpoint, and calls on it.
 *
 * A channel connects at once and keeps trying: 10 ms after the first failure, doubling to
 * max_backoff_us; every channel has a connection of its own. gRPC itself retries nothing (a call
 * that was never sent, transparently, excepted). Threads: every function from any thread, but those
 * that say they wait never from a callback. Callbacks come from a thread of the loop (loop.h: they
 * must not block). */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "rpc/loop.h"
#include "rpc/status.h"
#include "rpc/tls.h"
#include "rpc/trace.h"

struct rpc_channel;
struct rpc_op;     /* a unary call in flight */
struct rpc_stream; /* a server stream */

enum rpc_state { RPC_IDLE, RPC_CONNECTING, RPC_READY, RPC_TRANSIENT_FAILURE, RPC_CLOSED };
const char *rpc_state_text(enum rpc_state s); /* "ready" */

/* Zero means the default. Borrowed during rpc_channel_open only. */
struct rpc_channel_config {
    const char *endpoint; /* "http://host:port", "https://host:port"; IPv6 in brackets */
    const struct rpc_tls_client *tls; /* for https; NULL: the system's roots, no own certificate */
    int64_t max_reply;                /* bytes of one message received; 128 MiB, at most 1 GiB */
    int64_t min_backoff_us;           /* 10 ms */
    int64_t max_backoff_us;           /* 1 s */
    int64_t connect_timeout_us;       /* one attempt; 5 s, at least 100 ms */
    int64_t keepalive_us;             /* ping after this without a read; 40 s, at least 10 s */
    int64_t keepalive_timeout_us;     /* 15 s */
};

/* From the loop, at each change; the state at the time of opening is RPC_IDLE. */
typedef void rpc_state_changed(void *ctx, enum rpc_state s);

/* on_state may be NULL. Borrows loop. The caller owns *out. Does not wait for the connection.
 * Fails: ERR_CONFIG (endpoint, TLS files), ERR_MEMORY. */
MUST_CHECK bool rpc_channel_open(struct rpc_loop *loop, const struct rpc_channel_config *config,
                                 rpc_state_changed *on_state, void *ctx, struct rpc_channel **out,
                                 struct error *err);
enum rpc_state rpc_channel_state(struct rpc_channel *ch);
/* Waits until the channel is ready. Fails: ERR_TIMEOUT, ERR_CLOSED. */
MUST_CHECK bool rpc_channel_wait_ready(struct rpc_channel *ch, int64_t timeout_us,
                                       struct error *err);
/* Cancels every call on it, waits until their last callbacks have returned, and closes. After it no
 * callback of the channel or its calls comes. Waits: never from a callback. Stream handles still
 * have to be released. NULL is allowed. */
void rpc_channel_close(struct rpc_channel *ch);

/* What is sent. Borrowed until the function that takes it returns. */
struct rpc_request {
    const char *method; /* "/package.Service/Method" */
    struct bytes message;
    const struct rpc_md *md; /* headers */
    size_t n_md;
    const struct trace_context *trace; /* sent as traceparent and tracestate; NULL for none */
    int64_t timeout_us;                /* the whole call; more than 0, streams: 0 is without end */
    bool wait_for_ready; /* wait, within timeout_us, for a connection in place of failing
                            UNAVAILABLE */
};

/* How a call ended. Borrowed during the callback; from the blocking functions it is owned. */
struct rpc_result {
    enum rpc_code code;
    const char *message;           /* never NULL */
    struct bytes details;          /* of grpc-status-details-bin; empty without */
    struct bytes reply;            /* unary, with RPC_OK */
    const struct rpc_md *trailers; /* details included; a key may come twice */
    size_t n_trailers;
};
/* The first trailer with this key; false when absent. */
bool rpc_result_trailer(const struct rpc_result *r, const char *key, struct bytes *value);

/* ---- unary ---- */
typedef void rpc_unary_done(void *ctx, const struct rpc_result *r);

/* done comes exactly once when true is returned, perhaps before that; r->code tells. op: NULL, or
 * gets a handle to cancel with, which the caller releases at any time. Fails (done never comes):
 * ERR_CONFIG (headers, timeout), ERR_CLOSED, ERR_MEMORY. */
MUST_CHECK bool rpc_unary(struct rpc_channel *ch, const struct rpc_request *rq,
                          rpc_unary_done *done, void *ctx, struct rpc_op **op, struct error *err);
void rpc_op_cancel(struct rpc_op *op); /* done comes with RPC_CANCELLED, unless it was on its way */
void rpc_op_release(struct rpc_op *op); /* NULL is allowed */

/* The same, waiting. True: an answer, *out is owned (rpc_result_free), out->code may be any.
 * False as for rpc_unary. */
MUST_CHECK bool rpc_unary_wait(struct rpc_channel *ch, const struct rpc_request *rq,
                               struct rpc_result **out, struct error *err);
/* Sends n request messages (rq->message is not used), then waits for the one answer. */
MUST_CHECK bool rpc_upload_wait(struct rpc_channel *ch, const struct rpc_request *rq,
                                const struct bytes *messages, size_t n, struct rpc_result **out,
                                struct error *err);
void rpc_result_free(struct rpc_result *r); /* of the blocking functions only; NULL is allowed */
/* True when r->code is RPC_OK, else fills err as rpc_status_error does. */
MUST_CHECK bool rpc_result_ok(const struct rpc_result *r, const char *method, struct error *err);

/* ---- server streams, with pull ---- */
struct rpc_stream_events {
    /* One message, borrowed. The next comes after rpc_stream_next, which may be called in here. */
    void (*message)(void *ctx, struct bytes message);
    /* Exactly once, the last callback. When the server ends the stream it comes after every message
     * that was sent before, so only to a reader that asks on; rpc_stream_cancel brings it at once.
     */
    void (*end)(void *ctx, const struct rpc_result *r);
};
/* Sends the request and asks for the first message. *out is released by the caller, before or after
 * the end; the events go on until the end all the same. Fails as rpc_unary does. */
MUST_CHECK bool rpc_stream_open(struct rpc_channel *ch, const struct rpc_request *rq,
                                const struct rpc_stream_events *ev, void *ctx,
                                struct rpc_stream **out, struct error *err);
/* Asks for one more message; once per message got. What is not asked for waits at the sender
 * (HTTP/2 flow control: a window of 1 MiB and the sockets' buffers). No effect after the end. */
void rpc_stream_next(struct rpc_stream *st);
void rpc_stream_cancel(struct rpc_stream *st);  /* `end` comes with RPC_CANCELLED */
void rpc_stream_release(struct rpc_stream *st); /* NULL is allowed */
#endif
