#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/tally.h"

#define LIST(...)                                                                                  \
    ((const char *const[]){__VA_ARGS__}), (sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))
#define C(...)                                                                                     \
    ((const struct tally_confirmer[]){__VA_ARGS__}),                                               \
        (sizeof((struct tally_confirmer[]){__VA_ARGS__}) / sizeof(struct tally_confirmer))

static const struct tally_vote yes = {.code = TALLY_APPROVE};
static const struct tally_vote no = {.code = TALLY_REJECT, .status = {(const uint8_t *)"no", 2}};
static const struct tally_vote abstain = {.code = TALLY_ABSTAIN,
                                          .status = {(const uint8_t *)"hm", 2}};

/* One view, one quorum: a and b with weight 1, both needed; a at PA, b at PB. */
static struct tally *two_parties(void)
{
    struct tally *t = tally_open();

    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"a", 1}, {"b", 1}), 2, NULL));
    assert_true(tally_add_hosting(t, "a", 1, LIST("PA"), NULL));
    assert_true(tally_add_hosting(t, "b", 1, LIST("PB"), NULL));
    assert_true(tally_seal(t, NULL));
    return t;
}

/* One view, one quorum, one party that k of P1, P2, P3 must confirm. */
static struct tally *consortium(uint32_t k)
{
    struct tally *t = tally_open();

    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"c", 1}), 1, NULL));
    assert_true(tally_add_hosting(t, "c", k, LIST("P3", "P1", "P2"), NULL));
    assert_true(tally_seal(t, NULL));
    return t;
}

static void all_that_is_asked_for_approves(void **state)
{
    struct tally *t = two_parties();

    (void)state;
    assert_int_equal(tally_vote(t, 0, "PB", LIST("b"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_PENDING);
    assert_int_equal(tally_vote(t, 0, "PA", LIST("a"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_APPROVED);
    assert_int_equal(tally_vote(t, 0, "PA", LIST("a"), &no), TALLY_EQUIVOCATION);
    assert_int_equal(tally_state(t), TALLY_APPROVED);
    tally_close(t);
}

static void an_impossible_quorum_rejects_with_its_reasons_newest_first(void **state)
{
    struct tally *t = tally_open();
    const struct tally_reason *r;
    size_t n;

    (void)state;
    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"a", 1}, {"b", 1}, {"c", 2}), 2, NULL));
    assert_true(tally_add_hosting(t, "a", 1, LIST("PA"), NULL));
    assert_true(tally_add_hosting(t, "b", 1, LIST("PA"), NULL));
    assert_true(tally_add_hosting(t, "c", 1, LIST("PC"), NULL));
    assert_true(tally_seal(t, NULL));
    assert_int_equal(tally_vote(t, 0, "PA", LIST("b", "a", "b"), &no), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_PENDING); /* c alone can still do it */
    assert_int_equal(tally_vote(t, 0, "PC", LIST("c"), &abstain), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_REJECTED);
    r = tally_reasons(t, &n);
    assert_int_equal(n, 2);
    assert_int_equal(r[0].code, TALLY_ABSTAIN);
    assert_string_equal(r[0].participant, "PC");
    assert_int_equal(r[1].n_parties, 2);
    assert_string_equal(r[1].parties[0], "a");
    assert_string_equal(r[1].parties[1], "b");
    assert_memory_equal(r[1].status.data, "no", 2);
    tally_close(t);
}

static void a_wrong_party_drops_the_whole_response(void **state)
{
    struct tally *t = two_parties();
    const char **pending;
    size_t n;

    (void)state;
    assert_int_equal(tally_vote(t, 0, "PA", LIST("a", "b"), &yes), TALLY_BAD_PARTY);
    assert_int_equal(tally_vote(t, 0, "PA", LIST("a", "x"), &yes), TALLY_BAD_PARTY);
    assert_int_equal(tally_vote(t, 1, "PA", LIST("a"), &yes), TALLY_UNKNOWN_VIEW);
    assert_int_equal(tally_vote(t, 0, "PA", NULL, 0, &yes), TALLY_BAD_PARTY);
    assert_true(tally_unresponsive(t, &pending, &n, NULL));
    assert_int_equal(n, 2);
    free(pending);
    tally_close(t);
}

static void a_consortium_needs_its_threshold(void **state)
{
    struct tally *t = consortium(2);

    (void)state;
    assert_int_equal(tally_vote(t, 0, "P1", LIST("c"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_vote(t, 0, "P1", LIST("c"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_PENDING);
    assert_int_equal(tally_vote(t, 0, "P1", LIST("c"), &no), TALLY_EQUIVOCATION);
    assert_int_equal(tally_vote(t, 0, "P2", LIST("c"), &no), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_PENDING);
    assert_int_equal(tally_vote(t, 0, "P3", LIST("c"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_APPROVED);
    tally_close(t);
}

static void an_abstention_that_ends_hope_names_the_real_rejection(void **state)
{
    struct tally *t = consortium(2);
    const struct tally_reason *r;
    size_t n;

    (void)state;
    assert_int_equal(tally_vote(t, 0, "P2", LIST("c"), &no), TALLY_COUNTED);
    assert_int_equal(tally_vote(t, 0, "P3", LIST("c"), &abstain), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_REJECTED);
    r = tally_reasons(t, &n);
    assert_int_equal(n, 1);
    assert_int_equal(r[0].code, TALLY_REJECT);
    assert_string_equal(r[0].participant, "P2");
    tally_close(t);
}

static void one_who_abstains_may_still_vote(void **state)
{
    struct tally *t = consortium(2);

    (void)state;
    assert_int_equal(tally_vote(t, 0, "P1", LIST("c"), &abstain), TALLY_COUNTED);
    assert_int_equal(tally_vote(t, 0, "P1", LIST("c"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_vote(t, 0, "P2", LIST("c"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_APPROVED);
    tally_close(t);
}

static void malformed_rejects_what_its_sender_hosts(void **state)
{
    struct tally *t = tally_open();
    const struct tally_reason *r;
    size_t n;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(tally_add_view(t, NULL));
        assert_true(i == 0 ? tally_add_quorum(t, C({"a", 1}), 1, NULL)
                           : tally_add_quorum(t, C({"b", 1}, {"a", 1}), 2, NULL));
    }
    assert_true(tally_add_hosting(t, "a", 1, LIST("PA"), NULL));
    assert_true(tally_add_hosting(t, "b", 1, LIST("PB"), NULL));
    assert_true(tally_seal(t, NULL));
    assert_int_equal(tally_malformed(t, 2, "PB", bytes_str("bad")), TALLY_UNKNOWN_VIEW);
    assert_int_equal(tally_malformed(t, TALLY_ALL_VIEWS, "PX", bytes_str("bad")), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_PENDING);
    assert_int_equal(tally_malformed(t, TALLY_ALL_VIEWS, "PB", bytes_str("bad")), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_REJECTED);
    r = tally_reasons(t, &n);
    assert_int_equal(n, 1);
    assert_string_equal(r[0].parties[0], "b");
    assert_int_equal(r[0].code, TALLY_MALFORMED);
    tally_close(t);
}

static void several_quorums_and_views_are_a_conjunction(void **state)
{
    struct tally *t = tally_open();
    const char **pending;
    size_t n;

    (void)state;
    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"a", 3}, {"b", 1}), 3, NULL));
    assert_true(tally_add_quorum(t, C({"b", 1}), 1, NULL));
    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"a", 1}, {"a", 5}), 5, NULL)); /* the last weight counts */
    assert_true(tally_add_quorum(t, NULL, 0, 0, NULL));
    assert_true(tally_add_hosting(t, "a", 1, LIST("P"), NULL));
    assert_true(tally_add_hosting(t, "b", 1, LIST("P"), NULL));
    assert_true(tally_seal(t, NULL));
    assert_int_equal(tally_check(t, &n), TALLY_SOUND);
    assert_int_equal(tally_vote(t, 1, "P", LIST("a"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_vote(t, 0, "P", LIST("a"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_PENDING);
    assert_true(tally_unresponsive(t, &pending, &n, NULL));
    assert_int_equal(n, 1);
    assert_string_equal(pending[0], "b");
    free(pending);
    assert_int_equal(tally_vote(t, 0, "P", LIST("b"), &yes), TALLY_COUNTED);
    assert_int_equal(tally_state(t), TALLY_APPROVED);
    tally_close(t);
}

static void check_finds_what_can_never_or_need_not_be_confirmed(void **state)
{
    struct tally *t = tally_open();
    size_t view;

    (void)state;
    assert_int_equal(tally_check(t, &view), TALLY_NO_VIEW);
    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"a", 1}, {"b", 1}), 2, NULL));
    assert_true(tally_add_hosting(t, "a", 1, LIST("P"), NULL));
    assert_true(tally_seal(t, NULL));
    assert_int_equal(tally_check(t, &view), TALLY_UNREACHABLE); /* b is hosted by nobody */
    tally_close(t);
    t = tally_open();
    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"a", INT32_MAX}, {"b", INT32_MAX}), INT32_MAX, NULL));
    assert_true(tally_add_view(t, NULL));
    assert_true(tally_add_quorum(t, C({"a", 1}), 0, NULL));
    assert_true(tally_add_hosting(t, "a", 1, LIST("P"), NULL));
    assert_true(tally_add_hosting(t, "b", 1, LIST("P"), NULL));
    assert_true(tally_seal(t, NULL));
    assert_int_equal(tally_check(t, &view), TALLY_NO_THRESHOLD);
    assert_int_equal(view, 1);
    tally_close(t);
}

/* --- the property: any vote sequence gives what the rules, computed from scratch, give
 * ------------ */

enum { PARTIES = 4, PARTICIPANTS = 4, VIEWS = 2, QUORUMS = 2, VOTES = 40 };

struct world {
    bool hosts[PARTIES][PARTICIPANTS];
    uint32_t threshold[PARTIES];
    int32_t weight[VIEWS][QUORUMS][PARTIES]; /* 0: not in it */
    int32_t asked[VIEWS][QUORUMS];
    bool voted[VIEWS][PARTIES][PARTICIPANTS][5];
    int decided[VIEWS][PARTIES]; /* 0, 1 approved, 2 rejected */
    enum tally_state state;
};

static const char *const party_name[PARTIES] = {"a", "b", "c", "d"};
static const char *const participant_name[PARTICIPANTS] = {"P0", "P1", "P2", "P3"};

static bool is_confirmer(const struct world *w, int v, int p)
{
    return w->weight[v][0][p] > 0 || w->weight[v][1][p] > 0;
}

static void world_decide(struct world *w, int v, int p, int code)
{
    uint32_t approvals = 0, rejections = 0, abstentions = 0, hosts = 0;

    for (int i = 0; i < PARTICIPANTS; i++) {
        hosts += w->hosts[p][i];
        approvals += w->voted[v][p][i][TALLY_APPROVE];
        rejections += w->voted[v][p][i][TALLY_REJECT];
        abstentions += w->voted[v][p][i][TALLY_ABSTAIN];
    }
    if (w->decided[v][p])
        return;
    if (code == TALLY_APPROVE && approvals >= w->threshold[p])
        w->decided[v][p] = 1;
    if (code != TALLY_APPROVE &&
        (rejections >= w->threshold[p] || rejections + abstentions + w->threshold[p] > hosts))
        w->decided[v][p] = 2;
}

static void world_state(struct world *w)
{
    bool all = true;

    if (w->state != TALLY_PENDING)
        return;
    for (int v = 0; v < VIEWS; v++) {
        for (int q = 0; q < QUORUMS; q++) {
            int64_t left = w->asked[v][q], remaining = 0;
            for (int p = 0; p < PARTIES; p++) {
                if (w->decided[v][p] == 1)
                    left -= w->weight[v][q][p];
                if (w->decided[v][p] == 0)
                    remaining += w->weight[v][q][p];
            }
            if (left > remaining && left > 0)
                w->state = TALLY_REJECTED;
            if (left > 0)
                all = false;
        }
    }
    if (all)
        w->state = TALLY_APPROVED;
}

static enum tally_result world_vote(struct world *w, int v, int sender, int p, int code)
{
    if (!is_confirmer(w, v, p) || !w->hosts[p][sender])
        return TALLY_BAD_PARTY;
    if (code != TALLY_ABSTAIN &&
        w->voted[v][p][sender][code == TALLY_APPROVE ? TALLY_REJECT : TALLY_APPROVE])
        return TALLY_EQUIVOCATION;
    w->voted[v][p][sender][code] = true;
    if (w->state == TALLY_PENDING)
        world_decide(w, v, p, code);
    world_state(w);
    return TALLY_COUNTED;
}

static struct tally *world_tally(struct world *w)
{
    struct tally *t = tally_open();

    memset(w, 0, sizeof(*w));
    for (int p = 0; p < PARTIES; p++) {
        const char *hosts[PARTICIPANTS];
        size_t n = 0;
        for (int i = 0; i < PARTICIPANTS; i++)
            if ((w->hosts[p][i] = rand() % 2))
                hosts[n++] = participant_name[i];
        w->threshold[p] = 1 + (uint32_t)(rand() % 2);
        assert_true(tally_add_hosting(t, party_name[p], w->threshold[p], hosts, n, NULL));
    }
    for (int v = 0; v < VIEWS; v++) {
        assert_true(tally_add_view(t, NULL));
        for (int q = 0; q < QUORUMS; q++) {
            struct tally_confirmer c[PARTIES];
            size_t n = 0;
            int64_t sum = 0;
            for (int p = PARTIES - 1; p >= 0; p--)
                if ((w->weight[v][q][p] = rand() % 3) > 0) {
                    c[n++] = (struct tally_confirmer){party_name[p], w->weight[v][q][p]};
                    sum += w->weight[v][q][p];
                }
            w->asked[v][q] = (int32_t)(rand() % (sum + 1));
            assert_true(tally_add_quorum(t, c, n, w->asked[v][q], NULL));
        }
    }
    world_state(w);
    assert_true(tally_seal(t, NULL));
    return t;
}

static void any_sequence_of_votes_gives_what_the_rules_give(void **state)
{
    int n_end[3] = {0};

    (void)state;
    srand(42);
    for (int round = 0; round < 3000; round++) {
        struct world w;
        struct tally *t = world_tally(&w);
        for (int i = 0; i < VOTES; i++) {
            static const int codes[] = {TALLY_APPROVE, TALLY_APPROVE, TALLY_REJECT, TALLY_ABSTAIN};
            int v = rand() % VIEWS, p = rand() % PARTIES, sender = rand() % PARTICIPANTS;
            struct tally_vote vote = {.code = (enum tally_code)codes[rand() % 4],
                                      .status = bytes_str("x")};
            size_t n;
            assert_int_equal(
                tally_vote(t, (size_t)v, participant_name[sender], LIST(party_name[p]), &vote),
                world_vote(&w, v, sender, p, (int)vote.code));
            assert_int_equal(tally_state(t), w.state);
            (void)tally_reasons(t, &n);
            assert_int_equal(n > 0, w.state == TALLY_REJECTED);
        }
        n_end[tally_state(t)]++;
        tally_close(t);
    }
    assert_true(n_end[TALLY_APPROVED] > 100 && n_end[TALLY_REJECTED] > 100 &&
                n_end[TALLY_PENDING] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_asked_for_approves),
        cmocka_unit_test(an_impossible_quorum_rejects_with_its_reasons_newest_first),
        cmocka_unit_test(a_wrong_party_drops_the_whole_response),
        cmocka_unit_test(a_consortium_needs_its_threshold),
        cmocka_unit_test(an_abstention_that_ends_hope_names_the_real_rejection),
        cmocka_unit_test(one_who_abstains_may_still_vote),
        cmocka_unit_test(malformed_rejects_what_its_sender_hosts),
        cmocka_unit_test(several_quorums_and_views_are_a_conjunction),
        cmocka_unit_test(check_finds_what_can_never_or_need_not_be_confirmed),
        cmocka_unit_test(any_sequence_of_votes_gives_what_the_rules_give),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
