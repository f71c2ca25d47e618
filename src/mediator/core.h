/* core.h: the mediator without threads, sockets, rows or clock: ordered events in, effects out. Two
 * cores that were given the same events and answers of the topology give the same effects, byte for
 * byte; that is what makes a passive replica a replica.
 * A request is open from its event until its verdict. A verdict is unsequenced until its own
 * receipt is seen in the stream, or an event later than its decision time (then it is void).
 * Nothing that a peer sends makes core_event fail: it is logged, counted and dropped.
 * Follows spec mediator.md 1.3 to 1.10. Threads: the owner guards it. */
#ifndef MEDIATOR_CORE_H
#define MEDIATOR_CORE_H
#include "mediator/inbound.h"
#include "mediator/snapshot.h"
#include "mediator/verdict.h"

struct logger;
struct core;

struct core_config {
    const char *psid;      /* copied */
    size_t max_open;       /* open requests; more are rejected as invalid */
    size_t max_dedup;      /* uuids */
    int64_t race_delay_us; /* see request_check */
    struct snapshot top;   /* its ctx is borrowed */
    struct logger *logger; /* borrowed, may be NULL */
};

/* A place in the own stream: read on after it. */
struct core_position {
    bool is_set; /* false: from the first event */
    int64_t ts;
    struct hash hash;
};

enum effect_kind {
    EFFECT_DECIDED,   /* decision: persist it, then send it */
    EFFECT_SEQUENCED, /* the verdict's own receipt is in the stream */
    EFFECT_EXPIRED,   /* the verdict was not sequenced in time */
};

struct effect {
    enum effect_kind kind;
    int64_t ts; /* of the event that caused it */
    int64_t request_id;
    int32_t part;
    struct decision *decision; /* EFFECT_DECIDED: owned */
};

/* In order. Zero-initialise; effects_free releases what was not taken out (decision = NULL). */
struct effects {
    struct effect *list;
    size_t n, cap;
};
void effects_free(struct effects *e);

struct core_stats {
    size_t n_open, n_unsequenced;
    uint64_t n_approved, n_rejected, n_timed_out, n_expired, n_alarms;
};

MUST_CHECK bool core_open(const struct core_config *cfg, struct core **out, struct error *err);
void core_close(struct core *c); /* NULL is allowed */

/* Before the first event: burns a uuid that an earlier run has seen. In order of ts. */
MUST_CHECK bool core_restore_uuid(struct core *c, const uint8_t uuid[UUID_LEN], int64_t ts,
                                  int64_t expires_ts, struct error *err);
/* Before the first event: a verdict of an earlier run that was not seen sequenced. */
MUST_CHECK bool core_restore_unsequenced(struct core *c, int64_t request_id, int32_t part,
                                         int64_t decision_ts, struct error *err);

/* The next event, in order; hash: of its bytes; in may be changed (what it owns may be taken).
 * Appends to out. Fails: ERR_MEMORY, or the topology's; then the core may only be closed. */
MUST_CHECK bool core_event(struct core *c, struct inbound *in, const struct hash *hash,
                           struct effects *out, struct error *err);

/* Forgets the open requests (a take-over with in-flight: purge): one EFFECT_DECIDED with
 * OUTCOME_PURGED for each, so that their uuids stay burnt. */
MUST_CHECK bool core_purge(struct core *c, struct effects *out, struct error *err);

/* Where a restart must read on: before the oldest open request, else after the last event. */
void core_position(const struct core *c, struct core_position *out);
int64_t core_seen_ts(const struct core *c); /* INT64_MIN before the first event */
/* The earliest time that waits for an event later than it; INT64_MAX when none does. */
int64_t core_next_due(struct core *c);
bool core_is_open(const struct core *c, int64_t request_id);
bool core_is_unsequenced(const struct core *c, int64_t request_id, int32_t part);
void core_stats(const struct core *c, struct core_stats *out);
#endif
