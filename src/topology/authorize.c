/* authorize.c: who must sign a mapping, who may, and whether they did.
 *
 * A namespace is authorised by a key that a chain of active delegations reaches from the
 * namespace's own key, each link by a key that may sign delegations, the last by one that may sign
 * this mapping; a decentralised one by a threshold of its owners. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/state.h"

bool attempt_reject(struct attempt *a, const char *name, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(a->reason, sizeof(a->reason), "%s: ", name);

    va_start(ap, fmt);
    if (n > 0 && (size_t)n < sizeof(a->reason))
        vsnprintf(a->reason + n, sizeof(a->reason) - (size_t)n, fmt, ap);
    va_end(ap);
    return false;
}

bool attempt_fail(struct attempt *a)
{
    a->has_failed = true;
    return false;
}

static bool no_memory(struct attempt *a)
{
    error_set(a->err, ERR_MEMORY, NULL, "authorising a topology transaction");
    return attempt_fail(a);
}

/* ---- what is required ---- */

/* All clauses; a clause holds when one of its namespaces is authorised. extra: keys that must have
 * signed. Texts are borrowed. */
struct required {
    const char *(*clauses)[2];
    size_t n_clauses;
    const char **extra;
    size_t n_extra;
    bool is_lost; /* no memory */
};

static void required_free(struct required *r)
{
    free(r->clauses);
    free(r->extra);
}

static void need_either(struct required *r, const char *ns, const char *other)
{
    void *more;

    if (r->is_lost)
        return;
    for (size_t i = 0; i < r->n_clauses; i++)
        if (strcmp(r->clauses[i][0], ns) == 0 && r->clauses[i][1] == other)
            return;
    more = realloc(r->clauses, (r->n_clauses + 1) * sizeof(*r->clauses));
    if (more == NULL) {
        r->is_lost = true;
        return;
    }
    r->clauses = more;
    r->clauses[r->n_clauses][0] = ns;
    r->clauses[r->n_clauses++][1] = other;
}

static void need(struct required *r, const char *ns)
{
    need_either(r, ns, NULL);
}

static void need_key(struct required *r, const char *fingerprint)
{
    void *more;

    if (r->is_lost)
        return;
    more = realloc(r->extra, (r->n_extra + 1) * sizeof(*r->extra));
    if (more == NULL) {
        r->is_lost = true;
        return;
    }
    r->extra = more;
    r->extra[r->n_extra++] = fingerprint;
}

/* Every signing key of m that prev lacks. */
static bool need_new_keys(struct required *r, const struct mapping *m, const struct mapping *prev)
{
    size_t before = r->n_extra;

    for (size_t i = 0; i < m->n_keys; i++)
        if (m->keys[i]->kind == KEY_SIGNING &&
            (prev == NULL || mapping_key(prev, m->keys[i]->fingerprint) == NULL))
            need_key(r, m->keys[i]->fingerprint);
    return r->n_extra > before;
}

static const struct host *host_of(const struct mapping *m, const char *uid)
{
    for (size_t i = 0; m != NULL && i < m->n_hosts; i++)
        if (strcmp(m->hosts[i].uid, uid) == 0)
            return &m->hosts[i];
    return NULL;
}

static void require_host_change(struct required *r, const struct mapping *m, const struct host *old,
                                const struct host *now, bool is_genesis)
{
    if (now->permission < old->permission) { /* raised: submission is the lowest number */
        need(r, m->ns);
        if (!is_genesis)
            need(r, namespace_of(now->uid));
    } else if (now->permission > old->permission) {
        need_either(r, m->ns, namespace_of(now->uid));
    }
    if (old->is_onboarding && !now->is_onboarding)
        need(r, namespace_of(now->uid));
    else if (!old->is_onboarding && now->is_onboarding)
        need(r, m->ns);
}

static bool keys_changed(const struct mapping *m, const struct mapping *prev)
{
    if (prev == NULL)
        return m->n_keys > 0;
    if (m->n_keys != prev->n_keys || m->keys_threshold != prev->keys_threshold)
        return true;
    for (size_t i = 0; i < m->n_keys; i++)
        if (mapping_key(prev, m->keys[i]->fingerprint) == NULL)
            return true;
    return false;
}

static void require_hosting(struct required *r, const struct mapping *m, const struct mapping *prev,
                            bool is_genesis)
{
    if (prev == NULL || prev->threshold != m->threshold)
        need(r, m->ns);
    if (keys_changed(m, prev)) {
        need(r, m->ns);
        need_new_keys(r, m, prev);
    }
    for (size_t i = 0; i < m->n_hosts; i++) {
        const struct host *old = host_of(prev, m->hosts[i].uid);

        if (old != NULL) {
            require_host_change(r, m, old, &m->hosts[i], is_genesis);
        } else {
            need(r, m->ns);
            need(r, namespace_of(m->hosts[i].uid));
        }
    }
    for (size_t i = 0; prev != NULL && i < prev->n_hosts; i++)
        if (host_of(m, prev->hosts[i].uid) == NULL)
            need_either(r, m->ns, namespace_of(prev->hosts[i].uid));
    if (r->n_clauses == 0) /* nothing changed */
        need(r, m->ns);
}

/* definition: the stored definition of a decentralised namespace, also of a removal. */
static void require(struct required *r, const struct attempt *a, const struct mapping *prev,
                    const struct mapping *definition)
{
    const struct mapping *m = a->m;

    switch (m->code) {
    case MAPPING_DECENTRALIZED:
        if (definition != NULL)
            need(r, m->ns);
        for (size_t i = 0; i < m->n_names; i++)
            if (definition == NULL || !mapping_names(definition, m->names[i]))
                need(r, m->names[i]);
        break;
    case MAPPING_KEYS:
    case MAPPING_PARTY_KEYS:
        need(r, m->ns);
        need_new_keys(r, m, prev);
        break;
    case MAPPING_PERMISSION:
    case MAPPING_LIMITS:
        need(r, namespace_of(m->synchronizer));
        break;
    case MAPPING_HOSTING:
        require_hosting(r, m, prev, a->is_genesis);
        break;
    case MAPPING_NAMESPACE:
    case MAPPING_TRUST:
    case MAPPING_PACKAGES:
    case MAPPING_PARAMETERS:
    case MAPPING_MEDIATORS:
    case MAPPING_SEQUENCERS:
    case MAPPING_SEQUENCING:
    case MAPPING_UPGRADE:
    case MAPPING_SUCCESSOR:
    case MAPPING_CODE_N:
        need(r, m->ns);
        break;
    }
}

/* ---- the delegations of a plain namespace ---- */

struct edge {
    const char *from;
    size_t to;
};

struct graph {
    const struct row **nodes; /* delegations, sorted by target */
    bool *is_reached;
    size_t n;
};

static void graph_free(struct graph *g)
{
    free(g->nodes);
    free(g->is_reached);
}

static const char *target_of(const struct row *r)
{
    return r->m->keys[0]->fingerprint;
}

static int node_order(const void *a, const void *b)
{
    return strcmp(target_of(*(const struct row *const *)a),
                  target_of(*(const struct row *const *)b));
}

static int edge_order(const void *a, const void *b)
{
    return strcmp(((const struct edge *)a)->from, ((const struct edge *)b)->from);
}

static size_t graph_find(const struct graph *g, const char *fingerprint)
{
    size_t low = 0, high = g->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(target_of(g->nodes[mid]), fingerprint);

        if (c == 0)
            return mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return g->n;
}

static size_t first_edge(const struct edge *edges, size_t n, const char *from)
{
    size_t low = 0;

    while (low < n) {
        size_t mid = low + (n - low) / 2;

        if (strcmp(edges[mid].from, from) < 0)
            low = mid + 1;
        else
            n = mid;
    }
    return low;
}

static bool is_signed_by(const struct row *r, const char *fingerprint)
{
    for (size_t i = 0; i < r->n_signers; i++)
        if (strcmp(r->signers[i], fingerprint) == 0)
            return true;
    return false;
}

/* Marks what is reached from the root certificate; queue holds g->n. */
static void graph_walk(struct graph *g, const char *ns, const struct edge *edges, size_t n_edges,
                       size_t *queue)
{
    size_t head = 0, tail = 0, root = graph_find(g, ns);

    if (root == g->n || !is_signed_by(g->nodes[root], ns))
        return;
    g->is_reached[root] = true;
    queue[tail++] = root;
    while (head < tail) {
        const struct row *r = g->nodes[queue[head++]];
        size_t i = first_edge(edges, n_edges, target_of(r));

        if ((r->m->may_sign & (1u << MAPPING_NAMESPACE)) == 0)
            continue;
        for (; i < n_edges && strcmp(edges[i].from, target_of(r)) == 0; i++)
            if (!g->is_reached[edges[i].to]) {
                g->is_reached[edges[i].to] = true;
                queue[tail++] = edges[i].to;
            }
    }
}

static bool graph_make(const struct topology *t, const char *ns, struct graph *g)
{
    const struct subject *s = state_subject(t, MAPPING_NAMESPACE, ns);
    size_t n_edges = 0, max_edges = 0, n = s != NULL ? s->n : 0;
    struct edge *edges = NULL;
    size_t *queue = calloc(n + 1, sizeof(*queue));

    g->n = 0;
    g->nodes = calloc(n + 1, sizeof(*g->nodes));
    g->is_reached = calloc(n + 1, sizeof(*g->is_reached));
    for (size_t i = 0; i < n && g->nodes != NULL; i++) {
        const struct row *r = place_row(s->places[i], TS_LATEST);

        if (r == NULL)
            continue;
        g->nodes[g->n++] = r;
        max_edges += r->n_signers;
    }
    edges = calloc(max_edges + 1, sizeof(*edges));
    if (queue == NULL || g->nodes == NULL || g->is_reached == NULL || edges == NULL) {
        free(queue);
        free(edges);
        graph_free(g);
        return false;
    }
    qsort(g->nodes, g->n, sizeof(*g->nodes), node_order);
    for (size_t i = 0; i < g->n; i++)
        for (size_t j = 0; j < g->nodes[i]->n_signers; j++)
            edges[n_edges++] = (struct edge){g->nodes[i]->signers[j], i};
    qsort(edges, n_edges, sizeof(*edges), edge_order);
    graph_walk(g, ns, edges, n_edges, queue);
    free(queue);
    free(edges);
    return true;
}

/* ---- who of the signers counts ---- */

/* A namespace that may count, with what is known of it. */
struct candidate {
    const char *ns;
    bool is_authorized;
};

struct judge {
    struct attempt *a;
    struct pieces *p;
    struct candidate *at; /* every permissible namespace, and owners of decentralised ones */
    size_t n;
    const struct public_key *self; /* PartyToParticipant whose own key is the party's namespace */
};

static struct candidate *judge_find(struct judge *j, const char *ns)
{
    for (size_t i = 0; i < j->n; i++)
        if (strcmp(j->at[i].ns, ns) == 0)
            return &j->at[i];
    return NULL;
}

static bool judge_add(struct judge *j, const char *ns)
{
    struct candidate *more;

    if (judge_find(j, ns) != NULL)
        return true;
    more = realloc(j->at, (j->n + 1) * sizeof(*more));
    if (more == NULL)
        return no_memory(j->a);
    j->at = more;
    j->at[j->n++] = (struct candidate){ns, false};
    return true;
}

static void use_key(struct piece *one, const struct public_key *key, struct candidate *c)
{
    one->key = key;
    one->is_namespace_key = true;
    c->is_authorized = true;
}

/* Collects the signers that may sign this mapping for one plain namespace. */
static bool judge_plain(struct judge *j, struct candidate *c)
{
    struct graph g;

    if (!graph_make(j->a->t, c->ns, &g))
        return no_memory(j->a);
    for (size_t i = 0; i < j->p->n; i++) {
        struct piece *one = &j->p->at[i];
        size_t k = graph_find(&g, one->signature->signed_by);

        if (k < g.n && g.is_reached[k] &&
            (g.nodes[k]->m->may_sign & (1u << (unsigned)j->a->m->code)) != 0)
            use_key(one, g.nodes[k]->m->keys[0], c);
        else if (j->self != NULL && strcmp(c->ns, j->a->m->ns) == 0 &&
                 strcmp(one->signature->signed_by, j->self->fingerprint) == 0)
            use_key(one, j->self, c);
    }
    graph_free(&g);
    return true;
}

static const struct mapping *definition_of(const struct topology *t, const char *ns)
{
    const struct row *r = state_row(t, MAPPING_DECENTRALIZED, ns, TS_LATEST);

    return r != NULL ? r->m : NULL;
}

/* Owners first, so that a decentralised namespace can count them. */
static bool judge_namespaces(struct judge *j)
{
    size_t n_named = j->n;

    for (size_t i = 0; i < n_named; i++) {
        const struct mapping *d = definition_of(j->a->t, j->at[i].ns);

        for (size_t k = 0; d != NULL && k < d->n_names; k++)
            if (!judge_add(j, d->names[k]))
                return false;
    }
    for (size_t i = 0; i < j->n; i++)
        if (definition_of(j->a->t, j->at[i].ns) == NULL && !judge_plain(j, &j->at[i]))
            return false;
    for (size_t i = 0; i < n_named; i++) {
        const struct mapping *d = definition_of(j->a->t, j->at[i].ns);
        int32_t authorized = 0;

        for (size_t k = 0; d != NULL && k < d->n_names; k++) {
            struct candidate *owner = judge_find(j, d->names[k]);

            if (owner != NULL && owner->is_authorized && definition_of(j->a->t, owner->ns) == NULL)
                authorized++;
        }
        if (d != NULL)
            j->at[i].is_authorized = authorized >= d->threshold;
    }
    return true;
}

static bool judge_required(struct judge *j, const struct required *r)
{
    if (r->is_lost)
        return no_memory(j->a);
    for (size_t i = 0; i < r->n_clauses; i++)
        for (int k = 0; k < 2; k++)
            if (r->clauses[i][k] != NULL && !judge_add(j, r->clauses[i][k]))
                return false;
    return true;
}

/* Keys that the mapping itself lists count when they had to sign, now or for a first mapping. */
static void judge_extra(struct judge *j, const struct required *r)
{
    if (j->a->tx->op != TOPOLOGY_ADD_REPLACE)
        return;
    for (size_t i = 0; i < j->p->n; i++) {
        struct piece *one = &j->p->at[i];

        for (size_t k = 0; k < r->n_extra && one->key == NULL; k++)
            if (strcmp(r->extra[k], one->signature->signed_by) == 0)
                one->key = mapping_key(j->a->m, r->extra[k]);
    }
}

static bool is_met(struct judge *j, const struct required *r)
{
    for (size_t i = 0; i < r->n_clauses; i++) {
        bool any = false;

        for (int k = 0; k < 2; k++) {
            const struct candidate *c =
                r->clauses[i][k] != NULL ? judge_find(j, r->clauses[i][k]) : NULL;

            any = any || (c != NULL && c->is_authorized);
        }
        if (!any)
            return false;
    }
    if (j->a->is_genesis && j->a->m->code == MAPPING_KEYS)
        return true; /* old networks: new keys have not signed */
    for (size_t i = 0; i < r->n_extra; i++) {
        bool any = false;

        for (size_t k = 0; k < j->p->n && !any; k++)
            any = j->p->at[k].key != NULL &&
                  strcmp(j->p->at[k].signature->signed_by, r->extra[i]) == 0;
        if (!any)
            return false;
    }
    return true;
}

/* Verifies what counts: namespace keys first, then the mapping's own. */
static bool verify_pieces(struct judge *j)
{
    const struct crypto_policy *policy = &j->a->t->fixed.policy;
    struct error e;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < j->p->n; i++) {
            const struct piece *one = &j->p->at[i];
            unsigned usages = USAGE_NAMESPACE;

            if (one->key == NULL || one->is_namespace_key != (pass == 0))
                continue;
            if (j->a->m->code != MAPPING_NAMESPACE &&
                mapping_key(j->a->m, one->key->fingerprint) != NULL &&
                !(j->self != NULL && strcmp(j->self->fingerprint, one->key->fingerprint) == 0))
                usages |= USAGE_PROOF;
            if (!signature_verify_under(policy, one->key, usages, one->covers, one->signature, &e))
                return attempt_reject(j->a, "SignatureCheckFailed", "%.150s", e.cause);
        }
    return true;
}

/* A delegation of a namespace to its own key, signed by nobody else, needs nothing but itself. */
static bool is_root_certificate(const struct attempt *a, const struct pieces *p)
{
    const struct mapping *m = a->m;

    if (m->code != MAPPING_NAMESPACE || strcmp(m->keys[0]->fingerprint, m->ns) != 0 ||
        (m->may_sign & (1u << MAPPING_NAMESPACE)) == 0)
        return false;
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->at[i].signature->signed_by, m->ns) != 0)
            return false;
    return true;
}

static bool judge_signers(struct judge *j, const struct required *now, const struct required *first)
{
    bool has_any = false, has_namespace = false;

    if (j->a->m->code == MAPPING_HOSTING)
        j->self = mapping_key(j->a->m, j->a->m->ns);
    if (!judge_required(j, now) || !judge_required(j, first))
        return false;
    if (j->a->tx->op == TOPOLOGY_REMOVE && !judge_add(j, j->a->t->id.logical.ns))
        return false;
    if (!judge_namespaces(j))
        return false;
    judge_extra(j, now);
    judge_extra(j, first);
    for (size_t i = 0; i < j->p->n; i++) {
        has_any = has_any || j->p->at[i].key != NULL;
        has_namespace = has_namespace || j->p->at[i].is_namespace_key;
    }
    if (!has_any)
        return attempt_reject(j->a, "NoDelegationFoundForKeys", "%s and %zu more",
                              j->p->at[0].signature->signed_by, j->p->n - 1);
    if (!has_namespace)
        return attempt_reject(j->a, "NotAuthorizedByNamespaceKey", "namespace %s", j->a->m->ns);
    return verify_pieces(j);
}

bool authorize(struct attempt *a, struct pieces *p, bool *is_full)
{
    struct judge j = {.a = a, .p = p};
    struct required now = {0}, first = {0};
    bool ok;

    *is_full = false;
    if (a->m->synchronizer != NULL && strcmp(a->m->synchronizer, a->t->synchronizer) != 0)
        return attempt_reject(a, "InvalidSynchronizer", "%s", a->m->synchronizer);
    if (is_root_certificate(a, p)) {
        for (size_t i = 0; i < p->n; i++) {
            p->at[i].key = a->m->keys[0];
            p->at[i].is_namespace_key = true;
        }
        *is_full = true;
        return verify_pieces(&j);
    }
    require(&now, a, a->prev, a->in_store != NULL ? a->in_store->m : NULL);
    require(&first, a, NULL, NULL);
    ok = judge_signers(&j, &now, &first);
    if (ok) {
        const struct candidate *op =
            a->tx->op == TOPOLOGY_REMOVE ? judge_find(&j, a->t->id.logical.ns) : NULL;

        *is_full = a->is_update || is_met(&j, &now) || (op != NULL && op->is_authorized);
    }
    required_free(&now);
    required_free(&first);
    free(j.at);
    return ok;
}
