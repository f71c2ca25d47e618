/* What only the Oracle dialect does, through t/fakeora: arrays and their replay, digits, the block
 * of a fenced write and its lost answers, several texts for one act, sessions. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine.h"
#include "storage/lease.h"
#include "storage/migrate.h"

static struct db *db;
static const uint8_t holder[HOLDER_LEN] = {1, 2, 3};
static const uint8_t other[HOLDER_LEN] = {4, 5, 6};

/* An order to the driver, see t/fakeora/README. */
static void fault(const char *order)
{
    const int fd = open(getenv("FAKEORA_FAULTS"), O_WRONLY | O_APPEND | O_CLOEXEC);
    char line[200];

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    const int n = snprintf(line, sizeof(line), "%s\n", order);
    assert_int_equal(write(fd, line, (size_t)n), n);
    close(fd);
}

static void exec(const char *stmt, const struct value *v, size_t n)
{
    struct error e;

    assert_done(db_exec(db, stmt, v, n, 0, NULL, &e));
}

static int setup(void **state)
{
    const struct value node[] = {value_i64(1), value_i64(5),
                                 value_bytes(bytes_of(holder, HOLDER_LEN))};

    (void)state;
    exec("t_log_clear", NULL, 0);
    exec("t_value_clear", NULL, 0);
    exec("t_node_clear", NULL, 0);
    exec("t_node_create", node, 3);
    return 0;
}

static uint64_t retries(void)
{
    struct db_stats s;

    db_stats(db, &s);
    return s.retries;
}

/* ---- rows ---- */

#define ROWS 300
#define COLS 4
static uint8_t payload[9000];

/* ts, kind, name, payload; every 50th payload is longer than an array takes. */
static struct value *log_rows(size_t n, int64_t first_ts)
{
    struct value *v = calloc(n * COLS, sizeof(*v));

    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        v[i * COLS] = value_i64(first_ts + (int64_t)i);
        v[i * COLS + 1] = value_i64(1);
        v[i * COLS + 2] = i % 3 ? value_text("n\xc3\xa4me") : value_null();
        v[i * COLS + 3] = value_bytes(bytes_of(payload, i % 50 == 49 ? sizeof(payload) : i));
    }
    return v;
}

struct insert {
    const struct value *v;
    size_t n;
    int runs;
};

static bool insert_txn(struct txn *t, void *ctx, struct error *err)
{
    struct insert *i = ctx;

    i->runs++;
    return txn_insert_many(t, "t_log_many", NULL, 0, i->v, i->n, err);
}

struct read {
    const struct value *v;
    size_t n;
};

static bool log_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct read *r = ctx;
    const struct value *v = r->v + r->n++ * COLS;

    (void)err;
    assert_int_equal(n, 3);
    assert_true(cols[0].i64 == v[0].i64);
    assert_true(bytes_equal(cols[1].bytes, v[2].bytes));
    assert_true(bytes_equal(cols[2].bytes, v[3].bytes));
    return true;
}

static void rows_of_any_length_go_in_and_come_back(void **state)
{
    struct value *v = log_rows(ROWS, INT64_MAX - ROWS);
    const struct value all[] = {value_i64(INT64_MIN), value_i64(1), value_i64(1000)};
    struct insert i = {v, ROWS, 0};
    struct read r = {v, 0};
    struct error e;

    (void)state;
    assert_done(db_txn(db, 0, insert_txn, &i, &e));
    assert_int_equal(i.runs, 1);
    assert_done(db_query(db, "t_log_page", all, 3, 0, log_row, &r, &e));
    assert_int_equal(r.n, ROWS);
    free(v);
}

/* Why an array failed the driver does not always say: then row by row, once. */
static void an_array_that_fails_is_replayed_row_by_row(void **state)
{
    struct value *v = log_rows(20, 1);
    struct insert i = {v, 20, 0};
    struct error e;

    (void)state;
    v[7 * COLS + 1] = value_null(); /* kind: NOT NULL */
    assert_false(db_txn(db, 0, insert_txn, &i, &e));
    assert_code(&e, ERR_DATABASE);
    assert_non_null(strstr(e.cause, "ORA-01400"));
    assert_int_equal(i.runs, 2);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 0);
    v[7 * COLS + 1] = value_i64(1);
    fault("before 600 match=INSERT INTO t_log"); /* gone when it is tried again */
    i.runs = 0;
    assert_done(db_txn(db, 0, insert_txn, &i, &e));
    assert_int_equal(i.runs, 2);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 20);
    i.runs = 0;
    assert_false(db_txn(db, 0, insert_txn, &i, &e)); /* this one says why */
    assert_code(&e, ERR_DUPLICATE);
    assert_int_equal(i.runs, 1);
    free(v);
}

/* ---- the fence ---- */

static bool fenced(int64_t watermark, const uint8_t *who, const struct value *rows, size_t n,
                   struct error *err)
{
    const struct value v[] = {value_i64(watermark), value_i64(1), value_i64(5),
                              value_bytes(bytes_of(who, HOLDER_LEN))};

    return db_fenced(db, "t_log_fenced", v, 4, rows, n, 0, NULL, err);
}

static bool read_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[1].i64;
    return true;
}

static int64_t watermark(void)
{
    const struct value v[] = {value_i64(1)};
    struct error e;
    int64_t w = -1;

    assert_done(db_query(db, "t_node_read", v, 1, 0, read_row, &w, &e));
    return w;
}

static void a_refused_write_leaves_nothing_behind(void **state)
{
    struct value *v = log_rows(60, 1);
    struct error e;

    (void)state;
    assert_false(fenced(7, other, v, 60, &e));
    assert_code(&e, ERR_FENCED);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 0);
    assert_int_equal(watermark(), 0);
    assert_done(fenced(7, holder, v, 60, &e)); /* on the same connection */
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 60);
    assert_int_equal(watermark(), 7);
    free(v);
}

/* Whatever was written was written with the fence; a write that did not reach it is tried again. */
static void a_lost_answer_is_an_unknown_outcome_of_the_block_only(void **state)
{
    static const struct {
        const char *order;
        bool is_unknown;
        int64_t rows;
    } cases[] = {
        {"before 3113 match=INSERT INTO t_log", false, 3},
        {"after 3113 match=INSERT INTO t_log", false, 3},
        {"before 3113 match=BEGIN UPDATE t_node", true, 0},
        {"after 3113 match=BEGIN UPDATE t_node", true, 3},
        {"after 25408 match=BEGIN UPDATE t_node", true, 3},
        {"after 12170 match=BEGIN UPDATE t_node", true, 3},
        {"before 60 match=BEGIN UPDATE t_node", false, 3},
        {"before 8177 match=BEGIN UPDATE t_node", false, 3},
        {"before 54 match=INSERT INTO t_log", false, 3},
    };
    struct value *v = log_rows(3, 1);
    struct error e;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup(state);
        const uint64_t before = retries();
        fault(cases[i].order);
        e.code = ERR_NONE;
        const bool ok = fenced(9, holder, v, 3, &e);
        print_message("  %s: %s\n", cases[i].order, ok ? "written" : error_id(e.code));
        assert_int_equal(ok, !cases[i].is_unknown);
        if (!ok)
            assert_code(&e, ERR_UNKNOWN_OUTCOME);
        assert_int_equal(retries() > before, !cases[i].is_unknown);
        assert_int_equal(query_i64(db, "t_log_count", NULL, 0), cases[i].rows);
        assert_int_equal(watermark(), cases[i].rows > 0 ? 9 : 0);
    }
    free(v);
}

static void a_lost_commit_is_an_unknown_outcome(void **state)
{
    struct value *v = log_rows(2, 1);
    struct insert i = {v, 2, 0};
    struct error e;

    (void)state;
    fault("after 3113 match=COMMIT");
    assert_false(db_txn(db, 0, insert_txn, &i, &e));
    assert_code(&e, ERR_UNKNOWN_OUTCOME);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 2);
    exec("t_log_clear", NULL, 0);
    fault("before 3113 match=COMMIT");
    assert_false(db_txn(db, 0, insert_txn, &i, &e));
    assert_code(&e, ERR_UNKNOWN_OUTCOME);
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 0);
    fault("before 3113 match=INSERT INTO t_log"); /* before COMMIT there is no doubt */
    assert_done(db_txn(db, 0, insert_txn, &i, &e));
    assert_int_equal(query_i64(db, "t_log_count", NULL, 0), 2);
    free(v);
}

/* Behind a transaction and behind a block a single statement is committed by itself again. */
static void single_statements_commit_by_themselves(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_null(), value_null()};
    struct value *rows = log_rows(2, 1);
    struct insert i = {rows, 1, 0};
    struct db_config cfg;
    struct db *second;
    struct error e;

    (void)state;
    engine_config(&cfg);
    assert_done(db_open(&cfg, &second, &e));
    assert_done(db_txn(db, 0, insert_txn, &i, &e));
    assert_done(fenced(3, holder, rows + COLS, 1, &e));
    exec("t_value_insert", v, 4);
    exec("t_value_update", v, 2);
    assert_int_equal(query_i64(second, "t_value_count", NULL, 0), 1);
    assert_int_equal(query_i64(second, "t_log_count", NULL, 0), 2);
    db_close(second);
    free(rows);
}

/* ---- several texts ---- */

static int64_t ack(int64_t member, int64_t ts)
{
    const struct value v[] = {value_i64(member), value_i64(ts)};
    struct error e;
    int64_t affected = -1;

    assert_done(db_exec(db, "sequencer_ack", v, 2, 0, &affected, &e));
    return affected;
}

static void the_first_text_that_changes_a_row_is_the_last(void **state)
{
    static int64_t member = 1;

    (void)state;
    member += (int64_t)getpid();
    assert_int_equal(ack(member, 10), 1);
    assert_int_equal(ack(member, 9), 0);
    assert_int_equal(ack(member, 11), 1);
    fault("before 1 match=INSERT INTO ls_ack"); /* somebody was between the two texts */
    assert_int_equal(ack(member + 1, 5), 1);
    assert_int_equal(ack(member + 1, 5), 0);
}

static void all_texts_of_an_act_or_none(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_text("x"),
                              value_bytes(bytes_of(payload, sizeof(payload)))};
    struct error e;

    (void)state;
    fault("before 1653 match=UPDATE t_value SET b");
    assert_false(db_exec(db, "t_value_insert", v, 4, 0, NULL, &e));
    assert_code(&e, ERR_FULL);
    assert_non_null(strstr(e.advice, "tablespace"));
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 0);
    assert_done(db_exec(db, "t_value_insert", v, 4, 0, NULL, &e));
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 1);
}

/* ---- the outbox, by way of its stage ---- */

#define OUTBOX_COLS 12

static void outbox_row(struct value *v, int64_t kind, int64_t id, int64_t state, const char *names,
                       size_t len)
{
    const struct value row[OUTBOX_COLS] = {
        value_i64(kind), value_i64(id),     value_i64(0),      value_i64(state),
        value_i64(1),    value_i64(id + 1), value_i64(id + 2), value_i64(0),
        value_null(),    value_text(names), value_null(),      value_bytes(bytes_of(payload, len))};

    memcpy(v, row, sizeof(row));
}

static bool outbox_write(const uint8_t *who, const struct value *rows, size_t n, struct error *e)
{
    const struct value v[] = {value_i64(0), value_i64(7), value_i64(8),
                              value_bytes(bytes_of(who, HOLDER_LEN)), value_null()};

    return db_fenced(db, "mediator_write", v, 5, rows, n, 0, NULL, e);
}

struct verdicts {
    const char *names;
    int64_t states[2];
    size_t n;
};

static bool verdict_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct verdicts *x = ctx;

    (void)n;
    (void)err;
    assert_true(x->n < 2);
    x->states[x->n] = cols[2].i64;
    assert_string_equal(value_cstr(&cols[7]), x->n == 0 ? x->names : "");
    assert_int_equal(cols[8].bytes.len, x->n == 0 ? sizeof(payload) : 10);
    x->n++;
    return true;
}

/* Names and content of one verdict may both be too long for one text; states only rise; whoever is
 * not the holder writes nothing. */
static void a_verdict_of_any_length_goes_by_its_stage(void **state)
{
    const struct value lease[] = {value_text("mediator"),
                                  value_bytes(bytes_of(holder, HOLDER_LEN))};
    const struct value page[] = {value_i64(0), value_i64(0), value_i64(10)};
    struct value rows[3 * OUTBOX_COLS];
    char names[6001];
    struct verdicts x;
    struct error e;

    (void)state;
    memset(names, 'n', sizeof(names) - 1);
    names[sizeof(names) - 1] = '\0';
    exec("lease_create", lease, 2);
    outbox_row(rows, 1, 1, 0, NULL, sizeof(payload)); /* a topology broadcast */
    outbox_row(rows + OUTBOX_COLS, 2, 2, 1, names, sizeof(payload));
    outbox_row(rows + 2 * OUTBOX_COLS, 2, 3, 0, NULL, 10);
    assert_false(outbox_write(other, rows, 3, &e));
    assert_code(&e, ERR_FENCED);
    for (int64_t i = 0; i < 3;
         i++) { /* written; again; again with a state that rises and one that falls */
        memset(&x, 0, sizeof(x));
        x.names = names;
        if (i == 2) {
            outbox_row(rows + OUTBOX_COLS, 3, 2, 0, NULL, 0);
            outbox_row(rows + 2 * OUTBOX_COLS, 3, 3, 2, NULL, 0);
        }
        assert_done(outbox_write(holder, rows, 3, &e));
        assert_done(db_query(db, "mediator_verdict_page", page, 3, 0, verdict_row, &x, &e));
        assert_int_equal(x.n, 2);
        assert_int_equal(x.states[0], 1);
        assert_int_equal(x.states[1], i == 2 ? 2 : 0);
    }
    assert_int_equal(query_i64(db, "t_stage_count", NULL, 0), 0);
}

/* ---- sessions ---- */

static void refused(const struct db_config *cfg, enum error_code code, const char *words)
{
    struct db *it = NULL;
    struct error e;
    char line[900];

    assert_false(db_open(cfg, &it, &e));
    error_format(&e, line, sizeof(line));
    print_message("  %s\n", line);
    assert_code(&e, code);
    assert_non_null(strstr(line, words));
    if (cfg->password)
        assert_null(strstr(line, cfg->password));
}

static void what_is_wrong_is_known_at_the_first_connection(void **state)
{
    struct db_config cfg;

    (void)state;
    engine_config(&cfg);
    cfg.schema = "nobody_has_this";
    refused(&cfg, ERR_CONFIG, "storage.schema names a user that is not there");
    engine_config(&cfg);
    fault("before 1017 match=CONNECT");
    refused(&cfg, ERR_CONFIG, "check storage.user and storage.password");
    fault("before 12514 times=20 match=CONNECT");
    refused(&cfg, ERR_UNAVAILABLE, "the listener runs");
}

static void a_standby_that_is_read_only_empties_the_pool(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_null(), value_null()};
    struct db_stats before, after;
    struct error e;

    (void)state;
    db_stats(db, &before);
    fault("before 16000 match=INSERT INTO t_value");
    assert_false(db_exec(db, "t_value_insert", v, 4, 0, NULL, &e));
    assert_code(&e, ERR_READ_ONLY);
    assert_non_null(strstr(e.advice, "role PRIMARY"));
    db_stats(db, &after);
    assert_true(after.lost > before.lost);
    exec("t_value_insert", v, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_of_any_length_go_in_and_come_back, setup),
        cmocka_unit_test_setup(an_array_that_fails_is_replayed_row_by_row, setup),
        cmocka_unit_test_setup(a_refused_write_leaves_nothing_behind, setup),
        cmocka_unit_test_setup(a_lost_answer_is_an_unknown_outcome_of_the_block_only, setup),
        cmocka_unit_test_setup(a_lost_commit_is_an_unknown_outcome, setup),
        cmocka_unit_test_setup(single_statements_commit_by_themselves, setup),
        cmocka_unit_test_setup(the_first_text_that_changes_a_row_is_the_last, setup),
        cmocka_unit_test_setup(all_texts_of_an_act_or_none, setup),
        cmocka_unit_test_setup(a_verdict_of_any_length_goes_by_its_stage, setup),
        cmocka_unit_test_setup(what_is_wrong_is_known_at_the_first_connection, setup),
        cmocka_unit_test_setup(a_standby_that_is_read_only_empties_the_pool, setup),
    };

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7);
    db = engine_open();
    const int failed = cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
    db_close(db);
    return failed;
}
