/* bench_threads.c: how many calls of 10 ms eight threads make in a second and a half, each on a
 * connection of its own: 100 % is all of them in parallel. The engine's configuration is the
 * environment's (t/storage/engine.h), LS_TEST_DRIVER the driver's path or its name in odbcinst.ini.
 * One JSON object a line; the log goes to standard error. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/thread.h"
#include "storage/db.h"

#include "../storage/engine.h"

#define THREADS 8
#define CALL_US (10 * US_PER_MS)
#define RUN_US  (1500 * US_PER_MS)

struct bench {
    struct db *db;
    atomic_llong calls;
    atomic_bool is_on, is_over, has_failed;
    atomic_int ready;
};

static bool any_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)cols;
    (void)n;
    (void)err;
    return true;
}

/* Everybody has made a connection before the clock runs. */
static void *run(void *ctx)
{
    struct bench *b = ctx;
    struct error err;
    bool is_ready = false;

    while (!atomic_load(&b->is_over)) {
        if (!db_query(b->db, "t_nap", NULL, 0, 0, any_row, NULL, &err)) {
            fprintf(stderr, "bench_threads: %s\n", err.cause);
            atomic_store(&b->has_failed, true);
            return NULL;
        }
        if (!is_ready)
            atomic_fetch_add(&b->ready, 1);
        is_ready = true;
        if (atomic_load(&b->is_on))
            atomic_fetch_add(&b->calls, 1);
    }
    return NULL;
}

static void nap(int64_t us)
{
    const struct timespec t = {us / US_PER_S, us % US_PER_S * 1000};

    nanosleep(&t, NULL);
}

static bool all_connected(struct bench *b)
{
    struct db_stats s;

    db_stats(b->db, &s);
    return s.open == THREADS && atomic_load(&b->ready) == THREADS;
}

int main(void)
{
    static struct bench b;
    struct thread threads[THREADS] = {{0}};
    struct logger *logger = NULL;
    struct db_config cfg;
    struct error err;

    engine_config(&cfg);
    cfg.schema = NULL;
    cfg.driver = getenv("LS_TEST_DRIVER");
    cfg.pool_max = THREADS;
    if (!logger_open(2, LOG_TEXT, LOG_INFO, &logger, &err))
        return 1;
    cfg.logger = logger;
    if (!db_open(&cfg, &b.db, &err)) {
        fprintf(stderr, "bench_threads: %s\n", err.cause);
        return 1;
    }
    for (int i = 0; i < THREADS; i++)
        if (!thread_start(&threads[i], "bench", run, &b, &err))
            return 1;
    const int64_t limit = clock_mono_us() + 10 * US_PER_S;
    while (!all_connected(&b) && !atomic_load(&b.has_failed) && clock_mono_us() < limit)
        nap(CALL_US);
    const int64_t start = clock_mono_us();
    atomic_store(&b.is_on, true);
    nap(RUN_US);
    const int64_t took = clock_mono_us() - start;
    const long long calls = atomic_load(&b.calls);
    atomic_store(&b.is_over, true);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    db_close(b.db);
    logger_close(logger);
    printf("{\"name\":\"threads-in-parallel\",\"value\":%.1f,\"unit\":\"%%\",\"calls\":%lld}\n",
           100.0 * (double)calls * (double)CALL_US / (double)took / THREADS, calls);
    return atomic_load(&b.has_failed) ? 1 : 0;
}
