/* apply.c: the checks after ordering, in the order that every sequencer of the protocol has. The
 * letters are those of doc/architecture.md, "What apply decides". */
#include "sequencer/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sequencer/aggregation.h"
#include "sequencer/check.h"
#include "topology/topology.h"
#include "wire/messages.h"
#include "wire/signed_content.h"

/* One submission on its way through the checks. */
struct work {
    const struct apply *a;
    struct view view;
    struct signed_content frame;
    struct submission s;
    struct recipients *recipients; /* s.batch.n of them */
    struct batch batch;            /* opened: envelopes with their signatures */
    struct outcome_group *groups;
    size_t n_groups;
    bool has_all;
    int64_t *contributions;
    size_t n_contributions;
    struct refusal refusal;
};

static void work_free(struct work *w)
{
    batch_recipients_free(w->recipients, w->s.batch.n);
    batch_free(&w->batch);
    check_groups_free(w->groups, w->n_groups);
    free(w->contributions);
    submission_free(&w->s);
    signed_content_free(&w->frame);
}

bool apply_open(struct apply *a, struct topology *topo, const char *psid, const char *sequencer,
                int64_t start_ts, struct error *err)
{
    memset(a, 0, sizeof *a);
    a->topo = topo;
    a->applied_ts = start_ts;
    a->ticked_ts = start_ts;
    a->psid = strdup(psid);
    a->sequencer = strdup(sequencer);
    if (!a->psid || !a->sequencer || !aggregations_open(&a->aggregations, err)) {
        apply_close(a);
        return error_set(err, ERR_MEMORY, NULL, "no memory for the state of the order");
    }
    return true;
}

void apply_close(struct apply *a)
{
    aggregations_close(a->aggregations);
    free(a->psid);
    free(a->sequencer);
    memset(a, 0, sizeof *a);
}

static bool dup_text(char **to, const char *from, struct error *err)
{
    *to = strdup(from);
    return *to || error_set(err, ERR_MEMORY, NULL, "no memory for an outcome");
}

/* An outcome that has a sender. */
static bool make(const struct work *w, enum outcome_kind kind, struct outcome **out,
                 struct error *err)
{
    struct outcome *o;

    if (!outcome_make(kind, w->view.ts, &o, err))
        return false;
    if (!dup_text(&o->sender, w->s.sender, err) ||
        (kind != OUTCOME_DISCARD && (!dup_text(&o->message_id, w->s.message_id, err) ||
                                     !member_list_add(&o->receivers, w->s.sender, err)))) {
        outcome_unref(o);
        return false;
    }
    *out = o;
    return true;
}

static bool set_why(struct outcome *o, const struct refusal *r)
{
    char text[640];

    snprintf(text, sizeof text, "%s: %s", refusal_name(r->id), r->text);
    o->why = strdup(text); /* for the log alone: NULL is no fault */
    return true;
}

static bool discard(const struct work *w, bool is_alarm, struct outcome **out, struct error *err)
{
    if (!make(w, OUTCOME_DISCARD, out, err))
        return false;
    (*out)->is_alarm = is_alarm;
    return set_why(*out, &w->refusal);
}

static bool reject(const struct work *w, struct outcome **out, struct error *err)
{
    struct outcome *o;

    if (!make(w, OUTCOME_REJECT, &o, err))
        return false;
    if (!refusal_event_status(&w->refusal, &o->status, err)) {
        outcome_unref(o);
        return false;
    }
    *out = o;
    return set_why(o, &w->refusal);
}

/* Everybody who gets the event: named members, groups, the sender; or all that are registered. */
static bool fill_receivers(const struct work *w, struct outcome *o, struct error *err)
{
    if (w->has_all && !view_members(&w->view, &o->receivers, err))
        return false;
    for (size_t i = 0; !w->has_all && i < w->s.batch.n; i++) {
        for (uint32_t k = 0; k < w->recipients[i].n_all; k++) {
            if (w->recipients[i].all[k].kind == RECIPIENT_MEMBER &&
                !member_list_add(&o->receivers, w->recipients[i].all[k].text, err))
                return false;
        }
    }
    for (size_t i = 0; !w->has_all && i < w->n_groups; i++) {
        for (size_t k = 0; k < w->groups[i].members.n; k++) {
            if (!member_list_add(&o->receivers, w->groups[i].members.m[k], err))
                return false;
        }
    }
    member_list_sort(&o->receivers);
    return true;
}

/* A delivery takes over recipients, groups and contributions. An aggregated batch is sealed anew
 * with its merged signatures, any other travels as its sender compressed it. */
static bool deliver(struct work *w, struct outcome **out, struct error *err)
{
    struct outcome *o;
    bool ok;

    if (!make(w, OUTCOME_DELIVER, &o, err))
        return false;
    ok = fill_receivers(w, o, err) &&
         (w->s.rule.kind == AGGREGATION_NONE ? compressed_batch_copy(&o->batch, &w->s.batch, err)
                                             : batch_seal(&w->batch, &o->batch, err));
    if (!ok) {
        outcome_unref(o);
        return false;
    }
    o->is_broadcast = w->has_all;
    o->recipients = w->recipients;
    o->groups = w->groups;
    o->n_groups = w->n_groups;
    o->contributions = w->contributions;
    o->n_contributions = w->n_contributions;
    w->recipients = NULL;
    w->groups = NULL;
    w->n_groups = 0;
    w->contributions = NULL;
    *out = o;
    return true;
}

/* What was sent, opened. False with ERR_MALFORMED or ERR_LIMIT: it is not a submission. */
static bool open_frame(struct work *w, struct bytes body, struct error *err)
{
    return signed_content_parse(body, &w->frame, err) &&
           submission_parse(buffer_bytes(&w->frame.content), &w->s, err) &&
           batch_read_recipients(&w->s.batch, BATCH_LIMIT, &w->recipients, err);
}

static bool is_bad_input(const struct error *err)
{
    return err->code == ERR_MALFORMED || err->code == ERR_LIMIT || err->code == ERR_UNSUPPORTED;
}

/* l: adds the contribution. True with *out NULL: complete, go on to deliver. */
static bool aggregate(struct work *w, struct outcome **out, struct error *err)
{
    enum contribute_result result = CONTRIBUTE_WAITING;
    int64_t before = 0;
    struct hash id;

    if (!aggregation_id(&w->s, &w->batch, &id, err) ||
        !aggregations_contribute(w->a->aggregations, &w->view, &id, &w->s, &w->batch, &result,
                                 &before, &w->contributions, &w->n_contributions, err))
        return false;
    switch (result) {
    case CONTRIBUTE_COMPLETE:
        return true;
    case CONTRIBUTE_WAITING:
        return make(w, OUTCOME_RECEIPT, out, err);
    case CONTRIBUTE_ALREADY_SENT:
        (void)refuse(&w->refusal, REFUSE_AGGREGATE_ALREADY_SENT,
                     "The aggregatable request was already delivered at %lld", (long long)before);
        return reject(w, out, err);
    case CONTRIBUTE_STUFFING:
        (void)refuse(&w->refusal, REFUSE_AGGREGATE_STUFFING,
                     "The sender %s previously contributed to the aggregatable submission at %lld",
                     w->s.sender, (long long)before);
        return reject(w, out, err);
    }
    return error_set(err, ERR_INTERNAL, NULL, "unknown aggregation result");
}

static bool is_to_all(const struct recipients *r)
{
    for (uint32_t k = 0; k < r->n_all; k++) {
        if (r->all[k].kind == RECIPIENT_ALL)
            return true;
    }
    return false;
}

/* The content of an unsigned envelope to all, when it is a topology broadcast; then m is to be
 * freed. Fails: as message_parse. */
static bool open_broadcast(struct bytes content, struct message *m, bool *is_broadcast,
                           struct error *err)
{
    enum message_kind kind;

    *is_broadcast = message_kind_of(content, false, &kind, NULL) && kind == MESSAGE_TOPOLOGY;
    return !*is_broadcast || message_parse(content, false, m, err);
}

/* A broadcast above our limits goes to nobody: the peers would apply what we could not. */
static bool check_broadcasts(struct work *w, struct error *err)
{
    for (size_t i = 0; i < w->batch.n; i++) {
        const struct envelope *e = &w->batch.envelopes[i];
        bool is_broadcast;
        struct message m;

        if (e->n_signatures > 0 || !is_to_all(&w->recipients[i]))
            continue;
        if (!open_broadcast(buffer_bytes(&e->content), &m, &is_broadcast, err)) {
            if (!is_bad_input(err))
                return false;
            if (err->code == ERR_LIMIT)
                (void)refuse(&w->refusal, REFUSE_REQUEST_REFUSED, "Topology broadcast: %s",
                             err->cause);
        } else if (is_broadcast) {
            if (m.as.topology.n > TOPOLOGY_BROADCAST_MAX)
                (void)refuse(&w->refusal, REFUSE_REQUEST_REFUSED,
                             "Topology broadcast of %zu transactions, at most %d", m.as.topology.n,
                             TOPOLOGY_BROADCAST_MAX);
            message_free(&m);
        }
    }
    return true;
}

/* i to l: what needs the envelopes and the groups. */
static bool decide_content(struct work *w, struct outcome **out, struct error *err)
{
    struct refusal *r = &w->refusal;

    if (!batch_open(&w->s.batch, BATCH_LIMIT, &w->batch, err)) { /* h: before it can be checked */
        if (!is_bad_input(err))
            return false;
        (void)refuse(r, REFUSE_REQUEST_MALFORMED, "Envelope: %s", err->cause);
        return discard(w, true, out, err);
    }
    if (!check_envelopes(&w->view, w->s.sender, &w->batch, r, err)) /* h */
        return false;
    if (r->id != REFUSAL_NONE)
        return discard(w, true, out, err);
    if (!check_groups(&w->view, w->recipients, w->s.batch.n, &w->groups, &w->n_groups, &w->has_all,
                      r, err) || /* i */
        (w->has_all && !check_broadcasts(w, err)))
        return false;
    if (r->id != REFUSAL_NONE)
        return reject(w, out, err);
    if (w->s.rule.kind == AGGREGATION_NONE)
        return deliver(w, out, err);
    if (w->s.max_sequencing_time >= w->view.ts + view_aggregate_timeout_us(&w->view)) { /* j */
        (void)refuse(r, REFUSE_TIME_TOO_FAR,
                     "Max sequencing time %lld is too far in the future of %lld",
                     (long long)w->s.max_sequencing_time, (long long)w->view.ts);
        return reject(w, out, err);
    }
    if (!check_rule(&w->view, &w->s, r, err)) /* k */
        return false;
    if (r->id != REFUSAL_NONE)
        return discard(w, true, out, err);
    if (!check_eligible(&w->view, &w->s, r, err))
        return false;
    if (r->id != REFUSAL_NONE)
        return reject(w, out, err);
    if (!aggregate(w, out, err)) /* l */
        return false;
    return *out || deliver(w, out, err);
}

/* b to g: what the frame alone tells. */
static bool decide(struct work *w, const char *verified_by, struct outcome **out, struct error *err)
{
    struct refusal *r = &w->refusal;

    if (!view_is_registered(&w->view, w->s.sender)) { /* b */
        (void)refuse(r, REFUSE_SENDER_UNKNOWN, "Sender %s is not registered", w->s.sender);
        return discard(w, false, out, err);
    }
    if (!check_signature(&w->view, &w->s, &w->frame.signature, verified_by, r, err)) /* c */
        return false;
    if (r->id != REFUSAL_NONE)
        return discard(w, true, out, err);
    if (w->view.ts > w->s.max_sequencing_time) { /* d */
        (void)refuse(r, REFUSE_TIME_EXCEEDED, "Sequenced at %lld, at most %lld was asked for",
                     (long long)w->view.ts, (long long)w->s.max_sequencing_time);
        return discard(w, false, out, err);
    }
    check_mediators(w->recipients, w->s.batch.n, r); /* e */
    if (r->id != REFUSAL_NONE) {
        r->id = REFUSE_ALARM_MEDIATORS; /* SendAsync refuses it by another id */
        return discard(w, true, out, err);
    }
    if (!check_members(&w->view, w->recipients, w->s.batch.n, r, err)) /* f */
        return false;
    if (r->id != REFUSAL_NONE)
        return reject(w, out, err);
    if (w->s.has_topology_timestamp) { /* g */
        (void)refuse(r, REFUSE_SEQUENCER_UNIMPLEMENTED,
                     "Specifying a topology timestamp is not supported at protocol version 35");
        return reject(w, out, err);
    }
    return decide_content(w, out, err);
}

/* A delivered topology broadcast to everybody moves the topology. What is wrong with a transaction,
 * topology/ decides and keeps; what is no broadcast of ours is ignored. */
static bool take_envelope(struct apply *a, int64_t ts, struct bytes content, struct error *err)
{
    struct bytes *txs;
    struct message m;
    bool is_broadcast, ok = true;

    if (!open_broadcast(content, &m, &is_broadcast, err))
        return is_bad_input(err);
    if (!is_broadcast)
        return true;
    const struct topology_broadcast *b = &m.as.topology;
    txs = calloc(b->n + 1, sizeof *txs);
    if (!txs)
        ok = error_set(err, ERR_MEMORY, NULL, "no memory for %zu topology transactions", b->n);
    for (size_t k = 0; ok && k < b->n; k++)
        txs[k] = buffer_bytes(&b->transactions[k]);
    if (ok && b->n > 0 && strcmp(b->psid, a->psid) == 0)
        ok = topology_apply(a->topo, ts, txs, b->n, NULL, err) || is_bad_input(err);
    free(txs);
    message_free(&m);
    return ok;
}

static bool take_topology(struct apply *a, struct work *w, const struct recipients *r,
                          struct error *err)
{
    for (size_t i = 0; i < w->batch.n; i++) {
        const struct envelope *e = &w->batch.envelopes[i];

        if (e->n_signatures == 0 && is_to_all(&r[i]) &&
            !take_envelope(a, w->view.ts, buffer_bytes(&e->content), err))
            return false;
    }
    return true;
}

static bool apply_submission(struct apply *a, const struct entry *e,
                             const struct entry_parts *parts, struct outcome **out,
                             struct error *err)
{
    struct work w = {.a = a, .view = {a->topo, e->ts}};
    bool ok;

    if (!open_frame(&w, parts->body, err)) {
        ok = is_bad_input(err) && outcome_make(OUTCOME_DISCARD, e->ts, out, err);
        if (ok) {
            (*out)->is_alarm = true;
            (*out)->why = strdup(err->cause);
        }
    } else {
        ok = decide(&w, e->verified_by, out, err);
        if (ok && (*out)->kind == OUTCOME_DELIVER && (*out)->is_broadcast)
            ok = take_topology(a, &w, (*out)->recipients, err);
    }
    work_free(&w);
    return ok;
}

/* The event that tells everybody that a topology change is effective, without waiting for traffic.
 */
static bool make_tick(const struct apply *a, int64_t ts, struct outcome **out, struct error *err)
{
    const char *all = RECIPIENT_ALL_TEXT;
    struct work w = {.view = {a->topo, ts}, .has_all = true};
    struct buffer content = BUFFER_INIT;
    struct batch batch = {0};
    struct recipients r = {0};
    struct outcome *o = NULL;
    char id[64];
    bool ok = false;

    snprintf(id, sizeof id, "topology-tick-%lld", (long long)ts);
    if (!outcome_make(OUTCOME_DELIVER, ts, &o, err) || !dup_text(&o->sender, a->sequencer, err) ||
        !dup_text(&o->message_id, id, err) ||
        !topology_broadcast_build(a->psid, NULL, 0, &content, err) ||
        !recipients_add(&r, 0, &all, 1, err) ||
        !batch_add(&batch, buffer_bytes(&content), NULL, 0, &r, err) ||
        !batch_seal(&batch, &o->batch, err) || !fill_receivers(&w, o, err))
        goto out;
    o->is_broadcast = true;
    o->recipients = batch.recipients;
    batch.recipients = calloc(1, sizeof *batch.recipients);
    ok = batch.recipients || error_set(err, ERR_MEMORY, NULL, "no memory for a tick");
out:
    recipients_free(&r);
    batch_free(&batch);
    buffer_free(&content);
    if (ok)
        *out = o;
    else
        outcome_unref(o);
    return ok;
}

int64_t apply_tick_due(const struct apply *a)
{
    int64_t at;

    return topology_next_effective(a->topo, a->ticked_ts, &at) ? at : INT64_MAX;
}

static bool apply_tick(struct apply *a, int64_t ts, struct outcome **out, struct error *err)
{
    if (apply_tick_due(a) >= ts)
        return outcome_make(OUTCOME_NOTHING, ts, out, err); /* another replica's came before */
    a->ticked_ts = ts;
    return make_tick(a, ts, out, err);
}

static bool apply_rule_version(struct apply *a, int64_t ts, const struct entry_parts *parts,
                               struct outcome **out, struct error *err)
{
    int32_t version;

    if (!entry_rule_version(parts->body, &version, err))
        return false;
    if (version < 1 || version > RULE_VERSION)
        return error_set(err, ERR_UNSUPPORTED, "install the release that the others run",
                         "the log asks for rule version %d, this release has %d", (int)version,
                         RULE_VERSION);
    a->rule_version = version;
    return outcome_make(OUTCOME_NOTHING, ts, out, err);
}

static void set_trace(struct outcome *o, const struct entry_parts *parts)
{
    snprintf(o->traceparent, sizeof o->traceparent, "%.*s", (int)parts->traceparent.len,
             (const char *)parts->traceparent.data);
    snprintf(o->tracestate, sizeof o->tracestate, "%.*s", (int)parts->tracestate.len,
             (const char *)parts->tracestate.data);
}

bool apply_entry(struct apply *a, const struct entry *e, struct outcome **out, struct error *err)
{
    struct entry_parts parts;
    bool ok = false;

    *out = NULL;
    if (e->ts <= a->applied_ts)
        return error_set(err, ERR_INTERNAL, NULL, "entry %lld comes after %lld", (long long)e->ts,
                         (long long)a->applied_ts);
    if (!entry_parse(e->payload, &parts, err))
        return error_add(err, "log entry %lld", (long long)e->ts);
    if (a->rule_version == 0 && e->kind != ENTRY_RULE_VERSION)
        return error_set(err, ERR_MALFORMED, NULL, "the log does not begin with its rule version");
    switch (e->kind) {
    case ENTRY_SUBMISSION:
        ok = apply_submission(a, e, &parts, out, err);
        break;
    case ENTRY_TICK:
        ok = apply_tick(a, e->ts, out, err);
        break;
    case ENTRY_RULE_VERSION:
        ok = apply_rule_version(a, e->ts, &parts, out, err);
        break;
    case ENTRY_OPERATOR:
    default:
        ok = error_set(err, ERR_UNSUPPORTED, "install the release that the others run",
                       "entry has kind %d, which this release does not know", (int)e->kind);
        break;
    }
    if (ok && *out) {
        set_trace(*out, &parts);
        outcome_weigh(*out);
        ok = outcome_digest(*out, a->digest, err);
    }
    if (!ok) {
        outcome_unref(*out);
        *out = NULL;
        return error_add(err, "log entry %lld", (long long)e->ts);
    }
    aggregations_expire(a->aggregations, e->ts);
    topology_observe(a->topo, e->ts);
    a->applied_ts = e->ts;
    return true;
}

/* The contributions of other entries to an aggregated delivery, merged again. */
static bool merge_again(struct work *w, const struct outcome_stub *stub,
                        const struct entry *entries, struct error *err)
{
    struct contribution *c = calloc(stub->n_contributions + 1, sizeof *c);
    bool *keep = calloc(stub->n_contributions + 1, sizeof *keep);
    bool ok = c && keep;

    if (!ok)
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for an aggregation");
    for (size_t i = 0; ok && i < stub->n_contributions; i++) {
        struct work other = {.a = w->a, .view = {w->a->topo, entries[i].ts}};
        struct entry_parts parts;

        keep[i] = true;
        ok = entry_parse(entries[i].payload, &parts, err) && open_frame(&other, parts.body, err) &&
             batch_open(&other.s.batch, BATCH_LIMIT, &other.batch, err) &&
             contribution_make(other.s.sender, entries[i].ts, &other.batch, &c[i], err);
        work_free(&other);
    }
    /* In the order of the stub, which is that of the members. */
    if (ok)
        ok = contributions_merge(&w->view, &w->s.rule, c, stub->n_contributions, keep, &w->batch,
                                 err);
    for (size_t i = 0; c && i < stub->n_contributions; i++)
        contribution_free(&c[i]);
    free(c);
    free(keep);
    return ok;
}

static bool deliver_again(struct work *w, const struct outcome_stub *stub,
                          const struct entry *contributions, struct outcome **out,
                          struct error *err)
{
    struct refusal *r = &w->refusal;

    if (!check_groups(&w->view, w->recipients, w->s.batch.n, &w->groups, &w->n_groups, &w->has_all,
                      r, err))
        return false;
    if (r->id != REFUSAL_NONE)
        return error_set(err, ERR_INTERNAL, NULL, "outcome %lld was a delivery, now: %s",
                         (long long)w->view.ts, r->text);
    if (w->s.rule.kind != AGGREGATION_NONE &&
        (!batch_open(&w->s.batch, BATCH_LIMIT, &w->batch, err) ||
         (stub->n_contributions > 0 && !merge_again(w, stub, contributions, err))))
        return false;
    return deliver(w, out, err);
}

static bool submission_again(struct work *w, struct bytes body, const struct outcome_stub *stub,
                             const struct entry *contributions, struct outcome **out,
                             struct error *err)
{
    if (!open_frame(w, body, err))
        return false;
    if (stub->kind == OUTCOME_DELIVER)
        return deliver_again(w, stub, contributions, out, err);
    if (!make(w, stub->kind, out, err))
        return false;
    buffer_append(&(*out)->status, stub->status.data, stub->status.len);
    return buffer_ok(&(*out)->status, err);
}

bool apply_again(const struct apply *a, const struct entry *e, const struct outcome_stub *stub,
                 const struct entry *contributions, struct outcome **out, struct error *err)
{
    struct work w = {.a = a, .view = {a->topo, e->ts}};
    struct entry_parts parts;
    bool ok;

    *out = NULL;
    if (!entry_parse(e->payload, &parts, err))
        return false;
    if (e->kind == ENTRY_TICK) {
        ok = make_tick(a, e->ts, out, err);
    } else {
        ok = submission_again(&w, parts.body, stub, contributions, out, err);
        work_free(&w);
    }
    if (!ok) {
        outcome_unref(*out);
        *out = NULL;
        return false;
    }
    set_trace(*out, &parts);
    outcome_weigh(*out);
    return true;
}
