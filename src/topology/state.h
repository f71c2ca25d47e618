/* state.h: the inside of struct topology, for the files of this folder only.
 *
 *   row       one validated transaction with its interval (valid_from, valid_until]
 *   place     what has one unique key: its accepted rows in time order, and its proposals
 *   subject   all places of one (code, subject): the delegations of a namespace, the mediator
 * groups
 *
 * Invariants: rows are in the order of validation and never move; of the accepted rows of a place
 * at most the last is open; an interval starts where the one before it ends or later. */
#ifndef TOPOLOGY_STATE_H
#define TOPOLOGY_STATE_H
#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) ((element)->is_lost = true)
#include <uthash.h>

#include "topology/snapshot.h"
#include "wire/topology_tx.h"

#define TS_LATEST INT64_MAX /* a query time that sees all that is open, also what is pending */

struct row {
    int64_t sequenced, valid_from, valid_until;
    struct buffer raw; /* W(30) SignedTopologyTransaction, without superfluous signatures */
    struct hash hash;  /* h_tx */
    struct mapping *m;
    enum topology_op op;
    uint32_t serial;
    bool is_proposal;
    char *rejection;                   /* NULL when not rejected */
    char (*signers)[FINGERPRINT_SIZE]; /* of delegations: where their edges come from */
    size_t n_signers;
};

struct row_list {
    struct row **at;
    size_t n, cap;
};

struct place {
    struct hash unique_key;
    struct row_list accepted, proposals;
    bool is_lost; /* could not be entered: no memory */
    UT_hash_handle hh;
};

struct subject {
    char *key; /* "<code> <subject>" */
    struct place **places;
    size_t n, cap;
    bool is_lost;
    UT_hash_handle hh;
};

struct registration {
    char *member;
    int64_t at;
    size_t row; /* the row that made it */
    bool is_lost;
    UT_hash_handle hh;
};

struct topology {
    char psid[PSID_TEXT_SIZE], synchronizer[UID_TEXT_SIZE];
    struct psid id;
    struct static_parameters fixed;
    struct row_list rows;
    struct place *places;
    struct subject *subjects;
    struct registration *registrations;
    int64_t *changes; /* effective times of accepted rows, rising, distinct */
    size_t n_changes, cap_changes;
    int64_t sequenced_until;
    bool is_trying;      /* journal what is closed, for state_take_back */
    struct row **closed; /* rows whose valid_until was set while trying */
    size_t n_closed, cap_closed;
};

/* ---- looking up (state.c) ---- */

/* The accepted ADD in effect at ts, or NULL. */
const struct row *place_row(const struct place *p, int64_t ts);
/* The open accepted row, also a removal, or NULL. */
struct row *place_open_row(const struct place *p);
const struct place *state_place(const struct topology *t, const struct hash *unique_key);
/* All places of code whose subject is text (keys: the uid, for a member of any kind); NULL: none.
 */
const struct subject *state_subject(const struct topology *t, enum mapping_code code,
                                    const char *text);
/* The row in effect at ts of the only place of (code, text), or NULL. For codes with one place a
 * subject on one synchronizer. */
const struct row *state_row(const struct topology *t, enum mapping_code code, const char *text,
                            int64_t ts);
/* The keys of a member (its text) at ts, or NULL. */
const struct row *state_keys(const struct topology *t, const char *member, int64_t ts);

/* ---- storing (state.c) ---- */

/* Takes over what r points to, by its verdict: rejected (r->rejection set), proposal, accepted; and
 * ends what it supersedes. r itself is copied. Fails: ERR_MEMORY, then the state is not usable. */
MUST_CHECK bool state_store(struct topology *t, struct row *r, struct error *err);
void row_release(struct row *r); /* what it owns */
/* state_try marks; state_take_back removes all rows stored since and opens what they closed. */
struct state_mark {
    size_t n_rows, n_changes;
    int64_t sequenced_until;
};
struct state_mark state_try(struct topology *t);
void state_take_back(struct topology *t, const struct state_mark *mark);

/* ---- authorisation (authorize.c) ---- */

/* One transaction on its way in. */
struct attempt {
    struct topology *t;
    int64_t sequenced, effective;
    bool is_genesis; /* the relaxations of genesis apply */
    struct signed_topology_tx *tx;
    const struct mapping *m;
    const struct row *in_store; /* open accepted row of the same place, or NULL */
    const struct mapping *prev; /* of in_store when that is no removal */
    bool is_update;             /* the same transaction is accepted already: more signatures */
    char reason[200];           /* set: rejected */
    struct error *err;          /* set, with has_failed: no memory */
    bool has_failed;
};
/* Sets the reason ("Name: detail") and returns false. */
bool attempt_reject(struct attempt *a, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool attempt_fail(struct attempt *a); /* a->err is filled; returns false */

/* One signature of a transaction, with its bytes, so that it can be kept as it came. Borrows from
 * the transaction that it stood in. */
struct piece {
    const struct signature *signature;
    const struct hash *covers;
    struct bytes raw;             /* Signature message */
    struct bytes multi;           /* the MultiTransactionSignatures that holds it; empty: single */
    const struct public_key *key; /* that it verifies with; NULL: superfluous */
    bool is_namespace_key;
};
struct pieces {
    struct piece *at;
    size_t n, cap;
};
/* Appends tx's signatures whose signers are not there yet. */
MUST_CHECK bool pieces_add(struct pieces *p, const struct signed_topology_tx *tx,
                           struct error *err);
void pieces_free(struct pieces *p);
/* W(30) SignedTopologyTransaction with the pieces that have a key. */
MUST_CHECK bool pieces_build(const struct pieces *p, struct bytes transaction, bool is_proposal,
                             struct buffer *out, struct error *err);

/* True: pieces have keys where they count and all of those verify; *is_full: nothing is missing.
 * False: rejected or failed. */
bool authorize(struct attempt *a, struct pieces *p, bool *is_full);

/* ---- mapping checks (checks.c) ---- */

bool check_mapping(struct attempt *a);
#endif
