/* token.h: self-contained tokens, so that every replica accepts and revokes them alike: 4 bytes of
 * expiry (seconds since 1970) and the first 16 of HMAC-SHA256, under a key kept in the database,
 * over member, synchronizer, fingerprint of the authentication key, revocation epoch, the time
 * since which the topology gives this key access without a break, and expiry. Pure.
 *
 * Threads: free of state. */
#ifndef SEQUENCER_TOKEN_H
#define SEQUENCER_TOKEN_H
#include "base/buffer.h"

#define TOKEN_LEN 20

/* What a token stands for; all borrowed. */
struct token_claim {
    const char *member, *psid, *fingerprint;
    int64_t revocation_epoch;
    int64_t access_since; /* topology_access_since: of no use again after access was lost */
};

/* Fails: ERR_CRYPTO. expires_at: microseconds; whole seconds are kept, rounded down. */
MUST_CHECK bool token_make(struct bytes key, const struct token_claim *c, int64_t expires_at,
                           uint8_t out[TOKEN_LEN], struct error *err);
/* When it ends, as it says itself; 0 when it has another length. Microseconds. */
int64_t token_expires_at(struct bytes token);
/* True when it was made for this claim and has not ended at now_us. */
bool token_check(struct bytes key, const struct token_claim *c, struct bytes token, int64_t now_us);
#endif
