/* messages_build.c: the contents of envelopes, as we write them. */
#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/messages.h"
#include "wire/own.h"
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
