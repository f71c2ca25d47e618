/* admin_sequencer.c: status, initialisation and bootstrap of a sequencer node. */
#include <stdlib.h>
#include <string.h>

#include "admin_sequencer_v30.pb-c.h"
#include "lockstep_admin_v1.pb-c.h"
#include "node/admin_internal.h"
#include "node/genesis_boot.h"
#include "sequencer/sequencer.h"
#include "sequencer_admin_v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/topology_tx.h"

/* --- status ----------------------------------------------------------------------------------- */

enum { SHOWN_MAX = 1000 };

struct connected {
    AdminSequencer__SequencerStatusResponse__ConnectedParticipant part[SHOWN_MAX],
        *part_at[SHOWN_MAX];
    AdminSequencer__SequencerStatusResponse__ConnectedMediator med[SHOWN_MAX], *med_at[SHOWN_MAX];
    char uids[2 * SHOWN_MAX][UID_TEXT_SIZE];
    size_t n_part, n_med;
};

static void on_connected(void *ctx, const char *member)
{
    struct connected *c = ctx;
    char *uid = c->uids[c->n_part + c->n_med];

    if (member_is(member, MEMBER_PARTICIPANT) && c->n_part < SHOWN_MAX) {
        admin_sequencer__sequencer_status_response__connected_participant__init(
            &c->part[c->n_part]);
        c->part[c->n_part].uid = uid;
        c->part_at[c->n_part] = &c->part[c->n_part];
        c->n_part++;
    } else if (member_is(member, MEMBER_MEDIATOR) && c->n_med < SHOWN_MAX) {
        admin_sequencer__sequencer_status_response__connected_mediator__init(&c->med[c->n_med]);
        c->med[c->n_med].uid = uid;
        c->med_at[c->n_med] = &c->med[c->n_med];
        c->n_med++;
    } else {
        return;
    }
    strncpy(uid, member_uid(member), UID_TEXT_MAX);
}

static void sequencer_status_call(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    AdminSequencer__SequencerStatusResponse r = ADMIN_SEQUENCER__SEQUENCER_STATUS_RESPONSE__INIT;
    AdminSequencer__SequencerStatusResponse__SequencerStatusResponseStatus body =
        ADMIN_SEQUENCER__SEQUENCER_STATUS_RESPONSE__SEQUENCER_STATUS_RESPONSE_STATUS__INIT;
    AdminSequencer__SequencerHealthStatus health = ADMIN_SEQUENCER__SEQUENCER_HEALTH_STATUS__INIT;
    AdminSequencer__SequencerAdminStatus admin = ADMIN_SEQUENCER__SEQUENCER_ADMIN_STATUS__INIT;
    struct connected *c = calloc(1, sizeof(*c));
    struct admin_status st = {0};
    struct admin_common common;

    if (c == NULL) {
        rpc_call_refuse(call, RPC_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    admin_common_fill(s, &st, &common);
    if (st.is_initialised) {
        sequencer_connected_members(s->cfg.sequencer, on_connected, c);
        health.active = st.is_active;
        if (st.reason[0] != '\0') {
            health._details_case = ADMIN_SEQUENCER__SEQUENCER_HEALTH_STATUS___DETAILS_DETAILS;
            health.details = st.reason;
        }
        admin.accepts_admin_changes = st.is_active;
        body.common_status = &common.status;
        body.n_connected_participants = c->n_part;
        body.connected_participants = c->part_at;
        body.n_connected_mediators = c->n_med;
        body.connected_mediators = c->med_at;
        body.sequencer = &health;
        body.physical_synchronizer_id = st.psid;
        body.admin = &admin;
        body.protocol_version = 35;
        r.kind_case = ADMIN_SEQUENCER__SEQUENCER_STATUS_RESPONSE__KIND_STATUS;
        r.status = &body;
    } else {
        r.kind_case = ADMIN_SEQUENCER__SEQUENCER_STATUS_RESPONSE__KIND_NOT_INITIALIZED;
        r.not_initialized = &common.not_initialized;
    }
    admin_reply(call, &r);
    free(c);
}

/* --- initialisation --------------------------------------------------------------------------- */

/* Joins the chunks; the parameters stand in each, the last one counts. */
static bool collect(struct rpc_call *call, struct buffer *snapshot, struct buffer *parameters,
                    struct error *err)
{
    for (size_t i = 0; i < rpc_call_request_count(call); i++) {
        SequencerAdmin__InitializeSequencerFromGenesisStateV2Request *rq = wire_unpack(
            &sequencer_admin__initialize_sequencer_from_genesis_state_v2_request__descriptor,
            rpc_call_request_at(call, i), err);
        bool ok = true;

        if (rq == NULL)
            return false;
        buffer_append(snapshot, rq->topology_snapshot.data, rq->topology_snapshot.len);
        if (rq->synchronizer_parameters != NULL) {
            buffer_clear(parameters);
            ok = wire_pack(rq->synchronizer_parameters, parameters, err);
        }
        wire_message_free(rq);
        if (!ok)
            return false;
    }
    if (parameters->len == 0)
        return error_set(err, ERR_MALFORMED, NULL, "synchronizer_parameters are missing");
    return buffer_ok(snapshot, err);
}

static void initialize(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    SequencerAdmin__InitializeSequencerFromGenesisStateV2Response r =
        SEQUENCER_ADMIN__INITIALIZE_SEQUENCER_FROM_GENESIS_STATE_V2_RESPONSE__INIT;
    struct buffer snapshot = BUFFER_INIT, parameters = BUFFER_INIT;
    char psid[PSID_TEXT_SIZE], uid[UID_TEXT_SIZE];
    struct static_parameters fixed;
    struct error err;
    bool was_there;

    if (!collect(call, &snapshot, &parameters, &err) ||
        !static_parameters_parse(buffer_bytes(&parameters), &fixed, &err) ||
        !genesis_inspect(buffer_bytes(&snapshot), &fixed, psid, uid, &err)) {
        admin_fail(s, call, &err);
    } else if (strcmp(uid, s->cfg.identity->uid) != 0) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT,
                        "the snapshot names the sequencer %s, this one is %s", uid,
                        s->cfg.identity->uid);
    } else if (!sequencer_initialize(s->cfg.sequencer, psid, buffer_bytes(&snapshot),
                                     buffer_bytes(&parameters), &was_there, &err)) {
        admin_fail(s, call, &err);
    } else {
        r.replicated = s->cfg.is_replicated;
        admin_reply(call, &r);
    }
    buffer_free(&snapshot);
    buffer_free(&parameters);
}

/* --- bootstrap -------------------------------------------------------------------------------- */

static bool boot(struct admin_service *s, const Lsadm__BootstrapRequest *rq, char *psid,
                 struct buffer *fixed, bool *was_there, struct error *err)
{
    struct signed_txs txs = {0};
    struct dynamic_parameters parameters;
    struct static_parameters constant;
    struct genesis_boot g = {.name = rq->name,
                             .identity = s->cfg.identity,
                             .mediators_txs = &txs,
                             .mediator_threshold = rq->mediator_threshold,
                             .fixed = &constant,
                             .parameters = &parameters};
    bool ok = false;

    if (rq->n_mediator_uids == 0 || rq->n_mediator_uids > GENESIS_MEDIATORS_MAX)
        return error_set(err, ERR_CONFIG, NULL, "%zu mediators, 1 to %d are possible",
                         rq->n_mediator_uids, GENESIS_MEDIATORS_MAX);
    genesis_parameters(s->cfg.node, &constant, &parameters);
    if (rq->_confirmation_response_timeout_us_case != 0)
        parameters.confirmation_response_timeout_us = rq->confirmation_response_timeout_us;
    if (rq->_mediator_reaction_timeout_us_case != 0)
        parameters.mediator_reaction_timeout_us = rq->mediator_reaction_timeout_us;
    for (g.n_mediators = 0; g.n_mediators < rq->n_mediator_uids; g.n_mediators++)
        g.mediators[g.n_mediators] = rq->mediator_uids[g.n_mediators];
    for (size_t i = 0; i < rq->n_mediator_identities; i++) {
        struct signed_topology_tx tx = {0};

        if (!signed_topology_tx_from(rq->mediator_identities[i], &tx, err))
            goto out;
        ok = signed_txs_add(&txs, buffer_bytes(&tx.raw), err);
        signed_topology_tx_free(&tx);
        if (!ok)
            goto out;
    }
    ok = genesis_boot(&g, s->cfg.sequencer, psid, fixed, was_there, err);
out:
    signed_txs_free(&txs);
    return ok;
}

static void bootstrap(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    Lsadm__BootstrapRequest *rq = admin_request(call, &lsadm__bootstrap_request__descriptor);
    Lsadm__BootstrapResponse r = LSADM__BOOTSTRAP_RESPONSE__INIT;
    struct buffer fixed = BUFFER_INIT;
    char psid[PSID_TEXT_SIZE];
    struct error err;
    bool was_there;

    if (rq == NULL)
        return;
    if (boot(s, rq, psid, &fixed, &was_there, &err)) {
        r.physical_synchronizer_id = psid;
        r.static_parameters = (ProtobufCBinaryData){fixed.len, fixed.data};
        r.was_there = was_there;
        admin_reply(call, &r);
    } else {
        admin_fail(s, call, &err);
    }
    buffer_free(&fixed);
    wire_message_free(rq);
}

/* --- traffic ---------------------------------------------------------------------------------- */

/* There is no traffic control: no member has a state, and nothing can be bought. */
static void traffic_control_state(void *ctx, struct rpc_call *call)
{
    SequencerAdmin__TrafficControlStateResponse r =
        SEQUENCER_ADMIN__TRAFFIC_CONTROL_STATE_RESPONSE__INIT;
    void *rq = admin_request(call, &sequencer_admin__traffic_control_state_request__descriptor);

    (void)ctx;
    if (rq == NULL)
        return;
    admin_reply(call, &r);
    wire_message_free(rq);
}

static void set_traffic_purchased(void *ctx, struct rpc_call *call)
{
    (void)ctx;
    rpc_call_refuse(call, RPC_UNIMPLEMENTED,
                    "traffic cannot be bought: this release has no traffic control");
}

static const struct admin_method methods[] = {
    {ADMIN_TREE "admin.sequencer.v30.SequencerStatusService/SequencerStatus", RPC_UNARY,
     sequencer_status_call, true},
    {ADMIN_TREE "sequencer.admin.v30.SequencerInitializationService/"
                "InitializeSequencerFromGenesisStateV2",
     RPC_CLIENT_STREAM, initialize, true},
    {ADMIN_TREE "sequencer.admin.v30.SequencerAdministrationService/TrafficControlState", RPC_UNARY,
     traffic_control_state, false},
    {ADMIN_TREE "sequencer.admin.v30.SequencerAdministrationService/SetTrafficPurchased", RPC_UNARY,
     set_traffic_purchased, false},
    {"/lockstep.admin.v1.BootstrapService/Bootstrap", RPC_UNARY, bootstrap, true},
};

bool admin_sequencer_register(struct admin_service *s, struct rpc_server *server, struct error *err)
{
    return admin_register(s, server, methods, sizeof(methods) / sizeof(methods[0]), err);
}
