/* submission.c: SubmissionRequest, its rule, its aggregation id. */
#include "wire/submission.h"
#include "wire/topology_tx.h"

#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/batch_message.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/versioned.h"

/* Reads eligible_members by number and form of its texts. */
static bool rule_from(const P30__AggregationRule *m, struct aggregation_rule *out,
                      struct error *err)
{
    struct recipient r = {0};
    bool ok = true;

    if (m->n_eligible_members == 0) {
        out->kind = AGGREGATION_DEDUP;
        return true;
    }
    for (size_t i = 0; ok && i < m->n_eligible_members; i++) {
        if (!recipient_parse(m->eligible_members[i], &r, err)) {
            recipient_free(&r);
            return error_add(err, "aggregation rule");
        }
        if (r.kind == RECIPIENT_MEMBER)
            out->kind = AGGREGATION_LIST;
        else if (m->n_eligible_members == 1 && r.kind == RECIPIENT_MEDIATOR_GROUP)
            out->kind = AGGREGATION_MEDIATOR_GROUP;
        else if (m->n_eligible_members == 1 && r.kind == RECIPIENT_SEQUENCERS)
            out->kind = AGGREGATION_SEQUENCERS;
        else
            ok =
                error_set(err, ERR_MALFORMED, "nobody, one group MGR::n or SOD::, or members alone",
                          "an aggregation rule may not name %s", r.text);
        out->group = r.group;
        recipient_free(&r);
    }
    if (!ok || out->kind != AGGREGATION_LIST)
        return ok;
    if (m->threshold < 1)
        return error_set(err, ERR_MALFORMED, NULL, "an aggregation rule has threshold %d",
                         m->threshold);
    out->threshold = m->threshold;
    out->n_members = m->n_eligible_members;
    return own_strs(m->eligible_members, m->n_eligible_members, &out->members, err);
}

static bool fields_check(const struct submission *s, struct error *err)
{
    if (!member_parse(s->sender, NULL, NULL, err) || !message_id_check(s->message_id, err) ||
        !ts_check(s->max_sequencing_time, "max sequencing time", err) ||
        (s->has_topology_timestamp && !ts_check(s->topology_timestamp, "topology timestamp", err)))
        return false;
    if (s->has_cost && s->cost < 0)
        return error_set(err, ERR_MALFORMED, NULL, "a submission cost is negative");
    return true;
}

static bool submission_from(const P31__SubmissionRequest *m, struct submission *out,
                            struct error *err)
{
    if (!m->batch)
        return error_set(err, ERR_MALFORMED, NULL, "a submission has no batch");
    out->max_sequencing_time = m->max_sequencing_time;
    out->has_topology_timestamp =
        m->_topology_timestamp_case != P31__SUBMISSION_REQUEST___TOPOLOGY_TIMESTAMP__NOT_SET;
    if (out->has_topology_timestamp)
        out->topology_timestamp = m->topology_timestamp;
    out->has_cost = m->submission_cost != NULL;
    if (out->has_cost)
        out->cost = m->submission_cost->cost;
    return own_str(m->sender, &out->sender, err) && own_str(m->message_id, &out->message_id, err) &&
           fields_check(out, err) &&
           (!m->aggregation_rule || rule_from(m->aggregation_rule, &out->rule, err)) &&
           batch_from_message(m->batch, &out->batch, err);
}

bool submission_parse(struct bytes wrapped, struct submission *out, struct error *err)
{
    P31__SubmissionRequest *m;
    bool ok;

    *out = (struct submission){0};
    m = versioned_unpack(wrapped, VERSIONED_V31, &p31__submission_request__descriptor, err);
    if (!m)
        return false;
    ok = submission_from(m, out, err) && own_bytes(wrapped, &out->raw, err);
    wire_message_free(m);
    if (!ok)
        submission_free(out);
    return ok;
}

/* text: storage for the one text of a group rule, in list. */
static bool rule_to(const struct aggregation_rule *rule, P30__AggregationRule *out,
                    char text[MEMBER_TEXT_SIZE], char **list, struct error *err)
{
    struct buffer b = BUFFER_INIT;

    p30__aggregation_rule__init(out);
    switch (rule->kind) {
    case AGGREGATION_NONE:
    case AGGREGATION_DEDUP:
        return true;
    case AGGREGATION_MEDIATOR_GROUP:
        buffer_printf(&b, "MGR::%d", rule->group);
        break;
    case AGGREGATION_SEQUENCERS:
        buffer_append_str(&b, RECIPIENT_SEQUENCERS_TEXT);
        break;
    case AGGREGATION_LIST:
        if (rule->n_members == 0 || rule->threshold < 1)
            return error_set(err, ERR_MALFORMED, NULL, "an aggregation list is empty");
        out->eligible_members = rule->members;
        out->n_eligible_members = rule->n_members;
        out->threshold = rule->threshold;
        return true;
    }
    if (!buffer_ok(&b, err)) {
        buffer_free(&b);
        return false;
    }
    memcpy(text, buffer_cstr(&b), b.len + 1);
    buffer_free(&b);
    list[0] = text;
    out->eligible_members = list;
    out->n_eligible_members = 1;
    return true;
}

bool submission_build(struct submission *s, struct error *err)
{
    P31__SubmissionRequest m = P31__SUBMISSION_REQUEST__INIT;
    P30__SequencingSubmissionCost cost = P30__SEQUENCING_SUBMISSION_COST__INIT;
    P31__CompressedBatch batch;
    P30__AggregationRule rule;
    char text[MEMBER_TEXT_SIZE];
    char *list[1];
    bool ok;

    buffer_clear(&s->raw);
    if (!fields_check(s, err) || !rule_to(&s->rule, &rule, text, list, err) ||
        !batch_to_message(&s->batch, &batch, err))
        return false;
    m.sender = s->sender;
    m.message_id = s->message_id;
    m.batch = &batch;
    m.max_sequencing_time = s->max_sequencing_time;
    if (s->has_topology_timestamp) {
        m._topology_timestamp_case =
            P31__SUBMISSION_REQUEST___TOPOLOGY_TIMESTAMP_TOPOLOGY_TIMESTAMP;
        m.topology_timestamp = s->topology_timestamp;
    }
    if (s->rule.kind != AGGREGATION_NONE)
        m.aggregation_rule = &rule;
    if (s->has_cost) {
        cost.cost = s->cost;
        m.submission_cost = &cost;
    }
    ok = versioned_pack(&m, VERSIONED_V31, &s->raw, err);
    free(batch.compressed_envelopes);
    return ok;
}

bool submission_hash(const struct submission *s, struct hash *out, struct error *err)
{
    return hash_of(HASH_SUBMISSION_REQUEST, buffer_bytes(&s->raw), out, err);
}

void submission_free(struct submission *s)
{
    if (!s)
        return;
    free(s->sender);
    free(s->message_id);
    compressed_batch_free(&s->batch);
    own_strs_free(s->rule.members, s->rule.n_members);
    buffer_free(&s->raw);
    *s = (struct submission){0};
}

bool submission_time_proof(const char *sender, const char *message_id, struct submission *out,
                           struct error *err)
{
    *out = (struct submission){.max_sequencing_time = TS_MAX};
    if (own_str(sender, &out->sender, err) && own_str(message_id, &out->message_id, err) &&
        compressed_batch_empty(&out->batch, err) && submission_build(out, err))
        return true;
    submission_free(out);
    return false;
}

bool submission_topology(const char *sender, const char *message_id, const char *psid,
                         const struct bytes *txs, size_t n, int64_t max_sequencing_time,
                         struct submission *out, struct error *err)
{
    const char *all = RECIPIENT_ALL_TEXT;
    struct buffer content = BUFFER_INIT;
    struct batch batch = {0};
    struct recipients r = {0};

    *out = (struct submission){.max_sequencing_time = max_sequencing_time};
    bool ok = own_str(sender, &out->sender, err) && own_str(message_id, &out->message_id, err) &&
              topology_broadcast_build(psid, txs, n, &content, err) &&
              recipients_add(&r, 0, &all, 1, err) &&
              batch_add(&batch, buffer_bytes(&content), NULL, 0, &r, err) &&
              batch_seal(&batch, &out->batch, err) && submission_build(out, err);

    recipients_free(&r);
    batch_free(&batch);
    buffer_free(&content);
    if (!ok)
        submission_free(out);
    return ok;
}

/* The length appears twice in front of content and recipients, once in front of the flag. */
static void hash_twice(struct hash_builder *h, struct bytes v)
{
    hash_i32(h, (int32_t)(v.len + 4));
    hash_bytes(h, v);
}

static void hash_rule(struct hash_builder *h, const struct submission *s)
{
    switch (s->rule.kind) {
    case AGGREGATION_NONE:
        break;
    case AGGREGATION_MEDIATOR_GROUP:
        hash_i32(h, 1);
        hash_i32(h, s->rule.group);
        break;
    case AGGREGATION_SEQUENCERS:
        hash_i32(h, 2);
        break;
    case AGGREGATION_DEDUP:
        hash_i32(h, 3);
        hash_str(h, s->sender);
        break;
    case AGGREGATION_LIST:
        hash_i32(h, (int32_t)s->rule.n_members);
        for (size_t i = 0; i < s->rule.n_members; i++)
            hash_str(h, s->rule.members[i]);
        hash_i32(h, s->rule.threshold);
        break;
    }
}

bool aggregation_id(const struct submission *s, const struct batch *b, struct hash *out,
                    struct error *err)
{
    struct buffer one = BUFFER_INIT;
    struct hash_builder h;

    hash_start(&h, HASH_AGGREGATION_ID);
    hash_i32(&h, (int32_t)b->n);
    for (size_t i = 0; i < b->n; i++) {
        buffer_clear(&one);
        if (!recipients_build(&b->recipients[i], &one, err)) {
            hash_abandon(&h);
            buffer_free(&one);
            return false;
        }
        hash_twice(&h, buffer_bytes(&b->envelopes[i].content));
        hash_twice(&h, buffer_bytes(&one));
        hash_i32(&h, 1);
        hash_byte(&h, b->envelopes[i].n_signatures > 0);
    }
    hash_i64(&h, s->max_sequencing_time);
    hash_i64(&h, s->has_topology_timestamp ? s->topology_timestamp : INT64_MIN);
    hash_rule(&h, s);
    buffer_free(&one);
    return hash_finish(&h, out, err);
}
