/* synchronizer_store.h: the one row that says which synchronizer this is.
 *
 * Threads: any. */
#ifndef SEQUENCER_SYNCHRONIZER_STORE_H
#define SEQUENCER_SYNCHRONIZER_STORE_H
#include "base/buffer.h"

struct db;

#define TOKEN_KEY_LEN 32

struct synchronizer {
    char *psid;
    char *sequencer_uid;
    int total_node_count;
    int64_t
        start_ts; /* everything is sequenced above it; the first log row is at it + 1 or later */
    uint8_t token_key[TOKEN_KEY_LEN];
    struct buffer static_params; /* plain P30.StaticSynchronizerParameters */
    struct buffer genesis;       /* form V2 */
};
void synchronizer_free(struct synchronizer *s); /* what it owns, and zeroes it */

/* *found false: not initialised. */
MUST_CHECK bool synchronizer_store_read(struct db *db, struct synchronizer *out, bool *found,
                                        struct error *err);
/* The row, and the rule version entry of the log at start_ts, in one transaction. start_ts: a
 * multiple of total_node_count. Fails: ERR_DUPLICATE (there is one), ERR_UNKNOWN_OUTCOME (read
 * back). */
MUST_CHECK bool synchronizer_store_write(struct db *db, const struct synchronizer *s,
                                         struct error *err);
#endif
