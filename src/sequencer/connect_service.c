/* connect_service.c: what a node asks before it has a token: versions, who we are, whether it is
 * active, and its onboarding. Plus ApiInfo. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "connection_v30.pb-c.h"
#include "sequencer/service.h"
#include "sequencer/version_check.h"
#include "sequencer_api_v30.pb-c.h"
#include "topology/onboarding.h"
#include "wire/precheck.h"
#include "wire/topology_tx.h"
#include "wire/versioned.h"

#define PATH SERVICE_PREFIX "SequencerConnectService/"

/* The header memberId. False: the call has been ended: INVALID_ARGUMENT for what does not parse,
 * or, when needed, is absent or no participant. *has may be NULL when needed. */
static bool claimed_member(struct rpc_call *call, bool is_needed, char out[MEMBER_TEXT_SIZE])
{
    enum member_kind kind = MEMBER_PARTICIPANT;
    struct bytes v;

    out[0] = 0;
    if (!rpc_call_header(call, "memberid", &v)) {
        if (!is_needed)
            return true;
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "the header memberId is not set");
        return false;
    }
    if (!service_header(call, "memberid", out, MEMBER_TEXT_SIZE) ||
        !member_parse(out, &kind, NULL, NULL)) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "the header memberId is no member");
        return false;
    }
    if (is_needed && kind != MEMBER_PARTICIPANT) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "only participants may ask this");
        return false;
    }
    return true;
}

static void handshake(void *ctx, struct rpc_call *call)
{
    Seq__SequencerConnect__HandshakeRequest *m;
    Seq__SequencerConnect__HandshakeResponse reply =
        SEQ__SEQUENCER_CONNECT__HANDSHAKE_RESPONSE__INIT;
    Seq__SequencerConnect__HandshakeResponse__Success success =
        SEQ__SEQUENCER_CONNECT__HANDSHAKE_RESPONSE__SUCCESS__INIT;
    char member[MEMBER_TEXT_SIZE];
    struct error err;

    if (!service_gate(ctx, call) || !claimed_member(call, false, member))
        return;
    m = service_unpack(call, &seq__sequencer_connect__handshake_request__descriptor);
    if (!m)
        return;
    bool has_minimum =
        m->_minimum_protocol_version_case ==
        SEQ__SEQUENCER_CONNECT__HANDSHAKE_REQUEST___MINIMUM_PROTOCOL_VERSION_MINIMUM_PROTOCOL_VERSION;
    reply.server_protocol_version = PROTOCOL_VERSION;
    reply.value_case = SEQ__SEQUENCER_CONNECT__HANDSHAKE_RESPONSE__VALUE_SUCCESS;
    reply.success = &success;
    if (version_check(m->client_protocol_versions, m->n_client_protocol_versions,
                      has_minimum ? m->minimum_protocol_version : 0, m->client_version, &err))
        service_reply(call, &reply);
    else
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "%s", err.cause);
    wire_message_free(m);
}

static void get_synchronizer_id(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__SequencerConnect__GetSynchronizerIdResponse reply =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_ID_RESPONSE__INIT;

    if (!service_gate(seq, call))
        return;
    reply.physical_synchronizer_id = seq->sync.psid;
    reply.sequencer_uid = seq->sync.sequencer_uid;
    service_reply(call, &reply);
}

static void get_parameters(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__SequencerConnect__GetSynchronizerParametersResponse reply =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_PARAMETERS_RESPONSE__INIT;
    struct error err;

    if (!service_gate(seq, call))
        return;
    reply.parameters_case =
        SEQ__SEQUENCER_CONNECT__GET_SYNCHRONIZER_PARAMETERS_RESPONSE__PARAMETERS_PARAMETERS_V1;
    reply.parameters_v1 = wire_unpack(&p30__static_synchronizer_parameters__descriptor,
                                      buffer_bytes(&seq->sync.static_params), &err);
    if (reply.parameters_v1)
        service_reply(call, &reply);
    else
        service_fault(seq, call, &err);
    wire_message_free(reply.parameters_v1);
}

static void verify_active(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__SequencerConnect__VerifyActiveResponse reply =
        SEQ__SEQUENCER_CONNECT__VERIFY_ACTIVE_RESPONSE__INIT;
    Seq__SequencerConnect__VerifyActiveResponse__Success success =
        SEQ__SEQUENCER_CONNECT__VERIFY_ACTIVE_RESPONSE__SUCCESS__INIT;
    char member[MEMBER_TEXT_SIZE];

    if (!service_gate(seq, call) || !claimed_member(call, true, member))
        return;
    mutex_lock(&seq->state);
    struct view v = replica_view(seq);
    success.is_active = topology_member_active(seq->topo, v.ts, member, NULL);
    mutex_unlock(&seq->state);
    reply.value_case = SEQ__SEQUENCER_CONNECT__VERIFY_ACTIVE_RESPONSE__VALUE_SUCCESS;
    reply.success = &success;
    service_reply(call, &reply);
}

/* ---- onboarding ---- */

/* From the writer's thread: the broadcast is in the log. */
static void on_ordered(void *ctx, const struct error *err)
{
    struct rpc_call *call = ctx;
    Seq__SequencerConnect__RegisterOnboardingTopologyTransactionsResponse reply =
        SEQ__SEQUENCER_CONNECT__REGISTER_ONBOARDING_TOPOLOGY_TRANSACTIONS_RESPONSE__INIT;

    if (err)
        rpc_call_refuse(call, err->code == ERR_OVERLOADED ? RPC_ABORTED : RPC_UNAVAILABLE, "%s",
                        err->cause);
    else
        service_reply(call, &reply);
}

/* The transactions wrapped as they will be broadcast. */
static bool wrap(const Seq__SequencerConnect__RegisterOnboardingTopologyTransactionsRequest *m,
                 struct signed_topology_tx *txs, struct error *err)
{
    for (size_t i = 0; i < m->n_topology_transactions; i++) {
        if (!signed_topology_tx_from(m->topology_transactions[i], &txs[i], err))
            return error_add(err, "transaction %zu", i);
    }
    return true;
}

static bool onboard(struct sequencer *seq, struct rpc_call *call, const char *member,
                    const struct signed_topology_tx *txs, size_t n, struct error *err)
{
    struct bytes all[ONBOARDING_TRANSACTIONS_MAX], chosen[ONBOARDING_TRANSACTIONS_MAX];
    size_t kept[ONBOARDING_TRANSACTIONS_MAX], n_kept = 0;

    for (size_t i = 0; i < n; i++)
        all[i] = buffer_bytes(&txs[i].raw);
    mutex_lock(&seq->state);
    int64_t clock = clock_now_us(), now = clock > seq->safe_ts ? clock : seq->safe_ts + 1;
    bool ok = onboarding_check(seq->topo, member, all, n, TS_MIN, now, kept, &n_kept, err);
    mutex_unlock(&seq->state);
    if (!ok)
        return false;
    for (size_t i = 0; i < n_kept; i++)
        chosen[i] = all[kept[i]];
    log_info(seq->lg, "%s joins with %zu topology transactions", member, n_kept);
    return replica_broadcast(seq, chosen, n_kept, on_ordered, call, err);
}

static enum rpc_code onboarding_code(const struct error *err)
{
    if (err->code == ERR_REFUSED)
        return RPC_FAILED_PRECONDITION;
    if (err->code == ERR_OVERLOADED)
        return RPC_ABORTED;
    if (err->code == ERR_MALFORMED || err->code == ERR_LIMIT || err->code == ERR_UNSUPPORTED)
        return RPC_INVALID_ARGUMENT;
    return RPC_UNAVAILABLE;
}

static void register_onboarding(void *ctx, struct rpc_call *call)
{
    Seq__SequencerConnect__RegisterOnboardingTopologyTransactionsRequest *m;
    struct signed_topology_tx txs[ONBOARDING_TRANSACTIONS_MAX] = {0};
    char member[MEMBER_TEXT_SIZE];
    struct error err;

    if (!service_gate(ctx, call) || !claimed_member(call, true, member))
        return;
    m = service_unpack(
        call,
        &seq__sequencer_connect__register_onboarding_topology_transactions_request__descriptor);
    if (!m)
        return;
    size_t n = m->n_topology_transactions;
    if (n > ONBOARDING_TRANSACTIONS_MAX) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "at most %d transactions are allowed, not %zu",
                        ONBOARDING_TRANSACTIONS_MAX, n);
        n = 0;
    } else if (!wrap(m, txs, &err) || !onboard(ctx, call, member, txs, n, &err)) {
        rpc_call_refuse(call, onboarding_code(&err), "%s", err.cause);
    }
    for (size_t i = 0; i < n; i++)
        signed_topology_tx_free(&txs[i]);
    wire_message_free(m);
}

static void get_api_info(void *ctx, struct rpc_call *call)
{
    Connection__GetApiInfoResponse reply = CONNECTION__GET_API_INFO_RESPONSE__INIT;
    char name[] = SEQUENCER_API_NAME;

    if (!service_gate(ctx, call))
        return;
    reply.name = name;
    service_reply(call, &reply);
}

bool connect_service_register(struct sequencer *seq, struct rpc_server *s, struct error *err)
{
    static const struct service_method methods[] = {
        {PATH "Handshake", RPC_UNARY, handshake, false},
        {PATH "GetSynchronizerId", RPC_UNARY, get_synchronizer_id, false},
        {PATH "GetSynchronizerParameters", RPC_UNARY, get_parameters, false},
        {PATH "VerifyActive", RPC_UNARY, verify_active, false},
        {PATH "RegisterOnboardingTopologyTransactions", RPC_UNARY, register_onboarding, true},
        {"/com.digitalasset.canton.connection.v30.ApiInfoService/GetApiInfo", RPC_UNARY,
         get_api_info, false},
    };

    return service_register(seq, s, methods, sizeof methods / sizeof *methods, err);
}
