/* test_txn.c: transactions, deadlines and the pool. */
#include "suite.h"

struct plan {
    int runs;
    enum error_code fail_code; /* of the callback, at the end */
    bool swallow;              /* an error of a statement */
    bool swallowed;            /* and the calls after it gave it again */
    int retry_times;
};

static bool plan_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_null(), value_null()};
    struct plan *p = ctx;

    p->runs++;
    if (!called(txn_exec(t, "t_value_insert", v, 4, NULL, err)))
        return false;
    if (p->swallow) {
        struct error own;
        const struct value w[] = {value_i64(2), value_i64(1), value_null(), value_null()};
        p->swallowed = !txn_exec(t, "t_value_insert", v, 4, NULL, &own) &&
                       own.code == ERR_DUPLICATE &&
                       !txn_exec(t, "t_value_insert", w, 4, NULL, &own) && /* it is over */
                       own.code == ERR_DUPLICATE;
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
    check_refused(db_txn(suite_db, 0, plan_txn, &no, &e), ERR_UNAVAILABLE);
    check_int(no.runs, 1);
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 0);
    check_done(db_txn(suite_db, 0, plan_txn, &yes, &e));
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 1);
}

static void a_swallowed_error_does_not_commit(void **state)
{
    struct plan p = {.swallow = true};
    struct error e;

    (void)state;
    check_refused(db_txn(suite_db, 0, plan_txn, &p, &e), ERR_DUPLICATE);
    check(p.swallowed);
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 0);
}

static void a_transaction_that_lost_runs_again_whole(void **state)
{
    struct plan p = {.retry_times = 3};
    struct error e;

    (void)state;
    check_done(db_txn(suite_db, 0, plan_txn, &p, &e));
    check_int(p.runs, 4);
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 1);
}

static void retries_end_at_the_deadline(void **state)
{
    struct plan p = {.retry_times = 1000000};
    const int64_t start = clock_mono_us();
    struct error e;

    (void)state;
    check_refused(db_txn(suite_db, 400 * US_PER_MS, plan_txn, &p, &e), ERR_RETRY);
    check(clock_mono_us() - start < 2 * US_PER_S);
    check(p.runs > 2);
}

/* With the only connection in use by this transaction, another use of the pool must give up. */
struct greedy {
    struct db *db;
    struct db_stats stats;
    struct error e;
    bool ok;
    int64_t took_us;
};

static bool greedy_txn(struct txn *t, void *ctx, struct error *err)
{
    const int64_t start = clock_mono_us();
    struct greedy *g = ctx;
    int64_t n;

    (void)t;
    (void)err;
    db_stats(g->db, &g->stats);
    g->ok = db_query(g->db, "t_value_count", NULL, 0, 200 * US_PER_MS, i64_row, &n, &g->e);
    g->took_us = clock_mono_us() - start;
    return true;
}

static void a_full_pool_says_so_at_its_deadline(void **state)
{
    struct greedy g = {.ok = true};
    struct db_config cfg;
    struct error e;

    (void)state;
    engine_config(&cfg);
    cfg.pool_max = 1;
    cfg.checkout_timeout_us = 50 * US_PER_MS;
    check_done(db_open(&cfg, &g.db, &e));
    check_done(db_txn(g.db, 0, greedy_txn, &g, &e));
    check_int(g.stats.open, 1);
    check_int(g.stats.in_use, 1);
    check(!g.ok);
    check_code(&g.e, ERR_UNAVAILABLE);
    check(g.took_us < 5 * US_PER_S);
    db_close(g.db);
}

static void a_statement_ends_at_its_deadline(void **state)
{
    int64_t n;
    const int64_t start = clock_mono_us();
    struct error e;

    (void)state;
    check(!db_query(suite_db, "t_slow", NULL, 0, 600 * US_PER_MS, i64_row, &n, &e));
    check(e.code == ERR_TIMEOUT || e.code == ERR_CONNECTION);
    check(clock_mono_us() - start < 4 * US_PER_S);
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 0); /* the pool still serves */
}

/* The session's own limit, which holds when this process is stopped, too. */
static void a_statement_ends_at_the_sessions_limit(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;
    int64_t n;

    (void)state;
    engine_config(&cfg);
    cfg.statement_timeout_us = US_PER_S;
    check_done(db_open(&cfg, &db, &e));
    check_refused(db_query(db, "t_slow", NULL, 0, 0, i64_row, &n, &e), ERR_TIMEOUT);
    db_close(db);
}

/* ---- many rows ---- */

static void any_number_of_rows_goes_in(void **state)
{
    static const size_t counts[] = {1, 2, 3, 7, 64, 100, 1023, 2500};
    int64_t ts = 1, total = 0;
    struct error e;

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct value *v = log_rows(counts[i], ts);
        struct many m = {v, counts[i]};
        check_done(db_txn(suite_db, 30 * US_PER_S, many_txn, &m, &e));
        free(v);
        ts += (int64_t)counts[i];
        total += (int64_t)counts[i];
        check_int(query_i64(suite_db, "t_log_count", NULL, 0), total);
    }
}

/* Whatever row is the bad one. */
static void one_bad_row_leaves_none(void **state)
{
    static const size_t bad[] = {1, 50, 98, 99};
    struct error e;

    (void)state;
    for (size_t i = 0; i < RULES_N(bad); i++) {
        struct value *v = log_rows(100, 1);
        struct many m = {v, 100};
        v[4 * bad[i]] = value_i64((int64_t)bad[i]); /* the ts of the row before it */
        check_refused(db_txn(suite_db, 0, many_txn, &m, &e), ERR_DUPLICATE);
        check_int(query_i64(suite_db, "t_log_count", NULL, 0), 0);
        free(v);
    }
}

static const struct rule rules[] = {
    RULE_IN(a_transaction_is_all_or_nothing, clear_all, NULL),
    RULE_IN(a_swallowed_error_does_not_commit, clear_all, NULL),
    RULE_IN(a_transaction_that_lost_runs_again_whole, clear_all, NULL),
    RULE_IN(retries_end_at_the_deadline, clear_all, NULL),
    RULE_IN(a_full_pool_says_so_at_its_deadline, clear_all, NULL),
    RULE_IN(a_statement_ends_at_its_deadline, clear_all, NULL),
    RULE(a_statement_ends_at_the_sessions_limit),
    RULE_IN(any_number_of_rows_goes_in, clear_all, NULL),
    RULE_IN(one_bad_row_leaves_none, clear_all, NULL),
};
const struct rules txn_rules = {"transactions", rules, RULES_N(rules), open_all, close_all};
