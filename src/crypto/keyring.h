/* keyring.h: the private keys of one node, in memory. Whoever owns the node stores them
 * (private_key_to_pkcs8) and fills the keyring again at the next start.
 * Threads: any. A key stays in the keyring until keyring_close, so what find and newest return is
 * borrowed and good until then. */
#ifndef CRYPTO_KEYRING_H
#define CRYPTO_KEYRING_H
#include "crypto/signature.h"

struct keyring;

MUST_CHECK bool keyring_open(struct keyring **out, struct error *err);
void keyring_close(struct keyring *r); /* NULL is allowed */

/* Takes one reference of its own. A key that is there already is not added again: true. At most
 * 1000 keys. Fails: ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool keyring_add(struct keyring *r, struct private_key *k, struct error *err);
/* The same for a key that the peers do not know yet: keyring_newest passes it over until
 * keyring_use_from says when. Signing with named candidates finds it all the same. */
#define KEYRING_UNUSED INT64_MAX
MUST_CHECK bool keyring_add_unused(struct keyring *r, struct private_key *k, struct error *err);
/* From when on (clock_mono_us) keyring_newest may give this key; KEYRING_UNUSED: not any more. A
 * key that is in use already stays so. Does nothing for a key that is not there. */
void keyring_use_from(struct keyring *r, const char *fingerprint, int64_t at);
/* Called by keyring_sign, on its thread and without a lock, when none of the named candidates is
 * here: another replica may have drawn one. fn adds what it finds; then it is looked for again. Set
 * once, before the keyring is shared. */
void keyring_on_missing(struct keyring *r, void (*fn)(void *ctx), void *ctx);

/* Draws a key (private_key_generate) and adds it. *out is borrowed and may be NULL. */
MUST_CHECK bool keyring_generate(struct keyring *r, enum key_kind kind, int spec, unsigned usages,
                                 const struct private_key **out, struct error *err);

/* NULL when not there. */
const struct private_key *keyring_find(struct keyring *r, const char *fingerprint);
/* The signing key added last that is in use and has one of usages (proof of ownership is not looked
 * at, as nearly every key has it); NULL when there is none. */
const struct private_key *keyring_newest(struct keyring *r, unsigned usages);
/* The encryption key in use that was added last; NULL when there is none. */
const struct private_key *keyring_newest_encryption(struct keyring *r);
size_t keyring_count(struct keyring *r);
const struct private_key *keyring_at(struct keyring *r, size_t i); /* in order of adding */

/* Signs with the newest of candidates (fingerprints, last is newest) that the keyring has, or with
 * keyring_newest(usages) when candidates is NULL. Fails: ERR_NOT_FOUND, and as private_key_sign. */
MUST_CHECK bool keyring_sign(struct keyring *r, unsigned usages, const char *const *candidates,
                             size_t n, const struct hash *h, struct signature *out,
                             struct error *err);
#endif
