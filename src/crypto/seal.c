#include "crypto/seal.h"

#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "base/random.h"
#include "crypto/openssl.h"

#define PLAIN_MAX ((size_t)1 << 30)
#define OAEP_MAX  190 /* 256 - 2 * 32 - 2 */
#define RSA_LEN   256

/* Additional data first, then the content; *n: bytes written. */
static bool encrypt_update(EVP_CIPHER_CTX *ctx, struct bytes aad, struct bytes plain, uint8_t *out,
                           int *n)
{
    int ignored = 0;

    *n = 0;
    return (aad.len == 0 || EVP_EncryptUpdate(ctx, NULL, &ignored, aad.data, (int)aad.len) == 1) &&
           (plain.len == 0 || EVP_EncryptUpdate(ctx, out, n, plain.data, (int)plain.len) == 1);
}

static bool gcm_encrypt(const EVP_CIPHER *cipher, const uint8_t *key, struct bytes aad,
                        struct bytes plain, struct buffer *out, struct error *err)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t *p;
    int n = 0, last = 0, done;

    if (plain.len > PLAIN_MAX || aad.len > PLAIN_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu bytes to encrypt", plain.len);
    p = buffer_reserve(out, plain.len + SEAL_OVERHEAD);
    ctx = EVP_CIPHER_CTX_new();
    if (p == NULL || ctx == NULL) {
        EVP_CIPHER_CTX_free(ctx);
        return error_set(err, ERR_MEMORY, NULL, "encrypting %zu bytes", plain.len);
    }
    random_bytes(p, SEAL_NONCE_LEN);
    done = EVP_EncryptInit_ex(ctx, cipher, NULL, key, p) == 1 &&
           encrypt_update(ctx, aad, plain, p + SEAL_NONCE_LEN, &n) &&
           EVP_EncryptFinal_ex(ctx, p + SEAL_NONCE_LEN + n, &last) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_LEN,
                               p + SEAL_NONCE_LEN + plain.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!done)
        return openssl_failed(err, ERR_CRYPTO, "AES-GCM");
    out->len += plain.len + SEAL_OVERHEAD;
    return true;
}

static bool decrypt_update(EVP_CIPHER_CTX *ctx, struct bytes aad, struct bytes content,
                           uint8_t *out, int *n)
{
    int ignored = 0;

    *n = 0;
    return (aad.len == 0 || EVP_DecryptUpdate(ctx, NULL, &ignored, aad.data, (int)aad.len) == 1) &&
           (content.len == 0 ||
            EVP_DecryptUpdate(ctx, out, n, content.data, (int)content.len) == 1);
}

static bool gcm_decrypt(const EVP_CIPHER *cipher, const uint8_t *key, struct bytes aad,
                        struct bytes sealed, struct buffer *out, struct error *err)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t tag[SEAL_TAG_LEN], *p;
    size_t len;
    int n = 0, last = 0, done;

    if (sealed.len < SEAL_OVERHEAD || sealed.len > PLAIN_MAX + SEAL_OVERHEAD || aad.len > PLAIN_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "%zu bytes are no AES-GCM ciphertext",
                         sealed.len);
    len = sealed.len - SEAL_OVERHEAD;
    memcpy(tag, sealed.data + SEAL_NONCE_LEN + len, SEAL_TAG_LEN);
    p = buffer_reserve(out, len + 1); /* never of length 0 */
    ctx = EVP_CIPHER_CTX_new();
    if (p == NULL || ctx == NULL) {
        EVP_CIPHER_CTX_free(ctx);
        return error_set(err, ERR_MEMORY, NULL, "decrypting %zu bytes", len);
    }
    done = EVP_DecryptInit_ex(ctx, cipher, NULL, key, sealed.data) == 1 &&
           decrypt_update(ctx, aad, bytes_of(sealed.data + SEAL_NONCE_LEN, len), p, &n) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_LEN, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, p + n, &last) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!done) {
        OPENSSL_cleanse(p, len);
        ERR_clear_error();
        return error_set(err, ERR_MALFORMED, NULL, "ciphertext not made with this key");
    }
    out->len += len;
    return true;
}

bool seal_encrypt(const uint8_t key[SEAL_KEY_LEN], struct bytes plain, struct buffer *out,
                  struct error *err)
{
    return gcm_encrypt(EVP_aes_128_gcm(), key, (struct bytes){0}, plain, out, err);
}

bool seal_decrypt(const uint8_t key[SEAL_KEY_LEN], struct bytes sealed, struct buffer *out,
                  struct error *err)
{
    return gcm_decrypt(EVP_aes_128_gcm(), key, (struct bytes){0}, sealed, out, err);
}

bool seal_encrypt_256(const uint8_t key[SEAL_KEY_256_LEN], struct bytes aad, struct bytes plain,
                      struct buffer *out, struct error *err)
{
    return gcm_encrypt(EVP_aes_256_gcm(), key, aad, plain, out, err);
}

bool seal_decrypt_256(const uint8_t key[SEAL_KEY_256_LEN], struct bytes aad, struct bytes sealed,
                      struct buffer *out, struct error *err)
{
    return gcm_decrypt(EVP_aes_256_gcm(), key, aad, sealed, out, err);
}

static bool oaep_sha256(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

static bool need_rsa(const struct public_key *k, struct error *err)
{
    if (k->kind == KEY_ENCRYPTION && k->spec == ENCRYPTION_RSA_2048)
        return true;
    return error_set(err, ERR_UNSUPPORTED, "use an RSA-2048 encryption key",
                     "encryption with key spec %d is not supported", k->spec);
}

bool seal_encrypt_for(const struct public_key *k, struct bytes plain, struct buffer *out,
                      struct error *err)
{
    EVP_PKEY_CTX *ctx;
    uint8_t *p;
    size_t len = RSA_LEN;
    int done;

    if (!need_rsa(k, err))
        return false;
    if (plain.len > OAEP_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu bytes for RSA, at most %d", plain.len,
                         OAEP_MAX);
    p = buffer_reserve(out, RSA_LEN);
    ctx = p != NULL ? EVP_PKEY_CTX_new(k->evp, NULL) : NULL;
    if (ctx == NULL)
        return error_set(err, ERR_MEMORY, NULL, "RSA encryption");
    done = EVP_PKEY_encrypt_init(ctx) == 1 && oaep_sha256(ctx) &&
           EVP_PKEY_encrypt(ctx, p, &len, plain.data, plain.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!done)
        return openssl_failed(err, ERR_CRYPTO, "RSA encryption");
    out->len += len;
    return true;
}

bool seal_decrypt_with(const struct private_key *k, struct bytes sealed, struct buffer *out,
                       struct error *err)
{
    EVP_PKEY_CTX *ctx;
    uint8_t *p;
    size_t len = RSA_LEN;
    int done;

    if (!need_rsa(k->pub, err))
        return false;
    p = buffer_reserve(out, RSA_LEN);
    ctx = p != NULL ? EVP_PKEY_CTX_new(k->evp, NULL) : NULL;
    if (ctx == NULL)
        return error_set(err, ERR_MEMORY, NULL, "RSA decryption");
    done = sealed.len == RSA_LEN && EVP_PKEY_decrypt_init(ctx) == 1 && oaep_sha256(ctx) &&
           EVP_PKEY_decrypt(ctx, p, &len, sealed.data, sealed.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!done) {
        OPENSSL_cleanse(p, RSA_LEN);
        ERR_clear_error();
        return error_set(err, ERR_MALFORMED, NULL, "not encrypted for key %s", k->pub->fingerprint);
    }
    out->len += len;
    return true;
}

bool hmac_sha256(struct bytes key, struct bytes data, uint8_t out[HMAC_LEN], struct error *err)
{
    static const uint8_t none[1];
    unsigned int len = HMAC_LEN;

    if (key.len <= INT_MAX && HMAC(EVP_sha256(), key.len > 0 ? key.data : none, (int)key.len,
                                   data.data, data.len, out, &len) != NULL)
        return true;
    return openssl_failed(err, ERR_CRYPTO, "HMAC");
}

bool equal_in_constant_time(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}
