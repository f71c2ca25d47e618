/* endpoint.c: the keeper of one endpoint. It connects, validates, logs in and probes, over and
 * over; everybody else asks endpoint_pick for one that is ready.
 *
 *   CONNECTING -> OK -> DOWN -> CONNECTING ...      FATAL: the keeper has ended */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "client/client_impl.h"

#define SAY_US       (3 * US_PER_S) /* without a connection: a start may take that long */
#define SAY_AGAIN_US (60 * US_PER_S)
/* An idle endpoint is probed this many times less often than the one in use. */
#define IDLE_PROBE_FACTOR 4

static void lost_locked(struct client *c, struct endpoint *e, enum client_endpoint_health health,
                        enum error_code code, const char *reason) REQUIRES(c->m)
{
    e->health = health;
    e->code = code;
    snprintf(e->reason, sizeof(e->reason), "%s", reason);
    cond_broadcast(&c->changed);
    cond_broadcast(&c->send_changed);
    streams_wake(c);
}

void endpoint_lost(struct endpoint *e, enum client_endpoint_health health, enum error_code code,
                   const char *reason)
{
    struct client *c = e->c;
    bool is_news;

    mutex_lock(&c->m);
    is_news = e->health == CLIENT_ENDPOINT_OK && !c->is_stopping;
    lost_locked(c, e, health, code, reason);
    mutex_unlock(&c->m);
    if (is_news)
        log_warn(c->lg, code, "endpoint %s is lost: %s", e->url, reason);
}

static void on_channel_state(void *ctx, enum rpc_state s)
{
    struct endpoint *e = ctx;
    struct client *c = e->c;

    mutex_lock(&c->m);
    e->rpc = s;
    if (s != RPC_READY && e->health != CLIENT_ENDPOINT_FATAL) {
        if (e->health == CLIENT_ENDPOINT_OK)
            lost_locked(c, e, CLIENT_ENDPOINT_DOWN, ERR_CONNECTION, "the connection broke");
        else if (s == RPC_TRANSIENT_FAILURE)
            lost_locked(c, e, CLIENT_ENDPOINT_DOWN, ERR_CONNECTION, "no connection");
    }
    cond_broadcast(&c->changed);
    mutex_unlock(&c->m);
}

bool endpoint_open(struct client *c, struct endpoint *e, const char *url,
                   const struct rpc_tls_client *tls, struct error *err)
{
    struct rpc_channel_config cfg = {.endpoint = url, .tls = tls};

    if (strlen(url) >= sizeof(e->url))
        return error_set(err, ERR_CONFIG, NULL, "the endpoint %.40s... is too long", url);
    e->c = c;
    snprintf(e->url, sizeof(e->url), "%s", url);
    return rpc_channel_open(c->loop, &cfg, on_channel_state, e, &e->ch, err);
}

/* A call that fails at once tells why there is no connection, which the channel's state does not.
 */
static void say_why(struct endpoint *e)
{
    struct client *c = e->c;
    struct error err;

    if (connect_probe(e, &err))
        return;
    mutex_lock(&c->m);
    bool is_news = !c->is_stopping && e->health != CLIENT_ENDPOINT_OK;
    if (is_news)
        snprintf(e->reason, sizeof(e->reason), "%.*s", CLIENT_REASON_MAX - 1, err.cause);
    mutex_unlock(&c->m);
    if (is_news)
        log_warn(c->lg, ERR_CONNECTION, "endpoint %s cannot be reached: %s%s", e->url, err.cause,
                 strstr(err.cause, "certificate")
                     ? "; check trust-collection-file, and that the certificate names the host"
                     : "");
}

static bool wait_channel(struct endpoint *e)
{
    struct client *c = e->c;
    int64_t say_at = clock_mono_us() + SAY_US;

    mutex_lock(&c->m);
    while (!c->is_stopping && e->rpc != RPC_READY) {
        if (cond_wait_until(&c->changed, &c->m, say_at) || clock_mono_us() < say_at)
            continue;
        say_at = clock_mono_us() + SAY_AGAIN_US;
        mutex_unlock(&c->m);
        say_why(e);
        mutex_lock(&c->m);
    }
    bool ok = !c->is_stopping;
    if (ok) {
        e->health = CLIENT_ENDPOINT_CONNECTING;
        e->must_recheck = false;
    }
    mutex_unlock(&c->m);
    return ok;
}

/* Waits; false when the client stops. */
static bool rest(struct endpoint *e, int64_t us)
{
    struct client *c = e->c;
    int64_t until = clock_mono_us() + us;

    mutex_lock(&c->m);
    while (!c->is_stopping && cond_wait_until(&c->changed, &c->m, until))
        ;
    bool ok = !c->is_stopping;
    mutex_unlock(&c->m);
    return ok;
}

static bool needs_login(const struct client *c, const struct endpoint *e) REQUIRES(c->m)
{
    return c->wants_login && (!e->token_len || clock_mono_us() >= e->token_renew_at);
}

/* Sets OK and waits until there is something to do: probe, log in, leave. False: leave. */
static bool keep_waiting(struct endpoint *e, bool *is_login)
{
    struct client *c = e->c;

    mutex_lock(&c->m);
    e->seen_at = clock_mono_us();
    if (e->rpc == RPC_READY && !needs_login(c, e) && e->health != CLIENT_ENDPOINT_OK) {
        e->health = CLIENT_ENDPOINT_OK;
        e->reason[0] = '\0';
        e->code = ERR_NONE;
        cond_broadcast(&c->changed);
        cond_broadcast(&c->send_changed);
    }
    int64_t start = clock_mono_us();
    while (!c->is_stopping && e->rpc == RPC_READY && !e->must_recheck && !needs_login(c, e)) {
        int64_t until = start + c->probe_us * (e->is_subscribed ? 1 : IDLE_PROBE_FACTOR);
        if (e->token_len && e->token_renew_at < until)
            until = e->token_renew_at;
        if (!cond_wait_until(&c->changed, &c->m, until))
            break;
    }
    e->must_recheck = false;
    *is_login = needs_login(c, e);
    bool ok = !c->is_stopping && e->rpc == RPC_READY;
    mutex_unlock(&c->m);
    return ok;
}

/* From a connected channel to its loss. True: it was usable for a while. */
static bool keep_once(struct endpoint *e, bool *is_fatal, struct error *err)
{
    struct client *c = e->c;
    bool was_ok = false, is_login = false;

    *is_fatal = false;
    if (!connect_validate(e, is_fatal, err))
        return false;
    do {
        mutex_lock(&c->m);
        is_login = needs_login(c, e);
        mutex_unlock(&c->m);
        if (is_login && !connect_login(e, is_fatal, err))
            return was_ok;
        if (!connect_probe(e, err))
            return was_ok;
        was_ok = true;
    } while (keep_waiting(e, &is_login));
    error_set(err, ERR_CONNECTION, NULL, "the connection broke");
    return true;
}

static void *keeper_main(void *ctx)
{
    struct endpoint *e = ctx;
    struct backoff backoff = BACKOFF_INIT;
    struct error err;
    bool is_fatal = false;

    while (wait_channel(e)) {
        if (keep_once(e, &is_fatal, &err))
            backoff_reset(&backoff);
        if (is_fatal) {
            log_error(e->c->lg, err.code, "endpoint %s will not be used: %s", e->url, err.cause);
            endpoint_lost(e, CLIENT_ENDPOINT_FATAL, err.code, err.cause);
            break;
        }
        endpoint_lost(e, CLIENT_ENDPOINT_DOWN, err.code, err.cause);
        if (!rest(e, backoff_next(&backoff)))
            break;
    }
    return NULL;
}

bool endpoint_start(struct endpoint *e, struct error *err)
{
    return thread_start(&e->keeper, "ls-endpoint", keeper_main, e, err);
}

static bool is_ready(const struct client *c, const struct endpoint *e)
{
    return e->health == CLIENT_ENDPOINT_OK && (!c->wants_login || e->token_len);
}

bool endpoint_is_ready(struct client *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        if (is_ready(c, &c->endpoints[i]))
            return true;
    }
    return false;
}

struct endpoint *endpoint_pick(struct client *c, const struct endpoint *not_this)
{
    struct endpoint *second = NULL;

    for (size_t i = 0; i < c->n_endpoints; i++) {
        size_t at = (c->next_endpoint + i) % c->n_endpoints;
        struct endpoint *e = &c->endpoints[at];

        if (!is_ready(c, e))
            continue;
        if (e == not_this) {
            second = e;
            continue;
        }
        c->next_endpoint = at + 1;
        return e;
    }
    return second;
}

void endpoint_judge(struct endpoint *e, const struct call_reply *r, uint64_t token_serial)
{
    struct client *c = e->c;

    mutex_lock(&c->m);
    if (r->is_token_bad && token_serial == e->token_serial && e->token_len) {
        e->token_len = 0;
        cond_broadcast(&c->changed);
    }
    if (r->code == RPC_UNAVAILABLE || r->code == RPC_UNIMPLEMENTED) {
        e->must_recheck = true;
        cond_broadcast(&c->changed);
    }
    mutex_unlock(&c->m);
}

bool endpoints_all_fatal(struct client *c, char *reason, size_t size)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        if (c->endpoints[i].health != CLIENT_ENDPOINT_FATAL)
            return false;
    }
    snprintf(reason, size, "no endpoint can be used: %.180s", c->endpoints[0].reason);
    return true;
}
