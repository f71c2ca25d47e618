#include "node/lifecycle.h"

#include <stdio.h>
#include <string.h>

void lifecycle_init(struct lifecycle *l, int64_t now)
{
    *l = (struct lifecycle){.state = NODE_STARTING, .since_at = now};
}

bool lifecycle_move(struct lifecycle *l, enum node_state to, const char *reason, int64_t now)
{
    if (l->state == NODE_DRAINING || (l->state == NODE_FAILED && to != NODE_DRAINING))
        return false;
    if (to == NODE_STARTING && l->state != NODE_STARTING && l->state != NODE_MIGRATING)
        to = NODE_DEGRADED;
    snprintf(l->reason, sizeof(l->reason), "%s", to == NODE_ACTIVE ? "" : reason);
    if (to == l->state)
        return false;
    l->state = to;
    l->since_at = now;
    return true;
}

const char *node_state_name(enum node_state s)
{
    static const char *const names[NODE_STATE_N] = {
        "unknown",     "starting", "migrating", "uninitialised", "standby",
        "catching-up", "active",   "degraded",  "draining",      "failed"};

    return s > 0 && s < NODE_STATE_N ? names[s] : names[0];
}

bool node_is_ready(enum node_state s)
{
    return s == NODE_ACTIVE;
}

bool node_is_alive(enum node_state s)
{
    return s != NODE_FAILED;
}

bool node_has_settled(enum node_state s)
{
    return s == NODE_ACTIVE || s == NODE_STANDBY || s == NODE_UNINITIALISED || s == NODE_FAILED;
}
