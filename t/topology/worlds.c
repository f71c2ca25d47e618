/* worlds.c: see worlds.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/worlds.h"

struct topology_outcome apply_at(struct topology *t, int64_t ts, struct buffer tx)
{
    struct topology_outcome out;
    struct bytes one = buffer_bytes(&tx);
    struct error e;

    must(topology_apply(t, ts, &one, 1, &out, &e), &e);
    buffer_free(&tx);
    return out;
}

static void raw(struct stage *s, const struct node *n, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        struct buffer copy = BUFFER_INIT;

        buffer_append_bytes(&copy, buffer_bytes(&n->identity.at[i]));
        assert_accepted(apply_at(s->t, s->now, copy));
        s->now += 2 * DELAY;
    }
}

/* By all who must sign. */
static void step(struct stage *s, enum variant v, int op, uint32_t serial)
{
    enum mapping_code code;
    struct maker k;
    const char *all = variant_make(s->c, v, &k, &code);

    variant_free(&k);
    assert_accepted(apply_at(s->t, s->now, variant_sign(s->c, v, op, serial, all, false)));
    s->now += 2 * DELAY;
}

static void add(struct stage *s, enum variant v)
{
    step(s, v, TOPOLOGY_ADD_REPLACE, 1);
}

static void drop(struct stage *s, enum variant v, uint32_t serial)
{
    step(s, v, TOPOLOGY_REMOVE, serial);
}

void world_roots(struct stage *s)
{
    const struct cast *c = s->c;
    const struct node *all[] = {&c->owner2, &c->a, &c->x, &c->y, &c->p};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        raw(s, all[i], 0, 0);
}

/* A joined; B, M and S have keys; the decentralised namespace has a participant's keys. */
void world_joined(struct stage *s)
{
    world_roots(s);
    raw(s, &s->c->a, 1, 1);
    add(s, TRUST_A);
    raw(s, &s->c->b, 0, 1);
    raw(s, &s->c->m, 0, 1);
    raw(s, &s->c->s, 0, 1);
    add(s, DEF_D);
    add(s, KEYS_D);
}

static const enum variant one_of_each[] = {NS_LINK, PERM_A,  LIMITS, PKG_A, PKG_D,
                                           HOST_A,  MED_NEW, SQP,    PTK,   TRUST_D};
#define ONE_OF_EACH (sizeof(one_of_each) / sizeof(one_of_each[0]))

void world_full(struct stage *s)
{
    world_joined(s);
    for (size_t i = 0; i < ONE_OF_EACH; i++)
        add(s, one_of_each[i]);
    step(s, SEQ_NEW, TOPOLOGY_ADD_REPLACE, 2);
}

void world_removed(struct stage *s)
{
    world_full(s);
    for (size_t i = 0; i < ONE_OF_EACH; i++)
        drop(s, one_of_each[i], 2);
    drop(s, TRUST_A, 2);
    drop(s, KEYS_A, 2);
    drop(s, SEQ_NEW, 3);
    drop(s, MED_OLD, 2);
    drop(s, DEF_D, 2);
    drop(s, NS_B, 2);
}

void world_announced(struct stage *s)
{
    world_full(s);
    add(s, UP);
    add(s, SUC);
}

void world_announced_no_more(struct stage *s)
{
    world_announced(s);
    drop(s, SUC, 2);
    drop(s, UP, 2);
}

void world_locked(struct stage *s)
{
    world_joined(s);
    step(s, PARAM_LOCKED, TOPOLOGY_ADD_REPLACE, 2);
}

void world_restricted(struct stage *s)
{
    world_joined(s);
    step(s, PARAM_RESTRICTED, TOPOLOGY_ADD_REPLACE, 2);
    add(s, PERM_B_LATE);
}

void world_two_owners(struct stage *s)
{
    world_full(s);
    step(s, DEF_SYNC_TWO, TOPOLOGY_ADD_REPLACE, 2);
}

void world_two_owners_announced(struct stage *s)
{
    world_two_owners(s);
    add(s, UP);
    add(s, SUC);
    add(s, SUC_D);
}

/* The synchronizer has no parameters yet. */
void world_bare(struct stage *s)
{
    struct topology_items items = {0};
    struct error e;

    topology_close(s->t);
    must(topology_open(s->c->w.psid, &s->c->w.fixed, &s->t, &e), &e);
    must(topology_items_from_file(buffer_bytes(&s->c->w.genesis), &items, &e), &e);
    for (size_t i = 0; i < items.n; i++) {
        struct bytes one = buffer_bytes(&items.at[i].transaction);
        struct signed_topology_tx tx;

        must(signed_topology_tx_parse(one, &tx, &e), &e);
        if (tx.mapping->mapping_case !=
            P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_PARAMETERS_STATE)
            must(topology_apply(s->t, s->now, &one, 1, NULL, &e), &e);
        signed_topology_tx_free(&tx);
    }
    topology_items_free(&items);
    s->now += 2 * DELAY;
    world_roots(s);
    raw(s, &s->c->a, 1, 1);
}

/* A's keys stand in the place of a mediator of that name: A has none. */
void world_keyless(struct stage *s)
{
    world_joined(s);
    step(s, KEYS_A_MEDIATOR, TOPOLOGY_ADD_REPLACE, 2);
}

void world_roots_gone(struct stage *s)
{
    world_joined(s);
    drop(s, NS_P, 2);
}

void world_root_refused_for_ever(struct stage *s)
{
    world_roots(s);
    step(s, NS_B, TOPOLOGY_REMOVE, INT32_MAX);
}

/* A party has the name of a participant that has not joined. */
void world_name_taken(struct stage *s)
{
    world_joined(s);
    add(s, HOST_B_AT_A);
}

/* A bank with two hosts. */
void world_both_host(struct stage *s)
{
    world_joined(s);
    add(s, TRUST_B);
    add(s, HOST_AB);
}

void world_both_raised(struct stage *s)
{
    world_joined(s);
    add(s, TRUST_B);
    add(s, HOST_AB_RAISED);
}

/* A's root certificate, said again by its delegate alone: nothing begins with the root any more. */
void world_root_resigned(struct stage *s)
{
    world_full(s);
    assert_accepted(
        apply_at(s->t, s->now, variant_sign(s->c, NS_A, TOPOLOGY_ADD_REPLACE, 2, "D", false)));
    s->now += 2 * DELAY;
}

void world_link_gone(struct stage *s)
{
    world_full(s);
    drop(s, NS_LINK, 2);
}

void world_link_restricted(struct stage *s)
{
    world_full(s);
    step(s, NS_LINK_LESS, TOPOLOGY_ADD_REPLACE, 2);
}

/* One of two owners has no root certificate any more. */
void world_owner_gone(struct stage *s)
{
    world_full(s);
    drop(s, NS_X, 2);
}

/* A's own name is a party, as it may be. */
void world_admin_party(struct stage *s)
{
    world_full(s);
    add(s, HOST_ADMIN);
}

/* One of two hosts is no participant any more. */
void world_host_gone(struct stage *s)
{
    world_both_host(s);
    drop(s, TRUST_B, 2);
}

/* A mediator's keys have become those of a sequencer. */
void world_mediator_keyless(struct stage *s)
{
    world_full(s);
    step(s, KEYS_M_SEQUENCER, TOPOLOGY_ADD_REPLACE, 2);
}

void world_nothing_more(struct stage *s)
{
    (void)s;
}

const struct world_kind world_kinds[] = {
    {"genesis", world_nothing_more},
    {"roots", world_roots},
    {"joined", world_joined},
    {"full", world_full},
    {"removed", world_removed},
    {"announced", world_announced},
    {"announced no more", world_announced_no_more},
    {"locked", world_locked},
    {"restricted", world_restricted},
    {"two owners", world_two_owners},
    {"two owners, announced", world_two_owners_announced},
    {"without parameters", world_bare},
    {"keyless", world_keyless},
    {"root gone", world_roots_gone},
    {"root refused for ever", world_root_refused_for_ever},
    {"name taken", world_name_taken},
    {"both host", world_both_host},
    {"both raised", world_both_raised},
    {"root resigned", world_root_resigned},
    {"owner gone", world_owner_gone},
    {"admin party", world_admin_party},
    {"host gone", world_host_gone},
    {"mediator keyless", world_mediator_keyless},
    {"link gone", world_link_gone},
    {"link restricted", world_link_restricted},
};
const size_t world_count = sizeof(world_kinds) / sizeof(world_kinds[0]);

struct stage stage_open(struct cast *c, const struct world_kind *kind)
{
    struct stage s = {.c = c, .now = T0};

    load_file(&c->w, &s.t);
    kind->make(&s);
    return s;
}
