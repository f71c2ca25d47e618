/* migrate.c: applies what is missing, one transaction each, one runner at a time.
 * The lock is on ls_schema_version itself and ends with its transaction, so a runner that is killed
 * leaves nothing behind. */
#include "storage/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/db_internal.h"

#define MIGRATE_TIMEOUT_US (60 * US_PER_S)
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
    struct migration_info *m = list_add(l, err);
    if (!m)
        return false;
    m->version = cols[0].i64;
    m->applied_at = cols[3].i64;
    m->state = MIGRATION_UNKNOWN;
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

    if (!db_query(db, "schema_version_exists", NULL, 0, 0, count_row, &n, err))
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
};

static bool apply(struct txn *t, const struct migration *m, struct error *err)
{
    const struct value v[] = {value_i64(m->version), value_text(m->name), value_text(m->checksum),
                              value_i64(clock_now_us())};

    for (size_t i = 0; i < m->nsteps; i++)
        if (!txn_text(t, m->steps[i], err))
            return error_add(err, "migration %lld (%s), text %zu", (long long)m->version, m->name,
                             i + 1);
    return txn_exec(t, "schema_version_insert", v, 4, NULL, err);
}

/* Under the lock: reads what is applied, applies the first that is missing. */
static bool migrate_one(struct txn *t, void *ctx, struct error *err)
{
    struct migrating *m = ctx;
    const enum dialect d = db_dialect(m->db);
    size_t n;
    const struct migration *known = catalogue_migrations(d, &n);
    struct list l = {0};
    bool ok;

    m->is_applied = false;
    if (catalogue_find(d, "schema_version_lock") &&
        !txn_exec(t, "schema_version_lock", NULL, 0, NULL, err))
        return false;
    ok = list_known(d, &l, err) &&
         txn_query(t, "schema_version_list", NULL, 0, applied_row, &l, err) &&
         list_check(m->db, &l, err);
    for (size_t i = 0; ok && i < n && !m->is_applied; i++) {
        if (l.v[i].state != MIGRATION_PENDING)
            continue;
        ok = apply(t, &known[i], err);
        m->is_applied = ok;
    }
    free(l.v);
    return ok;
}

bool db_migrate(struct db *db, int *applied, struct error *err)
{
    struct migrating m = {.db = db};
    struct error ignored;
    int count = 0;

    err = err ? err : &ignored;
    if (!make_version_table(db, err))
        return false;
    do {
        if (!db_txn(db, MIGRATE_TIMEOUT_US, migrate_one, &m, err))
            return false;
        count += m.is_applied;
    } while (m.is_applied);
    if (applied)
        *applied = count;
    return true;
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
