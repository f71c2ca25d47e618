#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/bench_load.h"

static struct histogram h;

static int clear(void **state)
{
    (void)state;
    h = (struct histogram){0};
    return 0;
}

static void an_empty_histogram_has_no_quantiles(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
}

static void quantiles_are_right_to_two_percent(void **state)
{
    (void)state;
    for (int64_t us = 1; us <= 100000; us++)
        histogram_add(&h, us);
    for (int q = 1; q <= 100; q++) {
        int64_t is = histogram_quantile(&h, q / 100.0), want = q * 1000;
        assert_true(is >= want && is <= want + want / 32);
    }
    assert_int_equal(histogram_quantile(&h, 1.0), 100000);
}

static void any_value_has_a_place(void **state)
{
    (void)state;
    histogram_add(&h, -5);
    histogram_add(&h, 0);
    histogram_add(&h, INT64_MAX);
    assert_int_equal(h.n, 3);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_true(histogram_quantile(&h, 1.0) > 3600LL * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_histogram_has_no_quantiles, clear),
        cmocka_unit_test_setup(quantiles_are_right_to_two_percent, clear),
        cmocka_unit_test_setup(any_value_has_a_place, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
