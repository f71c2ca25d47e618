/* participant_store.c: rows. sql/statements/participant.sql. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "participant/participant_impl.h"

#define TIMEOUT_US (10 * US_PER_S)
#define START_ROW  TS_MIN /* ls_part_topology.event_ts of the topology it started from */

static void text_of(const struct value *v, char *out, size_t size)
{
    snprintf(out, size, "%s", value_cstr(v));
}

static bool bytes_into(const struct value *v, struct buffer *b, struct error *err)
{
    buffer_append_bytes(b, v->bytes);
    return buffer_ok(b, err);
}

struct position_row {
    struct participant *p;
    struct position at;
    bool found;
};

static bool position_row(void *ctx, const struct value *v, size_t n, struct error *err)
{
    struct position_row *r = ctx;

    (void)n;
    r->found = true;
    text_of(&v[0], r->p->psid, sizeof(r->p->psid));
    member_format(MEMBER_SEQUENCER, value_cstr(&v[1]), r->p->sequencer);
    r->at = (struct position){.has_event = v[2].kind != VALUE_NULL,
                              .event_ts = v[2].i64,
                              .outcome_id = v[3].i64,
                              .commit_no = v[4].i64};
    return !r->at.has_event || hash_parse(v[5].bytes, &r->at.hash, err);
}

/* A claim whose answer was lost is made again: two do no harm. */
static bool claim(struct participant *p, struct error *err)
{
    for (int i = 0; i < 5; i++) {
        if (db_exec(p->db, "part_position_claim", NULL, 0, TIMEOUT_US, NULL, err))
            return true;
        if (err->code != ERR_UNKNOWN_OUTCOME)
            break;
    }
    return false;
}

bool store_claim_position(struct participant *p, bool *found, struct error *err)
{
    struct position_row r = {.p = p};

    if (!claim(p, err) ||
        !db_query(p->db, "part_position_read", NULL, 0, TIMEOUT_US, position_row, &r, err))
        return false;
    *found = r.found;
    p->committed = r.at;
    p->next_outcome_id = r.at.outcome_id + 1;
    p->last_event_ts = r.at.has_event ? r.at.event_ts : INT64_MIN;
    return true;
}

static bool command_row(void *ctx, const struct value *v, size_t n, struct error *err)
{
    struct participant *p = ctx;
    struct command *c = calloc(1, sizeof(*c));

    (void)n;
    if (!c)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    text_of(&v[0], c->id, sizeof(c->id));
    text_of(&v[1], c->message_id, sizeof(c->message_id));
    c->state = (enum command_state)v[2].i64;
    c->was_loaded = true;
    c->max_ts = v[3].i64;
    c->request_ts = v[4].i64;
    bool ok = bytes_into(&v[5], &c->body, err) && bytes_into(&v[6], &c->request, err);
    if (ok) {
        mutex_lock(&p->m);
        ok = command_add(p, c, err);
        mutex_unlock(&p->m);
    }
    if (!ok)
        command_free(c);
    return ok;
}

/* The stored position is our own form (merkle.h), not the wire's. */
static bool request_row(void *ctx, const struct value *v, size_t n, struct error *err)
{
    struct participant *p = ctx;
    struct pending *r = calloc(1, sizeof(*r));
    Part__OutcomesResponse *m;

    (void)n;
    if (!r)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a request");
    r->ts = v[0].i64;
    r->respond_by = v[1].i64;
    r->decide_by = v[2].i64;
    r->group = (int32_t)v[3].i64;
    r->is_waiting = v[4].i64 == 1;
    text_of(&v[5], r->command_id, sizeof(r->command_id));
    r->has_position = v[6].kind != VALUE_NULL && v[6].bytes.len;
    if (r->has_position) {
        r->position.key = bytes_dup(v[6].bytes);
        r->position.len = v[6].bytes.len;
    }
    bool ok = (!r->has_position || r->position.key) ||
              error_set(err, ERR_MEMORY, NULL, "no memory for a request");
    m = ok && bytes_into(&v[7], &r->body, err)
            ? part__outcomes_response__unpack(NULL, r->body.len, r->body.data)
            : NULL;
    ok = m && hash_parse(bytes_of(m->root_hash.data, m->root_hash.len), &r->root, err);
    if (m)
        part__outcomes_response__free_unpacked(m, NULL);
    if (!ok) {
        pending_free(r);
        return error_set(err, ERR_SCHEMA, NULL, "a row of ls_part_request cannot be read");
    }
    mutex_lock(&p->m);
    HASH_ADD(hh, p->pending, ts, sizeof(r->ts), r);
    if (r->decide_by < p->earliest_due)
        p->earliest_due = r->decide_by;
    mutex_unlock(&p->m);
    return true;
}

bool store_load(struct participant *p, struct error *err)
{
    return db_query(p->db, "part_command_open", NULL, 0, TIMEOUT_US, command_row, p, err) &&
           db_query(p->db, "part_request_list", NULL, 0, TIMEOUT_US, request_row, p, err);
}

/* --- topology --- */

struct topology_rows {
    struct participant *p;
    const struct static_parameters *s;
    struct topology *t;
};

/* A broadcast is stored as (varint length, transaction) each. */
static bool split_broadcast(struct bytes b, struct bytes *out, size_t max, size_t *n)
{
    size_t at = 0;

    for (*n = 0; at < b.len; (*n)++) {
        uint64_t len = 0;
        int shift = 0;
        do {
            if (at >= b.len || shift > 28)
                return false;
            len |= (uint64_t)(b.data[at] & 0x7f) << shift;
            shift += 7;
        } while (b.data[at++] & 0x80);
        if (*n >= max || len > b.len - at)
            return false;
        out[*n] = bytes_of(b.data + at, (size_t)len);
        at += (size_t)len;
    }
    return true;
}

static bool load_start(struct topology_rows *r, struct bytes file, struct error *err)
{
    struct topology_items items = {0};
    bool ok = topology_items_from_file(file, &items, err) &&
              topology_open(r->p->psid, r->s, &r->t, err) && topology_load(r->t, &items, err);

    topology_items_free(&items);
    return ok;
}

static bool topology_row(void *ctx, const struct value *v, size_t n, struct error *err)
{
    struct topology_rows *r = ctx;
    struct bytes *txs;
    size_t n_txs;

    (void)n;
    if (v[0].i64 == START_ROW)
        return load_start(r, v[1].bytes, err);
    txs = calloc(TOPOLOGY_BROADCAST_MAX, sizeof(*txs));
    bool ok = txs && r->t && split_broadcast(v[1].bytes, txs, TOPOLOGY_BROADCAST_MAX, &n_txs);
    if (ok)
        ok = topology_apply(r->t, v[0].i64, txs, n_txs, NULL, err);
    else
        error_set(err, ERR_SCHEMA, NULL, "a row of ls_part_topology cannot be read");
    free(txs);
    return ok;
}

bool store_load_topology(struct participant *p, const struct static_parameters *s, bool *found,
                         struct error *err)
{
    struct topology_rows r = {.p = p, .s = s};
    struct value start = value_i64(INT64_MIN);
    struct cursor *c = NULL;
    size_t rows = 1;
    bool ok = cursor_open(p->db, "part_topology_list", &start, 1, NULL, 0, 100, &c, err);

    while (ok && rows)
        ok = cursor_next(c, TIMEOUT_US, topology_row, &r, &rows, err);
    cursor_close(c);
    if (!ok) {
        topology_close(r.t);
        return false;
    }
    *found = r.t;
    if (r.t && p->committed.has_event)
        topology_observe(r.t, p->committed.event_ts);
    p->topology = r.t;
    return true;
}

struct begin_args {
    const char *psid, *sequencer_uid;
    struct bytes file;
};

static bool begin_txn(struct txn *t, void *ctx, struct error *err)
{
    struct begin_args *a = ctx;
    struct value position[] = {value_text(a->psid), value_text(a->sequencer_uid)};
    struct value start[] = {value_i64(START_ROW), value_bytes(a->file)};

    return txn_exec(t, "part_position_insert", position, 2, NULL, err) &&
           txn_exec(t, "part_topology_insert", start, 2, NULL, err);
}

bool store_begin(struct participant *p, const char *psid, const char *sequencer_uid,
                 struct bytes topology_file, struct error *err)
{
    struct begin_args a = {psid, sequencer_uid, topology_file};

    return db_txn(p->db, TIMEOUT_US, begin_txn, &a, err);
}

/* --- commits --- */

static bool write_request(struct txn *t, const struct change *c, struct error *err)
{
    struct value v[] = {value_i64(c->ts),
                        value_i64(c->respond_by),
                        value_i64(c->decide_by),
                        value_i64(c->group),
                        value_i64(c->is_waiting ? 1 : 2),
                        value_text(c->command_id),
                        value_bytes(buffer_bytes(&c->extra)),
                        value_bytes(buffer_bytes(&c->body))};

    return txn_exec(t, "part_request_insert", v, 8, NULL, err);
}

static bool write_command(struct txn *t, const struct change *c, struct error *err)
{
    struct value v[] = {value_text(c->command_id), value_text(c->message_id), value_i64(c->max_ts),
                        value_bytes(buffer_bytes(&c->body)), value_bytes(buffer_bytes(&c->extra))};

    return txn_exec(t, "part_command_insert", v, 5, NULL, err);
}

static bool write_change(struct txn *t, const struct change *c, struct error *err)
{
    struct value id = value_text(c->command_id), ts = value_i64(c->ts);
    struct value body = value_bytes(buffer_bytes(&c->body));

    switch (c->kind) {
    case CHANGE_TOPOLOGY:
        return txn_exec(t, "part_topology_insert", (struct value[]){ts, body}, 2, NULL, err);
    case CHANGE_COMMAND_INSERT:
        return write_command(t, c, err);
    case CHANGE_COMMAND_ACCEPTED:
        return txn_exec(t, "part_command_accepted", &id, 1, NULL, err);
    case CHANGE_COMMAND_SEQUENCED:
        return txn_exec(t, "part_command_sequenced", (struct value[]){id, ts}, 2, NULL, err);
    case CHANGE_COMMAND_DECIDED:
        return txn_exec(t, "part_command_decided", (struct value[]){id, value_i64(c->outcome_id)},
                        2, NULL, err);
    case CHANGE_COMMAND_DELETE:
        return txn_exec(t, "part_command_delete", &id, 1, NULL, err);
    case CHANGE_REQUEST_INSERT:
        return write_request(t, c, err);
    case CHANGE_REQUEST_ANSWERED:
        return txn_exec(t, "part_request_answered", (struct value[]){ts, body}, 2, NULL, err);
    case CHANGE_REQUEST_DELETE:
        return txn_exec(t, "part_request_delete", &ts, 1, NULL, err);
    case CHANGE_OUTCOME:
        return txn_exec(t, "part_outcome_insert",
                        (struct value[]){value_i64(c->outcome_id), ts, body}, 3, NULL, err);
    case CHANGE_EVENT:
        break;
    }
    return true;
}

struct commit_args {
    const struct change *list;
    const struct position *to;
};

static bool commit_txn(struct txn *t, void *ctx, struct error *err)
{
    struct commit_args *a = ctx;
    struct value v[] = {a->to->has_event ? value_i64(a->to->event_ts) : value_null(),
                        value_i64(a->to->outcome_id), value_i64(a->to->commit_no),
                        a->to->has_event ? value_bytes(hash_as_bytes(&a->to->hash)) : value_null()};
    int64_t n = 0;

    if (!txn_exec(t, "part_position_move", v, 4, &n, err))
        return false;
    if (n == 0)
        return error_set(err, ERR_FENCED, "start this process again to stand by",
                         "another process has taken this participant over");
    for (const struct change *c = a->list; c; c = c->next) {
        if (!write_change(t, c, err))
            return false;
    }
    return true;
}

static bool commit_no_row(void *ctx, const struct value *v, size_t n, struct error *err)
{
    int64_t *no = ctx;

    (void)n;
    (void)err;
    *no = v[4].i64;
    return true;
}

bool store_commit(struct participant *p, const struct change *list, const struct position *to,
                  bool *is_unknown, struct error *err)
{
    struct commit_args a = {list, to};
    int64_t there = -1;
    struct error again;

    if (db_txn(p->db, TIMEOUT_US, commit_txn, &a, err))
        return true;
    *is_unknown = *is_unknown || err->code == ERR_UNKNOWN_OUTCOME;
    if (!*is_unknown || (err->code != ERR_UNKNOWN_OUTCOME && err->code != ERR_FENCED))
        return false;
    /* The answer to COMMIT was lost, now or in an earlier try: the number tells whether it
     * happened.
     */
    if (!db_query(p->db, "part_position_read", NULL, 0, TIMEOUT_US, commit_no_row, &there, &again))
        return error_set(err, ERR_UNKNOWN_OUTCOME, NULL,
                         "the outcome of a commit is not known yet");
    if (there == to->commit_no)
        return true;
    return err->code == ERR_UNKNOWN_OUTCOME
               ? error_set(err, ERR_CONNECTION, NULL, "a commit was lost with its connection")
               : false;
}

static bool command_state_row(void *ctx, const struct value *v, size_t n, struct error *err)
{
    struct stored_command *out = ctx;

    (void)n;
    (void)err;
    out->found = true;
    text_of(&v[0], out->message_id, sizeof(out->message_id));
    out->state = v[1].i64;
    out->request_ts = v[2].i64;
    out->outcome_id = v[3].i64;
    return true;
}

bool store_read_command(struct participant *p, const char *id, struct stored_command *out,
                        struct error *err)
{
    struct value v = value_text(id);

    memset(out, 0, sizeof(*out));
    return db_query(p->db, "part_command_read", &v, 1, TIMEOUT_US, command_state_row, out, err);
}

struct outcome_rows {
    bool (*fn)(void *ctx, int64_t id, struct bytes body, struct error *err);
    void *ctx;
};

static bool outcome_row(void *ctx, const struct value *v, size_t n, struct error *err)
{
    struct outcome_rows *r = ctx;

    (void)n;
    return r->fn(r->ctx, v[0].i64, v[1].bytes, err);
}

bool store_outcomes(struct participant *p, int64_t above, int64_t limit,
                    bool (*fn)(void *ctx, int64_t id, struct bytes body, struct error *err),
                    void *ctx, struct error *err)
{
    struct outcome_rows r = {fn, ctx};
    struct value v[] = {value_i64(above), value_i64(limit)};

    return db_query(p->db, "part_outcome_list", v, 2, TIMEOUT_US, outcome_row, &r, err);
}
