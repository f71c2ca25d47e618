/* frontier.c: what may be read, and who is silent. */
#include "sequencer/frontier.h"

#include <string.h>

bool frontier_advance(struct frontier *f, const struct watermark *w, size_t n)
{
    int64_t lowest = INT64_MAX, highest = INT64_MIN;

    for (size_t i = 0; i < n; i++) {
        if (w[i].is_online && w[i].ts < lowest)
            lowest = w[i].ts;
        if (w[i].ts > highest)
            highest = w[i].ts;
    }
    int64_t s = lowest < INT64_MAX ? lowest : highest;
    if (s <= f->safe_ts)
        return false;
    f->safe_ts = s;
    return true;
}

bool frontier_others_moved(const struct watermark *w, size_t n, int own_index, int64_t after)
{
    for (size_t i = 0; i < n; i++) {
        if (w[i].node_index != own_index && w[i].ts > after)
            return true;
    }
    return false;
}

int64_t frontier_peers_ahead(const struct watermark *w, size_t n, int own_index)
{
    int64_t highest = INT64_MIN;

    for (size_t i = 0; i < n; i++) {
        if (w[i].node_index != own_index && w[i].is_online && w[i].ts > highest)
            highest = w[i].ts;
    }
    return highest;
}

bool silence_look(struct silence *s, const struct watermark *w, int64_t now_us, int64_t max_gap_us,
                  int64_t expiry_us)
{
    bool same = s->looked_us != 0 && s->epoch == w->epoch && s->ts == w->ts &&
                memcmp(s->holder, w->holder, sizeof s->holder) == 0;

    if (!same || now_us - s->looked_us > max_gap_us) {
        s->epoch = w->epoch;
        s->ts = w->ts;
        memcpy(s->holder, w->holder, sizeof s->holder);
        s->since_us = now_us;
    }
    s->looked_us = now_us;
    return now_us - s->since_us >= expiry_us;
}
