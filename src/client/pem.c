/* pem.c: see the header. Lines: "-----BEGIN X-----", base64, "-----END X-----". */
#include "client/pem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ", dashes[] = "-----";

bool pem_read_file(const char *path, struct buffer *out, struct error *err)
{
    FILE *f = fopen(path, "re");
    char chunk[4096];
    size_t n;

    if (!f)
        return error_set(err, ERR_IO, NULL, "%.200s: %s", path, strerror(errno));
    while (out->len <= PEM_SIZE_MAX && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buffer_append(out, chunk, n);
    bool is_bad = ferror(f);
    fclose(f);
    explicit_bzero(chunk, sizeof(chunk));
    if (is_bad)
        return error_set(err, ERR_IO, NULL, "%.200s cannot be read", path);
    if (out->len > PEM_SIZE_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%.200s is larger than 1 MiB", path);
    return buffer_ok(out, err);
}

/* The next line without its end; false at the end of the text. */
static bool next_line(struct bytes text, size_t *at, struct bytes *line)
{
    if (*at >= text.len)
        return false;
    const uint8_t *start = text.data + *at, *nl = memchr(start, '\n', text.len - *at);
    size_t len = nl ? (size_t)(nl - start) : text.len - *at;

    *at += len + (nl ? 1 : 0);
    while (len && (start[len - 1] == '\r' || start[len - 1] == ' '))
        len--;
    *line = bytes_of(start, len);
    return true;
}

static bool starts(struct bytes line, const char *with)
{
    return line.len >= strlen(with) && !memcmp(line.data, with, strlen(with));
}

static int base64_value(uint8_t c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(digits, c) : NULL;

    return p ? (int)(p - digits) : -1;
}

/* Base64 over several lines. */
struct decoder {
    uint32_t bits;
    int n_bits;
    bool is_padded;
};

static bool decode_line(struct decoder *d, struct bytes line, struct buffer *out)
{
    for (size_t i = 0; i < line.len; i++) {
        int v = base64_value(line.data[i]);
        if (line.data[i] == '=') {
            d->is_padded = true;
            continue;
        }
        if (v < 0 || d->is_padded)
            return false;
        d->bits = d->bits << 6 | (uint32_t)v;
        d->n_bits += 6;
        if (d->n_bits >= 8) {
            d->n_bits -= 8;
            buffer_append_byte(out, (uint8_t)(d->bits >> d->n_bits & 0xff));
        }
    }
    return true;
}

static bool copy_text(struct bytes from, char *out, size_t size)
{
    if (from.len >= size)
        return false;
    memcpy(out, from.data, from.len);
    out[from.len] = '\0';
    return true;
}

/* "-----BEGIN LABEL-----" */
static bool read_label(struct bytes line, char *out, size_t size)
{
    size_t skip = strlen(begin_mark), tail = strlen(dashes);

    if (line.len <= skip + tail || memcmp(line.data + line.len - tail, dashes, tail))
        return false;
    return copy_text(bytes_of(line.data + skip, line.len - skip - tail), out, size);
}

bool pem_next(struct bytes text, size_t *at, struct pem_block *out, bool *found, struct error *err)
{
    struct decoder d = {0};
    struct bytes line;

    memset(out, 0, sizeof(*out));
    *found = false;
    for (;;) {
        if (!next_line(text, at, &line))
            return true;
        if (starts(line, "usage: ") &&
            !copy_text(bytes_of(line.data + 7, line.len - 7), out->usage, sizeof(out->usage)))
            return error_set(err, ERR_MALFORMED, NULL, "a usage line is too long");
        if (starts(line, begin_mark))
            break;
    }
    if (!read_label(line, out->label, sizeof(out->label)))
        return error_set(err, ERR_MALFORMED, NULL, "a BEGIN line is malformed");
    while (next_line(text, at, &line)) {
        if (starts(line, end_mark)) {
            *found = true;
            return buffer_ok(&out->data, err);
        }
        if (!decode_line(&d, line, &out->data))
            return error_set(err, ERR_MALFORMED, NULL, "the block %s is not base64", out->label);
    }
    return error_set(err, ERR_MALFORMED, NULL, "the block %s does not end", out->label);
}
