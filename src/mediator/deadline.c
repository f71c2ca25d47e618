/* deadline.c: see deadline.h. */
#include "mediator/deadline.h"

#include <stdlib.h>

static bool is_before(const struct deadline *a, const struct deadline *b)
{
    if (a->due_ts != b->due_ts)
        return a->due_ts < b->due_ts;
    if (a->request_id != b->request_id)
        return a->request_id < b->request_id;
    if (a->part != b->part)
        return a->part < b->part;
    return a->kind < b->kind;
}

static void swap(struct deadline *a, struct deadline *b)
{
    struct deadline t = *a;

    *a = *b;
    *b = t;
}

bool deadlines_add(struct deadlines *d, struct deadline what, struct error *err)
{
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 64;
        struct deadline *p = realloc(d->heap, cap * sizeof(*p));
        if (p == NULL)
            return error_set(err, ERR_MEMORY, NULL, "no memory for %zu deadlines", cap);
        d->heap = p;
        d->cap = cap;
    }
    size_t i = d->n++;
    d->heap[i] = what;
    for (; i > 0 && is_before(&d->heap[i], &d->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&d->heap[i], &d->heap[(i - 1) / 2]);
    return true;
}

bool deadlines_pop(struct deadlines *d, int64_t ts, struct deadline *out)
{
    if (d->n == 0 || d->heap[0].due_ts >= ts)
        return false;
    *out = d->heap[0];
    d->heap[0] = d->heap[--d->n];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t k = left; k < left + 2 && k < d->n; k++)
            if (is_before(&d->heap[k], &d->heap[least]))
                least = k;
        if (least == i)
            return true;
        swap(&d->heap[i], &d->heap[least]);
        i = least;
    }
}

int64_t deadlines_next(const struct deadlines *d)
{
    return d->n ? d->heap[0].due_ts : INT64_MAX;
}

void deadlines_free(struct deadlines *d)
{
    free(d->heap);
    *d = (struct deadlines){0};
}
