/* follow_runner.c: one run of the own stream. Reads, hands over, notes; decides nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mediator/mediator_impl.h"
#include "topology/snapshot.h"

enum {
    DOWNLOAD_TIMEOUT_S = 60,
    OUTBOX_ACTIVE_MAX = 8192,    /* items; then the stream waits for the database */
    OUTBOX_PASSIVE_MAX = 200000, /* items that the active replica has not stored yet */
};

/* --- opening -----------------------------------------------------------------------------------
 */

static bool add_chunk(void *ctx, struct bytes message, struct error *err)
{
    return topology_items_from_message(message, ctx, err);
}

/* The topology as of this member's registration, from a sequencer. */
static bool load_topology(struct mediator *m, struct client *c, const struct mediator_row *row,
                          struct topology **out, struct error *err)
{
    struct static_parameters params;
    struct topology_items items = {0};
    struct hash stated, h;
    int64_t deadline = clock_mono_us() + DOWNLOAD_TIMEOUT_S * US_PER_S;
    bool ok = false;

    (void)m;
    *out = NULL;
    if (!static_parameters_parse(buffer_bytes(&row->static_params), &params, err) ||
        !topology_open(row->psid, &params, out, err))
        return false;
    ok = client_download_topology(c, deadline, add_chunk, &items, &stated, err) &&
         topology_items_hash(&items, &h, err) &&
         (hash_equal(&h, &stated) ||
          error_set(err, ERR_UNAVAILABLE, NULL,
                    "the downloaded topology does not have the hash that the sequencer states")) &&
         topology_load(*out, &items, err);
    topology_items_free(&items);
    if (!ok) {
        topology_close(*out);
        *out = NULL;
    }
    return ok;
}

static bool apply_broadcast(struct topology *t, int64_t ts, const struct topology_broadcast *b,
                            struct error *err)
{
    struct bytes *list = calloc(b->n ? b->n : 1, sizeof(*list));

    if (list == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a topology broadcast");
    for (size_t i = 0; i < b->n; i++)
        list[i] = buffer_bytes(&b->transactions[i]);
    bool ok = topology_apply(t, ts, list, b->n, NULL, err);
    free(list);
    return ok;
}

/* A broadcast that was stored. */
static bool reapply(void *ctx, int64_t ts, struct bytes content, struct error *err)
{
    struct message msg;

    if (!message_parse(content, false, &msg, err))
        return false;
    bool ok = msg.kind == MESSAGE_TOPOLOGY
                  ? apply_broadcast(ctx, ts, &msg.as.topology, err)
                  : error_set(err, ERR_DATABASE, NULL, "ls_mediator_topology holds a %s",
                              message_kind_name(msg.kind));
    message_free(&msg);
    return ok;
}

struct restore_ctx {
    struct mediator *m;
    const struct mediator_head *head;
};

static bool restore_uuid(void *ctx, const uint8_t uuid[UUID_LEN], int64_t expires_ts,
                         struct error *err)
{
    struct restore_ctx *r = ctx;

    return core_restore_uuid(r->m->core, uuid, r->head->position.ts, expires_ts, err);
}

/* A verdict's row: of a request that is decided again as the stream is read again, or of an earlier
 * one that is not seen sequenced yet. */
static bool restore_verdict(void *ctx, enum verdict_state state, struct decision **d,
                            struct error *err)
{
    struct restore_ctx *r = ctx;
    bool is_again = !r->head->position.is_set || (*d)->request_id > r->head->position.ts;

    if (!is_again && state > VERDICT_SENT)
        return true;
    if (!is_again &&
        !core_restore_unsequenced(r->m->core, (*d)->request_id, (*d)->part, (*d)->decision_ts, err))
        return false;
    return outbox_restore(r->m->outbox, state, d, NULL, err);
}

static bool restore(struct mediator *m, const struct mediator_head *h, struct error *err)
{
    struct restore_ctx r = {m, h};

    if (!h->position.is_set)
        return verdict_store_each(m->db, h, restore_verdict, &r, err);
    return topology_store_each(m->db, h->position.ts, reapply, m->topology, err) &&
           uuid_store_each(m->db, h->position.ts, h->position.ts, restore_uuid, &r, err) &&
           verdict_store_each(m->db, h, restore_verdict, &r, err);
}

static size_t split_lines(char *text, const char **out, size_t max)
{
    size_t n = 0;

    for (char *save = NULL, *p = strtok_r(text, "\n", &save); p && n < max;
         p = strtok_r(NULL, "\n", &save))
        out[n++] = p;
    return n;
}

static bool open_client(struct mediator *m, const struct mediator_row *row, struct client **out,
                        struct error *err)
{
    const char *urls[CLIENT_ENDPOINTS_MAX];
    struct client_config cfg = {.loop = m->cfg.loop,
                                .endpoints = (const char *const *)m->connections,
                                .n_endpoints = m->cfg.n_connections,
                                .tls = m->cfg.tls,
                                .member = m->member,
                                .psid = row->psid,
                                .keys = m->keys,
                                .logger = m->lg};
    char *text = strndup((const char *)row->connections.data, row->connections.len);
    bool ok = text != NULL || error_set(err, ERR_MEMORY, NULL, "no memory for connections");

    if (ok && cfg.n_endpoints == 0) {
        cfg.n_endpoints = split_lines(text, urls, CLIENT_ENDPOINTS_MAX);
        cfg.endpoints = urls;
    }
    ok = ok && client_open(&cfg, out, err);
    free(text);
    return ok;
}

/* --- events ------------------------------------------------------------------------------------
 */

static bool on_verify(void *ctx, int64_t ts, const struct hash *h, const struct signature *s,
                      struct error *err)
{
    struct mediator *m = ctx;

    mutex_lock(&m->core_lock);
    bool ok = topology_verify_sequencers(m->topology, ts, h, s, 1, err);
    mutex_unlock(&m->core_lock);
    return ok;
}

static bool is_for_all(const struct recipients *r)
{
    for (uint32_t i = 0; i < r->n_all; i++)
        if (r->all[i].kind == RECIPIENT_ALL)
            return true;
    return false;
}

/* The broadcasts of an event into the topology and the outbox. REQUIRES core_lock. */
static bool take_topology(struct mediator *m, const struct inbound *in, struct error *err)
{
    topology_observe(m->topology, in->ts);
    for (size_t i = inbound_find(in, MESSAGE_TOPOLOGY, 0); i < in->n;
         i = inbound_find(in, MESSAGE_TOPOLOGY, i + 1)) {
        const struct inbound_envelope *e = &in->envelopes[i];
        struct error why;
        if (e->message.as.topology.n == 0) /* a tick */
            continue;
        if (!is_for_all(e->recipients) || in->has_topology_timestamp) {
            log_warn(m->lg, ERR_MALFORMED, "event %" PRId64 ": a topology broadcast %s; dropped",
                     in->ts,
                     in->has_topology_timestamp ? "with a topology timestamp" : "not for all");
            continue;
        }
        if (!apply_broadcast(m->topology, in->ts, &e->message.as.topology, &why)) {
            if (why.code == ERR_MEMORY) {
                *err = why;
                return false;
            }
            logger_error(m->lg, LOG_WARN, &why, "a topology broadcast is dropped");
            continue;
        }
        mutex_lock(&m->lock);
        bool ok =
            outbox_topology(m->outbox, in->ts, (int32_t)i, buffer_bytes(&e->envelope.content), err);
        mutex_unlock(&m->lock);
        if (!ok)
            return false;
    }
    return true;
}

static bool take_effect(struct mediator *m, struct effect *e, struct error *err)
{
    bool ok = true, differs = false;

    switch (e->kind) {
    case EFFECT_DECIDED:
        ok = outbox_decided(m->outbox, e->ts, e->decision, &differs, err);
        e->decision = NULL;
        break;
    case EFFECT_SEQUENCED:
        ok = outbox_settled(m->outbox, e->ts, e->request_id, e->part, VERDICT_SEQUENCED, err);
        break;
    case EFFECT_EXPIRED:
        ok = outbox_settled(m->outbox, e->ts, e->request_id, e->part, VERDICT_EXPIRED, err);
        break;
    }
    if (differs)
        log_error(m->lg, ERR_INTERNAL,
                  "request %" PRId64 ": decided otherwise than its row says; the row stands",
                  e->request_id);
    return ok;
}

bool session_take_effects(struct mediator *m, struct effects *e, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < e->n; i++)
        ok = take_effect(m, &e->list[i], err);
    core_position(m->core, &m->head.position);
    m->head.seen_ts = core_seen_ts(m->core);
    core_stats(m->core, &m->stats);
    effects_free(e);
    return ok;
}

/* The stream waits while the outbox is full. */
static void wait_for_room(struct mediator *m) REQUIRES(m->lock)
{
    while (!m->is_session_ending &&
           outbox_n_items(m->outbox) >
               (m->role == MEDIATOR_ACTIVE ? OUTBOX_ACTIVE_MAX : OUTBOX_PASSIVE_MAX))
        cond_wait_until(&m->changed, &m->lock, clock_mono_us() + US_PER_S);
}

static bool on_event(void *ctx, const struct client_event *e, struct error *err)
{
    struct mediator *m = ctx;
    struct effects effects = {0};
    struct inbound in;
    struct error bad;

    if (!inbound_open(e->event, m->psid, &in, &bad, err))
        return false;
    if (bad.code != ERR_NONE)
        logger_error(m->lg, LOG_WARN, &bad, "an event's batch cannot be opened");
    in.traceparent = e->traceparent;
    mutex_lock(&m->core_lock);
    bool ok = take_topology(m, &in, err) && core_event(m->core, &in, &e->hash, &effects, err);
    mutex_lock(&m->lock);
    bool is_wake = effects.n > 0 || m->role == MEDIATOR_CATCHING_UP;
    ok = ok && session_take_effects(m, &effects, err);
    mutex_unlock(&m->core_lock);
    if (is_wake)
        cond_broadcast(&m->changed);
    if (ok)
        wait_for_room(m);
    mutex_unlock(&m->lock);
    effects_free(&effects);
    inbound_free(&in);
    return ok;
}

static void on_state(void *ctx, const struct client_state *s)
{
    struct mediator *m = ctx;
    struct error why = {.code = s->code};

    mutex_lock(&m->lock);
    if (m->is_connected && s->kind != CLIENT_CONNECTED)
        m->lost_at = clock_mono_us();
    if (!m->is_connected && s->kind == CLIENT_CONNECTED) {
        m->is_turn_due = true;
        cond_broadcast(&m->changed);
    }
    m->is_connected = s->kind == CLIENT_CONNECTED;
    mutex_unlock(&m->lock);
    switch (s->kind) {
    case CLIENT_CONNECTED:
    case CLIENT_DISCONNECTED: /* the client logs both */
        break;
    case CLIENT_FAILED:
        error_set(&why, s->code == ERR_NONE ? ERR_UNAVAILABLE : s->code, NULL, "%s", s->reason);
        mediator_session_fail(m, &why);
        break;
    }
}

/* --- the session -------------------------------------------------------------------------------
 */

static bool open_core(struct mediator *m, const struct mediator_row *row, struct error *err)
{
    m->view = (struct topology_view){m->topology, m->uid};
    struct core_config cfg = {.psid = row->psid,
                              .max_open = m->cfg.max_in_flight,
                              .max_dedup = m->cfg.max_dedup,
                              .race_delay_us = 120 * US_PER_S,
                              .top = topology_snapshot(&m->view),
                              .logger = m->lg};

    m->outbox = outbox_open();
    if (m->outbox == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the outbox");
    return core_open(&cfg, &m->core, err);
}

static bool subscribe(struct mediator *m, const struct mediator_head *h, struct error *err)
{
    struct client_position from = {h->position.is_set, h->position.ts, h->position.hash};
    struct client_callbacks cb = {
        .ctx = m, .verify = on_verify, .event = on_event, .state = on_state};

    return client_subscribe(m->client, &from, &cb, err);
}

bool session_open(struct mediator *m, struct error *err)
{
    struct mediator_head h;
    struct mediator_row row;
    bool found;

    if (!mediator_store_read(m->db, &row, &found, err))
        return false;
    bool ok = found || error_set(err, ERR_REFUSED, NULL, "not initialised");
    ok = ok && open_client(m, &row, &m->client, err);
    if (ok)
        client_login(m->client);
    ok = ok && load_topology(m, m->client, &row, &m->topology, err) && open_core(m, &row, err) &&
         head_store_read(m->db, &h, err) && restore(m, &h, err);
    if (ok) {
        mutex_lock(&m->lock);
        memcpy(m->psid, row.psid, sizeof(m->psid));
        m->head = m->written = h;
        m->lost_at = clock_mono_us();
        m->head.seen_ts = h.position.is_set ? h.position.ts : INT64_MIN;
        mutex_unlock(&m->lock);
        ok = subscribe(m, &h, err);
    }
    mediator_row_free(&row);
    if (!ok)
        session_close(m);
    return ok;
}

void session_close(struct mediator *m)
{
    struct client *c;

    mutex_lock(&m->lock);
    m->is_session_ending = true;
    c = m->client;
    m->client = NULL;
    m->is_connected = false;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    client_close(c); /* its last callbacks still use the rest */
    topology_post_drop(m);
    mutex_lock(&m->core_lock);
    mutex_lock(&m->lock);
    core_close(m->core);
    m->core = NULL;
    topology_close(m->topology);
    m->topology = NULL;
    outbox_close(m->outbox);
    m->outbox = NULL;
    m->is_session_ending = false;
    mutex_unlock(&m->lock);
    mutex_unlock(&m->core_lock);
}
