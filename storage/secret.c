/* secret.c: a password from the configuration, or from its file at each connection. */
#include "storage/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "storage/dialect.h"

#define PASSWORD_MAX 4096
#define BLANK_MIN    3 /* shorter words would blank half of a message */

static void text_free(char **s)
{
    if (*s)
        explicit_bzero(*s, strlen(*s));
    free(*s);
    *s = NULL;
}

static bool text_copy(const char *from, char **to)
{
    *to = from && *from ? strdup(from) : NULL;
    return *to || !from || !*from;
}

bool secret_init(struct secret *s, const struct db_config *cfg, struct error *err)
{
    memset(s, 0, sizeof(*s));
    return (text_copy(cfg->password, &s->password) && text_copy(cfg->password_file, &s->file) &&
            text_copy(cfg->options, &s->options)) ||
           error_set(err, ERR_MEMORY, NULL, "no memory for a password");
}

void secret_free(struct secret *s)
{
    text_free(&s->password);
    text_free(&s->file);
    text_free(&s->options);
}

bool secret_has_password(const struct secret *s)
{
    return s->password || s->file;
}

void secret_buffer_free(struct buffer *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buffer_free(b);
}

static bool read_failed(const struct secret *s, const char *what, struct error *err)
{
    return error_set(err, ERR_CONFIG, "make it a text of one line that this account can read",
                     "storage.password-file %s: %s", s->file, what);
}

/* The first line of the file. Unbuffered, so that no copy of it stays behind. */
static bool read_file(const struct secret *s, char *out, struct error *err)
{
    FILE *f = fopen(s->file, "re");
    size_t n;

    if (!f)
        return read_failed(s, strerror(errno), err);
    setvbuf(f, NULL, _IONBF, 0);
    n = fread(out, 1, PASSWORD_MAX, f);
    const bool has_failed = ferror(f) != 0;
    const int why = errno;
    fclose(f);
    if (has_failed)
        return read_failed(s, strerror(why), err);
    if (n == PASSWORD_MAX)
        return read_failed(s, "longer than 4095 bytes", err);
    if (n > 0 && out[n - 1] == '\n')
        n--;
    if (n > 0 && out[n - 1] == '\r')
        n--;
    out[n] = '\0';
    if (strlen(out) != n || strchr(out, '\n'))
        return read_failed(s, "more than one line, or a NUL", err);
    return n > 0 || read_failed(s, "empty", err);
}

bool secret_append(const struct secret *s, size_t more, struct buffer *out, struct error *err)
{
    char text[PASSWORD_MAX];
    bool ok = true;

    text[0] = '\0';
    if (s->file)
        ok = read_file(s, text, err);
    else if (s->password && strlen(s->password) < sizeof(text))
        memcpy(text, s->password, strlen(s->password) + 1);
    else if (s->password)
        ok = error_set(err, ERR_CONFIG, NULL, "storage.password: longer than 4095 bytes");
    if (ok && !buffer_reserve(out, 2 * strlen(text) + 16 + more))
        ok = error_set(err, ERR_MEMORY, NULL, "no memory for a connection string");
    const size_t n = strlen(text);
    if (ok && n > 0 && s->is_bare && !strpbrk(text, ";{}") && text[0] != ' ' && text[n - 1] != ' ')
        buffer_printf(out, ";PWD=%s", text);
    else if (ok)
        keyword_append(out, "PWD", text);
    explicit_bzero(text, sizeof(text));
    return ok;
}

/* ---- messages ---- */

static void blank(char *text, const char *word, size_t n)
{
    static const char stars[] = "***";
    const size_t put = sizeof(stars) - 1;

    if (n < BLANK_MIN)
        return;
    for (char *at = text; (at = memmem(at, strlen(at), word, n)) != NULL; at += put) {
        memcpy(at, stars, put);
        memmove(at + put, at + n, strlen(at + n) + 1);
    }
}

/* PWD, sslpassword, wallet secrets ... */
static bool is_secret_key(const char *key, size_t n)
{
    static const char *const parts[] = {"pwd", "pass", "secret", "token"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (size_t at = 0; at + strlen(parts[i]) <= n; at++)
            if (strncasecmp(key + at, parts[i], strlen(parts[i])) == 0)
                return true;
    return false;
}

/* The values of secret keys in "A=b;C={d e=f g='h'}", and each word of them. */
static void blank_values(const char *list, char *text)
{
    static const char stops[] = "=; {}'\"";

    for (const char *p = list; p && *p;) {
        const size_t key = strcspn(p, stops);
        const char *value = p + key;
        if (*value != '=' || !is_secret_key(p, key)) {
            p = value + (*value != '\0');
            continue;
        }
        value++;
        size_t n = strcspn(value, ";");
        blank(text, value, n);
        for (const char *w = value, *end = value + n; w < end;) {
            w += strspn(w, stops);
            if (w >= end)
                break;
            const size_t len = strcspn(w, stops);
            blank(text, w, len);
            w += len;
        }
        p = value + n;
    }
}

void secret_blank(const struct secret *s, const char *connected, char *text)
{
    if (s->password)
        blank(text, s->password, strlen(s->password));
    blank_values(connected, text);
    blank_values(s->options, text);
}
