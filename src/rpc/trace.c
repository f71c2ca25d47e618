#include "rpc/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "rpc/server.h"

#define PARENT_CHARS (TRACE_PARENT_LEN - 1)
#define ID_AT        3
#define SPAN_AT      36
#define FLAGS_AT     53

static bool is_lower_hex(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
    return true;
}

static bool is_all_zero(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != '0')
            return false;
    return true;
}

/* Version 00 has exactly these fields; a later version may append some, which we cut off; ff is
 * forbidden. */
static bool parent_is_valid(struct bytes p)
{
    const uint8_t *s = p.data;

    if (p.len < PARENT_CHARS || s[2] != '-' || s[SPAN_AT - 1] != '-' || s[FLAGS_AT - 1] != '-')
        return false;
    if (!is_lower_hex(s, 2) || memcmp(s, "ff", 2) == 0)
        return false;
    if (memcmp(s, "00", 2) == 0 ? p.len != PARENT_CHARS
                                : p.len > PARENT_CHARS && s[PARENT_CHARS] != '-')
        return false;
    return is_lower_hex(s + ID_AT, 32) && !is_all_zero(s + ID_AT, 32) &&
           is_lower_hex(s + SPAN_AT, 16) && !is_all_zero(s + SPAN_AT, 16) &&
           is_lower_hex(s + FLAGS_AT, 2);
}

static void put_random_hex(char *at, size_t n_bytes)
{
    uint8_t raw[16];
    char text[33];

    random_bytes(raw, n_bytes);
    raw[0] |= 1; /* all zero is forbidden */
    hex_encode(bytes_of(raw, n_bytes), text);
    memcpy(at, text, 2 * n_bytes);
}

void trace_make(struct trace_context *t)
{
    memcpy(t->parent, "00-................................-................-01", TRACE_PARENT_LEN);
    put_random_hex(t->parent + ID_AT, 16);
    put_random_hex(t->parent + SPAN_AT, 8);
    t->state[0] = '\0';
}

bool trace_parse(struct trace_context *t, struct bytes parent, struct bytes state)
{
    if (!parent_is_valid(parent)) {
        trace_make(t);
        return false;
    }
    memcpy(t->parent, parent.data, PARENT_CHARS);
    t->parent[PARENT_CHARS] = '\0';
    memcpy(t->parent, "00", 2);
    t->state[0] = '\0';
    if (state.len == 0 || state.len >= TRACE_STATE_MAX)
        return true;
    for (size_t i = 0; i < state.len; i++)
        if (state.data[i] < 0x20 || state.data[i] > 0x7e)
            return true;
    memcpy(t->state, state.data, state.len);
    t->state[state.len] = '\0';
    return true;
}

struct trace_context trace_child(const struct trace_context *t)
{
    struct trace_context c = *t;

    put_random_hex(c.parent + SPAN_AT, 8);
    return c;
}

void trace_id(const struct trace_context *t, char *out)
{
    memcpy(out, t->parent + ID_AT, TRACE_ID_LEN - 1);
    out[TRACE_ID_LEN - 1] = '\0';
}

void trace_of_call(const struct rpc_call *c, struct trace_context *t)
{
    struct bytes parent = {0}, state = {0};

    (void)rpc_call_header(c, "traceparent", &parent);
    (void)rpc_call_header(c, "tracestate", &state);
    (void)trace_parse(t, parent, state);
}
