/* view.c: topology questions in the sequencer's words. */
#include "sequencer/view.h"

#include <stdlib.h>
#include <string.h>

#include "topology/topology.h"

bool member_list_add(struct member_list *l, const char *member, struct error *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        char **grown = realloc(l->m, cap * sizeof *grown);

        if (!grown)
            return error_set(err, ERR_MEMORY, NULL, "no memory for %zu members", cap);
        l->m = grown;
        l->cap = cap;
    }
    l->m[l->n] = strdup(member);
    if (!l->m[l->n])
        return error_set(err, ERR_MEMORY, NULL, "no memory for a member");
    l->n++;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void member_list_sort(struct member_list *l)
{
    size_t used = 0;

    if (l->n < 2)
        return;
    qsort(l->m, l->n, sizeof *l->m, by_text);
    for (size_t i = 0; i < l->n; i++) {
        if (used > 0 && strcmp(l->m[used - 1], l->m[i]) == 0)
            free(l->m[i]);
        else
            l->m[used++] = l->m[i];
    }
    l->n = used;
}

bool member_list_has(const struct member_list *sorted, const char *member)
{
    return sorted->n > 0 &&
           bsearch(&member, sorted->m, sorted->n, sizeof *sorted->m, by_text) != NULL;
}

void member_list_free(struct member_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->m[i]);
    free(l->m);
    memset(l, 0, sizeof *l);
}

bool view_is_registered(const struct view *v, const char *member)
{
    return topology_member_known(v->topo, v->ts, member);
}

bool view_members(const struct view *v, struct member_list *out, struct error *err)
{
    const char **members = NULL;
    size_t n = 0;

    if (!topology_members(v->topo, v->ts, &members, &n, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = member_list_add(out, members[i], err);
    free(members);
    member_list_sort(out);
    return ok;
}

static bool find_group(const struct view *v, const struct recipient *group,
                       struct topology_group *out)
{
    return group->kind == RECIPIENT_MEDIATOR_GROUP
               ? topology_mediator_group(v->topo, v->ts, group->group, out)
               : topology_sequencer_group(v->topo, v->ts, out);
}

static bool add_uids(enum member_kind kind, const char *const *uids, size_t n,
                     struct member_list *out, struct error *err)
{
    char member[MEMBER_TEXT_SIZE];

    for (size_t i = 0; i < n; i++) {
        member_format(kind, uids[i], member);
        if (!member_list_add(out, member, err))
            return false;
    }
    return true;
}

static enum member_kind kind_of(const struct recipient *group)
{
    return group->kind == RECIPIENT_MEDIATOR_GROUP ? MEMBER_MEDIATOR : MEMBER_SEQUENCER;
}

bool view_group(const struct view *v, const struct recipient *group, struct member_list *out,
                bool *exists, struct error *err)
{
    struct topology_group g;

    *exists = find_group(v, group, &g);
    if (!*exists)
        return true;
    if (!add_uids(kind_of(group), g.active, g.n_active, out, err) ||
        !add_uids(kind_of(group), g.observers, g.n_observers, out, err))
        return false;
    member_list_sort(out);
    return true;
}

bool view_active_group(const struct view *v, const struct recipient *group,
                       struct member_list *active, int *threshold, bool *exists, struct error *err)
{
    struct topology_group g;

    *exists = find_group(v, group, &g);
    if (!*exists)
        return true;
    *threshold = g.threshold;
    if (!add_uids(kind_of(group), g.active, g.n_active, active, err))
        return false;
    member_list_sort(active);
    return true;
}

static const struct public_key *find_key(const struct view *v, const char *member, unsigned usage,
                                         const char *fingerprint)
{
    const struct public_key *keys[TOPOLOGY_KEYS_MAX];
    size_t n = topology_signing_keys(v->topo, v->ts, member, usage, keys);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i]->fingerprint, fingerprint) == 0)
            return keys[i];
    }
    return NULL;
}

bool view_verify(const struct view *v, const char *member, unsigned usage, const struct hash *h,
                 const struct signature *s, const char *verified_by, struct error *err)
{
    const struct public_key *k = find_key(v, member, usage, s->signed_by);

    if (!k)
        return error_set(err, ERR_SIGNATURE, NULL, "%s has no key %.16s... for this", member,
                         s->signed_by);
    struct signing_scope at = topology_signing_scope(v->topo, v->ts);

    if (verified_by && strcmp(verified_by, k->fingerprint) == 0)
        return signature_in_force(&at, usage, s, err); /* may have changed since */
    return signature_verify_at(&at, k, usage, h, s, err);
}

bool view_could_sign(const struct view *v, const char *member, unsigned usage,
                     const struct signature *s)
{
    const struct public_key *k = find_key(v, member, usage, s->signed_by);
    struct signing_scope at = topology_signing_scope(v->topo, v->ts);
    struct error e;

    return k != NULL && signature_key_usable(&at, k, usage, s, &e);
}

size_t view_keys(const struct view *v, const char *member, unsigned usage, struct public_key **out,
                 size_t max)
{
    const struct public_key *keys[TOPOLOGY_KEYS_MAX];
    size_t n = topology_signing_keys(v->topo, v->ts, member, usage, keys);

    if (n > max)
        n = max;
    for (size_t i = 0; i < n; i++)
        out[i] = public_key_ref(keys[i]);
    return n;
}

static struct dynamic_parameters parameters(const struct view *v)
{
    const struct dynamic_parameters *p = topology_parameters(v->topo, v->ts);
    struct dynamic_parameters d;

    if (p)
        return *p;
    dynamic_parameters_default(&d);
    return d;
}

double view_confirmation_rate(const struct view *v, const char *member)
{
    struct participant_attributes own;
    uint32_t rate = parameters(v).confirmation_requests_max_rate;

    if (topology_participant(v->topo, v->ts, member_uid(member), &own) &&
        own.confirmation_requests_max_rate < rate)
        rate = own.confirmation_requests_max_rate;
    return rate;
}

int64_t view_aggregate_timeout_us(const struct view *v)
{
    return parameters(v).sequencer_aggregate_submission_timeout_us;
}

size_t view_max_request_size(const struct view *v)
{
    return parameters(v).max_request_size;
}

bool view_has_traffic_control(const struct view *v)
{
    return parameters(v).has_traffic;
}
