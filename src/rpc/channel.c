/* channel.c: one endpoint: connecting, and keeping at it.
 *
 * gRPC's own backoff starts at 100 ms at the least. So a watcher looks at the channel's state:
 * while that is a failure, it lets gRPC try again at once after 10 ms, 20 ms, ... up to the
 * maximum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "rpc/client_core.h"

#define TARGET_MAX 300

const char *rpc_state_text(enum rpc_state s)
{
    static const char *const text[] = {
        [RPC_IDLE] = "idle",     [RPC_CONNECTING] = "connecting",
        [RPC_READY] = "ready",   [RPC_TRANSIENT_FAILURE] = "failing",
        [RPC_CLOSED] = "closed",
    };

    return (unsigned)s <= RPC_CLOSED ? text[s] : "unknown";
}

static enum rpc_state state_of(grpc_connectivity_state s)
{
    switch (s) {
    case GRPC_CHANNEL_IDLE:
        return RPC_IDLE;
    case GRPC_CHANNEL_CONNECTING:
        return RPC_CONNECTING;
    case GRPC_CHANNEL_READY:
        return RPC_READY;
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
        return RPC_TRANSIENT_FAILURE;
    case GRPC_CHANNEL_SHUTDOWN:
        break;
    }
    return RPC_CLOSED;
}

static grpc_connectivity_state state_to(enum rpc_state s)
{
    switch (s) {
    case RPC_IDLE:
        return GRPC_CHANNEL_IDLE;
    case RPC_CONNECTING:
        return GRPC_CHANNEL_CONNECTING;
    case RPC_READY:
        return GRPC_CHANNEL_READY;
    case RPC_TRANSIENT_FAILURE:
        return GRPC_CHANNEL_TRANSIENT_FAILURE;
    case RPC_CLOSED:
        break;
    }
    return GRPC_CHANNEL_SHUTDOWN;
}

/* ---- the endpoint ---- */

/* "host:port" of the endpoint and whether it is https. */
static bool endpoint_parse(const char *e, bool *is_tls, const char **host_port, struct error *err)
{
    static const char advice[] = "http://host:port or https://host:port";
    const char *colon, *p;
    long port = 0;

    *host_port = NULL;
    if (e != NULL && strncasecmp(e, "http://", 7) == 0)
        *host_port = e + 7;
    else if (e != NULL && strncasecmp(e, "https://", 8) == 0)
        *host_port = e + 8;
    if (*host_port == NULL)
        return error_set(err, ERR_CONFIG, advice, "endpoint %.200s has no http:// or https://",
                         e != NULL ? e : "(none)");
    *is_tls = *host_port == e + 8;
    colon = strrchr(*host_port, ':');
    for (p = colon != NULL ? colon + 1 : ""; *p >= '0' && *p <= '9' && port <= 65535; p++)
        port = port * 10 + (*p - '0');
    if (*p != '\0' || port < 1 || port > 65535 || colon == *host_port ||
        strlen(*host_port) > TARGET_MAX - 16 ||
        strcspn(*host_port, "/?#@ \t%") != strlen(*host_port))
        return error_set(err, ERR_CONFIG, advice, "endpoint %.200s: host or port is wrong", e);
    return true;
}

/* Addresses need no resolver, and so none of its threads. */
static void target_make(const char *host_port, char *out, size_t size)
{
    size_t host_len = (size_t)(strrchr(host_port, ':') - host_port);

    if (strspn(host_port, "0123456789.") == host_len)
        snprintf(out, size, "ipv4:%s", host_port);
    else if (host_port[0] == '[')
        snprintf(out, size, "ipv6:%s", host_port);
    else
        snprintf(out, size, "dns:///%s", host_port);
}

static int64_t or_default(int64_t v, int64_t def)
{
    return v != 0 ? v : def;
}

static bool config_check(const struct rpc_channel_config *c, struct error *err)
{
    int64_t max_reply = or_default(c->max_reply, 1);
    int64_t lo = or_default(c->min_backoff_us, 10 * US_PER_MS);
    int64_t hi = or_default(c->max_backoff_us, US_PER_S);

    if (max_reply < 1 || max_reply > 1 << 30)
        return error_set(err, ERR_CONFIG, "1 byte to 1 GiB", "maximum reply size %lld",
                         (long long)c->max_reply);
    if (lo < US_PER_MS || hi < lo)
        return error_set(err, ERR_CONFIG, "1 ms or more, maximum not below minimum",
                         "reconnect backoff %lld to %lld us", (long long)lo, (long long)hi);
    if (or_default(c->connect_timeout_us, US_PER_S) < 100 * US_PER_MS ||
        or_default(c->keepalive_us, 40 * US_PER_S) < 10 * US_PER_S ||
        or_default(c->keepalive_timeout_us, US_PER_S) < US_PER_MS)
        return error_set(err, ERR_CONFIG, "connect 100 ms, keepalive 10 s or more",
                         "connect timeout or keepalive out of range");
    return true;
}

static grpc_channel *channel_make(const struct rpc_channel_config *c, const char *target,
                                  grpc_channel_credentials *creds)
{
    struct args a = {.n = 0};
    grpc_channel_args list;

    args_common(&a, or_default(c->max_reply, 128 << 20));
    args_int(&a, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); /* a connection of its own */
    args_int(&a, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    args_int(&a, GRPC_ARG_INHIBIT_HEALTH_CHECKING, 1);
    args_int(&a, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    args_int(&a, GRPC_ARG_ENABLE_RETRIES, 0); /* what is repeated is decided above */
    args_int(&a, GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT32_MAX);
    args_int(&a, GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
    /* gRPC's name for the timeout of one attempt. */
    args_int(&a, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
             or_default(c->connect_timeout_us, 5 * US_PER_S) / US_PER_MS);
    args_int(&a, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    args_int(&a, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
             or_default(c->max_backoff_us, US_PER_S) / US_PER_MS);
    args_int(&a, GRPC_ARG_KEEPALIVE_TIME_MS,
             or_default(c->keepalive_us, 40 * US_PER_S) / US_PER_MS);
    args_int(&a, GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
             or_default(c->keepalive_timeout_us, 15 * US_PER_S) / US_PER_MS);
    args_int(&a, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); /* as many as keepalive wants */
    if (c->tls != NULL && c->tls->server_name != NULL)
        args_str(&a, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, c->tls->server_name);
    list = args_list(&a);
    return grpc_channel_create(target, creds, &list);
}

/* ---- the watcher ---- */

/* While failing it comes back after the backoff, else when the state changes. */
static void watch_next(struct rpc_channel *ch) REQUIRES(ch->lock)
{
    int64_t wait_us = 0;

    if (ch->state == RPC_TRANSIENT_FAILURE) {
        wait_us = ch->backoff_us;
        ch->backoff_us =
            ch->backoff_us * 2 < ch->max_backoff_us ? ch->backoff_us * 2 : ch->max_backoff_us;
    }
    ch->is_watching = true;
    tag_give(&ch->watch_tag);
    grpc_channel_watch_connectivity_state(ch->grpc, state_to(ch->state), deadline_in(wait_us),
                                          loop_queue(ch->loop, 0), &ch->watch_tag);
}

static void watch_came(struct tag *t, bool ok)
{
    struct rpc_channel *ch = CONTAINER_OF(t, struct rpc_channel, watch_tag);
    enum rpc_state now = RPC_CLOSED, old;
    bool is_closing;

    mutex_lock(&ch->lock);
    is_closing = ch->is_closing;
    old = ch->state;
    if (!is_closing) {
        if (!ok && old == RPC_TRANSIENT_FAILURE)
            grpc_channel_reset_connect_backoff(ch->grpc);
        now = state_of(grpc_channel_check_connectivity_state(ch->grpc, 1));
        if (now == RPC_READY)
            ch->backoff_us = ch->min_backoff_us;
    }
    ch->state = now;
    cond_broadcast(&ch->changed);
    mutex_unlock(&ch->lock);
    if (now != old && ch->on_state != NULL)
        ch->on_state(ch->ctx, now);
    mutex_lock(&ch->lock);
    ch->is_watching = false;
    if (!ch->is_closing)
        watch_next(ch);
    cond_broadcast(&ch->changed);
    mutex_unlock(&ch->lock);
}

bool rpc_channel_open(struct rpc_loop *loop, const struct rpc_channel_config *config,
                      rpc_state_changed *on_state, void *ctx, struct rpc_channel **out,
                      struct error *err)
{
    grpc_channel_credentials *creds;
    struct rpc_channel *ch;
    const char *host_port;
    char target[TARGET_MAX];
    sigset_t old;
    bool is_tls = false;

    if (!config_check(config, err) || !endpoint_parse(config->endpoint, &is_tls, &host_port, err))
        return false;
    target_make(host_port, target, sizeof(target));
    creds = is_tls ? tls_client_credentials(config->tls, err) : grpc_insecure_credentials_create();
    if (creds == NULL)
        return false;
    ch = calloc(1, sizeof(*ch));
    if (ch == NULL) {
        grpc_channel_credentials_release(creds);
        return error_set(err, ERR_MEMORY, NULL, "no memory for a channel");
    }
    ch->loop = loop;
    ch->on_state = on_state;
    ch->ctx = ctx;
    ch->min_backoff_us = or_default(config->min_backoff_us, 10 * US_PER_MS);
    ch->max_backoff_us = or_default(config->max_backoff_us, US_PER_S);
    ch->backoff_us = ch->min_backoff_us;
    ch->watch_tag.fn = watch_came;
    mutex_init(&ch->lock);
    cond_init(&ch->changed);
    signals_block(&old);
    ch->grpc = channel_make(config, target, creds);
    signals_restore(&old);
    grpc_channel_credentials_release(creds);
    *out = ch;
    mutex_lock(&ch->lock);
    ch->state = RPC_IDLE;
    (void)grpc_channel_check_connectivity_state(ch->grpc, 1);
    watch_next(ch);
    mutex_unlock(&ch->lock);
    return true;
}

enum rpc_state rpc_channel_state(struct rpc_channel *ch)
{
    enum rpc_state s;

    mutex_lock(&ch->lock);
    s = ch->state;
    mutex_unlock(&ch->lock);
    return s;
}

bool rpc_channel_wait_ready(struct rpc_channel *ch, int64_t timeout_us, struct error *err)
{
    int64_t until = clock_mono_us() + timeout_us;
    bool in_time = true, is_closing;
    enum rpc_state s;

    mutex_lock(&ch->lock);
    while (ch->state != RPC_READY && !ch->is_closing && in_time)
        in_time = cond_wait_until(&ch->changed, &ch->lock, until);
    s = ch->state;
    is_closing = ch->is_closing;
    mutex_unlock(&ch->lock);
    if (is_closing)
        return error_set(err, ERR_CLOSED, NULL, "the channel is being closed");
    if (s != RPC_READY)
        return error_set(err, ERR_TIMEOUT, "is the server running, and the endpoint right?",
                         "no connection after %lld ms: %s", (long long)(timeout_us / US_PER_MS),
                         rpc_state_text(s));
    return true;
}

bool channel_enter(struct rpc_channel *ch, struct client_call *c, struct error *err)
{
    struct call_link *l = client_call_link(c);
    bool ok;

    mutex_lock(&ch->lock);
    ok = !ch->is_closing;
    if (ok) {
        l->prev = NULL;
        l->next = ch->calls;
        if (ch->calls != NULL)
            client_call_link(ch->calls)->prev = c;
        ch->calls = c;
    }
    mutex_unlock(&ch->lock);
    return ok || error_set(err, ERR_CLOSED, NULL, "the channel is being closed");
}

void channel_leave(struct rpc_channel *ch, struct client_call *c)
{
    struct call_link *l = client_call_link(c);

    mutex_lock(&ch->lock);
    if (l->prev != NULL)
        client_call_link(l->prev)->next = l->next;
    else
        ch->calls = l->next;
    if (l->next != NULL)
        client_call_link(l->next)->prev = l->prev;
    if (ch->is_closing)
        cond_broadcast(&ch->changed);
    mutex_unlock(&ch->lock);
}

void rpc_channel_close(struct rpc_channel *ch)
{
    if (ch == NULL)
        return;
    mutex_lock(&ch->lock);
    ch->is_closing = true;
    cond_broadcast(&ch->changed);
    /* Cancelling completes nothing on this thread, so the list stands still under the lock. */
    for (struct client_call *c = ch->calls; c != NULL; c = client_call_link(c)->next)
        client_call_cancel(c);
    while (ch->calls != NULL)
        cond_wait(&ch->changed, &ch->lock);
    mutex_unlock(&ch->lock);
    /* Without a channel gRPC gives the watch back. */
    grpc_channel_destroy(ch->grpc);
    mutex_lock(&ch->lock);
    while (ch->is_watching)
        cond_wait(&ch->changed, &ch->lock);
    mutex_unlock(&ch->lock);
    cond_destroy(&ch->changed);
    mutex_destroy(&ch->lock);
    free(ch);
}
