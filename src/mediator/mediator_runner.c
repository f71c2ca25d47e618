/* mediator_runner.c: the life of a mediator: open, initialise, follow, take over, stop. */
#include "mediator/mediator_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/db.h"
#include "wire/versioned.h"

#define POLL_US               (100 * US_PER_MS) /* for the initialisation */
#define PAUSE_MIN_US          (200 * US_PER_MS) /* between two sessions; doubles up to */
#define PAUSE_MAX_US          (5 * US_PER_S)
#define HEAD_POLL_US          US_PER_S
#define CUT_OFF_US            (3 * US_PER_S) /* without a subscription: another replica may do better */
#define PROOF_DELAY_US        (250 * US_PER_MS) /* what other traffic has to show that time has passed */
#define FAILED_FOR_GOOD(code) ((code) == ERR_FORK || (code) == ERR_HISTORY)
enum { CONNECTIONS_TEXT_MAX = 4000 };

const char *mediator_role_name(enum mediator_role role)
{
    switch (role) {
    case MEDIATOR_STOPPED:
        return "stopped";
    case MEDIATOR_UNINITIALIZED:
        return "uninitialized";
    case MEDIATOR_STARTING:
        return "starting";
    case MEDIATOR_PASSIVE:
        return "passive";
    case MEDIATOR_CATCHING_UP:
        return "catching-up";
    case MEDIATOR_ACTIVE:
        return "active";
    case MEDIATOR_FAILED:
        return "failed";
    }
    return "unknown";
}

/* --- open and close ----------------------------------------------------------------------------
 */

/* A copy of text in *out, NULL of NULL. */
static bool copy_text(const char *text, const char **out)
{
    *out = text ? strdup(text) : NULL;
    return (*out != NULL) == (text != NULL);
}

static bool copy_tls(struct mediator *m, const struct rpc_tls_client *t)
{
    if (t == NULL)
        return true;
    m->cfg.tls = &m->tls;
    return copy_text(t->trust_file, &m->tls.trust_file) &&
           copy_text(t->cert_chain_file, &m->tls.cert_chain_file) &&
           copy_text(t->private_key_file, &m->tls.private_key_file) &&
           copy_text(t->server_name, &m->tls.server_name);
}

static void free_tls(struct mediator *m)
{
    const char *all[] = {m->tls.trust_file, m->tls.cert_chain_file, m->tls.private_key_file,
                         m->tls.server_name};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free((void *)(uintptr_t)all[i]);
}

static bool copy_config(struct mediator *m, const struct mediator_config *cfg)
{
    m->cfg = *cfg;
    m->name = strdup(cfg->name ? cfg->name : "mediator");
    m->uid = strdup(cfg->uid);
    m->connections = calloc(cfg->n_connections ? cfg->n_connections : 1, sizeof(*m->connections));
    if (m->name == NULL || m->uid == NULL || m->connections == NULL || !copy_tls(m, cfg->tls))
        return false;
    m->cfg.n_connections = 0;
    for (; m->cfg.n_connections < cfg->n_connections; m->cfg.n_connections++)
        if ((m->connections[m->cfg.n_connections] =
                 strdup(cfg->connections[m->cfg.n_connections])) == NULL)
            return false;
    m->cfg.name = m->name;
    m->cfg.uid = m->uid;
    m->cfg.connections = NULL;
    if (m->cfg.lease_renew_us == 0)
        m->cfg.lease_renew_us = 250 * US_PER_MS;
    if (m->cfg.lease_expiry_us == 0)
        m->cfg.lease_expiry_us = US_PER_S;
    if (m->cfg.max_in_flight == 0)
        m->cfg.max_in_flight = 200000;
    if (m->cfg.max_dedup == 0)
        m->cfg.max_dedup = (size_t)1 << 22;
    return true;
}

bool mediator_open(const struct mediator_config *cfg, struct db *db, struct keyring *keys,
                   struct logger *lg, struct mediator **out, struct error *err)
{
    if (!uid_parse(cfg->uid, NULL, err))
        return false;
    if (cfg->n_connections > CLIENT_ENDPOINTS_MAX)
        return error_set(err, ERR_CONFIG, NULL,
                         "%zu sequencer connections, at most %d are possible", cfg->n_connections,
                         CLIENT_ENDPOINTS_MAX);
    if (cfg->max_in_flight > 10000000 || cfg->max_dedup > 100000000)
        return error_set(err, ERR_CONFIG, NULL, "max_in_flight or max_dedup is too large");
    struct mediator *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a mediator");
    mutex_init(&m->lock);
    mutex_init(&m->core_lock);
    cond_init(&m->changed);
    m->db = db;
    m->keys = keys;
    m->head.seen_ts = m->written.seen_ts = INT64_MIN;
    m->lg = logger_child(lg, "mediator", cfg->name);
    if (!copy_config(m, cfg)) {
        mediator_close(m);
        return error_set(err, ERR_MEMORY, NULL, "no memory for a mediator");
    }
    member_format(MEMBER_MEDIATOR, m->uid, m->member);
    if (!lease_open(db, MEDIATOR_LEASE, m->cfg.lease_expiry_us, m->cfg.lease_renew_us, &m->lease,
                    err)) {
        mediator_close(m);
        return false;
    }
    *out = m;
    return true;
}

void mediator_close(struct mediator *m)
{
    if (m == NULL)
        return;
    mediator_stop(m, clock_mono_us() + US_PER_S);
    lease_close(m->lease);
    for (size_t i = 0; m->connections && i < m->cfg.n_connections; i++)
        free(m->connections[i]);
    free(m->connections);
    free_tls(m);
    free(m->name);
    free(m->uid);
    logger_close(m->lg);
    cond_destroy(&m->changed);
    mutex_destroy(&m->core_lock);
    mutex_destroy(&m->lock);
    free(m);
}

/* --- initialising ------------------------------------------------------------------------------
 */

static bool check_same_psid(struct mediator *m, const char *psid, bool *found, struct error *err)
{
    struct mediator_row row;

    if (!mediator_store_read(m->db, &row, found, err))
        return false;
    bool is_same = !*found || strcmp(row.psid, psid) == 0;
    mediator_row_free(&row);
    return is_same || error_set(err, ERR_REFUSED, "use a database of its own for each synchronizer",
                                "already initialised with %s", row.psid);
}

bool mediator_initialize(struct mediator *m, const char *psid, struct bytes static_params,
                         const char *const *connections, size_t n_connections, struct error *err)
{
    struct static_parameters params;
    struct psid id;
    struct buffer text = BUFFER_INIT;
    bool found = false;

    if (!psid_parse(psid, &id, err) || !static_parameters_parse(static_params, &params, err))
        return false;
    if (id.protocol_version != PROTOCOL_VERSION || params.protocol_version != PROTOCOL_VERSION)
        return error_set(err, ERR_CONFIG, NULL, "protocol version %d, only %d is spoken",
                         (int)id.protocol_version, PROTOCOL_VERSION);
    if (n_connections == 0 || n_connections > CLIENT_ENDPOINTS_MAX)
        return error_set(err, ERR_CONFIG, NULL, "%zu sequencer connections; give 1 to %d",
                         n_connections, CLIENT_ENDPOINTS_MAX);
    if (!check_same_psid(m, psid, &found, err))
        return false;
    if (found)
        return true;
    for (size_t i = 0; i < n_connections; i++) {
        buffer_append_str(&text, connections[i]);
        buffer_append_byte(&text, '\n');
    }
    const char *list = buffer_cstr(&text);
    bool ok = buffer_ok(&text, err);
    if (ok && text.len > CONNECTIONS_TEXT_MAX)
        ok = error_set(err, ERR_CONFIG, NULL,
                       "the sequencer connections are longer than %d characters",
                       CONNECTIONS_TEXT_MAX);
    ok = ok && mediator_store_insert(m->db, psid, list, clock_now_us(), static_params, err);
    buffer_free(&text);
    if (!ok && err && (err->code == ERR_DUPLICATE || err->code == ERR_UNKNOWN_OUTCOME))
        ok = check_same_psid(m, psid, &found, err) &&
             (found || error_set(err, ERR_RETRY, "try again", "the answer to the commit was lost"));
    return ok;
}

bool mediator_is_initialized(struct mediator *m, bool *out, struct error *err)
{
    struct mediator_row row;

    if (!mediator_store_read(m->db, &row, out, err))
        return false;
    mediator_row_free(&row);
    return true;
}

/* --- roles -------------------------------------------------------------------------------------
 */

enum mediator_role mediator_role_now(struct mediator *m)
{
    mutex_lock(&m->lock);
    enum mediator_role role = m->role;
    mutex_unlock(&m->lock);
    return role;
}

bool mediator_role_move(struct mediator *m, enum mediator_role from, enum mediator_role to,
                        const char *why)
{
    mutex_lock(&m->lock);
    bool is_moved = m->role == from && from != to;
    if (is_moved) {
        m->role = to;
        snprintf(m->reason, sizeof(m->reason), "%s", why);
        cond_broadcast(&m->changed);
    }
    int64_t epoch = m->epoch;
    mutex_unlock(&m->lock);
    if (!is_moved)
        return false;
    log_info(m->lg, "%s -> %s: %s (epoch %" PRId64 ")", mediator_role_name(from),
             mediator_role_name(to), why, epoch);
    if (m->on_role)
        m->on_role(m->on_role_ctx, to);
    return true;
}

static void move_to(struct mediator *m, enum mediator_role to, const char *why)
{
    mediator_role_move(m, mediator_role_now(m), to, why);
}

void mediator_session_fail(struct mediator *m, const struct error *why)
{
    mutex_lock(&m->lock);
    if (!m->is_session_failed) {
        m->is_session_failed = true;
        m->session_error = *why;
    }
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
}

/* --- the lease ---------------------------------------------------------------------------------
 */

static void on_won(struct mediator *m)
{
    struct fence f;

    if (!lease_held(m->lease, &f))
        return;
    mutex_lock(&m->lock);
    m->fence = f;
    m->epoch = f.epoch;
    mutex_unlock(&m->lock);
    mediator_role_move(m, MEDIATOR_PASSIVE, MEDIATOR_CATCHING_UP, "lease won");
}

static void on_lost(struct mediator *m, const char *why)
{
    if (!mediator_role_move(m, MEDIATOR_ACTIVE, MEDIATOR_PASSIVE, why))
        mediator_role_move(m, MEDIATOR_CATCHING_UP, MEDIATOR_PASSIVE, why);
}

static void release(struct mediator *m)
{
    struct error err;

    if (lease_held(m->lease, NULL) && !lease_release(m->lease, &err))
        logger_error(m->lg, LOG_WARN, &err,
                     "the lease is not given up; others wait for its expiry");
}

/* The writer has lost the answer to a commit: the own epoch moves past it. False: try again at the
 * next turn, and say it once. */
static bool settle(struct mediator *m, bool is_said)
{
    struct fence f;
    struct error err;

    if (!lease_settle(m->lease, &f, &err)) {
        if (!is_said)
            logger_error(m->lg, LOG_WARN, &err, "the own epoch could not be moved");
        if (err.code == ERR_FENCED)
            on_lost(m, "fenced by a newer epoch");
        return false;
    }
    mutex_lock(&m->lock);
    m->fence = f;
    m->epoch = f.epoch;
    m->needs_settle = false;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    return true;
}

/* What has failed, and was said. */
struct troubles {
    bool lease, settle;
};

static void step_lease(struct mediator *m, bool *was_error)
{
    enum lease_change change = LEASE_SAME;
    struct error err;

    if (!lease_step(m->lease, &change, &err)) {
        if (!*was_error)
            logger_error(m->lg, LOG_WARN, &err, "the lease can be neither renewed nor watched");
        *was_error = true;
    } else {
        *was_error = false;
    }
    /* a lease that was won while nobody could take over is as good as one won now */
    if (change == LEASE_LOST)
        on_lost(m, "lease lost");
    else if (lease_held(m->lease, NULL) && mediator_role_now(m) == MEDIATOR_PASSIVE)
        on_won(m);
}

/* --- following ---------------------------------------------------------------------------------
 */

/* A passive replica drops what the active one has stored. */
static void follow_head(struct mediator *m)
{
    struct mediator_head h;
    struct error err;

    if (!head_store_read(m->db, &h, &err))
        return; /* the lease's step says so already */
    mutex_lock(&m->lock);
    if (m->role == MEDIATOR_PASSIVE && m->outbox) {
        outbox_forget(m->outbox, h.seen_ts);
        m->written = h;
        cond_broadcast(&m->changed);
    }
    mutex_unlock(&m->lock);
}

/* An idle stream does not show that a deadline has passed; the active replica asks for a proof. */
static void ask_time(struct mediator *m)
{
    mutex_lock(&m->core_lock);
    int64_t due = m->core ? core_next_due(m->core) : INT64_MAX;
    mutex_unlock(&m->core_lock);
    if (due < INT64_MAX - PROOF_DELAY_US && clock_now_us() > due + PROOF_DELAY_US)
        client_time_proof(m->client);
}

/* A replica without a subscription takes no lease, and does not keep one for long. */
static void hold_or_give_up(struct mediator *m, bool *lease_error)
{
    mutex_lock(&m->lock);
    bool is_connected = m->is_connected;
    int64_t lost_at = m->lost_at;
    mutex_unlock(&m->lock);
    bool is_held = lease_held(m->lease, NULL);
    if (is_held && !is_connected && clock_mono_us() > lost_at + CUT_OFF_US) {
        on_lost(m, "no sequencer for 3 s; another replica may have one");
        release(m);
    } else if (is_held || is_connected) {
        step_lease(m, lease_error);
    }
}

/* One turn of control, every renewal. */
static void follow_step(struct mediator *m, struct troubles *t, int64_t *head_at)
{
    bool needs_settle;

    mutex_lock(&m->lock);
    needs_settle = m->needs_settle;
    mutex_unlock(&m->lock);
    t->settle = needs_settle && !settle(m, t->settle);
    hold_or_give_up(m, &t->lease);
    enum mediator_role role = mediator_role_now(m);
    if (role == MEDIATOR_ACTIVE) {
        ask_time(m);
        topology_post_send(m);
    } else {
        topology_post_drop(m);
    }
    if (role == MEDIATOR_PASSIVE && clock_mono_us() >= *head_at) {
        *head_at = clock_mono_us() + HEAD_POLL_US;
        follow_head(m);
    }
}

/* Waits for the next turn; false when the session is over. */
static bool wait_turn(struct mediator *m, const struct troubles *t, int64_t until)
{
    mutex_lock(&m->lock);
    while (!m->is_stopping && !m->is_session_failed && !m->is_turn_due &&
           (!m->needs_settle || t->settle) && cond_wait_until(&m->changed, &m->lock, until))
        ;
    m->is_turn_due = false;
    bool is_on = !m->is_stopping && !m->is_session_failed;
    mutex_unlock(&m->lock);
    return is_on;
}

static void follow(struct mediator *m)
{
    struct troubles troubles = {0};
    int64_t head_at = 0, next;

    do {
        next = clock_mono_us() + m->cfg.lease_renew_us;
        follow_step(m, &troubles, &head_at);
    } while (wait_turn(m, &troubles, next));
}

/* A clean stop leaves no verdict behind: what is decided is written and sent, as far as the
 * deadline allows. */
static void drain(struct mediator *m)
{
    mutex_lock(&m->lock);
    while (m->role == MEDIATOR_ACTIVE && m->outbox && !m->is_session_failed &&
           clock_mono_us() < m->stop_deadline_us &&
           (outbox_is_urgent(m->outbox) || outbox_n_in_flight(m->outbox) > 0))
        cond_wait_until(&m->changed, &m->lock, clock_mono_us() + 10 * US_PER_MS);
    mutex_unlock(&m->lock);
}

/* --- control -----------------------------------------------------------------------------------
 */

/* Sleeps; false when stopping. */
static bool pause_for(struct mediator *m, int64_t us)
{
    int64_t until = clock_mono_us() + us;

    mutex_lock(&m->lock);
    while (!m->is_stopping && cond_wait_until(&m->changed, &m->lock, until))
        ;
    bool is_on = !m->is_stopping;
    mutex_unlock(&m->lock);
    return is_on;
}

static bool wait_initialized(struct mediator *m)
{
    struct error err;
    bool found = false, was_error = false;

    while (!found) {
        bool ok = mediator_is_initialized(m, &found, &err);
        if (!ok && !was_error)
            logger_error(m->lg, LOG_WARN, &err, "the database does not say what to serve");
        was_error = !ok;
        if (!found && !pause_for(m, POLL_US))
            return false;
    }
    return true;
}

/* One session, from its opening to its end. False when it did not even open. */
static bool run_session(struct mediator *m)
{
    struct error err;

    move_to(m, MEDIATOR_STARTING, "connecting, loading topology and positions");
    mutex_lock(&m->lock);
    m->is_session_failed = false;
    mutex_unlock(&m->lock);
    if (!session_open(m, &err)) {
        mediator_session_fail(m, &err);
        return false;
    }
    if (!thread_start(&m->writer, "med-writer", writer_main, m, &err)) {
        session_close(m);
        mediator_session_fail(m, &err);
        return false;
    }
    mediator_role_move(m, MEDIATOR_STARTING, MEDIATOR_PASSIVE, "following the stream");
    follow(m);
    drain(m);
    mutex_lock(&m->lock);
    m->is_session_ending = true;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    thread_join(&m->writer);
    session_close(m);
    return true;
}

/* A session that failed is opened again, unless the history itself is in doubt: then an operator
 * has to look, and false is the end. *last: what failed before, so that a repetition is not logged
 * again. */
static bool on_session_failed(struct mediator *m, const struct error *why, enum error_code *last)
{
    char text[640];

    error_format(why, text, sizeof(text));
    if (FAILED_FOR_GOOD(why->code)) {
        log_error(m->lg, why->code, "%s", text);
        move_to(m, MEDIATOR_FAILED, text);
        while (pause_for(m, PAUSE_MAX_US))
            ;
        return false;
    }
    if (why->code != *last)
        log_warn(m->lg, why->code, "%s; trying again", text);
    *last = why->code;
    move_to(m, MEDIATOR_STARTING, text);
    mutex_lock(&m->lock);
    snprintf(m->reason, sizeof(m->reason), "%.255s", text);
    mutex_unlock(&m->lock);
    return true;
}

static void *control_main(void *mediator)
{
    struct mediator *m = mediator;
    int64_t pause = PAUSE_MIN_US;
    enum error_code last = ERR_NONE;
    struct error why;

    while (wait_initialized(m)) {
        if (run_session(m))
            pause = PAUSE_MIN_US;
        release(m);
        mutex_lock(&m->lock);
        bool is_failed = m->is_session_failed && !m->is_stopping;
        why = m->session_error;
        mutex_unlock(&m->lock);
        if (is_failed && !on_session_failed(m, &why, &last))
            break;
        if (!pause_for(m, pause))
            break;
        pause = pause * 2 < PAUSE_MAX_US ? pause * 2 : PAUSE_MAX_US;
    }
    move_to(m, MEDIATOR_STOPPED, "asked to stop");
    return NULL;
}

bool mediator_start(struct mediator *m, struct error *err)
{
    mutex_lock(&m->lock);
    m->is_stopping = false;
    m->role = MEDIATOR_UNINITIALIZED;
    snprintf(m->reason, sizeof(m->reason), "waiting for the initialisation");
    mutex_unlock(&m->lock);
    if (!thread_start(&m->control, "med-control", control_main, m, err))
        return false;
    m->is_started = true;
    return true;
}

void mediator_stop(struct mediator *m, int64_t deadline_us)
{
    if (!m->is_started)
        return;
    mutex_lock(&m->lock);
    m->is_stopping = true;
    m->stop_deadline_us = deadline_us;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    thread_join(&m->control);
    m->is_started = false;
}

void mediator_on_role(struct mediator *m, void (*fn)(void *ctx, enum mediator_role role), void *ctx)
{
    m->on_role = fn;
    m->on_role_ctx = ctx;
}

void mediator_status(struct mediator *m, struct mediator_status *out)
{
    memset(out, 0, sizeof(*out));
    mutex_lock(&m->lock);
    out->role = m->role;
    out->epoch = m->epoch;
    out->seen_ts = m->head.seen_ts;
    out->position_ts = m->head.position.is_set ? m->head.position.ts : INT64_MIN;
    out->in_flight = m->stats.n_open;
    out->unsequenced = m->stats.n_unsequenced;
    out->n_approved = m->stats.n_approved;
    out->n_rejected = m->stats.n_rejected;
    out->n_timed_out = m->stats.n_timed_out;
    out->n_expired = m->stats.n_expired;
    out->n_alarms = m->stats.n_alarms;
    out->is_connected = m->is_connected;
    snprintf(out->psid, sizeof(out->psid), "%s", m->psid);
    snprintf(out->reason, sizeof(out->reason), "%s", m->reason);
    mutex_unlock(&m->lock);
    if (out->seen_ts > INT64_MIN) {
        int64_t lag = clock_now_us() - out->seen_ts;
        out->lag_us = lag > 0 ? lag : 0;
    }
}
