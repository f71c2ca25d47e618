/* apply.h: ordered entries in, outcomes out. The pure core of the sequencer: every replica runs it
 * over the same log and must come to the same bytes, so it reads nothing but the entries: no clock,
 * no table, no configuration.
 *
 * It owns what the order builds up (aggregations, ticks, the rule version, the outcome digest) and
 * moves the topology that it is given.
 *
 * Threads: one at a time; who reads the topology meanwhile, the owner knows. */
#ifndef SEQUENCER_APPLY_H
#define SEQUENCER_APPLY_H
#include "sequencer/entry.h"
#include "sequencer/outcome.h"

struct aggregations;
struct topology;

struct apply {
    struct topology *topo;  /* borrowed */
    char *psid, *sequencer; /* texts; "SEQ::..." */
    struct aggregations *aggregations;
    int64_t applied_ts;   /* the last entry's ts; the start before the first */
    int64_t ticked_ts;    /* ts of the last tick that was honoured */
    int32_t rule_version; /* 0 before the first rule version entry */
    uint8_t digest[32];   /* of all outcomes up to applied_ts */
};

/* start_ts: everything in the log is above it. topo: as the genesis made it; borrowed until close.
 * The caller owns what *a points to. Fails: ERR_MEMORY. */
MUST_CHECK bool apply_open(struct apply *a, struct topology *topo, const char *psid,
                           const char *sequencer, int64_t start_ts, struct error *err);
void apply_close(struct apply *a); /* what it owns, and zeroes it */

/* Decides about the next entry. *out: one reference, the caller's; never NULL when true. Fails, and
 * the replica must stop: ERR_INTERNAL (ts not above the one before), ERR_UNSUPPORTED (format, kind,
 * operator verb or rule version of a newer release), ERR_MALFORMED (a damaged row), ERR_MEMORY. */
MUST_CHECK bool apply_entry(struct apply *a, const struct entry *e, struct outcome **out,
                            struct error *err);

/* The effective ts that the next tick is for; a tick entry above it is honoured. INT64_MAX: none.
 */
int64_t apply_tick_due(const struct apply *a);

/* What is kept of an outcome when its body is dropped from memory. */
struct outcome_stub {
    enum outcome_kind kind;
    struct buffer status; /* REJECT */
    const int64_t *contributions;
    size_t n_contributions;
};

/* Makes the outcome of an entry again that was applied before, from its row, those of its
 * contributions (in the order of
 * stub->contributions; the entry itself may be among them), and what
 * was decided. The same bytes as the first time. Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool apply_again(const struct apply *a, const struct entry *e,
                            const struct outcome_stub *stub, const struct entry *contributions,
                            struct outcome **out, struct error *err);
#endif
