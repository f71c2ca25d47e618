/* The chain of events: what may follow, and what is a fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/backoff.h"
#include "client/chain.h"
#include "t/only.h"

static struct chain chain_new(void)
{
    struct chain c = {.psid = "s::ns::35-0", .last_ts = CHAIN_NO_TS};
    return c;
}

static struct chain_link link_at(int64_t previous_ts, int64_t ts)
{
    struct chain_link e = {.psid = "s::ns::35-0", .ts = ts, .previous_ts = previous_ts};
    memset(e.hash.b, (int)(ts & 0xff), sizeof(e.hash.b));
    return e;
}

static void accept_next(struct chain *c, int64_t previous_ts, int64_t ts)
{
    struct chain_link e = link_at(previous_ts, ts);
    enum chain_step step;
    struct error err;

    assert_true(chain_check(c, &e, &step, &err));
    assert_int_equal(step, CHAIN_NEXT);
    chain_advance(c, &e);
}

static void refuse(const struct chain *c, const struct chain_link *e, enum error_code code)
{
    enum chain_step step;
    struct error err;

    assert_false(chain_check(c, e, &step, &err));
    assert_int_equal(err.code, code);
}

static void events_that_name_their_predecessor_pass(void **state)
{
    struct chain c = chain_new();

    (void)state;
    accept_next(&c, CHAIN_NO_TS, 10);
    accept_next(&c, 10, 20);
    accept_next(&c, 20, 21);
    assert_int_equal(c.last_ts, 21);
}

static void a_gap_is_a_fork(void **state)
{
    struct chain c = chain_new();
    struct chain_link e = link_at(20, 30), first = link_at(CHAIN_NO_TS, 30);

    (void)state;
    accept_next(&c, CHAIN_NO_TS, 10);
    refuse(&c, &e, ERR_FORK);
    refuse(&c, &first, ERR_FORK);
}

static void a_beginning_that_claims_a_past_is_a_fork(void **state)
{
    struct chain c = chain_new();
    struct chain_link e = link_at(5, 10);

    (void)state;
    refuse(&c, &e, ERR_FORK);
}

static void time_that_does_not_rise_is_a_fork(void **state)
{
    struct chain c = chain_new();
    struct chain_link same = link_at(10, 10), before = link_at(10, 9);

    (void)state;
    accept_next(&c, CHAIN_NO_TS, 10);
    refuse(&c, &same, ERR_FORK);
    refuse(&c, &before, ERR_FORK);
}

static void a_foreign_synchronizer_is_refused(void **state)
{
    struct chain c = chain_new();
    struct chain_link e = link_at(CHAIN_NO_TS, 10), late = link_at(CHAIN_NO_TS, TS_MAX + 1);

    (void)state;
    e.psid = "other::ns::35-0";
    refuse(&c, &e, ERR_MALFORMED);
    refuse(&c, &late, ERR_MALFORMED);
}

static void a_resume_begins_with_the_last_event_again(void **state)
{
    struct chain c = chain_new();
    enum chain_step step;
    struct chain_link e;
    struct error err;
    int64_t ts;

    (void)state;
    chain_resume(&c);
    assert_false(chain_start(&c, &ts));
    accept_next(&c, CHAIN_NO_TS, 10);
    chain_resume(&c);
    assert_true(chain_start(&c, &ts));
    assert_int_equal(ts, 10);
    e = link_at(CHAIN_NO_TS, 10);
    assert_true(chain_check(&c, &e, &step, &err));
    assert_int_equal(step, CHAIN_REPEAT);
    chain_advance(&c, &e);
    accept_next(&c, 10, 20);
}

static void a_resume_with_another_event_is_a_fork(void **state)
{
    struct chain c = chain_new();
    struct chain_link changed = link_at(CHAIN_NO_TS, 10), later = link_at(10, 20);

    (void)state;
    accept_next(&c, CHAIN_NO_TS, 10);
    chain_resume(&c);
    changed.hash.b[33] ^= 1;
    refuse(&c, &changed, ERR_FORK); /* same time, other content */
    refuse(&c, &later, ERR_FORK);   /* the history lacks what was processed */
}

static void backoff_doubles_from_10_ms_to_10_s_with_jitter(void **state)
{
    struct backoff b = BACKOFF_INIT;
    int64_t want = 10000;

    (void)state;
    for (int i = 0; i < 20; i++) {
        int64_t us = backoff_next(&b);

        assert_true(us >= want / 2 && us <= want);
        want = want * 2 < 10000000 ? want * 2 : 10000000;
    }
    backoff_reset(&b);
    assert_true(backoff_next(&b) <= 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_that_name_their_predecessor_pass),
        cmocka_unit_test(a_gap_is_a_fork),
        cmocka_unit_test(a_beginning_that_claims_a_past_is_a_fork),
        cmocka_unit_test(time_that_does_not_rise_is_a_fork),
        cmocka_unit_test(a_foreign_synchronizer_is_refused),
        cmocka_unit_test(a_resume_begins_with_the_last_event_again),
        cmocka_unit_test(a_resume_with_another_event_is_a_fork),
        cmocka_unit_test(backoff_doubles_from_10_ms_to_10_s_with_jitter),
    };
    test_only();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
