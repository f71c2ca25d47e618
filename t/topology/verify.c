/* verify.c: FILE, an exported topology, verified: one line of JSON, and one to stderr for each
 * failure. Status 1 when there is any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/make.h"
#include "topology/verify.h"

int main(int argc, char **argv)
{
    struct topology_verification v;
    struct buffer file = BUFFER_INIT;
    char block[65536], hex[HASH_HEX_SIZE];
    struct error e;
    size_t n;
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;

    if (f == NULL)
        return 2;
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buffer_append(&file, block, n);
    fclose(f);
    must(topology_verify_file(buffer_bytes(&file), NULL, &v, &e), &e);
    hash_hex(&v.hash, hex);
    for (size_t i = 0; i < v.n_failures; i++)
        fprintf(stderr, "item %zu: %s\n", v.failures[i].item, v.failures[i].reason);
    printf("{\"transactions\": %zu, \"signatures\": %zu, \"accepted\": %zu, \"proposed\": %zu, "
           "\"rejected\": %zu, \"hash\": \"%s\"}\n",
           v.n_transactions, v.n_signatures, v.n_accepted, v.n_proposals, v.n_rejected,
           v.has_hash ? hex : "");
    n = v.n_failures;
    topology_verification_free(&v);
    buffer_free(&file);
    return n > 0;
}
