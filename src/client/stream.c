/* stream.c: one server stream. Callbacks of rpc/ fill the inbox, its reader empties it; a full
 * inbox pulls no more, so that the sequencer waits (HTTP/2) and nothing grows here. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "client/client_impl.h"
#include "wire/precheck.h"

#define INBOX_MAX       100
#define INBOX_BYTES_MAX ((size_t)32 << 20)

struct inbox_item {
    struct inbox_item *next;
    struct buffer message;
};

struct stream {
    struct stream *next, *prev;
    struct client *c;
    struct endpoint *e;
    uint64_t token_serial;
    struct cond changed;
    /* guarded by client.m */
    struct rpc_stream *st;
    struct inbox_item *head, *tail;
    size_t n, bytes;
    bool wants_next; /* a pull was held back */
    bool is_lost;    /* a message did not fit into memory: what follows must not be read */
    bool is_ended;
    struct call_reply end;
};

static bool has_room(const struct stream *s)
{
    return s->n < INBOX_MAX && s->bytes < INBOX_BYTES_MAX;
}

static void on_message(void *ctx, struct bytes message)
{
    struct stream *s = ctx;
    struct client *c = s->c;
    struct inbox_item *i = calloc(1, sizeof(*i));
    struct rpc_stream *pull = NULL;
    bool is_lost = !i;

    if (i) {
        buffer_append_bytes(&i->message, message);
        is_lost = !buffer_ok(&i->message, NULL);
    }
    mutex_lock(&c->m);
    if (is_lost || s->is_lost) {
        s->is_lost = true;
    } else {
        if (s->head)
            s->tail->next = i;
        else
            s->head = i;
        s->tail = i;
        s->n++;
        s->bytes += i->message.len;
        i = NULL;
        if (s->st && has_room(s))
            pull = s->st;
        else
            s->wants_next = true;
    }
    cond_signal(&s->changed);
    mutex_unlock(&c->m);
    if (pull)
        rpc_stream_next(pull);
    if (i) {
        buffer_free(&i->message);
        free(i);
    }
}

static void on_end(void *ctx, const struct rpc_result *r)
{
    struct stream *s = ctx;
    struct client *c = s->c;
    struct call_reply end = {0};

    call_reply_fill(&end, r);
    mutex_lock(&c->m);
    s->end = end;
    s->is_ended = true;
    cond_signal(&s->changed);
    mutex_unlock(&c->m);
}

static const struct rpc_stream_events stream_events = {.message = on_message, .end = on_end};

static void stream_free(struct stream *s)
{
    while (s->head) {
        struct inbox_item *i = s->head;
        s->head = i->next;
        buffer_free(&i->message);
        free(i);
    }
    call_reply_free(&s->end);
    cond_destroy(&s->changed);
    free(s);
}

/* The handle is known: what was held back meanwhile is pulled. */
static void stream_started(struct stream *s, struct rpc_stream *st)
{
    struct client *c = s->c;

    mutex_lock(&c->m);
    s->st = st;
    bool pull = s->wants_next && has_room(s);
    if (pull)
        s->wants_next = false;
    DL_APPEND(c->streams, s);
    mutex_unlock(&c->m);
    if (pull)
        rpc_stream_next(st);
}

bool stream_open(struct endpoint *e, const char *method, const void *message, int64_t timeout_us,
                 struct stream **out, struct error *err)
{
    struct stream *s = calloc(1, sizeof(*s));
    struct buffer b = BUFFER_INIT;
    struct call_headers h;
    struct rpc_stream *st = NULL;
    bool ok = false;

    if (!s)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a stream");
    s->c = e->c;
    s->e = e;
    cond_init(&s->changed);
    if (!wire_pack(message, &b, err) || !call_headers_make(e, CALL_TOKEN, &h, err))
        goto out;
    s->token_serial = h.token_serial;
    struct rpc_request rq = {.method = method,
                             .message = buffer_bytes(&b),
                             .md = h.md,
                             .n_md = h.n,
                             .timeout_us = timeout_us};
    ok = rpc_stream_open(e->ch, &rq, &stream_events, s, &st, err);
out:
    buffer_free(&b);
    if (!ok) {
        stream_free(s);
        return false;
    }
    stream_started(s, st);
    *out = s;
    return true;
}

enum stream_take stream_take(struct stream *s, int64_t deadline_us, struct buffer *b)
{
    struct client *c = s->c;
    struct inbox_item *i = NULL;
    enum stream_take took = STREAM_TIMEOUT;
    bool pull = false;

    mutex_lock(&c->m);
    while (!s->head && !s->is_ended) {
        if (c->is_stopping || s->is_lost || s->e->health != CLIENT_ENDPOINT_OK) {
            took = STREAM_INTERRUPTED;
            break;
        }
        if (deadline_us == INT64_MAX)
            cond_wait(&s->changed, &c->m);
        else if (!cond_wait_until(&s->changed, &c->m, deadline_us))
            break;
    }
    i = s->head;
    if (i) {
        s->head = i->next;
        s->n--;
        s->bytes -= i->message.len;
        pull = s->wants_next && has_room(s) && !s->is_ended;
        if (pull)
            s->wants_next = false;
        took = STREAM_MESSAGE;
    } else if (s->is_ended) {
        took = STREAM_ENDED;
    }
    mutex_unlock(&c->m);
    if (pull)
        rpc_stream_next(s->st);
    if (i) {
        buffer_free(b);
        *b = i->message;
        free(i);
    }
    return took;
}

const struct call_reply *stream_end(const struct stream *s)
{
    return &s->end;
}

uint64_t stream_token_serial(const struct stream *s)
{
    return s->token_serial;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    struct client *c = s->c;
    rpc_stream_cancel(s->st);
    mutex_lock(&c->m);
    while (!s->is_ended)
        cond_wait(&s->changed, &c->m);
    DL_DELETE(c->streams, s);
    mutex_unlock(&c->m);
    rpc_stream_release(s->st);
    stream_free(s);
}

void streams_wake(struct client *c)
{
    struct stream *s;

    DL_FOREACH(c->streams, s)
    cond_signal(&s->changed);
}
