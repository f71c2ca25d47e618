/* outcome.h: what apply decided about one entry. Immutable once made, and counted, so that the
 * subscriptions share it.
 *
 * Threads: immutable; outcome_ref and outcome_unref from any. */
#ifndef SEQUENCER_OUTCOME_H
#define SEQUENCER_OUTCOME_H
#include "sequencer/view.h"
#include "wire/batch.h"

enum outcome_kind {
    OUTCOME_NOTHING, /* no event; time has moved */
    OUTCOME_DISCARD, /* no event; the request is forgotten */
    OUTCOME_REJECT,  /* an error to the sender */
    OUTCOME_RECEIPT, /* an empty delivery to the sender: a contribution below the threshold */
    OUTCOME_DELIVER,
};

/* A group that a recipient names, as it was at ts. */
struct outcome_group {
    char *text;
    struct member_list members; /* sorted */
};

struct outcome {
    int refs; /* atomic */
    enum outcome_kind kind;
    int64_t ts;
    char *sender;         /* member; NULL when not even that is known */
    char *message_id;     /* NULL for NOTHING and DISCARD */
    char *why;            /* of REJECT and DISCARD, for the log: "ID: text" */
    bool is_alarm;        /* DISCARD: the sender's node is faulty or hostile */
    struct buffer status; /* REJECT: bytes of google.rpc.Status */
    struct compressed_batch batch;
    struct recipients *recipients; /* batch.n of them */
    struct outcome_group *groups;
    size_t n_groups;
    struct member_list receivers; /* sorted, the sender included; who gets an event */
    bool is_broadcast;            /* ALL::All is among the recipients */
    int64_t
        *contributions; /* ts of the entries whose signatures are merged in the batch, when there */
    size_t n_contributions; /* is a rule; this one's included */
    char traceparent[64], tracestate[513];
    size_t memory; /* bytes, about */
};

MUST_CHECK bool outcome_make(enum outcome_kind kind, int64_t ts, struct outcome **out,
                             struct error *err);
struct outcome *outcome_ref(struct outcome *o);
void outcome_unref(struct outcome *o); /* NULL is allowed */
void outcome_weigh(struct outcome *o); /* sets memory, once it is complete */

/* digest := SHA-256(digest || i8(ts) || outcome bytes). The outcome bytes are final, as the log's
 * are: kind(1) LP(sender) LP(message_id) LP(status) i4(receivers) LP(receiver)... algorithm(1)
 * LP(recipients, as P30.Recipients of each envelope: i4(n) LP...) i4(n) LP(envelope)... */
MUST_CHECK bool outcome_digest(const struct outcome *o, uint8_t digest[32], struct error *err);

/* The event of one receiver: W(31) SequencedEvent bytes, appended. previous: NULL for the first.
 * The message id goes to the sender alone. Fails: ERR_INTERNAL (not a receiver), ERR_MEMORY. */
MUST_CHECK bool outcome_event(const struct outcome *o, const char *member, const int64_t *previous,
                              const char *psid, struct buffer *out, struct error *err);
#endif
