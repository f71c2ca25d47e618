/* peer.c: our end of the interoperation test. "peer serve" prints its port and serves until stdin
 * closes; "peer call http://host:port" calls the same methods of a foreign server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "rpc/client.h"
#include "rpc/health.h"
#include "rpc/server.h"

#define TIMEOUT_US (20 * US_PER_S)

static int die(const struct error *err)
{
    char text[700];

    error_format(err, text, sizeof(text));
    fprintf(stderr, "peer: %s\n", text);
    return 1;
}

/* ---- serve ---- */

static void echo(void *ctx, struct rpc_call *call)
{
    (void)ctx;
    rpc_call_reply(call, rpc_call_request(call));
}

/* The request's bytes come back as details, two headers as trailers. */
static void refuse(void *ctx, struct rpc_call *call)
{
    struct rpc_status st = {.code = RPC_ABORTED,
                            .message = "SEQUENCER_OVERLOADED(2,0): zu viel – später",
                            .details = rpc_call_request(call)};
    struct rpc_md md[2] = {{"authtoken-bin", bytes_of(NULL, 0)}, {"memberid", bytes_str("?")}};

    (void)ctx;
    (void)rpc_call_header(call, "authtoken-bin", &md[0].value);
    (void)rpc_call_header(call, "memberid", &md[1].value);
    rpc_call_fail(call, &st, md, 2);
}

static void concat(void *ctx, struct rpc_call *call)
{
    struct buffer all = BUFFER_INIT;

    (void)ctx;
    for (size_t i = 0; i < rpc_call_request_count(call); i++)
        buffer_append_bytes(&all, rpc_call_request_at(call, i));
    rpc_call_reply(call, buffer_bytes(&all));
    buffer_free(&all);
}

/* As many messages as the request has bytes, each a byte longer. */
struct count {
    struct rpc_call *call;
    size_t n, max;
    bool is_over;
};

static void count_step(struct count *c)
{
    static const uint8_t zeros[256];

    if (c->is_over)
        return;
    if (c->n < c->max && c->n < sizeof(zeros)) {
        if (rpc_call_write(c->call, bytes_of(zeros, c->n)))
            c->n++;
        return;
    }
    c->is_over = true;
    rpc_call_end(c->call);
}

static void count_written(void *ctx, bool ok)
{
    if (ok)
        count_step(ctx);
}

static void count_cancelled(void *ctx)
{
    struct count *c = ctx;

    if (!c->is_over)
        rpc_call_refuse(c->call, RPC_CANCELLED, "cancelled");
    c->is_over = true;
}

static void count_handler(void *ctx, struct rpc_call *call)
{
    static const struct rpc_call_events ev = {count_written, count_cancelled, free};
    struct count *c = calloc(1, sizeof(*c));

    (void)ctx;
    if (c == NULL) {
        rpc_call_refuse(call, RPC_UNAVAILABLE, "no memory");
        return;
    }
    c->call = call;
    c->max = rpc_call_request(call).len;
    rpc_call_watch(call, &ev, c);
    count_step(c);
}

/* Never answers: the deadline ends it. */
static void never_cancelled(void *ctx)
{
    rpc_call_refuse(ctx, RPC_CANCELLED, "cancelled");
}

static void never(void *ctx, struct rpc_call *call)
{
    static const struct rpc_call_events ev = {.cancelled = never_cancelled};

    (void)ctx;
    rpc_call_watch(call, &ev, call);
}

static int serve(void)
{
    static const struct rpc_method methods[] = {
        {.path = "/t.S/Echo", .kind = RPC_UNARY, .handler = echo},
        {.path = "/t.S/Refuse", .kind = RPC_UNARY, .handler = refuse},
        {.path = "/t.S/Never", .kind = RPC_UNARY, .handler = never},
        {.path = "/t.S/Concat", .kind = RPC_CLIENT_STREAM, .handler = concat},
        {.path = "/t.S/Count", .kind = RPC_SERVER_STREAM, .handler = count_handler},
    };
    const struct rpc_server_config config = {.max_request = 1 << 20};
    struct rpc_server *s;
    struct rpc_loop *loop;
    struct health *h;
    struct error err;
    char c;
    int port;

    if (!rpc_loop_open(2, NULL, &loop, &err) || !rpc_server_open(loop, &config, NULL, &s, &err) ||
        !health_open(&h, &err) || !health_register(h, s, &err) ||
        !health_set(h, "sequencer-health-check-service", HEALTH_SERVING, &err))
        return die(&err);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (!rpc_server_register(s, &methods[i], &err))
            return die(&err);
    if (!rpc_server_listen(s, "127.0.0.1", 0, NULL, &port, &err) || !rpc_server_start(s, &err))
        return die(&err);
    printf("%d\n", port);
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
    health_shutdown(h);
    if (!rpc_server_stop(s, US_PER_S, &err))
        return die(&err);
    rpc_server_close(s);
    health_close(h);
    rpc_loop_close(loop);
    return 0;
}

/* ---- call ---- */

struct stream_state {
    struct mutex m;
    struct cond c;
    struct rpc_stream *st;
    int n;
    bool is_over;
    enum rpc_code code;
};

static void stream_message(void *ctx, struct bytes b)
{
    struct stream_state *s = ctx;

    mutex_lock(&s->m);
    if (b.len == (size_t)s->n)
        s->n++;
    mutex_unlock(&s->m);
    rpc_stream_next(s->st);
}

static void stream_end(void *ctx, const struct rpc_result *r)
{
    struct stream_state *s = ctx;

    mutex_lock(&s->m);
    s->is_over = true;
    s->code = r->code;
    cond_signal(&s->c);
    mutex_unlock(&s->m);
}

static bool call_stream(struct rpc_channel *ch, struct error *err)
{
    static const struct rpc_stream_events ev = {stream_message, stream_end};
    struct rpc_request rq = {.method = "/t.S/Count", .message = bytes_str("12345")};
    struct stream_state s = {.n = 0};

    mutex_init(&s.m);
    cond_init(&s.c);
    if (!rpc_stream_open(ch, &rq, &ev, &s, &s.st, err))
        return false;
    mutex_lock(&s.m);
    while (!s.is_over)
        cond_wait(&s.c, &s.m);
    mutex_unlock(&s.m);
    rpc_stream_release(s.st);
    printf("stream %s %d\n", rpc_code_text(s.code), s.n);
    cond_destroy(&s.c);
    mutex_destroy(&s.m);
    return true;
}

static void print_result(const char *name, const struct rpc_result *r)
{
    struct bytes v = {0};

    printf("%s %s [%s] reply=%.*s details=%.*s", name, rpc_code_text(r->code), r->message,
           (int)r->reply.len, (const char *)r->reply.data, (int)r->details.len,
           (const char *)r->details.data);
    if (rpc_result_trailer(r, "authtoken-bin", &v))
        printf(" token=%02x%02x", v.data[0], v.data[1]);
    printf("\n");
}

static bool call_unary(struct rpc_channel *ch, const char *method, int64_t timeout_us,
                       struct error *err)
{
    struct rpc_md md[] = {{"authtoken-bin", bytes_of("\x00\xff", 2)},
                          {"memberid", bytes_str("PAR::a")}};
    struct rpc_request rq = {.method = method,
                             .message = bytes_str("hello"),
                             .md = md,
                             .n_md = 2,
                             .timeout_us = timeout_us};
    struct rpc_result *r;

    if (!rpc_unary_wait(ch, &rq, &r, err))
        return false;
    print_result(method + strlen("/t.S/"), r);
    rpc_result_free(r);
    return true;
}

static bool call_upload(struct rpc_channel *ch, struct error *err)
{
    struct rpc_request rq = {.method = "/t.S/Concat", .timeout_us = TIMEOUT_US};
    struct bytes part[] = {bytes_str("ab"), bytes_str("cd"), bytes_str("e")};
    struct rpc_result *r;

    if (!rpc_upload_wait(ch, &rq, part, 3, &r, err))
        return false;
    print_result("Concat", r);
    rpc_result_free(r);
    return true;
}

static int call(const char *endpoint)
{
    struct rpc_channel_config config = {.endpoint = endpoint};
    struct rpc_channel *ch;
    struct rpc_loop *loop;
    struct error err;
    bool ok;

    if (!rpc_loop_open(1, NULL, &loop, &err) ||
        !rpc_channel_open(loop, &config, NULL, NULL, &ch, &err))
        return die(&err);
    ok = rpc_channel_wait_ready(ch, TIMEOUT_US, &err) &&
         call_unary(ch, "/t.S/Echo", TIMEOUT_US, &err) &&
         call_unary(ch, "/t.S/Refuse", TIMEOUT_US, &err) &&
         call_unary(ch, "/t.S/Never", 200 * US_PER_MS, &err) &&
         call_unary(ch, "/t.S/Absent", TIMEOUT_US, &err) && call_upload(ch, &err) &&
         call_stream(ch, &err);
    rpc_channel_close(ch);
    rpc_loop_close(loop);
    return ok ? 0 : die(&err);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve();
    if (argc == 3 && strcmp(argv[1], "call") == 0)
        return call(argv[2]);
    fprintf(stderr, "usage: peer serve | peer call ENDPOINT\n");
    return 2;
}
