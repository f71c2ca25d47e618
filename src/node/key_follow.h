/* key_follow.h: which of a node's keys are in use follows from the topology: those that its
 * OwnerToKeyMapping names, a new one after a pause in which every peer has seen it too; one that
 * another replica has drawn is read from the database.
 * Threads: key_follow_poll from one at a time. */
#ifndef NODE_KEY_FOLLOW_H
#define NODE_KEY_FOLLOW_H
#include "topology/topology.h"

struct node;

struct key_follow {
    char listed[TOPOLOGY_KEYS_MAX][FINGERPRINT_SIZE]; /* as last followed */
    size_t n;
    bool has_followed;
    bool is_reloading; /* atomic: a job of the pool reads the keys */
};

void key_follow_poll(struct node *n);
/* For keyring_on_missing: reads the keys at once. ctx: the struct node. */
void key_follow_reload(void *node);
#endif
