/* test_migrate.c: the schema, the catalogue, the clock. */
#include "storage/catalogue.h"
#include "storage/doctor.h"
#include "storage/migrate.h"
#include "suite.h"

static void print_problem(void *ctx, const char *text)
{
    (void)ctx;
    print_message("%s\n", text);
}

static void count_problem(void *ctx, const char *text)
{
    *(size_t *)ctx += *text != '\0';
}

static void migrating_again_does_nothing(void **state)
{
    struct migration_info *m;
    struct error e;
    size_t n, problems = 1;
    int applied = -1;

    (void)state;
    check_done(db_migrate(suite_db, &applied, &e));
    check_int(applied, 0);
    check_done(db_schema_check(suite_db, &e));
    check_done(db_migrations(suite_db, &m, &n, &e));
    check(n >= 2);
    for (size_t i = 0; i < n; i++) {
        check_int(m[i].state, MIGRATION_APPLIED);
        check(m[i].applied_at > 0);
    }
    free(m);
    check_done(db_verify(suite_db, print_problem, NULL, &problems, &e));
    check_int(problems, 0);
}

static void a_newer_schema_is_refused(void **state)
{
    const struct value v[] = {value_i64(99999), value_text("from-the-future"), value_text("00"),
                              value_i64(1)};
    struct error e;
    int applied;

    (void)state;
    check_done(db_exec(suite_db, "schema_version_insert", v, 4, 0, NULL, &e));
    check_refused(db_schema_check(suite_db, &e), ERR_SCHEMA);
    check_refused(db_migrate(suite_db, &applied, &e), ERR_SCHEMA);
    check_says(e.cause, "99999");
    check_done(db_exec(suite_db, "t_schema_forget", v, 1, 0, NULL, &e));
    check_done(db_schema_check(suite_db, &e));
}

static void an_applied_text_that_was_changed_is_refused(void **state)
{
    const struct value bad[] = {value_i64(1), value_text("00")};
    struct migration_info *m;
    struct error e;
    size_t n, problems = 0;

    (void)state;
    check_done(db_migrations(suite_db, &m, &n, &e));
    check_int(m[0].version, 1);
    const struct value good[] = {value_i64(1), value_text(m[0].checksum)};
    check_done(db_exec(suite_db, "t_schema_touch", bad, 2, 0, NULL, &e));
    check_refused(db_schema_check(suite_db, &e), ERR_SCHEMA);
    check_refused(db_migrate(suite_db, NULL, &e), ERR_SCHEMA);
    check_says(e.cause, "another text");
    check_done(db_verify(suite_db, print_problem, NULL, &problems, &e));
    check_int(problems, 1);
    check_done(db_exec(suite_db, "t_schema_touch", good, 2, 0, NULL, &e));
    check_done(db_schema_check(suite_db, &e));
    free(m);
}

struct starter {
    const struct db_config *cfg;
    int applied;
    struct error e;
};

static void *start_up(void *ctx)
{
    struct starter *s = ctx;
    struct db *own = NULL;
    const bool ok = db_open(s->cfg, &own, &s->e) && db_migrate(own, &s->applied, &s->e) &&
                    db_schema_check(own, &s->e);

    db_close(own);
    return ok ? NULL : s->e.cause;
}

/* Everything from nothing, by four at once: each migration is applied by one of them. */
static void starters_do_not_collide(void **state)
{
    struct starter s[4];
    struct db_config cfg;
    struct db *db;
    struct error e;
    size_t n, problems = 9;
    int applied = 0;

    (void)state;
    engine_elsewhere(&cfg, "race");
    memset(s, 0, sizeof(s));
    for (int i = 0; i < 4; i++)
        s[i].cfg = &cfg;
    in_threads(start_up, s, sizeof(s[0]), 4);
    for (int i = 0; i < 4; i++)
        applied += s[i].applied;
    (void)called(catalogue_migrations(engine_dialect(), &n));
    check_int(applied, n);
    check_done(db_open(&cfg, &db, &e));
    check_done(db_verify(db, print_problem, NULL, &problems, &e));
    check_int(problems, 0);
    db_close(db);
}

static void tables_that_lack_say_migrate(void **state)
{
    struct migration_info *m;
    struct db_config cfg;
    struct error e;
    struct db *db;
    size_t n, problems = 0, counted = 0;

    (void)state;
    engine_elsewhere(&cfg, "not_there");
    check_done(db_open(&cfg, &db, &e));
    check_refused(db_query(db, "t_value_count", NULL, 0, 0, any_row, NULL, &e), ERR_SCHEMA);
    check_says(e.advice, "lockstep db migrate");
    check_refused(db_schema_check(db, &e), ERR_SCHEMA);
    check_done(db_migrations(db, &m, &n, &e));
    for (size_t i = 0; i < n; i++)
        check_int(m[i].state, MIGRATION_PENDING);
    free(m);
    check_done(db_verify(db, count_problem, &counted, &problems, &e));
    check(problems > 20); /* what reads finds no table, on every engine */
    check_int(counted, problems);
    db_close(db);
}

/* ---- the catalogue ---- */

static void the_catalogue_is_sorted_and_can_be_written_out(void **state)
{
    size_t n;
    const enum dialect d = engine_dialect();
    const struct statement *s = catalogue_statements(d, &n);
    struct buffer b = BUFFER_INIT;
    struct error e;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        check(catalogue_find(d, s[i].name) == &s[i]);
        check(i == 0 || strcmp(s[i - 1].name, s[i].name) < 0);
        for (size_t k = 0; k < s[i].nsteps; k++) {
            buffer_clear(&b);
            check_done(statement_render(d, &s[i], k, s[i].nrow > 0 ? 1 : 0, &b, &e));
            check(b.len > 0 && !strstr((const char *)buffer_cstr(&b), ":rows"));
        }
    }
    check(!catalogue_find(d, "no_such"));
    buffer_free(&b);
}

static void migrations_rise_and_have_a_checksum(void **state)
{
    size_t n;
    const struct migration *m = catalogue_migrations(engine_dialect(), &n);

    (void)state;
    check(n >= 5);
    for (size_t i = 0; i < n; i++) {
        check_int(strlen(m[i].checksum), 64);
        check(m[i].nsteps > 0);
        check(i == 0 || m[i - 1].version < m[i].version);
    }
}

/* Who owns the tables lets another account work with them, and no more (t/storage/accounts.sh). */
static void another_account_is_let_in(void **state)
{
    size_t setup, grants;
    struct error e;

    (void)state;
    (void)called(catalogue_setup(engine_dialect(), &setup));
    (void)called(catalogue_grants(engine_dialect(), &grants));
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("no accounts: nothing to grant");
        check(setup == 0 && grants == 0);
        check_done(db_grant(suite_db, "odd", &e));
        return;
    }
    check(grants > 0);
    check_done(db_grant(suite_db, "odd", &e));
    check_refused(db_grant(suite_db, "no_such_account", &e), ERR_DATABASE);
}

static void a_dialect_has_one_name(void **state)
{
    enum dialect d;
    struct error e;

    (void)state;
    for (int i = 0; i < DIALECT_N; i++) {
        check_done(dialect_parse(dialect_name((enum dialect)i), &d, &e));
        check_int(d, i);
    }
    check_refused(dialect_parse("mysql", &d, &e), ERR_CONFIG);
    check_says(e.cause, "mysql");
}

static void the_clock_is_the_present(void **state)
{
    struct error e;
    int64_t now = 0;

    (void)state;
    check_done(db_clock_us(suite_db, &now, &e));
    check(llabs(now - clock_now_us()) < 60 * US_PER_S);
}

/* What the doctor says of the engine is its own matter (t/storage/doctor.sh); that it can be asked
 * is seen here. */
static void count_finding(void *ctx, const struct doctor_finding *f)
{
    size_t *n = ctx;

    n[0]++;
    n[1] += f->verdict == DOCTOR_FAIL;
    if (f->verdict == DOCTOR_FAIL)
        print_message("  %s: %s\n", f->check, f->found);
}

static void the_doctor_can_be_asked(void **state)
{
    struct db_config cfg;
    size_t n[2] = {0, 0};

    (void)state;
    engine_config(&cfg);
    const bool is_fit = called(db_doctor(&cfg, count_finding, n));
    check(n[0] > 5);
    check_int(n[1] == 0, is_fit);
    /* what it runs only to see it fail, or not on every engine */
    const struct value id[] = {value_i64(1)};
    struct error e;
    check_done(db_query(suite_db, "doctor_lock", id, 1, 0, any_row, NULL, &e));
    if (engine_dialect() != DIALECT_SQLITE)
        check_done(db_query(suite_db, "doctor_lock_nowait", id, 1, 0, any_row, NULL, &e));
}

static void a_ping_is_answered(void **state)
{
    (void)state;
    check_int(query_i64(suite_db, "ping", NULL, 0), 1);
}

static const struct rule rules[] = {
    RULE(migrating_again_does_nothing),
    RULE(a_newer_schema_is_refused),
    RULE(an_applied_text_that_was_changed_is_refused),
    RULE(starters_do_not_collide),
    RULE(tables_that_lack_say_migrate),
    RULE(the_catalogue_is_sorted_and_can_be_written_out),
    RULE(migrations_rise_and_have_a_checksum),
    RULE(another_account_is_let_in),
    RULE(a_dialect_has_one_name),
    RULE(the_clock_is_the_present),
    RULE(the_doctor_can_be_asked),
    RULE(a_ping_is_answered),
};
const struct rules migrate_rules = {"schema", rules, RULES_N(rules), open_all, close_all};
