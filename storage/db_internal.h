/* db_internal.h: the pool's inside, for the files of storage/ that share it. */
#ifndef STORAGE_DB_INTERNAL_H
#define STORAGE_DB_INTERNAL_H
#include <stdatomic.h>

#include "base/logger.h"
#include "storage/conn.h"
#include "storage/secret.h"

#define DB_HOSTS_MAX 8 /* further ones are never the first */

struct worker;
struct workers {
    struct mutex mutex; /* nothing else is taken in it */
    struct cond done;
    struct worker *first GUARDED_BY(mutex);
};

/* On the stack of the thread that waits. */
struct waiter {
    struct waiter *next;
};

struct db {
    const struct dialect_ops *ops; /* constant after db_open, like all up to the mutex */
    struct conn_target target;
    char *strings[DB_HOSTS_MAX], *describe, *schema, *ports;
    struct secret secret;
    uint32_t pool_max;
    int64_t checkout_timeout_us, statement_timeout_us;
    struct logger *logger;
    SQLHENV env;

    struct mutex mutex;
    struct cond returned;                   /* a connection came back, or its place became free */
    struct waiter *queue GUARDED_BY(mutex); /* who waits for one, in the order of coming */
    struct conn *idle GUARDED_BY(mutex);
    uint32_t open GUARDED_BY(mutex), in_use GUARDED_BY(mutex), waiting GUARDED_BY(mutex);
    uint64_t generation GUARDED_BY(mutex);
    uint64_t connects GUARDED_BY(mutex), retries GUARDED_BY(mutex), lost GUARDED_BY(mutex);
    atomic_uint refs; /* the caller's, and one a worker that db_close left behind */
    struct workers workers;
    bool is_closed GUARDED_BY(mutex);

    /* attempts to connect: attempt.c */
    uint32_t attempts GUARDED_BY(mutex);
    size_t turn GUARDED_BY(mutex);              /* which of the strings is next */
    const struct conn *fresh GUARDED_BY(mutex); /* the youngest, while it may well succeed */
    int64_t fresh_us GUARDED_BY(mutex), proof_us GUARDED_BY(mutex); /* begun: it, the last good */
    bool is_proven GUARDED_BY(mutex); /* a connection was made with this configuration */
    uint64_t failures GUARDED_BY(mutex);
    struct error failure GUARDED_BY(mutex); /* the last */

    struct mutex gate_mutex; /* SQLite: one writer of this process at a time, without polling */
    struct cond gate_free;
    bool is_gate_taken GUARDED_BY(gate_mutex);

    struct mutex list; /* taken last; held while a connection is looked at by the watchdog */
    struct conn *all GUARDED_BY(list);
    bool is_watch_ended GUARDED_BY(list);
    struct cond watch_wake;
    struct thread watchdog;
};

struct txn {
    struct conn *conn;
    int64_t deadline_us;
    bool is_single; /* see rows_exec */
    bool has_failed;
    struct error first; /* why */
};

/* timeout_us 0: the configured one. Returns the monotonic deadline. */
int64_t db_deadline(const struct db *db, int64_t timeout_us);
MUST_CHECK bool pool_checkout(struct db *db, int64_t deadline_us, struct conn **out,
                              struct error *err);
void pool_return(struct conn *c);
/* What was found dead says so of all connections of its generation. */
void pool_poison(const struct conn *c);
void db_release(struct db *db); /* the last one frees it */

/* Runs fn(ctx) in a thread that may hang. Fails: ERR_MEMORY. */
MUST_CHECK bool worker_start(struct db *db, const char *name, void (*fn)(void *ctx), void *ctx,
                             struct error *err);
void workers_reap(struct db *db); /* joins those that are done */
/* Waits for all, and leaves behind those that hang; they release the db when they are back. */
void workers_leave(struct db *db, int64_t until_us);

/* Under db->mutex: begins to connect when that is useful now; what becomes of it is an idle
 * connection, or a failure, and db->returned. *until_us: when to ask again at the latest. */
MUST_CHECK bool attempt_begin(struct db *db, int64_t now_us, bool is_spare, int64_t *until_us,
                              struct error *err);
void pool_list(struct db *db, struct conn *c); /* for the watchdog */
/* Closes it, behind a cancel request that is still under way: that is looked at until then. */
void pool_drop(struct conn *c);
MUST_CHECK bool gate_enter(struct db *db, int64_t deadline_us, struct error *err);
void gate_leave(struct db *db);
void db_note_retry(struct db *db);

/* The statement, its parameters checked against its header. */
MUST_CHECK bool statement_for(const struct db *db, const char *name, const struct value *params,
                              size_t n, bool is_fenced, const struct statement **out,
                              struct error *err);
/* Sleeps before try number `attempt` (0, 1, ...); false when the deadline comes first. */
bool retry_wait(int attempt, int64_t deadline_us);
/* One try of db_txn: begun until start_us, its statements ended until deadline_us. *is_final: fn
 * failed for a reason of its own, which another run would not mend. *is_single: see rows_exec;
 * false at the first try. */
MUST_CHECK bool txn_try(struct db *db, int64_t start_us, int64_t deadline_us, txn_fn *fn, void *ctx,
                        bool *is_final, bool *is_single, struct error *err);
/* A migration's text inside a transaction. */
MUST_CHECK bool txn_text(struct txn *t, const char *sql, struct error *err);
#endif
