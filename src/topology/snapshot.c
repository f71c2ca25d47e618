/* snapshot.c: items from and to their messages and files, and a state made of them. */
#include "topology/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "topology/apply.h"
#include "topology/state.h"
#include "topology/timestamps.h"
#include "topology_admin_v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/versioned.h"

#define ITEMS_MAX 1000000

void topology_items_free(struct topology_items *items)
{
    for (size_t i = 0; i < items->n; i++) {
        buffer_free(&items->at[i].transaction);
        free(items->at[i].rejection);
    }
    free(items->at);
    memset(items, 0, sizeof(*items));
}

static struct topology_item *items_grow(struct topology_items *items, struct error *err)
{
    if (items->n >= ITEMS_MAX) {
        error_set(err, ERR_LIMIT, NULL, "more than %d topology transactions", ITEMS_MAX);
        return NULL;
    }
    if (items->n == items->cap) {
        size_t cap = items->cap > 0 ? 2 * items->cap : 16;
        struct topology_item *at = realloc(items->at, cap * sizeof(*at));

        if (at == NULL) {
            error_set(err, ERR_MEMORY, NULL, "%zu topology transactions", items->n);
            return NULL;
        }
        items->at = at;
        items->cap = cap;
    }
    memset(&items->at[items->n], 0, sizeof(*items->at));
    return &items->at[items->n++];
}

static bool item_from(const TopologyAdmin__TopologyTransactions__Item *m,
                      struct topology_items *out, struct error *err)
{
    struct topology_item *item = items_grow(out, err);

    if (item == NULL)
        return false;
    item->valid_until = TOPOLOGY_OPEN;
    if (!ts_read(m->sequenced, "sequenced", &item->sequenced, err) ||
        !ts_read(m->valid_from, "valid_from", &item->valid_from, err) ||
        (m->valid_until != NULL &&
         !ts_read(m->valid_until, "valid_until", &item->valid_until, err)))
        return error_add(err, "topology item %zu", out->n);
    if (m->_rejection_reason_case != 0 && (item->rejection = strdup(m->rejection_reason)) == NULL)
        return error_set(err, ERR_MEMORY, NULL, "topology item");
    buffer_append(&item->transaction, m->transaction.data, m->transaction.len);
    return buffer_ok(&item->transaction, err);
}

bool topology_items_from_message(struct bytes message, struct topology_items *out,
                                 struct error *err)
{
    TopologyAdmin__TopologyTransactions *m =
        wire_unpack(&topology_admin__topology_transactions__descriptor, message, err);
    bool ok = m != NULL;

    for (size_t i = 0; ok && i < m->n_items; i++)
        ok = item_from(m->items[i], out, err);
    wire_message_free(m);
    return ok || error_add(err, "topology snapshot");
}

static bool items_from_v2(struct bytes file, struct topology_items *out, struct error *err)
{
    struct scan s = scan_of(file);

    while (s.at != s.end) {
        TopologyAdmin__TopologyTransactions__Item *m;
        uint64_t len;
        bool ok;

        if (!scan_varint(&s, &len) || len > (uint64_t)(s.end - s.at))
            return error_set(err, ERR_MALFORMED, NULL, "topology snapshot is cut off");
        m = versioned_unpack(bytes_of(s.at, (size_t)len), VERSIONED_V30,
                             &topology_admin__topology_transactions__item__descriptor, err);
        s.at += len;
        ok = m != NULL && item_from(m, out, err);
        wire_message_free(m);
        if (!ok)
            return error_add(err, "topology snapshot, item %zu", out->n);
    }
    return true;
}

/* V2 begins with the length of its first item; V1 is one wrapper that takes up the whole file. */
bool topology_items_from_file(struct bytes file, struct topology_items *out, struct error *err)
{
    struct bytes data;
    struct error ignored;
    struct scan s = scan_of(file);
    struct scan_field f;

    if (file.len > 0 && file.data[0] == 0x0a && scan_next(&s, &f) && f.number == 1 &&
        (size_t)(s.end - s.at) <= 11 &&
        versioned_unwrap(file, VERSIONED_V30, &data, NULL, &ignored))
        return topology_items_from_message(data, out, err);
    return items_from_v2(file, out, err);
}

/* An item as its message; times is its storage. Borrows. */
struct item_times {
    Google__Protobuf__Timestamp sequenced, valid_from, valid_until;
};

static TopologyAdmin__TopologyTransactions__Item item_message(const struct topology_item *item,
                                                              struct item_times *times)
{
    TopologyAdmin__TopologyTransactions__Item m = TOPOLOGY_ADMIN__TOPOLOGY_TRANSACTIONS__ITEM__INIT;

    times->sequenced = ts_message(item->sequenced);
    times->valid_from = ts_message(item->valid_from);
    m.sequenced = &times->sequenced;
    m.valid_from = &times->valid_from;
    if (item->valid_until != TOPOLOGY_OPEN) {
        times->valid_until = ts_message(item->valid_until);
        m.valid_until = &times->valid_until;
    }
    m.transaction.data = item->transaction.data;
    m.transaction.len = item->transaction.len;
    if (item->rejection != NULL) {
        m._rejection_reason_case =
            TOPOLOGY_ADMIN__TOPOLOGY_TRANSACTIONS__ITEM___REJECTION_REASON_REJECTION_REASON;
        m.rejection_reason = item->rejection;
    }
    return m;
}

bool topology_items_to_file(const struct topology_items *items, struct buffer *out,
                            struct error *err)
{
    struct buffer one = BUFFER_INIT;
    bool ok = true;

    for (size_t i = 0; i < items->n && ok; i++) {
        struct item_times times;
        TopologyAdmin__TopologyTransactions__Item m = item_message(&items->at[i], &times);

        buffer_clear(&one);
        ok = versioned_pack(&m, VERSIONED_V30, &one, err);
        buffer_append_varint(out, one.len);
        buffer_append_bytes(out, buffer_bytes(&one));
    }
    buffer_free(&one);
    return ok && buffer_ok(out, err);
}

bool topology_items_hash(const struct topology_items *items, struct hash *out, struct error *err)
{
    struct hash_builder b;

    hash_start(&b, HASH_INITIAL_TOPOLOGY_STATE);
    for (size_t i = 0; i < items->n; i++) {
        struct signed_topology_tx tx;

        if (!signed_topology_tx_parse(buffer_bytes(&items->at[i].transaction), &tx, err)) {
            hash_abandon(&b);
            return error_add(err, "topology item %zu", i + 1);
        }
        hash_raw(&b, hash_as_bytes(&tx.hash));
        signed_topology_tx_free(&tx);
    }
    return hash_finish(&b, out, err);
}

/* ---- a state from items ---- */

static bool differs(struct error *err, const char *what, const char *detail)
{
    return error_set(err, ERR_MALFORMED, "ask another sequencer", "is %s here%s%s", what,
                     detail[0] != '\0' ? ": " : "", detail);
}

bool item_replay(struct topology *t, const struct topology_item *item, int64_t *last,
                 struct topology_outcome *out, struct error *err)
{
    struct parsed_tx in;
    bool is_proposal, ok;

    memset(out, 0, sizeof(*out));
    if (item->valid_from < *last || item->sequenced > item->valid_from ||
        item->sequenced < t->sequenced_until)
        return error_set(err, ERR_MALFORMED, "ask another sequencer", "is out of order");
    ok = parsed_tx_read(buffer_bytes(&item->transaction), &in, err);
    is_proposal = ok && in.tx.is_proposal;
    ok = ok && apply_parsed(t, item->sequenced, item->valid_from, &in, out, err);
    parsed_tx_free(&in);
    if (!ok)
        return false;
    *last = item->valid_from;
    t->sequenced_until = item->sequenced;
    if (out->verdict == TOPOLOGY_REJECTED && item->rejection == NULL)
        return differs(err, "rejected", out->reason);
    if (out->verdict != TOPOLOGY_REJECTED && item->rejection != NULL)
        return differs(err, "accepted", item->rejection);
    if (out->verdict != TOPOLOGY_REJECTED && (out->verdict == TOPOLOGY_PROPOSED) != is_proposal)
        return differs(err, is_proposal ? "no proposal" : "only a proposal", "");
    return true;
}

bool topology_load(struct topology *t, const struct topology_items *items, struct error *err)
{
    int64_t last = TS_MIN;

    if (t->rows.n > 0)
        return error_set(err, ERR_INTERNAL, NULL, "topology is loaded already");
    for (size_t i = 0; i < items->n; i++) {
        struct topology_outcome outcome;

        if (!item_replay(t, &items->at[i], &last, &outcome, err))
            return error_add(err, "topology item %zu", i + 1);
    }
    for (size_t i = 0; i < items->n; i++)
        if (t->rows.at[i]->valid_until != items->at[i].valid_until)
            return error_set(err, ERR_MALFORMED, "ask another sequencer",
                             "topology item %zu ends at another time here", i + 1);
    return true;
}

/* ---- what others start from ---- */

struct extent {
    size_t n_rows;        /* the first rows */
    int64_t newest_start; /* endings after it are not told */
};

static bool extent_of(const struct topology *t, const char *member, int64_t lower_bound_ts,
                      struct extent *out, struct error *err)
{
    int64_t until;

    if (member_is(member, MEMBER_SEQUENCER))
        return error_set(err, ERR_CONFIG, NULL, "%s is a sequencer: it is not sent a topology",
                         member);
    if (!topology_registered_at(t, member, &until))
        return error_set(err, ERR_REFUSED, NULL, "%s is not known on this synchronizer", member);
    if (lower_bound_ts > until)
        until = lower_bound_ts;
    if (t->sequenced_until < until)
        return error_set(err, ERR_UNAVAILABLE, "try again",
                         "the topology up to the registration of %s is not complete yet", member);
    out->n_rows = 0;
    out->newest_start = TS_MIN;
    while (out->n_rows < t->rows.n && t->rows.at[out->n_rows]->sequenced <= until) {
        if (t->rows.at[out->n_rows]->valid_from > out->newest_start)
            out->newest_start = t->rows.at[out->n_rows]->valid_from;
        out->n_rows++;
    }
    return true;
}

static struct topology_item item_of_row(const struct row *r, int64_t newest_start)
{
    struct topology_item item = {
        .sequenced = r->sequenced,
        .valid_from = r->valid_from,
        .valid_until = r->valid_until > newest_start ? TOPOLOGY_OPEN : r->valid_until,
        .transaction = r->raw,
        .rejection = r->rejection,
    };

    return item;
}

bool topology_download(const struct topology *t, const char *member, int64_t lower_bound_ts,
                       size_t *position, struct buffer *out, bool *is_last, struct error *err)
{
    TopologyAdmin__TopologyTransactions m = TOPOLOGY_ADMIN__TOPOLOGY_TRANSACTIONS__INIT;
    TopologyAdmin__TopologyTransactions__Item items[TOPOLOGY_CHUNK_ITEMS];
    TopologyAdmin__TopologyTransactions__Item *list[TOPOLOGY_CHUNK_ITEMS];
    struct item_times times[TOPOLOGY_CHUNK_ITEMS];
    struct extent e;

    if (!extent_of(t, member, lower_bound_ts, &e, err))
        return false;
    m.items = list;
    for (; *position < e.n_rows && m.n_items < TOPOLOGY_CHUNK_ITEMS; m.n_items++, ++*position) {
        struct topology_item item = item_of_row(t->rows.at[*position], e.newest_start);

        items[m.n_items] = item_message(&item, &times[m.n_items]);
        list[m.n_items] = &items[m.n_items];
    }
    *is_last = *position >= e.n_rows;
    return wire_pack(&m, out, err);
}

bool topology_download_hash(const struct topology *t, const char *member, int64_t lower_bound_ts,
                            struct hash *out, struct error *err)
{
    struct hash_builder b;
    struct extent e;

    if (!extent_of(t, member, lower_bound_ts, &e, err))
        return false;
    hash_start(&b, HASH_INITIAL_TOPOLOGY_STATE);
    for (size_t i = 0; i < e.n_rows; i++)
        hash_raw(&b, hash_as_bytes(&t->rows.at[i]->hash));
    return hash_finish(&b, out, err);
}

bool topology_rows(const struct topology *t, bool is_head_only, struct topology_items *out,
                   struct error *err)
{
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct row *r = t->rows.at[i];
        struct topology_item *item;

        if (is_head_only && (r->rejection != NULL || r->is_proposal ||
                             r->op != TOPOLOGY_ADD_REPLACE || r->valid_until != TOPOLOGY_OPEN))
            continue;
        item = items_grow(out, err);
        if (item == NULL)
            return false;
        item->sequenced = r->sequenced;
        item->valid_from = r->valid_from;
        item->valid_until = r->valid_until;
        buffer_append_bytes(&item->transaction, buffer_bytes(&r->raw));
        if (r->rejection != NULL && (item->rejection = strdup(r->rejection)) == NULL)
            return error_set(err, ERR_MEMORY, NULL, "topology rows");
        if (!buffer_ok(&item->transaction, err))
            return false;
    }
    return true;
}

size_t topology_row_count(const struct topology *t)
{
    return t->rows.n;
}

bool topology_row_of(const struct topology *t, size_t from, const struct hash *tx,
                     struct topology_outcome *out)
{
    for (size_t i = t->rows.n; i-- > from;) {
        const struct row *r = t->rows.at[i];

        if (!hash_equal(&r->hash, tx))
            continue;
        *out = (struct topology_outcome){.verdict = r->rejection != NULL ? TOPOLOGY_REJECTED
                                                    : r->is_proposal     ? TOPOLOGY_PROPOSED
                                                                         : TOPOLOGY_ACCEPTED,
                                         .effective_at = r->valid_from};
        if (r->rejection != NULL)
            strncpy(out->reason, r->rejection, sizeof(out->reason) - 1);
        return true;
    }
    return false;
}
