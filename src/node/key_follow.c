#include "node/key_follow.h"

#include <string.h>

#include "base/clock.h"
#include "base/pool.h"
#include "node/node_internal.h"

/* A request that is signed with a new key may meet a sequencer that is this far behind. */
#define SETTLE_US US_PER_S

struct look {
    const char *member;
    struct key_follow now;
};

static void on_topology(void *ctx, const struct topology *topo, int64_t ts)
{
    struct look *l = ctx;
    const struct public_key *keys[TOPOLOGY_KEYS_MAX];

    l->now.n =
        topology_signing_keys(topo, ts, l->member, USAGE_SEQUENCER_AUTH | USAGE_PROTOCOL, keys);
    for (size_t i = 0; i < l->now.n; i++)
        memcpy(l->now.listed[i], keys[i]->fingerprint, FINGERPRINT_SIZE);
}

static bool is_listed(const struct key_follow *f, const char *fingerprint)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->listed[i], fingerprint) == 0)
            return true;
    return false;
}

void key_follow_reload(void *node)
{
    struct node *n = node;
    struct error err;

    if (!node_identity_reload(&n->identity, &err))
        logger_error(n->lg, LOG_WARN, &err, "a key that another replica drew cannot be read");
    __atomic_store_n(&n->key_follow.is_reloading, false, __ATOMIC_RELEASE);
}

/* True when every listed key is here; else they are fetched, and the next poll goes on. */
static bool has_all(struct node *n, const struct key_follow *now)
{
    struct error err;

    for (size_t i = 0; i < now->n; i++) {
        if (keyring_find(n->identity.keys, now->listed[i]) != NULL)
            continue;
        if (!__atomic_exchange_n(&n->key_follow.is_reloading, true, __ATOMIC_ACQ_REL) &&
            !pool_submit(n->shared.pool, key_follow_reload, n, &err))
            __atomic_store_n(&n->key_follow.is_reloading, false, __ATOMIC_RELEASE);
        return false;
    }
    return true;
}

void key_follow_poll(struct node *n)
{
    struct look l = {.member = n->identity.member};
    struct key_follow *f = &n->key_follow;
    struct keyring *keys = n->identity.keys;
    int64_t from = f->has_followed ? clock_mono_us() + SETTLE_US : 0;

    if (n->role->with_topology == NULL || !n->role->with_topology(n, on_topology, &l) ||
        l.now.n == 0)
        return;
    if (f->has_followed && f->n == l.now.n &&
        memcmp(f->listed, l.now.listed, l.now.n * FINGERPRINT_SIZE) == 0)
        return;
    if (!has_all(n, &l.now))
        return;
    for (size_t i = 0; i < keyring_count(keys); i++) {
        const struct public_key *k = keyring_at(keys, i)->pub;

        if (k->kind == KEY_SIGNING && (k->usages & (USAGE_SEQUENCER_AUTH | USAGE_PROTOCOL)) != 0)
            keyring_use_from(keys, k->fingerprint,
                             is_listed(&l.now, k->fingerprint) ? from : KEYRING_UNUSED);
    }
    if (f->has_followed)
        log_info(n->lg, "the topology now names %zu keys of this node", l.now.n);
    memcpy(f->listed, l.now.listed, sizeof(f->listed));
    f->n = l.now.n;
    f->has_followed = true;
}
