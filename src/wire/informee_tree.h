/* informee_tree.h: the tree that a mediator gets: who is told of each view and whose confirmation
 * counts, with everything else blinded. Parsing checks all rules of the format and computes every
 * hash from the received bytes; it walks with an explicit stack, without copying subtrees, so that
 * cost is linear in the size. What the numbers mean for a verdict is the mediator's.
 * Threads: free of state. */
#ifndef WIRE_INFORMEE_TREE_H
#define WIRE_INFORMEE_TREE_H
#include "crypto/signature.h"
#include "wire/ids.h"
#include "wire/merkle.h"

#define UUID_LEN 16

struct confirmer {
    uint32_t informee; /* index into the view's informees */
    int32_t weight;    /* 1 or more */
};

struct quorum {
    struct confirmer *confirmers; /* each informee at most once, ascending */
    size_t n;
    int32_t threshold; /* 0 or more */
};

struct informee_view {
    struct view_position position;
    struct hash hash;
    struct hash participant_data; /* the blinded leaf, which covers the view's payload */
    char **informees;             /* parties, ascending and distinct */
    size_t n_informees;
    struct quorum *quorums; /* in order, equal ones kept */
    size_t n_quorums;
};

struct informee_tree {
    struct hash root;
    char *psid;
    uint8_t uuid[UUID_LEN]; /* de-duplicate on this, not on the text */
    int32_t mediator_group;
    char *submitting_participant; /* bare uid */
    char **act_as;                /* at least one party */
    size_t n_act_as;
    char *user_id, *command_id;
    char *submission_id; /* "" is none */
    int64_t max_sequencing_time;
    struct informee_view *views; /* in pre-order */
    size_t n_views;
};

/* InformeeMessage: the tree and the submitting participant's signature over tree.root itself. */
struct informee_message {
    struct informee_tree tree;
    struct signature signature;
};

/* From the bytes of FullInformeeTree. Fails: ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED,
 * ERR_MEMORY. */
MUST_CHECK bool informee_tree_parse(struct bytes in, struct informee_tree *out, struct error *err);
/* From the bytes of InformeeMessage (message_parse calls it). */
MUST_CHECK bool informee_message_parse(struct bytes in, struct informee_message *out,
                                       struct error *err);
void informee_tree_free(struct informee_tree *t);       /* what it owns, and zeroes it */
void informee_message_free(struct informee_message *m); /* the same */

/* ---- the submitter's side ---- */

#define TREE_VIEWS_MAX   1000 /* that we build in one transaction */
#define TREE_DEPTH_MAX   100  /* views in views that we build */
#define TREE_PAYLOAD_MAX ((size_t)8 << 20)

/* A view to build. Subviews follow their parent, one deeper. */
struct view_spec {
    uint32_t depth;               /* 0 is a root view */
    const char *const *informees; /* parties */
    size_t n_informees;
    const struct quorum *quorums; /* confirmers index informees as given */
    size_t n_quorums;
    struct bytes payload; /* ours; the blinded leaf covers it. At most 8 MiB */
};

struct tree_spec {
    const char *psid;
    const char *uuid; /* text */
    int32_t mediator_group;
    const char *submitting_participant; /* bare uid */
    const char *const *act_as;
    size_t n_act_as;
    const char *user_id, *command_id, *submission_id; /* submission_id "" is none */
    int64_t dedup_seconds;
    int64_t max_sequencing_time, ledger_time, preparation_time;
    const char *workflow_id; /* "" is none */
    uint8_t seed[SEED_LEN];  /* random, secret until the transaction is over */
    const struct view_spec *views;
    size_t n_views;
};

struct built_view {
    struct view_position position;
    struct hash hash;
    struct buffer light_tree; /* LightTransactionViewTree: what the view's informees get. Submitter
                                 metadata are open in root views only */
};

struct built_tree {
    struct hash root;
    struct buffer informee_tree; /* FullInformeeTree */
    struct built_view *views;    /* as in the spec */
    size_t n_views;
};

/* Builds all parts. Salts are derived from the seed in the order submitter, common and participant
 * metadata, then per view (subviews first) common data and participant data. Fails: ERR_MALFORMED
 * (a field that we would not take either), ERR_LIMIT, ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool built_tree_make(const struct tree_spec *spec, struct built_tree *out,
                                struct error *err);
void built_tree_free(struct built_tree *t); /* what it owns, and zeroes it */
/* Appends the mediator's envelope content, W(31) EnvelopeContent {InformeeMessage}. signature: over
 * root. Fails: ERR_MEMORY. */
MUST_CHECK bool informee_message_build(const struct built_tree *t,
                                       const struct signature *signature, struct buffer *out,
                                       struct error *err);

/* A view as its informees open it. */
struct opened_view {
    struct hash root; /* of the whole transaction */
    struct hash hash; /* of the view, recomputed */
    struct view_position position;
    char *psid;
    char *submitting_participant; /* bare uid; "" in a subview, where it is blinded */
    char **informees;
    size_t n_informees;
    struct quorum *quorums;
    size_t n_quorums;
    struct buffer payload;
};
/* From the bytes of LightTransactionViewTree: exactly one view is unblinded, and its payload hashes
 * to its leaf, as everything is recomputed up to root; the caller compares root with the root hash
 * message. Only payloads of our own kind can be read: ERR_UNSUPPORTED for others. Fails too:
 * ERR_MALFORMED, ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool opened_view_parse(struct bytes light_tree, struct opened_view *out,
                                  struct error *err);
void opened_view_free(struct opened_view *v); /* what it owns, and zeroes it */
#endif
