/* batch_message.h: a compressed batch inside the messages that carry it. Internal to wire/. */
#ifndef WIRE_BATCH_MESSAGE_H
#define WIRE_BATCH_MESSAGE_H
#include "protocol_v31.pb-c.h"
#include "wire/batch.h"

/* Copies. Fails: ERR_MALFORMED (unknown algorithm), ERR_MEMORY. */
MUST_CHECK bool batch_from_message(const P31__CompressedBatch *m, struct compressed_batch *out,
                                   struct error *err);
/* Borrows from b; free(out->compressed_envelopes) after packing. Fails: ERR_MEMORY. */
MUST_CHECK bool batch_to_message(const struct compressed_batch *b, P31__CompressedBatch *out,
                                 struct error *err);
#endif
