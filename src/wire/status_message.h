/* status_message.h: a status inside the messages that carry it. Internal to wire/. */
#ifndef WIRE_STATUS_MESSAGE_H
#define WIRE_STATUS_MESSAGE_H
#include "google_rpc.pb-c.h"
#include "wire/status.h"

/* Copies. Fails: ERR_MEMORY. */
MUST_CHECK bool wire_status_from(const Rpc__Status *m, struct wire_status *out, struct error *err);
/* One piece of memory that borrows from s: free(*out). Fails: ERR_MEMORY. */
MUST_CHECK bool wire_status_to(const struct wire_status *s, Rpc__Status **out, struct error *err);
#endif
