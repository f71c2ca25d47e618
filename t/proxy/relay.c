/* relay.c: two sockets a connection, and a queue in each direction. */
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PIECE     ((size_t)16 << 10)
#define QUEUE_MAX ((size_t)256 << 10) /* read no more while so much waits */

struct piece {
    struct piece *next;
    int64_t due_us;
    size_t at, len;
    uint8_t data[];
};

/* What one side sends and the other has not got yet. */
struct flow {
    struct piece *first, **last;
    size_t queued, matched;
    int64_t next_us;  /* throttled: not before */
    bool is_read_out; /* end of file came */
    bool is_shut;     /* and was passed on */
    bool is_last;     /* behind what is queued the connection ends */
};

struct pair {
    struct pair *next;
    int fd[SIDES];                /* -1: not there */
    bool is_connecting, is_asked; /* for the server */
    bool is_swallowed;            /* nothing is carried any more, nobody is told */
    bool is_lost;                 /* one side was reset; the other is not told while held */
    struct flow flow[SIDES];      /* by who sends */
};

struct relay {
    struct sockaddr_in to;
    struct pair *pairs;
    uint32_t npairs;
    struct relay_stats stats;
    bool is_held[SIDES], is_blackhole;
    int64_t delay_us, rate;
    struct command trap; /* VERB_LOSE, VERB_SWALLOW or VERB_CUT_AFTER; VERB_PASS: none */
};

bool relay_open(const char *host, uint16_t port, struct relay **out, struct error *err)
{
    struct relay *r = calloc(1, sizeof(*r));

    if (!r)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a relay");
    const struct command to = {.verb = VERB_TO, .n = port};
    struct command c = to;
    strncpy(c.host, host, sizeof(c.host) - 1);
    if (!relay_command(r, &c, err)) {
        free(r);
        return false;
    }
    *out = r;
    return true;
}

/* ---- ending ---- */

static void flow_drop(struct flow *f)
{
    while (f->first) {
        struct piece *next = f->first->next;
        free(f->first);
        f->first = next;
    }
    f->last = &f->first;
    f->queued = 0;
}

static void close_side(struct pair *p, enum side s, bool is_reset)
{
    const struct linger now = {1, 0};

    if (p->fd[s] < 0)
        return;
    if (is_reset)
        setsockopt(p->fd[s], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(p->fd[s]);
    p->fd[s] = -1;
}

static void reset_both(struct pair *p)
{
    close_side(p, CLIENT, true);
    close_side(p, SERVER, true);
}

static void swallow(struct pair *p)
{
    p->is_swallowed = true;
    flow_drop(&p->flow[CLIENT]);
    flow_drop(&p->flow[SERVER]);
}

void relay_close(struct relay *r)
{
    while (r && r->pairs) {
        struct pair *next = r->pairs->next;
        reset_both(r->pairs);
        swallow(r->pairs);
        free(r->pairs);
        r->pairs = next;
    }
    free(r);
}

/* ---- beginning ---- */

void relay_accept(struct relay *r, int fd)
{
    struct pair *p = r->npairs < RELAY_PAIRS_MAX ? calloc(1, sizeof(*p)) : NULL;
    const int on = 1;

    if (!p) {
        close(fd);
        return;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    p->fd[CLIENT] = fd;
    p->fd[SERVER] = -1;
    p->flow[CLIENT].last = &p->flow[CLIENT].first;
    p->flow[SERVER].last = &p->flow[SERVER].first;
    p->is_swallowed = r->is_blackhole;
    p->next = r->pairs;
    r->pairs = p;
    r->npairs++;
    r->stats.accepted++;
}

static void ask_server(struct relay *r, struct pair *p)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;

    p->is_asked = true;
    p->fd[SERVER] = fd;
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fd < 0 ||
        (connect(fd, (struct sockaddr *)&r->to, sizeof(r->to)) != 0 && errno != EINPROGRESS))
        reset_both(p);
    else
        p->is_connecting = true;
}

/* ---- commands ---- */

static bool set_target(struct relay *r, const struct command *c, struct error *err)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)c->n)};

    if (inet_pton(AF_INET, c->host, &to.sin_addr) != 1)
        return error_set(err, ERR_CONFIG, NULL, "an address like 127.0.0.1 is expected: %s",
                         c->host);
    r->to = to;
    return true;
}

static void pass(struct relay *r)
{
    r->is_held[CLIENT] = r->is_held[SERVER] = r->is_blackhole = false;
    r->delay_us = r->rate = 0;
    r->trap = (struct command){.verb = VERB_PASS};
}

/* One side's machine is gone: the other hears nothing of it. */
static void half_open(struct relay *r, enum side gone)
{
    for (struct pair *p = r->pairs; p; p = p->next) {
        swallow(p);
        close_side(p, gone, false);
    }
}

bool relay_command(struct relay *r, const struct command *c, struct error *err)
{
    switch (c->verb) {
    case VERB_PASS:
        pass(r);
        break;
    case VERB_DELAY:
        r->delay_us = c->us;
        break;
    case VERB_THROTTLE:
        r->rate = c->n;
        break;
    case VERB_HOLD:
        r->is_held[CLIENT] = r->is_held[CLIENT] || c->is_for[CLIENT];
        r->is_held[SERVER] = r->is_held[SERVER] || c->is_for[SERVER];
        break;
    case VERB_BLACKHOLE:
        r->is_blackhole = true;
        for (struct pair *p = r->pairs; p; p = p->next)
            swallow(p);
        break;
    case VERB_CUT:
        for (struct pair *p = r->pairs; p; p = p->next)
            reset_both(p);
        break;
    case VERB_HALF_OPEN:
        half_open(r, c->side);
        break;
    case VERB_LOSE:
    case VERB_SWALLOW:
    case VERB_CUT_AFTER:
        r->trap = *c;
        for (struct pair *p = r->pairs; p; p = p->next)
            p->flow[CLIENT].matched = p->flow[SERVER].matched = 0;
        break;
    case VERB_TO:
        return set_target(r, c, err);
    case VERB_NO_SYN: /* the listener's */
    case VERB_REFUSE:
    case VERB_STATS:
        break;
    }
    return true;
}

void relay_stats(const struct relay *r, struct relay_stats *out)
{
    *out = r->stats;
    out->open = 0;
    for (const struct pair *p = r->pairs; p; p = p->next)
        out->open += p->fd[CLIENT] >= 0;
}

/* ---- carrying ---- */

/* How much of a piece goes on; *is_fired: there the trap closes. */
static size_t trapped(struct relay *r, struct flow *f, enum side from, struct bytes piece,
                      bool *is_fired)
{
    struct command *t = &r->trap;
    size_t done = 0, end;

    *is_fired = false;
    if (t->verb == VERB_PASS || t->side != from)
        return piece.len;
    if (t->verb == VERB_CUT_AFTER) {
        *is_fired = (int64_t)piece.len >= t->n;
        const size_t goes_on = *is_fired ? (size_t)t->n : piece.len;
        t->n -= (int64_t)goes_on;
        return goes_on;
    }
    while (pattern_feed(&t->pattern, &f->matched, bytes_of(piece.data + done, piece.len - done),
                        &end)) {
        done += end;
        if (--t->n == 0) {
            *is_fired = true;
            return done > t->pattern.len ? done - t->pattern.len : 0;
        }
    }
    return piece.len;
}

static void enqueue(struct relay *r, struct pair *p, enum side from, struct piece *piece)
{
    struct flow *f = &p->flow[from];
    bool is_fired;

    piece->len = trapped(r, f, from, bytes_of(piece->data, piece->len), &is_fired);
    piece->due_us = clock_mono_us() + r->delay_us;
    *f->last = piece;
    f->last = &piece->next;
    f->queued += piece->len;
    r->stats.bytes[from] += piece->len;
    if (!is_fired)
        return;
    r->stats.fired++;
    if (r->trap.verb == VERB_SWALLOW)
        swallow(p);
    else
        f->is_last = true;
    r->trap.verb = VERB_PASS;
}

/* A side ended in disorder. */
static void lost(struct pair *p, enum side s)
{
    close_side(p, s, true);
    p->is_lost = true;
}

static void read_side(struct relay *r, struct pair *p, enum side from)
{
    struct piece *piece = malloc(sizeof(*piece) + PIECE);

    if (!piece)
        return;
    *piece = (struct piece){0};
    const ssize_t n = recv(p->fd[from], piece->data, PIECE, 0);
    if (n > 0 && !p->is_swallowed && !p->flow[from].is_last) {
        piece->len = (size_t)n;
        enqueue(r, p, from, piece);
        return;
    }
    free(piece);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    if (p->is_swallowed)
        close_side(p, from, n < 0);
    else if (n < 0)
        lost(p, from);
    else
        p->flow[from].is_read_out = true;
}

static void write_flow(struct relay *r, struct pair *p, enum side from, int64_t now)
{
    struct flow *f = &p->flow[from];
    const int fd = p->fd[1 - from];

    while (f->first && f->first->due_us <= now && f->next_us <= now) {
        struct piece *piece = f->first;
        size_t want = piece->len - piece->at;
        if (r->rate > 0 && want > (size_t)(r->rate / 50 + 1))
            want = (size_t)(r->rate / 50 + 1);
        const ssize_t n = want ? send(fd, piece->data + piece->at, want, MSG_NOSIGNAL) : 0;
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                lost(p, 1 - from);
            return;
        }
        if (r->rate > 0)
            f->next_us = now + (int64_t)n * US_PER_S / r->rate;
        piece->at += (size_t)n;
        f->queued -= (size_t)n;
        if (piece->at < piece->len)
            continue;
        f->first = piece->next;
        if (!f->first)
            f->last = &f->first;
        free(piece);
    }
    if (f->first)
        return;
    if (f->is_last)
        reset_both(p);
    else if (f->is_read_out && !f->is_shut)
        f->is_shut = shutdown(fd, SHUT_WR) == 0;
}

static bool wants_read(const struct relay *r, const struct pair *p, enum side s)
{
    if (p->fd[s] < 0 || (s == SERVER && p->is_connecting))
        return false;
    return p->is_swallowed ||
           (!r->is_held[s] && !p->flow[s].is_read_out && p->flow[s].queued < QUEUE_MAX);
}

static bool may_write(const struct relay *r, const struct pair *p, enum side from)
{
    return !p->is_swallowed && !r->is_held[from] && p->fd[1 - from] >= 0 &&
           !(from == CLIENT && p->is_connecting);
}

static bool is_held(const struct relay *r)
{
    return r->is_held[CLIENT] || r->is_held[SERVER];
}

static bool may_ask(const struct relay *r, const struct pair *p)
{
    return !p->is_asked && !p->is_swallowed && !is_held(r) && p->fd[CLIENT] >= 0;
}

nfds_t relay_poll_fill(struct relay *r, struct pollfd *out, int64_t *wake_us)
{
    const int64_t now = clock_mono_us();
    nfds_t n = 0;

    *wake_us = INT64_MAX;
    for (struct pair *p = r->pairs; p; p = p->next) {
        if (may_ask(r, p))
            *wake_us = now;
        for (enum side s = CLIENT; s < SIDES; s++) {
            short events = wants_read(r, p, s) ? POLLIN : 0;
            const struct flow *to = &p->flow[1 - s];
            const int64_t due = !to->first                        ? INT64_MAX
                                : to->first->due_us > to->next_us ? to->first->due_us
                                                                  : to->next_us;
            if (s == SERVER && p->is_connecting)
                events = POLLOUT;
            else if (may_write(r, p, 1 - s) && due <= now)
                events |= POLLOUT;
            else if (may_write(r, p, 1 - s) && due < *wake_us)
                *wake_us = due;
            /* a hang-up is always told: not while it changes nothing */
            out[n++] = (struct pollfd){events || !is_held(r) ? p->fd[s] : -1, events, 0};
        }
    }
    return n;
}

static void connected(struct pair *p)
{
    int e = 0;
    socklen_t len = sizeof(e);

    p->is_connecting = false;
    if (getsockopt(p->fd[SERVER], SOL_SOCKET, SO_ERROR, &e, &len) != 0 || e != 0)
        reset_both(p);
}

static void step_pair(struct relay *r, struct pair *p, const struct pollfd *polled)
{
    if (p->is_connecting && polled[SERVER].revents)
        connected(p);
    for (enum side s = CLIENT; s < SIDES; s++) {
        const short got = polled[s].fd == p->fd[s] ? polled[s].revents : 0;
        if (p->fd[s] < 0 || !got)
            continue;
        if (got & (POLLERR | POLLNVAL)) /* reset: seen also when nothing is read */
            p->is_swallowed ? close_side(p, s, true) : lost(p, s);
        else if ((got & (POLLIN | POLLHUP)) && wants_read(r, p, s))
            read_side(r, p, s);
    }
    if (may_ask(r, p))
        ask_server(r, p);
    for (enum side s = CLIENT; s < SIDES; s++)
        if (may_write(r, p, s))
            write_flow(r, p, s, clock_mono_us());
    if (p->is_lost && !is_held(r))
        reset_both(p);
    if (p->flow[CLIENT].is_shut && p->flow[SERVER].is_shut) {
        close_side(p, CLIENT, false);
        close_side(p, SERVER, false);
    }
}

void relay_step(struct relay *r, const struct pollfd *polled, nfds_t n)
{
    nfds_t i = 0;

    for (struct pair **at = &r->pairs; *at && i < n; i += SIDES) {
        struct pair *p = *at;
        step_pair(r, p, &polled[i]);
        if (p->fd[CLIENT] >= 0 || p->fd[SERVER] >= 0) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        r->npairs--;
        swallow(p);
        free(p);
    }
}
