/* test_errors.c: what goes wrong says what to do, and never the password. */
#include "engine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/catalogue.h"
#include "storage/migrate.h"

static bool any_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)cols;
    (void)n;
    (void)err;
    if (ctx)
        (*(int *)ctx)++;
    return true;
}

/* Opening must fail with this code, one line, and say these words. */
static void refuses(const struct db_config *cfg, enum error_code code, const char *words)
{
    struct error e;
    struct db *db = NULL;
    char line[700];

    assert_false(db_open(cfg, &db, &e));
    error_format(&e, line, sizeof(line));
    print_message("  %s\n", line);
    assert_code(&e, code);
    assert_null(strchr(line, '\n'));
    if (!strstr(line, words))
        fail_msg("'%s' does not say '%s'", line, words);
    assert_null(strstr(line, "s3cret"));
    if (cfg->password)
        assert_null(strstr(line, cfg->password));
    assert_true(e.advice[0] != '\0');
}

static void a_missing_driver_is_named(void **state)
{
    struct db_config cfg;

    (void)state;
    engine_config(&cfg);
    cfg.driver = "/nowhere/driver.so";
    refuses(&cfg, ERR_CONFIG, "/nowhere/driver.so");
    cfg.driver = "nosuchdriver.so";
    refuses(&cfg, ERR_CONFIG,
            engine_dialect() == DIALECT_ORACLE ? "Instant Client" : "apt-get install");
    cfg.driver = "No Such Driver";
    refuses(&cfg, ERR_CONFIG, "No Such Driver");
    cfg.driver = NULL;
    cfg.type = "mysql";
    refuses(&cfg, ERR_CONFIG, "mysql");
    cfg.type = "oracle";
    cfg.database = "svc";
    cfg.driver = "/nowhere/driver.so";
    refuses(&cfg, ERR_CONFIG, "Instant Client");
}

static void a_missing_dsn_is_named(void **state)
{
    struct db_config cfg = {.dsn = "no-such-dsn", .password = "s3cret"};

    (void)state;
    refuses(&cfg, ERR_CONFIG, "no-such-dsn");
    cfg.type = dialect_name(engine_dialect());
    refuses(&cfg, ERR_CONFIG, "no-such-dsn");
}

/* odbc.ini of this run (t/storage/postgres.sh, sqlite.sh) has the DSN ls-test. */
static void a_dsn_works_as_well(void **state)
{
    struct db_config full, cfg = {.dsn = "ls-test"};
    struct error e;
    struct db *db;
    int64_t now = 0;

    (void)state;
    engine_config(&full);
    if (engine_is_postgres())
        cfg.password = full.password;
    assert_done(db_open(&cfg, &db, &e)); /* no type: asked */
    assert_int_equal(db_dialect(db), engine_is_postgres() ? DIALECT_POSTGRES : DIALECT_SQLITE);
    assert_done(db_clock_us(db, &now, &e));
    db_close(db);
    cfg.type = full.type;
    assert_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static void a_driver_by_name_works(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    cfg.driver = engine_is_postgres() ? "psqlodbcw.so" : "libsqlite3odbc.so";
    assert_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static void the_password_is_not_in_the_description(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    assert_done(db_open(&cfg, &db, &e));
    if (cfg.password) {
        assert_null(strstr(db_describe(db), cfg.password));
        assert_non_null(strstr(db_describe(db), "PWD=***"));
    }
    db_close(db);
}

static void tables_that_lack_say_migrate(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    if (engine_dialect() != DIALECT_SQLITE)
        cfg.schema = "not_there"; /* made by oracle.sh, empty */
    else
        cfg.file = getenv("LS_TEST_SQLITE_FILE3");
    assert_done(db_open(&cfg, &db, &e));
    assert_false(db_query(db, "t_value_count", NULL, 0, 0, any_row, NULL, &e));
    assert_code(&e, ERR_SCHEMA);
    assert_non_null(strstr(e.advice, "lockstep db migrate"));
    assert_false(db_schema_check(db, &e));
    assert_code(&e, ERR_SCHEMA);
    db_close(db);
}

/* ---- SQLite ---- */

static void a_bad_file_is_named(void **state)
{
    struct db_config cfg;
    char path[512];

    (void)state;
    engine_config(&cfg);
    cfg.file = "/nowhere/at/all.db";
    refuses(&cfg, ERR_CONFIG, "/nowhere/at/all.db");
    snprintf(path, sizeof(path), "%s.text", getenv("LS_TEST_SQLITE_FILE"));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 100; i++)
        fputs("this is no database, but long enough to look at\n", f);
    fclose(f);
    cfg.file = path;
    refuses(&cfg, ERR_CONFIG, "not a database");
    cfg.file = NULL;
    refuses(&cfg, ERR_CONFIG, "storage.file");
}

/* LS_TEST_SQLITE_READ_ONLY: a database whose file and folder this user cannot write. */
static void a_read_only_file_is_named(void **state)
{
    struct db_config cfg;

    (void)state;
    engine_config(&cfg);
    cfg.file = getenv("LS_TEST_SQLITE_READ_ONLY");
    if (!cfg.file || access(cfg.file, W_OK) == 0)
        skip(); /* root writes everywhere: the script runs this test once more as somebody else */
    refuses(&cfg, ERR_READ_ONLY, cfg.file);
}

static void a_full_disk_is_named(void **state)
{
    uint8_t page[4096] = {1};
    struct db_config cfg;
    struct error e;
    struct db *db;
    int64_t id = 1;
    char line[700];

    (void)state;
    engine_config(&cfg);
    cfg.file = getenv("LS_TEST_SQLITE_FILE4");
    cfg.pool_max = 1;
    assert_done(db_open(&cfg, &db, &e));
    assert_done(db_migrate(db, NULL, &e));
    assert_done(db_query(db, "t_full", NULL, 0, 0, any_row, NULL, &e));
    for (;; id++) {
        const struct value v[] = {value_i64(id), value_null(), value_null(),
                                  value_bytes(bytes_of(page, sizeof(page)))};
        if (!db_exec(db, "t_value_insert", v, 4, 0, NULL, &e))
            break;
        assert_true(id < 1000);
    }
    error_format(&e, line, sizeof(line));
    print_message("  %s\n", line);
    assert_code(&e, ERR_FULL);
    assert_non_null(strstr(line, cfg.file));
    assert_non_null(strstr(line, "libsqlite3odbc"));
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), id - 1);
    db_close(db);
}

/* ---- PostgreSQL ---- */

static void a_wrong_login_is_named(void **state)
{
    struct db_config cfg;

    (void)state;
    engine_config(&cfg);
    cfg.password = "s3cret;}{ %41";
    refuses(&cfg, ERR_CONFIG, "password");
    engine_config(&cfg);
    cfg.database = "nosuchdb";
    refuses(&cfg, ERR_CONFIG, "nosuchdb");
    engine_config(&cfg);
    cfg.schema = "a\"; DROP";
    refuses(&cfg, ERR_CONFIG, "schema");
}

static void a_server_that_is_away_is_named(void **state)
{
    struct db_config cfg;

    (void)state;
    engine_config(&cfg);
    cfg.port = "1";
    refuses(&cfg, ERR_UNAVAILABLE, "PORT=1");
    cfg.server = "/nowhere";
    refuses(&cfg, ERR_UNAVAILABLE, "/nowhere");
}

/* It accepts and says nothing, as behind a firewall that drops. */
static void a_server_that_says_nothing_is_given_up(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int64_t start = clock_mono_us();
    struct db_config cfg;
    char port[8];

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(port, sizeof(port), "%u", ntohs(a.sin_port));
    engine_config(&cfg);
    cfg.port = port;
    cfg.login_timeout_us = US_PER_S;
    refuses(&cfg, ERR_UNAVAILABLE, port);
    assert_true(clock_mono_us() - start < 5 * US_PER_S);
    close(fd);
}

/* The first of two servers is away. */
static void the_server_that_answers_is_used(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;
    char port[32];

    (void)state;
    engine_config(&cfg);
    snprintf(port, sizeof(port), "1,%s", cfg.port);
    cfg.port = port;
    cfg.server = "127.0.0.1,127.0.0.1";
    assert_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static void any_password_is_handed_over_as_it_is(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    cfg.user = "odd";
    cfg.password = getenv("LS_TEST_PG_ODD");
    assert_non_null(cfg.password);
    assert_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static bool session_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)n;
    (void)err;
    assert_string_equal(value_cstr(&cols[0]), "\"ls_test\"");
    assert_string_equal(value_cstr(&cols[1]), "10s");
    assert_string_equal(value_cstr(&cols[2]), "500ms");
    assert_string_equal(value_cstr(&cols[3]), "500ms");
    return true;
}

static void a_session_has_its_limits(void **state)
{
    struct db *db = engine_open();
    struct error e;

    (void)state;
    assert_done(db_query(db, "t_session", NULL, 0, 0, session_row, NULL, &e));
    db_close(db);
}

static bool read_only_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(1), value_null(), value_null(), value_null()};

    (void)ctx;
    return txn_query(t, "t_read_only", NULL, 0, any_row, NULL, err) &&
           txn_exec(t, "t_value_insert", v, 4, NULL, err);
}

static void a_read_only_server_empties_the_pool(void **state)
{
    struct db *db = engine_open();
    struct db_stats before, after;
    struct error e;

    (void)state;
    db_stats(db, &before);
    assert_false(db_txn(db, 0, read_only_txn, NULL, &e));
    assert_code(&e, ERR_READ_ONLY);
    db_stats(db, &after);
    assert_true(after.lost > before.lost);
    assert_int_equal(after.open, 0);
    db_close(db);
}

struct dying {
    struct db *killer;
    int runs;
};

static bool dying_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(42), value_null(), value_null(), value_null()};
    struct dying *d = ctx;
    struct error e;

    if (!txn_exec(t, "t_value_insert", v, 4, NULL, err))
        return false;
    if (d->runs++ == 0)
        assert_done(db_query(d->killer, "t_kill_others", NULL, 0, 0, any_row, NULL, &e));
    return txn_exec(t, "t_value_update", v, 2, NULL, err);
}

static void a_transaction_survives_its_connection(void **state)
{
    struct db *db = engine_open(), *killer = engine_open();
    struct dying d = {killer, 0};
    struct error e;

    (void)state;
    assert_done(db_exec(db, "t_value_clear", NULL, 0, 0, NULL, &e));
    assert_done(db_txn(db, 0, dying_txn, &d, &e));
    assert_int_equal(d.runs, 2);
    assert_int_equal(query_i64(db, "t_value_count", NULL, 0), 1);
    db_close(db);
    db_close(killer);
}

int error_tests_run(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(a_missing_driver_is_named),
        cmocka_unit_test(a_missing_dsn_is_named),
        cmocka_unit_test(the_password_is_not_in_the_description),
        cmocka_unit_test(tables_that_lack_say_migrate),
    };
    const struct CMUnitTest both[] = {
        cmocka_unit_test(a_dsn_works_as_well),
        cmocka_unit_test(a_driver_by_name_works),
    };
    const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(a_bad_file_is_named),
        cmocka_unit_test(a_read_only_file_is_named),
        cmocka_unit_test(a_full_disk_is_named),
    };
    const struct CMUnitTest postgres[] = {
        cmocka_unit_test(a_wrong_login_is_named),
        cmocka_unit_test(a_server_that_is_away_is_named),
        cmocka_unit_test(a_server_that_says_nothing_is_given_up),
        cmocka_unit_test(the_server_that_answers_is_used),
        cmocka_unit_test(any_password_is_handed_over_as_it_is),
        cmocka_unit_test(a_session_has_its_limits),
        cmocka_unit_test(a_read_only_server_empties_the_pool),
        cmocka_unit_test(a_transaction_survives_its_connection),
    };

    if (engine_dialect() == DIALECT_ORACLE)
        return cmocka_run_group_tests_name("errors-oracle", all, NULL, NULL);
    return cmocka_run_group_tests_name("errors", all, NULL, NULL) +
           cmocka_run_group_tests_name("errors-driver", both, NULL, NULL) +
           (engine_is_postgres()
                ? cmocka_run_group_tests_name("errors-postgres", postgres, NULL, NULL)
                : cmocka_run_group_tests_name("errors-sqlite", sqlite, NULL, NULL));
}
