/* doctor_judge.c: thresholds, and what a setting means for what can be lost (RPO). */
#include "storage/doctor_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define CLOCK_WARN_US   (500 * US_PER_MS)
#define LATENCY_WARN_US (100 * US_PER_MS)
#define LATENCY_FAIL_US US_PER_S /* the expiry of a lease */

static void append(char *to, size_t size, const char *text)
{
    const size_t len = strlen(to);

    snprintf(to + len, size - len, "%s%s", len > 0 ? "; " : "", text);
}

void doctor_note(struct doctor_finding *f, enum doctor_verdict v, const char *advice,
                 const char *fmt, ...)
{
    char text[sizeof(f->found)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    append(f->found, sizeof(f->found), text);
    if (advice != NULL && strstr(f->advice, advice) == NULL)
        append(f->advice, sizeof(f->advice), advice);
    if (v > f->verdict)
        f->verdict = v;
}

void doctor_number(struct doctor_finding *f, const char *name, int64_t value)
{
    if (f->n_numbers == DOCTOR_NUMBERS_MAX)
        return;
    snprintf(f->number[f->n_numbers].name, sizeof(f->number[0].name), "%s", name);
    f->number[f->n_numbers++].value = value;
}

/* ---- durability ---- */

/* What is lost with the primary's machine. */
static void judge_standbys(const struct doctor_postgres *p, struct doctor_finding *f)
{
    const bool waits = strcmp(p->commit, "local") != 0;

    if (p->standby_names[0] == '\0' || !waits) {
        doctor_note(f, DOCTOR_WARN,
                    waits ? "for RPO 0 set synchronous_standby_names, e.g. 'ANY 1 (a, b)'"
                          : "set synchronous_commit = on",
                    "commits wait for no standby (%" PRId64 " attached): RPO 0 when the server "
                    "crashes; when its host or disk is lost, so is what no standby has yet",
                    p->attached);
        return;
    }
    if (p->visible < p->attached) {
        doctor_note(f, DOCTOR_WARN, "GRANT pg_monitor to this account, or look yourself",
                    "commits wait for synchronous_standby_names = '%s', but this account may not "
                    "see whether one is attached",
                    p->standby_names);
        return;
    }
    if (p->in_sync == 0) {
        doctor_note(f, DOCTOR_FAIL, "attach a standby of synchronous_standby_names",
                    "none of synchronous_standby_names = '%s' is attached: a commit would wait, "
                    "and the rest was not tried",
                    p->standby_names);
        return;
    }
    doctor_note(f, DOCTOR_OK, NULL,
                "%" PRId64 " synchronous standby(s): RPO 0, also when the primary's host is lost%s",
                p->in_sync,
                strcmp(p->commit, "remote_write") == 0
                    ? " unless the standby's crashes in the same moment (remote_write)"
                    : "");
}

void judge_postgres(const struct doctor_postgres *p, struct doctor_finding *f)
{
    if (strcmp(p->fsync, "on") != 0)
        doctor_note(f, DOCTOR_FAIL, "set fsync = on",
                    "fsync is %s: RPO unbounded: a crash of the host loses or damages anything",
                    p->fsync);
    if (strcmp(p->full_page_writes, "on") != 0)
        doctor_note(f, DOCTOR_FAIL, "set full_page_writes = on",
                    "full_page_writes is %s: RPO unbounded: a crash of the host can damage pages "
                    "beyond repair",
                    p->full_page_writes);
    if (strcmp(p->commit, "off") == 0)
        doctor_note(f, DOCTOR_FAIL, "set synchronous_commit = on",
                    "synchronous_commit is off: RPO about 0.6 s (3 x wal_writer_delay) when the "
                    "server crashes");
    else if (strcmp(p->usual_commit, "off") == 0)
        doctor_note(f, DOCTOR_WARN, "set synchronous_commit = on in the server or for the role",
                    "synchronous_commit is off by default: RPO 0 for sessions of Lockstep, which "
                    "set it to %s, about 0.6 s (3 x wal_writer_delay) for all others",
                    p->commit);
    judge_standbys(p, f);
}

void judge_sqlite(const char *journal_mode, const char *synchronous, struct doctor_finding *f)
{
    const bool is_full = strcmp(synchronous, "2") == 0 || strcmp(synchronous, "3") == 0;
    const bool is_safe = strcmp(journal_mode, "off") != 0 && strcmp(journal_mode, "memory") != 0;

    if (!is_safe)
        doctor_note(f, DOCTOR_FAIL, "remove JournalMode from storage.options",
                    "journal_mode is %s: RPO unbounded: a crash damages the file", journal_mode);
    else if (!is_full)
        doctor_note(f, DOCTOR_FAIL, "remove SyncPragma from storage.options",
                    "synchronous is %s, not FULL: RPO: the last commits, when the host crashes",
                    synchronous);
    else
        doctor_note(f, DOCTOR_OK, NULL,
                    "journal_mode %s, synchronous FULL: RPO 0 when the process or host crashes; "
                    "with the disk all is lost since the last backup",
                    journal_mode);
}

void judge_oracle(const char *role, struct doctor_finding *f)
{
    if (strcmp(role, "PRIMARY") != 0)
        doctor_note(f, DOCTOR_FAIL, "connect to the primary", "the database's role is '%s'", role);
    doctor_note(f, DOCTOR_WARN,
                "ask the DBA: for RPO 0 Data Guard with SYNC transport in MAXIMUM AVAILABILITY or "
                "PROTECTION",
                "commits wait for the redo log (COMMIT_WAIT = WAIT is set in each session): RPO 0 "
                "when the instance crashes; whether a standby has them is not readable without V$");
}

/* ---- figures ---- */

void judge_clock(int64_t offset_us, int64_t error_us, struct doctor_finding *f)
{
    const int64_t off = llabs(offset_us) > error_us ? llabs(offset_us) - error_us : 0;
    const bool is_far = off > CLOCK_WARN_US;

    doctor_number(f, "offset_us", offset_us);
    doctor_number(f, "error_us", error_us);
    doctor_note(f, is_far ? DOCTOR_WARN : DOCTOR_OK,
                is_far ? "let chrony or ntpd set both clocks; no decision rests on them, but "
                         "sequencing times and logs do"
                       : NULL,
                "the database's clock is %+.1f ms from this host's (known to %.1f ms)",
                (double)offset_us / 1000.0, (double)error_us / 1000.0);
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

void judge_latency(int64_t *us, size_t n, struct doctor_finding *f)
{
    static const struct {
        const char *name;
        size_t percent;
    } at[] = {{"p50_us", 50}, {"p90_us", 90}, {"p99_us", 99}, {"max_us", 100}};
    int64_t value[4];

    qsort(us, n, sizeof(*us), by_value);
    for (size_t i = 0; i < 4; i++) {
        value[i] = us[(n - 1) * at[i].percent / 100];
        doctor_number(f, at[i].name, value[i]);
    }
    const bool is_bad = value[2] >= LATENCY_FAIL_US, is_slow = value[2] >= LATENCY_WARN_US;
    doctor_note(f,
                is_bad    ? DOCTOR_FAIL
                : is_slow ? DOCTOR_WARN
                          : DOCTOR_OK,
                is_bad    ? "a lease of 1 s cannot be renewed: look at disk and network"
                : is_slow ? "look at disk and network: every acknowledgement waits for a commit"
                          : NULL,
                "%zu commits: p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, longest %.2f ms", n,
                (double)value[0] / 1000.0, (double)value[1] / 1000.0, (double)value[2] / 1000.0,
                (double)value[3] / 1000.0);
}

/* ---- what is between ---- */

void judge_pooler(const struct doctor_session *s, bool is_ours, bool is_local, int64_t later_pid,
                  struct doctor_finding *f)
{
    if (later_pid != s->pid)
        doctor_note(f, DOCTOR_FAIL,
                    "set pool_mode = session for this database in pgbouncer.ini, or connect to the "
                    "server itself",
                    "a pooler in transaction mode: one session went from server process %" PRId64
                    " to %" PRId64 " while another was in a transaction; limits, schema and "
                    "prepared statements of a session do not hold",
                    s->pid, later_pid);
    else if (is_ours)
        doctor_note(f, DOCTOR_OK, NULL, "nothing between this host and the server");
    else if (is_local)
        doctor_note(f, DOCTOR_OK, NULL, "by a Unix socket; the session keeps its server process");
    else
        doctor_note(f, DOCTOR_OK, NULL,
                    "a proxy or a pooler in session mode is between: the session keeps its server "
                    "process %" PRId64,
                    s->pid);
}
