/* core.h: what the files of rpc/ share about gRPC core. Not for anybody else. */
#ifndef RPC_CORE_H
#define RPC_CORE_H
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/logger.h"
#include "rpc/loop.h"
#include "rpc/status.h"
#include "rpc/tls.h"

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* What a completion queue hands back; embedded in the thing that waits. */
struct tag {
    void (*fn)(struct tag *t, bool ok);
};

/* Called before gRPC gets t, and when it gives it back: what one thread wrote before, the other
 * sees after. gRPC's queues see to that, but the thread sanitizer can not look into the library. */
#if defined(__SANITIZE_THREAD__)
void __tsan_release(void *addr);
void __tsan_acquire(void *addr);
static inline void tag_give(struct tag *t)
{
    __tsan_release(t);
}
static inline void tag_take(struct tag *t)
{
    __tsan_acquire(t);
}
#else
static inline void tag_give(struct tag *t)
{
    (void)t;
}
static inline void tag_take(struct tag *t)
{
    (void)t;
}
#endif

int loop_n_queues(const struct rpc_loop *loop);
grpc_completion_queue *loop_queue(const struct rpc_loop *loop, int i);
grpc_completion_queue *loop_next_queue(struct rpc_loop *loop); /* takes turns */
struct logger *loop_logger(const struct rpc_loop *loop);

/* gRPC starts threads of its own here and there; they must not take the process's signals. */
void signals_block(sigset_t *old);
void signals_restore(const sigset_t *old);

/* gRPC aborts by itself when it has no memory: none of these fails. */
grpc_slice slice_of(struct bytes v); /* a copy */
struct bytes slice_bytes(const grpc_slice *s);
/* The message as one slice, which the caller unrefs; *bb is destroyed and NULL. */
grpc_slice slice_of_message(grpc_byte_buffer **bb);
bool message_is_compressed(const grpc_byte_buffer *bb);
grpc_byte_buffer *message_of(struct bytes v); /* a copy */

gpr_timespec deadline_in(int64_t us); /* us <= 0: never */

/* Channel arguments: a bounded list that grpc_*_create reads once. */
struct args {
    grpc_arg arg[32];
    size_t n;
};
void args_int(struct args *a, const char *key, int64_t value); /* cut to the range of int */
void args_str(struct args *a, const char *key, const char *value);
void args_common(struct args *a, int64_t max_message); /* what servers and channels share */
grpc_channel_args args_list(struct args *a);

/* The entries as gRPC wants them. grpc_metadata[] is allocated; free with metadata_free. */
bool metadata_make(const struct rpc_md *md, size_t n, grpc_metadata **out);
void metadata_free(grpc_metadata *md, size_t n);

/* tls.c. The caller releases. Fails: ERR_CONFIG. */
grpc_server_credentials *tls_server_credentials(const struct rpc_tls_server *t, struct error *err);
grpc_channel_credentials *tls_client_credentials(const struct rpc_tls_client *t, struct error *err);
#endif
