/* bench_load.h: drives participants through their API and counts what comes back. Private to cli.
 * Latency runs from the moment when a command was due (with a rate) or sent (without) until its
 * outcome arrives here, so that a server that stands still shows in it. Threads: load_run from one;
 * callbacks come from rpc/'s. */
#ifndef CLI_BENCH_LOAD_H
#define CLI_BENCH_LOAD_H
#include <stdint.h>

#include "base/error.h"
#include "rpc/client.h"

#define LOAD_PARTICIPANTS_MAX 64
#define LOAD_OPEN_MAX         100000

/* Values up to an hour in microseconds, to 1.6 %. */
enum { HISTOGRAM_SUB = 64, HISTOGRAM_N = 64 * 40 };
struct histogram {
    uint64_t count[HISTOGRAM_N];
    uint64_t n;
    int64_t max_us;
    double sum_us;
};
void histogram_add(struct histogram *h, int64_t us);
/* The value that a share q (0..1) of all is not above; 0 when there are none. */
int64_t histogram_quantile(const struct histogram *h, double q);

struct load_config {
    const char *const *endpoints; /* "http://host:port" */
    size_t n_endpoints;           /* 1 to LOAD_PARTICIPANTS_MAX */
    const struct rpc_tls_client *tls;
    size_t informees;    /* of each transaction, the submitter among them; 1 to n_endpoints */
    int64_t rate;        /* commands a second over all participants; 0: as fast as they go */
    int64_t open_max;    /* commands without an outcome at a time, 1 to LOAD_OPEN_MAX */
    int64_t duration_us; /* of submitting */
    int64_t drain_us;    /* longest wait for outcomes after it */
    int64_t payload;     /* bytes */
};

struct load_count {
    uint64_t submitted, committed, rejected, timed_out, failed; /* failed: Submit refused */
    uint64_t lost;                                              /* without outcome at the end */
    uint64_t open;
};
struct load_result {
    struct load_count count;
    struct histogram latency; /* of committed ones */
    int64_t elapsed_us;       /* from the first command to the last outcome */
    char first_failure[256];  /* why the first one failed, "" for none */
};

/* Runs. progress (may be NULL): called about once a second. Fails: ERR_UNAVAILABLE (a participant
 * does not answer at the start), ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool load_run(const struct load_config *cfg, struct logger *lg,
                         void (*progress)(void *ctx, const struct load_count *c,
                                          int64_t elapsed_us),
                         void *ctx, struct load_result *out, struct error *err);
#endif
