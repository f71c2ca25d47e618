/* watch.c: cancel, then cut. */
#include "storage/watch.h"

#include <stdlib.h>
#include <unistd.h>

#include "storage/db_internal.h"

#define PING_SLOW_US (250 * US_PER_MS)

void watch_init(struct watch *w)
{
    mutex_init(&w->mutex);
}

void watch_destroy(struct watch *w)
{
    sockets_free(&w->before);
    mutex_destroy(&w->mutex);
}

static int64_t later(int64_t us, int64_t by_us)
{
    return us > INT64_MAX - by_us ? INT64_MAX : us + by_us;
}

void watch_start(struct conn *c, enum watch_kind kind, int64_t deadline_us)
{
    struct watch *w = &c->watch;

    mutex_lock(&w->mutex);
    w->is_running = true;
    w->kind = kind;
    w->thread = gettid();
    w->running = SQL_NULL_HSTMT;
    w->began_us = clock_mono_us();
    w->cancel_us = later(deadline_us, WATCH_CANCEL_US);
    w->cut_us = kind == WATCH_PING ? deadline_us : later(deadline_us, WATCH_CUT_US);
    w->ended = 0;
    w->is_cut = false;
    mutex_unlock(&w->mutex);
}

void watch_handle(struct conn *c, SQLHSTMT h)
{
    mutex_lock(&c->watch.mutex);
    c->watch.running = h;
    mutex_unlock(&c->watch.mutex);
}

bool watch_stop(struct conn *c)
{
    mutex_lock(&c->watch.mutex);
    c->watch.is_running = false;
    c->watch.running = SQL_NULL_HSTMT;
    const bool has_ended = c->watch.ended > 0;
    mutex_unlock(&c->watch.mutex);
    return has_ended;
}

bool watch_has_ended(struct conn *c, bool *is_cut)
{
    mutex_lock(&c->watch.mutex);
    const bool has_ended = c->watch.ended > 0;
    *is_cut = c->watch.is_cut;
    mutex_unlock(&c->watch.mutex);
    return has_ended;
}

void watch_outside(struct conn *c, bool is_outside)
{
    atomic_store(&c->watch.is_outside, is_outside);
}

void watch_hurry(struct conn *c)
{
    mutex_lock(&c->watch.mutex);
    if (c->watch.kind == WATCH_CONNECT)
        c->watch.cut_us = 0;
    c->watch.cancel_cut_us = 0;
    mutex_unlock(&c->watch.mutex);
}

/* ---- ending ---- */

struct cancel {
    struct conn *conn;
    SQLHSTMT h;
};

/* A cancel request may be a connection of its own, and wait as long as the call that it is for: it
 * is cut as that is. */
static void cancel_run(void *ctx)
{
    const struct cancel k = *(struct cancel *)ctx;

    free(ctx);
    mutex_lock(&k.conn->watch.mutex);
    k.conn->watch.cancel_thread = gettid();
    mutex_unlock(&k.conn->watch.mutex);
    SQLCancel(k.h);
    mutex_lock(&k.conn->watch.mutex);
    k.conn->watch.cancel_thread = 0;
    k.conn->watch.is_cancelling = false;
    const bool is_orphan = k.conn->watch.is_orphan;
    mutex_unlock(&k.conn->watch.mutex);
    if (is_orphan)
        pool_drop(k.conn);
}

static void cancel(struct conn *c, struct watch *w)
{
    struct error ignored;

    if (c->db->ops->has_one_writer) { /* no server: it is a flag in this process */
        SQLCancel(w->running);
        return;
    }
    struct cancel *k = malloc(sizeof(*k));
    if (!k)
        return;
    *k = (struct cancel){c, w->running};
    w->is_cancelling = true;
    w->cancel_cut_us = clock_mono_us() + WATCH_CUT_US;
    if (worker_start(c->db, "db-cancel", cancel_run, k, &ignored))
        return;
    w->is_cancelling = false;
    free(k);
}

/* The socket of a login that hangs, where the kernel does not tell: what is new since and no other
 * connection's. Two that hang are told apart by the younger one, which saw the other's socket
 * before its own. */
static uint64_t connecting_socket(struct conn *c, struct watch *w)
{
    struct sockets now = {0};
    uint64_t inode = 0;

    if (!sockets_read(&now))
        return 0;
    for (struct conn *x = c->db->all; x; x = x->next) {
        if (x == c)
            continue;
        mutex_lock(&x->watch.mutex);
        sockets_forget(&now, x->watch.socket);
        mutex_unlock(&x->watch.mutex);
    }
    inode = sockets_only_new(&w->before, &now, &c->db->target.peer);
    sockets_free(&now);
    return inode;
}

/* False: unknown. True and 0: it is between two waits, look again. */
static bool awaited(struct watch *w, uint64_t *inode)
{
    const bool is_told = socket_awaited(w->thread, inode);

    if (atomic_load(&w->is_outside))
        *inode = 0;
    return is_told;
}

/* False: nothing was done, look again soon. */
static bool cut(struct conn *c, struct watch *w)
{
    uint64_t inode = w->socket;

    if (inode == 0 || !socket_cut(inode)) {
        if (!awaited(w, &inode) && w->kind == WATCH_CONNECT)
            inode = connecting_socket(c, w);
        if (inode != 0 && !socket_cut(inode))
            inode = 0;
    }
    if (inode != 0) {
        if (w->kind != WATCH_CONNECT) /* a login that is cut may go on to its next host */
            w->socket = inode;
        w->is_cut = true;
        return true;
    }
    if (w->kind != WATCH_CALL || w->running == SQL_NULL_HSTMT || w->is_cancelling)
        return false;
    cancel(c, w);
    return true;
}

static void cut_cancel(struct watch *w)
{
    uint64_t inode;

    if (socket_awaited(w->cancel_thread, &inode) && inode != 0)
        socket_cut(inode);
}

bool watch_step(struct conn *c, int64_t now_us, int64_t proof_us)
{
    struct watch *w = &c->watch;
    bool is_ping = false;

    mutex_lock(&w->mutex);
    if (w->is_cancelling && now_us >= w->cancel_cut_us)
        cut_cancel(w);
    if (w->is_running) {
        is_ping = w->kind == WATCH_PING;
        if (now_us >= w->cut_us || (is_ping && proof_us > w->began_us)) {
            const bool is_done = cut(c, w);
            w->ended++;
            w->cut_us = is_done ? now_us + WATCH_CUT_US : now_us;
        } else if (now_us >= w->cancel_us && w->kind == WATCH_CALL && w->ended == 0 &&
                   w->running != SQL_NULL_HSTMT) {
            cancel(c, w);
            w->ended++;
        }
        is_ping = is_ping && now_us - w->began_us > PING_SLOW_US;
    }
    mutex_unlock(&w->mutex);
    return is_ping;
}

/* ---- whose socket ---- */

void watch_connecting(struct conn *c)
{
    mutex_lock(&c->watch.mutex);
    (void)!sockets_read(&c->watch.before); /* without it the socket stays unknown */
    mutex_unlock(&c->watch.mutex);
}

void watch_connected(struct conn *c, struct sockets *connected)
{
    struct sockets *before = &c->watch.before;

    if (!sockets_read(connected))
        return;
    mutex_lock(&c->watch.mutex);
    c->watch.socket = sockets_only_new(before, connected, &c->db->target.peer);
    mutex_unlock(&c->watch.mutex);
}

void watch_proven(struct conn *c, struct sockets *connected, uint16_t own_port)
{
    struct sockets now = {0};
    uint64_t inode = 0;

    if (sockets_read(&now))
        inode = sockets_pick(&c->watch.before, connected, &now, &c->db->target.peer, own_port);
    mutex_lock(&c->watch.mutex);
    if (c->watch.ended == 0) /* else it is known, or was cut */
        c->watch.socket = inode;
    sockets_free(&c->watch.before);
    mutex_unlock(&c->watch.mutex);
    sockets_free(&now);
    sockets_free(connected);
}

bool watch_cut(struct conn *c)
{
    mutex_lock(&c->watch.mutex);
    const uint64_t inode = c->watch.socket;
    mutex_unlock(&c->watch.mutex);
    return inode != 0 && socket_cut(inode);
}

bool watch_may_free(struct conn *c)
{
    mutex_lock(&c->watch.mutex);
    c->watch.is_orphan = c->watch.is_cancelling;
    const bool may = !c->watch.is_cancelling;
    mutex_unlock(&c->watch.mutex);
    return may;
}
