/* lifecycle.h: the one state of a node, from which every answer about its health follows. Pure.
 * Threads: the owner guards it. */
#ifndef NODE_LIFECYCLE_H
#define NODE_LIFECYCLE_H
#include <stdint.h>

#include "base/error.h"

enum node_state {
    NODE_STARTING = 1,
    NODE_MIGRATING,
    NODE_UNINITIALISED, /* no synchronizer yet */
    NODE_STANDBY,       /* a healthy replica, a peer is active */
    NODE_CATCHING_UP,
    NODE_ACTIVE,
    NODE_DEGRADED, /* mends itself */
    NODE_DRAINING,
    NODE_FAILED, /* needs an operator */
    NODE_STATE_N
};

#define LIFECYCLE_REASON_MAX 256

struct lifecycle {
    enum node_state state;
    char reason[LIFECYCLE_REASON_MAX]; /* why; "" when active */
    int64_t since_at;
};

void lifecycle_init(struct lifecycle *l, int64_t now);
/* Moves to what the parts of the node report. What has left NODE_STARTING never goes back to it (it
 * is degraded then), NODE_FAILED is left by a stop alone, NODE_DRAINING by nothing. True when the
 * state changed: log it. A new reason in the same state is taken over in silence. */
bool lifecycle_move(struct lifecycle *l, enum node_state to, const char *reason, int64_t now);
/* "catching-up". Never NULL. */
const char *node_state_name(enum node_state s);

/* What health says: ready to be sent work; alive (a supervisor need not restart it). */
bool node_is_ready(enum node_state s);
bool node_is_alive(enum node_state s);
/* Past its start: it is what it can be without others. */
bool node_has_settled(enum node_state s);
#endif
