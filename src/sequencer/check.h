/* check.h: the questions about one submission that SendAsync asks early, at the newest topology,
 * and apply asks again, at the timestamp. Pure.
 *
 * True means that the question could be answered; the answer is in *r: r->id REFUSAL_NONE is good.
 * False means ERR_MEMORY.
 *
 * Threads: free of state. */
#ifndef SEQUENCER_CHECK_H
#define SEQUENCER_CHECK_H
#include "sequencer/outcome.h"
#include "sequencer/refusal.h"
#include "wire/submission.h"

/* At most one mediator, mediator group or ALL::All over the whole batch. */
void check_mediators(const struct recipients *r, size_t n, struct refusal *out);
/* Members that are named are registered at v. */
MUST_CHECK bool check_members(const struct view *v, const struct recipients *r, size_t n,
                              struct refusal *out, struct error *err);
/* Groups exist, with registered members. *groups: what they are (check_groups_free), when good. */
MUST_CHECK bool check_groups(const struct view *v, const struct recipients *r, size_t n,
                             struct outcome_group **groups, size_t *n_groups, bool *has_all,
                             struct refusal *out, struct error *err);
void check_groups_free(struct outcome_group *groups, size_t n);
/* Each signature of each envelope is the sender's at v, and verifies: else an alarm. */
MUST_CHECK bool check_envelopes(const struct view *v, const char *sender, const struct batch *b,
                                struct refusal *out, struct error *err);
/* The rule can be met and the sender may contribute at v: else REQUEST_MALFORMED. */
MUST_CHECK bool check_rule(const struct view *v, const struct submission *s, struct refusal *out,
                           struct error *err);
/* The members that the rule lists are registered at v: else REQUEST_REFUSED. */
MUST_CHECK bool check_eligible(const struct view *v, const struct submission *s,
                               struct refusal *out, struct error *err);
/* The signature of the submission, H(35, content), is one of sender's PROTOCOL keys at v: else an
 * alarm. Apply alone asks. */
MUST_CHECK bool check_signature(const struct view *v, const struct submission *s,
                                const struct signature *signature, const char *verified_by,
                                struct refusal *out, struct error *err);
#endif
