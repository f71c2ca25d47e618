/* refusal.h: why a submission is not taken: an error id of the protocol and a text that depends on
 * nothing but the submission and the topology, as it becomes part of compared bytes.
 *
 * Threads: free of state. */
#ifndef SEQUENCER_REFUSAL_H
#define SEQUENCER_REFUSAL_H
#include "base/buffer.h"

/* The rows of wire/status_ids.def; the numbers are those of enum status_known. */
enum refusal_id {
    REFUSAL_NONE = -1,
#define X(name, id, category, retry, redacted) REFUSE_##name,
#include "wire/status_ids.def"
#undef X
};

struct refusal {
    enum refusal_id id;
    char text[513];
};

/* Sets *r and returns true, so that a check can end with it. Text is cut. */
bool refuse(struct refusal *r, enum refusal_id id, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The id on the wire, "SEQUENCER_UNKNOWN_RECIPIENTS"; not for REFUSAL_NONE. */
const char *refusal_name(enum refusal_id id);

/* Bytes of google.rpc.Status for an error event, appended: the same from every replica. */
MUST_CHECK bool refusal_event_status(const struct refusal *r, struct buffer *out,
                                     struct error *err);
/* The parts of a gRPC answer. trace_id: 32 hex digits or NULL. *message is malloc'ed; details are
 * appended. */
MUST_CHECK bool refusal_answer(const struct refusal *r, const char *trace_id, int *code,
                               char **message, struct buffer *details, struct error *err);
#endif
