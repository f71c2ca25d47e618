/* buffer.h: bytes. struct bytes borrows, struct buffer owns.
 * A buffer that ran out of memory stays usable: `failed` is set, further appends do nothing, and
 * the one check at the end is buffer_ok. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Borrowed; data may be NULL when len is 0. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

/* Owned. Zero-initialise (BUFFER_INIT), release with buffer_free. */
struct buffer {
    uint8_t *data;
    size_t len, cap;
    bool failed;
};
#define BUFFER_INIT                                                                                \
    {                                                                                              \
        0                                                                                          \
    }

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){data, len};
}
static inline struct bytes buffer_bytes(const struct buffer *b)
{
    return (struct bytes){b->data, b->len};
}
struct bytes bytes_str(const char *s); /* without the NUL */
bool bytes_equal(struct bytes a, struct bytes b);
int bytes_compare(struct bytes a, struct bytes b); /* as memcmp, the shorter first */

void buffer_append(struct buffer *b, const void *data, size_t len);
void buffer_append_bytes(struct buffer *b, struct bytes v);
void buffer_append_byte(struct buffer *b, uint8_t v);
void buffer_append_be32(struct buffer *b, uint32_t v);
void buffer_append_be64(struct buffer *b, uint64_t v);
void buffer_append_varint(struct buffer *b, uint64_t v); /* protobuf varint */
void buffer_append_str(struct buffer *b, const char *s);
void buffer_printf(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Makes room for len more bytes and returns where they go, or NULL. Does not move b->len. */
uint8_t *buffer_reserve(struct buffer *b, size_t len);
/* The content as a C string, owned by the buffer; "" when empty, NULL when out of memory. */
const char *buffer_cstr(struct buffer *b);
void buffer_clear(struct buffer *b); /* keeps the memory */
void buffer_free(struct buffer *b);  /* and makes it BUFFER_INIT again */
MUST_CHECK bool buffer_ok(const struct buffer *b, struct error *err); /* Fails: ERR_MEMORY */
/* A malloc'ed copy of v; NULL when out of memory. The caller frees it. */
uint8_t *bytes_dup(struct bytes v);

/* Lower-case hex. out holds 2 * len + 1. */
void hex_encode(struct bytes v, char *out);
/* True when text is exactly 2 * len hex digits. */
MUST_CHECK bool hex_decode(const char *text, uint8_t *out, size_t len);
/* True when s is well-formed UTF-8 without NUL (RFC 3629). */
bool utf8_valid(struct bytes s);
#endif
