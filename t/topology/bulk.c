/* bulk.c: writes an export of N transactions of fresh namespaces, ten of each: its root certificate
 * and delegations. They need nothing beside themselves.
 *   bulk N GOOD BAD
 * GOOD: all are valid. BAD: the same, but the signature of the one in the middle was made over
 * something else; it is a delegation that nothing hangs on. Prints its number, and its hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/make.h"

#define EACH 10

static void put(struct topology_items *items, struct buffer raw)
{
    items->at[items->n++] = (struct topology_item){.sequenced = TOPOLOGY_GENESIS_TS,
                                                   .valid_from = TOPOLOGY_GENESIS_TS,
                                                   .valid_until = TOPOLOGY_OPEN,
                                                   .transaction = raw};
}

static const struct public_key *new_key(struct keyring *keys)
{
    const struct private_key *k;
    struct error e;

    must(keyring_generate(keys, KEY_SIGNING, SIGNING_ED25519, USAGE_NAMESPACE, &k, &e), &e);
    return k->pub;
}

static void add_namespace(struct topology_items *items, size_t end)
{
    const struct public_key *root, *target;
    struct keyring *keys;
    struct maker k;
    struct error e;

    must(keyring_open(&keys, &e), &e);
    root = target = new_key(keys);
    for (int i = 0; i < EACH && items->n < end; i++, target = new_key(keys)) {
        make_delegation(&k, root->fingerprint, target, NULL, 0);
        put(items, sign_by(&(struct signer){keys, root->fingerprint}, 1, TOPOLOGY_ADD_REPLACE, 1,
                           &k.m, false));
    }
    keyring_close(keys);
}

/* The transaction with the signature of another. */
static struct buffer forge(const struct topology_item *one, const struct topology_item *other)
{
    struct signed_topology_tx tx, from;
    struct buffer out = BUFFER_INIT;
    char hex[HASH_HEX_SIZE];
    struct error e;

    must(signed_topology_tx_parse(buffer_bytes(&one->transaction), &tx, &e), &e);
    must(signed_topology_tx_parse(buffer_bytes(&other->transaction), &from, &e), &e);
    must(signed_topology_tx_build(buffer_bytes(&tx.transaction), from.signatures, 1, false, &out,
                                  &e),
         &e);
    hash_hex(&tx.hash, hex);
    puts(hex);
    signed_topology_tx_free(&tx);
    signed_topology_tx_free(&from);
    return out;
}

static void write_file(const char *path, const struct topology_items *items)
{
    struct buffer file = BUFFER_INIT;
    FILE *f = fopen(path, "wb");
    struct error e;

    must(topology_items_to_file(items, &file, &e), &e);
    if (f == NULL || fwrite(file.data, 1, file.len, f) != file.len || fclose(f) != 0)
        fail_msg("cannot write %s", path);
    buffer_free(&file);
}

int main(int argc, char **argv)
{
    size_t n = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
    struct topology_items items = {0};
    size_t middle;

    if (n < 2 * EACH)
        return 2;
    items.at = calloc(n, sizeof(*items.at));
    assert_non_null(items.at);
    items.cap = n;
    while (items.n < n)
        add_namespace(&items, n);
    write_file(argv[2], &items);
    middle = n / 2 / EACH * EACH + EACH / 2;
    printf("%zu ", middle + 1);
    struct buffer forged = forge(&items.at[middle], &items.at[middle + 1]);

    buffer_free(&items.at[middle].transaction);
    items.at[middle].transaction = forged;
    write_file(argv[3], &items);
    topology_items_free(&items);
    return 0;
}
