/* checks.c: what a mapping must satisfy beside its signatures, given the state that it would
 * change. Names of rejections are the protocol's. */
#include <string.h>

#include "topology/state.h"

static int psid_order(const struct psid *a, const struct psid *b)
{
    char x[UID_TEXT_SIZE], y[UID_TEXT_SIZE];
    int c;

    uid_format(&a->logical, x);
    uid_format(&b->logical, y);
    c = strcmp(x, y);
    if (c != 0)
        return c;
    if (a->serial != b->serial)
        return a->serial < b->serial ? -1 : 1;
    return (a->protocol_version > b->protocol_version) -
           (a->protocol_version < b->protocol_version);
}

/* Negative, 0 or positive; texts were checked when they were parsed. */
static int successor_order(const char *a, const struct psid *b)
{
    struct psid x;
    struct error ignored;

    return psid_parse(a, &x, &ignored) ? psid_order(&x, b) : -1;
}

static const struct row *announcement(const struct topology *t)
{
    return state_row(t, MAPPING_UPGRADE, t->synchronizer, TS_LATEST);
}

static bool is_root_certificate(const struct mapping *m)
{
    return m->code == MAPPING_NAMESPACE && strcmp(m->keys[0]->fingerprint, m->ns) == 0;
}

static bool has_root_certificate(const struct topology *t, const char *ns, bool *is_revoked)
{
    const struct subject *s = state_subject(t, MAPPING_NAMESPACE, ns);

    *is_revoked = false;
    for (size_t i = 0; s != NULL && i < s->n; i++) {
        const struct row *r = place_open_row(s->places[i]);

        if (r == NULL || !is_root_certificate(r->m))
            continue;
        *is_revoked = r->op == TOPOLOGY_REMOVE;
        return !*is_revoked;
    }
    return false;
}

static bool has_keys(const struct topology *t, enum member_kind kind, const char *uid)
{
    char member[MEMBER_TEXT_SIZE];

    member_format(kind, uid, member);
    return state_keys(t, member, TS_LATEST) != NULL;
}

static const struct row *trust_of(const struct topology *t, const char *uid)
{
    return state_row(t, MAPPING_TRUST, uid, TS_LATEST);
}

/* Is uid listed by an active group of this code, other than the one with index skip? */
static bool is_listed(const struct topology *t, enum mapping_code code, const char *uid,
                      int32_t skip)
{
    const struct subject *s = state_subject(t, code, t->synchronizer);

    for (size_t i = 0; s != NULL && i < s->n; i++) {
        const struct row *r = place_row(s->places[i], TS_LATEST);

        if (r != NULL && r->m->group != skip &&
            (mapping_names(r->m, uid) || mapping_observes(r->m, uid)))
            return true;
    }
    return false;
}

static bool check_removal(struct attempt *a)
{
    bool is_active = a->prev != NULL;

    if (!is_active && !is_root_certificate(a->m))
        return attempt_reject(a, "NoCorrespondingActiveTxToRevoke", "%s", a->m->subject);
    if (is_active && a->m->code != MAPPING_TRUST &&
        !hash_equal(&a->prev->identity, &a->m->identity))
        return attempt_reject(a, "RemoveMustNotChangeMapping", "%s", a->m->subject);
    if (a->m->code == MAPPING_PARAMETERS)
        return attempt_reject(a, "CannotRemoveMapping", "synchronizer parameters");
    if (a->m->code == MAPPING_KEYS) {
        const char *uid = member_uid(a->m->subject);
        bool is_used = member_is(a->m->subject, MEMBER_PARTICIPANT) ? trust_of(a->t, uid) != NULL
                       : member_is(a->m->subject, MEMBER_MEDIATOR)
                           ? is_listed(a->t, MAPPING_MEDIATORS, uid, -1)
                           : is_listed(a->t, MAPPING_SEQUENCERS, uid, -1);

        if (is_used)
            return attempt_reject(a, "InvalidOwnerToKeyMappingRemoval", "%s is a member",
                                  a->m->subject);
    }
    return true;
}

static bool check_namespace(struct attempt *a)
{
    if (state_row(a->t, MAPPING_DECENTRALIZED, a->m->ns, TS_LATEST) != NULL)
        return attempt_reject(a, "NamespaceAlreadyInUse", "%s is decentralized", a->m->ns);
    if (!a->is_genesis && a->in_store != NULL && a->in_store->op == TOPOLOGY_REMOVE)
        return attempt_reject(a, "NamespaceHasBeenRevoked", "%s", a->m->keys[0]->fingerprint);
    return true;
}

static bool check_decentralized(struct attempt *a)
{
    const struct mapping *m = a->m;
    char name[FINGERPRINT_SIZE];
    bool is_revoked;

    if (a->in_store == NULL) {
        if (!decentralized_namespace((const char *const *)m->names, m->n_names, name, a->err))
            return attempt_fail(a);
        if (strcmp(name, m->ns) != 0)
            return attempt_reject(a, "InvalidTopologyMapping", "namespace of these owners is %s",
                                  name);
    }
    if (state_row(a->t, MAPPING_NAMESPACE, m->ns, TS_LATEST) != NULL)
        return attempt_reject(a, "NamespaceAlreadyInUse", "%s has delegations", m->ns);
    for (size_t i = 0; i < m->n_names; i++)
        if (!has_root_certificate(a->t, m->names[i], &is_revoked))
            return attempt_reject(a, "InvalidTopologyMapping", "owner %s has no root certificate",
                                  m->names[i]);
    return true;
}

static bool check_keys(struct attempt *a)
{
    const struct crypto_policy *policy = &a->t->fixed.policy;
    bool has_signing = false, has_encryption = false;

    if (a->in_store != NULL && a->in_store->op == TOPOLOGY_REMOVE)
        return attempt_reject(a, "CannotReregisterKeys", "%s", a->m->subject);
    for (size_t i = 0; i < a->m->n_keys; i++) {
        const struct public_key *k = a->m->keys[i];

        if (k->kind == KEY_SIGNING)
            has_signing = has_signing || (policy->signing_specs & (1u << k->spec)) != 0;
        else
            has_encryption = has_encryption || (policy->encryption_specs & (1u << k->spec)) != 0;
    }
    if (!has_signing)
        return attempt_reject(a, "InvalidOwnerToKeyMapping", "%s has no signing key",
                              a->m->subject);
    if (member_is(a->m->subject, MEMBER_PARTICIPANT) && !has_encryption)
        return attempt_reject(a, "InvalidOwnerToKeyMapping", "%s has no encryption key",
                              a->m->subject);
    return true;
}

/* A party that is its participant's own: hosted by it alone, with full permission. */
static bool is_admin_party_form(const struct mapping *m)
{
    return m->n_hosts == 1 && strcmp(m->hosts[0].uid, m->subject) == 0 &&
           m->hosts[0].permission == PERMISSION_SUBMISSION && m->threshold == 1;
}

static bool check_trust(struct attempt *a)
{
    const char *uid = a->m->subject;
    const struct row *party = state_row(a->t, MAPPING_HOSTING, uid, TS_LATEST);
    const struct row *p = state_row(a->t, MAPPING_PARAMETERS, a->t->synchronizer, TS_LATEST);

    if (a->in_store != NULL && a->in_store->op == TOPOLOGY_REMOVE)
        return attempt_reject(a, "ParticipantCannotRejoinSynchronizer", "%s", uid);
    if (party != NULL && !is_admin_party_form(party->m))
        return attempt_reject(a, "ParticipantIdConflictWithPartyId", "%s", uid);
    if (p == NULL)
        return attempt_reject(a, "MissingSynchronizerParameters", "%s", a->t->synchronizer);
    if (onboarding_is_locked(p->m->parameters->onboarding))
        return attempt_reject(a, "OnboardingRestrictionInPlace", "the synchronizer is locked");
    if (onboarding_is_restricted(p->m->parameters->onboarding)) {
        const struct row *permission = state_row(a->t, MAPPING_PERMISSION, uid, TS_LATEST);

        if (permission == NULL ||
            (permission->m->has_login_after && permission->m->login_after > a->effective))
            return attempt_reject(a, "OnboardingRestrictionInPlace", "%s has no permission", uid);
    }
    if (!has_keys(a->t, MEMBER_PARTICIPANT, uid))
        return attempt_reject(a, "InsufficientKeys", "%s", uid);
    return true;
}

static bool check_hosting(struct attempt *a)
{
    const struct mapping *m = a->m;
    bool is_revoked;

    if (trust_of(a->t, m->subject) != NULL && !is_admin_party_form(m))
        return attempt_reject(a, "PartyIdConflictWithAdminParty", "%s", m->subject);
    for (size_t i = 0; i < m->n_hosts; i++) {
        const char *uid = m->hosts[i].uid;
        bool is_added = true;

        for (size_t k = 0; a->prev != NULL && k < a->prev->n_hosts && is_added; k++)
            is_added = strcmp(a->prev->hosts[k].uid, uid) != 0;
        if (!is_added)
            continue;
        if (trust_of(a->t, uid) == NULL)
            return attempt_reject(a, "UnknownMembers", "%s", uid);
        if (!has_keys(a->t, MEMBER_PARTICIPANT, uid))
            return attempt_reject(a, "InsufficientKeys", "%s", uid);
    }
    if (mapping_key(m, m->ns) != NULL && !has_root_certificate(a->t, m->ns, &is_revoked) &&
        is_revoked)
        return attempt_reject(a, "NamespaceHasBeenRevoked", "%s", m->ns);
    return true;
}

static bool was_listed(const struct mapping *prev, const char *uid)
{
    return prev != NULL && (mapping_names(prev, uid) || mapping_observes(prev, uid));
}

static bool check_group(struct attempt *a)
{
    const struct mapping *m = a->m;
    bool are_mediators = m->code == MAPPING_MEDIATORS;
    enum member_kind kind = are_mediators ? MEMBER_MEDIATOR : MEMBER_SEQUENCER;

    if (m->n_names < (size_t)m->threshold)
        return attempt_reject(a, "InvalidTopologyMapping", "threshold %d of %zu", m->threshold,
                              m->n_names);
    for (size_t i = 0; i < m->n_names + m->n_observers; i++) {
        const char *uid = i < m->n_names ? m->names[i] : m->observers[i - m->n_names];

        if (was_listed(a->prev, uid))
            continue;
        if (are_mediators && is_listed(a->t, MAPPING_MEDIATORS, uid, m->group))
            return attempt_reject(a, "MediatorsAlreadyInOtherGroups", "%s", uid);
        if (!a->is_genesis && !has_keys(a->t, kind, uid))
            return attempt_reject(a, "InsufficientKeys", "%s", uid);
    }
    return true;
}

static bool check_upgrade(struct attempt *a)
{
    struct psid last;
    struct error ignored;

    if (a->m->upgrade_time <= a->effective)
        return attempt_reject(a, "InvalidUpgradeTime", "not after its effective time");
    if (successor_order(a->m->successor, &a->t->id) <= 0)
        return attempt_reject(a, "InvalidSynchronizerSuccessor", "%s is not after %s",
                              a->m->successor, a->t->psid);
    if (a->in_store == NULL || (hash_equal(&a->in_store->m->identity, &a->m->identity) &&
                                a->in_store->serial == a->tx->serial))
        return true;
    if (!psid_parse(a->in_store->m->successor, &last, &ignored) ||
        successor_order(a->m->successor, &last) <= 0)
        return attempt_reject(a, "InvalidSynchronizerSuccessor", "%s", a->m->successor);
    return true;
}

static bool check_successor(struct attempt *a)
{
    const struct row *r = announcement(a->t);

    if (r == NULL || r->valid_from >= a->effective)
        return attempt_reject(a, "NoLsuAnnounced", "%s", a->m->successor);
    if (strcmp(r->m->successor, a->m->successor) != 0)
        return attempt_reject(a, "LsuSequencerSuccessorInvalidSuccessorPsid", "announced is %s",
                              r->m->successor);
    return true;
}

static bool is_frozen(const struct attempt *a)
{
    const struct row *r = announcement(a->t);

    return r != NULL && a->m->code != MAPPING_UPGRADE && a->m->code != MAPPING_SUCCESSOR &&
           successor_order(r->m->successor, &a->t->id) > 0;
}

bool check_mapping(struct attempt *a)
{
    if (is_frozen(a))
        return attempt_reject(a, "AnnouncedLsuTopologyFreeze", "an upgrade is announced");
    if (a->tx->op == TOPOLOGY_REMOVE)
        return check_removal(a);
    if (a->tx->serial >= INT32_MAX)
        return attempt_reject(a, "MaxSerialReached", "serial %u", a->tx->serial);
    switch (a->m->code) {
    case MAPPING_NAMESPACE:
        return check_namespace(a);
    case MAPPING_DECENTRALIZED:
        return check_decentralized(a);
    case MAPPING_KEYS:
        return check_keys(a);
    case MAPPING_TRUST:
        return check_trust(a);
    case MAPPING_HOSTING:
        return check_hosting(a);
    case MAPPING_MEDIATORS:
    case MAPPING_SEQUENCERS:
        return check_group(a);
    case MAPPING_UPGRADE:
        return check_upgrade(a);
    case MAPPING_SUCCESSOR:
        return check_successor(a);
    case MAPPING_PERMISSION:
    case MAPPING_LIMITS:
    case MAPPING_PACKAGES:
    case MAPPING_PARAMETERS:
    case MAPPING_SEQUENCING:
    case MAPPING_PARTY_KEYS:
    case MAPPING_CODE_N:
        break;
    }
    return true;
}
