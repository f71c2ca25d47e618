#include "crypto/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define KEYS_MAX 1000

struct keyring {
    struct mutex lock;
    struct private_key *keys[KEYS_MAX] GUARDED_BY(lock);
    size_t n GUARDED_BY(lock);
};

bool keyring_open(struct keyring **out, struct error *err)
{
    struct keyring *r = calloc(1, sizeof(*r));

    *out = r;
    if (r == NULL)
        return error_set(err, ERR_MEMORY, NULL, "keyring");
    mutex_init(&r->lock);
    return true;
}

void keyring_close(struct keyring *r)
{
    if (r == NULL)
        return;
    mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n; i++)
        private_key_unref(r->keys[i]);
    mutex_unlock(&r->lock);
    mutex_destroy(&r->lock);
    free(r);
}

static const struct private_key *find(const struct keyring *r, const char *fingerprint)
    REQUIRES(r->lock)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->keys[i]->pub->fingerprint, fingerprint) == 0)
            return r->keys[i];
    return NULL;
}

bool keyring_add(struct keyring *r, struct private_key *k, struct error *err)
{
    bool ok = true;

    mutex_lock(&r->lock);
    if (find(r, k->pub->fingerprint) == NULL) {
        if (r->n < KEYS_MAX)
            r->keys[r->n++] = private_key_ref(k);
        else
            ok = error_set(err, ERR_LIMIT, NULL, "a node has at most %d keys", KEYS_MAX);
    }
    mutex_unlock(&r->lock);
    return ok;
}

bool keyring_generate(struct keyring *r, enum key_kind kind, int spec, unsigned usages,
                      const struct private_key **out, struct error *err)
{
    struct private_key *k;
    bool ok;

    if (!private_key_generate(kind, spec, usages, &k, err))
        return false;
    ok = keyring_add(r, k, err);
    if (ok && out != NULL)
        *out = k; /* the keyring's reference keeps it */
    private_key_unref(k);
    return ok;
}

const struct private_key *keyring_find(struct keyring *r, const char *fingerprint)
{
    const struct private_key *k;

    mutex_lock(&r->lock);
    k = find(r, fingerprint);
    mutex_unlock(&r->lock);
    return k;
}

static const struct private_key *newest(struct keyring *r, enum key_kind kind, unsigned usages)
{
    const struct private_key *k = NULL;

    mutex_lock(&r->lock);
    for (size_t i = r->n; i-- > 0 && k == NULL;)
        if (r->keys[i]->pub->kind == kind &&
            (kind == KEY_ENCRYPTION || (r->keys[i]->pub->usages & usages) != 0))
            k = r->keys[i];
    mutex_unlock(&r->lock);
    return k;
}

const struct private_key *keyring_newest(struct keyring *r, unsigned usages)
{
    return newest(r, KEY_SIGNING, usages & ~(unsigned)USAGE_PROOF);
}

const struct private_key *keyring_newest_encryption(struct keyring *r)
{
    return newest(r, KEY_ENCRYPTION, 0);
}

size_t keyring_count(struct keyring *r)
{
    mutex_lock(&r->lock);
    size_t n = r->n;
    mutex_unlock(&r->lock);
    return n;
}

const struct private_key *keyring_at(struct keyring *r, size_t i)
{
    mutex_lock(&r->lock);
    const struct private_key *k = i < r->n ? r->keys[i] : NULL;
    mutex_unlock(&r->lock);
    return k;
}

bool keyring_sign(struct keyring *r, unsigned usages, const char *const *candidates, size_t n,
                  const struct hash *h, struct signature *out, struct error *err)
{
    const struct private_key *k = NULL;

    if (candidates == NULL)
        k = keyring_newest(r, usages);
    for (size_t i = n; candidates != NULL && i-- > 0 && k == NULL;)
        k = keyring_find(r, candidates[i]);
    if (k == NULL)
        return error_set(err, ERR_NOT_FOUND, "generate or import a key with this usage",
                         "no private key here to sign with");
    return private_key_sign(k, usages, h, out, err);
}
