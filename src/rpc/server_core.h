/* server_core.h: what server.c (listening, slots, draining) and server_call.c (one call) share. */
#ifndef RPC_SERVER_CORE_H
#define RPC_SERVER_CORE_H
#include <stdatomic.h>

#include <uthash.h>

#include "base/thread.h"
#include "rpc/core.h"
#include "rpc/server.h"

struct method {
    struct rpc_method m; /* m.path points to path */
    void *registered;    /* gRPC's handle */
    UT_hash_handle hh;
    char path[];
};

struct rpc_server {
    struct rpc_loop *loop;
    struct logger *lg;
    struct rpc_server_config config;
    grpc_server *grpc;
    struct method *methods; /* by path; fixed from the start on */
    int n_addresses;
    struct tag shutdown_tag;
    struct mutex lock;
    struct cond changed;
    bool shutdown_is_asked GUARDED_BY(lock);
    bool is_down GUARDED_BY(lock);    /* gRPC has told that its shutdown is complete */
    int32_t n_slots GUARDED_BY(lock); /* requests for a next call that gRPC holds */
    atomic_int_least32_t n_calls;
    atomic_bool is_refusing;
};

/* What a slot received; call_accept takes over everything in it. */
struct arrival {
    const struct method *method; /* NULL: unknown path */
    grpc_completion_queue *cq;
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array md;
    grpc_byte_buffer *payload;
};

void call_accept(struct rpc_server *s, struct arrival *a);
/* One call less; the last one wakes rpc_server_stop. */
void server_call_gone(struct rpc_server *s);
#endif
