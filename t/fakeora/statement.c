/* statement.c: statements, their parameters and what they answer. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t/fakeora/fakeora.h"

#define PARAMS_MAX   65535
#define VARCHAR2_MAX 4000 /* bytes; more can be bound as a LONG only */

static bool is_64_bit(SQLSMALLINT type)
{
    return type == SQL_C_SBIGINT || type == SQL_C_UBIGINT || type == SQL_BIGINT;
}

static SQLRETURN refuse_64_bit(struct fo_stmt *s)
{
    diag_set(&s->h.diag, "HY004", 0, "Invalid SQL data type <-25>.");
    return SQL_ERROR;
}

/* ---- parameters ---- */

static struct param *param_at(struct fo_stmt *s, size_t n)
{
    if (n == 0 || n > PARAMS_MAX)
        return NULL;
    if (n > s->nparams) {
        struct param *more = realloc(s->params, n * sizeof(*more));
        if (!more)
            return NULL;
        memset(more + s->nparams, 0, (n - s->nparams) * sizeof(*more));
        s->params = more;
        s->nparams = n;
    }
    return &s->params[n - 1];
}

SQLRETURN SQLBindParameter(SQLHSTMT stmt, SQLUSMALLINT n, SQLSMALLINT io, SQLSMALLINT c_type,
                           SQLSMALLINT sql_type, SQLULEN size, SQLSMALLINT digits, SQLPOINTER data,
                           SQLLEN room, SQLLEN *ind)
{
    struct fo_stmt *s = stmt;
    struct param *p;

    s->h.diag.is_set = false;
    if (is_64_bit(c_type) || is_64_bit(sql_type))
        return refuse_64_bit(s);
    p = param_at(s, n);
    if (!p || io != SQL_PARAM_INPUT) {
        diag_set(&s->h.diag, "HYC00", 0, "only input parameters are imitated");
        return SQL_ERROR;
    }
    SQLLEN *sent = p->sent;
    *p = (struct param){true, c_type, sql_type, digits, size, data, room, ind, sent};
    return SQL_SUCCESS; /* psqlODBC is told when the statement runs */
}

static bool is_long(const struct param *p)
{
    return p->sql_type == SQL_LONGVARBINARY || p->sql_type == SQL_LONGVARCHAR ||
           p->sql_type == SQL_WLONGVARCHAR;
}

static size_t fixed_size(SQLSMALLINT c_type)
{
    switch (c_type) {
    case SQL_C_CHAR:
    case SQL_C_BINARY:
        return 0;
    case SQL_C_SHORT:
    case SQL_C_SSHORT:
    case SQL_C_USHORT:
        return sizeof(SQLSMALLINT);
    case SQL_C_FLOAT:
        return sizeof(SQLREAL);
    case SQL_C_DOUBLE:
        return sizeof(SQLDOUBLE);
    case SQL_C_NUMERIC:
        return sizeof(SQL_NUMERIC_STRUCT);
    case SQL_C_BIT:
    case SQL_C_TINYINT:
    case SQL_C_STINYINT:
    case SQL_C_UTINYINT:
        return 1;
    default:
        return sizeof(SQLINTEGER);
    }
}

/* The length of row r, SQL_NULL_DATA for NULL. An empty string or binary IS NULL. */
static SQLLEN value_len(const struct param *p, SQLULEN r)
{
    const SQLLEN ind = p->ind ? p->ind[r] : p->c_type == SQL_C_CHAR ? SQL_NTS : p->room;
    const size_t fixed = fixed_size(p->c_type);

    if (ind == SQL_NULL_DATA)
        return SQL_NULL_DATA;
    if (fixed > 0)
        return (SQLLEN)fixed;
    const SQLLEN len =
        ind == SQL_NTS ? (SQLLEN)strlen((const char *)p->data + r * (SQLULEN)p->room) : ind;
    return len == 0 ? SQL_NULL_DATA : len;
}

static bool param_fits(struct fo_stmt *s, size_t i, struct ora_diag *d)
{
    struct param *p = &s->params[i];
    SQLLEN *sent = realloc(p->sent, s->paramset_size * sizeof(*sent));

    if (!p->is_bound || !sent) {
        if (sent)
            p->sent = sent;
        diag_ora(d, 1008, "not all variables bound");
        return false;
    }
    p->sent = sent;
    for (SQLULEN r = 0; r < s->paramset_size; r++) {
        sent[r] = value_len(p, r);
        if (!is_long(p) && fixed_size(p->c_type) == 0 && sent[r] > VARCHAR2_MAX) {
            diag_ora(d, 1461, "can bind a LONG value only for insert into a LONG column");
            return false;
        }
    }
    return true;
}

/* One LONG at most, behind all others, and none in a MERGE. In an UPDATE the key is behind it:
 * Oracle minds only values that may take more than 4000 bytes. */
static bool params_fit(struct fo_stmt *s, SQLSMALLINT n, struct ora_diag *d)
{
    size_t longs = 0;

    if (s->nparams < (size_t)n) {
        diag_ora(d, 1008, "not all variables bound");
        return false;
    }
    for (size_t i = 0; i < (size_t)n; i++) {
        const struct param *p = &s->params[i];
        if (!param_fits(s, i, d))
            return false;
        const bool is_small = p->size * 4 <= VARCHAR2_MAX;
        if (longs > 0 && !is_long(p) && !(is_small && strncasecmp(s->text, "UPDATE", 6) == 0)) {
            diag_ora(d, 24816,
                     "Expanded non LONG bind data supplied after actual LONG or LOB column");
            return false;
        }
        longs += is_long(p);
    }
    if (longs > 1 || (longs > 0 && strncasecmp(s->text, "MERGE", 5) == 0)) {
        diag_ora(d, 1461, "can bind a LONG value only for insert into a LONG column");
        return false;
    }
    return true;
}

/* psqlODBC takes SQL_LONGVARBINARY for a large object of its own kind. */
static SQLRETURN params_send(struct fo_stmt *s, SQLSMALLINT n)
{
    SQLRETURN r = SQL_SUCCESS;

    for (SQLSMALLINT i = 0; i < n && SQL_SUCCEEDED(r); i++) {
        const struct param *p = &s->params[i];
        const SQLSMALLINT type = p->sql_type == SQL_LONGVARBINARY ? SQL_VARBINARY
                                 : p->sql_type == SQL_LONGVARCHAR ? SQL_VARCHAR
                                                                  : p->sql_type;
        const SQLULEN size = is_long(p) && p->size < (SQLULEN)p->room ? (SQLULEN)p->room : p->size;
        r = real_driver()->SQLBindParameter(s->h.real, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT,
                                            p->c_type, type, size, p->digits, p->data, p->room,
                                            p->sent);
    }
    return r;
}

/* ---- preparing ---- */

/* A function of objects.sql over a connection's own statement; needed before the text itself. */
static SQLRETURN side_call(struct fo_stmt *s, const char *text)
{
    const struct real *real = real_driver();
    SQLHSTMT own;
    SQLRETURN r;

    if (!SQL_SUCCEEDED(real->SQLAllocHandle(SQL_HANDLE_STMT, s->dbc->h.real, &own)))
        return SQL_ERROR;
    r = real->SQLExecDirect(own, (SQLCHAR *)(uintptr_t)text, SQL_NTS);
    if (!SQL_SUCCEEDED(r)) {
        struct handle h = {.type = SQL_HANDLE_STMT, .real = own};
        answer(&h, s->dbc, r);
        s->h.diag = h.diag;
    }
    real->SQLFreeHandle(SQL_HANDLE_STMT, own);
    return SQL_SUCCEEDED(r) ? SQL_SUCCESS : SQL_ERROR;
}

static SQLRETURN domains_make(struct fo_stmt *s, char *domains)
{
    char text[160], *save = NULL;
    SQLRETURN r = SQL_SUCCESS;

    for (char *name = strtok_r(domains, " ", &save); name && SQL_SUCCEEDED(r);
         name = strtok_r(NULL, " ", &save)) {
        snprintf(text, sizeof(text), "SELECT sys.fakeora_domain('%s')", name);
        r = side_call(s, text);
    }
    return r;
}

/* The text for psqlODBC, to be freed; NULL: refused. */
static char *text_for_real(struct fo_stmt *s)
{
    char domains[1024] = "", *out = NULL;
    struct tokens t;

    if (!tokens_read(s->text, &t)) {
        diag_ora(&s->h.diag, 1756, "quoted string not properly terminated");
        return NULL;
    }
    if (text_kind_of(&t, &s->kind, &s->h.diag) && gate_check(&t, s->kind, &s->h.diag))
        out = rewrite_text(&t, s->kind, s->dbc->is_manual, domains, sizeof(domains), &s->h.diag);
    free(t.v);
    if (!out)
        trace_text('R', s->text);
    if (out && *domains && !SQL_SUCCEEDED(domains_make(s, domains))) {
        free(out);
        out = NULL;
    }
    return out;
}

static SQLRETURN prepare(struct fo_stmt *s, const SQLCHAR *text, SQLINTEGER len)
{
    SQLRETURN r;
    char *real_text;

    if (is_gone(&s->h, s->dbc))
        return SQL_ERROR;
    free(s->text);
    s->text =
        len == SQL_NTS ? strdup((const char *)text) : strndup((const char *)text, (size_t)len);
    s->was_manual = s->dbc->is_manual;
    real_text = s->text ? text_for_real(s) : NULL;
    if (!real_text)
        return SQL_ERROR;
    r = answer(&s->h, s->dbc, real_driver()->SQLPrepare(s->h.real, (SQLCHAR *)real_text, SQL_NTS));
    free(real_text);
    return r;
}

SQLRETURN SQLPrepare(SQLHSTMT stmt, SQLCHAR *text, SQLINTEGER len)
{
    struct fo_stmt *s = stmt;
    const SQLRETURN r = prepare(s, text, len);

    if (SQL_SUCCEEDED(r))
        trace_text('P', s->text);
    return r;
}

/* ---- executing ---- */

/* A failed row fails them all, and Oracle's driver need not say which. */
static void array_failed(struct fo_stmt *s)
{
    for (SQLULEN r = 0; s->param_status && r < s->paramset_size; r++)
        s->param_status[r] = SQL_PARAM_ERROR;
    if (s->params_processed)
        *s->params_processed = s->paramset_size;
}

/* psqlODBC has a result for each row of an array, Oracle's driver one for all. */
static void array_done(struct fo_stmt *s)
{
    SQLLEN n = 0;

    s->array_rows = 0;
    do {
        real_driver()->SQLRowCount(s->h.real, &n);
        s->array_rows += n;
    } while (SQL_SUCCEEDED(real_driver()->SQLMoreResults(s->h.real)));
}

/* What a statement leaves open is closed: DML and blocks have no result. */
static SQLRETURN run(struct fo_stmt *s)
{
    const struct real *real = real_driver();
    const bool is_array = s->paramset_size > 1;
    SQLSMALLINT n = 0;
    SQLRETURN r;

    if (is_array && s->kind == TEXT_QUERY) {
        diag_set(&s->h.diag, "HYC00", 0, "SELECT with an array of parameters is not supported");
        return SQL_ERROR;
    }
    real->SQLNumParams(s->h.real, &n);
    if (!params_fit(s, n, &s->h.diag))
        return SQL_ERROR;
    if (s->kind == TEXT_DDL && s->dbc->is_manual)
        real->SQLEndTran(SQL_HANDLE_DBC, s->dbc->h.real, SQL_COMMIT);
    r = params_send(s, n);
    if (SQL_SUCCEEDED(r))
        r = real->SQLExecute(s->h.real);
    r = answer(&s->h, s->dbc, r);
    if (r == SQL_ERROR && is_array)
        array_failed(s);
    else if (is_array && s->kind == TEXT_DML)
        array_done(s);
    if (s->kind == TEXT_DDL && s->dbc->is_manual)
        real->SQLEndTran(SQL_HANDLE_DBC, s->dbc->h.real, SQL_COMMIT);
    if (s->kind == TEXT_BLOCK || s->kind == TEXT_SESSION)
        real->SQLFreeStmt(s->h.real, SQL_CLOSE);
    return r;
}

static SQLRETURN execute(struct fo_stmt *s)
{
    struct fault f;
    SQLRETURN r;

    if (is_gone(&s->h, s->dbc))
        return SQL_ERROR;
    if (s->kind == TEXT_BLOCK && s->was_manual != s->dbc->is_manual) {
        char *text = strdup(s->text); /* whether it ends a transaction is in the text */
        r = text ? prepare(s, (SQLCHAR *)text, SQL_NTS) : SQL_ERROR;
        free(text);
        if (!SQL_SUCCEEDED(r))
            return r;
    }
    f = fault_take(s->text);
    if (f.before)
        return session_lost(&s->h, s->dbc, f.before);
    r = run(s);
    const bool has_run = SQL_SUCCEEDED(r) || r == SQL_NO_DATA;
    trace_text(has_run ? 'E' : 'F', s->text);
    if (f.after && has_run) {
        real_driver()->SQLFreeStmt(s->h.real, SQL_CLOSE);
        return session_lost(&s->h, s->dbc, f.after);
    }
    return r;
}

SQLRETURN SQLExecute(SQLHSTMT stmt)
{
    return execute(stmt);
}

SQLRETURN SQLExecDirect(SQLHSTMT stmt, SQLCHAR *text, SQLINTEGER len)
{
    const SQLRETURN r = prepare(stmt, text, len);

    return SQL_SUCCEEDED(r) ? execute(stmt) : r;
}

SQLRETURN SQLCancel(SQLHSTMT stmt)
{
    return real_driver()->SQLCancel(((struct handle *)stmt)->real);
}

SQLRETURN SQLFreeStmt(SQLHSTMT stmt, SQLUSMALLINT what)
{
    struct fo_stmt *s = stmt;

    if (what == SQL_DROP)
        return SQLFreeHandle(SQL_HANDLE_STMT, stmt);
    if (what == SQL_RESET_PARAMS)
        for (size_t i = 0; i < s->nparams; i++)
            s->params[i].is_bound = false;
    return answer(&s->h, NULL, real_driver()->SQLFreeStmt(s->h.real, what));
}

SQLRETURN SQLCloseCursor(SQLHSTMT stmt)
{
    struct fo_stmt *s = stmt;
    return answer(&s->h, NULL, real_driver()->SQLCloseCursor(s->h.real));
}

SQLRETURN SQLSetStmtAttr(SQLHSTMT stmt, SQLINTEGER attr, SQLPOINTER value, SQLINTEGER len)
{
    struct fo_stmt *s = stmt;

    s->h.diag.is_set = false;
    if ((attr == SQL_ATTR_PARAM_BIND_TYPE && (SQLULEN)value != SQL_PARAM_BIND_BY_COLUMN) ||
        (attr == SQL_ATTR_PARAM_BIND_OFFSET_PTR && value)) {
        diag_set(&s->h.diag, "HYC00", 0, "parameters are imitated by column only");
        return SQL_ERROR;
    }
    if (attr == SQL_ATTR_PARAMSET_SIZE)
        s->paramset_size = (SQLULEN)value;
    if (attr == SQL_ATTR_PARAM_STATUS_PTR)
        s->param_status = value;
    if (attr == SQL_ATTR_PARAMS_PROCESSED_PTR)
        s->params_processed = value;
    return answer(&s->h, s->dbc, real_driver()->SQLSetStmtAttr(s->h.real, attr, value, len));
}

SQLRETURN SQLGetStmtAttr(SQLHSTMT stmt, SQLINTEGER attr, SQLPOINTER value, SQLINTEGER size,
                         SQLINTEGER *len)
{
    struct fo_stmt *s = stmt;
    return answer(&s->h, NULL, real_driver()->SQLGetStmtAttr(s->h.real, attr, value, size, len));
}

/* ---- results ---- */

SQLRETURN SQLBindCol(SQLHSTMT stmt, SQLUSMALLINT n, SQLSMALLINT c_type, SQLPOINTER out, SQLLEN room,
                     SQLLEN *ind)
{
    struct fo_stmt *s = stmt;

    if (is_64_bit(c_type))
        return refuse_64_bit(s);
    return answer(&s->h, s->dbc, real_driver()->SQLBindCol(s->h.real, n, c_type, out, room, ind));
}

SQLRETURN SQLGetData(SQLHSTMT stmt, SQLUSMALLINT n, SQLSMALLINT c_type, SQLPOINTER out, SQLLEN room,
                     SQLLEN *ind)
{
    struct fo_stmt *s = stmt;

    if (is_64_bit(c_type))
        return refuse_64_bit(s);
    return answer(&s->h, s->dbc, real_driver()->SQLGetData(s->h.real, n, c_type, out, room, ind));
}

SQLRETURN SQLFetch(SQLHSTMT stmt)
{
    struct fo_stmt *s = stmt;

    if (is_gone(&s->h, s->dbc))
        return SQL_ERROR;
    return answer(&s->h, s->dbc, real_driver()->SQLFetch(s->h.real));
}

SQLRETURN SQLMoreResults(SQLHSTMT stmt)
{
    struct fo_stmt *s = stmt;

    if (is_gone(&s->h, s->dbc))
        return SQL_ERROR;
    if (s->kind != TEXT_QUERY)
        return SQL_NO_DATA;
    return answer(&s->h, s->dbc, real_driver()->SQLMoreResults(s->h.real));
}

SQLRETURN SQLNumResultCols(SQLHSTMT stmt, SQLSMALLINT *n)
{
    struct fo_stmt *s = stmt;

    if (s->kind != TEXT_QUERY) {
        *n = 0;
        return SQL_SUCCESS;
    }
    return answer(&s->h, s->dbc, real_driver()->SQLNumResultCols(s->h.real, n));
}

SQLRETURN SQLNumParams(SQLHSTMT stmt, SQLSMALLINT *n)
{
    struct fo_stmt *s = stmt;
    return answer(&s->h, s->dbc, real_driver()->SQLNumParams(s->h.real, n));
}

/* Of a block nothing is known. */
SQLRETURN SQLRowCount(SQLHSTMT stmt, SQLLEN *n)
{
    struct fo_stmt *s = stmt;

    if (s->kind == TEXT_BLOCK || s->kind == TEXT_SESSION || s->kind == TEXT_DDL) {
        *n = -1;
        return SQL_SUCCESS;
    }
    if (s->paramset_size > 1) {
        *n = s->array_rows;
        return SQL_SUCCESS;
    }
    return answer(&s->h, s->dbc, real_driver()->SQLRowCount(s->h.real, n));
}

static void upper(SQLCHAR *name)
{
    for (; name && *name; name++)
        *name = (SQLCHAR)toupper(*name);
}

/* Oracle has no 64-bit integer; its names are upper case. */
SQLRETURN SQLDescribeCol(SQLHSTMT stmt, SQLUSMALLINT n, SQLCHAR *name, SQLSMALLINT room,
                         SQLSMALLINT *len, SQLSMALLINT *type, SQLULEN *size, SQLSMALLINT *digits,
                         SQLSMALLINT *nullable)
{
    struct fo_stmt *s = stmt;
    const SQLRETURN r = answer(
        &s->h, s->dbc,
        real_driver()->SQLDescribeCol(s->h.real, n, name, room, len, type, size, digits, nullable));

    if (!SQL_SUCCEEDED(r))
        return r;
    upper(name);
    if (type && size && *type == SQL_BIGINT)
        *size = 19;
    if (type && (*type == SQL_BIGINT || *type == SQL_NUMERIC))
        *type = SQL_DECIMAL;
    return r;
}

SQLRETURN SQLColAttribute(SQLHSTMT stmt, SQLUSMALLINT n, SQLUSMALLINT field, SQLPOINTER text,
                          SQLSMALLINT room, SQLSMALLINT *len, SQLLEN *number)
{
    struct fo_stmt *s = stmt;
    const SQLRETURN r =
        answer(&s->h, s->dbc,
               real_driver()->SQLColAttribute(s->h.real, n, field, text, room, len, number));

    if (!SQL_SUCCEEDED(r))
        return r;
    if (field == SQL_DESC_NAME || field == SQL_DESC_LABEL || field == SQL_COLUMN_NAME)
        upper(text);
    if ((field == SQL_DESC_TYPE || field == SQL_DESC_CONCISE_TYPE) && number &&
        (*number == SQL_BIGINT || *number == SQL_NUMERIC))
        *number = SQL_DECIMAL;
    return r;
}
