/* tail_runner.c: reads, merges, wakes; decides nothing. */
#include "sequencer/tail_runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/thread.h"
#include "sequencer/node_store.h"
#include "sequencer/writer_runner.h"

#define PAGE_ROWS  500
#define PAGE_BYTES ((size_t)8 << 20)
#define BUSY_US    2000   /* poll after something has moved; doubles up to the idle poll */
#define ALONE_US   100000 /* poll while no other node is online: only a joiner can appear */
#define FAILURE_US 100000 /* after the database could not be read */
#define TICK_US    50000  /* between ticks, and what higher nodes leave to lower ones */

struct tailer {
    struct sequencer_config cfg;
    struct db *db;
    struct logger *lg;
    struct tail_events ev;
    struct writer *writer;
    struct thread thread;

    /* The thread's own. */
    struct frontier frontier;
    int64_t applied_ts; /* everything up to here went to apply */
    struct watermark rows[SEQUENCER_NODES_MAX];
    size_t n_rows;
    struct watermark last[SEQUENCER_NODES_MAX]; /* the rows of the turn before */
    size_t n_last;
    struct silence silence[SEQUENCER_NODES_MAX];
    int64_t members_version, members_seen;
    int64_t wait_us, ticked_us;
    bool is_failing;

    struct mutex lock;
    struct cond wake;
    struct ticket *own, **own_end; /* guarded, as all below */
    size_t own_bytes;
    bool is_online, is_woken, is_stopping;
    int own_index;
    int64_t own_from, own_until; /* own rows with a ts in this range came through memory */
    int64_t safe_ts;
};

/* What of own rows is in memory, as of one moment. */
struct own_range {
    bool is_online;
    int index;
    int64_t from, until;
};

bool tailer_open(const struct sequencer_config *cfg, struct db *db, struct logger *lg,
                 const struct tail_events *ev, struct tailer **out, struct error *err)
{
    struct tailer *t = calloc(1, sizeof *t);

    if (!t)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the tailer");
    t->cfg = *cfg;
    t->db = db;
    t->lg = lg;
    t->ev = *ev;
    t->own_end = &t->own;
    t->own_index = -1;
    t->members_seen = -1;
    mutex_init(&t->lock);
    cond_init(&t->wake);
    *out = t;
    return true;
}

void tailer_close(struct tailer *t)
{
    if (!t)
        return;
    tailer_stop(t);
    while (t->own) {
        struct ticket *next = t->own->next;

        ticket_free(t->own);
        t->own = next;
    }
    cond_destroy(&t->wake);
    mutex_destroy(&t->lock);
    free(t);
}

void tailer_joined(struct tailer *t, int node_index, int64_t start_ts)
{
    mutex_lock(&t->lock);
    t->is_online = true;
    t->own_index = node_index;
    t->own_from = start_ts + 1;
    t->own_until = start_ts;
    t->is_woken = true;
    cond_signal(&t->wake);
    mutex_unlock(&t->lock);
}

void tailer_committed(struct tailer *t, struct ticket *rows, int64_t watermark)
{
    mutex_lock(&t->lock);
    if (rows) {
        *t->own_end = rows;
        while (*t->own_end) {
            t->own_bytes += (*t->own_end)->payload.len;
            t->own_end = &(*t->own_end)->next;
        }
    }
    if (watermark > t->own_until)
        t->own_until = watermark;
    t->is_woken = true;
    cond_signal(&t->wake);
    mutex_unlock(&t->lock);
}

void tailer_left(struct tailer *t)
{
    mutex_lock(&t->lock);
    t->is_online = false;
    t->is_woken = true;
    cond_signal(&t->wake);
    mutex_unlock(&t->lock);
}

int64_t tailer_safe_ts(struct tailer *t)
{
    mutex_lock(&t->lock);
    int64_t ts = t->safe_ts;
    mutex_unlock(&t->lock);
    return ts;
}

size_t tailer_backlog(struct tailer *t)
{
    mutex_lock(&t->lock);
    size_t n = t->own_bytes;
    mutex_unlock(&t->lock);
    return n;
}

/* ---- applying ---- */

/* The first own row, if it is at or below upto. */
static struct ticket *take_own(struct tailer *t, int64_t upto)
{
    mutex_lock(&t->lock);
    struct ticket *first = t->own;
    if (first && first->ts <= upto) {
        t->own = first->next;
        t->own_bytes -= first->payload.len;
        if (!t->own)
            t->own_end = &t->own;
    } else {
        first = NULL;
    }
    mutex_unlock(&t->lock);
    return first;
}

static bool apply_own(struct tailer *t, int64_t upto, struct error *err)
{
    struct ticket *row;

    while ((row = take_own(t, upto)) != NULL) {
        struct entry e = {.ts = row->ts,
                          .node_index = row->node_index,
                          .kind = row->kind,
                          .payload = buffer_bytes(&row->payload),
                          .verified_by = row->verified_by[0] ? row->verified_by : NULL};
        /* Rows of an earlier life may have come from the database already. */
        bool ok = row->ts <= t->applied_ts || t->ev.apply(t->ev.ctx, &e, err);

        if (row->ts > t->applied_ts)
            t->applied_ts = row->ts;
        ticket_free(row);
        if (!ok)
            return false;
    }
    return true;
}

/* One page of foreign rows, own ones in between. *is_last: everything up to upto is applied. */
static bool apply_page(struct tailer *t, const struct own_range *own, int64_t upto, bool *is_last,
                       bool *is_fatal, struct error *err)
{
    struct log_page page = {0};
    bool ok = true;

    if (!log_store_read(t->db, t->applied_ts, upto, own->index, own->from, own->until, PAGE_ROWS,
                        PAGE_BYTES, &page, err))
        return false;
    for (size_t i = 0; ok && i < page.n; i++) {
        ok = apply_own(t, page.at[i].ts - 1, err);
        if (!ok || page.at[i].ts <= t->applied_ts) /* own row of a join in between */
            continue;
        ok = t->ev.apply(t->ev.ctx, &page.at[i], err);
        t->applied_ts = page.at[i].ts;
    }
    *is_last = !page.is_cut;
    *is_fatal = !ok;
    log_page_free(&page);
    return ok;
}

static bool advance_to(struct tailer *t, const struct own_range *own, int64_t upto, bool *is_fatal,
                       struct error *err)
{
    bool is_last = false;

    if (frontier_others_moved(t->rows, t->n_rows, own->is_online ? own->index : -1,
                              t->applied_ts) ||
        t->applied_ts < own->from - 1 || !own->is_online) {
        while (!is_last) {
            if (!apply_page(t, own, upto, &is_last, is_fatal, err))
                return false;
        }
    }
    *is_fatal = true;
    if (!apply_own(t, upto, err))
        return false;
    *is_fatal = false;
    t->applied_ts = upto;
    return true;
}

/* ---- watching ---- */

static void reap_silent(struct tailer *t, int64_t now_us, const struct own_range *own)
{
    int64_t max_gap = 2 * (t->cfg.poll_us > ALONE_US ? t->cfg.poll_us : ALONE_US);

    for (size_t i = 0; i < t->n_rows; i++) {
        const struct watermark *w = &t->rows[i];
        struct error err;
        bool done = false;

        if (!w->is_online || w->node_index < 0 || w->node_index >= SEQUENCER_NODES_MAX ||
            (own->is_online && w->node_index == own->index))
            continue;
        if (!silence_look(&t->silence[w->node_index], w, now_us, max_gap, t->cfg.expiry_us))
            continue;
        if (!node_store_reap(t->db, w, t->cfg.expiry_us, &done, &err))
            logger_error(t->lg, LOG_WARN, &err, "cannot mark a silent node offline");
        else if (done)
            log_warn(t->lg, ERR_NONE,
                     "node index %d was silent for %lld ms: marked offline at %lld", w->node_index,
                     (long long)(t->cfg.expiry_us / US_PER_MS), (long long)w->ts);
    }
}

static const struct watermark *row_of(const struct tailer *t, int node_index)
{
    for (size_t i = 0; i < t->n_rows; i++) {
        if (t->rows[i].node_index == node_index)
            return &t->rows[i];
    }
    return NULL;
}

static bool lost_history(int node_index, int64_t was, const struct watermark *is, struct error *err)
{
    return error_set(err, ERR_HISTORY,
                     "restore the lost history, or start the replicas anew on this database",
                     "node index %d ends at %lld in the database, but %lld was acted on",
                     node_index, is ? (long long)is->ts : -1, (long long)was);
}

/* No row of ls_node ever goes, and none ever moves back: that is how it shows when the database has
 * lost history. own: as of before the rows were read. */
static bool check_history(struct tailer *t, const struct own_range *own, struct error *err)
{
    for (size_t i = 0; i < t->n_last; i++) {
        const struct watermark *was = &t->last[i], *is = row_of(t, was->node_index);

        if (!is || is->ts < was->ts || is->epoch < was->epoch)
            return lost_history(was->node_index, was->ts, is, err);
    }
    const struct watermark *mine = own->index >= 0 ? row_of(t, own->index) : NULL;
    if (own->index >= 0 && (!mine || mine->ts < own->until))
        return lost_history(own->index, own->until, mine, err);
    memcpy(t->last, t->rows, t->n_rows * sizeof t->rows[0]);
    t->n_last = t->n_rows;
    return true;
}

static int online_nodes(const struct tailer *t, int *lowest)
{
    int n = 0;

    *lowest = SEQUENCER_NODES_MAX;
    for (size_t i = 0; i < t->n_rows; i++) {
        if (!t->rows[i].is_online)
            continue;
        n++;
        if (t->rows[i].node_index < *lowest)
            *lowest = t->rows[i].node_index;
    }
    return n;
}

/* A tick is due when a topology change has come into effect and nobody has said so. The lowest node
 * writes it; the others only when it does not. */
static void ask_for_tick(struct tailer *t, const struct own_range *own, int lowest)
{
    int64_t due = t->ev.tick_due(t->ev.ctx), now = clock_now_us(), mono = clock_mono_us();
    struct buffer body = BUFFER_INIT;
    struct entry_parts parts = {0};
    struct ticket *ticket;
    struct error err;

    if (!own->is_online || due == INT64_MAX || mono < t->ticked_us)
        return;
    if (due >= (now > t->applied_ts ? now : t->applied_ts) - (own->index == lowest ? 0 : TICK_US))
        return;
    ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return;
    ticket->kind = ENTRY_TICK;
    entry_tick_body(due, &body);
    parts.body = buffer_bytes(&body);
    entry_build(&parts, &ticket->payload);
    if (!buffer_ok(&body, NULL) || !buffer_ok(&ticket->payload, NULL) ||
        !writer_submit(t->writer, ticket, &err))
        ticket_free(ticket);
    buffer_free(&body);
    t->ticked_us = mono + TICK_US;
}

static void reload_members(struct tailer *t)
{
    struct error err;

    if (t->members_version == t->members_seen)
        return;
    if (t->ev.members(t->ev.ctx, &err))
        t->members_seen = t->members_version;
    else
        logger_error(t->lg, LOG_WARN, &err, "cannot read the members");
}

/* ---- one turn ---- */

/* False: the replica cannot go on (is_fatal), or the database cannot be read now. */
static bool step(struct tailer *t, bool *is_fatal, struct error *err)
{
    struct own_range own;
    int64_t now_us = clock_mono_us(), before = t->applied_ts;
    int lowest;

    *is_fatal = false;
    mutex_lock(
        &t->lock); /* before the read: own rows up to here are in memory and in the database */
    own = (struct own_range){t->is_online, t->own_index, t->own_from, t->own_until};
    mutex_unlock(&t->lock);
    if (!node_store_read(t->db, t->rows, SEQUENCER_NODES_MAX, &t->n_rows, &t->members_version, err))
        return false;
    *is_fatal = true;
    if (!check_history(t, &own, err))
        return false;
    *is_fatal = false;
    (void)frontier_advance(&t->frontier, t->rows, t->n_rows);
    int64_t upto = t->frontier.safe_ts;
    if (own.is_online && own.until < upto)
        upto = own.until;
    int n = online_nodes(t, &lowest);
    int64_t ahead = frontier_peers_ahead(t->rows, t->n_rows, own.index);
    int64_t largest = ahead > t->frontier.safe_ts ? ahead : t->frontier.safe_ts;
    writer_note(t->writer, largest, own.is_online && ahead > own.until ? ahead : INT64_MIN);
    reload_members(t);
    if (upto > t->applied_ts && !advance_to(t, &own, upto, is_fatal, err))
        return false;
    mutex_lock(&t->lock);
    if (upto > t->safe_ts)
        t->safe_ts = upto;
    bool is_waiting = t->own != NULL;
    mutex_unlock(&t->lock);
    t->ev.advanced(t->ev.ctx, t->safe_ts, n);
    reap_silent(t, now_us, &own);
    ask_for_tick(t, &own, lowest);
    int64_t idle = n <= (own.is_online ? 1 : 0) ? ALONE_US : t->cfg.poll_us;
    int64_t due = t->ev.tick_due(t->ev.ctx);
    if (due != INT64_MAX && idle > TICK_US / 5)
        idle = TICK_US / 5;
    if (t->applied_ts > before || is_waiting)
        t->wait_us = BUSY_US;
    else
        t->wait_us = t->wait_us * 2;
    if (t->wait_us > idle)
        t->wait_us = idle;
    return true;
}

static void *run(void *ctx)
{
    struct tailer *t = ctx;

    for (;;) {
        struct error err;
        bool is_fatal = false;

        mutex_lock(&t->lock);
        t->is_woken = false;
        bool is_stopping = t->is_stopping;
        mutex_unlock(&t->lock);
        if (is_stopping)
            break;
        bool ok = step(t, &is_fatal, &err);
        if (!ok && is_fatal) {
            t->ev.failed(t->ev.ctx, &err);
            break;
        }
        if (ok == t->is_failing) {
            t->is_failing = !ok;
            t->ev.health(t->ev.ctx, ok ? NULL : &err);
        }
        mutex_lock(&t->lock);
        if (!t->is_woken && !t->is_stopping)
            (void)cond_wait_until(&t->wake, &t->lock,
                                  clock_mono_us() + (ok ? t->wait_us : FAILURE_US));
        mutex_unlock(&t->lock);
    }
    return NULL;
}

bool tailer_start(struct tailer *t, struct writer *w, int64_t after_ts, int64_t start_ts,
                  struct error *err)
{
    t->writer = w;
    t->applied_ts = after_ts;
    t->frontier.safe_ts = start_ts;
    t->wait_us = BUSY_US;
    return thread_start(&t->thread, "seq-tailer", run, t, err);
}

void tailer_stop(struct tailer *t)
{
    mutex_lock(&t->lock);
    t->is_stopping = true;
    cond_broadcast(&t->wake);
    mutex_unlock(&t->lock);
    thread_join(&t->thread);
}
