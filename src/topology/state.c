/* state.c: rows, where they are found, and what a new one does to the others. */
#include "topology/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBJECT_KEY_SIZE (MEMBER_TEXT_SIZE + 16)

bool topology_open(const char *psid, const struct static_parameters *p, struct topology **out,
                   struct error *err)
{
    struct topology *t = calloc(1, sizeof(*t));

    *out = NULL;
    if (t == NULL)
        return error_set(err, ERR_MEMORY, NULL, "topology");
    if (!psid_parse(psid, &t->id, err) || !psid_logical(psid, t->synchronizer, err)) {
        free(t);
        return false;
    }
    if (t->id.protocol_version != p->protocol_version || t->id.serial != p->serial) {
        free(t);
        return error_set(err, ERR_MALFORMED, NULL,
                         "%s does not fit static parameters of version %d and serial %d", psid,
                         p->protocol_version, p->serial);
    }
    psid_format(&t->id, t->psid);
    t->fixed = *p;
    t->sequenced_until = TOPOLOGY_GENESIS_TS;
    *out = t;
    return true;
}

void row_release(struct row *r)
{
    buffer_free(&r->raw);
    mapping_free(r->m);
    free(r->rejection);
    free(r->signers);
    memset(r, 0, sizeof(*r));
}

static void row_free(struct row *r)
{
    row_release(r);
    free(r);
}

static void places_free(struct topology *t)
{
    struct place *p, *next;

    HASH_ITER(hh, t->places, p, next)
    {
        HASH_DEL(t->places, p);
        free(p->accepted.at);
        free(p->proposals.at);
        free(p);
    }
}

void topology_close(struct topology *t)
{
    struct subject *s, *s_next;
    struct registration *r, *r_next;

    if (t == NULL)
        return;
    places_free(t);
    HASH_ITER(hh, t->subjects, s, s_next)
    {
        HASH_DEL(t->subjects, s);
        free(s->key);
        free(s->places);
        free(s);
    }
    HASH_ITER(hh, t->registrations, r, r_next)
    {
        HASH_DEL(t->registrations, r);
        free(r->member);
        free(r);
    }
    for (size_t i = 0; i < t->rows.n; i++)
        row_free(t->rows.at[i]);
    free(t->rows.at);
    free(t->changes);
    free(t->closed);
    free(t);
}

const char *topology_psid(const struct topology *t)
{
    return t->psid;
}

const char *topology_synchronizer(const struct topology *t)
{
    return t->synchronizer;
}

const struct static_parameters *topology_static(const struct topology *t)
{
    return &t->fixed;
}

/* ---- looking up ---- */

const struct row *place_row(const struct place *p, int64_t ts)
{
    for (size_t i = p->accepted.n; i-- > 0;) {
        const struct row *r = p->accepted.at[i];

        if (r->valid_from < ts && ts <= r->valid_until)
            return r->op == TOPOLOGY_ADD_REPLACE ? r : NULL;
        if (r->valid_until < ts)
            return NULL;
    }
    return NULL;
}

struct row *place_open_row(const struct place *p)
{
    struct row *r = p != NULL && p->accepted.n > 0 ? p->accepted.at[p->accepted.n - 1] : NULL;

    return r != NULL && r->valid_until == TOPOLOGY_OPEN ? r : NULL;
}

const struct place *state_place(const struct topology *t, const struct hash *unique_key)
{
    struct place *p;

    HASH_FIND(hh, t->places, unique_key->b, HASH_LEN, p);
    return p;
}

static size_t subject_key(enum mapping_code code, const char *text, char out[SUBJECT_KEY_SIZE])
{
    int n = snprintf(out, SUBJECT_KEY_SIZE, "%d %s", (int)code, text);

    return n > 0 && n < SUBJECT_KEY_SIZE ? (size_t)n : SUBJECT_KEY_SIZE - 1;
}

const struct subject *state_subject(const struct topology *t, enum mapping_code code,
                                    const char *text)
{
    char key[SUBJECT_KEY_SIZE];
    size_t len = subject_key(code, text, key);
    struct subject *s;

    HASH_FIND(hh, t->subjects, key, len, s);
    return s;
}

const struct row *state_row(const struct topology *t, enum mapping_code code, const char *text,
                            int64_t ts)
{
    const struct subject *s = state_subject(t, code, text);

    for (size_t i = 0; s != NULL && i < s->n; i++) {
        const struct row *r = place_row(s->places[i], ts);

        if (r != NULL)
            return r;
    }
    return NULL;
}

const struct row *state_keys(const struct topology *t, const char *member, int64_t ts)
{
    const struct row *r = state_row(t, MAPPING_KEYS, member_uid(member), ts);

    return r != NULL && strcmp(r->m->subject, member) == 0 ? r : NULL;
}

/* ---- storing ---- */

static bool list_add(struct row_list *l, struct row *r, struct error *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap > 0 ? 2 * l->cap : 2;
        struct row **at = realloc(l->at, cap * sizeof(*at));

        if (at == NULL)
            return error_set(err, ERR_MEMORY, NULL, "topology rows");
        l->at = at;
        l->cap = cap;
    }
    l->at[l->n++] = r;
    return true;
}

static bool subject_add(struct topology *t, const struct mapping *m, struct place *p,
                        struct error *err)
{
    char key[SUBJECT_KEY_SIZE];
    const char *text = m->code == MAPPING_KEYS ? member_uid(m->subject) : m->subject;
    size_t len = subject_key(m->code, text, key);
    struct subject *s;

    HASH_FIND(hh, t->subjects, key, len, s);
    if (s == NULL) {
        s = calloc(1, sizeof(*s));
        if (s == NULL || (s->key = strdup(key)) == NULL) {
            free(s);
            return error_set(err, ERR_MEMORY, NULL, "topology subject");
        }
        HASH_ADD_KEYPTR(hh, t->subjects, s->key, len, s);
        if (s->is_lost) {
            free(s->key);
            free(s);
            return error_set(err, ERR_MEMORY, NULL, "topology subject");
        }
    }
    if (s->n == s->cap) {
        size_t cap = s->cap > 0 ? 2 * s->cap : 1;
        struct place **places = realloc(s->places, cap * sizeof(struct place *));

        if (places == NULL)
            return error_set(err, ERR_MEMORY, NULL, "topology subject");
        s->places = places;
        s->cap = cap;
    }
    s->places[s->n++] = p;
    return true;
}

static struct place *place_make(struct topology *t, const struct mapping *m, struct error *err)
{
    struct place *p;

    HASH_FIND(hh, t->places, m->unique_key.b, HASH_LEN, p);
    if (p != NULL)
        return p;
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        error_set(err, ERR_MEMORY, NULL, "topology place");
        return NULL;
    }
    p->unique_key = m->unique_key;
    HASH_ADD(hh, t->places, unique_key.b, HASH_LEN, p);
    if (p->is_lost) {
        free(p);
        error_set(err, ERR_MEMORY, NULL, "topology place");
        return NULL;
    }
    return subject_add(t, m, p, err) ? p : NULL;
}

static bool close_row(struct topology *t, struct row *r, int64_t at, struct error *err)
{
    r->valid_until = at;
    if (!t->is_trying)
        return true;
    if (t->n_closed == t->cap_closed) {
        size_t cap = t->cap_closed > 0 ? 2 * t->cap_closed : 8;
        struct row **closed = realloc(t->closed, cap * sizeof(struct row *));

        if (closed == NULL)
            return error_set(err, ERR_MEMORY, NULL, "topology journal");
        t->closed = closed;
        t->cap_closed = cap;
    }
    t->closed[t->n_closed++] = r;
    return true;
}

static bool register_member(struct topology *t, enum member_kind kind, const char *uid, int64_t at,
                            struct error *err)
{
    char member[MEMBER_TEXT_SIZE];
    struct registration *r;

    member_format(kind, uid, member);
    HASH_FIND_STR(t->registrations, member, r);
    if (r != NULL)
        return true;
    r = calloc(1, sizeof(*r));
    if (r == NULL || (r->member = strdup(member)) == NULL) {
        free(r);
        return error_set(err, ERR_MEMORY, NULL, "registering %s", member);
    }
    r->at = at;
    r->row = t->rows.n - 1;
    HASH_ADD_KEYPTR(hh, t->registrations, r->member, strlen(r->member), r);
    if (!r->is_lost)
        return true;
    free(r->member);
    free(r);
    return error_set(err, ERR_MEMORY, NULL, "registering %s", member);
}

static bool register_members(struct topology *t, const struct row *r, struct error *err)
{
    const struct mapping *m = r->m;
    enum member_kind kind = m->code == MAPPING_SEQUENCERS ? MEMBER_SEQUENCER : MEMBER_MEDIATOR;

    if (r->op != TOPOLOGY_ADD_REPLACE)
        return true;
    if (m->code == MAPPING_TRUST)
        return register_member(t, MEMBER_PARTICIPANT, m->subject, r->valid_from, err);
    if (m->code != MAPPING_MEDIATORS && m->code != MAPPING_SEQUENCERS)
        return true;
    for (size_t i = 0; i < m->n_names; i++)
        if (!register_member(t, kind, m->names[i], r->valid_from, err))
            return false;
    for (size_t i = 0; i < m->n_observers; i++)
        if (!register_member(t, kind, m->observers[i], r->valid_from, err))
            return false;
    return true;
}

static bool note_change(struct topology *t, int64_t effective, struct error *err)
{
    if (t->n_changes > 0 && t->changes[t->n_changes - 1] >= effective)
        return true;
    if (t->n_changes == t->cap_changes) {
        size_t cap = t->cap_changes > 0 ? 2 * t->cap_changes : 16;
        int64_t *changes = realloc(t->changes, cap * sizeof(*changes));

        if (changes == NULL)
            return error_set(err, ERR_MEMORY, NULL, "topology changes");
        t->changes = changes;
        t->cap_changes = cap;
    }
    t->changes[t->n_changes++] = effective;
    return true;
}

/* Ends what an accepted row supersedes: the one before it, and proposals up to its serial. */
static bool supersede(struct topology *t, struct place *p, const struct row *r, struct error *err)
{
    struct row *before = place_open_row(p);

    if (before != NULL && !close_row(t, before, r->valid_from, err))
        return false;
    for (size_t i = 0; i < p->proposals.n; i++) {
        struct row *q = p->proposals.at[i];

        if (q->valid_until == TOPOLOGY_OPEN && q->serial <= r->serial &&
            !close_row(t, q, r->valid_from, err))
            return false;
    }
    return true;
}

bool state_store(struct topology *t, struct row *row, struct error *err)
{
    struct row *r = malloc(sizeof(*r));
    struct place *p;

    if (r == NULL) {
        row_release(row);
        return error_set(err, ERR_MEMORY, NULL, "topology row");
    }
    *r = *row;
    memset(row, 0, sizeof(*row));
    if (!list_add(&t->rows, r, err)) {
        row_free(r);
        return false;
    }
    r->valid_until = r->rejection != NULL ? r->valid_from : TOPOLOGY_OPEN;
    if (r->rejection != NULL)
        return true;
    p = place_make(t, r->m, err);
    if (p == NULL)
        return false;
    if (r->is_proposal) {
        for (size_t i = 0; i < p->proposals.n; i++) {
            struct row *q = p->proposals.at[i];

            if (q->valid_until == TOPOLOGY_OPEN && hash_equal(&q->hash, &r->hash) &&
                !close_row(t, q, r->valid_from, err))
                return false;
        }
        return list_add(&p->proposals, r, err);
    }
    return supersede(t, p, r, err) && list_add(&p->accepted, r, err) &&
           note_change(t, r->valid_from, err) && register_members(t, r, err);
}

struct state_mark state_try(struct topology *t)
{
    t->is_trying = true;
    t->n_closed = 0;
    return (struct state_mark){t->rows.n, t->n_changes, t->sequenced_until};
}

void state_take_back(struct topology *t, const struct state_mark *mark)
{
    struct registration *g, *next;

    HASH_ITER(hh, t->registrations, g, next)
    {
        if (g->row >= mark->n_rows) {
            HASH_DEL(t->registrations, g);
            free(g->member);
            free(g);
        }
    }
    for (size_t i = 0; i < t->n_closed; i++)
        t->closed[i]->valid_until = TOPOLOGY_OPEN; /* only open rows are ever closed */
    while (t->rows.n > mark->n_rows) {
        struct row *r = t->rows.at[--t->rows.n];
        struct place *p = NULL;

        if (r->rejection == NULL)
            HASH_FIND(hh, t->places, r->m->unique_key.b, HASH_LEN, p);
        if (p != NULL && p->accepted.n > 0 && p->accepted.at[p->accepted.n - 1] == r)
            p->accepted.n--;
        if (p != NULL && p->proposals.n > 0 && p->proposals.at[p->proposals.n - 1] == r)
            p->proposals.n--;
        row_free(r);
    }
    t->n_changes = mark->n_changes;
    t->sequenced_until = mark->sequenced_until;
    t->n_closed = 0;
    t->is_trying = false;
}

/* ---- time ---- */

void topology_observe(struct topology *t, int64_t sequenced_ts)
{
    if (sequenced_ts > t->sequenced_until)
        t->sequenced_until = sequenced_ts;
}

int64_t topology_sequenced_until(const struct topology *t)
{
    return t->sequenced_until;
}

int64_t topology_known_until(const struct topology *t)
{
    return t->sequenced_until + t->fixed.topology_change_delay_us + 1;
}

bool topology_next_effective(const struct topology *t, int64_t ts, int64_t *effective_at)
{
    size_t low = 0, high = t->n_changes;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (t->changes[mid] < ts)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == t->n_changes)
        return false;
    *effective_at = t->changes[low];
    return true;
}

int64_t topology_head(const struct topology *t)
{
    return (t->n_changes > 0 ? t->changes[t->n_changes - 1] : TOPOLOGY_GENESIS_TS) + 1;
}
