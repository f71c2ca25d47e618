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
    int64_t start = 0;

    (void)state;
    rig_open(&r);
    replica_open(&r, 0, NULL);
    replica_await_active(&r, 0);
    participant_onboard(&r, 0, &alice, "alice");
    session_open(&r, 0, &alice, &a);
    struct letter l = {.message_id = "m", .content = "hello", .recipients = {alice.member}};
    struct feed *f = feed_open(&a, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t t = clock_mono_us();
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
    replica_stop(&r, 0);
    replica_open(&r, 0, NULL); /* its database, with a claim of our own */
    int index = 0;
    for (; index < 10; index++) {
        if (node_store_claim(r.replicas[0].db, index, NULL, 0, &c, &e))
            break;
    }
    must(node_store_start(r.replicas[0].db, &c, 0, &start, &e), &e);
    struct buffer frame = letter_build(&a, &l), body = BUFFER_INIT;
    struct entry_parts parts = {.body = buffer_bytes(&frame)};
    entry_build(&parts, &body);
    for (int i = 0; i < ROUNDS; i++) {
        struct log_row row = {start += 10, ENTRY_TICK, 0, buffer_bytes(&body)};
        int64_t t = clock_mono_us();
        must(log_store_append(r.replicas[0].db, &c, &row, 1, US_PER_S, &e), &e);
        commit[i] = clock_mono_us() - t;
    }
    buffer_free(&body);
    buffer_free(&frame);
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
