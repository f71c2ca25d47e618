/* clock.h (sequencer): the timestamps that one node gives out. A pure core.
 *
 * t mod node_count = node_index, so that nodes never collide; strictly increasing; hybrid: never
 * behind the largest watermark seen, so that skew between nodes does not hold up the frontier.
 * Invariants: every ts is above every ts given and every watermark noted before it; none is more
 * than SEQ_CLOCK_AHEAD_US ahead of the clock, unless the log itself is: then time creeps, at most
 * SEQ_CLOCK_CREEP_US a batch, which is what the write allows (nothing moves time back).
 *
 * Threads: the owner's. */
#ifndef SEQUENCER_CLOCK_H
#define SEQUENCER_CLOCK_H
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SEQ_CLOCK_AHEAD_US INT64_C(100000)
#define SEQ_CLOCK_CREEP_US INT64_C(1000)

struct seq_clock {
    int32_t node_index, node_count;
    int64_t last;  /* the largest ts given out or promised away */
    int64_t floor; /* the largest watermark seen of anybody, the start included */
};

/* start: everything given out is above it. 0 <= node_index < node_count. */
void seq_clock_init(struct seq_clock *c, int node_index, int node_count, int64_t start);

/* Notes a watermark: whatever is given out from now on is above it. */
void seq_clock_note(struct seq_clock *c, int64_t watermark);

/* How many timestamps may be taken now; 0: overloaded. now_us: a reading of the clock, may go back.
 */
size_t seq_clock_room(const struct seq_clock *c, int64_t now_us);

/* Gives out n >= 1 rising timestamps: the first is max(now, last + 1, floor + 1) rounded up to the
 * residue, the others follow in steps of node_count. Fails, giving out nothing: ERR_OVERLOADED when
 * n > seq_clock_room. */
MUST_CHECK bool seq_clock_take(struct seq_clock *c, int64_t now_us, size_t n, int64_t *first,
                               struct error *err);

/* A watermark that promises silence: max(now, last + 1, floor); nothing at or below it will be
 * given out. Always above the one before, so that it is a beat as well. */
int64_t seq_clock_silence(struct seq_clock *c, int64_t now_us);

/* Follows a peer that is ahead: what is given out from now on is above ts, and so is the promise.
 * False: nothing to follow, own promise is there already. */
bool seq_clock_follow(struct seq_clock *c, int64_t ts);
#endif
