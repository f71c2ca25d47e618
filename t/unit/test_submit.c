/* test_submit.c: what a participant sends, opened again as mediators and informees do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "participant/submit.h"
#include "wire/submission.h"

#define NS    "1220abababababababababababababababababababababababababababababababab"
#define ALICE "alice::" NS
#define BOB   "bob::" NS
#define PSID  "demo::" NS "::35-0"

static void must(bool ok, const struct error *err)
{
    char text[700];

    if (ok)
        return;
    error_format(err, text, sizeof(text));
    fail_msg("%s", text);
}

struct pair {
    struct keyring *alice, *bob;
    struct buffer request;
    struct hash root;
};

static struct keyring *new_keys(void)
{
    struct keyring *r;
    struct error err;

    must(keyring_open(&r, &err) &&
             keyring_generate(r, KEY_SIGNING, SIGNING_ED25519, USAGE_PROTOCOL, NULL, &err) &&
             keyring_generate(r, KEY_ENCRYPTION, ENCRYPTION_RSA_2048, 0, NULL, &err),
         &err);
    return r;
}

static void pair_open(struct pair *p)
{
    const char *informees[] = {ALICE, BOB};
    const uint32_t confirmers[] = {0, 1};
    struct error err;

    memset(p, 0, sizeof(*p));
    p->alice = new_keys();
    p->bob = new_keys();
    const struct public_key *keys[] = {keyring_newest_encryption(p->alice)->pub,
                                       keyring_newest_encryption(p->bob)->pub};
    struct submit_spec spec = {.psid = PSID,
                               .uid = ALICE,
                               .command_id = "c-1",
                               .message_id = "m-1",
                               .informees = informees,
                               .encryption_keys = keys,
                               .n_informees = 2,
                               .confirmers = confirmers,
                               .n_confirmers = 2,
                               .threshold = 2,
                               .mediator_group = 0,
                               .payload = bytes_str("five apples"),
                               .now = 1700000000000000,
                               .max_ts = 1700000060000000,
                               .topology_ts = 1699999999000000,
                               .keys = p->alice};
    must(submit_request(&spec, &p->request, &p->root, &err), &err);
}

static void pair_close(struct pair *p)
{
    buffer_free(&p->request);
    keyring_close(p->alice);
    keyring_close(p->bob);
}

/* Opens the batch of a request. */
static void open_batch(struct bytes request, struct submission *s, struct batch *b)
{
    struct error err;

    must(submission_parse(request, s, &err) && batch_open(&s->batch, BATCH_LIMIT, b, &err), &err);
}

static void a_request_carries_tree_root_hash_and_view_with_one_root(void **state)
{
    struct pair p;
    struct submission s;
    struct batch b;
    struct message tree, root, views;
    struct opened_view *v;
    struct error err;

    (void)state;
    pair_open(&p);
    open_batch(buffer_bytes(&p.request), &s, &b);
    assert_int_equal(s.rule.kind, AGGREGATION_DEDUP);
    assert_int_equal(b.n, 3);
    must(message_parse(buffer_bytes(&b.envelopes[0].content), false, &tree, &err), &err);
    must(message_parse(buffer_bytes(&b.envelopes[1].content), false, &root, &err), &err);
    must(message_parse(buffer_bytes(&b.envelopes[2].content), false, &views, &err), &err);
    assert_int_equal(tree.kind, MESSAGE_INFORMEE);
    assert_int_equal(root.kind, MESSAGE_ROOT_HASH);
    assert_int_equal(views.kind, MESSAGE_VIEWS);
    assert_true(hash_equal(&tree.as.informee.tree.root, &p.root));
    assert_true(hash_equal(&root.as.root_hash.root, &p.root));
    must(signature_verify(keyring_newest(p.alice, USAGE_PROTOCOL)->pub, USAGE_PROTOCOL, &p.root,
                          &tree.as.informee.signature, &err),
         &err);
    must(view_message_open(&views.as.views, p.bob, BATCH_LIMIT, &v, &err), &err);
    assert_true(hash_equal(&v->root, &p.root));
    assert_true(bytes_equal(buffer_bytes(&v->payload), bytes_str("five apples")));
    assert_int_equal(v->n_informees, 2);
    assert_int_equal(v->quorums[0].threshold, 2);
    assert_string_equal(v->submitting_participant, ALICE);
    opened_views_free(v, 1);
    message_free(&views);
    message_free(&root);
    message_free(&tree);
    batch_free(&b);
    submission_free(&s);
    pair_close(&p);
}

static void each_informee_finds_its_own_flat_root_hash_tree(void **state)
{
    struct pair p;
    struct submission s;
    struct batch b;
    const char *who;

    (void)state;
    pair_open(&p);
    open_batch(buffer_bytes(&p.request), &s, &b);
    const struct recipients *r = &b.recipients[1];
    assert_int_equal(r->n_nodes, 2);
    assert_true(root_hash_tree_ok(r, 0, 0, &who));
    assert_string_equal(who, "PAR::" ALICE);
    assert_true(root_hash_tree_ok(r, 1, 0, &who));
    assert_string_equal(who, "PAR::" BOB);
    assert_false(root_hash_tree_ok(r, 1, 1, &who)); /* another group */
    batch_free(&b);
    submission_free(&s);
    pair_close(&p);
}

static void a_stranger_cannot_open_the_view(void **state)
{
    struct pair p;
    struct submission s;
    struct batch b;
    struct message views;
    struct opened_view *v;
    struct keyring *eve = new_keys();
    struct error err;

    (void)state;
    pair_open(&p);
    open_batch(buffer_bytes(&p.request), &s, &b);
    must(message_parse(buffer_bytes(&b.envelopes[2].content), false, &views, &err), &err);
    assert_false(view_message_open(&views.as.views, eve, BATCH_LIMIT, &v, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    message_free(&views);
    batch_free(&b);
    submission_free(&s);
    keyring_close(eve);
    pair_close(&p);
}

static void a_response_is_signed_and_names_the_view(void **state)
{
    struct pair p;
    struct submission s;
    struct batch b;
    struct message m;
    uint8_t key[] = {0, 0, 0, 1, 0, 0, 0, 0};
    struct view_position position = {key, sizeof(key)}; /* [[]]: the only root view */
    struct buffer request = BUFFER_INIT;
    struct error err;
    struct hash h;

    (void)state;
    pair_open(&p);
    struct respond_spec spec = {.psid = PSID,
                                .uid = BOB,
                                .message_id = "m-2",
                                .request_ts = 1700000001000000,
                                .max_ts = 1700000031000000,
                                .root = &p.root,
                                .mediator_group = 0,
                                .verdict = LOCAL_REJECT,
                                .position = &position,
                                .reason = "too many apples",
                                .keys = p.bob};
    must(submit_response(&spec, &request, &err), &err);
    open_batch(buffer_bytes(&request), &s, &b);
    assert_int_equal(b.n, 1);
    assert_int_equal(b.envelopes[0].n_signatures, 1);
    must(message_hash(buffer_bytes(&b.envelopes[0].content), &h, &err) &&
             signature_verify(keyring_newest(p.bob, USAGE_PROTOCOL)->pub, USAGE_PROTOCOL, &h,
                              b.envelopes[0].signatures, &err),
         &err);
    must(message_parse(buffer_bytes(&b.envelopes[0].content), true, &m, &err), &err);
    assert_int_equal(m.kind, MESSAGE_RESPONSES);
    assert_string_equal(m.as.responses.sender, "PAR::" BOB);
    assert_int_equal(m.as.responses.responses[0].verdict, LOCAL_REJECT);
    assert_string_equal(m.as.responses.responses[0].parties[0], BOB);
    assert_true(view_position_equal(&m.as.responses.responses[0].position, &position));
    message_free(&m);
    batch_free(&b);
    submission_free(&s);
    buffer_free(&request);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_carries_tree_root_hash_and_view_with_one_root),
        cmocka_unit_test(each_informee_finds_its_own_flat_root_hash_tree),
        cmocka_unit_test(a_stranger_cannot_open_the_view),
        cmocka_unit_test(a_response_is_signed_and_names_the_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
