/* scan.h: reads the fields of protobuf bytes in place, for the messages whose bytes must not be
 * copied level by level (trees), or must be kept as received. Threads: free of state. */
#ifndef WIRE_SCAN_H
#define WIRE_SCAN_H
#include "base/buffer.h"

enum scan_wire { SCAN_VARINT = 0, SCAN_FIXED64 = 1, SCAN_BYTES = 2, SCAN_FIXED32 = 5 };

struct scan {
    const uint8_t *at, *end;
    bool failed;
};

struct scan_field {
    uint32_t number;
    enum scan_wire wire;
    uint64_t value;     /* not for SCAN_BYTES */
    struct bytes bytes; /* SCAN_BYTES: borrowed from the input */
};

static inline struct scan scan_of(struct bytes in)
{
    return (struct scan){in.data, in.data ? in.data + in.len : NULL, false};
}
/* True with the next field; false at the end, or, with s->failed, where the bytes are no protobuf
 * (or hold a group). */
bool scan_next(struct scan *s, struct scan_field *f);
/* The next varint; false when there is none. */
bool scan_varint(struct scan *s, uint64_t *v);

/* What writers need: a field's tag with its length, then the bytes. Omits nothing. */
void put_bytes(struct buffer *out, uint32_t number, struct bytes v);
void put_str(struct buffer *out, uint32_t number, const char *s); /* omits "" */
void put_varint(struct buffer *out, uint32_t number, uint64_t v); /* omits 0 */
#endif
