/* connect.c: the calls that make an endpoint usable, and those of a member that is not known yet.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/client_impl.h"
#include "connection_v30.pb-c.h"
#include "crypto/keyring.h"
#include "grpc_health_v1.pb-c.h"
#include "sequencer_api_v30.pb-c.h"
#include "wire/ids.h"
#include "wire/keys.h"
#include "wire/precheck.h"
#include "wire/versioned.h"

#define SEQ_PACKAGE      "/com.digitalasset.canton.sequencer.api.v30."
#define CONNECT_SERVICE  SEQ_PACKAGE "SequencerConnectService/"
#define AUTH_SERVICE     SEQ_PACKAGE "SequencerAuthenticationService/"
#define API_INFO         "/com.digitalasset.canton.connection.v30.ApiInfoService/GetApiInfo"
#define HEALTH_CHECK     "/grpc.health.v1.Health/Check"

#define TOKEN_MARGIN_US  (20 * US_PER_S)
#define NONCE_LEN        20
#define FINGERPRINTS_MAX 100

/* INVALID_ARGUMENT, and a login refused without a word about tokens, do not go away by themselves.
 */
static bool is_fatal_reply(const struct call_reply *r)
{
    return r->code == RPC_INVALID_ARGUMENT;
}

static bool check_api_info(struct endpoint *e, bool *is_fatal, struct error *err)
{
    Connection__GetApiInfoRequest rq = CONNECTION__GET_API_INFO_REQUEST__INIT;
    Connection__GetApiInfoResponse *rs = NULL;
    struct call_reply reply;
    void *m;

    if (!call_proto(e, API_INFO, CALL_PLAIN, &rq, &connection__get_api_info_response__descriptor,
                    &m, &reply, err)) {
        *is_fatal = is_fatal_reply(&reply);
        return false;
    }
    rs = m;
    bool ok = !strcmp(rs->name, "sequencer-public-api");
    if (!ok) {
        *is_fatal = true;
        error_set(err, ERR_CONFIG, "give the address of a sequencer's public API", "%s is a %.60s",
                  e->url, rs->name);
    }
    wire_message_free(rs);
    return ok;
}

static bool check_version(struct endpoint *e, bool *is_fatal, struct error *err)
{
    Seq__SequencerConnect__HandshakeRequest rq = SEQ__SEQUENCER_CONNECT__HANDSHAKE_REQUEST__INIT;
    int32_t versions[] = {PROTOCOL_VERSION};
    struct call_reply reply;
    void *m;

    rq.n_client_protocol_versions = 1;
    rq.client_protocol_versions = versions;
    rq.client_version = e->c->version;
    if (!call_proto(e, CONNECT_SERVICE "Handshake", *e->c->member ? CALL_MEMBER_ID : CALL_PLAIN,
                    &rq, &seq__sequencer_connect__handshake_response__descriptor, &m, &reply,
                    err)) {
        *is_fatal = is_fatal_reply(&reply);
        return false;
    }
    Seq__SequencerConnect__HandshakeResponse *rs = m;
    bool ok = rs->value_case == SEQ__SEQUENCER_CONNECT__HANDSHAKE_RESPONSE__VALUE_SUCCESS &&
              rs->server_protocol_version == PROTOCOL_VERSION;
    if (!ok) {
        *is_fatal = true;
        error_set(err, ERR_UNSUPPORTED, "this release speaks protocol version 35 only",
                  "%s speaks protocol version %" PRId32, e->url, rs->server_protocol_version);
    }
    wire_message_free(rs);
    return ok;
}

/* What all endpoints must agree on. */
struct facts {
    Seq__SequencerConnect__GetSynchronizerIdResponse *ids;
    struct buffer params;
};

static bool ask_facts(struct endpoint *e, struct facts *f, bool *is_fatal, struct error *err)
{
    Seq__SequencerConnect__GetSynchronizerIdRequest id_rq =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_ID_REQUEST__INIT;
    Seq__SequencerConnect__GetSynchronizerParametersRequest params_rq =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_PARAMETERS_REQUEST__INIT;
    struct call_reply reply;
    void *m;

    if (!call_proto(e, CONNECT_SERVICE "GetSynchronizerId", CALL_PLAIN, &id_rq,
                    &seq__sequencer_connect__get_synchronizer_id_response__descriptor, &m, &reply,
                    err)) {
        *is_fatal = is_fatal_reply(&reply);
        return false;
    }
    f->ids = m;
    if (!psid_parse(f->ids->physical_synchronizer_id, NULL, err) ||
        !uid_parse(f->ids->sequencer_uid, NULL, err)) {
        *is_fatal = true;
        return false;
    }
    if (!call_proto(e, CONNECT_SERVICE "GetSynchronizerParameters", CALL_PLAIN, &params_rq,
                    &seq__sequencer_connect__get_synchronizer_parameters_response__descriptor, &m,
                    &reply, err)) {
        *is_fatal = is_fatal_reply(&reply);
        return false;
    }
    Seq__SequencerConnect__GetSynchronizerParametersResponse *rs = m;
    bool ok =
        rs->parameters_case ==
            SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_PARAMETERS_RESPONSE__PARAMETERS_PARAMETERS_V1 &&
        rs->parameters_v1;
    if (ok) {
        ok = wire_pack(rs->parameters_v1, &f->params, err);
    } else {
        *is_fatal = true;
        error_set(err, ERR_MALFORMED, NULL, "%s gives no static parameters", e->url);
    }
    wire_message_free(rs);
    return ok;
}

/* The first endpoint says what is true, unless the configuration does. */
static bool agree(struct endpoint *e, const struct facts *f, struct error *err)
{
    struct client *c = e->c;
    const char *psid = f->ids->physical_synchronizer_id, *uid = f->ids->sequencer_uid;
    bool ok = true;

    mutex_lock(&c->m);
    if (c->psid[0] && strcmp(c->psid, psid)) {
        ok = error_set(err, ERR_CONFIG, "all endpoints must belong to one synchronizer",
                       "%s belongs to %.120s, not to %.120s", e->url, psid, c->psid);
    } else if (!c->has_info) {
        snprintf(c->psid, sizeof(c->psid), "%s", psid);
        snprintf(c->sequencer_uid, sizeof(c->sequencer_uid), "%s", uid);
        buffer_append_bytes(&c->static_params, buffer_bytes(&f->params));
        ok = buffer_ok(&c->static_params, err);
        c->has_info = ok;
        cond_broadcast(&c->changed);
    } else if (strcmp(c->sequencer_uid, uid)) {
        ok = error_set(err, ERR_CONFIG, "all endpoints must be replicas of one sequencer",
                       "%s is the sequencer %.120s, not %.120s", e->url, uid, c->sequencer_uid);
    } else if (!bytes_equal(buffer_bytes(&c->static_params), buffer_bytes(&f->params))) {
        ok = error_set(err, ERR_CONFIG, NULL, "%s has other static parameters", e->url);
    }
    mutex_unlock(&c->m);
    return ok;
}

bool connect_validate(struct endpoint *e, bool *is_fatal, struct error *err)
{
    struct facts f = {NULL, BUFFER_INIT};
    bool ok = false;

    if (!check_api_info(e, is_fatal, err) || !check_version(e, is_fatal, err) ||
        !ask_facts(e, &f, is_fatal, err))
        goto out;
    ok = agree(e, &f, err);
    *is_fatal = !ok;
out:
    wire_message_free(f.ids);
    buffer_free(&f.params);
    return ok;
}

bool connect_probe(struct endpoint *e, struct error *err)
{
    Health__HealthCheckRequest rq = HEALTH__HEALTH_CHECK_REQUEST__INIT;
    struct buffer b = BUFFER_INIT;
    struct call_reply reply;
    bool ok = false;

    rq.service = (char[]){"sequencer-health-check-service"};
    if (!wire_pack(&rq, &b, err) || !call_wait(e, HEALTH_CHECK, CALL_PLAIN, buffer_bytes(&b),
                                               e->c->probe_timeout_us, &reply, err)) {
        buffer_free(&b);
        return false;
    }
    buffer_free(&b);
    if (reply.code == RPC_UNIMPLEMENTED) {
        ok = true; /* a server without health checks is taken as it is */
    } else if (reply.code != RPC_OK) {
        rpc_status_error("health check", reply.code, reply.message, err);
    } else {
        Health__HealthCheckResponse *rs =
            wire_unpack(&health__health_check_response__descriptor, buffer_bytes(&reply.body), err);
        ok = rs && rs->status == HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
        if (rs && !ok)
            error_set(err, ERR_UNAVAILABLE, NULL, "not serving");
        wire_message_free(rs);
    }
    call_reply_free(&reply);
    return ok;
}

/* Signs H(14, nonce || STR(psid)) with a key that the sequencer named. */
static bool sign_nonce(struct endpoint *e,
                       const Seq__SequencerAuthentication__ChallengeResponse *challenge,
                       struct signature *out, struct error *err)
{
    struct client *c = e->c;
    struct hash_builder b;
    struct hash h;
    char psid[sizeof(c->psid)];

    if (challenge->nonce.len != NONCE_LEN || !challenge->n_fingerprints ||
        challenge->n_fingerprints > FINGERPRINTS_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "%s: a challenge of a wrong form", e->url);
    mutex_lock(&c->m);
    memcpy(psid, c->psid, sizeof(psid));
    mutex_unlock(&c->m);
    hash_start(&b, HASH_AUTHENTICATION_TOKEN);
    hash_raw(&b, bytes_of(challenge->nonce.data, challenge->nonce.len));
    hash_str(&b, psid);
    return hash_finish(&b, &h, err) &&
           keyring_sign(c->keys, USAGE_SEQUENCER_AUTH, (const char *const *)challenge->fingerprints,
                        challenge->n_fingerprints, &h, out, err);
}

static bool take_token(struct endpoint *e,
                       const Seq__SequencerAuthentication__AuthenticateResponse *rs,
                       struct error *err)
{
    struct client *c = e->c;
    int64_t life = 0;

    if (!rs->token.len || rs->token.len > TOKEN_MAX || !rs->expires_at ||
        rs->expires_at->seconds > TS_MAX / US_PER_S)
        return error_set(err, ERR_MALFORMED, NULL, "%s: a token of a wrong form", e->url);
    life = rs->expires_at->seconds * US_PER_S - clock_now_us();
    if (life < US_PER_S)
        life = US_PER_S; /* the clocks differ: renew often */
    mutex_lock(&c->m);
    memcpy(e->token, rs->token.data, rs->token.len);
    e->token_len = rs->token.len;
    e->token_serial++;
    e->token_renew_at =
        clock_mono_us() + (life > 2 * TOKEN_MARGIN_US ? life - TOKEN_MARGIN_US : life / 2);
    cond_broadcast(&c->changed); /* who waits for a login does not wait for the next probe */
    mutex_unlock(&c->m);
    return true;
}

static bool authenticate(struct endpoint *e,
                         const Seq__SequencerAuthentication__ChallengeResponse *challenge,
                         struct call_reply *reply, struct error *err)
{
    Seq__SequencerAuthentication__AuthenticateRequest rq =
        SEQ__SEQUENCER_AUTHENTICATION__AUTHENTICATE_REQUEST__INIT;
    struct signature_message sm;
    struct signature s;
    void *m = NULL;

    if (!sign_nonce(e, challenge, &s, err))
        return false;
    signature_to_message(&s, &sm);
    rq.member = e->c->member;
    rq.signature = &sm.signature;
    rq.nonce = challenge->nonce;
    bool ok = call_proto(e, AUTH_SERVICE "Authenticate", CALL_PLAIN, &rq,
                         &seq__sequencer_authentication__authenticate_response__descriptor, &m,
                         reply, err) &&
              take_token(e, m, err);
    wire_message_free(m);
    signature_free(&s);
    return ok;
}

bool connect_login(struct endpoint *e, bool *is_fatal, struct error *err)
{
    Seq__SequencerAuthentication__ChallengeRequest rq =
        SEQ__SEQUENCER_AUTHENTICATION__CHALLENGE_REQUEST__INIT;
    int32_t versions[] = {PROTOCOL_VERSION};
    struct call_reply reply = {0};
    void *m = NULL;

    rq.member = e->c->member;
    rq.n_member_protocol_versions = 1;
    rq.member_protocol_versions = versions;
    rq.client_version = e->c->version;
    bool ok = call_proto(e, AUTH_SERVICE "Challenge", CALL_PLAIN, &rq,
                         &seq__sequencer_authentication__challenge_response__descriptor, &m, &reply,
                         err) &&
              authenticate(e, m, &reply, err);
    /* Whatever the status, a login is tried again: the member may just not be effective yet. */
    *is_fatal = false;
    wire_message_free(m);
    return ok ? ok : error_add(err, "login");
}

/* Any validated endpoint, waiting up to the call timeout. */
static struct endpoint *wait_endpoint(struct client *c, struct error *err)
{
    int64_t deadline = clock_mono_us() + c->call_timeout_us;
    struct endpoint *e = NULL;
    char reason[CLIENT_REASON_MAX];

    mutex_lock(&c->m);
    for (;;) {
        if (c->is_stopping) {
            error_set(err, ERR_CLOSED, NULL, "the client is closed");
            break;
        }
        e = endpoint_pick(c, NULL);
        if (e)
            break;
        if (endpoints_all_fatal(c, reason, sizeof(reason))) {
            error_set(err, ERR_UNAVAILABLE, NULL, "%s", reason);
            break;
        }
        if (!cond_wait_until(&c->changed, &c->m, deadline)) {
            error_set(err, ERR_UNAVAILABLE, NULL, "no endpoint is ready (%s: %.180s)",
                      c->endpoints[0].url, c->endpoints[0].reason);
            break;
        }
    }
    mutex_unlock(&c->m);
    return e;
}

bool client_verify_active(struct client *c, bool *is_active, struct error *err)
{
    Seq__SequencerConnect__VerifyActiveRequest rq =
        SEQ__SEQUENCER_CONNECT__VERIFY_ACTIVE_REQUEST__INIT;
    struct endpoint *e = wait_endpoint(c, err);
    struct call_reply reply;
    void *m;

    if (!e ||
        !call_proto(e, CONNECT_SERVICE "VerifyActive", CALL_MEMBER_ID, &rq,
                    &seq__sequencer_connect__verify_active_response__descriptor, &m, &reply, err))
        return false;
    Seq__SequencerConnect__VerifyActiveResponse *rs = m;
    *is_active = rs->value_case == SEQ__SEQUENCER_CONNECT__VERIFY_ACTIVE_RESPONSE__VALUE_SUCCESS &&
                 rs->success->is_active;
    wire_message_free(rs);
    return true;
}

bool client_register_onboarding(struct client *c, const struct bytes *txs, size_t n,
                                struct error *err)
{
    Seq__SequencerConnect__RegisterOnboardingTopologyTransactionsRequest rq =
        SEQ__SEQUENCER_CONNECT__REGISTER_ONBOARDING_TOPOLOGY_TRANSACTIONS_REQUEST__INIT;
    struct endpoint *e = wait_endpoint(c, err);
    P30__SignedTopologyTransaction **list = calloc(n + 1, sizeof(*list));
    struct call_reply reply;
    void *m = NULL;
    bool ok = e && list;

    if (e && !list)
        error_set(err, ERR_MEMORY, NULL, "no memory for %zu transactions", n);
    for (size_t i = 0; ok && i < n; i++) {
        list[i] = wire_unpack(&p30__signed_topology_transaction__descriptor, txs[i], err);
        ok = list[i];
    }
    rq.n_topology_transactions = n;
    rq.topology_transactions = list;
    const ProtobufCMessageDescriptor *desc =
        &seq__sequencer_connect__register_onboarding_topology_transactions_response__descriptor;
    ok = ok && call_proto(e, CONNECT_SERVICE "RegisterOnboardingTopologyTransactions",
                          CALL_MEMBER_ID, &rq, desc, &m, &reply, err);
    wire_message_free(m);
    for (size_t i = 0; list && i < n; i++)
        wire_message_free(list[i]);
    free(list);
    return ok;
}
