/* view.h: what the sequencer asks of the topology at one timestamp, in its own words.
 *
 * Threads: whoever holds the topology. Everything returned is owned by the caller unless said. */
#ifndef SEQUENCER_VIEW_H
#define SEQUENCER_VIEW_H
#include "crypto/signature.h"
#include "wire/recipients.h"

struct topology;

struct view {
    const struct topology *topo;
    int64_t ts; /* sees what is effective strictly before it */
};

/* A list of member texts, ascending and unique once sorted. */
struct member_list {
    char **m;
    size_t n, cap;
};
MUST_CHECK bool member_list_add(struct member_list *l, const char *member, struct error *err);
void member_list_sort(struct member_list *l); /* and drops doubles */
bool member_list_has(const struct member_list *sorted, const char *member);
void member_list_free(struct member_list *l); /* what it owns, and zeroes it */

/* Registered before ts, and still known. */
bool view_is_registered(const struct view *v, const char *member);
/* Appends everybody for whom view_is_registered, sorted. */
MUST_CHECK bool view_members(const struct view *v, struct member_list *out, struct error *err);

/* A group as a recipient: active and passive members, sorted. *exists false: no such group. */
MUST_CHECK bool view_group(const struct view *v, const struct recipient *group,
                           struct member_list *out, bool *exists, struct error *err);
/* The same group as an aggregation counts it: its active members and threshold. */
MUST_CHECK bool view_active_group(const struct view *v, const struct recipient *group,
                                  struct member_list *active, int *threshold, bool *exists,
                                  struct error *err);

/* Verifies s by one of member's keys with usage (enum key_usage) at ts, under the policy of the
 * static parameters. verified_by: a fingerprint, or NULL: the arithmetic for that key is known to
 * hold (a session key's too); whose key it is at ts, and for how long, is looked at all the same.
 * Fails: ERR_SIGNATURE, ERR_UNSUPPORTED. */
MUST_CHECK bool view_verify(const struct view *v, const char *member, unsigned usage,
                            const struct hash *h, const struct signature *s,
                            const char *verified_by, struct error *err);
/* True when member has the key of s with this usage at ts, and a session key is in force and
 * vouched for; the signature itself is not looked at. */
bool view_could_sign(const struct view *v, const char *member, unsigned usage,
                     const struct signature *s);
/* How many keys with this usage member has; fills up to max references (public_key_unref each). */
size_t view_keys(const struct view *v, const char *member, unsigned usage, struct public_key **out,
                 size_t max);

/* Dynamic parameters at ts, or their defaults. */
/* Confirmation requests a second that a participant may send, over all replicas. */
double view_confirmation_rate(const struct view *v, const char *member);
int64_t view_aggregate_timeout_us(const struct view *v);
size_t view_max_request_size(const struct view *v);
bool view_has_traffic_control(const struct view *v);
#endif
