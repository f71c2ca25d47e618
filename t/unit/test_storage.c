/* The pure parts of storage: the catalogue, the classifiers, the rule of observation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "storage/catalogue.h"
#include "storage/dialect.h"
#include "storage/lease.h"
#include "storage/secret.h"

/* ---- the catalogue ---- */

static void every_statement_states_its_cost(void **state)
{
    (void)state;
    for (int d = 0; d < DIALECT_N; d++) {
        size_t n;
        const struct statement *s = catalogue_statements((enum dialect)d, &n);
        for (size_t i = 0; i < n; i++) {
            if (!*s[i].purpose || !strstr(s[i].notes, "rows:") || !strstr(s[i].notes, "locks:") ||
                !strstr(s[i].notes, "plan:") || !strstr(s[i].notes, "called:"))
                fail_msg("%s: its header lacks purpose, rows, locks, plan or called", s[i].name);
            assert_ptr_equal(catalogue_find((enum dialect)d, s[i].name), &s[i]);
        }
    }
    assert_null(catalogue_find(DIALECT_SQLITE, "no_such"));
}

static void a_fenced_row_group_drops_its_padding(void **state)
{
    size_t n;
    const struct statement *s = catalogue_statements(DIALECT_POSTGRES, &n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        if (s[i].fenced && s[i].nrow > 0 && !strstr(s[i].steps[0].sql, "IS NOT NULL"))
            fail_msg("%s: WHERE <key> IS NOT NULL is missing: its rows are padded", s[i].name);
}

static void both_dialects_have_the_same_statements(void **state)
{
    size_t n;
    const struct statement *s = catalogue_statements(DIALECT_SQLITE, &n);

    (void)state;
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        const struct statement *p = catalogue_find(DIALECT_POSTGRES, s[i].name);
        if (!p)
            fail_msg("%s: only on sqlite", s[i].name);
        assert_int_equal(p->nparams, s[i].nparams);
        for (size_t k = 0; k < p->nparams; k++)
            if (strcmp(p->params[k].name, s[i].params[k].name) != 0 ||
                p->params[k].kind != s[i].params[k].kind || p->params[k].max != s[i].params[k].max)
                fail_msg("%s: its parameters differ between the dialects", p->name);
    }
}

/* A text goes into a column with a length, or into one without on purpose. */
static void every_text_has_a_limit(void **state)
{
    static const char *const unlimited[] = {"session_setup", "schema_exists", "session_unblock",
                                            "mediator_write"};
    size_t n;
    const struct statement *s = catalogue_statements(DIALECT_POSTGRES, &n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bool is_free = false;
        for (size_t k = 0; k < sizeof(unlimited) / sizeof(unlimited[0]); k++)
            is_free = is_free || strcmp(unlimited[k], s[i].name) == 0;
        for (size_t k = 0; !is_free && k < s[i].nparams; k++)
            if (s[i].params[k].kind == VALUE_TEXT && s[i].params[k].max == 0)
                fail_msg("%s: write how long %s may be, text(64)", s[i].name, s[i].params[k].name);
    }
}

static void rows_are_written_out(void **state)
{
    static const struct column row[] = {{"ts", VALUE_I64, 0}, {"payload", VALUE_BYTES, 0}};
    static const int8_t order[] = {STEP_ROWS};
    static const struct step step = {"INSERT INTO t (ts, payload) VALUES :rows", order, 1, 0};
    const struct statement s = {.name = "t", .row = row, .nrow = 2, .steps = &step, .nsteps = 1};
    struct buffer b = BUFFER_INIT;
    struct error e;

    (void)state;
    assert_true(statement_render(DIALECT_POSTGRES, &s, 0, 2, &b, &e));
    assert_string_equal(buffer_cstr(&b), "INSERT INTO t (ts, payload) VALUES (CAST(? AS BIGINT), "
                                         "CAST(? AS BYTEA)), (?, ?)");
    buffer_clear(&b);
    assert_true(statement_render(DIALECT_SQLITE, &s, 0, 1, &b, &e));
    assert_string_equal(buffer_cstr(&b), "INSERT INTO t (ts, payload) VALUES (?, ?)");
    buffer_free(&b);
}

/* ---- errors ---- */

static const struct {
    enum dialect dialect;
    bool is_connecting;
    struct diag diag;
    enum error_code code;
} cases[] = {
    {DIALECT_POSTGRES, false, {"23505", 1, "ERROR: duplicate key"}, ERR_DUPLICATE},
    {DIALECT_POSTGRES, false, {"40001", 1, "could not serialize"}, ERR_RETRY},
    {DIALECT_POSTGRES, false, {"40P01", 1, "deadlock detected"}, ERR_RETRY},
    {DIALECT_POSTGRES, false, {"55P03", 1, "lock timeout"}, ERR_RETRY},
    {DIALECT_POSTGRES, false, {"57014", 1, "canceling statement"}, ERR_TIMEOUT},
    {DIALECT_POSTGRES, false, {"57P01", 1, "terminating connection"}, ERR_CONNECTION},
    {DIALECT_POSTGRES, false, {"08S01", 35, "communication link failure"}, ERR_CONNECTION},
    {DIALECT_POSTGRES,
     false,
     {"HY000", 35, "server closed the connection unexpectedly"},
     ERR_CONNECTION},
    {DIALECT_POSTGRES, false, {"25006", 1, "cannot execute INSERT"}, ERR_READ_ONLY},
    {DIALECT_POSTGRES, false, {"53100", 1, "could not extend file"}, ERR_FULL},
    {DIALECT_POSTGRES, false, {"42P01", 1, "relation does not exist"}, ERR_SCHEMA},
    {DIALECT_POSTGRES, false, {"22012", 1, "division by zero"}, ERR_DATABASE},
    {DIALECT_POSTGRES,
     true,
     {"08001", 101, "FATAL: password authentication failed for user"},
     ERR_CONFIG},
    {DIALECT_POSTGRES, true, {"08001", 101, "FATAL: no pg_hba.conf entry for host"}, ERR_CONFIG},
    {DIALECT_POSTGRES, true, {"08001", 101, "Connection refused"}, ERR_UNAVAILABLE},
    {DIALECT_POSTGRES, true, {"08001", 101, "the database system is starting up"}, ERR_UNAVAILABLE},
    {DIALECT_POSTGRES, true, {"08001", 101, "session is read-only"}, ERR_READ_ONLY},
    {DIALECT_POSTGRES, true, {"01000", 0, "Can't open lib '/x.so' : file not found"}, ERR_CONFIG},
    {DIALECT_POSTGRES, false, {"", 0, ""}, ERR_DATABASE},
    {DIALECT_SQLITE, false, {"HY000", 19, "UNIQUE constraint failed: t.a (19)"}, ERR_DUPLICATE},
    {DIALECT_SQLITE, false, {"HY000", 19, "NOT NULL constraint failed: t.a (19)"}, ERR_DATABASE},
    {DIALECT_SQLITE, false, {"HY000", 5, "database is locked (5)"}, ERR_RETRY},
    {DIALECT_SQLITE, false, {"HY000", 261, "database is locked (261)"}, ERR_RETRY},
    {DIALECT_SQLITE,
     false,
     {"HY000", 8, "attempt to write a readonly database (8)"},
     ERR_READ_ONLY},
    {DIALECT_SQLITE, false, {"HY000", 10, "disk I/O error (10)"}, ERR_IO},
    {DIALECT_SQLITE, false, {"HY000", 13, "database or disk is full (13)"}, ERR_FULL},
    {DIALECT_SQLITE, false, {"HY000", 26, "file is not a database (26)"}, ERR_CONFIG},
    {DIALECT_SQLITE, true, {"HY000", 14, "connect failed"}, ERR_CONFIG},
    {DIALECT_SQLITE, false, {"HY000", 1, "no such table: ls_lease (1)"}, ERR_SCHEMA},
    {DIALECT_SQLITE, false, {"HY000", 9, "interrupted (9)"}, ERR_TIMEOUT},
    {DIALECT_SQLITE, false, {"HY000", 1, "near \"x\": syntax error (1)"}, ERR_DATABASE},
};

static void diagnoses_say_what_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct dialect_ops *ops = dialect_ops_of(cases[i].dialect);
        const enum error_code code = ops->classify(&cases[i].diag, cases[i].is_connecting);
        if (code != cases[i].code)
            fail_msg("%s/%d %s: %s, expected %s", cases[i].diag.state, cases[i].diag.native,
                     cases[i].diag.text, error_id(code), error_id(cases[i].code));
    }
}

static void secrets_are_braced_and_kept_apart(void **state)
{
    const struct db_config cfg = {.server = "h1,h2", .user = "u", .password = "a;}b"};
    struct buffer secret = BUFFER_INIT, shown = BUFFER_INIT;
    struct secret s;
    struct error e;

    (void)state;
    assert_true(dialect_postgres.keywords(&cfg, &secret, &shown, &e));
    assert_null(strstr(buffer_cstr(&secret), "a;}"));
    assert_null(strstr(buffer_cstr(&shown), "a;}"));
    assert_true(secret_init(&s, &cfg, &e));
    buffer_clear(&shown);
    assert_true(secret_append(&s, 0, &shown, &e));
    assert_string_equal(buffer_cstr(&shown), ";PWD={a;}}b}");
    secret_free(&s);
    buffer_free(&secret);
    buffer_free(&shown);
}

static void a_driver_s_message_shows_no_secret(void **state)
{
    const struct db_config cfg = {.password = "hunter2",
                                  .options = "A=1;pqopt={x=y sslpassword='two words'};Trace=off"};
    char text[200] = "no \"two words\" nor words, hunter2, hunter2; x=y, Trace off, filed, two";
    struct secret s;
    struct error e;

    (void)state;
    assert_true(secret_init(&s, &cfg, &e));
    secret_blank(&s, "DSN=x;PWD={from a file}", text);
    assert_string_equal(text, "no \"*** ***\" nor ***, ***, ***; x=y, Trace off, ***d, ***");
    secret_free(&s);
}

static void tls_is_said_to_driver_and_library(void **state)
{
    struct db_config cfg = {.server = "h",
                            .tls = "verify-full",
                            .tls_root_file = "/it's here/ca.pem",
                            .tls_cert_file = "/c.pem",
                            .tls_key_file = "/k\\.pem"};
    struct buffer secret = BUFFER_INIT, shown = BUFFER_INIT;
    struct error e;

    (void)state;
    assert_true(dialect_postgres.keywords(&cfg, &secret, &shown, &e));
    assert_non_null(strstr(buffer_cstr(&secret), ";SSLmode=verify-full;"));
    assert_non_null(strstr(buffer_cstr(&shown), ";SSLmode=verify-full"));
    assert_non_null(strstr(buffer_cstr(&secret), " sslrootcert='/it\\'s here/ca.pem' "
                                                 "sslcert='/c.pem' sslkey='/k\\\\.pem'}"));
    cfg.tls_root_file = "/a}b";
    assert_false(dialect_postgres.keywords(&cfg, &secret, &shown, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    buffer_free(&secret);
    buffer_free(&shown);
}

/* ---- the rule of observation ---- */

#define EXPIRY 1000
#define POLL   250

static bool see(struct lease_watch *w, int64_t now, int64_t epoch, int64_t beat, bool is_released)
{
    const struct fence f = {epoch, {7}};

    return lease_watch_observe(w, now, &f, beat, is_released, EXPIRY, POLL);
}

static void silence_for_the_expiry_allows_a_take_over(void **state)
{
    struct lease_watch w = {0};

    (void)state;
    for (int64_t now = 5000; now < 5000 + EXPIRY; now += POLL)
        assert_false(see(&w, now, 3, 8, false));
    assert_true(see(&w, 5000 + EXPIRY, 3, 8, false));
}

static void any_change_starts_the_count_again(void **state)
{
    struct lease_watch w = {0};

    (void)state;
    for (int64_t now = 0; now < EXPIRY; now += POLL)
        assert_false(see(&w, now, 3, 8, false));
    assert_false(see(&w, 1000, 3, 9, false)); /* the beat moved */
    for (int64_t now = 1250; now < 2000; now += POLL)
        assert_false(see(&w, now, 3, 9, false));
    assert_false(see(&w, 2000, 4, 9, false)); /* somebody else */
    const struct fence other = {4, {8}};
    assert_false(lease_watch_observe(&w, 2250, &other, 9, false, EXPIRY, POLL));
    for (int64_t now = 2500; now < 3250; now += POLL)
        assert_false(lease_watch_observe(&w, now, &other, 9, false, EXPIRY, POLL));
    assert_true(lease_watch_observe(&w, 3250, &other, 9, false, EXPIRY, POLL));
}

static void a_gap_starts_the_count_again(void **state)
{
    struct lease_watch w = {0};

    (void)state;
    assert_false(see(&w, 0, 3, 8, false));
    assert_false(see(&w, 500, 3, 8, false));  /* twice the poll is no gap */
    assert_false(see(&w, 1001, 3, 8, false)); /* more is */
    assert_false(see(&w, 60000, 3, 8, false));
    for (int64_t now = 60250; now < 61000; now += POLL)
        assert_false(see(&w, now, 3, 8, false));
    assert_true(see(&w, 61000, 3, 8, false));
}

static void a_released_lease_is_free_at_first_sight(void **state)
{
    struct lease_watch w = {0};

    (void)state;
    assert_true(see(&w, 77, 3, 8, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_states_its_cost),
        cmocka_unit_test(a_fenced_row_group_drops_its_padding),
        cmocka_unit_test(both_dialects_have_the_same_statements),
        cmocka_unit_test(every_text_has_a_limit),
        cmocka_unit_test(rows_are_written_out),
        cmocka_unit_test(diagnoses_say_what_to_do),
        cmocka_unit_test(secrets_are_braced_and_kept_apart),
        cmocka_unit_test(a_driver_s_message_shows_no_secret),
        cmocka_unit_test(tls_is_said_to_driver_and_library),
        cmocka_unit_test(silence_for_the_expiry_allows_a_take_over),
        cmocka_unit_test(any_change_starts_the_count_again),
        cmocka_unit_test(a_gap_starts_the_count_again),
        cmocka_unit_test(a_released_lease_is_free_at_first_sight),
    };

    return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
