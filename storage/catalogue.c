/* catalogue.c: looks statements up and writes their text. */
#include <stdlib.h>
#include <string.h>

#include "storage/catalogue_table.h"

static const char *const names[DIALECT_N] = {"postgresql", "sqlite", "oracle"};

const struct statement *catalogue_statements(enum dialect d, size_t *n)
{
    *n = catalogue_tables[d].nstatements;
    return catalogue_tables[d].statements;
}

const struct migration *catalogue_migrations(enum dialect d, size_t *n)
{
    *n = catalogue_tables[d].nmigrations;
    return catalogue_tables[d].migrations;
}

const char *const *catalogue_setup(enum dialect d, size_t *n)
{
    *n = catalogue_tables[d].nsetup;
    return catalogue_tables[d].setup;
}

const char *const *catalogue_grants(enum dialect d, size_t *n)
{
    *n = catalogue_tables[d].ngrants;
    return catalogue_tables[d].grants;
}

static int by_name(const void *key, const void *element)
{
    return strcmp(key, ((const struct statement *)element)->name);
}

const struct statement *catalogue_find(enum dialect d, const char *name)
{
    const struct catalogue_table *t = &catalogue_tables[d];

    if (t->nstatements == 0)
        return NULL;
    return bsearch(name, t->statements, t->nstatements, sizeof(*t->statements), by_name);
}

const char *dialect_name(enum dialect d)
{
    return names[d];
}

bool dialect_parse(const char *name, enum dialect *out, struct error *err)
{
    for (int d = 0; d < DIALECT_N; d++) {
        if (strcmp(name, names[d]) == 0) {
            *out = (enum dialect)d;
            return true;
        }
    }
    return error_set(err, ERR_CONFIG, "use postgresql, sqlite or oracle",
                     "no such storage type: '%s'", name);
}

/* PostgreSQL takes the types of a VALUES list from its first row. */
static void render_value(enum dialect d, enum value_kind kind, bool is_first, struct buffer *out)
{
    static const char *const types[] = {[VALUE_I64] = "CAST(? AS BIGINT)",
                                        [VALUE_TEXT] = "CAST(? AS VARCHAR)",
                                        [VALUE_BYTES] = "CAST(? AS BYTEA)"};

    buffer_append_str(out,
                      d == DIALECT_POSTGRES && is_first && kind != VALUE_NULL ? types[kind] : "?");
}

bool statement_render(enum dialect d, const struct statement *s, size_t i, size_t nrows,
                      struct buffer *out, struct error *err)
{
    const char *sql = s->steps[i].sql;
    const char *mark = s->nrow ? strstr(sql, ":rows") : NULL;

    if (!mark) {
        buffer_append_str(out, sql);
        return buffer_ok(out, err);
    }
    buffer_append(out, sql, (size_t)(mark - sql));
    for (size_t r = 0; r < nrows; r++) {
        buffer_append_str(out, r == 0 ? "(" : ", (");
        for (size_t c = 0; c < s->nrow; c++) {
            if (c > 0)
                buffer_append_str(out, ", ");
            render_value(d, s->row[c].kind, r == 0, out);
        }
        buffer_append_str(out, ")");
    }
    buffer_append_str(out, mark + strlen(":rows"));
    return buffer_ok(out, err);
}
