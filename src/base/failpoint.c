#include "base/failpoint.h"

#ifdef LS_FAILPOINTS
#include <stdlib.h>
#include <string.h>

bool failpoint_is_on(const char *name)
{
    const char *list = getenv("LOCKSTEP_FAILPOINT");
    size_t n = strlen(name);

    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");

        if (len == n && memcmp(list, name, n) == 0)
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}
#else
extern int failpoint_unused;
#endif
