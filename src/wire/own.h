/* own.h: copies that parsed structs keep. Internal to wire/. */
#ifndef WIRE_OWN_H
#define WIRE_OWN_H
#include <protobuf-c/protobuf-c.h>

#include "base/buffer.h"

static inline struct bytes bytes_pb(ProtobufCBinaryData v)
{
    return (struct bytes){v.data, v.len};
}
static inline ProtobufCBinaryData pb_bytes(struct bytes v)
{
    return (ProtobufCBinaryData){v.len, (uint8_t *)(uintptr_t)v.data}; /* packing only reads it */
}

/* All fail with ERR_MEMORY. Results are freed with free, buffer_free, own_strs_free. */
MUST_CHECK bool own_str(const char *s, char **out, struct error *err);
MUST_CHECK bool own_strn(struct bytes v, char **out, struct error *err); /* v: checked, no NUL */
MUST_CHECK bool own_bytes(struct bytes v, struct buffer *out, struct error *err);
/* n may be 0: *out is NULL. */
MUST_CHECK bool own_array(size_t n, size_t size, void *out, struct error *err);
MUST_CHECK bool own_strs(char *const *from, size_t n, char ***out, struct error *err);
void own_strs_free(char **strs, size_t n);
/* Sorts bytewise and removes duplicates (freeing them). Returns how many are left. */
size_t own_strs_set(char **strs, size_t n);
#endif
