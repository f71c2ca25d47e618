/* bind.c: binding. Types are always given: what a driver would guess (SQLDescribeParam) is not to
 * be relied on. Empty text and empty bytes are NULL on every engine, because Oracle has no others.
 */
#include "storage/bind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/db_internal.h"

#define SQL_PARAMS_MAX 32000 /* PostgreSQL's protocol ends at 32767 */
#define DIGITS         24
#define ARRAY_KEEP     ((size_t)256 << 10) /* a larger one is given back at once */

struct cell {
    int64_t i64;
    char digits[DIGITS];
    SQLLEN len;
};

/* What stands behind a placeholder: a parameter, or a column of the row group. */
struct slot {
    const struct column *column;
    const struct value *values; /* the first row's */
    size_t step;                /* from one row to the next; 0 for a parameter */
};

static bool is_nothing(enum value_kind kind, const struct value *v)
{
    return v->kind == VALUE_NULL || (kind != VALUE_I64 && v->bytes.len == 0);
}

static SQLSMALLINT c_type_of(const struct dialect_ops *ops, enum value_kind kind)
{
    if (kind == VALUE_I64)
        return ops->has_text_i64 ? SQL_C_CHAR : SQL_C_SBIGINT;
    return kind == VALUE_TEXT ? SQL_C_CHAR : SQL_C_BINARY;
}

/* len: of the value, or of the longest in an array. */
static SQLSMALLINT sql_type_of(const struct dialect_ops *ops, enum value_kind kind, size_t len)
{
    const bool is_long = ops->long_above > 0 && len > ops->long_above;

    if (kind == VALUE_I64)
        return ops->has_text_i64 ? SQL_DECIMAL : SQL_BIGINT;
    if (kind == VALUE_TEXT)
        return is_long ? SQL_LONGVARCHAR : SQL_VARCHAR;
    return is_long ? SQL_LONGVARBINARY : SQL_VARBINARY;
}

static bool bind_value(const struct dialect_ops *ops, SQLHSTMT h, SQLUSMALLINT i,
                       enum value_kind kind, const struct value *v, struct cell *cell)
{
    const bool is_number = kind == VALUE_I64;
    SQLULEN size = v->bytes.len > 0 ? v->bytes.len : 1;
    SQLPOINTER at = &cell->i64;
    SQLLEN room = (SQLLEN)sizeof(cell->i64);

    cell->i64 = v->i64;
    cell->len = room;
    if (is_number && ops->has_text_i64) {
        cell->len = snprintf(cell->digits, sizeof(cell->digits), "%" PRId64, v->i64);
        at = cell->digits;
        room = (SQLLEN)sizeof(cell->digits);
    } else if (!is_number) {
        if (v->bytes.data)
            at = (SQLPOINTER)(uintptr_t)v->bytes.data;
        cell->len = (SQLLEN)v->bytes.len;
        room = (SQLLEN)v->bytes.len;
    }
    if (is_nothing(kind, v))
        cell->len = SQL_NULL_DATA;
    return SQL_SUCCEEDED(SQLBindParameter(h, i, SQL_PARAM_INPUT, c_type_of(ops, kind),
                                          sql_type_of(ops, kind, v->bytes.len),
                                          is_number ? 19 : size, 0, at, room, &cell->len));
}

static bool cells_for(struct conn *c, size_t n, struct error *err)
{
    if (n > SQL_PARAMS_MAX)
        return error_set(err, ERR_LIMIT, "write fewer rows at once",
                         "%zu parameters in one statement", n);
    if (n <= c->ncells)
        return true;
    struct cell *cells = realloc(c->cells, n * sizeof(*cells));
    if (!cells)
        return error_set(err, ERR_MEMORY, NULL, "no memory for %zu parameters", n);
    c->cells = cells;
    c->ncells = n;
    return true;
}

static bool bind_one(struct conn *c, SQLHSTMT h, const char *name, size_t at,
                     const struct column *column, const struct value *v, struct error *err)
{
    return bind_value(c->db->ops, h, (SQLUSMALLINT)(at + 1), column->kind, v, &c->cells[at]) ||
           diag_error(c, SQL_HANDLE_STMT, h, name, err);
}

static bool bind_single(struct conn *c, SQLHSTMT h, const struct call *k, struct error *err)
{
    static const struct value null = {VALUE_NULL, 0, {NULL, 0}};
    const struct statement *s = k->s;
    const struct step *step = &s->steps[k->step];
    size_t at = 0;

    if (!cells_for(c, step->norder + k->padded * s->nrow, err))
        return false;
    for (size_t i = 0; i < step->norder; i++) {
        const int order = step->order[i];
        if (order >= 0) {
            if (!bind_one(c, h, s->name, at++, &s->params[order], &k->params[order], err))
                return false;
        } else if (order != STEP_ROWS) {
            const size_t col = (size_t)STEP_COLUMN(order);
            if (!bind_one(c, h, s->name, at++, &s->row[col], &k->values[col], err))
                return false;
        } else {
            for (size_t v = 0; v < k->padded * s->nrow; v++) {
                const struct value *value = v < k->nrows * s->nrow ? &k->values[v] : &null;
                if (!bind_one(c, h, s->name, at++, &s->row[v % s->nrow], value, err))
                    return false;
            }
        }
    }
    return true;
}

/* ---- arrays ---- */

static size_t stride_of(const struct slot *s, size_t nrows)
{
    size_t most = 1;

    if (s->column->kind == VALUE_I64)
        return DIGITS;
    for (size_t r = 0; r < nrows; r++)
        if (s->values[r * s->step].bytes.len > most)
            most = s->values[r * s->step].bytes.len;
    return most;
}

/* What the placeholders of a text stand for; there is room for all. Returns how many. */
static size_t slots_of(const struct call *k, struct slot *out)
{
    const struct statement *s = k->s;
    const struct step *step = &s->steps[k->step];
    size_t n = 0;

    for (size_t i = 0; i < step->norder; i++) {
        const int order = step->order[i];
        if (order >= 0)
            out[n++] = (struct slot){&s->params[order], &k->params[order], 0};
        else if (order != STEP_ROWS)
            out[n++] =
                (struct slot){&s->row[STEP_COLUMN(order)], &k->values[STEP_COLUMN(order)], s->nrow};
        else
            for (size_t col = 0; col < s->nrow; col++)
                out[n++] = (struct slot){&s->row[col], &k->values[col], s->nrow};
    }
    return n;
}

static void fill_column(const struct slot *s, size_t nrows, size_t stride, uint8_t *data,
                        SQLLEN *lens)
{
    for (size_t r = 0; r < nrows; r++) {
        const struct value *v = &s->values[r * s->step];
        uint8_t *at = data + r * stride;
        if (is_nothing(s->column->kind, v)) {
            lens[r] = SQL_NULL_DATA;
        } else if (s->column->kind == VALUE_I64) {
            lens[r] = snprintf((char *)at, stride, "%" PRId64, v->i64);
        } else {
            memcpy(at, v->bytes.data, v->bytes.len);
            lens[r] = (SQLLEN)v->bytes.len;
        }
    }
}

#define SLOTS_MAX                                                                                  \
    256 /* parameters and columns of one text; embed.awk refuses more than 120 each                \
         */

static bool bind_array(struct conn *c, SQLHSTMT h, const struct call *k, struct error *err)
{
    const struct dialect_ops *ops = c->db->ops;
    struct slot slots[SLOTS_MAX];
    size_t strides[SLOTS_MAX], bytes = 0;

    if (k->s->steps[k->step].norder + k->s->nrow > SLOTS_MAX)
        return error_set(err, ERR_INTERNAL, NULL, "%s has too many placeholders", k->s->name);
    const size_t n = slots_of(k, slots);
    for (size_t i = 0; i < n; i++) {
        strides[i] = stride_of(&slots[i], k->nrows);
        bytes += strides[i] * k->nrows;
    }
    const size_t lens = n * k->nrows * sizeof(SQLLEN), states = k->nrows * sizeof(SQLUSMALLINT);
    buffer_clear(&c->array);
    uint8_t *all = buffer_reserve(&c->array, lens + states + bytes);
    if (!all)
        return error_set(err, ERR_MEMORY, NULL, "%s: no memory for %zu rows", k->s->name, k->nrows);
    memset(all, 0, lens + states);
    c->statuses = (SQLUSMALLINT *)(void *)(all + lens);
    c->processed = 0;
    uint8_t *data = all + lens + states;
    SQLSetStmtAttr(h, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)(uintptr_t)k->nrows, 0);
    SQLSetStmtAttr(h, SQL_ATTR_PARAM_STATUS_PTR, c->statuses, 0);
    SQLSetStmtAttr(h, SQL_ATTR_PARAMS_PROCESSED_PTR, &c->processed, 0);
    for (size_t i = 0; i < n; i++) {
        const enum value_kind kind = slots[i].column->kind;
        SQLLEN *len = (SQLLEN *)(void *)all + i * k->nrows;
        fill_column(&slots[i], k->nrows, strides[i], data, len);
        if (!SQL_SUCCEEDED(SQLBindParameter(
                h, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, c_type_of(ops, kind),
                sql_type_of(ops, kind, strides[i]), kind == VALUE_I64 ? 19 : strides[i], 0, data,
                (SQLLEN)strides[i], len)))
            return diag_error(c, SQL_HANDLE_STMT, h, k->s->name, err);
        data += strides[i] * k->nrows;
    }
    return true;
}

bool bind_is_array(const struct conn *c, const struct call *k)
{
    return c->db->ops->has_arrays && k->nrows > 1;
}

bool bind_all(struct conn *c, SQLHSTMT h, const struct call *k, struct error *err)
{
    if (!bind_is_array(c, k))
        return bind_single(c, h, k, err);
    if (bind_array(c, h, k, err))
        return true;
    (void)bind_done(c, h, k, true);
    return false;
}

bool bind_done(struct conn *c, SQLHSTMT h, const struct call *k, bool has_failed)
{
    bool is_all = true;

    if (!bind_is_array(c, k))
        return true;
    for (size_t r = 0; !has_failed && r < k->nrows; r++)
        is_all = is_all && (c->statuses[r] == SQL_PARAM_SUCCESS ||
                            c->statuses[r] == SQL_PARAM_SUCCESS_WITH_INFO);
    is_all = is_all && (has_failed || c->processed == k->nrows);
    SQLSetStmtAttr(h, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)(uintptr_t)1, 0);
    SQLSetStmtAttr(h, SQL_ATTR_PARAM_STATUS_PTR, NULL, 0);
    SQLSetStmtAttr(h, SQL_ATTR_PARAMS_PROCESSED_PTR, NULL, 0);
    SQLFreeStmt(h, SQL_RESET_PARAMS);
    if (c->array.cap > ARRAY_KEEP)
        buffer_free(&c->array);
    return is_all;
}

void bind_free(struct conn *c)
{
    free(c->cells);
    buffer_free(&c->array);
}

/* "12", "-12", and what a NUMBER without a scale may come as: "12.000". */
bool digits_parse(const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (end == text || errno == ERANGE)
        return false;
    if (*end == '.')
        end += 1 + strspn(end + 1, "0");
    *out = v;
    return *end == '\0';
}
