/* rate.h: how many confirmation requests a participant may send: a bucket that fills with the rate
 * and holds half a second of it. Decides before ordering only, so it is each replica's own. Pure.
 *
 * Threads: the owner's lock. */
#ifndef SEQUENCER_RATE_H
#define SEQUENCER_RATE_H
#include "wire/recipients.h"

struct rates;

MUST_CHECK bool rates_open(struct rates **out, struct error *err);
void rates_close(struct rates *r); /* NULL is allowed */

/* Takes one from the member's bucket at now_us (monotonic); false: it is empty. per_second: this
 * replica's share. The bucket holds max(1, per_second / 2) and is full at first. True without
 * memory. */
bool rates_take(struct rates *r, const char *member, double per_second, int64_t now_us);

/* From a participant, to a mediator and at least one participant: what the limit counts. */
bool is_confirmation_request(const char *sender, const struct recipients *r, size_t n);
#endif
