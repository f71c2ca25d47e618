/* participant_streams.c: Outcomes and Requests. One thread writes to all streams; each stream has
 * one message on its way at most, so a slow reader holds up nobody and nothing gathers here. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "participant/participant_impl.h"
#include "rpc/server.h"
#include "wire/precheck.h"

#define SERVICE      "/lockstep.participant.v1.ParticipantService/"
#define STREAMS_MAX  1000
#define PAGE         100
#define PAGE_BYTES   ((size_t)1 << 20)  /* then a page ends, behind at least one outcome */
#define RECENT_BYTES ((size_t)64 << 10) /* a larger outcome is read from the database */

struct paged {
    int64_t id;
    struct buffer body;
};

struct api_stream {
    struct api_stream *next, *prev;
    struct participant *p;
    struct rpc_call *call;
    bool is_outcomes;
    int64_t last; /* offset or request that was written last */
    bool is_writing, is_cancelled;
    /* of the stream thread: outcomes read ahead */
    struct paged page[PAGE];
    size_t n_page, at_page, page_bytes;
    bool is_page_full;
};

static void on_written(void *ctx, bool ok)
{
    struct api_stream *s = ctx;
    struct participant *p = s->p;

    mutex_lock(&p->m);
    s->is_writing = false;
    s->is_cancelled = s->is_cancelled || !ok;
    cond_signal(&p->stream_changed);
    mutex_unlock(&p->m);
}

static void on_cancelled(void *ctx)
{
    struct api_stream *s = ctx;
    struct participant *p = s->p;

    mutex_lock(&p->m);
    s->is_cancelled = true;
    cond_signal(&p->stream_changed);
    mutex_unlock(&p->m);
}

static void clear_page(struct api_stream *s)
{
    for (size_t i = 0; i < s->n_page; i++)
        buffer_free(&s->page[i].body);
    s->n_page = s->at_page = s->page_bytes = 0;
    s->is_page_full = false;
}

static void on_done(void *ctx)
{
    struct api_stream *s = ctx;

    clear_page(s);
    free(s);
}

static const struct rpc_call_events stream_events = {
    .written = on_written, .cancelled = on_cancelled, .done = on_done};

static void stream_add(struct participant *p, struct rpc_call *call, bool is_outcomes, int64_t last)
{
    struct api_stream *s = calloc(1, sizeof(*s)), *other;
    int n = 0;

    mutex_lock(&p->m);
    DL_COUNT(p->streams, other, n);
    bool is_open = p->is_started && !p->is_stopping && n < STREAMS_MAX;
    mutex_unlock(&p->m);
    if (!s || !is_open) {
        free(s);
        rpc_call_refuse(call, RPC_UNAVAILABLE, "stopping, or too many streams");
        return;
    }
    s->p = p;
    s->call = call;
    s->is_outcomes = is_outcomes;
    s->last = last;
    rpc_call_watch(call, &stream_events, s);
    mutex_lock(&p->m);
    DL_APPEND(p->streams, s);
    cond_signal(&p->stream_changed);
    mutex_unlock(&p->m);
}

static void on_outcomes(void *ctx, struct rpc_call *call)
{
    struct error err;
    Part__OutcomesRequest *rq =
        wire_unpack(&part__outcomes_request__descriptor, rpc_call_request(call), &err);

    if (!rq || rq->from_offset < 0)
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "%s",
                        rq ? "from_offset is negative" : err.cause);
    else
        stream_add(ctx, call, true, rq->from_offset);
    wire_message_free(rq);
}

static void on_requests(void *ctx, struct rpc_call *call)
{
    struct participant *p = ctx;

    if (p->confirm != PARTICIPANT_CONFIRM_MANUAL)
        rpc_call_refuse(call, RPC_FAILED_PRECONDITION,
                        "this participant confirms by rule; set confirm: manual");
    else
        stream_add(p, call, false, INT64_MIN);
}

bool participant_streams_register(struct participant *p, struct rpc_server *s, struct error *err)
{
    struct rpc_method outcomes = {
        .path = SERVICE "Outcomes", .kind = RPC_SERVER_STREAM, .handler = on_outcomes, .ctx = p};
    struct rpc_method requests = {
        .path = SERVICE "Requests", .kind = RPC_SERVER_STREAM, .handler = on_requests, .ctx = p};

    return rpc_server_register(s, &outcomes, err) && rpc_server_register(s, &requests, err);
}

void streams_publish(struct participant *p, int64_t outcome_id, struct bytes body)
{
    size_t at = (size_t)(outcome_id % RECENT_MAX);

    buffer_clear(&p->recent[at]);
    p->recent_id[at] = 0;
    if (body.len > RECENT_BYTES)
        return;
    buffer_append_bytes(&p->recent[at], body);
    if (buffer_ok(&p->recent[at], NULL))
        p->recent_id[at] = outcome_id;
}

/* --- the thread --- */

static bool on_page(void *ctx, int64_t id, struct bytes body, struct error *err)
{
    struct api_stream *s = ctx;
    struct paged *g = &s->page[s->n_page];

    s->is_page_full = s->n_page && s->page_bytes + body.len > PAGE_BYTES;
    if (s->is_page_full)
        return error_set(err, ERR_LIMIT, NULL, "the page is full");
    s->page_bytes += body.len;
    buffer_append_bytes(&g->body, body);
    if (!buffer_ok(&g->body, err))
        return false;
    g->id = id;
    s->n_page++;
    return true;
}

/* The next outcome of s into out: from its page, from the recent ones, else from the database.
 * Called without the lock; false: none could be read now. */
static bool next_outcome(struct participant *p, struct api_stream *s, int64_t *id,
                         struct buffer *out)
{
    struct error err;

    if (s->at_page == s->n_page) {
        clear_page(s);
        mutex_lock(&p->m);
        size_t at = (size_t)((s->last + 1) % RECENT_MAX);
        bool is_recent = p->recent_id[at] == s->last + 1;
        if (is_recent)
            buffer_append_bytes(out, buffer_bytes(&p->recent[at]));
        mutex_unlock(&p->m);
        *id = s->last + 1;
        if (is_recent)
            return buffer_ok(out, NULL);
        if (!store_outcomes(p, s->last, PAGE, on_page, s, &err) && !s->is_page_full) {
            logger_error(p->lg, LOG_WARN, &err, "outcomes cannot be read");
            clear_page(s);
            return false;
        }
    }
    if (s->at_page == s->n_page)
        return false;
    struct paged *g = &s->page[s->at_page++];
    *id = g->id;
    buffer_append_bytes(out, buffer_bytes(&g->body));
    return buffer_ok(out, NULL);
}

/* The oldest waiting request behind s->last. Locked. */
static const struct pending *next_request(const struct participant *p, const struct api_stream *s)
{
    const struct pending *best = NULL;

    for (const struct pending *r = p->pending; r; r = r->hh.next) {
        if (r->is_waiting && r->ts > s->last && (!best || r->ts < best->ts))
            best = r;
    }
    return best;
}

static bool request_message(const struct pending *r, struct buffer *out)
{
    Part__OutcomesResponse *b = part__outcomes_response__unpack(NULL, r->body.len, r->body.data);
    Part__RequestsResponse m = PART__REQUESTS_RESPONSE__INIT;

    if (!b)
        return false;
    m.request_id = r->ts;
    m.submitter = b->submitter;
    m.informees = b->informees;
    m.n_informees = b->n_informees;
    m.confirmers = b->confirmers;
    m.n_confirmers = b->n_confirmers;
    m.threshold = b->threshold;
    m.payload = b->payload;
    m.respond_by = r->respond_by;
    bool ok = wire_pack(&m, out, NULL);
    part__outcomes_response__free_unpacked(b, NULL);
    return ok;
}

static bool has_more(const struct participant *p, const struct api_stream *s)
{
    if (s->is_writing)
        return false;
    return s->is_outcomes ? s->last < p->committed.outcome_id : next_request(p, s) != NULL;
}

/* Writes one message. s has is_writing set, so nobody else touches it. Without the lock. */
static void write_one(struct participant *p, struct api_stream *s)
{
    struct buffer b = BUFFER_INIT;
    int64_t id = 0;
    bool ok = false;

    if (s->is_outcomes) {
        ok = next_outcome(p, s, &id, &b);
    } else {
        mutex_lock(&p->m);
        const struct pending *r = next_request(p, s);
        ok = r && request_message(r, &b);
        id = r ? r->ts : s->last;
        mutex_unlock(&p->m);
    }
    if (ok)
        s->last = id;
    if (ok && rpc_call_write(s->call, buffer_bytes(&b))) {
        buffer_free(&b);
        return;
    }
    buffer_free(&b);
    mutex_lock(&p->m);
    s->is_writing = false;
    /* What cannot be read ends the stream: its reader comes back with its offset. */
    s->is_cancelled = s->is_cancelled || ok || s->is_outcomes;
    mutex_unlock(&p->m);
}

void *participant_stream_main(void *ctx)
{
    struct participant *p = ctx;
    struct api_stream *s;

    mutex_lock(&p->m);
    for (;;) {
        struct api_stream *over = NULL, *ready = NULL;

        DL_FOREACH(p->streams, s)
        {
            if ((s->is_cancelled || p->is_stopping) && !over)
                over = s;
            if (!ready && has_more(p, s))
                ready = s;
        }
        if (over) {
            DL_DELETE(p->streams, over);
            mutex_unlock(&p->m);
            rpc_call_refuse(over->call, RPC_UNAVAILABLE, "the stream was ended");
            mutex_lock(&p->m);
        } else if (p->is_stopping) {
            break;
        } else if (ready) {
            ready->is_writing = true;
            /* to the end of the line, so that each stream has its turn */
            DL_DELETE(p->streams, ready);
            DL_APPEND(p->streams, ready);
            mutex_unlock(&p->m);
            write_one(p, ready);
            mutex_lock(&p->m);
        } else {
            cond_wait(&p->stream_changed, &p->m);
        }
    }
    mutex_unlock(&p->m);
    return NULL;
}
