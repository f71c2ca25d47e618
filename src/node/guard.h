/* guard.h: lets one process at a time run a participant. The participant starts when the lease
 * "participant" of its database is won, and stops for good when it is lost; until then the process
 * stands by. The participant's own writes do not carry the fence in this release: one that was
 * paused for longer than the expiry may still write until it notices, within one renewal.
 * Threads: all from the thread that polls and stops the node. */
#ifndef NODE_GUARD_H
#define NODE_GUARD_H
#include "node/node_internal.h"

/* Starts the thread that takes and renews the lease. Fails: ERR_CONFIG, ERR_MEMORY, ERR_INTERNAL.
 */
MUST_CHECK bool guard_start(struct node *n, struct error *err);
void guard_stop(struct node *n); /* gives the lease up; twice, and never started, are allowed */
/* NODE_ACTIVE: the participant was started here (or needs no guard). Else the node's state, and
 * why. */
enum node_state guard_observe(struct node *n, char *reason);
#endif
