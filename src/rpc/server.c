/* server.c: listening, one waiting slot per method and queue, draining. What happens with a call
 * that came is in server_call.c. Life: open -> started -> draining -> down. gRPC gives every slot
 * back when it drains. */
#include "rpc/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/server_core.h"

#define ADDRESSES_MAX  8
#define CANCEL_WAIT_US (10 * US_PER_S)

struct slot {
    struct tag tag;
    struct rpc_server *s;
    grpc_call_details details; /* of unknown paths */
    struct arrival a;
};

static bool config_take(struct rpc_server_config *c, const struct rpc_server_config *from,
                        struct error *err)
{
    static const struct rpc_server_config def = {
        .max_request = 10 << 20,
        .max_calls = 10000,
        .max_calls_per_connection = 100000,
        .memory = 512 << 20,
        .keepalive_us = 40 * US_PER_S,
        .keepalive_timeout_us = 20 * US_PER_S,
        .min_ping_us = 10 * US_PER_S,
    };

#define TAKE(field) c->field = from != NULL && from->field != 0 ? from->field : def.field
    TAKE(max_request);
    TAKE(max_calls);
    TAKE(max_calls_per_connection);
    TAKE(memory);
    TAKE(keepalive_us);
    TAKE(keepalive_timeout_us);
    TAKE(min_ping_us);
#undef TAKE
    if (c->max_request < 1 || c->max_request > 1 << 30)
        return error_set(err, ERR_CONFIG, "1 byte to 1 GiB", "maximum request size %lld",
                         (long long)c->max_request);
    if (c->max_calls < 1 || c->max_calls_per_connection < 1)
        return error_set(err, ERR_CONFIG, "1 or more", "maximum calls %d, per connection %d",
                         c->max_calls, c->max_calls_per_connection);
    if (c->keepalive_us < US_PER_S || c->keepalive_timeout_us < US_PER_MS || c->min_ping_us < 0)
        return error_set(err, ERR_CONFIG, "an interval of 1 s or more", "keepalive out of range");
    if (c->memory < 4 << 20)
        return error_set(err, ERR_CONFIG, "4 MiB or more", "network memory %lld bytes",
                         (long long)c->memory);
    return true;
}

static grpc_server *server_make(const struct rpc_server_config *c)
{
    struct args a = {.n = 0};
    grpc_channel_args list;
    grpc_resource_quota *quota = grpc_resource_quota_create("lockstep-server");
    grpc_server *g;

    grpc_resource_quota_resize(quota, (size_t)c->memory);
    args_common(&a, c->max_request);
    args_int(&a, GRPC_ARG_MAX_CONCURRENT_STREAMS, c->max_calls_per_connection);
    args_int(&a, GRPC_ARG_ALLOW_REUSEPORT, 0); /* two servers on one port must be an error */
    args_int(&a, GRPC_ARG_KEEPALIVE_TIME_MS, c->keepalive_us / US_PER_MS);
    args_int(&a, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, c->keepalive_timeout_us / US_PER_MS);
    args_int(&a, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, c->min_ping_us / US_PER_MS);
    /* A call may end between two pings; that is no reason to turn a client away. */
    args_int(&a, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    args_int(&a, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 20000);
    list = args_list(&a);
    list.args[list.num_args++] = (grpc_arg){
        .type = GRPC_ARG_POINTER,
        .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
        .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()},
    };
    g = grpc_server_create(&list, NULL);
    grpc_resource_quota_unref(quota);
    return g;
}

bool rpc_server_open(struct rpc_loop *loop, const struct rpc_server_config *config,
                     struct logger *lg, struct rpc_server **out, struct error *err)
{
    struct rpc_server *s = calloc(1, sizeof(*s));
    sigset_t old;

    if (s == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a server");
    if (!config_take(&s->config, config, err)) {
        free(s);
        return false;
    }
    s->loop = loop;
    s->lg = lg;
    mutex_init(&s->lock);
    cond_init(&s->changed);
    signals_block(&old);
    s->grpc = server_make(&s->config);
    for (int i = 0; i < loop_n_queues(loop); i++)
        grpc_server_register_completion_queue(s->grpc, loop_queue(loop, i), NULL);
    signals_restore(&old);
    *out = s;
    return true;
}

bool rpc_server_register(struct rpc_server *s, const struct rpc_method *m, struct error *err)
{
    size_t len = strlen(m->path);
    const char *slash = len > 1 ? strchr(m->path + 1, '/') : NULL;
    struct method *e;

    if (m->path[0] != '/' || slash == NULL || slash[1] == '\0' || strchr(slash + 1, '/') != NULL)
        return error_set(err, ERR_CONFIG, NULL, "method %s is not /package.Service/Method",
                         m->path);
    HASH_FIND(hh, s->methods, m->path, len, e);
    if (e != NULL)
        return error_set(err, ERR_CONFIG, NULL, "method %s is registered twice", m->path);
    e = calloc(1, sizeof(*e) + len + 1);
    if (e == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for method %s", m->path);
    memcpy(e->path, m->path, len + 1);
    e->m = *m;
    e->m.path = e->path;
    if (e->m.max_request == 0)
        e->m.max_request = s->config.max_request;
    e->registered = grpc_server_register_method(s->grpc, e->path, NULL,
                                                m->kind == RPC_CLIENT_STREAM
                                                    ? GRPC_SRM_PAYLOAD_NONE
                                                    : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
                                                0);
    HASH_ADD_KEYPTR(hh, s->methods, e->path, len, e);
    return true;
}

/* gRPC tells only that it could not listen; the reason comes from trying the same by hand. */
static bool why_not_bound(const char *host, int port, struct error *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *list = NULL;
    char service[8];
    int rc, e = 0;

    snprintf(service, sizeof(service), "%d", port);
    rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0)
        return error_set(err, ERR_CONFIG, "an address of this machine, or 0.0.0.0",
                         "listening address %s: %s", host, gai_strerror(rc));
    for (struct addrinfo *i = list; i != NULL && e == 0; i = i->ai_next) {
        int fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, i->ai_protocol);
        int on = 1;

        if (fd < 0)
            continue;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
            bind(fd, i->ai_addr, i->ai_addrlen) != 0 || listen(fd, 1) != 0)
            e = errno;
        close(fd);
    }
    freeaddrinfo(list);
    if (e == EADDRINUSE)
        return error_set(err, ERR_IO, "choose another port or stop the other program",
                         "port %d on %s is in use", port, host);
    return error_set(err, ERR_IO, "choose an address and port that this account may use",
                     "cannot listen on %s port %d: %s", host, port,
                     e != 0 ? strerror(e) : "refused by gRPC");
}

bool rpc_server_listen(struct rpc_server *s, const char *host, int port,
                       const struct rpc_tls_server *tls, int *chosen, struct error *err)
{
    grpc_server_credentials *creds;
    char address[300];
    sigset_t old;
    int got;

    if (port < 0 || port > 65535 || strlen(host) > 255 || s->n_addresses == ADDRESSES_MAX)
        return error_set(err, ERR_CONFIG, "port 0 to 65535, at most 8 addresses",
                         "cannot listen on %.64s port %d", host, port);
    creds =
        tls != NULL ? tls_server_credentials(tls, err) : grpc_insecure_server_credentials_create();
    if (creds == NULL)
        return false;
    snprintf(address, sizeof(address), strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, port);
    signals_block(&old);
    got = grpc_server_add_http2_port(s->grpc, address, creds);
    signals_restore(&old);
    grpc_server_credentials_release(creds);
    if (got <= 0)
        return why_not_bound(host, port, err);
    s->n_addresses++;
    if (chosen != NULL)
        *chosen = got;
    return true;
}

static void slot_came(struct tag *t, bool ok);

/* Asks gRPC for the next call of the slot's method. */
static void slot_arm(struct slot *sl)
{
    grpc_completion_queue *cq = sl->a.cq;
    grpc_call_error e;

    sl->a.call = NULL;
    sl->a.payload = NULL;
    grpc_metadata_array_init(&sl->a.md);
    tag_give(&sl->tag);
    if (sl->a.method == NULL) {
        grpc_call_details_init(&sl->details);
        e = grpc_server_request_call(sl->s->grpc, &sl->a.call, &sl->details, &sl->a.md, cq, cq,
                                     &sl->tag);
    } else {
        grpc_byte_buffer **payload =
            sl->a.method->m.kind == RPC_CLIENT_STREAM ? NULL : &sl->a.payload;

        e = grpc_server_request_registered_call(sl->s->grpc, sl->a.method->registered, &sl->a.call,
                                                &sl->a.deadline, &sl->a.md, payload, cq, cq,
                                                &sl->tag);
    }
    if (e != GRPC_CALL_OK)
        abort(); /* only for arguments that gRPC forbids: a defect of this file */
}

static void slot_came(struct tag *t, bool ok)
{
    struct slot *sl = CONTAINER_OF(t, struct slot, tag);
    struct rpc_server *s = sl->s;
    struct arrival a = sl->a;

    if (sl->a.method == NULL) {
        a.deadline = sl->details.deadline;
        grpc_call_details_destroy(&sl->details);
    }
    if (!ok) { /* shut down */
        grpc_metadata_array_destroy(&a.md);
        free(sl);
        mutex_lock(&s->lock);
        s->n_slots--;
        cond_broadcast(&s->changed);
        mutex_unlock(&s->lock);
        return;
    }
    slot_arm(sl); /* first, so that the next call does not wait for this one's handler */
    call_accept(s, &a);
}

static bool slot_open(struct rpc_server *s, const struct method *m, grpc_completion_queue *cq,
                      struct error *err)
{
    struct slot *sl = calloc(1, sizeof(*sl));

    if (sl == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory to start a server");
    sl->tag.fn = slot_came;
    sl->s = s;
    sl->a.method = m;
    sl->a.cq = cq;
    mutex_lock(&s->lock);
    s->n_slots++;
    mutex_unlock(&s->lock);
    slot_arm(sl);
    return true;
}

bool rpc_server_start(struct rpc_server *s, struct error *err)
{
    sigset_t old;
    bool ok = true;

    signals_block(&old);
    grpc_server_start(s->grpc);
    signals_restore(&old);
    for (int i = 0; i < loop_n_queues(s->loop) && ok; i++) {
        grpc_completion_queue *cq = loop_queue(s->loop, i);

        for (struct method *m = s->methods; m != NULL && ok; m = m->hh.next)
            ok = slot_open(s, m, cq, err);
        ok = ok && slot_open(s, NULL, cq, err);
    }
    return ok;
}

static void shutdown_came(struct tag *t, bool ok)
{
    struct rpc_server *s = CONTAINER_OF(t, struct rpc_server, shutdown_tag);

    (void)ok;
    mutex_lock(&s->lock);
    s->is_down = true;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}

void rpc_server_drain(struct rpc_server *s)
{
    atomic_store(&s->is_refusing, true);
}

/* gRPC stops listening, tells its clients to go away and breaks off what comes all the same. */
static void shut_down(struct rpc_server *s)
{
    bool was_asked;

    mutex_lock(&s->lock);
    was_asked = s->shutdown_is_asked;
    s->shutdown_is_asked = true;
    mutex_unlock(&s->lock);
    if (was_asked)
        return;
    s->shutdown_tag.fn = shutdown_came;
    tag_give(&s->shutdown_tag);
    grpc_server_shutdown_and_notify(s->grpc, loop_queue(s->loop, 0), &s->shutdown_tag);
}

/* True when no call is running and, with is_down, nothing of the server at all. */
static bool wait_over(struct rpc_server *s, bool is_down, int64_t until_us)
{
    bool in_time = true, is_over;

    mutex_lock(&s->lock);
    for (;;) {
        is_over = atomic_load(&s->n_calls) == 0 && (!is_down || (s->is_down && s->n_slots == 0));
        if (is_over || !in_time)
            break;
        in_time = cond_wait_until(&s->changed, &s->lock, until_us);
    }
    mutex_unlock(&s->lock);
    return is_over;
}

bool rpc_server_stop(struct rpc_server *s, int64_t grace_us, struct error *err)
{
    rpc_server_drain(s);
    /* The running calls first: once gRPC shuts down, a call on its way here is cut off in place of
     * being answered UNAVAILABLE. */
    (void)wait_over(s, false, clock_mono_us() + (grace_us > 0 ? grace_us : 0));
    shut_down(s);
    grpc_server_cancel_all_calls(s->grpc);
    if (wait_over(s, true, clock_mono_us() + CANCEL_WAIT_US))
        return true;
    return error_set(err, ERR_TIMEOUT, "report this defect",
                     "stopping a server: %d cancelled calls were never ended", rpc_server_calls(s));
}

void rpc_server_close(struct rpc_server *s)
{
    struct error err;
    struct method *m, *next;

    if (s == NULL)
        return;
    if (!rpc_server_stop(s, 0, &err)) {
        logger_error(s->lg, LOG_ERROR, &err, "server is left behind");
        return;
    }
    grpc_server_destroy(s->grpc);
    HASH_ITER(hh, s->methods, m, next)
    {
        HASH_DEL(s->methods, m);
        free(m);
    }
    cond_destroy(&s->changed);
    mutex_destroy(&s->lock);
    free(s);
}

int32_t rpc_server_calls(const struct rpc_server *s)
{
    return atomic_load(&s->n_calls);
}

void server_call_gone(struct rpc_server *s)
{
    /* Under the lock, and nothing of s is touched after it: rpc_server_close may follow at once. */
    mutex_lock(&s->lock);
    atomic_fetch_sub(&s->n_calls, 1);
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}
