/* client_call.c: calls on a channel: unary (with a callback or waiting), upload, server stream.
 *
 * A call counts the batches that gRPC holds (`pending`); when the last one is back the result is
 * made and the last callback comes. `refs` are the handle of the caller and the call itself until
 * then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/client_core.h"

#define DETAILS_KEY "grpc-status-details-bin"

struct client_call {
    struct call_link link; /* owned by the channel */
    struct rpc_channel *ch;
    grpc_call *grpc;
    grpc_completion_queue *own_queue; /* of a waiting call; else the loop's thread serves it */
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice status_text, reply;
    grpc_byte_buffer *incoming, *outgoing;
    struct rpc_result result; /* points into the fields below */
    char *message;
    struct rpc_md *trailers; /* keys behind the array, values in `trailing` */
    struct tag start_tag, read_tag, end_tag;
    struct mutex lock;
    int refs GUARDED_BY(lock);
    int pending GUARDED_BY(lock);
    bool is_reading GUARDED_BY(lock);
    bool is_over GUARDED_BY(lock);
    rpc_unary_done *done;
    struct rpc_stream_events ev;
    void *ctx;
};

/* The two handles are the call under the name of its kind. */
struct rpc_op {
    struct client_call c;
};
struct rpc_stream {
    struct client_call c;
};

struct call_link *client_call_link(struct client_call *c)
{
    return &c->link;
}

void client_call_cancel(struct client_call *c)
{
    grpc_call_cancel(c->grpc, NULL);
}

static void call_free(struct client_call *c)
{
    grpc_metadata_array_destroy(&c->initial);
    grpc_metadata_array_destroy(&c->trailing);
    grpc_slice_unref(c->status_text);
    grpc_slice_unref(c->reply);
    if (c->incoming != NULL)
        grpc_byte_buffer_destroy(c->incoming);
    if (c->outgoing != NULL)
        grpc_byte_buffer_destroy(c->outgoing);
    if (c->message != NULL)
        gpr_free(c->message);
    free(c->trailers);
    grpc_call_unref(c->grpc);
    if (c->own_queue != NULL) {
        grpc_completion_queue_shutdown(c->own_queue);
        grpc_completion_queue_destroy(c->own_queue);
    }
    mutex_destroy(&c->lock);
    free(c);
}

static void call_unref(struct client_call *c)
{
    bool is_last;

    mutex_lock(&c->lock);
    is_last = --c->refs == 0;
    mutex_unlock(&c->lock);
    if (is_last)
        call_free(c);
}

/* ---- results ---- */

/* Without memory the trailers are missing, the status is not. */
static void trailers_fill(struct client_call *c)
{
    size_t n = c->trailing.count, size = n * sizeof(struct rpc_md);
    char *key;

    for (size_t i = 0; i < n; i++)
        size += slice_bytes(&c->trailing.metadata[i].key).len + 1;
    if (n == 0 || (c->trailers = calloc(1, size)) == NULL)
        return;
    key = (char *)(c->trailers + n);
    for (size_t i = 0; i < n; i++) {
        struct bytes k = slice_bytes(&c->trailing.metadata[i].key);

        memcpy(key, k.data, k.len);
        c->trailers[i] = (struct rpc_md){key, slice_bytes(&c->trailing.metadata[i].value)};
        key += k.len + 1;
    }
    c->result.trailers = c->trailers;
    c->result.n_trailers = n;
}

static void result_set(struct client_call *c, enum rpc_code code, const char *message)
{
    c->result.code = code;
    c->result.message = message;
}

static void result_fill(struct client_call *c, bool wants_reply)
{
    unsigned code = (unsigned)c->status;

    c->message = grpc_slice_to_c_string(c->status_text);
    result_set(c, code <= RPC_UNAUTHENTICATED ? (enum rpc_code)code : RPC_UNKNOWN, c->message);
    trailers_fill(c);
    (void)rpc_result_trailer(&c->result, DETAILS_KEY, &c->result.details);
    if (code != RPC_OK || !wants_reply)
        return;
    if (c->incoming == NULL)
        result_set(c, RPC_INTERNAL, "the server ended with OK but sent no message");
    else if (message_is_compressed(c->incoming))
        result_set(c, RPC_INTERNAL, "the server sent a compressed message");
    else
        c->reply = slice_of_message(&c->incoming);
    c->result.reply = slice_bytes(&c->reply);
}

bool rpc_result_trailer(const struct rpc_result *r, const char *key, struct bytes *value)
{
    for (size_t i = 0; i < r->n_trailers; i++) {
        if (strcmp(r->trailers[i].key, key) == 0) {
            *value = r->trailers[i].value;
            return true;
        }
    }
    return false;
}

bool rpc_result_ok(const struct rpc_result *r, const char *method, struct error *err)
{
    return r->code == RPC_OK || rpc_status_error(method, r->code, r->message, err);
}

void rpc_result_free(struct rpc_result *r)
{
    if (r != NULL)
        call_unref(CONTAINER_OF(r, struct client_call, result));
}

/* ---- making a call ---- */

static bool request_check(const struct rpc_request *rq, bool needs_timeout, struct error *err)
{
    if (rq->timeout_us < 0 || (needs_timeout && rq->timeout_us == 0))
        return error_set(err, ERR_CONFIG, "a timeout above 0", "%s: no timeout", rq->method);
    if (rq->method == NULL || rq->method[0] != '/')
        return error_set(err, ERR_CONFIG, NULL, "a call without a method");
    return rpc_md_check(rq->md, rq->n_md, err);
}

/* A call that is on its channel's list, or NULL. The caller owns one reference. */
static struct client_call *call_make(struct rpc_channel *ch, const struct rpc_request *rq,
                                     bool is_waiting, struct error *err)
{
    struct client_call *c = calloc(1, sizeof(*c));
    grpc_completion_queue *cq;
    grpc_slice method;

    if (c == NULL) {
        error_set(err, ERR_MEMORY, NULL, "%s: no memory", rq->method);
        return NULL;
    }
    c->own_queue = is_waiting ? grpc_completion_queue_create_for_pluck(NULL) : NULL;
    cq = is_waiting ? c->own_queue : loop_next_queue(ch->loop);
    method = grpc_slice_from_copied_string(rq->method);
    c->grpc = grpc_channel_create_call(ch->grpc, NULL, GRPC_PROPAGATE_DEFAULTS, cq, method, NULL,
                                       deadline_in(rq->timeout_us), NULL);
    grpc_slice_unref(method);
    c->ch = ch;
    c->status_text = grpc_empty_slice();
    c->reply = grpc_empty_slice();
    grpc_metadata_array_init(&c->initial);
    grpc_metadata_array_init(&c->trailing);
    mutex_init(&c->lock);
    c->refs = 1;
    if (channel_enter(ch, c, err))
        return c;
    call_free(c);
    return NULL;
}

static void call_abandon(struct client_call *c)
{
    channel_leave(c->ch, c);
    call_unref(c);
}

/* The headers of rq as gRPC wants them, in one op. */
static bool op_headers(const struct rpc_request *rq, grpc_op *op, struct error *err)
{
    struct rpc_md *all = calloc(rq->n_md + 2, sizeof(*all));
    size_t n = rq->n_md;
    bool ok = all != NULL;

    if (ok && n > 0)
        memcpy(all, rq->md, n * sizeof(*all));
    if (ok && rq->trace != NULL) {
        all[n++] = (struct rpc_md){"traceparent", bytes_str(rq->trace->parent)};
        if (rq->trace->state[0] != '\0')
            all[n++] = (struct rpc_md){"tracestate", bytes_str(rq->trace->state)};
    }
    ok = ok && metadata_make(all, n, &op->data.send_initial_metadata.metadata);
    free(all);
    if (!ok)
        return error_set(err, ERR_MEMORY, NULL, "%s: no memory", rq->method);
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    op->data.send_initial_metadata.count = n;
    if (rq->wait_for_ready)
        op->flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY |
                    GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    return true;
}

static void op_headers_free(grpc_op *op)
{
    metadata_free(op->data.send_initial_metadata.metadata, op->data.send_initial_metadata.count);
}

static grpc_op op_send(struct client_call *c, struct bytes message)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};

    c->outgoing = message_of(message);
    op.data.send_message.send_message = c->outgoing;
    return op;
}

static grpc_op op_read(struct client_call *c)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

    op.data.recv_message.recv_message = &c->incoming;
    return op;
}

static grpc_op op_read_headers(struct client_call *c)
{
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};

    op.data.recv_initial_metadata.recv_initial_metadata = &c->initial;
    return op;
}

static grpc_op op_read_end(struct client_call *c)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};

    op.data.recv_status_on_client.trailing_metadata = &c->trailing;
    op.data.recv_status_on_client.status = &c->status;
    op.data.recv_status_on_client.status_details = &c->status_text;
    return op;
}

/* Starts ops under t. gRPC refuses only what we check before. */
static bool call_batch(struct client_call *c, const grpc_op *ops, size_t n, struct tag *t,
                       struct error *err)
{
    grpc_call_error e;

    tag_give(t);
    e = grpc_call_start_batch(c->grpc, ops, n, t, NULL);
    return e == GRPC_CALL_OK || error_set(err, ERR_INTERNAL, NULL, "gRPC refuses a call: %s",
                                          grpc_call_error_to_string(e));
}

/* ---- unary ---- */

static void unary_came(struct tag *t, bool ok)
{
    struct client_call *c = CONTAINER_OF(t, struct client_call, end_tag);

    (void)ok; /* the status tells */
    result_fill(c, true);
    c->done(c->ctx, &c->result);
    channel_leave(c->ch, c);
    call_unref(c);
}

static bool unary_start(struct client_call *c, const struct rpc_request *rq, struct error *err)
{
    grpc_op ops[6] = {0};
    bool ok;

    if (!op_headers(rq, &ops[0], err))
        return false;
    ops[1] = op_send(c, rq->message);
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3] = op_read_headers(c);
    ops[4] = op_read(c);
    ops[5] = op_read_end(c);
    ok = call_batch(c, ops, 6, &c->end_tag, err);
    op_headers_free(&ops[0]);
    return ok;
}

bool rpc_unary(struct rpc_channel *ch, const struct rpc_request *rq, rpc_unary_done *done,
               void *ctx, struct rpc_op **op, struct error *err)
{
    struct client_call *c;

    if (!request_check(rq, true, err) || (c = call_make(ch, rq, false, err)) == NULL)
        return false;
    c->end_tag.fn = unary_came;
    c->done = done;
    c->ctx = ctx;
    if (op != NULL) {
        c->refs++;
        *op = CONTAINER_OF(c, struct rpc_op, c);
    }
    if (unary_start(c, rq, err))
        return true;
    if (op != NULL) {
        *op = NULL;
        call_unref(c);
    }
    call_abandon(c);
    return false;
}

void rpc_op_cancel(struct rpc_op *op)
{
    client_call_cancel(&op->c);
}

void rpc_op_release(struct rpc_op *op)
{
    if (op != NULL)
        call_unref(&op->c);
}

static bool call_wait(struct client_call *c, struct tag *t)
{
    grpc_event ev =
        grpc_completion_queue_pluck(c->own_queue, t, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

    tag_take(t);
    return ev.type == GRPC_OP_COMPLETE && ev.success != 0;
}

static void wait_result(struct client_call *c, struct rpc_result **out)
{
    (void)call_wait(c, &c->end_tag);
    result_fill(c, true);
    channel_leave(c->ch, c);
    *out = &c->result;
}

bool rpc_unary_wait(struct rpc_channel *ch, const struct rpc_request *rq, struct rpc_result **out,
                    struct error *err)
{
    struct client_call *c;

    if (!request_check(rq, true, err) || (c = call_make(ch, rq, true, err)) == NULL)
        return false;
    if (!unary_start(c, rq, err)) {
        call_abandon(c);
        return false;
    }
    wait_result(c, out);
    return true;
}

/* ---- upload ---- */

/* Sends the messages one after the other. False: the server has ended the call, its status tells
 * why. */
static bool upload_send(struct client_call *c, const struct bytes *messages, size_t n,
                        struct error *err)
{
    grpc_op close = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};

    for (size_t i = 0; i < n; i++) {
        grpc_op op = op_send(c, messages[i]);
        bool ok = call_batch(c, &op, 1, &c->start_tag, err) && call_wait(c, &c->start_tag);

        grpc_byte_buffer_destroy(c->outgoing);
        c->outgoing = NULL;
        if (!ok)
            return false;
    }
    return call_batch(c, &close, 1, &c->start_tag, err) && call_wait(c, &c->start_tag);
}

bool rpc_upload_wait(struct rpc_channel *ch, const struct rpc_request *rq,
                     const struct bytes *messages, size_t n, struct rpc_result **out,
                     struct error *err)
{
    struct client_call *c;
    grpc_op ops[4] = {0};
    bool ok;

    if (!request_check(rq, true, err) || (c = call_make(ch, rq, true, err)) == NULL)
        return false;
    ok = op_headers(rq, &ops[0], err);
    if (ok) {
        ops[1] = op_read_headers(c);
        ops[2] = op_read(c);
        ops[3] = op_read_end(c);
        ok = call_batch(c, ops, 4, &c->end_tag, err);
        op_headers_free(&ops[0]);
    }
    if (!ok) {
        call_abandon(c);
        return false;
    }
    (void)upload_send(c, messages, n, NULL);
    wait_result(c, out);
    return true;
}

/* ---- server streams ---- */

/* One batch is back; the last one ends the stream. */
static void stream_release(struct client_call *c)
{
    bool is_over;

    mutex_lock(&c->lock);
    is_over = c->is_over = --c->pending == 0;
    mutex_unlock(&c->lock);
    if (!is_over)
        return;
    result_fill(c, false);
    c->ev.end(c->ctx, &c->result);
    channel_leave(c->ch, c);
    call_unref(c);
}

static void start_came(struct tag *t, bool ok)
{
    (void)ok;
    stream_release(CONTAINER_OF(t, struct client_call, start_tag));
}

static void end_came(struct tag *t, bool ok)
{
    (void)ok;
    stream_release(CONTAINER_OF(t, struct client_call, end_tag));
}

static void read_came(struct tag *t, bool ok)
{
    struct client_call *c = CONTAINER_OF(t, struct client_call, read_tag);
    grpc_byte_buffer *bb = c->incoming;

    c->incoming = NULL;
    mutex_lock(&c->lock);
    c->is_reading = false;
    mutex_unlock(&c->lock);
    if (ok && bb != NULL && message_is_compressed(bb)) {
        grpc_call_cancel_with_status(c->grpc, GRPC_STATUS_INTERNAL,
                                     "the server sent a compressed message", NULL);
    } else if (ok && bb != NULL) {
        grpc_slice s = slice_of_message(&bb);

        c->ev.message(c->ctx, slice_bytes(&s));
        grpc_slice_unref(s);
    }
    if (bb != NULL)
        grpc_byte_buffer_destroy(bb);
    stream_release(c);
}

static bool stream_start(struct client_call *c, const struct rpc_request *rq, struct error *err)
{
    grpc_op ops[4] = {0}, end = op_read_end(c), first = op_read(c);
    bool ok;

    if (!op_headers(rq, &ops[0], err))
        return false;
    ops[1] = op_send(c, rq->message);
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3] = op_read_headers(c);
    c->pending = 3; /* all of them, so that the end can not come before the last is started */
    c->is_reading = true;
    ok = call_batch(c, &end, 1, &c->end_tag, err);
    if (ok) {
        /* From here on the stream's end tells; a batch that is refused is a defect. */
        if (!call_batch(c, ops, 4, &c->start_tag, err) ||
            !call_batch(c, &first, 1, &c->read_tag, err))
            abort();
    }
    op_headers_free(&ops[0]);
    return ok;
}

bool rpc_stream_open(struct rpc_channel *ch, const struct rpc_request *rq,
                     const struct rpc_stream_events *ev, void *ctx, struct rpc_stream **out,
                     struct error *err)
{
    struct client_call *c;

    if (!request_check(rq, false, err) || (c = call_make(ch, rq, false, err)) == NULL)
        return false;
    c->start_tag.fn = start_came;
    c->end_tag.fn = end_came;
    c->read_tag.fn = read_came;
    c->ev = *ev;
    c->ctx = ctx;
    c->refs++; /* the handle */
    *out = CONTAINER_OF(c, struct rpc_stream, c);
    if (stream_start(c, rq, err))
        return true;
    *out = NULL;
    call_unref(c);
    call_abandon(c);
    return false;
}

void rpc_stream_next(struct rpc_stream *st)
{
    struct client_call *c = &st->c;
    grpc_op op = op_read(c);

    mutex_lock(&c->lock);
    if (!c->is_over && !c->is_reading) {
        c->is_reading = true;
        c->pending++;
        if (!call_batch(c, &op, 1, &c->read_tag, NULL))
            abort();
    }
    mutex_unlock(&c->lock);
}

void rpc_stream_cancel(struct rpc_stream *st)
{
    client_call_cancel(&st->c);
}

void rpc_stream_release(struct rpc_stream *st)
{
    if (st != NULL)
        call_unref(&st->c);
}
