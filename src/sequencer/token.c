/* token.c: expiry || truncated HMAC. */
#include "sequencer/token.h"

#include <string.h>

#include "base/clock.h"
#include "crypto/seal.h"

static bool mac(struct bytes key, const struct token_claim *c, uint32_t expiry,
                uint8_t out[HMAC_LEN], struct error *err)
{
    const char *texts[] = {c->member, c->psid, c->fingerprint};
    struct buffer b = BUFFER_INIT;

    for (size_t i = 0; i < 3; i++) {
        buffer_append_be32(&b, (uint32_t)strlen(texts[i]));
        buffer_append_str(&b, texts[i]);
    }
    buffer_append_be64(&b, (uint64_t)c->revocation_epoch);
    buffer_append_be64(&b, (uint64_t)c->access_since);
    buffer_append_be32(&b, expiry);
    bool ok = buffer_ok(&b, err) && hmac_sha256(key, buffer_bytes(&b), out, err);
    buffer_free(&b);
    return ok;
}

bool token_make(struct bytes key, const struct token_claim *c, int64_t expires_at,
                uint8_t out[TOKEN_LEN], struct error *err)
{
    uint32_t expiry = (uint32_t)(expires_at / US_PER_S);
    uint8_t tag[HMAC_LEN];

    if (!mac(key, c, expiry, tag, err))
        return false;
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(expiry >> (24 - 8 * i));
    memcpy(out + 4, tag, TOKEN_LEN - 4);
    return true;
}

int64_t token_expires_at(struct bytes token)
{
    if (token.len != TOKEN_LEN)
        return 0;
    const uint8_t *d = token.data;
    uint32_t s = (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
    return (int64_t)s * US_PER_S;
}

bool token_check(struct bytes key, const struct token_claim *c, struct bytes token, int64_t now_us)
{
    int64_t expires_at = token_expires_at(token);
    uint8_t tag[HMAC_LEN];

    return expires_at > now_us && mac(key, c, (uint32_t)(expires_at / US_PER_S), tag, NULL) &&
           equal_in_constant_time(bytes_of(tag, TOKEN_LEN - 4),
                                  bytes_of(token.data + 4, TOKEN_LEN - 4));
}
