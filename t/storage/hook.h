/* hook.h: between the storage layer and what it calls (ODBC, sockets, files, the clock): stops this
 * process at a chosen call, shifts its wall clock, slows its disk. Linked into test programs only
 * (with -export-dynamic, so that drivers bind to it too): what runs below it is what ships. */
#ifndef T_STORAGE_HOOK_H
#define T_STORAGE_HOOK_H
#include <stdint.h>

enum hook_when { HOOK_BEFORE, HOOK_IN, HOOK_AFTER, HOOK_FAIL };
/* Counts the calls of this thread from now on; at call number `at` (1, 2, ...; 0: none) the process
 * stops itself by SIGSTOP. HOOK_IN: a send leaves all but its last five bytes (PostgreSQL's Sync
 * message) and a write to a file its first half, then the rest follows; elsewhere as HOOK_BEFORE.
 */
void hook_arm(int at, enum hook_when when);
int hook_disarm(void);         /* how many calls there were */
const char *hook_name(int at); /* of call number `at` of this thread's last armed time */
/* Called in the stopping thread right before and right after the stop. */
extern void (*hook_stopping)(const char *name, enum hook_when when);
extern void (*hook_continued)(void);

void hook_clock_shift(int64_t us); /* CLOCK_REALTIME, time() and gettimeofday() of this process */
void hook_disk_delay(int64_t us);  /* each fdatasync takes so much longer */
#endif
