/* delivery_runner.h: subscriptions and the threads that sign and send their events.
 *
 * A subscription is a cursor into its member's events; one event is on its way at a time, so that a
 * slow reader holds up nobody and costs nothing. Events come from the window in memory, older ones
 * from the log in the database.
 *
 * Threads: any, but start, stop and close. */
#ifndef SEQUENCER_DELIVERY_RUNNER_H
#define SEQUENCER_DELIVERY_RUNNER_H
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct caller;
struct delivery;
struct outcome;
struct rpc_call;
struct sequencer;

/* Borrows seq until close. */
MUST_CHECK bool delivery_open(struct sequencer *seq, struct delivery **out, struct error *err);
MUST_CHECK bool delivery_start(struct delivery *d, struct error *err);
/* Ends every subscription with UNAVAILABLE, waits until their last callbacks have come (up to 5 s),
 * joins the threads. */
void delivery_stop(struct delivery *d);
void delivery_close(struct delivery *d); /* NULL is allowed */

/* Takes the call over: sends the member's events with ts >= from_ts (INT64_MIN: all) and ends the
 * call sooner or later. The oldest subscription of a member over the limit is closed. */
void delivery_subscribe(struct delivery *d, struct rpc_call *call, const struct caller *caller,
                        int64_t from_ts);
/* An outcome was added to the index: wakes who gets it. */
void delivery_wake(struct delivery *d, const struct outcome *o);
/* Ends the member's subscriptions, UNAVAILABLE: logout. */
void delivery_disconnect(struct delivery *d, const char *member, const char *why);
/* Ends all subscriptions, UNAVAILABLE. */
void delivery_disconnect_all(struct delivery *d, const char *why);
size_t delivery_count(struct delivery *d);
/* Calls fn for each member that has a subscription; with the delivery's lock held. */
void delivery_members(struct delivery *d, void (*fn)(void *ctx, const char *member), void *ctx);
#endif
