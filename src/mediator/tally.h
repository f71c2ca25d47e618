/* tally.h: responses in, verdict out. The pure core of the mediator: no clock, no topology, no
 * rows. One struct tally counts one request. Per view and confirmer it keeps who approved, rejected
 * and abstained; a party hosted by several participants needs `threshold` of them (a consortium). A
 * decided party leaves every quorum of the view; an approval also lowers their thresholds by its
 * weight. Approved: in all views all quorums are at 0. Rejected: some quorum asks for more than its
 * remaining weights; the reasons are that view's.
 * Invariants: the first decision stands; the order in which distinct participants' votes of
 * distinct views come never changes an approval; every sum is 64 bits wide. Follows spec
 * mediator.md 1.8. Threads: the owner guards it. */
#ifndef MEDIATOR_TALLY_H
#define MEDIATOR_TALLY_H
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct tally;

enum tally_code { TALLY_APPROVE = 1, TALLY_REJECT = 2, TALLY_MALFORMED = 3, TALLY_ABSTAIN = 4 };

/* One local verdict. status: the google.rpc.Status as received, opaque; borrowed during the call.
 */
struct tally_vote {
    enum tally_code code;
    struct bytes status;
};

enum tally_state { TALLY_PENDING, TALLY_APPROVED, TALLY_REJECTED };

enum tally_result {
    TALLY_COUNTED,      /* something changed, or nothing did because it was known */
    TALLY_EQUIVOCATION, /* counted, but some party's vote contradicts the sender's first: not that
                           one */
    TALLY_UNKNOWN_VIEW, /* dropped: no such view */
    TALLY_BAD_PARTY, /* dropped as a whole: a party confirms nothing there, or not by the sender */
    TALLY_NO_MEMORY, /* dropped; the tally is as before or may be closed only */
};

/* Why a party or several were rejected. */
struct tally_reason {
    const char *const *parties; /* sorted bytewise, no repeats; at least 1 */
    size_t n_parties;
    const char *participant; /* "PAR::uid" */
    enum tally_code code;    /* not TALLY_APPROVE */
    struct bytes status;
};

struct tally_confirmer {
    const char *party;
    int32_t weight; /* at least 1 */
};

/* NULL when out of memory. Build: add views in pre-order, quorums to the last view, the hosting of
 * every confirmer, then tally_seal. Strings are copied. */
struct tally *tally_open(void);
void tally_close(struct tally *t); /* NULL is allowed */

MUST_CHECK bool tally_add_view(struct tally *t, struct error *err);
/* c: in the order of the wire; a party that occurs twice counts with its last weight. threshold: 0
 * or more. Fails: ERR_MEMORY. */
MUST_CHECK bool tally_add_quorum(struct tally *t, const struct tally_confirmer *c, size_t n,
                                 int32_t threshold, struct error *err);
/* Who may confirm for party at the request's ts; may be nobody. Once per party; repeats replace.
 * threshold: at least 1. Fails: ERR_MEMORY. */
MUST_CHECK bool tally_add_hosting(struct tally *t, const char *party, uint32_t threshold,
                                  const char *const *participants, size_t n, struct error *err);
/* Ends the building. A party without hosting has no confirming participant. Fails: ERR_MEMORY. */
MUST_CHECK bool tally_seal(struct tally *t, struct error *err);

size_t tally_n_views(const struct tally *t);

/* Counts a vote of sender ("PAR::uid") for parties in a view. Not TALLY_MALFORMED. */
MUST_CHECK enum tally_result tally_vote(struct tally *t, size_t view, const char *sender,
                                        const char *const *parties, size_t n,
                                        const struct tally_vote *vote);
/* TALLY_MALFORMED of sender for one view (or all of them: TALLY_ALL_VIEWS): a rejection by every
 * confirmer of it that the sender hosts. */
#define TALLY_ALL_VIEWS SIZE_MAX
MUST_CHECK enum tally_result tally_malformed(struct tally *t, size_t view, const char *sender,
                                             struct bytes status);

enum tally_state tally_state(const struct tally *t);

/* The reasons of a rejection, newest first. Valid until the next call on t. n: 0 unless rejected.
 */
const struct tally_reason *tally_reasons(struct tally *t, size_t *n);

/* The parties that a timeout names: pending in a quorum of a view that is not satisfied; sorted, no
 * repeats. The caller frees *out, never the strings. Fails: ERR_MEMORY. */
MUST_CHECK bool tally_unresponsive(const struct tally *t, const char ***out, size_t *n,
                                   struct error *err);

/* A static check of the quorums (request validation), after tally_seal, before votes. */
enum tally_defect {
    TALLY_SOUND,
    TALLY_NO_VIEW,
    TALLY_NO_THRESHOLD, /* a view without a quorum of threshold 1 or more */
    TALLY_UNREACHABLE,  /* a quorum whose hosted confirmers cannot reach its threshold */
};
enum tally_defect tally_check(const struct tally *t, size_t *view);
#endif
