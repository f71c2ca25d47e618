/* topology_snapshot.c: see topology_snapshot.h. */
#include "mediator/topology_snapshot.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 1024 }; /* looked through for the own membership */

static bool has_name(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static bool get_params(void *ctx, int64_t ts, struct snapshot_params *out, struct error *err)
{
    const struct topology_view *v = ctx;
    const struct dynamic_parameters *p = topology_parameters(v->topology, ts);

    if (p == NULL)
        return error_set(err, ERR_NOT_FOUND, NULL,
                         "the synchronizer has no dynamic parameters at %lld", (long long)ts);
    out->response_timeout_us = p->confirmation_response_timeout_us;
    out->reaction_timeout_us = p->mediator_reaction_timeout_us;
    out->dedup_timeout_us = p->mediator_deduplication_timeout_us;
    return true;
}

static void get_group(void *ctx, int64_t ts, int32_t index, struct snapshot_group *out)
{
    const struct topology_view *v = ctx;
    struct topology_group g;

    memset(out, 0, sizeof(*out));
    if (!topology_mediator_group(v->topology, ts, index, &g))
        return;
    out->is_there = true;
    out->is_active = g.is_active;
    out->is_sender = has_name(g.active, g.n_active, v->uid);
    out->is_member = out->is_sender || has_name(g.observers, g.n_observers, v->uid);
}

static bool is_member(void *ctx, int64_t ts)
{
    const struct topology_view *v = ctx;
    int32_t groups[GROUPS_MAX];
    size_t n = topology_mediator_groups(v->topology, ts, groups, GROUPS_MAX);

    for (size_t i = 0; i < n && i < GROUPS_MAX; i++) {
        struct snapshot_group g;
        get_group(ctx, ts, groups[i], &g);
        if (g.is_active && g.is_member)
            return true;
    }
    return false;
}

static bool get_hosting(void *ctx, int64_t ts, const char *party, struct snapshot_hosting *out,
                        struct error *err)
{
    const struct topology_view *v = ctx;
    struct party_hosting h;
    bool found = false, ok = true;

    memset(out, 0, sizeof(*out));
    if (!topology_hosting(v->topology, ts, party, &h, &found, err))
        return false;
    if (!found)
        return true;
    out->threshold = h.threshold > 0 ? (uint32_t)h.threshold : 1;
    out->hosts = calloc(h.n_hosts ? h.n_hosts : 1, sizeof(*out->hosts));
    for (size_t i = 0; out->hosts && i < h.n_hosts; i++) {
        char member[MEMBER_TEXT_SIZE];
        member_format(MEMBER_PARTICIPANT, h.hosts[i].uid, member);
        out->hosts[i].participant = strdup(member);
        out->hosts[i].may_confirm =
            !h.hosts[i].is_onboarding && h.hosts[i].permission != PERMISSION_OBSERVATION;
        if (out->hosts[i].participant == NULL)
            break;
        out->n++;
    }
    if (out->hosts == NULL || out->n < h.n_hosts)
        ok = error_set(err, ERR_MEMORY, NULL, "no memory for the hosting of %s", party);
    party_hosting_free(&h);
    if (!ok)
        snapshot_hosting_free(out);
    return ok;
}

static bool verify(void *ctx, int64_t ts, const char *member, const struct hash *h,
                   const struct signature *s, struct error *err)
{
    const struct topology_view *v = ctx;

    return topology_verify_member(v->topology, ts, member, USAGE_PROTOCOL, h, s, 1, err);
}

struct snapshot topology_snapshot(struct topology_view *v)
{
    return (struct snapshot){.ctx = v,
                             .params = get_params,
                             .group = get_group,
                             .is_member = is_member,
                             .hosting = get_hosting,
                             .verify = verify};
}
