/* attempt.c: making connections. A driver may wait as long as it likes while it connects, so each
 * attempt is a thread of its own, and whoever wants a connection waits for any, no longer than it
 * may. One at a time; but one that has no answer after HEDGE_US is left to itself and the next is
 * begun, so that a server that is back is found at once (a lost SYN is repeated after 1, 3 and 7 s
 * only), and a dead host of several is passed by. */
#include "storage/db_internal.h"

#define HEDGE_US     (400 * US_PER_MS)
#define ATTEMPTS_MAX 16

static void attempt_run(void *ctx)
{
    struct conn *c = ctx;
    struct db *db = c->db;
    struct error err;
    const bool ok = conn_connect(c, &db->target, &err);

    mutex_lock(&db->mutex);
    db->attempts--;
    if (db->fresh == c)
        db->fresh = NULL;
    if (ok && c->began_us > db->proof_us)
        db->proof_us = c->began_us;
    const bool is_kept =
        ok && !db->is_closed && db->open < db->pool_max && c->generation == db->generation;
    if (is_kept) {
        db->open++;
        db->connects++;
        c->next_idle = db->idle;
        db->idle = c;
    } else if (!ok) {
        db->failures++;
        db->failure = err;
        if (err.code == ERR_CONFIG && db->is_proven) /* it was right: a password is being changed */
            db->failure.code = ERR_UNAVAILABLE;
        c->is_broken = true;
    }
    cond_broadcast(&db->returned);
    mutex_unlock(&db->mutex);
    if (!is_kept)
        pool_drop(c);
}

static bool begin(struct db *db, int64_t now_us, struct error *err)
{
    struct conn *c;

    if (!conn_new(db, &c, err))
        return false;
    c->generation = db->generation;
    c->began_us = now_us;
    c->turn = db->turn;
    pool_list(db, c);
    db->attempts++;
    db->fresh = c;
    db->fresh_us = now_us;
    if (worker_start(db, "db-connect", attempt_run, c, err))
        return true;
    db->attempts--;
    db->fresh = NULL;
    pool_drop(c);
    return false;
}

bool attempt_begin(struct db *db, int64_t now_us, bool is_spare, int64_t *until_us,
                   struct error *err)
{
    if (db->fresh && now_us - db->fresh_us >= HEDGE_US) {
        db->fresh = NULL;
        db->turn++;
    }
    if (!db->fresh && db->attempts < ATTEMPTS_MAX && (is_spare || db->open < db->pool_max) &&
        !begin(db, now_us, err))
        return false;
    if (db->fresh && db->fresh_us + HEDGE_US < *until_us)
        *until_us = db->fresh_us + HEDGE_US;
    return true;
}
