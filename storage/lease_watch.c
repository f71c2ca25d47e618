/* lease_watch.c: the rule of observation. Pure.
 * Invariant: a take-over by silence is tried only after the same (epoch, holder, beat) was read
 * again and again, without a gap, over at least the expiry. A slow database or a paused contender
 * makes a gap, and a gap starts the count again.
 * Model: t/model/watch.pml. */
#include <string.h>

#include "base/failpoint.h"
#include "storage/lease.h"

static bool is_same(const struct lease_watch *w, const struct fence *f, int64_t beat)
{
    return w->fence.epoch == f->epoch && memcmp(w->fence.holder, f->holder, HOLDER_LEN) == 0 &&
           w->beat == beat;
}

bool lease_watch_observe(struct lease_watch *w, int64_t now_us, const struct fence *f, int64_t beat,
                         bool is_released, int64_t expiry_us, int64_t poll_us)
{
    const bool is_continuous =
        w->is_started && now_us >= w->seen_us &&
        (now_us - w->seen_us <= 2 * poll_us || failpoint_is_on("lease-gap-ignored"));

    if (!is_continuous || !is_same(w, f, beat))
        w->since_us = now_us;
    w->fence = *f;
    w->beat = beat;
    w->seen_us = now_us;
    w->is_started = true;
    return is_released || now_us - w->since_us >= expiry_us;
}
