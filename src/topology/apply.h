/* apply.h: the step below topology_apply, for the files of this folder. */
#ifndef TOPOLOGY_APPLY_H
#define TOPOLOGY_APPLY_H
#include "topology/snapshot.h"
#include "wire/topology_tx.h"

struct parsed_tx {
    struct signed_topology_tx tx;
    struct mapping *m;
};
/* Reads and checks what the protocol's parser checks. The caller frees *out also when it failed. */
MUST_CHECK bool parsed_tx_read(struct bytes wrapped, struct parsed_tx *out, struct error *err);
void parsed_tx_free(struct parsed_tx *p);

/* Applies one transaction; takes the mapping, and the bytes where it can. out may be NULL. Fails:
 * ERR_MEMORY, then the state is not usable. */
MUST_CHECK bool apply_parsed(struct topology *t, int64_t sequenced, int64_t effective,
                             struct parsed_tx *in, struct topology_outcome *out, struct error *err);
/* Applies an item of an export at its own times. *last: the valid_from before it (TS_MIN at first),
 * moved on. Fails: ERR_MALFORMED when it does not parse, is out of order, or the outcome is not
 * what the item says (then it is stored with the outcome that it has here); ERR_MEMORY. */
MUST_CHECK bool item_replay(struct topology *t, const struct topology_item *item, int64_t *last,
                            struct topology_outcome *out, struct error *err);
#endif
