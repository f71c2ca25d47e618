/* conn.c: one ODBC connection. */
#include "storage/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "storage/db_internal.h"
#include "storage/secret.h"

#define ROLLBACK_US                                                                                \
    (500 * US_PER_MS) /* behind it the connection is dropped, which rolls back too */
#define SCRATCH_KEEP                                                                               \
    ((size_t)256 << 10)      /* a larger column buffer is given back after its query               \
                              */
#define SQL_PARAMS_MAX 32000 /* PostgreSQL's protocol ends at 32767 */

struct prepared_key {
    const struct step *step;
    size_t nrows;
};
struct prepared {
    struct prepared_key key;
    SQLHSTMT h;
    UT_hash_handle hh;
};
struct cell {
    int64_t i64;
    SQLLEN len;
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

/* The limits of a session are the server's as well, so that they hold when we are stopped. */
static bool conn_setup(struct conn *c, const struct conn_target *t, int64_t deadline_us,
                       uint16_t *own_port, struct error *err)
{
    const struct statement *s = catalogue_find(t->ops->id, "session_setup");
    char path[160] = "", statement_ms[24], lock_ms[24], idle_ms[24];
    struct setup setup = {0};

    if (!s)
        return true;
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
    const size_t n = strlen(t->string), at = t->password_at;
    struct buffer string = BUFFER_INIT;
    bool ok = false;

    buffer_append(&string, t->string, at);
    if (!secret_append(t->secret, n - at + 1, &string, err)) {
        error_add(err, "%s", t->describe);
        goto out;
    }
    buffer_append(&string, t->string + at, n - at);
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
    if (c->is_broken)
        watch_cut(c);
    HASH_ITER(hh, c->prepared, p, next)
    {
        HASH_DEL(c->prepared, p);
        if (is_local)
            SQLFreeHandle(SQL_HANDLE_STMT, p->h);
        free(p);
    }
    if (c->dbc != SQL_NULL_HDBC) {
        if (c->is_connected)
            SQLDisconnect(c->dbc);
        SQLFreeHandle(SQL_HANDLE_DBC, c->dbc);
    }
    for (size_t i = 0; i < c->ncolumns; i++)
        buffer_free(&c->columns[i]);
    free(c->columns);
    free(c->cells);
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
    buffer_printf(&b, "\"%s\"%s", c->db->schema, mark + strlen("{schema}"));
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

/* ---- binding ---- */

static bool bind_value(SQLHSTMT h, SQLUSMALLINT i, enum value_kind declared, const struct value *v,
                       struct cell *cell)
{
    SQLSMALLINT c_type = SQL_C_SBIGINT, sql_type = SQL_BIGINT;
    SQLULEN size = 0;
    SQLPOINTER at = &cell->i64;

    cell->i64 = v->i64;
    cell->len = (SQLLEN)sizeof(cell->i64);
    if (declared != VALUE_I64) {
        c_type = declared == VALUE_TEXT ? SQL_C_CHAR : SQL_C_BINARY;
        sql_type = declared == VALUE_TEXT ? SQL_VARCHAR : SQL_VARBINARY;
        size = v->bytes.len > 0 ? v->bytes.len : 1;
        if (v->bytes.data)
            at = (SQLPOINTER)(uintptr_t)v->bytes.data;
        cell->len = (SQLLEN)v->bytes.len;
    }
    /* libsqliteodbc stores BufferLength bytes when it is above 0 and the value is empty */
    SQLLEN room = declared == VALUE_I64 ? (SQLLEN)sizeof(cell->i64) : (SQLLEN)v->bytes.len;
    if (v->kind == VALUE_NULL)
        cell->len = SQL_NULL_DATA;
    return SQL_SUCCEEDED(
        SQLBindParameter(h, i, SQL_PARAM_INPUT, c_type, sql_type, size, 0, at, room, &cell->len));
}

static bool cells_for(struct conn *c, size_t n, struct error *err)
{
    if (n > SQL_PARAMS_MAX)
        return error_set(err, ERR_LIMIT, "write fewer rows at once",
                         "%zu parameters in one statement", n);
    if (n <= c->ncells)
        return true;
    struct cell *cells = realloc(c->cells, n * sizeof(*cells));
    if (!cells)
        return error_set(err, ERR_MEMORY, NULL, "no memory for %zu parameters", n);
    c->cells = cells;
    c->ncells = n;
    return true;
}

static bool bind_all(struct conn *c, SQLHSTMT h, const struct call *k, struct error *err)
{
    static const struct value null = {VALUE_NULL, 0, {NULL, 0}};
    const struct statement *s = k->s;
    const struct step *step = &s->steps[k->step];
    size_t at = 0;

    if (!cells_for(c, step->norder + k->padded * s->nrow, err))
        return false;
    for (size_t i = 0; i < step->norder; i++) {
        if (step->order[i] != STEP_ROWS) {
            const size_t p = (size_t)step->order[i];
            if (!bind_value(h, (SQLUSMALLINT)(at + 1), s->params[p].kind, &k->params[p],
                            &c->cells[at]))
                return diag_error(c, SQL_HANDLE_STMT, h, s->name, err);
            at++;
            continue;
        }
        for (size_t v = 0; v < k->padded * s->nrow; v++, at++) {
            const struct value *value = v < k->nrows * s->nrow ? &k->values[v] : &null;
            if (!bind_value(h, (SQLUSMALLINT)(at + 1), s->row[v % s->nrow].kind, value,
                            &c->cells[at]))
                return diag_error(c, SQL_HANDLE_STMT, h, s->name, err);
        }
    }
    return true;
}

/* ---- executing ---- */

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

    if (!prepare(c, k->s, k->step, k->s->nrow ? k->padded : 0, &h, err) || !bind_all(c, h, k, err))
        return false;
    if (k->kind == WATCH_CALL)
        watch_handle(c, h);
    r = SQLExecute(h);
    if (!SQL_SUCCEEDED(r) && r != SQL_NO_DATA) { /* NO_DATA: an UPDATE that found no row */
        diag_error(c, SQL_HANDLE_STMT, h, k->s->name, err);
        SQLFreeStmt(h, SQL_CLOSE);
        return false;
    }
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
        int64_t v = 0;
        SQLLEN ind = 0;
        if (!SQL_SUCCEEDED(SQLGetData(h, at, SQL_C_SBIGINT, &v, (SQLLEN)sizeof(v), &ind)))
            return diag_error(c, SQL_HANDLE_STMT, h, s->name, err);
        out[i] = ind == SQL_NULL_DATA ? value_null() : value_i64(v);
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
        ok = ok && fn(ctx, row, k->s->ncolumns, err);
    }
    SQLFreeStmt(h, SQL_CLOSE);
    for (size_t i = 0; i < k->s->ncolumns; i++)
        if (c->columns[i].cap > SCRATCH_KEEP)
            buffer_free(&c->columns[i]);
    return done(c, ok);
}

bool conn_text(struct conn *c, const char *sql, int64_t deadline_us, struct error *err)
{
    struct diag d;
    SQLHSTMT h;
    SQLRETURN r;

    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->dbc, &h)))
        return error_set(err, ERR_MEMORY, NULL, "no ODBC statement handle");
    watch_start(c, WATCH_CALL, deadline_us);
    watch_handle(c, h);
    r = SQLExecDirect(h, (SQLCHAR *)(uintptr_t)sql, SQL_NTS);
    bool ok = SQL_SUCCEEDED(r) || r == SQL_NO_DATA;
    if (!ok && c->db->ops->is_done) { /* an earlier run came this far */
        diag_read(SQL_HANDLE_STMT, h, &d);
        ok = c->db->ops->is_done(&d);
    }
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
    if (SQL_SUCCEEDED(r) && c->db->ops->id == DIALECT_POSTGRES) {
        if (s->steps[step].norder > 0)
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
 * As texts on every engine: on SQLite nothing else works, and psqlODBC's SQLEndTran drops the
 * warning that a COMMIT was not replicated. Autocommit stays on. */

static bool text_txn(struct conn *c, const char *name, int64_t deadline_us, bool *has_warned,
                     struct error *err)
{
    const struct statement *s = catalogue_find(c->db->ops->id, name);
    struct call k = {.s = s, .deadline_us = deadline_us, .kind = WATCH_COMMIT};

    if (!s)
        return error_set(err, ERR_INTERNAL, NULL, "no statement %s", name);
    return conn_exec(c, &k, NULL, has_warned, err);
}

bool conn_begin(struct conn *c, int64_t deadline_us, struct error *err)
{
    c->is_in_txn = text_txn(c, "txn_begin", deadline_us, NULL, err);
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

    if (!text_txn(c, "txn_commit", deadline_us, &has_warned, err))
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
    struct error e;

    if (!c->is_in_txn)
        return;
    c->is_in_txn = false;
    if (!c->is_broken && !text_txn(c, "txn_rollback", clock_mono_us() + ROLLBACK_US, NULL, &e))
        c->is_broken = true;
}
