/* txn.c: statements, transactions and fenced writes, with their retries. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "storage/db_internal.h"
#include "storage/rows.h"

int64_t db_deadline(const struct db *db, int64_t timeout_us)
{
    return clock_mono_us() + (timeout_us > 0 ? timeout_us : db->statement_timeout_us);
}

/* 1, 2, 4 ... 128 ms, each shortened by chance so that two losers do not meet again. */
bool retry_wait(int attempt, int64_t deadline_us)
{
    const int64_t top = US_PER_MS << (attempt < 7 ? attempt : 7);
    const int64_t us = top / 2 + (int64_t)random_below((uint64_t)(top / 2));
    const int64_t until = clock_mono_us() + us;
    const struct timespec at = {(time_t)(until / US_PER_S), (long)(until % US_PER_S) * 1000};

    if (until >= deadline_us)
        return false;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
    return true;
}

/* ---- checks ---- */

/* What the engines measure differently, and SQLite not at all, is measured here: an engine's own
 * refusal would come in the middle of a transaction, and name neither statement nor parameter. */
static bool length_fits(const char *stmt, const struct column *col, const struct value *v,
                        struct error *err)
{
    const bool is_text = v->kind == VALUE_TEXT;
    size_t n = v->bytes.len;

    if (n > VALUE_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "send less at once", "%s: %s has %zu bytes, at most %zu",
                         stmt, col->name, n, VALUE_BYTES_MAX);
    for (size_t i = 0; is_text && col->max > 0 && i < v->bytes.len; i++)
        n -= (v->bytes.data[i] & 0xC0) == 0x80; /* continues a character */
    if (col->max == 0 || n <= col->max)
        return true;
    return error_set(err, ERR_LIMIT, "shorten it", "%s: %s has %zu %s, at most %u", stmt, col->name,
                     n, is_text ? "characters" : "bytes", col->max);
}

static bool kind_fits(const char *stmt, const struct column *col, const struct value *v,
                      struct error *err)
{
    static const char *const kinds[] = {"NULL", "i64", "text", "bytes"};

    if (v->kind == VALUE_NULL)
        return true;
    if (v->kind != col->kind)
        return error_set(err, ERR_INTERNAL, NULL, "%s: %s is %s, its header says %s", stmt,
                         col->name, kinds[v->kind], kinds[col->kind]);
    if (v->kind == VALUE_TEXT && v->bytes.len <= VALUE_BYTES_MAX && !utf8_valid(v->bytes))
        return error_set(err, ERR_MALFORMED, "send text as UTF-8",
                         "%s: %s is not UTF-8 without NUL", stmt, col->name);
    return length_fits(stmt, col, v, err);
}

bool statement_for(const struct db *db, const char *name, const struct value *params, size_t n,
                   bool is_fenced, const struct statement **out, struct error *err)
{
    const struct statement *s = catalogue_find(db->ops->id, name);

    if (!s)
        return error_set(err, ERR_INTERNAL, NULL, "no statement %s for %s", name,
                         dialect_name(db->ops->id));
    if (s->nparams != n)
        return error_set(err, ERR_INTERNAL, NULL, "%s: %zu parameters, its header has %zu", name, n,
                         s->nparams);
    if (is_fenced != (s->fenced != NULL))
        return error_set(err, ERR_INTERNAL, NULL, "%s: is %sa fenced statement", name,
                         s->fenced ? "" : "not ");
    for (size_t i = 0; i < n; i++)
        if (!kind_fits(name, &s->params[i], &params[i], err))
            return false;
    *out = s;
    return true;
}

static bool rows_fit(const struct statement *s, const struct value *values, size_t nrows,
                     struct error *err)
{
    if (nrows > 0 && s->nrow == 0)
        return error_set(err, ERR_INTERNAL, NULL, "%s has no `row:`", s->name);
    for (size_t i = 0; i < nrows * s->nrow; i++)
        if (!kind_fits(s->name, &s->row[i % s->nrow], &values[i], err))
            return false;
    return true;
}

/* ---- single statements ---- */

/* What can be tried again on a new connection without any doubt. */
static bool is_select(const struct statement *s)
{
    return strncasecmp(s->steps[0].sql, "SELECT", 6) == 0;
}

static bool is_transient(enum error_code code)
{
    return code == ERR_RETRY || code == ERR_CONNECTION || code == ERR_UNAVAILABLE;
}

struct one {
    const struct statement *s;
    const struct value *params;
    row_fn *fn; /* NULL: exec */
    void *ctx;
    int64_t affected;
    size_t handed;
    bool is_sent;
};

/* Several texts are one act. */
static bool one_txn(struct conn *c, struct call *k, int64_t *affected, struct error *err)
{
    if (!conn_begin(c, k->deadline_us, err))
        return false;
    if (texts_exec(c, k, affected, NULL, err))
        return conn_commit(c, k->deadline_us, err);
    conn_rollback(c);
    return false;
}

static bool one_try(struct db *db, struct one *o, int64_t deadline_us, struct error *err)
{
    struct call k = {.s = o->s, .params = o->params, .deadline_us = deadline_us};
    const bool is_write = !is_select(o->s);
    struct conn *c;
    bool has_warned = false, ok;

    if (!pool_checkout(db, deadline_us, &c, err))
        return false;
    if (is_write && !gate_enter(db, deadline_us, err)) {
        pool_return(c);
        return false;
    }
    o->is_sent = true;
    if (o->fn)
        ok = conn_query(c, &k, o->fn, o->ctx, &o->handed, &has_warned, err);
    else if (o->s->nsteps == 1 || o->s->is_first)
        ok = texts_exec(c, &k, &o->affected, &has_warned, err);
    else
        ok = one_txn(c, &k, &o->affected, err);
    if (is_write)
        gate_leave(db);
    if (ok && has_warned && is_write) {
        c->is_broken = true;
        ok = error_set(err, ERR_UNKNOWN_OUTCOME, "look at the server's replication",
                       "%s: the server answered with a warning", o->s->name);
    }
    pool_return(c);
    return ok;
}

static bool one_run(struct db *db, struct one *o, int64_t timeout_us, struct error *err)
{
    const int64_t deadline_us = db_deadline(db, timeout_us);

    for (int attempt = 0;; attempt++) {
        o->is_sent = false;
        if (one_try(db, o, deadline_us, err))
            return true;
        if (o->is_sent && err->code == ERR_CONNECTION && !is_select(o->s)) {
            err->code = ERR_UNKNOWN_OUTCOME;
            return false;
        }
        if (!is_transient(err->code) || o->handed > 0 || !retry_wait(attempt, deadline_us))
            return false;
        db_note_retry(db);
    }
}

bool db_exec(struct db *db, const char *stmt, const struct value *params, size_t n,
             int64_t timeout_us, int64_t *affected, struct error *err)
{
    struct one o = {.params = params};
    struct error ignored;

    err = err ? err : &ignored;
    if (!statement_for(db, stmt, params, n, false, &o.s, err))
        return false;
    if (!one_run(db, &o, timeout_us, err))
        return false;
    if (affected)
        *affected = o.affected;
    return true;
}

bool db_query(struct db *db, const char *stmt, const struct value *params, size_t n,
              int64_t timeout_us, row_fn *fn, void *ctx, struct error *err)
{
    struct one o = {.params = params, .fn = fn, .ctx = ctx};
    struct error ignored;

    err = err ? err : &ignored;
    return statement_for(db, stmt, params, n, false, &o.s, err) && one_run(db, &o, timeout_us, err);
}

/* ---- transactions ---- */

static bool txn_failed(struct txn *t, struct error *err)
{
    if (!t->has_failed)
        t->first = *err;
    t->has_failed = true;
    return false;
}

static bool txn_usable(const struct txn *t, struct error *err)
{
    if (t->has_failed)
        *err = t->first;
    return !t->has_failed;
}

bool txn_exec(struct txn *t, const char *stmt, const struct value *params, size_t n,
              int64_t *affected, struct error *err)
{
    struct error own, *to = err ? err : &own;
    struct call k = {.params = params, .deadline_us = t->deadline_us};

    if (!txn_usable(t, to))
        return false;
    if (!statement_for(t->conn->db, stmt, params, n, false, &k.s, to) ||
        !texts_exec(t->conn, &k, affected, NULL, to))
        return txn_failed(t, to);
    return true;
}

bool txn_query(struct txn *t, const char *stmt, const struct value *params, size_t n, row_fn *fn,
               void *ctx, struct error *err)
{
    struct error own, *to = err ? err : &own;
    struct call k = {.params = params, .deadline_us = t->deadline_us};

    if (!txn_usable(t, to))
        return false;
    if (!statement_for(t->conn->db, stmt, params, n, false, &k.s, to) ||
        !conn_query(t->conn, &k, fn, ctx, NULL, NULL, to))
        return txn_failed(t, to);
    return true;
}

bool txn_text(struct txn *t, const char *sql, struct error *err)
{
    if (!txn_usable(t, err))
        return false;
    return conn_text(t->conn, sql, t->deadline_us, err) || txn_failed(t, err);
}

bool txn_insert_many(struct txn *t, const char *stmt, const struct value *params, size_t n,
                     const struct value *values, size_t nrows, struct error *err)
{
    struct error own, *to = err ? err : &own;
    struct call k = {.params = params, .deadline_us = t->deadline_us};
    int64_t affected = 0;

    if (!txn_usable(t, to))
        return false;
    if (!statement_for(t->conn->db, stmt, params, n, false, &k.s, to) ||
        !rows_fit(k.s, values, nrows, to) ||
        !rows_exec(t->conn, &k, values, nrows, &t->is_single, &affected, to))
        return txn_failed(t, to);
    if ((size_t)affected == nrows)
        return true;
    error_set(to, ERR_INTERNAL, NULL, "%s: %lld of %zu rows inserted", stmt, (long long)affected,
              nrows);
    return txn_failed(t, to);
}

bool txn_try(struct db *db, int64_t start_us, int64_t deadline_us, txn_fn *fn, void *ctx,
             bool *is_final, bool *is_single, struct error *err)
{
    struct txn t = {.deadline_us = deadline_us, .is_single = *is_single};
    bool ok;

    if (!pool_checkout(db, start_us, &t.conn, err))
        return false;
    if (!gate_enter(db, start_us, err)) {
        pool_return(t.conn);
        return false;
    }
    ok = conn_begin(t.conn, start_us, err);
    if (ok) {
        ok = fn(&t, ctx, err);
        *is_single = t.is_single;
        *is_final = !ok && !t.has_failed && err->code != ERR_RETRY;
        if (ok && t.has_failed) { /* the callback swallowed an error: nothing of it may stay */
            *err = t.first;
            ok = false;
        }
        if (!ok)
            conn_rollback(t.conn);
        else
            ok = conn_commit(t.conn, deadline_us, err);
    }
    gate_leave(db);
    pool_return(t.conn);
    return ok;
}

bool db_txn(struct db *db, int64_t timeout_us, txn_fn *fn, void *ctx, struct error *err)
{
    const int64_t deadline_us = db_deadline(db, timeout_us);
    struct error ignored;
    bool is_single = false;

    err = err ? err : &ignored;
    for (int attempt = 0;; attempt++) {
        bool is_final = false;
        err->code = ERR_NONE;
        if (txn_try(db, deadline_us, deadline_us, fn, ctx, &is_final, &is_single, err))
            return true;
        if (is_final || !is_transient(err->code) || !retry_wait(attempt, deadline_us))
            return false;
        db_note_retry(db);
    }
}

/* ---- fenced writes ---- */

struct fenced {
    const struct statement *s;
    const struct value *params, *values;
    size_t nrows;
    int64_t affected;
    bool is_single; /* see rows_exec */
};

static bool lost_fence(const struct fenced *f, struct error *err)
{
    return error_set(err, ERR_FENCED, NULL, "%s: no longer the holder; nothing was written",
                     f->s->name);
}

static bool held_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    int64_t *held = ctx;

    (void)err;
    held[0] = cols[0].i64;
    held[1] = n > 1 ? cols[1].i64 : 0;
    return true;
}

/* One text: the server checks, writes and commits before it answers. */
static bool fenced_text(struct conn *c, struct fenced *f, int64_t deadline_us, struct error *err)
{
    struct call k = {.s = f->s,
                     .params = f->params,
                     .values = f->values,
                     .nrows = f->nrows,
                     .deadline_us = deadline_us,
                     .kind = WATCH_COMMIT};
    int64_t held[2] = {0, 0};
    bool has_warned = false, ok;

    for (k.padded = 1; k.padded < f->nrows;)
        k.padded *= 2;
    if (f->s->ncolumns > 0) {
        ok = conn_query(c, &k, held_row, held, NULL, &has_warned, err);
    } else {
        ok = conn_exec(c, &k, &held[1], &has_warned, err);
        held[0] = held[1];
    }
    if (!ok) {
        if (err->code == ERR_CONNECTION || err->code == ERR_IO) {
            err->code = ERR_UNKNOWN_OUTCOME;
            error_add(err, "the answer to a fenced write was lost");
        }
        return false;
    }
    if (has_warned) {
        c->is_broken = true;
        return error_set(err, ERR_UNKNOWN_OUTCOME, "look at the server's replication",
                         "%s: the server answered with a warning", f->s->name);
    }
    f->affected = held[1];
    return held[0] > 0 || lost_fence(f, err);
}

/* One text of several: for all rows when it takes rows. */
static bool fenced_step(struct conn *c, struct fenced *f, struct call *k, int64_t *affected,
                        struct error *err)
{
    if (step_has_rows(&k->s->steps[k->step]))
        return rows_exec(c, k, f->values, f->nrows, &f->is_single, affected, err);
    k->nrows = k->padded = 0;
    return conn_exec(c, k, affected, NULL, err);
}

/* Several texts in one transaction, the fence first: it holds the only write lock there is. */
static bool fence_first(struct conn *c, struct fenced *f, int64_t deadline_us, struct error *err)
{
    struct call k = {.s = f->s, .params = f->params, .deadline_us = deadline_us};

    f->affected = 0;
    if (!conn_begin(c, deadline_us, err))
        return false;
    for (k.step = 0; k.step < f->s->nsteps; k.step++) {
        int64_t affected = 0;
        bool ok = fenced_step(c, f, &k, &affected, err);
        if (ok && k.step == 0 && affected == 0)
            ok = lost_fence(f, err);
        if (!ok) {
            conn_rollback(c);
            return false;
        }
        if (k.step > 0)
            f->affected += affected;
    }
    return conn_commit(c, deadline_us, err);
}

/* The block that checks the fence, writes and commits, in one call that is never cancelled. */
static bool fence_block(struct conn *c, struct fenced *f, struct call *k, struct error *err)
{
    bool has_warned = false;

    k->nrows = k->padded = 0;
    k->kind = WATCH_COMMIT;
    const bool ok = conn_exec(c, k, NULL, &has_warned, err);
    if (!ok && (err->code == ERR_CONNECTION || err->code == ERR_IO || err->code == ERR_TIMEOUT)) {
        c->is_broken = true;
        err->code = ERR_UNKNOWN_OUTCOME;
        return error_add(err, "the answer to a fenced write was lost");
    }
    if (!ok)
        return err->code == ERR_FENCED ? lost_fence(f, err) : false;
    c->is_in_txn = false;
    return true;
}

/* Several texts in one transaction, the fence last, so that no lock on it is held while this
 * process may be stopped. */
static bool fence_last(struct conn *c, struct fenced *f, int64_t deadline_us, struct error *err)
{
    struct call k = {.s = f->s, .params = f->params, .deadline_us = deadline_us};
    bool ok = true;

    f->affected = 0;
    if (f->s->nsteps > 1 && !conn_begin(c, deadline_us, err))
        return false;
    for (; ok && k.step + 1 < f->s->nsteps; k.step++) {
        int64_t affected = 0;
        ok = fenced_step(c, f, &k, &affected, err);
        f->affected += affected;
    }
    ok = ok && fence_block(c, f, &k, err);
    if (!ok)
        conn_rollback(c);
    return ok;
}

static bool fenced_try(struct db *db, struct fenced *f, int64_t deadline_us, struct error *err)
{
    struct conn *c;
    bool ok;

    if (!pool_checkout(db, deadline_us, &c, err))
        return false;
    if (!gate_enter(db, deadline_us, err)) {
        pool_return(c);
        return false;
    }
    if (db->ops->has_fenced_text)
        ok = fenced_text(c, f, deadline_us, err);
    else if (db->ops->has_fence_last)
        ok = fence_last(c, f, deadline_us, err);
    else
        ok = fence_first(c, f, deadline_us, err);
    gate_leave(db);
    pool_return(c);
    return ok;
}

bool db_fenced(struct db *db, const char *stmt, const struct value *params, size_t n,
               const struct value *values, size_t nrows, int64_t timeout_us, int64_t *affected,
               struct error *err)
{
    struct fenced f = {.params = params, .values = values, .nrows = nrows};
    const int64_t deadline_us = db_deadline(db, timeout_us);
    struct error ignored;

    err = err ? err : &ignored;
    if (!statement_for(db, stmt, params, n, true, &f.s, err) || !rows_fit(f.s, values, nrows, err))
        return false;
    if (nrows > FENCED_ROWS_MAX)
        return error_set(err, ERR_LIMIT, "write fewer rows at once", "%s: %zu rows", stmt, nrows);
    for (int attempt = 0;; attempt++) {
        if (fenced_try(db, &f, deadline_us, err))
            break;
        if (!is_transient(err->code) || !retry_wait(attempt, deadline_us))
            return false;
        db_note_retry(db);
    }
    if (affected)
        *affected = f.affected;
    return true;
}
