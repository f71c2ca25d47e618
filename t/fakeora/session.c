/* session.c: two sessions at the imitated Oracle, and tables that are new for each test. */
#include "t/fakeora/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session one, two;

int native_of(SQLSMALLINT type, SQLHANDLE h, char *state)
{
    SQLCHAR text[600] = "";
    SQLINTEGER native = -1;
    SQLSMALLINT len;

    state[0] = '\0';
    SQLGetDiagRec(type, h, 1, (SQLCHAR *)state, &native, text, (SQLSMALLINT)sizeof(text), &len);
    return (int)native;
}

/* The last call failed so. */
void expect(SQLSMALLINT type, SQLHANDLE h, const char *state, int native)
{
    char got[8];
    const int n = native_of(type, h, got);

    if (n != native || strcmp(got, state) != 0)
        fail_msg("%s/%d instead of %s/%d", got, n, state, native);
}

SQLRETURN try_connect(struct session *s, const char *dbq, const char *user, const char *password)
{
    char text[1024];

    assert_true(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, NULL, &s->env)));
    SQLSetEnvAttr(s->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    assert_true(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, s->env, &s->dbc)));
    snprintf(text, sizeof(text), "DRIVER=%s;DBQ=%s;UID=%s;PWD=%s", getenv("LS_TEST_ORACLE_DRIVER"),
             dbq, user, password);
    return SQLDriverConnect(s->dbc, NULL, (SQLCHAR *)text, SQL_NTS, NULL, 0, NULL,
                            SQL_DRIVER_NOPROMPT);
}

void disconnect(struct session *s)
{
    if (s->stmt)
        SQLFreeHandle(SQL_HANDLE_STMT, s->stmt);
    SQLDisconnect(s->dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, s->dbc);
    SQLFreeHandle(SQL_HANDLE_ENV, s->env);
    memset(s, 0, sizeof(*s));
}

void connect_to(struct session *s)
{
    char dbq[100];

    snprintf(dbq, sizeof(dbq), "//%s:%s/%s", getenv("LS_TEST_ORACLE_SERVER"),
             getenv("LS_TEST_ORACLE_PORT"), getenv("LS_TEST_ORACLE_DATABASE"));
    if (!SQL_SUCCEEDED(
            try_connect(s, dbq, getenv("LS_TEST_ORACLE_USER"), getenv("LS_TEST_ORACLE_PASSWORD"))))
        expect(SQL_HANDLE_DBC, s->dbc, "", 0);
    assert_true(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &s->stmt)));
}

void manual(struct session *s, bool is_manual)
{
    const SQLULEN mode = is_manual ? SQL_AUTOCOMMIT_OFF : SQL_AUTOCOMMIT_ON;
    assert_true(SQL_SUCCEEDED(SQLSetConnectAttr(s->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)mode, 0)));
}

SQLRETURN run(struct session *s, const char *text)
{
    SQLFreeStmt(s->stmt, SQL_CLOSE);
    return SQLExecDirect(s->stmt, (SQLCHAR *)(uintptr_t)text, SQL_NTS);
}

void ok(struct session *s, const char *text)
{
    const SQLRETURN r = run(s, text);
    char state[8];
    SQLCHAR why[600] = "";
    SQLINTEGER native;
    SQLSMALLINT len;

    if (SQL_SUCCEEDED(r) || r == SQL_NO_DATA)
        return;
    SQLGetDiagRec(SQL_HANDLE_STMT, s->stmt, 1, (SQLCHAR *)state, &native, why, sizeof(why), &len);
    fail_msg("%s: %s", text, why);
}

void refused(struct session *s, const char *text, const char *state, int native)
{
    const SQLRETURN r = run(s, text);

    if (r != SQL_ERROR)
        fail_msg("taken: %s", text);
    expect(SQL_HANDLE_STMT, s->stmt, state, native);
}

/* The first column of the first row, "-" for NULL, "" for no row. */
const char *ask(struct session *s, const char *text)
{
    static char out[200];
    SQLLEN ind = 0;

    ok(s, text);
    if (SQLFetch(s->stmt) != SQL_SUCCESS)
        return "";
    assert_true(SQL_SUCCEEDED(SQLGetData(s->stmt, 1, SQL_C_CHAR, out, (SQLLEN)sizeof(out), &ind)));
    SQLFreeStmt(s->stmt, SQL_CLOSE);
    return ind == SQL_NULL_DATA ? "-" : out;
}

SQLRETURN bind_text(struct session *s, SQLUSMALLINT n, const char *v, SQLLEN *ind)
{
    *ind = v ? (SQLLEN)strlen(v) : SQL_NULL_DATA;
    return SQLBindParameter(s->stmt, n, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 4000, 0,
                            (SQLPOINTER)(uintptr_t)v, *ind, ind);
}
SQLRETURN bind_number(struct session *s, SQLUSMALLINT n, const char *v, SQLLEN *ind)
{
    *ind = SQL_NTS;
    return SQLBindParameter(s->stmt, n, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_DECIMAL, 19, 0,
                            (SQLPOINTER)(uintptr_t)v, 0, ind);
}
SQLRETURN bind_bytes(struct session *s, SQLUSMALLINT n, SQLSMALLINT type, const void *v, size_t len,
                     SQLLEN *ind)
{
    *ind = (SQLLEN)len;
    return SQLBindParameter(s->stmt, n, SQL_PARAM_INPUT, SQL_C_BINARY, type, len ? len : 1, 0,
                            (SQLPOINTER)(uintptr_t)v, (SQLLEN)len, ind);
}

void fault(const char *order)
{
    FILE *f = fopen(getenv("FAKEORA_FAULTS"), "a");

    assert_non_null(f);
    fprintf(f, "%s\n", order);
    fclose(f);
}

int fresh(void **state)
{
    (void)state;
    connect_to(&one);
    connect_to(&two);
    run(&one, "DROP TABLE ot");
    run(&one, "DROP TABLE ot2");
    ok(&one, "CREATE TABLE ot (id NUMBER(19) NOT NULL, name VARCHAR2(20 CHAR), b BLOB, r RAW(16),"
             " c CLOB, d NUMBER(10), short VARCHAR2(4), CONSTRAINT ot_pk PRIMARY KEY (id),"
             " CONSTRAINT ot_ck CHECK (d IN (0, 1)))");
    ok(&one, "CREATE TABLE ot2 (k VARCHAR2(64 CHAR) NOT NULL, v NUMBER(19), b BLOB,"
             " CONSTRAINT ot2_pk PRIMARY KEY (k))");
    return 0;
}

int leave(void **state)
{
    FILE *f = fopen(getenv("FAKEORA_FAULTS"), "w");

    (void)state;
    if (f)
        fclose(f);
    disconnect(&one);
    disconnect(&two);
    return 0;
}
