/* key.c: public keys from outside, validated before anything else looks at them. */
#include "crypto/key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include "crypto/openssl.h"
#include "crypto/point.h"

#define KEY_BYTES_MAX                                                                              \
    8192 /* of an encoded key from outside; the longest that verify are below 600 */

static const uint8_t ed25519_spki_head[12] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                              0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

bool fingerprint_of(struct bytes data, char out[FINGERPRINT_SIZE], struct error *err)
{
    struct hash h;

    if (!hash_of(HASH_FINGERPRINT, data, &h, err))
        return false;
    hash_hex(&h, out);
    return true;
}

bool fingerprint_text_valid(const char *s)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789:-_ ";
    size_t len = strlen(s);

    return len > 0 && len < FINGERPRINT_SIZE && strspn(s, alphabet) == len &&
           strstr(s, "::") == NULL;
}

bool key_usages_parse(const int *values, size_t n, unsigned *mask, struct error *err)
{
    unsigned m = 0;

    for (size_t i = 0; i < n; i++) {
        if (values[i] < 1 || values[i] > 5)
            return error_set(err, ERR_MALFORMED, NULL, "unknown key usage %d", values[i]);
        if (values[i] != 2)
            m |= 1u << values[i];
    }
    if (m == 0)
        m = USAGE_ALL;
    if (m == USAGE_PROOF || m == (USAGE_PROOF | USAGE_NAMESPACE))
        return error_set(err, ERR_MALFORMED, NULL,
                         "proof of ownership cannot stand alone or beside namespace only");
    if (m != USAGE_NAMESPACE)
        m |= USAGE_PROOF;
    *mask = m;
    return true;
}

size_t key_usages_list(unsigned mask, int out[8])
{
    size_t n = 0;

    for (int u = 1; u < 8; u++)
        if ((mask & (1u << u)) != 0)
            out[n++] = u;
    return n;
}

int key_spec_of_scheme(enum key_kind kind, int scheme)
{
    if (kind == KEY_SIGNING)
        return scheme >= 1 && scheme <= 3 ? scheme : 0; /* the first three specs in this order */
    if (scheme == 1 || scheme == 2)
        return ENCRYPTION_P256;
    return scheme == 3 ? ENCRYPTION_RSA_2048 : 0;
}

/* The curve that OpenSSL names so; NULL for what is not on a Weierstrass curve. */
static const char *curve_of(enum key_kind kind, int spec)
{
    if (kind == KEY_ENCRYPTION)
        return spec == ENCRYPTION_P256 ? "prime256v1" : NULL;
    switch (spec) {
    case SIGNING_P256:
        return "prime256v1";
    case SIGNING_P384:
        return "secp384r1";
    case SIGNING_SECP256K1:
        return "secp256k1";
    default:
        return NULL;
    }
}

static bool spec_supported(enum key_kind kind, int spec, struct error *err)
{
    bool known = kind == KEY_SIGNING ? spec >= SIGNING_ED25519 && spec <= SIGNING_SECP256K1
                                     : spec == ENCRYPTION_P256 || spec == ENCRYPTION_RSA_2048;

    if (known)
        return true;
    if (kind == KEY_SIGNING && spec == SIGNING_ML_DSA_65)
        return error_set(err, ERR_UNSUPPORTED, "use Ed25519 or ECDSA keys",
                         "signing keys ML-DSA-65 are not supported");
    return error_set(err, ERR_MALFORMED, NULL, "unknown key spec %d", spec);
}

/* Does the parsed key have the type that its spec says, and is it a sound one? */
static bool evp_fits(EVP_PKEY *evp, enum key_kind kind, int spec, struct error *err)
{
    const char *curve = curve_of(kind, spec);
    char name[64];
    size_t len;
    EVP_PKEY_CTX *ctx;
    int sound;

    if (curve != NULL) {
        if (EVP_PKEY_get_base_id(evp) != EVP_PKEY_EC ||
            EVP_PKEY_get_group_name(evp, name, sizeof(name), &len) != 1 || strcmp(name, curve) != 0)
            return openssl_failed(err, ERR_MALFORMED, "the key is not on the curve of its spec");
    } else if (EVP_PKEY_get_base_id(evp) != EVP_PKEY_RSA || EVP_PKEY_get_bits(evp) != 2048) {
        return openssl_failed(err, ERR_MALFORMED, "not an RSA key of 2048 bits");
    } else {
        return true; /* the library's check draws lots on odd moduli: replicas must all agree */
    }
    ctx = EVP_PKEY_CTX_new(evp, NULL);
    sound = ctx != NULL ? EVP_PKEY_public_check_quick(ctx) : 0;
    EVP_PKEY_CTX_free(ctx);
    return sound == 1 || openssl_failed(err, ERR_MALFORMED, "the public key is not sound");
}

/* Fills k->spki, k->evp and the fingerprint. raw: the 32 bytes, or SPKI. */
static bool load_ed25519(struct public_key *k, int format, struct bytes data, struct error *err)
{
    uint8_t spki[sizeof(ed25519_spki_head) + ED25519_LEN];

    memcpy(spki, ed25519_spki_head, sizeof(ed25519_spki_head));
    if (format == KEY_FORMAT_SPKI) {
        if (data.len != sizeof(spki) ||
            memcmp(data.data, ed25519_spki_head, sizeof(ed25519_spki_head)) != 0)
            return error_set(err, ERR_MALFORMED, NULL, "not an Ed25519 SubjectPublicKeyInfo");
        data = bytes_of(data.data + sizeof(ed25519_spki_head), ED25519_LEN);
    } else if (format != KEY_FORMAT_RAW) {
        return error_set(err, ERR_MALFORMED, NULL, "an Ed25519 key in format %d", format);
    }
    if (data.len != ED25519_LEN || !ed25519_point_valid(data.data))
        return error_set(err, ERR_MALFORMED, NULL, "not a point that an Ed25519 key can be");
    memcpy(spki + sizeof(ed25519_spki_head), data.data, ED25519_LEN);
    k->spki = bytes_of(bytes_dup(bytes_of(spki, sizeof(spki))), sizeof(spki));
    k->evp = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, data.data, ED25519_LEN);
    if (k->spki.data == NULL || k->evp == NULL)
        return openssl_failed(err, ERR_MEMORY, "Ed25519 key");
    return fingerprint_of(data, k->fingerprint, err); /* without the header: both formats agree */
}

/* SubjectPublicKeyInfo of a named curve up to the uncompressed point, and its length. */
struct ec_head {
    const char *curve;
    size_t head_len, len;
    uint8_t head[27];
};
static const struct ec_head ec_heads[] = {
    {"prime256v1", 27, 91, {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                            0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04}},
    {"secp384r1", 24, 120, {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                            0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                            0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04}},
    {"secp256k1", 24, 88, {0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
                           0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00, 0x04}},
};

/* The usual encoding of an EC key without the library's general decoder, which takes six times as
 * long. NULL: another encoding, or no point of the curve; the decoder has the last word. */
static EVP_PKEY *ec_key(const char *curve, struct bytes data)
{
    const struct ec_head *h = NULL;
    EVP_PKEY *evp = NULL;
    EVP_PKEY_CTX *ctx;

    for (size_t i = 0; i < sizeof(ec_heads) / sizeof(ec_heads[0]); i++)
        if (curve != NULL && strcmp(ec_heads[i].curve, curve) == 0)
            h = &ec_heads[i];
    if (h == NULL || data.len != h->len || memcmp(data.data, h->head, h->head_len) != 0)
        return NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                          (void *)(uintptr_t)(data.data + h->head_len - 1),
                                          data.len - h->head_len + 1),
        OSSL_PARAM_construct_end(),
    };
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(evp);
        evp = NULL;
        ERR_clear_error();
    }
    EVP_PKEY_CTX_free(ctx);
    return evp;
}

static bool load_spki(struct public_key *k, int format, struct bytes data, struct error *err)
{
    const unsigned char *p = data.data;

    if (format != KEY_FORMAT_SPKI &&
        !(format == KEY_FORMAT_DER && !(k->kind == KEY_SIGNING && k->spec == SIGNING_SECP256K1)))
        return error_set(err, ERR_MALFORMED, NULL, "key spec %d in format %d", k->spec, format);
    k->evp = ec_key(curve_of(k->kind, k->spec), data);
    if (k->evp == NULL) {
        k->evp = d2i_PUBKEY(NULL, &p, (long)data.len);
        if (k->evp != NULL && p != data.data + data.len)
            return openssl_failed(err, ERR_MALFORMED, "bytes after a SubjectPublicKeyInfo");
    }
    if (k->evp == NULL)
        return openssl_failed(err, ERR_MALFORMED, "not a SubjectPublicKeyInfo");
    if (!evp_fits(k->evp, k->kind, k->spec, err))
        return false;
    k->spki = bytes_of(bytes_dup(data), data.len);
    if (k->spki.data == NULL)
        return error_set(err, ERR_MEMORY, NULL, "public key of %zu bytes", data.len);
    return fingerprint_of(data, k->fingerprint, err);
}

bool public_key_parse(enum key_kind kind, int format, int spec, unsigned usages, struct bytes data,
                      struct public_key **out, struct error *err)
{
    struct public_key *k;
    bool ok;

    *out = NULL;
    if (!spec_supported(kind, spec, err))
        return false;
    if (data.len == 0 || data.len > KEY_BYTES_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "a public key of %zu bytes", data.len);
    k = calloc(1, sizeof(*k));
    if (k == NULL)
        return error_set(err, ERR_MEMORY, NULL, "public key");
    k->kind = kind;
    k->spec = spec;
    k->usages = kind == KEY_SIGNING ? usages : 0;
    k->refs = 1;
    ok = kind == KEY_SIGNING && spec == SIGNING_ED25519 ? load_ed25519(k, format, data, err)
                                                        : load_spki(k, format, data, err);
    if (!ok) {
        public_key_unref(k);
        return false;
    }
    *out = k;
    return true;
}

struct public_key *public_key_ref(const struct public_key *k)
{
    struct public_key *m = (struct public_key *)(uintptr_t)k; /* the count alone is mutable */

    __atomic_add_fetch(&m->refs, 1, __ATOMIC_RELAXED);
    return m;
}

void public_key_unref(struct public_key *k)
{
    if (k == NULL || __atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    EVP_PKEY_free(k->evp);
    free((void *)(uintptr_t)k->spki.data);
    free(k);
}

bool public_key_equal(const struct public_key *a, const struct public_key *b)
{
    return a->kind == b->kind && a->spec == b->spec && a->usages == b->usages &&
           strcmp(a->fingerprint, b->fingerprint) == 0;
}
