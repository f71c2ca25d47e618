/* clock.c (sequencer): max(clock, last + 1), rounded up to the residue class of the node. */
#include "sequencer/clock.h"

#include "base/clock.h"

void seq_clock_init(struct seq_clock *c, int node_index, int node_count, int64_t start)
{
    c->node_index = node_index;
    c->node_count = node_count;
    c->last = start;
    c->floor = start;
}

void seq_clock_note(struct seq_clock *c, int64_t watermark)
{
    if (watermark > c->floor)
        c->floor = watermark;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t first_of(const struct seq_clock *c, int64_t now_us)
{
    int64_t low = max64(now_us, max64(c->last, c->floor) + 1);
    int64_t residue = low % c->node_count;

    if (residue < 0)
        residue += c->node_count;
    return low + (c->node_index - residue + c->node_count) % c->node_count;
}

size_t seq_clock_room(const struct seq_clock *c, int64_t now_us)
{
    int64_t limit = now_us + SEQ_CLOCK_AHEAD_US;
    int64_t first = first_of(c, now_us);

    if (c->floor > now_us) /* the log is ahead: creep */
        limit = max64(limit, max64(c->last, c->floor) + SEQ_CLOCK_CREEP_US);
    if (limit > TS_MAX)
        limit = TS_MAX;
    return first > limit ? 0 : (size_t)((limit - first) / c->node_count) + 1;
}

bool seq_clock_take(struct seq_clock *c, int64_t now_us, size_t n, int64_t *first,
                    struct error *err)
{
    if (n == 0 || n > seq_clock_room(c, now_us))
        return error_set(err, ERR_OVERLOADED, "send more slowly, or to another replica",
                         "%zu timestamps would run %lld us ahead of the clock", n,
                         (long long)(c->last - now_us));
    *first = first_of(c, now_us);
    c->last = *first + (int64_t)(n - 1) * c->node_count;
    return true;
}

int64_t seq_clock_silence(struct seq_clock *c, int64_t now_us)
{
    c->last = max64(max64(now_us, c->last + 1), c->floor);
    return c->last;
}

bool seq_clock_follow(struct seq_clock *c, int64_t ts)
{
    seq_clock_note(c, ts);
    if (ts <= c->last)
        return false;
    c->last = ts;
    return true;
}
