#include "node/node_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pool.h"
#include "node/node_db.h"
#include "rpc/tls.h"
#include "storage/migrate.h"

#define STOP_GRACE_US    (3 * US_PER_S)
#define PROBE_US         (500 * US_PER_MS) /* between two signs of the database */
#define SILENCE_US       (2 * US_PER_S)    /* a probe that takes longer is no answer */
#define REQUEST_OVERHEAD (64 << 10)        /* what a request has beside its content */

/* ---- helpers of the roles ---- */

const struct rpc_tls_client *node_client_tls(const struct config_tls *t, struct rpc_tls_client *out)
{
    if (t->trust_collection_file == NULL && t->cert_chain_file == NULL)
        return NULL;
    *out = (struct rpc_tls_client){.trust_file = t->trust_collection_file,
                                   .cert_chain_file = t->cert_chain_file,
                                   .private_key_file = t->private_key_file};
    return out;
}

const char **node_url_texts(const struct config_urls *urls)
{
    const char **texts = calloc(urls->n + 1, sizeof(*texts));

    for (size_t i = 0; texts != NULL && i < urls->n; i++)
        texts[i] = urls->url[i].text;
    return texts;
}

void node_figure(struct admin_status *st, const char *name, int64_t value)
{
    if (st->n_figures >= ADMIN_FIGURES_MAX)
        return;
    st->figures[st->n_figures].name = name;
    st->figures[st->n_figures].value = value;
    st->n_figures++;
}

/* ---- state ---- */

static void move(struct node *n, enum node_state to, const char *reason)
{
    char why[LIFECYCLE_REASON_MAX];
    enum node_state from;
    bool has_changed;

    mutex_lock(&n->lock);
    from = n->life.state;
    has_changed = lifecycle_move(&n->life, to, reason, clock_now_us());
    to = n->life.state;
    snprintf(why, sizeof(why), "%s", n->life.reason);
    mutex_unlock(&n->lock);
    if (!has_changed)
        return;
    if (to == NODE_FAILED)
        log_error(n->lg, ERR_REFUSED, "%s -> %s: %s", node_state_name(from), node_state_name(to),
                  why);
    else
        log_info(n->lg, "%s -> %s%s%s", node_state_name(from), node_state_name(to),
                 why[0] != '\0' ? ": " : "", why);
}

static void set_health(struct node *n, enum node_state s)
{
    enum health_status ready = node_is_ready(s) ? HEALTH_SERVING : HEALTH_NOT_SERVING;
    enum health_status alive = node_is_alive(s) ? HEALTH_SERVING : HEALTH_NOT_SERVING;
    struct error err;

    if (!health_set(n->health, "", ready, &err) ||
        !health_set(n->health, n->role->name, ready, &err) ||
        !health_set(n->health, "liveness", alive, &err))
        logger_error(n->lg, LOG_WARN, &err, "health");
    else
        n->told = s;
}

/* On the pool, as a database may not answer for long. */
static void probe(void *ctx)
{
    struct node *n = ctx;
    struct error err = {0};
    int64_t now;
    bool ok = db_clock_us(n->db, &now, &err);

    mutex_lock(&n->lock);
    n->is_probing = false;
    snprintf(n->trouble, sizeof(n->trouble), "%s%.240s", ok ? "" : "database: ", err.cause);
    mutex_unlock(&n->lock);
}

/* Asks the database for a sign now and then. True: it is well, as far as is known. */
static bool database_is_well(struct node *n, char *reason)
{
    int64_t now = clock_mono_us();
    struct error err;

    mutex_lock(&n->lock);
    bool is_due = !n->is_probing && now - n->probed_at >= PROBE_US;
    bool is_silent = n->is_probing && now - n->probed_at >= SILENCE_US;

    if (is_due) {
        n->is_probing = true;
        n->probed_at = now;
    }
    bool is_well = n->trouble[0] == '\0' && !is_silent;

    if (!is_well)
        snprintf(reason, LIFECYCLE_REASON_MAX, "%s",
                 is_silent ? "the database does not answer" : n->trouble);
    mutex_unlock(&n->lock);
    if (is_due && !pool_submit(n->shared.pool, probe, n, &err)) {
        mutex_lock(&n->lock);
        n->is_probing = false; /* the pool is full: next time */
        mutex_unlock(&n->lock);
    }
    return is_well;
}

enum node_state node_poll(struct node *n)
{
    char reason[LIFECYCLE_REASON_MAX] = "";
    enum node_state before, s;

    mutex_lock(&n->lock);
    before = n->life.state;
    mutex_unlock(&n->lock);
    if (before == NODE_DRAINING)
        return before;
    s = n->role->observe(n, reason);
    n->was_active = n->was_active || s == NODE_ACTIVE;
    key_follow_poll(n);
    if (!database_is_well(n, reason) && (s == NODE_ACTIVE || s == NODE_STANDBY))
        s = NODE_DEGRADED;
    move(n, s, reason);
    mutex_lock(&n->lock);
    s = n->life.state;
    mutex_unlock(&n->lock);
    if (s != n->told)
        set_health(n, s);
    return s;
}

/* For the admin services, from any thread. */
static void fill_status(void *ctx, struct admin_status *out)
{
    struct node *n = ctx;

    *out = (struct admin_status){.started_at = n->started_at};
    mutex_lock(&n->lock);
    out->state = node_state_name(n->life.state);
    out->is_active = n->life.state == NODE_ACTIVE;
    snprintf(out->reason, sizeof(out->reason), "%s", n->life.reason);
    node_figure(out, "state_since", n->life.since_at);
    mutex_unlock(&n->lock);
    n->role->describe(n, out);
    if (n->public_port != 0) {
        out->ports[out->n_ports].name = "public";
        out->ports[out->n_ports++].port = n->public_port;
    }
    out->ports[out->n_ports].name = n->role->kind == MEMBER_PARTICIPANT ? "api" : "admin";
    out->ports[out->n_ports++].port = n->port;
}

/* ---- servers ---- */

static const struct rpc_tls_server *server_tls(const struct config_tls *t,
                                               struct rpc_tls_server *out)
{
    static const enum rpc_client_auth auth[] = {RPC_CLIENT_AUTH_NONE, RPC_CLIENT_AUTH_OPTIONAL,
                                                RPC_CLIENT_AUTH_REQUIRED};

    if (t->cert_chain_file == NULL)
        return NULL;
    *out = (struct rpc_tls_server){.cert_chain_file = t->cert_chain_file,
                                   .private_key_file = t->private_key_file,
                                   .trust_file = t->trust_collection_file,
                                   .client_auth = auth[t->client_auth]};
    return out;
}

/* A server with health that listens where api says. what: "public-api". */
static bool open_server(struct node *n, const struct config_api *api, const char *what,
                        int64_t max_request, struct rpc_server **server, struct health **health,
                        int *port, struct error *err)
{
    struct rpc_server_config cfg = {.max_request = max_request};
    struct rpc_tls_server tls;
    size_t used = strlen(n->where);

    if (!rpc_server_open(n->shared.loop, &cfg, n->lg, server, err) || !health_open(health, err) ||
        !health_register(*health, *server, err))
        return error_add(err, "%s", what);
    if (!rpc_server_listen(*server, api->address, (int)api->port, server_tls(&api->tls, &tls), port,
                           err))
        return error_add(err, "%s", what);
    snprintf(n->where + used, sizeof(n->where) - used, "%s%s %s:%d", used > 0 ? ", " : "", what,
             api->address, *port);
    return true;
}

static bool open_servers(struct node *n, struct error *err)
{
    const struct config_node *c = n->cfg;
    bool is_participant = n->role->kind == MEMBER_PARTICIPANT;

    if (n->role->kind == MEMBER_SEQUENCER) {
        if (!open_server(n, &c->public_api, "public-api", c->max_request_size + REQUEST_OVERHEAD,
                         &n->public_server, &n->public_health, &n->public_port, err))
            return false;
        /* The embedded mediator comes this way, whatever TLS the others need. */
        if (c->kind == CONFIG_Y && c->mediator == CONFIG_MEDIATOR_EMBEDDED &&
            !rpc_server_listen(n->public_server, "127.0.0.1", 0, NULL, &n->local_port, err))
            return error_add(err, "socket of the embedded mediator");
    }
    return open_server(
        n, is_participant ? &c->api : &c->admin_api, is_participant ? "api" : "admin-api",
        is_participant ? 0 : ADMIN_SERVER_BYTES, &n->server, &n->health, &n->port, err);
}

static bool with_topology(void *ctx, topology_fn *fn, void *fn_ctx)
{
    struct node *n = ctx;

    return n->role->with_topology(n, fn, fn_ctx);
}

static bool submit_topology(void *ctx, const struct bytes *txs, size_t n_txs, int64_t timeout_us,
                            struct error *err)
{
    struct node *n = ctx;

    return n->role->submit_topology(n, txs, n_txs, timeout_us, err);
}

static bool open_admin(struct node *n, struct error *err)
{
    struct admin_config cfg = {
        .name = n->cfg->name,
        .identity = &n->identity,
        .loop = n->shared.loop,
        .node = n->cfg,
        .sequencer = n->seq,
        .mediator = n->med,
        .participant = n->part,
        .is_replicated = n->cfg->lease.is_enabled,
        .pool = n->shared.pool,
        .status = fill_status,
        .with_topology = n->role->with_topology != NULL ? with_topology : NULL,
        .submit_topology = n->role->submit_topology != NULL ? submit_topology : NULL,
        .ctx = n,
        .logger = n->lg};

    return admin_service_open(&cfg, n->server, &n->admin, err);
}

/* ---- life ---- */

static const struct role *role_of(enum config_kind kind)
{
    if (kind == CONFIG_M)
        return &role_mediator;
    return kind == CONFIG_P ? &role_participant : &role_sequencer;
}

/* Unless err does so already. False. */
static bool name_database(const struct node *n, struct error *err)
{
    return strstr(err->cause, db_describe(n->db)) == NULL &&
           error_add(err, "%s", db_describe(n->db));
}

static bool open_schema(struct node *n, struct error *err)
{
    int applied = 0;

    if (!n->cfg->is_migrating) {
        if (db_schema_check(n->db, err))
            return true;
        return name_database(n, err);
    }
    move(n, NODE_MIGRATING, "bringing the schema up to date");
    if (!node_db_migrate(n->cfg, n->db, n->lg, &applied, err))
        return name_database(n, err);
    if (applied > 0)
        log_info(n->lg, "schema brought up to date, %d migrations applied", applied);
    move(n, NODE_STARTING, "");
    return true;
}

static bool open_parts(struct node *n, struct error *err)
{
    if (!node_db_lock(&n->cfg->storage, &n->db_lock, err) ||
        !node_db_open(n->cfg, n->lg, &n->db, err) || !open_schema(n, err) ||
        !node_identity_open(n->db, n->role->kind, n->cfg->name, n->shared.wrap, n->lg, &n->identity,
                            err))
        return false;
    keyring_on_missing(n->identity.keys, key_follow_reload, n);
    log_debug(n->lg, "%s on %s", n->identity.member, db_describe(n->db));
    return open_servers(n, err) && n->role->open(n, err) && open_admin(n, err);
}

bool node_open(const struct config_node *cfg, const struct node_shared *shared, struct node **out,
               struct error *err)
{
    struct node *n = calloc(1, sizeof(*n));

    if (n == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a node");
    n->db_lock = -1;
    n->cfg = cfg;
    n->shared = *shared;
    n->role = role_of(cfg->kind);
    n->started_at = clock_mono_us();
    n->lg = logger_child(shared->logger, n->role->name, cfg->name);
    mutex_init(&n->lock);
    lifecycle_init(&n->life, clock_now_us());
    if (open_parts(n, err)) {
        *out = n;
        return true;
    }
    error_add(err, "%s %s", n->role->name, cfg->name);
    node_close(n);
    return false;
}

bool node_start(struct node *n, struct error *err)
{
    if (n->role->start(n, err) &&
        (n->public_server == NULL || rpc_server_start(n->public_server, err)) &&
        rpc_server_start(n->server, err)) {
        log_info(n->lg, "listening on %s", n->where);
        return true;
    }
    return error_add(err, "%s %s", n->role->name, n->cfg->name);
}

void node_drain(struct node *n)
{
    move(n, NODE_DRAINING, "asked to stop");
    health_shutdown(n->health);
    if (n->public_health != NULL)
        health_shutdown(n->public_health);
    rpc_server_drain(n->server);
    if (n->public_server != NULL)
        rpc_server_drain(n->public_server);
}

void node_stop(struct node *n)
{
    struct rpc_server *servers[] = {n->public_server, n->server};
    struct error err;

    n->role->stop(n);
    for (size_t i = 0; i < 2; i++)
        if (servers[i] != NULL && !rpc_server_stop(servers[i], STOP_GRACE_US, &err))
            logger_error(n->lg, LOG_WARN, &err, "stop");
}

void node_close(struct node *n)
{
    if (n == NULL)
        return;
    rpc_server_close(n->public_server);
    rpc_server_close(n->server);
    n->role->close(n);
    admin_service_close(n->admin);
    health_close(n->public_health);
    health_close(n->health);
    node_identity_close(&n->identity);
    db_close(n->db);
    if (n->db_lock >= 0)
        close(n->db_lock);
    if (n->derived != NULL) {
        config_storage_free(&n->derived->storage);
        free(n->derived->name);
        free(n->derived);
    }
    mutex_destroy(&n->lock);
    logger_close(n->lg);
    free(n);
}

const char *node_name(const struct node *n)
{
    return n->cfg->name;
}

bool node_is_sequencer(const struct node *n)
{
    return n->role->kind == MEMBER_SEQUENCER;
}

const char *node_where(const struct node *n)
{
    return n->where;
}
