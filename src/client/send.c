/* send.c: submissions in flight.
 *
 *   client_send -> try -> answer -> ACCEPTED | REFUSED | UNKNOWN | again (sender thread)
 *   the own stream -> SEQUENCED | REJECTED | EXPIRED
 *
 * Invariants: a send is in `sends` until its last callback is decided; whoever takes it out calls
 * `sequenced`; `accepted` comes before. A send is repeated only when its bytes make a double
 * impossible, or when the answer says that nothing was done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/random.h"
#include "client/client_impl.h"
#include "crypto/keyring.h"
#include "rpc/trace.h"
#include "sequencer_api_v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"
#include "wire/submission.h"

#define SEND_ASYNC        "/com.digitalasset.canton.sequencer.api.v30.SequencerService/SendAsync"

#define SENDS_MAX         10000
#define REPEAT_TIMEOUT_US (2 * US_PER_S)
#define NO_ENDPOINT_US    US_PER_S /* how often the time of a send that waits for one is looked at */
#define PROOF_WAIT_US     (10 * US_PER_S)
#define PROOF_RETRY_US    (200 * US_PER_MS)

struct open_send {
    UT_hash_handle hh;
    struct open_send *next, *prev; /* in client.retries */
    struct client *c;
    char message_id[CLIENT_MESSAGE_ID_MAX * 4 + 1];
    struct buffer frame; /* SendAsyncRequest */
    int64_t max_sequencing_us, timeout_us;
    struct trace_context trace;
    bool is_repeatable;
    client_send_fn *accepted, *sequenced;
    void *ctx;
    /* guarded by client.m */
    int refs;                            /* the hash, the retry list, the call in flight */
    bool is_answered, is_firing, is_out; /* is_out: not in the hash any more */
    bool was_unknown;                    /* a try ended without saying what became of it */
    struct endpoint *tried;
    struct backoff backoff;
    int64_t retry_at;
    bool wants_endpoint; /* there was none: due as soon as there is one */
};

/* One try. */
struct attempt {
    struct open_send *s;
    struct endpoint *e;
    uint64_t token_serial;
};

/* Not inlined: gcc -O2 follows two of them in a row and takes the count for a use after free. */
__attribute__((noinline)) static void send_unref(struct client *c, struct open_send *s)
    REQUIRES(c->m)
{
    (void)c; /* the lock of */
    if (--s->refs)
        return;
    buffer_free(&s->frame);
    free(s);
}

static void take_out(struct client *c, struct open_send *s) REQUIRES(c->m)
{
    HASH_DEL(c->sends, s);
    c->n_sends--;
    s->is_out = true;
}

static void report(client_send_fn *fn, struct open_send *s, enum client_send_result result,
                   int64_t ts, const char *reason, const struct endpoint *e,
                   const struct error *err)
{
    struct client_send_report r = {.result = result,
                                   .message_id = s->message_id,
                                   .ts = ts,
                                   .reason = reason,
                                   .endpoint = e ? e->url : "",
                                   .error = err};
    if (fn)
        fn(s->ctx, &r);
}

/* Calls `accepted` once. Gives the lock up meanwhile. */
static void fire_accepted(struct client *c, struct open_send *s, enum client_send_result result,
                          const char *reason, const struct endpoint *e, const struct error *err)
    REQUIRES(c->m)
{
    if (s->is_answered)
        return;
    s->is_answered = true;
    s->is_firing = true;
    s->refs++;
    mutex_unlock(&c->m);
    report(s->accepted, s, result, 0, reason, e, err);
    mutex_lock(&c->m);
    s->is_firing = false;
    send_unref(c, s);
    cond_broadcast(&c->send_changed);
}

/* Calls `sequenced` of a send that the caller has taken out, after `accepted` has returned. Drops
 * the reference of the hash. Gives the lock up meanwhile. */
static void fire_sequenced(struct client *c, struct open_send *s, enum client_send_result result,
                           int64_t ts, const char *reason, const struct error *err) REQUIRES(c->m)
{
    bool is_told = result == CLIENT_SEND_REFUSED || result == CLIENT_SEND_CLOSED;

    fire_accepted(c, s,
                  is_told                         ? result
                  : result == CLIENT_SEND_EXPIRED ? CLIENT_SEND_UNKNOWN
                                                  : CLIENT_SEND_ACCEPTED,
                  reason, NULL, err);
    while (s->is_firing)
        cond_wait(&c->send_changed, &c->m);
    mutex_unlock(&c->m);
    report(s->sequenced, s, result, ts, reason, NULL, err);
    mutex_lock(&c->m);
    send_unref(c, s);
}

enum answer { ANSWER_OK, ANSWER_REFUSED, ANSWER_AGAIN, ANSWER_UNKNOWN };

/* What a status says about a submission (interop, "SendAsync outcome table"). AGAIN: surely not
 * processed, and another endpoint or moment may take it. */
static enum answer classify(const struct call_reply *r)
{
    switch (r->code) {
    case RPC_OK:
    case RPC_ALREADY_EXISTS:
        return ANSWER_OK;
    case RPC_UNAUTHENTICATED:
        return ANSWER_AGAIN;
    case RPC_ABORTED:
        return strcmp(r->id, "SEQUENCER_OVERLOADED") ? ANSWER_REFUSED : ANSWER_AGAIN;
    case RPC_INVALID_ARGUMENT:
    case RPC_NOT_FOUND:
    case RPC_PERMISSION_DENIED:
    case RPC_RESOURCE_EXHAUSTED:
    case RPC_FAILED_PRECONDITION:
    case RPC_OUT_OF_RANGE:
        return ANSWER_REFUSED;
    case RPC_CANCELLED:
    case RPC_UNKNOWN:
    case RPC_DEADLINE_EXCEEDED:
    case RPC_UNIMPLEMENTED:
    case RPC_INTERNAL:
    case RPC_UNAVAILABLE:
    case RPC_DATA_LOSS:
        break;
    }
    return ANSWER_UNKNOWN;
}

static void queue_retry(struct client *c, struct open_send *s) REQUIRES(c->m)
{
    s->retry_at = clock_mono_us() + backoff_next(&s->backoff);
    s->refs++;
    DL_APPEND(c->retries, s);
    cond_broadcast(&c->send_changed);
}

/* No further try: tells what is known. */
static void give_up(struct client *c, struct open_send *s, const char *reason,
                    const struct endpoint *e, const struct error *err) REQUIRES(c->m)
{
    if (s->was_unknown) {
        bool is_tracked = s->sequenced;

        if (!is_tracked)
            take_out(c, s);
        fire_accepted(c, s, CLIENT_SEND_UNKNOWN, reason, e, err);
        if (!is_tracked)
            send_unref(c, s);
        return;
    }
    take_out(c, s);
    fire_accepted(c, s, CLIENT_SEND_REFUSED, reason, e, err);
    fire_sequenced(c, s, CLIENT_SEND_REFUSED, 0, reason, err);
}

static void on_reply(struct client *c, struct open_send *s, struct endpoint *e,
                     const struct call_reply *r) REQUIRES(c->m)
{
    enum answer a = classify(r);
    struct error err = {0};

    if (a == ANSWER_OK) {
        bool is_tracked = s->sequenced;
        if (!is_tracked)
            take_out(c, s);
        fire_accepted(c, s, CLIENT_SEND_ACCEPTED, "", e, NULL);
        if (!is_tracked)
            send_unref(c, s);
        return;
    }
    rpc_status_error("SendAsync", r->code, r->message, &err);
    s->was_unknown = s->was_unknown || a == ANSWER_UNKNOWN;
    if (s->is_repeatable ? a != ANSWER_REFUSED : r->code == RPC_UNAUTHENTICATED) {
        s->tried = e;
        queue_retry(c, s);
        return;
    }
    give_up(c, s, r->id, e, &err);
}

static void on_answer(void *ctx, const struct rpc_result *result)
{
    struct attempt *at = ctx;
    struct open_send *s = at->s;
    struct endpoint *e = at->e;
    struct client *c = s->c;
    struct call_reply r = {0};

    call_reply_fill(&r, result);
    endpoint_judge(e, &r, at->token_serial);
    free(at);
    mutex_lock(&c->m);
    if (!s->is_out && !c->is_stopping)
        on_reply(c, s, e, &r);
    send_unref(c, s);
    mutex_unlock(&c->m);
    call_reply_free(&r);
}

/* Sends at e. False: it did not go out, nothing will come. */
static bool try_at(struct open_send *s, struct endpoint *e, struct error *err)
{
    struct attempt *at = calloc(1, sizeof(*at));
    struct call_headers h;
    struct trace_context span = trace_child(&s->trace);
    struct rpc_md md[4];

    if (!at)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a send");
    if (!call_headers_make(e, CALL_TOKEN, &h, err)) {
        free(at);
        return false;
    }
    *at = (struct attempt){.s = s, .e = e, .token_serial = h.token_serial};
    memcpy(md, h.md, h.n * sizeof(*md));
    md[h.n] = (struct rpc_md){"traceparent", bytes_str(span.parent)};
    struct rpc_request rq = {.method = SEND_ASYNC,
                             .message = buffer_bytes(&s->frame),
                             .md = md,
                             .n_md = h.n + 1,
                             .timeout_us = s->timeout_us};
    if (rpc_unary(e->ch, &rq, on_answer, at, NULL, err))
        return true;
    free(at);
    return false;
}

/* Frames and signs. */
static bool make_frame(struct client *c, const struct client_send *in, struct buffer *out,
                       struct error *err)
{
    Seq__SendAsyncRequest rq = SEQ__SEND_ASYNC_REQUEST__INIT;
    struct buffer signed_bytes = BUFFER_INIT;
    struct signature sig = {0};
    struct hash h;
    bool ok = false;

    if (!hash_of(HASH_SUBMISSION_REQUEST, in->request, &h, err) ||
        !keyring_sign(c->keys, USAGE_PROTOCOL, NULL, 0, &h, &sig, err))
        return false;
    if (!signed_content_build(in->request, &sig, NULL, &signed_bytes, err))
        goto out;
    rq.signed_submission_request.data = signed_bytes.data;
    rq.signed_submission_request.len = signed_bytes.len;
    ok = wire_pack(&rq, out, err);
out:
    signature_free(&sig);
    buffer_free(&signed_bytes);
    return ok;
}

static struct open_send *make_send(struct client *c, const struct client_send *in,
                                   struct error *err)
{
    struct open_send *s = NULL;
    int64_t timeout = in->timeout_us ? in->timeout_us : c->call_timeout_us;

    if (strlen(in->message_id) >= sizeof(s->message_id) || !c->keys) {
        error_set(err, ERR_CONFIG, NULL, "a send without keys or with a too long message id");
        return NULL;
    }
    s = calloc(1, sizeof(*s));
    if (!s) {
        error_set(err, ERR_MEMORY, NULL, "no memory for a send");
        return NULL;
    }
    if (!in->timeout_us && in->is_repeatable && timeout > REPEAT_TIMEOUT_US)
        timeout = REPEAT_TIMEOUT_US;
    s->c = c;
    snprintf(s->message_id, sizeof(s->message_id), "%s", in->message_id);
    s->max_sequencing_us = in->max_sequencing_us;
    (void)trace_parse(&s->trace, bytes_str(in->traceparent ? in->traceparent : ""),
                      bytes_of(NULL, 0));
    s->timeout_us = timeout;
    s->is_repeatable = in->is_repeatable;
    s->accepted = in->accepted;
    s->sequenced = in->sequenced;
    s->ctx = in->ctx;
    s->refs = 1;
    s->backoff = (struct backoff)BACKOFF_INIT;
    if (!make_frame(c, in, &s->frame, err)) {
        buffer_free(&s->frame);
        free(s);
        return NULL;
    }
    return s;
}

/* Into the hash, if there is room and somewhere to send to. *e: NULL: waits for an endpoint. */
static bool enter(struct client *c, struct open_send *s, struct endpoint **e, struct error *err)
    REQUIRES(c->m)
{
    struct open_send *other;

    *e = NULL;
    if (c->is_stopping || c->is_failed)
        return error_set(err, ERR_CLOSED, NULL, "the client is closed or has failed");
    if (c->n_sends >= SENDS_MAX)
        return error_set(err, ERR_OVERLOADED, NULL, "%d sends are open", SENDS_MAX);
    HASH_FIND_STR(c->sends, s->message_id, other);
    if (other)
        return error_set(err, ERR_DUPLICATE, NULL, "message id %s is in use", s->message_id);
    *e = endpoint_pick(c, NULL);
    if (!*e && !s->is_repeatable)
        return error_set(err, ERR_UNAVAILABLE, NULL, "no endpoint is ready (%s: %.180s)",
                         c->endpoints[0].url, c->endpoints[0].reason);
    HASH_ADD_STR(c->sends, message_id, s);
    c->n_sends++;
    if (s->sequenced && s->max_sequencing_us < c->earliest_expiry)
        c->earliest_expiry = s->max_sequencing_us;
    s->refs++; /* the caller's */
    return true;
}

bool client_send(struct client *c, const struct client_send *in, struct error *err)
{
    struct open_send *s;
    struct endpoint *e;

    client_login(c);
    s = make_send(c, in, err);
    if (!s)
        return false;
    mutex_lock(&c->m);
    bool ok = enter(c, s, &e, err);
    if (!ok) {
        send_unref(c, s);
        mutex_unlock(&c->m);
        return false;
    }
    mutex_unlock(&c->m);
    if (e && try_at(s, e, err))
        return true; /* the reference is the attempt's */

    mutex_lock(&c->m);
    if (s->is_repeatable) {
        queue_retry(c, s);
    } else {
        take_out(c, s);
        send_unref(c, s);
        ok = false;
    }
    send_unref(c, s);
    mutex_unlock(&c->m);
    return ok;
}

/* Sends s again, or gives it up when its time is over. */
static void retry_one(struct client *c, struct open_send *s) REQUIRES(c->m)
{
    struct endpoint *e = endpoint_pick(c, s->tried);
    struct error err = {0};

    if (s->max_sequencing_us < clock_now_us()) {
        error_set(&err, ERR_TIMEOUT, NULL, "no sequencer took it in time");
        give_up(c, s, "", s->tried, &err);
    } else if (!e) {
        s->wants_endpoint = true;
        s->retry_at = clock_mono_us() + NO_ENDPOINT_US;
        s->refs++;
        DL_APPEND(c->retries, s);
    } else {
        s->wants_endpoint = false;
        s->refs++;
        mutex_unlock(&c->m);
        bool ok = try_at(s, e, &err);
        mutex_lock(&c->m);
        if (!ok) {
            if (!s->is_out)
                queue_retry(c, s);
            send_unref(c, s);
        }
    }
}

/* The sender thread: repeats what is due. */
void *send_main(void *ctx)
{
    struct client *c = ctx;

    mutex_lock(&c->m);
    while (!c->is_stopping) {
        int64_t now = clock_mono_us(), next = INT64_MAX;
        struct open_send *s, *due = NULL;

        DL_FOREACH(c->retries, s)
        {
            if (s->is_out || s->retry_at <= now) {
                due = s;
                break;
            }
            if (s->retry_at < next)
                next = s->retry_at;
        }
        if (due) {
            DL_DELETE(c->retries, due);
            if (!due->is_out)
                retry_one(c, due);
            send_unref(c, due);
        } else if (next == INT64_MAX) {
            cond_wait(&c->send_changed, &c->m);
        } else {
            (void)cond_wait_until(&c->send_changed, &c->m, next);
        }
    }
    mutex_unlock(&c->m);
    return NULL;
}

/* Takes out one send that can no longer be sequenced, or NULL; learns the next expiry. */
static struct open_send *take_expired(struct client *c, int64_t ts) REQUIRES(c->m)
{
    struct open_send *s, *tmp;
    int64_t earliest = INT64_MAX;

    if (ts <= c->earliest_expiry)
        return NULL;
    HASH_ITER(hh, c->sends, s, tmp)
    {
        if (!s->sequenced)
            continue;
        if (s->max_sequencing_us < ts) {
            take_out(c, s);
            return s;
        }
        if (s->max_sequencing_us < earliest)
            earliest = s->max_sequencing_us;
    }
    c->earliest_expiry = earliest;
    return NULL;
}

void send_sequenced(struct client *c, int64_t ts, const char *message_id, bool is_error,
                    const char *reason)
{
    struct open_send *s = NULL;
    struct error err = {0};

    mutex_lock(&c->m);
    if (message_id) {
        HASH_FIND_STR(c->sends, message_id, s);
        if (!strcmp(message_id, c->proof_id))
            c->proof_until = 0;
    }
    if (s) {
        take_out(c, s);
        if (is_error)
            error_set(&err, ERR_REFUSED, NULL, "refused at sequencing: %.300s", reason);
        fire_sequenced(c, s, is_error ? CLIENT_SEND_REJECTED : CLIENT_SEND_SEQUENCED, ts, reason,
                       is_error ? &err : NULL);
    }
    while ((s = take_expired(c, ts))) {
        error_set(&err, ERR_TIMEOUT, NULL, "not sequenced in time");
        fire_sequenced(c, s, CLIENT_SEND_EXPIRED, ts, "", &err);
    }
    mutex_unlock(&c->m);
}

void send_close_all(struct client *c, enum error_code code, const char *why)
{
    struct open_send *s;
    struct error err;

    error_set(&err, code, NULL, "%.300s", why);
    mutex_lock(&c->m);
    while ((s = c->sends)) {
        take_out(c, s);
        fire_sequenced(c, s, CLIENT_SEND_CLOSED, 0, "", &err);
    }
    while (c->is_stopping && (s = c->retries)) {
        DL_DELETE(c->retries, s);
        send_unref(c, s);
    }
    mutex_unlock(&c->m);
}

bool client_is_time_proof(const char *message_id)
{
    return message_id && !strncmp(message_id, "tick-", 5);
}

static void proof_answered(void *ctx, const struct client_send_report *r)
{
    struct client *c = ctx;

    if (r->result == CLIENT_SEND_ACCEPTED)
        return;
    mutex_lock(&c->m);
    c->proof_until = clock_mono_us() + PROOF_RETRY_US;
    mutex_unlock(&c->m);
}

void client_time_proof(struct client *c)
{
    char id[CLIENT_MESSAGE_ID_MAX + 1] = "tick-";
    struct submission sub = {0};
    struct error err;
    int64_t now = clock_mono_us();

    random_uuid(id + 5);
    mutex_lock(&c->m);
    bool is_due = c->proof_until <= now && !c->is_stopping;
    if (is_due) {
        c->proof_until = now + PROOF_WAIT_US;
        snprintf(c->proof_id, sizeof(c->proof_id), "%s", id);
    }
    mutex_unlock(&c->m);
    if (!is_due)
        return;
    bool ok = submission_time_proof(c->member, id, &sub, &err);
    if (ok) {
        struct client_send in = {.request = buffer_bytes(&sub.raw),
                                 .message_id = id,
                                 .max_sequencing_us = sub.max_sequencing_time,
                                 .accepted = proof_answered,
                                 .ctx = c};
        ok = client_send(c, &in, &err);
    }
    if (!ok) {
        mutex_lock(&c->m);
        c->proof_until = now + PROOF_RETRY_US;
        mutex_unlock(&c->m);
        log_debug(c->lg, "no time proof: %s", err.cause);
    }
    submission_free(&sub);
}
