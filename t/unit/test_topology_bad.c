/* test_topology_bad.c: signatures that do not count, whatever is wrong with them, and delegations
 * that hang on each other: refused with the reason, and the state stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/make.h"
#include "t/unit/session_key.h"

#define ADD TOPOLOGY_ADD_REPLACE

struct bed {
    struct world w;
    struct node p; /* a participant that joined */
};

static void bed_open(struct bed *b)
{
    world_open(&b->w);
    participant_join(&b->w, &b->p, "alice");
}

static void bed_close(struct bed *b)
{
    node_close(&b->p);
    world_close(&b->w);
}

static const struct private_key *new_key(struct bed *b, unsigned usages)
{
    const struct private_key *k;
    struct error e;

    must(keyring_generate(b->p.keys, KEY_SIGNING, SIGNING_P256, usages, &k, &e), &e);
    return k;
}

static struct signer by(const struct bed *b, const struct public_key *k)
{
    return (struct signer){b->p.keys, k != NULL ? k->fingerprint : b->p.ns};
}

/* All that is in force, and what has ended; not what was refused. */
static struct buffer accepted(const struct topology *t)
{
    struct topology_items items = {0};
    struct buffer out = BUFFER_INIT;
    struct error e;

    must(topology_rows(t, false, &items, &e), &e);
    for (size_t i = 0; i < items.n; i++) {
        if (items.at[i].rejection != NULL)
            continue;
        buffer_append_bytes(&out, buffer_bytes(&items.at[i].transaction));
        buffer_append(&out, &items.at[i].valid_from, sizeof(int64_t));
        buffer_append(&out, &items.at[i].valid_until, sizeof(int64_t));
    }
    topology_items_free(&items);
    return out;
}

/* Takes tx: it is rejected by this name, and nothing else changes. */
static void refused(struct bed *b, struct buffer tx, const char *name)
{
    struct buffer before = accepted(b->w.t), after;

    assert_rejected(apply_one(&b->w, buffer_bytes(&tx)), name);
    after = accepted(b->w.t);
    assert_true(before.len == after.len && memcmp(before.data, after.data, after.len) == 0);
    buffer_free(&before);
    buffer_free(&after);
    buffer_free(&tx);
}

static struct buffer packages_by(struct bed *b, const struct public_key *signer, uint32_t serial)
{
    const char *ids[] = {"aa01"};
    struct signer s = by(b, signer);
    struct maker k;

    make_packages(&k, b->p.uid, ids, 1);
    return sign_by(&s, 1, ADD, serial, &k.m, false);
}

static struct buffer delegation_by(struct bed *b, const struct public_key *signer, uint32_t serial,
                                   const struct public_key *target)
{
    struct signer s = by(b, signer);
    struct maker k;

    make_delegation(&k, b->p.ns, target, NULL, 0);
    return sign_by(&s, 1, ADD, serial, &k.m, false);
}

static void taken(struct bed *b, struct buffer tx)
{
    assert_accepted(apply_one(&b->w, buffer_bytes(&tx)));
    buffer_free(&tx);
}

static void delegations_in_a_loop_authorise_nobody(void **state)
{
    const struct public_key *x, *y;
    struct bed b;

    (void)state;
    bed_open(&b);
    x = new_key(&b, USAGE_NAMESPACE)->pub;
    y = new_key(&b, USAGE_NAMESPACE)->pub;
    refused(&b, delegation_by(&b, x, 1, x), "NoDelegationFoundForKeys"); /* says so of itself */
    taken(&b, delegation_by(&b, NULL, 1, x));
    taken(&b, delegation_by(&b, x, 1, y));
    taken(&b, packages_by(&b, y, 1));
    taken(&b, delegation_by(&b, y, 2, x)); /* from here on each hangs on the other alone */
    refused(&b, packages_by(&b, x, 2), "NoDelegationFoundForKeys");
    refused(&b, packages_by(&b, y, 2), "NoDelegationFoundForKeys");
    refused(&b, delegation_by(&b, x, 2, y), "NoDelegationFoundForKeys");
    taken(&b, packages_by(&b, NULL, 2));
    taken(&b, delegation_by(&b, NULL, 3, x)); /* the root opens it again, for both */
    taken(&b, packages_by(&b, y, 3));
    bed_close(&b);
}

/* The transactions in force, without their times. */
static struct buffer in_force(const struct topology *t)
{
    struct topology_items items = {0};
    struct buffer out = BUFFER_INIT;
    struct error e;

    must(topology_rows(t, false, &items, &e), &e);
    for (size_t i = 0; i < items.n; i++)
        if (items.at[i].rejection == NULL && items.at[i].valid_until == TOPOLOGY_OPEN)
            buffer_append_bytes(&out, buffer_bytes(&items.at[i].transaction));
    topology_items_free(&items);
    return out;
}

/* What was replaced does not come back; what is in force is, for the protocol, one more set of
 * signatures to it, and these are the same. */
static void what_is_sent_again_changes_nothing(void **state)
{
    struct bed b;
    struct buffer old, now, before, after;

    (void)state;
    bed_open(&b);
    old = packages_by(&b, NULL, 1);
    now = packages_by(&b, NULL, 2);
    assert_accepted(apply_one(&b.w, buffer_bytes(&old)));
    assert_accepted(apply_one(&b.w, buffer_bytes(&now)));
    before = in_force(b.w.t);
    assert_accepted(apply_one(&b.w, buffer_bytes(&now)));
    after = in_force(b.w.t);
    assert_true(before.len == after.len && memcmp(before.data, after.data, after.len) == 0);
    refused(&b, old, "SerialMismatch");
    buffer_free(&before);
    buffer_free(&after);
    buffer_free(&now);
    bed_close(&b);
}

/* The packages of p, with what spoil made of the root's signature. */
typedef void spoil_fn(struct bed *b, struct bytes tx, struct signature *s);

static struct buffer spoilt(struct bed *b, spoil_fn *spoil)
{
    struct buffer good = packages_by(b, NULL, 1), out = BUFFER_INIT;
    struct signed_topology_tx tx;
    struct error e;

    must(signed_topology_tx_parse(buffer_bytes(&good), &tx, &e), &e);
    spoil(b, buffer_bytes(&tx.transaction), &tx.signatures[0]);
    must(signed_topology_tx_build(buffer_bytes(&tx.transaction), tx.signatures, 1, false, &out, &e),
         &e);
    signed_topology_tx_free(&tx);
    buffer_free(&good);
    return out;
}

static void forge(struct bed *b, struct bytes tx, struct signature *s)
{
    (void)b, (void)tx;
    s->bytes.data[s->bytes.len / 2] ^= 1;
}

static void cut_one(struct bed *b, struct bytes tx, struct signature *s)
{
    (void)b, (void)tx;
    s->bytes.len--;
}

/* By the right key over the same bytes, hashed for another purpose. */
static void other_purpose(struct bed *b, struct bytes tx, struct signature *s)
{
    struct hash h;
    struct error e;

    must(hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, tx, &h, &e), &e);
    signature_free(s);
    must(private_key_sign(keyring_find(b->p.keys, b->p.ns), USAGE_NAMESPACE, &h, s, &e), &e);
}

/* The signature of a transaction that is in the state. */
static void from_another(struct bed *b, struct bytes tx, struct signature *s)
{
    struct signed_topology_tx root;
    struct error e;

    (void)tx;
    must(signed_topology_tx_parse(buffer_bytes(&b->p.identity.at[0]), &root, &e), &e);
    signature_free(s);
    must(signature_copy(s, &root.signatures[0], &e), &e);
    signed_topology_tx_free(&root);
}

static void a_spoilt_signature_is_refused(void **state)
{
    spoil_fn *const all[] = {forge, cut_one, other_purpose, from_another};
    struct bed b;

    (void)state;
    bed_open(&b);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        refused(&b, spoilt(&b, all[i]), "SignatureCheckFailed");
    taken(&b, packages_by(&b, NULL, 1)); /* it was for the signatures alone */
    bed_close(&b);
}

/* Cut short anywhere it is no transaction at all, or one that is refused. */
static void a_transaction_cut_short_is_refused(void **state)
{
    struct bed b;
    struct buffer whole, before, after;

    (void)state;
    bed_open(&b);
    whole = packages_by(&b, NULL, 1);
    before = accepted(b.w.t);
    /* The last two bytes are the wrapper's version: without them nothing of it is missing. */
    for (size_t n = 0; n < whole.len - 2; n++) {
        struct bytes tx = bytes_of(whole.data, n);
        struct topology_outcome out = {.verdict = TOPOLOGY_REJECTED};
        struct error e;

        if (topology_apply(b.w.t, b.w.now, &tx, 1, &out, &e))
            assert_int_equal(out.verdict, TOPOLOGY_REJECTED);
        else
            assert_true(e.code == ERR_MALFORMED && e.cause[0] != '\0');
    }
    after = accepted(b.w.t);
    assert_true(before.len == after.len && memcmp(before.data, after.data, after.len) == 0);
    buffer_free(&whole);
    buffer_free(&before);
    buffer_free(&after);
    bed_close(&b);
}

static void a_key_for_something_else_is_refused(void **state)
{
    const struct public_key *k;
    struct bed b;

    (void)state;
    bed_open(&b);
    for (size_t i = 0; i < keyring_count(b.p.keys); i++) {
        k = keyring_at(b.p.keys, i)->pub;
        if (k->kind == KEY_SIGNING && (k->usages & USAGE_NAMESPACE) == 0)
            refused(&b, packages_by(&b, k, 1), "NoDelegationFoundForKeys");
    }
    bed_close(&b);
}

/* The new keys of p, signed by its root, and for the new one by a session key that it vouched for.
 */
static struct buffer keys_by_session(struct bed *b, const struct private_key *added, int64_t from)
{
    struct private_key *key = session_key_new(SIGNING_ED25519);
    struct session_of session = {added, key, topology_synchronizer(b->w.t), from, 300};
    const struct public_key *keys[MAKE_MAX] = {added->pub};
    struct buffer tx = BUFFER_INIT, out = BUFFER_INIT;
    struct signature s[2] = {0};
    size_t n = 1;
    struct maker k;
    struct hash h;
    struct error e;

    for (size_t i = 0; i < keyring_count(b->p.keys); i++)
        if ((keyring_at(b->p.keys, i)->pub->usages & USAGE_NAMESPACE) == 0 &&
            keyring_at(b->p.keys, i) != added)
            keys[n++] = keyring_at(b->p.keys, i)->pub;
    make_keys(&k, b->p.member, keys, n);
    must(topology_tx_build(ADD, 2, &k.m, &tx, &e), &e);
    must(topology_tx_hash(buffer_bytes(&tx), &h, &e), &e);
    must(private_key_sign(keyring_find(b->p.keys, b->p.ns), USAGE_NAMESPACE, &h, &s[0], &e), &e);
    session_sign(&session, &h, &s[1]);
    must(signed_topology_tx_build(buffer_bytes(&tx), s, 2, false, &out, &e), &e);
    signature_free(&s[0]);
    signature_free(&s[1]);
    buffer_free(&tx);
    private_key_unref(key);
    return out;
}

static void a_session_key_signs_no_topology(void **state)
{
    const struct private_key *added;
    struct bed b;

    (void)state;
    bed_open(&b);
    added = new_key(&b, USAGE_PROTOCOL | USAGE_PROOF);
    refused(&b, keys_by_session(&b, added, b.w.now - 3600000000LL),
            "SignatureCheckFailed: a session key of"); /* expired */
    refused(&b, keys_by_session(&b, added, b.w.now - 1000000LL),
            "SignatureCheckFailed: a session key of");
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delegations_in_a_loop_authorise_nobody),
        cmocka_unit_test(what_is_sent_again_changes_nothing),
        cmocka_unit_test(a_spoilt_signature_is_refused),
        cmocka_unit_test(a_transaction_cut_short_is_refused),
        cmocka_unit_test(a_key_for_something_else_is_refused),
        cmocka_unit_test(a_session_key_signs_no_topology),
    };

    return cmocka_run_group_tests_name("topology: bad signatures", tests, NULL, NULL);
}
