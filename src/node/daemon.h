/* daemon.h: all nodes of one configuration in one process, from its start to its end. */
#ifndef NODE_DAEMON_H
#define NODE_DAEMON_H
#include "base/logger.h"
#include "config/config.h"

/* Exit statuses of lockstepd. */
enum daemon_exit {
    DAEMON_OK = 0,
    DAEMON_FAILED = 1,
    DAEMON_USAGE = 2,
    DAEMON_UNAVAILABLE = 69, /* a database or a port is not available (now) */
    DAEMON_BAD_CONFIG = CONFIG_EXIT_BAD
};

/* Opens and starts every node, tells systemd, and waits for SIGTERM or SIGINT; SIGHUP says what a
 * reload would need. Call it with one thread running. Gives the exit status; what failed was
 * logged. */
int daemon_run(const struct config *c, struct logger *lg);
#endif
