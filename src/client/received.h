/* received.h: one event as a subscription brought it, opened. Threads: one. */
#ifndef CLIENT_RECEIVED_H
#define CLIENT_RECEIVED_H
#include "base/buffer.h"
#include "crypto/hash.h"

struct event;
struct received;
struct signature;

/* Of the bytes of a SubscriptionResponse. The caller owns *out. Fails: ERR_MALFORMED (also a
 * timestamp_of_signing_key, which an event may not have), ERR_LIMIT, ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool received_open(struct bytes message, struct received **out, struct error *err);
void received_close(struct received *r); /* NULL is allowed */

const struct event *received_event(const struct received *r);
const struct signature *received_signature(const struct received *r);
const struct hash *received_hash(const struct received *r); /* H(1, content) */
struct bytes received_content(const struct received *r);
const char *received_psid(const struct received *r);
int64_t received_ts(const struct received *r);
int64_t received_previous_ts(const struct received *r);     /* INT64_MIN: none */
const char *received_message_id(const struct received *r);  /* NULL: not the sender */
const char *received_traceparent(const struct received *r); /* "" for none */
/* True for a delivery error; reason then is its id, or its message. */
bool received_is_error(const struct received *r, const char **reason);
#endif
