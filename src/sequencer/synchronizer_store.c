/* synchronizer_store.c: which synchronizer this is, written once. */
#include "sequencer/synchronizer_store.h"

#include <stdlib.h>
#include <string.h>

#include "sequencer/entry.h"
#include "storage/db.h"

#define TIMEOUT_US 10000000

void synchronizer_free(struct synchronizer *s)
{
    free(s->psid);
    free(s->sequencer_uid);
    buffer_free(&s->static_params);
    buffer_free(&s->genesis);
    memset(s, 0, sizeof *s);
}

struct reading {
    struct synchronizer *out;
    bool found;
};

static bool on_row(void *ctx, const struct value *c, size_t n, struct error *err)
{
    struct reading *r = ctx;
    struct synchronizer *s = r->out;

    if (n != 7 || c[4].bytes.len != TOKEN_KEY_LEN)
        return error_set(err, ERR_SCHEMA, NULL, "the row of ls_synchronizer has another form");
    s->psid = strdup(value_cstr(&c[0]));
    s->sequencer_uid = strdup(value_cstr(&c[1]));
    s->total_node_count = (int)c[2].i64;
    s->start_ts = c[3].i64;
    memcpy(s->token_key, c[4].bytes.data, TOKEN_KEY_LEN);
    buffer_append_bytes(&s->static_params, c[5].bytes);
    buffer_append_bytes(&s->genesis, c[6].bytes);
    r->found = true;
    if (!s->psid || !s->sequencer_uid)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the synchronizer");
    return buffer_ok(&s->static_params, err) && buffer_ok(&s->genesis, err);
}

bool synchronizer_store_read(struct db *db, struct synchronizer *out, bool *found,
                             struct error *err)
{
    struct reading r = {out, false};

    memset(out, 0, sizeof *out);
    if (!db_query(db, "sequencer_synchronizer", NULL, 0, TIMEOUT_US, on_row, &r, err)) {
        synchronizer_free(out);
        return false;
    }
    *found = r.found;
    return true;
}

static bool write_rows(struct txn *t, void *ctx, struct error *err)
{
    const struct synchronizer *s = ctx;
    struct value row[] = {value_text(s->psid),
                          value_text(s->sequencer_uid),
                          value_i64(s->total_node_count),
                          value_i64(s->start_ts),
                          value_bytes(bytes_of(s->token_key, TOKEN_KEY_LEN)),
                          value_bytes(buffer_bytes(&s->static_params)),
                          value_bytes(buffer_bytes(&s->genesis))};
    struct buffer body = BUFFER_INIT, payload = BUFFER_INIT;
    struct entry_parts parts = {0};
    bool ok;

    entry_rule_version_body(RULE_VERSION, &body);
    parts.body = buffer_bytes(&body);
    entry_build(&parts, &payload);
    struct value first[] = {value_i64(s->start_ts), value_i64(0), value_i64(ENTRY_RULE_VERSION),
                            value_bytes(buffer_bytes(&payload))};
    ok = buffer_ok(&body, err) && buffer_ok(&payload, err) &&
         txn_exec(t, "sequencer_synchronizer_insert", row, 7, NULL, err) &&
         txn_exec(t, "sequencer_log_insert", first, 4, NULL, err);
    buffer_free(&body);
    buffer_free(&payload);
    return ok;
}

bool synchronizer_store_write(struct db *db, const struct synchronizer *s, struct error *err)
{
    return db_txn(db, TIMEOUT_US, write_rows, (void *)(uintptr_t)s, err);
}
