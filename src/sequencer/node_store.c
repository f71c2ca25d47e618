/* node_store.c: the leases of node indexes. Each function is one statement. */
#include "sequencer/node_store.h"

#include <string.h>

#include "base/random.h"

#define TIMEOUT_US 5000000
#define READ_US    2000000 /* of few rows: a connection that hangs is given up sooner */

struct nodes_read {
    struct watermark *out;
    size_t n, max;
    int64_t version;
};

static bool on_node(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct nodes_read *r = ctx;

    if (n != 6 || c[5].bytes.len != HOLDER_LEN)
        return error_set(err, ERR_SCHEMA, NULL, "a row of ls_node has another form");
    if (r->n == r->max)
        return error_set(err, ERR_LIMIT, NULL, "more than %zu rows in ls_node", r->max);
    struct watermark *w = &r->out[r->n++];
    w->node_index = (int32_t)c[0].i64;
    w->is_online = c[1].i64 != 0;
    w->epoch = c[2].i64;
    w->ts = c[3].i64;
    r->version = c[4].i64;
    memcpy(w->holder, c[5].bytes.data, HOLDER_LEN);
    return true;
}

bool node_store_read(struct db *db, struct watermark *out, size_t max, size_t *n,
                     int64_t *members_version, struct error *err)
{
    struct nodes_read r = {out, 0, max, *members_version};

    if (!db_query(db, "sequencer_nodes", NULL, 0, READ_US, on_node, &r, err))
        return false;
    *n = r.n;
    *members_version = r.version;
    return true;
}

static bool one_row_within(struct db *db, const char *stmt, const struct value *params, size_t n,
                           int64_t timeout_us, struct error *err)
{
    int64_t rows = 0;

    if (!db_exec(db, stmt, params, n, timeout_us, &rows, err))
        return false;
    return rows == 1 || error_set(err, ERR_FENCED, NULL, "the node index is not ours (any more)");
}

/* A statement that changes one row, or none: then somebody else has the node. */
static bool one_row(struct db *db, const char *stmt, const struct value *params, size_t n,
                    struct error *err)
{
    return one_row_within(db, stmt, params, n, TIMEOUT_US, err);
}

static struct value holder_value(const uint8_t holder[HOLDER_LEN])
{
    return value_bytes(bytes_of(holder, HOLDER_LEN));
}

bool node_store_claim(struct db *db, int node_index, const struct watermark *seen, int64_t start_ts,
                      struct node_claim *out, struct error *err)
{
    struct node_claim c = {.node_index = node_index};
    bool ok;

    random_bytes(c.fence.holder, HOLDER_LEN);
    c.fence.epoch = seen ? seen->epoch + 1 : 1;
    struct value params[] = {value_i64(node_index), value_i64(seen ? seen->epoch : start_ts),
                             holder_value(c.fence.holder)};
    ok = one_row(db, seen ? "sequencer_node_claim" : "sequencer_node_insert", params, 3, err);
    if (!ok && err->code == ERR_DUPLICATE)
        return error_set(err, ERR_FENCED, NULL, "node index %d was just taken", node_index);
    if (ok)
        *out = c;
    return ok;
}

bool node_store_own(struct db *db, const struct node_claim *c, int64_t *watermark,
                    struct error *err)
{
    struct watermark w[SEQUENCER_NODES_MAX];
    int64_t version = 0;
    size_t n;

    if (!node_store_read(db, w, SEQUENCER_NODES_MAX, &n, &version, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (w[i].node_index == c->node_index && w[i].is_online && w[i].epoch == c->fence.epoch &&
            memcmp(w[i].holder, c->fence.holder, HOLDER_LEN) == 0) {
            *watermark = w[i].ts;
            return true;
        }
    }
    return error_set(err, ERR_FENCED, NULL, "node index %d was taken away", c->node_index);
}

bool node_store_start(struct db *db, struct node_claim *c, int64_t start_ts, int64_t *start,
                      struct error *err)
{
    struct value params[] = {value_i64(c->node_index), value_i64(c->fence.epoch),
                             value_i64(start_ts), fence_holder(&c->fence)};

    if (!one_row(db, "sequencer_node_start", params, 4, err) || !node_store_own(db, c, start, err))
        return false;
    c->watermark = *start;
    return true;
}

bool node_store_settle(struct db *db, struct node_claim *c, struct error *err)
{
    uint8_t fresh[HOLDER_LEN];
    struct value params[] = {value_i64(c->node_index), value_i64(c->fence.epoch),
                             fence_holder(&c->fence), holder_value(fresh)};

    random_bytes(fresh, sizeof fresh);
    if (!one_row(db, "sequencer_node_settle", params, 4, err))
        return false;
    c->fence.epoch++;
    memcpy(c->fence.holder, fresh, HOLDER_LEN);
    return true;
}

bool node_store_reap(struct db *db, const struct watermark *seen, int64_t expiry_us, bool *done,
                     struct error *err)
{
    uint8_t fresh[HOLDER_LEN];
    struct value params[] = {value_i64(seen->node_index), value_i64(seen->epoch),
                             value_i64(seen->ts), holder_value(seen->holder), holder_value(fresh)};

    random_bytes(fresh, sizeof fresh);
    *done = one_row_within(db, "sequencer_node_reap", params, 5, expiry_us / 2, err);
    if (*done || err->code == ERR_FENCED)
        return true;
    /* A stopped peer may have its row locked: its session ends, so that the next try goes through.
     */
    struct error ignored;
    if ((err->code == ERR_RETRY || err->code == ERR_TIMEOUT) &&
        !db_unblock(db, "ls_node", expiry_us / 2, NULL, &ignored))
        (void)error_add(err, "and its session cannot be ended: %s", ignored.cause);
    return false;
}

bool node_store_leave(struct db *db, const struct node_claim *c, int64_t applied_ts,
                      const uint8_t digest[32], struct error *err)
{
    struct value params[] = {value_i64(c->node_index), value_i64(c->fence.epoch),
                             value_i64(applied_ts), fence_holder(&c->fence),
                             value_bytes(bytes_of(digest, 32))};

    return one_row(db, "sequencer_node_leave", params, 5, err);
}

bool node_store_beat(struct db *db, struct node_claim *c, int64_t watermark, int64_t skew_us,
                     int64_t applied_ts, const uint8_t digest[32], struct error *err)
{
    struct value params[] = {value_i64(c->node_index), value_i64(c->fence.epoch),
                             value_i64(c->watermark),  value_i64(watermark),
                             value_i64(skew_us),       value_i64(applied_ts),
                             fence_holder(&c->fence),  value_bytes(bytes_of(digest, 32))};

    if (!one_row(db, "sequencer_beat", params, 8, err))
        return false;
    c->watermark = watermark;
    return true;
}
