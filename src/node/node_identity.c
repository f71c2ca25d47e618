#include "node/node_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "crypto/key_wrap.h"
#include "storage/db.h"

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
    const struct key_wrap *wrap;
    bool is_there, has_other_form; /* a key that wrap would store differently */
    char kind[32];
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

/* The key of one row: PKCS#8, as wrap gives it back. */
static bool add_key(struct found *f, enum key_kind kind, int spec, const struct value *cols,
                    struct error *err)
{
    struct buffer der = BUFFER_INIT;
    struct private_key *k = NULL;
    bool is_current = true;
    bool ok =
        key_wrap_open(f->wrap, value_cstr(&cols[0]), cols[4].bytes, &der, &is_current, err) &&
        private_key_from_pkcs8(kind, spec, (unsigned)cols[2].i64, buffer_bytes(&der), &k, err) &&
        keyring_add(f->id->keys, k, err);

    f->has_other_form = f->has_other_form || !is_current;
    private_key_unref(k);
    buffer_wipe(&der);
    return ok || error_add(err, "the key %.12s in ls_key", value_cstr(&cols[0]));
}

static bool on_key(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    enum key_kind kind =
        strcmp(value_cstr(&cols[1]), "encryption") == 0 ? KEY_ENCRYPTION : KEY_SIGNING;

    (void)n;
    for (size_t i = 0; i < N_SPECS; i++)
        if (specs[i].kind == kind && strcmp(specs[i].text, value_cstr(&cols[3])) == 0)
            return add_key(ctx, kind, specs[i].spec, cols, err);
    return error_set(err, ERR_UNSUPPORTED, "start the release that made it",
                     "ls_key holds a %s key of the unknown kind %s", purpose_text(kind),
                     value_cstr(&cols[3]));
}

static bool on_tx(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct node_identity *id = ctx;

    (void)n;
    return signed_txs_add(&id->txs, cols[0].bytes, err);
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
static bool rewrap(struct db *db, const struct found *f, struct logger *lg, struct error *err)
{
    for (size_t i = 0; i < keyring_count(f->id->keys); i++) {
        const struct private_key *k = keyring_at(f->id->keys, i);
        struct buffer form = BUFFER_INIT;
        bool ok = stored_form(k, f->wrap, &form, err) &&
                  db_exec(db, "key_rewrap",
                          (struct value[]){value_bytes(buffer_bytes(&form)),
                                           value_text(k->pub->fingerprint)},
                          2, 0, NULL, err);

        buffer_wipe(&form);
        if (!ok)
            return error_add(err, "storing the key %.12s anew", k->pub->fingerprint);
    }
    log_info(lg, "stored the private keys anew, %s",
             f->wrap->is_plaintext ? "unencrypted" : "encrypted under keys.encryption-key");
    return true;
}

static bool load(struct db *db, const struct key_wrap *wrap, struct logger *lg,
                 struct node_identity *id, bool *is_there, struct error *err)
{
    struct found f = {.id = id, .wrap = wrap};
    struct uid uid;

    *is_there = false;
    if (!db_query(db, "identity_read", NULL, 0, 0, on_identity, &f, err))
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
    if (!db_query(db, "key_list", NULL, 0, 0, on_key, &f, err) ||
        !db_query(db, "authorized_list", NULL, 0, 0, on_tx, id, err))
        return false;
    if (keyring_find(id->keys, id->ns) == NULL || id->txs.n == 0)
        return error_set(err, ERR_DATABASE, "restore the database from its backup",
                         "the keys or the topology transactions of %s are missing", id->uid);
    *is_there = true;
    return !f.has_other_form || rewrap(db, &f, lg, err);
}

/* --- making ----------------------------------------------------------------------------------- */

struct made {
    const struct node_identity *id;
    const struct key_wrap *wrap;
};

static bool insert_key(struct txn *t, const struct private_key *k, const struct key_wrap *wrap,
                       int64_t created_at, struct error *err)
{
    struct buffer form = BUFFER_INIT;
    const struct public_key *p = k->pub;
    bool ok =
        stored_form(k, wrap, &form, err) &&
        txn_exec(t, "key_insert",
                 (struct value[]){value_text(p->fingerprint), value_text(purpose_text(p->kind)),
                                  value_i64(p->usages), value_text(spec_text(p->kind, p->spec)),
                                  value_i64(created_at), value_bytes(p->spki),
                                  value_bytes(buffer_bytes(&form))},
                 7, NULL, err);

    buffer_wipe(&form);
    return ok;
}

/* All of it or nothing: a replica that sees the identity row sees keys and transactions too. */
static bool store(struct txn *t, void *ctx, struct error *err)
{
    const struct made *m = ctx;
    const struct node_identity *id = m->id;
    int64_t now = clock_now_us();

    if (!txn_exec(t, "identity_insert",
                  (struct value[]){value_text(kind_texts[id->kind]), value_text(id->uid)}, 2, NULL,
                  err))
        return false;
    for (size_t i = 0; i < keyring_count(id->keys); i++)
        if (!insert_key(t, keyring_at(id->keys, i), m->wrap, now + (int64_t)i, err))
            return false;
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
    char member[MEMBER_TEXT_SIZE];

    if (!identity_generate(id->keys, id->kind, SIGNING_P256, id->ns, err))
        return false;
    snprintf(text, sizeof(text), "%s::%s", name, id->ns);
    if (!uid_parse(text, NULL, err)) {
        error_set(err, ERR_CONFIG, "use letters, digits, '-' and '_', at most 185",
                  "the node's name %s cannot be part of an identity", name);
        return false;
    }
    snprintf(id->uid, sizeof(id->uid), "%.*s", UID_TEXT_MAX, text);
    member_format(id->kind, id->uid, member);
    return identity_build(id->keys, id->ns, member, &id->txs, err);
}

static bool reset(struct node_identity *id, struct error *err)
{
    enum member_kind kind = id->kind;

    node_identity_close(id);
    id->kind = kind;
    return keyring_open(&id->keys, err);
}

bool node_identity_open(struct db *db, enum member_kind kind, const char *name,
                        const struct key_wrap *wrap, struct logger *lg, struct node_identity *out,
                        struct error *err)
{
    struct made m = {.id = out, .wrap = wrap};
    bool is_there = false, was_made = false;

    memset(out, 0, sizeof(*out));
    out->kind = kind;
    if (!reset(out, err) || !load(db, wrap, lg, out, &is_there, err))
        goto fail;
    if (!is_there) {
        if (!make(out, name, err))
            goto fail;
        was_made = db_txn(db, 0, store, &m, err);
        /* A duplicate: another replica was faster. A lost answer: either may have happened. */
        if (!was_made && err->code != ERR_DUPLICATE && err->code != ERR_UNKNOWN_OUTCOME)
            goto fail;
        /* What counts is what the database has. */
        if (!reset(out, err) || !load(db, wrap, lg, out, &is_there, err))
            goto fail;
        if (!is_there) {
            error_set(err, ERR_UNAVAILABLE, "start again", "the identity was not stored");
            goto fail;
        }
    }
    out->was_made = was_made;
    member_format(kind, out->uid, out->member);
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
