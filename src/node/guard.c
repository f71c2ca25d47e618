#include "node/guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "participant/participant.h"
#include "storage/lease.h"

#define LEASE_NAME "participant"

struct guard {
    struct node *n;
    struct lease *lease;
    struct thread thread;
    struct mutex m;
    struct cond wake;
    bool is_stopping;      /* guarded by m, as what follows */
    enum node_state state; /* NODE_STARTING, _STANDBY, _ACTIVE, _FAILED */
    char reason[LIFECYCLE_REASON_MAX];
};

static void set_state(struct guard *g, enum node_state s, const char *reason)
{
    mutex_lock(&g->m);
    g->state = s;
    snprintf(g->reason, sizeof(g->reason), "%.*s", LIFECYCLE_REASON_MAX - 1, reason);
    mutex_unlock(&g->m);
}

static void on_won(struct guard *g)
{
    struct error err;

    if (participant_start(g->n->part, &err)) {
        set_state(g, NODE_ACTIVE, "");
        return;
    }
    logger_error(g->n->lg, LOG_ERROR, &err, "the participant cannot start");
    set_state(g, NODE_FAILED, err.cause);
}

static void on_lost(struct guard *g)
{
    participant_stop(g->n->part);
    log_error(g->n->lg, ERR_FENCED,
              "another process has taken this participant over; start again "
              "to stand by");
    set_state(g, NODE_FAILED, "another process has taken this participant over");
}

/* One turn; false: nothing more to do. */
static bool turn(struct guard *g, bool *is_quiet)
{
    enum lease_change change;
    struct error err;

    if (!lease_step(g->lease, &change, &err)) {
        if (!*is_quiet)
            logger_error(g->n->lg, LOG_WARN, &err, "lease of the participant");
        *is_quiet = true; /* the next failures say nothing new */
        return true;
    }
    *is_quiet = false;
    if (change == LEASE_WON)
        on_won(g);
    else if (change == LEASE_LOST)
        on_lost(g);
    else if (!lease_held(g->lease, NULL))
        set_state(g, NODE_STANDBY, "another process runs this participant");
    return change != LEASE_LOST;
}

static void *guard_main(void *ctx)
{
    struct guard *g = ctx;
    bool is_quiet = false;

    while (turn(g, &is_quiet)) {
        int64_t until = clock_mono_us() + g->n->cfg->lease.lease_renew_us;

        mutex_lock(&g->m);
        while (!g->is_stopping && cond_wait_until(&g->wake, &g->m, until))
            ;
        bool is_stopping = g->is_stopping;
        mutex_unlock(&g->m);
        if (is_stopping)
            break;
    }
    return NULL;
}

bool guard_start(struct node *n, struct error *err)
{
    struct guard *g = calloc(1, sizeof(*g));

    if (g == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the lease of a participant");
    g->n = n;
    mutex_init(&g->m);
    cond_init(&g->wake);
    g->state = NODE_STARTING;
    n->guard = g;
    return lease_open(n->db, LEASE_NAME, n->cfg->lease.lease_expiry_us,
                      n->cfg->lease.lease_renew_us, &g->lease, err) &&
           thread_start(&g->thread, "ls-guard", guard_main, g, err);
}

void guard_stop(struct node *n)
{
    struct guard *g = n->guard;

    if (g == NULL)
        return;
    mutex_lock(&g->m);
    g->is_stopping = true;
    cond_signal(&g->wake);
    mutex_unlock(&g->m);
    thread_join(&g->thread);
    participant_stop(n->part); /* before another may start */
    lease_close(g->lease);
    cond_destroy(&g->wake);
    mutex_destroy(&g->m);
    n->guard = NULL;
    free(g);
}

enum node_state guard_observe(struct node *n, char *reason)
{
    struct guard *g = n->guard;

    if (g == NULL)
        return NODE_ACTIVE;
    mutex_lock(&g->m);
    enum node_state s = g->state;

    snprintf(reason, LIFECYCLE_REASON_MAX, "%s", g->reason);
    mutex_unlock(&g->m);
    return s;
}
