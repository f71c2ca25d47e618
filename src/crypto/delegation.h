/* delegation.h: a signature may be made with a session key. Then it names the long-term key all the
 * same (signed_by), and carries what that key signed: the session key, and from when for how long
 * it may sign protocol messages of one synchronizer. A delegation cannot be delegated on.
 * Threads: any. */
#ifndef CRYPTO_DELEGATION_H
#define CRYPTO_DELEGATION_H
#include "crypto/signature.h"

/* What a session key may do, always. */
#define SESSION_KEY_USAGES (USAGE_PROTOCOL | USAGE_PROOF)

struct delegation {
    struct public_key *key; /* of the session; a reference */
    int64_t valid_from;     /* microseconds since 1970, inclusive */
    uint32_t seconds;       /* for how long: not 0 */
    int format, algorithm;  /* of bytes, as received */
    struct buffer bytes;    /* the long-term key's signature, owned */
};
/* *out: NULL when from is. Fails: ERR_MEMORY. */
MUST_CHECK bool delegation_copy(const struct delegation *from, struct delegation **out,
                                struct error *err);
void delegation_free(struct delegation *d); /* d too; NULL is allowed */
/* What the long-term key signs. synchronizer: the logical id. Fails: ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool delegation_hash(const struct delegation *d, const char *synchronizer,
                                struct hash *out, struct error *err);

/* Where and when a signature is judged. All borrowed. */
struct signing_scope {
    const struct crypto_policy *policy;
    const char *synchronizer; /* the logical id */
    int64_t ts;               /* of the topology snapshot, not of a clock */
};
/* signature_verify_under, and a session key will do when usages is USAGE_PROTOCOL alone: in force
 * at ts, vouched for by k on this synchronizer, and the bytes are the session key's. k: the key
 * that the signature names, of the signer at ts. Fails: ERR_SIGNATURE, ERR_UNSUPPORTED (usages). */
MUST_CHECK bool signature_verify_at(const struct signing_scope *at, const struct public_key *k,
                                    unsigned usages, const struct hash *h,
                                    const struct signature *s, struct error *err);
/* The same but for the signature's own bytes: could it count at ts? */
MUST_CHECK bool signature_key_usable(const struct signing_scope *at, const struct public_key *k,
                                     unsigned usages, const struct signature *s, struct error *err);
/* The part that time alone decides, for a signature whose arithmetic is known to hold. */
MUST_CHECK bool signature_in_force(const struct signing_scope *at, unsigned usages,
                                   const struct signature *s, struct error *err);
#endif
