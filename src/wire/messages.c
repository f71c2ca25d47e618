/* messages.c: opens the contents of envelopes. All was pre-checked with its descriptor before it is
 * scanned; scanning keeps reasons as received, where a decode and encode could change bytes. */
#include "wire/messages.h"

#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/versioned.h"

/* How often field number is there. */
static size_t count_of(struct bytes in, uint32_t number)
{
    struct scan s = scan_of(in);
    struct scan_field f;
    size_t n = 0;

    while (scan_next(&s, &f))
        n += f.number == number;
    return n;
}

/* A string field: the last occurrence counts. */
static bool take_str(struct bytes v, char **out, struct error *err)
{
    free(*out);
    *out = NULL;
    return own_strn(v, out, err);
}

/* Ensures *out, so that an absent string is "". */
static bool settle_str(char **out, struct error *err)
{
    return *out || own_str("", out, err);
}

static bool participant_check(const char *text, struct error *err)
{
    enum member_kind kind;

    if (!member_parse(text, &kind, NULL, err))
        return false;
    if (kind == MEMBER_PARTICIPANT)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "%.100s is no participant", text);
}

static bool view_type_check(int64_t type, struct error *err)
{
    if (type >= VIEW_TYPE_TRANSACTION && type <= VIEW_TYPE_ASSIGNMENT)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "unknown view type %lld", (long long)type);
}

/* ---- root hash message ---- */

static bool root_hash_from(struct bytes in, struct root_hash_message *out, struct error *err)
{
    P30__RootHashMessage *m = wire_unpack(&p30__root_hash_message__descriptor, in, err);
    bool ok;

    *out = (struct root_hash_message){0};
    if (!m)
        return false;
    out->view_type = (int)m->view_type;
    out->submission_topology_time = m->submission_topology_time;
    ok = hash_parse(bytes_pb(m->root_hash), &out->root, err) &&
         psid_parse(m->physical_synchronizer_id, NULL, err) && view_type_check(m->view_type, err) &&
         ts_check(m->submission_topology_time, "submission topology time", err) &&
         own_str(m->physical_synchronizer_id, &out->psid, err) &&
         own_bytes(bytes_pb(m->payload), &out->payload, err);
    wire_message_free(m);
    return ok;
}

static void root_hash_free(struct root_hash_message *m)
{
    free(m->psid);
    buffer_free(&m->payload);
}

bool root_hash_tree_ok(const struct recipients *r, uint32_t root_node, int32_t group,
                       const char **participant)
{
    const struct recipients_node *node = &r->nodes[root_node];
    bool has_group = false;

    *participant = NULL;
    if (node->n != 2 || node->end != root_node + 1)
        return false;
    for (uint32_t i = node->first; i < node->first + 2; i++) {
        const struct recipient *x = &r->all[i];

        if (x->kind == RECIPIENT_MEDIATOR_GROUP && x->group == group)
            has_group = true;
        else if (x->kind == RECIPIENT_MEMBER && x->member == MEMBER_PARTICIPANT)
            *participant = x->text;
    }
    return has_group && *participant;
}

/* ---- topology broadcast ---- */

static bool broadcast_list(struct bytes in, struct topology_broadcast *out, struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;

    while (scan_next(&s, &f)) {
        struct signed_topology_tx tx;

        if (f.number != 1)
            continue;
        if (!signed_topology_tx_parse(f.bytes, &tx, err)) /* one bad, all bad */
            return false;
        signed_topology_tx_free(&tx);
        if (!own_bytes(f.bytes, &out->transactions[out->n], err))
            return false;
        out->n++;
    }
    return true;
}

static bool broadcast_from(struct bytes in, struct topology_broadcast *out, struct error *err)
{
    struct buffer list = BUFFER_INIT;
    bool has_list = false, ok = true;
    struct scan s = scan_of(in);
    struct scan_field f;

    *out = (struct topology_broadcast){0};
    while (ok && scan_next(&s, &f)) {
        if (f.number == 1)
            ok = take_str(f.bytes, &out->psid, err);
        if (f.number == 2) {
            buffer_append_bytes(&list, f.bytes);
            has_list = true;
        }
    }
    ok = ok && settle_str(&out->psid, err) && psid_parse(out->psid, NULL, err) &&
         buffer_ok(&list, err);
    if (ok && !has_list)
        ok = error_set(err, ERR_MALFORMED, NULL, "a topology broadcast has no list");
    ok = ok &&
         own_array(count_of(buffer_bytes(&list), 1), sizeof(*out->transactions), &out->transactions,
                   err) &&
         broadcast_list(buffer_bytes(&list), out, err);
    buffer_free(&list);
    return ok;
}

/* ---- verdicts ---- */

/* LocalVerdict: code = 1, reason = 2 (required). The reason's bytes are kept as they are. */
static bool local_verdict_from(struct bytes in, enum local_verdict *code, struct buffer *reason,
                               struct error *err)
{
    struct scan s = scan_of(in);
    bool has_reason = false;
    struct scan_field f;
    uint64_t number = 0;

    while (scan_next(&s, &f)) {
        if (f.number == 1)
            number = f.value;
        if (f.number == 2) {
            buffer_append_bytes(reason, f.bytes);
            has_reason = true;
        }
    }
    if (number < LOCAL_APPROVE || number > LOCAL_ABSTAIN)
        return error_set(err, ERR_MALFORMED, NULL, "unknown local verdict %llu",
                         (unsigned long long)number);
    if (!has_reason)
        return error_set(err, ERR_MALFORMED, NULL, "a local verdict without reason");
    *code = (enum local_verdict)number;
    return buffer_ok(reason, err);
}

/* Reads the strings of field number into a set. */
static bool parties_from(struct bytes in, uint32_t number, char ***out, size_t *n,
                         struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;
    size_t total = count_of(in, number), i = 0;

    if (!own_array(total, sizeof(**out), out, err))
        return false;
    *n = total;
    while (scan_next(&s, &f)) {
        if (f.number != number)
            continue;
        if (!own_strn(f.bytes, &(*out)[i], err) || !party_check((*out)[i], err))
            return false;
        i++;
    }
    *n = own_strs_set(*out, total);
    return true;
}

static bool response_check(const struct confirmation_response *r, struct error *err)
{
    if (r->verdict == LOCAL_MALFORMED && r->n_parties > 0)
        return error_set(err, ERR_MALFORMED, NULL, "a malformed verdict names parties");
    if (r->verdict != LOCAL_MALFORMED && (r->n_parties == 0 || !r->has_position))
        return error_set(err, ERR_MALFORMED, NULL, "a local verdict names no %s",
                         r->n_parties == 0 ? "parties" : "view");
    return true;
}

/* ConfirmationResponse: local_verdict = 1, confirming_parties = 2, view_position = 3. */
static bool response_from(struct bytes in, struct confirmation_response *out, struct error *err)
{
    struct buffer verdict = BUFFER_INIT, position = BUFFER_INIT;
    struct scan s = scan_of(in);
    bool has_verdict = false, ok;
    struct scan_field f;

    while (scan_next(&s, &f)) {
        if (f.number == 1) {
            buffer_append_bytes(&verdict, f.bytes);
            has_verdict = true;
        } else if (f.number == 3) {
            buffer_append_bytes(&position, f.bytes);
            out->has_position = true;
        }
    }
    ok = buffer_ok(&verdict, err) && buffer_ok(&position, err);
    if (ok && !has_verdict)
        ok = error_set(err, ERR_MALFORMED, NULL, "a response without local verdict");
    ok =
        ok && local_verdict_from(buffer_bytes(&verdict), &out->verdict, &out->reason, err) &&
        parties_from(in, 2, &out->parties, &out->n_parties, err) &&
        (!out->has_position || view_position_parse(buffer_bytes(&position), &out->position, err)) &&
        response_check(out, err);
    buffer_free(&verdict);
    buffer_free(&position);
    return ok;
}

static bool responses_head(struct bytes in, struct confirmation_responses *out, struct error *err)
{
    struct bytes root = {NULL, 0};
    struct scan s = scan_of(in);
    struct scan_field f;

    while (scan_next(&s, &f)) {
        switch (f.number) {
        case 1:
            out->request_id = (int64_t)f.value;
            break;
        case 2:
            root = f.bytes;
            break;
        case 3:
            if (!take_str(f.bytes, &out->psid, err))
                return false;
            break;
        case 4:
            if (!take_str(f.bytes, &out->sender, err))
                return false;
            break;
        default:
            break;
        }
    }
    return settle_str(&out->psid, err) && settle_str(&out->sender, err) &&
           ts_check(out->request_id, "request id", err) && hash_parse(root, &out->root, err) &&
           psid_parse(out->psid, NULL, err) && participant_check(out->sender, err);
}

static bool responses_from(struct bytes in, struct confirmation_responses *out, struct error *err)
{
    size_t n = count_of(in, 5);
    struct scan s = scan_of(in);
    struct scan_field f;

    *out = (struct confirmation_responses){0};
    if (!wire_check(&p30__confirmation_responses__descriptor, in, err) ||
        !responses_head(in, out, err))
        return false;
    if (n == 0)
        return error_set(err, ERR_MALFORMED, NULL, "confirmation responses without a response");
    if (!own_array(n, sizeof(*out->responses), &out->responses, err))
        return false;
    while (scan_next(&s, &f)) {
        if (f.number != 5)
            continue;
        out->n++; /* before it is complete, so that it is freed in any case */
        if (!response_from(f.bytes, &out->responses[out->n - 1], err))
            return false;
    }
    return true;
}

static void responses_free(struct confirmation_responses *m)
{
    for (size_t i = 0; i < m->n; i++) {
        buffer_free(&m->responses[i].reason);
        own_strs_free(m->responses[i].parties, m->responses[i].n_parties);
        view_position_free(&m->responses[i].position);
    }
    free(m->responses);
    free(m->psid);
    free(m->sender);
}

/* RejectionReason: parties = 1, reject = 2, participant_id = 3. */
static bool rejection_from(struct bytes in, struct rejection_reason *out, struct error *err)
{
    struct buffer verdict = BUFFER_INIT;
    struct scan s = scan_of(in);
    bool ok = true;
    struct scan_field f;

    while (ok && scan_next(&s, &f)) {
        if (f.number == 2)
            buffer_append_bytes(&verdict, f.bytes);
        if (f.number == 3)
            ok = take_str(f.bytes, &out->participant, err);
    }
    ok = ok && settle_str(&out->participant, err) && participant_check(out->participant, err) &&
         buffer_ok(&verdict, err) &&
         local_verdict_from(buffer_bytes(&verdict), &out->verdict, &out->reason, err) &&
         parties_from(in, 1, &out->parties, &out->n_parties, err);
    if (ok && out->verdict == LOCAL_APPROVE)
        ok = error_set(err, ERR_MALFORMED, NULL, "a rejection for an approval");
    buffer_free(&verdict);
    return ok;
}

static bool participant_reject_from(struct bytes in, struct verdict *out, struct error *err)
{
    size_t n = count_of(in, 1);
    struct scan s = scan_of(in);
    struct scan_field f;

    if (n == 0)
        return error_set(err, ERR_MALFORMED, NULL, "a participants' rejection without reason");
    if (!own_array(n, sizeof(*out->reasons), &out->reasons, err))
        return false;
    while (scan_next(&s, &f)) {
        if (f.number != 1)
            continue;
        out->n_reasons++;
        if (!rejection_from(f.bytes, &out->reasons[out->n_reasons - 1], err))
            return false;
    }
    return true;
}

static bool status_code_check(struct bytes status, struct error *err)
{
    struct scan s = scan_of(status);
    struct scan_field f;
    uint64_t code = 0;

    while (scan_next(&s, &f))
        if (f.number == 1)
            code = f.value;
    if ((uint32_t)code != 0)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "a mediator's rejection with code OK");
}

static bool mediator_reject_from(struct bytes in, struct verdict *out, struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;

    while (scan_next(&s, &f)) {
        if (f.number == 1)
            buffer_append_bytes(&out->reason, f.bytes);
        if (f.number == 2)
            out->is_malformed = f.value != 0;
    }
    return buffer_ok(&out->reason, err) && status_code_check(buffer_bytes(&out->reason), err);
}

/* A oneof of messages: which one counts, and its bytes (those of its occurrences, joined). */
static bool oneof_from(struct bytes in, uint32_t first, uint32_t last, uint32_t *number,
                       struct buffer *out, struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;

    *number = 0;
    while (scan_next(&s, &f)) {
        if (f.number < first || f.number > last)
            continue;
        if (f.number != *number)
            buffer_clear(out);
        *number = f.number;
        buffer_append_bytes(out, f.bytes);
    }
    return buffer_ok(out, err);
}

static bool verdict_from(struct bytes in, struct verdict *out, struct error *err)
{
    struct buffer inner = BUFFER_INIT;
    uint32_t number;
    bool ok = oneof_from(in, 1, 3, &number, &inner, err);

    if (ok && number == 0)
        ok = error_set(err, ERR_MALFORMED, NULL, "a result without verdict");
    out->kind = (enum verdict_kind)number;
    if (ok && number == VERDICT_PARTICIPANT_REJECT)
        ok = participant_reject_from(buffer_bytes(&inner), out, err);
    if (ok && number == VERDICT_MEDIATOR_REJECT)
        ok = mediator_reject_from(buffer_bytes(&inner), out, err);
    buffer_free(&inner);
    return ok;
}

static bool result_from(struct bytes in, struct confirmation_result *out, struct error *err)
{
    struct bytes root = {NULL, 0};
    struct buffer verdict = BUFFER_INIT;
    struct scan s = scan_of(in);
    uint64_t type = 0;
    bool ok;
    struct scan_field f;

    *out = (struct confirmation_result){0};
    ok = wire_check(&p30__confirmation_result_message__descriptor, in, err);
    while (ok && scan_next(&s, &f)) {
        if (f.number == 1)
            ok = take_str(f.bytes, &out->psid, err);
        else if (f.number == 2)
            type = f.value;
        else if (f.number == 3)
            out->request_id = (int64_t)f.value;
        else if (f.number == 4)
            root = f.bytes;
        else if (f.number == 5)
            buffer_append_bytes(&verdict, f.bytes);
    }
    ok = ok && settle_str(&out->psid, err) && psid_parse(out->psid, NULL, err) &&
         view_type_check((int64_t)type, err) && ts_check(out->request_id, "request id", err) &&
         hash_parse(root, &out->root, err) && buffer_ok(&verdict, err) &&
         verdict_from(buffer_bytes(&verdict), &out->verdict, err);
    out->view_type = (int)type;
    buffer_free(&verdict);
    return ok;
}

void confirmation_verdict_free(struct verdict *v)
{
    if (!v)
        return;
    for (size_t i = 0; v->reasons && i < v->n_reasons; i++) {
        own_strs_free(v->reasons[i].parties, v->reasons[i].n_parties);
        buffer_free(&v->reasons[i].reason);
        free(v->reasons[i].participant);
    }
    free(v->reasons);
    buffer_free(&v->reason);
    *v = (struct verdict){0};
}

static bool rejection_copy(struct rejection_reason *to, const struct rejection_reason *from,
                           struct error *err)
{
    to->verdict = from->verdict;
    if (!own_strs(from->parties, from->n_parties, &to->parties, err))
        return false;
    to->n_parties = from->n_parties;
    return own_bytes(buffer_bytes(&from->reason), &to->reason, err) &&
           own_str(from->participant, &to->participant, err);
}

bool confirmation_verdict_copy(struct verdict *to, const struct verdict *from, struct error *err)
{
    bool ok;

    *to = (struct verdict){.kind = from->kind, .is_malformed = from->is_malformed};
    ok = own_bytes(buffer_bytes(&from->reason), &to->reason, err) &&
         own_array(from->n_reasons, sizeof(*to->reasons), &to->reasons, err);
    if (ok)
        to->n_reasons = from->n_reasons;
    for (size_t i = 0; ok && i < from->n_reasons; i++)
        ok = rejection_copy(&to->reasons[i], &from->reasons[i], err);
    if (!ok)
        confirmation_verdict_free(to);
    return ok;
}

/* ---- any message ---- */

static const struct {
    enum message_kind kind;
    const char *name;
} unsigned_kinds[] =
    {
        [1] = {MESSAGE_INFORMEE, "informee message"},
        [2] = {MESSAGE_VIEWS, "encrypted views"},
        [3] = {MESSAGE_UNASSIGNMENT, "unassignment request"},
        [4] = {MESSAGE_ASSIGNMENT, "assignment request"},
        [5] = {MESSAGE_ROOT_HASH, "root hash message"},
        [6] = {MESSAGE_TOPOLOGY, "topology broadcast"},
        [7] = {MESSAGE_ACS_COMMITMENT, "ACS commitment"},
        [8] = {MESSAGE_LSU_TEST, "upgrade test"},
},
  signed_kinds[] = {
      [2] = {MESSAGE_RESPONSES, "confirmation responses"},
      [3] = {MESSAGE_RESULT, "confirmation result"},
      [4] = {MESSAGE_ACS_COMMITMENT, "ACS commitment"},
      [5] = {MESSAGE_SET_TRAFFIC, "traffic purchase"},
};

const char *message_kind_name(enum message_kind kind)
{
    for (size_t i = 1; i < sizeof(unsigned_kinds) / sizeof(*unsigned_kinds); i++)
        if (unsigned_kinds[i].kind == kind)
            return unsigned_kinds[i].name;
    for (size_t i = 2; i < sizeof(signed_kinds) / sizeof(*signed_kinds); i++)
        if (signed_kinds[i].kind == kind)
            return signed_kinds[i].name;
    return "message";
}

/* Which message, and its bytes in *inner. Signed: the wrapped message inside. */
static bool open_content(struct bytes content, bool is_signed, enum message_kind *kind,
                         struct buffer *inner, struct error *err)
{
    const ProtobufCMessageDescriptor *desc =
        is_signed ? &p30__typed_signed_protocol_message_content__descriptor
                  : &p31__envelope_content__descriptor;
    struct scan_field f;
    struct bytes data;
    uint32_t number = 0;
    struct scan s;

    if (!versioned_unwrap(content, is_signed ? VERSIONED_V30 : VERSIONED_V31, &data, NULL, err) ||
        !wire_check(desc, data, err))
        return false;
    if (!is_signed) {
        if (!oneof_from(data, 1, 8, &number, inner, err))
            return false;
    } else {
        s = scan_of(data);
        while (scan_next(&s, &f)) {
            if (f.number < 2 || f.number > 5)
                continue;
            number = f.number;
            buffer_clear(inner); /* bytes are replaced, not merged */
            buffer_append_bytes(inner, f.bytes);
        }
        if (!buffer_ok(inner, err))
            return false;
    }
    if (number == 0)
        return error_set(err, ERR_MALFORMED, NULL, "an envelope holds no known message");
    *kind = is_signed ? signed_kinds[number].kind : unsigned_kinds[number].kind;
    return true;
}

bool message_kind_of(struct bytes content, bool is_signed, enum message_kind *kind,
                     struct error *err)
{
    struct buffer inner = BUFFER_INIT;
    bool ok = open_content(content, is_signed, kind, &inner, err);

    buffer_free(&inner);
    return ok;
}

static bool message_from(struct bytes inner, struct message *out, struct error *err)
{
    struct bytes data;

    switch (out->kind) {
    case MESSAGE_INFORMEE:
        return informee_message_parse(inner, &out->as.informee, err);
    case MESSAGE_VIEWS:
        return view_message_parse(inner, &out->as.views, err);
    case MESSAGE_ROOT_HASH:
        return root_hash_from(inner, &out->as.root_hash, err);
    case MESSAGE_TOPOLOGY:
        return broadcast_from(inner, &out->as.topology, err);
    case MESSAGE_RESPONSES:
        return versioned_unwrap(inner, VERSIONED_V30, &data, NULL, err) &&
               responses_from(data, &out->as.responses, err);
    case MESSAGE_RESULT:
        return versioned_unwrap(inner, VERSIONED_V30, &data, NULL, err) &&
               result_from(data, &out->as.result, err);
    case MESSAGE_UNASSIGNMENT:
    case MESSAGE_ASSIGNMENT:
    case MESSAGE_ACS_COMMITMENT:
    case MESSAGE_LSU_TEST:
    case MESSAGE_SET_TRAFFIC:
        return own_bytes(inner, &out->as.opaque, err);
    }
    return error_set(err, ERR_INTERNAL, NULL, "message kind %d", (int)out->kind);
}

bool message_parse(struct bytes content, bool is_signed, struct message *out, struct error *err)
{
    struct buffer inner = BUFFER_INIT;
    bool ok;

    memset(out, 0, sizeof(*out));
    ok = open_content(content, is_signed, &out->kind, &inner, err);
    if (ok && !message_from(buffer_bytes(&inner), out, err))
        ok = error_add(err, "%s", message_kind_name(out->kind));
    if (!ok)
        message_free(out);
    buffer_free(&inner);
    return ok;
}

void message_free(struct message *m)
{
    if (!m)
        return;
    switch (m->kind) {
    case MESSAGE_INFORMEE:
        informee_message_free(&m->as.informee);
        break;
    case MESSAGE_VIEWS:
        view_message_free(&m->as.views);
        break;
    case MESSAGE_ROOT_HASH:
        root_hash_free(&m->as.root_hash);
        break;
    case MESSAGE_TOPOLOGY:
        topology_broadcast_free(&m->as.topology);
        break;
    case MESSAGE_RESPONSES:
        responses_free(&m->as.responses);
        break;
    case MESSAGE_RESULT:
        free(m->as.result.psid);
        confirmation_verdict_free(&m->as.result.verdict);
        break;
    case MESSAGE_UNASSIGNMENT:
    case MESSAGE_ASSIGNMENT:
    case MESSAGE_ACS_COMMITMENT:
    case MESSAGE_LSU_TEST:
    case MESSAGE_SET_TRAFFIC:
        buffer_free(&m->as.opaque);
        break;
    }
    memset(m, 0, sizeof(*m));
}

bool message_hash(struct bytes content, struct hash *out, struct error *err)
{
    return hash_of(HASH_SIGNED_PROTOCOL_MESSAGE, content, out, err);
}
