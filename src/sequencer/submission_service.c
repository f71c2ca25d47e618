/* submission_service.c: SendAsync: everything that can be refused early is, the rest is written to
 * the log and answered after the commit. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "sequencer/aggregation.h"
#include "sequencer/check.h"
#include "sequencer/service.h"
#include "sequencer_api_v30.pb-c.h"
#include "topology/topology.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"
#include "wire/submission.h"

/* One SendAsync on its way. */
struct send {
    struct sequencer *seq;
    struct rpc_call *call;
    struct caller caller;
    struct signed_content frame;
    struct submission s;
    struct recipients *recipients;
    struct batch batch;
    struct member_info info;
    char verified_by[FINGERPRINT_SIZE];
};

static void send_free(struct send *s)
{
    batch_recipients_free(s->recipients, s->s.batch.n);
    batch_free(&s->batch);
    submission_free(&s->s);
    signed_content_free(&s->frame);
}

/* 1 and, as far as the bytes tell it, 4: within the synchronizer's limit once decompressed. */
static bool check_bytes(struct send *s, struct bytes raw, struct refusal *r, struct error *err)
{
    struct error bad;

    mutex_lock(&s->seq->state);
    struct view now = replica_view(s->seq);
    size_t limit = view_max_request_size(&now);
    mutex_unlock(&s->seq->state);
    r->id = REFUSAL_NONE;
    if (raw.len > limit)
        return refuse(r, REFUSE_REQUEST_MALFORMED, "Request has %zu bytes, at most %zu are allowed",
                      raw.len, limit);
    if (!signed_content_parse(raw, &s->frame, &bad) ||
        !submission_parse(buffer_bytes(&s->frame.content), &s->s, &bad) ||
        !batch_read_recipients(&s->s.batch, limit, &s->recipients, &bad) ||
        !batch_open(&s->s.batch, limit, &s->batch, &bad)) {
        if (bad.code == ERR_MEMORY) {
            *err = bad;
            return false;
        }
        return refuse(r, REFUSE_REQUEST_MALFORMED, "%s", bad.cause);
    }
    return true;
}

/* 6: the signature, by one of the sender's present keys. The arithmetic is done without the lock.
 */
static bool check_sender_signature(struct send *s, struct refusal *r, struct error *err)
{
    struct public_key *keys[TOPOLOGY_KEYS_MAX];
    const struct signature *signature = &s->frame.signature;
    struct signing_scope at;
    struct hash h;
    struct error bad = {.cause = "no such key"};
    bool ok = failpoint_is_on("signature-check-off");

    r->id = REFUSAL_NONE;
    if (!submission_hash(&s->s, &h, err))
        return false;
    int64_t ts = replica_now(s->seq); /* a session may have begun after the last event */
    mutex_lock(&s->seq->state);
    struct view now = replica_view(s->seq);
    size_t n = view_keys(&now, s->s.sender, USAGE_PROTOCOL, keys, TOPOLOGY_KEYS_MAX);
    at = topology_signing_scope(s->seq->topo, ts);
    mutex_unlock(&s->seq->state);
    for (size_t i = 0; i < n; i++) {
        if (!ok && strcmp(keys[i]->fingerprint, signature->signed_by) == 0 &&
            signature_verify_at(&at, keys[i], USAGE_PROTOCOL, &h, signature, &bad)) {
            memcpy(s->verified_by, keys[i]->fingerprint, sizeof s->verified_by);
            ok = true;
        }
        public_key_unref(keys[i]);
    }
    return ok || refuse(r, REFUSE_REQUEST_REFUSED,
                        "Invalid signature of sender %s on the submission request: %s", s->s.sender,
                        bad.cause);
}

/* 5: the rate of confirmation requests, of which each online replica takes its share. State locked.
 */
static void check_rate(const struct send *s, const struct view *v, struct refusal *r)
{
    int nodes = s->seq->online_nodes > 1 ? s->seq->online_nodes : 1;

    if (is_confirmation_request(s->s.sender, s->recipients, s->s.batch.n) &&
        !rates_take(s->seq->rates, s->s.sender,
                    view_confirmation_rate(v, s->s.sender) / (double)nodes, clock_mono_us()))
        (void)refuse(r, REFUSE_SEQUENCER_OVERLOADED,
                     "Sender %s has exceeded its rate of confirmation requests", s->s.sender);
}

/* 10: the time that is left. */
static void check_time(const struct send *s, const struct view *v, struct refusal *r)
{
    int64_t clock = clock_now_us(), now = clock > v->ts ? clock : v->ts,
            max = s->s.max_sequencing_time;

    if (max <= now)
        (void)refuse(r, REFUSE_TIME_EXCEEDED,
                     "Max sequencing time %lld has passed, it is %lld by now", (long long)max,
                     (long long)now);
    else if (s->s.rule.kind != AGGREGATION_NONE && max >= now + view_aggregate_timeout_us(v))
        (void)refuse(r, REFUSE_TIME_TOO_FAR, "Max sequencing time %lld is too far in the future",
                     (long long)max);
}

/* 3 to 5, at the topology as of now, with the state locked: what costs little. */
static bool check_form(struct send *s, struct refusal *r, struct error *err)
{
    struct view v = replica_view(s->seq);

    if (!check_rule(&v, &s->s, r, err))
        return false;
    if (r->id == REFUSAL_NONE)
        check_mediators(s->recipients, s->s.batch.n, r);
    if (r->id == REFUSAL_NONE)
        check_rate(s, &v, r);
    return true;
}

/* 10 to 12, at the topology as of now, with the state locked. */
static bool check_topology(struct send *s, struct refusal *r, struct error *err)
{
    struct sequencer *seq = s->seq;
    struct view v = replica_view(seq);
    struct hash id;

    check_time(s, &v, r);
    if (r->id != REFUSAL_NONE)
        return true;
    if (s->s.rule.kind != AGGREGATION_NONE && member_is(s->s.sender, MEMBER_MEDIATOR)) {
        if (!aggregation_id(&s->s, &s->batch, &id, err))
            return false;
        if (aggregations_delivered(seq->apply.aggregations, &id))
            return refuse(r, REFUSE_AGGREGATE_ALREADY_SENT_NOW,
                          "The aggregatable request was already delivered");
    }
    if (!view_is_registered(&v, s->s.sender))
        return refuse(r, REFUSE_SENDER_UNKNOWN, "Sender %s is not registered", s->s.sender);
    return check_members(&v, s->recipients, s->s.batch.n, r, err) &&
           (r->id != REFUSAL_NONE || check_eligible(&v, &s->s, r, err));
}

/* The numbers are those of doc/architecture.md, "What SendAsync refuses". */
static bool check_all(struct send *s, struct bytes raw, struct refusal *r, struct error *err)
{
    if (!check_bytes(s, raw, r, err))
        return false;
    if (r->id != REFUSAL_NONE)
        return true;
    if (strcmp(s->s.sender, s->caller.member) != 0)
        return refuse(r, REFUSE_REQUEST_REFUSED, "Sender %s is not the authenticated member %s",
                      s->s.sender, s->caller.member);
    mutex_lock(&s->seq->state);
    bool ok = check_form(s, r, err);
    mutex_unlock(&s->seq->state);
    if (!ok)
        return false;
    if (r->id != REFUSAL_NONE)
        return true;
    if (!check_sender_signature(s, r, err))
        return false;
    if (r->id != REFUSAL_NONE)
        return true;
    if (!members_get(s->seq->members, s->s.sender, &s->info, err))
        return false;
    if (!s->info.is_enabled)
        return refuse(r, REFUSE_REQUEST_REFUSED, "Sender %s is disabled", s->s.sender);
    mutex_lock(&s->seq->state);
    ok = check_topology(s, r, err);
    mutex_unlock(&s->seq->state);
    return ok;
}

/* From the writer's thread. */
static void on_committed(void *ctx, const struct error *err)
{
    struct rpc_call *call = ctx;
    Seq__SendAsyncResponse reply = SEQ__SEND_ASYNC_RESPONSE__INIT;
    struct refusal r;

    if (!err) {
        service_reply(call, &reply);
        return;
    }
    (void)refuse(&r,
                 err->code == ERR_OVERLOADED ? REFUSE_SEQUENCER_OVERLOADED
                                             : REFUSE_SEQUENCER_UNAVAILABLE,
                 "%s", err->cause);
    service_refuse(call, &r);
}

/* Into the writer's queue; the call is the writer's from here on. */
static void enqueue(struct send *s, struct bytes raw)
{
    struct ticket *t = calloc(1, sizeof *t);
    struct entry_parts parts = {.body = raw};
    struct trace_context trace;
    struct error err;

    if (!t) {
        (void)error_set(&err, ERR_MEMORY, NULL, "no memory for a submission");
        service_fault(s->seq, s->call, &err);
        return;
    }
    trace_of_call(s->call, &trace);
    parts.traceparent = bytes_str(trace.parent);
    parts.tracestate = bytes_str(trace.state);
    t->kind = ENTRY_SUBMISSION;
    t->sender_id = s->info.member_id;
    t->done = on_committed;
    t->ctx = s->call;
    memcpy(t->verified_by, s->verified_by, sizeof t->verified_by);
    entry_build(&parts, &t->payload);
    if (!buffer_ok(&t->payload, &err) || !writer_submit(s->seq->writer, t, &err)) {
        ticket_free(t);
        on_committed(s->call, &err);
    }
}

/* Ends the call. */
static void refuse_send(const struct send *s, const struct refusal *r)
{
    struct trace_context trace;
    char id[TRACE_ID_LEN];

    trace_of_call(s->call, &trace);
    trace_id(&trace, id);
    logger_write(s->seq->lg, LOG_DEBUG, ERR_NONE, id, "refused %s of %s: %s", refusal_name(r->id),
                 s->caller.member, r->text);
    service_refuse(s->call, r);
}

static void send_async(void *ctx, struct rpc_call *call)
{
    struct send s = {.seq = ctx, .call = call};
    Seq__SendAsyncRequest *m;
    struct refusal r = {.id = REFUSAL_NONE};
    struct error err;

    if (!service_gate(ctx, call) || !service_caller(ctx, call, &s.caller))
        return;
    m = wire_unpack(&seq__send_async_request__descriptor, rpc_call_request(call), &err);
    if (!m) {
        (void)refuse(&r, REFUSE_REQUEST_MALFORMED, "%s", err.cause);
        service_refuse(call, &r);
        return;
    }
    struct bytes raw =
        bytes_of(m->signed_submission_request.data, m->signed_submission_request.len);
    if (!check_all(&s, raw, &r, &err))
        service_fault(ctx, call, &err);
    else if (r.id != REFUSAL_NONE)
        refuse_send(&s, &r);
    else
        enqueue(&s, raw);
    wire_message_free(m);
    send_free(&s);
}

/* AcknowledgeSigned: signed at the acknowledged timestamp. What is beyond what was delivered is
 * ignored. */
static void acknowledge_signed(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__AcknowledgeSignedRequest *m;
    Seq__AcknowledgeSignedResponse reply = SEQ__ACKNOWLEDGE_SIGNED_RESPONSE__INIT;
    struct signed_content frame = {0};
    struct acknowledge ack = {0};
    struct member_info info;
    struct caller caller;
    struct error err;
    struct hash h;

    if (!service_gate(seq, call) || !service_caller(seq, call, &caller))
        return;
    m = service_unpack(call, &seq__acknowledge_signed_request__descriptor);
    if (!m)
        return;
    if (!signed_content_parse(
            bytes_of(m->signed_acknowledge_request.data, m->signed_acknowledge_request.len), &frame,
            &err) ||
        !acknowledge_parse(buffer_bytes(&frame.content), &ack, &err)) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "the acknowledgement does not parse: %s",
                        err.cause);
        goto out;
    }
    if (!service_caller_is(call, &caller, ack.member))
        goto out;
    if (!hash_of(HASH_ACKNOWLEDGEMENT, buffer_bytes(&frame.content), &h, &err)) {
        service_fault(seq, call, &err);
        goto out;
    }
    mutex_lock(&seq->state);
    struct view v = replica_view(seq);
    bool is_early = ack.timestamp > seq->safe_ts;
    if (ack.timestamp < v.ts)
        v.ts = ack.timestamp;
    bool ok = view_verify(&v, ack.member, USAGE_PROTOCOL, &h, &frame.signature, NULL, &err);
    mutex_unlock(&seq->state);
    if (!ok) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "the acknowledgement is not signed: %s",
                        err.cause);
        goto out;
    }
    if (is_early)
        log_warn(seq->lg, ERR_REFUSED, "%s acknowledges %lld, which is not sequenced yet: ignored",
                 ack.member, (long long)ack.timestamp);
    else if (!members_get(seq->members, ack.member, &info, &err) ||
             !ack_store_write(seq->db, info.member_id, ack.timestamp, &err)) {
        service_fault(seq, call, &err);
        goto out;
    }
    service_reply(call, &reply);
out:
    acknowledge_free(&ack);
    signed_content_free(&frame);
    wire_message_free(m);
}

static void get_time(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__GetTimeResponse reply = SEQ__GET_TIME_RESPONSE__INIT;
    struct caller caller;

    if (!service_gate(seq, call) || !service_caller(seq, call, &caller))
        return;
    mutex_lock(&seq->state);
    reply._sequencing_timestamp_case =
        SEQ__GET_TIME_RESPONSE___SEQUENCING_TIMESTAMP_SEQUENCING_TIMESTAMP;
    reply.sequencing_timestamp = seq->safe_ts;
    mutex_unlock(&seq->state);
    service_reply(call, &reply);
}

/* Without traffic control nothing was ever consumed or bought. */
static void get_traffic_state(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__GetTrafficStateForMemberRequest *m;
    Seq__GetTrafficStateForMemberResponse reply = SEQ__GET_TRAFFIC_STATE_FOR_MEMBER_RESPONSE__INIT;
    P30__TrafficState state = P30__TRAFFIC_STATE__INIT;
    struct caller caller;

    if (!service_gate(seq, call) || !service_caller(seq, call, &caller))
        return;
    m = service_unpack(call, &seq__get_traffic_state_for_member_request__descriptor);
    if (!m)
        return;
    if (service_caller_is(call, &caller, m->member)) {
        mutex_lock(&seq->state);
        struct view v = replica_view(seq);
        bool has_traffic = view_has_traffic_control(&v);
        mutex_unlock(&seq->state);
        state.timestamp = m->timestamp;
        reply.traffic_state = &state;
        if (has_traffic)
            rpc_call_refuse(call, RPC_UNIMPLEMENTED,
                            "traffic control is switched on, which this release does not have");
        else
            service_reply(call, &reply);
    }
    wire_message_free(m);
}

bool submission_service_register(struct sequencer *seq, struct rpc_server *s, struct error *err)
{
    static const struct service_method methods[] = {
        {SERVICE_PREFIX "SequencerService/SendAsync", RPC_UNARY, send_async, false},
        {SERVICE_PREFIX "SequencerService/AcknowledgeSigned", RPC_UNARY, acknowledge_signed, true},
        {SERVICE_PREFIX "SequencerService/GetTime", RPC_UNARY, get_time, false},
        {SERVICE_PREFIX "SequencerService/GetTrafficStateForMember", RPC_UNARY, get_traffic_state,
         false},
    };

    return service_register(seq, s, methods, sizeof methods / sizeof *methods, err);
}
