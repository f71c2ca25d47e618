#include "cli/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "wire/precheck.h"

struct cli_server {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    int64_t timeout_us;
    bool is_timeout_given;
    char url[512];
};

bool cli_connect(struct cli *cli, const char *address, struct cli_server **out, struct error *err)
{
    struct cli_server *s = calloc(1, sizeof(*s));
    struct rpc_tls_client tls = {.trust_file = cli_value(cli, "tls-trust"),
                                 .cert_chain_file = cli_value(cli, "tls-cert"),
                                 .private_key_file = cli_value(cli, "tls-key")};
    bool is_tls = tls.trust_file != NULL || tls.cert_chain_file != NULL;
    /* A person waits: try again soon. */
    struct rpc_channel_config cfg = {.tls = is_tls ? &tls : NULL,
                                     .max_backoff_us = 100 * US_PER_MS};

    if (s == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory");
    s->timeout_us = 10 * US_PER_S;
    s->is_timeout_given = cli_value(cli, "timeout") != NULL;
    if (!cli_duration(cli, "timeout", US_PER_MS, 3600 * US_PER_S, &s->timeout_us)) {
        free(s);
        return error_set(err, ERR_CONFIG, NULL, "--timeout");
    }
    snprintf(s->url, sizeof(s->url), "%s%s",
             strstr(address, "://") != NULL ? ""
             : is_tls                       ? "https://"
                                            : "http://",
             address);
    cfg.endpoint = s->url;
    if (!rpc_loop_open(1, cli_logger(cli), &s->loop, err) ||
        !rpc_channel_open(s->loop, &cfg, NULL, NULL, &s->channel, err)) {
        cli_disconnect(s);
        return false;
    }
    *out = s;
    return true;
}

void cli_disconnect(struct cli_server *s)
{
    if (s == NULL)
        return;
    rpc_channel_close(s->channel);
    rpc_loop_close(s->loop);
    free(s);
}

const char *cli_server_address(const struct cli_server *s)
{
    return strstr(s->url, "://") + 3;
}

int64_t cli_server_timeout(const struct cli_server *s)
{
    return s->timeout_us;
}

void cli_server_wait(struct cli_server *s, int64_t timeout_us)
{
    if (!s->is_timeout_given)
        s->timeout_us = timeout_us;
}

/* "…/Service/Method" is enough for people. */
static const char *short_path(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL ? dot + 1 : path;
}

void *cli_call(struct cli_server *s, const char *path, const void *request,
               const ProtobufCMessageDescriptor *reply, struct error *err)
{
    struct rpc_request rq = {.method = path, .timeout_us = s->timeout_us};
    struct buffer bytes = BUFFER_INIT;
    struct rpc_result *r = NULL;
    void *out = NULL;

    if (wire_pack(request, &bytes, err)) {
        rq.message = buffer_bytes(&bytes);
        if (rpc_unary_wait(s->channel, &rq, &r, err) && rpc_result_ok(r, short_path(path), err))
            out = wire_unpack(reply, r->reply, err);
    }
    if (out == NULL)
        error_add(err, "%s", cli_server_address(s));
    rpc_result_free(r);
    buffer_free(&bytes);
    return out;
}

/* --- streams: messages are taken on the loop's thread, one is asked for when the last is done ---
 */

struct reading {
    struct mutex lock;
    struct cond changed;
    const ProtobufCMessageDescriptor *desc;
    const char *path;
    cli_message_fn *fn;
    void *ctx;
    struct rpc_stream *stream;
    bool is_enough, is_ended, is_ok;
    struct error err;
};

static void on_message(void *ctx, struct bytes message)
{
    struct reading *r = ctx;
    struct error err;
    void *m = wire_unpack(r->desc, message, &err);
    bool more = m != NULL && r->fn(r->ctx, m);

    wire_message_free(m);
    mutex_lock(&r->lock);
    if (m == NULL) {
        r->err = err;
        r->is_ok = false;
    }
    r->is_enough = !more;
    if (more && r->stream != NULL)
        rpc_stream_next(r->stream);
    cond_signal(&r->changed);
    mutex_unlock(&r->lock);
}

static void on_end(void *ctx, const struct rpc_result *result)
{
    struct reading *r = ctx;

    mutex_lock(&r->lock);
    r->is_ended = true;
    if (!r->is_enough)
        r->is_ok = rpc_result_ok(result, r->path, &r->err);
    cond_signal(&r->changed);
    mutex_unlock(&r->lock);
}

bool cli_stream(struct cli_server *s, const char *path, const void *request,
                const ProtobufCMessageDescriptor *message, int64_t deadline_us, cli_message_fn *fn,
                void *ctx, struct error *err)
{
    static const struct rpc_stream_events events = {.message = on_message, .end = on_end};
    struct reading r = {
        .desc = message, .path = short_path(path), .fn = fn, .ctx = ctx, .is_ok = true};
    struct rpc_request rq = {.method = path, .wait_for_ready = false};
    struct buffer bytes = BUFFER_INIT;
    bool is_late = false;

    if (!wire_pack(request, &bytes, err)) {
        buffer_free(&bytes);
        return false;
    }
    rq.message = buffer_bytes(&bytes);
    mutex_init(&r.lock);
    cond_init(&r.changed);
    mutex_lock(&r.lock); /* so that the first message sees r.stream */
    if (!rpc_stream_open(s->channel, &rq, &events, &r, &r.stream, err)) {
        r.is_ended = true;
        r.is_ok = false;
        r.err = *err;
    }
    while (!r.is_ended && !r.is_enough && !is_late)
        is_late = !cond_wait_until(&r.changed, &r.lock, deadline_us);
    if (!r.is_ended) {
        rpc_stream_cancel(r.stream);
        while (!r.is_ended)
            cond_wait(&r.changed, &r.lock);
    }
    mutex_unlock(&r.lock);
    rpc_stream_release(r.stream);
    cond_destroy(&r.changed);
    mutex_destroy(&r.lock);
    buffer_free(&bytes);
    if (is_late && !r.is_enough)
        return error_set(err, ERR_TIMEOUT, "wait longer with --timeout", "%s: no answer from %s",
                         r.path, cli_server_address(s));
    if (!r.is_ok) {
        *err = r.err;
        return error_add(err, "%s", cli_server_address(s));
    }
    return true;
}
