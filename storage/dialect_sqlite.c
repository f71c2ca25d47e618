/* dialect_sqlite.c: SQLite through libsqliteodbc. Autocommit stays on and transactions are texts:
 * with it off BEGIN IMMEDIATE fails, with it on SQLEndTran answers success and commits nothing. */
#include <stdio.h>
#include <string.h>

#include "storage/dialect.h"

static const char *const drivers[] = {"libsqlite3odbc.so", NULL};

/* FULL: the driver's default NORMAL would lose what was answered. Timeout: a quarter of the
 * deadline, because the driver waits several times that long and knows no statement deadline. */
static bool keywords(const struct db_config *cfg, struct buffer *secret, struct buffer *shown,
                     struct error *err)
{
    if (!cfg->dsn && (!cfg->file || !*cfg->file))
        return error_set(err, ERR_CONFIG, "set storage.file", "storage type sqlite needs a file");
    keyword_append(shown, "Database", cfg->file);
    buffer_append_bytes(secret, buffer_bytes(shown));
    buffer_printf(secret, ";SyncPragma=FULL;JournalMode=WAL;Timeout=%lld",
                  (long long)(cfg->statement_timeout_us / 4 / 1000));
    if (cfg->options && *cfg->options)
        buffer_printf(secret, ";%s", cfg->options);
    return buffer_ok(secret, err) && buffer_ok(shown, err);
}

/* Natives are SQLite's result codes; an extended code has the primary one in its low byte. */
static enum error_code classify(const struct diag *d, bool is_connecting)
{
    if (strncmp(d->state, "IM", 2) == 0 || strstr(d->text, "open lib"))
        return ERR_CONFIG;
    switch (d->native & 0xff) {
    case 5:  /* BUSY */
    case 6:  /* LOCKED */
    case 15: /* PROTOCOL: WAL locking gave up */
        return ERR_RETRY;
    case 7:
        return ERR_MEMORY;
    case 8:
        return ERR_READ_ONLY;
    case 9: /* INTERRUPT: our watchdog */
        return ERR_TIMEOUT;
    case 10:
        return ERR_IO;
    case 13:
        return ERR_FULL;
    case 11: /* CORRUPT */
        return ERR_DATABASE;
    case 3:  /* PERM */
    case 14: /* CANTOPEN */
    case 23: /* AUTH */
    case 26: /* NOTADB */
        return ERR_CONFIG;
    case 19: /* CONSTRAINT: only the text says which */
        return strstr(d->text, "UNIQUE constraint") || strstr(d->text, "PRIMARY KEY")
                   ? ERR_DUPLICATE
                   : ERR_DATABASE;
    default:
        break;
    }
    if (strstr(d->text, "no such table") || strstr(d->text, "no such column") ||
        strstr(d->text, "has no column"))
        return ERR_SCHEMA;
    return is_connecting ? ERR_CONFIG : ERR_DATABASE;
}

const struct dialect_ops dialect_sqlite = {
    .id = DIALECT_SQLITE,
    .driver_files = drivers,
    .driver_advice = "apt-get install libsqliteodbc",
    .rows_max = 1,
    .has_one_writer = true,
    .keywords = keywords,
    .classify = classify,
};
