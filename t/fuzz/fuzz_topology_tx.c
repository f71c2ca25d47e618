/* fuzz_topology_tx.c: a signed topology transaction keeps its bytes. */
#include "fuzz.h"
#include "wire/topology_tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signed_topology_tx t;
    struct error err;

    if (!signed_topology_tx_parse(bytes_of(data, size), &t, &err))
        return 0;
    MUST(bytes_equal(buffer_bytes(&t.raw), bytes_of(data, size)));
    MUST(t.mapping && t.n_signatures + t.n_multi > 0);
    signed_topology_tx_free(&t);
    return 0;
}
