/* The pure parts of the Oracle dialect: what each diagnosis means, connection strings, and the
 * rules that its statements keep. The codes are those of Oracle's messages as drivers were seen to
 * give them, wrapped and malformed ones included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/bind.h"
#include "storage/catalogue.h"
#include "storage/dialect.h"

/* ---- diagnoses ---- */

static void means(const char *state, int native, const char *text, bool is_connecting,
                  enum error_code code)
{
    struct diag d = {.native = native};

    snprintf(d.state, sizeof(d.state), "%s", state);
    snprintf(d.text, sizeof(d.text), "%s", text);
    const enum error_code is = dialect_oracle.classify(&d, is_connecting);
    if (is != code)
        fail_msg("%s/%d '%s'%s: %s, expected %s", state, native, text,
                 is_connecting ? " (connecting)" : "", error_id(is), error_id(code));
}

/* Each code with the states that drivers give with it; 0 ends. */
static void all_mean(const int *codes, const char *state, enum error_code code)
{
    static const char *const malformed[] = {"HY000", "HY00", "4200", "", "S1000", "\x01\xff!"};
    char text[64];

    for (; *codes; codes++) {
        snprintf(text, sizeof(text), "[Oracle][ODBC][Ora]ORA-%05d: some words", *codes);
        means(state, *codes, text, false, code);
        means(state, *codes, "", false, code);
        for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
            means(malformed[i], *codes, text, false, code);
            means(malformed[i], 0, text, false, code); /* the text alone has it */
        }
    }
}

static void a_lost_connection_is_seen_behind_any_state(void **state)
{
    static const int gone[] = {3113, 3114,  3135,  1012,  28,    1033, 1034,  1089, 1090,
                               1092, 12571, 12153, 12537, 25408, 2396, 12547, 0};

    (void)state;
    all_mean(gone, "HY000", ERR_CONNECTION);
    for (const int *c = gone; *c; c++)
        means("HY000", *c, "", true, ERR_UNAVAILABLE);
    means("08S01", 0, "", false, ERR_CONNECTION);
    means("08003", 0, "", false, ERR_CONNECTION);
    means("HYT01", 0, "", false, ERR_CONNECTION);
    means("08001", 0, "", true, ERR_UNAVAILABLE);
}

static void no_way_to_connect_is_tried_again(void **state)
{
    static const int away[] = {12170, 12203, 12500, 12514, 12528, 12541, 12543, 12560, 0};

    (void)state;
    for (const int *c = away; *c; c++) {
        means("08001", *c, "TNS", true, ERR_UNAVAILABLE);
        means("HY000", *c, "TNS", true, ERR_UNAVAILABLE);
        means("HY000", *c, "TNS", false, ERR_CONNECTION); /* the driver tried by itself */
    }
    means("HY000", 0, "TNS-12541: TNS:no listener", true, ERR_UNAVAILABLE);
    means("", 0, "", true, ERR_UNAVAILABLE);
    means("HY000", 12519, "no appropriate service handler", true, ERR_UNAVAILABLE);
}

static void wrong_credentials_are_not_tried_again(void **state)
{
    static const int wrong[] = {1017, 28000, 28001, 1005, 1045, 12154, 0};

    (void)state;
    for (const int *c = wrong; *c; c++) {
        means("28000", *c, "", true, ERR_CONFIG);
        means("HY000", *c, "", true, ERR_CONFIG);
    }
    means("IM002", 0, "Data source name not found", true, ERR_CONFIG);
    means("01000", 0, "Can't open lib '/x.so' : file not found", true, ERR_CONFIG);
    means("28000", 0, "", true, ERR_CONFIG);
}

static void a_lost_race_is_run_again(void **state)
{
    static const int lost[] = {60, 8177, 8176, 54, 30006, 4021, 1555, 0};

    (void)state;
    all_mean(lost, "HY000", ERR_RETRY);
    means("HY000", 604, "ORA-00604: error at recursive SQL level 1 ORA-08176: too old", false,
          ERR_RETRY);
    means("HY000", 604, "ORA-00604: error at recursive SQL level 1 ORA-08177: too late", false,
          ERR_RETRY);
    means("HY000", 604, "ORA-00604: error at recursive SQL level 1 ORA-01653: full", false,
          ERR_FULL);
    means("HY000", 604, "ORA-00604: error at recursive SQL level 1 ORA-00904: \"X\"", false,
          ERR_SCHEMA);
    means("HY000", 604, "ORA-00604: error at recursive SQL level 1", false, ERR_DATABASE);
    means("HY000", 604, "", false, ERR_DATABASE);
    means("HY000", 2091, "ORA-02091: transaction rolled back ORA-02290: check violated", false,
          ERR_DATABASE);
    means("40001", 0, "", false, ERR_RETRY);
}

static void rows_that_do_not_fit_are_told_apart(void **state)
{
    static const int duplicate[] = {1, 0}, integrity[] = {1400, 1407, 2290, 2291, 2292, 0};
    static const int large[] = {12899, 1438, 1461, 0};

    (void)state;
    all_mean(duplicate, "23000", ERR_DUPLICATE);
    all_mean(integrity, "23000", ERR_DATABASE);
    all_mean(large, "HY000", ERR_LIMIT);
    means("23000", 0, "", false, ERR_DATABASE);
    /* what a block adds behind it changes nothing */
    means("HY000", 0, "ORA-00001: unique constraint (LS.LS_LOG_PK) violated ORA-06512: at line 1",
          false, ERR_DUPLICATE);
}

static void the_fence_of_a_block_is_told(void **state)
{
    static const int fenced[] = {20001, 0};

    (void)state;
    all_mean(fenced, "HY000", ERR_FENCED);
    means("HY000", 0, "ORA-20001: fenced ORA-06512: at line 1", false, ERR_FENCED);
}

static void a_missing_table_is_the_schema(void **state)
{
    static const int missing[] = {942, 1418, 904, 0}, there[] = {955, 1430, 2260, 2275, 0};
    struct diag d = {.state = "HY000"};

    (void)state;
    all_mean(missing, "42S02", ERR_SCHEMA);
    means("42S02", 0, "", false, ERR_SCHEMA);
    all_mean(there, "HY000", ERR_DATABASE);
    for (const int *c = there; *c; c++) {
        d.native = *c;
        assert_true(dialect_oracle.is_done(&d));
    }
    d.native = 942;
    assert_false(dialect_oracle.is_done(&d));
    d.native = 1;
    assert_false(dialect_oracle.is_done(&d));
}

static void the_server_says_no(void **state)
{
    static const int read_only[] = {16000, 1456, 0}, full[] = {1653, 1654, 1536, 257, 1652, 0};
    static const int cancelled[] = {1013, 0};

    (void)state;
    all_mean(read_only, "HY000", ERR_READ_ONLY);
    all_mean(full, "HY000", ERR_FULL);
    all_mean(cancelled, "HY008", ERR_TIMEOUT);
    means("HYT00", 0, "", false, ERR_TIMEOUT);
    means("HY008", 0, "", false, ERR_TIMEOUT);
    means("HY000", 600, "ORA-00600: internal error", false, ERR_DATABASE);
    means("42000", 933, "ORA-00933: SQL command not properly ended", false, ERR_DATABASE);
    means("", 0, "ORA-", false, ERR_DATABASE);
    means("", -1, "ORA-x", false, ERR_DATABASE);
    /* a native code that is known as none decides against words in the text */
    means("HY000", 600, "ORA-00600: while ORA-03113", false, ERR_DATABASE);
}

static void what_an_operator_can_do_is_said(void **state)
{
    static const int helped[] = {1017, 12541, 12154, 1031, 1653, 257, 16000, 942, 28000, 28001};
    struct diag d = {.state = "HY000"};

    (void)state;
    for (size_t i = 0; i < sizeof(helped) / sizeof(helped[0]); i++) {
        d.native = helped[i];
        assert_non_null(dialect_oracle.advise(&d));
        assert_ptr_equal(dialect_advice(DIALECT_ORACLE, dialect_oracle.classify(&d, false), &d),
                         dialect_oracle.advise(&d));
    }
    d.native = 0;
    assert_non_null(dialect_advice(DIALECT_ORACLE, ERR_UNAVAILABLE, &d));
}

/* ---- connection strings ---- */

static void connects(const struct db_config *cfg, const char *string)
{
    struct buffer secret = BUFFER_INIT, shown = BUFFER_INIT;
    struct error e;

    assert_true(dialect_oracle.keywords(cfg, &secret, &shown, &e));
    assert_string_equal(buffer_cstr(&secret), string);
    buffer_free(&secret);
    buffer_free(&shown);
}

static void a_server_is_written_as_ezconnect(void **state)
{
    (void)state;
    connects(&(struct db_config){.server = "db1", .port = "1521", .database = "svc", .user = "u"},
             ";DBQ=//db1:1521/svc;UID=u");
    connects(&(struct db_config){.server = "db1,db2", .port = "1521", .database = "svc"},
             ";DBQ=//db1,db2:1521/svc");
    connects(&(struct db_config){.server = "db1,db2", .port = "1521,1522", .database = "svc"},
             ";DBQ=//db1:1521,db2:1522/svc");
    connects(&(struct db_config){.server = "db1", .database = "svc"}, ";DBQ=//db1/svc");
    connects(&(struct db_config){.server = "::1", .port = "1521", .database = "svc"},
             ";DBQ=//[::1]:1521/svc");
    connects(&(struct db_config){.database = "LOCKSTEP", .options = "FBS=1;QTO=F"},
             ";DBQ=LOCKSTEP;FBS=1;QTO=F");
    connects(&(struct db_config){.database = "(DESCRIPTION=(ADDRESS=(HOST=a)(PORT=1)))"},
             ";DBQ=(DESCRIPTION=(ADDRESS=(HOST=a)(PORT=1)))");
    connects(&(struct db_config){.dsn = "bank", .user = "u"}, ";UID=u");
    connects(&(struct db_config){.database = "x", .user = "a;b"}, ";DBQ=x;UID={a;b}");
}

static void refuses(const struct db_config *cfg, const char *words)
{
    struct buffer secret = BUFFER_INIT, shown = BUFFER_INIT;
    struct error e;
    char line[700];

    assert_false(dialect_oracle.keywords(cfg, &secret, &shown, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    error_format(&e, line, sizeof(line));
    assert_non_null(strstr(line, words));
    buffer_free(&secret);
    buffer_free(&shown);
}

static void what_cannot_work_is_refused(void **state)
{
    (void)state;
    refuses(&(struct db_config){.server = "db1"}, "storage.database");
    refuses(&(struct db_config){.database = "x", .schema = "a-b"}, "a-b");
    refuses(&(struct db_config){.database = "x", .schema = "1st"}, "1st");
    refuses(&(struct db_config){.database = "x", .schema = "a\" OR"}, "a\"");
    refuses(&(struct db_config){.database = "x",
                                .schema = "a234567890b234567890c234567890d234567890"
                                          "e234567890f234567890g234"},
            "at most 63");
}

/* ---- values ---- */

static void digits_are_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t v;
    } good[] = {
        {"0", 0},
        {"-7", -7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"12.000", 12},
        {"5.", 5},
    };
    static const char *const bad[] = {
        "", "x", "9223372036854775808", "-9223372036854775809", "1.5", "1e20", "12,0", "1 2"};
    int64_t v;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(digits_parse(good[i].text, &v));
        assert_true(v == good[i].v);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (digits_parse(bad[i], &v))
            fail_msg("'%s' is taken for a number", bad[i]);
}

static void text_is_utf8_unless_somebody_says_otherwise(void **state)
{
    (void)state;
    unsetenv("NLS_LANG");
    db_process_init();
    assert_string_equal(getenv("NLS_LANG"), ".AL32UTF8");
    setenv("NLS_LANG", "GERMAN_GERMANY.AL32UTF8", 1);
    db_process_init();
    assert_string_equal(getenv("NLS_LANG"), "GERMAN_GERMANY.AL32UTF8");
}

/* ---- the statements ---- */

static void same_columns(const char *name, const struct column *a, size_t na,
                         const struct column *b, size_t nb)
{
    if (na != nb)
        fail_msg("%s: %zu, on sqlite %zu", name, na, nb);
    for (size_t i = 0; i < na; i++)
        if (strcmp(a[i].name, b[i].name) != 0 || a[i].kind != b[i].kind || a[i].max != b[i].max)
            fail_msg("%s: %s is not as on sqlite", name, a[i].name);
}

static void every_statement_is_there_for_oracle(void **state)
{
    size_t n;
    const struct statement *s = catalogue_statements(DIALECT_SQLITE, &n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct statement *o = catalogue_find(DIALECT_ORACLE, s[i].name);
        if (strncmp(s[i].name, "txn_", 4) == 0) /* the driver's calls do that */
            continue;
        if (!o)
            fail_msg("%s: not for oracle", s[i].name);
        same_columns(s[i].name, o->params, o->nparams, s[i].params, s[i].nparams);
        same_columns(s[i].name, o->row, o->nrow, s[i].row, s[i].nrow);
        assert_int_equal(o->fenced != NULL, s[i].fenced != NULL);
    }
}

static void migrations_pair_with_the_other_engines(void **state)
{
    size_t n, m;
    const struct migration *o = catalogue_migrations(DIALECT_ORACLE, &n);
    const struct migration *p = catalogue_migrations(DIALECT_POSTGRES, &m);

    (void)state;
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(o[i].version, p[i].version);
        assert_string_equal(o[i].name, p[i].name);
    }
}

/* The grammar check proves more; this needs nothing but the program. */
static void follows_the_rules(const char *name, const char *sql, bool is_block)
{
    static const char *const never[] = {"''",      "\"",     "MERGE ",  "ROWNUM",    "DBMS_",
                                        "V$",      "BIGINT", " LIMIT ", "RETURNING", "ON CONFLICT",
                                        "SYSDATE", "{now",   "{i64",    " TEXT",     "LOCK TABLE"};

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (strstr(sql, never[i]))
            fail_msg("%s: has %s", name, never[i]);
    if (strstr(sql, "FETCH FIRST") && strstr(sql, "FOR UPDATE"))
        fail_msg("%s: ORA-02014", name);
    if (!is_block && strchr(sql, ';'))
        fail_msg("%s: has a ;", name);
    if (strncmp(sql, "SELECT", 6) == 0 && !strstr(sql, " FROM "))
        fail_msg("%s: has no FROM", name);
}

static void the_text_is_what_oracle_takes(void **state)
{
    size_t n, blocks = 0;
    const struct statement *s = catalogue_statements(DIALECT_ORACLE, &n);
    const struct migration *m;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < s[i].nsteps; k++) {
            const bool is_last = k + 1 == s[i].nsteps;
            const bool is_block = s[i].fenced && is_last;
            assert_int_equal(is_block, strncmp(s[i].steps[k].sql, "BEGIN ", 6) == 0);
            blocks += is_block;
            follows_the_rules(s[i].name, s[i].steps[k].sql, is_block);
        }
    }
    assert_true(blocks >= 4);
    m = catalogue_migrations(DIALECT_ORACLE, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m[i].nsteps; k++)
            follows_the_rules(m[i].name, m[i].steps[k], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_connection_is_seen_behind_any_state),
        cmocka_unit_test(no_way_to_connect_is_tried_again),
        cmocka_unit_test(wrong_credentials_are_not_tried_again),
        cmocka_unit_test(a_lost_race_is_run_again),
        cmocka_unit_test(rows_that_do_not_fit_are_told_apart),
        cmocka_unit_test(the_fence_of_a_block_is_told),
        cmocka_unit_test(a_missing_table_is_the_schema),
        cmocka_unit_test(the_server_says_no),
        cmocka_unit_test(what_an_operator_can_do_is_said),
        cmocka_unit_test(a_server_is_written_as_ezconnect),
        cmocka_unit_test(what_cannot_work_is_refused),
        cmocka_unit_test(digits_are_numbers),
        cmocka_unit_test(text_is_utf8_unless_somebody_says_otherwise),
        cmocka_unit_test(every_statement_is_there_for_oracle),
        cmocka_unit_test(migrations_pair_with_the_other_engines),
        cmocka_unit_test(the_text_is_what_oracle_takes),
    };

    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
