/* delegation.c: signatures by session keys, which a long-term key vouches for, for some time. */
#include "crypto/delegation.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define US_PER_SECOND 1000000

bool delegation_copy(const struct delegation *from, struct delegation **out, struct error *err)
{
    struct delegation *d;

    *out = NULL;
    if (from == NULL)
        return true;
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return error_set(err, ERR_MEMORY, NULL, "delegation to a session key");
    *d = *from;
    d->bytes = (struct buffer)BUFFER_INIT;
    d->key = public_key_ref(from->key);
    buffer_append_bytes(&d->bytes, buffer_bytes(&from->bytes));
    if (!buffer_ok(&d->bytes, err)) {
        delegation_free(d);
        return false;
    }
    *out = d;
    return true;
}

void delegation_free(struct delegation *d)
{
    if (d == NULL)
        return;
    public_key_unref(d->key);
    buffer_free(&d->bytes);
    free(d);
}

bool delegation_hash(const struct delegation *d, const char *synchronizer, struct hash *out,
                     struct error *err)
{
    struct hash_builder b;

    hash_start(&b, HASH_SESSION_KEY_DELEGATION);
    hash_str(&b, d->key->fingerprint);
    hash_i32(&b, d->key->spec);
    hash_i32(&b, KEY_FORMAT_SPKI);
    hash_i32(&b, 12); /* the usages, with their length: how many, and each */
    hash_i32(&b, 2);
    hash_i32(&b, 4);  /* protocol */
    hash_i32(&b, 5);  /* proof of ownership */
    hash_i32(&b, 16); /* the validity, with its length */
    hash_i64(&b, d->valid_from);
    hash_i64(&b, d->seconds);
    hash_str(&b, synchronizer);
    return hash_finish(&b, out, err);
}

/* Rules a and b: what a session key may do at all, and when. */
static bool in_force(const struct signing_scope *at, unsigned usages, const struct delegation *d,
                     struct error *err)
{
    int64_t life = (int64_t)d->seconds * US_PER_SECOND, end = TS_MAX;

    if (usages != USAGE_PROTOCOL)
        return error_set(err, ERR_UNSUPPORTED, "let the signer use its long-term key",
                         "unsupported delegation: a session key may not sign this");
    if (d->valid_from < TS_MAX - life)
        end = d->valid_from + life;
    if (at->ts < d->valid_from)
        return error_set(err, ERR_SIGNATURE, NULL,
                         "the session key %.16s... is valid from %lld, it is %lld by now",
                         d->key->fingerprint, (long long)d->valid_from, (long long)at->ts);
    if (at->ts >= end)
        return error_set(err, ERR_SIGNATURE, NULL,
                         "the session key %.16s... was valid before %lld, it is %lld by now",
                         d->key->fingerprint, (long long)end, (long long)at->ts);
    return true;
}

/* Rule d: k has signed the delegation, for this synchronizer. */
static bool vouched_for(const struct signing_scope *at, const struct public_key *k,
                        const struct signature *s, struct error *err)
{
    struct signature by_owner = {.format = s->delegation->format,
                                 .algorithm = s->delegation->algorithm,
                                 .bytes = s->delegation->bytes}; /* borrowed, never freed */
    struct hash h;

    memcpy(by_owner.signed_by, s->signed_by, sizeof(by_owner.signed_by));
    signature_normalize(&by_owner);
    if (!delegation_hash(s->delegation, at->synchronizer, &h, err))
        return false;
    return signature_verify_under(at->policy, k, USAGE_PROTOCOL, &h, &by_owner, err) ||
           error_add(err, "delegation to a session key");
}

bool signature_in_force(const struct signing_scope *at, unsigned usages, const struct signature *s,
                        struct error *err)
{
    return s->delegation == NULL || in_force(at, usages, s->delegation, err);
}

bool signature_key_usable(const struct signing_scope *at, const struct public_key *k,
                          unsigned usages, const struct signature *s, struct error *err)
{
    return s->delegation == NULL ||
           (in_force(at, usages, s->delegation, err) && vouched_for(at, k, s, err));
}

bool signature_verify_at(const struct signing_scope *at, const struct public_key *k,
                         unsigned usages, const struct hash *h, const struct signature *s,
                         struct error *err)
{
    struct signature by_session;

    if (s->delegation == NULL)
        return signature_verify_under(at->policy, k, usages, h, s, err);
    if (!signature_key_usable(at, k, usages, s, err))
        return false;
    by_session = *s; /* the bytes are borrowed */
    by_session.delegation = NULL;
    memcpy(by_session.signed_by, s->delegation->key->fingerprint, sizeof(by_session.signed_by));
    return signature_verify_under(at->policy, s->delegation->key, usages, h, &by_session, err) ||
           error_add(err, "signature by a session key");
}
