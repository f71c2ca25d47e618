/* participant_runner.c: the house thread. It brings the participant from nothing to a running
 * subscription, then keeps time: time proofs when something is due and nothing comes, and
 * acknowledgements. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/backoff.h"
#include "participant/participant_impl.h"
#include "wire/versioned.h"

#define INFO_WAIT_US    US_PER_S
#define ACTIVE_POLL_US  (50 * US_PER_MS)
#define ACTIVE_WAIT_US  (10 * US_PER_S) /* then the identity is handed in again */
#define DOWNLOAD_US     (60 * US_PER_S)
#define TURN_US         (250 * US_PER_MS)
#define PROOF_LATE_US   (250 * US_PER_MS) /* behind a deadline by the own clock */
#define PROOF_SILENT_US (500 * US_PER_MS) /* and nothing came for so long */
#define ACK_US          (60 * US_PER_S)

/* False: stopping. */
static bool rest(struct participant *p, int64_t us)
{
    int64_t until = clock_mono_us() + us;

    mutex_lock(&p->m);
    while (!p->is_stopping && !p->is_failed && cond_wait_until(&p->changed, &p->m, until))
        ;
    bool ok = !p->is_stopping && !p->is_failed;
    mutex_unlock(&p->m);
    return ok;
}

void participant_on_state(void *ctx, const struct client_state *s)
{
    struct participant *p = ctx;
    struct error err;

    mutex_lock(&p->m);
    if (s->kind == CLIENT_DISCONNECTED && p->state == PARTICIPANT_CONNECTED) {
        memmove(&p->outages[1], &p->outages[0], sizeof(p->outages[0]) * (OUTAGES_MAX - 1));
        memset(&p->outages[0], 0, sizeof(p->outages[0]));
        p->n_outages += p->n_outages < OUTAGES_MAX;
        p->outages[0].from_at = s->since_at;
        snprintf(p->outages[0].lost, sizeof(p->outages[0].lost), "%s", s->endpoint);
        snprintf(p->outages[0].reason, sizeof(p->outages[0].reason), "%s", s->reason);
    }
    if (s->kind == CLIENT_CONNECTED) {
        if (p->n_outages && !p->outages[0].to_at) {
            p->outages[0].to_at = s->since_at;
            snprintf(p->outages[0].found, sizeof(p->outages[0].found), "%s", s->endpoint);
        }
        snprintf(p->endpoint, sizeof(p->endpoint), "%s", s->endpoint);
    } else {
        p->endpoint[0] = '\0';
    }
    mutex_unlock(&p->m);
    if (s->kind == CLIENT_FAILED) {
        error_set(&err, s->code, NULL, "%s", s->reason);
        participant_fail(p, &err, "its stream is over");
    } else {
        participant_set_state(
            p, s->kind == CLIENT_CONNECTED ? PARTICIPANT_CONNECTED : PARTICIPANT_DISCONNECTED,
            s->reason);
    }
}

/* Waits for a sequencer, for ever. */
static bool wait_info(struct participant *p, struct client_info *info)
{
    struct error err;

    while (!client_wait_info(p->client, clock_mono_us() + INFO_WAIT_US, info, &err)) {
        if (err.code == ERR_UNAVAILABLE) {
            participant_fail(p, &err, "no endpoint can be used");
            return false;
        }
        participant_set_state(p, PARTICIPANT_STARTING, err.cause);
        if (!rest(p, 0))
            return false;
    }
    return true;
}

/* Namespace and keys, and the trust certificate for this synchronizer, as plain messages. */
static bool register_identity(struct participant *p, const char *psid, struct error *err)
{
    struct signed_txs txs = {0};
    struct bytes plain[8];
    char synchronizer[UID_TEXT_SIZE];
    bool ok = psid_logical(psid, synchronizer, err);

    for (size_t i = 0; ok && i < p->identity.n; i++)
        ok = signed_txs_add(&txs, buffer_bytes(&p->identity.at[i]), err);
    ok = ok && identity_trust(p->keys, namespace_of(p->uid), p->uid, synchronizer, &txs, err);
    if (ok && txs.n > 8)
        ok = error_set(err, ERR_CONFIG, NULL, "too many identity transactions");
    for (size_t i = 0; ok && i < txs.n; i++)
        ok = versioned_unwrap(buffer_bytes(&txs.at[i]), VERSIONED_V30, &plain[i], NULL, err);
    ok = ok && client_register_onboarding(p->client, plain, txs.n, err);
    signed_txs_free(&txs);
    return ok;
}

/* Registers where that is needed, and waits until the sequencer calls us active. */
static bool onboard(struct participant *p, const char *psid)
{
    int64_t again_at = 0;
    bool is_active = false;
    struct error err;

    for (;;) {
        if (!client_verify_active(p->client, &is_active, &err)) {
            participant_set_state(p, PARTICIPANT_ONBOARDING, err.cause);
        } else if (is_active) {
            return true;
        } else if (clock_mono_us() >= again_at) {
            again_at = clock_mono_us() + ACTIVE_WAIT_US;
            if (register_identity(p, psid, &err)) {
                log_info(p->lg, "handed in the identity of %s", p->uid);
            } else {
                logger_error(p->lg, LOG_WARN, &err, "the identity was not taken");
                participant_set_state(p, PARTICIPANT_ONBOARDING, err.cause);
            }
        }
        if (!rest(p, ACTIVE_POLL_US))
            return false;
    }
}

static bool on_chunk(void *ctx, struct bytes message, struct error *err)
{
    return topology_items_from_message(message, ctx, err);
}

/* The topology to start from, checked: its hash, and every transaction again. */
static bool download(struct participant *p, const struct client_info *info,
                     const struct static_parameters *s, struct error *err)
{
    struct topology_items items = {0};
    struct topology *t = NULL;
    struct buffer file = BUFFER_INIT;
    struct hash stated, computed;
    bool ok = client_download_topology(p->client, clock_mono_us() + DOWNLOAD_US, on_chunk, &items,
                                       &stated, err) &&
              topology_items_hash(&items, &computed, err);

    if (ok && !hash_equal(&stated, &computed))
        ok = error_set(err, ERR_FORK, NULL,
                       "the topology that came has not the hash that was stated");
    ok = ok && topology_open(info->psid, s, &t, err) && topology_load(t, &items, err) &&
         topology_items_to_file(&items, &file, err) &&
         store_begin(p, info->psid, info->sequencer_uid, buffer_bytes(&file), err);
    topology_items_free(&items);
    buffer_free(&file);
    if (!ok) {
        topology_close(t);
        return false;
    }
    mutex_lock(&p->m);
    p->topology = t;
    snprintf(p->psid, sizeof(p->psid), "%s", info->psid);
    member_format(MEMBER_SEQUENCER, info->sequencer_uid, p->sequencer);
    mutex_unlock(&p->m);
    return true;
}

static bool join(struct participant *p, const struct client_info *info,
                 const struct static_parameters *s)
{
    struct backoff backoff = BACKOFF_INIT;
    struct error err;

    participant_set_state(p, PARTICIPANT_ONBOARDING, "registering");
    if (!onboard(p, info->psid))
        return false;
    while (!download(p, info, s, &err)) {
        participant_set_state(p, PARTICIPANT_ONBOARDING, err.cause);
        logger_error(p->lg, LOG_WARN, &err, "the topology cannot be loaded yet");
        if (!rest(p, backoff_next(&backoff)))
            return false;
    }
    return true;
}

/* What was loaded and not known to be accepted is sent again: same bytes, no double. */
static void send_again(struct participant *p)
{
    struct command *c, *tmp;
    char(*ids)[COMMAND_ID_MAX + 1];
    size_t n = 0;

    mutex_lock(&p->m);
    ids = calloc(p->n_commands + 1, sizeof(*ids));
    HASH_ITER(by_id, p->by_id, c, tmp)
    {
        if (ids && c->state == COMMAND_SENDING)
            memcpy(ids[n++], c->id, sizeof(*ids));
    }
    mutex_unlock(&p->m);
    for (size_t i = 0; i < n; i++)
        command_send(p, ids[i]);
    free(ids);
}

static bool subscribe(struct participant *p, struct error *err)
{
    struct client_callbacks cb = {.ctx = p,
                                  .verify = participant_verify,
                                  .event = participant_on_event,
                                  .state = participant_on_state};
    struct client_position from = {
        .is_set = p->committed.has_event, .ts = p->committed.event_ts, .hash = p->committed.hash};

    return client_subscribe(p->client, &from, &cb, err);
}

static bool connect(struct participant *p)
{
    struct client_config cfg = {.loop = p->loop,
                                .endpoints = (const char *const *)p->endpoints,
                                .n_endpoints = p->n_endpoints,
                                .tls = p->tls,
                                .member = p->member,
                                .psid = p->psid[0] ? p->psid : NULL,
                                .keys = p->keys,
                                .logger = p->lg};
    struct static_parameters s;
    struct client_info info;
    struct client *c;
    struct error err;
    bool found = p->psid[0];

    if (!client_open(&cfg, &c, &err)) {
        participant_fail(p, &err, "it cannot connect");
        return false;
    }
    mutex_lock(&p->m);
    p->client = c;
    mutex_unlock(&p->m);
    if (!wait_info(p, &info))
        return false;
    bool ok = static_parameters_parse(buffer_bytes(&info.static_params), &s, &err) &&
              (!found || store_load_topology(p, &s, &found, &err));
    if (ok && !found)
        ok = join(p, &info, &s);
    else if (!ok)
        participant_fail(p, &err, "it cannot start from what is stored");
    buffer_free(&info.static_params);
    if (ok && !subscribe(p, &err)) {
        participant_fail(p, &err, "it cannot subscribe");
        ok = false;
    }
    if (ok) {
        send_again(p);
        participant_respond_again(p);
    }
    return ok;
}

/* Something is due by the own clock and nothing came for a while: ask for an event. */
static bool proof_is_due(struct participant *p)
{
    mutex_lock(&p->m);
    bool is_due = p->state == PARTICIPANT_CONNECTED &&
                  p->earliest_due < clock_now_us() - PROOF_LATE_US &&
                  p->last_event_mono < clock_mono_us() - PROOF_SILENT_US;
    mutex_unlock(&p->m);
    return is_due;
}

static void acknowledge(struct participant *p)
{
    struct error err;

    mutex_lock(&p->m);
    int64_t ts = p->committed.has_event ? p->committed.event_ts : INT64_MIN;
    bool is_due = ts > p->acked_ts && p->state == PARTICIPANT_CONNECTED;
    mutex_unlock(&p->m);
    if (!is_due)
        return;
    if (client_ack(p->client, ts, &err))
        p->acked_ts = ts;
    else
        logger_error(p->lg, LOG_DEBUG, &err, "an acknowledgement was not taken");
}

void *participant_house_main(void *ctx)
{
    struct participant *p = ctx;
    int64_t ack_at;

    if (!connect(p))
        return NULL;
    ack_at = clock_mono_us() + ACK_US;
    while (rest(p, TURN_US)) {
        if (proof_is_due(p))
            client_time_proof(p->client);
        if (clock_mono_us() >= ack_at) {
            acknowledge(p);
            ack_at = clock_mono_us() + ACK_US;
        }
    }
    return NULL;
}
