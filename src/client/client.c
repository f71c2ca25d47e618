/* client.c: life and state of a client; the machinery is in the files named in client_impl.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/client_impl.h"
#include "crypto/keyring.h"
#include "sequencer_api_v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"

#define ACK "/com.digitalasset.canton.sequencer.api.v30.SequencerService/AcknowledgeSigned"

static int64_t or_default(int64_t v, int64_t otherwise)
{
    return v > 0 ? v : otherwise;
}

static bool check_config(const struct client_config *cfg, struct error *err)
{
    if (!cfg->loop || !cfg->n_endpoints || cfg->n_endpoints > CLIENT_ENDPOINTS_MAX)
        return error_set(err, ERR_CONFIG, NULL, "a client needs 1 to %d endpoints, not %zu",
                         CLIENT_ENDPOINTS_MAX, cfg->n_endpoints);
    if (cfg->member && !cfg->keys)
        return error_set(err, ERR_CONFIG, NULL, "a client of a member needs its keys");
    for (size_t i = 0; i < cfg->n_endpoints; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(cfg->endpoints[i], cfg->endpoints[j]))
                return error_set(err, ERR_CONFIG, NULL, "the endpoint %.200s is listed twice",
                                 cfg->endpoints[i]);
        }
    }
    return true;
}

static bool fill(struct client *c, const struct client_config *cfg, struct error *err)
{
    c->loop = cfg->loop;
    c->lg = cfg->logger;
    c->keys = cfg->keys;
    c->member = strdup(cfg->member ? cfg->member : "");
    c->version = strdup(cfg->client_version ? cfg->client_version : "lockstep-" PACKAGE_VERSION);
    c->call_timeout_us = or_default(cfg->call_timeout_us, 10 * US_PER_S);
    c->probe_us = or_default(cfg->probe_us, 250 * US_PER_MS);
    c->probe_timeout_us = or_default(cfg->probe_timeout_us, US_PER_S);
    c->state.since_at = clock_now_us();
    c->earliest_expiry = INT64_MAX;
    c->last_ts = INT64_MIN;
    c->chain.last_ts = CHAIN_NO_TS;
    if (cfg->psid && strlen(cfg->psid) >= sizeof(c->psid))
        return error_set(err, ERR_CONFIG, NULL, "the psid is too long");
    snprintf(c->psid, sizeof(c->psid), "%s", cfg->psid ? cfg->psid : "");
    c->endpoints = calloc(cfg->n_endpoints, sizeof(*c->endpoints));
    if (!c->member || !c->version || !c->endpoints)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a client");
    return true;
}

bool client_open(const struct client_config *cfg, struct client **out, struct error *err)
{
    struct client *c;

    if (!check_config(cfg, err))
        return false;
    c = calloc(1, sizeof(*c));
    if (!c)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a client");
    mutex_init(&c->m);
    cond_init(&c->changed);
    cond_init(&c->send_changed);
    bool ok = fill(c, cfg, err);
    for (size_t i = 0; ok && i < cfg->n_endpoints; i++) {
        ok = endpoint_open(c, &c->endpoints[i], cfg->endpoints[i], cfg->tls, err);
        if (ok)
            c->n_endpoints++;
    }
    for (size_t i = 0; ok && i < c->n_endpoints; i++)
        ok = endpoint_start(&c->endpoints[i], err);
    ok = ok && thread_start(&c->sender, "ls-send", send_main, c, err);
    if (!ok) {
        client_close(c);
        return false;
    }
    *out = c;
    return true;
}

static void wake_all(struct client *c)
{
    struct waiter *w;

    mutex_lock(&c->m);
    c->is_stopping = true;
    cond_broadcast(&c->changed);
    cond_broadcast(&c->send_changed);
    for (w = c->waiters; w; w = w->next)
        cond_signal(&w->done_cond);
    streams_wake(c);
    mutex_unlock(&c->m);
}

void client_stop(struct client *c)
{
    wake_all(c);
    thread_join(&c->delivery);
    thread_join(&c->sender);
    for (size_t i = 0; i < c->n_endpoints; i++)
        thread_join(&c->endpoints[i].keeper);
    send_close_all(c, ERR_CLOSED, "the client was closed");
}

void client_close(struct client *c)
{
    if (!c)
        return;
    client_stop(c);
    for (size_t i = 0; i < c->n_endpoints; i++)
        rpc_channel_close(c->endpoints[i].ch);
    buffer_free(&c->static_params);
    free(c->endpoints);
    free(c->member);
    free(c->version);
    cond_destroy(&c->send_changed);
    cond_destroy(&c->changed);
    mutex_destroy(&c->m);
    free(c);
}

bool client_wait_info(struct client *c, int64_t deadline_us, struct client_info *out,
                      struct error *err)
{
    char reason[CLIENT_REASON_MAX];
    bool ok = false;

    mutex_lock(&c->m);
    for (;;) {
        if (c->is_stopping) {
            error_set(err, ERR_CLOSED, NULL, "the client is closed");
        } else if (c->has_info) {
            snprintf(out->psid, sizeof(out->psid), "%s", c->psid);
            snprintf(out->sequencer_uid, sizeof(out->sequencer_uid), "%s", c->sequencer_uid);
            out->static_params = (struct buffer)BUFFER_INIT;
            buffer_append_bytes(&out->static_params, buffer_bytes(&c->static_params));
            ok = buffer_ok(&out->static_params, err);
        } else if (endpoints_all_fatal(c, reason, sizeof(reason))) {
            error_set(err, ERR_UNAVAILABLE, NULL, "%s", reason);
        } else if (cond_wait_until(&c->changed, &c->m, deadline_us)) {
            continue;
        } else {
            error_set(err, ERR_TIMEOUT, NULL, "no sequencer answers (%s: %.180s)",
                      c->endpoints[0].url, c->endpoints[0].reason);
        }
        break;
    }
    mutex_unlock(&c->m);
    return ok;
}

void client_login(struct client *c)
{
    mutex_lock(&c->m);
    if (!c->wants_login && *c->member) {
        c->wants_login = true;
        cond_broadcast(&c->changed);
    }
    mutex_unlock(&c->m);
}

bool client_subscribe(struct client *c, const struct client_position *from,
                      const struct client_callbacks *cb, struct error *err)
{
    mutex_lock(&c->m);
    bool is_free = !c->has_subscription && *c->member;
    if (is_free)
        c->has_subscription = true;
    mutex_unlock(&c->m);
    if (!is_free)
        return error_set(err, ERR_REFUSED, NULL, "a client of a member subscribes once");
    c->cb = *cb;
    if (from->is_set) {
        c->chain.last_ts = from->ts;
        c->chain.last_hash = from->hash;
    }
    client_login(c);
    return thread_start(&c->delivery, "ls-delivery", subscription_main, c, err);
}

void client_set_state(struct client *c, enum client_state_kind kind, const char *endpoint,
                      int64_t outage_us, enum error_code code, const char *reason)
{
    struct client_state s = {
        .kind = kind, .since_at = clock_now_us(), .outage_us = outage_us, .code = code};

    if (kind == CLIENT_DISCONNECTED)
        s.since_at -= outage_us;
    snprintf(s.endpoint, sizeof(s.endpoint), "%s", endpoint);
    snprintf(s.reason, sizeof(s.reason), "%.250s", reason);
    mutex_lock(&c->m);
    if (c->is_stopping) {
        mutex_unlock(&c->m);
        return;
    }
    c->state = s;
    c->is_failed = kind == CLIENT_FAILED;
    cond_broadcast(&c->changed);
    mutex_unlock(&c->m);
    if (kind == CLIENT_CONNECTED && outage_us)
        log_info(c->lg, "subscribed at %s, again after %lld ms", endpoint,
                 (long long)(outage_us / US_PER_MS));
    else if (kind == CLIENT_CONNECTED)
        log_info(c->lg, "subscribed at %s", endpoint);
    if (c->cb.state)
        c->cb.state(c->cb.ctx, &s);
}

/* An endpoint with a token, waiting up to the call timeout. */
static struct endpoint *wait_ready(struct client *c, struct error *err)
{
    int64_t deadline = clock_mono_us() + c->call_timeout_us;
    struct endpoint *e = NULL;

    client_login(c);
    mutex_lock(&c->m);
    while (!c->is_stopping && !(e = endpoint_pick(c, NULL)) &&
           cond_wait_until(&c->changed, &c->m, deadline))
        ;
    if (!e)
        error_set(err, ERR_UNAVAILABLE, NULL, "no endpoint is ready (%s: %.180s)",
                  c->endpoints[0].url, c->endpoints[0].reason);
    mutex_unlock(&c->m);
    return e;
}

bool client_ack(struct client *c, int64_t ts, struct error *err)
{
    Seq__AcknowledgeSignedRequest rq = SEQ__ACKNOWLEDGE_SIGNED_REQUEST__INIT;
    struct buffer content = BUFFER_INIT, frame = BUFFER_INIT;
    struct signature sig = {0};
    struct call_reply reply;
    struct endpoint *e;
    struct hash h;
    void *m = NULL;
    bool ok = false;

    if (!acknowledge_build(c->member, ts, &content, err) ||
        !hash_of(HASH_ACKNOWLEDGEMENT, buffer_bytes(&content), &h, err) ||
        !keyring_sign(c->keys, USAGE_PROTOCOL, NULL, 0, &h, &sig, err) ||
        !signed_content_build(buffer_bytes(&content), &sig, NULL, &frame, err))
        goto out;
    rq.signed_acknowledge_request.data = frame.data;
    rq.signed_acknowledge_request.len = frame.len;
    e = wait_ready(c, err);
    ok = e && call_proto(e, ACK, CALL_TOKEN, &rq, &seq__acknowledge_signed_response__descriptor, &m,
                         &reply, err);
    wire_message_free(m);
out:
    signature_free(&sig);
    buffer_free(&frame);
    buffer_free(&content);
    return ok;
}

void client_status(struct client *c, struct client_status *out)
{
    memset(out, 0, sizeof(*out));
    mutex_lock(&c->m);
    out->state = c->state;
    out->last_ts = c->last_ts;
    out->open_sends = c->n_sends;
    out->n_endpoints = c->n_endpoints;
    for (size_t i = 0; i < c->n_endpoints; i++) {
        const struct endpoint *e = &c->endpoints[i];
        struct client_endpoint_status *s = &out->endpoints[i];

        memcpy(s->url, e->url, sizeof(s->url));
        memcpy(s->reason, e->reason, sizeof(s->reason));
        s->health = e->health;
        s->is_subscribed = e->is_subscribed;
    }
    mutex_unlock(&c->m);
}
