/* service.h: what the RPC services share: who calls, and how a call is answered.
 *
 * Threads: any. */
#ifndef SEQUENCER_SERVICE_H
#define SEQUENCER_SERVICE_H
#include "rpc/server.h"
#include "rpc/trace.h"
#include "sequencer/refusal.h"
#include "sequencer/replica.h"

#define SERVICE_PREFIX "/com.digitalasset.canton.sequencer.api.v30."

/* A method that runs on one of the replica's pools (NULL: on the loop). */
struct service_method {
    const char *path;
    enum rpc_kind kind;
    rpc_handler *handler;
    bool is_query; /* waits for the database; else it computes */
};
MUST_CHECK bool service_register(struct sequencer *seq, struct rpc_server *s,
                                 const struct service_method *m, size_t n, struct error *err);

/* Ends the call with UNAVAILABLE and returns false unless the replica serves. */
bool service_gate(struct sequencer *seq, struct rpc_call *call);

/* Unpacks the request; ends the call with INVALID_ARGUMENT and returns NULL when it does not parse.
 */
void *service_unpack(struct rpc_call *call, const void *descriptor);
/* Ends the call with the packed message. */
void service_reply(struct rpc_call *call, const void *message);
/* Ends the call with a protocol error, its details and the call's trace id. */
void service_refuse(struct rpc_call *call, const struct refusal *r);
/* Ends the call for a fault of ours: UNAVAILABLE when another attempt may help, else INTERNAL; the
 * text goes to the log. */
void service_fault(struct sequencer *seq, struct rpc_call *call, const struct error *err);
/* True when the header is there and is plain text of at most size - 1 bytes. */
bool service_header(const struct rpc_call *call, const char *key, char *out, size_t size);

/* Who has authenticated. */
struct caller {
    char member[MEMBER_TEXT_SIZE];
    int64_t expires_at;       /* of the token */
    int64_t revocation_epoch; /* of the member, as the token has it */
    int64_t access_since;     /* of the key, likewise */
    char fingerprint[FINGERPRINT_SIZE];
};
/* Checks the three headers; false: the call has been ended with UNAUTHENTICATED and the trailers
 * that make the client drop its token. */
bool service_caller(struct sequencer *seq, struct rpc_call *call, struct caller *out);
/* The same for a stream or another member's data: member must be the caller's, else
 * PERMISSION_DENIED. */
bool service_caller_is(struct rpc_call *call, const struct caller *c, const char *member);
#endif
