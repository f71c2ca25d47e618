/* identity.h: the signed transactions that say who a node is. Threads: free of state. */
#ifndef TOPOLOGY_IDENTITY_H
#define TOPOLOGY_IDENTITY_H
#include "crypto/keyring.h"
#include "topology/mapping.h"
#include "wire/ids.h"

/* Draws the keys of a new node into keys and gives its namespace: a namespace key (root), one for
 * authentication, one for the protocol, all of spec (SIGNING_P256 is the default of the peers), and
 * for participants an RSA-2048 encryption key. Fails: ERR_CRYPTO, ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool identity_generate(struct keyring *keys, enum member_kind kind, int spec,
                                  char ns[FINGERPRINT_SIZE], struct error *err);

/* Transactions, W(30) SignedTopologyTransaction each. Zero-initialise. */
struct signed_txs {
    struct buffer *at;
    size_t n;
};
void signed_txs_free(struct signed_txs *txs);
MUST_CHECK bool signed_txs_add(struct signed_txs *txs, struct bytes tx, struct error *err);

/* Appends the root delegation of ns, self-signed, and the OwnerToKeyMapping of member (its text,
 * "MED::id::ns") with all authentication, protocol and encryption keys in keys, in their order,
 * signed by the namespace key and by each signing key. Serial 1. Fails: ERR_NOT_FOUND (no such
 * keys), ERR_MALFORMED (member), ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool identity_build(struct keyring *keys, const char *ns, const char *member,
                               struct signed_txs *out, struct error *err);
/* Appends the SynchronizerTrustCertificate of participant (uid) for a logical synchronizer id. */
MUST_CHECK bool identity_trust(struct keyring *keys, const char *ns, const char *participant,
                               const char *synchronizer, struct signed_txs *out, struct error *err);
/* Appends any mapping, signed by the keys named (fingerprints; each must be in keys). serial: 1 or
 * more; op: 1 add or replace, 2 remove. */
MUST_CHECK bool identity_sign(struct keyring *keys, const char *const *fingerprints, size_t n,
                              int op, uint32_t serial, P30__TopologyMapping *mapping,
                              bool is_proposal, struct signed_txs *out, struct error *err);
#endif
