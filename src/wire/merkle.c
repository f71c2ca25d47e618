/* merkle.c: hashes of tree nodes, salts, positions. */
#include "wire/merkle.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/seal.h"
#include "wire/own.h"
#include "wire/scan.h"

bool merkle_leaf(enum hash_purpose purpose, const uint8_t salt[SALT_LEN], struct bytes wrapped,
                 struct hash *out, struct error *err)
{
    struct hash_builder h;

    hash_start(&h, purpose);
    hash_bytes(&h, bytes_of(salt, SALT_LEN));
    hash_bytes(&h, wrapped);
    return hash_finish(&h, out, err);
}

bool merkle_inner(const struct hash *children, size_t n, struct hash *out, struct error *err)
{
    struct hash_builder h;

    hash_start(&h, HASH_MERKLE_INNER_NODE);
    hash_i32(&h, (int32_t)n);
    for (size_t i = 0; i < n; i++)
        hash_raw(&h, hash_as_bytes(&children[i]));
    return hash_finish(&h, out, err);
}

bool merkle_salt(const uint8_t seed[SEED_LEN], uint32_t index, uint8_t out[SALT_LEN],
                 struct error *err)
{
    const uint8_t message[4] = {(uint8_t)(index >> 24), (uint8_t)(index >> 16),
                                (uint8_t)(index >> 8), (uint8_t)index};

    return hmac_sha256(bytes_of(seed, SEED_LEN), bytes_of(message, 4), out, err);
}

static void patch_be32(struct buffer *b, size_t at, uint32_t v)
{
    if (b->failed)
        return;
    for (unsigned i = 0; i < 4; i++)
        b->data[at + i] = (uint8_t)(v >> (24 - 8 * i));
}

/* MerkleSeqIndex: packed or not. Appends i4(m) and m bytes. */
static bool index_parse(struct bytes in, struct buffer *key, struct error *err)
{
    struct scan s = scan_of(in), packed;
    struct scan_field f;
    size_t at = key->len;
    uint32_t m = 0;
    uint64_t v;

    buffer_append_be32(key, 0);
    while (scan_next(&s, &f)) {
        if (f.number != 1)
            continue;
        if (f.wire == SCAN_VARINT) {
            buffer_append_byte(key, f.value != 0);
            m++;
        } else if (f.wire == SCAN_BYTES) {
            packed = scan_of(f.bytes);
            while (packed.at < packed.end && scan_varint(&packed, &v)) {
                buffer_append_byte(key, v != 0);
                m++;
            }
            s.failed = s.failed || packed.failed;
        } else {
            s.failed = true;
        }
    }
    if (s.failed)
        return error_set(err, ERR_MALFORMED, NULL, "a view position does not parse");
    patch_be32(key, at, m);
    return true;
}

bool view_position_parse(struct bytes in, struct view_position *out, struct error *err)
{
    struct buffer key = BUFFER_INIT;
    struct scan s = scan_of(in);
    struct scan_field f;
    uint32_t n = 0;

    *out = (struct view_position){0};
    buffer_append_be32(&key, 0);
    while (scan_next(&s, &f)) {
        if (f.number != 1)
            continue;
        if (f.wire != SCAN_BYTES) {
            s.failed = true;
            break;
        }
        if (!index_parse(f.bytes, &key, err)) {
            buffer_free(&key);
            return false;
        }
        n++;
    }
    patch_be32(&key, 0, n);
    if (s.failed)
        error_set(err, ERR_MALFORMED, NULL, "a view position does not parse");
    if (s.failed || !buffer_ok(&key, err)) {
        buffer_free(&key);
        return false;
    }
    *out = (struct view_position){key.data, key.len}; /* the buffer's memory changes hands */
    return true;
}

static uint32_t read_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool view_position_build(const struct view_position *p, struct buffer *out, struct error *err)
{
    struct buffer index = BUFFER_INIT;
    bool ok;

    for (size_t at = 4; at < p->len;) {
        uint32_t m = read_be32(p->key + at);

        buffer_clear(&index);
        if (m > 0)
            put_bytes(&index, 1, bytes_of(p->key + at + 4, m)); /* packed: bytes are 0 or 1 */
        put_bytes(out, 1, buffer_bytes(&index));
        at += 4 + m;
    }
    ok = buffer_ok(&index, err) && buffer_ok(out, err);
    buffer_free(&index);
    return ok;
}

bool view_position_equal(const struct view_position *a, const struct view_position *b)
{
    return bytes_equal(bytes_of(a->key, a->len), bytes_of(b->key, b->len));
}

bool view_position_copy(struct view_position *to, const struct view_position *from,
                        struct error *err)
{
    to->len = from->len;
    to->key = bytes_dup(bytes_of(from->key, from->len));
    if (to->key)
        return true;
    to->len = 0;
    return error_set(err, ERR_MEMORY, NULL, "no memory for a view position");
}

void view_position_text(const struct view_position *p, struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (size_t at = 4; at < p->len;) {
        uint32_t m = read_be32(p->key + at);

        buffer_append_str(out, at > 4 ? ",[" : "[");
        for (uint32_t i = 0; i < m; i++)
            buffer_printf(out, "%s%c", i > 0 ? "," : "", p->key[at + 4 + i] ? 'R' : 'L');
        buffer_append_byte(out, ']');
        at += 4 + m;
    }
    buffer_append_byte(out, ']');
}

void view_position_free(struct view_position *p)
{
    if (!p)
        return;
    free(p->key);
    *p = (struct view_position){0};
}
