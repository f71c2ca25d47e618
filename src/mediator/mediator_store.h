/* mediator_store.h: the mediator's rows. One fenced write carries everything that a run of events
 * caused: verdicts, states of verdicts, topology broadcasts, and the position that they stand for.
 * A write can be repeated: rows that are there stay as they are.
 * Threads: any; storage/db.h below. Errors: storage's. */
#ifndef MEDIATOR_MEDIATOR_STORE_H
#define MEDIATOR_MEDIATOR_STORE_H
#include "mediator/core.h"
#include "storage/lease.h"

struct db;

#define MEDIATOR_LEASE "mediator"

/* Kept in rows: append only. A state never goes down. */
enum verdict_state {
    VERDICT_DECIDED = 0,
    VERDICT_SENT = 1, /* a sequencer has it */
    VERDICT_SEQUENCED = 2,
    VERDICT_EXPIRED = 3,
    VERDICT_SILENT = 4, /* nothing to send: observer, nobody to tell, purged */
};

struct mediator_row {
    char psid[PSID_TEXT_SIZE];
    struct buffer connections; /* URLs, one a line */
    struct buffer static_params;
};
void mediator_row_free(struct mediator_row *r); /* what it owns */
/* False in *found: not initialised. */
MUST_CHECK bool mediator_store_read(struct db *db, struct mediator_row *out, bool *found,
                                    struct error *err);
/* The row and the head, in one transaction. Fails: ERR_DUPLICATE when it was initialised before. */
MUST_CHECK bool mediator_store_insert(struct db *db, const char *psid, const char *connections,
                                      int64_t now_us, struct bytes static_params,
                                      struct error *err);

struct mediator_head {
    struct core_position position;
    int64_t seen_ts; /* INT64_MIN: nothing yet */
};
MUST_CHECK bool head_store_read(struct db *db, struct mediator_head *out, struct error *err);

enum row_kind { ROW_TOPOLOGY = 1, ROW_VERDICT = 2, ROW_STATE = 3 };
/* One row to write; borrows during the call. */
struct outbox_row {
    enum row_kind kind;
    int64_t request_id; /* ROW_TOPOLOGY: the event's ts */
    int32_t part;       /* ROW_TOPOLOGY: the envelope's index */
    enum verdict_state state;
    const struct decision *decision; /* ROW_VERDICT */
    struct bytes content;            /* ROW_TOPOLOGY: the envelope's content */
};
/* Writes n rows (any number; more than fit one write go in several, in order, the head with the
 * last) and the head, while f holds the lease. Fails: ERR_FENCED, ERR_UNKNOWN_OUTCOME, ... */
MUST_CHECK bool outbox_store_write(struct db *db, const struct fence *f,
                                   const struct outbox_row *rows, size_t n,
                                   const struct mediator_head *head, struct error *err);

/* Each fn: what it borrows is good during the call; false ends with its err. */
MUST_CHECK bool topology_store_each(struct db *db, int64_t upto_ts,
                                    bool (*fn)(void *ctx, int64_t ts, struct bytes content,
                                               struct error *err),
                                    void *ctx, struct error *err);
/* Uuids burnt by requests up to upto_ts that expire at from_ts or later. */
MUST_CHECK bool uuid_store_each(struct db *db, int64_t from_ts, int64_t upto_ts,
                                bool (*fn)(void *ctx, const uint8_t uuid[UUID_LEN],
                                           int64_t expires_ts, struct error *err),
                                void *ctx, struct error *err);
/* What a restart or a take-over at h has to know: the verdicts of requests after its position, as
 * these are decided again, and those of earlier ones that may still be sequenced. d without uuid;
 * fn may take it (then it owns it, and makes *d NULL). */
MUST_CHECK bool verdict_store_each(struct db *db, const struct mediator_head *h,
                                   bool (*fn)(void *ctx, enum verdict_state state,
                                              struct decision **d, struct error *err),
                                   void *ctx, struct error *err);
#endif
