/* signature.c: which signature is acceptable for which key, and the check itself. */
#include "crypto/signature.h"

#include <string.h>

#include <openssl/evp.h>

#include "crypto/delegation.h"
#include "crypto/openssl.h"

#define CONCAT_LEN 64 /* of an Ed25519 signature */
#define BIT(n)     (1u << (n))

const struct crypto_policy crypto_policy_default = {
    .algorithms =
        BIT(ALGORITHM_ED25519) | BIT(ALGORITHM_ECDSA_SHA256) | BIT(ALGORITHM_ECDSA_SHA384),
    .signing_specs =
        BIT(SIGNING_ED25519) | BIT(SIGNING_P256) | BIT(SIGNING_P384) | BIT(SIGNING_SECP256K1),
    .encryption_specs = BIT(ENCRYPTION_P256) | BIT(ENCRYPTION_RSA_2048),
    .key_formats = BIT(KEY_FORMAT_RAW) | BIT(KEY_FORMAT_SPKI) | BIT(KEY_FORMAT_PKCS8),
    .signature_formats = BIT(SIGNATURE_DER) | BIT(SIGNATURE_CONCAT),
};

static int algorithm_of_spec(int spec)
{
    switch (spec) {
    case SIGNING_ED25519:
        return ALGORITHM_ED25519;
    case SIGNING_P256:
    case SIGNING_SECP256K1:
        return ALGORITHM_ECDSA_SHA256;
    case SIGNING_P384:
        return ALGORITHM_ECDSA_SHA384;
    default:
        return ALGORITHM_UNSET;
    }
}

static int format_of_algorithm(int algorithm)
{
    return algorithm == ALGORITHM_ED25519 ? SIGNATURE_CONCAT : SIGNATURE_DER;
}

static const EVP_MD *digest_of(int algorithm)
{
    if (algorithm == ALGORITHM_ECDSA_SHA256)
        return EVP_sha256();
    return algorithm == ALGORITHM_ECDSA_SHA384 ? EVP_sha384() : NULL;
}

void signature_normalize(struct signature *s)
{
    if (s->format != SIGNATURE_RAW)
        return;
    if (s->algorithm != ALGORITHM_UNSET)
        s->format = format_of_algorithm(s->algorithm);
    else
        s->format = s->bytes.len == CONCAT_LEN ? SIGNATURE_CONCAT : SIGNATURE_DER;
}

bool signature_copy(struct signature *to, const struct signature *from, struct error *err)
{
    *to = *from;
    to->bytes = (struct buffer)BUFFER_INIT;
    buffer_append_bytes(&to->bytes, buffer_bytes(&from->bytes));
    return delegation_copy(from->delegation, &to->delegation, err) && buffer_ok(&to->bytes, err);
}

void signature_free(struct signature *s)
{
    buffer_free(&s->bytes);
    delegation_free(s->delegation);
    s->delegation = NULL;
}

static bool has_bit(uint32_t mask, int n)
{
    return n > 0 && n < 32 && (mask & BIT(n)) != 0;
}

/* Steps 1 to 4 of the protocol's procedure, in its order. *algorithm: the one to verify with. */
static bool acceptable(const struct crypto_policy *policy, const struct public_key *k,
                       unsigned usages, const struct signature *s, int *algorithm,
                       struct error *err)
{
    if (s->delegation != NULL)
        return error_set(err, ERR_UNSUPPORTED, "let the signer use its long-term key",
                         "a session key of %s may not sign this", s->signed_by);
    if (strcmp(s->signed_by, k->fingerprint) != 0)
        return error_set(err, ERR_SIGNATURE, NULL, "signed by %s, the key is %s", s->signed_by,
                         k->fingerprint);
    *algorithm = algorithm_of_spec(k->spec);
    if (k->kind != KEY_SIGNING || *algorithm == ALGORITHM_UNSET)
        return error_set(err, ERR_SIGNATURE, NULL, "key %s cannot sign", k->fingerprint);
    if (s->algorithm != ALGORITHM_UNSET && s->algorithm != *algorithm)
        return error_set(err, ERR_SIGNATURE, NULL, "algorithm %d does not fit key spec %d",
                         s->algorithm, k->spec);
    if (!has_bit(policy->algorithms, *algorithm) || !has_bit(policy->signing_specs, k->spec))
        return error_set(err, ERR_SIGNATURE, NULL,
                         "algorithm %d with key spec %d is not allowed here", *algorithm, k->spec);
    if ((k->usages & usages) == 0)
        return error_set(err, ERR_SIGNATURE, NULL, "key %s may not be used for this",
                         k->fingerprint);
    if (s->format != format_of_algorithm(*algorithm) ||
        !has_bit(policy->signature_formats, s->format))
        return error_set(err, ERR_SIGNATURE, NULL, "signature format %d with algorithm %d",
                         s->format, *algorithm);
    return true;
}

bool signature_verify_under(const struct crypto_policy *policy, const struct public_key *k,
                            unsigned usages, const struct hash *h, const struct signature *s,
                            struct error *err)
{
    EVP_MD_CTX *ctx;
    int algorithm = ALGORITHM_UNSET, good;

    if (!acceptable(policy, k, usages, s, &algorithm, err))
        return false;
    ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return error_set(err, ERR_MEMORY, NULL, "verifying a signature");
    good = EVP_DigestVerifyInit(ctx, NULL, digest_of(algorithm), NULL, k->evp) == 1 &&
           EVP_DigestVerify(ctx, s->bytes.data, s->bytes.len, h->b, HASH_LEN) == 1;
    EVP_MD_CTX_free(ctx);
    if (good)
        return true;
    ERR_clear_error();
    return error_set(err, ERR_SIGNATURE, NULL, "the signature by %s does not verify",
                     k->fingerprint);
}

bool signature_verify(const struct public_key *k, unsigned usages, const struct hash *h,
                      const struct signature *s, struct error *err)
{
    return signature_verify_under(&crypto_policy_default, k, usages, h, s, err);
}

bool private_key_sign(const struct private_key *k, unsigned usages, const struct hash *h,
                      struct signature *out, struct error *err)
{
    int algorithm = algorithm_of_spec(k->pub->spec);
    EVP_MD_CTX *ctx;
    size_t len = 0;
    uint8_t *room = NULL;
    int done;

    memset(out, 0, sizeof(*out));
    if (k->pub->kind != KEY_SIGNING || (k->pub->usages & usages) == 0)
        return error_set(err, ERR_SIGNATURE, NULL, "key %s may not be used for this",
                         k->pub->fingerprint);
    out->algorithm = algorithm;
    out->format = format_of_algorithm(algorithm);
    memcpy(out->signed_by, k->pub->fingerprint, sizeof(out->signed_by));
    ctx = EVP_MD_CTX_new();
    done = ctx != NULL && EVP_DigestSignInit(ctx, NULL, digest_of(algorithm), NULL, k->evp) == 1 &&
           EVP_DigestSign(ctx, NULL, &len, h->b, HASH_LEN) == 1 &&
           (room = buffer_reserve(&out->bytes, len)) != NULL &&
           EVP_DigestSign(ctx, room, &len, h->b, HASH_LEN) == 1;
    EVP_MD_CTX_free(ctx);
    if (!done) {
        signature_free(out);
        return openssl_failed(err, ERR_CRYPTO, "signing");
    }
    out->bytes.len = len;
    return true;
}
