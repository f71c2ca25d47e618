/* key_wrap.h: how private keys lie in the database: encrypted with AES-256-GCM under a key that the
 * operator keeps elsewhere, or as they are when the configuration says so.
 *
 * A wrapped key is 0x01 || id (8 bytes, from a hash of the wrapping key) || nonce || ciphertext ||
 * tag; the fingerprint of the key is authenticated with it, so that rows cannot be exchanged. What
 * is not wrapped is PKCS#8 and begins with 0x30. Threads: any, once set up. */
#ifndef CRYPTO_KEY_WRAP_H
#define CRYPTO_KEY_WRAP_H
#include "crypto/seal.h"

#define KEY_WRAP_ID_LEN 8

/* Zero-initialise. Holds secrets: key_wrap_wipe. */
struct key_wrap {
    bool is_plaintext; /* written as they are */
    size_t n;          /* the first writes, unless is_plaintext; all read */
    struct {
        uint8_t key[SEAL_KEY_256_LEN];
        uint8_t id[KEY_WRAP_ID_LEN];
    } at[2];
};

/* Adds a wrapping key, 64 hex digits. Fails: ERR_CONFIG (says what it should look like, never what
 * it was), ERR_LIMIT (two already), ERR_CRYPTO. */
MUST_CHECK bool key_wrap_add(struct key_wrap *w, const char *text, struct error *err);
void key_wrap_wipe(struct key_wrap *w);

/* Appends what is to be stored of a key. With neither keys nor is_plaintext: ERR_CONFIG. Fails too:
 * ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool key_wrap_seal(const struct key_wrap *w, const char *fingerprint, struct bytes pkcs8,
                              struct buffer *out, struct error *err);
/* Appends the PKCS#8 of what was stored. *is_current: key_wrap_seal would store it in this form.
 * Fails: ERR_CONFIG (wrapped under a key that is not here: says its id; or not wrapped, and w does
 * not allow that: neither keys nor is_plaintext), ERR_MALFORMED (damaged, or another key's row),
 * ERR_MEMORY. */
MUST_CHECK bool key_wrap_open(const struct key_wrap *w, const char *fingerprint,
                              struct bytes stored, struct buffer *out, bool *is_current,
                              struct error *err);
#endif
