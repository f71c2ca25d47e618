/* cursor.c: pages by key. */
#include <stdlib.h>
#include <string.h>

#include "storage/db_internal.h"

#define PARAMS_MAX 32

struct cursor {
    struct db *db;
    const struct statement *s;
    size_t nkeys, n; /* n: all parameters, the keys first, the limit last */
    struct value params[PARAMS_MAX];
    struct buffer held[PARAMS_MAX]; /* what text and bytes of params point into */
    row_fn *fn;                     /* of the running page */
    void *ctx;
    size_t rows;
};

static bool hold(struct cursor *c, size_t i, const struct value *v, struct error *err)
{
    c->params[i] = *v;
    if (v->kind != VALUE_TEXT && v->kind != VALUE_BYTES)
        return true;
    buffer_clear(&c->held[i]);
    buffer_append_bytes(&c->held[i], v->bytes);
    if (!buffer_cstr(&c->held[i]))
        return error_set(err, ERR_MEMORY, NULL, "no memory for a cursor");
    c->params[i].bytes = buffer_bytes(&c->held[i]);
    return true;
}

bool cursor_open(struct db *db, const char *stmt, const struct value *start, size_t nkeys,
                 const struct value *rest, size_t n, uint32_t page_rows, struct cursor **out,
                 struct error *err)
{
    struct cursor *c = calloc(1, sizeof(*c));
    bool ok = true;

    if (!c)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a cursor");
    c->db = db;
    c->nkeys = nkeys;
    c->n = nkeys + n + 1;
    if (nkeys == 0 || nkeys > CURSOR_KEYS_MAX || c->n > PARAMS_MAX || page_rows == 0)
        ok = error_set(err, ERR_INTERNAL, NULL, "cursor %s: %zu keys, %zu parameters, pages of %u",
                       stmt, nkeys, n, page_rows);
    for (size_t i = 0; ok && i < nkeys; i++)
        ok = hold(c, i, &start[i], err);
    for (size_t i = 0; ok && i < n; i++)
        ok = hold(c, nkeys + i, &rest[i], err);
    if (ok) {
        c->params[c->n - 1] = value_i64((int64_t)page_rows);
        ok = statement_for(db, stmt, c->params, c->n, false, &c->s, err);
    }
    if (ok && c->s->ncolumns < nkeys)
        ok = error_set(err, ERR_INTERNAL, NULL, "cursor %s: fewer columns than keys", stmt);
    if (!ok) {
        cursor_close(c);
        return false;
    }
    *out = c;
    return true;
}

static bool page_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct cursor *c = ctx;

    if (!c->fn(c->ctx, cols, n, err))
        return false;
    for (size_t i = 0; i < c->nkeys; i++)
        if (!hold(c, i, &cols[i], err))
            return false;
    c->rows++;
    return true;
}

bool cursor_next(struct cursor *c, int64_t timeout_us, row_fn *fn, void *ctx, size_t *rows,
                 struct error *err)
{
    c->fn = fn;
    c->ctx = ctx;
    c->rows = 0;
    const bool ok = db_query(c->db, c->s->name, c->params, c->n, timeout_us, page_row, c, err);
    if (rows)
        *rows = c->rows;
    return ok;
}

void cursor_close(struct cursor *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < PARAMS_MAX; i++)
        buffer_free(&c->held[i]);
    free(c);
}

/* ---- the clock ---- */

static bool clock_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

bool db_clock_us(struct db *db, int64_t *out, struct error *err)
{
    return db_query(db, "clock", NULL, 0, 0, clock_row, out, err);
}
