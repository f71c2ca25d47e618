/* thread.h: mutexes and conditions that clang's thread-safety analysis understands, and threads.
 * A field says GUARDED_BY(mutex); a function that wants the lock held says REQUIRES(mutex). */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H
#include <pthread.h>
#include <stdint.h>

#include "base/error.h"

#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
#define CAPABILITY(x) TSA(capability(x))
#define GUARDED_BY(m) /* for the reader: clang cannot name a sibling field in C */
#define REQUIRES(m)   TSA(requires_capability(m))
#define ACQUIRES(m)   TSA(acquire_capability(m))
#define RELEASES(m)   TSA(release_capability(m))
#define NO_TSA        TSA(no_thread_safety_analysis)

struct CAPABILITY("mutex") mutex {
    pthread_mutex_t m;
};
struct cond {
    pthread_cond_t c; /* waits on the monotonic clock */
};

void mutex_init(struct mutex *m);
void mutex_destroy(struct mutex *m);
void mutex_lock(struct mutex *m) ACQUIRES(*m);
void mutex_unlock(struct mutex *m) RELEASES(*m);

void cond_init(struct cond *c);
void cond_destroy(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m) REQUIRES(*m);
/* Waits until signalled or until clock_mono_us() reaches deadline_us; false when it passed. */
bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_us) REQUIRES(*m);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

struct thread {
    pthread_t id;
    bool is_started;
};
/* Starts fn(ctx) with all signals blocked; name (15 characters shown) is what top and gdb print. */
MUST_CHECK bool thread_start(struct thread *t, const char *name, void *(*fn)(void *), void *ctx,
                             struct error *err);
void thread_join(struct thread *t); /* does nothing for one that never started */
/* Nobody joins it: it must own all that it uses. Does nothing for one that never started. */
void thread_detach(struct thread *t);
#endif
