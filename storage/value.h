/* value.h: what goes into a statement and comes out of it.
 * Text is UTF-8 without NUL. Empty text and empty bytes are stored as NULL on every engine, because
 * Oracle has no others: a column that may be empty is nullable, what was empty is read as NULL, and
 * NULL reads as empty ({NULL, 0}). A column that is NOT NULL refuses them alike everywhere. */
#ifndef STORAGE_VALUE_H
#define STORAGE_VALUE_H
#include "base/buffer.h"

#define VALUE_BYTES_MAX ((size_t)64 << 20) /* longer: ERR_LIMIT; the tests go to 10 MiB */

enum value_kind { VALUE_NULL, VALUE_I64, VALUE_TEXT, VALUE_BYTES };

/* Borrows what it points to: for the length of the call when bound, of the callback when read. */
struct value {
    enum value_kind kind;
    int64_t i64;
    struct bytes bytes; /* text and bytes; {NULL, 0} for NULL, so that NULL reads as empty.
                           Text that was read has a NUL behind its last byte. */
};

static inline struct value value_null(void)
{
    return (struct value){VALUE_NULL, 0, {NULL, 0}};
}
static inline struct value value_i64(int64_t v)
{
    return (struct value){VALUE_I64, v, {NULL, 0}};
}
static inline struct value value_text(const char *s) /* NULL and "" become NULL */
{
    return s && *s ? (struct value){VALUE_TEXT, 0, bytes_str(s)} : value_null();
}
static inline struct value value_bytes(struct bytes v) /* v.data NULL becomes NULL */
{
    return v.data ? (struct value){VALUE_BYTES, 0, v} : value_null();
}
/* What was read, as a C string: "" for NULL. Only for a value of kind VALUE_TEXT or VALUE_NULL that
 * a row callback was given. */
static inline const char *value_cstr(const struct value *v)
{
    return v->bytes.data ? (const char *)v->bytes.data : "";
}
#endif
