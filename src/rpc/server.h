/* server.h: a gRPC server: methods by path, calls that are answered later from any thread.
 *
 *   rpc_server_open -> rpc_server_register ... -> rpc_server_listen -> rpc_server_start
 *   -> (calls) -> rpc_server_drain -> rpc_server_stop -> rpc_server_close
 *
 * Threads: a handler is called on a thread of the loop (loop.h: it must not block) or, when its
 * method names a pool, on a thread of that. The handle `struct rpc_call` belongs to whoever the
 * handler gives it to; functions on one handle may be called from any thread, one at a time. Life
 * of a call: it is ended exactly once, by rpc_call_reply, rpc_call_end or rpc_call_fail; after that
 * the handle and everything borrowed from it are gone. A peer that went away does not end it: its
 * owner still does (nothing is sent then). After the end the event `done` is the last callback.
 *
 * What the server answers by itself: an unknown path UNIMPLEMENTED; a request over the size limit
 * RESOURCE_EXHAUSTED; a compressed message UNIMPLEMENTED (a decompression bomb is refused unread);
 * a request without a message INTERNAL; more calls than the bound, a full pool, or draining
 * UNAVAILABLE. */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/pool.h"
#include "rpc/loop.h"
#include "rpc/status.h"
#include "rpc/tls.h"

struct rpc_server;
struct rpc_call;

/* Zero means the default. Borrowed during rpc_server_open only. */
struct rpc_server_config {
    int64_t max_request;              /* bytes of one request message; 10 MiB, at most 1 GiB */
    int32_t max_calls;                /* calls and streams at once, whole server; 10000 */
    int32_t max_calls_per_connection; /* HTTP/2 concurrent streams; 100000 */
    int64_t memory;       /* bytes that gRPC may hold for this server's connections; 512 MiB */
    int64_t keepalive_us; /* ping an idle connection after this; 40 s, at least 1 s */
    int64_t keepalive_timeout_us; /* and drop it without an answer; 20 s */
    int64_t min_ping_us;          /* clients may ping this often (interop: 20 s; a margin); 10 s */
};

enum rpc_kind {
    RPC_UNARY,         /* one request, one answer */
    RPC_SERVER_STREAM, /* one request, any number of messages */
    RPC_CLIENT_STREAM  /* all requests are collected, within max_request in sum; one answer */
};

typedef void rpc_handler(void *ctx, struct rpc_call *call);

struct rpc_method {
    const char *path; /* "/package.Service/Method", copied */
    enum rpc_kind kind;
    rpc_handler *handler;
    void *ctx;           /* lives until rpc_server_close */
    struct pool *pool;   /* where the handler runs; NULL: on the loop, then it must not block */
    int64_t max_request; /* bytes (CLIENT_STREAM: of all messages); 0: the server's. Not above the
                            server's for one message */
};

/* Borrows loop and lg (may be NULL), which outlive the server. The caller owns *out.
 * Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool rpc_server_open(struct rpc_loop *loop, const struct rpc_server_config *config,
                                struct logger *lg, struct rpc_server **out, struct error *err);
/* Before rpc_server_start. Fails: ERR_CONFIG (a path twice, or not of the form above). */
MUST_CHECK bool rpc_server_register(struct rpc_server *s, const struct rpc_method *m,
                                    struct error *err);
/* Adds a listening address, at most 8, before rpc_server_start. host: name, IPv4 or IPv6 address,
 * "0.0.0.0" for all; port 0: the kernel chooses. tls: NULL for plain text. *chosen (may be NULL):
 * the port. Connections wait until rpc_server_start. Fails: ERR_CONFIG (TLS files, no such host),
 * ERR_IO (in use, not allowed). */
MUST_CHECK bool rpc_server_listen(struct rpc_server *s, const char *host, int port,
                                  const struct rpc_tls_server *tls, int *chosen, struct error *err);
MUST_CHECK bool rpc_server_start(struct rpc_server *s, struct error *err);

/* From now on new calls are answered UNAVAILABLE; running ones go on. Does not wait. May be called
 * twice. */
void rpc_server_drain(struct rpc_server *s);
/* Drains, waits up to grace_us (0 or more) for the running calls, stops listening, cancels the
 * calls that are left (their `cancelled` comes, their owners end them) and waits up to 10 s more.
 * Never from a callback of this loop. Fails: ERR_TIMEOUT: n calls were never ended, a defect of
 * their owners; the server is then leaked. */
MUST_CHECK bool rpc_server_stop(struct rpc_server *s, int64_t grace_us, struct error *err);
/* Stops with grace 0 when not stopped. NULL is allowed. */
void rpc_server_close(struct rpc_server *s);

int32_t rpc_server_calls(const struct rpc_server *s); /* running now */

/* ---- what a call brought; borrowed until it is ended ---- */
struct bytes rpc_call_request(const struct rpc_call *c); /* the (first) request message */
size_t rpc_call_request_count(const struct rpc_call *c); /* 1, but CLIENT_STREAM: 0 or more */
struct bytes rpc_call_request_at(const struct rpc_call *c, size_t i);
/* The first header with this key (lower case: HTTP/2 folds memberId to "memberid"; "-bin" values
 * are decoded). False when absent. */
bool rpc_call_header(const struct rpc_call *c, const char *key, struct bytes *value);
/* All of them in order; false past the end. */
bool rpc_call_header_at(const struct rpc_call *c, size_t i, struct bytes *key, struct bytes *value);
const char *rpc_call_path(const struct rpc_call *c);
/* "ipv4:127.0.0.1:40312"; for logs, never for authentication. */
const char *rpc_call_peer(struct rpc_call *c);
/* The common name of the verified client certificate; NULL without one. */
const char *rpc_call_peer_name(struct rpc_call *c);
/* When the client gives up, on clock_mono_us (gRPC rounds a timeout up on its way);
 * INT64_MAX when it set none. */
int64_t rpc_call_deadline_us(const struct rpc_call *c);
bool rpc_call_is_cancelled(struct rpc_call *c); /* the peer is gone or its deadline has passed */

/* ---- events, from the loop's thread, one after the other; each may be NULL ---- */
struct rpc_call_events {
    /* The message given to rpc_call_write has passed flow control: the next may be written. Not ok:
     * the peer is gone, write no more. May come before rpc_call_write has returned. */
    void (*written)(void *ctx, bool ok);
    /* Once, when the peer cancels, its deadline passes or its connection breaks before the end. The
     * owner still ends the call. */
    void (*cancelled)(void *ctx);
    /* Once, after the end, as the last: nothing refers to ctx any more. */
    void (*done)(void *ctx);
};
/* At most once per call, before its end. Copies *ev. A cancellation that came before is told too.
 */
void rpc_call_watch(struct rpc_call *c, const struct rpc_call_events *ev, void *ctx);

/* ---- answers ---- */
/* Ends a UNARY or CLIENT_STREAM call with its reply (copied) and OK. */
void rpc_call_reply(struct rpc_call *c, struct bytes reply);
/* SERVER_STREAM: writes one message (copied), at most one at a time: the next after `written`.
 * False: the call is cancelled, or a message is still on its way (then the caller has a defect);
 * nothing was sent and no `written` follows. */
MUST_CHECK bool rpc_call_write(struct rpc_call *c, struct bytes message);
/* Ends a SERVER_STREAM with OK; a message on its way still arrives. */
void rpc_call_end(struct rpc_call *c);
/* The message is cut to 1024 bytes, details over 4096 are left out (clients take 8 KiB of
 * trailers). Ends any call with a status (OK is turned into INTERNAL) and trailers (copied; an
 * entry that may not be sent is left out and logged). */
void rpc_call_fail(struct rpc_call *c, const struct rpc_status *st, const struct rpc_md *trailers,
                   size_t n_trailers);
/* The same without details and trailers. */
void rpc_call_refuse(struct rpc_call *c, enum rpc_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
#endif
