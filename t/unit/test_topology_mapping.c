/* What a mapping may say: each rule of the protocol's own parser, broken once; older forms that are
 * taken; and what this release does not know, kept byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/topology/make.h"

#define NS    "1220aa"
#define UID   "x::1220aa"
#define OTHER "y::1220aa"
#define SYNC  "demo::1220bb"

static struct node node; /* whose keys the mappings name */

static const struct public_key *key(size_t i)
{
    return keyring_at(node.keys, i)->pub;
}

static struct mapping *parse(struct maker *k)
{
    struct mapping *m = NULL;
    struct error e;

    must(mapping_parse(&k->m, &m, &e), &e);
    return m;
}

static void refused(struct maker *k, const char *cause)
{
    struct mapping *m = NULL;
    struct error e;

    if (mapping_parse(&k->m, &m, &e)) {
        mapping_free(m);
        fail_msg("parses, though it should not: %s", cause);
    }
    assert_null(m);
    assert_int_equal(e.code, ERR_MALFORMED);
    if (strstr(e.cause, cause) == NULL)
        fail_msg("expected %s, got: %s", cause, e.cause);
}

static int open_node(void **state)
{
    (void)state;
    node_open(&node, MEMBER_PARTICIPANT, "n");
    return 0;
}

static int close_node(void **state)
{
    (void)state;
    node_close(&node);
    return 0;
}

static void delegations(void **state)
{
    const int hole[] = {10}, none[] = {MAPPING_PACKAGES}, beyond[] = {MAPPING_CODE_N};
    struct maker k;
    struct mapping *m;

    (void)state;
    make_delegation(&k, NS, key(0), NULL, 0);
    k.u.delegation.target_key = NULL;
    refused(&k, "without target key");
    make_delegation(&k, NS, key(1), NULL, 0);
    refused(&k, "not for namespaces");
    make_delegation(&k, NS, key(0), NULL, 0);
    k.u.delegation.is_root_delegation = true;
    refused(&k, "an old and a new restriction");
    make_delegation(&k, NS, key(0), hole, 1);
    refused(&k, "unknown mapping code 10");
    make_delegation(&k, NS, key(0), beyond, 1);
    refused(&k, "unknown mapping code");
    make_delegation(&k, NS, key(0), none, 1);
    k.specific.n_mappings = 0;
    refused(&k, "for no mapping");
    make_delegation(&k, key(0)->fingerprint, key(0), none, 1);
    refused(&k, "may not delegate");
    make_delegation(&k, "not a namespace!", key(0), NULL, 0);
    refused(&k, "not a namespace");
    for (int is_root = 0; is_root < 2; is_root++) { /* the older form */
        make_delegation(&k, NS, key(0), NULL, 0);
        k.u.delegation.restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION__NOT_SET;
        k.u.delegation.is_root_delegation = is_root;
        m = parse(&k);
        assert_int_equal(m->may_sign >> MAPPING_NAMESPACE & 1, is_root);
        assert_int_equal(m->may_sign >> MAPPING_PACKAGES & 1, 1);
        mapping_free(m);
    }
}

static void definitions(void **state)
{
    const char *owners[] = {"1220aa", "1220bb", "1220aa"};
    struct maker k;
    struct mapping *m;

    (void)state;
    make_definition(&k, NS, 0, owners, 2);
    refused(&k, "threshold 0");
    make_definition(&k, NS, 3, owners, 3);
    refused(&k, "threshold 3 of 2"); /* owners are a set */
    make_definition(&k, NS, 1, owners, 0);
    refused(&k, "threshold 1 of 0");
    make_definition(&k, NS, 2, owners, 3);
    m = parse(&k);
    assert_int_equal(m->n_names, 2);
    mapping_free(m);
}

static void keys_of_members_and_parties(void **state)
{
    const struct public_key *two[] = {key(1), key(2)}, *twice[] = {key(1), key(1)}, *many[24];
    struct maker k;
    struct mapping *m;

    (void)state;
    for (size_t i = 0; i < 24; i++)
        many[i] = key(1);
    make_keys(&k, "PAR::" UID, two, 0);
    refused(&k, "0 keys");
    make_keys(&k, "PAR::" UID, many, 21);
    refused(&k, "21 keys");
    make_keys(&k, "PAR::" UID, twice, 2);
    refused(&k, "a key twice");
    make_keys(&k, UID, two, 2);
    refused(&k, "");
    make_party_keys(&k, UID, two, 0, 1);
    refused(&k, "0 keys");
    make_party_keys(&k, UID, two, 2, 0);
    refused(&k, "threshold 0");
    make_party_keys(&k, UID, twice, 2, 2);
    refused(&k, "threshold 2 of 1"); /* doubles collapse first */
    make_party_keys(&k, "PAR::" UID, two, 2, 1);
    refused(&k, ""); /* no participant */
    make_party_keys(&k, UID, many, 24, 1);
    m = parse(&k);
    assert_int_equal(m->n_keys, 1);
    mapping_free(m);
}

/* Two that say the same have one identity. */
static void assert_same(struct maker *a, struct maker *b, bool is_same)
{
    struct mapping *x = parse(a), *y = parse(b);

    assert_true(hash_equal(&x->unique_key, &y->unique_key));
    assert_int_equal(hash_equal(&x->identity, &y->identity), is_same);
    mapping_free(x);
    mapping_free(y);
}

static void participants(void **state)
{
    P30__Enums__ParticipantFeatureFlag flags[] = {0, 2, 2, 77, 0}, fewer[] = {77, 2};
    struct maker a, b;

    (void)state;
    make_trust(&a, "PAR::" UID, SYNC); /* an older form */
    make_trust(&b, UID, SYNC);
    assert_same(&a, &b, true);
    a.u.trust.feature_flags = flags;
    a.u.trust.n_feature_flags = 5;
    assert_same(&a, &b, false);
    b.u.trust.feature_flags = fewer;
    b.u.trust.n_feature_flags = 2;
    assert_same(&a, &b, true); /* zero is dropped, unknown ones stay */
    make_trust(&a, UID, "PAR::" SYNC);
    refused(&a, "");
    make_trust(&a, "x", SYNC);
    refused(&a, "");
    for (int permission = 0; permission < 5; permission += 4) {
        make_permission(&a, UID, SYNC, permission);
        refused(&a, "unknown permission");
    }
    make_limits(&a, "PAR::" UID, SYNC);
    refused(&a, "");
    make_limits(&a, UID, "");
    refused(&a, "");
}

static void packages(void **state)
{
    const char *ids[] = {"aa", "bb", "aa"};
    P30__VettedPackages__VettedPackage one = P30__VETTED_PACKAGES__VETTED_PACKAGE__INIT;
    P30__VettedPackages__VettedPackage *list[] = {&one, &one};
    struct maker k;

    (void)state;
    make_packages(&k, UID, ids, 3);
    mapping_free(parse(&k));
    k.u.packages.packages = list;
    k.u.packages.n_packages = 2;
    one.package_id = text("cc");
    mapping_free(parse(&k));
    one.package_id = text("bb");
    refused(&k, "package bb is in both lists");
}

static void hostings(void **state)
{
    const char *uids[] = {UID, ("PAR::" OTHER), UID};
    const int permissions[] = {PERMISSION_OBSERVATION, PERMISSION_CONFIRMATION,
                               -PERMISSION_SUBMISSION},
              wrong[] = {4};
    const struct public_key *keys[] = {key(1), key(2)};
    struct maker k;
    struct mapping *m;

    (void)state;
    make_hosting(&k, UID, 0, uids, permissions, 1);
    refused(&k, "threshold 0");
    make_hosting(&k, UID, 1, uids, wrong, 1);
    refused(&k, "unknown permission");
    make_hosting(&k, "PAR::" UID, 1, uids, permissions, 1);
    refused(&k, "");
    make_hosting(&k, UID, 1, uids, permissions, 3);
    m = parse(&k);
    assert_int_equal(m->n_hosts, 2); /* doubles collapse to the higher permission */
    assert_string_equal(m->hosts[0].uid, UID);
    assert_int_equal(m->hosts[0].permission, PERMISSION_SUBMISSION);
    assert_true(m->hosts[0].is_onboarding);
    assert_string_equal(m->hosts[1].uid, OTHER);
    mapping_free(m);
    make_hosting_keys(&k, keys, 2, 3);
    refused(&k, "threshold 3 of 2");
    make_hosting_keys(&k, keys, 2, 0);
    refused(&k, "threshold 0 of 2");
}

static void states(void **state)
{
    const char *one[] = {UID, NULL}, *two[] = {UID, OTHER, NULL}, *none[] = {NULL};
    struct dynamic_parameters d;
    struct maker k;

    (void)state;
    make_mediators(&k, SYNC, 0, 0, one, NULL);
    refused(&k, "threshold 0");
    make_mediators(&k, SYNC, 0, 2, one, NULL);
    refused(&k, "threshold 2 of 1");
    make_mediators(&k, SYNC, 0, 1, none, one);
    refused(&k, "threshold 1 of 0");
    make_mediators(&k, SYNC, 0, 1, two, one);
    refused(&k, "both active and observer");
    make_mediators(&k, SYNC, 1u << 31, 1, one, NULL);
    refused(&k, "mediator group");
    make_sequencers(&k, SYNC, 2, one, NULL);
    refused(&k, "threshold 2 of 1");
    make_sequencers(&k, SYNC, 1, two, one);
    refused(&k, "both active and observer");
    make_sequencing(&k, "x", "");
    refused(&k, "");
    dynamic_parameters_default(&d);
    make_parameters(&k, SYNC, &d);
    mapping_free(parse(&k));
    k.u.parameters.synchronizer_parameters->participant_synchronizer_limits =
        (p30__participant_synchronizer_limits__free_unpacked(
             k.u.parameters.synchronizer_parameters->participant_synchronizer_limits, NULL),
         NULL);
    refused(&k, "participant_synchronizer_limits is missing");
    make_parameters_free(&k);
    d.mediator_deduplication_timeout_us = 2 * d.preparation_time_record_time_tolerance_us - 1000000;
    make_parameters(&k, SYNC, &d);
    refused(&k, "below twice the preparation tolerance");
    make_parameters_free(&k);
    make_parameters(&k, SYNC, &d);
    make_parameters_free(&k);
    k.u.parameters.synchronizer_parameters = NULL;
    refused(&k, "is missing");
}

static void upgrades(void **state)
{
    struct maker k;

    (void)state;
    make_upgrade(&k, "demo::1220bb", 1);
    refused(&k, "");
    make_upgrade(&k, "demo::1220bb::35-1", 1);
    k.u.upgrade.upgrade_time = NULL;
    refused(&k, "upgrade_time is missing");
    make_successor(&k, UID, "demo::1220bb::35-1", "https://h:1");
    refused(&k, ""); /* a member's text, unlike uids elsewhere */
    make_successor(&k, "MED::" UID, "demo::1220bb::35-1", "https://h:1");
    refused(&k, "successor connection");
    make_successor(&k, "SEQ::" UID, "demo::1220bb::35-1", "https://h:1");
    mapping_free(parse(&k));
    k.connection.n_endpoints = 0;
    refused(&k, "successor connection");
}

/* A field that no release has yet. */
static ProtobufCMessageUnknownField unknown = {.tag = 1000,
                                               .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                                               .len = 4,
                                               .data = (uint8_t *)(uintptr_t) "\003new"};

static void what_is_not_known_is_kept_byte_for_byte(void **state)
{
    struct world w;
    struct node p;
    struct maker k;
    struct buffer tx;
    struct topology_items items = {0};
    const char *ids[] = {"aa"};

    (void)state;
    world_open(&w);
    participant_join(&w, &p, "alice");
    make_packages(&k, p.uid, ids, 1);
    k.u.packages.base.n_unknown_fields = 1;
    k.u.packages.base.unknown_fields = &unknown;
    tx = sign_by(&(struct signer){p.keys, p.ns}, 1, TOPOLOGY_ADD_REPLACE, 1, &k.m, false);
    assert_accepted(apply_one(&w, buffer_bytes(&tx)));
    assert_true(topology_rows(w.t, false, &items, NULL));
    assert_true(bytes_equal(buffer_bytes(&items.at[items.n - 1].transaction), buffer_bytes(&tx)));
    assert_non_null(memmem(tx.data, tx.len, "\003new", 4));
    topology_items_free(&items);
    buffer_free(&tx);
    node_close(&p);
    world_close(&w);
}

/* It cannot be judged: the broadcast is dropped whole, as the peers drop it, and nothing changes.
 */
static void a_newer_mapping_changes_nothing(void **state)
{
    struct world w;
    struct node p;
    struct maker k;
    struct topology_outcome out[2];
    struct bytes batch[2];
    struct buffer tx;
    size_t rows;
    struct error e;

    (void)state;
    world_open(&w);
    node_open(&p, MEMBER_PARTICIPANT, "alice");
    make_start(&k, P30__TOPOLOGY_MAPPING__MAPPING__NOT_SET);
    k.m.base.n_unknown_fields = 1;
    k.m.base.unknown_fields = &unknown;
    tx = sign_by(&(struct signer){p.keys, p.ns}, 1, TOPOLOGY_ADD_REPLACE, 1, &k.m, false);
    batch[0] = buffer_bytes(&p.identity.at[0]);
    batch[1] = buffer_bytes(&tx);
    rows = topology_row_count(w.t);
    assert_false(topology_apply(w.t, w.now, batch, 2, out, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    assert_non_null(strstr(e.cause, "transaction 2 of 2"));
    assert_int_equal(topology_row_count(w.t), rows);
    buffer_free(&tx);
    node_close(&p);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delegations),
        cmocka_unit_test(definitions),
        cmocka_unit_test(keys_of_members_and_parties),
        cmocka_unit_test(participants),
        cmocka_unit_test(packages),
        cmocka_unit_test(hostings),
        cmocka_unit_test(states),
        cmocka_unit_test(upgrades),
        cmocka_unit_test(what_is_not_known_is_kept_byte_for_byte),
        cmocka_unit_test(a_newer_mapping_changes_nothing),
    };

    return cmocka_run_group_tests_name("topology mappings", tests, open_node, close_node);
}
