/* genesis.h: the first topology of a synchronizer: a decentralized namespace of one owner, its
 * parameters, its sequencer, its mediators. Threads: free of state. */
#ifndef TOPOLOGY_GENESIS_H
#define TOPOLOGY_GENESIS_H
#include "topology/identity.h"
#include "topology/parameters.h"

#define GENESIS_MEDIATORS_MAX 32

struct genesis {
    const char *name;  /* the id in front of the namespace: "demo" */
    const char *owner; /* the owner's namespace; its key is in keys */
    struct keyring *keys;
    const struct static_parameters *static_parameters;
    const struct dynamic_parameters *parameters;  /* NULL: the defaults */
    const char *sequencer;                        /* uid */
    const char *mediators[GENESIS_MEDIATORS_MAX]; /* uids, active in group 0 */
    size_t n_mediators;                           /* 1 or more */
    int32_t mediator_threshold;                   /* 0: all of them */
    const struct signed_txs *identities; /* of the owner, the sequencer and all mediators; doubles
                                            are dropped */
};

/* The psid that genesis_build will give. Fails: ERR_CONFIG (a bad name), ERR_MEMORY. */
MUST_CHECK bool genesis_psid(const struct genesis *g, char out[PSID_TEXT_SIZE], struct error *err);
/* Appends the genesis file, form V2, every transaction signed, and proves it by loading it. Ids of
 * mediators that are not in identities fail. Fails: ERR_CONFIG, ERR_MALFORMED, ERR_NOT_FOUND (the
 * owner's key), ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool genesis_build(const struct genesis *g, struct buffer *file,
                              char psid[PSID_TEXT_SIZE], struct error *err);
/* The psid of a genesis file made elsewhere, and which uid is its (first) sequencer. Fails:
 * ERR_MALFORMED. */
MUST_CHECK bool genesis_inspect(struct bytes file, const struct static_parameters *p,
                                char psid[PSID_TEXT_SIZE], char sequencer[UID_TEXT_SIZE],
                                struct error *err);
#endif
