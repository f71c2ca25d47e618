#include "crypto/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"

#define KEYS_MAX 1000

struct keyring {
    struct mutex lock;
    struct private_key *keys[KEYS_MAX] GUARDED_BY(lock);
    int64_t use_from[KEYS_MAX] GUARDED_BY(lock); /* clock_mono_us; KEYRING_UNUSED */
    size_t n GUARDED_BY(lock);
    void (*on_missing)(void *ctx); /* set before the keyring is shared */
    void *on_missing_ctx;
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

/* Its index, or n when it is not there. */
static size_t find(const struct keyring *r, const char *fingerprint) REQUIRES(r->lock)
{
    size_t i = 0;

    while (i < r->n && strcmp(r->keys[i]->pub->fingerprint, fingerprint) != 0)
        i++;
    return i;
}

static bool add(struct keyring *r, struct private_key *k, int64_t use_from, struct error *err)
{
    bool ok = true;

    mutex_lock(&r->lock);
    if (find(r, k->pub->fingerprint) == r->n) {
        if (r->n < KEYS_MAX) {
            r->use_from[r->n] = use_from;
            r->keys[r->n++] = private_key_ref(k);
        } else {
            ok = error_set(err, ERR_LIMIT, NULL, "a node has at most %d keys", KEYS_MAX);
        }
    }
    mutex_unlock(&r->lock);
    return ok;
}

bool keyring_add(struct keyring *r, struct private_key *k, struct error *err)
{
    return add(r, k, 0, err);
}

bool keyring_add_unused(struct keyring *r, struct private_key *k, struct error *err)
{
    return add(r, k, KEYRING_UNUSED, err);
}

void keyring_use_from(struct keyring *r, const char *fingerprint, int64_t at)
{
    mutex_lock(&r->lock);
    size_t i = find(r, fingerprint);

    if (i < r->n && (at == KEYRING_UNUSED || r->use_from[i] == KEYRING_UNUSED))
        r->use_from[i] = at;
    mutex_unlock(&r->lock);
}

void keyring_on_missing(struct keyring *r, void (*fn)(void *ctx), void *ctx)
{
    r->on_missing = fn;
    r->on_missing_ctx = ctx;
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
    size_t i = find(r, fingerprint);

    k = i < r->n ? r->keys[i] : NULL;
    mutex_unlock(&r->lock);
    return k;
}

static const struct private_key *newest(struct keyring *r, enum key_kind kind, unsigned usages)
{
    const struct private_key *k = NULL;
    int64_t now = clock_mono_us();

    mutex_lock(&r->lock);
    for (size_t i = r->n; i-- > 0 && k == NULL;)
        if (r->keys[i]->pub->kind == kind && r->use_from[i] <= now &&
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

static const struct private_key *pick(struct keyring *r, unsigned usages,
                                      const char *const *candidates, size_t n)
{
    const struct private_key *k = NULL;

    if (candidates == NULL)
        return keyring_newest(r, usages);
    for (size_t i = n; i-- > 0 && k == NULL;)
        k = keyring_find(r, candidates[i]);
    return k;
}

bool keyring_sign(struct keyring *r, unsigned usages, const char *const *candidates, size_t n,
                  const struct hash *h, struct signature *out, struct error *err)
{
    const struct private_key *k = pick(r, usages, candidates, n);

    if (k == NULL && n > 0 && r->on_missing != NULL) {
        r->on_missing(r->on_missing_ctx);
        k = pick(r, usages, candidates, n);
    }
    if (k == NULL)
        return error_set(err, ERR_NOT_FOUND, "generate or import a key with this usage",
                         "no private key here to sign with");
    return private_key_sign(k, usages, h, out, err);
}
