/* threading.c: Threading = 3 serialises all calls of a process, 2 those of a connection, which is
 * how a pool uses one anyway. Without a line for the driver that of [ODBC] counts, else 0. */
#include "storage/threading.h"

#include <odbcinst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIAL 3

static bool ask(const char *section, const char *key, const char *file, char *out, int size)
{
    return SQLGetPrivateProfileString(section, key, "", out, size, file) > 0 && *out;
}

bool threading_is_serial(const char *driver, const char *dsn, char *section, size_t size)
{
    char name[256] = "", level[16] = "";

    if (dsn)
        (void)!ask(dsn, "Driver", "odbc.ini", name, (int)sizeof(name));
    else if (driver && *driver == '{')
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(driver + 1, "}"), driver + 1);
    snprintf(section, size, "%s", name);
    if (!*name || !ask(name, "Threading", "odbcinst.ini", level, (int)sizeof(level))) {
        snprintf(section, size, "ODBC");
        if (!ask("ODBC", "Threading", "odbcinst.ini", level, (int)sizeof(level)))
            return false;
    }
    return strtol(level, NULL, 10) == SERIAL;
}
