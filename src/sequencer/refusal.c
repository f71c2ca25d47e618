/* refusal.c: protocol errors as events and as gRPC answers. */
#include "sequencer/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/status.h"

bool refuse(struct refusal *r, enum refusal_id id, const char *fmt, ...)
{
    va_list ap;

    r->id = id;
    va_start(ap, fmt);
    vsnprintf(r->text, sizeof r->text, fmt, ap);
    va_end(ap);
    return true;
}

const char *refusal_name(enum refusal_id id)
{
    return status_ids[id].id;
}

bool refusal_event_status(const struct refusal *r, struct buffer *out, struct error *err)
{
    struct wire_status st;

    if (!wire_status_make_event((enum status_known)r->id, r->text, &st, err))
        return false;
    bool ok = wire_status_build(&st, out, err);
    wire_status_free(&st);
    return ok;
}

bool refusal_answer(const struct refusal *r, const char *trace_id, int *code, char **message,
                    struct buffer *details, struct error *err)
{
    struct status_meta tid = {"tid", trace_id};
    struct wire_status st;

    if (!wire_status_make((enum status_known)r->id, trace_id, &tid, trace_id ? 1 : 0, r->text, &st,
                          err))
        return false;
    *code = st.code;
    *message = strdup(st.message);
    bool ok = *message && wire_status_build(&st, details, err);
    if (!*message)
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for an answer");
    wire_status_free(&st);
    return ok;
}
