/* test_api.c: lockstep.participant.v1 at three running participants:
 *
 *   alice (auto)   bob (manual)   carol (reject)      ports: LS_TEST_ALICE, LS_TEST_BOB,
 * LS_TEST_CAROL */
#include "t/unit/rpc_fixture.h"

#include "base/random.h"
#include "lockstep_participant_v1.pb-c.h"
#include "wire/precheck.h"

#define FP      "abababababababababababababababababababababababababababababababab"
#define SERVICE "/lockstep.participant.v1.ParticipantService/"

struct node {
    struct rpc_channel *ch;
    char uid[300];
};

struct world {
    struct rpc_loop *loop;
    struct node alice, bob, carol;
};

static struct world w;

static struct rpc_result *ask(struct node *n, const char *method, const void *message)
{
    struct buffer b = BUFFER_INIT;
    struct error err;

    must_ok(wire_pack(message, &b, &err), &err);
    struct rpc_result *r = call_wait_for(n->ch, method, buffer_bytes(&b));
    buffer_free(&b);
    return r;
}

static Part__StatusResponse *status_of(struct node *n)
{
    Part__StatusRequest rq = PART__STATUS_REQUEST__INIT;
    struct rpc_result *r = ask(n, SERVICE "Status", &rq);
    struct error err;

    assert_int_equal(r->code, RPC_OK);
    Part__StatusResponse *m = wire_unpack(&part__status_response__descriptor, r->reply, &err);
    must_ok(m, &err);
    rpc_result_free(r);
    return m;
}

static void node_open(struct node *n, const char *variable)
{
    char endpoint[64];
    struct rpc_channel_config cfg = {.endpoint = endpoint};
    const char *port = getenv(variable);
    int64_t until = clock_mono_us() + WAIT_US;
    bool is_connected = false;
    struct error err;

    if (!port)
        fail_msg("%s is not set", variable);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%s", port);
    must_ok(rpc_channel_open(w.loop, &cfg, NULL, NULL, &n->ch, &err), &err);
    while (!is_connected) {
        Part__StatusResponse *m = status_of(n);
        is_connected = !strcmp(m->state, "connected");
        snprintf(n->uid, sizeof(n->uid), "%s", m->uid);
        assert_true(clock_mono_us() < until);
        wire_message_free(m);
    }
}

static int world_open(void **state)
{
    struct error err;

    (void)state;
    must_ok(rpc_loop_open(1, NULL, &w.loop, &err), &err);
    node_open(&w.alice, "LS_TEST_ALICE");
    node_open(&w.bob, "LS_TEST_BOB");
    node_open(&w.carol, "LS_TEST_CAROL");
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    rpc_channel_close(w.alice.ch);
    rpc_channel_close(w.bob.ch);
    rpc_channel_close(w.carol.ch);
    rpc_loop_close(w.loop);
    return 0;
}

/* --- streams --- */

/* The messages of a stream, until one is the right one. */
struct reader {
    struct rpc_stream *st;
    const ProtobufCMessageDescriptor *desc;
    bool (*is_it)(const void *message, const void *wanted);
    const void *wanted;
    struct mutex m;
    struct cond c;
    void *found;
    size_t n_found;
    bool is_ended;
    enum rpc_code code;
};

static void on_message(void *ctx, struct bytes message)
{
    struct reader *r = ctx;
    void *m = wire_unpack(r->desc, message, NULL);
    struct rpc_stream *st;

    mutex_lock(&r->m);
    if (m && r->is_it(m, r->wanted)) {
        r->n_found++;
        if (!r->found) {
            r->found = m;
            m = NULL;
        }
        cond_broadcast(&r->c);
    }
    while (!r->st) /* rpc_stream_open has not returned yet */
        cond_wait(&r->c, &r->m);
    st = r->st;
    mutex_unlock(&r->m);
    wire_message_free(m);
    rpc_stream_next(st);
}

static void on_end(void *ctx, const struct rpc_result *result)
{
    struct reader *r = ctx;

    mutex_lock(&r->m);
    r->is_ended = true;
    r->code = result->code;
    cond_broadcast(&r->c);
    mutex_unlock(&r->m);
}

static void reader_open(struct reader *r, struct node *n, const char *method, const void *request,
                        const ProtobufCMessageDescriptor *desc,
                        bool (*is_it)(const void *, const void *), const void *wanted)
{
    static const struct rpc_stream_events events = {.message = on_message, .end = on_end};
    struct buffer b = BUFFER_INIT;
    struct rpc_stream *st;
    struct error err;

    memset(r, 0, sizeof(*r));
    mutex_init(&r->m);
    cond_init(&r->c);
    r->desc = desc;
    r->is_it = is_it;
    r->wanted = wanted;
    must_ok(wire_pack(request, &b, &err), &err);
    struct rpc_request rq = {.method = method, .message = buffer_bytes(&b)};
    must_ok(rpc_stream_open(n->ch, &rq, &events, r, &st, &err), &err);
    buffer_free(&b);
    mutex_lock(&r->m);
    r->st = st;
    cond_broadcast(&r->c);
    mutex_unlock(&r->m);
}

static void *reader_await(struct reader *r)
{
    int64_t until = clock_mono_us() + WAIT_US;
    bool in_time = true;

    mutex_lock(&r->m);
    while (!r->found && !r->is_ended && in_time)
        in_time = cond_wait_until(&r->c, &r->m, until);
    void *m = r->found;
    mutex_unlock(&r->m);
    return m;
}

static void reader_close(struct reader *r)
{
    rpc_stream_cancel(r->st);
    mutex_lock(&r->m);
    while (!r->is_ended)
        cond_wait(&r->c, &r->m);
    mutex_unlock(&r->m);
    rpc_stream_release(r->st);
    wire_message_free(r->found);
    cond_destroy(&r->c);
    mutex_destroy(&r->m);
}

/* --- what is asked --- */

struct command {
    char id[UUID_TEXT_LEN];
    char payload[100];      /* made distinct by prepare */
    struct node *with;      /* the other informee */
    struct node *confirmer; /* NULL: all */
    uint32_t threshold;
};

/* A new id, which is also put behind the payload: the test runs twice on one database. */
static void prepare(struct command *c)
{
    size_t n = strlen(c->payload);

    random_uuid(c->id);
    snprintf(c->payload + n, sizeof(c->payload) - n, " %s", c->id);
}

static struct rpc_result *submit(struct node *at, const struct command *c)
{
    Part__SubmitRequest rq = PART__SUBMIT_REQUEST__INIT;
    char *informee = c->with ? c->with->uid : NULL, *confirmer;

    rq.command_id = (char *)c->id;
    rq.informees = &informee;
    rq.n_informees = c->with ? 1 : 0;
    if (c->confirmer) {
        confirmer = c->confirmer->uid;
        rq.confirmers = &confirmer;
        rq.n_confirmers = 1;
    }
    rq.threshold = c->threshold;
    rq.payload.data = (uint8_t *)c->payload;
    rq.payload.len = strlen(c->payload);
    return ask(at, SERVICE "Submit", &rq);
}

static Part__SubmitResponse *submit_ok(struct node *at, const struct command *c)
{
    struct rpc_result *r = submit(at, c);
    struct error err;

    if (r->code != RPC_OK)
        fail_msg("Submit: %s: %s", rpc_code_text(r->code), r->message);
    Part__SubmitResponse *m = wire_unpack(&part__submit_response__descriptor, r->reply, &err);
    must_ok(m, &err);
    rpc_result_free(r);
    return m;
}

static bool has_payload(const void *message, const void *wanted)
{
    const Part__OutcomesResponse *m = message;

    return bytes_equal(bytes_of(m->payload.data, m->payload.len), bytes_str(wanted));
}

static bool request_has_payload(const void *message, const void *wanted)
{
    const Part__RequestsResponse *m = message;

    return bytes_equal(bytes_of(m->payload.data, m->payload.len), bytes_str(wanted));
}

static void outcomes_open(struct reader *r, struct node *n, const char *payload)
{
    Part__OutcomesRequest rq = PART__OUTCOMES_REQUEST__INIT;

    reader_open(r, n, SERVICE "Outcomes", &rq, &part__outcomes_response__descriptor, has_payload,
                payload);
}

static Part__OutcomesResponse *outcome_of(struct reader *r, struct node *n, const char *payload)
{
    outcomes_open(r, n, payload);
    Part__OutcomesResponse *m = reader_await(r);
    assert_non_null(m);
    return m;
}

static enum rpc_code confirm(struct node *n, int64_t request_id, bool approve, const char *reason)
{
    Part__ConfirmRequest rq = PART__CONFIRM_REQUEST__INIT;

    rq.request_id = request_id;
    rq.approve = approve;
    rq.reason = (char *)reason;
    struct rpc_result *r = ask(n, SERVICE "Confirm", &rq);
    enum rpc_code code = r->code;
    rpc_result_free(r);
    return code;
}

/* Bob answers the request with this payload. */
static void bob_answers(const char *payload, bool approve, const char *reason)
{
    Part__RequestsRequest rq = PART__REQUESTS_REQUEST__INIT;
    struct reader r;

    reader_open(&r, &w.bob, SERVICE "Requests", &rq, &part__requests_response__descriptor,
                request_has_payload, payload);
    Part__RequestsResponse *m = reader_await(&r);
    assert_non_null(m);
    assert_string_equal(m->submitter, w.alice.uid);
    assert_true(m->respond_by > m->request_id);
    assert_int_equal(confirm(&w.bob, m->request_id, approve, reason), RPC_OK);
    assert_int_equal(confirm(&w.bob, m->request_id, approve, reason), RPC_NOT_FOUND);
    reader_close(&r);
}

/* --- tests --- */

static void what_both_confirm_is_committed_with_both(void **state)
{
    struct command c = {.payload = "both confirm", .with = &w.bob};
    struct reader at_alice, at_bob;

    (void)state;
    prepare(&c);
    wire_message_free(submit_ok(&w.alice, &c));
    bob_answers(c.payload, true, "");
    Part__OutcomesResponse *a = outcome_of(&at_alice, &w.alice, c.payload);
    Part__OutcomesResponse *b = outcome_of(&at_bob, &w.bob, c.payload);
    assert_int_equal(a->verdict, PART__VERDICT__VERDICT_COMMITTED);
    assert_int_equal(b->verdict, PART__VERDICT__VERDICT_COMMITTED);
    assert_string_equal(a->command_id, c.id);
    assert_string_equal(b->command_id, "");
    assert_int_equal(a->request_id, b->request_id);
    assert_int_equal(a->n_confirmed_by, 2);
    assert_true(bytes_equal(bytes_of(a->root_hash.data, a->root_hash.len),
                            bytes_of(b->root_hash.data, b->root_hash.len)));
    assert_true(a->submitted_at > 0 && a->submitted_at <= a->sequenced_at &&
                a->sequenced_at <= a->verdict_at);
    reader_close(&at_alice);
    reader_close(&at_bob);
}

static void a_rejection_reaches_the_submitter_with_its_reason(void **state)
{
    struct command c = {.payload = "too dear", .with = &w.bob};
    struct reader r;

    (void)state;
    prepare(&c);
    wire_message_free(submit_ok(&w.alice, &c));
    bob_answers(c.payload, false, "I have no money");
    Part__OutcomesResponse *m = outcome_of(&r, &w.alice, c.payload);
    assert_int_equal(m->verdict, PART__VERDICT__VERDICT_REJECTED);
    assert_non_null(strstr(m->reason, "I have no money"));
    reader_close(&r);
}

static void a_participant_can_reject_by_rule(void **state)
{
    struct command c = {.payload = "carol says no", .with = &w.carol};
    struct reader r;

    (void)state;
    prepare(&c);
    wire_message_free(submit_ok(&w.alice, &c));
    Part__OutcomesResponse *m = outcome_of(&r, &w.alice, c.payload);
    assert_int_equal(m->verdict, PART__VERDICT__VERDICT_REJECTED);
    reader_close(&r);
}

static void an_informee_that_need_not_confirm_is_told(void **state)
{
    struct command c = {.payload = "for your information", .with = &w.carol, .confirmer = &w.alice};
    struct reader r;

    (void)state;
    prepare(&c);
    wire_message_free(submit_ok(&w.alice, &c));
    Part__OutcomesResponse *m = outcome_of(&r, &w.carol, c.payload);
    assert_int_equal(m->verdict, PART__VERDICT__VERDICT_COMMITTED);
    assert_int_equal(m->n_confirmers, 1);
    assert_string_equal(m->confirmed_by[0], w.alice.uid);
    reader_close(&r);
}

static void a_threshold_of_one_is_enough(void **state)
{
    struct command c = {.payload = "one of two", .with = &w.bob, .threshold = 1};
    struct reader r;

    (void)state;
    prepare(&c);
    wire_message_free(submit_ok(&w.alice, &c));
    Part__OutcomesResponse *m = outcome_of(&r, &w.alice, c.payload);
    assert_int_equal(m->verdict, PART__VERDICT__VERDICT_COMMITTED);
    reader_close(&r);
}

static void the_same_command_is_done_once(void **state)
{
    struct command c = {.payload = "only once"};
    struct command last = {.payload = "behind it"};
    struct reader r, behind;

    (void)state;
    prepare(&c);
    prepare(&last);
    Part__SubmitResponse *one = submit_ok(&w.alice, &c), *two = submit_ok(&w.alice, &c);
    assert_string_equal(one->message_id, two->message_id);
    outcome_of(&r, &w.alice, c.payload);
    Part__SubmitResponse *three = submit_ok(&w.alice, &c);
    assert_int_equal(three->state, PART__COMMAND_STATE__COMMAND_STATE_DECIDED);
    assert_string_equal(one->message_id, three->message_id);
    wire_message_free(submit_ok(&w.alice, &last));
    outcome_of(&behind, &w.alice, last.payload);
    mutex_lock(&r.m);
    assert_int_equal(r.n_found, 1);
    mutex_unlock(&r.m);
    wire_message_free(one);
    wire_message_free(two);
    wire_message_free(three);
    reader_close(&r);
    reader_close(&behind);
}

static void refuse(struct node *at, const struct command *c, enum rpc_code code)
{
    struct rpc_result *r = submit(at, c);

    if (r->code != code)
        fail_msg("%s instead of %s: %s", rpc_code_text(r->code), rpc_code_text(code), r->message);
    rpc_result_free(r);
}

static void what_cannot_be_is_refused(void **state)
{
    struct node nobody = {.uid = "nobody::1220" FP};
    struct command no_id = {.payload = "x"};
    struct command bad_id = {.id = "a\tb", .payload = "x"};
    struct command stranger = {.payload = "x", .with = &nobody};
    struct command outsider = {.payload = "x", .confirmer = &w.bob};
    struct command threshold = {.payload = "x", .with = &w.bob, .threshold = 3};

    (void)state;
    prepare(&stranger);
    prepare(&outsider);
    prepare(&threshold);
    refuse(&w.alice, &no_id, RPC_INVALID_ARGUMENT);
    refuse(&w.alice, &bad_id, RPC_INVALID_ARGUMENT);
    refuse(&w.alice, &stranger, RPC_FAILED_PRECONDITION);
    refuse(&w.alice, &outsider, RPC_INVALID_ARGUMENT);
    refuse(&w.alice, &threshold, RPC_INVALID_ARGUMENT);
    assert_int_equal(confirm(&w.bob, 1, true, ""), RPC_NOT_FOUND);
}

static bool is_any(const void *message, const void *wanted)
{
    (void)message;
    (void)wanted;
    return true;
}

static void requests_are_for_manual_participants(void **state)
{
    Part__RequestsRequest rq = PART__REQUESTS_REQUEST__INIT;
    struct reader r;

    (void)state;
    reader_open(&r, &w.alice, SERVICE "Requests", &rq, &part__requests_response__descriptor, is_any,
                NULL);
    assert_null(reader_await(&r));
    assert_int_equal(r.code, RPC_FAILED_PRECONDITION);
    reader_close(&r);
}

static bool follows(const void *message, const void *wanted)
{
    const Part__OutcomesResponse *m = message;
    int64_t *last = *(int64_t *const *)wanted;

    if (m->offset != *last + 1)
        return true; /* found: a gap or a repeat */
    *last = m->offset;
    return false;
}

static void outcomes_go_on_behind_an_offset_without_gap(void **state)
{
    Part__OutcomesRequest rq = PART__OUTCOMES_REQUEST__INIT;
    int64_t last = 1, *at = &last, until = clock_mono_us() + WAIT_US;
    Part__StatusResponse *st = status_of(&w.alice);
    struct reader r;

    (void)state;
    assert_true(st->last_offset >= 5);
    rq.from_offset = 1;
    reader_open(&r, &w.alice, SERVICE "Outcomes", &rq, &part__outcomes_response__descriptor,
                follows, &at);
    mutex_lock(&r.m);
    while (last < st->last_offset && !r.found && clock_mono_us() < until)
        (void)cond_wait_until(&r.c, &r.m, clock_mono_us() + 10 * US_PER_MS);
    assert_null(r.found);
    assert_int_equal(last, st->last_offset);
    mutex_unlock(&r.m);
    wire_message_free(st);
    reader_close(&r);
}

static void the_status_names_the_endpoint(void **state)
{
    Part__StatusResponse *m = status_of(&w.alice);

    (void)state;
    assert_int_equal(m->n_endpoints, 1);
    assert_int_equal(m->endpoints[0]->health, PART__ENDPOINT_HEALTH__ENDPOINT_HEALTH_OK);
    assert_true(m->endpoints[0]->is_subscribed);
    assert_string_equal(m->connected_endpoint, m->endpoints[0]->url);
    wire_message_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_both_confirm_is_committed_with_both),
        cmocka_unit_test(a_rejection_reaches_the_submitter_with_its_reason),
        cmocka_unit_test(a_participant_can_reject_by_rule),
        cmocka_unit_test(an_informee_that_need_not_confirm_is_told),
        cmocka_unit_test(a_threshold_of_one_is_enough),
        cmocka_unit_test(the_same_command_is_done_once),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(requests_are_for_manual_participants),
        cmocka_unit_test(outcomes_go_on_behind_an_offset_without_gap),
        cmocka_unit_test(the_status_names_the_endpoint),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
