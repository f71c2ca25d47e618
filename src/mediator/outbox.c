/* outbox.c: see outbox.h. A verdict lives until it is settled and no item names it. */
#include "mediator/outbox.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum send_state { SEND_NOT, SEND_WAITING, SEND_IN_FLIGHT, SEND_FAILED, SEND_ACCEPTED };

struct item;

struct verdict_entry {
    struct {
        int64_t request_id;
        int32_t part, zero;
    } key;
    struct decision *decision;
    enum verdict_state state;
    enum send_state send;
    bool is_written, is_settled;
    struct item *item;                 /* not taken yet; carries the newest state */
    unsigned refs;                     /* items that name it */
    struct verdict_entry *prev, *next; /* in `waiting` when SEND_WAITING */
    UT_hash_handle hh;
};

struct item {
    enum row_kind kind;
    int64_t ts, state_ts; /* of the events that caused the row, and the newest state in it */
    enum verdict_state state;
    struct verdict_entry *verdict; /* ROW_VERDICT, ROW_STATE */
    int32_t idx;                   /* ROW_TOPOLOGY */
    struct buffer content;
    struct item *prev, *next;
};

struct outbox {
    struct verdict_entry *verdicts;
    struct verdict_entry *waiting;
    struct item *items, *taken;
    size_t n_items, n_urgent, n_in_flight, n_unsettled;
};

static bool no_memory(struct error *err)
{
    return error_set(err, ERR_MEMORY, NULL, "no memory for a verdict to be sent");
}

struct outbox *outbox_open(void)
{
    return calloc(1, sizeof(struct outbox));
}

static void stop_waiting(struct outbox *o, struct verdict_entry *v)
{
    if (v->send == SEND_WAITING)
        DL_DELETE(o->waiting, v);
    if (v->send == SEND_IN_FLIGHT)
        o->n_in_flight--;
    v->send = SEND_NOT;
}

static void verdict_drop(struct outbox *o, struct verdict_entry *v)
{
    if (!v->is_settled || v->refs > 0)
        return;
    stop_waiting(o, v);
    HASH_DEL(o->verdicts, v);
    decision_free(v->decision);
    free(v);
}

static void item_free(struct outbox *o, struct item *i)
{
    if (i->verdict) {
        if (i->verdict->item == i)
            i->verdict->item = NULL;
        i->verdict->refs--;
        verdict_drop(o, i->verdict);
    }
    buffer_free(&i->content);
    free(i);
}

void outbox_close(struct outbox *o)
{
    struct item *i, *next;
    struct verdict_entry *v, *after;

    if (o == NULL)
        return;
    DL_CONCAT(o->taken, o->items);
    DL_FOREACH_SAFE(o->taken, i, next)
    item_free(o, i);
    HASH_ITER(hh, o->verdicts, v, after)
    {
        v->is_settled = true;
        verdict_drop(o, v);
    }
    free(o);
}

static struct verdict_entry *find(const struct outbox *o, int64_t request_id, int32_t part)
{
    struct verdict_entry *v, want;

    memset(&want, 0, sizeof(want));
    want.key.request_id = request_id;
    want.key.part = part;
    HASH_FIND(hh, o->verdicts, &want.key, sizeof(want.key), v);
    return v;
}

/* Adds an entry for d; takes it over. */
static struct verdict_entry *add(struct outbox *o, struct decision *d, enum verdict_state state)
{
    struct verdict_entry *v = calloc(1, sizeof(*v));

    if (v == NULL) {
        decision_free(d);
        return NULL;
    }
    v->key.request_id = d->request_id;
    v->key.part = d->part;
    v->decision = d;
    v->state = state;
    HASH_ADD(hh, o->verdicts, key, sizeof(v->key), v);
    o->n_unsettled++;
    return v;
}

static void settle(struct outbox *o, struct verdict_entry *v)
{
    if (!v->is_settled)
        o->n_unsettled--;
    v->is_settled = true;
    stop_waiting(o, v);
    verdict_drop(o, v);
}

static struct item *add_item(struct outbox *o, enum row_kind kind, int64_t ts,
                             struct verdict_entry *v, enum verdict_state state)
{
    struct item *i = calloc(1, sizeof(*i));

    if (i == NULL)
        return NULL;
    i->kind = kind;
    i->ts = i->state_ts = ts;
    i->state = state;
    i->verdict = v;
    if (v) {
        v->refs++;
        v->item = i;
    }
    DL_APPEND(o->items, i);
    o->n_items++;
    o->n_urgent += kind != ROW_STATE;
    return i;
}

static bool same_content(const struct decision *a, const struct decision *b)
{
    return bytes_equal(buffer_bytes(&a->content), buffer_bytes(&b->content));
}

bool outbox_decided(struct outbox *o, int64_t ts, struct decision *d, bool *differs,
                    struct error *err)
{
    struct verdict_entry *v = find(o, d->request_id, d->part);

    if (differs)
        *differs = false;
    if (v) { /* restored: the row is there */
        if (differs)
            *differs = v->decision->outcome != OUTCOME_PURGED && !same_content(v->decision, d);
        decision_free(d);
        if (v->state >= VERDICT_SEQUENCED)
            settle(o, v);
        return true;
    }
    v = add(o, d, d->is_sender ? VERDICT_DECIDED : VERDICT_SILENT);
    if (v == NULL || add_item(o, ROW_VERDICT, ts, v, v->state) == NULL)
        return no_memory(err);
    if (!d->is_sender)
        settle(o, v);
    return true;
}

/* Notes a higher state, in the item that is not taken yet, or in a new one. */
static bool raise(struct outbox *o, struct verdict_entry *v, int64_t ts, enum verdict_state state,
                  struct error *err)
{
    if (state <= v->state)
        return true;
    v->state = state;
    if (v->item) {
        v->item->state = state;
        v->item->state_ts = ts;
        return true;
    }
    return add_item(o, ROW_STATE, ts, v, state) ? true : no_memory(err);
}

bool outbox_settled(struct outbox *o, int64_t ts, int64_t request_id, int32_t part,
                    enum verdict_state state, struct error *err)
{
    struct verdict_entry *v = find(o, request_id, part);

    if (v == NULL || v->is_settled)
        return true;
    if (!raise(o, v, ts, state, err))
        return false;
    settle(o, v);
    return true;
}

bool outbox_topology(struct outbox *o, int64_t ts, int32_t idx, struct bytes content,
                     struct error *err)
{
    struct item *i = add_item(o, ROW_TOPOLOGY, ts, NULL, VERDICT_DECIDED);

    if (i == NULL)
        return no_memory(err);
    i->idx = idx;
    buffer_append_bytes(&i->content, content);
    return buffer_ok(&i->content, err);
}

bool outbox_restore(struct outbox *o, enum verdict_state state, struct decision **d, bool *differs,
                    struct error *err)
{
    struct verdict_entry *v = find(o, (*d)->request_id, (*d)->part);

    if (differs)
        *differs = false;
    if (v == NULL) {
        v = add(o, *d, state);
        *d = NULL;
        if (v == NULL)
            return no_memory(err);
        v->is_written = true;
        return true;
    }
    if ((*d)->outcome != OUTCOME_PURGED && !same_content(v->decision, *d) && differs)
        *differs = true;
    decision_free(v->decision);
    v->decision = *d;
    *d = NULL;
    v->is_written = true;
    if (state > v->state)
        v->state = state;
    if (state == VERDICT_SILENT)
        settle(o, v);
    return true;
}

static void remove_item(struct outbox *o, struct item *i)
{
    DL_DELETE(o->items, i);
    o->n_items--;
    o->n_urgent -= i->kind != ROW_STATE;
}

void outbox_forget(struct outbox *o, int64_t seen_ts)
{
    struct item *i, *next;

    DL_FOREACH_SAFE(o->items, i, next)
    {
        if (i->ts > seen_ts)
            continue;
        if (i->kind == ROW_VERDICT)
            i->verdict->is_written = true;
        if (i->state_ts > seen_ts) { /* the row is stored, its newest state is not */
            o->n_urgent -= i->kind != ROW_STATE;
            i->kind = ROW_STATE;
            i->ts = i->state_ts;
            continue;
        }
        remove_item(o, i);
        item_free(o, i);
    }
}

bool outbox_take(struct outbox *o, struct outbox_row **rows, size_t *n, struct error *err)
{
    struct item *i;

    *n = 0;
    *rows = calloc(o->n_items ? o->n_items : 1, sizeof(**rows));
    if (*rows == NULL)
        return no_memory(err);
    DL_FOREACH(o->items, i)
    {
        struct outbox_row *r = &(*rows)[(*n)++];
        *r = (struct outbox_row){.kind = i->kind,
                                 .request_id = i->verdict ? i->verdict->key.request_id : i->ts,
                                 .part = i->verdict ? i->verdict->key.part : i->idx,
                                 .state = i->state,
                                 .decision = i->verdict ? i->verdict->decision : NULL,
                                 .content = buffer_bytes(&i->content)};
        if (i->verdict)
            i->verdict->item = NULL;
    }
    DL_CONCAT(o->taken, o->items);
    o->items = NULL;
    o->n_items = o->n_urgent = 0;
    return true;
}

static void wait_to_send(struct outbox *o, struct verdict_entry *v)
{
    if (v->is_settled || !v->is_written || !v->decision->is_sender || v->send == SEND_WAITING ||
        v->send == SEND_IN_FLIGHT)
        return;
    v->send = SEND_WAITING;
    DL_APPEND(o->waiting, v);
}

void outbox_written(struct outbox *o)
{
    struct item *i, *next;

    DL_FOREACH_SAFE(o->taken, i, next)
    {
        DL_DELETE(o->taken, i);
        if (i->kind == ROW_VERDICT) {
            i->verdict->is_written = true;
            wait_to_send(o, i->verdict);
        }
        item_free(o, i);
    }
}

/* A newer state joins the item that comes back: one write may name a verdict only once. */
static void merge_newer(struct outbox *o, struct item *i)
{
    struct item *newer = i->verdict->item;

    if (newer) {
        i->state = newer->state;
        i->state_ts = newer->state_ts;
        remove_item(o, newer);
        item_free(o, newer);
    }
    i->verdict->item = i;
}

void outbox_give_back(struct outbox *o)
{
    struct item *i;

    DL_FOREACH(o->taken, i)
    {
        if (i->verdict)
            merge_newer(o, i);
        o->n_items++;
        o->n_urgent += i->kind != ROW_STATE;
    }
    DL_CONCAT(o->taken, o->items);
    o->items = o->taken;
    o->taken = NULL;
}

const struct decision *outbox_next_send(struct outbox *o)
{
    struct verdict_entry *v = o->waiting;

    if (v == NULL)
        return NULL;
    DL_DELETE(o->waiting, v);
    v->send = SEND_IN_FLIGHT;
    o->n_in_flight++;
    return v->decision;
}

bool outbox_sent(struct outbox *o, int64_t request_id, int32_t part, bool is_accepted,
                 struct error *err)
{
    struct verdict_entry *v = find(o, request_id, part);

    if (v == NULL || v->send != SEND_IN_FLIGHT)
        return true;
    o->n_in_flight--;
    v->send = is_accepted ? SEND_ACCEPTED : SEND_FAILED;
    return !is_accepted || raise(o, v, v->decision->decided_ts, VERDICT_SENT, err);
}

size_t outbox_retry(struct outbox *o, bool all)
{
    struct verdict_entry *v, *next;
    size_t n = 0;

    HASH_ITER(hh, o->verdicts, v, next)
    {
        if (v->send == SEND_FAILED || (all && (v->send == SEND_ACCEPTED || v->send == SEND_NOT)))
            wait_to_send(o, v);
        n += v->send == SEND_WAITING;
    }
    return n;
}

size_t outbox_n_items(const struct outbox *o)
{
    return o->n_items;
}

bool outbox_is_urgent(const struct outbox *o)
{
    return o->n_urgent > 0;
}

size_t outbox_n_in_flight(const struct outbox *o)
{
    return o->n_in_flight;
}

size_t outbox_n_unsettled(const struct outbox *o)
{
    return o->n_unsettled;
}
