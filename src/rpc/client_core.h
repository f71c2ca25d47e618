/* client_core.h: what channel.c (connecting) and client_call.c (calls) share. */
#ifndef RPC_CLIENT_CORE_H
#define RPC_CLIENT_CORE_H
#include "base/thread.h"
#include "rpc/client.h"
#include "rpc/core.h"

struct client_call;

struct rpc_channel {
    struct rpc_loop *loop;
    grpc_channel *grpc;
    rpc_state_changed *on_state;
    void *ctx;
    int64_t min_backoff_us, max_backoff_us;
    struct tag watch_tag;
    struct mutex lock;
    struct cond changed;
    enum rpc_state state GUARDED_BY(lock);
    int64_t backoff_us GUARDED_BY(lock);
    bool is_closing GUARDED_BY(lock);
    bool is_watching GUARDED_BY(lock);          /* gRPC holds watch_tag */
    struct client_call *calls GUARDED_BY(lock); /* all that have not had their last callback */
};

/* The list of running calls. Enter fails (ERR_CLOSED) once the channel closes. */
MUST_CHECK bool channel_enter(struct rpc_channel *ch, struct client_call *c, struct error *err);
void channel_leave(struct rpc_channel *ch, struct client_call *c);

struct call_link {
    struct client_call *prev, *next;
};
struct call_link *client_call_link(struct client_call *c);
void client_call_cancel(struct client_call *c);
#endif
