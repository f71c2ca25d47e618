/* snapshot.h: what the pure cores ask the topology, always at a ts. The functions are handed in, so
 * that the cores need no topology to be tested; topology_snapshot.c answers from topology/.
 * Every function of a struct snapshot is deterministic for a ts that is not later than the event in
 * hand. Threads: as the topology behind it. */
#ifndef MEDIATOR_SNAPSHOT_H
#define MEDIATOR_SNAPSHOT_H
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/signature.h"

/* Microseconds. */
struct snapshot_params {
    int64_t response_timeout_us, reaction_timeout_us, dedup_timeout_us;
};

struct snapshot_group {
    bool is_there;
    bool is_active; /* as many active mediators as its threshold */
    bool is_member; /* this mediator is active or observer in it */
    bool is_sender; /* this mediator is active in it */
};

struct snapshot_host {
    char *participant; /* "PAR::uid", active at the ts; owned */
    bool may_confirm;  /* permission confirmation or submission */
};

struct snapshot_hosting {
    uint32_t threshold; /* confirmations needed; 1 or more */
    struct snapshot_host *hosts;
    size_t n; /* 0: the party is unknown, or hosted by nobody active */
};

struct snapshot {
    void *ctx;
    /* Dynamic parameters. Fails when there are none at ts. */
    bool (*params)(void *ctx, int64_t ts, struct snapshot_params *out, struct error *err);
    void (*group)(void *ctx, int64_t ts, int32_t index, struct snapshot_group *out);
    /* This mediator is active or observer of some active group. */
    bool (*is_member)(void *ctx, int64_t ts);
    /* The caller frees with snapshot_hosting_free. Fails: ERR_MEMORY. */
    bool (*hosting)(void *ctx, int64_t ts, const char *party, struct snapshot_hosting *out,
                    struct error *err);
    /* A PROTOCOL key of member at ts made s over h. Fails: ERR_SIGNATURE, ERR_UNSUPPORTED. */
    bool (*verify)(void *ctx, int64_t ts, const char *member, const struct hash *h,
                   const struct signature *s, struct error *err);
};

void snapshot_hosting_free(struct snapshot_hosting *h); /* what it owns, and zeroes it */
#endif
