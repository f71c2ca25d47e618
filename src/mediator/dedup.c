/* dedup.c: see dedup.h. A ring of entries in order of age, and a table of ring positions with open
 * addressing (linear probing, deletion by shifting back), at most half full. */
#include "mediator/dedup.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

struct burnt {
    uint8_t uuid[DEDUP_UUID_LEN];
    int64_t expires_ts;
};

struct dedup {
    struct burnt *ring; /* cap of them, from head on */
    size_t head, n, cap, max;
    uint32_t *slots; /* 2 * cap of them: ring position + 1, 0 is free */
    uint64_t seed;   /* uuids come from others, who may choose them to collide */
};

enum { FIRST_CAP = 64 };

struct dedup *dedup_open(size_t max)
{
    struct dedup *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->max = max;
    random_bytes(&d->seed, sizeof(d->seed));
    d->seed |= 1;
    return d;
}

void dedup_close(struct dedup *d)
{
    if (d == NULL)
        return;
    free(d->ring);
    free(d->slots);
    free(d);
}

size_t dedup_count(const struct dedup *d)
{
    return d->n;
}

static size_t slot_of(const struct dedup *d, const uint8_t *uuid)
{
    uint64_t a, b;

    memcpy(&a, uuid, 8);
    memcpy(&b, uuid + 8, 8);
    a = (a ^ d->seed) * UINT64_C(0x9e3779b97f4a7c15);
    a = (a ^ (a >> 29) ^ b) * d->seed;
    a ^= a >> 32;
    return (size_t)(a % (2 * d->cap));
}

/* The slot that holds uuid, or the free one where it belongs. */
static size_t find_slot(const struct dedup *d, const uint8_t *uuid)
{
    size_t i = slot_of(d, uuid);

    while (d->slots[i] != 0 && memcmp(d->ring[d->slots[i] - 1].uuid, uuid, DEDUP_UUID_LEN) != 0)
        i = (i + 1) % (2 * d->cap);
    return i;
}

bool dedup_is_burnt(const struct dedup *d, const uint8_t uuid[DEDUP_UUID_LEN], int64_t ts,
                    int64_t *expires_ts)
{
    if (d->cap == 0)
        return false;
    uint32_t at = d->slots[find_slot(d, uuid)];
    if (at == 0 || d->ring[at - 1].expires_ts < ts)
        return false;
    *expires_ts = d->ring[at - 1].expires_ts;
    return true;
}

static void free_slot(struct dedup *d, size_t i)
{
    size_t size = 2 * d->cap, k = i;

    for (;;) {
        d->slots[i] = 0;
        for (;;) {
            k = (k + 1) % size;
            if (d->slots[k] == 0)
                return;
            size_t home = slot_of(d, d->ring[d->slots[k] - 1].uuid);
            /* may move to i unless its home lies in (i, k] */
            if (i <= k ? (home <= i || home > k) : (home <= i && home > k))
                break;
        }
        d->slots[i] = d->slots[k];
        i = k;
    }
}

static void drop_oldest(struct dedup *d)
{
    size_t i = find_slot(d, d->ring[d->head].uuid);

    if (d->slots[i] == d->head + 1) /* not burnt anew by a later entry */
        free_slot(d, i);
    d->head = (d->head + 1) % d->cap;
    d->n--;
}

static bool make_room(struct dedup *d, struct error *err)
{
    if (d->n == d->max)
        drop_oldest(d);
    if (d->n < d->cap)
        return true;
    size_t cap = d->cap ? d->cap * 2 : FIRST_CAP;
    struct burnt *ring = calloc(cap, sizeof(*ring));
    uint32_t *slots = calloc(2 * cap, sizeof(*slots));
    if (ring == NULL || slots == NULL) {
        free(ring);
        free(slots);
        return error_set(err, ERR_MEMORY, NULL, "no memory for %zu request uuids", cap);
    }
    for (size_t i = 0; i < d->n; i++)
        ring[i] = d->ring[(d->head + i) % d->cap];
    free(d->ring);
    free(d->slots);
    d->ring = ring;
    d->slots = slots;
    d->cap = cap;
    d->head = 0;
    for (size_t i = 0; i < d->n; i++)
        d->slots[find_slot(d, ring[i].uuid)] =
            (uint32_t)i + 1; /* the latest entry of a uuid stays */
    return true;
}

bool dedup_burn(struct dedup *d, const uint8_t uuid[DEDUP_UUID_LEN], int64_t ts, int64_t expires_ts,
                struct error *err)
{
    while (d->n > 0 && d->ring[d->head].expires_ts < ts)
        drop_oldest(d);
    if (!make_room(d, err))
        return false;
    size_t at = (d->head + d->n++) % d->cap;
    memcpy(d->ring[at].uuid, uuid, DEDUP_UUID_LEN);
    d->ring[at].expires_ts = expires_ts;
    d->slots[find_slot(d, uuid)] = (uint32_t)at + 1;
    return true;
}
