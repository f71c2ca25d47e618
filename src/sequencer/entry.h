/* entry.h: one row of the ordered log. Its format is final: a later release reads every log.
 *
 *   payload := format(1 byte, 1) u16(len) traceparent u16(len) tracestate body
 *
 * Big-endian. body by kind: ENTRY_SUBMISSION the bytes that the sender sent (W SignedContent),
 * verbatim; ENTRY_TICK i8(the effective ts that was due); ENTRY_RULE_VERSION i4(version of apply's
 * rules from here on); ENTRY_OPERATOR i2(verb) and its arguments (no verb exists yet).
 *
 * Threads: free of state. */
#ifndef SEQUENCER_ENTRY_H
#define SEQUENCER_ENTRY_H
#include "base/buffer.h"

enum entry_kind {
    ENTRY_SUBMISSION = 1,
    ENTRY_TICK = 2,
    ENTRY_OPERATOR = 3,
    ENTRY_RULE_VERSION = 4,
};

#define ENTRY_FORMAT    1
#define ENTRY_TRACE_MAX 600 /* bytes of each of the two trace strings; longer ones are dropped */
#define RULE_VERSION    1   /* what this release's apply does */

struct entry {
    int64_t ts;
    int node_index;
    enum entry_kind kind;
    struct bytes payload; /* borrowed */
    /* Fingerprint of the key with which this process has verified the signature of these very
     * bytes, or NULL. Saves the arithmetic, never the question whether the key may be used at ts.
     */
    const char *verified_by;
};

/* The parts of a payload; all borrow from it. */
struct entry_parts {
    struct bytes traceparent, tracestate;
    struct bytes body;
};

/* Fails: ERR_UNSUPPORTED (another format: written by a newer release), ERR_MALFORMED (cut). */
MUST_CHECK bool entry_parse(struct bytes payload, struct entry_parts *out, struct error *err);
/* Appends the payload. */
void entry_build(const struct entry_parts *parts, struct buffer *out);
/* Bodies of the other kinds, appended; and read. */
void entry_tick_body(int64_t effective_ts, struct buffer *out);
void entry_rule_version_body(int32_t version, struct buffer *out);
MUST_CHECK bool entry_rule_version(struct bytes body, int32_t *version, struct error *err);
#endif
