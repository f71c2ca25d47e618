/* seal.h: encryption and message authentication: AES-128-GCM for content, RSA-2048 OAEP with
 * SHA-256 for its key, AES-256-GCM for what lies on a disk, HMAC-SHA256 for tokens. Threads: any.
 */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H
#include "crypto/key.h"

#define SEAL_KEY_LEN     16
#define SEAL_KEY_256_LEN 32
#define SEAL_NONCE_LEN   12
#define SEAL_TAG_LEN     16
#define SEAL_OVERHEAD    (SEAL_NONCE_LEN + SEAL_TAG_LEN)
#define HMAC_LEN         32

/* Appends nonce || ciphertext || tag with a fresh random nonce; no associated data. plain: at most
 * 1 GiB. Fails: ERR_CRYPTO, ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool seal_encrypt(const uint8_t key[SEAL_KEY_LEN], struct bytes plain,
                             struct buffer *out, struct error *err);
/* The reverse; appends nothing when it fails. Fails: ERR_MALFORMED (too short, or not made with
 * this key), ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool seal_decrypt(const uint8_t key[SEAL_KEY_LEN], struct bytes sealed,
                             struct buffer *out, struct error *err);

/* The same with AES-256-GCM; aad is not stored, must be the same for the way back, and ties the
 * ciphertext to its place. */
MUST_CHECK bool seal_encrypt_256(const uint8_t key[SEAL_KEY_256_LEN], struct bytes aad,
                                 struct bytes plain, struct buffer *out, struct error *err);
MUST_CHECK bool seal_decrypt_256(const uint8_t key[SEAL_KEY_256_LEN], struct bytes aad,
                                 struct bytes sealed, struct buffer *out, struct error *err);

/* RSA OAEP with SHA-256 for digest and mask; plain: at most 190 bytes; appends 256 bytes. k: an
 * encryption key with ENCRYPTION_RSA_2048; others fail with ERR_UNSUPPORTED. Fails too: ERR_LIMIT,
 * ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool seal_encrypt_for(const struct public_key *k, struct bytes plain, struct buffer *out,
                                 struct error *err);
/* Fails: ERR_MALFORMED (not for this key; no more is said), ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool seal_decrypt_with(const struct private_key *k, struct bytes sealed,
                                  struct buffer *out, struct error *err);

/* Fails: ERR_CRYPTO. */
MUST_CHECK bool hmac_sha256(struct bytes key, struct bytes data, uint8_t out[HMAC_LEN],
                            struct error *err);
/* Takes the same time whatever the content; false when the lengths differ. */
bool equal_in_constant_time(struct bytes a, struct bytes b);
#endif
