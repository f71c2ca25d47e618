/* mediator_world.h: a small synchronizer for the tests of the mediator's core: participants with
 * real keys, parties, and the bytes that they send. The topology is a table that a test may change.
 */
#ifndef T_UNIT_MEDIATOR_WORLD_H
#define T_UNIT_MEDIATOR_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/core.h"

#define NS          "1220aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PSID        "sync::" NS "::35-0"
#define OTHER_PSID  "other::" NS "::35-0"
#define UID(name)   name "::" NS
#define T0          INT64_C(1767225600000000)

#define RESPONSE_US INT64_C(30000000)
#define REACTION_US INT64_C(20000000)
#define DEDUP_US    INT64_C(100000000)

enum { P1, P2, P3, PARTICIPANTS };
static const char *const uid_of[] = {UID("p1"), UID("p2"), UID("p3")};
static const char *const member_of[] = {"PAR::" UID("p1"), "PAR::" UID("p2"), "PAR::" UID("p3")};

/* The topology. A participant's uid is its own party; "shared" is hosted by all three. */
struct world {
    struct private_key *keys[PARTICIPANTS];
    bool is_active[PARTICIPANTS];
    bool may_confirm[PARTICIPANTS];
    int64_t revoked_at[PARTICIPANTS]; /* the key counts at times up to this */
    uint32_t shared_threshold;
    struct snapshot_group group; /* MGR::0; there is no other */
    bool is_member;
    struct snapshot_params params;
    struct core *core;
    int64_t ts; /* of the last event */
    struct effects effects;
};

static bool world_params(void *ctx, int64_t ts, struct snapshot_params *out, struct error *err)
{
    (void)ts;
    (void)err;
    *out = ((struct world *)ctx)->params;
    return true;
}

static void world_group(void *ctx, int64_t ts, int32_t index, struct snapshot_group *out)
{
    (void)ts;
    *out = index == 0 ? ((struct world *)ctx)->group : (struct snapshot_group){0};
}

static bool world_is_member(void *ctx, int64_t ts)
{
    (void)ts;
    return ((struct world *)ctx)->is_member;
}

static bool world_hosting(void *ctx, int64_t ts, const char *party, struct snapshot_hosting *out,
                          struct error *err)
{
    struct world *w = ctx;
    bool is_shared = strncmp(party, "shared", 6) == 0;

    (void)ts;
    (void)err;
    memset(out, 0, sizeof(*out));
    out->threshold = is_shared ? w->shared_threshold : 1;
    out->hosts = calloc(PARTICIPANTS, sizeof(*out->hosts));
    for (int i = 0; i < PARTICIPANTS; i++)
        if (w->is_active[i] && (is_shared || strcmp(party, uid_of[i]) == 0))
            out->hosts[out->n++] = (struct snapshot_host){strdup(member_of[i]), w->may_confirm[i]};
    return true;
}

static bool world_verify(void *ctx, int64_t ts, const char *member, const struct hash *h,
                         const struct signature *s, struct error *err)
{
    struct world *w = ctx;

    for (int i = 0; i < PARTICIPANTS; i++)
        if (strcmp(member, member_of[i]) == 0 && ts <= w->revoked_at[i])
            return signature_verify(w->keys[i]->pub, USAGE_PROTOCOL, h, s, err);
    return error_set(err, ERR_SIGNATURE, NULL, "no key");
}

static void world_core(struct world *w)
{
    struct core_config cfg = {
        .psid = PSID,
        .max_open = 100,
        .max_dedup = 1000,
        .race_delay_us = 120000000,
        .top = {w, world_params, world_group, world_is_member, world_hosting, world_verify}};

    assert_true(core_open(&cfg, &w->core, NULL));
}

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct error e;

    for (int i = 0; i < PARTICIPANTS; i++) {
        if (!private_key_generate(KEY_SIGNING, SIGNING_ED25519, USAGE_PROTOCOL, &w->keys[i], &e))
            return -1;
        w->is_active[i] = w->may_confirm[i] = true;
        w->revoked_at[i] = INT64_MAX;
    }
    w->shared_threshold = 2;
    w->group = (struct snapshot_group){true, true, true, true};
    w->is_member = true;
    w->params = (struct snapshot_params){RESPONSE_US, REACTION_US, DEDUP_US};
    w->ts = T0;
    world_core(w);
    *state = w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < PARTICIPANTS; i++)
        private_key_unref(w->keys[i]);
    effects_free(&w->effects);
    core_close(w->core);
    free(w);
    return 0;
}

/* --- what peers send ---------------------------------------------------------------------------
 */

static void sign(struct world *w, int who, const struct hash *h, struct signature *out)
{
    assert_true(private_key_sign(w->keys[who], USAGE_PROTOCOL, h, out, NULL));
}

/* One tree a text; "a+b" is a tree of two recipients. */
static void recipients_of(struct recipients *r, const char *const *trees, size_t n)
{
    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < n; i++) {
        char *copy = strdup(trees[i]), *plus = strchr(copy, '+');
        const char *texts[2] = {copy, plus ? plus + 1 : NULL};
        if (plus)
            *plus = '\0';
        assert_true(recipients_add(r, 0, texts, plus ? 2 : 1, NULL));
        free(copy);
    }
}

struct spec {
    int submitter, signer;
    const char *uuid, *psid;
    int32_t group;
    struct view_spec views[3];
    size_t n_views;
    struct buffer *keep_root; /* the root hash, when not NULL */
};

static const char *const two_parties[] = {UID("p1"), UID("p2")};
static struct confirmer both_confirm[] = {{0, 1}, {1, 1}};
static struct quorum both_needed[] = {{both_confirm, 2, 2}};

/* Submitted by p1, informees p1 and p2, who both have to confirm. */
static struct spec plain(const char *uuid)
{
    struct spec s = {.submitter = P1, .signer = P1, .uuid = uuid, .psid = PSID, .n_views = 1};

    s.views[0] = (struct view_spec){.informees = two_parties,
                                    .n_informees = 2,
                                    .quorums = both_needed,
                                    .n_quorums = 1,
                                    .payload = bytes_str("payload")};
    return s;
}

/* A request's root and positions. */
struct sent {
    int64_t id;
    struct built_tree tree;
};

static void add_informee_message(struct world *w, struct batch *b, const struct spec *s,
                                 struct built_tree *tree, const char *const *to, size_t n)
{
    struct tree_spec spec = {.psid = s->psid,
                             .uuid = s->uuid,
                             .mediator_group = s->group,
                             .submitting_participant = uid_of[s->submitter],
                             .act_as = &uid_of[s->submitter],
                             .n_act_as = 1,
                             .user_id = "user",
                             .command_id = "command",
                             .submission_id = "",
                             .dedup_seconds = 1,
                             .max_sequencing_time = T0 + 1000000000,
                             .ledger_time = T0,
                             .preparation_time = T0,
                             .workflow_id = "",
                             .views = s->views,
                             .n_views = s->n_views};
    struct buffer content = BUFFER_INIT;
    struct signature sig;
    struct recipients r;
    struct error e;

    memset(spec.seed, (int)w->ts & 0x7f, sizeof(spec.seed));
    if (!built_tree_make(&spec, tree, &e))
        fail_msg("%s", e.cause);
    sign(w, s->signer, &tree->root, &sig);
    assert_true(informee_message_build(tree, &sig, &content, NULL));
    recipients_of(&r, to, n);
    assert_true(batch_add(b, buffer_bytes(&content), NULL, 0, &r, NULL));
    signature_free(&sig);
    buffer_free(&content);
}

static void add_root_hash(struct batch *b, struct root_hash_message *m, const char *const *trees,
                          size_t n)
{
    struct buffer content = BUFFER_INIT;
    struct recipients r;
    struct error e;

    if (!root_hash_message_build(m, &content, &e))
        fail_msg("%s", e.cause);
    recipients_of(&r, trees, n);
    assert_true(batch_add(b, buffer_bytes(&content), NULL, 0, &r, NULL));
    buffer_free(&content);
}

static struct root_hash_message root_of(const struct built_tree *t)
{
    return (struct root_hash_message){.root = t->root,
                                      .psid = (char *)(uintptr_t)PSID,
                                      .view_type = VIEW_TYPE_TRANSACTION,
                                      .submission_topology_time = T0};
}

/* Sequences b (and empties it) at ts. */
static void deliver_with(struct world *w, struct batch *b, int64_t ts, const char *message_id,
                         bool has_topology_ts)
{
    struct event e = {.ts = ts,
                      .psid = (char *)(uintptr_t)PSID,
                      .message_id = (char *)(uintptr_t)message_id,
                      .has_topology_timestamp = has_topology_ts,
                      .topology_timestamp = ts};
    struct hash h = {{0x12, 0x20}};
    struct inbound in;
    struct error bad, err;

    assert_true(ts > w->ts || w->ts == T0);
    w->ts = ts;
    memcpy(h.b + 2, &ts, sizeof(ts));
    assert_true(batch_seal(b, &e.batch, NULL));
    batch_free(b);
    memset(b, 0, sizeof(*b));
    assert_true(inbound_open(&e, PSID, &in, &bad, &err));
    assert_int_equal(bad.code, ERR_NONE);
    if (!core_event(w->core, &in, &h, &w->effects, &err))
        fail_msg("%s", err.cause);
    inbound_free(&in);
    compressed_batch_free(&e.batch);
}

static void deliver(struct world *w, struct batch *b, int64_t ts)
{
    deliver_with(w, b, ts, NULL, false);
}

/* An event that only shows the time. */
static void pass(struct world *w, int64_t ts)
{
    struct batch b = {0};

    deliver(w, &b, ts);
}

#define TO(...)                                                                                    \
    ((const char *const[]){__VA_ARGS__}), (sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))
#define TREE_1 "PAR::" UID("p1") "+MGR::0"
#define TREE_2 "PAR::" UID("p2") "+MGR::0"
#define TREE_3 "PAR::" UID("p3") "+MGR::0"

/* A sound request, at ts. */
static struct sent request(struct world *w, const struct spec *s, int64_t ts)
{
    struct sent sent = {.id = ts};
    struct batch b = {0};

    add_informee_message(w, &b, s, &sent.tree, TO("MGR::0"));
    struct root_hash_message m = root_of(&sent.tree);
    add_root_hash(&b, &m, TO(TREE_1, TREE_2));
    deliver(w, &b, ts);
    return sent;
}

struct answer {
    int sender, signer;
    enum local_verdict verdict;
    const char *parties[3];
    size_t n_parties;
    size_t view;                          /* SIZE_MAX: no position */
    const struct view_position *position; /* in place of view's */
    bool is_wrong_root;
    const char *psid;
};

static void add_answer(struct world *w, struct batch *b, const struct sent *to,
                       const struct answer *a, const char *const *trees, size_t n)
{
    struct buffer content = BUFFER_INIT;
    struct confirmation_response one = {.verdict = a->verdict,
                                        .parties = (char **)(uintptr_t)a->parties,
                                        .n_parties = a->n_parties,
                                        .has_position = a->view != SIZE_MAX};
    struct confirmation_responses m = {.request_id = to->id,
                                       .root = to->tree.root,
                                       .psid = (char *)(uintptr_t)(a->psid ? a->psid : PSID),
                                       .sender = (char *)(uintptr_t)member_of[a->sender],
                                       .responses = &one,
                                       .n = 1};
    struct signature sig;
    struct recipients r;
    struct hash h;
    struct error e;

    if (a->position)
        one.position = *a->position;
    else if (one.has_position)
        one.position = to->tree.views[a->view].position;
    if (a->verdict != LOCAL_APPROVE)
        buffer_append(&one.reason, "\x08\x09\x12\x03why", 7); /* code 9, message "why" */
    if (a->is_wrong_root)
        m.root.b[20] ^= 1;
    if (!confirmation_responses_build(&m, &content, &e))
        fail_msg("%s", e.cause);
    assert_true(message_hash(buffer_bytes(&content), &h, NULL));
    sign(w, a->signer, &h, &sig);
    recipients_of(&r, trees, n);
    assert_true(batch_add(b, buffer_bytes(&content), &sig, 1, &r, NULL));
    signature_free(&sig);
    buffer_free(&content);
    buffer_free(&one.reason);
}

/* One response of who, for its own party in view 0. */
static struct answer answer_of(int who, enum local_verdict v)
{
    struct answer a = {.sender = who, .signer = who, .verdict = v};

    if (v != LOCAL_MALFORMED) {
        a.parties[0] = uid_of[who];
        a.n_parties = 1;
    }
    return a;
}

static void respond(struct world *w, const struct sent *to, struct answer a, int64_t ts)
{
    struct batch b = {0};

    add_answer(w, &b, to, &a, TO("MGR::0"));
    deliver(w, &b, ts);
}

/* --- what came out -----------------------------------------------------------------------------
 */

static uint64_t alarms(struct world *w)
{
    struct core_stats s;

    core_stats(w->core, &s);
    return s.n_alarms;
}

/* The only effect since the last look: a decision of this outcome. Borrowed until effects_free. */
static struct decision *only_decision(struct world *w, enum outcome o)
{
    assert_int_equal(w->effects.n, 1);
    assert_int_equal(w->effects.list[0].kind, EFFECT_DECIDED);
    assert_int_equal(w->effects.list[0].decision->outcome, o);
    return w->effects.list[0].decision;
}

static struct confirmation_result result_of(const struct decision *d, struct message *m)
{
    struct error e;

    if (!message_parse(buffer_bytes(&d->content), true, m, &e))
        fail_msg("%s", e.cause);
    assert_int_equal(m->kind, MESSAGE_RESULT);
    assert_int_equal(m->as.result.request_id, d->request_id);
    return m->as.result;
}

/* ErrorInfo.reason of a mediator's rejection; "" without; the caller frees. */
static char *reason_id(const struct confirmation_result *r)
{
    struct wire_status s;

    assert_int_equal(r->verdict.kind, VERDICT_MEDIATOR_REJECT);
    assert_true(wire_status_parse(buffer_bytes(&r->verdict.reason), &s, NULL));
    char *id = wire_status_reason(&s);
    wire_status_free(&s);
    return id ? id : strdup("");
}

static void nothing_yet(struct world *w)
{
    assert_int_equal(w->effects.n, 0);
}

static void looked(struct world *w)
{
    effects_free(&w->effects);
}

static void sent_free(struct sent *s)
{
    built_tree_free(&s->tree);
}
#endif
