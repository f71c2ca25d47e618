/* What apply decides about each kind of entry, with real keys and signed submissions; and that two
 * replicas over one log, and a second look at an old entry, come to the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/unit/session_key.h"
#include "t/unit/topology_world.h"

#include "base/random.h"
#include "sequencer/aggregation.h"
#include "sequencer/apply.h"
#include "wire/signed_content.h"
#include "wire/status.h"
#include "wire/submission.h"

#define START 1600000000000000LL

static struct world w;
static struct node alice, bob;
static struct apply a;

/* A synchronizer with alice and bob in it; apply at the beginning of the log, its rule version
 * read. */
static void feed_rule_version(struct apply *to, int64_t ts)
{
    struct buffer body = BUFFER_INIT, payload = BUFFER_INIT;
    struct entry_parts parts = {0};
    struct outcome *o;
    struct error e;

    entry_rule_version_body(RULE_VERSION, &body);
    parts.body = buffer_bytes(&body);
    entry_build(&parts, &payload);
    struct entry entry = {.ts = ts, .kind = ENTRY_RULE_VERSION, .payload = buffer_bytes(&payload)};
    must(apply_entry(to, &entry, &o, &e), &e);
    assert_int_equal(o->kind, OUTCOME_NOTHING);
    outcome_unref(o);
    buffer_free(&body);
    buffer_free(&payload);
}

static int open_world(void **state)
{
    struct error e;

    (void)state;
    world_open(&w);
    participant_join(&w, &alice, "alice");
    participant_join(&w, &bob, "bob");
    must(apply_open(&a, w.t, w.psid, w.sequencer.member, w.now, &e), &e);
    feed_rule_version(&a, ++w.now);
    w.now += 10;
    a.ticked_ts = w.now; /* what changed before is no business of these tests */
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    apply_close(&a);
    node_close(&alice);
    node_close(&bob);
    world_close(&w);
    return 0;
}

/* A submission to be made; what is left out is sensible. */
struct draft {
    const struct node *from, *signer, *envelope_signer; /* signer: from; envelope_signer: nobody */
    const char *id, *content;
    const char *to[4]; /* a tree each */
    struct aggregation_rule rule;
    int64_t max; /* an hour from now */
    bool has_topology_timestamp;
    const struct session_of *session, *envelope_session; /* that signs in place of the key */
};

static void add_envelope(const struct draft *d, struct batch *b)
{
    struct recipients to = {0};
    struct signature s = {0};
    struct error e;
    struct hash h;

    for (size_t i = 0; i < 4 && d->to[i]; i++)
        must(recipients_add(&to, 0, &d->to[i], 1, &e), &e);
    if (d->envelope_signer) {
        must(hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, bytes_str(d->content), &h, &e), &e);
        if (d->envelope_session)
            session_sign(d->envelope_session, &h, &s);
        else
            must(keyring_sign(d->envelope_signer->keys, USAGE_PROTOCOL, NULL, 0, &h, &s, &e), &e);
    }
    must(batch_add(b, bytes_str(d->content), &s, d->envelope_signer != NULL, &to, &e), &e);
    signature_free(&s);
}

static struct buffer draft_payload(const struct draft *d)
{
    struct submission s = {.sender = strdup(d->from->member),
                           .message_id = strdup(d->id ? d->id : "m"),
                           .max_sequencing_time = d->max ? d->max : w.now + 300000000,
                           .has_topology_timestamp = d->has_topology_timestamp,
                           .rule = d->rule};
    struct buffer frame = BUFFER_INIT, payload = BUFFER_INIT;
    struct entry_parts parts = {.traceparent = bytes_str("00-tp")};
    struct batch b = {0};
    struct signature sig;
    struct error e;
    struct hash h;

    if (d->content)
        add_envelope(d, &b);
    must(batch_seal(&b, &s.batch, &e), &e);
    must(submission_build(&s, &e), &e);
    must(submission_hash(&s, &h, &e), &e);
    if (d->session)
        session_sign(d->session, &h, &sig);
    else
        must(keyring_sign((d->signer ? d->signer : d->from)->keys, USAGE_PROTOCOL, NULL, 0, &h,
                          &sig, &e),
             &e);
    must(signed_content_build(buffer_bytes(&s.raw), &sig, NULL, &frame, &e), &e);
    parts.body = buffer_bytes(&frame);
    entry_build(&parts, &payload);
    memset(&s.rule, 0, sizeof(s.rule)); /* borrowed from the draft */
    submission_free(&s);
    signature_free(&sig);
    batch_free(&b);
    buffer_free(&frame);
    return payload;
}

static struct outcome *apply_payload(const struct buffer *payload)
{
    struct entry entry = {
        .ts = ++w.now, .kind = ENTRY_SUBMISSION, .payload = buffer_bytes(payload)};
    struct outcome *o;
    struct error e;

    must(apply_entry(&a, &entry, &o, &e), &e);
    return o;
}

static struct outcome *apply_draft(const struct draft *d)
{
    struct buffer payload = draft_payload(d);
    struct outcome *o = apply_payload(&payload);

    buffer_free(&payload);
    return o;
}

/* Kind, and for what is refused the error id: of the status, or of the reason that is logged. */
static void expect(const struct draft *d, enum outcome_kind kind, const char *id)
{
    struct outcome *o = apply_draft(d);
    struct wire_status st;
    struct error e;

    if (o->kind != kind || (id && (!o->why || strncmp(o->why, id, strlen(id)) != 0)))
        fail_msg("kind %d, expected %d %s: %s", o->kind, kind, id ? id : "", o->why ? o->why : "");
    if (kind == OUTCOME_REJECT) {
        must(wire_status_parse(buffer_bytes(&o->status), &st, &e), &e);
        char *reason = wire_status_reason(&st);
        assert_string_equal(reason, id);
        free(reason);
        wire_status_free(&st);
        assert_int_equal(o->receivers.n, 1);
        assert_string_equal(o->receivers.m[0], d->from->member);
        assert_string_equal(o->message_id, d->id ? d->id : "m");
    } else if (kind == OUTCOME_DISCARD) {
        assert_int_equal(o->receivers.n, 0);
    }
    outcome_unref(o);
}

static struct session_of session_for(const struct node *n, const struct private_key *key)
{
    return (struct session_of){.owner = keyring_newest(n->keys, USAGE_PROTOCOL),
                               .key = key,
                               .synchronizer = topology_synchronizer(w.t),
                               .from = w.now + 1,
                               .seconds = 1};
}

/* Ordered at ts, by a replica that has done the arithmetic when verified_by is given. */
static enum outcome_kind ordered(const struct buffer *payload, int64_t ts, const char *verified_by)
{
    struct entry entry = {.ts = w.now = ts,
                          .kind = ENTRY_SUBMISSION,
                          .payload = buffer_bytes(payload),
                          .verified_by = verified_by};
    struct outcome *o;
    struct error e;

    must(apply_entry(&a, &entry, &o, &e), &e);
    enum outcome_kind kind = o->kind;
    outcome_unref(o);
    return kind;
}

static void a_session_key_counts_while_it_is_in_force_on_every_replica(void **state)
{
    struct private_key *key = session_key_new(SIGNING_P256);
    struct session_of s = session_for(&alice, key);
    struct draft d = {.from = &alice, .session = &s};
    const char *shortcuts[] = {NULL, s.owner->pub->fingerprint, key->pub->fingerprint};
    struct buffer payload = draft_payload(&d);
    int64_t start = s.from;

    (void)state;
    for (int i = 0; i < 3; i++) /* the shortcut decides nothing */
        assert_int_equal(ordered(&payload, start + i, shortcuts[i]), OUTCOME_DELIVER);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ordered(&payload, start + 1000000 + i, shortcuts[i]), OUTCOME_DISCARD);
    buffer_free(&payload);
    s.from = w.now + 1000;
    payload = draft_payload(&d);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ordered(&payload, w.now + 1, shortcuts[i]), OUTCOME_DISCARD);
    buffer_free(&payload);
    s = session_for(&bob, key);
    expect(&d, OUTCOME_DISCARD, "INVALID_SUBMISSION_REQUEST_SIGNATURE: Invalid signature");
    private_key_unref(key);
}

static void a_session_key_signs_envelopes_and_is_sent_on(void **state)
{
    struct private_key *key = session_key_new(SIGNING_ED25519);
    struct session_of s = session_for(&w.mediator, key);
    struct batch b = {0};
    struct draft d = {.from = &w.mediator,
                      .content = "by session",
                      .to = {alice.member},
                      .envelope_signer = &w.mediator,
                      .envelope_session = &s,
                      .rule = {.kind = AGGREGATION_MEDIATOR_GROUP}};
    struct outcome *o = apply_draft(&d);
    struct error e;

    (void)state;
    assert_int_equal(o->kind, OUTCOME_DELIVER);
    must(batch_open(&o->batch, BATCH_LIMIT, &b, &e), &e);
    const struct delegation *kept = b.envelopes[0].signatures[0].delegation;

    assert_non_null(kept);
    assert_string_equal(kept->key->fingerprint, key->pub->fingerprint);
    assert_int_equal(kept->valid_from, s.from);
    batch_free(&b);
    outcome_unref(o);
    d.content = "by session, later";
    w.now = s.from + 1000000;
    expect(&d, OUTCOME_DISCARD, "INVALID_ENVELOPE_SIGNATURE");
    private_key_unref(key);
}

static void a_contribution_whose_session_ends_does_not_count(void **state)
{
    struct private_key *key = session_key_new(SIGNING_ED25519);
    struct session_of s = session_for(&w.mediator, key);
    struct aggregation_rule rule = {.kind = AGGREGATION_MEDIATOR_GROUP};
    struct signature sig, *list = &sig;
    size_t n = 1;
    struct contribution c = {
        .member = w.mediator.member, .n_envelopes = 1, .signatures = &list, .n_signatures = &n};
    struct view v = {w.t, s.from};
    bool keep;
    struct hash h;

    (void)state;
    assert_true(hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, bytes_str("x"), &h, NULL));
    session_sign(&s, &h, &sig);
    assert_true(contributions_complete(&v, &rule, &c, 1, &keep));
    v.ts = s.from + 1000000;
    assert_false(contributions_complete(&v, &rule, &c, 1, &keep));
    v.ts = s.from;
    sig.delegation->seconds++; /* not what was vouched for */
    assert_false(contributions_complete(&v, &rule, &c, 1, &keep));
    signature_free(&sig);
    private_key_unref(key);
}

static void what_cannot_be_trusted_is_discarded(void **state)
{
    struct node stranger;

    (void)state;
    node_open(&stranger, MEMBER_PARTICIPANT, "stranger");
    expect(&(struct draft){.from = &stranger}, OUTCOME_DISCARD, "SEQUENCER_SENDER_UNKNOWN");
    expect(&(struct draft){.from = &alice, .signer = &bob}, OUTCOME_DISCARD,
           "INVALID_SUBMISSION_REQUEST_SIGNATURE: Invalid signature");
    expect(
        &(struct draft){
            .from = &alice, .content = "x", .to = {bob.member}, .envelope_signer = &bob},
        OUTCOME_DISCARD, "INVALID_ENVELOPE_SIGNATURE: Invalid signature of envelope");
    expect(&(struct draft){.from = &alice, .content = "x", .to = {"MGR::0", "ALL::All"}},
           OUTCOME_DISCARD, "MULTIPLE_MEDIATOR_RECIPIENTS: Batch");
    expect(&(struct draft){.from = &alice,
                           .content = "x",
                           .to = {bob.member},
                           .rule = {.kind = AGGREGATION_MEDIATOR_GROUP}},
           OUTCOME_DISCARD, "SEQUENCER_SUBMISSION_REQUEST_MALFORMED");
    node_close(&stranger);
}

static void the_last_moment_is_in_time_and_the_next_is_not(void **state)
{
    (void)state;
    expect(&(struct draft){.from = &alice, .max = w.now + 1}, OUTCOME_DELIVER, NULL);
    expect(&(struct draft){.from = &alice, .max = w.now}, OUTCOME_DISCARD,
           "MAX_SEQUENCING_TIME_EXCEEDED");
}

static void what_the_sender_could_not_know_is_an_error_to_it_alone(void **state)
{
    (void)state;
    expect(&(struct draft){.from = &alice, .content = "x", .to = {"PAR::nobody::1220aa"}},
           OUTCOME_REJECT, "SEQUENCER_UNKNOWN_RECIPIENTS");
    expect(&(struct draft){.from = &alice, .has_topology_timestamp = true}, OUTCOME_REJECT,
           "SEQUENCER_UNIMPLEMENTED");
    expect(&(struct draft){.from = &alice, .content = "x", .to = {"MGR::7"}}, OUTCOME_REJECT,
           "SEQUENCER_SUBMISSION_REQUEST_REFUSED");
    expect(&(struct draft){.from = &alice,
                           .content = "x",
                           .to = {bob.member},
                           .rule = {.kind = AGGREGATION_DEDUP},
                           .max = w.now + 1 + 360000000},
           OUTCOME_REJECT, "SEQUENCER_MAX_SEQUENCING_TIME_TOO_FAR");
}

static void groups_and_the_sender_get_the_event(void **state)
{
    struct outcome *o = apply_draft(
        &(struct draft){.from = &alice, .content = "x", .to = {"MGR::0", "SOD::", bob.member}});

    (void)state;
    assert_int_equal(o->kind, OUTCOME_DELIVER);
    assert_int_equal(o->receivers.n, 4);
    assert_true(member_list_has(&o->receivers, w.mediator.member));
    assert_true(member_list_has(&o->receivers, w.sequencer.member));
    assert_true(member_list_has(&o->receivers, alice.member));
    assert_string_equal(o->traceparent, "00-tp");
    outcome_unref(o);
}

static char *list[2];
static struct draft listed(const struct node *from, const char *id)
{
    list[0] = alice.member;
    list[1] = bob.member;
    return (struct draft){
        .from = from,
        .id = id,
        .content = "together",
        .to = {alice.member},
        .envelope_signer = from,
        .max = w.now + 100000000,
        .rule = {.kind = AGGREGATION_LIST, .members = list, .n_members = 2, .threshold = 2}};
}

static void a_threshold_delivers_once_with_signatures_in_order_of_members(void **state)
{
    struct draft from_bob = listed(&bob, "b"), from_alice = listed(&alice, "a");
    struct batch b = {0};
    struct error e;

    (void)state;
    from_alice.max = from_bob.max;
    expect(&from_bob, OUTCOME_RECEIPT, NULL);
    expect(&from_bob, OUTCOME_REJECT, "SEQUENCER_AGGREGATE_SUBMISSION_STUFFING");
    struct outcome *o = apply_draft(&from_alice);
    assert_int_equal(o->kind, OUTCOME_DELIVER);
    assert_int_equal(o->n_contributions, 2);
    must(batch_open(&o->batch, BATCH_LIMIT, &b, &e), &e);
    assert_int_equal(b.envelopes[0].n_signatures, 2);
    assert_non_null(keyring_find(alice.keys, b.envelopes[0].signatures[0].signed_by));
    assert_non_null(keyring_find(bob.keys, b.envelopes[0].signatures[1].signed_by));
    batch_free(&b);
    outcome_unref(o);
    expect(&from_alice, OUTCOME_REJECT, "SEQUENCER_AGGREGATE_SUBMISSION_ALREADY_SENT");
    assert_int_equal(aggregations_count(a.aggregations), 1);
    w.now = from_bob.max + 10000000;
    expect(&(struct draft){.from = &alice}, OUTCOME_DELIVER, NULL);
    assert_int_equal(aggregations_count(a.aggregations), 0);
}

static void a_group_rule_needs_signed_envelopes(void **state)
{
    struct draft d = {.from = &w.mediator,
                      .content = "verdict",
                      .to = {alice.member},
                      .rule = {.kind = AGGREGATION_MEDIATOR_GROUP}};

    (void)state;
    expect(&d, OUTCOME_RECEIPT, NULL); /* unsigned: it never completes */
    d.content = "another";
    d.envelope_signer = &w.mediator;
    expect(&d, OUTCOME_DELIVER, NULL);
}

/* Everything is wrong; then, from the first check on, one thing after the other is put right. */
static void the_first_check_that_fails_decides(void **state)
{
    struct node stranger;
    char *unknown[] = {(char *)"PAR::nobody::1220aa"};
    struct draft d = {
        .from = &stranger,
        .signer = &bob,
        .content = "x",
        .to = {"MGR::0", "MGR::7", "PAR::nobody::1220aa"},
        .envelope_signer = &bob,
        .max = 1,
        .has_topology_timestamp = true,
        .rule = {.kind = AGGREGATION_LIST, .members = unknown, .n_members = 1, .threshold = 2}};

    (void)state;
    node_open(&stranger, MEMBER_PARTICIPANT, "stranger");
    expect(&d, OUTCOME_DISCARD, "SEQUENCER_SENDER_UNKNOWN"); /* b */
    d.from = &alice;
    expect(&d, OUTCOME_DISCARD, "INVALID_SUBMISSION_REQUEST_SIGNATURE"); /* c */
    d.signer = &alice;
    expect(&d, OUTCOME_DISCARD, "MAX_SEQUENCING_TIME_EXCEEDED"); /* d */
    d.max = w.now + 3600000000;
    expect(&d, OUTCOME_DISCARD, "MULTIPLE_MEDIATOR_RECIPIENTS"); /* e */
    d.to[0] = bob.member;
    expect(&d, OUTCOME_REJECT, "SEQUENCER_UNKNOWN_RECIPIENTS"); /* f */
    d.to[2] = NULL;
    expect(&d, OUTCOME_REJECT, "SEQUENCER_UNIMPLEMENTED"); /* g */
    d.has_topology_timestamp = false;
    expect(&d, OUTCOME_DISCARD, "INVALID_ENVELOPE_SIGNATURE"); /* h */
    d.envelope_signer = &alice;
    expect(&d, OUTCOME_REJECT, "SEQUENCER_SUBMISSION_REQUEST_REFUSED"); /* i */
    d.to[1] = NULL;
    expect(&d, OUTCOME_REJECT, "SEQUENCER_MAX_SEQUENCING_TIME_TOO_FAR"); /* j */
    d.max = w.now + 300000000;
    expect(&d, OUTCOME_DISCARD, "SEQUENCER_SUBMISSION_REQUEST_MALFORMED: Threshold"); /* k */
    d.rule.threshold = 1;
    expect(&d, OUTCOME_DISCARD, "SEQUENCER_SUBMISSION_REQUEST_MALFORMED: Sender");
    char *both[] = {alice.member, unknown[0]};
    d.rule.members = both;
    d.rule.n_members = 2;
    expect(&d, OUTCOME_REJECT, "SEQUENCER_SUBMISSION_REQUEST_REFUSED");
    both[1] = bob.member;
    expect(&d, OUTCOME_DELIVER, NULL); /* l: nothing of all that has counted */
    expect(&d, OUTCOME_REJECT, "SEQUENCER_AGGREGATE_SUBMISSION_ALREADY_SENT");
    node_close(&stranger);
}

/* The bound of an aggregation is exclusive: the last microsecond before it is in time. */
static void a_rule_ends_before_the_timeout(void **state)
{
    struct draft d = {.from = &alice,
                      .content = "x",
                      .to = {bob.member},
                      .rule = {.kind = AGGREGATION_DEDUP},
                      .max = w.now + 1 + 360000000 - 1};

    (void)state;
    expect(&d, OUTCOME_DELIVER, NULL);
    d.rule = (struct aggregation_rule){.kind = AGGREGATION_SEQUENCERS};
    expect(&d, OUTCOME_DISCARD, "SEQUENCER_SUBMISSION_REQUEST_MALFORMED");
}

static struct outcome *apply_tick_entry(void)
{
    struct entry entry = {
        .ts = ++w.now, .kind = ENTRY_TICK, .payload = bytes_of("\1\0\0\0\0\0\0\0\0\0\0\0\0", 13)};
    struct outcome *o;
    struct error e;

    must(apply_entry(&a, &entry, &o, &e), &e);
    return o;
}

/* carol's transactions, each so many times, ordered by alice. */
static struct buffer broadcast_payload(struct node *carol, size_t times)
{
    struct buffer content = BUFFER_INIT, payload;
    struct signed_txs txs = {0};
    struct bytes *all = calloc(8 * times, sizeof *all);
    struct error e;

    node_open(carol, MEMBER_PARTICIPANT, "carol");
    must(identity_build(carol->keys, carol->ns, carol->member, &txs, &e), &e);
    must(identity_trust(carol->keys, carol->ns, carol->uid, topology_synchronizer(w.t), &txs, &e),
         &e);
    assert_non_null(all);
    for (size_t i = 0; i < txs.n * times; i++)
        all[i] = buffer_bytes(&txs.at[i % txs.n]);
    must(topology_broadcast_build(w.psid, all, txs.n * times, &content, &e), &e);
    signed_txs_free(&txs);
    free(all);

    struct recipients to = {0};
    struct batch b = {0};
    const char *everybody = "ALL::All";
    struct submission s = {.sender = strdup(alice.member),
                           .message_id = strdup("t"),
                           .max_sequencing_time = w.now + 1000000000};
    struct buffer frame = BUFFER_INIT;
    struct signature sig;
    struct hash h;
    struct entry_parts parts = {0};
    must(recipients_add(&to, 0, &everybody, 1, &e), &e);
    must(batch_add(&b, buffer_bytes(&content), NULL, 0, &to, &e), &e);
    must(batch_seal(&b, &s.batch, &e), &e);
    must(submission_build(&s, &e), &e);
    must(submission_hash(&s, &h, &e), &e);
    must(keyring_sign(alice.keys, USAGE_PROTOCOL, NULL, 0, &h, &sig, &e), &e);
    must(signed_content_build(buffer_bytes(&s.raw), &sig, NULL, &frame, &e), &e);
    parts.body = buffer_bytes(&frame);
    payload = (struct buffer)BUFFER_INIT;
    entry_build(&parts, &payload);
    signature_free(&sig);
    submission_free(&s);
    batch_free(&b);
    buffer_free(&frame);
    buffer_free(&content);
    return payload;
}

/* Else the peers, who have no such limit, would know another topology. */
static void a_broadcast_that_is_too_large_goes_to_nobody(void **state)
{
    struct node carol;
    struct buffer payload = broadcast_payload(&carol, TOPOLOGY_BROADCAST_MAX / 3 + 1);
    size_t rows = topology_row_count(w.t);
    struct outcome *o = apply_payload(&payload);

    (void)state;
    assert_int_equal(o->kind, OUTCOME_REJECT);
    assert_int_equal(topology_row_count(w.t), rows);
    outcome_unref(o);
    buffer_free(&payload);
    node_close(&carol);
}

static void a_broadcast_moves_the_topology_and_the_first_tick_after_says_so(void **state)
{
    struct node carol;
    struct buffer payload = broadcast_payload(&carol, 1);
    struct outcome *o = apply_payload(&payload);
    int64_t effective = w.now + DELAY;

    (void)state;
    assert_int_equal(o->kind, OUTCOME_DELIVER);
    assert_true(o->is_broadcast);
    assert_false(member_list_has(&o->receivers, carol.member));
    outcome_unref(o);
    assert_int_equal(apply_tick_due(&a), effective);
    o = apply_tick_entry(); /* too early */
    assert_int_equal(o->kind, OUTCOME_NOTHING);
    outcome_unref(o);
    expect(&(struct draft){.from = &alice, .content = "x", .to = {carol.member}}, OUTCOME_REJECT,
           "SEQUENCER_UNKNOWN_RECIPIENTS");
    w.now =
        effective - 1; /* at the effective time itself it is not seen, a microsecond later it is */
    expect(&(struct draft){.from = &alice, .content = "x", .to = {carol.member}}, OUTCOME_REJECT,
           "SEQUENCER_UNKNOWN_RECIPIENTS");
    o = apply_tick_entry();
    assert_int_equal(o->kind, OUTCOME_DELIVER);
    assert_true(o->is_broadcast);
    assert_true(member_list_has(&o->receivers, carol.member));
    assert_string_equal(o->sender, w.sequencer.member);
    outcome_unref(o);
    o = apply_tick_entry(); /* another replica's */
    assert_int_equal(o->kind, OUTCOME_NOTHING);
    outcome_unref(o);
    expect(&(struct draft){.from = &alice, .content = "x", .to = {carol.member}}, OUTCOME_DELIVER,
           NULL);
    buffer_free(&payload);
    node_close(&carol);
}

static void what_a_newer_release_wrote_stops_this_one(void **state)
{
    struct entry e = {
        .ts = w.now + 1, .kind = ENTRY_OPERATOR, .payload = bytes_of("\1\0\0\0\0", 5)};
    struct outcome *o;
    struct error err;
    uint8_t before[32];

    (void)state;
    memcpy(before, a.digest, 32);
    assert_false(apply_entry(&a, &e, &o, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    e.payload = bytes_of("\2\0\0\0\0", 5);
    e.kind = ENTRY_TICK;
    assert_false(apply_entry(&a, &e, &o, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    e.kind = ENTRY_RULE_VERSION;
    e.payload = bytes_of("\1\0\0\0\0\0\0\0\2", 9);
    assert_false(apply_entry(&a, &e, &o, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    e.ts = a.applied_ts; /* and what is out of order is a defect */
    assert_false(apply_entry(&a, &e, &o, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_memory_equal(before, a.digest, 32);
}

/* A log of all kinds of drafts, some of them damaged. */
#define LOG_LEN 60
static struct buffer entries[LOG_LEN];
static int64_t stamps[LOG_LEN];

static void make_log(void)
{
    int64_t max = w.now + 200000000;

    for (int i = 0; i < LOG_LEN; i++) {
        const struct node *from = random_below(2) ? &alice : &bob;
        struct draft d = {.from = from, .content = "x", .to = {bob.member, "MGR::0"}, .max = max};

        if (random_below(3) == 0)
            d = listed(from, "l");
        else if (random_below(3) == 0)
            d.rule.kind = AGGREGATION_DEDUP;
        else if (random_below(4) == 0)
            d.to[0] = "PAR::nobody::1220aa";
        else if (random_below(4) == 0)
            d.to[0] = d.to[1] = "SOD::";
        d.max = max;
        entries[i] = draft_payload(&d);
        if (random_below(5) ==
            0) /* one byte of what was sent is another: our own frame is 10 bytes */
            entries[i].data[10 + random_below(entries[i].len - 10)] ^=
                (uint8_t)(1 + random_below(255));
        stamps[i] = (w.now += 2 + (int64_t)random_below(1000));
    }
}

/* Applies it to a state of its own; with outcomes kept when asked. */
static void run_log(struct apply *to, struct topology **topo, struct outcome **kept)
{
    struct error e;

    load_file(&w, topo);
    for (size_t i = 0; i < 2; i++) { /* the participants join here too */
        const struct node *n = i ? &bob : &alice;
        struct signed_txs txs = {0};

        must(identity_trust(n->keys, n->ns, n->uid, topology_synchronizer(w.t), &txs, &e), &e);
        for (size_t k = 0; k < n->identity.n; k++) {
            struct bytes tx = buffer_bytes(&n->identity.at[k]);
            must(topology_apply(*topo, START + (int64_t)(i * 10 + k) * DELAY, &tx, 1, NULL, &e),
                 &e);
        }
        struct bytes tx = buffer_bytes(&txs.at[0]);
        must(topology_apply(*topo, START + (int64_t)(i * 10 + 5) * DELAY, &tx, 1, NULL, &e), &e);
        signed_txs_free(&txs);
    }
    must(apply_open(to, *topo, w.psid, w.sequencer.member, stamps[0] - 2, &e), &e);
    feed_rule_version(to, stamps[0] - 1);
    for (int i = 0; i < LOG_LEN; i++) {
        struct entry entry = {
            .ts = stamps[i], .kind = ENTRY_SUBMISSION, .payload = buffer_bytes(&entries[i])};
        struct outcome *o;

        must(apply_entry(to, &entry, &o, &e), &e);
        if (kept)
            kept[i] = o;
        else
            outcome_unref(o);
    }
}

static int entry_at(int64_t ts)
{
    for (int i = 0; i < LOG_LEN; i++) {
        if (stamps[i] == ts)
            return i;
    }
    return -1;
}

/* Decides again about what was kept, and compares the bytes that count. */
static void assert_again(const struct apply *with, int i, const struct outcome *o)
{
    struct entry rows[LOG_LEN];
    struct outcome_stub stub = {.kind = o->kind,
                                .status = o->status,
                                .contributions = o->contributions,
                                .n_contributions = o->n_contributions};
    struct entry entry = {
        .ts = stamps[i], .kind = ENTRY_SUBMISSION, .payload = buffer_bytes(&entries[i])};
    uint8_t first[32] = {0}, second[32] = {0};
    struct outcome *again;
    struct error e;

    for (size_t k = 0; k < o->n_contributions; k++) {
        int at = entry_at(o->contributions[k]);
        rows[k] = (struct entry){
            .ts = stamps[at], .kind = ENTRY_SUBMISSION, .payload = buffer_bytes(&entries[at])};
    }
    must(apply_again(with, &entry, &stub, rows, &again, &e), &e);
    must(outcome_digest(o, first, &e), &e);
    must(outcome_digest(again, second, &e), &e);
    assert_memory_equal(first, second, 32);
    outcome_unref(again);
}

static void two_replicas_and_a_second_look_come_to_the_same_bytes(void **state)
{
    struct outcome *kept[LOG_LEN];
    struct topology *t1, *t2;
    struct apply a1, a2;
    int kinds[OUTCOME_DELIVER + 1] = {0};

    (void)state;
    for (int round = 0; round < 5; round++) {
        make_log();
        run_log(&a1, &t1, kept);
        run_log(&a2, &t2, NULL);
        assert_memory_equal(a1.digest, a2.digest, 32);
        for (int i = 0; i < LOG_LEN; i++) {
            kinds[kept[i]->kind]++;
            if (kept[i]->kind >= OUTCOME_REJECT)
                assert_again(&a1, i, kept[i]);
            outcome_unref(kept[i]);
        }
        entries[LOG_LEN / 2].data[4] ^= 1; /* another log has another digest */
        stamps[LOG_LEN / 2]--;
        apply_close(&a2);
        topology_close(t2);
        run_log(&a2, &t2, NULL);
        assert_memory_not_equal(a1.digest, a2.digest, 32);
        apply_close(&a1);
        apply_close(&a2);
        topology_close(t1);
        topology_close(t2);
        for (int i = 0; i < LOG_LEN; i++)
            buffer_free(&entries[i]);
    }
    for (int k = OUTCOME_DISCARD; k <= OUTCOME_DELIVER; k++)
        assert_true(kinds[k] > 0);
}

#define claim(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(a_session_key_counts_while_it_is_in_force_on_every_replica),
        claim(a_session_key_signs_envelopes_and_is_sent_on),
        claim(a_contribution_whose_session_ends_does_not_count),
        claim(what_cannot_be_trusted_is_discarded),
        claim(the_last_moment_is_in_time_and_the_next_is_not),
        claim(what_the_sender_could_not_know_is_an_error_to_it_alone),
        claim(the_first_check_that_fails_decides),
        claim(a_rule_ends_before_the_timeout),
        claim(groups_and_the_sender_get_the_event),
        claim(a_threshold_delivers_once_with_signatures_in_order_of_members),
        claim(a_group_rule_needs_signed_envelopes),
        claim(a_broadcast_that_is_too_large_goes_to_nobody),
        claim(a_broadcast_moves_the_topology_and_the_first_tick_after_says_so),
        claim(what_a_newer_release_wrote_stops_this_one),
        claim(two_replicas_and_a_second_look_come_to_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
