/* status.h: google.rpc.Status, built the same way by everyone: the status of a gRPC answer, the
 * error of an event, the reason of a verdict. It is part of bytes that replicas and mediators
 * compare, so order and content are fixed here. Threads: free of state. */
#ifndef WIRE_STATUS_H
#define WIRE_STATUS_H
#include "base/buffer.h"

/* An error id of the protocol and its category, which decides the gRPC code. retry: the status
 * carries RetryInfo of one second. redacted: only a fixed text leaves the node, no details. */
struct status_id {
    const char *id;
    int category;
    bool retry;
    bool redacted;
};

enum status_known {
#define X(name, id, category, retry, redacted) STATUS_##name,
#include "wire/status_ids.def"
#undef X
    STATUS_KNOWN_N
};
extern const struct status_id status_ids[STATUS_KNOWN_N];

struct status_meta {
    const char *key, *value; /* an entry with an empty key or value is dropped */
};

struct status_detail {
    char *type_url;
    struct buffer value;
};

struct wire_status {
    int code; /* gRPC code */
    char *message;
    struct status_detail *details;
    size_t n_details;
};

/* gRPC code of a category (1..14), INTERNAL for any other. */
int status_code_of_category(int category);

/* Builds: message `ID(category,trace): text`, ErrorInfo {reason, metadata ascending by size,
 * category last}, RetryInfo when the id is retried. trace: the caller's trace id (its first 8
 * digits go into the message, all of it into metadata tid), NULL gives "0" and must be NULL in what
 * replicas compare. Text is cut to 512 characters and "..."; the largest metadata value is cut, or
 * dropped, until the whole is at most 4096 bytes. meta may be NULL; at most 16 entries are used.
 * Fails: ERR_MEMORY. */
MUST_CHECK bool wire_status_make(enum status_known id, const char *trace,
                                 const struct status_meta *meta, size_t n_meta, const char *text,
                                 struct wire_status *out, struct error *err);
/* The same for an error of an event: no trace, metadata definite_answer = true. */
MUST_CHECK bool wire_status_make_event(enum status_known id, const char *text,
                                       struct wire_status *out, struct error *err);

/* From and to the bytes of google.rpc.Status. Fails: ERR_MALFORMED, ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool wire_status_parse(struct bytes in, struct wire_status *out, struct error *err);
MUST_CHECK bool wire_status_build(const struct wire_status *s, struct buffer *out,
                                  struct error *err);
void wire_status_free(struct wire_status *s); /* what it owns, and zeroes it */

/* ErrorInfo.reason when exactly one ErrorInfo with metadata "category" is there, else NULL. The
 * caller frees it. Never fails otherwise: foreign details may be anything. */
char *wire_status_reason(const struct wire_status *s);
/* The metadata value, NULL when absent. The caller frees it. */
char *wire_status_meta(const struct wire_status *s, const char *key);
bool wire_status_is_retryable(const struct wire_status *s); /* RetryInfo is there */
#endif
