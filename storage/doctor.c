/* doctor.c: asks, tries and tells, one finding a check. */
#include "storage/doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/random.h"
#include "storage/doctor_internal.h"
#include "storage/migrate.h"
#include "storage/socket_find.h"

#define LATENCY_COMMITS 100
#define LATENCY_MAX_US  (5 * US_PER_S)

/* ---- what is at the other end ---- */

static bool session_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct doctor_session *s = ctx;

    (void)n;
    (void)err;
    s->pid = cols[0].i64;
    s->client_port = cols[1].i64;
    snprintf(s->version, sizeof(s->version), "%s", value_cstr(&cols[2]));
    snprintf(s->encoding, sizeof(s->encoding), "%s", value_cstr(&cols[3]));
    return true;
}

static bool session_read(struct db *db, struct txn *t, struct doctor_session *s, struct error *err)
{
    memset(s, 0, sizeof(*s));
    return t ? txn_query(t, "doctor_session", NULL, 0, session_row, s, err)
             : db_query(db, "doctor_session", NULL, 0, 0, session_row, s, err);
}

static bool check_connection(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct doctor_session s;

    if (!session_read(d->a, NULL, &s, err))
        return false;
    doctor_note(f, DOCTOR_OK, NULL, "%s, version %s", db_describe(d->a), s.version);
    if (strcmp(s.encoding, "UTF8") != 0 && strcmp(s.encoding, "UTF-8") != 0 &&
        strcmp(s.encoding, "AL32UTF8") != 0)
        doctor_note(f, DOCTOR_FAIL, "make the database with the encoding UTF8 (Oracle: AL32UTF8)",
                    "the encoding is %s", s.encoding);
    return true;
}

struct pooling {
    struct doctor *d;
    int64_t pid;
};

static bool other_transaction(struct txn *t, void *ctx, struct error *err)
{
    struct pooling *p = ctx;
    struct doctor_session other, own;

    if (!session_read(NULL, t, &other, err) || !session_read(p->d->a, NULL, &own, err))
        return false;
    p->pid = own.pid;
    return true;
}

/* Is the port that the server sees a socket of this process? */
static bool is_own_port(int64_t port)
{
    struct sockets s = {0};
    bool is = false;

    if (port > 0 && sockets_read(&s))
        for (size_t i = 0; i < s.n; i++)
            is = is || (!s.all[i].is_unix && s.all[i].local_port == port);
    sockets_free(&s);
    return is;
}

/* Errors here are a pooler's: sessions that change under a driver lose its prepared statements. */
static bool check_pooler(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    const bool is_local = d->cfg->server != NULL && d->cfg->server[0] == '/';
    struct doctor_session s;
    struct pooling p = {.d = d};

    if (!session_read(d->a, NULL, &s, err) || !db_txn(d->b, US_PER_S, other_transaction, &p, err)) {
        doctor_note(f, DOCTOR_FAIL,
                    "set pool_mode = session for this database in pgbouncer.ini, or connect to the "
                    "server itself",
                    "two sessions at once do not keep their state (a pooler in transaction or "
                    "statement mode?): %s",
                    err->cause);
        return true;
    }
    judge_pooler(&s, is_own_port(s.client_port), is_local, p.pid, f);
    return true;
}

/* ---- the schema and the account ---- */

struct problems {
    struct doctor_finding *f;
    int n;
};

static void one_problem(void *ctx, const char *text)
{
    struct problems *p = ctx;

    if (p->n++ < 3)
        doctor_note(p->f, DOCTOR_FAIL, NULL, "%s", text);
}

static bool check_schema(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct problems p = {f, 0};
    size_t n;

    if (!db_schema_check(d->a, err) || !db_verify(d->a, one_problem, &p, &n, err))
        return false;
    if (p.n > 3)
        doctor_note(f, DOCTOR_FAIL, "see lockstep db verify", "and %d more", p.n - 3);
    else if (p.n == 0)
        doctor_note(f, DOCTOR_OK, NULL, "all migrations applied, every statement is understood");
    return true;
}

static bool account_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    static const char *const advice[] = {
        NULL, "serve with an account of its own that may only read and write rows",
        "grant what lockstep db sql prints"};
    const int64_t weight = cols[0].i64;

    (void)n;
    (void)err;
    if (weight >= 0 && weight <= 2)
        doctor_note(ctx, (enum doctor_verdict)weight, advice[weight], "%s", value_cstr(&cols[1]));
    return true;
}

/* SQLite knows no accounts: the file's mode is what keeps others out. */
static bool check_file(const struct doctor *d, struct doctor_finding *f)
{
    struct stat st;

    if (d->cfg->file == NULL || stat(d->cfg->file, &st) != 0)
        doctor_note(f, DOCTOR_OK, NULL, "no accounts");
    else if ((st.st_mode & 077) != 0)
        doctor_note(f, DOCTOR_WARN, "chmod 600 the file: it holds private keys",
                    "others may read or write the file (mode %03o)", (unsigned)st.st_mode & 0777);
    else
        doctor_note(f, DOCTOR_OK, NULL, "only its owner may read and write the file");
    return true;
}

static bool check_privileges(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    if (db_dialect(d->a) == DIALECT_SQLITE)
        return check_file(d, f);
    if (!db_query(d->a, "doctor_account", NULL, 0, 0, account_row, f, err))
        return false;
    if (f->found[0] == '\0')
        doctor_note(f, DOCTOR_OK, NULL, "reads and writes rows, and nothing else");
    return true;
}

/* ---- settings and figures ---- */

struct settings {
    struct doctor_postgres postgres;
    char journal_mode[16], synchronous[8], role[32];
};

static bool setting_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct settings *s = ctx;
    const char *name = value_cstr(&cols[0]);
    const struct {
        const char *name;
        char *to;
        size_t size;
    } known[] = {
        {"fsync", s->postgres.fsync, sizeof(s->postgres.fsync)},
        {"full_page_writes", s->postgres.full_page_writes, sizeof(s->postgres.full_page_writes)},
        {"synchronous_commit", s->postgres.commit, sizeof(s->postgres.commit)},
        {"synchronous_standby_names", s->postgres.standby_names, sizeof(s->postgres.standby_names)},
        {"journal_mode", s->journal_mode, sizeof(s->journal_mode)},
        {"synchronous", s->synchronous, sizeof(s->synchronous)},
        {"database_role", s->role, sizeof(s->role)},
    };

    (void)n;
    (void)err;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i].name) == 0)
            snprintf(known[i].to, known[i].size, "%s", value_cstr(&cols[1]));
    if (strcmp(name, "synchronous_commit") == 0)
        snprintf(s->postgres.usual_commit, sizeof(s->postgres.usual_commit), "%s",
                 value_cstr(&cols[2]));
    return true;
}

static bool standby_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct doctor_postgres *p = ctx;

    (void)n;
    (void)err;
    p->attached = cols[0].i64;
    p->visible = cols[1].i64;
    p->in_sync = cols[2].i64;
    return true;
}

static bool check_durability(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct settings s = {0};

    if (!db_query(d->a, "doctor_settings", NULL, 0, 0, setting_row, &s, err))
        return false;
    switch (db_dialect(d->a)) {
    case DIALECT_POSTGRES:
        if (!db_query(d->a, "doctor_standbys", NULL, 0, 0, standby_row, &s.postgres, err))
            return false;
        judge_postgres(&s.postgres, f);
        d->is_stuck = strcmp(s.postgres.commit, "local") != 0 && s.postgres.standby_names[0] &&
                      s.postgres.visible == s.postgres.attached && s.postgres.in_sync == 0;
        break;
    case DIALECT_SQLITE:
        judge_sqlite(s.journal_mode, s.synchronous, f);
        break;
    case DIALECT_ORACLE:
        judge_oracle(s.role, f);
        break;
    case DIALECT_N:
        break;
    }
    return true;
}

/* The reading with the shortest way back and forth knows best. */
static bool check_clock(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    int64_t offset_us = 0, best_us = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        const int64_t wall_us = clock_now_us(), start_us = clock_mono_us();
        int64_t there_us;
        if (!db_clock_us(d->a, &there_us, err))
            return false;
        const int64_t way_us = clock_mono_us() - start_us;
        if (way_us < best_us) {
            best_us = way_us;
            offset_us = there_us - (wall_us + way_us / 2);
        }
    }
    /* SQLite's clock counts milliseconds. */
    judge_clock(offset_us, best_us / 2 + (db_dialect(d->a) == DIALECT_SQLITE ? US_PER_MS : 0), f);
    return true;
}

static bool check_latency(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    const struct value v[] = {value_i64(d->base + ROW_LATENCY)};
    const int64_t until_us = clock_mono_us() + LATENCY_MAX_US;
    int64_t us[LATENCY_COMMITS];
    size_t n = 0;

    if (!doctor_row_insert(d, ROW_LATENCY, err))
        return false;
    while (n < LATENCY_COMMITS && (n == 0 || clock_mono_us() < until_us)) {
        const int64_t start_us = clock_mono_us();
        if (!db_exec(d->a, "doctor_touch", v, 1, 0, NULL, err))
            return false;
        us[n++] = clock_mono_us() - start_us;
    }
    judge_latency(us, n, f);
    return true;
}

struct sizes {
    struct doctor_finding *f;
    int64_t total;
    int shown, tables;
};

static void note_size(struct doctor_finding *f, const char *of, int64_t bytes, const char *tail)
{
    const bool is_big = bytes >= 1 << 20;

    doctor_note(f, DOCTOR_OK, NULL, "%s%.1f %s%s", of, (double)bytes / (is_big ? 1 << 20 : 1 << 10),
                is_big ? "MiB" : "KiB", tail);
}

static bool size_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct sizes *s = ctx;

    (void)n;
    (void)err;
    doctor_number(s->f, value_cstr(&cols[0]), cols[1].i64);
    s->total += cols[1].i64;
    s->tables++;
    if (s->shown < 4) {
        char of[72];
        snprintf(of, sizeof(of), "%s ", value_cstr(&cols[0]));
        note_size(s->f, of, cols[1].i64, "");
        s->shown++;
    }
    return true;
}

static bool check_sizes(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct sizes s = {.f = f};

    if (!db_query(d->a, "doctor_sizes", NULL, 0, 0, size_row, &s, err))
        return false;
    char tail[32];
    snprintf(tail, sizeof(tail), " in %d tables", s.tables);
    note_size(f, "", s.total, tail);
    return true;
}

/* ---- the examination ---- */

static bool clean(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    char before[64];
    const int64_t hour_ago_us = d->noted_at - 3600 * US_PER_S;
    const struct value rows[] = {value_i64(d->base), value_i64(d->base + DOCTOR_ROWS),
                                 value_i64(hour_ago_us)};

    snprintf(before, sizeof(before), "doctor.%010lld", (long long)(hour_ago_us / US_PER_S));
    const struct value names[] = {value_text(d->lease), value_text("doctor.0"), value_text(before)};
    if (!db_exec(d->a, "doctor_clean", rows, 3, 10 * US_PER_S, NULL, err) ||
        !db_exec(d->a, "doctor_lease_clean", names, 3, 0, NULL, err) ||
        !db_exec(d->a, "doctor_beat_clean", names, 3, 0, NULL, err))
        return false;
    doctor_note(f, DOCTOR_OK, NULL, "every row that was written is deleted");
    return true;
}

#define ON(dialect) (1u << (dialect))
static const struct {
    const char *name;
    doctor_check_fn *fn;
    unsigned engines;  /* 0: all */
    bool is_condition; /* the others need it */
} checks[] = {
    {"connection", check_connection, 0, true},
    {"pooler", check_pooler, ON(DIALECT_POSTGRES), true},
    {"schema", check_schema, 0, true},
    {"privileges", check_privileges, 0, true},
    {"durability", check_durability, 0, false},
    {"clock", check_clock, 0, false},
    {"size", check_sizes, 0, false},
    {"isolation", prove_isolation, 0, false},
    {"row-lock", prove_row_lock, 0, false},
    {"deadlock", prove_deadlock, ON(DIALECT_POSTGRES) | ON(DIALECT_ORACLE), false},
    {"fence", prove_fence, 0, false},
    {"values", prove_values, 0, false},
    {"arrays", prove_arrays, 0, false},
    {"errors", prove_errors, 0, false},
    {"latency", check_latency, 0, false},
};

/* False: failed. */
static bool examine(struct doctor *d, const char *name, doctor_check_fn *fn)
{
    struct doctor_finding f = {.check = name};
    struct error err;

    if (!fn(d, &f, &err))
        doctor_note(&f, DOCTOR_FAIL, err.advice[0] != '\0' ? err.advice : NULL, "%s [%s]",
                    err.cause, error_id(err.code));
    d->fn(d->ctx, &f);
    d->is_fit = d->is_fit && f.verdict != DOCTOR_FAIL;
    return f.verdict != DOCTOR_FAIL;
}

static bool open_sessions(struct doctor *d, struct doctor_finding *f, struct error *err)
{
    struct db_config cfg = *d->cfg;

    (void)f;
    cfg.pool_max = 1;
    cfg.statement_timeout_us = 10 * US_PER_S;
    cfg.idle_in_txn_timeout_us = 5 * US_PER_S; /* one session waits while the other is looked at */
    if (!db_open(&cfg, &d->a, err))
        return false;
    if (db_dialect(d->a) == DIALECT_SQLITE)
        cfg.statement_timeout_us = DOCTOR_LOCK_US; /* its driver waits for locks by this alone */
    else if (!db_open(&cfg, &d->c, err))
        return error_add(err, "the second session");
    cfg.idle_in_txn_timeout_us = DOCTOR_LOCK_US; /* and so the limit of waiting for a lock */
    return db_open(&cfg, &d->b, err) || error_add(err, "the third session");
}

bool db_doctor(const struct db_config *cfg, doctor_fn *fn, void *ctx)
{
    struct doctor d = {
        .cfg = cfg, .fn = fn, .ctx = ctx, .is_fit = true, .noted_at = clock_now_us()};
    struct doctor_finding f = {.check = "connection"};
    struct error err;
    bool goes_on = true;

    d.base = (int64_t)random_below(UINT64_C(1) << 52) * 1024;
    snprintf(d.lease, sizeof(d.lease), "doctor.%010lld.%016llx", (long long)(d.noted_at / US_PER_S),
             (unsigned long long)d.base);
    if (!open_sessions(&d, &f, &err)) {
        doctor_note(&f, DOCTOR_FAIL, err.advice[0] != '\0' ? err.advice : NULL, "%s [%s]",
                    err.cause, error_id(err.code));
        fn(ctx, &f);
        d.is_fit = goes_on = false;
    }
    for (size_t i = 0; goes_on && !d.is_stuck && i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].engines != 0 && (checks[i].engines & ON(db_dialect(d.a))) == 0)
            continue;
        goes_on = examine(&d, checks[i].name, checks[i].fn) || !checks[i].is_condition;
    }
    if (goes_on && !d.is_stuck)
        examine(&d, "clean-up", clean);
    db_close(d.c);
    db_close(d.b);
    db_close(d.a);
    return d.is_fit;
}
