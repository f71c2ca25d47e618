/* authentication_service.c: challenge, answer, token. Nonces are rows, tokens are self-contained,
 * so any replica can take up where another left off. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "sequencer/service.h"
#include "sequencer/token.h"
#include "sequencer/version_check.h"
#include "sequencer_api_v30.pb-c.h"
#include "topology/topology.h"
#include "wire/keys.h"
#include "wire/precheck.h"

#define PATH SERVICE_PREFIX "SequencerAuthenticationService/"

/* The member's present authentication keys. False: the call has been ended: PERMISSION_DENIED when
 * it is not active in the present or the head state, FAILED_PRECONDITION without keys. */
static bool find_keys(struct sequencer *seq, struct rpc_call *call, const char *member,
                      struct public_key **keys, size_t *n)
{
    const char *why = "it is not known";
    struct member_info info;
    bool is_active;

    if (!member_parse(member, NULL, NULL, NULL)) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "Bad challenge request");
        return false;
    }
    mutex_lock(&seq->state);
    struct view v = replica_view(seq);
    is_active = topology_member_active(seq->topo, v.ts, member, &why) &&
                topology_member_active(seq->topo, topology_head(seq->topo), member, &why);
    *n = is_active ? view_keys(&v, member, USAGE_SEQUENCER_AUTH, keys, TOPOLOGY_KEYS_MAX) : 0;
    mutex_unlock(&seq->state);
    if (is_active && members_peek(seq->members, member, &info) && !info.is_enabled) {
        for (size_t i = 0; i < *n; i++)
            public_key_unref(keys[i]);
        is_active = false;
        why = "an operator has disabled it";
    }
    if (!is_active)
        rpc_call_refuse(call, RPC_PERMISSION_DENIED, "Member %s access is disabled: %s", member,
                        why);
    else if (*n == 0)
        rpc_call_refuse(call, RPC_FAILED_PRECONDITION, "Bad challenge request");
    return is_active && *n > 0;
}

static void challenge(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__SequencerAuthentication__ChallengeRequest *m;
    Seq__SequencerAuthentication__ChallengeResponse reply =
        SEQ__SEQUENCER_AUTHENTICATION__CHALLENGE_RESPONSE__INIT;
    struct public_key *keys[TOPOLOGY_KEYS_MAX];
    char *fingerprints[TOPOLOGY_KEYS_MAX];
    uint8_t nonce[NONCE_LEN];
    struct error err;
    size_t n = 0;

    if (!service_gate(seq, call))
        return;
    m = service_unpack(call, &seq__sequencer_authentication__challenge_request__descriptor);
    if (!m)
        return;
    if (!version_check(m->member_protocol_versions, m->n_member_protocol_versions, 0,
                       m->client_version, &err)) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "%s", err.cause);
    } else if (find_keys(seq, call, m->member, keys, &n)) {
        for (size_t i = 0; i < n; i++)
            fingerprints[i] = keys[i]->fingerprint;
        reply.n_fingerprints = n;
        reply.fingerprints = fingerprints;
        reply.nonce = (ProtobufCBinaryData){NONCE_LEN, nonce};
        if (nonce_store_offer(seq->db, m->member, clock_now_us(), seq->cfg.nonce_life_us, nonce,
                              &err))
            service_reply(call, &reply);
        else
            service_fault(seq, call, &err);
        for (size_t i = 0; i < n; i++)
            public_key_unref(keys[i]);
    }
    wire_message_free(m);
}

/* H(14, nonce || LP psid), signed by one of keys. */
static bool verify_answer(struct sequencer *seq, struct bytes nonce, const struct signature *s,
                          struct public_key *const *keys, size_t n, const struct public_key **used)
{
    struct hash_builder b;
    struct hash h;

    hash_start(&b, HASH_AUTHENTICATION_TOKEN);
    hash_raw(&b, nonce);
    hash_str(&b, seq->sync.psid);
    if (!hash_finish(&b, &h, NULL))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i]->fingerprint, s->signed_by) == 0 &&
            signature_verify(keys[i], USAGE_SEQUENCER_AUTH, &h, s, NULL)) {
            *used = keys[i];
            return true;
        }
    }
    return false;
}

/* Issues the token of the key that has answered. */
static void issue(struct sequencer *seq, struct rpc_call *call, const char *member,
                  const struct public_key *key)
{
    Seq__SequencerAuthentication__AuthenticateResponse reply =
        SEQ__SEQUENCER_AUTHENTICATION__AUTHENTICATE_RESPONSE__INIT;
    Google__Protobuf__Timestamp expiry = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct token_claim claim = {
        .member = member, .psid = seq->sync.psid, .fingerprint = key->fingerprint};
    uint8_t token[TOKEN_LEN];
    struct member_info info;
    struct error err;
    int64_t expires_at = clock_now_us() + seq->cfg.token_life_us;

    if (!members_read(seq->members, member, &info, &err)) {
        service_fault(seq, call, &err);
        return;
    }
    claim.revocation_epoch = info.revocation_epoch;
    mutex_lock(&seq->state);
    struct view now = replica_view(seq);
    claim.access_since = topology_access_since(now.topo, now.ts, member, key->fingerprint);
    mutex_unlock(&seq->state);
    if (!token_make(bytes_of(seq->sync.token_key, TOKEN_KEY_LEN), &claim, expires_at, token,
                    &err)) {
        service_fault(seq, call, &err);
        return;
    }
    expiry.seconds = expires_at / US_PER_S;
    reply.token = (ProtobufCBinaryData){TOKEN_LEN, token};
    reply.expires_at = &expiry;
    service_reply(call, &reply);
}

/* The nonce is used up by a good signature alone, and by one of those who come with it. */
static void answer(struct sequencer *seq, struct rpc_call *call,
                   const Seq__SequencerAuthentication__AuthenticateRequest *m,
                   struct public_key *const *keys, size_t n)
{
    struct bytes nonce = bytes_of(m->nonce.data, m->nonce.len);
    const struct public_key *used = NULL;
    struct signature s = {0};
    int64_t now = clock_now_us();
    bool is_good = false;
    struct error err;

    if (!m->signature || !signature_from_message(m->signature, &s, &err)) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "Bad authentication request");
        return;
    }
    if (!nonce_store_check(seq->db, m->member, now, nonce, &is_good, &err))
        service_fault(seq, call, &err);
    else if (!is_good)
        rpc_call_refuse(call, RPC_UNAUTHENTICATED, "Bad authentication request");
    else if (!verify_answer(seq, nonce, &s, keys, n, &used))
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "Bad authentication request");
    else if (!nonce_store_take(seq->db, m->member, now, nonce, &is_good, &err))
        service_fault(seq, call, &err);
    else if (!is_good)
        rpc_call_refuse(call, RPC_UNAUTHENTICATED, "Bad authentication request");
    else
        issue(seq, call, m->member, used);
    signature_free(&s);
}

static void authenticate(void *ctx, struct rpc_call *call)
{
    Seq__SequencerAuthentication__AuthenticateRequest *m;
    struct public_key *keys[TOPOLOGY_KEYS_MAX];
    size_t n = 0;

    if (!service_gate(ctx, call))
        return;
    m = service_unpack(call, &seq__sequencer_authentication__authenticate_request__descriptor);
    if (!m)
        return;
    if (find_keys(ctx, call, m->member, keys, &n)) {
        answer(ctx, call, m, keys, n);
        for (size_t i = 0; i < n; i++)
            public_key_unref(keys[i]);
    }
    wire_message_free(m);
}

/* Whose token is it? It does not say; a member's tag is one HMAC. */
static bool find_owner(struct sequencer *seq, struct bytes token, char member[MEMBER_TEXT_SIZE])
{
    const char **members = NULL;
    size_t n = 0;
    bool found = false;

    mutex_lock(&seq->state);
    struct view v = replica_view(seq);
    if (topology_members(seq->topo, v.ts, &members, &n, NULL)) {
        for (size_t i = 0; i < n && !found; i++) {
            const struct public_key *keys[TOPOLOGY_KEYS_MAX];
            struct member_info info;
            size_t n_keys =
                topology_signing_keys(seq->topo, v.ts, members[i], USAGE_SEQUENCER_AUTH, keys);

            if (!members_peek(seq->members, members[i], &info))
                info.revocation_epoch = 0; /* a revocation anywhere would have been read */
            for (size_t k = 0; k < n_keys && !found; k++) {
                struct token_claim claim = {members[i], seq->sync.psid, keys[k]->fingerprint,
                                            info.revocation_epoch, 0};

                claim.access_since =
                    topology_access_since(v.topo, v.ts, members[i], claim.fingerprint);
                found = token_check(bytes_of(seq->sync.token_key, TOKEN_KEY_LEN), &claim, token,
                                    clock_now_us());
            }
            if (found)
                strcpy(member, members[i]);
        }
    }
    free(members);
    mutex_unlock(&seq->state);
    return found;
}

static void logout(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__SequencerAuthentication__LogoutRequest *m;
    Seq__SequencerAuthentication__LogoutResponse reply =
        SEQ__SEQUENCER_AUTHENTICATION__LOGOUT_RESPONSE__INIT;
    char member[MEMBER_TEXT_SIZE];
    struct error err;

    if (!service_gate(seq, call))
        return;
    m = service_unpack(call, &seq__sequencer_authentication__logout_request__descriptor);
    if (!m)
        return;
    if (!find_owner(seq, bytes_of(m->token.data, m->token.len), member)) {
        rpc_call_refuse(call, RPC_FAILED_PRECONDITION, "The token is unknown or has expired");
    } else if (!members_revoke(seq->members, member, &err)) {
        service_fault(seq, call, &err);
    } else {
        delivery_disconnect(seq->delivery, member, "Subscription token has expired");
        log_info(seq->lg, "%s has logged out", member);
        service_reply(call, &reply);
    }
    wire_message_free(m);
}

bool authentication_service_register(struct sequencer *seq, struct rpc_server *s, struct error *err)
{
    static const struct service_method methods[] = {
        {PATH "Challenge", RPC_UNARY, challenge, true},
        {PATH "Authenticate", RPC_UNARY, authenticate, true},
        {PATH "Logout", RPC_UNARY, logout, true},
    };

    return service_register(seq, s, methods, sizeof methods / sizeof *methods, err);
}
