#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/outbox.h"

static struct decision *decision_make(int64_t request_id, bool is_sender)
{
    struct decision *d = calloc(1, sizeof(*d));

    d->request_id = request_id;
    d->outcome = OUTCOME_APPROVED;
    d->decided_ts = request_id + 5;
    d->decision_ts = request_id + 100;
    d->is_sender = is_sender;
    buffer_append_str(&d->content, "verdict");
    return d;
}

/* Takes everything and checks how much it is; the rows are written unless is_back. */
static void take(struct outbox *o, size_t expect, bool is_back)
{
    struct outbox_row *rows;
    size_t n;

    assert_true(outbox_take(o, &rows, &n, NULL));
    assert_int_equal(n, expect);
    free(rows);
    if (is_back)
        outbox_give_back(o);
    else
        outbox_written(o);
}

static void nothing_is_sent_before_its_row_is_written(void **state)
{
    struct outbox *o = outbox_open();

    (void)state;
    assert_true(outbox_decided(o, 15, decision_make(10, true), NULL, NULL));
    assert_null(outbox_next_send(o));
    assert_int_equal(outbox_retry(o, true), 0);
    take(o, 1, true);
    assert_null(outbox_next_send(o));
    take(o, 1, false);
    assert_int_equal(outbox_next_send(o)->request_id, 10);
    assert_null(outbox_next_send(o));
    assert_int_equal(outbox_n_in_flight(o), 1);
    outbox_close(o);
}

static void observers_write_and_do_not_send(void **state)
{
    struct outbox *o = outbox_open();

    (void)state;
    assert_true(outbox_decided(o, 15, decision_make(10, false), NULL, NULL));
    take(o, 1, false);
    assert_null(outbox_next_send(o));
    assert_int_equal(outbox_n_unsettled(o), 0);
    outbox_close(o);
}

static void a_failed_send_is_sent_again_and_an_accepted_one_after_a_take_over(void **state)
{
    struct outbox *o = outbox_open();

    (void)state;
    assert_true(outbox_decided(o, 15, decision_make(10, true), NULL, NULL));
    take(o, 1, false);
    assert_non_null(outbox_next_send(o));
    assert_true(outbox_sent(o, 10, 0, false, NULL));
    assert_null(outbox_next_send(o));
    assert_int_equal(outbox_retry(o, false), 1);
    assert_non_null(outbox_next_send(o));
    assert_true(outbox_sent(o, 10, 0, true, NULL));
    assert_int_equal(outbox_retry(o, false), 0);
    assert_false(outbox_is_urgent(o)); /* the state alone */
    assert_int_equal(outbox_n_items(o), 1);
    assert_int_equal(outbox_retry(o, true), 1);
    assert_true(outbox_settled(o, 20, 10, 0, VERDICT_SEQUENCED, NULL));
    assert_null(outbox_next_send(o));
    assert_int_equal(outbox_n_items(o), 1); /* sent and sequenced are one row */
    take(o, 1, false);
    assert_int_equal(outbox_n_unsettled(o), 0);
    outbox_close(o);
}

static void a_passive_drops_what_is_stored_and_keeps_what_is_not(void **state)
{
    struct outbox *o = outbox_open();
    struct outbox_row *rows;
    size_t n;

    (void)state;
    assert_true(outbox_topology(o, 5, 0, bytes_str("tx"), NULL));
    assert_true(outbox_decided(o, 15, decision_make(10, true), NULL, NULL));
    assert_true(outbox_decided(o, 16, decision_make(11, true), NULL, NULL));
    assert_true(outbox_settled(o, 20, 10, 0, VERDICT_SEQUENCED, NULL));
    outbox_forget(o, 15);
    assert_true(outbox_take(o, &rows, &n, NULL));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].kind,
                     ROW_STATE); /* the verdict is stored, that it is sequenced is not */
    assert_int_equal(rows[0].request_id, 10);
    assert_int_equal(rows[0].state, VERDICT_SEQUENCED);
    assert_int_equal(rows[1].kind, ROW_VERDICT);
    assert_int_equal(rows[1].request_id, 11);
    free(rows);
    outbox_give_back(o);
    outbox_forget(o, 20);
    assert_int_equal(outbox_n_items(o), 0);
    assert_int_equal(outbox_retry(o, true), 1); /* 11, stored by the one before, not sequenced */
    assert_int_equal(outbox_next_send(o)->request_id, 11);
    outbox_close(o);
}

static void one_write_names_a_verdict_once(void **state)
{
    struct outbox *o = outbox_open();
    struct outbox_row *rows;
    size_t n;

    (void)state;
    assert_true(outbox_decided(o, 15, decision_make(10, true), NULL, NULL));
    assert_true(outbox_take(o, &rows, &n, NULL));
    free(rows);
    assert_true(outbox_settled(o, 20, 10, 0, VERDICT_EXPIRED, NULL)); /* while the write is out */
    outbox_give_back(o);
    assert_true(outbox_take(o, &rows, &n, NULL));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].kind, ROW_VERDICT);
    assert_int_equal(rows[0].state, VERDICT_EXPIRED);
    free(rows);
    outbox_written(o);
    assert_null(outbox_next_send(o));
    outbox_close(o);
}

static void a_row_that_is_there_wins(void **state)
{
    struct outbox *o = outbox_open();
    struct decision *d = decision_make(10, true), *purged = decision_make(11, false);
    bool differs;

    (void)state;
    assert_true(outbox_restore(o, VERDICT_SENT, &d, &differs, NULL));
    assert_null(d);
    purged->outcome = OUTCOME_PURGED;
    assert_true(outbox_restore(o, VERDICT_SILENT, &purged, &differs, NULL));
    d = decision_make(10, true);
    buffer_append_str(&d->content, "!");
    assert_true(outbox_decided(o, 15, d, &differs, NULL));
    assert_true(differs);
    assert_true(outbox_decided(o, 16, decision_make(11, true), &differs, NULL));
    assert_false(differs);
    assert_int_equal(outbox_n_items(o), 0);
    assert_int_equal(outbox_retry(o, true), 1);
    assert_int_equal(outbox_next_send(o)->content.len, strlen("verdict"));
    outbox_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_before_its_row_is_written),
        cmocka_unit_test(observers_write_and_do_not_send),
        cmocka_unit_test(a_failed_send_is_sent_again_and_an_accepted_one_after_a_take_over),
        cmocka_unit_test(a_passive_drops_what_is_stored_and_keeps_what_is_not),
        cmocka_unit_test(one_write_names_a_verdict_once),
        cmocka_unit_test(a_row_that_is_there_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
