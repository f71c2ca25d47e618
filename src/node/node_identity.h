/* node_identity.h: who a node is: its uid, its keys, and the topology transactions by which it says
 * so (root delegation and OwnerToKeyMapping, signed). Rows: sql/statements/node.sql.
 *
 * Replicas of one node share its database, and so its identity. Whoever starts first on an empty
 * database draws the keys and commits all of it in one transaction; a replica that was slower gets
 * a duplicate and takes what is there.
 *
 * A key that was drawn later is stored first, then named by an OwnerToKeyMapping that the
 * synchronizer has to sequence; until its peers know it the keyring passes it over
 * (keyring_use_from). Replicas find each other's keys by node_identity_reload.
 *
 * Threads: one at open and close; afterwards any. */
#ifndef NODE_NODE_IDENTITY_H
#define NODE_NODE_IDENTITY_H
#include "topology/identity.h"

struct db;
struct key_wrap;
struct logger;

struct node_identity {
    enum member_kind kind;
    char uid[UID_TEXT_SIZE];
    char member[MEMBER_TEXT_SIZE];
    char ns[FINGERPRINT_SIZE];
    struct keyring *keys;  /* owned */
    bool was_made;         /* by node_identity_open, just now */
    struct signed_txs txs; /* owned: W(30) SignedTopologyTransaction each, as they were at open */
    struct db *db;         /* borrowed, like the next two */
    const struct key_wrap *wrap;
    struct logger *lg;
};

/* Loads the identity, or makes it: uid is name::fingerprint of a new namespace key. db: open and
 * migrated. name: of the node, used only when it is made. wrap: how private keys are stored; those
 * that lie there in another form that it can read are stored anew. The caller owns *out. Fails:
 * ERR_CONFIG (the database belongs to another kind of node, name is no identifier, or keys lie
 * there as wrap does not allow), ERR_DATABASE (rows that do not fit together), storage's and
 * crypto's errors. */
MUST_CHECK bool node_identity_open(struct db *db, enum member_kind kind, const char *name,
                                   const struct key_wrap *wrap, struct logger *lg,
                                   struct node_identity *out, struct error *err);
void node_identity_close(struct node_identity *id); /* what it owns, and zeroes it */

/* Adds the keys that another replica has drawn, not in use yet. Blocks. Fails: as open. */
MUST_CHECK bool node_identity_reload(struct node_identity *id, struct error *err);

/* Draws a signing key and stores it; it is in the keyring, not in use. name: for people, NULL or ""
 * for none, at most 300 characters. *out: borrowed from the keyring. Blocks. Fails: ERR_UNSUPPORTED
 * (spec), ERR_UNKNOWN_OUTCOME (list the keys), storage's. */
MUST_CHECK bool node_identity_generate(struct node_identity *id, int spec, unsigned usages,
                                       const char *name, const struct private_key **out,
                                       struct error *err);

/* One stored key. name: "" for none. */
struct node_key {
    const struct public_key *key;
    const char *name;
    int64_t created_at;
    bool is_encrypted; /* at rest */
};
typedef bool node_key_fn(void *ctx, const struct node_key *k, struct error *err);
/* Calls fn for every stored key, the oldest first. Blocks. */
MUST_CHECK bool node_identity_keys(struct node_identity *id, node_key_fn *fn, void *ctx,
                                   struct error *err);

/* The authorized store: what the node has signed about itself, in the order of its making. Appends
 * to *out. Blocks. */
MUST_CHECK bool node_identity_authorized(struct node_identity *id, struct signed_txs *out,
                                         struct error *err);
/* Appends tx (W(30) SignedTopologyTransaction) to it. The same again is done. Blocks. */
MUST_CHECK bool node_identity_authorize(struct node_identity *id, struct bytes tx,
                                        struct error *err);
#endif
