#include "node/daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/clock.h"
#include "base/pool.h"
#include "crypto/key_wrap.h"
#include "node/node.h"
#include "rpc/loop.h"

/* In place of keys.encryption-key, where the file says nothing of keys. */
#define ENCRYPTION_KEY_ENV "LOCKSTEP_ENCRYPTION_KEY"

#define LOOP_THREADS       2
#define POOL_THREADS       8
#define POOL_QUEUED        1000
#define POLL_START_US      (10 * US_PER_MS) /* until everything has settled */
#define POLL_US            (100 * US_PER_MS)
#define START_US           (10 * US_PER_S) /* a start that takes longer is not waited for so closely */
#define NODES_MAX          (2 * CONFIG_NODES_MAX) /* each may bring an embedded mediator */

struct daemon {
    const struct config *config;
    struct node_shared shared;
    struct key_wrap wrap;
    struct node *node[NODES_MAX];
    size_t n_nodes;
    int64_t started_at;  /* clock_mono_us */
    bool is_ready;       /* and that was said */
    int64_t watchdog_us; /* systemd wants a sign this often; 0: not at all */
    int64_t watchdog_next;
};

static int exit_of(enum error_code code)
{
    if (code == ERR_CONFIG)
        return DAEMON_BAD_CONFIG;
    return code == ERR_UNAVAILABLE || code == ERR_CONNECTION || code == ERR_TIMEOUT ||
                   code == ERR_READ_ONLY || code == ERR_FULL || code == ERR_IO
               ? DAEMON_UNAVAILABLE
               : DAEMON_FAILED;
}

/* ---- start ---- */

static bool open_node(struct daemon *d, const struct config_node *c, struct error *err)
{
    struct node *n;

    if (!node_open(c, &d->shared, &n, err))
        return false;
    d->node[d->n_nodes++] = n;
    if (c->kind != CONFIG_Y || c->mediator != CONFIG_MEDIATOR_EMBEDDED)
        return true;
    struct node *med;

    if (!node_open_embedded(n, &d->shared, &med, err))
        return false;
    d->node[d->n_nodes++] = med;
    return node_boot_embedded(n, med, err);
}

/* The configuration decides; where it is silent the environment may, and unencrypted keys are
 * nobody's accident. */
static bool read_wrap(struct daemon *d, struct error *err)
{
    const struct config_keys *k = &d->config->keys;
    const char *first = k->encryption_key;

    if (first == NULL && !k->is_plaintext)
        first = getenv(ENCRYPTION_KEY_ENV);
    d->shared.wrap = &d->wrap;
    d->wrap.is_plaintext = k->is_plaintext;
    if (first == NULL && !k->is_plaintext)
        return error_set(err, ERR_CONFIG,
                         "write keys.encryption-key (openssl rand -hex 32 makes one), or "
                         "keys.plaintext: true",
                         "neither the configuration nor " ENCRYPTION_KEY_ENV
                         " says how private keys are kept");
    return (first == NULL || key_wrap_add(&d->wrap, first, err)) &&
           (k->previous_encryption_key == NULL ||
            key_wrap_add(&d->wrap, k->previous_encryption_key, err));
}

static bool start(struct daemon *d, struct error *err)
{
    if (!read_wrap(d, err) ||
        !rpc_loop_open(LOOP_THREADS, d->shared.logger, &d->shared.loop, err) ||
        !pool_open("node", POOL_THREADS, POOL_QUEUED, &d->shared.pool, err))
        return false;
    for (size_t i = 0; i < d->config->n_nodes; i++)
        if (!open_node(d, &d->config->node[i], err))
            return false;
    for (size_t i = 0; i < d->n_nodes; i++)
        if (!node_start(d->node[i], err))
            return false;
    return true;
}

/* ---- while it runs ---- */

static void poll_nodes(struct daemon *d)
{
    size_t n_settled = 0;

    for (size_t i = 0; i < d->n_nodes; i++)
        n_settled += node_has_settled(node_poll(d->node[i]));
    if (!d->is_ready && n_settled == d->n_nodes) {
        d->is_ready = true;
        log_info(d->shared.logger, "ready, %lld ms after the start",
                 (long long)((clock_mono_us() - d->started_at) / US_PER_MS));
        (void)sd_notify(0, "STATUS=running");
    }
    /* A turn has asked every part for its state: none hangs in a lock. */
    if (d->watchdog_us > 0 && clock_mono_us() >= d->watchdog_next) {
        (void)sd_notify(0, "WATCHDOG=1");
        d->watchdog_next = clock_mono_us() + d->watchdog_us / 3;
    }
}

static void say_reload(struct daemon *d)
{
    struct config_report report = {0};
    struct config *c = NULL;

    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
    if (config_load(d->config->path, &c, &report))
        log_info(d->shared.logger,
                 "SIGHUP: %s is valid; nothing was changed: every option, certificates included, "
                 "needs a restart in this release",
                 d->config->path);
    for (size_t i = 0; i < report.n; i++)
        log_warn(d->shared.logger, ERR_CONFIG, "SIGHUP: %s:%d:%d: %s; nothing was changed",
                 d->config->path, report.problem[i].place.line, report.problem[i].place.column,
                 report.problem[i].text);
    config_report_free(&report);
    config_free(c);
    (void)sd_notify(0, "READY=1");
}

static void signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static void wait_for_end(struct daemon *d)
{
    sigset_t set;

    signals(&set);
    for (;;) {
        bool is_starting = !d->is_ready && clock_mono_us() - d->started_at < START_US;
        struct timespec turn = {.tv_nsec = (is_starting ? POLL_START_US : POLL_US) * 1000};
        int s = sigtimedwait(&set, NULL, &turn);

        if (s == SIGTERM || s == SIGINT) {
            log_info(d->shared.logger, "%s: stopping", s == SIGTERM ? "SIGTERM" : "SIGINT");
            return;
        }
        if (s == SIGHUP)
            say_reload(d);
        poll_nodes(d);
    }
}

/* ---- end ---- */

/* Mediators and participants first: they say goodbye through their sequencer. */
static void stop(struct daemon *d, bool is_started)
{
    (void)sd_notify(0, "STOPPING=1");
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; is_started && i < d->n_nodes; i++)
            if (node_is_sequencer(d->node[i]) == (turn == 1))
                node_drain(d->node[i]);
        for (size_t i = d->n_nodes; i-- > 0;)
            if (node_is_sequencer(d->node[i]) == (turn == 1))
                node_stop(d->node[i]);
    }
    pool_close(d->shared.pool);
    for (size_t i = d->n_nodes; i-- > 0;)
        node_close(d->node[i]);
    rpc_loop_close(d->shared.loop);
}

int daemon_run(const struct config *c, struct logger *lg)
{
    struct daemon *d = calloc(1, sizeof(*d));
    struct error err;
    uint64_t watchdog = 0;
    sigset_t set;
    int code = DAEMON_OK;

    if (d == NULL)
        return DAEMON_FAILED;
    d->config = c;
    d->shared.logger = lg;
    d->started_at = clock_mono_us();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error of the write */
    (void)umask(077);               /* databases hold private keys */
    signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* every thread inherits it */
    if (sd_watchdog_enabled(0, &watchdog) > 0)
        d->watchdog_us = (int64_t)watchdog;
    if (start(d, &err)) {
        (void)sd_notify(0, "READY=1");
        wait_for_end(d);
        stop(d, true);
        log_info(lg, "stopped");
    } else {
        logger_error(lg, LOG_ERROR, &err, "cannot start");
        code = exit_of(err.code);
        stop(d, false);
    }
    key_wrap_wipe(&d->wrap);
    free(d);
    return code;
}
