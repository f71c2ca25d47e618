/* mediator_impl.h: a mediator's threads and what they share. Only the files of this folder include
 * it.
 *
 *   control  waits for the initialisation, opens a session, renews or watches the lease, asks for
 * time delivery (client/'s) one event after the other into topology and core, effects into the
 * outbox writer   takes over when the lease is won, writes what is in the outbox, then sends
 * verdicts
 *
 * A session is one run of the stream: client, topology, core, outbox. When it fails it is closed,
 * the lease is given up, and after a pause a new one is opened from the rows. Locks: core_lock,
 * then lock; never a database or network call under either. */
#ifndef MEDIATOR_MEDIATOR_IMPL_H
#define MEDIATOR_MEDIATOR_IMPL_H
#include "base/logger.h"
#include "base/thread.h"
#include "client/client.h"
#include "mediator/core.h"
#include "mediator/mediator.h"
#include "mediator/outbox.h"
#include "mediator/topology_snapshot.h"
#include "rpc/tls.h"

struct mediator {
    /* constant after mediator_open */
    struct mediator_config cfg;
    char *name, *uid, **connections;
    struct rpc_tls_client tls; /* owned copies */
    char member[MEMBER_TEXT_SIZE];
    struct db *db;
    struct keyring *keys;
    struct logger *lg;
    void (*on_role)(void *ctx, enum mediator_role role);
    void *on_role_ctx;

    /* the control thread's */
    struct lease *lease;
    struct thread control, writer;
    bool is_started;

    struct mutex core_lock;
    struct topology *topology; /* guarded by core_lock, like the next two */
    struct topology_view view;
    struct core *core;

    struct mutex lock; /* of all below */
    struct cond changed;
    bool is_stopping, is_session_ending;
    int64_t stop_deadline_us; /* monotonic */
    enum mediator_role role;
    char reason[256];
    char psid[PSID_TEXT_SIZE];
    struct fence fence; /* while CATCHING_UP or ACTIVE */
    int64_t epoch;      /* as last seen */
    bool needs_settle;  /* the writer waits for control to move the own epoch */
    struct outbox *outbox;
    struct mediator_head head;    /* what is true of all events up to now */
    struct mediator_head written; /* what is stored, as far as this replica knows */
    struct core_stats stats;
    struct client *client;
    struct post *post; /* topology that waits for the control thread; NULL: none */
    bool is_turn_due;  /* connected: the lease need not wait for the next renewal */
    bool is_connected;
    int64_t lost_at; /* monotonic: since when there is no subscription */
    bool is_session_failed;
    struct error session_error;
};

/* --- mediator_runner.c --- */

/* Moves the role, logs why, tells the listener. Called without locks. Returns false, and changes
 * nothing, when `from` is not the role. */
bool mediator_role_move(struct mediator *m, enum mediator_role from, enum mediator_role to,
                        const char *why);
enum mediator_role mediator_role_now(struct mediator *m);
/* Ends the session, from any thread. */
void mediator_session_fail(struct mediator *m, const struct error *why);

/* --- follow_runner.c --- */

/* Opens client, topology, core and outbox from the rows, and subscribes. Fails: everything that
 * they fail with; then nothing is open. */
MUST_CHECK bool session_open(struct mediator *m, struct error *err);
void session_close(struct mediator *m);
/* Moves the effects of the core into the outbox. REQUIRES core_lock and lock. Empties e. */
MUST_CHECK bool session_take_effects(struct mediator *m, struct effects *e, struct error *err);

/* --- topology_runner.c --- */

/* Sends what mediator_submit_topology has left; on the control thread, while a session is open. */
void topology_post_send(struct mediator *m);
/* Ends what waits, unsent. */
void topology_post_drop(struct mediator *m);

/* --- outbox_runner.c --- */

void *writer_main(void *mediator);
#endif
