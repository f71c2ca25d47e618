/* pattern.h: finds a text in a stream that comes in pieces. Pure. */
#ifndef T_PROXY_PATTERN_H
#define T_PROXY_PATTERN_H
#include "base/buffer.h"

#define PATTERN_MAX 64

struct pattern {
    uint8_t text[PATTERN_MAX];
    uint8_t back[PATTERN_MAX]; /* where to go on after a mismatch behind so many bytes */
    size_t len;
};

/* text: its bytes; \xNN is a byte, \\ a backslash. Fails: ERR_CONFIG (empty, too long, a wrong
 * escape). */
MUST_CHECK bool pattern_parse(const char *text, struct pattern *out, struct error *err);

/* Looks through the next piece. *at: bytes of the text that the stream ended with so far, 0 at its
 * start. True when the text ends in this piece: *end is the index behind its last byte, and *at is
 * 0 again; what follows in the piece is to be fed once more. */
bool pattern_feed(const struct pattern *p, size_t *at, struct bytes piece, size_t *end);
#endif
