#include <stdio.h>

#include "node/node_internal.h"
#include "sequencer/sequencer.h"

static bool open_role(struct node *n, struct error *err)
{
    const struct config_node *c = n->cfg;
    struct sequencer_config cfg;

    sequencer_config_default(&cfg);
    cfg.name = c->name;
    cfg.uid = n->identity.uid;
    cfg.total_node_count = (int)c->total_node_count;
    cfg.beat_us = c->lease.lease_renew_us;
    cfg.expiry_us = c->lease.lease_expiry_us;
    cfg.max_clock_skew_us = c->max_clock_skew_us;
    cfg.subscriptions_per_member = (int)c->max_subscriptions;
    cfg.token_life_us = c->token_expiration_us;
    cfg.nonce_life_us = c->nonce_expiration_us;
    return sequencer_open(&cfg, n->db, n->identity.keys, n->lg, &n->seq, err) &&
           sequencer_register(n->seq, n->public_server, n->public_health, err);
}

static bool start_role(struct node *n, struct error *err)
{
    return sequencer_start(n->seq, err);
}

static void stop_role(struct node *n)
{
    sequencer_stop(n->seq);
}

static void close_role(struct node *n)
{
    sequencer_close(n->seq);
    n->seq = NULL;
}

static enum node_state observe(struct node *n, char *reason)
{
    struct sequencer_status s;

    sequencer_status(n->seq, &s);
    snprintf(reason, LIFECYCLE_REASON_MAX, "%s", s.reason);
    switch (s.state) {
    case SEQUENCER_UNINITIALIZED:
        return NODE_UNINITIALISED;
    case SEQUENCER_CATCHING_UP:
        return NODE_CATCHING_UP;
    case SEQUENCER_OFFLINE:
        return n->was_active ? NODE_DEGRADED : NODE_CATCHING_UP; /* on its way to an index */
    case SEQUENCER_ACTIVE:
        return NODE_ACTIVE;
    case SEQUENCER_FAILED:
        return NODE_FAILED;
    case SEQUENCER_STOPPED:
        break;
    }
    return NODE_STARTING;
}

static void describe(struct node *n, struct admin_status *out)
{
    struct sequencer_status s;

    sequencer_status(n->seq, &s);
    snprintf(out->psid, sizeof(out->psid), "%s", s.psid);
    out->is_initialised = s.psid[0] != '\0';
    node_figure(out, "node_index", s.node_index);
    node_figure(out, "online_nodes", s.online_nodes);
    node_figure(out, "watermark", s.watermark);
    node_figure(out, "safe_ts", s.safe_ts);
    node_figure(out, "applied_ts", s.applied_ts);
    node_figure(out, "accepted", (int64_t)s.accepted);
    node_figure(out, "committed", (int64_t)s.committed);
    node_figure(out, "batches", (int64_t)s.batches);
    node_figure(out, "refused", (int64_t)s.refused);
    node_figure(out, "overloaded", (int64_t)s.overloaded);
    node_figure(out, "delivered", (int64_t)s.delivered);
    node_figure(out, "rejected", (int64_t)s.rejected);
    node_figure(out, "queued", (int64_t)s.queued);
    node_figure(out, "subscriptions", (int64_t)s.subscriptions);
}

static bool with_topology(struct node *n, topology_fn *fn, void *ctx)
{
    return sequencer_with_topology(n->seq, fn, ctx);
}

static bool submit_topology(struct node *n, const struct bytes *txs, size_t n_txs,
                            int64_t timeout_us, struct error *err)
{
    return sequencer_submit_topology(n->seq, txs, n_txs, timeout_us, err);
}

const struct role role_sequencer = {.kind = MEMBER_SEQUENCER,
                                    .name = "sequencer",
                                    .open = open_role,
                                    .start = start_role,
                                    .stop = stop_role,
                                    .close = close_role,
                                    .observe = observe,
                                    .describe = describe,
                                    .with_topology = with_topology,
                                    .submit_topology = submit_topology};
