/* private_key.c: own keys: drawn, stored as PKCS#8, loaded again. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/key.h"
#include "crypto/openssl.h"

void buffer_wipe(struct buffer *b)
{
    if (b->data != NULL)
        OPENSSL_cleanse(b->data, b->cap);
    buffer_free(b);
}

/* Takes evp over, also when it fails. */
static bool wrap(EVP_PKEY *evp, enum key_kind kind, int spec, unsigned usages,
                 struct private_key **out, struct error *err)
{
    struct private_key *k = calloc(1, sizeof(*k));
    unsigned char *der = NULL;
    int len = 0;

    *out = NULL;
    if (k == NULL) {
        EVP_PKEY_free(evp);
        return error_set(err, ERR_MEMORY, NULL, "private key");
    }
    k->evp = evp;
    k->refs = 1;
    len = i2d_PUBKEY(evp, &der);
    if (len <= 0) {
        private_key_unref(k);
        return openssl_failed(err, ERR_CRYPTO, "public part of a key");
    }
    if (!public_key_parse(kind, KEY_FORMAT_SPKI, spec, usages, bytes_of(der, (size_t)len), &k->pub,
                          err)) {
        OPENSSL_free(der);
        private_key_unref(k);
        return false;
    }
    OPENSSL_free(der);
    *out = k;
    return true;
}

bool private_key_generate(enum key_kind kind, int spec, unsigned usages, struct private_key **out,
                          struct error *err)
{
    EVP_PKEY *evp = NULL;

    *out = NULL;
    if (kind == KEY_SIGNING && spec == SIGNING_ED25519)
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (kind == KEY_SIGNING && spec == SIGNING_P384)
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    else if (kind == KEY_SIGNING && spec == SIGNING_SECP256K1)
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1");
    else if (kind == KEY_SIGNING ? spec == SIGNING_P256 : spec == ENCRYPTION_P256)
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    else if (kind == KEY_ENCRYPTION && spec == ENCRYPTION_RSA_2048)
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    else
        return error_set(err, ERR_UNSUPPORTED, NULL, "keys of spec %d cannot be generated", spec);
    if (evp == NULL)
        return openssl_failed(err, ERR_CRYPTO, "generating a key");
    return wrap(evp, kind, spec, usages, out, err);
}

bool private_key_from_seed(const uint8_t seed[32], unsigned usages, struct private_key **out,
                           struct error *err)
{
    EVP_PKEY *evp = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);

    *out = NULL;
    if (evp == NULL)
        return openssl_failed(err, ERR_CRYPTO, "Ed25519 seed");
    return wrap(evp, KEY_SIGNING, SIGNING_ED25519, usages, out, err);
}

bool private_key_to_pkcs8(const struct private_key *k, struct buffer *out, struct error *err)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->evp);
    unsigned char *der = NULL;
    int len = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;

    PKCS8_PRIV_KEY_INFO_free(info);
    if (len <= 0)
        return openssl_failed(err, ERR_CRYPTO, "writing a private key");
    buffer_append(out, der, (size_t)len);
    OPENSSL_cleanse(der, (size_t)len);
    OPENSSL_free(der);
    return buffer_ok(out, err);
}

bool private_key_from_pkcs8(enum key_kind kind, int spec, unsigned usages, struct bytes der,
                            struct private_key **out, struct error *err)
{
    const unsigned char *p = der.data;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    EVP_PKEY *evp = NULL;

    *out = NULL;
    if (der.len > 0 && der.len < 65536)
        info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len);
    if (info != NULL && p == der.data + der.len)
        evp = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    if (evp == NULL)
        return openssl_failed(err, ERR_MALFORMED, "not a PKCS#8 private key");
    return wrap(evp, kind, spec, usages, out, err);
}

struct private_key *private_key_ref(const struct private_key *k)
{
    struct private_key *m = (struct private_key *)(uintptr_t)k;

    __atomic_add_fetch(&m->refs, 1, __ATOMIC_RELAXED);
    return m;
}

void private_key_unref(struct private_key *k)
{
    if (k == NULL || __atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    public_key_unref(k->pub);
    EVP_PKEY_free(k->evp); /* wipes what is secret in it */
    free(k);
}
