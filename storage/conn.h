/* conn.h: one ODBC connection: prepared statements, binding, fetching, diagnoses. Internal to
 * storage/. Threads: one at a time, but conn_watch from the watchdog. */
#ifndef STORAGE_CONN_H
#define STORAGE_CONN_H
#include <sql.h>
#include <sqlext.h>
#include <uthash.h>

#include "base/thread.h"
#include "storage/catalogue.h"
#include "storage/dialect.h"

struct prepared;
struct secret;
struct cell;

struct conn {
    struct db *db;
    SQLHDBC dbc;
    uint64_t generation; /* of the pool when it was made */
    int64_t used_us;     /* when it came back last */
    bool is_broken;      /* never to be used again */
    bool is_in_txn;
    uint16_t port;             /* of our end, when it is a TCP socket of this process; 0: unknown */
    struct prepared *prepared; /* by (statement, step, rows) */
    struct cell *cells;        /* scratch of binding */
    size_t ncells;
    struct buffer *columns; /* scratch of fetching */
    size_t ncolumns;
    struct conn *next_idle, *next; /* the pool's */

    struct mutex watch;
    bool is_running GUARDED_BY(watch);
    SQLHSTMT running GUARDED_BY(watch); /* what may be cancelled; null for a COMMIT */
    int64_t due_us GUARDED_BY(watch);
    int cancels GUARDED_BY(watch);
};

/* What the pool gives to a new connection. */
struct conn_target {
    SQLHENV env;
    const struct dialect_ops *ops;
    const char *string; /* without the password, which goes in at password_at; options in it */
    size_t password_at;
    const struct secret *secret;
    const char *describe; /* for people */
    const char *schema;   /* "" for none */
    int64_t login_timeout_us, statement_timeout_us, idle_in_txn_timeout_us;
};

MUST_CHECK bool conn_open(struct db *db, const struct conn_target *t, struct conn **out,
                          struct error *err);
void conn_close(struct conn *c); /* NULL is allowed */

/* One execution. values: nrows times the row's columns, padded with NULL to `padded` rows. */
struct call {
    const struct statement *s;
    size_t step;
    const struct value *params;
    const struct value *values;
    size_t nrows, padded;
    int64_t deadline_us; /* the watchdog steps in behind it */
    bool is_uncancelled; /* holds a COMMIT: never cancelled */
};
/* affected may be NULL. *has_warned (may be NULL): the server warned, see db.h on UNKNOWN_OUTCOME.
 */
MUST_CHECK bool conn_exec(struct conn *c, const struct call *k, int64_t *affected, bool *has_warned,
                          struct error *err);
/* *handed (may be NULL): rows given to fn, the one that it refused among them. */
MUST_CHECK bool conn_query(struct conn *c, const struct call *k, row_fn *fn, void *ctx,
                           size_t *handed, bool *has_warned, struct error *err);
/* A migration's text. */
MUST_CHECK bool conn_text(struct conn *c, const char *sql, int64_t deadline_us, struct error *err);
/* Lets the server look at a statement without running it. */
MUST_CHECK bool conn_check(struct conn *c, const struct statement *s, size_t step,
                           struct error *err);

MUST_CHECK bool conn_begin(struct conn *c, int64_t deadline_us, struct error *err);
/* Fails: ERR_UNKNOWN_OUTCOME, or a code that says that nothing was committed. */
MUST_CHECK bool conn_commit(struct conn *c, struct error *err);
void conn_rollback(struct conn *c); /* marks the connection broken when that fails */

/* Ends what runs over its deadline: cuts its socket, or cancels it. Called by the watchdog. */
void conn_watch(struct conn *c, int64_t now_us);
/* True when the name of the DBMS behind dbc could be asked. */
bool conn_dbms(SQLHDBC dbc, char *out, size_t size);
/* Reads the first record of a handle and fills err. Marks the connection broken when it is. */
bool diag_error(struct conn *c, SQLSMALLINT type, SQLHANDLE h, const char *what, struct error *err);
void diag_read(SQLSMALLINT type, SQLHANDLE h, struct diag *out);
#endif
