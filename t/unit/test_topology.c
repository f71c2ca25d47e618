#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topology_world.h"
#include "vectors.h"

/* Initialisers of generated structs name retired fields. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void genesis_names_sequencer_mediator_and_parameters(void **state)
{
    struct world w;
    struct topology_group g;
    const struct public_key *keys[TOPOLOGY_KEYS_MAX];
    const char **members, *why;
    char psid[PSID_TEXT_SIZE], sequencer[UID_TEXT_SIZE];
    size_t n;
    int64_t ts;

    (void)state;
    world_open(&w);
    assert_true(topology_sequencer_group(w.t, T0, &g));
    assert_string_equal(g.active[0], w.sequencer.uid);
    assert_true(g.is_active);
    assert_true(topology_mediator_group(w.t, T0, 0, &g));
    assert_int_equal(g.n_active, 1);
    assert_string_equal(g.active[0], w.mediator.uid);
    assert_false(topology_mediator_group(w.t, T0, 1, &g));
    assert_int_equal(topology_mediator_groups(w.t, T0, NULL, 0), 1);
    assert_int_equal(topology_parameters(w.t, T0)->confirmation_response_timeout_us, 30000000);
    assert_true(topology_member_active(w.t, T0, w.sequencer.member, &why));
    assert_true(topology_member_active(w.t, T0, w.mediator.member, &why));
    assert_false(topology_member_active(w.t, T0, "MED::med::1220aa", &why));
    assert_non_null(why);
    assert_true(topology_registered_at(w.t, w.mediator.member, &ts));
    assert_int_equal(ts, TOPOLOGY_GENESIS_TS);
    assert_true(topology_members(w.t, T0, &members, &n, NULL));
    assert_int_equal(n, 2);
    assert_string_equal(members[0], w.mediator.member);
    free(members);
    assert_int_equal(topology_signing_keys(w.t, T0, w.mediator.member, USAGE_PROTOCOL, keys), 1);
    assert_int_equal(topology_signing_keys(w.t, T0, w.mediator.member,
                                           USAGE_PROTOCOL | USAGE_SEQUENCER_AUTH, keys),
                     2);
    assert_int_equal(topology_signing_keys(w.t, T0, w.mediator.member, USAGE_PROOF, keys), 0);
    assert_int_equal(
        topology_signing_keys(w.t, TOPOLOGY_GENESIS_TS, w.mediator.member, USAGE_ALL, keys),
        0); /* strictly after */
    assert_true(genesis_inspect(buffer_bytes(&w.genesis), &w.fixed, psid, sequencer, NULL));
    assert_string_equal(psid, w.psid);
    assert_string_equal(sequencer, w.sequencer.uid);
    assert_int_equal(topology_known_until(w.t), TOPOLOGY_GENESIS_TS + DELAY + 1);
    world_close(&w);
}

static void a_genesis_without_the_mediators_keys_is_refused(void **state)
{
    struct world w;
    struct buffer file = BUFFER_INIT;
    char psid[PSID_TEXT_SIZE];
    struct error e;

    (void)state;
    world_open(&w);
    struct genesis g = {
        .name = "demo",
        .owner = w.sequencer.ns,
        .keys = w.sequencer.keys,
        .static_parameters = &w.fixed,
        .sequencer = w.sequencer.uid,
        .mediators = {w.mediator.uid},
        .n_mediators = 1,
        .identities = &w.sequencer.identity,
    };

    assert_false(genesis_build(&g, &file, psid, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    g.name = "de::mo";
    assert_false(genesis_build(&g, &file, psid, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    buffer_free(&file);
    world_close(&w);
}

static void a_change_has_effect_strictly_after_its_effective_time(void **state)
{
    struct world w;
    struct node p;
    int64_t at, next;

    (void)state;
    world_open(&w);
    participant_join(&w, &p, "alice");
    assert_true(topology_registered_at(w.t, p.member, &at));
    assert_int_equal(at, w.now - 2 * DELAY + DELAY);
    assert_false(topology_participant(w.t, at, p.uid, NULL));
    assert_true(topology_participant(w.t, at + 1, p.uid, NULL));
    assert_false(topology_member_known(w.t, at, p.member));
    assert_true(topology_member_active(w.t, at + 1, p.member, NULL));
    assert_int_equal(topology_head(w.t), at + 1);
    assert_true(topology_next_effective(w.t, at - DELAY + 1, &next));
    assert_int_equal(next, at);
    assert_false(topology_next_effective(w.t, at + 1, &next));
    topology_observe(w.t, w.now);
    assert_int_equal(topology_known_until(w.t), w.now + DELAY + 1);
    node_close(&p);
    world_close(&w);
}

/* The batch that a new participant sends. */
static size_t onboarding_batch(struct world *w, struct node *n, struct signed_txs *trust,
                               struct bytes out[8])
{
    struct error e;

    node_open(n, MEMBER_PARTICIPANT, "alice");
    must(identity_trust(n->keys, n->ns, n->uid, topology_synchronizer(w->t), trust, &e), &e);
    out[0] = buffer_bytes(&n->identity.at[0]);
    out[1] = buffer_bytes(&n->identity.at[1]);
    out[2] = buffer_bytes(&trust->at[0]);
    return 3;
}

static size_t heads(const struct topology *t)
{
    struct topology_items items = {0};
    size_t n;

    assert_true(topology_rows(t, true, &items, NULL));
    n = items.n;
    topology_items_free(&items);
    return n;
}

static void onboarding_takes_a_complete_batch_once(void **state)
{
    struct world w;
    struct node p;
    struct signed_txs trust = {0};
    struct bytes batch[8];
    struct topology_outcome out[3];
    size_t kept[8], n_kept, n, rows, n_heads;
    struct error e;

    (void)state;
    world_open(&w);
    n = onboarding_batch(&w, &p, &trust, batch);
    assert_accepted(
        apply_one(&w, batch[0])); /* so that the batch closes a row, and opens it again */
    n_heads = heads(w.t);
    rows = topology_row_count(w.t);
    batch[3] = batch[0]; /* a double is dropped */
    must(onboarding_check(w.t, p.member, batch, n + 1, TS_MIN, w.now, kept, &n_kept, &e), &e);
    assert_int_equal(n_kept, 3);
    assert_int_equal(topology_row_count(w.t), rows); /* tried, not applied */
    assert_false(topology_registered_at(w.t, p.member, &(int64_t){0}));
    assert_int_equal(heads(w.t), n_heads);
    assert_int_equal(topology_head(w.t), w.now - DELAY + 1);

    assert_false(onboarding_check(w.t, p.member, batch, 2, TS_MIN, w.now, kept, &n_kept, &e));
    assert_int_equal(e.code, ERR_MALFORMED); /* no trust certificate */
    assert_false(
        onboarding_check(w.t, w.mediator.member, batch, n, TS_MIN, w.now, kept, &n_kept, &e));
    assert_int_equal(e.code, ERR_MALFORMED); /* somebody else's */
    assert_false(onboarding_check(w.t, p.member, batch, n, w.now + 1, w.now, kept, &n_kept, &e));
    assert_int_equal(e.code, ERR_REFUSED); /* before the upgrade */
    batch[3] = batch[1];
    batch[1] = batch[2]; /* the certificate before the keys */
    batch[2] = batch[3];
    assert_false(onboarding_check(w.t, p.member, batch, n, TS_MIN, w.now, kept, &n_kept, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    batch[2] = batch[1];
    batch[1] = batch[3];

    must(topology_apply(w.t, w.now, batch, n, out, &e), &e);
    for (size_t i = 0; i < n; i++)
        assert_accepted(out[i]);
    assert_true(topology_participant(w.t, w.now + DELAY + 1, p.uid, NULL));
    assert_false(onboarding_check(w.t, p.member, batch, n, TS_MIN, w.now, kept, &n_kept, &e));
    assert_int_equal(e.code, ERR_REFUSED); /* was onboarded before */
    signed_txs_free(&trust);
    node_close(&p);
    world_close(&w);
}

static P30__TopologyMapping parameters_mapping(P30__SynchronizerParametersState *s,
                                               const char *synchronizer)
{
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;

    s->synchronizer_id = text(synchronizer);
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_PARAMETERS_STATE;
    m.synchronizer_parameters_state = s;
    return m;
}

/* Parameters as a message; free with wire_message_free. */
static P30__DynamicSynchronizerParameters *parameters_message(const struct dynamic_parameters *p)
{
    struct buffer b = BUFFER_INIT;
    P30__DynamicSynchronizerParameters *m;

    assert_true(dynamic_parameters_build(p, &b, NULL));
    m = (P30__DynamicSynchronizerParameters *)protobuf_c_message_unpack(
        &p30__dynamic_synchronizer_parameters__descriptor, NULL, b.len, b.data);
    buffer_free(&b);
    assert_non_null(m);
    return m;
}

static void message_free(P30__DynamicSynchronizerParameters *m)
{
    protobuf_c_message_free_unpacked(&m->base, NULL);
}

static void serials_rise_by_one(void **state)
{
    struct world w;
    struct dynamic_parameters p;
    P30__SynchronizerParametersState s = P30__SYNCHRONIZER_PARAMETERS_STATE__INIT;

    (void)state;
    world_open(&w);
    P30__TopologyMapping m = parameters_mapping(&s, topology_synchronizer(w.t));
    struct signer owner = {w.sequencer.keys, w.sequencer.ns};

    dynamic_parameters_default(&p);
    p.confirmation_response_timeout_us = 5000000;
    s.synchronizer_parameters = parameters_message(&p);
    assert_rejected(apply_by(&w, &owner, 1, TOPOLOGY_ADD_REPLACE, 3, &m, false), "SerialMismatch");
    assert_rejected(apply_by(&w, &owner, 1, TOPOLOGY_ADD_REPLACE, 1, &m, false), "SerialMismatch");
    assert_accepted(apply_by(&w, &owner, 1, TOPOLOGY_ADD_REPLACE, 2, &m, false));
    assert_int_equal(topology_parameters(w.t, w.now)->confirmation_response_timeout_us, 5000000);
    assert_int_equal(topology_parameters(w.t, T0)->confirmation_response_timeout_us, 30000000);
    assert_rejected(apply_by(&w, &owner, 1, TOPOLOGY_REMOVE, 3, &m, false), "CannotRemoveMapping");
    message_free(s.synchronizer_parameters);
    world_close(&w);
}

static void a_stranger_changes_nothing(void **state)
{
    struct world w;
    struct node p;
    struct dynamic_parameters d;
    P30__SynchronizerParametersState s = P30__SYNCHRONIZER_PARAMETERS_STATE__INIT;

    (void)state;
    world_open(&w);
    participant_join(&w, &p, "mallory");
    P30__TopologyMapping m = parameters_mapping(&s, topology_synchronizer(w.t));

    dynamic_parameters_default(&d);
    s.synchronizer_parameters = parameters_message(&d);
    assert_rejected(
        apply_by(&w, &(struct signer){p.keys, p.ns}, 1, TOPOLOGY_ADD_REPLACE, 2, &m, false),
        "NoDelegationFoundForKeys");
    s.synchronizer_id = text(p.uid);
    assert_rejected(
        apply_by(&w, &(struct signer){p.keys, p.ns}, 1, TOPOLOGY_ADD_REPLACE, 1, &m, false),
        "InvalidSynchronizer");
    message_free(s.synchronizer_parameters);
    node_close(&p);
    world_close(&w);
}

static void a_signature_that_does_not_verify_rejects(void **state)
{
    struct world w;
    struct node p;
    struct signed_topology_tx tx;
    struct buffer forged = BUFFER_INIT;

    (void)state;
    world_open(&w);
    node_open(&p, MEMBER_PARTICIPANT, "alice");
    assert_true(signed_topology_tx_parse(buffer_bytes(&p.identity.at[0]), &tx, NULL));
    tx.signatures[0].bytes.data[7] ^= 1;
    assert_true(signed_topology_tx_build(buffer_bytes(&tx.transaction), tx.signatures, 1, false,
                                         &forged, NULL));
    assert_rejected(apply_one(&w, buffer_bytes(&forged)), "SignatureCheckFailed");
    assert_accepted(apply_one(&w, buffer_bytes(&p.identity.at[0])));
    signed_topology_tx_free(&tx);
    buffer_free(&forged);
    node_close(&p);
    world_close(&w);
}

static void new_keys_must_sign_and_encryption_keys_need_not(void **state)
{
    struct world w;
    struct node p;
    struct signed_topology_tx tx;
    struct buffer less = BUFFER_INIT;

    (void)state;
    world_open(&w);
    node_open(&p, MEMBER_PARTICIPANT, "alice");
    assert_accepted(apply_one(&w, buffer_bytes(&p.identity.at[0])));
    assert_true(signed_topology_tx_parse(buffer_bytes(&p.identity.at[1]), &tx, NULL));
    assert_int_equal(tx.n_signatures, 3); /* namespace and two signing keys */
    assert_true(signed_topology_tx_build(buffer_bytes(&tx.transaction), tx.signatures, 2, false,
                                         &less, NULL));
    assert_rejected(apply_one(&w, buffer_bytes(&less)), "NotFullyAuthorized");
    buffer_clear(&less);
    assert_true(signed_topology_tx_build(buffer_bytes(&tx.transaction), tx.signatures + 1, 2, false,
                                         &less, NULL));
    assert_rejected(apply_one(&w, buffer_bytes(&less)), "NotAuthorizedByNamespaceKey");
    assert_accepted(apply_one(&w, buffer_bytes(&p.identity.at[1])));
    signed_topology_tx_free(&tx);
    buffer_free(&less);
    node_close(&p);
    world_close(&w);
}

/* ---- delegations ---- */

static P30__TopologyMapping delegation(P30__NamespaceDelegation *d, struct key_message *target,
                                       const char *ns, const struct public_key *k)
{
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;

    key_to_message(k, target);
    d->namespace_ = text(ns);
    d->target_key = &target->signing;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_NAMESPACE_DELEGATION;
    m.namespace_delegation = d;
    return m;
}

static const struct private_key *namespace_key(struct node *n)
{
    const struct private_key *k;
    struct error e;

    must(keyring_generate(n->keys, KEY_SIGNING, SIGNING_ED25519, USAGE_NAMESPACE, &k, &e), &e);
    return k;
}

static void delegations_chain_are_restricted_and_break_when_revoked(void **state)
{
    struct world w;
    struct node p;
    P30__NamespaceDelegation__CanSignAllMappings all =
        P30__NAMESPACE_DELEGATION__CAN_SIGN_ALL_MAPPINGS__INIT;
    P30__NamespaceDelegation__CanSignSpecificMappings some =
        P30__NAMESPACE_DELEGATION__CAN_SIGN_SPECIFIC_MAPPINGS__INIT;
    P30__Enums__TopologyMappingCode only_packages[] = {
        (P30__Enums__TopologyMappingCode)MAPPING_PACKAGES};
    P30__NamespaceDelegation da = P30__NAMESPACE_DELEGATION__INIT;
    P30__NamespaceDelegation db = P30__NAMESPACE_DELEGATION__INIT;
    P30__VettedPackages v = P30__VETTED_PACKAGES__INIT;
    P30__TopologyMapping packages = P30__TOPOLOGY_MAPPING__INIT;
    struct key_message ka, kb;

    (void)state;
    world_open(&w);
    participant_join(&w, &p, "alice");
    const struct private_key *a = namespace_key(&p), *b = namespace_key(&p);
    struct signer root = {p.keys, p.ns}, by_a = {p.keys, a->pub->fingerprint},
                  by_b = {p.keys, b->pub->fingerprint};
    P30__TopologyMapping ma = delegation(&da, &ka, p.ns, a->pub);
    P30__TopologyMapping mb = delegation(&db, &kb, p.ns, b->pub);

    da.restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_MAPPINGS;
    da.can_sign_all_mappings = &all;
    some.mappings = only_packages;
    some.n_mappings = 1;
    db.restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_SPECIFIC_MAPINGS;
    db.can_sign_specific_mapings = &some;
    v.participant_uid = p.uid;
    packages.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_VETTED_PACKAGES;
    packages.vetted_packages = &v;

    assert_rejected(apply_by(&w, &by_a, 1, TOPOLOGY_ADD_REPLACE, 1, &mb, false),
                    "NoDelegationFoundForKeys");
    assert_accepted(apply_by(&w, &root, 1, TOPOLOGY_ADD_REPLACE, 1, &ma, false));
    assert_accepted(apply_by(&w, &by_a, 1, TOPOLOGY_ADD_REPLACE, 1, &mb, false));
    assert_accepted(apply_by(&w, &by_b, 1, TOPOLOGY_ADD_REPLACE, 1, &packages, false));
    assert_rejected(apply_by(&w, &by_b, 1, TOPOLOGY_REMOVE, 2, &ma, false),
                    "NoDelegationFoundForKeys"); /* b may sign packages only */
    assert_accepted(apply_by(&w, &root, 1, TOPOLOGY_REMOVE, 2, &ma, false));
    assert_rejected(apply_by(&w, &by_b, 1, TOPOLOGY_REMOVE, 2, &packages, false),
                    "NoDelegationFoundForKeys"); /* what hung below a hangs in the air */
    assert_rejected(apply_by(&w, &root, 1, TOPOLOGY_ADD_REPLACE, 3, &ma, false),
                    "NamespaceHasBeenRevoked");
    node_close(&p);
    world_close(&w);
}

static void a_delegation_that_may_not_delegate_carries_nobody(void **state)
{
    struct world w;
    struct node p;
    P30__NamespaceDelegation__CanSignAllMappings all =
        P30__NAMESPACE_DELEGATION__CAN_SIGN_ALL_MAPPINGS__INIT;
    P30__NamespaceDelegation__CanSignAllButNamespaceDelegations but =
        P30__NAMESPACE_DELEGATION__CAN_SIGN_ALL_BUT_NAMESPACE_DELEGATIONS__INIT;
    P30__NamespaceDelegation da = P30__NAMESPACE_DELEGATION__INIT;
    P30__NamespaceDelegation db = P30__NAMESPACE_DELEGATION__INIT;
    P30__VettedPackages v = P30__VETTED_PACKAGES__INIT;
    P30__TopologyMapping packages = P30__TOPOLOGY_MAPPING__INIT;
    struct key_message ka, kb;

    (void)state;
    world_open(&w);
    participant_join(&w, &p, "alice");
    const struct private_key *a = namespace_key(&p), *b = namespace_key(&p);
    struct signer root = {p.keys, p.ns}, by_a = {p.keys, a->pub->fingerprint},
                  by_b = {p.keys, b->pub->fingerprint};
    P30__TopologyMapping ma = delegation(&da, &ka, p.ns, a->pub);
    P30__TopologyMapping mb = delegation(&db, &kb, p.ns, b->pub);

    da.restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_MAPPINGS;
    da.can_sign_all_mappings = &all;
    db.restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_MAPPINGS;
    db.can_sign_all_mappings = &all;
    v.participant_uid = p.uid;
    packages.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_VETTED_PACKAGES;
    packages.vetted_packages = &v;
    assert_accepted(apply_by(&w, &root, 1, TOPOLOGY_ADD_REPLACE, 1, &ma, false));
    assert_accepted(apply_by(&w, &by_a, 1, TOPOLOGY_ADD_REPLACE, 1, &mb, false));
    assert_accepted(apply_by(&w, &by_b, 1, TOPOLOGY_ADD_REPLACE, 1, &packages, false));
    da.restriction_case =
        P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_BUT_NAMESPACE_DELEGATIONS;
    da.can_sign_all_but_namespace_delegations = &but;
    assert_accepted(apply_by(&w, &root, 1, TOPOLOGY_ADD_REPLACE, 2, &ma, false));
    v.n_packages = 0;
    assert_rejected(apply_by(&w, &by_b, 1, TOPOLOGY_REMOVE, 2, &packages, false),
                    "NoDelegationFoundForKeys");
    assert_accepted(apply_by(&w, &by_a, 1, TOPOLOGY_REMOVE, 2, &packages, false));
    node_close(&p);
    world_close(&w);
}

static void a_revoked_root_closes_its_namespace_for_ever(void **state)
{
    struct world w;
    struct node p;
    struct signed_topology_tx tx;

    (void)state;
    world_open(&w);
    node_open(&p, MEMBER_PARTICIPANT, "alice");
    struct signer root = {p.keys, p.ns};

    assert_true(signed_topology_tx_parse(buffer_bytes(&p.identity.at[0]), &tx, NULL));
    assert_accepted(apply_by(&w, &root, 1, TOPOLOGY_REMOVE, 1, tx.mapping, false));
    assert_rejected(apply_by(&w, &root, 1, TOPOLOGY_ADD_REPLACE, 2, tx.mapping, false),
                    "NamespaceHasBeenRevoked");
    assert_rejected(apply_one(&w, buffer_bytes(&p.identity.at[1])), "NotAuthorizedByNamespaceKey");
    signed_topology_tx_free(&tx);
    node_close(&p);
    world_close(&w);
}

/* ---- decentralised namespaces and proposals ---- */

static P30__TopologyMapping definition(P30__DecentralizedNamespaceDefinition *d, const char *ns,
                                       int32_t threshold, char **owners, size_t n)
{
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;

    d->decentralized_namespace = text(ns);
    d->threshold = threshold;
    d->owners = owners;
    d->n_owners = n;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_DECENTRALIZED_NAMESPACE_DEFINITION;
    m.decentralized_namespace_definition = d;
    return m;
}

static void a_proposal_waits_for_the_threshold_of_owners(void **state)
{
    struct world w;
    struct node p;
    P30__DecentralizedNamespaceDefinition def = P30__DECENTRALIZED_NAMESPACE_DEFINITION__INIT;
    P30__SynchronizerParametersState s = P30__SYNCHRONIZER_PARAMETERS_STATE__INIT;
    struct dynamic_parameters d;
    struct topology_outcome out;

    (void)state;
    world_open(&w);
    participant_join(&w, &p, "second");
    char *owners[] = {w.sequencer.ns, p.ns};
    const char *ns = namespace_of(topology_synchronizer(w.t));
    P30__TopologyMapping m = definition(&def, ns, 2, owners, 2);
    struct signer both[] = {{w.sequencer.keys, w.sequencer.ns}, {p.keys, p.ns}};

    assert_rejected(apply_by(&w, &both[0], 1, TOPOLOGY_ADD_REPLACE, 2, &m, false),
                    "NotFullyAuthorized"); /* the added owner must agree */
    assert_accepted(apply_by(&w, both, 2, TOPOLOGY_ADD_REPLACE, 2, &m, false));

    P30__TopologyMapping change = parameters_mapping(&s, topology_synchronizer(w.t));

    dynamic_parameters_default(&d);
    d.mediator_reaction_timeout_us = 7000000;
    s.synchronizer_parameters = parameters_message(&d);
    assert_rejected(apply_by(&w, &both[0], 1, TOPOLOGY_ADD_REPLACE, 2, &change, false),
                    "NotFullyAuthorized");
    out = apply_by(&w, &both[0], 1, TOPOLOGY_ADD_REPLACE, 2, &change, true);
    assert_int_equal(out.verdict, TOPOLOGY_PROPOSED);
    assert_int_equal(topology_parameters(w.t, w.now)->mediator_reaction_timeout_us, 30000000);
    assert_accepted(apply_by(&w, &both[1], 1, TOPOLOGY_ADD_REPLACE, 2, &change, true));
    assert_int_equal(topology_parameters(w.t, w.now)->mediator_reaction_timeout_us, 7000000);

    struct topology_items rows = {0};
    struct signed_topology_tx tx;

    assert_true(topology_rows(w.t, false, &rows, NULL));
    assert_true(
        signed_topology_tx_parse(buffer_bytes(&rows.at[rows.n - 1].transaction), &tx, NULL));
    assert_int_equal(tx.n_signatures, 2); /* merged, and no proposal any more */
    assert_false(tx.is_proposal);
    assert_int_equal(rows.at[rows.n - 2].valid_until, rows.at[rows.n - 1].valid_from);
    signed_topology_tx_free(&tx);
    topology_items_free(&rows);
    message_free(s.synchronizer_parameters);
    node_close(&p);
    world_close(&w);
}

static void a_decentralised_name_is_its_owners(void **state)
{
    struct world w;
    struct node p;
    P30__DecentralizedNamespaceDefinition def = P30__DECENTRALIZED_NAMESPACE_DEFINITION__INIT;
    char name[FINGERPRINT_SIZE];

    (void)state;
    world_open(&w);
    participant_join(&w, &p, "second");
    char *owners[] = {w.sequencer.ns, p.ns};
    struct signer both[] = {{w.sequencer.keys, w.sequencer.ns}, {p.keys, p.ns}};
    P30__TopologyMapping m = definition(&def, "1220beef", 1, owners, 2);

    assert_rejected(apply_by(&w, both, 2, TOPOLOGY_ADD_REPLACE, 1, &m, false),
                    "InvalidTopologyMapping");
    assert_true(decentralized_namespace((const char *const *)owners, 2, name, NULL));
    m = definition(&def, name, 1, owners, 2);
    assert_rejected(apply_by(&w, both, 1, TOPOLOGY_ADD_REPLACE, 1, &m, false),
                    "NotFullyAuthorized"); /* the first needs all owners */
    assert_accepted(apply_by(&w, both, 2, TOPOLOGY_ADD_REPLACE, 1, &m, false));
    node_close(&p);
    world_close(&w);
}

static void superfluous_signatures_are_dropped_and_others_kept_as_they_came(void **state)
{
    struct world w;
    struct node p, q;
    struct signed_txs trust = {0};
    struct signed_topology_tx tx, kept;
    struct topology_items rows = {0};

    (void)state;
    world_open(&w);
    node_open(&p, MEMBER_PARTICIPANT, "alice");
    participant_join(&w, &q, "bob");
    for (size_t i = 0; i < 2; i++)
        assert_accepted(apply_one(&w, buffer_bytes(&p.identity.at[i])));
    assert_true(identity_trust(p.keys, p.ns, p.uid, topology_synchronizer(w.t), &trust, NULL));
    assert_true(signed_topology_tx_parse(buffer_bytes(&trust.at[0]), &tx, NULL));
    struct signer two[] = {{q.keys, q.ns}, {p.keys, p.ns}};
    struct topology_outcome out = apply_by(&w, two, 2, TOPOLOGY_ADD_REPLACE, 1, tx.mapping, false);

    assert_accepted(out);
    assert_true(topology_rows(w.t, false, &rows, NULL));
    assert_true(
        signed_topology_tx_parse(buffer_bytes(&rows.at[rows.n - 1].transaction), &kept, NULL));
    assert_int_equal(kept.n_signatures, 1);
    assert_string_equal(kept.signatures[0].signed_by, p.ns);
    assert_true(hash_equal(&kept.hash, &tx.hash));
    signed_topology_tx_free(&tx);
    signed_topology_tx_free(&kept);
    topology_items_free(&rows);
    signed_txs_free(&trust);
    node_close(&p);
    node_close(&q);
    world_close(&w);
}

/* Puts one signature of several transactions' hash around a transaction. */
static struct buffer multi_signed(struct bytes transaction, const struct hash *hashes, size_t n,
                                  const struct signature *s)
{
    P30__SignedTopologyTransaction m = P30__SIGNED_TOPOLOGY_TRANSACTION__INIT;
    P30__MultiTransactionSignatures multi = P30__MULTI_TRANSACTION_SIGNATURES__INIT;
    P30__MultiTransactionSignatures *list = &multi;
    ProtobufCBinaryData names[4];
    struct signature_message one;
    C30__Signature *one_list = &one.signature;
    struct buffer plain = BUFFER_INIT, out = BUFFER_INIT;

    for (size_t i = 0; i < n; i++)
        names[i] = (ProtobufCBinaryData){HASH_LEN, (uint8_t *)(uintptr_t)hashes[i].b};
    signature_to_message(s, &one);
    multi.transaction_hashes = names;
    multi.n_transaction_hashes = n;
    multi.signatures = &one_list;
    multi.n_signatures = 1;
    m.transaction = (ProtobufCBinaryData){transaction.len, (uint8_t *)(uintptr_t)transaction.data};
    m.multi_transaction_signatures = &list;
    m.n_multi_transaction_signatures = 1;
    size_t len = protobuf_c_message_get_packed_size(&m.base);

    buffer_reserve(&plain, len);
    plain.len = protobuf_c_message_pack(&m.base, plain.data);
    buffer_append_byte(&out, 0x0a);
    buffer_append_varint(&out, plain.len);
    buffer_append_bytes(&out, buffer_bytes(&plain));
    buffer_append_byte(&out, 0x10);
    buffer_append_byte(&out, 30);
    buffer_free(&plain);
    return out;
}

static void one_signature_may_cover_several_transactions(void **state)
{
    struct world w;
    struct node p;
    struct signed_txs trust = {0};
    struct signed_topology_tx a, b;
    struct hash names[2], both, other;
    struct signature s;
    struct buffer tx;

    (void)state;
    world_open(&w);
    node_open(&p, MEMBER_PARTICIPANT, "alice");
    assert_accepted(apply_one(&w, buffer_bytes(&p.identity.at[0])));
    assert_accepted(apply_one(&w, buffer_bytes(&p.identity.at[1])));
    assert_true(identity_trust(p.keys, p.ns, p.uid, topology_synchronizer(w.t), &trust, NULL));
    assert_true(signed_topology_tx_parse(buffer_bytes(&trust.at[0]), &a, NULL));
    assert_true(signed_topology_tx_parse(buffer_bytes(&p.identity.at[0]), &b, NULL));
    bool in_order = hash_compare(&a.hash, &b.hash) < 0;

    names[0] = in_order ? a.hash : b.hash;
    names[1] = in_order ? b.hash : a.hash;
    assert_true(topology_multi_hash(names, 2, &both, NULL));
    assert_true(hash_of(HASH_TESTING, bytes_str("x"), &other, NULL));

    assert_true(private_key_sign(keyring_find(p.keys, p.ns), USAGE_NAMESPACE, &a.hash, &s, NULL));
    tx = multi_signed(buffer_bytes(&a.transaction), names, 2, &s);
    assert_rejected(apply_one(&w, buffer_bytes(&tx)), "SignatureCheckFailed"); /* the single hash */
    buffer_free(&tx);
    signature_free(&s);

    assert_true(private_key_sign(keyring_find(p.keys, p.ns), USAGE_NAMESPACE, &both, &s, NULL));
    tx = multi_signed(buffer_bytes(&a.transaction), &other, 1, &s);
    assert_false(topology_apply(w.t, w.now, &(struct bytes){tx.data, tx.len}, 1, NULL, NULL));
    buffer_free(&tx);
    tx = multi_signed(buffer_bytes(&a.transaction), names, 2, &s);
    assert_accepted(apply_one(&w, buffer_bytes(&tx)));
    buffer_free(&tx);
    signature_free(&s);
    signed_topology_tx_free(&a);
    signed_topology_tx_free(&b);
    signed_txs_free(&trust);
    node_close(&p);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genesis_names_sequencer_mediator_and_parameters),
        cmocka_unit_test(a_genesis_without_the_mediators_keys_is_refused),
        cmocka_unit_test(a_change_has_effect_strictly_after_its_effective_time),
        cmocka_unit_test(onboarding_takes_a_complete_batch_once),
        cmocka_unit_test(serials_rise_by_one),
        cmocka_unit_test(a_stranger_changes_nothing),
        cmocka_unit_test(a_signature_that_does_not_verify_rejects),
        cmocka_unit_test(new_keys_must_sign_and_encryption_keys_need_not),
        cmocka_unit_test(delegations_chain_are_restricted_and_break_when_revoked),
        cmocka_unit_test(a_delegation_that_may_not_delegate_carries_nobody),
        cmocka_unit_test(a_revoked_root_closes_its_namespace_for_ever),
        cmocka_unit_test(a_proposal_waits_for_the_threshold_of_owners),
        cmocka_unit_test(a_decentralised_name_is_its_owners),
        cmocka_unit_test(superfluous_signatures_are_dropped_and_others_kept_as_they_came),
        cmocka_unit_test(one_signature_may_cover_several_transactions),
    };

    return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
