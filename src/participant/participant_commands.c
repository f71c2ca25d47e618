/* participant_commands.c: Submit, and the life of a command.
 *
 *   NEW (being built) -> SENDING (stored) -> ACCEPTED -> SEQUENCED -> DECIDED (forgotten, row
 * stays) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/random.h"
#include "participant/participant_impl.h"
#include "participant/submit.h"
#include "rpc/server.h"
#include "wire/precheck.h"

void command_free(struct command *c)
{
    if (!c)
        return;
    buffer_free(&c->request);
    buffer_free(&c->body);
    free(c);
}

bool command_add(struct participant *p, struct command *c, struct error *err)
{
    struct command *other = NULL;

    HASH_FIND(by_id, p->by_id, c->id, strlen(c->id), other);
    if (other)
        return error_set(err, ERR_DUPLICATE, NULL, "command %s is in flight", c->id);
    HASH_ADD(by_id, p->by_id, id, strlen(c->id), c);
    HASH_ADD(by_message, p->by_message, message_id, strlen(c->message_id), c);
    p->n_commands++;
    p->command_bytes += c->request.len;
    if (c->max_ts < p->earliest_due)
        p->earliest_due = c->max_ts;
    return true;
}

/* Out of memory, after its waiters have been answered by the caller. */
static void command_drop(struct participant *p, struct command *c)
{
    HASH_DELETE(by_id, p->by_id, c);
    HASH_DELETE(by_message, p->by_message, c);
    p->n_commands--;
    p->command_bytes -= c->request.len;
    command_free(c);
}

static void reply_state(struct rpc_call *call, const char *id, const char *message_id,
                        int64_t state, int64_t request_ts, int64_t outcome_id)
{
    Part__SubmitResponse m = PART__SUBMIT_RESPONSE__INIT;
    struct buffer b = BUFFER_INIT;
    struct error err;

    m.command_id = (char *)id;
    m.message_id = (char *)message_id;
    m.state = (Part__CommandState)state;
    if (request_ts) {
        m._request_id_case = PART__SUBMIT_RESPONSE___REQUEST_ID_REQUEST_ID;
        m.request_id = request_ts;
    }
    if (outcome_id) {
        m._offset_case = PART__SUBMIT_RESPONSE___OFFSET_OFFSET;
        m.offset = outcome_id;
    }
    if (wire_pack(&m, &b, &err))
        rpc_call_reply(call, buffer_bytes(&b));
    else
        rpc_call_refuse(call, RPC_INTERNAL, "%s", err.cause);
    buffer_free(&b);
}

/* Takes the waiters off c, to be answered without the lock. */
static struct submit_waiter *take_waiters(struct command *c)
{
    struct submit_waiter *w = c->waiters;

    c->waiters = NULL;
    return w;
}

static void answer_waiters(struct submit_waiter *w, const struct command *copy)
{
    while (w) {
        struct submit_waiter *next = w->next;
        reply_state(w->call, copy->id, copy->message_id, copy->state, copy->request_ts, 0);
        free(w);
        w = next;
    }
}

static void refuse_waiters(struct submit_waiter *w, enum rpc_code code, const char *why)
{
    while (w) {
        struct submit_waiter *next = w->next;
        rpc_call_refuse(w->call, code, "%s", why);
        free(w);
        w = next;
    }
}

/* Ids only, for answers behind the lock. */
static struct command copy_of(const struct command *c)
{
    struct command copy = {.state = c->state, .request_ts = c->request_ts};

    memcpy(copy.id, c->id, sizeof(copy.id));
    memcpy(copy.message_id, c->message_id, sizeof(copy.message_id));
    return copy;
}

bool command_sequenced(struct participant *p, struct command *c, int64_t ts, struct error *err)
{
    struct change *change = change_new(CHANGE_COMMAND_SEQUENCED, ts, err);

    if (!change)
        return false;
    snprintf(change->command_id, sizeof(change->command_id), "%s", c->id);
    c->state = COMMAND_SEQUENCED;
    c->request_ts = ts;
    p->command_bytes -= c->request.len;
    buffer_free(&c->request);
    commit_queue(p, change);
    /* Who still waits for the answer of a sequencer need not: rpc_call_reply does not block. */
    struct submit_waiter *w = take_waiters(c);
    struct command copy = copy_of(c);
    answer_waiters(w, &copy);
    return true;
}

void command_forget(struct participant *p, struct command *c)
{
    struct submit_waiter *w = take_waiters(c);
    struct command copy = copy_of(c);

    command_drop(p, c);
    answer_waiters(w, &copy);
}

void commands_release_waiters(struct participant *p)
{
    struct command *c, *tmp;

    mutex_lock(&p->m);
    HASH_ITER(by_id, p->by_id, c, tmp)
    {
        refuse_waiters(take_waiters(c), RPC_UNAVAILABLE,
                       "the participant stops; ask again with the same command_id");
    }
    mutex_unlock(&p->m);
}

/* --- what a sequencer says --- */

struct send_ctx {
    struct participant *p;
    char id[COMMAND_ID_MAX + 1];
};

static void note_accepted(struct participant *p, struct command *c)
{
    struct change *change = change_new(CHANGE_COMMAND_ACCEPTED, 0, NULL);

    if (c->state < COMMAND_ACCEPTED)
        c->state = COMMAND_ACCEPTED;
    if (!change)
        return; /* then a restart sends it again, which does no harm */
    snprintf(change->command_id, sizeof(change->command_id), "%s", c->id);
    commit_queue(p, change);
}

static enum rpc_code code_of(const struct error *err)
{
    if (err && err->code == ERR_OVERLOADED)
        return RPC_RESOURCE_EXHAUSTED;
    if (err && (err->code == ERR_REFUSED || err->code == ERR_MALFORMED))
        return RPC_FAILED_PRECONDITION;
    return RPC_UNAVAILABLE;
}

/* Surely not sequenced: as if it had never been submitted. */
static void note_refused(struct participant *p, struct command *c)
{
    struct change *change = change_new(CHANGE_COMMAND_DELETE, 0, NULL);

    if (!change)
        return; /* it stays, and times out */
    snprintf(change->command_id, sizeof(change->command_id), "%s", c->id);
    commit_queue(p, change);
    command_drop(p, c);
}

/* On a thread of rpc/. */
static void on_sent(void *ctx, const struct client_send_report *r)
{
    struct send_ctx *s = ctx;
    struct participant *p = s->p;
    struct submit_waiter *w = NULL;
    struct command *c = NULL, copy;
    char why[CLIENT_REASON_MAX];

    mutex_lock(&p->m);
    HASH_FIND(by_id, p->by_id, s->id, strlen(s->id), c);
    if (c) {
        if (r->result == CLIENT_SEND_ACCEPTED)
            note_accepted(p, c);
        copy = copy_of(c);
        w = take_waiters(c);
        if (r->result == CLIENT_SEND_REFUSED && c->state <= COMMAND_SENDING && !c->was_loaded)
            note_refused(p, c);
    }
    mutex_unlock(&p->m);
    if (r->result == CLIENT_SEND_ACCEPTED) {
        answer_waiters(w, &copy);
    } else {
        snprintf(why, sizeof(why), "%.180s%s", r->error ? r->error->cause : "not sent",
                 r->result == CLIENT_SEND_REFUSED
                     ? ""
                     : "; it may still be sequenced: ask again with the same command_id");
        refuse_waiters(w, r->result == CLIENT_SEND_REFUSED ? code_of(r->error) : RPC_UNAVAILABLE,
                       why);
    }
    free(s);
}

void command_send(struct participant *p, const char *id)
{
    struct send_ctx *s = calloc(1, sizeof(*s));
    struct client_send in = {.is_repeatable = true, .accepted = on_sent, .ctx = s};
    struct buffer request = BUFFER_INIT;
    char message_id[MESSAGE_ID_SIZE] = "", traceparent[TRACE_PARENT_LEN] = "";
    struct command *c = NULL;
    struct error err = {0};
    bool ok = s;

    mutex_lock(&p->m);
    HASH_FIND(by_id, p->by_id, id, strlen(id), c);
    if (c && c->state <= COMMAND_SENDING) {
        buffer_append_bytes(&request, buffer_bytes(&c->request));
        snprintf(message_id, sizeof(message_id), "%s", c->message_id);
        memcpy(traceparent, c->traceparent, sizeof(traceparent));
        in.max_sequencing_us = c->max_ts;
    }
    mutex_unlock(&p->m);
    if (!request.len || !ok) {
        buffer_free(&request);
        free(s);
        return;
    }
    s->p = p;
    snprintf(s->id, sizeof(s->id), "%s", id);
    in.request = buffer_bytes(&request);
    in.message_id = message_id;
    in.traceparent = traceparent;
    ok = buffer_ok(&request, &err) && client_send(p->client, &in, &err);
    buffer_free(&request);
    if (!ok) {
        struct client_send_report r = {.result = err.code == ERR_CLOSED ? CLIENT_SEND_UNKNOWN
                                                                        : CLIENT_SEND_REFUSED,
                                       .message_id = message_id,
                                       .reason = "",
                                       .error = &err};
        on_sent(s, &r);
    }
}

/* --- Submit --- */

/* What one Submit works with. */
struct submit {
    struct participant *p;
    struct rpc_call *call;
    Part__SubmitRequest *rq;
    struct command *c; /* not yet in the hash, or NULL when it is the hash's */
    const char **informees;
    size_t n_informees;
    uint32_t *confirmers;
    size_t n_confirmers;
    int32_t threshold, group;
    const struct public_key **keys;
    int64_t topology_ts;
};

bool command_id_ok(const char *id)
{
    size_t n = strlen(id);

    return n >= 1 && n <= COMMAND_ID_MAX &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-#/ ") == n;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, distinct, the own party among them. */
static bool sort_informees(struct submit *s, struct error *err)
{
    size_t n = 0;

    if (s->rq->n_informees > INFORMEES_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "more than %d informees", INFORMEES_MAX);
    s->informees = calloc(s->rq->n_informees + 1, sizeof(*s->informees));
    if (!s->informees)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    for (size_t i = 0; i < s->rq->n_informees; i++) {
        if (!uid_parse(s->rq->informees[i], NULL, err))
            return false;
        s->informees[n++] = s->rq->informees[i];
    }
    s->informees[n++] = s->p->uid;
    qsort(s->informees, n, sizeof(*s->informees), by_text);
    for (size_t i = 0; i < n; i++) {
        if (!s->n_informees || strcmp(s->informees[s->n_informees - 1], s->informees[i]))
            s->informees[s->n_informees++] = s->informees[i];
    }
    return true;
}

static bool pick_confirmers(struct submit *s, struct error *err)
{
    s->confirmers = calloc(s->n_informees, sizeof(*s->confirmers));
    if (!s->confirmers)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    for (size_t i = 0; i < s->rq->n_confirmers; i++) {
        if (!bsearch(&s->rq->confirmers[i], s->informees, s->n_informees, sizeof(*s->informees),
                     by_text))
            return error_set(err, ERR_MALFORMED, NULL, "confirmer %.100s is not an informee",
                             s->rq->confirmers[i]);
    }
    for (size_t i = 0; i < s->n_informees; i++) {
        bool is_in = !s->rq->n_confirmers;
        for (size_t j = 0; j < s->rq->n_confirmers && !is_in; j++)
            is_in = !strcmp(s->rq->confirmers[j], s->informees[i]);
        if (is_in)
            s->confirmers[s->n_confirmers++] = (uint32_t)i;
    }
    if (s->rq->threshold > s->n_confirmers)
        return error_set(err, ERR_MALFORMED, NULL, "threshold %u is more than the %zu confirmers",
                         s->rq->threshold, s->n_confirmers);
    s->threshold = (int32_t)(s->rq->threshold ? s->rq->threshold : s->n_confirmers);
    return true;
}

static bool check(struct submit *s, struct error *err)
{
    if (!command_id_ok(s->rq->command_id))
        return error_set(err, ERR_MALFORMED, NULL,
                         "command_id: 1 to 255 of [A-Za-z0-9._:-#/ ] are expected");
    if (*s->rq->synchronizer && strcmp(s->rq->synchronizer, s->p->alias))
        return error_set(err, ERR_MALFORMED, NULL, "no synchronizer %.80s here; it is %s",
                         s->rq->synchronizer, s->p->alias);
    if (s->rq->payload.len > PAYLOAD_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "the payload is larger than 8 MiB");
    return sort_informees(s, err) && pick_confirmers(s, err);
}

/* Keys and group at the newest topology. Locked. */
static bool look_up(struct submit *s, struct error *err)
{
    struct participant *p = s->p;
    const struct topology *t = p->topology;
    int32_t groups[64];
    char member[MEMBER_TEXT_SIZE];

    s->topology_ts = topology_known_until(t);
    s->keys = calloc(s->n_informees, sizeof(*s->keys));
    if (!s->keys)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    for (size_t i = 0; i < s->n_informees; i++) {
        member_format(MEMBER_PARTICIPANT, s->informees[i], member);
        if (topology_participant(t, s->topology_ts, s->informees[i], NULL))
            s->keys[i] = topology_encryption_key(t, s->topology_ts, member);
        if (!s->keys[i])
            return error_set(err, ERR_REFUSED, NULL, "informee %.120s is no active participant",
                             s->informees[i]);
        s->keys[i] = public_key_ref(s->keys[i]);
    }
    size_t n = topology_mediator_groups(t, s->topology_ts, groups, 64);
    n = n < 64 ? n : 64;
    for (size_t i = 0; i < n; i++) {
        struct topology_group g;
        s->group = groups[p->next_group++ % n];
        if (topology_mediator_group(t, s->topology_ts, s->group, &g) && g.is_active)
            return true;
    }
    return error_set(err, ERR_UNAVAILABLE, NULL, "the synchronizer has no active mediator group");
}

static bool make_command_body(struct submit *s, struct command *c, int64_t now, struct error *err)
{
    Part__OutcomesResponse m = PART__OUTCOMES_RESPONSE__INIT;
    char **confirmers = calloc(s->n_confirmers + 1, sizeof(*confirmers));

    if (!confirmers)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    for (size_t i = 0; i < s->n_confirmers; i++)
        confirmers[i] = (char *)s->informees[s->confirmers[i]];
    m.command_id = c->id;
    m.message_id = c->message_id;
    m.informees = (char **)s->informees;
    m.n_informees = s->n_informees;
    m.confirmers = confirmers;
    m.n_confirmers = s->n_confirmers;
    m.threshold = (uint32_t)s->threshold;
    m.submitter = s->p->uid;
    m.submitted_at = now;
    bool ok = wire_pack(&m, &c->body, err);
    free(confirmers);
    return ok;
}

static bool build(struct submit *s, struct command *c, struct error *err)
{
    struct participant *p = s->p;
    int64_t now = clock_now_us();
    struct hash root;

    random_uuid(c->message_id);
    c->max_ts = now + p->submit_window_us;
    struct submit_spec spec = {.psid = p->psid,
                               .uid = p->uid,
                               .command_id = c->id,
                               .message_id = c->message_id,
                               .informees = s->informees,
                               .encryption_keys = s->keys,
                               .n_informees = s->n_informees,
                               .confirmers = s->confirmers,
                               .n_confirmers = s->n_confirmers,
                               .threshold = s->threshold,
                               .mediator_group = s->group,
                               .payload = bytes_of(s->rq->payload.data, s->rq->payload.len),
                               .now = now,
                               .max_ts = c->max_ts,
                               .topology_ts = s->topology_ts < now ? s->topology_ts : now,
                               .keys = p->keys};
    return make_command_body(s, c, now, err) && submit_request(&spec, &c->request, &root, err);
}

/* The command is known already: says how it stands. True: the call is answered. */
static bool answer_known(struct submit *s, struct error *err, bool *is_known)
{
    struct stored_command st;
    struct command *c = NULL, copy;

    *is_known = true;
    mutex_lock(&s->p->m);
    HASH_FIND(by_id, s->p->by_id, s->rq->command_id, strlen(s->rq->command_id), c);
    if (c)
        copy = copy_of(c);
    mutex_unlock(&s->p->m);
    if (c) {
        reply_state(s->call, copy.id, copy.message_id, copy.state, copy.request_ts, 0);
        return true;
    }
    if (!store_read_command(s->p, s->rq->command_id, &st, err))
        return false;
    *is_known = st.found;
    if (st.found)
        reply_state(s->call, s->rq->command_id, st.message_id, st.state, st.request_ts,
                    st.outcome_id);
    return true;
}

static bool check_state(struct participant *p, struct error *err)
{
    if (p->is_stopping || p->is_failed || !p->topology || !p->client)
        return error_set(err, ERR_UNAVAILABLE, NULL, "not connected: %s, %.200s",
                         participant_state_text(p->state), p->reason);
    if (p->n_commands >= p->max_in_flight || p->command_bytes >= COMMAND_BYTES)
        return error_set(err, ERR_OVERLOADED, NULL, "%zu commands with %zu bytes are in flight",
                         p->n_commands, p->command_bytes);
    return true;
}

/* Puts the built command where the commit thread finds it; the call then waits there. */
static bool enter(struct submit *s, struct command *c, struct error *err)
{
    struct participant *p = s->p;
    struct submit_waiter *w = calloc(1, sizeof(*w));
    struct change *change = change_new(CHANGE_COMMAND_INSERT, 0, err);
    bool ok = w && change;

    if (change && !w)
        error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    if (ok) {
        snprintf(change->command_id, sizeof(change->command_id), "%s", c->id);
        snprintf(change->message_id, sizeof(change->message_id), "%s", c->message_id);
        change->max_ts = c->max_ts;
        buffer_append_bytes(&change->body, buffer_bytes(&c->body));
        buffer_append_bytes(&change->extra, buffer_bytes(&c->request));
        ok = buffer_ok(&change->body, err) && buffer_ok(&change->extra, err);
    }
    if (ok) {
        w->call = s->call;
        c->waiters = w;
        c->state = COMMAND_SENDING;
        mutex_lock(&p->m);
        ok = check_state(p, err) && command_add(p, c, err);
        if (ok)
            commit_queue(p, change);
        mutex_unlock(&p->m);
    }
    if (!ok) {
        change_free(change);
        free(w);
        c->waiters = NULL;
    }
    return ok;
}

static bool submit_new(struct submit *s, struct error *err)
{
    struct command *c = calloc(1, sizeof(*c));
    struct trace_context trace;
    char id[TRACE_ID_LEN];
    bool ok = false;

    if (!c)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    snprintf(c->id, sizeof(c->id), "%s", s->rq->command_id);
    trace_of_call(s->call, &trace);
    memcpy(c->traceparent, trace.parent, sizeof(c->traceparent));
    mutex_lock(&s->p->m);
    ok = check_state(s->p, err) && look_up(s, err);
    mutex_unlock(&s->p->m);
    ok = ok && build(s, c, err);
    if (ok) {
        trace_id(&trace, id);
        logger_write(s->p->lg, LOG_DEBUG, ERR_NONE, id, "command %s is sent as message %s", c->id,
                     c->message_id);
    }
    ok = ok && enter(s, c, err);
    if (!ok)
        command_free(c);
    return ok;
}

static void refuse(struct rpc_call *call, const struct error *err)
{
    enum rpc_code code = RPC_INTERNAL;

    if (err->code == ERR_MALFORMED || err->code == ERR_LIMIT)
        code = RPC_INVALID_ARGUMENT;
    else if (err->code == ERR_REFUSED)
        code = RPC_FAILED_PRECONDITION;
    else if (err->code == ERR_OVERLOADED || err->code == ERR_MEMORY)
        code = RPC_RESOURCE_EXHAUSTED;
    else if (err->code == ERR_DUPLICATE)
        code = RPC_ABORTED; /* a Submit of the same id runs: ask again */
    else if (err->code != ERR_INTERNAL && err->code != ERR_CRYPTO)
        code = RPC_UNAVAILABLE;
    rpc_call_refuse(call, code, "%s", err->cause);
}

void participant_submit(struct participant *p, struct rpc_call *call)
{
    struct submit s = {.p = p, .call = call};
    struct error err;
    bool is_known = false;

    s.rq = wire_unpack(&part__submit_request__descriptor, rpc_call_request(call), &err);
    bool ok = s.rq && check(&s, &err) && answer_known(&s, &err, &is_known);
    if (ok && !is_known)
        ok = submit_new(&s, &err);
    if (!ok)
        refuse(call, &err);
    for (size_t i = 0; s.keys && i < s.n_informees; i++)
        public_key_unref((struct public_key *)s.keys[i]);
    free(s.keys);
    free(s.confirmers);
    free(s.informees);
    wire_message_free(s.rq);
}
