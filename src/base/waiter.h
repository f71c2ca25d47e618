/* waiter.h: one thread waits for what another one finishes. Two hold it, and each lets go once: who
 * waits by waiter_wait (also when it gives up), who finishes by waiter_done. Threads: the two. */
#ifndef BASE_WAITER_H
#define BASE_WAITER_H
#include <stdint.h>

#include "base/error.h"

struct waiter;

MUST_CHECK bool waiter_open(struct waiter **out, struct error *err); /* Fails: ERR_MEMORY. */
/* It is finished; err NULL: well. Lets go. */
void waiter_done(struct waiter *w, const struct error *err);
/* Waits until deadline_us (clock_mono_us), and lets go. Fails: what waiter_done was given, or
 * ERR_TIMEOUT ("`what` within ... ms"). */
MUST_CHECK bool waiter_wait(struct waiter *w, int64_t deadline_us, const char *what,
                            struct error *err);
void waiter_close(struct waiter *w); /* when nobody else ever had it; NULL is allowed */
#endif
