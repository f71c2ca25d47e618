/* dedup.h: which request uuids are burnt, and until when. A uuid is burnt by its first request,
 * even one that is rejected later, for the deduplication timeout in force at that request's ts.
 * Bounded: when full the oldest entry goes first, so the set is a function of the ordered requests.
 * Invariant: entries are in the order of their requests. Threads: the owner guards it. */
#ifndef MEDIATOR_DEDUP_H
#define MEDIATOR_DEDUP_H
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define DEDUP_UUID_LEN 16

struct dedup;

/* max: entries, 1 to 2^30. NULL when out of memory. */
struct dedup *dedup_open(size_t max);
void dedup_close(struct dedup *d); /* NULL is allowed */

/* True when uuid is burnt at ts: an entry for it expires at ts or later; *expires_ts tells when. */
bool dedup_is_burnt(const struct dedup *d, const uint8_t uuid[DEDUP_UUID_LEN], int64_t ts,
                    int64_t *expires_ts);
/* Burns uuid from ts to expires_ts, both inclusive; a uuid whose entry has expired is burnt anew.
 * Drops entries at the old end that expired before ts. ts: not lower than before. Fails:
 * ERR_MEMORY. */
MUST_CHECK bool dedup_burn(struct dedup *d, const uint8_t uuid[DEDUP_UUID_LEN], int64_t ts,
                           int64_t expires_ts, struct error *err);
size_t dedup_count(const struct dedup *d);
#endif
