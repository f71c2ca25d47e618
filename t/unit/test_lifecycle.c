#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/lifecycle.h"

static void a_node_that_left_its_start_is_degraded_not_starting(void **state)
{
    struct lifecycle l;

    (void)state;
    lifecycle_init(&l, 5);
    assert_int_equal(l.state, NODE_STARTING);
    assert_true(lifecycle_move(&l, NODE_MIGRATING, "schema", 6));
    assert_true(lifecycle_move(&l, NODE_STARTING, "opening", 7));
    assert_true(lifecycle_move(&l, NODE_ACTIVE, "ignored", 8));
    assert_string_equal(l.reason, "");
    assert_true(lifecycle_move(&l, NODE_STARTING, "connection lost", 9));
    assert_int_equal(l.state, NODE_DEGRADED);
    assert_string_equal(l.reason, "connection lost");
    assert_int_equal(l.since_at, 9);
}

static void a_new_reason_is_no_change(void **state)
{
    struct lifecycle l;

    (void)state;
    lifecycle_init(&l, 0);
    assert_true(lifecycle_move(&l, NODE_DEGRADED, "a", 1));
    assert_false(lifecycle_move(&l, NODE_DEGRADED, "b", 2));
    assert_string_equal(l.reason, "b");
    assert_int_equal(l.since_at, 1);
}

static void failed_is_left_by_a_stop_alone_and_draining_by_nothing(void **state)
{
    struct lifecycle l;

    (void)state;
    lifecycle_init(&l, 0);
    assert_true(lifecycle_move(&l, NODE_FAILED, "fork", 1));
    for (int s = NODE_STARTING; s < NODE_STATE_N; s++)
        if (s != NODE_DRAINING)
            assert_false(lifecycle_move(&l, (enum node_state)s, "x", 2));
    assert_string_equal(l.reason, "fork");
    assert_true(lifecycle_move(&l, NODE_DRAINING, "stop", 3));
    for (int s = NODE_STARTING; s < NODE_STATE_N; s++)
        assert_false(lifecycle_move(&l, (enum node_state)s, "x", 4));
}

static void only_active_is_ready_and_only_failed_is_dead(void **state)
{
    (void)state;
    for (int s = NODE_STARTING; s < NODE_STATE_N; s++) {
        assert_int_equal(node_is_ready((enum node_state)s), s == NODE_ACTIVE);
        assert_int_equal(node_is_alive((enum node_state)s), s != NODE_FAILED);
        assert_string_not_equal(node_state_name((enum node_state)s), "unknown");
    }
    assert_string_equal(node_state_name(NODE_STATE_N), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_left_its_start_is_degraded_not_starting),
        cmocka_unit_test(a_new_reason_is_no_change),
        cmocka_unit_test(failed_is_left_by_a_stop_alone_and_draining_by_nothing),
        cmocka_unit_test(only_active_is_ready_and_only_failed_is_dead),
    };

    return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
