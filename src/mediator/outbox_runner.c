/* outbox_runner.c: the writer. Under the lease it empties the outbox: rows first, then verdicts
 * onto the wire. Without the lease it sleeps. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "mediator/mediator_impl.h"

#define STATE_LINGER_US (200 * US_PER_MS) /* states alone are no hurry: they wait for company */
#define MOVE_EVERY_US   US_PER_S          /* the position, when nothing else is written */
#define RETRY_US        (250 * US_PER_MS) /* after a failed write or send */

struct writer {
    struct mediator *m;
    int64_t written_at, moved_at, retry_at; /* monotonic */
    bool has_failed;                        /* the last write failed, and was logged */
};

/* --- sending -----------------------------------------------------------------------------------
 */

struct sent_ctx {
    struct mediator *m;
    int64_t request_id;
    int32_t part;
};

/* On a thread of rpc/: notes, no more. */
static void on_accepted(void *ctx, const struct client_send_report *r)
{
    const struct sent_ctx *s = ctx;
    struct mediator *m = s->m;
    struct error err;
    bool is_accepted = r->result == CLIENT_SEND_ACCEPTED;

    mutex_lock(&m->lock);
    if (m->outbox && !outbox_sent(m->outbox, s->request_id, s->part, is_accepted, &err))
        logger_error(m->lg, LOG_WARN, &err, "the state of a verdict");
    mutex_unlock(&m->lock);
    if (!is_accepted && r->result != CLIENT_SEND_CLOSED)
        log_info(m->lg, "request %" PRId64 ": its verdict was not taken: %s %s", s->request_id,
                 r->reason, r->error ? r->error->cause : "");
}

/* Once for each send, last. */
static void on_done(void *ctx, const struct client_send_report *r)
{
    (void)r;
    free(ctx);
}

static struct decision *copy_decision(const struct decision *d)
{
    struct decision *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    *c = *d;
    c->content = (struct buffer)BUFFER_INIT;
    c->n_participants = 0;
    buffer_append_bytes(&c->content, buffer_bytes(&d->content));
    c->participants = calloc(d->n_participants ? d->n_participants : 1, sizeof(*c->participants));
    for (; c->participants && c->n_participants < d->n_participants; c->n_participants++)
        if ((c->participants[c->n_participants] = strdup(d->participants[c->n_participants])) ==
            NULL)
            break;
    if (c->content.failed || c->participants == NULL || c->n_participants < d->n_participants) {
        decision_free(c);
        return NULL;
    }
    return c;
}

/* Signs with the newest own key that the topology of the request's time knows. */
static bool sign(struct mediator *m, const struct decision *d, struct signature *out,
                 struct error *err)
{
    const struct public_key *keys[TOPOLOGY_KEYS_MAX];
    char texts[TOPOLOGY_KEYS_MAX][FINGERPRINT_SIZE];
    const char *candidates[TOPOLOGY_KEYS_MAX];
    struct hash h;

    mutex_lock(&m->core_lock);
    size_t n = topology_signing_keys(m->topology, d->request_id, m->member, USAGE_PROTOCOL, keys);
    for (size_t i = 0; i < n; i++) {
        memcpy(texts[i], keys[i]->fingerprint, FINGERPRINT_SIZE);
        candidates[i] = texts[i];
    }
    mutex_unlock(&m->core_lock);
    return message_hash(buffer_bytes(&d->content), &h, err) &&
           keyring_sign(m->keys, USAGE_PROTOCOL, candidates, n, &h, out, err);
}

static bool send_one(struct mediator *m, const struct decision *d, struct error *err)
{
    char id[VERDICT_MESSAGE_ID_SIZE];
    struct signature s = {0};
    struct buffer request = BUFFER_INIT;
    struct sent_ctx *ctx = malloc(sizeof(*ctx));
    uint32_t nonce;
    bool ok = false;

    if (ctx == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory to send a verdict");
    *ctx = (struct sent_ctx){m, d->request_id, d->part};
    random_bytes(&nonce, sizeof(nonce));
    verdict_message_id(d->request_id, d->part, nonce, id);
    if (sign(m, d, &s, err) && verdict_submission(d, m->member, id, &s, &request, err)) {
        struct client_send what = {.request = buffer_bytes(&request),
                                   .message_id = id,
                                   .max_sequencing_us = d->decision_ts,
                                   .traceparent = d->traceparent,
                                   .is_repeatable =
                                       true, /* the group's aggregation drops doubles */
                                   .accepted = on_accepted,
                                   .sequenced = on_done,
                                   .ctx = ctx};
        ok = client_send(m->client, &what, err);
    }
    if (!ok)
        free(ctx);
    signature_free(&s);
    buffer_free(&request);
    return ok;
}

/* Sends what waits. Gives the lock up for each send. */
static void send_all(struct writer *w, struct mediator *m) REQUIRES(m->lock)
{
    const struct decision *next;
    struct error err;

    while (m->role == MEDIATOR_ACTIVE && !m->is_session_ending && lease_may_act(m->lease) &&
           (next = outbox_next_send(m->outbox)) != NULL) {
        struct decision *d = copy_decision(next);
        int64_t request_id = next->request_id;
        int32_t part = next->part;
        bool is_late = next->decision_ts < clock_now_us();
        mutex_unlock(&m->lock);
        bool ok = d != NULL && !is_late && send_one(m, d, &err);
        if (is_late)
            log_info(m->lg, "request %" PRId64 ": not sent, its decision time has passed",
                     request_id);
        else if (!ok)
            logger_error(m->lg, LOG_WARN, d ? &err : NULL, "a verdict could not be sent");
        decision_free(d);
        mutex_lock(&m->lock);
        if (ok)
            continue;
        if (!outbox_sent(m->outbox, request_id, part, false, &err))
            logger_error(m->lg, LOG_WARN, &err, "the state of a verdict");
        w->retry_at = clock_mono_us() + RETRY_US;
        if (!is_late)
            return;
    }
}

/* --- writing -----------------------------------------------------------------------------------
 */

static bool same_head(const struct mediator_head *a, const struct mediator_head *b)
{
    return a->seen_ts == b->seen_ts && a->position.is_set == b->position.is_set &&
           a->position.ts == b->position.ts;
}

/* Waits until control has moved the own epoch past the write whose answer was lost. REQUIRES lock.
 */
static void settle(struct mediator *m) REQUIRES(m->lock)
{
    m->needs_settle = true;
    cond_broadcast(&m->changed);
    while (m->needs_settle && !m->is_session_ending && m->role == MEDIATOR_ACTIVE)
        cond_wait_until(&m->changed, &m->lock, clock_mono_us() + US_PER_S);
    m->needs_settle = false;
}

/* What a failed write means. May give the lock up meanwhile. */
static void on_write_error(struct writer *w, struct mediator *m, const struct error *err)
    REQUIRES(m->lock)
{
    if (!w->has_failed || err->code == ERR_FENCED) {
        mutex_unlock(&m->lock);
        logger_error(m->lg, err->code == ERR_FENCED ? LOG_INFO : LOG_WARN, err,
                     "verdicts cannot be stored");
        mutex_lock(&m->lock);
    }
    w->has_failed = true;
    w->retry_at = clock_mono_us() + RETRY_US;
    if (err->code == ERR_UNKNOWN_OUTCOME) {
        settle(m);
    } else if (err->code == ERR_FENCED) {
        mutex_unlock(&m->lock);
        mediator_role_move(m, MEDIATOR_ACTIVE, MEDIATOR_PASSIVE, "fenced by a newer epoch");
        mutex_lock(&m->lock);
    }
}

/* One write of all that is there. Gives the lock up for the write. False: try later. */
static bool write_all(struct writer *w, struct mediator *m) REQUIRES(m->lock)
{
    struct mediator_head head = m->head;
    struct fence fence = m->fence;
    struct outbox_row *rows;
    struct error err;
    size_t n;

    if (!outbox_take(m->outbox, &rows, &n, &err)) {
        on_write_error(w, m, &err);
        return false;
    }
    mutex_unlock(&m->lock);
    bool ok = outbox_store_write(m->db, &fence, rows, n, &head, &err);
    free(rows);
    mutex_lock(&m->lock);
    if (!ok) {
        outbox_give_back(m->outbox);
        on_write_error(w, m, &err);
        return false;
    }
    outbox_written(m->outbox);
    m->written = head;
    w->has_failed = false;
    w->written_at = w->moved_at = clock_mono_us();
    cond_broadcast(&m->changed); /* room for the stream */
    return true;
}

/* When there is something to write: 0 now, else a monotonic time. REQUIRES lock. */
static int64_t write_due(const struct writer *w)
{
    const struct mediator *m = w->m;
    int64_t due = INT64_MAX;

    if (outbox_is_urgent(m->outbox))
        due = 0;
    else if (outbox_n_items(m->outbox) > 0)
        due = w->written_at + STATE_LINGER_US;
    else if (!same_head(&m->head, &m->written))
        due = w->moved_at + MOVE_EVERY_US;
    return due < w->retry_at ? w->retry_at : due;
}

/* --- taking over -------------------------------------------------------------------------------
 */

struct found_rows {
    struct found_row {
        enum verdict_state state;
        struct decision *d;
    } * list;
    size_t n, cap;
};

static bool keep_row(void *ctx, enum verdict_state state, struct decision **d, struct error *err)
{
    struct found_rows *f = ctx;

    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 64;
        struct found_row *p = realloc(f->list, cap * sizeof(*p));
        if (p == NULL)
            return error_set(err, ERR_MEMORY, NULL, "no memory for %zu verdicts", cap);
        f->list = p;
        f->cap = cap;
    }
    f->list[f->n++] = (struct found_row){state, *d};
    *d = NULL;
    return true;
}

static void free_rows(struct found_rows *f)
{
    for (size_t i = 0; i < f->n; i++)
        decision_free(f->list[i].d);
    free(f->list);
}

/* What the one before has stored stands. REQUIRES core_lock and lock. */
static bool adopt_rows(struct mediator *m, const struct mediator_head *h, struct found_rows *f,
                       struct error *err)
{
    bool differs;

    outbox_forget(m->outbox, h->seen_ts);
    for (size_t i = 0; i < f->n; i++) {
        struct decision *d = f->list[i].d;
        int64_t request_id = d->request_id;
        if (!core_is_open(m->core, request_id) &&
            !core_is_unsequenced(m->core, request_id, d->part))
            continue; /* settled; if the row does not say so yet, an item does */
        if (!outbox_restore(m->outbox, f->list[i].state, &f->list[i].d, &differs, err))
            return false;
        if (differs)
            log_error(m->lg, ERR_INTERNAL,
                      "request %" PRId64
                      ": the replica before has decided otherwise; its row stands",
                      request_id);
    }
    return true;
}

/* From the won lease to ACTIVE: first read as far as the one before, then take its rows over. */
static bool take_over(struct writer *w, struct error *err)
{
    struct mediator *m = w->m;
    struct mediator_head h;
    struct found_rows rows = {0};
    struct effects purged = {0};
    bool ok = head_store_read(m->db, &h, err);

    mutex_lock(&m->lock);
    while (ok && m->role == MEDIATOR_CATCHING_UP && !m->is_session_ending &&
           m->head.seen_ts < h.seen_ts)
        cond_wait_until(&m->changed, &m->lock, clock_mono_us() + US_PER_S);
    bool is_on = m->role == MEDIATOR_CATCHING_UP && !m->is_session_ending;
    mutex_unlock(&m->lock);
    if (!ok || !is_on)
        return ok;
    ok = verdict_store_each(m->db, &h, keep_row, &rows, err);
    mutex_lock(&m->core_lock);
    mutex_lock(&m->lock);
    ok = ok && adopt_rows(m, &h, &rows, err);
    if (ok && m->cfg.in_flight == MEDIATOR_PURGE)
        ok = core_purge(m->core, &purged, err) && session_take_effects(m, &purged, err);
    if (ok) {
        m->written = h;
        (void)outbox_retry(m->outbox, true);
    }
    mutex_unlock(&m->lock);
    mutex_unlock(&m->core_lock);
    effects_free(&purged);
    free_rows(&rows);
    if (ok)
        mediator_role_move(m, MEDIATOR_CATCHING_UP, MEDIATOR_ACTIVE,
                           "lease won, stream read as far as the one before");
    return ok;
}

/* --- the thread --------------------------------------------------------------------------------
 */

/* One turn as the active one. Returns when to come back. */
static int64_t act(struct writer *w, struct mediator *m) REQUIRES(m->lock)
{
    int64_t now = clock_mono_us();

    if (write_due(w) <= now)
        (void)write_all(w, m);
    if (w->retry_at <= now)
        (void)outbox_retry(m->outbox, false);
    send_all(w, m);
    int64_t due = write_due(w), latest = clock_mono_us() + RETRY_US;
    return due < latest ? due : latest;
}

void *writer_main(void *mediator)
{
    struct mediator *m = mediator;
    struct writer w = {.m = m};
    struct error err;

    mutex_lock(&m->lock);
    while (!m->is_session_ending) {
        int64_t until = clock_mono_us() + US_PER_S;
        if (m->role == MEDIATOR_CATCHING_UP) {
            mutex_unlock(&m->lock);
            bool ok = take_over(&w, &err);
            if (!ok)
                logger_error(m->lg, LOG_WARN, &err, "the take-over has to wait");
            mutex_lock(&m->lock);
            if (ok)
                continue;
            until = clock_mono_us() + RETRY_US;
        } else if (m->role == MEDIATOR_ACTIVE) {
            until = act(&w, m);
        }
        if (!m->is_session_ending && until > clock_mono_us())
            cond_wait_until(&m->changed, &m->lock, until);
    }
    mutex_unlock(&m->lock);
    return NULL;
}
