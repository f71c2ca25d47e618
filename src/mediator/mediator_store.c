/* mediator_store.c: see mediator_store.h. */
#include "mediator/mediator_store.h"

#include <stdlib.h>
#include <string.h>

#include "storage/db.h"

enum { PAGE_ROWS = 500, ROW_COLUMNS = 12, WRITE_ROWS = 256 };

static bool no_memory(struct error *err)
{
    return error_set(err, ERR_MEMORY, NULL, "no memory for rows of the mediator");
}

void mediator_row_free(struct mediator_row *r)
{
    buffer_free(&r->connections);
    buffer_free(&r->static_params);
}

struct read_ctx {
    struct mediator_row *out;
    bool found;
};

static bool read_row(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct read_ctx *r = ctx;

    (void)n;
    if (c[0].bytes.len >= sizeof(r->out->psid))
        return error_set(err, ERR_DATABASE, NULL, "ls_mediator holds a psid of %zu bytes",
                         c[0].bytes.len);
    memcpy(r->out->psid, value_cstr(&c[0]), c[0].bytes.len + 1);
    buffer_append_bytes(&r->out->connections, c[1].bytes);
    buffer_append_bytes(&r->out->static_params, c[2].bytes);
    r->found = true;
    return buffer_ok(&r->out->connections, err) && buffer_ok(&r->out->static_params, err);
}

bool mediator_store_read(struct db *db, struct mediator_row *out, bool *found, struct error *err)
{
    struct read_ctx r = {out, false};

    memset(out, 0, sizeof(*out));
    if (!db_query(db, "mediator_config", NULL, 0, 0, read_row, &r, err)) {
        mediator_row_free(out);
        return false;
    }
    *found = r.found;
    return true;
}

struct insert_ctx {
    const char *psid, *connections;
    int64_t now_us;
    struct bytes static_params;
};

static bool insert_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct insert_ctx *i = ctx;
    struct value v[] = {value_text(i->psid), value_text(i->connections), value_i64(i->now_us),
                        value_bytes(i->static_params)};

    return txn_exec(t, "mediator_config_insert", v, 4, NULL, err) &&
           txn_exec(t, "mediator_head_insert", NULL, 0, NULL, err);
}

bool mediator_store_insert(struct db *db, const char *psid, const char *connections, int64_t now_us,
                           struct bytes static_params, struct error *err)
{
    struct insert_ctx i = {psid, connections, now_us, static_params};

    return db_txn(db, 0, insert_txn, &i, err);
}

static bool read_head(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct mediator_head *h = ctx;

    (void)n;
    h->seen_ts = c[2].i64 ? c[3].i64 : INT64_MIN;
    if (c[0].i64 == 0)
        return true;
    h->position.is_set = true;
    h->position.ts = c[1].i64;
    return hash_parse(c[4].bytes, &h->position.hash, err);
}

bool head_store_read(struct db *db, struct mediator_head *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    out->seen_ts = INT64_MIN;
    return db_query(db, "mediator_head", NULL, 0, 0, read_head, out, err);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static bool join_participants(const struct decision *d, struct buffer *out)
{
    for (size_t i = 0; i < d->n_participants; i++) {
        if (i > 0)
            buffer_append_byte(out, '\n');
        buffer_append_str(out, d->participants[i]);
    }
    return buffer_cstr(out) != NULL;
}

static bool fill_row(const struct outbox_row *r, struct value v[ROW_COLUMNS], struct buffer *text)
{
    const struct decision *d = r->decision;

    for (int i = 0; i < ROW_COLUMNS; i++)
        v[i] = value_null();
    v[0] = value_i64(r->kind);
    v[1] = value_i64(r->request_id);
    v[2] = value_i64(r->part);
    v[3] = value_i64(r->state);
    if (r->kind == ROW_TOPOLOGY)
        v[11] = value_bytes(r->content);
    if (r->kind != ROW_VERDICT)
        return true;
    v[4] = value_i64(d->outcome);
    v[5] = value_i64(d->decided_ts);
    v[6] = value_i64(d->decision_ts);
    v[7] = value_i64(d->group);
    if (!join_participants(d, text))
        return false;
    v[9] = value_text(buffer_cstr(text));
    if (d->has_uuid) {
        v[8] = value_i64(d->uuid_expires_ts);
        v[10] = value_bytes(bytes_of(d->uuid, UUID_LEN));
    }
    v[11] = d->content.len ? value_bytes(buffer_bytes(&d->content)) : value_null();
    return true;
}

static bool write_some(struct db *db, const struct fence *f, const struct outbox_row *rows,
                       size_t n, const struct mediator_head *head, struct error *err)
{
    const struct core_position *p = &head->position;
    struct value params[] = {value_i64(f->epoch), p->is_set ? value_i64(p->ts) : value_null(),
                             head->seen_ts > INT64_MIN ? value_i64(head->seen_ts) : value_null(),
                             fence_holder(f),
                             p->is_set ? value_bytes(hash_as_bytes(&p->hash)) : value_null()};
    struct value *values;
    struct buffer *texts;
    bool ok = false;

    if (n == 0)
        return db_fenced(db, "mediator_move", params, 5, NULL, 0, 0, NULL, err);
    values = calloc(n * ROW_COLUMNS, sizeof(*values));
    texts = calloc(n, sizeof(*texts));
    for (size_t i = 0; values && texts && i < n; i++)
        if (!fill_row(&rows[i], &values[i * ROW_COLUMNS], &texts[i])) {
            no_memory(err);
            goto out;
        }
    if (values == NULL || texts == NULL)
        no_memory(err);
    else
        ok = db_fenced(db, "mediator_write", params, 5, values, n, 0, NULL, err);
out:
    for (size_t i = 0; texts && i < n; i++)
        buffer_free(&texts[i]);
    free(texts);
    free(values);
    return ok;
}

bool outbox_store_write(struct db *db, const struct fence *f, const struct outbox_row *rows,
                        size_t n, const struct mediator_head *head, struct error *err)
{
    struct mediator_head before;

    if (n <= WRITE_ROWS)
        return write_some(db, f, rows, n, head, err);
    if (!head_store_read(db, &before, err)) /* the head moves with the last rows, not before */
        return false;
    for (; n > WRITE_ROWS; rows += WRITE_ROWS, n -= WRITE_ROWS)
        if (!write_some(db, f, rows, WRITE_ROWS, &before, err))
            return false;
    return write_some(db, f, rows, n, head, err);
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* Reads all pages of a cursor into fn. */
static bool read_all(struct db *db, const char *stmt, const struct value *start, size_t nkeys,
                     const struct value *rest, size_t n, row_fn *fn, void *ctx, struct error *err)
{
    struct cursor *c = NULL;
    size_t rows = 1;
    bool ok = cursor_open(db, stmt, start, nkeys, rest, n, PAGE_ROWS, &c, err);

    while (ok && rows > 0)
        ok = cursor_next(c, 0, fn, ctx, &rows, err);
    cursor_close(c);
    return ok;
}

struct topology_ctx {
    bool (*fn)(void *ctx, int64_t ts, struct bytes content, struct error *err);
    void *ctx;
};

static bool topology_row(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct topology_ctx *t = ctx;

    (void)n;
    return t->fn(t->ctx, c[0].i64, c[2].bytes, err);
}

bool topology_store_each(struct db *db, int64_t upto_ts,
                         bool (*fn)(void *ctx, int64_t ts, struct bytes content, struct error *err),
                         void *ctx, struct error *err)
{
    struct topology_ctx t = {fn, ctx};
    struct value start[] = {value_i64(INT64_MIN), value_i64(-1)}, rest[] = {value_i64(upto_ts)};

    return read_all(db, "mediator_topology_page", start, 2, rest, 1, topology_row, &t, err);
}

struct uuid_ctx {
    bool (*fn)(void *ctx, const uint8_t uuid[UUID_LEN], int64_t expires_ts, struct error *err);
    void *ctx;
};

static bool uuid_row(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct uuid_ctx *u = ctx;

    (void)n;
    if (c[2].bytes.len != UUID_LEN)
        return error_set(err, ERR_DATABASE, NULL, "ls_verdict holds a uuid of %zu bytes",
                         c[2].bytes.len);
    return u->fn(u->ctx, c[2].bytes.data, c[0].i64, err);
}

bool uuid_store_each(struct db *db, int64_t from_ts, int64_t upto_ts,
                     bool (*fn)(void *ctx, const uint8_t uuid[UUID_LEN], int64_t expires_ts,
                                struct error *err),
                     void *ctx, struct error *err)
{
    struct uuid_ctx u = {fn, ctx};
    struct value start[] = {value_i64(from_ts - 1), value_i64(INT64_MAX)},
                 rest[] = {value_i64(upto_ts)};

    return read_all(db, "mediator_uuid_page", start, 2, rest, 1, uuid_row, &u, err);
}

struct verdict_ctx {
    bool (*fn)(void *ctx, enum verdict_state state, struct decision **d, struct error *err);
    void *ctx;
};

static bool split_participants(struct decision *d, const char *text)
{
    size_t n = *text ? 1 : 0;

    for (const char *p = text; *p; p++)
        n += *p == '\n';
    d->participants = calloc(n ? n : 1, sizeof(*d->participants));
    if (d->participants == NULL)
        return false;
    while (d->n_participants < n) {
        size_t len = strcspn(text, "\n");
        if ((d->participants[d->n_participants] = strndup(text, len)) == NULL)
            return false;
        d->n_participants++;
        text += len + (text[len] == '\n');
    }
    return true;
}

/* The columns of a verdict after its keys. */
static bool verdict_found(struct verdict_ctx *v, struct decision *from, const struct value *state,
                          const struct value *outcome, const struct value *rest, struct error *err)
{
    struct decision *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return no_memory(err);
    *d = *from;
    if (!split_participants(d, value_cstr(&rest[1]))) {
        decision_free(d);
        return no_memory(err);
    }
    d->outcome = (enum outcome)outcome->i64;
    d->group = (int32_t)rest[0].i64;
    d->is_sender = state->i64 != VERDICT_SILENT;
    buffer_append_bytes(&d->content, rest[2].bytes);
    bool ok = buffer_ok(&d->content, err) && v->fn(v->ctx, (enum verdict_state)state->i64, &d, err);
    decision_free(d);
    return ok;
}

static bool verdict_row(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct decision d = {.request_id = c[0].i64,
                         .part = (int32_t)c[1].i64,
                         .decided_ts = c[4].i64,
                         .decision_ts = c[5].i64};

    (void)n;
    return verdict_found(ctx, &d, &c[2], &c[3], &c[6], err);
}

static bool unsequenced_row(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct decision d = {.decision_ts = c[0].i64,
                         .request_id = c[1].i64,
                         .part = (int32_t)c[2].i64,
                         .decided_ts = c[5].i64};

    (void)n;
    return verdict_found(ctx, &d, &c[3], &c[4], &c[6], err);
}

bool verdict_store_each(struct db *db, const struct mediator_head *h,
                        bool (*fn)(void *ctx, enum verdict_state state, struct decision **d,
                                   struct error *err),
                        void *ctx, struct error *err)
{
    struct verdict_ctx v = {fn, ctx};
    int64_t position = h->position.is_set ? h->position.ts : TS_MIN;
    struct value after[] = {value_i64(position), value_i64(INT32_MAX)};
    struct value start[] = {value_i64(h->seen_ts == INT64_MIN ? TS_MIN : h->seen_ts - 1),
                            value_i64(INT64_MAX), value_i64(INT32_MAX)};
    struct value upto[] = {value_i64(position)};

    return read_all(db, "mediator_unsequenced_page", start, 3, upto, 1, unsequenced_row, &v, err) &&
           read_all(db, "mediator_verdict_page", after, 2, NULL, 0, verdict_row, &v, err);
}
