/* genesis_boot.h: makes the synchronizer of one sequencer: the genesis (topology/genesis.h) with
 * the sequencer's own namespace as its one owner, and the sequencer's initialisation with it. Used
 * by the admin API's Bootstrap and by the embedded synchronizer. Killed anywhere it can be run
 * again: the only thing stored is one transaction of sequencer_initialize. Threads: blocks on the
 * database; any. */
#ifndef NODE_GENESIS_BOOT_H
#define NODE_GENESIS_BOOT_H
#include "node/node_identity.h"
#include "topology/genesis.h"

struct config_node;
struct sequencer;

struct genesis_boot {
    const char *name;                       /* "demo" of demo::1220... */
    const struct node_identity *identity;   /* of the sequencer */
    const struct signed_txs *mediators_txs; /* identity transactions of the mediators */
    const char *mediators[GENESIS_MEDIATORS_MAX];
    size_t n_mediators;
    int32_t mediator_threshold;                  /* 0: 1 */
    const struct static_parameters *fixed;       /* NULL: the defaults */
    const struct dynamic_parameters *parameters; /* NULL: the defaults */
};

/* The parameters of a genesis as node's `parameters` say. */
void genesis_parameters(const struct config_node *node, struct static_parameters *fixed,
                        struct dynamic_parameters *parameters);

/* psid: holds PSID_TEXT_SIZE. static_parameters: appended, plain message. *was_there: it existed
 * before, with the same name and mediators. Fails: ERR_CONFIG, ERR_MALFORMED, ERR_REFUSED (another
 * synchronizer, or other mediators, are there), storage's and crypto's errors. */
MUST_CHECK bool genesis_boot(const struct genesis_boot *g, struct sequencer *seq, char *psid,
                             struct buffer *static_parameters, bool *was_there, struct error *err);
#endif
