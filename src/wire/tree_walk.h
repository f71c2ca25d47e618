/* tree_walk.h: hashes a transaction tree from its bytes, in place and with an explicit stack, and
 * tells about each view. Shared by those who read whole informee trees and single views. Internal
 * to wire/. */
#ifndef WIRE_TREE_WALK_H
#define WIRE_TREE_WALK_H
#include "wire/merkle.h"

/* Bytes of all positions: deep trees grow squarely. */
#define TREE_POSITIONS_MAX ((size_t)16 << 20)

enum node_kind { NODE_ABSENT, NODE_OPEN, NODE_BLINDED };

/* A BlindableNode. bytes: the wrapped message, or the 34 bytes of the hash. */
struct tree_node {
    enum node_kind kind;
    struct bytes bytes;
};

struct tree_parts { /* GenTransactionTree */
    struct tree_node submitter, common, participant, root_views;
    bool has_root_views, is_broken;
};

#define TREE_NO_PARENT SIZE_MAX

struct tree_visitor {
    void *ctx;
    bool may_be_blinded; /* views and elements may be: the tree of one view */
    /* A view, in pre-order: number 0, 1, ..; parent: its number or TREE_NO_PARENT. Takes over
     * *position. Gives the hashes of both leaves (whose bytes it reads or refuses). */
    bool (*enter)(void *ctx, size_t number, size_t parent, struct view_position *position,
                  const struct tree_node *common, const struct tree_node *participant,
                  struct hash leaves[2], struct error *err);
    /* Its hash is known: all below has been entered. */
    void (*leave)(void *ctx, size_t number, const struct hash *hash);
};

/* Every hash of a tree: rule 3 wants them distinct. */
struct hash_list {
    struct hash *at;
    size_t n, cap;
};
MUST_CHECK bool hash_list_add(struct hash_list *l, const struct hash *h, struct error *err);
/* Sorts; fails with ERR_MALFORMED when one is there twice. */
MUST_CHECK bool hash_list_distinct(struct hash_list *l, struct error *err);
void hash_list_free(struct hash_list *l);

/* Merges GenTransactionTree into *out, as protobuf does with a message that comes in several
 * pieces. in was pre-checked. */
void tree_parts_merge(struct bytes in, struct tree_parts *out);
/* All parts are there. Fails: ERR_MALFORMED. */
MUST_CHECK bool tree_parts_check(const struct tree_parts *parts, struct error *err);
/* The hash that a blinded node holds. Fails: ERR_MALFORMED. */
MUST_CHECK bool tree_node_blinded(const struct tree_node *n, struct hash *out, struct error *err);

/* Walks the views below root (parts->root_views). *out: the root's hash; *has_root false when the
 * sequence is empty. Fails: ERR_MALFORMED, ERR_LIMIT, ERR_MEMORY, ERR_CRYPTO, and as the visitor.
 */
MUST_CHECK bool tree_walk(const struct tree_node *root, const struct tree_visitor *visitor,
                          struct hash_list *all, struct hash *out, bool *has_root,
                          struct error *err);
#endif
