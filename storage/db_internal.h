/* db_internal.h: the pool's inside, for the files of storage/ that share it. */
#ifndef STORAGE_DB_INTERNAL_H
#define STORAGE_DB_INTERNAL_H
#include "base/logger.h"
#include "storage/conn.h"
#include "storage/secret.h"

struct db {
    const struct dialect_ops *ops; /* constant after db_open, like all up to the mutex */
    struct conn_target target;
    char *string, *describe, *schema;
    struct secret secret;
    bool is_proven; /* a connection was made with this configuration */
    uint32_t pool_max;
    int64_t checkout_timeout_us, statement_timeout_us;
    struct logger *logger;
    SQLHENV env;

    struct mutex mutex;
    struct cond returned; /* a connection came back, or its place became free */
    struct conn *idle GUARDED_BY(mutex);
    uint32_t open GUARDED_BY(mutex), in_use GUARDED_BY(mutex), waiting GUARDED_BY(mutex);
    uint64_t generation GUARDED_BY(mutex);
    uint64_t connects GUARDED_BY(mutex), retries GUARDED_BY(mutex), lost GUARDED_BY(mutex);

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
    bool has_failed;
    struct error first; /* why */
};

/* timeout_us 0: the configured one. Returns the monotonic deadline. */
int64_t db_deadline(const struct db *db, int64_t timeout_us);
MUST_CHECK bool pool_checkout(struct db *db, int64_t deadline_us, struct conn **out,
                              struct error *err);
void pool_return(struct conn *c);
MUST_CHECK bool gate_enter(struct db *db, int64_t deadline_us, struct error *err);
void gate_leave(struct db *db);
void db_note_retry(struct db *db);

/* The statement, its parameters checked against its header. */
MUST_CHECK bool statement_for(const struct db *db, const char *name, const struct value *params,
                              size_t n, bool is_fenced, const struct statement **out,
                              struct error *err);
/* Sleeps before try number `attempt` (0, 1, ...); false when the deadline comes first. */
bool retry_wait(int attempt, int64_t deadline_us);
/* A migration's text inside a transaction. */
MUST_CHECK bool txn_text(struct txn *t, const char *sql, struct error *err);
#endif
