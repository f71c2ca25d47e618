/* topology_world.h: a small synchronizer for tests: an owner that is the sequencer too, a mediator,
 * and as many participants as a test makes, all with real keys and signatures. */
#ifndef UNIT_TOPOLOGY_WORLD_H
#define UNIT_TOPOLOGY_WORLD_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/genesis.h"
#include "topology/onboarding.h"
#include "topology/snapshot.h"
#include "wire/keys.h"
#include "wire/topology_tx.h"

#define T0    1700000000000000LL /* when the first test transactions are sequenced */
#define DELAY 250000LL

struct node {
    struct keyring *keys;
    char ns[FINGERPRINT_SIZE], uid[UID_TEXT_SIZE], member[MEMBER_TEXT_SIZE];
    struct signed_txs identity; /* root delegation, keys */
};

struct world {
    struct node sequencer, mediator;
    struct static_parameters fixed;
    struct buffer genesis;
    char psid[PSID_TEXT_SIZE];
    struct topology *t;
    int64_t now; /* sequencing time of the next transaction */
};

static inline void must(bool ok, const struct error *e)
{
    if (!ok)
        fail_msg("%s", e->cause);
}

static inline void node_open(struct node *n, enum member_kind kind, const char *name)
{
    struct error e;
    const struct private_key *root;

    memset(n, 0, sizeof(*n));
    must(keyring_open(&n->keys, &e), &e);
    must(keyring_generate(n->keys, KEY_SIGNING, SIGNING_ED25519, USAGE_NAMESPACE, &root, &e), &e);
    must(keyring_generate(n->keys, KEY_SIGNING, SIGNING_ED25519, USAGE_SEQUENCER_AUTH | USAGE_PROOF,
                          NULL, &e),
         &e);
    must(keyring_generate(n->keys, KEY_SIGNING, SIGNING_P256, USAGE_PROTOCOL | USAGE_PROOF, NULL,
                          &e),
         &e);
    if (kind == MEMBER_PARTICIPANT)
        must(keyring_generate(n->keys, KEY_ENCRYPTION, ENCRYPTION_P256, 0, NULL, &e), &e);
    snprintf(n->ns, sizeof(n->ns), "%s", root->pub->fingerprint);
    snprintf(n->uid, sizeof(n->uid), "%s::%s", name, n->ns);
    member_format(kind, n->uid, n->member);
    must(identity_build(n->keys, n->ns, n->member, &n->identity, &e), &e);
}

static inline void node_close(struct node *n)
{
    signed_txs_free(&n->identity);
    keyring_close(n->keys);
}

static inline void load_file(const struct world *w, struct topology **t)
{
    struct topology_items items = {0};
    struct error e;

    must(topology_open(w->psid, &w->fixed, t, &e), &e);
    must(topology_items_from_file(buffer_bytes(&w->genesis), &items, &e), &e);
    must(topology_load(*t, &items, &e), &e);
    topology_items_free(&items);
}

/* p NULL: the default parameters. */
static inline void world_open_with(struct world *w, const struct dynamic_parameters *p)
{
    struct signed_txs identities = {0};
    struct error e;

    memset(w, 0, sizeof(*w));
    static_parameters_default(&w->fixed);
    node_open(&w->sequencer, MEMBER_SEQUENCER, "seq");
    node_open(&w->mediator, MEMBER_MEDIATOR, "med");
    for (size_t i = 0; i < w->sequencer.identity.n; i++)
        must(signed_txs_add(&identities, buffer_bytes(&w->sequencer.identity.at[i]), &e), &e);
    for (size_t i = 0; i < w->mediator.identity.n; i++)
        must(signed_txs_add(&identities, buffer_bytes(&w->mediator.identity.at[i]), &e), &e);
    struct genesis g = {
        .name = "demo",
        .owner = w->sequencer.ns,
        .keys = w->sequencer.keys,
        .static_parameters = &w->fixed,
        .parameters = p,
        .sequencer = w->sequencer.uid,
        .mediators = {w->mediator.uid},
        .n_mediators = 1,
        .identities = &identities,
    };

    must(genesis_build(&g, &w->genesis, w->psid, &e), &e);
    signed_txs_free(&identities);
    load_file(w, &w->t);
    w->now = T0;
}

static inline void world_open(struct world *w)
{
    world_open_with(w, NULL);
}

static inline void world_close(struct world *w)
{
    topology_close(w->t);
    buffer_free(&w->genesis);
    node_close(&w->sequencer);
    node_close(&w->mediator);
}

/* Applies one transaction and lets its delay pass. */
static inline struct topology_outcome apply_one(struct world *w, struct bytes tx)
{
    struct topology_outcome out;
    struct error e;

    must(topology_apply(w->t, w->now, &tx, 1, &out, &e), &e);
    w->now += 2 * DELAY;
    return out;
}

static inline struct topology_outcome apply_last(struct world *w, struct signed_txs *txs)
{
    struct topology_outcome out = apply_one(w, buffer_bytes(&txs->at[txs->n - 1]));

    signed_txs_free(txs);
    return out;
}

static inline void assert_accepted(struct topology_outcome out)
{
    if (out.verdict != TOPOLOGY_ACCEPTED)
        fail_msg("not accepted: %s", out.reason);
}

static inline void assert_rejected(struct topology_outcome out, const char *name)
{
    assert_int_equal(out.verdict, TOPOLOGY_REJECTED);
    if (strncmp(out.reason, name, strlen(name)) != 0)
        fail_msg("expected %s, got: %s", name, out.reason);
}

/* Joins: identity and trust certificate. */
static inline void participant_join(struct world *w, struct node *n, const char *name)
{
    struct signed_txs txs = {0};
    struct error e;

    node_open(n, MEMBER_PARTICIPANT, name);
    for (size_t i = 0; i < n->identity.n; i++)
        assert_accepted(apply_one(w, buffer_bytes(&n->identity.at[i])));
    must(identity_trust(n->keys, n->ns, n->uid, topology_synchronizer(w->t), &txs, &e), &e);
    assert_accepted(apply_last(w, &txs));
}

/* Signs mapping with the keys named, a NULL ends them; they may be in any of the two keyrings. */
struct signer {
    struct keyring *keys;
    const char *fingerprint;
};

static inline struct buffer sign_by(const struct signer *by, size_t n, int op, uint32_t serial,
                                    P30__TopologyMapping *m, bool is_proposal)
{
    struct buffer tx = BUFFER_INIT, out = BUFFER_INIT;
    struct signature s[8];
    struct hash h;
    struct error e;

    must(topology_tx_build((enum topology_op)op, serial, m, &tx, &e), &e);
    must(topology_tx_hash(buffer_bytes(&tx), &h, &e), &e);
    for (size_t i = 0; i < n; i++)
        must(private_key_sign(keyring_find(by[i].keys, by[i].fingerprint),
                              USAGE_NAMESPACE | USAGE_PROOF | USAGE_PROTOCOL, &h, &s[i], &e),
             &e);
    must(signed_topology_tx_build(buffer_bytes(&tx), s, n, is_proposal, &out, &e), &e);
    for (size_t i = 0; i < n; i++)
        signature_free(&s[i]);
    buffer_free(&tx);
    return out;
}

static inline struct topology_outcome apply_by(struct world *w, const struct signer *by, size_t n,
                                               int op, uint32_t serial, P30__TopologyMapping *m,
                                               bool is_proposal)
{
    struct buffer tx = sign_by(by, n, op, serial, m, is_proposal);
    struct topology_outcome out = apply_one(w, buffer_bytes(&tx));

    buffer_free(&tx);
    return out;
}

static inline char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}
#endif
