/* bench_sequencer.c: durable SendAsync of one client beside the floor of the same run: one fenced
 * commit and one empty RPC. Not a test. One line of JSON a figure. */
#include "t/sequencer/harness.h"

#include "sequencer/entry.h"
#include "sequencer/node_store.h"
#include "sequencer_api_v30.pb-c.h"

#define ROUNDS 300

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static double median_us(int64_t *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return (double)v[ROUNDS / 2];
}

/* Sent at one replica, read at another: how long two nodes hold each other up. */
static void across_replicas(struct rig *r, const struct session *a, const struct letter *l)
{
    static int64_t deliver[ROUNDS];
    struct session other;

    replica_open(r, 1, NULL);
    replica_await_active(r, 1);
    session_open(r, 1, a->node, &other);
    struct feed *f = feed_open(&other, NULL);
    for (int i = 0; i < 2 * ROUNDS; i++) { /* the first half are old events, and warm up */
        int64_t t = clock_mono_us();
        if (i >= ROUNDS)
            letter_send_ok(a, l);
        for (bool found = false; !found;) {
            struct event ev = feed_next(f);
            found = ev.message_id != NULL;
            event_free(&ev);
        }
        if (i >= ROUNDS)
            deliver[i - ROUNDS] = clock_mono_us() - t;
    }
    feed_close(f);
    replica_stop(r, 1);
    printf("{\"name\":\"send-to-event-at-another-replica-median\",\"value\":%.0f,"
           "\"unit\":\"us\"}\n",
           median_us(deliver));
}

static void figures(void **state)
{
    static int64_t send[ROUNDS], commit[ROUNDS], rpc[ROUNDS], deliver[ROUNDS];
    Seq__GetTimeRequest ask = SEQ__GET_TIME_REQUEST__INIT;
    Seq__SendAsyncRequest m = SEQ__SEND_ASYNC_REQUEST__INIT;
    struct node_claim c;
    struct session a;
    struct node alice;
    struct error e;
    struct rig r;

    (void)state;
    rig_open(&r);
    replica_open(&r, 0, NULL);
    replica_await_active(&r, 0);
    participant_onboard(&r, 0, &alice, "alice");
    session_open(&r, 0, &alice, &a);
    struct letter l = {.message_id = "m", .content = "hello", .recipients = {alice.member}};
    struct feed *f = feed_open(&a, NULL);
    struct rig beside = r; /* the floor's tables are its own, in the same database */
    beside.schema = 1000;
    struct db *db = rig_db(&beside);
    must(node_store_claim(db, 0, NULL, clock_now_us(), &c, &e), &e);
    struct buffer one = letter_build(&a, &l);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t t = clock_mono_us();
        struct log_row row = {clock_now_us(), ENTRY_TICK, 0, buffer_bytes(&one)};
        must(log_store_append(db, &c, &row, 1, US_PER_S, &e), &e);
        commit[i] = clock_mono_us() - t;
        t = clock_mono_us();
        rpc_result_free(session_call(&a, "SequencerService/GetTime", &ask));
        rpc[i] = clock_mono_us() - t;
        struct buffer frame = letter_build(&a, &l);
        m.signed_submission_request = (ProtobufCBinaryData){frame.len, frame.data};
        t = clock_mono_us();
        struct rpc_result *sent = session_call(&a, "SequencerService/SendAsync", &m);
        send[i] = clock_mono_us() - t;
        assert_int_equal(sent->code, RPC_OK);
        rpc_result_free(sent);
        buffer_free(&frame);
        for (bool found = false; !found;) {
            struct event ev = feed_next(f);
            found = ev.message_id != NULL;
            event_free(&ev);
        }
        deliver[i] = clock_mono_us() - t;
    }
    feed_close(f);
    if (getenv("LS_TEST_ENGINE") && strcmp(getenv("LS_TEST_ENGINE"), "postgresql") == 0)
        across_replicas(&r, &a, &l);
    replica_stop(&r, 0);
    buffer_free(&one);
    db_close(db);
    double floor_us = median_us(commit) + median_us(rpc), send_us = median_us(send);
    printf("{\"name\":\"send-async-median\",\"value\":%.0f,\"unit\":\"us\"}\n", send_us);
    printf("{\"name\":\"commit-median\",\"value\":%.0f,\"unit\":\"us\"}\n", median_us(commit));
    printf("{\"name\":\"empty-rpc-median\",\"value\":%.0f,\"unit\":\"us\"}\n", median_us(rpc));
    printf("{\"name\":\"send-async-over-floor\",\"value\":%.2f,\"unit\":\"ratio\",\"bound\":1.5,"
           "\"held\":%s}\n",
           send_us / floor_us, send_us <= 1.5 * floor_us ? "true" : "false");
    printf("{\"name\":\"send-to-receipt-median\",\"value\":%.0f,\"unit\":\"us\"}\n",
           median_us(deliver));
    node_close(&alice);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
