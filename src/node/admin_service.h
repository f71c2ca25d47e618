/* admin_service.h: the administration of one node over gRPC, on its admin port. The services keep
 * the protocol's wire names; what is ours alone is in lockstep.admin.v1.
 *
 *   every node   ApiInfoService ("admin-api"), IdentityInitializationService.GetId and CurrentTime,
 *                TopologyManagerReadService (lists of the newest generation and the export),
 *                VaultService.ListMyKeys, ListPublicKeys and GenerateSigningKey,
 *                NodeService.NodeStatus
 *   sequencers and mediators  TopologyManagerWriteService, without temporary stores
 *   sequencer    SequencerStatusService, SequencerInitializationService.
 *                InitializeSequencerFromGenesisStateV2, BootstrapService.Bootstrap
 *   mediator     MediatorStatusService, MediatorInitializationService.InitializeMediator
 *
 * Whatever else is asked answers UNIMPLEMENTED. */
#ifndef NODE_ADMIN_SERVICE_H
#define NODE_ADMIN_SERVICE_H
#include "node/node_identity.h"

struct admin_service;
struct config_node;
struct mediator;
struct participant;
struct pool;
struct rpc_loop;
struct rpc_server;
struct sequencer;

#define ADMIN_FIGURES_MAX 24
#define ADMIN_PORTS_MAX   4
/* A node's state as an operator sees it; filled by the node at each question. */
struct admin_status {
    const char *state; /* "active", ...; not owned */
    char reason[256];  /* "" when there is nothing to say */
    char psid[512];    /* "" when uninitialised */
    bool is_active;    /* does its work now (not standby, not starting) */
    bool is_initialised;
    int64_t started_at; /* clock_mono_us */
    struct {
        const char *name;
        int64_t value;
    } figures[ADMIN_FIGURES_MAX];
    size_t n_figures;
    struct {
        const char *name; /* "admin", "public" */
        int port;
    } ports[ADMIN_PORTS_MAX];
    size_t n_ports;
};

struct topology;
/* As of ts: what is effective strictly before it. */
typedef void topology_fn(void *ctx, const struct topology *topo, int64_t ts);

/* All borrowed until admin_service_close. Exactly one of the three roles is not NULL, of the kind
 * of identity. */
struct admin_config {
    const char *name;
    struct node_identity *identity;
    const struct config_node *node; /* its parameters are the genesis's */
    struct rpc_loop *loop;
    struct sequencer *sequencer;
    struct mediator *mediator;
    struct participant *participant;
    bool is_replicated; /* other replicas may share the database */
    struct pool *pool;  /* where calls that touch the database run */
    /* Fills *out; from any thread. */
    void (*status)(void *ctx, struct admin_status *out);
    /* Runs fn under the lock of the role; false: there is no topology yet. NULL: never. */
    bool (*with_topology)(void *ctx, topology_fn *fn, void *fn_ctx);
    /* Has W(30) SignedTopologyTransactions sequenced; blocks. */
    bool (*submit_topology)(void *ctx, const struct bytes *txs, size_t n, int64_t timeout_us,
                            struct error *err);
    void *ctx;
    struct logger *logger;
};

/* What one request may have; a stream that brings a file: the file, unpacked or not, and a frame. A
 * server of these services takes messages of ADMIN_SERVER_BYTES. */
#define ADMIN_REQUEST_BYTES ((int64_t)10 << 20)
#define ADMIN_FILE_BYTES    ((int64_t)64 << 20)
#define ADMIN_SERVER_BYTES  (ADMIN_FILE_BYTES + 4096)

/* Registers the services at server, before it starts. The caller owns *out and closes it after the
 * server. Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool admin_service_open(const struct admin_config *cfg, struct rpc_server *server,
                                   struct admin_service **out, struct error *err);
void admin_service_close(struct admin_service *s); /* NULL is allowed */
#endif
