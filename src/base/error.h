/* error.h: errors as values. What can fail takes `struct error *err` last and returns bool (true is
 * done), or a count; on false err is filled: code, cause, advice. A caller that adds context calls
 * error_add. No allocation, so that reporting "no memory" needs none.
 * Threads: a struct error belongs to one call. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
#include <stdarg.h>
#include <stdbool.h>

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum error_code {
#define X(code, id, text) code,
#include "base/errors.def"
#undef X
    ERR_N
};

struct error {
    enum error_code code;
    char cause[384];  /* what happened, with values; never a secret */
    char advice[192]; /* what to do, or "" */
};

/* Fills *err and returns false, so that a failing function can end with it. advice may be NULL.
 * err may be NULL: then the failure is only the return value. */
bool error_set(struct error *err, enum error_code code, const char *advice, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Puts "what: " in front of the cause; returns false. */
bool error_add(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The stable id, "LS-FENCED"; and what the code means. Never NULL. */
const char *error_id(enum error_code code);
const char *error_text(enum error_code code);

/* "cause; advice [LS-ID]", cut to size. */
void error_format(const struct error *err, char *out, int size);
#endif
