/* vectors.h: reading the JSON vectors in tests. */
#ifndef UNIT_VECTORS_H
#define UNIT_VECTORS_H
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

/* t/vectors/NAME of the source tree; NULL after a message when it cannot be read. */
static inline json_t *vectors_load(const char *folder, const char *name)
{
    struct buffer path = BUFFER_INIT;
    json_error_t e;
    json_t *j;

    buffer_printf(&path, "%s/%s", folder, name);
    j = json_load_file(buffer_cstr(&path), 0, &e);
    if (j == NULL)
        fprintf(stderr, "%s: %s\n", buffer_cstr(&path), e.text);
    buffer_free(&path);
    return j;
}

static inline json_t *vectors_own(const char *name)
{
    const char *src = getenv("srcdir");
    struct buffer folder = BUFFER_INIT;
    json_t *j;

    buffer_printf(&folder, "%s/t/vectors", src != NULL ? src : ".");
    j = vectors_load(buffer_cstr(&folder), name);
    buffer_free(&folder);
    return j;
}

/* The vectors that are read in place: *skipped is set, with a message, when this machine has none.
 */
static inline json_t *vectors_outside(const char *name, bool *skipped)
{
    const char *folder = getenv("LOCKSTEP_VECTORS");

    *skipped = folder == NULL || folder[0] == '\0';
    if (*skipped) {
        fprintf(stderr, "LOCKSTEP_VECTORS is not set: vectors of %s not checked\n", name);
        return NULL;
    }
    return vectors_load(folder, name);
}

/* The bytes of a hex member, malloc'ed. */
static inline struct buffer vectors_hex(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    struct buffer b = BUFFER_INIT;
    size_t len = text != NULL ? strlen(text) / 2 : 0;
    uint8_t *p = buffer_reserve(&b, len + 1);

    if (p == NULL || text == NULL || !hex_decode(text, p, len))
        abort();
    b.len = len;
    return b;
}

static inline const char *vectors_str(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static inline int vectors_int(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}
#endif
