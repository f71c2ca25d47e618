/* Histories: independent transactions in any order, cut into any broadcasts, give the same state.
 * Each takes some of the chains. A seed repeats a run: LS_TEST_SEED; how many: LS_TEST_HISTORIES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/topology/generator.h"

#define CHAINS 5 /* one of each kind */

static uint64_t seed;

/* xorshift64*: the same everywhere. */
static size_t draw(size_t below)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (size_t)((seed * 2685821657736338717ull) >> 33) % below;
}

static long setting(const char *name, long or_else)
{
    const char *s = getenv(name);

    return s != NULL && s[0] != '\0' ? strtol(s, NULL, 10) : or_else;
}

static int bytes_order(const void *a, const void *b)
{
    const struct buffer *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = memcmp(x->data, y->data, n);

    return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

/* Of a state, whenever things happened: the open rows, removals and proposals too; the refused
 * ones; and the members that ever were. */
static struct hash digest_of(const struct topology *t)
{
    struct topology_items items = {0};
    struct hash_builder b;
    struct buffer *rows;
    const char **members;
    struct hash out;
    size_t n, n_rows = 0;
    struct error e;

    must(topology_rows(t, false, &items, &e), &e);
    rows = calloc(items.n + 1, sizeof(*rows));
    assert_non_null(rows);
    for (size_t i = 0; i < items.n; i++)
        if (items.at[i].valid_until == TOPOLOGY_OPEN || items.at[i].rejection != NULL)
            rows[n_rows++] = items.at[i].transaction;
    qsort(rows, n_rows, sizeof(*rows), bytes_order);
    hash_start(&b, HASH_TESTING);
    hash_i32(&b, (int32_t)items.n);
    for (size_t i = 0; i < n_rows; i++)
        hash_bytes(&b, buffer_bytes(&rows[i]));
    for (int ever = 0; ever < 2; ever++) {
        must(ever ? topology_members_ever(t, &members, &n, &e)
                  : topology_members(t, topology_head(t), &members, &n, &e),
             &e);
        for (size_t i = 0; i < n; i++)
            hash_str(&b, members[i]);
        free(members);
    }
    must(hash_finish(&b, &out, &e), &e);
    free(rows);
    topology_items_free(&items);
    return out;
}

/* Applies total transactions: order[i] is the index of the i-th. Cuts of up to most in a broadcast.
 */
static struct hash history(const struct world *w, const struct generator *g, const size_t *order,
                           size_t total, size_t most)
{
    struct topology_outcome out[64];
    struct bytes batch[64];
    struct topology *t;
    int64_t ts = T0;
    struct error e;

    load_file(w, &t);
    for (size_t i = 0; i < total;) {
        size_t n = 1 + draw(most);

        n = n < total - i ? n : total - i;
        for (size_t k = 0; k < n; k++)
            batch[k] = buffer_bytes(&g->at[order[i + k]].raw);
        must(topology_apply(t, ts, batch, n, out, &e), &e);
        for (size_t k = 0; k < n; k++)
            if (out[k].verdict != g->at[order[i + k]].verdict)
                fail_msg("transaction %zu of chain %zu: verdict %d, expected %d: %s", order[i + k],
                         g->at[order[i + k]].chain, (int)out[k].verdict,
                         (int)g->at[order[i + k]].verdict, out[k].reason);
        ts += 1 + (int64_t)draw(2 * DELAY); /* also before the last has come into effect */
        i += n;
    }
    struct hash h = digest_of(t);

    topology_close(t);
    return h;
}

/* A random order of the chains in mask that keeps each chain's own. Returns how many. */
static size_t shuffle(const struct generator *g, size_t mask, size_t *order)
{
    size_t next[CHAINS] = {0}, n = 0, total = 0;

    for (size_t i = 0; i < g->n; i++)
        total += mask >> g->at[i].chain & 1;
    while (n < total) {
        size_t chain = draw(CHAINS), i = next[chain];

        if ((mask >> chain & 1) == 0)
            continue;
        while (i < g->n && g->at[i].chain != chain)
            i++;
        if (i < g->n)
            order[n++] = i;
        next[chain] = i < g->n ? i + 1 : i;
    }
    return total;
}

/* What the chains in mask make when they come one after the other, each alone in its broadcast. */
static struct hash in_turn(const struct world *w, const struct generator *g, size_t mask)
{
    size_t *order = calloc(g->n + 1, sizeof(*order)), n = 0;
    struct hash h;

    assert_non_null(order);
    for (size_t i = 0; i < g->n; i++)
        if (mask >> g->at[i].chain & 1)
            order[n++] = i;
    seed = 1;
    h = history(w, g, order, n, 1);
    free(order);
    return h;
}

static void any_order_and_any_broadcasts_give_one_state(void **state)
{
    long histories = setting("LS_TEST_HISTORIES", 2000);
    long first = setting("LS_TEST_SEED", 5);
    struct hash expected[1 << CHAINS];
    bool is_known[1 << CHAINS] = {false};
    struct generator g;
    struct world w;
    size_t *order;

    (void)state;
    world_open(&w);
    generator_open(&g, (struct signer){w.sequencer.keys, w.sequencer.ns}, w.psid);
    g.sequencer = w.sequencer.uid;
    while (g.n_chains < CHAINS)
        generator_fill(&g, g.n + 1);
    order = calloc(g.n + 1, sizeof(*order));
    assert_non_null(order);
    for (long i = 0; i < histories; i++) {
        uint64_t start = (uint64_t)(first + i) * 0x9e3779b97f4a7c15ull | 1;

        seed = start;
        size_t mask = 1 + draw((1 << CHAINS) - 1);

        if (!is_known[mask]) {
            expected[mask] = in_turn(&w, &g, mask);
            is_known[mask] = true;
            seed = start;
        }
        size_t n = shuffle(&g, mask, order);
        struct hash h = history(&w, &g, order, n, 1 + draw(40));

        if (!hash_equal(&h, &expected[mask]))
            fail_msg("another state after the history of seed %ld: LS_TEST_SEED=%ld "
                     "LS_TEST_HISTORIES=1 repeats it",
                     first + i, first + i);
    }
    printf("%ld histories of up to %zu transactions in %d chains\n", histories, g.n, CHAINS);
    free(order);
    generator_close(&g);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_and_any_broadcasts_give_one_state),
    };

    return cmocka_run_group_tests_name("topology order", tests, NULL, NULL);
}
