/* db.h: one database, through ODBC, behind named statements.
 *
 * A statement is a name in sql/statements/ (the catalogue is built into the program; what is not in
 * it cannot be prepared). Its header there lists its parameters in the order in which values are
 * passed here, and their types: a value of another kind than declared is ERR_INTERNAL, a longer one
 * ERR_LIMIT, a text that is not UTF-8 without NUL ERR_MALFORMED; nothing is sent then. NULL is
 * always accepted.
 *
 * Errors say what to do (base/errors.def): ERR_RETRY (lost against another transaction: db_txn has
 * tried already), ERR_CONNECTION, ERR_UNKNOWN_OUTCOME, ERR_DUPLICATE, ERR_FENCED, ERR_READ_ONLY,
 * ERR_FULL, ERR_TIMEOUT, ERR_UNAVAILABLE (no connection free, no server), ERR_CONFIG (driver
 * missing, wrong password, no such file), ERR_SCHEMA (table or column missing), ERR_DATABASE
 * (anything else). A lost connection or a read-only answer empties the pool: the next use resolves
 * and connects again.
 *
 * timeout_us everywhere: microseconds for the whole call, checkout and retries included; 0 stands
 * for db_config.statement_timeout_us. No call waits for ever. Threads: a struct db from any; a
 * struct txn or cursor from one. */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H
#include "storage/value.h"

struct logger;
struct db;
struct txn;
struct cursor;

enum dialect { DIALECT_POSTGRES, DIALECT_SQLITE, DIALECT_ORACLE, DIALECT_N };

/* Zero-initialise, fill what is known, NULL or 0 elsewhere. db_open copies what it keeps. */
struct db_config {
    const char *type;   /* "postgresql", "sqlite", "oracle"; may be NULL with dsn (asked then) */
    const char *dsn;    /* a name in odbc.ini; further keywords below are added to it */
    const char *driver; /* a path, a file name ("psqlodbcw.so") or a name in odbcinst.ini; NULL:
                           found by type */
    const char *server; /* host, "h1,h2" for several (the writable one is used), or the folder of a
                           Unix socket */
    const char *port;   /* "5432", or "5432,5433" beside several hosts */
    const char *database; /* PostgreSQL; Oracle: the service, or without server a name of
                             tnsnames.ora or a whole (DESCRIPTION=...) */
    const char *user, *password;
    const char *password_file; /* read at each new connection, in place of password */
    /* PostgreSQL: "disable", "require", "verify-ca", "verify-full"; NULL: the driver's way. */
    const char *tls;
    const char *tls_root_file, *tls_cert_file, *tls_key_file; /* PEM */
    const char *schema;  /* PostgreSQL: search_path; Oracle: the user who owns the tables; NULL: the
                            server's default */
    const char *file;    /* SQLite; its folder must exist */
    const char *options; /* further keywords, "A=b;C=d", last in the connection string */
    uint32_t pool_max;   /* connections; 0: 8 */
    int64_t checkout_timeout_us;    /* waiting for a connection of the pool; 0: 5 s */
    int64_t statement_timeout_us;   /* 0: 10 s */
    int64_t login_timeout_us;       /* 0: 5 s; whole seconds are used */
    int64_t idle_in_txn_timeout_us; /* PostgreSQL ends a session that sits in a transaction for
                                       longer; 0: 500 ms (half of the lease expiry) */
    struct logger *logger;          /* borrowed, may be NULL */
};

/* At the start of main, before any thread: what drivers read from the environment. Oracle's client
 * converts text by NLS_LANG, and unset means ASCII; one that is set stays. */
void db_process_init(void);

/* Connects once, so that what is wrong is known at once. The caller owns *out.
 * Fails: ERR_CONFIG, ERR_UNAVAILABLE, ERR_READ_ONLY, ERR_FULL, ...: one line that names the driver,
 * the DSN or connection string with its password blanked, and what to do. */
MUST_CHECK bool db_open(const struct db_config *cfg, struct db **out, struct error *err);
void db_close(struct db *db); /* nobody may use it any more; NULL is allowed */
enum dialect db_dialect(const struct db *db);
const char *db_schema(const struct db *db);   /* "" when none was configured */
const char *db_describe(const struct db *db); /* driver and DSN, password blanked: for logs */
/* Drops every idle connection; those in use are dropped at their return. */
void db_poison(struct db *db);
/* What the pool has: for metrics. */
struct db_stats {
    uint32_t open, in_use, waiting;
    uint64_t connects, retries, lost;
};
void db_stats(struct db *db, struct db_stats *out);

/* One row of a result: values in the order of the statement's `columns:`. Returning false ends the
 * query with *err, which the callback has filled. It must not use the same txn. */
typedef bool row_fn(void *ctx, const struct value *cols, size_t n, struct error *err);

/* One statement in a transaction of its own. affected may be NULL. A SELECT is run again after
 * ERR_CONNECTION as long as no row was handed out; a write whose answer was lost is
 * ERR_UNKNOWN_OUTCOME. */
MUST_CHECK bool db_exec(struct db *db, const char *stmt, const struct value *params, size_t n,
                        int64_t timeout_us, int64_t *affected, struct error *err);
MUST_CHECK bool db_query(struct db *db, const char *stmt, const struct value *params, size_t n,
                         int64_t timeout_us, row_fn *fn, void *ctx, struct error *err);

/* Runs fn in a READ COMMITTED transaction (SQLite: IMMEDIATE) and commits. When fn or COMMIT ends
 * with ERR_RETRY, or the connection was lost before COMMIT was sent, everything is rolled back and
 * fn runs again, with backoff, until the timeout: so fn starts from the beginning each time and
 * touches nothing outside of its own variables. fn returning false rolls back and is the answer.
 * After an error of a statement the transaction is over: every further call in it gives that error
 * again. Fails also: ERR_UNKNOWN_OUTCOME when the answer to COMMIT was lost: read back by key. */
typedef bool txn_fn(struct txn *t, void *ctx, struct error *err);
MUST_CHECK bool db_txn(struct db *db, int64_t timeout_us, txn_fn *fn, void *ctx, struct error *err);
MUST_CHECK bool txn_exec(struct txn *t, const char *stmt, const struct value *params, size_t n,
                         int64_t *affected, struct error *err);
MUST_CHECK bool txn_query(struct txn *t, const char *stmt, const struct value *params, size_t n,
                          row_fn *fn, void *ctx, struct error *err);
/* Inserts nrows rows by a statement with `:rows`: values holds nrows times the columns of its
 * `row:`, row after row; params are its other parameters. Any number of rows. All are inserted, or
 * an error. */
MUST_CHECK bool txn_insert_many(struct txn *t, const char *stmt, const struct value *params,
                                size_t n, const struct value *values, size_t nrows,
                                struct error *err);

/* One fenced write: rows and the check of the fence in one act of the server, no lock held while
 * the caller sleeps. stmt has `fenced:` in its header; params hold the fence (epoch, holder, ...)
 * among them; values and nrows as in txn_insert_many, at most FENCED_ROWS_MAX, 0 for none.
 * *affected (may be NULL): rows written beside the fence's (Oracle: those of the row group, and of
 * texts before the block; see sql/statements/README). On Oracle the rows go before the fence, so a
 * row that cannot be written is told first, ERR_DUPLICATE where others say ERR_FENCED. Runs again
 * by itself only when the server says that it did nothing (ERR_RETRY). Fails: ERR_FENCED (nothing
 * was written; never retry), ERR_UNKNOWN_OUTCOME (the answer was lost: move the own epoch
 * (lease_settle), then read back by key), ERR_DUPLICATE, ... */
#define FENCED_ROWS_MAX 1024
MUST_CHECK bool db_fenced(struct db *db, const char *stmt, const struct value *params, size_t n,
                          const struct value *values, size_t nrows, int64_t timeout_us,
                          int64_t *affected, struct error *err);

/* Pages through rows by key; nothing is held between two pages. stmt selects the rows above a key
 * in key order: its first nkeys parameters and its first nkeys columns are the key, its last
 * parameter `limit`. start: nkeys values to begin after (copied); rest: the n other parameters
 * (copied). The caller owns *out. Fails: ERR_INTERNAL (no such statement), ERR_MEMORY. */
#define CURSOR_KEYS_MAX 4
MUST_CHECK bool cursor_open(struct db *db, const char *stmt, const struct value *start,
                            size_t nkeys, const struct value *rest, size_t n, uint32_t page_rows,
                            struct cursor **out, struct error *err);
/* Hands the rows of the next page to fn; *rows 0: the end for now (a later call sees later rows).
 * After a failure the cursor stands behind the last row that fn accepted. */
MUST_CHECK bool cursor_next(struct cursor *c, int64_t timeout_us, row_fn *fn, void *ctx,
                            size_t *rows, struct error *err);
void cursor_close(struct cursor *c); /* NULL is allowed */

/* The database's clock, microseconds since 1970 UTC. */
MUST_CHECK bool db_clock_us(struct db *db, int64_t *out, struct error *err);
#endif
