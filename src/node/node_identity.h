/* node_identity.h: who a node is: its uid, its keys, and the topology transactions by which it says
 * so (root delegation and OwnerToKeyMapping, signed). Rows: sql/statements/node.sql.
 *
 * Replicas of one node share its database, and so its identity. Whoever starts first on an empty
 * database draws the keys and commits all of it in one transaction; a replica that was slower gets
 * a duplicate and takes what is there.
 *
 * Threads: one at open; afterwards read-only, any. */
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
    struct signed_txs txs; /* owned: W(30) SignedTopologyTransaction each */
    bool was_made;         /* by this call, just now */
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
#endif
