/* topology_runner.c: what an operator asks of the topology: a look at it, and transactions of the
 * mediator's own. Callers leave a post; the control thread, which owns the client, sends it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/waiter.h"
#include "mediator/mediator_impl.h"
#include "topology/topology.h"
#include "wire/submission.h"

#define TXS_MAX 100

struct post {
    struct buffer *txs; /* copies */
    size_t n;
    int64_t life_us;
    struct waiter *waiter;
};

static void post_free(struct post *p)
{
    for (size_t i = 0; i < p->n; i++)
        buffer_free(&p->txs[i]);
    free(p->txs);
    free(p);
}

static void post_end(struct post *p, const struct error *err)
{
    waiter_done(p->waiter, err);
    post_free(p);
}

static struct post *post_new(const struct bytes *txs, size_t n, int64_t life_us, struct error *err)
{
    struct post *p = calloc(1, sizeof(*p));

    if (p != NULL)
        p->txs = calloc(n + 1, sizeof(*p->txs));
    if (p == NULL || p->txs == NULL || !waiter_open(&p->waiter, err)) {
        if (p != NULL)
            post_free(p);
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for a broadcast");
        return NULL;
    }
    p->life_us = life_us;
    for (; p->n < n; p->n++)
        buffer_append_bytes(&p->txs[p->n], txs[p->n]);
    return p;
}

static void on_sequenced(void *ctx, const struct client_send_report *r)
{
    struct error err;

    if (r->result == CLIENT_SEND_SEQUENCED) {
        post_end(ctx, NULL);
        return;
    }
    if (r->error != NULL && r->error->code != ERR_NONE)
        err = *r->error;
    else
        error_set(&err, ERR_UNAVAILABLE, "look at the topology, then try again",
                  "the transactions were not sequenced: %s",
                  r->reason[0] != '\0' ? r->reason : "no sequencer took them in time");
    post_end(ctx, &err);
}

static bool send_post(struct mediator *m, struct post *p, struct error *err)
{
    struct bytes list[TXS_MAX];
    struct submission s;
    char id[UUID_TEXT_LEN];
    int64_t until = clock_now_us() + p->life_us;

    for (size_t i = 0; i < p->n; i++)
        list[i] = buffer_bytes(&p->txs[i]);
    random_uuid(id);
    if (!submission_topology(m->member, id, m->psid, list, p->n, until, &s, err))
        return false;
    struct client_send what = {.request = buffer_bytes(&s.raw),
                               .message_id = id,
                               .max_sequencing_us = until,
                               .sequenced = on_sequenced,
                               .ctx = p};
    bool ok = client_send(m->client, &what, err);

    submission_free(&s);
    return ok;
}

static struct post *take(struct mediator *m)
{
    mutex_lock(&m->lock);
    struct post *p = m->post;

    m->post = NULL;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    return p;
}

void topology_post_send(struct mediator *m)
{
    struct post *p = take(m);
    struct error err;

    if (p != NULL && !send_post(m, p, &err))
        post_end(p, &err);
}

void topology_post_drop(struct mediator *m)
{
    struct post *p = take(m);
    struct error err;

    if (p == NULL)
        return;
    error_set(&err, ERR_UNAVAILABLE, "try again", "the mediator lost its session");
    post_end(p, &err);
}

/* Leaves p for the control thread. False: refused, and p is still the caller's. */
static bool leave(struct mediator *m, struct post *p, int64_t until, struct error *err)
{
    bool ok;

    mutex_lock(&m->lock);
    while (m->post != NULL && m->role == MEDIATOR_ACTIVE &&
           cond_wait_until(&m->changed, &m->lock, until))
        ;
    ok = m->role == MEDIATOR_ACTIVE && m->post == NULL && m->is_connected && !m->is_stopping;
    if (ok) {
        m->post = p;
        m->is_turn_due = true;
        cond_broadcast(&m->changed);
    } else if (m->role == MEDIATOR_PASSIVE) {
        error_set(err, ERR_REFUSED, "ask the active replica", "this replica is passive");
    } else {
        error_set(err, ERR_UNAVAILABLE, "try again", "the mediator is %s%s",
                  mediator_role_name(m->role), m->is_connected ? "" : ", without a sequencer");
    }
    mutex_unlock(&m->lock);
    return ok;
}

bool mediator_submit_topology(struct mediator *m, const struct bytes *txs, size_t n,
                              int64_t timeout_us, struct error *err)
{
    int64_t until = clock_mono_us() + timeout_us;
    struct post *p;

    if (n > TXS_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu transactions in one broadcast, at most %d", n,
                         TXS_MAX);
    p = post_new(txs, n, timeout_us, err);
    if (p == NULL)
        return false;
    struct waiter *w = p->waiter;

    if (leave(m, p, until, err))
        return waiter_wait(w, until, "not sequenced", err);
    waiter_close(w);
    post_free(p);
    return false;
}

bool mediator_with_topology(struct mediator *m,
                            void (*fn)(void *ctx, const struct topology *topo, int64_t ts),
                            void *ctx)
{
    mutex_lock(&m->core_lock);
    bool is_there = m->topology != NULL;

    if (is_there)
        fn(ctx, m->topology, topology_sequenced_until(m->topology) + 1);
    mutex_unlock(&m->core_lock);
    return is_there;
}
