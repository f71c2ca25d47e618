/* tree_leaf.c: the leaves of a transaction tree. */
#include "wire/tree_leaf.h"

#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/versioned.h"

static bool salt_from(const C30__Salt *m, uint8_t out[SALT_LEN], struct error *err)
{
    if (!m || m->algorithm_case != C30__SALT__ALGORITHM_HMAC ||
        m->hmac != C30__HMAC_ALGORITHM__HMAC_ALGORITHM_HMAC_SHA256 || m->salt.len != SALT_LEN)
        return error_set(err, ERR_MALFORMED, NULL, "a leaf without a salt of HMAC-SHA256");
    memcpy(out, m->salt.data, SALT_LEN);
    return true;
}

static bool is_alnum(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool text_check(const char *s, size_t max, const char *others, const char *what,
                       struct error *err)
{
    size_t len = strnlen(s, max + 1);
    bool ok = len > 0 && len <= max;

    for (size_t i = 0; ok && i < len; i++)
        ok = is_alnum(s[i]) || strchr(others, s[i]) != NULL;
    if (ok)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "%s is not 1 to %zu of the allowed characters", what,
                     max);
}

/* How many hex digits s starts with, at most 16; their value. */
static bool hex_group(const char **s, uint64_t *v)
{
    size_t n = 0;

    *v = 0;
    for (; n < 17; n++, (*s)++) {
        char c = **s;

        if (c >= '0' && c <= '9')
            *v = *v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *v = *v << 4 | (uint64_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            *v = *v << 4 | (uint64_t)(c - 'A' + 10);
        else
            break;
    }
    return n > 0 && n <= 16 && *v <= INT64_MAX;
}

bool uuid_parse(const char *text, uint8_t out[UUID_LEN])
{
    static const uint8_t widths[] = {4, 2, 2, 2, 6};
    const char *s = text;
    size_t at = 0;

    if (strnlen(text, 37) > 36)
        return false;
    for (size_t g = 0; g < 5; g++) {
        uint64_t v;

        if (!hex_group(&s, &v))
            return false;
        for (unsigned i = widths[g]; i-- > 0;)
            out[at++] = (uint8_t)(v >> (8 * i)); /* longer groups are cut from the left */
        if (*s != (g < 4 ? '-' : '\0'))
            return false;
        s += g < 4;
    }
    return true;
}

static bool dedup_check(const P30__DeduplicationPeriod *p, struct error *err)
{
    if (p && p->period_case == P30__DEDUPLICATION_PERIOD__PERIOD_DURATION)
        return true;
    if (p && p->period_case == P30__DEDUPLICATION_PERIOD__PERIOD_OFFSET && p->offset >= 0)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "a submitter without de-duplication period");
}

static bool external_check(const P31__ExternalAuthorization *a, struct error *err)
{
    if (!a)
        return true;
    if (a->hashing_scheme_version != 2 && a->hashing_scheme_version != 3)
        return error_set(err, ERR_MALFORMED, NULL, "unknown hashing scheme %d",
                         (int)a->hashing_scheme_version);
    for (size_t i = 0; i < a->n_authentications; i++)
        if (!party_check(a->authentications[i]->party, err))
            return false;
    if (a->_max_record_time_case != P31__EXTERNAL_AUTHORIZATION___MAX_RECORD_TIME__NOT_SET)
        return ts_check(a->max_record_time, "max record time", err);
    return true;
}

static bool submitter_from(const P31__SubmitterMetadata *m, struct informee_tree *out,
                           struct error *err)
{
    if (m->n_act_as == 0)
        return error_set(err, ERR_MALFORMED, NULL, "a submitter acts as nobody");
    for (size_t i = 0; i < m->n_act_as; i++)
        if (!party_check(m->act_as[i], err))
            return false;
    if (!text_check(m->user_id, 128, "@^$.!`-#+'~_|:()", "user id", err) ||
        !text_check(m->command_id, 255, "._:-#/ ", "command id", err) ||
        (*m->submission_id &&
         !text_check(m->submission_id, 255, "._:-#/ ", "submission id", err)) ||
        !uid_parse(m->submitting_participant_uid, NULL, err) ||
        !dedup_check(m->dedup_period, err) ||
        !ts_check(m->max_sequencing_time, "max sequencing time", err) ||
        !external_check(m->external_authorization, err))
        return false;
    out->max_sequencing_time = m->max_sequencing_time;
    if (!own_str(m->submitting_participant_uid, &out->submitting_participant, err) ||
        !own_str(m->user_id, &out->user_id, err) ||
        !own_str(m->command_id, &out->command_id, err) ||
        !own_str(m->submission_id, &out->submission_id, err) ||
        !own_strs(m->act_as, m->n_act_as, &out->act_as, err))
        return false;
    out->n_act_as = m->n_act_as;
    return true;
}

bool leaf_submitter(struct bytes wrapped, struct informee_tree *out, struct hash *hash,
                    struct error *err)
{
    P31__SubmitterMetadata *m =
        versioned_unpack(wrapped, VERSIONED_V31, &p31__submitter_metadata__descriptor, err);
    uint8_t salt[SALT_LEN];
    bool ok = m && salt_from(m->salt, salt, err) && submitter_from(m, out, err) &&
              merkle_leaf(HASH_SUBMITTER_METADATA, salt, wrapped, hash, err);

    wire_message_free(m);
    return ok;
}

static bool common_from(const P30__CommonMetadata *m, struct common_metadata *out,
                        struct error *err)
{
    if (!uuid_parse(m->uuid, out->uuid))
        return error_set(err, ERR_MALFORMED, NULL, "\"%.60s\" is no UUID", m->uuid);
    if (m->mediator_group < 0)
        return error_set(err, ERR_MALFORMED, NULL, "mediator group %d", m->mediator_group);
    out->mediator_group = m->mediator_group;
    return psid_parse(m->physical_synchronizer_id, NULL, err) &&
           own_str(m->physical_synchronizer_id, &out->psid, err);
}

bool leaf_common(struct bytes wrapped, struct common_metadata *out, struct hash *hash,
                 struct error *err)
{
    P30__CommonMetadata *m =
        versioned_unpack(wrapped, VERSIONED_V30, &p30__common_metadata__descriptor, err);
    uint8_t salt[SALT_LEN];
    bool ok;

    *out = (struct common_metadata){0};
    ok = m && salt_from(m->salt, salt, err) && common_from(m, out, err) &&
         merkle_leaf(HASH_COMMON_METADATA, salt, wrapped, hash, err);
    wire_message_free(m);
    return ok;
}

bool leaf_participant(struct bytes wrapped, struct hash *hash, struct error *err)
{
    P30__ParticipantMetadata *m =
        versioned_unpack(wrapped, VERSIONED_V30, &p30__participant_metadata__descriptor, err);
    uint8_t salt[SALT_LEN];
    bool ok = m && salt_from(m->salt, salt, err) && ts_check(m->ledger_time, "ledger time", err) &&
              ts_check(m->preparation_time, "preparation time", err) &&
              merkle_leaf(HASH_PARTICIPANT_METADATA, salt, wrapped, hash, err);

    wire_message_free(m);
    return ok;
}

static int compare_strs(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct weight {
    uint32_t informee;
    uint32_t order; /* of two weights of one party the later counts */
    int32_t weight;
};

static int compare_weights(const void *a, const void *b)
{
    const struct weight *x = a, *y = b;

    if (x->informee != y->informee)
        return x->informee < y->informee ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* sent: the informees as sent, which the indexes mean. */
static bool weights_from(const P30__Quorum *m, char *const *sent, size_t n_sent,
                         const struct view_common *view, struct weight *out, struct error *err)
{
    for (size_t i = 0; i < m->n_party_index_and_weight; i++) {
        const P30__PartyIndexAndWeight *w = m->party_index_and_weight[i];
        char **found;

        if (w->index < 0 || (size_t)w->index >= n_sent)
            return error_set(err, ERR_MALFORMED, NULL, "a quorum names informee %d of %zu",
                             w->index, n_sent);
        if (w->weight < 1)
            return error_set(err, ERR_MALFORMED, NULL, "a confirmer has weight %d", w->weight);
        found = bsearch(&sent[w->index], view->informees, view->n_informees, sizeof(char *),
                        compare_strs);
        if (!found)
            return error_set(err, ERR_INTERNAL, NULL, "an informee is lost");
        out[i] = (struct weight){(uint32_t)(found - view->informees), (uint32_t)i, w->weight};
    }
    return true;
}

static bool quorum_from(const P30__Quorum *m, char *const *sent, size_t n_sent,
                        const struct view_common *view, struct quorum *out, struct error *err)
{
    size_t n = m->n_party_index_and_weight;
    struct weight *weights = NULL;
    bool ok = false;

    if (m->threshold < 0)
        return error_set(err, ERR_MALFORMED, NULL, "a quorum has threshold %d", m->threshold);
    out->threshold = m->threshold;
    if (!own_array(n, sizeof(*weights), &weights, err) ||
        !own_array(n, sizeof(*out->confirmers), &out->confirmers, err) ||
        !weights_from(m, sent, n_sent, view, weights, err))
        goto out;
    if (n > 1)
        qsort(weights, n, sizeof(*weights), compare_weights);
    for (size_t i = 0; i < n; i++) {
        if (out->n == 0 || out->confirmers[out->n - 1].informee != weights[i].informee)
            out->n++;
        out->confirmers[out->n - 1] = (struct confirmer){weights[i].informee, weights[i].weight};
    }
    ok = true;
out:
    free(weights);
    return ok;
}

static bool view_common_from(const P30__ViewCommonData *m, struct view_common *out,
                             struct error *err)
{
    for (size_t i = 0; i < m->n_informees; i++)
        if (!party_check(m->informees[i], err))
            return false;
    if (!own_strs(m->informees, m->n_informees, &out->informees, err))
        return false;
    out->n_informees = own_strs_set(out->informees, m->n_informees);
    if (!own_array(m->n_quorums, sizeof(*out->quorums), &out->quorums, err))
        return false;
    out->n_quorums = m->n_quorums;
    for (size_t i = 0; i < m->n_quorums; i++)
        if (!quorum_from(m->quorums[i], m->informees, m->n_informees, out, &out->quorums[i], err))
            return false;
    return true;
}

bool leaf_view_common(struct bytes wrapped, struct view_common *out, struct hash *hash,
                      struct error *err)
{
    P30__ViewCommonData *m =
        versioned_unpack(wrapped, VERSIONED_V30, &p30__view_common_data__descriptor, err);
    bool ok;

    *out = (struct view_common){0};
    ok = m && salt_from(m->salt, out->salt, err) && view_common_from(m, out, err) &&
         merkle_leaf(HASH_VIEW_COMMON_DATA, out->salt, wrapped, hash, err);
    wire_message_free(m);
    if (!ok)
        view_common_free(out);
    return ok;
}

/* The payload is a field that the schema does not know, so the bytes are scanned. */
bool leaf_view_participant(struct bytes wrapped, struct bytes *payload, struct hash *hash,
                           struct error *err)
{
    uint8_t salt[SALT_LEN];
    bool has_payload = false, ok;
    struct scan_field f;
    struct bytes data;
    struct scan s;
    P31__ViewParticipantData *m;

    if (!versioned_unwrap(wrapped, VERSIONED_V31, &data, NULL, err))
        return false;
    m = wire_unpack(&p31__view_participant_data__descriptor, data, err);
    ok = m && salt_from(m->salt, salt, err);
    wire_message_free(m);
    if (!ok)
        return false;
    s = scan_of(data);
    while (scan_next(&s, &f)) {
        if (f.number == PAYLOAD_FIELD && f.wire == SCAN_BYTES) {
            *payload = f.bytes;
            has_payload = true;
        }
    }
    if (!has_payload)
        return error_set(err, ERR_UNSUPPORTED, NULL, "a view's payload is of another kind");
    return merkle_leaf(HASH_VIEW_PARTICIPANT_DATA, salt, wrapped, hash, err);
}

void quorums_free(struct quorum *q, size_t n)
{
    for (size_t i = 0; q && i < n; i++)
        free(q[i].confirmers);
    free(q);
}

void view_common_free(struct view_common *v)
{
    own_strs_free(v->informees, v->n_informees);
    quorums_free(v->quorums, v->n_quorums);
    *v = (struct view_common){0};
}

static bool quorum_equal(const struct quorum *a, const struct quorum *b)
{
    if (a->n != b->n || a->threshold != b->threshold)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->confirmers[i].informee != b->confirmers[i].informee ||
            a->confirmers[i].weight != b->confirmers[i].weight)
            return false;
    return true;
}

bool view_common_equal(const struct view_common *a, const struct view_common *b)
{
    if (memcmp(a->salt, b->salt, SALT_LEN) != 0 || a->n_informees != b->n_informees ||
        a->n_quorums != b->n_quorums)
        return false;
    for (size_t i = 0; i < a->n_informees; i++)
        if (strcmp(a->informees[i], b->informees[i]) != 0)
            return false;
    for (size_t i = 0; i < a->n_quorums; i++)
        if (!quorum_equal(&a->quorums[i], &b->quorums[i]))
            return false;
    return true;
}
