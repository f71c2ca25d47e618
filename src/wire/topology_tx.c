/* topology_tx.c: signed topology transactions and their broadcast, as bytes. */
#include "wire/topology_tx.h"

#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/versioned.h"

static int compare_hashes(const void *a, const void *b)
{
    return hash_compare(a, b);
}

bool topology_tx_hash(struct bytes transaction, struct hash *out, struct error *err)
{
    return hash_of(HASH_TOPOLOGY_TRANSACTION, transaction, out, err);
}

bool topology_multi_hash(const struct hash *ascending, size_t n, struct hash *out,
                         struct error *err)
{
    struct hash_builder h;

    hash_start(&h, HASH_MULTI_TOPOLOGY_TRANSACTION);
    hash_i32(&h, (int32_t)n);
    for (size_t i = 0; i < n; i++)
        hash_bytes(&h, hash_as_bytes(&ascending[i]));
    return hash_finish(&h, out, err);
}

static bool multi_from(const P30__MultiTransactionSignatures *m, const struct hash *own,
                       struct multi_signatures *out, struct error *err)
{
    size_t n = m->n_transaction_hashes, kept = 0;
    bool is_named = false;

    if (n == 0 || m->n_signatures == 0)
        return error_set(err, ERR_MALFORMED, NULL, "multi-transaction signatures without %s",
                         n == 0 ? "hashes" : "signatures");
    if (!own_array(n, sizeof(*out->tx_hashes), &out->tx_hashes, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!hash_parse(bytes_pb(m->transaction_hashes[i]), &out->tx_hashes[i], err))
            return false;
        is_named = is_named || hash_equal(&out->tx_hashes[i], own);
    }
    if (!is_named)
        return error_set(err, ERR_MALFORMED, NULL,
                         "multi-transaction signatures do not name their transaction");
    qsort(out->tx_hashes, n, sizeof(*out->tx_hashes), compare_hashes);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !hash_equal(&out->tx_hashes[kept - 1], &out->tx_hashes[i]))
            out->tx_hashes[kept++] = out->tx_hashes[i];
    out->n_tx_hashes = kept;
    if (!topology_multi_hash(out->tx_hashes, kept, &out->hash, err))
        return false;
    out->n_signatures = m->n_signatures;
    return signatures_from_messages(m->signatures, m->n_signatures, &out->signatures, err);
}

static bool transaction_from(struct bytes wrapped, struct signed_topology_tx *out,
                             struct error *err)
{
    if (!own_bytes(wrapped, &out->transaction, err) || !topology_tx_hash(wrapped, &out->hash, err))
        return false;
    out->tx = versioned_unpack(wrapped, VERSIONED_V30, &p30__topology_transaction__descriptor, err);
    if (!out->tx)
        return false;
    if (out->tx->operation != P30__ENUMS__TOPOLOGY_CHANGE_OP__TOPOLOGY_CHANGE_OP_ADD_REPLACE &&
        out->tx->operation != P30__ENUMS__TOPOLOGY_CHANGE_OP__TOPOLOGY_CHANGE_OP_REMOVE)
        return error_set(err, ERR_MALFORMED, NULL, "a topology transaction has operation %d",
                         (int)out->tx->operation);
    if (out->tx->serial == 0 || out->tx->serial > INT32_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "a topology transaction has serial %u",
                         out->tx->serial);
    if (!out->tx->mapping ||
        out->tx->mapping->mapping_case == P30__TOPOLOGY_MAPPING__MAPPING__NOT_SET)
        return error_set(err, ERR_MALFORMED, NULL, "a topology transaction has no known mapping");
    out->op = (enum topology_op)out->tx->operation;
    out->serial = out->tx->serial;
    out->mapping = out->tx->mapping;
    return true;
}

static bool signed_from(const P30__SignedTopologyTransaction *m, struct signed_topology_tx *out,
                        struct error *err)
{
    size_t total = m->n_signatures;

    for (size_t i = 0; i < m->n_multi_transaction_signatures; i++)
        total += m->multi_transaction_signatures[i]->n_signatures + 1;
    if (total == 0)
        return error_set(err, ERR_MALFORMED, NULL, "a topology transaction is not signed");
    if (total > TOPOLOGY_TX_SIGNATURES_MAX)
        return error_set(err, ERR_LIMIT, NULL, "a topology transaction has more than %d signatures",
                         TOPOLOGY_TX_SIGNATURES_MAX);
    out->is_proposal = m->proposal;
    if (!transaction_from(bytes_pb(m->transaction), out, err))
        return false;
    if (!signatures_from_messages(m->signatures, m->n_signatures, &out->signatures, err))
        return false;
    out->n_signatures = m->n_signatures;
    if (!own_array(m->n_multi_transaction_signatures, sizeof(*out->multi), &out->multi, err))
        return false;
    out->n_multi = m->n_multi_transaction_signatures;
    for (size_t i = 0; i < out->n_multi; i++)
        if (!multi_from(m->multi_transaction_signatures[i], &out->hash, &out->multi[i], err))
            return false;
    return true;
}

bool signed_topology_tx_parse(struct bytes wrapped, struct signed_topology_tx *out,
                              struct error *err)
{
    P30__SignedTopologyTransaction *m;
    bool ok;

    *out = (struct signed_topology_tx){0};
    m = versioned_unpack(wrapped, VERSIONED_V30, &p30__signed_topology_transaction__descriptor,
                         err);
    if (!m)
        return false;
    ok = own_bytes(wrapped, &out->raw, err) && signed_from(m, out, err);
    wire_message_free(m);
    if (!ok)
        signed_topology_tx_free(out);
    return ok;
}

bool signed_topology_tx_from(const P30__SignedTopologyTransaction *m,
                             struct signed_topology_tx *out, struct error *err)
{
    *out = (struct signed_topology_tx){0};
    if (versioned_pack(m, VERSIONED_V30, &out->raw, err) && signed_from(m, out, err))
        return true;
    signed_topology_tx_free(out);
    return false;
}

void signed_topology_tx_free(struct signed_topology_tx *t)
{
    if (!t)
        return;
    buffer_free(&t->raw);
    buffer_free(&t->transaction);
    wire_message_free(t->tx);
    signatures_free(t->signatures, t->n_signatures);
    for (size_t i = 0; i < t->n_multi; i++) {
        free(t->multi[i].tx_hashes);
        signatures_free(t->multi[i].signatures, t->multi[i].n_signatures);
    }
    free(t->multi);
    *t = (struct signed_topology_tx){0};
}

bool topology_tx_build(enum topology_op op, uint32_t serial, P30__TopologyMapping *mapping,
                       struct buffer *out, struct error *err)
{
    P30__TopologyTransaction m = P30__TOPOLOGY_TRANSACTION__INIT;

    m.operation = (P30__Enums__TopologyChangeOp)op;
    m.serial = serial;
    m.mapping = mapping;
    return versioned_pack(&m, VERSIONED_V30, out, err);
}

bool signed_topology_tx_build(struct bytes transaction, const struct signature *signatures,
                              size_t n_signatures, bool is_proposal, struct buffer *out,
                              struct error *err)
{
    P30__SignedTopologyTransaction m = P30__SIGNED_TOPOLOGY_TRANSACTION__INIT;
    bool ok;

    if (!signatures_to_messages(signatures, n_signatures, &m.signatures, err))
        return false;
    m.n_signatures = n_signatures;
    m.transaction = pb_bytes(transaction);
    m.proposal = is_proposal;
    ok = versioned_pack(&m, VERSIONED_V30, out, err);
    free(m.signatures);
    return ok;
}

bool topology_broadcast_build(const char *psid, const struct bytes *transactions, size_t n,
                              struct buffer *out, struct error *err)
{
    P30__SignedTopologyTransactions list = P30__SIGNED_TOPOLOGY_TRANSACTIONS__INIT;
    P30__TopologyTransactionsBroadcast broadcast = P30__TOPOLOGY_TRANSACTIONS_BROADCAST__INIT;
    P31__EnvelopeContent content = P31__ENVELOPE_CONTENT__INIT;
    bool ok;

    if (!own_array(n, sizeof(*list.signed_transaction), &list.signed_transaction, err))
        return false;
    for (size_t i = 0; i < n; i++)
        list.signed_transaction[i] = pb_bytes(transactions[i]);
    list.n_signed_transaction = n;
    broadcast.physical_synchronizer_id = (char *)(uintptr_t)psid; /* packing only reads it */
    broadcast.signed_transactions = &list;
    content.some_envelope_content_case =
        P31__ENVELOPE_CONTENT__SOME_ENVELOPE_CONTENT_TOPOLOGY_TRANSACTIONS_BROADCAST;
    content.topology_transactions_broadcast = &broadcast;
    ok = versioned_pack(&content, VERSIONED_V31, out, err);
    free(list.signed_transaction);
    return ok;
}

void topology_broadcast_free(struct topology_broadcast *b)
{
    if (!b)
        return;
    free(b->psid);
    for (size_t i = 0; i < b->n; i++)
        buffer_free(&b->transactions[i]);
    free(b->transactions);
    *b = (struct topology_broadcast){0};
}
