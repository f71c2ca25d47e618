/* snapshot.c: see snapshot.h. */
#include "mediator/snapshot.h"

#include <stdlib.h>
#include <string.h>

void snapshot_hosting_free(struct snapshot_hosting *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->hosts[i].participant);
    free(h->hosts);
    memset(h, 0, sizeof(*h));
}
