/* test_rpc.c: servers and channels against each other over loopback. */
#include "rpc_fixture.h"

#include "base/pool.h"

static void echo(void *ctx, struct rpc_call *call)
{
    (void)ctx;
    rpc_call_reply(call, rpc_call_request(call));
}

static void an_answer_comes_back(void **state)
{
    struct rpc_result *r;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Echo", RPC_UNARY, echo, NULL);
    pair_start(&p);
    r = call_wait_for(p.ch, "/t.S/Echo", bytes_str("hello"));
    assert_int_equal(r->code, RPC_OK);
    assert_bytes(r->reply, "hello");
    rpc_result_free(r);
    r = call_wait_for(p.ch, "/t.S/Echo", bytes_str("")); /* empty is a message too */
    assert_int_equal(r->code, RPC_OK);
    assert_int_equal(r->reply.len, 0);
    rpc_result_free(r);
    pair_close(&p);
}

static void an_unknown_method_is_unimplemented(void **state)
{
    struct rpc_result *r;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Echo", RPC_UNARY, echo, NULL);
    pair_start(&p);
    r = call_wait_for(p.ch, "/t.S/Other", bytes_str("x"));
    assert_int_equal(r->code, RPC_UNIMPLEMENTED);
    rpc_result_free(r);
    pair_close(&p);
}

/* ---- answers from another thread ---- */

struct later {
    struct pool *pool;
};

static void later_answer(void *arg)
{
    struct rpc_call *call = arg;

    rpc_call_reply(call, rpc_call_request(call));
}

static void later_handler(void *ctx, struct rpc_call *call)
{
    struct later *l = ctx;
    struct error err;

    must_ok(pool_submit(l->pool, later_answer, call, &err), &err);
}

struct many {
    struct gate done;
    int n_ok;
};

static void many_done(void *ctx, const struct rpc_result *r)
{
    struct many *m = ctx;

    if (r->code == RPC_OK && bytes_equal(r->reply, bytes_str("payload")))
        m->n_ok++; /* all on the loop's one thread */
    gate_add(&m->done);
}

static void a_call_is_answered_later_from_another_thread(void **state)
{
    struct rpc_request rq = {.method = "/t.S/Later",
                             .message = bytes_str("payload"),
                             .timeout_us = WAIT_US,
                             .wait_for_ready = true};
    struct later l;
    struct many m = {.n_ok = 0};
    struct error err;
    struct pair p;

    (void)state;
    gate_init(&m.done);
    must_ok(pool_open("later", 3, 1000, &l.pool, &err), &err);
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Later", RPC_UNARY, later_handler, &l);
    pair_start(&p);
    for (int i = 0; i < 500; i++)
        must_ok(rpc_unary(p.ch, &rq, many_done, &m, NULL, &err), &err);
    gate_await(&m.done, 500);
    assert_int_equal(m.n_ok, 500);
    pair_close(&p);
    pool_close(l.pool);
    gate_free(&m.done);
}

/* ---- headers, status, details, trailers ---- */

static void talk(void *ctx, struct rpc_call *call)
{
    static const uint8_t blob[] = {0, 1, 0xff, 0};
    struct rpc_status st = {
        .code = RPC_UNAUTHENTICATED, .message = "tök\nen", .details = bytes_of("\x08\x10", 2)};
    struct bytes token = {0}, member = {0}, parent = {0};
    struct rpc_md md[3];

    (void)ctx;
    assert_true(rpc_call_header(call, "authtoken-bin", &token));
    assert_true(rpc_call_header(call, "memberid", &member));
    assert_true(rpc_call_header(call, "traceparent", &parent));
    assert_false(rpc_call_header(call, "absent", &parent));
    assert_non_null(strstr(rpc_call_peer(call), "127.0.0.1"));
    assert_null(rpc_call_peer_name(call));
    /* gRPC rounds a timeout up on its way. */
    assert_in_range(rpc_call_deadline_us(call) - clock_mono_us(), 1, WAIT_US + US_PER_S);
    md[0] = (struct rpc_md){"autherrorcode", bytes_str("MissingToken")};
    md[1] = (struct rpc_md){"authtoken-bin", token};
    md[2] = (struct rpc_md){"blob-bin", bytes_of(blob, sizeof(blob))};
    assert_bytes(member, "PAR::a::12");
    rpc_call_fail(call, &st, md, 3);
}

static void headers_status_details_and_trailers_travel(void **state)
{
    const struct rpc_md md[] = {{"authtoken-bin", bytes_of("\x00\xfe\x01", 3)},
                                {"memberid", bytes_str("PAR::a::12")}};
    struct trace_context t;
    struct rpc_request rq = {.method = "/t.S/Talk",
                             .md = md,
                             .n_md = 2,
                             .trace = &t,
                             .timeout_us = WAIT_US,
                             .wait_for_ready = true};
    struct rpc_result *r;
    struct error err;
    struct bytes v;
    struct pair p;

    (void)state;
    trace_make(&t);
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Talk", RPC_UNARY, talk, NULL);
    pair_start(&p);
    must_ok(rpc_unary_wait(p.ch, &rq, &r, &err), &err);
    assert_int_equal(r->code, RPC_UNAUTHENTICATED);
    assert_string_equal(r->message, "tök\nen");
    assert_true(bytes_equal(r->details, bytes_of("\x08\x10", 2)));
    assert_true(rpc_result_trailer(r, "autherrorcode", &v));
    assert_bytes(v, "MissingToken");
    assert_true(rpc_result_trailer(r, "authtoken-bin", &v));
    assert_true(bytes_equal(v, md[0].value));
    assert_true(rpc_result_trailer(r, "blob-bin", &v));
    assert_int_equal(v.len, 4);
    assert_false(rpc_result_ok(r, rq.method, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    rpc_result_free(r);
    pair_close(&p);
}

/* Two bytes too many, in the middle of a character; then bytes that are no UTF-8 at all. */
static void talk_too_much(void *ctx, struct rpc_call *call)
{
    char text[1200];

    (void)ctx;
    if (rpc_call_request(call).len > 0) {
        rpc_call_refuse(call, RPC_INTERNAL, "bad \xff\xfe text");
        return;
    }
    memset(text, 'x', sizeof(text));
    memcpy(text + 1023, "\xc3\xb6", 2);
    text[1199] = '\0';
    rpc_call_fail(call,
                  &(struct rpc_status){
                      .code = RPC_INTERNAL, .message = text, .details = bytes_of(text, 1100)},
                  NULL, 0);
}

static void a_message_is_cut_and_always_utf8(void **state)
{
    struct rpc_result *r;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Talk", RPC_UNARY, talk_too_much, NULL);
    pair_start(&p);
    r = call_wait_for(p.ch, "/t.S/Talk", bytes_str(""));
    assert_int_equal(r->code, RPC_INTERNAL);
    assert_int_equal(strlen(r->message), 1023);
    assert_int_equal(r->details.len, 1100);
    rpc_result_free(r);
    r = call_wait_for(p.ch, "/t.S/Talk", bytes_str("x"));
    assert_string_equal(r->message, "bad ?? text");
    rpc_result_free(r);
    pair_close(&p);
}

static void a_header_that_may_not_be_sent_is_refused(void **state)
{
    const struct rpc_md bad[] = {{"memberId", bytes_str("x")},
                                 {"grpc-timeout", bytes_str("1")},
                                 {"key", bytes_of("\x01", 1)},
                                 {"", bytes_str("x")}};
    struct rpc_request rq = {.method = "/t.S/Echo", .timeout_us = WAIT_US, .n_md = 1};
    struct rpc_result *r;
    struct error err;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Echo", RPC_UNARY, echo, NULL);
    pair_start(&p);
    for (size_t i = 0; i < 4; i++) {
        rq.md = &bad[i];
        assert_false(rpc_unary_wait(p.ch, &rq, &r, &err));
        assert_int_equal(err.code, ERR_CONFIG);
    }
    rq.n_md = 0;
    rq.timeout_us = 0;
    assert_false(rpc_unary_wait(p.ch, &rq, &r, &err)); /* no call waits for ever */
    pair_close(&p);
}

/* ---- limits ---- */

static void an_oversized_request_or_answer_is_resource_exhausted(void **state)
{
    struct rpc_server_config config = {.max_request = 1 << 20};
    struct rpc_channel_config small = {.max_reply = 1000};
    struct buffer big = BUFFER_INIT;
    struct rpc_result *r;
    struct rpc_channel *ch;
    struct pair p;

    (void)state;
    pair_open(&p, &config);
    pair_method(&p, "/t.S/Echo", RPC_UNARY, echo, NULL);
    pair_start(&p);
    assert_non_null(buffer_reserve(&big, 3 << 20));
    memset(big.data, 7, 3 << 20);
    r = call_wait_for(p.ch, "/t.S/Echo", bytes_of(big.data, (1 << 20) + 1));
    assert_int_equal(r->code, RPC_RESOURCE_EXHAUSTED);
    rpc_result_free(r);
    r = call_wait_for(p.ch, "/t.S/Echo", bytes_of(big.data, 3 << 20));
    assert_int_equal(r->code, RPC_RESOURCE_EXHAUSTED);
    rpc_result_free(r);
    r = call_wait_for(p.ch, "/t.S/Echo", bytes_of(big.data, 1 << 20)); /* and no byte less */
    assert_int_equal(r->code, RPC_OK);
    assert_int_equal(r->reply.len, 1 << 20);
    rpc_result_free(r);
    ch = channel_to(&p, small, "http");
    r = call_wait_for(ch, "/t.S/Echo", bytes_of(big.data, 1001));
    assert_int_equal(r->code, RPC_RESOURCE_EXHAUSTED);
    rpc_result_free(r);
    rpc_channel_close(ch);
    buffer_free(&big);
    pair_close(&p);
}

static void a_method_has_a_limit_of_its_own(void **state)
{
    struct rpc_method m = {
        .path = "/t.S/Small", .kind = RPC_UNARY, .handler = echo, .max_request = 10};
    struct rpc_result *r;
    struct error err;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    must_ok(rpc_server_register(p.server, &m, &err), &err);
    assert_false(rpc_server_register(p.server, &m, &err)); /* twice */
    pair_start(&p);
    r = call_wait_for(p.ch, "/t.S/Small", bytes_str("0123456789"));
    assert_int_equal(r->code, RPC_OK);
    rpc_result_free(r);
    r = call_wait_for(p.ch, "/t.S/Small", bytes_str("0123456789a"));
    assert_int_equal(r->code, RPC_RESOURCE_EXHAUSTED);
    rpc_result_free(r);
    pair_close(&p);
}

/* ---- calls that wait, to cancel, bound and drain ---- */

/* Holds every call until told. */
struct held {
    struct gate came, cancelled, done;
    struct mutex m;
    struct rpc_call *call[64];
    bool is_over[64];
    int n;
    struct held_ctx {
        struct held *h;
        int i;
    } ctx[64];
};

static void held_init(struct held *h)
{
    memset(h, 0, sizeof(*h));
    gate_init(&h->came);
    gate_init(&h->cancelled);
    gate_init(&h->done);
    mutex_init(&h->m);
}

static void held_free(struct held *h)
{
    gate_free(&h->came);
    gate_free(&h->cancelled);
    gate_free(&h->done);
    mutex_destroy(&h->m);
}

static void held_end(struct held *h, int i, enum rpc_code code)
{
    bool was_over;

    mutex_lock(&h->m);
    was_over = h->is_over[i];
    h->is_over[i] = true;
    mutex_unlock(&h->m);
    if (was_over)
        return;
    if (code == RPC_OK)
        rpc_call_reply(h->call[i], bytes_str("late"));
    else
        rpc_call_refuse(h->call[i], code, "no");
}

static void held_cancelled(void *ctx)
{
    struct held_ctx *x = ctx;

    held_end(x->h, x->i, RPC_CANCELLED);
    gate_add(&x->h->cancelled);
}

static void held_done(void *ctx)
{
    gate_add(&((struct held_ctx *)ctx)->h->done);
}

static void held_handler(void *ctx, struct rpc_call *call)
{
    static const struct rpc_call_events ev = {.cancelled = held_cancelled, .done = held_done};
    struct held *h = ctx;
    int i = h->n++; /* the loop's one thread */

    h->call[i] = call;
    h->ctx[i] = (struct held_ctx){h, i};
    rpc_call_watch(call, &ev, &h->ctx[i]);
    gate_add(&h->came);
}

struct outcome {
    struct gate done;
    enum rpc_code code;
};

static void outcome_done(void *ctx, const struct rpc_result *r)
{
    struct outcome *o = ctx;

    o->code = r->code;
    gate_add(&o->done);
}

static void held_start(struct pair *p, struct outcome *o, int64_t timeout_us, struct rpc_op **op)
{
    struct rpc_request rq = {
        .method = "/t.S/Held", .timeout_us = timeout_us, .wait_for_ready = true};
    struct error err;

    memset(o, 0, sizeof(*o));
    gate_init(&o->done);
    must_ok(rpc_unary(p->ch, &rq, outcome_done, o, op, &err), &err);
}

static void a_cancel_reaches_the_owner_of_the_call(void **state)
{
    struct outcome o;
    struct rpc_op *op;
    struct held h;
    struct pair p;

    (void)state;
    held_init(&h);
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Held", RPC_UNARY, held_handler, &h);
    pair_start(&p);
    held_start(&p, &o, WAIT_US, &op);
    gate_await(&h.came, 1);
    assert_int_equal(rpc_server_calls(p.server), 1);
    rpc_op_cancel(op);
    rpc_op_release(op);
    gate_await(&o.done, 1);
    assert_int_equal(o.code, RPC_CANCELLED);
    gate_await(&h.cancelled, 1);
    gate_await(&h.done, 1);
    pair_close(&p);
    held_free(&h);
    gate_free(&o.done);
}

static void a_deadline_ends_both_sides(void **state)
{
    struct outcome o;
    struct held h;
    struct pair p;

    (void)state;
    held_init(&h);
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Held", RPC_UNARY, held_handler, &h);
    pair_start(&p);
    held_start(&p, &o, 150 * US_PER_MS, NULL);
    gate_await(&o.done, 1);
    assert_int_equal(o.code, RPC_DEADLINE_EXCEEDED);
    gate_await(&h.cancelled, 1);
    gate_await(&h.done, 1);
    pair_close(&p);
    held_free(&h);
    gate_free(&o.done);
}

static void closing_a_channel_ends_its_calls(void **state)
{
    struct outcome o;
    struct held h;
    struct pair p;

    (void)state;
    held_init(&h);
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Held", RPC_UNARY, held_handler, &h);
    pair_start(&p);
    held_start(&p, &o, WAIT_US, NULL);
    gate_await(&h.came, 1);
    rpc_channel_close(p.ch);
    p.ch = NULL;
    assert_int_equal(gate_count(&o.done), 1);
    assert_int_equal(o.code, RPC_CANCELLED);
    pair_close(&p);
    held_free(&h);
    gate_free(&o.done);
}

static void one_call_too_many_is_unavailable(void **state)
{
    struct rpc_server_config config = {.max_calls = 2};
    struct outcome o[3];
    struct held h;
    struct pair p;

    (void)state;
    held_init(&h);
    pair_open(&p, &config);
    pair_method(&p, "/t.S/Held", RPC_UNARY, held_handler, &h);
    pair_start(&p);
    held_start(&p, &o[0], WAIT_US, NULL);
    gate_await(&h.came, 1);
    held_start(&p, &o[1], WAIT_US, NULL);
    gate_await(&h.came, 2);
    held_start(&p, &o[2], WAIT_US, NULL);
    gate_await(&o[2].done, 1);
    assert_int_equal(o[2].code, RPC_UNAVAILABLE);
    held_end(&h, 0, RPC_OK);
    held_end(&h, 1, RPC_ABORTED);
    gate_await(&o[0].done, 1);
    gate_await(&o[1].done, 1);
    assert_int_equal(o[0].code, RPC_OK);
    assert_int_equal(o[1].code, RPC_ABORTED);
    pair_close(&p);
    held_free(&h);
    for (int i = 0; i < 3; i++)
        gate_free(&o[i].done);
}

struct blocker {
    struct gate busy, go;
};

static void block(void *ctx)
{
    struct blocker *b = ctx;

    gate_add(&b->busy);
    gate_await(&b->go, 1);
}

static void a_full_pool_is_unavailable(void **state)
{
    struct rpc_method m = {.path = "/t.S/Pooled", .kind = RPC_UNARY, .handler = echo};
    struct outcome o;
    struct rpc_request rq = {.method = m.path, .timeout_us = WAIT_US, .wait_for_ready = true};
    struct rpc_result *r;
    struct blocker b;
    struct error err;
    struct pair p;

    (void)state;
    memset(&o, 0, sizeof(o));
    gate_init(&o.done);
    gate_init(&b.busy);
    gate_init(&b.go);
    must_ok(pool_open("one", 1, 1, &m.pool, &err), &err);
    pair_open(&p, NULL);
    must_ok(rpc_server_register(p.server, &m, &err), &err);
    pair_start(&p);
    must_ok(pool_submit(m.pool, block, &b, &err), &err);
    gate_await(&b.busy, 1);
    must_ok(pool_submit(m.pool, block, &b, &err), &err); /* fills the queue */
    r = call_wait_for(p.ch, m.path, bytes_str("x"));
    assert_int_equal(r->code, RPC_UNAVAILABLE);
    rpc_result_free(r);
    gate_add(&b.go);
    gate_await(&b.busy, 2);
    must_ok(rpc_unary(p.ch, &rq, outcome_done, &o, NULL, &err), &err);
    gate_await(&o.done, 1);
    assert_int_equal(o.code, RPC_OK);
    pair_close(&p);
    pool_close(m.pool);
    gate_free(&b.busy);
    gate_free(&b.go);
    gate_free(&o.done);
}

static void draining_refuses_new_calls_and_finishes_old_ones(void **state)
{
    struct outcome o;
    struct rpc_request rq = {.method = "/t.S/Held", .timeout_us = WAIT_US};
    struct rpc_result *r;
    struct error err;
    struct held h;
    struct pair p;

    (void)state;
    held_init(&h);
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Held", RPC_UNARY, held_handler, &h);
    pair_start(&p);
    held_start(&p, &o, WAIT_US, NULL);
    gate_await(&h.came, 1);
    rpc_server_drain(p.server);
    must_ok(rpc_unary_wait(p.ch, &rq, &r, &err), &err);
    assert_int_equal(r->code, RPC_UNAVAILABLE);
    rpc_result_free(r);
    assert_int_equal(gate_count(&o.done), 0);
    held_end(&h, 0, RPC_OK);
    must_ok(rpc_server_stop(p.server, WAIT_US, &err), &err);
    gate_await(&o.done, 1);
    assert_int_equal(o.code, RPC_OK);
    assert_int_equal(gate_count(&h.cancelled), 0);
    pair_close(&p);
    held_free(&h);
    gate_free(&o.done);
}

static void stopping_cancels_what_does_not_end(void **state)
{
    struct outcome o;
    struct error err;
    struct held h;
    struct pair p;

    (void)state;
    held_init(&h);
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Held", RPC_UNARY, held_handler, &h);
    pair_start(&p);
    held_start(&p, &o, WAIT_US, NULL);
    gate_await(&h.came, 1);
    must_ok(rpc_server_stop(p.server, 50 * US_PER_MS, &err), &err);
    assert_int_equal(gate_count(&h.cancelled), 1);
    assert_int_equal(gate_count(&h.done), 1);
    gate_await(&o.done, 1);
    assert_int_equal(o.code, RPC_UNAVAILABLE);
    pair_close(&p);
    held_free(&h);
    gate_free(&o.done);
}

/* ---- listening ---- */

static void a_port_in_use_is_said_so(void **state)
{
    struct rpc_server *second;
    struct error err;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    pair_listen(&p, NULL);
    must_ok(rpc_server_open(p.loop, NULL, NULL, &second, &err), &err);
    assert_false(rpc_server_listen(second, "127.0.0.1", p.port, NULL, NULL, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.cause, "is in use"));
    assert_false(rpc_server_listen(second, "no-such-host.invalid", 0, NULL, NULL, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    rpc_server_close(second); /* one that never started */
    pair_close(&p);
}

static void lost(void *ctx, enum rpc_state s)
{
    if (s == RPC_TRANSIENT_FAILURE)
        gate_add(ctx);
}

static void a_channel_comes_back_when_its_server_does(void **state)
{
    struct rpc_channel_config config = {.max_backoff_us = 50 * US_PER_MS};
    struct gate is_lost;
    char endpoint[64];
    struct rpc_result *r;
    struct error err;
    struct pair p, q;

    (void)state;
    pair_open(&p, NULL);
    pair_method(&p, "/t.S/Echo", RPC_UNARY, echo, NULL);
    pair_listen(&p, NULL);
    gate_init(&is_lost);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", p.port);
    config.endpoint = endpoint;
    must_ok(rpc_channel_open(p.loop, &config, lost, &is_lost, &p.ch, &err), &err);
    must_ok(rpc_channel_wait_ready(p.ch, WAIT_US, &err), &err);
    rpc_server_close(p.server);
    p.server = NULL;
    gate_await(&is_lost, 1);
    assert_false(rpc_channel_wait_ready(p.ch, 100 * US_PER_MS, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    pair_open(&q, NULL);
    pair_method(&q, "/t.S/Echo", RPC_UNARY, echo, NULL);
    must_ok(rpc_server_listen(q.server, "127.0.0.1", p.port, NULL, NULL, &err), &err);
    must_ok(rpc_server_start(q.server, &err), &err);
    must_ok(rpc_channel_wait_ready(p.ch, WAIT_US, &err), &err);
    r = call_wait_for(p.ch, "/t.S/Echo", bytes_str("again"));
    assert_int_equal(r->code, RPC_OK);
    rpc_result_free(r);
    pair_close(&p);
    pair_close(&q);
    gate_free(&is_lost);
}

static void a_wrong_endpoint_is_refused(void **state)
{
    static const char *const bad[] = {NULL,
                                      "",
                                      "127.0.0.1:5001",
                                      "http://",
                                      "http://host",
                                      "http://host:",
                                      "http://:1",
                                      "http://host:0",
                                      "http://host:65536",
                                      "http://host:1x",
                                      "http://host:1/path",
                                      "ftp://host:1"};
    struct rpc_channel *ch;
    struct error err;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rpc_channel_config config = {.endpoint = bad[i]};

        assert_false(rpc_channel_open(p.loop, &config, NULL, NULL, &ch, &err));
        assert_int_equal(err.code, ERR_CONFIG);
    }
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back),
        cmocka_unit_test(an_unknown_method_is_unimplemented),
        cmocka_unit_test(a_call_is_answered_later_from_another_thread),
        cmocka_unit_test(headers_status_details_and_trailers_travel),
        cmocka_unit_test(a_message_is_cut_and_always_utf8),
        cmocka_unit_test(a_header_that_may_not_be_sent_is_refused),
        cmocka_unit_test(an_oversized_request_or_answer_is_resource_exhausted),
        cmocka_unit_test(a_method_has_a_limit_of_its_own),
        cmocka_unit_test(a_cancel_reaches_the_owner_of_the_call),
        cmocka_unit_test(a_deadline_ends_both_sides),
        cmocka_unit_test(closing_a_channel_ends_its_calls),
        cmocka_unit_test(one_call_too_many_is_unavailable),
        cmocka_unit_test(a_full_pool_is_unavailable),
        cmocka_unit_test(draining_refuses_new_calls_and_finishes_old_ones),
        cmocka_unit_test(stopping_cancels_what_does_not_end),
        cmocka_unit_test(a_port_in_use_is_said_so),
        cmocka_unit_test(a_channel_comes_back_when_its_server_does),
        cmocka_unit_test(a_wrong_endpoint_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
