/* migrate.c: applies what is missing, one runner at a time.
 * Where DDL is part of a transaction, the lock is on ls_schema_version itself and ends with it, so
 * a runner that is killed leaves nothing behind. Where DDL commits, see migrate_claimed. */
#include "storage/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/claim.h"
#include "storage/db_internal.h"
#include "storage/schema_sql.h"

#define MIGRATE_TIMEOUT_US (3600 * US_PER_S) /* an index on a large table, another runner */
#define TROUBLE_US         (30 * US_PER_S)   /* a database that does not answer */
#define SAY_US             (5 * US_PER_S)
#define VERSIONS_MAX       1000

static bool count_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)n;
    (void)err;
    *(int64_t *)ctx = cols[0].i64;
    return true;
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%.*s", (int)size - 1, text);
}

/* ---- what is there, against what is here ---- */

struct list {
    struct migration_info *v;
    size_t n, cap;
    int64_t known; /* the last version of this program */
};

static struct migration_info *list_add(struct list *l, struct error *err)
{
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 16;
        struct migration_info *v = realloc(l->v, cap * sizeof(*v));
        if (!v || cap > VERSIONS_MAX * 2) {
            error_set(err, ERR_MEMORY, NULL, "no memory for the list of migrations");
            return NULL;
        }
        l->v = v;
        l->cap = cap;
    }
    struct migration_info *i = &l->v[l->n++];
    memset(i, 0, sizeof(*i));
    return i;
}

/* What a migration's name says of programs that do not know it: `expand-...` serves all of them,
 * `contract-MMMM-...` those that know version MMMM. */
static bool serves(const char *name, int64_t known)
{
    static const char expand[] = "expand-", contract[] = "contract-";
    char *end;

    if (strncmp(name, expand, strlen(expand)) == 0)
        return true;
    if (strncmp(name, contract, strlen(contract)) != 0)
        return false;
    const char *digits = name + strlen(contract);
    const long long from = strtoll(digits, &end, 10);
    return end - digits == 4 && *end == '-' && from > 0 && from <= known;
}

static bool applied_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct list *l = ctx;

    (void)n;
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].version != cols[0].i64)
            continue;
        l->v[i].applied_at = cols[3].i64;
        l->v[i].state = strcmp(l->v[i].checksum, value_cstr(&cols[2])) == 0 ? MIGRATION_APPLIED
                                                                            : MIGRATION_CHANGED;
        return true;
    }
    const int64_t known = l->known;
    struct migration_info *m = list_add(l, err);
    if (!m)
        return false;
    m->version = cols[0].i64;
    m->applied_at = cols[3].i64;
    m->state = m->version > known && serves(value_cstr(&cols[1]), known) ? MIGRATION_NEWER
                                                                         : MIGRATION_UNKNOWN;
    copy_text(m->name, sizeof(m->name), value_cstr(&cols[1]));
    copy_text(m->checksum, sizeof(m->checksum), value_cstr(&cols[2]));
    return true;
}

static bool list_known(enum dialect d, struct list *l, struct error *err)
{
    size_t n;
    const struct migration *m = catalogue_migrations(d, &n);

    for (size_t i = 0; i < n; i++) {
        struct migration_info *info = list_add(l, err);
        if (!info)
            return false;
        info->version = m[i].version;
        l->known = m[i].version;
        copy_text(info->name, sizeof(info->name), m[i].name);
        copy_text(info->checksum, sizeof(info->checksum), m[i].checksum);
    }
    return true;
}

static int by_version(const void *a, const void *b)
{
    const struct migration_info *x = a, *y = b;

    return x->version < y->version ? -1 : x->version > y->version;
}

static bool has_version_table(struct db *db, bool *out, struct error *err)
{
    int64_t n = 0;

    if (!db_query(db, "schema_version_exists", NULL, 0, 0, count_row, &n, err) &&
        err->code != ERR_SCHEMA) /* on oracle it looks for the table by reading it */
        return false;
    *out = n > 0;
    return true;
}

bool db_migrations(struct db *db, struct migration_info **out, size_t *n, struct error *err)
{
    struct list l = {0};
    bool is_there = false;

    if (!list_known(db_dialect(db), &l, err) || !has_version_table(db, &is_there, err) ||
        (is_there && !db_query(db, "schema_version_list", NULL, 0, 0, applied_row, &l, err))) {
        free(l.v);
        return false;
    }
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(*l.v), by_version);
    *out = l.v;
    *n = l.n;
    return true;
}

/* Fails for what no migration can mend: a newer database, an applied text that was changed. */
static bool list_check(const struct db *db, const struct list *l, struct error *err)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].state == MIGRATION_UNKNOWN)
            return error_set(
                err, ERR_SCHEMA, "use the release that made it, or a newer one",
                "%s: the schema has version %lld (%s), which this program does not know",
                db->describe, (long long)l->v[i].version, l->v[i].name);
        if (l->v[i].state == MIGRATION_CHANGED)
            return error_set(err, ERR_SCHEMA, "use the release that made it",
                             "%s: version %lld (%s) was applied with another text", db->describe,
                             (long long)l->v[i].version, l->v[i].name);
    }
    return true;
}

bool db_schema_check(struct db *db, struct error *err)
{
    struct list l = {0};
    bool ok;

    if (!db_migrations(db, &l.v, &l.n, err))
        return false;
    ok = list_check(db, &l, err);
    for (size_t i = 0; ok && i < l.n; i++)
        if (l.v[i].state == MIGRATION_NEWER)
            log_info(db->logger,
                     "the schema has version %lld (%s) of a newer release, which serves "
                     "this one too",
                     (long long)l.v[i].version, l.v[i].name);
    for (size_t i = 0; ok && i < l.n; i++)
        if (l.v[i].state == MIGRATION_PENDING)
            ok = error_set(err, ERR_SCHEMA,
                           "run `lockstep db migrate`, or set migrate-on-start: true",
                           "%s: the schema lacks version %lld (%s)", db->describe,
                           (long long)l.v[i].version, l.v[i].name);
    free(l.v);
    return ok;
}

/* ---- applying ---- */

/* Another starter may be making the same thing: what counts is that it is there. */
static bool make_version_table(struct db *db, struct error *err)
{
    const struct value name[] = {value_text(db->schema)};
    bool is_there = false;
    int64_t n = 1;

    if (db_dialect(db) == DIALECT_POSTGRES && *db->schema) {
        if (!db_query(db, "schema_exists", name, 1, 0, count_row, &n, err))
            return false;
        if (n == 0 && !db_exec(db, "schema_create", NULL, 0, 0, NULL, err) &&
            (!db_query(db, "schema_exists", name, 1, 0, count_row, &n, err) || n == 0))
            return error_add(err, "the schema \"%s\" cannot be made", db->schema);
    }
    if (!has_version_table(db, &is_there, err))
        return false;
    if (is_there || db_exec(db, "schema_version_create", NULL, 0, 0, NULL, err))
        return true;
    struct error again;
    return has_version_table(db, &is_there, &again) && is_there;
}

struct migrating {
    struct db *db;
    bool is_applied;
    int64_t version;
    const char *name;
    int applied; /* in all */
};

static bool text_failed(const struct migration *m, size_t i, struct error *err)
{
    return error_add(err, "migration %lld (%s), text %zu", (long long)m->version, m->name, i + 1);
}

static bool note(struct txn *t, const struct migration *m, struct error *err)
{
    const struct value v[] = {value_i64(m->version), value_text(m->name), value_text(m->checksum),
                              value_i64(clock_now_us())};

    return txn_exec(t, "schema_version_insert", v, 4, NULL, err);
}

static void tell(struct migrating *m)
{
    m->applied++;
    log_info(m->db->logger, "schema: version %lld (%s) applied", (long long)m->version, m->name);
}

/* What one attempt may fail with and the next one not: a lock that somebody holds is waited for, a
 * database that does not answer only for a while. *since_us: when that began; 0: it is well. */
static bool may_try_again(struct migrating *m, const struct error *err, int attempt,
                          int64_t until_us, int64_t *since_us, int64_t *say_us)
{
    const int64_t now_us = clock_mono_us();

    if (err->code == ERR_RETRY) {
        *since_us = 0;
        if (now_us >= *say_us) {
            log_info(m->db->logger, "migration waits: %s", err->cause);
            *say_us = now_us + SAY_US;
        }
        return retry_wait(attempt, until_us);
    }
    if (err->code != ERR_CONNECTION && err->code != ERR_UNAVAILABLE &&
        err->code != ERR_UNKNOWN_OUTCOME && err->code != ERR_TIMEOUT)
        return false;
    if (*since_us == 0)
        *since_us = now_us;
    return now_us - *since_us < TROUBLE_US && retry_wait(attempt, *since_us + TROUBLE_US);
}

/* Runs fn in a transaction of up to MIGRATE_TIMEOUT_US, again when another attempt can mend it: fn
 * looks first at what is there. */
static bool run_txn(struct migrating *m, txn_fn *fn, void *ctx, int64_t until_us, struct error *err)
{
    int64_t since_us = 0, say_us = clock_mono_us() + SAY_US;
    bool is_single = false;

    for (int attempt = 0;; attempt++) {
        bool is_final = false;
        if (txn_try(m->db, db_deadline(m->db, 0), until_us, fn, ctx, &is_final, &is_single, err))
            return true;
        if (is_final || !may_try_again(m, err, attempt, until_us, &since_us, &say_us))
            return false;
        db_note_retry(m->db);
    }
}

static bool list_applied(struct txn *t, const struct db *db, struct list *l, struct error *err)
{
    return list_known(db_dialect(db), l, err) &&
           txn_query(t, "schema_version_list", NULL, 0, applied_row, l, err) &&
           list_check(db, l, err);
}

static bool ignore_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)ctx;
    (void)cols;
    (void)n;
    (void)err;
    return true;
}

/* Keeps other runners out until the transaction ends, and lets its texts take their time. */
static bool lock_versions(struct txn *t, const struct db *db, struct error *err)
{
    const enum dialect d = db_dialect(db);

    if (catalogue_find(d, "migration_setup") &&
        !txn_query(t, "migration_setup", NULL, 0, ignore_row, NULL, err))
        return false;
    return !catalogue_find(d, "schema_version_lock") ||
           txn_exec(t, "schema_version_lock", NULL, 0, NULL, err);
}

/* Under the lock: reads what is applied, applies the first that is missing. */
static bool migrate_one(struct txn *t, void *ctx, struct error *err)
{
    struct migrating *m = ctx;
    size_t n;
    const struct migration *known = catalogue_migrations(db_dialect(m->db), &n);
    struct list l = {0};
    bool ok;

    m->is_applied = false;
    ok = lock_versions(t, m->db, err) && list_applied(t, m->db, &l, err);
    for (size_t i = 0; ok && i < n && !m->is_applied; i++) {
        if (l.v[i].state != MIGRATION_PENDING)
            continue;
        for (size_t k = 0; ok && k < known[i].nsteps; k++)
            ok = txn_text(t, known[i].steps[k], err) || text_failed(&known[i], k, err);
        ok = ok && note(t, &known[i], err);
        m->is_applied = ok;
        m->version = known[i].version;
        m->name = known[i].name;
    }
    free(l.v);
    return ok;
}

static bool migrate_locked(struct migrating *m, struct error *err)
{
    const int64_t until_us = clock_mono_us() + MIGRATE_TIMEOUT_US;

    do {
        if (!run_txn(m, migrate_one, m, until_us, err))
            return false;
        if (m->is_applied)
            tell(m);
    } while (m->is_applied);
    return true;
}

/* ---- where DDL commits ---- */

struct one_text {
    const struct migration *m;
    size_t i; /* of its texts; behind them: that it is applied */
};

static bool run_text(struct txn *t, void *ctx, struct error *err)
{
    const struct one_text *o = ctx;

    if (o->i < o->m->nsteps)
        return txn_text(t, o->m->steps[o->i], err) || text_failed(o->m, o->i, err);
    return note(t, o->m, err);
}

/* The first migration that is missing; NULL: none. */
static bool find_missing(struct db *db, const struct migration **out, struct error *err)
{
    size_t n;
    const struct migration *known = catalogue_migrations(db_dialect(db), &n);
    struct list l = {0};
    bool ok = db_migrations(db, &l.v, &l.n, err) && list_check(db, &l, err);

    *out = NULL;
    for (size_t i = 0; ok && i < l.n && !*out; i++)
        for (size_t k = 0; l.v[i].state == MIGRATION_PENDING && k < n; k++)
            if (known[k].version == l.v[i].version)
                *out = &known[k];
    free(l.v);
    return ok;
}

/* Text by text, each in a transaction that its DDL ends. *is_lost: another runner may have
 * followed; it goes on from what is noted, as this one would. claim NULL: the first migration,
 * which makes the tables of leases and only makes tables: several may run it. */
static bool apply_texts(struct migrating *m, struct claim *claim, const struct migration *what,
                        bool *is_lost, struct error *err)
{
    const int64_t until_us = clock_mono_us() + MIGRATE_TIMEOUT_US;
    struct one_text o = {what, 0};

    for (o.i = 0; o.i <= what->nsteps; o.i++) {
        *is_lost = claim && !claim_held(claim);
        if (*is_lost)
            return true;
        if (run_txn(m, run_text, &o, until_us, err))
            continue;
        if (err->code == ERR_DUPLICATE && o.i == what->nsteps) /* noted by another one */
            return true;
        return false;
    }
    m->version = what->version;
    m->name = what->name;
    tell(m);
    return true;
}

static bool migrate_claimed(struct migrating *m, struct error *err)
{
    const int64_t until_us = clock_mono_us() + MIGRATE_TIMEOUT_US;
    const struct migration *what;
    struct claim *claim = NULL;
    size_t n;
    const struct migration *first = catalogue_migrations(db_dialect(m->db), &n);
    bool is_lost = false, ok;

    while ((ok = find_missing(m->db, &what, err)) && what) {
        if (what != first) {
            ok = (claim || claim_open(m->db, &claim, err)) && claim_wait(claim, until_us, err) &&
                 find_missing(m->db, &what, err); /* as another one has left it */
            if (!ok || !what)
                break;
        }
        if (!(ok = apply_texts(m, claim, what, &is_lost, err)))
            break;
    }
    claim_close(claim);
    return ok;
}

bool db_migrate(struct db *db, int *applied, struct error *err)
{
    struct migrating m = {.db = db};
    const struct migration *what;
    struct error ignored;

    err = err ? err : &ignored;
    if (applied)
        *applied = 0;
    if (!find_missing(db, &what, err)) /* an account without DDL may ask too */
        return false;
    if (!what)
        return true;
    if (!make_version_table(db, err))
        return false;
    if (!(db->ops->has_ddl_commits ? migrate_claimed(&m, err) : migrate_locked(&m, err)))
        return false;
    if (applied)
        *applied = m.applied;
    return true;
}

/* ---- the account of the nodes ---- */

static bool grant_text(void *ctx, const char *text, struct error *err)
{
    return txn_text(ctx, text, err) || error_add(err, "%s", text);
}

struct granting {
    struct db *db;
    const char *user;
};

/* Under the lock: two that grant at the same time would hinder each other. */
static bool grant_all(struct txn *t, void *ctx, struct error *err)
{
    const struct granting *g = ctx;
    const struct schema_sql_options o = {.schema = *g->db->schema ? g->db->schema : NULL,
                                         .user = g->user};

    return lock_versions(t, g->db, err) &&
           schema_sql_grants(db_dialect(g->db), &o, grant_text, t, err);
}

bool db_grant(struct db *db, const char *user, struct error *err)
{
    struct migrating m = {.db = db};
    struct granting g = {db, user};
    struct error ignored;

    err = err ? err : &ignored;
    return run_txn(&m, grant_all, &g, clock_mono_us() + MIGRATE_TIMEOUT_US, err);
}

/* ---- verifying ---- */

static size_t verify_statements(struct conn *c, problem_fn *fn, void *ctx)
{
    size_t n, problems = 0;
    const struct statement *s = catalogue_statements(c->db->ops->id, &n);
    struct error e;
    char line[640];

    for (size_t i = 0; i < n && !c->is_broken; i++) {
        for (size_t k = 0; k < s[i].nsteps; k++) {
            if (conn_check(c, &s[i], k, &e))
                continue;
            error_format(&e, line, sizeof(line));
            fn(ctx, line);
            problems++;
        }
    }
    return problems;
}

bool db_verify(struct db *db, problem_fn *fn, void *ctx, size_t *problems, struct error *err)
{
    struct error e;
    struct conn *c;
    char line[640];
    size_t n = 0;

    if (!db_schema_check(db, &e)) {
        if (e.code != ERR_SCHEMA) {
            if (err)
                *err = e;
            return false;
        }
        error_format(&e, line, sizeof(line));
        fn(ctx, line);
        n++;
    }
    if (!pool_checkout(db, db_deadline(db, 0), &c, err))
        return false;
    n += verify_statements(c, fn, ctx);
    c->is_broken = true; /* with everything prepared it is not worth keeping */
    pool_return(c);
    *problems = n;
    return true;
}
