/* pool.c: a ring of work items under one mutex. Threads start as work finds none idle, so that a
 * pool that is never used costs nothing. Invariant: n_queued <= capacity; after is_closed nothing
 * is added. */
#include "base/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

struct item {
    void (*fn)(void *ctx);
    void *ctx;
};

struct pool {
    struct mutex lock;
    struct cond work;
    char name[16];
    struct thread threads[POOL_THREADS_MAX];
    int max_threads;
    int n_threads GUARDED_BY(lock);
    int n_idle GUARDED_BY(lock);
    bool is_closed GUARDED_BY(lock);
    struct item *ring GUARDED_BY(lock); /* grows up to max_queued */
    size_t cap GUARDED_BY(lock), first GUARDED_BY(lock), n_queued GUARDED_BY(lock);
    size_t max_queued;
};

static void *pool_main(void *arg)
{
    struct pool *p = arg;

    mutex_lock(&p->lock);
    for (;;) {
        struct item it;

        while (p->n_queued == 0 && !p->is_closed) {
            p->n_idle++;
            cond_wait(&p->work, &p->lock);
            p->n_idle--;
        }
        if (p->n_queued == 0)
            break;
        it = p->ring[p->first];
        p->first = (p->first + 1) % p->cap;
        p->n_queued--;
        mutex_unlock(&p->lock);
        it.fn(it.ctx);
        mutex_lock(&p->lock);
    }
    mutex_unlock(&p->lock);
    return NULL;
}

bool pool_open(const char *name, int n_threads, size_t max_queued, struct pool **out,
               struct error *err)
{
    size_t len = strlen(name);
    struct pool *p;

    if (len < 1 || len >= sizeof(p->name) || n_threads < 1 || n_threads > POOL_THREADS_MAX ||
        max_queued < 1)
        return error_set(err, ERR_CONFIG, NULL, "pool %s: %d threads, %zu items: out of range",
                         name, n_threads, max_queued);
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for pool %s", name);
    memcpy(p->name, name, len + 1);
    p->max_threads = n_threads;
    p->max_queued = max_queued;
    mutex_init(&p->lock);
    cond_init(&p->work);
    *out = p;
    return true;
}

/* Doubles the ring and straightens it. */
static bool ring_grow(struct pool *p, struct error *err) REQUIRES(p->lock)
{
    size_t cap = p->cap == 0 ? 16 : p->cap * 2;
    struct item *ring;

    if (cap > p->max_queued)
        cap = p->max_queued;
    ring = calloc(cap, sizeof(*ring));
    if (ring == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the queue of pool %s", p->name);
    for (size_t i = 0; i < p->n_queued; i++)
        ring[i] = p->ring[(p->first + i) % p->cap];
    free(p->ring);
    p->ring = ring;
    p->cap = cap;
    p->first = 0;
    return true;
}

static bool submit_locked(struct pool *p, void (*fn)(void *ctx), void *ctx, struct error *err)
    REQUIRES(p->lock)
{
    if (p->is_closed)
        return error_set(err, ERR_CLOSED, NULL, "pool %s is closed", p->name);
    if (p->n_queued == p->max_queued)
        return error_set(err, ERR_OVERLOADED, NULL, "pool %s: %zu items are waiting", p->name,
                         p->n_queued);
    if (p->n_queued == p->cap && !ring_grow(p, err))
        return false;
    /* Without its first thread the pool is of no use; a later one that does not start is no loss.
     */
    if (p->n_queued >= (size_t)p->n_idle && p->n_threads < p->max_threads) {
        if (thread_start(&p->threads[p->n_threads], p->name, pool_main, p, err))
            p->n_threads++;
        else if (p->n_threads == 0)
            return false;
    }
    p->ring[(p->first + p->n_queued) % p->cap] = (struct item){fn, ctx};
    p->n_queued++;
    cond_signal(&p->work);
    return true;
}

bool pool_submit(struct pool *p, void (*fn)(void *ctx), void *ctx, struct error *err)
{
    bool ok;

    mutex_lock(&p->lock);
    ok = submit_locked(p, fn, ctx, err);
    mutex_unlock(&p->lock);
    return ok;
}

size_t pool_queued(struct pool *p)
{
    size_t n;

    mutex_lock(&p->lock);
    n = p->n_queued;
    mutex_unlock(&p->lock);
    return n;
}

void pool_close(struct pool *p)
{
    int n;

    if (p == NULL)
        return;
    mutex_lock(&p->lock);
    p->is_closed = true;
    n = p->n_threads;
    cond_broadcast(&p->work);
    mutex_unlock(&p->lock);
    for (int i = 0; i < n; i++)
        thread_join(&p->threads[i]);
    cond_destroy(&p->work);
    mutex_destroy(&p->lock);
    free(p->ring);
    free(p);
}
