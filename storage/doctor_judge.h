/* doctor_judge.h: what the doctor thinks of what it found. Pure. Internal to storage/. */
#ifndef STORAGE_DOCTOR_JUDGE_H
#define STORAGE_DOCTOR_JUDGE_H
#include "storage/doctor.h"

/* Adds a sentence and its advice (NULL: none); the verdict is the worst that was noted. */
void doctor_note(struct doctor_finding *f, enum doctor_verdict v, const char *advice,
                 const char *fmt, ...) PRINTF_LIKE(4, 5);
void doctor_number(struct doctor_finding *f, const char *name, int64_t value);

struct doctor_postgres {
    char fsync[8], full_page_writes[8]; /* "on", "off" */
    char commit[16], usual_commit[16];  /* in our sessions, without us */
    char standby_names[128];            /* "" for none */
    int64_t attached, visible, in_sync; /* standbys */
};
void judge_postgres(const struct doctor_postgres *p, struct doctor_finding *f);
/* synchronous: "2" is FULL. */
void judge_sqlite(const char *journal_mode, const char *synchronous, struct doctor_finding *f);
void judge_oracle(const char *role, struct doctor_finding *f);

/* offset_us: the database's clock minus ours, known to within error_us. */
void judge_clock(int64_t offset_us, int64_t error_us, struct doctor_finding *f);
/* Sorts us. */
void judge_latency(int64_t *us, size_t n, struct doctor_finding *f);

/* What the server says of the session, what the client knows of it. */
struct doctor_session {
    int64_t pid, client_port;
    char version[64], encoding[32];
};
/* is_ours: client_port is a socket of this process; is_local: the client uses a Unix socket.
 * pids: of one session, asked before and while another one was in a transaction. */
void judge_pooler(const struct doctor_session *s, bool is_ours, bool is_local, int64_t later_pid,
                  struct doctor_finding *f);
#endif
