/* trace.h: W3C trace context, as headers and messages carry it. Pure. */
#ifndef RPC_TRACE_H
#define RPC_TRACE_H
#include "base/buffer.h"
#include "base/error.h"

#define TRACE_PARENT_LEN 56 /* "00-<32 hex>-<16 hex>-<2 hex>" and NUL */
#define TRACE_ID_LEN     33 /* 32 hex digits and NUL */
#define TRACE_STATE_MAX                                                                            \
    513 /* 512 bytes and NUL; a longer one is dropped, as the standard allows                      \
         */

struct trace_context {
    char parent[TRACE_PARENT_LEN];
    char state[TRACE_STATE_MAX]; /* "" for none */
};

struct rpc_call;

/* Takes what came. parent that is absent (empty) or malformed: a new random one (state is dropped).
 * True when it was taken over, false when it is new. */
bool trace_parse(struct trace_context *t, struct bytes parent, struct bytes state);
void trace_make(struct trace_context *t); /* a new random trace, sampled */
/* The same trace with a new span id: what a call made on behalf of t carries. */
struct trace_context trace_child(const struct trace_context *t);
/* The trace id, for logs: out holds TRACE_ID_LEN. */
void trace_id(const struct trace_context *t, char *out);
/* Of the call's headers traceparent and tracestate, else new. */
void trace_of_call(const struct rpc_call *c, struct trace_context *t);
#endif
