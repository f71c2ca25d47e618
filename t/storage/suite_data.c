/* suite_data.c: what the rules share. */
#include <pthread.h>

#include "suite.h"

struct db *suite_db;

int open_all(void **state)
{
    (void)state;
    suite_db = engine_open();
    return 0;
}

int close_all(void **state)
{
    (void)state;
    db_close(suite_db);
    suite_db = NULL;
    return 0;
}

int clear_all(void **state)
{
    struct error e;

    (void)state;
    assert_done(db_exec(suite_db, "t_value_clear", NULL, 0, 0, NULL, &e));
    assert_done(db_exec(suite_db, "t_log_clear", NULL, 0, 0, NULL, &e));
    assert_done(db_exec(suite_db, "t_node_clear", NULL, 0, 0, NULL, &e));
    return 0;
}

bool i64_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

bool any_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)cols;
    (void)n;
    (void)err;
    if (ctx)
        (*(int *)ctx)++;
    return true;
}

void insert_value(struct db *db, int64_t id, int64_t i)
{
    const struct value v[] = {value_i64(id), value_i64(i), value_null(), value_null()};
    struct error e;

    check_done(db_exec(db, "t_value_insert", v, 4, 0, NULL, &e));
}

struct value *log_rows(size_t n, int64_t first_ts)
{
    struct value *v = calloc(n * 4, sizeof(*v));

    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        v[4 * i] = value_i64(first_ts + (int64_t)i);
        v[4 * i + 1] = value_i64(1);
        v[4 * i + 2] = i % 3 ? value_text("caf\xc3\xa9") : value_null();
        v[4 * i + 3] = value_bytes(bytes_of("\0payload!", 1 + i % 9));
    }
    return v;
}

bool many_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct many *m = ctx;

    return txn_insert_many(t, "t_log_many", NULL, 0, m->v, m->n, err);
}

void in_threads(void *(*fn)(void *), void *args, size_t size, size_t n)
{
    pthread_t t[64];
    const char *failed = NULL;

    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&t[i], NULL, fn, (char *)args + i * size), 0);
    for (size_t i = 0; i < n; i++) {
        void *text = NULL;
        pthread_join(t[i], &text);
        failed = text ? text : failed;
    }
    if (failed)
        fail_msg("a thread failed: %s", failed);
    suite_checked("");
}
