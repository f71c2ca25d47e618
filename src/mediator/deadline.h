/* deadline.h: what becomes due as sequenced time passes: response deadlines and decision times. A
 * heap; whoever pops an entry whose matter is settled ignores it. Order: due, then request, then
 * kind, so that every replica handles the same ones in the same order. Threads: the owner guards
 * it. */
#ifndef MEDIATOR_DEADLINE_H
#define MEDIATOR_DEADLINE_H
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum deadline_kind {
    DEADLINE_RESPONSES, /* no response counts after it: undecided requests time out */
    DEADLINE_DECISION,  /* a verdict that is not sequenced by then is void */
};

struct deadline {
    int64_t due_ts;
    int64_t request_id;
    int32_t part;
    enum deadline_kind kind;
};

/* Zero-initialise; deadlines_free releases. */
struct deadlines {
    struct deadline *heap;
    size_t n, cap;
};

MUST_CHECK bool deadlines_add(struct deadlines *d, struct deadline what, struct error *err);
/* Takes out the first that is due strictly before ts. */
bool deadlines_pop(struct deadlines *d, int64_t ts, struct deadline *out);
int64_t deadlines_next(const struct deadlines *d); /* due_ts of the first; INT64_MAX: none */
void deadlines_free(struct deadlines *d);
#endif
