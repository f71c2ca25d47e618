/* admin_keys.c: VaultService: the keys of a node. Private keys never leave it. */
#include <stdlib.h>
#include <string.h>

#include "crypto_admin_v30.pb-c.h"
#include "node/admin_internal.h"
#include "wire/keys.h"
#include "wire/precheck.h"

#define VAULT_PATH ADMIN_TREE "crypto.admin.v30.VaultService/"
#define LIST_MAX   1000

/* One key of an answer; message points into itself. */
struct shown {
    struct key_message key;
    struct public_key *ref;
    C30__PublicKeyWithName named;
    CryptoAdmin__PrivateKeyMetadata metadata;
    char name[301];
};

struct listing {
    const CryptoAdmin__ListKeysFilters *filters;
    struct shown *at;
    size_t n;
};

static bool has_value(const int *list, size_t n, int value)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == value)
            return true;
    return n == 0;
}

static bool is_wanted(const CryptoAdmin__ListKeysFilters *f, const struct node_key *k)
{
    int usages[8];
    size_t n = key_usages_list(k->key->usages, usages);
    bool has_usage = f == NULL || f->n_usage_v30 == 0;

    if (f == NULL)
        return true;
    for (size_t i = 0; i < n && !has_usage; i++)
        has_usage = has_value((const int *)f->usage_v30, f->n_usage_v30, usages[i]);
    return has_usage && strncmp(k->key->fingerprint, f->fingerprint, strlen(f->fingerprint)) == 0 &&
           strstr(k->name, f->name) != NULL &&
           has_value((const int *)f->purpose, f->n_purpose, (int)k->key->kind);
}

static bool on_key(void *ctx, const struct node_key *k, struct error *err)
{
    struct listing *l = ctx;

    if (!is_wanted(l->filters, k))
        return true;
    if (l->n == LIST_MAX)
        return error_set(err, ERR_LIMIT, "use a filter", "more than %d keys", LIST_MAX);
    struct shown *s = &l->at[l->n++];

    s->ref = public_key_ref(k->key);
    key_to_message(s->ref, &s->key);
    strncpy(s->name, k->name, sizeof(s->name) - 1);
    c30__public_key_with_name__init(&s->named);
    s->named.public_key = &s->key.key;
    s->named.name = s->name;
    crypto_admin__private_key_metadata__init(&s->metadata);
    s->metadata.public_key_with_name_case =
        CRYPTO_ADMIN__PRIVATE_KEY_METADATA__PUBLIC_KEY_WITH_NAME_V30;
    s->metadata.v30 = &s->named;
    return true;
}

static bool list(struct admin_service *s, const CryptoAdmin__ListKeysFilters *filters,
                 struct listing *l, struct error *err)
{
    *l = (struct listing){.filters = filters, .at = calloc(LIST_MAX, sizeof(*l->at))};
    if (l->at == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a list of keys");
    return node_identity_keys(s->cfg.identity, on_key, l, err);
}

static void listing_free(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++)
        public_key_unref(l->at[i].ref);
    free(l->at);
}

static void list_my_keys(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    CryptoAdmin__ListMyKeysRequest *rq =
        admin_request(call, &crypto_admin__list_my_keys_request__descriptor);
    CryptoAdmin__ListMyKeysResponse r = CRYPTO_ADMIN__LIST_MY_KEYS_RESPONSE__INIT;
    CryptoAdmin__PrivateKeyMetadata *at[LIST_MAX];
    struct listing l;
    struct error err;

    if (rq == NULL)
        return;
    if (list(s, rq->filters, &l, &err)) {
        for (size_t i = 0; i < l.n; i++)
            at[i] = &l.at[i].metadata;
        r.n_private_keys_metadata = l.n;
        r.private_keys_metadata = at;
        admin_reply(call, &r);
    } else {
        admin_fail(s, call, &err);
    }
    listing_free(&l);
    wire_message_free(rq);
}

static void list_public_keys(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    CryptoAdmin__ListPublicKeysRequest *rq =
        admin_request(call, &crypto_admin__list_public_keys_request__descriptor);
    CryptoAdmin__ListPublicKeysResponse r = CRYPTO_ADMIN__LIST_PUBLIC_KEYS_RESPONSE__INIT;
    C30__PublicKeyWithName *at[LIST_MAX];
    struct listing l;
    struct error err;

    if (rq == NULL)
        return;
    if (list(s, rq->filters, &l, &err)) {
        for (size_t i = 0; i < l.n; i++)
            at[i] = &l.at[i].named;
        r.n_public_keys_v30 = l.n;
        r.public_keys_v30 = at;
        admin_reply(call, &r);
    } else {
        admin_fail(s, call, &err);
    }
    listing_free(&l);
    wire_message_free(rq);
}

static void generate_signing_key(void *ctx, struct rpc_call *call)
{
    struct admin_service *s = ctx;
    CryptoAdmin__GenerateSigningKeyRequest *rq =
        admin_request(call, &crypto_admin__generate_signing_key_request__descriptor);
    CryptoAdmin__GenerateSigningKeyResponse r = CRYPTO_ADMIN__GENERATE_SIGNING_KEY_RESPONSE__INIT;
    const struct private_key *k;
    struct key_message message;
    struct error err;
    unsigned usages;
    int spec;

    if (rq == NULL)
        return;
    spec = rq->key_spec == 0 ? SIGNING_P256 : (int)rq->key_spec;
    if (key_usages_parse((const int *)rq->usage_v30, rq->n_usage_v30, &usages, &err) &&
        node_identity_generate(s->cfg.identity, spec, usages, rq->name, &k, &err)) {
        key_to_message(k->pub, &message);
        r.public_key_case = CRYPTO_ADMIN__GENERATE_SIGNING_KEY_RESPONSE__PUBLIC_KEY_V30;
        r.v30 = &message.signing;
        admin_reply(call, &r);
    } else {
        admin_fail(s, call, &err);
    }
    wire_message_free(rq);
}

static const struct admin_method methods[] = {
    {VAULT_PATH "ListMyKeys", RPC_UNARY, list_my_keys, true},
    {VAULT_PATH "ListPublicKeys", RPC_UNARY, list_public_keys, true},
    {VAULT_PATH "GenerateSigningKey", RPC_UNARY, generate_signing_key, true},
};

bool admin_keys_register(struct admin_service *s, struct rpc_server *server, struct error *err)
{
    return admin_register(s, server, methods, sizeof(methods) / sizeof(methods[0]), err);
}
