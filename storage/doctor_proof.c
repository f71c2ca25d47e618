/* doctor_proof.c: tries what must hold, with two sessions where it takes two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"
#include "storage/doctor_internal.h"
#include "storage/lease.h"

static bool has_one_writer(const struct doctor *d)
{
    return db_dialect(d->a) == DIALECT_SQLITE;
}

bool doctor_row_insert(struct doctor *d, int64_t row, struct error *err)
{
    const struct value v[] = {value_i64(d->base + row),
                              value_i64(d->noted_at),
                              value_i64(1),
                              value_null(),
                              value_null(),
                              value_null()};

    return db_exec(d->a, "doctor_insert", v, 6, 0, NULL, err);
}

static bool n_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

/* n of a row, -1 when it is not there. */
static bool read_n(struct db *db, struct txn *t, int64_t id, int64_t *n, struct error *err)
{
    const struct value v[] = {value_i64(id)};

    *n = -1;
    return t ? txn_query(t, "doctor_read", v, 1, n_row, n, err)
             : db_query(db, "doctor_read", v, 1, 10 * US_PER_S, n_row, n, err);
}

static bool touch(struct db *db, struct txn *t, int64_t id, int64_t timeout_us, struct error *err)
{
    const struct value v[] = {value_i64(id)};

    return t ? txn_exec(t, "doctor_touch", v, 1, NULL, err)
             : db_exec(db, "doctor_touch", v, 1, timeout_us, NULL, err);
}

/* ---- isolation ---- */

struct isolation {
    struct doctor *d;
    int64_t before, after, dirty;
};

static bool isolation_reader(struct txn *t, void *ctx, struct error *err)
{
    struct isolation *s = ctx;
    const int64_t id = s->d->base + ROW_ISOLATION;

    return read_n(NULL, t, id, &s->before, err) && touch(s->d->b, NULL, id, 10 * US_PER_S, err) &&
           read_n(NULL, t, id, &s->after, err);
}

static bool isolation_writer(struct txn *t, void *ctx, struct error *err)
{
    struct isolation *s = ctx;
    const int64_t id = s->d->base + ROW_ISOLATION;

    return read_n(NULL, t, id, &s->before, err) && touch(NULL, t, id, 0, err) &&
           read_n(s->d->b, NULL, id, &s->dirty, err);
}

bool prove_isolation(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct isolation s = {.d = d};

    if (!doctor_row_insert(d, ROW_ISOLATION, err))
        return false;
    if (!has_one_writer(d)) {
        if (!db_txn(d->a, 0, isolation_reader, &s, err))
            return false;
        if (s.after != s.before + 1)
            doctor_note(f, DOCTOR_FAIL, "let nothing between change the isolation level",
                        "a transaction does not see what another committed meanwhile: not READ "
                        "COMMITTED");
    }
    if (!db_txn(d->a, 0, isolation_writer, &s, err))
        return false;
    if (s.dirty != s.before)
        doctor_note(f, DOCTOR_FAIL, "let nothing between change the isolation level",
                    "a session reads what another has not committed");
    if (f->verdict == DOCTOR_OK)
        doctor_note(f, DOCTOR_OK, NULL, "%s",
                    has_one_writer(d) ? "one writer at a time; readers see what is committed"
                                      : "READ COMMITTED: seen with two sessions");
    return true;
}

/* ---- row locks ---- */

struct locking {
    struct doctor *d;
    const char *stmt;     /* what the second session tries */
    enum error_code code; /* how that ended */
    bool is_blocked, is_refused;
};

/* Tries once: db_txn repeats only what lost against another. */
static bool locking_other(struct txn *t, void *ctx, struct error *err)
{
    struct locking *s = ctx;
    const struct value v[] = {value_i64(s->d->base + ROW_LOCK)};
    int64_t n;

    if (strcmp(s->stmt, "doctor_touch") == 0 ? txn_exec(t, s->stmt, v, 1, NULL, err)
                                             : txn_query(t, s->stmt, v, 1, n_row, &n, err))
        return true;
    s->code = err->code;
    return error_set(err, ERR_REFUSED, NULL, "refused");
}

static bool is_kept_out(struct locking *s, const char *stmt)
{
    struct error e;

    s->stmt = stmt;
    s->code = ERR_NONE;
    if (db_txn(s->d->b, has_one_writer(s->d) ? DOCTOR_LOCK_US : DOCTOR_WAIT_US, locking_other, s,
               &e))
        return false;
    if (s->code == ERR_NONE) /* not even begun: one writer at a time */
        s->code = e.code;
    return s->code == ERR_RETRY || s->code == ERR_TIMEOUT;
}

static bool locking_holder(struct txn *t, void *ctx, struct error *err)
{
    struct locking *s = ctx;
    const struct value v[] = {value_i64(s->d->base + ROW_LOCK)};
    int64_t n;

    if (has_one_writer(s->d) ? !touch(NULL, t, v[0].i64, 0, err)
                             : !txn_query(t, "doctor_lock", v, 1, n_row, &n, err))
        return false;
    s->is_blocked = is_kept_out(s, "doctor_touch");
    s->is_refused =
        has_one_writer(s->d) || (is_kept_out(s, "doctor_lock_nowait") && s->code == ERR_RETRY);
    return true;
}

bool prove_row_lock(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct locking s = {.d = d};

    if (!doctor_row_insert(d, ROW_LOCK, err) || !db_txn(d->a, 0, locking_holder, &s, err))
        return false;
    if (!s.is_blocked)
        doctor_note(f, DOCTOR_FAIL, "this engine cannot serve: its row locks do not hold",
                    "a row locked by one session was written by another");
    if (!s.is_refused)
        doctor_note(f, DOCTOR_FAIL, "this engine cannot serve: its row locks do not hold",
                    "FOR UPDATE NOWAIT of a locked row was not refused with a code for it");
    if (!touch(d->b, NULL, d->base + ROW_LOCK, 10 * US_PER_S, err))
        return error_add(err, "after the lock was given up");
    if (f->verdict == DOCTOR_OK)
        doctor_note(f, DOCTOR_OK, NULL, "%s",
                    has_one_writer(d)
                        ? "a second writer waits for the first"
                        : "a locked row makes others wait, NOWAIT is refused at once");
    return true;
}

/* ---- deadlocks ---- */

struct deadlock {
    struct doctor *d;
    struct mutex mutex;
    struct cond moved;
    int first GUARDED_BY(mutex); /* how many have their first row */
    bool is_done;                /* the thread's; read after it was joined */
    struct error err;
};

/* Locks the rows in this order; waits in between until both have their first. */
static bool deadlock_rows(struct deadlock *s, struct txn *t, const int order[2], struct error *err)
{
    const int64_t id = s->d->base + ROW_DEADLOCK, until_us = clock_mono_us() + 5 * US_PER_S;
    bool is_late = false;

    if (!touch(NULL, t, id + order[0], 0, err))
        return false;
    mutex_lock(&s->mutex);
    s->first++;
    cond_broadcast(&s->moved);
    while (s->first < 2 && !is_late)
        is_late = !cond_wait_until(&s->moved, &s->mutex, until_us);
    mutex_unlock(&s->mutex);
    return touch(NULL, t, id + order[1], 0, err);
}

static bool deadlock_up(struct txn *t, void *ctx, struct error *err)
{
    return deadlock_rows(ctx, t, (const int[]){0, 1}, err);
}

static bool deadlock_down(struct txn *t, void *ctx, struct error *err)
{
    return deadlock_rows(ctx, t, (const int[]){1, 0}, err);
}

static void *deadlock_thread(void *ctx)
{
    struct deadlock *s = ctx;

    s->is_done = db_txn(s->d->c, 0, deadlock_down, s, &s->err);
    return NULL;
}

bool prove_deadlock(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct deadlock s = {.d = d};
    struct thread thread = {0};
    struct db_stats a, c, a2, c2;

    if (!doctor_row_insert(d, ROW_DEADLOCK, err) || !doctor_row_insert(d, ROW_DEADLOCK + 1, err))
        return false;
    mutex_init(&s.mutex);
    cond_init(&s.moved);
    db_stats(d->a, &a);
    db_stats(d->c, &c);
    bool ok = thread_start(&thread, "doctor", deadlock_thread, &s, err);
    if (ok) {
        ok = db_txn(d->a, 0, deadlock_up, &s, err);
        thread_join(&thread);
        if (ok && !s.is_done) {
            *err = s.err;
            ok = false;
        }
    }
    db_stats(d->a, &a2);
    db_stats(d->c, &c2);
    cond_destroy(&s.moved);
    mutex_destroy(&s.mutex);
    if (!ok)
        return false;
    if (a2.retries + c2.retries == a.retries + c.retries)
        doctor_note(f, DOCTOR_FAIL, "this engine cannot serve: its row locks do not hold",
                    "two sessions that lock two rows in opposite order did not meet");
    else
        doctor_note(f, DOCTOR_OK, NULL, "one of two was refused, tried again, and both are done");
    return true;
}

/* ---- the fence ---- */

struct fencing {
    struct doctor *d;
    struct lease *b;
    int64_t took_us;
    bool is_won;
};

static bool take_over(struct fencing *s, struct error *err)
{
    const int64_t start_us = clock_mono_us();
    enum lease_change change = LEASE_SAME;

    lease_suspect(s->b); /* evidence: the expiry need not pass */
    if (!lease_step(s->b, &change, err))
        return false;
    s->took_us = clock_mono_us() - start_us;
    s->is_won = change == LEASE_WON;
    return true;
}

/* The old holder has sent the rows of a write and is stopped before its end. */
static bool stopped_holder(struct txn *t, void *ctx, struct error *err)
{
    struct fencing *s = ctx;
    const struct value v[] = {value_i64(s->d->base + ROW_FENCED), value_i64(s->d->noted_at),
                              value_i64(1)};

    return txn_insert_many(t, "doctor_insert_rows", NULL, 0, v, 1, err) && take_over(s, err);
}

static bool fenced_write(struct db *db, const struct doctor *d, const struct fence *fence,
                         int64_t row, struct error *err)
{
    const struct value p[] = {value_text(d->lease), value_i64(fence->epoch), fence_holder(fence)};
    const struct value v[] = {value_i64(d->base + row), value_i64(d->noted_at), value_i64(1)};

    return db_fenced(db, "doctor_fenced", p, 3, v, 1, 10 * US_PER_S, NULL, err);
}

/* a holds under first; b has taken over meanwhile. */
static bool judge_fence(struct fencing *s, const struct fence *first, const struct fence *second,
                        struct doctor_finding *f, struct error *err)
{
    struct doctor *d = s->d;
    struct error e = {.code = ERR_NONE};
    int64_t n;

    if (fenced_write(d->a, d, first, ROW_FENCED + 2, &e))
        doctor_note(f, DOCTOR_FAIL, "this engine cannot serve: two could lead",
                    "a holder whose lease was taken over still writes");
    else if (e.code != ERR_FENCED) {
        *err = e;
        return false;
    }
    if (!read_n(d->b, NULL, d->base + ROW_FENCED + 2, &n, err))
        return false;
    if (n != -1)
        doctor_note(f, DOCTOR_FAIL, "this engine cannot serve: two could lead",
                    "a fenced write left a row behind");
    if (!fenced_write(d->b, d, second, ROW_FENCED + 3, err))
        return error_add(err, "the new holder's write");
    doctor_number(f, "take_over_us", s->took_us);
    if (s->took_us > US_PER_S)
        doctor_note(f, DOCTOR_FAIL, "look at disk and network",
                    "a take-over waited %.1f s for a stopped holder", (double)s->took_us / 1e6);
    if (f->verdict == DOCTOR_OK)
        doctor_note(f, DOCTOR_OK, NULL,
                    "take-over in %.1f ms%s; what the old holder wrote then was refused",
                    (double)s->took_us / 1000.0,
                    has_one_writer(d) ? "" : " while the old holder was in the middle of a write");
    return true;
}

bool prove_fence(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct fencing s = {.d = d};
    struct lease *a = NULL;
    struct fence first, second;
    enum lease_change change = LEASE_SAME;
    bool ok = false;

    if (!lease_open(d->a, d->lease, 0, 0, &a, err) || !lease_open(d->b, d->lease, 0, 0, &s.b, err))
        goto out;
    if (!lease_step(a, &change, err))
        goto out;
    if (change != LEASE_WON || !lease_held(a, &first)) {
        error_set(err, ERR_DATABASE, NULL, "a lease that nobody has could not be taken");
        goto out;
    }
    if (!fenced_write(d->a, d, &first, ROW_FENCED + 1, err))
        goto out;
    ok = has_one_writer(d) ? take_over(&s, err) : db_txn(d->a, 0, stopped_holder, &s, err);
    if (!ok)
        goto out;
    if (!s.is_won || !lease_held(s.b, &second))
        doctor_note(f, DOCTOR_FAIL, "this engine cannot serve: a stopped holder would block all",
                    "a second session could not take the lease over");
    else
        ok = judge_fence(&s, &first, &second, f, err);
out:
    lease_close(s.b);
    lease_close(a);
    return ok;
}

/* ---- values ---- */

struct expected {
    int64_t n;
    const char *words;
    struct bytes digest, payload;
    bool is_there;
};

static bool same_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct expected *x = ctx;

    (void)n;
    x->is_there = true;
    if (cols[0].i64 != x->n)
        return error_set(err, ERR_DATABASE, NULL, "%lld came back as %lld", (long long)x->n,
                         (long long)cols[0].i64);
    if (strcmp(value_cstr(&cols[1]), x->words) != 0)
        return error_set(err, ERR_DATABASE, "use a database in UTF-8", "text came back changed");
    if (!bytes_equal(cols[2].bytes, x->digest) || !bytes_equal(cols[3].bytes, x->payload))
        return error_set(err, ERR_DATABASE, "look at the driver's version and options",
                         "%zu bytes came back changed, %zu long", x->payload.len,
                         cols[3].bytes.len);
    return true;
}

static bool check_row(struct doctor *d, int64_t id, struct expected *x, struct error *err)
{
    const struct value v[] = {value_i64(id)};

    x->is_there = false;
    return db_query(d->b, "doctor_read", v, 1, 10 * US_PER_S, same_row, x, err) &&
           (x->is_there || error_set(err, ERR_DATABASE, NULL, "a committed row is not there"));
}

/* Inserts one row of this size, and changes the row before it to the same. */
static bool round_trip(struct doctor *d, int64_t id, struct expected *x, struct error *err)
{
    const struct value v[] = {value_i64(id),          value_i64(d->noted_at),
                              value_i64(x->n),        value_text(x->words),
                              value_bytes(x->digest), value_bytes(x->payload)};
    const struct value w[] = {value_i64(id), value_bytes(bytes_str("another"))};
    const struct value u[] = {value_i64(id), value_bytes(x->payload)};

    return db_exec(d->a, "doctor_insert", v, 6, 10 * US_PER_S, NULL, err) &&
           check_row(d, id, x, err) && db_exec(d->a, "doctor_write", w, 2, 0, NULL, err) &&
           db_exec(d->a, "doctor_write", u, 2, 10 * US_PER_S, NULL, err) &&
           check_row(d, id, x, err);
}

static bool find_digest(struct doctor *d, int64_t id, struct bytes digest, struct error *err)
{
    const struct value v[] = {value_bytes(digest)};
    int64_t found = -1;

    return db_query(d->a, "doctor_by_digest", v, 1, 0, n_row, &found, err) &&
           (found == id || error_set(err, ERR_DATABASE, "look at the driver's version and options",
                                     "a row was not found by %zu bytes", digest.len));
}

bool prove_values(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    static const size_t lengths[] = {0, 1, 4000, 4001, 32768, (size_t)10 << 20};
    static const int64_t numbers[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_C(1) << 53, -10};
    const char *words = "a 'quote', a \"quote\", \xc3\xa4, \xe6\xbc\xa2, \xf0\x9f\x94\x91 ";
    const size_t longest = lengths[5];
    uint8_t *payload = malloc(longest), digest[34];
    bool ok = true;

    if (payload == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a payload");
    random_bytes(payload, longest); /* NULs among them, and nothing to compress */
    for (size_t i = 0; ok && i < 6; i++) {
        const int64_t id = d->base + ROW_VALUES + (int64_t)i;
        memset(digest, (int)i + 1, sizeof(digest));
        memcpy(digest, &id, sizeof(id));
        struct expected x = {numbers[i], words, bytes_of(digest, sizeof(digest)),
                             bytes_of(payload, lengths[i]), false};
        ok = round_trip(d, id, &x, err) && find_digest(d, id, x.digest, err);
        if (!ok)
            error_add(err, "a row with %zu bytes", lengths[i]);
    }
    free(payload);
    if (ok)
        doctor_note(f, DOCTOR_OK, NULL,
                    "64-bit extremes, 4-byte UTF-8, bytes of 0, 1, 4000, 4001, 32768 and 10 MiB: "
                    "inserted, changed, read back, found by bytes");
    return ok;
}

/* ---- arrays and pages ---- */

static bool insert_array(struct txn *t, void *ctx, struct error *err)
{
    const struct value *v = ctx;

    return txn_insert_many(t, "doctor_insert_rows", NULL, 0, v, 10, err);
}

struct paging {
    int64_t last;
    size_t n;
    bool is_ordered;
};

static bool page_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct paging *p = ctx;

    (void)n;
    (void)err;
    p->is_ordered = p->is_ordered && cols[0].i64 > p->last;
    p->last = cols[0].i64;
    p->n++;
    return true;
}

/* How many rows of the array are there, read in pages of 3. */
static bool count_pages(struct doctor *d, struct paging *p, struct error *err)
{
    const struct value start[] = {value_i64(d->base + ROW_ARRAY - 1)};
    const struct value rest[] = {value_i64(d->base + DOCTOR_ROWS)};
    struct cursor *c = NULL;
    size_t rows = 1;
    bool ok = cursor_open(d->b, "doctor_page", start, 1, rest, 1, 3, &c, err);

    *p = (struct paging){.last = start[0].i64, .is_ordered = true};
    while (ok && rows > 0)
        ok = cursor_next(c, 0, page_row, p, &rows, err);
    cursor_close(c);
    return ok;
}

bool prove_arrays(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct value v[30];
    struct paging p;
    struct error e;

    for (int64_t i = 0; i < 10; i++) {
        v[3 * i] = value_i64(d->base + ROW_ARRAY + i);
        v[3 * i + 1] = value_i64(d->noted_at);
        v[3 * i + 2] = value_i64(i);
    }
    v[3 * 7] = v[3 * 2]; /* twice the same key */
    if (db_txn(d->a, 0, insert_array, v, &e))
        doctor_note(f, DOCTOR_FAIL, "look at the driver's version and options",
                    "an array with a key twice was accepted");
    else if (e.code != ERR_DUPLICATE) {
        *err = e;
        return error_add(err, "an array with a key twice");
    }
    if (!count_pages(d, &p, err))
        return false;
    if (p.n != 0)
        doctor_note(f, DOCTOR_FAIL, "look at the driver's version and options",
                    "an array that failed left %zu rows", p.n);
    v[3 * 7] = value_i64(d->base + ROW_ARRAY + 7);
    if (f->verdict != DOCTOR_OK)
        return true;
    if (!db_txn(d->a, 0, insert_array, v, err) || !count_pages(d, &p, err))
        return false;
    if (p.n != 10 || !p.is_ordered)
        doctor_note(f, DOCTOR_FAIL, "look at the driver's version and options",
                    "of 10 rows %zu came back in pages of 3", p.n);
    else
        doctor_note(f, DOCTOR_OK, NULL,
                    "10 rows in one call; one that fails undoes all; pages of 3 bring them back");
    return true;
}

/* ---- error classes ---- */

bool prove_errors(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct error e = {.code = ERR_NONE};

    if (!doctor_row_insert(d, ROW_DUPLICATE, err))
        return false;
    if (doctor_row_insert(d, ROW_DUPLICATE, &e) || e.code != ERR_DUPLICATE)
        doctor_note(f, DOCTOR_FAIL, "look at the driver's version and options",
                    "a key twice gave %s, not %s", error_id(e.code), error_id(ERR_DUPLICATE));
    else
        doctor_note(f, DOCTOR_OK, NULL, "a key twice is told as a duplicate");
    return true;
}
