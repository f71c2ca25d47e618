/* session_key.h: signing with session keys, in tests. */
#ifndef UNIT_SESSION_KEY_H
#define UNIT_SESSION_KEY_H
#include <stdlib.h>
#include <string.h>

#include "crypto/delegation.h"

/* A session, and who vouches for it. */
struct session_of {
    const struct private_key *owner, *key;
    const char *synchronizer;
    int64_t from;
    uint32_t seconds;
};

static inline void session_delegate(const struct session_of *o, struct delegation **out)
{
    struct delegation *d = calloc(1, sizeof(*d));
    struct signature by_owner;
    struct hash h;

    assert_non_null(d);
    *d = (struct delegation){.valid_from = o->from, .seconds = o->seconds};
    assert_true(public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, o->key->pub->spec,
                                 SESSION_KEY_USAGES, o->key->pub->spki, &d->key, NULL));
    assert_true(delegation_hash(d, o->synchronizer, &h, NULL));
    assert_true(private_key_sign(o->owner, USAGE_PROTOCOL, &h, &by_owner, NULL));
    d->format = by_owner.format;
    d->algorithm = by_owner.algorithm;
    d->bytes = by_owner.bytes;
    *out = d;
}

static inline void session_sign(const struct session_of *o, const struct hash *h,
                                struct signature *out)
{
    assert_true(private_key_sign(o->key, USAGE_PROTOCOL, h, out, NULL));
    memcpy(out->signed_by, o->owner->pub->fingerprint, sizeof(out->signed_by));
    session_delegate(o, &out->delegation);
}

static inline struct private_key *session_key_new(int spec)
{
    struct private_key *k;

    assert_true(private_key_generate(KEY_SIGNING, spec, SESSION_KEY_USAGES, &k, NULL));
    return k;
}
#endif
