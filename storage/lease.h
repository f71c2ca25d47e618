/* lease.h: one holder per name. The primitive under every role.
 * Safety rests on the fence checked inside the writing act, never on time: a holder that sleeps
 * through a take-over is refused when it writes. Time only decides when to try.
 * Invariants (t/model/lease.pml, t/storage/lease_*.py):
 *   an epoch has one holder, in one history of the database;
 *   what is written under a fence is committed only while that fence is the newest: nothing of an
 *   older epoch or holder after a newer one was taken, whoever slept, and also when the database
 *   went back in time and gives the same epoch again;
 *   silence is what a contender saw itself, awake and without a gap, for the whole expiry, from a
 *   database that also commits within two polls: a slow one moves no role;
 *   a stopped holder delays nobody beyond that (SQLite: but inside its transaction, which has the
 *   file's only write lock until the process goes on or ends).
 * Follows doc/architecture.md "Lease and fencing".
 * Threads: lease_step, lease_settle and lease_release from one thread per struct lease (its
 * runner); lease_held, lease_may_act from any. Writes under a lease: db_fenced (db.h), from any. */
#ifndef STORAGE_LEASE_H
#define STORAGE_LEASE_H
#include "storage/db.h"

struct lease;

#define HOLDER_LEN 16
/* What a decision was made under; every write that follows from it carries it. */
struct fence {
    int64_t epoch;
    uint8_t holder[HOLDER_LEN]; /* random, drawn at each acquisition */
};
static inline struct value fence_holder(const struct fence *f)
{
    return value_bytes(bytes_of(f->holder, HOLDER_LEN));
}

/* The rule of observation, pure: also for rows that are leases of their own (ls_node, whose
 * watermark is its beat). Zero-initialise. */
struct lease_watch {
    struct fence fence;
    int64_t beat, since_us, seen_us; /* monotonic; since when unchanged, when last read */
    bool is_started;
};
/* Tells what was read at now_us (monotonic, taken before the read was sent). True: a take-over may
 * be tried, because the row is released, or (epoch, holder, beat) was seen unchanged for expiry_us
 * without a gap of more than twice poll_us between two observations. */
bool lease_watch_observe(struct lease_watch *w, int64_t now_us, const struct fence *f, int64_t beat,
                         bool is_released, int64_t expiry_us, int64_t poll_us);

/* Makes a handle, touches no row. Copies name (1 to 64 bytes), borrows db. expiry_us: microseconds,
 * at least 3 renew_us; 0: 1 s. renew_us: how often lease_step will be called; 0: expiry / 4.
 * The caller owns *out. Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool lease_open(struct db *db, const char *name, int64_t expiry_us, int64_t renew_us,
                           struct lease **out, struct error *err);

enum lease_change { LEASE_SAME, LEASE_WON, LEASE_LOST };
/* One turn of the runner, to be called every renew_us: a holder renews its beat, everybody else
 * observes and takes over when the rule allows. *change says what this turn did. An error (the
 * database is away) changes nothing: call again, for ever. */
MUST_CHECK bool lease_step(struct lease *l, enum lease_change *change, struct error *err);

/* Evidence that the holder's process is gone (its host refused a connection): the next lease_step
 * tries a take-over without waiting, at most once per expiry. */
void lease_suspect(struct lease *l);

/* True while held as far as this process knows; fills *f (may be NULL). */
bool lease_held(struct lease *l, struct fence *f);
/* True when held and renewed within the expiry: only then act outside of the database (send). */
bool lease_may_act(struct lease *l);

/* After ERR_UNKNOWN_OUTCOME: moves the own epoch on a connection of its own, which waits for the
 * lost transaction or fences it. Afterwards what it wrote is there or never will be: read back by
 * key, and go on under *f. Fails: ERR_FENCED (no longer the holder), or as db_exec: try again. */
MUST_CHECK bool lease_settle(struct lease *l, struct fence *f, struct error *err);

/* Gives the lease up at once, so that nobody waits for the expiry. Does nothing when not held. */
MUST_CHECK bool lease_release(struct lease *l, struct error *err);
void lease_close(struct lease *l); /* releases if held, ignoring errors; NULL is allowed */

/* PostgreSQL, the second line: ends sessions of our user whose transaction has a row of `table`
 * locked for longer than older_than_us and that wait for their client (a stopped process), never
 * one that commits. For a taker that was blocked (ERR_RETRY, ERR_TIMEOUT). *ended may be NULL.
 * Nothing to do on other engines. */
MUST_CHECK bool db_unblock(struct db *db, const char *table, int64_t older_than_us, int64_t *ended,
                           struct error *err);
#endif
