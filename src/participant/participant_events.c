/* participant_events.c: what one event of the stream means. On the delivery thread, which alone
 * changes the topology and the pending requests.
 *
 * Times: an event at ts decides by the topology below ts; a transaction in it takes effect later.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "participant/participant_impl.h"
#include "participant/submit.h"
#include "wire/event.h"

void pending_free(struct pending *r)
{
    if (!r)
        return;
    view_position_free(&r->position);
    buffer_free(&r->body);
    free(r);
}

bool participant_verify(void *ctx, int64_t ts, const struct hash *h, const struct signature *s,
                        struct error *err)
{
    struct participant *p = ctx;

    return topology_verify_member(p->topology, ts, p->sequencer, USAGE_PROTOCOL, h, s, 1, err);
}

/* --- outcomes --- */

/* The parties that are known to have confirmed. */
static size_t confirmed_by(const struct participant *p, Part__OutcomesResponse *m,
                           Part__Verdict verdict, char **out)
{
    bool is_unanimous =
        verdict == PART__VERDICT__VERDICT_COMMITTED && m->threshold == m->n_confirmers;
    size_t n = 0;

    for (size_t i = 0; i < m->n_confirmers; i++) {
        bool is_own = false;
        for (size_t j = 0; j < m->n_confirmed_by; j++)
            is_own = is_own || !strcmp(m->confirmed_by[j], m->confirmers[i]);
        if (is_unanimous || is_own)
            out[n++] = m->confirmers[i];
    }
    (void)p;
    return n;
}

/* body with what is final. The strings that are set are borrowed while it is packed. */
static bool finish_body(struct participant *p, const struct buffer *body, int64_t outcome_id,
                        Part__Verdict verdict, const char *reason, int64_t verdict_ts,
                        struct buffer *out, struct error *err)
{
    Part__OutcomesResponse *m = part__outcomes_response__unpack(NULL, body->len, body->data);
    Part__OutcomesResponse done;
    char **confirmers;

    if (!m)
        return error_set(err, ERR_INTERNAL, NULL, "an outcome cannot be read back");
    confirmers = calloc(m->n_confirmers + 1, sizeof(*confirmers));
    if (!confirmers) {
        part__outcomes_response__free_unpacked(m, NULL);
        return error_set(err, ERR_MEMORY, NULL, "no memory for an outcome");
    }
    done = *m;
    done.offset = outcome_id;
    done.verdict = verdict;
    done.reason = (char *)(reason ? reason : "");
    done.verdict_at = clock_now_us();
    done.verdict_ts = verdict_ts;
    done.n_confirmed_by = confirmed_by(p, m, verdict, confirmers);
    done.confirmed_by = confirmers;
    uint8_t *to = buffer_reserve(out, part__outcomes_response__get_packed_size(&done));
    if (to)
        out->len += part__outcomes_response__pack(&done, to);
    free(confirmers);
    part__outcomes_response__free_unpacked(m, NULL);
    return buffer_ok(out, err);
}

bool participant_decide(struct participant *p, const struct buffer *body, int64_t request_ts,
                        const char *command_id, Part__Verdict verdict, const char *reason,
                        int64_t verdict_ts, struct error *err)
{
    struct change *outcome = change_new(CHANGE_OUTCOME, request_ts, err), *command = NULL;
    int64_t id = p->next_outcome_id;

    if (!outcome)
        return false;
    outcome->outcome_id = id;
    if (!finish_body(p, body, id, verdict, reason, verdict_ts, &outcome->body, err))
        goto fail;
    if (*command_id) {
        command = change_new(CHANGE_COMMAND_DECIDED, request_ts, err);
        if (!command)
            goto fail;
        snprintf(command->command_id, sizeof(command->command_id), "%s", command_id);
        command->outcome_id = id;
    }
    p->next_outcome_id++;
    commit_queue(p, outcome);
    if (command)
        commit_queue(p, command);
    return true;
fail:
    change_free(outcome);
    return false;
}

static const char *verdict_text(Part__Verdict verdict)
{
    if (verdict == PART__VERDICT__VERDICT_COMMITTED)
        return "committed";
    return verdict == PART__VERDICT__VERDICT_REJECTED ? "rejected" : "timed out";
}

/* A pending request is over. Locked. */
static bool decide_pending(struct participant *p, struct pending *r, Part__Verdict verdict,
                           const char *reason, int64_t verdict_ts, struct error *err)
{
    struct change *gone = change_new(CHANGE_REQUEST_DELETE, r->ts, err);
    struct command *c = NULL;
    char trace[33];

    if (!gone)
        return false;
    if (!participant_decide(p, &r->body, r->ts, r->command_id, verdict, reason, verdict_ts, err)) {
        change_free(gone);
        return false;
    }
    logger_write(p->lg, LOG_DEBUG, ERR_NONE, logger_trace(r->traceparent, trace),
                 "request %" PRId64 ": %s", r->ts, verdict_text(verdict));
    commit_queue(p, gone);
    if (*r->command_id)
        HASH_FIND(by_id, p->by_id, r->command_id, strlen(r->command_id), c);
    if (c)
        command_forget(p, c);
    HASH_DEL(p->pending, r);
    pending_free(r);
    return true;
}

/* --- time --- */

/* What an event at ts proves to be too late. Locked. */
static bool expire(struct participant *p, int64_t ts, struct error *err)
{
    struct pending *r, *r_tmp;
    struct command *c, *c_tmp;
    int64_t earliest = INT64_MAX;

    if (ts <= p->earliest_due)
        return true;
    HASH_ITER(hh, p->pending, r, r_tmp)
    {
        if (r->decide_by < ts) {
            if (!decide_pending(p, r, PART__VERDICT__VERDICT_TIMED_OUT,
                                "LOCAL_VERDICT_TIMEOUT: no verdict in time", 0, err))
                return false;
        } else if (r->decide_by < earliest) {
            earliest = r->decide_by;
        }
    }
    HASH_ITER(by_id, p->by_id, c, c_tmp)
    {
        bool is_sequenced = c->state >= COMMAND_SEQUENCED;

        if (is_sequenced) {
            HASH_FIND(hh, p->pending, &c->request_ts, sizeof(c->request_ts), r);
            if (r)
                continue; /* its request has the deadline */
        }
        if (c->max_ts < ts) {
            if (!participant_decide(p, &c->body, 0, c->id, PART__VERDICT__VERDICT_TIMED_OUT,
                                    is_sequenced ? "its own request could not be read"
                                                 : "not sequenced in time",
                                    0, err))
                return false;
            command_forget(p, c);
        } else if (c->max_ts < earliest) {
            earliest = c->max_ts;
        }
    }
    p->earliest_due = earliest;
    return true;
}

/* --- requests --- */

/* One event's parts that make a request. */
struct arrival {
    const struct event *event;
    const char *traceparent;
    const struct root_hash_message *root_hash; /* borrowed from a message below */
    const struct view_message *views;
    int32_t group;
    size_t n_root_hashes;
    bool is_bad; /* a root hash message that is not addressed as it must be */
    bool has_topology;
};

static bool group_of(const struct recipients *r, int32_t *group)
{
    for (uint32_t i = 0; i < r->n_all; i++) {
        if (r->all[i].kind == RECIPIENT_MEDIATOR_GROUP) {
            *group = r->all[i].group;
            return true;
        }
    }
    return false;
}

/* The visible recipients of a root hash message are exactly one childless tree {us, MGR::g}. */
static void note_root_hash(struct participant *p, struct arrival *a, const struct recipients *r,
                           const struct root_hash_message *m)
{
    const char *who = NULL;

    a->n_root_hashes++;
    if (!group_of(r, &a->group) || r->n_nodes != 1 || !root_hash_tree_ok(r, 0, a->group, &who) ||
        strcmp(who, p->member) || strcmp(m->psid, p->psid))
        a->is_bad = true;
    a->root_hash = m;
}

static bool is_confirmer(const struct participant *p, const struct opened_view *v)
{
    for (size_t q = 0; q < v->n_quorums; q++) {
        for (size_t i = 0; i < v->quorums[q].n; i++) {
            if (!strcmp(v->informees[v->quorums[q].confirmers[i].informee], p->uid))
                return true;
        }
    }
    return false;
}

/* What the outcome will say, as far as it is known now. */
static bool make_body(struct participant *p, const struct arrival *a, const struct opened_view *v,
                      const struct command *c, bool is_approved, struct buffer *out,
                      struct error *err)
{
    Part__OutcomesResponse m = PART__OUTCOMES_RESPONSE__INIT;
    const struct quorum *q = v->n_quorums ? &v->quorums[0] : NULL;
    char **confirmers = calloc((q ? q->n : 0) + 1, sizeof(*confirmers));
    char *self = p->uid;
    Part__OutcomesResponse *mine = NULL;

    if (!confirmers)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a request");
    for (size_t i = 0; q && i < q->n; i++)
        confirmers[i] = v->informees[q->confirmers[i].informee];
    m.request_id = a->event->ts;
    m.confirmers = confirmers;
    m.n_confirmers = q ? q->n : 0;
    m.threshold = q && q->threshold > 0 ? (uint32_t)q->threshold : 0;
    m.informees = v->informees;
    m.n_informees = v->n_informees;
    m.submitter = v->submitting_participant;
    m.sequenced_at = clock_now_us();
    m.root_hash.data = (uint8_t *)v->root.b;
    m.root_hash.len = HASH_LEN;
    m.payload.data = v->payload.data;
    m.payload.len = v->payload.len;
    if (is_approved) {
        m.confirmed_by = &self;
        m.n_confirmed_by = 1;
    }
    if (c) {
        m.command_id = (char *)c->id;
        m.message_id = (char *)c->message_id;
        mine = part__outcomes_response__unpack(NULL, c->body.len, c->body.data);
        m.submitted_at = mine ? mine->submitted_at : 0;
    }
    uint8_t *to = buffer_reserve(out, part__outcomes_response__get_packed_size(&m));
    if (to)
        out->len += part__outcomes_response__pack(&m, to);
    if (mine)
        part__outcomes_response__free_unpacked(mine, NULL);
    free(confirmers);
    return buffer_ok(out, err);
}

bool participant_respond(struct participant *p, int64_t request_ts, int64_t max_ts, int32_t group,
                         const struct hash *root, const struct view_position *position,
                         enum local_verdict verdict, const char *reason, struct error *err)
{
    char id[UUID_TEXT_LEN];
    struct buffer request = BUFFER_INIT;
    struct respond_spec spec = {.psid = p->psid,
                                .uid = p->uid,
                                .message_id = id,
                                .request_ts = request_ts,
                                .max_ts = max_ts,
                                .root = root,
                                .mediator_group = group,
                                .verdict = verdict,
                                .position = position,
                                .reason = reason,
                                .keys = p->keys};

    random_uuid(id);
    bool ok = submit_response(&spec, &request, err);
    if (ok) {
        struct client_send s = {.request = buffer_bytes(&request),
                                .message_id = id,
                                .max_sequencing_us = max_ts,
                                .is_repeatable = true};
        ok = client_send(p->client, &s, err);
    }
    buffer_free(&request);
    return ok;
}

/* An answer to send again, copied because the delivery thread frees requests. */
struct again {
    struct again *next;
    int64_t ts, respond_by;
    int32_t group;
    struct hash root;
    struct view_position position;
    enum local_verdict verdict;
};

/* The answer that r got, as its body tells; NULL: none was asked for, or it is too late. */
static struct again *again_of(const struct participant *p, const struct pending *r)
{
    Part__OutcomesResponse *m = part__outcomes_response__unpack(NULL, r->body.len, r->body.data);
    struct again *a = calloc(1, sizeof(*a));
    bool is_asked = false, is_approved = false;

    for (size_t i = 0; m && i < m->n_confirmers; i++)
        is_asked = is_asked || !strcmp(m->confirmers[i], p->uid);
    for (size_t i = 0; m && i < m->n_confirmed_by; i++)
        is_approved = is_approved || !strcmp(m->confirmed_by[i], p->uid);
    if (m)
        part__outcomes_response__free_unpacked(m, NULL);
    if (!a || !is_asked || r->is_waiting || !r->has_position || r->respond_by < clock_now_us() ||
        !view_position_copy(&a->position, &r->position, NULL)) {
        free(a);
        return NULL;
    }
    a->ts = r->ts;
    a->respond_by = r->respond_by;
    a->group = r->group;
    a->root = r->root;
    a->verdict = is_approved ? LOCAL_APPROVE : LOCAL_REJECT;
    return a;
}

void participant_respond_again(struct participant *p)
{
    struct again *list = NULL, *a;
    struct error err;

    mutex_lock(&p->m);
    for (const struct pending *r = p->pending; r; r = r->hh.next) {
        a = again_of(p, r);
        if (a) {
            a->next = list;
            list = a;
        }
    }
    mutex_unlock(&p->m);
    while ((a = list)) {
        list = a->next;
        if (!participant_respond(p, a->ts, a->respond_by, a->group, &a->root, &a->position,
                                 a->verdict, "", &err))
            logger_error(p->lg, LOG_WARN, &err, "a confirmation response was not sent again");
        view_position_free(&a->position);
        free(a);
    }
}

/* A response that cannot be sent is not an end: the request then times out, and says so. */
static void respond_or_log(struct participant *p, const struct pending *r,
                           enum local_verdict verdict, const char *reason)
{
    struct error err;

    if (!participant_respond(p, r->ts, r->respond_by, r->group, &r->root,
                             r->has_position ? &r->position : NULL, verdict, reason, &err))
        logger_error(p->lg, LOG_WARN, &err, "a confirmation response was not sent");
}

static bool submitter_signed(struct participant *p, const struct arrival *a,
                             const struct opened_view *v, struct error *err)
{
    char member[MEMBER_TEXT_SIZE];

    if (!a->views->has_signature)
        return error_set(err, ERR_SIGNATURE, NULL, "the view has no signature of its submitter");
    member_format(MEMBER_PARTICIPANT, v->submitting_participant, member);
    return topology_verify_member(p->topology, a->event->ts, member, USAGE_PROTOCOL, &v->root,
                                  &a->views->signature, 1, err);
}

/* Opens the one view and checks it against what the mediator sees. */
static bool open_view(struct participant *p, const struct arrival *a, struct opened_view **out,
                      struct error *err)
{
    struct opened_view *v;

    *out = NULL;
    if (a->is_bad || a->n_root_hashes != 1 || !a->views)
        return error_set(err, ERR_MALFORMED, NULL, "root hash message or view is missing or wrong");
    if (strcmp(a->views->psid, p->psid) || a->views->n_views != 1)
        return error_set(err, ERR_MALFORMED, NULL, "views of another synchronizer, or several");
    if (!view_message_open(a->views, p->keys, BATCH_LIMIT, &v, err))
        return false;
    *out = v;
    if (!hash_equal(&v->root, &a->root_hash->root))
        return error_set(err, ERR_MALFORMED, NULL, "the view belongs to another root hash");
    if (strcmp(v->psid, p->psid))
        return error_set(err, ERR_MALFORMED, NULL, "the view names another synchronizer");
    return submitter_signed(p, a, v, err);
}

static struct change *change_of_request(const struct pending *r, struct error *err)
{
    struct change *c = change_new(CHANGE_REQUEST_INSERT, r->ts, err);

    if (!c)
        return NULL;
    c->respond_by = r->respond_by;
    c->decide_by = r->decide_by;
    c->group = r->group;
    c->is_waiting = r->is_waiting;
    snprintf(c->command_id, sizeof(c->command_id), "%s", r->command_id);
    buffer_append_bytes(&c->body, buffer_bytes(&r->body));
    if (r->has_position)
        buffer_append(&c->extra, r->position.key, r->position.len);
    if (!buffer_ok(&c->body, err) || !buffer_ok(&c->extra, err)) {
        change_free(c);
        return NULL;
    }
    return c;
}

/* A request that is well-formed: remember it, answer it. */
static bool take_request(struct participant *p, const struct arrival *a,
                         const struct opened_view *v, const struct dynamic_parameters *d,
                         struct error *err)
{
    struct pending *r = calloc(1, sizeof(*r));
    bool asks_us = is_confirmer(p, v), by_rule = p->confirm != PARTICIPANT_CONFIRM_MANUAL;
    bool is_approved = asks_us && p->confirm == PARTICIPANT_CONFIRM_AUTO;
    struct command *c = NULL;
    struct change *change = NULL;
    char trace[33];

    if (!r)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a request");
    r->ts = a->event->ts;
    snprintf(r->traceparent, sizeof(r->traceparent), "%s", a->traceparent);
    r->respond_by = r->ts + d->confirmation_response_timeout_us;
    r->decide_by = r->respond_by + d->mediator_reaction_timeout_us;
    r->group = a->group;
    r->root = v->root;
    r->is_waiting = asks_us && !by_rule;
    r->has_position = true;
    mutex_lock(&p->m);
    if (a->event->message_id)
        HASH_FIND(by_message, p->by_message, a->event->message_id, strlen(a->event->message_id), c);
    if (c)
        snprintf(r->command_id, sizeof(r->command_id), "%s", c->id);
    bool ok = view_position_copy(&r->position, &v->position, err) &&
              make_body(p, a, v, c, is_approved, &r->body, err) &&
              (change = change_of_request(r, err));
    if (ok) {
        HASH_ADD(hh, p->pending, ts, sizeof(r->ts), r);
        if (r->decide_by < p->earliest_due)
            p->earliest_due = r->decide_by;
        commit_queue(p, change);
        cond_broadcast(&p->stream_changed);
    }
    mutex_unlock(&p->m);
    if (!ok) {
        pending_free(r);
        return false;
    }
    logger_write(p->lg, LOG_DEBUG, ERR_NONE, logger_trace(r->traceparent, trace),
                 "request %" PRId64 ": %s", r->ts,
                 !asks_us   ? "told"
                 : !by_rule ? "waits for Confirm"
                            : "answered by rule");
    /* Only this thread frees pending requests, so r stays good without the lock. */
    if (asks_us && by_rule)
        respond_or_log(p, r, is_approved ? LOCAL_APPROVE : LOCAL_REJECT,
                       is_approved ? "" : "rejected by the configuration of this participant");
    return true;
}

static bool on_request(struct participant *p, const struct arrival *a, struct error *err)
{
    const struct dynamic_parameters *d = topology_parameters(p->topology, a->event->ts);
    struct opened_view *v = NULL;
    struct error why;
    bool ok = true;

    if (a->has_topology) {
        log_warn(p->lg, ERR_MALFORMED, "request %" PRId64 " comes with topology: dropped",
                 a->event->ts);
        return true;
    }
    if (!d)
        return error_set(err, ERR_INTERNAL, NULL, "the synchronizer has no parameters");
    if (open_view(p, a, &v, &why)) {
        ok = take_request(p, a, v, d, err);
    } else {
        log_warn(p->lg, why.code, "request %" PRId64 " is malformed: %s", a->event->ts, why.cause);
        if (!a->is_bad && a->root_hash &&
            !participant_respond(p, a->event->ts,
                                 a->event->ts + d->confirmation_response_timeout_us, a->group,
                                 &a->root_hash->root, NULL, LOCAL_MALFORMED, why.cause, &why))
            logger_error(p->lg, LOG_WARN, &why, "a response was not sent");
    }
    if (v)
        opened_views_free(v, a->views->n_views);
    return ok;
}

/* --- verdicts --- */

/* The text of a status, "ID: message" or its message. The caller frees. */
static char *status_text(struct bytes status, bool *is_timeout)
{
    struct wire_status s;
    char *text, *id;

    *is_timeout = false;
    if (!wire_status_parse(status, &s, NULL))
        return strdup("no readable reason");
    id = wire_status_reason(&s);
    *is_timeout = id && !strcmp(id, "MEDIATOR_SAYS_TX_TIMED_OUT");
    text = strdup(s.message && *s.message ? s.message : id ? id : "no reason given");
    free(id);
    wire_status_free(&s);
    return text;
}

/* Which pending request a result is for, or NULL, with the reason logged: others' bad verdicts are
 * no reason to stop. */
static struct pending *match_result(struct participant *p, const struct confirmation_result *m,
                                    const struct envelope *e, int64_t ts)
{
    struct pending *r = NULL;
    struct error err;
    struct hash h;

    HASH_FIND(hh, p->pending, &m->request_id, sizeof(m->request_id), r);
    if (!r)
        return NULL; /* second verdict, or one after the time-out */
    if (strcmp(m->psid, p->psid) || !hash_equal(&m->root, &r->root) || m->request_id >= ts)
        error_set(&err, ERR_MALFORMED, NULL, "it names another root hash or synchronizer");
    else if (ts > r->decide_by)
        error_set(&err, ERR_TIMEOUT, NULL, "it comes after the decision time");
    else if (message_hash(buffer_bytes(&e->content), &h, &err) &&
             topology_verify_mediators(p->topology, ts, r->group, &h, e->signatures,
                                       e->n_signatures, &err))
        return r;
    log_warn(p->lg, err.code, "a verdict on request %" PRId64 " is not taken: %s", m->request_id,
             err.cause);
    return NULL;
}

static bool on_result(struct participant *p, const struct confirmation_result *m,
                      const struct envelope *e, int64_t ts, struct error *err)
{
    struct pending *r = match_result(p, m, e, ts);
    Part__Verdict verdict = PART__VERDICT__VERDICT_COMMITTED;
    bool is_timeout = false;
    char *reason = NULL;

    if (!r)
        return true;
    if (m->verdict.kind == VERDICT_PARTICIPANT_REJECT)
        reason = status_text(buffer_bytes(&m->verdict.reasons[0].reason), &is_timeout);
    else if (m->verdict.kind == VERDICT_MEDIATOR_REJECT)
        reason = status_text(buffer_bytes(&m->verdict.reason), &is_timeout);
    if (m->verdict.kind != VERDICT_APPROVE)
        verdict = is_timeout && m->verdict.kind == VERDICT_MEDIATOR_REJECT
                      ? PART__VERDICT__VERDICT_TIMED_OUT
                      : PART__VERDICT__VERDICT_REJECTED;
    if (verdict == PART__VERDICT__VERDICT_TIMED_OUT && ts <= r->respond_by)
        log_warn(p->lg, ERR_MALFORMED,
                 "the mediator timed request %" PRId64 " out before its response deadline", r->ts);
    mutex_lock(&p->m);
    bool ok = decide_pending(p, r, verdict, reason, ts, err);
    mutex_unlock(&p->m);
    free(reason);
    return ok;
}

/* --- topology --- */

static bool store_broadcast(struct participant *p, int64_t ts, const struct topology_broadcast *b,
                            struct error *err)
{
    struct change *c = change_new(CHANGE_TOPOLOGY, ts, err);

    if (!c)
        return false;
    for (size_t i = 0; i < b->n; i++) {
        buffer_append_varint(&c->body, b->transactions[i].len);
        buffer_append_bytes(&c->body, buffer_bytes(&b->transactions[i]));
    }
    if (!buffer_ok(&c->body, err)) {
        change_free(c);
        return false;
    }
    mutex_lock(&p->m);
    commit_queue(p, c);
    mutex_unlock(&p->m);
    return true;
}

static bool is_to_all(const struct recipients *r)
{
    for (uint32_t i = 0; i < r->n_all; i++) {
        if (r->all[i].kind == RECIPIENT_ALL)
            return true;
    }
    return false;
}

static bool on_broadcast(struct participant *p, const struct event *e, const struct recipients *to,
                         const struct topology_broadcast *b, struct error *err)
{
    struct bytes *txs;
    struct error why;

    if (!b->n || strcmp(b->psid, p->psid) || !is_to_all(to) || e->has_topology_timestamp)
        return true;
    txs = calloc(b->n, sizeof(*txs));
    if (!txs)
        return error_set(err, ERR_MEMORY, NULL, "no memory for topology");
    for (size_t i = 0; i < b->n; i++)
        txs[i] = buffer_bytes(&b->transactions[i]);
    mutex_lock(&p->m);
    bool ok = topology_apply(p->topology, e->ts, txs, b->n, NULL, &why);
    mutex_unlock(&p->m);
    free(txs);
    if (!ok && why.code != ERR_MEMORY) {
        log_warn(p->lg, why.code, "a topology broadcast at %" PRId64 " is dropped: %s", e->ts,
                 why.cause);
        return true;
    }
    if (!ok) {
        *err = why;
        return false;
    }
    return store_broadcast(p, e->ts, b, err);
}

/* --- one event --- */

static bool on_message(struct participant *p, struct arrival *a, const struct envelope *env,
                       const struct recipients *to, const struct message *m, struct error *err)
{
    switch (m->kind) {
    case MESSAGE_ROOT_HASH:
        note_root_hash(p, a, to, &m->as.root_hash);
        return true;
    case MESSAGE_VIEWS:
        a->views = &m->as.views;
        return true;
    case MESSAGE_RESULT:
        return on_result(p, &m->as.result, env, a->event->ts, err);
    case MESSAGE_TOPOLOGY:
        a->has_topology = true;
        return on_broadcast(p, a->event, to, &m->as.topology, err);
    case MESSAGE_INFORMEE:
    case MESSAGE_RESPONSES:
    case MESSAGE_UNASSIGNMENT:
    case MESSAGE_ASSIGNMENT:
    case MESSAGE_ACS_COMMITMENT:
    case MESSAGE_LSU_TEST:
    case MESSAGE_SET_TRAFFIC:
        break; /* not for a participant of this kind */
    }
    return true;
}

static bool on_batch(struct participant *p, const struct event *e, const char *traceparent,
                     struct error *err)
{
    struct arrival a = {.event = e, .traceparent = traceparent};
    struct batch b = {0};
    struct message *m;
    struct error why;
    size_t n = 0;
    bool ok = true;

    if (!e->batch.n)
        return true;
    if (!batch_open(&e->batch, BATCH_LIMIT, &b, &why)) {
        log_warn(p->lg, why.code, "the batch of event %" PRId64 " cannot be read: %s", e->ts,
                 why.cause);
        return why.code != ERR_MEMORY || error_set(err, ERR_MEMORY, NULL, "no memory for a batch");
    }
    m = calloc(b.n, sizeof(*m));
    if (!m) {
        batch_free(&b);
        return error_set(err, ERR_MEMORY, NULL, "no memory for a batch");
    }
    for (size_t i = 0; ok && i < b.n; i++) {
        const struct envelope *env = &b.envelopes[i];
        if (!message_parse(buffer_bytes(&env->content), env->n_signatures, &m[n], &why)) {
            log_warn(p->lg, why.code, "an envelope of event %" PRId64 " is dropped: %s", e->ts,
                     why.cause);
            continue;
        }
        n++;
        ok = on_message(p, &a, env, &b.recipients[i], &m[n - 1], err);
    }
    if (ok && a.n_root_hashes)
        ok = on_request(p, &a, err);
    for (size_t i = 0; i < n; i++)
        message_free(&m[i]);
    free(m);
    batch_free(&b);
    return ok;
}

/* The own submission has come: sequenced, or refused at sequencing. */
static bool on_own_message(struct participant *p, const struct event *e, struct error *err)
{
    struct command *c = NULL;
    char *id;
    bool ok = true;

    if (!e->message_id)
        return true;
    mutex_lock(&p->m);
    HASH_FIND(by_message, p->by_message, e->message_id, strlen(e->message_id), c);
    if (c && c->state < COMMAND_SEQUENCED) {
        ok = command_sequenced(p, c, e->ts, err);
        if (ok && e->is_error) {
            id = wire_status_reason(&e->status);
            ok = participant_decide(p, &c->body, 0, c->id, PART__VERDICT__VERDICT_REJECTED,
                                    id ? id : "refused at sequencing", e->ts, err);
            free(id);
            if (ok)
                command_forget(p, c);
        }
    }
    mutex_unlock(&p->m);
    return ok;
}

bool participant_on_event(void *ctx, const struct client_event *ev, struct error *err)
{
    struct participant *p = ctx;
    struct change *done = change_new(CHANGE_EVENT, ev->ts, err);

    if (!done)
        return false;
    done->hash = ev->hash;
    mutex_lock(&p->m);
    bool ok = commit_wait_room(p) && expire(p, ev->ts, err);
    mutex_unlock(&p->m);
    ok = ok && on_own_message(p, ev->event, err) &&
         (ev->event->is_error || on_batch(p, ev->event, ev->traceparent, err));
    if (!ok) {
        change_free(done);
        return false;
    }
    mutex_lock(&p->m);
    topology_observe(p->topology, ev->ts);
    p->last_event_ts = ev->ts;
    p->last_event_mono = clock_mono_us();
    commit_queue(p, done);
    mutex_unlock(&p->m);
    return true;
}
