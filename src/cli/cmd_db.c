/* cmd_db.c: `lockstep db`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"

#include "base/clock.h"
#include "cli/cmd_db.h"
#include "storage/catalogue.h"
#include "storage/migrate.h"
#include "storage/schema_sql.h"

/* ---- the databases of a configuration ---- */

/* Works on one open database and appends to rows what it has to say. user: the node's account, when
 * another one owns the tables and is connected; else NULL. False: err. */
typedef bool db_fn(struct db *db, const char *node, const char *user, json_t *rows,
                   struct error *err);
struct work {
    db_fn *fn;
    json_t *rows;
    bool is_owner; /* connects as the account that owns the tables */

    db_config_fn *on_config; /* in place of fn and rows: opens by itself */
    void *ctx;
};

/* The account that owns the tables; NULL: that of the node. */
static const char *owner_of(struct cli *cli, const struct config_storage *s)
{
    const char *user = cli_value(cli, "user") != NULL ? cli_value(cli, "user") : s->migration_user;

    return s->type == CONFIG_SQLITE || user == NULL ||
                   (s->user != NULL && strcmp(user, s->user) == 0)
               ? NULL
               : user;
}

static void set_owner(struct cli *cli, const struct config_storage *s, struct db_config *cfg)
{
    const bool is_said = cli_value(cli, "user") != NULL;
    const char *user = owner_of(cli, s);

    if (user == NULL)
        return;
    cfg->user = user;
    cfg->password = is_said ? NULL : s->migration_password;
    cfg->password_file = is_said ? cli_value(cli, "password-file") : s->migration_password_file;
}

static bool with_storage(struct cli *cli, const char *node, const struct config_storage *s,
                         const struct work *w, struct error *err)
{
    static const char *const types[] = {"sqlite", "postgresql", "oracle"};
    static const char *const tls[] = {"disable", "require", "verify-ca", "verify-full"};
    char port[24];
    struct db *db = NULL;

    snprintf(port, sizeof(port), "%" PRId64, s->port);
    struct db_config cfg = {.type = types[s->type],
                            .dsn = s->dsn,
                            .driver = s->driver,
                            .server = s->server,
                            .port = s->port > 0 ? port : NULL,
                            .database = s->database,
                            .user = s->user,
                            .password = s->password,
                            .password_file = s->password_file,
                            .tls = s->tls >= 0 ? tls[s->tls] : NULL,
                            .tls_root_file = s->tls_root_file,
                            .tls_cert_file = s->tls_cert_file,
                            .tls_key_file = s->tls_key_file,
                            .schema = s->schema,
                            .file = s->file,
                            .options = s->options,
                            .pool_max = 2, /* migrations renew their claim beside their work */
                            .login_timeout_us = s->connection_timeout_us,
                            .statement_timeout_us = s->statement_timeout_us,
                            .logger = cli_logger(cli)};
    if (w->is_owner)
        set_owner(cli, s, &cfg);
    (void)umask(077); /* databases hold private keys */
    if (w->on_config != NULL)
        return w->on_config(&cfg, node, w->ctx, err) || error_add(err, "%s", node);
    const bool ok =
        db_open(&cfg, &db, err) &&
        w->fn(db, node, w->is_owner && owner_of(cli, s) != NULL ? s->user : NULL, w->rows, err);
    db_close(db);
    return ok || error_add(err, "%s", node);
}

/* A synchronizer with its mediator embedded has two. */
static bool with_node(struct cli *cli, const struct config_node *n, const struct work *w,
                      struct error *err)
{
    struct config_storage mediator;
    char name[CONFIG_NAME_MAX + 16];

    if (!with_storage(cli, n->name, &n->storage, w, err))
        return false;
    if (n->kind != CONFIG_Y || n->mediator != CONFIG_MEDIATOR_EMBEDDED)
        return true;
    if (!config_storage_of_mediator(&n->storage, &mediator, err))
        return false;
    snprintf(name, sizeof(name), "%s/mediator", n->name);
    const bool ok = with_storage(cli, name, &mediator, w, err);
    config_storage_free(&mediator);
    return ok;
}

/* Every node of the file, or the one that -n names. False: reported, *code says how to end. */
static bool each_node(struct cli *cli, const struct work *w, int *code)
{
    const struct config_node *one;
    const struct config *c;
    struct error err;

    if (cli_value(cli, "node") != NULL) {
        if (!cli_node(cli, &one, code))
            return false;
        if (with_node(cli, one, w, &err))
            return true;
        *code = cli_fail(cli, &err);
        return false;
    }
    if (!cli_config(cli, &c)) {
        *code = CLI_BAD_CONFIG;
        return false;
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        if (!with_node(cli, &c->node[i], w, &err)) {
            *code = cli_fail(cli, &err);
            return false;
        }
    }
    return true;
}

bool cmd_db_each(struct cli *cli, db_config_fn *fn, void *ctx, int *code)
{
    const struct work w = {.on_config = fn, .ctx = ctx};

    return each_node(cli, &w, code);
}

/* ---- migrate ---- */

static bool migrate_one(struct db *db, const char *node, const char *user, json_t *rows,
                        struct error *err)
{
    struct migration_info *m = NULL;
    size_t n = 0;
    int applied = 0;

    if (!db_migrate(db, &applied, err) || (user != NULL && !db_grant(db, user, err)) ||
        !db_migrations(db, &m, &n, err))
        return false;
    json_t *row =
        json_pack("{s:s, s:s, s:i, s:I}", "node", node, "database", db_describe(db), "applied",
                  applied, "version", (json_int_t)(n > 0 ? m[n - 1].version : 0));
    free(m);
    return json_array_append_new(rows, row) == 0 || error_set(err, ERR_MEMORY, NULL, "no memory");
}

static int migrate(struct cli *cli)
{
    json_t *rows = json_array();
    int code = CLI_OK;

    if (each_node(cli, &(struct work){.fn = migrate_one, .rows = rows, .is_owner = true}, &code))
        return cli_print(cli, rows);
    json_decref(rows);
    return code;
}

/* ---- status ---- */

static bool status_one(struct db *db, const char *node, const char *user, json_t *rows,
                       struct error *err)
{
    static const char *const states[] = {"pending", "applied", "changed", "newer", "unknown"};
    struct migration_info *m = NULL;
    size_t n = 0;
    bool ok = true;

    (void)user;
    if (!db_migrations(db, &m, &n, err))
        return false;
    for (size_t i = 0; ok && i < n; i++) {
        char at[CLOCK_TEXT_LEN] = "";
        if (m[i].applied_at > 0)
            clock_format(m[i].applied_at, at);
        json_t *row = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s}", "node", node, "version",
                                (json_int_t)m[i].version, "name", m[i].name, "state",
                                states[m[i].state], "applied_at", at, "checksum", m[i].checksum);
        ok = json_array_append_new(rows, row) == 0 || error_set(err, ERR_MEMORY, NULL, "no memory");
    }
    free(m);
    return ok;
}

/* 0 only when nothing is to be done. */
static int status_code(const json_t *rows)
{
    size_t i;
    const json_t *row;

    json_array_foreach(rows, i, row)
    {
        const char *state = json_string_value(json_object_get(row, "state"));
        if (state != NULL && strcmp(state, "applied") != 0 && strcmp(state, "newer") != 0)
            return CLI_FAILED;
    }
    return CLI_OK;
}

static int status(struct cli *cli)
{
    json_t *rows = json_array();
    int code = CLI_OK;

    if (!each_node(cli, &(struct work){.fn = status_one, .rows = rows, .is_owner = false}, &code)) {
        json_decref(rows);
        return code;
    }
    code = status_code(rows);
    const int printed = cli_print(cli, rows);
    return printed != CLI_OK ? printed : code;
}

/* ---- verify ---- */

struct verifying {
    json_t *rows;
    const char *node;
};

static void problem(void *ctx, const char *text)
{
    const struct verifying *v = ctx;

    json_array_append_new(v->rows, json_pack("{s:s, s:s}", "node", v->node, "problem", text));
}

static bool verify_one(struct db *db, const char *node, const char *user, json_t *rows,
                       struct error *err)
{
    struct verifying v = {rows, node};
    size_t problems;

    (void)user;
    return db_verify(db, problem, &v, &problems, err);
}

static int verify(struct cli *cli)
{
    json_t *rows = json_array();
    int code = CLI_OK;

    if (!each_node(cli, &(struct work){.fn = verify_one, .rows = rows, .is_owner = false}, &code)) {
        json_decref(rows);
        return code;
    }
    const bool is_clean = json_array_size(rows) == 0;
    const int printed = cli_print(cli, rows);
    return printed != CLI_OK ? printed : is_clean ? CLI_OK : CLI_FAILED;
}

/* ---- statements ---- */

static bool statement_rows(enum dialect d, const struct statement *s, json_t *rows,
                           struct error *err)
{
    for (size_t i = 0; i < s->nsteps; i++) {
        struct buffer sql = BUFFER_INIT;
        if (!statement_render(d, s, i, 1, &sql, err)) {
            buffer_free(&sql);
            return false;
        }
        json_t *row = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "dialect", dialect_name(d),
                                "name", s->name, "step", (int)i + 1, "purpose", s->purpose, "notes",
                                s->notes, "sql", buffer_cstr(&sql));
        buffer_free(&sql);
        if (json_array_append_new(rows, row) != 0)
            return error_set(err, ERR_MEMORY, NULL, "no memory");
    }
    return true;
}

static bool migration_rows(enum dialect d, json_t *rows, struct error *err)
{
    size_t n;
    const struct migration *m = catalogue_migrations(d, &n);

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < m[i].nsteps; k++) {
            json_t *row =
                json_pack("{s:s, s:o, s:i, s:s, s:s, s:s}", "dialect", dialect_name(d), "name",
                          json_sprintf("migration %04d %s", (int)m[i].version, m[i].name), "step",
                          (int)k + 1, "purpose", "schema", "notes", "", "sql", m[i].steps[k]);
            if (json_array_append_new(rows, row) != 0)
                return error_set(err, ERR_MEMORY, NULL, "no memory");
        }
    }
    return true;
}

struct grants {
    enum dialect dialect;
    json_t *rows;
};

static bool grant_row(void *ctx, const char *text, struct error *err)
{
    const struct grants *g = ctx;
    const size_t n = json_array_size(g->rows);
    json_t *row = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "dialect", dialect_name(g->dialect),
                            "name", "grant", "step", (int)n + 1, "purpose", "schema", "notes",
                            "to the account of the node, here lockstep_run", "sql", text);

    return json_array_append_new(g->rows, row) == 0 ||
           error_set(err, ERR_MEMORY, NULL, "no memory");
}

/* What `db migrate` sends when another account owns the tables. */
static bool grant_rows(enum dialect d, json_t *rows, struct error *err)
{
    const struct schema_sql_options o = {.schema = "lockstep", .user = "lockstep_run"};
    struct grants g = {d, json_array()};
    const bool ok =
        schema_sql_grants(d, &o, grant_row, &g, err) &&
        (json_array_extend(rows, g.rows) == 0 || error_set(err, ERR_MEMORY, NULL, "no memory"));

    json_decref(g.rows);
    return ok;
}

static bool dialect_rows(enum dialect d, json_t *rows, struct error *err)
{
    size_t n;
    const struct statement *s = catalogue_statements(d, &n);

    for (size_t i = 0; i < n; i++)
        if (!statement_rows(d, &s[i], rows, err))
            return false;
    return migration_rows(d, rows, err) && grant_rows(d, rows, err);
}

/* As plain SQL, to be read or given to a grammar check. */
static int print_sql(struct cli *cli, json_t *rows)
{
    FILE *to = cli_out(cli);
    size_t i;
    const json_t *row;

    json_array_foreach(rows, i, row)
    {
        const char *notes = json_string_value(json_object_get(row, "notes"));
        fprintf(to, "-- %s %s: %s\n", json_string_value(json_object_get(row, "dialect")),
                json_string_value(json_object_get(row, "name")),
                json_string_value(json_object_get(row, "purpose")));
        if (notes != NULL && *notes != '\0')
            fprintf(to, "-- %s\n", notes);
        const char *sql = json_string_value(json_object_get(row, "sql"));
        const size_t n = strlen(sql); /* a block has its own `;`, and ends with a line of its own */
        fprintf(to, n > 0 && sql[n - 1] == ';' ? "%s\n/\n\n" : "%s;\n\n", sql);
    }
    json_decref(rows);
    return fflush(to) == 0 ? CLI_OK : CLI_FAILED;
}

static int statements(struct cli *cli)
{
    const char *name = cli_value(cli, "dialect");
    json_t *rows = json_array();
    enum dialect d = DIALECT_POSTGRES;
    struct error err;
    bool ok = true;

    if (name != NULL && !dialect_parse(name, &d, &err)) {
        json_decref(rows);
        return cli_usage(cli, "%s; %s", err.cause, err.advice);
    }
    if (name != NULL)
        ok = dialect_rows(d, rows, &err);
    for (int i = 0; name == NULL && ok && i < DIALECT_N; i++)
        ok = dialect_rows((enum dialect)i, rows, &err);
    if (!ok) {
        json_decref(rows);
        return cli_fail(cli, &err);
    }
    return cli_format(cli) == CLI_TABLE ? print_sql(cli, rows) : cli_print(cli, rows);
}

/* ---- sql ---- */

static bool script_text(void *ctx, const char *text, struct error *err)
{
    FILE *to = ctx;

    fprintf(to, strncmp(text, "--", 2) == 0 ? "\n%s\n" : "%s;\n", text);
    return ferror(to) == 0 || error_set(err, ERR_IO, NULL, "the script cannot be written");
}

static void script_head(FILE *to, enum dialect d)
{
    static const char *const how[DIALECT_N] = {
        [DIALECT_POSTGRES] = "psql -X -v ON_ERROR_STOP=1 -d DATABASE -f THIS-FILE",
        [DIALECT_SQLITE] = "sqlite3 -bail FILE < THIS-FILE",
        [DIALECT_ORACLE] = "sqlplus ACCOUNT @THIS-FILE",
    };

    fprintf(to,
            "-- The schema of one node of Lockstep %s on %s, as `lockstep db migrate` makes it.\n",
            PACKAGE_VERSION, dialect_name(d));
    fprintf(to, "-- Run it by: %s\n", how[d]);
    fprintf(to, "-- Afterwards `lockstep db verify` finds nothing to do.\n");
    if (d == DIALECT_ORACLE)
        fprintf(to, "-- DDL commits here. After a failure run it again, and let ORA-00955 and "
                    "ORA-00001 pass.\n"
                    "-- Both accounts need CREATE SESSION, the owner also the right to make tables "
                    "and a quota: "
                    "these are yours to give.\n");
    else
        fprintf(to, "-- All or nothing: after a failure nothing of it stays.\n");
}

static int sql(struct cli *cli)
{
    struct schema_sql_options with = {.schema = cli_value(cli, "schema"),
                                      .owner = cli_value(cli, "owner"),
                                      .user = cli_value(cli, "runtime-user")};
    const char *name = cli_value(cli, "dialect");
    FILE *to = cli_out(cli);
    struct error err;
    enum dialect d;

    if (name == NULL)
        return cli_usage(cli, "which engine? write --dialect postgresql, sqlite or oracle");
    if (!dialect_parse(name, &d, &err))
        return cli_usage(cli, "%s; %s", err.cause, err.advice);
    if (!cli_int(cli, "after", 0, 9999, &with.after))
        return CLI_USAGE;
    if (cli_format(cli) != CLI_TABLE)
        return cli_usage(cli, "a script has one form only; leave -o away");
    char *text = NULL; /* nothing is printed when a name is wrong */
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    const bool ok = memory != NULL && schema_sql(d, &with, script_text, memory, &err);
    if (memory == NULL)
        error_set(&err, ERR_MEMORY, NULL, "no memory for a script");
    else
        fclose(memory);
    if (ok) {
        script_head(to, d);
        fputs(text, to);
    }
    free(text);
    if (!ok)
        return err.code == ERR_CONFIG ? cli_usage(cli, "%s; %s", err.cause, err.advice)
                                      : cli_fail(cli, &err);
    return fflush(to) == 0 && ferror(to) == 0 ? CLI_OK : CLI_FAILED;
}

static const struct cli_option db_options[] = {
    CLI_CONFIG_OPTION, {"node", 'n', "NAME", "only this node of the file; else all of them"}, {0}};
static const struct cli_option migrate_options[] = {
    CLI_CONFIG_OPTION,
    {"node", 'n', "NAME", "only this node of the file; else all of them"},
    {"user", 'u', "NAME", "account that owns the tables; default: storage.migration-user"},
    {"password-file", 0, "FILE", "its password"},
    {0}};
static const struct cli_option sql_options[] = {
    {"dialect", 'd', "DIALECT", "postgresql, sqlite or oracle"},
    {"schema", 's', "NAME", "where the tables lie; made when it is missing (postgresql)"},
    {"owner", 0, "NAME", "role that owns schema and tables (postgresql)"},
    {"runtime-user", 'u', "NAME", "account of the node: gets its grants"},
    {"after", 0, "VERSION", "only what comes after this version; default 0, all"},
    {0}};
static const struct cli_option statements_options[] = {
    {"dialect", 'd', "DIALECT", "postgresql, sqlite or oracle; else all of them"}, {0}};

static const struct cli_command commands[] = {
    {"migrate", "", 0, 0, "bring the schema up to this release",
     "Makes the schema when it is missing. Does nothing when it is up to date. May be run again "
     "after any failure, and by several at once.",
     migrate_options, migrate},
    {"sql", "", 0, 0, "print the schema as a script for a DBA",
     "With it nobody but the DBA needs the right to make tables: set migrate-on-start: false. The "
     "script notes what it makes, as `db migrate` does.",
     sql_options, sql},
    {"status", "", 0, 0, "say which migrations were applied",
     "Ends with 1 when some are pending, unknown to this release, or were changed.", db_options,
     status},
    {"verify", "", 0, 0, "compare the schema and every statement with the database",
     "Lists problems; ends with 1 when there are some.", db_options, verify},
    {"doctor", "", 0, 0, "say whether the databases are fit for service",
     "Connects twice and tries: the pooler between, privileges, durability (what can be lost), the "
     "clock, isolation, row locks, the fence of a lease, round trips of values, commit latency, "
     "sizes. Safe beside running nodes: it writes some rows of its own and deletes them. Ends with "
     "0 "
     "when nothing failed (warnings are no failure), else with 1.",
     db_options, cmd_db_doctor},
    {"statements", "", 0, 0, "print every statement that this program can send",
     "A table is plain SQL here; -o json gives one object a statement.", statements_options,
     statements},
    {0},
};
const struct cli_family cmd_db = {"db", "look after the nodes' databases", commands};
