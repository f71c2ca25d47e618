/* received.c: SubscriptionResponse, SignedContent, SequencedEvent: three frames, one struct. */
#include "client/received.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/trace.h"
#include "sequencer_api_v30.pb-c.h"
#include "wire/event.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"

struct received {
    struct signed_content frame;
    struct event event;
    struct hash hash;
    char traceparent[64];
    char *reason; /* of an error */
};

static bool frame_open(struct received *r, struct bytes message, struct error *err)
{
    Seq__SubscriptionResponse *m =
        wire_unpack(&seq__subscription_response__descriptor, message, err);
    if (!m)
        return false;
    struct trace_context trace;
    if (m->trace_context && m->trace_context->_traceparent_case &&
        trace_parse(&trace, bytes_str(m->trace_context->traceparent), bytes_of(NULL, 0)))
        memcpy(r->traceparent, trace.parent, sizeof(trace.parent));
    bool ok = signed_content_parse(
        bytes_of(m->signed_sequenced_event.data, m->signed_sequenced_event.len), &r->frame, err);
    wire_message_free(m);
    if (ok && r->frame.has_timestamp_of_signing_key)
        return error_set(err, ERR_MALFORMED, NULL, "an event with a timestamp_of_signing_key");
    return ok;
}

bool received_open(struct bytes message, struct received **out, struct error *err)
{
    struct received *r = calloc(1, sizeof(*r));

    if (!r)
        return error_set(err, ERR_MEMORY, NULL, "no memory for an event");
    if (!frame_open(r, message, err) ||
        !event_parse(buffer_bytes(&r->frame.content), &r->event, err) ||
        !hash_of(HASH_SEQUENCED_EVENT, buffer_bytes(&r->frame.content), &r->hash, err)) {
        received_close(r);
        return false;
    }
    if (r->event.is_error)
        r->reason = wire_status_reason(&r->event.status);
    *out = r;
    return true;
}

void received_close(struct received *r)
{
    if (!r)
        return;
    signed_content_free(&r->frame);
    event_free(&r->event);
    free(r->reason);
    free(r);
}

const struct event *received_event(const struct received *r)
{
    return &r->event;
}

const struct signature *received_signature(const struct received *r)
{
    return &r->frame.signature;
}

const struct hash *received_hash(const struct received *r)
{
    return &r->hash;
}

struct bytes received_content(const struct received *r)
{
    return buffer_bytes(&r->frame.content);
}

const char *received_psid(const struct received *r)
{
    return r->event.psid;
}

int64_t received_ts(const struct received *r)
{
    return r->event.ts;
}

int64_t received_previous_ts(const struct received *r)
{
    return r->event.has_previous ? r->event.previous_ts : INT64_MIN;
}

const char *received_message_id(const struct received *r)
{
    return r->event.message_id;
}

const char *received_traceparent(const struct received *r)
{
    return r->traceparent;
}

bool received_is_error(const struct received *r, const char **reason)
{
    *reason = "";
    if (!r->event.is_error)
        return false;
    if (r->reason)
        *reason = r->reason;
    else if (r->event.status.message)
        *reason = r->event.status.message;
    return true;
}
