/* request.c: see request.h. One struct check holds what the rules share at one topology: the
 * informees with their hosting. Rules answer false when broken, with the fault and its text. */
#include "mediator/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct informee {
    const char *party;
    struct snapshot_hosting hosting;
};

struct check {
    const struct inbound *in;
    const struct inbound_envelope *envelope; /* of the request */
    const struct informee_tree *tree;
    const struct snapshot *top;
    int64_t ts;                 /* whose topology */
    struct informee *informees; /* sorted by party */
    size_t n;
    const char *
        *hosts; /* participants that host an informee, sorted, distinct; borrow from informees */
    size_t n_hosts;
    struct tally *tally;
    struct request_result *out;
    struct error *err;
    bool is_failed; /* by err, not by a rule */
};

static bool fault(struct check *c, enum request_fault f, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool fault(struct check *c, enum request_fault f, const char *fmt, ...)
{
    va_list ap;

    c->out->fault = f;
    va_start(ap, fmt);
    vsnprintf(c->out->text, sizeof(c->out->text), fmt, ap);
    va_end(ap);
    return false;
}

static bool failed(struct check *c)
{
    c->is_failed = true;
    return false;
}

static bool failed_memory(struct check *c)
{
    error_set(c->err, ERR_MEMORY, NULL, "no memory to check a request");
    return failed(c);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t distinct(const char **list, size_t n)
{
    size_t kept = 0;

    if (n > 0)
        qsort(list, n, sizeof(*list), compare_text);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(list[kept - 1], list[i]) != 0)
            list[kept++] = list[i];
    return kept;
}

/* --- what the rules share ----------------------------------------------------------------------
 */

static bool find_informees(struct check *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->tree->n_views; i++)
        n += c->tree->views[i].n_informees;
    const char **list = calloc(n ? n : 1, sizeof(*list));
    if (list == NULL)
        return failed_memory(c);
    n = 0;
    for (size_t i = 0; i < c->tree->n_views; i++)
        for (size_t k = 0; k < c->tree->views[i].n_informees; k++)
            list[n++] = c->tree->views[i].informees[k];
    n = distinct(list, n);
    c->informees = calloc(n ? n : 1, sizeof(*c->informees));
    for (; c->informees && c->n < n; c->n++) {
        struct informee *f = &c->informees[c->n];
        f->party = list[c->n];
        if (!c->top->hosting(c->top->ctx, c->ts, f->party, &f->hosting, c->err)) {
            free(list);
            return failed(c);
        }
    }
    free(list);
    return c->informees ? true : failed_memory(c);
}

static bool find_hosts(struct check *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        n += c->informees[i].hosting.n;
    c->hosts = calloc(n ? n : 1, sizeof(*c->hosts));
    if (c->hosts == NULL)
        return failed_memory(c);
    n = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->informees[i].hosting.n; k++)
            c->hosts[n++] = c->informees[i].hosting.hosts[k].participant;
    c->n_hosts = distinct(c->hosts, n);
    return true;
}

static void check_free(struct check *c)
{
    for (size_t i = 0; i < c->n; i++)
        snapshot_hosting_free(&c->informees[i].hosting);
    free(c->informees);
    free(c->hosts);
    tally_close(c->tally);
}

/* --- the rules ---------------------------------------------------------------------------------
 */

static bool check_signature(struct check *c)
{
    char member[MEMBER_TEXT_SIZE];
    struct error why;

    member_format(MEMBER_PARTICIPANT, c->tree->submitting_participant, member);
    if (c->top->verify(c->top->ctx, c->ts, member, &c->tree->root,
                       &c->envelope->message.as.informee.signature, &why))
        return true;
    return fault(c, REQUEST_BAD_SIGNATURE, "the root hash is not signed by %.120s: %.120s", member,
                 why.cause);
}

static bool check_hosted(struct check *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->informees[i].hosting.n == 0)
            return fault(c, REQUEST_NOT_HOSTED, "informee %.255s has no active participant",
                         c->informees[i].party);
    return true;
}

static bool check_group(struct check *c)
{
    const struct recipients *r = c->envelope->recipients;
    struct snapshot_group g;

    c->top->group(c->top->ctx, c->ts, c->tree->mediator_group, &g);
    if (!g.is_there || !g.is_member)
        return fault(c, REQUEST_NO_SUCH_GROUP, "mediator group %d %s", (int)c->tree->mediator_group,
                     g.is_there ? "does not include this mediator" : "does not exist");
    if (r->n_nodes != 1 || r->nodes[0].n != 1 || r->all[0].kind != RECIPIENT_MEDIATOR_GROUP ||
        r->all[0].group != c->tree->mediator_group)
        return fault(c, REQUEST_WRONG_RECIPIENTS,
                     "the request is not addressed to exactly its mediator group %d",
                     (int)c->tree->mediator_group);
    if (!g.is_active)
        return fault(c, REQUEST_INACTIVE_GROUP, "mediator group %d is not active",
                     (int)c->tree->mediator_group);
    return true;
}

const char *request_root_tree(const struct recipients *r, uint32_t root_node, int32_t *group)
{
    const char *participant = NULL;

    for (uint32_t i = 0; i < r->nodes[root_node].n; i++) {
        const struct recipient *x = &r->all[r->nodes[root_node].first + i];
        if (x->kind == RECIPIENT_MEDIATOR_GROUP) {
            *group = x->group;
            break;
        }
    }
    if (r->nodes[root_node].n != 2)
        return NULL;
    return root_hash_tree_ok(r, root_node, *group, &participant) ? participant : NULL;
}

/* The participants of all root hash messages, each tree in turn; *n of them. False: a fault. */
static bool check_root_trees(struct check *c, const char **told, size_t *n)
{
    for (size_t i = inbound_find(c->in, MESSAGE_ROOT_HASH, 0); i < c->in->n;
         i = inbound_find(c->in, MESSAGE_ROOT_HASH, i + 1)) {
        const struct recipients *r = c->in->envelopes[i].recipients;
        for (uint32_t node = 0; node < r->n_nodes; node = r->nodes[node].end) {
            int32_t group = -1;
            const char *p = request_root_tree(r, node, &group);
            if (p == NULL || group != c->tree->mediator_group)
                return fault(c, REQUEST_BAD_ROOT_RECIPIENTS,
                             "a root hash message is not for mediator group %d and one participant",
                             (int)c->tree->mediator_group);
            told[(*n)++] = p;
        }
    }
    return true;
}

static bool check_root_contents(struct check *c)
{
    const struct root_hash_message *first = NULL;

    for (size_t i = inbound_find(c->in, MESSAGE_ROOT_HASH, 0); i < c->in->n;
         i = inbound_find(c->in, MESSAGE_ROOT_HASH, i + 1)) {
        const struct root_hash_message *m = &c->in->envelopes[i].message.as.root_hash;
        if (first == NULL)
            first = m;
        if (!bytes_equal(buffer_bytes(&m->payload), buffer_bytes(&first->payload)))
            return fault(c, REQUEST_BAD_ROOT_CONTENT, "root hash messages with different payloads");
        if (!hash_equal(&m->root, &c->tree->root))
            return fault(c, REQUEST_BAD_ROOT_CONTENT, "a root hash message with another root hash");
        if (m->view_type != VIEW_TYPE_TRANSACTION)
            return fault(c, REQUEST_BAD_ROOT_CONTENT, "a root hash message with view type %d",
                         m->view_type);
    }
    return true;
}

/* told is sorted. */
static bool check_told(struct check *c, const char **told, size_t n)
{
    size_t i = 0, k = 0;

    while (i < n || k < c->n_hosts) {
        int order = i == n ? 1 : k == c->n_hosts ? -1 : strcmp(told[i], c->hosts[k]);
        if (order < 0)
            return fault(c, REQUEST_WRONG_PARTICIPANTS,
                         "a superfluous root hash message for %.260s", told[i]);
        if (order > 0)
            return fault(c, REQUEST_WRONG_PARTICIPANTS, "no root hash message for %.260s",
                         c->hosts[k]);
        i++;
        k++;
    }
    return true;
}

static bool check_root_hash_messages(struct check *c)
{
    size_t n = 0, max = 0;

    for (size_t i = inbound_find(c->in, MESSAGE_ROOT_HASH, 0); i < c->in->n;
         i = inbound_find(c->in, MESSAGE_ROOT_HASH, i + 1))
        max += c->in->envelopes[i].recipients->n_nodes;
    const char **told = calloc(max ? max : 1, sizeof(*told));
    if (told == NULL)
        return failed_memory(c);
    bool ok = check_root_trees(c, told, &n);
    if (ok && distinct(told, n) != n)
        ok = fault(c, REQUEST_ROOT_TWICE, "a participant has two root hash messages");
    ok = ok && check_root_contents(c) && check_told(c, told, n);
    free(told);
    return ok;
}

/* --- the tally ---------------------------------------------------------------------------------
 */

static bool add_quorum(struct check *c, const struct informee_view *v, const struct quorum *q)
{
    struct tally_confirmer *list = calloc(q->n ? q->n : 1, sizeof(*list));

    if (list == NULL)
        return failed_memory(c);
    for (size_t i = 0; i < q->n; i++)
        list[i] = (struct tally_confirmer){v->informees[q->confirmers[i].informee],
                                           q->confirmers[i].weight};
    bool ok = tally_add_quorum(c->tally, list, q->n, q->threshold, c->err);
    free(list);
    return ok ? true : failed(c);
}

static bool add_hosting(struct check *c, const struct informee *f)
{
    const char **list = calloc(f->hosting.n ? f->hosting.n : 1, sizeof(*list));
    size_t n = 0;

    if (list == NULL)
        return failed_memory(c);
    for (size_t i = 0; i < f->hosting.n; i++)
        if (f->hosting.hosts[i].may_confirm)
            list[n++] = f->hosting.hosts[i].participant;
    bool ok = tally_add_hosting(c->tally, f->party, f->hosting.threshold, list, n, c->err);
    free(list);
    return ok ? true : failed(c);
}

static bool make_tally(struct check *c)
{
    c->tally = tally_open();
    if (c->tally == NULL)
        return failed_memory(c);
    for (size_t i = 0; i < c->tree->n_views; i++) {
        const struct informee_view *v = &c->tree->views[i];
        if (!tally_add_view(c->tally, c->err))
            return failed(c);
        for (size_t k = 0; k < v->n_quorums; k++)
            if (!add_quorum(c, v, &v->quorums[k]))
                return false;
    }
    for (size_t i = 0; i < c->n; i++)
        if (!add_hosting(c, &c->informees[i]))
            return false;
    return tally_seal(c->tally, c->err) ? true : failed(c);
}

static bool check_quorums(struct check *c)
{
    size_t view;

    if (!make_tally(c))
        return false;
    switch (tally_check(c->tally, &view)) {
    case TALLY_NO_VIEW:
        return fault(c, REQUEST_NO_VIEWS, "a request without views");
    case TALLY_NO_THRESHOLD:
        return fault(c, REQUEST_NO_THRESHOLD, "view %zu has no quorum with a threshold", view);
    case TALLY_UNREACHABLE:
        return fault(c, REQUEST_UNREACHABLE,
                     "view %zu has a quorum that its hosted confirmers cannot reach", view);
    case TALLY_SOUND:
        break;
    }
    return true;
}

static bool check_topology(struct check *c)
{
    for (size_t i = inbound_find(c->in, MESSAGE_TOPOLOGY, 0); i < c->in->n;
         i = inbound_find(c->in, MESSAGE_TOPOLOGY, i + 1)) {
        const struct recipients *r = c->in->envelopes[i].recipients;
        for (uint32_t k = 0; k < r->n_all; k++)
            if (r->all[k].kind == RECIPIENT_ALL) /* others are no topology, but dropped */
                return fault(c, REQUEST_WITH_TOPOLOGY, "a request beside a topology transaction");
    }
    return true;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static bool hand_out(struct check *c)
{
    struct request_result *out = c->out;

    out->participants = calloc(c->n_hosts ? c->n_hosts : 1, sizeof(*out->participants));
    if (out->participants == NULL)
        return failed_memory(c);
    for (; out->n_participants < c->n_hosts; out->n_participants++)
        if ((out->participants[out->n_participants] = strdup(c->hosts[out->n_participants])) ==
            NULL)
            return failed_memory(c);
    out->tally = c->tally;
    c->tally = NULL;
    return true;
}

static bool check_at(const struct inbound *in, size_t at, const struct snapshot *top, int64_t ts,
                     struct request_result *out, struct error *err)
{
    struct check c = {.in = in,
                      .envelope = &in->envelopes[at],
                      .tree = &in->envelopes[at].message.as.informee.tree,
                      .top = top,
                      .ts = ts,
                      .out = out,
                      .err = err};

    memset(out, 0, sizeof(*out));
    if (find_informees(&c) && find_hosts(&c) && check_signature(&c) && check_hosted(&c) &&
        check_group(&c) && check_root_hash_messages(&c) && check_quorums(&c) && check_topology(&c))
        (void)hand_out(&c);
    check_free(&c);
    if (c.is_failed)
        request_result_free(out);
    return !c.is_failed;
}

static bool can_be_race(enum request_fault f)
{
    return f == REQUEST_BAD_SIGNATURE || f == REQUEST_NOT_HOSTED || f == REQUEST_INACTIVE_GROUP ||
           f == REQUEST_WRONG_PARTICIPANTS || f == REQUEST_UNREACHABLE;
}

/* The topology time that all root hash messages declare; false when they do not agree on one. */
static bool submission_time(const struct inbound *in, int64_t *ts)
{
    bool is_set = false;

    for (size_t i = inbound_find(in, MESSAGE_ROOT_HASH, 0); i < in->n;
         i = inbound_find(in, MESSAGE_ROOT_HASH, i + 1)) {
        int64_t t = in->envelopes[i].message.as.root_hash.submission_topology_time;
        if (is_set && t != *ts)
            return false;
        *ts = t;
        is_set = true;
    }
    return is_set;
}

bool request_check(const struct inbound *in, size_t at, const struct snapshot *top,
                   int64_t race_delay_us, struct request_result *out, struct error *err)
{
    struct request_result then;
    struct error ignored;
    int64_t ts = 0;

    if (!check_at(in, at, top, in->ts, out, err))
        return false;
    if (!can_be_race(out->fault) || !submission_time(in, &ts) || ts >= in->ts ||
        ts < in->ts - race_delay_us)
        return true;
    if (!check_at(in, at, top, ts, &then, &ignored)) /* too old to be known: no excuse */
        return true;
    out->is_race = then.fault == REQUEST_SOUND || then.fault > out->fault;
    request_result_free(&then);
    return true;
}

void request_result_free(struct request_result *r)
{
    tally_close(r->tally);
    for (size_t i = 0; i < r->n_participants; i++)
        free(r->participants[i]);
    free(r->participants);
    memset(r, 0, sizeof(*r));
}
