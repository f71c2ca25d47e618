/* frontier.h: what may be read. A pure core. S = min(watermarks of the online nodes), or, with
 * nobody online, the largest watermark of all. All the rows come from one statement, never from a
 * cache. Invariants: S never moves back; no entry is ever added at or below S (doc/architecture.md,
 * "Join"). Threads: the owner's. */
#ifndef SEQUENCER_FRONTIER_H
#define SEQUENCER_FRONTIER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row of ls_node, as read. */
struct watermark {
    int32_t node_index;
    bool is_online;
    int64_t epoch;
    uint8_t holder[16];
    int64_t ts;
};

struct frontier {
    int64_t safe_ts; /* what has been handed out */
};

/* True when S moved. w comes from one statement and is borrowed. */
bool frontier_advance(struct frontier *f, const struct watermark *w, size_t n);

/* Who may have entries in (after, ...]: true when a node other than own_index has a watermark above
 * after. Log rows and watermark commit together, so false means that reading the log is idle. */
bool frontier_others_moved(const struct watermark *w, size_t n, int own_index, int64_t after);

/* The largest watermark of the online nodes but own_index; INT64_MIN: none. Above own: own holds
 * back. */
int64_t frontier_peers_ahead(const struct watermark *w, size_t n, int own_index);

/* When a silent node may be taken over: its row unchanged for the whole expiry by one monotonic
 * clock, looked at without a gap. One per node index. */
struct silence {
    int64_t epoch;
    int64_t ts;
    uint8_t holder[16];
    int64_t since_us;  /* when this state of the row was first seen */
    int64_t looked_us; /* the last look; 0: never */
};

/* Notes one look at now_us (monotonic). max_gap_us: looks further apart than this (the observer was
 * paused, or the database is slow) start the count again. True: silent for expiry_us. */
bool silence_look(struct silence *s, const struct watermark *w, int64_t now_us, int64_t max_gap_us,
                  int64_t expiry_us);
#endif
