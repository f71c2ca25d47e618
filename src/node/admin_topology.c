/* admin_topology.c: TopologyManagerReadService: what a node's topology stores hold. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "node/admin_internal.h"
#include "node/admin_stores.h"
#include "topology_admin_v30.pb-c.h"
#include "wire/precheck.h"

#define READ_PATH    ADMIN_TREE "topology.admin.v30.TopologyManagerReadService/"
#define EXPORT_CHUNK ((size_t)1 << 20)

/* ---- the base query ---- */

static int64_t from_timestamp(const Google__Protobuf__Timestamp *t)
{
    return t == NULL ? TS_MIN : t->seconds * US_PER_S + t->nanos / 1000;
}

bool admin_store_kind(struct admin_service *s, const TopologyAdmin__StoreId *id,
                      enum store_kind *out, struct error *err)
{
    struct admin_status st = {0};
    const char *asked;

    *out = STORE_AUTHORIZED;
    if (id == NULL || id->store_case == TOPOLOGY_ADMIN__STORE_ID__STORE_AUTHORIZED)
        return true;
    if (id->store_case != TOPOLOGY_ADMIN__STORE_ID__STORE_SYNCHRONIZER)
        return error_set(err, ERR_UNSUPPORTED, NULL, "temporary topology stores are not kept here");
    *out = STORE_SYNCHRONIZER;
    s->cfg.status(s->cfg.ctx, &st);
    asked = id->synchronizer->physical_id; /* the same place as the logical id */
    if (st.psid[0] == '\0' || strncmp(st.psid, asked, strlen(asked)) != 0 ||
        (st.psid[strlen(asked)] != '\0' && st.psid[strlen(asked)] != ':'))
        return error_set(err, ERR_NOT_FOUND, NULL, "no store of synchronizer %s here", asked);
    return true;
}

static bool base_query(struct admin_service *s, const TopologyAdmin__BaseQuery *b,
                       struct store_query *q, struct error *err)
{
    *q = (struct store_query){.time = STORE_HEAD};
    if (b == NULL)
        return true;
    q->is_proposals = b->proposals;
    q->op = (int)b->operation;
    q->signed_key = b->filter_signed_key;
    if (b->time_query_case == TOPOLOGY_ADMIN__BASE_QUERY__TIME_QUERY_SNAPSHOT) {
        q->time = STORE_AT;
        q->from = from_timestamp(b->snapshot);
    } else if (b->time_query_case == TOPOLOGY_ADMIN__BASE_QUERY__TIME_QUERY_RANGE) {
        q->time = STORE_BETWEEN;
        q->from = from_timestamp(b->range->from);
        q->until = b->range->until == NULL ? TS_MAX : from_timestamp(b->range->until);
    }
    return admin_store_kind(s, b->store, &q->store, err);
}

/* ---- lists of everything ---- */

static void list_available(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    struct admin_status st = {0};
    TopologyAdmin__ListAvailableStoresResponse r =
        TOPOLOGY_ADMIN__LIST_AVAILABLE_STORES_RESPONSE__INIT;
    TopologyAdmin__StoreId__Authorized authorized = TOPOLOGY_ADMIN__STORE_ID__AUTHORIZED__INIT;
    TopologyAdmin__Synchronizer synchronizer = TOPOLOGY_ADMIN__SYNCHRONIZER__INIT;
    TopologyAdmin__StoreId own = TOPOLOGY_ADMIN__STORE_ID__INIT,
                           other = TOPOLOGY_ADMIN__STORE_ID__INIT, *list[] = {&own, &other};

    s->cfg.status(s->cfg.ctx, &st);
    own.store_case = TOPOLOGY_ADMIN__STORE_ID__STORE_AUTHORIZED;
    own.authorized = &authorized;
    synchronizer.kind_case = TOPOLOGY_ADMIN__SYNCHRONIZER__KIND_PHYSICAL_ID;
    synchronizer.physical_id = st.psid;
    other.store_case = TOPOLOGY_ADMIN__STORE_ID__STORE_SYNCHRONIZER;
    other.synchronizer = &synchronizer;
    r.n_store_ids = s->cfg.with_topology != NULL && st.psid[0] != '\0' ? 2 : 1;
    r.store_ids = list;
    admin_reply(call, &r);
}

static bool item_times(const struct topology_item *i, Google__Protobuf__Timestamp t[3])
{
    admin_timestamp(i->sequenced, &t[0]);
    admin_timestamp(i->valid_from, &t[1]);
    if (i->valid_until == TOPOLOGY_OPEN)
        return false;
    admin_timestamp(i->valid_until, &t[2]);
    return true;
}

struct packed_item {
    TopologyAdmin__TopologyTransactions__Item item;
    Google__Protobuf__Timestamp times[3];
};

static void reply_all(struct admin_service *s, struct rpc_call *call, const struct store_rows *rows)
{
    TopologyAdmin__ListAllV2Response r = TOPOLOGY_ADMIN__LIST_ALL_V2_RESPONSE__INIT;
    TopologyAdmin__TopologyTransactions txs = TOPOLOGY_ADMIN__TOPOLOGY_TRANSACTIONS__INIT;
    struct packed_item *items = calloc(rows->n + 1, sizeof(*items));
    TopologyAdmin__TopologyTransactions__Item **at = calloc(rows->n + 1, sizeof(void *));
    struct error err;

    for (size_t i = 0; items != NULL && at != NULL && i < rows->n; i++) {
        struct packed_item *p = &items[i];
        const struct topology_item *from = rows->at[i].item;

        topology_admin__topology_transactions__item__init(&p->item);
        p->item.valid_until = item_times(from, p->times) ? &p->times[2] : NULL;
        p->item.sequenced = &p->times[0];
        p->item.valid_from = &p->times[1];
        p->item.transaction = (ProtobufCBinaryData){from->transaction.len, from->transaction.data};
        at[i] = &p->item;
    }
    txs.n_items = rows->n;
    txs.items = at;
    r.result = &txs;
    if (items != NULL && at != NULL) {
        admin_reply(call, &r);
    } else {
        error_set(&err, ERR_MEMORY, NULL, "no memory for a list");
        admin_fail(s, call, &err);
    }
    free(items);
    free(at);
}

static void list_all(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__ListAllV2Request *rq =
        admin_request(call, &topology_admin__list_all_v2_request__descriptor);
    struct store_rows rows = {0};
    struct store_query q;
    struct error err;

    if (rq == NULL)
        return;
    if (base_query(s, rq->base_query, &q, &err)) {
        q.codes = store_codes(rq->include_mappings, rq->n_include_mappings);
        q.ns = rq->filter_namespace;
        if (store_select(&s->cfg, &q, &rows, &err)) {
            reply_all(s, call, &rows);
            goto out;
        }
    }
    admin_fail(s, call, &err);
out:
    store_rows_free(&rows);
    wire_message_free(rq);
}

/* ---- export ---- */

/* A stream that sends itself: one chunk after the other, as the peer takes them. */
struct export
{
    struct rpc_call *call;
    struct buffer file;
    size_t at;
};

static void export_next(struct export *e)
{
    TopologyAdmin__ExportTopologySnapshotV2Response r =
        TOPOLOGY_ADMIN__EXPORT_TOPOLOGY_SNAPSHOT_V2_RESPONSE__INIT;
    struct buffer out = BUFFER_INIT;
    struct error err;
    size_t n = e->file.len - e->at < EXPORT_CHUNK ? e->file.len - e->at : EXPORT_CHUNK;

    if (n == 0) {
        rpc_call_end(e->call);
        return;
    }
    r.chunk = (ProtobufCBinaryData){n, e->file.data + e->at};
    e->at += n;
    if (!wire_pack(&r, &out, &err))
        rpc_call_refuse(e->call, RPC_RESOURCE_EXHAUSTED, "%s", err.cause);
    else if (!rpc_call_write(e->call, buffer_bytes(&out)))
        rpc_call_refuse(e->call, RPC_CANCELLED, "cancelled");
    buffer_free(&out);
}

static void on_written(void *ctx, bool ok)
{
    struct export *e = ctx;

    if (ok)
        export_next(e);
    else
        rpc_call_refuse(e->call, RPC_CANCELLED, "cancelled");
}

static void on_export_done(void *ctx)
{
    struct export *e = ctx;

    buffer_free(&e->file);
    free(e);
}

static bool export_file(struct admin_service *s,
                        const TopologyAdmin__ExportTopologySnapshotV2Request *rq,
                        struct buffer *file, struct error *err)
{
    struct topology_items items = {0};
    struct store_rows rows = {0};
    struct store_query q;
    uint32_t excluded = store_codes(rq->exclude_mappings, rq->n_exclude_mappings);
    bool ok = base_query(s, rq->base_query, &q, err);

    /* Without a time: the whole history, as a member that joins gets it. */
    if (rq->base_query == NULL ||
        rq->base_query->time_query_case == TOPOLOGY_ADMIN__BASE_QUERY__TIME_QUERY__NOT_SET)
        q.time = STORE_ALL;
    q.codes = excluded == 0 ? 0 : ~excluded & ~1u;
    q.ns = rq->filter_namespace;
    ok = ok && store_select(&s->cfg, &q, &rows, err);
    items.at = calloc(rows.n + 1, sizeof(*items.at)); /* borrows from rows */
    for (; ok && items.at != NULL && items.n < rows.n; items.n++)
        items.at[items.n] = *rows.at[items.n].item;
    ok = ok && items.at != NULL && topology_items_to_file(&items, file, err);
    free(items.at);
    store_rows_free(&rows);
    return ok;
}

static void export_all(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    TopologyAdmin__ExportTopologySnapshotV2Request *rq =
        admin_request(call, &topology_admin__export_topology_snapshot_v2_request__descriptor);
    static const struct rpc_call_events events = {.written = on_written, .done = on_export_done};
    struct export *e = calloc(1, sizeof(*e));
    struct error err;

    if (rq == NULL) {
        free(e);
        return;
    }
    if (e == NULL) {
        rpc_call_refuse(call, RPC_RESOURCE_EXHAUSTED, "no memory for an export");
    } else if (!export_file(s, rq, &e->file, &err)) {
        buffer_free(&e->file);
        free(e);
        admin_fail(s, call, &err);
    } else {
        e->call = call;
        rpc_call_watch(call, &events, e);
        export_next(e);
    }
    wire_message_free(rq);
}

/* ---- lists of one kind of mapping ---- */

/* A response of that kind holds `results`, each a context and the item: the mapping's message, or
 * for some what is in its second field. */
struct list_kind {
    enum mapping_code code;
    bool is_inner; /* the item is the mapping's field 2 */
    const ProtobufCMessageDescriptor *request, *response, *result;
};

static void *field_at(void *message, const ProtobufCFieldDescriptor *f)
{
    return (char *)message + f->offset;
}

static const ProtobufCFieldDescriptor *field_named(const ProtobufCMessageDescriptor *d,
                                                   const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(d, name);
}

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The uid of a subject that may be a member text. */
static const char *subject_uid(const struct mapping *m)
{
    return m->code == MAPPING_KEYS ? m->subject + 5 : m->subject;
}

static bool hosts(const struct mapping *m, const char *start)
{
    for (size_t i = 0; i < m->n_hosts; i++)
        if (begins(m->hosts[i].uid, start))
            return true;
    return false;
}

static bool passes(const struct mapping *m, const char *filter, const char *value)
{
    if (value[0] == '\0')
        return true;
    if (strcmp(filter, "filter_namespace") == 0)
        return begins(m->ns, value);
    if (strcmp(filter, "filter_target_key_fingerprint") == 0)
        return m->n_keys > 0 && begins(m->keys[0]->fingerprint, value);
    if (strcmp(filter, "filter_key_owner_type") == 0)
        return begins(m->subject, value);
    if (strcmp(filter, "filter_participant") == 0 && m->code == MAPPING_HOSTING)
        return hosts(m, value);
    if (strcmp(filter, "filter_successor_physical_synchronizer_id") == 0)
        return m->successor != NULL && begins(m->successor, value);
    return begins(subject_uid(m), value);
}

static bool passes_all(const struct list_kind *k, void *request, const struct mapping *m)
{
    for (unsigned i = 0; i < k->request->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &k->request->fields[i];

        if (f->type == PROTOBUF_C_TYPE_STRING &&
            !passes(m, f->name, *(char **)field_at(request, f)))
            return false;
    }
    return true;
}

/* The submessage that the mapping's oneof holds. */
static ProtobufCMessage *mapping_message(P30__TopologyMapping *m)
{
    for (unsigned i = 0; i < m->base.descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->base.descriptor->fields[i];

        if (f->id == (uint32_t)m->mapping_case)
            return *(ProtobufCMessage **)field_at(m, f);
    }
    return NULL;
}

struct packed_result {
    TopologyAdmin__BaseResult context;
    Google__Protobuf__Timestamp times[3];
};

static size_t count_signers(const struct signed_topology_tx *tx)
{
    size_t n = tx->n_signatures;

    for (size_t i = 0; i < tx->n_multi; i++)
        n += tx->multi[i].n_signatures;
    return n;
}

/* signers: room for count_signers. */
static void fill_context(const struct store_row *row, TopologyAdmin__StoreId *store, char **signers,
                         struct packed_result *p)
{
    TopologyAdmin__BaseResult *c = &p->context;
    const struct signed_topology_tx *tx = &row->tx;

    topology_admin__base_result__init(c);
    c->store = store;
    c->valid_until = item_times(row->item, p->times) ? &p->times[2] : NULL;
    c->sequenced = &p->times[0];
    c->valid_from = &p->times[1];
    c->operation = (P30__Enums__TopologyChangeOp)tx->op;
    c->transaction_hash = (ProtobufCBinaryData){HASH_LEN, (uint8_t *)(uintptr_t)tx->hash.b};
    c->serial = (int32_t)tx->serial;
    c->signed_by_fingerprints = signers;
    for (size_t i = 0; i < tx->n_signatures; i++)
        signers[c->n_signed_by_fingerprints++] = tx->signatures[i].signed_by;
    for (size_t i = 0; i < tx->n_multi; i++)
        for (size_t j = 0; j < tx->multi[i].n_signatures; j++)
            signers[c->n_signed_by_fingerprints++] = tx->multi[i].signatures[j].signed_by;
}

static void fill_result(const struct list_kind *k, const struct store_row *row,
                        struct packed_result *p, ProtobufCMessage *result)
{
    const ProtobufCFieldDescriptor *item = &k->result->fields[1];
    ProtobufCMessage *inner = mapping_message(row->tx.mapping);

    protobuf_c_message_init(k->result, result);
    if (k->is_inner)
        inner = *(ProtobufCMessage **)field_at(inner, &inner->descriptor->fields[1]);
    *(void **)field_at(result, &k->result->fields[0]) = &p->context;
    *(void **)field_at(result, item) = inner;
    if ((item->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        *(uint32_t *)(void *)((char *)result + item->quantifier_offset) = item->id;
}

static void reply_list(struct admin_service *s, struct rpc_call *call, const struct list_kind *k,
                       void *request, TopologyAdmin__StoreId *store, const struct store_rows *rows)
{
    const ProtobufCFieldDescriptor *list = field_named(k->response, "results");
    struct packed_result *contexts = calloc(rows->n + 1, sizeof(*contexts));
    char *results = calloc(rows->n + 1, k->result->sizeof_message);
    void **at = calloc(rows->n + 1, sizeof(*at));
    ProtobufCMessage *response = calloc(1, k->response->sizeof_message);
    size_t n = 0, n_signers = 0;
    char **signers;
    struct error err;

    for (size_t i = 0; i < rows->n; i++)
        n_signers += count_signers(&rows->at[i].tx);
    signers = calloc(n_signers + 1, sizeof(*signers));
    n_signers = 0;
    if (signers == NULL || contexts == NULL || results == NULL || at == NULL || response == NULL) {
        error_set(&err, ERR_MEMORY, NULL, "no memory for a list");
        admin_fail(s, call, &err);
        goto out;
    }
    for (size_t i = 0; i < rows->n; i++) {
        if (!passes_all(k, request, rows->at[i].m))
            continue;
        at[n] = results + n * k->result->sizeof_message;
        fill_context(&rows->at[i], store, signers + n_signers, &contexts[n]);
        n_signers += count_signers(&rows->at[i].tx);
        fill_result(k, &rows->at[i], &contexts[n], at[n]);
        n++;
    }
    protobuf_c_message_init(k->response, response);
    *(size_t *)(void *)((char *)response + list->quantifier_offset) = n;
    *(void ***)field_at(response, list) = at;
    admin_reply(call, response);
out:
    free(signers);
    free(contexts);
    free(results);
    free(at);
    free(response);
}

static void list_kind(struct admin_service *s, struct rpc_call *call, const struct list_kind *k)
{
    void *rq = admin_request(call, k->request);
    TopologyAdmin__BaseQuery *base;
    TopologyAdmin__StoreId store = TOPOLOGY_ADMIN__STORE_ID__INIT;
    TopologyAdmin__StoreId__Authorized authorized = TOPOLOGY_ADMIN__STORE_ID__AUTHORIZED__INIT;
    struct store_rows rows = {0};
    struct store_query q;
    struct error err;

    if (rq == NULL)
        return;
    base = *(void **)field_at(rq, field_named(k->request, "base_query"));
    if (base_query(s, base, &q, &err)) {
        q.codes = 1u << k->code;
        store.store_case = TOPOLOGY_ADMIN__STORE_ID__STORE_AUTHORIZED;
        store.authorized = &authorized;
        if (store_select(&s->cfg, &q, &rows, &err)) {
            reply_list(s, call, k, rq, base != NULL && base->store != NULL ? base->store : &store,
                       &rows);
            goto out;
        }
    }
    admin_fail(s, call, &err);
out:
    store_rows_free(&rows);
    wire_message_free(rq);
}

#define LISTS(X)                                                                                   \
    X(namespace_delegation, NamespaceDelegation, MAPPING_NAMESPACE, false)                         \
    X(decentralized_namespace_definition, DecentralizedNamespaceDefinition, MAPPING_DECENTRALIZED, \
      false)                                                                                       \
    X(owner_to_key_mapping, OwnerToKeyMapping, MAPPING_KEYS, false)                                \
    X(party_to_key_mapping, PartyToKeyMapping, MAPPING_PARTY_KEYS, false)                          \
    X(synchronizer_trust_certificate, SynchronizerTrustCertificate, MAPPING_TRUST, false)          \
    X(participant_synchronizer_permission, ParticipantSynchronizerPermission, MAPPING_PERMISSION,  \
      false)                                                                                       \
    X(party_hosting_limits, PartyHostingLimits, MAPPING_LIMITS, false)                             \
    X(vetted_packages, VettedPackages, MAPPING_PACKAGES, false)                                    \
    X(party_to_participant, PartyToParticipant, MAPPING_HOSTING, false)                            \
    X(synchronizer_parameters_state, SynchronizerParametersState, MAPPING_PARAMETERS, true)        \
    X(sequencing_parameters_state, SequencingParametersState, MAPPING_SEQUENCING, true)            \
    X(mediator_synchronizer_state, MediatorSynchronizerState, MAPPING_MEDIATORS, false)            \
    X(sequencer_synchronizer_state, SequencerSynchronizerState, MAPPING_SEQUENCERS, false)         \
    X(lsu_announcement, LsuAnnouncement, MAPPING_UPGRADE, false)                                   \
    X(lsu_sequencer_connection_successor, LsuSequencerConnectionSuccessor, MAPPING_SUCCESSOR, false)

#define LIST_HANDLER(name, Name, code, is_inner)                                                   \
    static void list_##name(void *ctx, struct rpc_call *call)                                      \
    {                                                                                              \
        static const struct list_kind kind = {                                                     \
            code, is_inner, &topology_admin__list_##name##_request__descriptor,                    \
            &topology_admin__list_##name##_response__descriptor,                                   \
            &topology_admin__list_##name##_response__result__descriptor};                          \
                                                                                                   \
        list_kind(ctx, call, &kind);                                                               \
    }
LISTS(LIST_HANDLER)

#define LIST_METHOD(name, Name, code, is_inner)                                                    \
    {READ_PATH "List" #Name, RPC_UNARY, list_##name, true},
static const struct admin_method methods[] = {
    LISTS(LIST_METHOD){READ_PATH "ListAllV2", RPC_UNARY, list_all, true},
    {READ_PATH "ListAvailableStores", RPC_UNARY, list_available, true},
    {READ_PATH "ExportTopologySnapshotV2", RPC_SERVER_STREAM, export_all, true},
};

bool admin_topology_register(struct admin_service *s, struct rpc_server *server, struct error *err)
{
    return admin_register(s, server, methods, sizeof(methods) / sizeof(methods[0]), err);
}
