/* node_internal.h: what node.c and the roles share. */
#ifndef NODE_NODE_INTERNAL_H
#define NODE_NODE_INTERNAL_H
#include "base/logger.h"
#include "base/thread.h"
#include "node/admin_service.h"
#include "node/key_follow.h"
#include "node/node.h"
#include "node/node_identity.h"
#include "rpc/health.h"
#include "rpc/server.h"
#include "storage/db.h"

/* What a kind of node does, apart from its life. All but observe and describe may block. */
struct role {
    enum member_kind kind;
    const char *name; /* "sequencer" */
    MUST_CHECK bool (*open)(struct node *n, struct error *err);
    MUST_CHECK bool (*start)(struct node *n, struct error *err);
    void (*stop)(struct node *n);  /* twice is allowed */
    void (*close)(struct node *n); /* after the servers are stopped; not opened is allowed */
    /* The state, and why in reason (LIFECYCLE_REASON_MAX). */
    enum node_state (*observe)(struct node *n, char *reason);
    /* psid, is_initialised and the figures. */
    void (*describe)(struct node *n, struct admin_status *out);
    /* A look at the synchronizer's topology, and transactions into it; NULL where the role has no
     * administration of it. As sequencer_with_topology, sequencer_submit_topology. */
    bool (*with_topology)(struct node *n, topology_fn *fn, void *ctx);
    bool (*submit_topology)(struct node *n, const struct bytes *txs, size_t n_txs,
                            int64_t timeout_us, struct error *err);
};
extern const struct role role_sequencer, role_mediator, role_participant;

struct node {
    const struct config_node *cfg;
    struct config_node *derived; /* owned: of an embedded mediator, else NULL */
    struct node_shared shared;
    const struct role *role;
    struct logger *lg;
    int db_lock; /* -1: none */
    struct db *db;
    struct node_identity identity;

    struct rpc_server *public_server; /* sequencer */
    struct health *public_health;
    struct rpc_server *server; /* admin-api, or a participant's api */
    struct health *health;
    struct admin_service *admin;
    int public_port, port;
    int local_port; /* loopback without TLS, for the embedded mediator; 0: none */
    char where[256];

    struct sequencer *seq; /* of exactly one role */
    struct mediator *med;
    struct participant *part;
    struct guard *guard; /* of a participant that may have replicas */

    struct key_follow key_follow;

    int64_t started_at;   /* clock_mono_us */
    bool was_active;      /* node_poll's, as what follows */
    enum node_state told; /* what health was last set from; 0: never */
    struct mutex lock;
    struct lifecycle life;              /* guarded by lock, as what follows */
    bool is_probing;                    /* a probe of the database is under way */
    int64_t probed_at;                  /* clock_mono_us: when the last one began */
    char trouble[LIFECYCLE_REASON_MAX]; /* what it said; "" when the database answers */
};

/* TLS of a client as configured, or NULL. *out is storage for the answer. */
struct rpc_tls_client;
const struct rpc_tls_client *node_client_tls(const struct config_tls *t,
                                             struct rpc_tls_client *out);
/* The texts of urls in a new array: free(). NULL: no memory. */
const char **node_url_texts(const struct config_urls *urls);
/* Appends a figure; the ninth and later names are dropped by their bound. */
void node_figure(struct admin_status *st, const char *name, int64_t value);
#endif
