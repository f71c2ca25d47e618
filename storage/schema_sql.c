/* schema_sql.c: writes the texts of sql/DIALECT/ out with the names that a DBA gives. */
#include "storage/schema_sql.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "storage/catalogue.h"

#define NAME_MAX_LEN 63

/* ---- names ---- */

static bool name_fails(const char *what, const char *name, const char *advice, struct error *err)
{
    return error_set(err, ERR_CONFIG, advice, "%s '%.80s'", what, name);
}

/* Quoted for PostgreSQL; as it is for Oracle, which folds it to capitals like those of the node. */
static bool put_name(enum dialect d, const char *what, const char *name, struct buffer *out,
                     struct error *err)
{
    const size_t n = strlen(name);

    if (d == DIALECT_ORACLE) {
        if (n == 0 || n > 30 || strspn(name, "0123456789_$#") > 0 ||
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$#") != n)
            return name_fails(what, name, "begin with a letter; letters, digits, _, at most 30",
                              err);
        buffer_append_str(out, name);
        return true;
    }
    if (strcmp(what, "schema") == 0 && /* what storage.schema takes */
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != n)
        return name_fails(what, name, "use letters, digits, _ and -", err);
    if (n == 0 || n > NAME_MAX_LEN)
        return name_fails(what, name, "1 to 63 characters", err);
    buffer_append_byte(out, '"');
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < ' ')
            return name_fails(what, "?", "no control characters", err);
        if (*p == '"')
            buffer_append_byte(out, '"');
        buffer_append_byte(out, (uint8_t)*p);
    }
    buffer_append_byte(out, '"');
    return true;
}

struct mark {
    const char *name, *value; /* value NULL: not said */
};

/* Replaces the {marks}. *is_whole false: one of them was not said. */
static bool fill(enum dialect d, const char *text, const struct mark *marks, size_t n,
                 struct buffer *out, bool *is_whole, struct error *err)
{
    *is_whole = true;
    for (const char *p = text; *p;) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        size_t i = 0;
        if (!end) {
            buffer_append_byte(out, (uint8_t)*p++);
            continue;
        }
        while (i < n && (strlen(marks[i].name) != (size_t)(end - p - 1) ||
                         strncmp(marks[i].name, p + 1, strlen(marks[i].name)) != 0))
            i++;
        if (i == n)
            return error_set(err, ERR_INTERNAL, NULL, "unknown mark in: %s", text);
        p = end + 1;
        if (!marks[i].value)
            *is_whole = false;
        else if (strcmp(marks[i].name, "table") == 0)
            buffer_append_str(out, marks[i].value);
        else if (!put_name(d, marks[i].name, marks[i].value, out, err))
            return false;
    }
    return buffer_ok(out, err);
}

static bool emit_filled(enum dialect d, const char *text, const struct mark *marks, size_t n,
                        text_fn *fn, void *ctx, struct error *err)
{
    struct buffer b = BUFFER_INIT;
    bool is_whole = true;
    bool ok = fill(d, text, marks, n, &b, &is_whole, err);

    if (ok && is_whole)
        ok = fn(ctx, buffer_cstr(&b), err);
    buffer_free(&b);
    return ok;
}

/* ---- parts ---- */

/* The table that a text makes. */
static bool table_of(const char *text, char *out, size_t size)
{
    static const char *const words[] = {"CREATE ", "TABLE ", "IF NOT EXISTS "};

    for (size_t i = 0; i < 3; i++) {
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            text += strlen(words[i]);
        else if (i < 2)
            return false;
    }
    return snprintf(out, size, "%.*s", (int)strcspn(text, " ("), text) < (int)size;
}

bool schema_sql_grants(enum dialect d, const struct schema_sql_options *o, text_fn *fn, void *ctx,
                       struct error *err)
{
    char table[80] = "";
    const struct mark marks[] = {
        {"schema", o->schema}, {"owner", o->owner}, {"user", o->user}, {"table", table}};
    size_t n, nmigrations;
    const char *const *grants = catalogue_grants(d, &n);
    const struct migration *m = catalogue_migrations(d, &nmigrations);

    for (size_t i = 0; i < n; i++) {
        if (!strstr(grants[i], "{table}")) {
            if (!emit_filled(d, grants[i], marks, 4, fn, ctx, err))
                return false;
            continue;
        }
        for (size_t k = 0; k < nmigrations; k++)
            for (size_t s = 0; s < m[k].nsteps; s++)
                if (table_of(m[k].steps[s], table, sizeof(table)) &&
                    !emit_filled(d, grants[i], marks, 4, fn, ctx, err))
                    return false;
    }
    return true;
}

static bool emit_setup(enum dialect d, const struct schema_sql_options *o, text_fn *fn, void *ctx,
                       struct error *err)
{
    const struct mark marks[] = {{"schema", o->schema}, {"owner", o->owner}, {"user", o->user}};
    size_t n;
    const char *const *setup = catalogue_setup(d, &n);

    for (size_t i = 0; i < n; i++)
        if (!emit_filled(d, setup[i], marks, 3, fn, ctx, err))
            return false;
    return true;
}

/* The database's clock as an expression: what `clock` selects. */
static bool put_clock(enum dialect d, struct buffer *out)
{
    static const char head[] = "SELECT ", tail[] = " AS now_us";
    const struct statement *s = catalogue_find(d, "clock");
    const char *sql = s ? s->steps[0].sql : "", *end = NULL;

    for (const char *p = sql; (p = strstr(p, tail)) != NULL; p++)
        end = p;
    if (!end || strncmp(sql, head, strlen(head)) != 0)
        return false;
    buffer_append(out, sql + strlen(head), (size_t)(end - sql) - strlen(head));
    return true;
}

/* `schema_version_insert` with literals: version, name, checksum, applied_at. */
static bool emit_note(enum dialect d, const struct migration *m, text_fn *fn, void *ctx,
                      struct error *err)
{
    const struct statement *s = catalogue_find(d, "schema_version_insert");
    struct buffer b = BUFFER_INIT;
    bool ok = s != NULL;
    size_t at = 0;

    for (const char *p = ok ? s->steps[0].sql : ""; ok && *p; p++) {
        if (*p != '?') {
            buffer_append_byte(&b, (uint8_t)*p);
            continue;
        }
        switch (s->steps[0].order[at++]) {
        case 0:
            buffer_printf(&b, "%lld", (long long)m->version);
            break;
        case 1:
            buffer_printf(&b, "'%s'", m->name);
            break;
        case 2:
            buffer_printf(&b, "'%s'", m->checksum);
            break;
        default:
            ok = put_clock(d, &b);
        }
    }
    if (!ok)
        error_set(err, ERR_INTERNAL, NULL, "schema_version_insert of %s is not as expected",
                  dialect_name(d));
    ok = ok && buffer_ok(&b, err) && fn(ctx, buffer_cstr(&b), err);
    buffer_free(&b);
    return ok;
}

static bool emit_statement(enum dialect d, const char *name, text_fn *fn, void *ctx,
                           struct error *err)
{
    const struct statement *s = catalogue_find(d, name);

    return !s || fn(ctx, s->steps[0].sql, err);
}

static bool emit_migration(enum dialect d, const struct migration *m, text_fn *fn, void *ctx,
                           struct error *err)
{
    char line[160];

    snprintf(line, sizeof(line), "-- version %lld: %s", (long long)m->version, m->name);
    if (!fn(ctx, line, err))
        return false;
    for (size_t i = 0; i < m->nsteps; i++)
        if (!fn(ctx, m->steps[i], err))
            return false;
    return emit_note(d, m, fn, ctx, err);
}

bool schema_sql(enum dialect d, const struct schema_sql_options *o, text_fn *fn, void *ctx,
                struct error *err)
{
    size_t n;
    const struct migration *m = catalogue_migrations(d, &n);

    if (d == DIALECT_SQLITE && (o->schema || o->owner || o->user))
        return error_set(err, ERR_CONFIG, "leave --schema, --owner and --runtime-user away",
                         "sqlite has no schemas and no accounts");
    if (d == DIALECT_ORACLE && o->owner && o->schema && strcmp(o->owner, o->schema) != 0)
        return error_set(err, ERR_CONFIG, "give one of them",
                         "on oracle the owner of a schema has its name");
    if (!emit_statement(d, "txn_begin", fn, ctx, err) || !emit_setup(d, o, fn, ctx, err) ||
        (o->after == 0 && !emit_statement(d, "schema_version_create", fn, ctx, err)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (m[i].version > o->after && !emit_migration(d, &m[i], fn, ctx, err))
            return false;
    if (o->user && (!fn(ctx, "-- what the account needs that nodes run under", err) ||
                    !schema_sql_grants(d, o, fn, ctx, err)))
        return false;
    return fn(ctx, "COMMIT", err);
}
