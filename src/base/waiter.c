#include "base/waiter.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"

struct waiter {
    struct mutex lock;
    struct cond done;
    struct error err;
    int64_t began_us;
    bool is_done, is_ok;
    int refs;
};

bool waiter_open(struct waiter **out, struct error *err)
{
    struct waiter *w = calloc(1, sizeof(*w));

    *out = w;
    if (w == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory to wait");
    mutex_init(&w->lock);
    cond_init(&w->done);
    w->began_us = clock_mono_us();
    w->refs = 2;
    return true;
}

void waiter_close(struct waiter *w)
{
    if (w == NULL)
        return;
    cond_destroy(&w->done);
    mutex_destroy(&w->lock);
    free(w);
}

static void let_go(struct waiter *w)
{
    mutex_lock(&w->lock);
    bool is_last = --w->refs == 0;
    mutex_unlock(&w->lock);
    if (is_last)
        waiter_close(w);
}

void waiter_done(struct waiter *w, const struct error *err)
{
    mutex_lock(&w->lock);
    w->is_done = true;
    w->is_ok = err == NULL;
    if (err != NULL)
        w->err = *err;
    cond_broadcast(&w->done);
    mutex_unlock(&w->lock);
    let_go(w);
}

bool waiter_wait(struct waiter *w, int64_t deadline_us, const char *what, struct error *err)
{
    mutex_lock(&w->lock);
    while (!w->is_done && cond_wait_until(&w->done, &w->lock, deadline_us))
        ;
    bool ok = w->is_done && w->is_ok;
    if (w->is_done && !ok)
        *err = w->err;
    else if (!w->is_done)
        error_set(err, ERR_TIMEOUT, NULL, "%s within %lld ms", what,
                  (long long)((clock_mono_us() - w->began_us) / US_PER_MS));
    mutex_unlock(&w->lock);
    let_go(w);
    return ok;
}
