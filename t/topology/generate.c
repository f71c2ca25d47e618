/* generate.c: writes topology broadcasts of every mapping for a running synchronizer, for black-box
 * tests that order them.
 *   generate PSID SEQUENCER-UID OWNER-SPEC OWNER-PKCS8-FILE TRANSACTIONS OUT
 * OUT: EnvelopeContent after EnvelopeContent, each behind its length (4 bytes, big-endian), to be
 * ordered one after the other. The last makes a participant join: its name, and what there is, is
 * said in a line of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/generator.h"

#define BROADCAST 40

static struct buffer read_file(const char *path)
{
    struct buffer b = BUFFER_INIT;
    char block[4096];
    FILE *f = fopen(path, "rb");
    size_t n;

    if (f == NULL)
        fail_msg("cannot read %s", path);
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buffer_append(&b, block, n);
    fclose(f);
    return b;
}

static void write_broadcast(FILE *f, const struct generator *g, size_t first, size_t n)
{
    struct bytes txs[BROADCAST];
    struct buffer content = BUFFER_INIT, head = BUFFER_INIT;
    struct error e;

    for (size_t i = 0; i < n; i++)
        txs[i] = buffer_bytes(&g->at[first + i].raw);
    must(topology_broadcast_build(g->psid, txs, n, &content, &e), &e);
    buffer_append_be32(&head, (uint32_t)content.len);
    if (fwrite(head.data, 1, head.len, f) != head.len ||
        fwrite(content.data, 1, content.len, f) != content.len)
        fail_msg("cannot write");
    buffer_free(&content);
    buffer_free(&head);
}

int main(int argc, char **argv)
{
    size_t counts[3] = {0}, n_many;
    struct private_key *owner;
    struct generator g;
    struct keyring *keys;
    struct buffer der;
    struct node last;
    struct error e;
    FILE *f;

    if (argc != 7)
        return 2;
    der = read_file(argv[4]);
    must(private_key_from_pkcs8(KEY_SIGNING, atoi(argv[3]), USAGE_NAMESPACE, buffer_bytes(&der),
                                &owner, &e),
         &e);
    buffer_wipe(&der);
    must(keyring_open(&keys, &e), &e);
    must(keyring_add(keys, owner, &e), &e);
    generator_open(&g, (struct signer){keys, owner->pub->fingerprint}, argv[1]);
    g.sequencer = argv[2];
    generator_fill(&g, strtoul(argv[5], NULL, 10));
    n_many = g.n;
    generator_upgrade(&g);
    generator_join(&g, &last, "observer");
    f = fopen(argv[6], "wb");
    if (f == NULL)
        fail_msg("cannot write %s", argv[6]);
    for (size_t i = 0; i < n_many; i += BROADCAST)
        write_broadcast(f, &g, i, n_many - i < BROADCAST ? n_many - i : BROADCAST);
    for (size_t i = n_many; i < g.n; i++) /* some of these need the one before to have effect */
        write_broadcast(f, &g, i, 1);
    if (fclose(f) != 0)
        fail_msg("cannot write %s", argv[6]);
    for (size_t i = 0; i < g.n; i++)
        counts[g.at[i].verdict]++;
    printf("{\"transactions\": %zu, \"accepted\": %zu, \"proposed\": %zu, \"rejected\": %zu, "
           "\"last\": \"%s\"}\n",
           g.n, counts[TOPOLOGY_ACCEPTED], counts[TOPOLOGY_PROPOSED], counts[TOPOLOGY_REJECTED],
           last.member);
    generator_close(&g);
    node_close(&last);
    private_key_unref(owner);
    keyring_close(keys);
    return 0;
}
