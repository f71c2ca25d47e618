/* fault_client.c: a database client that does what it is told on standard input, one verb a line,
 * and answers one line each: "OK [value]" or "LS-CODE cause". For t/storage/faults.sh, which hurts
 * the server meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "storage/lease.h"
#include "storage/migrate.h"

#include "engine.h"

struct client {
    struct db *db;
    struct lease *lease;
    int64_t watermark;
    struct error err;
    int64_t value;
};

static const uint8_t holder[16] = {3, 1, 4};

static bool first_i64(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

static bool node(struct client *c, int64_t arg)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_bytes(bytes_of(holder, 16))};

    (void)arg;
    return db_exec(c->db, "t_node_create", v, 3, 0, NULL, &c->err);
}

static bool fenced_within(struct client *c, int64_t ts, int64_t timeout_us)
{
    const struct value v[] = {value_i64(++c->watermark), value_i64(1), value_i64(1),
                              value_bytes(bytes_of(holder, 16))};
    const struct value row[] = {value_i64(ts), value_i64(1), value_null(),
                                value_bytes(bytes_of("x", 1))};

    return db_fenced(c->db, "t_log_fenced", v, 4, row, 1, timeout_us, NULL, &c->err);
}

/* fenced TS: one log row. */
static bool fenced(struct client *c, int64_t ts)
{
    return fenced_within(c, ts, US_PER_S);
}

/* patient TS: the same, waiting longer than the server does. */
static bool patient(struct client *c, int64_t ts)
{
    return fenced_within(c, ts, 10 * US_PER_S);
}

static bool txn_body(struct txn *t, void *ctx, struct error *err)
{
    const struct value v[] = {value_i64(*(int64_t *)ctx), value_null(), value_null(), value_null()};

    return txn_exec(t, "t_value_insert", v, 4, NULL, err);
}

/* txn ID: one row in a transaction. */
static bool in_txn(struct client *c, int64_t id)
{
    return db_txn(c->db, US_PER_S, txn_body, &id, &c->err);
}

static bool count(struct client *c, int64_t arg)
{
    (void)arg;
    return db_query(c->db, "t_log_count", NULL, 0, 5 * US_PER_S, first_i64, &c->value, &c->err);
}

static bool count_values(struct client *c, int64_t arg)
{
    (void)arg;
    return db_query(c->db, "t_value_count", NULL, 0, 5 * US_PER_S, first_i64, &c->value, &c->err);
}

/* backend: the server's process behind an idle connection of ours. */
static bool backend(struct client *c, int64_t arg)
{
    (void)arg;
    return db_query(c->db, "t_backend", NULL, 0, 0, first_i64, &c->value, &c->err);
}

/* win MS: steps the lease until it is won, or for so long. */
static bool win(struct client *c, int64_t ms)
{
    const int64_t end = clock_mono_us() + ms * US_PER_MS;
    enum lease_change change = LEASE_SAME;

    while (clock_mono_us() < end) {
        if (lease_step(c->lease, &change, &c->err) && change == LEASE_WON)
            return true;
        const struct timespec t = {0, 100 * 1000 * 1000}; /* the runner's interval */
        nanosleep(&t, NULL);
    }
    return error_set(&c->err, ERR_TIMEOUT, NULL, "not won");
}

static bool settle(struct client *c, int64_t arg)
{
    struct fence f;

    (void)arg;
    return lease_settle(c->lease, &f, &c->err);
}

/* leased ID: an update under the lease's fence, whose answer is a row. */
static bool leased(struct client *c, int64_t id)
{
    struct fence f = {0};

    if (!lease_held(c->lease, &f))
        return error_set(&c->err, ERR_FENCED, NULL, "not the holder");
    const struct value v[] = {value_text("fault"), value_i64(f.epoch), fence_holder(&f),
                              value_i64(id), value_i64(8)};
    return db_fenced(c->db, "t_value_fenced", v, 5, NULL, 0, 10 * US_PER_S, &c->value, &c->err);
}

static const struct {
    const char *verb;
    bool (*fn)(struct client *c, int64_t arg);
} verbs[] = {
    {"node", node},     {"fenced", fenced},       {"patient", patient}, {"txn", in_txn},
    {"count", count},   {"values", count_values}, {"backend", backend}, {"win", win},
    {"leased", leased}, {"settle", settle},
};

static void answer(struct client *c, const char *verb, int64_t arg)
{
    const int64_t start = clock_mono_us();

    c->value = 0;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].verb, verb) != 0)
            continue;
        if (verbs[i].fn(c, arg))
            printf("OK %" PRId64 "\n", c->value);
        else
            printf("%s after %" PRId64 " ms: %s\n", error_id(c->err.code),
                   (clock_mono_us() - start) / US_PER_MS, c->err.cause);
        return;
    }
    printf("no such verb\n");
}

int main(void)
{
    struct client c = {0};
    struct db_config cfg;
    char line[128], verb[32];

    setvbuf(stdout, NULL, _IOLBF, 0);
    engine_config(&cfg);
    cfg.pool_max = 2;
    cfg.statement_timeout_us = 2 * US_PER_S;
    cfg.login_timeout_us = 2 * US_PER_S;
    if (!db_open(&cfg, &c.db, &c.err) || !db_migrate(c.db, NULL, &c.err) ||
        !lease_open(c.db, "fault", 900 * US_PER_MS, 100 * US_PER_MS, &c.lease, &c.err)) {
        printf("%s %s\n", error_id(c.err.code), c.err.cause);
        return 1;
    }
    printf("READY\n");
    while (fgets(line, sizeof(line), stdin)) {
        int64_t arg = 0;
        if (sscanf(line, "%31s %" SCNd64, verb, &arg) >= 1)
            answer(&c, verb, arg);
    }
    lease_close(c.lease);
    db_close(c.db);
    return 0;
}
