/* test_wire_messages.c: what envelopes carry, beside trees: responses, results and rejections of
 * t/vectors/informee-tree.json, and the rules they keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors.h"
#include "wire/messages.h"

#define HEX32(x) x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define NS       "::1220" HEX32("ab")
#define ALICE    "alice" NS
#define BOB      "bob" NS
#define PSID     "lockstep" NS "::35-0"
#define T0       1767225600000000

static json_t *vectors;

static void assert_hex(const struct hash *h, const json_t *object, const char *key)
{
    char text[HASH_HEX_SIZE];

    hash_hex(h, text);
    assert_string_equal(text, vectors_str(object, key));
}

static void signed_messages_are_byte_for_byte_as_listed(void **state)
{
    const json_t *v = json_array_get(json_object_get(vectors, "signed_messages"), 0);
    struct buffer typed = vectors_hex(v, "typed_content"), out = BUFFER_INIT;
    struct message m;
    struct hash h;
    struct error err;

    (void)state;
    assert_true(message_parse(buffer_bytes(&typed), true, &m, &err));
    assert_int_equal(m.kind, MESSAGE_RESPONSES);
    assert_int_equal(m.as.responses.request_id, T0 + 1000000);
    assert_string_equal(m.as.responses.sender, "PAR::participant1" NS);
    assert_int_equal(m.as.responses.n, 1);
    assert_int_equal(m.as.responses.responses[0].verdict, LOCAL_APPROVE);
    assert_string_equal(m.as.responses.responses[0].parties[0], ALICE);
    assert_true(confirmation_responses_build(&m.as.responses, &out, &err));
    assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&typed)));
    assert_true(message_hash(buffer_bytes(&out), &h, &err));
    assert_hex(&h, v, "hash_to_sign");
    message_free(&m);
    buffer_free(&typed);
    buffer_clear(&out);
    v = json_array_get(json_object_get(vectors, "signed_messages"), 1);
    typed = vectors_hex(v, "typed_content");
    assert_true(message_parse(buffer_bytes(&typed), true, &m, &err));
    assert_int_equal(m.kind, MESSAGE_RESULT);
    assert_int_equal(m.as.result.verdict.kind, VERDICT_APPROVE);
    assert_true(confirmation_result_build(&m.as.result, &out, &err));
    assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&typed)));
    assert_true(message_hash(buffer_bytes(&out), &h, &err));
    assert_hex(&h, v, "hash_to_sign");
    message_free(&m);
    buffer_free(&typed);
    buffer_free(&out);
}

static void mediator_rejections_are_byte_for_byte_as_listed(void **state)
{
    static const struct status_meta meta = {"unresponsiveParties", ALICE};
    size_t i;
    json_t *v;

    (void)state;
    json_array_foreach(json_object_get(vectors, "mediator_rejects"), i, v)
    {
        struct buffer status = vectors_hex(v, "status"), typed = vectors_hex(v, "typed_content");
        struct buffer own = BUFFER_INIT, out = BUFFER_INIT;
        struct wire_status s;
        struct message m;
        struct hash h;
        struct error err;

        if (i == 0)
            assert_true(wire_status_make(STATUS_TX_TIMED_OUT, NULL, &meta, 1,
                                         "Rejected transaction as the mediator did not receive "
                                         "sufficient confirmations within the expected timeframe.",
                                         &s, &err));
        else
            assert_true(
                wire_status_make(STATUS_MEDIATOR_MALFORMED, NULL, NULL, 0, "secret", &s, &err));
        assert_true(wire_status_build(&s, &own, &err));
        assert_true(bytes_equal(buffer_bytes(&own), buffer_bytes(&status)));
        assert_true(message_parse(buffer_bytes(&typed), true, &m, &err));
        assert_int_equal(m.as.result.verdict.kind, VERDICT_MEDIATOR_REJECT);
        assert_int_equal(m.as.result.verdict.is_malformed, i == 1);
        assert_true(bytes_equal(buffer_bytes(&m.as.result.verdict.reason), buffer_bytes(&status)));
        assert_true(confirmation_result_build(&m.as.result, &out, &err));
        assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&typed)));
        assert_true(message_hash(buffer_bytes(&out), &h, &err));
        assert_hex(&h, v, "hash_to_sign");
        message_free(&m);
        wire_status_free(&s);
        buffer_free(&own);
        buffer_free(&out);
        buffer_free(&status);
        buffer_free(&typed);
    }
}

static void responses_and_verdicts_keep_their_invariants(void **state)
{
    char *parties[] = {(char *)(uintptr_t)BOB, (char *)(uintptr_t)ALICE, (char *)(uintptr_t)BOB};
    struct confirmation_response r = {.verdict = LOCAL_REJECT, .parties = parties, .n_parties = 3};
    struct confirmation_responses m = {.psid = (char *)(uintptr_t)PSID,
                                       .sender = (char *)(uintptr_t)("PAR::p" NS),
                                       .responses = &r,
                                       .n = 1};
    struct rejection_reason reason = {.verdict = LOCAL_APPROVE,
                                      .participant = (char *)(uintptr_t)("PAR::p" NS)};
    struct confirmation_result result = {.psid = (char *)(uintptr_t)PSID,
                                         .view_type = VIEW_TYPE_TRANSACTION,
                                         .verdict = {.kind = VERDICT_PARTICIPANT_REJECT}};
    struct buffer out = BUFFER_INIT;
    struct verdict copy;
    struct message back;
    struct error err;

    (void)state;
    m.root.b[0] = result.root.b[0] = 0x12;
    m.root.b[1] = result.root.b[1] = 0x20;
    assert_false(confirmation_responses_build(&m, &out, &err)); /* no position */
    assert_true(view_position_parse(bytes_of("\x0a\x04\x0a\x02\x01\x00", 6), &r.position, &err));
    r.has_position = true;
    assert_true(confirmation_responses_build(&m, &out, &err));
    assert_true(message_parse(buffer_bytes(&out), true, &back, &err));
    assert_int_equal(back.as.responses.responses[0].n_parties, 2); /* sorted and distinct */
    assert_string_equal(back.as.responses.responses[0].parties[0], ALICE);
    assert_true(view_position_equal(&back.as.responses.responses[0].position, &r.position));
    message_free(&back);
    r.verdict = LOCAL_MALFORMED;
    assert_false(confirmation_responses_build(&m, &out, &err)); /* parties */
    r.n_parties = 0;
    r.has_position = false;
    assert_true(confirmation_responses_build(&m, &out, &err));
    r.verdict = LOCAL_APPROVE;
    assert_false(confirmation_responses_build(&m, &out, &err)); /* no parties */
    m.n = 0;
    assert_false(confirmation_responses_build(&m, &out, &err));
    buffer_clear(&out);
    assert_false(confirmation_result_build(&result, &out, &err)); /* no reasons */
    result.verdict.reasons = &reason;
    result.verdict.n_reasons = 1;
    assert_false(confirmation_result_build(&result, &out, &err)); /* of an approval */
    reason.verdict = LOCAL_ABSTAIN;
    assert_true(confirmation_result_build(&result, &out, &err));
    assert_true(message_parse(buffer_bytes(&out), true, &back, &err));
    assert_int_equal(back.as.result.verdict.reasons[0].verdict, LOCAL_ABSTAIN);
    assert_true(confirmation_verdict_copy(&copy, &back.as.result.verdict, &err));
    message_free(&back);
    assert_string_equal(copy.reasons[0].participant, "PAR::p" NS);
    confirmation_verdict_free(&copy);
    result.verdict = (struct verdict){.kind = VERDICT_MEDIATOR_REJECT};
    assert_false(confirmation_result_build(&result, &out, &err)); /* code OK */
    result.verdict.kind = VERDICT_APPROVE;
    result.view_type = 0;
    assert_false(confirmation_result_build(&result, &out, &err));
    view_position_free(&r.position);
    buffer_free(&out);
}

static void broadcasts_open_and_one_bad_transaction_spoils_all(void **state)
{
    struct bytes bad = bytes_of("\x0a\x00\x10\x1e", 4);
    struct buffer out = BUFFER_INIT;
    struct message m;
    struct error err;

    (void)state;
    assert_true(topology_broadcast_build(PSID, NULL, 0, &out, &err));
    assert_true(message_parse(buffer_bytes(&out), false, &m, &err));
    assert_int_equal(m.kind, MESSAGE_TOPOLOGY);
    assert_int_equal(m.as.topology.n, 0);
    assert_string_equal(m.as.topology.psid, PSID);
    message_free(&m);
    buffer_clear(&out);
    assert_true(topology_broadcast_build(PSID, &bad, 1, &out, &err));
    assert_false(message_parse(buffer_bytes(&out), false, &m, &err));
    assert_false(message_parse(bytes_of("\x0a\x00\x10\x1f", 4), false, &m, &err)); /* nothing */
    buffer_free(&out);
}

static void a_root_hash_tree_has_two_recipients_and_no_children(void **state)
{
    const char *good[] = {"PAR::p::x", "MGR::0"}, *more[] = {"PAR::p::x", "PAR::q::x", "MGR::0"};
    struct recipients r = {0};
    const char *participant;

    (void)state;
    assert_true(recipients_add(&r, 0, good, 2, NULL));
    assert_true(recipients_add(&r, 0, more, 3, NULL));
    assert_true(recipients_add(&r, 0, more, 2, NULL));
    assert_true(recipients_add(&r, 0, good, 2, NULL));
    assert_true(recipients_add(&r, 1, good, 1, NULL));
    assert_true(root_hash_tree_ok(&r, 0, 0, &participant));
    assert_string_equal(participant, "PAR::p::x");
    assert_false(root_hash_tree_ok(&r, 0, 1, &participant)); /* another group */
    assert_false(root_hash_tree_ok(&r, 1, 0, &participant)); /* three */
    assert_false(root_hash_tree_ok(&r, 2, 0, &participant)); /* no group */
    assert_false(root_hash_tree_ok(&r, 3, 0, &participant)); /* a child */
    recipients_free(&r);
}

static void statuses_are_sorted_cut_and_bounded(void **state)
{
    struct buffer text = BUFFER_INIT, value = BUFFER_INIT, out = BUFFER_INIT;
    struct status_meta meta[] = {{"long", NULL}, {"k", "v"}, {"", "x"}, {"empty", ""}};
    struct wire_status s;
    struct error err;
    char *found;

    (void)state;
    for (int i = 0; i < 600; i++)
        buffer_append_str(&text, "\xc3\xa9");
    for (int i = 0; i < 9000; i++)
        buffer_append_byte(&value, (uint8_t)('a' + i % 26));
    meta[0].value = buffer_cstr(&value);
    assert_true(wire_status_make(STATUS_SEQUENCER_OVERLOADED, "0123456789abcdef", meta, 4,
                                 buffer_cstr(&text), &s, &err));
    assert_int_equal(s.code, 10);
    assert_memory_equal(s.message, "SEQUENCER_OVERLOADED(2,01234567): ", 34);
    assert_int_equal(strlen(s.message), 34 + 1024 + 3); /* 512 characters of two bytes, "..." */
    assert_true(wire_status_is_retryable(&s));
    assert_true(wire_status_build(&s, &out, &err));
    assert_true(out.len <= 4096 && out.len > 4000);
    found = wire_status_reason(&s);
    assert_string_equal(found, "SEQUENCER_OVERLOADED");
    free(found);
    found = wire_status_meta(&s, "tid");
    assert_string_equal(found, "0123456789abcdef");
    free(found);
    assert_null(wire_status_meta(&s, "empty"));
    found = wire_status_meta(&s, "long");
    assert_non_null(found);
    assert_string_equal(found + strlen(found) - 3, "...");
    free(found);
    wire_status_free(&s);
    assert_true(wire_status_make_event(STATUS_AGGREGATE_ALREADY_SENT_NOW, "already", &s, &err));
    assert_int_equal(s.code, 6);
    assert_string_equal(s.message, "SEQUENCER_AGGREGATE_SUBMISSION_ALREADY_SENT(10,0): already");
    found = wire_status_meta(&s, "category");
    assert_string_equal(found, "10");
    free(found);
    found = wire_status_meta(&s, "definite_answer");
    assert_string_equal(found, "true");
    free(found);
    assert_false(wire_status_is_retryable(&s));
    wire_status_free(&s);
    buffer_free(&text);
    buffer_free(&value);
    buffer_free(&out);
}

/* The builder refuses what is wrong; so it is put right into the bytes. */
static void what_breaks_an_invariant_does_not_parse(void **state)
{
    char *parties[] = {(char *)(uintptr_t)ALICE};
    struct confirmation_response r = {.verdict = LOCAL_REJECT, .parties = parties, .n_parties = 1};
    struct confirmation_responses m = {.psid = (char *)(uintptr_t)PSID,
                                       .sender = (char *)(uintptr_t)("PAR::p" NS),
                                       .responses = &r,
                                       .n = 1};
    static const uint8_t verdicts[] = {LOCAL_MALFORMED, 0, 5, LOCAL_ABSTAIN};
    struct buffer out = BUFFER_INIT;
    struct message back;
    struct error err;
    uint8_t *at;

    (void)state;
    m.root.b[0] = 0x12;
    m.root.b[1] = 0x20;
    r.has_position = true;
    assert_true(view_position_parse(bytes_of("\x0a\x00", 2), &r.position, &err));
    assert_true(confirmation_responses_build(&m, &out, &err));
    at = memmem(out.data, out.len, "\x0a\x04\x08\x02\x12\x00", 6); /* LocalVerdict */
    assert_non_null(at);
    for (size_t i = 0; i < sizeof(verdicts); i++) {
        bool ok;

        at[3] = verdicts[i];
        ok = message_parse(buffer_bytes(&out), true, &back, &err);
        assert_int_equal(ok, i == 3);
        if (ok)
            message_free(&back);
    }
    at[4] = 0x1a; /* no reason any more, an unknown field in its place */
    assert_false(message_parse(buffer_bytes(&out), true, &back, &err));
    buffer_clear(&out);
    r.verdict = LOCAL_MALFORMED;
    r.n_parties = 0;
    assert_true(confirmation_responses_build(&m, &out, &err));
    at = memmem(out.data, out.len, "\x0a\x04\x08\x03\x12\x00", 6);
    assert_non_null(at);
    at[3] = LOCAL_APPROVE;
    assert_false(message_parse(buffer_bytes(&out), true, &back, &err)); /* nobody approves */
    at[3] = LOCAL_MALFORMED;
    at = memmem(out.data, out.len, "PAR::p", 6);
    memcpy(at, "MED::p", 6);
    assert_false(message_parse(buffer_bytes(&out), true, &back, &err)); /* no participant */
    view_position_free(&r.position);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_messages_are_byte_for_byte_as_listed),
        cmocka_unit_test(mediator_rejections_are_byte_for_byte_as_listed),
        cmocka_unit_test(responses_and_verdicts_keep_their_invariants),
        cmocka_unit_test(broadcasts_open_and_one_bad_transaction_spoils_all),
        cmocka_unit_test(a_root_hash_tree_has_two_recipients_and_no_children),
        cmocka_unit_test(statuses_are_sorted_cut_and_bounded),
        cmocka_unit_test(what_breaks_an_invariant_does_not_parse),
    };
    int failed;

    vectors = vectors_own("informee-tree.json");
    if (!vectors)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vectors);
    return failed;
}
