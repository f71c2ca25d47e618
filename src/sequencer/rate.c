/* rate.c: one bucket a member. */
#include "sequencer/rate.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct bucket {
    char *member;
    double tokens;
    int64_t filled_us;
    UT_hash_handle hh;
};

struct rates {
    struct bucket *by_member;
};

bool rates_open(struct rates **out, struct error *err)
{
    *out = calloc(1, sizeof **out);
    return *out || error_set(err, ERR_MEMORY, NULL, "no memory for rates");
}

void rates_close(struct rates *r)
{
    struct bucket *b, *next;

    if (!r)
        return;
    HASH_ITER(hh, r->by_member, b, next)
    {
        HASH_DEL(r->by_member, b);
        free(b->member);
        free(b);
    }
    free(r);
}

bool rates_take(struct rates *r, const char *member, double per_second, int64_t now_us)
{
    double size = per_second / 2 > 1 ? per_second / 2 : 1;
    struct bucket *b;

    HASH_FIND_STR(r->by_member, member, b);
    if (!b) {
        b = calloc(1, sizeof *b);
        if (b)
            b->member = strdup(member);
        if (!b || !b->member) {
            free(b);
            return true;
        }
        b->tokens = size;
        b->filled_us = now_us;
        HASH_ADD_KEYPTR(hh, r->by_member, b->member, strlen(b->member), b);
    }
    if (now_us > b->filled_us) {
        b->tokens += per_second * (double)(now_us - b->filled_us) / 1e6;
        b->filled_us = now_us;
    }
    if (b->tokens > size)
        b->tokens = size;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

bool is_confirmation_request(const char *sender, const struct recipients *r, size_t n)
{
    bool to_mediator = false, to_participant = false;

    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < r[i].n_all; k++) {
            const struct recipient *one = &r[i].all[k];

            to_mediator = to_mediator || one->kind == RECIPIENT_MEDIATOR_GROUP ||
                          (one->kind == RECIPIENT_MEMBER && one->member == MEMBER_MEDIATOR);
            to_participant = to_participant ||
                             (one->kind == RECIPIENT_MEMBER && one->member == MEMBER_PARTICIPANT);
        }
    }
    return to_mediator && to_participant && member_is(sender, MEMBER_PARTICIPANT);
}
