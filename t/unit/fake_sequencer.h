/* fake_sequencer.h: the public API of a sequencer in the test's own process, over a real socket: it
 * answers what the test tells it to, and streams the events that the test gives it. */
#ifndef T_FAKE_SEQUENCER_H
#define T_FAKE_SEQUENCER_H
#include "rpc_fixture.h"

#include "client/client.h"
#include "connection_v30.pb-c.h"
#include "crypto/keyring.h"
#include "grpc_health_v1.pb-c.h"
#include "rpc/health.h"
#include "sequencer_api_v30.pb-c.h"
#include "topology/parameters.h"
#include "wire/event.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"
#include "wire/submission.h"

#define FAKE_PSID       "test::1220abababababababababababababababababababababababababababababababab::35-0"
#define FAKE_SEQ        "seq::1220abababababababababababababababababababababababababababababababab"
#define FAKE_MEMBER     "PAR::p1::1220abababababababababababababababababababababababababababababababab"

#define FAKE_EVENTS_MAX 64

/* What the replicas of one fake sequencer share. */
struct fake_events {
    struct mutex m;
    struct cond changed;
    struct buffer message[FAKE_EVENTS_MAX]; /* SubscriptionResponse */
    int64_t ts[FAKE_EVENTS_MAX];
    size_t n;
    struct keyring *keys; /* the sequencer's */
};

struct fake {
    struct fake_events *ev;
    struct rpc_loop *loop;
    struct rpc_server *server;
    struct health *health;
    int port;
    const char *psid;
    struct thread streamer;
    /* guarded by ev->m */
    struct rpc_call *sub; /* the one subscription */
    size_t next;          /* event to write */
    bool is_writing, is_stopping, is_cancelled;
    int64_t asked_from; /* of the last Subscribe; INT64_MIN: from the beginning */
    enum rpc_code send_code;
    struct gate subscribed, sent, acked, logged_in;
    char last_message_id[80];
};

static inline void fake_reply(struct rpc_call *call, const void *m)
{
    struct buffer b = BUFFER_INIT;
    struct error err;

    must_ok(wire_pack(m, &b, &err), &err);
    rpc_call_reply(call, buffer_bytes(&b));
    buffer_free(&b);
}

static inline void fake_api_info(void *ctx, struct rpc_call *call)
{
    Connection__GetApiInfoResponse m = CONNECTION__GET_API_INFO_RESPONSE__INIT;

    (void)ctx;
    m.name = (char[]){"sequencer-public-api"};
    fake_reply(call, &m);
}

static inline void fake_handshake(void *ctx, struct rpc_call *call)
{
    Seq__SequencerConnect__HandshakeResponse m = SEQ__SEQUENCER_CONNECT__HANDSHAKE_RESPONSE__INIT;
    Seq__SequencerConnect__HandshakeResponse__Success ok =
        SEQ__SEQUENCER_CONNECT__HANDSHAKE_RESPONSE__SUCCESS__INIT;

    (void)ctx;
    m.server_protocol_version = 35;
    m.value_case = SEQ__SEQUENCER_CONNECT__HANDSHAKE_RESPONSE__VALUE_SUCCESS;
    m.success = &ok;
    fake_reply(call, &m);
}

static inline void fake_ids(void *ctx, struct rpc_call *call)
{
    struct fake *f = ctx;
    Seq__SequencerConnect__GetSynchronizerIdResponse m =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_ID_RESPONSE__INIT;

    m.physical_synchronizer_id = (char *)f->psid;
    m.sequencer_uid = (char[]){FAKE_SEQ};
    fake_reply(call, &m);
}

static inline void fake_params(void *ctx, struct rpc_call *call)
{
    Seq__SequencerConnect__GetSynchronizerParametersResponse m =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_PARAMETERS_RESPONSE__INIT;
    P30__StaticSynchronizerParameters p = P30__STATIC_SYNCHRONIZER_PARAMETERS__INIT;

    (void)ctx;
    p.protocol_version = 35;
    m.parameters_case =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_PARAMETERS_RESPONSE__PARAMETERS_PARAMETERS_V1;
    m.parameters_v1 = &p;
    fake_reply(call, &m);
}

static inline void fake_challenge(void *ctx, struct rpc_call *call)
{
    Seq__SequencerAuthentication__ChallengeRequest *rq =
        wire_unpack(&seq__sequencer_authentication__challenge_request__descriptor,
                    rpc_call_request(call), NULL);
    Seq__SequencerAuthentication__ChallengeResponse m =
        SEQ__SEQUENCER_AUTHENTICATION__CHALLENGE_RESPONSE__INIT;
    struct fake *f = ctx;
    uint8_t nonce[20] = {1};
    char *fingerprint = (char *)keyring_newest(f->ev->keys, USAGE_SEQUENCER_AUTH)->pub->fingerprint;

    assert_string_equal(rq->member, FAKE_MEMBER);
    wire_message_free(rq);
    m.nonce.data = nonce;
    m.nonce.len = sizeof(nonce);
    m.fingerprints = &fingerprint;
    m.n_fingerprints = 1;
    fake_reply(call, &m);
}

static inline void fake_authenticate(void *ctx, struct rpc_call *call)
{
    struct fake *f = ctx;
    Seq__SequencerAuthentication__AuthenticateResponse m =
        SEQ__SEQUENCER_AUTHENTICATION__AUTHENTICATE_RESPONSE__INIT;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    uint8_t token[20] = {7};

    at.seconds = clock_now_us() / US_PER_S + 3600;
    m.token.data = token;
    m.token.len = sizeof(token);
    m.expires_at = &at;
    fake_reply(call, &m);
    gate_add(&f->logged_in);
}

static inline void fake_send(void *ctx, struct rpc_call *call)
{
    struct fake *f = ctx;
    Seq__SendAsyncRequest *rq =
        wire_unpack(&seq__send_async_request__descriptor, rpc_call_request(call), NULL);
    Seq__SendAsyncResponse m = SEQ__SEND_ASYNC_RESPONSE__INIT;
    struct signed_content sc;
    struct submission sub;
    struct error err;

    must_ok(signed_content_parse(
                bytes_of(rq->signed_submission_request.data, rq->signed_submission_request.len),
                &sc, &err) &&
                submission_parse(buffer_bytes(&sc.content), &sub, &err),
            &err);
    mutex_lock(&f->ev->m);
    enum rpc_code code = f->send_code;
    snprintf(f->last_message_id, sizeof(f->last_message_id), "%s", sub.message_id);
    mutex_unlock(&f->ev->m);
    submission_free(&sub);
    signed_content_free(&sc);
    wire_message_free(rq);
    gate_add(&f->sent); /* before the answer, so that who sees that finds it counted */
    if (code == RPC_OK)
        fake_reply(call, &m);
    else
        rpc_call_refuse(call, code, "as the test says");
}

static inline void fake_ack(void *ctx, struct rpc_call *call)
{
    struct fake *f = ctx;
    Seq__AcknowledgeSignedResponse m = SEQ__ACKNOWLEDGE_SIGNED_RESPONSE__INIT;

    fake_reply(call, &m);
    gate_add(&f->acked);
}

static inline void fake_written(void *ctx, bool ok)
{
    struct fake *f = ctx;

    mutex_lock(&f->ev->m);
    f->is_writing = false;
    f->is_cancelled = f->is_cancelled || !ok;
    cond_broadcast(&f->ev->changed);
    mutex_unlock(&f->ev->m);
}

static inline void fake_cancelled(void *ctx)
{
    struct fake *f = ctx;

    mutex_lock(&f->ev->m);
    f->is_cancelled = true;
    cond_broadcast(&f->ev->changed);
    mutex_unlock(&f->ev->m);
}

static inline void fake_subscribe(void *ctx, struct rpc_call *call)
{
    static const struct rpc_call_events events = {.written = fake_written,
                                                  .cancelled = fake_cancelled};
    struct fake *f = ctx;
    Seq__SubscriptionRequest *rq =
        wire_unpack(&seq__subscription_request__descriptor, rpc_call_request(call), NULL);

    mutex_lock(&f->ev->m);
    f->asked_from = rq->_timestamp_case ? rq->timestamp : INT64_MIN;
    f->next = 0;
    while (f->next < f->ev->n && f->ev->ts[f->next] < f->asked_from)
        f->next++;
    f->is_writing = f->is_cancelled = false;
    mutex_unlock(&f->ev->m);
    rpc_call_watch(call, &events, f);
    mutex_lock(&f->ev->m);
    f->sub = call;
    cond_broadcast(&f->ev->changed);
    mutex_unlock(&f->ev->m);
    wire_message_free(rq);
    gate_add(&f->subscribed);
}

static inline void *fake_streamer(void *ctx)
{
    struct fake *f = ctx;

    mutex_lock(&f->ev->m);
    for (;;) {
        struct rpc_call *call = f->sub;
        if (call && (f->is_cancelled || f->is_stopping)) {
            f->sub = NULL;
            mutex_unlock(&f->ev->m);
            rpc_call_refuse(call, RPC_UNAVAILABLE, "stopping");
            mutex_lock(&f->ev->m);
        } else if (f->is_stopping) {
            break;
        } else if (call && !f->is_writing && f->next < f->ev->n) {
            struct bytes m = buffer_bytes(&f->ev->message[f->next++]);
            f->is_writing = true;
            mutex_unlock(&f->ev->m);
            bool ok = rpc_call_write(call, m);
            mutex_lock(&f->ev->m);
            f->is_cancelled = f->is_cancelled || !ok;
        } else {
            cond_wait(&f->ev->changed, &f->ev->m);
        }
    }
    mutex_unlock(&f->ev->m);
    return NULL;
}

static inline void fake_events_open(struct fake_events *ev)
{
    struct error err;

    memset(ev, 0, sizeof(*ev));
    mutex_init(&ev->m);
    cond_init(&ev->changed);
    must_ok(keyring_open(&ev->keys, &err), &err);
    must_ok(keyring_generate(ev->keys, KEY_SIGNING, SIGNING_ED25519,
                             USAGE_PROTOCOL | USAGE_SEQUENCER_AUTH, NULL, &err),
            &err);
}

/* Makes the event, signed. message_id: NULL for none. */
static inline void fake_event(struct fake_events *ev, int64_t previous_ts, int64_t ts,
                              const char *message_id)
{
    struct event e = {.has_previous = previous_ts != INT64_MIN,
                      .previous_ts = previous_ts,
                      .ts = ts,
                      .psid = strdup(FAKE_PSID),
                      .message_id = message_id ? strdup(message_id) : NULL};
    Seq__SubscriptionResponse m = SEQ__SUBSCRIPTION_RESPONSE__INIT;
    struct buffer sc = BUFFER_INIT, packed = BUFFER_INIT;
    struct signature sig;
    struct error err;
    struct hash h;

    must_ok(compressed_batch_empty(&e.batch, &err) && event_build(&e, &err) &&
                event_hash(&e, &h, &err) &&
                keyring_sign(ev->keys, USAGE_PROTOCOL, NULL, 0, &h, &sig, &err) &&
                signed_content_build(buffer_bytes(&e.raw), &sig, NULL, &sc, &err),
            &err);
    m.signed_sequenced_event.data = sc.data;
    m.signed_sequenced_event.len = sc.len;
    must_ok(wire_pack(&m, &packed, &err), &err);
    signature_free(&sig);
    buffer_free(&sc);
    event_free(&e);
    mutex_lock(&ev->m);
    assert_true(ev->n < FAKE_EVENTS_MAX);
    ev->message[ev->n] = packed;
    ev->ts[ev->n++] = ts;
    cond_broadcast(&ev->changed);
    mutex_unlock(&ev->m);
}

static inline void fake_events_close(struct fake_events *ev)
{
    for (size_t i = 0; i < ev->n; i++)
        buffer_free(&ev->message[i]);
    keyring_close(ev->keys);
    cond_destroy(&ev->changed);
    mutex_destroy(&ev->m);
}

/* port 0: any. */
static inline void fake_open(struct fake *f, struct fake_events *ev, struct rpc_loop *loop,
                             int port)
{
#define SEQ_PATH "/com.digitalasset.canton.sequencer.api.v30.Sequencer"
    const struct rpc_method methods[] = {
        {.path = "/com.digitalasset.canton.connection.v30.ApiInfoService/GetApiInfo",
         .handler = fake_api_info},
        {.path = SEQ_PATH "ConnectService/Handshake", .handler = fake_handshake},
        {.path = SEQ_PATH "ConnectService/GetSynchronizerId", .handler = fake_ids},
        {.path = SEQ_PATH "ConnectService/GetSynchronizerParameters", .handler = fake_params},
        {.path = SEQ_PATH "AuthenticationService/Challenge", .handler = fake_challenge},
        {.path = SEQ_PATH "AuthenticationService/Authenticate", .handler = fake_authenticate},
        {.path = SEQ_PATH "Service/SendAsync", .handler = fake_send},
        {.path = SEQ_PATH "Service/AcknowledgeSigned", .handler = fake_ack},
        {.path = SEQ_PATH "Service/Subscribe",
         .kind = RPC_SERVER_STREAM,
         .handler = fake_subscribe},
    };
#undef SEQ_PATH
    const char *psid = f->psid;
    struct error err;

    memset(f, 0, sizeof(*f));
    f->psid = psid ? psid : FAKE_PSID;
    f->ev = ev;
    f->loop = loop;
    gate_init(&f->subscribed);
    gate_init(&f->sent);
    gate_init(&f->acked);
    gate_init(&f->logged_in);
    must_ok(rpc_server_open(loop, NULL, NULL, &f->server, &err), &err);
    must_ok(health_open(&f->health, &err) && health_register(f->health, f->server, &err) &&
                health_set(f->health, "sequencer-health-check-service", HEALTH_SERVING, &err),
            &err);
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        struct rpc_method m = methods[i];
        m.ctx = f;
        must_ok(rpc_server_register(f->server, &m, &err), &err);
    }
    must_ok(rpc_server_listen(f->server, "127.0.0.1", port, NULL, &f->port, &err), &err);
    must_ok(rpc_server_start(f->server, &err), &err);
    must_ok(thread_start(&f->streamer, "fake", fake_streamer, f, &err), &err);
}

static inline void fake_close(struct fake *f)
{
    mutex_lock(&f->ev->m);
    f->is_stopping = true;
    cond_broadcast(&f->ev->changed);
    mutex_unlock(&f->ev->m);
    thread_join(&f->streamer);
    rpc_server_close(f->server);
    health_close(f->health);
    gate_free(&f->subscribed);
    gate_free(&f->sent);
    gate_free(&f->acked);
    gate_free(&f->logged_in);
}
#endif
