/* socket_find.c: looks through /proc/self/fd. */
#include "storage/socket_find.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

static uint16_t port_of(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)a)->sin_port);
    if (a->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
    return 0;
}

/* Connected, TCP, and from this port: a listener on the port has no peer. */
static int is_it(int fd, uint16_t local_port)
{
    struct sockaddr_storage own, peer;
    socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && port_of(&own) == local_port &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
}

int socket_find(uint16_t local_port)
{
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;
    int found = -1, count = 0;

    if (!d)
        return -1;
    while ((e = readdir(d))) {
        char *end;
        struct stat st;
        const long fd = strtol(e->d_name, &end, 10);
        if (*end || end == e->d_name || fstat((int)fd, &st) != 0 || !S_ISSOCK(st.st_mode))
            continue;
        if (is_it((int)fd, local_port)) {
            found = (int)fd;
            count++;
        }
    }
    closedir(d);
    return count == 1 ? found : -1; /* two with one port (other addresses): rather none */
}
