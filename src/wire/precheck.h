/* precheck.h: the only way from foreign bytes to generated protobuf structs. protobuf-c has no
 * recursion limit, takes invalid UTF-8, cuts strings at NUL and allocates as it is told; all of
 * that is refused here first, by walking the bytes with the descriptor and an explicit stack.
 * Threads: free of state. */
#ifndef WIRE_PRECHECK_H
#define WIRE_PRECHECK_H
#include <protobuf-c/protobuf-c.h>

#include "base/buffer.h"

#define WIRE_DEPTH_MAX  100                 /* messages in messages; the outermost is 1 */
#define WIRE_SIZE_MAX   (64u << 20)         /* bytes of one message, whatever the caller allows */
#define WIRE_MEMORY_MAX ((size_t)128 << 20) /* that one unpacked message may take */

/* True when in is well-formed for desc: known fields have their wire types, lengths fit, messages
 * nest at most WIRE_DEPTH_MAX deep, strings are UTF-8 without NUL. Unknown fields are skipped;
 * groups (wire types 3 and 4) are refused. Time is linear in in.len and the depth, nothing is
 * allocated. Fails: ERR_MALFORMED, ERR_LIMIT. */
MUST_CHECK bool wire_check(const ProtobufCMessageDescriptor *desc, struct bytes in,
                           struct error *err);

/* wire_check, then protobuf-c, with at most 64 KiB + 32 x in.len bytes (and WIRE_MEMORY_MAX).
 * Returns the message (cast it to the generated type), which owns copies of all it keeps; the
 * caller releases it with wire_message_free. NULL: ERR_MALFORMED, ERR_LIMIT. */
MUST_CHECK void *wire_unpack(const ProtobufCMessageDescriptor *desc, struct bytes in,
                             struct error *err);
void wire_message_free(void *message); /* a ProtobufCMessage, or NULL */

/* Appends the canonical bytes of message (a ProtobufCMessage that we built). Fails: ERR_MEMORY. */
MUST_CHECK bool wire_pack(const void *message, struct buffer *out, struct error *err);
#endif
