/* rpc_status_message.h: a status inside the messages that carry it. Internal to wire/. */
#ifndef WIRE_RPC_STATUS_MESSAGE_H
#define WIRE_RPC_STATUS_MESSAGE_H
#include "google_rpc.pb-c.h"
#include "wire/rpc_status.h"

/* Copies. Fails: ERR_MEMORY. */
MUST_CHECK bool rpc_status_from(const Rpc__Status *m, struct rpc_status *out, struct error *err);
/* One piece of memory that borrows from s: free(*out). Fails: ERR_MEMORY. */
MUST_CHECK bool rpc_status_to(const struct rpc_status *s, Rpc__Status **out, struct error *err);
#endif
