/* test_parallel.c: several threads and connections at once: nobody loses an update, sees half a
 * transaction, waits for ever, or is left out. */
#include <pthread.h>
#include <time.h>

#include "base/thread.h"
#include "suite.h"

/* A database of its own pool. lock_us: how long its sessions wait for a lock (and may be idle in a
 * transaction). */
static struct db *open_pool(uint32_t pool_max, int64_t lock_us)
{
    struct db_config cfg;
    struct error e;
    struct db *db = NULL;

    engine_config(&cfg);
    cfg.pool_max = pool_max;
    cfg.idle_in_txn_timeout_us = lock_us;
    check_done(db_open(&cfg, &db, &e));
    return db;
}

/* ---- no update is lost ---- */

/* Reads, then writes what it read plus one: only right when the row is held in between. */
static bool add_txn(struct txn *t, void *ctx, struct error *err)
{
    int64_t seen = 0;
    const struct value id[] = {value_i64(1)};

    (void)ctx;
    if (!txn_query(t, "t_value_lock", id, 1, i64_row, &seen, err))
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
        if (!db_txn(suite_db, 20 * US_PER_S, add_txn, NULL, e))
            return e->cause;
    return NULL;
}

static void a_row_that_is_held_loses_no_update(void **state)
{
    const struct value id[] = {value_i64(1)};
    struct error errors[ADDERS];

    (void)state;
    insert_value(suite_db, 1, 0);
    in_threads(adder, errors, sizeof(errors[0]), ADDERS);
    check_int(query_i64(suite_db, "t_value_lock", id, 1), ADDERS * ADDS);
}

struct swapper {
    struct error e;
    int won, lost;
};

/* Without a lock: a conditional UPDATE on what was seen, as every store does. */
static void *swapper(void *ctx)
{
    struct swapper *s = ctx;
    const struct value id[] = {value_i64(1)};

    while (s->won < ADDS) {
        int64_t seen = -1, rows = 0;
        if (!db_query(suite_db, "t_value_get", id, 1, 20 * US_PER_S, i64_row, &seen, &s->e))
            return s->e.cause;
        const struct value v[] = {value_i64(1), value_i64(seen), value_i64(seen + 1)};
        if (!db_exec(suite_db, "t_value_swap", v, 3, 20 * US_PER_S, &rows, &s->e))
            return s->e.cause;
        s->won += rows == 1;
        s->lost += rows == 0;
    }
    return NULL;
}

static void a_conditional_update_loses_no_update(void **state)
{
    const struct value id[] = {value_i64(1)};
    struct swapper s[ADDERS] = {0};

    (void)state;
    insert_value(suite_db, 1, 0);
    in_threads(swapper, s, sizeof(s[0]), ADDERS);
    check_int(query_i64(suite_db, "t_value_get", id, 1), ADDERS * ADDS);
}

struct inserter {
    struct error e;
    int won;
};

static void *inserter(void *ctx)
{
    struct inserter *s = ctx;

    for (int64_t id = 0; id < ADDS; id++) {
        const struct value v[] = {value_i64(id), value_i64(1), value_null(), value_null()};
        if (db_exec(suite_db, "t_value_insert", v, 4, 20 * US_PER_S, NULL, &s->e))
            s->won++;
        else if (s->e.code != ERR_DUPLICATE)
            return s->e.cause;
    }
    return NULL;
}

static void of_two_writers_on_one_key_one_wins(void **state)
{
    struct inserter s[ADDERS] = {0};
    int won = 0;

    (void)state;
    in_threads(inserter, s, sizeof(s[0]), ADDERS);
    for (int i = 0; i < ADDERS; i++)
        won += s[i].won;
    check_int(won, ADDS);
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), ADDS);
}

/* ---- nobody sees half ---- */

#define ACCOUNTS 10
#define MOVES    100

struct mover {
    struct error e;
    int64_t from, to;
    bool is_reader;
};

static bool move_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct mover *m = ctx;
    const struct value minus[] = {value_i64(m->from), value_i64(-5)};
    const struct value plus[] = {value_i64(m->to), value_i64(5)};

    return txn_exec(t, "t_value_add", minus, 2, NULL, err) &&
           txn_exec(t, "t_value_add", plus, 2, NULL, err);
}

static bool sum_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx += cols[1].i64;
    return true;
}

static void *mover(void *ctx)
{
    struct mover *m = ctx;

    for (int64_t i = 0; i < MOVES; i++) {
        int64_t sum = 0;
        m->from = i % ACCOUNTS;
        m->to = (i + 1) % ACCOUNTS; /* rising keys but for one: a deadlock is run again */
        if (m->is_reader
                ? !db_query(suite_db, "t_value_all", NULL, 0, 20 * US_PER_S, sum_row, &sum, &m->e)
                : !db_txn(suite_db, 20 * US_PER_S, move_txn, m, &m->e))
            return m->e.cause;
        if (m->is_reader && sum != 100 * ACCOUNTS)
            return (void *)(uintptr_t) "a reader saw half a transaction";
    }
    return NULL;
}

static void readers_never_see_half_a_transaction(void **state)
{
    struct mover m[4] = {{.is_reader = true}, {.is_reader = true}};
    int64_t sum = 0;
    struct error e;

    (void)state;
    for (int64_t i = 0; i < ACCOUNTS; i++)
        insert_value(suite_db, i, 100);
    in_threads(mover, m, sizeof(m[0]), 4);
    check_done(db_query(suite_db, "t_value_all", NULL, 0, 0, sum_row, &sum, &e));
    check_int(sum, 100 * ACCOUNTS);
}

/* ---- locks ---- */

struct holding {
    struct db *other;
    int64_t took_us, nowait_us;
    enum error_code code, nowait_code;
    int runs;
};

static bool hold_other(struct txn *t, void *ctx, struct error *err)
{
    const struct value id[] = {value_i64(1)};
    int64_t seen = 0;

    return called(txn_query(t, ctx, id, 1, i64_row, &seen, err));
}

static enum error_code hold_try(struct db *db, char *stmt, int64_t timeout_us, int64_t *took_us)
{
    const int64_t start = clock_mono_us();
    struct error e;
    const bool ok = db_txn(db, timeout_us, hold_other, stmt, &e);

    *took_us = clock_mono_us() - start;
    return ok ? ERR_NONE : e.code;
}

/* Holds row 1; another connection wants it, in vain, and is told so in time. */
static bool hold_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(1), value_i64(77)}, id[] = {value_i64(1)};
    struct holding *h = ctx;
    int64_t seen = 0;
    char lock[] = "t_value_lock", nowait[] = "t_value_lock_nowait";

    h->runs++;
    if (!txn_query(t, "t_value_lock", id, 1, i64_row, &seen, err))
        return false;
    h->nowait_code = hold_try(h->other, nowait, 200 * US_PER_MS, &h->nowait_us);
    h->code = hold_try(h->other, lock, 700 * US_PER_MS, &h->took_us);
    return txn_exec(t, "t_value_update", v, 2, NULL, err);
}

static void a_lock_is_waited_for_until_the_deadline(void **state)
{
    struct db *holder = open_pool(1, 20 * US_PER_S), *other = open_pool(1, 500 * US_PER_MS);
    struct holding h = {.other = other};
    const struct value id[] = {value_i64(1)};
    char lock[] = "t_value_lock";
    struct error e;

    (void)state;
    insert_value(suite_db, 1, 0);
    check_done(db_txn(holder, 20 * US_PER_S, hold_txn, &h, &e));
    check_int(h.runs, 1);
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("no row locks: who holds one row holds the file against every writer");
        check(h.nowait_code == ERR_RETRY || h.nowait_code == ERR_TIMEOUT);
    } else {
        check_int(h.nowait_code, ERR_RETRY);
        suite_code(ERR_RETRY);
    }
    check(h.code == ERR_RETRY || h.code == ERR_TIMEOUT);
    check(h.took_us >= 400 * US_PER_MS);
    check(h.took_us < 10 * US_PER_S);
    check(h.nowait_us < 10 * US_PER_S);
    check_int(query_i64(suite_db, "t_value_get", id, 1), 77);
    check_done(db_txn(other, 0, hold_other, lock, &e)); /* free now, and the pool works */
    db_close(holder);
    db_close(other);
}

/* Two rows, locked in opposite order by two transactions that have both locked their first. */
struct crossing {
    struct db *db;
    struct mutex *m;
    struct cond *met;
    int *arrived;
    int64_t first, second;
    int runs;
    struct error e;
};

static bool cross_txn(struct txn *t, void *ctx, struct error *err)
{
    struct crossing *x = ctx;
    const struct value one[] = {value_i64(x->first), value_i64(1)};
    const struct value two[] = {value_i64(x->second), value_i64(1)};
    const int64_t limit = clock_mono_us() + 5 * US_PER_S;

    if (!txn_exec(t, "t_value_add", one, 2, NULL, err))
        return false;
    mutex_lock(x->m);
    if (x->runs++ == 0) {
        ++*x->arrived;
        cond_broadcast(x->met);
        while (*x->arrived < 2 && engine_dialect() != DIALECT_SQLITE &&
               cond_wait_until(x->met, x->m, limit))
            ;
    }
    mutex_unlock(x->m);
    return txn_exec(t, "t_value_add", two, 2, NULL, err);
}

static void *cross(void *ctx)
{
    struct crossing *x = ctx;

    return db_txn(x->db, 30 * US_PER_S, cross_txn, x, &x->e) ? NULL : x->e.cause;
}

static void a_deadlock_is_resolved_and_run_again(void **state)
{
    struct db *db = open_pool(2, 20 * US_PER_S); /* no lock timeout comes before the deadlock */
    struct mutex m;
    struct cond met;
    int arrived = 0;
    struct crossing x[] = {
        {.db = db, .m = &m, .met = &met, .arrived = &arrived, .first = 1, .second = 2},
        {.db = db, .m = &m, .met = &met, .arrived = &arrived, .first = 2, .second = 1}};
    const struct value one[] = {value_i64(1)}, two[] = {value_i64(2)};
    struct db_stats stats;

    (void)state;
    mutex_init(&m);
    cond_init(&met);
    insert_value(suite_db, 1, 0);
    insert_value(suite_db, 2, 0);
    in_threads(cross, x, sizeof(x[0]), 2);
    check_int(query_i64(suite_db, "t_value_get", one, 1), 2);
    check_int(query_i64(suite_db, "t_value_get", two, 1), 2);
    check((db_stats(db, &stats), true));
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("one writer at a time: the second waits, and there is no deadlock");
        check_int(x[0].runs + x[1].runs, 2);
    } else {
        check(x[0].runs + x[1].runs >= 3);
        check(stats.retries >= 1);
    }
    db_close(db);
    cond_destroy(&met);
    mutex_destroy(&m);
}

/* ---- the pool ---- */

#define CROWD  12
#define POOL   3
#define VISITS 15

struct visitor {
    struct db *db;
    uint32_t most;
    struct error e;
};

static bool visit_txn(struct txn *t, void *ctx, struct error *err)
{
    struct visitor *v = ctx;
    struct db_stats s;
    int64_t n;

    db_stats(v->db, &s);
    if (s.in_use > v->most)
        v->most = s.in_use;
    if (s.open > v->most)
        v->most = s.open;
    return txn_query(t, "t_value_count", NULL, 0, i64_row, &n, err);
}

static void *visitor(void *ctx)
{
    struct visitor *v = ctx;

    for (int i = 0; i < VISITS; i++)
        if (!db_txn(v->db, 20 * US_PER_S, visit_txn, v, &v->e))
            return v->e.cause;
    return NULL;
}

static void a_pool_is_bounded(void **state)
{
    struct db *db = open_pool(POOL, 0);
    struct visitor v[CROWD];
    struct db_stats s;
    uint32_t most = 0;

    (void)state;
    memset(v, 0, sizeof(v));
    for (int i = 0; i < CROWD; i++)
        v[i].db = db;
    in_threads(visitor, v, sizeof(v[0]), CROWD);
    for (int i = 0; i < CROWD; i++)
        most = v[i].most > most ? v[i].most : most;
    check(most <= POOL);
    check(most >= 1);
    db_stats(db, &s);
    check(s.open <= POOL);
    check_int(s.in_use, 0);
    check_int(s.waiting, 0);
    check(s.connects <= POOL);
    db_close(db);
}

/* With the only connection in use, three come one after another; who gives it back wants it again
 * at once. It is served last. */
#define QUEUE 3
struct turn {
    struct db *db;
    struct mutex *m;
    int *served;
    int place; /* as it was served */
    pthread_t thread;
    struct error e;
};
struct queue {
    struct db *db;
    struct turn *turns;
    bool is_queued;
};

static bool turn_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct turn *t = ctx;

    (void)cols;
    (void)n;
    (void)err;
    mutex_lock(t->m);
    t->place = (*t->served)++;
    mutex_unlock(t->m);
    return true;
}

static void *take_turn(void *ctx)
{
    struct turn *t = ctx;

    return db_query(t->db, "t_value_count", NULL, 0, 20 * US_PER_S, turn_row, t, &t->e) ? NULL : t;
}

static bool queue_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct timespec pause = {0, 1000 * 1000};
    const int64_t limit = clock_mono_us() + 10 * US_PER_S;
    struct queue *q = ctx;
    struct db_stats s = {0};

    (void)t;
    (void)err;
    for (uint32_t i = 0; i < QUEUE; i++) {
        if (pthread_create(&q->turns[i].thread, NULL, take_turn, &q->turns[i]) != 0)
            return error_set(err, ERR_MEMORY, NULL, "no thread");
        for (db_stats(q->db, &s); s.waiting <= i && clock_mono_us() < limit; db_stats(q->db, &s))
            nanosleep(&pause, NULL);
    }
    q->is_queued = s.waiting == QUEUE;
    return true;
}

static void a_pool_is_fair(void **state)
{
    struct db *db = open_pool(1, 20 * US_PER_S);
    struct turn t[QUEUE + 1];
    struct queue q = {.db = db, .turns = t};
    struct mutex m;
    struct error e;
    int served = 0;

    (void)state;
    mutex_init(&m);
    memset(t, 0, sizeof(t));
    for (int i = 0; i <= QUEUE; i++)
        t[i] = (struct turn){.db = db, .m = &m, .served = &served, .place = -1};
    const bool ok = db_txn(db, 20 * US_PER_S, queue_txn, &q, &e);
    void *failed = take_turn(&t[QUEUE]);
    for (int i = 0; i < QUEUE; i++) {
        void *one = NULL;
        pthread_join(t[i].thread, &one);
        failed = one ? one : failed;
    }
    check(ok && !failed);
    check(q.is_queued);
    for (int i = 0; i <= QUEUE; i++)
        check_int(t[i].place, i);
    mutex_destroy(&m);
    db_close(db);
}

/* Each is in the middle of a result until all of them are. */
#define TOGETHER 4
struct meeting {
    struct mutex *m;
    struct cond *met;
    int *arrived;
    struct error e;
};

static bool meet_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct meeting *x = ctx;
    const int64_t limit = clock_mono_us() + 10 * US_PER_S;
    bool is_late = false;

    (void)cols;
    (void)n;
    mutex_lock(x->m);
    ++*x->arrived;
    cond_broadcast(x->met);
    while (*x->arrived < TOGETHER && !is_late)
        is_late = !cond_wait_until(x->met, x->m, limit);
    mutex_unlock(x->m);
    return !is_late || error_set(err, ERR_TIMEOUT, NULL, "the others did not come");
}

static void *meet(void *ctx)
{
    struct meeting *x = ctx;

    return db_query(suite_db, "t_value_count", NULL, 0, 20 * US_PER_S, meet_row, x, &x->e)
               ? NULL
               : x->e.cause;
}

static void connections_work_side_by_side(void **state)
{
    struct meeting x[TOGETHER];
    struct mutex m;
    struct cond met;
    int arrived = 0;

    (void)state;
    mutex_init(&m);
    cond_init(&met);
    for (int i = 0; i < TOGETHER; i++)
        x[i] = (struct meeting){.m = &m, .met = &met, .arrived = &arrived};
    in_threads(meet, x, sizeof(x[0]), TOGETHER);
    check_int(arrived, TOGETHER);
    cond_destroy(&met);
    mutex_destroy(&m);
}

static const struct rule rules[] = {
    RULE_IN(a_row_that_is_held_loses_no_update, clear_all, NULL),
    RULE_IN(a_conditional_update_loses_no_update, clear_all, NULL),
    RULE_IN(of_two_writers_on_one_key_one_wins, clear_all, NULL),
    RULE_IN(readers_never_see_half_a_transaction, clear_all, NULL),
    RULE_IN(a_lock_is_waited_for_until_the_deadline, clear_all, NULL),
    RULE_IN(a_deadlock_is_resolved_and_run_again, clear_all, NULL),
    RULE_IN(a_pool_is_bounded, clear_all, NULL),
    RULE_IN(a_pool_is_fair, clear_all, NULL),
    RULE_IN(connections_work_side_by_side, clear_all, NULL),
};
const struct rules parallel_rules = {"parallel", rules, RULES_N(rules), open_all, close_all};
