/* log_store.c: the ordered log's rows, in and out (node_store.h). */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node_store.h"

#define TIMEOUT_US 5000000

bool log_store_append(struct db *db, struct node_claim *c, const struct log_row *rows, size_t n,
                      int64_t skew_us, struct error *err)
{
    struct value *v = calloc(n * 5, sizeof *v);

    if (!v)
        return error_set(err, ERR_MEMORY, NULL, "no memory for %zu log rows", n);
    struct value params[] = {value_i64(c->node_index), value_i64(c->fence.epoch),
                             value_i64(c->watermark),  value_i64(rows[n - 1].ts),
                             value_i64(skew_us),       fence_holder(&c->fence)};
    for (size_t i = 0; i < n; i++) {
        v[i * 5] = value_i64(rows[i].ts);
        v[i * 5 + 1] = value_i64(c->node_index);
        v[i * 5 + 2] = value_i64(rows[i].kind);
        v[i * 5 + 3] = rows[i].sender_id ? value_i64(rows[i].sender_id) : value_null();
        v[i * 5 + 4] = value_bytes(rows[i].payload);
    }
    bool ok = db_fenced(db, "sequencer_append", params, 6, v, n, TIMEOUT_US, NULL, err);
    free(v);
    if (ok)
        c->watermark = rows[n - 1].ts;
    return ok;
}

void log_page_free(struct log_page *p)
{
    for (size_t i = 0; i < p->n; i++)
        free((void *)(uintptr_t)p->at[i].payload.data);
    free(p->at);
    memset(p, 0, sizeof *p);
}

static bool page_add(struct log_page *p, const struct value *c, size_t n, struct error *err)
{
    if (n != 4)
        return error_set(err, ERR_SCHEMA, NULL, "a row of ls_log has another form");
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        struct entry *grown = realloc(p->at, cap * sizeof *grown);

        if (!grown)
            return error_set(err, ERR_MEMORY, NULL, "no memory for %zu log rows", cap);
        p->at = grown;
        p->cap = cap;
    }
    uint8_t *copy = bytes_dup(c[3].bytes);
    if (!copy)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a log row");
    p->at[p->n++] = (struct entry){.ts = c[0].i64,
                                   .node_index = (int)c[1].i64,
                                   .kind = (enum entry_kind)c[2].i64,
                                   .payload = bytes_of(copy, c[3].bytes.len)};
    p->bytes += c[3].bytes.len;
    return true;
}

struct page_read {
    struct log_page *page;
    size_t max_bytes;
};

/* Ends the query when the page is full; the caller sees that from is_cut. */
static bool on_row(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct page_read *r = ctx;

    if (r->page->n > 0 && r->page->bytes >= r->max_bytes) {
        r->page->is_cut = true;
        return error_set(err, ERR_LIMIT, NULL, "page is full");
    }
    return page_add(r->page, c, n, err);
}

bool log_store_read(struct db *db, int64_t after, int64_t upto, int own_index, int64_t own_from,
                    int64_t own_until, size_t max_rows, size_t max_bytes, struct log_page *out,
                    struct error *err)
{
    struct page_read r = {out, max_bytes};
    struct value params[] = {value_i64(after),     value_i64(upto),
                             value_i64(own_index), value_i64(own_from),
                             value_i64(own_until), value_i64((int64_t)max_rows)};

    if (!db_query(db, "sequencer_log_page", params, 6, TIMEOUT_US, on_row, &r, err) &&
        !out->is_cut) {
        log_page_free(out);
        return false;
    }
    out->is_cut = out->is_cut || out->n == max_rows;
    return true;
}

static bool on_one(void *ctx, const struct value *c, size_t n, struct error *err)
{
    return page_add(ctx, c, n, err);
}

bool log_store_row(struct db *db, int64_t ts, struct log_page *out, struct error *err)
{
    struct value params[] = {value_i64(ts)};
    size_t before = out->n;

    if (!db_query(db, "sequencer_log_row", params, 1, TIMEOUT_US, on_one, out, err))
        return false;
    return out->n > before ||
           error_set(err, ERR_NOT_FOUND, NULL, "log row %lld is gone", (long long)ts);
}
