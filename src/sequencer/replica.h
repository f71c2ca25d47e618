/* replica.h: the inside of struct sequencer, shared by its runners and services.
 *
 * Lock order: `state` may be held when delivery's or the writer's lock is taken, never the other
 * way round. Nothing waits for the database or a peer while `state` is held. */
#ifndef SEQUENCER_REPLICA_H
#define SEQUENCER_REPLICA_H
#include "base/logger.h"
#include "base/pool.h"
#include "base/thread.h"
#include "crypto/keyring.h"
#include "sequencer/apply.h"
#include "sequencer/delivery_runner.h"
#include "sequencer/index.h"
#include "sequencer/member_store.h"
#include "sequencer/rate.h"
#include "sequencer/sequencer.h"
#include "sequencer/synchronizer_store.h"
#include "sequencer/tail_runner.h"
#include "sequencer/writer_runner.h"

struct sequencer {
    struct sequencer_config cfg;
    char *name, *uid;
    char member[MEMBER_TEXT_SIZE]; /* "SEQ::uid" */
    struct db *db;
    struct keyring *keys;
    struct logger *lg;
    struct health *health;
    struct pool *compute; /* submissions: signatures and decompression, no database */
    struct pool *query;   /* what waits for the database */
    struct members *members;
    struct writer *writer;
    struct tailer *tail;
    struct delivery *delivery;
    struct thread starter;

    struct mutex state; /* guards all below; sync does not change once is_initialized */
    struct cond changed;
    bool is_initialized, is_caught_up, is_stopping, is_running, has_failed, is_serving;
    char reason[256];
    struct synchronizer sync;
    struct topology *topo;
    struct apply apply;
    struct index *index;
    struct rates *rates;
    int64_t safe_ts; /* everything up to here is applied */
    int online_nodes;
    uint64_t delivered, rejected, discarded, receipts;
};

/* The topology as of now; only while `state` is held. */
static inline struct view replica_view(const struct sequencer *seq)
{
    return (struct view){seq->topo, seq->safe_ts + 1};
}
/* True when requests can be served: initialised, caught up, not stopping, not failed. Takes
 * `state`. */
bool replica_is_serving(struct sequencer *seq);
/* The best guess of the next sequencing time: the clock, or the frontier when that is ahead. Takes
 * `state`. */
int64_t replica_now(struct sequencer *seq);

/* Orders topology transactions (W(30) each) as the sequencer; done as in struct ticket. Takes
 * `state`. */
MUST_CHECK bool replica_broadcast(struct sequencer *seq, const struct bytes *txs, size_t n,
                                  void (*done)(void *ctx, const struct error *err), void *ctx,
                                  struct error *err);

/* Each registers its methods. */
struct rpc_server;
MUST_CHECK bool submission_service_register(struct sequencer *seq, struct rpc_server *s,
                                            struct error *err);
MUST_CHECK bool subscription_service_register(struct sequencer *seq, struct rpc_server *s,
                                              struct error *err);
MUST_CHECK bool connect_service_register(struct sequencer *seq, struct rpc_server *s,
                                         struct error *err);
MUST_CHECK bool authentication_service_register(struct sequencer *seq, struct rpc_server *s,
                                                struct error *err);
MUST_CHECK bool download_service_register(struct sequencer *seq, struct rpc_server *s,
                                          struct error *err);
#endif
