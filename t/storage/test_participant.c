/* test_participant.c: the rows of the participant and of a node's identity, by their stores. */
#include "crypto/key_wrap.h"
#include "node/node_identity.h"
#include "participant/participant_impl.h"
#include "storage/migrate.h"
#include "suite.h"
#include "t/unit/topology_world.h"

static struct db *db;

static int open_db(void **state)
{
    struct db_config cfg;
    struct error e;

    (void)state;
    engine_elsewhere(&cfg, "participant");
    assert_done(db_open(&cfg, &db, &e));
    assert_done(db_migrate(db, NULL, &e));
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    db_close(db);
    return 0;
}

/* What a process has of its rows. */
static struct participant *process_open(void)
{
    struct participant *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    p->db = db;
    p->earliest_due = INT64_MAX;
    mutex_init(&p->m);
    return p;
}

static void process_close(struct participant *p)
{
    struct command *c, *next;
    struct pending *r, *after;

    HASH_ITER(by_id, p->by_id, c, next)
    {
        HASH_DELETE(by_id, p->by_id, c);
        HASH_DELETE(by_message, p->by_message, c);
        command_free(c);
    }
    HASH_ITER(hh, p->pending, r, after)
    {
        HASH_DEL(p->pending, r);
        pending_free(r);
    }
    topology_close(p->topology);
    mutex_destroy(&p->m);
    free(p);
}

static struct world world;
static struct participant *p;
static const struct hash root = {{0x12, 0x20, 3, 1, 4}};

static void a_participant_begins_once(void **state)
{
    struct error e;
    bool found = true;

    (void)state;
    world_open(&world);
    p = process_open();
    check_done(store_claim_position(p, &found, &e));
    check(!found);
    check_done(store_load_topology(p, &world.fixed, &found, &e));
    check(!found);
    check_done(store_begin(p, world.psid, world.sequencer.uid, buffer_bytes(&world.genesis), &e));
    check_refused(store_begin(p, world.psid, world.sequencer.uid, buffer_bytes(&world.genesis), &e),
                  ERR_DUPLICATE);
    process_close(p);
    p = process_open();
    check_done(store_claim_position(p, &found, &e));
    check(found);
    check_text(p->psid, world.psid);
    check_text(p->sequencer, world.sequencer.member);
    check(!p->committed.has_event);
    check_done(store_load_topology(p, &world.fixed, &found, &e));
    check(found);
    check_text(topology_psid(p->topology), world.psid);
}

static struct change change(enum change_kind kind, const char *id, int64_t ts)
{
    struct change c = {.kind = kind, .ts = ts};

    snprintf(c.command_id, sizeof(c.command_id), "%s", id);
    snprintf(c.message_id, sizeof(c.message_id), "m-%.70s", id);
    return c;
}

/* Commits these in this order, as one. */
static bool commit(struct change *list, size_t n, int64_t event_ts, struct error *e)
{
    struct position to = {true, event_ts, p->committed.outcome_id, p->committed.commit_no + 1,
                          root};
    bool is_unknown = false;

    for (size_t i = 0; i < n; i++)
        list[i].next = i + 1 < n ? &list[i + 1] : NULL;
    if (!called(store_commit(p, n > 0 ? list : NULL, &to, &is_unknown, e)))
        return false;
    p->committed = to;
    return true;
}

static char long_id[COMMAND_ID_MAX + 1];

static void a_request_body(struct buffer *out)
{
    Part__OutcomesResponse m;

    part__outcomes_response__init(&m);
    m.root_hash.data = (uint8_t *)(uintptr_t)root.b;
    m.root_hash.len = sizeof(root.b);
    const size_t n = part__outcomes_response__get_packed_size(&m);
    uint8_t *at = buffer_reserve(out, n);
    assert_non_null(at);
    out->len += part__outcomes_response__pack(&m, at);
}

static void changes_are_committed_as_one(void **state)
{
    struct change list[] = {change(CHANGE_COMMAND_INSERT, "it's", 0),
                            change(CHANGE_COMMAND_INSERT, "gone", 0),
                            change(CHANGE_COMMAND_INSERT, long_id, 0),
                            change(CHANGE_REQUEST_INSERT, "it's", 110),
                            change(CHANGE_REQUEST_INSERT, "", 120),
                            change(CHANGE_COMMAND_ACCEPTED, "it's", 0),
                            change(CHANGE_EVENT, "", 0)};
    struct change steps[] = {
        change(CHANGE_COMMAND_SEQUENCED, "it's", 110), change(CHANGE_COMMAND_DELETE, "gone", 0),
        change(CHANGE_REQUEST_ANSWERED, "", 110), change(CHANGE_REQUEST_DELETE, "", 120)};
    struct stored_command c;
    struct error e;

    (void)state;
    for (size_t i = 0; i < COMMAND_ID_MAX; i++)
        long_id[i] = (char)('a' + i % 26);
    memcpy(list[2].command_id, long_id, sizeof(long_id));
    list[0].max_ts = list[1].max_ts = list[2].max_ts = INT64_MAX;
    buffer_append(&list[0].body, "b\0", 2);
    buffer_append(&list[0].extra, "r\0q", 3);
    list[3].respond_by = 200;
    list[3].decide_by = 300;
    list[3].is_waiting = true;
    buffer_append(&list[3].extra, "\1\2", 2);
    a_request_body(&list[3].body);
    a_request_body(&list[4].body);
    check_done(commit(list, 7, 100, &e));
    check_done(store_read_command(p, "it's", &c, &e));
    check(c.found && c.state == COMMAND_ACCEPTED && c.request_ts == 0);
    check_text(c.message_id, "m-it's");
    a_request_body(&steps[2].body);
    check_done(commit(steps, 4, 101, &e));
    check_done(store_read_command(p, "it's", &c, &e));
    check(c.state == COMMAND_SEQUENCED && c.request_ts == 110);
    check_done(store_read_command(p, "gone", &c, &e));
    check(!c.found);
    check_done(store_read_command(p, long_id, &c, &e));
    check(c.found && c.state == COMMAND_SENDING);
    for (size_t i = 0; i < 5; i++) {
        buffer_free(&list[i].body);
        buffer_free(&list[i].extra);
    }
    buffer_free(&steps[2].body);
}

static void a_restart_finds_what_was_open(void **state)
{
    struct participant *next = process_open();
    struct command *c = NULL;
    struct pending *r = NULL;
    const int64_t ts = 110;
    struct error e;

    (void)state;
    check_done(store_load(next, &e));
    check_int(next->n_commands, 2);
    HASH_FIND(by_id, next->by_id, "it's", strlen("it's"), c);
    check(c && c->state == COMMAND_SEQUENCED && c->body.len == 2 && c->request.len == 0);
    check(c->was_loaded && c->max_ts == INT64_MAX);
    check_int(HASH_COUNT(next->pending), 1);
    HASH_FIND(hh, next->pending, &ts, sizeof(ts), r);
    check(r && r->respond_by == 200 && r->decide_by == 300 && !r->is_waiting && r->has_position);
    check_text(r->command_id, "it's");
    check(memcmp(r->root.b, root.b, sizeof(root.b)) == 0);
    process_close(next);
}

static bool see_outcome(void *ctx, int64_t id, struct bytes body, struct error *err)
{
    (void)err;
    *(int64_t *)ctx = *(int64_t *)ctx * 10 + id;
    *(int64_t *)ctx += body.len == 10 << 20 ? 500 : 0;
    return true;
}

static void outcomes_are_read_in_pages(void **state)
{
    struct change list[] = {change(CHANGE_OUTCOME, "", 110),
                            change(CHANGE_COMMAND_DECIDED, "it's", 0),
                            change(CHANGE_OUTCOME, "", 111), change(CHANGE_OUTCOME, "", 112)};
    struct stored_command c;
    struct error e;
    int64_t seen = 0;

    (void)state;
    list[0].outcome_id = list[1].outcome_id = 1;
    list[2].outcome_id = 2;
    list[3].outcome_id = 3;
    buffer_append_str(&list[0].body, "one");
    for (int i = 0; i < (10 << 20) / 4; i++)
        buffer_append(&list[2].body, "\0\xff'\\", 4);
    buffer_append_str(&list[3].body, "three");
    check_done(commit(list, 4, 102, &e));
    check_done(store_read_command(p, "it's", &c, &e));
    check(c.state == COMMAND_DECIDED && c.outcome_id == 1);
    check_done(store_outcomes(p, 0, 2, see_outcome, &seen, &e));
    check_int(seen, 12 + 500);
    seen = 0;
    check_done(store_outcomes(p, 2, 10, see_outcome, &seen, &e));
    check_int(seen, 3);
    for (int i = 0; i < 4; i++)
        buffer_free(&list[i].body);
}

/* One bad change: none of them, and the position stays. */
static void a_commit_is_all_or_nothing(void **state)
{
    struct change list[] = {change(CHANGE_COMMAND_INSERT, "half", 0),
                            change(CHANGE_COMMAND_INSERT, "it's", 0)};
    struct stored_command c;
    struct error e;

    (void)state;
    buffer_append_str(&list[0].body, "x");
    check_refused(commit(list, 2, 103, &e), ERR_DUPLICATE);
    check_done(store_read_command(p, "half", &c, &e));
    check(!c.found);
    check_done(commit(list, 1, 103, &e)); /* the number was not used up */
    buffer_free(&list[0].body);
}

static void a_process_that_was_taken_over_commits_nothing(void **state)
{
    struct participant *next = process_open();
    struct change list[] = {change(CHANGE_COMMAND_INSERT, "late", 0)};
    struct stored_command c;
    struct error e;
    bool found = false;

    (void)state;
    check_done(store_claim_position(next, &found, &e));
    check(next->committed.has_event && next->committed.event_ts == 103);
    check_refused(commit(list, 1, 104, &e), ERR_FENCED);
    check_done(store_read_command(next, "late", &c, &e));
    check(!c.found);
    process_close(next);
    process_close(p);
    topology_close(world.t);
}

static const struct rule rules[] = {
    RULE(a_participant_begins_once),     RULE(changes_are_committed_as_one),
    RULE(a_restart_finds_what_was_open), RULE(outcomes_are_read_in_pages),
    RULE(a_commit_is_all_or_nothing),    RULE(a_process_that_was_taken_over_commits_nothing),
};
const struct rules participant_rules = {"participant's rows", rules, RULES_N(rules), open_db,
                                        close_db};

/* ---- a node's identity ---- */

static const struct key_wrap plain = {.is_plaintext = true};

static void an_identity_is_made_once(void **state)
{
    struct key_wrap wrap = {.is_plaintext = false};
    struct node_identity a, b;
    struct error e;

    (void)state;
    check_done(node_identity_open(db, MEMBER_PARTICIPANT, "alice", &plain, NULL, &a, &e));
    check(a.was_made);
    check_done(node_identity_open(db, MEMBER_PARTICIPANT, "bob", &plain, NULL, &b, &e));
    check(!b.was_made);
    check_text(b.uid, a.uid);
    check_int(keyring_count(b.keys), keyring_count(a.keys));
    check_int(b.txs.n, a.txs.n);
    for (size_t i = 0; i < a.txs.n; i++)
        check(bytes_equal(buffer_bytes(&a.txs.at[i]), buffer_bytes(&b.txs.at[i])));
    check((node_identity_close(&b), true));
    check_refused(node_identity_open(db, MEMBER_MEDIATOR, "x", &plain, NULL, &b, &e), ERR_CONFIG);
    /* stored anew, under a key: from now on only with it */
    assert_done(key_wrap_add(
        &wrap, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", &e));
    check_done(node_identity_open(db, MEMBER_PARTICIPANT, "alice", &wrap, NULL, &b, &e));
    check_int(keyring_count(b.keys), keyring_count(a.keys));
    node_identity_close(&b);
    check_refused(node_identity_open(db, MEMBER_PARTICIPANT, "alice", &plain, NULL, &b, &e),
                  ERR_CONFIG);
    check_done(node_identity_open(db, MEMBER_PARTICIPANT, "alice", &wrap, NULL, &b, &e));
    check_text(b.uid, a.uid);
    node_identity_close(&b);
    node_identity_close(&a);
    key_wrap_wipe(&wrap);
}

struct seen_keys {
    const char *fingerprint, *name;
    size_t n, n_named;
};

static bool on_key(void *ctx, const struct node_key *k, struct error *err)
{
    struct seen_keys *s = ctx;

    (void)err;
    s->n++;
    if (strcmp(k->key->fingerprint, s->fingerprint) == 0)
        s->n_named += strcmp(k->name, s->name) == 0 && !k->is_encrypted && k->created_at > 0;
    return true;
}

/* A key that one replica draws is found by the other, and used by neither before it is announced.
 */
static void a_later_key_reaches_every_replica(void **state)
{
    const struct private_key *k, *old;
    struct signed_txs before = {0}, after = {0};
    struct node_identity a, b;
    struct db_config cfg;
    struct db *own;
    struct error e;
    char name[301], longer[302];

    (void)state;
    engine_elsewhere(&cfg, "identity");
    assert_done(db_open(&cfg, &own, &e));
    assert_done(db_migrate(own, NULL, &e));
    check_done(node_identity_open(own, MEMBER_SEQUENCER, "seq", &plain, NULL, &a, &e));
    check_done(node_identity_open(own, MEMBER_SEQUENCER, "seq", &plain, NULL, &b, &e));
    old = keyring_newest(a.keys, USAGE_PROTOCOL);
    check(old != NULL);
    memset(name, 'n', 300);
    memset(longer, 'n', 301);
    name[300] = longer[301] = '\0';
    check_done(
        node_identity_generate(&a, SIGNING_ED25519, USAGE_PROTOCOL | USAGE_PROOF, name, &k, &e));
    check(keyring_newest(a.keys, USAGE_PROTOCOL) == old);
    check(keyring_find(b.keys, k->pub->fingerprint) == NULL);
    check_done(node_identity_reload(&b, &e));
    check(keyring_find(b.keys, k->pub->fingerprint) != NULL);
    check(keyring_newest(b.keys, USAGE_PROTOCOL) != keyring_find(b.keys, k->pub->fingerprint));
    struct seen_keys seen = {.fingerprint = k->pub->fingerprint, .name = name};

    check_done(node_identity_keys(&b, on_key, &seen, &e));
    check_int(seen.n, keyring_count(a.keys));
    check_int(seen.n_named, 1);
    check_refused(node_identity_generate(&a, 99, USAGE_PROTOCOL, NULL, &k, &e), ERR_UNSUPPORTED);
    check_refused(node_identity_generate(&a, SIGNING_P256, USAGE_PROTOCOL, longer, &k, &e),
                  ERR_LIMIT);

    /* The authorized store: appended once, in order, seen by both. */
    check_done(node_identity_authorized(&a, &before, &e));
    struct bytes tx = bytes_str("a transaction");

    check_done(node_identity_authorize(&a, tx, &e));
    check_done(node_identity_authorize(&b, tx, &e));
    check_done(node_identity_authorized(&b, &after, &e));
    check_int(after.n, before.n + 1);
    check(bytes_equal(buffer_bytes(&after.at[before.n]), tx));
    signed_txs_free(&before);
    signed_txs_free(&after);
    node_identity_close(&b);
    node_identity_close(&a);
    db_close(own);
}

struct starting {
    struct db *db;
    char uid[UID_TEXT_SIZE];
    bool was_made;
    struct error e;
};

static void *make_identity(void *ctx)
{
    struct starting *s = ctx;
    struct node_identity id;

    if (!node_identity_open(s->db, MEMBER_SEQUENCER, "seq", &plain, NULL, &id, &s->e))
        return s->e.cause;
    snprintf(s->uid, sizeof(s->uid), "%s", id.uid);
    s->was_made = id.was_made;
    node_identity_close(&id);
    return NULL;
}

static void replicas_that_start_at_once_are_one_node(void **state)
{
    struct starting s[3];
    struct db_config cfg;
    struct error e;
    struct db *own;

    (void)state;
    engine_elsewhere(&cfg, "identity");
    check_done(db_open(&cfg, &own, &e));
    check_done(db_migrate(own, NULL, &e));
    memset(s, 0, sizeof(s));
    for (int i = 0; i < 3; i++)
        s[i].db = own;
    in_threads(make_identity, s, sizeof(s[0]), 3);
    check_text(s[1].uid, s[0].uid);
    check_text(s[2].uid, s[0].uid);
    check_int(s[0].was_made + s[1].was_made + s[2].was_made, 1);
    db_close(own);
}

static const struct rule identity_rules[] = {
    RULE(an_identity_is_made_once), RULE(replicas_that_start_at_once_are_one_node),
    RULE(a_later_key_reaches_every_replica), /* in the place of the one before, which stays */
};
const struct rules node_rules = {"node's rows", identity_rules, RULES_N(identity_rules), open_db,
                                 close_db};
