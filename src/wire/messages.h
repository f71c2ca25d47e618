/* messages.h: what envelopes carry. One call opens any of them; the builders give the exact content
 * to sign and send. Threads: free of state. */
#ifndef WIRE_MESSAGES_H
#define WIRE_MESSAGES_H
#include "wire/informee_tree.h"
#include "wire/recipients.h"
#include "wire/status.h"
#include "wire/topology_tx.h"
#include "wire/view_message.h"

enum local_verdict { /* the wire's numbers */
                     LOCAL_APPROVE = 1,
                     LOCAL_REJECT = 2,
                     LOCAL_MALFORMED = 3,
                     LOCAL_ABSTAIN = 4,
};

struct root_hash_message {
    struct hash root;
    char *psid;
    int view_type; /* VIEW_TYPE_* */
    int64_t submission_topology_time;
    struct buffer payload; /* usually empty */
};

struct confirmation_response {
    enum local_verdict verdict;
    struct buffer
        reason;     /* bytes of google.rpc.Status as received: copied into verdicts; empty: OK */
    char **parties; /* ascending and distinct; none iff LOCAL_MALFORMED */
    size_t n_parties;
    bool has_position; /* always, but for LOCAL_MALFORMED of the whole request */
    struct view_position position;
};

struct confirmation_responses {
    int64_t request_id;
    struct hash root;
    char *psid;
    char *sender;                            /* PAR::uid */
    struct confirmation_response *responses; /* 1 or more */
    size_t n;
};

enum verdict_kind {
    VERDICT_APPROVE = 1,
    VERDICT_PARTICIPANT_REJECT = 2,
    VERDICT_MEDIATOR_REJECT = 3
};

struct rejection_reason {
    char **parties; /* ascending and distinct */
    size_t n_parties;
    enum local_verdict verdict; /* not LOCAL_APPROVE */
    struct buffer reason;       /* bytes of google.rpc.Status */
    char *participant;          /* PAR::uid */
};

struct verdict {
    enum verdict_kind kind;
    struct rejection_reason *reasons; /* VERDICT_PARTICIPANT_REJECT: 1 or more, newest first */
    size_t n_reasons;
    struct buffer reason; /* VERDICT_MEDIATOR_REJECT: bytes of google.rpc.Status, code not 0 */
    bool is_malformed;    /* VERDICT_MEDIATOR_REJECT */
};

struct confirmation_result {
    char *psid;
    int view_type;
    int64_t request_id;
    struct hash root;
    struct verdict verdict;
};

enum message_kind {
    MESSAGE_INFORMEE,     /* as.informee */
    MESSAGE_VIEWS,        /* as.views */
    MESSAGE_ROOT_HASH,    /* as.root_hash */
    MESSAGE_TOPOLOGY,     /* as.topology */
    MESSAGE_RESPONSES,    /* as.responses; signed */
    MESSAGE_RESULT,       /* as.result; signed */
    MESSAGE_UNASSIGNMENT, /* the rest is opaque: as.opaque, bytes of the message */
    MESSAGE_ASSIGNMENT,
    MESSAGE_ACS_COMMITMENT, /* unsigned envelope; as.opaque */
    MESSAGE_LSU_TEST,
    MESSAGE_SET_TRAFFIC, /* signed; as.opaque: W(1) SetTrafficPurchasedMessage */
};

struct message {
    enum message_kind kind;
    union {
        struct informee_message informee;
        struct view_message views;
        struct root_hash_message root_hash;
        struct topology_broadcast topology;
        struct confirmation_responses responses;
        struct confirmation_result result;
        struct buffer opaque;
    } as;
};

/* Opens an envelope's content. is_signed: the envelope has signatures, so content is a typed signed
 * message, else EnvelopeContent. The psid inside is checked for form, not against ours. Signatures
 * are not checked. Fails: ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED, ERR_MEMORY; nothing to free.
 */
MUST_CHECK bool message_parse(struct bytes content, bool is_signed, struct message *out,
                              struct error *err);
/* The kind alone, without opening it. */
MUST_CHECK bool message_kind_of(struct bytes content, bool is_signed, enum message_kind *kind,
                                struct error *err);
void message_free(struct message *m); /* what it owns, and zeroes it */
const char *message_kind_name(enum message_kind kind);

/* Hash to sign of a signed message's content: H(38, content). */
MUST_CHECK bool message_hash(struct bytes content, struct hash *out, struct error *err);

/* Builders append the whole content of an envelope. They check what the parsers check. Sets of
 * parties are sorted and made distinct. Fail: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool root_hash_message_build(const struct root_hash_message *m, struct buffer *out,
                                        struct error *err);
MUST_CHECK bool confirmation_responses_build(const struct confirmation_responses *m,
                                             struct buffer *out, struct error *err);
MUST_CHECK bool confirmation_result_build(const struct confirmation_result *m, struct buffer *out,
                                          struct error *err);
/* Deep copy, and release of what it owns. */
MUST_CHECK bool confirmation_verdict_copy(struct verdict *to, const struct verdict *from,
                                          struct error *err);
void confirmation_verdict_free(struct verdict *v);

/* True when tree t of r is right for a root hash message: no children, exactly two recipients, one
 * MGR::group and one participant, whose member text *participant then borrows. root_node: index of
 * the root; the next tree starts at nodes[root_node].end. */
bool root_hash_tree_ok(const struct recipients *r, uint32_t root_node, int32_t group,
                       const char **participant);
#endif
