/* doctor.h: is a database fit to stand under Lockstep? Connects twice, asks for settings, and tries
 * what the rest of Lockstep relies on: isolation, row locks, the fence of a lease, round trips of
 * values, error classes, commit latency.
 *
 * Safe beside a running node: reads catalogues, and writes only rows of its own: some thirty in
 * ls_doctor (one of 10 MiB, twice), a lease in ls_lease and ls_lease_beat whose name begins with
 * "doctor."; all are deleted at the end, or an hour later by the next run when this one was killed.
 * Threads: db_doctor from any; it starts one of its own for the length of a deadlock. */
#ifndef STORAGE_DOCTOR_H
#define STORAGE_DOCTOR_H
#include "storage/db.h"

enum doctor_verdict {
    DOCTOR_OK,
    DOCTOR_WARN, /* fit, but an operator should know or change something */
    DOCTOR_FAIL  /* not fit for service */
};

#define DOCTOR_NUMBERS_MAX 64
struct doctor_number {
    char name[64]; /* "p99_us", "ls_log" */
    int64_t value;
};

struct doctor_finding {
    const char *check; /* "fence" */
    enum doctor_verdict verdict;
    char found[640];
    char advice[320]; /* what to change; "" for nothing */
    struct doctor_number number[DOCTOR_NUMBERS_MAX];
    size_t n_numbers;
};

/* Borrows the finding for the length of the call. */
typedef void doctor_fn(void *ctx, const struct doctor_finding *f);

/* Tells one finding a check, in a fixed order; when one fails that others need, those are left out.
 * The configured pool size and time-outs are not used. Returns true when nothing failed. */
bool db_doctor(const struct db_config *cfg, doctor_fn *fn, void *ctx);
#endif
