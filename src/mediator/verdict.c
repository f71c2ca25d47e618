/* verdict.c: see verdict.h. */
#include "mediator/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define TIMEOUT_TEXT                                                                               \
    "Rejected transaction as the mediator did not receive sufficient confirmations within the "    \
    "expected timeframe."

const char *outcome_name(enum outcome o)
{
    switch (o) {
    case OUTCOME_APPROVED:
        return "approved";
    case OUTCOME_REJECTED:
        return "rejected";
    case OUTCOME_TIMED_OUT:
        return "timed out";
    case OUTCOME_INVALID:
        return "invalid";
    case OUTCOME_DUPLICATE:
        return "duplicate";
    case OUTCOME_PURGED:
        return "purged";
    }
    return "unknown";
}

void decision_free(struct decision *d)
{
    if (d == NULL)
        return;
    buffer_free(&d->content);
    for (size_t i = 0; i < d->n_participants; i++)
        free(d->participants[i]);
    free(d->participants);
    free(d);
}

static bool build(const struct verdict_subject *s, struct verdict v, struct buffer *out,
                  struct error *err)
{
    struct confirmation_result r = {.psid = (char *)(uintptr_t)s->psid,
                                    .view_type = s->view_type,
                                    .request_id = s->request_id,
                                    .root = s->root,
                                    .verdict = v};

    return confirmation_result_build(&r, out, err);
}

bool verdict_approve(const struct verdict_subject *s, struct buffer *out, struct error *err)
{
    return build(s, (struct verdict){.kind = VERDICT_APPROVE}, out, err);
}

bool verdict_reject(const struct verdict_subject *s, struct tally *t, struct buffer *out,
                    struct error *err)
{
    size_t n;
    const struct tally_reason *from = tally_reasons(t, &n);
    struct rejection_reason *to = calloc(n ? n : 1, sizeof(*to));

    if (to == NULL || from == NULL) {
        free(to);
        return error_set(err, ERR_MEMORY, NULL, "no memory for the reasons of a rejection");
    }
    for (size_t i = 0; i < n; i++) { /* borrows: nothing of it is freed or written */
        to[i].parties = (char **)(uintptr_t)from[i].parties;
        to[i].n_parties = from[i].n_parties;
        to[i].verdict = (enum local_verdict)from[i].code;
        to[i].reason.data = (uint8_t *)(uintptr_t)from[i].status.data;
        to[i].reason.len = from[i].status.len;
        to[i].participant = (char *)(uintptr_t)from[i].participant;
    }
    bool ok = build(
        s, (struct verdict){.kind = VERDICT_PARTICIPANT_REJECT, .reasons = to, .n_reasons = n}, out,
        err);
    free(to);
    return ok;
}

static bool build_status(const struct verdict_subject *s, enum status_known id, bool is_malformed,
                         const struct status_meta *meta, size_t n, const char *text,
                         struct buffer *out, struct error *err)
{
    struct verdict v = {.kind = VERDICT_MEDIATOR_REJECT, .is_malformed = is_malformed};
    struct wire_status status = {0};
    bool ok = wire_status_make(id, NULL, meta, n, text, &status, err) &&
              wire_status_build(&status, &v.reason, err) && build(s, v, out, err);

    wire_status_free(&status);
    buffer_free(&v.reason);
    return ok;
}

bool verdict_timeout(const struct verdict_subject *s, const struct tally *t, struct buffer *out,
                     struct error *err)
{
    struct buffer names = BUFFER_INIT;
    const char **parties;
    size_t n;

    if (!tally_unresponsive(t, &parties, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buffer_append_byte(&names, ',');
        buffer_append_str(&names, parties[i]);
    }
    free(parties);
    const char *list = buffer_cstr(&names);
    struct status_meta meta = {"unresponsiveParties", list ? list : ""};
    bool ok = buffer_ok(&names, err) &&
              build_status(s, STATUS_TX_TIMED_OUT, false, &meta, 1, TIMEOUT_TEXT, out, err);
    buffer_free(&names);
    return ok;
}

bool verdict_invalid(const struct verdict_subject *s, const char *text, struct buffer *out,
                     struct error *err)
{
    return build_status(s, STATUS_MEDIATOR_INVALID, false, NULL, 0, text, out, err);
}

bool verdict_malformed(const struct verdict_subject *s, struct buffer *out, struct error *err)
{
    return build_status(s, STATUS_MEDIATOR_MALFORMED, true, NULL, 0, "", out, err);
}

static void uuid_format(const uint8_t u[UUID_LEN], char out[37])
{
    char hex[2 * UUID_LEN + 1];

    hex_encode(bytes_of(u, UUID_LEN), hex);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* ISO-8601 in UTC with a fraction of 0, 3 or 6 digits, as many as needed. */
static void instant_format(int64_t ts, char *out, size_t len)
{
    int64_t s = ts / US_PER_S, us = ts % US_PER_S;
    struct tm tm;

    if (us < 0) {
        us += US_PER_S;
        s--;
    }
    time_t t = (time_t)s;
    if (gmtime_r(&t, &tm) == NULL)
        memset(&tm, 0, sizeof(tm));
    size_t n = strftime(out, len, "%Y-%m-%dT%H:%M:%S", &tm);
    if (us % 1000 != 0)
        n += (size_t)snprintf(out + n, len - n, ".%06d", (int)us);
    else if (us != 0)
        n += (size_t)snprintf(out + n, len - n, ".%03d", (int)(us / 1000));
    snprintf(out + n, len - n, "Z");
}

bool verdict_duplicate(const struct verdict_subject *s, const uint8_t uuid[UUID_LEN],
                       int64_t expires_ts, struct buffer *out, struct error *err)
{
    char id[37], at[64], text[192];

    uuid_format(uuid, id);
    instant_format(expires_ts, at, sizeof(at));
    snprintf(text, sizeof(text),
             "The request uuid (%s) was used before and cannot be used again until %s.", id, at);
    struct status_meta meta[] = {{"expireAfter", at}, {"uuid", id}};
    return build_status(s, STATUS_DUPLICATE_UUID, false, meta, 2, text, out, err);
}

void verdict_message_id(int64_t request_id, int32_t part, uint32_t nonce, char *out)
{
    snprintf(out, VERDICT_MESSAGE_ID_SIZE, "verdict-%" PRId64 "-%" PRId32 "-%08" PRIx32, request_id,
             part, nonce);
}

bool verdict_message_id_parse(const char *message_id, int64_t *request_id, int32_t *part)
{
    uint32_t nonce;
    char again[VERDICT_MESSAGE_ID_SIZE];

    if (sscanf(message_id, "verdict-%" SCNd64 "-%" SCNd32 "-%8" SCNx32, request_id, part, &nonce) !=
        3)
        return false;
    verdict_message_id(*request_id, *part, nonce, again);
    return strcmp(again, message_id) == 0;
}

bool verdict_submission(const struct decision *d, const char *member, const char *message_id,
                        const struct signature *s, struct buffer *out, struct error *err)
{
    struct submission sub = {.sender = (char *)(uintptr_t)member,
                             .message_id = (char *)(uintptr_t)message_id,
                             .max_sequencing_time = d->decision_ts,
                             .rule = {.kind = AGGREGATION_MEDIATOR_GROUP, .group = d->group}};
    struct recipients r = {0};
    struct batch b = {0};
    bool ok = false;

    for (size_t i = 0; i < d->n_participants; i++)
        if (!recipients_add(&r, 0, (const char *const *)&d->participants[i], 1, err))
            goto out;
    if (!batch_add(&b, buffer_bytes(&d->content), s, 1, &r, err) ||
        !batch_seal(&b, &sub.batch, err) || !submission_build(&sub, err))
        goto out;
    buffer_append_bytes(out, buffer_bytes(&sub.raw));
    ok = buffer_ok(out, err);
out:
    recipients_free(&r);
    batch_free(&b);
    compressed_batch_free(&sub.batch);
    buffer_free(&sub.raw);
    return ok;
}
