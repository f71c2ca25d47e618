#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes bytes_str(const char *s)
{
    return (struct bytes){(const uint8_t *)s, s != NULL ? strlen(s) : 0};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n > 0 ? memcmp(a.data, b.data, n) : 0;

    if (c != 0)
        return c;
    return a.len < b.len ? -1 : a.len > b.len;
}

uint8_t *buffer_reserve(struct buffer *b, size_t len)
{
    size_t cap = b->cap > 0 ? b->cap : 64;
    uint8_t *data;

    if (b->failed || len > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
        b->failed = true;
        return NULL;
    }
    if (b->cap - b->len >= len && b->data != NULL)
        return b->data + b->len;
    while (cap - b->len < len)
        cap *= 2;
    data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return NULL;
    }
    b->data = data;
    b->cap = cap;
    return b->data + b->len;
}

void buffer_append(struct buffer *b, const void *data, size_t len)
{
    uint8_t *to;

    if (len == 0)
        return;
    to = buffer_reserve(b, len);
    if (to == NULL)
        return;
    memcpy(to, data, len);
    b->len += len;
}

void buffer_append_bytes(struct buffer *b, struct bytes v)
{
    buffer_append(b, v.data, v.len);
}

void buffer_append_byte(struct buffer *b, uint8_t v)
{
    buffer_append(b, &v, 1);
}

void buffer_append_be32(struct buffer *b, uint32_t v)
{
    uint8_t x[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    buffer_append(b, x, sizeof(x));
}

void buffer_append_be64(struct buffer *b, uint64_t v)
{
    buffer_append_be32(b, (uint32_t)(v >> 32));
    buffer_append_be32(b, (uint32_t)v);
}

void buffer_append_varint(struct buffer *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buffer_append_byte(b, (uint8_t)(v | 0x80));
    buffer_append_byte(b, (uint8_t)v);
}

void buffer_append_str(struct buffer *b, const char *s)
{
    buffer_append_bytes(b, bytes_str(s));
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if (buffer_reserve(b, (size_t)n + 1) != NULL) {
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

const char *buffer_cstr(struct buffer *b)
{
    uint8_t *end = buffer_reserve(b, 1);

    if (end == NULL)
        return NULL;
    *end = '\0';
    return (const char *)b->data;
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
    b->failed = false;
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer)BUFFER_INIT;
}

bool buffer_ok(const struct buffer *b, struct error *err)
{
    return !b->failed || error_set(err, ERR_MEMORY, NULL, "no memory for %zu bytes", b->len);
}

uint8_t *bytes_dup(struct bytes v)
{
    uint8_t *p = malloc(v.len > 0 ? v.len : 1);

    if (p != NULL && v.len > 0)
        memcpy(p, v.data, v.len);
    return p;
}

void hex_encode(struct bytes v, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < v.len; i++) {
        out[2 * i] = digits[v.data[i] >> 4];
        out[2 * i + 1] = digits[v.data[i] & 15];
    }
    out[2 * v.len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, uint8_t *out, size_t len)
{
    if (strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* Length of the sequence that starts with c, 0 if none does; *min: the smallest code point that may
 * be written so (RFC 3629 forbids longer forms). */
static size_t utf8_length(uint8_t c, uint32_t *point, uint32_t *min)
{
    if (c < 0x80) {
        *point = c;
        *min = 1; /* NUL is refused */
        return 1;
    }
    if ((c & 0xE0) == 0xC0) {
        *point = c & 0x1FU;
        *min = 0x80;
        return 2;
    }
    if ((c & 0xF0) == 0xE0) {
        *point = c & 0x0FU;
        *min = 0x800;
        return 3;
    }
    if ((c & 0xF8) == 0xF0) {
        *point = c & 0x07U;
        *min = 0x10000;
        return 4;
    }
    return 0;
}

bool utf8_valid(struct bytes s)
{
    for (size_t i = 0; i < s.len;) {
        uint32_t point = 0, min = 0;
        size_t n = utf8_length(s.data[i], &point, &min);

        if (n == 0 || s.len - i < n)
            return false;
        for (size_t k = 1; k < n; k++) {
            if ((s.data[i + k] & 0xC0) != 0x80)
                return false;
            point = point << 6 | (s.data[i + k] & 0x3FU);
        }
        if (point < min || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        i += n;
    }
    return true;
}
