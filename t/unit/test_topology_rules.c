/* Members, parties and groups; snapshots and replay; what is malformed; the vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "topology_world.h"
#include "vectors.h"

/* ---- parties ---- */

struct hosting {
    P30__PartyToParticipant p;
    P30__PartyToParticipant__HostingParticipant hosts[2], *list[2];
    P30__PartyToParticipant__HostingParticipant__Onboarding onboarding;
    P30__TopologyMapping m;
};

static void hosting_fill(struct hosting *h, const char *party, const struct node *a, int pa,
                         const struct node *b, int pb)
{
    p30__party_to_participant__init(&h->p);
    p30__topology_mapping__init(&h->m);
    p30__party_to_participant__hosting_participant__onboarding__init(&h->onboarding);
    h->p.party = text(party);
    h->p.threshold = 1;
    h->p.participants = h->list;
    for (int i = 0; i < 2; i++) {
        const struct node *n = i == 0 ? a : b;

        if (n == NULL)
            continue;
        p30__party_to_participant__hosting_participant__init(&h->hosts[i]);
        h->hosts[i].participant_uid = text(n->uid);
        h->hosts[i].permission = (P30__Enums__ParticipantPermission)(i == 0 ? pa : pb);
        h->list[h->p.n_participants++] = &h->hosts[i];
    }
    h->m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_PARTY_TO_PARTICIPANT;
    h->m.party_to_participant = &h->p;
}

#define ADD TOPOLOGY_ADD_REPLACE

static void hosting_needs_the_party_and_each_new_host(void **state)
{
    struct world w;
    struct node a, b;
    struct hosting h = {0};
    struct party_hosting found;
    char party[UID_TEXT_SIZE];
    bool is_found;

    (void)state;
    world_open(&w);
    participant_join(&w, &a, "alice");
    participant_join(&w, &b, "bob");
    snprintf(party, sizeof(party), "bank::%s", a.ns);
    struct signer by_a = {a.keys, a.ns}, by_b = {b.keys, b.ns}, both[] = {by_a, by_b};

    hosting_fill(&h, party, &a, 1, &b, 2);
    assert_rejected(apply_by(&w, &by_a, 1, ADD, 1, &h.m, false), "NotFullyAuthorized");
    assert_accepted(apply_by(&w, both, 2, ADD, 1, &h.m, false));
    assert_true(topology_hosting(w.t, w.now, party, &found, &is_found, NULL));
    assert_true(is_found);
    assert_int_equal(found.n_hosts, 2);
    party_hosting_free(&found);

    hosting_fill(&h, party, &a, 1, &b, 1); /* raised: both */
    assert_rejected(apply_by(&w, &by_b, 1, ADD, 2, &h.m, false), "NotFullyAuthorized");
    assert_accepted(apply_by(&w, both, 2, ADD, 2, &h.m, false));
    hosting_fill(&h, party, &a, 1, &b, 3); /* lowered: either */
    assert_accepted(apply_by(&w, &by_b, 1, ADD, 3, &h.m, false));
    hosting_fill(&h, party, &a, 1, &b, 3);
    h.hosts[1].onboarding = &h.onboarding; /* flag up: the party; down: the participant */
    assert_rejected(apply_by(&w, &by_b, 1, ADD, 4, &h.m, false), "No");
    assert_accepted(apply_by(&w, &by_a, 1, ADD, 4, &h.m, false));
    h.hosts[1].onboarding = NULL;
    assert_rejected(apply_by(&w, &by_a, 1, ADD, 5, &h.m, false), "No");
    assert_accepted(apply_by(&w, &by_b, 1, ADD, 5, &h.m, false));
    hosting_fill(&h, party, &a, 1, NULL, 0); /* a host leaves: either */
    assert_accepted(apply_by(&w, &by_b, 1, ADD, 6, &h.m, false));
    h.p.threshold = 2; /* the party */
    assert_rejected(apply_by(&w, &by_b, 1, ADD, 7, &h.m, false), "No");
    assert_accepted(apply_by(&w, &by_a, 1, ADD, 7, &h.m, false));
    assert_rejected(apply_by(&w, &by_b, 1, TOPOLOGY_REMOVE, 8, &h.m, false), "No");
    h.p.threshold = 1;
    assert_rejected(apply_by(&w, &by_a, 1, TOPOLOGY_REMOVE, 8, &h.m, false),
                    "RemoveMustNotChangeMapping");
    h.p.threshold = 2;
    assert_accepted(apply_by(&w, &by_a, 1, TOPOLOGY_REMOVE, 8, &h.m, false));
    assert_true(topology_hosting(w.t, w.now, party, &found, &is_found, NULL));
    assert_false(is_found);
    party_hosting_free(&found);
    assert_true(topology_hosting(w.t, w.now - 2 * DELAY, party, &found, &is_found, NULL));
    assert_true(is_found); /* but it was */
    party_hosting_free(&found);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void a_participant_is_the_party_of_its_own_name(void **state)
{
    struct world w;
    struct node a, b;
    struct hosting h = {0};
    struct party_hosting found;
    bool is_found;

    (void)state;
    world_open(&w);
    participant_join(&w, &a, "alice");
    node_open(&b, MEMBER_PARTICIPANT, "bob");
    struct signer both[] = {{a.keys, a.ns}, {b.keys, b.ns}};

    assert_true(topology_hosting(w.t, w.now, a.uid, &found, &is_found, NULL));
    assert_true(is_found);
    assert_int_equal(found.threshold, 1);
    assert_string_equal(found.hosts[0].uid, a.uid);
    assert_int_equal(found.hosts[0].permission, PERMISSION_SUBMISSION);
    party_hosting_free(&found);
    hosting_fill(&h, a.uid, &a, 2, NULL, 0);
    assert_rejected(apply_by(&w, both, 1, ADD, 1, &h.m, false), "PartyIdConflictWithAdminParty");
    hosting_fill(&h, "bank::1220", &b, 1, NULL, 0);
    h.p.party = text(a.uid);
    assert_rejected(apply_by(&w, both, 2, ADD, 1, &h.m, false), "PartyIdConflictWithAdminParty");
    char party[UID_TEXT_SIZE];

    snprintf(party, sizeof(party), "bank::%s", a.ns);
    hosting_fill(&h, party, &b, 1, NULL, 0);
    assert_rejected(apply_by(&w, both, 2, ADD, 1, &h.m, false), "UnknownMembers");
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

/* ---- members ---- */

static void one_that_left_cannot_come_back(void **state)
{
    struct world w;
    struct node a;
    struct signed_txs trust = {0};
    struct signed_topology_tx tx, keys;

    (void)state;
    world_open(&w);
    participant_join(&w, &a, "alice");
    struct signer owner = {w.sequencer.keys, w.sequencer.ns}, by_a = {a.keys, a.ns};

    assert_true(identity_trust(a.keys, a.ns, a.uid, topology_synchronizer(w.t), &trust, NULL));
    assert_true(signed_topology_tx_parse(buffer_bytes(&trust.at[0]), &tx, NULL));
    assert_true(signed_topology_tx_parse(buffer_bytes(&a.identity.at[1]), &keys, NULL));
    assert_rejected(apply_by(&w, &by_a, 1, TOPOLOGY_REMOVE, 2, keys.mapping, false),
                    "InvalidOwnerToKeyMappingRemoval");
    assert_accepted(apply_by(&w, &owner, 1, TOPOLOGY_REMOVE, 2, tx.mapping, false)); /* operator */
    assert_false(topology_member_known(w.t, w.now, a.member));
    assert_rejected(apply_by(&w, &by_a, 1, TOPOLOGY_REMOVE, 3, tx.mapping, false),
                    "NoCorrespondingActiveTxToRevoke");
    assert_rejected(apply_by(&w, &by_a, 1, ADD, 3, tx.mapping, false),
                    "ParticipantCannotRejoinSynchronizer");
    assert_accepted(apply_by(&w, &by_a, 1, TOPOLOGY_REMOVE, 2, keys.mapping, false));
    assert_int_equal(topology_signing_keys(w.t, w.now, a.member, USAGE_PROTOCOL,
                                           (const struct public_key *[TOPOLOGY_KEYS_MAX]){0}),
                     0);
    signed_topology_tx_free(&tx);
    signed_topology_tx_free(&keys);
    signed_txs_free(&trust);
    node_close(&a);
    world_close(&w);
}

struct mediators {
    P30__MediatorSynchronizerState s;
    P30__TopologyMapping m;
    char *active[3];
};

static void mediators_fill(struct mediators *g, const struct world *w, uint32_t group,
                           uint32_t threshold, size_t n)
{
    p30__mediator_synchronizer_state__init(&g->s);
    p30__topology_mapping__init(&g->m);
    g->s.synchronizer_id = text(topology_synchronizer(w->t));
    g->s.group = group;
    g->s.threshold = threshold;
    g->s.active = g->active;
    g->s.n_active = n;
    g->m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_MEDIATOR_SYNCHRONIZER_STATE;
    g->m.mediator_synchronizer_state = &g->s;
}

static void a_group_needs_its_threshold_of_distinct_members(void **state)
{
    struct world w;
    struct node second;
    struct mediators g;
    struct signature s[3];
    struct hash h;
    struct error e;

    (void)state;
    world_open(&w);
    node_open(&second, MEMBER_MEDIATOR, "med2");
    struct signer owner = {w.sequencer.keys, w.sequencer.ns};

    g.active[0] = w.mediator.uid;
    g.active[1] = second.uid;
    mediators_fill(&g, &w, 0, 2, 2);
    assert_rejected(apply_by(&w, &owner, 1, ADD, 2, &g.m, false), "InsufficientKeys");
    for (size_t i = 0; i < 2; i++)
        assert_accepted(apply_one(&w, buffer_bytes(&second.identity.at[i])));
    mediators_fill(&g, &w, 1, 1, 1); /* med is in group 0 */
    assert_rejected(apply_by(&w, &owner, 1, ADD, 1, &g.m, false), "MediatorsAlreadyInOtherGroups");
    mediators_fill(&g, &w, 0, 2, 2);
    assert_accepted(apply_by(&w, &owner, 1, ADD, 2, &g.m, false));
    assert_true(topology_member_active(w.t, w.now, second.member, NULL));

    assert_true(hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, bytes_str("verdict"), &h, NULL));
    must(keyring_sign(w.mediator.keys, USAGE_PROTOCOL, NULL, 0, &h, &s[0], &e), &e);
    must(keyring_sign(w.mediator.keys, USAGE_PROTOCOL, NULL, 0, &h, &s[1], &e), &e);
    must(keyring_sign(second.keys, USAGE_PROTOCOL, NULL, 0, &h, &s[2], &e), &e);
    assert_false(topology_verify_mediators(w.t, w.now, 0, &h, s, 2, &e)); /* one twice */
    assert_int_equal(e.code, ERR_SIGNATURE);
    assert_true(topology_verify_mediators(w.t, w.now, 0, &h, s, 3, &e));
    s[2].bytes.data[9] ^= 1;
    assert_false(topology_verify_mediators(w.t, w.now, 0, &h, s, 3, &e));
    assert_false(topology_verify_mediators(w.t, w.now, 7, &h, s, 3, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(topology_verify_mediators(w.t, T0, 0, &h, s, 1, &e)); /* alone at that time */
    assert_true(
        topology_verify_member(w.t, w.now, w.mediator.member, USAGE_PROTOCOL, &h, s, 2, &e));
    assert_false(
        topology_verify_member(w.t, w.now, w.mediator.member, USAGE_PROTOCOL, &h, s, 3, &e));
    assert_false(
        topology_verify_member(w.t, w.now, w.mediator.member, USAGE_SEQUENCER_AUTH, &h, s, 1, &e));
    assert_false(
        topology_verify_member(w.t, w.now, w.mediator.member, USAGE_PROTOCOL, &h, s, 0, &e));
    assert_false(topology_verify_sequencers(w.t, w.now, &h, s, 2, &e));
    for (int i = 0; i < 3; i++)
        signature_free(&s[i]);
    node_close(&second);
    world_close(&w);
}

static void a_key_that_two_members_share_proves_neither(void **state)
{
    struct world w;
    struct node second;
    struct mediators g;
    struct signed_txs twin = {0};
    struct signature s;
    struct hash h;
    struct error e;

    (void)state;
    world_open(&w);
    node_open(&second, MEMBER_MEDIATOR, "med2");
    const struct private_key *shared = keyring_newest(w.mediator.keys, USAGE_PROTOCOL);

    must(keyring_add(second.keys, (struct private_key *)(uintptr_t)shared, &e), &e);
    must(identity_build(second.keys, second.ns, second.member, &twin, &e), &e);
    for (size_t i = 0; i < 2; i++)
        assert_accepted(apply_one(&w, buffer_bytes(&twin.at[i])));
    assert_true(hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, bytes_str("verdict"), &h, NULL));
    must(private_key_sign(shared, USAGE_PROTOCOL, &h, &s, &e), &e);
    assert_true(topology_verify_mediators(w.t, w.now, 0, &h, &s, 1, &e));
    g.active[0] = w.mediator.uid;
    g.active[1] = second.uid;
    mediators_fill(&g, &w, 0, 1, 2);
    assert_accepted(
        apply_by(&w, &(struct signer){w.sequencer.keys, w.sequencer.ns}, 1, ADD, 2, &g.m, false));
    assert_false(topology_verify_mediators(w.t, w.now, 0, &h, &s, 1, &e));
    signature_free(&s);
    signed_txs_free(&twin);
    node_close(&second);
    world_close(&w);
}

static void an_announced_upgrade_freezes_the_topology(void **state)
{
    struct world w;
    struct node a;
    P30__LsuAnnouncement up = P30__LSU_ANNOUNCEMENT__INIT;
    P30__LsuSequencerConnectionSuccessor next = P30__LSU_SEQUENCER_CONNECTION_SUCCESSOR__INIT;
    P30__LsuSequencerConnectionSuccessor__SequencerConnection c;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT, n = P30__TOPOLOGY_MAPPING__INIT;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char psid[PSID_TEXT_SIZE + 8], *endpoint = text("http://new:1");

    (void)state;
    world_open(&w);
    node_open(&a, MEMBER_PARTICIPANT, "alice");
    struct signer owner = {w.sequencer.keys, w.sequencer.ns};

    at.seconds = T0 / 1000000;
    up.upgrade_time = &at;
    up.successor_physical_synchronizer_id = w.psid;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_UPGRADE_ANNOUNCEMENT;
    m.synchronizer_upgrade_announcement = &up;
    p30__lsu_sequencer_connection_successor__sequencer_connection__init(&c);
    c.endpoints = &endpoint;
    c.n_endpoints = 1;
    snprintf(psid, sizeof(psid), "%s::35-1", topology_synchronizer(w.t));
    next.sequencer_id = w.sequencer.member;
    next.successor_physical_synchronizer_id = psid;
    next.connection = &c;
    n.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCER_CONNECTION_SUCCESSOR;
    n.sequencer_connection_successor = &next;
    assert_rejected(apply_by(&w, &owner, 1, ADD, 1, &n, false), "NoLsuAnnounced");
    assert_rejected(apply_by(&w, &owner, 1, ADD, 1, &m, false), "InvalidUpgradeTime");
    at.seconds += 3600;
    assert_rejected(apply_by(&w, &owner, 1, ADD, 1, &m, false), "InvalidSynchronizerSuccessor");
    up.successor_physical_synchronizer_id = psid;
    assert_accepted(apply_by(&w, &owner, 1, ADD, 1, &m, false));
    assert_rejected(apply_one(&w, buffer_bytes(&a.identity.at[0])), "AnnouncedLsuTopologyFreeze");
    assert_accepted(apply_by(&w, &owner, 1, ADD, 1, &n, false));
    assert_rejected(apply_by(&w, &owner, 1, ADD, 2, &m, false), "InvalidSynchronizerSuccessor");
    assert_accepted(apply_by(&w, &owner, 1, TOPOLOGY_REMOVE, 2, &m, false));
    assert_accepted(apply_one(&w, buffer_bytes(&a.identity.at[0])));
    node_close(&a);
    world_close(&w);
}

static void a_locked_synchronizer_takes_nobody(void **state)
{
    struct world w;
    struct node a;
    struct signed_txs trust = {0};
    struct dynamic_parameters d;
    struct buffer packed = BUFFER_INIT;
    P30__SynchronizerParametersState s = P30__SYNCHRONIZER_PARAMETERS_STATE__INIT;
    P30__ParticipantSynchronizerPermission per = P30__PARTICIPANT_SYNCHRONIZER_PERMISSION__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    struct participant_attributes attributes;

    (void)state;
    world_open(&w);
    node_open(&a, MEMBER_PARTICIPANT, "alice");
    struct signer owner = {w.sequencer.keys, w.sequencer.ns};

    dynamic_parameters_default(&d);
    s.synchronizer_id = text(topology_synchronizer(w.t));
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_PARAMETERS_STATE;
    m.synchronizer_parameters_state = &s;
    for (size_t i = 0; i < 2; i++)
        assert_accepted(apply_one(&w, buffer_bytes(&a.identity.at[i])));
    assert_true(identity_trust(a.keys, a.ns, a.uid, topology_synchronizer(w.t), &trust, NULL));
    for (int restriction = ONBOARDING_LOCKED; restriction <= ONBOARDING_RESTRICTED_OPEN;
         restriction++) {
        d.onboarding = (enum onboarding_restriction)restriction;
        buffer_clear(&packed);
        assert_true(dynamic_parameters_build(&d, &packed, NULL));
        s.synchronizer_parameters =
            p30__dynamic_synchronizer_parameters__unpack(NULL, packed.len, packed.data);
        assert_accepted(apply_by(&w, &owner, 1, ADD, (uint32_t)restriction, &m, false));
        p30__dynamic_synchronizer_parameters__free_unpacked(s.synchronizer_parameters, NULL);
        assert_rejected(apply_one(&w, buffer_bytes(&trust.at[0])), "OnboardingRestrictionInPlace");
    }
    per.synchronizer_id = s.synchronizer_id;
    per.participant_uid = a.uid;
    per.permission = P30__ENUMS__PARTICIPANT_PERMISSION__PARTICIPANT_PERMISSION_CONFIRMATION;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_PARTICIPANT_PERMISSION;
    m.participant_permission = &per;
    assert_rejected(apply_by(&w, &(struct signer){a.keys, a.ns}, 1, ADD, 1, &m, false),
                    "NoDelegationFoundForKeys"); /* not the participant's to give */
    assert_accepted(apply_by(&w, &owner, 1, ADD, 1, &m, false));
    assert_accepted(apply_one(&w, buffer_bytes(&trust.at[0])));
    assert_true(topology_participant(w.t, w.now, a.uid, &attributes));
    assert_int_equal(attributes.permission, PERMISSION_CONFIRMATION);
    buffer_free(&packed);
    signed_txs_free(&trust);
    node_close(&a);
    world_close(&w);
}

/* ---- snapshots ---- */

static void download_all(const struct topology *t, const char *member, struct topology_items *out)
{
    size_t position = 0;
    bool is_last = false;
    struct error e;

    while (!is_last) {
        struct buffer chunk = BUFFER_INIT;

        must(topology_download(t, member, TS_MIN, &position, &chunk, &is_last, &e), &e);
        must(topology_items_from_message(buffer_bytes(&chunk), out, &e), &e);
        buffer_free(&chunk);
    }
}

static void a_download_replays_to_the_same_state_and_hash(void **state)
{
    struct world w;
    struct node a, b;
    struct hosting h = {0};
    struct topology_items items = {0}, rows = {0};
    struct topology *copy;
    struct hash told, seen;
    char party[UID_TEXT_SIZE];
    struct error e;

    (void)state;
    world_open(&w);
    participant_join(&w, &a, "alice");
    snprintf(party, sizeof(party), "bank::%s", a.ns);
    struct signer by_a = {a.keys, a.ns};

    hosting_fill(&h, party, &a, 1, NULL, 0);
    assert_accepted(apply_by(&w, &by_a, 1, ADD, 1, &h.m, false));
    h.p.threshold = 2;
    assert_accepted(apply_by(&w, &by_a, 1, ADD, 2, &h.m, false));
    h.p.threshold = 3;
    assert_rejected(apply_by(&w, &by_a, 1, ADD, 2, &h.m, false), "SerialMismatch");
    participant_join(&w, &b, "bob");
    h.p.threshold = 4; /* after bob: not in his snapshot, nor the end that it brings */
    assert_accepted(apply_by(&w, &by_a, 1, ADD, 3, &h.m, false));

    assert_false(topology_download(w.t, "PAR::x::1220", TS_MIN, &(size_t){0}, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_false(topology_download_hash(w.t, w.sequencer.member, TS_MIN, &told, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_false(topology_download_hash(w.t, b.member, w.now, &told, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    download_all(w.t, b.member, &items);
    must(topology_download_hash(w.t, b.member, TS_MIN, &told, &e), &e);
    must(topology_items_hash(&items, &seen, &e), &e);
    assert_true(hash_equal(&told, &seen));
    assert_int_equal(items.n, topology_row_count(w.t) - 1);

    must(topology_open(w.psid, &w.fixed, &copy, &e), &e);
    must(topology_load(copy, &items, &e), &e);
    topology_observe(copy, w.now);
    must(topology_download_hash(copy, b.member, TS_MIN, &seen, &e), &e); /* same rows again */
    assert_true(hash_equal(&told, &seen));
    topology_close(copy);

    items.at[3].valid_until = items.at[3].valid_from; /* a lie about an end */
    must(topology_open(w.psid, &w.fixed, &copy, &e), &e);
    assert_false(topology_load(copy, &items, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    topology_close(copy);
    items.at[3].valid_until = TOPOLOGY_OPEN;
    for (size_t i = 0; i < items.n; i++)
        if (items.at[i].rejection != NULL) { /* a lie about a rejection */
            free(items.at[i].rejection);
            items.at[i].rejection = NULL;
        }
    must(topology_open(w.psid, &w.fixed, &copy, &e), &e);
    assert_false(topology_load(copy, &items, &e));
    topology_close(copy);
    topology_items_free(&items);

    /* all rows, as a file of form V2, load into the same rows */
    struct buffer file = BUFFER_INIT;

    must(topology_rows(w.t, false, &rows, &e), &e);
    must(topology_items_to_file(&rows, &file, &e), &e);
    must(topology_items_from_file(buffer_bytes(&file), &items, &e), &e);
    must(topology_open(w.psid, &w.fixed, &copy, &e), &e);
    must(topology_load(copy, &items, &e), &e);
    must(topology_items_hash(&rows, &told, &e), &e);
    must(topology_items_hash(&items, &seen, &e), &e);
    assert_true(hash_equal(&told, &seen));
    topology_close(copy);
    buffer_free(&file);
    topology_items_free(&items);
    topology_items_free(&rows);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

/* ---- what is malformed ---- */

static void damaged_transactions_fail_or_are_rejected_and_never_crash(void **state)
{
    struct world w;
    struct node a;
    size_t n_rows;

    (void)state;
    world_open(&w);
    node_open(&a, MEMBER_PARTICIPANT, "alice");
    n_rows = topology_row_count(w.t);
    for (int round = 0; round < 3000; round++) {
        struct buffer bad = BUFFER_INIT;
        struct topology_outcome out;
        int flips = 1 + (int)random_below(3);

        buffer_append_bytes(&bad, buffer_bytes(&a.identity.at[round % 2]));
        for (int i = 0; i < flips; i++)
            bad.data[random_below(bad.len)] ^= (uint8_t)(1 + random_below(255));
        if (round % 7 == 0)
            bad.len = random_below(bad.len);
        struct bytes tx = buffer_bytes(&bad);

        if (topology_apply(w.t, w.now, &tx, 1, &out, NULL))
            n_rows++;
        buffer_free(&bad);
        w.now++;
    }
    assert_int_equal(topology_row_count(w.t), n_rows); /* what does not parse leaves nothing */
    assert_false(topology_member_known(w.t, w.now + DELAY, a.member));
    node_close(&a);
    world_close(&w);
}

static void one_bad_transaction_drops_its_broadcast(void **state)
{
    struct world w;
    struct node a;
    size_t n_rows;
    struct error e;

    (void)state;
    world_open(&w);
    node_open(&a, MEMBER_PARTICIPANT, "alice");
    struct bytes batch[] = {buffer_bytes(&a.identity.at[0]), bytes_str("junk")};

    n_rows = topology_row_count(w.t);
    assert_false(topology_apply(w.t, w.now, batch, 2, NULL, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    assert_int_equal(topology_row_count(w.t), n_rows);
    assert_int_equal(topology_sequenced_until(w.t), w.now);
    assert_false(topology_apply(w.t, w.now - 1, batch, 1, NULL, &e)); /* time does not go back */
    assert_true(topology_apply(w.t, w.now, batch, 1, NULL, &e));
    node_close(&a);
    world_close(&w);
}

static void damaged_snapshots_are_refused(void **state)
{
    struct world w;

    (void)state;
    world_open(&w);
    for (int round = 0; round < 500; round++) {
        struct topology_items items = {0};
        struct topology *t;
        struct buffer bad = BUFFER_INIT;

        buffer_append_bytes(&bad, buffer_bytes(&w.genesis));
        bad.data[random_below(bad.len)] ^= (uint8_t)(1 + random_below(255));
        if (round % 5 == 0)
            bad.len = random_below(bad.len);
        assert_true(topology_open(w.psid, &w.fixed, &t, NULL));
        if (topology_items_from_file(buffer_bytes(&bad), &items, NULL) &&
            topology_load(t, &items, NULL))
            assert_true(items.n <= topology_row_count(t)); /* a harmless bit, or cut at an item */
        topology_items_free(&items);
        topology_close(t);
        buffer_free(&bad);
    }
    world_close(&w);
}

static void static_parameters_survive_and_are_checked(void **state)
{
    struct static_parameters p, back;
    struct topology *t;
    struct buffer b = BUFFER_INIT;
    struct error e;

    (void)state;
    static_parameters_default(&p);
    assert_true(static_parameters_build(&p, &b, NULL));
    assert_true(static_parameters_parse(buffer_bytes(&b), &back, NULL));
    assert_int_equal(back.topology_change_delay_us, DELAY);
    assert_int_equal(back.protocol_version, 35);
    assert_int_equal(back.policy.signing_specs, crypto_policy_default.signing_specs);
    assert_int_equal(back.policy.signature_formats, crypto_policy_default.signature_formats);
    buffer_clear(&b);
    p.protocol_version = 34;
    assert_true(static_parameters_build(&p, &b, NULL));
    assert_false(static_parameters_parse(buffer_bytes(&b), &back, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_false(static_parameters_parse(bytes_of(NULL, 0), &back, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    static_parameters_default(&p);
    assert_false(topology_open("demo::1220aa::35-1", &p, &t, &e)); /* another serial */
    assert_false(topology_open("demo::1220aa", &p, &t, &e));
    buffer_free(&b);
}

/* ---- vectors of a real network ---- */

static void check_transaction(const json_t *v)
{
    struct buffer raw = vectors_hex(v, "signed_transaction_wrapped");
    struct signed_topology_tx tx;
    struct mapping *m;
    char hex[HASH_HEX_SIZE];
    struct error e;

    must(signed_topology_tx_parse(buffer_bytes(&raw), &tx, &e), &e);
    must(mapping_parse(tx.mapping, &m, &e), &e);
    assert_int_equal(m->code, vectors_int(v, "code"));
    assert_int_equal(tx.serial, vectors_int(v, "serial"));
    assert_int_equal(tx.op, vectors_int(v, "operation"));
    assert_int_equal(tx.n_signatures, vectors_int(v, "number_of_signatures"));
    hash_hex(&tx.hash, hex);
    assert_string_equal(hex, vectors_str(v, "hash"));
    hash_hex(&m->unique_key, hex);
    assert_string_equal(hex, vectors_str(v, "unique_key"));
    mapping_free(m);
    signed_topology_tx_free(&tx);
    buffer_free(&raw);
}

static void real_mappings_namespaces_and_state_hashes_hold(void **state)
{
    bool skipped;
    json_t *real = vectors_outside("real.json", &skipped), *v, *owner;
    const char *owners[16];
    char name[FINGERPRINT_SIZE], hex[HASH_HEX_SIZE];
    struct hash h[8], out;
    struct hash_builder b;
    size_t i, k;

    (void)state;
    if (skipped)
        skip();
    json_array_foreach(json_object_get(real, "topology_transactions"), i, v) check_transaction(v);
    json_array_foreach(json_object_get(real, "decentralized_namespace"), i, v)
    {
        size_t n = json_array_size(json_object_get(v, "owners"));

        json_array_foreach(json_object_get(v, "owners"), k, owner) owners[n - 1 - k] =
            json_string_value(owner); /* any order */
        assert_true(decentralized_namespace(owners, n, name, NULL));
        assert_string_equal(name, vectors_str(v, "namespace"));
    }
    v = json_object_get(real, "multi_transaction_hash");
    json_array_foreach(json_object_get(v, "transaction_hashes"), i, owner)
        assert_true(hex_decode(json_string_value(owner), h[i].b, HASH_LEN));
    assert_int_equal(i, 3); /* of the items 2, 0, 1 */
    hash_start(&b, HASH_INITIAL_TOPOLOGY_STATE);
    for (i = 0; i < 3; i++)
        hash_raw(&b, hash_as_bytes(&h[(i + 1) % 3]));
    assert_true(hash_finish(&b, &out, NULL));
    hash_hex(&out, hex);
    assert_string_equal(hex, vectors_str(json_object_get(real, "initial_topology_state_hash"),
                                         "first_three_items"));
    for (i = 0; i < 2; i++) /* three, sorted */
        for (k = 0; k < 2; k++)
            if (hash_compare(&h[k], &h[k + 1]) > 0) {
                struct hash swap = h[k];

                h[k] = h[k + 1];
                h[k + 1] = swap;
            }
    assert_true(topology_multi_hash(h, 3, &out, NULL));
    hash_hex(&out, hex);
    assert_string_equal(hex, vectors_str(v, "combined"));
    json_decref(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosting_needs_the_party_and_each_new_host),
        cmocka_unit_test(a_participant_is_the_party_of_its_own_name),
        cmocka_unit_test(one_that_left_cannot_come_back),
        cmocka_unit_test(a_group_needs_its_threshold_of_distinct_members),
        cmocka_unit_test(a_key_that_two_members_share_proves_neither),
        cmocka_unit_test(an_announced_upgrade_freezes_the_topology),
        cmocka_unit_test(a_locked_synchronizer_takes_nobody),
        cmocka_unit_test(a_download_replays_to_the_same_state_and_hash),
        cmocka_unit_test(damaged_transactions_fail_or_are_rejected_and_never_crash),
        cmocka_unit_test(one_bad_transaction_drops_its_broadcast),
        cmocka_unit_test(damaged_snapshots_are_refused),
        cmocka_unit_test(static_parameters_survive_and_are_checked),
        cmocka_unit_test(real_mappings_namespaces_and_state_hashes_hold),
    };

    return cmocka_run_group_tests_name("topology rules", tests, NULL, NULL);
}
