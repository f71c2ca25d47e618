/* merkle.h: hashes of the nodes of a transaction's Merkle tree, salts, and the place of a view in
 * it. Every node is hashed as 34 bytes. Threads: free of state. */
#ifndef WIRE_MERKLE_H
#define WIRE_MERKLE_H
#include "crypto/hash.h"

#define SALT_LEN 32
#define SEED_LEN 16

/* H(purpose, LP(salt) || LP(wrapped)): wrapped are the leaf's received bytes. Fails: ERR_MEMORY,
 * ERR_CRYPTO. */
MUST_CHECK bool merkle_leaf(enum hash_purpose purpose, const uint8_t salt[SALT_LEN],
                            struct bytes wrapped, struct hash *out, struct error *err);
/* H(3, i4(n) || children). */
MUST_CHECK bool merkle_inner(const struct hash *children, size_t n, struct hash *out,
                             struct error *err);
/* HMAC-SHA256(seed, i4(index)): the submitter's salt of leaf number index. */
MUST_CHECK bool merkle_salt(const uint8_t seed[SEED_LEN], uint32_t index, uint8_t out[SALT_LEN],
                            struct error *err);

/* Where a view is: path from the view to the root; each step is the place inside one sequence, from
 * the element to its top. Kept as the deterministic bytes i4(steps), and for each i4(m) and m bytes
 * of 0 (left) or 1 (right), so that equal places have equal keys and any map can hold them. */
struct view_position {
    uint8_t *key; /* owned */
    size_t len;
};
/* From the bytes of ViewPosition. Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool view_position_parse(struct bytes in, struct view_position *out, struct error *err);
/* Appends the bytes of ViewPosition. Fails: ERR_MEMORY. */
MUST_CHECK bool view_position_build(const struct view_position *p, struct buffer *out,
                                    struct error *err);
bool view_position_equal(const struct view_position *a, const struct view_position *b);
MUST_CHECK bool view_position_copy(struct view_position *to, const struct view_position *from,
                                   struct error *err);
/* For people: "[[L,R],[]]". Appends. */
void view_position_text(const struct view_position *p, struct buffer *out);
void view_position_free(struct view_position *p); /* what it owns, and zeroes it */
#endif
