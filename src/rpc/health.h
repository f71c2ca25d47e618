/* health.h: grpc.health.v1, Check and Watch. Names have a status that is set at run time; an
 * unknown name is NOT_FOUND for Check and SERVICE_UNKNOWN (the stream stays open) for Watch, as the
 * standard says. "" stands for the whole server and is there from the start, NOT_SERVING. Threads:
 * any. */
#ifndef RPC_HEALTH_H
#define RPC_HEALTH_H
#include "base/error.h"
#include "rpc/server.h"

enum health_status { HEALTH_UNKNOWN = 0, HEALTH_SERVING = 1, HEALTH_NOT_SERVING = 2 };

struct health;

#define HEALTH_NAMES_MAX 64

/* The caller owns *out. Fails: ERR_MEMORY. */
MUST_CHECK bool health_open(struct health **out, struct error *err);
/* Registers both methods; before rpc_server_start. A health serves any number of servers. */
MUST_CHECK bool health_register(struct health *h, struct rpc_server *s, struct error *err);
/* Sets, and tells every watcher of the name. name: 0 to 127 bytes. A name is made by its first
 * setting. Fails: ERR_LIMIT (too many names), ERR_MEMORY. */
MUST_CHECK bool health_set(struct health *h, const char *name, enum health_status status,
                           struct error *err);
/* Every name NOT_SERVING from now on, and every Watch ended with UNAVAILABLE: at the start of a
 * stop, before rpc_server_drain. */
void health_shutdown(struct health *h);
void health_close(struct health *h); /* after rpc_server_close of its servers; NULL is allowed */
#endif
