/* scan.c: protobuf's wire format, without any schema. */
#include "wire/scan.h"

#include <string.h>

bool scan_varint(struct scan *s, uint64_t *v)
{
    uint64_t out = 0;

    for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        uint8_t b = *s->at++;

        out |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *v = out;
            return true;
        }
    }
    s->failed = true;
    return false;
}

static bool scan_fixed(struct scan *s, size_t n, uint64_t *v)
{
    *v = 0;
    if ((size_t)(s->end - s->at) < n) {
        s->failed = true;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        *v |= (uint64_t)s->at[i] << (8 * i);
    s->at += n;
    return true;
}

bool scan_next(struct scan *s, struct scan_field *f)
{
    uint64_t tag, len;

    if (s->failed || s->at == s->end)
        return false;
    if (!scan_varint(s, &tag))
        return false;
    f->number = (uint32_t)(tag >> 3);
    f->value = 0;
    f->bytes = (struct bytes){NULL, 0};
    if (tag > UINT32_MAX || f->number == 0) {
        s->failed = true;
        return false;
    }
    switch (tag & 7) {
    case 0:
        f->wire = SCAN_VARINT;
        return scan_varint(s, &f->value);
    case 1:
        f->wire = SCAN_FIXED64;
        return scan_fixed(s, 8, &f->value);
    case 2:
        f->wire = SCAN_BYTES;
        if (!scan_varint(s, &len))
            return false;
        if (len > (uint64_t)(s->end - s->at)) {
            s->failed = true;
            return false;
        }
        f->bytes = bytes_of(s->at, (size_t)len);
        s->at += len;
        return true;
    case 5:
        f->wire = SCAN_FIXED32;
        return scan_fixed(s, 4, &f->value);
    default: /* groups, and what does not exist */
        s->failed = true;
        return false;
    }
}

void put_bytes(struct buffer *out, uint32_t number, struct bytes v)
{
    buffer_append_varint(out, ((uint64_t)number << 3) | SCAN_BYTES);
    buffer_append_varint(out, v.len);
    buffer_append_bytes(out, v);
}

void put_str(struct buffer *out, uint32_t number, const char *s)
{
    if (*s)
        put_bytes(out, number, bytes_str(s));
}

void put_varint(struct buffer *out, uint32_t number, uint64_t v)
{
    if (v == 0)
        return;
    buffer_append_varint(out, ((uint64_t)number << 3) | SCAN_VARINT);
    buffer_append_varint(out, v);
}
