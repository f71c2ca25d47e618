/* claim.h: one runner of migrations at a time where DDL commits, and so no lock lasts. A lease
 * (lease.h) renewed by a thread of its own; a runner that dies is followed after its expiry. DDL
 * cannot be fenced: a runner that was stopped may end the text that it had sent, so texts can be
 * repeated. Internal to storage/. */
#ifndef STORAGE_CLAIM_H
#define STORAGE_CLAIM_H
#include "storage/db.h"

struct claim;

/* Contends from now on. ls_lease must be there. Needs a second connection of the pool. */
MUST_CHECK bool claim_open(struct db *db, struct claim **out, struct error *err);
/* Waits until it is held. Fails: ERR_TIMEOUT at until_us (monotonic), or what the database has said
 * for 30 s. */
MUST_CHECK bool claim_wait(struct claim *c, int64_t until_us, struct error *err);
/* True while nobody else can have followed. */
bool claim_held(struct claim *c);
void claim_close(struct claim *c); /* gives it up; NULL is allowed */
#endif
