/* event.h: SequencedEvent (protocol version 35): a delivery, a receipt, or an error. Signed with
 * H(1, raw). Threads: free of state. */
#ifndef WIRE_EVENT_H
#define WIRE_EVENT_H
#include "wire/batch.h"
#include "wire/status.h"

struct traffic_receipt {
    uint64_t consumed_cost, extra_traffic_consumed, base_traffic_remainder;
};

struct event {
    bool has_previous;
    int64_t previous_ts; /* of the member's event before; absent for its first */
    int64_t ts;
    char *psid;
    char *message_id; /* NULL: not the sender. Always there on an error */
    bool is_error;
    struct compressed_batch batch; /* when not is_error */
    struct wire_status status;     /* when is_error */
    bool has_topology_timestamp;   /* never on errors, never written at protocol version 35 */
    int64_t topology_timestamp;
    bool has_receipt; /* to the sender alone */
    struct traffic_receipt receipt;
    struct buffer raw; /* the wrapped bytes, as received or built */
};

/* From the wrapped bytes. Fails: ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool event_parse(struct bytes wrapped, struct event *out, struct error *err);
/* Encodes all fields into e->raw (replacing it). Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool event_build(struct event *e, struct error *err);
/* H(1, raw). */
MUST_CHECK bool event_hash(const struct event *e, struct hash *out, struct error *err);
void event_free(struct event *e); /* what it owns, and zeroes it; NULL is allowed */
#endif
