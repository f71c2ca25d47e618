/* mediator.h: the commit coordinator as node/ sees it. A mediator is a member like any other: it
 * follows its stream through client/, keeps the topology with topology/, and answers confirmation
 * requests with verdicts. Its verdicts are a function of the ordered events and of the topology at
 * the request's ts alone, so every replica that has read the same prefix reaches the same ones.
 *
 * Replicas of one mediator share its database, identity and keys. One holds the lease "mediator"
 * and is active; the others are passive: they follow in memory, and write and send nothing. Follows
 * doc/architecture.md "The mediator". Threads: every function from any thread, open and close from
 * one. */
#ifndef MEDIATOR_MEDIATOR_H
#define MEDIATOR_MEDIATOR_H
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct db;
struct keyring;
struct logger;
struct rpc_loop;
struct rpc_tls_client;
struct mediator;

enum mediator_in_flight {
    MEDIATOR_RESUME, /* a take-over goes on with the open requests from the ordered stream */
    MEDIATOR_PURGE,  /* a take-over forgets them; participants see them time out */
};

/* Zero means the default, where one is named. All strings are copied. */
struct mediator_config {
    struct rpc_loop *loop; /* of the connections; borrowed until mediator_close */
    const char *name;      /* of the node, for log lines */
    const char *uid;       /* own uid, "id::fingerprint"; the member is MED::uid */
    enum mediator_in_flight in_flight;
    int64_t lease_renew_us;  /* 250 ms */
    int64_t lease_expiry_us; /* 1 s; at least 3 renewals */
    size_t max_in_flight;    /* open requests, 1 to 10^7; 200000. More are rejected */
    size_t max_dedup;        /* request uuids in memory, 1 to 10^8; 2^22. The oldest go first */
    const struct rpc_tls_client *tls; /* for https; NULL: the system's roots. Read at open */
    /* When not empty, used in place of the connections that mediator_initialize stored. */
    const char *const *connections;
    size_t n_connections;
};

enum mediator_role {
    MEDIATOR_STOPPED,
    MEDIATOR_UNINITIALIZED, /* polls the database for the row that mediator_initialize writes */
    MEDIATOR_STARTING,      /* connecting, loading topology and positions */
    MEDIATOR_PASSIVE,       /* follows in memory */
    MEDIATOR_CATCHING_UP,   /* holds the lease, reads what the one before has decided */
    MEDIATOR_ACTIVE,
    MEDIATOR_FAILED, /* cannot go on without an operator; `reason` says why */
};

struct mediator_status {
    enum mediator_role role;
    int64_t epoch;       /* of the lease, as last seen; 0: never taken */
    int64_t seen_ts;     /* ts of the last event that was processed; INT64_MIN: none */
    int64_t position_ts; /* a restart reads on from here: before the oldest unfinished request */
    int64_t lag_us;      /* own clock - seen_ts, 0 or more; says little on an idle synchronizer */
    size_t in_flight;    /* requests without a verdict */
    size_t unsequenced;  /* verdicts decided and not seen sequenced */
    uint64_t n_approved, n_rejected, n_timed_out; /* verdicts since the start of this process */
    uint64_t n_expired; /* verdicts that were not sequenced by their decision time */
    uint64_t n_alarms;  /* messages dropped because a peer broke a rule */
    bool is_connected;  /* a subscription stands */
    char psid[512];     /* "" when uninitialised */
    char reason[256];   /* why the role is what it is */
};

/* Stable lower-case name, "active". Never NULL. */
const char *mediator_role_name(enum mediator_role role);

/* Makes a handle; reads nothing yet. Borrows db (open and migrated), keys (signing keys with usage
 * protocol and sequencer authentication) and lg until mediator_close. The caller owns *out.
 * Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool mediator_open(const struct mediator_config *cfg, struct db *db,
                              struct keyring *keys, struct logger *lg, struct mediator **out,
                              struct error *err);

/* Stores what synchronizer this mediator serves, before or after mediator_start, on any replica;
 * the others find it by polling. static_params: the StaticSynchronizerParameters as bytes
 * (unwrapped message). connections: URLs of endpoints of one sequencer, at least 1, at most 64. The
 * same psid again is done (nothing changes). Fails: ERR_CONFIG (psid or parameters do not parse, or
 * protocol version other than 35), ERR_REFUSED (initialised with another psid), storage's. */
MUST_CHECK bool mediator_initialize(struct mediator *m, const char *psid,
                                    struct bytes static_params, const char *const *connections,
                                    size_t n_connections, struct error *err);

/* True in *out when mediator_initialize was done, by any replica. Fails: storage's. */
MUST_CHECK bool mediator_is_initialized(struct mediator *m, bool *out, struct error *err);

/* Starts the threads and returns at once; progress shows in mediator_status. Fails: ERR_INTERNAL
 * when a thread cannot start. */
MUST_CHECK bool mediator_start(struct mediator *m, struct error *err);

/* Stops: no new verdict, sends in flight are awaited until deadline_us (monotonic), the lease is
 * released so that a passive takes over at once. Idempotent. */
void mediator_stop(struct mediator *m, int64_t deadline_us);

void mediator_status(struct mediator *m, struct mediator_status *out);

/* Runs fn with the topology as followed and the ts at which a query sees all that is effective. fn
 * must be short and must not call the mediator. False (and fn is not called): no session yet. */
struct topology;
MUST_CHECK bool
mediator_with_topology(struct mediator *m,
                       void (*fn)(void *ctx, const struct topology *topo, int64_t ts), void *ctx);
/* Has signed topology transactions (W(30) each, at most 100) sequenced, addressed to everybody;
 * returns when the own stream has shown them. Active replica only: a passive one sends nothing.
 * Blocks. Fails: ERR_REFUSED (passive), ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_LIMIT, what the sequencer
 * says. */
MUST_CHECK bool mediator_submit_topology(struct mediator *m, const struct bytes *txs, size_t n,
                                         int64_t timeout_us, struct error *err);

/* Called on every change of the role, from one of the mediator's threads, without any lock held;
 * must not call mediator_stop or mediator_close. Set before mediator_start. */
void mediator_on_role(struct mediator *m, void (*fn)(void *ctx, enum mediator_role role),
                      void *ctx);

void mediator_close(struct mediator *m); /* stops first; NULL is allowed */
#endif
