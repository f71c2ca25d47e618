/* submission.h: SubmissionRequest (protocol version 35), its aggregation rule and aggregation id.
 * What is signed are the wrapped bytes: H(35, raw). Threads: free of state. */
#ifndef WIRE_SUBMISSION_H
#define WIRE_SUBMISSION_H
#include "wire/batch.h"

/* How AggregationRule.eligible_members reads. */
enum aggregation_kind {
    AGGREGATION_NONE,           /* field absent */
    AGGREGATION_DEDUP,          /* present and empty: de-duplicates by sender */
    AGGREGATION_MEDIATOR_GROUP, /* ["MGR::n"] */
    AGGREGATION_SEQUENCERS,     /* ["SOD::"] */
    AGGREGATION_LIST,           /* member texts, with a threshold of at least 1 */
};

struct aggregation_rule {
    enum aggregation_kind kind;
    int32_t group;  /* AGGREGATION_MEDIATOR_GROUP */
    char **members; /* AGGREGATION_LIST: as given, duplicates kept; owned */
    size_t n_members;
    int32_t threshold; /* AGGREGATION_LIST; written 0 otherwise */
};

struct submission {
    char *sender;     /* member text */
    char *message_id; /* up to 73 characters, maybe "" */
    struct compressed_batch batch;
    int64_t max_sequencing_time;
    bool has_topology_timestamp; /* refused after sequencing at protocol version 35 */
    int64_t topology_timestamp;
    struct aggregation_rule rule;
    bool has_cost;
    int64_t cost;      /* 0 or more; present 0 differs from absent */
    struct buffer raw; /* the wrapped bytes, as received or built: what is hashed and logged */
};

/* From the wrapped bytes (SignedContent.content). Does not decompress. Fails: ERR_MALFORMED,
 * ERR_LIMIT, ERR_UNSUPPORTED (protocol version 34), ERR_MEMORY. */
MUST_CHECK bool submission_parse(struct bytes wrapped, struct submission *out, struct error *err);
/* Encodes all fields into s->raw (replacing it). Fails: ERR_MALFORMED (a field that we would not
 * take either), ERR_MEMORY. */
MUST_CHECK bool submission_build(struct submission *s, struct error *err);
/* H(35, raw). */
MUST_CHECK bool submission_hash(const struct submission *s, struct hash *out, struct error *err);
void submission_free(struct submission *s); /* what it owns, and zeroes it; NULL is allowed */

/* A time proof: empty batch, message id `tick-<uuid>` (given), no limit in time. *out is built.
 * Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool submission_time_proof(const char *sender, const char *message_id,
                                      struct submission *out, struct error *err);

/* Topology transactions (W(30) SignedTopologyTransaction each) for everybody, as sender. *out is
 * built. Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool submission_topology(const char *sender, const char *message_id, const char *psid,
                                    const struct bytes *txs, size_t n, int64_t max_sequencing_time,
                                    struct submission *out, struct error *err);

/* The aggregation id, H(39, ..), of a submission with a rule; b: its batch, opened. Fails:
 * ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool aggregation_id(const struct submission *s, const struct batch *b, struct hash *out,
                               struct error *err);
#endif
