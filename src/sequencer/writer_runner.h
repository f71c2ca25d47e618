/* writer_runner.h: the one thread of a replica that writes the log.
 *
 * It leases a node index, takes what has queued up, assigns timestamps and commits rows and own
 * watermark in one fenced act; answers after the commit; hands its own rows to the tailer. What is
 * queued while the node is offline is refused. A write whose answer was lost is settled before
 * anything else.
 *
 * Threads: any function from any thread, but start and stop. */
#ifndef SEQUENCER_WRITER_RUNNER_H
#define SEQUENCER_WRITER_RUNNER_H
#include "crypto/key.h"
#include "sequencer/entry.h"
#include "sequencer/sequencer.h"

struct tailer;
struct writer;

/* One entry on its way into the log. Zero-initialise; the writer owns it from writer_submit on, the
 * tailer after the commit. */
struct ticket {
    struct ticket *next;
    int64_t ts; /* assigned by the writer */
    int node_index;
    enum entry_kind kind;
    int64_t sender_id; /* 0: none */
    struct buffer payload;
    char verified_by[FINGERPRINT_SIZE]; /* "": nobody */
    /* Once, from the writer's thread: err NULL when it is committed, else it is not, and never will
     * be (ERR_UNAVAILABLE, ERR_OVERLOADED), or nobody knows (ERR_UNKNOWN_OUTCOME). Must not block.
     * NULL is allowed. */
    void (*done)(void *ctx, const struct error *err);
    void *ctx;
};
void ticket_free(struct ticket *t); /* NULL is allowed */

/* Borrows all until close. tail gets the committed rows. */
MUST_CHECK bool writer_open(const struct sequencer_config *cfg, struct db *db, struct logger *lg,
                            struct tailer *tail, struct writer **out, struct error *err);
/* start_ts: of the synchronizer. */
MUST_CHECK bool writer_start(struct writer *w, int64_t start_ts, struct error *err);
/* Refuses new tickets, commits what is queued, says goodbye, for good; does not wait for it. */
void writer_retire(struct writer *w);
/* The same, and joins the thread. */
void writer_stop(struct writer *w);
void writer_close(struct writer *w); /* NULL is allowed */

/* Takes the ticket over when true. Fails, and the ticket stays the caller's (done is not called):
 * ERR_OVERLOADED (queue full), ERR_UNAVAILABLE (no node index now, or stopping). */
MUST_CHECK bool writer_submit(struct writer *w, struct ticket *t, struct error *err);

/* From the tailer: the largest watermark seen, and how far peers are ahead of own (INT64_MIN: not):
 * own watermark is moved there at once. */
void writer_note(struct writer *w, int64_t largest, int64_t follow);
/* What apply has reached, to be published with the next beat. */
void writer_publish(struct writer *w, int64_t applied_ts, const uint8_t digest[32]);

struct writer_status {
    int node_index; /* -1: offline */
    int64_t watermark;
    char reason[256]; /* why it is offline; "" */
    uint64_t accepted, committed, batches, overloaded, refused;
    size_t queued;
};
void writer_status(struct writer *w, struct writer_status *out);
#endif
