/* participant.c: life and state. */
#include "participant/participant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "participant/participant_impl.h"
#include "rpc/tls.h"

#define SUBMIT_WINDOW_US (60 * US_PER_S)
#define MAX_IN_FLIGHT    10000
#define POOL_THREADS     4
#define POOL_QUEUE       10000

const char *participant_state_text(enum participant_state s)
{
    switch (s) {
    case PARTICIPANT_STARTING:
        return "starting";
    case PARTICIPANT_ONBOARDING:
        return "onboarding";
    case PARTICIPANT_CONNECTED:
        return "connected";
    case PARTICIPANT_DISCONNECTED:
        return "disconnected";
    case PARTICIPANT_FAILED:
        return "failed";
    case PARTICIPANT_STOPPED:
        break;
    }
    return "stopped";
}

void participant_set_state(struct participant *p, enum participant_state s, const char *reason)
{
    mutex_lock(&p->m);
    bool is_news = !p->is_failed && p->state != s;
    enum participant_state was = p->state;
    if (!p->is_failed) {
        p->state = s;
        snprintf(p->reason, sizeof(p->reason), "%s", reason);
    }
    cond_broadcast(&p->changed);
    mutex_unlock(&p->m);
    if (is_news)
        log_info(p->lg, "%s -> %s%s%s", participant_state_text(was), participant_state_text(s),
                 *reason ? ": " : "", reason);
}

void participant_fail(struct participant *p, const struct error *err, const char *what)
{
    char reason[256];

    mutex_lock(&p->m);
    bool is_news = !p->is_failed && !p->is_stopping;
    mutex_unlock(&p->m);
    if (!is_news)
        return;
    logger_error(p->lg, LOG_ERROR, err, what);
    snprintf(reason, sizeof(reason), "%s: %.200s", what, err->cause);
    participant_set_state(p, PARTICIPANT_FAILED, reason);
    mutex_lock(&p->m);
    p->is_failed = true;
    cond_broadcast(&p->changed);
    cond_broadcast(&p->commit_changed);
    cond_broadcast(&p->stream_changed);
    mutex_unlock(&p->m);
}

static bool copy_endpoints(struct participant *p, const struct participant_synchronizer *s,
                           struct error *err)
{
    p->alias = strdup(s->alias ? s->alias : "");
    p->endpoints = calloc(s->n_endpoints + 1, sizeof(*p->endpoints));
    if (!p->alias || !p->endpoints)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a participant");
    for (size_t i = 0; i < s->n_endpoints; i++) {
        p->endpoints[i] = strdup(s->endpoints[i]);
        if (!p->endpoints[i])
            return error_set(err, ERR_MEMORY, NULL, "no memory for a participant");
        p->n_endpoints++;
    }
    return true;
}

/* The strings are borrowed by the configuration until now: copied, as the house thread opens later.
 */
static bool copy_tls(struct participant *p, const struct rpc_tls_client *t, struct error *err)
{
    struct rpc_tls_client *c;

    if (!t)
        return true;
    c = calloc(1, sizeof(*c));
    if (!c)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a participant");
    c->trust_file = t->trust_file ? strdup(t->trust_file) : NULL;
    c->cert_chain_file = t->cert_chain_file ? strdup(t->cert_chain_file) : NULL;
    c->private_key_file = t->private_key_file ? strdup(t->private_key_file) : NULL;
    c->server_name = t->server_name ? strdup(t->server_name) : NULL;
    p->tls = c;
    return true;
}

static bool fill(struct participant *p, const struct participant_config *cfg, struct error *err)
{
    if (cfg->n_synchronizers != 1)
        return error_set(err, ERR_UNSUPPORTED, "configure one synchronizer",
                         "participant %s: exactly one synchronizer is supported, not %zu",
                         cfg->name, cfg->n_synchronizers);
    if (!uid_parse(cfg->uid, NULL, err) || !copy_endpoints(p, &cfg->synchronizers[0], err) ||
        !copy_tls(p, cfg->synchronizers[0].tls, err))
        return false;
    for (size_t i = 0; i < cfg->n_identity_txs; i++) {
        if (!signed_txs_add(&p->identity, cfg->identity_txs[i], err))
            return false;
    }
    snprintf(p->uid, sizeof(p->uid), "%s", cfg->uid);
    member_format(MEMBER_PARTICIPANT, p->uid, p->member);
    p->confirm = cfg->confirm;
    p->submit_window_us = cfg->submit_window_us > 0 ? cfg->submit_window_us : SUBMIT_WINDOW_US;
    p->max_in_flight = cfg->max_in_flight ? cfg->max_in_flight : MAX_IN_FLIGHT;
    p->loop = cfg->loop;
    p->state = PARTICIPANT_STOPPED;
    p->earliest_due = INT64_MAX;
    p->last_event_ts = INT64_MIN;
    p->acked_ts = INT64_MIN;
    return true;
}

bool participant_open(const struct participant_config *cfg, struct db *db, struct keyring *keys,
                      struct logger *lg, struct participant **out, struct error *err)
{
    struct participant *p = calloc(1, sizeof(*p));

    if (!p)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a participant");
    p->db = db;
    p->keys = keys;
    p->lg = lg;
    mutex_init(&p->m);
    cond_init(&p->changed);
    cond_init(&p->commit_changed);
    cond_init(&p->stream_changed);
    if (!fill(p, cfg, err) || !pool_open("ls-submit", POOL_THREADS, POOL_QUEUE, &p->pool, err)) {
        participant_close(p);
        return false;
    }
    *out = p;
    return true;
}

bool participant_start(struct participant *p, struct error *err)
{
    bool found;

    if (p->is_started)
        return error_set(err, ERR_REFUSED, NULL, "the participant runs already");
    if (!store_claim_position(p, &found, err) || !store_load(p, err))
        return false;
    p->is_started = true;
    participant_set_state(p, PARTICIPANT_STARTING, "waiting for a sequencer");
    bool ok = thread_start(&p->committer, "ls-commit", participant_commit_main, p, err) &&
              thread_start(&p->streamer, "ls-outcomes", participant_stream_main, p, err) &&
              thread_start(&p->house, "ls-participant", participant_house_main, p, err);
    if (!ok)
        participant_stop(p);
    return ok;
}

void participant_stop(struct participant *p)
{
    mutex_lock(&p->m);
    bool was_running = p->is_started && !p->is_stopping;
    p->is_stopping = true;
    struct client *c = p->client;
    cond_broadcast(&p->changed);
    cond_broadcast(&p->commit_changed);
    cond_broadcast(&p->stream_changed);
    mutex_unlock(&p->m);
    if (!was_running)
        return;
    if (c)
        client_stop(c);
    thread_join(&p->house);
    if (p->client)
        client_stop(p->client); /* it may have come meanwhile */
    thread_join(&p->committer);
    commands_release_waiters(p);
    thread_join(&p->streamer);
    mutex_lock(&p->m);
    p->state = PARTICIPANT_STOPPED;
    mutex_unlock(&p->m);
}

static void free_rows(struct participant *p)
{
    struct command *c, *c_tmp;
    struct pending *r, *r_tmp;

    HASH_ITER(by_id, p->by_id, c, c_tmp)
    {
        HASH_DELETE(by_id, p->by_id, c);
        HASH_DELETE(by_message, p->by_message, c);
        command_free(c);
    }
    HASH_ITER(hh, p->pending, r, r_tmp)
    {
        HASH_DEL(p->pending, r);
        pending_free(r);
    }
    while (p->head) {
        struct change *next = p->head->next;
        change_free(p->head);
        p->head = next;
    }
    for (size_t i = 0; i < RECENT_MAX; i++)
        buffer_free(&p->recent[i]);
}

void participant_close(struct participant *p)
{
    if (!p)
        return;
    participant_stop(p);
    pool_close(p->pool);
    client_close(p->client);
    free_rows(p);
    topology_close(p->topology);
    signed_txs_free(&p->identity);
    for (size_t i = 0; i < p->n_endpoints; i++)
        free(p->endpoints[i]);
    free(p->endpoints);
    free(p->alias);
    if (p->tls) {
        free((char *)p->tls->trust_file);
        free((char *)p->tls->cert_chain_file);
        free((char *)p->tls->private_key_file);
        free((char *)p->tls->server_name);
        free((struct rpc_tls_client *)p->tls);
    }
    cond_destroy(&p->stream_changed);
    cond_destroy(&p->commit_changed);
    cond_destroy(&p->changed);
    mutex_destroy(&p->m);
    free(p);
}

void participant_status(struct participant *p, struct participant_status *out)
{
    memset(out, 0, sizeof(*out));
    mutex_lock(&p->m);
    out->state = p->state;
    snprintf(out->reason, sizeof(out->reason), "%s", p->reason);
    snprintf(out->psid, sizeof(out->psid), "%s", p->psid);
    snprintf(out->endpoint, sizeof(out->endpoint), "%s", p->endpoint);
    out->position = p->committed.has_event ? p->committed.event_ts : INT64_MIN;
    out->last_offset = p->committed.outcome_id;
    out->commands_in_flight = (uint32_t)p->n_commands;
    out->requests_pending = (uint32_t)HASH_COUNT(p->pending);
    mutex_unlock(&p->m);
}
