/* admin_stores.h: the topology stores that a node shows to its operator: the authorized one (what
 * it has signed about itself) and the synchronizer's. Threads: any; calls block. */
#ifndef NODE_ADMIN_STORES_H
#define NODE_ADMIN_STORES_H
#include "node/admin_service.h"
#include "topology/mapping.h"
#include "topology/snapshot.h"
#include "wire/topology_tx.h"

enum store_kind { STORE_AUTHORIZED, STORE_SYNCHRONIZER };

enum store_time {
    STORE_HEAD,    /* what has no end yet */
    STORE_AT,      /* in effect at `from` */
    STORE_BETWEEN, /* began in from..until, both included */
    STORE_ALL      /* every row, rejected ones too: an export */
};
struct store_query {
    enum store_kind store;
    enum store_time time;
    int64_t from, until;
    bool is_proposals;      /* instead of what is accepted; not with STORE_ALL */
    int op;                 /* enum topology_op; 0: both */
    uint32_t codes;         /* 1 << mapping_code; 0: all */
    const char *ns;         /* begins so; "" or NULL: any */
    const char *signed_key; /* a fingerprint of a signature begins so; "" or NULL: any */
};

struct store_row {
    const struct topology_item *item; /* of the items below */
    struct signed_topology_tx tx;
    struct mapping *m;
};
struct store_rows {
    struct topology_items items;
    struct store_row *at; /* in the order of their validation */
    size_t n;
};
/* Zero-initialise *out; store_rows_free. Fails: ERR_UNAVAILABLE (no synchronizer yet), ERR_MEMORY,
 * storage's. */
MUST_CHECK bool store_select(const struct admin_config *cfg, const struct store_query *q,
                             struct store_rows *out, struct error *err);
void store_rows_free(struct store_rows *rows);

/* "nsd", "otk", ...; NULL when there is no such code. */
const char *store_code_name(enum mapping_code code);
/* The mask of the named ones; names that are not known select nothing. */
uint32_t store_codes(char *const *names, size_t n);

/* An own copy of the synchronizer's state, to try things on. Fails: ERR_UNAVAILABLE, ERR_MEMORY. */
MUST_CHECK bool store_scratch(const struct admin_config *cfg, struct topology **out,
                              struct error *err);
/* Has txs (W(30) each) sequenced, in portions, after they were tried on a copy of the state: when
 * one would be rejected nothing is sent. Those that are there already are passed over. Waits until
 * each is in the state. Fails: ERR_REFUSED (names the transaction and the reason of the rejection),
 * ERR_MALFORMED, ERR_TIMEOUT, as submit_topology. */
MUST_CHECK bool store_submit(const struct admin_config *cfg, const struct bytes *txs, size_t n,
                             int64_t timeout_us, struct error *err);
#endif
