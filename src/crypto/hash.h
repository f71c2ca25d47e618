/* hash.h: SHA-256 behind the protocol's hash builder. A hash is H(purpose, payload) =
 * SHA-256(i4(purpose) || payload) and travels as 34 bytes: 0x12 0x20 and the digest. What a
 * signature covers are those 34 bytes. Integers are big-endian two's complement.
 * Threads: a builder belongs to one thread; the functions are free of state. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H
#include <stdint.h>

#include "base/buffer.h"

#define HASH_LEN      34
#define DIGEST_LEN    32
#define HASH_HEX_SIZE 69 /* 68 digits and the NUL */

struct hash {
    uint8_t b[HASH_LEN];
};

enum hash_purpose {
    HASH_TESTING = -1,
    HASH_SEQUENCED_EVENT = 1,
    HASH_MERKLE_INNER_NODE = 3,
    HASH_SUBMITTER_METADATA = 5,
    HASH_COMMON_METADATA = 6,
    HASH_PARTICIPANT_METADATA = 7,
    HASH_VIEW_COMMON_DATA = 8,
    HASH_VIEW_PARTICIPANT_DATA = 9,
    HASH_TOPOLOGY_TRANSACTION = 11,
    HASH_FINGERPRINT = 12,
    HASH_AUTHENTICATION_TOKEN = 14,
    HASH_UNASSIGNMENT_COMMON_DATA = 24,
    HASH_UNASSIGNMENT_VIEW = 25,
    HASH_ASSIGNMENT_COMMON_DATA = 26,
    HASH_ASSIGNMENT_VIEW = 27,
    HASH_SUBMISSION_REQUEST = 35,
    HASH_ACKNOWLEDGEMENT = 36,
    HASH_DECENTRALIZED_NAMESPACE = 37,
    HASH_SIGNED_PROTOCOL_MESSAGE = 38,
    HASH_AGGREGATION_ID = 39,
    HASH_TOPOLOGY_UNIQUE_KEY = 43,
    HASH_MULTI_TOPOLOGY_TRANSACTION = 55,
    HASH_SESSION_KEY_DELEGATION = 56,
    HASH_ENCRYPTED_SESSION_KEY = 58,
    HASH_INITIAL_TOPOLOGY_STATE = 60,
    HASH_LSU_SEQUENCING_TEST = 62,
    HASH_CIPHERTEXT_ID = 64,
    HASH_SEQUENCER_AGGREGATOR = 65,
};

/* A hash being built. A builder that ran out of memory stays usable; hash_finish tells. */
struct hash_builder {
    void *ctx; /* of the cryptographic library; NULL when failed or finished */
};

/* Starts with i4(purpose). Every builder that was started ends in hash_finish or hash_abandon. */
void hash_start(struct hash_builder *h, enum hash_purpose purpose);

void hash_i32(struct hash_builder *h, int32_t v);
void hash_i64(struct hash_builder *h, int64_t v);  /* also timestamps: microseconds since 1970 */
void hash_byte(struct hash_builder *h, uint8_t v); /* also bool, and the mark of an option */
void hash_raw(struct hash_builder *h, struct bytes v);   /* no length */
void hash_bytes(struct hash_builder *h, struct bytes v); /* i4(length) || v, at most 2^31-1 bytes */
void hash_str(struct hash_builder *h, const char *s);    /* the same of its UTF-8 bytes */
void hash_digest(struct hash_builder *h, const struct hash *v); /* the 32 digest bytes, bare */
void hash_strs_sorted(struct hash_builder *h, const char *const *sorted, size_t n); /* i4(n), STR */

/* Ends the builder, in any case. Fails: ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool hash_finish(struct hash_builder *h, struct hash *out, struct error *err);
void hash_abandon(struct hash_builder *h);

/* H(purpose, payload) in one call. Fails: ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool hash_of(enum hash_purpose purpose, struct bytes payload, struct hash *out,
                        struct error *err);
/* SHA-256 without purpose, 32 bytes. Fails: ERR_CRYPTO. */
MUST_CHECK bool sha256(struct bytes v, uint8_t out[DIGEST_LEN], struct error *err);

/* From the 34-byte form; refuses any other code, length or trailing byte. Fails: ERR_MALFORMED. */
MUST_CHECK bool hash_parse(struct bytes v, struct hash *out, struct error *err);
bool hash_equal(const struct hash *a, const struct hash *b);
int hash_compare(const struct hash *a, const struct hash *b); /* the order of the hex texts too */
void hash_hex(const struct hash *h, char out[HASH_HEX_SIZE]);
static inline struct bytes hash_as_bytes(const struct hash *h)
{
    return (struct bytes){h->b, HASH_LEN};
}
#endif
