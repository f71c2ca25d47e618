/* test_service.c: one sequencer on a real database, over gRPC. Each test is one claim on a
 * synchronizer of its own. */
#include "t/sequencer/harness.h"

#include "connection_v30.pb-c.h"
#include "grpc_health_v1.pb-c.h"
#include "rpc/health.h"
#include "sequencer_api_v30.pb-c.h"
#include "t/only.h"
#include "wire/messages.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"

/* A rig with one active replica and two participants that have authenticated. */
struct two {
    struct rig r;
    struct node alice, bob;
    struct session a, b;
};

static void two_open_with(struct two *t, const struct dynamic_parameters *p,
                          void (*tune)(struct sequencer_config *cfg))
{
    rig_open_with(&t->r, p);
    replica_open(&t->r, 0, tune);
    replica_await_active(&t->r, 0);
    participant_onboard(&t->r, 0, &t->alice, "alice");
    participant_onboard(&t->r, 0, &t->bob, "bob");
    session_open(&t->r, 0, &t->alice, &t->a);
    session_open(&t->r, 0, &t->bob, &t->b);
}

static void two_open(struct two *t, void (*tune)(struct sequencer_config *cfg))
{
    two_open_with(t, NULL, tune);
}

static void two_close(struct two *t)
{
    node_close(&t->alice);
    node_close(&t->bob);
    rig_close(&t->r);
}

/* The next event that is no topology broadcast or tick: those carry one topology message. */
static struct event next_letter(struct feed *f)
{
    for (;;) {
        struct event e = feed_next(f);
        struct batch b = {0};
        struct error err;
        bool is_topology = false;

        if (!e.is_error) {
            must(batch_open(&e.batch, BATCH_LIMIT, &b, &err), &err);
            enum message_kind kind;
            is_topology =
                b.n == 1 &&
                message_kind_of(buffer_bytes(&b.envelopes[0].content), false, &kind, NULL) &&
                kind == MESSAGE_TOPOLOGY;
            batch_free(&b);
        }
        if (!is_topology)
            return e;
        event_free(&e);
    }
}

static void assert_content(const struct event *e, const char *content)
{
    struct batch b = {0};
    struct error err;

    assert_false(e->is_error);
    must(batch_open(&e->batch, BATCH_LIMIT, &b, &err), &err);
    assert_int_equal(b.n, content ? 1 : 0);
    if (content)
        assert_true(bytes_equal(buffer_bytes(&b.envelopes[0].content), bytes_str(content)));
    batch_free(&b);
}

static void a_letter_reaches_its_recipient_and_its_sender_gets_a_receipt(void **state)
{
    struct two t;

    (void)state;
    two_open(&t, NULL);
    struct feed *fa = feed_open(&t.a, NULL), *fb = feed_open(&t.b, NULL);
    letter_send_ok(
        &t.a,
        &(struct letter){.message_id = "m1", .content = "to bob", .recipients = {t.bob.member}});
    struct event at_bob = next_letter(fb), at_alice = next_letter(fa);
    assert_content(&at_bob, "to bob");
    assert_null(at_bob.message_id);
    assert_content(&at_alice, NULL);
    assert_string_equal(at_alice.message_id, "m1");
    assert_int_equal(at_alice.ts, at_bob.ts);
    event_free(&at_bob);
    event_free(&at_alice);
    feed_close(fa);
    feed_close(fb);
    two_close(&t);
}

static void everybody_sees_the_tick_after_a_topology_change(void **state)
{
    struct two t;
    bool found = false;

    (void)state;
    two_open(&t, NULL);
    struct node carol;
    struct feed *fa = feed_open(&t.a, NULL);
    participant_onboard(&t.r, 0, &carol, "carol");
    while (!found) { /* an empty broadcast, from nobody that is told */
        struct event e = feed_next(fa);
        struct message m;
        struct batch b = {0};
        struct error err;

        must(batch_open(&e.batch, BATCH_LIMIT, &b, &err), &err);
        assert_int_equal(b.n, 1);
        must(message_parse(buffer_bytes(&b.envelopes[0].content), false, &m, &err), &err);
        assert_int_equal(m.kind, MESSAGE_TOPOLOGY);
        assert_null(e.message_id);
        found = m.as.topology.n == 0 && e.ts > 0;
        message_free(&m);
        batch_free(&b);
        event_free(&e);
    }
    feed_close(fa);
    node_close(&carol);
    two_close(&t);
}

/* A send that is refused at once: its status, and nothing else happens. */
static void assert_refused(const struct session *s, const struct letter *l, enum rpc_code code,
                           const char *reason)
{
    struct rpc_result *r = letter_send(s, l);

    if (r->code != code || strcmp(result_reason(r), reason) != 0)
        fail_msg("%s: expected %s %s, got %s %s: %s", l->message_id, rpc_code_text(code), reason,
                 rpc_code_text(r->code), result_reason(r), r->message);
    rpc_result_free(r);
}

static uint64_t accepted(struct rig *r)
{
    struct sequencer_status s;

    sequencer_status(r->replicas[0].seq, &s);
    return s.accepted;
}

static void what_is_wrong_is_refused_at_once_and_changes_nothing(void **state)
{
    struct two t;

    (void)state;
    two_open(&t, NULL);
    uint64_t before = accepted(&t.r);
    struct session forged = t.a;
    struct node thief = t.alice;
    thief.keys = t.bob.keys; /* signs with keys that are not alice's */
    forged.node = &thief;
    assert_refused(&forged, &(struct letter){.message_id = "forged"}, RPC_FAILED_PRECONDITION,
                   "SEQUENCER_SUBMISSION_REQUEST_REFUSED");
    assert_refused(&t.a, &(struct letter){.message_id = "late", .max_sequencing_time = 1},
                   RPC_ABORTED, "MAX_SEQUENCING_TIME_EXCEEDED");
    assert_refused(
        &t.a,
        &(struct letter){.message_id = "nobody", .content = "x", .recipients = {"PAR::x::1220aa"}},
        RPC_FAILED_PRECONDITION, "SEQUENCER_UNKNOWN_RECIPIENTS");
    assert_refused(&t.a,
                   &(struct letter){.message_id = "two",
                                    .content = "x",
                                    .recipients = {"MGR::0", t.r.world.mediator.member}},
                   RPC_FAILED_PRECONDITION, "SEQUENCER_SUBMISSION_REQUEST_REFUSED");
    assert_refused(&t.a,
                   &(struct letter){.message_id = "rule",
                                    .content = "x",
                                    .recipients = {t.bob.member},
                                    .rule = AGGREGATION_MEDIATOR_GROUP},
                   RPC_INVALID_ARGUMENT, "SEQUENCER_SUBMISSION_REQUEST_MALFORMED");
    assert_refused(&t.a,
                   &(struct letter){.message_id = "far",
                                    .content = "x",
                                    .recipients = {t.bob.member},
                                    .rule = AGGREGATION_DEDUP,
                                    .max_sequencing_time = TS_MAX},
                   RPC_FAILED_PRECONDITION, "SEQUENCER_MAX_SEQUENCING_TIME_TOO_FAR");
    Seq__SendAsyncRequest junk = SEQ__SEND_ASYNC_REQUEST__INIT;
    junk.signed_submission_request.data = (uint8_t *)text("\x0a\x03xyz\x10\x1e");
    junk.signed_submission_request.len = 7;
    struct rpc_result *r = session_call(&t.a, "SequencerService/SendAsync", &junk);
    assert_int_equal(r->code, RPC_INVALID_ARGUMENT);
    assert_string_equal(result_reason(r), "SEQUENCER_SUBMISSION_REQUEST_MALFORMED");
    rpc_result_free(r);
    assert_int_equal(accepted(&t.r), before);
    two_close(&t);
}

/* Before its signature is looked at: what counts is whose token it is. */
static void confirmation_requests_have_a_rate(void **state)
{
    struct two t;
    struct dynamic_parameters p;

    (void)state;
    dynamic_parameters_default(&p);
    p.confirmation_requests_max_rate = 0; /* the burst of one is all there is */
    two_open_with(&t, &p, NULL);
    struct session forged = t.a;
    struct node thief = t.alice;
    thief.keys = t.bob.keys;
    forged.node = &thief;
    struct letter request = {
        .message_id = "request", .content = "x", .recipients = {"MGR::0", t.bob.member}};
    struct letter both_wrong = {.message_id = "wrong",
                                .content = "x",
                                .recipients = {"MGR::0", t.r.world.mediator.member, t.bob.member}};

    assert_refused(&t.a, &both_wrong, RPC_FAILED_PRECONDITION,
                   "SEQUENCER_SUBMISSION_REQUEST_REFUSED"); /* takes nothing from the rate */
    letter_send_ok(&t.a, &request);
    assert_refused(&t.a, &request, RPC_ABORTED, "SEQUENCER_OVERLOADED");
    assert_refused(&forged, &request, RPC_ABORTED, "SEQUENCER_OVERLOADED");
    assert_refused(&t.a, &both_wrong, RPC_FAILED_PRECONDITION,
                   "SEQUENCER_SUBMISSION_REQUEST_REFUSED");
    letter_send_ok(&t.a, &(struct letter){
                             .message_id = "plain", .content = "x", .recipients = {t.bob.member}});
    request.recipients[1] = t.alice.member;
    letter_send_ok(&t.b, &request); /* each has its own */
    two_close(&t);
}

static void without_a_good_token_nothing_is_served(void **state)
{
    Seq__GetTimeRequest m = SEQ__GET_TIME_REQUEST__INIT;
    struct two t;
    struct bytes value;

    (void)state;
    two_open(&t, NULL);
    struct rpc_result *r = call_plain(&t.r, 0, "SequencerService/GetTime", NULL, &m);
    assert_int_equal(r->code, RPC_UNAUTHENTICATED);
    rpc_result_free(r);
    struct session wrong = t.a;
    wrong.token[7] ^= 1;
    r = session_call(&wrong, "SequencerService/GetTime", &m);
    assert_int_equal(r->code, RPC_UNAUTHENTICATED);
    assert_true(rpc_result_trailer(r, "autherrorcode", &value));
    assert_true(bytes_equal(value, bytes_str("MissingToken")));
    assert_true(rpc_result_trailer(r, "authtoken-bin", &value));
    assert_true(bytes_equal(value, bytes_of(wrong.token, 20)));
    rpc_result_free(r);
    wrong = t.a;
    wrong.node = &t.bob; /* alice's token, bob's name */
    r = session_call(&wrong, "SequencerService/GetTime", &m);
    assert_int_equal(r->code, RPC_UNAUTHENTICATED);
    rpc_result_free(r);
    Seq__GetTimeResponse *time = result_message(session_call(&t.a, "SequencerService/GetTime", &m),
                                                &seq__get_time_response__descriptor);
    assert_true(time->sequencing_timestamp > 0);
    wire_message_free(time);
    two_close(&t);
}

static void a_logout_voids_the_token_and_ends_the_subscriptions(void **state)
{
    Seq__SequencerAuthentication__LogoutRequest m =
        SEQ__SEQUENCER_AUTHENTICATION__LOGOUT_REQUEST__INIT;
    Seq__GetTimeRequest ask = SEQ__GET_TIME_REQUEST__INIT;
    enum rpc_code code;
    const char *message;
    struct two t;

    (void)state;
    two_open(&t, NULL);
    struct feed *f = feed_open(&t.a, NULL);
    letter_send_ok(&t.a, &(struct letter){.message_id = "m"});
    struct event e = next_letter(f);
    event_free(&e);
    m.token = (ProtobufCBinaryData){20, t.a.token};
    struct rpc_result *r = call_plain(&t.r, 0, "SequencerAuthenticationService/Logout", NULL, &m);
    assert_int_equal(r->code, RPC_OK);
    rpc_result_free(r);
    assert_true(feed_ended(f, &code, &message));
    assert_int_equal(code, RPC_UNAVAILABLE);
    r = session_call(&t.a, "SequencerService/GetTime", &ask);
    assert_int_equal(r->code, RPC_UNAUTHENTICATED);
    rpc_result_free(r);
    feed_close(f);
    two_close(&t);
}

static void a_dedup_rule_delivers_once_and_says_so_the_second_time(void **state)
{
    struct two t;

    (void)state;
    two_open(&t, NULL);
    struct letter l = {.message_id = "d",
                       .content = "once",
                       .recipients = {t.bob.member},
                       .rule = AGGREGATION_DEDUP,
                       .is_signed = true,
                       .max_sequencing_time = clock_now_us() + 60 * US_PER_S};
    struct feed *fa = feed_open(&t.a, NULL), *fb = feed_open(&t.b, NULL);
    letter_send_ok(&t.a, &l);
    letter_send_ok(&t.a, &l);
    struct event first = next_letter(fa), second = next_letter(fa), at_bob = next_letter(fb);
    assert_false(first.is_error);
    assert_true(second.is_error);
    assert_int_equal(second.status.code, RPC_FAILED_PRECONDITION);
    char *reason = wire_status_reason(&second.status);
    assert_string_equal(reason, "SEQUENCER_AGGREGATE_SUBMISSION_ALREADY_SENT");
    free(reason);
    assert_content(&at_bob, "once");
    event_free(&first);
    event_free(&second);
    event_free(&at_bob);
    feed_close(fa);
    feed_close(fb);
    two_close(&t);
}

static void a_mediator_group_rule_delivers_at_its_threshold(void **state)
{
    struct two t;
    struct session m;

    (void)state;
    two_open(&t, NULL);
    session_open(&t.r, 0, &t.r.world.mediator, &m);
    struct feed *fb = feed_open(&t.b, NULL);
    struct letter l = {.message_id = "v",
                       .content = "verdict",
                       .recipients = {t.bob.member},
                       .rule = AGGREGATION_MEDIATOR_GROUP,
                       .is_signed = true,
                       .max_sequencing_time = clock_now_us() + 60 * US_PER_S};
    letter_send_ok(&m, &l);
    struct event e = next_letter(fb);
    assert_content(&e, "verdict");
    event_free(&e);
    assert_refused(&m, &l, RPC_ALREADY_EXISTS, "SEQUENCER_AGGREGATE_SUBMISSION_ALREADY_SENT");
    feed_close(fb);
    two_close(&t);
}

static void a_group_recipient_is_resolved_and_trees_are_filtered(void **state)
{
    struct two t;
    struct session m;

    (void)state;
    two_open(&t, NULL);
    session_open(&t.r, 0, &t.r.world.mediator, &m);
    struct feed *fm = feed_open(&m, NULL), *fb = feed_open(&t.b, NULL);
    letter_send_ok(&t.a, &(struct letter){.message_id = "g",
                                          .content = "both",
                                          .recipients = {"MGR::0", t.bob.member}});
    struct event at_m = next_letter(fm), at_b = next_letter(fb);
    struct recipients *rm, *rb;
    struct error err;
    must(batch_read_recipients(&at_m.batch, BATCH_LIMIT, &rm, &err), &err);
    must(batch_read_recipients(&at_b.batch, BATCH_LIMIT, &rb, &err), &err);
    assert_int_equal(rm[0].n_all, 1);
    assert_string_equal(rm[0].all[0].text, "MGR::0");
    assert_int_equal(rb[0].n_all, 1);
    assert_string_equal(rb[0].all[0].text, t.bob.member);
    batch_recipients_free(rm, 1);
    batch_recipients_free(rb, 1);
    event_free(&at_m);
    event_free(&at_b);
    feed_close(fm);
    feed_close(fb);
    two_close(&t);
}

/* What was delivered, to be compared byte by byte. */
static void collect(struct feed *f, size_t n, struct buffer *out)
{
    for (size_t i = 0; i < n; i++) {
        struct event e = next_letter(f);
        buffer_append(out, e.raw.data, e.raw.len);
        event_free(&e);
    }
}

static void tiny_window(struct sequencer_config *cfg)
{
    cfg->window_bytes_max = 1;
}

static void old_events_come_from_the_log_with_the_same_bytes(void **state)
{
    struct buffer live = BUFFER_INIT, again = BUFFER_INIT;
    struct two t;
    struct session m;

    (void)state;
    two_open(&t, tiny_window);
    session_open(&t.r, 0, &t.r.world.mediator, &m);
    struct feed *f = feed_open(&t.a, NULL);
    struct letter dedup = {.message_id = "d",
                           .content = "once",
                           .recipients = {t.alice.member},
                           .rule = AGGREGATION_DEDUP,
                           .is_signed = true,
                           .max_sequencing_time = clock_now_us() + 60 * US_PER_S};
    for (int i = 0; i < 5; i++) {
        letter_send_ok(&t.b, &(struct letter){.message_id = "m",
                                              .content = "for alice",
                                              .recipients = {t.alice.member}});
        letter_send_ok(&t.a, &dedup); /* delivered once, then errors */
        struct letter verdict = dedup;
        verdict.rule = AGGREGATION_MEDIATOR_GROUP;
        verdict.max_sequencing_time += i;
        letter_send_ok(&m, &verdict);
    }
    collect(f, 15, &live);
    feed_close(f);
    f = feed_open(&t.a, NULL);
    collect(f, 15, &again);
    assert_int_equal(live.len, again.len);
    assert_memory_equal(live.data, again.data, live.len);
    feed_close(f);
    buffer_free(&live);
    buffer_free(&again);
    two_close(&t);
}

static void a_restart_replays_the_log_to_the_same_bytes(void **state)
{
    struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
    struct sequencer_status s1, s2;
    struct two t;

    (void)state;
    two_open(&t, NULL);
    struct feed *f = feed_open(&t.b, NULL);
    for (int i = 0; i < 10; i++)
        letter_send_ok(
            &t.a,
            &(struct letter){.message_id = "m", .content = "to bob", .recipients = {t.bob.member}});
    collect(f, 10, &before);
    feed_close(f);
    sequencer_status(t.r.replicas[0].seq, &s1);
    replica_stop(&t.r, 0);
    replica_open(&t.r, 0, NULL);
    replica_await_active(&t.r, 0);
    sequencer_status(t.r.replicas[0].seq, &s2);
    assert_int_equal(s1.applied_ts, s2.applied_ts);
    assert_memory_equal(s1.digest, s2.digest, 32);
    t.b.channel = t.r.replicas[0].channel; /* the token is still good */
    f = feed_open(&t.b, NULL);
    collect(f, 10, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, before.len);
    feed_close(f);
    buffer_free(&before);
    buffer_free(&after);
    two_close(&t);
}

static void a_subscription_resumes_with_the_event_that_it_names(void **state)
{
    struct two t;

    (void)state;
    two_open(&t, NULL);
    struct feed *f = feed_open(&t.b, NULL);
    for (int i = 0; i < 3; i++)
        letter_send_ok(
            &t.a,
            &(struct letter){.message_id = "m", .content = "to bob", .recipients = {t.bob.member}});
    struct event e1 = next_letter(f), e2 = next_letter(f);
    feed_close(f);
    f = feed_open(&t.b, &e2.ts);
    struct event again = feed_next(f), e3 = feed_next(f);
    assert_int_equal(again.ts, e2.ts);
    assert_int_equal(again.previous_ts, e1.ts);
    assert_int_equal(again.raw.len, e2.raw.len);
    assert_memory_equal(again.raw.data, e2.raw.data, e2.raw.len);
    assert_int_equal(e3.previous_ts, e2.ts);
    feed_close(f);
    int64_t too_early = 1;
    enum rpc_code code;
    const char *message;
    f = feed_open(&t.b, &too_early);
    assert_true(feed_ended(f, &code, &message));
    assert_int_equal(code, RPC_FAILED_PRECONDITION);
    feed_close(f);
    event_free(&e1);
    event_free(&e2);
    event_free(&e3);
    event_free(&again);
    two_close(&t);
}

static void the_sixth_subscription_closes_the_oldest(void **state)
{
    struct feed *f[6];
    enum rpc_code code;
    const char *message;
    struct two t;

    (void)state;
    two_open(&t, NULL);
    letter_send_ok(&t.a, &(struct letter){.message_id = "m"});
    for (int i = 0; i < 6; i++) {
        f[i] = feed_open(&t.a, NULL);
        struct event e = next_letter(f[i]);
        event_free(&e);
    }
    assert_true(feed_ended(f[0], &code, &message));
    assert_int_equal(code, RPC_UNAVAILABLE);
    assert_string_equal(message, "Too many open subscriptions for member");
    for (int i = 0; i < 6; i++)
        feed_close(f[i]);
    two_close(&t);
}

static bool is_serving(struct rig *r)
{
    Health__HealthCheckRequest check = HEALTH__HEALTH_CHECK_REQUEST__INIT;

    check.service = text("sequencer-health-check-service");
    Health__HealthCheckResponse *health =
        result_message(call_plain(r, 0, "/grpc.health.v1.Health/Check", NULL, &check),
                       &health__health_check_response__descriptor);
    bool yes = health->status == HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;

    wire_message_free(health);
    return yes;
}

static void the_connect_service_says_who_we_are(void **state)
{
    Seq__SequencerConnect__HandshakeRequest hello = SEQ__SEQUENCER_CONNECT__HANDSHAKE_REQUEST__INIT;
    Seq__SequencerConnect__GetSynchronizerIdRequest ask =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_ID_REQUEST__INIT;
    Seq__SequencerConnect__GetSynchronizerParametersRequest ask_p =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_PARAMETERS_REQUEST__INIT;
    Connection__GetApiInfoRequest ask_api = CONNECTION__GET_API_INFO_REQUEST__INIT;
    int32_t versions[] = {34, 35};
    struct rig r;

    (void)state;
    rig_open(&r);
    replica_open(&r, 0, NULL);
    replica_await_active(&r, 0);
    hello.client_protocol_versions = versions;
    hello.n_client_protocol_versions = 2;
    hello.client_version = text("3.5.0");
    Seq__SequencerConnect__HandshakeResponse *h =
        result_message(call_plain(&r, 0, "SequencerConnectService/Handshake", NULL, &hello),
                       &seq__sequencer_connect__handshake_response__descriptor);
    assert_int_equal(h->server_protocol_version, 35);
    assert_non_null(h->success);
    wire_message_free(h);
    hello.n_client_protocol_versions = 1;
    struct rpc_result *no = call_plain(&r, 0, "SequencerConnectService/Handshake", NULL, &hello);
    assert_int_equal(no->code, RPC_INVALID_ARGUMENT);
    rpc_result_free(no);
    Seq__SequencerConnect__GetSynchronizerIdResponse *id =
        result_message(call_plain(&r, 0, "SequencerConnectService/GetSynchronizerId", NULL, &ask),
                       &seq__sequencer_connect__get_synchronizer_id_response__descriptor);
    assert_string_equal(id->physical_synchronizer_id, r.world.psid);
    assert_string_equal(id->sequencer_uid, r.world.sequencer.uid);
    wire_message_free(id);
    Seq__SequencerConnect__GetSynchronizerParametersResponse *p = result_message(
        call_plain(&r, 0, "SequencerConnectService/GetSynchronizerParameters", NULL, &ask_p),
        &seq__sequencer_connect__get_synchronizer_parameters_response__descriptor);
    assert_non_null(p->parameters_v1);
    wire_message_free(p);
    Connection__GetApiInfoResponse *api = result_message(
        call_plain(&r, 0, "/com.digitalasset.canton.connection.v30.ApiInfoService/GetApiInfo", NULL,
                   &ask_api),
        &connection__get_api_info_response__descriptor);
    assert_string_equal(api->name, "sequencer-public-api");
    wire_message_free(api);
    await(is_serving(&r));
    no = call_plain(&r, 0, "SequencerConnectService/VerifyActive", "nonsense",
                    &(Seq__SequencerConnect__VerifyActiveRequest)
                        SEQ__SEQUENCER_CONNECT__VERIFY_ACTIVE_REQUEST__INIT);
    assert_int_equal(no->code, RPC_INVALID_ARGUMENT);
    rpc_result_free(no);
    rig_close(&r);
}

static void a_session_that_began_after_the_last_event_may_send(void **state)
{
    struct private_key *key = session_key_new(SIGNING_ED25519);
    char synchronizer[UID_TEXT_SIZE];
    struct error err;
    struct two t;

    (void)state;
    two_open(&t, NULL);
    must(psid_logical(t.r.world.psid, synchronizer, &err), &err);
    struct session_of s = {.owner = keyring_newest(t.alice.keys, USAGE_PROTOCOL),
                           .key = key,
                           .synchronizer = synchronizer,
                           .from = clock_now_us(),
                           .seconds = 600};
    struct letter l = {.message_id = "by session", .session = &s};

    struct feed *f = feed_open(&t.a, NULL);
    letter_send_ok(&t.a, &l);
    struct event e = next_letter(f);
    assert_false(e.is_error);
    assert_string_equal(e.message_id, "by session");
    event_free(&e);
    s.from -= 3600 * US_PER_S; /* long over */
    assert_refused(&t.a, &l, RPC_FAILED_PRECONDITION, "SEQUENCER_SUBMISSION_REQUEST_REFUSED");
    feed_close(f);
    private_key_unref(key);
    two_close(&t);
}

static void an_acknowledgement_is_signed_and_kept(void **state)
{
    Seq__AcknowledgeSignedRequest m = SEQ__ACKNOWLEDGE_SIGNED_REQUEST__INIT;
    struct buffer ack = BUFFER_INIT, frame = BUFFER_INIT;
    struct signature s;
    struct error err;
    struct two t;
    struct hash h;

    (void)state;
    two_open(&t, NULL);
    letter_send_ok(&t.a, &(struct letter){.message_id = "m"});
    struct feed *f = feed_open(&t.a, NULL);
    struct event e = next_letter(f);
    for (int is_bad = 0; is_bad < 2; is_bad++) {
        buffer_clear(&ack);
        buffer_clear(&frame);
        must(acknowledge_build(t.alice.member, e.ts, &ack, &err), &err);
        must(hash_of(HASH_ACKNOWLEDGEMENT, buffer_bytes(&ack), &h, &err), &err);
        must(
            keyring_sign(is_bad ? t.bob.keys : t.alice.keys, USAGE_PROTOCOL, NULL, 0, &h, &s, &err),
            &err);
        must(signed_content_build(buffer_bytes(&ack), &s, NULL, &frame, &err), &err);
        signature_free(&s);
        m.signed_acknowledge_request = (ProtobufCBinaryData){frame.len, frame.data};
        struct rpc_result *r = session_call(&t.a, "SequencerService/AcknowledgeSigned", &m);
        assert_int_equal(r->code, is_bad ? RPC_INVALID_ARGUMENT : RPC_OK);
        rpc_result_free(r);
    }
    event_free(&e);
    feed_close(f);
    buffer_free(&ack);
    buffer_free(&frame);
    two_close(&t);
}

static void count_three(struct sequencer_config *cfg)
{
    cfg->total_node_count = 3;
}

static void another_total_node_count_is_refused_with_a_reason(void **state)
{
    struct sequencer_status s;
    struct rig r;

    (void)state;
    rig_open(&r);
    replica_open(&r, 0, NULL);
    replica_await_active(&r, 0);
    replica_stop(&r, 0);
    replica_open(&r, 0, count_three);
    await((sequencer_status(r.replicas[0].seq, &s), s.state) == SEQUENCER_FAILED);
    assert_non_null(strstr(s.reason, "total-node-count is 3 here and 10"));
    rig_close(&r);
}

static void tiny_queue(struct sequencer_config *cfg)
{
    cfg->queue_bytes_max = 10;
}

static void a_full_queue_answers_overloaded_at_once(void **state)
{
    struct two t;

    (void)state;
    two_open(&t, NULL);
    replica_stop(&t.r, 0);
    replica_open(&t.r, 0, tiny_queue);
    replica_await_active(&t.r, 0);
    t.a.channel = t.r.replicas[0].channel;
    assert_refused(&t.a, &(struct letter){.message_id = "m"}, RPC_ABORTED, "SEQUENCER_OVERLOADED");
    assert_int_equal(accepted(&t.r), 0);
    two_close(&t);
}

/* The removal of n's trust certificate, signed by its namespace. */
static struct signed_txs removal(struct two *t, const struct node *n)
{
    const char *by[] = {n->ns};
    struct signed_txs trust = {0}, out = {0};
    struct signed_topology_tx tx;
    struct error e;

    must(identity_trust(n->keys, n->ns, n->uid, topology_synchronizer(t->r.world.t), &trust, &e),
         &e);
    must(signed_topology_tx_parse(buffer_bytes(&trust.at[0]), &tx, &e), &e);
    must(identity_sign(n->keys, by, 1, TOPOLOGY_REMOVE, tx.serial + 1, tx.mapping, false, &out, &e),
         &e);
    signed_topology_tx_free(&tx);
    signed_txs_free(&trust);
    return out;
}

static void a_member_that_is_removed_is_disconnected_and_let_in_no_more(void **state)
{
    Seq__SequencerAuthentication__ChallengeRequest ask =
        SEQ__SEQUENCER_AUTHENTICATION__CHALLENGE_REQUEST__INIT;
    Seq__GetTimeRequest time = SEQ__GET_TIME_REQUEST__INIT;
    int32_t versions[] = {35};
    enum rpc_code code;
    const char *message;
    struct error e;
    struct two t;

    (void)state;
    two_open(&t, NULL);
    struct feed *f = feed_open(&t.b, NULL);
    letter_send_ok(
        &t.a, &(struct letter){.message_id = "m", .content = "x", .recipients = {t.bob.member}});
    struct event event = next_letter(f);
    event_free(&event);
    struct signed_txs txs = removal(&t, &t.bob);
    struct bytes tx = buffer_bytes(&txs.at[0]);
    must(sequencer_submit_topology(t.r.replicas[0].seq, &tx, 1, AWAIT_US, &e), &e);
    signed_txs_free(&txs);
    assert_true(feed_ended(f, &code, &message));
    assert_int_equal(code, RPC_PERMISSION_DENIED);
    struct rpc_result *r = session_call(&t.b, "SequencerService/GetTime", &time);
    assert_int_equal(r->code, RPC_UNAUTHENTICATED);
    rpc_result_free(r);
    ask.member = text(t.bob.member);
    ask.client_version = text("test");
    ask.member_protocol_versions = versions;
    ask.n_member_protocol_versions = 1;
    r = call_plain(&t.r, 0, "SequencerAuthenticationService/Challenge", NULL, &ask);
    assert_int_equal(r->code, RPC_PERMISSION_DENIED);
    rpc_result_free(r);
    feed_close(f);
    two_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_reaches_its_recipient_and_its_sender_gets_a_receipt),
        cmocka_unit_test(everybody_sees_the_tick_after_a_topology_change),
        cmocka_unit_test(what_is_wrong_is_refused_at_once_and_changes_nothing),
        cmocka_unit_test(confirmation_requests_have_a_rate),
        cmocka_unit_test(without_a_good_token_nothing_is_served),
        cmocka_unit_test(a_logout_voids_the_token_and_ends_the_subscriptions),
        cmocka_unit_test(a_dedup_rule_delivers_once_and_says_so_the_second_time),
        cmocka_unit_test(a_mediator_group_rule_delivers_at_its_threshold),
        cmocka_unit_test(a_group_recipient_is_resolved_and_trees_are_filtered),
        cmocka_unit_test(old_events_come_from_the_log_with_the_same_bytes),
        cmocka_unit_test(a_restart_replays_the_log_to_the_same_bytes),
        cmocka_unit_test(a_subscription_resumes_with_the_event_that_it_names),
        cmocka_unit_test(the_sixth_subscription_closes_the_oldest),
        cmocka_unit_test(the_connect_service_says_who_we_are),
        cmocka_unit_test(a_session_that_began_after_the_last_event_may_send),
        cmocka_unit_test(an_acknowledgement_is_signed_and_kept),
        cmocka_unit_test(a_full_queue_answers_overloaded_at_once),
        cmocka_unit_test(a_member_that_is_removed_is_disconnected_and_let_in_no_more),
        cmocka_unit_test(another_total_node_count_is_refused_with_a_reason),
    };
    test_only();
    return cmocka_run_group_tests_name("sequencer", tests, NULL, NULL);
}
