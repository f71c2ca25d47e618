/* query.c: answers at a timestamp. Nothing here changes the state. */
#include <stdlib.h>
#include <string.h>

#include "topology/state.h"

/* ---- parameters, groups ---- */

const struct dynamic_parameters *topology_parameters(const struct topology *t, int64_t ts)
{
    const struct row *r = state_row(t, MAPPING_PARAMETERS, t->synchronizer, ts);

    return r != NULL ? r->m->parameters : NULL;
}

static void group_fill(const struct mapping *m, struct topology_group *out)
{
    out->index = m->group;
    out->threshold = m->threshold;
    out->active = (const char *const *)m->names;
    out->n_active = m->n_names;
    out->observers = (const char *const *)m->observers;
    out->n_observers = m->n_observers;
    out->is_active = m->n_names >= (size_t)m->threshold;
}

/* The i-th mediator group in effect at ts, in order of first appearance, or NULL past the end; *i
 * moves on. */
static const struct mapping *next_group(const struct topology *t, int64_t ts, size_t *i)
{
    const struct subject *s = state_subject(t, MAPPING_MEDIATORS, t->synchronizer);

    while (s != NULL && *i < s->n) {
        const struct row *r = place_row(s->places[(*i)++], ts);

        if (r != NULL)
            return r->m;
    }
    return NULL;
}

bool topology_mediator_group(const struct topology *t, int64_t ts, int32_t index,
                             struct topology_group *out)
{
    const struct mapping *m;

    for (size_t i = 0; (m = next_group(t, ts, &i)) != NULL;)
        if (m->group == index) {
            group_fill(m, out);
            return true;
        }
    return false;
}

bool topology_sequencer_group(const struct topology *t, int64_t ts, struct topology_group *out)
{
    const struct row *r = state_row(t, MAPPING_SEQUENCERS, t->synchronizer, ts);

    if (r != NULL)
        group_fill(r->m, out);
    return r != NULL;
}

static int index_order(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

size_t topology_mediator_groups(const struct topology *t, int64_t ts, int32_t *out, size_t max)
{
    const struct mapping *m;
    size_t n = 0;

    for (size_t i = 0; (m = next_group(t, ts, &i)) != NULL; n++)
        if (n < max)
            out[n] = m->group;
    if (n > 0 && max > 0)
        qsort(out, n < max ? n : max, sizeof(*out), index_order);
    return n;
}

/* ---- members ---- */

bool topology_participant(const struct topology *t, int64_t ts, const char *uid,
                          struct participant_attributes *out)
{
    const struct dynamic_parameters *p = topology_parameters(t, ts);
    const struct row *permission = state_row(t, MAPPING_PERMISSION, uid, ts);
    struct participant_attributes a = {.permission = PERMISSION_SUBMISSION};

    if (state_row(t, MAPPING_TRUST, uid, ts) == NULL)
        return false;
    if (permission == NULL && p != NULL && onboarding_is_restricted(p->onboarding))
        return false;
    a.confirmation_requests_max_rate = p != NULL ? p->confirmation_requests_max_rate : 1000000;
    if (permission != NULL) {
        a.permission = permission->m->permission;
        a.has_login_after = permission->m->has_login_after;
        a.login_after = permission->m->login_after;
        if (permission->m->max_rate > 0)
            a.confirmation_requests_max_rate = permission->m->max_rate;
    }
    if (out != NULL)
        *out = a;
    return true;
}

/* The mediator group that lists uid, or NULL. */
static const struct mapping *group_of(const struct topology *t, int64_t ts, const char *uid)
{
    const struct mapping *m;

    for (size_t i = 0; (m = next_group(t, ts, &i)) != NULL;)
        if (mapping_names(m, uid) || mapping_observes(m, uid))
            return m;
    return NULL;
}

bool topology_member_known(const struct topology *t, int64_t ts, const char *member)
{
    const char *uid = member_uid(member);
    const struct row *r;

    if (member_is(member, MEMBER_PARTICIPANT))
        return state_row(t, MAPPING_TRUST, uid, ts) != NULL;
    if (member_is(member, MEMBER_MEDIATOR))
        return group_of(t, ts, uid) != NULL;
    if (!member_is(member, MEMBER_SEQUENCER))
        return false;
    r = state_row(t, MAPPING_SEQUENCERS, t->synchronizer, ts);
    return r != NULL && (mapping_names(r->m, uid) || mapping_observes(r->m, uid));
}

static const char *why_inactive(const struct topology *t, int64_t ts, const char *member)
{
    const char *uid = member_uid(member);
    struct participant_attributes a;

    if (!topology_member_known(t, ts, member))
        return "the member is not known on this synchronizer";
    if (member_is(member, MEMBER_PARTICIPANT)) {
        if (!topology_participant(t, ts, uid, &a))
            return "the participant has no permission on this synchronizer";
        return a.has_login_after && a.login_after > ts ? "the participant may not log in yet"
                                                       : NULL;
    }
    if (member_is(member, MEMBER_MEDIATOR)) {
        const struct mapping *m = group_of(t, ts, uid);

        return m == NULL || m->n_names < (size_t)m->threshold ? "the mediator's group is not active"
                                                              : NULL;
    }
    const struct row *r = state_row(t, MAPPING_SEQUENCERS, t->synchronizer, ts);

    return r == NULL || !mapping_names(r->m, uid) ? "the sequencer is not active" : NULL;
}

bool topology_member_active(const struct topology *t, int64_t ts, const char *member,
                            const char **why)
{
    const char *text = why_inactive(t, ts, member);

    if (why != NULL)
        *why = text;
    return text == NULL;
}

static bool has_access(const struct topology *t, int64_t ts, const char *member,
                       const char *fingerprint)
{
    const struct row *r = state_keys(t, member, ts);

    for (size_t i = 0; r != NULL && i < r->m->n_keys; i++) {
        const struct public_key *k = r->m->keys[i];

        if (k->kind == KEY_SIGNING && (k->usages & USAGE_SEQUENCER_AUTH) != 0 &&
            strcmp(k->fingerprint, fingerprint) == 0)
            return why_inactive(t, ts, member) == NULL;
    }
    return false;
}

/* Access is lost when something comes into effect, so that is when to look. */
int64_t topology_access_since(const struct topology *t, int64_t ts, const char *member,
                              const char *fingerprint)
{
    const char *uid = member_uid(member);
    const struct {
        enum mapping_code code;
        const char *subject;
    } of[] = {{MAPPING_KEYS, uid},
              {MAPPING_TRUST, uid},
              {MAPPING_PERMISSION, uid},
              {MAPPING_PARAMETERS, t->synchronizer},
              {MAPPING_MEDIATORS, t->synchronizer},
              {MAPPING_SEQUENCERS, t->synchronizer}};
    int64_t since = TS_MIN;

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        const struct subject *s = state_subject(t, of[i].code, of[i].subject);

        for (size_t k = 0; s != NULL && k < s->n; k++) {
            const struct row_list *l = &s->places[k]->accepted;

            for (size_t j = l->n; j-- > 0 && l->at[j]->valid_from > since;)
                if (l->at[j]->valid_from < ts &&
                    !has_access(t, l->at[j]->valid_from + 1, member, fingerprint))
                    since = l->at[j]->valid_from;
        }
    }
    return since;
}

bool topology_registered_at(const struct topology *t, const char *member, int64_t *ts)
{
    struct registration *r;

    HASH_FIND_STR(t->registrations, member, r);
    if (r != NULL)
        *ts = r->at;
    return r != NULL;
}

static int text_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool list_members(const struct topology *t, const int64_t *ts, const char ***members,
                         size_t *n, struct error *err)
{
    struct registration *r, *next;

    *n = 0;
    *members = calloc(HASH_COUNT(t->registrations) + 1, sizeof(**members));
    if (*members == NULL)
        return error_set(err, ERR_MEMORY, NULL, "list of members");
    HASH_ITER(hh, t->registrations, r, next)
    {
        if (ts == NULL || topology_member_known(t, *ts, r->member))
            (*members)[(*n)++] = r->member;
    }
    qsort(*members, *n, sizeof(**members), text_order);
    return true;
}

bool topology_members(const struct topology *t, int64_t ts, const char ***members, size_t *n,
                      struct error *err)
{
    return list_members(t, &ts, members, n, err);
}

bool topology_members_ever(const struct topology *t, const char ***members, size_t *n,
                           struct error *err)
{
    return list_members(t, NULL, members, n, err);
}

size_t topology_signing_keys(const struct topology *t, int64_t ts, const char *member,
                             unsigned usages, const struct public_key **keys)
{
    const struct row *r = state_keys(t, member, ts);
    size_t n = 0;

    usages &= ~(unsigned)USAGE_PROOF;
    for (size_t i = 0; r != NULL && i < r->m->n_keys && n < TOPOLOGY_KEYS_MAX; i++)
        if (r->m->keys[i]->kind == KEY_SIGNING && (r->m->keys[i]->usages & usages) != 0)
            keys[n++] = r->m->keys[i];
    return n;
}

const struct public_key *topology_encryption_key(const struct topology *t, int64_t ts,
                                                 const char *member)
{
    const struct row *r = state_keys(t, member, ts);

    for (size_t i = r != NULL ? r->m->n_keys : 0; i-- > 0;)
        if (r->m->keys[i]->kind == KEY_ENCRYPTION)
            return r->m->keys[i];
    return NULL;
}

/* ---- parties ---- */

bool topology_hosting(const struct topology *t, int64_t ts, const char *party,
                      struct party_hosting *out, bool *found, struct error *err)
{
    const struct row *own = state_row(t, MAPPING_TRUST, party, ts);
    const struct row *r = state_row(t, MAPPING_HOSTING, party, ts);
    struct participant_attributes a;
    bool is_own = own != NULL && topology_participant(t, ts, party, &a);
    size_t n = is_own ? 1 : r != NULL ? r->m->n_hosts : 0;

    memset(out, 0, sizeof(*out));
    *found = false;
    if (n == 0)
        return true;
    out->hosts = calloc(n, sizeof(*out->hosts));
    if (out->hosts == NULL)
        return error_set(err, ERR_MEMORY, NULL, "hosts of a party");
    if (is_own) {
        out->hosts[out->n_hosts++] = (struct host){own->m->subject, a.permission, false};
        out->threshold = 1;
        *found = true;
        return true;
    }
    out->threshold = r->m->threshold;
    for (size_t i = 0; i < n; i++) {
        struct host h = r->m->hosts[i];

        if (!topology_participant(t, ts, h.uid, &a))
            continue;
        if (a.permission > h.permission) /* the larger number may less */
            h.permission = a.permission;
        out->hosts[out->n_hosts++] = h;
    }
    *found = out->n_hosts > 0;
    return true;
}

void party_hosting_free(struct party_hosting *h)
{
    free(h->hosts);
    memset(h, 0, sizeof(*h));
}

/* ---- signatures ---- */

struct signing_scope topology_signing_scope(const struct topology *t, int64_t ts)
{
    return (struct signing_scope){
        .policy = &t->fixed.policy, .synchronizer = t->synchronizer, .ts = ts};
}

bool topology_verify_member(const struct topology *t, int64_t ts, const char *member,
                            unsigned usages, const struct hash *h,
                            const struct signature *signatures, size_t n, struct error *err)
{
    struct signing_scope at = topology_signing_scope(t, ts);
    const struct row *r = state_keys(t, member, ts);

    if (n == 0)
        return error_set(err, ERR_SIGNATURE, NULL, "%s has not signed", member);
    for (size_t i = 0; i < n; i++) {
        const struct public_key *k = r != NULL ? mapping_key(r->m, signatures[i].signed_by) : NULL;

        if (k == NULL)
            return error_set(err, ERR_SIGNATURE, NULL, "%s has no key %s", member,
                             signatures[i].signed_by);
        if (!signature_verify_at(&at, k, usages, h, &signatures[i], err))
            return error_add(err, "%s", member);
    }
    return true;
}

/* The place in active of the one member that has this key; n when none or several have. */
static size_t signer_of(const struct topology *t, int64_t ts, enum member_kind kind,
                        const struct topology_group *g, const char *fingerprint,
                        const struct public_key **key)
{
    size_t found = g->n_active;

    for (size_t i = 0; i < g->n_active; i++) {
        char member[MEMBER_TEXT_SIZE];
        const struct public_key *k;
        const struct row *r;

        member_format(kind, g->active[i], member);
        r = state_keys(t, member, ts);
        k = r != NULL ? mapping_key(r->m, fingerprint) : NULL;
        if (k == NULL || (k->usages & USAGE_PROTOCOL) == 0)
            continue;
        if (found < g->n_active)
            return g->n_active; /* cannot be attributed */
        found = i;
        *key = k;
    }
    return found;
}

static bool verify_group(const struct topology *t, int64_t ts, enum member_kind kind,
                         const struct topology_group *g, const struct hash *h,
                         const struct signature *signatures, size_t n, struct error *err)
{
    struct signing_scope at = topology_signing_scope(t, ts);
    bool *has_signed = calloc(g->n_active + 1, sizeof(*has_signed));
    int32_t valid = 0;
    struct error e;

    if (has_signed == NULL)
        return error_set(err, ERR_MEMORY, NULL, "signatures of a group");
    for (size_t i = 0; i < n && valid < g->threshold; i++) {
        const struct public_key *k = NULL;
        size_t who = signer_of(t, ts, kind, g, signatures[i].signed_by, &k);

        if (who < g->n_active && !has_signed[who] &&
            signature_verify_at(&at, k, USAGE_PROTOCOL, h, &signatures[i], &e)) {
            has_signed[who] = true;
            valid++;
        }
    }
    free(has_signed);
    return valid >= g->threshold ||
           error_set(err, ERR_SIGNATURE, NULL, "%d valid signatures of a group that needs %d",
                     valid, g->threshold);
}

bool topology_verify_mediators(const struct topology *t, int64_t ts, int32_t group,
                               const struct hash *h, const struct signature *signatures, size_t n,
                               struct error *err)
{
    struct topology_group g;

    if (!topology_mediator_group(t, ts, group, &g))
        return error_set(err, ERR_NOT_FOUND, NULL, "there is no mediator group %d", group);
    return verify_group(t, ts, MEMBER_MEDIATOR, &g, h, signatures, n, err);
}

bool topology_verify_sequencers(const struct topology *t, int64_t ts, const struct hash *h,
                                const struct signature *signatures, size_t n, struct error *err)
{
    struct topology_group g;

    if (!topology_sequencer_group(t, ts, &g))
        return error_set(err, ERR_NOT_FOUND, NULL, "there is no sequencer group");
    return verify_group(t, ts, MEMBER_SEQUENCER, &g, h, signatures, n, err);
}
