/* rpc_fixture.h: a loop, a server on a port the kernel chose, a channel to it, and a gate to await
 * conditions with (no test sleeps; a gate that does not open in 20 s fails the test). */
#ifndef T_RPC_FIXTURE_H
#define T_RPC_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "rpc/client.h"
#include "rpc/health.h"
#include "rpc/server.h"
#include "t/only.h"

#define WAIT_US test_wait_us()

struct gate {
    struct mutex m;
    struct cond c;
    int n;
};

static inline void gate_init(struct gate *g)
{
    mutex_init(&g->m);
    cond_init(&g->c);
    g->n = 0;
}
static inline void gate_free(struct gate *g)
{
    cond_destroy(&g->c);
    mutex_destroy(&g->m);
}
static inline void gate_add(struct gate *g)
{
    mutex_lock(&g->m);
    g->n++;
    cond_broadcast(&g->c);
    mutex_unlock(&g->m);
}
static inline int gate_count(struct gate *g)
{
    int n;

    mutex_lock(&g->m);
    n = g->n;
    mutex_unlock(&g->m);
    return n;
}
/* Awaits n additions in all. */
static inline bool gate_await_until(struct gate *g, int n, int64_t until)
{
    bool in_time = true, is_there;

    mutex_lock(&g->m);
    while (g->n < n && in_time)
        in_time = cond_wait_until(&g->c, &g->m, until);
    is_there = g->n >= n;
    mutex_unlock(&g->m);
    return is_there;
}
static inline void gate_await(struct gate *g, int n)
{
    assert_true(gate_await_until(g, n, clock_mono_us() + WAIT_US));
}

/* Fails the test with the error's text. */
static inline void must_ok(bool ok, const struct error *err)
{
    char text[700];

    if (ok)
        return;
    error_format(err, text, sizeof(text));
    fail_msg("%s", text);
}

struct pair {
    struct rpc_loop *loop;
    struct rpc_server *server;
    struct rpc_channel *ch;
    int port;
};

static inline void pair_open(struct pair *p, const struct rpc_server_config *config)
{
    struct error err;

    memset(p, 0, sizeof(*p));
    must_ok(rpc_loop_open(1, NULL, &p->loop, &err), &err);
    must_ok(rpc_server_open(p->loop, config, NULL, &p->server, &err), &err);
}

static inline void pair_method(struct pair *p, const char *path, enum rpc_kind kind,
                               rpc_handler *handler, void *ctx)
{
    struct rpc_method m = {.path = path, .kind = kind, .handler = handler, .ctx = ctx};
    struct error err;

    must_ok(rpc_server_register(p->server, &m, &err), &err);
}

static inline void pair_listen(struct pair *p, const struct rpc_tls_server *tls)
{
    struct error err;

    must_ok(rpc_server_listen(p->server, "127.0.0.1", 0, tls, &p->port, &err), &err);
    must_ok(rpc_server_start(p->server, &err), &err);
}

static inline struct rpc_channel *channel_to(struct pair *p, struct rpc_channel_config config,
                                             const char *scheme)
{
    struct rpc_channel *ch;
    char endpoint[64];
    struct error err;

    snprintf(endpoint, sizeof(endpoint), "%s://127.0.0.1:%d", scheme, p->port);
    config.endpoint = endpoint;
    must_ok(rpc_channel_open(p->loop, &config, NULL, NULL, &ch, &err), &err);
    return ch;
}

static inline void pair_start(struct pair *p)
{
    pair_listen(p, NULL);
    p->ch = channel_to(p, (struct rpc_channel_config){0}, "http");
}

static inline void pair_close(struct pair *p)
{
    rpc_channel_close(p->ch);
    rpc_server_close(p->server);
    rpc_loop_close(p->loop);
}

static inline struct rpc_result *call_wait_for(struct rpc_channel *ch, const char *method,
                                               struct bytes message)
{
    struct rpc_request rq = {
        .method = method, .message = message, .timeout_us = WAIT_US, .wait_for_ready = true};
    struct rpc_result *r;
    struct error err;

    must_ok(rpc_unary_wait(ch, &rq, &r, &err), &err);
    return r;
}

#define assert_bytes(b, text) assert_true(bytes_equal((b), bytes_str(text)))
#endif
