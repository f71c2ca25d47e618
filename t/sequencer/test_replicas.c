/* test_replicas.c: replicas of one sequencer on one database.
 *
 *   alice --> replica 0 --+
 *                         +--> PostgreSQL
 *   bob   --> replica 1 --+
 */
#include "t/sequencer/harness.h"

#include "t/only.h"

#include "base/thread.h"
#include "sequencer/clock.h"
#include "sequencer/node_store.h"
#include "wire/messages.h"

struct pair {
    struct rig r;
    struct node alice, bob;
    struct session a0, a1, b0, b1;
};

static void pair_open(struct pair *p)
{
    rig_open(&p->r);
    for (int i = 0; i < 2; i++) {
        replica_open(&p->r, i, NULL);
        replica_await_active(&p->r, i);
    }
    participant_onboard(&p->r, 0, &p->alice, "alice");
    participant_onboard(&p->r, 1, &p->bob, "bob");
    session_open(&p->r, 0, &p->alice, &p->a0);
    p->a1 = p->a0; /* a token from one replica is good at the other */
    p->a1.channel = p->r.replicas[1].channel;
    session_open(&p->r, 1, &p->bob, &p->b1);
    p->b0 = p->b1;
    p->b0.channel = p->r.replicas[0].channel;
}

static void pair_close(struct pair *p)
{
    node_close(&p->alice);
    node_close(&p->bob);
    rig_close(&p->r);
}

static bool is_topology(const struct event *e)
{
    enum message_kind kind;
    struct batch b = {0};
    struct error err;

    if (e->is_error || !batch_open(&e->batch, BATCH_LIMIT, &b, &err))
        return false;
    bool yes = b.n == 1 &&
               message_kind_of(buffer_bytes(&b.envelopes[0].content), false, &kind, NULL) &&
               kind == MESSAGE_TOPOLOGY;
    batch_free(&b);
    return yes;
}

/* The bytes of the next n letters, topology left out. */
static struct buffer letters(struct feed *f, size_t n)
{
    struct buffer out = BUFFER_INIT;

    for (size_t i = 0; i < n;) {
        struct event e = feed_next(f);
        if (!is_topology(&e)) {
            buffer_append(&out, e.raw.data, e.raw.len);
            i++;
        }
        event_free(&e);
    }
    return out;
}

static struct sequencer_status status_of(const struct rig *r, int i)
{
    struct sequencer_status s;

    sequencer_status(r->replicas[i].seq, &s);
    return s;
}

struct sender {
    const struct session *s;
    const char *to, *content;
    int n;
};

static void *send_many(void *ctx)
{
    struct sender *s = ctx;

    for (int i = 0; i < s->n; i++)
        letter_send_ok(s->s, &(struct letter){
                                 .message_id = "m", .content = s->content, .recipients = {s->to}});
    return NULL;
}

static void both_replicas_give_the_same_bytes_in_the_same_order(void **state)
{
    struct thread threads[2] = {0};
    struct error e;
    struct pair p;

    (void)state;
    pair_open(&p);
    struct sender from[2] = {{&p.a0, p.bob.member, "from alice", 50},
                             {&p.b1, p.bob.member, "from bob", 50}};
    struct feed *f0 = feed_open(&p.b0, NULL), *f1 = feed_open(&p.b1, NULL);
    for (int i = 0; i < 2; i++)
        must(thread_start(&threads[i], "send", send_many, &from[i], &e), &e);
    struct buffer l0 = letters(f0, 100), l1 = letters(f1, 100);
    for (int i = 0; i < 2; i++)
        thread_join(&threads[i]);
    assert_int_equal(l0.len, l1.len);
    assert_memory_equal(l0.data, l1.data, l0.len);
    await(status_of(&p.r, 0).applied_ts == status_of(&p.r, 1).applied_ts);
    struct sequencer_status s0 = status_of(&p.r, 0), s1 = status_of(&p.r, 1);
    assert_memory_equal(s0.digest, s1.digest, 32);
    assert_int_equal(s0.online_nodes, 2);
    assert_int_not_equal(s0.node_index, s1.node_index);
    feed_close(f0);
    feed_close(f1);
    buffer_free(&l0);
    buffer_free(&l1);
    pair_close(&p);
}

static void a_request_sent_to_both_is_delivered_once(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p);
    struct letter l = {.message_id = "d",
                       .content = "once",
                       .recipients = {p.bob.member},
                       .rule = AGGREGATION_DEDUP,
                       .is_signed = true,
                       .max_sequencing_time = clock_now_us() + 60 * US_PER_S};
    struct feed *fa = feed_open(&p.a0, NULL), *fb = feed_open(&p.b1, NULL);
    letter_send_ok(&p.a0, &l);
    letter_send_ok(&p.a1, &l);
    letter_send_ok(&p.a0, &(struct letter){
                              .message_id = "end", .content = "end", .recipients = {p.bob.member}});
    int delivered = 0, errors = 0;
    for (bool end = false; !end;) {
        struct event e = feed_next(fb);
        struct batch b = {0};
        struct error err;
        if (!is_topology(&e)) {
            must(batch_open(&e.batch, BATCH_LIMIT, &b, &err), &err);
            end = bytes_equal(buffer_bytes(&b.envelopes[0].content), bytes_str("end"));
            delivered += !end;
            batch_free(&b);
        }
        event_free(&e);
    }
    for (int i = 0; i < 3;) {
        struct event e = feed_next(fa);
        errors += e.is_error;
        i += !is_topology(&e);
        event_free(&e);
    }
    assert_int_equal(delivered, 1);
    assert_int_equal(errors, 1);
    feed_close(fa);
    feed_close(fb);
    pair_close(&p);
}

static bool is_sent(const struct session *s, const struct letter *l)
{
    struct rpc_result *r = letter_send(s, l);
    bool yes = r->code == RPC_OK;

    rpc_result_free(r);
    return yes;
}

static void a_replica_that_was_marked_offline_drops_nothing_and_comes_back(void **state)
{
    struct watermark rows[SEQUENCER_NODES_MAX];
    int64_t version = 0;
    struct error e;
    struct pair p;
    bool done = false;
    size_t n;

    (void)state;
    pair_open(&p);
    struct feed *f = feed_open(&p.b1, NULL);
    letter_send_ok(
        &p.a0,
        &(struct letter){.message_id = "1", .content = "before", .recipients = {p.bob.member}});
    int index = status_of(&p.r, 0).node_index;
    while (!done) { /* its beat may be faster than we */
        must(node_store_read(p.r.replicas[1].db, rows, SEQUENCER_NODES_MAX, &n, &version, &e), &e);
        for (size_t i = 0; i < n && !done; i++) {
            if (rows[i].node_index == index)
                must(node_store_reap(p.r.replicas[1].db, &rows[i], US_PER_S, &done, &e), &e);
        }
    }
    /* A send right now is refused or committed, never in between. */
    struct rpc_result *r = letter_send(
        &p.a0,
        &(struct letter){.message_id = "2", .content = "in between", .recipients = {p.bob.member}});
    bool was_taken = r->code == RPC_OK;
    if (!was_taken) {
        assert_int_equal(r->code, RPC_UNAVAILABLE);
        assert_string_equal(result_reason(r), "SEQUENCER_UNAVAILABLE");
    }
    rpc_result_free(r);
    struct letter last = {.message_id = "3", .content = "after", .recipients = {p.bob.member}};
    await(is_sent(&p.a0, &last));
    struct feed *f0 = feed_open(&p.b0, NULL);
    size_t expected = was_taken ? 3 : 2;
    struct buffer l1 = letters(f, expected), l0 = letters(f0, expected);
    assert_int_equal(l0.len, l1.len);
    assert_memory_equal(l0.data, l1.data, l0.len);
    buffer_free(&l0);
    buffer_free(&l1);
    feed_close(f);
    feed_close(f0);
    pair_close(&p);
}

static void a_dead_node_holds_readers_back_for_no_longer_than_the_expiry(void **state)
{
    struct watermark rows[SEQUENCER_NODES_MAX];
    struct node_claim ghost;
    int64_t version = 0, start = 0;
    struct error e;
    struct pair p;
    size_t n;

    (void)state;
    pair_open(&p);
    struct feed *f = feed_open(&p.b1, NULL);
    must(node_store_read(p.r.replicas[0].db, rows, SEQUENCER_NODES_MAX, &n, &version, &e), &e);
    int index = 0;
    for (size_t i = 0; i < n; i++)
        index += rows[i].node_index == index ? 1 : 0;
    for (size_t i = 0; i < n; i++)
        index += rows[i].node_index == index ? 1 : 0;
    must(node_store_claim(p.r.replicas[0].db, index, NULL, 0, &ghost, &e), &e);
    must(node_store_start(p.r.replicas[0].db, &ghost, 0, &start, &e), &e);
    int64_t began = clock_mono_us();
    letter_send_ok(
        &p.a0,
        &(struct letter){.message_id = "1", .content = "held up", .recipients = {p.bob.member}});
    assert_true(clock_mono_us() - began < US_PER_S / 2); /* the answer waits for nobody */
    struct buffer l = letters(f, 1);
    int64_t took = clock_mono_us() - began;
    assert_true(took > US_PER_S / 2); /* it was the ghost that held it up */
    assert_true(took < 5 * US_PER_S);
    buffer_free(&l);
    /* And the ghost can never write again. */
    struct log_row row = {start + 1000 + index, ENTRY_SUBMISSION, 0, bytes_str("x")};
    assert_false(log_store_append(p.r.replicas[0].db, &ghost, &row, 1, US_PER_S, &e));
    assert_int_equal(e.code, ERR_FENCED);
    feed_close(f);
    pair_close(&p);
}

/* A session that has the row of a node locked and waits for its client: what a process leaves that
 * is stopped between two packets. */
struct stopped {
    struct db *db;
    struct thread thread;
    txn_fn *fn;
    int index;
    struct node_claim claim;
    struct mutex m;
    struct cond changed;
    bool is_locked, may_end, was_ended;
};

static bool stop_here(struct stopped *s)
{
    mutex_lock(&s->m);
    s->is_locked = true;
    cond_broadcast(&s->changed);
    while (!s->may_end)
        cond_wait(&s->changed, &s->m);
    mutex_unlock(&s->m);
    return true;
}

static bool lock_row(struct txn *t, void *ctx, struct error *err)
{
    static const uint8_t nobody[HOLDER_LEN];
    struct stopped *s = ctx;
    struct watermark rows[SEQUENCER_NODES_MAX];
    int64_t version = 0;
    size_t n = 0;

    if (!node_store_read(s->db, rows, SEQUENCER_NODES_MAX, &n, &version, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].node_index != s->index)
            continue;
        const struct value v[] = {value_i64(s->index), value_i64(rows[i].epoch),
                                  value_bytes(bytes_of(rows[i].holder, HOLDER_LEN)),
                                  value_bytes(bytes_of(nobody, HOLDER_LEN))};
        if (!txn_exec(t, "sequencer_node_settle", v, 4, NULL, err))
            return false;
    }
    return stop_here(s);
}

/* Claims its index again, and is stopped before that is committed. */
static bool claim_row(struct txn *t, void *ctx, struct error *err)
{
    struct stopped *s = ctx;
    const struct value v[] = {value_i64(s->index), value_i64(s->claim.fence.epoch),
                              fence_holder(&s->claim.fence)};

    return txn_exec(t, "sequencer_node_claim", v, 3, NULL, err) && stop_here(s);
}

static void *run_stopped(void *ctx)
{
    struct stopped *s = ctx;
    struct error e;

    s->was_ended = !db_txn(s->db, 60 * US_PER_S, s->fn, s, &e);
    return NULL;
}

/* Its session stays as it is: the server does not end it. */
static void stopped_start(struct stopped *s, const struct rig *r, int index, txn_fn *fn)
{
    struct db_config cfg;
    struct error e;
    char buf[512];

    replica_db_config(r, &cfg, buf, sizeof(buf));
    cfg.idle_in_txn_timeout_us = 120 * US_PER_S;
    must(db_open(&cfg, &s->db, &e), &e);
    mutex_init(&s->m);
    cond_init(&s->changed);
    s->index = index;
    s->fn = fn;
    must(thread_start(&s->thread, "stopped", run_stopped, s, &e), &e);
    mutex_lock(&s->m);
    while (!s->is_locked)
        cond_wait(&s->changed, &s->m);
    mutex_unlock(&s->m);
}

static void stopped_end(struct stopped *s)
{
    mutex_lock(&s->m);
    s->may_end = true;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->m);
    thread_join(&s->thread);
    db_close(s->db);
}

static void a_dead_node_whose_row_is_locked_is_marked_offline_all_the_same(void **state)
{
    struct stopped s = {0};
    struct pair p;

    (void)state;
    pair_open(&p);
    struct feed *f = feed_open(&p.b1, NULL);
    stopped_start(&s, &p.r, status_of(&p.r, 0).node_index, lock_row);
    int64_t began = clock_mono_us();
    letter_send_ok(
        &p.a1,
        &(struct letter){.message_id = "1", .content = "held up", .recipients = {p.bob.member}});
    struct buffer l = letters(f, 1);
    assert_true(clock_mono_us() - began < 5 * US_PER_S);
    stopped_end(&s);
    assert_true(s.was_ended);
    buffer_free(&l);
    feed_close(f);
    pair_close(&p);
}

static void a_clock_that_is_far_ahead_cannot_poison_the_log(void **state)
{
    struct node_claim c;
    int64_t start = 0, ahead;
    struct error e;
    struct pair p;

    (void)state;
    pair_open(&p);
    int index = (status_of(&p.r, 0).node_index + 1) % 10;
    index = index == status_of(&p.r, 1).node_index ? (index + 1) % 10 : index;
    must(node_store_claim(p.r.replicas[0].db, index, NULL, 0, &c, &e), &e);
    must(node_store_start(p.r.replicas[0].db, &c, 0, &start, &e), &e);
    ahead = clock_now_us() + 3600 * US_PER_S;
    struct log_row row = {ahead, ENTRY_TICK, 0, bytes_of("\1\0\0\0\0", 5)};
    assert_false(log_store_append(p.r.replicas[0].db, &c, &row, 1, 500000, &e));
    assert_int_equal(e.code, ERR_FENCED);
    row.ts = start + 10; /* and nothing was written or moved */
    must(log_store_append(p.r.replicas[0].db, &c, &row, 1, 500000, &e), &e);
    pair_close(&p);
}

/* Comes and goes, and writes a little each time. */
struct visitor {
    struct db *db;
    int index, n_visits, n_rows;
    bool has_failed, is_done;
};

static bool visit(struct visitor *v, struct error *err)
{
    struct watermark rows[SEQUENCER_NODES_MAX];
    const struct watermark *seen = NULL;
    static const uint8_t digest[32];
    struct node_claim c;
    struct seq_clock clock;
    int64_t version = 0, start, ts;
    size_t n;

    if (!node_store_read(v->db, rows, SEQUENCER_NODES_MAX, &n, &version, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].node_index == v->index)
            seen = &rows[i];
    }
    if (!node_store_claim(v->db, v->index, seen, 0, &c, err) ||
        !node_store_start(v->db, &c, 0, &start, err))
        return false;
    seq_clock_init(&clock, v->index, 10, start);
    for (int i = 0; i < 3; i++) {
        /* Its clock is behind: all depends on where it starts. */
        if (!seq_clock_take(&clock, start - US_PER_S, 1, &ts, err))
            return false;
        struct log_row row = {ts, ENTRY_TICK, 0, bytes_of("\1\0\0\0\0", 5)};
        if (!log_store_append(v->db, &c, &row, 1, 500000, err))
            return false;
        v->n_rows++;
    }
    return node_store_leave(v->db, &c, 0, digest, err);
}

static void *visit_often(void *ctx)
{
    struct visitor *v = ctx;
    struct error err = {0};

    for (int i = 0; i < v->n_visits && !v->has_failed; i++)
        v->has_failed = !visit(v, &err) && err.code != ERR_FENCED; /* marked offline by load */
    if (v->has_failed)
        fprintf(stderr, "visitor: %s\n", err.cause);
    __atomic_store_n(&v->is_done, true, __ATOMIC_RELEASE);
    return NULL;
}

/* What a tailer would read, as it reads it. */
struct follower {
    struct frontier frontier;
    int64_t read_ts, *list;
    size_t n, cap;
};

static void follow_on(struct follower *f, struct db *db)
{
    struct watermark rows[SEQUENCER_NODES_MAX];
    int64_t version = 0;
    bool is_cut = true;
    struct error e;
    size_t n;

    must(node_store_read(db, rows, SEQUENCER_NODES_MAX, &n, &version, &e), &e);
    if (!frontier_advance(&f->frontier, rows, n))
        return;
    while (is_cut) {
        struct log_page page = {0};
        must(
            log_store_read(db, f->read_ts, f->frontier.safe_ts, -1, 0, -1, 500, 1 << 20, &page, &e),
            &e);
        for (size_t i = 0; i < page.n; i++) {
            if (f->n == f->cap) {
                f->cap = f->cap ? 2 * f->cap : 1024;
                f->list = realloc(f->list, f->cap * sizeof *f->list);
                assert_non_null(f->list);
            }
            f->list[f->n++] = f->read_ts = page.at[i].ts;
        }
        is_cut = page.is_cut;
        log_page_free(&page);
    }
    f->read_ts = f->frontier.safe_ts;
}

static void nothing_appears_behind_a_reader_however_nodes_come_and_go(void **state)
{
    struct follower often = {.read_ts = 0}, once = {.read_ts = 0};
    struct visitor v[2] = {{.n_visits = 150}, {.n_visits = 150}};
    struct thread threads[3] = {0};
    struct error e;
    struct pair p;

    (void)state;
    pair_open(&p);
    struct sender from = {&p.a0, p.bob.member, "load", 150};
    for (int i = 0, index = 0; i < 2; index++) {
        if (index == status_of(&p.r, 0).node_index || index == status_of(&p.r, 1).node_index)
            continue;
        v[i].db = p.r.replicas[i].db;
        v[i].index = index;
        must(thread_start(&threads[i], "visit", visit_often, &v[i], &e), &e);
        i++;
    }
    must(thread_start(&threads[2], "send", send_many, &from, &e), &e);
    while (!__atomic_load_n(&v[0].is_done, __ATOMIC_ACQUIRE) ||
           !__atomic_load_n(&v[1].is_done, __ATOMIC_ACQUIRE))
        follow_on(&often, p.r.replicas[0].db);
    for (int i = 0; i < 3; i++)
        thread_join(&threads[i]);
    follow_on(&often, p.r.replicas[0].db);
    once.frontier.safe_ts = 0;
    follow_on(&once, p.r.replicas[0].db);
    assert_false(v[0].has_failed || v[1].has_failed);
    assert_true(v[0].n_rows > 100 && v[1].n_rows > 100);
    assert_true(once.n >= often.n);
    assert_memory_equal(once.list, often.list, often.n * sizeof *often.list);
    free(once.list);
    free(often.list);
    pair_close(&p);
}

static int free_index(const struct pair *p)
{
    int index = 0;

    while (index == status_of(&p->r, 0).node_index || index == status_of(&p->r, 1).node_index)
        index++;
    return index;
}

static void who_joins_late_starts_above_what_was_read_meanwhile(void **state)
{
    struct watermark rows[SEQUENCER_NODES_MAX];
    struct follower reader = {.read_ts = 0};
    struct stopped s = {0};
    int64_t version = 0, start = 0;
    struct error e = {0};
    struct pair p;
    size_t n;

    (void)state;
    pair_open(&p);
    struct visitor v = {.db = p.r.replicas[0].db, .index = free_index(&p)};
    must(visit(&v, &e), &e);
    must(node_store_read(v.db, rows, SEQUENCER_NODES_MAX, &n, &version, &e), &e);
    s.claim.node_index = v.index;
    int64_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].node_index == v.index)
            s.claim.fence.epoch = rows[i].epoch;
        largest = rows[i].ts > largest ? rows[i].ts : largest;
    }
    memset(s.claim.fence.holder, 7, HOLDER_LEN);
    stopped_start(&s, &p.r, v.index, claim_row);
    await((follow_on(&reader, v.db), reader.frontier.safe_ts > largest + US_PER_S / 4));
    stopped_end(&s);
    assert_false(s.was_ended);
    s.claim.fence.epoch++;
    must(node_store_start(v.db, &s.claim, 0, &start, &e), &e);
    assert_true(start >= reader.frontier.safe_ts);
    free(reader.list);
    pair_close(&p);
}

static void a_clean_stop_delays_nobody(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p);
    struct feed *f = feed_open(&p.b1, NULL);
    replica_stop(&p.r, 0);
    int64_t began = clock_mono_us();
    letter_send_ok(
        &p.a1, &(struct letter){.message_id = "1", .content = "x", .recipients = {p.bob.member}});
    struct buffer l = letters(f, 1);
    assert_true(clock_mono_us() - began < US_PER_S / 2);
    buffer_free(&l);
    feed_close(f);
    pair_close(&p);
}

/* While the script beside this breaks every connection of the database again and again: what was
 * answered OK is in the order once, what was answered UNAVAILABLE never, whatever happened to the
 * answer of the commit. */
static void answers_tell_the_truth_while_connections_break(void **state)
{
    enum { SENDS = 400 };
    static bool ok[SENDS], refused[SENDS];
    static int seen[SENDS];
    struct pair p;
    int n_ok = 0;

    (void)state;
    const char *flag = getenv("LS_TEST_BREAKS"); /* they break while this file is there */
    if (!flag)
        skip();
    pair_open(&p);
    FILE *file = fopen(flag, "w");
    assert_non_null(file);
    fclose(file);
    for (int i = 0; i < SENDS; i++) {
        char content[16];
        snprintf(content, sizeof(content), "n%d", i);
        struct rpc_result *r = letter_send(
            i % 2 ? &p.a1 : &p.a0,
            &(struct letter){.message_id = "m", .content = content, .recipients = {p.bob.member}});
        ok[i] = r->code == RPC_OK;
        refused[i] = r->code == RPC_UNAVAILABLE;
        if (!ok[i] && !refused[i])
            fail_msg("%d: %s %s", i, rpc_code_text(r->code), r->message);
        n_ok += ok[i];
        rpc_result_free(r);
    }
    assert_int_equal(remove(flag), 0);
    struct letter last = {.message_id = "m", .content = "end", .recipients = {p.bob.member}};
    await(is_sent(&p.a0, &last));
    struct feed *f = feed_open(&p.b1, NULL);
    for (bool end = false; !end;) {
        struct event e = feed_next(f);
        struct batch b = {0};
        struct error err;
        if (!is_topology(&e)) {
            must(batch_open(&e.batch, BATCH_LIMIT, &b, &err), &err);
            buffer_append_byte(&b.envelopes[0].content, 0);
            const char *content = (const char *)b.envelopes[0].content.data;
            end = strcmp(content, "end") == 0;
            if (!end)
                seen[atoi(content + 1)]++;
            batch_free(&b);
        }
        event_free(&e);
    }
    for (int i = 0; i < SENDS; i++) {
        if ((ok[i] && seen[i] != 1) || (refused[i] && seen[i] != 0))
            fail_msg("send %d was answered %s and is there %d times", i,
                     ok[i] ? "OK" : "UNAVAILABLE", seen[i]);
    }
    print_message("%d of %d were taken\n", n_ok, SENDS);
    assert_true(n_ok > 0);
    feed_close(f);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_replicas_give_the_same_bytes_in_the_same_order),
        cmocka_unit_test(a_request_sent_to_both_is_delivered_once),
        cmocka_unit_test(a_replica_that_was_marked_offline_drops_nothing_and_comes_back),
        cmocka_unit_test(a_dead_node_holds_readers_back_for_no_longer_than_the_expiry),
        cmocka_unit_test(a_dead_node_whose_row_is_locked_is_marked_offline_all_the_same),
        cmocka_unit_test(a_clock_that_is_far_ahead_cannot_poison_the_log),
        cmocka_unit_test(nothing_appears_behind_a_reader_however_nodes_come_and_go),
        cmocka_unit_test(who_joins_late_starts_above_what_was_read_meanwhile),
        cmocka_unit_test(a_clean_stop_delays_nobody),
        cmocka_unit_test(answers_tell_the_truth_while_connections_break),
    };
    test_only();
    return cmocka_run_group_tests_name("replicas", tests, NULL, NULL);
}
