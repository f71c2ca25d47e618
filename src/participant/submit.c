/* submit.c: see the header. */
#include "participant/submit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "wire/status.h"
#include "wire/submission.h"

#define DEDUP_SECONDS 3600
#define USER_ID       "lockstep"

/* PAR::uid texts of all informees in one piece. */
static char (*member_texts(const struct submit_spec *spec, struct error *err))[MEMBER_TEXT_SIZE]
{
    char(*m)[MEMBER_TEXT_SIZE] = calloc(spec->n_informees, sizeof(*m));

    if (!m) {
        error_set(err, ERR_MEMORY, NULL, "no memory for a request");
        return NULL;
    }
    for (size_t i = 0; i < spec->n_informees; i++)
        member_format(MEMBER_PARTICIPANT, spec->informees[i], m[i]);
    return m;
}

static bool make_tree(const struct submit_spec *spec, struct built_tree *out, struct error *err)
{
    struct confirmer *weights = calloc(spec->n_confirmers, sizeof(*weights));
    char uuid[UUID_TEXT_LEN];

    if (!weights)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a request");
    for (size_t i = 0; i < spec->n_confirmers; i++)
        weights[i] = (struct confirmer){.informee = spec->confirmers[i], .weight = 1};
    random_uuid(uuid);
    struct quorum quorum = {
        .confirmers = weights, .n = spec->n_confirmers, .threshold = spec->threshold};
    struct view_spec view = {.informees = spec->informees,
                             .n_informees = spec->n_informees,
                             .quorums = &quorum,
                             .n_quorums = 1,
                             .payload = spec->payload};
    struct tree_spec tree = {.psid = spec->psid,
                             .uuid = uuid,
                             .mediator_group = spec->mediator_group,
                             .submitting_participant = spec->uid,
                             .act_as = &spec->uid,
                             .n_act_as = 1,
                             .user_id = USER_ID,
                             .command_id = spec->command_id,
                             .submission_id = "",
                             .dedup_seconds = DEDUP_SECONDS,
                             .max_sequencing_time = spec->max_ts,
                             .ledger_time = spec->now,
                             .preparation_time = spec->now,
                             .workflow_id = "",
                             .views = &view,
                             .n_views = 1};
    random_bytes(tree.seed, sizeof(tree.seed));
    bool ok = built_tree_make(&tree, out, err);
    free(weights);
    return ok;
}

static bool add_one(struct batch *b, struct bytes content, const struct signature *sig,
                    struct recipients *r, struct error *err)
{
    if (batch_add(b, content, sig, sig ? 1 : 0, r, err))
        return true;
    recipients_free(r);
    return false;
}

/* Envelope 1: the informee tree, to the mediator group. */
static bool add_informees(const struct submit_spec *spec, const struct built_tree *t,
                          const struct signature *sig, struct batch *b, struct error *err)
{
    struct recipients r = {0};
    struct buffer content = BUFFER_INIT;
    char group[32];
    const char *to = group;

    snprintf(group, sizeof(group), "MGR::%" PRId32, spec->mediator_group);
    bool ok = informee_message_build(t, sig, &content, err) && recipients_add(&r, 0, &to, 1, err) &&
              add_one(b, buffer_bytes(&content), NULL, &r, err);
    buffer_free(&content);
    return ok;
}

/* Envelope 2: the root hash, one tree {participant, group} for each informee. */
static bool add_root_hash(const struct submit_spec *spec, const struct built_tree *t,
                          char (*members)[MEMBER_TEXT_SIZE], struct batch *b, struct error *err)
{
    struct root_hash_message m = {.root = t->root,
                                  .psid = (char *)spec->psid,
                                  .view_type = VIEW_TYPE_TRANSACTION,
                                  .submission_topology_time = spec->topology_ts};
    struct recipients r = {0};
    struct buffer content = BUFFER_INIT;
    char group[32];
    bool ok = root_hash_message_build(&m, &content, err);

    snprintf(group, sizeof(group), "MGR::%" PRId32, spec->mediator_group);
    for (size_t i = 0; ok && i < spec->n_informees; i++) {
        const char *pair[] = {group, members[i]};
        ok = recipients_add(&r, 0, pair, 2, err);
    }
    if (ok)
        ok = add_one(b, buffer_bytes(&content), NULL, &r, err);
    else
        recipients_free(&r);
    buffer_free(&content);
    return ok;
}

/* Envelope 3: the view, encrypted for all informees. */
static bool add_view(const struct submit_spec *spec, const struct built_tree *t,
                     const struct signature *sig, char (*members)[MEMBER_TEXT_SIZE],
                     struct batch *b, struct error *err)
{
    const char **to = calloc(spec->n_informees, sizeof(*to));
    struct recipients r = {0};
    struct buffer content = BUFFER_INIT;
    size_t view = 0;
    bool ok = to || error_set(err, ERR_MEMORY, NULL, "no memory for a request");

    for (size_t i = 0; ok && i < spec->n_informees; i++)
        to[i] = members[i];
    ok = ok &&
         view_message_build(t, &view, 1, spec->psid, spec->encryption_keys, spec->n_informees, sig,
                            &content, err) &&
         recipients_add(&r, 0, to, spec->n_informees, err) &&
         add_one(b, buffer_bytes(&content), NULL, &r, err);
    buffer_free(&content);
    free(to);
    return ok;
}

/* Frames a batch as a submission that may be repeated. */
static bool make_submission(const char *uid, const char *message_id, int64_t max_ts,
                            const struct batch *b, struct buffer *request, struct error *err)
{
    struct submission s = {.sender = calloc(1, MEMBER_TEXT_SIZE),
                           .message_id = strdup(message_id),
                           .max_sequencing_time = max_ts,
                           .rule = {.kind = AGGREGATION_DEDUP}};
    bool ok = (s.sender && s.message_id) || error_set(err, ERR_MEMORY, NULL, "no memory");

    if (ok)
        member_format(MEMBER_PARTICIPANT, uid, s.sender);
    ok = ok && batch_seal(b, &s.batch, err) && submission_build(&s, err);
    if (ok) {
        buffer_append_bytes(request, buffer_bytes(&s.raw));
        ok = buffer_ok(request, err);
    }
    submission_free(&s);
    return ok;
}

bool submit_request(const struct submit_spec *spec, struct buffer *request, struct hash *root,
                    struct error *err)
{
    char(*members)[MEMBER_TEXT_SIZE] = member_texts(spec, err);
    struct built_tree tree = {0};
    struct signature sig = {0};
    struct batch b = {0};
    bool ok = false;

    if (!members || !make_tree(spec, &tree, err))
        goto out;
    if (!keyring_sign(spec->keys, USAGE_PROTOCOL, NULL, 0, &tree.root, &sig, err))
        goto out;
    *root = tree.root;
    ok = add_informees(spec, &tree, &sig, &b, err) &&
         add_root_hash(spec, &tree, members, &b, err) &&
         add_view(spec, &tree, &sig, members, &b, err) &&
         make_submission(spec->uid, spec->message_id, spec->max_ts, &b, request, err);
out:
    batch_free(&b);
    signature_free(&sig);
    built_tree_free(&tree);
    free(members);
    return ok;
}

/* The reason of a rejection as bytes of google.rpc.Status; approve: empty. */
static bool make_reason(const struct respond_spec *spec, struct buffer *out, struct error *err)
{
    struct wire_status s = {.code = 9}; /* FAILED_PRECONDITION */

    if (spec->verdict == LOCAL_APPROVE)
        return true;
    s.message = (char *)(spec->reason && *spec->reason ? spec->reason : "rejected");
    return wire_status_build(&s, out, err);
}

static bool response_content(const struct respond_spec *spec, struct buffer *out, struct error *err)
{
    char sender[MEMBER_TEXT_SIZE];
    char *party = (char *)spec->uid;
    bool is_malformed = spec->verdict == LOCAL_MALFORMED;
    struct confirmation_response one = {.verdict = spec->verdict,
                                        .parties = is_malformed ? NULL : &party,
                                        .n_parties = is_malformed ? 0 : 1,
                                        .has_position = !is_malformed};
    struct confirmation_responses m = {.request_id = spec->request_ts,
                                       .root = *spec->root,
                                       .psid = (char *)spec->psid,
                                       .sender = sender,
                                       .responses = &one,
                                       .n = 1};
    if (!is_malformed)
        one.position = *spec->position;
    member_format(MEMBER_PARTICIPANT, spec->uid, sender);
    bool ok = make_reason(spec, &one.reason, err) && confirmation_responses_build(&m, out, err);
    buffer_free(&one.reason);
    return ok;
}

bool submit_response(const struct respond_spec *spec, struct buffer *request, struct error *err)
{
    struct buffer content = BUFFER_INIT;
    struct recipients r = {0};
    struct signature sig = {0};
    struct batch b = {0};
    struct hash h;
    char group[32];
    const char *to = group;

    snprintf(group, sizeof(group), "MGR::%" PRId32, spec->mediator_group);
    bool ok =
        response_content(spec, &content, err) && message_hash(buffer_bytes(&content), &h, err) &&
        keyring_sign(spec->keys, USAGE_PROTOCOL, NULL, 0, &h, &sig, err) &&
        recipients_add(&r, 0, &to, 1, err) && add_one(&b, buffer_bytes(&content), &sig, &r, err) &&
        make_submission(spec->uid, spec->message_id, spec->max_ts, &b, request, err);
    batch_free(&b);
    signature_free(&sig);
    buffer_free(&content);
    return ok;
}
