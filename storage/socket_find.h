/* socket_find.h: which of our sockets a driver uses, so that a call that nobody answers can be
 * ended. No driver tells. So: what a thread inside the driver waits for; or what is new since
 * before the connection was made, leads to the server, and has just sent something. A socket is
 * named by its inode: a descriptor is used again. Threads: any; nothing is shared. */
#ifndef STORAGE_SOCKET_FIND_H
#define STORAGE_SOCKET_FIND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct socket_seen {
    uint64_t inode;
    uint64_t sent; /* bytes so far; 0 where the kernel does not count */
    int fd;
    uint16_t local_port, peer_port; /* TCP; peer_port 0: leads nowhere (yet) */
    bool is_unix, has_peer;
};

struct sockets {
    struct socket_seen *all;
    size_t n, cap;
};

/* Where a server's socket leads. Zero: anywhere. */
struct socket_peer {
    bool is_unix;      /* Unix sockets only */
    const char *ports; /* TCP to one of "5432,5433" only; borrowed; NULL: any */
};

/* Every stream socket of this process. False, and empty, without memory or /proc. */
bool sockets_read(struct sockets *out);
void sockets_free(struct sockets *s); /* and makes it empty */

void sockets_forget(struct sockets *s, uint64_t inode);
/* The inode of the only socket in now that is not in before and leads to the peer; 0: none, or
 * several. */
uint64_t sockets_only_new(const struct sockets *before, const struct sockets *now,
                          const struct socket_peer *peer);
/* The same of several, by what the server says of our port (0: nothing), else by who sent between
 * connected and now. */
uint64_t sockets_pick(const struct sockets *before, const struct sockets *connected,
                      const struct sockets *now, const struct socket_peer *peer, uint16_t own_port);
/* The stream socket that this thread of ours waits for now, connecting, writing or reading, as the
 * kernel tells it; 0: none. False: it waits for something else, or the kernel does not tell. */
bool socket_awaited(pid_t tid, uint64_t *inode);
/* Shuts it down, so that whoever waits for it goes on. Never blocks. False: it is not there. */
bool socket_cut(uint64_t inode);
#endif
