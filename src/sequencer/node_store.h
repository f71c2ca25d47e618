/* node_store.h: ls_node and ls_log: the leases of the node indexes, and the log that they write.
 *
 * Threads: any. Errors are storage's; those that mean something here are named. */
#ifndef SEQUENCER_NODE_STORE_H
#define SEQUENCER_NODE_STORE_H
#include "sequencer/entry.h"
#include "sequencer/frontier.h"
#include "sequencer/sequencer.h"
#include "storage/lease.h"

struct db;

/* A node index that this process holds. */
struct node_claim {
    int node_index; /* -1: none */
    struct fence fence;
    int64_t watermark; /* own, as last committed: a database that has another one lost history */
};

/* Every row of ls_node, from one statement. *members_version: of ls_synchronizer, as of then;
 * unchanged when there is no row. Fails: ERR_LIMIT (more than max). */
MUST_CHECK bool node_store_read(struct db *db, struct watermark *out, size_t max, size_t *n,
                                int64_t *members_version, struct error *err);

/* First commit of a join: the row is online and holds every reader back from now on. seen: the row
 * as read, offline; NULL when the index has none yet. Fails: ERR_FENCED (somebody was faster). */
MUST_CHECK bool node_store_claim(struct db *db, int node_index, const struct watermark *seen,
                                 int64_t start_ts, struct node_claim *out, struct error *err);
/* Second commit: *start is the largest watermark over all rows as of now, and own watermark from
 * now on; the node gives out what is above it. Fails: ERR_FENCED. */
MUST_CHECK bool node_store_start(struct db *db, struct node_claim *c, int64_t start_ts,
                                 int64_t *start, struct error *err);
/* After ERR_UNKNOWN_OUTCOME: moves the own epoch, so that the lost write is there or never will be.
 * Draws a new holder. Safe to call again after a failure. Fails: ERR_FENCED (marked offline
 * meanwhile). */
MUST_CHECK bool node_store_settle(struct db *db, struct node_claim *c, struct error *err);
/* Own watermark as the database has it. Fails: ERR_FENCED (the node is not ours any more). */
MUST_CHECK bool node_store_own(struct db *db, const struct node_claim *c, int64_t *watermark,
                               struct error *err);
/* Marks a silent node offline. *done false: it lives, or somebody was faster. Fails with ERR_RETRY
 * or ERR_TIMEOUT after half the expiry when its row is locked; on PostgreSQL a session that waits
 * for a stopped client has been ended then: try again. */
MUST_CHECK bool node_store_reap(struct db *db, const struct watermark *seen, int64_t expiry_us,
                                bool *done, struct error *err);
/* Goodbye: own row is offline, nobody waits for it. Fails: ERR_FENCED. */
MUST_CHECK bool node_store_leave(struct db *db, const struct node_claim *c, int64_t applied_ts,
                                 const uint8_t digest[32], struct error *err);

/* Own watermark up without rows; publishes how far apply is. Fails: ERR_FENCED (not ours any more,
 * not where we left it, or refused as too far ahead: node_store_own tells), ERR_UNKNOWN_OUTCOME. */
MUST_CHECK bool node_store_beat(struct db *db, struct node_claim *c, int64_t watermark,
                                int64_t skew_us, int64_t applied_ts, const uint8_t digest[32],
                                struct error *err);

/* A row to write. */
struct log_row {
    int64_t ts;
    enum entry_kind kind;
    int64_t sender_id; /* 0: none */
    struct bytes payload;
};
#define LOG_ROWS_MAX FENCED_ROWS_MAX
/* Rows (1 to LOG_ROWS_MAX, ts rising) and own watermark (the last ts) in one fenced act. Fails as
 * node_store_beat; on ERR_FENCED nothing was written. */
MUST_CHECK bool log_store_append(struct db *db, struct node_claim *c, const struct log_row *rows,
                                 size_t n, int64_t skew_us, struct error *err);

/* A page of the log, owned. Zero-initialise. */
struct log_page {
    struct entry *at; /* payloads owned */
    size_t n, cap, bytes;
    bool is_cut; /* by rows or bytes: there may be more up to upto_ts */
};
void log_page_free(struct log_page *p);

/* Rows in (after, upto] in order, but those of own_index in [own_from, own_until], which the caller
 * has. Stops at max_rows or max_bytes (at least one row). Fails also: ERR_MEMORY. */
MUST_CHECK bool log_store_read(struct db *db, int64_t after, int64_t upto, int own_index,
                               int64_t own_from, int64_t own_until, size_t max_rows,
                               size_t max_bytes, struct log_page *out, struct error *err);
/* One row appended to the page. Fails: ERR_NOT_FOUND. */
MUST_CHECK bool log_store_row(struct db *db, int64_t ts, struct log_page *out, struct error *err);
#endif
