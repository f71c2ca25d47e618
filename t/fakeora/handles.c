/* handles.c: environments, connections and their ends, attributes, diagnoses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t/fakeora/fakeora.h"

/* ---- answers ---- */

SQLRETURN answer(struct handle *h, struct fo_dbc *dbc, SQLRETURN r)
{
    char state[6] = "", text[400] = "";
    SQLINTEGER native;
    SQLSMALLINT len;

    h->diag.is_set = false;
    if (r != SQL_ERROR && r != SQL_SUCCESS_WITH_INFO)
        return r;
    real_driver()->SQLGetDiagRec(h->type, h->real, 1, (SQLCHAR *)state, &native, (SQLCHAR *)text,
                                 (SQLSMALLINT)sizeof(text), &len);
    if (r == SQL_SUCCESS_WITH_INFO) { /* only a cut value is news; PostgreSQL's notices are not */
        if (strcmp(state, "01004") != 0)
            return SQL_SUCCESS;
        diag_set(&h->diag, state, 0, "String data, right truncated.");
        return r;
    }
    diag_translate(&h->diag, state, text, false);
    if (dbc && ora_is_lost(h->diag.native))
        dbc->is_dead = true;
    return r;
}

bool is_gone(struct handle *h, const struct fo_dbc *dbc)
{
    h->diag.is_set = false;
    if (dbc->is_dead)
        diag_ora(&h->diag, 3114, "not connected to ORACLE");
    return dbc->is_dead;
}

SQLRETURN session_lost(struct handle *h, struct fo_dbc *dbc, int native)
{
    if (ora_is_lost(native)) {
        real_driver()->SQLEndTran(SQL_HANDLE_DBC, dbc->h.real, SQL_ROLLBACK);
        dbc->is_dead = true;
    }
    diag_ora(&h->diag, native, "ordered by FAKEORA_FAULTS");
    return SQL_ERROR;
}

/* ---- alloc and free ---- */

static struct handle *handle_new(SQLSMALLINT type)
{
    const size_t size = type == SQL_HANDLE_ENV   ? sizeof(struct fo_env)
                        : type == SQL_HANDLE_DBC ? sizeof(struct fo_dbc)
                                                 : sizeof(struct fo_stmt);
    struct handle *h = calloc(1, size);

    if (h)
        h->type = type;
    if (h && type == SQL_HANDLE_STMT)
        ((struct fo_stmt *)(void *)h)->paramset_size = 1;
    return h;
}

SQLRETURN SQLAllocHandle(SQLSMALLINT type, SQLHANDLE in, SQLHANDLE *out)
{
    const struct real *real = real_driver();
    struct handle *parent = in, *h;
    SQLRETURN r;

    if (!real || type == SQL_HANDLE_DESC)
        return SQL_ERROR;
    if (type == SQL_HANDLE_STMT && is_gone(parent, in))
        return SQL_ERROR;
    h = handle_new(type);
    if (!h)
        return SQL_ERROR;
    r = real->SQLAllocHandle(type, parent ? parent->real : SQL_NULL_HANDLE, &h->real);
    if (parent)
        r = answer(parent, NULL, r);
    if (!SQL_SUCCEEDED(r)) {
        free(h);
        return r;
    }
    if (type == SQL_HANDLE_STMT)
        ((struct fo_stmt *)(void *)h)->dbc = in;
    *out = h;
    return SQL_SUCCESS;
}

SQLRETURN SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle)
{
    struct handle *h = handle;
    SQLRETURN r;

    if (type == SQL_HANDLE_DESC)
        return SQL_ERROR;
    r = answer(h, NULL, real_driver()->SQLFreeHandle(type, h->real));
    if (!SQL_SUCCEEDED(r))
        return r;
    if (type == SQL_HANDLE_STMT) {
        struct fo_stmt *s = handle;
        for (size_t i = 0; i < s->nparams; i++)
            free(s->params[i].sent);
        free(s->params);
        free(s->text);
    }
    free(h);
    return SQL_SUCCESS;
}

SQLRETURN SQLSetEnvAttr(SQLHENV env, SQLINTEGER attr, SQLPOINTER value, SQLINTEGER len)
{
    struct handle *h = env;
    return answer(h, NULL, real_driver()->SQLSetEnvAttr(h->real, attr, value, len));
}

SQLRETURN SQLGetEnvAttr(SQLHENV env, SQLINTEGER attr, SQLPOINTER value, SQLINTEGER size,
                        SQLINTEGER *len)
{
    struct handle *h = env;
    return answer(h, NULL, real_driver()->SQLGetEnvAttr(h->real, attr, value, size, len));
}

/* ---- connections ---- */

static SQLRETURN refused(struct handle *h)
{
    char state[6] = "", text[400] = "";
    SQLINTEGER native;
    SQLSMALLINT len;

    real_driver()->SQLGetDiagRec(SQL_HANDLE_DBC, h->real, 1, (SQLCHAR *)state, &native,
                                 (SQLCHAR *)text, (SQLSMALLINT)sizeof(text), &len);
    diag_translate(&h->diag, state, text, true);
    return SQL_ERROR;
}

SQLRETURN SQLDriverConnect(SQLHDBC dbc, SQLHWND window, SQLCHAR *in, SQLSMALLINT in_len,
                           SQLCHAR *out, SQLSMALLINT out_size, SQLSMALLINT *out_len,
                           SQLUSMALLINT completion)
{
    struct fo_dbc *c = dbc;
    char *given = in_len == SQL_NTS ? strdup((char *)in) : strndup((char *)in, (size_t)in_len);
    char *text = given ? connect_string(given, &c->h.diag) : NULL;
    const struct fault f = fault_take("CONNECT");
    SQLRETURN r = SQL_ERROR;

    (void)completion;
    if (f.before || f.after) {
        diag_ora(&c->h.diag, f.before ? f.before : f.after, "ordered by FAKEORA_FAULTS");
    } else if (text) {
        r = real_driver()->SQLDriverConnect(c->h.real, window, (SQLCHAR *)text, SQL_NTS, NULL, 0,
                                            NULL, SQL_DRIVER_NOPROMPT);
        r = SQL_SUCCEEDED(r) ? SQL_SUCCESS : refused(&c->h);
    }
    if (r == SQL_SUCCESS) {
        c->h.diag.is_set = c->is_dead = false;
        if (c->is_manual) /* set before the connection was there */
            real_driver()->SQLSetConnectAttr(c->h.real, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF, 0);
        if (out && out_size > 0)
            snprintf((char *)out, (size_t)out_size, "%s", given);
        if (out_len)
            *out_len = (SQLSMALLINT)strlen(given);
    }
    free(text);
    free(given);
    return r;
}

SQLRETURN SQLDisconnect(SQLHDBC dbc)
{
    struct handle *h = dbc;
    return answer(h, NULL, real_driver()->SQLDisconnect(h->real));
}

SQLRETURN SQLEndTran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT how)
{
    struct fo_dbc *c = handle;
    struct fault f;
    SQLRETURN r;

    if (type != SQL_HANDLE_DBC) {
        diag_set(&c->h.diag, "HYC00", 0, "only a connection's transaction can be ended");
        return SQL_ERROR;
    }
    if (is_gone(&c->h, c))
        return SQL_ERROR;
    f = fault_take(how == SQL_COMMIT ? "COMMIT" : "ROLLBACK");
    if (f.before)
        return session_lost(&c->h, c, f.before);
    r = answer(&c->h, c, real_driver()->SQLEndTran(type, c->h.real, how));
    return f.after && SQL_SUCCEEDED(r) ? session_lost(&c->h, c, f.after) : r;
}

SQLRETURN SQLSetConnectAttr(SQLHDBC dbc, SQLINTEGER attr, SQLPOINTER value, SQLINTEGER len)
{
    struct fo_dbc *c = dbc;

    if (attr == SQL_ATTR_LOGIN_TIMEOUT || attr == SQL_ATTR_CONNECTION_TIMEOUT) {
        diag_set(&c->h.diag, "HYC00", 0, "Optional feature not implemented.");
        return SQL_ERROR;
    }
    const SQLRETURN r =
        answer(&c->h, c, real_driver()->SQLSetConnectAttr(c->h.real, attr, value, len));
    if (attr == SQL_ATTR_AUTOCOMMIT && SQL_SUCCEEDED(r))
        c->is_manual = (SQLULEN)value == SQL_AUTOCOMMIT_OFF;
    return r;
}

/* Whether the connection lives is never known: nothing may rely on it. */
SQLRETURN SQLGetConnectAttr(SQLHDBC dbc, SQLINTEGER attr, SQLPOINTER value, SQLINTEGER size,
                            SQLINTEGER *len)
{
    struct fo_dbc *c = dbc;

    if (attr == SQL_ATTR_CONNECTION_DEAD) {
        *(SQLUINTEGER *)value = SQL_CD_FALSE;
        return SQL_SUCCESS;
    }
    return answer(&c->h, c, real_driver()->SQLGetConnectAttr(c->h.real, attr, value, size, len));
}

SQLRETURN SQLGetInfo(SQLHDBC dbc, SQLUSMALLINT what, SQLPOINTER out, SQLSMALLINT size,
                     SQLSMALLINT *len)
{
    struct fo_dbc *c = dbc;
    const char *text = what == SQL_DBMS_NAME     ? "Oracle"
                       : what == SQL_DBMS_VER    ? "19.00.0000"
                       : what == SQL_DRIVER_NAME ? "fakeora.so"
                       : what == SQL_DRIVER_VER  ? "19.00.0000"
                                                 : NULL;

    if (text) {
        if (out && size > 0)
            snprintf(out, (size_t)size, "%s", text);
        if (len)
            *len = (SQLSMALLINT)strlen(text);
        return SQL_SUCCESS;
    }
    const SQLRETURN r =
        answer(&c->h, c, real_driver()->SQLGetInfo(c->h.real, what, out, size, len));
    if (what == SQL_TXN_CAPABLE && out && SQL_SUCCEEDED(r))
        *(SQLUSMALLINT *)out = SQL_TC_DDL_COMMIT;
    return r;
}

/* ---- diagnoses ---- */

static SQLRETURN put_text(const char *text, SQLPOINTER out, SQLSMALLINT size, SQLSMALLINT *len)
{
    if (len)
        *len = (SQLSMALLINT)strlen(text);
    if (out && size > 0)
        snprintf(out, (size_t)size, "%s", text);
    return strlen(text) < (size_t)(size > 0 ? size : 0) ? SQL_SUCCESS : SQL_SUCCESS_WITH_INFO;
}

SQLRETURN SQLGetDiagRec(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT n, SQLCHAR *state,
                        SQLINTEGER *native, SQLCHAR *text, SQLSMALLINT size, SQLSMALLINT *len)
{
    const struct handle *h = handle;

    if (type == SQL_HANDLE_DESC || !h->diag.is_set || n != 1)
        return SQL_NO_DATA;
    if (state)
        memcpy(state, h->diag.state, sizeof(h->diag.state));
    if (native)
        *native = h->diag.native;
    return put_text(h->diag.text, text, size, len);
}

SQLRETURN SQLGetDiagField(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT n, SQLSMALLINT id,
                          SQLPOINTER out, SQLSMALLINT size, SQLSMALLINT *len)
{
    const struct handle *h = handle;

    if (type == SQL_HANDLE_DESC)
        return SQL_NO_DATA;
    if (n == 0 && id == SQL_DIAG_NUMBER) {
        *(SQLINTEGER *)out = h->diag.is_set;
        return SQL_SUCCESS;
    }
    if (n != 1 || !h->diag.is_set)
        return SQL_NO_DATA;
    switch (id) {
    case SQL_DIAG_SQLSTATE:
        return put_text(h->diag.state, out, size, len);
    case SQL_DIAG_MESSAGE_TEXT:
        return put_text(h->diag.text, out, size, len);
    case SQL_DIAG_CLASS_ORIGIN:
    case SQL_DIAG_SUBCLASS_ORIGIN:
        return put_text("ODBC 3.0", out, size, len);
    case SQL_DIAG_CONNECTION_NAME:
    case SQL_DIAG_SERVER_NAME:
        return put_text("", out, size, len);
    case SQL_DIAG_NATIVE:
        *(SQLINTEGER *)out = h->diag.native;
        return SQL_SUCCESS;
    case SQL_DIAG_ROW_NUMBER:
        *(SQLLEN *)out = SQL_ROW_NUMBER_UNKNOWN;
        return SQL_SUCCESS;
    case SQL_DIAG_COLUMN_NUMBER:
        *(SQLINTEGER *)out = SQL_COLUMN_NUMBER_UNKNOWN;
        return SQL_SUCCESS;
    default:
        return SQL_ERROR;
    }
}
