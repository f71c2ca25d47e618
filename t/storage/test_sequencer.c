/* test_sequencer.c: the rows of the sequencer, by its stores. */
#include "sequencer/member_store.h"
#include "sequencer/node_store.h"
#include "sequencer/synchronizer_store.h"
#include "storage/migrate.h"
#include "suite.h"

#define START   INT64_C(1700000000000000)
#define SKEW_US (500 * US_PER_MS)

static struct db *db; /* a place of its own: its tables begin empty */

static int open_db(void **state)
{
    struct db_config cfg;
    struct error e;

    (void)state;
    engine_elsewhere(&cfg, "sequencer");
    assert_done(db_open(&cfg, &db, &e));
    assert_done(db_migrate(db, NULL, &e));
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    db_close(db);
    db = NULL;
    return 0;
}

/* n characters of four bytes. */
static void fill_text(char *out, size_t n)
{
    for (size_t i = 0; i < 4 * n; i++)
        out[i] = "\xf0\x9f\x98\x80"[i % 4];
    out[4 * n] = '\0';
}

/* The first rule: later ones need its row. */
static void a_synchronizer_is_written_once(void **state)
{
    static char psid[4 * 384 + 1], uid[4 * 301 + 1];
    struct synchronizer s = {.psid = psid,
                             .sequencer_uid = uid,
                             .total_node_count = 10,
                             .start_ts = START,
                             .token_key = {1, 0, 3}};
    struct synchronizer found;
    struct log_page page = {0};
    struct error e;
    bool is_there = true;

    (void)state;
    check_done(synchronizer_store_read(db, &found, &is_there, &e));
    check(!is_there);
    fill_text(psid, 384);
    fill_text(uid, 301);
    buffer_append(&s.static_params, "a\0b", 3);
    for (size_t i = 0; i < ((size_t)10 << 20) / 8; i++) /* 10 MiB */
        buffer_append(&s.genesis, "\0\xff\x7f\\'\"\x80\n", 8);
    check_refused(synchronizer_store_write(db, &s, &e), ERR_LIMIT);
    check_says(e.cause, "sequencer_uid has 301 characters, at most 300");
    uid[4 * 300] = '\0';
    check_done(synchronizer_store_write(db, &s, &e));
    check_refused(synchronizer_store_write(db, &s, &e), ERR_DUPLICATE);
    check_done(synchronizer_store_read(db, &found, &is_there, &e));
    check(is_there);
    check_text(found.psid, psid);
    check_text(found.sequencer_uid, uid);
    check_int(found.total_node_count, 10);
    check_int(found.start_ts, START);
    check(memcmp(found.token_key, s.token_key, sizeof(s.token_key)) == 0);
    check(bytes_equal(buffer_bytes(&found.static_params), buffer_bytes(&s.static_params)));
    check(bytes_equal(buffer_bytes(&found.genesis), buffer_bytes(&s.genesis)));
    called(synchronizer_free(&found));
    check_int(found.genesis.len, 0);
    check_done(log_store_row(db, START, &page, &e)); /* written with it */
    check_int(page.at[0].kind, ENTRY_RULE_VERSION);
    check((log_page_free(&page), page.n == 0));
    buffer_free(&s.static_params);
    buffer_free(&s.genesis);
}

/* ---- nodes and the log ---- */

static const struct watermark *node_at(int index, struct watermark all[SEQUENCER_NODES_MAX])
{
    int64_t version = 0;
    struct error e;
    size_t n = 0;

    check_done(node_store_read(db, all, SEQUENCER_NODES_MAX, &n, &version, &e));
    for (size_t i = 0; i < n; i++)
        if (all[i].node_index == index)
            return &all[i];
    return NULL;
}

static void a_node_index_is_a_lease(void **state)
{
    struct watermark all[SEQUENCER_NODES_MAX];
    const uint8_t digest[32] = {9};
    struct node_claim a, old, b;
    struct error e;
    int64_t start = 0, own = 0;
    bool done = true;

    (void)state;
    check(!node_at(0, all));
    check_done(node_store_claim(db, 0, NULL, START, &a, &e));
    check_refused(node_store_claim(db, 0, NULL, START, &b, &e), ERR_FENCED);
    check_done(node_store_start(db, &a, START + 50, &start, &e));
    check_int(start, START + 50);
    check_done(node_store_own(db, &a, &own, &e));
    check_int(own, start);
    const struct watermark *seen = node_at(0, all);
    check(seen && seen->is_online && seen->epoch == 1);
    check_done(node_store_beat(db, &a, START + 60, SKEW_US, START + 55, digest, &e));
    check_done(node_store_reap(db, seen, US_PER_S, &done, &e)); /* it has moved since: it lives */
    check(!done);
    old = a;
    check_done(node_store_settle(db, &a, &e));
    check_int(a.fence.epoch, old.fence.epoch + 1);
    check_refused(node_store_beat(db, &old, START + 70, SKEW_US, START, digest, &e), ERR_FENCED);
    check_refused(node_store_own(db, &old, &own, &e), ERR_FENCED);
    check_refused(node_store_beat(db, &a, START + 60, SKEW_US, START, digest, &e), ERR_FENCED);
    check_done(node_store_beat(db, &a, START + 70, SKEW_US, START, digest, &e));
    /* far ahead of the engine's clock and of every watermark */
    const int64_t ahead = clock_now_us() + 60 * US_PER_S;
    check_refused(node_store_beat(db, &a, ahead, SKEW_US, START, digest, &e), ERR_FENCED);
    check_done(node_store_reap(db, node_at(0, all), US_PER_S, &done, &e));
    check(done);
    check_refused(node_store_leave(db, &a, START, digest, &e), ERR_FENCED);
    seen = node_at(0, all);
    check(seen && !seen->is_online && seen->ts == START + 70);
    check_done(node_store_claim(db, 0, seen, START, &b, &e));
    check_refused(node_store_claim(db, 0, seen, START, &a, &e), ERR_FENCED);
    check_done(node_store_start(db, &b, START, &start, &e));
    check_int(start, START + 70); /* above all that was ever promised */
    check_done(node_store_leave(db, &b, START + 70, digest, &e));
    check(!node_at(0, all)->is_online);
    struct watermark few[1];
    size_t n;
    check_done(node_store_claim(db, 1, NULL, START, &b, &e));
    check_refused(node_store_read(db, few, 1, &n, &own, &e), ERR_LIMIT);
    check_done(node_store_leave(db, &b, START, digest, &e));
}

static struct node_claim claimed(int index)
{
    struct watermark all[SEQUENCER_NODES_MAX];
    struct node_claim c;
    struct error e;
    int64_t start;

    check_done(node_store_claim(db, index, node_at(index, all), START, &c, &e));
    check_done(node_store_start(db, &c, START, &start, &e));
    return c;
}

static void the_log_keeps_what_it_is_given(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 4, 255, 4000, 4001, 65537, 1 << 20, 10 << 20};
    struct node_claim c = claimed(2);
    const int64_t first = c.watermark + 10;
    uint8_t *big = malloc(sizes[RULES_N(sizes) - 1]);
    struct log_row rows[RULES_N(sizes)];
    struct log_page page = {0};
    struct error e;

    (void)state;
    check(big);
    for (size_t i = 0; i < sizes[RULES_N(sizes) - 1]; i++)
        big[i] = (uint8_t)(i % 251);
    for (size_t i = 0; i < RULES_N(sizes); i++)
        rows[i] = (struct log_row){first + (int64_t)i, ENTRY_SUBMISSION, i % 2 ? INT64_MAX : 0,
                                   bytes_of(big, sizes[i])};
    check_done(log_store_append(db, &c, rows, RULES_N(rows), SKEW_US, &e));
    check_int(c.watermark, first + (int64_t)RULES_N(rows) - 1);
    check_done(log_store_read(db, first - 1, INT64_MAX, 99, 0, 0, 100, SIZE_MAX, &page, &e));
    check_int(page.n, RULES_N(rows));
    for (size_t i = 0; i < page.n; i++) {
        check_int(page.at[i].ts, rows[i].ts);
        check_int(page.at[i].node_index, 2);
        check(bytes_equal(page.at[i].payload, rows[i].payload));
    }
    log_page_free(&page);
    /* pages: by rows, by bytes, without the own ones that are in memory */
    check_done(log_store_read(db, first - 1, INT64_MAX, 99, 0, 0, 3, SIZE_MAX, &page, &e));
    check(page.n == 3 && page.is_cut);
    log_page_free(&page);
    check_done(log_store_read(db, first - 1, INT64_MAX, 99, 0, 0, 100, 5, &page, &e));
    check(page.n == 3 && page.is_cut); /* 1 + 2 + 3 bytes */
    log_page_free(&page);
    check_done(log_store_read(db, first - 1, first + 5, 2, first + 1, first + 3, 100, SIZE_MAX,
                              &page, &e));
    check_int(page.n, 3);
    check_int(page.at[1].ts, first + 4);
    log_page_free(&page);
    check_refused(log_store_row(db, 1, &page, &e), ERR_NOT_FOUND);
    log_page_free(&page);
    free(big);
    const uint8_t digest[32] = {0};
    check_done(node_store_leave(db, &c, START, digest, &e));
}

static void an_append_is_all_or_fenced(void **state)
{
    struct node_claim c = claimed(3), old;
    const int64_t first = c.watermark + 10;
    struct log_row rows[] = {{first, ENTRY_TICK, 0, bytes_str("a")},
                             {first + 10, ENTRY_TICK, 0, bytes_str("b")}};
    struct log_page page = {0};
    struct error e;
    const uint8_t digest[32] = {0};

    (void)state;
    old = c;
    check_done(node_store_settle(db, &c, &e));
    check_refused(log_store_append(db, &old, rows, 2, SKEW_US, &e), ERR_FENCED);
    check_done(log_store_append(db, &c, rows, 1, SKEW_US, &e));
    struct node_claim behind = c;
    behind.watermark = first - 1; /* the database is not where it was left */
    check_refused(log_store_append(db, &behind, rows + 1, 1, SKEW_US, &e), ERR_FENCED);
    struct log_row twice[] = {{first + 20, ENTRY_TICK, 0, bytes_str("c")},
                              {first + 20, ENTRY_TICK, 0, bytes_str("d")}};
    check_refused(log_store_append(db, &c, twice, 2, SKEW_US, &e), ERR_DUPLICATE);
    rows[1].ts = clock_now_us() + 60 * US_PER_S;
    check_refused(log_store_append(db, &c, rows + 1, 1, SKEW_US, &e), ERR_FENCED);
    check_done(log_store_read(db, first - 1, INT64_MAX, 99, 0, 0, 100, SIZE_MAX, &page, &e));
    check_int(page.n, 1);
    log_page_free(&page);
    check_done(node_store_leave(db, &c, START, digest, &e));
}

/* ---- members ---- */

static void a_member_gets_one_number(void **state)
{
    static char name[4 * 301 + 1];
    struct member_info a, b, again;
    struct members *m, *other;
    struct watermark all[SEQUENCER_NODES_MAX];
    struct error e;
    size_t n;
    int64_t before = 0, after = 0;

    (void)state;
    check_done(members_open(db, &m, &e));
    check_done(members_open(db, &other, &e));
    check(!members_peek(m, "PAR::o'brien", &a));
    check_done(members_get(m, "PAR::o'brien", &a, &e));
    check(a.member_id > 0 && a.is_enabled && a.revocation_epoch == 0);
    fill_text(name, 300);
    check_done(members_get(m, name, &b, &e));
    check(b.member_id > 0 && b.member_id != a.member_id);
    fill_text(name, 301);
    check_refused(members_get(m, name, &b, &e), ERR_LIMIT);
    check_done(members_reload(other, &e));
    check(members_peek(other, "PAR::o'brien", &again) && again.member_id == a.member_id);
    check_done(node_store_read(db, all, SEQUENCER_NODES_MAX, &n, &before, &e));
    check_done(members_revoke(m, "PAR::o'brien", &e));
    check_done(node_store_read(db, all, SEQUENCER_NODES_MAX, &n, &after, &e));
    check_int(after, before + 1);                                /* the others are told */
    check_done(members_read(other, "PAR::o'brien", &again, &e)); /* before it has reloaded */
    check_int(again.revocation_epoch, 1);
    check_done(members_reload(other, &e));
    check(members_peek(other, "PAR::o'brien", &again) && again.revocation_epoch == 1);
    check((members_close(m), true));
    members_close(other);
}

struct naming {
    int64_t ids[10];
    struct error e;
};

static void *name_all(void *ctx)
{
    struct naming *x = ctx;
    struct members *m;
    bool ok = members_open(db, &m, &x->e);

    for (int i = 0; ok && i < 10; i++) {
        struct member_info info;
        char name[32];
        snprintf(name, sizeof(name), "PAR::race-%d", i);
        ok = members_get(m, name, &info, &x->e);
        x->ids[i] = info.member_id;
    }
    members_close(m);
    return ok ? NULL : x->e.cause;
}

static void replicas_agree_on_numbers(void **state)
{
    struct naming x[4];

    (void)state;
    memset(x, 0, sizeof(x));
    in_threads(name_all, x, sizeof(x[0]), 4);
    for (int i = 0; i < 10; i++) {
        for (int k = 1; k < 4; k++)
            check_int(x[k].ids[i], x[0].ids[i]);
        for (int k = 0; k < i; k++)
            check(x[0].ids[k] != x[0].ids[i]);
    }
}

static int64_t acked(int64_t member_id)
{
    const struct value id[] = {value_i64(member_id)};

    return query_i64(db, "t_ack_read", id, 1);
}

static void an_acknowledgement_never_goes_back(void **state)
{
    struct error e;

    (void)state;
    check_done(ack_store_write(db, 77, 100, &e));
    check_int(acked(77), 100);
    check_done(ack_store_write(db, 77, 50, &e));
    check_int(acked(77), 100);
    check_done(ack_store_write(db, 77, INT64_MAX, &e));
    check_int(acked(77), INT64_MAX);
    check_int(acked(78), INT64_MIN); /* no row */
}

static void a_challenge_is_used_once(void **state)
{
    uint8_t one[NONCE_LEN], two[NONCE_LEN];
    const int64_t now = START, life = US_PER_S;
    struct error e;
    bool is = true;

    (void)state;
    check_done(nonce_store_offer(db, "PAR::n", now, life, one, &e));
    check_done(nonce_store_offer(db, "PAR::n", now + 1, life, two, &e));
    check(memcmp(one, two, NONCE_LEN) == 0); /* the one that waits */
    check_done(nonce_store_check(db, "PAR::n", now, bytes_of(one, NONCE_LEN), &is, &e));
    check(is);
    check_done(nonce_store_check(db, "PAR::n", now + life, bytes_of(one, NONCE_LEN), &is, &e));
    check(!is); /* expired */
    check_done(nonce_store_take(db, "PAR::n", now + life, bytes_of(one, NONCE_LEN), &is, &e));
    check(!is);
    check_done(nonce_store_offer(db, "PAR::n", now + life, life, two, &e));
    check(memcmp(one, two, NONCE_LEN) != 0); /* a new one in its place */
    check_done(nonce_store_take(db, "PAR::n", now + life, bytes_of(one, NONCE_LEN), &is, &e));
    check(!is);
    check_done(nonce_store_take(db, "PAR::n", now + life, bytes_of(two, NONCE_LEN), &is, &e));
    check(is);
    check_done(nonce_store_take(db, "PAR::n", now + life, bytes_of(two, NONCE_LEN), &is, &e));
    check(!is);
}

struct taking {
    const uint8_t *nonce;
    bool won;
    struct error e;
};

static void *take_nonce(void *ctx)
{
    struct taking *t = ctx;

    return nonce_store_take(db, "PAR::race", START, bytes_of(t->nonce, NONCE_LEN), &t->won, &t->e)
               ? NULL
               : t->e.cause;
}

static void of_many_who_use_a_challenge_one_wins(void **state)
{
    uint8_t nonce[NONCE_LEN];
    struct taking t[6];
    struct error e;
    int won = 0;

    (void)state;
    check_done(nonce_store_offer(db, "PAR::race", START, US_PER_S, nonce, &e));
    memset(t, 0, sizeof(t));
    for (int i = 0; i < 6; i++)
        t[i].nonce = nonce;
    in_threads(take_nonce, t, sizeof(t[0]), 6);
    for (int i = 0; i < 6; i++)
        won += t[i].won;
    check_int(won, 1);
}

static const struct rule rules[] = {
    RULE(a_synchronizer_is_written_once),
    RULE(a_node_index_is_a_lease),
    RULE(the_log_keeps_what_it_is_given),
    RULE(an_append_is_all_or_fenced),
    RULE(a_member_gets_one_number),
    RULE(replicas_agree_on_numbers),
    RULE(an_acknowledgement_never_goes_back),
    RULE(a_challenge_is_used_once),
    RULE(of_many_who_use_a_challenge_one_wins),
};
const struct rules sequencer_rules = {"sequencer's rows", rules, RULES_N(rules), open_db, close_db};
