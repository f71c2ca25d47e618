/* pool.h: a bounded queue of work and a few threads that do it, for what may block.
 * Threads: pool_submit from any. Work items run in parallel and in no promised order when there is
 * more than one thread; with one thread in the order of submission. */
#ifndef BASE_POOL_H
#define BASE_POOL_H
#include <stddef.h>

#include "base/error.h"

struct pool;

#define POOL_THREADS_MAX 64

/* name: 1 to 15 characters, shown by top. n_threads: 1 to POOL_THREADS_MAX, started as work comes.
 * max_queued: items that may wait, 1 or more. The caller owns *out. Fails: ERR_CONFIG, ERR_MEMORY.
 */
MUST_CHECK bool pool_open(const char *name, int n_threads, size_t max_queued, struct pool **out,
                          struct error *err);
/* Queues fn(ctx). Fails: ERR_OVERLOADED (the queue is full), ERR_CLOSED, ERR_MEMORY; then fn never
 * runs. */
MUST_CHECK bool pool_submit(struct pool *p, void (*fn)(void *ctx), void *ctx, struct error *err);
size_t pool_queued(struct pool *p); /* waiting now */
/* Takes nothing new, runs what is queued, joins the threads. Never from an item. NULL is allowed.
 */
void pool_close(struct pool *p);
#endif
