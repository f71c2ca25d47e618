/* index.h: who gets what: per member the ts of each of its events, in order, and the outcomes
 * themselves as long as they fit into a window. A pure structure.
 *
 * Of an outcome that has left the window a stub is kept when the log row alone cannot tell what was
 * decided (errors, receipts, merged aggregations); apply_again makes the outcome anew from it. The
 * ts lists grow with the history until checkpoints bound them.
 *
 * Threads: the owner's lock. */
#ifndef SEQUENCER_INDEX_H
#define SEQUENCER_INDEX_H
#include "sequencer/apply.h"

struct index;

/* The events of one member; previous_ts of at[i] is at[i - 1]. */
struct member_events {
    char *member;
    int64_t *at;
    size_t n, cap;
};

/* window_bytes_max: of outcomes in memory, about. */
MUST_CHECK bool index_open(size_t window_bytes_max, struct index **out, struct error *err);
void index_close(struct index *ix); /* NULL is allowed */

/* Adds what apply decided next; takes a reference of its own. What has no event is not kept.
 * Fails: ERR_MEMORY. */
MUST_CHECK bool index_add(struct index *ix, struct outcome *o, struct error *err);

/* NULL: never got one. Good until index_close; its content moves with index_add. */
struct member_events *index_events(struct index *ix, const char *member);
/* The first position whose ts is at or above ts. */
size_t member_events_from(const struct member_events *e, int64_t ts);

/* A reference of the caller; NULL: not in the window. */
struct outcome *index_find(struct index *ix, int64_t ts);
/* What is left of an outcome outside of the window: borrowed until the next index_add. A plain
 * delivery when nothing special was kept. */
struct outcome_stub index_stub(struct index *ix, int64_t ts);
size_t index_window_bytes(const struct index *ix);
#endif
