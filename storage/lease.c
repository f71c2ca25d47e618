/* lease.c: one holder per name.
 * Invariants: an epoch never falls; only lease_take raises it, with a holder drawn for that one
 * attempt, so an attempt whose answer was lost is recognised by its holder. Those of lease.h are in
 * t/model/lease.pml, and t/storage/lease_world.py judges them in a database's own journal. */
#include "storage/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"

struct lease {
    struct db *db; /* constant, like all up to the watch */
    char name[65];
    int64_t expiry_us, poll_us;

    struct lease_watch watch; /* the runner's */
    struct fence attempt;     /* what a take-over would make; its answer may be lost */
    bool has_attempt;
    int64_t suspected_us; /* last take-over on evidence */

    struct mutex mutex;
    bool is_held GUARDED_BY(mutex);
    bool is_suspected GUARDED_BY(mutex);
    struct fence fence GUARDED_BY(mutex);
    int64_t renewed_us GUARDED_BY(mutex); /* when the last good renewal was sent */
};

bool lease_open(struct db *db, const char *name, int64_t expiry_us, int64_t renew_us,
                struct lease **out, struct error *err)
{
    const int64_t expiry = expiry_us > 0 ? expiry_us : US_PER_S;
    const int64_t renew = renew_us > 0 ? renew_us : expiry / 4;
    const size_t len = strlen(name);

    if (len == 0 || len > 64)
        return error_set(err, ERR_CONFIG, NULL, "a lease's name has 1 to 64 bytes, not %zu", len);
    if (expiry < 3 * renew)
        return error_set(err, ERR_CONFIG, "raise the expiry, or renew more often",
                         "lease %s: its expiry %lld ms is less than 3 renewals of %lld ms", name,
                         (long long)(expiry / US_PER_MS), (long long)(renew / US_PER_MS));
    struct lease *l = calloc(1, sizeof(*l));
    if (!l)
        return error_set(err, ERR_MEMORY, NULL, "no memory for lease %s", name);
    l->db = db;
    memcpy(l->name, name, len);
    l->expiry_us = expiry;
    l->poll_us = renew;
    mutex_init(&l->mutex);
    *out = l;
    return true;
}

/* ---- rows ---- */

struct seen {
    struct fence fence;
    int64_t beat;
    bool is_there, is_released;
};

static bool seen_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct seen *s = ctx;

    (void)n;
    if (cols[1].bytes.len != HOLDER_LEN)
        return error_set(err, ERR_DATABASE, "restore the row of ls_lease",
                         "a lease's holder has %zu bytes", cols[1].bytes.len);
    s->is_there = true;
    s->fence.epoch = cols[0].i64;
    memcpy(s->fence.holder, cols[1].bytes.data, HOLDER_LEN);
    s->is_released = cols[2].i64 != 0;
    s->beat = cols[3].i64;
    return true;
}

static bool row_read(struct lease *l, struct seen *out, struct error *err)
{
    const struct value v[] = {value_text(l->name)};

    memset(out, 0, sizeof(*out));
    return db_query(l->db, "lease_read", v, 1, l->expiry_us, seen_row, out, err);
}

static bool create_txn(struct txn *t, void *ctx, struct error *err)
{
    static const uint8_t nobody[HOLDER_LEN];
    const struct lease *l = ctx;
    const struct value v[] = {value_text(l->name), value_bytes(bytes_of(nobody, HOLDER_LEN))};

    return txn_exec(t, "lease_create", v, 2, NULL, err) &&
           txn_exec(t, "lease_beat_create", v, 2, NULL, err);
}

/* Makes the row, released. Somebody else's row is as good. */
static bool row_create(struct lease *l, struct error *err)
{
    return db_txn(l->db, l->expiry_us, create_txn, l, err) || err->code == ERR_DUPLICATE;
}

/* The conditional UPDATE on what was seen; l->attempt is what it makes. */
static bool row_take(struct lease *l, const struct fence *seen, struct error *err)
{
    l->attempt.epoch = seen->epoch + 1;
    random_bytes(l->attempt.holder, HOLDER_LEN);
    l->has_attempt = true;
    const struct value v[] = {value_text(l->name), value_i64(seen->epoch), fence_holder(seen),
                              fence_holder(&l->attempt)};
    return db_fenced(l->db, "lease_take", v, 4, NULL, 0, l->expiry_us, NULL, err);
}

static bool is_attempt(const struct lease *l, const struct fence *f)
{
    return l->has_attempt && f->epoch == l->attempt.epoch &&
           memcmp(f->holder, l->attempt.holder, HOLDER_LEN) == 0;
}

/* ---- states ---- */

static void become_holder(struct lease *l, int64_t sent_us)
{
    mutex_lock(&l->mutex);
    l->is_held = true;
    l->is_suspected = false;
    l->fence = l->attempt;
    l->renewed_us = sent_us;
    mutex_unlock(&l->mutex);
    l->has_attempt = false;
}

static void become_contender(struct lease *l)
{
    mutex_lock(&l->mutex);
    l->is_held = false;
    mutex_unlock(&l->mutex);
    memset(&l->watch, 0, sizeof(l->watch));
}

static bool step_holder(struct lease *l, const struct fence *f, enum lease_change *change,
                        struct error *err)
{
    const struct value v[] = {value_text(l->name), value_i64(f->epoch), fence_holder(f)};
    const int64_t sent_us = clock_mono_us();
    int64_t rows = 0;

    if (!db_exec(l->db, "lease_renew", v, 3, l->expiry_us, &rows, err))
        return false;
    if (rows == 0) {
        become_contender(l);
        *change = LEASE_LOST;
        return true;
    }
    mutex_lock(&l->mutex);
    l->renewed_us = sent_us;
    mutex_unlock(&l->mutex);
    return true;
}

/* Evidence is used once, and at most once per expiry, so that a broken network does not flap. */
static bool may_suspect(struct lease *l, int64_t now_us)
{
    mutex_lock(&l->mutex);
    const bool is = l->is_suspected && now_us - l->suspected_us >= l->expiry_us;
    if (is) {
        l->is_suspected = false;
        l->suspected_us = now_us;
    }
    mutex_unlock(&l->mutex);
    return is;
}

/* A stopped session may hold a row of ours; never one that commits. Errors show when we write. */
static void unblock(struct lease *l)
{
    static const char *const tables[] = {"ls_lease", "ls_lease_beat"};
    struct error ignored;

    for (size_t i = 0; i < 2; i++)
        if (!db_unblock(l->db, tables[i], l->expiry_us / 2, NULL, &ignored))
            ignored.code = ERR_NONE;
}

/* Reads may be quick where commits are not (a full disk queue, a standby that is waited for): then
 * a holder that renews all the time looks silent. So before a take-over by silence a write of our
 * own to the same row must go through at once and find the beat as it was; else the count starts
 * again, as after any gap. */
static bool is_silent(struct lease *l, const struct seen *s)
{
    const struct value v[] = {value_text(l->name), value_i64(s->fence.epoch), value_i64(s->beat),
                              fence_holder(&s->fence)};
    const int64_t sent_us = clock_mono_us();
    struct error ignored;
    int64_t rows = 0;

    const bool is = db_exec(l->db, "lease_probe", v, 4, l->expiry_us, &rows, &ignored) &&
                    rows > 0 && clock_mono_us() - sent_us <= 2 * l->poll_us;
    if (!is)
        memset(&l->watch, 0, sizeof(l->watch));
    return is;
}

/* A wait for a session that was stopped meanwhile ends by itself; it is ended then, and the
 * take-over tried once more in the same turn: what was observed must not count as a gap. */
static bool take_over(struct lease *l, const struct seen *s, enum lease_change *change,
                      struct error *err)
{
    bool ok = false;

    for (int i = 0; i < 2 && !ok; i++) {
        if (i > 0)
            unblock(l);
        const int64_t sent_us = clock_mono_us();
        ok = row_take(l, &s->fence, err);
        if (ok) {
            become_holder(l, sent_us);
            *change = LEASE_WON;
        } else if (err->code == ERR_FENCED) { /* somebody was faster */
            return true;
        } else if (err->code != ERR_RETRY && err->code != ERR_TIMEOUT) {
            return false;
        }
    }
    return ok;
}

static bool step_contender(struct lease *l, enum lease_change *change, struct error *err)
{
    const int64_t now_us = clock_mono_us();
    struct seen s;

    if (!row_read(l, &s, err))
        return false;
    if (!s.is_there) {
        if (!row_create(l, err) || !row_read(l, &s, err))
            return false;
        if (!s.is_there)
            return error_set(err, ERR_DATABASE, NULL, "lease %s: its row vanished", l->name);
    }
    if (is_attempt(l, &s.fence) && !s.is_released) { /* won, and the answer was lost */
        become_holder(l, now_us);
        *change = LEASE_WON;
        return true;
    }
    const bool may_take = lease_watch_observe(&l->watch, now_us, &s.fence, s.beat, s.is_released,
                                              l->expiry_us, l->poll_us);
    const bool is_suspect = may_suspect(l, now_us);
    if (!may_take && !is_suspect)
        return true;
    if (!s.is_released)
        unblock(l);
    if (!s.is_released && !is_suspect && !is_silent(l, &s))
        return true;
    return take_over(l, &s, change, err);
}

bool lease_step(struct lease *l, enum lease_change *change, struct error *err)
{
    struct error ignored;
    struct fence f;

    err = err ? err : &ignored;
    *change = LEASE_SAME;
    return lease_held(l, &f) ? step_holder(l, &f, change, err) : step_contender(l, change, err);
}

void lease_suspect(struct lease *l)
{
    mutex_lock(&l->mutex);
    l->is_suspected = true;
    mutex_unlock(&l->mutex);
}

bool lease_held(struct lease *l, struct fence *f)
{
    mutex_lock(&l->mutex);
    const bool is_held = l->is_held;
    if (is_held && f)
        *f = l->fence;
    mutex_unlock(&l->mutex);
    return is_held;
}

bool lease_may_act(struct lease *l)
{
    mutex_lock(&l->mutex);
    const bool may = l->is_held && clock_mono_us() - l->renewed_us < l->expiry_us;
    mutex_unlock(&l->mutex);
    return may;
}

bool lease_settle(struct lease *l, struct fence *f, struct error *err)
{
    const int64_t sent_us = clock_mono_us();
    struct error ignored;
    struct fence own;
    struct seen s;

    err = err ? err : &ignored;
    if (!lease_held(l, &own))
        return error_set(err, ERR_FENCED, NULL, "lease %s is not held", l->name);
    /* An earlier settling may have gone through without its answer. */
    if (!row_read(l, &s, err))
        return false;
    if (!is_attempt(l, &s.fence) && !row_take(l, &own, err)) {
        if (err->code == ERR_FENCED)
            become_contender(l);
        return false;
    }
    become_holder(l, sent_us);
    return lease_held(l, f) || error_set(err, ERR_FENCED, NULL, "lease %s is not held", l->name);
}

bool lease_release(struct lease *l, struct error *err)
{
    struct fence f;

    if (!lease_held(l, &f))
        return true;
    become_contender(l);
    const struct value v[] = {value_text(l->name), value_i64(f.epoch), fence_holder(&f)};
    return db_exec(l->db, "lease_release", v, 3, l->expiry_us, NULL, err);
}

void lease_close(struct lease *l)
{
    struct error ignored;

    if (!l)
        return;
    if (!lease_release(l, &ignored))
        ignored.code = ERR_NONE; /* the others wait for the expiry instead */
    mutex_destroy(&l->mutex);
    free(l);
}

/* ---- unblocking ---- */

static bool count_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

bool db_unblock(struct db *db, const char *table, int64_t older_than_us, int64_t *ended,
                struct error *err)
{
    const struct value v[] = {value_text(table), value_i64(older_than_us)};
    int64_t n = 0;

    if (db_dialect(db) == DIALECT_POSTGRES &&
        !db_query(db, "session_unblock", v, 2, 0, count_row, &n, err))
        return false;
    if (ended)
        *ended = n;
    return true;
}
