/* core.c: see core.h. An event: first what became due before it, then receipts of own verdicts,
 * then its content. Open requests are kept in the order of their ids (uthash keeps that of
 * insertion), so the first is the oldest. */
#include "mediator/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/logger.h"
#include "mediator/deadline.h"
#include "mediator/dedup.h"
#include "mediator/request.h"

/* Decided requests whose late responses are still looked at, to raise alarms. */
enum { DECIDED_KEPT = 1024 };

struct request {
    int64_t id;
    int64_t response_ts, decision_ts; /* the two deadlines */
    struct hash root;
    int32_t group;
    bool is_sender;
    char traceparent[TRACEPARENT_SIZE];
    uint8_t uuid[UUID_LEN];
    int64_t uuid_expires_ts;
    struct view_position *positions; /* by view */
    size_t *by_position;             /* views in the order of their positions */
    size_t n_views;
    struct tally *tally;
    char **participants;
    size_t n_participants;
    struct core_position before;
    UT_hash_handle hh;
};

struct unsequenced {
    struct {
        int64_t request_id;
        int32_t part, zero;
    } key;
    int64_t decision_ts;
    UT_hash_handle hh;
};

struct core {
    struct core_config cfg;
    char *psid;
    struct request *open, *decided; /* by id */
    struct unsequenced *unsequenced;
    struct deadlines deadlines;
    struct dedup *dedup;
    struct core_position last;
    struct core_stats stats;
};

/* What is known of an invalid request that is to be answered. */
struct refusal {
    enum outcome outcome;
    enum { SAY_MALFORMED, SAY_INVALID, SAY_DUPLICATE } say;
    const char *text;
    int32_t group; /* -1: of the first root hash message */
    bool has_uuid; /* burnt by this request */
    const uint8_t *uuid;
    int64_t uuid_expires_ts;
};

static bool no_memory(struct error *err)
{
    return error_set(err, ERR_MEMORY, NULL, "no memory for a request");
}

static void alarm_at(struct core *c, int64_t ts, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void alarm_at(struct core *c, int64_t ts, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->stats.n_alarms++;
    log_warn(c->cfg.logger, ERR_MALFORMED, "event %" PRId64 ": %s; dropped", ts, text);
}

static void request_free(struct request *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n_views; i++)
        view_position_free(&r->positions[i]);
    free(r->positions);
    free(r->by_position);
    tally_close(r->tally);
    for (size_t i = 0; i < r->n_participants; i++)
        free(r->participants[i]);
    free(r->participants);
    free(r);
}

void effects_free(struct effects *e)
{
    for (size_t i = 0; i < e->n; i++)
        decision_free(e->list[i].decision);
    free(e->list);
    *e = (struct effects){0};
}

static bool effects_add(struct effects *e, struct effect x, struct error *err)
{
    if (e->n == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 16;
        struct effect *p = realloc(e->list, cap * sizeof(*p));
        if (p == NULL)
            return no_memory(err);
        e->list = p;
        e->cap = cap;
    }
    e->list[e->n++] = x;
    return true;
}

bool core_open(const struct core_config *cfg, struct core **out, struct error *err)
{
    struct core *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return no_memory(err);
    c->cfg = *cfg;
    c->psid = strdup(cfg->psid);
    c->cfg.psid = c->psid;
    c->dedup = dedup_open(cfg->max_dedup);
    c->last.ts = INT64_MIN;
    if (c->psid == NULL || c->dedup == NULL) {
        core_close(c);
        return no_memory(err);
    }
    *out = c;
    return true;
}

void core_close(struct core *c)
{
    struct request *r, *next;
    struct unsequenced *u, *after;

    if (c == NULL)
        return;
    HASH_ITER(hh, c->open, r, next)
    {
        HASH_DEL(c->open, r);
        request_free(r);
    }
    HASH_ITER(hh, c->decided, r, next)
    {
        HASH_DEL(c->decided, r);
        request_free(r);
    }
    HASH_ITER(hh, c->unsequenced, u, after)
    {
        HASH_DEL(c->unsequenced, u);
        free(u);
    }
    deadlines_free(&c->deadlines);
    dedup_close(c->dedup);
    free(c->psid);
    free(c);
}

/* --- verdicts ----------------------------------------------------------------------------------
 */

static struct unsequenced *find_unsequenced(const struct core *c, int64_t request_id, int32_t part)
{
    struct unsequenced *u, want;

    memset(&want, 0, sizeof(want));
    want.key.request_id = request_id;
    want.key.part = part;
    HASH_FIND(hh, c->unsequenced, &want.key, sizeof(want.key), u);
    return u;
}

static bool add_unsequenced(struct core *c, int64_t request_id, int32_t part, int64_t decision_ts,
                            struct error *err)
{
    if (find_unsequenced(c, request_id, part))
        return true;
    struct unsequenced *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return no_memory(err);
    u->key.request_id = request_id;
    u->key.part = part;
    u->decision_ts = decision_ts;
    HASH_ADD(hh, c->unsequenced, key, sizeof(u->key), u);
    return deadlines_add(&c->deadlines,
                         (struct deadline){decision_ts, request_id, part, DEADLINE_DECISION}, err);
}

static bool settle_unsequenced(struct core *c, enum effect_kind kind, int64_t ts,
                               int64_t request_id, int32_t part, struct effects *out,
                               struct error *err)
{
    struct unsequenced *u = find_unsequenced(c, request_id, part);

    if (u == NULL)
        return true;
    HASH_DEL(c->unsequenced, u);
    free(u);
    if (kind == EFFECT_EXPIRED) {
        c->stats.n_expired++;
        log_warn(c->cfg.logger, ERR_TIMEOUT,
                 "request %" PRId64 ": its verdict was not sequenced by its decision time",
                 request_id);
    }
    return effects_add(
        out, (struct effect){.kind = kind, .ts = ts, .request_id = request_id, .part = part}, err);
}

static void count_outcome(struct core *c, enum outcome o)
{
    switch (o) {
    case OUTCOME_APPROVED:
        c->stats.n_approved++;
        break;
    case OUTCOME_TIMED_OUT:
        c->stats.n_timed_out++;
        break;
    case OUTCOME_REJECTED:
    case OUTCOME_INVALID:
    case OUTCOME_DUPLICATE:
        c->stats.n_rejected++;
        break;
    case OUTCOME_PURGED:
        break;
    }
}

/* Hands d out; takes it over in any case. */
static bool hand_out(struct core *c, int64_t ts, struct decision *d, struct effects *out,
                     struct error *err)
{
    bool is_sent = d->is_sender && d->content.len > 0 && d->n_participants > 0;
    struct effect e = {EFFECT_DECIDED, ts, d->request_id, d->part, d};

    d->is_sender = is_sent;
    if (!effects_add(out, e, err)) {
        decision_free(d);
        return false;
    }
    count_outcome(c, d->outcome);
    return !is_sent || add_unsequenced(c, d->request_id, d->part, d->decision_ts, err);
}

static bool copy_participants(struct decision *d, char *const *from, size_t n)
{
    d->participants = calloc(n ? n : 1, sizeof(*d->participants));
    for (; d->participants && d->n_participants < n; d->n_participants++)
        if ((d->participants[d->n_participants] = strdup(from[d->n_participants])) == NULL)
            return false;
    return d->participants != NULL;
}

static bool build_content(struct core *c, struct request *r, enum outcome o, struct buffer *out,
                          struct error *err)
{
    struct verdict_subject s = {c->psid, r->id, VIEW_TYPE_TRANSACTION, r->root};

    switch (o) {
    case OUTCOME_APPROVED:
        return verdict_approve(&s, out, err);
    case OUTCOME_REJECTED:
        return verdict_reject(&s, r->tally, out, err);
    case OUTCOME_TIMED_OUT:
        return verdict_timeout(&s, r->tally, out, err);
    case OUTCOME_PURGED:
        return true;
    case OUTCOME_INVALID:
    case OUTCOME_DUPLICATE:
        break;
    }
    return error_set(err, ERR_INTERNAL, NULL, "outcome %d of an open request", (int)o);
}

/* Closes an open request. at_ts: the finalization time; event_ts: of the event that caused it. */
static bool decide(struct core *c, struct request *r, enum outcome o, int64_t at_ts,
                   int64_t event_ts, struct effects *out, struct error *err)
{
    struct decision *d = calloc(1, sizeof(*d));
    char trace[33];

    if (d == NULL || !copy_participants(d, r->participants, r->n_participants)) {
        decision_free(d);
        return no_memory(err);
    }
    d->request_id = r->id;
    d->outcome = o;
    d->decided_ts = at_ts;
    d->decision_ts = r->decision_ts;
    d->group = r->group;
    d->is_sender = r->is_sender;
    d->has_uuid = true;
    memcpy(d->uuid, r->uuid, UUID_LEN);
    d->uuid_expires_ts = r->uuid_expires_ts;
    if (!build_content(c, r, o, &d->content, err)) {
        decision_free(d);
        return false;
    }
    memcpy(d->traceparent, r->traceparent, sizeof(d->traceparent));
    logger_write(c->cfg.logger, LOG_DEBUG, ERR_NONE, logger_trace(r->traceparent, trace),
                 "request %" PRId64 ": %s at %" PRId64, r->id, outcome_name(o), at_ts);
    HASH_DEL(c->open, r);
    HASH_ADD(hh, c->decided, id, sizeof(r->id), r);
    if (HASH_COUNT(c->decided) > DECIDED_KEPT) {
        struct request *oldest = c->decided;
        HASH_DEL(c->decided, oldest);
        request_free(oldest);
    }
    return hand_out(c, event_ts, d, out, err);
}

/* --- time --------------------------------------------------------------------------------------
 */

static bool pass_time(struct core *c, int64_t ts, struct effects *out, struct error *err)
{
    struct deadline d;

    while (deadlines_pop(&c->deadlines, ts, &d)) {
        struct request *r;
        bool ok = true;
        switch (d.kind) {
        case DEADLINE_RESPONSES:
            HASH_FIND(hh, c->open, &d.request_id, sizeof(d.request_id), r);
            if (r)
                ok = decide(c, r, OUTCOME_TIMED_OUT, d.due_ts + 1, ts, out, err);
            break;
        case DEADLINE_DECISION:
            ok = settle_unsequenced(c, EFFECT_EXPIRED, ts, d.request_id, d.part, out, err);
            break;
        }
        if (!ok)
            return false;
    }
    return true;
}

/* --- invalid requests --------------------------------------------------------------------------
 */

/* One addressable tree of a root hash message. */
struct told {
    const struct root_hash_message *m;
    const char *participant;
    int32_t group;
};

static int compare_told(const void *a, const void *b)
{
    const struct told *x = a, *y = b;

    if (x->m->view_type != y->m->view_type)
        return x->m->view_type < y->m->view_type ? -1 : 1;
    int order = hash_compare(&x->m->root, &y->m->root);
    return order ? order : strcmp(x->participant, y->participant);
}

/* All addressable trees, in the order of the event. *out is the caller's. */
static bool find_told(const struct inbound *in, struct told **out, size_t *n, struct error *err)
{
    size_t max = 0;

    *n = 0;
    for (size_t i = inbound_find(in, MESSAGE_ROOT_HASH, 0); i < in->n;
         i = inbound_find(in, MESSAGE_ROOT_HASH, i + 1))
        max += in->envelopes[i].recipients->n_nodes;
    *out = calloc(max ? max : 1, sizeof(**out));
    if (*out == NULL)
        return no_memory(err);
    for (size_t i = inbound_find(in, MESSAGE_ROOT_HASH, 0); i < in->n;
         i = inbound_find(in, MESSAGE_ROOT_HASH, i + 1)) {
        const struct recipients *r = in->envelopes[i].recipients;
        for (uint32_t node = 0; node < r->n_nodes; node = r->nodes[node].end) {
            int32_t group = -1;
            const char *p = request_root_tree(r, node, &group);
            if (p)
                (*out)[(*n)++] = (struct told){&in->envelopes[i].message.as.root_hash, p, group};
        }
    }
    return true;
}

static bool refusal_content(struct core *c, int64_t ts, const struct refusal *why,
                            const struct root_hash_message *m, struct buffer *out,
                            struct error *err)
{
    struct verdict_subject s = {c->psid, ts, m->view_type, m->root};

    switch (why->say) {
    case SAY_MALFORMED:
        return verdict_malformed(&s, out, err);
    case SAY_INVALID:
        return verdict_invalid(&s, why->text, out, err);
    case SAY_DUPLICATE:
        return verdict_duplicate(&s, why->uuid, why->uuid_expires_ts, out, err);
    }
    return error_set(err, ERR_INTERNAL, NULL, "refusal %d", (int)why->say);
}

static struct decision *refusal_decision(int64_t ts, int32_t part, const struct refusal *why,
                                         int32_t group, bool is_sender, int64_t decision_ts)
{
    struct decision *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->request_id = d->decided_ts = ts;
    d->part = part;
    d->outcome = why->outcome;
    d->decision_ts = decision_ts;
    d->group = group;
    d->is_sender = is_sender;
    if (part == 0 && why->has_uuid) {
        d->has_uuid = true;
        memcpy(d->uuid, why->uuid, UUID_LEN);
        d->uuid_expires_ts = why->uuid_expires_ts;
    }
    return d;
}

/* told[0..n): of one (view type, root hash); sorted by participant. */
static bool refuse_part(struct core *c, int64_t ts, int32_t part, const struct refusal *why,
                        int32_t group, bool is_sender, int64_t decision_ts, const struct told *told,
                        size_t n, struct effects *out, struct error *err)
{
    struct decision *d = refusal_decision(ts, part, why, group, is_sender, decision_ts);

    if (d == NULL)
        return no_memory(err);
    d->participants = calloc(n ? n : 1, sizeof(*d->participants));
    for (size_t i = 0; d->participants && i < n; i++) {
        if (i > 0 && strcmp(told[i].participant, told[i - 1].participant) == 0)
            continue;
        char *copy = strdup(told[i].participant);
        if (copy == NULL)
            break;
        d->participants[d->n_participants++] = copy;
    }
    if (d->participants == NULL || (n > 0 && d->n_participants == 0)) {
        decision_free(d);
        return no_memory(err);
    }
    if (n > 0 && !refusal_content(c, ts, why, told[0].m, &d->content, err)) {
        decision_free(d);
        return false;
    }
    return hand_out(c, ts, d, out, err);
}

/* Answers an invalid request: one verdict for each (view type, root hash) of its root hash
 * messages; without any there is a row and nobody to tell. */
static bool refuse(struct core *c, const struct inbound *in, const struct snapshot_params *p,
                   const struct refusal *why, struct effects *out, struct error *err)
{
    int64_t decision_ts = in->ts + p->response_timeout_us + p->reaction_timeout_us;
    struct snapshot_group g = {0};
    struct told *told;
    size_t n;
    int32_t group = why->group, part = 0;
    bool ok = true;

    if (!find_told(in, &told, &n, err))
        return false;
    if (group < 0 && n > 0)
        group = told[0].group;
    if (group >= 0)
        c->cfg.top.group(c->cfg.top.ctx, in->ts, group, &g);
    if (n > 0)
        qsort(told, n, sizeof(*told), compare_told);
    for (size_t i = 0, k; ok && (i < n || (n == 0 && part == 0)); i = k) {
        for (k = i; k < n && told[k].m->view_type == told[i].m->view_type &&
                    hash_equal(&told[k].m->root, &told[i].m->root);)
            k++;
        ok = refuse_part(c, in->ts, part++, why, group, g.is_there && g.is_sender, decision_ts,
                         n ? &told[i] : NULL, k - i, out, err);
    }
    free(told);
    return ok;
}

/* --- requests ----------------------------------------------------------------------------------
 */

static int compare_positions(const struct view_position *a, const struct view_position *b)
{
    return bytes_compare(bytes_of(a->key, a->len), bytes_of(b->key, b->len));
}

/* Insertion of the views into by_position; n log n by a heap would do too, n is small or hostile.
 */
static bool index_positions(struct request *r)
{
    size_t n = r->n_views, *from = calloc(n ? n : 1, sizeof(*from)), *to;

    r->by_position = calloc(n ? n : 1, sizeof(*r->by_position));
    if (from == NULL || r->by_position == NULL) {
        free(from);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        r->by_position[i] = i;
    for (size_t width = 1; width < n; width *= 2) { /* merge sort: qsort has no context */
        memcpy(from, r->by_position, n * sizeof(*from));
        to = r->by_position;
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = mid + width < n ? mid + width : n;
            size_t a = lo, b = mid;
            for (size_t k = lo; k < hi; k++)
                to[k] = b == hi || (a < mid && compare_positions(&r->positions[from[a]],
                                                                 &r->positions[from[b]]) <= 0)
                            ? from[a++]
                            : from[b++];
        }
    }
    free(from);
    return true;
}

static size_t find_view(const struct request *r, const struct view_position *p)
{
    size_t lo = 0, hi = r->n_views;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = compare_positions(&r->positions[r->by_position[mid]], p);
        if (order == 0)
            return r->by_position[mid];
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return SIZE_MAX;
}

/* Opens a sound request; takes the tally and participants of res, the positions of the tree. */
static bool open_request(struct core *c, struct inbound *in, struct informee_tree *tree,
                         struct request_result *res, const struct snapshot_params *p,
                         int64_t expires_ts, struct error *err)
{
    struct request *r = calloc(1, sizeof(*r));
    struct snapshot_group g;
    char trace[33];

    if (r == NULL)
        return no_memory(err);
    r->id = in->ts;
    r->response_ts = in->ts + p->response_timeout_us;
    r->decision_ts = r->response_ts + p->reaction_timeout_us;
    r->root = tree->root;
    r->group = tree->mediator_group;
    c->cfg.top.group(c->cfg.top.ctx, in->ts, r->group, &g);
    r->is_sender = g.is_sender;
    snprintf(r->traceparent, sizeof(r->traceparent), "%s", in->traceparent ? in->traceparent : "");
    logger_write(c->cfg.logger, LOG_DEBUG, ERR_NONE, logger_trace(r->traceparent, trace),
                 "request %" PRId64 ": open, %zu views", r->id, tree->n_views);
    memcpy(r->uuid, tree->uuid, UUID_LEN);
    r->uuid_expires_ts = expires_ts;
    r->before = c->last;
    r->positions = calloc(tree->n_views ? tree->n_views : 1, sizeof(*r->positions));
    if (r->positions) {
        for (; r->n_views < tree->n_views; r->n_views++) {
            r->positions[r->n_views] = tree->views[r->n_views].position;
            tree->views[r->n_views].position = (struct view_position){0};
        }
    }
    if (r->positions == NULL || !index_positions(r)) {
        request_free(r);
        return no_memory(err);
    }
    r->tally = res->tally;
    r->participants = res->participants;
    r->n_participants = res->n_participants;
    memset(res, 0, sizeof(*res));
    HASH_ADD(hh, c->open, id, sizeof(r->id), r);
    return deadlines_add(&c->deadlines,
                         (struct deadline){r->response_ts, r->id, 0, DEADLINE_RESPONSES}, err);
}

static bool refuse_fault(struct core *c, struct inbound *in, const struct snapshot_params *p,
                         const struct informee_tree *tree, const struct request_result *res,
                         int64_t expires_ts, struct effects *out, struct error *err)
{
    bool is_known_group = res->fault != REQUEST_NO_SUCH_GROUP;
    struct refusal why = {.outcome = OUTCOME_INVALID,
                          .say = res->fault == REQUEST_NOT_HOSTED ? SAY_INVALID : SAY_MALFORMED,
                          .text = res->text,
                          .group = is_known_group ? tree->mediator_group : -1,
                          .has_uuid = true,
                          .uuid = tree->uuid,
                          .uuid_expires_ts = expires_ts};

    if (res->is_race)
        log_info(c->cfg.logger, "request %" PRId64 ": rejected, as the topology has changed: %s",
                 in->ts, res->text);
    else {
        c->stats.n_alarms++;
        log_warn(c->cfg.logger, ERR_MALFORMED, "request %" PRId64 ": rejected: %s", in->ts,
                 res->text);
    }
    return refuse(c, in, p, &why, out, err);
}

static bool refuse_duplicate(struct core *c, struct inbound *in, const struct snapshot_params *p,
                             const struct informee_tree *tree, int64_t expires_ts,
                             struct effects *out, struct error *err)
{
    struct refusal why = {.outcome = OUTCOME_DUPLICATE,
                          .say = SAY_DUPLICATE,
                          .group = tree->mediator_group,
                          .uuid = tree->uuid,
                          .uuid_expires_ts = expires_ts};

    log_info(c->cfg.logger, "request %" PRId64 ": rejected: its uuid was used before", in->ts);
    return refuse(c, in, p, &why, out, err);
}

static bool on_request(struct core *c, struct inbound *in, size_t at, struct effects *out,
                       struct error *err)
{
    struct informee_tree *tree = &in->envelopes[at].message.as.informee.tree;
    struct request_result res;
    struct snapshot_params p;
    int64_t expires_ts;

    if (!c->cfg.top.params(c->cfg.top.ctx, in->ts, &p, err))
        return false;
    bool is_duplicate = dedup_is_burnt(c->dedup, tree->uuid, in->ts, &expires_ts);
    if (!is_duplicate) {
        expires_ts = in->ts + p.dedup_timeout_us;
        if (!dedup_burn(c->dedup, tree->uuid, in->ts, expires_ts, err))
            return false;
    }
    if (!c->cfg.top.is_member(c->cfg.top.ctx, in->ts)) {
        log_info(c->cfg.logger,
                 "request %" PRId64 ": ignored, as this mediator is in no active group", in->ts);
        return true;
    }
    if (is_duplicate)
        return refuse_duplicate(c, in, &p, tree, expires_ts, out, err);
    if (!request_check(in, at, &c->cfg.top, c->cfg.race_delay_us, &res, err))
        return false;
    bool ok;
    if (res.fault != REQUEST_SOUND) {
        ok = refuse_fault(c, in, &p, tree, &res, expires_ts, out, err);
    } else if (HASH_COUNT(c->open) >= c->cfg.max_open) {
        struct refusal why = {.outcome = OUTCOME_INVALID,
                              .say = SAY_INVALID,
                              .text = "Too many requests are in flight.",
                              .group = tree->mediator_group,
                              .has_uuid = true,
                              .uuid = tree->uuid,
                              .uuid_expires_ts = expires_ts};
        log_warn(c->cfg.logger, ERR_OVERLOADED, "request %" PRId64 ": rejected: %zu are in flight",
                 in->ts, c->cfg.max_open);
        ok = refuse(c, in, &p, &why, out, err);
    } else {
        ok = open_request(c, in, tree, &res, &p, expires_ts, err);
    }
    request_result_free(&res);
    return ok;
}

/* --- responses ---------------------------------------------------------------------------------
 */

/* How many mediator groups are addressed; *group: one of them. */
static size_t count_groups(const struct recipients *r, int32_t wanted, bool *has_wanted)
{
    size_t n = 0;
    int32_t first = -1;

    *has_wanted = false;
    for (uint32_t i = 0; i < r->n_all; i++) {
        if (r->all[i].kind != RECIPIENT_MEDIATOR_GROUP)
            continue;
        if (r->all[i].group == wanted)
            *has_wanted = true;
        if (n == 0 || r->all[i].group != first)
            n++;
        if (n == 1)
            first = r->all[i].group;
    }
    return n;
}

static bool verify_responses(struct core *c, const struct inbound_envelope *e,
                             const struct confirmation_responses *m, struct error *why)
{
    struct hash h;

    if (!message_hash(buffer_bytes(&e->envelope.content), &h, why))
        return false;
    for (size_t i = 0; i < e->envelope.n_signatures; i++)
        if (!c->cfg.top.verify(c->cfg.top.ctx, m->request_id, m->sender, &h,
                               &e->envelope.signatures[i], why))
            return false;
    return e->envelope.n_signatures > 0;
}

/* The request that m answers, when m may be counted; NULL after a log line. */
static struct request *find_answered(struct core *c, const struct inbound *in,
                                     const struct inbound_envelope *e,
                                     const struct confirmation_responses *m)
{
    struct request *r;
    struct error why = {0};
    bool has_group;

    HASH_FIND(hh, c->open, &m->request_id, sizeof(m->request_id), r);
    if (r == NULL)
        HASH_FIND(hh, c->decided, &m->request_id, sizeof(m->request_id), r);
    if (r == NULL) {
        log_info(c->cfg.logger,
                 "response of %.260s to request %" PRId64 ": unknown or long decided", m->sender,
                 m->request_id);
        return NULL;
    }
    if (count_groups(e->recipients, r->group, &has_group) > 1)
        alarm_at(c, in->ts, "a response of %.200s to several mediator groups", m->sender);
    else if (!verify_responses(c, e, m, &why))
        alarm_at(c, in->ts, "a response that %.200s has not signed: %.150s", m->sender, why.cause);
    else if (in->ts > r->response_ts)
        log_warn(c->cfg.logger, ERR_TIMEOUT,
                 "response of %.260s to request %" PRId64 ": %" PRId64 " us too late", m->sender,
                 r->id, in->ts - r->response_ts);
    else if (in->has_topology_timestamp)
        alarm_at(c, in->ts, "a response of %.200s with a topology timestamp", m->sender);
    else if (!has_group)
        alarm_at(c, in->ts, "a response of %.200s that is not addressed to mediator group %d",
                 m->sender, (int)r->group);
    else if (!hash_equal(&m->root, &r->root))
        alarm_at(c, in->ts, "a response of %.200s with a wrong root hash", m->sender);
    else
        return r;
    return NULL;
}

/* One response of an envelope, into the tally. */
static bool count_response(struct core *c, struct request *r, int64_t ts, const char *sender,
                           const struct confirmation_response *x, struct error *err)
{
    size_t view = x->has_position ? find_view(r, &x->position) : TALLY_ALL_VIEWS;
    struct tally_vote vote = {(enum tally_code)x->verdict, buffer_bytes(&x->reason)};
    enum tally_result result;

    if (x->has_position && view == SIZE_MAX)
        result = TALLY_UNKNOWN_VIEW;
    else if (x->verdict == LOCAL_MALFORMED)
        result = tally_malformed(r->tally, view, sender, vote.status);
    else
        result = tally_vote(r->tally, view, sender, (const char *const *)x->parties, x->n_parties,
                            &vote);
    switch (result) {
    case TALLY_COUNTED:
        break;
    case TALLY_EQUIVOCATION:
        alarm_at(c, ts, "%.200s contradicts its own response to request %" PRId64, sender, r->id);
        break;
    case TALLY_UNKNOWN_VIEW:
        alarm_at(c, ts, "%.200s answers for a view that request %" PRId64 " has not", sender,
                 r->id);
        break;
    case TALLY_BAD_PARTY:
        alarm_at(c, ts, "%.200s answers request %" PRId64 " for a party that is not its to confirm",
                 sender, r->id);
        break;
    case TALLY_NO_MEMORY:
        return no_memory(err);
    }
    return true;
}

static bool on_responses(struct core *c, struct inbound *in, size_t at, struct effects *out,
                         struct error *err)
{
    const struct confirmation_responses *m = &in->envelopes[at].message.as.responses;
    struct request *r = find_answered(c, in, &in->envelopes[at], m), *open;

    if (r == NULL)
        return true;
    for (size_t i = 0; i < m->n; i++) {
        if (!count_response(c, r, in->ts, m->sender, &m->responses[i], err))
            return false;
        HASH_FIND(hh, c->open, &r->id, sizeof(r->id), open);
        if (open == NULL || tally_state(r->tally) == TALLY_PENDING)
            continue;
        enum outcome o =
            tally_state(r->tally) == TALLY_APPROVED ? OUTCOME_APPROVED : OUTCOME_REJECTED;
        if (!decide(c, r, o, in->ts, in->ts, out, err))
            return false;
    }
    return true;
}

/* --- events ------------------------------------------------------------------------------------
 */

/* Logs what does not parse. Returns how many. */
static size_t note_bad(struct core *c, const struct inbound *in)
{
    size_t n = 0;

    for (size_t i = 0; i < in->n; i++) {
        const struct inbound_envelope *e = &in->envelopes[i];
        if (e->state == INBOUND_PARSED)
            continue;
        if (e->state == INBOUND_BAD)
            n++;
        alarm_at(c, in->ts, "envelope %zu: %.300s", i, e->error.cause);
    }
    return n;
}

/* A batch with root hash messages that holds no request that can be checked: its participants are
 * told so that they need not wait for the time-out. */
static bool refuse_broken(struct core *c, struct inbound *in, bool is_unsupported,
                          struct effects *out, struct error *err)
{
    struct refusal why = {.outcome = OUTCOME_INVALID,
                          .say = is_unsupported ? SAY_INVALID : SAY_MALFORMED,
                          .text = "Reassignments are not supported.",
                          .group = -1};
    struct snapshot_params p;

    if (inbound_find(in, MESSAGE_ROOT_HASH, 0) == in->n)
        return true;
    if (!c->cfg.top.is_member(c->cfg.top.ctx, in->ts))
        return true;
    if (!c->cfg.top.params(c->cfg.top.ctx, in->ts, &p, err))
        return false;
    return refuse(c, in, &p, &why, out, err);
}

static bool on_content(struct core *c, struct inbound *in, struct effects *out, struct error *err)
{
    size_t n_bad = note_bad(c, in);
    size_t n_requests = inbound_count(in, MESSAGE_INFORMEE);
    size_t n_reassignments =
        inbound_count(in, MESSAGE_UNASSIGNMENT) + inbound_count(in, MESSAGE_ASSIGNMENT);
    size_t n_responses = inbound_count(in, MESSAGE_RESPONSES);

    if (n_requests + n_reassignments > 1) {
        alarm_at(c, in->ts, "%zu requests in one batch", n_requests + n_reassignments);
        return true;
    }
    if (n_requests + n_reassignments > 0 && n_responses > 0) {
        alarm_at(c, in->ts, "a request and a response in one batch");
        return true;
    }
    if (n_bad > 0 && n_responses == 0)
        return refuse_broken(c, in, false, out, err);
    if (n_reassignments > 0)
        return refuse_broken(c, in, true, out, err);
    if (n_requests > 0)
        return on_request(c, in, inbound_find(in, MESSAGE_INFORMEE, 0), out, err);
    for (size_t i = inbound_find(in, MESSAGE_RESPONSES, 0); i < in->n;
         i = inbound_find(in, MESSAGE_RESPONSES, i + 1))
        if (!on_responses(c, in, i, out, err))
            return false;
    return true;
}

/* The receipt of a verdict of this mediator, by whichever replica sent it. */
static bool on_own(struct core *c, const struct inbound *in, struct effects *out, struct error *err)
{
    int64_t request_id;
    int32_t part;

    if (in->message_id == NULL || !verdict_message_id_parse(in->message_id, &request_id, &part))
        return true;
    if (in->is_error &&
        (in->error_reason == NULL ||
         (strcmp(in->error_reason, "SEQUENCER_AGGREGATE_SUBMISSION_ALREADY_SENT") != 0 &&
          strcmp(in->error_reason, "SEQUENCER_AGGREGATE_SUBMISSION_STUFFING") != 0))) {
        log_warn(c->cfg.logger, ERR_REFUSED,
                 "request %" PRId64 ": the sequencer rejected its verdict: %s", request_id,
                 in->error_reason ? in->error_reason : "no reason");
        return true;
    }
    return settle_unsequenced(c, EFFECT_SEQUENCED, in->ts, request_id, part, out, err);
}

bool core_event(struct core *c, struct inbound *in, const struct hash *hash, struct effects *out,
                struct error *err)
{
    if (!pass_time(c, in->ts, out, err) || !on_own(c, in, out, err))
        return false;
    if (!in->is_error && !on_content(c, in, out, err))
        return false;
    c->last = (struct core_position){true, in->ts, *hash};
    return true;
}

bool core_purge(struct core *c, struct effects *out, struct error *err)
{
    struct request *r, *next;

    HASH_ITER(hh, c->open, r, next)
    if (!decide(c, r, OUTCOME_PURGED, c->last.ts, c->last.ts, out, err))
        return false;
    return true;
}

bool core_restore_uuid(struct core *c, const uint8_t uuid[UUID_LEN], int64_t ts, int64_t expires_ts,
                       struct error *err)
{
    return dedup_burn(c->dedup, uuid, ts, expires_ts, err);
}

bool core_restore_unsequenced(struct core *c, int64_t request_id, int32_t part, int64_t decision_ts,
                              struct error *err)
{
    return add_unsequenced(c, request_id, part, decision_ts, err);
}

void core_position(const struct core *c, struct core_position *out)
{
    *out = c->open ? c->open->before : c->last;
}

int64_t core_seen_ts(const struct core *c)
{
    return c->last.ts;
}

/* What is settled waits for nothing, though its deadline is still in the heap. */
static bool is_settled(const struct core *c, const struct deadline *d)
{
    struct request *r;

    if (d->kind == DEADLINE_DECISION)
        return find_unsequenced(c, d->request_id, d->part) == NULL;
    HASH_FIND(hh, c->open, &d->request_id, sizeof(d->request_id), r);
    return r == NULL;
}

int64_t core_next_due(struct core *c)
{
    struct deadline d;

    while (c->deadlines.n > 0 && is_settled(c, &c->deadlines.heap[0]))
        (void)deadlines_pop(&c->deadlines, INT64_MAX, &d);
    return deadlines_next(&c->deadlines);
}

bool core_is_open(const struct core *c, int64_t request_id)
{
    struct request *r;

    HASH_FIND(hh, c->open, &request_id, sizeof(request_id), r);
    return r != NULL;
}

bool core_is_unsequenced(const struct core *c, int64_t request_id, int32_t part)
{
    return find_unsequenced(c, request_id, part) != NULL;
}

void core_stats(const struct core *c, struct core_stats *out)
{
    *out = c->stats;
    out->n_open = HASH_COUNT(c->open);
    out->n_unsequenced = HASH_COUNT(c->unsequenced);
}
