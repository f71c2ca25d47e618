/* pb_json.h: protobuf messages as JSON and back, by their descriptors: field names as in the .proto
 * files, enum values by name, bytes as hex digits, 64-bit numbers as numbers, Timestamps as text.
 * Threads: free of state. */
#ifndef CLI_PB_JSON_H
#define CLI_PB_JSON_H
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "base/error.h"

/* What is not set, and empty lists, are left out. NULL: no memory. */
json_t *pb_to_json(const ProtobufCMessage *m);
/* A new message of that type (free with pb_message_free). NULL: ERR_CONFIG, which names the field;
 * ERR_MEMORY. */
void *pb_from_json(const ProtobufCMessageDescriptor *d, const json_t *from, struct error *err);
void pb_message_free(void *message); /* made by pb_from_json; NULL is allowed */
#endif
