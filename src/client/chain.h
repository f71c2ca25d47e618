/* chain.h: does this event follow the last one? Pure.
 * Invariant: what chain_check lets through as CHAIN_NEXT rises in time and names its predecessor,
 * so the caller sees each event of its stream once and in order, whichever endpoint brings it. */
#ifndef CLIENT_CHAIN_H
#define CLIENT_CHAIN_H
#include <stdint.h>

#include "base/error.h"
#include "crypto/hash.h"

#define CHAIN_NO_TS INT64_MIN

struct chain {
    char psid[301];
    int64_t last_ts; /* CHAIN_NO_TS: none yet */
    struct hash last_hash;
    bool is_resuming; /* the sequencer was asked to send last_ts again, first */
};

/* What chain_check looks at in an event. */
struct chain_link {
    const char *psid;
    int64_t ts, previous_ts; /* CHAIN_NO_TS: none */
    struct hash hash;        /* H(1, content) */
};

enum chain_step {
    CHAIN_NEXT,  /* deliver it, then chain_advance */
    CHAIN_REPEAT /* the last event again, equal: drop it */
};

/* A new subscription begins: when there is a last event, it must come first. */
void chain_resume(struct chain *c);
/* Where a resume asks to begin; false: at the member's first event. */
bool chain_start(const struct chain *c, int64_t *ts);
/* Fails: ERR_FORK (it does not follow the last event, or differs from it), ERR_MALFORMED (foreign
 * psid, time out of range). */
MUST_CHECK bool chain_check(const struct chain *c, const struct chain_link *e,
                            enum chain_step *step, struct error *err);
/* e was accepted by chain_check. */
void chain_advance(struct chain *c, const struct chain_link *e);
#endif
