/* snapshot.h: topology as it is stored and sent: items in the order of their validation, rejected
 * ones and proposals too. Written for members that join (topology_download) and for genesis files.
 * Threads: as topology.h. */
#ifndef TOPOLOGY_SNAPSHOT_H
#define TOPOLOGY_SNAPSHOT_H
#include "topology/topology.h"

#define TOPOLOGY_OPEN        INT64_MAX /* valid_until of what has no end */
#define TOPOLOGY_CHUNK_ITEMS 100       /* in one message of a download */

struct topology_item {
    int64_t sequenced, valid_from, valid_until; /* TOPOLOGY_OPEN */
    struct buffer transaction;                  /* W(30) SignedTopologyTransaction */
    char *rejection;                            /* NULL when not rejected */
};
/* Zero-initialise. */
struct topology_items {
    struct topology_item *at;
    size_t n, cap;
};
void topology_items_free(struct topology_items *items);

/* Appends the items of a plain TopologyTransactions message: one answer of a download. Fails (all
 * three): ERR_MALFORMED, ERR_LIMIT (a million items), ERR_MEMORY. */
MUST_CHECK bool topology_items_from_message(struct bytes message, struct topology_items *out,
                                            struct error *err);
/* Appends the items of a file in form V1, W(30) of TopologyTransactions, or V2, a row of (varint
 * length, W(30) Item); tells them apart. */
MUST_CHECK bool topology_items_from_file(struct bytes file, struct topology_items *out,
                                         struct error *err);
/* Appends the file in form V2. Fails: ERR_MEMORY. */
MUST_CHECK bool topology_items_to_file(const struct topology_items *items, struct buffer *out,
                                       struct error *err);
/* Initial-state hash: over the transactions' hashes in this order. Fails: ERR_MALFORMED,
 * ERR_MEMORY. */
MUST_CHECK bool topology_items_hash(const struct topology_items *items, struct hash *out,
                                    struct error *err);

/* Fills an empty state with items, every one validated again at its own times (signatures,
 * authorisation, serials); fails with ERR_MALFORMED, naming the item, when the outcome differs from
 * what the items say. Afterwards t must be closed when it failed. */
MUST_CHECK bool topology_load(struct topology *t, const struct topology_items *items,
                              struct error *err);

/* What a member may start from: all rows sequenced up to its registration (or lower_bound_ts when
 * that is later; TS_MIN for none), endings after the newest start dropped. Fails: ERR_REFUSED (not
 * known, FAILED_PRECONDITION), ERR_CONFIG (a sequencer, INVALID_ARGUMENT), ERR_UNAVAILABLE (the
 * state has not yet seen all of it), ERR_MEMORY.
 * One chunk: start with *position 0; appends a plain TopologyTransactions message, at most
 * TOPOLOGY_CHUNK_ITEMS items; *is_last tells the end. Later changes do not alter what it yields, so
 * the lock can be given up between chunks. */
MUST_CHECK bool topology_download(const struct topology *t, const char *member,
                                  int64_t lower_bound_ts, size_t *position, struct buffer *out,
                                  bool *is_last, struct error *err);
/* The initial-state hash of the same rows. Fails alike. */
MUST_CHECK bool topology_download_hash(const struct topology *t, const char *member,
                                       int64_t lower_bound_ts, struct hash *out, struct error *err);

/* Rows as items, for inspection (ListAllV2) and export. is_head_only: the accepted ones that are in
 * effect at the head, no removals; else every row. Fails: ERR_MEMORY. */
MUST_CHECK bool topology_rows(const struct topology *t, bool is_head_only,
                              struct topology_items *out, struct error *err);
size_t topology_row_count(const struct topology *t);
/* The newest row, of those from number `from` on, of the transaction with this hash: its outcome.
 * False: none. */
bool topology_row_of(const struct topology *t, size_t from, const struct hash *tx,
                     struct topology_outcome *out);
#endif
