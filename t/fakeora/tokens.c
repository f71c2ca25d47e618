/* tokens.c: SQL text as words and signs. What stands in literals and comments is never looked at.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t/fakeora/fakeora.h"

/* Behind a literal that begins at p, a doubled quote belongs to it; NULL: it does not end. */
static const char *skip_quoted(const char *p)
{
    const char quote = *p++;

    for (;; p++) {
        if (!*p)
            return NULL;
        if (*p != quote)
            continue;
        if (p[1] != quote)
            return p + 1;
        p++;
    }
}

/* Behind white space and comments; NULL: a comment does not end. */
static const char *skip_gap(const char *p)
{
    for (;;) {
        if (isspace((unsigned char)*p)) {
            p++;
        } else if (p[0] == '-' && p[1] == '-') {
            while (*p && *p != '\n')
                p++;
        } else if (p[0] == '/' && p[1] == '*') {
            p = strstr(p + 2, "*/");
            if (!p)
                return NULL;
            p += 2;
        } else {
            return p;
        }
    }
}

static bool is_word(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_' || ch == '$' || ch == '#';
}

static const char *skip_sign(const char *p)
{
    static const char *const pairs[] = {"::", "||", "<=", ">=", "<>", "!=", ":="};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (strncmp(p, pairs[i], 2) == 0)
            return p + 2;
    return p + 1;
}

static const char *token_end(const char *p, enum token_kind *kind)
{
    const char *end = p;

    if (*p == '\'' || *p == '"') {
        *kind = *p == '"' ? TOKEN_QUOTED : TOKEN_STRING;
        return skip_quoted(p);
    }
    if (*p == '?') {
        *kind = TOKEN_PARAM;
        return p + 1;
    }
    *kind = isdigit((unsigned char)*p) ? TOKEN_NUMBER : TOKEN_WORD;
    while (is_word(*end) || (*kind == TOKEN_NUMBER && *end == '.'))
        end++;
    if (end > p)
        return end;
    *kind = TOKEN_SIGN;
    return skip_sign(p);
}

bool tokens_read(const char *text, struct tokens *out)
{
    size_t cap = 64, depth = 0;
    const char *last = NULL;

    *out = (struct tokens){malloc(cap * sizeof(*out->v)), 0};
    for (const char *p = skip_gap(text); out->v && p; p = skip_gap(p)) {
        struct token t = {.at = p, .is_glued = p == last};
        if (!*p)
            return true;
        const char *end = token_end(p, &t.kind);
        if (!end)
            break;
        t.len = (size_t)(end - p);
        if (*p == ')' && depth > 0)
            depth--;
        t.depth = depth;
        if (*p == '(')
            depth++;
        if (out->n == cap) {
            struct token *more = realloc(out->v, 2 * cap * sizeof(*more));
            if (!more)
                break;
            out->v = more;
            cap *= 2;
        }
        out->v[out->n++] = t;
        last = p = end;
    }
    free(out->v);
    *out = (struct tokens){NULL, 0};
    return false;
}

bool token_is(const struct tokens *t, size_t i, const char *word)
{
    return i < t->n && (t->v[i].kind == TOKEN_WORD || t->v[i].kind == TOKEN_SIGN) &&
           strlen(word) == t->v[i].len && strncasecmp(t->v[i].at, word, t->v[i].len) == 0;
}

bool token_in(const struct tokens *t, size_t i, const char *const *words)
{
    for (; *words; words++)
        if (token_is(t, i, *words))
            return true;
    return false;
}

size_t token_close(const struct tokens *t, size_t i)
{
    for (size_t k = i + 1; k < t->n; k++)
        if (t->v[k].depth == t->v[i].depth && token_is(t, k, ")"))
            return k;
    return t->n;
}
