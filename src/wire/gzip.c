/* gzip.c: reading with a limit, writing without a compressor. */
#include "wire/gzip.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#define CHUNK 65536u

bool gzip_read(struct bytes in, size_t limit, struct buffer *out, struct error *err)
{
    const size_t before = out->len;
    z_stream z = {0};
    int rc = Z_OK;
    bool ok = false;

    if (in.len > UINT_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu compressed bytes", in.len);
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return error_set(err, ERR_MEMORY, NULL, "no memory to decompress");
    z.next_in = (Bytef *)(uintptr_t)in.data; /* zlib only reads it */
    z.avail_in = (uInt)in.len;
    while (rc == Z_OK) {
        uint8_t *at = buffer_reserve(out, CHUNK);

        if (!at)
            break;
        z.next_out = at;
        z.avail_out = CHUNK;
        rc = inflate(&z, Z_NO_FLUSH);
        out->len += CHUNK - z.avail_out;
        if (out->len - before > limit)
            break;
    }
    if (out->failed || rc == Z_MEM_ERROR)
        error_set(err, ERR_MEMORY, NULL, "no memory to decompress");
    else if (out->len - before > limit)
        error_set(err, ERR_LIMIT, NULL, "decompresses to more than %zu bytes", limit);
    else if (rc != Z_STREAM_END)
        error_set(err, ERR_MALFORMED, NULL, "no gzip, or corrupt, or cut short");
    else
        ok = true;
    if (!ok)
        out->len = before;
    inflateEnd(&z);
    return ok;
}

bool gzip_write(struct bytes in, struct buffer *out, struct error *err)
{
    static const uint8_t header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
    static const uint8_t nothing[] = {3, 0};
    uLong crc = crc32(0, NULL, 0);
    uint8_t tail[8];

    buffer_append(out, header, sizeof(header));
    if (in.len == 0)
        buffer_append(out, nothing, sizeof(nothing));
    for (size_t at = 0; at < in.len;) {
        size_t n = in.len - at < 65535 ? in.len - at : 65535;
        uint8_t block[] = {at + n == in.len, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n,
                           (uint8_t)(~n >> 8)};

        buffer_append(out, block, sizeof(block));
        buffer_append(out, in.data + at, n);
        crc = crc32(crc, in.data + at, (uInt)n);
        at += n;
    }
    for (unsigned i = 0; i < 4; i++) {
        tail[i] = (uint8_t)(crc >> (8 * i));
        tail[4 + i] = (uint8_t)(in.len >> (8 * i));
    }
    buffer_append(out, tail, sizeof(tail));
    return buffer_ok(out, err);
}
