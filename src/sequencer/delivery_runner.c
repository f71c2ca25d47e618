/* delivery_runner.c: subscriptions, each a cursor with flow control. */
#include "sequencer/delivery_runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "rpc/server.h"
#include "sequencer/event_source.h"
#include "sequencer/replica.h"
#include "sequencer/service.h"
#include "topology/topology.h"

#define DELIVERY_THREADS 2
#define SWEEP_US         250000 /* what is lost is lost within a second */
#define STOP_US          5000000

/* busy: a thread has it; waiting: a message is on its way; dirty: woken while busy; ended: the call
 * is over, `done` will come and free it. All guarded by the delivery's lock, but pos. */
struct subscription {
    struct subscription *next_ready, *next_of_member, *prev, *next;
    struct delivery *d;
    struct rpc_call *call;
    struct reader *reader;
    struct caller caller;
    int64_t from_ts;
    size_t pos; /* of the thread that has it */
    bool is_queued, is_busy, is_waiting, is_dirty, is_closing, is_ended, is_looked_at;
    enum rpc_code close_code;
    char close_text[160];
};

/* Those of one member, oldest first. */
struct reader {
    char *member;
    struct subscription *first;
    int n;
    UT_hash_handle hh;
};

struct delivery {
    struct sequencer *seq;
    struct thread threads[DELIVERY_THREADS];
    struct mutex lock;
    struct cond wake, gone;
    struct reader *readers;
    struct subscription *ready, **ready_end, *all;
    size_t n;
    bool is_stopping;
    int64_t swept_us;
    int64_t looked_ts; /* the topology before it has been looked at; with the state's lock */
};

bool delivery_open(struct sequencer *seq, struct delivery **out, struct error *err)
{
    struct delivery *d = calloc(1, sizeof *d);

    if (!d)
        return error_set(err, ERR_MEMORY, NULL, "no memory for deliveries");
    d->seq = seq;
    d->ready_end = &d->ready;
    d->looked_ts = TS_MIN;
    mutex_init(&d->lock);
    cond_init(&d->wake);
    cond_init(&d->gone);
    *out = d;
    return true;
}

void delivery_close(struct delivery *d)
{
    struct reader *r, *next;

    if (!d)
        return;
    HASH_ITER(hh, d->readers, r, next)
    {
        HASH_DEL(d->readers, r);
        free(r->member);
        free(r);
    }
    cond_destroy(&d->gone);
    cond_destroy(&d->wake);
    mutex_destroy(&d->lock);
    free(d);
}

/* Lock held. */
static void schedule(struct delivery *d, struct subscription *s)
{
    if (s->is_ended || s->is_queued)
        return;
    if (s->is_busy) {
        s->is_dirty = true;
        return;
    }
    s->is_queued = true;
    s->next_ready = NULL;
    *d->ready_end = s;
    d->ready_end = &s->next_ready;
    cond_signal(&d->wake);
}

/* Lock held. The first reason stands. */
static void close_with(struct subscription *s, enum rpc_code code, const char *text)
{
    if (s->is_closing)
        return;
    s->is_closing = true;
    s->close_code = code;
    snprintf(s->close_text, sizeof s->close_text, "%s", text);
    schedule(s->d, s);
}

/* Lock held: out of its member's list and the list of all. */
static void unlink_one(struct subscription *s)
{
    struct delivery *d = s->d;
    struct subscription **at = &s->reader->first;

    while (*at && *at != s)
        at = &(*at)->next_of_member;
    if (*at) {
        *at = s->next_of_member;
        s->reader->n--;
    }
    if (s->reader->n == 0) {
        HASH_DEL(d->readers, s->reader);
        free(s->reader->member);
        free(s->reader);
    }
    s->reader = NULL;
    if (s->prev)
        s->prev->next = s->next;
    else
        d->all = s->next;
    if (s->next)
        s->next->prev = s->prev;
}

/* ---- callbacks of the call ---- */

static void on_written(void *ctx, bool ok)
{
    struct subscription *s = ctx;

    mutex_lock(&s->d->lock);
    s->is_waiting = false;
    if (ok)
        schedule(s->d, s);
    else
        close_with(s, RPC_CANCELLED, "the subscriber is gone");
    mutex_unlock(&s->d->lock);
}

static void on_cancelled(void *ctx)
{
    struct subscription *s = ctx;

    mutex_lock(&s->d->lock);
    close_with(s, RPC_CANCELLED, "the subscriber is gone");
    mutex_unlock(&s->d->lock);
}

static void on_done(void *ctx)
{
    struct subscription *s = ctx;
    struct delivery *d = s->d;

    mutex_lock(&d->lock);
    d->n--;
    cond_broadcast(&d->gone);
    mutex_unlock(&d->lock);
    free(s);
}

static struct reader *reader_of(struct delivery *d, const char *member)
{
    struct reader *r;

    HASH_FIND_STR(d->readers, member, r);
    if (r)
        return r;
    r = calloc(1, sizeof *r);
    if (r)
        r->member = strdup(member);
    if (!r || !r->member) {
        free(r);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, d->readers, r->member, strlen(r->member), r);
    return r;
}

void delivery_subscribe(struct delivery *d, struct rpc_call *call, const struct caller *caller,
                        int64_t from_ts)
{
    static const struct rpc_call_events events = {on_written, on_cancelled, on_done};
    struct subscription *s = calloc(1, sizeof *s);

    if (!s) {
        rpc_call_refuse(call, RPC_UNAVAILABLE, "no memory for a subscription");
        return;
    }
    mutex_lock(&d->lock);
    s->reader = d->is_stopping ? NULL : reader_of(d, caller->member);
    if (!s->reader) {
        mutex_unlock(&d->lock);
        rpc_call_refuse(call, RPC_UNAVAILABLE, "this replica is stopping");
        free(s);
        return;
    }
    s->d = d;
    s->call = call;
    s->from_ts = from_ts;
    s->caller = *caller;
    s->is_busy = true; /* until the events are set */
    struct subscription **end = &s->reader->first;
    while (*end)
        end = &(*end)->next_of_member;
    *end = s;
    s->reader->n++;
    s->next = d->all;
    if (d->all)
        d->all->prev = s;
    d->all = s;
    d->n++;
    int open = 0;
    for (struct subscription *o = s->reader->first; o; o = o->next_of_member)
        open += !o->is_closing;
    for (struct subscription *o = s->reader->first;
         o && open > d->seq->cfg.subscriptions_per_member; o = o->next_of_member) {
        if (!o->is_closing) {
            close_with(o, RPC_UNAVAILABLE, "Too many open subscriptions for member");
            open--;
        }
    }
    mutex_unlock(&d->lock);
    rpc_call_watch(call, &events, s);
    mutex_lock(&d->lock);
    s->is_busy = false;
    schedule(d, s);
    mutex_unlock(&d->lock);
}

void delivery_wake(struct delivery *d, const struct outcome *o)
{
    mutex_lock(&d->lock);
    for (size_t i = 0; i < o->receivers.n && d->n > 0; i++) {
        struct reader *r;

        HASH_FIND_STR(d->readers, o->receivers.m[i], r);
        for (struct subscription *s = r ? r->first : NULL; s; s = s->next_of_member)
            schedule(d, s);
    }
    mutex_unlock(&d->lock);
}

void delivery_disconnect(struct delivery *d, const char *member, const char *why)
{
    struct reader *r;

    mutex_lock(&d->lock);
    HASH_FIND_STR(d->readers, member, r);
    for (struct subscription *s = r ? r->first : NULL; s; s = s->next_of_member)
        close_with(s, RPC_UNAVAILABLE, why);
    mutex_unlock(&d->lock);
}

void delivery_disconnect_all(struct delivery *d, const char *why)
{
    mutex_lock(&d->lock);
    for (struct subscription *s = d->all; s; s = s->next)
        close_with(s, RPC_UNAVAILABLE, why);
    mutex_unlock(&d->lock);
}

size_t delivery_count(struct delivery *d)
{
    mutex_lock(&d->lock);
    size_t n = d->n;
    mutex_unlock(&d->lock);
    return n;
}

void delivery_members(struct delivery *d, void (*fn)(void *ctx, const char *member), void *ctx)
{
    struct reader *r, *next;

    mutex_lock(&d->lock);
    HASH_ITER(hh, d->readers, r, next)
    fn(ctx, r->member);
    mutex_unlock(&d->lock);
}

/* ---- the threads ---- */

/* Ends the call; `done` may come at once and frees s. Without the lock. */
static void end_call(struct subscription *s, enum rpc_code code, const char *text)
{
    struct rpc_call *call = s->call;

    mutex_lock(&s->d->lock);
    unlink_one(s);
    s->is_ended = true;
    mutex_unlock(&s->d->lock);
    rpc_call_refuse(call, code, "%s", text);
}

/* One event out, if there is one. False: the call is over and s may be gone. */
static bool serve(struct subscription *s)
{
    struct delivery *d = s->d;
    struct buffer message = BUFFER_INIT;
    enum rpc_code code = RPC_OK;
    char text[160];
    struct error err;

    mutex_lock(&d->lock);
    bool is_closing = s->is_closing, is_waiting = s->is_waiting;
    if (is_closing) {
        code = s->close_code;
        memcpy(text, s->close_text, sizeof text);
    }
    mutex_unlock(&d->lock);
    if (is_closing) {
        end_call(s, code, text);
        return false;
    }
    if (is_waiting)
        return true;
    bool has_event = false;
    if (!event_source_next(d->seq, s->reader->member, s->from_ts, &s->pos, &message, &has_event,
                           &err)) {
        logger_error(d->seq->lg, LOG_WARN, &err, "subscription");
        code =
            err.code == ERR_NOT_FOUND || err.code == ERR_INTERNAL ? RPC_INTERNAL : RPC_UNAVAILABLE;
        buffer_free(&message);
        end_call(s, code, "the event cannot be given");
        return false;
    }
    if (has_event) {
        mutex_lock(&d->lock);
        s->is_waiting = true;
        mutex_unlock(&d->lock);
        if (!rpc_call_write(s->call, buffer_bytes(&message))) { /* cancelled: that will be told */
            mutex_lock(&d->lock);
            s->is_waiting = false;
            close_with(s, RPC_CANCELLED, "the subscriber is gone");
            mutex_unlock(&d->lock);
        }
    }
    buffer_free(&message);
    return true;
}

/* Lock held. Tokens end, members are revoked. */
static void sweep(struct delivery *d)
{
    int64_t now = clock_now_us();

    d->swept_us = clock_mono_us();
    for (struct subscription *s = d->all; s; s = s->next) {
        struct member_info info;

        if (s->is_closing)
            continue;
        if (now >= s->caller.expires_at)
            close_with(s, RPC_UNAVAILABLE, "Subscription token has expired");
        else if (members_peek(d->seq->members, s->reader->member, &info) &&
                 info.revocation_epoch != s->caller.revocation_epoch)
            close_with(s, RPC_UNAVAILABLE, "Subscription token has expired");
        else if (members_peek(d->seq->members, s->reader->member, &info) && !info.is_enabled)
            close_with(s, RPC_PERMISSION_DENIED, "Member access was revoked.");
    }
}

/* Whose access the topology has taken away: the member's, or that of the key of its token, for now
 * or for a time. Only a change that comes into effect does that. The state's lock comes first. */
static void sweep_inactive(struct delivery *d)
{
    mutex_lock(&d->seq->state);
    struct view now = replica_view(d->seq);
    int64_t change = INT64_MAX;
    bool is_due = now.topo && topology_next_effective(now.topo, d->looked_ts, &change) &&
                  change < now.ts; /* no topology before the synchronizer is made */
    mutex_lock(&d->lock);
    for (struct subscription *s = d->all; s; s = s->next) {
        const struct caller *c = &s->caller;

        if (s->is_closing || (s->is_looked_at && !is_due))
            continue;
        s->is_looked_at = true;
        if (!topology_member_active(now.topo, now.ts, c->member, NULL))
            close_with(s, RPC_PERMISSION_DENIED, "Member access was revoked.");
        else if (topology_access_since(now.topo, now.ts, c->member, c->fingerprint) !=
                 c->access_since)
            close_with(s, RPC_UNAVAILABLE, "Subscription token has expired");
    }
    if (now.topo)
        d->looked_ts = now.ts;
    mutex_unlock(&d->lock);
    mutex_unlock(&d->seq->state);
}

static void *run(void *ctx)
{
    struct delivery *d = ctx;

    mutex_lock(&d->lock);
    for (;;) {
        if (clock_mono_us() - d->swept_us > SWEEP_US) {
            sweep(d);
            mutex_unlock(&d->lock);
            sweep_inactive(d);
            mutex_lock(&d->lock);
        }
        struct subscription *s = d->ready;
        if (!s) {
            if (d->is_stopping && d->n == 0)
                break;
            (void)cond_wait_until(&d->wake, &d->lock, clock_mono_us() + SWEEP_US);
            continue;
        }
        d->ready = s->next_ready;
        if (!d->ready)
            d->ready_end = &d->ready;
        s->is_queued = false;
        s->is_busy = true;
        s->is_dirty = false;
        mutex_unlock(&d->lock);
        bool is_alive = serve(s);
        mutex_lock(&d->lock);
        if (is_alive) {
            s->is_busy = false;
            if (s->is_dirty)
                schedule(d, s);
        }
    }
    mutex_unlock(&d->lock);
    return NULL;
}

bool delivery_start(struct delivery *d, struct error *err)
{
    d->is_stopping = false;
    for (int i = 0; i < DELIVERY_THREADS; i++) {
        if (!thread_start(&d->threads[i], "seq-deliver", run, d, err))
            return false;
    }
    return true;
}

void delivery_stop(struct delivery *d)
{
    int64_t until = clock_mono_us() + STOP_US;

    mutex_lock(&d->lock);
    d->is_stopping = true;
    for (struct subscription *s = d->all; s; s = s->next)
        close_with(s, RPC_UNAVAILABLE, "this replica is stopping");
    cond_broadcast(&d->wake);
    while (d->n > 0 && cond_wait_until(&d->gone, &d->lock, until))
        ;
    cond_broadcast(&d->wake);
    mutex_unlock(&d->lock);
    for (int i = 0; i < DELIVERY_THREADS; i++)
        thread_join(&d->threads[i]);
}
