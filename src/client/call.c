/* call.c: one call at one endpoint, awaited, and ended early by client_close. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "client/client_impl.h"
#include "wire/precheck.h"
#include "wire/status.h"

/* ErrorInfo.reason of a grpc-status-details-bin, or "". */
static void read_error_id(struct bytes details, char out[CALL_REASON_MAX])
{
    struct wire_status s;
    char *id;

    out[0] = '\0';
    if (!details.len || !wire_status_parse(details, &s, NULL))
        return;
    id = wire_status_reason(&s);
    if (id)
        snprintf(out, CALL_REASON_MAX, "%s", id);
    free(id);
    wire_status_free(&s);
}

void call_reply_free(struct call_reply *r)
{
    buffer_free(&r->body);
}

static bool trailer_is(const struct rpc_result *r, const char *key, const char *want)
{
    struct bytes v;

    return rpc_result_trailer(r, key, &v) && v.len >= strlen(want) &&
           !memcmp(v.data, want, strlen(want));
}

void call_reply_fill(struct call_reply *out, const struct rpc_result *r)
{
    out->code = r->code;
    snprintf(out->message, sizeof(out->message), "%s", r->message);
    buffer_append_bytes(&out->body, r->reply);
    read_error_id(r->details, out->id);
    out->is_token_bad =
        r->code == RPC_UNAUTHENTICATED ||
        (r->code == RPC_UNAVAILABLE && !strcmp(r->message, "Subscription token has expired"));
    out->is_disabled =
        r->code == RPC_PERMISSION_DENIED || trailer_is(r, "autherrorcode", "MemberAccessDisabled");
}

bool call_headers_make(struct endpoint *e, enum call_auth auth, struct call_headers *h,
                       struct error *err)
{
    struct client *c = e->c;

    h->n = 0;
    h->token_serial = 0;
    if (auth == CALL_PLAIN)
        return true;
    h->md[h->n++] = (struct rpc_md){"memberid", bytes_str(c->member)};
    if (auth == CALL_MEMBER_ID)
        return true;
    mutex_lock(&c->m);
    size_t len = e->token_len;
    memcpy(h->token, e->token, len);
    h->token_serial = e->token_serial;
    memcpy(h->psid, c->psid, sizeof(h->psid));
    mutex_unlock(&c->m);
    if (!len)
        return error_set(err, ERR_UNAVAILABLE, NULL, "%s: not logged in", e->url);
    h->md[h->n++] = (struct rpc_md){"synchronizerid", bytes_str(h->psid)};
    h->md[h->n++] = (struct rpc_md){"authtoken-bin", bytes_of(h->token, len)};
    return true;
}

static void wait_done(void *ctx, const struct rpc_result *r)
{
    struct waiter *w = ctx;
    struct client *c = w->c;

    call_reply_fill(w->reply, r);
    mutex_lock(&c->m);
    w->is_done = true;
    cond_signal(&w->done_cond);
    mutex_unlock(&c->m);
}

/* Waits until wait_done has come; cancels when the client stops. */
static void wait_for(struct client *c, struct waiter *w, struct rpc_op *op)
{
    bool is_cancelled = false;

    mutex_lock(&c->m);
    DL_APPEND(c->waiters, w);
    while (!w->is_done) {
        if (c->is_stopping && !is_cancelled) {
            is_cancelled = true;
            mutex_unlock(&c->m);
            rpc_op_cancel(op);
            mutex_lock(&c->m);
            continue;
        }
        cond_wait(&w->done_cond, &c->m);
    }
    DL_DELETE(c->waiters, w);
    mutex_unlock(&c->m);
}

bool call_wait(struct endpoint *e, const char *method, enum call_auth auth, struct bytes message,
               int64_t timeout_us, struct call_reply *out, struct error *err)
{
    struct client *c = e->c;
    struct call_headers h;
    struct rpc_op *op = NULL;
    struct waiter w = {.reply = out, .c = c};

    *out = (struct call_reply){0};
    if (!call_headers_make(e, auth, &h, err))
        return false;
    mutex_lock(&c->m);
    bool is_stopping = c->is_stopping;
    mutex_unlock(&c->m);
    if (is_stopping)
        return error_set(err, ERR_CLOSED, NULL, "the client is closed");

    struct rpc_request rq = {
        .method = method, .message = message, .md = h.md, .n_md = h.n, .timeout_us = timeout_us};
    cond_init(&w.done_cond);
    bool ok = rpc_unary(e->ch, &rq, wait_done, &w, &op, err);
    if (ok) {
        wait_for(c, &w, op);
        rpc_op_release(op);
        if (!buffer_ok(&out->body, err)) {
            call_reply_free(out);
            ok = false;
        } else if (auth == CALL_TOKEN) {
            endpoint_judge(e, out, h.token_serial);
        }
    }
    cond_destroy(&w.done_cond);
    return ok;
}

bool call_proto(struct endpoint *e, const char *method, enum call_auth auth, const void *message,
                const ProtobufCMessageDescriptor *reply_desc, void **reply_message,
                struct call_reply *reply, struct error *err)
{
    struct buffer b = BUFFER_INIT;
    bool ok = false;

    *reply_message = NULL;
    *reply = (struct call_reply){0};
    if (!wire_pack(message, &b, err))
        goto out;
    if (!call_wait(e, method, auth, buffer_bytes(&b), e->c->call_timeout_us, reply, err))
        goto out;
    if (reply->code != RPC_OK) {
        rpc_status_error(method, reply->code, reply->message, err);
        goto out;
    }
    *reply_message = wire_unpack(reply_desc, buffer_bytes(&reply->body), err);
    ok = *reply_message;
out:
    buffer_free(&b);
    call_reply_free(reply);
    return ok;
}
