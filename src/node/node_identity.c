#include "node/node_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "crypto/key_wrap.h"
#include "storage/db.h"
#include "wire/keys.h"
#include "wire/topology_tx.h"

static const char *const kind_texts[] = {[MEMBER_PARTICIPANT] = "participant",
                                         [MEMBER_MEDIATOR] = "mediator",
                                         [MEMBER_SEQUENCER] = "sequencer"};

/* The texts in ls_key.spec. */
static const struct {
    enum key_kind kind;
    int spec;
    const char *text;
} specs[] = {
    {KEY_SIGNING, SIGNING_ED25519, "ed25519"},    {KEY_SIGNING, SIGNING_P256, "ec-p256"},
    {KEY_SIGNING, SIGNING_P384, "ec-p384"},       {KEY_SIGNING, SIGNING_SECP256K1, "ec-secp256k1"},
    {KEY_ENCRYPTION, ENCRYPTION_P256, "ec-p256"}, {KEY_ENCRYPTION, ENCRYPTION_RSA_2048, "rsa-2048"},
};
#define N_SPECS (sizeof(specs) / sizeof(specs[0]))

static const char *purpose_text(enum key_kind kind)
{
    return kind == KEY_ENCRYPTION ? "encryption" : "signing";
}

static const char *spec_text(enum key_kind kind, int spec)
{
    for (size_t i = 0; i < N_SPECS; i++)
        if (specs[i].kind == kind && specs[i].spec == spec)
            return specs[i].text;
    return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct found {
    struct node_identity *id;
    bool is_there, has_other_form; /* a key that would be stored differently now */
    char kind[32];
    node_key_fn *fn; /* of node_identity_keys; may be NULL */
    void *ctx;
};

static bool on_identity(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct found *f = ctx;

    (void)n;
    f->is_there = true;
    snprintf(f->kind, sizeof(f->kind), "%s", value_cstr(&cols[0]));
    if (cols[1].bytes.len > UID_TEXT_MAX)
        return error_set(err, ERR_DATABASE, NULL, "ls_identity holds a uid of %zu characters",
                         cols[1].bytes.len);
    snprintf(f->id->uid, sizeof(f->id->uid), "%s", value_cstr(&cols[1]));
    return true;
}

enum { KEY_FINGERPRINT, KEY_PURPOSE, KEY_USAGES, KEY_SPEC, KEY_NAME, KEY_CREATED, KEY_PRIVATE };

/* The key of one row: PKCS#8, as the wrap gives it back. */
static bool add_key(struct found *f, enum key_kind kind, int spec, const struct value *cols,
                    struct error *err)
{
    const char *fingerprint = value_cstr(&cols[KEY_FINGERPRINT]);
    struct buffer der = BUFFER_INIT;
    struct private_key *k = NULL;
    bool is_current = true;
    bool ok =
        key_wrap_open(f->id->wrap, fingerprint, cols[KEY_PRIVATE].bytes, &der, &is_current, err) &&
        private_key_from_pkcs8(kind, spec, (unsigned)cols[KEY_USAGES].i64, buffer_bytes(&der), &k,
                               err) &&
        keyring_add_unused(f->id->keys, k, err);

    f->has_other_form = f->has_other_form || !is_current;
    if (ok && f->fn != NULL) {
        struct node_key seen = {.key = k->pub,
                                .name = value_cstr(&cols[KEY_NAME]),
                                .created_at = cols[KEY_CREATED].i64,
                                .is_encrypted = der.len != cols[KEY_PRIVATE].bytes.len};

        ok = f->fn(f->ctx, &seen, err);
    } else if (!ok) {
        error_add(err, "the key %.12s in ls_key", fingerprint);
    }
    private_key_unref(k);
    buffer_wipe(&der);
    return ok;
}

static bool on_key(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    const char *spec = value_cstr(&cols[KEY_SPEC]);
    enum key_kind kind =
        strcmp(value_cstr(&cols[KEY_PURPOSE]), "encryption") == 0 ? KEY_ENCRYPTION : KEY_SIGNING;

    (void)n;
    for (size_t i = 0; i < N_SPECS; i++)
        if (specs[i].kind == kind && strcmp(specs[i].text, spec) == 0)
            return add_key(ctx, kind, specs[i].spec, cols, err);
    return error_set(err, ERR_UNSUPPORTED, "start the release that made it",
                     "ls_key holds a %s key of the unknown kind %s", purpose_text(kind), spec);
}

static bool on_tx(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    return signed_txs_add(ctx, cols[0].bytes, err);
}

/* The stored form of k, as wrap makes it. */
static bool stored_form(const struct private_key *k, const struct key_wrap *wrap,
                        struct buffer *out, struct error *err)
{
    struct buffer der = BUFFER_INIT;
    bool ok = private_key_to_pkcs8(k, &der, err) &&
              key_wrap_seal(wrap, k->pub->fingerprint, buffer_bytes(&der), out, err);

    buffer_wipe(&der);
    return ok;
}

/* Another replica may do the same at the same time: either's form can be read by both. */
static bool rewrap(struct node_identity *id, struct error *err)
{
    for (size_t i = 0; i < keyring_count(id->keys); i++) {
        const struct private_key *k = keyring_at(id->keys, i);
        struct buffer form = BUFFER_INIT;
        bool ok = stored_form(k, id->wrap, &form, err) &&
                  db_exec(id->db, "key_rewrap",
                          (struct value[]){value_bytes(buffer_bytes(&form)),
                                           value_text(k->pub->fingerprint)},
                          2, 0, NULL, err);

        buffer_wipe(&form);
        if (!ok)
            return error_add(err, "storing the key %.12s anew", k->pub->fingerprint);
    }
    log_info(id->lg, "stored the private keys anew, %s",
             id->wrap->is_plaintext ? "unencrypted" : "encrypted under keys.encryption-key");
    return true;
}

/* The keys that one of the own OwnerToKeyMappings names. */
static bool use_listed(struct node_identity *id, const P30__OwnerToKeyMapping *m, struct error *err)
{
    for (size_t i = 0; i < m->n_public_keys; i++) {
        struct public_key *k;

        if (!key_from_public(m->public_keys[i], &k, err))
            return error_add(err, "an OwnerToKeyMapping of this node");
        keyring_use_from(id->keys, k->fingerprint, 0);
        public_key_unref(k);
    }
    return true;
}

/* What the newest own OwnerToKeyMapping names is in use; the topology says more once it is there.
 */
static bool use_authorized(struct node_identity *id, struct error *err)
{
    struct signed_topology_tx newest = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < id->txs.n; i++) {
        struct signed_topology_tx tx = {0};

        ok = signed_topology_tx_parse(buffer_bytes(&id->txs.at[i]), &tx, err);
        if (ok && tx.mapping->mapping_case == P30__TOPOLOGY_MAPPING__MAPPING_OWNER_TO_KEY_MAPPING &&
            strcmp(tx.mapping->owner_to_key_mapping->member, id->member) == 0 &&
            tx.serial > newest.serial) {
            signed_topology_tx_free(&newest);
            newest = tx;
        } else {
            signed_topology_tx_free(&tx);
        }
    }
    ok = ok && (newest.serial == 0 || use_listed(id, newest.mapping->owner_to_key_mapping, err));
    signed_topology_tx_free(&newest);
    return ok;
}

static bool load(struct node_identity *id, bool *is_there, struct error *err)
{
    struct found f = {.id = id};
    struct uid uid;

    *is_there = false;
    if (!db_query(id->db, "identity_read", NULL, 0, 0, on_identity, &f, err))
        return false;
    if (!f.is_there)
        return true;
    if (strcmp(f.kind, kind_texts[id->kind]) != 0)
        return error_set(err, ERR_CONFIG, "give each node a database or a schema of its own",
                         "this database belongs to the %s %s, not to a %s", f.kind, id->uid,
                         kind_texts[id->kind]);
    if (!uid_parse(id->uid, &uid, err))
        return error_add(err, "ls_identity");
    snprintf(id->ns, sizeof(id->ns), "%s", uid.ns);
    member_format(id->kind, id->uid, id->member);
    if (!db_query(id->db, "key_list", NULL, 0, 0, on_key, &f, err) ||
        !db_query(id->db, "authorized_list", NULL, 0, 0, on_tx, &id->txs, err))
        return false;
    if (keyring_find(id->keys, id->ns) == NULL || id->txs.n == 0)
        return error_set(err, ERR_DATABASE, "restore the database from its backup",
                         "the keys or the topology transactions of %s are missing", id->uid);
    *is_there = true;
    return use_authorized(id, err) && (!f.has_other_form || rewrap(id, err));
}

/* --- making ----------------------------------------------------------------------------------- */

struct new_key {
    const struct node_identity *id;
    const struct private_key *key;
    const char *name;
    int64_t created_at;
};

static bool insert_key(struct txn *t, void *ctx, struct error *err)
{
    const struct new_key *w = ctx;
    const struct public_key *p = w->key->pub;
    struct buffer form = BUFFER_INIT;
    bool ok =
        stored_form(w->key, w->id->wrap, &form, err) &&
        txn_exec(t, "key_insert",
                 (struct value[]){value_text(p->fingerprint), value_text(purpose_text(p->kind)),
                                  value_i64(p->usages), value_text(spec_text(p->kind, p->spec)),
                                  value_text(w->name), value_i64(w->created_at),
                                  value_bytes(p->spki), value_bytes(buffer_bytes(&form))},
                 8, NULL, err);

    buffer_wipe(&form);
    return ok;
}

/* All of it or nothing: a replica that sees the identity row sees keys and transactions too. */
static bool store(struct txn *t, void *ctx, struct error *err)
{
    const struct node_identity *id = ctx;
    int64_t now = clock_now_us();

    if (!txn_exec(t, "identity_insert",
                  (struct value[]){value_text(kind_texts[id->kind]), value_text(id->uid)}, 2, NULL,
                  err))
        return false;
    for (size_t i = 0; i < keyring_count(id->keys); i++) {
        struct new_key w = {
            .id = id, .key = keyring_at(id->keys, i), .name = NULL, .created_at = now + (int64_t)i};

        if (!insert_key(t, &w, err))
            return false;
    }
    for (size_t i = 0; i < id->txs.n; i++)
        if (!txn_exec(t, "authorized_insert",
                      (struct value[]){value_i64((int64_t)i + 1),
                                       value_bytes(buffer_bytes(&id->txs.at[i]))},
                      2, NULL, err))
            return false;
    return true;
}

static bool make(struct node_identity *id, const char *name, struct error *err)
{
    char text[2 * UID_TEXT_SIZE];

    if (!identity_generate(id->keys, id->kind, SIGNING_P256, id->ns, err))
        return false;
    snprintf(text, sizeof(text), "%s::%s", name, id->ns);
    if (!uid_parse(text, NULL, err)) {
        error_set(err, ERR_CONFIG, "use letters, digits, '-' and '_', at most 185",
                  "the node's name %s cannot be part of an identity", name);
        return false;
    }
    snprintf(id->uid, sizeof(id->uid), "%.*s", UID_TEXT_MAX, text);
    member_format(id->kind, id->uid, id->member);
    return identity_build(id->keys, id->ns, id->member, &id->txs, err);
}

/* Back to nothing but what it was opened with. */
static bool reset(struct node_identity *id, struct error *err)
{
    struct node_identity empty = {.kind = id->kind, .db = id->db, .wrap = id->wrap, .lg = id->lg};

    node_identity_close(id);
    *id = empty;
    return keyring_open(&id->keys, err);
}

bool node_identity_open(struct db *db, enum member_kind kind, const char *name,
                        const struct key_wrap *wrap, struct logger *lg, struct node_identity *out,
                        struct error *err)
{
    bool is_there = false, was_made = false;

    *out = (struct node_identity){.kind = kind, .db = db, .wrap = wrap, .lg = lg};
    if (!reset(out, err) || !load(out, &is_there, err))
        goto fail;
    if (!is_there) {
        if (!make(out, name, err))
            goto fail;
        was_made = db_txn(db, 0, store, out, err);
        /* A duplicate: another replica was faster. A lost answer: either may have happened. */
        if (!was_made && err->code != ERR_DUPLICATE && err->code != ERR_UNKNOWN_OUTCOME)
            goto fail;
        /* What counts is what the database has. */
        if (!reset(out, err) || !load(out, &is_there, err))
            goto fail;
        if (!is_there) {
            error_set(err, ERR_UNAVAILABLE, "start again", "the identity was not stored");
            goto fail;
        }
    }
    out->was_made = was_made;
    if (was_made)
        log_info(lg, "made the identity %s; its private keys lie %s in %s", out->member,
                 wrap->is_plaintext ? "unencrypted" : "encrypted", db_describe(db));
    return true;
fail:
    node_identity_close(out);
    return false;
}

void node_identity_close(struct node_identity *id)
{
    keyring_close(id->keys);
    signed_txs_free(&id->txs);
    memset(id, 0, sizeof(*id));
}

/* --- later ------------------------------------------------------------------------------------ */

bool node_identity_keys(struct node_identity *id, node_key_fn *fn, void *ctx, struct error *err)
{
    struct found f = {.id = id, .fn = fn, .ctx = ctx};

    return db_query(id->db, "key_list", NULL, 0, 0, on_key, &f, err);
}

bool node_identity_reload(struct node_identity *id, struct error *err)
{
    return node_identity_keys(id, NULL, NULL, err);
}

bool node_identity_generate(struct node_identity *id, int spec, unsigned usages, const char *name,
                            const struct private_key **out, struct error *err)
{
    struct private_key *k = NULL;
    struct new_key w = {.id = id, .name = name, .created_at = clock_now_us()};
    bool ok = private_key_generate(KEY_SIGNING, spec, usages, &k, err);

    w.key = k;
    ok = ok && db_txn(id->db, 0, insert_key, &w, err) && keyring_add_unused(id->keys, k, err);
    if (ok) {
        *out = k; /* the keyring's reference keeps it */
        log_info(id->lg, "drew the %s key %s", spec_text(KEY_SIGNING, spec), k->pub->fingerprint);
    }
    private_key_unref(k);
    return ok;
}

bool node_identity_authorized(struct node_identity *id, struct signed_txs *out, struct error *err)
{
    return db_query(id->db, "authorized_list", NULL, 0, 0, on_tx, out, err);
}

bool node_identity_authorize(struct node_identity *id, struct bytes tx, struct error *err)
{
    for (;;) {
        struct signed_txs have = {0};
        bool is_there = false;
        bool ok = node_identity_authorized(id, &have, err);
        int64_t seq = (int64_t)have.n + 1;

        for (size_t i = 0; ok && i < have.n; i++)
            is_there = is_there || bytes_equal(buffer_bytes(&have.at[i]), tx);
        signed_txs_free(&have);
        if (!ok || is_there)
            return ok;
        if (db_exec(id->db, "authorized_insert", (struct value[]){value_i64(seq), value_bytes(tx)},
                    2, 0, NULL, err))
            return true;
        /* Somebody stored another one there, or the answer was lost: look again. */
        if (err->code != ERR_DUPLICATE && err->code != ERR_UNKNOWN_OUTCOME)
            return false;
    }
}
