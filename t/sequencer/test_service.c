/* test_service.c: one sequencer on a real database, over gRPC. */
#include "t/sequencer/harness.h"

#include "connection_v30.pb-c.h"
#include "sequencer_api_v30.pb-c.h"
#include "wire/precheck.h"

static void free_event(struct event e)
{
    event_free(&e);
}

static void a_member_joins_sends_and_reads_its_own_receipt(void **state)
{
    struct rig r;
    struct node alice;
    struct session a;

    (void)state;
    rig_open(&r);
    replica_open(&r, 0, NULL);
    replica_await_active(&r, 0);
    participant_onboard(&r, 0, &alice, "alice");
    session_open(&r, 0, &alice, &a);
    struct feed *f = feed_open(&a, NULL);
    letter_send_ok(&a, &(struct letter){.message_id = "tick-1"});
    struct event e;
    for (;;) { /* broadcasts of the onboarding's tick may come first */
        e = feed_next(f);
        if (e.message_id)
            break;
        event_free(&e);
    }
    assert_string_equal(e.message_id, "tick-1");
    assert_int_equal(e.batch.n, 0);
    assert_false(e.is_error);
    event_free(&e);
    feed_close(f);
    node_close(&alice);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_joins_sends_and_reads_its_own_receipt),
    };
    (void)free_event;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
