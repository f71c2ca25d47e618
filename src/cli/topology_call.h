/* topology_call.h: what the commands for keys and for topology share: the node behind an admin
 * address, its stores, and transactions that it makes. Threads: one. */
#ifndef CLI_TOPOLOGY_CALL_H
#define CLI_TOPOLOGY_CALL_H
#include "cli/rpc.h"
#include "lockstep_admin_v1.pb-c.h"
#include "topology_admin_v30.pb-c.h"

/* An open connection to a node, and its state. Zero-initialise; topology_node_close. */
struct topology_node {
    struct cli_server *server;
    Lsadm__NodeStatusResponse *status;
    /* Its stores, for requests; synchronizer only with a synchronizer. */
    TopologyAdmin__StoreId authorized, synchronizer;
    TopologyAdmin__StoreId__Authorized authorized_kind;
    TopologyAdmin__Synchronizer synchronizer_kind;
};
/* Connects to --server. Fails: as cli_call. */
MUST_CHECK bool topology_node_open(struct cli *cli, struct topology_node *out, struct error *err);
void topology_node_close(struct topology_node *n);
/* The store that --store names ("authorized", "synchronizer"), else the synchronizer's when there
 * is one. Fails: ERR_CONFIG, ERR_UNAVAILABLE (no synchronizer yet). */
MUST_CHECK bool topology_node_store(struct cli *cli, struct topology_node *n,
                                    TopologyAdmin__StoreId **out, struct error *err);

/* Makes, signs and stores one transaction, and waits until it is in effect. serial 0: the next.
 * NULL: err; else wire_message_free. */
TopologyAdmin__AuthorizeResponse *topology_propose(struct topology_node *n,
                                                   TopologyAdmin__StoreId *store, int op,
                                                   uint32_t serial, P30__TopologyMapping *mapping,
                                                   bool is_proposal, char **signed_by,
                                                   size_t n_signed_by, struct error *err);
#define TOPOLOGY_READ  "/com.digitalasset.canton.topology.admin.v30.TopologyManagerReadService/"
#define TOPOLOGY_WRITE "/com.digitalasset.canton.topology.admin.v30.TopologyManagerWriteService/"
#endif
