/* check.c: questions about one submission at one topology. */
#include "sequencer/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "wire/messages.h"

static bool is_mediator(const struct recipient *r)
{
    return r->kind == RECIPIENT_ALL || r->kind == RECIPIENT_MEDIATOR_GROUP ||
           (r->kind == RECIPIENT_MEMBER && r->member == MEMBER_MEDIATOR);
}

void check_mediators(const struct recipients *r, size_t n, struct refusal *out)
{
    const char *first = NULL;

    out->id = REFUSAL_NONE;
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < r[i].n_all; k++) {
            const struct recipient *one = &r[i].all[k];

            if (!is_mediator(one))
                continue;
            if (first && strcmp(first, one->text) != 0) {
                (void)refuse(out, REFUSE_REQUEST_REFUSED,
                             "Batch from sender contains multiple mediators as recipients: %s, %s",
                             first, one->text);
                return;
            }
            first = one->text;
        }
    }
}

bool check_members(const struct view *v, const struct recipients *r, size_t n, struct refusal *out,
                   struct error *err)
{
    struct member_list unknown = {0};
    struct buffer text = BUFFER_INIT;
    bool ok = false;

    out->id = REFUSAL_NONE;
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < r[i].n_all; k++) {
            const struct recipient *one = &r[i].all[k];

            if (one->kind == RECIPIENT_MEMBER && unknown.n < 100 &&
                !view_is_registered(v, one->text) && !member_list_add(&unknown, one->text, err))
                goto out;
        }
    }
    member_list_sort(&unknown);
    for (size_t i = 0; i < unknown.n; i++)
        buffer_printf(&text, "%s%s", i ? ", " : "", unknown.m[i]);
    if (unknown.n && buffer_cstr(&text))
        (void)refuse(out, REFUSE_UNKNOWN_RECIPIENTS, "Unknown recipients: %s", buffer_cstr(&text));
    ok = buffer_ok(&text, err);
out:
    buffer_free(&text);
    member_list_free(&unknown);
    return ok;
}

void check_groups_free(struct outcome_group *groups, size_t n)
{
    for (size_t i = 0; groups && i < n; i++) {
        free(groups[i].text);
        member_list_free(&groups[i].members);
    }
    free(groups);
}

/* Adds the group that g names, unless it is there. */
static bool add_group(const struct view *v, const struct recipient *g, struct outcome_group **list,
                      size_t *n, struct refusal *out, struct error *err)
{
    struct outcome_group one = {0};
    bool exists = false;

    for (size_t i = 0; i < *n; i++) {
        if (strcmp((*list)[i].text, g->text) == 0)
            return true;
    }
    if (!view_group(v, g, &one.members, &exists, err))
        goto fail;
    if (!exists) {
        member_list_free(&one.members);
        return g->kind == RECIPIENT_SEQUENCERS
                   ? refuse(out, REFUSE_REQUEST_REFUSED, "No sequencer group found")
                   : refuse(out, REFUSE_REQUEST_REFUSED,
                            "The following mediator groups do not exist: %s", g->text);
    }
    for (size_t i = 0; i < one.members.n; i++) {
        if (!view_is_registered(v, one.members.m[i])) {
            (void)refuse(out, REFUSE_REQUEST_REFUSED,
                         "The following members of group %s are not registered: %s", g->text,
                         one.members.m[i]);
            member_list_free(&one.members);
            return true;
        }
    }
    struct outcome_group *grown = realloc(*list, (*n + 1) * sizeof *grown);
    if (grown)
        *list = grown;
    one.text = strdup(g->text);
    if (!grown || !one.text) {
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for a group");
        goto fail;
    }
    grown[(*n)++] = one;
    return true;
fail:
    free(one.text);
    member_list_free(&one.members);
    return false;
}

bool check_groups(const struct view *v, const struct recipients *r, size_t n,
                  struct outcome_group **groups, size_t *n_groups, bool *has_all,
                  struct refusal *out, struct error *err)
{
    bool ok = true;

    out->id = REFUSAL_NONE;
    *groups = NULL;
    *n_groups = 0;
    *has_all = false;
    for (size_t i = 0; ok && i < n; i++) {
        for (uint32_t k = 0; ok && out->id == REFUSAL_NONE && k < r[i].n_all; k++) {
            const struct recipient *one = &r[i].all[k];

            if (one->kind == RECIPIENT_ALL)
                *has_all = true;
            else if (one->kind != RECIPIENT_MEMBER)
                ok = add_group(v, one, groups, n_groups, out, err);
        }
    }
    if (!ok || out->id != REFUSAL_NONE) {
        check_groups_free(*groups, *n_groups);
        *groups = NULL;
        *n_groups = 0;
    }
    return ok;
}

bool check_envelopes(const struct view *v, const char *sender, const struct batch *b,
                     struct refusal *out, struct error *err)
{
    out->id = REFUSAL_NONE;
    for (size_t i = 0; i < b->n; i++) {
        const struct envelope *e = &b->envelopes[i];
        struct hash h;

        if (e->n_signatures == 0)
            continue;
        if (!message_hash(buffer_bytes(&e->content), &h, err))
            return false;
        for (size_t k = 0; k < e->n_signatures; k++) {
            struct error bad;

            if (!view_verify(v, sender, USAGE_PROTOCOL, &h, &e->signatures[k], NULL, &bad))
                return refuse(out, REFUSE_ALARM_ENVELOPE_SIGNATURE,
                              "Invalid signature of envelope %zu: %s", i, bad.cause);
        }
    }
    return true;
}

static bool check_group_rule(const struct view *v, const struct submission *s, struct refusal *out,
                             struct error *err)
{
    bool is_mediators = s->rule.kind == AGGREGATION_MEDIATOR_GROUP;
    struct recipient group = {.kind =
                                  is_mediators ? RECIPIENT_MEDIATOR_GROUP : RECIPIENT_SEQUENCERS,
                              .group = s->rule.group};
    struct member_list active = {0};
    bool exists = false;
    int threshold = 0;

    if (!view_active_group(v, &group, &active, &threshold, &exists, err))
        return false;
    if (!exists)
        (void)refuse(out, REFUSE_REQUEST_MALFORMED,
                     "The group of the aggregation rule does not exist");
    else if (!member_list_has(&active, s->sender))
        (void)refuse(out, REFUSE_REQUEST_MALFORMED,
                     "Sender %s is not an active member of the aggregation rule's group",
                     s->sender);
    member_list_free(&active);
    return true;
}

bool check_rule(const struct view *v, const struct submission *s, struct refusal *out,
                struct error *err)
{
    const struct aggregation_rule *rule = &s->rule;
    struct member_list distinct = {0};
    bool ok = true;

    out->id = REFUSAL_NONE;
    if (rule->kind == AGGREGATION_NONE || rule->kind == AGGREGATION_DEDUP)
        return true;
    if (rule->kind != AGGREGATION_LIST)
        return check_group_rule(v, s, out, err);
    for (size_t i = 0; ok && i < rule->n_members; i++)
        ok = member_list_add(&distinct, rule->members[i], err);
    member_list_sort(&distinct);
    if (ok && distinct.n < (size_t)rule->threshold)
        (void)refuse(out, REFUSE_REQUEST_MALFORMED,
                     "Threshold %d cannot be reached by %zu eligible members", rule->threshold,
                     distinct.n);
    else if (ok && !member_list_has(&distinct, s->sender))
        (void)refuse(out, REFUSE_REQUEST_MALFORMED,
                     "Sender %s is not eligible according to the aggregation rule", s->sender);
    member_list_free(&distinct);
    return ok;
}

bool check_eligible(const struct view *v, const struct submission *s, struct refusal *out,
                    struct error *err)
{
    const struct aggregation_rule *rule = &s->rule;
    struct member_list eligible = {0};
    bool ok = true;

    out->id = REFUSAL_NONE;
    if (rule->kind != AGGREGATION_LIST)
        return true;
    for (size_t i = 0; ok && i < rule->n_members; i++)
        ok = member_list_add(&eligible, rule->members[i], err);
    member_list_sort(&eligible);
    for (size_t i = 0; ok && out->id == REFUSAL_NONE && i < eligible.n; i++) {
        if (!view_is_registered(v, eligible.m[i]))
            (void)refuse(out, REFUSE_REQUEST_REFUSED,
                         "Aggregation rule contains unregistered eligible members: %s",
                         eligible.m[i]);
    }
    member_list_free(&eligible);
    return ok;
}

bool check_signature(const struct view *v, const struct submission *s,
                     const struct signature *signature, const char *verified_by,
                     struct refusal *out, struct error *err)
{
    struct error bad;
    struct hash h;

    out->id = REFUSAL_NONE;
    if (failpoint_is_on("signature-check-off"))
        return true;
    if (!submission_hash(s, &h, err))
        return false;
    if (!view_verify(v, s->sender, USAGE_PROTOCOL, &h, signature, verified_by, &bad))
        return refuse(out, REFUSE_ALARM_REQUEST_SIGNATURE,
                      "Invalid signature of sender %s on the submission request: %s", s->sender,
                      bad.cause);
    return true;
}
