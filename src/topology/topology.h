/* topology.h: a synchronizer's topology by time: signed transactions in, answers at a timestamp
 * out. Pure: no clock, no storage, no lock, no global state; the same transactions at the same
 * times give the same rows everywhere.
 *
 * Times are microseconds since 1970. A transaction sequenced at s takes effect at e = s +
 * topology_change_delay; the state at T holds what has effect strictly before T (valid_from < T <=
 * valid_until). So a query at the timestamp T of an event needs all events below T applied, no
 * more.
 *
 * Threads: one writer or many readers at a time; the owner has the lock. Functions that take a
 * const struct topology are readers. What queries return is borrowed until the next write, but
 * keys, which can be kept with public_key_ref. */
#ifndef TOPOLOGY_TOPOLOGY_H
#define TOPOLOGY_TOPOLOGY_H
#include "crypto/delegation.h"
#include "topology/mapping.h"
#include "wire/ids.h"

struct topology;

/* 0001-01-01T00:00:00.000001Z: when genesis transactions count as sequenced and effective. */
#define TOPOLOGY_GENESIS_TS    (TS_MIN + 1)
#define TOPOLOGY_BROADCAST_MAX 1000 /* transactions in one broadcast */

/* An empty state. psid: copied. Fails: ERR_MALFORMED (psid), ERR_UNSUPPORTED (protocol version),
 * ERR_MEMORY. */
MUST_CHECK bool topology_open(const char *psid, const struct static_parameters *p,
                              struct topology **out, struct error *err);
void topology_close(struct topology *t); /* NULL is allowed */
const char *topology_psid(const struct topology *t);
const char *topology_synchronizer(const struct topology *t); /* the logical id */
const struct static_parameters *topology_static(const struct topology *t);

/* ---- writing ---- */

enum topology_verdict { TOPOLOGY_ACCEPTED, TOPOLOGY_PROPOSED, TOPOLOGY_REJECTED };

struct topology_outcome {
    enum topology_verdict verdict;
    int64_t effective_at;
    char reason[200];     /* rejected: name and detail; else "" */
    size_t n_signatures;  /* accepted, proposed: that count, of this and of what was merged */
    size_t n_superfluous; /* that do not, and are dropped */
};

/* Applies the transactions (W(30) SignedTopologyTransaction each) of one broadcast in order, each
 * seeing the one before. Before anything is applied all are parsed: one that does not parse fails
 * the whole, with nothing changed but the time (the peers drop such a broadcast too). A rejected
 * one is no failure: outcomes[i] says so. outcomes: n entries, or NULL. sequenced_ts: not below the
 * last one. The caller has checked recipients, psid and the absence of a topology timestamp. Fails:
 * ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED, ERR_MEMORY (then the state is not usable any more). */
MUST_CHECK bool topology_apply(struct topology *t, int64_t sequenced_ts,
                               const struct bytes *transactions, size_t n,
                               struct topology_outcome *outcomes, struct error *err);
/* Notes that an event without topology was sequenced: the known time moves. */
void topology_observe(struct topology *t, int64_t sequenced_ts);

/* ---- time ---- */

/* The last sequenced time given to topology_apply or topology_observe; TOPOLOGY_GENESIS_TS at
 * first. */
int64_t topology_sequenced_until(const struct topology *t);
/* Snapshots may be taken up to here: last sequenced + delay + 1. */
int64_t topology_known_until(const struct topology *t);
/* For ticks: the lowest effective time >= ts of an accepted change. False: none. */
bool topology_next_effective(const struct topology *t, int64_t ts, int64_t *effective_at);
/* The T of the head snapshot: it sees all that is sequenced (effective time of the last change +
 * 1).*/
int64_t topology_head(const struct topology *t);

/* ---- members, at ts (the exclusive rule above) ---- */

bool topology_member_known(const struct topology *t, int64_t ts, const char *member);
/* May it authenticate at ts: participant active and past its login_after, mediator in an active
 * group, sequencer in the list. why may be NULL; else it is set to a text for the refusal. */
bool topology_member_active(const struct topology *t, int64_t ts, const char *member,
                            const char **why);
/* The last effective time before ts at which member was not active, or had no key of this
 * fingerprint to authenticate with; TS_MIN: there is none. What was granted to the key before is
 * void, also when it has access again. */
int64_t topology_access_since(const struct topology *t, int64_t ts, const char *member,
                              const char *fingerprint);
/* The effective time of the first transaction that ever made it a member (also in the future of any
 * snapshot). False: never. Its first event is strictly after it. */
bool topology_registered_at(const struct topology *t, const char *member, int64_t *ts);
/* Every member known at ts, ordered by text. One allocation: free(*members). Fails: ERR_MEMORY. */
MUST_CHECK bool topology_members(const struct topology *t, int64_t ts, const char ***members,
                                 size_t *n, struct error *err);
/* Every member that was ever registered, ordered by text. free(*members). Fails: ERR_MEMORY. */
MUST_CHECK bool topology_members_ever(const struct topology *t, const char ***members, size_t *n,
                                      struct error *err);

#define TOPOLOGY_KEYS_MAX 20 /* of one member, by the protocol */
/* The member's signing keys that have one of usages (USAGE_PROOF is not looked at), in listed
 * order: the last is the newest. Returns how many; keys holds TOPOLOGY_KEYS_MAX, borrowed. */
size_t topology_signing_keys(const struct topology *t, int64_t ts, const char *member,
                             unsigned usages, const struct public_key **keys);
/* The newest encryption key; NULL when none. */
const struct public_key *topology_encryption_key(const struct topology *t, int64_t ts,
                                                 const char *member);

struct participant_attributes {
    enum permission permission;
    bool has_login_after;
    int64_t login_after;
    uint32_t confirmation_requests_max_rate;
};
/* Trust certificate, and the permission where the synchronizer is restricted. out may be NULL. */
bool topology_participant(const struct topology *t, int64_t ts, const char *uid,
                          struct participant_attributes *out);

/* ---- groups ---- */

struct topology_group {
    int32_t index; /* mediators; 0 for sequencers */
    int32_t threshold;
    const char *const *active; /* uids, sorted; borrowed */
    size_t n_active;
    const char *const *observers;
    size_t n_observers;
    bool is_active; /* enough active members for the threshold */
};
bool topology_mediator_group(const struct topology *t, int64_t ts, int32_t index,
                             struct topology_group *out);
bool topology_sequencer_group(const struct topology *t, int64_t ts, struct topology_group *out);
/* The indexes of all mediator groups, ascending; at most max are written. Returns how many exist.
 */
size_t topology_mediator_groups(const struct topology *t, int64_t ts, int32_t *out, size_t max);

/* ---- parties and parameters ---- */

struct party_hosting {
    int32_t threshold;  /* confirmations needed */
    struct host *hosts; /* active participants only; permission is the lower of party's and
                           participant's; uid borrowed */
    size_t n_hosts;
};
/* The hosting of a party; a participant's own uid is its admin party, hosted by itself with
 * threshold
 * 1. False in *found: nobody hosts it. The caller releases with party_hosting_free. Fails:
 * ERR_MEMORY. A host may confirm with PERMISSION_SUBMISSION or _CONFIRMATION while it is not
 * onboarding. */
MUST_CHECK bool topology_hosting(const struct topology *t, int64_t ts, const char *party,
                                 struct party_hosting *out, bool *found, struct error *err);
void party_hosting_free(struct party_hosting *h);

/* NULL: the synchronizer has none (an error for whoever needs them). */
const struct dynamic_parameters *topology_parameters(const struct topology *t, int64_t ts);

/* ---- signatures of members ---- */

/* For signature_verify_at; borrowed, and constant for t's life but for ts. */
struct signing_scope topology_signing_scope(const struct topology *t, int64_t ts);

/* All of n >= 1 signatures are by member's keys at ts with one of usages, and verify; for
 * USAGE_PROTOCOL also by session keys of those. Fails: ERR_SIGNATURE, ERR_UNSUPPORTED. */
MUST_CHECK bool topology_verify_member(const struct topology *t, int64_t ts, const char *member,
                                       unsigned usages, const struct hash *h,
                                       const struct signature *signatures, size_t n,
                                       struct error *err);
/* Enough distinct active members (the threshold) of a group have a valid signature; bad ones are
 * passed over, and so are those by a key that several members share. Fails: ERR_SIGNATURE,
 * ERR_NOT_FOUND (no such group). */
MUST_CHECK bool topology_verify_mediators(const struct topology *t, int64_t ts, int32_t group,
                                          const struct hash *h, const struct signature *signatures,
                                          size_t n, struct error *err);
MUST_CHECK bool topology_verify_sequencers(const struct topology *t, int64_t ts,
                                           const struct hash *h, const struct signature *signatures,
                                           size_t n, struct error *err);
#endif
