/* participant.h: a small, real participant. It joins a synchronizer, submits transactions of opaque
 * payloads, confirms those of others, and keeps what became of each. Its one party is its own uid.
 * API: lockstep.participant.v1. Rows: sql 0004-participant (participant_store.c).
 *
 * A command is stored before it is sent and its bytes are repeatable, so Submit may be repeated;
 * what an event changes is committed with the position in one transaction, so that an outcome
 * exists exactly once, over crashes too.
 *
 * Threads: every function from any thread; start and stop from one. */
#ifndef PARTICIPANT_PARTICIPANT_H
#define PARTICIPANT_PARTICIPANT_H
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct db;
struct keyring;
struct logger;
struct participant;
struct rpc_loop;
struct rpc_server;
struct rpc_tls_client;

/* How confirmation requests of others are answered. */
enum participant_confirm {
    PARTICIPANT_CONFIRM_AUTO,   /* approve what is well-formed */
    PARTICIPANT_CONFIRM_MANUAL, /* by the calls Requests and Confirm */
    PARTICIPANT_CONFIRM_REJECT  /* reject all (tests, maintenance) */
};

/* One synchronizer and the endpoints of its sequencer. */
struct participant_synchronizer {
    const char *alias;
    const char *const *endpoints; /* http:// or https:// URLs, 1..16 */
    size_t n_endpoints;
    const struct rpc_tls_client *tls; /* NULL: the system's trust store, for https */
};

struct participant_config {
    struct rpc_loop *loop; /* borrowed until participant_close */
    const char *name;      /* of the node, for logs */
    const char *uid;       /* without PAR:: */
    const struct participant_synchronizer *synchronizers;
    size_t n_synchronizers; /* exactly 1 in this release, else ERR_UNSUPPORTED */
    enum participant_confirm confirm;
    /* Own NamespaceDelegation and OwnerToKeyMapping, each a wrapped SignedTopologyTransaction; the
     * trust certificate is made here, as it names the synchronizer. */
    const struct bytes *identity_txs;
    size_t n_identity_txs;
    int64_t submit_window_us; /* max sequencing time of a command from now; 0: 60 s */
    uint32_t max_in_flight;   /* commands without outcome; 0: 10000 */
};

enum participant_state {
    PARTICIPANT_STARTING,   /* no endpoint validated yet */
    PARTICIPANT_ONBOARDING, /* registering its identity, loading the topology */
    PARTICIPANT_CONNECTED,
    PARTICIPANT_DISCONNECTED, /* was connected; trying */
    PARTICIPANT_FAILED,       /* for good: fork, refused, database */
    PARTICIPANT_STOPPED
};

struct participant_status {
    enum participant_state state;
    char reason[256];
    char psid[400];     /* "" until known */
    char endpoint[256]; /* of the subscription, or "" */
    int64_t position;   /* last event processed, or INT64_MIN */
    int64_t last_offset;
    uint32_t commands_in_flight, requests_pending;
};

/* Copies cfg; borrows db (migrated), keys (namespace, protocol, sequencer-authentication and RSA
 * encryption key of the uid) and lg until participant_close. Does no I/O. Fails: ERR_CONFIG,
 * ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool participant_open(const struct participant_config *cfg, struct db *db,
                                 struct keyring *keys, struct logger *lg, struct participant **out,
                                 struct error *err);
/* Registers lockstep.participant.v1 at server, before the server starts. */
MUST_CHECK bool participant_register(struct participant *p, struct rpc_server *server,
                                     struct error *err);
/* Loads its rows and connects in the background. Fails: database errors. */
MUST_CHECK bool participant_start(struct participant *p, struct error *err);
/* Ends streams and threads; what is in flight goes on at the next start. Twice is allowed. */
void participant_stop(struct participant *p);
void participant_close(struct participant *p); /* after the server has stopped; NULL is allowed */
void participant_status(struct participant *p, struct participant_status *out);
const char *participant_state_text(enum participant_state s);
#endif
