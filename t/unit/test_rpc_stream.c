/* test_rpc_stream.c: server streams with flow control, uploads, health Watch, trace context, pool.
 */
#include "rpc_fixture.h"

#include "base/pool.h"

#define MESSAGE_LEN (64 << 10)

/* ---- a source that writes as fast as flow control lets it ---- */

struct source {
    struct gate written, cancelled, done;
    struct rpc_call *call;
    int n_max; /* ends after so many; then with RPC_OK, else RPC_DATA_LOSS */
    enum rpc_code end;
    int n;
    bool is_over;
    uint8_t message[MESSAGE_LEN];
};

static void source_init(struct source *s, int n_max, enum rpc_code end)
{
    memset(s, 0, sizeof(*s));
    gate_init(&s->written);
    gate_init(&s->cancelled);
    gate_init(&s->done);
    s->n_max = n_max;
    s->end = end;
}

static void source_free(struct source *s)
{
    gate_free(&s->written);
    gate_free(&s->cancelled);
    gate_free(&s->done);
}

static void source_step(struct source *s)
{
    if (s->is_over)
        return;
    if (s->n < s->n_max) {
        s->message[0] = (uint8_t)s->n++;
        if (!rpc_call_write(s->call, bytes_of(s->message, MESSAGE_LEN)))
            s->n--; /* the cancellation is on its way */
        return;
    }
    s->is_over = true;
    if (s->end == RPC_OK)
        rpc_call_end(s->call);
    else
        rpc_call_refuse(s->call, s->end, "that was all");
}

static void source_written(void *ctx, bool ok)
{
    struct source *s = ctx;

    if (!ok)
        return;
    gate_add(&s->written);
    source_step(s);
}

static void source_cancelled(void *ctx)
{
    struct source *s = ctx;

    if (!s->is_over)
        rpc_call_refuse(s->call, RPC_CANCELLED, "cancelled");
    s->is_over = true;
    gate_add(&s->cancelled);
}

static void source_done(void *ctx)
{
    gate_add(&((struct source *)ctx)->done);
}

static void source_handler(void *ctx, struct rpc_call *call)
{
    static const struct rpc_call_events ev = {source_written, source_cancelled, source_done};
    struct source *s = ctx;

    s->call = call;
    rpc_call_watch(call, &ev, s);
    source_step(s);
}

/* ---- a reader ---- */

struct reader {
    struct gate message, end;
    struct rpc_stream *st;
    bool is_eager; /* asks for the next by itself */
    bool in_order;
    enum rpc_code code;
    char text[64];
};

static void reader_message(void *ctx, struct bytes m)
{
    struct reader *r = ctx;

    r->in_order =
        r->in_order && m.len == MESSAGE_LEN && m.data[0] == (uint8_t)gate_count(&r->message);
    gate_add(&r->message);
    if (r->is_eager)
        rpc_stream_next(r->st);
}

static void reader_end(void *ctx, const struct rpc_result *res)
{
    struct reader *r = ctx;

    r->code = res->code;
    snprintf(r->text, sizeof(r->text), "%s", res->message);
    gate_add(&r->end);
}

static void reader_open(struct reader *r, struct pair *p, bool is_eager)
{
    static const struct rpc_stream_events ev = {reader_message, reader_end};
    struct rpc_request rq = {.method = "/t.S/Source", .wait_for_ready = true};
    struct error err;

    memset(r, 0, sizeof(*r));
    gate_init(&r->message);
    gate_init(&r->end);
    r->is_eager = is_eager;
    r->in_order = true;
    must_ok(rpc_stream_open(p->ch, &rq, &ev, r, &r->st, &err), &err);
}

static void reader_close(struct reader *r)
{
    rpc_stream_release(r->st);
    gate_free(&r->message);
    gate_free(&r->end);
}

static void source_pair(struct pair *p, struct source *s)
{
    pair_open(p, NULL);
    pair_method(p, "/t.S/Source", RPC_SERVER_STREAM, source_handler, s);
    pair_start(p);
}

static void a_stream_brings_every_message_in_order_and_its_end(void **state)
{
    static struct source s;
    struct reader r;
    struct pair p;

    (void)state;
    source_init(&s, 200, RPC_DATA_LOSS);
    source_pair(&p, &s);
    reader_open(&r, &p, true);
    gate_await(&r.end, 1);
    assert_int_equal(gate_count(&r.message), 200);
    assert_true(r.in_order);
    assert_int_equal(r.code, RPC_DATA_LOSS);
    assert_string_equal(r.text, "that was all");
    gate_await(&s.done, 1);
    assert_int_equal(gate_count(&s.cancelled), 0);
    reader_close(&r);
    pair_close(&p);
    source_free(&s);
}

/* A second stream runs over the same connection meanwhile: its end proves that time enough went by
 * for the first to write all it may. */
static void a_slow_reader_holds_the_writer_back(void **state)
{
    static struct source s;
    struct reader r;
    struct pair p;
    int n;

    (void)state;
    source_init(&s, 1000, RPC_OK); /* 64 MiB in all */
    source_pair(&p, &s);
    reader_open(&r, &p, false);
    gate_await(&r.message, 1);
    for (int i = 0; i < 50; i++)
        rpc_result_free(call_wait_for(p.ch, "/t.S/None", bytes_str("")));
    n = gate_count(&s.written);
    assert_in_range(n, 1, 100); /* what the windows and sockets hold, not 1000 */
    assert_int_equal(gate_count(&r.message), 1);
    for (int i = 2; i <= 1000; i++) {
        rpc_stream_next(r.st);
        gate_await(&r.message, i);
    }
    rpc_stream_next(r.st);
    gate_await(&r.end, 1);
    assert_int_equal(r.code, RPC_OK);
    assert_true(r.in_order);
    reader_close(&r);
    pair_close(&p);
    source_free(&s);
}

static void a_reader_that_leaves_is_told_to_the_writer(void **state)
{
    static struct source s;
    struct reader r;
    struct pair p;

    (void)state;
    source_init(&s, 1000, RPC_OK);
    source_pair(&p, &s);
    reader_open(&r, &p, false);
    gate_await(&r.message, 1);
    rpc_stream_cancel(r.st);
    gate_await(&r.end, 1);
    assert_int_equal(r.code, RPC_CANCELLED);
    gate_await(&s.cancelled, 1);
    gate_await(&s.done, 1);
    rpc_stream_next(r.st); /* without effect */
    reader_close(&r);
    pair_close(&p);
    source_free(&s);
}

static void a_server_that_stops_ends_its_streams(void **state)
{
    static struct source s;
    struct reader r;
    struct error err;
    struct pair p;

    (void)state;
    source_init(&s, 1000, RPC_OK);
    source_pair(&p, &s);
    reader_open(&r, &p, false);
    gate_await(&r.message, 1);
    must_ok(rpc_server_stop(p.server, 0, &err), &err);
    assert_int_equal(gate_count(&s.cancelled), 1);
    assert_int_equal(gate_count(&s.done), 1);
    r.is_eager = true; /* what had arrived comes first */
    rpc_stream_next(r.st);
    gate_await(&r.end, 1);
    assert_int_equal(r.code, RPC_UNAVAILABLE);
    assert_in_range(gate_count(&r.message), 1, 999);
    reader_close(&r);
    pair_close(&p);
    source_free(&s);
}

/* ---- uploads ---- */

static void join(void *ctx, struct rpc_call *call)
{
    struct buffer all = BUFFER_INIT;

    (void)ctx;
    for (size_t i = 0; i < rpc_call_request_count(call); i++) {
        buffer_append_bytes(&all, rpc_call_request_at(call, i));
        buffer_append_byte(&all, '|');
    }
    rpc_call_reply(call, buffer_bytes(&all));
    buffer_free(&all);
}

static void an_upload_is_collected_within_its_limit(void **state)
{
    const struct bytes messages[] = {bytes_str("one"), bytes_str(""), bytes_str("three")};
    const struct bytes more[] = {bytes_str("123456"), bytes_str("123456"), bytes_str("1")};
    struct rpc_method m = {
        .path = "/t.S/Join", .kind = RPC_CLIENT_STREAM, .handler = join, .max_request = 12};
    struct rpc_request rq = {.method = m.path, .timeout_us = WAIT_US, .wait_for_ready = true};
    struct rpc_result *r;
    struct error err;
    struct pair p;

    (void)state;
    pair_open(&p, NULL);
    must_ok(rpc_server_register(p.server, &m, &err), &err);
    pair_start(&p);
    must_ok(rpc_upload_wait(p.ch, &rq, messages, 3, &r, &err), &err);
    assert_int_equal(r->code, RPC_OK);
    assert_bytes(r->reply, "one||three|");
    rpc_result_free(r);
    must_ok(rpc_upload_wait(p.ch, &rq, NULL, 0, &r, &err), &err);
    assert_int_equal(r->code, RPC_OK);
    assert_int_equal(r->reply.len, 0);
    rpc_result_free(r);
    must_ok(rpc_upload_wait(p.ch, &rq, more, 2, &r, &err), &err);
    assert_int_equal(r->code, RPC_OK);
    rpc_result_free(r);
    must_ok(rpc_upload_wait(p.ch, &rq, more, 3, &r, &err), &err);
    assert_int_equal(r->code, RPC_RESOURCE_EXHAUSTED);
    rpc_result_free(r);
    pair_close(&p);
}

/* ---- health ---- */

struct watch {
    struct gate told, end;
    struct rpc_stream *st;
    _Atomic int status; /* the last */
    enum rpc_code code;
};

static void watch_message(void *ctx, struct bytes m)
{
    struct watch *w = ctx;

    w->status = m.len == 2 && m.data[0] == 8 ? m.data[1] : m.len == 0 ? 0 : -1;
    gate_add(&w->told);
    rpc_stream_next(w->st);
}

static void watch_end(void *ctx, const struct rpc_result *r)
{
    struct watch *w = ctx;

    w->code = r->code;
    gate_add(&w->end);
}

static struct buffer health_request(const char *name)
{
    struct buffer b = BUFFER_INIT;

    if (name[0] != '\0') {
        buffer_append_byte(&b, 10);
        buffer_append_varint(&b, strlen(name));
        buffer_append_str(&b, name);
    }
    return b;
}

static void watch_open(struct watch *w, struct rpc_channel *ch, const char *name)
{
    static const struct rpc_stream_events ev = {watch_message, watch_end};
    struct buffer b = health_request(name);
    struct rpc_request rq = {.method = "/grpc.health.v1.Health/Watch",
                             .message = buffer_bytes(&b),
                             .wait_for_ready = true};
    struct error err;

    memset(w, 0, sizeof(*w));
    gate_init(&w->told);
    gate_init(&w->end);
    must_ok(rpc_stream_open(ch, &rq, &ev, w, &w->st, &err), &err);
    buffer_free(&b);
}

static void watch_close(struct watch *w)
{
    rpc_stream_release(w->st);
    gate_free(&w->told);
    gate_free(&w->end);
}

static void assert_check(struct rpc_channel *ch, const char *name, enum rpc_code code, int status)
{
    struct buffer b = health_request(name);
    struct rpc_result *r = call_wait_for(ch, "/grpc.health.v1.Health/Check", buffer_bytes(&b));

    assert_int_equal(r->code, code);
    if (code == RPC_OK) {
        assert_int_equal(r->reply.len, 2);
        assert_int_equal(r->reply.data[1], status);
    }
    rpc_result_free(r);
    buffer_free(&b);
}

static void health_is_checked_and_watched_by_name(void **state)
{
    static const char name[] = "sequencer-health-check-service";
    struct rpc_result *r;
    struct health *h;
    struct watch w, u;
    struct error err;
    struct pair p;

    (void)state;
    must_ok(health_open(&h, &err), &err);
    pair_open(&p, NULL);
    must_ok(health_register(h, p.server, &err), &err);
    pair_start(&p);
    assert_check(p.ch, "", RPC_OK, HEALTH_NOT_SERVING);
    assert_check(p.ch, name, RPC_NOT_FOUND, 0);
    watch_open(&w, p.ch, name);
    watch_open(&u, p.ch, "nobody");
    gate_await(&w.told, 1);
    assert_int_equal(w.status, 3); /* SERVICE_UNKNOWN, and the stream stays */
    gate_await(&u.told, 1);
    must_ok(health_set(h, name, HEALTH_NOT_SERVING, &err), &err);
    gate_await(&w.told, 2);
    assert_int_equal(w.status, HEALTH_NOT_SERVING);
    must_ok(health_set(h, name, HEALTH_SERVING, &err), &err);
    must_ok(health_set(h, name, HEALTH_SERVING, &err), &err); /* no news */
    gate_await(&w.told, 3);
    assert_int_equal(w.status, HEALTH_SERVING);
    assert_check(p.ch, name, RPC_OK, HEALTH_SERVING);
    r = call_wait_for(p.ch, "/grpc.health.v1.Health/Check",
                      bytes_str("\x0a\x7f"
                                "cut off"));
    assert_int_equal(r->code, RPC_INVALID_ARGUMENT);
    rpc_result_free(r);
    rpc_stream_cancel(u.st);
    gate_await(&u.end, 1);
    health_shutdown(h);
    gate_await(&w.end, 1);
    assert_int_equal(w.code, RPC_UNAVAILABLE);
    assert_int_equal(gate_count(&w.told), 3);
    assert_int_equal(gate_count(&u.told), 1);
    assert_check(p.ch, name, RPC_OK, HEALTH_NOT_SERVING);
    watch_close(&w);
    watch_close(&u);
    pair_close(&p);
    health_close(h);
}

/* ---- trace context ---- */

static void a_trace_is_taken_over_or_made(void **state)
{
    static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char *const bad[] = {"",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
                                      "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                      "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    struct trace_context t, c, n;
    char id[TRACE_ID_LEN], other[TRACE_ID_LEN];

    (void)state;
    assert_true(trace_parse(&t, bytes_str(good), bytes_str("a=1,b=2")));
    assert_string_equal(t.parent, good);
    assert_string_equal(t.state, "a=1,b=2");
    trace_id(&t, id);
    assert_string_equal(id, "0af7651916cd43dd8448eb211c80319c");
    c = trace_child(&t);
    trace_id(&c, other);
    assert_string_equal(id, other);
    assert_string_not_equal(c.parent, t.parent);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(trace_parse(&n, bytes_str(bad[i]), bytes_str("a=1")));
        assert_string_equal(n.state, "");
        assert_true(trace_parse(&c, bytes_str(n.parent), bytes_str("")));
        trace_id(&n, other);
        assert_string_not_equal(id, other);
    }
    assert_true(
        trace_parse(&t, bytes_str("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later"),
                    bytes_str("")));
    assert_string_equal(t.parent, good);
}

/* ---- pool ---- */

struct work {
    struct gate busy, go;
    int order[64], n;
};

static void work_block(void *ctx)
{
    struct work *w = ctx;

    gate_add(&w->busy);
    gate_await(&w->go, 1);
}

static void work_count(void *ctx)
{
    struct work *w = ctx;

    w->order[w->n] = w->n;
    w->n++;
}

static void a_pool_is_bounded_and_finishes_what_it_took(void **state)
{
    struct work w = {.n = 0};
    struct pool *p;
    struct error err;

    (void)state;
    gate_init(&w.busy);
    gate_init(&w.go);
    assert_false(pool_open("x", 0, 1, &p, &err));
    must_ok(pool_open("work", 1, 40, &p, &err), &err);
    must_ok(pool_submit(p, work_block, &w, &err), &err);
    gate_await(&w.busy, 1);
    for (int i = 0; i < 40; i++)
        must_ok(pool_submit(p, work_count, &w, &err), &err);
    assert_int_equal(pool_queued(p), 40);
    assert_false(pool_submit(p, work_count, &w, &err));
    assert_int_equal(err.code, ERR_OVERLOADED);
    gate_add(&w.go);
    pool_close(p);
    assert_int_equal(w.n, 40);
    gate_free(&w.busy);
    gate_free(&w.go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_brings_every_message_in_order_and_its_end),
        cmocka_unit_test(a_slow_reader_holds_the_writer_back),
        cmocka_unit_test(a_reader_that_leaves_is_told_to_the_writer),
        cmocka_unit_test(a_server_that_stops_ends_its_streams),
        cmocka_unit_test(an_upload_is_collected_within_its_limit),
        cmocka_unit_test(health_is_checked_and_watched_by_name),
        cmocka_unit_test(a_trace_is_taken_over_or_made),
        cmocka_unit_test(a_pool_is_bounded_and_finishes_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
