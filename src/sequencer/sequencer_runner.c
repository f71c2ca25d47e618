/* sequencer_runner.c: the life of a replica: waits for its synchronizer, replays the log, serves,
 * stops. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "rpc/health.h"
#include "sequencer/replica.h"
#include "sequencer/service.h"
#include "storage/db.h"
#include "topology/snapshot.h"
#include "topology/topology.h"

#define INIT_POLL_US    200000
#define COMPUTE_THREADS 2
#define QUERY_THREADS   4
#define WORK_QUEUE_MAX  4096

void sequencer_config_default(struct sequencer_config *cfg)
{
    *cfg = (struct sequencer_config){
        .total_node_count = SEQUENCER_NODES_DEFAULT,
        .beat_us = 250 * US_PER_MS,
        .expiry_us = US_PER_S,
        .poll_us = 15 * US_PER_MS,
        .max_clock_skew_us = 500 * US_PER_MS,
        .queue_max = 4096,
        .queue_bytes_max = (size_t)64 << 20,
        .batch_max = 256,
        .batch_bytes_max = (size_t)8 << 20,
        .window_bytes_max = (size_t)16 << 20,
        .subscriptions_per_member = 5,
        .token_life_us = 3600 * US_PER_S,
        .nonce_life_us = 60 * US_PER_S,
    };
}

const char *sequencer_state_text(enum sequencer_state state)
{
    switch (state) {
    case SEQUENCER_STOPPED:
        return "stopped";
    case SEQUENCER_UNINITIALIZED:
        return "uninitialized";
    case SEQUENCER_CATCHING_UP:
        return "catching-up";
    case SEQUENCER_OFFLINE:
        return "offline";
    case SEQUENCER_ACTIVE:
        return "active";
    case SEQUENCER_FAILED:
        return "failed";
    }
    return "unknown";
}

static bool check_config(const struct sequencer_config *cfg, struct error *err)
{
    if (!cfg->name || !cfg->uid || !uid_parse(cfg->uid, NULL, NULL))
        return error_set(err, ERR_CONFIG, NULL, "a sequencer needs a name and a uid");
    if (cfg->total_node_count < 1 || cfg->total_node_count > SEQUENCER_NODES_MAX)
        return error_set(err, ERR_CONFIG, NULL, "total-node-count is %d, not 1 to %d",
                         cfg->total_node_count, SEQUENCER_NODES_MAX);
    if (cfg->beat_us < 1000 || cfg->expiry_us < 3 * cfg->beat_us || cfg->poll_us < 1000)
        return error_set(err, ERR_CONFIG, "set the expiry to 3 beats or more",
                         "beat %lld us, expiry %lld us, poll %lld us do not fit",
                         (long long)cfg->beat_us, (long long)cfg->expiry_us,
                         (long long)cfg->poll_us);
    if (cfg->queue_max < 1 || cfg->batch_max < 1 || cfg->subscriptions_per_member < 1)
        return error_set(err, ERR_CONFIG, NULL, "queue, batch and subscriptions are at least 1");
    return true;
}

/* ---- what the tailer drives ---- */

static void count(struct sequencer *seq, const struct outcome *o)
{
    seq->delivered += o->kind == OUTCOME_DELIVER;
    seq->rejected += o->kind == OUTCOME_REJECT;
    seq->discarded += o->kind == OUTCOME_DISCARD;
    seq->receipts += o->kind == OUTCOME_RECEIPT;
}

static const char *kind_text(enum outcome_kind kind)
{
    switch (kind) {
    case OUTCOME_DELIVER:
        return "delivery";
    case OUTCOME_RECEIPT:
        return "receipt";
    case OUTCOME_REJECT:
        return "rejection";
    case OUTCOME_DISCARD:
        return "discard";
    case OUTCOME_NOTHING:
        break;
    }
    return "entry";
}

static bool on_entry(void *ctx, const struct entry *e, struct error *err)
{
    struct sequencer *seq = ctx;
    char trace[33];
    struct outcome *o = NULL;

    mutex_lock(&seq->state);
    bool ok = apply_entry(&seq->apply, e, &o, err) && index_add(seq->index, o, err);
    if (ok) {
        count(seq, o);
        seq->safe_ts = e->ts; /* below the frontier, and nothing comes before it any more */
    }
    mutex_unlock(&seq->state);
    if (ok && !o->why && logger_is_on(seq->lg, LOG_DEBUG))
        logger_write(seq->lg, LOG_DEBUG, ERR_NONE, logger_trace(o->traceparent, trace),
                     "%s of %s at %lld", kind_text(o->kind), o->sender ? o->sender : "?",
                     (long long)o->ts);
    if (ok && o->why)
        logger_write(seq->lg, o->is_alarm ? LOG_WARN : LOG_INFO,
                     o->is_alarm ? ERR_REFUSED : ERR_NONE, logger_trace(o->traceparent, trace),
                     "%s of %s at %lld: %s",
                     o->kind == OUTCOME_DISCARD ? "discarded request" : "rejected request",
                     o->sender ? o->sender : "?", (long long)o->ts, o->why);
    if (ok)
        delivery_wake(seq->delivery, o);
    outcome_unref(o);
    return ok;
}

static void set_health(struct sequencer *seq, bool is_serving)
{
    const char *const names[] = {"", SEQUENCER_HEALTH_SERVICE};
    struct error err;

    for (size_t i = 0; seq->health && i < 2; i++) {
        if (!health_set(seq->health, names[i], is_serving ? HEALTH_SERVING : HEALTH_NOT_SERVING,
                        &err))
            logger_error(seq->lg, LOG_WARN, &err, "health");
    }
}

/* Compares what is so with what was said, and says it. */
static void update_health(struct sequencer *seq)
{
    struct writer_status w;

    writer_status(seq->writer, &w);
    mutex_lock(&seq->state);
    bool is_serving = seq->is_initialized && seq->is_caught_up && !seq->is_stopping &&
                      !seq->has_failed && w.node_index >= 0;
    bool is_new = is_serving != seq->is_serving;
    seq->is_serving = is_serving;
    mutex_unlock(&seq->state);
    if (!is_new)
        return;
    set_health(seq, is_serving);
    if (is_serving)
        log_info(seq->lg, "active: serves as node index %d", w.node_index);
    else
        log_info(seq->lg, "active -> offline: %s", w.reason[0] ? w.reason : "stopping");
}

static void on_advanced(void *ctx, int64_t safe_ts, int nodes)
{
    struct sequencer *seq = ctx;
    uint8_t digest[32];
    int64_t applied_ts;

    mutex_lock(&seq->state);
    if (safe_ts > seq->safe_ts)
        seq->safe_ts = safe_ts;
    seq->online_nodes = nodes;
    if (topology_sequenced_until(seq->topo) < seq->safe_ts)
        topology_observe(seq->topo, seq->safe_ts);
    if (!seq->is_caught_up)
        log_info(seq->lg, "log replayed up to %lld", (long long)seq->apply.applied_ts);
    seq->is_caught_up = true;
    applied_ts = seq->apply.applied_ts;
    memcpy(digest, seq->apply.digest, sizeof digest);
    mutex_unlock(&seq->state);
    writer_publish(seq->writer, applied_ts, digest);
    update_health(seq);
}

static bool on_members(void *ctx, struct error *err)
{
    return members_reload(((struct sequencer *)ctx)->members, err);
}

static int64_t on_tick_due(void *ctx)
{
    struct sequencer *seq = ctx;

    mutex_lock(&seq->state);
    int64_t due = apply_tick_due(&seq->apply);
    mutex_unlock(&seq->state);
    return due;
}

static void on_health(void *ctx, const struct error *err)
{
    struct sequencer *seq = ctx;

    if (err)
        logger_error(seq->lg, LOG_WARN, err, "cannot read the log");
    else
        log_info(seq->lg, "the log can be read again");
    update_health(seq);
}

static void fail(struct sequencer *seq, const struct error *err)
{
    logger_error(seq->lg, LOG_ERROR, err, "failed");
    mutex_lock(&seq->state);
    seq->has_failed = true;
    snprintf(seq->reason, sizeof seq->reason, "%.255s", err->cause);
    mutex_unlock(&seq->state);
    set_health(seq, false);
    delivery_disconnect_all(seq->delivery, "this replica has failed");
    writer_retire(seq->writer); /* a node that nobody reads for would hold the others back */
}

static void on_failed(void *ctx, const struct error *err)
{
    fail(ctx, err);
}

/* ---- open and close ---- */

static bool open_parts(struct sequencer *seq, struct error *err)
{
    struct tail_events ev = {on_entry,  on_advanced, on_members, on_tick_due,
                             on_health, on_failed,   seq};

    return pool_open("seq-compute", COMPUTE_THREADS, WORK_QUEUE_MAX, &seq->compute, err) &&
           pool_open("seq-query", QUERY_THREADS, WORK_QUEUE_MAX, &seq->query, err) &&
           members_open(seq->db, &seq->members, err) && delivery_open(seq, &seq->delivery, err) &&
           index_open(seq->cfg.window_bytes_max, &seq->index, err) &&
           rates_open(&seq->rates, err) &&
           tailer_open(&seq->cfg, seq->db, seq->lg, &ev, &seq->tail, err) &&
           writer_open(&seq->cfg, seq->db, seq->lg, seq->tail, &seq->writer, err);
}

bool sequencer_open(const struct sequencer_config *cfg, struct db *db, struct keyring *keys,
                    struct logger *lg, struct sequencer **out, struct error *err)
{
    struct sequencer *seq;

    if (!check_config(cfg, err))
        return false;
    seq = calloc(1, sizeof *seq);
    if (!seq)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a sequencer");
    mutex_init(&seq->state);
    cond_init(&seq->changed);
    seq->cfg = *cfg;
    seq->name = strdup(cfg->name);
    seq->uid = strdup(cfg->uid);
    seq->cfg.name = seq->name;
    seq->cfg.uid = seq->uid;
    seq->db = db;
    seq->keys = keys;
    seq->lg = logger_child(lg, "sequencer", cfg->name);
    if (seq->uid)
        member_format(MEMBER_SEQUENCER, seq->uid, seq->member);
    if (!seq->name || !seq->uid || !open_parts(seq, err)) {
        sequencer_close(seq);
        return seq->uid ? false : error_set(err, ERR_MEMORY, NULL, "no memory for a sequencer");
    }
    *out = seq;
    return true;
}

void sequencer_close(struct sequencer *seq)
{
    if (!seq)
        return;
    sequencer_stop(seq);
    writer_close(seq->writer);
    tailer_close(seq->tail);
    pool_close(seq->compute);
    pool_close(seq->query);
    delivery_close(seq->delivery);
    members_close(seq->members);
    apply_close(&seq->apply);
    index_close(seq->index);
    rates_close(seq->rates);
    topology_close(seq->topo);
    synchronizer_free(&seq->sync);
    logger_close(seq->lg);
    cond_destroy(&seq->changed);
    mutex_destroy(&seq->state);
    free(seq->name);
    free(seq->uid);
    free(seq);
}

bool sequencer_register(struct sequencer *seq, struct rpc_server *server, struct health *health,
                        struct error *err)
{
    seq->health = health;
    set_health(seq, false);
    return submission_service_register(seq, server, err) &&
           subscription_service_register(seq, server, err) &&
           connect_service_register(seq, server, err) &&
           authentication_service_register(seq, server, err) &&
           download_service_register(seq, server, err);
}

/* ---- initialisation ---- */

/* A topology as the synchronizer's row has it. */
static bool load_topology(const struct synchronizer *s, struct topology **out, struct error *err)
{
    struct static_parameters params;
    struct topology_items items = {0};
    bool ok;

    if (!static_parameters_parse(buffer_bytes(&s->static_params), &params, err) ||
        !topology_open(s->psid, &params, out, err))
        return error_add(err, "static parameters");
    ok = topology_items_from_file(buffer_bytes(&s->genesis), &items, err) &&
         topology_load(*out, &items, err);
    topology_items_free(&items);
    if (!ok) {
        topology_close(*out);
        *out = NULL;
        return error_add(err, "genesis");
    }
    return true;
}

/* What is there after all: the same synchronizer? */
static bool compare_with_row(struct sequencer *seq, const struct synchronizer *want,
                             bool *was_there, struct error *err)
{
    struct synchronizer is = {0};
    bool found = false;

    if (!synchronizer_store_read(seq->db, &is, &found, err))
        return false;
    *was_there = found;
    bool same = found && strcmp(is.psid, want->psid) == 0 &&
                strcmp(is.sequencer_uid, want->sequencer_uid) == 0;
    if (found && !same)
        (void)error_set(err, ERR_REFUSED, "use another database or schema",
                        "the database belongs to %s of %s", is.sequencer_uid, is.psid);
    synchronizer_free(&is);
    return !found || same;
}

static bool write_synchronizer(struct sequencer *seq, const struct synchronizer *s, bool *was_there,
                               struct error *err)
{
    if (!compare_with_row(seq, s, was_there, err))
        return false;
    if (*was_there)
        return true;
    if (synchronizer_store_write(seq->db, s, err))
        return true;
    if (err->code != ERR_DUPLICATE && err->code != ERR_UNKNOWN_OUTCOME)
        return false;
    struct error again;
    if (!compare_with_row(seq, s, was_there, &again)) {
        *err = again;
        return false;
    }
    return *was_there;
}

bool sequencer_initialize(struct sequencer *seq, const char *psid, struct bytes genesis,
                          struct bytes static_params, bool *was_there, struct error *err)
{
    struct synchronizer s = {.total_node_count = seq->cfg.total_node_count};
    struct topology *topo = NULL;
    bool there = false, ok = false;
    int64_t now = clock_now_us();

    s.start_ts = now - now % s.total_node_count;
    s.psid = strdup(psid);
    s.sequencer_uid = strdup(seq->uid);
    random_bytes(s.token_key, sizeof s.token_key);
    buffer_append_bytes(&s.static_params, static_params);
    buffer_append_bytes(&s.genesis, genesis);
    if (!s.psid || !s.sequencer_uid) {
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for the synchronizer");
        goto out;
    }
    if (!buffer_ok(&s.static_params, err) || !buffer_ok(&s.genesis, err) ||
        !load_topology(&s, &topo, err))
        goto out;
    if (!topology_member_known(topo, topology_head(topo), seq->member)) {
        (void)error_set(err, ERR_MALFORMED, NULL, "the genesis does not know %s", seq->member);
        goto out;
    }
    ok = write_synchronizer(seq, &s, &there, err);
    if (ok && !there)
        log_info(seq->lg, "initialised %s", psid);
    if (was_there)
        *was_there = there;
out:
    topology_close(topo);
    synchronizer_free(&s);
    mutex_lock(&seq->state);
    cond_broadcast(&seq->changed); /* the starter looks at once */
    mutex_unlock(&seq->state);
    return ok;
}

/* ---- start and stop ---- */

static bool adopt(struct sequencer *seq, struct synchronizer *s, struct error *err)
{
    struct topology *topo = NULL;

    if (strcmp(s->sequencer_uid, seq->uid) != 0)
        return error_set(err, ERR_CONFIG, "give each sequencer a database or schema of its own",
                         "the database belongs to %s, this is %s", s->sequencer_uid, seq->uid);
    if (s->total_node_count != seq->cfg.total_node_count)
        return error_set(err, ERR_CONFIG,
                         "set high-availability.total-node-count as it was at initialisation",
                         "total-node-count is %d here and %d in the database",
                         seq->cfg.total_node_count, s->total_node_count);
    if (!load_topology(s, &topo, err))
        return false;
    mutex_lock(&seq->state);
    seq->sync = *s;
    memset(s, 0, sizeof *s);
    seq->topo = topo;
    bool ok =
        apply_open(&seq->apply, topo, seq->sync.psid, seq->member, seq->sync.start_ts - 1, err);
    seq->safe_ts = seq->sync.start_ts - 1;
    seq->is_initialized = ok;
    mutex_unlock(&seq->state);
    return ok && members_reload(seq->members, err) &&
           tailer_start(seq->tail, seq->writer, seq->sync.start_ts - 1, seq->sync.start_ts, err) &&
           writer_start(seq->writer, seq->sync.start_ts, err);
}

/* Waits for the synchronizer's row, then starts the rest. */
static void *run_starter(void *ctx)
{
    struct sequencer *seq = ctx;
    bool is_reported = false;

    for (;;) {
        struct synchronizer s = {0};
        struct error err;
        bool found = false;

        mutex_lock(&seq->state);
        bool is_stopping = seq->is_stopping;
        mutex_unlock(&seq->state);
        if (is_stopping)
            return NULL;
        if (synchronizer_store_read(seq->db, &s, &found, &err)) {
            is_reported = false;
            if (found) {
                if (!adopt(seq, &s, &err))
                    fail(seq, &err);
                synchronizer_free(&s);
                return NULL;
            }
        } else if (!is_reported) {
            logger_error(seq->lg, LOG_WARN, &err, "cannot read the synchronizer");
            is_reported = true;
        }
        mutex_lock(&seq->state);
        if (!seq->is_stopping)
            (void)cond_wait_until(&seq->changed, &seq->state, clock_mono_us() + INIT_POLL_US);
        mutex_unlock(&seq->state);
    }
}

bool sequencer_start(struct sequencer *seq, struct error *err)
{
    mutex_lock(&seq->state);
    bool was_running = seq->is_running;
    seq->is_running = true;
    mutex_unlock(&seq->state);
    if (was_running)
        return error_set(err, ERR_INTERNAL, NULL, "a sequencer is started once");
    return delivery_start(seq->delivery, err) &&
           thread_start(&seq->starter, "seq-start", run_starter, seq, err);
}

void sequencer_stop(struct sequencer *seq)
{
    mutex_lock(&seq->state);
    bool was_stopping = seq->is_stopping || !seq->is_running;
    seq->is_stopping = true;
    cond_broadcast(&seq->changed);
    mutex_unlock(&seq->state);
    if (was_stopping)
        return;
    set_health(seq, false);
    thread_join(&seq->starter);
    writer_stop(seq->writer);
    tailer_stop(seq->tail);
    delivery_stop(seq->delivery);
    mutex_lock(&seq->state);
    seq->is_running = false;
    mutex_unlock(&seq->state);
}

/* ---- questions ---- */

bool replica_is_serving(struct sequencer *seq)
{
    mutex_lock(&seq->state);
    bool yes = seq->is_initialized && seq->is_caught_up && !seq->is_stopping && !seq->has_failed;
    mutex_unlock(&seq->state);
    return yes;
}

int64_t replica_now(struct sequencer *seq)
{
    int64_t clock = clock_now_us();

    mutex_lock(&seq->state);
    int64_t now = clock > seq->safe_ts ? clock : seq->safe_ts + 1;
    mutex_unlock(&seq->state);
    return now;
}

void sequencer_status(struct sequencer *seq, struct sequencer_status *out)
{
    struct writer_status w;

    memset(out, 0, sizeof *out);
    writer_status(seq->writer, &w);
    mutex_lock(&seq->state);
    snprintf(out->psid, sizeof out->psid, "%s", seq->sync.psid ? seq->sync.psid : "");
    snprintf(out->reason, sizeof out->reason, "%s", seq->reason);
    if (!seq->is_running)
        out->state = SEQUENCER_STOPPED;
    else if (seq->has_failed)
        out->state = SEQUENCER_FAILED;
    else if (!seq->is_initialized)
        out->state = SEQUENCER_UNINITIALIZED;
    else if (!seq->is_caught_up)
        out->state = SEQUENCER_CATCHING_UP;
    else
        out->state = w.node_index >= 0 ? SEQUENCER_ACTIVE : SEQUENCER_OFFLINE;
    if (out->state == SEQUENCER_UNINITIALIZED)
        snprintf(out->reason, sizeof out->reason, "waits for the synchronizer to be initialised");
    else if (out->state == SEQUENCER_OFFLINE || out->state == SEQUENCER_ACTIVE)
        snprintf(out->reason, sizeof out->reason, "%s", w.reason);
    out->safe_ts = seq->safe_ts;
    out->applied_ts = seq->apply.applied_ts;
    memcpy(out->digest, seq->apply.digest, sizeof out->digest);
    out->online_nodes = seq->online_nodes;
    out->delivered = seq->delivered;
    out->rejected = seq->rejected;
    out->discarded = seq->discarded;
    out->receipts = seq->receipts;
    mutex_unlock(&seq->state);
    out->node_index = w.node_index;
    out->watermark = w.watermark;
    out->accepted = w.accepted;
    out->committed = w.committed;
    out->batches = w.batches;
    out->refused = w.refused;
    out->overloaded = w.overloaded;
    out->queued = w.queued;
    out->subscriptions = delivery_count(seq->delivery);
}

void sequencer_connected_members(struct sequencer *seq, void (*fn)(void *ctx, const char *member),
                                 void *ctx)
{
    delivery_members(seq->delivery, fn, ctx);
}

bool sequencer_with_topology(struct sequencer *seq,
                             void (*fn)(void *ctx, const struct topology *topo, int64_t ts),
                             void *ctx)
{
    mutex_lock(&seq->state);
    bool ok = seq->is_initialized;
    if (ok)
        fn(ctx, seq->topo, seq->safe_ts + 1);
    mutex_unlock(&seq->state);
    return ok;
}
