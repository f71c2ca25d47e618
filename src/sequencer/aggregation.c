/* aggregation.c: submissions that count together. */
#include "sequencer/aggregation.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "wire/keys.h"

/* When one is forgotten decides nothing: a contribution past its time is discarded before. */
#define SWEEP_US 1000000

struct in_flight {
    struct hash id;
    int64_t max_sequencing_time;
    struct contribution *c; /* ascending by member */
    size_t n;
    bool is_delivered;
    int64_t delivered_ts;
    UT_hash_handle hh;
};

struct aggregations {
    struct in_flight *by_id;
    int64_t earliest; /* no entry ends before this */
    int64_t swept_ts;
};

bool contribution_make(const char *member, int64_t ts, const struct batch *b,
                       struct contribution *out, struct error *err)
{
    struct contribution c = {.ts = ts, .n_envelopes = b->n};

    c.member = strdup(member);
    c.signatures = calloc(b->n + 1, sizeof *c.signatures);
    c.n_signatures = calloc(b->n + 1, sizeof *c.n_signatures);
    if (!c.member || !c.signatures || !c.n_signatures)
        goto memory;
    for (size_t i = 0; i < b->n; i++) {
        const struct envelope *e = &b->envelopes[i];

        c.signatures[i] = calloc(e->n_signatures + 1, sizeof **c.signatures);
        if (!c.signatures[i])
            goto memory;
        for (size_t k = 0; k < e->n_signatures; k++) {
            if (!signature_copy(&c.signatures[i][k], &e->signatures[k], err))
                goto fail;
            c.n_signatures[i]++;
        }
    }
    *out = c;
    return true;
memory:
    (void)error_set(err, ERR_MEMORY, NULL, "no memory for a contribution");
fail:
    contribution_free(&c);
    return false;
}

void contribution_free(struct contribution *c)
{
    for (size_t i = 0; c->signatures && i < c->n_envelopes; i++) {
        if (c->signatures[i])
            signatures_free(c->signatures[i], c->n_signatures ? c->n_signatures[i] : 0);
    }
    free(c->signatures);
    free(c->n_signatures);
    free(c->member);
    memset(c, 0, sizeof *c);
}

static bool is_group(const struct aggregation_rule *rule)
{
    return rule->kind == AGGREGATION_MEDIATOR_GROUP || rule->kind == AGGREGATION_SEQUENCERS;
}

static struct recipient group_of(const struct aggregation_rule *rule)
{
    return (struct recipient){.kind = rule->kind == AGGREGATION_MEDIATOR_GROUP
                                          ? RECIPIENT_MEDIATOR_GROUP
                                          : RECIPIENT_SEQUENCERS,
                              .group = rule->group};
}

/* In a group only signatures by keys that are still usable count. */
static bool signature_counts(const struct view *v, const struct aggregation_rule *rule,
                             const char *member, const struct signature *s)
{
    return !is_group(rule) || view_could_sign(v, member, USAGE_PROTOCOL, s);
}

static bool every_envelope_signed(const struct view *v, const struct aggregation_rule *rule,
                                  const struct contribution *c)
{
    for (size_t i = 0; i < c->n_envelopes; i++) {
        bool any = false;

        for (size_t k = 0; k < c->n_signatures[i] && !any; k++)
            any = signature_counts(v, rule, c->member, &c->signatures[i][k]);
        if (!any)
            return false;
    }
    return true;
}

bool contributions_complete(const struct view *v, const struct aggregation_rule *rule,
                            const struct contribution *c, size_t n, bool *keep)
{
    struct recipient group = group_of(rule);
    struct member_list active = {0};
    bool exists = false;
    int threshold = 0;
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        keep[i] = true;
    if (rule->kind == AGGREGATION_DEDUP)
        return n >= 1;
    if (!is_group(rule))
        return n >= (size_t)rule->threshold;
    if (view_active_group(v, &group, &active, &threshold, &exists, NULL) && exists) {
        for (size_t i = 0; i < n; i++) {
            keep[i] =
                member_list_has(&active, c[i].member) && every_envelope_signed(v, rule, &c[i]);
            count += keep[i];
        }
    }
    member_list_free(&active);
    return exists && threshold > 0 && count >= (size_t)threshold;
}

bool contributions_merge(const struct view *v, const struct aggregation_rule *rule,
                         const struct contribution *c, size_t n, const bool *keep, struct batch *b,
                         struct error *err)
{
    for (size_t e = 0; e < b->n; e++) {
        size_t total = 0, used = 0;

        for (size_t i = 0; i < n; i++)
            total += keep[i] ? c[i].n_signatures[e] : 0;
        struct signature *merged = calloc(total + 1, sizeof *merged);
        if (!merged)
            return error_set(err, ERR_MEMORY, NULL, "no memory for %zu signatures", total);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; keep[i] && k < c[i].n_signatures[e]; k++) {
                const struct signature *s = &c[i].signatures[e][k];

                if (!signature_counts(v, rule, c[i].member, s))
                    continue;
                if (!signature_copy(&merged[used], s, err)) {
                    signatures_free(merged, used);
                    return false;
                }
                used++;
            }
        }
        if (b->envelopes[e].signatures)
            signatures_free(b->envelopes[e].signatures, b->envelopes[e].n_signatures);
        b->envelopes[e].signatures = merged;
        b->envelopes[e].n_signatures = used;
    }
    return true;
}

bool aggregations_open(struct aggregations **out, struct error *err)
{
    struct aggregations *a = calloc(1, sizeof *a);

    if (!a)
        return error_set(err, ERR_MEMORY, NULL, "no memory for aggregations");
    a->earliest = INT64_MAX;
    *out = a;
    return true;
}

static void in_flight_free(struct in_flight *f)
{
    for (size_t i = 0; i < f->n; i++)
        contribution_free(&f->c[i]);
    free(f->c);
    free(f);
}

void aggregations_close(struct aggregations *a)
{
    struct in_flight *f, *next;

    if (!a)
        return;
    HASH_ITER(hh, a->by_id, f, next)
    {
        HASH_DEL(a->by_id, f);
        in_flight_free(f);
    }
    free(a);
}

static struct in_flight *find(const struct aggregations *a, const struct hash *id)
{
    struct in_flight *f;

    HASH_FIND(hh, a->by_id, id->b, HASH_LEN, f);
    return f;
}

/* Adds c in its place; takes it over. */
static bool insert(struct in_flight *f, struct contribution *c, struct error *err)
{
    struct contribution *grown = realloc(f->c, (f->n + 1) * sizeof *grown);
    size_t at = 0;

    if (!grown)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a contribution");
    f->c = grown;
    while (at < f->n && strcmp(grown[at].member, c->member) < 0)
        at++;
    memmove(&grown[at + 1], &grown[at], (f->n - at) * sizeof *grown);
    grown[at] = *c;
    f->n++;
    memset(c, 0, sizeof *c);
    return true;
}

static bool deliver(struct in_flight *f, const struct view *v, const struct submission *s,
                    struct batch *b, const bool *keep, int64_t **ts, size_t *n_ts,
                    struct error *err)
{
    int64_t *list = calloc(f->n, sizeof *list);
    size_t used = 0;

    if (!list)
        return error_set(err, ERR_MEMORY, NULL, "no memory for an aggregation");
    if (!contributions_merge(v, &s->rule, f->c, f->n, keep, b, err)) {
        free(list);
        return false;
    }
    for (size_t i = 0; i < f->n; i++) {
        if (keep[i])
            list[used++] = f->c[i].ts;
    }
    f->is_delivered = true;
    f->delivered_ts = v->ts;
    *ts = list;
    *n_ts = used;
    return true;
}

bool aggregations_contribute(struct aggregations *a, const struct view *v, const struct hash *id,
                             const struct submission *s, struct batch *b,
                             enum contribute_result *result, int64_t *before, int64_t **ts,
                             size_t *n_ts, struct error *err)
{
    struct in_flight *f = find(a, id);
    struct contribution c = {0};
    bool *keep = NULL;
    bool ok = false;

    if (f && f->is_delivered) {
        *before = f->delivered_ts;
        *result = CONTRIBUTE_ALREADY_SENT;
        return true;
    }
    for (size_t i = 0; f && i < f->n; i++) {
        if (strcmp(f->c[i].member, s->sender) == 0) {
            *before = f->c[i].ts;
            *result = CONTRIBUTE_STUFFING;
            return true;
        }
    }
    if (!contribution_make(s->sender, v->ts, b, &c, err))
        return false;
    if (!f) {
        f = calloc(1, sizeof *f);
        if (!f) {
            (void)error_set(err, ERR_MEMORY, NULL, "no memory for an aggregation");
            goto out;
        }
        f->id = *id;
        f->max_sequencing_time = s->max_sequencing_time;
        HASH_ADD(hh, a->by_id, id.b, HASH_LEN, f);
        if (f->max_sequencing_time < a->earliest)
            a->earliest = f->max_sequencing_time;
    }
    if (!insert(f, &c, err))
        goto out;
    keep = calloc(f->n, sizeof *keep);
    if (!keep) {
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for an aggregation");
        goto out;
    }
    *result = CONTRIBUTE_WAITING;
    ok = true;
    if (contributions_complete(v, &s->rule, f->c, f->n, keep)) {
        *result = CONTRIBUTE_COMPLETE;
        ok = deliver(f, v, s, b, keep, ts, n_ts, err);
    }
out:
    free(keep);
    contribution_free(&c);
    return ok;
}

bool aggregations_delivered(const struct aggregations *a, const struct hash *id)
{
    struct in_flight *f = find(a, id);

    return f && f->is_delivered;
}

void aggregations_expire(struct aggregations *a, int64_t ts)
{
    struct in_flight *f, *next;

    if (ts < a->earliest || ts < a->swept_ts + SWEEP_US)
        return;
    a->swept_ts = ts;
    a->earliest = INT64_MAX;
    HASH_ITER(hh, a->by_id, f, next)
    {
        if (f->max_sequencing_time <= ts) {
            HASH_DEL(a->by_id, f);
            in_flight_free(f);
        } else if (f->max_sequencing_time < a->earliest) {
            a->earliest = f->max_sequencing_time;
        }
    }
}

size_t aggregations_count(const struct aggregations *a)
{
    return HASH_COUNT(a->by_id);
}
