/* embedded.c: a synchronizer in one process: the mediator beside the sequencer, and the bootstrap
 * of both. The mediator is a node like any other, with a database of its own, and reaches the
 * sequencer through a socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/mediator.h"
#include "node/genesis_boot.h"
#include "node/node_internal.h"

/* The configuration that the embedded mediator would have if it stood in the file. */
static struct config_node *derive(const struct config_node *syn, struct error *err)
{
    struct config_node *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        error_set(err, ERR_MEMORY, NULL, "no memory for a node");
        return NULL;
    }
    c->kind = CONFIG_M;
    c->is_migrating = syn->is_migrating;
    /* Whoever needs a certificate for the sequencer's needs one here too; borrowed from syn. */
    c->admin_api = (struct config_api){.address = (char *)"127.0.0.1", .tls = syn->admin_api.tls};
    c->lease = syn->lease;
    c->in_flight = CONFIG_RESUME;
    if (!config_storage_of_mediator(&syn->storage, &c->storage, err)) {
        free(c);
        return NULL;
    }
    if (asprintf(&c->name, "%s-mediator", syn->name) < 0) {
        config_storage_free(&c->storage);
        free(c);
        error_set(err, ERR_MEMORY, NULL, "no memory for a node");
        return NULL;
    }
    return c;
}

/* A URL of the sequencer on loopback; text holds 64. */
static void local_url(const struct node *syn, char *text, struct config_url *out)
{
    snprintf(text, 64, "http://127.0.0.1:%d", syn->local_port);
    *out = (struct config_url){.text = text, .host = (char *)"127.0.0.1", .port = syn->local_port};
}

bool node_open_embedded(struct node *syn, const struct node_shared *shared, struct node **out,
                        struct error *err)
{
    struct config_node *c = derive(syn->cfg, err);
    char text[64];
    struct config_url url;

    if (c == NULL)
        return false;
    local_url(syn, text, &url);
    c->sequencers = (struct config_urls){.url = &url, .n = 1}; /* copied by mediator_open */
    bool ok = node_open(c, shared, out, err);

    c->sequencers = (struct config_urls){0};
    if (ok) {
        (*out)->derived = c;
        return true;
    }
    config_storage_free(&c->storage);
    free(c->name);
    free(c);
    return false;
}

bool node_boot_embedded(struct node *syn, struct node *med, struct error *err)
{
    struct static_parameters constant;
    struct dynamic_parameters parameters;
    struct genesis_boot g = {.name = syn->cfg->name,
                             .identity = &syn->identity,
                             .mediators_txs = &med->identity.txs,
                             .mediators = {med->identity.uid},
                             .n_mediators = 1,
                             .fixed = &constant,
                             .parameters = &parameters};
    struct buffer fixed = BUFFER_INIT;
    char psid[PSID_TEXT_SIZE], text[64];
    const char *urls[] = {text};
    struct config_url url;
    bool was_there = false;

    genesis_parameters(syn->cfg, &constant, &parameters);
    local_url(syn, text, &url);
    bool ok = genesis_boot(&g, syn->seq, psid, &fixed, &was_there, err) &&
              mediator_initialize(med->med, psid, buffer_bytes(&fixed), urls, 1, err);

    buffer_free(&fixed);
    if (ok && !was_there)
        log_info(syn->lg, "synchronizer %s made", psid);
    return ok || error_add(err, "bootstrap of %s", syn->cfg->name);
}
