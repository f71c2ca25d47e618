/* Tokens, rates, versions and log entries: the small pure parts of the sequencer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "sequencer/entry.h"
#include "sequencer/rate.h"
#include "sequencer/token.h"
#include "sequencer/version_check.h"

static const struct token_claim claim = {"PAR::a::1220", "s::1220::35-0", "1220ff", 7, 9};

static void a_token_is_good_for_its_claim_until_it_ends(void **state)
{
    struct bytes key = bytes_str("the key of all replicas, 32 bytes");
    uint8_t token[TOKEN_LEN];

    (void)state;
    assert_true(token_make(key, &claim, 5000000, token, NULL));
    assert_int_equal(token_expires_at(bytes_of(token, TOKEN_LEN)), 5000000);
    assert_true(token_check(key, &claim, bytes_of(token, TOKEN_LEN), 4999999));
    assert_false(token_check(key, &claim, bytes_of(token, TOKEN_LEN), 5000000));
    for (size_t i = 0; i < TOKEN_LEN; i++) {
        token[i] ^= 1;
        assert_false(token_check(key, &claim, bytes_of(token, TOKEN_LEN), 0));
        token[i] ^= 1;
    }
    struct token_claim other[] = {claim, claim, claim, claim, claim};
    other[0].member = "PAR::b::1220";
    other[1].psid = "s::1220::35-1";
    other[2].fingerprint = "1220fe";
    other[3].revocation_epoch = 8;
    other[4].access_since = 10;
    for (size_t i = 0; i < 5; i++)
        assert_false(token_check(key, &other[i], bytes_of(token, TOKEN_LEN), 0));
    assert_false(token_check(bytes_str("another key"), &claim, bytes_of(token, TOKEN_LEN), 0));
    assert_false(token_check(key, &claim, bytes_of(token, TOKEN_LEN - 1), 0));
}

static void a_bucket_gives_a_burst_and_then_the_rate(void **state)
{
    struct rates *r;
    struct error e;
    int taken = 0;

    (void)state;
    assert_true(rates_open(&r, &e));
    for (int i = 0; i < 1000; i++)
        taken += rates_take(r, "a", 100, 0);
    assert_int_equal(taken, 50);
    assert_true(rates_take(r, "b", 100, 0)); /* each has its own */
    taken = 0;
    for (int64_t t = 0; t < 1000000; t += 1000)
        taken += rates_take(r, "a", 100, t);
    assert_in_range(taken, 98, 100);
    assert_true(rates_take(r, "c", 0.1, 0)); /* one at least */
    assert_false(rates_take(r, "c", 0.1, 1000000));
    rates_close(r);
}

static void an_entry_comes_back_as_it_was_written(void **state)
{
    struct buffer payload = BUFFER_INIT;
    struct entry_parts in = {bytes_str("00-trace"), bytes_str(""), bytes_str("body")}, out;
    struct error e;

    (void)state;
    entry_build(&in, &payload);
    assert_true(entry_parse(buffer_bytes(&payload), &out, &e));
    assert_true(bytes_equal(out.traceparent, in.traceparent));
    assert_int_equal(out.tracestate.len, 0);
    assert_true(bytes_equal(out.body, in.body));
    for (size_t cut = 0; cut < payload.len - in.body.len; cut++)
        assert_false(entry_parse(bytes_of(payload.data, cut), &out, &e));
    payload.data[0] = 2;
    assert_false(entry_parse(buffer_bytes(&payload), &out, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    buffer_free(&payload);
}

static void versions_are_compared_as_the_protocol_says(void **state)
{
    const int32_t both[] = {34, 35};
    struct error e;

    (void)state;
    assert_true(version_check(both, 2, 0, "3.5", &e));
    assert_true(version_check(both, 2, 35, "3.5", &e));
    assert_false(version_check(both, 2, 36, "3.5", &e));
    assert_false(version_check(both, 1, 0, "3.5", &e));
    assert_false(version_check(both, 0, 0, "3.5", &e));
    assert_false(version_check(both, 2, 0, "", &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_good_for_its_claim_until_it_ends),
        cmocka_unit_test(a_bucket_gives_a_burst_and_then_the_rate),
        cmocka_unit_test(an_entry_comes_back_as_it_was_written),
        cmocka_unit_test(versions_are_compared_as_the_protocol_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
