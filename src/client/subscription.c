/* subscription.c: the delivery thread. It chooses an endpoint, subscribes behind the last event,
 * checks and hands over, and when the stream breaks goes to another endpoint at once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/client_impl.h"
#include "client/received.h"
#include "sequencer_api_v30.pb-c.h"

#define SUBSCRIBE "/com.digitalasset.canton.sequencer.api.v30.SequencerService/Subscribe"

/* How a subscription came to its end. */
enum sub_end {
    SUB_LOST,  /* go on at once, at another endpoint if there is one */
    SUB_AGAIN, /* go on at once, the same will do (token) */
    SUB_FAILED /* never go on */
};

struct sub {
    struct client *c;
    struct endpoint *e;
    struct backoff backoff;
    int64_t lost_at; /* monotonic; 0: never connected */
    bool is_connected;
    struct error err;
};

static struct endpoint *wait_endpoint(struct client *c, const struct endpoint *last)
{
    struct endpoint *e = NULL;
    char reason[CLIENT_REASON_MAX];

    mutex_lock(&c->m);
    while (!c->is_stopping && !(e = endpoint_pick(c, last))) {
        if (endpoints_all_fatal(c, reason, sizeof(reason))) {
            mutex_unlock(&c->m);
            client_set_state(c, CLIENT_FAILED, "", 0, ERR_UNAVAILABLE, reason);
            return NULL;
        }
        cond_wait(&c->changed, &c->m);
    }
    if (e)
        e->is_subscribed = true;
    cond_broadcast(&c->changed); /* its keeper probes more often now */
    mutex_unlock(&c->m);
    return e;
}

static void set_connected(struct sub *s)
{
    int64_t outage = s->lost_at ? clock_mono_us() - s->lost_at : 0;

    if (s->is_connected)
        return;
    s->is_connected = true;
    s->lost_at = 0;
    client_set_state(s->c, CLIENT_CONNECTED, s->e->url, outage, ERR_NONE, "");
}

static bool verified(struct client *c, const struct received *r, struct error *err)
{
    /* Nobody can check the first event: the topology to do so begins with it. */
    if (received_previous_ts(r) == CHAIN_NO_TS || !c->cb.verify)
        return true;
    return c->cb.verify(c->cb.ctx, received_ts(r), received_hash(r), received_signature(r), err);
}

static bool hand_over(struct client *c, const struct received *r, struct error *err)
{
    const char *reason = "";
    bool is_error = received_is_error(r, &reason);
    struct client_event ev = {.ts = received_ts(r),
                              .previous_ts = received_previous_ts(r),
                              .content = received_content(r),
                              .hash = *received_hash(r),
                              .event = received_event(r),
                              .traceparent = received_traceparent(r)};

    send_sequenced(c, ev.ts, received_message_id(r), is_error, reason);
    if (c->cb.event && !c->cb.event(c->cb.ctx, &ev, err))
        return false;
    mutex_lock(&c->m);
    c->last_ts = ev.ts;
    mutex_unlock(&c->m);
    return true;
}

/* One message. An event that is not what it should be ends the client: no endpoint is asked for a
 * better one, because two histories exist and a person must look. */
static bool on_message(struct sub *s, struct bytes message, struct error *err)
{
    struct client *c = s->c;
    struct received *r = NULL;
    enum chain_step step;
    bool ok = false;

    if (!received_open(message, &r, err))
        return false;
    struct chain_link l = {.psid = received_psid(r),
                           .ts = received_ts(r),
                           .previous_ts = received_previous_ts(r),
                           .hash = *received_hash(r)};
    if (!chain_check(&c->chain, &l, &step, err) || !verified(c, r, err))
        goto out;
    set_connected(s);
    backoff_reset(&s->backoff);
    if (step == CHAIN_NEXT && !hand_over(c, r, err))
        goto out;
    chain_advance(&c->chain, &l);
    ok = true;
out:
    received_close(r);
    return ok;
}

static enum sub_end on_end(struct sub *s, struct stream *st)
{
    const struct call_reply *end = stream_end(st);
    char text[CLIENT_REASON_MAX];

    endpoint_judge(s->e, end, stream_token_serial(st));
    if (end->is_token_bad) {
        error_set(&s->err, ERR_UNAVAILABLE, NULL, "the token has expired");
        return SUB_AGAIN;
    }
    if (end->code == RPC_OK)
        error_set(&s->err, ERR_UNAVAILABLE, NULL, "the sequencer ended the subscription");
    else
        rpc_status_error("Subscribe", end->code, end->message, &s->err);
    if (end->code == RPC_PERMISSION_DENIED || end->code == RPC_INVALID_ARGUMENT) {
        snprintf(text, sizeof(text), "%.250s", s->err.cause);
        endpoint_lost(s->e, CLIENT_ENDPOINT_FATAL, s->err.code, text);
    }
    return SUB_LOST;
}

static enum sub_end read_stream(struct sub *s, struct stream *st)
{
    struct buffer b = BUFFER_INIT;
    enum sub_end how = SUB_LOST;

    for (;;) {
        enum stream_take took = stream_take(st, INT64_MAX, &b);
        if (took == STREAM_MESSAGE) {
            if (on_message(s, buffer_bytes(&b), &s->err))
                continue;
            how = SUB_FAILED;
        } else if (took == STREAM_ENDED) {
            how = on_end(s, st);
        } else {
            struct client *c = s->c;
            mutex_lock(&c->m);
            error_set(&s->err, s->e->code ? s->e->code : ERR_CONNECTION, NULL, "%.300s",
                      s->e->reason[0] ? s->e->reason : "the endpoint is lost");
            mutex_unlock(&c->m);
        }
        break;
    }
    buffer_free(&b);
    return how;
}

static enum sub_end subscribe_once(struct sub *s)
{
    Seq__SubscriptionRequest rq = SEQ__SUBSCRIPTION_REQUEST__INIT;
    struct client *c = s->c;
    struct stream *st;
    int64_t from;

    mutex_lock(&c->m);
    snprintf(c->chain.psid, sizeof(c->chain.psid), "%s", c->psid);
    mutex_unlock(&c->m);
    chain_resume(&c->chain);
    rq.member = c->member;
    if (chain_start(&c->chain, &from)) {
        rq._timestamp_case = SEQ__SUBSCRIPTION_REQUEST___TIMESTAMP_TIMESTAMP;
        rq.timestamp = from;
    }
    s->is_connected = false;
    if (!stream_open(s->e, SUBSCRIBE, &rq, 0, &st, &s->err))
        return SUB_LOST;
    if (!c->chain.is_resuming)
        set_connected(s); /* nothing must come first, so nothing is waited for */
    enum sub_end how = read_stream(s, st);
    stream_close(st);
    return how;
}

/* A hung endpoint is noticed late: it is lost since it last answered. */
static void set_lost(struct sub *s)
{
    struct client *c = s->c;
    int64_t now = clock_mono_us(), since = now;

    if (!s->is_connected && s->lost_at)
        return;
    mutex_lock(&c->m);
    if (s->err.code == ERR_TIMEOUT && s->e->seen_at)
        since = s->e->seen_at;
    mutex_unlock(&c->m);
    s->lost_at = since;
    client_set_state(c, CLIENT_DISCONNECTED, s->e->url, now - since, s->err.code, s->err.cause);
}

/* Before the same endpoint is tried again after a failure, some time passes; another is tried at
 * once. False: stopping. */
static bool pause_for(struct client *c, int64_t us)
{
    int64_t until = clock_mono_us() + us;

    mutex_lock(&c->m);
    while (!c->is_stopping && cond_wait_until(&c->changed, &c->m, until))
        ;
    bool ok = !c->is_stopping;
    mutex_unlock(&c->m);
    return ok;
}

void *subscription_main(void *ctx)
{
    struct client *c = ctx;
    struct sub s = {.c = c, .backoff = BACKOFF_INIT};
    struct endpoint *last = NULL;

    while ((s.e = wait_endpoint(c, last))) {
        bool is_same = s.e == last;
        enum sub_end how;

        if (is_same && !pause_for(c, backoff_next(&s.backoff)))
            break;
        how = subscribe_once(&s);
        mutex_lock(&c->m);
        s.e->is_subscribed = false;
        bool is_stopping = c->is_stopping;
        mutex_unlock(&c->m);
        if (is_stopping)
            break;
        if (how == SUB_FAILED) {
            log_error(c->lg, s.err.code, "the stream of %s at %s is over for good: %s", c->member,
                      s.e->url, s.err.cause);
            client_set_state(c, CLIENT_FAILED, s.e->url, 0, s.err.code, s.err.cause);
            send_close_all(c, s.err.code, s.err.cause);
            break;
        }
        if (how == SUB_LOST)
            set_lost(&s);
        last = how == SUB_LOST ? s.e : NULL;
    }
    return NULL;
}
