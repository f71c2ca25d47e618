/* onboarding.c: form first (the caller's mistake), then the state (the synchronizer's refusal). */
#include "topology/onboarding.h"

#include <stdlib.h>
#include <string.h>

#include "topology/apply.h"
#include "topology/state.h"

/* Is it a plain addition of the caller's own? */
static bool check_one(const struct parsed_tx *p, const char *member, struct error *err)
{
    const struct mapping *m = p->m;
    const char *uid = member_uid(member);
    const char *owner = m->code == MAPPING_KEYS ? member : uid;

    if (m->code != MAPPING_NAMESPACE && m->code != MAPPING_KEYS && m->code != MAPPING_TRUST)
        return error_set(err, ERR_MALFORMED, NULL, "unexpected mapping of code %d", (int)m->code);
    if (p->tx.is_proposal || p->tx.op != TOPOLOGY_ADD_REPLACE)
        return error_set(err, ERR_MALFORMED, NULL, "proposals and removals cannot onboard");
    if (strcmp(m->ns, namespace_of(uid)) != 0 ||
        (m->code != MAPPING_NAMESPACE && strcmp(m->subject, owner) != 0))
        return error_set(err, ERR_MALFORMED, NULL, "mapping of %s, the caller is %s", m->subject,
                         member);
    return true;
}

static bool check_form(const struct parsed_tx *in, const size_t *kept, size_t n, const char *member,
                       struct error *err)
{
    size_t count[MAPPING_CODE_N] = {0};

    if (!member_is(member, MEMBER_PARTICIPANT))
        return error_set(err, ERR_MALFORMED, NULL, "%s is no participant", member);
    if (n > ONBOARDING_TRANSACTIONS_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "%zu transactions, at most %d", n,
                         ONBOARDING_TRANSACTIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!check_one(&in[kept[i]], member, err))
            return false;
        count[in[kept[i]].m->code]++;
    }
    if (count[MAPPING_TRUST] != 1 || count[MAPPING_KEYS] != 1 || count[MAPPING_NAMESPACE] < 1)
        return error_set(err, ERR_MALFORMED, NULL,
                         "expected one trust certificate, one key mapping and the namespace "
                         "delegations, not %zu, %zu and %zu",
                         count[MAPPING_TRUST], count[MAPPING_KEYS], count[MAPPING_NAMESPACE]);
    return true;
}

static bool check_state(const struct topology *t, const char *member, int64_t lower_bound_ts,
                        int64_t now, struct error *err)
{
    const struct dynamic_parameters *p = topology_parameters(t, topology_head(t));
    int64_t before;

    if (p == NULL || onboarding_is_locked(p->onboarding))
        return error_set(err, ERR_REFUSED, "ask the synchronizer's operator",
                         "the synchronizer is locked for new participants");
    if (now < lower_bound_ts)
        return error_set(err, ERR_REFUSED, "try again later",
                         "onboarding begins with the synchronizer's upgrade time");
    if (topology_registered_at(t, member, &before))
        return error_set(err, ERR_REFUSED, NULL, "%s was onboarded before", member);
    return true;
}

/* Applies the batch and takes it back. */
static bool try_batch(struct topology *t, struct parsed_tx *in, const size_t *kept, size_t n,
                      int64_t now, struct error *err)
{
    int64_t sequenced = now > t->sequenced_until ? now : t->sequenced_until + 1;
    struct state_mark mark = state_try(t);
    bool ok = true;

    for (size_t i = 0; i < n && ok; i++) {
        struct topology_outcome outcome = {0};

        ok = apply_parsed(t, sequenced, sequenced + t->fixed.topology_change_delay_us, &in[kept[i]],
                          &outcome, err);
        if (ok && outcome.verdict != TOPOLOGY_ACCEPTED)
            ok = error_set(err, ERR_REFUSED, NULL, "transaction %zu is not valid: %s", kept[i] + 1,
                           outcome.verdict == TOPOLOGY_REJECTED ? outcome.reason
                                                                : "not fully authorised");
    }
    state_take_back(t, &mark);
    return ok;
}

bool onboarding_check(struct topology *t, const char *member, const struct bytes *transactions,
                      size_t n, int64_t lower_bound_ts, int64_t now, size_t *kept, size_t *n_kept,
                      struct error *err)
{
    struct parsed_tx *in;
    bool ok = member_parse(member, NULL, NULL, err);

    *n_kept = 0;
    if (!ok)
        return false;
    if (n > 10 * ONBOARDING_TRANSACTIONS_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "%zu transactions", n);
    in = calloc(n + 1, sizeof(*in));
    if (in == NULL)
        return error_set(err, ERR_MEMORY, NULL, "onboarding transactions");
    for (size_t i = 0; i < n && ok; i++) {
        bool is_double = false;

        ok = parsed_tx_read(transactions[i], &in[i], err);
        for (size_t k = 0; k < *n_kept && ok; k++)
            is_double = is_double || hash_equal(&in[kept[k]].m->unique_key, &in[i].m->unique_key);
        if (ok && !is_double)
            kept[(*n_kept)++] = i;
    }
    ok = ok && check_form(in, kept, *n_kept, member, err) &&
         check_state(t, member, lower_bound_ts, now, err) &&
         try_batch(t, in, kept, *n_kept, now, err);
    for (size_t i = 0; i < n; i++)
        parsed_tx_free(&in[i]);
    free(in);
    return ok;
}
