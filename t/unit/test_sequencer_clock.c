/* The sequencer's clock, frontier and silence: properties over random runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "sequencer/clock.h"
#include "sequencer/frontier.h"

static void timestamps_rise_stay_in_their_class_and_near_the_clock(void **state)
{
    (void)state;
    for (int run = 0; run < 200; run++) {
        struct seq_clock c;
        int count = 1 + (int)random_below(31), index = (int)random_below((uint64_t)count);
        int64_t now = 1000000000, last = now;

        seq_clock_init(&c, index, count, now);
        for (int i = 0; i < 300; i++) {
            struct error err;
            int64_t first, promise;
            size_t n = 1 + (size_t)random_below(50);

            now += (int64_t)random_below(3000) - 1000; /* the clock steps back too */
            if (random_below(4) == 0)
                seq_clock_note(&c, last + (int64_t)random_below(100));
            int64_t floor = c.floor;
            if (!seq_clock_take(&c, now, n, &first, &err)) {
                assert_int_equal(err.code, ERR_OVERLOADED);
                now += 200000;
                continue;
            }
            assert_true(first > last && first > floor);
            assert_int_equal(first % count, index);
            last = first + (int64_t)(n - 1) * count;
            if (floor <= now)
                assert_true(last <= now + SEQ_CLOCK_AHEAD_US);
            promise = seq_clock_silence(&c, now);
            assert_true(promise > last);
            last = promise;
        }
    }
}

static void nodes_never_collide_on_a_frozen_clock(void **state)
{
    struct seq_clock c[3];
    int64_t seen[60];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        seq_clock_init(&c[i], i, 3, 5000);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3; i++) {
            assert_true(seq_clock_take(&c[i], 5000, 1, &seen[n], NULL));
            for (size_t k = 0; k < n; k++)
                assert_true(seen[k] != seen[n]);
            n++;
        }
    }
}

static void a_burst_is_answered_overloaded_not_sent_into_the_future(void **state)
{
    struct seq_clock c;
    struct error err;
    int64_t first;

    (void)state;
    seq_clock_init(&c, 3, 10, 1000000);
    assert_int_equal(seq_clock_room(&c, 1000000), 10000);
    assert_true(seq_clock_take(&c, 1000000, 10000, &first, &err));
    assert_false(seq_clock_take(&c, 1000000, 1, &first, &err));
    assert_int_equal(err.code, ERR_OVERLOADED);
    assert_true(seq_clock_take(&c, 1000010, 1, &first, &err));
}

static void time_creeps_when_the_log_is_ahead_of_the_clock(void **state)
{
    struct seq_clock c;
    int64_t first, ahead = 9000000000;

    (void)state;
    seq_clock_init(&c, 0, 10, ahead);
    for (int i = 0; i < 1000; i++) {
        int64_t before = c.last;
        assert_true(seq_clock_take(&c, 1000, seq_clock_room(&c, 1000), &first, NULL));
        assert_true(c.last <= before + SEQ_CLOCK_CREEP_US);
    }
}

static void following_a_peer_moves_the_promise_once(void **state)
{
    struct seq_clock c;
    int64_t first;

    (void)state;
    seq_clock_init(&c, 0, 10, 100);
    assert_true(seq_clock_follow(&c, 555));
    assert_false(seq_clock_follow(&c, 555));
    assert_true(seq_clock_take(&c, 200, 1, &first, NULL));
    assert_int_equal(first, 560);
}

static void slowest_online_node_holds_readers_back(void **state)
{
    struct frontier f = {.safe_ts = 40};
    struct watermark w[] = {{.ts = 50, .is_online = true}, {.ts = 40, .is_online = true}};

    (void)state;
    assert_false(frontier_advance(&f, w, 2));
    w[1].is_online = false;
    assert_true(frontier_advance(&f, w, 2));
    assert_int_equal(f.safe_ts, 50);
}

static void with_nobody_online_all_that_was_promised_is_readable(void **state)
{
    struct frontier f = {.safe_ts = 10};
    struct watermark w[] = {{.ts = 50}, {.ts = 40}};

    (void)state;
    assert_true(frontier_advance(&f, w, 2));
    assert_int_equal(f.safe_ts, 50);
}

static void a_joiner_below_the_frontier_never_moves_it_back(void **state)
{
    struct frontier f = {.safe_ts = 0};
    struct watermark w[] = {{.ts = 50, .is_online = true}, {.ts = 30, .is_online = true}};

    (void)state;
    assert_true(frontier_advance(&f, w, 1));
    assert_false(frontier_advance(&f, w, 2));
    assert_int_equal(f.safe_ts, 50);
}

static void only_a_foreign_watermark_makes_the_log_worth_reading(void **state)
{
    struct watermark w[] = {{.node_index = 1, .ts = 50, .is_online = true},
                            {.node_index = 2, .ts = 40}};

    (void)state;
    assert_false(frontier_others_moved(w, 2, 1, 40));
    assert_true(frontier_others_moved(w, 2, 1, 39));
    assert_int_equal(frontier_peers_ahead(w, 2, 1), INT64_MIN);
    assert_int_equal(frontier_peers_ahead(w, 2, 2), 50);
}

static void silence_counts_only_what_was_watched_without_a_gap(void **state)
{
    struct silence s = {0};
    struct watermark w = {.epoch = 1, .ts = 7, .is_online = true};
    int64_t t = 1000;

    (void)state;
    for (; t <= 1000000; t += 1000)
        assert_false(silence_look(&s, &w, t, 2000, 1000000));
    assert_true(silence_look(&s, &w, t, 2000, 1000000));
    w.ts++; /* a beat */
    assert_false(silence_look(&s, &w, t + 1000, 2000, 1000000));
    assert_false(silence_look(&s, &w, t + 9000000, 2000, 1000000)); /* the observer slept */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_rise_stay_in_their_class_and_near_the_clock),
        cmocka_unit_test(nodes_never_collide_on_a_frozen_clock),
        cmocka_unit_test(a_burst_is_answered_overloaded_not_sent_into_the_future),
        cmocka_unit_test(time_creeps_when_the_log_is_ahead_of_the_clock),
        cmocka_unit_test(following_a_peer_moves_the_promise_once),
        cmocka_unit_test(slowest_online_node_holds_readers_back),
        cmocka_unit_test(with_nobody_online_all_that_was_promised_is_readable),
        cmocka_unit_test(a_joiner_below_the_frontier_never_moves_it_back),
        cmocka_unit_test(only_a_foreign_watermark_makes_the_log_worth_reading),
        cmocka_unit_test(silence_counts_only_what_was_watched_without_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
