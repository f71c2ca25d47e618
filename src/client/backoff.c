/* backoff.c: see the header. */
#include "client/backoff.h"

#include "base/random.h"

int64_t backoff_next(struct backoff *b)
{
    int64_t full = b->next_us;

    b->next_us = full * 2 < BACKOFF_MAX_US ? full * 2 : BACKOFF_MAX_US;
    return full / 2 + (int64_t)random_below((uint64_t)(full / 2) + 1);
}

void backoff_reset(struct backoff *b)
{
    b->next_us = BACKOFF_MIN_US;
}
