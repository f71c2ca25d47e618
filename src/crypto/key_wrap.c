#include "crypto/key_wrap.h"

#include <string.h>

#define WRAPPED_V1   0x01
#define HEADER_LEN   (1 + KEY_WRAP_ID_LEN)
#define KEYS_MAX     (sizeof(((struct key_wrap *)0)->at) / sizeof(((struct key_wrap *)0)->at[0]))
#define ID_HEX_SIZE  (2 * KEY_WRAP_ID_LEN + 1)
#define SAY_HOW      "write keys.encryption-key, or keys.plaintext: true"
#define GIVE_THE_KEY "give that key as keys.encryption-key or keys.previous-encryption-key"

bool key_wrap_add(struct key_wrap *w, const char *text, struct error *err)
{
    uint8_t mac[HMAC_LEN];

    if (w->n == KEYS_MAX)
        return error_set(err, ERR_LIMIT, NULL, "more than %zu wrapping keys", KEYS_MAX);
    if (!hex_decode(text, w->at[w->n].key, SEAL_KEY_256_LEN))
        return error_set(err, ERR_CONFIG, "make one with: openssl rand -hex 32",
                         "not an encryption key: 64 hex digits");
    if (!hmac_sha256(bytes_of(w->at[w->n].key, SEAL_KEY_256_LEN), bytes_str("lockstep key id"), mac,
                     err))
        return false;
    memcpy(w->at[w->n].id, mac, KEY_WRAP_ID_LEN);
    w->n++;
    return true;
}

void key_wrap_wipe(struct key_wrap *w)
{
    explicit_bzero(w, sizeof(*w));
}

bool key_wrap_seal(const struct key_wrap *w, const char *fingerprint, struct bytes pkcs8,
                   struct buffer *out, struct error *err)
{
    if (w->is_plaintext) {
        buffer_append(out, pkcs8.data, pkcs8.len);
        return buffer_ok(out, err);
    }
    if (w->n == 0)
        return error_set(err, ERR_CONFIG, SAY_HOW,
                         "the configuration does not say how private keys are kept");
    buffer_append_byte(out, WRAPPED_V1);
    buffer_append(out, w->at[0].id, KEY_WRAP_ID_LEN);
    return buffer_ok(out, err) &&
           seal_encrypt_256(w->at[0].key, bytes_str(fingerprint), pkcs8, out, err);
}

static bool open_plain(const struct key_wrap *w, struct bytes stored, struct buffer *out,
                       bool *is_current, struct error *err)
{
    if (!w->is_plaintext && w->n == 0)
        return error_set(err, ERR_CONFIG, SAY_HOW " to leave them so",
                         "the private keys in the database are not encrypted, and the "
                         "configuration does not allow that");
    *is_current = w->is_plaintext;
    buffer_append(out, stored.data, stored.len);
    return buffer_ok(out, err);
}

bool key_wrap_open(const struct key_wrap *w, const char *fingerprint, struct bytes stored,
                   struct buffer *out, bool *is_current, struct error *err)
{
    char id[ID_HEX_SIZE];

    if (stored.len > 0 && stored.data[0] != WRAPPED_V1)
        return open_plain(w, stored, out, is_current, err);
    if (stored.len < HEADER_LEN)
        return error_set(err, ERR_MALFORMED, NULL, "%zu bytes are no wrapped key", stored.len);
    for (size_t i = 0; i < w->n; i++) {
        if (memcmp(w->at[i].id, stored.data + 1, KEY_WRAP_ID_LEN) != 0)
            continue;
        *is_current = i == 0 && !w->is_plaintext;
        return seal_decrypt_256(w->at[i].key, bytes_str(fingerprint),
                                bytes_of(stored.data + HEADER_LEN, stored.len - HEADER_LEN), out,
                                err);
    }
    hex_encode(bytes_of(stored.data + 1, KEY_WRAP_ID_LEN), id);
    return error_set(err, ERR_CONFIG, GIVE_THE_KEY,
                     "the private keys in the database are encrypted under another key, its id is "
                     "%s",
                     id);
}
