/* sequencer.h: one replica of one database sequencer, as the node sees it.
 *
 * Replicas of a sequencer share its database, identity and keys and differ in the node index, which
 * they lease. The database holds one totally ordered log of accepted requests; every replica reads
 * it in order and runs the same deterministic apply over it (doc/architecture.md, "The sequencer").
 *
 * Life: open, register (once per RPC server), start, stop, close. A started replica whose database
 * has not been initialised polls for it (sequencer_initialize may run in any replica) and until
 * then answers health checks NOT_SERVING and everything else UNAVAILABLE.
 *
 * Threads: any function from any thread, but open, start, stop and close from one at a time. */
#ifndef SEQUENCER_SEQUENCER_H
#define SEQUENCER_SEQUENCER_H
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct db;
struct keyring;
struct logger;
struct health;
struct rpc_server;
struct topology;
struct sequencer;

#define SEQUENCER_HEALTH_SERVICE "sequencer-health-check-service"
#define SEQUENCER_API_NAME       "sequencer-public-api"
#define SEQUENCER_NODES_MAX      100 /* the largest total_node_count */
#define SEQUENCER_NODES_DEFAULT  10

struct sequencer_config {
    const char *name;          /* of the node, for logs; copied */
    const char *uid;           /* id::fingerprint, without "SEQ::"; copied */
    int total_node_count;      /* 1 to SEQUENCER_NODES_MAX; must equal what the database has */
    int64_t beat_us;           /* a live node moves its watermark at least this often: 250 ms */
    int64_t expiry_us;         /* silence after which a peer is marked offline: 1 s; >= 3 beats */
    int64_t poll_us;           /* idle poll of the log: 15 ms */
    int64_t max_clock_skew_us; /* a write this far ahead of the engine's clock is refused: 500 ms */
    size_t queue_max;        /* submissions waiting for the writer; full is SEQUENCER_OVERLOADED */
    size_t queue_bytes_max;  /* and their bytes */
    size_t batch_max;        /* submissions in one commit */
    size_t batch_bytes_max;  /* and their bytes */
    size_t window_bytes_max; /* events kept in memory; older ones are read from the log */
    int subscriptions_per_member;
    int64_t token_life_us; /* 1 h */
    int64_t nonce_life_us; /* 1 min */
};

/* The defaults above; name and uid are NULL and must be set. */
void sequencer_config_default(struct sequencer_config *cfg);

/* Makes a replica, starts nothing, touches no row. Borrows db (migrated), keys (the node's own:
 * PROTOCOL and SEQUENCER_AUTHENTICATION signing keys) and lg until close. The caller owns *out.
 * Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool sequencer_open(const struct sequencer_config *cfg, struct db *db,
                               struct keyring *keys, struct logger *lg, struct sequencer **out,
                               struct error *err);

/* Registers the public services on server: SequencerService, SequencerConnectService,
 * SequencerAuthenticationService, ApiInfoService ("sequencer-public-api"). The health of
 * SEQUENCER_HEALTH_SERVICE and "" is set on health (borrowed until close; NULL is allowed), which
 * the caller has registered on server. Before sequencer_start; server must be stopped before close.
 */
MUST_CHECK bool sequencer_register(struct sequencer *seq, struct rpc_server *server,
                                   struct health *health, struct error *err);

/* Writes the synchronizer into the database in one transaction: physical id, static parameters,
 * genesis, total_node_count, token key and the first log entry (rule version). genesis: stored
 * topology in V2 form (topology/genesis.h); static_params: a plain
 * P30.StaticSynchronizerParameters. Idempotent: true when the same synchronizer is there already
 * (*was_there, may be NULL). Fails: ERR_MALFORMED, ERR_REFUSED (another synchronizer is there),
 * ERR_CONFIG, storage errors. */
MUST_CHECK bool sequencer_initialize(struct sequencer *seq, const char *psid, struct bytes genesis,
                                     struct bytes static_params, bool *was_there,
                                     struct error *err);

/* Starts the threads and returns at once; see sequencer_status. Fails: ERR_INTERNAL. */
MUST_CHECK bool sequencer_start(struct sequencer *seq, struct error *err);

/* Says goodbye: health NOT_SERVING, refuses new submissions, commits or refuses what is queued,
 * marks the node offline, ends subscriptions with UNAVAILABLE, joins the threads. Within about 5 s.
 */
void sequencer_stop(struct sequencer *seq);
void sequencer_close(struct sequencer *seq); /* stops if need be; NULL is allowed */

enum sequencer_state {
    SEQUENCER_STOPPED,
    SEQUENCER_UNINITIALIZED, /* waits for the synchronizer's row in the database */
    SEQUENCER_CATCHING_UP,   /* replays the log */
    SEQUENCER_OFFLINE,       /* follows, but has no node index (yet, or lost it): takes nothing */
    SEQUENCER_ACTIVE,
    SEQUENCER_FAILED /* needs an operator; reason says what */
};
const char *sequencer_state_text(enum sequencer_state state); /* "active" */

struct sequencer_status {
    enum sequencer_state state;
    char reason[256];   /* why, for people; "" when active */
    char psid[384];     /* "" while uninitialised */
    int node_index;     /* -1: none */
    int online_nodes;   /* as last read */
    int64_t watermark;  /* own, 0: none */
    int64_t safe_ts;    /* frontier */
    int64_t applied_ts; /* how far apply has gone, 0: nothing */
    uint8_t digest[32]; /* of all outcomes up to applied_ts */
    uint64_t accepted, committed, batches, refused, overloaded; /* submissions since the start */
    uint64_t delivered, rejected, discarded, receipts;          /* outcomes since the start */
    size_t queued, subscriptions;
};
void sequencer_status(struct sequencer *seq, struct sequencer_status *out);

/* Calls fn for each member that has a subscription here. */
void sequencer_connected_members(struct sequencer *seq, void (*fn)(void *ctx, const char *member),
                                 void *ctx);

/* Runs fn under the state lock with the topology as applied and the ts at which a query sees all
 * that is effective (applied_ts + 1). fn must be short and must not call the sequencer. False (and
 * fn is not called): not initialised. */
MUST_CHECK bool
sequencer_with_topology(struct sequencer *seq,
                        void (*fn)(void *ctx, const struct topology *topo, int64_t ts), void *ctx);

/* Orders signed topology transactions (plain P30.SignedTopologyTransaction bytes) as the sequencer
 * itself, addressed to everybody. Returns when they are committed to the log; they are effective
 * one topology change delay later. At most 100. Fails: ERR_UNAVAILABLE, ERR_OVERLOADED, ... */
MUST_CHECK bool sequencer_submit_topology(struct sequencer *seq, const struct bytes *txs, size_t n,
                                          int64_t timeout_us, struct error *err);
#endif
