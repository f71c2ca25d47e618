/* genesis.c: see genesis.h. What is built is loaded again before it is given out, so a genesis that
 * this or another release would refuse never leaves. */
#include "topology/genesis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/apply.h"
#include "topology/snapshot.h"
#include "topology/state.h"
#include "wire/precheck.h"

static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* The logical id and the decentralised namespace. */
static bool name_synchronizer(const struct genesis *g, char ns[FINGERPRINT_SIZE],
                              char logical[UID_TEXT_SIZE], struct error *err)
{
    if (!decentralized_namespace(&g->owner, 1, ns, err))
        return false;
    if (strlen(g->name) > ID_TEXT_MAX ||
        snprintf(logical, UID_TEXT_SIZE, "%s::%s", g->name, ns) >= UID_TEXT_SIZE ||
        !uid_parse(logical, NULL, err))
        return error_set(err, ERR_CONFIG, "use up to 185 letters, digits, '-', '_', ':' and blanks",
                         "not a synchronizer's name: \"%.80s\"", g->name);
    return true;
}

static bool format_psid(const char *logical, const struct static_parameters *p,
                        char out[PSID_TEXT_SIZE], struct error *err)
{
    struct psid id = {.protocol_version = p->protocol_version, .serial = p->serial};

    if (!uid_parse(logical, &id.logical, err))
        return false;
    psid_format(&id, out);
    return true;
}

bool genesis_psid(const struct genesis *g, char out[PSID_TEXT_SIZE], struct error *err)
{
    char ns[FINGERPRINT_SIZE], logical[UID_TEXT_SIZE];

    return name_synchronizer(g, ns, logical, err) &&
           format_psid(logical, g->static_parameters, out, err);
}

static bool sign(const struct genesis *g, P30__TopologyMapping *m, struct signed_txs *out,
                 struct error *err)
{
    return identity_sign(g->keys, &g->owner, 1, TOPOLOGY_ADD_REPLACE, 1, m, false, out, err);
}

static bool build_namespace(const struct genesis *g, const char *ns, struct signed_txs *out,
                            struct error *err)
{
    P30__DecentralizedNamespaceDefinition d = P30__DECENTRALIZED_NAMESPACE_DEFINITION__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    char *owner = borrow(g->owner);

    d.decentralized_namespace = borrow(ns);
    d.threshold = 1;
    d.owners = &owner;
    d.n_owners = 1;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_DECENTRALIZED_NAMESPACE_DEFINITION;
    m.decentralized_namespace_definition = &d;
    return sign(g, &m, out, err);
}

static bool build_parameters(const struct genesis *g, const char *logical, struct signed_txs *out,
                             struct error *err)
{
    P30__SynchronizerParametersState s = P30__SYNCHRONIZER_PARAMETERS_STATE__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    struct dynamic_parameters p;
    struct buffer packed = BUFFER_INIT;
    bool ok;

    dynamic_parameters_default(&p);
    if (g->parameters != NULL)
        p = *g->parameters;
    ok = dynamic_parameters_build(&p, &packed, err);
    if (ok)
        s.synchronizer_parameters = wire_unpack(&p30__dynamic_synchronizer_parameters__descriptor,
                                                buffer_bytes(&packed), err);
    ok = ok && s.synchronizer_parameters != NULL;
    s.synchronizer_id = borrow(logical);
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_PARAMETERS_STATE;
    m.synchronizer_parameters_state = &s;
    ok = ok && sign(g, &m, out, err);
    wire_message_free(s.synchronizer_parameters);
    buffer_free(&packed);
    return ok;
}

static bool build_sequencers(const struct genesis *g, const char *logical, struct signed_txs *out,
                             struct error *err)
{
    P30__SequencerSynchronizerState s = P30__SEQUENCER_SYNCHRONIZER_STATE__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    char *sequencer = borrow(g->sequencer);

    s.synchronizer_id = borrow(logical);
    s.threshold = 1;
    s.active = &sequencer;
    s.n_active = 1;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_SEQUENCER_SYNCHRONIZER_STATE;
    m.sequencer_synchronizer_state = &s;
    return sign(g, &m, out, err);
}

static bool build_mediators(const struct genesis *g, const char *logical, struct signed_txs *out,
                            struct error *err)
{
    P30__MediatorSynchronizerState s = P30__MEDIATOR_SYNCHRONIZER_STATE__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    char *mediators[GENESIS_MEDIATORS_MAX];

    for (size_t i = 0; i < g->n_mediators; i++)
        mediators[i] = borrow(g->mediators[i]);
    s.synchronizer_id = borrow(logical);
    s.threshold =
        g->mediator_threshold > 0 ? (uint32_t)g->mediator_threshold : (uint32_t)g->n_mediators;
    s.active = mediators;
    s.n_active = g->n_mediators;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_MEDIATOR_SYNCHRONIZER_STATE;
    m.mediator_synchronizer_state = &s;
    return sign(g, &m, out, err);
}

/* Appends the identity transactions of one kind: delegations, or all others; each once. */
static bool copy_identities(const struct signed_txs *from, bool are_delegations,
                            struct signed_txs *out, struct hash *seen, size_t *n_seen,
                            struct error *err)
{
    for (size_t i = 0; i < from->n; i++) {
        struct parsed_tx p;
        bool is_wanted = false;
        bool ok = parsed_tx_read(buffer_bytes(&from->at[i]), &p, err);

        if (ok) {
            is_wanted = (p.m->code == MAPPING_NAMESPACE) == are_delegations;
            for (size_t k = 0; k < *n_seen && is_wanted; k++)
                is_wanted = !hash_equal(&seen[k], &p.tx.hash);
        }
        if (ok && is_wanted) {
            seen[(*n_seen)++] = p.tx.hash;
            ok = signed_txs_add(out, buffer_bytes(&from->at[i]), err);
        }
        parsed_tx_free(&p);
        if (!ok)
            return error_add(err, "identity transaction %zu", i + 1);
    }
    return true;
}

static bool build_all(const struct genesis *g, const char *ns, const char *logical,
                      struct signed_txs *out, struct error *err)
{
    struct hash *seen = calloc(g->identities->n + 1, sizeof(*seen));
    size_t n_seen = 0;
    bool ok = seen != NULL || error_set(err, ERR_MEMORY, NULL, "genesis");

    ok = ok && copy_identities(g->identities, true, out, seen, &n_seen, err) &&
         copy_identities(g->identities, false, out, seen, &n_seen, err) &&
         build_namespace(g, ns, out, err) && build_parameters(g, logical, out, err) &&
         build_sequencers(g, logical, out, err) && build_mediators(g, logical, out, err);
    free(seen);
    return ok;
}

static bool has_identity(const struct topology *t, enum member_kind kind, const char *uid,
                         struct error *err)
{
    char member[MEMBER_TEXT_SIZE];

    member_format(kind, uid, member);
    if (state_keys(t, member, TS_LATEST) != NULL)
        return true;
    return error_set(err, ERR_CONFIG, "give its identity transactions too", "%s has no keys here",
                     member);
}

/* Loads what was built: every signature, every rule. */
static bool prove(const struct genesis *g, const char *psid, const struct topology_items *items,
                  struct error *err)
{
    struct topology *t;
    bool ok = topology_open(psid, g->static_parameters, &t, err) && topology_load(t, items, err) &&
              has_identity(t, MEMBER_SEQUENCER, g->sequencer, err);

    for (size_t i = 0; i < g->n_mediators && ok; i++)
        ok = has_identity(t, MEMBER_MEDIATOR, g->mediators[i], err);
    topology_close(t);
    return ok || error_add(err, "genesis");
}

static bool items_of(const struct signed_txs *txs, struct topology_items *out, struct error *err)
{
    out->at = calloc(txs->n + 1, sizeof(*out->at));
    if (out->at == NULL)
        return error_set(err, ERR_MEMORY, NULL, "genesis");
    for (size_t i = 0; i < txs->n; i++) {
        struct topology_item *item = &out->at[out->n++];

        item->sequenced = TOPOLOGY_GENESIS_TS;
        item->valid_from = TOPOLOGY_GENESIS_TS;
        item->valid_until = TOPOLOGY_OPEN;
        buffer_append_bytes(&item->transaction, buffer_bytes(&txs->at[i]));
        if (!buffer_ok(&item->transaction, err))
            return false;
    }
    return true;
}

bool genesis_build(const struct genesis *g, struct buffer *file, char psid[PSID_TEXT_SIZE],
                   struct error *err)
{
    char ns[FINGERPRINT_SIZE], logical[UID_TEXT_SIZE];
    struct signed_txs txs = {0};
    struct topology_items items = {0};
    bool ok;

    if (g->n_mediators < 1 || g->n_mediators > GENESIS_MEDIATORS_MAX)
        return error_set(err, ERR_CONFIG, NULL, "%zu mediators, expected 1 to %d", g->n_mediators,
                         GENESIS_MEDIATORS_MAX);
    ok = name_synchronizer(g, ns, logical, err) &&
         format_psid(logical, g->static_parameters, psid, err) &&
         build_all(g, ns, logical, &txs, err) && items_of(&txs, &items, err) &&
         prove(g, psid, &items, err) && topology_items_to_file(&items, file, err);
    signed_txs_free(&txs);
    topology_items_free(&items);
    return ok;
}

bool genesis_inspect(struct bytes file, const struct static_parameters *p,
                     char psid[PSID_TEXT_SIZE], char sequencer[UID_TEXT_SIZE], struct error *err)
{
    struct topology_items items = {0};
    bool found = false;
    bool ok = topology_items_from_file(file, &items, err);

    for (size_t i = 0; i < items.n && ok && !found; i++) {
        struct parsed_tx in;

        ok = parsed_tx_read(buffer_bytes(&items.at[i].transaction), &in, err);
        found = ok && in.m->code == MAPPING_SEQUENCERS && in.tx.op == TOPOLOGY_ADD_REPLACE &&
                items.at[i].rejection == NULL;
        if (found) {
            ok = format_psid(in.m->synchronizer, p, psid, err);
            snprintf(sequencer, UID_TEXT_SIZE, "%s", in.m->names[0]);
        }
        parsed_tx_free(&in);
    }
    topology_items_free(&items);
    if (ok && !found)
        return error_set(err, ERR_MALFORMED, NULL, "the genesis topology names no sequencers");
    return ok;
}
