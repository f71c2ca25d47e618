/* threading.h: whether unixODBC lets threads run in parallel. Internal to storage/. */
#ifndef STORAGE_THREADING_H
#define STORAGE_THREADING_H
#include <stdbool.h>
#include <stddef.h>

/* Looks into odbc.ini and odbcinst.ini as the driver manager does, wherever ODBCINI and ODBCSYSINI
 * point. driver: a path, or "{a name}" in odbcinst.ini; dsn: a name in odbc.ini; one of both. True
 * when every call of this process waits for every other; *section (of size): where that is said. */
bool threading_is_serial(const char *driver, const char *dsn, char *section, size_t size);
#endif
