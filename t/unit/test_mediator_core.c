/* test_mediator_core.c: each rule of the mediator, with signed bytes as peers send them. */
#include "mediator_world.h"

#define U1 "11111111-1111-1111-1111-111111111111"
#define U2 "22222222-2222-2222-2222-222222222222"
#define T1 (T0 + 1000)

/* --- verdicts ----------------------------------------------------------------------------------
 */

static void both_confirm_and_it_is_approved(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);
    struct message m;

    nothing_yet(w);
    respond(w, &r, answer_of(P1, LOCAL_APPROVE), T1 + 10);
    nothing_yet(w);
    respond(w, &r, answer_of(P2, LOCAL_APPROVE), T1 + 20);
    struct decision *d = only_decision(w, OUTCOME_APPROVED);
    assert_int_equal(d->request_id, T1);
    assert_int_equal(d->decided_ts, T1 + 20);
    assert_int_equal(d->decision_ts, T1 + RESPONSE_US + REACTION_US);
    assert_true(d->is_sender);
    assert_true(d->has_uuid);
    assert_int_equal(d->uuid_expires_ts, T1 + DEDUP_US);
    assert_int_equal(d->n_participants, 2);
    assert_string_equal(d->participants[0], member_of[P1]);
    assert_string_equal(d->participants[1], member_of[P2]);
    struct confirmation_result c = result_of(d, &m);
    assert_int_equal(c.verdict.kind, VERDICT_APPROVE);
    assert_true(hash_equal(&c.root, &r.tree.root));
    assert_string_equal(c.psid, PSID);
    assert_int_equal(c.view_type, VIEW_TYPE_TRANSACTION);
    message_free(&m);
    assert_int_equal(alarms(w), 0);
    sent_free(&r);
}

static void one_rejection_rejects_with_its_reason(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);
    struct message m;

    respond(w, &r, answer_of(P2, LOCAL_REJECT), T1 + 10);
    struct confirmation_result c = result_of(only_decision(w, OUTCOME_REJECTED), &m);
    assert_int_equal(c.verdict.kind, VERDICT_PARTICIPANT_REJECT);
    assert_int_equal(c.verdict.n_reasons, 1);
    assert_string_equal(c.verdict.reasons[0].participant, member_of[P2]);
    assert_string_equal(c.verdict.reasons[0].parties[0], uid_of[P2]);
    assert_true(bytes_equal(buffer_bytes(&c.verdict.reasons[0].reason),
                            bytes_of("\x08\x09\x12\x03why", 7)));
    message_free(&m);
    looked(w);
    respond(w, &r, answer_of(P1, LOCAL_APPROVE), T1 + 20); /* nothing changes a verdict */
    nothing_yet(w);
    assert_int_equal(alarms(w), 0);
    sent_free(&r);
}

static void malformed_without_a_view_rejects(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);
    struct answer a = answer_of(P1, LOCAL_MALFORMED);

    a.view = SIZE_MAX;
    respond(w, &r, a, T1 + 10);
    (void)only_decision(w, OUTCOME_REJECTED);
    sent_free(&r);
}

static void an_abstention_that_leaves_nobody_rejects(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);

    respond(w, &r, answer_of(P1, LOCAL_ABSTAIN), T1 + 10);
    (void)only_decision(w, OUTCOME_REJECTED);
    sent_free(&r);
}

static void a_consortium_party_needs_its_threshold(void **state)
{
    static const char *const shared[] = {UID("shared")};
    static struct confirmer one[] = {{0, 1}};
    static struct quorum q[] = {{one, 1, 1}};
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = {.id = T1};
    struct batch b = {0};
    struct answer a = answer_of(P1, LOCAL_APPROVE);

    s.views[0].informees = shared;
    s.views[0].n_informees = 1;
    s.views[0].quorums = q;
    add_informee_message(w, &b, &s, &r.tree, TO("MGR::0"));
    struct root_hash_message m = root_of(&r.tree);
    add_root_hash(&b, &m, TO(TREE_1, TREE_2));
    add_root_hash(&b, &m, TO(TREE_3)); /* several envelopes are as good as one */
    deliver(w, &b, T1);
    nothing_yet(w);
    a.parties[0] = UID("shared");
    respond(w, &r, a, T1 + 10);
    nothing_yet(w);
    a.sender = a.signer = P3;
    respond(w, &r, a, T1 + 20);
    assert_int_equal(only_decision(w, OUTCOME_APPROVED)->n_participants, 3);
    sent_free(&r);
}

/* --- time --------------------------------------------------------------------------------------
 */

static void silence_times_out_after_the_response_deadline(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);
    struct message m;

    respond(w, &r, answer_of(P1, LOCAL_APPROVE), T1 + 10);
    assert_int_equal(core_next_due(w->core), T1 + RESPONSE_US);
    pass(w, T1 + RESPONSE_US);
    nothing_yet(w); /* not at equality */
    pass(w, T1 + RESPONSE_US + 777);
    struct decision *d = only_decision(w, OUTCOME_TIMED_OUT);
    assert_int_equal(d->decided_ts, T1 + RESPONSE_US + 1); /* whichever event has shown it */
    struct confirmation_result c = result_of(d, &m);
    assert_int_equal(c.verdict.kind, VERDICT_MEDIATOR_REJECT);
    assert_false(c.verdict.is_malformed);
    struct wire_status st;
    assert_true(wire_status_parse(buffer_bytes(&c.verdict.reason), &st, NULL));
    assert_int_equal(st.code, 10);
    assert_string_equal(
        st.message, "MEDIATOR_SAYS_TX_TIMED_OUT(2,0): Rejected transaction as the mediator did not "
                    "receive sufficient confirmations within the expected timeframe.");
    char *id = wire_status_reason(&st), *who = wire_status_meta(&st, "unresponsiveParties");
    assert_string_equal(id, "MEDIATOR_SAYS_TX_TIMED_OUT");
    assert_string_equal(who, uid_of[P2]);
    assert_true(wire_status_is_retryable(&st));
    free(id);
    free(who);
    wire_status_free(&st);
    message_free(&m);
    sent_free(&r);
}

static void a_response_counts_up_to_the_deadline_and_not_after(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1), s2 = plain(U2);
    struct sent r = request(w, &s, T1);
    struct sent r2 = request(w, &s2, T1 + 1);

    respond(w, &r, answer_of(P1, LOCAL_APPROVE), T1 + 10);
    respond(w, &r2, answer_of(P1, LOCAL_APPROVE), T1 + 11);
    respond(w, &r, answer_of(P2, LOCAL_APPROVE), T1 + RESPONSE_US);
    assert_int_equal(only_decision(w, OUTCOME_APPROVED)->request_id, T1);
    looked(w);
    respond(w, &r2, answer_of(P2, LOCAL_APPROVE), T1 + 1 + RESPONSE_US + 1);
    assert_int_equal(only_decision(w, OUTCOME_TIMED_OUT)->request_id, T1 + 1);
    sent_free(&r);
    sent_free(&r2);
}

static void a_request_keeps_the_deadlines_of_its_time(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);

    w->params.response_timeout_us = 1000;
    pass(w, T1 + 5000);
    nothing_yet(w);
    pass(w, T1 + RESPONSE_US + 1);
    (void)only_decision(w, OUTCOME_TIMED_OUT);
    sent_free(&r);
}

static void a_verdict_is_sequenced_by_its_receipt_or_expires(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1), s2 = plain(U2);
    struct sent r = request(w, &s, T1), r2 = request(w, &s2, T1 + 1);
    struct batch b = {0};
    char id[VERDICT_MESSAGE_ID_SIZE];

    respond(w, &r, answer_of(P1, LOCAL_REJECT), T1 + 10);
    respond(w, &r2, answer_of(P1, LOCAL_REJECT), T1 + 11);
    looked(w);
    assert_int_equal(core_next_due(w->core), T1 + RESPONSE_US + REACTION_US);
    verdict_message_id(T1, 0, 0xdeadbeef, id);
    deliver_with(w, &b, T1 + 20, id, false);
    assert_int_equal(w->effects.n, 1);
    assert_int_equal(w->effects.list[0].kind, EFFECT_SEQUENCED);
    assert_int_equal(w->effects.list[0].request_id, T1);
    looked(w);
    deliver_with(w, &b, T1 + 21, id, false); /* again: nothing */
    nothing_yet(w);
    pass(w, T1 + 1 + RESPONSE_US + REACTION_US);
    nothing_yet(w);
    pass(w, T1 + 2 + RESPONSE_US + REACTION_US);
    assert_int_equal(w->effects.n, 1);
    assert_int_equal(w->effects.list[0].kind, EFFECT_EXPIRED);
    assert_int_equal(w->effects.list[0].request_id, T1 + 1);
    assert_int_equal(core_next_due(w->core), INT64_MAX);
    sent_free(&r);
    sent_free(&r2);
}

/* --- requests that break a rule ----------------------------------------------------------------
 */

/* The request of s with these recipients and root hash trees is rejected as malformed. */
static void is_malformed(struct world *w, struct spec s, const char *const *to, size_t n_to,
                         const char *const *trees, size_t n_trees,
                         void (*change)(struct root_hash_message *m))
{
    struct batch b = {0};
    struct built_tree tree;
    struct message m;

    looked(w);
    add_informee_message(w, &b, &s, &tree, to, n_to);
    struct root_hash_message root = root_of(&tree);
    if (change)
        change(&root);
    add_root_hash(&b, &root, trees, n_trees);
    deliver(w, &b, w->ts + 1000);
    struct confirmation_result c = result_of(only_decision(w, OUTCOME_INVALID), &m);
    assert_true(c.verdict.is_malformed);
    struct wire_status st;
    assert_true(wire_status_parse(buffer_bytes(&c.verdict.reason), &st, NULL));
    assert_int_equal(st.code, 3);
    assert_string_equal(st.message,
                        "An error occurred. Please contact the operator and inquire about "
                        "the request <no-correlation-id> with tid <no-tid>");
    assert_int_equal(st.n_details, 0);
    wire_status_free(&st);
    message_free(&m);
    built_tree_free(&tree);
}

static void wrong_type(struct root_hash_message *m)
{
    m->view_type = VIEW_TYPE_ASSIGNMENT;
}

static void wrong_root(struct root_hash_message *m)
{
    m->root.b[5] ^= 1;
}

static void each_broken_rule_is_answered_as_malformed(void **state)
{
    struct world *w = *state;
    char uuid[37] = "";
    struct spec s = plain(uuid);
    int n = 0;

#define NEXT (snprintf(uuid, sizeof(uuid), "00000000-0000-0000-0000-%012d", n++), s)
    struct spec forged = NEXT;
    forged.signer = P2;
    is_malformed(w, forged, TO("MGR::0"), TO(TREE_1, TREE_2), NULL);
    forged = NEXT;
    forged.group = 7;
    is_malformed(w, forged, TO("MGR::0"), TO(TREE_1, TREE_2), NULL);
    is_malformed(w, NEXT, TO("MGR::0+PAR::" UID("p1")), TO(TREE_1, TREE_2), NULL);
    is_malformed(w, NEXT, TO("MGR::0", "MGR::0"), TO(TREE_1, TREE_2), NULL);
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1), NULL);                 /* missing */
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1, TREE_2, TREE_3), NULL); /* superfluous */
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1, TREE_2, TREE_1), NULL); /* twice */
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1, TREE_2, "PAR::" UID("p3")), NULL);
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1, TREE_2), wrong_type);
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1, TREE_2), wrong_root);
    w->group.is_active = false;
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1, TREE_2), NULL);
    w->group.is_active = true;
    struct spec self = NEXT;
    static struct quorum none[] = {{NULL, 0, 0}};
    self.views[0].quorums = none;
    is_malformed(w, self, TO("MGR::0"), TO(TREE_1, TREE_2), NULL);
    w->may_confirm[P2] = false;
    is_malformed(w, NEXT, TO("MGR::0"), TO(TREE_1, TREE_2), NULL); /* unreachable */
    w->may_confirm[P2] = true;
    assert_int_equal(alarms(w), 13);
#undef NEXT
}

static void an_informee_without_participant_is_invalid(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct message m;

    w->is_active[P2] = false;
    struct sent r = request(w, &s, T1);
    struct confirmation_result c = result_of(only_decision(w, OUTCOME_INVALID), &m);
    char *id = reason_id(&c);
    assert_string_equal(id, "MEDIATOR_INVALID_MESSAGE");
    assert_false(c.verdict.is_malformed);
    free(id);
    message_free(&m);
    sent_free(&r);
}

static void a_key_revoked_since_the_submission_is_nobodys_malice(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);

    w->revoked_at[P1] = T0; /* the submitter's topology knew the key */
    struct sent r = request(w, &s, T1);
    (void)only_decision(w, OUTCOME_INVALID);
    assert_int_equal(alarms(w), 0);
    sent_free(&r);
}

static void a_request_beside_a_topology_transaction_is_malformed(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct batch b = {0};
    struct built_tree tree;
    struct buffer content = BUFFER_INIT;
    struct recipients r;

    add_informee_message(w, &b, &s, &tree, TO("MGR::0"));
    struct root_hash_message m = root_of(&tree);
    add_root_hash(&b, &m, TO(TREE_1, TREE_2));
    assert_true(topology_broadcast_build(PSID, NULL, 0, &content, NULL));
    recipients_of(&r, TO("ALL::All"));
    assert_true(batch_add(&b, buffer_bytes(&content), NULL, 0, &r, NULL));
    deliver(w, &b, T1);
    (void)only_decision(w, OUTCOME_INVALID);
    buffer_free(&content);
    built_tree_free(&tree);
}

static void who_is_in_no_group_says_nothing(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);

    w->is_member = false;
    struct sent r = request(w, &s, T1);
    nothing_yet(w);
    pass(w, T1 + RESPONSE_US + 1);
    nothing_yet(w);
    sent_free(&r);
}

static void an_observer_decides_and_does_not_send(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r;

    w->group.is_sender = false;
    r = request(w, &s, T1);
    respond(w, &r, answer_of(P1, LOCAL_REJECT), T1 + 10);
    assert_false(only_decision(w, OUTCOME_REJECTED)->is_sender);
    assert_int_equal(core_next_due(w->core), INT64_MAX);
    sent_free(&r);
}

static void a_uuid_is_burnt_by_its_first_request(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1), again = plain("11111111-1111-1111-1111-111111111111");
    struct sent r = request(w, &s, T1), r2 = request(w, &again, T1 + 5), r3;
    struct message m;

    struct decision *d = only_decision(w, OUTCOME_DUPLICATE);
    assert_false(d->has_uuid);
    assert_int_equal(d->request_id, T1 + 5);
    struct confirmation_result c = result_of(d, &m);
    char *id = reason_id(&c);
    assert_string_equal(id, "DUPLICATE_CONFIRMATION_REQUEST_UUID");
    struct wire_status st;
    assert_true(wire_status_parse(buffer_bytes(&c.verdict.reason), &st, NULL));
    char *until = wire_status_meta(&st, "expireAfter"), *uuid = wire_status_meta(&st, "uuid");
    assert_string_equal(until, "2026-01-01T00:01:40.001Z");
    assert_string_equal(uuid, U1);
    assert_int_equal(st.code, 3);
    free(id);
    free(until);
    free(uuid);
    wire_status_free(&st);
    message_free(&m);
    pass(w, T1 + DEDUP_US);
    looked(w);
    r3 = request(w, &again, T1 + DEDUP_US + 1); /* expired: allowed */
    nothing_yet(w);
    sent_free(&r);
    sent_free(&r2);
    sent_free(&r3);
}

static void too_many_open_requests_are_rejected(void **state)
{
    struct world *w = *state;
    char uuid[37];

    for (int i = 0; i < 101; i++) {
        snprintf(uuid, sizeof(uuid), "00000000-0000-0000-0000-%012d", i);
        struct spec s = plain(uuid);
        struct sent r = request(w, &s, T1 + i);
        sent_free(&r);
    }
    assert_int_equal(only_decision(w, OUTCOME_INVALID)->request_id, T1 + 100);
}

/* --- envelopes ---------------------------------------------------------------------------------
 */

static void garbage_beside_root_hash_messages_is_answered_at_once(void **state)
{
    struct world *w = *state;
    struct batch b = {0};
    struct recipients r;
    struct root_hash_message m = {.root = {{0x12, 0x20, 1}},
                                  .psid = (char *)(uintptr_t)PSID,
                                  .view_type = VIEW_TYPE_TRANSACTION,
                                  .submission_topology_time = T0};

    recipients_of(&r, TO("MGR::0"));
    assert_true(batch_add(&b, bytes_str("garbage"), NULL, 0, &r, NULL));
    add_root_hash(&b, &m, TO(TREE_1, TREE_2));
    m.root.b[2] = 0;
    add_root_hash(&b, &m, TO(TREE_3));
    deliver(w, &b, T1);
    assert_int_equal(w->effects.n, 2); /* one verdict for each root hash */
    assert_int_equal(w->effects.list[0].part, 0);
    assert_int_equal(w->effects.list[0].decision->n_participants, 1);
    assert_string_equal(w->effects.list[0].decision->participants[0], member_of[P3]);
    assert_int_equal(w->effects.list[1].part, 1);
    assert_int_equal(w->effects.list[1].decision->n_participants, 2);
    looked(w);
    recipients_of(&r, TO("MGR::0"));
    assert_true(batch_add(&b, bytes_str("garbage"), NULL, 0, &r, NULL));
    deliver(w, &b, T1 + 1);
    nothing_yet(w); /* nobody to tell */
    assert_int_equal(alarms(w), 2);
}

static void two_requests_or_a_request_and_a_response_are_ignored(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1), s2 = plain(U2);
    struct batch b = {0};
    struct built_tree tree;
    struct sent r;
    struct answer a = answer_of(P1, LOCAL_APPROVE);

    add_informee_message(w, &b, &s, &tree, TO("MGR::0"));
    built_tree_free(&tree);
    add_informee_message(w, &b, &s2, &tree, TO("MGR::0"));
    struct root_hash_message m = root_of(&tree);
    add_root_hash(&b, &m, TO(TREE_1, TREE_2));
    deliver(w, &b, T1);
    built_tree_free(&tree);
    r.id = T1 + 1;
    add_informee_message(w, &b, &s, &r.tree, TO("MGR::0"));
    add_answer(w, &b, &r, &a, TO("MGR::0"));
    deliver(w, &b, T1 + 1);
    pass(w, T1 + RESPONSE_US * 2);
    nothing_yet(w);
    assert_int_equal(alarms(w), 2);
    sent_free(&r);
}

static void what_names_another_synchronizer_is_dropped(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r;
    struct answer a = answer_of(P2, LOCAL_REJECT);

    s.psid = OTHER_PSID;
    r = request(w, &s, T1);
    nothing_yet(w);
    sent_free(&r);
    s.psid = PSID;
    r = request(w, &s, T1 + 1);
    a.psid = OTHER_PSID;
    respond(w, &r, a, T1 + 10);
    nothing_yet(w);
    assert_int_equal(alarms(w), 2);
    sent_free(&r);
}

/* Each of these is dropped with an alarm, and the request can still be approved. */
static void responses_that_break_a_rule_change_nothing(void **state)
{
    static uint8_t key[] = {0, 0, 0, 1, 0, 0, 0, 1, 1};
    struct view_position nowhere = {key, sizeof(key)};
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);
    struct batch b = {0};
    struct answer a;
    int64_t ts = T1;

#define BAD(...)                                                                                   \
    do {                                                                                           \
        uint64_t before = alarms(w);                                                               \
        a = answer_of(P2, LOCAL_REJECT);                                                           \
        __VA_ARGS__;                                                                               \
        respond(w, &r, a, ++ts);                                                                   \
        nothing_yet(w);                                                                            \
        assert_int_equal(alarms(w), before + 1);                                                   \
    } while (0)
    BAD(a.signer = P1);
    BAD(a.parties[0] = uid_of[P1]);
    BAD(a.parties[a.n_parties++] = uid_of[P1]); /* one wrong party drops the whole response */
    BAD(a.is_wrong_root = true);
    BAD(a.position = &nowhere);
#undef BAD
    a = answer_of(P2, LOCAL_REJECT);
    add_answer(w, &b, &r, &a, TO("MGR::0", "MGR::1"));
    deliver(w, &b, ++ts);
    add_answer(w, &b, &r, &a, TO("MGR::1"));
    deliver(w, &b, ++ts);
    nothing_yet(w);
    assert_int_equal(alarms(w), 7);
    struct sent unknown = {.id = T1 - 1, .tree = r.tree};
    respond(w, &unknown, a, ++ts);
    nothing_yet(w);
    respond(w, &r, answer_of(P2, LOCAL_APPROVE), ++ts);
    respond(w, &r, answer_of(P2, LOCAL_REJECT), ++ts); /* contradicts itself */
    nothing_yet(w);
    respond(w, &r, answer_of(P1, LOCAL_APPROVE), ++ts);
    (void)only_decision(w, OUTCOME_APPROVED);
    assert_int_equal(alarms(w), 8);
    sent_free(&r);
}

/* --- position, purge, replay -------------------------------------------------------------------
 */

static void the_position_stops_before_the_oldest_open_request(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1), s2 = plain(U2);
    struct core_position p;
    struct sent r, r2;

    core_position(w->core, &p);
    assert_false(p.is_set);
    pass(w, T1 - 5);
    r = request(w, &s, T1);
    r2 = request(w, &s2, T1 + 1);
    respond(w, &r2, answer_of(P1, LOCAL_REJECT), T1 + 10);
    core_position(w->core, &p);
    assert_int_equal(p.ts, T1 - 5);
    respond(w, &r, answer_of(P1, LOCAL_REJECT), T1 + 11);
    core_position(w->core, &p);
    assert_int_equal(p.ts, T1 + 11);
    assert_int_equal(core_seen_ts(w->core), T1 + 11);
    sent_free(&r);
    sent_free(&r2);
}

static void a_purge_forgets_open_requests_and_keeps_their_uuids(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1), again;

    assert_true(core_purge(w->core, &w->effects, NULL));
    struct decision *d = only_decision(w, OUTCOME_PURGED);
    assert_false(d->is_sender);
    assert_true(d->has_uuid);
    looked(w);
    respond(w, &r, answer_of(P1, LOCAL_REJECT), T1 + 10);
    pass(w, T1 + RESPONSE_US + 10);
    nothing_yet(w);
    again = request(w, &s, T1 + RESPONSE_US + 20);
    (void)only_decision(w, OUTCOME_DUPLICATE);
    sent_free(&r);
    sent_free(&again);
}

/* What a replica that starts anywhere reads again gives the same bytes. */
static void two_cores_decide_alike(void **state)
{
    struct world *w = *state;
    struct effects first;

    for (int round = 0; round < 2; round++) {
        struct spec s = plain(U1), s2 = plain(U2);
        struct sent r = request(w, &s, T1), r2 = request(w, &s2, T1 + 1);
        respond(w, &r2, answer_of(P2, LOCAL_REJECT), T1 + 10);
        respond(w, &r, answer_of(P2, LOCAL_APPROVE), T1 + 11);
        pass(w, round == 0 ? T1 + RESPONSE_US + 1 : T1 + RESPONSE_US + 55);
        sent_free(&r);
        sent_free(&r2);
        if (round == 0) {
            first = w->effects;
            w->effects = (struct effects){0};
            core_close(w->core);
            world_core(w);
            w->ts = T0;
        }
    }
    assert_int_equal(first.n, 2);
    assert_int_equal(w->effects.n, 2);
    for (size_t i = 0; i < 2; i++) {
        struct decision *a = first.list[i].decision, *b = w->effects.list[i].decision;
        assert_int_equal(a->request_id, b->request_id);
        assert_int_equal(a->decided_ts, b->decided_ts);
        assert_true(bytes_equal(buffer_bytes(&a->content), buffer_bytes(&b->content)));
    }
    effects_free(&first);
}

static void a_submission_has_a_tree_for_each_participant_and_the_groups_rule(void **state)
{
    struct world *w = *state;
    struct spec s = plain(U1);
    struct sent r = request(w, &s, T1);
    struct signature sig = {0};
    struct buffer bytes = BUFFER_INIT;
    struct submission sub;
    struct recipients *to;
    char id[VERDICT_MESSAGE_ID_SIZE];
    struct hash h;
    int64_t request_id;
    int32_t part;

    respond(w, &r, answer_of(P1, LOCAL_REJECT), T1 + 10);
    struct decision *d = only_decision(w, OUTCOME_REJECTED);
    assert_true(message_hash(buffer_bytes(&d->content), &h, NULL));
    sign(w, P1, &h, &sig);
    verdict_message_id(d->request_id, 3, 5, id);
    assert_true(verdict_message_id_parse(id, &request_id, &part));
    assert_int_equal(request_id, T1);
    assert_int_equal(part, 3);
    assert_false(verdict_message_id_parse("verdict-1-2-00000003x", &request_id, &part));
    assert_true(verdict_submission(d, "MED::" UID("med"), id, &sig, &bytes, NULL));
    assert_true(submission_parse(buffer_bytes(&bytes), &sub, NULL));
    assert_int_equal(sub.rule.kind, AGGREGATION_MEDIATOR_GROUP);
    assert_int_equal(sub.rule.group, 0);
    assert_int_equal(sub.max_sequencing_time, T1 + RESPONSE_US + REACTION_US);
    assert_false(sub.has_topology_timestamp);
    assert_true(batch_read_recipients(&sub.batch, BATCH_LIMIT, &to, NULL));
    assert_int_equal(to[0].n_nodes, 2);
    assert_int_equal(to[0].nodes[0].end, 1);
    assert_int_equal(to[0].nodes[0].n, 1);
    assert_string_equal(to[0].all[1].text, member_of[P2]);
    batch_recipients_free(to, sub.batch.n);
    submission_free(&sub);
    buffer_free(&bytes);
    signature_free(&sig);
    sent_free(&r);
}

#define RULE(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(both_confirm_and_it_is_approved),
        RULE(one_rejection_rejects_with_its_reason),
        RULE(malformed_without_a_view_rejects),
        RULE(an_abstention_that_leaves_nobody_rejects),
        RULE(a_consortium_party_needs_its_threshold),
        RULE(silence_times_out_after_the_response_deadline),
        RULE(a_response_counts_up_to_the_deadline_and_not_after),
        RULE(a_request_keeps_the_deadlines_of_its_time),
        RULE(a_verdict_is_sequenced_by_its_receipt_or_expires),
        RULE(each_broken_rule_is_answered_as_malformed),
        RULE(an_informee_without_participant_is_invalid),
        RULE(a_key_revoked_since_the_submission_is_nobodys_malice),
        RULE(a_request_beside_a_topology_transaction_is_malformed),
        RULE(who_is_in_no_group_says_nothing),
        RULE(an_observer_decides_and_does_not_send),
        RULE(a_uuid_is_burnt_by_its_first_request),
        RULE(too_many_open_requests_are_rejected),
        RULE(garbage_beside_root_hash_messages_is_answered_at_once),
        RULE(two_requests_or_a_request_and_a_response_are_ignored),
        RULE(what_names_another_synchronizer_is_dropped),
        RULE(responses_that_break_a_rule_change_nothing),
        RULE(the_position_stops_before_the_oldest_open_request),
        RULE(a_purge_forgets_open_requests_and_keeps_their_uuids),
        RULE(two_cores_decide_alike),
        RULE(a_submission_has_a_tree_for_each_participant_and_the_groups_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
