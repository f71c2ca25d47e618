/* bench_send.c: durable SendAsync of one client, through src/client, to a lockstepd that runs
 * elsewhere, beside the floor of the same run: one commit of such a message as the sequencer writes
 * it (one fenced statement) to the same database server, and one empty RPC to the same process.
 * They take turns, so that they see the same machine. Signing belongs to the send, making up a
 * message does not. Not a test.
 *
 *   bench_send URL ROUNDS      the database: as t/storage/engine.h says
 *
 * One JSON object a line: {"name":..., "value":..., "unit":...}; medians. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"
#include "base/thread.h"
#include "client/client.h"
#include "rpc/client.h"
#include "storage/migrate.h"
#include "t/storage/engine.h"
#include "topology/identity.h"
#include "wire/submission.h"
#include "wire/versioned.h"

#define API_INFO "/com.digitalasset.canton.connection.v30.ApiInfoService/GetApiInfo"
#define WAIT_US  (60 * US_PER_S)
enum { ROUNDS_MAX = 100000, WARM_UP = 20, CONTENT_LEN = 200 };

struct bench {
    struct rpc_loop *loop;
    struct logger *lg;
    struct keyring *keys;
    struct client *client;
    struct rpc_channel *channel;
    struct db *db;
    const char *url;
    char uid[UID_TEXT_SIZE], member[MEMBER_TEXT_SIZE];
    struct mutex lock;
    struct cond changed;
    int64_t watermark; /* of the node whose row is written */
    bool is_answered, is_accepted;
    char why[520];
};

static void die(const char *what, const struct error *err)
{
    char text[640];

    error_format(err, text, sizeof(text));
    fprintf(stderr, "bench_send: %s: %s\n", what, text);
    exit(1);
}

/* --- joining -----------------------------------------------------------------------------------
 */

static void make_identity(struct bench *b, struct signed_txs *txs)
{
    char ns[FINGERPRINT_SIZE];
    struct error err;

    if (!keyring_open(&b->keys, &err) ||
        !identity_generate(b->keys, MEMBER_PARTICIPANT, SIGNING_ED25519, ns, &err))
        die("keys", &err);
    snprintf(b->uid, sizeof(b->uid), "bench::%s", ns);
    member_format(MEMBER_PARTICIPANT, b->uid, b->member);
    if (!identity_build(b->keys, ns, b->member, txs, &err))
        die("identity", &err);
}

static void join(struct bench *b, struct signed_txs *txs)
{
    struct bytes plain[8];
    struct client_info info;
    char synchronizer[UID_TEXT_SIZE];
    int64_t until = clock_mono_us() + WAIT_US;
    bool is_active = false;
    struct error err = {.code = ERR_TIMEOUT};
    size_t n = 0;

    if (!client_wait_info(b->client, until, &info, &err))
        die("no sequencer", &err);
    buffer_free(&info.static_params);
    if (!psid_logical(info.psid, synchronizer, &err) ||
        !identity_trust(b->keys, strstr(b->uid, "::") + 2, b->uid, synchronizer, txs, &err))
        die("trust certificate", &err);
    for (; n < txs->n && n < 8; n++)
        if (!versioned_unwrap(buffer_bytes(&txs->at[n]), VERSIONED_V30, &plain[n], NULL, &err))
            die("identity", &err);
    if (!client_register_onboarding(b->client, plain, n, &err))
        die("onboarding", &err);
    while (!client_verify_active(b->client, &is_active, &err) || !is_active)
        if (clock_mono_us() > until)
            die("not active in time", &err);
    client_login(b->client);
}

static void bench_open(struct bench *b)
{
    struct client_config cfg = {.endpoints = &b->url, .n_endpoints = 1};
    struct rpc_channel_config channel = {.endpoint = b->url};
    struct signed_txs txs = {0};
    struct db_config db;
    struct error err;

    engine_config(&db);
    mutex_init(&b->lock);
    cond_init(&b->changed);
    if (!logger_open(2, LOG_TEXT, LOG_ERROR, &b->lg, &err) ||
        !rpc_loop_open(1, b->lg, &b->loop, &err) || !db_open(&db, &b->db, &err) ||
        !db_migrate(b->db, NULL, &err) ||
        !rpc_channel_open(b->loop, &channel, NULL, NULL, &b->channel, &err) ||
        !rpc_channel_wait_ready(b->channel, WAIT_US, &err))
        die("start", &err);
    make_identity(b, &txs);
    cfg.loop = b->loop;
    cfg.logger = b->lg;
    cfg.member = b->member;
    cfg.keys = b->keys;
    if (!client_open(&cfg, &b->client, &err))
        die("client", &err);
    join(b, &txs);
    signed_txs_free(&txs);
}

static void bench_close(struct bench *b)
{
    client_close(b->client);
    rpc_channel_close(b->channel);
    rpc_loop_close(b->loop);
    keyring_close(b->keys);
    db_close(b->db);
    logger_close(b->lg);
}

/* --- the three ---------------------------------------------------------------------------------
 */

static void on_answer(void *ctx, const struct client_send_report *r)
{
    struct bench *b = ctx;

    mutex_lock(&b->lock);
    b->is_answered = true;
    b->is_accepted = r->result == CLIENT_SEND_ACCEPTED;
    snprintf(b->why, sizeof(b->why), "%.100s %.400s", r->reason, r->error ? r->error->cause : "");
    cond_signal(&b->changed);
    mutex_unlock(&b->lock);
}

static void make_submission(struct bench *b, const char *id, int64_t max_us, struct submission *out)
{
    const char *self = b->member;
    struct recipients to = {0};
    struct batch batch = {0};
    uint8_t content[CONTENT_LEN];
    struct error err;

    random_bytes(content, sizeof(content));
    memset(out, 0, sizeof(*out));
    out->sender = strdup(b->member);
    out->message_id = strdup(id);
    out->max_sequencing_time = max_us;
    if (!recipients_add(&to, 0, &self, 1, &err) ||
        !batch_add(&batch, bytes_of(content, sizeof(content)), NULL, 0, &to, &err) ||
        !batch_seal(&batch, &out->batch, &err) || !submission_build(out, &err))
        die("message", &err);
    batch_free(&batch);
}

struct message {
    char id[UUID_TEXT_LEN];
    int64_t max_us;
    struct submission sub;
};

static void make_message(struct bench *b, struct message *m)
{
    random_uuid(m->id);
    m->max_us = clock_now_us() + WAIT_US;
    make_submission(b, m->id, m->max_us, &m->sub);
}

/* From the call to the answer OK. False: not connected yet. */
static bool send_once(struct bench *b, const struct message *m, struct error *err)
{
    struct client_send what = {.request = buffer_bytes(&m->sub.raw),
                               .message_id = m->id,
                               .max_sequencing_us = m->max_us,
                               .accepted = on_answer,
                               .ctx = b};

    b->is_answered = false;
    bool ok = client_send(b->client, &what, err);
    mutex_lock(&b->lock);
    while (ok && !b->is_answered)
        cond_wait(&b->changed, &b->lock);
    if (ok && !b->is_accepted)
        ok = error_set(err, ERR_REFUSED, NULL, "not accepted: %s", b->why);
    mutex_unlock(&b->lock);
    return ok;
}

/* The sequencer's own write of one message: log row and watermark in one fenced statement. */
static void commit_once(struct bench *b)
{
    static const uint8_t holder[16] = {1};
    uint8_t content[600]; /* about what a log row of such a message holds */
    int64_t now = clock_now_us();
    struct value params[] = {
        value_i64(0),   value_i64(1),        value_i64(b->watermark),
        value_i64(now), value_i64(US_PER_S), value_bytes(bytes_of(holder, sizeof(holder)))};
    struct value row[] = {value_i64(now), value_i64(0), value_i64(0), value_i64(1),
                          value_bytes(bytes_of(content, sizeof(content)))};
    struct error err;

    random_bytes(content, sizeof(content));
    if (!db_fenced(b->db, "sequencer_append", params, 6, row, 1, 0, NULL, &err))
        die("commit", &err);
    b->watermark = now;
}

/* The same row alone, without fence. */
static void insert_once(struct bench *b)
{
    uint8_t content[600];
    struct value v[] = {value_i64(clock_now_us()), value_i64(0), value_i64(0),
                        value_bytes(bytes_of(content, sizeof(content)))};
    struct error err;

    random_bytes(content, sizeof(content));
    if (!db_exec(b->db, "sequencer_log_insert", v, 4, 0, NULL, &err))
        die("insert", &err);
}

static void make_node(struct bench *b)
{
    static const uint8_t holder[16] = {1};
    struct value v[] = {value_i64(0), value_i64(1), value_bytes(bytes_of(holder, sizeof(holder)))};
    struct error err;

    if (!db_exec(b->db, "sequencer_node_insert", v, 3, 0, NULL, &err))
        die("node", &err);
    b->watermark = 1;
}

static void call_once(struct bench *b)
{
    struct rpc_request rq = {.method = API_INFO, .timeout_us = WAIT_US};
    struct rpc_result *r;
    struct error err;

    if (!rpc_unary_wait(b->channel, &rq, &r, &err) || !rpc_result_ok(r, rq.method, &err))
        die("empty RPC", &err);
    rpc_result_free(r);
}

/* --- figures -----------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static double median_us(int64_t *v, size_t n)
{
    qsort(v, n, sizeof(*v), compare);
    return (double)v[n / 2];
}

static void await_first_send(struct bench *b)
{
    int64_t until = clock_mono_us() + WAIT_US;
    struct message m;
    struct error err;

    make_message(b, &m);
    while (!send_once(b, &m, &err)) {
        if (clock_mono_us() > until)
            die("send", &err);
        mutex_lock(&b->lock);
        (void)cond_wait_until(&b->changed, &b->lock, clock_mono_us() + 20 * US_PER_MS);
        mutex_unlock(&b->lock);
    }
    submission_free(&m.sub);
}

int main(int argc, char **argv)
{
    static int64_t sends[ROUNDS_MAX], commits[ROUNDS_MAX], calls[ROUNDS_MAX], inserts[ROUNDS_MAX];
    long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    struct bench b = {.url = argc == 3 ? argv[1] : NULL};
    struct error err;

    if (rounds < 1 || rounds > ROUNDS_MAX - WARM_UP) {
        fprintf(stderr, "usage: bench_send URL ROUNDS\n");
        return 2;
    }
    bench_open(&b);
    make_node(&b);
    await_first_send(&b);
    for (long i = -WARM_UP; i < rounds; i++) {
        size_t at = i < 0 ? 0 : (size_t)i;
        struct message m;
        make_message(&b, &m);
        int64_t t0 = clock_mono_us();
        call_once(&b);
        int64_t t1 = clock_mono_us();
        commit_once(&b);
        int64_t t2 = clock_mono_us();
        if (!send_once(&b, &m, &err))
            die("send", &err);
        int64_t t3 = clock_mono_us();
        submission_free(&m.sub);
        insert_once(&b);
        calls[at] = t1 - t0;
        commits[at] = t2 - t1;
        sends[at] = t3 - t2;
        inserts[at] = clock_mono_us() - t3;
    }
    double send = median_us(sends, (size_t)rounds), commit = median_us(commits, (size_t)rounds),
           call = median_us(calls, (size_t)rounds), insert = median_us(inserts, (size_t)rounds);
    printf("{\"name\":\"send-async\",\"value\":%.3f,\"unit\":\"ms\"}\n", send / 1000);
    printf("{\"name\":\"one-commit\",\"value\":%.3f,\"unit\":\"ms\"}\n", commit / 1000);
    printf("{\"name\":\"one-plain-insert\",\"value\":%.3f,\"unit\":\"ms\"}\n", insert / 1000);
    printf("{\"name\":\"empty-rpc\",\"value\":%.3f,\"unit\":\"ms\"}\n", call / 1000);
    printf("{\"name\":\"send-async-over-floor\",\"value\":%.3f,\"unit\":\"ratio\"}\n",
           send / (commit + call));
    bench_close(&b);
    return 0;
}
