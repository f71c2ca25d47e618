/* hash.c: see hash.h and the table of items in the protocol's description. */
#include "crypto/hash.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include "crypto/openssl.h"

/* The code and the length that stand before each digest. */
static const uint8_t multihash_sha256[2] = {0x12, 0x20};

static void feed(struct hash_builder *h, const void *data, size_t len)
{
    if (h->ctx != NULL && len > 0 && EVP_DigestUpdate(h->ctx, data, len) != 1)
        hash_abandon(h);
}

void hash_start(struct hash_builder *h, enum hash_purpose purpose)
{
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx != NULL && EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
        hash_abandon(h);
    hash_i32(h, (int32_t)purpose);
}

void hash_i32(struct hash_builder *h, int32_t v)
{
    uint32_t u = (uint32_t)v;
    uint8_t b[4] = {(uint8_t)(u >> 24), (uint8_t)(u >> 16), (uint8_t)(u >> 8), (uint8_t)u};

    feed(h, b, sizeof(b));
}

void hash_i64(struct hash_builder *h, int64_t v)
{
    uint64_t u = (uint64_t)v;

    hash_i32(h, (int32_t)(uint32_t)(u >> 32));
    hash_i32(h, (int32_t)(uint32_t)u);
}

void hash_byte(struct hash_builder *h, uint8_t v)
{
    feed(h, &v, 1);
}

void hash_raw(struct hash_builder *h, struct bytes v)
{
    feed(h, v.data, v.len);
}

void hash_bytes(struct hash_builder *h, struct bytes v)
{
    if (v.len > INT32_MAX)
        hash_abandon(h);
    hash_i32(h, (int32_t)v.len);
    feed(h, v.data, v.len);
}

void hash_str(struct hash_builder *h, const char *s)
{
    hash_bytes(h, bytes_str(s));
}

void hash_digest(struct hash_builder *h, const struct hash *v)
{
    feed(h, v->b + sizeof(multihash_sha256), DIGEST_LEN);
}

void hash_strs_sorted(struct hash_builder *h, const char *const *sorted, size_t n)
{
    hash_i32(h, (int32_t)n);
    for (size_t i = 0; i < n; i++)
        hash_str(h, sorted[i]);
}

bool hash_finish(struct hash_builder *h, struct hash *out, struct error *err)
{
    bool ok = h->ctx != NULL;

    memcpy(out->b, multihash_sha256, sizeof(multihash_sha256));
    ok = ok && EVP_DigestFinal_ex(h->ctx, out->b + sizeof(multihash_sha256), NULL) == 1;
    hash_abandon(h);
    return ok || openssl_failed(err, ERR_CRYPTO, "SHA-256 (out of memory, or over 2 GiB)");
}

void hash_abandon(struct hash_builder *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

bool hash_of(enum hash_purpose purpose, struct bytes payload, struct hash *out, struct error *err)
{
    struct hash_builder h;

    hash_start(&h, purpose);
    hash_raw(&h, payload);
    return hash_finish(&h, out, err);
}

bool sha256(struct bytes v, uint8_t out[DIGEST_LEN], struct error *err)
{
    return EVP_Digest(v.data, v.len, out, NULL, EVP_sha256(), NULL) == 1 ||
           openssl_failed(err, ERR_CRYPTO, "SHA-256");
}

bool hash_parse(struct bytes v, struct hash *out, struct error *err)
{
    if (v.len != HASH_LEN || memcmp(v.data, multihash_sha256, sizeof(multihash_sha256)) != 0)
        return error_set(err, ERR_MALFORMED, NULL, "%zu bytes are no SHA-256 hash of 34 bytes",
                         v.len);
    memcpy(out->b, v.data, HASH_LEN);
    return true;
}

bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, HASH_LEN) == 0;
}

int hash_compare(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, HASH_LEN);
}

void hash_hex(const struct hash *h, char out[HASH_HEX_SIZE])
{
    hex_encode(hash_as_bytes(h), out);
}
