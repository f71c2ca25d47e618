/* test_lease.c: taking, renewing, taking over, settling, releasing. */
#include <errno.h>
#include <time.h>

#include "storage/lease.h"
#include "suite.h"

#define EXPIRY_US (400 * US_PER_MS)
#define POLL_US   (100 * US_PER_MS)

static struct db *db_a, *db_b;
static struct lease *a, *b;
static int serial;

static int open_two(void **state)
{
    char name[32];
    struct error e;

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial++);
    db_a = engine_open();
    db_b = engine_open();
    check_done(lease_open(db_a, name, EXPIRY_US, POLL_US, &a, &e));
    check_done(lease_open(db_b, name, EXPIRY_US, POLL_US, &b, &e));
    return 0;
}

static int close_two(void **state)
{
    (void)state;
    lease_close(a);
    lease_close(b);
    db_close(db_a);
    db_close(db_b);
    return 0;
}

static enum lease_change step(struct lease *l)
{
    enum lease_change change;
    struct error e;

    check_done(lease_step(l, &change, &e));
    return change;
}

/* The runner's beat. */
static void pause_poll(void)
{
    const struct timespec t = {0, (long)POLL_US * 1000};

    while (nanosleep(&t, NULL) == -1 && errno == EINTR)
        ;
}

/* Steps b at the poll interval until it wins; returns how long that took. */
static int64_t until_b_wins(bool does_a_renew, int64_t limit_us)
{
    const int64_t start = clock_mono_us();

    while (step(b) != LEASE_WON) {
        if (clock_mono_us() - start > limit_us)
            return -1;
        if (does_a_renew)
            check_int(step(a), LEASE_SAME);
        pause_poll();
    }
    return clock_mono_us() - start;
}

static bool write_under(struct db *db, const struct fence *f, const char *name, struct error *e)
{
    const struct value v[] = {value_text(name), value_i64(f->epoch), fence_holder(f), value_i64(1),
                              value_i64(7)};
    int64_t written = -1;

    const bool ok = db_fenced(db, "t_value_fenced", v, 5, NULL, 0, 0, &written, e);
    if (ok)
        check_int(written, 0); /* held, and no such row: that is no fencing */
    return ok;
}

static void the_first_wins_and_the_second_waits(void **state)
{
    struct fence f;

    (void)state;
    check(!lease_may_act(a));
    check_int(step(a), LEASE_WON);
    check(lease_held(a, &f));
    check(f.epoch > 0);
    check(lease_may_act(a));
    check_int(step(b), LEASE_SAME);
    check(!lease_held(b, NULL));
    check_int(step(a), LEASE_SAME);
}

static void a_live_holder_is_left_alone(void **state)
{
    (void)state;
    check_int(step(a), LEASE_WON);
    check_int(until_b_wins(true, 3 * EXPIRY_US), -1);
}

static void a_silent_holder_is_replaced_and_fenced(void **state)
{
    struct fence old, now;
    struct error e;
    char name[32];

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial - 1);
    check_int(step(a), LEASE_WON);
    check(lease_held(a, &old));
    check_done(write_under(db_a, &old, name, &e));
    const int64_t took = until_b_wins(false, 10 * EXPIRY_US);
    check(took >= EXPIRY_US - POLL_US);
    check(lease_held(b, &now));
    check(now.epoch > old.epoch);
    assert_memory_not_equal(now.holder, old.holder, HOLDER_LEN);
    check(!lease_may_act(a));
    check_refused(write_under(db_a, &old, name, &e), ERR_FENCED);
    check_done(write_under(db_b, &now, name, &e));
    check_int(step(a), LEASE_LOST);
    check(!lease_held(a, NULL));
}

static void a_released_lease_is_taken_at_once(void **state)
{
    struct error e;

    (void)state;
    check_int(step(a), LEASE_WON);
    check_int(step(b), LEASE_SAME);
    check_done(lease_release(a, &e));
    check_int(step(b), LEASE_WON);
    check_int(step(a), LEASE_SAME);
}

static void evidence_is_not_waited_for(void **state)
{
    (void)state;
    check_int(step(a), LEASE_WON);
    check_int(step(b), LEASE_SAME);
    called(lease_suspect(b));
    check_int(step(b), LEASE_WON);
    check_int(step(a), LEASE_LOST);
}

static void settling_moves_the_own_epoch(void **state)
{
    struct fence old, now;
    struct error e;
    char name[32];

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial - 1);
    check_int(step(a), LEASE_WON);
    check(lease_held(a, &old));
    check_done(lease_settle(a, &now, &e));
    check(bytes_equal(fence_holder(&now).bytes, bytes_of(now.holder, HOLDER_LEN)));
    check_int(now.epoch, old.epoch + 1);
    check_refused(write_under(db_a, &old, name, &e),
                  ERR_FENCED); /* the lost write can never come through */
    check_done(write_under(db_a, &now, name, &e));
    check_int(step(a), LEASE_SAME); /* and the beat goes on under the new one */
    lease_suspect(b);
    check_int(step(b), LEASE_WON);
    check_refused(lease_settle(a, &now, &e), ERR_FENCED);
}

static void a_short_expiry_is_refused(void **state)
{
    char name[66] = "";
    struct lease *l;
    struct error e;

    (void)state;
    check_refused(lease_open(db_a, "x", 300 * US_PER_MS, 250 * US_PER_MS, &l, &e), ERR_CONFIG);
    check_refused(lease_open(db_a, "", 0, 0, &l, &e), ERR_CONFIG);
    memset(name, 'x', 65);
    check_refused(lease_open(db_a, name, 0, 0, &l, &e), ERR_CONFIG);
    called(lease_close(NULL));
}

static void closing_gives_the_lease_up(void **state)
{
    char name[32];
    struct lease *third;
    struct error e;

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial - 1);
    check_done(lease_open(db_a, name, EXPIRY_US, POLL_US, &third, &e));
    check_int(step(third), LEASE_WON);
    called(lease_close(third));
    check_int(step(b), LEASE_WON);
}

static void silence_is_seen_by_the_watcher_alone(void **state)
{
    const struct fence f = {3, {7}};
    struct lease_watch w = {0};

    (void)state;
    check(!lease_watch_observe(&w, 1000, &f, 8, false, 1000, 400));
    check(!lease_watch_observe(&w, 1700, &f, 8, false, 1000, 400));
    check(lease_watch_observe(&w, 2000, &f, 8, false, 1000, 400));
    check(!lease_watch_observe(&w, 9000, &f, 8, false, 1000, 400)); /* a gap */
    check(lease_watch_observe(&w, 9001, &f, 8, true, 1000, 400));   /* released */
}

/* Many for one lease: whoever has it, has it alone. */
#define CONTENDERS 6
struct contender {
    struct db *db;
    const char *name;
    int64_t won;
    struct error e;
};

/* Takes it, counts up under its fence, gives it back. */
static void *contend(void *ctx)
{
    struct contender *c = ctx;
    struct lease *l;
    struct fence f;

    if (!lease_open(c->db, c->name, EXPIRY_US, POLL_US, &l, &c->e))
        return c->e.cause;
    for (int64_t end = clock_mono_us() + 20 * US_PER_S; c->won < 4 && clock_mono_us() < end;) {
        enum lease_change change;
        int64_t written = 0;
        if (!lease_step(l, &change, &c->e) || !lease_held(l, &f)) {
            pause_poll();
            continue;
        }
        const struct value v[] = {value_text(c->name), value_i64(f.epoch), fence_holder(&f),
                                  value_i64(1), value_i64(f.epoch)};
        if (!db_fenced(c->db, "t_value_fenced", v, 5, NULL, 0, 0, &written, &c->e) || written != 1)
            return c->e.cause;
        c->won++;
        if (!lease_release(l, &c->e))
            return c->e.cause;
    }
    lease_close(l);
    return c->won == 4 ? NULL : (void *)(uintptr_t) "a contender did not get its turns";
}

static void many_contenders_take_turns(void **state)
{
    struct contender c[CONTENDERS];
    struct error e;
    char name[32];

    (void)state;
    snprintf(name, sizeof(name), "test-%d", serial - 1);
    memset(c, 0, sizeof(c));
    for (int i = 0; i < CONTENDERS; i++) {
        c[i].db = i % 2 ? db_a : db_b;
        c[i].name = name;
    }
    check_done(db_exec(db_a, "t_value_clear", NULL, 0, 0, NULL, &e));
    insert_value(db_a, 1, 0);
    in_threads(contend, c, sizeof(c[0]), CONTENDERS);
    check_done(db_exec(db_a, "t_value_clear", NULL, 0, 0, NULL, &e));
}

static void a_session_that_holds_nothing_is_not_ended(void **state)
{
    struct error e;
    int64_t ended = -1;

    (void)state;
    if (engine_dialect() != DIALECT_POSTGRES)
        suite_instead("no session can be ended; a fenced write leaves no lock behind");
    check_done(db_unblock(db_a, "ls_lease", 1, &ended, &e));
    check_int(ended, 0);
}

static const struct rule rules[] = {
    RULE_IN(the_first_wins_and_the_second_waits, open_two, close_two),
    RULE_IN(a_live_holder_is_left_alone, open_two, close_two),
    RULE_IN(a_silent_holder_is_replaced_and_fenced, open_two, close_two),
    RULE_IN(a_released_lease_is_taken_at_once, open_two, close_two),
    RULE_IN(evidence_is_not_waited_for, open_two, close_two),
    RULE_IN(settling_moves_the_own_epoch, open_two, close_two),
    RULE_IN(a_short_expiry_is_refused, open_two, close_two),
    RULE_IN(closing_gives_the_lease_up, open_two, close_two),
    RULE(silence_is_seen_by_the_watcher_alone),
    RULE_IN(many_contenders_take_turns, open_two, close_two),
    RULE_IN(a_session_that_holds_nothing_is_not_ended, open_two, close_two),
};
const struct rules lease_rules = {"lease", rules, RULES_N(rules), NULL, NULL};
