/* admin_topology_write.c: TopologyManagerWriteService: transactions made, signed with the node's
 * keys, and put into a store. Whatever would be rejected is refused before anything is sent. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "node/admin_internal.h"
#include "node/admin_stores.h"
#include "topology/verify.h"
#include "topology_admin_v30.pb-c.h"
#include "wire/keys.h"
#include "wire/precheck.h"
#include "wire/versioned.h"

#define WRITE_PATH  ADMIN_TREE "topology.admin.v30.TopologyManagerWriteService/"
#define WAIT_US     (10 * US_PER_S) /* when the caller does not say */
#define WAIT_MAX_US (300 * US_PER_S)
#define SIGNERS_MAX 64

/* A list of W(30) transactions on their way into a store. */
struct batch_of {
    struct signed_txs txs;
    enum store_kind store;
    int64_t wait_us;
};

static int64_t wait_of(const Google__Protobuf__Duration *d)
{
    int64_t us = d == NULL ? WAIT_US : d->seconds * US_PER_S + d->nanos / 1000;

    return us <= 0 ? WAIT_US : us > WAIT_MAX_US ? WAIT_MAX_US : us;
}

/* Identity and keys of this node: what its authorized store keeps. */
static bool is_own(const struct admin_service *s, const struct mapping *m)
{
    return (m->code == MAPPING_NAMESPACE && strcmp(m->ns, s->cfg.identity->ns) == 0) ||
           (m->code == MAPPING_KEYS && strcmp(m->subject, s->cfg.identity->member) == 0);
}

static bool keep_own(struct admin_service *s, const struct signed_txs *txs, bool is_required,
                     struct error *err)
{
    for (size_t i = 0; i < txs->n; i++) {
        struct signed_topology_tx tx = {0};
        struct mapping *m = NULL;
        bool ok = signed_topology_tx_parse(buffer_bytes(&txs->at[i]), &tx, err) &&
                  mapping_parse(tx.mapping, &m, err);

        if (ok && is_own(s, m) && !tx.is_proposal)
            ok = node_identity_authorize(s->cfg.identity, buffer_bytes(&txs->at[i]), err);
        else if (ok && is_required)
            ok = error_set(err, ERR_REFUSED, "name the synchronizer's store",
                           "the authorized store of a node keeps its own delegations and keys, "
                           "fully signed, and nothing else");
        mapping_free(m);
        signed_topology_tx_free(&tx);
        if (!ok)
            return false;
    }
    return true;
}

static bool put(struct admin_service *s, const struct batch_of *b, struct error *err)
{
    struct bytes *list;
    bool ok;

    if (b->store == STORE_AUTHORIZED)
        return keep_own(s, &b->txs, true, err);
    list = calloc(b->txs.n + 1, sizeof(*list));
    if (list == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for %zu transactions", b->txs.n);
    for (size_t i = 0; i < b->txs.n; i++)
        list[i] = buffer_bytes(&b->txs.at[i]);
    ok = store_submit(&s->cfg, list, b->txs.n, b->wait_us, err) && keep_own(s, &b->txs, false, err);
    free(list);
    return ok;
}

/* ---- signing ---- */

struct signers {
    const char *at[SIGNERS_MAX];
    size_t n;
};

static bool signers_add(struct signers *l, const char *fingerprint, struct error *err)
{
    if (l->n == SIGNERS_MAX)
        return error_set(err, ERR_LIMIT, NULL, "more than %d keys to sign with", SIGNERS_MAX);
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->at[i], fingerprint) == 0)
            return true;
    l->at[l->n++] = fingerprint;
    return true;
}

/* The keys named, or all of ours that may count: those for namespaces, and those that the mapping
 * itself introduces. */
static bool choose(struct admin_service *s, char *const *named, size_t n_named,
                   const struct mapping *m, struct signers *out, struct error *err)
{
    struct keyring *keys = s->cfg.identity->keys;

    out->n = 0;
    for (size_t i = 0; i < n_named; i++)
        if (!signers_add(out, named[i], err))
            return false;
    if (n_named > 0)
        return true;
    for (size_t i = 0; i < keyring_count(keys); i++) {
        const struct public_key *k = keyring_at(keys, i)->pub;

        if (k->kind == KEY_SIGNING && (k->usages & USAGE_NAMESPACE) != 0 &&
            !signers_add(out, k->fingerprint, err))
            return false;
    }
    for (size_t i = 0; m->code == MAPPING_KEYS && i < m->n_keys; i++)
        if (m->keys[i]->kind == KEY_SIGNING && keyring_find(keys, m->keys[i]->fingerprint) &&
            !signers_add(out, m->keys[i]->fingerprint, err))
            return false;
    return out->n > 0 || error_set(err, ERR_NOT_FOUND, NULL, "no key here to sign with");
}

/* Adds our signatures to those that tx has. */
static bool sign_more(struct admin_service *s, const struct signed_topology_tx *tx,
                      const struct signers *l, bool is_proposal, struct signed_txs *out,
                      struct error *err)
{
    struct signature *all = calloc(tx->n_signatures + l->n + 1, sizeof(*all));
    struct buffer raw = BUFFER_INIT;
    size_t n = tx->n_signatures;
    bool ok = all != NULL || error_set(err, ERR_MEMORY, NULL, "no memory to sign");

    if (ok)
        memcpy(all, tx->signatures, n * sizeof(*all));
    if (ok && tx->n_multi > 0)
        ok = error_set(err, ERR_UNSUPPORTED, "sign it where it was made",
                       "a transaction with signatures over several at once");
    for (size_t i = 0; ok && i < l->n; i++) {
        const struct private_key *k = keyring_find(s->cfg.identity->keys, l->at[i]);

        ok = k != NULL ? private_key_sign(k, USAGE_NAMESPACE | USAGE_PROOF, &tx->hash, &all[n], err)
                       : error_set(err, ERR_NOT_FOUND, "see lockstep keys list",
                                   "no private key %s here", l->at[i]);
        n += ok;
    }
    ok = ok &&
         signed_topology_tx_build(buffer_bytes(&tx->transaction), all, n, is_proposal, &raw, err) &&
         signed_txs_add(out, buffer_bytes(&raw), err);
    for (size_t i = tx->n_signatures; all != NULL && i < n; i++)
        signature_free(&all[i]);
    free(all);
    buffer_free(&raw);
    return ok;
}

/* One after what the store has in this place; 1 when it has nothing. */
static bool next_serial(struct admin_service *s, enum store_kind store, const struct mapping *m,
                        uint32_t *out, struct error *err)
{
    struct store_query q = {.store = store, .time = STORE_HEAD, .codes = 1u << m->code};
    struct store_rows rows = {0};
    bool ok = store_select(&s->cfg, &q, &rows, err);

    *out = 1;
    for (size_t i = 0; ok && i < rows.n; i++)
        if (hash_equal(&rows.at[i].m->unique_key, &m->unique_key) && rows.at[i].tx.serial >= *out)
            *out = rows.at[i].tx.serial + 1;
    store_rows_free(&rows);
    return ok;
}

static bool make(struct admin_service *s, const TopologyAdmin__AuthorizeRequest *rq,
                 struct batch_of *b, struct error *err)
{
    const TopologyAdmin__AuthorizeRequest__Proposal *p = rq->proposal;
    struct mapping *m = NULL;
    struct signers signers;
    uint32_t serial = p->serial;
    int op = p->change == 0 ? TOPOLOGY_ADD_REPLACE : (int)p->change;
    bool ok;

    if (p->mapping_case != TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__PROPOSAL__MAPPING_V30)
        return error_set(err, ERR_MALFORMED, NULL, "the proposal has no mapping");
    ok = mapping_parse(p->v30, &m, err) &&
         (serial != 0 || next_serial(s, b->store, m, &serial, err)) &&
         choose(s, rq->signed_by, rq->n_signed_by, m, &signers, err) &&
         identity_sign(s->cfg.identity->keys, signers.at, signers.n, op, serial, p->v30,
                       !rq->must_fully_authorize, &b->txs, err);
    mapping_free(m);
    return ok;
}

/* The open proposal with this hash (hex), signed by us as well. */
static bool join(struct admin_service *s, const TopologyAdmin__AuthorizeRequest *rq,
                 struct batch_of *b, struct error *err)
{
    struct store_query q = {.store = b->store, .time = STORE_HEAD, .is_proposals = true};
    struct store_rows rows = {0};
    struct signers signers;
    bool ok = store_select(&s->cfg, &q, &rows, err), found = false;

    for (size_t i = 0; ok && i < rows.n && !found; i++) {
        char hex[HASH_HEX_SIZE];

        hash_hex(&rows.at[i].tx.hash, hex);
        found = strcmp(hex, rq->transaction_hash) == 0;
        if (found)
            ok = choose(s, rq->signed_by, rq->n_signed_by, rows.at[i].m, &signers, err) &&
                 sign_more(s, &rows.at[i].tx, &signers, !rq->must_fully_authorize, &b->txs, err);
    }
    if (ok && !found)
        ok = error_set(err, ERR_NOT_FOUND, "see lockstep topology list --proposals",
                       "no open proposal %.80s", rq->transaction_hash);
    store_rows_free(&rows);
    return ok;
}

/* The message inside W(30); wire_message_free. NULL: err. */
static P30__SignedTopologyTransaction *message_of(const struct buffer *raw, struct error *err)
{
    return versioned_unpack(buffer_bytes(raw), VERSIONED_V30,
                            &p30__signed_topology_transaction__descriptor, err);
}

static void authorize(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__AuthorizeRequest *rq =
        admin_request(call, &topology_admin__authorize_request__descriptor);
    TopologyAdmin__AuthorizeResponse r = TOPOLOGY_ADMIN__AUTHORIZE_RESPONSE__INIT;
    struct batch_of b = {0};
    struct error err;
    bool ok;

    if (rq == NULL)
        return;
    b.wait_us = wait_of(rq->wait_to_become_effective);
    ok = admin_store_kind(s, rq->store, &b.store, &err);
    if (ok && rq->type_case == TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__TYPE_PROPOSAL)
        ok = make(s, rq, &b, &err);
    else if (ok && rq->type_case == TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__TYPE_TRANSACTION_HASH)
        ok = join(s, rq, &b, &err);
    else if (ok)
        ok = error_set(&err, ERR_MALFORMED, NULL, "neither a proposal nor a transaction_hash");
    ok = ok && put(s, &b, &err) && (r.transaction = message_of(&b.txs.at[0], &err)) != NULL;
    if (ok)
        admin_reply(call, &r);
    else
        admin_fail(s, call, &err);
    wire_message_free(r.transaction);
    signed_txs_free(&b.txs);
    wire_message_free(rq);
}

/* ---- what was made elsewhere ---- */

static bool take_messages(P30__SignedTopologyTransaction *const *m, size_t n,
                          struct signed_txs *out, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct signed_topology_tx tx = {0};
        bool ok = signed_topology_tx_from(m[i], &tx, err) &&
                  signed_txs_add(out, buffer_bytes(&tx.raw), err);

        signed_topology_tx_free(&tx);
        if (!ok)
            return error_add(err, "transaction %zu of %zu", i + 1, n);
    }
    return n > 0 || error_set(err, ERR_MALFORMED, NULL, "no transactions");
}

static void add_transactions(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__AddTransactionsRequest *rq =
        admin_request(call, &topology_admin__add_transactions_request__descriptor);
    TopologyAdmin__AddTransactionsResponse r = TOPOLOGY_ADMIN__ADD_TRANSACTIONS_RESPONSE__INIT;
    struct batch_of b = {0};
    struct error err;

    if (rq == NULL)
        return;
    b.wait_us = wait_of(rq->wait_to_become_effective);
    if (admin_store_kind(s, rq->store, &b.store, &err) &&
        take_messages(rq->transactions, rq->n_transactions, &b.txs, &err) && put(s, &b, &err))
        admin_reply(call, &r);
    else
        admin_fail(s, call, &err);
    signed_txs_free(&b.txs);
    wire_message_free(rq);
}

/* The chunks of an export; store and waiting time as the first says. */
static bool take_import(struct admin_service *s, struct rpc_call *call, struct buffer *file,
                        struct batch_of *b, struct error *err)
{
    for (size_t i = 0; i < rpc_call_request_count(call); i++) {
        TopologyAdmin__ImportTopologySnapshotV2Request *rq =
            wire_unpack(&topology_admin__import_topology_snapshot_v2_request__descriptor,
                        rpc_call_request_at(call, i), err);
        bool ok = rq != NULL;

        if (ok && i == 0) {
            b->wait_us = wait_of(rq->wait_to_become_effective);
            ok = admin_store_kind(s, rq->store, &b->store, err);
        }
        if (ok)
            buffer_append(file, rq->topology_snapshot.data, rq->topology_snapshot.len);
        wire_message_free(rq);
        if (!ok)
            return false;
    }
    return buffer_ok(file, err);
}

static void import(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__ImportTopologySnapshotV2Response r =
        TOPOLOGY_ADMIN__IMPORT_TOPOLOGY_SNAPSHOT_V2_RESPONSE__INIT;
    struct topology_items items = {0};
    struct buffer file = BUFFER_INIT;
    struct batch_of b = {0};
    struct error err;
    bool ok = take_import(s, call, &file, &b, &err) &&
              topology_export_read(buffer_bytes(&file), (size_t)ADMIN_FILE_BYTES, &items, &err);

    for (size_t i = 0; ok && i < items.n; i++)
        if (items.at[i].rejection == NULL)
            ok = signed_txs_add(&b.txs, buffer_bytes(&items.at[i].transaction), &err);
    if (ok && put(s, &b, &err)) {
        log_info(s->cfg.logger, "imported %zu topology transactions", b.txs.n);
        admin_reply(call, &r);
    } else {
        admin_fail(s, call, &err);
    }
    topology_items_free(&items);
    signed_txs_free(&b.txs);
    buffer_free(&file);
}

/* ---- signing and making without storing ---- */

static bool sign_each(struct admin_service *s, const TopologyAdmin__SignTransactionsRequest *rq,
                      struct signed_txs *out, struct error *err)
{
    for (size_t i = 0; i < rq->n_transactions; i++) {
        struct signed_topology_tx tx = {0};
        struct mapping *m = NULL;
        struct signers signers;
        bool ok = signed_topology_tx_from(rq->transactions[i], &tx, err) &&
                  mapping_parse(tx.mapping, &m, err) &&
                  choose(s, rq->signed_by, rq->n_signed_by, m, &signers, err) &&
                  sign_more(s, &tx, &signers, tx.is_proposal, out, err);

        mapping_free(m);
        signed_topology_tx_free(&tx);
        if (!ok)
            return error_add(err, "transaction %zu of %zu", i + 1, rq->n_transactions);
    }
    return true;
}

static void sign_transactions(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__SignTransactionsRequest *rq =
        admin_request(call, &topology_admin__sign_transactions_request__descriptor);
    TopologyAdmin__SignTransactionsResponse r = TOPOLOGY_ADMIN__SIGN_TRANSACTIONS_RESPONSE__INIT;
    struct signed_txs txs = {0};
    struct error err;
    bool ok;

    if (rq == NULL)
        return;
    ok = sign_each(s, rq, &txs, &err);
    r.transactions = calloc(txs.n + 1, sizeof(*r.transactions));
    if (ok && r.transactions == NULL)
        ok = error_set(&err, ERR_MEMORY, NULL, "no memory for an answer");
    for (; ok && r.n_transactions < txs.n; r.n_transactions += ok)
        ok = (r.transactions[r.n_transactions] = message_of(&txs.at[r.n_transactions], &err)) !=
             NULL;
    if (ok)
        admin_reply(call, &r);
    else
        admin_fail(s, call, &err);
    for (size_t i = 0; i < r.n_transactions; i++)
        wire_message_free(r.transactions[i]);
    free(r.transactions);
    signed_txs_free(&txs);
    wire_message_free(rq);
}

struct made {
    TopologyAdmin__GenerateTransactionsResponse__GeneratedTransaction message;
    struct buffer tx;
    struct hash hash;
};

static bool generate_one(struct admin_service *s,
                         const TopologyAdmin__GenerateTransactionsRequest__Proposal *p,
                         struct made *out, struct error *err)
{
    enum store_kind store;
    struct mapping *m = NULL;
    uint32_t serial = p->serial;
    int op = p->operation == 0 ? TOPOLOGY_ADD_REPLACE : (int)p->operation;
    bool ok;

    if (p->v30 == NULL)
        return error_set(err, ERR_MALFORMED, NULL, "a proposal has no mapping");
    ok = admin_store_kind(s, p->store, &store, err) && mapping_parse(p->v30, &m, err) &&
         (serial != 0 || next_serial(s, store, m, &serial, err)) &&
         topology_tx_build((enum topology_op)op, serial, p->v30, &out->tx, err) &&
         topology_tx_hash(buffer_bytes(&out->tx), &out->hash, err);
    mapping_free(m);
    topology_admin__generate_transactions_response__generated_transaction__init(&out->message);
    out->message.serialized_transaction = (ProtobufCBinaryData){out->tx.len, out->tx.data};
    out->message.transaction_hash = (ProtobufCBinaryData){HASH_LEN, out->hash.b};
    return ok;
}

static void generate(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__GenerateTransactionsRequest *rq =
        admin_request(call, &topology_admin__generate_transactions_request__descriptor);
    TopologyAdmin__GenerateTransactionsResponse r =
        TOPOLOGY_ADMIN__GENERATE_TRANSACTIONS_RESPONSE__INIT;
    struct made *made;
    struct error err;
    bool ok;

    if (rq == NULL)
        return;
    made = calloc(rq->n_proposals + 1, sizeof(*made));
    r.generated_transactions = calloc(rq->n_proposals + 1, sizeof(void *));
    ok = (made != NULL && r.generated_transactions != NULL) ||
         error_set(&err, ERR_MEMORY, NULL, "no memory for an answer");
    for (; ok && r.n_generated_transactions < rq->n_proposals; r.n_generated_transactions++) {
        struct made *m = &made[r.n_generated_transactions];

        ok = generate_one(s, rq->proposals[r.n_generated_transactions], m, &err);
        r.generated_transactions[r.n_generated_transactions] = &m->message;
    }
    if (ok)
        admin_reply(call, &r);
    else
        admin_fail(s, call, &err);
    for (size_t i = 0; made != NULL && i < rq->n_proposals; i++)
        buffer_free(&made[i].tx);
    free(made);
    free(r.generated_transactions);
    wire_message_free(rq);
}

static const struct admin_method methods[] = {
    {WRITE_PATH "Authorize", RPC_UNARY, authorize, true},
    {WRITE_PATH "AddTransactions", RPC_UNARY, add_transactions, true},
    {WRITE_PATH "SignTransactions", RPC_UNARY, sign_transactions, true},
    {WRITE_PATH "GenerateTransactions", RPC_UNARY, generate, true},
    {WRITE_PATH "ImportTopologySnapshotV2", RPC_CLIENT_STREAM, import, true},
};

bool admin_topology_write_register(struct admin_service *s, struct rpc_server *server,
                                   struct error *err)
{
    return admin_register(s, server, methods, sizeof(methods) / sizeof(methods[0]), err);
}
