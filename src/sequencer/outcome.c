/* outcome.c: what apply decided: its bytes for the digest, and the event of each receiver. */
#include "sequencer/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "wire/event.h"

bool outcome_make(enum outcome_kind kind, int64_t ts, struct outcome **out, struct error *err)
{
    struct outcome *o = calloc(1, sizeof *o);

    if (!o)
        return error_set(err, ERR_MEMORY, NULL, "no memory for an outcome");
    o->refs = 1;
    o->kind = kind;
    o->ts = ts;
    *out = o;
    return true;
}

struct outcome *outcome_ref(struct outcome *o)
{
    __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
    return o;
}

void outcome_unref(struct outcome *o)
{
    if (!o || __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    batch_recipients_free(o->recipients, o->batch.n);
    compressed_batch_free(&o->batch);
    for (size_t i = 0; i < o->n_groups; i++) {
        free(o->groups[i].text);
        member_list_free(&o->groups[i].members);
    }
    free(o->groups);
    member_list_free(&o->receivers);
    buffer_free(&o->status);
    free(o->contributions);
    free(o->sender);
    free(o->message_id);
    free(o->why);
    free(o);
}

void outcome_weigh(struct outcome *o)
{
    size_t n = sizeof *o + o->status.len + o->batch.recipients.cap;

    for (size_t i = 0; i < o->batch.n; i++)
        n += o->batch.envelopes[i].cap + sizeof *o->batch.envelopes + sizeof *o->recipients +
             o->recipients[i].n_all * (sizeof(struct recipient) + 100u) +
             o->recipients[i].n_nodes * sizeof(struct recipients_node);
    for (size_t i = 0; i < o->n_groups; i++)
        n += sizeof *o->groups + o->groups[i].members.n * 120;
    n += o->receivers.n * 120 + o->n_contributions * 8;
    o->memory = n;
}

static void put(struct buffer *out, const void *data, size_t len)
{
    buffer_append_be32(out, (uint32_t)len);
    buffer_append(out, data, len);
}

static void put_str(struct buffer *out, const char *s)
{
    put(out, s ? s : "", s ? strlen(s) : 0);
}

bool outcome_digest(const struct outcome *o, uint8_t digest[32], struct error *err)
{
    struct buffer b = BUFFER_INIT, r = BUFFER_INIT;
    bool ok = false;

    buffer_append(&b, digest, 32);
    buffer_append_be64(&b, (uint64_t)o->ts);
    buffer_append_byte(&b, (uint8_t)o->kind);
    put_str(&b, o->sender);
    put_str(&b, o->message_id);
    put(&b, o->status.data, o->status.len);
    buffer_append_be32(&b, (uint32_t)o->receivers.n);
    for (size_t i = 0; i < o->receivers.n; i++)
        put_str(&b, o->receivers.m[i]);
    buffer_append_byte(&b, (uint8_t)o->batch.algorithm);
    buffer_append_be32(&b, (uint32_t)o->batch.n);
    for (size_t i = 0; i < o->batch.n; i++) {
        buffer_clear(&r);
        if (!recipients_build(&o->recipients[i], &r, err))
            goto out;
        put(&b, r.data, r.len);
    }
    for (size_t i = 0; i < o->batch.n; i++)
        put(&b, o->batch.envelopes[i].data, o->batch.envelopes[i].len);
    ok = buffer_ok(&b, err) && sha256(buffer_bytes(&b), digest, err);
out:
    buffer_free(&r);
    buffer_free(&b);
    return ok;
}

struct membership {
    const struct outcome *outcome;
    const char *member;
};

static bool in_group(void *ctx, const struct recipient *group)
{
    const struct membership *s = ctx;

    if (group->kind == RECIPIENT_ALL)
        return true; /* who is a receiver of a broadcast was known at its time */
    for (size_t i = 0; i < s->outcome->n_groups; i++) {
        if (strcmp(s->outcome->groups[i].text, group->text) == 0)
            return member_list_has(&s->outcome->groups[i].members, s->member);
    }
    return false;
}

bool outcome_event(const struct outcome *o, const char *member, const int64_t *previous,
                   const char *psid, struct buffer *out, struct error *err)
{
    struct membership who = {o, member};
    struct event e = {.has_previous = previous != NULL,
                      .previous_ts = previous ? *previous : 0,
                      .ts = o->ts,
                      .is_error = o->kind == OUTCOME_REJECT};
    bool is_sender = o->sender && strcmp(o->sender, member) == 0;
    bool ok = false;

    if (!member_list_has(&o->receivers, member))
        return error_set(err, ERR_INTERNAL, NULL, "event %lld is not for %s", (long long)o->ts,
                         member);
    e.psid = strdup(psid);
    e.message_id = is_sender && o->message_id ? strdup(o->message_id) : NULL;
    if (!e.psid || (is_sender && o->message_id && !e.message_id)) {
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for an event");
        goto out;
    }
    if (e.is_error) {
        if (!wire_status_parse(buffer_bytes(&o->status), &e.status, err))
            goto out;
    } else if (o->kind == OUTCOME_RECEIPT || o->batch.n == 0) {
        if (!compressed_batch_empty(&e.batch, err))
            goto out;
    } else if (!batch_filter(&o->batch, o->recipients, member, in_group, &who, &e.batch, err)) {
        goto out;
    }
    if (!event_build(&e, err))
        goto out;
    buffer_append(out, e.raw.data, e.raw.len);
    ok = buffer_ok(out, err);
out:
    event_free(&e);
    return ok;
}
