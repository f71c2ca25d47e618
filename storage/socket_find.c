/* socket_find.c: looks through /proc/self. */
#include "storage/socket_find.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLLED_MAX 8 /* a driver waits for one, two with its own wake-up */

static uint16_t port_of(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)a)->sin_port);
    if (a->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
    return 0;
}

static uint64_t sent_by(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    memset(&info, 0, sizeof(info)); /* an older kernel fills less of it */
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_sent : 0;
}

static bool look(int fd, uint64_t inode, struct socket_seen *out)
{
    struct sockaddr_storage own, peer;
    socklen_t own_len = sizeof(own), peer_len = sizeof(peer), type_len = sizeof(int);
    int type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 || type != SOCK_STREAM ||
        getsockname(fd, (struct sockaddr *)&own, &own_len) != 0)
        return false;
    *out = (struct socket_seen){.inode = inode, .fd = fd, .is_unix = own.ss_family == AF_UNIX};
    out->has_peer = getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
    out->local_port = port_of(&own);
    if (out->has_peer)
        out->peer_port = port_of(&peer);
    if (!out->is_unix)
        out->sent = sent_by(fd);
    return true;
}

static struct socket_seen *room(struct sockets *s)
{
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 64;
        struct socket_seen *all = realloc(s->all, cap * sizeof(*all));
        if (!all)
            return NULL;
        s->all = all;
        s->cap = cap;
    }
    return &s->all[s->n];
}

/* A descriptor of a socket, with its inode. */
static bool is_socket(const char *name, int *fd, uint64_t *inode)
{
    struct stat st;
    char *end;

    *fd = (int)strtol(name, &end, 10);
    if (*end || end == name || fstat(*fd, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    *inode = st.st_ino;
    return true;
}

static int by_inode(const void *a, const void *b)
{
    const uint64_t x = ((const struct socket_seen *)a)->inode;
    const uint64_t y = ((const struct socket_seen *)b)->inode;

    return x < y ? -1 : x > y;
}

bool sockets_read(struct sockets *out)
{
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;

    out->n = 0;
    if (!d)
        return false;
    while ((e = readdir(d))) {
        struct socket_seen *s;
        uint64_t inode;
        int fd;
        if (!is_socket(e->d_name, &fd, &inode))
            continue;
        s = room(out);
        if (!s) {
            closedir(d);
            sockets_free(out);
            return false;
        }
        out->n += look(fd, inode, s);
    }
    closedir(d);
    if (out->n > 0)
        qsort(out->all, out->n, sizeof(out->all[0]), by_inode);
    return true;
}

void sockets_free(struct sockets *s)
{
    free(s->all);
    *s = (struct sockets){0};
}

static const struct socket_seen *find(const struct sockets *s, uint64_t inode)
{
    const struct socket_seen key = {.inode = inode};

    return s->n > 0 ? bsearch(&key, s->all, s->n, sizeof(key), by_inode) : NULL;
}

void sockets_forget(struct sockets *s, uint64_t inode)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->all[i].inode == inode)
            s->all[i].has_peer = false;
}

static bool leads_to(const struct socket_seen *s, const struct socket_peer *peer)
{
    if (!s->has_peer || (peer->is_unix && !s->is_unix))
        return false;
    if (!peer->ports)
        return true;
    for (const char *p = peer->ports; p && *p; p = strchr(p, ','), p += p != NULL)
        if (!s->is_unix && strtol(p, NULL, 10) == s->peer_port)
            return true;
    return false;
}

uint64_t sockets_only_new(const struct sockets *before, const struct sockets *now,
                          const struct socket_peer *peer)
{
    return sockets_pick(before, NULL, now, peer, 0);
}

uint64_t sockets_pick(const struct sockets *before, const struct sockets *connected,
                      const struct sockets *now, const struct socket_peer *peer, uint16_t own_port)
{
    uint64_t any = 0, sender = 0;
    size_t nany = 0, nsenders = 0;

    for (size_t i = 0; i < now->n; i++) {
        const struct socket_seen *s = &now->all[i];
        const struct socket_seen *then = connected ? find(connected, s->inode) : NULL;
        if (find(before, s->inode) || !leads_to(s, peer) || (connected && !then))
            continue;
        if (own_port > 0 && s->local_port == own_port)
            return s->inode;
        any = s->inode;
        nany++;
        if (then && s->sent > then->sent) {
            sender = s->inode;
            nsenders++;
        }
    }
    return nany == 1 ? any : nsenders == 1 ? sender : 0;
}

/* ---- what a thread waits for ---- */

struct waiting {
    long call; /* number of the system call */
    unsigned long first, second;
};

/* Zero: it runs. False: the kernel does not tell. */
static bool waiting_read(pid_t tid, struct waiting *out)
{
    char path[64], line[256];

    snprintf(path, sizeof(path), "/proc/self/task/%ld/syscall", (long)tid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';
    *out = (struct waiting){.call = -1};
    return strncmp(line, "running", 7) == 0 ||
           sscanf(line, "%ld 0x%lx 0x%lx", &out->call, &out->first, &out->second) == 3;
}

static uint64_t stream_inode(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode) ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM)
        return 0;
    return st.st_ino;
}

/* The only stream socket of those; through /proc, because that stack may be gone by now. */
static uint64_t polled_inode(unsigned long at, unsigned long n)
{
    struct pollfd polled[POLLED_MAX];
    uint64_t inode = 0;

    if (n == 0 || n > POLLED_MAX)
        return 0;
    const ssize_t size = (ssize_t)(n * sizeof(polled[0]));
    const int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    const bool ok = mem >= 0 && pread(mem, polled, (size_t)size, (off_t)at) == size;
    if (mem >= 0)
        close(mem);
    for (unsigned long i = 0; ok && i < n; i++) {
        const uint64_t one = stream_inode(polled[i].fd);
        if (one != 0 && inode != 0)
            return 0;
        inode = one != 0 ? one : inode;
    }
    return inode;
}

static bool waiting_inode(const struct waiting *w, uint64_t *inode)
{
    *inode = 0;
    switch (w->call) {
    case SYS_connect:
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
        *inode = stream_inode((int)w->first);
        return true;
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
        *inode = polled_inode(w->first, w->second);
        return true;
    default: /* -1: none */
        return w->call == -1;
    }
}

bool socket_awaited(pid_t tid, uint64_t *inode)
{
    struct waiting now, then;
    uint64_t again;

    *inode = 0;
    if (tid <= 0 || !waiting_read(tid, &now) || !waiting_inode(&now, inode))
        return false;
    /* A descriptor is used again: it must be what the thread still waits for. */
    if (*inode != 0 &&
        (!waiting_read(tid, &then) || then.call != now.call || then.first != now.first ||
         then.second != now.second || !waiting_inode(&then, &again) || again != *inode))
        *inode = 0;
    return true;
}

bool socket_cut(uint64_t inode)
{
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;
    bool is_cut = false;

    while (d && !is_cut && (e = readdir(d))) {
        uint64_t found;
        int fd;
        if (is_socket(e->d_name, &fd, &found) && found == inode)
            is_cut = shutdown(fd, SHUT_RDWR) == 0;
    }
    if (d)
        closedir(d);
    return is_cut;
}
