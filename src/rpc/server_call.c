/* server_call.c: one call on the server, from its arrival to its last callback.
 *
 *   arrived -> (requests collected) -> handed to its owner -> ended -> done
 *
 * `pending` counts what can still touch the struct: the owner until the end, and every batch that
 * gRPC holds. All batches complete on the one thread of the call's queue, so events need no lock
 * between them; the lock is for the owner, who may be on any thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/server_core.h"

#define COLLECTED_MAX 65536 /* messages of one CLIENT_STREAM */
#define DETAILS_KEY   "grpc-status-details-bin"
/* A client of the other implementation takes 8 KiB of trailers, and drops the status with more. */
#define MESSAGE_MAX 1024
#define DETAILS_MAX 4096

struct rpc_call {
    struct rpc_server *s;
    const struct method *method;
    grpc_call *grpc;
    grpc_metadata_array md;
    int64_t deadline_us;
    grpc_slice *request;
    size_t n_requests, cap_requests, total;
    grpc_byte_buffer *incoming;
    char *peer, *peer_name;
    int was_cancelled; /* gRPC's answer to RECV_CLOSE */
    struct tag close_tag, read_tag, write_tag, end_tag, late_tag;
    struct mutex lock;
    int pending GUARDED_BY(lock);
    bool is_cancelled GUARDED_BY(lock);
    bool is_ended GUARDED_BY(lock);
    bool is_watched GUARDED_BY(lock);
    bool headers_are_sent GUARDED_BY(lock);
    grpc_byte_buffer *outgoing GUARDED_BY(lock); /* not NULL: a write is on its way */
    struct rpc_call_events ev;                   /* fixed once is_watched */
    void *ctx;
};

static void call_free(struct rpc_call *c)
{
    struct rpc_server *s = c->s;

    for (size_t i = 0; i < c->n_requests; i++)
        grpc_slice_unref(c->request[i]);
    free(c->request);
    if (c->incoming != NULL)
        grpc_byte_buffer_destroy(c->incoming);
    if (c->peer != NULL)
        gpr_free(c->peer);
    free(c->peer_name);
    grpc_metadata_array_destroy(&c->md);
    grpc_call_unref(c->grpc);
    mutex_destroy(&c->lock);
    free(c);
    server_call_gone(s);
}

/* From a completed batch only: the owner's part never is the last, because its end starts a batch.
 */
static void call_release(struct rpc_call *c)
{
    bool is_last;

    mutex_lock(&c->lock);
    is_last = --c->pending == 0;
    mutex_unlock(&c->lock);
    if (!is_last)
        return;
    if (c->is_watched && c->ev.done != NULL)
        c->ev.done(c->ctx);
    call_free(c);
}

/* Starts ops under tag t, which its completion releases. False: gRPC refused them. */
static bool call_batch(struct rpc_call *c, const grpc_op *ops, size_t n, struct tag *t)
    REQUIRES(c->lock)
{
    c->pending++;
    tag_give(t);
    if (grpc_call_start_batch(c->grpc, ops, n, t, NULL) == GRPC_CALL_OK)
        return true;
    c->pending--;
    return false;
}

static void late_came(struct tag *t, bool ok)
{
    struct rpc_call *c = CONTAINER_OF(t, struct rpc_call, late_tag);

    (void)ok;
    if (c->ev.cancelled != NULL)
        c->ev.cancelled(c->ctx);
    call_release(c);
}

static void close_came(struct tag *t, bool ok)
{
    struct rpc_call *c = CONTAINER_OF(t, struct rpc_call, close_tag);
    bool tell;

    (void)ok;
    mutex_lock(&c->lock);
    c->is_cancelled = c->was_cancelled != 0;
    tell = c->is_cancelled && !c->is_ended && c->is_watched;
    mutex_unlock(&c->lock);
    if (tell && c->ev.cancelled != NULL)
        c->ev.cancelled(c->ctx);
    call_release(c);
}

static void end_came(struct tag *t, bool ok)
{
    struct rpc_call *c = CONTAINER_OF(t, struct rpc_call, end_tag);

    (void)ok; /* not sent: the peer was gone, which nobody has to be told any more */
    call_release(c);
}

static void write_came(struct tag *t, bool ok)
{
    struct rpc_call *c = CONTAINER_OF(t, struct rpc_call, write_tag);
    bool tell;

    mutex_lock(&c->lock);
    grpc_byte_buffer_destroy(c->outgoing);
    c->outgoing = NULL;
    tell = c->is_watched && !c->is_ended;
    mutex_unlock(&c->lock);
    if (tell && c->ev.written != NULL)
        c->ev.written(c->ctx, ok);
    call_release(c);
}

/* ---- arrival ---- */

static void call_hand_over(void *arg)
{
    struct rpc_call *c = arg;

    if (rpc_call_is_cancelled(c)) {
        rpc_call_refuse(c, RPC_CANCELLED, "cancelled before it was looked at");
        return;
    }
    c->method->m.handler(c->method->m.ctx, c);
}

static void call_dispatch(struct rpc_call *c)
{
    const struct rpc_method *m = &c->method->m;
    struct error err;

    if (m->pool == NULL)
        call_hand_over(c);
    else if (!pool_submit(m->pool, call_hand_over, c, &err))
        rpc_call_refuse(c, RPC_UNAVAILABLE, "the server is overloaded");
}

/* Takes the slice. False: over a limit, and the call is ended. */
static bool request_add(struct rpc_call *c, grpc_slice message)
{
    c->total += GRPC_SLICE_LENGTH(message);
    if (c->total > (size_t)c->method->m.max_request || c->n_requests == COLLECTED_MAX) {
        grpc_slice_unref(message);
        rpc_call_refuse(c, RPC_RESOURCE_EXHAUSTED,
                        "Received message larger than max (%zu vs. %lld)", c->total,
                        (long long)c->method->m.max_request);
        return false;
    }
    if (c->n_requests == c->cap_requests) {
        size_t cap = c->cap_requests == 0 ? 1 : c->cap_requests * 2;
        grpc_slice *more = realloc(c->request, cap * sizeof(*more));

        if (more == NULL) {
            grpc_slice_unref(message);
            rpc_call_refuse(c, RPC_UNAVAILABLE, "no memory");
            return false;
        }
        c->request = more;
        c->cap_requests = cap;
    }
    c->request[c->n_requests++] = message;
    return true;
}

/* Takes c->incoming. False: the call is ended. */
static bool incoming_take(struct rpc_call *c)
{
    if (message_is_compressed(c->incoming)) {
        rpc_call_refuse(c, RPC_UNIMPLEMENTED, "compressed messages are not accepted");
        return false;
    }
    return request_add(c, slice_of_message(&c->incoming));
}

static void read_next(struct rpc_call *c)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    bool ok;

    op.data.recv_message.recv_message = &c->incoming;
    mutex_lock(&c->lock);
    ok = call_batch(c, &op, 1, &c->read_tag);
    mutex_unlock(&c->lock);
    if (!ok)
        rpc_call_refuse(c, RPC_INTERNAL, "cannot read the request");
}

static void read_came(struct tag *t, bool ok)
{
    struct rpc_call *c = CONTAINER_OF(t, struct rpc_call, read_tag);

    if (c->incoming != NULL) {
        if (incoming_take(c))
            read_next(c);
    } else if (!ok || grpc_call_failed_before_recv_message(c->grpc) != 0) {
        rpc_call_refuse(c, RPC_CANCELLED, "the request was cut off");
    } else {
        call_dispatch(c);
    }
    call_release(c);
}

static int64_t deadline_us_of(gpr_timespec t)
{
    gpr_timespec left =
        gpr_time_sub(gpr_convert_clock_type(t, GPR_CLOCK_MONOTONIC), gpr_now(GPR_CLOCK_MONOTONIC));

    if (left.tv_sec > INT64_C(1000000000)) /* 31 years */
        return INT64_MAX;
    return clock_mono_us() + left.tv_sec * US_PER_S + left.tv_nsec / 1000;
}

static struct rpc_call *call_make(struct rpc_server *s, struct arrival *a)
{
    struct rpc_call *c = calloc(1, sizeof(*c));
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};

    if (c == NULL) {
        grpc_metadata_array_destroy(&a->md);
        if (a->payload != NULL)
            grpc_byte_buffer_destroy(a->payload);
        grpc_call_cancel(a->call, NULL);
        grpc_call_unref(a->call);
        return NULL;
    }
    c->s = s;
    c->method = a->method;
    c->grpc = a->call;
    c->md = a->md;
    c->incoming = a->payload;
    c->deadline_us = deadline_us_of(a->deadline);
    c->close_tag.fn = close_came;
    c->read_tag.fn = read_came;
    c->write_tag.fn = write_came;
    c->end_tag.fn = end_came;
    c->late_tag.fn = late_came;
    op.data.recv_close_on_server.cancelled = &c->was_cancelled;
    mutex_init(&c->lock);
    mutex_lock(&c->lock);
    c->pending = 1;
    if (!call_batch(c, &op, 1, &c->close_tag))
        abort(); /* the first batch of a new call; only a defect here can make it fail */
    mutex_unlock(&c->lock);
    return c;
}

void call_accept(struct rpc_server *s, struct arrival *a)
{
    int32_t n = atomic_fetch_add(&s->n_calls, 1) + 1;
    struct rpc_call *c = call_make(s, a);

    if (c == NULL)
        server_call_gone(s);
    else if (c->method == NULL)
        rpc_call_refuse(c, RPC_UNIMPLEMENTED, "unknown method");
    else if (atomic_load(&s->is_refusing))
        rpc_call_refuse(c, RPC_UNAVAILABLE, "the server is stopping");
    else if (n > s->config.max_calls)
        rpc_call_refuse(c, RPC_UNAVAILABLE, "the server has too many calls");
    else if (c->method->m.kind == RPC_CLIENT_STREAM)
        read_next(c);
    else if (c->incoming == NULL)
        /* Cut off or over the limit (then gRPC has sent RESOURCE_EXHAUSTED itself), else none came.
         */
        rpc_call_refuse(c, RPC_INTERNAL, "the request has no message");
    else if (incoming_take(c))
        call_dispatch(c);
}

/* ---- what it brought ---- */

struct bytes rpc_call_request_at(const struct rpc_call *c, size_t i)
{
    return i < c->n_requests ? slice_bytes(&c->request[i]) : bytes_of(NULL, 0);
}

struct bytes rpc_call_request(const struct rpc_call *c)
{
    return rpc_call_request_at(c, 0);
}

size_t rpc_call_request_count(const struct rpc_call *c)
{
    return c->n_requests;
}

bool rpc_call_header_at(const struct rpc_call *c, size_t i, struct bytes *key, struct bytes *value)
{
    if (i >= c->md.count)
        return false;
    *key = slice_bytes(&c->md.metadata[i].key);
    *value = slice_bytes(&c->md.metadata[i].value);
    return true;
}

bool rpc_call_header(const struct rpc_call *c, const char *key, struct bytes *value)
{
    struct bytes k, v;

    for (size_t i = 0; rpc_call_header_at(c, i, &k, &v); i++) {
        if (bytes_equal(k, bytes_str(key))) {
            *value = v;
            return true;
        }
    }
    return false;
}

const char *rpc_call_path(const struct rpc_call *c)
{
    return c->method != NULL ? c->method->path : "";
}

const char *rpc_call_peer(struct rpc_call *c)
{
    if (c->peer == NULL)
        c->peer = grpc_call_get_peer(c->grpc);
    return c->peer != NULL ? c->peer : "unknown";
}

const char *rpc_call_peer_name(struct rpc_call *c)
{
    grpc_auth_context *auth;

    if (c->peer_name != NULL)
        return c->peer_name;
    auth = grpc_call_auth_context(c->grpc);
    if (auth == NULL)
        return NULL;
    if (grpc_auth_context_peer_is_authenticated(auth) != 0) {
        grpc_auth_property_iterator it =
            grpc_auth_context_find_properties_by_name(auth, GRPC_X509_CN_PROPERTY_NAME);
        const grpc_auth_property *p = grpc_auth_property_iterator_next(&it);

        if (p != NULL)
            c->peer_name = strndup(p->value, p->value_length);
    }
    grpc_auth_context_release(auth);
    return c->peer_name;
}

int64_t rpc_call_deadline_us(const struct rpc_call *c)
{
    return c->deadline_us;
}

bool rpc_call_is_cancelled(struct rpc_call *c)
{
    bool is;

    mutex_lock(&c->lock);
    is = c->is_cancelled;
    mutex_unlock(&c->lock);
    return is;
}

void rpc_call_watch(struct rpc_call *c, const struct rpc_call_events *ev, void *ctx)
{
    mutex_lock(&c->lock);
    c->ev = *ev;
    c->ctx = ctx;
    c->is_watched = true;
    if (c->is_cancelled && !call_batch(c, NULL, 0, &c->late_tag))
        abort(); /* gRPC always takes an empty batch */
    mutex_unlock(&c->lock);
}

/* ---- answers ---- */

static size_t op_headers(struct rpc_call *c, grpc_op *op) REQUIRES(c->lock)
{
    if (c->headers_are_sent)
        return 0;
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    return 1;
}

bool rpc_call_write(struct rpc_call *c, struct bytes message)
{
    grpc_op ops[2] = {0};
    grpc_byte_buffer *bb = message_of(message);
    bool ok = false;
    size_t n;

    mutex_lock(&c->lock);
    if (!c->is_cancelled && c->outgoing == NULL) {
        n = op_headers(c, ops);
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = bb;
        c->outgoing = bb;
        ok = call_batch(c, ops, n, &c->write_tag);
        if (ok)
            c->headers_are_sent = true;
        else
            c->outgoing = NULL;
    }
    mutex_unlock(&c->lock);
    if (!ok)
        grpc_byte_buffer_destroy(bb);
    return ok;
}

/* The one end of a call. bb: NULL or the reply, taken. */
static void call_finish(struct rpc_call *c, grpc_byte_buffer *bb, enum rpc_code code,
                        const char *message, grpc_metadata *md, size_t n_md)
{
    grpc_slice text = grpc_slice_from_copied_string(message);
    grpc_op ops[3] = {0};
    size_t n;

    mutex_lock(&c->lock);
    c->is_ended = true;
    n = op_headers(c, ops);
    if (bb != NULL) {
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = bb;
    }
    ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[n].data.send_status_from_server.trailing_metadata = md;
    ops[n].data.send_status_from_server.trailing_metadata_count = n_md;
    ops[n].data.send_status_from_server.status = (grpc_status_code)code;
    ops[n++].data.send_status_from_server.status_details = &text;
    if (!call_batch(c, ops, n, &c->end_tag)) {
        /* The arguments are checked before; whatever it is, the peer must not wait for ever. */
        grpc_call_cancel(c->grpc, NULL);
        if (!call_batch(c, NULL, 0, &c->end_tag))
            abort();
    }
    c->pending--; /* the owner's part; the batch keeps the struct */
    mutex_unlock(&c->lock);
    grpc_slice_unref(text);
    if (bb != NULL)
        grpc_byte_buffer_destroy(bb);
}

void rpc_call_reply(struct rpc_call *c, struct bytes reply)
{
    call_finish(c, message_of(reply), RPC_OK, "", NULL, 0);
}

void rpc_call_end(struct rpc_call *c)
{
    call_finish(c, NULL, RPC_OK, "", NULL, 0);
}

/* Details first, then the trailers that may be sent. */
static size_t trailers_make(struct rpc_call *c, const struct rpc_status *st,
                            const struct rpc_md *trailers, size_t n, grpc_metadata **out)
{
    struct rpc_md *all = calloc(n + 1, sizeof(*all));
    struct error err;
    size_t m = 0;

    *out = NULL;
    if (all == NULL)
        return 0; /* the status still goes out */
    if (st->details.len > DETAILS_MAX)
        log_warn(c->s->lg, ERR_LIMIT, "%s: %zu bytes of status details are left out",
                 rpc_call_path(c), st->details.len);
    else if (st->details.len > 0)
        all[m++] = (struct rpc_md){DETAILS_KEY, st->details};
    for (size_t i = 0; i < n; i++) {
        if (rpc_md_check(&trailers[i], 1, &err))
            all[m++] = trailers[i];
        else
            logger_error(c->s->lg, LOG_ERROR, &err, "trailer left out");
    }
    if (!metadata_make(all, m, out))
        m = 0;
    free(all);
    return m;
}

/* At most MESSAGE_MAX bytes and UTF-8, whatever a peer's text has brought into it. */
static void message_clean(const char *in, char *out)
{
    size_t n = strnlen(in, MESSAGE_MAX);

    memcpy(out, in, n);
    for (int i = 0; i < 3 && in[n] != '\0' && !utf8_valid(bytes_of(out, n)); i++)
        n--; /* a character that was cut */
    out[n] = '\0';
    if (utf8_valid(bytes_of(out, n)))
        return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] > 0x7e)
            out[i] = '?';
}

void rpc_call_fail(struct rpc_call *c, const struct rpc_status *st, const struct rpc_md *trailers,
                   size_t n_trailers)
{
    enum rpc_code code = st->code == RPC_OK ? RPC_INTERNAL : st->code;
    char message[MESSAGE_MAX + 1];
    grpc_metadata *md;
    size_t n = trailers_make(c, st, trailers, n_trailers, &md);

    message_clean(st->message != NULL ? st->message : "", message);
    call_finish(c, NULL, code, message, md, n);
    metadata_free(md, n);
}

void rpc_call_refuse(struct rpc_call *c, enum rpc_code code, const char *fmt, ...)
{
    struct rpc_status st = {.code = code};
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    st.message = text;
    rpc_call_fail(c, &st, NULL, 0);
}
