#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* A pthread call that fails here is a defect, and going on would hide it. */
static void must(int rc)
{
    if (rc != 0)
        abort();
}

void mutex_init(struct mutex *m)
{
    must(pthread_mutex_init(&m->m, NULL));
}

void mutex_destroy(struct mutex *m)
{
    must(pthread_mutex_destroy(&m->m));
}

void mutex_lock(struct mutex *m) NO_TSA
{
    must(pthread_mutex_lock(&m->m));
}

void mutex_unlock(struct mutex *m) NO_TSA
{
    must(pthread_mutex_unlock(&m->m));
}

void cond_init(struct cond *c)
{
    pthread_condattr_t a;

    must(pthread_condattr_init(&a));
    must(pthread_condattr_setclock(&a, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->c, &a));
    pthread_condattr_destroy(&a);
}

void cond_destroy(struct cond *c)
{
    must(pthread_cond_destroy(&c->c));
}

void cond_wait(struct cond *c, struct mutex *m)
{
    must(pthread_cond_wait(&c->c, &m->m));
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_us)
{
    struct timespec t = {.tv_sec = (time_t)(deadline_us / US_PER_S),
                         .tv_nsec = (long)(deadline_us % US_PER_S) * 1000};
    int rc = pthread_cond_timedwait(&c->c, &m->m, &t);

    if (rc != ETIMEDOUT)
        must(rc);
    return rc == 0;
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->c));
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->c));
}

bool thread_start(struct thread *t, const char *name, void *(*fn)(void *), void *ctx,
                  struct error *err)
{
    sigset_t all, old;
    char shown[16] = {0};
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&t->id, NULL, fn, ctx);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_set(err, ERR_MEMORY, "raise the limit of threads (ulimit -u)",
                         "thread %s does not start: %s", name, strerror(rc));
    t->is_started = true;
    strncpy(shown, name, sizeof(shown) - 1);
    pthread_setname_np(t->id, shown);
    return true;
}

void thread_join(struct thread *t)
{
    if (!t->is_started)
        return;
    must(pthread_join(t->id, NULL));
    t->is_started = false;
}

void thread_detach(struct thread *t)
{
    if (!t->is_started)
        return;
    must(pthread_detach(t->id));
    t->is_started = false;
}
