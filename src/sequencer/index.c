/* index.c: per-member event lists over one window of outcomes. */
#include "sequencer/index.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct member_slot {
    struct member_events events;
    UT_hash_handle hh;
};

struct kept {
    int64_t ts;
    struct outcome *outcome;
    struct kept *next; /* by rising ts */
    UT_hash_handle hh;
};

struct stub_slot {
    int64_t ts;
    struct outcome_stub stub;
    int64_t *contributions;
    UT_hash_handle hh;
};

struct index {
    size_t bytes, bytes_max;
    struct member_slot *members;
    struct kept *window, *oldest, *newest;
    struct stub_slot *stubs;
};

bool index_open(size_t window_bytes_max, struct index **out, struct error *err)
{
    struct index *ix = calloc(1, sizeof *ix);

    if (!ix)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the index");
    ix->bytes_max = window_bytes_max;
    *out = ix;
    return true;
}

static void drop_oldest(struct index *ix)
{
    struct kept *k = ix->oldest;

    ix->oldest = k->next;
    if (!ix->oldest)
        ix->newest = NULL;
    ix->bytes -= k->outcome->memory;
    HASH_DEL(ix->window, k);
    outcome_unref(k->outcome);
    free(k);
}

void index_close(struct index *ix)
{
    struct member_slot *m, *next_m;
    struct stub_slot *s, *next_s;

    if (!ix)
        return;
    while (ix->oldest)
        drop_oldest(ix);
    HASH_ITER(hh, ix->members, m, next_m)
    {
        HASH_DEL(ix->members, m);
        free(m->events.member);
        free(m->events.at);
        free(m);
    }
    HASH_ITER(hh, ix->stubs, s, next_s)
    {
        HASH_DEL(ix->stubs, s);
        buffer_free(&s->stub.status);
        free(s->contributions);
        free(s);
    }
    free(ix);
}

static bool no_memory(struct error *err)
{
    return error_set(err, ERR_MEMORY, NULL, "no memory for the index of events");
}

static struct member_slot *slot_of(struct index *ix, const char *member)
{
    struct member_slot *m;

    HASH_FIND_STR(ix->members, member, m);
    if (m)
        return m;
    m = calloc(1, sizeof *m);
    if (m)
        m->events.member = strdup(member);
    if (!m || !m->events.member) {
        free(m);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, ix->members, m->events.member, strlen(m->events.member), m);
    return m;
}

static bool append(struct member_events *e, int64_t ts)
{
    if (e->n == e->cap) {
        size_t cap = e->cap ? e->cap + e->cap / 2 : 16;
        int64_t *grown = realloc(e->at, cap * sizeof *grown);

        if (!grown)
            return false;
        e->at = grown;
        e->cap = cap;
    }
    e->at[e->n++] = ts;
    return true;
}

/* Before the body leaves the window. */
static bool keep_stub(struct index *ix, const struct outcome *o)
{
    struct stub_slot *s;

    if (o->kind == OUTCOME_DELIVER && o->n_contributions < 2)
        return true;
    s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->ts = o->ts;
    s->stub.kind = o->kind;
    buffer_append(&s->stub.status, o->status.data, o->status.len);
    if (o->n_contributions > 0) {
        s->contributions = malloc(o->n_contributions * sizeof *s->contributions);
        if (s->contributions)
            memcpy(s->contributions, o->contributions,
                   o->n_contributions * sizeof *s->contributions);
    }
    if (s->stub.status.failed || (o->n_contributions > 0 && !s->contributions)) {
        buffer_free(&s->stub.status);
        free(s->contributions);
        free(s);
        return false;
    }
    s->stub.contributions = s->contributions;
    s->stub.n_contributions = o->n_contributions;
    HASH_ADD(hh, ix->stubs, ts, sizeof s->ts, s);
    return true;
}

bool index_add(struct index *ix, struct outcome *o, struct error *err)
{
    struct kept *k;

    if (o->receivers.n == 0)
        return true;
    k = calloc(1, sizeof *k);
    if (!k)
        return no_memory(err);
    k->ts = o->ts;
    k->outcome = outcome_ref(o);
    HASH_ADD(hh, ix->window, ts, sizeof k->ts, k);
    if (ix->newest)
        ix->newest->next = k;
    else
        ix->oldest = k;
    ix->newest = k;
    ix->bytes += o->memory;
    for (size_t i = 0; i < o->receivers.n; i++) {
        struct member_slot *m = slot_of(ix, o->receivers.m[i]);

        if (!m || !append(&m->events, o->ts))
            return no_memory(err);
    }
    while (ix->bytes > ix->bytes_max && ix->oldest != ix->newest) {
        if (!keep_stub(ix, ix->oldest->outcome))
            return no_memory(err);
        drop_oldest(ix);
    }
    return true;
}

struct member_events *index_events(struct index *ix, const char *member)
{
    struct member_slot *m;

    HASH_FIND_STR(ix->members, member, m);
    return m ? &m->events : NULL;
}

size_t member_events_from(const struct member_events *e, int64_t ts)
{
    size_t low = 0, high = e->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (e->at[mid] < ts)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct outcome *index_find(struct index *ix, int64_t ts)
{
    struct kept *k;

    HASH_FIND(hh, ix->window, &ts, sizeof ts, k);
    return k ? outcome_ref(k->outcome) : NULL;
}

struct outcome_stub index_stub(struct index *ix, int64_t ts)
{
    struct stub_slot *s;

    HASH_FIND(hh, ix->stubs, &ts, sizeof ts, s);
    if (s)
        return s->stub;
    return (struct outcome_stub){.kind = OUTCOME_DELIVER};
}

size_t index_window_bytes(const struct index *ix)
{
    return ix->bytes;
}
