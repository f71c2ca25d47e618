/* pattern.c: Knuth, Morris and Pratt's search. */
#include "pattern.h"

#include <stdlib.h>
#include <string.h>

static bool unescape(const char **text, uint8_t *out)
{
    const char *p = *text;
    char hex[3] = "", *end;

    if (*p != '\\') {
        *out = (uint8_t)*p;
        *text = p + 1;
        return true;
    }
    if (p[1] == '\\') {
        *out = '\\';
        *text = p + 2;
        return true;
    }
    if (p[1] != 'x' || !p[2] || !p[3])
        return false;
    memcpy(hex, p + 2, 2);
    *out = (uint8_t)strtoul(hex, &end, 16);
    *text = p + 4;
    return end == hex + 2;
}

bool pattern_parse(const char *text, struct pattern *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    for (const char *p = text; *p; out->len++) {
        if (out->len == PATTERN_MAX)
            return error_set(err, ERR_CONFIG, NULL, "longer than %d bytes", PATTERN_MAX);
        if (!unescape(&p, &out->text[out->len]))
            return error_set(err, ERR_CONFIG, NULL, "\\xNN or \\\\ expected: %.20s", p);
    }
    if (out->len == 0)
        return error_set(err, ERR_CONFIG, NULL, "a text is expected");
    for (size_t i = 1, k = 0; i < out->len; i++) {
        while (k > 0 && out->text[i] != out->text[k])
            k = out->back[k - 1];
        k += out->text[i] == out->text[k];
        out->back[i] = (uint8_t)k;
    }
    return true;
}

bool pattern_feed(const struct pattern *p, size_t *at, struct bytes piece, size_t *end)
{
    for (size_t i = 0; i < piece.len; i++) {
        while (*at > 0 && piece.data[i] != p->text[*at])
            *at = p->back[*at - 1];
        *at += piece.data[i] == p->text[*at];
        if (*at == p->len) {
            *at = 0;
            *end = i + 1;
            return true;
        }
    }
    return false;
}
