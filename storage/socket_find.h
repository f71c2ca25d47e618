/* socket_find.h: which of our sockets a driver uses, so that a call that nobody answers can be
 * ended. */
#ifndef STORAGE_SOCKET_FIND_H
#define STORAGE_SOCKET_FIND_H
#include <stdint.h>

/* The descriptor of the connected TCP socket of this process with this local port, or -1. The
 * descriptor stays its owner's. */
int socket_find(uint16_t local_port);
#endif
