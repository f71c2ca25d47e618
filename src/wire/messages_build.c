/* messages_build.c: the contents of envelopes, as we write them. */
#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/messages.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/versioned.h"

static bool view_type_check(int type, struct error *err)
{
    if (type >= VIEW_TYPE_TRANSACTION && type <= VIEW_TYPE_ASSIGNMENT)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "unknown view type %d", type);
}

bool root_hash_message_build(const struct root_hash_message *m, struct buffer *out,
                             struct error *err)
{
    P30__RootHashMessage message = P30__ROOT_HASH_MESSAGE__INIT;
    P31__EnvelopeContent content = P31__ENVELOPE_CONTENT__INIT;

    if (!psid_parse(m->psid, NULL, err) || !view_type_check(m->view_type, err) ||
        !ts_check(m->submission_topology_time, "submission topology time", err))
        return false;
    message.root_hash = pb_bytes(hash_as_bytes(&m->root));
    message.physical_synchronizer_id = m->psid;
    message.view_type = (P30__ViewType)m->view_type;
    message.submission_topology_time = m->submission_topology_time;
    message.payload = pb_bytes(buffer_bytes(&m->payload));
    content.some_envelope_content_case =
        P31__ENVELOPE_CONTENT__SOME_ENVELOPE_CONTENT_ROOT_HASH_MESSAGE;
    content.root_hash_message = &message;
    return versioned_pack(&content, VERSIONED_V31, out, err);
}

/* Parties as fields number, ascending and distinct. */
static bool put_parties(struct buffer *out, uint32_t number, char *const *parties, size_t n,
                        struct error *err)
{
    char **set;

    for (size_t i = 0; i < n; i++)
        if (!party_check(parties[i], err))
            return false;
    if (!own_strs(parties, n, &set, err))
        return false;
    n = own_strs_set(set, n);
    for (size_t i = 0; i < n; i++)
        put_bytes(out, number, bytes_str(set[i]));
    own_strs_free(set, n);
    return true;
}

static bool participant_check(const char *text, struct error *err)
{
    if (member_is(text, MEMBER_PARTICIPANT))
        return member_parse(text, NULL, NULL, err);
    return error_set(err, ERR_MALFORMED, NULL, "%.100s is no participant", text);
}

/* LocalVerdict in field number. reason: bytes of a Status, checked as they may come from a peer. */
static bool put_local_verdict(struct buffer *out, uint32_t number, enum local_verdict verdict,
                              const struct buffer *reason, struct error *err)
{
    struct buffer one = BUFFER_INIT;

    if (!wire_check(&rpc__status__descriptor, buffer_bytes(reason), err))
        return false;
    put_varint(&one, 1, verdict);
    put_bytes(&one, 2, buffer_bytes(reason));
    put_bytes(out, number, buffer_bytes(&one));
    out->failed = out->failed || one.failed;
    buffer_free(&one);
    return true;
}

static bool put_position(struct buffer *out, const struct view_position *p, struct error *err)
{
    struct buffer one = BUFFER_INIT;
    bool ok = view_position_build(p, &one, err);

    put_bytes(out, 3, buffer_bytes(&one));
    buffer_free(&one);
    return ok;
}

static bool put_response(struct buffer *out, const struct confirmation_response *r,
                         struct error *err)
{
    struct buffer one = BUFFER_INIT;
    bool is_malformed = r->verdict == LOCAL_MALFORMED, ok;

    if (r->verdict < LOCAL_APPROVE || r->verdict > LOCAL_ABSTAIN ||
        (r->n_parties == 0) != is_malformed || (!is_malformed && !r->has_position))
        return error_set(err, ERR_MALFORMED, NULL,
                         "a response's parties and view do not fit its verdict");
    ok = put_local_verdict(&one, 1, r->verdict, &r->reason, err) &&
         put_parties(&one, 2, r->parties, r->n_parties, err) &&
         (!r->has_position || put_position(&one, &r->position, err)) && buffer_ok(&one, err);
    put_bytes(out, 5, buffer_bytes(&one));
    buffer_free(&one);
    return ok;
}

/* Wraps inner as itself, as field number of the typed content, and that again. */
static bool typed_content(uint32_t number, const struct buffer *inner, struct buffer *out,
                          struct error *err)
{
    struct buffer wrapped = BUFFER_INIT, typed = BUFFER_INIT;
    bool ok =
        buffer_ok(inner, err) && versioned_wrap(buffer_bytes(inner), VERSIONED_V30, &wrapped, err);

    put_bytes(&typed, number, buffer_bytes(&wrapped));
    ok = ok && buffer_ok(&typed, err) &&
         versioned_wrap(buffer_bytes(&typed), VERSIONED_V30, out, err);
    buffer_free(&wrapped);
    buffer_free(&typed);
    return ok;
}

bool confirmation_responses_build(const struct confirmation_responses *m, struct buffer *out,
                                  struct error *err)
{
    struct buffer inner = BUFFER_INIT;
    bool ok = true;

    if (m->n == 0)
        return error_set(err, ERR_MALFORMED, NULL, "confirmation responses without a response");
    if (!psid_parse(m->psid, NULL, err) || !participant_check(m->sender, err) ||
        !ts_check(m->request_id, "request id", err))
        return false;
    put_varint(&inner, 1, (uint64_t)m->request_id);
    put_bytes(&inner, 2, hash_as_bytes(&m->root));
    put_str(&inner, 3, m->psid);
    put_str(&inner, 4, m->sender);
    for (size_t i = 0; ok && i < m->n; i++)
        ok = put_response(&inner, &m->responses[i], err);
    ok = ok && typed_content(2, &inner, out, err);
    buffer_free(&inner);
    return ok;
}

static bool put_rejection(struct buffer *out, const struct rejection_reason *r, struct error *err)
{
    struct buffer one = BUFFER_INIT;
    bool ok;

    if (r->verdict <= LOCAL_APPROVE || r->verdict > LOCAL_ABSTAIN)
        return error_set(err, ERR_MALFORMED, NULL, "a rejection for local verdict %d",
                         (int)r->verdict);
    ok = participant_check(r->participant, err) &&
         put_parties(&one, 1, r->parties, r->n_parties, err) &&
         put_local_verdict(&one, 2, r->verdict, &r->reason, err);
    put_str(&one, 3, r->participant);
    ok = ok && buffer_ok(&one, err);
    put_bytes(out, 1, buffer_bytes(&one));
    buffer_free(&one);
    return ok;
}

static bool status_is_error(const struct buffer *status, struct error *err)
{
    struct wire_status s;
    bool ok;

    if (!wire_status_parse(buffer_bytes(status), &s, err))
        return false;
    ok = s.code != 0;
    wire_status_free(&s);
    return ok || error_set(err, ERR_MALFORMED, NULL, "a mediator's rejection with code OK");
}

/* Verdict in field 5. */
static bool put_verdict(struct buffer *out, const struct verdict *v, struct error *err)
{
    struct buffer inner = BUFFER_INIT, verdict = BUFFER_INIT;
    bool ok = true;

    switch (v->kind) {
    case VERDICT_APPROVE:
        break;
    case VERDICT_PARTICIPANT_REJECT:
        if (v->n_reasons == 0)
            ok = error_set(err, ERR_MALFORMED, NULL, "a participants' rejection without reason");
        for (size_t i = 0; ok && i < v->n_reasons; i++)
            ok = put_rejection(&inner, &v->reasons[i], err);
        break;
    case VERDICT_MEDIATOR_REJECT:
        ok = status_is_error(&v->reason, err);
        put_bytes(&inner, 1, buffer_bytes(&v->reason));
        put_varint(&inner, 2, v->is_malformed);
        break;
    default:
        ok = error_set(err, ERR_MALFORMED, NULL, "unknown verdict %d", (int)v->kind);
        break;
    }
    put_bytes(&verdict, (uint32_t)v->kind, buffer_bytes(&inner));
    ok = ok && buffer_ok(&inner, err) && buffer_ok(&verdict, err);
    put_bytes(out, 5, buffer_bytes(&verdict));
    buffer_free(&inner);
    buffer_free(&verdict);
    return ok;
}

bool confirmation_result_build(const struct confirmation_result *m, struct buffer *out,
                               struct error *err)
{
    struct buffer inner = BUFFER_INIT;
    bool ok;

    if (!psid_parse(m->psid, NULL, err) || !view_type_check(m->view_type, err) ||
        !ts_check(m->request_id, "request id", err))
        return false;
    put_str(&inner, 1, m->psid);
    put_varint(&inner, 2, (uint64_t)m->view_type);
    put_varint(&inner, 3, (uint64_t)m->request_id);
    put_bytes(&inner, 4, hash_as_bytes(&m->root));
    ok = put_verdict(&inner, &m->verdict, err) && typed_content(3, &inner, out, err);
    buffer_free(&inner);
    return ok;
}
