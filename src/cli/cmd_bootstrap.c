/* cmd_bootstrap.c: `lockstep bootstrap`: makes a synchronizer of running nodes over their admin
 * APIs. Every step can be repeated, so the whole can: run it again after a failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/rpc.h"
#include "connection_v30.pb-c.h"
#include "lockstep_admin_v1.pb-c.h"
#include "mediator_admin_v30.pb-c.h"
#include "topology_admin_v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/versioned.h"

#define TREE "/com.digitalasset.canton."
enum { NODES_MAX = 16, TXS_MAX = 4 * NODES_MAX };

struct mediator_node {
    struct cli_server *server;
    TopologyAdmin__GetIdResponse *id;
    TopologyAdmin__ListAllV2Response *txs;
};
struct plan {
    struct cli_server *sequencer;
    struct mediator_node mediators[NODES_MAX];
    size_t n_mediators;
};

/* An address that is no admin API is told before anything is changed. */
static bool check_admin(struct cli_server *s, struct error *err)
{
    Connection__GetApiInfoRequest rq = CONNECTION__GET_API_INFO_REQUEST__INIT;
    Connection__GetApiInfoResponse *r =
        cli_call(s, TREE "connection.v30.ApiInfoService/GetApiInfo", &rq,
                 &connection__get_api_info_response__descriptor, err);
    bool ok;

    if (r == NULL)
        return false;
    ok = strcmp(r->name, "admin-api") == 0 ||
         error_set(err, ERR_CONFIG, "give the port of its admin-api", "%s is the API %s",
                   cli_server_address(s), r->name);
    wire_message_free(r);
    return ok;
}

static bool ask_mediator(struct cli *cli, const char *address, struct mediator_node *m,
                         struct error *err)
{
    TopologyAdmin__GetIdRequest id = TOPOLOGY_ADMIN__GET_ID_REQUEST__INIT;
    TopologyAdmin__ListAllV2Request list = TOPOLOGY_ADMIN__LIST_ALL_V2_REQUEST__INIT;

    if (!cli_connect(cli, address, &m->server, err) || !check_admin(m->server, err))
        return false;
    m->id = cli_call(m->server, TREE "topology.admin.v30.IdentityInitializationService/GetId", &id,
                     &topology_admin__get_id_response__descriptor, err);
    if (m->id == NULL)
        return false;
    m->txs = cli_call(m->server, TREE "topology.admin.v30.TopologyManagerReadService/ListAllV2",
                      &list, &topology_admin__list_all_v2_response__descriptor, err);
    if (m->txs == NULL)
        return false;
    return m->txs->result != NULL ||
           error_set(err, ERR_MALFORMED, NULL, "%s lists no transactions", address);
}

/* The stored form is wrapped, the request wants the plain message. */
static bool add_txs(const struct mediator_node *m, P30__SignedTopologyTransaction **out, size_t *n,
                    struct error *err)
{
    for (size_t i = 0; i < m->txs->result->n_items; i++) {
        ProtobufCBinaryData b = m->txs->result->items[i]->transaction;
        struct bytes plain;

        if (*n == TXS_MAX)
            return error_set(err, ERR_LIMIT, NULL, "more than %d transactions", TXS_MAX);
        if (!versioned_unwrap(bytes_of(b.data, b.len), VERSIONED_V30, &plain, NULL, err))
            return false;
        out[*n] = wire_unpack(&p30__signed_topology_transaction__descriptor, plain, err);
        if (out[*n] == NULL)
            return false;
        (*n)++;
    }
    return true;
}

static Lsadm__BootstrapResponse *make(struct cli *cli, struct plan *p, struct error *err)
{
    Lsadm__BootstrapRequest rq = LSADM__BOOTSTRAP_REQUEST__INIT;
    P30__SignedTopologyTransaction *txs[TXS_MAX] = {NULL};
    Lsadm__BootstrapResponse *r = NULL;
    char *uids[NODES_MAX];
    size_t n = 0;
    int64_t threshold = 1, response = 0, reaction = 0;

    if (!cli_int(cli, "mediator-threshold", 1, NODES_MAX, &threshold) ||
        !cli_duration(cli, "confirmation-response-timeout", US_PER_S, 300 * US_PER_S, &response) ||
        !cli_duration(cli, "mediator-reaction-timeout", US_PER_S, 300 * US_PER_S, &reaction)) {
        error_set(err, ERR_CONFIG, NULL, "nothing was changed");
        return NULL;
    }
    for (size_t i = 0; i < p->n_mediators; i++) {
        uids[i] = p->mediators[i].id->unique_identifier;
        if (!add_txs(&p->mediators[i], txs, &n, err))
            goto out;
    }
    rq.name = (char *)cli_value(cli, "name");
    rq.n_mediator_uids = p->n_mediators;
    rq.mediator_uids = uids;
    rq.n_mediator_identities = n;
    rq.mediator_identities = txs;
    rq.mediator_threshold = (int32_t)threshold;
    if (response > 0) {
        rq._confirmation_response_timeout_us_case =
            LSADM__BOOTSTRAP_REQUEST___CONFIRMATION_RESPONSE_TIMEOUT_US_CONFIRMATION_RESPONSE_TIMEOUT_US;
        rq.confirmation_response_timeout_us = response;
    }
    if (reaction > 0) {
        rq._mediator_reaction_timeout_us_case =
            LSADM__BOOTSTRAP_REQUEST___MEDIATOR_REACTION_TIMEOUT_US_MEDIATOR_REACTION_TIMEOUT_US;
        rq.mediator_reaction_timeout_us = reaction;
    }
    r = cli_call(p->sequencer, "/lockstep.admin.v1.BootstrapService/Bootstrap", &rq,
                 &lsadm__bootstrap_response__descriptor, err);
out:
    for (size_t i = 0; i < n; i++)
        wire_message_free(txs[i]);
    return r;
}

static bool assign(struct cli *cli, const struct mediator_node *m, char *psid, struct error *err)
{
    MediatorAdmin__InitializeMediatorRequest rq = MEDIATOR_ADMIN__INITIALIZE_MEDIATOR_REQUEST__INIT;
    AdminSequencer__SequencerConnections all;
    AdminSequencer__SequencerConnection one, *at = &one;
    AdminSequencer__SequencerConnection__Grpc grpc;
    const char *urls[NODES_MAX];
    void *r;

    admin_sequencer__sequencer_connections__init(&all);
    admin_sequencer__sequencer_connection__grpc__init(&grpc);
    for (const char *u; grpc.n_connections < NODES_MAX &&
                        (u = cli_value_at(cli, "sequencer-url", grpc.n_connections)) != NULL;)
        urls[grpc.n_connections++] = u;
    grpc.connections = (char **)(void *)urls;
    admin_sequencer__sequencer_connection__init(&one);
    one.alias = (char *)"sequencer";
    one.type_case = ADMIN_SEQUENCER__SEQUENCER_CONNECTION__TYPE_GRPC;
    one.grpc = &grpc;
    all.n_sequencer_connections = 1;
    all.sequencer_connections = &at;
    all.sequencer_trust_threshold = 1;
    rq.physical_synchronizer_id = psid;
    rq.sequencer_connections = &all;
    r = cli_call(m->server,
                 TREE "mediator.admin.v30.MediatorInitializationService/InitializeMediator", &rq,
                 &mediator_admin__initialize_mediator_response__descriptor, err);
    wire_message_free(r);
    return r != NULL;
}

static json_t *report(const struct plan *p, const Lsadm__BootstrapResponse *r)
{
    json_t *o = json_object(), *mediators = json_array();

    for (size_t i = 0; i < p->n_mediators; i++)
        json_array_append_new(mediators, json_string(p->mediators[i].id->unique_identifier));
    json_object_set_new(o, "synchronizer", json_string(r->physical_synchronizer_id));
    json_object_set_new(o, "was_there", json_boolean(r->was_there));
    json_object_set_new(o, "mediators", mediators);
    return o;
}

static int bootstrap(struct cli *cli)
{
    struct plan p = {0};
    Lsadm__BootstrapResponse *r = NULL;
    struct error err;
    json_t *doc = NULL;
    const char *at;
    int code = CLI_FAILED;

    if (cli_value(cli, "name") == NULL || cli_value(cli, "sequencer") == NULL ||
        cli_value(cli, "mediator") == NULL || cli_value(cli, "sequencer-url") == NULL)
        return cli_usage(cli, "--name, --sequencer, --mediator and --sequencer-url are needed");
    if (!cli_connect(cli, cli_value(cli, "sequencer"), &p.sequencer, &err) ||
        !check_admin(p.sequencer, &err))
        goto fail;
    while ((at = cli_value_at(cli, "mediator", p.n_mediators)) != NULL) {
        if (p.n_mediators == NODES_MAX) {
            error_set(&err, ERR_LIMIT, NULL, "more than %d mediators", NODES_MAX);
            goto fail;
        }
        if (!ask_mediator(cli, at, &p.mediators[p.n_mediators++], &err))
            goto fail;
    }
    r = make(cli, &p, &err);
    if (r == NULL)
        goto fail;
    for (size_t i = 0; i < p.n_mediators; i++)
        if (!assign(cli, &p.mediators[i], r->physical_synchronizer_id, &err))
            goto fail;
    doc = report(&p, r);
    goto out;
fail:
    code = cli_fail(cli, &err);
out:
    wire_message_free(r);
    for (size_t i = 0; i < p.n_mediators; i++) {
        wire_message_free(p.mediators[i].id);
        wire_message_free(p.mediators[i].txs);
        cli_disconnect(p.mediators[i].server);
    }
    cli_disconnect(p.sequencer);
    return doc != NULL ? cli_print(cli, doc) : code;
}

static const struct cli_option options[] = {
    {"name", 'N', "NAME", "of the synchronizer: the id in front of the namespace"},
    {"sequencer", 's', "HOST:PORT", "admin API of the first sequencer replica"},
    {"mediator", 'm', "HOST:PORT", "admin API of a mediator's first replica; may be repeated"},
    {"sequencer-url", 'u', "URL",
     "public API of a sequencer replica, for the mediators; may be repeated"},
    {"mediator-threshold", 0, "N", "mediators that must agree; default 1"},
    {"confirmation-response-timeout", 0, "DURATION", "participants' time to answer; default 30s"},
    {"mediator-reaction-timeout", 0, "DURATION", "the mediator's time after it; default 30s"},
    {"tls-trust", 0, "FILE", "authorities of the admin APIs' certificates, PEM; turns TLS on"},
    {"tls-cert", 0, "FILE", "own certificates, PEM"},
    {"tls-key", 0, "FILE", "their key, PEM"},
    {"timeout", 't', "DURATION", "longest wait for each answer; default 10s"},
    {0},
};
static const struct cli_command commands[] = {
    {"", "", 0, 0, "make a synchronizer of one sequencer and its mediators",
     "One replica of each is enough: the others find what they need in the shared database. Run "
     "again after a failure: what is done already is left as it is.",
     options, bootstrap},
    {0},
};
const struct cli_family cmd_bootstrap = {"bootstrap", "make a synchronizer of running nodes",
                                         commands};
