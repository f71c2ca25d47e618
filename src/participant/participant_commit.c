/* participant_commit.c: the commit thread. It takes what is queued, up to the end of an event, and
 * writes it in one transaction; then it says what may be said: outcomes to their readers, commands
 * to the sequencer. While one commit runs, the next one's changes gather. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/backoff.h"
#include "participant/participant_impl.h"

#define CHANGES_MAX 2000               /* queued; more and the stream is not read on */
#define BATCH_MAX   500                /* in one transaction */
#define BYTES_MAX   ((size_t)64 << 20) /* of queued bodies */

struct change *change_new(enum change_kind kind, int64_t ts, struct error *err)
{
    struct change *c = calloc(1, sizeof(*c));

    if (!c) {
        error_set(err, ERR_MEMORY, NULL, "no memory for a change");
        return NULL;
    }
    c->kind = kind;
    c->ts = ts;
    return c;
}

void change_free(struct change *c)
{
    if (!c)
        return;
    buffer_free(&c->body);
    buffer_free(&c->extra);
    free(c);
}

void commit_queue(struct participant *p, struct change *c)
{
    c->next = NULL;
    if (p->tail)
        p->tail->next = c;
    else
        p->head = c;
    p->tail = c;
    p->n_changes++;
    p->change_bytes += c->body.len + c->extra.len;
    cond_broadcast(&p->commit_changed);
}

bool commit_wait_room(struct participant *p)
{
    while ((p->n_changes >= CHANGES_MAX || p->change_bytes >= BYTES_MAX) && !p->is_stopping &&
           !p->is_failed)
        cond_wait(&p->commit_changed, &p->m);
    return !p->is_stopping && !p->is_failed;
}

/* Whether a batch may be cut behind c: what an event caused is not torn from its end. Changes that
 * are not an event's (a command) stand alone. */
static bool is_cut(const struct change *c)
{
    return c->kind == CHANGE_EVENT || c->kind == CHANGE_COMMAND_INSERT ||
           c->kind == CHANGE_COMMAND_ACCEPTED || c->kind == CHANGE_COMMAND_DELETE ||
           c->kind == CHANGE_REQUEST_ANSWERED;
}

/* Takes the changes of one commit off the queue, and where it leads. NULL: nothing whole is there.
 */
static struct change *take_batch(struct participant *p, struct position *to)
{
    struct change *list = p->head, *last = NULL;
    struct position at = p->committed;
    size_t n = 0, n_taken = 0;

    for (struct change *c = p->head; c && n < BATCH_MAX; c = c->next) {
        n++;
        if (c->kind == CHANGE_OUTCOME)
            at.outcome_id = c->outcome_id;
        if (c->kind == CHANGE_EVENT) {
            at.has_event = true;
            at.event_ts = c->ts;
            at.hash = c->hash;
        }
        if (is_cut(c)) {
            last = c;
            n_taken = n;
            *to = at;
        }
    }
    if (!last)
        return NULL;
    p->head = last->next;
    if (!p->head)
        p->tail = NULL;
    last->next = NULL;
    p->n_changes -= n_taken;
    for (struct change *c = list; c; c = c->next)
        p->change_bytes -= c->body.len + c->extra.len;
    to->commit_no = p->committed.commit_no + 1;
    return list;
}

/* Tries until it is written; false: stopping, or it never will be. */
static bool write_batch(struct participant *p, const struct change *list, const struct position *to)
{
    struct backoff backoff = BACKOFF_INIT;
    struct error err;
    bool is_warned = false, is_unknown = false;

    while (!store_commit(p, list, to, &is_unknown, &err)) {
        bool is_final = err.code == ERR_FENCED || err.code == ERR_DUPLICATE ||
                        err.code == ERR_SCHEMA || err.code == ERR_INTERNAL ||
                        err.code == ERR_CONFIG || err.code == ERR_DATABASE || err.code == ERR_LIMIT;
        if (is_final) {
            participant_fail(p, &err, "its rows cannot be written");
            return false;
        }
        if (!is_warned)
            logger_error(p->lg, LOG_WARN, &err, "rows are not written yet");
        is_warned = true;
        mutex_lock(&p->m);
        int64_t until = clock_mono_us() + backoff_next(&backoff);
        while (!p->is_stopping && cond_wait_until(&p->commit_changed, &p->m, until))
            ;
        bool is_stopping = p->is_stopping;
        mutex_unlock(&p->m);
        if (is_stopping)
            return false;
    }
    return true;
}

/* After the commit: what it allows. */
static void publish(struct participant *p, struct change *list)
{
    struct change *c;
    bool has_outcomes = false;

    mutex_lock(&p->m);
    for (c = list; c; c = c->next) {
        if (c->kind == CHANGE_OUTCOME) {
            streams_publish(p, c->outcome_id, buffer_bytes(&c->body));
            has_outcomes = true;
        }
    }
    if (has_outcomes)
        cond_broadcast(&p->stream_changed);
    mutex_unlock(&p->m);
    for (c = list; c; c = c->next) {
        if (c->kind == CHANGE_COMMAND_INSERT)
            command_send(p, c->command_id);
    }
    while ((c = list)) {
        list = c->next;
        change_free(c);
    }
}

void *participant_commit_main(void *ctx)
{
    struct participant *p = ctx;
    struct position to;

    for (;;) {
        struct change *list = NULL;

        mutex_lock(&p->m);
        while (!p->is_failed && !(list = take_batch(p, &to)) && !p->is_stopping)
            cond_wait(&p->commit_changed, &p->m);
        mutex_unlock(&p->m);
        if (!list)
            break;
        if (!write_batch(p, list, &to)) {
            while (list) {
                struct change *next = list->next;
                change_free(list);
                list = next;
            }
            break;
        }
        mutex_lock(&p->m);
        p->committed = to;
        cond_broadcast(&p->commit_changed);
        mutex_unlock(&p->m);
        publish(p, list);
    }
    return NULL;
}
