/* loop.h: the threads that every server and channel of a process shares. gRPC is initialised by the
 * first loop and shut down by the last.
 *
 * Threads: n_threads threads wait for the network and run every callback of rpc/: method handlers,
 * call events, stream messages, results. A callback must not block: no database, no disk, no
 * waiting for another call, no lock that is held during such things. What blocks goes to a work
 * pool (base/pool.h); a method can name its pool (server.h). All callbacks of one call, stream or
 * channel come from one thread of the loop, one after the other.
 * gRPC adds six threads of its own to a process (timers, resolver, executor, event engine: it has
 * no switch for them); at rest they and the loop wake about twice a second in all, and all signals
 * are blocked in them. t/bench/bench_rpc measures what a call costs, and a server at rest. */
#ifndef RPC_LOOP_H
#define RPC_LOOP_H
#include "base/error.h"
#include "base/logger.h"

struct rpc_loop;

#define RPC_LOOP_THREADS_MAX 16

/* n_threads: 1 to RPC_LOOP_THREADS_MAX; 1 is enough for about 50k small calls a second. Borrows lg
 * (may be NULL). The caller owns *out. Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool rpc_loop_open(int n_threads, struct logger *lg, struct rpc_loop **out,
                              struct error *err);
/* After every server and channel on it is closed, every result freed and every handle released;
 * waits for its threads. Never from a callback.
 * NULL is allowed. */
void rpc_loop_close(struct rpc_loop *loop);
#endif
