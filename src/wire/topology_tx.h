/* topology_tx.h: topology transactions as they travel: TopologyTransaction W(30) inside
 * SignedTopologyTransaction W(30), and their broadcast. Hashes cover received bytes: some of the
 * transactions of real networks do not survive a decode and encode. Authorisation and meaning are
 * topology/'s. Threads: free of state. */
#ifndef WIRE_TOPOLOGY_TX_H
#define WIRE_TOPOLOGY_TX_H
#include "protocol_v30.pb-c.h"
#include "wire/keys.h"

#define TOPOLOGY_TX_SIGNATURES_MAX 1000 /* in one transaction, of both kinds together */

enum topology_op { TOPOLOGY_ADD_REPLACE = 1, TOPOLOGY_REMOVE = 2 };

/* Signatures over a hash of several transactions: H(55, ..) of tx_hashes. */
struct multi_signatures {
    struct hash *tx_hashes; /* ascending, distinct */
    size_t n_tx_hashes;
    struct hash hash; /* what was signed */
    struct signature *signatures;
    size_t n_signatures;
};

struct signed_topology_tx {
    struct buffer raw;         /* W(30) SignedTopologyTransaction, as received or built */
    struct buffer transaction; /* W(30) TopologyTransaction, verbatim */
    struct hash hash;          /* h_tx = H(11, transaction) */
    enum topology_op op;
    uint32_t serial;               /* 1 or more */
    P30__TopologyMapping *mapping; /* inside tx; its case is set */
    P30__TopologyTransaction *tx;  /* owned */
    struct signature *signatures;  /* of hash; field 2 */
    size_t n_signatures;
    struct multi_signatures *multi; /* field 4 */
    size_t n_multi;
    bool is_proposal;
};

/* From W(30) SignedTopologyTransaction. At least one signature of either kind; each multi list
 * names this transaction. Fails: ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool signed_topology_tx_parse(struct bytes wrapped, struct signed_topology_tx *out,
                                         struct error *err);
/* From the plain message (RegisterOnboardingTopologyTransactions); raw becomes its W(30). */
MUST_CHECK bool signed_topology_tx_from(const P30__SignedTopologyTransaction *m,
                                        struct signed_topology_tx *out, struct error *err);
void signed_topology_tx_free(struct signed_topology_tx *t); /* what it owns, and zeroes it */

/* Appends W(30) TopologyTransaction: what is hashed (purpose 11) and signed. mapping: its case set.
 * Fails: ERR_MEMORY. */
MUST_CHECK bool topology_tx_build(enum topology_op op, uint32_t serial,
                                  P30__TopologyMapping *mapping, struct buffer *out,
                                  struct error *err);
/* H(11, transaction). */
MUST_CHECK bool topology_tx_hash(struct bytes transaction, struct hash *out, struct error *err);
/* H(55, ..) of distinct hashes in ascending order; n >= 1. */
MUST_CHECK bool topology_multi_hash(const struct hash *ascending, size_t n, struct hash *out,
                                    struct error *err);
/* Appends W(30) SignedTopologyTransaction with single signatures. Fails: ERR_MEMORY. */
MUST_CHECK bool signed_topology_tx_build(struct bytes transaction,
                                         const struct signature *signatures, size_t n_signatures,
                                         bool is_proposal, struct buffer *out, struct error *err);

/* A broadcast: content of an unsigned envelope to ALL::All. */
struct topology_broadcast {
    char *psid;
    struct buffer *transactions; /* each W(30) SignedTopologyTransaction */
    size_t n;
};
/* Appends the envelope's content, W(31) EnvelopeContent; n may be 0 (a tick). Fails: ERR_MEMORY. */
MUST_CHECK bool topology_broadcast_build(const char *psid, const struct bytes *transactions,
                                         size_t n, struct buffer *out, struct error *err);
void topology_broadcast_free(struct topology_broadcast *b); /* what it owns, and zeroes it */
#endif
