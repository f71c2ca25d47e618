/* watch.h: what runs on a connection, seen from the watchdog, which ends it when it is late: first
 * by a cancel request from another thread, then by cutting the socket. Internal to storage/.
 * Threads: watch_start and watch_stop by the connection's user, watch_step by the watchdog. */
#ifndef STORAGE_WATCH_H
#define STORAGE_WATCH_H
#include <sql.h>
#include <sqlext.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/thread.h"
#include "storage/socket_find.h"

/* Behind the deadline: the server's own limit comes first. */
#define WATCH_CANCEL_US (100 * US_PER_MS)
#define WATCH_CUT_US    (500 * US_PER_MS)

struct conn;

enum watch_kind {
    WATCH_CALL,   /* cancelled, then cut */
    WATCH_COMMIT, /* never cancelled: cut, its outcome is unknown then */
    WATCH_PING, /* cut at its deadline, or as soon as a newer connection proves the server alive */
    WATCH_CONNECT, /* its socket is not known yet */
};

struct watch {
    struct mutex mutex;
    bool is_running GUARDED_BY(mutex);
    enum watch_kind kind GUARDED_BY(mutex);
    pid_t thread GUARDED_BY(mutex);     /* that is inside the driver */
    atomic_bool is_outside;             /* and for a moment it is not */
    SQLHSTMT running GUARDED_BY(mutex); /* what may be cancelled; null: nothing yet */
    int64_t began_us GUARDED_BY(mutex), cancel_us GUARDED_BY(mutex), cut_us GUARDED_BY(mutex);
    int ended GUARDED_BY(mutex);             /* times that this call was cancelled or cut */
    bool is_cut GUARDED_BY(mutex);           /* its socket was */
    bool is_cancelling GUARDED_BY(mutex);    /* a thread is inside SQLCancel */
    pid_t cancel_thread GUARDED_BY(mutex);   /* that one; 0: not begun yet */
    int64_t cancel_cut_us GUARDED_BY(mutex); /* when it is cut itself */
    bool is_orphan GUARDED_BY(mutex);        /* and frees the connection behind it */
    uint64_t socket GUARDED_BY(mutex);       /* inode; 0: not known */
    struct sockets before GUARDED_BY(mutex); /* our sockets before it was made */
};

void watch_init(struct watch *w);
void watch_destroy(struct watch *w);

void watch_start(struct conn *c, enum watch_kind kind, int64_t deadline_us);
/* From here on h may be cancelled. */
void watch_handle(struct conn *c, SQLHSTMT h);
/* True when the call was cancelled or cut: the connection is not to be used again. */
bool watch_stop(struct conn *c);
/* The same question while it runs; *is_cut: the server was not heard. */
bool watch_has_ended(struct conn *c, bool *is_cut);

/* The thread leaves the driver for a moment, and comes back: what it waits for there is its own. */
void watch_outside(struct conn *c, bool is_outside);

/* Nobody wants what it is connecting to, or cancelling, any more: it is cut at the next look. */
void watch_hurry(struct conn *c);

/* Looks once. Under the lock of db->list. proof_us: when the youngest connection that was made was
 * begun. True when a ping has no answer, so that a new connection would tell whether the server or
 * this one is dead. */
bool watch_step(struct conn *c, int64_t now_us, int64_t proof_us);

/* The sockets before SQLDriverConnect; then between it and the first statement; then behind that,
 * with our port as the server knows it (0: not). */
void watch_connecting(struct conn *c);
void watch_connected(struct conn *c, struct sockets *connected);
void watch_proven(struct conn *c, struct sockets *connected, uint16_t own_port);
/* Cuts the socket, when it is known: what follows does not wait for the server. False: it
 * is not known. */
bool watch_cut(struct conn *c);
/* False when a cancel request is still under way: it unlists and frees the connection when it is
 * back. */
bool watch_may_free(struct conn *c);
#endif
