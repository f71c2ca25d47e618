/* The mediator's rows on a real engine: one fenced write, what a restart finds, what a fence stops.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mediator/mediator_store.h"
#include "t/storage/engine.h"

static struct db *db;
static struct lease *lease;
static struct fence fence;

static struct decision make(int64_t request_id, uint8_t uuid)
{
    struct decision d = {.request_id = request_id,
                         .outcome = OUTCOME_APPROVED,
                         .decided_ts = request_id + 1,
                         .decision_ts = request_id + 60,
                         .group = 0,
                         .is_sender = true,
                         .has_uuid = true,
                         .uuid_expires_ts = request_id + 1000};

    memset(d.uuid, uuid, sizeof(d.uuid));
    return d;
}

static void write_rows(const struct outbox_row *rows, size_t n, int64_t position_ts,
                       int64_t seen_ts)
{
    struct mediator_head h = {{true, position_ts, {{0x12, 0x20, 7}}}, seen_ts};
    struct error e;

    assert_done(outbox_store_write(db, &fence, rows, n, &h, &e));
}

struct seen {
    int64_t ids[600];
    enum verdict_state states[600];
    size_t n, n_participants;
    struct buffer content;
};

static bool see_verdict(void *ctx, enum verdict_state state, struct decision **d, struct error *err)
{
    struct seen *s = ctx;

    s->ids[s->n] = (*d)->request_id;
    s->states[s->n++] = state;
    s->n_participants = (*d)->n_participants;
    buffer_clear(&s->content);
    buffer_append_bytes(&s->content, buffer_bytes(&(*d)->content));
    return buffer_ok(&s->content, err);
}

/* The verdicts that a restart at this position has to know. */
static void see(int64_t position_ts, int64_t seen_ts, struct seen *s)
{
    struct mediator_head h = {{true, position_ts, {{0x12, 0x20}}}, seen_ts};
    struct error e;

    s->n = 0;
    assert_done(verdict_store_each(db, &h, see_verdict, s, &e));
}

static bool see_uuid(void *ctx, const uint8_t uuid[UUID_LEN], int64_t expires_ts, struct error *err)
{
    (void)err;
    (void)expires_ts;
    *(int *)ctx += uuid[15];
    return true;
}

static bool see_topology(void *ctx, int64_t ts, struct bytes content, struct error *err)
{
    (void)err;
    assert_int_equal(content.len, 2);
    *(int64_t *)ctx = *(int64_t *)ctx * 100 + ts;
    return true;
}

static void a_mediator_is_initialised_once(void **state)
{
    struct mediator_row row;
    struct mediator_head h;
    struct error e;
    bool found;

    (void)state;
    assert_done(mediator_store_read(db, &row, &found, &e));
    assert_false(found);
    assert_done(
        mediator_store_insert(db, "x::y::35-0", "http://a\nhttp://b\n", 5, bytes_str("sp"), &e));
    assert_false(mediator_store_insert(db, "z", "http://a\n", 5, bytes_str("sp"), &e));
    assert_code(&e, ERR_DUPLICATE);
    assert_done(mediator_store_read(db, &row, &found, &e));
    assert_true(found);
    assert_string_equal(row.psid, "x::y::35-0");
    assert_int_equal(row.connections.len, 18);
    assert_true(bytes_equal(buffer_bytes(&row.static_params), bytes_str("sp")));
    mediator_row_free(&row);
    assert_done(head_store_read(db, &h, &e));
    assert_false(h.position.is_set);
    assert_true(h.seen_ts == INT64_MIN);
}

static void a_write_carries_rows_states_and_position(void **state)
{
    struct decision a = make(100, 1), b = make(110, 2);
    char *names[] = {(char[]){"PAR::a"}, (char[]){"PAR::b"}};
    struct outbox_row first[] = {
        {.kind = ROW_TOPOLOGY, .request_id = 7, .part = 1, .content = bytes_str("tx")},
        {.kind = ROW_VERDICT, .request_id = 100, .state = VERDICT_DECIDED, .decision = &a},
        {.kind = ROW_VERDICT, .request_id = 110, .state = VERDICT_SILENT, .decision = &b}};
    struct outbox_row second[] = {{.kind = ROW_STATE, .request_id = 100, .state = VERDICT_SENT}};
    struct outbox_row third[] = {{.kind = ROW_STATE, .request_id = 100, .state = VERDICT_EXPIRED}};
    struct outbox_row lower[] = {
        {.kind = ROW_STATE, .request_id = 100, .state = VERDICT_SEQUENCED}};
    struct mediator_head h;
    struct seen s = {0};
    struct error e;
    int64_t topology = 0;
    int uuids = 0;

    (void)state;
    a.participants = names;
    a.n_participants = 2;
    buffer_append_str(&a.content, "first");
    write_rows(first, 3, 50, 60);
    write_rows(first, 3, 51, 61); /* again: nothing changes but the position */
    write_rows(second, 1, 52, 62);
    write_rows(third, 1, 53, 63);
    write_rows(lower, 1, 54, 64);
    write_rows(NULL, 0, 55, 65);
    assert_done(head_store_read(db, &h, &e));
    assert_int_equal(h.position.ts, 55);
    assert_int_equal(h.seen_ts, 65);
    assert_int_equal(h.position.hash.b[2], 7);
    see(100, 150, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.states[0], VERDICT_SILENT);
    see(99, 150, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.states[0], VERDICT_EXPIRED);
    assert_done(topology_store_each(db, 7, see_topology, &topology, &e));
    assert_int_equal(topology, 7);
    assert_done(uuid_store_each(db, 1100, 105, see_uuid, &uuids, &e));
    assert_int_equal(uuids, 1);
    assert_done(uuid_store_each(db, 1101, 200, see_uuid, &uuids, &e));
    assert_int_equal(uuids, 1 + 2);
    buffer_free(&a.content);
    buffer_free(&s.content);
}

static void a_verdict_comes_back_as_it_was(void **state)
{
    struct decision a = make(300, 3);
    char *names[] = {(char[]){"PAR::a"}, (char[]){"PAR::b"}};
    struct outbox_row row = {.kind = ROW_VERDICT, .request_id = 300, .decision = &a};
    struct seen s = {0};

    (void)state;
    a.participants = names;
    a.n_participants = 2;
    buffer_append(&a.content, "a\0b", 3);
    write_rows(&row, 1, 1, 1);
    see(299, 10000, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.n_participants, 2);
    assert_true(bytes_equal(buffer_bytes(&s.content), bytes_of("a\0b", 3)));
    buffer_free(&a.content);
    buffer_free(&s.content);
}

static void a_verdict_that_may_still_be_sequenced_is_found(void **state)
{
    struct decision a = make(400, 5), b = make(410, 6); /* decision times 460 and 470 */
    struct outbox_row rows[] = {
        {.kind = ROW_VERDICT, .request_id = 400, .state = VERDICT_SENT, .decision = &a},
        {.kind = ROW_VERDICT, .request_id = 410, .state = VERDICT_SEQUENCED, .decision = &b}};
    struct seen s = {0};

    (void)state;
    write_rows(rows, 2, 1, 1);
    see(500, 460, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.ids[0], 400);
    assert_int_equal(s.states[0], VERDICT_SENT);
    see(500, 461, &s); /* its time has passed */
    assert_int_equal(s.n, 0);
    buffer_free(&s.content);
}

static void many_rows_go_in_several_writes(void **state)
{
    enum { N = 600 };
    static struct decision d[N];
    static struct outbox_row rows[N];
    struct seen s = {0};

    (void)state;
    for (int i = 0; i < N; i++) {
        d[i] = make(1000 + i, 9);
        rows[i] =
            (struct outbox_row){.kind = ROW_VERDICT, .request_id = 1000 + i, .decision = &d[i]};
    }
    write_rows(rows, N, 2, 2);
    see(999, 10000, &s);
    assert_int_equal(s.n, N);
    assert_int_equal(s.ids[N - 1], 1000 + N - 1);
    buffer_free(&s.content);
}

static void who_lost_the_lease_writes_nothing(void **state)
{
    struct decision a = make(5000, 4);
    struct outbox_row row = {.kind = ROW_VERDICT, .request_id = 5000, .decision = &a};
    struct mediator_head h = {{true, 3, {{0x12, 0x20}}}, 999}, now;
    struct fence stale = fence;
    struct seen s = {0};
    struct error e;

    (void)state;
    stale.epoch--;
    assert_false(outbox_store_write(db, &stale, &row, 1, &h, &e));
    assert_code(&e, ERR_FENCED);
    assert_false(outbox_store_write(db, &stale, NULL, 0, &h, &e));
    assert_code(&e, ERR_FENCED);
    stale = fence;
    stale.holder[3] ^= 1;
    assert_false(outbox_store_write(db, &stale, &row, 1, &h, &e));
    assert_code(&e, ERR_FENCED);
    see(4999, 10000, &s);
    assert_int_equal(s.n, 0);
    assert_done(head_store_read(db, &now, &e));
    assert_true(now.seen_ts != 999);
}

static int set_up(void **state)
{
    enum lease_change change;
    struct error e;

    (void)state;
    db = engine_open();
    assert_done(lease_open(db, MEDIATOR_LEASE, 0, 0, &lease, &e));
    while (!lease_held(lease, &fence))
        assert_done(lease_step(lease, &change, &e)); /* the row is made, then taken as released */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lease_close(lease);
    db_close(db);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mediator_is_initialised_once),
        cmocka_unit_test(a_write_carries_rows_states_and_position),
        cmocka_unit_test(a_verdict_comes_back_as_it_was),
        cmocka_unit_test(a_verdict_that_may_still_be_sequenced_is_found),
        cmocka_unit_test(many_rows_go_in_several_writes),
        cmocka_unit_test(who_lost_the_lease_writes_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
