/* fakeora.h: an imitation of Oracle's ODBC driver, for tests only.
 *
 * It stands in front of psqlODBC and a PostgreSQL and behaves as Oracle and its driver are
 * documented to behave (README has the list). Nothing here was compared with an Oracle: it shows
 * that the program's Oracle code runs and holds under that behaviour, not that Oracle takes it.
 * Never installed.
 *
 * Handles are ours and wrap psqlODBC's. Each call clears its handle's diagnosis; what psqlODBC
 * reports is translated at once. Threads: as ODBC wants, one call at a time per handle, except for
 * SQLCancel, which only reads. */
#ifndef FAKEORA_H
#define FAKEORA_H
#include <sql.h>
#include <sqlext.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- psqlODBC ---- */

#define REAL_FUNCTIONS(X)                                                                          \
    X(SQLAllocHandle)                                                                              \
    X(SQLFreeHandle)                                                                               \
    X(SQLSetEnvAttr)                                                                               \
    X(SQLGetEnvAttr)                                                                               \
    X(SQLDriverConnect)                                                                            \
    X(SQLDisconnect)                                                                               \
    X(SQLSetConnectAttr)                                                                           \
    X(SQLGetConnectAttr)                                                                           \
    X(SQLGetInfo)                                                                                  \
    X(SQLEndTran)                                                                                  \
    X(SQLPrepare)                                                                                  \
    X(SQLExecute)                                                                                  \
    X(SQLExecDirect)                                                                               \
    X(SQLBindParameter)                                                                            \
    X(SQLBindCol)                                                                                  \
    X(SQLGetData)                                                                                  \
    X(SQLFetch)                                                                                    \
    X(SQLMoreResults)                                                                              \
    X(SQLNumResultCols)                                                                            \
    X(SQLNumParams)                                                                                \
    X(SQLDescribeCol)                                                                              \
    X(SQLColAttribute)                                                                             \
    X(SQLRowCount)                                                                                 \
    X(SQLFreeStmt)                                                                                 \
    X(SQLCloseCursor)                                                                              \
    X(SQLCancel)                                                                                   \
    X(SQLSetStmtAttr)                                                                              \
    X(SQLGetStmtAttr)                                                                              \
    X(SQLGetDiagRec)

struct real {
#define X(f) __typeof__(f) *f;
    REAL_FUNCTIONS(X)
#undef X
};
/* The driver that FAKEORA_REAL names; NULL and a line on stderr when it cannot be loaded. */
const struct real *real_driver(void);

/* ---- diagnoses ---- */

struct ora_diag {
    bool is_set;
    char state[6];
    int native;
    char text[512];
};

/* Sets it; "[Oracle][ODBC][Ora]ORA-nnnnn: " stands before the text when native is not 0. */
void diag_set(struct ora_diag *d, const char *state, int native, const char *text);
/* A gate's refusal: the SQLSTATE follows from the code. */
void diag_ora(struct ora_diag *d, int native, const char *text);
/* What Oracle would say where PostgreSQL says this; is_connecting: while the connection was made.
 */
void diag_translate(struct ora_diag *d, const char *state, const char *text, bool is_connecting);
/* The session is gone after this code. */
bool ora_is_lost(int native);

/* ---- handles ---- */

struct handle { /* first member of each of the three below */
    SQLSMALLINT type;
    SQLHANDLE real;
    struct ora_diag diag;
};
struct fo_env {
    struct handle h;
};
struct fo_dbc {
    struct handle h;
    bool is_manual; /* autocommit is off */
    bool is_dead;   /* every call says ORA-03114 until the next connect */
};
struct param {
    bool is_bound;
    SQLSMALLINT c_type, sql_type, digits;
    SQLULEN size;
    SQLPOINTER data;
    SQLLEN room;
    SQLLEN *ind;  /* the program's */
    SQLLEN *sent; /* what psqlODBC gets: empty became NULL; paramset_size of them */
};
enum text_kind { TEXT_QUERY, TEXT_DML, TEXT_DDL, TEXT_BLOCK, TEXT_SESSION };
struct fo_stmt {
    struct handle h;
    struct fo_dbc *dbc;
    char *text; /* as the program gave it */
    enum text_kind kind;
    bool was_manual; /* when it was prepared */
    struct param *params;
    size_t nparams;
    SQLULEN paramset_size;
    SQLLEN array_rows; /* that the last array changed */
    SQLUSMALLINT *param_status;
    SQLULEN *params_processed;
};

/* Hands a real answer on: errors are translated, warnings that Oracle has not are dropped. */
SQLRETURN answer(struct handle *h, struct fo_dbc *dbc, SQLRETURN r);
/* True when the session is gone: then the diagnosis is set. */
bool is_gone(struct handle *h, const struct fo_dbc *dbc);
/* Ends the session: what was open is rolled back, the program hears ORA-`native`. */
SQLRETURN session_lost(struct handle *h, struct fo_dbc *dbc, int native);

/* ---- texts ---- */

enum token_kind { TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_NUMBER, TOKEN_PARAM, TOKEN_SIGN };
struct token {
    enum token_kind kind;
    const char *at; /* into the text */
    size_t len;
    size_t depth;  /* parentheses around it; both of a pair count as outside */
    bool is_glued; /* nothing stands between the one before and this */
};
struct tokens {
    struct token *v;
    size_t n;
};
/* False: the text ends in a literal or comment, or is out of memory. Free v. */
bool tokens_read(const char *text, struct tokens *out);
/* Token i is this word or sign, whatever its case; false behind the end. */
bool token_is(const struct tokens *t, size_t i, const char *word);
bool token_in(const struct tokens *t, size_t i, const char *const *words); /* NULL at the end */
/* The parenthesis that closes the one at i, or n. */
size_t token_close(const struct tokens *t, size_t i);

/* What the text is; false with ORA-00900 or ORA-06550 for what Oracle or we do not know. */
bool text_kind_of(const struct tokens *t, enum text_kind *out, struct ora_diag *d);
/* Refuses what Oracle refuses and PostgreSQL takes. */
bool gate_check(const struct tokens *t, enum text_kind kind, struct ora_diag *d);
bool gate_table(const struct tokens *t, struct ora_diag *d); /* CREATE TABLE, ALTER TABLE */
bool gate_merge(const struct tokens *t, struct ora_diag *d);
/* The same in PostgreSQL's words, to be freed. is_manual: a block's COMMIT is sent with it. NULL:
 * the diagnosis says why. domains: the `raw_N` and `vc_N` that the text needs, space separated. */
char *rewrite_text(const struct tokens *t, enum text_kind kind, bool is_manual, char *domains,
                   size_t domains_size, struct ora_diag *d);

/* ---- faults and the trace ---- */

struct fault {
    int before, after; /* this ORA- code is answered, before or after the act; 0: none */
    long delay_ms;
};
/* Takes the orders of the control file that mean this text; waits when one says so. */
struct fault fault_take(const char *text);
/* Notes it in FAKEORA_TRACE; kind: 'P' prepared, 'E' executed, 'R' refused by the gate. */
void trace_text(char kind, const char *text);

/* ---- connecting ---- */

/* psqlODBC's connection string for Oracle's, to be freed; NULL and the diagnosis: ORA-12154. */
char *connect_string(const char *in, struct ora_diag *d);
#endif
