/* event.c: SequencedEvent. */
#include "wire/event.h"

#include <stdlib.h>

#include "protocol_v31.pb-c.h"
#include "wire/batch_message.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/status_message.h"
#include "wire/versioned.h"

static bool fields_check(const struct event *e, struct error *err)
{
    if (!psid_parse(e->psid, NULL, err) || !ts_check(e->ts, "event timestamp", err) ||
        (e->has_previous && !ts_check(e->previous_ts, "previous timestamp", err)) ||
        (e->message_id && !message_id_check(e->message_id, err)))
        return false;
    if (e->is_error && (!e->message_id || e->has_topology_timestamp))
        return error_set(err, ERR_MALFORMED, NULL, "an error event %s",
                         e->message_id ? "with topology timestamp" : "without message id");
    if (e->has_topology_timestamp && !ts_check(e->topology_timestamp, "topology timestamp", err))
        return false;
    if (e->has_receipt &&
        (e->receipt.consumed_cost > INT64_MAX || e->receipt.extra_traffic_consumed > INT64_MAX ||
         e->receipt.base_traffic_remainder > INT64_MAX))
        return error_set(err, ERR_MALFORMED, NULL, "a traffic receipt holds a value above 2^63-1");
    return true;
}

static bool event_from(const P31__SequencedEvent *m, struct event *out, struct error *err)
{
    if ((m->batch != NULL) == (m->deliver_error_reason != NULL))
        return error_set(err, ERR_MALFORMED, NULL, "an event with %s batch and error",
                         m->batch ? "both" : "neither");
    out->has_previous =
        m->_previous_timestamp_case != P31__SEQUENCED_EVENT___PREVIOUS_TIMESTAMP__NOT_SET;
    if (out->has_previous)
        out->previous_ts = m->previous_timestamp;
    out->ts = m->timestamp;
    out->is_error = m->deliver_error_reason != NULL;
    out->has_topology_timestamp =
        m->_topology_timestamp_case != P31__SEQUENCED_EVENT___TOPOLOGY_TIMESTAMP__NOT_SET;
    if (out->has_topology_timestamp)
        out->topology_timestamp = m->topology_timestamp;
    out->has_receipt = m->traffic_receipt != NULL;
    if (out->has_receipt)
        out->receipt = (struct traffic_receipt){m->traffic_receipt->consumed_cost,
                                                m->traffic_receipt->extra_traffic_consumed,
                                                m->traffic_receipt->base_traffic_remainder};
    if (!own_str(m->physical_synchronizer_id, &out->psid, err))
        return false;
    if (m->_message_id_case != P31__SEQUENCED_EVENT___MESSAGE_ID__NOT_SET &&
        !own_str(m->message_id, &out->message_id, err))
        return false;
    if (!fields_check(out, err))
        return false;
    return out->is_error ? wire_status_from(m->deliver_error_reason, &out->status, err)
                         : batch_from_message(m->batch, &out->batch, err);
}

bool event_parse(struct bytes wrapped, struct event *out, struct error *err)
{
    P31__SequencedEvent *m;
    bool ok;

    *out = (struct event){0};
    m = versioned_unpack(wrapped, VERSIONED_V31, &p31__sequenced_event__descriptor, err);
    if (!m)
        return false;
    ok = event_from(m, out, err) && own_bytes(wrapped, &out->raw, err);
    wire_message_free(m);
    if (!ok)
        event_free(out);
    return ok;
}

static void fields_to(const struct event *e, P31__SequencedEvent *m)
{
    if (e->has_previous) {
        m->_previous_timestamp_case = P31__SEQUENCED_EVENT___PREVIOUS_TIMESTAMP_PREVIOUS_TIMESTAMP;
        m->previous_timestamp = e->previous_ts;
    }
    m->timestamp = e->ts;
    m->physical_synchronizer_id = e->psid;
    if (e->message_id) {
        m->_message_id_case = P31__SEQUENCED_EVENT___MESSAGE_ID_MESSAGE_ID;
        m->message_id = e->message_id;
    }
    if (e->has_topology_timestamp) {
        m->_topology_timestamp_case = P31__SEQUENCED_EVENT___TOPOLOGY_TIMESTAMP_TOPOLOGY_TIMESTAMP;
        m->topology_timestamp = e->topology_timestamp;
    }
}

bool event_build(struct event *e, struct error *err)
{
    P31__SequencedEvent m = P31__SEQUENCED_EVENT__INIT;
    P30__TrafficReceipt receipt = P30__TRAFFIC_RECEIPT__INIT;
    P31__CompressedBatch batch = P31__COMPRESSED_BATCH__INIT;
    Rpc__Status *status = NULL;
    bool ok;

    buffer_clear(&e->raw);
    if (!fields_check(e, err))
        return false;
    fields_to(e, &m);
    if (e->has_receipt) {
        receipt.consumed_cost = e->receipt.consumed_cost;
        receipt.extra_traffic_consumed = e->receipt.extra_traffic_consumed;
        receipt.base_traffic_remainder = e->receipt.base_traffic_remainder;
        m.traffic_receipt = &receipt;
    }
    if (e->is_error) {
        ok = wire_status_to(&e->status, &status, err);
        m.deliver_error_reason = status;
    } else {
        ok = batch_to_message(&e->batch, &batch, err);
        m.batch = &batch;
    }
    ok = ok && versioned_pack(&m, VERSIONED_V31, &e->raw, err);
    free(batch.compressed_envelopes);
    free(status);
    return ok;
}

bool event_hash(const struct event *e, struct hash *out, struct error *err)
{
    return hash_of(HASH_SEQUENCED_EVENT, buffer_bytes(&e->raw), out, err);
}

void event_free(struct event *e)
{
    if (!e)
        return;
    free(e->psid);
    free(e->message_id);
    compressed_batch_free(&e->batch);
    wire_status_free(&e->status);
    buffer_free(&e->raw);
    *e = (struct event){0};
}
