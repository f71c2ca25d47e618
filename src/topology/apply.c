/* apply.c: one transaction after the other, in the protocol's order: what is in store, signatures
 * merged, mapping checks, serial, authorisation last. */
#include <stdlib.h>
#include <string.h>

#include "topology/apply.h"
#include "topology/state.h"

/* The transaction of a stored row, for its signatures; NULL row: nothing. */
static bool reparse(const struct row *r, struct signed_topology_tx *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    return r == NULL || signed_topology_tx_parse(buffer_bytes(&r->raw), out, err);
}

static const struct row *open_proposal(const struct place *p, const struct hash *h)
{
    for (size_t i = 0; p != NULL && i < p->proposals.n; i++) {
        const struct row *r = p->proposals.at[i];

        if (r->valid_until == TOPOLOGY_OPEN && hash_equal(&r->hash, h))
            return r;
    }
    return NULL;
}

static size_t count_signatures(const struct signed_topology_tx *tx)
{
    size_t n = tx->n_signatures;

    for (size_t i = 0; i < tx->n_multi; i++)
        n += tx->multi[i].n_signatures;
    return n;
}

/* The bytes to keep: as received where nothing had to be added, dropped or relabelled. */
static bool keep_bytes(const struct attempt *a, const struct pieces *p, bool is_merged,
                       struct row *r, struct error *err)
{
    bool is_same =
        !is_merged && p->n == count_signatures(a->tx) && a->tx->is_proposal == r->is_proposal;

    for (size_t i = 0; i < p->n && is_same; i++)
        is_same = p->at[i].key != NULL;
    if (!is_same)
        return pieces_build(p, buffer_bytes(&a->tx->transaction), r->is_proposal, &r->raw, err);
    r->raw = a->tx->raw;
    a->tx->raw = (struct buffer)BUFFER_INIT;
    return true;
}

static bool keep_signers(const struct attempt *a, const struct pieces *p, struct row *r,
                         struct error *err)
{
    if (a->m->code != MAPPING_NAMESPACE)
        return true;
    r->signers = calloc(p->n + 1, sizeof(*r->signers));
    if (r->signers == NULL)
        return error_set(err, ERR_MEMORY, NULL, "signers of a delegation");
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].key != NULL)
            memcpy(r->signers[r->n_signers++], p->at[i].signature->signed_by, FINGERPRINT_SIZE);
    return true;
}

static bool check_serial(struct attempt *a)
{
    if (a->is_update || a->in_store == NULL)
        return true; /* nothing in store: any serial, as the peers do */
    if (a->in_store->serial >= INT32_MAX)
        return attempt_reject(a, "MaxSerialReached", "%s", a->m->subject);
    if (a->tx->serial != a->in_store->serial + 1)
        return attempt_reject(a, "SerialMismatch", "%u, expected %u", a->tx->serial,
                              a->in_store->serial + 1);
    return true;
}

/* Fills r's verdict and bytes. False: no memory. p and the other transactions are the caller's. */
static bool judge(struct attempt *a, struct pieces *p, bool is_merged, struct row *r,
                  struct error *err)
{
    bool is_full = false;
    bool ok = check_mapping(a) && check_serial(a) && authorize(a, p, &is_full);

    if (a->has_failed)
        return false;
    if (ok && !is_full && !a->tx->is_proposal)
        ok = attempt_reject(a, "NotFullyAuthorized", "%s", a->m->subject);
    if (!ok) {
        r->is_proposal = a->tx->is_proposal;
        r->rejection = strdup(a->reason);
        r->raw = a->tx->raw;
        a->tx->raw = (struct buffer)BUFFER_INIT;
        return r->rejection != NULL || error_set(err, ERR_MEMORY, NULL, "topology rejection");
    }
    r->is_proposal = !is_full;
    return keep_bytes(a, p, is_merged, r, err) && keep_signers(a, p, r, err);
}

/* The signatures that count for a: of what is in store when it is the same transaction, its own,
 * and of a proposal that waits; the first of a signer wins. */
static bool gather(const struct attempt *a, const struct signed_topology_tx *stored,
                   const struct signed_topology_tx *proposed, struct pieces *p, struct error *err)
{
    return (!a->is_update || pieces_add(p, stored, err)) && pieces_add(p, a->tx, err) &&
           (proposed->raw.len == 0 || pieces_add(p, proposed, err));
}

bool apply_parsed(struct topology *t, int64_t sequenced, int64_t effective, struct parsed_tx *in,
                  struct topology_outcome *out, struct error *err)
{
    const struct place *place = state_place(t, &in->m->unique_key);
    const struct row *in_store = place != NULL ? place_open_row(place) : NULL;
    const struct row *proposal = open_proposal(place, &in->tx.hash);
    struct signed_topology_tx stored = {0}, proposed = {0};
    struct pieces p = {0};
    struct attempt a = {
        .t = t,
        .sequenced = sequenced,
        .effective = effective,
        .is_genesis = sequenced == TOPOLOGY_GENESIS_TS,
        .tx = &in->tx,
        .m = in->m,
        .in_store = in_store,
        .prev = in_store != NULL && in_store->op == TOPOLOGY_ADD_REPLACE ? in_store->m : NULL,
        .is_update = in_store != NULL && hash_equal(&in_store->hash, &in->tx.hash),
        .err = err,
    };
    struct row r = {
        .sequenced = sequenced,
        .valid_from = effective,
        .hash = in->tx.hash,
        .op = in->tx.op,
        .serial = in->tx.serial,
    };
    size_t n_counting = 0;
    bool ok = reparse(a.is_update ? in_store : NULL, &stored, err) &&
              reparse(proposal, &proposed, err) && gather(&a, &stored, &proposed, &p, err) &&
              judge(&a, &p, a.is_update || proposal != NULL, &r, err);

    for (size_t i = 0; i < p.n; i++)
        n_counting += p.at[i].key != NULL;
    if (out != NULL)
        *out = (struct topology_outcome){.n_signatures = n_counting,
                                         .n_superfluous = p.n - n_counting};
    pieces_free(&p);
    signed_topology_tx_free(&stored);
    signed_topology_tx_free(&proposed);
    if (!ok) {
        row_release(&r);
        return false;
    }
    if (out != NULL) {
        out->verdict = r.rejection != NULL ? TOPOLOGY_REJECTED
                       : r.is_proposal     ? TOPOLOGY_PROPOSED
                                           : TOPOLOGY_ACCEPTED;
        out->effective_at = effective;
        memcpy(out->reason, a.reason, sizeof(out->reason));
    }
    r.m = in->m;
    in->m = NULL;
    return state_store(t, &r, err);
}

bool parsed_tx_read(struct bytes wrapped, struct parsed_tx *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    return signed_topology_tx_parse(wrapped, &out->tx, err) &&
           mapping_parse(out->tx.mapping, &out->m, err);
}

void parsed_tx_free(struct parsed_tx *p)
{
    signed_topology_tx_free(&p->tx);
    mapping_free(p->m);
    memset(p, 0, sizeof(*p));
}

bool topology_apply(struct topology *t, int64_t sequenced_ts, const struct bytes *transactions,
                    size_t n, struct topology_outcome *outcomes, struct error *err)
{
    int64_t effective = sequenced_ts + t->fixed.topology_change_delay_us;
    struct parsed_tx *in = NULL;
    bool ok = true;

    if (sequenced_ts < t->sequenced_until || sequenced_ts > TS_MAX)
        return error_set(err, ERR_INTERNAL, NULL, "topology sequenced at %lld after %lld",
                         (long long)sequenced_ts, (long long)t->sequenced_until);
    t->sequenced_until = sequenced_ts;
    if (n > TOPOLOGY_BROADCAST_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu transactions in a broadcast, at most %d", n,
                         TOPOLOGY_BROADCAST_MAX);
    in = calloc(n + 1, sizeof(*in));
    if (in == NULL)
        return error_set(err, ERR_MEMORY, NULL, "a broadcast of %zu transactions", n);
    for (size_t i = 0; i < n && ok; i++)
        if (!parsed_tx_read(transactions[i], &in[i], err))
            ok = error_add(err, "topology transaction %zu of %zu", i + 1, n);
    for (size_t i = 0; i < n && ok; i++)
        ok = apply_parsed(t, sequenced_ts, effective, &in[i],
                          outcomes != NULL ? &outcomes[i] : NULL, err);
    for (size_t i = 0; i < n; i++)
        parsed_tx_free(&in[i]);
    free(in);
    return ok;
}
