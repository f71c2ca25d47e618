/* inbound.h: an event of the own stream, opened: each envelope parsed on its own, so that a bad one
 * costs only itself. Envelopes for another synchronizer are marked and counted nowhere.
 * Threads: free of state. */
#ifndef MEDIATOR_INBOUND_H
#define MEDIATOR_INBOUND_H
#include "wire/event.h"
#include "wire/messages.h"

enum inbound_state {
    INBOUND_PARSED,
    INBOUND_BAD,     /* does not parse: error says why */
    INBOUND_FOREIGN, /* names another synchronizer: dropped */
};

struct inbound_envelope {
    enum inbound_state state;
    struct message message; /* when INBOUND_PARSED */
    struct envelope envelope;
    const struct recipients *recipients;
    struct error error;
};

struct inbound {
    int64_t ts;
    const char *traceparent; /* borrowed; "" for none */
    bool has_topology_timestamp;
    char *message_id; /* NULL: not ours */
    bool is_error;
    char *error_reason; /* ErrorInfo.reason of an error, or NULL */
    struct inbound_envelope *envelopes;
    struct recipients *recipients;
    size_t n;
};

/* Opens e. psid: of this synchronizer. A batch that cannot be opened at all gives no envelopes and
 * *batch_error (ERR_NONE otherwise). Fails: ERR_MEMORY. */
MUST_CHECK bool inbound_open(const struct event *e, const char *psid, struct inbound *out,
                             struct error *batch_error, struct error *err);
void inbound_free(struct inbound *in); /* what it owns, and zeroes it */

/* The first envelope of a kind at or after from; in->n when there is none. */
size_t inbound_find(const struct inbound *in, enum message_kind kind, size_t from);
size_t inbound_count(const struct inbound *in, enum message_kind kind);
#endif
