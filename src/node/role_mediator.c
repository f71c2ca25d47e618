#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mediator/mediator.h"
#include "node/node_internal.h"
#include "rpc/tls.h"

#define STOP_US (5 * US_PER_S)

static bool open_role(struct node *n, struct error *err)
{
    const struct config_node *c = n->cfg;
    const char **urls = node_url_texts(&c->sequencers);
    struct rpc_tls_client tls;
    struct mediator_config cfg = {
        .loop = n->shared.loop,
        .name = c->name,
        .uid = n->identity.uid,
        .in_flight = c->in_flight == CONFIG_PURGE ? MEDIATOR_PURGE : MEDIATOR_RESUME,
        .lease_renew_us = c->lease.lease_renew_us,
        .lease_expiry_us = c->lease.lease_expiry_us,
        .tls = node_client_tls(&c->client_tls, &tls),
        .connections = urls,
        .n_connections = c->sequencers.n,
    };
    bool ok = urls != NULL ? mediator_open(&cfg, n->db, n->identity.keys, n->lg, &n->med, err)
                           : error_set(err, ERR_MEMORY, NULL, "no memory");

    free(urls);
    return ok;
}

static bool start_role(struct node *n, struct error *err)
{
    return mediator_start(n->med, err);
}

static void stop_role(struct node *n)
{
    mediator_stop(n->med, clock_mono_us() + STOP_US);
}

static void close_role(struct node *n)
{
    mediator_close(n->med);
    n->med = NULL;
}

static enum node_state observe(struct node *n, char *reason)
{
    struct mediator_status s;

    mediator_status(n->med, &s);
    snprintf(reason, LIFECYCLE_REASON_MAX, "%s", s.reason);
    switch (s.role) {
    case MEDIATOR_UNINITIALIZED:
        return NODE_UNINITIALISED;
    case MEDIATOR_PASSIVE:
        return s.is_connected ? NODE_STANDBY : NODE_DEGRADED;
    case MEDIATOR_CATCHING_UP:
        return NODE_CATCHING_UP;
    case MEDIATOR_ACTIVE:
        return s.is_connected ? NODE_ACTIVE : NODE_DEGRADED;
    case MEDIATOR_FAILED:
        return NODE_FAILED;
    case MEDIATOR_STARTING:
    case MEDIATOR_STOPPED:
        break;
    }
    return NODE_STARTING;
}

static void describe(struct node *n, struct admin_status *out)
{
    struct mediator_status s;

    mediator_status(n->med, &s);
    snprintf(out->psid, sizeof(out->psid), "%s", s.psid);
    out->is_initialised = s.psid[0] != '\0';
    node_figure(out, "epoch", s.epoch);
    node_figure(out, "seen_ts", s.seen_ts);
    node_figure(out, "position_ts", s.position_ts);
    node_figure(out, "lag_us", s.lag_us);
    node_figure(out, "in_flight", (int64_t)s.in_flight);
    node_figure(out, "unsequenced", (int64_t)s.unsequenced);
    node_figure(out, "approved", (int64_t)s.n_approved);
    node_figure(out, "rejected", (int64_t)s.n_rejected);
    node_figure(out, "timed_out", (int64_t)s.n_timed_out);
    node_figure(out, "expired", (int64_t)s.n_expired);
    node_figure(out, "alarms", (int64_t)s.n_alarms);
    node_figure(out, "is_connected", s.is_connected);
}

static bool with_topology(struct node *n, topology_fn *fn, void *ctx)
{
    return mediator_with_topology(n->med, fn, ctx);
}

static bool submit_topology(struct node *n, const struct bytes *txs, size_t n_txs,
                            int64_t timeout_us, struct error *err)
{
    return mediator_submit_topology(n->med, txs, n_txs, timeout_us, err);
}

const struct role role_mediator = {.kind = MEMBER_MEDIATOR,
                                   .name = "mediator",
                                   .open = open_role,
                                   .start = start_role,
                                   .stop = stop_role,
                                   .close = close_role,
                                   .observe = observe,
                                   .describe = describe,
                                   .with_topology = with_topology,
                                   .submit_topology = submit_topology};
