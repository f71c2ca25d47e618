/* test_errors.c: every error class that an open database can give, provoked on each engine, with
 * what the layer makes of it: a new connection, another run, or a line that says what to do. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "storage/lease.h"
#include "storage/migrate.h"
#include "suite.h"

/* A database of its own, migrated, with one connection. */
static struct db *open_own(const char *name, struct db_config *cfg)
{
    struct error e;
    struct db *db = NULL;

    engine_elsewhere(cfg, name);
    cfg->pool_max = 1;
    check_done(db_open(cfg, &db, &e));
    check_done(db_migrate(db, NULL, &e));
    check_done(db_exec(db, "t_value_clear", NULL, 0, 0, NULL, &e));
    return db;
}

/* The error is about the database itself: the line says which one, and what to do. */
static void check_line(const struct db *db, const struct error *e)
{
    char line[700];

    error_format(e, line, sizeof(line));
    print_message("  %s\n", line);
    check_says(line, db_describe(db));
    check(e->advice[0] != '\0');
    check(!strchr(line, '\n'));
}

static bool insert_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(1), value_null(), value_null(),
                              value_bytes(*(struct bytes *)ctx)};

    return called(txn_exec(t, "t_value_insert", v, 4, NULL, err));
}

/* ---- read-only ---- */

static bool read_only_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(1), value_null(), value_null(), value_null()};

    (void)ctx;
    if (engine_dialect() == DIALECT_POSTGRES &&
        !txn_query(t, "t_read_only", NULL, 0, any_row, NULL, err))
        return false;
    if (engine_dialect() == DIALECT_SQLITE && !txn_exec(t, "t_read_only", NULL, 0, NULL, err))
        return false;
    return txn_exec(t, "t_value_insert", v, 4, NULL, err);
}

static void a_read_only_answer_empties_the_pool(void **state)
{
    struct db_config cfg;
    struct db *db = open_own("ro", &cfg);
    struct db_stats before, after;
    struct error e;

    (void)state;
    db_stats(db, &before);
    engine_fault("before 16000 match=INSERT INTO t_value");
    check_refused(db_txn(db, 0, read_only_txn, NULL, &e), ERR_READ_ONLY);
    check_line(db, &e);
    db_stats(db, &after);
    check(after.lost > before.lost);
    check_int(after.open, 0);
    insert_value(db, 1, 1); /* a new connection may write */
    db_close(db);
}

static void a_poisoned_pool_connects_again(void **state)
{
    struct db_config cfg;
    struct db *db = open_own("poison", &cfg);
    struct db_stats before, after;

    (void)state;
    db_stats(db, &before);
    check_int(before.open, 1);
    check((db_poison(db), true));
    db_stats(db, &after);
    check_int(after.open, 0);
    insert_value(db, 1, 1);
    db_stats(db, &after);
    check_int(after.connects, before.connects + 1);
    db_close(db);
}

/* ---- full ---- */

static void a_full_disk_is_named(void **state)
{
    static const uint8_t page[4096] = {1};
    struct db_config cfg;
    struct db *db = open_own("full", &cfg);
    const struct value state_53100[] = {value_text("53100")};
    struct error e;
    int64_t id = 1;

    (void)state;
    if (engine_dialect() == DIALECT_POSTGRES) {
        insert_value(db, id++, 1);
        check_refused(db_query(db, "t_raise", state_53100, 1, 0, any_row, NULL, &e), ERR_FULL);
    } else if (engine_dialect() == DIALECT_SQLITE) {
        check_done(db_query(db, "t_full", NULL, 0, 0, any_row, NULL, &e));
    } else {
        insert_value(db, id++, 1);
        engine_fault("before 1653 match=INSERT INTO t_value");
    }
    for (; engine_dialect() != DIALECT_POSTGRES; id++) {
        const struct value v[] = {value_i64(id), value_null(), value_null(),
                                  value_bytes(bytes_of(page, sizeof(page)))};
        if (!db_exec(db, "t_value_insert", v, 4, 0, NULL, &e))
            break;
        check(id < 1000);
    }
    check_code(&e, ERR_FULL);
    check_line(db, &e);
    check_int(query_i64(db, "t_value_count", NULL, 0), id - 1);
    db_close(db);
}

/* ---- a disk that fails ---- */

/* Until limit_end no file of this process grows beyond its size and room. */
static struct rlimit limit_before;

static void limit_start(const char *file, const char *suffix, rlim_t room)
{
    struct rlimit now;
    struct stat st;
    char path[600];

    snprintf(path, sizeof(path), "%s%s", file, suffix);
    check_int(stat(path, &st), 0);
    check_int(getrlimit(RLIMIT_FSIZE, &limit_before), 0);
    now = limit_before;
    now.rlim_cur = (rlim_t)st.st_size + room;
    signal(SIGXFSZ, SIG_IGN);
    check_int(setrlimit(RLIMIT_FSIZE, &now), 0);
}

static void limit_end(void)
{
    setrlimit(RLIMIT_FSIZE, &limit_before);
    signal(SIGXFSZ, SIG_DFL);
}

#define ROOM ((rlim_t)256 << 10)

static void a_disk_that_fails_is_named(void **state)
{
    const size_t len = 1 << 20;
    uint8_t *big = calloc(1, len);
    const struct value v[] = {value_i64(1), value_null(), value_null(),
                              value_bytes(bytes_of(big, len))};
    const struct value state_58030[] = {value_text("58030")};
    struct db_config cfg;
    struct db *db = open_own("disk", &cfg);
    struct error e;
    bool ok = true;

    (void)state;
    if (engine_dialect() == DIALECT_SQLITE) {
        limit_start(cfg.file, "-wal", ROOM);
        ok = db_exec(db, "t_value_insert", v, 4, 0, NULL, &e);
        limit_end();
    } else if (engine_dialect() == DIALECT_POSTGRES) {
        ok = db_query(db, "t_raise", state_58030, 1, 0, any_row, NULL, &e);
    } else {
        engine_fault("before 1114 match=INSERT INTO t_value");
        ok = db_exec(db, "t_value_insert", v, 4, 0, NULL, &e);
    }
    check(!ok);
    check_code(&e, ERR_IO);
    check_line(db, &e);
    check_int(query_i64(db, "t_value_count", NULL, 0), 0);
    db_close(db);
    free(big);
}

/* ---- what was lost on its way ---- */

static void a_commit_without_an_answer_is_an_unknown_outcome(void **state)
{
    const size_t len = 1 << 20;
    uint8_t *big = calloc(1, len);
    struct bytes payload = bytes_of(big, engine_dialect() == DIALECT_SQLITE ? len : 1);
    const struct value one[] = {value_i64(1)};
    struct db_config cfg;
    struct db *db = open_own("lost", &cfg);
    struct db_stats before, after;
    struct error e;
    bool ok = true;

    (void)state;
    db_stats(db, &before);
    if (engine_dialect() == DIALECT_SQLITE) { /* the disk fails in COMMIT */
        limit_start(cfg.file, "-wal", ROOM);
        ok = db_txn(db, 0, insert_txn, &payload, &e);
        limit_end();
    } else if (engine_dialect() == DIALECT_POSTGRES) { /* a write that ends its own session */
        insert_value(db, 1, 1);
        ok = db_exec(db, "t_die", one, 1, 0, NULL, &e);
    } else {
        engine_fault("after 3113 match=COMMIT");
        ok = db_txn(db, 0, insert_txn, &payload, &e);
    }
    check(!ok);
    check_code(&e, ERR_UNKNOWN_OUTCOME);
    db_stats(db, &after);
    /* read back by key, on another connection */
    const int64_t n = query_i64(db, "t_value_count", NULL, 0);
    check_int(n, engine_dialect() != DIALECT_SQLITE);
    db_stats(db, &after);
    check_int(after.connects, before.connects + 1);
    db_close(db);
    free(big);
}

struct dying {
    struct db *killer;
    int runs, lost;
    struct error e;
};

/* Its connection goes in the middle of the first run. */
static bool dying_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(42), value_null(), value_null(), value_null()};
    struct dying *d = ctx;

    if (!txn_exec(t, "t_value_insert", v, 4, NULL, err))
        return false;
    if (d->runs++ == 0 && engine_dialect() == DIALECT_POSTGRES &&
        !db_query(d->killer, "t_kill_others", NULL, 0, 0, any_row, NULL, &d->e))
        return false;
    const bool ok = txn_exec(t, "t_value_update", v, 2, NULL, err);
    d->lost += !ok && err->code == ERR_CONNECTION;
    return ok;
}

static void a_transaction_survives_its_connection(void **state)
{
    struct db_config cfg;
    struct db *db = open_own("dying", &cfg), *killer = engine_open();
    struct dying d = {.killer = killer};
    struct error e;

    (void)state;
    engine_fault("before 3113 match=UPDATE t_value SET i");
    check_done(db_txn(db, 0, dying_txn, &d, &e));
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("no connection that could be lost");
        suite_code_instead(ERR_CONNECTION, "no connection that could be lost");
        check_int(d.runs, 1);
    } else {
        check_int(d.runs, 2);
        check_int(d.lost, 1);
        suite_code(ERR_CONNECTION);
    }
    check_int(query_i64(db, "t_value_count", NULL, 0), 1);
    db_close(db);
    db_close(killer);
}

static void a_question_is_asked_again_on_a_new_connection(void **state)
{
    struct db_config cfg;
    struct db *db = open_own("again", &cfg), *killer = engine_open();
    struct db_stats before, after;
    struct error e;

    (void)state;
    insert_value(db, 1, 1);
    db_stats(db, &before);
    if (engine_dialect() == DIALECT_POSTGRES)
        check_done(db_query(killer, "t_kill_others", NULL, 0, 0, any_row, NULL, &e));
    engine_fault("before 3113 match=FROM t_value");
    check_int(query_i64(db, "t_value_count", NULL, 0), 1);
    db_stats(db, &after);
    if (engine_dialect() == DIALECT_SQLITE)
        suite_instead("no connection that could be lost");
    else
        check_int(after.connects, before.connects + 1);
    db_close(db);
    db_close(killer);
}

/* ---- lost against others ---- */

static bool raise_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value serialization[] = {value_text("40001")};
    const struct value v[] = {value_i64(1), value_null(), value_null(), value_null()};
    int *runs = ctx;

    if (++*runs == 1 && engine_dialect() == DIALECT_POSTGRES)
        return txn_query(t, "t_raise", serialization, 1, any_row, NULL, err);
    return txn_exec(t, "t_value_insert", v, 4, NULL, err);
}

static void a_transaction_that_the_server_undid_runs_again(void **state)
{
    struct db_config cfg;
    struct db *db = open_own("undone", &cfg);
    struct db_stats s;
    struct error e;
    int runs = 0;

    (void)state;
    engine_fault("before 8177 match=INSERT INTO t_value");
    check_done(db_txn(db, 0, raise_txn, &runs, &e));
    check_int(query_i64(db, "t_value_count", NULL, 0), 1);
    db_stats(db, &s);
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("who may write is settled by BEGIN IMMEDIATE: nothing is undone later");
        check_int(runs, 1);
    } else {
        check_int(runs, 2);
        check(s.retries >= 1);
    }
    db_close(db);
}

/* ---- no memory ---- */

static bool never_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)cols;
    (void)n;
    return error_set(err, ERR_INTERNAL, NULL, "a row of nothing");
}

static void no_memory_is_an_error_like_others(void **state)
{
    const struct value start[] = {value_i64(0)}, rest[] = {value_i64(1)};
    struct db_config cfg;
    struct lease *l = NULL;
    struct cursor *c = NULL;
    struct db *db = NULL;
    struct error e;
    bool ok;

    (void)state;
    engine_config(&cfg);
    trace_fail_memory(0);
    ok = db_open(&cfg, &db, &e);
    trace_fail_memory(-1);
    check(!ok);
    check_code(&e, ERR_MEMORY);
    check_done(db_open(&cfg, &db, &e));
    trace_fail_memory(0);
    ok = lease_open(db, "memory", 0, 0, &l, &e);
    trace_fail_memory(-1);
    check(!ok);
    check_code(&e, ERR_MEMORY);
    trace_fail_memory(0);
    ok = cursor_open(db, "t_log_page", start, 1, rest, 1, 10, &c, &e);
    trace_fail_memory(-1);
    check(!ok);
    check_code(&e, ERR_MEMORY);
    check_done(db_query(db, "t_value_read", rest, 1, 0, never_row, NULL, &e));
    db_close(db);
}

static const struct rule rules[] = {
    RULE(a_read_only_answer_empties_the_pool),
    RULE(a_poisoned_pool_connects_again),
    RULE(a_full_disk_is_named),
    RULE(a_disk_that_fails_is_named),
    RULE(a_commit_without_an_answer_is_an_unknown_outcome),
    RULE(a_transaction_survives_its_connection),
    RULE(a_question_is_asked_again_on_a_new_connection),
    RULE(a_transaction_that_the_server_undid_runs_again),
    RULE(no_memory_is_an_error_like_others),
};
const struct rules error_rules = {"errors", rules, RULES_N(rules), NULL, NULL};
