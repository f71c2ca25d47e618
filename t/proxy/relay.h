/* relay.h: the proxied connections and the faults that they suffer. One thread, never blocks.
 * The caller polls what relay_poll_fill names, until the time that it names, and calls
 * relay_step. */
#ifndef T_PROXY_RELAY_H
#define T_PROXY_RELAY_H
#include <poll.h>

#include "command.h"

#define RELAY_PAIRS_MAX 256
#define RELAY_POLL_MAX  ((nfds_t)2 * RELAY_PAIRS_MAX)

struct relay;

struct relay_stats {
    uint32_t open; /* connections whose client is there */
    uint64_t accepted, bytes[SIDES], fired;
};

/* Connections go to host (a number) and port. Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool relay_open(const char *host, uint16_t port, struct relay **out, struct error *err);
void relay_close(struct relay *r); /* resets all; NULL is allowed */
/* Takes over a client's socket. */
void relay_accept(struct relay *r, int fd);
/* What a command wants of the connections; those for the listener change nothing here. */
MUST_CHECK bool relay_command(struct relay *r, const struct command *c, struct error *err);
/* Fills at most RELAY_POLL_MAX; *wake_us: when to step at the latest, INT64_MAX for never. */
nfds_t relay_poll_fill(struct relay *r, struct pollfd *out, int64_t *wake_us);
/* polled: as relay_poll_fill filled it, behind poll. */
void relay_step(struct relay *r, const struct pollfd *polled, nfds_t n);
void relay_stats(const struct relay *r, struct relay_stats *out);
#endif
