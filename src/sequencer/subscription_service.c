/* subscription_service.c: Subscribe: who may, from where; the rest is delivery's. */
#include <string.h>

#include "sequencer/service.h"
#include "sequencer_api_v30.pb-c.h"
#include "topology/topology.h"
#include "wire/precheck.h"

/* Ends the call and returns false unless member may read from from_ts on. */
static bool check_start(struct sequencer *seq, struct rpc_call *call, const char *member,
                        const int64_t *from_ts)
{
    int64_t registered_at = 0;
    bool is_known, is_active;

    mutex_lock(&seq->state);
    struct view v = replica_view(seq);
    is_known = topology_registered_at(seq->topo, member, &registered_at);
    is_active = topology_member_active(seq->topo, v.ts, member, NULL);
    mutex_unlock(&seq->state);
    if (!is_known)
        rpc_call_refuse(call, RPC_FAILED_PRECONDITION, "Member %s is unknown", member);
    else if (!is_active)
        rpc_call_refuse(call, RPC_PERMISSION_DENIED, "Member access was revoked.");
    else if (from_ts && *from_ts <= registered_at)
        rpc_call_refuse(call, RPC_FAILED_PRECONDITION,
                        "Events from %lld on are asked for, but %s was registered at %lld",
                        (long long)*from_ts, member, (long long)registered_at);
    else
        return true;
    return false;
}

static void subscribe(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__SubscriptionRequest *m;
    struct caller caller;

    if (!service_gate(seq, call) || !service_caller(seq, call, &caller))
        return;
    m = service_unpack(call, &seq__subscription_request__descriptor);
    if (!m)
        return;
    bool has_ts = m->_timestamp_case == SEQ__SUBSCRIPTION_REQUEST___TIMESTAMP_TIMESTAMP;
    int64_t from_ts = has_ts ? m->timestamp : INT64_MIN;
    if (service_caller_is(call, &caller, m->member) &&
        check_start(seq, call, m->member, has_ts ? &from_ts : NULL))
        delivery_subscribe(seq->delivery, call, &caller, from_ts);
    wire_message_free(m);
}

bool subscription_service_register(struct sequencer *seq, struct rpc_server *s, struct error *err)
{
    static const struct service_method methods[] = {
        {SERVICE_PREFIX "SequencerService/Subscribe", RPC_SERVER_STREAM, subscribe, true},
    };

    return service_register(seq, s, methods, 1, err);
}
