/* hook.c: a function defined here hides the library's of the same name from this program and from
 * the drivers that it loads; the real one is the next in the search order. */
#include "hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sql.h>
#include <sqlext.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CALLS_MAX  4096
#define SYNC_BYTES 5 /* of PostgreSQL's Sync message */

void (*hook_stopping)(const char *name, enum hook_when when);
void (*hook_continued)(void);
static _Atomic int64_t shift_us, disk_us;
static _Thread_local struct {
    int at, seen, is_armed;
    enum hook_when when;
    const char *names[CALLS_MAX];
} own;

/* The next definition of a function; a program without it cannot go on. */
static void *next(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);

    if (!p)
        abort();
    return p;
}
#define REAL(f)                                                                                    \
    static __typeof__(&(f)) real;                                                                  \
    if (!real)                                                                                     \
    *(void **)&real = next(#f)

static void stop(const char *name, enum hook_when when)
{
    own.is_armed = 0; /* what the callbacks call is not counted */
    hook_stopping(name, when);
    raise(SIGSTOP);
    hook_continued();
    own.is_armed = 1;
}

/* True when this call is the one to stop at. */
static int is_here(const char *name)
{
    if (!own.is_armed || own.seen >= CALLS_MAX)
        return 0;
    own.names[own.seen++] = name;
    return own.seen == own.at;
}

static int fails(int here)
{
    if (here && own.when == HOOK_FAIL)
        errno = EIO;
    return here && own.when == HOOK_FAIL;
}

void hook_arm(int at, enum hook_when when)
{
    own.at = at;
    own.when = when;
    own.seen = 0;
    own.is_armed = 1;
}

int hook_disarm(void)
{
    own.is_armed = 0;
    return own.seen;
}

const char *hook_name(int at)
{
    return at >= 1 && at <= own.seen ? own.names[at - 1] : "";
}

/* A call without an inside. */
#define POINT(type, f, ...)                                                                        \
    REAL(f);                                                                                       \
    const int here = is_here(#f);                                                                  \
    if (here && own.when != HOOK_AFTER)                                                            \
        stop(#f, own.when);                                                                        \
    const type r = real(__VA_ARGS__);                                                              \
    if (here && own.when == HOOK_AFTER)                                                            \
        stop(#f, HOOK_AFTER);                                                                      \
    return r

SQLRETURN SQLPrepare(SQLHSTMT h, SQLCHAR *text, SQLINTEGER n)
{
    POINT(SQLRETURN, SQLPrepare, h, text, n);
}

SQLRETURN SQLExecute(SQLHSTMT h)
{
    POINT(SQLRETURN, SQLExecute, h);
}

SQLRETURN SQLFetch(SQLHSTMT h)
{
    POINT(SQLRETURN, SQLFetch, h);
}

SQLRETURN SQLRowCount(SQLHSTMT h, SQLLEN *n)
{
    POINT(SQLRETURN, SQLRowCount, h, n);
}

SQLRETURN SQLFreeStmt(SQLHSTMT h, SQLUSMALLINT option)
{
    POINT(SQLRETURN, SQLFreeStmt, h, option);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    POINT(int, poll, fds, n, timeout);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    POINT(ssize_t, recv, fd, buf, n, flags);
}

/* The part first, a stop, then what remains. */
ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    REAL(send);
    const int here = is_here("send");

    if (here && own.when == HOOK_IN && n > SYNC_BYTES) {
        const ssize_t part = real(fd, buf, n - SYNC_BYTES, flags);
        stop("send", HOOK_IN);
        return part; /* the caller sends the rest */
    }
    if (here && own.when != HOOK_AFTER)
        stop("send", own.when);
    const ssize_t r = real(fd, buf, n, flags);
    if (here && own.when == HOOK_AFTER)
        stop("send", HOOK_AFTER);
    return r;
}

static ssize_t write_at(ssize_t (*real)(int, const void *, size_t, off_t), int fd, const void *buf,
                        size_t n, off_t at)
{
    const int here = is_here("pwrite");

    if (fails(here))
        return -1;
    if (here && own.when == HOOK_IN && n > 1) {
        const ssize_t part = real(fd, buf, n / 2, at);
        stop("pwrite", HOOK_IN);
        return part; /* SQLite writes the rest */
    }
    if (here && own.when != HOOK_AFTER)
        stop("pwrite", own.when);
    const ssize_t r = real(fd, buf, n, at);
    if (here && own.when == HOOK_AFTER)
        stop("pwrite", HOOK_AFTER);
    return r;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
    REAL(pwrite);
    return write_at(real, fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
    REAL(pwrite64);
    return write_at(real, fd, buf, n, at);
}

int fdatasync(int fd)
{
    const int64_t us = atomic_load(&disk_us);
    const struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

    if (us > 0)
        nanosleep(&t, NULL);
    REAL(fdatasync);
    const int here = is_here("fdatasync");
    if (fails(here))
        return -1;
    if (here && own.when != HOOK_AFTER)
        stop("fdatasync", own.when);
    const int r = real(fd);
    if (here && own.when == HOOK_AFTER)
        stop("fdatasync", HOOK_AFTER);
    return r;
}

void hook_disk_delay(int64_t us)
{
    atomic_store(&disk_us, us);
}

/* ---- the wall clock ---- */

void hook_clock_shift(int64_t us)
{
    atomic_store(&shift_us, us);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    REAL(clock_gettime);
    const int r = real(id, t);

    if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += (time_t)(atomic_load(&shift_us) / 1000000);
    return r;
}

time_t time(time_t *out)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    if (out)
        *out = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    REAL(gettimeofday);
    const int r = real(t, zone);

    if (r == 0)
        t->tv_sec += (time_t)(atomic_load(&shift_us) / 1000000);
    return r;
}
