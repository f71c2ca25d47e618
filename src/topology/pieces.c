/* pieces.c: the signatures of a transaction taken apart and put together again without touching
 * their bytes: some come from another release's encoder, and are forwarded as they came. */
#include <stdlib.h>
#include <string.h>

#include "topology/state.h"
#include "wire/scan.h"
#include "wire/versioned.h"

enum { FIELD_TRANSACTION = 1, FIELD_SIGNATURE = 2, FIELD_PROPOSAL = 3, FIELD_MULTI = 4 };
enum { MULTI_HASH = 1, MULTI_SIGNATURE = 2 };

void pieces_free(struct pieces *p)
{
    free(p->at);
    memset(p, 0, sizeof(*p));
}

static bool add(struct pieces *p, const struct piece *one, struct error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->at[i].signature->signed_by, one->signature->signed_by) == 0)
            return true; /* the first of one key counts */
    if (p->n == p->cap) {
        size_t cap = p->cap > 0 ? 2 * p->cap : 4;
        struct piece *at = realloc(p->at, cap * sizeof(*at));

        if (at == NULL)
            return error_set(err, ERR_MEMORY, NULL, "signatures of a transaction");
        p->at = at;
        p->cap = cap;
    }
    p->at[p->n++] = *one;
    return true;
}

static bool add_multi(struct pieces *p, struct bytes message, const struct multi_signatures *m,
                      struct error *err)
{
    struct scan s = scan_of(message);
    struct scan_field f;
    size_t n = 0;

    while (scan_next(&s, &f)) {
        struct piece one = {.covers = &m->hash, .raw = f.bytes, .multi = message};

        if (f.number != MULTI_SIGNATURE || n == m->n_signatures)
            continue;
        one.signature = &m->signatures[n++];
        if (!add(p, &one, err))
            return false;
    }
    return true;
}

bool pieces_add(struct pieces *p, const struct signed_topology_tx *tx, struct error *err)
{
    struct bytes data;
    struct scan_field f;
    size_t n = 0;

    if (!versioned_unwrap(buffer_bytes(&tx->raw), VERSIONED_V30, &data, NULL, err))
        return false;
    struct scan s = scan_of(data);

    while (scan_next(&s, &f)) {
        struct piece one = {.covers = &tx->hash, .raw = f.bytes};

        if (f.number != FIELD_SIGNATURE || n == tx->n_signatures)
            continue;
        one.signature = &tx->signatures[n++];
        if (!add(p, &one, err))
            return false;
    }
    s = scan_of(data);
    n = 0;
    while (scan_next(&s, &f))
        if (f.number == FIELD_MULTI && n < tx->n_multi) {
            if (!add_multi(p, f.bytes, &tx->multi[n], err))
                return false;
            n++;
        }
    return true;
}

/* The hashes of one MultiTransactionSignatures, with those of its signatures that are kept. */
static void put_multi(const struct pieces *p, struct bytes multi, struct buffer *out)
{
    struct buffer body = BUFFER_INIT;
    struct scan s = scan_of(multi);
    struct scan_field f;

    while (scan_next(&s, &f))
        if (f.number == MULTI_HASH)
            put_bytes(&body, MULTI_HASH, f.bytes);
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].key != NULL && p->at[i].multi.data == multi.data)
            put_bytes(&body, MULTI_SIGNATURE, p->at[i].raw);
    if (body.failed)
        out->failed = true;
    put_bytes(out, FIELD_MULTI, buffer_bytes(&body));
    buffer_free(&body);
}

bool pieces_build(const struct pieces *p, struct bytes transaction, bool is_proposal,
                  struct buffer *out, struct error *err)
{
    struct buffer body = BUFFER_INIT;
    const uint8_t *last = NULL;
    bool ok;

    put_bytes(&body, FIELD_TRANSACTION, transaction);
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].key != NULL && p->at[i].multi.len == 0)
            put_bytes(&body, FIELD_SIGNATURE, p->at[i].raw);
    put_varint(&body, FIELD_PROPOSAL, is_proposal);
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].key != NULL && p->at[i].multi.len > 0 && p->at[i].multi.data != last) {
            last = p->at[i].multi.data;
            put_multi(p, p->at[i].multi, &body);
        }
    ok = buffer_ok(&body, err) && versioned_wrap(buffer_bytes(&body), VERSIONED_V30, out, err);
    buffer_free(&body);
    return ok;
}
