/* signed_content.c: the signed frame, and acknowledgements. */
#include "wire/signed_content.h"

#include <stdlib.h>

#include "protocol_v30.pb-c.h"
#include "sequencer_api_v30.pb-c.h"
#include "wire/keys.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/versioned.h"

static bool content_from(const P30__SignedContent *m, struct signed_content *out, struct error *err)
{
    if (m->_content_case == P30__SIGNED_CONTENT___CONTENT__NOT_SET)
        return error_set(err, ERR_MALFORMED, NULL, "signed content without content");
    if (m->n_signatures == 0)
        return error_set(err, ERR_MALFORMED, NULL, "signed content without signature");
    out->n_signatures = m->n_signatures;
    out->has_timestamp_of_signing_key = m->_timestamp_of_signing_key_case !=
                                        P30__SIGNED_CONTENT___TIMESTAMP_OF_SIGNING_KEY__NOT_SET;
    if (out->has_timestamp_of_signing_key) {
        out->timestamp_of_signing_key = m->timestamp_of_signing_key;
        if (!ts_check(out->timestamp_of_signing_key, "timestamp of the signing key", err))
            return false;
    }
    return own_bytes(bytes_pb(m->content), &out->content, err) &&
           signature_from_message(m->signatures[m->n_signatures - 1], &out->signature, err);
}

bool signed_content_parse(struct bytes wrapped, struct signed_content *out, struct error *err)
{
    P30__SignedContent *m;
    bool ok;

    *out = (struct signed_content){0};
    m = versioned_unpack(wrapped, VERSIONED_V30, &p30__signed_content__descriptor, err);
    if (!m)
        return false;
    ok = content_from(m, out, err);
    wire_message_free(m);
    if (!ok)
        signed_content_free(out);
    return ok;
}

bool signed_content_build(struct bytes content, const struct signature *signature,
                          const int64_t *timestamp_of_signing_key, struct buffer *out,
                          struct error *err)
{
    P30__SignedContent m;
    struct signature_message s;
    C30__Signature *list[1] = {&s.signature};

    p30__signed_content__init(&m);
    signature_to_message(signature, &s);
    m._content_case = P30__SIGNED_CONTENT___CONTENT_CONTENT;
    m.content = pb_bytes(content);
    m.n_signatures = 1;
    m.signatures = list;
    if (timestamp_of_signing_key) {
        m._timestamp_of_signing_key_case =
            P30__SIGNED_CONTENT___TIMESTAMP_OF_SIGNING_KEY_TIMESTAMP_OF_SIGNING_KEY;
        m.timestamp_of_signing_key = *timestamp_of_signing_key;
    }
    return versioned_pack(&m, VERSIONED_V30, out, err);
}

void signed_content_free(struct signed_content *c)
{
    if (!c)
        return;
    buffer_free(&c->content);
    signature_free(&c->signature);
    *c = (struct signed_content){0};
}

bool acknowledge_parse(struct bytes wrapped, struct acknowledge *out, struct error *err)
{
    Seq__AcknowledgeRequest *m;
    bool ok;

    *out = (struct acknowledge){0};
    m = versioned_unpack(wrapped, VERSIONED_V30, &seq__acknowledge_request__descriptor, err);
    if (!m)
        return false;
    ok = member_parse(m->member, NULL, NULL, err) &&
         ts_check(m->timestamp, "acknowledged timestamp", err) &&
         own_str(m->member, &out->member, err);
    out->timestamp = m->timestamp;
    wire_message_free(m);
    if (!ok)
        acknowledge_free(out);
    return ok;
}

bool acknowledge_build(const char *member, int64_t timestamp, struct buffer *out, struct error *err)
{
    Seq__AcknowledgeRequest m = SEQ__ACKNOWLEDGE_REQUEST__INIT;

    if (!member_parse(member, NULL, NULL, err) ||
        !ts_check(timestamp, "acknowledged timestamp", err))
        return false;
    m.member = (char *)(uintptr_t)member; /* packing only reads it */
    m.timestamp = timestamp;
    return versioned_pack(&m, VERSIONED_V30, out, err);
}

void acknowledge_free(struct acknowledge *a)
{
    if (!a)
        return;
    free(a->member);
    *a = (struct acknowledge){0};
}
