#include "node/admin_stores.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define PORTION  100 /* transactions in one broadcast */
#define LOOK_US  (10 * US_PER_MS)
#define LOOK_MAX (200 * US_PER_MS)

static const char *const code_names[MAPPING_CODE_N] = {
    [MAPPING_NAMESPACE] = "nsd",  [MAPPING_DECENTRALIZED] = "dnd", [MAPPING_KEYS] = "otk",
    [MAPPING_TRUST] = "dtc",      [MAPPING_PERMISSION] = "pdp",    [MAPPING_LIMITS] = "phl",
    [MAPPING_PACKAGES] = "vtp",   [MAPPING_HOSTING] = "ptp",       [MAPPING_PARAMETERS] = "dop",
    [MAPPING_MEDIATORS] = "mds",  [MAPPING_SEQUENCERS] = "sds",    [MAPPING_SEQUENCING] = "sep",
    [MAPPING_PARTY_KEYS] = "ptk", [MAPPING_UPGRADE] = "sua",       [MAPPING_SUCCESSOR] = "scs"};

const char *store_code_name(enum mapping_code code)
{
    return code > 0 && code < MAPPING_CODE_N ? code_names[code] : NULL;
}

uint32_t store_codes(char *const *names, size_t n)
{
    uint32_t mask = n > 0 ? 1 : 0; /* bit 0 is no code: names that select nothing select nothing */

    for (size_t i = 0; i < n; i++)
        for (int c = 1; c < MAPPING_CODE_N; c++)
            if (code_names[c] != NULL && strcmp(names[i], code_names[c]) == 0)
                mask |= 1u << c;
    return mask;
}

static bool begins(const char *text, const char *start)
{
    return start == NULL || strncmp(text, start, strlen(start)) == 0;
}

void store_rows_free(struct store_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        signed_topology_tx_free(&rows->at[i].tx);
        mapping_free(rows->at[i].m);
    }
    free(rows->at);
    topology_items_free(&rows->items);
    memset(rows, 0, sizeof(*rows));
}

/* ---- reading the two stores ---- */

struct reading {
    struct topology_items *items;
    struct error *err;
    bool ok;
    char psid[PSID_TEXT_SIZE];
    struct static_parameters fixed;
};

static void read_rows(void *ctx, const struct topology *topo, int64_t ts)
{
    struct reading *r = ctx;

    (void)ts;
    memcpy(r->psid, topology_psid(topo), strlen(topology_psid(topo)) + 1);
    r->fixed = *topology_static(topo);
    r->ok = topology_rows(topo, false, r->items, r->err);
}

static bool read_synchronizer(const struct admin_config *cfg, struct reading *r)
{
    if (cfg->with_topology == NULL || !cfg->with_topology(cfg->ctx, read_rows, r))
        return error_set(r->err, ERR_UNAVAILABLE, "bootstrap it, or try again when it is active",
                         "this node has no synchronizer yet");
    return r->ok;
}

static bool add_item(struct topology_items *items, struct bytes tx, struct error *err)
{
    struct topology_item *at = realloc(items->at, (items->n + 1) * sizeof(*at));

    if (at == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a topology store");
    items->at = at;
    items->cap = items->n + 1;
    at[items->n] = (struct topology_item){.sequenced = TOPOLOGY_GENESIS_TS,
                                          .valid_from = TOPOLOGY_GENESIS_TS,
                                          .valid_until = TOPOLOGY_OPEN};
    buffer_append_bytes(&at[items->n].transaction, tx);
    return buffer_ok(&at[items->n++].transaction, err);
}

static bool read_authorized(const struct admin_config *cfg, struct topology_items *items,
                            struct error *err)
{
    struct signed_txs txs = {0};
    bool ok = node_identity_authorized(cfg->identity, &txs, err);

    for (size_t i = 0; ok && i < txs.n; i++)
        ok = add_item(items, buffer_bytes(&txs.at[i]), err);
    signed_txs_free(&txs);
    return ok;
}

/* ---- selecting ---- */

static bool parse_row(struct store_rows *rows, const struct topology_item *item, struct error *err)
{
    struct store_row *r = &rows->at[rows->n];

    *r = (struct store_row){.item = item};
    if (!signed_topology_tx_parse(buffer_bytes(&item->transaction), &r->tx, err))
        return false;
    rows->n++;
    return mapping_parse(r->tx.mapping, &r->m, err);
}

/* In the authorized store the higher serial ends the lower. */
static bool is_superseded(const struct store_rows *rows, const struct store_row *r)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->at[i].tx.serial > r->tx.serial &&
            hash_equal(&rows->at[i].m->unique_key, &r->m->unique_key))
            return true;
    return false;
}

static bool is_in_time(const struct store_query *q, const struct topology_item *i)
{
    switch (q->time) {
    case STORE_HEAD:
        return i->valid_until == TOPOLOGY_OPEN;
    case STORE_AT:
        return i->valid_from < q->from && q->from <= i->valid_until;
    case STORE_BETWEEN:
        return i->valid_from >= q->from && i->valid_from <= q->until;
    case STORE_ALL:
        break;
    }
    return true;
}

static bool is_signed_by(const struct signed_topology_tx *tx, const char *start)
{
    bool found = start == NULL || start[0] == '\0';

    for (size_t i = 0; i < tx->n_signatures && !found; i++)
        found = begins(tx->signatures[i].signed_by, start);
    for (size_t i = 0; i < tx->n_multi && !found; i++)
        for (size_t k = 0; k < tx->multi[i].n_signatures && !found; k++)
            found = begins(tx->multi[i].signatures[k].signed_by, start);
    return found;
}

static bool is_wanted(const struct store_query *q, const struct store_row *r)
{
    if (q->time != STORE_ALL &&
        (r->item->rejection != NULL || r->tx.is_proposal != q->is_proposals))
        return false;
    return is_in_time(q, r->item) && (q->op == 0 || q->op == (int)r->tx.op) &&
           (q->codes == 0 || (q->codes & (1u << r->m->code)) != 0) &&
           (q->ns == NULL || begins(r->m->ns, q->ns)) && is_signed_by(&r->tx, q->signed_key);
}

bool store_select(const struct admin_config *cfg, const struct store_query *q,
                  struct store_rows *out, struct error *err)
{
    struct reading r = {.items = &out->items, .err = err};
    size_t kept = 0;

    if (q->store == STORE_SYNCHRONIZER ? !read_synchronizer(cfg, &r)
                                       : !read_authorized(cfg, &out->items, err))
        return false;
    out->at = calloc(out->items.n + 1, sizeof(*out->at));
    if (out->at == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for a topology store");
    for (size_t i = 0; i < out->items.n; i++)
        if (!parse_row(out, &out->items.at[i], err))
            return false;
    for (size_t i = 0; q->store == STORE_AUTHORIZED && i < out->n; i++)
        if (is_superseded(out, &out->at[i]))
            out->items.at[i].valid_until = TOPOLOGY_GENESIS_TS;
    for (size_t i = 0; i < out->n; i++) {
        if (is_wanted(q, &out->at[i])) {
            out->at[kept++] = out->at[i];
        } else {
            signed_topology_tx_free(&out->at[i].tx);
            mapping_free(out->at[i].m);
        }
    }
    out->n = kept;
    return true;
}

/* ---- changing ---- */

bool store_scratch(const struct admin_config *cfg, struct topology **out, struct error *err)
{
    struct topology_items items = {0};
    struct reading r = {.items = &items, .err = err};
    bool ok = read_synchronizer(cfg, &r) && topology_open(r.psid, &r.fixed, out, err);

    if (ok && !topology_load(*out, &items, err)) {
        topology_close(*out);
        ok = false;
    }
    topology_items_free(&items);
    return ok;
}

/* What became of transactions, as the state tells. */
struct search {
    const struct hash *hashes;
    size_t n, from; /* rows of the state from here on */
    struct topology_outcome *outcomes;
    bool *is_there;
    size_t n_rows;
    int64_t ts;
};

static void search_rows(void *ctx, const struct topology *topo, int64_t ts)
{
    struct search *s = ctx;

    for (size_t i = 0; i < s->n; i++)
        s->is_there[i] = topology_row_of(topo, s->from, &s->hashes[i], &s->outcomes[i]);
    s->n_rows = topology_row_count(topo);
    s->ts = ts;
}

/* One call of store_submit. */
struct submit {
    const struct admin_config *cfg;
    struct bytes *txs; /* what is left to send */
    size_t *numbers;   /* and where each stood, from 1 */
    struct hash *hashes;
    struct topology_outcome *outcomes;
    bool *is_there;
    size_t n, n_given;
    int64_t until; /* monotonic */
};

static bool search(const struct submit *s, size_t first, size_t n, size_t from, struct search *out,
                   struct error *err)
{
    *out = (struct search){.hashes = s->hashes + first,
                           .n = n,
                           .from = from,
                           .outcomes = s->outcomes + first,
                           .is_there = s->is_there + first};
    return (s->cfg->with_topology != NULL &&
            s->cfg->with_topology(s->cfg->ctx, search_rows, out)) ||
           error_set(err, ERR_UNAVAILABLE, "try again when the node is active",
                     "this node has no synchronizer yet");
}

/* Parses all; what is accepted already is dropped. */
static bool prepare(struct submit *s, const struct bytes *txs, size_t n, struct error *err)
{
    struct search found;

    s->txs = calloc(n + 1, sizeof(*s->txs));
    s->numbers = calloc(n + 1, sizeof(*s->numbers));
    s->hashes = calloc(n + 1, sizeof(*s->hashes));
    s->outcomes = calloc(n + 1, sizeof(*s->outcomes));
    s->is_there = calloc(n + 1, sizeof(*s->is_there));
    if (s->txs == NULL || s->numbers == NULL || s->hashes == NULL || s->outcomes == NULL ||
        s->is_there == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for %zu transactions", n);
    s->n_given = n;
    for (size_t i = 0; i < n; i++) {
        struct signed_topology_tx tx = {0};
        bool ok = signed_topology_tx_parse(txs[i], &tx, err);

        s->hashes[i] = tx.hash;
        signed_topology_tx_free(&tx);
        if (!ok)
            return error_add(err, "transaction %zu of %zu", i + 1, n);
    }
    /* In portions: nothing is sequenced while one is looked for. */
    for (size_t first = 0; first < n; first += PORTION)
        if (!search(s, first, n - first < PORTION ? n - first : PORTION, 0, &found, err))
            return false;
    for (size_t i = 0; i < n; i++)
        if (!s->is_there[i] || s->outcomes[i].verdict != TOPOLOGY_ACCEPTED) {
            s->hashes[s->n] = s->hashes[i];
            s->numbers[s->n] = i + 1;
            s->txs[s->n++] = txs[i];
        }
    return true;
}

static bool refuse(const struct submit *s, size_t i, const char *reason, struct error *err)
{
    char hex[HASH_HEX_SIZE];

    hash_hex(&s->hashes[i], hex);
    return error_set(err, ERR_REFUSED, "nothing was changed",
                     "transaction %zu of %zu (%s) is rejected: %s", s->numbers[i], s->n_given, hex,
                     reason);
}

/* On a copy of the state: none may be rejected. */
static bool try_all(const struct submit *s, struct error *err)
{
    struct topology *copy;
    bool ok = true;

    if (!store_scratch(s->cfg, &copy, err))
        return false;
    for (size_t first = 0; ok && first < s->n; first += PORTION) {
        size_t n = s->n - first < PORTION ? s->n - first : PORTION;
        int64_t ts = topology_sequenced_until(copy) + 1, now = clock_now_us();

        ok = topology_apply(copy, now > ts ? now : ts, s->txs + first, n, s->outcomes, err);
        for (size_t i = 0; ok && i < n; i++)
            if (s->outcomes[i].verdict == TOPOLOGY_REJECTED)
                ok = refuse(s, first + i, s->outcomes[i].reason, err);
    }
    topology_close(copy);
    return ok;
}

/* True once all n from first on are in the state behind row `from`. The last portion is in effect
 * too, and with it those before: effective times do not fall. */
static bool is_done(const struct submit *s, size_t first, size_t n, size_t from, bool *done,
                    struct error *err)
{
    struct search found;

    *done = false;
    if (!search(s, first, n, from, &found, err))
        return false;
    for (size_t i = first; i < first + n; i++) {
        if (s->is_there[i] && s->outcomes[i].verdict == TOPOLOGY_REJECTED)
            return refuse(s, i, s->outcomes[i].reason, err);
        if (!s->is_there[i] || (first + n == s->n && s->outcomes[i].effective_at >= found.ts))
            return true;
    }
    *done = true;
    return true;
}

static void pause_us(int64_t us)
{
    nanosleep(&(struct timespec){.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000}, NULL);
}

static bool wait_done(const struct submit *s, size_t first, size_t n, size_t from,
                      struct error *err)
{
    bool done = false;

    for (int64_t pause = LOOK_US; is_done(s, first, n, from, &done, err);
         pause = pause * 2 < LOOK_MAX ? pause * 2 : LOOK_MAX) {
        if (done)
            return true;
        if (clock_mono_us() >= s->until)
            return error_set(err, ERR_TIMEOUT, "look at the topology before trying again",
                             "sequenced, but not in effect in time");
        pause_us(pause);
    }
    return false;
}

static bool send_portion(const struct submit *s, size_t first, size_t n, struct error *err)
{
    struct search before;

    return search(s, first, 0, 0, &before, err) && /* how many rows there are */
           s->cfg->submit_topology(s->cfg->ctx, s->txs + first, n, s->until - clock_mono_us(),
                                   err) &&
           wait_done(s, first, n, before.n_rows, err);
}

bool store_submit(const struct admin_config *cfg, const struct bytes *txs, size_t n,
                  int64_t timeout_us, struct error *err)
{
    struct submit s = {.cfg = cfg, .until = clock_mono_us() + timeout_us};
    bool ok = prepare(&s, txs, n, err) && (s.n == 0 || try_all(&s, err));

    for (size_t first = 0; ok && first < s.n; first += PORTION)
        ok = send_portion(&s, first, s.n - first < PORTION ? s.n - first : PORTION, err);
    free(s.txs);
    free(s.numbers);
    free(s.hashes);
    free(s.outcomes);
    free(s.is_there);
    return ok;
}
