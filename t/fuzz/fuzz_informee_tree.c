/* fuzz_informee_tree.c: FullInformeeTree as a mediator reads it, and one view as an informee does.
 */
#include "fuzz.h"
#include "wire/informee_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct informee_tree t;
    struct opened_view v;
    struct error err;

    if (informee_tree_parse(bytes_of(data, size), &t, &err)) {
        for (size_t i = 0; i < t.n_views; i++)
            for (size_t j = 0; j < t.views[i].n_quorums; j++)
                for (size_t k = 0; k < t.views[i].quorums[j].n; k++)
                    MUST(t.views[i].quorums[j].confirmers[k].informee < t.views[i].n_informees);
        informee_tree_free(&t);
    }
    if (opened_view_parse(bytes_of(data, size), &v, &err))
        opened_view_free(&v);
    return 0;
}
