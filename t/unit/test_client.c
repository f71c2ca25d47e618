/* test_client.c: the client against fake sequencers, over loopback.
 *
 *   client ---- fake a        one synchronizer, one history of events,
 *          \--- fake b        two endpoints */
#include "fake_sequencer.h"

#define MAX_SEEN 64

/* A client of FAKE_MEMBER, and what it told. */
struct user {
    struct rpc_loop *loop;
    struct fake_events ev;
    struct fake a, b;
    bool has_b;
    struct client *client;
    struct gate events, connected, disconnected, failed, verified, accepted, sequenced;
    struct mutex m;
    int64_t seen[MAX_SEEN];
    size_t n_seen;
    struct client_state last_state;
    enum client_send_result accepted_result, sequenced_result;
    int64_t sequenced_ts;
};

static bool on_verify(void *ctx, int64_t ts, const struct hash *h, const struct signature *s,
                      struct error *err)
{
    struct user *u = ctx;

    (void)ts;
    gate_add(&u->verified);
    return signature_verify(keyring_newest(u->ev.keys, USAGE_PROTOCOL)->pub, USAGE_PROTOCOL, h, s,
                            err);
}

static bool on_event(void *ctx, const struct client_event *e, struct error *err)
{
    struct user *u = ctx;

    (void)err;
    mutex_lock(&u->m);
    assert_true(u->n_seen < MAX_SEEN);
    u->seen[u->n_seen++] = e->ts;
    mutex_unlock(&u->m);
    gate_add(&u->events);
    return true;
}

static void on_state(void *ctx, const struct client_state *s)
{
    struct user *u = ctx;

    mutex_lock(&u->m);
    u->last_state = *s;
    mutex_unlock(&u->m);
    gate_add(s->kind == CLIENT_CONNECTED ? &u->connected
             : s->kind == CLIENT_FAILED  ? &u->failed
                                         : &u->disconnected);
}

static void user_open(struct user *u, bool has_b)
{
    struct error err;

    memset(u, 0, sizeof(*u));
    mutex_init(&u->m);
    gate_init(&u->events);
    gate_init(&u->connected);
    gate_init(&u->disconnected);
    gate_init(&u->failed);
    gate_init(&u->verified);
    gate_init(&u->accepted);
    gate_init(&u->sequenced);
    must_ok(rpc_loop_open(2, NULL, &u->loop, &err), &err);
    fake_events_open(&u->ev);
    fake_open(&u->a, &u->ev, u->loop, 0);
    u->has_b = has_b;
    if (has_b)
        fake_open(&u->b, &u->ev, u->loop, 0);
}

static void user_connect(struct user *u)
{
    char url_a[64], url_b[64];
    const char *urls[] = {url_a, url_b};
    struct client_config cfg = {.loop = u->loop,
                                .endpoints = urls,
                                .n_endpoints = u->has_b ? 2 : 1,
                                .member = FAKE_MEMBER,
                                .keys = u->ev.keys,
                                .probe_us = 20 * US_PER_MS};
    struct error err;

    snprintf(url_a, sizeof(url_a), "http://127.0.0.1:%d", u->a.port);
    snprintf(url_b, sizeof(url_b), "http://127.0.0.1:%d", u->b.port);
    must_ok(client_open(&cfg, &u->client, &err), &err);
}

static void user_subscribe(struct user *u, const struct client_position *from)
{
    struct client_callbacks cb = {
        .ctx = u, .verify = on_verify, .event = on_event, .state = on_state};
    struct client_position start = {0};
    struct error err;

    must_ok(client_subscribe(u->client, from ? from : &start, &cb, &err), &err);
}

static void user_close(struct user *u)
{
    client_close(u->client);
    fake_close(&u->a);
    if (u->has_b)
        fake_close(&u->b);
    fake_events_close(&u->ev);
    rpc_loop_close(u->loop);
}

static void events_come_once_in_order_and_verified(void **state)
{
    struct user u;

    (void)state;
    user_open(&u, false);
    fake_event(&u.ev, INT64_MIN, 10, NULL);
    fake_event(&u.ev, 10, 20, NULL);
    user_connect(&u);
    user_subscribe(&u, NULL);
    gate_await(&u.events, 2);
    fake_event(&u.ev, 20, 30, NULL);
    gate_await(&u.events, 3);
    assert_int_equal(u.seen[0], 10);
    assert_int_equal(u.seen[1], 20);
    assert_int_equal(u.seen[2], 30);
    assert_int_equal(gate_count(&u.verified), 2); /* all but the first */
    user_close(&u);
}

static void a_gap_is_never_delivered(void **state)
{
    struct user u;

    (void)state;
    user_open(&u, false);
    fake_event(&u.ev, INT64_MIN, 10, NULL);
    fake_event(&u.ev, 20, 30, NULL); /* 20 is missing */
    user_connect(&u);
    user_subscribe(&u, NULL);
    gate_await(&u.failed, 1);
    assert_int_equal(u.last_state.code, ERR_FORK);
    assert_int_equal(gate_count(&u.events), 1);
    user_close(&u);
}

static void an_event_with_a_foreign_signature_is_never_delivered(void **state)
{
    struct user u;
    struct fake_events other;

    (void)state;
    user_open(&u, false);
    fake_events_open(&other);
    fake_event(&u.ev, INT64_MIN, 10, NULL);
    fake_event(&other, 10, 20, NULL); /* signed by another key */
    u.ev.message[1] = other.message[0];
    u.ev.ts[1] = 20;
    u.ev.n = 2;
    other.n = 0;
    user_connect(&u);
    user_subscribe(&u, NULL);
    gate_await(&u.failed, 1);
    assert_int_equal(u.last_state.code, ERR_SIGNATURE);
    assert_int_equal(gate_count(&u.events), 1);
    user_close(&u);
    fake_events_close(&other);
}

static void after_a_loss_the_other_endpoint_continues_within_a_second(void **state)
{
    struct user u;

    (void)state;
    user_open(&u, true);
    fake_event(&u.ev, INT64_MIN, 10, NULL);
    user_connect(&u);
    user_subscribe(&u, NULL);
    gate_await(&u.events, 1);
    gate_await(&u.a.logged_in, 1);
    gate_await(&u.b.logged_in, 1); /* both are ready before anything breaks */
    bool is_a = gate_count(&u.a.subscribed) > 0;
    struct fake *used = is_a ? &u.a : &u.b, *other = is_a ? &u.b : &u.a;

    fake_close(used);
    gate_await(&other->subscribed, 1);
    gate_await(&u.connected, 2);
    assert_int_equal(other->asked_from, 10); /* the last event again, to compare */
    fake_event(&u.ev, 10, 20, NULL);
    gate_await(&u.events, 2);
    assert_int_equal(u.seen[1], 20); /* no repeat, no gap */
    assert_true(u.last_state.outage_us > 0 && u.last_state.outage_us < US_PER_S);
    client_close(u.client);
    fake_close(other);
    fake_events_close(&u.ev);
    rpc_loop_close(u.loop);
}

static void a_resume_at_a_changed_event_is_a_fork(void **state)
{
    struct client_position from = {.is_set = true, .ts = 10};
    struct user u;

    (void)state;
    user_open(&u, false);
    fake_event(&u.ev, INT64_MIN, 10, NULL); /* its hash is not the one remembered (zeros) */
    user_connect(&u);
    user_subscribe(&u, &from);
    gate_await(&u.failed, 1);
    assert_int_equal(u.last_state.code, ERR_FORK);
    assert_int_equal(gate_count(&u.events), 0);
    user_close(&u);
}

static void a_foreign_synchronizer_is_fatal_for_its_endpoint(void **state)
{
    struct client_config cfg = {0};
    struct client_info info;
    struct user u;
    struct error err;
    char url[64];
    const char *urls[] = {url};

    (void)state;
    user_open(&u, false);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", u.a.port);
    cfg = (struct client_config){
        .loop = u.loop, .endpoints = urls, .n_endpoints = 1, .psid = "other" FAKE_PSID};
    must_ok(client_open(&cfg, &u.client, &err), &err);
    assert_false(client_wait_info(u.client, clock_mono_us() + WAIT_US, &info, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    user_close(&u);
}

/* --- sends --- */

/* What both fakes answer to the next sends. */
static void answer_with(struct user *u, enum rpc_code code)
{
    mutex_lock(&u->ev.m);
    u->a.send_code = u->b.send_code = code;
    mutex_unlock(&u->ev.m);
}

static void on_accepted(void *ctx, const struct client_send_report *r)
{
    struct user *u = ctx;

    u->accepted_result = r->result;
    gate_add(&u->accepted);
}

static void on_sequenced(void *ctx, const struct client_send_report *r)
{
    struct user *u = ctx;

    u->sequenced_result = r->result;
    u->sequenced_ts = r->ts;
    gate_add(&u->sequenced);
}

static bool user_send(struct user *u, const char *message_id, int64_t max_ts, bool is_repeatable,
                      struct error *err)
{
    struct submission s = {.sender = strdup(FAKE_MEMBER),
                           .message_id = strdup(message_id),
                           .max_sequencing_time = max_ts};
    bool ok = compressed_batch_empty(&s.batch, err) && submission_build(&s, err);
    struct client_send in = {.request = buffer_bytes(&s.raw),
                             .message_id = message_id,
                             .max_sequencing_us = max_ts,
                             .is_repeatable = is_repeatable,
                             .accepted = on_accepted,
                             .sequenced = on_sequenced,
                             .ctx = u};

    ok = ok && client_send(u->client, &in, err);
    submission_free(&s);
    return ok;
}

/* Connects, subscribes and has seen the event at 10. */
static void user_ready(struct user *u, bool has_b)
{
    user_open(u, has_b);
    fake_event(&u->ev, INT64_MIN, 10, NULL);
    user_connect(u);
    user_subscribe(u, NULL);
    gate_await(&u->events, 1);
    gate_await(&u->a.logged_in, 1);
    if (has_b)
        gate_await(&u->b.logged_in, 1);
}

static void a_send_is_accepted_and_then_sequenced(void **state)
{
    struct user u;
    struct error err;

    (void)state;
    user_ready(&u, false);
    must_ok(user_send(&u, "m1", TS_MAX, false, &err), &err);
    gate_await(&u.accepted, 1);
    assert_int_equal(u.accepted_result, CLIENT_SEND_ACCEPTED);
    fake_event(&u.ev, 10, 20, "m1");
    gate_await(&u.sequenced, 1);
    assert_int_equal(u.sequenced_result, CLIENT_SEND_SEQUENCED);
    assert_int_equal(u.sequenced_ts, 20);
    user_close(&u);
}

static void a_send_that_time_has_passed_is_expired(void **state)
{
    struct user u;
    struct error err;

    (void)state;
    user_ready(&u, false);
    must_ok(user_send(&u, "m1", 25, false, &err), &err);
    gate_await(&u.accepted, 1);
    fake_event(&u.ev, 10, 25, NULL); /* still in time */
    fake_event(&u.ev, 25, 26, NULL);
    gate_await(&u.sequenced, 1);
    assert_int_equal(u.sequenced_result, CLIENT_SEND_EXPIRED);
    assert_int_equal(u.sequenced_ts, 26);
    user_close(&u);
}

static void a_refused_send_is_over(void **state)
{
    struct user u;
    struct error err;

    (void)state;
    user_ready(&u, false);
    answer_with(&u, RPC_FAILED_PRECONDITION);
    must_ok(user_send(&u, "m1", TS_MAX, true, &err), &err);
    gate_await(&u.sequenced, 1);
    assert_int_equal(u.accepted_result, CLIENT_SEND_REFUSED);
    assert_int_equal(u.sequenced_result, CLIENT_SEND_REFUSED);
    assert_int_equal(gate_count(&u.a.sent), 1);
    user_close(&u);
}

static void a_repeatable_send_without_answer_goes_to_the_other_endpoint(void **state)
{
    struct user u;
    struct error err;

    (void)state;
    user_ready(&u, true);
    answer_with(&u, RPC_INTERNAL); /* whatever they did, it is not known */
    must_ok(user_send(&u, "m1", TS_MAX, true, &err), &err);
    gate_await(&u.a.sent, 1);
    gate_await(&u.b.sent, 1);
    answer_with(&u, RPC_OK);
    gate_await(&u.accepted, 1);
    assert_int_equal(u.accepted_result, CLIENT_SEND_ACCEPTED);
    user_close(&u);
}

static void another_send_without_answer_is_never_repeated(void **state)
{
    struct user u;
    struct error err;

    (void)state;
    user_ready(&u, true);
    answer_with(&u, RPC_INTERNAL); /* whatever they did, it is not known */
    must_ok(user_send(&u, "m1", TS_MAX, false, &err), &err);
    gate_await(&u.accepted, 1);
    assert_int_equal(u.accepted_result, CLIENT_SEND_UNKNOWN);
    assert_int_equal(gate_count(&u.a.sent) + gate_count(&u.b.sent), 1);
    user_close(&u);
    assert_int_equal(u.sequenced_result, CLIENT_SEND_CLOSED);
}

static void an_acknowledgement_is_signed_and_taken(void **state)
{
    struct user u;
    struct error err;

    (void)state;
    user_ready(&u, false);
    must_ok(client_ack(u.client, 10, &err), &err);
    gate_await(&u.a.acked, 1);
    user_close(&u);
}

static void only_one_time_proof_is_in_flight(void **state)
{
    struct user u;
    char id[80];

    (void)state;
    user_ready(&u, false);
    client_time_proof(u.client);
    gate_await(&u.a.sent, 1);
    client_time_proof(u.client);
    mutex_lock(&u.ev.m);
    snprintf(id, sizeof(id), "%s", u.a.last_message_id);
    mutex_unlock(&u.ev.m);
    assert_true(client_is_time_proof(id));
    fake_event(&u.ev, 10, 20, id);
    gate_await(&u.events, 2);
    assert_int_equal(gate_count(&u.a.sent), 1);
    client_time_proof(u.client); /* the first was seen */
    gate_await(&u.a.sent, 2);
    user_close(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_once_in_order_and_verified),
        cmocka_unit_test(a_gap_is_never_delivered),
        cmocka_unit_test(an_event_with_a_foreign_signature_is_never_delivered),
        cmocka_unit_test(after_a_loss_the_other_endpoint_continues_within_a_second),
        cmocka_unit_test(a_resume_at_a_changed_event_is_a_fork),
        cmocka_unit_test(a_foreign_synchronizer_is_fatal_for_its_endpoint),
        cmocka_unit_test(a_send_is_accepted_and_then_sequenced),
        cmocka_unit_test(a_send_that_time_has_passed_is_expired),
        cmocka_unit_test(a_refused_send_is_over),
        cmocka_unit_test(a_repeatable_send_without_answer_goes_to_the_other_endpoint),
        cmocka_unit_test(another_send_without_answer_is_never_repeated),
        cmocka_unit_test(an_acknowledgement_is_signed_and_taken),
        cmocka_unit_test(only_one_time_proof_is_in_flight),
    };
    test_only();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
