/* member_store.c: members, acknowledgements and challenges. */
#include "sequencer/member_store.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/random.h"
#include "base/thread.h"
#include "storage/db.h"

#define TIMEOUT_US 5000000

struct known {
    char *member;
    struct member_info info;
    UT_hash_handle hh;
};

struct members {
    struct db *db;
    struct mutex lock;
    struct known *by_text GUARDED_BY(lock);
};

bool members_open(struct db *db, struct members **out, struct error *err)
{
    struct members *m = calloc(1, sizeof *m);

    if (!m)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the members");
    m->db = db;
    mutex_init(&m->lock);
    *out = m;
    return true;
}

void members_close(struct members *m)
{
    struct known *k, *next;

    if (!m)
        return;
    HASH_ITER(hh, m->by_text, k, next)
    {
        HASH_DEL(m->by_text, k);
        free(k->member);
        free(k);
    }
    mutex_destroy(&m->lock);
    free(m);
}

static bool remember(struct members *m, const char *member, const struct member_info *info,
                     struct error *err)
{
    struct known *k;
    bool ok = true;

    mutex_lock(&m->lock);
    HASH_FIND_STR(m->by_text, member, k);
    if (!k) {
        k = calloc(1, sizeof *k);
        if (k)
            k->member = strdup(member);
        ok = k && k->member;
        if (ok)
            HASH_ADD_KEYPTR(hh, m->by_text, k->member, strlen(k->member), k);
        else
            free(k);
    }
    /* Epochs only rise: what was read before a revocation may come after it. */
    if (ok && info->revocation_epoch >= k->info.revocation_epoch)
        k->info = *info;
    mutex_unlock(&m->lock);
    return ok || error_set(err, ERR_MEMORY, NULL, "no memory for a member");
}

static bool on_member(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct member_info info = {
        .member_id = c[0].i64, .is_enabled = c[2].i64 != 0, .revocation_epoch = c[3].i64};

    (void)n;
    return remember(ctx, value_cstr(&c[1]), &info, err);
}

bool members_reload(struct members *m, struct error *err)
{
    return db_query(m->db, "sequencer_members", NULL, 0, TIMEOUT_US, on_member, m, err);
}

bool members_peek(struct members *m, const char *member, struct member_info *out)
{
    struct known *k;

    mutex_lock(&m->lock);
    HASH_FIND_STR(m->by_text, member, k);
    if (k)
        *out = k->info;
    mutex_unlock(&m->lock);
    return k != NULL;
}

static bool on_one(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct member_info *out = ctx;

    (void)n;
    (void)err;
    out->member_id = c[0].i64;
    out->is_enabled = c[1].i64 != 0;
    out->revocation_epoch = c[2].i64;
    return true;
}

bool members_get(struct members *m, const char *member, struct member_info *out, struct error *err)
{
    return members_peek(m, member, out) || members_read(m, member, out, err);
}

bool members_read(struct members *m, const char *member, struct member_info *out, struct error *err)
{
    struct value params[] = {value_text(member)};

    for (int i = 0; i < 20; i++) { /* a duplicate number: another member was faster */
        memset(out, 0, sizeof *out);
        if (!db_query(m->db, "sequencer_member", params, 1, TIMEOUT_US, on_one, out, err))
            return false;
        if (out->member_id != 0)
            return remember(m, member, out, err);
        if (!db_exec(m->db, "sequencer_member_insert", params, 1, TIMEOUT_US, NULL, err) &&
            err->code != ERR_DUPLICATE && err->code != ERR_UNKNOWN_OUTCOME)
            return false;
    }
    return error_set(err, ERR_UNAVAILABLE, "try again", "no number for member %s", member);
}

static bool revoke(struct txn *t, void *ctx, struct error *err)
{
    struct value params[] = {value_i64(((const struct member_info *)ctx)->member_id)};

    return txn_exec(t, "sequencer_member_revoke", params, 1, NULL, err) &&
           txn_exec(t, "sequencer_members_changed", NULL, 0, NULL, err);
}

bool members_revoke(struct members *m, const char *member, struct error *err)
{
    struct member_info info;

    if (!members_get(m, member, &info, err))
        return false;
    /* After a lost answer a second revocation does no harm. */
    return db_txn(m->db, TIMEOUT_US, revoke, &info, err) && members_reload(m, err);
}

bool ack_store_write(struct db *db, int64_t member_id, int64_t ts, struct error *err)
{
    struct value params[] = {value_i64(member_id), value_i64(ts)};

    return db_exec(db, "sequencer_ack", params, 2, TIMEOUT_US, NULL, err);
}

struct nonce_read {
    int64_t expires_at;
    uint8_t nonce[NONCE_LEN];
    bool found;
};

static bool on_nonce(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct nonce_read *r = ctx;

    if (n != 2 || c[1].bytes.len != NONCE_LEN)
        return error_set(err, ERR_SCHEMA, NULL, "a row of ls_nonce has another form");
    r->expires_at = c[0].i64;
    memcpy(r->nonce, c[1].bytes.data, NONCE_LEN);
    r->found = true;
    return true;
}

static bool read_nonce(struct db *db, const char *member, struct nonce_read *out, struct error *err)
{
    struct value params[] = {value_text(member)};

    memset(out, 0, sizeof *out);
    return db_query(db, "sequencer_nonce", params, 1, TIMEOUT_US, on_nonce, out, err);
}

bool nonce_store_offer(struct db *db, const char *member, int64_t now_us, int64_t life_us,
                       uint8_t nonce[NONCE_LEN], struct error *err)
{
    uint8_t fresh[NONCE_LEN];
    struct value params[] = {value_text(member), value_i64(now_us + life_us), value_i64(now_us),
                             value_bytes(bytes_of(fresh, NONCE_LEN))};
    struct nonce_read r;

    for (int i = 0; i < 5; i++) { /* the one that waits may be taken between the two */
        random_bytes(fresh, sizeof fresh);
        if (!db_exec(db, "sequencer_nonce_offer", params, 4, TIMEOUT_US, NULL, err) ||
            !read_nonce(db, member, &r, err))
            return false;
        if (r.found) {
            memcpy(nonce, r.nonce, NONCE_LEN);
            return true;
        }
    }
    return error_set(err, ERR_UNAVAILABLE, "try again", "challenges of %s are used at once",
                     member);
}

bool nonce_store_check(struct db *db, const char *member, int64_t now_us, struct bytes nonce,
                       bool *is_good, struct error *err)
{
    struct nonce_read r;

    if (!read_nonce(db, member, &r, err))
        return false;
    *is_good = r.found && r.expires_at > now_us && bytes_equal(nonce, bytes_of(r.nonce, NONCE_LEN));
    return true;
}

bool nonce_store_take(struct db *db, const char *member, int64_t now_us, struct bytes nonce,
                      bool *won, struct error *err)
{
    struct value params[] = {value_text(member), value_i64(now_us), value_bytes(nonce)};
    int64_t rows = 0;

    if (!db_exec(db, "sequencer_nonce_take", params, 3, TIMEOUT_US, &rows, err))
        return false;
    *won = rows == 1;
    return true;
}
