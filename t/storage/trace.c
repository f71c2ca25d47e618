/* trace.c: stands between libstorage and the driver manager (ld --wrap, see module.mk) and counts
 * what is executed, by statement and step; and looks whether the result has the declared kinds. */
#include <pthread.h>
#include <sql.h>
#include <sqlext.h>
#include <stdatomic.h>

#include "storage/catalogue.h"
#include "suite.h"

#define STATEMENTS_MAX 400
#define STEPS_MAX      8
#define HANDLES_MAX    4096

struct traced {
    const struct statement *s;
    int64_t runs[STEPS_MAX];
    char complaint[160];
};
/* A text may be a step of several statements: each of them has then run it. */
#define ALIKE_MAX 8
struct texts {
    size_t n;
    struct {
        struct traced *t;
        size_t step;
    } at[ALIKE_MAX];
};
struct handle {
    SQLHSTMT h;
    struct texts texts;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for what follows */
static struct traced traced[STATEMENTS_MAX];
static size_t ntraced;
static struct handle handles[HANDLES_MAX];
static size_t nhandles;
static atomic_llong sent;

/* The text as prepared, against the one of the catalogue: rows are many, and a schema has a name.
 */
static bool is_text_of(const char *text, const char *sql)
{
    const char *mark = strstr(sql, ":rows");
    const char *schema = strstr(sql, "{schema}");
    const size_t n = strlen(text);

    if (schema)
        return strncmp(text, sql, (size_t)(schema - sql)) == 0;
    if (!mark)
        return strcmp(text, sql) == 0;
    const char *rest = mark + strlen(":rows");
    return strncmp(text, sql, (size_t)(mark - sql)) == 0 && n >= strlen(rest) &&
           strcmp(text + n - strlen(rest), rest) == 0;
}

static void fill(void)
{
    size_t n;
    const struct statement *s = catalogue_statements(engine_dialect(), &n);

    for (size_t i = 0; ntraced == 0 && i < n && i < STATEMENTS_MAX; i++)
        traced[i].s = &s[i];
    ntraced = n;
}

static struct texts find_text(const char *text)
{
    struct texts found = {.n = 0};

    fill();
    for (size_t i = 0; i < ntraced; i++)
        for (size_t k = 0; k < traced[i].s->nsteps; k++)
            if (found.n < ALIKE_MAX && is_text_of(text, traced[i].s->steps[k].sql)) {
                found.at[found.n].t = &traced[i];
                found.at[found.n++].step = k;
            }
    return found;
}

static void count_run(const struct texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        texts->at[i].t->runs[texts->at[i].step]++;
}

static struct handle *handle_of(SQLHSTMT h, bool make)
{
    for (size_t i = 0; i < nhandles; i++)
        if (handles[i].h == h)
            return &handles[i];
    if (!make || nhandles == HANDLES_MAX)
        return NULL;
    handles[nhandles].h = h;
    return &handles[nhandles++];
}

static bool fits(enum value_kind kind, SQLSMALLINT type)
{
    switch (type) {
    case SQL_BIGINT:
    case SQL_INTEGER:
    case SQL_SMALLINT:
    case SQL_TINYINT:
        return kind == VALUE_I64;
    case SQL_DECIMAL:
    case SQL_NUMERIC:
        return kind == VALUE_I64 && engine_dialect() == DIALECT_ORACLE;
    case SQL_BINARY:
    case SQL_VARBINARY:
    case SQL_LONGVARBINARY:
        return kind == VALUE_BYTES;
    default: /* texts; SQLite says so of every expression, which has no type there */
        return kind == VALUE_TEXT || engine_dialect() == DIALECT_SQLITE;
    }
}

SQLRETURN __real_SQLPrepare(SQLHSTMT h, SQLCHAR *text, SQLINTEGER len);
SQLRETURN __wrap_SQLPrepare(SQLHSTMT h, SQLCHAR *text, SQLINTEGER len);
SQLRETURN __wrap_SQLPrepare(SQLHSTMT h, SQLCHAR *text, SQLINTEGER len)
{
    const SQLRETURN r = __real_SQLPrepare(h, text, len);

    pthread_mutex_lock(&lock);
    struct handle *at = handle_of(h, true);
    if (at)
        at->texts = find_text((const char *)text);
    pthread_mutex_unlock(&lock);
    return r;
}

SQLRETURN __real_SQLExecute(SQLHSTMT h);
SQLRETURN __wrap_SQLExecute(SQLHSTMT h);
SQLRETURN __wrap_SQLExecute(SQLHSTMT h)
{
    atomic_fetch_add(&sent, 1);
    const SQLRETURN r = __real_SQLExecute(h);

    if (!SQL_SUCCEEDED(r) && r != SQL_NO_DATA)
        return r;
    pthread_mutex_lock(&lock);
    struct handle *at = handle_of(h, false);
    if (at)
        count_run(&at->texts);
    pthread_mutex_unlock(&lock);
    return r;
}

SQLRETURN __real_SQLExecDirect(SQLHSTMT h, SQLCHAR *text, SQLINTEGER len);
SQLRETURN __wrap_SQLExecDirect(SQLHSTMT h, SQLCHAR *text, SQLINTEGER len);
SQLRETURN __wrap_SQLExecDirect(SQLHSTMT h, SQLCHAR *text, SQLINTEGER len)
{
    atomic_fetch_add(&sent, 1);
    const SQLRETURN r = __real_SQLExecDirect(h, text, len);

    pthread_mutex_lock(&lock);
    const struct texts texts = find_text((const char *)text);
    if (SQL_SUCCEEDED(r) || r == SQL_NO_DATA)
        count_run(&texts);
    pthread_mutex_unlock(&lock);
    return r;
}

int64_t trace_sent(void)
{
    return atomic_load(&sent);
}

static struct traced *traced_of(const struct statement *s)
{
    fill();
    for (size_t i = 0; i < ntraced; i++)
        if (traced[i].s == s)
            return &traced[i];
    return NULL;
}

int64_t trace_runs(const struct statement *s)
{
    int64_t least = INT64_MAX;

    pthread_mutex_lock(&lock);
    const struct traced *t = traced_of(s);
    for (size_t i = 0; t && i < s->nsteps; i++)
        if (t->runs[i] < least)
            least = t->runs[i];
    pthread_mutex_unlock(&lock);
    return least == INT64_MAX ? 0 : least;
}

/* ---- the kinds of results ----
 * On a connection of its own, behind the last rule: when psqlODBC is asked for a column it asks the
 * server in turn, and sends a COMMIT of its own soon after. */

static SQLCHAR connected[1024]; /* with what the first connection was made */

SQLRETURN __real_SQLDriverConnect(SQLHDBC dbc, SQLHWND w, SQLCHAR *in, SQLSMALLINT in_len,
                                  SQLCHAR *out, SQLSMALLINT size, SQLSMALLINT *len, SQLUSMALLINT c);
SQLRETURN __wrap_SQLDriverConnect(SQLHDBC dbc, SQLHWND w, SQLCHAR *in, SQLSMALLINT in_len,
                                  SQLCHAR *out, SQLSMALLINT size, SQLSMALLINT *len, SQLUSMALLINT c);
SQLRETURN __wrap_SQLDriverConnect(SQLHDBC dbc, SQLHWND w, SQLCHAR *in, SQLSMALLINT in_len,
                                  SQLCHAR *out, SQLSMALLINT size, SQLSMALLINT *len, SQLUSMALLINT c)
{
    const SQLRETURN r = __real_SQLDriverConnect(dbc, w, in, in_len, out, size, len, c);

    pthread_mutex_lock(&lock);
    if (SQL_SUCCEEDED(r) && !connected[0])
        snprintf((char *)connected, sizeof(connected), "%s", (const char *)in);
    pthread_mutex_unlock(&lock);
    return r;
}

static void describe(SQLHSTMT h, struct traced *t)
{
    const struct statement *s = t->s;
    struct buffer sql = BUFFER_INIT;
    struct error e;
    SQLSMALLINT n = 0;

    if (!statement_render(engine_dialect(), s, 0, s->nrow > 0 ? 1 : 0, &sql, &e) ||
        !SQL_SUCCEEDED(__real_SQLPrepare(h, (SQLCHAR *)(uintptr_t)buffer_cstr(&sql), SQL_NTS)) ||
        !SQL_SUCCEEDED(SQLNumResultCols(h, &n)) || (size_t)n != s->ncolumns)
        snprintf(t->complaint, sizeof(t->complaint), "its result has %d columns, its header %zu",
                 (int)n, s->ncolumns);
    for (SQLSMALLINT i = 1; i <= n && !t->complaint[0]; i++) {
        SQLCHAR name[128] = "";
        SQLSMALLINT len = 0, type = 0, digits = 0, nullable = 0;
        SQLULEN size = 0;
        if (!SQL_SUCCEEDED(SQLDescribeCol(h, (SQLUSMALLINT)i, name, sizeof(name), &len, &type,
                                          &size, &digits, &nullable)) ||
            !fits(s->columns[i - 1].kind, type))
            snprintf(t->complaint, sizeof(t->complaint),
                     "column %s has the SQL type %d, which is not what its header says",
                     s->columns[i - 1].name, (int)type);
    }
    SQLFreeStmt(h, SQL_CLOSE);
    buffer_free(&sql);
}

bool trace_describe(const char *before)
{
    SQLHENV env = SQL_NULL_HENV;
    SQLHDBC dbc = SQL_NULL_HDBC;
    SQLHSTMT h = SQL_NULL_HSTMT;
    bool ok;

    ok = SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env)) &&
         SQL_SUCCEEDED(
             SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0)) &&
         SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc)) &&
         SQL_SUCCEEDED(__real_SQLDriverConnect(dbc, NULL, connected, SQL_NTS, NULL, 0, NULL,
                                               SQL_DRIVER_NOPROMPT)) &&
         SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &h)) &&
         (!before || SQL_SUCCEEDED(__real_SQLExecDirect(h, (SQLCHAR *)(uintptr_t)before, SQL_NTS)));
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    for (size_t i = 0; ok && i < ntraced; i++) {
        if (traced[i].s->ncolumns == 0 || traced[i].runs[0] == 0)
            continue;
        ok = SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &h));
        if (ok)
            describe(h, &traced[i]);
        SQLFreeHandle(SQL_HANDLE_STMT, h);
    }
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    SQLFreeHandle(SQL_HANDLE_ENV, env);
    return ok;
}

const char *trace_complaint(const struct statement *s)
{
    const struct traced *t = traced_of(s);

    return t ? t->complaint : "";
}

/* ---- no memory ---- */

static _Thread_local int fail_in = -1;

void trace_fail_memory(int n)
{
    fail_in = n;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    if (fail_in >= 0 && fail_in-- == 0)
        return NULL;
    return __real_calloc(n, size);
}
