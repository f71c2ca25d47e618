#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/deadline.h"
#include "mediator/dedup.h"

static void uuid_of(uint32_t n, uint8_t out[DEDUP_UUID_LEN])
{
    memset(out, 0, DEDUP_UUID_LEN);
    memcpy(out + 3, &n, sizeof(n));
}

static void a_uuid_is_burnt_up_to_its_expiry(void **state)
{
    struct dedup *d = dedup_open(10);
    uint8_t u[DEDUP_UUID_LEN], v[DEDUP_UUID_LEN];
    int64_t expires;

    (void)state;
    uuid_of(1, u);
    uuid_of(2, v);
    assert_false(dedup_is_burnt(d, u, 0, &expires));
    assert_true(dedup_burn(d, u, 100, 200, NULL));
    assert_true(dedup_is_burnt(d, u, 200, &expires));
    assert_int_equal(expires, 200);
    assert_false(dedup_is_burnt(d, u, 201, &expires));
    assert_false(dedup_is_burnt(d, v, 150, &expires));
    assert_true(dedup_burn(d, u, 201, 300, NULL));
    assert_true(dedup_is_burnt(d, u, 300, &expires));
    dedup_close(d);
}

static void a_full_set_forgets_the_oldest(void **state)
{
    struct dedup *d = dedup_open(100);
    uint8_t u[DEDUP_UUID_LEN];
    int64_t expires;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        uuid_of(i, u);
        assert_true(dedup_burn(d, u, i, 1000000, NULL));
        assert_true(dedup_count(d) <= 100);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        uuid_of(i, u);
        assert_int_equal(dedup_is_burnt(d, u, 1000, &expires), i >= 900);
    }
    dedup_close(d);
}

/* The property: the set answers as a list that is searched from its end does. */
static void any_sequence_of_requests_gives_what_a_list_gives(void **state)
{
    enum { N = 20000, KINDS = 700, MAX = 300 };
    static struct {
        uint32_t u;
        int64_t expires;
    } list[N];
    struct dedup *d = dedup_open(MAX);
    size_t n = 0, first = 0;
    int n_burnt = 0;

    (void)state;
    srand(7);
    for (int64_t ts = 1; ts <= N; ts++) {
        uint32_t u = (uint32_t)(rand() % KINDS);
        int64_t expires = 0, expect = 0;
        uint8_t uuid[DEDUP_UUID_LEN];
        uuid_of(u, uuid);
        while (first < n && list[first].expires < ts)
            first++;
        for (size_t i = n; i > first && expect == 0; i--)
            if (list[i - 1].u == u)
                expect = list[i - 1].expires >= ts ? list[i - 1].expires : -1;
        bool is_burnt = dedup_is_burnt(d, uuid, ts, &expires);
        assert_int_equal(is_burnt, expect > 0);
        if (is_burnt) {
            assert_int_equal(expires, expect);
            n_burnt++;
            continue;
        }
        if (n - first == MAX)
            first++;
        list[n].u = u;
        list[n++].expires = ts + 1 + rand() % 600;
        assert_true(dedup_burn(d, uuid, ts, list[n - 1].expires, NULL));
    }
    assert_true(n_burnt > 1000);
    dedup_close(d);
}

static void deadlines_come_out_in_order_and_only_when_passed(void **state)
{
    struct deadlines d = {0};
    struct deadline x, last = {.due_ts = INT64_MIN};
    int n = 0;

    (void)state;
    srand(3);
    assert_int_equal(deadlines_next(&d), INT64_MAX);
    for (int i = 0; i < 1000; i++)
        assert_true(deadlines_add(
            &d, (struct deadline){rand() % 50, rand() % 10, 0, DEADLINE_DECISION}, NULL));
    for (int64_t ts = 0; ts <= 50; ts++) {
        while (deadlines_pop(&d, ts, &x)) {
            assert_true(x.due_ts < ts);
            assert_true(x.due_ts > last.due_ts ||
                        (x.due_ts == last.due_ts && x.request_id >= last.request_id));
            last = x;
            n++;
        }
        assert_true(deadlines_next(&d) >= ts);
    }
    assert_int_equal(n, 1000);
    deadlines_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uuid_is_burnt_up_to_its_expiry),
        cmocka_unit_test(a_full_set_forgets_the_oldest),
        cmocka_unit_test(any_sequence_of_requests_gives_what_a_list_gives),
        cmocka_unit_test(deadlines_come_out_in_order_and_only_when_passed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
