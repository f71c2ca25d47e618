/* Exports verified: good ones, and each thing that can be wrong with one, named at its item. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topology/verify.h"
#include "topology_world.h"
#include "wire/gzip.h"

static struct topology_verification verify(struct bytes file)
{
    struct topology_verification v;
    struct error e;

    must(topology_verify_file(file, NULL, &v, &e), &e);
    return v;
}

static void read_items(struct bytes file, struct topology_items *out)
{
    struct error e;

    must(topology_export_read(file, 0, out, &e), &e);
}

static struct topology_verification verify_items(const struct topology_items *items)
{
    struct topology_verification v;
    struct error e;

    must(topology_verify_items(items, NULL, &v, &e), &e);
    return v;
}

static void expect_failure(const struct topology_items *items, size_t item, const char *reason)
{
    struct topology_verification v = verify_items(items);

    assert_true(v.n_failures > 0);
    assert_int_equal(v.failures[0].item, item);
    if (strstr(v.failures[0].reason, reason) == NULL)
        fail_msg("expected %s, got: %s", reason, v.failures[0].reason);
    topology_verification_free(&v);
}

static void a_good_export_verifies_plain_and_packed(void **state)
{
    struct world w;
    struct topology_items items = {0};
    struct topology_verification v, packed;
    struct buffer gz = BUFFER_INIT;
    struct hash h;

    (void)state;
    world_open(&w);
    v = verify(buffer_bytes(&w.genesis));
    assert_int_equal(v.n_failures, 0);
    assert_string_equal(v.psid, w.psid);
    assert_int_equal(v.n_items, 8); /* two identities of two, four of the synchronizer */
    assert_int_equal(v.n_transactions, 8);
    assert_int_equal(v.n_accepted, 8);
    assert_int_equal(v.n_signatures, 2 * (1 + 3) + 4);
    read_items(buffer_bytes(&w.genesis), &items);
    assert_true(topology_items_hash(&items, &h, NULL));
    assert_true(v.has_hash && hash_equal(&h, &v.hash));
    assert_true(gzip_write(buffer_bytes(&w.genesis), &gz, NULL));
    packed = verify(buffer_bytes(&gz));
    assert_int_equal(packed.n_failures, 0);
    assert_true(hash_equal(&packed.hash, &v.hash));
    topology_verification_free(&packed);
    topology_verification_free(&v);
    topology_items_free(&items);
    buffer_free(&gz);
    world_close(&w);
}

static void each_lie_is_named_at_its_item(void **state)
{
    struct world w;
    struct topology_items items = {0};
    struct topology_item *one;
    struct buffer kept;
    int64_t ts;

    (void)state;
    world_open(&w);
    read_items(buffer_bytes(&w.genesis), &items);
    one = &items.at[2];
    struct buffer *last = &items.at[7].transaction;

    last->data[last->len - 100] ^= 1; /* inside its signature, before the signer's name */
    expect_failure(&items, 8, "is rejected here: SignatureCheckFailed");
    last->data[last->len - 100] ^= 1;
    kept = one->transaction;
    one->transaction = (struct buffer)BUFFER_INIT;
    buffer_append(&one->transaction, kept.data, kept.len / 2); /* cut short */
    expect_failure(&items, 3, "");
    buffer_free(&one->transaction);
    one->transaction = kept;
    one->rejection = strdup("SerialMismatch");
    expect_failure(&items, 3, "is accepted here: SerialMismatch");
    free(one->rejection);
    one->rejection = NULL;
    one->valid_until = one->valid_from;
    expect_failure(&items, 3, "ends at another time here");
    one->valid_until = TOPOLOGY_OPEN;
    ts = one->valid_from;
    one->valid_from = one->sequenced - 1;
    expect_failure(&items, 3, "is out of order");
    one->valid_from = ts;
    struct topology_verification v = verify_items(&items);

    assert_int_equal(v.n_failures, 0); /* as it was */
    topology_verification_free(&v);
    topology_items_free(&items);
    world_close(&w);
}

static void a_bomb_and_junk_are_refused(void **state)
{
    struct topology_verify_options options = {.max_size = 1 << 20};
    struct topology_verification v;
    struct buffer zeros = BUFFER_INIT, bomb = BUFFER_INIT;
    struct error e;

    (void)state;
    assert_non_null(buffer_reserve(&zeros, 2 << 20));
    memset(zeros.data, 0, 2 << 20);
    zeros.len = 2 << 20;
    assert_true(gzip_write(buffer_bytes(&zeros), &bomb, NULL));
    assert_false(topology_verify_file(buffer_bytes(&bomb), &options, &v, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(topology_verify_file(buffer_bytes(&zeros), &options, &v, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    bomb.len /= 2;
    assert_false(topology_verify_file(buffer_bytes(&bomb), &options, &v, &e));
    assert_false(topology_verify_file(bytes_str("junk"), &options, &v, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    options.psid = "nothing";
    assert_false(topology_verify_file(bytes_str(""), &options, &v, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    buffer_free(&zeros);
    buffer_free(&bomb);
}

static void identities_alone_need_no_synchronizer(void **state)
{
    struct world w;
    struct topology_items items = {0};
    struct topology_verification v;

    (void)state;
    world_open(&w);
    read_items(buffer_bytes(&w.genesis), &items);
    size_t n = items.n;

    items.n = 2;
    v = verify_items(&items);
    assert_int_equal(v.n_failures, 0);
    assert_string_equal(v.psid, "");
    topology_verification_free(&v);
    items.n = n;
    topology_items_free(&items);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_export_verifies_plain_and_packed),
        cmocka_unit_test(each_lie_is_named_at_its_item),
        cmocka_unit_test(a_bomb_and_junk_are_refused),
        cmocka_unit_test(identities_alone_need_no_synchronizer),
    };

    return cmocka_run_group_tests_name("topology verify", tests, NULL, NULL);
}
