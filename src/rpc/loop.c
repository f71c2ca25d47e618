/* loop.c: completion queues, one thread each, and the small helpers around gRPC's types. */
#include "rpc/loop.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/compression.h>
#include <grpc/support/log.h>

#include "base/thread.h"
#include "rpc/core.h"

struct rpc_loop {
    int n;
    struct logger *lg;
    atomic_uint turn;
    struct worker {
        grpc_completion_queue *cq;
        struct thread thread;
    } worker[RPC_LOOP_THREADS_MAX];
};

static void *worker_main(void *arg)
{
    grpc_completion_queue *cq = arg;

    for (;;) {
        grpc_event ev = grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct tag *t = ev.tag;

        if (ev.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (ev.type == GRPC_OP_COMPLETE) {
            tag_take(t);
            t->fn(t, ev.success != 0);
        }
    }
}

void signals_block(sigset_t *old)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

void signals_restore(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

static void drop_log(gpr_log_func_args *args)
{
    (void)args;
}

bool rpc_loop_open(int n_threads, struct logger *lg, struct rpc_loop **out, struct error *err)
{
    struct rpc_loop *l;
    sigset_t old;
    bool ok = true;

    if (n_threads < 1 || n_threads > RPC_LOOP_THREADS_MAX)
        return error_set(err, ERR_CONFIG, NULL, "network threads: %d is not in 1..%d", n_threads,
                         RPC_LOOP_THREADS_MAX);
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the network loop");
    l->lg = lg;
    /* What matters in gRPC's own log comes back as the status of a call; its lines on stderr would
     * break our log format. Who debugs gRPC asks for them. */
    if (getenv("GRPC_VERBOSITY") == NULL && getenv("GRPC_TRACE") == NULL)
        gpr_set_log_function(drop_log);
    signals_block(&old);
    grpc_init();
    signals_restore(&old);
    for (; l->n < n_threads && ok; l->n++) {
        struct worker *w = &l->worker[l->n];

        w->cq = grpc_completion_queue_create_for_next(NULL);
        ok = thread_start(&w->thread, "rpc", worker_main, w->cq, err);
    }
    if (!ok) {
        rpc_loop_close(l);
        return false;
    }
    *out = l;
    return true;
}

void rpc_loop_close(struct rpc_loop *l)
{
    if (l == NULL)
        return;
    for (int i = 0; i < l->n; i++) {
        grpc_completion_queue_shutdown(l->worker[i].cq);
        if (!l->worker[i].thread.is_started)
            (void)worker_main(l->worker[i].cq); /* drains it here */
        thread_join(&l->worker[i].thread);
        grpc_completion_queue_destroy(l->worker[i].cq);
    }
    grpc_shutdown();
    free(l);
}

int loop_n_queues(const struct rpc_loop *l)
{
    return l->n;
}

grpc_completion_queue *loop_queue(const struct rpc_loop *l, int i)
{
    return l->worker[i].cq;
}

grpc_completion_queue *loop_next_queue(struct rpc_loop *l)
{
    return l->worker[atomic_fetch_add(&l->turn, 1) % (unsigned)l->n].cq;
}

struct logger *loop_logger(const struct rpc_loop *l)
{
    return l->lg;
}

grpc_slice slice_of(struct bytes v)
{
    return v.len == 0 ? grpc_empty_slice()
                      : grpc_slice_from_copied_buffer((const char *)v.data, v.len);
}

struct bytes slice_bytes(const grpc_slice *s)
{
    return bytes_of(GRPC_SLICE_START_PTR(*s), GRPC_SLICE_LENGTH(*s));
}

grpc_slice slice_of_message(grpc_byte_buffer **bb)
{
    grpc_slice s = grpc_empty_slice();
    grpc_byte_buffer_reader reader;

    if (*bb == NULL)
        return s;
    if (grpc_byte_buffer_reader_init(&reader, *bb)) {
        s = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(*bb);
    *bb = NULL;
    return s;
}

bool message_is_compressed(const grpc_byte_buffer *bb)
{
    return bb->type == GRPC_BB_RAW && bb->data.raw.compression != GRPC_COMPRESS_NONE;
}

grpc_byte_buffer *message_of(struct bytes v)
{
    grpc_slice s = slice_of(v);
    grpc_byte_buffer *bb = grpc_raw_byte_buffer_create(&s, 1);

    grpc_slice_unref(s);
    return bb;
}

gpr_timespec deadline_in(int64_t us)
{
    if (us <= 0)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(us, GPR_TIMESPAN));
}

static grpc_arg *args_next(struct args *a, const char *key)
{
    grpc_arg *g = &a->arg[a->n];

    if (a->n >= sizeof(a->arg) / sizeof(a->arg[0]))
        abort(); /* a defect: the lists are written in this folder */
    a->n++;
    g->key = (char *)(uintptr_t)key;
    return g;
}

void args_int(struct args *a, const char *key, int64_t value)
{
    grpc_arg *g = args_next(a, key);

    g->type = GRPC_ARG_INTEGER;
    g->value.integer = value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
}

void args_str(struct args *a, const char *key, const char *value)
{
    grpc_arg *g = args_next(a, key);

    g->type = GRPC_ARG_STRING;
    g->value.string = (char *)(uintptr_t)value;
}

void args_common(struct args *a, int64_t max_message)
{
    args_int(a, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, max_message);
    args_int(a, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1);
    args_int(a, GRPC_ARG_MAX_METADATA_SIZE, 16384);
    args_int(a, GRPC_ARG_ENABLE_CHANNELZ, 0);
    args_int(a, GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
    /* What a reader that does not read lets pile up; probing would let it grow by itself. */
    args_int(a, GRPC_ARG_HTTP2_BDP_PROBE, 0);
    args_int(a, GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 20);
    /* A few kilobytes could inflate to gigabytes before any limit is looked at: never inflate. */
    args_int(a, GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
    args_int(a, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    args_int(a, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE);
}

grpc_channel_args args_list(struct args *a)
{
    return (grpc_channel_args){.num_args = a->n, .args = a->arg};
}

bool metadata_make(const struct rpc_md *md, size_t n, grpc_metadata **out)
{
    *out = NULL;
    if (n == 0)
        return true;
    *out = calloc(n, sizeof(**out));
    if (*out == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        (*out)[i].key = grpc_slice_from_copied_string(md[i].key);
        (*out)[i].value = slice_of(md[i].value);
    }
    return true;
}

void metadata_free(grpc_metadata *md, size_t n)
{
    for (size_t i = 0; md != NULL && i < n; i++) {
        grpc_slice_unref(md[i].key);
        grpc_slice_unref(md[i].value);
    }
    free(md);
}
