/* harness.c: replicas in this process, members over real sockets. */
#include "t/sequencer/harness.h"

#include <sched.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/thread.h"
#include "rpc/health.h"
#include "sequencer_api_v30.pb-c.h"
#include "storage/migrate.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"
#include "wire/status.h"
#include "wire/versioned.h"

#define PREFIX "/com.digitalasset.canton.sequencer.api.v30."

void replica_db_config(const struct rig *r, struct db_config *cfg, char *buf, size_t size)
{
    const char *engine = getenv("LS_TEST_ENGINE");

    memset(cfg, 0, sizeof(*cfg));
    cfg->logger = r->lg;
    if (engine && strcmp(engine, "postgresql") == 0) {
        cfg->type = "postgresql";
        cfg->server = getenv("LS_TEST_PG_SERVER");
        cfg->port = getenv("LS_TEST_PG_PORT");
        cfg->database = getenv("LS_TEST_PG_DATABASE");
        cfg->user = getenv("LS_TEST_PG_USER");
        cfg->password = getenv("LS_TEST_PG_PASSWORD");
        snprintf(buf, size, "seq_%d_%d", (int)getpid(), r->schema);
        cfg->schema = buf;
    } else {
        cfg->type = "sqlite";
        snprintf(buf, size, "%s.%d", getenv("LS_TEST_SQLITE_FILE"), r->schema);
        cfg->file = buf;
    }
}

struct db *rig_db(const struct rig *r)
{
    struct db_config cfg;
    struct error e;
    struct db *db = NULL;
    char buf[512];

    replica_db_config(r, &cfg, buf, sizeof(buf));
    must(db_open(&cfg, &db, &e), &e);
    must(db_migrate(db, NULL, &e), &e);
    return db;
}

void rig_open(struct rig *r)
{
    rig_open_with(r, NULL);
}

void rig_open_with(struct rig *r, const struct dynamic_parameters *p)
{
    static int schemas;
    struct error e;

    memset(r, 0, sizeof(*r));
    r->schema = ++schemas;
    const char *level = getenv("LS_TEST_LOG");
    must(logger_open(2, LOG_TEXT, level ? (enum log_level)atoi(level) : LOG_ERROR, &r->lg, &e), &e);
    must(rpc_loop_open(1, r->lg, &r->loop, &e), &e);
    world_open_with(&r->world, p);
}

static void tune_default(struct sequencer_config *cfg)
{
    (void)cfg;
}

void replica_open(struct rig *r, int i, void (*tune)(struct sequencer_config *cfg))
{
    struct replica *p = &r->replicas[i];
    struct rpc_server_config server = {0};
    struct sequencer_config cfg;
    struct buffer params = BUFFER_INIT;
    struct rpc_channel_config channel = {0};
    char endpoint[64];
    struct error e;

    sequencer_config_default(&cfg);
    cfg.name = "seq";
    cfg.uid = r->world.sequencer.uid;
    (tune ? tune : tune_default)(&cfg);
    p->db = rig_db(r);
    must(sequencer_open(&cfg, p->db, r->world.sequencer.keys, r->lg, &p->seq, &e), &e);
    must(rpc_server_open(r->loop, &server, r->lg, &p->server, &e), &e);
    must(health_open(&p->health, &e), &e);
    must(health_register(p->health, p->server, &e), &e);
    must(sequencer_register(p->seq, p->server, p->health, &e), &e);
    must(rpc_server_listen(p->server, "127.0.0.1", 0, NULL, &p->port, &e), &e);
    must(rpc_server_start(p->server, &e), &e);
    must(static_parameters_build(&r->world.fixed, &params, &e), &e);
    must(sequencer_start(p->seq, &e), &e);
    must(sequencer_initialize(p->seq, r->world.psid, buffer_bytes(&r->world.genesis),
                              buffer_bytes(&params), NULL, &e),
         &e);
    buffer_free(&params);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", p->port);
    channel.endpoint = endpoint;
    must(rpc_channel_open(r->loop, &channel, NULL, NULL, &p->channel, &e), &e);
    must(rpc_channel_wait_ready(p->channel, AWAIT_US, &e), &e);
}

static enum sequencer_state state_of(struct sequencer *seq)
{
    struct sequencer_status s;

    sequencer_status(seq, &s);
    return s.state;
}

void replica_await_active(struct rig *r, int i)
{
    await(state_of(r->replicas[i].seq) == SEQUENCER_ACTIVE);
}

void replica_stop(struct rig *r, int i)
{
    struct replica *p = &r->replicas[i];
    struct error e;

    if (!p->seq)
        return;
    rpc_channel_close(p->channel);
    sequencer_stop(p->seq);
    must(rpc_server_stop(p->server, 1000000, &e), &e);
    rpc_server_close(p->server);
    health_close(p->health);
    sequencer_close(p->seq);
    db_close(p->db);
    memset(p, 0, sizeof(*p));
}

void rig_close(struct rig *r)
{
    for (int i = 0; i < REPLICAS_MAX; i++)
        replica_stop(r, i);
    rpc_loop_close(r->loop);
    world_close(&r->world);
    logger_close(r->lg);
}

/* ---- calls ---- */

static struct rpc_result *call(struct rpc_channel *ch, const char *path, const struct rpc_md *md,
                               size_t n, const void *message)
{
    struct buffer bytes = BUFFER_INIT;
    struct rpc_result *result = NULL;
    char method[200];
    struct error e;

    snprintf(method, sizeof(method), "%s%s", path[0] == '/' ? "" : PREFIX, path);
    must(wire_pack(message, &bytes, &e), &e);
    struct rpc_request rq = {.method = method,
                             .message = buffer_bytes(&bytes),
                             .md = md,
                             .n_md = n,
                             .timeout_us = AWAIT_US};
    must(rpc_unary_wait(ch, &rq, &result, &e), &e);
    buffer_free(&bytes);
    return result;
}

struct rpc_result *call_plain(struct rig *r, int i, const char *path, const char *member,
                              const void *message)
{
    struct rpc_md md = {"memberid", member ? bytes_str(member) : bytes_of(NULL, 0)};

    return call(r->replicas[i].channel, path, &md, member != NULL, message);
}

static size_t headers(const struct session *s, struct rpc_md md[3])
{
    md[0] = (struct rpc_md){"synchronizerid", bytes_str(s->rig->world.psid)};
    md[1] = (struct rpc_md){"memberid", bytes_str(s->node->member)};
    md[2] = (struct rpc_md){"authtoken-bin", bytes_of(s->token, sizeof(s->token))};
    return 3;
}

struct rpc_result *session_call(const struct session *s, const char *path, const void *message)
{
    struct rpc_md md[3];

    return call(s->channel, path, md, headers(s, md), message);
}

void *result_message(struct rpc_result *r, const void *descriptor)
{
    struct error e;

    if (r->code != RPC_OK)
        fail_msg("%s: %s", rpc_code_text(r->code), r->message);
    void *m = wire_unpack(descriptor, r->reply, &e);
    if (!m)
        fail_msg("%s", e.cause);
    rpc_result_free(r);
    return m;
}

const char *result_reason(const struct rpc_result *r)
{
    static char reason[100];
    struct wire_status st;
    struct error e;

    reason[0] = 0;
    if (r->details.len > 0) {
        must(wire_status_parse(r->details, &st, &e), &e);
        char *text = wire_status_reason(&st);
        snprintf(reason, sizeof(reason), "%s", text ? text : "");
        free(text);
        wire_status_free(&st);
    }
    return reason;
}

void session_open(struct rig *r, int i, const struct node *n, struct session *out)
{
    Seq__SequencerAuthentication__ChallengeRequest ask =
        SEQ__SEQUENCER_AUTHENTICATION__CHALLENGE_REQUEST__INIT;
    Seq__SequencerAuthentication__AuthenticateRequest answer =
        SEQ__SEQUENCER_AUTHENTICATION__AUTHENTICATE_REQUEST__INIT;
    Seq__SequencerAuthentication__ChallengeResponse *nonce;
    Seq__SequencerAuthentication__AuthenticateResponse *token;
    int32_t versions[] = {35};
    struct signature s = {0};
    struct signature_message message;
    struct hash_builder b;
    struct hash h;
    struct error e;

    *out = (struct session){.rig = r, .channel = r->replicas[i].channel, .node = n};
    ask.member = text(n->member);
    ask.client_version = text("test");
    ask.member_protocol_versions = versions;
    ask.n_member_protocol_versions = 1;
    nonce = result_message(call_plain(r, i, "SequencerAuthenticationService/Challenge", NULL, &ask),
                           &seq__sequencer_authentication__challenge_response__descriptor);
    assert_int_equal(nonce->nonce.len, 20);
    assert_int_equal(nonce->n_fingerprints, 1);
    hash_start(&b, HASH_AUTHENTICATION_TOKEN);
    hash_raw(&b, bytes_of(nonce->nonce.data, nonce->nonce.len));
    hash_str(&b, r->world.psid);
    must(hash_finish(&b, &h, &e), &e);
    must(keyring_sign(n->keys, USAGE_SEQUENCER_AUTH, NULL, 0, &h, &s, &e), &e);
    signature_to_message(&s, &message);
    answer.member = text(n->member);
    answer.signature = &message.signature;
    answer.nonce = nonce->nonce;
    token = result_message(
        call_plain(r, i, "SequencerAuthenticationService/Authenticate", NULL, &answer),
        &seq__sequencer_authentication__authenticate_response__descriptor);
    assert_int_equal(token->token.len, 20);
    memcpy(out->token, token->token.data, 20);
    signature_free(&s);
    wire_message_free(nonce);
    wire_message_free(token);
}

/* ---- sending ---- */

static void add_envelope(const struct session *s, const struct letter *l, struct batch *b)
{
    struct recipients to = {0};
    struct signature sig = {0};
    struct buffer content = BUFFER_INIT;
    struct hash h;
    struct error e;

    for (size_t i = 0; i < 8 && l->recipients[i]; i++)
        must(recipients_add(&to, 0, &l->recipients[i], 1, &e), &e);
    buffer_append_str(&content, l->content);
    if (l->is_signed) {
        must(hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, buffer_bytes(&content), &h, &e), &e);
        must(keyring_sign(s->node->keys, USAGE_PROTOCOL, NULL, 0, &h, &sig, &e), &e);
    }
    must(batch_add(b, buffer_bytes(&content), &sig, l->is_signed, &to, &e), &e);
    if (l->is_signed)
        signature_free(&sig);
    buffer_free(&content);
}

struct buffer letter_build(const struct session *s, const struct letter *l)
{
    struct submission m = {.max_sequencing_time = l->max_sequencing_time
                                                      ? l->max_sequencing_time
                                                      : clock_now_us() + 60 * US_PER_S,
                           .rule = {.kind = l->rule}};
    struct batch b = {0};
    struct signature sig = {0};
    struct buffer frame = BUFFER_INIT;
    struct hash h;
    struct error e;

    m.sender = strdup(s->node->member);
    m.message_id = strdup(l->message_id);
    if (l->content) {
        add_envelope(s, l, &b);
        must(batch_seal(&b, &m.batch, &e), &e);
    } else {
        must(compressed_batch_empty(&m.batch, &e), &e);
    }
    must(submission_build(&m, &e), &e);
    must(submission_hash(&m, &h, &e), &e);
    if (l->session)
        session_sign(l->session, &h, &sig);
    else
        must(keyring_sign(s->node->keys, USAGE_PROTOCOL, NULL, 0, &h, &sig, &e), &e);
    must(signed_content_build(buffer_bytes(&m.raw), &sig, NULL, &frame, &e), &e);
    signature_free(&sig);
    batch_free(&b);
    submission_free(&m);
    return frame;
}

struct rpc_result *letter_send(const struct session *s, const struct letter *l)
{
    Seq__SendAsyncRequest m = SEQ__SEND_ASYNC_REQUEST__INIT;
    struct buffer frame = letter_build(s, l);

    m.signed_submission_request.data = frame.data;
    m.signed_submission_request.len = frame.len;
    struct rpc_result *result = session_call(s, "SequencerService/SendAsync", &m);
    buffer_free(&frame);
    return result;
}

void letter_send_ok(const struct session *s, const struct letter *l)
{
    struct rpc_result *r = letter_send(s, l);

    if (r->code != RPC_OK)
        fail_msg("%s: %s: %s", l->message_id, rpc_code_text(r->code), r->message);
    rpc_result_free(r);
}

/* ---- receiving ---- */

struct feed {
    struct rpc_stream *stream;
    const struct rig *rig;
    struct mutex lock;
    struct cond changed;
    struct buffer events[64]; /* a ring; one is on its way at a time */
    size_t head, n;
    bool is_ended, has_previous, is_resumed;
    int64_t previous;
    enum rpc_code code;
    char message[200];
};

static void on_message(void *ctx, struct bytes m)
{
    struct feed *f = ctx;

    mutex_lock(&f->lock);
    struct buffer *b = &f->events[(f->head + f->n++) % 64];
    buffer_clear(b);
    buffer_append_bytes(b, m);
    bool has_room = f->n < 64;
    cond_broadcast(&f->changed);
    mutex_unlock(&f->lock);
    if (has_room)
        rpc_stream_next(f->stream);
}

static void on_end(void *ctx, const struct rpc_result *r)
{
    struct feed *f = ctx;

    mutex_lock(&f->lock);
    f->is_ended = true;
    f->code = r->code;
    snprintf(f->message, sizeof(f->message), "%.199s", r->message);
    cond_broadcast(&f->changed);
    mutex_unlock(&f->lock);
}

struct feed *feed_open(const struct session *s, const int64_t *from_ts)
{
    static const struct rpc_stream_events events = {on_message, on_end};
    Seq__SubscriptionRequest m = SEQ__SUBSCRIPTION_REQUEST__INIT;
    struct buffer bytes = BUFFER_INIT;
    struct feed *f = calloc(1, sizeof(*f));
    struct rpc_md md[3];
    struct error e;

    m.member = text(s->node->member);
    if (from_ts) {
        m._timestamp_case = SEQ__SUBSCRIPTION_REQUEST___TIMESTAMP_TIMESTAMP;
        m.timestamp = *from_ts;
    }
    must(wire_pack(&m, &bytes, &e), &e);
    mutex_init(&f->lock);
    cond_init(&f->changed);
    f->rig = s->rig;
    f->is_resumed = from_ts != NULL;
    struct rpc_request rq = {.method = PREFIX "SequencerService/Subscribe",
                             .message = buffer_bytes(&bytes),
                             .md = md,
                             .n_md = headers(s, md)};
    must(rpc_stream_open(s->channel, &rq, &events, f, &f->stream, &e), &e);
    buffer_free(&bytes);
    return f;
}

/* Frame, signature by the sequencer's key, and the chain. */
static struct event open_event(struct feed *f, struct bytes message)
{
    struct signed_content frame;
    struct event event;
    struct hash h;
    struct error e;
    Seq__SubscriptionResponse *m =
        wire_unpack(&seq__subscription_response__descriptor, message, &e);

    assert_non_null(m);
    must(signed_content_parse(
             bytes_of(m->signed_sequenced_event.data, m->signed_sequenced_event.len), &frame, &e),
         &e);
    assert_false(frame.has_timestamp_of_signing_key);
    must(event_parse(buffer_bytes(&frame.content), &event, &e), &e);
    must(event_hash(&event, &h, &e), &e);
    const struct private_key *key =
        keyring_find(f->rig->world.sequencer.keys, frame.signature.signed_by);
    assert_non_null(key);
    must(signature_verify(key->pub, USAGE_PROTOCOL, &h, &frame.signature, &e), &e);
    assert_string_equal(event.psid, f->rig->world.psid);
    if (!f->is_resumed) {
        assert_int_equal(event.has_previous, f->has_previous);
        if (f->has_previous)
            assert_int_equal(event.previous_ts, f->previous);
    }
    assert_true(!f->has_previous || event.ts > f->previous);
    f->is_resumed = false;
    f->has_previous = true;
    f->previous = event.ts;
    signed_content_free(&frame);
    wire_message_free(m);
    return event;
}

struct event feed_next(struct feed *f)
{
    int64_t until = clock_mono_us() + AWAIT_US;
    struct buffer bytes = BUFFER_INIT;

    mutex_lock(&f->lock);
    while (f->n == 0 && !f->is_ended) {
        if (!cond_wait_until(&f->changed, &f->lock, until))
            break;
    }
    size_t n = f->n;
    bool is_ended = f->is_ended;
    if (n > 0) {
        bytes = f->events[f->head];
        f->events[f->head] = (struct buffer)BUFFER_INIT;
        f->head = (f->head + 1) % 64;
        f->n--;
    }
    mutex_unlock(&f->lock);
    if (n == 0)
        fail_msg("no event: %s %s", is_ended ? rpc_code_text(f->code) : "timeout", f->message);
    if (n == 64)
        rpc_stream_next(f->stream);
    struct event event = open_event(f, buffer_bytes(&bytes));
    buffer_free(&bytes);
    return event;
}

bool feed_ended(struct feed *f, enum rpc_code *code, const char **message)
{
    int64_t until = clock_mono_us() + AWAIT_US;

    mutex_lock(&f->lock);
    while (!f->is_ended && cond_wait_until(&f->changed, &f->lock, until))
        ;
    bool ended = f->is_ended;
    mutex_unlock(&f->lock);
    *code = f->code;
    *message = f->message;
    return ended;
}

void feed_close(struct feed *f)
{
    enum rpc_code code;
    const char *message;

    rpc_stream_cancel(f->stream);
    assert_true(feed_ended(f, &code, &message));
    rpc_stream_release(f->stream);
    for (size_t i = 0; i < 64; i++)
        buffer_free(&f->events[i]);
    cond_destroy(&f->changed);
    mutex_destroy(&f->lock);
    free(f);
}

/* ---- onboarding ---- */

static bool is_active(struct rig *r, int i, const struct node *n)
{
    Seq__SequencerConnect__VerifyActiveRequest ask =
        SEQ__SEQUENCER_CONNECT__VERIFY_ACTIVE_REQUEST__INIT;
    Seq__SequencerConnect__VerifyActiveResponse *m =
        result_message(call_plain(r, i, "SequencerConnectService/VerifyActive", n->member, &ask),
                       &seq__sequencer_connect__verify_active_response__descriptor);
    bool yes = m->success->is_active;

    wire_message_free(m);
    return yes;
}

void participant_onboard(struct rig *r, int i, struct node *n, const char *name)
{
    Seq__SequencerConnect__RegisterOnboardingTopologyTransactionsRequest m =
        SEQ__SEQUENCER_CONNECT__REGISTER_ONBOARDING_TOPOLOGY_TRANSACTIONS_REQUEST__INIT;
    P30__SignedTopologyTransaction *txs[8];
    struct signed_txs all = {0};
    struct error e;

    node_open(n, MEMBER_PARTICIPANT, name);
    for (size_t k = 0; k < n->identity.n; k++)
        must(signed_txs_add(&all, buffer_bytes(&n->identity.at[k]), &e), &e);
    must(identity_trust(n->keys, n->ns, n->uid, topology_synchronizer(r->world.t), &all, &e), &e);
    for (size_t k = 0; k < all.n; k++) {
        txs[k] = versioned_unpack(buffer_bytes(&all.at[k]), VERSIONED_V30,
                                  &p30__signed_topology_transaction__descriptor, &e);
        assert_non_null(txs[k]);
    }
    m.topology_transactions = txs;
    m.n_topology_transactions = all.n;
    struct rpc_result *result = call_plain(
        r, i, "SequencerConnectService/RegisterOnboardingTopologyTransactions", n->member, &m);
    if (result->code != RPC_OK)
        fail_msg("%s: %s", rpc_code_text(result->code), result->message);
    rpc_result_free(result);
    for (size_t k = 0; k < all.n; k++)
        wire_message_free(txs[k]);
    signed_txs_free(&all);
    await(is_active(r, i, n));
}
