/* proxy.c: a TCP proxy that hurts what it carries, as it is told on standard input. t/proxy/README.
 *   proxy PORT HOST TO-PORT     listens on 127.0.0.1:PORT (0: any), says "READY PORT"
 * One line an answer: "OK ..." or "ERR why". Ends with standard input. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "relay.h"

#define FILLERS_MAX 8

struct proxy {
    struct relay *relay;
    struct sockaddr_in at;
    int fd; /* -1: refuses */
    bool is_deaf;
    int fillers[FILLERS_MAX]; /* connections of our own that keep the queue of the listener full */
    size_t nfillers;
    char line[512];
    size_t len;
};

static bool listen_again(struct proxy *x, struct error *err)
{
    const int on = 1;
    socklen_t len = sizeof(x->at);

    if (x->fd >= 0)
        return true;
    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (x->fd >= 0 && setsockopt(x->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(x->fd, (struct sockaddr *)&x->at, sizeof(x->at)) == 0 && listen(x->fd, 128) == 0 &&
        getsockname(x->fd, (struct sockaddr *)&x->at, &len) == 0)
        return true;
    return error_set(err, ERR_IO, NULL, "port %d: %s", ntohs(x->at.sin_port), strerror(errno));
}

/* ---- a listener that answers no SYN: its queue is full, of connections of our own ---- */

static void go_deaf(struct proxy *x)
{
    x->is_deaf = true;
    listen(x->fd, 0);
    while (x->nfillers < FILLERS_MAX) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct pollfd p = {fd, POLLOUT, 0};
        if (fd < 0)
            return;
        x->fillers[x->nfillers++] = fd;
        if (connect(fd, (struct sockaddr *)&x->at, sizeof(x->at)) != 0 && poll(&p, 1, 100) == 0)
            return; /* this one was not answered */
    }
}

static bool is_filler(const struct proxy *x, const struct sockaddr_in *peer)
{
    for (size_t i = 0; i < x->nfillers; i++) {
        struct sockaddr_in own;
        socklen_t len = sizeof(own);
        if (getsockname(x->fillers[i], (struct sockaddr *)&own, &len) == 0 &&
            own.sin_port == peer->sin_port)
            return true;
    }
    return false;
}

static void accept_all(struct proxy *x)
{
    for (;;) {
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);
        const int fd = accept4(x->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (is_filler(x, &peer))
            close(fd);
        else
            relay_accept(x->relay, fd);
    }
}

static void hear_again(struct proxy *x)
{
    if (x->is_deaf) {
        listen(x->fd, 128);
        accept_all(x);
        while (x->nfillers > 0)
            close(x->fillers[--x->nfillers]);
    }
    x->is_deaf = false;
}

/* ---- commands ---- */

static bool run(struct proxy *x, const struct command *c, struct error *err)
{
    if (c->verb == VERB_PASS || c->verb == VERB_REFUSE || c->verb == VERB_NO_SYN)
        hear_again(x);
    if (c->verb == VERB_REFUSE && x->fd >= 0) {
        close(x->fd);
        x->fd = -1;
    }
    if ((c->verb == VERB_PASS || c->verb == VERB_NO_SYN) && !listen_again(x, err))
        return false;
    if (c->verb == VERB_NO_SYN)
        go_deaf(x);
    return relay_command(x->relay, c, err);
}

static void obey(struct proxy *x, const char *line)
{
    struct relay_stats s;
    struct command c;
    struct error err;

    if (!command_parse(line, &c, &err) || !run(x, &c, &err)) {
        printf("ERR %s\n", err.cause);
        return;
    }
    relay_stats(x->relay, &s);
    printf("OK open=%" PRIu32 " accepted=%" PRIu64 " requests=%" PRIu64 " answers=%" PRIu64
           " fired=%" PRIu64 "\n",
           s.open, s.accepted, s.bytes[CLIENT], s.bytes[SERVER], s.fired);
}

/* False at the end of standard input. */
static bool hear(struct proxy *x)
{
    const ssize_t n = read(STDIN_FILENO, x->line + x->len, sizeof(x->line) - 1 - x->len);
    char *end;

    if (n <= 0)
        return n < 0 && errno == EINTR;
    x->len += (size_t)n;
    x->line[x->len] = '\0';
    while ((end = strchr(x->line, '\n'))) {
        *end = '\0';
        obey(x, x->line);
        x->len -= (size_t)(end + 1 - x->line);
        memmove(x->line, end + 1, x->len + 1);
    }
    return x->len < sizeof(x->line) - 1;
}

static void serve(struct proxy *x)
{
    static struct pollfd p[2 + RELAY_POLL_MAX];

    for (;;) {
        int64_t wake_us;
        p[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
        p[1] = (struct pollfd){x->is_deaf ? -1 : x->fd, POLLIN, 0};
        const nfds_t n = relay_poll_fill(x->relay, p + 2, &wake_us);
        const int64_t left_us = wake_us - clock_mono_us();
        const int ms = wake_us == INT64_MAX ? -1 : left_us < 0 ? 0 : (int)(left_us / US_PER_MS) + 1;
        if (poll(p, n + 2, ms) < 0)
            continue;
        relay_step(x->relay, p + 2, n);
        if (p[1].revents)
            accept_all(x);
        if (p[0].revents && !hear(x))
            return;
    }
}

int main(int argc, char **argv)
{
    struct proxy x = {.fd = -1, .at = {.sin_family = AF_INET}};
    struct error err;

    if (argc != 4) {
        fprintf(stderr, "usage: proxy PORT HOST TO-PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    x.at.sin_port = htons((uint16_t)atoi(argv[1]));
    x.at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!relay_open(argv[2], (uint16_t)atoi(argv[3]), &x.relay, &err) || !listen_again(&x, &err)) {
        fprintf(stderr, "proxy: %s\n", err.cause);
        return 1;
    }
    printf("READY %d\n", ntohs(x.at.sin_port));
    serve(&x);
    relay_close(x.relay);
    return 0;
}
