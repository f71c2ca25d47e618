/* conn.h: one ODBC connection: prepared statements, binding, fetching, diagnoses. Internal to
 * storage/. Threads: one at a time, but the watchdog looks at `watch`. */
#ifndef STORAGE_CONN_H
#define STORAGE_CONN_H
#include <sql.h>
#include <sqlext.h>
#include <uthash.h>

#include "storage/catalogue.h"
#include "storage/dialect.h"
#include "storage/watch.h"

struct prepared;
struct secret;
struct cell;

struct conn {
    struct db *db;
    SQLHDBC dbc;
    uint64_t generation; /* of the pool when it was made */
    size_t turn;         /* of the hosts */
    int64_t began_us;    /* when it was begun to be made */
    int64_t used_us;     /* when it came back last */
    bool is_connected;
    bool is_broken; /* never to be used again */
    bool is_in_txn;
    bool is_manual;            /* autocommit is off */
    bool is_pending;           /* a rollback failed: what was written may still be there */
    struct prepared *prepared; /* by (statement, step, rows) */
    struct cell *cells;        /* scratch of binding */
    size_t ncells;
    struct buffer array; /* of binding many rows */
    SQLUSMALLINT *statuses;
    SQLULEN processed;
    struct buffer *columns; /* scratch of fetching */
    size_t ncolumns;
    struct conn *next_idle, *next; /* the pool's */
    struct watch watch;
};

/* What the pool gives to a new connection. */
struct conn_target {
    SQLHENV env;
    const struct dialect_ops *ops;
    /* Without the password, which goes in at password_at; options in them. One for each host that
     * may be the first. */
    char *const *strings;
    size_t nstrings;
    size_t password_at;
    const struct secret *secret;
    const char *describe; /* for people */
    const char *schema;   /* "" for none */
    struct socket_peer peer;
    int64_t login_timeout_us, statement_timeout_us, idle_in_txn_timeout_us;
};

/* Not connected yet, but what the watchdog may look at. Fails: ERR_MEMORY. */
MUST_CHECK bool conn_new(struct db *db, struct conn **out, struct error *err);
/* Waits as long as the driver does: the pool has a thread for it. */
MUST_CHECK bool conn_connect(struct conn *c, const struct conn_target *t, struct error *err);
/* Never waits for the server. NULL is allowed. */
void conn_close(struct conn *c);

/* One execution. values: nrows times the row's columns, padded with NULL to `padded` rows. */
struct call {
    const struct statement *s;
    size_t step;
    const struct value *params;
    const struct value *values;
    size_t nrows, padded;
    int64_t deadline_us;  /* the watchdog steps in behind it */
    enum watch_kind kind; /* WATCH_COMMIT for what holds a COMMIT */
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
MUST_CHECK bool conn_commit(struct conn *c, int64_t deadline_us, struct error *err);
void conn_rollback(struct conn *c); /* marks the connection broken when that fails */

/* True when the name of the DBMS behind dbc could be asked. */
bool conn_dbms(SQLHDBC dbc, char *out, size_t size);
/* Reads the first record of a handle and fills err. Marks the connection broken when it is. */
bool diag_error(struct conn *c, SQLSMALLINT type, SQLHANDLE h, const char *what, struct error *err);
void diag_read(SQLSMALLINT type, SQLHANDLE h, struct diag *out);
#endif
