/* verify.c: an export replayed item by item; what differs is written down and the rest goes on. */
#include "topology/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/apply.h"
#include "topology/state.h"
#include "wire/gzip.h"

/* Of an export that binds nothing to a synchronizer: identities alone. */
#define NO_SYNCHRONIZER "none::none"

bool topology_export_read(struct bytes file, size_t max_size, struct topology_items *out,
                          struct error *err)
{
    static const uint8_t magic[] = {0x1f, 0x8b};
    struct buffer plain = BUFFER_INIT;
    bool ok;

    if (max_size == 0)
        max_size = TOPOLOGY_FILE_MAX;
    if (file.len >= sizeof(magic) && memcmp(file.data, magic, sizeof(magic)) == 0) {
        if (!gzip_read(file, max_size, &plain, err)) {
            buffer_free(&plain);
            return error_add(err, "topology export");
        }
        file = buffer_bytes(&plain);
    }
    ok = file.len <= max_size ||
         error_set(err, ERR_LIMIT, NULL, "topology export of %zu bytes, at most %zu are read",
                   file.len, max_size);
    ok = ok && topology_items_from_file(file, out, err);
    buffer_free(&plain);
    return ok;
}

void topology_verification_free(struct topology_verification *v)
{
    free(v->failures);
    memset(v, 0, sizeof(*v));
}

/* The first synchronizer that anything is bound to; what no item says is not looked for further. */
static void find_synchronizer(const struct topology_items *items, char out[UID_TEXT_SIZE])
{
    snprintf(out, UID_TEXT_SIZE, "%s", NO_SYNCHRONIZER);
    for (size_t i = 0; i < items->n; i++) {
        struct parsed_tx in;
        bool found = parsed_tx_read(buffer_bytes(&items->at[i].transaction), &in, NULL) &&
                     items->at[i].rejection == NULL;

        found = found && in.m->synchronizer != NULL;
        if (found)
            snprintf(out, UID_TEXT_SIZE, "%s", in.m->synchronizer);
        parsed_tx_free(&in);
        if (found)
            return;
    }
}

static bool open_state(const struct topology_items *items,
                       const struct topology_verify_options *options, struct topology **t,
                       char psid[PSID_TEXT_SIZE], struct error *err)
{
    struct static_parameters fixed;
    struct psid id;
    char logical[UID_TEXT_SIZE];

    static_parameters_default(&fixed);
    if (options != NULL && options->parameters != NULL)
        fixed = *options->parameters;
    if (options != NULL && options->psid != NULL) {
        if (!psid_parse(options->psid, &id, err))
            return false;
        fixed.serial = options->parameters != NULL ? fixed.serial : id.serial;
        snprintf(psid, PSID_TEXT_SIZE, "%s", options->psid);
        return topology_open(psid, &fixed, t, err);
    }
    find_synchronizer(items, logical);
    memset(&id, 0, sizeof(id));
    if (!uid_parse(logical, &id.logical, err))
        return false;
    id.protocol_version = fixed.protocol_version;
    id.serial = fixed.serial;
    psid_format(&id, psid);
    if (!topology_open(psid, &fixed, t, err))
        return false;
    if (strcmp(logical, NO_SYNCHRONIZER) == 0)
        psid[0] = '\0';
    return true;
}

static bool note(struct topology_verification *v, size_t item, const struct hash *h,
                 const char *reason, struct error *err)
{
    struct topology_failure *more = realloc(v->failures, (v->n_failures + 1) * sizeof(*more)), *f;

    if (more == NULL)
        return error_set(err, ERR_MEMORY, NULL, "%zu failures of a topology", v->n_failures);
    v->failures = more;
    f = &v->failures[v->n_failures++];
    memset(f, 0, sizeof(*f));
    f->item = item;
    if (h != NULL)
        hash_hex(h, f->hash);
    snprintf(f->reason, sizeof(f->reason), "%.*s", (int)sizeof(f->reason) - 1, reason);
    return true;
}

static void count(struct topology_verification *v, const struct topology_outcome *o)
{
    v->n_transactions++;
    v->n_signatures += o->n_signatures;
    v->n_superfluous += o->n_superfluous;
    if (o->verdict == TOPOLOGY_ACCEPTED)
        v->n_accepted++;
    else if (o->verdict == TOPOLOGY_PROPOSED)
        v->n_proposals++;
    else
        v->n_rejected++;
}

/* What came of one item. row: its place in the state, or SIZE_MAX. */
struct replayed {
    size_t row;
    bool is_good;
    struct topology_outcome outcome;
};

static bool replay(struct topology *t, const struct topology_items *items, struct replayed *at,
                   struct topology_verification *v, struct error *err)
{
    int64_t last = TS_MIN;

    for (size_t i = 0; i < items->n; i++) {
        size_t n_rows = t->rows.n;
        struct error e;

        at[i].is_good = item_replay(t, &items->at[i], &last, &at[i].outcome, &e);
        at[i].row = t->rows.n > n_rows ? n_rows : SIZE_MAX;
        if (at[i].is_good)
            continue;
        if (e.code == ERR_MEMORY || e.code == ERR_INTERNAL) {
            *err = e;
            return false;
        }
        if (!note(v, i + 1, at[i].row != SIZE_MAX ? &t->rows.at[n_rows]->hash : NULL, e.cause, err))
            return false;
    }
    return true;
}

/* Ends are known when all is replayed: one that differs is a failure of an item that had none yet.
 */
static bool compare_ends(const struct topology *t, const struct topology_items *items,
                         const struct replayed *at, struct topology_verification *v,
                         struct error *err)
{
    for (size_t i = 0; i < items->n; i++) {
        if (!at[i].is_good)
            continue;
        if (t->rows.at[at[i].row]->valid_until == items->at[i].valid_until)
            count(v, &at[i].outcome);
        else if (!note(v, i + 1, &t->rows.at[at[i].row]->hash, "ends at another time here", err))
            return false;
    }
    return true;
}

static bool hash_items(const struct topology *t, const struct replayed *at, size_t n,
                       struct topology_verification *v, struct error *err)
{
    struct hash_builder b;

    for (size_t i = 0; i < n; i++)
        if (at[i].row == SIZE_MAX)
            return true;
    hash_start(&b, HASH_INITIAL_TOPOLOGY_STATE);
    for (size_t i = 0; i < n; i++)
        hash_raw(&b, hash_as_bytes(&t->rows.at[at[i].row]->hash));
    v->has_hash = hash_finish(&b, &v->hash, err);
    return v->has_hash;
}

static int by_item(const void *a, const void *b)
{
    const struct topology_failure *x = a, *y = b;

    return (x->item > y->item) - (x->item < y->item);
}

bool topology_verify_items(const struct topology_items *items,
                           const struct topology_verify_options *options,
                           struct topology_verification *out, struct error *err)
{
    struct replayed *at;
    struct topology *t;
    bool ok;

    memset(out, 0, sizeof(*out));
    if (!open_state(items, options, &t, out->psid, err))
        return false;
    out->n_items = items->n;
    at = calloc(items->n + 1, sizeof(*at));
    ok = at != NULL || error_set(err, ERR_MEMORY, NULL, "%zu topology transactions", items->n);
    ok = ok && replay(t, items, at, out, err) && compare_ends(t, items, at, out, err) &&
         hash_items(t, at, items->n, out, err);
    if (ok && out->n_failures > 1)
        qsort(out->failures, out->n_failures, sizeof(*out->failures), by_item);
    free(at);
    topology_close(t);
    if (!ok)
        topology_verification_free(out);
    return ok;
}

bool topology_verify_file(struct bytes file, const struct topology_verify_options *options,
                          struct topology_verification *out, struct error *err)
{
    struct topology_items items = {0};
    bool ok = topology_export_read(file, options != NULL ? options->max_size : 0, &items, err) &&
              topology_verify_items(&items, options, out, err);

    topology_items_free(&items);
    return ok;
}
