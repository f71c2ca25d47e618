/* view_message.h: EncryptedMultipleViewsMessage: views for one set of participants, encrypted with
 * AES-128-GCM under a session key that each of them gets by RSA-OAEP. Threads: free of state. */
#ifndef WIRE_VIEW_MESSAGE_H
#define WIRE_VIEW_MESSAGE_H
#include "crypto/keyring.h"
#include "wire/informee_tree.h"

#define VIEW_TYPE_TRANSACTION  1
#define VIEW_TYPE_UNASSIGNMENT 2
#define VIEW_TYPE_ASSIGNMENT   3

struct view_message {
    struct hash *view_hashes; /* 1 or more */
    size_t n_views;
    char *psid;
    int view_type;
    bool has_signature;
    struct signature signature; /* of the submitting participant, over the root */
    struct buffer sealed;       /* ciphertext */
    struct view_session_key {
        char fingerprint[FINGERPRINT_SIZE]; /* of the encryption key that opens it */
        struct buffer sealed;
    } * keys;
    size_t n_keys; /* 1 or more */
};

/* From the bytes of EncryptedMultipleViewsMessage (message_parse calls it). Fails: ERR_MALFORMED,
 * ERR_UNSUPPORTED (schemes), ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool view_message_parse(struct bytes in, struct view_message *out, struct error *err);
void view_message_free(struct view_message *m); /* what it owns, and zeroes it */

/* Appends the envelope content, W(31) EnvelopeContent, for the views (indexes into t->views) and
 * the encryption keys of all who may read. signature: over t->root, may be NULL. Fails:
 * ERR_UNSUPPORTED (not an RSA key), ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool view_message_build(const struct built_tree *t, const size_t *views, size_t n_views,
                                   const char *psid, const struct public_key *const *keys,
                                   size_t n_keys, const struct signature *signature,
                                   struct buffer *out, struct error *err);

/* Opens all views with the first session key that keyring has a key for; decompressed size is at
 * most limit. Each view's recomputed hash equals the message's. *out: n_views of them, the caller's
 * (opened_views_free). Fails: ERR_NOT_FOUND (no key of ours), ERR_MALFORMED, ERR_UNSUPPORTED,
 * ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool view_message_open(const struct view_message *m, struct keyring *keyring,
                                  size_t limit, struct opened_view **out, struct error *err);
void opened_views_free(struct opened_view *v, size_t n);
#endif
