/* alive_client.c: eight threads that use one pool without a pause, each call with a deadline of one
 * second: queries, transactions, single and fenced writes. For t/storage/alive.sh and t/figures
 * storage, which hurt the server meanwhile and ask here, one verb a line on standard input:
 *   suffer     waits until a call of each thread has failed; OK
 *   usable     from now on the server can be used again; OK
 *   recovered  waits until a call of each thread that began behind `usable` was done;
 *              OK first=MS all=MS (behind `usable`)
 *   state      OK overrun=MS open=N waiting=N threads=N done=N failed=N: the worst return behind a
 *              deadline since the last `state`, connections, threads of the process, calls
 *   quiet, go  the threads pause, and go on; OK
 *   end        ends
 * "LATE what" instead of OK when a wait takes longer than LS_TEST_WAIT_S. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "storage/migrate.h"

#include "../only.h"
#include "engine.h"

#define THREADS     8
#define DEADLINE_US US_PER_S

struct user {
    struct thread thread;
    struct world *world;
    int index;
    atomic_llong good_us;  /* when its last good call was begun */
    atomic_llong ended_us; /* and when it ended */
    atomic_llong failed, done;
    enum error_code code; /* of its last failure, for people */
};

struct world {
    struct db *db;
    struct user users[THREADS];
    atomic_llong worst_us, usable_us;
    atomic_bool is_quiet, is_over;
};

static const uint8_t holder[16] = {8};

static bool any_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)cols;
    (void)n;
    (void)err;
    return true;
}

static bool txn_body(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(*(int64_t *)ctx), value_i64(1)};

    return txn_exec(t, "t_value_add", v, 2, NULL, err);
}

static bool call(struct user *u, struct error *err)
{
    struct db *db = u->world->db;
    int64_t id = u->index;
    const struct value one[] = {value_i64(id), value_i64(1)};
    const struct value fence[] = {value_i64(clock_now_us()), value_i64(id), value_i64(1),
                                  value_bytes(bytes_of(holder, 16))};
    const struct value row[] = {value_i64(fence[0].i64 * THREADS + id), value_i64(1), value_null(),
                                value_bytes(bytes_of("x", 1))};

    switch (id % 4) {
    case 0:
        return db_query(db, "t_value_count", NULL, 0, DEADLINE_US, any_row, NULL, err);
    case 1:
        return db_txn(db, DEADLINE_US, txn_body, &id, err);
    case 2:
        return db_exec(db, "t_value_add", one, 2, DEADLINE_US, NULL, err);
    default:
        return db_fenced(db, "t_log_fenced", fence, 4, row, 1, DEADLINE_US, NULL, err);
    }
}

static void pause_ms(long ms)
{
    const struct timespec t = {0, ms * 1000 * 1000};

    nanosleep(&t, NULL);
}

static void *user_run(void *ctx)
{
    struct user *u = ctx;
    struct world *w = u->world;

    while (!atomic_load(&w->is_over)) {
        struct error err;
        if (atomic_load(&w->is_quiet)) {
            pause_ms(5);
            continue;
        }
        const int64_t began = clock_mono_us();
        const bool ok = call(u, &err);
        const int64_t ended = clock_mono_us();
        long long worst = atomic_load(&w->worst_us);
        while (ended - began - DEADLINE_US > worst &&
               !atomic_compare_exchange_weak(&w->worst_us, &worst, ended - began - DEADLINE_US))
            ;
        if (ok) {
            if (began >= atomic_load(&w->usable_us) &&
                atomic_load(&u->good_us) < atomic_load(&w->usable_us)) {
                atomic_store(&u->ended_us, ended);
                atomic_store(&u->good_us, began);
            }
            atomic_fetch_add(&u->done, 1);
        } else {
            if (getenv("LS_TEST_TRACE"))
                fprintf(stderr, "%d %s after %" PRId64 " ms: %s\n", u->index, error_id(err.code),
                        (ended - began) / US_PER_MS, err.cause);
            u->code = err.code;
            atomic_fetch_add(&u->failed, 1);
        }
        pause_ms(2);
    }
    return NULL;
}

/* ---- verbs ---- */

static bool all_failed(struct world *w)
{
    for (int i = 0; i < THREADS; i++)
        if (atomic_load(&w->users[i].failed) == 0)
            return false;
    return true;
}

static bool all_good(struct world *w)
{
    for (int i = 0; i < THREADS; i++)
        if (atomic_load(&w->users[i].good_us) < atomic_load(&w->usable_us))
            return false;
    return true;
}

static bool wait_for(struct world *w, bool (*fn)(struct world *))
{
    const int64_t end = clock_mono_us() + test_wait_us();

    while (!fn(w)) {
        if (clock_mono_us() > end)
            return false;
        pause_ms(2);
    }
    return true;
}

static long long threads_now(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    long long n = 0;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Threads: %lld", &n) == 1)
            break;
    if (f)
        fclose(f);
    return n;
}

static void state(struct world *w)
{
    struct db_stats s;
    long long done = 0, failed = 0;

    db_stats(w->db, &s);
    for (int i = 0; i < THREADS; i++) {
        done += atomic_exchange(&w->users[i].done, 0);
        failed += atomic_exchange(&w->users[i].failed, 0);
    }
    const long long worst = atomic_exchange(&w->worst_us, 0);
    printf("OK overrun=%lld open=%u waiting=%u threads=%lld done=%lld failed=%lld\n",
           (worst > 0 ? worst : 0) / US_PER_MS, s.open, s.waiting, threads_now(), done, failed);
}

static void recovered(struct world *w)
{
    int64_t first = INT64_MAX, last = 0;

    if (!wait_for(w, all_good)) {
        for (int i = 0; i < THREADS; i++)
            fprintf(stderr, "thread %d: %s\n", i, error_id(w->users[i].code));
        printf("LATE recovered\n");
        return;
    }
    for (int i = 0; i < THREADS; i++) {
        const int64_t took = atomic_load(&w->users[i].ended_us) - atomic_load(&w->usable_us);
        first = took < first ? took : first;
        last = took > last ? took : last;
    }
    printf("OK first=%" PRId64 " all=%" PRId64 "\n", first / US_PER_MS, last / US_PER_MS);
}

static void obey(struct world *w, const char *verb)
{
    if (strcmp(verb, "suffer") == 0) {
        for (int i = 0; i < THREADS; i++)
            atomic_store(&w->users[i].failed, 0);
        printf(wait_for(w, all_failed) ? "OK\n" : "LATE suffer\n");
    } else if (strcmp(verb, "usable") == 0) {
        atomic_store(&w->usable_us, clock_mono_us());
        printf("OK\n");
    } else if (strcmp(verb, "recovered") == 0) {
        recovered(w);
    } else if (strcmp(verb, "state") == 0) {
        state(w);
    } else if (strcmp(verb, "quiet") == 0 || strcmp(verb, "go") == 0) {
        atomic_store(&w->is_quiet, *verb == 'q');
        pause_ms(*verb == 'q' ? 200 : 0); /* idle connections are tried before their next use */
        printf("OK\n");
    } else {
        printf("no such verb\n");
    }
}

static bool prepare(struct world *w, struct error *err)
{
    struct db_config cfg;

    engine_config(&cfg);
    cfg.pool_max = THREADS;
    cfg.statement_timeout_us = 2 * US_PER_S;
    cfg.login_timeout_us = 2 * US_PER_S;
    if (!db_open(&cfg, &w->db, err) || !db_migrate(w->db, NULL, err) ||
        !db_exec(w->db, "t_value_clear", NULL, 0, 0, NULL, err) ||
        !db_exec(w->db, "t_log_clear", NULL, 0, 10 * US_PER_S, NULL, err) ||
        !db_exec(w->db, "t_node_clear", NULL, 0, 0, NULL, err))
        return false;
    for (int64_t i = 0; i < THREADS; i++) {
        const struct value v[] = {value_i64(i), value_i64(0), value_null(), value_null()};
        const struct value node[] = {value_i64(i), value_i64(1), value_bytes(bytes_of(holder, 16))};
        if (!db_exec(w->db, "t_value_insert", v, 4, 0, NULL, err) ||
            !db_exec(w->db, "t_node_create", node, 3, 0, NULL, err))
            return false;
    }
    for (int i = 0; i < THREADS; i++) {
        w->users[i].world = w;
        w->users[i].index = i;
        if (!thread_start(&w->users[i].thread, "user", user_run, &w->users[i], err))
            return false;
    }
    return true;
}

int main(void)
{
    static struct world w;
    struct error err;
    char line[64];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!prepare(&w, &err)) {
        printf("%s %s\n", error_id(err.code), err.cause);
        return 1;
    }
    printf("READY\n");
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "end") == 0) /* others may have our standard input open */
            break;
        obey(&w, line);
    }
    atomic_store(&w.is_over, true);
    for (int i = 0; i < THREADS; i++)
        thread_join(&w.users[i].thread);
    db_close(w.db);
    return 0;
}
