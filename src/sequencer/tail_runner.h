/* tail_runner.h: the one thread of a replica that reads the log: reads, asks, wakes; decides
 * nothing.
 *
 * It reads the watermarks, moves the frontier, merges the rows of other nodes with the own ones
 * that the writer has committed, and feeds them in order to apply. It marks silent nodes offline
 * and asks for a tick when one is due.
 *
 * Threads: as said at each function. */
#ifndef SEQUENCER_TAIL_RUNNER_H
#define SEQUENCER_TAIL_RUNNER_H
#include "sequencer/entry.h"
#include "sequencer/sequencer.h"

struct tailer;
struct ticket;
struct writer;

/* What the tailer drives; every function from its thread. */
struct tail_events {
    /* The next entry. False stops the replica: apply cannot go on. */
    bool (*apply)(void *ctx, const struct entry *e, struct error *err);
    /* Everything up to safe_ts has been applied. */
    void (*advanced)(void *ctx, int64_t safe_ts, int online_nodes);
    /* What is said about members has changed. False: try again later. */
    bool (*members)(void *ctx, struct error *err);
    /* The effective ts that a tick is due for; INT64_MAX: none. */
    int64_t (*tick_due)(void *ctx);
    /* The database cannot be read now: err; or can again: NULL. */
    void (*health)(void *ctx, const struct error *err);
    /* Has stopped for good: the history regressed, or apply cannot go on. */
    void (*failed)(void *ctx, const struct error *err);
    void *ctx;
};

MUST_CHECK bool tailer_open(const struct sequencer_config *cfg, struct db *db, struct logger *lg,
                            const struct tail_events *ev, struct tailer **out, struct error *err);
/* w is borrowed until stop. Reads from start_ts (not included) on. */
MUST_CHECK bool tailer_start(struct tailer *t, struct writer *w, int64_t after_ts, int64_t start_ts,
                             struct error *err);
void tailer_stop(struct tailer *t);
void tailer_close(struct tailer *t); /* NULL is allowed */

/* From the writer's thread. Joined: own rows in (start_ts, ...) come through tailer_committed and
 * not from the database. Committed: rows (a list by rising ts, taken over; may be NULL) and own
 * watermark. Left: rows beyond the last committed watermark are read from the database again. */
void tailer_joined(struct tailer *t, int node_index, int64_t start_ts);
void tailer_committed(struct tailer *t, struct ticket *rows, int64_t watermark);
void tailer_left(struct tailer *t);

int64_t tailer_safe_ts(struct tailer *t); /* any thread */
/* Bytes of own rows that are committed and not applied yet: the writer takes nothing when they are
 * too many. Any thread. */
size_t tailer_backlog(struct tailer *t);
#endif
