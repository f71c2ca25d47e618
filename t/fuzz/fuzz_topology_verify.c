/* fuzz_topology_verify.c: an exported topology, packed or not, is judged item by item, and what is
 * read survives being written. */
#include "fuzz.h"
#include "topology/verify.h"

#define SIZE_MOST 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology_verify_options options = {.max_size = SIZE_MOST};
    struct topology_items items = {0}, again = {0};
    struct topology_verification v;
    struct buffer file = BUFFER_INIT;
    struct error err;

    if (!topology_export_read(bytes_of(data, size), SIZE_MOST, &items, &err)) {
        topology_items_free(&items);
        return 0;
    }
    if (topology_verify_items(&items, &options, &v, &err)) {
        MUST(v.n_items == items.n && v.n_transactions + v.n_failures == v.n_items);
        MUST(v.n_accepted + v.n_proposals + v.n_rejected == v.n_transactions);
        for (size_t i = 1; i < v.n_failures; i++)
            MUST(v.failures[i - 1].item < v.failures[i].item);
        topology_verification_free(&v);
    }
    MUST(topology_items_to_file(&items, &file, &err));
    MUST(topology_items_from_file(buffer_bytes(&file), &again, &err));
    MUST(again.n == items.n);
    for (size_t i = 0; i < items.n; i++)
        MUST(bytes_equal(buffer_bytes(&items.at[i].transaction),
                         buffer_bytes(&again.at[i].transaction)));
    topology_items_free(&again);
    topology_items_free(&items);
    buffer_free(&file);
    return 0;
}
