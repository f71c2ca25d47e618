/* onboarding.h: may a participant join with these transactions
 * (RegisterOnboardingTopologyTransactions)? Threads: a writer of t (it tries the transactions out
 * and takes them back). */
#ifndef TOPOLOGY_ONBOARDING_H
#define TOPOLOGY_ONBOARDING_H
#include "topology/topology.h"

#define ONBOARDING_TRANSACTIONS_MAX 7

/* transactions: W(30) SignedTopologyTransaction each; member: the caller's member text.
 * lower_bound_ts: the upgrade time of a successor synchronizer, TS_MIN for none; now: the time that
 * this would be sequenced at. On success kept[0..*n_kept) are the indexes to broadcast, in order
 * (doubles of one unique key dropped); kept holds n. Fails: ERR_MALFORMED, ERR_LIMIT,
 * ERR_UNSUPPORTED (INVALID_ARGUMENT); ERR_REFUSED (FAILED_PRECONDITION: locked, too early, joined
 * before, or not valid as a batch); ERR_MEMORY. */
MUST_CHECK bool onboarding_check(struct topology *t, const char *member,
                                 const struct bytes *transactions, size_t n, int64_t lower_bound_ts,
                                 int64_t now, size_t *kept, size_t *n_kept, struct error *err);
#endif
