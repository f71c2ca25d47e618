/* writer_runner.c: the writer's thread. */
#include "sequencer/writer_runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/logger.h"
#include "base/random.h"
#include "base/thread.h"
#include "sequencer/clock.h"
#include "sequencer/node_store.h"
#include "sequencer/tail_runner.h"

#define COMPLAIN_US   (10 * US_PER_S)
#define SLOW_US       US_PER_S /* a write that was lost after this long will hardly be settled soon */
#define RETRY_US      100000   /* between attempts to join or to settle */
#define CLOCK_WAIT_US 1000000 /* after the engine refused our clock */
#define LOST_WAIT_US  1000000 /* after lost history, until the tailer has seen it too */

struct writer {
    struct sequencer_config cfg;
    struct db *db;
    struct logger *lg;
    struct tailer *tail;
    struct thread thread;
    int64_t start_ts;

    /* The thread's own. */
    struct node_claim claim; /* node_index -1: offline */
    struct seq_clock clock;
    int64_t written_us;  /* monotonic: when the watermark last moved */
    int64_t began_us;    /* monotonic: when the write began */
    int64_t retry_us;    /* monotonic: not before */
    int64_t complain_us; /* monotonic: of the same trouble not before */

    struct mutex lock;
    struct cond wake;
    struct ticket *head, **tail_of_queue; /* guarded, as all below */
    size_t n_queued, bytes_queued;
    bool is_open; /* takes tickets */
    bool is_stopping;
    int64_t note, follow;
    int64_t applied_ts;
    uint8_t digest[32];
    struct writer_status status;
};

void ticket_free(struct ticket *t)
{
    if (!t)
        return;
    buffer_free(&t->payload);
    free(t);
}

bool writer_open(const struct sequencer_config *cfg, struct db *db, struct logger *lg,
                 struct tailer *tail, struct writer **out, struct error *err)
{
    struct writer *w = calloc(1, sizeof *w);

    if (!w)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the writer");
    w->cfg = *cfg;
    w->db = db;
    w->lg = lg;
    w->tail = tail;
    w->claim.node_index = -1;
    w->status.node_index = -1;
    w->follow = INT64_MIN;
    w->tail_of_queue = &w->head;
    mutex_init(&w->lock);
    cond_init(&w->wake);
    *out = w;
    return true;
}

void writer_close(struct writer *w)
{
    if (!w)
        return;
    writer_stop(w);
    cond_destroy(&w->wake);
    mutex_destroy(&w->lock);
    free(w);
}

bool writer_submit(struct writer *w, struct ticket *t, struct error *err)
{
    size_t backlog = tailer_backlog(w->tail);
    bool ok = true;

    mutex_lock(&w->lock);
    if (!w->is_open) {
        w->status.refused++;
        ok = error_set(err, ERR_UNAVAILABLE, "try another replica", "this replica is offline: %s",
                       w->status.reason[0] ? w->status.reason : "stopping");
    } else if (w->n_queued >= w->cfg.queue_max || backlog > w->cfg.queue_bytes_max ||
               w->bytes_queued + t->payload.len > w->cfg.queue_bytes_max) {
        w->status.overloaded++;
        ok = error_set(err, ERR_OVERLOADED, "try again later, or another replica",
                       "%zu submissions are waiting", w->n_queued);
    } else {
        w->n_queued++;
        w->bytes_queued += t->payload.len;
        w->status.accepted++;
        t->next = NULL;
        *w->tail_of_queue = t;
        w->tail_of_queue = &t->next;
        if (w->n_queued == 1)
            cond_signal(&w->wake);
    }
    mutex_unlock(&w->lock);
    return ok;
}

void writer_note(struct writer *w, int64_t largest, int64_t follow)
{
    mutex_lock(&w->lock);
    if (largest > w->note)
        w->note = largest;
    if (follow > w->follow) {
        w->follow = follow;
        cond_signal(&w->wake);
    }
    mutex_unlock(&w->lock);
}

void writer_publish(struct writer *w, int64_t applied_ts, const uint8_t digest[32])
{
    mutex_lock(&w->lock);
    w->applied_ts = applied_ts;
    memcpy(w->digest, digest, sizeof w->digest);
    mutex_unlock(&w->lock);
}

void writer_status(struct writer *w, struct writer_status *out)
{
    mutex_lock(&w->lock);
    *out = w->status;
    out->queued = w->n_queued;
    mutex_unlock(&w->lock);
}

static void answer(struct ticket *t, const struct error *err)
{
    if (t->done)
        t->done(t->ctx, err);
    t->done = NULL;
}

/* Ends a list of tickets that are not committed and never will be. */
static void fail_all(struct ticket *t, const struct error *err)
{
    while (t) {
        struct ticket *next = t->next;

        answer(t, err);
        ticket_free(t);
        t = next;
    }
}

/* Refuses those that wait. */
static void refuse_waiting(struct writer *w, const char *why)
{
    struct ticket *waiting;
    struct error err;

    mutex_lock(&w->lock);
    waiting = w->head;
    w->head = NULL;
    w->tail_of_queue = &w->head;
    w->n_queued = 0;
    w->bytes_queued = 0;
    mutex_unlock(&w->lock);
    (void)error_set(&err, ERR_UNAVAILABLE, "try again, or another replica", "not committed: %s",
                    why);
    fail_all(waiting, &err);
}

/* Offline from here on: new tickets and those that wait are refused. */
static void go_offline(struct writer *w, int64_t wait_us, const char *reason)
{
    w->claim.node_index = -1;
    w->retry_us = clock_mono_us() + wait_us;
    mutex_lock(&w->lock);
    w->is_open = false;
    w->status.node_index = -1;
    snprintf(w->status.reason, sizeof w->status.reason, "%.255s", reason);
    mutex_unlock(&w->lock);
    tailer_left(w->tail);
    refuse_waiting(w, "this replica went offline");
}

static void leave(struct writer *w)
{
    int64_t applied_ts;
    uint8_t digest[32];
    struct error err;

    mutex_lock(&w->lock);
    applied_ts = w->applied_ts;
    memcpy(digest, w->digest, sizeof digest);
    mutex_unlock(&w->lock);
    if (!node_store_leave(w->db, &w->claim, applied_ts, digest, &err))
        logger_error(w->lg, LOG_WARN, &err, "goodbye");
}

/* ---- joining ---- */

/* Picks a node index that nobody has, from a random place on; *seen NULL: it has no row yet. */
static int pick_index(const struct writer *w, const struct watermark *rows, size_t n,
                      const struct watermark **seen)
{
    int count = w->cfg.total_node_count;
    int from = (int)random_below((uint64_t)count);

    for (int k = 0; k < count; k++) {
        int index = (from + k) % count;
        const struct watermark *row = NULL;

        for (size_t i = 0; i < n; i++) {
            if (rows[i].node_index == index)
                row = &rows[i];
        }
        if (!row || !row->is_online) {
            *seen = row;
            return index;
        }
    }
    return -1;
}

static bool join(struct writer *w, struct error *err)
{
    struct watermark rows[SEQUENCER_NODES_MAX];
    const struct watermark *seen = NULL;
    struct node_claim claim;
    int64_t version = 0, start;
    size_t n;

    if (!node_store_read(w->db, rows, SEQUENCER_NODES_MAX, &n, &version, err))
        return false;
    int index = pick_index(w, rows, n, &seen);
    if (index < 0)
        return error_set(err, ERR_UNAVAILABLE, "wait, or raise total-node-count of a new database",
                         "all %d node indexes are in use", w->cfg.total_node_count);
    if (!node_store_claim(w->db, index, seen, w->start_ts, &claim, err) ||
        !node_store_start(w->db, &claim, w->start_ts, &start, err))
        return false;
    w->claim = claim;
    w->written_us = clock_mono_us();
    seq_clock_init(&w->clock, index, w->cfg.total_node_count, start);
    tailer_joined(w->tail, index, start);
    mutex_lock(&w->lock);
    w->is_open = !w->is_stopping;
    w->status.node_index = index;
    w->status.watermark = start;
    w->status.reason[0] = 0;
    w->follow = INT64_MIN;
    mutex_unlock(&w->lock);
    log_info(w->lg, "online as node index %d, epoch %lld, above %lld", index,
             (long long)claim.fence.epoch, (long long)start);
    if (start > clock_now_us() + US_PER_S)
        log_warn(w->lg, ERR_LIMIT, "the log is %lld s ahead of this clock: time creeps until then",
                 (long long)((start - clock_now_us()) / US_PER_S));
    return true;
}

static void try_join(struct writer *w)
{
    struct error err;

    if (join(w, &err))
        return;
    if (err.code != ERR_FENCED) { /* else somebody was faster: at once again */
        w->retry_us = clock_mono_us() + RETRY_US;
        mutex_lock(&w->lock);
        bool is_new = strcmp(w->status.reason, err.cause) != 0;
        snprintf(w->status.reason, sizeof w->status.reason, "%.255s", err.cause);
        mutex_unlock(&w->lock);
        if (is_new)
            logger_error(w->lg, LOG_WARN, &err, "cannot come online yet");
    }
}

/* ---- writing ---- */

/* The database is not where we left it. The tailer, which sees the same, ends this replica. */
static void on_history(struct writer *w, int64_t found)
{
    char reason[200];

    snprintf(reason, sizeof reason, "the database ends node index %d at %lld, it was at %lld",
             w->claim.node_index, (long long)found, (long long)w->claim.watermark);
    log_error(w->lg, ERR_HISTORY, "%s", reason);
    leave(w);
    go_offline(w, LOST_WAIT_US, reason);
}

/* The fence refused. Ours still: then it was our clock, or the database has lost history. */
static void on_fenced(struct writer *w, int64_t tried_ts)
{
    int64_t found;
    struct error err;
    char reason[200];

    if (!node_store_own(w->db, &w->claim, &found, &err)) {
        log_warn(w->lg, ERR_FENCED,
                 "online -> offline: another replica marked node index %d offline; "
                 "joining again",
                 w->claim.node_index);
        go_offline(w, 0, "marked offline by another replica");
        return;
    }
    if (found != w->claim.watermark) {
        on_history(w, found);
        return;
    }
    snprintf(reason, sizeof reason,
             "ts %lld is more than %lld ms ahead of the database's clock: set this "
             "machine's clock",
             (long long)tried_ts, (long long)(w->cfg.max_clock_skew_us / US_PER_MS));
    log_error(w->lg, ERR_LIMIT, "%s", reason);
    leave(w);
    go_offline(w, CLOCK_WAIT_US, reason);
}

/* The outcome is not known and may not be for long: nobody is kept waiting for it. The rows stay,
 * to be read back. */
static void answer_unknown(struct writer *w, struct ticket *rows)
{
    struct error err;

    (void)error_set(&err, ERR_UNKNOWN_OUTCOME, NULL,
                    "the database does not answer; it may have been committed");
    for (struct ticket *t = rows; t; t = t->next)
        answer(t, &err);
    refuse_waiting(w, "the database does not answer");
}

/* A write without an answer: afterwards it is there or never will be. False: we are stopping. */
static bool settle(struct writer *w, struct ticket *rows, const struct error *why, bool *is_ours)
{
    struct error err;
    bool is_stopping = false;

    logger_error(w->lg, LOG_WARN, why, "the answer to a write was lost");
    mutex_lock(&w->lock);
    w->is_open = false;
    snprintf(w->status.reason, sizeof w->status.reason, "%.255s", why->cause);
    mutex_unlock(&w->lock);
    if (clock_mono_us() - w->began_us > SLOW_US)
        answer_unknown(w, rows);
    for (;;) {
        if (node_store_settle(w->db, &w->claim, &err)) {
            *is_ours = true;
            return true;
        }
        if (err.code == ERR_FENCED) {
            *is_ours = false;
            return true;
        }
        answer_unknown(w, rows);
        mutex_lock(&w->lock);
        is_stopping = w->is_stopping;
        (void)cond_wait_until(&w->wake, &w->lock, clock_mono_us() + RETRY_US);
        mutex_unlock(&w->lock);
        if (is_stopping)
            return false;
    }
}

/* Between two tries; false: stopping. */
static bool pause_retry(struct writer *w)
{
    mutex_lock(&w->lock);
    bool is_stopping = w->is_stopping;
    (void)cond_wait_until(&w->wake, &w->lock, clock_mono_us() + RETRY_US);
    mutex_unlock(&w->lock);
    return !is_stopping;
}

/* Is the batch there? Own rows are known by ts and content. */
static bool read_back(struct writer *w, const struct ticket *t, bool *is_there)
{
    struct log_page page = {0};
    struct error err;

    *is_there = false;
    do {
        if (log_store_row(w->db, t->ts, &page, &err)) {
            *is_there = page.at[0].node_index == t->node_index &&
                        bytes_equal(page.at[0].payload, buffer_bytes(&t->payload));
            log_page_free(&page);
            return true;
        }
        if (err.code == ERR_NOT_FOUND)
            return true;
    } while (pause_retry(w));
    return false;
}

/* What the database has of us after a settled write. *is_ours false: marked offline meanwhile.
 * False: stopping. */
static bool read_own(struct writer *w, int64_t *found, bool *is_ours)
{
    struct error err;

    do {
        *is_ours = node_store_own(w->db, &w->claim, found, &err);
        if (*is_ours || err.code == ERR_FENCED)
            return true;
    } while (pause_retry(w));
    return false;
}

static void committed(struct writer *w, struct ticket *rows, size_t n, int64_t watermark)
{
    w->written_us = clock_mono_us();
    w->complain_us = 0;
    mutex_lock(&w->lock);
    w->status.watermark = watermark;
    w->status.committed += n;
    w->status.batches += n > 0;
    if (!w->is_stopping && w->claim.node_index >= 0) {
        w->is_open = true;
        w->status.reason[0] = 0;
    }
    mutex_unlock(&w->lock);
    for (struct ticket *t = rows; t; t = t->next)
        answer(t, NULL);
    tailer_committed(w->tail, rows, watermark);
}

/* After an answer that was lost. watermark: what was written. */
static void unknown(struct writer *w, struct ticket *rows, size_t n, int64_t watermark,
                    const struct error *why)
{
    bool is_ours = false, is_there = false;
    int64_t found = INT64_MIN;
    struct error err;

    if (!settle(w, rows, why, &is_ours) || (is_ours && !read_own(w, &found, &is_ours)) ||
        (rows && !read_back(w, rows, &is_there))) {
        (void)error_set(&err, ERR_UNKNOWN_OUTCOME, NULL, "stopped before the outcome was known");
        fail_all(rows, &err);
        go_offline(w, 0, "stopping");
        return;
    }
    bool is_lost = is_ours && found != watermark && found != w->claim.watermark;
    if (is_ours && !is_lost)
        w->claim.watermark = found;
    if (rows && is_there) {
        committed(w, rows, n, watermark);
    } else {
        (void)error_set(&err, ERR_UNAVAILABLE, "send it again", "not committed: %s", why->cause);
        fail_all(rows, &err);
        if (is_ours && !is_lost)
            committed(w, NULL, 0, found);
    }
    if (is_lost)
        on_history(w, found);
    else if (!is_ours)
        go_offline(w, 0, "marked offline by another replica");
}

/* An answer that surely says that nothing was written; the node stays online. An error that nobody
 * has classified is none: rows that were committed after all would be missing from memory, and this
 * replica alone would never apply them. */
static bool is_plain_refusal(const struct error *err)
{
    return err->code == ERR_RETRY || err->code == ERR_DUPLICATE || err->code == ERR_FULL ||
           err->code == ERR_READ_ONLY || err->code == ERR_SCHEMA || err->code == ERR_LIMIT ||
           err->code == ERR_MALFORMED || err->code == ERR_CONFIG;
}

static void refused(struct writer *w, struct ticket *rows, const struct error *why)
{
    struct error err;

    w->written_us = clock_mono_us(); /* the next beat tries again */
    if (w->written_us >= w->complain_us) {
        logger_error(w->lg, LOG_ERROR, why, "the database refuses to write the log");
        w->complain_us = w->written_us + COMPLAIN_US;
    }
    mutex_lock(&w->lock);
    snprintf(w->status.reason, sizeof w->status.reason, "%.255s", why->cause);
    mutex_unlock(&w->lock);
    (void)error_set(&err, ERR_UNAVAILABLE, "send it again, or to another replica",
                    "not committed: %s", why->cause);
    fail_all(rows, &err);
}

/* Failpoint: what the rule "OK means durable" forbids, so that its test can be seen to fail. */
static void answer_too_early(struct ticket *rows)
{
    const struct timespec delay = {.tv_nsec = 200000000};

    for (struct ticket *t = rows; t; t = t->next)
        answer(t, NULL);
    (void)nanosleep(&delay, NULL);
}

static void write_batch(struct writer *w, struct ticket *batch, size_t n)
{
    struct log_row *rows = calloc(n, sizeof *rows);
    struct error err;
    int64_t ts;
    size_t i = 0;

    if (!rows || !seq_clock_take(&w->clock, clock_now_us(), n, &ts, &err)) {
        if (!rows)
            (void)error_set(&err, ERR_MEMORY, NULL, "no memory for a batch");
        fail_all(batch, &err);
        free(rows);
        return;
    }
    for (struct ticket *t = batch; t; t = t->next, i++, ts += w->cfg.total_node_count) {
        t->ts = ts;
        t->node_index = w->claim.node_index;
        rows[i] = (struct log_row){ts, t->kind, t->sender_id, buffer_bytes(&t->payload)};
    }
    if (failpoint_is_on("answer-before-commit"))
        answer_too_early(batch);
    w->began_us = clock_mono_us();
    if (log_store_append(w->db, &w->claim, rows, n, w->cfg.max_clock_skew_us, &err)) {
        committed(w, batch, n, rows[n - 1].ts);
    } else if (err.code == ERR_FENCED) {
        struct error refused;

        (void)error_set(&refused, ERR_UNAVAILABLE, "send it again, or to another replica",
                        "not committed: this replica went offline");
        fail_all(batch, &refused);
        on_fenced(w, rows[n - 1].ts);
    } else if (is_plain_refusal(&err)) {
        refused(w, batch, &err);
    } else {
        unknown(w, batch, n, rows[n - 1].ts, &err);
    }
    free(rows);
}

/* Own watermark without rows: a beat, or following a peer that waits for us. */
static void beat(struct writer *w, int64_t follow)
{
    int64_t ts, applied_ts;
    uint8_t digest[32];
    struct error err;

    if (follow > w->clock.last) {
        (void)seq_clock_follow(&w->clock, follow);
        ts = follow;
    } else {
        ts = seq_clock_silence(&w->clock, clock_now_us());
    }
    mutex_lock(&w->lock);
    applied_ts = w->applied_ts;
    memcpy(digest, w->digest, sizeof digest);
    mutex_unlock(&w->lock);
    w->began_us = clock_mono_us();
    if (node_store_beat(w->db, &w->claim, ts, w->cfg.max_clock_skew_us, applied_ts, digest, &err))
        committed(w, NULL, 0, ts);
    else if (err.code == ERR_FENCED)
        on_fenced(w, ts);
    else if (is_plain_refusal(&err))
        refused(w, NULL, &err);
    else
        unknown(w, NULL, 0, ts, &err);
}

/* Takes what has queued up, within the batch's bounds and the clock's room. */
static struct ticket *take(struct writer *w, size_t room, size_t *n)
{
    struct ticket *first = w->head, **end = &first;
    size_t max = w->cfg.batch_max < LOG_ROWS_MAX ? w->cfg.batch_max : LOG_ROWS_MAX, bytes = 0;

    *n = 0;
    if (room < max)
        max = room;
    while (*end && *n < max) {
        bytes += (*end)->payload.len;
        if (*n > 0 && bytes > w->cfg.batch_bytes_max)
            break;
        w->bytes_queued -= (*end)->payload.len;
        w->n_queued--;
        (*n)++;
        end = &(*end)->next;
    }
    w->head = *end;
    *end = NULL;
    if (!w->head)
        w->tail_of_queue = &w->head;
    return *n ? first : NULL;
}

/* Waits for something to do; false: stop, and everything is written. */
static bool turn(struct writer *w)
{
    struct ticket *batch = NULL;
    int64_t follow = INT64_MIN;
    bool is_beat = false;
    size_t n = 0;

    mutex_lock(&w->lock);
    for (;;) {
        int64_t now = clock_mono_us();
        int64_t due = w->claim.node_index < 0 ? w->retry_us : w->written_us + w->cfg.beat_us;

        if (w->claim.node_index < 0) {
            if (w->is_stopping || now >= due)
                break;
        } else {
            seq_clock_note(&w->clock, w->note);
            size_t room = w->head ? seq_clock_room(&w->clock, clock_now_us()) : 0;
            if (room > 0) {
                batch = take(w, room, &n);
                break;
            }
            if (w->is_stopping && !w->head)
                break;
            if (w->follow > w->clock.last)
                follow = w->follow;
            is_beat = follow != INT64_MIN || now >= due;
            if (is_beat)
                break;
            if (w->head && now + US_PER_MS < due) /* the clock must pass first */
                due = now + US_PER_MS;
        }
        (void)cond_wait_until(&w->wake, &w->lock, due);
    }
    bool go_on = !w->is_stopping || batch || w->head;
    mutex_unlock(&w->lock);
    if (batch)
        write_batch(w, batch, n);
    else if (is_beat)
        beat(w, follow);
    else if (go_on && w->claim.node_index < 0)
        try_join(w);
    return go_on;
}

static void *run(void *ctx)
{
    struct writer *w = ctx;

    while (turn(w))
        ;
    if (w->claim.node_index >= 0) {
        leave(w);
        go_offline(w, 0, "stopped");
    }
    return NULL;
}

bool writer_start(struct writer *w, int64_t start_ts, struct error *err)
{
    w->start_ts = start_ts;
    mutex_lock(&w->lock); /* the tailer runs already */
    if (start_ts > w->note)
        w->note = start_ts;
    mutex_unlock(&w->lock);
    return thread_start(&w->thread, "seq-writer", run, w, err);
}

void writer_retire(struct writer *w)
{
    mutex_lock(&w->lock);
    w->is_stopping = true;
    w->is_open = false;
    cond_broadcast(&w->wake);
    mutex_unlock(&w->lock);
}

void writer_stop(struct writer *w)
{
    writer_retire(w);
    thread_join(&w->thread);
}
