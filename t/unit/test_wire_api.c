/* test_wire_api.c: what sequencers and clients exchange: t/vectors/sequencer-api.json value by
 * value, and the rules of requests, events, recipients, batches and statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol_v30.pb-c.h"
#include "protocol_v31.pb-c.h"
#include "vectors.h"
#include "wire/event.h"
#include "wire/gzip.h"
#include "wire/keys.h"
#include "wire/messages.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/signed_content.h"
#include "wire/submission.h"
#include "wire/versioned.h"

#define HEX32(x) x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define P1       "PAR::p1::1220" HEX32("ab")
#define PSID     "sync::1220" HEX32("cd") "::35-0"

static json_t *vectors;

static struct buffer vector(const char *name)
{
    size_t i;
    json_t *v;

    json_array_foreach(json_object_get(vectors, "vectors"), i, v)
    {
        if (strcmp(vectors_str(v, "name"), name) == 0) {
            json_object_set_new(v, "used", json_true());
            return vectors_hex(v, "hex");
        }
    }
    fail_msg("no vector %s", name);
    return (struct buffer)BUFFER_INIT;
}

static void assert_bytes(const struct buffer *b, const char *name)
{
    struct buffer v = vector(name);

    assert_int_equal(b->len, v.len);
    assert_memory_equal(b->data, v.data, v.len);
    buffer_free(&v);
}

static void assert_hash(const struct hash *h, const char *name)
{
    struct buffer v = vector(name);

    assert_int_equal(v.len, HASH_LEN);
    assert_memory_equal(h->b, v.data, HASH_LEN);
    buffer_free(&v);
}

static void one_tree(struct recipients *r, const char *a, const char *b)
{
    const char *texts[] = {a, b};

    *r = (struct recipients){0};
    assert_true(recipients_add(r, 0, texts, b ? 2 : 1, NULL));
}

static void root_hash_content(struct buffer *out)
{
    struct root_hash_message m = {.psid = (char *)(uintptr_t)PSID,
                                  .view_type = VIEW_TYPE_TRANSACTION,
                                  .submission_topology_time = 1700000000000000};

    m.root.b[0] = 0x12;
    m.root.b[1] = 0x20;
    memset(m.root.b + 2, 0x11, 32);
    assert_true(root_hash_message_build(&m, out, NULL));
}

/* The request of the worked example, not yet built. */
static void example(struct submission *s, struct batch *b)
{
    struct buffer content = BUFFER_INIT;
    struct recipients r;

    *s = (struct submission){.max_sequencing_time = 1700000060000000};
    *b = (struct batch){0};
    assert_true(own_str(P1, &s->sender, NULL));
    assert_true(own_str("msg-1", &s->message_id, NULL));
    root_hash_content(&content);
    one_tree(&r, P1, "MGR::0");
    assert_true(batch_add(b, buffer_bytes(&content), NULL, 0, &r, NULL));
    buffer_free(&content);
    assert_true(batch_seal(b, &s->batch, NULL));
}

static void the_worked_example_is_byte_for_byte_as_written(void **state)
{
    struct buffer b = BUFFER_INIT, plain = BUFFER_INIT;
    struct recipients r;
    struct submission s, back;
    struct batch batch;
    struct hash h;
    struct error err;

    (void)state;
    one_tree(&r, P1, "MGR::0"); /* sorted when written */
    assert_true(recipients_build(&r, &b, &err));
    assert_bytes(&b, "recipients_v30");
    recipients_free(&r);
    buffer_clear(&b);
    root_hash_content(&b);
    assert_bytes(&b, "envelope_content_pv35_wrapped");
    example(&s, &batch);
    assert_true(gzip_read(buffer_bytes(&s.batch.envelopes[0]), 1000, &plain, &err));
    assert_bytes(&plain, "envelope_without_recipients_pv35");
    buffer_clear(&plain);
    assert_true(gzip_read(buffer_bytes(&s.batch.recipients), 1000, &plain, &err));
    assert_bytes(&plain, "decompressed_recipients_pv35");
    assert_true(submission_build(&s, &err));
    assert_bytes(&s.raw, "submission_request_pv35_wrapped");
    assert_true(submission_hash(&s, &h, &err));
    assert_hash(&h, "submission_request_pv35_signing_hash");
    buffer_clear(&b);
    buffer_append_be32(&b, HASH_SUBMISSION_REQUEST);
    buffer_append_bytes(&b, buffer_bytes(&s.raw));
    assert_bytes(&b, "submission_request_pv35_signing_preimage");
    assert_true(submission_parse(buffer_bytes(&s.raw), &back, &err));
    assert_true(bytes_equal(buffer_bytes(&back.raw), buffer_bytes(&s.raw)));
    assert_string_equal(back.sender, P1);
    assert_string_equal(back.message_id, "msg-1");
    assert_int_equal(back.max_sequencing_time, 1700000060000000);
    assert_false(back.has_topology_timestamp || back.has_cost);
    assert_int_equal(back.rule.kind, AGGREGATION_NONE);
    submission_free(&back);
    submission_free(&s);
    batch_free(&batch);
    buffer_free(&b);
    buffer_free(&plain);
}

/* The P31 bytes of a batch; and of the one with ordinary deflate. */
static void assert_batch_opens(const char *name)
{
    struct buffer v = vector(name), content = BUFFER_INIT;
    struct compressed_batch cb = {.algorithm = 1};
    struct buffer envelopes[1] = {BUFFER_INIT};
    struct scan s = scan_of(buffer_bytes(&v));
    struct scan_field f;
    struct batch b;
    struct error err;

    cb.envelopes = envelopes;
    while (scan_next(&s, &f)) {
        if (f.number == 2)
            buffer_append_bytes(&cb.recipients, f.bytes);
        if (f.number == 3)
            buffer_append_bytes(&envelopes[cb.n++], f.bytes);
    }
    assert_true(batch_open(&cb, BATCH_LIMIT, &b, &err));
    assert_int_equal(b.n, 1);
    root_hash_content(&content);
    assert_true(bytes_equal(buffer_bytes(&b.envelopes[0].content), buffer_bytes(&content)));
    assert_string_equal(b.recipients[0].all[0].text, "MGR::0");
    assert_string_equal(b.recipients[0].all[1].text, P1);
    batch_free(&b);
    buffer_free(&cb.recipients);
    buffer_free(&envelopes[0]);
    buffer_free(&content);
    buffer_free(&v);
}

static void batches_open_whoever_compressed_them(void **state)
{
    struct compressed_batch empty;
    struct buffer b = BUFFER_INIT;

    (void)state;
    assert_batch_opens("compressed_batch_pv35");
    assert_batch_opens("compressed_batch_pv35_deflate");
    assert_true(compressed_batch_empty(&empty, NULL));
    put_varint(&b, 1, 1);
    put_bytes(&b, 2, buffer_bytes(&empty.recipients));
    assert_bytes(&b, "empty_batch_pv35");
    compressed_batch_free(&empty);
    buffer_free(&b);
}

static void aggregation_ids_and_rules_are_as_written(void **state)
{
    static const struct {
        enum aggregation_kind kind;
        const char *id, *preimage, *rule;
    } cases[] = {
        {AGGREGATION_DEDUP, "aggregation_id_sender_dedup", "aggregation_id_sender_dedup_preimage",
         "aggregation_rule_sender_dedup_pv35"},
        {AGGREGATION_MEDIATOR_GROUP, "aggregation_id_mediator_group_0",
         "aggregation_id_mediator_group_0_preimage", "aggregation_rule_mediator_group_pv35"},
        {AGGREGATION_SEQUENCERS, "aggregation_id_sequencer_group",
         "aggregation_id_sequencer_group_preimage", "aggregation_rule_sequencer_group_pv35"},
        {AGGREGATION_LIST, "aggregation_id_resolved_one_member",
         "aggregation_id_resolved_one_member_preimage", "aggregation_rule_sender_dedup_pv34"},
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct buffer preimage = vector(cases[i].preimage), rule = vector(cases[i].rule);
        struct submission s, back;
        struct batch b;
        struct hash h, direct;
        struct bytes found = {NULL, 0}, data;
        struct scan_field f;
        struct scan scan;
        char *member = strdup(P1);

        example(&s, &b);
        s.rule.kind = cases[i].kind;
        if (s.rule.kind == AGGREGATION_LIST) {
            assert_true(own_strs(&member, 1, &s.rule.members, &err));
            s.rule.n_members = 1;
            s.rule.threshold = 1;
        }
        free(member);
        assert_true(aggregation_id(&s, &b, &h, &err));
        assert_hash(&h, cases[i].id);
        assert_true(sha256(buffer_bytes(&preimage), direct.b + 2, &err));
        assert_memory_equal(h.b + 2, direct.b + 2, 32);
        assert_true(submission_build(&s, &err));
        assert_true(versioned_unwrap(buffer_bytes(&s.raw), VERSIONED_V31, &data, NULL, &err));
        scan = scan_of(data);
        while (scan_next(&scan, &f))
            if (f.number == 7)
                found = f.bytes;
        assert_non_null(found.data);
        assert_true(bytes_equal(found, buffer_bytes(&rule)));
        assert_true(submission_parse(buffer_bytes(&s.raw), &back, &err));
        assert_int_equal(back.rule.kind, cases[i].kind);
        submission_free(&back);
        submission_free(&s);
        batch_free(&b);
        buffer_free(&preimage);
        buffer_free(&rule);
    }
}

static void acknowledgements_and_events_are_as_written(void **state)
{
    struct buffer v, b = BUFFER_INIT;
    struct signed_content sc;
    struct acknowledge ack;
    struct event e;
    struct hash h;
    struct error err;

    (void)state;
    assert_true(acknowledge_build(P1, 1700000000000001, &b, &err));
    assert_bytes(&b, "acknowledge_request_wrapped");
    assert_true(hash_of(HASH_ACKNOWLEDGEMENT, buffer_bytes(&b), &h, &err));
    assert_hash(&h, "acknowledge_request_signing_hash");
    assert_true(acknowledge_parse(buffer_bytes(&b), &ack, &err));
    assert_string_equal(ack.member, P1);
    assert_int_equal(ack.timestamp, 1700000000000001);
    acknowledge_free(&ack);
    v = vector("sequenced_event_receipt_pv35_wrapped");
    assert_true(event_parse(buffer_bytes(&v), &e, &err));
    assert_true(e.has_previous && !e.is_error && e.has_receipt && !e.has_topology_timestamp);
    assert_int_equal(e.previous_ts, 1700000000000000);
    assert_int_equal(e.ts, 1700000000000005);
    assert_string_equal(e.psid, PSID);
    assert_string_equal(e.message_id, "msg-1");
    assert_int_equal(e.batch.n, 0);
    assert_int_equal(e.receipt.consumed_cost, 310);
    assert_int_equal(e.receipt.base_traffic_remainder, 204490);
    assert_true(event_hash(&e, &h, &err));
    assert_hash(&h, "sequenced_event_receipt_pv35_signing_hash");
    assert_true(event_build(&e, &err)); /* the same from its fields */
    assert_bytes(&e.raw, "sequenced_event_receipt_pv35_wrapped");
    event_free(&e);
    buffer_free(&v);
    v = vector("signed_content_sequenced_event_pv35_wrapped");
    assert_true(signed_content_parse(buffer_bytes(&v), &sc, &err));
    assert_bytes(&sc.content, "sequenced_event_receipt_pv35_wrapped");
    assert_int_equal(sc.n_signatures, 1);
    assert_int_equal(sc.signature.format, SIGNATURE_CONCAT);
    assert_false(sc.has_timestamp_of_signing_key);
    buffer_clear(&b);
    assert_true(signed_content_build(buffer_bytes(&sc.content), &sc.signature, NULL, &b, &err));
    assert_bytes(&b, "signed_content_sequenced_event_pv35_wrapped");
    signed_content_free(&sc);
    buffer_free(&v);
    buffer_free(&b);
}

static void recipients_parse_as_listed(void **state)
{
    size_t i;
    json_t *v, *c;

    (void)state;
    json_array_foreach(json_object_get(vectors, "vectors"), i, v)
    {
        size_t j;

        if (strcmp(vectors_str(v, "name"), "recipient_parse") != 0)
            continue;
        json_object_set_new(v, "used", json_true());
        json_array_foreach(json_object_get(v, "decoded"), j, c)
        {
            const char *canonical = vectors_str(c, "canonical");
            struct recipient r;
            struct error err;

            assert_int_equal(recipient_parse(vectors_str(c, "text"), &r, &err), canonical != NULL);
            if (canonical)
                assert_string_equal(r.text, canonical);
            recipient_free(&r);
        }
    }
}

static void protocol_version_34_is_refused_and_yet_hashed(void **state)
{
    struct buffer v = vector("submission_request_pv34_wrapped"), batch = vector("batch_pv34");
    struct buffer test34 = vector("submission_request_canton_test_pv34");
    struct buffer test35 = vector("submission_request_canton_test_pv35");
    struct recipients r;
    struct submission s;
    struct buffer one = BUFFER_INIT;
    struct batch b;
    struct hash h;
    struct error err;
    P30__Batch *m;

    (void)state;
    assert_false(submission_parse(buffer_bytes(&v), &s, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_true(hash_of(HASH_SUBMISSION_REQUEST, buffer_bytes(&v), &h, &err));
    assert_hash(&h, "submission_request_pv34_signing_hash");
    m = wire_unpack(&p30__batch__descriptor, buffer_bytes(&batch), &err);
    assert_non_null(m);
    assert_true(wire_pack(m->envelopes[0]->recipients, &one, &err));
    assert_true(recipients_parse(buffer_bytes(&one), &r, &err));
    assert_string_equal(r.all[1].text, P1);
    recipients_free(&r);
    wire_message_free(m);
    assert_int_equal(test34.len, 134);
    assert_false(submission_parse(buffer_bytes(&test34), &s, &err));
    assert_int_equal(test35.len, 154);
    assert_true(submission_parse(buffer_bytes(&test35), &s, &err));
    assert_true(s.has_cost);
    assert_int_equal(s.cost, 5);
    assert_true(batch_open(&s.batch, BATCH_LIMIT, &b, &err));
    assert_int_equal(b.envelopes[0].content.len, 5);
    assert_string_equal(b.recipients[0].all[0].text, "PAR::participant11::default");
    buffer_clear(&one);
    assert_true(submission_build(&s, &err));
    assert_bytes(&s.raw, "submission_request_canton_test_pv35");
    batch_free(&b);
    submission_free(&s);
    buffer_free(&v);
    buffer_free(&batch);
    buffer_free(&test34);
    buffer_free(&test35);
    buffer_free(&one);
}

static void every_vector_but_those_of_traffic_is_used(void **state)
{
    size_t i;
    json_t *v;

    (void)state;
    json_array_foreach(json_object_get(vectors, "vectors"), i, v)
    {
        const char *name = vectors_str(v, "name");

        if (strstr(name, "traffic") == NULL && !json_object_get(v, "used"))
            fail_msg("vector %s is not used", name);
    }
}

static void gzip_of_the_peers_is_read(void **state)
{
    bool skipped;
    json_t *real = vectors_outside("real.json", &skipped), *v;
    size_t i;

    (void)state;
    if (skipped)
        skip();
    assert_non_null(real);
    json_array_foreach(json_object_get(real, "gzip"), i, v)
    {
        struct buffer in = vectors_hex(v, "hex"), out = BUFFER_INIT;

        assert_true(gzip_read(buffer_bytes(&in), 1000, &out, NULL));
        assert_true(bytes_equal(buffer_bytes(&out), bytes_str(vectors_str(v, "decoded"))));
        buffer_free(&in);
        buffer_free(&out);
    }
    json_decref(real);
}

static void presence_of_cost_and_rule_is_kept(void **state)
{
    struct submission s, back;
    struct batch b;
    struct error err;

    (void)state;
    example(&s, &b);
    s.has_cost = true;
    s.rule.kind = AGGREGATION_DEDUP;
    assert_true(submission_build(&s, &err));
    assert_non_null(memmem(s.raw.data, s.raw.len, "\x3a\x00\x42\x00", 4));
    assert_true(submission_parse(buffer_bytes(&s.raw), &back, &err));
    assert_true(back.has_cost);
    assert_int_equal(back.cost, 0);
    assert_int_equal(back.rule.kind, AGGREGATION_DEDUP);
    submission_free(&back);
    s.cost = -1;
    assert_false(submission_build(&s, &err));
    s.cost = 0;
    s.max_sequencing_time = TS_MAX + 1;
    assert_false(submission_build(&s, &err));
    submission_free(&s);
    batch_free(&b);
}

static bool rule_parses(const char *const *members, size_t n, int threshold,
                        enum aggregation_kind *kind)
{
    P31__SubmissionRequest m = P31__SUBMISSION_REQUEST__INIT;
    P31__CompressedBatch batch = P31__COMPRESSED_BATCH__INIT;
    P30__AggregationRule rule = P30__AGGREGATION_RULE__INIT;
    struct buffer b = BUFFER_INIT;
    struct submission s;
    struct error err;
    bool ok;

    m.sender = (char *)(uintptr_t)P1;
    m.batch = &batch;
    m.aggregation_rule = &rule;
    rule.eligible_members = (char **)(uintptr_t)members;
    rule.n_eligible_members = n;
    rule.threshold = threshold;
    assert_true(versioned_pack(&m, VERSIONED_V31, &b, NULL));
    ok = submission_parse(buffer_bytes(&b), &s, &err);
    if (ok)
        *kind = s.rule.kind;
    submission_free(&s);
    buffer_free(&b);
    return ok;
}

static void rules_mix_nothing_and_lists_need_a_threshold(void **state)
{
    const char *members[] = {P1, P1}, *mixed[] = {P1, "MGR::0"}, *two[] = {"MGR::0", "MGR::1"};
    const char *all[] = {"ALL::All"}, *plus[] = {"MGR::+3"}, *sod[] = {"SOD::"}, *bad[] = {"x"};
    enum aggregation_kind kind;

    (void)state;
    assert_true(rule_parses(members, 2, 1, &kind));
    assert_int_equal(kind, AGGREGATION_LIST);
    assert_false(rule_parses(members, 2, 0, &kind));
    assert_false(rule_parses(mixed, 2, 1, &kind));
    assert_false(rule_parses(two, 2, 1, &kind));
    assert_false(rule_parses(all, 1, 1, &kind));
    assert_false(rule_parses(bad, 1, 1, &kind));
    assert_true(rule_parses(plus, 1, 0, &kind));
    assert_int_equal(kind, AGGREGATION_MEDIATOR_GROUP);
    assert_true(rule_parses(sod, 1, 0, &kind));
    assert_int_equal(kind, AGGREGATION_SEQUENCERS);
}

static bool in_group_1(void *ctx, const struct recipient *group)
{
    (void)ctx;
    return group->kind == RECIPIENT_MEDIATOR_GROUP && group->group == 1;
}

static bool in_no_group(void *ctx, const struct recipient *group)
{
    (void)ctx;
    (void)group;
    return false;
}

static void build_text(const struct recipients *r, struct buffer *out)
{
    buffer_clear(out);
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        buffer_printf(out, "%u", r->nodes[i].depth);
        for (uint32_t j = 0; j < r->nodes[i].n; j++)
            buffer_printf(out, "%s%s", j ? "," : ":", r->all[r->nodes[i].first + j].text);
        buffer_append_str(out, " ");
    }
}

static void a_receiver_sees_its_node_and_below_only(void **state)
{
    const char *a[] = {"PAR::a::x"}, *b[] = {"PAR::b::x", "MGR::1", "MGR::1"}, *c[] = {"PAR::c::x"};
    struct recipients r = {0}, seen, back;
    struct buffer text = BUFFER_INIT, bytes = BUFFER_INIT;
    struct error err;

    (void)state;
    assert_false(recipients_add(&r, 1, a, 1, &err)); /* no parent */
    assert_true(recipients_add(&r, 0, a, 1, &err));
    assert_true(recipients_add(&r, 1, c, 1, &err));
    assert_true(recipients_add(&r, 2, b, 3, &err));
    assert_true(recipients_add(&r, 3, a, 1, &err));
    assert_true(recipients_add(&r, 1, a, 1, &err));
    assert_true(recipients_add(&r, 0, c, 1, &err));
    assert_false(recipients_add(&r, 2, a, 1, &err));
    assert_true(recipients_build(&r, &bytes, &err));
    assert_true(recipients_parse(buffer_bytes(&bytes), &back, &err));
    build_text(&back, &text);
    assert_string_equal(buffer_cstr(&text),
                        "0:PAR::a::x 1:PAR::c::x 2:MGR::1,PAR::b::x 3:PAR::a::x 1:PAR::a::x "
                        "0:PAR::c::x ");
    assert_int_equal(back.nodes[0].end, 5);
    assert_int_equal(back.nodes[1].end, 4);
    assert_true(recipients_filter(&back, "PAR::a::x", in_group_1, NULL, &seen, &err));
    build_text(&seen, &text);
    assert_string_equal(buffer_cstr(&text), "0:PAR::a::x 1:PAR::c::x 2:MGR::1,PAR::b::x "
                                            "3:PAR::a::x 1:PAR::a::x ");
    recipients_free(&seen);
    assert_true(recipients_filter(&back, "PAR::z::x", in_group_1, NULL, &seen, &err));
    build_text(&seen, &text);
    assert_string_equal(buffer_cstr(&text), "0:MGR::1,PAR::b::x 1:PAR::a::x ");
    recipients_free(&seen);
    assert_true(recipients_filter(&back, "PAR::c::x", in_no_group, NULL, &seen, &err));
    build_text(&seen, &text);
    assert_string_equal(buffer_cstr(&text),
                        "0:PAR::c::x 1:MGR::1,PAR::b::x 2:PAR::a::x 0:PAR::c::x ");
    assert_int_equal(seen.nodes[0].end, 3);
    recipients_free(&seen);
    assert_true(recipients_filter(&back, "PAR::z::x", in_no_group, NULL, &seen, &err));
    assert_int_equal(seen.n_nodes, 0);
    recipients_free(&seen);
    recipients_free(&back);
    recipients_free(&r);
    buffer_free(&text);
    buffer_free(&bytes);
}

static void batches_keep_to_their_limits_and_counts(void **state)
{
    struct submission s;
    struct batch b, out;
    struct recipients r;
    struct buffer big = BUFFER_INIT, copy;
    struct error err;

    (void)state;
    example(&s, &b);
    assert_true(batch_open(&s.batch, 140, &out, &err)); /* the envelope has exactly 140 bytes */
    batch_free(&out);
    assert_false(batch_open(&s.batch, 139, &out, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    s.batch.algorithm = 0; /* recipients plain, envelopes gzip all the same */
    copy = s.batch.recipients;
    s.batch.recipients = vector("decompressed_recipients_pv35");
    assert_true(batch_open(&s.batch, 140, &out, &err));
    batch_free(&out);
    s.batch.algorithm = 2;
    assert_false(batch_open(&s.batch, 140, &out, &err));
    struct buffer again = vector("decompressed_recipients_pv35");
    buffer_append_bytes(&s.batch.recipients, buffer_bytes(&again)); /* two lists */
    buffer_free(&again);
    s.batch.algorithm = 0;
    assert_false(batch_open(&s.batch, 1000, &out, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    buffer_free(&s.batch.recipients);
    s.batch.recipients = copy;
    s.batch.algorithm = 1;
    s.batch.envelopes[0].data[15] ^= 0xff;
    assert_false(batch_open(&s.batch, 1000, &out, &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    submission_free(&s);
    batch_free(&b);
    for (int i = 0; i < 900; i++)
        buffer_append_byte(&big, 'x');
    b = (struct batch){0};
    for (int i = 0; i < 12; i++) {
        one_tree(&r, P1, NULL);
        assert_true(batch_add(&b, buffer_bytes(&big), NULL, 0, &r, &err));
    }
    s = (struct submission){0};
    assert_true(batch_seal(&b, &s.batch, &err));
    assert_false(batch_open(&s.batch, 1200, &out, &err)); /* each fits, together they do not */
    assert_int_equal(err.code, ERR_LIMIT);
    assert_true(batch_open(&s.batch, 1400, &out, &err));
    batch_free(&out);
    batch_free(&b);
    submission_free(&s);
    buffer_free(&big);
}

static void filtering_passes_compressed_envelopes_on(void **state)
{
    struct buffer content = BUFFER_INIT;
    struct compressed_batch cb, seen;
    struct batch b = {0}, out;
    struct recipients r, *list;
    struct error err;

    (void)state;
    root_hash_content(&content);
    one_tree(&r, "PAR::a::x", NULL);
    assert_true(batch_add(&b, buffer_bytes(&content), NULL, 0, &r, &err));
    one_tree(&r, "PAR::b::x", "MGR::1");
    assert_true(batch_add(&b, buffer_bytes(&content), NULL, 0, &r, &err));
    assert_true(batch_seal(&b, &cb, &err));
    assert_true(batch_read_recipients(&cb, BATCH_LIMIT, &list, &err));
    assert_true(batch_filter(&cb, list, "MED::m::x", in_group_1, NULL, &seen, &err));
    assert_int_equal(seen.n, 1);
    assert_true(bytes_equal(buffer_bytes(&seen.envelopes[0]), buffer_bytes(&cb.envelopes[1])));
    assert_true(batch_open(&seen, BATCH_LIMIT, &out, &err));
    assert_string_equal(out.recipients[0].all[0].text, "MGR::1");
    batch_free(&out);
    compressed_batch_free(&seen);
    assert_true(batch_filter(&cb, list, "PAR::z::x", in_no_group, NULL, &seen, &err));
    assert_int_equal(seen.n, 0);
    assert_int_equal(seen.recipients.len, 20); /* the empty batch */
    compressed_batch_free(&seen);
    batch_recipients_free(list, cb.n);
    compressed_batch_free(&cb);
    batch_free(&b);
    buffer_free(&content);
}

/* Fields of a SequencedEvent behind psid and timestamp, as hex. */
static bool event_parses(const char *more)
{
    struct buffer data = BUFFER_INIT, w = BUFFER_INIT;
    uint8_t bytes[128];
    struct event e;
    struct error err;
    bool ok;

    assert_true(hex_decode(more, bytes, strlen(more) / 2));
    put_varint(&data, 2, 5);
    put_str(&data, 3, PSID);
    buffer_append(&data, bytes, strlen(more) / 2);
    assert_true(versioned_wrap(buffer_bytes(&data), VERSIONED_V31, &w, NULL));
    ok = event_parse(buffer_bytes(&w), &e, &err);
    if (ok)
        event_free(&e);
    else
        assert_int_equal(err.code, ERR_MALFORMED);
    buffer_free(&data);
    buffer_free(&w);
    return ok;
}

static void an_event_is_a_batch_or_an_error(void **state)
{
    (void)state;
    assert_true(event_parses("2a00"));                            /* a batch */
    assert_false(event_parses(""));                               /* neither */
    assert_false(event_parses("2a003200"));                       /* both */
    assert_true(event_parses("2201613200"));                      /* an error to its sender */
    assert_false(event_parses("3200"));                           /* without message id */
    assert_false(event_parses("22016132003805"));                 /* with topology timestamp */
    assert_false(event_parses("2a02080232"));                     /* cut short */
    assert_false(event_parses("2a020802"));                       /* unknown compression */
    assert_false(event_parses("2a00420b08ffffffffffffffffff01")); /* a cost of 2^64 - 1 */
    assert_false(event_parses("2a001080808080808080808001"));     /* a time before year 1 */
}

static bool frame_parses(const char *hex)
{
    struct buffer w = BUFFER_INIT;
    uint8_t bytes[64];
    struct signed_content c;
    struct error err;
    bool ok;

    assert_true(hex_decode(hex, bytes, strlen(hex) / 2));
    assert_true(versioned_wrap(bytes_of(bytes, strlen(hex) / 2), VERSIONED_V30, &w, NULL));
    ok = signed_content_parse(buffer_bytes(&w), &c, &err);
    if (ok)
        signed_content_free(&c);
    buffer_free(&w);
    return ok;
}

static void signed_content_has_content_and_a_signature(void **state)
{
    (void)state;
    assert_true(frame_parses("0a0012061201781a0161"));  /* empty content is content */
    assert_false(frame_parses("12061201781a0161"));     /* none */
    assert_false(frame_parses("0a00"));                 /* no signature */
    assert_false(frame_parses("0a0012031a0161"));       /* without bytes */
    assert_false(frame_parses("0a001203120178"));       /* without signer */
    assert_false(frame_parses("0a0012061201781a012f")); /* "/" is no fingerprint */
    assert_true(frame_parses("0a001203120178"
                             "12061201781a0161")); /* the last one counts */
    assert_false(frame_parses("0a0012061201781a0161"
                              "1203120178"));
}

static void a_time_proof_is_empty_and_never_expires(void **state)
{
    struct submission s, back;
    struct error err;

    (void)state;
    assert_true(submission_time_proof(P1, "tick-1", &s, &err));
    assert_true(submission_parse(buffer_bytes(&s.raw), &back, &err));
    assert_int_equal(back.max_sequencing_time, TS_MAX);
    assert_int_equal(back.batch.n, 0);
    assert_int_equal(back.rule.kind, AGGREGATION_NONE);
    assert_string_equal(back.message_id, "tick-1");
    submission_free(&back);
    submission_free(&s);
    assert_false(submission_time_proof("nobody", "tick-1", &s, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_is_byte_for_byte_as_written),
        cmocka_unit_test(batches_open_whoever_compressed_them),
        cmocka_unit_test(aggregation_ids_and_rules_are_as_written),
        cmocka_unit_test(acknowledgements_and_events_are_as_written),
        cmocka_unit_test(recipients_parse_as_listed),
        cmocka_unit_test(protocol_version_34_is_refused_and_yet_hashed),
        cmocka_unit_test(every_vector_but_those_of_traffic_is_used),
        cmocka_unit_test(gzip_of_the_peers_is_read),
        cmocka_unit_test(presence_of_cost_and_rule_is_kept),
        cmocka_unit_test(rules_mix_nothing_and_lists_need_a_threshold),
        cmocka_unit_test(a_receiver_sees_its_node_and_below_only),
        cmocka_unit_test(batches_keep_to_their_limits_and_counts),
        cmocka_unit_test(filtering_passes_compressed_envelopes_on),
        cmocka_unit_test(an_event_is_a_batch_or_an_error),
        cmocka_unit_test(signed_content_has_content_and_a_signature),
        cmocka_unit_test(a_time_proof_is_empty_and_never_expires),
    };
    int failed;

    vectors = vectors_own("sequencer-api.json");
    if (!vectors)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vectors);
    return failed;
}
