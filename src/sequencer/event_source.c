/* event_source.c: finds an event, filters it for its reader, signs it. */
#include "sequencer/event_source.h"

#include <stdlib.h>
#include <string.h>

#include "sequencer/node_store.h"
#include "sequencer/replica.h"
#include "sequencer_api_v30.pb-c.h"
#include "topology/topology.h"
#include "v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/signed_content.h"

/* What was found under the lock. */
struct found {
    int64_t ts, previous;
    bool has_previous;
    struct outcome *outcome;  /* NULL: no longer in memory */
    struct outcome_stub stub; /* then; owned copies */
    int64_t *contributions;
    char keys[TOPOLOGY_KEYS_MAX][FINGERPRINT_SIZE]; /* newest last */
    size_t n_keys;
};

static void found_free(struct found *f)
{
    outcome_unref(f->outcome);
    buffer_free(&f->stub.status);
    free(f->contributions);
}

/* Copies: the index moves on once the lock is given up. */
static bool copy_stub(struct found *f, struct outcome_stub from, struct error *err)
{
    f->stub = from;
    f->stub.status = (struct buffer)BUFFER_INIT;
    buffer_append(&f->stub.status, from.status.data, from.status.len);
    f->contributions = calloc(from.n_contributions + 1, sizeof *f->contributions);
    if (!f->contributions)
        return error_set(err, ERR_MEMORY, NULL, "no memory for an event");
    if (from.n_contributions > 0)
        memcpy(f->contributions, from.contributions,
               from.n_contributions * sizeof *f->contributions);
    f->stub.contributions = f->contributions;
    return buffer_ok(&f->stub.status, err);
}

/* State lock held. */
static bool find(struct sequencer *seq, const char *member, int64_t from_ts, size_t *pos,
                 struct found *f, bool *has_event, struct error *err)
{
    struct member_events *e = index_events(seq->index, member);
    const struct public_key *keys[TOPOLOGY_KEYS_MAX];

    *has_event = false;
    if (e && *pos < e->n && e->at[*pos] < from_ts)
        *pos = member_events_from(e, from_ts);
    if (!e || *pos >= e->n || e->at[*pos] > seq->apply.applied_ts)
        return true;
    f->ts = e->at[*pos];
    f->has_previous = *pos > 0;
    f->previous = f->has_previous ? e->at[*pos - 1] : 0;
    f->outcome = index_find(seq->index, f->ts);
    if (!f->outcome && !copy_stub(f, index_stub(seq->index, f->ts), err))
        return false;
    size_t n = topology_signing_keys(seq->topo, f->ts, seq->member, USAGE_PROTOCOL, keys);
    for (f->n_keys = 0; f->n_keys < n; f->n_keys++)
        memcpy(f->keys[f->n_keys], keys[f->n_keys]->fingerprint, FINGERPRINT_SIZE);
    *has_event = true;
    return true;
}

/* Reads the rows of an old event and decides about it again. */
static bool restore(struct sequencer *seq, struct found *f, struct error *err)
{
    struct log_page rows = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < f->stub.n_contributions; i++)
        ok = log_store_row(seq->db, f->contributions[i], &rows, err);
    ok = ok && log_store_row(seq->db, f->ts, &rows, err);
    if (ok) {
        mutex_lock(&seq->state);
        ok = apply_again(&seq->apply, &rows.at[rows.n - 1], &f->stub, rows.at, &f->outcome, err);
        mutex_unlock(&seq->state);
    }
    log_page_free(&rows);
    return ok;
}

static bool pack(struct bytes signed_event, const struct outcome *o, struct buffer *out,
                 struct error *err)
{
    Trace__TraceContext trace = TRACE__TRACE_CONTEXT__INIT;
    Seq__SubscriptionResponse m = SEQ__SUBSCRIPTION_RESPONSE__INIT;

    if (o->traceparent[0]) {
        trace._traceparent_case = TRACE__TRACE_CONTEXT___TRACEPARENT_TRACEPARENT;
        trace.traceparent = (char *)(uintptr_t)o->traceparent;
    }
    if (o->tracestate[0]) {
        trace._tracestate_case = TRACE__TRACE_CONTEXT___TRACESTATE_TRACESTATE;
        trace.tracestate = (char *)(uintptr_t)o->tracestate;
    }
    m.signed_sequenced_event.data = (uint8_t *)(uintptr_t)signed_event.data;
    m.signed_sequenced_event.len = signed_event.len;
    m.trace_context = &trace;
    return wire_pack(&m, out, err);
}

static bool sign(struct sequencer *seq, const struct found *f, const char *member,
                 struct buffer *out, struct error *err)
{
    struct buffer event = BUFFER_INIT, frame = BUFFER_INIT;
    const char *candidates[TOPOLOGY_KEYS_MAX];
    struct signature s = {0};
    struct hash h;
    bool ok;

    for (size_t i = 0; i < f->n_keys; i++)
        candidates[i] = f->keys[i];
    ok = outcome_event(f->outcome, member, f->has_previous ? &f->previous : NULL, seq->sync.psid,
                       &event, err) &&
         hash_of(HASH_SEQUENCED_EVENT, buffer_bytes(&event), &h, err) &&
         keyring_sign(seq->keys, USAGE_PROTOCOL, candidates, f->n_keys, &h, &s, err);
    if (ok) {
        ok = signed_content_build(buffer_bytes(&event), &s, NULL, &frame, err) &&
             pack(buffer_bytes(&frame), f->outcome, out, err);
        signature_free(&s);
    }
    buffer_free(&event);
    buffer_free(&frame);
    return ok;
}

bool event_source_next(struct sequencer *seq, const char *member, int64_t from_ts, size_t *pos,
                       struct buffer *out, bool *has_event, struct error *err)
{
    struct found f = {0};
    bool ok;

    mutex_lock(&seq->state);
    ok = find(seq, member, from_ts, pos, &f, has_event, err);
    mutex_unlock(&seq->state);
    if (ok && *has_event)
        ok = (f.outcome || restore(seq, &f, err)) && sign(seq, &f, member, out, err);
    found_free(&f);
    if (ok && *has_event)
        ++*pos;
    return ok || error_add(err, "event %lld of %s", (long long)f.ts, member);
}
