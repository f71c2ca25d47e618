/* engine.c: the database of this run. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/migrate.h"

enum dialect engine_dialect(void)
{
    const char *e = getenv("LS_TEST_ENGINE");

    return e && strcmp(e, "postgresql") == 0 ? DIALECT_POSTGRES
           : e && strcmp(e, "oracle") == 0   ? DIALECT_ORACLE
                                             : DIALECT_SQLITE;
}

bool engine_is_postgres(void)
{
    return engine_dialect() == DIALECT_POSTGRES;
}

void engine_config(struct db_config *cfg)
{
    memset(cfg, 0, sizeof(*cfg));
    if (engine_is_postgres()) {
        cfg->type = "postgresql";
        cfg->server = getenv("LS_TEST_PG_SERVER");
        cfg->port = getenv("LS_TEST_PG_PORT");
        cfg->database = getenv("LS_TEST_PG_DATABASE");
        cfg->user = getenv("LS_TEST_PG_USER");
        cfg->password = getenv("LS_TEST_PG_PASSWORD");
        cfg->schema = "ls_test";
    } else if (engine_dialect() == DIALECT_ORACLE) {
        cfg->type = "oracle";
        cfg->driver = getenv("LS_TEST_ORACLE_DRIVER");
        cfg->server = getenv("LS_TEST_ORACLE_SERVER");
        cfg->port = getenv("LS_TEST_ORACLE_PORT");
        cfg->database = getenv("LS_TEST_ORACLE_DATABASE");
        cfg->user = getenv("LS_TEST_ORACLE_USER");
        cfg->password = getenv("LS_TEST_ORACLE_PASSWORD");
        cfg->schema = "ls_test";
    } else {
        cfg->type = "sqlite";
        cfg->file = getenv("LS_TEST_SQLITE_FILE");
    }
}

void engine_elsewhere(struct db_config *cfg, const char *name)
{
    static char place[512]; /* one at a time */

    engine_config(cfg);
    if (cfg->file) {
        snprintf(place, sizeof(place), "%s.%s", cfg->file, name);
        cfg->file = place;
    } else {
        snprintf(place, sizeof(place), "ls_test_%s", name);
        cfg->schema = place;
    }
}

void engine_fault(const char *order)
{
    const char *path = getenv("FAKEORA_FAULTS");
    FILE *f = path && engine_dialect() == DIALECT_ORACLE ? fopen(path, "a") : NULL;

    if (f) {
        fprintf(f, "%s\n", order);
        fclose(f);
    }
}

struct db *engine_open(void)
{
    struct db_config cfg;
    struct error e;
    struct db *db = NULL;

    engine_config(&cfg);
    assert_done(db_open(&cfg, &db, &e));
    assert_done(db_migrate(db, NULL, &e));
    return db;
}

void assert_code(const struct error *err, enum error_code code)
{
    if (err->code != code)
        fail_msg("expected %s, got %s: %s", error_id(code), error_id(err->code), err->cause);
}

static bool i64_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

int64_t query_i64(struct db *db, const char *stmt, const struct value *params, size_t n)
{
    struct error e;
    int64_t v = INT64_MIN;

    assert_done(db_query(db, stmt, params, n, 0, i64_row, &v, &e));
    return v;
}
