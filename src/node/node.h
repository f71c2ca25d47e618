/* node.h: one configured node of this process: a sequencer, a mediator or a participant replica
 * with its database, identity, servers and health. What the node does is its role's (role.h); here
 * is its life:
 *
 *   node_open -> (node_boot_embedded) -> node_start -> node_poll ... -> node_drain -> node_stop ->
 * node_close
 *
 * Threads: open, start, drain, stop, close from one; node_poll from one at a time; the others from
 * any. */
#ifndef NODE_NODE_H
#define NODE_NODE_H
#include "config/config.h"
#include "node/lifecycle.h"

struct key_wrap;
struct node;
struct logger;
struct pool;
struct rpc_loop;

/* What all nodes of a process share; borrowed until the last node_close. */
struct node_shared {
    struct rpc_loop *loop;
    struct pool *pool; /* what blocks on a database */
    struct logger *logger;
    const struct key_wrap *wrap; /* how private keys are stored */
};

/* Opens the database (and migrates it, when so configured), makes or loads the identity, opens the
 * servers: they listen, and answer from node_start on. cfg: borrowed until node_close. The caller
 * owns *out. Fails: one clear line: ERR_CONFIG, ERR_UNAVAILABLE, ERR_SCHEMA, ERR_IO (a port in
 * use), ... */
MUST_CHECK bool node_open(const struct config_node *cfg, const struct node_shared *shared,
                          struct node **out, struct error *err);

/* The embedded mediator of synchronizer syn: a node of its own with a derived configuration, that
 * is connected to syn through a socket. Fails as node_open. */
MUST_CHECK bool node_open_embedded(struct node *syn, const struct node_shared *shared,
                                   struct node **out, struct error *err);
/* Bootstraps synchronizer syn with its embedded mediator, or finds that it was done. Before
 * node_start of both. Killed anywhere it can be run again. Fails: ERR_REFUSED (the database has
 * another synchronizer), storage's. */
MUST_CHECK bool node_boot_embedded(struct node *syn, struct node *med, struct error *err);

MUST_CHECK bool node_start(struct node *n, struct error *err);
/* Looks at what the role reports; moves the state, logs a change, sets health. */
enum node_state node_poll(struct node *n);
/* Says goodbye: health NOT_SERVING, new calls are refused. Does not wait. */
void node_drain(struct node *n);
/* Ends the role and the servers, within about 10 s. */
void node_stop(struct node *n);
void node_close(struct node *n); /* NULL is allowed */

const char *node_name(const struct node *n);
bool node_is_sequencer(const struct node *n);
/* "public-api 127.0.0.1:5001, admin-api 127.0.0.1:5002" */
const char *node_where(const struct node *n);
#endif
