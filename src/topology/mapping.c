/* mapping.c: what a mapping says, and what the protocol's own parser would refuse. */
#include "topology/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "topology/timestamps.h"
#include "wire/keys.h"

/* Transactions of real networks hold retired fields, which the generated headers mark. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define OWNER_KEYS_MAX 20
#define ALL_CODES      UINT32_MAX

const char *namespace_of(const char *uid)
{
    const char *sep = strstr(uid, "::");

    return sep != NULL ? sep + 2 : "";
}

void mapping_free(struct mapping *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n_keys; i++)
        public_key_unref(m->keys[i]);
    for (size_t i = 0; i < m->n_names; i++)
        free(m->names[i]);
    for (size_t i = 0; i < m->n_observers; i++)
        free(m->observers[i]);
    for (size_t i = 0; i < m->n_hosts; i++)
        free(m->hosts[i].uid);
    free(m->keys);
    free(m->names);
    free(m->observers);
    free(m->hosts);
    free(m->parameters);
    free(m->subject);
    free(m->ns);
    free(m->synchronizer);
    free(m->successor);
    free(m);
}

static int text_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool in_sorted(char *const *names, size_t n, const char *uid)
{
    return n > 0 && bsearch(&uid, names, n, sizeof(*names), text_order) != NULL;
}

bool mapping_names(const struct mapping *m, const char *uid)
{
    return in_sorted(m->names, m->n_names, uid);
}

bool mapping_observes(const struct mapping *m, const char *uid)
{
    return in_sorted(m->observers, m->n_observers, uid);
}

const struct public_key *mapping_key(const struct mapping *m, const char *fingerprint)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (strcmp(m->keys[i]->fingerprint, fingerprint) == 0)
            return m->keys[i];
    return NULL;
}

bool decentralized_namespace(const char *const *owners, size_t n, char out[FINGERPRINT_SIZE],
                             struct error *err)
{
    const char **sorted = n > 0 ? malloc(n * sizeof(*sorted)) : NULL;
    struct hash_builder b;
    struct hash h;

    if (sorted == NULL)
        return error_set(err, ERR_MEMORY, NULL, "owners of a namespace");
    memcpy(sorted, owners, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), text_order);
    hash_start(&b, HASH_DECENTRALIZED_NAMESPACE);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
            hash_str(&b, sorted[i]);
    free(sorted);
    if (!hash_finish(&b, &h, err))
        return false;
    hash_hex(&h, out);
    return true;
}

/* ---- parts ---- */

static bool copy_text(char **out, const char *text, struct error *err)
{
    *out = strdup(text);
    return *out != NULL || error_set(err, ERR_MEMORY, NULL, "topology mapping");
}

/* "PAR::" in front of a participant's uid is an older form and dropped. */
static const char *participant_uid(const char *text)
{
    return strncmp(text, "PAR::", 5) == 0 ? text + 5 : text;
}

/* subject and ns from a uid. */
static bool take_uid(struct mapping *m, const char *text, struct error *err)
{
    return uid_parse(text, NULL, err) && copy_text(&m->subject, text, err) &&
           copy_text(&m->ns, namespace_of(text), err);
}

static bool take_namespace(struct mapping *m, const char *text, struct error *err)
{
    if (!fingerprint_text_valid(text))
        return error_set(err, ERR_MALFORMED, NULL, "not a namespace: \"%.80s\"", text);
    return copy_text(&m->subject, text, err) && copy_text(&m->ns, text, err);
}

static bool take_synchronizer(struct mapping *m, const char *text, struct error *err)
{
    return uid_parse(text, NULL, err) && copy_text(&m->synchronizer, text, err);
}

static bool take_threshold(struct mapping *m, int64_t threshold, size_t most, struct error *err)
{
    if (threshold < 1 || threshold > INT32_MAX || (uint64_t)threshold > most)
        return error_set(err, ERR_MALFORMED, NULL, "threshold %lld of %zu", (long long)threshold,
                         most);
    m->threshold = (int32_t)threshold;
    return true;
}

struct place {
    const char *text;
    size_t index;
};

static int place_order(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int c = strcmp(x->text, y->text);

    return c != 0 ? c : (x->index > y->index) - (x->index < y->index);
}

/* is_double[i]: an equal text stands before i. NULL when out of memory; the caller frees it. */
static bool *find_doubles(char *const *texts, size_t n)
{
    struct place *p = calloc(n + 1, sizeof(*p));
    bool *is_double = calloc(n + 1, sizeof(*is_double));

    if (p == NULL || is_double == NULL) {
        free(p);
        free(is_double);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (struct place){texts[i], i};
    qsort(p, n, sizeof(*p), place_order);
    for (size_t i = 1; i < n; i++)
        if (strcmp(p[i].text, p[i - 1].text) == 0)
            is_double[p[i].index] = true;
    free(p);
    return is_double;
}

/* Copies names in their order, without doubles. */
static bool take_names(char *const *in, size_t n, bool are_uids, char ***out, size_t *n_out,
                       struct error *err)
{
    bool *is_double = find_doubles(in, n);
    bool ok = true;

    *out = calloc(n + 1, sizeof(**out));
    if (*out == NULL || is_double == NULL)
        ok = error_set(err, ERR_MEMORY, NULL, "%zu names in a mapping", n);
    for (size_t i = 0; i < n && ok; i++) {
        if (are_uids)
            ok = uid_parse(in[i], NULL, err);
        else if (!fingerprint_text_valid(in[i]))
            ok = error_set(err, ERR_MALFORMED, NULL, "not a namespace: \"%.80s\"", in[i]);
        if (ok && !is_double[i]) {
            ok = copy_text(&(*out)[*n_out], in[i], err);
            *n_out += ok ? 1 : 0;
        }
    }
    free(is_double);
    return ok;
}

static bool room_for_keys(struct mapping *m, size_t n, struct error *err)
{
    m->keys = calloc(n + 1, sizeof(struct public_key *));
    return m->keys != NULL || error_set(err, ERR_MEMORY, NULL, "%zu keys in a mapping", n);
}

/* Signing keys; doubles collapse. */
static bool take_signing_keys(struct mapping *m, C30__SigningPublicKey *const *in, size_t n,
                              struct error *err)
{
    if (!room_for_keys(m, n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!key_from_signing(in[i], &m->keys[m->n_keys], err))
            return false;
        m->n_keys++;
        for (size_t j = 0; j + 1 < m->n_keys; j++)
            if (strcmp(m->keys[j]->fingerprint, m->keys[m->n_keys - 1]->fingerprint) == 0) {
                public_key_unref(m->keys[--m->n_keys]);
                break;
            }
    }
    return true;
}

/* A code that restrictions may name: those of the mappings above; there are holes. */
static bool is_code(int code)
{
    static const uint32_t codes =
        1u << MAPPING_NAMESPACE | 1u << MAPPING_DECENTRALIZED | 1u << MAPPING_KEYS |
        1u << MAPPING_TRUST | 1u << MAPPING_PERMISSION | 1u << MAPPING_LIMITS |
        1u << MAPPING_PACKAGES | 1u << MAPPING_HOSTING | 1u << MAPPING_PARAMETERS |
        1u << MAPPING_MEDIATORS | 1u << MAPPING_SEQUENCERS | 1u << MAPPING_SEQUENCING |
        1u << MAPPING_PARTY_KEYS | 1u << MAPPING_UPGRADE | 1u << MAPPING_SUCCESSOR;

    return code > 0 && code < MAPPING_CODE_N && (codes >> code & 1) != 0;
}

/* ---- one function a mapping; extra: canonical bytes of content that is not kept otherwise ---- */

static bool from_namespace(struct mapping *m, const P30__NamespaceDelegation *p, struct error *err)
{
    bool has_case = p->restriction_case != P30__NAMESPACE_DELEGATION__RESTRICTION__NOT_SET;

    if (p->target_key == NULL)
        return error_set(err, ERR_MALFORMED, NULL, "delegation without target key");
    if (!take_namespace(m, p->namespace_, err) || !room_for_keys(m, 1, err) ||
        !key_from_signing(p->target_key, &m->keys[0], err))
        return false;
    m->n_keys = 1;
    if ((m->keys[0]->usages & USAGE_NAMESPACE) == 0)
        return error_set(err, ERR_MALFORMED, NULL, "target key %s is not for namespaces",
                         m->keys[0]->fingerprint);
    if (has_case && p->is_root_delegation)
        return error_set(err, ERR_MALFORMED, NULL, "delegation with an old and a new restriction");
    m->may_sign = ALL_CODES;
    if (p->restriction_case ==
            P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_BUT_NAMESPACE_DELEGATIONS ||
        (!has_case && !p->is_root_delegation))
        m->may_sign = ALL_CODES & ~(1u << MAPPING_NAMESPACE);
    if (p->restriction_case == P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_SPECIFIC_MAPINGS) {
        const P30__NamespaceDelegation__CanSignSpecificMappings *s = p->can_sign_specific_mapings;

        m->may_sign = 0;
        for (size_t i = 0; i < s->n_mappings; i++) {
            if (!is_code((int)s->mappings[i]))
                return error_set(err, ERR_MALFORMED, NULL, "unknown mapping code %d",
                                 (int)s->mappings[i]);
            m->may_sign |= 1u << (int)s->mappings[i];
        }
        if (m->may_sign == 0)
            return error_set(err, ERR_MALFORMED, NULL, "delegation for no mapping");
    }
    if (strcmp(m->keys[0]->fingerprint, m->ns) == 0 &&
        (m->may_sign & (1u << MAPPING_NAMESPACE)) == 0)
        return error_set(err, ERR_MALFORMED, NULL, "root key of %s may not delegate", m->ns);
    return true;
}

static bool from_decentralized(struct mapping *m, const P30__DecentralizedNamespaceDefinition *p,
                               struct error *err)
{
    if (!take_namespace(m, p->decentralized_namespace, err) ||
        !take_names(p->owners, p->n_owners, false, &m->names, &m->n_names, err))
        return false;
    qsort(m->names, m->n_names, sizeof(*m->names), text_order);
    return take_threshold(m, p->threshold, m->n_names, err);
}

static bool from_keys(struct mapping *m, const P30__OwnerToKeyMapping *p, struct error *err)
{
    if (!member_parse(p->member, NULL, NULL, err) || !copy_text(&m->subject, p->member, err) ||
        !copy_text(&m->ns, namespace_of(member_uid(p->member)), err))
        return false;
    if (p->n_public_keys < 1 || p->n_public_keys > OWNER_KEYS_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "%zu keys of %s, expected 1 to %d",
                         p->n_public_keys, p->member, OWNER_KEYS_MAX);
    if (!room_for_keys(m, p->n_public_keys, err))
        return false;
    for (size_t i = 0; i < p->n_public_keys; i++) {
        struct public_key *k;

        if (!key_from_public(p->public_keys[i], &k, err))
            return false;
        bool is_double = mapping_key(m, k->fingerprint) != NULL;

        m->keys[m->n_keys++] = k;
        if (is_double)
            return error_set(err, ERR_MALFORMED, NULL, "%s has a key twice", p->member);
    }
    return true;
}

static bool from_party_keys(struct mapping *m, const P30__PartyToKeyMapping *p, struct error *err)
{
    if (!take_uid(m, p->party, err) ||
        !take_signing_keys(m, p->signing_keys, p->n_signing_keys <= 1000 ? p->n_signing_keys : 1000,
                           err))
        return false;
    if (m->n_keys < 1 || m->n_keys > OWNER_KEYS_MAX || p->n_signing_keys > 1000)
        return error_set(err, ERR_MALFORMED, NULL, "%zu keys of party %s", m->n_keys, p->party);
    return take_threshold(m, p->threshold, m->n_keys, err);
}

static int int_order(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static bool from_trust(struct mapping *m, const P30__SynchronizerTrustCertificate *p,
                       struct buffer *extra, struct error *err)
{
    int *flags = calloc(p->n_feature_flags + 1, sizeof(*flags));

    if (flags == NULL)
        return error_set(err, ERR_MEMORY, NULL, "trust certificate");
    for (size_t i = 0; i < p->n_feature_flags; i++)
        flags[i] = (int)p->feature_flags[i];
    qsort(flags, p->n_feature_flags, sizeof(*flags), int_order);
    for (size_t i = 0; i < p->n_feature_flags; i++)
        if (flags[i] != 0 && (i == 0 || flags[i] != flags[i - 1]))
            buffer_append_be32(extra, (uint32_t)flags[i]);
    free(flags);
    return take_uid(m, participant_uid(p->participant_uid), err) &&
           take_synchronizer(m, p->synchronizer_id, err);
}

static bool take_permission(int value, enum permission *out, struct error *err)
{
    if (value < PERMISSION_SUBMISSION || value > PERMISSION_OBSERVATION)
        return error_set(err, ERR_MALFORMED, NULL, "unknown permission %d", value);
    *out = (enum permission)value;
    return true;
}

static bool from_permission(struct mapping *m, const P30__ParticipantSynchronizerPermission *p,
                            struct error *err)
{
    if (!take_uid(m, participant_uid(p->participant_uid), err) ||
        !take_synchronizer(m, p->synchronizer_id, err) ||
        !take_permission((int)p->permission, &m->permission, err))
        return false;
    if (p->limits != NULL)
        m->max_rate = p->limits->confirmation_requests_max_rate;
    m->has_login_after =
        p->_login_after_case == P30__PARTICIPANT_SYNCHRONIZER_PERMISSION___LOGIN_AFTER_LOGIN_AFTER;
    m->login_after = m->has_login_after ? p->login_after : 0;
    return !m->has_login_after || ts_check(m->login_after, "login_after", err);
}

/* No id of the first n_first stands among the others too. */
static bool check_lists(char *const *ids, size_t n_first, size_t n, struct error *err)
{
    struct place *at = calloc(n + 1, sizeof(*at));
    bool ok = at != NULL || error_set(err, ERR_MEMORY, NULL, "%zu packages", n);

    for (size_t i = 0; i < n && ok; i++)
        at[i] = (struct place){ids[i], i};
    if (ok)
        qsort(at, n, sizeof(*at), place_order);
    for (size_t i = 1; i < n && ok; i++) /* of equal ids those of the first list stand first */
        if (at[i - 1].index < n_first && at[i].index >= n_first &&
            strcmp(at[i - 1].text, at[i].text) == 0)
            ok = error_set(err, ERR_MALFORMED, NULL, "package %.80s is in both lists", at[i].text);
    free(at);
    return ok;
}

static bool from_packages(struct mapping *m, const P30__VettedPackages *p, struct buffer *extra,
                          struct error *err)
{
    size_t n = p->n_package_ids + p->n_packages;
    char **ids = calloc(n + 1, sizeof(*ids));
    bool ok = true;
    int64_t ts = 0;

    if (ids == NULL)
        return error_set(err, ERR_MEMORY, NULL, "%zu packages", n);
    for (size_t i = 0; i < n; i++) {
        const P30__VettedPackages__VettedPackage *v =
            i < p->n_package_ids ? NULL : p->packages[i - p->n_package_ids];

        ids[i] = v == NULL ? p->package_ids[i] : v->package_id;
        buffer_append_be32(extra, (uint32_t)strlen(ids[i]));
        buffer_append_str(extra, ids[i]);
        buffer_append_byte(extra, v != NULL && v->valid_from_inclusive != NULL);
        if (ok && v != NULL && v->valid_from_inclusive != NULL) {
            ok = ts_read(v->valid_from_inclusive, "valid_from_inclusive", &ts, err);
            buffer_append_be64(extra, ok ? (uint64_t)ts : 0);
        }
        buffer_append_byte(extra, v != NULL && v->valid_until_exclusive != NULL);
        if (ok && v != NULL && v->valid_until_exclusive != NULL) {
            ok = ts_read(v->valid_until_exclusive, "valid_until_exclusive", &ts, err);
            buffer_append_be64(extra, ok ? (uint64_t)ts : 0);
        }
    }
    ok = ok && check_lists(ids, p->n_package_ids, n, err);
    free(ids);
    return ok && take_uid(m, participant_uid(p->participant_uid), err);
}

/* Doubles of a participant collapse to the higher permission, in the first one's place. */
static bool take_hosts(struct mapping *m, const P30__PartyToParticipant *p, struct error *err)
{
    size_t n = p->n_participants;
    struct place *at = calloc(n + 1, sizeof(*at));

    m->hosts = calloc(n + 1, sizeof(*m->hosts));
    if (at == NULL || m->hosts == NULL) {
        free(at);
        return error_set(err, ERR_MEMORY, NULL, "%zu hosting participants", n);
    }
    for (size_t i = 0; i < n; i++) {
        at[i] = (struct place){participant_uid(p->participants[i]->participant_uid), i};
    }
    qsort(at, n, sizeof(*at), place_order);
    bool ok = true;

    for (size_t i = 0; i < n && ok; i++) {
        const P30__PartyToParticipant__HostingParticipant *h = p->participants[at[i].index];
        struct host *last = m->n_hosts > 0 ? &m->hosts[m->n_hosts - 1] : NULL;
        struct host one = {.is_onboarding = h->onboarding != NULL};

        ok = take_permission((int)h->permission, &one.permission, err) &&
             uid_parse(at[i].text, NULL, err);
        if (ok && last != NULL && strcmp(last->uid, at[i].text) == 0) {
            if (one.permission < last->permission) {
                last->permission = one.permission;
                last->is_onboarding = one.is_onboarding;
            }
        } else if (ok) {
            ok = copy_text(&one.uid, at[i].text, err);
            m->hosts[m->n_hosts] = one;
            m->n_hosts += ok ? 1 : 0;
        }
    }
    free(at);
    return ok;
}

static bool from_hosting(struct mapping *m, const P30__PartyToParticipant *p, struct error *err)
{
    const C30__SigningKeysWithThreshold *k =
        p->_party_signing_keys_case ==
                P30__PARTY_TO_PARTICIPANT___PARTY_SIGNING_KEYS_PARTY_SIGNING_KEYS
            ? p->party_signing_keys
            : NULL;

    if (!take_uid(m, p->party, err) || !take_threshold(m, p->threshold, INT32_MAX, err) ||
        !take_hosts(m, p, err))
        return false;
    if (k == NULL)
        return true;
    if (k->n_keys > 1000)
        return error_set(err, ERR_LIMIT, NULL, "%zu keys of party %s", k->n_keys, p->party);
    if (!take_signing_keys(m, k->keys, k->n_keys, err))
        return false;
    if (k->threshold < 1 || k->threshold > m->n_keys)
        return error_set(err, ERR_MALFORMED, NULL, "threshold %u of %zu keys", k->threshold,
                         m->n_keys);
    m->keys_threshold = (int32_t)k->threshold;
    return true;
}

static bool take_state(struct mapping *m, const char *synchronizer, struct error *err)
{
    return take_uid(m, synchronizer, err) && take_synchronizer(m, synchronizer, err);
}

static bool from_group(struct mapping *m, const char *synchronizer, uint32_t threshold,
                       char *const *active, size_t n_active, char *const *observers,
                       size_t n_observers, struct error *err)
{
    if (!take_state(m, synchronizer, err) || !take_threshold(m, threshold, n_active, err) ||
        !take_names(active, n_active, true, &m->names, &m->n_names, err) ||
        !take_names(observers, n_observers, true, &m->observers, &m->n_observers, err))
        return false;
    return true;
}

static bool from_upgrade(struct mapping *m, const P30__LsuAnnouncement *p, struct error *err)
{
    char logical[UID_TEXT_SIZE];

    return psid_parse(p->successor_physical_synchronizer_id, NULL, err) &&
           psid_logical(p->successor_physical_synchronizer_id, logical, err) &&
           take_state(m, logical, err) &&
           copy_text(&m->successor, p->successor_physical_synchronizer_id, err) &&
           ts_read(p->upgrade_time, "upgrade_time", &m->upgrade_time, err);
}

static bool from_successor(struct mapping *m, const P30__LsuSequencerConnectionSuccessor *p,
                           struct buffer *extra, struct error *err)
{
    const P30__LsuSequencerConnectionSuccessor__SequencerConnection *c = p->connection;
    char logical[UID_TEXT_SIZE];
    enum member_kind kind;

    if (!member_parse(p->sequencer_id, &kind, NULL, err) ||
        !psid_parse(p->successor_physical_synchronizer_id, NULL, err) ||
        !psid_logical(p->successor_physical_synchronizer_id, logical, err))
        return false;
    if (kind != MEMBER_SEQUENCER || c == NULL || c->n_endpoints == 0)
        return error_set(err, ERR_MALFORMED, NULL, "successor connection of %s", p->sequencer_id);
    for (size_t i = 0; i < c->n_endpoints; i++) {
        buffer_append_be32(extra, (uint32_t)strlen(c->endpoints[i]));
        buffer_append_str(extra, c->endpoints[i]);
    }
    if (c->_custom_trust_certificates_case != 0)
        buffer_append(extra, c->custom_trust_certificates.data, c->custom_trust_certificates.len);
    return take_uid(m, member_uid(p->sequencer_id), err) && take_synchronizer(m, logical, err) &&
           copy_text(&m->successor, p->successor_physical_synchronizer_id, err);
}

static bool from_parameters(struct mapping *m, const P30__SynchronizerParametersState *p,
                            struct buffer *extra, struct error *err)
{
    if (p->synchronizer_parameters == NULL)
        return error_set(err, ERR_MALFORMED, NULL, "synchronizer_parameters is missing");
    m->parameters = calloc(1, sizeof(*m->parameters));
    if (m->parameters == NULL)
        return error_set(err, ERR_MEMORY, NULL, "synchronizer parameters");
    return take_state(m, p->synchronizer_id, err) &&
           dynamic_parameters_from(p->synchronizer_parameters, m->parameters, err) &&
           dynamic_parameters_build(m->parameters, extra, err);
}

static bool from_sequencing(struct mapping *m, const P30__DynamicSequencingParametersState *p,
                            struct buffer *extra, struct error *err)
{
    if (p->sequencing_parameters != NULL)
        buffer_append(extra, p->sequencing_parameters->payload.data,
                      p->sequencing_parameters->payload.len);
    return take_state(m, p->synchronizer_id, err);
}

static bool from_mediators(struct mapping *m, const P30__MediatorSynchronizerState *p,
                           struct error *err)
{
    if (p->group > INT32_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "mediator group %u", p->group);
    m->group = (int32_t)p->group;
    return from_group(m, p->synchronizer_id, p->threshold, p->active, p->n_active, p->observers,
                      p->n_observers, err);
}

static bool fill(struct mapping *m, const P30__TopologyMapping *p, struct buffer *extra,
                 struct error *err)
{
    switch ((int)p->mapping_case) {
    case P30__TOPOLOGY_MAPPING__MAPPING_NAMESPACE_DELEGATION:
        m->code = MAPPING_NAMESPACE;
        return from_namespace(m, p->namespace_delegation, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_DECENTRALIZED_NAMESPACE_DEFINITION:
        m->code = MAPPING_DECENTRALIZED;
        return from_decentralized(m, p->decentralized_namespace_definition, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_OWNER_TO_KEY_MAPPING:
        m->code = MAPPING_KEYS;
        return from_keys(m, p->owner_to_key_mapping, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_TRUST_CERTIFICATE:
        m->code = MAPPING_TRUST;
        return from_trust(m, p->synchronizer_trust_certificate, extra, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_PARTICIPANT_PERMISSION:
        m->code = MAPPING_PERMISSION;
        return from_permission(m, p->participant_permission, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_PARTY_HOSTING_LIMITS:
        m->code = MAPPING_LIMITS;
        return take_uid(m, p->party_hosting_limits->party, err) &&
               take_synchronizer(m, p->party_hosting_limits->synchronizer_id, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_VETTED_PACKAGES:
        m->code = MAPPING_PACKAGES;
        return from_packages(m, p->vetted_packages, extra, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_PARTY_TO_PARTICIPANT:
        m->code = MAPPING_HOSTING;
        return from_hosting(m, p->party_to_participant, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_PARAMETERS_STATE:
        m->code = MAPPING_PARAMETERS;
        return from_parameters(m, p->synchronizer_parameters_state, extra, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_MEDIATOR_SYNCHRONIZER_STATE:
        m->code = MAPPING_MEDIATORS;
        return from_mediators(m, p->mediator_synchronizer_state, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCER_SYNCHRONIZER_STATE: {
        const P30__SequencerSynchronizerState *s = p->sequencer_synchronizer_state;

        m->code = MAPPING_SEQUENCERS;
        return from_group(m, s->synchronizer_id, s->threshold, s->active, s->n_active, s->observers,
                          s->n_observers, err);
    }
    case P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCING_DYNAMIC_PARAMETERS_STATE:
        m->code = MAPPING_SEQUENCING;
        return from_sequencing(m, p->sequencing_dynamic_parameters_state, extra, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_PARTY_TO_KEY_MAPPING:
        m->code = MAPPING_PARTY_KEYS;
        return from_party_keys(m, p->party_to_key_mapping, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_UPGRADE_ANNOUNCEMENT:
        m->code = MAPPING_UPGRADE;
        return from_upgrade(m, p->synchronizer_upgrade_announcement, err);
    case P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCER_CONNECTION_SUCCESSOR:
        m->code = MAPPING_SUCCESSOR;
        return from_successor(m, p->sequencer_connection_successor, extra, err);
    case P30__TOPOLOGY_MAPPING__MAPPING__NOT_SET:
    default:
        return error_set(err, ERR_MALFORMED, NULL, "transaction without a known mapping");
    }
}

/* ---- hashes ---- */

static void hash_participant(struct hash_builder *b, const char *uid)
{
    char member[MEMBER_TEXT_SIZE];

    member_format(MEMBER_PARTICIPANT, uid, member);
    hash_str(b, member);
}

/* The place that a mapping fills. The code goes last. */
static bool make_unique_key(struct mapping *m, struct error *err)
{
    struct hash_builder b;

    hash_start(&b, HASH_TOPOLOGY_UNIQUE_KEY);
    switch (m->code) {
    case MAPPING_NAMESPACE:
        hash_str(&b, m->subject);
        hash_str(&b, m->keys[0]->fingerprint);
        break;
    case MAPPING_KEYS: /* so a mediator and a sequencer of one uid share a place */
        hash_str(&b, member_uid(m->subject));
        break;
    case MAPPING_TRUST:
        hash_participant(&b, m->subject);
        hash_str(&b, m->synchronizer);
        break;
    case MAPPING_PERMISSION:
        hash_str(&b, m->synchronizer);
        hash_participant(&b, m->subject);
        break;
    case MAPPING_LIMITS:
        hash_str(&b, m->synchronizer);
        hash_str(&b, m->subject);
        break;
    case MAPPING_PACKAGES:
        hash_participant(&b, m->subject);
        break;
    case MAPPING_MEDIATORS:
        hash_str(&b, m->synchronizer);
        hash_i32(&b, m->group);
        break;
    case MAPPING_SUCCESSOR:
        hash_str(&b, m->subject);
        hash_str(&b, m->synchronizer);
        break;
    case MAPPING_DECENTRALIZED:
    case MAPPING_HOSTING:
    case MAPPING_PARTY_KEYS:
    case MAPPING_PARAMETERS:
    case MAPPING_SEQUENCERS:
    case MAPPING_SEQUENCING:
    case MAPPING_UPGRADE:
    case MAPPING_CODE_N:
        hash_str(&b, m->subject);
        break;
    }
    hash_i32(&b, (int32_t)m->code);
    return hash_finish(&b, &m->unique_key, err);
}

static void hash_names(struct hash_builder *b, char *const *names, size_t n)
{
    hash_i32(b, (int32_t)n);
    for (size_t i = 0; i < n; i++)
        hash_str(b, names[i]);
}

/* Local only: it covers all that mapping_parse understood, so equal content has equal identities
 * whatever the encoding. */
static bool make_identity(struct mapping *m, const struct buffer *extra, struct error *err)
{
    struct hash_builder b;

    hash_start(&b, HASH_TOPOLOGY_UNIQUE_KEY);
    hash_i32(&b, (int32_t)m->code);
    hash_str(&b, m->subject);
    hash_str(&b, m->synchronizer != NULL ? m->synchronizer : "");
    hash_str(&b, m->successor != NULL ? m->successor : "");
    hash_i32(&b, (int32_t)m->n_keys);
    for (size_t i = 0; i < m->n_keys; i++) {
        hash_i32(&b, (int32_t)m->keys[i]->kind);
        hash_i32(&b, m->keys[i]->spec);
        hash_i32(&b, (int32_t)m->keys[i]->usages);
        hash_str(&b, m->keys[i]->fingerprint);
    }
    hash_i32(&b, m->threshold);
    hash_i32(&b, m->keys_threshold);
    hash_i32(&b, m->group);
    hash_names(&b, m->names, m->n_names);
    hash_names(&b, m->observers, m->n_observers);
    hash_i32(&b, (int32_t)m->n_hosts);
    for (size_t i = 0; i < m->n_hosts; i++) {
        hash_str(&b, m->hosts[i].uid);
        hash_i32(&b, (int32_t)m->hosts[i].permission);
        hash_byte(&b, m->hosts[i].is_onboarding);
    }
    hash_i32(&b, (int32_t)m->may_sign);
    hash_i32(&b, (int32_t)m->permission);
    hash_byte(&b, m->has_login_after);
    hash_i64(&b, m->login_after);
    hash_i32(&b, (int32_t)m->max_rate);
    hash_i64(&b, m->upgrade_time);
    hash_bytes(&b, buffer_bytes(extra));
    return hash_finish(&b, &m->identity, err);
}

/* Lists of a group become sorted for look-up, after identity has seen their order. */
static bool sort_names(struct mapping *m, struct error *err)
{
    if (m->n_names > 0)
        qsort(m->names, m->n_names, sizeof(*m->names), text_order);
    if (m->n_observers > 0)
        qsort(m->observers, m->n_observers, sizeof(*m->observers), text_order);
    for (size_t i = 0; i < m->n_observers; i++)
        if (mapping_names(m, m->observers[i]))
            return error_set(err, ERR_MALFORMED, NULL, "%s is both active and observer",
                             m->observers[i]);
    return true;
}

bool mapping_parse(const P30__TopologyMapping *p, struct mapping **out, struct error *err)
{
    struct mapping *m = calloc(1, sizeof(*m));
    struct buffer extra = BUFFER_INIT;
    bool ok;

    *out = NULL;
    if (m == NULL)
        return error_set(err, ERR_MEMORY, NULL, "topology mapping");
    ok = fill(m, p, &extra, err) && buffer_ok(&extra, err) && make_unique_key(m, err) &&
         make_identity(m, &extra, err) && sort_names(m, err);
    buffer_free(&extra);
    if (!ok) {
        mapping_free(m);
        return false;
    }
    *out = m;
    return true;
}
