/* test_mediator.c: the rows of the mediator, by its store. t/mediator/test_rows.c says more of what
 * they mean. */
#include "mediator/mediator_store.h"
#include "storage/migrate.h"
#include "suite.h"

static struct db *db;
static struct lease *lease;
static struct fence fence;

static int open_db(void **state)
{
    enum lease_change change;
    struct db_config cfg;
    struct error e;

    (void)state;
    engine_elsewhere(&cfg, "mediator");
    assert_done(db_open(&cfg, &db, &e));
    assert_done(db_migrate(db, NULL, &e));
    assert_done(lease_open(db, MEDIATOR_LEASE, 0, 0, &lease, &e));
    assert_done(lease_step(lease, &change, &e));
    assert_true(lease_held(lease, &fence));
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    lease_close(lease);
    db_close(db);
    return 0;
}

static void a_mediator_is_written_once(void **state)
{
    static char psid[301], urls[4 * 4001 + 1];
    struct mediator_row row;
    struct mediator_head h;
    struct error e;
    bool found = true;

    (void)state;
    check_done(mediator_store_read(db, &row, &found, &e));
    check(!found);
    memset(psid, 'p', 300);
    for (size_t i = 0; i + 1 < sizeof(urls); i++)
        urls[i] = "\xf0\x9f\x98\x80"[i % 4];
    const struct bytes params = bytes_of("s\0p", 3);
    check_refused(mediator_store_insert(db, psid, urls, 5, params, &e), ERR_LIMIT);
    check_says(e.cause, "connections has 4001 characters, at most 4000");
    urls[4 * 1000] = '\0';
    check_done(mediator_store_insert(db, psid, urls, 5, params, &e));
    check_refused(mediator_store_insert(db, "z", "http://a\n", 5, params, &e), ERR_DUPLICATE);
    check_done(mediator_store_read(db, &row, &found, &e));
    check(found);
    check_text(row.psid, psid);
    check(bytes_equal(buffer_bytes(&row.connections), bytes_str(urls)));
    check(bytes_equal(buffer_bytes(&row.static_params), params));
    check((mediator_row_free(&row), true));
    check_done(head_store_read(db, &h, &e));
    check(!h.position.is_set && h.seen_ts == INT64_MIN);
}

#define ROWS 600 /* more than one write takes */

struct seen {
    int64_t ids[ROWS + 10];
    int states[ROWS + 10];
    size_t n, names, content;
};

static bool see_verdict(void *ctx, enum verdict_state state, struct decision **d, struct error *err)
{
    struct seen *s = ctx;

    if (s->n == RULES_N(s->ids))
        return error_set(err, ERR_LIMIT, NULL, "more rows than were written");
    s->ids[s->n] = (*d)->request_id;
    s->states[s->n++] = (int)state;
    s->names += (*d)->n_participants;
    s->content += (*d)->content.len;
    return true;
}

static bool see_uuid(void *ctx, const uint8_t uuid[UUID_LEN], int64_t expires_ts, struct error *err)
{
    (void)expires_ts;
    (void)err;
    *(int *)ctx += uuid[15] == 7;
    return true;
}

static bool see_topology(void *ctx, int64_t ts, struct bytes content, struct error *err)
{
    struct buffer *b = ctx;

    buffer_printf(b, "%lld ", (long long)ts);
    buffer_append_bytes(b, content);
    return buffer_ok(b, err);
}

static void write_rows(const struct outbox_row *rows, size_t n, int64_t position_ts)
{
    struct mediator_head h = {{true, position_ts, {{0x12, 0x20, 7}}}, position_ts + 10};
    struct error e;

    check_done(outbox_store_write(db, &fence, rows, n, &h, &e));
}

static void verdicts_are_found_as_they_were_written(void **state)
{
    char *names[] = {(char[]){"PAR::a'b"}, (char[]){"PAR::h\xc3\xa9"}};
    static struct decision d[ROWS];
    static struct outbox_row rows[ROWS];
    static struct seen s;
    const struct mediator_head none = {{false, 0, {{0}}}, INT64_MIN};
    struct buffer topology = BUFFER_INIT;
    struct mediator_head h;
    struct error e;
    int uuids = 0;

    (void)state;
    for (int i = 0; i < ROWS; i++) {
        d[i] = (struct decision){.request_id = 1000 + i,
                                 .part = 1,
                                 .outcome = OUTCOME_APPROVED,
                                 .decided_ts = 2000 + i,
                                 .decision_ts = 3000 + i,
                                 .group = 0,
                                 .is_sender = true,
                                 .has_uuid = i % 2 == 0,
                                 .uuid_expires_ts = 5000 + i,
                                 .participants = names,
                                 .n_participants = i % 3 ? 2 : 0};
        memset(d[i].uuid, 7, sizeof(d[i].uuid));
        if (i == 5)
            for (int k = 0; k < (10 << 20) / 4; k++) /* 10 MiB */
                buffer_append(&d[i].content, "\0\xff'\\", 4);
        rows[i] = (struct outbox_row){.kind = ROW_VERDICT,
                                      .request_id = 1000 + i,
                                      .part = 1,
                                      .state = VERDICT_DECIDED,
                                      .decision = &d[i]};
    }
    write_rows(rows, ROWS, 900);
    write_rows(rows, ROWS, 910); /* a write can be repeated */
    check_done(verdict_store_each(db, &none, see_verdict, &s, &e));
    check_int(s.n, ROWS);
    check_int(s.ids[0], 1000);
    check_int(s.ids[ROWS - 1], 1000 + ROWS - 1);
    check_int(s.names, 2 * 400);
    check_int(s.content, 10 << 20);
    check_done(uuid_store_each(db, 0, INT64_MAX, see_uuid, &uuids, &e));
    check_int(uuids, ROWS / 2);
    const struct outbox_row more[] = {
        {.kind = ROW_STATE, .request_id = 1000, .part = 1, .state = VERDICT_SEQUENCED},
        {.kind = ROW_TOPOLOGY, .request_id = 8, .part = 0, .content = bytes_of("t\0x", 3)},
        {.kind = ROW_TOPOLOGY, .request_id = 8, .part = 1, .content = bytes_str("y")}};
    const struct outbox_row lower[] = {
        {.kind = ROW_STATE, .request_id = 1000, .part = 1, .state = VERDICT_SENT}};
    write_rows(more, 3, 1005);
    write_rows(more, 3, 1005);
    write_rows(lower, 1, 1006); /* a state never goes down */
    write_rows(NULL, 0, 1007);
    check_done(head_store_read(db, &h, &e));
    check(h.position.is_set && h.position.ts == 1007 && h.seen_ts == 1017);
    check_int(h.position.hash.b[2], 7);
    memset(&s, 0, sizeof(s));
    check_done(verdict_store_each(db, &none, see_verdict, &s, &e));
    for (size_t i = 0; i < s.n; i++)
        check_int(s.states[i], s.ids[i] == 1000 ? VERDICT_SEQUENCED : VERDICT_DECIDED);
    memset(&s, 0, sizeof(s));
    check_done(verdict_store_each(db, &h, see_verdict, &s, &e));
    check(s.n > 0 && s.n <= ROWS); /* those before the position that may still be sequenced, too */
    check_done(topology_store_each(db, INT64_MAX, see_topology, &topology, &e));
    check(bytes_equal(buffer_bytes(&topology), bytes_of("8 t\0x8 y", 8)));
    buffer_free(&topology);
    buffer_free(&d[5].content);
}

static void an_old_holder_writes_nothing(void **state)
{
    struct decision d = {.request_id = 9999, .outcome = OUTCOME_APPROVED, .decision_ts = INT64_MAX};
    const struct outbox_row rows[] = {
        {.kind = ROW_VERDICT, .request_id = 9999, .state = VERDICT_DECIDED, .decision = &d}};
    const struct fence old = fence;
    struct mediator_head h = {{true, 5000, {{0x12, 0x20}}}, 5000}, after;
    struct error e;

    (void)state;
    check_done(lease_settle(lease, &fence, &e));
    check_refused(outbox_store_write(db, &old, rows, 1, &h, &e), ERR_FENCED);
    check_refused(outbox_store_write(db, &old, NULL, 0, &h, &e), ERR_FENCED);
    check_done(head_store_read(db, &after, &e));
    check_int(after.position.ts, 1007);
    check_done(outbox_store_write(db, &fence, rows, 1, &h, &e));
}

static const struct rule rules[] = {
    RULE(a_mediator_is_written_once),
    RULE(verdicts_are_found_as_they_were_written),
    RULE(an_old_holder_writes_nothing),
};
const struct rules mediator_rules = {"mediator's rows", rules, RULES_N(rules), open_db, close_db};
