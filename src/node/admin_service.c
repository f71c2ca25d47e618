#include "node/admin_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "config.h"
#include "connection_v30.pb-c.h"
#include "lockstep_admin_v1.pb-c.h"
#include "node/admin_internal.h"
#include "topology/snapshot.h"
#include "topology_admin_v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/topology_tx.h"

void admin_timestamp(int64_t us, Google__Protobuf__Timestamp *out)
{
    int64_t s = us / US_PER_S, rest = us % US_PER_S;

    if (rest < 0) {
        rest += US_PER_S;
        s--;
    }
    google__protobuf__timestamp__init(out);
    out->seconds = s;
    out->nanos = (int32_t)(rest * 1000);
}

void *admin_request(struct rpc_call *call, const ProtobufCMessageDescriptor *desc)
{
    struct error err;
    void *m = wire_unpack(desc, rpc_call_request(call), &err);

    if (m == NULL)
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "%s", err.cause);
    return m;
}

void admin_reply(struct rpc_call *call, const void *message)
{
    struct buffer out = BUFFER_INIT;
    struct error err;

    if (wire_pack(message, &out, &err))
        rpc_call_reply(call, buffer_bytes(&out));
    else
        rpc_call_refuse(call, RPC_INTERNAL, "%s", err.cause);
    buffer_free(&out);
}

static enum rpc_code code_of(enum error_code code)
{
    if (code == ERR_MALFORMED || code == ERR_CONFIG || code == ERR_LIMIT || code == ERR_SIGNATURE)
        return RPC_INVALID_ARGUMENT;
    if (code == ERR_REFUSED || code == ERR_NOT_FOUND)
        return RPC_FAILED_PRECONDITION;
    if (code == ERR_UNSUPPORTED)
        return RPC_UNIMPLEMENTED;
    if (code == ERR_UNAVAILABLE || code == ERR_CONNECTION || code == ERR_TIMEOUT ||
        code == ERR_CLOSED || code == ERR_READ_ONLY || code == ERR_RETRY)
        return RPC_UNAVAILABLE;
    return RPC_INTERNAL;
}

void admin_fail(struct admin_service *s, struct rpc_call *call, const struct error *err)
{
    logger_error(s->cfg.logger, LOG_WARN, err, rpc_call_path(call));
    rpc_call_refuse(call, code_of(err->code), "%s%s%s [%s]", err->cause,
                    err->advice[0] != '\0' ? "; " : "", err->advice, error_id(err->code));
}

void admin_common_fill(struct admin_service *s, struct admin_status *st, struct admin_common *out)
{
    int64_t up;

    memset(out, 0, sizeof(*out));
    s->cfg.status(s->cfg.ctx, st);
    up = clock_mono_us() - st->started_at;
    google__protobuf__duration__init(&out->uptime);
    out->uptime.seconds = up / US_PER_S;
    out->uptime.nanos = (int32_t)(up % US_PER_S * 1000);
    admin_health__topology_queue_status__init(&out->queues);
    admin_health__component_status__init(&out->component);
    admin_health__component_status__status_data__init(&out->data);
    out->component.name = (char *)"node";
    if (st->reason[0] != '\0') {
        out->data._description_case =
            ADMIN_HEALTH__COMPONENT_STATUS__STATUS_DATA___DESCRIPTION_DESCRIPTION;
        out->data.description = st->reason;
    }
    out->component.status_case = st->is_active ? ADMIN_HEALTH__COMPONENT_STATUS__STATUS_OK
                                               : ADMIN_HEALTH__COMPONENT_STATUS__STATUS_DEGRADED;
    out->component.ok = &out->data;
    out->components_at[0] = &out->component;
    admin_health__status__init(&out->status);
    out->status.uid = (char *)s->cfg.identity->uid;
    out->status.uptime = &out->uptime;
    out->status.active = st->is_active;
    out->status.topology_queues = &out->queues;
    out->status.version = (char *)ADMIN_COMPATIBLE_RELEASE;
    out->status.n_components = 1;
    out->status.components = out->components_at;
    for (size_t i = 0; i < st->n_ports && i < ADMIN_PORTS_MAX; i++) {
        admin_health__status__ports_entry__init(&out->ports[i]);
        snprintf(out->port_names[i], sizeof(out->port_names[i]), "%s", st->ports[i].name);
        out->ports[i].key = out->port_names[i];
        out->ports[i].value = st->ports[i].port;
        out->ports_at[i] = &out->ports[i];
    }
    out->status.n_ports = st->n_ports;
    out->status.ports = out->ports_at;
    admin_health__not_initialized__init(&out->not_initialized);
    out->not_initialized.active = true;
    out->not_initialized.version = (char *)ADMIN_COMPATIBLE_RELEASE;
    out->not_initialized.waiting_for_external_input =
        ADMIN_HEALTH__NOT_INITIALIZED__WAITING_FOR_EXTERNAL_INPUT__WAITING_FOR_EXTERNAL_INPUT_INITIALIZATION;
}

/* --- every node ------------------------------------------------------------------------------- */

static void get_api_info(void *ctx, struct rpc_call *call)
{
    Connection__GetApiInfoResponse r = CONNECTION__GET_API_INFO_RESPONSE__INIT;

    (void)ctx;
    r.name = (char *)"admin-api";
    admin_reply(call, &r);
}

static void get_id(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__GetIdResponse r = TOPOLOGY_ADMIN__GET_ID_RESPONSE__INIT;

    r.initialized = true;
    r.unique_identifier = (char *)s->cfg.identity->uid;
    admin_reply(call, &r);
}

static void current_time(void *ctx, struct rpc_call *call)
{
    TopologyAdmin__CurrentTimeResponse r = TOPOLOGY_ADMIN__CURRENT_TIME_RESPONSE__INIT;

    (void)ctx;
    r.current_time = clock_now_us();
    admin_reply(call, &r);
}

static void node_status(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    struct admin_status st = {0};
    Lsadm__NodeStatusResponse r = LSADM__NODE_STATUS_RESPONSE__INIT;
    Lsadm__NodeStatusResponse__FiguresEntry figures[ADMIN_FIGURES_MAX], *at[ADMIN_FIGURES_MAX];

    s->cfg.status(s->cfg.ctx, &st);
    r.name = (char *)s->cfg.name;
    r.kind = s->cfg.sequencer != NULL  ? LSADM__NODE_KIND__NODE_KIND_SEQUENCER
             : s->cfg.mediator != NULL ? LSADM__NODE_KIND__NODE_KIND_MEDIATOR
                                       : LSADM__NODE_KIND__NODE_KIND_PARTICIPANT;
    r.uid = (char *)s->cfg.identity->uid;
    r.state = (char *)st.state;
    r.reason = st.reason;
    r.physical_synchronizer_id = st.psid;
    r.version = (char *)PACKAGE_VERSION;
    r.uptime_us = clock_mono_us() - st.started_at;
    for (size_t i = 0; i < st.n_figures; i++) {
        lsadm__node_status_response__figures_entry__init(&figures[i]);
        figures[i].key = (char *)st.figures[i].name;
        figures[i].value = st.figures[i].value;
        at[i] = &figures[i];
    }
    r.n_figures = st.n_figures;
    r.figures = at;
    admin_reply(call, &r);
}

static const struct admin_method common_methods[] = {
    {ADMIN_TREE "connection.v30.ApiInfoService/GetApiInfo", RPC_UNARY, get_api_info, false},
    {ADMIN_TREE "topology.admin.v30.IdentityInitializationService/GetId", RPC_UNARY, get_id, false},
    {ADMIN_TREE "topology.admin.v30.IdentityInitializationService/CurrentTime", RPC_UNARY,
     current_time, false},
    {"/lockstep.admin.v1.NodeService/NodeStatus", RPC_UNARY, node_status, true},
};

bool admin_register(struct admin_service *s, struct rpc_server *server,
                    const struct admin_method *methods, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct rpc_method m = {.path = methods[i].path,
                               .kind = methods[i].kind,
                               .handler = methods[i].handler,
                               .ctx = s,
                               .pool = methods[i].is_blocking ? s->cfg.pool : NULL,
                               .max_request = methods[i].kind == RPC_CLIENT_STREAM
                                                  ? ADMIN_SERVER_BYTES
                                                  : ADMIN_REQUEST_BYTES};

        if (!rpc_server_register(server, &m, err))
            return false;
    }
    return true;
}

bool admin_service_open(const struct admin_config *cfg, struct rpc_server *server,
                        struct admin_service **out, struct error *err)
{
    struct admin_service *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the admin services");
    s->cfg = *cfg;
    if (!admin_register(s, server, common_methods,
                        sizeof(common_methods) / sizeof(common_methods[0]), err) ||
        !admin_topology_register(s, server, err) || !admin_keys_register(s, server, err) ||
        (cfg->submit_topology != NULL && !admin_topology_write_register(s, server, err)) ||
        (cfg->sequencer != NULL && !admin_sequencer_register(s, server, err)) ||
        (cfg->mediator != NULL && !admin_mediator_register(s, server, err))) {
        free(s);
        return false;
    }
    *out = s;
    return true;
}

void admin_service_close(struct admin_service *s)
{
    free(s);
}
