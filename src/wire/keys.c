/* keys.c: between crypto/ and package crypto.v30. */
#include "wire/keys.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/delegation.h"
#include "wire/ids.h"
#include "wire/own.h"

/* The legacy scheme field is marked deprecated, and yet real networks hold keys with it alone. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

bool key_from_signing(const C30__SigningPublicKey *m, struct public_key **out, struct error *err)
{
    int spec =
        m->key_spec != 0 ? (int)m->key_spec : key_spec_of_scheme(KEY_SIGNING, (int)m->scheme);
    int usages[64];
    unsigned mask;

    if (m->n_usage > 64)
        return error_set(err, ERR_MALFORMED, NULL, "a key has %zu usages", m->n_usage);
    for (size_t i = 0; i < m->n_usage; i++)
        usages[i] = (int)m->usage[i];
    if (!key_usages_parse(usages, m->n_usage, &mask, err))
        return false;
    return public_key_parse(KEY_SIGNING, (int)m->format, spec, mask, bytes_pb(m->public_key), out,
                            err);
}

bool key_from_encryption(const C30__EncryptionPublicKey *m, struct public_key **out,
                         struct error *err)
{
    int spec =
        m->key_spec != 0 ? (int)m->key_spec : key_spec_of_scheme(KEY_ENCRYPTION, (int)m->scheme);

    return public_key_parse(KEY_ENCRYPTION, (int)m->format, spec, 0, bytes_pb(m->public_key), out,
                            err);
}

#pragma GCC diagnostic pop

bool key_from_public(const C30__PublicKey *m, struct public_key **out, struct error *err)
{
    switch (m->key_case) {
    case C30__PUBLIC_KEY__KEY_SIGNING_PUBLIC_KEY:
        return key_from_signing(m->signing_public_key, out, err);
    case C30__PUBLIC_KEY__KEY_ENCRYPTION_PUBLIC_KEY:
        return key_from_encryption(m->encryption_public_key, out, err);
    case C30__PUBLIC_KEY__KEY__NOT_SET:
    case _C30__PUBLIC_KEY__KEY__CASE_IS_INT_SIZE:
        break;
    }
    return error_set(err, ERR_MALFORMED, NULL,
                     "a public key is neither for signing nor encryption");
}

void key_to_message(const struct public_key *k, struct key_message *out)
{
    c30__public_key__init(&out->key);
    c30__signing_public_key__init(&out->signing);
    c30__encryption_public_key__init(&out->encryption);
    if (k->kind == KEY_SIGNING) {
        int values[8];

        out->signing.format =
            C30__CRYPTO_KEY_FORMAT__CRYPTO_KEY_FORMAT_DER_X509_SUBJECT_PUBLIC_KEY_INFO;
        out->signing.public_key = pb_bytes(k->spki);
        out->signing.key_spec = (C30__SigningKeySpec)k->spec;
        out->signing.n_usage = key_usages_list(k->usages, values);
        for (size_t i = 0; i < out->signing.n_usage; i++)
            out->usages[i] = (C30__SigningKeyUsage)values[i];
        out->signing.usage = out->usages;
        out->key.key_case = C30__PUBLIC_KEY__KEY_SIGNING_PUBLIC_KEY;
        out->key.signing_public_key = &out->signing;
        return;
    }
    out->encryption.format =
        C30__CRYPTO_KEY_FORMAT__CRYPTO_KEY_FORMAT_DER_X509_SUBJECT_PUBLIC_KEY_INFO;
    out->encryption.public_key = pb_bytes(k->spki);
    out->encryption.key_spec = (C30__EncryptionKeySpec)k->spec;
    out->key.key_case = C30__PUBLIC_KEY__KEY_ENCRYPTION_PUBLIC_KEY;
    out->key.encryption_public_key = &out->encryption;
}

static bool delegation_from_message(const C30__SignatureDelegation *m, struct delegation **out,
                                    struct error *err)
{
    struct delegation *d;

    if (!ts_check(m->validity_period_from_inclusive, "the start of a session", err))
        return false;
    if (m->validity_period_duration_seconds == 0)
        return error_set(err, ERR_MALFORMED, NULL, "a session lasts no time");
    if (m->signature.len == 0 || m->signature.len > SIGNATURE_BYTES_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "a signature has %zu bytes", m->signature.len);
    if (!own_array(1, sizeof(*d), &d, err))
        return false;
    d->valid_from = m->validity_period_from_inclusive;
    d->seconds = m->validity_period_duration_seconds;
    d->format = (int)m->format;
    d->algorithm = (int)m->signing_algorithm_spec;
    if (!public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, (int)m->session_key_spec,
                          SESSION_KEY_USAGES, bytes_pb(m->session_key), &d->key, err) ||
        !own_bytes(bytes_pb(m->signature), &d->bytes, err)) {
        delegation_free(d);
        return false;
    }
    *out = d;
    return true;
}

bool signature_from_message(const C30__Signature *m, struct signature *out, struct error *err)
{
    *out = (struct signature){0};
    if (!fingerprint_text_valid(m->signed_by))
        return error_set(err, ERR_MALFORMED, NULL, "a signature names no fingerprint");
    if (m->signature.len == 0 || m->signature.len > SIGNATURE_BYTES_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "a signature has %zu bytes", m->signature.len);
    out->format = (int)m->format;
    out->algorithm = (int)m->signing_algorithm_spec;
    memcpy(out->signed_by, m->signed_by, strlen(m->signed_by) + 1);
    if (!own_bytes(bytes_pb(m->signature), &out->bytes, err))
        return false;
    if (m->_signature_delegation_case ==
            C30__SIGNATURE___SIGNATURE_DELEGATION_SIGNATURE_DELEGATION &&
        !delegation_from_message(m->signature_delegation, &out->delegation, err)) {
        signature_free(out);
        return error_add(err, "delegation to a session key");
    }
    signature_normalize(out);
    return true;
}

bool signatures_from_messages(C30__Signature *const *m, size_t n, struct signature **out,
                              struct error *err)
{
    if (!own_array(n, sizeof(**out), out, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!signature_from_message(m[i], &(*out)[i], err)) {
            signatures_free(*out, n);
            *out = NULL;
            return false;
        }
    }
    return true;
}

void signatures_free(struct signature *s, size_t n)
{
    for (size_t i = 0; s && i < n; i++)
        signature_free(&s[i]);
    free(s);
}

void signature_to_message(const struct signature *s, struct signature_message *out)
{
    C30__Signature *m = &out->signature;
    C30__SignatureDelegation *d = &out->delegation;

    c30__signature__init(m);
    m->format = (C30__SignatureFormat)s->format;
    m->signature = pb_bytes(buffer_bytes(&s->bytes));
    m->signed_by = (char *)(uintptr_t)s->signed_by; /* packing only reads it */
    m->signing_algorithm_spec = (C30__SigningAlgorithmSpec)s->algorithm;
    c30__signature_delegation__init(d);
    if (s->delegation == NULL)
        return;
    m->_signature_delegation_case = C30__SIGNATURE___SIGNATURE_DELEGATION_SIGNATURE_DELEGATION;
    m->signature_delegation = d;
    d->session_key = pb_bytes(s->delegation->key->spki);
    d->session_key_spec = (C30__SigningKeySpec)s->delegation->key->spec;
    d->validity_period_from_inclusive = s->delegation->valid_from;
    d->validity_period_duration_seconds = s->delegation->seconds;
    d->format = (C30__SignatureFormat)s->delegation->format;
    d->signature = pb_bytes(buffer_bytes(&s->delegation->bytes));
    d->signing_algorithm_spec = (C30__SigningAlgorithmSpec)s->delegation->algorithm;
}

bool signatures_to_messages(const struct signature *s, size_t n, C30__Signature ***out,
                            struct error *err)
{
    C30__Signature **list;
    struct signature_message *messages;

    *out = NULL;
    if (n == 0)
        return true;
    if (!own_array(n, sizeof(*list) + sizeof(*messages), &list, err))
        return false;
    messages = (struct signature_message *)(void *)(list + n);
    for (size_t i = 0; i < n; i++) {
        signature_to_message(&s[i], &messages[i]);
        list[i] = &messages[i].signature;
    }
    *out = list;
    return true;
}
