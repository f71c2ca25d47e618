/* failpoint.h: faults for tests. A build with --enable-failpoints asks the environment; any other
 * build compiles every question to false, so that no fault can be switched on in production.
 * LOCKSTEP_FAILPOINT=name[,name...]. The names are in t/fault/README. */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <stdbool.h>

#ifdef LS_FAILPOINTS
bool failpoint_is_on(const char *name);
#else
static inline bool failpoint_is_on(const char *name)
{
    (void)name;
    return false;
}
#endif
#endif
