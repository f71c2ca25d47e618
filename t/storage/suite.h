/* suite.h: the conformance suite of storage: rules written once and run on every engine.
 *
 * A rule is a test. What it does is counted into cells of the table (t/storage/table.sh):
 *   rule       itself, and how many checks it made
 *   function   each function of storage's headers and of the *_store ones that stands in the text
 * of a check: suite_calls.c has the list, table.sh compares it with the headers code       each
 * error code that check_refused has seen statement  each statement of the product's catalogue,
 * counted where the driver runs it: trace.c A rule that was skipped, a function never called, a
 * code never seen and a statement never run are holes, and a hole fails the table. Where an engine
 * is different, the rule says so with suite_instead, which the table prints, and tests what the
 * engine does instead.
 *
 * Checks are for the thread that runs the rule; other threads give an error back. */
#ifndef T_STORAGE_SUITE_H
#define T_STORAGE_SUITE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine.h"

struct statement;

struct rule {
    const char *name;
    CMUnitTestFunction fn;
    CMFixtureFunction setup, teardown;
};
#define RULE(fn)                                                                                   \
    {                                                                                              \
#fn, fn, NULL, NULL                                                                        \
    }
#define RULE_IN(fn, setup, teardown)                                                               \
    {                                                                                              \
#fn, fn, setup, teardown                                                                   \
    }
#define RULES_N(rules) (sizeof(rules) / sizeof((rules)[0]))
/* One file of rules. */
struct rules {
    const char *name;
    const struct rule *list;
    size_t n;
    CMFixtureFunction setup, teardown;
};
extern const struct rules value_rules, txn_rules, parallel_rules, fenced_rules, cursor_rules,
    migrate_rules, lease_rules, error_rules, open_rules, sequencer_rules, mediator_rules,
    participant_rules, node_rules;

void suite_checked(const char *expr);   /* one more check; expr: its text */
void suite_code(enum error_code code);  /* this code was given */
void suite_instead(const char *reason); /* this engine differs: why, in a few words */
void suite_code_instead(enum error_code code, const char *reason); /* it never gives this one */

/* Notes a call whose result is checked elsewhere. */
#define called(call) (suite_checked(#call), call)
#define check(c)                                                                                   \
    do {                                                                                           \
        suite_checked(#c);                                                                         \
        if (!(c))                                                                                  \
            fail_msg("%s", #c);                                                                    \
    } while (0)
#define check_int(a, b)                                                                            \
    do {                                                                                           \
        const int64_t got_ = (int64_t)(a), want_ = (int64_t)(b);                                   \
        suite_checked(#a);                                                                         \
        if (got_ != want_)                                                                         \
            fail_msg("%s is %lld, not %lld", #a, (long long)got_, (long long)want_);               \
    } while (0)
#define check_text(a, b)                                                                           \
    do {                                                                                           \
        const char *got_ = (a), *want_ = (b);                                                      \
        suite_checked(#a);                                                                         \
        if (strcmp(got_, want_) != 0)                                                              \
            fail_msg("%s is '%s', not '%s'", #a, got_, want_);                                     \
    } while (0)
#define check_says(text, words)                                                                    \
    do {                                                                                           \
        const char *got_ = (text), *want_ = (words);                                               \
        suite_checked(#text);                                                                      \
        if (!strstr(got_, want_))                                                                  \
            fail_msg("'%s' does not say '%s'", got_, want_);                                       \
    } while (0)
/* Both want a `struct error e`, which call fills. */
#define check_done(call)                                                                           \
    do {                                                                                           \
        suite_checked(#call);                                                                      \
        if (!(call))                                                                               \
            fail_msg("%s: %s [%s]", #call, e.cause, error_id(e.code));                             \
    } while (0)
#define check_refused(call, want)                                                                  \
    do {                                                                                           \
        suite_checked(#call);                                                                      \
        if (call)                                                                                  \
            fail_msg("%s: done, expected %s", #call, error_id(want));                              \
        check_code(&e, want);                                                                      \
    } while (0)
#define check_code(err, want)                                                                      \
    do {                                                                                           \
        assert_code(err, want);                                                                    \
        suite_checked("");                                                                         \
        suite_code(want);                                                                          \
    } while (0)

/* trace.c: what went to the driver. */
int64_t trace_sent(void);                      /* executions so far, of whatever */
int64_t trace_runs(const struct statement *s); /* of this statement, each of its steps */
/* Behind the last rule: asks the driver for the kinds of every result, on a new connection, after
 * the text `before` (may be NULL). False: it cannot be asked. */
bool trace_describe(const char *before);
/* What the driver says of its result columns that its header does not; "" when they agree. */
const char *trace_complaint(const struct statement *s);
/* The next but n-th calloc of this thread fails; -1: none. */
void trace_fail_memory(int n);

/* suite_data.c: what rules share. Each wants t_value, t_log and t_node. */
extern struct db *suite_db; /* open and migrated between open_all and close_all */
int open_all(void **state), close_all(void **state);
int clear_all(void **state); /* a setup: empties the tables of the tests */
bool i64_row(void *ctx, const struct value *cols, size_t n, struct error *err); /* int64_t */
bool any_row(void *ctx, const struct value *cols, size_t n, struct error *err); /* int, or NULL */
void insert_value(struct db *db, int64_t id, int64_t i);
struct value *log_rows(size_t n, int64_t first_ts); /* for t_log_many; free it */
/* A txn_fn: inserts ctx (struct many) by t_log_many. */
struct many {
    const struct value *v;
    size_t n;
};
bool many_txn(struct txn *t, void *ctx, struct error *err);
/* Runs fn(ctx) in n threads at once; each ctx is args + i * size. fn gives NULL, or a text. */
void in_threads(void *(*fn)(void *), void *args, size_t size, size_t n);
#endif
