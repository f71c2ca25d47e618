/* test_open.c: opening a database: what is wrong says what to do, and never the password. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/catalogue.h"
#include "storage/migrate.h"
#include "suite.h"

/* Opening must fail with this code, one line, and say these words. */
static void refuses(const struct db_config *cfg, enum error_code code, const char *words)
{
    struct error e;
    struct db *db = NULL;
    char line[700];

    check(!db_open(cfg, &db, &e));
    error_format(&e, line, sizeof(line));
    print_message("  %s\n", line);
    check_code(&e, code);
    check(!strchr(line, '\n'));
    if (!strstr(line, words))
        fail_msg("'%s' does not say '%s'", line, words);
    check(!strstr(line, "s3cret"));
    if (cfg->password)
        check(!strstr(line, cfg->password));
    check(e.advice[0] != '\0');
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
    cfg.user = full.user;
    cfg.password = full.password;
    if (engine_dialect() == DIALECT_ORACLE) {
        suite_instead("the imitation reads no odbc.ini: DBQ stands beside the DSN, type is set");
        cfg.server = full.server;
        cfg.port = full.port;
        cfg.database = full.database;
    } else {
        check_done(db_open(&cfg, &db, &e)); /* no type: asked */
        check_int(db_dialect(db), engine_dialect());
        check_done(db_clock_us(db, &now, &e));
        db_close(db);
    }
    cfg.type = full.type;
    check_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static void a_driver_by_name_works(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    cfg.driver = engine_dialect() == DIALECT_POSTGRES ? "psqlodbcw.so"
                 : engine_dialect() == DIALECT_SQLITE ? "libsqlite3odbc.so"
                                                      : cfg.driver;
    check_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static void the_password_is_not_in_the_description(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    check_done(db_open(&cfg, &db, &e));
    check_says(db_describe(db), "D"); /* DSN=, DRIVER=, Database= */
    if (cfg.password) {
        check(!strstr(db_describe(db), cfg.password));
        check_says(db_describe(db), "PWD=***");
    }
    db_close(db);
}

static void a_database_has_its_configured_schema(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    check_done(db_open(&cfg, &db, &e));
    check_text(db_schema(db), cfg.schema ? cfg.schema : "");
    check_int(db_dialect(db), engine_dialect());
    db_close(db);
    check((db_close(NULL), true));
}

static void a_bad_place_is_named(void **state)
{
    struct db_config cfg;
    char path[512];

    (void)state;
    engine_config(&cfg);
    if (engine_dialect() != DIALECT_SQLITE) {
        cfg.schema = "a\"; DROP";
        refuses(&cfg, ERR_CONFIG, "schema");
        return;
    }
    cfg.file = "/nowhere/at/all.db";
    refuses(&cfg, ERR_CONFIG, "/nowhere/at/all.db");
    snprintf(path, sizeof(path), "%s.text", getenv("LS_TEST_SQLITE_FILE"));
    FILE *f = fopen(path, "w");
    check(f);
    for (int i = 0; i < 100; i++)
        fputs("this is no database, but long enough to look at\n", f);
    fclose(f);
    cfg.file = path;
    refuses(&cfg, ERR_CONFIG, "not a database");
    cfg.file = NULL;
    refuses(&cfg, ERR_CONFIG, "storage.file");
}

/* In a child: root writes everywhere, so it becomes somebody else first. Ends with 0 when the file
 * was refused as read-only, by its name. */
static int open_as_somebody(const struct db_config *cfg)
{
    struct error e;
    struct db *db = NULL;
    const pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        _exit(!db_open(cfg, &db, &e) && e.code == ERR_READ_ONLY && strstr(e.cause, cfg->file) ? 0
                                                                                              : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : -1;
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;
    char folder[512], file[600];

    (void)state;
    engine_config(&cfg);
    if (engine_dialect() != DIALECT_SQLITE) {
        suite_instead("a server that is a standby: a_read_only_answer_empties_the_pool");
        check(engine_dialect() != DIALECT_SQLITE);
        return;
    }
    snprintf(folder, sizeof(folder), "%s.readonly", getenv("LS_TEST_SQLITE_FILE"));
    snprintf(file, sizeof(file), "%s/ro.db", folder);
    check_int(mkdir(folder, 0755), 0);
    cfg.file = file;
    check_done(db_open(&cfg, &db, &e));
    check_done(db_migrate(db, NULL, &e));
    db_close(db);
    check_int(chmod(file, 0444), 0);
    check_int(chmod(folder, 0555), 0);
    check_int(open_as_somebody(&cfg), 0);
    check_int(chmod(folder, 0755), 0);
}

/* ---- servers ---- */

static void a_wrong_login_is_named(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("no login: the rights on the file are what counts");
        cfg.user = "nobody";
        cfg.password = "s3cret";
        check_done(db_open(&cfg, &db, &e));
        db_close(db);
        return;
    }
    cfg.password = "s3cret;}{ %41";
    engine_fault("before 1017 match=CONNECT");
    refuses(&cfg, ERR_CONFIG, "password");
    if (engine_dialect() != DIALECT_POSTGRES)
        return;
    engine_config(&cfg);
    cfg.database = "nosuchdb";
    refuses(&cfg, ERR_CONFIG, "nosuchdb");
}

static void a_server_that_is_away_is_named(void **state)
{
    struct db_config cfg;

    (void)state;
    engine_config(&cfg);
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("no server: a folder that is not there is a wrong configuration");
        cfg.file = "/nowhere/a.db";
        refuses(&cfg, ERR_CONFIG, "/nowhere/a.db");
        return;
    }
    cfg.port = "1";
    refuses(&cfg, ERR_UNAVAILABLE, engine_dialect() == DIALECT_POSTGRES ? "PORT=1" : ":1/");
    if (engine_dialect() != DIALECT_POSTGRES)
        return;
    cfg.server = "/nowhere";
    refuses(&cfg, ERR_UNAVAILABLE, "/nowhere");
}

/* It accepts and says nothing, as behind a firewall that drops. */
static void a_server_that_says_nothing_is_given_up(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    struct db_config cfg;
    char port[8];

    (void)state;
    engine_config(&cfg);
    if (engine_dialect() == DIALECT_SQLITE) {
        suite_instead("no server: nothing is waited for at an open");
        check(!cfg.port);
        return;
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int64_t start = clock_mono_us();
    check_int(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    check_int(listen(fd, 4), 0);
    check_int(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(port, sizeof(port), "%u", ntohs(a.sin_port));
    cfg.port = port;
    cfg.login_timeout_us = US_PER_S;
    refuses(&cfg, ERR_UNAVAILABLE, port);
    check(clock_mono_us() - start < 10 * US_PER_S);
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
    if (engine_dialect() == DIALECT_POSTGRES) {
        snprintf(port, sizeof(port), "1,%s", cfg.port);
        cfg.port = port;
        cfg.server = "127.0.0.1,127.0.0.1";
    } else {
        suite_instead(engine_dialect() == DIALECT_SQLITE
                          ? "one file"
                          : "an address list is the client's matter, and the imitation has none");
    }
    check_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static void any_password_is_handed_over_as_it_is(void **state)
{
    struct db_config cfg;
    struct error e;
    struct db *db;

    (void)state;
    engine_config(&cfg);
    if (engine_dialect() == DIALECT_POSTGRES) {
        cfg.user = "odd";
        cfg.password = getenv("LS_TEST_PG_ODD");
        check(cfg.password);
    } else {
        suite_instead(engine_dialect() == DIALECT_SQLITE
                          ? "no login"
                          : "which passwords Oracle's driver takes only Oracle can tell");
    }
    check_done(db_open(&cfg, &db, &e));
    db_close(db);
}

static bool session_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)n;
    (void)err;
    check_text(value_cstr(&cols[0]), "\"ls_test\"");
    check_text(value_cstr(&cols[1]), "10s");
    check_text(value_cstr(&cols[2]), "500ms");
    check_text(value_cstr(&cols[3]), "500ms");
    return true;
}

static void a_session_has_its_limits(void **state)
{
    struct db *db = engine_open();
    struct error e;

    (void)state;
    if (engine_dialect() == DIALECT_POSTGRES) {
        check_done(db_query(db, "t_session", NULL, 0, 0, session_row, NULL, &e));
    } else {
        suite_instead("the limits are the watchdog's: a_statement_ends_at_its_deadline");
        check_refused(db_query(db, "t_session", NULL, 0, 0, session_row, NULL, &e), ERR_INTERNAL);
    }
    db_close(db);
}

/* Done once by main: what an operator has set stays. */
static void the_drivers_environment_is_set(void **state)
{
    const char *before = getenv("NLS_LANG");

    (void)state;
    check(before && *before);
    called(db_process_init());
    check_text(getenv("NLS_LANG"), before);
}

static const struct rule rules[] = {
    RULE(the_drivers_environment_is_set),
    RULE(a_missing_driver_is_named),
    RULE(a_missing_dsn_is_named),
    RULE(a_dsn_works_as_well),
    RULE(a_driver_by_name_works),
    RULE(the_password_is_not_in_the_description),
    RULE(a_database_has_its_configured_schema),
    RULE(a_bad_place_is_named),
    RULE(a_place_that_cannot_be_written_is_named),
    RULE(a_wrong_login_is_named),
    RULE(a_server_that_is_away_is_named),
    RULE(a_server_that_says_nothing_is_given_up),
    RULE(the_server_that_answers_is_used),
    RULE(any_password_is_handed_over_as_it_is),
    RULE(a_session_has_its_limits),
};
const struct rules open_rules = {"opening", rules, RULES_N(rules), NULL, NULL};
