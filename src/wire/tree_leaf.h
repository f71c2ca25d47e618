/* tree_leaf.h: the leaves of a transaction tree: parsed with all their field rules, hashed over the
 * received bytes. Internal to wire/. */
#ifndef WIRE_TREE_LEAF_H
#define WIRE_TREE_LEAF_H
#include "wire/informee_tree.h"

struct common_metadata {
    char *psid;
    uint8_t uuid[UUID_LEN];
    int32_t mediator_group;
};

struct view_common {
    uint8_t salt[SALT_LEN];
    char **informees; /* ascending and distinct */
    size_t n_informees;
    struct quorum *quorums;
    size_t n_quorums;
};

/* Each takes the wrapped leaf, fills what the leaf says and its hash. All fail with ERR_MALFORMED,
 * ERR_LIMIT, ERR_UNSUPPORTED, ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool leaf_submitter(struct bytes wrapped, struct informee_tree *out, struct hash *hash,
                               struct error *err); /* act_as and what belongs to it */
MUST_CHECK bool leaf_common(struct bytes wrapped, struct common_metadata *out, struct hash *hash,
                            struct error *err);
MUST_CHECK bool leaf_participant(struct bytes wrapped, struct hash *hash, struct error *err);
MUST_CHECK bool leaf_view_common(struct bytes wrapped, struct view_common *out, struct hash *hash,
                                 struct error *err);
/* *payload: ours (PAYLOAD_FIELD), borrowed from wrapped. */
MUST_CHECK bool leaf_view_participant(struct bytes wrapped, struct bytes *payload,
                                      struct hash *hash, struct error *err);

/* Our payload travels as a field of ViewParticipantData that no other implementation has. */
#define PAYLOAD_FIELD 1000

void quorums_free(struct quorum *q, size_t n);
void view_common_free(struct view_common *v);
/* Same informees, quorums and salt. */
bool view_common_equal(const struct view_common *a, const struct view_common *b);

/* As the peers' runtime parses it: five groups of hex, shortened ones and upper case accepted. */
MUST_CHECK bool uuid_parse(const char *text, uint8_t out[UUID_LEN]);
#endif
