/* broadcast.c: topology transactions that the sequencer itself orders, through the same write path
 * as everybody's. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/waiter.h"
#include "sequencer/replica.h"
#include "topology/topology.h"
#include "wire/signed_content.h"
#include "wire/submission.h"
#include "wire/topology_tx.h"

#define BROADCAST_LIFE_US (INT64_C(120) * US_PER_S) /* to its max_sequencing_time */
#define BROADCAST_TXS_MAX 100

/* Signs with the newest key that the topology has for us. */
static bool sign(struct sequencer *seq, const struct submission *s, struct buffer *frame,
                 char signed_by[FINGERPRINT_SIZE], struct error *err)
{
    struct public_key *keys[TOPOLOGY_KEYS_MAX];
    const char *candidates[TOPOLOGY_KEYS_MAX];
    struct signature signature = {0};
    struct hash h;
    bool ok;

    mutex_lock(&seq->state);
    struct view v = replica_view(seq);
    size_t n = view_keys(&v, seq->member, USAGE_PROTOCOL, keys, TOPOLOGY_KEYS_MAX);
    mutex_unlock(&seq->state);
    for (size_t i = 0; i < n; i++)
        candidates[i] = keys[i]->fingerprint;
    ok = submission_hash(s, &h, err) &&
         keyring_sign(seq->keys, USAGE_PROTOCOL, candidates, n, &h, &signature, err);
    if (ok) {
        memcpy(signed_by, signature.signed_by, FINGERPRINT_SIZE);
        ok = signed_content_build(buffer_bytes(&s->raw), &signature, NULL, frame, err);
        signature_free(&signature);
    }
    for (size_t i = 0; i < n; i++)
        public_key_unref(keys[i]);
    return ok;
}

bool replica_broadcast(struct sequencer *seq, const struct bytes *txs, size_t n,
                       void (*done)(void *ctx, const struct error *err), void *ctx,
                       struct error *err)
{
    struct ticket *t = calloc(1, sizeof *t);
    struct buffer frame = BUFFER_INIT;
    struct entry_parts parts = {0};
    struct submission s = {0};
    struct member_info info;
    char id[UUID_TEXT_LEN];
    bool ok = false;

    random_uuid(id);
    if (!t) {
        (void)error_set(err, ERR_MEMORY, NULL, "no memory for a broadcast");
    } else if (submission_topology(seq->member, id, seq->sync.psid, txs, n,
                                   replica_now(seq) + BROADCAST_LIFE_US, &s, err) &&
               sign(seq, &s, &frame, t->verified_by, err) &&
               members_get(seq->members, seq->member, &info, err)) {
        parts.body = buffer_bytes(&frame);
        t->kind = ENTRY_SUBMISSION;
        t->sender_id = info.member_id;
        t->done = done;
        t->ctx = ctx;
        entry_build(&parts, &t->payload);
        ok = buffer_ok(&t->payload, err) && writer_submit(seq->writer, t, err);
    }
    if (!ok)
        ticket_free(t);
    submission_free(&s);
    buffer_free(&frame);
    return ok;
}

static void on_done(void *ctx, const struct error *err)
{
    waiter_done(ctx, err);
}

bool sequencer_submit_topology(struct sequencer *seq, const struct bytes *txs, size_t n,
                               int64_t timeout_us, struct error *err)
{
    int64_t until = clock_mono_us() + timeout_us;
    struct waiter *w;

    if (n > BROADCAST_TXS_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu transactions in one broadcast, at most %d", n,
                         BROADCAST_TXS_MAX);
    if (!replica_is_serving(seq))
        return error_set(err, ERR_UNAVAILABLE, "try again", "the sequencer does not serve yet");
    if (!waiter_open(&w, err))
        return false;
    if (replica_broadcast(seq, txs, n, on_done, w, err))
        return waiter_wait(w, until, "not committed", err);
    waiter_close(w);
    return false;
}
