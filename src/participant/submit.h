/* submit.h: the messages that a participant sends: a confirmation request, and the answer to one.
 * Pure: bytes out of values and keys. Threads: free of state. */
#ifndef PARTICIPANT_SUBMIT_H
#define PARTICIPANT_SUBMIT_H
#include "crypto/keyring.h"
#include "wire/messages.h"

struct submit_spec {
    const char *psid;
    const char *uid; /* of this participant: its member and its party */
    const char *command_id, *message_id;
    const char *const *informees; /* uids, ascending and distinct, the own one among them */
    const struct public_key *const *encryption_keys; /* of each informee */
    size_t n_informees;
    const uint32_t *confirmers; /* indexes into informees, ascending and distinct */
    size_t n_confirmers;
    int32_t threshold; /* 1 .. n_confirmers */
    int32_t mediator_group;
    struct bytes payload;
    int64_t now;         /* of the clock */
    int64_t max_ts;      /* max sequencing time */
    int64_t topology_ts; /* of the snapshot that keys and group are from */
    struct keyring *keys;
};
/* Builds the versioned SubmissionRequest: informee message to the mediators, root hash message to
 * all, encrypted view to the informees; with the sender-dedup rule, so that it may be sent twice.
 * request is appended to. Fails: ERR_MALFORMED, ERR_LIMIT, ERR_CRYPTO, ERR_NOT_FOUND (no key),
 * ERR_MEMORY. */
MUST_CHECK bool submit_request(const struct submit_spec *spec, struct buffer *request,
                               struct hash *root, struct error *err);

struct respond_spec {
    const char *psid, *uid, *message_id;
    int64_t request_ts, max_ts;
    const struct hash *root;
    int32_t mediator_group;
    enum local_verdict verdict; /* LOCAL_MALFORMED: of the whole request, position is not used */
    const struct view_position *position;
    const char *reason; /* of a rejection, or "" */
    struct keyring *keys;
};
/* Builds the versioned SubmissionRequest of a confirmation response, signed, repeatable as above.
 */
MUST_CHECK bool submit_response(const struct respond_spec *spec, struct buffer *request,
                                struct error *err);
#endif
