/* pool.c: opening a database, its bounded pool, and the watchdog.
 * A connection belongs to the pool's generation in which it was made. Poisoning raises the
 * generation: idle connections are dropped, the others when they come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/db_internal.h"
#include "storage/threading.h"

#define PING_AFTER_US (100 * US_PER_MS) /* idle for longer: proves first that it is alive */
#define CLOSE_WAIT_US (US_PER_S)        /* for threads inside the driver */
#define WATCH_US      (100 * US_PER_MS)

/* ---- opening ---- */

static bool letters_ok(const char *schema)
{
    size_t n = strlen(schema);

    return n <= 63 &&
           strspn(schema, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static bool odbc_env(SQLHENV *out, struct error *err)
{
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, out)))
        return error_set(err, ERR_MEMORY, NULL, "no ODBC environment");
    SQLSetEnvAttr(*out, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0);
    return true;
}

/* A DSN without a type: the driver says what is behind it. */
static bool ask_type(SQLHENV env, const struct db_config *cfg, const struct secret *secret,
                     enum dialect *out, struct error *err)
{
    struct buffer s = BUFFER_INIT;
    struct diag d;
    SQLHDBC dbc;
    char name[64] = "";

    buffer_printf(&s, "DSN=%s", cfg->dsn);
    keyword_append(&s, "UID", cfg->user);
    if (!secret_append(secret, 1, &s, err)) {
        secret_buffer_free(&s);
        return false;
    }
    const char *text = buffer_cstr(&s);
    if (!text || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc))) {
        secret_buffer_free(&s);
        return error_set(err, ERR_MEMORY, NULL, "no ODBC connection handle");
    }
    const bool ok = SQL_SUCCEEDED(SQLDriverConnect(dbc, NULL, (SQLCHAR *)(uintptr_t)text, SQL_NTS,
                                                   NULL, 0, NULL, SQL_DRIVER_NOPROMPT));
    if (ok) {
        conn_dbms(dbc, name, sizeof(name));
        SQLDisconnect(dbc);
    } else {
        diag_read(SQL_HANDLE_DBC, dbc, &d);
        secret_blank(secret, text, d.text);
    }
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    secret_buffer_free(&s);
    if (!ok)
        return error_set(err, ERR_CONFIG, "add the DSN to odbc.ini, or set type and driver",
                         "DSN=%s: %s", cfg->dsn, d.text);
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return dialect_parse(strcmp(name, "sqlite3") == 0 ? "sqlite" : name, out, err);
}

static size_t commas(const char *s)
{
    size_t n = 0;

    for (; s && *s; s++)
        n += *s == ',';
    return n;
}

/* "a,b,c" by one is "b,c,a". The caller frees it; NULL without memory. */
static char *turned(const char *list, size_t by)
{
    const char *from = list;

    while (by-- > 0 && strchr(from, ','))
        from = strchr(from, ',') + 1;
    const int first = from > list ? (int)(from - list) - 1 : 0;
    struct buffer b = BUFFER_INIT;
    buffer_printf(&b, "%s%s%.*s", from, first > 0 ? "," : "", first, list);
    const char *text = buffer_cstr(&b);
    char *copy = text ? strdup(text) : NULL;
    buffer_free(&b);
    return copy;
}

/* One string for each order of the hosts: each of them once the first. */
static bool add_string(struct db *db, const struct db_config *cfg, const struct buffer *driver,
                       size_t turn, struct error *err)
{
    struct db_config c = *cfg;
    char *server = cfg->server ? turned(cfg->server, turn) : NULL;
    char *port = cfg->port ? turned(cfg->port, turn) : NULL;
    struct buffer secret = BUFFER_INIT, shown = BUFFER_INIT, string = BUFFER_INIT;

    c.server = server;
    c.port = port;
    bool ok = db->ops->keywords(&c, &secret, &shown, err);
    buffer_append_bytes(&string, buffer_bytes(driver));
    buffer_append_bytes(&string, buffer_bytes(&secret));
    const char *text = buffer_cstr(&string);
    if (ok && (!text || !(db->strings[turn] = strdup(text))))
        ok = error_set(err, ERR_MEMORY, NULL, "no memory for a connection string");
    if (ok && turn == 0) {
        struct buffer describe = BUFFER_INIT;
        if (secret_has_password(&db->secret))
            buffer_append_str(&shown, ";PWD=***");
        buffer_append_bytes(&describe, buffer_bytes(driver));
        buffer_append_bytes(&describe, buffer_bytes(&shown));
        db->describe = buffer_cstr(&describe) ? strdup((const char *)describe.data) : NULL;
        buffer_free(&describe);
    }
    secret_buffer_free(&secret); /* options may hold some */
    secret_buffer_free(&string);
    buffer_free(&shown);
    free(server);
    free(port);
    return ok;
}

static bool set_strings(struct db *db, const struct db_config *cfg, struct error *err)
{
    const bool has_hosts =
        db->ops->id == DIALECT_POSTGRES && cfg->server && !strchr(cfg->server, '/');
    const size_t more = has_hosts ? commas(cfg->server) : 0;
    struct buffer driver = BUFFER_INIT;
    bool ok = false;

    if (cfg->schema && !letters_ok(cfg->schema)) {
        error_set(err, ERR_CONFIG, "use letters, digits, _ and -, at most 63",
                  "schema name '%.80s'", cfg->schema);
        goto out;
    }
    if (cfg->dsn)
        buffer_printf(&driver, "DSN=%s", cfg->dsn);
    else {
        buffer_append_str(&driver, "DRIVER=");
        if (!driver_find(db->ops, cfg->driver, &driver, err))
            goto out;
    }
    db->target.password_at = driver.len;
    db->target.nstrings = 1 + (more < DB_HOSTS_MAX ? more : DB_HOSTS_MAX - 1);
    for (size_t turn = 0; turn < db->target.nstrings; turn++)
        if (!add_string(db, cfg, &driver, turn, err))
            goto out;
    db->schema = strdup(cfg->schema ? cfg->schema : "");
    db->ports = has_hosts && cfg->port ? strdup(cfg->port) : NULL;
    ok = db->describe && db->schema;
    if (!ok)
        error_set(err, ERR_MEMORY, NULL, "no memory for a connection string");
out:
    buffer_free(&driver);
    return ok;
}

/* A ping has no answer: a new connection tells whether the server has died, or only that one. */
static void seek_proof(struct db *db, int64_t now_us) NO_TSA
{
    int64_t until_us = INT64_MAX;
    struct error ignored;

    mutex_unlock(&db->list);
    mutex_lock(&db->mutex);
    (void)!attempt_begin(db, now_us, true, &until_us, &ignored);
    mutex_unlock(&db->mutex);
    mutex_lock(&db->list);
}

static void *watchdog_run(void *ctx)
{
    struct db *db = ctx;

    mutex_lock(&db->list);
    while (!db->is_watch_ended) {
        const int64_t now = clock_mono_us();
        int64_t proof_us;
        bool wants_proof = false;
        mutex_unlock(&db->list);
        workers_reap(db);
        mutex_lock(&db->mutex);
        proof_us = db->proof_us;
        mutex_unlock(&db->mutex);
        mutex_lock(&db->list);
        for (struct conn *c = db->all; c; c = c->next)
            wants_proof = watch_step(c, now, proof_us) || wants_proof;
        if (wants_proof)
            seek_proof(db, now);
        if (!db->is_watch_ended)
            cond_wait_until(&db->watch_wake, &db->list, now + WATCH_US);
    }
    mutex_unlock(&db->list);
    return NULL;
}

/* The first connection: what is wrong shows here. SQLite opens nearly anything, so it must show
 * that it may write. */
static bool prove(struct db *db, struct error *err)
{
    struct conn *c;
    bool ok = true;

    if (!pool_checkout(db, clock_mono_us() + db->target.login_timeout_us + db->checkout_timeout_us,
                       &c, err))
        return false;
    if (db->ops->has_one_writer) {
        ok = conn_begin(c, clock_mono_us() + db->statement_timeout_us, err);
        if (ok)
            conn_rollback(c);
        else if (err->code == ERR_RETRY) /* somebody is writing: that is proof enough */
            ok = true;
    }
    pool_return(c);
    return ok;
}

static int64_t or_default(int64_t v, int64_t otherwise)
{
    return v > 0 ? v : otherwise;
}

static void init_locks(struct db *db)
{
    mutex_init(&db->mutex);
    mutex_init(&db->gate_mutex);
    mutex_init(&db->list);
    mutex_init(&db->workers.mutex);
    cond_init(&db->workers.done);
    cond_init(&db->returned);
    cond_init(&db->gate_free);
    cond_init(&db->watch_wake);
}

void db_process_init(void)
{
    (void)setenv("NLS_LANG", ".AL32UTF8", 0);
}

static void warn_of_threading(const struct db *db, const struct db_config *cfg)
{
    const char *driver = cfg->dsn ? NULL : strchr(db->target.strings[0], '=') + 1;
    char section[256];

    if (db->pool_max > 1 && threading_is_serial(driver, cfg->dsn, section, sizeof(section)))
        log_warn(
            db->logger, ERR_CONFIG,
            "%s: Threading = 3 in [%s] of odbcinst.ini lets one thread of this process use its "
            "databases at a time; set it to 0 there%s",
            db->describe, section,
            strcmp(section, "ODBC") == 0 ? "" : ", or give the driver's path in storage.driver");
}

bool db_open(const struct db_config *config, struct db **out, struct error *err)
{
    struct db *db = calloc(1, sizeof(*db));
    struct error ignored;
    enum dialect d = DIALECT_POSTGRES;

    err = err ? err : &ignored;
    if (!db)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a database");
    struct db_config cfg = *config;
    cfg.statement_timeout_us = or_default(cfg.statement_timeout_us, 10 * US_PER_S);
    init_locks(db);
    db->pool_max = cfg.pool_max ? cfg.pool_max : 8;
    db->checkout_timeout_us = or_default(cfg.checkout_timeout_us, 5 * US_PER_S);
    db->statement_timeout_us = cfg.statement_timeout_us;
    db->logger = cfg.logger;
    atomic_init(&db->refs, 1);
    if (!odbc_env(&db->env, err))
        goto fail;
    if (!secret_init(&db->secret, &cfg, err))
        goto fail;
    if (cfg.type  ? !dialect_parse(cfg.type, &d, err)
        : cfg.dsn ? !ask_type(db->env, &cfg, &db->secret, &d, err)
                  : !error_set(err, ERR_CONFIG, "set storage.type", "storage has no type"))
        goto fail;
    db->ops = dialect_ops_of(d);
    db->secret.is_bare = d == DIALECT_ORACLE;
    if (!set_strings(db, &cfg, err))
        goto fail;
    db->target = (struct conn_target){
        .env = db->env,
        .ops = db->ops,
        .strings = db->strings,
        .nstrings = db->target.nstrings,
        .password_at = db->target.password_at,
        .secret = &db->secret,
        .describe = db->describe,
        .schema = db->schema,
        .peer = {.is_unix = cfg.server && strchr(cfg.server, '/'), .ports = db->ports},
        .login_timeout_us = or_default(cfg.login_timeout_us, 5 * US_PER_S),
        .statement_timeout_us = cfg.statement_timeout_us,
        .idle_in_txn_timeout_us = or_default(cfg.idle_in_txn_timeout_us, 500 * US_PER_MS),
    };
    if (!thread_start(&db->watchdog, "db-watchdog", watchdog_run, db, err) || !prove(db, err))
        goto fail;
    mutex_lock(&db->mutex);
    db->is_proven = true;
    mutex_unlock(&db->mutex);
    warn_of_threading(db, &cfg);
    *out = db;
    return true;
fail:
    db_close(db);
    return false;
}

void pool_list(struct db *db, struct conn *c)
{
    mutex_lock(&db->list);
    c->next = db->all;
    db->all = c;
    mutex_unlock(&db->list);
}

void pool_drop(struct conn *c)
{
    struct db *db = c->db;

    if (!watch_may_free(c))
        return;
    mutex_lock(&db->list);
    for (struct conn **p = &db->all; *p; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            break;
        }
    }
    mutex_unlock(&db->list);
    conn_close(c);
}

/* Closes a list of idle connections. */
static void drop(struct conn *idle)
{
    while (idle) {
        struct conn *next = idle->next_idle;
        pool_drop(idle);
        idle = next;
    }
}

/* Nobody is inside any more. */
static void db_free(struct db *db)
{
    if (db->env)
        SQLFreeHandle(SQL_HANDLE_ENV, db->env);
    secret_free(&db->secret);
    for (size_t i = 0; i < DB_HOSTS_MAX; i++) {
        if (db->strings[i])
            explicit_bzero(db->strings[i], strlen(db->strings[i]));
        free(db->strings[i]);
    }
    free(db->describe);
    free(db->schema);
    free(db->ports);
    cond_destroy(&db->returned);
    cond_destroy(&db->gate_free);
    cond_destroy(&db->watch_wake);
    mutex_destroy(&db->mutex);
    mutex_destroy(&db->gate_mutex);
    mutex_destroy(&db->list);
    mutex_destroy(&db->workers.mutex);
    cond_destroy(&db->workers.done);
    free(db);
}

void db_release(struct db *db)
{
    if (atomic_fetch_sub(&db->refs, 1) == 1)
        db_free(db);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    mutex_lock(&db->mutex);
    struct conn *idle = db->idle;
    db->idle = NULL;
    db->is_closed = true;
    mutex_unlock(&db->mutex);
    drop(idle);
    mutex_lock(&db->list);
    for (struct conn *c = db->all; c; c = c->next)
        watch_hurry(c);
    mutex_unlock(&db->list);
    workers_leave(db, clock_mono_us() + CLOSE_WAIT_US);
    mutex_lock(&db->list);
    db->is_watch_ended = true;
    cond_broadcast(&db->watch_wake);
    mutex_unlock(&db->list);
    thread_join(&db->watchdog);
    db_release(db);
}

enum dialect db_dialect(const struct db *db)
{
    return db->ops->id;
}

const char *db_schema(const struct db *db)
{
    return db->schema;
}

const char *db_describe(const struct db *db)
{
    return db->describe;
}

/* ---- the pool ---- */

static void poison(struct db *db, const struct conn *found)
{
    mutex_lock(&db->mutex);
    if (found && found->generation != db->generation) { /* that was said before */
        mutex_unlock(&db->mutex);
        return;
    }
    struct conn *idle = db->idle;
    for (struct conn *c = idle; c; c = c->next_idle)
        db->open--;
    db->idle = NULL;
    db->generation++;
    db->lost++;
    cond_broadcast(&db->returned);
    mutex_unlock(&db->mutex);
    drop(idle);
}

void db_poison(struct db *db)
{
    poison(db, NULL);
}

void pool_poison(const struct conn *c)
{
    poison(c->db, c);
}

void db_stats(struct db *db, struct db_stats *out)
{
    mutex_lock(&db->mutex);
    *out =
        (struct db_stats){db->open, db->in_use, db->waiting, db->connects, db->retries, db->lost};
    mutex_unlock(&db->mutex);
}

void db_note_retry(struct db *db)
{
    mutex_lock(&db->mutex);
    db->retries++;
    mutex_unlock(&db->mutex);
}

/* Waits for an idle connection, and has one made when there is none. In the order of coming: who
 * gives a connection back and wants one again stands behind those who wait. */
static bool await_idle(struct db *db, const struct waiter *w, int64_t deadline_us,
                       struct error *err) NO_TSA
{
    const int64_t free_by_us = clock_mono_us() + db->checkout_timeout_us;
    const uint64_t failures = db->failures;

    while (!db->idle || db->queue != w) {
        const int64_t now = clock_mono_us();
        int64_t until_us = deadline_us;
        if (db->failures != failures) {
            *err = db->failure;
            return false;
        }
        if (!attempt_begin(db, now, false, &until_us, err))
            return false;
        if (db->attempts == 0 && free_by_us < until_us)
            until_us = free_by_us;
        if (now >= until_us && db->attempts > 0)
            return error_set(err, ERR_UNAVAILABLE, "check that the server runs and can be reached",
                             "%s: the server does not answer", db->describe);
        if (now >= until_us)
            return error_set(err, ERR_UNAVAILABLE,
                             "raise storage.pool-size, or look for slow statements",
                             "none of %u connections became free in time", db->open);
        cond_wait_until(&db->returned, &db->mutex, until_us);
    }
    return true;
}

static bool take(struct db *db, int64_t deadline_us, struct conn **out, struct error *err) NO_TSA
{
    struct waiter w = {.next = NULL};
    struct waiter **at = &db->queue;

    while (*at)
        at = &(*at)->next;
    *at = &w;
    const bool ok = await_idle(db, &w, deadline_us, err);
    for (at = &db->queue; *at != &w;)
        at = &(*at)->next;
    *at = w.next;
    if (ok) {
        *out = db->idle;
        db->idle = (*out)->next_idle;
    }
    if (db->queue && db->idle) /* the next one's */
        cond_broadcast(&db->returned);
    return ok;
}

static bool ping_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)cols;
    (void)n;
    (void)err;
    return true;
}

static bool is_alive(struct conn *c, int64_t deadline_us)
{
    const struct statement *s = catalogue_find(c->db->ops->id, "ping");
    struct call k = {.s = s, .deadline_us = deadline_us, .kind = WATCH_PING};
    struct error ignored;

    if (c->db->ops->has_one_writer || !s || clock_mono_us() - c->used_us < PING_AFTER_US)
        return true;
    return conn_query(c, &k, ping_row, NULL, NULL, NULL, &ignored);
}

static void discard(struct conn *c)
{
    struct db *db = c->db;

    pool_drop(c);
    mutex_lock(&db->mutex);
    db->open--;
    db->in_use--;
    cond_broadcast(&db->returned);
    mutex_unlock(&db->mutex);
}

bool pool_checkout(struct db *db, int64_t deadline_us, struct conn **out, struct error *err)
{
    for (;;) {
        mutex_lock(&db->mutex);
        db->waiting++;
        const bool ok = take(db, deadline_us, out, err);
        db->waiting--;
        db->in_use += ok;
        mutex_unlock(&db->mutex);
        if (!ok || is_alive(*out, deadline_us))
            return ok;
        (*out)->is_broken = true;
        discard(*out);
    }
}

void pool_return(struct conn *c)
{
    struct db *db = c->db;

    if (!c)
        return;
    if (c->is_in_txn)
        conn_rollback(c);
    c->used_us = clock_mono_us();
    mutex_lock(&db->mutex);
    const bool is_good = !c->is_broken && c->generation == db->generation;
    if (is_good) {
        c->next_idle = db->idle;
        db->idle = c;
        db->in_use--;
        cond_broadcast(&db->returned);
    }
    mutex_unlock(&db->mutex);
    if (!is_good)
        discard(c);
}

/* ---- SQLite's gate ---- */

bool gate_enter(struct db *db, int64_t deadline_us, struct error *err)
{
    bool is_late = false;

    if (!db->ops->has_one_writer)
        return true;
    mutex_lock(&db->gate_mutex);
    while (db->is_gate_taken && !is_late)
        is_late = !cond_wait_until(&db->gate_free, &db->gate_mutex, deadline_us);
    const bool is_mine = !db->is_gate_taken;
    db->is_gate_taken = true;
    mutex_unlock(&db->gate_mutex);
    return is_mine || error_set(err, ERR_TIMEOUT, "look for slow transactions",
                                "other writing transactions of this process did not end in time");
}

void gate_leave(struct db *db)
{
    if (!db->ops->has_one_writer)
        return;
    mutex_lock(&db->gate_mutex);
    db->is_gate_taken = false;
    cond_signal(&db->gate_free);
    mutex_unlock(&db->gate_mutex);
}
