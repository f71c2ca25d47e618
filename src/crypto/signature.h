/* signature.h: signatures over hashes (their 34 bytes): Ed25519, and ECDSA with SHA-256 or SHA-384.
 * Signatures by session keys: see delegation.h.
 * Threads: any. */
#ifndef CRYPTO_SIGNATURE_H
#define CRYPTO_SIGNATURE_H
#include "crypto/key.h"

enum signature_format { SIGNATURE_RAW = 1, SIGNATURE_DER = 2, SIGNATURE_CONCAT = 3 };
enum signing_algorithm {
    ALGORITHM_UNSET = 0, /* derived from the key */
    ALGORITHM_ED25519 = 1,
    ALGORITHM_ECDSA_SHA256 = 2,
    ALGORITHM_ECDSA_SHA384 = 3,
    ALGORITHM_ML_DSA_65 = 4, /* known by name only */
};

struct delegation;
struct signature {
    int format;                    /* enum signature_format, never RAW after signature_normalize */
    int algorithm;                 /* enum signing_algorithm */
    struct delegation *delegation; /* owned; NULL: not by a session key */
    char signed_by[FINGERPRINT_SIZE];
    struct buffer bytes; /* owned */
};

/* Translates the legacy format RAW, by the algorithm, or by the length when that is unset. */
void signature_normalize(struct signature *s);
MUST_CHECK bool signature_copy(struct signature *to, const struct signature *from,
                               struct error *err);
void signature_free(struct signature *s); /* what it owns, not s itself */

/* What a synchronizer allows (its static parameters): masks, bit 1 << number. */
struct crypto_policy {
    uint32_t algorithms, signing_specs, encryption_specs, key_formats, signature_formats;
};
/* Everything that this release can verify. */
extern const struct crypto_policy crypto_policy_default;

/* Verifies one signature: signer is k, algorithm fits the key, k has one of usages (mask of enum
 * key_usage, never 0), format fits the algorithm, and the bytes verify. Fails: ERR_SIGNATURE,
 * ERR_UNSUPPORTED (by a session key: only signature_verify_at takes that). */
MUST_CHECK bool signature_verify(const struct public_key *k, unsigned usages, const struct hash *h,
                                 const struct signature *s, struct error *err);
/* The same, and policy allows algorithm, spec and format. */
MUST_CHECK bool signature_verify_under(const struct crypto_policy *policy,
                                       const struct public_key *k, unsigned usages,
                                       const struct hash *h, const struct signature *s,
                                       struct error *err);

/* Signs h; k must have one of usages. *out is overwritten; signature_free releases it. Fails:
 * ERR_SIGNATURE (usage), ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool private_key_sign(const struct private_key *k, unsigned usages, const struct hash *h,
                                 struct signature *out, struct error *err);
#endif
