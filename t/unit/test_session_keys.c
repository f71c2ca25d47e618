/* test_session_keys.c: signatures by session keys: the vector, each rule, the wire, the topology.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "t/unit/session_key.h"
#include "t/unit/topology_world.h"
#include "t/unit/vectors.h"
#include "wire/precheck.h"

#define SYNC "da::1220ab"
#define FROM 1700000000000000LL
#define LIFE 300
#define END  (FROM + LIFE * 1000000LL)

static struct private_key *owner, *other, *session;
static struct hash message;

static int set_up(void **state)
{
    (void)state;
    owner = session_key_new(SIGNING_P256);
    other = session_key_new(SIGNING_P256);
    session = session_key_new(SIGNING_ED25519);
    return hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, bytes_str("verdict"), &message, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    private_key_unref(owner);
    private_key_unref(other);
    private_key_unref(session);
    return 0;
}

static struct session_of usual(void)
{
    return (struct session_of){owner, session, SYNC, FROM, LIFE};
}

static bool verifies(const struct signature *s, int64_t ts, struct error *e)
{
    struct signing_scope at = {&crypto_policy_default, SYNC, ts};

    return signature_verify_at(&at, owner->pub, USAGE_PROTOCOL, &message, s, e);
}

static void expect_refused(const struct session_of *o, int64_t ts, const char *why)
{
    struct signature s;
    struct error e;

    session_sign(o, &message, &s);
    assert_false(verifies(&s, ts, &e));
    assert_int_equal(e.code, ERR_SIGNATURE);
    if (strstr(e.cause, why) == NULL)
        fail_msg("expected %s, got: %s", why, e.cause);
    signature_free(&s);
}

static void the_golden_delegation_has_its_hash_and_verifies(void **state)
{
    json_t *golden = vectors_own("golden.json"),
           *v = json_object_get(golden, "session_key_delegation");
    struct buffer spki = vectors_hex(v, "session_key_spki"), want = vectors_hex(v, "hash");
    struct delegation *d = calloc(1, sizeof(*d));
    struct signature s = {.format = SIGNATURE_CONCAT, .delegation = d};
    struct signing_scope at = {&crypto_policy_default, vectors_str(v, "synchronizer_id"),
                               json_integer_value(json_object_get(v, "from_micros"))};
    struct private_key *long_term;
    uint8_t seed[32];
    struct error e;
    struct hash h;

    (void)state;
    assert_non_null(d);
    d->valid_from = at.ts;
    d->seconds = (uint32_t)vectors_int(v, "duration_seconds");
    d->bytes = vectors_hex(v, "delegation_signature");
    d->format = SIGNATURE_RAW; /* the legacy format is understood here too */
    assert_true(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, vectors_int(v, "session_key_spec"),
                                 SESSION_KEY_USAGES, buffer_bytes(&spki), &d->key, NULL));
    assert_string_equal(d->key->fingerprint, vectors_str(v, "session_fingerprint"));
    assert_true(delegation_hash(d, at.synchronizer, &h, NULL));
    assert_memory_equal(h.b, want.data, HASH_LEN);
    assert_true(hex_decode(vectors_str(v, "long_term_private_seed"), seed, 32));
    assert_true(private_key_from_seed(seed, USAGE_ALL, &long_term, NULL));
    snprintf(s.signed_by, sizeof(s.signed_by), "%s", vectors_str(v, "long_term_fingerprint"));
    must(signature_key_usable(&at, long_term->pub, USAGE_PROTOCOL, &s, &e), &e);
    d->bytes.data[7] ^= 1;
    assert_false(signature_key_usable(&at, long_term->pub, USAGE_PROTOCOL, &s, &e));
    signature_free(&s);
    private_key_unref(long_term);
    buffer_free(&spki);
    buffer_free(&want);
    json_decref(golden);
}

static void a_session_key_signs_from_its_start_to_before_its_end(void **state)
{
    struct session_of o = usual();
    struct signature s;
    struct error e;

    (void)state;
    session_sign(&o, &message, &s);
    must(verifies(&s, FROM, &e), &e);
    must(verifies(&s, END - 1, &e), &e);
    signature_free(&s);
    expect_refused(&o, FROM - 1, "is valid from");
    expect_refused(&o, END, "was valid before");
    o.from = TS_MAX - 5; /* saturates */
    o.seconds = UINT32_MAX;
    session_sign(&o, &message, &s);
    must(verifies(&s, TS_MAX - 1, &e), &e);
    signature_free(&s);
    o.from = TS_MIN;
    expect_refused(&o, FROM, "was valid before");
}

static void every_spec_may_be_a_session_key(void **state)
{
    (void)state;
    for (int spec = SIGNING_ED25519; spec <= SIGNING_SECP256K1; spec++) {
        struct session_of o = usual();
        struct private_key *k = session_key_new(spec);
        struct signature s;
        struct error e;

        o.key = k;
        session_sign(&o, &message, &s);
        must(verifies(&s, FROM, &e), &e);
        signature_free(&s);
        private_key_unref(k);
    }
}

static void nobody_else_can_vouch(void **state)
{
    struct session_of o = usual(), inner;
    struct private_key *second = session_key_new(SIGNING_ED25519);
    struct signature s;
    struct error e;

    (void)state;
    o.synchronizer = "da::1220cd"; /* delegated for another synchronizer */
    expect_refused(&o, FROM, "delegation to a session key");
    o = usual();
    o.owner = other;
    expect_refused(&o, FROM, "signed by");
    session_sign(&o, &message, &s); /* the other's delegation under this signer's name */
    memcpy(s.signed_by, owner->pub->fingerprint, sizeof(s.signed_by));
    assert_false(verifies(&s, FROM, &e));
    signature_free(&s);

    inner = (struct session_of){session, second, SYNC, FROM, LIFE}; /* a delegate's delegate */
    session_sign(&inner, &message, &s);
    assert_false(verifies(&s, FROM, &e));
    memcpy(s.signed_by, owner->pub->fingerprint, sizeof(s.signed_by));
    assert_false(verifies(&s, FROM, &e));
    signature_free(&s);
    private_key_unref(second);
}

/* Changes one thing of a good signature. */
static void expect_tampered(int what)
{
    struct session_of o = usual();
    struct private_key *second = session_key_new(SIGNING_ED25519);
    struct signature s, direct;
    struct error e;

    session_sign(&o, &message, &s);
    must(verifies(&s, FROM + 1, &e), &e);
    switch (what) {
    case 0: /* another session key with its own good signature */
        signature_free(&s);
        o.key = second;
        session_sign(&o, &message, &s);
        public_key_unref(s.delegation->key);
        s.delegation->key = public_key_ref(session->pub);
        break;
    case 1:
        public_key_unref(s.delegation->key);
        s.delegation->key = public_key_ref(second->pub);
        break;
    case 2:
        s.delegation->seconds++;
        break;
    case 3:
        s.delegation->valid_from++;
        break;
    case 4:
        s.delegation->bytes.len--;
        break;
    case 5:
        s.bytes.data[3] ^= 1;
        break;
    case 6: /* signed by the long-term key itself, and yet delegated */
        signature_free(&s);
        session_sign(&o, &message, &s);
        buffer_free(&s.bytes);
        assert_true(private_key_sign(owner, USAGE_PROTOCOL, &message, &direct, NULL));
        s.bytes = direct.bytes;
        break;
    default:
        s.delegation->algorithm = ALGORITHM_ED25519;
    }
    assert_false(verifies(&s, FROM + 1, &e));
    assert_int_equal(e.code, ERR_SIGNATURE);
    signature_free(&s);
    private_key_unref(second);
}

static void whatever_is_changed_breaks_it(void **state)
{
    (void)state;
    for (int i = 0; i <= 7; i++)
        expect_tampered(i);
}

static void only_protocol_messages_may_be_signed_so(void **state)
{
    static const unsigned wrong[] = {USAGE_NAMESPACE, USAGE_SEQUENCER_AUTH, USAGE_PROOF,
                                     USAGE_PROTOCOL | USAGE_PROOF, USAGE_ALL};
    struct signing_scope at = {&crypto_policy_default, SYNC, FROM};
    struct crypto_policy p256_only = crypto_policy_default;
    struct session_of o = usual();
    struct signature s;
    struct error e;

    (void)state;
    session_sign(&o, &message, &s);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_false(signature_verify_at(&at, owner->pub, wrong[i], &message, &s, &e));
        assert_int_equal(e.code, ERR_UNSUPPORTED);
        assert_false(signature_in_force(&at, wrong[i], &s, &e));
    }
    assert_false(signature_verify(session->pub, USAGE_PROTOCOL, &message, &s, &e));
    assert_false(signature_verify(owner->pub, USAGE_PROTOCOL, &message, &s, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    p256_only.algorithms = 1u << ALGORITHM_ECDSA_SHA256; /* holds for session keys too */
    at.policy = &p256_only;
    assert_false(signature_verify_at(&at, owner->pub, USAGE_PROTOCOL, &message, &s, &e));
    signature_free(&s);
}

static void parses_again(const struct signature *s)
{
    struct signature_message m, again;
    struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
    C30__Signature *read;
    struct signature t, copy;
    struct error e;

    signature_to_message(s, &m);
    must(wire_pack(&m.signature, &a, &e), &e);
    read = wire_unpack(&c30__signature__descriptor, buffer_bytes(&a), &e);
    assert_non_null(read);
    must(signature_from_message(read, &t, &e), &e);
    must(signature_copy(&copy, &t, &e), &e);
    signature_free(&t); /* the copy owns what it has */
    signature_to_message(&copy, &again);
    must(wire_pack(&again.signature, &b, &e), &e);
    assert_true(bytes_equal(buffer_bytes(&a), buffer_bytes(&b)));
    must(verifies(&copy, FROM, &e), &e);
    signature_free(&copy);
    wire_message_free(read);
    buffer_free(&a);
    buffer_free(&b);
}

static void it_travels_byte_for_byte_and_malformed_ones_do_not(void **state)
{
    struct session_of o = usual();
    struct signature s, t;
    struct signature_message m;
    struct error e;

    (void)state;
    session_sign(&o, &message, &s);
    parses_again(&s);
    for (int i = 0; i < 9; i++) {
        C30__SignatureDelegation *d = &m.delegation;
        enum error_code want = ERR_MALFORMED;

        signature_to_message(&s, &m);
        if (i == 0)
            d->validity_period_duration_seconds = 0;
        else if (i == 1)
            d->validity_period_from_inclusive = TS_MAX + 1;
        else if (i == 2)
            d->signature.len = 0;
        else if (i == 3)
            d->signature.len = SIGNATURE_BYTES_MAX + 1;
        else if (i == 4)
            d->session_key.len = 0;
        else if (i == 5)
            d->session_key.len--;
        else if (i == 6)
            d->session_key_spec = (C30__SigningKeySpec)SIGNING_P256;
        else if (i == 7)
            d->session_key_spec = (C30__SigningKeySpec)0;
        else {
            d->session_key_spec = (C30__SigningKeySpec)SIGNING_ML_DSA_65;
            want = ERR_UNSUPPORTED;
        }
        assert_false(signature_from_message(&m.signature, &t, &e));
        assert_int_equal(e.code, want);
    }
    signature_free(&s);
}

static void the_topology_takes_sessions_of_keys_in_effect(void **state)
{
    struct world w;
    struct signature s[2];
    struct error e;

    (void)state;
    world_open(&w);
    struct session_of med = {.owner = keyring_newest(w.mediator.keys, USAGE_PROTOCOL),
                             .key = session,
                             .synchronizer = topology_synchronizer(w.t),
                             .from = w.now,
                             .seconds = 1};
    struct session_of seq = med;

    seq.owner = keyring_newest(w.sequencer.keys, USAGE_PROTOCOL);
    session_sign(&med, &message, &s[0]);
    session_sign(&seq, &message, &s[1]);
    const char *m = w.mediator.member;

    must(topology_verify_member(w.t, w.now, m, USAGE_PROTOCOL, &message, s, 1, &e), &e);
    must(topology_verify_mediators(w.t, w.now, 0, &message, s, 1, &e), &e);
    must(topology_verify_sequencers(w.t, w.now, &message, s, 2, &e), &e);
    assert_false(topology_verify_sequencers(w.t, w.now, &message, s, 1, &e));
    assert_false(topology_verify_member(w.t, w.now, m, USAGE_PROTOCOL, &message, s + 1, 1, &e));
    assert_int_equal(e.code, ERR_SIGNATURE); /* a session of another member's key */
    assert_false(topology_verify_member(w.t, w.now, m, USAGE_SEQUENCER_AUTH, &message, s, 1, &e));
    for (int64_t ts = w.now - 1; ts <= w.now + 1000000; ts += 1000001) {
        assert_false(topology_verify_member(w.t, ts, m, USAGE_PROTOCOL, &message, s, 1, &e));
        assert_false(topology_verify_mediators(w.t, ts, 0, &message, s, 1, &e));
        assert_false(topology_verify_sequencers(w.t, ts, &message, s, 2, &e));
    }
    assert_false(topology_verify_member(w.t, TOPOLOGY_GENESIS_TS, m, USAGE_PROTOCOL, &message, s, 1,
                                        &e)); /* before the keys were in effect */
    signature_free(&s[0]);
    signature_free(&s[1]);
    world_close(&w);
}

static void a_topology_transaction_may_not_be_signed_so(void **state)
{
    struct world w;
    struct node a;
    struct signed_topology_tx tx;
    struct buffer wire = BUFFER_INIT;
    struct error e;

    (void)state;
    world_open(&w);
    node_open(&a, MEMBER_PARTICIPANT, "a");
    must(signed_topology_tx_parse(buffer_bytes(&a.identity.at[0]), &tx, &e), &e);
    struct session_of o = {.owner = keyring_find(a.keys, tx.signatures[0].signed_by),
                           .key = session,
                           .synchronizer = topology_synchronizer(w.t),
                           .from = w.now,
                           .seconds = 1000};
    /* The delegation itself cannot be made by a namespace key; any will do here. */
    o.owner = keyring_newest(a.keys, USAGE_PROTOCOL);
    session_delegate(&o, &tx.signatures[0].delegation);
    must(signed_topology_tx_build(buffer_bytes(&tx.transaction), tx.signatures, tx.n_signatures,
                                  false, &wire, &e),
         &e);
    assert_rejected(apply_one(&w, buffer_bytes(&wire)), "SignatureCheckFailed");
    assert_accepted(apply_one(&w, buffer_bytes(&a.identity.at[0])));
    signed_topology_tx_free(&tx);
    buffer_free(&wire);
    node_close(&a);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_delegation_has_its_hash_and_verifies),
        cmocka_unit_test(a_session_key_signs_from_its_start_to_before_its_end),
        cmocka_unit_test(every_spec_may_be_a_session_key),
        cmocka_unit_test(nobody_else_can_vouch),
        cmocka_unit_test(whatever_is_changed_breaks_it),
        cmocka_unit_test(only_protocol_messages_may_be_signed_so),
        cmocka_unit_test(it_travels_byte_for_byte_and_malformed_ones_do_not),
        cmocka_unit_test(the_topology_takes_sessions_of_keys_in_effect),
        cmocka_unit_test(a_topology_transaction_may_not_be_signed_so),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
