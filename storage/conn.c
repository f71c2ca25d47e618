/* conn.c: one ODBC connection. */
#include "storage/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "storage/bind.h"
#include "storage/db_internal.h"
#include "storage/secret.h"

#define ROLLBACK_US                                                                                \
    (500 * US_PER_MS) /* behind it the connection is dropped, which rolls back too */
#define SCRATCH_KEEP                                                                               \
    ((size_t)256 << 10) /* a larger column buffer is given back after its query                    \
                         */

struct prepared_key {
    const struct step *step;
    size_t nrows;
};
struct prepared {
    struct prepared_key key;
    SQLHSTMT h;
    UT_hash_handle hh;
};
/* ---- diagnoses ---- */

void diag_read(SQLSMALLINT type, SQLHANDLE h, struct diag *out)
{
    SQLCHAR state[16] = "", text[sizeof(out->text)] = "";
    SQLINTEGER native = 0;
    SQLSMALLINT len;
    size_t n = 0;

    SQLGetDiagRec(type, h, 1, state, &native, text, (SQLSMALLINT)sizeof(text), &len);
    snprintf(out->state, sizeof(out->state), "%.7s", (const char *)state);
    out->native = (int)native;
    for (const char *p = (const char *)text; *p && n < sizeof(out->text) - 1; p++) {
        char ch = *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p;
        if (ch != ' ' || (n > 0 && out->text[n - 1] != ' '))
            out->text[n++] = ch;
    }
    while (n > 0 && (out->text[n - 1] == ' ' || out->text[n - 1] == ';'))
        n--;
    out->text[n] = '\0';
    char *noise = strstr(out->text, "; Error while executing the query");
    if (noise)
        *noise = '\0';
}

/* Where the reader must act on the database itself, the line names driver and DSN. */
static bool is_about_database(enum error_code code)
{
    return code == ERR_READ_ONLY || code == ERR_FULL || code == ERR_IO || code == ERR_CONFIG ||
           code == ERR_UNAVAILABLE;
}

bool diag_error(struct conn *c, SQLSMALLINT type, SQLHANDLE h, const char *what, struct error *err)
{
    const struct dialect_ops *ops = c->db->ops;
    struct diag d;
    enum error_code code;
    bool is_cut;

    diag_read(type, h, &d);
    code = ops->classify(&d, false);
    if (watch_has_ended(c, &is_cut))
        code = is_cut || code == ERR_CONNECTION ? ERR_CONNECTION : ERR_TIMEOUT;
    if (code == ERR_CONNECTION || code == ERR_READ_ONLY) {
        c->is_broken = true;
        pool_poison(c);
    }
    if (is_about_database(code))
        return error_set(err, code, dialect_advice(ops->id, code, &d), "%s: %s: %s (%s/%d)",
                         c->db->describe, what, d.text, d.state, d.native);
    return error_set(err, code, dialect_advice(ops->id, code, &d), "%s: %s (%s/%d)", what, d.text,
                     d.state, d.native);
}

/* ---- open and close ---- */

static bool connect_error(struct conn *c, const struct conn_target *t, const char *string,
                          struct error *err)
{
    struct diag d;
    enum error_code code;

    diag_read(SQL_HANDLE_DBC, c->dbc, &d);
    secret_blank(t->secret, string, d.text);
    code = t->ops->classify(&d, true);
    return error_set(err, code, dialect_advice(t->ops->id, code, &d), "%s: %s", t->describe,
                     d.text);
}

struct setup {
    int64_t port; /* of our end of the connection, 0 for none */
};

static bool setup_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    ((struct setup *)ctx)->port = cols[1].i64;
    return true;
}

struct sample {
    bool is_same;
    int64_t chars;
};

static const char sample_text[] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"; /* three characters */

static bool sample_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct sample *s = ctx;

    (void)n;
    (void)err;
    s->is_same = strcmp(value_cstr(&cols[0]), sample_text) == 0;
    s->chars = cols[1].i64;
    return true;
}

static bool session_exec(struct conn *c, const char *name, int64_t deadline_us, struct error *err)
{
    struct call k = {.s = catalogue_find(c->db->ops->id, name), .deadline_us = deadline_us};

    return conn_exec(c, &k, NULL, NULL, err);
}

/* Oracle: no limits of the server, but what the client's environment must not decide. */
static bool setup_oracle(struct conn *c, const struct conn_target *t, int64_t deadline_us,
                         struct error *err)
{
    const struct value v[] = {value_text(sample_text)};
    struct call k = {
        .s = catalogue_find(t->ops->id, "session_check"), .params = v, .deadline_us = deadline_us};
    struct sample sample = {0};

    if (!SQL_SUCCEEDED(SQLSetConnectAttr(c->dbc, SQL_ATTR_TXN_ISOLATION,
                                         (SQLPOINTER)(uintptr_t)SQL_TXN_READ_COMMITTED, 0)))
        return diag_error(c, SQL_HANDLE_DBC, c->dbc, "isolation", err);
    if (!session_exec(c, "session_setup", deadline_us, err) ||
        (*t->schema && !session_exec(c, "session_schema", deadline_us, err)) ||
        !conn_query(c, &k, sample_row, &sample, NULL, NULL, err))
        return false;
    return (sample.is_same && sample.chars == 3) ||
           error_set(err, ERR_CONFIG,
                     "start the program with NLS_LANG=.AL32UTF8, on a database with AL32UTF8",
                     "%s: text does not come back as it was sent", t->describe);
}

/* The limits of a session are the server's as well, so that they hold when we are stopped. */
static bool conn_setup(struct conn *c, const struct conn_target *t, int64_t deadline_us,
                       uint16_t *own_port, struct error *err)
{
    const struct statement *s = catalogue_find(t->ops->id, "session_setup");
    char path[160] = "", statement_ms[24], lock_ms[24], idle_ms[24];
    struct setup setup = {0};

    if (!s)
        return true;
    if (t->ops->has_driver_txn)
        return setup_oracle(c, t, deadline_us, err);
    if (*t->schema)
        snprintf(path, sizeof(path), "\"%s\"", t->schema);
    snprintf(statement_ms, sizeof(statement_ms), "%lld",
             (long long)(t->statement_timeout_us / US_PER_MS));
    snprintf(idle_ms, sizeof(idle_ms), "%lld", (long long)(t->idle_in_txn_timeout_us / US_PER_MS));
    snprintf(lock_ms, sizeof(lock_ms), "%s", idle_ms);
    struct value v[] = {value_text(path), value_text(statement_ms), value_text(lock_ms),
                        value_text(idle_ms)};
    struct call k = {.s = s, .params = v, .deadline_us = deadline_us};
    if (!conn_query(c, &k, setup_row, &setup, NULL, NULL, err))
        return false;
    *own_port = setup.port > 0 ? (uint16_t)setup.port : 0;
    return true;
}

/* The password is read now, so that it may have changed since the last connection. */
static bool driver_connect(struct conn *c, const struct conn_target *t, int64_t deadline_us,
                           struct error *err)
{
    const char *const template = t->strings[c->turn % t->nstrings];
    const size_t n = strlen(template), at = t->password_at;
    struct buffer string = BUFFER_INIT;
    bool ok = false;

    buffer_append(&string, template, at);
    if (!secret_append(t->secret, n - at + 1, &string, err)) {
        error_add(err, "%s", t->describe);
        goto out;
    }
    buffer_append(&string, template + at, n - at);
    const char *text = buffer_cstr(&string);
    if (!text) {
        error_set(err, ERR_MEMORY, NULL, "no memory for a connection string");
        goto out;
    }
    watch_start(c, WATCH_CONNECT, deadline_us);
    ok = SQL_SUCCEEDED(SQLDriverConnect(c->dbc, NULL, (SQLCHAR *)(uintptr_t)text, SQL_NTS, NULL, 0,
                                        NULL, SQL_DRIVER_NOPROMPT));
    c->is_connected = ok;
    if (watch_stop(c))
        ok = error_set(err, ERR_UNAVAILABLE, "check that the server runs and can be reached",
                       "%s: the login was not answered in time", t->describe);
    else if (!ok)
        connect_error(c, t, text, err);
out:
    secret_buffer_free(&string);
    return ok;
}

bool conn_new(struct db *db, struct conn **out, struct error *err)
{
    struct conn *c = calloc(1, sizeof(*c));

    if (!c)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a connection");
    c->db = db;
    watch_init(&c->watch);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, db->target.env, &c->dbc))) {
        c->dbc = SQL_NULL_HDBC;
        conn_close(c);
        return error_set(err, ERR_MEMORY, NULL, "no ODBC connection handle");
    }
    *out = c;
    return true;
}

bool conn_connect(struct conn *c, const struct conn_target *t, struct error *err)
{
    const int64_t deadline_us = clock_mono_us() + t->login_timeout_us;
    const int64_t seconds = (t->login_timeout_us + US_PER_S - 1) / US_PER_S;
    struct sockets connected = {0};
    uint16_t own_port = 0;

    if (!t->ops->has_no_login_timeout)
        SQLSetConnectAttr(c->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)(intptr_t)seconds, 0);
    watch_connecting(c);
    if (!driver_connect(c, t, deadline_us, err))
        return false;
    watch_connected(c, &connected);
    const bool ok = conn_setup(c, t, deadline_us, &own_port, err);
    watch_proven(c, &connected, own_port);
    c->used_us = clock_mono_us();
    return ok;
}

/* A driver frees its statements with the connection, and only behind a socket that is cut, or
 * without a server, does it not ask that about each. */
void conn_close(struct conn *c)
{
    struct prepared *p, *next;

    if (!c || !watch_may_free(c))
        return;
    const bool is_local = c->db->ops->has_one_writer;
    const bool is_cut = c->is_broken && watch_cut(c);
    HASH_ITER(hh, c->prepared, p, next)
    {
        HASH_DEL(c->prepared, p);
        if (is_local)
            SQLFreeHandle(SQL_HANDLE_STMT, p->h);
        free(p);
    }
    if (c->is_pending && !is_cut) { /* better a session too many than half a transaction */
        log_warn(c->db->logger, ERR_DATABASE, "a session is left open: it cannot be rolled back");
    } else if (c->dbc != SQL_NULL_HDBC) {
        if (c->is_connected)
            SQLDisconnect(c->dbc);
        SQLFreeHandle(SQL_HANDLE_DBC, c->dbc);
    }
    for (size_t i = 0; i < c->ncolumns; i++)
        buffer_free(&c->columns[i]);
    free(c->columns);
    bind_free(c);
    watch_destroy(&c->watch);
    free(c);
}

bool conn_dbms(SQLHDBC dbc, char *out, size_t size)
{
    SQLSMALLINT len;

    return SQL_SUCCEEDED(SQLGetInfo(dbc, SQL_DBMS_NAME, out, (SQLSMALLINT)size, &len));
}

/* ---- preparing ---- */

/* The schema's name stands in DDL, where no parameter can; db_open has checked its letters. */
static bool put_schema(const struct conn *c, struct buffer *sql, struct error *err)
{
    const char *text = buffer_cstr(sql);
    const char *mark = text ? strstr(text, "{schema}") : NULL;
    struct buffer b = BUFFER_INIT;

    if (!mark)
        return buffer_ok(sql, err);
    buffer_append(&b, text, (size_t)(mark - text));
    buffer_printf(&b, c->db->ops->id == DIALECT_ORACLE ? "%s%s" : "\"%s\"%s", c->db->schema,
                  mark + strlen("{schema}"));
    buffer_free(sql);
    *sql = b;
    return buffer_ok(sql, err);
}

static bool prepare(struct conn *c, const struct statement *s, size_t step, size_t nrows,
                    SQLHSTMT *out, struct error *err)
{
    struct prepared_key key;
    struct prepared *p;
    struct buffer sql = BUFFER_INIT;
    bool ok = false;

    memset(&key, 0, sizeof(key));
    key.step = &s->steps[step];
    key.nrows = nrows;
    HASH_FIND(hh, c->prepared, &key, sizeof(key), p);
    if (p) {
        *out = p->h;
        return true;
    }
    if (!statement_render(c->db->ops->id, s, step, nrows, &sql, err) || !put_schema(c, &sql, err))
        goto out;
    p = calloc(1, sizeof(*p));
    if (!p || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->dbc, &p->h))) {
        error_set(err, ERR_MEMORY, NULL, "no ODBC statement handle for %s", s->name);
        goto out;
    }
    p->key = key;
    if (!SQL_SUCCEEDED(SQLPrepare(p->h, (SQLCHAR *)(uintptr_t)buffer_cstr(&sql), SQL_NTS))) {
        diag_error(c, SQL_HANDLE_STMT, p->h, s->name, err);
        SQLFreeHandle(SQL_HANDLE_STMT, p->h);
        goto out;
    }
    HASH_ADD(hh, c->prepared, key, sizeof(p->key), p);
    *out = p->h;
    p = NULL;
    ok = true;
out:
    free(ok ? NULL : p);
    buffer_free(&sql);
    return ok;
}

/* ---- executing ---- */

static bool conn_autocommit(struct conn *c, bool is_on, struct error *err);

/* True when the server warned (01000): after a COMMIT that is an unknown outcome. */
static bool warned(SQLHSTMT h, SQLRETURN r)
{
    struct diag d;

    if (r != SQL_SUCCESS_WITH_INFO)
        return false;
    diag_read(SQL_HANDLE_STMT, h, &d);
    return strcmp(d.state, "01000") == 0;
}

static bool start(struct conn *c, const struct call *k, SQLHSTMT *out, bool *has_warned,
                  struct error *err)
{
    SQLHSTMT h;
    SQLRETURN r;

    if (!conn_autocommit(c, !c->is_in_txn, err) ||
        !prepare(c, k->s, k->step, k->s->nrow ? k->padded : 0, &h, err) || !bind_all(c, h, k, err))
        return false;
    if (k->kind == WATCH_CALL)
        watch_handle(c, h);
    r = SQLExecute(h);
    const bool has_failed = !SQL_SUCCEEDED(r) && r != SQL_NO_DATA; /* an UPDATE that found no row */
    if (has_failed)
        diag_error(c, SQL_HANDLE_STMT, h, k->s->name, err);
    if (!bind_done(c, h, k, has_failed))
        error_set(err, ERR_DATABASE, NULL, "%s: a row of %zu failed", k->s->name, k->nrows);
    else if (!has_failed)
        goto done;
    SQLFreeStmt(h, SQL_CLOSE);
    return false;
done:
    if (has_warned)
        *has_warned = warned(h, r);
    *out = h;
    return true;
}

/* Whoever is late is not used again: an answer, or a cancel, may still be under way. */
static bool done(struct conn *c, bool ok)
{
    if (watch_stop(c))
        c->is_broken = true;
    return ok;
}

bool conn_exec(struct conn *c, const struct call *k, int64_t *affected, bool *has_warned,
               struct error *err)
{
    SQLHSTMT h;
    SQLLEN n = 0;

    watch_start(c, k->kind, k->deadline_us);
    if (!start(c, k, &h, has_warned, err))
        return done(c, false);
    if (bind_is_array(c, k))
        n = (SQLLEN)k->nrows;
    else
        SQLRowCount(h, &n);
    SQLFreeStmt(h, SQL_CLOSE);
    if (affected)
        *affected = n > 0 ? (int64_t)n : 0;
    return done(c, true);
}

/* Reads a text or bytes of any length; text gets a NUL behind it. */
static bool read_long(struct conn *c, SQLHSTMT h, SQLUSMALLINT i, const struct statement *s,
                      struct buffer *b, struct value *out, struct error *err)
{
    const bool is_text = s->columns[i - 1].kind == VALUE_TEXT;
    const size_t nul = is_text ? 1 : 0;
    SQLRETURN r = SQL_SUCCESS_WITH_INFO;

    buffer_clear(b);
    for (size_t want = 1024; r == SQL_SUCCESS_WITH_INFO;) {
        SQLLEN ind = 0;
        uint8_t *at = buffer_reserve(b, want);
        if (!at)
            return error_set(err, ERR_MEMORY, NULL, "%s: no memory for a column", s->name);
        r = SQLGetData(h, i, is_text ? SQL_C_CHAR : SQL_C_BINARY, at, (SQLLEN)want, &ind);
        if (!SQL_SUCCEEDED(r))
            return diag_error(c, SQL_HANDLE_STMT, h, s->name, err);
        if (ind == SQL_NULL_DATA) {
            *out = value_null();
            return true;
        }
        const bool is_cut =
            r == SQL_SUCCESS_WITH_INFO && (ind == SQL_NO_TOTAL || (size_t)ind > want - nul);
        const size_t got = is_cut ? want - nul : (size_t)ind;
        b->len += got;
        if (!is_cut)
            break;
        want = ind == SQL_NO_TOTAL ? b->len : (size_t)ind - got + nul;
        if (b->len + want > VALUE_BYTES_MAX + 2)
            return error_set(err, ERR_LIMIT, NULL, "%s: column %s is longer than %zu bytes",
                             s->name, s->columns[i - 1].name, VALUE_BYTES_MAX);
    }
    if (!buffer_cstr(b)) /* the NUL */
        return error_set(err, ERR_MEMORY, NULL, "%s: no memory for a column", s->name);
    *out = (struct value){is_text ? VALUE_TEXT : VALUE_BYTES, 0, buffer_bytes(b)};
    return true;
}

static bool read_i64(struct conn *c, SQLHSTMT h, SQLUSMALLINT i, const struct statement *s,
                     struct value *out, struct error *err)
{
    const bool is_text = c->db->ops->has_text_i64;
    char text[64] = "";
    int64_t v = 0;
    SQLLEN ind = 0;
    SQLRETURN r = is_text ? SQLGetData(h, i, SQL_C_CHAR, text, (SQLLEN)sizeof(text), &ind)
                          : SQLGetData(h, i, SQL_C_SBIGINT, &v, (SQLLEN)sizeof(v), &ind);

    if (!SQL_SUCCEEDED(r))
        return diag_error(c, SQL_HANDLE_STMT, h, s->name, err);
    *out = value_null();
    if (ind == SQL_NULL_DATA)
        return true;
    if (is_text && !digits_parse(text, &v))
        return error_set(err, ERR_DATABASE, NULL, "%s: column %s is '%s', not a 64-bit integer",
                         s->name, s->columns[i - 1].name, text);
    *out = value_i64(v);
    return true;
}

static bool read_row(struct conn *c, SQLHSTMT h, const struct statement *s, struct value *out,
                     struct error *err)
{
    for (size_t i = 0; i < s->ncolumns; i++) {
        const SQLUSMALLINT at = (SQLUSMALLINT)(i + 1);
        if (s->columns[i].kind != VALUE_I64) {
            if (!read_long(c, h, at, s, &c->columns[i], &out[i], err))
                return false;
            continue;
        }
        if (!read_i64(c, h, at, s, &out[i], err))
            return false;
    }
    return true;
}

static bool columns_for(struct conn *c, const struct statement *s, struct error *err)
{
    if (s->ncolumns == 0)
        return error_set(err, ERR_INTERNAL, NULL, "%s has no `columns:`", s->name);
    if (s->ncolumns <= c->ncolumns)
        return true;
    struct buffer *columns = realloc(c->columns, s->ncolumns * sizeof(*columns));
    if (!columns)
        return error_set(err, ERR_MEMORY, NULL, "%s: no memory for its columns", s->name);
    memset(columns + c->ncolumns, 0, (s->ncolumns - c->ncolumns) * sizeof(*columns));
    c->columns = columns;
    c->ncolumns = s->ncolumns;
    return true;
}

#define COLUMNS_MAX 120 /* embed.awk refuses more */

bool conn_query(struct conn *c, const struct call *k, row_fn *fn, void *ctx, size_t *handed,
                bool *has_warned, struct error *err)
{
    struct value row[COLUMNS_MAX];
    SQLHSTMT h;
    SQLRETURN r;
    bool ok = true;

    watch_start(c, k->kind, k->deadline_us);
    if (!columns_for(c, k->s, err) || !start(c, k, &h, has_warned, err))
        return done(c, false);
    SQLSMALLINT found = 0;
    SQLNumResultCols(h, &found);
    if ((size_t)found != k->s->ncolumns) {
        SQLFreeStmt(h, SQL_CLOSE);
        (void)!done(c, false);
        return error_set(err, ERR_INTERNAL, NULL, "%s gives %d columns, its header has %zu",
                         k->s->name, (int)found, k->s->ncolumns);
    }
    while (ok && (r = SQLFetch(h)) != SQL_NO_DATA) {
        if (!SQL_SUCCEEDED(r))
            ok = diag_error(c, SQL_HANDLE_STMT, h, k->s->name, err);
        else if ((ok = read_row(c, h, k->s, row, err)) && handed)
            (*handed)++;
        watch_outside(c, true);
        ok = ok && fn(ctx, row, k->s->ncolumns, err);
        watch_outside(c, false);
    }
    SQLFreeStmt(h, SQL_CLOSE);
    for (size_t i = 0; i < k->s->ncolumns; i++)
        if (c->columns[i].cap > SCRATCH_KEEP)
            buffer_free(&c->columns[i]);
    return done(c, ok);
}

/* Where DDL commits a migration is run again from its first text: what is there is right. */
static bool is_done(const struct conn *c, SQLHSTMT h)
{
    struct diag d;

    if (!c->db->ops->is_done)
        return false;
    diag_read(SQL_HANDLE_STMT, h, &d);
    return c->db->ops->is_done(&d);
}

bool conn_text(struct conn *c, const char *sql, int64_t deadline_us, struct error *err)
{
    SQLHSTMT h;
    SQLRETURN r;

    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->dbc, &h)))
        return error_set(err, ERR_MEMORY, NULL, "no ODBC statement handle");
    watch_start(c, WATCH_CALL, deadline_us);
    watch_handle(c, h);
    r = SQLExecDirect(h, (SQLCHAR *)(uintptr_t)sql, SQL_NTS);
    const bool ok = SQL_SUCCEEDED(r) || r == SQL_NO_DATA || is_done(c, h);
    if (!ok)
        diag_error(c, SQL_HANDLE_STMT, h, "migration", err);
    (void)!done(c, ok);
    if (!c->is_broken || c->db->ops->has_one_writer) /* else a cancel may still use it */
        SQLFreeHandle(SQL_HANDLE_STMT, h);
    return ok;
}

/* On a handle of its own: psqlODBC answers nothing about one that was used before. */
bool conn_check(struct conn *c, const struct statement *s, size_t step, struct error *err)
{
    struct buffer sql = BUFFER_INIT;
    SQLSMALLINT n = 0, type = 0, digits = 0, null = 0;
    SQLULEN size = 0;
    SQLRETURN r;
    SQLHSTMT h;

    if (!statement_render(c->db->ops->id, s, step, s->nrow ? 1 : 0, &sql, err) ||
        !put_schema(c, &sql, err) || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->dbc, &h))) {
        buffer_free(&sql);
        return error_add(err, "%s cannot be prepared", s->name);
    }
    watch_start(c, WATCH_CALL, clock_mono_us() + c->db->statement_timeout_us);
    r = SQLPrepare(h, (SQLCHAR *)(uintptr_t)buffer_cstr(&sql), SQL_NTS);
    /* and it sends the text to the server only when it is asked about it */
    if (SQL_SUCCEEDED(r) && c->db->ops->id != DIALECT_SQLITE) {
        if (s->steps[step].norder > 0 && c->db->ops->id == DIALECT_POSTGRES)
            r = SQLDescribeParam(h, 1, &type, &size, &digits, &null);
        else if (s->ncolumns > 0)
            r = SQLNumResultCols(h, &n);
    }
    const bool ok = SQL_SUCCEEDED(r) || diag_error(c, SQL_HANDLE_STMT, h, s->name, err);
    (void)!done(c, ok);
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    buffer_free(&sql);
    return ok;
}

/* ---- transactions ----
 * As texts where that works: on SQLite nothing else does, and psqlODBC's SQLEndTran drops the
 * warning that a COMMIT was not replicated. Autocommit stays on there. On Oracle there is no text
 * that begins: the driver is told, by the first statement that needs it the other way. */

static bool text_txn(struct conn *c, const char *name, int64_t deadline_us, bool *has_warned,
                     struct error *err)
{
    const struct statement *s = catalogue_find(c->db->ops->id, name);
    struct call k = {.s = s, .deadline_us = deadline_us, .kind = WATCH_COMMIT};

    if (!s)
        return error_set(err, ERR_INTERNAL, NULL, "no statement %s", name);
    return conn_exec(c, &k, NULL, has_warned, err);
}

/* Nothing is pending when it is turned on: that would commit it. */
static bool conn_autocommit(struct conn *c, bool is_on, struct error *err)
{
    const SQLULEN mode = is_on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF;

    if (!c->db->ops->has_driver_txn || c->is_manual != is_on)
        return true;
    if (!SQL_SUCCEEDED(
            SQLSetConnectAttr(c->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)(uintptr_t)mode, 0))) {
        diag_error(c, SQL_HANDLE_DBC, c->dbc, "autocommit", err);
        c->is_broken = true;
        return false;
    }
    c->is_manual = !is_on;
    return true;
}

static bool driver_end(struct conn *c, SQLSMALLINT how, int64_t deadline_us, struct error *err)
{
    if (!c->is_manual) /* no statement ran */
        return true;
    watch_start(c, WATCH_COMMIT, deadline_us);
    const SQLRETURN r = SQLEndTran(SQL_HANDLE_DBC, c->dbc, how);
    const bool ok = SQL_SUCCEEDED(r) || diag_error(c, SQL_HANDLE_DBC, c->dbc, "COMMIT", err);
    return done(c, ok);
}

bool conn_begin(struct conn *c, int64_t deadline_us, struct error *err)
{
    c->is_in_txn = c->db->ops->has_driver_txn || text_txn(c, "txn_begin", deadline_us, NULL, err);
    return c->is_in_txn;
}

/* After a COMMIT that failed: what is known of it? */
static bool commit_failed(struct conn *c, struct error *err)
{
    if (err->code == ERR_CONNECTION || err->code == ERR_TIMEOUT || err->code == ERR_IO) {
        c->is_broken = true;
        err->code = ERR_UNKNOWN_OUTCOME;
        return error_add(err, "the answer to COMMIT was lost");
    }
    conn_rollback(c);
    return false;
}

bool conn_commit(struct conn *c, int64_t deadline_us, struct error *err)
{
    bool has_warned = false;

    if (c->db->ops->has_driver_txn ? !driver_end(c, SQL_COMMIT, deadline_us, err)
                                   : !text_txn(c, "txn_commit", deadline_us, &has_warned, err))
        return commit_failed(c, err);
    c->is_in_txn = false;
    if (!has_warned)
        return true;
    c->is_broken = true;
    return error_set(err, ERR_UNKNOWN_OUTCOME, "look at the server's replication",
                     "the server answered COMMIT with a warning");
}

void conn_rollback(struct conn *c)
{
    const int64_t deadline_us = clock_mono_us() + ROLLBACK_US;
    struct error e;

    if (!c->is_in_txn)
        return;
    c->is_in_txn = false;
    if (c->db->ops->has_driver_txn) { /* also when it is broken: an orderly logoff would commit */
        c->is_pending = !driver_end(c, SQL_ROLLBACK, deadline_us, &e) && e.code != ERR_CONNECTION;
        c->is_broken = c->is_broken || c->is_pending;
    } else if (!c->is_broken && !text_txn(c, "txn_rollback", deadline_us, NULL, &e))
        c->is_broken = true;
}
