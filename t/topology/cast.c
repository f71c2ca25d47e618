/* cast.c: see cast.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/cast.h"

#define YEAR_2100 4102444800

static const struct public_key *new_key(struct node *n, int spec, unsigned usages)
{
    const struct private_key *k;
    struct error e;

    must(keyring_generate(n->keys, KEY_SIGNING, spec, usages, &k, &e), &e);
    return k->pub;
}

static void psid_after(const char *psid, int by, const char *name, char out[PSID_TEXT_SIZE])
{
    struct psid id;
    struct error e;
    char uid[UID_TEXT_SIZE];

    must(psid_parse(psid, &id, &e), &e);
    id.serial += by;
    if (name != NULL) {
        snprintf(uid, sizeof(uid), "%s::%s", name, id.logical.ns);
        must(uid_parse(uid, &id.logical, &e), &e);
    }
    psid_format(&id, out);
}

void cast_open(struct cast *c)
{
    struct error e;

    memset(c, 0, sizeof(*c));
    world_open(&c->w);
    node_open(&c->owner2, MEMBER_PARTICIPANT, "owner2");
    node_open(&c->a, MEMBER_PARTICIPANT, "a");
    node_open(&c->b, MEMBER_PARTICIPANT, "b");
    node_open(&c->x, MEMBER_PARTICIPANT, "x");
    node_open(&c->y, MEMBER_PARTICIPANT, "y");
    node_open(&c->p, MEMBER_PARTICIPANT, "p");
    node_open(&c->m, MEMBER_MEDIATOR, "m");
    node_open(&c->s, MEMBER_SEQUENCER, "s");
    node_open(&c->stranger, MEMBER_PARTICIPANT, "z");
    c->k = new_key(&c->a, SIGNING_P256, USAGE_PROTOCOL | USAGE_PROOF);
    c->l = new_key(&c->a, SIGNING_ED25519, USAGE_PROTOCOL | USAGE_PROOF);
    c->d = new_key(&c->a, SIGNING_ED25519, USAGE_NAMESPACE);
    c->n = new_key(&c->a, SIGNING_ED25519, USAGE_PROTOCOL | USAGE_PROOF);
    const char *owners[] = {c->x.ns, c->y.ns};

    must(decentralized_namespace(owners, 2, c->dns, &e), &e);
    snprintf(c->duid, sizeof(c->duid), "d::%s", c->dns);
    member_format(MEMBER_PARTICIPANT, c->duid, c->dmember);
    member_format(MEMBER_SEQUENCER, c->duid, c->sequencer_d);
    snprintf(c->bank, sizeof(c->bank), "bank::%s", c->a.ns);
    snprintf(c->ext, sizeof(c->ext), "ext::%s", c->a.ns);
    snprintf(c->self, sizeof(c->self), "self::%s", c->p.ns);
    snprintf(c->rootless, sizeof(c->rootless), "self::%s", c->stranger.ns);
    snprintf(c->odd, sizeof(c->odd), "self::%s", c->k->fingerprint);
    snprintf(c->other, sizeof(c->other), "zzz::%s", namespace_of(topology_synchronizer(c->w.t)));
    psid_after(c->w.psid, 1, NULL, c->next);
    psid_after(c->w.psid, 2, NULL, c->later);
    psid_after(c->w.psid, 1, "zzz", c->elsewhere);
}

void cast_close(struct cast *c)
{
    struct node *all[] = {&c->owner2, &c->a, &c->b, &c->x,       &c->y,
                          &c->p,      &c->m, &c->s, &c->stranger};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        node_close(all[i]);
    world_close(&c->w);
}

/* The i-th of a node's member keys: authentication, protocol, encryption. */
static const struct public_key *member_key(const struct node *n, size_t i)
{
    return keyring_at(n->keys, i + 1)->pub;
}

struct signer cast_signer(const struct cast *c, char letter)
{
    switch (letter) {
    case 'O':
        return (struct signer){c->w.sequencer.keys, c->w.sequencer.ns};
    case 'o':
        return (struct signer){c->owner2.keys, c->owner2.ns};
    case 'A':
        return (struct signer){c->a.keys, c->a.ns};
    case 'B':
        return (struct signer){c->b.keys, c->b.ns};
    case 'X':
        return (struct signer){c->x.keys, c->x.ns};
    case 'Y':
        return (struct signer){c->y.keys, c->y.ns};
    case 'P':
        return (struct signer){c->p.keys, c->p.ns};
    case 'M':
        return (struct signer){c->m.keys, c->m.ns};
    case 'S':
        return (struct signer){c->s.keys, c->s.ns};
    case 'Z':
        return (struct signer){c->stranger.keys, c->stranger.ns};
    case 'K':
        return (struct signer){c->a.keys, c->k->fingerprint};
    case 'L':
        return (struct signer){c->a.keys, c->l->fingerprint};
    case 'D':
        return (struct signer){c->a.keys, c->d->fingerprint};
    case 'N':
        return (struct signer){c->a.keys, c->n->fingerprint};
    case '1':
    case '2':
        return (struct signer){c->a.keys, member_key(&c->a, (size_t)(letter - '1'))->fingerprint};
    case '3':
    case '4':
        return (struct signer){c->b.keys, member_key(&c->b, (size_t)(letter - '3'))->fingerprint};
    case '5':
    case '6':
        return (struct signer){c->x.keys, member_key(&c->x, (size_t)(letter - '5'))->fingerprint};
    default:
        fail_msg("nobody is called %c", letter);
        return (struct signer){NULL, NULL};
    }
}

static const char *delegations(struct cast *c, enum variant v, struct maker *k)
{
    const int only[] = {MAPPING_PACKAGES};

    switch ((int)v) {
    case NS_A:
        make_delegation(k, c->a.ns, keyring_at(c->a.keys, 0)->pub, NULL, 0);
        return "A";
    case NS_B:
        make_delegation(k, c->b.ns, keyring_at(c->b.keys, 0)->pub, NULL, 0);
        return "B";
    case NS_P:
        make_delegation(k, c->p.ns, keyring_at(c->p.keys, 0)->pub, NULL, 0);
        return "P";
    case NS_X:
        make_delegation(k, c->x.ns, keyring_at(c->x.keys, 0)->pub, NULL, 0);
        return "X";
    case NS_LINK_LESS:
        make_delegation(k, c->a.ns, c->d, only, 1);
        return "A";
    case NS_OF_D:
        make_delegation(k, c->dns, c->d, NULL, 0);
        return "XY";
    default:
        make_delegation(k, c->a.ns, c->d, NULL, 0);
        return v == NS_LINK_OPERATOR ? "Oo" : "A";
    }
}

static const char *definitions(struct cast *c, enum variant v, struct maker *k)
{
    const char *owners[] = {c->x.ns, c->y.ns};
    const char *rootless[] = {c->stranger.ns, c->x.ns};
    const char *of_synchronizer[] = {c->w.sequencer.ns, c->owner2.ns};
    char name[FINGERPRINT_SIZE];
    struct error e;

    switch ((int)v) {
    case DEF_WRONG:
        make_definition(k, "1220beef", 2, owners, 2);
        return "XY";
    case DEF_ROOTLESS:
        must(decentralized_namespace(rootless, 2, name, &e), &e);
        make_definition(k, name, 2, rootless, 2);
        k->text = strdup(name);
        k->u.definition.decentralized_namespace = k->text;
        return "ZX";
    case DEF_SYNC_TWO:
        make_definition(k, namespace_of(topology_synchronizer(c->w.t)), 2, of_synchronizer, 2);
        return "Oo";
    default:
        make_definition(k, c->dns, v == DEF_D ? 2 : 1, owners, v == DEF_D_ALONE ? 1 : 2);
        return v == DEF_D_ALONE ? "X" : "XY";
    }
}

static const char *owner_keys(struct cast *c, enum variant v, struct maker *k)
{
    const struct node *of = v == KEYS_D             ? &c->x
                            : v == KEYS_M_SEQUENCER ? &c->m
                            : v == KEYS_MED_OLD     ? &c->w.mediator
                            : v == KEYS_SEQ_OLD     ? &c->w.sequencer
                            : v < KEYS_B            ? &c->a
                                                    : &c->b;
    const struct public_key *keys[] = {member_key(of, 0), member_key(of, 1), NULL, c->n};
    char member[MEMBER_TEXT_SIZE];

    if (keyring_count(of->keys) > 3)
        keys[2] = member_key(of, 2); /* participants encrypt */
    switch ((int)v) {
    case KEYS_M_SEQUENCER:
        member_format(MEMBER_SEQUENCER, c->m.uid, member);
        make_keys(k, member, keys, 2);
        k->text = strdup(member);
        k->u.keys.member = k->text;
        return "M";
    case KEYS_MED_OLD:
    case KEYS_SEQ_OLD: /* to be removed by the operator */
        make_keys(k, of->member, keys, 2);
        return "O";
    case KEYS_A_MORE:
        make_keys(k, c->a.member, keys, 4);
        return "A12N";
    case KEYS_A_MEDIATOR:
        member_format(MEMBER_MEDIATOR, c->a.uid, member);
        make_keys(k, member, keys, 3);
        k->text = strdup(member);
        k->u.keys.member = k->text;
        return "A12";
    case KEYS_B_LESS: /* nothing to encrypt with */
        make_keys(k, c->b.member, keys, 2);
        return "B34";
    case KEYS_B_BARE: /* nothing to sign with */
        make_keys(k, c->b.member, keys + 2, 1);
        return "B";
    case KEYS_D:
        make_keys(k, c->dmember, keys, 3);
        return "XY56";
    default:
        make_keys(k, of->member, keys, 3);
        return v == KEYS_A ? "A12" : "B34";
    }
}

static const char *participants(struct cast *c, enum variant v, struct maker *k)
{
    const char *sync = topology_synchronizer(c->w.t), *ids[] = {"01", "02"};

    switch ((int)v) {
    case TRUST_A_FLAGS:
        make_trust(k, c->a.uid, sync);
        k->flag =
            P30__ENUMS__PARTICIPANT_FEATURE_FLAG__PARTICIPANT_FEATURE_FLAG_ENABLE_MULTI_SYNCHRONIZER;
        k->u.trust.feature_flags = &k->flag;
        k->u.trust.n_feature_flags = 1;
        return "A";
    case TRUST_A:
        make_trust(k, c->a.uid, sync);
        return "A";
    case TRUST_B:
        make_trust(k, c->b.uid, sync);
        return "B";
    case TRUST_D:
        make_trust(k, c->duid, sync);
        return "XY";
    case TRUST_OTHER:
        make_trust(k, c->a.uid, c->other);
        return "A";
    case PERM_A_LESS:
        make_permission(k, c->a.uid, sync, PERMISSION_OBSERVATION);
        return "Oo";
    case PERM_B:
    case PERM_B_LATE:
        make_permission(k, c->b.uid, sync, PERMISSION_SUBMISSION);
        if (v == PERM_B_LATE) {
            k->u.permission._login_after_case =
                P30__PARTICIPANT_SYNCHRONIZER_PERMISSION___LOGIN_AFTER_LOGIN_AFTER;
            k->u.permission.login_after = YEAR_2100 * 1000000;
        }
        return "Oo";
    case PERM_OTHER:
        make_permission(k, c->a.uid, c->other, PERMISSION_SUBMISSION);
        return "Oo";
    case LIMITS:
        make_limits(k, c->bank, sync);
        return "Oo";
    case LIMITS_OTHER:
        make_limits(k, c->bank, c->other);
        return "Oo";
    case PKG_A:
    case PKG_A_MORE:
        make_packages(k, c->a.uid, ids, v == PKG_A ? 1 : 2);
        return "A";
    case PKG_D:
        make_packages(k, c->duid, ids, 1);
        return "XY";
    default:
        make_permission(k, c->a.uid, sync, PERMISSION_SUBMISSION);
        return "Oo";
    }
}

static const char *hostings(struct cast *c, enum variant v, struct maker *k)
{
    const char *ab[] = {c->a.uid, c->b.uid};
    const int low[] = {PERMISSION_OBSERVATION, PERMISSION_OBSERVATION};
    const int high[] = {PERMISSION_SUBMISSION, PERMISSION_SUBMISSION};
    const int joining[] = {PERMISSION_OBSERVATION, -PERMISSION_OBSERVATION};
    const int up[] = {PERMISSION_SUBMISSION, -PERMISSION_OBSERVATION};
    const struct public_key *keys[] = {c->k, c->l}, *own = keyring_at(c->p.keys, 0)->pub;
    const struct public_key *strange = keyring_at(c->stranger.keys, 0)->pub;

    switch ((int)v) {
    case HOST_A_LESS:
        make_hosting(k, c->bank, 1, ab, low, 1);
        return "A";
    case HOST_A_TWO:
        make_hosting(k, c->bank, 2, ab, high, 1);
        return "A";
    case HOST_AB:
        make_hosting(k, c->bank, 1, ab, low, 2);
        return "AB";
    case HOST_AB_RAISED:
        make_hosting(k, c->bank, 1, ab, high, 2);
        return "AB";
    case HOST_AB_ONBOARDING:
        make_hosting(k, c->bank, 1, ab, joining, 2);
        return "AB";
    case HOST_B:
        make_hosting(k, c->bank, 1, ab + 1, low, 1);
        return "AB";
    case HOST_KEY:
    case HOST_KEYS:
        make_hosting(k, c->bank, 1, ab, high, 1);
        make_hosting_keys(k, keys, v == HOST_KEY ? 1 : 2, 1);
        return v == HOST_KEY ? "AK" : "AKL";
    case HOST_SELF:
        make_hosting(k, c->self, 1, ab, high, 1);
        make_hosting_keys(k, &own, 1, 1);
        return "PA";
    case HOST_SELF_ROOTLESS:
        make_hosting(k, c->rootless, 1, ab, high, 1);
        make_hosting_keys(k, &strange, 1, 1);
        return "ZA";
    case HOST_SELF_ODD: /* its own key is not for namespaces */
        make_hosting(k, c->odd, 1, ab, high, 1);
        make_hosting_keys(k, keys, 1, 1);
        return "KA";
    case HOST_AB_UP: /* of two with submission: one is lowered, and its flag goes up */
        make_hosting(k, c->bank, 1, ab, up, 2);
        return "AB";
    case HOST_A_LESS_TWO:
        make_hosting(k, c->bank, 2, ab, low, 1);
        return "A";
    case HOST_ADMIN_BAD:
        make_hosting(k, c->a.uid, 1, ab, low, 1);
        return "A";
    case HOST_ADMIN_TWO:
        make_hosting(k, c->a.uid, 2, ab, high, 1);
        return "A";
    case HOST_ADMIN:
        make_hosting(k, c->a.uid, 1, ab, high, 1);
        return "A";
    case HOST_B_AT_A:
        make_hosting(k, c->b.uid, 1, ab, high, 1);
        return "BA";
    default:
        make_hosting(k, c->bank, 1, ab, high, 1);
        return v == HOST_A_OPERATOR ? "Oo" : "A";
    }
}

static const char *states(struct cast *c, enum variant v, struct maker *k)
{
    const char *sync = topology_synchronizer(c->w.t);
    const char *old[] = {c->w.mediator.uid, NULL}, *new[] = {c->m.uid, NULL};
    const char *twice[] = {c->m.uid, c->m.uid, NULL}, *doubles[] = {c->s.uid, c->s.uid, NULL};
    const char *first[] = {c->w.sequencer.uid, NULL};
    const char *both[] = {c->w.sequencer.uid, c->s.uid, NULL};
    struct dynamic_parameters d;

    dynamic_parameters_default(&d);
    switch ((int)v) {
    case MED_OLD:
        make_mediators(k, sync, 0, 1, old, NULL);
        break;
    case MED_TWICE:
        make_mediators(k, sync, 1, 1, old, NULL);
        break;
    case MED_NEW:
        make_mediators(k, sync, 1, 1, new, NULL);
        break;
    case MED_DOUBLE:
        make_mediators(k, sync, 1, 2, twice, NULL);
        break;
    case MED_OTHER:
        make_mediators(k, c->other, 1, 1, new, NULL);
        break;
    case SEQ_OLD:
        make_sequencers(k, sync, 1, first, NULL);
        break;
    case SEQ_NEW:
        make_sequencers(k, sync, 1, both, NULL);
        break;
    case SEQ_DOUBLE:
        make_sequencers(k, sync, 2, doubles, NULL);
        break;
    case SEQ_OTHER:
        make_sequencers(k, c->other, 1, first, NULL);
        break;
    case SQP:
        make_sequencing(k, sync, "one");
        break;
    case SQP_MORE:
        make_sequencing(k, sync, "two");
        break;
    case SQP_OTHER:
        make_sequencing(k, c->other, "one");
        break;
    case PARAM_MORE:
        d.mediator_reaction_timeout_us += 1000000;
        make_parameters(k, sync, &d);
        break;
    case PARAM_LOCKED:
        d.onboarding = ONBOARDING_LOCKED;
        make_parameters(k, sync, &d);
        break;
    case PARAM_RESTRICTED:
        d.onboarding = ONBOARDING_RESTRICTED_OPEN;
        make_parameters(k, sync, &d);
        break;
    case PARAM_OTHER:
        make_parameters(k, c->other, &d);
        break;
    default:
        make_parameters(k, sync, &d);
    }
    return "Oo";
}

static const char *upgrades(struct cast *c, enum variant v, struct maker *k)
{
    switch ((int)v) {
    case UP:
        make_upgrade(k, c->next, YEAR_2100);
        return "Oo";
    case UP_LATER:
        make_upgrade(k, c->later, YEAR_2100);
        return "Oo";
    case UP_PAST:
        make_upgrade(k, c->next, 1);
        return "Oo";
    case UP_SELF:
        make_upgrade(k, c->w.psid, YEAR_2100);
        return "Oo";
    case UP_OTHER:
        make_upgrade(k, c->elsewhere, YEAR_2100);
        return "Oo";
    case SUC_MOVED:
        make_successor(k, c->s.member, c->next, "https://127.0.0.1:2");
        return "S";
    case SUC_LATER:
        make_successor(k, c->s.member, c->later, "https://127.0.0.1:1");
        return "S";
    case SUC_D:
        make_successor(k, c->sequencer_d, c->next, "https://127.0.0.1:1");
        return "XY";
    default:
        make_successor(k, c->s.member, c->next, "https://127.0.0.1:1");
        return "S";
    }
}

const char *variant_make(struct cast *c, enum variant v, struct maker *k, enum mapping_code *code)
{
    const struct public_key *keys[] = {c->k, c->l};

    if (v < DEF_D) {
        *code = MAPPING_NAMESPACE;
        return delegations(c, v, k);
    }
    if (v < KEYS_A) {
        *code = MAPPING_DECENTRALIZED;
        return definitions(c, v, k);
    }
    if (v < TRUST_A) {
        *code = MAPPING_KEYS;
        return owner_keys(c, v, k);
    }
    if (v < HOST_A) {
        *code = v < PERM_A   ? MAPPING_TRUST
                : v < LIMITS ? MAPPING_PERMISSION
                : v < PKG_A  ? MAPPING_LIMITS
                             : MAPPING_PACKAGES;
        return participants(c, v, k);
    }
    if (v < PARAM) {
        *code = MAPPING_HOSTING;
        return hostings(c, v, k);
    }
    if (v < PTK) {
        *code = v < MED_OLD   ? MAPPING_PARAMETERS
                : v < SEQ_OLD ? MAPPING_MEDIATORS
                : v < SQP     ? MAPPING_SEQUENCERS
                              : MAPPING_SEQUENCING;
        return states(c, v, k);
    }
    if (v < UP) {
        *code = MAPPING_PARTY_KEYS;
        make_party_keys(k, c->ext, keys, v == PTK_MORE ? 2 : 1, 1);
        return v == PTK_MORE ? "AKL" : v == PTK_OPERATOR ? "Oo" : "AK";
    }
    *code = v < SUC ? MAPPING_UPGRADE : MAPPING_SUCCESSOR;
    return upgrades(c, v, k);
}

void variant_free(struct maker *k)
{
    if (k->m.mapping_case == P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_PARAMETERS_STATE)
        make_parameters_free(k);
    free(k->text);
}

struct buffer variant_sign(struct cast *c, enum variant v, int op, uint32_t serial,
                           const char *letters, bool is_proposal)
{
    struct buffer out, forged = BUFFER_INIT;
    struct signed_topology_tx tx;
    bool is_forged[8] = {false}, any = false;
    struct signer by[8];
    enum mapping_code code;
    struct maker k;
    struct error e;
    size_t n = 0;

    (void)variant_make(c, v, &k, &code);
    for (const char *l = letters; *l != '\0'; l++)
        if (*l == '!')
            any = is_forged[n - 1] = true;
        else
            by[n++] = cast_signer(c, *l);
    out = sign_by(by, n, op, serial, &k.m, is_proposal);
    variant_free(&k);
    if (!any)
        return out;
    must(signed_topology_tx_parse(buffer_bytes(&out), &tx, &e), &e);
    for (size_t i = 0; i < n; i++)
        if (is_forged[i])
            tx.signatures[i].bytes.data[9] ^= 1;
    must(signed_topology_tx_build(buffer_bytes(&tx.transaction), tx.signatures, tx.n_signatures,
                                  is_proposal, &forged, &e),
         &e);
    signed_topology_tx_free(&tx);
    buffer_free(&out);
    return forged;
}
