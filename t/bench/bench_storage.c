/* bench_storage.c: the floor of one commit, fenced writes, array inserts and reads of one client,
 * on the engine that the environment names (t/storage/engine.h, t/bench/storage.sh). One JSON
 * object a line:
 * {"name":..., "value":..., "unit":...}; medians of at least BENCH_US of work each. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/migrate.h"

#include "../storage/engine.h"

#define BENCH_US  (1500 * US_PER_MS)
#define TIMES_MAX 20000

struct bench {
    struct db *db;
    int64_t next_ts, watermark;
    struct value *rows; /* 1024 rows of t_log */
    uint8_t holder[16];
    struct error err;
};

static bool commit_one(struct bench *b)
{
    const int64_t ts = b->next_ts++;
    const struct value v[] = {value_i64(ts), value_i64(1), value_null(), b->rows[3]};

    return db_exec(b->db, "t_value_insert", v, 4, 0, NULL, &b->err);
}

static bool any_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)cols;
    (void)n;
    (void)err;
    return true;
}

static bool read_one(struct bench *b)
{
    const struct value v[] = {value_i64(1)};

    return db_query(b->db, "t_node_read", v, 1, 0, any_row, NULL, &b->err);
}

static void stamp(struct bench *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b->rows[4 * i] = value_i64(b->next_ts++);
}

static bool fenced(struct bench *b, size_t n)
{
    const struct value v[] = {value_i64(++b->watermark), value_i64(1), value_i64(1),
                              value_bytes(bytes_of(b->holder, 16))};

    stamp(b, n);
    return db_fenced(b->db, "t_log_fenced", v, 4, b->rows, n, 0, NULL, &b->err);
}

static bool fenced_1(struct bench *b)
{
    return fenced(b, 1);
}
static bool fenced_100(struct bench *b)
{
    return fenced(b, 100);
}
static bool fenced_1000(struct bench *b)
{
    return fenced(b, 1000);
}

static bool many_txn(struct txn *t, void *ctx, struct error *err)
{
    return txn_insert_many(t, "t_log_many", NULL, 0, ((struct bench *)ctx)->rows, 1000, err);
}

static bool insert_1000(struct bench *b)
{
    stamp(b, 1000);
    return db_txn(b->db, 0, many_txn, b, &b->err);
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static bool measure(struct bench *b, const char *name, bool (*fn)(struct bench *))
{
    static int64_t times[TIMES_MAX];
    const int64_t start = clock_mono_us();
    size_t n = 0;

    for (int i = 0; i < 5; i++)
        if (!fn(b))
            return false;
    while (n < TIMES_MAX && clock_mono_us() - start < BENCH_US) {
        const int64_t from = clock_mono_us();
        if (!fn(b))
            return false;
        times[n++] = clock_mono_us() - from;
    }
    qsort(times, n, sizeof(times[0]), by_time);
    printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"ms\",\"p99\":%.3f,\"n\":%zu}\n", name,
           (double)times[n / 2] / 1000, (double)times[n * 99 / 100] / 1000, n);
    fflush(stdout);
    return true;
}

static bool prepare(struct bench *b)
{
    static const uint8_t payload[512] = {1, 2, 3};
    const struct value v[] = {value_i64(1), value_i64(1), value_bytes(bytes_of(b->holder, 16))};
    struct db_config cfg;

    b->rows = calloc(4 * 1024, sizeof(*b->rows));
    if (!b->rows)
        return error_set(&b->err, ERR_MEMORY, NULL, "no memory");
    for (size_t i = 0; i < 1024; i++) {
        b->rows[4 * i + 1] = value_i64(1);
        b->rows[4 * i + 2] = value_text("sender");
        b->rows[4 * i + 3] = value_bytes(bytes_of(payload, sizeof(payload)));
    }
    b->next_ts = 1;
    engine_config(&cfg);
    return db_open(&cfg, &b->db, &b->err) && db_migrate(b->db, NULL, &b->err) &&
           db_exec(b->db, "t_value_clear", NULL, 0, 0, NULL, &b->err) &&
           db_exec(b->db, "t_log_clear", NULL, 0, 0, NULL, &b->err) &&
           db_exec(b->db, "t_node_clear", NULL, 0, 0, NULL, &b->err) &&
           db_exec(b->db, "t_node_create", v, 3, 0, NULL, &b->err);
}

int main(void)
{
    static struct bench b = {.holder = {9}};
    char line[700];
    const bool ok =
        prepare(&b) && measure(&b, "read", read_one) && measure(&b, "commit", commit_one) &&
        measure(&b, "fenced_1", fenced_1) && measure(&b, "fenced_100", fenced_100) &&
        measure(&b, "fenced_1000", fenced_1000) && measure(&b, "insert_1000", insert_1000) &&
        measure(&b, "commit_again", commit_one);

    if (!ok) {
        error_format(&b.err, line, sizeof(line));
        fprintf(stderr, "bench_storage: %s\n", line);
    }
    db_close(b.db);
    free(b.rows);
    return ok ? 0 : 1;
}
