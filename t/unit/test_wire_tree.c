/* test_wire_tree.c: Merkle trees and what goes round them: t/vectors/informee-tree.json value by
 * value, each rule of the format broken once, and the way of a view from submitter to informee. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors.h"
#include "wire/messages.h"
#include "wire/own.h"
#include "wire/scan.h"
#include "wire/tree_leaf.h"
#include "wire/versioned.h"

#define HEX32(x) x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define NS       "::1220" HEX32("ab")
#define ALICE    "alice" NS
#define BOB      "bob" NS
#define PSID     "lockstep" NS "::35-0"
#define T0       1767225600000000

static json_t *vectors;

static json_t *tree_vector(size_t i)
{
    return json_array_get(json_object_get(vectors, "trees"), i);
}

static void assert_hex(const struct hash *h, const json_t *object, const char *key)
{
    char text[HASH_HEX_SIZE];

    hash_hex(h, text);
    assert_string_equal(text, vectors_str(object, key));
}

static void every_node_hash_is_as_listed(void **state)
{
    size_t i, j, k, steps = 0;
    json_t *tree, *step, *child;

    (void)state;
    json_array_foreach(json_object_get(vectors, "trees"), i, tree)
    {
        json_array_foreach(json_object_get(tree, "steps"), j, step)
        {
            struct buffer preimage = vectors_hex(step, "preimage");
            struct hash h, children[4] = {0}, direct;

            if (strcmp(vectors_str(step, "kind"), "leaf") == 0) {
                struct buffer salt = vectors_hex(step, "salt"), content;

                content = vectors_hex(step, "content");
                assert_int_equal(salt.len, SALT_LEN);
                assert_true(merkle_leaf((enum hash_purpose)vectors_int(step, "purpose"), salt.data,
                                        buffer_bytes(&content), &h, NULL));
                buffer_free(&salt);
                buffer_free(&content);
            } else {
                json_array_foreach(json_object_get(step, "children"), k, child)
                {
                    assert_true(hex_decode(json_string_value(child), children[k].b, HASH_LEN));
                }
                assert_true(merkle_inner(children, k, &h, NULL));
            }
            assert_hex(&h, step, "hash");
            assert_true(sha256(buffer_bytes(&preimage), direct.b + 2, NULL));
            assert_memory_equal(direct.b + 2, h.b + 2, DIGEST_LEN);
            buffer_free(&preimage);
            steps++;
        }
    }
    assert_int_equal(steps, 8 + 22 + 3);
}

static void salts_come_from_the_seed(void **state)
{
    static const char *const nodes[] = {"submitter_metadata", "common_metadata",
                                        "participant_metadata"};
    struct buffer seed = vectors_hex(json_object_get(vectors, "conventions"), "salt_seed");
    size_t i;
    json_t *step;
    uint32_t used = 0;

    (void)state;
    json_array_foreach(json_object_get(tree_vector(0), "steps"), i, step)
    {
        uint8_t salt[SALT_LEN];
        struct buffer expected;

        if (strcmp(vectors_str(step, "kind"), "leaf") != 0)
            continue;
        if (used < 3)
            assert_non_null(strstr(vectors_str(step, "node"), nodes[used]));
        expected = vectors_hex(step, "salt");
        assert_true(merkle_salt(seed.data, used++, salt, NULL));
        assert_memory_equal(salt, expected.data, SALT_LEN);
        buffer_free(&expected);
    }
    assert_int_equal(used, 5);
    buffer_free(&seed);
}

/* "[[L,R],[]]" of [[0,1],[]]. */
static void position_text(const json_t *position, struct buffer *out)
{
    size_t i, j;
    json_t *index, *bit;

    buffer_clear(out);
    buffer_append_byte(out, '[');
    json_array_foreach(position, i, index)
    {
        buffer_append_str(out, i > 0 ? ",[" : "[");
        json_array_foreach(index, j, bit)
        {
            buffer_printf(out, "%s%c", j > 0 ? "," : "", json_integer_value(bit) ? 'R' : 'L');
        }
        buffer_append_byte(out, ']');
    }
    buffer_append_byte(out, ']');
}

static void trees_parse_to_their_root_and_positions(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const json_t *v = tree_vector(i), *positions = json_object_get(v, "view_positions");
        struct buffer in = vectors_hex(v, "full_informee_tree_proto"), expected = BUFFER_INIT;
        struct buffer content = vectors_hex(v, "envelope_content_pv35");
        struct informee_tree t;
        struct message m;
        struct error err;

        assert_true(informee_tree_parse(buffer_bytes(&in), &t, &err));
        assert_hex(&t.root, v, "root_hash");
        assert_int_equal(t.n_views, json_object_size(positions));
        for (size_t j = 0; j < t.n_views; j++) {
            struct buffer text = BUFFER_INIT;
            char hex[HASH_HEX_SIZE];

            hash_hex(&t.views[j].hash, hex);
            view_position_text(&t.views[j].position, &text);
            position_text(json_object_get(positions, hex), &expected);
            assert_string_equal(buffer_cstr(&text), buffer_cstr(&expected));
            buffer_free(&text);
        }
        assert_string_equal(t.psid, PSID);
        assert_string_equal(t.user_id, "user1");
        assert_string_equal(t.submitting_participant, "participant1" NS);
        assert_int_equal(t.uuid[0], i == 0 ? 0x11 : 0x66);
        assert_string_equal(t.act_as[0], ALICE);
        informee_tree_free(&t);
        assert_true(message_parse(buffer_bytes(&content), false, &m, &err));
        assert_int_equal(m.kind, MESSAGE_INFORMEE);
        assert_hex(&m.as.informee.tree.root, v, "update_id_text");
        assert_int_equal(m.as.informee.signature.bytes.len, 64);
        message_free(&m);
        buffer_free(&in);
        buffer_free(&content);
        buffer_free(&expected);
    }
}

static void informees_and_quorums_are_those_of_the_views(void **state)
{
    struct buffer in = vectors_hex(tree_vector(1), "full_informee_tree_proto");
    struct informee_tree t;

    (void)state;
    assert_true(informee_tree_parse(buffer_bytes(&in), &t, NULL));
    assert_string_equal(t.views[0].informees[0], ALICE); /* pre-order: view 0, its subview, .. */
    assert_string_equal(t.views[1].informees[0], BOB);
    assert_int_equal(t.views[1].n_informees, 1);
    assert_int_equal(t.views[1].quorums[0].threshold, 1);
    assert_int_equal(t.views[1].quorums[0].confirmers[0].weight, 1);
    assert_int_equal(t.views[3].n_quorums, 2);
    informee_tree_free(&t);
    buffer_free(&in);
}

static void the_mistakes_of_the_list_give_other_roots(void **state)
{
    const char *key, *root = vectors_str(tree_vector(0), "root_hash");
    json_t *wrong;

    (void)state;
    json_object_foreach(json_object_get(vectors, "wrong_roots_of_tree_0_by_mistake"), key, wrong)
    {
        assert_string_not_equal(json_string_value(wrong), root);
    }
}

/* ---- the submitter's side ---- */

static const char *const both[] = {ALICE, BOB};
static const char *const bob_alone[] = {BOB};
static struct confirmer first_confirms[] = {{0, 1}}, second_confirms[] = {{1, 2}};
static struct quorum one_quorum[] = {{first_confirms, 1, 1}};
static struct quorum two_quorums[] = {{first_confirms, 1, 1}, {second_confirms, 1, 2}};

static struct view_spec view_of(uint32_t depth, const char *const *informees, size_t n,
                                const char *payload)
{
    return (struct view_spec){.depth = depth,
                              .informees = informees,
                              .n_informees = n,
                              .quorums = one_quorum,
                              .n_quorums = 1,
                              .payload = bytes_str(payload)};
}

static struct tree_spec spec_of(const struct view_spec *views, size_t n)
{
    struct tree_spec s = {.psid = PSID,
                          .uuid = "11111111-2222-4333-8444-555555555555",
                          .submitting_participant = "participant1" NS,
                          .act_as = both,
                          .n_act_as = 1,
                          .user_id = "user1",
                          .command_id = "cmd1",
                          .submission_id = "",
                          .dedup_seconds = 60,
                          .max_sequencing_time = T0 + 60000000,
                          .ledger_time = T0,
                          .preparation_time = T0,
                          .workflow_id = "",
                          .views = views,
                          .n_views = n};

    for (uint8_t i = 0; i < SEED_LEN; i++)
        s.seed[i] = i;
    return s;
}

static bool contains(const struct buffer *b, struct bytes part)
{
    return memmem(b->data, b->len, part.data, part.len) != NULL;
}

/* Our payload differs from the vector's dummy, all other leaves are the same bytes. */
static void our_leaves_are_those_of_the_vectors(void **state)
{
    struct view_spec views[] = {view_of(0, both, 2, "p"), view_of(1, bob_alone, 1, "q")};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tree_spec spec = spec_of(views, i + 1);
        struct built_tree t;
        size_t j, found = 0;
        json_t *step;

        if (i == 1)
            spec.uuid = "66666666-7777-4888-8999-aaaaaaaaaaaa"; /* as there */
        assert_true(built_tree_make(&spec, &t, NULL));
        json_array_foreach(json_object_get(tree_vector(i), "steps"), j, step)
        {
            struct buffer content;

            if (strcmp(vectors_str(step, "kind"), "leaf") != 0)
                continue;
            content = vectors_hex(step, "content");
            found += contains(&t.informee_tree, buffer_bytes(&content));
            if (strncmp(vectors_str(step, "node"), "participant_metadata", 20) == 0) {
                struct hash h;

                assert_true(hex_decode(vectors_str(step, "hash"), h.b, HASH_LEN));
                found += contains(&t.informee_tree, hash_as_bytes(&h));
            }
            buffer_free(&content);
        }
        assert_int_equal(found, i == 0 ? 4 : 5);
        built_tree_free(&t);
    }
}

static void a_view_goes_from_submitter_to_informee(void **state)
{
    struct view_spec views[] = {view_of(0, both, 2, "first"), view_of(1, bob_alone, 1, "below"),
                                view_of(0, both, 2, "second"), view_of(0, bob_alone, 1, "third")};
    static const char *const positions[] = {"[[L,L]]", "[[],[L,L]]", "[[R,L]]", "[[R]]"};
    struct tree_spec spec = spec_of(views, 4);
    struct signature s = {.format = SIGNATURE_CONCAT, .algorithm = ALGORITHM_ED25519};
    struct buffer content = BUFFER_INIT, encrypted = BUFFER_INIT, text = BUFFER_INIT;
    struct keyring *ring, *other;
    const struct private_key *k;
    const struct public_key *to[1];
    const size_t which[] = {0, 1, 3};
    struct opened_view *opened;
    struct built_tree t;
    struct message m;
    struct error err;

    (void)state;
    views[2].quorums = two_quorums;
    views[2].n_quorums = 2;
    strcpy(s.signed_by, "1220ab");
    buffer_append(&s.bytes, "signature", 9);
    assert_true(keyring_open(&ring, &err));
    assert_true(keyring_open(&other, &err));
    assert_true(keyring_generate(ring, KEY_ENCRYPTION, ENCRYPTION_RSA_2048, 0, &k, &err));
    to[0] = k->pub;
    assert_true(built_tree_make(&spec, &t, &err));
    assert_true(informee_message_build(&t, &s, &content, &err));
    assert_true(message_parse(buffer_bytes(&content), false, &m, &err));
    assert_true(hash_equal(&m.as.informee.tree.root, &t.root));
    assert_int_equal(m.as.informee.tree.n_views, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(hash_equal(&m.as.informee.tree.views[i].hash, &t.views[i].hash));
        assert_true(
            view_position_equal(&m.as.informee.tree.views[i].position, &t.views[i].position));
        buffer_clear(&text);
        view_position_text(&t.views[i].position, &text);
        assert_string_equal(buffer_cstr(&text), positions[i]);
    }
    assert_int_equal(m.as.informee.tree.views[2].quorums[1].confirmers[0].informee, 1);
    message_free(&m);
    assert_true(view_message_build(&t, which, 3, PSID, to, 1, &s, &encrypted, &err));
    assert_true(message_parse(buffer_bytes(&encrypted), false, &m, &err));
    assert_int_equal(m.kind, MESSAGE_VIEWS);
    assert_false(view_message_open(&m.as.views, other, 1 << 20, &opened, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(view_message_open(&m.as.views, ring, 100, &opened, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_true(view_message_open(&m.as.views, ring, 1 << 20, &opened, &err));
    for (size_t i = 0; i < 3; i++) {
        assert_true(hash_equal(&opened[i].root, &t.root));
        assert_true(view_position_equal(&opened[i].position, &t.views[which[i]].position));
        assert_true(bytes_equal(buffer_bytes(&opened[i].payload), views[which[i]].payload));
        assert_int_equal(opened[i].n_informees, views[which[i]].n_informees);
        assert_string_equal(opened[i].submitting_participant, i == 1 ? "" : "participant1" NS);
    }
    opened_views_free(opened, 3);
    m.as.views.view_hashes[0].b[5] ^= 1;
    assert_false(view_message_open(&m.as.views, ring, 1 << 20, &opened, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    m.as.views.sealed.data[20] ^= 1;
    assert_false(view_message_open(&m.as.views, ring, 1 << 20, &opened, &err));
    message_free(&m);
    built_tree_free(&t);
    signature_free(&s);
    buffer_free(&content);
    buffer_free(&encrypted);
    buffer_free(&text);
    keyring_close(ring);
    keyring_close(other);
}

static void a_changed_payload_changes_the_root(void **state)
{
    struct view_spec views[] = {view_of(0, both, 2, "payload-payload")};
    struct tree_spec spec = spec_of(views, 1);
    struct opened_view v;
    struct built_tree t;
    uint8_t *at;

    (void)state;
    assert_true(built_tree_make(&spec, &t, NULL));
    at = memmem(t.views[0].light_tree.data, t.views[0].light_tree.len, "payload-payload", 15);
    assert_non_null(at);
    at[0] = 'P';
    assert_true(opened_view_parse(buffer_bytes(&t.views[0].light_tree), &v, NULL));
    assert_false(hash_equal(&v.root, &t.root));
    opened_view_free(&v);
    built_tree_free(&t);
}

static void what_a_mediator_would_refuse_is_not_built(void **state)
{
    static const char *const bad_party[] = {"bob/x"};
    struct view_spec v = view_of(0, both, 2, "p"), same[2] = {v, v};
    struct confirmer zero[] = {{0, 0}}, far[] = {{2, 1}};
    struct quorum q = {zero, 1, 1};
    struct tree_spec spec = spec_of(&v, 1);
    struct built_tree t;
    struct error err;

    (void)state;
    v.quorums = &q;
    assert_false(built_tree_make(&spec, &t, &err)); /* weight 0 */
    q.confirmers = far;
    assert_false(built_tree_make(&spec, &t, &err)); /* no such informee */
    q.confirmers = first_confirms;
    assert_true(built_tree_make(&spec, &t, &err));
    built_tree_free(&t);
    q.threshold = -1;
    assert_false(built_tree_make(&spec, &t, &err));
    q.threshold = 0;
    v.informees = bad_party;
    v.n_informees = 1;
    assert_false(built_tree_make(&spec, &t, &err));
    v.informees = both;
    spec.n_act_as = 0;
    assert_false(built_tree_make(&spec, &t, &err));
    spec.n_act_as = 1;
    spec.command_id = "";
    assert_false(built_tree_make(&spec, &t, &err));
    spec.command_id = "c";
    spec.user_id = "u?";
    assert_false(built_tree_make(&spec, &t, &err));
    spec.user_id = "u";
    spec.uuid = "1-1-1-1";
    assert_false(built_tree_make(&spec, &t, &err));
    spec.uuid = "1-1-1-1-1";
    spec.mediator_group = -1;
    assert_false(built_tree_make(&spec, &t, &err));
    spec.mediator_group = 0;
    spec.psid = "x";
    assert_false(built_tree_make(&spec, &t, &err));
    spec.psid = PSID;
    spec.max_sequencing_time = TS_MAX + 1;
    assert_false(built_tree_make(&spec, &t, &err));
    spec.max_sequencing_time = 0;
    assert_true(built_tree_make(&spec, &t, &err));
    built_tree_free(&t);
    same[1].depth = 2;
    spec.views = same;
    spec.n_views = 2;
    assert_false(built_tree_make(&spec, &t, &err)); /* no parent */
}

/* ---- trees by hand, for the rules that our own builder cannot break ---- */

struct parts {
    struct buffer submitter, common, participant, sequence;
};

static void blindable(struct buffer *out, uint32_t number, bool is_open, struct bytes v)
{
    struct buffer node = BUFFER_INIT;

    put_bytes(&node, is_open ? 1 : 2, v);
    put_bytes(out, number, buffer_bytes(&node));
    buffer_free(&node);
}

static void take(const char *node, struct buffer *out, const char *key)
{
    size_t i;
    json_t *step;

    json_array_foreach(json_object_get(tree_vector(0), "steps"), i, step)
    {
        if (strncmp(vectors_str(step, "node"), node, strlen(node)) == 0) {
            *out = vectors_hex(step, key);
            return;
        }
    }
    fail_msg("no node %s", node);
}

/* A single element holding a view with these leaves; subviews may be NULL. */
static void single(struct buffer *out, bool common_open, bool participant_open, uint8_t nonce,
                   const struct buffer *subviews)
{
    struct buffer common, data = BUFFER_INIT, view = BUFFER_INIT, seq = BUFFER_INIT;
    struct buffer element = BUFFER_INIT;
    uint8_t other[HASH_LEN] = {0x12, 0x20, nonce};

    take("view0.view_common_data", &common, "content");
    if (common_open)
        blindable(&data, 1, true, buffer_bytes(&common));
    else
        blindable(&data, 1, false, bytes_of(other, HASH_LEN));
    other[3] = 1;
    blindable(&data, 2, participant_open, bytes_of(other, HASH_LEN));
    if (subviews)
        blindable(&seq, 1, true, buffer_bytes(subviews));
    put_bytes(&data, 3, buffer_bytes(&seq));
    assert_true(versioned_wrap(buffer_bytes(&data), VERSIONED_V30, &view, NULL));
    blindable(&element, 3, true, buffer_bytes(&view));
    assert_true(versioned_wrap(buffer_bytes(&element), VERSIONED_V30, out, NULL));
    buffer_free(&common);
    buffer_free(&data);
    buffer_free(&view);
    buffer_free(&seq);
    buffer_free(&element);
}

/* Parses a tree round root (a wrapped element, or blinded, or none). */
static bool parses(const struct buffer *root, bool root_open, bool participant_open)
{
    struct buffer submitter, common, participant, tree = BUFFER_INIT, all = BUFFER_INIT;
    struct buffer seq = BUFFER_INIT;
    struct informee_tree t;
    struct error err;
    bool ok;

    take("submitter_metadata", &submitter, "content");
    take("common_metadata", &common, "content");
    take("participant_metadata", &participant, participant_open ? "content" : "hash");
    blindable(&tree, 1, true, buffer_bytes(&submitter));
    blindable(&tree, 2, true, buffer_bytes(&common));
    blindable(&tree, 3, participant_open, buffer_bytes(&participant));
    if (root)
        blindable(&seq, 1, root_open, buffer_bytes(root));
    put_bytes(&tree, 4, buffer_bytes(&seq));
    put_bytes(&all, 1, buffer_bytes(&tree));
    ok = informee_tree_parse(buffer_bytes(&all), &t, &err);
    if (!ok)
        assert_true(err.code == ERR_MALFORMED || err.code == ERR_LIMIT);
    informee_tree_free(&t);
    buffer_free(&submitter);
    buffer_free(&common);
    buffer_free(&participant);
    buffer_free(&tree);
    buffer_free(&all);
    buffer_free(&seq);
    return ok;
}

static void what_must_be_open_or_blinded_is(void **state)
{
    struct buffer root = BUFFER_INIT, bad = BUFFER_INIT;
    uint8_t hash[HASH_LEN] = {0x12, 0x20, 9};

    (void)state;
    single(&root, true, false, 1, NULL);
    assert_true(parses(&root, true, false));
    assert_true(parses(NULL, true, false));  /* no views at all */
    assert_false(parses(&root, true, true)); /* participant metadata open */
    buffer_append(&bad, hash, HASH_LEN);
    assert_false(parses(&bad, false, false)); /* views blinded */
    buffer_clear(&bad);
    single(&bad, false, false, 1, NULL);
    assert_false(parses(&bad, true, false)); /* common data blinded */
    buffer_clear(&bad);
    single(&bad, true, true, 1, NULL);
    assert_false(parses(&bad, true, false)); /* participant data open */
    buffer_clear(&bad);
    assert_false(parses(&bad, true, false)); /* an element that is nothing */
    buffer_free(&root);
    buffer_free(&bad);
}

static void no_hash_is_there_twice_and_no_view_repeats_its_parent(void **state)
{
    struct buffer a = BUFFER_INIT, data = BUFFER_INIT, branch = BUFFER_INIT, nested = BUFFER_INIT;
    uint8_t *at;

    (void)state;
    single(&a, true, false, 1, NULL);
    blindable(&data, 1, true, buffer_bytes(&a));
    blindable(&data, 2, true, buffer_bytes(&a));
    assert_true(versioned_wrap(buffer_bytes(&data), VERSIONED_V30, &branch, NULL));
    assert_false(parses(&branch, true, false)); /* the same view twice */
    single(&nested, true, false, 2, &a);
    assert_false(parses(&nested, true, false)); /* the same common data below itself */
    buffer_clear(&nested);
    at = memmem(a.data, a.len, "\x10\x01\x10\x1e", 4); /* the end of the leaf: another version */
    assert_non_null(at);
    at[3] = 31;
    assert_true(parses(&a, true, false));
    single(&nested, true, false, 2, &a);
    assert_false(parses(&nested, true, false)); /* the same in other bytes */
    buffer_clear(&data);
    buffer_clear(&branch);
    blindable(&data, 1, true, buffer_bytes(&a));
    assert_true(versioned_wrap(buffer_bytes(&data), VERSIONED_V30, &branch, NULL));
    assert_false(parses(&branch, true, false)); /* half a branch */
    buffer_free(&a);
    buffer_free(&data);
    buffer_free(&branch);
    buffer_free(&nested);
}

static void deep_trees_end_in_an_error_not_in_a_crash(void **state)
{
    struct buffer root = BUFFER_INIT;

    (void)state;
    single(&root, true, false, 1, NULL);
    for (int i = 0; i < 300; i++) {
        struct buffer outer = BUFFER_INIT;

        single(&outer, true, false, 2, &root);
        buffer_free(&root);
        root = outer;
    }
    assert_false(parses(&root, true, false));
    buffer_free(&root);
}

static void uuids_are_read_as_the_peers_do(void **state)
{
    uint8_t a[UUID_LEN], b[UUID_LEN];

    (void)state;
    assert_true(uuid_parse("1-1-1-1-1", a));
    assert_true(uuid_parse("00000001-0001-0001-0001-000000000001", b));
    assert_memory_equal(a, b, UUID_LEN);
    assert_true(uuid_parse("ABCDEF01-2222-4333-8444-55555555555f", a));
    assert_true(uuid_parse("abcdef01-2222-4333-8444-55555555555F", b));
    assert_memory_equal(a, b, UUID_LEN);
    assert_false(uuid_parse("", a));
    assert_false(uuid_parse("1-1-1-1-1-1", a));
    assert_false(uuid_parse("1-1-1-1-", a));
    assert_false(uuid_parse("1-1-g-1-1", a));
    assert_false(uuid_parse("000000001-0001-0001-0001-000000000001", a)); /* 37 characters */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_hash_is_as_listed),
        cmocka_unit_test(salts_come_from_the_seed),
        cmocka_unit_test(trees_parse_to_their_root_and_positions),
        cmocka_unit_test(informees_and_quorums_are_those_of_the_views),
        cmocka_unit_test(the_mistakes_of_the_list_give_other_roots),
        cmocka_unit_test(our_leaves_are_those_of_the_vectors),
        cmocka_unit_test(a_view_goes_from_submitter_to_informee),
        cmocka_unit_test(a_changed_payload_changes_the_root),
        cmocka_unit_test(what_a_mediator_would_refuse_is_not_built),
        cmocka_unit_test(what_must_be_open_or_blinded_is),
        cmocka_unit_test(no_hash_is_there_twice_and_no_view_repeats_its_parent),
        cmocka_unit_test(deep_trees_end_in_an_error_not_in_a_crash),
        cmocka_unit_test(uuids_are_read_as_the_peers_do),
    };
    int failed;

    vectors = vectors_own("informee-tree.json");
    if (!vectors)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vectors);
    return failed;
}
