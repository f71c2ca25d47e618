/* What the doctor thinks of settings and figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "storage/doctor_judge.h"

static const struct doctor_postgres good = {
    .fsync = "on", .full_page_writes = "on", .commit = "on", .usual_commit = "on"};

static struct doctor_finding judged(const struct doctor_postgres *p)
{
    struct doctor_finding f = {.check = "durability"};

    judge_postgres(p, &f);
    return f;
}

static void without_a_synchronous_standby_the_host_can_be_lost(void **state)
{
    struct doctor_postgres p = good;

    (void)state;
    p.attached = p.visible = 2;
    struct doctor_finding f = judged(&p);
    assert_int_equal(f.verdict, DOCTOR_WARN);
    assert_non_null(strstr(f.found, "2 attached"));
    assert_non_null(strstr(f.found, "RPO 0 when the server crashes"));
    strcpy(p.standby_names, "ANY 1 (a, b)");
    p.in_sync = 1;
    f = judged(&p);
    assert_int_equal(f.verdict, DOCTOR_OK);
    assert_non_null(strstr(f.found, "RPO 0, also when the primary's host is lost"));
    strcpy(p.commit, "local"); /* waits for nobody after all */
    assert_int_equal(judged(&p).verdict, DOCTOR_WARN);
}

static void a_standby_that_is_not_there_stops_commits(void **state)
{
    struct doctor_postgres p = good;

    (void)state;
    strcpy(p.standby_names, "a");
    assert_int_equal(judged(&p).verdict, DOCTOR_FAIL);
    p.attached = 1; /* and the account may not see it */
    const struct doctor_finding f = judged(&p);
    assert_int_equal(f.verdict, DOCTOR_WARN);
    assert_non_null(strstr(f.advice, "pg_monitor"));
}

static void a_server_that_forgets_is_not_fit(void **state)
{
    struct doctor_postgres p = good;

    (void)state;
    strcpy(p.fsync, "off");
    assert_int_equal(judged(&p).verdict, DOCTOR_FAIL);
    p = good;
    strcpy(p.full_page_writes, "off");
    assert_int_equal(judged(&p).verdict, DOCTOR_FAIL);
    p = good;
    strcpy(p.commit, "off");
    strcpy(p.usual_commit, "off");
    const struct doctor_finding f = judged(&p);
    assert_int_equal(f.verdict, DOCTOR_FAIL);
    assert_non_null(strstr(f.found, "RPO about 0.6 s"));
    p = good;
    strcpy(p.usual_commit, "off");
    assert_int_equal(judged(&p).verdict, DOCTOR_WARN);
}

static void sqlite_is_durable_when_full(void **state)
{
    static const struct {
        const char *journal, *synchronous;
        enum doctor_verdict verdict;
    } t[] = {{"wal", "2", DOCTOR_OK},   {"delete", "3", DOCTOR_OK}, {"wal", "1", DOCTOR_FAIL},
             {"wal", "0", DOCTOR_FAIL}, {"off", "2", DOCTOR_FAIL},  {"memory", "2", DOCTOR_FAIL}};

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct doctor_finding f = {.check = "durability"};
        judge_sqlite(t[i].journal, t[i].synchronous, &f);
        assert_int_equal(f.verdict, t[i].verdict);
    }
}

static void oracle_must_be_the_primary(void **state)
{
    struct doctor_finding f = {.check = "durability"}, g = {.check = "durability"};

    (void)state;
    judge_oracle("PRIMARY", &f);
    assert_int_equal(f.verdict, DOCTOR_WARN); /* what cannot be asked is said */
    judge_oracle("PHYSICAL STANDBY", &g);
    assert_int_equal(g.verdict, DOCTOR_FAIL);
}

static void clocks_may_differ_by_half_a_second(void **state)
{
    static const struct {
        int64_t offset, error;
        enum doctor_verdict verdict;
    } t[] = {{500000, 0, DOCTOR_OK},
             {-500001, 0, DOCTOR_WARN},
             {600000, 100000, DOCTOR_OK}, /* that may be the way there */
             {3600 * US_PER_S, 1000, DOCTOR_WARN}};

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct doctor_finding f = {.check = "clock"};
        judge_clock(t[i].offset, t[i].error, &f);
        assert_int_equal(f.verdict, t[i].verdict);
    }
}

static void latency_is_judged_by_its_tail(void **state)
{
    int64_t us[100];
    struct doctor_finding f = {.check = "latency"}, g = {.check = "latency"},
                          h = {.check = "latency"};

    (void)state;
    for (int64_t i = 0; i < 100; i++)
        us[i] = 100 - i; /* 1 .. 100, not sorted */
    judge_latency(us, 100, &f);
    assert_int_equal(f.verdict, DOCTOR_OK);
    assert_string_equal(f.number[0].name, "p50_us");
    assert_int_equal(f.number[0].value, 50);
    assert_int_equal(f.number[2].value, 99);
    assert_int_equal(f.number[3].value, 100);
    us[98] = us[99] = 100 * US_PER_MS;
    judge_latency(us, 100, &g);
    assert_int_equal(g.verdict, DOCTOR_WARN);
    us[98] = us[99] = US_PER_S;
    judge_latency(us, 100, &h);
    assert_int_equal(h.verdict, DOCTOR_FAIL);
}

static void a_session_that_moves_is_a_pooler(void **state)
{
    const struct doctor_session s = {.pid = 7};
    struct doctor_finding f = {.check = "pooler"}, g = {.check = "pooler"};

    (void)state;
    judge_pooler(&s, false, false, 7, &f);
    assert_int_equal(f.verdict, DOCTOR_OK);
    assert_non_null(strstr(f.found, "session mode"));
    judge_pooler(&s, true, false, 8, &g);
    assert_int_equal(g.verdict, DOCTOR_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_synchronous_standby_the_host_can_be_lost),
        cmocka_unit_test(a_standby_that_is_not_there_stops_commits),
        cmocka_unit_test(a_server_that_forgets_is_not_fit),
        cmocka_unit_test(sqlite_is_durable_when_full),
        cmocka_unit_test(oracle_must_be_the_primary),
        cmocka_unit_test(clocks_may_differ_by_half_a_second),
        cmocka_unit_test(latency_is_judged_by_its_tail),
        cmocka_unit_test(a_session_that_moves_is_a_pooler),
    };

    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
