#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "crypto/key_wrap.h"
#include "crypto/keyring.h"
#include "crypto/seal.h"
#include "vectors.h"

static void add_item(struct hash_builder *h, const char *kind, const json_t *v)
{
    if (strcmp(kind, "int") == 0) {
        hash_i32(h, (int32_t)json_integer_value(v));
    } else if (strcmp(kind, "long") == 0) {
        hash_i64(h, json_integer_value(v));
    } else if (strcmp(kind, "string") == 0) {
        hash_str(h, json_string_value(v));
    } else if (strcmp(kind, "byte") == 0) {
        hash_byte(h, (uint8_t)json_integer_value(v));
    } else {
        uint8_t raw[256];
        size_t len = strlen(json_string_value(v)) / 2;

        assert_true(len <= sizeof(raw) && hex_decode(json_string_value(v), raw, len));
        if (strcmp(kind, "bytes") == 0)
            hash_bytes(h, bytes_of(raw, len));
        else if (strcmp(kind, "raw") == 0)
            hash_raw(h, bytes_of(raw, len));
        else
            fail_msg("unknown item %s", kind);
    }
}

static void the_hash_builder_gives_the_golden_hashes(void **state)
{
    json_t *golden = vectors_own("golden.json"), *v, *item;
    size_t i, j;

    (void)state;
    assert_non_null(golden);
    assert_true(json_array_size(json_object_get(golden, "hash_builder")) >= 3);
    json_array_foreach(json_object_get(golden, "hash_builder"), i, v)
    {
        struct hash_builder h;
        struct hash built, direct;
        char hex[HASH_HEX_SIZE];
        struct buffer pre = vectors_hex(v, "preimage");
        uint8_t digest[DIGEST_LEN];

        hash_start(&h, (enum hash_purpose)vectors_int(v, "purpose"));
        json_array_foreach(json_object_get(v, "items"), j, item)
            add_item(&h, json_string_value(json_array_get(item, 0)), json_array_get(item, 1));
        assert_true(hash_finish(&h, &built, NULL));
        hash_hex(&built, hex);
        assert_string_equal(hex, vectors_str(v, "hash"));
        assert_true(sha256(buffer_bytes(&pre), digest, NULL));
        assert_memory_equal(digest, built.b + 2, DIGEST_LEN);
        assert_true(hash_parse(hash_as_bytes(&built), &direct, NULL));
        assert_true(hash_equal(&built, &direct));
        buffer_free(&pre);
    }
    json_decref(golden);
}

static void a_hash_of_another_form_is_refused(void **state)
{
    uint8_t b[HASH_LEN + 1] = {0x12, 0x20};
    struct hash h;
    struct error e;

    (void)state;
    assert_true(hash_parse(bytes_of(b, HASH_LEN), &h, &e));
    assert_false(hash_parse(bytes_of(b, HASH_LEN + 1), &h, &e));
    assert_false(hash_parse(bytes_of(b, HASH_LEN - 1), &h, &e));
    assert_false(hash_parse(bytes_of(NULL, 0), &h, &e));
    b[0] = 0x13;
    assert_false(hash_parse(bytes_of(b, HASH_LEN), &h, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
}

static void golden_keys_have_their_fingerprints_and_sign_alike(void **state)
{
    json_t *golden = vectors_own("golden.json"), *v;
    struct private_key *priv;
    struct public_key *pub;
    uint8_t seed[32];

    (void)state;
    v = json_array_get(json_object_get(golden, "keys"), 0);
    struct buffer spki = vectors_hex(v, "public_key");

    assert_true(hex_decode(vectors_str(v, "private_seed"), seed, 32));
    assert_true(private_key_from_seed(seed, USAGE_ALL, &priv, NULL));
    assert_true(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, SIGNING_ED25519, USAGE_ALL,
                                 buffer_bytes(&spki), &pub, NULL));
    assert_true(public_key_equal(priv->pub, pub));
    assert_string_equal(pub->fingerprint, vectors_str(v, "fingerprint"));

    /* The long-term signature of a delegation: Ed25519 is deterministic, so ours is the same. */
    json_t *d = json_object_get(golden, "session_key_delegation");
    struct buffer hash = vectors_hex(d, "hash"), want = vectors_hex(d, "delegation_signature");
    struct signature s;
    struct hash h;

    assert_true(hash_parse(buffer_bytes(&hash), &h, NULL));
    assert_true(private_key_sign(priv, USAGE_PROTOCOL, &h, &s, NULL));
    assert_true(bytes_equal(buffer_bytes(&s.bytes), buffer_bytes(&want)));
    assert_int_equal(s.format, SIGNATURE_CONCAT);
    signature_free(&s);
    buffer_free(&hash);
    buffer_free(&want);
    buffer_free(&spki);
    public_key_unref(pub);
    private_key_unref(priv);
    json_decref(golden);
}

/* kind of the vector: "Ed25519, RAW, ...", "ECDSA P-256, DER", "encryption P-256, DER" */
static void check_real_key(const json_t *v)
{
    const char *kind = vectors_str(v, "kind");
    bool is_signing = strncmp(kind, "encryption", 10) != 0;
    bool is_ed = strncmp(kind, "Ed25519", 7) == 0;
    struct buffer data = vectors_hex(v, "public_key");
    struct public_key *k, *again;
    struct error e;

    if (!public_key_parse(is_signing ? KEY_SIGNING : KEY_ENCRYPTION,
                          is_ed ? KEY_FORMAT_RAW : KEY_FORMAT_DER,
                          is_ed        ? SIGNING_ED25519
                          : is_signing ? SIGNING_P256
                                       : ENCRYPTION_P256,
                          USAGE_ALL, buffer_bytes(&data), &k, &e))
        fail_msg("%s: %s", kind, e.cause);
    assert_string_equal(k->fingerprint, vectors_str(v, "fingerprint"));
    if (vectors_str(v, "spki") != NULL) {
        struct buffer spki = vectors_hex(v, "spki");

        assert_true(bytes_equal(buffer_bytes(&spki), k->spki));
        buffer_free(&spki);
    }
    assert_true(
        public_key_parse(k->kind, KEY_FORMAT_SPKI, k->spec, USAGE_ALL, k->spki, &again, NULL));
    assert_true(public_key_equal(k, again));
    public_key_unref(k);
    public_key_unref(again);
    buffer_free(&data);
}

/* Verifies one signature vector, and that one flipped bit anywhere makes it fail. */
static void check_real_signature(const json_t *v, const char *signature, const char *hash, int spec)
{
    struct buffer spki = vectors_hex(v, "key_spki"), bytes = vectors_hex(v, signature);
    struct buffer signed_bytes = vectors_hex(v, hash);
    struct signature s = {.format = SIGNATURE_RAW, .algorithm = vectors_int(v, "algorithm")};
    struct public_key *k;
    struct hash h;
    struct error e;

    assert_true(hash_parse(buffer_bytes(&signed_bytes), &h, NULL));
    assert_true(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, spec, USAGE_NAMESPACE,
                                 buffer_bytes(&spki), &k, NULL));
    snprintf(s.signed_by, sizeof(s.signed_by), "%s", vectors_str(v, "signed_by"));
    s.bytes = bytes;
    signature_normalize(&s);
    assert_int_equal(s.format, spec == SIGNING_ED25519 ? SIGNATURE_CONCAT : SIGNATURE_DER);
    if (!signature_verify(k, USAGE_NAMESPACE, &h, &s, &e))
        fail_msg("%s", e.cause);
    assert_false(signature_verify(k, USAGE_PROTOCOL, &h, &s, &e));
    s.bytes.data[s.bytes.len - 5] ^= 4;
    assert_false(signature_verify(k, USAGE_NAMESPACE, &h, &s, &e));
    s.bytes.data[s.bytes.len - 5] ^= 4;
    h.b[9] ^= 1;
    assert_false(signature_verify(k, USAGE_NAMESPACE, &h, &s, &e));
    assert_int_equal(e.code, ERR_SIGNATURE);
    public_key_unref(k);
    signature_free(&s);
    buffer_free(&spki);
    buffer_free(&signed_bytes);
}

static void check_real_hashes(const json_t *v)
{
    struct buffer tx = vectors_hex(v, "transaction_wrapped");
    struct hash h;
    char hex[HASH_HEX_SIZE];

    assert_true(hash_of(HASH_TOPOLOGY_TRANSACTION, buffer_bytes(&tx), &h, NULL));
    hash_hex(&h, hex);
    assert_string_equal(hex, vectors_str(v, "hash"));
    buffer_free(&tx);
}

static void keys_hashes_and_signatures_of_a_real_network_hold(void **state)
{
    bool skipped;
    json_t *real = vectors_outside("real.json", &skipped), *v;
    size_t i;

    (void)state;
    if (skipped)
        skip();
    assert_non_null(real);
    json_array_foreach(json_object_get(real, "keys"), i, v)
    {
        char text[FINGERPRINT_SIZE];

        if (vectors_str(v, "public_key") != NULL) {
            check_real_key(v);
            continue;
        }
        struct buffer data = vectors_hex(v, "fingerprint_data");

        assert_true(fingerprint_of(buffer_bytes(&data), text, NULL));
        assert_string_equal(text, vectors_str(v, "fingerprint"));
        buffer_free(&data);
    }
    json_array_foreach(json_object_get(real, "topology_transactions"), i, v)
    {
        json_t *s = json_object_get(v, "signature");

        check_real_hashes(v);
        check_real_signature(s, "signature", "signed_bytes", vectors_int(s, "key_spec"));
    }
    v = json_object_get(real, "ecdsa_topology_signature");
    check_real_hashes(v);
    check_real_signature(v, "signature_der", "hash", SIGNING_P256);
    json_decref(real);
}

static void every_signing_spec_signs_verifies_and_survives_storage(void **state)
{
    static const int specs[] = {SIGNING_ED25519, SIGNING_P256, SIGNING_P384, SIGNING_SECP256K1};
    struct hash h;

    (void)state;
    assert_true(hash_of(HASH_TESTING, bytes_str("x"), &h, NULL));
    for (size_t i = 0; i < 4; i++) {
        struct private_key *k, *loaded;
        struct buffer der = BUFFER_INIT;
        struct signature s;
        struct error e;
        uint8_t last;

        assert_true(private_key_generate(KEY_SIGNING, specs[i], USAGE_PROTOCOL, &k, NULL));
        assert_true(private_key_to_pkcs8(k, &der, NULL));
        assert_true(private_key_from_pkcs8(KEY_SIGNING, specs[i], USAGE_PROTOCOL,
                                           buffer_bytes(&der), &loaded, NULL));
        assert_true(public_key_equal(k->pub, loaded->pub));
        assert_true(private_key_sign(loaded, USAGE_PROTOCOL, &h, &s, NULL));
        assert_true(signature_verify(k->pub, USAGE_PROTOCOL, &h, &s, NULL));
        assert_false(private_key_sign(k, USAGE_NAMESPACE, &h, &(struct signature){0}, &e));
        last = s.bytes.data[s.bytes.len - 1];
        s.bytes.data[s.bytes.len - 1] ^= 1;
        assert_false(signature_verify(k->pub, USAGE_PROTOCOL, &h, &s, &e));
        s.bytes.data[s.bytes.len - 1] = last;
        s.algorithm = ALGORITHM_UNSET; /* derived from the key */
        assert_true(signature_verify(k->pub, USAGE_PROTOCOL, &h, &s, NULL));
        s.algorithm = specs[i] == SIGNING_P384 ? ALGORITHM_ED25519 : ALGORITHM_ECDSA_SHA384;
        assert_false(signature_verify(k->pub, USAGE_PROTOCOL, &h, &s, &e));
        signature_free(&s);
        buffer_wipe(&der);
        private_key_unref(k);
        private_key_unref(loaded);
    }
}

static void usage_sets_follow_the_rules(void **state)
{
    unsigned m;
    struct error e;

    (void)state;
    assert_true(key_usages_parse(NULL, 0, &m, NULL));
    assert_int_equal(m, USAGE_ALL);
    assert_true(key_usages_parse((int[]){1}, 1, &m, NULL));
    assert_int_equal(m, USAGE_NAMESPACE);
    assert_true(key_usages_parse((int[]){2, 4}, 2, &m, NULL));
    assert_int_equal(m, USAGE_PROTOCOL | USAGE_PROOF);
    assert_true(key_usages_parse((int[]){1, 3}, 2, &m, NULL));
    assert_int_equal(m, USAGE_NAMESPACE | USAGE_SEQUENCER_AUTH | USAGE_PROOF);
    assert_false(key_usages_parse((int[]){5}, 1, &m, &e));
    assert_false(key_usages_parse((int[]){1, 5}, 2, &m, &e));
    assert_false(key_usages_parse((int[]){6}, 1, &m, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
}

static bool parses_raw(const char *hex)
{
    uint8_t raw[32];
    struct public_key *k;
    bool ok;

    assert_true(hex_decode(hex, raw, 32));
    ok = public_key_parse(KEY_SIGNING, KEY_FORMAT_RAW, SIGNING_ED25519, USAGE_ALL,
                          bytes_of(raw, 32), &k, NULL);
    public_key_unref(k);
    return ok;
}

static void weak_and_malformed_keys_are_refused(void **state)
{
    struct private_key *p256, *rsa;
    struct public_key *k;
    struct error e;

    (void)state;
    assert_true(parses_raw("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"));
    /* order 1, 2, 4, 8, 8; y not reduced; no such x */
    assert_false(parses_raw("0100000000000000000000000000000000000000000000000000000000000000"));
    assert_false(parses_raw("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"));
    assert_false(parses_raw("0000000000000000000000000000000000000000000000000000000000000080"));
    assert_false(parses_raw("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"));
    assert_false(parses_raw("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"));
    assert_false(parses_raw("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"));
    assert_false(parses_raw("0200000000000000000000000000000000000000000000000000000000000000"));

    assert_true(private_key_generate(KEY_SIGNING, SIGNING_P256, USAGE_ALL, &p256, NULL));
    struct bytes spki = p256->pub->spki;
    uint8_t bad[128];

    memcpy(bad, spki.data, spki.len);
    assert_false(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, SIGNING_P384, USAGE_ALL, spki, &k,
                                  &e)); /* another curve */
    assert_false(
        public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, SIGNING_ED25519, USAGE_ALL, spki, &k, &e));
    assert_false(
        public_key_parse(KEY_ENCRYPTION, KEY_FORMAT_SPKI, ENCRYPTION_RSA_2048, 0, spki, &k, &e));
    assert_false(
        public_key_parse(KEY_SIGNING, KEY_FORMAT_RAW, SIGNING_P256, USAGE_ALL, spki, &k, &e));
    bad[spki.len - 1] ^= 1; /* off the curve */
    assert_false(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, SIGNING_P256, USAGE_ALL,
                                  bytes_of(bad, spki.len), &k, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    for (size_t len = 0; len < spki.len; len++) /* cut anywhere */
        assert_false(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, SIGNING_P256, USAGE_ALL,
                                      bytes_of(spki.data, len), &k, &e));
    bad[spki.len - 1] ^= 1;
    bad[spki.len] = 0; /* one byte more */
    assert_false(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, SIGNING_P256, USAGE_ALL,
                                  bytes_of(bad, spki.len + 1), &k, &e));
    assert_false(
        public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, SIGNING_ML_DSA_65, USAGE_ALL, spki, &k, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_false(private_key_generate(KEY_SIGNING, SIGNING_ML_DSA_65, USAGE_ALL, &rsa, &e));
    private_key_unref(p256);
}

static void the_keyring_gives_the_newest_key_of_a_usage(void **state)
{
    struct keyring *r;
    const struct private_key *a, *b, *c, *enc;
    struct signature s;
    struct hash h;
    struct error e;

    (void)state;
    assert_true(keyring_open(&r, NULL));
    assert_null(keyring_newest(r, USAGE_PROTOCOL));
    assert_true(keyring_generate(r, KEY_SIGNING, SIGNING_P256, USAGE_NAMESPACE, &a, NULL));
    assert_true(
        keyring_generate(r, KEY_SIGNING, SIGNING_P256, USAGE_PROTOCOL | USAGE_PROOF, &b, NULL));
    assert_true(
        keyring_generate(r, KEY_SIGNING, SIGNING_ED25519, USAGE_PROTOCOL | USAGE_PROOF, &c, NULL));
    assert_true(keyring_generate(r, KEY_ENCRYPTION, ENCRYPTION_P256, 0, &enc, NULL));
    assert_ptr_equal(keyring_newest(r, USAGE_PROTOCOL), c);
    assert_ptr_equal(keyring_newest(r, USAGE_NAMESPACE), a);
    assert_null(keyring_newest(r, USAGE_PROOF));
    assert_ptr_equal(keyring_newest_encryption(r), enc);
    assert_ptr_equal(keyring_find(r, b->pub->fingerprint), b);
    assert_true(keyring_add(r, private_key_ref(b), NULL));
    private_key_unref((struct private_key *)(uintptr_t)b);
    assert_int_equal(keyring_count(r), 4);
    assert_true(hash_of(HASH_TESTING, bytes_str("x"), &h, NULL));
    assert_true(keyring_sign(r, USAGE_PROTOCOL, (const char *[]){b->pub->fingerprint, "unknown"}, 2,
                             &h, &s, NULL));
    assert_string_equal(s.signed_by, b->pub->fingerprint);
    signature_free(&s);
    assert_false(keyring_sign(r, USAGE_SEQUENCER_AUTH, NULL, 0, &h, &s, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    keyring_close(r);
}

struct latecomer {
    struct keyring *r;
    struct private_key *key;
    int calls;
};

static void on_missing(void *ctx)
{
    struct latecomer *l = ctx;

    l->calls++;
    if (l->key != NULL)
        assert_true(keyring_add_unused(l->r, l->key, NULL));
}

static void a_key_waits_until_its_peers_know_it(void **state)
{
    struct latecomer l = {0};
    const struct private_key *old;
    struct private_key *next, *other;
    struct signature s;
    struct error e;
    struct hash h;

    (void)state;
    assert_true(keyring_open(&l.r, NULL) && hash_of(HASH_TESTING, bytes_str("x"), &h, NULL));
    keyring_on_missing(l.r, on_missing, &l);
    assert_true(keyring_generate(l.r, KEY_SIGNING, SIGNING_P256, USAGE_PROTOCOL, &old, NULL));
    assert_true(private_key_generate(KEY_SIGNING, SIGNING_P256, USAGE_PROTOCOL, &next, NULL));
    assert_true(keyring_add_unused(l.r, next, NULL));
    assert_ptr_equal(keyring_newest(l.r, USAGE_PROTOCOL), old);
    keyring_use_from(l.r, next->pub->fingerprint, clock_mono_us() + 3600 * US_PER_S);
    assert_ptr_equal(keyring_newest(l.r, USAGE_PROTOCOL), old);
    keyring_use_from(l.r, next->pub->fingerprint, KEYRING_UNUSED);
    keyring_use_from(l.r, next->pub->fingerprint, clock_mono_us());
    assert_ptr_equal(keyring_newest(l.r, USAGE_PROTOCOL), next);
    keyring_use_from(l.r, next->pub->fingerprint, clock_mono_us() + 3600 * US_PER_S);
    assert_ptr_equal(keyring_newest(l.r, USAGE_PROTOCOL), next); /* in use already */
    keyring_use_from(l.r, old->pub->fingerprint, KEYRING_UNUSED);
    keyring_use_from(l.r, next->pub->fingerprint, KEYRING_UNUSED);
    assert_null(keyring_newest(l.r, USAGE_PROTOCOL));

    /* Named, a key signs whether it is in use or not; one that is not here is fetched once. */
    assert_true(keyring_sign(l.r, USAGE_PROTOCOL, (const char *[]){next->pub->fingerprint}, 1, &h,
                             &s, NULL));
    signature_free(&s);
    assert_int_equal(l.calls, 0);
    assert_true(private_key_generate(KEY_SIGNING, SIGNING_P256, USAGE_PROTOCOL, &other, NULL));
    const char *named[] = {other->pub->fingerprint};

    assert_false(keyring_sign(l.r, USAGE_PROTOCOL, named, 1, &h, &s, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(l.calls, 1);
    l.key = other;
    assert_true(keyring_sign(l.r, USAGE_PROTOCOL, named, 1, &h, &s, NULL));
    assert_string_equal(s.signed_by, named[0]);
    signature_free(&s);
    private_key_unref(next);
    private_key_unref(other);
    keyring_close(l.r);
}

static void a_wrapped_key_opens_with_its_key_at_its_place(void **state)
{
    char text[65];
    struct key_wrap none = {0}, plain = {.is_plaintext = true}, one = {0}, both = {0};
    struct buffer stored = BUFFER_INIT, opened = BUFFER_INIT;
    struct error e;
    bool is_current;

    (void)state;
    memset(text, 'a', 64);
    text[64] = '\0';
    assert_true(key_wrap_add(&one, text, NULL));
    assert_false(key_wrap_add(&both, "aa", &e));
    assert_int_equal(e.code, ERR_CONFIG);
    text[0] = 'b';
    assert_true(key_wrap_add(&both, text, NULL) &&
                key_wrap_add(&both,
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                             NULL));
    assert_false(key_wrap_add(&both, text, &e));
    assert_int_equal(e.code, ERR_LIMIT);

    assert_false(key_wrap_seal(&none, "fp", bytes_str("0secret"), &stored, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_true(key_wrap_seal(&one, "fp", bytes_str("0secret"), &stored, NULL));
    assert_null(memmem(stored.data, stored.len, "secret", 6));
    assert_true(key_wrap_open(&one, "fp", buffer_bytes(&stored), &opened, &is_current, NULL));
    assert_true(is_current);
    assert_string_equal(buffer_cstr(&opened), "0secret");
    buffer_clear(&opened);
    assert_true(key_wrap_open(&both, "fp", buffer_bytes(&stored), &opened, &is_current, NULL));
    assert_false(is_current);
    buffer_clear(&opened);
    assert_false(key_wrap_open(&one, "fq", buffer_bytes(&stored), &opened, &is_current, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    assert_false(key_wrap_open(&plain, "fp", buffer_bytes(&stored), &opened, &is_current, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    for (size_t i = 0; i < stored.len; i++)
        assert_false(key_wrap_open(&one, "fp", bytes_of(stored.data, i), &opened, &is_current, &e));
    assert_false(key_wrap_open(&none, "fp", bytes_str("0secret"), &opened, &is_current, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_true(key_wrap_open(&one, "fp", bytes_str("0secret"), &opened, &is_current, NULL));
    assert_false(is_current);
    key_wrap_wipe(&one);
    key_wrap_wipe(&both);
    buffer_free(&stored);
    buffer_free(&opened);
}

static void sealed_bytes_open_only_whole_and_with_their_key(void **state)
{
    uint8_t key[SEAL_KEY_LEN] = {7};
    struct buffer sealed = BUFFER_INIT, opened = BUFFER_INIT, wrapped = BUFFER_INIT;
    struct private_key *rsa;
    struct error e;

    (void)state;
    assert_true(seal_encrypt(key, bytes_str("transfer 10"), &sealed, NULL));
    assert_int_equal(sealed.len, 11 + SEAL_OVERHEAD);
    assert_true(seal_decrypt(key, buffer_bytes(&sealed), &opened, NULL));
    assert_string_equal(buffer_cstr(&opened), "transfer 10");
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        assert_false(seal_decrypt(key, buffer_bytes(&sealed), &opened, &e));
        sealed.data[i] ^= 1;
        assert_false(seal_decrypt(key, bytes_of(sealed.data, i), &opened, &e));
    }
    assert_int_equal(opened.len, 11);
    buffer_clear(&sealed);
    assert_true(seal_encrypt(key, bytes_of(NULL, 0), &sealed, NULL));
    assert_true(seal_decrypt(key, buffer_bytes(&sealed), &opened, NULL));

    assert_true(private_key_generate(KEY_ENCRYPTION, ENCRYPTION_RSA_2048, 0, &rsa, NULL));
    assert_true(seal_encrypt_for(rsa->pub, bytes_of(key, sizeof(key)), &wrapped, NULL));
    assert_int_equal(wrapped.len, 256);
    buffer_clear(&opened);
    assert_true(seal_decrypt_with(rsa, buffer_bytes(&wrapped), &opened, NULL));
    assert_memory_equal(opened.data, key, sizeof(key));
    wrapped.data[100] ^= 1;
    assert_false(seal_decrypt_with(rsa, buffer_bytes(&wrapped), &opened, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    private_key_unref(rsa);
    buffer_free(&sealed);
    buffer_free(&opened);
    buffer_free(&wrapped);
}

static void hmac_gives_the_value_of_rfc_4231(void **state)
{
    uint8_t out[HMAC_LEN];
    char hex[2 * HMAC_LEN + 1];

    (void)state;
    assert_true(
        hmac_sha256(bytes_str("Jefe"), bytes_str("what do ya want for nothing?"), out, NULL));
    hex_encode(bytes_of(out, HMAC_LEN), hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_true(equal_in_constant_time(bytes_str("abc"), bytes_str("abc")));
    assert_false(equal_in_constant_time(bytes_str("abc"), bytes_str("abd")));
    assert_false(equal_in_constant_time(bytes_str("abc"), bytes_str("abcd")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_builder_gives_the_golden_hashes),
        cmocka_unit_test(a_hash_of_another_form_is_refused),
        cmocka_unit_test(golden_keys_have_their_fingerprints_and_sign_alike),
        cmocka_unit_test(keys_hashes_and_signatures_of_a_real_network_hold),
        cmocka_unit_test(every_signing_spec_signs_verifies_and_survives_storage),
        cmocka_unit_test(usage_sets_follow_the_rules),
        cmocka_unit_test(weak_and_malformed_keys_are_refused),
        cmocka_unit_test(the_keyring_gives_the_newest_key_of_a_usage),
        cmocka_unit_test(a_key_waits_until_its_peers_know_it),
        cmocka_unit_test(a_wrapped_key_opens_with_its_key_at_its_place),
        cmocka_unit_test(sealed_bytes_open_only_whole_and_with_their_key),
        cmocka_unit_test(hmac_gives_the_value_of_rfc_4231),
    };

    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
