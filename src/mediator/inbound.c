/* inbound.c: see inbound.h. */
#include "mediator/inbound.h"

#include <stdlib.h>
#include <string.h>

/* The synchronizer that m names, NULL when it names none. */
static const char *psid_of(const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_INFORMEE:
        return m->as.informee.tree.psid;
    case MESSAGE_VIEWS:
        return m->as.views.psid;
    case MESSAGE_ROOT_HASH:
        return m->as.root_hash.psid;
    case MESSAGE_TOPOLOGY:
        return m->as.topology.psid;
    case MESSAGE_RESPONSES:
        return m->as.responses.psid;
    case MESSAGE_RESULT:
        return m->as.result.psid;
    case MESSAGE_UNASSIGNMENT:
    case MESSAGE_ASSIGNMENT:
    case MESSAGE_ACS_COMMITMENT:
    case MESSAGE_LSU_TEST:
    case MESSAGE_SET_TRAFFIC:
        return NULL;
    }
    return NULL;
}

static bool open_envelope(const struct buffer *compressed, const char *psid,
                          struct inbound_envelope *out, struct error *err)
{
    out->state = INBOUND_BAD;
    if (!batch_read_envelope(buffer_bytes(compressed), BATCH_LIMIT, &out->envelope, &out->error))
        return out->error.code != ERR_MEMORY ||
               error_set(err, ERR_MEMORY, NULL, "no memory for an envelope");
    if (!message_parse(buffer_bytes(&out->envelope.content), out->envelope.n_signatures > 0,
                       &out->message, &out->error))
        return out->error.code != ERR_MEMORY ||
               error_set(err, ERR_MEMORY, NULL, "no memory for a message");
    const char *named = psid_of(&out->message);
    if (named && strcmp(named, psid) != 0) {
        error_set(&out->error, ERR_MALFORMED, NULL, "a %s for another synchronizer, %.200s",
                  message_kind_name(out->message.kind), named);
        message_free(&out->message);
        out->state = INBOUND_FOREIGN;
        return true;
    }
    out->state = INBOUND_PARSED;
    return true;
}

bool inbound_open(const struct event *e, const char *psid, struct inbound *out,
                  struct error *batch_error, struct error *err)
{
    memset(out, 0, sizeof(*out));
    *batch_error = (struct error){.code = ERR_NONE};
    out->ts = e->ts;
    out->has_topology_timestamp = e->has_topology_timestamp;
    out->is_error = e->is_error;
    if (e->message_id && (out->message_id = strdup(e->message_id)) == NULL)
        goto no_memory;
    if (e->is_error) {
        out->error_reason = wire_status_reason(&e->status);
        return true;
    }
    if (e->batch.n == 0)
        return true;
    if (!batch_read_recipients(&e->batch, BATCH_LIMIT, &out->recipients, batch_error)) {
        if (batch_error->code == ERR_MEMORY)
            goto no_memory;
        return true;
    }
    out->n = e->batch.n;
    out->envelopes = calloc(out->n, sizeof(*out->envelopes));
    if (out->envelopes == NULL)
        goto no_memory;
    for (size_t i = 0; i < out->n; i++) {
        out->envelopes[i].recipients = &out->recipients[i];
        if (!open_envelope(&e->batch.envelopes[i], psid, &out->envelopes[i], err)) {
            inbound_free(out);
            return false;
        }
    }
    return true;
no_memory:
    inbound_free(out);
    return error_set(err, ERR_MEMORY, NULL, "no memory to open the event at %lld",
                     (long long)e->ts);
}

void inbound_free(struct inbound *in)
{
    for (size_t i = 0; in->envelopes && i < in->n; i++) {
        if (in->envelopes[i].state == INBOUND_PARSED)
            message_free(&in->envelopes[i].message);
        envelope_free(&in->envelopes[i].envelope);
    }
    free(in->envelopes);
    if (in->recipients)
        batch_recipients_free(in->recipients, in->n);
    free(in->message_id);
    free(in->error_reason);
    memset(in, 0, sizeof(*in));
}

size_t inbound_find(const struct inbound *in, enum message_kind kind, size_t from)
{
    for (size_t i = from; i < in->n; i++)
        if (in->envelopes[i].state == INBOUND_PARSED && in->envelopes[i].message.kind == kind)
            return i;
    return in->n;
}

size_t inbound_count(const struct inbound *in, enum message_kind kind)
{
    size_t n = 0;

    for (size_t i = inbound_find(in, kind, 0); i < in->n; i = inbound_find(in, kind, i + 1))
        n++;
    return n;
}
