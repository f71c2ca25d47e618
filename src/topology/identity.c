/* identity.c: keys and the transactions that bind them to a node. */
#include "topology/identity.h"

#include <stdlib.h>
#include <string.h>

#include "wire/keys.h"
#include "wire/topology_tx.h"

/* Generated structs have char * where they only read. */
static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}

bool identity_generate(struct keyring *keys, enum member_kind kind, int spec,
                       char ns[FINGERPRINT_SIZE], struct error *err)
{
    const struct private_key *root;

    if (!keyring_generate(keys, KEY_SIGNING, spec, USAGE_NAMESPACE, &root, err) ||
        !keyring_generate(keys, KEY_SIGNING, spec, USAGE_SEQUENCER_AUTH | USAGE_PROOF, NULL, err) ||
        !keyring_generate(keys, KEY_SIGNING, spec, USAGE_PROTOCOL | USAGE_PROOF, NULL, err))
        return false;
    if (kind == MEMBER_PARTICIPANT &&
        !keyring_generate(keys, KEY_ENCRYPTION, ENCRYPTION_RSA_2048, 0, NULL, err))
        return false;
    memcpy(ns, root->pub->fingerprint, FINGERPRINT_SIZE);
    return true;
}

void signed_txs_free(struct signed_txs *txs)
{
    for (size_t i = 0; i < txs->n; i++)
        buffer_free(&txs->at[i]);
    free(txs->at);
    memset(txs, 0, sizeof(*txs));
}

bool signed_txs_add(struct signed_txs *txs, struct bytes tx, struct error *err)
{
    struct buffer *at = realloc(txs->at, (txs->n + 1) * sizeof(*at));

    if (at == NULL)
        return error_set(err, ERR_MEMORY, NULL, "signed transactions");
    txs->at = at;
    at[txs->n] = (struct buffer)BUFFER_INIT;
    buffer_append_bytes(&at[txs->n], tx);
    if (!buffer_ok(&at[txs->n], err)) {
        buffer_free(&at[txs->n]);
        return false;
    }
    txs->n++;
    return true;
}

static bool sign_all(struct keyring *keys, const char *const *fingerprints, size_t n,
                     const struct hash *h, struct signature *out, size_t *n_out, struct error *err)
{
    for (*n_out = 0; *n_out < n; ++*n_out) {
        const struct private_key *k = keyring_find(keys, fingerprints[*n_out]);

        if (k == NULL)
            return error_set(err, ERR_NOT_FOUND, NULL, "no private key %s here",
                             fingerprints[*n_out]);
        if (!private_key_sign(k, USAGE_NAMESPACE | USAGE_PROOF, h, &out[*n_out], err))
            return false;
    }
    return true;
}

bool identity_sign(struct keyring *keys, const char *const *fingerprints, size_t n, int op,
                   uint32_t serial, P30__TopologyMapping *mapping, bool is_proposal,
                   struct signed_txs *out, struct error *err)
{
    struct signature *signatures = calloc(n + 1, sizeof(*signatures));
    struct buffer tx = BUFFER_INIT, whole = BUFFER_INIT;
    size_t n_signed = 0;
    struct hash h;
    bool ok = signatures != NULL || error_set(err, ERR_MEMORY, NULL, "signing");

    ok = ok && topology_tx_build((enum topology_op)op, serial, mapping, &tx, err) &&
         topology_tx_hash(buffer_bytes(&tx), &h, err) &&
         sign_all(keys, fingerprints, n, &h, signatures, &n_signed, err) &&
         signed_topology_tx_build(buffer_bytes(&tx), signatures, n, is_proposal, &whole, err) &&
         signed_txs_add(out, buffer_bytes(&whole), err);
    for (size_t i = 0; i < n_signed; i++)
        signature_free(&signatures[i]);
    free(signatures);
    buffer_free(&tx);
    buffer_free(&whole);
    return ok;
}

static bool build_root(struct keyring *keys, const char *ns, struct signed_txs *out,
                       struct error *err)
{
    P30__NamespaceDelegation__CanSignAllMappings all =
        P30__NAMESPACE_DELEGATION__CAN_SIGN_ALL_MAPPINGS__INIT;
    P30__NamespaceDelegation d;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    const struct private_key *root = keyring_find(keys, ns);
    struct key_message target;

    if (root == NULL)
        return error_set(err, ERR_NOT_FOUND, NULL, "no private key of namespace %s here", ns);
    p30__namespace_delegation__init(&d); /* its INIT names a retired field */
    key_to_message(root->pub, &target);
    d.namespace_ = borrow(ns);
    d.target_key = &target.signing;
    d.restriction_case = P30__NAMESPACE_DELEGATION__RESTRICTION_CAN_SIGN_ALL_MAPPINGS;
    d.can_sign_all_mappings = &all;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_NAMESPACE_DELEGATION;
    m.namespace_delegation = &d;
    return identity_sign(keys, &ns, 1, TOPOLOGY_ADD_REPLACE, 1, &m, false, out, err);
}

/* What the member's mapping lists: at most MEMBER_KEYS of them. */
#define MEMBER_KEYS 20

static size_t collect_keys(struct keyring *keys, const struct private_key *out[MEMBER_KEYS])
{
    size_t n = 0;

    for (size_t i = 0; i < keyring_count(keys) && n < MEMBER_KEYS; i++) {
        const struct private_key *k = keyring_at(keys, i);

        if (k->pub->kind == KEY_ENCRYPTION ||
            (k->pub->usages & (USAGE_SEQUENCER_AUTH | USAGE_PROTOCOL)) != 0)
            out[n++] = k;
    }
    return n;
}

static bool build_keys(struct keyring *keys, const char *ns, const char *member,
                       struct signed_txs *out, struct error *err)
{
    const struct private_key *own[MEMBER_KEYS];
    const char *signers[MEMBER_KEYS + 1] = {ns};
    C30__PublicKey *list[MEMBER_KEYS];
    struct key_message *messages = calloc(MEMBER_KEYS, sizeof(*messages));
    P30__OwnerToKeyMapping o = P30__OWNER_TO_KEY_MAPPING__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    size_t n = collect_keys(keys, own), n_signers = 1;
    bool ok;

    if (messages == NULL)
        return error_set(err, ERR_MEMORY, NULL, "keys of %s", member);
    for (size_t i = 0; i < n; i++) {
        key_to_message(own[i]->pub, &messages[i]);
        list[i] = &messages[i].key;
        if (own[i]->pub->kind == KEY_SIGNING && strcmp(own[i]->pub->fingerprint, ns) != 0)
            signers[n_signers++] = own[i]->pub->fingerprint;
    }
    o.member = borrow(member);
    o.n_public_keys = n;
    o.public_keys = list;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_OWNER_TO_KEY_MAPPING;
    m.owner_to_key_mapping = &o;
    ok = n > 0
             ? identity_sign(keys, signers, n_signers, TOPOLOGY_ADD_REPLACE, 1, &m, false, out, err)
             : error_set(err, ERR_NOT_FOUND, NULL, "%s has no keys", member);
    free(messages);
    return ok;
}

bool identity_build(struct keyring *keys, const char *ns, const char *member,
                    struct signed_txs *out, struct error *err)
{
    return member_parse(member, NULL, NULL, err) && build_root(keys, ns, out, err) &&
           build_keys(keys, ns, member, out, err);
}

bool identity_trust(struct keyring *keys, const char *ns, const char *participant,
                    const char *synchronizer, struct signed_txs *out, struct error *err)
{
    P30__SynchronizerTrustCertificate c = P30__SYNCHRONIZER_TRUST_CERTIFICATE__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;

    if (!uid_parse(participant, NULL, err) || !uid_parse(synchronizer, NULL, err))
        return false;
    c.participant_uid = borrow(participant);
    c.synchronizer_id = borrow(synchronizer);
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_SYNCHRONIZER_TRUST_CERTIFICATE;
    m.synchronizer_trust_certificate = &c;
    return identity_sign(keys, &ns, 1, TOPOLOGY_ADD_REPLACE, 1, &m, false, out, err);
}
