/* verdict.h: what was decided about one request, and the exact bytes that say so. Contents are
 * built from the ordered events alone, byte for byte alike on every replica and every mediator of a
 * group, as the sequencer aggregates only equal contents. Threads: free of state. */
#ifndef MEDIATOR_VERDICT_H
#define MEDIATOR_VERDICT_H
#include "mediator/tally.h"
#include "wire/messages.h"
#include "wire/submission.h"

/* Kept in rows: append only. */
enum outcome {
    OUTCOME_APPROVED = 1,
    OUTCOME_REJECTED = 2,  /* by participants */
    OUTCOME_TIMED_OUT = 3, /* not enough responses by their deadline */
    OUTCOME_INVALID = 4,   /* the request breaks a rule */
    OUTCOME_DUPLICATE = 5, /* its uuid is burnt */
    OUTCOME_PURGED = 6,    /* forgotten at a take-over; nothing is sent */
};
const char *outcome_name(enum outcome o); /* "approved"; never NULL */

/* What a result is about. Borrows. */
struct verdict_subject {
    const char *psid;
    int64_t request_id;
    int view_type;
    struct hash root;
};

/* One verdict for a set of participants. A request has one, part 0, unless it is invalid and its
 * root hash messages disagree: then one for each (view type, root hash), in their order. */
#define TRACEPARENT_SIZE 56
struct decision {
    int64_t request_id;
    int32_t part;
    enum outcome outcome;
    int64_t decided_ts;                 /* finalization time: a place in the order, not a clock */
    int64_t decision_ts;                /* the verdict is void when not sequenced by then */
    char traceparent[TRACEPARENT_SIZE]; /* of the request, "" when it is not known */
    int32_t group;                      /* whose verdict it is */
    bool is_sender;                     /* this mediator is active in the group, so it sends */
    bool has_uuid;                      /* this request has burnt uuid until uuid_expires_ts */
    uint8_t uuid[UUID_LEN];
    int64_t uuid_expires_ts;
    struct buffer content; /* of the envelope to sign; empty when nobody is to be told */
    char **participants;   /* "PAR::uid", ascending and distinct; owned */
    size_t n_participants;
};
void decision_free(struct decision *d); /* itself too; NULL is allowed */

/* Contents, appended to out. All fail with ERR_MEMORY. */
MUST_CHECK bool verdict_approve(const struct verdict_subject *s, struct buffer *out,
                                struct error *err);
/* The reasons of a rejected tally. */
MUST_CHECK bool verdict_reject(const struct verdict_subject *s, struct tally *t, struct buffer *out,
                               struct error *err);
/* Names the parties that did not respond. */
MUST_CHECK bool verdict_timeout(const struct verdict_subject *s, const struct tally *t,
                                struct buffer *out, struct error *err);
/* text says what is wrong (MEDIATOR_INVALID_MESSAGE). */
MUST_CHECK bool verdict_invalid(const struct verdict_subject *s, const char *text,
                                struct buffer *out, struct error *err);
/* Redacted: the cause never leaves the mediator. */
MUST_CHECK bool verdict_malformed(const struct verdict_subject *s, struct buffer *out,
                                  struct error *err);
MUST_CHECK bool verdict_duplicate(const struct verdict_subject *s, const uint8_t uuid[UUID_LEN],
                                  int64_t expires_ts, struct buffer *out, struct error *err);

/* Message ids of verdict submissions tell every replica of this mediator, by the receipt in the
 * stream, which verdict was sequenced. nonce makes each try's unique. out holds
 * VERDICT_MESSAGE_ID_SIZE. */
#define VERDICT_MESSAGE_ID_SIZE 74
void verdict_message_id(int64_t request_id, int32_t part, uint32_t nonce, char *out);
bool verdict_message_id_parse(const char *message_id, int64_t *request_id, int32_t *part);

/* The submission of d, with s over its content: one tree for each participant, the aggregation rule
 * of d's group, max sequencing time = decision time. Appends the bytes to send (unsigned). Fails:
 * ERR_MEMORY. */
MUST_CHECK bool verdict_submission(const struct decision *d, const char *member,
                                   const char *message_id, const struct signature *s,
                                   struct buffer *out, struct error *err);
#endif
