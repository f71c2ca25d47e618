/* rows.c: see rows.h. */
#include "storage/rows.h"

#include "storage/db_internal.h"

#define TEXT_PARAMS_MAX 32000
#define RACES_MAX       10

bool step_has_rows(const struct step *s)
{
    for (size_t i = 0; i < s->norder; i++)
        if (s->order[i] < 0)
            return true;
    return false;
}

static bool is_left_out(const struct step *step, const struct value *row)
{
    return step->only > 0 && row[step->only - 1].bytes.len == 0;
}

static bool is_long(const struct dialect_ops *ops, const struct value *row, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (row[i].kind != VALUE_I64 && row[i].bytes.len > ops->long_above)
            return true;
    return false;
}

/* How many rows, from the first one on, go in one call. */
static size_t chunk(const struct dialect_ops *ops, const struct call *k, const struct value *values,
                    size_t left)
{
    const struct statement *s = k->s;
    size_t n = ops->rows_max;

    if (ops->has_arrays) { /* a long value goes alone: not every driver takes an array of them */
        for (n = 0; n < left && n < ops->rows_max; n++) {
            const struct value *row = values + n * s->nrow;
            if (is_left_out(&s->steps[k->step], row) || is_long(ops, row, s->nrow))
                break;
        }
        return n > 0 ? n : 1;
    }
    while (n > 1 && (n > left || n * s->nrow + s->nparams > TEXT_PARAMS_MAX))
        n /= 2; /* a power of two, so that few texts are prepared */
    return n;
}

bool rows_exec(struct conn *c, struct call *k, const struct value *values, size_t nrows,
               bool *is_single, int64_t *affected, struct error *err)
{
    const struct dialect_ops *ops = c->db->ops;
    const size_t width = k->s->nrow;

    *affected = 0;
    for (size_t at = 0, n; at < nrows; at += n) {
        int64_t changed = 0;
        n = 1;
        if (is_left_out(&k->s->steps[k->step], values + at * width))
            continue;
        if (!*is_single)
            n = chunk(ops, k, values + at * width, nrows - at);
        k->values = values + at * width;
        k->nrows = n;
        k->padded = ops->has_arrays ? 1 : n;
        if (!conn_exec(c, k, &changed, NULL, err)) {
            if (!ops->has_arrays || n == 1 || err->code != ERR_DATABASE)
                return false;
            *is_single = true;
            err->code = ERR_RETRY;
            return false;
        }
        *affected += changed;
    }
    return true;
}

/* An UPDATE that finds no row, then an INSERT that finds one by now: from the beginning. */
static bool first_exec(struct conn *c, struct call *k, int64_t *affected, bool *has_warned,
                       struct error *err)
{
    for (int race = 0; race < RACES_MAX; race++) {
        bool ok = true;
        for (k->step = 0; ok && k->step < k->s->nsteps; k->step++) {
            ok = conn_exec(c, k, affected, has_warned, err);
            if (ok && *affected > 0)
                return true;
        }
        if (ok || err->code != ERR_DUPLICATE)
            return ok;
    }
    return false;
}

bool texts_exec(struct conn *c, struct call *k, int64_t *affected, bool *has_warned,
                struct error *err)
{
    int64_t changed = 0;

    if (k->s->is_first) {
        if (!first_exec(c, k, &changed, has_warned, err))
            return false;
    } else {
        for (k->step = 0; k->step < k->s->nsteps; k->step++) {
            int64_t n = 0;
            if (!conn_exec(c, k, &n, has_warned, err))
                return false;
            if (k->step == 0)
                changed = n;
        }
    }
    if (affected)
        *affected = changed;
    return true;
}
