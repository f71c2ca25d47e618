#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"us", 1},
    {"ms", 1000},
    {"s", 1000000},
    {"m", INT64_C(60000000)},
    {"h", INT64_C(3600000000)},
    {"d", INT64_C(86400000000)},
    {NULL, 0},
};
static const struct unit sizes[] = {
    {"B", 1},        {"KiB", 1 << 10},   {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1000},
    {"MB", 1000000}, {"GB", 1000000000}, {"", 1},          {NULL, 0},
};

/* "12", "1.5": at most six decimals, exact. Sets *after behind the digits. */
static bool decimal(const char *text, int64_t factor, int64_t *out, size_t digits)
{
    int64_t whole = 0, part = 0, scale = 1;
    size_t i = 0;

    for (; i < digits && text[i] != '.'; i++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, text[i] - '0', &whole))
            return false;
    }
    if (i == 0 || __builtin_mul_overflow(whole, factor, &whole))
        return false;
    if (i < digits && digits - i - 1 > 6)
        return false;
    for (i++; i < digits; i++) {
        part = part * 10 + (text[i] - '0');
        scale *= 10;
    }
    if (__builtin_mul_overflow(part, factor, &part) || part % scale != 0)
        return false;
    return !__builtin_add_overflow(whole, part / scale, out);
}

static bool with_unit(const char *text, const struct unit *units, int64_t *out)
{
    size_t digits = strspn(text, "0123456789.");
    const char *dot = memchr(text, '.', digits);

    if (digits == 0 || text[digits - 1] == '.' ||
        (dot != NULL && memchr(dot + 1, '.', digits - (size_t)(dot + 1 - text)) != NULL))
        return false;
    const char *unit = text + digits + strspn(text + digits, " ");

    for (const struct unit *u = units; u->name != NULL; u++)
        if (strcmp(u->name, unit) == 0)
            return decimal(text, u->factor, out, digits);
    return false;
}

bool value_duration(const char *text, int64_t *out)
{
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return true;
    }
    return with_unit(text, durations, out);
}

bool value_size(const char *text, int64_t *out)
{
    return with_unit(text, sizes, out);
}

bool value_int(const char *text, int64_t *out)
{
    const char *digits = text + (text[0] == '-');
    char *end;

    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;
    long long v = strtoll(text, &end, 10);

    *out = v;
    return errno == 0 && *end == '\0';
}

bool value_bool(const char *text, bool *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0;
}

int value_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    int i = 0;

    for (const char *c = choices; len > 0 && *c != '\0'; i++) {
        size_t n = strcspn(c, "|");

        if (n == len && strncmp(c, text, n) == 0)
            return i;
        c += n + (c[n] == '|');
    }
    return -1;
}

bool value_url(const char *text, struct config_url *out)
{
    bool is_tls = strncmp(text, "https://", 8) == 0;
    const char *host = text + (is_tls ? 8 : 7), *end;
    int64_t port;

    *out = (struct config_url){0};
    if (!is_tls && strncmp(text, "http://", 7) != 0)
        return false;
    bool is_bracketed = host[0] == '[';

    host += is_bracketed;
    end = strchr(host, is_bracketed ? ']' : ':');
    if (end == NULL || end == host || end - host > 253)
        return false;
    const char *colon = end + is_bracketed;

    for (const char *p = host; p < end; p++)
        if (!isalnum((unsigned char)*p) && strchr(is_bracketed ? ":.%" : "-._", *p) == NULL)
            return false;
    if (colon[0] != ':' || !value_int(colon + 1, &port) || port < 1 || port > 65535)
        return false;
    out->text = strdup(text);
    out->host = strndup(host, (size_t)(end - host));
    out->port = (int)port;
    out->is_tls = is_tls;
    return out->text != NULL && out->host != NULL;
}

void value_format_duration(int64_t us, char *out)
{
    size_t i = sizeof(durations) / sizeof(durations[0]) - 2;

    while (i > 0 && us % durations[i].factor != 0)
        i--;
    snprintf(out, 32, "%" PRId64 "%s", us / durations[i].factor, us == 0 ? "" : durations[i].name);
}

void value_format_size(int64_t bytes, char *out)
{
    size_t i = 3; /* GiB */

    while (i > 0 && bytes % sizes[i].factor != 0)
        i--;
    snprintf(out, 32, "%" PRId64 "%s", bytes / sizes[i].factor, i == 0 ? "" : sizes[i].name);
}

int value_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    int row[3][LONGEST + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *now = row[i % 3], *last = row[(i - 1) % 3], *before = row[(i + 1) % 3];

        now[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}
