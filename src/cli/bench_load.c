/* bench_load.c: see bench_load.h. A command is a slot; its id names run, slot and use, so that an
 * outcome of another run, or one that comes twice, is not taken for ours. */
#include "cli/bench_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"
#include "lockstep_participant_v1.pb-c.h"
#include "wire/precheck.h"

#define SERVICE     "/lockstep.participant.v1.ParticipantService/"
#define CALL_US     (30 * US_PER_S)
#define CONNECT_US  (10 * US_PER_S)
#define BACKOFF_US  (5 * US_PER_MS) /* after a refusal */
#define PROGRESS_US US_PER_S
enum { SLOTS_BITS = 6 };

struct load;

struct slot {
    struct load *load;
    int64_t due_at; /* monotonic */
    uint64_t use;
    bool is_open;
    uint32_t next_free;
};

struct peer {
    struct load *load;
    struct rpc_channel *channel;
    struct rpc_stream *outcomes;
    char *uid;
    int64_t last_offset;
};

struct load {
    const struct load_config *cfg;
    uint32_t run;
    struct rpc_loop *loop;
    struct peer peers[LOAD_PARTICIPANTS_MAX];
    uint8_t *payload;
    struct mutex lock;
    struct cond changed;
    struct slot *slots;
    uint32_t free;   /* first free slot, open_max: none */
    int64_t last_at; /* of the last outcome */
    int64_t pause_until;
    bool is_broken; /* a stream of outcomes has ended */
    struct load_result *out;
};

/* --- the histogram -----------------------------------------------------------------------------
 */

static size_t bucket_of(int64_t us)
{
    uint64_t v = us < 0 ? 0 : (uint64_t)us;
    unsigned bits = v ? 64 - (unsigned)__builtin_clzll(v) : 0;

    if (bits <= SLOTS_BITS)
        return (size_t)v;
    size_t b = (size_t)(bits - SLOTS_BITS) * HISTOGRAM_SUB / 2 + (size_t)(v >> (bits - SLOTS_BITS));
    return b < HISTOGRAM_N ? b : HISTOGRAM_N - 1;
}

/* The largest value of a bucket. */
static int64_t bucket_top(size_t b)
{
    if (b < HISTOGRAM_SUB)
        return (int64_t)b;
    size_t shift = (b - HISTOGRAM_SUB / 2) / (HISTOGRAM_SUB / 2);
    size_t sub = b - shift * (HISTOGRAM_SUB / 2);
    return (int64_t)((((uint64_t)sub + 1) << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t us)
{
    h->count[bucket_of(us)]++;
    h->n++;
    h->sum_us += (double)us;
    if (us > h->max_us)
        h->max_us = us;
}

int64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t want = (uint64_t)(q * (double)h->n + 0.999999), seen = 0;

    if (h->n == 0)
        return 0;
    if (want < 1)
        want = 1;
    for (size_t b = 0; b < HISTOGRAM_N; b++) {
        seen += h->count[b];
        if (seen >= want)
            return bucket_top(b) < h->max_us ? bucket_top(b) : h->max_us;
    }
    return h->max_us;
}

/* --- slots -------------------------------------------------------------------------------------
 */

static void slot_free(struct load *l, struct slot *s)
{
    s->is_open = false;
    s->use++;
    s->next_free = l->free;
    l->free = (uint32_t)(s - l->slots);
    l->out->count.open--;
    cond_signal(&l->changed);
}

/* The open slot that a command id names, else NULL. REQUIRES lock. */
static struct slot *slot_of(struct load *l, const char *command_id)
{
    uint32_t run, index;
    uint64_t use;

    if (sscanf(command_id, "bench-%" SCNx32 "-%" SCNu32 "-%" SCNu64, &run, &index, &use) != 3 ||
        run != l->run || index >= (uint32_t)l->cfg->open_max)
        return NULL;
    struct slot *s = &l->slots[index];
    return s->is_open && s->use == use ? s : NULL;
}

/* --- callbacks of rpc/ -------------------------------------------------------------------------
 */

static void on_outcome(struct load *l, const Part__OutcomesResponse *r)
{
    int64_t now = clock_mono_us();

    mutex_lock(&l->lock);
    struct slot *s = slot_of(l, r->command_id);
    if (s) {
        l->last_at = now;
        if (r->verdict == PART__VERDICT__VERDICT_COMMITTED) {
            l->out->count.committed++;
            histogram_add(&l->out->latency, now - s->due_at);
        } else if (r->verdict == PART__VERDICT__VERDICT_TIMED_OUT) {
            l->out->count.timed_out++;
        } else {
            l->out->count.rejected++;
        }
        slot_free(l, s);
    }
    mutex_unlock(&l->lock);
}

static void on_message(void *ctx, struct bytes message)
{
    struct peer *p = ctx;
    struct error err;
    Part__OutcomesResponse *r = wire_unpack(&part__outcomes_response__descriptor, message, &err);

    if (r)
        on_outcome(p->load, r);
    wire_message_free(r);
    mutex_lock(&p->load->lock); /* the first message may be faster than the opener */
    struct rpc_stream *outcomes = p->outcomes;
    mutex_unlock(&p->load->lock);
    rpc_stream_next(outcomes);
}

static void note_failure(struct load *l, const char *what, const struct rpc_result *r)
{
    if (l->out->first_failure[0] == '\0')
        snprintf(l->out->first_failure, sizeof(l->out->first_failure), "%s: %s", what,
                 r->message[0] ? r->message : "no reason");
}

static void on_end(void *ctx, const struct rpc_result *r)
{
    struct load *l = ((struct peer *)ctx)->load;

    mutex_lock(&l->lock);
    if (r->code != RPC_CANCELLED) {
        note_failure(l, "Outcomes", r);
        l->is_broken = true;
    }
    cond_signal(&l->changed);
    mutex_unlock(&l->lock);
}

struct submitted {
    struct slot *slot;
    uint64_t use;
};

static void on_submitted(void *ctx, const struct rpc_result *r)
{
    struct submitted *x = ctx;
    struct load *l = x->slot->load;

    mutex_lock(&l->lock);
    if (r->code != RPC_OK && x->slot->is_open && x->slot->use == x->use) {
        l->out->count.failed++;
        note_failure(l, "Submit", r);
        l->pause_until = clock_mono_us() + BACKOFF_US;
        slot_free(l, x->slot);
    }
    mutex_unlock(&l->lock);
    free(x);
}

/* --- opening -----------------------------------------------------------------------------------
 */

static bool ask_peer(struct peer *p, const char *endpoint, struct error *err)
{
    Part__StatusRequest rq = PART__STATUS_REQUEST__INIT;
    struct rpc_request call = {
        .method = SERVICE "Status", .timeout_us = CONNECT_US, .wait_for_ready = true};
    struct rpc_result *result = NULL;
    Part__StatusResponse *r = NULL;
    bool ok = false;

    (void)rq; /* it has no fields: its bytes are none */
    if (!rpc_unary_wait(p->channel, &call, &result, err))
        return false;
    if (rpc_result_ok(result, call.method, err) &&
        (r = wire_unpack(&part__status_response__descriptor, result->reply, err)) != NULL) {
        p->uid = strdup(r->uid);
        p->last_offset = r->last_offset;
        ok = p->uid != NULL || error_set(err, ERR_MEMORY, NULL, "no memory");
    }
    wire_message_free(r);
    rpc_result_free(result);
    return ok || error_add(err, "%s", endpoint);
}

static bool follow_outcomes(struct peer *p, struct error *err)
{
    static const struct rpc_stream_events events = {on_message, on_end};
    Part__OutcomesRequest rq = PART__OUTCOMES_REQUEST__INIT;
    struct rpc_request call = {.method = SERVICE "Outcomes"};
    uint8_t bytes[32];

    rq.from_offset = p->last_offset;
    call.message = bytes_of(bytes, part__outcomes_request__pack(&rq, bytes));
    mutex_lock(&p->load->lock);
    bool ok = rpc_stream_open(p->channel, &call, &events, p, &p->outcomes, err);
    mutex_unlock(&p->load->lock);
    return ok;
}

static bool open_peers(struct load *l, struct logger *lg, struct error *err)
{
    if (!rpc_loop_open(2, lg, &l->loop, err))
        return false;
    for (size_t i = 0; i < l->cfg->n_endpoints; i++) {
        struct rpc_channel_config c = {.endpoint = l->cfg->endpoints[i], .tls = l->cfg->tls};
        l->peers[i].load = l;
        if (!rpc_channel_open(l->loop, &c, NULL, NULL, &l->peers[i].channel, err) ||
            !ask_peer(&l->peers[i], l->cfg->endpoints[i], err))
            return false;
    }
    for (size_t i = 0; i < l->cfg->n_endpoints; i++)
        if (!follow_outcomes(&l->peers[i], err))
            return false;
    return true;
}

static bool load_open(struct load *l, struct error *err)
{
    mutex_init(&l->lock);
    cond_init(&l->changed);
    random_bytes(&l->run, sizeof(l->run));
    l->payload = malloc((size_t)l->cfg->payload + 1);
    l->slots = calloc((size_t)l->cfg->open_max, sizeof(*l->slots));
    if (l->payload == NULL || l->slots == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for %" PRId64 " commands",
                         l->cfg->open_max);
    random_bytes(l->payload, (size_t)l->cfg->payload);
    for (uint32_t i = 0; i < (uint32_t)l->cfg->open_max; i++) {
        l->slots[i].load = l;
        l->slots[i].next_free = i + 1;
    }
    return true;
}

static void load_close(struct load *l)
{
    for (size_t i = 0; i < l->cfg->n_endpoints; i++)
        if (l->peers[i].outcomes)
            rpc_stream_cancel(l->peers[i].outcomes);
    for (size_t i = 0; i < l->cfg->n_endpoints; i++) {
        rpc_channel_close(l->peers[i].channel);
        rpc_stream_release(l->peers[i].outcomes);
        free(l->peers[i].uid);
    }
    rpc_loop_close(l->loop);
    free(l->slots);
    free(l->payload);
    cond_destroy(&l->changed);
    mutex_destroy(&l->lock);
}

/* --- running -----------------------------------------------------------------------------------
 */

/* Sends the command of slot s by participant i; the next ones in the list are informees too. */
static bool submit(struct load *l, struct slot *s, size_t i, struct error *err)
{
    Part__SubmitRequest rq = PART__SUBMIT_REQUEST__INIT;
    char *informees[LOAD_PARTICIPANTS_MAX], id[64];
    struct rpc_request call = {.method = SERVICE "Submit", .timeout_us = CALL_US};
    struct submitted *x = malloc(sizeof(*x));

    if (x == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    *x = (struct submitted){s, s->use};
    snprintf(id, sizeof(id), "bench-%08" PRIx32 "-%" PRIu32 "-%" PRIu64, l->run,
             (uint32_t)(s - l->slots), s->use);
    rq.command_id = id;
    rq.informees = informees;
    for (; rq.n_informees < l->cfg->informees; rq.n_informees++)
        informees[rq.n_informees] = l->peers[(i + rq.n_informees) % l->cfg->n_endpoints].uid;
    rq.payload = (ProtobufCBinaryData){(size_t)l->cfg->payload, l->payload};
    uint8_t *bytes = malloc(part__submit_request__get_packed_size(&rq));
    bool ok = bytes != NULL || error_set(err, ERR_MEMORY, NULL, "no memory for a command");
    if (ok) {
        call.message = bytes_of(bytes, part__submit_request__pack(&rq, bytes));
        ok = rpc_unary(l->peers[i].channel, &call, on_submitted, x, NULL, err);
    }
    free(bytes);
    if (!ok)
        free(x);
    return ok;
}

/* Takes a free slot for a command that is due. REQUIRES lock. */
static struct slot *slot_take(struct load *l, int64_t due_at)
{
    struct slot *s = &l->slots[l->free];

    l->free = s->next_free;
    s->is_open = true;
    s->due_at = due_at;
    l->out->count.open++;
    l->out->count.submitted++;
    return s;
}

struct beat {
    void (*progress)(void *ctx, const struct load_count *c, int64_t elapsed_us);
    void *ctx;
    int64_t start, next;
};

/* Gives the lock up for the call. */
static void beat(struct load *l, struct beat *b) REQUIRES(l->lock)
{
    int64_t now = clock_mono_us();

    if (b->progress == NULL || now < b->next)
        return;
    struct load_count c = l->out->count;
    b->next = now + PROGRESS_US;
    mutex_unlock(&l->lock);
    b->progress(b->ctx, &c, now - b->start);
    mutex_lock(&l->lock);
}

static bool drive(struct load *l, struct beat *b, struct error *err)
{
    int64_t end = b->start + l->cfg->duration_us;
    uint64_t n = 0;
    bool ok = true;

    mutex_lock(&l->lock);
    while (ok && !l->is_broken) {
        int64_t now = clock_mono_us(), due = now;
        if (l->cfg->rate > 0)
            due = b->start + (int64_t)((double)n * 1e6 / (double)l->cfg->rate);
        beat(l, b);
        if (now >= end || due >= end)
            break;
        int64_t from = l->cfg->rate > 0 || l->pause_until < now ? due : l->pause_until;
        if (l->free >= (uint32_t)l->cfg->open_max || from > now) {
            int64_t until = from > now ? from : now + PROGRESS_US;
            cond_wait_until(&l->changed, &l->lock, until < b->next ? until : b->next);
            continue;
        }
        struct slot *s = slot_take(l, due);
        mutex_unlock(&l->lock);
        ok = submit(l, s, (size_t)(n++ % l->cfg->n_endpoints), err);
        mutex_lock(&l->lock);
    }
    int64_t limit = clock_mono_us() + l->cfg->drain_us;
    while (ok && !l->is_broken && l->out->count.open > 0 && clock_mono_us() < limit) {
        cond_wait_until(&l->changed, &l->lock, clock_mono_us() + PROGRESS_US / 10);
        beat(l, b);
    }
    l->out->count.lost = l->out->count.open;
    l->out->elapsed_us = (l->last_at > b->start ? l->last_at : clock_mono_us()) - b->start;
    mutex_unlock(&l->lock);
    return ok;
}

bool load_run(const struct load_config *cfg, struct logger *lg,
              void (*progress)(void *ctx, const struct load_count *c, int64_t elapsed_us),
              void *ctx, struct load_result *out, struct error *err)
{
    struct load *l = calloc(1, sizeof(*l));
    bool ok = false;

    if (l == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory");
    memset(out, 0, sizeof(*out));
    l->cfg = cfg;
    l->out = out;
    if (load_open(l, err) && open_peers(l, lg, err)) {
        int64_t now = clock_mono_us();
        struct beat b = {progress, ctx, now, now + PROGRESS_US};
        ok = drive(l, &b, err);
    }
    load_close(l);
    free(l);
    return ok;
}
