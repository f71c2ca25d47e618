/* cmd_keys.c: `lockstep keys`: a node's keys, and a new one in place of an old one while it works.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/topology_call.h"
#include "crypto_admin_v30.pb-c.h"
#include "wire/keys.h"
#include "wire/precheck.h"

#define VAULT      "/com.digitalasset.canton.crypto.admin.v30.VaultService/"
#define OVERLAP_US (30 * US_PER_S)
#define KEYS_MAX   20 /* of one member, by the protocol */

static const struct {
    const char *name;
    int value;
} usage_names[] = {{"namespace", 1}, {"authentication", 3}, {"protocol", 4}, {"ownership", 5}},
  spec_names[] = {{"ed25519", 1}, {"p256", 2}, {"p384", 3}, {"secp256k1", 4}};
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *spec_name(int value)
{
    for (size_t i = 0; i < N(spec_names); i++)
        if (spec_names[i].value == value)
            return spec_names[i].name;
    return "unknown";
}

static bool spec_of(struct cli *cli, int fallback, int *out, struct error *err)
{
    const char *name = cli_value(cli, "spec");

    *out = fallback;
    for (size_t i = 0; name != NULL && i < N(spec_names); i++)
        if (strcmp(name, spec_names[i].name) == 0) {
            *out = spec_names[i].value;
            return true;
        }
    return name == NULL || error_set(err, ERR_CONFIG, "write ed25519, p256, p384 or secp256k1",
                                     "no kind of key %.40s", name);
}

static bool usage_of(const char *name, int *out, struct error *err)
{
    for (size_t i = 0; i < N(usage_names); i++)
        if (strcmp(name, usage_names[i].name) == 0) {
            *out = usage_names[i].value;
            return true;
        }
    return error_set(err, ERR_CONFIG, "write namespace, authentication, protocol or ownership",
                     "no usage %.40s", name);
}

/* ---- what the topology says ---- */

/* The own OwnerToKeyMapping in effect; NULL without err: none. */
static TopologyAdmin__ListOwnerToKeyMappingResponse *
own_mapping(struct topology_node *n, P30__OwnerToKeyMapping **out, struct error *err)
{
    TopologyAdmin__ListOwnerToKeyMappingRequest rq =
        TOPOLOGY_ADMIN__LIST_OWNER_TO_KEY_MAPPING_REQUEST__INIT;
    TopologyAdmin__BaseQuery base = TOPOLOGY_ADMIN__BASE_QUERY__INIT;
    TopologyAdmin__ListOwnerToKeyMappingResponse *r;
    static const char *const types[] = {"", "SEQ", "MED", "PAR"};

    base.store = n->status->physical_synchronizer_id[0] != '\0' ? &n->synchronizer : &n->authorized;
    base.operation = P30__ENUMS__TOPOLOGY_CHANGE_OP__TOPOLOGY_CHANGE_OP_ADD_REPLACE;
    rq.base_query = &base;
    rq.filter_key_owner_uid = n->status->uid;
    rq.filter_key_owner_type = (char *)(uintptr_t)types[(unsigned)n->status->kind % N(types)];
    r = cli_call(n->server, TOPOLOGY_READ "ListOwnerToKeyMapping", &rq,
                 &topology_admin__list_owner_to_key_mapping_response__descriptor, err);
    *out = r != NULL && r->n_results > 0 ? r->results[r->n_results - 1]->v30 : NULL;
    return r;
}

static bool fingerprint_of_message(const C30__PublicKey *m, char out[FINGERPRINT_SIZE],
                                   struct error *err)
{
    struct public_key *k;

    if (!key_from_public(m, &k, err))
        return false;
    memcpy(out, k->fingerprint, FINGERPRINT_SIZE);
    public_key_unref(k);
    return true;
}

static bool is_listed(const P30__OwnerToKeyMapping *m, const char *fingerprint)
{
    char have[FINGERPRINT_SIZE];
    struct error ignored;

    for (size_t i = 0; m != NULL && i < m->n_public_keys; i++)
        if (fingerprint_of_message(m->public_keys[i], have, &ignored) &&
            strcmp(have, fingerprint) == 0)
            return true;
    return false;
}

/* ---- list ---- */

static json_t *key_row(const C30__PublicKeyWithName *k, const P30__OwnerToKeyMapping *listed)
{
    json_t *o = json_object();
    struct public_key *key;
    struct error err;
    char usages[100] = "";
    int values[8];

    if (!key_from_public(k->public_key, &key, &err))
        return o;
    size_t n = key_usages_list(key->usages, values);

    for (size_t i = 0; i < n; i++)
        for (size_t u = 0; u < N(usage_names); u++)
            if (usage_names[u].value == values[i]) {
                strncat(usages, i > 0 ? "," : "", sizeof(usages) - strlen(usages) - 1);
                strncat(usages, usage_names[u].name, sizeof(usages) - strlen(usages) - 1);
            }
    json_object_set_new(o, "fingerprint", json_string(key->fingerprint));
    json_object_set_new(o, "purpose",
                        json_string(key->kind == KEY_SIGNING ? "signing" : "encryption"));
    json_object_set_new(o, "spec",
                        json_string(key->kind == KEY_SIGNING       ? spec_name(key->spec)
                                    : key->spec == ENCRYPTION_P256 ? "p256"
                                                                   : "rsa-2048"));
    json_object_set_new(o, "usages", json_string(usages));
    json_object_set_new(o, "announced", json_boolean(is_listed(listed, key->fingerprint)));
    json_object_set_new(o, "name", json_string(k->name));
    public_key_unref(key);
    return o;
}

static CryptoAdmin__ListMyKeysResponse *my_keys(struct topology_node *n, const char *fingerprint,
                                                struct error *err)
{
    CryptoAdmin__ListMyKeysRequest rq = CRYPTO_ADMIN__LIST_MY_KEYS_REQUEST__INIT;
    CryptoAdmin__ListKeysFilters filters = CRYPTO_ADMIN__LIST_KEYS_FILTERS__INIT;

    filters.fingerprint = (char *)(uintptr_t)fingerprint;
    rq.filters = &filters;
    return cli_call(n->server, VAULT "ListMyKeys", &rq,
                    &crypto_admin__list_my_keys_response__descriptor, err);
}

static int list(struct cli *cli)
{
    struct topology_node n = {0};
    CryptoAdmin__ListMyKeysResponse *r = NULL;
    TopologyAdmin__ListOwnerToKeyMappingResponse *otk = NULL;
    P30__OwnerToKeyMapping *listed = NULL;
    json_t *rows = json_array();
    struct error err;
    int code;

    if (topology_node_open(cli, &n, &err) && (r = my_keys(&n, "", &err)) != NULL &&
        (otk = own_mapping(&n, &listed, &err)) != NULL) {
        for (size_t i = 0; i < r->n_private_keys_metadata; i++)
            json_array_append_new(rows, key_row(r->private_keys_metadata[i]->v30, listed));
        code = cli_print(cli, json_incref(rows));
    } else {
        code = cli_fail(cli, &err);
    }
    json_decref(rows);
    wire_message_free(otk);
    wire_message_free(r);
    topology_node_close(&n);
    return code;
}

/* ---- generate, export ---- */

/* The new key's message (wire_message_free); NULL: err. */
static CryptoAdmin__GenerateSigningKeyResponse *draw(struct topology_node *n, int spec,
                                                     const int *usages, size_t n_usages,
                                                     const char *name, struct error *err)
{
    CryptoAdmin__GenerateSigningKeyRequest rq = CRYPTO_ADMIN__GENERATE_SIGNING_KEY_REQUEST__INIT;
    C30__SigningKeyUsage list[8];

    for (size_t i = 0; i < n_usages && i < N(list); i++)
        list[i] = (C30__SigningKeyUsage)usages[i];
    rq.key_spec = (C30__SigningKeySpec)spec;
    rq.usage_v30 = list;
    rq.n_usage_v30 = n_usages;
    if (name != NULL)
        rq.name = (char *)(uintptr_t)name;
    return cli_call(n->server, VAULT "GenerateSigningKey", &rq,
                    &crypto_admin__generate_signing_key_response__descriptor, err);
}

static bool signing_fingerprint(const C30__SigningPublicKey *m, char out[FINGERPRINT_SIZE],
                                struct error *err)
{
    struct public_key *k;

    if (!key_from_signing(m, &k, err))
        return false;
    memcpy(out, k->fingerprint, FINGERPRINT_SIZE);
    public_key_unref(k);
    return true;
}

static int generate(struct cli *cli)
{
    struct topology_node n = {0};
    CryptoAdmin__GenerateSigningKeyResponse *r = NULL;
    char fingerprint[FINGERPRINT_SIZE];
    int usages[8], spec, code;
    size_t n_usages = 0;
    struct error err;
    bool ok = spec_of(cli, SIGNING_P256, &spec, &err);

    for (; ok && n_usages < N(usages) && cli_value_at(cli, "usage", n_usages) != NULL; n_usages++)
        ok = usage_of(cli_value_at(cli, "usage", n_usages), &usages[n_usages], &err);
    if (ok && n_usages == 0)
        ok = error_set(&err, ERR_CONFIG, "give --usage protocol, for one", "a key without a usage");
    ok = ok && topology_node_open(cli, &n, &err) &&
         (r = draw(&n, spec, usages, n_usages, cli_value(cli, "name"), &err)) != NULL &&
         signing_fingerprint(r->v30, fingerprint, &err);
    code = ok ? cli_print(cli, json_pack("{s:s, s:s}", "fingerprint", fingerprint, "spec",
                                         spec_name(spec)))
              : cli_fail(cli, &err);
    wire_message_free(r);
    topology_node_close(&n);
    return code;
}

static json_t *export_row(const C30__PublicKeyWithName *named, struct error *err)
{
    struct public_key *k;
    json_t *o = NULL;
    char *hex;

    if (!key_from_public(named->public_key, &k, err))
        return NULL;
    hex = malloc(2 * k->spki.len + 1);
    if (hex != NULL) {
        hex_encode(k->spki, hex);
        o = json_pack("{s:s, s:s, s:s}", "fingerprint", k->fingerprint, "format",
                      "DER SubjectPublicKeyInfo, hex", "public_key", hex);
    } else {
        error_set(err, ERR_MEMORY, NULL, "no memory");
    }
    free(hex);
    public_key_unref(k);
    return o;
}

static int export_public(struct cli *cli)
{
    struct topology_node n = {0};
    CryptoAdmin__ListMyKeysResponse *r = NULL;
    struct error err;
    json_t *row = NULL;
    int code;

    if (topology_node_open(cli, &n, &err) && (r = my_keys(&n, cli_arg(cli, 0), &err)) != NULL) {
        if (r->n_private_keys_metadata == 1)
            row = export_row(r->private_keys_metadata[0]->v30, &err);
        else
            error_set(&err, ERR_NOT_FOUND, "see lockstep keys list",
                      "%zu keys begin with %.70s, not one", r->n_private_keys_metadata,
                      cli_arg(cli, 0));
    }
    code = row != NULL ? cli_print(cli, row) : cli_fail(cli, &err);
    wire_message_free(r);
    topology_node_close(&n);
    return code;
}

/* ---- rotate ---- */

struct rotation {
    struct topology_node node;
    TopologyAdmin__ListOwnerToKeyMappingResponse *listed;
    P30__OwnerToKeyMapping *mapping; /* in it */
    CryptoAdmin__GenerateSigningKeyResponse *made;
    struct public_key *old; /* what is replaced */
    char new_key[FINGERPRINT_SIZE];
};

/* The key to replace: the one that is named, or the newest with the usage. */
static bool choose_old(struct cli *cli, struct rotation *r, struct error *err)
{
    const char *named = cli_value(cli, "key"), *usage = cli_value(cli, "usage");
    int wanted = 4;

    if (usage != NULL && !usage_of(usage, &wanted, err))
        return false;
    if (usage != NULL && wanted != 3 && wanted != 4)
        return error_set(err, ERR_CONFIG, "write protocol or authentication",
                         "keys for %.40s are not rotated by this command", usage);
    for (size_t i = r->mapping->n_public_keys; i-- > 0 && r->old == NULL;) {
        struct public_key *k;

        if (!key_from_public(r->mapping->public_keys[i], &k, err))
            return false;
        if (k->kind == KEY_SIGNING &&
            (named != NULL ? strncmp(k->fingerprint, named, strlen(named)) == 0
                           : (k->usages & (1u << wanted)) != 0))
            r->old = k;
        else
            public_key_unref(k);
    }
    return r->old != NULL || error_set(err, ERR_NOT_FOUND, "see lockstep keys list",
                                       "the topology names no such key of this node");
}

static bool announce(struct rotation *r, C30__PublicKey **keys, size_t n, struct error *err)
{
    P30__OwnerToKeyMapping otk = P30__OWNER_TO_KEY_MAPPING__INIT;
    P30__TopologyMapping m = P30__TOPOLOGY_MAPPING__INIT;
    TopologyAdmin__AuthorizeResponse *a;

    otk.member = r->mapping->member;
    otk.public_keys = keys;
    otk.n_public_keys = n;
    m.mapping_case = P30__TOPOLOGY_MAPPING__MAPPING_OWNER_TO_KEY_MAPPING;
    m.owner_to_key_mapping = &otk;
    a = topology_propose(&r->node, &r->node.synchronizer, 1, 0, &m, false, NULL, 0, err);
    wire_message_free(a);
    return a != NULL;
}

/* Both keys first; later the new one without the old. */
static bool announce_both(struct rotation *r, struct error *err)
{
    C30__PublicKey *keys[KEYS_MAX + 1], added = C30__PUBLIC_KEY__INIT;
    size_t n = r->mapping->n_public_keys;

    if (n >= KEYS_MAX)
        return error_set(err, ERR_LIMIT, "finish an earlier rotation: lockstep keys rotate --drop",
                         "the node has %zu keys, the protocol allows %d", n, KEYS_MAX);
    memcpy(keys, r->mapping->public_keys, n * sizeof(*keys));
    added.key_case = C30__PUBLIC_KEY__KEY_SIGNING_PUBLIC_KEY;
    added.signing_public_key = r->made->v30;
    keys[n] = &added;
    return announce(r, keys, n + 1, err);
}

static bool announce_without_old(struct rotation *r, struct error *err)
{
    C30__PublicKey *keys[KEYS_MAX + 1];
    size_t n = 0;

    wire_message_free(r->listed);
    r->listed = own_mapping(&r->node, &r->mapping, err);
    if (r->listed == NULL)
        return false;
    for (size_t i = 0; r->mapping != NULL && i < r->mapping->n_public_keys && n <= KEYS_MAX; i++) {
        char fingerprint[FINGERPRINT_SIZE];

        if (!fingerprint_of_message(r->mapping->public_keys[i], fingerprint, err))
            return false;
        if (strcmp(fingerprint, r->old->fingerprint) != 0)
            keys[n++] = r->mapping->public_keys[i];
    }
    return announce(r, keys, n, err);
}

static bool add_new(struct cli *cli, struct rotation *r, struct error *err)
{
    int usages[8], spec;
    size_t n = key_usages_list(r->old->usages, usages);

    return spec_of(cli, r->old->spec, &spec, err) &&
           (r->made = draw(&r->node, spec, usages, n, cli_value(cli, "name"), err)) != NULL &&
           signing_fingerprint(r->made->v30, r->new_key, err) && announce_both(r, err);
}

static bool rotate_steps(struct cli *cli, struct rotation *r, int64_t overlap_us, struct error *err)
{
    struct timespec t = {.tv_sec = overlap_us / US_PER_S, .tv_nsec = overlap_us % US_PER_S * 1000};
    bool is_drop = cli_flag(cli, "drop");

    if (!topology_node_open(cli, &r->node, err))
        return false;
    if (r->node.status->physical_synchronizer_id[0] == '\0')
        return error_set(err, ERR_UNAVAILABLE, "bootstrap it first",
                         "the node has no synchronizer that would hear of a new key");
    r->listed = own_mapping(&r->node, &r->mapping, err);
    if (r->listed == NULL)
        return false;
    if (r->mapping == NULL)
        return error_set(err, ERR_NOT_FOUND, NULL, "the topology names no keys of %s",
                         r->node.status->uid);
    if (!choose_old(cli, r, err))
        return false;
    if (is_drop)
        return announce_without_old(r, err);
    if (!add_new(cli, r, err))
        return false;
    fprintf(cli_err(cli),
            "the new key %s is in effect beside the old one; %lld s until that goes\n", r->new_key,
            (long long)(overlap_us / US_PER_S));
    nanosleep(&t, NULL);
    return announce_without_old(r, err) ||
           error_add(err,
                     "both keys stay in effect; lockstep keys rotate --drop --key %.12s "
                     "finishes",
                     r->old->fingerprint);
}

static int rotate(struct cli *cli)
{
    struct rotation r = {0};
    int64_t overlap_us = OVERLAP_US;
    struct error err;
    int code;

    if (!cli_duration(cli, "overlap", 2 * US_PER_S, 24 * 3600 * US_PER_S, &overlap_us))
        return CLI_USAGE;
    if (cli_flag(cli, "drop") && cli_value(cli, "key") == NULL)
        return cli_usage(cli, "--drop needs --key FINGERPRINT, the key that goes");
    if (rotate_steps(cli, &r, overlap_us, &err))
        code = cli_print(cli, json_pack("{s:s, s:s}", "old", r.old->fingerprint, "new", r.new_key));
    else
        code = cli_fail(cli, &err);
    public_key_unref(r.old);
    wire_message_free(r.made);
    wire_message_free(r.listed);
    topology_node_close(&r.node);
    return code;
}

#define SPEC_OPTION                                                                                \
    {                                                                                              \
        "spec", 's', "KIND", "ed25519, p256, p384 or secp256k1"                                    \
    }
static const struct cli_option list_options[] = {
    CLI_SERVER_OPTIONS("admin API of the node"),
    {0},
};
static const struct cli_option generate_options[] = {
    CLI_SERVER_OPTIONS("admin API of the node"),
    {"usage", 'u', "USAGE", "namespace, authentication or protocol; may be repeated"},
    SPEC_OPTION,
    {"name", 'n', "NAME", "for people"},
    {0},
};
static const struct cli_option rotate_options[] = {
    CLI_SERVER_OPTIONS("admin API of the node, of its active replica"),
    {"usage", 'u', "USAGE", "which key: protocol (default) or authentication"},
    {"key", 'k', "FINGERPRINT", "which key, by how its fingerprint begins"},
    SPEC_OPTION,
    {"name", 'n', "NAME", "of the new key, for people"},
    {"overlap", 0, "DURATION", "how long both are in effect; default 30s, at least 2s"},
    {"drop", 0, NULL, "only take the key --key out of the topology"},
    {0},
};
static const struct cli_command commands[] = {
    {"list", "", 0, 0, "the keys of a node, and whether the topology announces them", NULL,
     list_options, list},
    {"generate", "", 0, 0, "draw a signing key; it is not announced yet", NULL, generate_options,
     generate},
    {"rotate", "", 0, 0, "replace a key of a node while it works",
     "Draws a key like the old one, announces both, waits, and announces the new one alone. Every\n"
     "replica takes the new key into use by itself. Interrupted, both keys stay in effect:\n"
     "run it with --drop --key OLD.",
     rotate_options, rotate},
    {"export-public", "FINGERPRINT", 1, 1, "the public part of a key", NULL, list_options,
     export_public},
    {0},
};
const struct cli_family cmd_keys = {"keys", "the keys of a node", commands};
