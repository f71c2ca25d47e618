/* sender.c: a client in a process of its own, and its records: what it sent, what was answered OK.
 * It survives the sequencer, again and again, and at the end reads its stream from the beginning.
 *
 *   sender URL[,URL...] NAME RECORDS   commands on stdin, one answer line each on stdout:
 *     burst N         sends N messages to itself without waiting for answers; each is sent once
 *     kill PID MIN    sends until MIN are unanswered, then kill -9 PID at once
 *     settle          waits until every send is answered or given up
 *     check           reads the stream: OK exactly once, unknown at most once, refused never
 *     who             its member id; to MEMBER: later messages go there too
 *     follow FILE     subscribes through all URLs, from the first event on, until the end
 *     dump I FILE     after check: reads the whole stream from URL I (from 0) alone
 *     end             after check: waits until `follow` has come as far
 * Both files have a line per event: its time, its predecessor's, the hash of its bytes, message id.
 *
 * Records, a line each, written at the moment: S id, then A id (answered OK), R id (surely refused)
 * or U id (no answer). Messages carry no rule against doubles: a double would show. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"
#include "base/thread.h"
#include "client/client.h"
#include "rpc/loop.h"
#include "topology/identity.h"
#include "wire/event.h"
#include "wire/submission.h"
#include "wire/versioned.h"

#define WAIT_US     (60 * US_PER_S)
#define MESSAGE_US  (300 * US_PER_S) /* until when it may be sequenced */
#define BURST_MAX   20000
#define CONTENT_LEN 200

enum fate { SENT, OK, REFUSED, UNKNOWN };

struct record {
    UT_hash_handle hh;
    char id[UUID_TEXT_LEN];
    enum fate fate;
    int seen; /* in the stream */
};

struct sender {
    struct rpc_loop *loop;
    struct logger *lg;
    struct keyring *keys;
    struct client *client;
    const char *urls[CLIENT_ENDPOINTS_MAX];
    size_t n_urls;
    char *to[8]; /* besides itself */
    size_t n_to;
    struct reading *live;
    char uid[UID_TEXT_SIZE], member[MEMBER_TEXT_SIZE];
    int records; /* fd */
    struct mutex m;
    struct cond changed;
    struct record *all;
    size_t n[4]; /* by fate */
    size_t n_seen, n_strangers;
    char last_id[UUID_TEXT_LEN]; /* of the message that ends the check */
    bool is_at_end, has_failed;
};

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "sender: %s: %s\n", what, err->cause);
    exit(2);
}

static void write_record(struct sender *s, char mark, const char *id)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "%c %s\n", mark, id);

    if (write(s->records, line, (size_t)n) != n) {
        perror("sender: records");
        exit(2);
    }
}

/* --- joining --- */

static void make_identity(struct sender *s, const char *name, struct signed_txs *txs)
{
    char ns[FINGERPRINT_SIZE];
    struct error err;

    if (!keyring_open(&s->keys, &err) ||
        !identity_generate(s->keys, MEMBER_PARTICIPANT, SIGNING_ED25519, ns, &err))
        die("keys", &err);
    snprintf(s->uid, sizeof(s->uid), "%s::%s", name, ns);
    member_format(MEMBER_PARTICIPANT, s->uid, s->member);
    if (!identity_build(s->keys, ns, s->member, txs, &err))
        die("identity", &err);
}

static void join(struct sender *s, struct signed_txs *txs)
{
    struct bytes plain[8];
    struct client_info info;
    char synchronizer[UID_TEXT_SIZE];
    int64_t until = clock_mono_us() + WAIT_US;
    bool is_active = false;
    struct error err;

    if (!client_wait_info(s->client, until, &info, &err))
        die("no sequencer", &err);
    buffer_free(&info.static_params);
    const char *ns = strstr(s->uid, "::") + 2;
    if (!psid_logical(info.psid, synchronizer, &err) ||
        !identity_trust(s->keys, ns, s->uid, synchronizer, txs, &err))
        die("trust certificate", &err);
    for (size_t i = 0; i < txs->n && i < 8; i++) {
        if (!versioned_unwrap(buffer_bytes(&txs->at[i]), VERSIONED_V30, &plain[i], NULL, &err))
            die("identity", &err);
    }
    if (!client_register_onboarding(s->client, plain, txs->n, &err))
        die("onboarding", &err);
    while (!is_active) {
        if (clock_mono_us() > until)
            die("not active in time", &err);
        if (!client_verify_active(s->client, &is_active, &err))
            is_active = false;
    }
}

static struct client *open_client_at(struct sender *s, const char *const *urls, size_t n)
{
    struct client_config cfg = {.loop = s->loop,
                                .endpoints = urls,
                                .n_endpoints = n,
                                .member = s->member,
                                .keys = s->keys,
                                .logger = s->lg};
    struct client *c;
    struct error err;

    if (!client_open(&cfg, &c, &err))
        die("client", &err);
    return c;
}

static struct client *open_client(struct sender *s)
{
    return open_client_at(s, s->urls, s->n_urls);
}

/* --- sending --- */

struct sent {
    struct sender *s;
    struct record *r;
};

static void on_answer(void *ctx, const struct client_send_report *report)
{
    struct sent *sent = ctx;
    struct sender *s = sent->s;
    enum fate fate = report->result == CLIENT_SEND_ACCEPTED  ? OK
                     : report->result == CLIENT_SEND_REFUSED ? REFUSED
                                                             : UNKNOWN;

    const char *id = sent->r->id;
    write_record(s, "SARU"[fate], id);
    if (fate == REFUSED)
        fprintf(stderr, "sender: refused: %s\n", report->error ? report->error->cause : "?");
    mutex_lock(&s->m);
    sent->r->fate = fate;
    s->n[fate]++;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->m);
    free(sent);
}

static size_t unanswered(struct sender *s)
{
    mutex_lock(&s->m);
    size_t n = s->n[SENT] - s->n[OK] - s->n[REFUSED] - s->n[UNKNOWN];
    mutex_unlock(&s->m);
    return n;
}

static void make_submission(struct sender *s, const char *id, int64_t max_us,
                            struct submission *out)
{
    struct recipients to = {0};
    const char *self = s->member;
    struct batch b = {0};
    uint8_t content[CONTENT_LEN];
    struct error err;

    random_bytes(content, sizeof(content));
    memset(out, 0, sizeof(*out));
    out->sender = strdup(s->member);
    out->message_id = strdup(id);
    out->max_sequencing_time = max_us;
    const char *all[9] = {self};
    for (size_t i = 0; i < s->n_to; i++)
        all[i + 1] = s->to[i];
    if (!recipients_add(&to, 0, all, s->n_to + 1, &err) ||
        !batch_add(&b, bytes_of(content, sizeof(content)), NULL, 0, &to, &err) ||
        !batch_seal(&b, &out->batch, &err) || !submission_build(out, &err))
        die("message", &err);
    batch_free(&b);
}

/* One message, sent once. False: no endpoint now, nothing was recorded. */
static bool send_one(struct sender *s)
{
    struct record *r = calloc(1, sizeof(*r));
    struct sent *sent = calloc(1, sizeof(*sent));
    int64_t max_us = clock_now_us() + MESSAGE_US;
    struct submission sub;
    struct client_status st;
    struct error err;

    bool is_ready = false;
    client_status(s->client, &st);
    for (size_t i = 0; i < st.n_endpoints; i++)
        is_ready = is_ready || st.endpoints[i].health == CLIENT_ENDPOINT_OK;
    if (!is_ready || !r || !sent) {
        free(r);
        free(sent);
        return false;
    }
    random_uuid(r->id);
    *sent = (struct sent){s, r};
    make_submission(s, r->id, max_us, &sub);
    mutex_lock(&s->m);
    HASH_ADD_STR(s->all, id, r);
    s->n[SENT]++;
    mutex_unlock(&s->m);
    write_record(s, 'S', r->id);
    struct client_send in = {.request = buffer_bytes(&sub.raw),
                             .message_id = r->id,
                             .max_sequencing_us = max_us,
                             .accepted = on_answer,
                             .ctx = sent};
    if (!client_send(s->client, &in, &err)) {
        struct client_send_report report = {.result = CLIENT_SEND_REFUSED, .error = &err};
        on_answer(sent, &report);
    }
    submission_free(&sub);
    return true;
}

/* Sends, waiting for the sequencer to be there where need be. */
static void send_when_ready(struct sender *s)
{
    int64_t until = clock_mono_us() + WAIT_US;

    while (!send_one(s)) {
        mutex_lock(&s->m);
        if (clock_mono_us() > until) {
            fprintf(stderr, "sender: no sequencer within 60 s\n");
            exit(2);
        }
        (void)cond_wait_until(&s->changed, &s->m, clock_mono_us() + 10 * US_PER_MS);
        mutex_unlock(&s->m);
    }
}

static void burst(struct sender *s, long n)
{
    for (long i = 0; i < n && i < BURST_MAX; i++)
        send_when_ready(s);
    printf("burst unanswered=%zu\n", unanswered(s));
}

/* Keeps sending until enough is unanswered, then kills. */
static void kill_under_load(struct sender *s, pid_t pid, size_t min)
{
    size_t open = 0;

    for (int i = 0; i < BURST_MAX && open < min; i++) {
        send_when_ready(s);
        open = unanswered(s);
    }
    if (kill(pid, SIGKILL))
        perror("sender: kill");
    printf("killed unanswered=%zu\n", open);
}

static void settle(struct sender *s)
{
    int64_t until = clock_mono_us() + WAIT_US;
    bool in_time = true;

    mutex_lock(&s->m);
    while (s->n[SENT] != s->n[OK] + s->n[REFUSED] + s->n[UNKNOWN] && in_time)
        in_time = cond_wait_until(&s->changed, &s->m, until);
    printf("settled sent=%zu ok=%zu refused=%zu unknown=%zu%s\n", s->n[SENT], s->n[OK],
           s->n[REFUSED], s->n[UNKNOWN], in_time ? "" : " NOT IN TIME");
    mutex_unlock(&s->m);
}

/* --- the check --- */

static bool on_event(void *ctx, const struct client_event *e, struct error *err)
{
    struct sender *s = ctx;
    struct record *r = NULL;

    (void)err;
    if (!e->event->message_id)
        return true;
    mutex_lock(&s->m);
    s->n_seen++;
    HASH_FIND_STR(s->all, e->event->message_id, r);
    if (r)
        r->seen++;
    else if (strcmp(e->event->message_id, s->last_id))
        s->n_strangers++;
    if (!strcmp(e->event->message_id, s->last_id)) {
        s->is_at_end = true;
        cond_broadcast(&s->changed);
    }
    mutex_unlock(&s->m);
    return true;
}

static void on_state(void *ctx, const struct client_state *st)
{
    struct sender *s = ctx;

    if (st->kind != CLIENT_FAILED)
        return;
    fprintf(stderr, "sender: the stream failed: %s\n", st->reason);
    mutex_lock(&s->m);
    s->has_failed = true;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->m);
}

/* A message that surely arrives, and behind which all others are. */
static void send_last(struct sender *s)
{
    int64_t max_us = clock_now_us() + MESSAGE_US;
    struct submission sub;
    struct error err;

    random_uuid(s->last_id);
    make_submission(s, s->last_id, max_us, &sub);
    sub.rule.kind = AGGREGATION_DEDUP;
    if (!submission_build(&sub, &err))
        die("message", &err);
    struct client_send in = {.request = buffer_bytes(&sub.raw),
                             .message_id = s->last_id,
                             .max_sequencing_us = max_us,
                             .is_repeatable = true};
    if (!client_send(s->client, &in, &err))
        die("the last message", &err);
    submission_free(&sub);
}

static bool check(struct sender *s)
{
    struct client_callbacks cb = {.ctx = s, .event = on_event, .state = on_state};
    struct client_position from = {0};
    size_t lost = 0, doubled = 0, ghosts = 0;
    bool in_time = true;
    struct record *r;
    struct error err;
    struct client *reader;

    send_last(s);
    reader = open_client(s);
    if (!client_subscribe(reader, &from, &cb, &err))
        die("subscribe", &err);
    mutex_lock(&s->m);
    while (!s->is_at_end && !s->has_failed && in_time)
        in_time = cond_wait_until(&s->changed, &s->m, clock_mono_us() + WAIT_US);
    mutex_unlock(&s->m);
    client_close(reader);
    for (r = s->all; r; r = r->hh.next) {
        lost += r->fate == OK && r->seen == 0;
        doubled += r->seen > 1;
        ghosts += r->fate == REFUSED && r->seen > 0;
    }
    bool ok = s->is_at_end && !s->has_failed && !lost && !doubled && !ghosts && !s->n_strangers;
    printf("%s sent=%zu ok=%zu unknown=%zu seen=%zu lost=%zu doubled=%zu refused_but_seen=%zu "
           "never_sent=%zu%s\n",
           ok ? "PASS" : "FAIL", s->n[SENT], s->n[OK], s->n[UNKNOWN], s->n_seen, lost, doubled,
           ghosts, s->n_strangers, s->is_at_end ? "" : " (the end was not reached)");
    return ok;
}

/* --- whole streams --- */

/* One stream on its way into a file. */
struct reading {
    struct sender *s;
    struct client *client;
    FILE *to;
    bool is_at_end, has_failed; /* of the sender's lock */
};

static bool on_line(void *ctx, const struct client_event *e, struct error *err)
{
    struct reading *r = ctx;
    const char *id = e->event->message_id ? e->event->message_id : "-";

    (void)err;
    fprintf(r->to, "%" PRId64 " %" PRId64 " ", e->ts, e->previous_ts);
    for (size_t i = 2; i < sizeof(e->hash.b); i++)
        fprintf(r->to, "%02x", e->hash.b[i]);
    fprintf(r->to, " %s\n", id);
    fflush(r->to);
    mutex_lock(&r->s->m);
    if (r->s->last_id[0] && !strcmp(id, r->s->last_id)) {
        r->is_at_end = true;
        cond_broadcast(&r->s->changed);
    }
    mutex_unlock(&r->s->m);
    return true;
}

static void on_reading_state(void *ctx, const struct client_state *st)
{
    struct reading *r = ctx;

    if (st->kind != CLIENT_FAILED)
        return;
    fprintf(stderr, "sender: the stream failed: %s\n", st->reason);
    mutex_lock(&r->s->m);
    r->has_failed = true;
    cond_broadcast(&r->s->changed);
    mutex_unlock(&r->s->m);
}

static struct reading *read_into(struct sender *s, const char *const *urls, size_t n,
                                 const char *path)
{
    struct reading *r = calloc(1, sizeof(*r));
    struct client_position from = {0};
    struct error err;

    if (!r || !(r->to = fopen(path, "we"))) {
        perror(path);
        exit(2);
    }
    struct client_callbacks cb = {.ctx = r, .event = on_line, .state = on_reading_state};
    r->s = s;
    r->client = open_client_at(s, urls, n);
    if (!client_subscribe(r->client, &from, &cb, &err))
        die("subscribe", &err);
    return r;
}

static bool reading_end(struct reading *r)
{
    int64_t until = clock_mono_us() + WAIT_US;
    bool in_time = true;

    mutex_lock(&r->s->m);
    while (!r->is_at_end && !r->has_failed && in_time)
        in_time = cond_wait_until(&r->s->changed, &r->s->m, until);
    bool ok = r->is_at_end && !r->has_failed;
    mutex_unlock(&r->s->m);
    client_close(r->client);
    fclose(r->to);
    free(r);
    return ok;
}

static bool dump(struct sender *s, long i, const char *path)
{
    if (i < 0 || (size_t)i >= s->n_urls)
        return false;
    bool ok = reading_end(read_into(s, &s->urls[i], 1, path));
    puts(ok ? "dumped" : "FAIL: the end of the stream was not reached");
    return ok;
}

/* The live stream must reach the end as well. */
static bool live_end(struct sender *s)
{
    struct reading *r = s->live;

    s->live = NULL;
    return !r || reading_end(r);
}

static void add_to(struct sender *s, const char *member)
{
    if (s->n_to < sizeof(s->to) / sizeof(s->to[0]))
        s->to[s->n_to++] = strdup(member);
    puts("to");
}

/* More than one word. */
static bool on_command(struct sender *s, const char *line)
{
    char word[300];
    long i;

    if (sscanf(line, "to %299s", word) == 1)
        add_to(s, word);
    else if (sscanf(line, "follow %299s", word) == 1) {
        s->live = read_into(s, s->urls, s->n_urls, word);
        puts("following");
    } else if (sscanf(line, "dump %ld %299s", &i, word) == 2)
        return dump(s, i, word);
    else if (!strcmp(line, "who\n"))
        puts(s->member);
    else if (!strcmp(line, "end\n")) {
        bool ok = live_end(s);
        puts(ok ? "ended" : "FAIL: the live stream did not come to the end");
        return ok;
    } else
        puts("what?");
    return true;
}

static void split_urls(struct sender *s, char *text)
{
    for (char *save = NULL, *p = strtok_r(text, ",", &save); p && s->n_urls < CLIENT_ENDPOINTS_MAX;
         p = strtok_r(NULL, ",", &save))
        s->urls[s->n_urls++] = p;
}

int main(int argc, char **argv)
{
    struct sender s = {0};
    struct signed_txs txs = {0};
    struct error err;
    char line[400];
    bool ok = true;

    if (argc != 4) {
        fprintf(stderr, "usage: sender URL[,URL...] NAME RECORDS\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    mutex_init(&s.m);
    cond_init(&s.changed);
    split_urls(&s, argv[1]);
    s.records = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (s.records < 0) {
        perror(argv[3]);
        return 2;
    }
    if (!logger_open(2, LOG_TEXT, LOG_ERROR, &s.lg, &err) || !rpc_loop_open(1, s.lg, &s.loop, &err))
        die("start", &err);
    make_identity(&s, argv[2], &txs);
    s.client = open_client(&s);
    join(&s, &txs);
    client_login(s.client);
    puts("ready");
    while (fgets(line, sizeof(line), stdin)) {
        long a = 0, b = 0;
        if (sscanf(line, "burst %ld", &a) == 1)
            burst(&s, a);
        else if (sscanf(line, "kill %ld %ld", &a, &b) == 2)
            kill_under_load(&s, (pid_t)a, (size_t)b);
        else if (!strcmp(line, "settle\n"))
            settle(&s);
        else if (!strcmp(line, "check\n"))
            ok = check(&s) && ok;
        else
            ok = on_command(&s, line) && ok;
    }
    for (size_t i = 0; i < s.n_to; i++)
        free(s.to[i]);
    client_close(s.client);
    rpc_loop_close(s.loop);
    logger_close(s.lg);
    return ok ? 0 : 1;
}
