/* entry.c: one row of the ordered log, from and to bytes. */
#include "sequencer/entry.h"

static bool take_u16(struct bytes *in, struct bytes *out)
{
    if (in->len < 2)
        return false;
    size_t n = (size_t)in->data[0] << 8 | in->data[1];
    if (in->len - 2 < n)
        return false;
    *out = bytes_of(in->data + 2, n);
    *in = bytes_of(in->data + 2 + n, in->len - 2 - n);
    return true;
}

bool entry_parse(struct bytes payload, struct entry_parts *out, struct error *err)
{
    if (payload.len < 1)
        return error_set(err, ERR_MALFORMED, NULL, "log entry is empty");
    if (payload.data[0] != ENTRY_FORMAT)
        return error_set(err, ERR_UNSUPPORTED, "install the release that wrote it",
                         "log entry has format %d, this release reads %d", payload.data[0],
                         ENTRY_FORMAT);
    struct bytes rest = bytes_of(payload.data + 1, payload.len - 1);
    if (!take_u16(&rest, &out->traceparent) || !take_u16(&rest, &out->tracestate))
        return error_set(err, ERR_MALFORMED, NULL, "log entry is cut");
    out->body = rest;
    return true;
}

static void put_u16(struct bytes v, struct buffer *out)
{
    if (v.len > ENTRY_TRACE_MAX)
        v.len = 0;
    buffer_append_byte(out, (uint8_t)(v.len >> 8));
    buffer_append_byte(out, (uint8_t)v.len);
    buffer_append_bytes(out, v);
}

void entry_build(const struct entry_parts *parts, struct buffer *out)
{
    buffer_append_byte(out, ENTRY_FORMAT);
    put_u16(parts->traceparent, out);
    put_u16(parts->tracestate, out);
    buffer_append_bytes(out, parts->body);
}

void entry_tick_body(int64_t effective_ts, struct buffer *out)
{
    buffer_append_be64(out, (uint64_t)effective_ts);
}

void entry_rule_version_body(int32_t version, struct buffer *out)
{
    buffer_append_be32(out, (uint32_t)version);
}

bool entry_rule_version(struct bytes body, int32_t *version, struct error *err)
{
    if (body.len != 4)
        return error_set(err, ERR_MALFORMED, NULL, "rule version entry has %zu bytes", body.len);
    *version = (int32_t)((uint32_t)body.data[0] << 24 | (uint32_t)body.data[1] << 16 |
                         (uint32_t)body.data[2] << 8 | body.data[3]);
    return true;
}
