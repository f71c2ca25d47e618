/* make.h: every mapping as a message, for tests: what they hold is borrowed, and lives in the
 * maker. */
#ifndef T_TOPOLOGY_MAKE_H
#define T_TOPOLOGY_MAKE_H
#include "t/unit/topology_world.h"

/* Initialisers of generated structs name retired fields. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define MAKE_MAX 24 /* of any list */

struct maker {
    P30__TopologyMapping m; /* to be signed */
    union {
        P30__NamespaceDelegation delegation;
        P30__DecentralizedNamespaceDefinition definition;
        P30__OwnerToKeyMapping keys;
        P30__PartyToKeyMapping party_keys;
        P30__SynchronizerTrustCertificate trust;
        P30__ParticipantSynchronizerPermission permission;
        P30__PartyHostingLimits limits;
        P30__VettedPackages packages;
        P30__PartyToParticipant hosting;
        P30__SynchronizerParametersState parameters;
        P30__DynamicSequencingParametersState sequencing;
        P30__MediatorSynchronizerState mediators;
        P30__SequencerSynchronizerState sequencers;
        P30__LsuAnnouncement upgrade;
        P30__LsuSequencerConnectionSuccessor successor;
    } u;
    struct key_message keys[MAKE_MAX];
    C30__PublicKey *public_keys[MAKE_MAX];
    C30__SigningPublicKey *signing_keys[MAKE_MAX];
    C30__SigningKeysWithThreshold with_threshold;
    char *names[MAKE_MAX], *others[MAKE_MAX], *text;
    P30__Enums__TopologyMappingCode codes[MAKE_MAX];
    P30__Enums__ParticipantFeatureFlag flag;
    P30__NamespaceDelegation__CanSignAllMappings all;
    P30__NamespaceDelegation__CanSignAllButNamespaceDelegations all_but;
    P30__NamespaceDelegation__CanSignSpecificMappings specific;
    P30__PartyToParticipant__HostingParticipant hosts[MAKE_MAX], *host_list[MAKE_MAX];
    P30__PartyToParticipant__HostingParticipant__Onboarding onboarding;
    P30__DynamicSequencingParameters sequencing;
    P30__LsuSequencerConnectionSuccessor__SequencerConnection connection;
    Google__Protobuf__Timestamp at;
};

static inline void make_start(struct maker *k, int field)
{
    memset(k, 0, sizeof(*k));
    p30__topology_mapping__init(&k->m);
    k->m.mapping_case = (P30__TopologyMapping__MappingCase)field;
}

static inline void make_signing_keys(struct maker *k, const struct public_key *const *keys,
                                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        key_to_message(keys[i], &k->keys[i]);
        k->signing_keys[i] = &k->keys[i].signing;
    }
}

/* codes: what it may sign; n 0: all; n -1: all but delegations. */
static inline void make_delegation(struct maker *k, const char *ns, const struct public_key *target,
                                   const int *codes, int n)
{
    P30__NamespaceDelegation *d = &k->u.delegation;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_NAMESPACE_DELEGATION);
    p30__namespace_delegation__init(d);
    k->m.namespace_delegation = d;
    make_signing_keys(k, &target, 1);
    d->namespace_ = text(ns);
    d->target_key = k->signing_keys[0];
    p30__namespace_delegation__can_sign_all_mappings__init(&k->all);
    p30__namespace_delegation__can_sign_all_but_namespace_delegations__init(&k->all_but);
    p30__namespace_delegation__can_sign_specific_mappings__init(&k->specific);
    if (n == 0) {
        d->restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_MAPPINGS;
        d->can_sign_all_mappings = &k->all;
    } else if (n < 0) {
        d->restriction_case =
            P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_BUT_NAMESPACE_DELEGATIONS;
        d->can_sign_all_but_namespace_delegations = &k->all_but;
    } else {
        for (int i = 0; i < n; i++)
            k->codes[i] = (P30__Enums__TopologyMappingCode)codes[i];
        k->specific.mappings = k->codes;
        k->specific.n_mappings = (size_t)n;
        d->restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_SPECIFIC_MAPINGS;
        d->can_sign_specific_mapings = &k->specific;
    }
}

static inline void make_definition(struct maker *k, const char *ns, int32_t threshold,
                                   const char *const *owners, size_t n)
{
    P30__DecentralizedNamespaceDefinition *d = &k->u.definition;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_DECENTRALIZED_NAMESPACE_DEFINITION);
    p30__decentralized_namespace_definition__init(d);
    k->m.decentralized_namespace_definition = d;
    d->decentralized_namespace = text(ns);
    d->threshold = threshold;
    for (size_t i = 0; i < n; i++)
        k->names[i] = text(owners[i]);
    d->owners = k->names;
    d->n_owners = n;
}

static inline void make_keys(struct maker *k, const char *member,
                             const struct public_key *const *keys, size_t n)
{
    P30__OwnerToKeyMapping *o = &k->u.keys;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_OWNER_TO_KEY_MAPPING);
    p30__owner_to_key_mapping__init(o);
    k->m.owner_to_key_mapping = o;
    o->member = text(member);
    for (size_t i = 0; i < n; i++) {
        key_to_message(keys[i], &k->keys[i]);
        k->public_keys[i] = &k->keys[i].key;
    }
    o->public_keys = k->public_keys;
    o->n_public_keys = n;
}

static inline void make_party_keys(struct maker *k, const char *party,
                                   const struct public_key *const *keys, size_t n,
                                   uint32_t threshold)
{
    P30__PartyToKeyMapping *p = &k->u.party_keys;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_PARTY_TO_KEY_MAPPING);
    p30__party_to_key_mapping__init(p);
    k->m.party_to_key_mapping = p;
    make_signing_keys(k, keys, n);
    p->party = text(party);
    p->threshold = threshold;
    p->signing_keys = k->signing_keys;
    p->n_signing_keys = n;
}

static inline void make_trust(struct maker *k, const char *uid, const char *synchronizer)
{
    P30__SynchronizerTrustCertificate *t = &k->u.trust;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_TRUST_CERTIFICATE);
    p30__synchronizer_trust_certificate__init(t);
    k->m.synchronizer_trust_certificate = t;
    t->participant_uid = text(uid);
    t->synchronizer_id = text(synchronizer);
}

static inline void make_permission(struct maker *k, const char *uid, const char *synchronizer,
                                   int permission)
{
    P30__ParticipantSynchronizerPermission *p = &k->u.permission;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_PARTICIPANT_PERMISSION);
    p30__participant_synchronizer_permission__init(p);
    k->m.participant_permission = p;
    p->participant_uid = text(uid);
    p->synchronizer_id = text(synchronizer);
    p->permission = (P30__Enums__ParticipantPermission)permission;
}

static inline void make_limits(struct maker *k, const char *party, const char *synchronizer)
{
    P30__PartyHostingLimits *l = &k->u.limits;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_PARTY_HOSTING_LIMITS);
    p30__party_hosting_limits__init(l);
    k->m.party_hosting_limits = l;
    l->party = text(party);
    l->synchronizer_id = text(synchronizer);
}

static inline void make_packages(struct maker *k, const char *uid, const char *const *ids, size_t n)
{
    P30__VettedPackages *v = &k->u.packages;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_VETTED_PACKAGES);
    p30__vetted_packages__init(v);
    k->m.vetted_packages = v;
    v->participant_uid = text(uid);
    for (size_t i = 0; i < n; i++)
        k->names[i] = text(ids[i]);
    v->package_ids = k->names;
    v->n_package_ids = n;
}

/* permissions[i] of uids[i]; negative: onboarding. */
static inline void make_hosting(struct maker *k, const char *party, uint32_t threshold,
                                const char *const *uids, const int *permissions, size_t n)
{
    P30__PartyToParticipant *p = &k->u.hosting;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_PARTY_TO_PARTICIPANT);
    p30__party_to_participant__init(p);
    p30__party_to_participant__hosting_participant__onboarding__init(&k->onboarding);
    k->m.party_to_participant = p;
    p->party = text(party);
    p->threshold = threshold;
    for (size_t i = 0; i < n; i++) {
        p30__party_to_participant__hosting_participant__init(&k->hosts[i]);
        k->hosts[i].participant_uid = text(uids[i]);
        k->hosts[i].permission = (P30__Enums__ParticipantPermission)abs(permissions[i]);
        k->hosts[i].onboarding = permissions[i] < 0 ? &k->onboarding : NULL;
        k->host_list[i] = &k->hosts[i];
    }
    p->participants = k->host_list;
    p->n_participants = n;
}

/* The party's own keys, after make_hosting. */
static inline void make_hosting_keys(struct maker *k, const struct public_key *const *keys,
                                     size_t n, uint32_t threshold)
{
    make_signing_keys(k, keys, n);
    c30__signing_keys_with_threshold__init(&k->with_threshold);
    k->with_threshold.keys = k->signing_keys;
    k->with_threshold.n_keys = n;
    k->with_threshold.threshold = threshold;
    k->u.hosting._party_signing_keys_case =
        P30__PARTY_TO_PARTICIPANT___PARTY_SIGNING_KEYS_PARTY_SIGNING_KEYS;
    k->u.hosting.party_signing_keys = &k->with_threshold;
}

/* The message inside must be released: make_parameters_free. */
static inline void make_parameters(struct maker *k, const char *synchronizer,
                                   const struct dynamic_parameters *d)
{
    P30__SynchronizerParametersState *s = &k->u.parameters;
    struct buffer packed = BUFFER_INIT;
    struct error e;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_PARAMETERS_STATE);
    p30__synchronizer_parameters_state__init(s);
    k->m.synchronizer_parameters_state = s;
    s->synchronizer_id = text(synchronizer);
    must(dynamic_parameters_build(d, &packed, &e), &e);
    s->synchronizer_parameters =
        p30__dynamic_synchronizer_parameters__unpack(NULL, packed.len, packed.data);
    buffer_free(&packed);
}

static inline void make_parameters_free(struct maker *k)
{
    p30__dynamic_synchronizer_parameters__free_unpacked(k->u.parameters.synchronizer_parameters,
                                                        NULL);
}

static inline void make_sequencing(struct maker *k, const char *synchronizer, const char *payload)
{
    P30__DynamicSequencingParametersState *s = &k->u.sequencing;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCING_DYNAMIC_PARAMETERS_STATE);
    p30__dynamic_sequencing_parameters_state__init(s);
    p30__dynamic_sequencing_parameters__init(&k->sequencing);
    k->m.sequencing_dynamic_parameters_state = s;
    s->synchronizer_id = text(synchronizer);
    s->sequencing_parameters = &k->sequencing;
    k->sequencing.payload = (ProtobufCBinaryData){strlen(payload), (uint8_t *)(uintptr_t)payload};
}

static inline size_t make_names(char **out, const char *const *in)
{
    size_t n = 0;

    for (; in != NULL && in[n] != NULL; n++)
        out[n] = text(in[n]);
    return n;
}

/* Lists end with NULL; observers may be NULL. */
static inline void make_mediators(struct maker *k, const char *synchronizer, uint32_t group,
                                  uint32_t threshold, const char *const *active,
                                  const char *const *observers)
{
    P30__MediatorSynchronizerState *s = &k->u.mediators;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_MEDIATOR_SYNCHRONIZER_STATE);
    p30__mediator_synchronizer_state__init(s);
    k->m.mediator_synchronizer_state = s;
    s->synchronizer_id = text(synchronizer);
    s->group = group;
    s->threshold = threshold;
    s->active = k->names;
    s->n_active = make_names(k->names, active);
    s->observers = k->others;
    s->n_observers = make_names(k->others, observers);
}

static inline void make_sequencers(struct maker *k, const char *synchronizer, uint32_t threshold,
                                   const char *const *active, const char *const *observers)
{
    P30__SequencerSynchronizerState *s = &k->u.sequencers;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCER_SYNCHRONIZER_STATE);
    p30__sequencer_synchronizer_state__init(s);
    k->m.sequencer_synchronizer_state = s;
    s->synchronizer_id = text(synchronizer);
    s->threshold = threshold;
    s->active = k->names;
    s->n_active = make_names(k->names, active);
    s->observers = k->others;
    s->n_observers = make_names(k->others, observers);
}

static inline void make_upgrade(struct maker *k, const char *successor, int64_t seconds)
{
    P30__LsuAnnouncement *u = &k->u.upgrade;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_UPGRADE_ANNOUNCEMENT);
    p30__lsu_announcement__init(u);
    k->m.synchronizer_upgrade_announcement = u;
    google__protobuf__timestamp__init(&k->at);
    k->at.seconds = seconds;
    u->successor_physical_synchronizer_id = text(successor);
    u->upgrade_time = &k->at;
}

static inline void make_successor(struct maker *k, const char *sequencer, const char *successor,
                                  const char *endpoint)
{
    P30__LsuSequencerConnectionSuccessor *s = &k->u.successor;

    make_start(k, P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCER_CONNECTION_SUCCESSOR);
    p30__lsu_sequencer_connection_successor__init(s);
    p30__lsu_sequencer_connection_successor__sequencer_connection__init(&k->connection);
    k->m.sequencer_connection_successor = s;
    s->sequencer_id = text(sequencer);
    s->successor_physical_synchronizer_id = text(successor);
    s->connection = &k->connection;
    k->names[0] = text(endpoint);
    k->connection.endpoints = k->names;
    k->connection.n_endpoints = 1;
}
#endif
