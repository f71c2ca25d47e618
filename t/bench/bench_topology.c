/* bench_topology.c: topology transactions read, authorised and applied, beside the bare checks of
 * the same signatures in the same run. Not a test. One line of JSON a figure. bench_topology
 * [TRANSACTIONS [ROUNDS]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/generator.h"

#include "base/clock.h"

#define BROADCAST  100
#define ROUNDS_MAX 51

/* One signature with all that its check needs. */
struct check {
    struct public_key *key;
    struct hash h;
    struct signature s;
};
struct checks {
    struct check *at;
    size_t n;
};

/* Fingerprints to keys: what the mappings name. */
struct keys {
    struct public_key **at;
    size_t n;
};

static int key_order(const void *a, const void *b)
{
    return strcmp((*(struct public_key *const *)a)->fingerprint,
                  (*(struct public_key *const *)b)->fingerprint);
}

static struct public_key *key_find(const struct keys *k, const char *fingerprint)
{
    struct public_key probe, *p = &probe, **found;

    snprintf(probe.fingerprint, sizeof(probe.fingerprint), "%s", fingerprint);
    found = bsearch(&p, k->at, k->n, sizeof(*k->at), key_order);
    return found != NULL ? *found : NULL;
}

static void keys_add(struct keys *k, const struct public_key *key)
{
    k->at = realloc(k->at, (k->n + 1) * sizeof(*k->at));
    assert_non_null(k->at);
    k->at[k->n++] = public_key_ref(key);
}

static void checks_add(struct checks *c, const struct keys *k, const struct hash *h,
                       const struct signature *s)
{
    struct check *one;
    struct error e;

    c->at = realloc(c->at, (c->n + 1) * sizeof(*c->at));
    assert_non_null(c->at);
    one = &c->at[c->n++];
    one->key = key_find(k, s->signed_by);
    if (one->key == NULL)
        fail_msg("no key %s", s->signed_by);
    one->h = *h;
    must(signature_copy(&one->s, s, &e), &e);
}

static void collect(const struct generator *g, const struct node *owner, struct checks *c,
                    struct keys *k)
{
    struct signed_topology_tx tx;
    struct mapping *m;
    struct error e;

    keys_add(k, keyring_find(owner->keys, owner->ns)->pub);
    for (size_t i = 0; i < g->n; i++) {
        must(signed_topology_tx_parse(buffer_bytes(&g->at[i].raw), &tx, &e), &e);
        must(mapping_parse(tx.mapping, &m, &e), &e);
        for (size_t j = 0; j < m->n_keys; j++)
            keys_add(k, m->keys[j]);
        mapping_free(m);
        signed_topology_tx_free(&tx);
    }
    qsort(k->at, k->n, sizeof(*k->at), key_order);
    for (size_t i = 0; i < g->n; i++) {
        must(signed_topology_tx_parse(buffer_bytes(&g->at[i].raw), &tx, &e), &e);
        for (size_t j = 0; j < tx.n_signatures; j++)
            checks_add(c, k, &tx.hash, &tx.signatures[j]);
        for (size_t j = 0; j < tx.n_multi; j++)
            checks_add(c, k, &tx.multi[j].hash, &tx.multi[j].signatures[0]);
        signed_topology_tx_free(&tx);
    }
}

static double seconds_of_checks(const struct checks *c)
{
    int64_t began = clock_mono_us();
    struct error e;

    for (size_t i = 0; i < c->n; i++)
        must(signature_verify(c->at[i].key, USAGE_ALL, &c->at[i].h, &c->at[i].s, &e), &e);
    return (double)(clock_mono_us() - began) / 1e6;
}

static double seconds_of_apply(const struct world *w, const struct generator *g, size_t *n_verified)
{
    static struct topology_outcome out[BROADCAST];
    static struct bytes batch[BROADCAST];
    struct topology *t;
    int64_t ts = T0, began;
    struct error e;

    load_file(w, &t);
    *n_verified = 0;
    began = clock_mono_us();
    for (size_t i = 0; i < g->n; i += BROADCAST) {
        size_t n = g->n - i < BROADCAST ? g->n - i : BROADCAST;

        for (size_t k = 0; k < n; k++)
            batch[k] = buffer_bytes(&g->at[i + k].raw);
        must(topology_apply(t, ts++, batch, n, out, &e), &e);
        for (size_t k = 0; k < n; k++) {
            if (out[k].verdict != g->at[i + k].verdict)
                fail_msg("transaction %zu: %s", i + k, out[k].reason);
            *n_verified += out[k].n_signatures;
        }
    }
    began = clock_mono_us() - began;
    topology_close(t);
    return (double)began / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void say_figure(const char *name, double value, const char *unit)
{
    printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\"}\n", name, value, unit);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 5;
    double bare[ROUNDS_MAX], whole[ROUNDS_MAX], share[ROUNDS_MAX];
    struct generator g;
    struct checks c = {0};
    struct keys k = {0};
    struct world w;
    size_t n_verified;

    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    world_open(&w);
    generator_open(&g, (struct signer){w.sequencer.keys, w.sequencer.ns}, w.psid);
    g.sequencer = w.sequencer.uid;
    g.is_scarce = true;
    generator_fill(&g, n);
    collect(&g, &w.sequencer, &c, &k);
    for (size_t i = 0; i < rounds; i++) { /* side by side, so that a busy machine slows both */
        bare[i] = seconds_of_checks(&c);
        whole[i] = seconds_of_apply(&w, &g, &n_verified);
        share[i] = 100 * bare[i] / whole[i];
    }
    qsort(bare, rounds, sizeof(*bare), by_value);
    qsort(whole, rounds, sizeof(*whole), by_value);
    qsort(share, rounds, sizeof(*share), by_value);
    say_figure("transactions", (double)g.n, "");
    say_figure("signatures", (double)c.n, "");
    say_figure("bare-checks-per-second", (double)c.n / bare[rounds / 2], "/s");
    say_figure("applied-per-second", (double)g.n / whole[rounds / 2], "/s");
    say_figure("share-of-bare-checks", share[rounds / 2], "%");
    for (size_t i = 0; i < c.n; i++)
        signature_free(&c.at[i].s);
    for (size_t i = 0; i < k.n; i++)
        public_key_unref(k.at[i]);
    free(c.at);
    free(k.at);
    generator_close(&g);
    world_close(&w);
    return 0;
}
