/* batch.c: envelopes and their recipients, compressed and opened. */
#include "wire/batch.h"

#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/gzip.h"
#include "wire/keys.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"

#define ALGORITHM_NONE 0
#define ALGORITHM_GZIP 1

/* The P31 list: one P30.Recipients per envelope, in field 1. */
static bool read_list(struct bytes in, struct recipients *out, size_t n, struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;
    size_t i = 0;

    while (scan_next(&s, &f)) {
        if (f.number != 1)
            continue;
        if (f.wire != SCAN_BYTES)
            return error_set(err, ERR_MALFORMED, NULL, "recipients are no message");
        if (i == n)
            return error_set(err, ERR_MALFORMED, NULL, "more recipients than %zu envelopes", n);
        if (!recipients_parse(f.bytes, &out[i], err))
            return false;
        i++;
    }
    if (s.failed)
        return error_set(err, ERR_MALFORMED, NULL, "recipients are cut short or no protobuf");
    if (i < n)
        return error_set(err, ERR_MALFORMED, NULL, "%zu recipients for %zu envelopes", i, n);
    return true;
}

bool batch_read_recipients(const struct compressed_batch *b, size_t limit, struct recipients **out,
                           struct error *err)
{
    struct buffer plain = BUFFER_INIT;
    struct bytes in = buffer_bytes(&b->recipients);
    bool ok = false;

    *out = NULL;
    if (b->algorithm == ALGORITHM_GZIP) {
        if (!gzip_read(in, limit, &plain, err))
            goto out;
        in = buffer_bytes(&plain);
    } else if (b->algorithm != ALGORITHM_NONE) {
        error_set(err, ERR_MALFORMED, NULL, "unknown compression algorithm %d", b->algorithm);
        goto out;
    } else if (in.len > limit) {
        error_set(err, ERR_LIMIT, NULL, "recipients have more than %zu bytes", limit);
        goto out;
    }
    if (!own_array(b->n, sizeof(**out), out, err))
        goto out;
    ok = read_list(in, *out, b->n, err);
    if (!ok) {
        batch_recipients_free(*out, b->n);
        *out = NULL;
    }
out:
    if (!ok)
        error_add(err, "recipients of a batch");
    buffer_free(&plain);
    return ok;
}

void batch_recipients_free(struct recipients *r, size_t n)
{
    for (size_t i = 0; r && i < n; i++)
        recipients_free(&r[i]);
    free(r);
}

static bool read_envelope(struct bytes plain, struct envelope *out, struct error *err)
{
    P31__EnvelopeWithoutRecipients *m =
        wire_unpack(&p31__envelope_without_recipients__descriptor, plain, err);
    bool ok;

    if (!m)
        return false;
    if (m->content.len == 0)
        ok = error_set(err, ERR_MALFORMED, NULL, "an envelope has no content");
    else
        ok = own_bytes(bytes_pb(m->content), &out->content, err) &&
             signatures_from_messages(m->signatures, m->n_signatures, &out->signatures, err);
    if (ok)
        out->n_signatures = m->n_signatures;
    wire_message_free(m);
    return ok;
}

bool batch_read_envelope(struct bytes compressed, size_t limit, struct envelope *out,
                         struct error *err)
{
    struct buffer plain = BUFFER_INIT;
    bool ok;

    *out = (struct envelope){0};
    ok = gzip_read(compressed, limit, &plain, err) && read_envelope(buffer_bytes(&plain), out, err);
    buffer_free(&plain);
    if (!ok) {
        envelope_free(out);
        return error_add(err, "envelope");
    }
    return true;
}

void envelope_free(struct envelope *e)
{
    if (!e)
        return;
    buffer_free(&e->content);
    signatures_free(e->signatures, e->n_signatures);
    *e = (struct envelope){0};
}

bool batch_open(const struct compressed_batch *b, size_t limit, struct batch *out,
                struct error *err)
{
    size_t total = 0;

    *out = (struct batch){0};
    if (!batch_read_recipients(b, limit, &out->recipients, err))
        return false;
    out->n = b->n;
    if (!own_array(b->n, sizeof(*out->envelopes), &out->envelopes, err)) {
        batch_free(out);
        return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (!batch_read_envelope(buffer_bytes(&b->envelopes[i]), limit, &out->envelopes[i], err)) {
            batch_free(out);
            return false;
        }
        total += out->envelopes[i].content.len;
        if (total / BATCH_TOTAL_FACTOR > limit) {
            batch_free(out);
            return error_set(err, ERR_LIMIT, NULL, "a batch decompresses to more than %d x %zu",
                             BATCH_TOTAL_FACTOR, limit);
        }
    }
    return true;
}

static bool seal_recipients(const struct recipients *const *list, size_t n, struct buffer *out,
                            struct error *err)
{
    struct buffer plain = BUFFER_INIT, one = BUFFER_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < n; i++) {
        buffer_clear(&one);
        ok = recipients_build(list[i], &one, err);
        put_bytes(&plain, 1, buffer_bytes(&one));
    }
    ok = ok && buffer_ok(&plain, err) && gzip_write(buffer_bytes(&plain), out, err);
    buffer_free(&plain);
    buffer_free(&one);
    return ok;
}

static bool seal_envelope(const struct envelope *e, struct buffer *out, struct error *err)
{
    P31__EnvelopeWithoutRecipients m = P31__ENVELOPE_WITHOUT_RECIPIENTS__INIT;
    struct buffer plain = BUFFER_INIT;
    bool ok;

    if (!signatures_to_messages(e->signatures, e->n_signatures, &m.signatures, err))
        return false;
    m.content = pb_bytes(buffer_bytes(&e->content));
    m.n_signatures = e->n_signatures;
    ok = wire_pack(&m, &plain, err) && gzip_write(buffer_bytes(&plain), out, err);
    free(m.signatures);
    buffer_free(&plain);
    return ok;
}

bool batch_seal(const struct batch *b, struct compressed_batch *out, struct error *err)
{
    const struct recipients **list = NULL;
    bool ok = false;

    *out = (struct compressed_batch){.algorithm = ALGORITHM_GZIP};
    if (!own_array(b->n, sizeof(*list), &list, err) ||
        !own_array(b->n, sizeof(*out->envelopes), &out->envelopes, err))
        goto out;
    out->n = b->n;
    for (size_t i = 0; i < b->n; i++) {
        list[i] = &b->recipients[i];
        if (!seal_envelope(&b->envelopes[i], &out->envelopes[i], err))
            goto out;
    }
    ok = seal_recipients(list, b->n, &out->recipients, err);
out:
    free(list);
    if (!ok)
        compressed_batch_free(out);
    return ok;
}

bool batch_add(struct batch *b, struct bytes content, const struct signature *signatures,
               size_t n_signatures, struct recipients *r, struct error *err)
{
    struct envelope e = {0};
    void *p = realloc(b->envelopes, (b->n + 1) * sizeof(*b->envelopes));

    if (!p)
        return error_set(err, ERR_MEMORY, NULL, "no memory for an envelope");
    b->envelopes = p;
    p = realloc(b->recipients, (b->n + 1) * sizeof(*b->recipients));
    if (!p)
        return error_set(err, ERR_MEMORY, NULL, "no memory for an envelope");
    b->recipients = p;
    if (!own_bytes(content, &e.content, err) ||
        !own_array(n_signatures, sizeof(*e.signatures), &e.signatures, err)) {
        envelope_free(&e);
        return false;
    }
    e.n_signatures = n_signatures;
    for (size_t i = 0; i < n_signatures; i++) {
        if (!signature_copy(&e.signatures[i], &signatures[i], err)) {
            envelope_free(&e);
            return false;
        }
    }
    b->envelopes[b->n] = e;
    b->recipients[b->n] = *r;
    b->n++;
    *r = (struct recipients){0};
    return true;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    for (size_t i = 0; b->envelopes && i < b->n; i++)
        envelope_free(&b->envelopes[i]);
    free(b->envelopes);
    batch_recipients_free(b->recipients, b->n);
    *b = (struct batch){0};
}

bool batch_filter(const struct compressed_batch *b, const struct recipients *r, const char *member,
                  recipients_in_group *in_group, void *ctx, struct compressed_batch *out,
                  struct error *err)
{
    const struct recipients **list = NULL;
    struct recipients *kept = NULL;
    bool ok = false;

    *out = (struct compressed_batch){.algorithm = ALGORITHM_GZIP};
    if (!own_array(b->n, sizeof(*list), &list, err) ||
        !own_array(b->n, sizeof(*kept), &kept, err) ||
        !own_array(b->n, sizeof(*out->envelopes), &out->envelopes, err))
        goto out;
    for (size_t i = 0; i < b->n; i++) {
        if (!recipients_filter(&r[i], member, in_group, ctx, &kept[i], err))
            goto out;
        if (kept[i].n_nodes == 0)
            continue;
        list[out->n] = &kept[i];
        out->n++;
        if (!own_bytes(buffer_bytes(&b->envelopes[i]), &out->envelopes[out->n - 1], err))
            goto out;
    }
    ok = seal_recipients(list, out->n, &out->recipients, err);
out:
    free(list);
    batch_recipients_free(kept, b->n);
    if (!ok)
        compressed_batch_free(out);
    return ok;
}

bool compressed_batch_empty(struct compressed_batch *out, struct error *err)
{
    *out = (struct compressed_batch){.algorithm = ALGORITHM_GZIP};
    return gzip_write(bytes_of(NULL, 0), &out->recipients, err);
}

bool compressed_batch_copy(struct compressed_batch *to, const struct compressed_batch *from,
                           struct error *err)
{
    *to = (struct compressed_batch){.algorithm = from->algorithm};
    if (!own_bytes(buffer_bytes(&from->recipients), &to->recipients, err) ||
        !own_array(from->n, sizeof(*to->envelopes), &to->envelopes, err)) {
        compressed_batch_free(to);
        return false;
    }
    to->n = from->n;
    for (size_t i = 0; i < from->n; i++) {
        if (!own_bytes(buffer_bytes(&from->envelopes[i]), &to->envelopes[i], err)) {
            compressed_batch_free(to);
            return false;
        }
    }
    return true;
}

void compressed_batch_free(struct compressed_batch *b)
{
    if (!b)
        return;
    buffer_free(&b->recipients);
    for (size_t i = 0; b->envelopes && i < b->n; i++)
        buffer_free(&b->envelopes[i]);
    free(b->envelopes);
    *b = (struct compressed_batch){0};
}
