/* test_cursor.c: pages by key. */
#include "suite.h"

struct reading {
    int64_t last_ts;
    size_t rows;
};

static bool log_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct reading *r = ctx;

    (void)n;
    if (cols[0].i64 != r->last_ts + 1)
        return error_set(err, ERR_INTERNAL, NULL, "gap after %lld", (long long)r->last_ts);
    r->last_ts++;
    r->rows++;
    return true;
}

static void a_cursor_pages_by_key(void **state)
{
    struct value *v = log_rows(250, 1);
    struct many m = {v, 250};
    const struct value start[] = {value_i64(0)}, rest[] = {value_i64(1)};
    struct reading r = {0};
    struct cursor *c;
    struct error e;
    size_t rows = 1, pages = 0;

    (void)state;
    check_done(db_txn(suite_db, 0, many_txn, &m, &e));
    check_done(cursor_open(suite_db, "t_log_page", start, 1, rest, 1, 100, &c, &e));
    for (; rows > 0; pages++)
        check_done(cursor_next(c, 0, log_row, &r, &rows, &e));
    check_int(pages, 4); /* 100, 100, 50, 0 */
    check_int(r.rows, 250);
    free(v);
    v = log_rows(1, 251);
    m = (struct many){v, 1};
    check_done(db_txn(suite_db, 0, many_txn, &m, &e));
    check_done(cursor_next(c, 0, log_row, &r, &rows, &e)); /* what came later */
    check_int(rows, 1);
    cursor_close(c);
    free(v);
}

/* Rows come in above and below while pages are read: those that were there are seen once each, in
 * order, and nothing is seen twice. */
#define OLD 300 /* at 10, 20, 30, ... */

struct filler {
    struct error e;
    bool is_reader;
    int64_t last, old_seen;
};

static bool once_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct filler *f = ctx;

    (void)n;
    if (cols[0].i64 <= f->last)
        return error_set(err, ERR_INTERNAL, NULL, "%lld came after %lld", (long long)cols[0].i64,
                         (long long)f->last);
    f->last = cols[0].i64;
    f->old_seen += cols[0].i64 % 10 == 0;
    return true;
}

static void *fill_or_read(void *ctx)
{
    const struct value start[] = {value_i64(0)}, rest[] = {value_i64(1)};
    struct filler *f = ctx;
    struct cursor *c = NULL;
    size_t rows = 1;

    for (int64_t i = 0; !f->is_reader && i < 60; i++) {
        struct value *v = log_rows(1, (i * 7919) % (10 * OLD) / 10 * 10 + 1 + i % 9);
        struct many m = {v, 1};
        const bool ok = db_txn(suite_db, 10 * US_PER_S, many_txn, &m, &f->e);
        free(v);
        if (!ok && f->e.code != ERR_DUPLICATE)
            return f->e.cause;
    }
    if (!f->is_reader)
        return NULL;
    bool ok = cursor_open(suite_db, "t_log_page", start, 1, rest, 1, 7, &c, &f->e);
    while (ok && rows > 0)
        ok = cursor_next(c, 0, once_row, f, &rows, &f->e);
    cursor_close(c);
    return ok ? NULL : f->e.cause;
}

static void pages_show_each_row_once_while_others_write(void **state)
{
    struct filler f[] = {{.is_reader = true}, {.is_reader = false}, {.is_reader = true}};
    struct value *v = log_rows(OLD, 1);
    struct many m = {v, OLD};
    struct error e;

    (void)state;
    for (int64_t i = 0; i < OLD; i++)
        v[4 * i] = value_i64(10 * (i + 1));
    check_done(db_txn(suite_db, 0, many_txn, &m, &e));
    free(v);
    in_threads(fill_or_read, f, sizeof(f[0]), 3);
    check_int(f[0].old_seen, OLD);
    check_int(f[2].old_seen, OLD);
}

/* A row that the reader refuses is the first of the next page. */
static bool third_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    int64_t *seen = ctx;

    (void)n;
    if (cols[0].i64 == 3 && seen[1]++ == 0)
        return error_set(err, ERR_LIMIT, NULL, "not now");
    seen[0] = seen[0] * 10 + cols[0].i64;
    return true;
}

static void a_cursor_goes_on_where_it_was_refused(void **state)
{
    const struct value start[] = {value_i64(0)}, rest[] = {value_i64(1)};
    struct value *v = log_rows(5, 1);
    struct many m = {v, 5};
    int64_t seen[2] = {0, 0};
    struct cursor *c;
    struct error e;
    size_t rows = 0;

    (void)state;
    check_done(db_txn(suite_db, 0, many_txn, &m, &e));
    free(v);
    check_done(cursor_open(suite_db, "t_log_page", start, 1, rest, 1, 10, &c, &e));
    check_refused(cursor_next(c, 0, third_row, seen, &rows, &e), ERR_LIMIT);
    check_int(rows, 2);
    check_done(cursor_next(c, 0, third_row, seen, &rows, &e));
    check_int(rows, 3);
    check_int(seen[0], 12345);
    called(cursor_close(c));
    check_refused(cursor_open(suite_db, "t_log_page", start, 0, rest, 1, 10, &c, &e), ERR_INTERNAL);
    check_refused(cursor_open(suite_db, "t_log_page", start, 1, rest, 1, 0, &c, &e), ERR_INTERNAL);
    check_refused(cursor_open(suite_db, "t_nothing", start, 1, rest, 1, 9, &c, &e), ERR_INTERNAL);
}

static const struct rule rules[] = {
    RULE_IN(a_cursor_pages_by_key, clear_all, NULL),
    RULE_IN(pages_show_each_row_once_while_others_write, clear_all, NULL),
    RULE_IN(a_cursor_goes_on_where_it_was_refused, clear_all, NULL),
};
const struct rules cursor_rules = {"cursors", rules, RULES_N(rules), open_all, close_all};
