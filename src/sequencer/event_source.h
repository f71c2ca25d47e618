/* event_source.h: the next event of one member as the bytes that are sent.
 *
 * Threads: any; takes the state lock, and waits for the database when the event is no longer in
 * memory. */
#ifndef SEQUENCER_EVENT_SOURCE_H
#define SEQUENCER_EVENT_SOURCE_H
#include "base/buffer.h"

struct sequencer;

/* Appends the SubscriptionResponse of the first event at or after *pos with ts >= from_ts, signed
 * with the sequencer's key of its time, and moves *pos behind it. *has_event false: none yet.
 * Fails: ERR_NOT_FOUND (no signing key at that time; the log row is gone), ERR_INTERNAL, storage
 * errors. */
MUST_CHECK bool event_source_next(struct sequencer *seq, const char *member, int64_t from_ts,
                                  size_t *pos, struct buffer *out, bool *has_event,
                                  struct error *err);
#endif
