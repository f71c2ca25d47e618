/* signed_content.h: SignedContent, the signed frame of submissions, acknowledgements and events,
 * and AcknowledgeRequest. The signature covers H(purpose, content), purpose by what content is.
 * Threads: free of state. */
#ifndef WIRE_SIGNED_CONTENT_H
#define WIRE_SIGNED_CONTENT_H
#include "crypto/signature.h"
#include "wire/ids.h"

struct signed_content {
    struct buffer content;      /* wrapped bytes, verbatim */
    struct signature signature; /* the last of the list: the one that counts */
    size_t n_signatures;        /* in the list, at least 1 */
    bool has_timestamp_of_signing_key;
    int64_t timestamp_of_signing_key; /* not covered by the signature; absent on events */
};

/* From W(30). Fails: ERR_MALFORMED (content absent, no signature), ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool signed_content_parse(struct bytes wrapped, struct signed_content *out,
                                     struct error *err);
/* Appends W(30) with one signature. timestamp_of_signing_key may be NULL: absent. Fails:
 * ERR_MEMORY. */
MUST_CHECK bool signed_content_build(struct bytes content, const struct signature *signature,
                                     const int64_t *timestamp_of_signing_key, struct buffer *out,
                                     struct error *err);
void signed_content_free(struct signed_content *c); /* what it owns, and zeroes it */

struct acknowledge {
    char *member;
    int64_t timestamp; /* events up to and with this one are never needed again */
};

/* From W(30). Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool acknowledge_parse(struct bytes wrapped, struct acknowledge *out, struct error *err);
/* Appends W(30): what is hashed with purpose 36 and framed. Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool acknowledge_build(const char *member, int64_t timestamp, struct buffer *out,
                                  struct error *err);
void acknowledge_free(struct acknowledge *a); /* what it owns, and zeroes it */
#endif
