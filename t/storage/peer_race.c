/* peer_race.c: both processes try at the same moment, again and again. In three of four rounds the
 * winner gives the lease up and both try to take it; in the fourth the loser takes it from a winner
 * that is writing. Each says what it saw; the journal of the database is the judge. */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hook.h"
#include "peer.h"

#define WAIT_US (60 * US_PER_S)

struct shared {
    _Atomic int serial, arrived, winners, live;
};

struct race {
    struct peer *p;
    struct shared *s;
    struct lease *lease;
    int me;
    struct fence old; /* of an earlier win */
    bool has_old;
    int64_t id, won, contested, lost_live, refused, errors;
    struct error err;
};

static bool bad(struct race *r, const char *what)
{
    printf("BAD %s: %s [%s]\n", what, r->err.cause, error_id(r->err.code));
    return false;
}

/* Until both are here. */
static bool meet(struct race *r)
{
    const int mine = atomic_fetch_add(&r->s->arrived, 1);
    const int both = (mine / 2 + 1) * 2;
    const int64_t end = clock_mono_us() + WAIT_US;

    while (atomic_load(&r->s->arrived) < both) {
        if (clock_mono_us() > end)
            return bad(r, "the other one is not there");
        sched_yield();
    }
    return true;
}

static bool open_lease(struct race *r)
{
    lease_close(r->lease);
    return lease_open(r->p->db, r->p->name, r->p->expiry_us, r->p->poll_us, &r->lease, &r->err) ||
           bad(r, "lease_open");
}

static bool write_one(struct race *r, const struct fence *f)
{
    return peer_write(r->p, f, r->me * INT64_C(100000000) + ++r->id, 1, 10, 10 * US_PER_S, &r->err);
}

/* One turn; counts whether it tried to take (more than the one read). */
static bool turn(struct race *r, enum lease_change *change)
{
    int executed = 0;

    hook_arm(0, HOOK_BEFORE);
    const bool ok = lease_step(r->lease, change, &r->err);
    const int n = hook_disarm();
    for (int i = 1; i <= n; i++)
        executed += strcmp(hook_name(i), "SQLExecute") == 0;
    r->errors += !ok;
    return executed > 1;
}

/* Both take a step at the same moment until one of them has won. */
static bool compete(struct race *r, bool *is_mine)
{
    enum lease_change change = LEASE_SAME;

    for (int tries = 0; tries < 1000; tries++) {
        if (!meet(r))
            return false;
        const bool has_tried = turn(r, &change);
        *is_mine = change == LEASE_WON;
        if (*is_mine)
            atomic_fetch_add(&r->s->winners, 1);
        if (!meet(r))
            return false;
        const int winners = atomic_load(&r->s->winners);
        if (!meet(r))
            return false;
        if (winners > 1)
            return bad(r, "two winners");
        if (winners == 1) {
            if (*is_mine)
                atomic_store(&r->s->winners, 0);
            else
                r->contested += has_tried;
            return true;
        }
    }
    return bad(r, "nobody wins");
}

static bool old_is_refused(struct race *r)
{
    if (!r->has_old)
        return true;
    if (write_one(r, &r->old))
        return bad(r, "a write under an old fence was accepted");
    if (r->err.code != ERR_FENCED)
        return bad(r, "a write under an old fence");
    r->refused++;
    return true;
}

/* SQLite is not fair between processes: without a breath a writer keeps the others out. */
static const struct timespec breath = {0, 3000 * 1000};

/* The winner writes until it is fenced, the loser takes the lease from it. */
static bool live_takeover(struct race *r, bool *is_mine)
{
    const int64_t end = clock_mono_us() + WAIT_US;
    enum lease_change change = LEASE_SAME;

    if (*is_mine) {
        while (write_one(r, &r->old)) {
            if (clock_mono_us() > end)
                return bad(r, "never fenced");
            nanosleep(&breath, NULL);
        }
        if (r->err.code != ERR_FENCED)
            return bad(r, "a write while the other takes over");
        r->lost_live++;
        (void)turn(r, &change);
        *is_mine = false;
        return change == LEASE_LOST || bad(r, "the loss is not seen");
    }
    if (!open_lease(r)) /* evidence counts once per expiry and handle */
        return false;
    while (change != LEASE_WON) {
        if (clock_mono_us() > end)
            return bad(r, "evidence does not win");
        lease_suspect(r->lease);
        (void)turn(r, &change);
    }
    *is_mine = true;
    r->won++;
    return lease_held(r->lease, &r->old) || bad(r, "won and not held");
}

static bool round_run(struct race *r, int round)
{
    bool is_mine = false;

    if (!compete(r, &is_mine))
        return false;
    if (is_mine) {
        if (!lease_held(r->lease, &r->old))
            return bad(r, "won and not held");
        r->won++;
        if (!write_one(r, &r->old))
            return bad(r, "the winner's write");
    } else if (!old_is_refused(r)) {
        return false;
    }
    if (round % 4 == 3 && (!meet(r) || !live_takeover(r, &is_mine)))
        return false;
    r->has_old = r->has_old || is_mine;
    return !is_mine || lease_release(r->lease, &r->err) || bad(r, "release");
}

bool peer_race(struct peer *p, const char *file, int rounds)
{
    const int fd = open(file, O_RDWR);
    struct race r = {.p = p};
    bool ok = true;

    r.s =
        fd >= 0 ? mmap(NULL, sizeof(*r.s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (r.s == MAP_FAILED)
        return bad(&r, file);
    r.me = 1 + atomic_fetch_add(&r.s->serial, 1);
    ok = open_lease(&r);
    for (int i = 0; ok && i < rounds; i++)
        ok = round_run(&r, i);
    lease_close(r.lease);
    printf("RACED won %" PRId64 " contested %" PRId64 " live %" PRId64 " refused %" PRId64
           " errors %" PRId64 "\n",
           r.won, r.contested, r.lost_live, r.refused, r.errors);
    munmap(r.s, sizeof(*r.s));
    return ok;
}
