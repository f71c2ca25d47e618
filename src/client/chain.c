/* chain.c: the checks that make a stream of events one history. */
#include "client/chain.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"

static const char fork_advice[] = "do not go on with this sequencer: compare its database with its "
                                  "replicas' and with the last restore";

void chain_resume(struct chain *c)
{
    c->is_resuming = c->last_ts != CHAIN_NO_TS;
}

bool chain_start(const struct chain *c, int64_t *ts)
{
    *ts = c->last_ts;
    return c->last_ts != CHAIN_NO_TS;
}

static bool repeat_check(const struct chain *c, const struct chain_link *e, struct error *err)
{
    if (e->ts != c->last_ts)
        return error_set(err, ERR_FORK, fork_advice,
                         "asked to resume at event %" PRId64 ", the first event is %" PRId64,
                         c->last_ts, e->ts);
    if (!hash_equal(&e->hash, &c->last_hash))
        return error_set(err, ERR_FORK, fork_advice,
                         "event %" PRId64 " differs from the one that was processed", e->ts);
    return true;
}

bool chain_check(const struct chain *c, const struct chain_link *e, enum chain_step *step,
                 struct error *err)
{
    *step = CHAIN_NEXT;
    if (e->ts < TS_MIN || e->ts > TS_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "event time %" PRId64 " is out of range", e->ts);
    if (c->psid[0] && strcmp(e->psid, c->psid))
        return error_set(err, ERR_MALFORMED, NULL, "event %" PRId64 " belongs to %s, not to %s",
                         e->ts, e->psid, c->psid);
    if (failpoint_is_on("chain-check-off")) {
        if (c->is_resuming && e->ts == c->last_ts)
            *step = CHAIN_REPEAT;
        return true;
    }
    if (c->is_resuming) {
        *step = CHAIN_REPEAT;
        return repeat_check(c, e, err);
    }
    if (e->previous_ts != c->last_ts)
        return error_set(err, ERR_FORK, fork_advice,
                         "event %" PRId64 " follows %" PRId64 ", the last one here is %" PRId64,
                         e->ts, e->previous_ts, c->last_ts);
    if (c->last_ts != CHAIN_NO_TS && e->ts <= c->last_ts)
        return error_set(err, ERR_FORK, fork_advice,
                         "event %" PRId64 " is not later than its predecessor", e->ts);
    return true;
}

void chain_advance(struct chain *c, const struct chain_link *e)
{
    c->last_ts = e->ts;
    c->last_hash = e->hash;
    c->is_resuming = false;
}
