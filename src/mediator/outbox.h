/* outbox.h: what must still be written and sent. Pure: no rows, no threads, no clock of its own.
 *
 * Every replica fills it alike from the effects of its core; the active one empties it into rows
 * and then onto the wire, a passive one drops what the active's position says is stored. So a
 * taker-over has exactly what the one before did not get done.
 *
 *   decided --written--> to be sent --accepted--> sent --receipt--> sequenced | --time--> expired
 *
 * Invariants: nothing is sent before its row is written; a row is written once (a later state is a
 * row of its own kind); items leave in the order in which they came. Threads: the owner guards it.
 */
#ifndef MEDIATOR_OUTBOX_H
#define MEDIATOR_OUTBOX_H
#include "mediator/mediator_store.h"

struct outbox;

struct outbox *outbox_open(void); /* NULL: no memory */
void outbox_close(struct outbox *o);

/* From the core, at the event of ts. d is taken over in any case. A verdict that a row was restored
 * for is known already: the row wins. *differs (may be NULL): its content is another one. All fail
 * with ERR_MEMORY. */
MUST_CHECK bool outbox_decided(struct outbox *o, int64_t ts, struct decision *d, bool *differs,
                               struct error *err);
/* The verdict is sequenced or expired. */
MUST_CHECK bool outbox_settled(struct outbox *o, int64_t ts, int64_t request_id, int32_t part,
                               enum verdict_state state, struct error *err);
MUST_CHECK bool outbox_topology(struct outbox *o, int64_t ts, int32_t idx, struct bytes content,
                                struct error *err);

/* A row of the database, before the first event or at a take-over. Takes *d over (and makes it
 * NULL). *differs (may be NULL): this replica had decided something else. */
MUST_CHECK bool outbox_restore(struct outbox *o, enum verdict_state state, struct decision **d,
                               bool *differs, struct error *err);
/* The active replica has stored what events up to seen_ts caused. */
void outbox_forget(struct outbox *o, int64_t seen_ts);

/* Takes all items out as rows, in order; they stay borrowed from the outbox until outbox_written
 * (they are stored: their verdicts may be sent) or outbox_give_back (they are not). *rows: the
 * caller frees the array. */
MUST_CHECK bool outbox_take(struct outbox *o, struct outbox_row **rows, size_t *n,
                            struct error *err);
void outbox_written(struct outbox *o);
void outbox_give_back(struct outbox *o);

/* The next verdict to be sent, NULL when there is none; in the order of their decisions. Borrowed
 * until the next call of anything. It is in flight from here on. */
const struct decision *outbox_next_send(struct outbox *o);
/* The end of a try. is_accepted: a sequencer has it; else it is sent again by outbox_retry. */
MUST_CHECK bool outbox_sent(struct outbox *o, int64_t request_id, int32_t part, bool is_accepted,
                            struct error *err);
/* Failed tries are to be sent again; all: accepted ones too, as long as they are not settled (after
 * a take-over). Returns how many wait now. */
size_t outbox_retry(struct outbox *o, bool all);

size_t outbox_n_items(const struct outbox *o);     /* not taken */
bool outbox_is_urgent(const struct outbox *o);     /* some item is more than a state */
size_t outbox_n_in_flight(const struct outbox *o); /* sends without an end yet */
size_t outbox_n_unsettled(const struct outbox *o);
#endif
