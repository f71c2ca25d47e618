/* lease_peer.c NAME EXPIRY_MS POLL_MS: one of two processes that compete for a lease. Its runner
 * takes a turn each POLL_MS and says what changed; the rest is done as standard input says, one
 * verb a line. Times are CLOCK_MONOTONIC in microseconds, which processes share. Lines:
 *   WON epoch holder t late worst     LOST t                of the runner
 *   STOP name when t                  CONT may_act t        around a stop by SIGSTOP
 *   W id code calls    T id code    ...                   the answer to a verb, by its first word
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hook.h"
#include "peer.h"
#include "storage/migrate.h"

#define FLOOD_MAX 16

static struct peer peer;
static _Atomic bool is_flooding;
static _Atomic int64_t flood_id, flood_ok, flood_failed;

static void pause_us(int64_t us)
{
    const struct timespec t = {(time_t)(us / US_PER_S), (long)(us % US_PER_S) * 1000};

    while (nanosleep(&t, NULL) == -1 && errno == EINTR)
        ;
}

bool peer_write(struct peer *p, const struct fence *f, int64_t id, int64_t nrows, int64_t bytes,
                int64_t timeout_us, struct error *err)
{
    const struct value v[] = {value_text(p->name), value_i64(f->epoch), fence_holder(f)};
    uint8_t *payload = calloc(1, (size_t)bytes + 1);
    struct value *rows = calloc((size_t)nrows * 3, sizeof(*rows));
    bool ok = payload && rows;

    for (int64_t i = 0; ok && i < nrows; i++) {
        rows[i * 3] = value_i64(id);
        rows[i * 3 + 1] = value_i64(i);
        rows[i * 3 + 2] = value_bytes(bytes_of(payload, (size_t)bytes));
    }
    ok = ok ? db_fenced(p->db, "t_act_write", v, 3, rows, (size_t)nrows, timeout_us, NULL, err)
            : error_set(err, ERR_MEMORY, NULL, "no memory for rows");
    free(rows);
    free(payload);
    return ok;
}

static void say_change(enum lease_change change)
{
    char hex[2 * HOLDER_LEN + 1] = "";
    struct fence f;

    if (change == LEASE_WON && lease_held(peer.lease, &f)) {
        mutex_lock(&peer.mutex);
        peer.last = f;
        peer.has_last = true;
        const int64_t late = peer.late_us, worst = peer.worst_us;
        mutex_unlock(&peer.mutex);
        for (size_t i = 0; i < HOLDER_LEN; i++)
            snprintf(hex + 2 * i, 3, "%02x", f.holder[i]);
        printf("WON %" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64 "\n", f.epoch, hex,
               clock_mono_us(), late, worst);
    }
    if (change == LEASE_LOST)
        printf("LOST %" PRId64 "\n", clock_mono_us());
}

static bool is_hushed(void)
{
    mutex_lock(&peer.mutex);
    const bool is = peer.is_hushed;
    mutex_unlock(&peer.mutex);
    return is;
}

static void *run(void *ctx)
{
    bool is_ended = false;

    (void)ctx;
    while (!is_ended) {
        const int64_t start = clock_mono_us();
        enum lease_change change = LEASE_SAME;
        struct error e;
        if (!is_hushed()) {
            mutex_lock(&peer.turn);
            const int64_t sent = clock_mono_us();
            const bool ok = lease_step(peer.lease, &change, &e);
            const int64_t took = clock_mono_us() - sent;
            mutex_unlock(&peer.turn);
            mutex_lock(&peer.mutex);
            if (took > peer.worst_us)
                peer.worst_us = took;
            mutex_unlock(&peer.mutex);
            if (!ok)
                printf("ERROR %s %" PRId64 " %s\n", error_id(e.code), took, e.cause);
            say_change(change);
        }
        const int64_t slept = clock_mono_us();
        pause_us(peer.poll_us);
        const int64_t late = clock_mono_us() - slept - peer.poll_us;
        mutex_lock(&peer.mutex);
        if (late > peer.late_us)
            peer.late_us = late;
        is_ended = peer.is_ended;
        mutex_unlock(&peer.mutex);
        (void)start;
    }
    return NULL;
}

static struct fence last_fence(void)
{
    mutex_lock(&peer.mutex);
    const struct fence f = peer.last;
    mutex_unlock(&peer.mutex);
    return f;
}

static void stopping(const char *name, enum hook_when when)
{
    static const char *const whens[] = {"before", "in", "after"};

    printf("STOP %s %s %" PRId64 "\n", name, whens[when], clock_mono_us());
}

static void continued(void)
{
    printf("CONT %d %" PRId64 "\n", lease_may_act(peer.lease), clock_mono_us());
}

/* ---- verbs; a[0] to a[4] are their numbers ---- */

/* The deadline of a write. */
static int64_t write_us(void)
{
    const char *ms = getenv("LS_PEER_WRITE_MS");

    return (ms ? strtoll(ms, NULL, 10) : 3000) * US_PER_MS;
}

/* The answer to a write, with the calls that it made. */
static void say_calls(const char *word, int64_t id, bool ok, const struct error *e)
{
    const int n = hook_disarm();

    flockfile(stdout);
    printf("%s %" PRId64 " %s", word, id, ok ? "OK" : error_id(e->code));
    for (int i = 1; i <= n; i++)
        printf(" %s", hook_name(i));
    printf("\n");
    funlockfile(stdout);
    if (!ok && e->code != ERR_FENCED)
        printf("ERROR %s 0 %s\n", error_id(e->code), e->cause);
}

/* write ID ROWS BYTES AT WHEN; its answer also names the calls. */
static void verb_write(const int64_t *a)
{
    const struct fence f = last_fence();
    struct error e = {0};

    hook_arm((int)a[3], (enum hook_when)a[4]);
    const bool ok = peer_write(&peer, &f, a[0], a[1], a[2], write_us(), &e);
    say_calls("W", a[0], ok, &e);
}

static bool insert(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(*(int64_t *)ctx), value_null(), value_null(), value_null()};

    return txn_exec(t, "t_value_insert", v, 4, NULL, err);
}

/* txn ID AT: a row in a transaction, without a fence. */
static void verb_txn(const int64_t *a)
{
    struct error e = {0};
    int64_t id = a[0];

    hook_arm((int)a[1], HOOK_BEFORE);
    const bool ok = db_txn(peer.db, write_us(), insert, &id, &e);
    say_calls("T", id, ok, &e);
}

/* settle: after an unknown outcome. */
static void verb_settle(const int64_t *a)
{
    struct error e = {0};
    struct fence f;

    (void)a;
    mutex_lock(&peer.turn);
    const bool ok = lease_settle(peer.lease, &f, &e);
    mutex_unlock(&peer.turn);
    if (ok) {
        mutex_lock(&peer.mutex);
        peer.last = f;
        mutex_unlock(&peer.mutex);
    }
    printf("SETTLED %s %" PRId64 " %s\n", ok ? "OK" : error_id(e.code), ok ? f.epoch : -1,
           ok ? "" : e.cause);
}

static void verb_release(const int64_t *a)
{
    struct error e = {0};

    (void)a;
    mutex_lock(&peer.turn);
    const bool ok = lease_release(peer.lease, &e);
    mutex_unlock(&peer.turn);
    printf("RELEASED %s\n", ok ? "OK" : error_id(e.code));
}

static bool count_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

static bool add_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)cols;
    (void)n;
    (void)err;
    ++*(int64_t *)ctx;
    return true;
}

/* tcount ID: is the row of that transaction there? */
static void verb_tcount(const int64_t *a)
{
    const struct value v[] = {value_i64(a[0])};
    struct error e = {0};
    int64_t n = 0;

    const bool ok = db_query(peer.db, "t_value_read", v, 1, 10 * US_PER_S, add_row, &n, &e);
    printf("COUNT %" PRId64 " %s\n", n, ok ? "OK" : error_id(e.code));
}

/* count ID: rows of that write. */
static void verb_count(const int64_t *a)
{
    const struct value v[] = {value_i64(a[0])};
    struct error e = {0};
    int64_t n = -1;

    const bool ok = db_query(peer.db, "t_act_count", v, 1, 10 * US_PER_S, count_row, &n, &e);
    printf("COUNT %" PRId64 " %s\n", n, ok ? "OK" : error_id(e.code));
}

static void verb_mark(const int64_t *a)
{
    (void)a;
    mutex_lock(&peer.mutex);
    peer.late_us = peer.worst_us = 0;
    mutex_unlock(&peer.mutex);
    printf("MARKED\n");
}

static void verb_stat(const int64_t *a)
{
    (void)a;
    mutex_lock(&peer.mutex);
    const int64_t late = peer.late_us, worst = peer.worst_us;
    mutex_unlock(&peer.mutex);
    printf("STAT late %" PRId64 " worst %" PRId64 " held %d may_act %d ok %" PRId64
           " failed %" PRId64 " wall %" PRId64 "\n",
           late, worst, lease_held(peer.lease, NULL), lease_may_act(peer.lease),
           atomic_load(&flood_ok), atomic_load(&flood_failed), clock_now_us());
}

static void hush(bool is)
{
    mutex_lock(&peer.mutex);
    peer.is_hushed = is;
    mutex_unlock(&peer.mutex);
    mutex_lock(&peer.turn); /* a turn under way ends first */
    mutex_unlock(&peer.turn);
}

static void verb_hush(const int64_t *a)
{
    hush(a[0] != 0);
    printf("HUSHED\n");
}

static void verb_clock(const int64_t *a)
{
    hook_clock_shift(a[0] * US_PER_S);
    printf("CLOCK %" PRId64 "\n", clock_now_us());
}

static void verb_disk(const int64_t *a)
{
    hook_disk_delay(a[0] * US_PER_MS);
    printf("DISK\n");
}

static void *flood(void *ctx)
{
    (void)ctx;
    while (atomic_load(&is_flooding)) {
        const struct fence f = last_fence();
        struct error e = {0};
        if (peer_write(&peer, &f, atomic_fetch_add(&flood_id, 1), 1, 200, 10 * US_PER_S, &e))
            atomic_fetch_add(&flood_ok, 1);
        else
            atomic_fetch_add(&flood_failed, 1);
    }
    return NULL;
}

/* flood THREADS MS FIRST_ID: that many threads write as fast as they can. */
static void verb_flood(const int64_t *a)
{
    struct thread t[FLOOD_MAX] = {0};
    const size_t n = a[0] < FLOOD_MAX ? (size_t)a[0] : FLOOD_MAX;
    struct error e;

    atomic_store(&flood_id, a[2]);
    atomic_store(&flood_ok, 0);
    atomic_store(&flood_failed, 0);
    atomic_store(&is_flooding, true);
    for (size_t i = 0; i < n; i++)
        if (!thread_start(&t[i], "flood", flood, NULL, &e))
            printf("ERROR %s 0 %s\n", error_id(e.code), e.cause);
    pause_us(a[1] * US_PER_MS);
    atomic_store(&is_flooding, false);
    for (size_t i = 0; i < n; i++)
        thread_join(&t[i]);
    printf("FLOODED %" PRId64 " %" PRId64 "\n", atomic_load(&flood_ok), atomic_load(&flood_failed));
}

static void verb_race(const char *line)
{
    char file[256];
    int rounds = 0;

    hush(true);
    if (sscanf(line, "%*s %255s %d", file, &rounds) == 2 && peer_race(&peer, file, rounds))
        printf("RACE OK\n");
    else
        printf("RACE BAD\n");
}

static const struct {
    const char *verb;
    void (*fn)(const int64_t *a);
} verbs[] = {
    {"write", verb_write}, {"settle", verb_settle}, {"release", verb_release},
    {"count", verb_count}, {"mark", verb_mark},     {"stat", verb_stat},
    {"hush", verb_hush},   {"clock", verb_clock},   {"disk", verb_disk},
    {"flood", verb_flood}, {"txn", verb_txn},       {"tcount", verb_tcount},
};

static void obey(const char *line)
{
    int64_t a[5] = {0};
    char verb[32] = "";

    sscanf(line, "%31s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, verb, &a[0],
           &a[1], &a[2], &a[3], &a[4]);
    if (strcmp(verb, "race") == 0) {
        verb_race(line);
        return;
    }
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].verb, verb) == 0) {
            verbs[i].fn(a);
            return;
        }
    printf("ERROR LS-CONFIG 0 no such verb: %s", line);
}

static bool open_peer(char **argv, struct error *err)
{
    struct db_config cfg;

    peer.name = argv[1];
    peer.expiry_us = strtoll(argv[2], NULL, 10) * US_PER_MS;
    peer.poll_us = strtoll(argv[3], NULL, 10) * US_PER_MS;
    mutex_init(&peer.turn);
    mutex_init(&peer.mutex);
    engine_config(&cfg);
    cfg.idle_in_txn_timeout_us = peer.expiry_us / 2; /* as a node does */
    return db_open(&cfg, &peer.db, err) && db_migrate(peer.db, NULL, err) &&
           lease_open(peer.db, peer.name, peer.expiry_us, peer.poll_us, &peer.lease, err);
}

int main(int argc, char **argv)
{
    struct thread runner = {0};
    char line[400];
    struct error e;

    if (argc != 4)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    hook_stopping = stopping;
    hook_continued = continued;
    peer.is_hushed = true;
    if (!open_peer(argv, &e) || !thread_start(&runner, "runner", run, NULL, &e)) {
        printf("ERROR %s 0 %s\n", error_id(e.code), e.cause);
        return 1;
    }
    printf("READY\n");
    while (fgets(line, sizeof(line), stdin))
        obey(line);
    mutex_lock(&peer.mutex);
    peer.is_ended = true;
    mutex_unlock(&peer.mutex);
    thread_join(&runner);
    lease_close(peer.lease);
    db_close(peer.db);
    return 0;
}
