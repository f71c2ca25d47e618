/* fuzz_topology_apply.c: one transaction, ordered twice on a synchronizer that has nothing yet:
 * what parses leaves a row each time, what does not leaves none. */
#include "fuzz.h"
#include "topology/snapshot.h"
#include "topology/topology.h"

#define PSID "demo::1220aa::35-0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes tx = bytes_of(data, size);
    struct topology_outcome out[2];
    struct static_parameters fixed;
    struct topology *t;
    struct error err;

    static_parameters_default(&fixed);
    MUST(topology_open(PSID, &fixed, &t, &err));
    if (topology_apply(t, 1000000, &tx, 1, &out[0], &err)) {
        MUST(topology_row_count(t) == 1);
        MUST(topology_apply(t, 2000000, &tx, 1, &out[1], &err));
        MUST(topology_row_count(t) == 2);
        for (int i = 0; i < 2; i++)
            MUST((out[i].verdict == TOPOLOGY_REJECTED) == (out[i].reason[0] != '\0'));
        struct topology_items rows = {0};

        MUST(topology_rows(t, false, &rows, &err));
        MUST(out[0].verdict != TOPOLOGY_REJECTED ||
             bytes_equal(buffer_bytes(&rows.at[0].transaction), tx)); /* as it came */
        topology_items_free(&rows);
    } else {
        MUST(topology_row_count(t) == 0);
    }
    topology_close(t);
    return 0;
}
