/* tally.c: see tally.h. A view is a table of its confirmers, sorted by name, and a table of entries
 * (confirmer, quorum, weight), sorted by confirmer, so that a decided party reaches its quorums in
 * one step. Sums are kept, never recomputed: a vote costs what it changes. */
#include "mediator/tally.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { VOTED_YES = 1, VOTED_NO = 2, ABSTAINED = 4 };

/* Who may confirm for a party. */
struct host {
    char *party;
    uint32_t threshold;
    char **participants; /* sorted */
    size_t n;
    UT_hash_handle hh;
};

/* What one vote said; shared by the parties that it rejected. */
struct cause {
    char *participant;
    enum tally_code code;
    struct buffer status;
    bool is_used; /* some party refers to it */
    struct cause *next;
};

struct confirmer {
    struct host *host;
    uint8_t *votes; /* one mask for each hosting participant; NULL when there is none */
    uint32_t approvals, rejections, abstentions;
    struct cause *rejection; /* the latest real one */
    size_t first, n;         /* its entries */
    bool is_decided;
};

struct entry {
    size_t confirmer, quorum, order;
    struct host *host;
    int32_t weight;
};

struct quorum {
    int64_t left;      /* what is still asked for */
    int64_t remaining; /* the weights of those that have not decided */
};

struct reason {
    const struct cause *cause;
    const char **parties;
    size_t n;
};

struct view {
    struct quorum *quorums;
    size_t n_quorums, cap_quorums;
    struct entry *entries;
    size_t n_entries, cap_entries;
    struct confirmer *confirmers;
    size_t n_confirmers;
    size_t n_unmet; /* quorums with left > 0 */
    struct reason *reasons;
    size_t n_reasons, cap_reasons;
};

struct tally {
    struct view *views;
    size_t n_views, cap_views;
    struct host *hosts; /* by party */
    struct cause *causes;
    size_t n_unmet; /* views with an unmet quorum */
    enum tally_state state;
    size_t rejected_view;
    struct tally_reason *reasons; /* of the rejected view, newest first; made when asked for */
};

static bool no_memory(struct error *err)
{
    return error_set(err, ERR_MEMORY, NULL, "no memory to count a request");
}

/* Makes room for one more element of size in *array. */
static bool grow(void **array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 4;
    void *p = realloc(*array, more * size);
    if (p == NULL)
        return false;
    *array = p;
    *cap = more;
    return true;
}

struct tally *tally_open(void)
{
    return calloc(1, sizeof(struct tally));
}

static void participants_free(struct host *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->participants[i]);
    free(h->participants);
    h->participants = NULL;
    h->n = 0;
}

static void view_free(struct view *v)
{
    for (size_t i = 0; i < v->n_confirmers; i++)
        free(v->confirmers[i].votes);
    for (size_t i = 0; i < v->n_reasons; i++)
        free(v->reasons[i].parties);
    free(v->confirmers);
    free(v->reasons);
    free(v->quorums);
    free(v->entries);
}

void tally_close(struct tally *t)
{
    struct host *h, *next;

    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n_views; i++)
        view_free(&t->views[i]);
    free(t->views);
    HASH_ITER(hh, t->hosts, h, next)
    {
        HASH_DEL(t->hosts, h);
        participants_free(h);
        free(h->party);
        free(h);
    }
    while (t->causes) {
        struct cause *c = t->causes;
        t->causes = c->next;
        free(c->participant);
        buffer_free(&c->status);
        free(c);
    }
    free(t->reasons);
    free(t);
}

/* The entry for party, made when missing. NULL: no memory. */
static struct host *host_of(struct tally *t, const char *party)
{
    struct host *h;

    HASH_FIND_STR(t->hosts, party, h);
    if (h)
        return h;
    h = calloc(1, sizeof(*h));
    if (h == NULL || (h->party = strdup(party)) == NULL) {
        free(h);
        return NULL;
    }
    h->threshold = 1;
    HASH_ADD_KEYPTR(hh, t->hosts, h->party, strlen(h->party), h);
    return h;
}

bool tally_add_view(struct tally *t, struct error *err)
{
    if (!grow((void **)&t->views, t->n_views, &t->cap_views, sizeof(*t->views)))
        return no_memory(err);
    memset(&t->views[t->n_views++], 0, sizeof(*t->views));
    return true;
}

bool tally_add_quorum(struct tally *t, const struct tally_confirmer *c, size_t n, int32_t threshold,
                      struct error *err)
{
    struct view *v = &t->views[t->n_views - 1];

    if (!grow((void **)&v->quorums, v->n_quorums, &v->cap_quorums, sizeof(*v->quorums)))
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        struct host *h = host_of(t, c[i].party);
        if (h == NULL ||
            !grow((void **)&v->entries, v->n_entries, &v->cap_entries, sizeof(*v->entries)))
            return no_memory(err);
        v->entries[v->n_entries] = (struct entry){
            .quorum = v->n_quorums, .order = v->n_entries, .host = h, .weight = c[i].weight};
        v->n_entries++;
    }
    v->quorums[v->n_quorums++] = (struct quorum){.left = threshold};
    return true;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool tally_add_hosting(struct tally *t, const char *party, uint32_t threshold,
                       const char *const *participants, size_t n, struct error *err)
{
    struct host *h = host_of(t, party);

    if (h == NULL)
        return no_memory(err);
    participants_free(h);
    h->threshold = threshold ? threshold : 1;
    h->participants = calloc(n ? n : 1, sizeof(*h->participants));
    if (h->participants == NULL)
        return no_memory(err);
    for (; h->n < n; h->n++)
        if ((h->participants[h->n] = strdup(participants[h->n])) == NULL)
            return no_memory(err);
    qsort(h->participants, h->n, sizeof(*h->participants), compare_text);
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int by_party = x->host == y->host ? 0 : strcmp(x->host->party, y->host->party);

    if (by_party != 0)
        return by_party;
    if (x->quorum != y->quorum)
        return x->quorum < y->quorum ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Sorted entries without repeats: of a party that a quorum names twice the last weight counts. */
static void drop_repeats(struct view *v)
{
    size_t kept = 0;

    for (size_t i = 0; i < v->n_entries; i++) {
        const struct entry *e = &v->entries[i];
        if (kept > 0 && v->entries[kept - 1].host == e->host &&
            v->entries[kept - 1].quorum == e->quorum)
            kept--;
        v->entries[kept++] = *e;
    }
    v->n_entries = kept;
}

static bool view_seal(struct view *v, struct error *err)
{
    if (v->n_entries > 0)
        qsort(v->entries, v->n_entries, sizeof(*v->entries), compare_entries);
    drop_repeats(v);
    v->confirmers = calloc(v->n_entries ? v->n_entries : 1, sizeof(*v->confirmers));
    if (v->confirmers == NULL)
        return no_memory(err);
    for (size_t i = 0; i < v->n_entries; i++) {
        struct entry *e = &v->entries[i];
        struct confirmer *c = v->n_confirmers ? &v->confirmers[v->n_confirmers - 1] : NULL;
        if (c == NULL || c->host != e->host) {
            c = &v->confirmers[v->n_confirmers++];
            c->host = e->host;
            c->first = i;
        }
        e->confirmer = v->n_confirmers - 1;
        c->n++;
        v->quorums[e->quorum].remaining += e->weight;
    }
    for (size_t i = 0; i < v->n_confirmers; i++) {
        struct confirmer *c = &v->confirmers[i];
        if (c->host->n > 0 && (c->votes = calloc(c->host->n, 1)) == NULL)
            return no_memory(err);
    }
    for (size_t i = 0; i < v->n_quorums; i++)
        if (v->quorums[i].left > 0)
            v->n_unmet++;
    return true;
}

bool tally_seal(struct tally *t, struct error *err)
{
    for (size_t i = 0; i < t->n_views; i++) {
        if (!view_seal(&t->views[i], err))
            return false;
        if (t->views[i].n_unmet > 0)
            t->n_unmet++;
    }
    if (t->n_unmet == 0)
        t->state = TALLY_APPROVED;
    return true;
}

size_t tally_n_views(const struct tally *t)
{
    return t->n_views;
}

enum tally_state tally_state(const struct tally *t)
{
    return t->state;
}

static enum tally_defect view_check(const struct view *v, int64_t *hosted)
{
    bool has_threshold = false;

    for (size_t i = 0; i < v->n_quorums; i++) {
        hosted[i] = 0;
        if (v->quorums[i].left > 0)
            has_threshold = true;
    }
    if (!has_threshold)
        return TALLY_NO_THRESHOLD;
    for (size_t i = 0; i < v->n_entries; i++)
        if (v->confirmers[v->entries[i].confirmer].host->n > 0)
            hosted[v->entries[i].quorum] += v->entries[i].weight;
    for (size_t i = 0; i < v->n_quorums; i++)
        if (hosted[i] < v->quorums[i].left)
            return TALLY_UNREACHABLE;
    return TALLY_SOUND;
}

enum tally_defect tally_check(const struct tally *t, size_t *view)
{
    enum tally_defect unreachable = TALLY_SOUND;
    int64_t *hosted = NULL;
    size_t cap = 0;

    *view = 0;
    if (t->n_views == 0)
        return TALLY_NO_VIEW;
    for (size_t i = 0; i < t->n_views; i++) {
        const struct view *v = &t->views[i];
        if (hosted == NULL || v->n_quorums > cap) {
            cap = v->n_quorums;
            free(hosted);
            hosted = calloc(cap ? cap : 1, sizeof(*hosted));
            if (hosted == NULL)
                return TALLY_UNREACHABLE; /* no memory: refuse */
        }
        enum tally_defect d = view_check(v, hosted);
        if (d == TALLY_NO_THRESHOLD || (d == TALLY_UNREACHABLE && unreachable == TALLY_SOUND))
            *view = i;
        if (d == TALLY_NO_THRESHOLD) { /* the earlier rule, whatever the view */
            free(hosted);
            return d;
        }
        if (d == TALLY_UNREACHABLE)
            unreachable = d;
    }
    free(hosted);
    return unreachable;
}

/* --- votes ------------------------------------------------------------------------------------ */

static size_t find_confirmer(const struct view *v, const char *party)
{
    size_t lo = 0, hi = v->n_confirmers;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(v->confirmers[mid].host->party, party);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return SIZE_MAX;
}

/* The mask of sender's votes for c, or NULL when sender does not host it. */
static uint8_t *votes_of(const struct confirmer *c, const char *sender)
{
    char **p = bsearch(&sender, c->host->participants, c->host->n, sizeof(*p), compare_text);

    return p && c->votes ? &c->votes[p - c->host->participants] : NULL;
}

/* Notes the vote. Returns false when it contradicts the sender's first. */
static bool note_vote(struct confirmer *c, uint8_t *mask, struct cause *cause)
{
    if (cause->code == TALLY_ABSTAIN) {
        if (!(*mask & ABSTAINED))
            c->abstentions++;
        *mask |= ABSTAINED;
        return true;
    }
    bool is_yes = cause->code == TALLY_APPROVE;
    if (*mask & (is_yes ? VOTED_NO : VOTED_YES))
        return false;
    if (*mask & (is_yes ? VOTED_YES : VOTED_NO))
        return true;
    *mask |= is_yes ? VOTED_YES : VOTED_NO;
    if (is_yes) {
        c->approvals++;
    } else {
        c->rejections++;
        c->rejection = cause;
        cause->is_used = true;
    }
    return true;
}

static bool is_lost(const struct confirmer *c)
{
    uint64_t threshold = c->host->threshold;

    return c->rejections >= threshold ||
           (uint64_t)c->rejections + c->abstentions + threshold > c->host->n;
}

/* Takes a decided party out of every quorum of its view. */
static void leave_quorums(struct view *v, struct confirmer *c, bool is_approved)
{
    c->is_decided = true;
    for (size_t i = c->first; i < c->first + c->n; i++) {
        struct quorum *q = &v->quorums[v->entries[i].quorum];
        q->remaining -= v->entries[i].weight;
        if (!is_approved || q->left <= 0)
            continue;
        q->left -= v->entries[i].weight;
        if (q->left <= 0) {
            q->left = 0;
            v->n_unmet--;
        }
    }
}

static bool is_impossible(const struct view *v)
{
    for (size_t i = 0; i < v->n_quorums; i++)
        if (v->quorums[i].left > v->quorums[i].remaining)
            return true;
    return false;
}

/* Adds party to the reasons that this vote (those from `from` on) has given with cause. */
static bool add_reason(struct view *v, size_t from, struct cause *cause, const char *party)
{
    struct reason *r = NULL;

    for (size_t i = from; i < v->n_reasons && r == NULL; i++)
        if (v->reasons[i].cause == cause)
            r = &v->reasons[i];
    if (r == NULL) {
        if (!grow((void **)&v->reasons, v->n_reasons, &v->cap_reasons, sizeof(*v->reasons)))
            return false;
        r = &v->reasons[v->n_reasons++];
        *r = (struct reason){.cause = cause};
        cause->is_used = true;
    }
    const char **p = realloc(r->parties, (r->n + 1) * sizeof(*p));
    if (p == NULL)
        return false;
    r->parties = p;
    r->parties[r->n++] = party;
    return true;
}

/* One party of one vote, in a tally that is still open. False: no memory. */
static bool count_party(struct view *v, struct confirmer *c, struct cause *cause, size_t from,
                        bool *any_rejected)
{
    if (cause->code == TALLY_APPROVE) {
        if (c->approvals >= c->host->threshold)
            leave_quorums(v, c, true);
        return true;
    }
    if (!is_lost(c))
        return true;
    leave_quorums(v, c, false);
    *any_rejected = true;
    if (cause->code == TALLY_ABSTAIN && c->rejection)
        cause = c->rejection;
    return add_reason(v, from, cause, c->host->party);
}

/* Counts cause for the confirmers in at[0..n), ascending. */
static enum tally_result count_vote(struct tally *t, size_t view, const size_t *at, size_t n,
                                    struct cause *cause)
{
    enum tally_result result = TALLY_COUNTED;
    struct view *v = &t->views[view];
    bool was_unmet = v->n_unmet > 0, any_rejected = false;
    size_t from = v->n_reasons;

    for (size_t i = 0; i < n; i++) {
        struct confirmer *c = &v->confirmers[at[i]];
        uint8_t *mask = votes_of(c, cause->participant);
        if (mask == NULL)
            continue;
        if (!note_vote(c, mask, cause)) {
            result = TALLY_EQUIVOCATION;
            continue;
        }
        if (c->is_decided || t->state != TALLY_PENDING)
            continue;
        if (!count_party(v, c, cause, from, &any_rejected))
            return TALLY_NO_MEMORY;
    }
    if (t->state != TALLY_PENDING)
        return result;
    if (was_unmet && v->n_unmet == 0 && --t->n_unmet == 0)
        t->state = TALLY_APPROVED;
    if (any_rejected && t->state == TALLY_PENDING && is_impossible(v)) {
        t->state = TALLY_REJECTED;
        t->rejected_view = view;
    }
    return result;
}

static struct cause *add_cause(struct tally *t, const char *sender, const struct tally_vote *vote)
{
    struct cause *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->code = vote->code;
    c->participant = strdup(sender);
    if (vote->code != TALLY_APPROVE)
        buffer_append_bytes(&c->status, vote->status);
    if (c->participant == NULL || c->status.failed) {
        free(c->participant);
        buffer_free(&c->status);
        free(c);
        return NULL;
    }
    c->next = t->causes;
    t->causes = c;
    return c;
}

/* Frees the newest cause when nobody refers to it, so that repeated votes take no memory. */
static void drop_cause(struct tally *t)
{
    struct cause *c = t->causes;

    if (c->is_used)
        return;
    t->causes = c->next;
    free(c->participant);
    buffer_free(&c->status);
    free(c);
}

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return x < y ? -1 : x > y;
}

/* Finds the confirmers; false when one party is none, or is not confirmed by sender. */
static bool find_parties(const struct view *v, const char *sender, const char *const *parties,
                         size_t n, size_t *at)
{
    for (size_t i = 0; i < n; i++) {
        at[i] = find_confirmer(v, parties[i]);
        if (at[i] == SIZE_MAX || votes_of(&v->confirmers[at[i]], sender) == NULL)
            return false;
    }
    return true;
}

enum tally_result tally_vote(struct tally *t, size_t view, const char *sender,
                             const char *const *parties, size_t n, const struct tally_vote *vote)
{
    enum tally_result result = TALLY_NO_MEMORY;
    size_t kept = 0;

    if (view >= t->n_views)
        return TALLY_UNKNOWN_VIEW;
    size_t *at = calloc(n ? n : 1, sizeof(*at));
    if (at == NULL)
        return TALLY_NO_MEMORY;
    if (n == 0 || !find_parties(&t->views[view], sender, parties, n, at)) {
        free(at);
        return TALLY_BAD_PARTY;
    }
    qsort(at, n, sizeof(*at), compare_sizes);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || at[kept - 1] != at[i])
            at[kept++] = at[i];
    struct cause *cause = add_cause(t, sender, vote);
    if (cause) {
        result = count_vote(t, view, at, kept, cause);
        drop_cause(t);
    }
    free(at);
    return result;
}

static enum tally_result malformed_view(struct tally *t, size_t view, struct cause *cause)
{
    const struct view *v = &t->views[view];
    size_t *at = calloc(v->n_confirmers ? v->n_confirmers : 1, sizeof(*at));
    size_t n = 0;

    if (at == NULL)
        return TALLY_NO_MEMORY;
    for (size_t i = 0; i < v->n_confirmers; i++)
        if (votes_of(&v->confirmers[i], cause->participant))
            at[n++] = i;
    enum tally_result result = count_vote(t, view, at, n, cause);
    free(at);
    return result;
}

enum tally_result tally_malformed(struct tally *t, size_t view, const char *sender,
                                  struct bytes status)
{
    struct tally_vote vote = {TALLY_MALFORMED, status};
    enum tally_result result = TALLY_COUNTED;

    if (view != TALLY_ALL_VIEWS && view >= t->n_views)
        return TALLY_UNKNOWN_VIEW;
    struct cause *cause = add_cause(t, sender, &vote);
    if (cause == NULL)
        return TALLY_NO_MEMORY;
    for (size_t i = 0; i < t->n_views; i++) {
        if (view != TALLY_ALL_VIEWS && view != i)
            continue;
        enum tally_result r = malformed_view(t, i, cause);
        if (r == TALLY_NO_MEMORY)
            return r;
        if (r == TALLY_EQUIVOCATION)
            result = r;
    }
    drop_cause(t);
    return result;
}

/* --- what came out ---------------------------------------------------------------------------- */

const struct tally_reason *tally_reasons(struct tally *t, size_t *n)
{
    *n = 0;
    if (t->state != TALLY_REJECTED)
        return NULL;
    const struct view *v = &t->views[t->rejected_view];
    free(t->reasons);
    t->reasons = calloc(v->n_reasons ? v->n_reasons : 1, sizeof(*t->reasons));
    if (t->reasons == NULL)
        return NULL;
    for (size_t i = 0; i < v->n_reasons; i++) {
        const struct reason *r = &v->reasons[v->n_reasons - 1 - i];
        t->reasons[i] = (struct tally_reason){.parties = r->parties,
                                              .n_parties = r->n,
                                              .participant = r->cause->participant,
                                              .code = r->cause->code,
                                              .status = buffer_bytes(&r->cause->status)};
    }
    *n = v->n_reasons;
    return t->reasons;
}

bool tally_unresponsive(const struct tally *t, const char ***out, size_t *n, struct error *err)
{
    size_t max = 0, kept = 0;

    for (size_t i = 0; i < t->n_views; i++)
        max += t->views[i].n_confirmers;
    const char **list = calloc(max ? max : 1, sizeof(*list));
    if (list == NULL)
        return no_memory(err);
    *n = 0;
    for (size_t i = 0; i < t->n_views; i++) {
        const struct view *v = &t->views[i];
        for (size_t k = 0; v->n_unmet > 0 && k < v->n_confirmers; k++)
            if (!v->confirmers[k].is_decided)
                list[(*n)++] = v->confirmers[k].host->party;
    }
    qsort(list, *n, sizeof(*list), compare_text);
    for (size_t i = 0; i < *n; i++)
        if (kept == 0 || strcmp(list[kept - 1], list[i]) != 0)
            list[kept++] = list[i];
    *n = kept;
    *out = list;
    return true;
}
