/* versioned.h: UntypedVersionedMessage {data = 1, version = 2}, written "W(n)" in our notes: the
 * bytes 0A <length> <data> 10 <n>. What is hashed and forwarded are the received bytes, never a
 * re-encoding, so callers keep those. Only protocol version 35 is spoken. Threads: free of state.
 */
#ifndef WIRE_VERSIONED_H
#define WIRE_VERSIONED_H
#include <protobuf-c/protobuf-c.h>

#include "base/buffer.h"

#define PROTOCOL_VERSION 35 /* the only one, for now */

/* How strict the version number of a type is read. The peers read an unknown number as their newest
 * schema and fail only for a known one that is wrong; we follow, so as not to disagree with them.
 */
enum versioned_rule {
    VERSIONED_V30, /* one schema ever: any number is taken; we write 30 */
    VERSIONED_V31, /* 31 since protocol version 35: 30 is refused, others taken; we write 31 */
    VERSIONED_V1,  /* SetTrafficPurchasedMessage: any number is taken; we write 1 */
};

/* Finds data in the wrapper. *data borrows from in; *version may be NULL. Fails: ERR_MALFORMED (no
 * wrapper, data absent), ERR_UNSUPPORTED (30 where 31 belongs: protocol version 34). */
MUST_CHECK bool versioned_unwrap(struct bytes in, enum versioned_rule rule, struct bytes *data,
                                 int *version, struct error *err);
/* versioned_unwrap, then wire_unpack of data. NULL when it fails; wire_message_free releases. */
MUST_CHECK void *versioned_unpack(struct bytes in, enum versioned_rule rule,
                                  const ProtobufCMessageDescriptor *desc, struct error *err);

/* Appends the wrapper of data. Fails: ERR_MEMORY. */
MUST_CHECK bool versioned_wrap(struct bytes data, enum versioned_rule rule, struct buffer *out,
                               struct error *err);
/* Packs message (generated type) and appends its wrapper. Fails: ERR_MEMORY. */
MUST_CHECK bool versioned_pack(const void *message, enum versioned_rule rule, struct buffer *out,
                               struct error *err);
#endif
