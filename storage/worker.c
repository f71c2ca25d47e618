/* worker.c: threads for calls of a driver that may never come back. The pool joins those that do;
 * one that does not keeps what it uses alive, and frees it when it is back. */
#include <stdlib.h>

#include "storage/db_internal.h"

struct worker {
    struct thread thread;
    struct db *db;
    void (*fn)(void *ctx);
    void *ctx;
    bool is_done, is_left; /* by db_close */
    struct worker *next;
};

static void *worker_run(void *ctx)
{
    struct worker *w = ctx;
    struct workers *all = &w->db->workers;

    w->fn(w->ctx);
    mutex_lock(&all->mutex);
    const bool is_left = w->is_left;
    w->is_done = true;
    cond_broadcast(&all->done);
    mutex_unlock(&all->mutex);
    if (is_left) {
        db_release(w->db);
        free(w);
    }
    return NULL;
}

bool worker_start(struct db *db, const char *name, void (*fn)(void *ctx), void *ctx,
                  struct error *err)
{
    struct worker *w = calloc(1, sizeof(*w));

    if (!w)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a thread");
    *w = (struct worker){.db = db, .fn = fn, .ctx = ctx};
    mutex_lock(&db->workers.mutex);
    const bool ok = thread_start(&w->thread, name, worker_run, w, err);
    if (ok) {
        w->next = db->workers.first;
        db->workers.first = w;
    }
    mutex_unlock(&db->workers.mutex);
    if (!ok)
        free(w);
    return ok;
}

void workers_reap(struct db *db)
{
    struct worker *done = NULL;

    mutex_lock(&db->workers.mutex);
    for (struct worker **at = &db->workers.first; *at;) {
        struct worker *w = *at;
        if (!w->is_done) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = done;
        done = w;
    }
    mutex_unlock(&db->workers.mutex);
    while (done) {
        struct worker *next = done->next;
        thread_join(&done->thread);
        free(done);
        done = next;
    }
}

static bool all_done(const struct worker *w)
{
    while (w && w->is_done)
        w = w->next;
    return !w;
}

void workers_leave(struct db *db, int64_t until_us)
{
    mutex_lock(&db->workers.mutex);
    while (!all_done(db->workers.first) &&
           cond_wait_until(&db->workers.done, &db->workers.mutex, until_us))
        ;
    for (struct worker **at = &db->workers.first; *at;) {
        struct worker *w = *at;
        if (w->is_done) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        thread_detach(&w->thread);
        w->is_left = true;
        atomic_fetch_add(&db->refs, 1);
    }
    mutex_unlock(&db->workers.mutex);
    workers_reap(db);
}
