/* only.h: LS_TEST_ONLY=NAME runs that test alone (cmocka's patterns: * and ?); LS_TEST_WAIT_S is
 * how long a test awaits what must come, 20 s. For t/fault/failpoints.sh, which runs tests that
 * must fail. */
#ifndef T_ONLY_H
#define T_ONLY_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static inline void test_only(void)
{
    const char *name = getenv("LS_TEST_ONLY");

    if (name && *name)
        cmocka_set_test_filter(name);
}

static inline int64_t test_wait_us(void)
{
    const char *s = getenv("LS_TEST_WAIT_S");
    long n = s ? strtol(s, NULL, 10) : 0;

    return (n > 0 && n < 3600 ? n : 20) * INT64_C(1000000);
}
#endif
