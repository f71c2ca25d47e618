/* peer.h: one of two processes that compete for a lease, for t/storage/lease_faults.py. */
#ifndef T_STORAGE_PEER_H
#define T_STORAGE_PEER_H
#include "base/clock.h"
#include "base/thread.h"
#include "engine.h"
#include "storage/lease.h"

struct peer {
    struct db *db;
    const char *name; /* of the lease */
    int64_t expiry_us, poll_us;

    struct mutex turn; /* the functions of the lease that one thread at a time may call */
    struct lease *lease;

    struct mutex mutex;
    struct fence last; /* the fence held last; writes go out under it, rightly or not */
    bool has_last, is_hushed, is_ended;
    int64_t late_us, worst_us; /* since `mark`: latest wake-up, longest turn */
};

/* One fenced write of nrows rows, each of `bytes` bytes, under f. */
bool peer_write(struct peer *p, const struct fence *f, int64_t id, int64_t nrows, int64_t bytes,
                int64_t timeout_us, struct error *err);
/* Competes `rounds` times with the other process that has the same file. False: it said why. */
bool peer_race(struct peer *p, const char *file, int rounds);
#endif
