/* test_lease.c: taking, renewing, taking over, settling, releasing. */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "storage/lease.h"

#define EXPIRY_US (400 * US_PER_MS)
#define POLL_US   (100 * US_PER_MS)

static struct db *db_a, *db_b;
static struct lease *a, *b;
static int serial;

static int open_two(void **state)
{
    char name[32];
    struct error e;

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial++);
    db_a = engine_open();
    db_b = engine_open();
    assert_done(lease_open(db_a, name, EXPIRY_US, POLL_US, &a, &e));
    assert_done(lease_open(db_b, name, EXPIRY_US, POLL_US, &b, &e));
    return 0;
}

static int close_two(void **state)
{
    (void)state;
    lease_close(a);
    lease_close(b);
    db_close(db_a);
    db_close(db_b);
    return 0;
}

static enum lease_change step(struct lease *l)
{
    enum lease_change change;
    struct error e;

    assert_done(lease_step(l, &change, &e));
    return change;
}

/* The runner's beat. */
static void pause_poll(void)
{
    const struct timespec t = {0, (long)POLL_US * 1000};

    while (nanosleep(&t, NULL) == -1 && errno == EINTR)
        ;
}

/* Steps b at the poll interval until it wins; returns how long that took. */
static int64_t until_b_wins(bool does_a_renew, int64_t limit_us)
{
    const int64_t start = clock_mono_us();

    while (step(b) != LEASE_WON) {
        if (clock_mono_us() - start > limit_us)
            return -1;
        if (does_a_renew)
            assert_int_equal(step(a), LEASE_SAME);
        pause_poll();
    }
    return clock_mono_us() - start;
}

static bool write_under(struct db *db, const struct fence *f, const char *name, struct error *e)
{
    const struct value v[] = {value_text(name), value_i64(f->epoch), fence_holder(f), value_i64(1),
                              value_i64(7)};
    int64_t written = -1;

    const bool ok = db_fenced(db, "t_value_fenced", v, 5, NULL, 0, 0, &written, e);
    if (ok)
        assert_int_equal(written, 0); /* held, and no such row: that is no fencing */
    return ok;
}

static void the_first_wins_and_the_second_waits(void **state)
{
    struct fence f;

    (void)state;
    assert_false(lease_may_act(a));
    assert_int_equal(step(a), LEASE_WON);
    assert_true(lease_held(a, &f));
    assert_true(f.epoch > 0);
    assert_true(lease_may_act(a));
    assert_int_equal(step(b), LEASE_SAME);
    assert_false(lease_held(b, NULL));
    assert_int_equal(step(a), LEASE_SAME);
}

static void a_live_holder_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(step(a), LEASE_WON);
    assert_int_equal(until_b_wins(true, 3 * EXPIRY_US), -1);
}

static void a_silent_holder_is_replaced_and_fenced(void **state)
{
    struct fence old, now;
    struct error e;
    char name[32];

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial - 1);
    assert_int_equal(step(a), LEASE_WON);
    assert_true(lease_held(a, &old));
    assert_done(write_under(db_a, &old, name, &e));
    const int64_t took = until_b_wins(false, 10 * EXPIRY_US);
    assert_true(took >= EXPIRY_US - POLL_US);
    assert_true(lease_held(b, &now));
    assert_true(now.epoch > old.epoch);
    assert_memory_not_equal(now.holder, old.holder, HOLDER_LEN);
    assert_false(lease_may_act(a));
    assert_false(write_under(db_a, &old, name, &e));
    assert_code(&e, ERR_FENCED);
    assert_done(write_under(db_b, &now, name, &e));
    assert_int_equal(step(a), LEASE_LOST);
    assert_false(lease_held(a, NULL));
}

static void a_released_lease_is_taken_at_once(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(step(a), LEASE_WON);
    assert_int_equal(step(b), LEASE_SAME);
    assert_done(lease_release(a, &e));
    assert_int_equal(step(b), LEASE_WON);
    assert_int_equal(step(a), LEASE_SAME);
}

static void evidence_is_not_waited_for(void **state)
{
    (void)state;
    assert_int_equal(step(a), LEASE_WON);
    assert_int_equal(step(b), LEASE_SAME);
    lease_suspect(b);
    assert_int_equal(step(b), LEASE_WON);
    assert_int_equal(step(a), LEASE_LOST);
}

static void settling_moves_the_own_epoch(void **state)
{
    struct fence old, now;
    struct error e;
    char name[32];

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial - 1);
    assert_int_equal(step(a), LEASE_WON);
    assert_true(lease_held(a, &old));
    assert_done(lease_settle(a, &now, &e));
    assert_int_equal(now.epoch, old.epoch + 1);
    assert_false(write_under(db_a, &old, name, &e)); /* the lost write can never come through */
    assert_code(&e, ERR_FENCED);
    assert_done(write_under(db_a, &now, name, &e));
    assert_int_equal(step(a), LEASE_SAME); /* and the beat goes on under the new one */
    lease_suspect(b);
    assert_int_equal(step(b), LEASE_WON);
    assert_false(lease_settle(a, &now, &e));
    assert_code(&e, ERR_FENCED);
}

static void a_short_expiry_is_refused(void **state)
{
    struct lease *l;
    struct error e;

    (void)state;
    assert_false(lease_open(db_a, "x", 300 * US_PER_MS, 250 * US_PER_MS, &l, &e));
    assert_code(&e, ERR_CONFIG);
    assert_false(lease_open(db_a, "", 0, 0, &l, &e));
    assert_code(&e, ERR_CONFIG);
}

int lease_tests_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_wins_and_the_second_waits, open_two, close_two),
        cmocka_unit_test_setup_teardown(a_live_holder_is_left_alone, open_two, close_two),
        cmocka_unit_test_setup_teardown(a_silent_holder_is_replaced_and_fenced, open_two,
                                        close_two),
        cmocka_unit_test_setup_teardown(a_released_lease_is_taken_at_once, open_two, close_two),
        cmocka_unit_test_setup_teardown(evidence_is_not_waited_for, open_two, close_two),
        cmocka_unit_test_setup_teardown(settling_moves_the_own_epoch, open_two, close_two),
        cmocka_unit_test_setup_teardown(a_short_expiry_is_refused, open_two, close_two),
    };

    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
