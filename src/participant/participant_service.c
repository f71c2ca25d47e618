/* participant_service.c: the unary calls of lockstep.participant.v1. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "participant/participant_impl.h"
#include "rpc/server.h"
#include "wire/precheck.h"

#define SERVICE    "/lockstep.participant.v1.ParticipantService/"
#define REASON_MAX 512

static void reply(struct rpc_call *call, const void *message)
{
    struct buffer b = BUFFER_INIT;
    struct error err;

    if (wire_pack(message, &b, &err))
        rpc_call_reply(call, buffer_bytes(&b));
    else
        rpc_call_refuse(call, RPC_INTERNAL, "%s", err.cause);
    buffer_free(&b);
}

static void on_submit(void *ctx, struct rpc_call *call)
{
    participant_submit(ctx, call);
}

/* --- Confirm --- */

/* What is needed to answer a request when the lock is given back. */
struct answer {
    int64_t ts, respond_by;
    int32_t group;
    struct hash root;
    struct view_position position;
};

/* r->body with the own party among those that confirmed. */
static bool note_approval(struct participant *p, struct pending *r, struct error *err)
{
    Part__OutcomesResponse *m = part__outcomes_response__unpack(NULL, r->body.len, r->body.data);
    Part__OutcomesResponse changed;
    char *self = p->uid;

    if (!m)
        return error_set(err, ERR_INTERNAL, NULL, "a request cannot be read back");
    changed = *m;
    changed.n_confirmed_by = 1;
    changed.confirmed_by = &self;
    buffer_clear(&r->body);
    bool ok = wire_pack(&changed, &r->body, err);
    part__outcomes_response__free_unpacked(m, NULL);
    return ok;
}

/* Takes the request out of those that wait. Locked. */
static bool take_answer(struct participant *p, const Part__ConfirmRequest *rq, struct answer *a,
                        struct error *err)
{
    struct pending *r = NULL;
    struct change *c;

    HASH_FIND(hh, p->pending, &rq->request_id, sizeof(rq->request_id), r);
    if (!r || !r->is_waiting)
        return error_set(err, ERR_NOT_FOUND, NULL,
                         "request %" PRId64 " does not wait for an answer", rq->request_id);
    if (p->is_stopping || p->is_failed)
        return error_set(err, ERR_UNAVAILABLE, NULL, "the participant stops");
    c = change_new(CHANGE_REQUEST_ANSWERED, r->ts, err);
    if (!c)
        return false;
    *a = (struct answer){
        .ts = r->ts, .respond_by = r->respond_by, .group = r->group, .root = r->root};
    bool ok = view_position_copy(&a->position, &r->position, err) &&
              (!rq->approve || note_approval(p, r, err));
    if (ok) {
        buffer_append_bytes(&c->body, buffer_bytes(&r->body));
        ok = buffer_ok(&c->body, err);
    }
    if (!ok) {
        change_free(c);
        return false;
    }
    r->is_waiting = false;
    commit_queue(p, c);
    return true;
}

static void on_confirm(void *ctx, struct rpc_call *call)
{
    struct participant *p = ctx;
    Part__ConfirmResponse ok_message = PART__CONFIRM_RESPONSE__INIT;
    struct answer a = {0};
    struct error err;
    Part__ConfirmRequest *rq =
        wire_unpack(&part__confirm_request__descriptor, rpc_call_request(call), &err);

    if (!rq || strlen(rq->reason) > REASON_MAX) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "%s",
                        rq ? "the reason is longer than 512 bytes" : err.cause);
        wire_message_free(rq);
        return;
    }
    mutex_lock(&p->m);
    bool ok = take_answer(p, rq, &a, &err);
    mutex_unlock(&p->m);
    ok = ok && participant_respond(p, a.ts, a.respond_by, a.group, &a.root, &a.position,
                                   rq->approve ? LOCAL_APPROVE : LOCAL_REJECT, rq->reason, &err);
    if (ok)
        reply(call, &ok_message);
    else
        rpc_call_refuse(call, err.code == ERR_NOT_FOUND ? RPC_NOT_FOUND : RPC_UNAVAILABLE, "%s",
                        err.cause);
    view_position_free(&a.position);
    wire_message_free(rq);
}

/* --- Status --- */

static Part__EndpointHealth health_of(enum client_endpoint_health h)
{
    switch (h) {
    case CLIENT_ENDPOINT_CONNECTING:
        return PART__ENDPOINT_HEALTH__ENDPOINT_HEALTH_CONNECTING;
    case CLIENT_ENDPOINT_OK:
        return PART__ENDPOINT_HEALTH__ENDPOINT_HEALTH_OK;
    case CLIENT_ENDPOINT_DOWN:
        return PART__ENDPOINT_HEALTH__ENDPOINT_HEALTH_DOWN;
    case CLIENT_ENDPOINT_FATAL:
        break;
    }
    return PART__ENDPOINT_HEALTH__ENDPOINT_HEALTH_FATAL;
}

/* All that a status answer points to. */
struct status_parts {
    struct participant_status status;
    struct client_status client;
    Part__Endpoint endpoints[CLIENT_ENDPOINTS_MAX], *endpoint_list[CLIENT_ENDPOINTS_MAX];
    struct outage outages[OUTAGES_MAX];
    Part__Outage outage_messages[OUTAGES_MAX], *outage_list[OUTAGES_MAX];
};

static void fill_endpoints(struct status_parts *s, Part__StatusResponse *m)
{
    for (size_t i = 0; i < s->client.n_endpoints; i++) {
        Part__Endpoint *e = &s->endpoints[i];

        part__endpoint__init(e);
        e->url = s->client.endpoints[i].url;
        e->health = health_of(s->client.endpoints[i].health);
        e->reason = s->client.endpoints[i].reason;
        e->is_subscribed = s->client.endpoints[i].is_subscribed;
        s->endpoint_list[i] = e;
    }
    m->endpoints = s->endpoint_list;
    m->n_endpoints = s->client.n_endpoints;
}

static void fill_outages(struct status_parts *s, size_t n, Part__StatusResponse *m)
{
    for (size_t i = 0; i < n; i++) {
        Part__Outage *o = &s->outage_messages[i];

        part__outage__init(o);
        o->from = s->outages[i].from_at;
        o->to = s->outages[i].to_at;
        o->lost_endpoint = s->outages[i].lost;
        o->new_endpoint = s->outages[i].found;
        o->reason = s->outages[i].reason;
        s->outage_list[i] = o;
    }
    m->outages = s->outage_list;
    m->n_outages = n;
}

static void on_status(void *ctx, struct rpc_call *call)
{
    struct participant *p = ctx;
    Part__StatusResponse m = PART__STATUS_RESPONSE__INIT;
    struct status_parts *s = calloc(1, sizeof(*s));

    if (!s) {
        rpc_call_refuse(call, RPC_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    participant_status(p, &s->status);
    mutex_lock(&p->m);
    struct client *c = p->client;
    size_t n_outages = p->n_outages;
    memcpy(s->outages, p->outages, sizeof(s->outages));
    mutex_unlock(&p->m);
    if (c)
        client_status(c, &s->client);
    m.uid = p->uid;
    m.synchronizer = p->alias;
    m.physical_synchronizer_id = s->status.psid;
    m.state = (char *)participant_state_text(s->status.state);
    m.state_reason = s->status.reason;
    m.connected_endpoint = s->status.endpoint;
    fill_endpoints(s, &m);
    fill_outages(s, n_outages, &m);
    m.position = s->status.position;
    m.last_offset = s->status.last_offset;
    m.commands_in_flight = s->status.commands_in_flight;
    m.requests_pending = s->status.requests_pending;
    reply(call, &m);
    free(s);
}

bool participant_register(struct participant *p, struct rpc_server *server, struct error *err)
{
    struct rpc_method methods[] = {
        {.path = SERVICE "Submit", .handler = on_submit, .ctx = p, .pool = p->pool},
        {.path = SERVICE "Confirm", .handler = on_confirm, .ctx = p, .pool = p->pool},
        {.path = SERVICE "Status", .handler = on_status, .ctx = p},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        methods[i].kind = RPC_UNARY;
        if (!rpc_server_register(server, &methods[i], err))
            return false;
    }
    return participant_streams_register(p, server, err);
}
