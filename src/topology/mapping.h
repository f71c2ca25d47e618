/* mapping.h: one topology mapping, checked and taken out of protobuf: who is what. The received
 * bytes stay with the transaction; this is their meaning. Sets are sorted and without doubles,
 * lists keep their order. Immutable once parsed. Threads: free of state. */
#ifndef TOPOLOGY_MAPPING_H
#define TOPOLOGY_MAPPING_H
#include "crypto/key.h"
#include "topology/parameters.h"

/* Codes of unique keys and of restrictions; they equal the field numbers only up to 13. */
enum mapping_code {
    MAPPING_NAMESPACE = 1,
    MAPPING_DECENTRALIZED = 3,
    MAPPING_KEYS = 4,        /* OwnerToKeyMapping */
    MAPPING_TRUST = 5,       /* SynchronizerTrustCertificate */
    MAPPING_PERMISSION = 6,  /* ParticipantSynchronizerPermission */
    MAPPING_LIMITS = 7,      /* PartyHostingLimits */
    MAPPING_PACKAGES = 8,    /* VettedPackages */
    MAPPING_HOSTING = 9,     /* PartyToParticipant */
    MAPPING_PARAMETERS = 11, /* SynchronizerParametersState */
    MAPPING_MEDIATORS = 12,
    MAPPING_SEQUENCERS = 13,
    MAPPING_SEQUENCING = 17, /* DynamicSequencingParametersState */
    MAPPING_PARTY_KEYS = 18, /* PartyToKeyMapping */
    MAPPING_UPGRADE = 19,    /* LsuAnnouncement */
    MAPPING_SUCCESSOR = 20,  /* LsuSequencerConnectionSuccessor */
    MAPPING_CODE_N
};

enum permission { PERMISSION_SUBMISSION = 1, PERMISSION_CONFIRMATION, PERMISSION_OBSERVATION };

struct host {
    char *uid; /* of the participant */
    enum permission permission;
    bool is_onboarding;
};

struct mapping {
    enum mapping_code code;
    char *subject;      /* NAMESPACE, DECENTRALIZED: the namespace; KEYS: the member text; TRUST,
                           PERMISSION, PACKAGES: the participant's uid; LIMITS, HOSTING, PARTY_KEYS: the
                           party; SUCCESSOR: the sequencer's uid; the *State ones: the synchronizer;
                           UPGRADE: the successor's logical id */
    char *ns;           /* the namespace of subject */
    char *synchronizer; /* the logical id that it is restricted to, NULL when none */
    char *successor;    /* UPGRADE, SUCCESSOR: psid text */

    struct public_key **keys; /* NAMESPACE: the one target; KEYS, HOSTING, PARTY_KEYS */
    size_t n_keys;
    int32_t threshold;      /* DECENTRALIZED, HOSTING, MEDIATORS, SEQUENCERS, PARTY_KEYS */
    int32_t keys_threshold; /* HOSTING with keys */
    int32_t group;          /* MEDIATORS: its index */
    char **names;           /* DECENTRALIZED: owners; MEDIATORS, SEQUENCERS: active uids */
    size_t n_names;
    char **observers; /* MEDIATORS, SEQUENCERS */
    size_t n_observers;
    struct host *hosts; /* HOSTING; by uid */
    size_t n_hosts;

    uint32_t may_sign;          /* NAMESPACE: mask 1 << mapping_code that the target may sign for */
    enum permission permission; /* PERMISSION */
    bool has_login_after;       /* PERMISSION */
    int64_t login_after;
    uint32_t max_rate;                     /* PERMISSION: 0 when unset */
    int64_t upgrade_time;                  /* UPGRADE */
    struct dynamic_parameters *parameters; /* PARAMETERS */

    struct hash unique_key; /* of the place in the state that it fills */
    struct hash identity;   /* equal exactly when all content is */
};

/* Fails as the protocol's own parser does: ERR_MALFORMED, ERR_UNSUPPORTED, ERR_LIMIT, ERR_MEMORY.
 * The caller owns *out. */
MUST_CHECK bool mapping_parse(const P30__TopologyMapping *m, struct mapping **out,
                              struct error *err);
void mapping_free(struct mapping *m); /* NULL is allowed */

bool mapping_names(const struct mapping *m, const char *uid);    /* in names */
bool mapping_observes(const struct mapping *m, const char *uid); /* in observers */
const struct public_key *mapping_key(const struct mapping *m, const char *fingerprint);
/* The namespace (behind "::") of a uid, party or psid-free id; "" when there is none. Borrows. */
const char *namespace_of(const char *uid);
/* Name of a decentralized namespace: owners sorted, distinct. Fails: ERR_MEMORY. */
MUST_CHECK bool decentralized_namespace(const char *const *owners, size_t n,
                                        char out[FINGERPRINT_SIZE], struct error *err);
#endif
