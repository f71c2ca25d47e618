/* member_store.h: what the database says about members (numbers, revocations, whether enabled),
 * kept in memory; acknowledgements; challenges. Nothing here decides an outcome.
 *
 * Threads: any; the cache has its own lock, which is never held during a statement. */
#ifndef SEQUENCER_MEMBER_STORE_H
#define SEQUENCER_MEMBER_STORE_H
#include "base/buffer.h"

struct db;
struct members;

struct member_info {
    int64_t member_id;
    int64_t revocation_epoch; /* raised by a logout: tokens made before are void */
    bool is_enabled;
};

/* Borrows db. The caller owns *out. */
MUST_CHECK bool members_open(struct db *db, struct members **out, struct error *err);
void members_close(struct members *m); /* NULL is allowed */

/* Reads all of them again: at start, and when members_version has moved. */
MUST_CHECK bool members_reload(struct members *m, struct error *err);
/* From memory; else from the database, which gives a new member its number. Only for members that
 * the topology knows: that bounds them. */
MUST_CHECK bool members_get(struct members *m, const char *member, struct member_info *out,
                            struct error *err);
/* The same, from the database: for what must not be older than the last revocation. */
MUST_CHECK bool members_read(struct members *m, const char *member, struct member_info *out,
                             struct error *err);
/* From memory alone: for threads that must not wait. False: not there yet. */
bool members_peek(struct members *m, const char *member, struct member_info *out);
/* Makes every token of a member void, here at once and at the other replicas within a poll. */
MUST_CHECK bool members_revoke(struct members *m, const char *member, struct error *err);

/* Keeps the highest. */
MUST_CHECK bool ack_store_write(struct db *db, int64_t member_id, int64_t ts, struct error *err);

#define NONCE_LEN 20
/* The challenge that waits for member, or a new one. now_us: the clock. */
MUST_CHECK bool nonce_store_offer(struct db *db, const char *member, int64_t now_us,
                                  int64_t life_us, uint8_t nonce[NONCE_LEN], struct error *err);
/* True: nonce is the one that waits and has not expired. */
MUST_CHECK bool nonce_store_check(struct db *db, const char *member, int64_t now_us,
                                  struct bytes nonce, bool *is_good, struct error *err);
/* Uses it up; *won false: somebody else did. */
MUST_CHECK bool nonce_store_take(struct db *db, const char *member, int64_t now_us,
                                 struct bytes nonce, bool *won, struct error *err);
#endif
