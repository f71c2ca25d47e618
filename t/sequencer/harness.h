/* harness.h: replicas of one sequencer on a real database, and members that speak raw gRPC to them.
 *
 *   members (channel, token) --gRPC--> replica 0, replica 1 ... --ODBC--> one database
 *
 * Everything fails the running test when it cannot be done. */
#ifndef T_SEQUENCER_HARNESS_H
#define T_SEQUENCER_HARNESS_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/unit/session_key.h"
#include "t/unit/topology_world.h"

#include "rpc/client.h"
#include "rpc/server.h"
#include "sequencer/sequencer.h"
#include "storage/db.h"
#include "wire/event.h"
#include "wire/submission.h"

#include <sched.h>

#include "base/clock.h"

#define REPLICAS_MAX 4
#define AWAIT_US     INT64_C(20000000)

struct replica {
    struct db *db;
    struct sequencer *seq;
    struct rpc_server *server;
    struct health *health;
    struct rpc_channel *channel;
    int port;
};

/* Topology and keys, and the replicas that run; the world's own topology is not used after genesis.
 */
struct rig {
    struct world world;
    struct logger *lg;
    struct rpc_loop *loop;
    struct replica replicas[REPLICAS_MAX];
    int schema; /* a new one for each rig */
};

/* An initialised sequencer without replicas. */
void rig_open(struct rig *r);
void rig_open_with(struct rig *r, const struct dynamic_parameters *p); /* not the defaults */
struct db *rig_db(const struct rig *r); /* one more connection pool; the caller closes it */
void rig_close(struct rig *r);          /* stops replicas that run */
/* The database of the rig's replicas; buf holds what cfg borrows. */
void replica_db_config(const struct rig *r, struct db_config *cfg, char *buf, size_t size);
void replica_open(struct rig *r, int i, void (*tune)(struct sequencer_config *cfg));
void replica_await_active(struct rig *r, int i);
void replica_stop(struct rig *r, int i); /* a clean stop */

/* One that has authenticated at a replica. */
struct session {
    struct rig *rig;
    struct rpc_channel *channel;
    const struct node *node;
    uint8_t token[20];
};
void session_open(struct rig *r, int i, const struct node *n, struct session *out);
/* A unary call with the three headers (n NULL: none). path: "SequencerService/GetTime". The caller
 * frees the result. */
struct rpc_result *session_call(const struct session *s, const char *path, const void *message);
struct rpc_result *call_plain(struct rig *r, int i, const char *path, const char *member,
                              const void *message);
/* Unpacks a good answer; fails the test for another code. Frees the result. */
void *result_message(struct rpc_result *r, const void *descriptor);
/* The ErrorInfo reason of a refusal: "SEQUENCER_..." or "". */
const char *result_reason(const struct rpc_result *r);

/* What is sent: one envelope (none when content is NULL) to the recipients, in trees of one node.
 */
struct letter {
    const char *message_id;
    const char *content;
    const char *recipients[8];
    enum aggregation_kind rule;
    bool is_signed;                   /* the envelope */
    int64_t max_sequencing_time;      /* 0: in one minute */
    const struct session_of *session; /* signs the submission; NULL: the member's key does */
};
struct buffer letter_build(const struct session *s, const struct letter *l);
struct rpc_result *letter_send(const struct session *s, const struct letter *l);
void letter_send_ok(const struct session *s, const struct letter *l);

/* A subscription that collects its events. */
struct feed;
struct feed *feed_open(const struct session *s, const int64_t *from_ts);
/* The next event, owned by the caller (event_free). Checks the signature frame's form, the chain of
 * previous timestamps, and that ts rises. */
struct event feed_next(struct feed *f);
bool feed_ended(struct feed *f, enum rpc_code *code, const char **message); /* awaits the end */
void feed_close(struct feed *f);

/* Puts a participant into the running synchronizer by RegisterOnboardingTopologyTransactions. */
void participant_onboard(struct rig *r, int i, struct node *n, const char *name);
#define await(condition)                                                                           \
    do {                                                                                           \
        int64_t until_ = clock_mono_us() + AWAIT_US;                                               \
        while (!(condition)) {                                                                     \
            if (clock_mono_us() > until_)                                                          \
                fail_msg("not within 20 s: %s", #condition);                                       \
            sched_yield();                                                                         \
        }                                                                                          \
    } while (0)
#endif
