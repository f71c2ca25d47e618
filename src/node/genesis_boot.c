#include "node/genesis_boot.h"

#include <string.h>

#include "config/config.h"
#include "sequencer/sequencer.h"
#include "topology/topology.h"

struct compare {
    const struct genesis_boot *g;
    bool is_same;
};

static void compare_mediators(void *ctx, const struct topology *topo, int64_t ts)
{
    struct compare *c = ctx;
    struct topology_group group;
    size_t found = 0;

    if (!topology_mediator_group(topo, ts, 0, &group)) {
        c->is_same = false;
        return;
    }
    for (size_t i = 0; i < c->g->n_mediators; i++)
        for (size_t k = 0; k < group.n_active; k++)
            found += strcmp(c->g->mediators[i], group.active[k]) == 0;
    c->is_same = found == c->g->n_mediators && found == group.n_active;
}

static bool gather(const struct genesis_boot *g, struct signed_txs *out, struct error *err)
{
    for (size_t i = 0; i < g->identity->txs.n; i++)
        if (!signed_txs_add(out, buffer_bytes(&g->identity->txs.at[i]), err))
            return false;
    for (size_t i = 0; i < g->mediators_txs->n; i++)
        if (!signed_txs_add(out, buffer_bytes(&g->mediators_txs->at[i]), err))
            return false;
    return true;
}

void genesis_parameters(const struct config_node *node, struct static_parameters *fixed,
                        struct dynamic_parameters *parameters)
{
    static_parameters_default(fixed);
    dynamic_parameters_default(parameters);
    fixed->topology_change_delay_us = node->topology_change_delay_us;
    parameters->confirmation_response_timeout_us = node->confirmation_response_timeout_us;
    parameters->mediator_reaction_timeout_us = node->mediator_reaction_timeout_us;
    parameters->max_request_size = (uint32_t)node->max_request_size;
}

bool genesis_boot(const struct genesis_boot *g, struct sequencer *seq, char *psid,
                  struct buffer *static_parameters, bool *was_there, struct error *err)
{
    struct static_parameters fixed;
    struct signed_txs identities = {0};
    struct buffer file = BUFFER_INIT;
    struct genesis genesis = {.name = g->name,
                              .owner = g->identity->ns,
                              .keys = g->identity->keys,
                              .static_parameters = &fixed,
                              .parameters = g->parameters,
                              .sequencer = g->identity->uid,
                              .n_mediators = g->n_mediators,
                              .mediator_threshold =
                                  g->mediator_threshold > 0 ? g->mediator_threshold : 1,
                              .identities = &identities};
    struct compare same = {.g = g, .is_same = true};
    bool ok = false;

    *was_there = false;
    static_parameters_default(&fixed);
    if (g->fixed != NULL)
        fixed = *g->fixed;
    memcpy(genesis.mediators, g->mediators, sizeof(genesis.mediators));
    if (!gather(g, &identities, err) || !genesis_build(&genesis, &file, psid, err) ||
        !static_parameters_build(&fixed, static_parameters, err))
        goto out;
    if (!sequencer_initialize(seq, psid, buffer_bytes(&file), buffer_bytes(static_parameters),
                              was_there, err))
        goto out;
    /* While it is still loading nothing can be compared, and its id is right in any case. */
    if (*was_there && sequencer_with_topology(seq, compare_mediators, &same) && !same.is_same) {
        error_set(err, ERR_REFUSED, "change the mediators by topology transactions",
                  "%s exists already, with other mediators", psid);
        goto out;
    }
    ok = true;
out:
    signed_txs_free(&identities);
    buffer_free(&file);
    return ok;
}
