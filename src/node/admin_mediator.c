/* admin_mediator.c: status and initialisation of a mediator node. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_mediator_v30.pb-c.h"
#include "base/clock.h"
#include "client/client.h"
#include "mediator/mediator.h"
#include "mediator_admin_v30.pb-c.h"
#include "node/admin_internal.h"
#include "wire/precheck.h"

#define INITIALIZE_WAIT_US (30 * US_PER_S)

static void mediator_status_call(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    AdminMediator__MediatorStatusResponse r = ADMIN_MEDIATOR__MEDIATOR_STATUS_RESPONSE__INIT;
    AdminMediator__MediatorStatusResponse__MediatorStatusResponseStatus body =
        ADMIN_MEDIATOR__MEDIATOR_STATUS_RESPONSE__MEDIATOR_STATUS_RESPONSE_STATUS__INIT;
    struct admin_status st = {0};
    struct admin_common common;

    admin_common_fill(s, &st, &common);
    if (st.is_initialised) {
        body.common_status = &common.status;
        body.physical_synchronizer_id = st.psid;
        body.protocol_version = 35;
        r.kind_case = ADMIN_MEDIATOR__MEDIATOR_STATUS_RESPONSE__KIND_STATUS;
        r.status = &body;
    } else {
        r.kind_case = ADMIN_MEDIATOR__MEDIATOR_STATUS_RESPONSE__KIND_NOT_INITIALIZED;
        r.not_initialized = &common.not_initialized;
    }
    admin_reply(call, &r);
}

/* The endpoints as URLs; the message may leave the scheme to transport_security. */
struct urls {
    char text[CLIENT_ENDPOINTS_MAX][CLIENT_URL_MAX];
    const char *at[CLIENT_ENDPOINTS_MAX];
    size_t n;
};

static bool collect_urls(const AdminSequencer__SequencerConnections *m, struct urls *out,
                         struct error *err)
{
    for (size_t i = 0; m != NULL && i < m->n_sequencer_connections; i++) {
        const AdminSequencer__SequencerConnection *c = m->sequencer_connections[i];

        if (c->type_case != ADMIN_SEQUENCER__SEQUENCER_CONNECTION__TYPE_GRPC)
            return error_set(err, ERR_MALFORMED, NULL, "connection %s has no endpoints", c->alias);
        if (c->grpc->_custom_trust_certificates_case != 0)
            return error_set(err, ERR_UNSUPPORTED, "configure tls on the mediator node",
                             "connection %s brings its own trust certificates", c->alias);
        for (size_t k = 0; k < c->grpc->n_connections; k++) {
            const char *url = c->grpc->connections[k];
            const char *scheme = strstr(url, "://") != NULL    ? ""
                                 : c->grpc->transport_security ? "https://"
                                                               : "http://";

            if (out->n == CLIENT_ENDPOINTS_MAX)
                return error_set(err, ERR_LIMIT, NULL, "more than %d endpoints",
                                 CLIENT_ENDPOINTS_MAX);
            if ((size_t)snprintf(out->text[out->n], CLIENT_URL_MAX, "%s%s", scheme, url) >=
                CLIENT_URL_MAX)
                return error_set(err, ERR_LIMIT, NULL, "an endpoint of %zu characters",
                                 strlen(url));
            out->at[out->n] = out->text[out->n];
            out->n++;
        }
    }
    return out->n > 0 || error_set(err, ERR_MALFORMED, NULL, "no sequencer connection given");
}

/* Asks the sequencer who it is, so that a wrong address or another synchronizer is told now and not
 * found out by a mediator that never becomes active. */
static bool initialize(struct admin_service *s, const MediatorAdmin__InitializeMediatorRequest *rq,
                       struct error *err)
{
    struct urls *urls = calloc(1, sizeof(*urls));
    struct client_info info = {.static_params = BUFFER_INIT};
    struct client *client = NULL;
    struct client_config cfg = {.loop = s->cfg.loop, .logger = s->cfg.logger};
    bool ok = false;

    if (urls == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory");
    if (!psid_parse(rq->physical_synchronizer_id, NULL, err) ||
        !collect_urls(rq->sequencer_connections, urls, err))
        goto out;
    cfg.endpoints = urls->at;
    cfg.n_endpoints = urls->n;
    cfg.psid = rq->physical_synchronizer_id;
    ok = client_open(&cfg, &client, err) &&
         client_wait_info(client, clock_mono_us() + INITIALIZE_WAIT_US, &info, err) &&
         mediator_initialize(s->cfg.mediator, info.psid, buffer_bytes(&info.static_params),
                             urls->at, urls->n, err);
out:
    client_close(client);
    buffer_free(&info.static_params);
    free(urls);
    return ok;
}

static void initialize_call(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    MediatorAdmin__InitializeMediatorRequest *rq =
        admin_request(call, &mediator_admin__initialize_mediator_request__descriptor);
    MediatorAdmin__InitializeMediatorResponse r =
        MEDIATOR_ADMIN__INITIALIZE_MEDIATOR_RESPONSE__INIT;
    struct error err;

    if (rq == NULL)
        return;
    if (initialize(s, rq, &err))
        admin_reply(call, &r);
    else
        admin_fail(s, call, &err);
    wire_message_free(rq);
}

static const struct admin_method methods[] = {
    {ADMIN_TREE "admin.mediator.v30.MediatorStatusService/MediatorStatus", RPC_UNARY,
     mediator_status_call, true},
    {ADMIN_TREE "mediator.admin.v30.MediatorInitializationService/InitializeMediator", RPC_UNARY,
     initialize_call, true},
};

bool admin_mediator_register(struct admin_service *s, struct rpc_server *server, struct error *err)
{
    return admin_register(s, server, methods, sizeof(methods) / sizeof(methods[0]), err);
}
