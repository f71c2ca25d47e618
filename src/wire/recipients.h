/* recipients.h: who gets an envelope: a list of trees whose nodes are sets of members and groups.
 * Kept flat, in pre-order: the subtree of node i is nodes[i] .. nodes[nodes[i].end - 1]. Nothing
 * here recurses. Inside a node texts are ascending and unique, the canonical form of the wire.
 * Threads: free of state; a struct belongs to its owner. */
#ifndef WIRE_RECIPIENTS_H
#define WIRE_RECIPIENTS_H
#include "wire/ids.h"

#define RECIPIENTS_DEPTH_MAX                                                                       \
    97 /* trees in trees, so that all nests at most 100 deep on the wire                           \
        */

#define RECIPIENT_SEQUENCERS_TEXT "SOD::"
#define RECIPIENT_ALL_TEXT        "ALL::All"

enum recipient_kind {
    RECIPIENT_MEMBER,
    RECIPIENT_MEDIATOR_GROUP, /* MGR::<group> */
    RECIPIENT_SEQUENCERS,     /* SOD:: */
    RECIPIENT_ALL,            /* ALL::All: every member known before the timestamp */
};

struct recipient {
    enum recipient_kind kind;
    enum member_kind member; /* when kind is RECIPIENT_MEMBER */
    int32_t group;           /* when kind is RECIPIENT_MEDIATOR_GROUP: 0 or more */
    char *text;              /* canonical: MGR::+01 reads as MGR::1; owned */
};

struct recipients_node {
    uint32_t first, n; /* its recipients: all[first] .. all[first + n - 1], n >= 1 */
    uint32_t end;      /* index after the last node of its subtree */
    uint32_t depth;    /* 0 for a root */
};

struct recipients {
    struct recipient *all;
    struct recipients_node *nodes;
    uint32_t n_all, n_nodes;
    uint32_t cap_all, cap_nodes;
};

/* One text form. *out owns its text (recipient_free). Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool recipient_parse(const char *text, struct recipient *out, struct error *err);
void recipient_free(struct recipient *r); /* what it owns */

/* From the bytes of P30.Recipients. Fails: ERR_MALFORMED (also: no tree, a node without recipients,
 * one bad text), ERR_LIMIT (depth), ERR_MEMORY. */
MUST_CHECK bool recipients_parse(struct bytes in, struct recipients *out, struct error *err);
/* Appends the canonical bytes of P30.Recipients. Fails: ERR_MEMORY. */
MUST_CHECK bool recipients_build(const struct recipients *r, struct buffer *out, struct error *err);
/* Appends a node: depth 0 starts a new tree, depth d hangs it below the last node of depth d - 1.
 * texts: n >= 1 text forms in any order. Zero-initialise *r before the first. Fails:
 * ERR_MALFORMED, ERR_LIMIT, ERR_MEMORY; then r is as before. */
MUST_CHECK bool recipients_add(struct recipients *r, uint32_t depth, const char *const *texts,
                               size_t n, struct error *err);
void recipients_free(struct recipients *r); /* what it owns, and zeroes it; NULL is allowed */
MUST_CHECK bool recipients_copy(struct recipients *to, const struct recipients *from,
                                struct error *err);

/* True when the receiver belongs to that group at the timestamp in question. */
typedef bool recipients_in_group(void *ctx, const struct recipient *group);
/* What member sees of r: of each tree the whole subtrees below (and with) the topmost nodes that
 * name it or a group it is in. out->n_nodes is 0 when nothing is left: the envelope is dropped.
 * Groups stay unexpanded. Fails: ERR_MEMORY. */
MUST_CHECK bool recipients_filter(const struct recipients *r, const char *member,
                                  recipients_in_group *in_group, void *ctx, struct recipients *out,
                                  struct error *err);
#endif
