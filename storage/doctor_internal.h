/* doctor_internal.h: one examination, shared by doctor.c (asks) and doctor_proof.c (tries). */
#ifndef STORAGE_DOCTOR_INTERNAL_H
#define STORAGE_DOCTOR_INTERNAL_H
#include "storage/doctor_judge.h"

struct doctor {
    const struct db_config *cfg;
    struct db *a, *b; /* two sessions; b waits for locks for a short time only */
    struct db *c;     /* a third one that waits like a; not on SQLite */
    int64_t base;     /* rows of this run: base + 1 .. base + DOCTOR_ROWS */
    int64_t noted_at;
    char lease[64];
    doctor_fn *fn;
    void *ctx;
    bool is_fit;
    bool is_stuck; /* a commit would wait without end */
};
#define DOCTOR_ROWS    1000
#define DOCTOR_WAIT_US 2000000 /* the longest wait for a lock; where the server has a limit: */
#define DOCTOR_LOCK_US 300000

/* Rows of base + FROM and so on, so that no proof meets another's. */
enum doctor_row {
    ROW_VALUES = 1,
    ROW_LOCK = 100,
    ROW_ISOLATION,
    ROW_DEADLOCK, /* and the next */
    ROW_LATENCY = 105,
    ROW_DUPLICATE,
    ROW_FENCED = 200,
    ROW_ARRAY = 300
};

/* What a check does: notes what it found. False: *err is the finding. */
typedef bool doctor_check_fn(struct doctor *d, struct doctor_finding *f, struct error *err);
doctor_check_fn prove_isolation, prove_row_lock, prove_deadlock, prove_fence, prove_values,
    prove_arrays, prove_errors;

/* A small row to work on. */
MUST_CHECK bool doctor_row_insert(struct doctor *d, int64_t row, struct error *err);
#endif
