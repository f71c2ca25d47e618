/* topology_snapshot.h: a struct snapshot that answers from topology/. The owner of the topology
 * guards it: no write while a core uses the snapshot. */
#ifndef MEDIATOR_TOPOLOGY_SNAPSHOT_H
#define MEDIATOR_TOPOLOGY_SNAPSHOT_H
#include "mediator/snapshot.h"
#include "topology/topology.h"

/* Borrows both; must stay where it is while the snapshot is used. */
struct topology_view {
    const struct topology *topology;
    const char *uid; /* of this mediator */
};
struct snapshot topology_snapshot(struct topology_view *v);
#endif
