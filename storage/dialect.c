/* dialect.c: the table of dialects, advice, and the search for drivers. */
#include "storage/dialect.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/catalogue.h"

static const struct dialect_ops *const table[DIALECT_N] = {
    [DIALECT_POSTGRES] = &dialect_postgres,
    [DIALECT_SQLITE] = &dialect_sqlite,
    [DIALECT_ORACLE] = &dialect_oracle,
};

const struct dialect_ops *dialect_ops_of(enum dialect d)
{
    return table[d];
}

static const char *advice_config(enum dialect d, const struct diag *g)
{
    if (strstr(g->text, "does not support SSL"))
        return "turn ssl on at the server, or set storage.tls: disable";
    if (strstr(g->text, "pg_hba.conf") &&
        (strstr(g->text, "no encryption") || strstr(g->text, "SSL off")))
        return "set storage.tls: verify-full, or allow this host and user in the server's "
               "pg_hba.conf";
    if (strstr(g->text, "certificate") || strstr(g->text, "private key file") ||
        strstr(g->text, "unknown ca"))
        return "check storage.tls and its files against the server's certificate";
    if (strstr(g->text, "password") || strstr(g->text, "role \""))
        return "check user and password (a user is made by CREATE ROLE ... LOGIN)";
    if (strstr(g->text, "pg_hba.conf"))
        return "allow this host and user in the server's pg_hba.conf";
    if (strstr(g->text, "does not exist"))
        return "create the database, or correct its name";
    if (strstr(g->text, "Data source name not found"))
        return "describe the data source in odbc.ini, or write driver and server, or file, instead";
    if (strncmp(g->state, "IM", 2) == 0 || strstr(g->text, "open lib"))
        return "install the ODBC driver, or give its path in storage.driver";
    return d == DIALECT_SQLITE ? "check the path, its folder, its owner and its rights" : NULL;
}

const char *dialect_advice(enum dialect d, enum error_code code, const struct diag *g)
{
    const char *own = table[d]->advise ? table[d]->advise(g) : NULL;

    if (own)
        return own;
    if (code == ERR_CONFIG)
        return advice_config(d, g);
    if (code == ERR_READ_ONLY)
        return d == DIALECT_SQLITE ? "give the user write access to the file and its folder"
                                   : "name all servers, so that the writable one is found";
    if (code == ERR_FULL)
        return "free space for the database; nothing of this transaction was stored";
    if (code == ERR_UNAVAILABLE)
        return "check that the server runs and can be reached";
    if (code == ERR_SCHEMA)
        return "run `lockstep db migrate`";
    if (code == ERR_IO)
        return "check the disk and the kernel's log";
    return NULL;
}

/* psqlODBC takes braces off a password only, and decodes % and + in one without them. */
void keyword_append(struct buffer *b, const char *key, const char *value)
{
    const bool is_secret = strcmp(key, "PWD") == 0;

    if (!value || !*value)
        return;
    buffer_printf(b, ";%s=", key);
    if (!strpbrk(value, is_secret ? ";{}[]()?*=!@%+ ," : ";{}")) {
        buffer_append_str(b, value);
        return;
    }
    buffer_append_str(b, "{");
    for (; *value; value++) {
        buffer_append_byte(b, (uint8_t)*value);
        if (*value == '}')
            buffer_append_byte(b, '}');
    }
    buffer_append_str(b, "}");
}

static const char *const folders[] = {
    "/usr/lib/*/odbc/",
    "/usr/lib/odbc/",
    "/usr/lib64/",
    "/usr/lib/*/",
    "/usr/lib/",
    "/usr/local/lib/",
    "/usr/local/lib/*/",
    "/opt/oracle/*/",
    "/opt/oracle/*/*/",
    "/usr/lib/oracle/*/client64/lib/",
    NULL,
};

/* The first readable FOLDER/file of the usual folders. */
static bool find_file(const char *file, struct buffer *out)
{
    char pattern[512];
    bool is_found = false;

    for (size_t i = 0; folders[i] && !is_found; i++) {
        glob_t g;
        int n = snprintf(pattern, sizeof(pattern), "%s%s", folders[i], file);
        if (n < 0 || n >= (int)sizeof(pattern) || glob(pattern, 0, NULL, &g) != 0)
            continue;
        for (size_t k = 0; k < g.gl_pathc && !is_found; k++) {
            if (access(g.gl_pathv[k], R_OK) == 0) {
                buffer_append_str(out, g.gl_pathv[k]);
                is_found = true;
            }
        }
        globfree(&g);
    }
    return is_found;
}

static bool missing(const struct dialect_ops *ops, const char *name, struct error *err)
{
    char advice[160];

    snprintf(advice, sizeof(advice), "%s, or give the driver's path in storage.driver",
             ops->driver_advice);
    return error_set(err, ERR_CONFIG, advice, "ODBC driver for %s not found: %s",
                     dialect_name(ops->id), name);
}

bool driver_find(const struct dialect_ops *ops, const char *name, struct buffer *out,
                 struct error *err)
{
    if (name && strchr(name, '/')) {
        if (access(name, R_OK) != 0)
            return missing(ops, name, err);
        buffer_append_str(out, name);
    } else if (name && strstr(name, ".so")) {
        if (!find_file(name, out))
            return missing(ops, name, err);
    } else if (name) {
        buffer_printf(out, "{%s}", name);
    } else {
        size_t i = 0;
        while (ops->driver_files[i] && !find_file(ops->driver_files[i], out))
            i++;
        if (!ops->driver_files[i])
            return missing(ops, ops->driver_files[0], err);
    }
    return buffer_ok(out, err);
}
