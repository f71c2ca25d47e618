/* aggregation.h: submissions that count together. A pure core: the entries in their order, and the
 * topology at each, decide when a threshold is reached and with whose signatures.
 *
 * An aggregation is known by its id (wire/submission.h) from its first contribution until its
 * max_sequencing_time has passed. Invariants: delivered at most once; each member counts once.
 *
 * Threads: the owner's. */
#ifndef SEQUENCER_AGGREGATION_H
#define SEQUENCER_AGGREGATION_H
#include "sequencer/view.h"
#include "wire/submission.h"

struct aggregations;

/* What one member has put in: the signatures of each envelope. */
struct contribution {
    char *member;
    int64_t ts;
    struct signature **signatures; /* per envelope */
    size_t *n_signatures;
    size_t n_envelopes;
};
/* Copies. Fails: ERR_MEMORY; then there is nothing to free. */
MUST_CHECK bool contribution_make(const char *member, int64_t ts, const struct batch *b,
                                  struct contribution *out, struct error *err);
void contribution_free(struct contribution *c); /* what it owns, and zeroes it */

/* True when enough contributions count at v. keep: n flags, which of them are delivered; drop: per
 * contribution and envelope, which signatures are no longer usable (asked again by
 * contributions_merge, so nothing is stored). */
bool contributions_complete(const struct view *v, const struct aggregation_rule *rule,
                            const struct contribution *c, size_t n, bool *keep);
/* Replaces the signatures of b by those of the kept contributions, in ascending order of the member
 * texts, without those that do not count any more at v. Fails: ERR_MEMORY. */
MUST_CHECK bool contributions_merge(const struct view *v, const struct aggregation_rule *rule,
                                    const struct contribution *c, size_t n, const bool *keep,
                                    struct batch *b, struct error *err);

MUST_CHECK bool aggregations_open(struct aggregations **out, struct error *err);
void aggregations_close(struct aggregations *a); /* NULL is allowed */

enum contribute_result {
    CONTRIBUTE_WAITING,      /* added, below the threshold */
    CONTRIBUTE_COMPLETE,     /* deliver b, whose signatures are merged now */
    CONTRIBUTE_ALREADY_SENT, /* delivered at *before */
    CONTRIBUTE_STUFFING,     /* the sender has contributed at *before */
};
/* Adds what s contributes at v->ts. id: of s. b: its batch, opened. *before, and *ts with *n_ts
 * (those that were merged; malloc'ed) are set as the result says. Fails: ERR_MEMORY; nothing is
 * added then. */
MUST_CHECK bool aggregations_contribute(struct aggregations *a, const struct view *v,
                                        const struct hash *id, const struct submission *s,
                                        struct batch *b, enum contribute_result *result,
                                        int64_t *before, int64_t **ts, size_t *n_ts,
                                        struct error *err);
/* True when it was delivered: what SendAsync may ask early. */
bool aggregations_delivered(const struct aggregations *a, const struct hash *id);
/* Forgets those whose max_sequencing_time is ts or earlier. At most one sweep a
 * second of ts, so that it is cheap at each entry. */
void aggregations_expire(struct aggregations *a, int64_t ts);
size_t aggregations_count(const struct aggregations *a);
#endif
