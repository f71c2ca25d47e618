#include "base/error.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *id, *text;
} errors[ERR_N] = {
#define X(code, id, text) [code] = {id, text},
#include "base/errors.def"
#undef X
};

bool error_set(struct error *err, enum error_code code, const char *advice, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return false;
    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->cause, sizeof(err->cause), fmt, ap);
    va_end(ap);
    snprintf(err->advice, sizeof(err->advice), "%s", advice != NULL ? advice : "");
    return false;
}

bool error_add(struct error *err, const char *fmt, ...)
{
    char old[sizeof(err->cause)];
    va_list ap;
    int n;

    if (err == NULL)
        return false;
    memcpy(old, err->cause, sizeof(old));
    va_start(ap, fmt);
    n = vsnprintf(err->cause, sizeof(err->cause), fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n, room = sizeof(err->cause) - 1;

    if (len + 2 < room) {
        memcpy(err->cause + len, ": ", 3);
        strncpy(err->cause + len + 2, old, room - len - 2);
        err->cause[room] = '\0';
    }
    return false;
}

const char *error_id(enum error_code code)
{
    return (unsigned)code < ERR_N ? errors[code].id : "LS-INTERNAL";
}

const char *error_text(enum error_code code)
{
    return (unsigned)code < ERR_N ? errors[code].text : "unknown";
}

void error_format(const struct error *err, char *out, int size)
{
    snprintf(out, (size_t)size, "%s%s%s [%s]", err->cause, err->advice[0] != '\0' ? "; " : "",
             err->advice, error_id(err->code));
}
