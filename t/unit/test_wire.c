/* test_wire.c: bytes from outside: pre-check, versions, identifiers, compression, signed parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/keyring.h"
#include "protocol_v30.pb-c.h"
#include "protocol_v31.pb-c.h"
#include "wire/gzip.h"
#include "wire/ids.h"
#include "wire/keys.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/topology_tx.h"
#include "wire/versioned.h"

#define NS "12201220ab"

/* Recipients trees nested so that messages are depth deep in all. */
static void nested_trees(struct buffer *out, unsigned depth)
{
    struct buffer inner = BUFFER_INIT;

    put_bytes(&inner, 1, bytes_str("ALL::All"));
    for (unsigned i = 2; i < depth; i++) {
        struct buffer outer = BUFFER_INIT;

        put_bytes(&outer, 2, buffer_bytes(&inner));
        buffer_free(&inner);
        inner = outer;
    }
    put_bytes(out, 1, buffer_bytes(&inner));
    buffer_free(&inner);
}

static void depth_100_passes_and_101_does_not(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct error err;
    void *m;

    (void)state;
    nested_trees(&b, 100);
    m = wire_unpack(&p30__recipients__descriptor, buffer_bytes(&b), &err);
    assert_non_null(m);
    wire_message_free(m);
    buffer_clear(&b);
    nested_trees(&b, 101);
    assert_false(wire_check(&p30__recipients__descriptor, buffer_bytes(&b), &err));
    assert_int_equal(err.code, ERR_LIMIT);
    buffer_free(&b);
}

static void strings_with_nul_or_bad_utf8_are_refused_before_unpacking(void **state)
{
    static const uint8_t nul[] = {0x0a, 3, 'a', 0, 'b'}, bad[] = {0x0a, 2, 0xc0, 0x80};
    static const uint8_t nested[] = {0x0a, 4, 0x0a, 2, 0xff, 'x'};
    struct error err;

    (void)state;
    assert_false(wire_check(&p30__recipients_tree__descriptor, bytes_of(nul, sizeof(nul)), &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    assert_false(wire_check(&p30__recipients_tree__descriptor, bytes_of(bad, sizeof(bad)), &err));
    assert_false(wire_check(&p30__recipients__descriptor, bytes_of(nested, sizeof(nested)), &err));
}

static void unknown_fields_pass_groups_and_cut_ends_do_not(void **state)
{
    static const uint8_t unknown[] = {0x78, 1, 0x7a, 1, 0xff, 0x7d, 1, 2, 3, 4,
                                      0x79, 1, 2,    3, 4,    5,    6, 7, 8};
    static const uint8_t group[] = {0x7b, 0x7c}, cut[] = {0x0a, 5, 'a'}, zero[] = {0x02, 0};
    static const uint8_t endless[] = {0x78, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1};
    struct error err;
    void *m;

    (void)state;
    m = wire_unpack(&p30__recipients_tree__descriptor, bytes_of(unknown, sizeof(unknown)), &err);
    assert_non_null(m);
    wire_message_free(m);
    assert_false(wire_check(&p30__recipients_tree__descriptor, bytes_of(group, 2), &err));
    assert_false(wire_check(&p30__recipients_tree__descriptor, bytes_of(cut, 3), &err));
    assert_false(wire_check(&p30__recipients_tree__descriptor, bytes_of(zero, 2), &err));
    assert_false(
        wire_check(&p30__recipients_tree__descriptor, bytes_of(endless, sizeof(endless)), &err));
}

static void packed_lists_pass_and_wrong_wire_types_do_not(void **state)
{
    static const uint8_t packed[] = {0x0a, 2, 1, 0}, plain[] = {0x08, 1, 0x08, 0};
    static const uint8_t broken[] = {0x0a, 1, 0x80}, wrong[] = {0x0d, 0, 0, 0, 0};
    struct error err;
    P30__MerkleSeqIndex *m;

    (void)state;
    m = wire_unpack(&p30__merkle_seq_index__descriptor, bytes_of(packed, 4), &err);
    assert_non_null(m);
    assert_int_equal(m->n_is_right, 2);
    wire_message_free(m);
    m = wire_unpack(&p30__merkle_seq_index__descriptor, bytes_of(plain, 4), &err);
    assert_non_null(m);
    assert_int_equal(m->n_is_right, 2);
    wire_message_free(m);
    assert_false(wire_check(&p30__merkle_seq_index__descriptor, bytes_of(broken, 3), &err));
    assert_false(wire_check(&p30__merkle_seq_index__descriptor, bytes_of(wrong, 5), &err));
}

static void many_small_messages_do_not_take_all_memory(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct error err;

    (void)state;
    for (int i = 0; i < 200000; i++)
        buffer_append(&b, "\x0a\0", 2);
    assert_null(wire_unpack(&p30__recipients__descriptor, buffer_bytes(&b), &err));
    assert_int_equal(err.code, ERR_LIMIT);
    buffer_free(&b);
}

static void only_the_known_wrong_version_is_refused(void **state)
{
    static const uint8_t w30[] = {0x0a, 0, 0x10, 30}, w31[] = {0x0a, 0, 0x10, 31};
    static const uint8_t w99[] = {0x10, 99, 0x0a, 0}, none[] = {0x10, 31};
    struct bytes data;
    struct error err;
    int version;

    (void)state;
    assert_true(versioned_unwrap(bytes_of(w30, 4), VERSIONED_V30, &data, &version, &err));
    assert_int_equal(version, 30);
    assert_true(versioned_unwrap(bytes_of(w31, 4), VERSIONED_V30, &data, NULL, &err));
    assert_true(versioned_unwrap(bytes_of(w31, 4), VERSIONED_V31, &data, NULL, &err));
    assert_true(versioned_unwrap(bytes_of(w99, 4), VERSIONED_V31, &data, NULL, &err));
    assert_false(versioned_unwrap(bytes_of(w30, 4), VERSIONED_V31, &data, NULL, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_false(versioned_unwrap(bytes_of(none, 2), VERSIONED_V30, &data, NULL, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
}

static void fill(char *out, const char *head, char c, size_t n, const char *tail)
{
    size_t at = strlen(head);

    memcpy(out, head, at);
    memset(out + at, c, n);
    memcpy(out + at + n, tail, strlen(tail) + 1);
}

static void identifiers_keep_their_limits(void **state)
{
    enum member_kind kind;
    struct error err;
    struct uid uid;
    char text[600];

    (void)state;
    assert_true(uid_parse("alice::" NS, &uid, &err));
    assert_string_equal(uid.id, "alice");
    assert_string_equal(uid.ns, NS);
    assert_true(uid_parse("a:::b", &uid, &err)); /* splits at the first */
    assert_string_equal(uid.ns, ":b");
    fill(text, "", 'a', 185, "::b");
    assert_true(uid_parse(text, NULL, &err));
    fill(text, "", 'a', 186, "::b");
    assert_false(uid_parse(text, NULL, &err));
    fill(text, "a::", 'b', 68, "");
    assert_true(uid_parse(text, NULL, &err));
    fill(text, "a::", 'b', 69, "");
    assert_false(uid_parse(text, NULL, &err));
    assert_false(uid_parse("alice", NULL, &err));
    assert_false(uid_parse("::b", NULL, &err));
    assert_false(uid_parse("a::", NULL, &err));
    assert_false(uid_parse("a::b::c", NULL, &err));
    assert_false(uid_parse("a/b::c", NULL, &err));
    assert_true(member_parse("MED::m::" NS, &kind, NULL, &err));
    assert_int_equal(kind, MEMBER_MEDIATOR);
    assert_string_equal(member_uid("SEQ::s::x"), "s::x");
    assert_false(member_parse("par::m::" NS, &kind, NULL, &err));
    assert_false(member_parse("PAR:m::" NS, &kind, NULL, &err));
    assert_true(party_check("any text:1", &err));
    assert_false(party_check("", &err));
    assert_false(party_check("caf\xc3\xa9", &err));
}

static void psids_have_three_parts_and_two_numbers(void **state)
{
    char text[PSID_TEXT_SIZE];
    struct error err;
    struct psid p;

    (void)state;
    assert_true(psid_parse("da::" NS "::35-0", &p, &err));
    assert_int_equal(p.protocol_version, 35);
    psid_format(&p, text);
    assert_string_equal(text, "da::" NS "::35-0");
    assert_true(psid_logical("da::" NS "::35-7", text, &err));
    assert_string_equal(text, "da::" NS);
    assert_false(psid_parse("da::" NS, &p, &err));
    assert_false(psid_parse("da::" NS "::35", &p, &err));
    assert_false(psid_parse("da::" NS "::35-0-1", &p, &err));
    assert_false(psid_parse("da::" NS "::35--1", &p, &err));
    assert_false(psid_parse("da::" NS "::x::35-0", &p, &err));
    assert_false(psid_parse("da::" NS "::35-2147483648", &p, &err));
}

static void message_ids_are_counted_in_utf16_units(void **state)
{
    char text[400];
    struct error err;

    (void)state;
    assert_true(message_id_check("", &err));
    fill(text, "", 'x', 73, "");
    assert_true(message_id_check(text, &err));
    fill(text, "", 'x', 74, "");
    assert_false(message_id_check(text, &err));
    fill(text, "", 'x', 71, "\xf0\x9f\x94\x92"); /* one character, two units */
    assert_true(message_id_check(text, &err));
    fill(text, "", 'x', 72, "\xf0\x9f\x94\x92");
    assert_false(message_id_check(text, &err));
}

static void gzip_writes_stored_blocks_that_read_back(void **state)
{
    static const uint8_t empty[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff,
                                    3,    0,    0, 0, 0, 0, 0, 0, 0, 0};
    struct buffer in = BUFFER_INIT, packed = BUFFER_INIT, out = BUFFER_INIT;
    struct error err;

    (void)state;
    assert_true(gzip_write(buffer_bytes(&in), &packed, &err));
    assert_true(bytes_equal(buffer_bytes(&packed), bytes_of(empty, sizeof(empty))));
    assert_true(gzip_read(buffer_bytes(&packed), 0, &out, &err));
    assert_int_equal(out.len, 0);
    buffer_clear(&packed);
    for (int i = 0; i < 150000; i++)
        buffer_append_byte(&in, (uint8_t)(i * 7));
    assert_true(gzip_write(buffer_bytes(&in), &packed, &err));
    assert_true(gzip_read(buffer_bytes(&packed), 150000, &out, &err));
    assert_true(bytes_equal(buffer_bytes(&in), buffer_bytes(&out)));
    buffer_clear(&out);
    assert_false(gzip_read(buffer_bytes(&packed), 149999, &out, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(out.len, 0);
    buffer_append(&packed, "trailing", 8); /* ignored */
    assert_true(gzip_read(buffer_bytes(&packed), 150000, &out, &err));
    assert_int_equal(out.len, 150000);
    packed.data[packed.len / 2] ^= 1;
    assert_false(gzip_read(buffer_bytes(&packed), 150000, &out, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    assert_false(gzip_read(bytes_of(packed.data, packed.len / 2), 150000, &out, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    assert_false(gzip_read(bytes_of(NULL, 0), 10, &out, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    buffer_free(&in);
    buffer_free(&packed);
    buffer_free(&out);
}

static void signed_transaction(struct buffer *out, bool is_signed)
{
    P30__NamespaceDelegation nsd;
    P30__TopologyMapping mapping = P30__TOPOLOGY_MAPPING__INIT;
    struct signature s = {.format = SIGNATURE_CONCAT, .algorithm = ALGORITHM_ED25519};
    struct buffer tx = BUFFER_INIT;
    struct error err;

    p30__namespace_delegation__init(&nsd);
    strcpy(s.signed_by, "1220ab");
    buffer_append(&s.bytes, "0123456789", 10);
    nsd.namespace_ = (char *)(uintptr_t)NS;
    mapping.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_NAMESPACE_DELEGATION;
    mapping.namespace_delegation = &nsd;
    assert_true(topology_tx_build(TOPOLOGY_ADD_REPLACE, 1, &mapping, &tx, &err));
    assert_true(signed_topology_tx_build(buffer_bytes(&tx), &s, is_signed, true, out, &err));
    buffer_free(&tx);
    signature_free(&s);
}

static void topology_transactions_keep_their_bytes_and_need_a_signature(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct signed_topology_tx t;
    struct hash h;
    struct error err;

    (void)state;
    signed_transaction(&b, true);
    assert_true(signed_topology_tx_parse(buffer_bytes(&b), &t, &err));
    assert_true(bytes_equal(buffer_bytes(&b), buffer_bytes(&t.raw)));
    assert_int_equal(t.op, TOPOLOGY_ADD_REPLACE);
    assert_int_equal(t.serial, 1);
    assert_int_equal(t.n_signatures, 1);
    assert_true(t.is_proposal);
    assert_string_equal(t.mapping->namespace_delegation->namespace_, NS);
    assert_true(hash_of(HASH_TOPOLOGY_TRANSACTION, buffer_bytes(&t.transaction), &h, &err));
    assert_true(hash_equal(&h, &t.hash));
    signed_topology_tx_free(&t);
    buffer_clear(&b);
    signed_transaction(&b, false);
    assert_false(signed_topology_tx_parse(buffer_bytes(&b), &t, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    buffer_free(&b);
}

static void keys_survive_their_message(void **state)
{
    static const int kinds[][2] = {{KEY_SIGNING, SIGNING_ED25519},
                                   {KEY_SIGNING, SIGNING_P256},
                                   {KEY_ENCRYPTION, ENCRYPTION_RSA_2048}};
    struct error err;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        unsigned usages = kinds[i][0] == KEY_SIGNING ? USAGE_PROTOCOL | USAGE_PROOF : 0;
        struct private_key *k;
        struct public_key *back;
        struct key_message m;

        assert_true(
            private_key_generate((enum key_kind)kinds[i][0], kinds[i][1], usages, &k, &err));
        key_to_message(k->pub, &m);
        assert_true(key_from_public(&m.key, &back, &err));
        assert_true(public_key_equal(k->pub, back));
        public_key_unref(back);
        private_key_unref(k);
    }
}

static void sets_of_texts_are_sorted_and_distinct(void **state)
{
    char *in[] = {"b", "a", "b", "c", "a"};
    struct error err;
    char **set;
    size_t n;

    (void)state;
    assert_true(own_strs(in, 5, &set, &err));
    n = own_strs_set(set, 5);
    assert_int_equal(n, 3);
    assert_string_equal(set[0], "a");
    assert_string_equal(set[2], "c");
    own_strs_free(set, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_100_passes_and_101_does_not),
        cmocka_unit_test(strings_with_nul_or_bad_utf8_are_refused_before_unpacking),
        cmocka_unit_test(unknown_fields_pass_groups_and_cut_ends_do_not),
        cmocka_unit_test(packed_lists_pass_and_wrong_wire_types_do_not),
        cmocka_unit_test(many_small_messages_do_not_take_all_memory),
        cmocka_unit_test(only_the_known_wrong_version_is_refused),
        cmocka_unit_test(identifiers_keep_their_limits),
        cmocka_unit_test(psids_have_three_parts_and_two_numbers),
        cmocka_unit_test(message_ids_are_counted_in_utf16_units),
        cmocka_unit_test(gzip_writes_stored_blocks_that_read_back),
        cmocka_unit_test(topology_transactions_keep_their_bytes_and_need_a_signature),
        cmocka_unit_test(keys_survive_their_message),
        cmocka_unit_test(sets_of_texts_are_sorted_and_distinct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
