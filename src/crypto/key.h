/* key.h: public and private keys, parsed once and kept ready for use. A key is immutable and
 * counted: key_ref for one more holder, key_unref for one less. Enum values are the protocol's
 * numbers. Specs that the protocol knows and this release lacks (ML-DSA-65) fail with
 * ERR_UNSUPPORTED.
 * Threads: keys are shared freely between threads. */
#ifndef CRYPTO_KEY_H
#define CRYPTO_KEY_H
#include <stdint.h>

#include "base/buffer.h"
#include "crypto/hash.h"

#define FINGERPRINT_SIZE 69 /* up to 68 characters and the NUL; ours are 68 hex digits */

enum key_kind { KEY_SIGNING = 1, KEY_ENCRYPTION = 2 };

enum key_format {
    KEY_FORMAT_DER = 2, /* legacy */
    KEY_FORMAT_RAW = 3, /* legacy, Ed25519 */
    KEY_FORMAT_SPKI = 4,
    KEY_FORMAT_PKCS8 = 5,
};

/* Spec of a signing key or of an encryption key, by its kind; the numbers overlap. */
enum signing_spec {
    SIGNING_ED25519 = 1,
    SIGNING_P256 = 2,
    SIGNING_P384 = 3,
    SIGNING_SECP256K1 = 4,
    SIGNING_ML_DSA_65 = 5, /* known by name only */
};
enum encryption_spec { ENCRYPTION_P256 = 1, ENCRYPTION_RSA_2048 = 2 };

/* What a signing key may do: a mask of these. */
enum key_usage {
    USAGE_NAMESPACE = 1 << 1,
    USAGE_SEQUENCER_AUTH = 1 << 3,
    USAGE_PROTOCOL = 1 << 4,
    USAGE_PROOF = 1 << 5, /* proof of ownership: signs a mapping that names the key */
    USAGE_ALL = USAGE_NAMESPACE | USAGE_SEQUENCER_AUTH | USAGE_PROTOCOL | USAGE_PROOF,
};

struct public_key {
    enum key_kind kind;
    int spec;        /* enum signing_spec or enum encryption_spec */
    unsigned usages; /* mask of enum key_usage; 0 for encryption keys */
    char fingerprint[FINGERPRINT_SIZE];
    struct bytes spki; /* DER SubjectPublicKeyInfo, owned */
    void *evp;         /* of the cryptographic library, owned */
    int refs;          /* atomic */
};

struct private_key {
    struct public_key *pub;
    void *evp;
    int refs;
};

/* Parses and validates a key from outside. format: the legacy formats are migrated to SPKI, so
 * that pub->spki is always SPKI. spec: as in the message, not 0 (see key_spec_of_scheme). usages: a
 * mask from key_usages_parse, 0 for an encryption key. *out: one reference, the caller's. Fails:
 * ERR_MALFORMED (bytes, format, point not on the curve, small order, wrong type for spec),
 * ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool public_key_parse(enum key_kind kind, int format, int spec, unsigned usages,
                                 struct bytes data, struct public_key **out, struct error *err);

/* The mask for the usages of a message, values as on the wire: an empty list means all, 2 is
 * dropped, proof of ownership is added except to namespace alone. Fails: ERR_MALFORMED (an unknown
 * value, or one of the invalid sets {5} and {1,5}). */
MUST_CHECK bool key_usages_parse(const int *values, size_t n, unsigned *mask, struct error *err);
/* The values of a mask, ascending; out holds 8. Returns how many. */
size_t key_usages_list(unsigned mask, int out[8]);

/* The spec that a message without key_spec means by its legacy scheme; 0 when it means none. */
int key_spec_of_scheme(enum key_kind kind, int scheme);

struct public_key *public_key_ref(const struct public_key *k);
void public_key_unref(struct public_key *k); /* NULL is allowed */
/* Same fingerprint, kind, spec and usages. */
bool public_key_equal(const struct public_key *a, const struct public_key *b);

/* Draws a new key. spec: SIGNING_ED25519, SIGNING_P256, SIGNING_P384 or SIGNING_SECP256K1;
 * ENCRYPTION_P256 or ENCRYPTION_RSA_2048 (slow: about 0.1 s). Fails: ERR_UNSUPPORTED, ERR_CRYPTO,
 * ERR_MEMORY. */
MUST_CHECK bool private_key_generate(enum key_kind kind, int spec, unsigned usages,
                                     struct private_key **out, struct error *err);
/* PKCS#8 DER, unencrypted: a secret. The caller owns out and wipes it with buffer_wipe. */
MUST_CHECK bool private_key_to_pkcs8(const struct private_key *k, struct buffer *out,
                                     struct error *err);
/* The reverse; kind, spec and usages are stored beside it. Fails: ERR_MALFORMED, ERR_UNSUPPORTED,
 * ERR_MEMORY. */
MUST_CHECK bool private_key_from_pkcs8(enum key_kind kind, int spec, unsigned usages,
                                       struct bytes der, struct private_key **out,
                                       struct error *err);
/* An Ed25519 key from its 32-byte seed, for test vectors. */
MUST_CHECK bool private_key_from_seed(const uint8_t seed[32], unsigned usages,
                                      struct private_key **out, struct error *err);
struct private_key *private_key_ref(const struct private_key *k);
void private_key_unref(struct private_key *k); /* NULL is allowed */

/* Overwrites the content before it frees it. */
void buffer_wipe(struct buffer *b);

/* Fingerprint of data: hex of H(12, data). Which bytes of a key count is decided in
 * public_key_parse. Fails: ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool fingerprint_of(struct bytes data, char out[FINGERPRINT_SIZE], struct error *err);
/* What the protocol accepts as a fingerprint or namespace: 1 to 68 of [A-Za-z0-9:_ -], no "::". */
bool fingerprint_text_valid(const char *s);
#endif
