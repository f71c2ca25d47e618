#include "cli/topology_call.h"

#include <string.h>

#include "base/clock.h"
#include "wire/precheck.h"

bool topology_node_open(struct cli *cli, struct topology_node *out, struct error *err)
{
    Lsadm__NodeStatusRequest rq = LSADM__NODE_STATUS_REQUEST__INIT;
    const char *address = cli_value(cli, "server");

    if (address == NULL)
        return error_set(err, ERR_CONFIG, "give --server HOST:PORT, its admin API", "no node");
    if (!cli_connect(cli, address, &out->server, err))
        return false;
    out->status = cli_call(out->server, "/lockstep.admin.v1.NodeService/NodeStatus", &rq,
                           &lsadm__node_status_response__descriptor, err);
    if (out->status == NULL)
        return false;
    topology_admin__store_id__init(&out->authorized);
    topology_admin__store_id__authorized__init(&out->authorized_kind);
    out->authorized.store_case = TOPOLOGY_ADMIN__STORE_ID__STORE_AUTHORIZED;
    out->authorized.authorized = &out->authorized_kind;
    topology_admin__store_id__init(&out->synchronizer);
    topology_admin__synchronizer__init(&out->synchronizer_kind);
    out->synchronizer.store_case = TOPOLOGY_ADMIN__STORE_ID__STORE_SYNCHRONIZER;
    out->synchronizer.synchronizer = &out->synchronizer_kind;
    out->synchronizer_kind.kind_case = TOPOLOGY_ADMIN__SYNCHRONIZER__KIND_PHYSICAL_ID;
    out->synchronizer_kind.physical_id = out->status->physical_synchronizer_id;
    return true;
}

void topology_node_close(struct topology_node *n)
{
    wire_message_free(n->status);
    cli_disconnect(n->server);
}

bool topology_node_store(struct cli *cli, struct topology_node *n, TopologyAdmin__StoreId **out,
                         struct error *err)
{
    const char *name = cli_value(cli, "store");
    bool has_synchronizer = n->status->physical_synchronizer_id[0] != '\0';

    if (name != NULL && strcmp(name, "authorized") != 0 && strcmp(name, "synchronizer") != 0)
        return error_set(err, ERR_CONFIG, "write authorized or synchronizer", "no store %.40s",
                         name);
    if (name != NULL && strcmp(name, "synchronizer") == 0 && !has_synchronizer)
        return error_set(err, ERR_UNAVAILABLE, "bootstrap it first", "%s has no synchronizer yet",
                         cli_server_address(n->server));
    *out = has_synchronizer && (name == NULL || strcmp(name, "synchronizer") == 0)
               ? &n->synchronizer
               : &n->authorized;
    return true;
}

TopologyAdmin__AuthorizeResponse *topology_propose(struct topology_node *n,
                                                   TopologyAdmin__StoreId *store, int op,
                                                   uint32_t serial, P30__TopologyMapping *mapping,
                                                   bool is_proposal, char **signed_by,
                                                   size_t n_signed_by, struct error *err)
{
    TopologyAdmin__AuthorizeRequest rq = TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__INIT;
    TopologyAdmin__AuthorizeRequest__Proposal p = TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__PROPOSAL__INIT;
    Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;

    wait.seconds = cli_server_timeout(n->server) / US_PER_S;
    wait.nanos = (int32_t)(cli_server_timeout(n->server) % US_PER_S * 1000);
    p.change = (P30__Enums__TopologyChangeOp)op;
    p.serial = serial;
    p.mapping_case = TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__PROPOSAL__MAPPING_V30;
    p.v30 = mapping;
    rq.type_case = TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__TYPE_PROPOSAL;
    rq.proposal = &p;
    rq.must_fully_authorize = !is_proposal;
    rq.store = store;
    rq.signed_by = signed_by;
    rq.n_signed_by = n_signed_by;
    rq.wait_to_become_effective = &wait;
    return cli_call(n->server, TOPOLOGY_WRITE "Authorize", &rq,
                    &topology_admin__authorize_response__descriptor, err);
}
