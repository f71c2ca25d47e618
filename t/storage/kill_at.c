/* kill_at.c: preloaded, sends this process a signal just before its N-th call that a database sees:
 * LS_KILL_AT=N, LS_KILL_SIGNAL=KILL (default) or STOP. So whatever is between two statements is hit
 * once, with the programs as they are shipped. Nothing but a test uses it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sql.h>
#include <sqlext.h>

static atomic_int calls;

static void maybe(void)
{
    const char *at = getenv("LS_KILL_AT"), *signal = getenv("LS_KILL_SIGNAL");

    if (at && atomic_fetch_add(&calls, 1) + 1 == atoi(at))
        kill(getpid(), signal && strcmp(signal, "STOP") == 0 ? SIGSTOP : SIGKILL);
}

/* A pointer to an object is no pointer to a function in C: by way of memory. */
#define NEXT(fn, name)                                                                             \
    do {                                                                                           \
        void *at = dlsym(RTLD_NEXT, name);                                                         \
        memcpy(&(fn), &at, sizeof(at));                                                            \
    } while (0)

SQLRETURN SQL_API SQLExecute(SQLHSTMT h)
{
    SQLRETURN (*next)(SQLHSTMT);

    NEXT(next, "SQLExecute");
    maybe();
    return next(h);
}

SQLRETURN SQL_API SQLExecDirect(SQLHSTMT h, SQLCHAR *text, SQLINTEGER len)
{
    SQLRETURN (*next)(SQLHSTMT, SQLCHAR *, SQLINTEGER);

    NEXT(next, "SQLExecDirect");
    maybe();
    return next(h, text, len);
}

SQLRETURN SQL_API SQLEndTran(SQLSMALLINT type, SQLHANDLE h, SQLSMALLINT completion)
{
    SQLRETURN (*next)(SQLSMALLINT, SQLHANDLE, SQLSMALLINT);

    NEXT(next, "SQLEndTran");
    maybe();
    return next(type, h, completion);
}
