/* backoff.h: 10 ms doubling to 10 s; half of each wait is random, so that many clients of one
 * endpoint do not come back in step. Threads: one. */
#ifndef CLIENT_BACKOFF_H
#define CLIENT_BACKOFF_H
#include <stdint.h>

#define BACKOFF_MIN_US INT64_C(10000)
#define BACKOFF_MAX_US INT64_C(10000000)

struct backoff {
    int64_t next_us;
};
#define BACKOFF_INIT                                                                               \
    {                                                                                              \
        BACKOFF_MIN_US                                                                             \
    }

int64_t backoff_next(struct backoff *b); /* how long to wait now, microseconds */
void backoff_reset(struct backoff *b);
#endif
