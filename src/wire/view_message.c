/* view_message.c: encrypted views. Inside: UncompressedViewTrees {view_trees = 1}, gzip, AES. */
#include "wire/view_message.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "crypto/seal.h"
#include "protocol_v31.pb-c.h"
#include "wire/gzip.h"
#include "wire/keys.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/versioned.h"

#define KEYS_MAX  10000 /* session keys in one message */
#define VIEWS_MAX 10000

static bool keys_from(const P31__EncryptedMultipleViewsMessage *m, struct view_message *out,
                      struct error *err)
{
    if (!own_array(m->n_session_key_lookup, sizeof(*out->keys), &out->keys, err))
        return false;
    out->n_keys = m->n_session_key_lookup;
    for (size_t i = 0; i < out->n_keys; i++) {
        const C30__AsymmetricEncrypted *k = m->session_key_lookup[i];

        if (!fingerprint_text_valid(k->fingerprint))
            return error_set(err, ERR_MALFORMED, NULL, "a session key names no fingerprint");
        memcpy(out->keys[i].fingerprint, k->fingerprint, strlen(k->fingerprint) + 1);
        if (!own_bytes(bytes_pb(k->ciphertext), &out->keys[i].sealed, err))
            return false;
    }
    return true;
}

static bool hashes_from(const P31__EncryptedMultipleViewsMessage *m, struct view_message *out,
                        struct error *err)
{
    if (!own_array(m->n_view_hashes, sizeof(*out->view_hashes), &out->view_hashes, err))
        return false;
    out->n_views = m->n_view_hashes;
    for (size_t i = 0; i < out->n_views; i++)
        if (!hash_parse(bytes_pb(m->view_hashes[i]), &out->view_hashes[i], err))
            return false;
    return true;
}

static bool message_from(const P31__EncryptedMultipleViewsMessage *m, struct view_message *out,
                         struct error *err)
{
    if (m->n_view_hashes == 0 || m->n_session_key_lookup == 0)
        return error_set(err, ERR_MALFORMED, NULL, "encrypted views without %s",
                         m->n_view_hashes == 0 ? "view hashes" : "session keys");
    if (m->n_view_hashes > VIEWS_MAX || m->n_session_key_lookup > KEYS_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu encrypted views with %zu session keys",
                         m->n_view_hashes, m->n_session_key_lookup);
    if (m->encryption_scheme != C30__SYMMETRIC_KEY_SCHEME__SYMMETRIC_KEY_SCHEME_AES128GCM)
        return error_set(err, ERR_UNSUPPORTED, NULL, "unknown encryption scheme %d",
                         (int)m->encryption_scheme);
    if (m->view_type < VIEW_TYPE_TRANSACTION || m->view_type > VIEW_TYPE_ASSIGNMENT)
        return error_set(err, ERR_MALFORMED, NULL, "unknown view type %d", (int)m->view_type);
    out->view_type = (int)m->view_type;
    out->has_signature = m->submitting_participant_signature != NULL;
    if (out->has_signature &&
        !signature_from_message(m->submitting_participant_signature, &out->signature, err))
        return false;
    return psid_parse(m->physical_synchronizer_id, NULL, err) &&
           own_str(m->physical_synchronizer_id, &out->psid, err) &&
           own_bytes(bytes_pb(m->compressed_view_trees), &out->sealed, err) &&
           hashes_from(m, out, err) && keys_from(m, out, err);
}

bool view_message_parse(struct bytes in, struct view_message *out, struct error *err)
{
    P31__EncryptedMultipleViewsMessage *m =
        wire_unpack(&p31__encrypted_multiple_views_message__descriptor, in, err);
    bool ok;

    *out = (struct view_message){0};
    ok = m && message_from(m, out, err);
    wire_message_free(m);
    if (!ok)
        view_message_free(out);
    return ok;
}

void view_message_free(struct view_message *m)
{
    if (!m)
        return;
    free(m->view_hashes);
    free(m->psid);
    signature_free(&m->signature);
    buffer_free(&m->sealed);
    for (size_t i = 0; m->keys && i < m->n_keys; i++)
        buffer_free(&m->keys[i].sealed);
    free(m->keys);
    *m = (struct view_message){0};
}

/* The message's field 1: the light trees, compressed and encrypted. */
static bool seal_views(const struct built_tree *t, const size_t *views, size_t n,
                       const uint8_t key[SEAL_KEY_LEN], struct buffer *out, struct error *err)
{
    struct buffer trees = BUFFER_INIT, packed = BUFFER_INIT;
    bool ok;

    for (size_t i = 0; i < n; i++)
        put_bytes(&trees, 1, buffer_bytes(&t->views[views[i]].light_tree));
    ok = buffer_ok(&trees, err) && gzip_write(buffer_bytes(&trees), &packed, err) &&
         seal_encrypt(key, buffer_bytes(&packed), out, err);
    buffer_free(&trees);
    buffer_free(&packed);
    return ok;
}

/* One AsymmetricEncrypted: ciphertext = 1, algorithm = 2, fingerprint = 3. */
static bool put_session_key(struct buffer *message, const struct public_key *to,
                            const uint8_t key[SEAL_KEY_LEN], struct error *err)
{
    struct buffer sealed = BUFFER_INIT, one = BUFFER_INIT;
    bool ok = seal_encrypt_for(to, bytes_of(key, SEAL_KEY_LEN), &sealed, err);

    put_bytes(&one, 1, buffer_bytes(&sealed));
    put_varint(&one, 2, C30__ENCRYPTION_ALGORITHM_SPEC__ENCRYPTION_ALGORITHM_SPEC_RSA_OAEP_SHA256);
    put_str(&one, 3, to->fingerprint);
    put_bytes(message, 5, buffer_bytes(&one));
    ok = ok && buffer_ok(&one, err);
    buffer_free(&sealed);
    buffer_free(&one);
    return ok;
}

static bool put_signature(struct buffer *message, const struct signature *signature,
                          struct error *err)
{
    struct buffer one = BUFFER_INIT;
    struct signature_message s;
    bool ok;

    signature_to_message(signature, &s);
    ok = wire_pack(&s.signature, &one, err);
    put_bytes(message, 4, buffer_bytes(&one));
    buffer_free(&one);
    return ok;
}

bool view_message_build(const struct built_tree *t, const size_t *views, size_t n_views,
                        const char *psid, const struct public_key *const *keys, size_t n_keys,
                        const struct signature *signature, struct buffer *out, struct error *err)
{
    struct buffer sealed = BUFFER_INIT, message = BUFFER_INIT, content = BUFFER_INIT;
    uint8_t key[SEAL_KEY_LEN];
    bool ok;

    if (n_views == 0 || n_keys == 0)
        return error_set(err, ERR_MALFORMED, NULL, "encrypted views without views or keys");
    random_bytes(key, sizeof(key));
    ok = seal_views(t, views, n_views, key, &sealed, err);
    put_bytes(&message, 1, buffer_bytes(&sealed));
    for (size_t i = 0; i < n_views; i++)
        put_bytes(&message, 2, hash_as_bytes(&t->views[views[i]].hash));
    put_varint(&message, 3, C30__SYMMETRIC_KEY_SCHEME__SYMMETRIC_KEY_SCHEME_AES128GCM);
    if (signature)
        ok = ok && put_signature(&message, signature, err);
    for (size_t i = 0; ok && i < n_keys; i++)
        ok = put_session_key(&message, keys[i], key, err);
    put_str(&message, 6, psid);
    put_varint(&message, 7, VIEW_TYPE_TRANSACTION);
    put_bytes(&content, 2, buffer_bytes(&message));
    ok = ok && buffer_ok(&message, err) && buffer_ok(&content, err) &&
         versioned_wrap(buffer_bytes(&content), VERSIONED_V31, out, err);
    explicit_bzero(key, sizeof(key));
    buffer_free(&sealed);
    buffer_free(&message);
    buffer_free(&content);
    return ok;
}

static bool open_key(const struct view_message *m, struct keyring *keyring,
                     struct buffer *session_key, struct error *err)
{
    for (size_t i = 0; i < m->n_keys; i++) {
        const struct private_key *k = keyring_find(keyring, m->keys[i].fingerprint);

        if (!k)
            continue;
        if (!seal_decrypt_with(k, buffer_bytes(&m->keys[i].sealed), session_key, err))
            return false;
        if (session_key->len != SEAL_KEY_LEN)
            return error_set(err, ERR_MALFORMED, NULL, "a session key of %zu bytes",
                             session_key->len);
        return true;
    }
    return error_set(err, ERR_NOT_FOUND, NULL, "encrypted views that no key of ours opens");
}

static bool parse_views(struct bytes in, const struct view_message *m, struct opened_view *out,
                        struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;
    size_t n = 0;

    if (!wire_check(&p31__encrypted_multiple_views_message__uncompressed_view_trees__descriptor, in,
                    err))
        return false;
    while (scan_next(&s, &f)) {
        if (f.number != 1)
            continue;
        if (n == m->n_views)
            return error_set(err, ERR_MALFORMED, NULL, "more views than view hashes");
        if (!opened_view_parse(f.bytes, &out[n], err))
            return false;
        n++;
        if (!hash_equal(&out[n - 1].hash, &m->view_hashes[n - 1]))
            return error_set(err, ERR_MALFORMED, NULL, "a view has another hash than announced");
        if (!hash_equal(&out[n - 1].root, &out[0].root))
            return error_set(err, ERR_MALFORMED, NULL, "views of two transactions in one message");
    }
    if (n < m->n_views)
        return error_set(err, ERR_MALFORMED, NULL, "fewer views than view hashes");
    return true;
}

bool view_message_open(const struct view_message *m, struct keyring *keyring, size_t limit,
                       struct opened_view **out, struct error *err)
{
    struct buffer key = BUFFER_INIT, packed = BUFFER_INIT, trees = BUFFER_INIT;
    bool ok;

    *out = NULL;
    ok = open_key(m, keyring, &key, err) &&
         seal_decrypt(key.data, buffer_bytes(&m->sealed), &packed, err) &&
         gzip_read(buffer_bytes(&packed), limit, &trees, err) &&
         own_array(m->n_views, sizeof(**out), out, err) &&
         parse_views(buffer_bytes(&trees), m, *out, err);
    buffer_wipe(&key);
    buffer_free(&packed);
    buffer_free(&trees);
    if (!ok) {
        opened_views_free(*out, m->n_views);
        *out = NULL;
    }
    return ok;
}

void opened_views_free(struct opened_view *v, size_t n)
{
    for (size_t i = 0; v && i < n; i++)
        opened_view_free(&v[i]);
    free(v);
}
