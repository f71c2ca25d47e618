/* test_fenced.c: writes under a fence. */
#include "suite.h"

static const uint8_t holder[16] = {1, 2, 3, 0, 5};

static bool fenced(int64_t watermark, int64_t epoch, const struct value *rows, size_t n,
                   struct error *e)
{
    const struct value v[] = {value_i64(watermark), value_i64(1), value_i64(epoch),
                              value_bytes(bytes_of(holder, 16))};
    int64_t affected = -1;
    const bool ok = db_fenced(suite_db, "t_log_fenced", v, 4, rows, n, 0, &affected, e);

    if (ok)
        check_int(affected, n);
    return ok;
}

static void fence_row(void)
{
    const struct value v[] = {value_i64(1), value_i64(5), value_bytes(bytes_of(holder, 16))};
    struct error e;

    check_done(db_exec(suite_db, "t_node_create", v, 3, 0, NULL, &e));
}

static void a_fenced_write_is_all_or_fenced(void **state)
{
    struct value *v = log_rows(1024, 1);
    struct error e;
    int64_t watermark = 1;
    size_t at = 0;

    (void)state;
    fence_row();
    static const size_t counts[] = {1, 2, 3, 5, 100, 512};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_done(fenced(watermark++, 5, v + 4 * at, counts[i], &e));
        at += counts[i];
        check_int(query_i64(suite_db, "t_log_count", NULL, 0), at);
    }
    check_refused(fenced(watermark, 4, v + 4 * at, 3, &e), ERR_FENCED); /* an older epoch */
    check_refused(fenced(1, 5, v + 4 * at, 3, &e), ERR_FENCED); /* a watermark that goes back */
    const struct value one[] = {value_i64(1)};
    check_done(db_exec(suite_db, "t_node_take", one, 1, 0, NULL, &e));
    check_refused(fenced(watermark, 5, v + 4 * at, 3, &e), ERR_FENCED);
    check_int(query_i64(suite_db, "t_log_count", NULL, 0), at);
    free(v);
}

static void a_fenced_write_that_fails_moves_no_fence(void **state)
{
    struct value *v = log_rows(8, 1);
    const struct value one[] = {value_i64(1)};
    struct error e;

    (void)state;
    fence_row();
    check_done(fenced(1, 5, v, 8, &e));
    check_refused(fenced(2, 5, v, 8, &e), ERR_DUPLICATE);
    check_int(query_i64(suite_db, "t_log_count", NULL, 0), 8);
    check_int(query_i64(suite_db, "t_node_read", one, 1), 5);
    /* the watermark is still 1; where the fence comes last the rows say so first (db.h) */
    check_refused(fenced(1, 5, v, 8, &e),
                  engine_dialect() == DIALECT_ORACLE ? ERR_DUPLICATE : ERR_FENCED);
    free(v);
}

static void fenced_statements_go_through_db_fenced_only(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_i64(5),
                              value_bytes(bytes_of(holder, 16))};
    struct error e;

    (void)state;
    check_refused(db_exec(suite_db, "t_log_fenced", v, 4, 0, NULL, &e), ERR_INTERNAL);
    check_refused(db_fenced(suite_db, "t_value_clear", NULL, 0, NULL, 0, 0, NULL, &e),
                  ERR_INTERNAL);
}

static void a_batch_has_a_bound(void **state)
{
    struct value *v = log_rows(FENCED_ROWS_MAX + 1, 1);
    struct error e;

    (void)state;
    fence_row();
    check_refused(fenced(1, 5, v, FENCED_ROWS_MAX + 1, &e), ERR_LIMIT);
    check_int(query_i64(suite_db, "t_log_count", NULL, 0), 0);
    check_done(fenced(1, 5, v, FENCED_ROWS_MAX, &e));
    check_int(query_i64(suite_db, "t_log_count", NULL, 0), FENCED_ROWS_MAX);
    free(v);
}

/* A write under the old fence races a take-over: it is there as a whole, or not at all. */
struct race {
    int64_t written;
    struct error e;
};

static void *race_writer(void *ctx)
{
    struct race *r = ctx;

    const int64_t limit = clock_mono_us() + 30 * US_PER_S;

    for (int64_t i = 0; clock_mono_us() < limit; i++) {
        struct value *v = log_rows(3, 1 + 3 * i);
        const struct value p[] = {value_i64(i + 1), value_i64(1), value_i64(5),
                                  value_bytes(bytes_of(holder, 16))};
        const bool ok = db_fenced(suite_db, "t_log_fenced", p, 4, v, 3, 10 * US_PER_S, NULL, &r->e);
        free(v);
        if (!ok)
            return r->e.code == ERR_FENCED ? NULL : r->e.cause;
        r->written += 3;
    }
    return (void *)(uintptr_t) "nobody took the node over";
}

static void *race_taker(void *ctx)
{
    struct race *r = ctx;
    const struct value one[] = {value_i64(1)};
    int64_t n = 0;

    while (n < 30) /* some batches are through */
        if (!db_query(suite_db, "t_log_count", NULL, 0, 0, i64_row, &n, &r->e))
            return r->e.cause;
    return db_exec(suite_db, "t_node_take", one, 1, 0, NULL, &r->e) ? NULL : r->e.cause;
}

static void *racer(void *ctx)
{
    struct race *r = ctx;

    return r->written < 0 ? race_taker(r) : race_writer(r);
}

static void a_take_over_ends_the_writes_of_the_old_holder(void **state)
{
    struct race r[] = {{.written = 0}, {.written = -1}};

    (void)state;
    fence_row();
    in_threads(racer, r, sizeof(r[0]), 2);
    check(r[0].written >= 30);
    check_int(query_i64(suite_db, "t_log_count", NULL, 0), r[0].written);
}

static const struct rule rules[] = {
    RULE_IN(a_fenced_write_is_all_or_fenced, clear_all, NULL),
    RULE_IN(a_fenced_write_that_fails_moves_no_fence, clear_all, NULL),
    RULE_IN(fenced_statements_go_through_db_fenced_only, clear_all, NULL),
    RULE_IN(a_batch_has_a_bound, clear_all, NULL),
    RULE_IN(a_take_over_ends_the_writes_of_the_old_holder, clear_all, NULL),
};
const struct rules fenced_rules = {"fenced writes", rules, RULES_N(rules), open_all, close_all};
