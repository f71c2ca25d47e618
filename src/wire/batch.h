/* batch.h: envelopes of a submission or an event, compressed as they travel and opened. At protocol
 * version 35 the recipients of all envelopes are one compressed list, each envelope is compressed
 * alone, and compressed envelopes pass through the sequencer unchanged.
 * Threads: free of state. */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H
#include "crypto/signature.h"
#include "wire/recipients.h"

#define BATCH_LIMIT ((size_t)10485760) /* decompressed bytes after ordering and in clients */

/* As on the wire, opened by nobody yet. */
struct compressed_batch {
    int algorithm;            /* 0 plain recipients, 1 gzip; envelopes are gzip in any case */
    struct buffer recipients; /* compressed */
    struct buffer *envelopes; /* n of them, each compressed */
    size_t n;
};

struct envelope {
    struct buffer content; /* what its signatures cover */
    struct signature *signatures;
    size_t n_signatures;
};

struct batch {
    struct envelope *envelopes;    /* n */
    struct recipients *recipients; /* n, same positions */
    size_t n;
};

/* The recipients of all envelopes. limit: decompressed bytes. *out: b->n of them, the caller frees
 * with batch_recipients_free. Fails: ERR_MALFORMED (also when the counts differ), ERR_LIMIT,
 * ERR_MEMORY. */
MUST_CHECK bool batch_read_recipients(const struct compressed_batch *b, size_t limit,
                                      struct recipients **out, struct error *err);
void batch_recipients_free(struct recipients *r, size_t n);
/* One envelope (limit: decompressed bytes of it). Its content may not be empty. Fails:
 * ERR_MALFORMED, ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool batch_read_envelope(struct bytes compressed, size_t limit, struct envelope *out,
                                    struct error *err);
void envelope_free(struct envelope *e); /* what it owns */

#define BATCH_TOTAL_FACTOR 8

/* Recipients and all envelopes; limit applies to each of them alone, as the protocol says, and
 * BATCH_TOTAL_FACTOR * limit to the contents together, so that memory is bounded. Fails as both. */
MUST_CHECK bool batch_open(const struct compressed_batch *b, size_t limit, struct batch *out,
                           struct error *err);
/* Compresses anew, with gzip_write. Fails: ERR_MEMORY. */
MUST_CHECK bool batch_seal(const struct batch *b, struct compressed_batch *out, struct error *err);
/* Appends an envelope; copies content and signatures, takes over what *r owns (and zeroes it).
 * Fails: ERR_MEMORY; then r stays the caller's. */
MUST_CHECK bool batch_add(struct batch *b, struct bytes content, const struct signature *signatures,
                          size_t n_signatures, struct recipients *r, struct error *err);
void batch_free(struct batch *b); /* what it owns, and zeroes it; NULL is allowed */

/* What member may see: envelopes that keep recipients, compressed bytes unchanged, the recipients
 * filtered and compressed anew. r: from batch_read_recipients(b). Nothing left gives the empty
 * batch. Fails: ERR_MEMORY. */
MUST_CHECK bool batch_filter(const struct compressed_batch *b, const struct recipients *r,
                             const char *member, recipients_in_group *in_group, void *ctx,
                             struct compressed_batch *out, struct error *err);
/* The empty batch: algorithm 1, gzip of nothing, no envelopes. Fails: ERR_MEMORY. */
MUST_CHECK bool compressed_batch_empty(struct compressed_batch *out, struct error *err);
MUST_CHECK bool compressed_batch_copy(struct compressed_batch *to,
                                      const struct compressed_batch *from, struct error *err);
void compressed_batch_free(struct compressed_batch *b); /* what it owns, and zeroes it */
#endif
