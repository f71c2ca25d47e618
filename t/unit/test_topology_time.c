/* The state by time: when what is accepted begins and ends, proposals until they are complete, and
 * what is answered at a timestamp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/topology/worlds.h"
#include "topology/state.h"
#include "topology/timestamps.h"

#define ADD TOPOLOGY_ADD_REPLACE
#define DEL TOPOLOGY_REMOVE

static const struct world_kind *kind(const char *name)
{
    for (size_t i = 0; i < world_count; i++)
        if (strcmp(world_kinds[i].name, name) == 0)
            return &world_kinds[i];
    fail_msg("no world %s", name);
    return NULL;
}

static struct topology_outcome say(struct stage *s, enum variant v, int op, uint32_t serial,
                                   const char *by, bool is_proposal)
{
    struct topology_outcome out =
        apply_at(s->t, s->now, variant_sign(s->c, v, op, serial, by, is_proposal));

    s->now += 2 * DELAY;
    return out;
}

static const struct row *row(const struct stage *s, size_t from_the_end)
{
    return s->t->rows.at[s->t->rows.n - from_the_end];
}

static size_t signatures_of(const struct row *r)
{
    struct signed_topology_tx tx;
    struct error e;
    size_t n;

    must(signed_topology_tx_parse(buffer_bytes(&r->raw), &tx, &e), &e);
    n = tx.n_signatures;
    signed_topology_tx_free(&tx);
    return n;
}

static void what_is_replaced_ends_when_the_next_begins(void **state)
{
    struct stage s = stage_open(*state, kind("joined"));
    int64_t first, second;

    assert_accepted(say(&s, PKG_A, ADD, 1, "A", false));
    first = row(&s, 1)->valid_from;
    assert_int_equal(first, s.now - 2 * DELAY + DELAY); /* sequenced, and the delay */
    assert_int_equal(row(&s, 1)->valid_until, TOPOLOGY_OPEN);
    assert_accepted(say(&s, PKG_A_MORE, ADD, 2, "A", false));
    second = row(&s, 1)->valid_from;
    assert_int_equal(row(&s, 2)->valid_until, second);
    assert_accepted(say(&s, PKG_A_MORE, DEL, 3, "A", false));
    assert_int_equal(row(&s, 2)->valid_until, row(&s, 1)->valid_from);
    assert_int_equal(row(&s, 1)->valid_until, TOPOLOGY_OPEN); /* a removal stays, for its serial */
    assert_int_equal(say(&s, PKG_A, ADD, 3, "A", false).verdict, TOPOLOGY_REJECTED);
    assert_int_equal(row(&s, 1)->valid_until, row(&s, 1)->valid_from); /* never in effect */

    /* what is in effect at a time: strictly after its begin, up to its end */
    assert_null(state_row(s.t, MAPPING_PACKAGES, s.c->a.uid, first));
    assert_ptr_equal(state_row(s.t, MAPPING_PACKAGES, s.c->a.uid, first + 1), row(&s, 4));
    assert_ptr_equal(state_row(s.t, MAPPING_PACKAGES, s.c->a.uid, second), row(&s, 4));
    assert_ptr_equal(state_row(s.t, MAPPING_PACKAGES, s.c->a.uid, second + 1), row(&s, 3));
    assert_null(state_row(s.t, MAPPING_PACKAGES, s.c->a.uid, s.now));
    topology_close(s.t);
}

static void in_one_broadcast_each_sees_the_one_before(void **state)
{
    struct stage s = stage_open(*state, kind("joined"));
    struct buffer txs[3] = {
        variant_sign(s.c, PKG_A, ADD, 1, "A", false),
        variant_sign(s.c, PKG_A_MORE, ADD, 2, "A", false),
        variant_sign(s.c, PKG_A, ADD, 2, "A", false),
    };
    struct bytes batch[3];
    struct topology_outcome out[3];
    struct error e;

    for (int i = 0; i < 3; i++)
        batch[i] = buffer_bytes(&txs[i]);
    must(topology_apply(s.t, s.now, batch, 3, out, &e), &e);
    assert_accepted(out[0]);
    assert_accepted(out[1]);
    assert_rejected(out[2], "SerialMismatch");
    assert_int_equal(row(&s, 3)->valid_until, row(&s, 3)->valid_from); /* never visible */
    assert_ptr_equal(state_row(s.t, MAPPING_PACKAGES, s.c->a.uid, s.now + DELAY + 1), row(&s, 2));
    for (int i = 0; i < 3; i++)
        buffer_free(&txs[i]);
    topology_close(s.t);
}

static void a_proposal_gathers_signatures_until_it_is_complete(void **state)
{
    struct stage s = stage_open(*state, kind("joined"));
    const char *owners[] = {s.c->x.ns, s.c->y.ns, s.c->p.ns}, *ids[] = {"01"};
    struct signer by[] = {cast_signer(s.c, 'X'), cast_signer(s.c, 'Y'), cast_signer(s.c, 'P')};
    char ns[FINGERPRINT_SIZE], uid[UID_TEXT_SIZE];
    struct maker k;
    struct error e;

    must(decentralized_namespace(owners, 3, ns, &e), &e);
    make_definition(&k, ns, 3, owners, 3);
    assert_accepted(apply_at(s.t, s.now, sign_by(by, 3, ADD, 1, &k.m, false)));
    snprintf(uid, sizeof(uid), "three::%s", ns);
    make_packages(&k, uid, ids, 1);
    for (size_t i = 0; i < 3; i++) {
        struct topology_outcome out =
            apply_at(s.t, ++s.now, sign_by(&by[i], 1, ADD, 1, &k.m, true));

        assert_int_equal(out.verdict, i < 2 ? TOPOLOGY_PROPOSED : TOPOLOGY_ACCEPTED);
        assert_int_equal(out.n_signatures, i + 1);
        assert_int_equal(signatures_of(row(&s, 1)), i + 1);
        if (i > 0) /* the one before has ended */
            assert_int_equal(row(&s, 2)->valid_until, row(&s, 1)->valid_from);
        assert_int_equal(row(&s, 1)->valid_until, TOPOLOGY_OPEN);
    }
    assert_false(row(&s, 1)->is_proposal);
    topology_close(s.t);
}

static void a_proposal_ends_with_what_has_its_serial_and_not_before(void **state)
{
    struct stage s = stage_open(*state, kind("two owners"));
    const struct row *second, *third;

    assert_int_equal(say(&s, PARAM_MORE, ADD, 2, "O", true).verdict, TOPOLOGY_PROPOSED);
    second = row(&s, 1);
    assert_rejected(say(&s, PARAM_LOCKED, ADD, 3, "O", true),
                    "SerialMismatch"); /* not yet its turn */
    assert_accepted(say(&s, PARAM, ADD, 2, "Oo", false));
    assert_int_equal(second->valid_until, row(&s, 1)->valid_from);
    assert_int_equal(say(&s, PARAM_MORE, ADD, 3, "O", true).verdict, TOPOLOGY_PROPOSED);
    third = row(&s, 1);
    assert_accepted(say(&s, PARAM, ADD, 2, "Oo", false)); /* the accepted one, once more */
    assert_int_equal(third->valid_until, TOPOLOGY_OPEN);  /* a later serial waits on */
    assert_accepted(say(&s, PARAM_MORE, ADD, 3, "o", true));
    assert_int_equal(third->valid_until, row(&s, 1)->valid_from);
    topology_close(s.t);
}

static void more_signatures_of_what_is_accepted_are_added(void **state)
{
    struct stage s = stage_open(*state, kind("full"));
    size_t before = signatures_of(state_row(s.t, MAPPING_PACKAGES, s.c->a.uid, s.now));

    assert_accepted(say(&s, PKG_A, ADD, 1, "D", false)); /* it was A's */
    assert_int_equal(before, 1);
    assert_int_equal(signatures_of(row(&s, 1)), 2);
    assert_accepted(say(&s, PKG_A, ADD, 1, "D!", false)); /* what is stored wins */
    assert_int_equal(signatures_of(row(&s, 1)), 2);
    topology_close(s.t);
}

static void an_upgrade_is_announced_for_later_and_followed_later(void **state)
{
    struct stage s = stage_open(*state, kind("joined"));
    struct cast *c = *state;
    struct signer owner = cast_signer(c, 'O'), sequencer = cast_signer(c, 'S');
    struct topology_outcome out[2];
    struct buffer txs[2];
    struct bytes batch[2];
    struct maker k;
    struct error e;

    make_upgrade(&k, c->next, 0);
    k.at = ts_message(s.now + DELAY);
    assert_rejected(apply_at(s.t, s.now, sign_by(&owner, 1, ADD, 1, &k.m, false)),
                    "InvalidUpgradeTime"); /* at its own effective time */
    k.at = ts_message(s.now + DELAY + 1);
    txs[0] = sign_by(&owner, 1, ADD, 1, &k.m, false);
    make_successor(&k, c->s.member, c->next, "https://127.0.0.1:1");
    txs[1] = sign_by(&sequencer, 1, ADD, 1, &k.m, false);
    for (int i = 0; i < 2; i++)
        batch[i] = buffer_bytes(&txs[i]);
    must(topology_apply(s.t, s.now, batch, 2, out, &e), &e);
    assert_accepted(out[0]);
    assert_rejected(out[1], "NoLsuAnnounced"); /* announced at the same time is not before */
    must(topology_apply(s.t, s.now + 1, &batch[1], 1, out, &e), &e);
    assert_accepted(out[0]);
    for (int i = 0; i < 2; i++)
        buffer_free(&txs[i]);
    topology_close(s.t);
}

static void who_is_a_member_and_may_log_in(void **state)
{
    struct stage s = stage_open(*state, kind("joined"));
    struct cast *c = *state;
    struct participant_attributes a;
    int64_t before = s.now;
    const char *why;

    /* restricted: only with a permission; with one, from its time on */
    assert_true(topology_participant(s.t, s.now, c->a.uid, &a));
    assert_int_equal(a.permission, PERMISSION_SUBMISSION);
    assert_accepted(say(&s, PARAM_RESTRICTED, ADD, 2, "O", false));
    assert_false(topology_participant(s.t, s.now, c->a.uid, NULL));
    assert_true(topology_member_known(s.t, s.now, c->a.member));
    assert_false(topology_member_active(s.t, s.now, c->a.member, &why));
    assert_accepted(say(&s, PERM_A_LESS, ADD, 1, "O", false));
    assert_true(topology_participant(s.t, s.now, c->a.uid, &a));
    assert_int_equal(a.permission, PERMISSION_OBSERVATION);
    assert_true(topology_member_active(s.t, s.now, c->a.member, &why));
    assert_true(topology_participant(s.t, before, c->a.uid, &a)); /* as it was */
    assert_int_equal(a.permission, PERMISSION_SUBMISSION);
    assert_accepted(say(&s, PERM_B, ADD, 1, "O", false));
    assert_accepted(say(&s, TRUST_B, ADD, 1, "B", false));
    assert_true(topology_member_active(s.t, s.now, c->b.member, &why));
    assert_accepted(say(&s, PERM_B_LATE, ADD, 2, "O", false));
    assert_true(topology_participant(s.t, s.now, c->b.uid, NULL));
    assert_false(topology_member_active(s.t, s.now, c->b.member, &why));
    assert_non_null(strstr(why, "may not log in yet"));
    topology_close(s.t);
}

static void observers_of_a_list_are_members_but_not_active(void **state)
{
    struct stage s = stage_open(*state, kind("joined"));
    struct cast *c = *state;
    const char *active[] = {c->w.sequencer.uid, NULL}, *observers[] = {c->s.uid, NULL};
    struct signer owner = cast_signer(c, 'O');
    struct topology_group g;
    struct maker k;

    make_sequencers(&k, topology_synchronizer(s.t), 1, active, observers);
    assert_accepted(apply_at(s.t, s.now, sign_by(&owner, 1, ADD, 2, &k.m, false)));
    s.now += 2 * DELAY;
    assert_true(topology_member_known(s.t, s.now, c->s.member));
    assert_false(topology_member_active(s.t, s.now, c->s.member, NULL));
    assert_true(topology_member_active(s.t, s.now, c->w.sequencer.member, NULL));
    assert_true(topology_sequencer_group(s.t, s.now, &g));
    assert_int_equal(g.n_active, 1);
    assert_int_equal(g.n_observers, 1);
    assert_false(topology_member_known(s.t, s.now - 2 * DELAY, c->s.member));
    topology_close(s.t);
}

static void a_party_has_the_lower_of_two_permissions(void **state)
{
    struct stage s = stage_open(*state, kind("full"));
    struct cast *c = *state;
    struct party_hosting h;
    struct error e;
    bool found;

    must(topology_hosting(s.t, s.now, c->bank, &h, &found, &e), &e); /* SUBMISSION and SUBMISSION */
    assert_true(found);
    assert_int_equal(h.hosts[0].permission, PERMISSION_SUBMISSION);
    party_hosting_free(&h);
    assert_accepted(say(&s, PERM_A_LESS, ADD, 2, "O", false));
    must(topology_hosting(s.t, s.now, c->bank, &h, &found, &e), &e);
    assert_int_equal(h.hosts[0].permission, PERMISSION_OBSERVATION);
    party_hosting_free(&h);
    assert_accepted(say(&s, HOST_A_LESS, ADD, 2, "A", false));
    assert_accepted(say(&s, PERM_A, ADD, 3, "O", false));
    must(topology_hosting(s.t, s.now, c->bank, &h, &found, &e), &e);
    assert_int_equal(h.hosts[0].permission, PERMISSION_OBSERVATION);
    party_hosting_free(&h);
    assert_accepted(say(&s, TRUST_A, DEL, 2, "O", false)); /* no participant hosts nobody */
    must(topology_hosting(s.t, s.now, c->bank, &h, &found, &e), &e);
    assert_false(found);
    party_hosting_free(&h);
    topology_close(s.t);
}

static void keys_are_those_of_the_time(void **state)
{
    struct stage s = stage_open(*state, kind("joined"));
    struct cast *c = *state;
    const struct public_key *keys[TOPOLOGY_KEYS_MAX];
    int64_t before = s.now;

    assert_int_equal(topology_signing_keys(s.t, s.now, c->a.member, USAGE_PROTOCOL, keys), 1);
    assert_accepted(say(&s, KEYS_A_MORE, ADD, 2, "AN", false));
    assert_int_equal(topology_signing_keys(s.t, s.now, c->a.member, USAGE_PROTOCOL, keys), 2);
    assert_string_equal(keys[1]->fingerprint, c->n->fingerprint); /* the newest is the last */
    assert_int_equal(topology_signing_keys(s.t, before, c->a.member, USAGE_PROTOCOL, keys), 1);
    assert_int_equal(topology_signing_keys(s.t, s.now, c->a.member, USAGE_SEQUENCER_AUTH, keys), 1);
    assert_non_null(topology_encryption_key(s.t, s.now, c->a.member));
    assert_int_equal(topology_signing_keys(s.t, s.now, "MED::a::1220", USAGE_PROTOCOL, keys), 0);
    topology_close(s.t);
}

static int open_cast(void **state)
{
    *state = calloc(1, sizeof(struct cast));
    assert_non_null(*state);
    cast_open(*state);
    return 0;
}

static int close_cast(void **state)
{
    cast_close(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_replaced_ends_when_the_next_begins),
        cmocka_unit_test(in_one_broadcast_each_sees_the_one_before),
        cmocka_unit_test(a_proposal_gathers_signatures_until_it_is_complete),
        cmocka_unit_test(a_proposal_ends_with_what_has_its_serial_and_not_before),
        cmocka_unit_test(more_signatures_of_what_is_accepted_are_added),
        cmocka_unit_test(an_upgrade_is_announced_for_later_and_followed_later),
        cmocka_unit_test(who_is_a_member_and_may_log_in),
        cmocka_unit_test(observers_of_a_list_are_members_but_not_active),
        cmocka_unit_test(a_party_has_the_lower_of_two_permissions),
        cmocka_unit_test(keys_are_those_of_the_time),
    };

    return cmocka_run_group_tests_name("topology by time", tests, open_cast, close_cast);
}
