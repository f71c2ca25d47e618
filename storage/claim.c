/* claim.c: a lease with a thread that renews it. */
#include "storage/claim.h"

#include <stdlib.h>

#include "base/clock.h"
#include "storage/db_internal.h"
#include "storage/lease.h"

#define CLAIM_EXPIRY_US (3 * US_PER_S)
#define CLAIM_RENEW_US  (500 * US_PER_MS)
#define ERRORS_US       (30 * US_PER_S)

struct claim {
    struct lease *lease;
    struct logger *logger;
    struct thread thread;
    struct mutex mutex;
    struct cond changed;
    bool is_ending GUARDED_BY(mutex);
    int64_t failing_since_us GUARDED_BY(mutex); /* 0: the last turn was well */
    struct error error GUARDED_BY(mutex);
};

static void *claim_run(void *ctx)
{
    struct claim *c = ctx;

    mutex_lock(&c->mutex);
    while (!c->is_ending) {
        enum lease_change change;
        struct error e;
        mutex_unlock(&c->mutex);
        const int64_t started_us = clock_mono_us();
        const bool ok = lease_step(c->lease, &change, &e);
        mutex_lock(&c->mutex);
        if (ok) {
            c->failing_since_us = 0;
        } else {
            c->error = e;
            if (c->failing_since_us == 0)
                c->failing_since_us = started_us;
        }
        cond_broadcast(&c->changed);
        while (!c->is_ending &&
               cond_wait_until(&c->changed, &c->mutex, started_us + CLAIM_RENEW_US))
            ;
    }
    mutex_unlock(&c->mutex);
    return NULL;
}

bool claim_open(struct db *db, struct claim **out, struct error *err)
{
    struct claim *c = calloc(1, sizeof(*c));

    if (!c)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a claim");
    mutex_init(&c->mutex);
    cond_init(&c->changed);
    c->logger = db->logger;
    if (!lease_open(db, "migrate", CLAIM_EXPIRY_US, CLAIM_RENEW_US, &c->lease, err) ||
        !thread_start(&c->thread, "db-claim", claim_run, c, err)) {
        claim_close(c);
        return false;
    }
    *out = c;
    return true;
}

bool claim_wait(struct claim *c, int64_t until_us, struct error *err)
{
    int64_t say_us = clock_mono_us() + CLAIM_EXPIRY_US;
    bool ok = true;

    mutex_lock(&c->mutex);
    while (ok && !lease_held(c->lease, NULL)) {
        const int64_t now_us = clock_mono_us();
        if (now_us >= until_us) {
            ok = error_set(err, ERR_TIMEOUT, "look for it, then run `lockstep db migrate` again",
                           "another program migrates this schema and does not end");
        } else if (c->failing_since_us > 0 && now_us - c->failing_since_us >= ERRORS_US) {
            *err = c->error;
            ok = false;
        } else {
            if (now_us >= say_us) {
                log_info(c->logger, "waiting for another program that migrates this schema");
                say_us = now_us + 10 * US_PER_S;
            }
            cond_wait_until(&c->changed, &c->mutex, now_us + CLAIM_RENEW_US);
        }
    }
    mutex_unlock(&c->mutex);
    return ok;
}

bool claim_held(struct claim *c)
{
    return lease_may_act(c->lease);
}

void claim_close(struct claim *c)
{
    if (!c)
        return;
    mutex_lock(&c->mutex);
    c->is_ending = true;
    cond_broadcast(&c->changed);
    mutex_unlock(&c->mutex);
    thread_join(&c->thread);
    if (c->lease)
        lease_close(c->lease);
    cond_destroy(&c->changed);
    mutex_destroy(&c->mutex);
    free(c);
}
