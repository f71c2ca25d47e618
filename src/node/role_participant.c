#include <stdio.h>
#include <stdlib.h>

#include "node/guard.h"
#include "node/node_internal.h"
#include "participant/participant.h"
#include "rpc/tls.h"

static bool open_with(struct node *n, const char *const *urls, const struct bytes *txs,
                      struct error *err)
{
    const struct config_node *c = n->cfg;
    static const enum participant_confirm confirm[] = {
        PARTICIPANT_CONFIRM_AUTO, PARTICIPANT_CONFIRM_MANUAL, PARTICIPANT_CONFIRM_REJECT};
    struct rpc_tls_client tls;
    struct participant_synchronizer syn = {.alias = c->synchronizers.entry[0].name,
                                           .endpoints = urls,
                                           .n_endpoints = c->synchronizers.entry[0].urls.n,
                                           .tls = node_client_tls(&c->client_tls, &tls)};
    struct participant_config cfg = {.loop = n->shared.loop,
                                     .name = c->name,
                                     .uid = n->identity.uid,
                                     .synchronizers = &syn,
                                     .n_synchronizers = 1,
                                     .confirm = confirm[c->confirm],
                                     .identity_txs = txs,
                                     .n_identity_txs = n->identity.txs.n};

    return participant_open(&cfg, n->db, n->identity.keys, n->lg, &n->part, err) &&
           participant_register(n->part, n->server, err);
}

static bool open_role(struct node *n, struct error *err)
{
    const char **urls = node_url_texts(&n->cfg->synchronizers.entry[0].urls);
    struct bytes *txs = calloc(n->identity.txs.n + 1, sizeof(*txs));
    bool ok = (urls != NULL && txs != NULL) || error_set(err, ERR_MEMORY, NULL, "no memory");

    for (size_t i = 0; ok && i < n->identity.txs.n; i++)
        txs[i] = buffer_bytes(&n->identity.txs.at[i]);
    ok = ok && open_with(n, urls, txs, err);
    free(urls);
    free(txs);
    return ok;
}

static bool start_role(struct node *n, struct error *err)
{
    if (n->cfg->lease.is_enabled)
        return guard_start(n, err);
    return participant_start(n->part, err);
}

static void stop_role(struct node *n)
{
    guard_stop(n);
    participant_stop(n->part);
}

static void close_role(struct node *n)
{
    guard_stop(n);
    participant_close(n->part);
    n->part = NULL;
}

static enum node_state observe(struct node *n, char *reason)
{
    struct participant_status s;
    enum node_state guarded = guard_observe(n, reason);

    if (guarded != NODE_ACTIVE)
        return guarded;
    participant_status(n->part, &s);
    snprintf(reason, LIFECYCLE_REASON_MAX, "%s", s.reason);
    switch (s.state) {
    case PARTICIPANT_ONBOARDING:
        return NODE_CATCHING_UP;
    case PARTICIPANT_CONNECTED:
        return NODE_ACTIVE;
    case PARTICIPANT_DISCONNECTED:
        return NODE_DEGRADED;
    case PARTICIPANT_FAILED:
        return NODE_FAILED;
    case PARTICIPANT_STARTING:
    case PARTICIPANT_STOPPED:
        break;
    }
    return NODE_STARTING;
}

static void describe(struct node *n, struct admin_status *out)
{
    struct participant_status s;

    participant_status(n->part, &s);
    snprintf(out->psid, sizeof(out->psid), "%s", s.psid);
    out->is_initialised = s.psid[0] != '\0';
    node_figure(out, "position", s.position);
    node_figure(out, "last_offset", s.last_offset);
    node_figure(out, "commands_in_flight", s.commands_in_flight);
    node_figure(out, "requests_pending", s.requests_pending);
}

const struct role role_participant = {.kind = MEMBER_PARTICIPANT,
                                      .name = "participant",
                                      .open = open_role,
                                      .start = start_role,
                                      .stop = stop_role,
                                      .close = close_role,
                                      .observe = observe,
                                      .describe = describe};
