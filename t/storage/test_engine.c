/* test_engine.c: statements, transactions, fenced writes, cursors and migrations on a real engine.
 */
#include "engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "storage/catalogue.h"
#include "storage/migrate.h"
#include "t/only.h"

static struct db *db;
static const uint8_t holder[16] = {1, 2, 3, 0, 5};

static void clear(void)
{
    struct error e;

    assert_done(db_exec(db, "t_value_clear", NULL, 0, 0, NULL, &e));
    assert_done(db_exec(db, "t_log_clear", NULL, 0, 0, NULL, &e));
    assert_done(db_exec(db, "t_node_clear", NULL, 0, 0, NULL, &e));
}

static int open_all(void **state)
{
    (void)state;
    db = engine_open();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    db_close(db);
    return 0;
}

static int each(void **state)
{
    (void)state;
    clear();
    return 0;
}

/* ---- values ---- */

struct expected {
    struct value i, s, b;
    size_t rows;
};

static bool value_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct expected *x = ctx;

    (void)err;
    assert_int_equal(n, 5);
    assert_int_equal(cols[0].kind, x->i.kind);
    assert_true(cols[0].i64 == x->i.i64);
    assert_int_equal(cols[1].kind, x->s.kind);
    assert_int_equal(cols[1].bytes.len, x->s.bytes.len);
    assert_true(bytes_equal(cols[1].bytes, x->s.bytes));
    assert_int_equal(cols[1].bytes.len, strlen(value_cstr(&cols[1])));
    assert_int_equal(cols[2].kind, x->b.kind);
    assert_int_equal(cols[2].bytes.len, x->b.bytes.len);
    assert_true(bytes_equal(cols[2].bytes, x->b.bytes));
    assert_int_equal(cols[3].i64, x->s.kind == VALUE_NULL);
    assert_true(cols[4].kind == VALUE_NULL || (size_t)cols[4].i64 == x->b.bytes.len);
    x->rows++;
    return true;
}

static void round_trip(int64_t id, struct value i, struct value s, struct value b)
{
    const struct value v[] = {value_i64(id), i, s, b};
    struct expected x = {i, s, b.bytes.len > 0 ? b : value_null(), 0}; /* empty is NULL */
    struct error e;
    int64_t affected = -1;

    assert_done(db_exec(db, "t_value_insert", v, 4, 0, &affected, &e));
    assert_int_equal(affected, 1);
    assert_done(db_query(db, "t_value_read", v, 1, 0, value_row, &x, &e));
    assert_int_equal(x.rows, 1);
}

static void values_come_back_as_they_went_in(void **state)
{
    static const size_t sizes[] = {0,     1,     3,     4,       5,           255,
                                   1023,  1024,  1025,  4000,    4001,        8190,
                                   32768, 65535, 65537, 1000000, 10 * 1048576};
    const size_t max = 10 * 1048576;
    uint8_t *bytes = malloc(max);
    char *text = malloc(max + 1);
    int64_t id = 1;

    (void)state;
    assert_non_null(bytes);
    assert_non_null(text);
    for (size_t i = 0; i < max; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256); /* NUL bytes among them */
        text[i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        text[sizes[i]] = '\0';
        round_trip(id++, value_i64(7), value_text(text), value_bytes(bytes_of(bytes, sizes[i])));
        text[sizes[i]] = 'x';
    }
    round_trip(id++, value_i64(INT64_MAX), value_text("x"), value_bytes(bytes_of("\0", 1)));
    round_trip(id++, value_i64(INT64_MIN),
               value_text("\xf0\x9f\x98\x80 h\xc3\xa9\xe2\x82\xac'\\%s?{}"),
               value_bytes(bytes_of("\0\0\0\0", 4)));
    round_trip(id++, value_i64(-1), value_text(" trailing "), value_null());
    round_trip(id++, value_null(), value_null(), value_null());
    round_trip(INT64_MIN, value_i64(0), value_text("a\nb\r\n\tc"), value_null());
    free(bytes);
    free(text);
}

static void empty_text_is_null(void **state)
{
    (void)state;
    round_trip(1, value_i64(1), value_text(""), value_null());
}

static bool refusing_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)cols;
    (void)n;
    (*(int *)ctx)++;
    return error_set(err, ERR_RETRY, NULL, "the callback's own");
}

static void a_refused_row_ends_the_query(void **state)
{
    const struct value id[] = {value_i64(1)};
    struct error e;
    int calls = 0;

    (void)state;
    round_trip(1, value_i64(9), value_null(), value_null());
    assert_false(db_query(db, "t_value_read", id, 1, 0, refusing_row, &calls, &e));
    assert_code(&e, ERR_RETRY);
    assert_int_equal(calls, 1);
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 1);
}

static void numbers_compare_as_numbers(void **state)
{
    const struct value ten[] = {value_i64(10)};

    (void)state;
    round_trip(1, value_i64(9), value_null(), value_null());
    round_trip(2, value_i64(100), value_null(), value_null());
    assert_int_equal(query_i64(db, "t_value_by_i", ten, 1), 1);
}

static void what_is_not_in_the_catalogue_is_not_prepared(void **state)
{
    const struct value v[] = {value_i64(1), value_text("7")};
    struct error e;

    (void)state;
    assert_false(db_exec(db, "DELETE FROM t_value", NULL, 0, 0, NULL, &e));
    assert_code(&e, ERR_INTERNAL);
    assert_false(db_exec(db, "t_value_update", v, 1, 0, NULL, &e)); /* one parameter too few */
    assert_code(&e, ERR_INTERNAL);
    assert_false(db_exec(db, "t_value_update", v, 2, 0, NULL, &e)); /* text for a number */
    assert_code(&e, ERR_INTERNAL);
    const struct value bad[] = {value_i64(1), value_i64(1), value_text("\xff\xfe"), value_null()};
    assert_false(db_exec(db, "t_value_insert", bad, 4, 0, NULL, &e));
    assert_code(&e, ERR_MALFORMED);
}

static struct value *log_rows(size_t n, int64_t first_ts);

static bool long_name_txn(struct txn *t, void *ctx, struct error *err)
{
    struct value *v = log_rows(1, 1);

    v[2] = value_text(ctx);
    const bool ok = txn_insert_many(t, "t_log_many", NULL, 0, v, 1, err);
    free(v);
    return ok;
}

static void a_text_over_its_limit_is_named(void **state)
{
    char text[4 * 101 + 1] = "";
    struct error e;

    (void)state;
    for (int i = 0; i < 101; i++)
        strcat(text, "\xf0\x9f\x98\x80");
    assert_false(db_txn(db, 0, long_name_txn, text, &e));
    assert_code(&e, ERR_LIMIT);
    assert_string_equal(e.cause, "t_log_many: name has 101 characters, at most 100");
    text[400] = '\0'; /* 100 characters of four bytes */
    assert_done(db_txn(db, 0, long_name_txn, text, &e));
}

static void a_second_row_with_a_key_is_a_duplicate(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_null(), value_null()};
    struct error e;

    (void)state;
    assert_done(db_exec(db, "t_value_insert", v, 4, 0, NULL, &e));
    assert_false(db_exec(db, "t_value_insert", v, 4, 0, NULL, &e));
    assert_code(&e, ERR_DUPLICATE);
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 1);
}

/* ---- transactions ---- */

struct plan {
    int runs;
    enum error_code fail_code; /* of the callback, at the end */
    bool swallow;              /* an error of a statement */
    int retry_times;
};

static bool plan_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_null(), value_null()};
    struct plan *p = ctx;

    p->runs++;
    if (!txn_exec(t, "t_value_insert", v, 4, NULL, err))
        return false;
    if (p->swallow) {
        struct error own;
        const struct value w[] = {value_i64(2), value_i64(1), value_null(), value_null()};
        assert_false(txn_exec(t, "t_value_insert", v, 4, NULL, &own));
        assert_code(&own, ERR_DUPLICATE);
        assert_false(txn_exec(t, "t_value_insert", w, 4, NULL, &own)); /* it is over */
        assert_code(&own, ERR_DUPLICATE);
        return true;
    }
    if (p->runs <= p->retry_times)
        return error_set(err, ERR_RETRY, NULL, "lost");
    return p->fail_code == ERR_NONE || error_set(err, p->fail_code, NULL, "the callback's");
}

static void a_transaction_is_all_or_nothing(void **state)
{
    struct plan no = {.fail_code = ERR_UNAVAILABLE}, yes = {0}; /* its own: not tried again */
    struct error e;

    (void)state;
    assert_false(db_txn(db, 0, plan_txn, &no, &e));
    assert_code(&e, ERR_UNAVAILABLE);
    assert_int_equal(no.runs, 1);
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 0);
    assert_done(db_txn(db, 0, plan_txn, &yes, &e));
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 1);
}

static void a_swallowed_error_does_not_commit(void **state)
{
    struct plan p = {.swallow = true};
    struct error e;

    (void)state;
    assert_false(db_txn(db, 0, plan_txn, &p, &e));
    assert_code(&e, ERR_DUPLICATE);
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 0);
}

static void a_transaction_that_lost_runs_again_whole(void **state)
{
    struct plan p = {.retry_times = 3};
    struct error e;

    (void)state;
    assert_done(db_txn(db, 0, plan_txn, &p, &e));
    assert_int_equal(p.runs, 4);
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 1);
}

static void retries_end_at_the_deadline(void **state)
{
    struct plan p = {.retry_times = 1000000};
    const int64_t start = clock_mono_us();
    struct error e;

    (void)state;
    assert_false(db_txn(db, 400 * US_PER_MS, plan_txn, &p, &e));
    assert_code(&e, ERR_RETRY);
    assert_true(clock_mono_us() - start < 2 * US_PER_S);
    assert_true(p.runs > 2);
}

/* Reads, then writes what it read plus one: only right when the row is held in between. */
static bool add_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

static bool add_txn(struct txn *t, void *ctx, struct error *err)
{
    int64_t seen = 0;
    const struct value id[] = {value_i64(1)};

    (void)ctx;
    if (!txn_query(t, "t_value_lock", id, 1, add_row, &seen, err))
        return false;
    const struct value v[] = {value_i64(1), value_i64(seen + 1)};
    return txn_exec(t, "t_value_update", v, 2, NULL, err);
}

#define ADDERS 4
#define ADDS   25
static void *adder(void *ctx)
{
    struct error *e = ctx;

    for (int i = 0; i < ADDS; i++)
        if (!db_txn(db, 20 * US_PER_S, add_txn, NULL, e))
            return e;
    return NULL;
}

static void writers_do_not_lose_each_others_updates(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(0), value_null(), value_null()};
    pthread_t t[ADDERS];
    struct error errors[ADDERS], e;

    (void)state;
    assert_done(db_exec(db, "t_value_insert", v, 4, 0, NULL, &e));
    for (int i = 0; i < ADDERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, adder, &errors[i]), 0);
    for (int i = 0; i < ADDERS; i++) {
        void *failed = NULL;
        pthread_join(t[i], &failed);
        if (failed)
            fail_msg("%s", errors[i].cause);
    }
    const struct value id[] = {value_i64(1)};
    assert_int_equal(query_i64(db, "t_value_lock", id, 1), ADDERS * ADDS);
}

/* With the only connection in use by this transaction, another use of the pool must give up. */
static bool greedy_txn(struct txn *t, void *ctx, struct error *err)
{
    const int64_t start = clock_mono_us();
    struct db_stats stats;
    struct error e;
    int64_t n;

    (void)t;
    (void)err;
    db_stats(ctx, &stats);
    assert_int_equal(stats.open, 1);
    assert_int_equal(stats.in_use, 1);
    assert_false(db_query(ctx, "t_value_count", NULL, 0, 200 * US_PER_MS, add_row, &n, &e));
    assert_code(&e, ERR_UNAVAILABLE);
    assert_true(clock_mono_us() - start < 2 * US_PER_S);
    return true;
}

static void a_full_pool_says_so_at_its_deadline(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *small;

    (void)state;
    engine_config(&cfg);
    cfg.pool_max = 1;
    cfg.checkout_timeout_us = 50 * US_PER_MS;
    assert_done(db_open(&cfg, &small, &e));
    assert_done(db_txn(small, 0, greedy_txn, small, &e));
    db_close(small);
}

static void a_statement_ends_at_its_deadline(void **state)
{
    int64_t n;
    const int64_t start = clock_mono_us();
    struct error e;

    (void)state;
    assert_false(db_query(db, "t_slow", NULL, 0, 600 * US_PER_MS, add_row, &n, &e));
    assert_true(e.code == ERR_TIMEOUT || e.code == ERR_CONNECTION);
    assert_true(clock_mono_us() - start < 4 * US_PER_S);
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 0); /* the pool still serves */
}

/* ---- many rows ---- */

static struct value *log_rows(size_t n, int64_t first_ts)
{
    struct value *v = calloc(n * 4, sizeof(*v));

    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        v[4 * i] = value_i64(first_ts + (int64_t)i);
        v[4 * i + 1] = value_i64(1);
        v[4 * i + 2] = i % 3 ? value_text("caf\xc3\xa9") : value_null();
        v[4 * i + 3] = value_bytes(bytes_of("\0payload", i % 9));
    }
    return v;
}

struct many {
    const struct value *v;
    size_t n;
};

static bool many_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct many *m = ctx;

    return txn_insert_many(t, "t_log_many", NULL, 0, m->v, m->n, err);
}

static void any_number_of_rows_goes_in(void **state)
{
    static const size_t counts[] = {1, 2, 3, 7, 64, 100, 1023, 2500};
    int64_t ts = 1, total = 0;
    struct error e;

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct value *v = log_rows(counts[i], ts);
        struct many m = {v, counts[i]};
        assert_done(db_txn(db, 30 * US_PER_S, many_txn, &m, &e));
        free(v);
        ts += (int64_t)counts[i];
        total += (int64_t)counts[i];
        assert_int_equal(query_i64(db, "t_log_count", NULL, 0), total);
    }
}

static void one_bad_row_leaves_none(void **state)
{
    struct value *v = log_rows(100, 1);
    struct many m = {v, 100};
    struct error e;

    (void)state;
    v[4 * 99] = value_i64(1);
    assert_false(db_txn(db, 0, many_txn, &m, &e));
    assert_code(&e, ERR_DUPLICATE);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 0);
    free(v);
}

/* ---- fenced writes ---- */

static bool fenced(int64_t watermark, int64_t epoch, const struct value *rows, size_t n,
                   struct error *e)
{
    const struct value v[] = {value_i64(watermark), value_i64(1), value_i64(epoch),
                              value_bytes(bytes_of(holder, 16))};
    int64_t affected = -1;
    const bool ok = db_fenced(db, "t_log_fenced", v, 4, rows, n, 0, &affected, e);

    if (ok)
        assert_int_equal(affected, n);
    return ok;
}

static void fence_row(void)
{
    const struct value v[] = {value_i64(1), value_i64(5), value_bytes(bytes_of(holder, 16))};
    struct error e;

    assert_done(db_exec(db, "t_node_create", v, 3, 0, NULL, &e));
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
        assert_done(fenced(watermark++, 5, v + 4 * at, counts[i], &e));
        at += counts[i];
        assert_int_equal(query_i64(db, "t_log_count", NULL, 0), at);
    }
    assert_false(fenced(watermark, 4, v + 4 * at, 3, &e)); /* an older epoch */
    assert_code(&e, ERR_FENCED);
    assert_false(fenced(1, 5, v + 4 * at, 3, &e)); /* a watermark that goes back */
    assert_code(&e, ERR_FENCED);
    const struct value one[] = {value_i64(1)};
    assert_done(db_exec(db, "t_node_take", one, 1, 0, NULL, &e));
    assert_false(fenced(watermark, 5, v + 4 * at, 3, &e));
    assert_code(&e, ERR_FENCED);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), at);
    free(v);
}

static void a_fenced_write_that_fails_moves_no_fence(void **state)
{
    struct value *v = log_rows(8, 1);
    const struct value one[] = {value_i64(1)};
    struct error e;

    (void)state;
    fence_row();
    assert_done(fenced(1, 5, v, 8, &e));
    assert_false(fenced(2, 5, v, 8, &e));
    assert_code(&e, ERR_DUPLICATE);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 8);
    assert_int_equal(query_i64(db, "t_node_read", one, 1), 5);
    assert_false(fenced(1, 5, v, 8, &e)); /* the watermark is still 1 */
    assert_code(&e, engine_dialect() == DIALECT_ORACLE ? ERR_DUPLICATE : ERR_FENCED); /* db.h */
    free(v);
}

static void fenced_statements_go_through_db_fenced_only(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_i64(5),
                              value_bytes(bytes_of(holder, 16))};
    struct error e;

    (void)state;
    assert_false(db_exec(db, "t_log_fenced", v, 4, 0, NULL, &e));
    assert_code(&e, ERR_INTERNAL);
    assert_false(db_fenced(db, "t_value_clear", NULL, 0, NULL, 0, 0, NULL, &e));
    assert_code(&e, ERR_INTERNAL);
}

/* ---- cursors ---- */

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
    assert_done(db_txn(db, 0, many_txn, &m, &e));
    assert_done(cursor_open(db, "t_log_page", start, 1, rest, 1, 100, &c, &e));
    for (; rows > 0; pages++)
        assert_done(cursor_next(c, 0, log_row, &r, &rows, &e));
    assert_int_equal(pages, 4); /* 100, 100, 50, 0 */
    assert_int_equal(r.rows, 250);
    free(v);
    v = log_rows(1, 251);
    m = (struct many){v, 1};
    assert_done(db_txn(db, 0, many_txn, &m, &e));
    assert_done(cursor_next(c, 0, log_row, &r, &rows, &e)); /* what came later */
    assert_int_equal(rows, 1);
    cursor_close(c);
    free(v);
}

/* ---- migrations ---- */

static void print_problem(void *ctx, const char *text)
{
    (void)ctx;
    print_message("%s\n", text);
}

static void migrating_again_does_nothing(void **state)
{
    struct migration_info *m;
    struct error e;
    size_t n, problems = 1;
    int applied = -1;

    (void)state;
    assert_done(db_migrate(db, &applied, &e));
    assert_int_equal(applied, 0);
    assert_done(db_schema_check(db, &e));
    assert_done(db_migrations(db, &m, &n, &e));
    assert_true(n >= 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(m[i].state, MIGRATION_APPLIED);
        assert_true(m[i].applied_at > 0);
    }
    free(m);
    assert_done(db_verify(db, print_problem, NULL, &problems, &e));
    assert_int_equal(problems, 0);
}

static void a_newer_schema_is_refused(void **state)
{
    const struct value v[] = {value_i64(99999), value_text("from-the-future"), value_text("00"),
                              value_i64(1)};
    struct error e;
    int applied;

    (void)state;
    assert_done(db_exec(db, "schema_version_insert", v, 4, 0, NULL, &e));
    assert_false(db_schema_check(db, &e));
    assert_code(&e, ERR_SCHEMA);
    assert_false(db_migrate(db, &applied, &e));
    assert_code(&e, ERR_SCHEMA);
    assert_non_null(strstr(e.cause, "99999"));
    assert_done(db_exec(db, "t_schema_forget", v, 1, 0, NULL, &e));
    assert_done(db_schema_check(db, &e));
}

static void *migrator(void *ctx)
{
    struct db_config cfg;
    struct db *own = NULL;
    struct error *e = ctx;

    engine_config(&cfg);
    if (engine_is_postgres())
        cfg.schema = "ls_test_race";
    else
        cfg.file = getenv("LS_TEST_SQLITE_FILE2");
    const bool ok = db_open(&cfg, &own, e) && db_migrate(own, NULL, e) && db_schema_check(own, e);
    db_close(own);
    return ok ? NULL : e;
}

static void starters_do_not_collide(void **state)
{
    pthread_t t[4];
    struct error errors[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, migrator, &errors[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(t[i], &failed);
        if (failed)
            fail_msg("%s", errors[i].cause);
    }
}

static void the_clock_is_the_present(void **state)
{
    struct error e;
    int64_t now = 0;

    (void)state;
    assert_done(db_clock_us(db, &now, &e));
    assert_true(llabs(now - clock_now_us()) < 60 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_come_back_as_they_went_in, each),
        cmocka_unit_test_setup(empty_text_is_null, each),
        cmocka_unit_test_setup(numbers_compare_as_numbers, each),
        cmocka_unit_test_setup(a_refused_row_ends_the_query, each),
        cmocka_unit_test_setup(what_is_not_in_the_catalogue_is_not_prepared, each),
        cmocka_unit_test_setup(a_text_over_its_limit_is_named, each),
        cmocka_unit_test_setup(a_second_row_with_a_key_is_a_duplicate, each),
        cmocka_unit_test_setup(a_transaction_is_all_or_nothing, each),
        cmocka_unit_test_setup(a_swallowed_error_does_not_commit, each),
        cmocka_unit_test_setup(a_transaction_that_lost_runs_again_whole, each),
        cmocka_unit_test_setup(retries_end_at_the_deadline, each),
        cmocka_unit_test_setup(writers_do_not_lose_each_others_updates, each),
        cmocka_unit_test_setup(a_full_pool_says_so_at_its_deadline, each),
        cmocka_unit_test_setup(a_statement_ends_at_its_deadline, each),
        cmocka_unit_test_setup(any_number_of_rows_goes_in, each),
        cmocka_unit_test_setup(one_bad_row_leaves_none, each),
        cmocka_unit_test_setup(a_fenced_write_is_all_or_fenced, each),
        cmocka_unit_test_setup(a_fenced_write_that_fails_moves_no_fence, each),
        cmocka_unit_test_setup(fenced_statements_go_through_db_fenced_only, each),
        cmocka_unit_test_setup(a_cursor_pages_by_key, each),
        cmocka_unit_test_setup(migrating_again_does_nothing, each),
        cmocka_unit_test_setup(a_newer_schema_is_refused, each),
        cmocka_unit_test_setup(starters_do_not_collide, each),
        cmocka_unit_test_setup(the_clock_is_the_present, each),
    };

    test_only();
    return cmocka_run_group_tests_name("engine", tests, open_all, close_all) + lease_tests_run() +
           error_tests_run();
}
