/* dialect_oracle.c: Oracle 19c and newer through Oracle's ODBC driver.
 * What a diagnosis means is decided by its native code first: a lost connection comes as HY000, and
 * drivers exist that give a malformed SQLSTATE. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "storage/dialect.h"

static const char *const drivers[] = {"libsqora.so.23.*", "libsqora.so.21.*", "libsqora.so.19.*",
                                      NULL};

/* ---- the connection string ---- */

/* Braces only where a value would end early: whether every release takes them off is not known. */
static void append(struct buffer *b, const char *key, const char *value)
{
    const size_t n = value ? strlen(value) : 0;

    if (n == 0)
        return;
    if (strpbrk(value, ";{}") || value[0] == ' ' || value[n - 1] == ' ')
        keyword_append(b, key, value);
    else
        buffer_printf(b, ";%s=%s", key, value);
}

/* "h1,h2" and "1521" or "1521,1522" -> "//h1,h2:1521" or "//h1:1521,h2:1522". */
static void append_hosts(struct buffer *b, const char *server, const char *port)
{
    const bool is_each = port && strchr(port, ',');

    buffer_append_str(b, "//");
    while (*server) {
        const size_t n = strcspn(server, ",");
        const size_t m = port ? strcspn(port, ",") : 0;
        const bool is_six = memchr(server, ':', n) && *server != '[';
        buffer_printf(b, is_six ? "[%.*s]" : "%.*s", (int)n, server);
        server += n;
        if (m > 0 && (is_each || !*server))
            buffer_printf(b, ":%.*s", (int)m, port);
        if (is_each && m > 0 && port[m])
            port += m + 1;
        if (*server) {
            buffer_append_str(b, ",");
            server++;
        }
    }
}

static bool schema_ok(const char *schema, struct error *err)
{
    const size_t n = strlen(schema);

    if (n == 0)
        return true;
    if (isalpha((unsigned char)schema[0]) && n <= 63 &&
        strspn(schema, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n)
        return true;
    return error_set(err, ERR_CONFIG,
                     "a schema is the name of a user: letters, digits and _, a letter first, at "
                     "most 63",
                     "schema name '%.80s' cannot be used on oracle", schema);
}

/* DBQ is //host:port/service, a name of tnsnames.ora, or a whole description. */
static bool keywords(const struct db_config *cfg, struct buffer *secret, struct buffer *shown,
                     struct error *err)
{
    const bool has_server = cfg->server && *cfg->server;
    const bool has_database = cfg->database && *cfg->database;
    struct buffer dbq = BUFFER_INIT;

    if (cfg->schema && !schema_ok(cfg->schema, err))
        return false;
    if (!cfg->dsn && !has_database)
        return error_set(err, ERR_CONFIG,
                         "set storage.database to the service, or to a name of tnsnames.ora",
                         "storage type oracle needs a database");
    if (has_server)
        append_hosts(&dbq, cfg->server, cfg->port);
    if (has_database)
        buffer_printf(&dbq, has_server ? "/%s" : "%s", cfg->database);
    append(shown, "DBQ", buffer_cstr(&dbq));
    buffer_free(&dbq);
    append(shown, "UID", cfg->user);
    buffer_append_bytes(secret, buffer_bytes(shown));
    if (cfg->options && *cfg->options)
        buffer_printf(secret, ";%s", cfg->options);
    return buffer_ok(secret, err) && buffer_ok(shown, err);
}

/* ---- what a diagnosis means ---- */

#define NESTED ERR_NONE /* the code that matters stands behind it in the text */

static const char *const privileges =
    "grant CREATE SESSION, and to the account that migrates the right to create tables and a quota";
static const char *const listener =
    "check storage.server, port and database (the service), and that the listener runs";
static const char *const space = "add space to the tablespace or raise the quota; nothing of this "
                                 "transaction was stored";

static const struct meaning {
    int native;
    enum error_code code, connecting; /* while the connection is made; ERR_NONE: the same */
    const char *advice;
} meanings[] = {
    {20001, ERR_FENCED, ERR_NONE, NULL}, /* our own: RAISE_APPLICATION_ERROR in a fenced write */
    {604, NESTED, ERR_NONE, NULL},       /* error at recursive SQL level */
    {2091, NESTED, ERR_NONE, NULL},      /* transaction rolled back */
    /* the connection is gone; whether a commit went through is unknown */
    {28, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},    /* session killed */
    {1012, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* not logged on */
    {1033, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* starting or stopping */
    {1034, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* not available */
    {1089, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* immediate shutdown */
    {1090, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* shutdown */
    {1092, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* instance terminated */
    {2396, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* idle for too long */
    {3113, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* end of file */
    {3114, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* not connected */
    {3135, ERR_CONNECTION, ERR_UNAVAILABLE, NULL},  /* lost contact */
    {12153, ERR_CONNECTION, ERR_UNAVAILABLE, NULL}, /* TNS: not connected */
    {12537, ERR_CONNECTION, ERR_UNAVAILABLE, NULL}, /* TNS: closed */
    {12547, ERR_CONNECTION, ERR_UNAVAILABLE, NULL}, /* TNS: lost contact */
    {12571, ERR_CONNECTION, ERR_UNAVAILABLE, NULL}, /* TNS: packet writer */
    {25408, ERR_CONNECTION, ERR_UNAVAILABLE, NULL}, /* cannot safely replay */
    /* no way to connect just now */
    {12170, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12203, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12500, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12505, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12514, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12528, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12541, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12543, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12545, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {12560, ERR_CONNECTION, ERR_UNAVAILABLE, listener},
    {18, ERR_UNAVAILABLE, ERR_NONE, "raise sessions and processes of the instance"},
    {20, ERR_UNAVAILABLE, ERR_NONE, "raise sessions and processes of the instance"},
    {12516, ERR_UNAVAILABLE, ERR_NONE, "raise sessions and processes of the instance"},
    {12519, ERR_UNAVAILABLE, ERR_NONE, "raise sessions and processes of the instance"},
    {12520, ERR_UNAVAILABLE, ERR_NONE, "raise sessions and processes of the instance"},
    /* wrong in the configuration */
    {1005, ERR_CONFIG, ERR_NONE, "set storage.password"},
    {1017, ERR_CONFIG, ERR_NONE, "check storage.user and storage.password"},
    {1031, ERR_CONFIG, ERR_NONE, privileges},
    {1045, ERR_CONFIG, ERR_NONE, privileges},
    {1435, ERR_CONFIG, ERR_NONE, "storage.schema names a user that is not there"},
    {1950, ERR_CONFIG, ERR_NONE, privileges},
    {12154, ERR_CONFIG, ERR_NONE,
     "set storage.server, or write storage.database as it stands in tnsnames.ora (TNS_ADMIN)"},
    {28000, ERR_CONFIG, ERR_NONE, "unlock the account: ALTER USER ... ACCOUNT UNLOCK"},
    {28001, ERR_CONFIG, ERR_NONE, "give the account a new password"},
    /* lost against another transaction */
    {54, ERR_RETRY, ERR_NONE, NULL},    /* resource busy */
    {60, ERR_RETRY, ERR_NONE, NULL},    /* deadlock */
    {1555, ERR_RETRY, ERR_NONE, NULL},  /* snapshot too old */
    {4020, ERR_RETRY, ERR_NONE, NULL},  /* deadlock on an object */
    {4021, ERR_RETRY, ERR_NONE, NULL},  /* timeout on an object */
    {8176, ERR_RETRY, ERR_NONE, NULL},  /* no consistent read */
    {8177, ERR_RETRY, ERR_NONE, NULL},  /* cannot serialize */
    {30006, ERR_RETRY, ERR_NONE, NULL}, /* WAIT expired */
    /* the rows */
    {1, ERR_DUPLICATE, ERR_NONE, NULL},
    {1400, ERR_DATABASE, ERR_NONE, NULL}, /* NULL; so is an empty text and empty bytes */
    {1407, ERR_DATABASE, ERR_NONE, NULL},
    {2290, ERR_DATABASE, ERR_NONE, NULL},
    {2291, ERR_DATABASE, ERR_NONE, NULL},
    {2292, ERR_DATABASE, ERR_NONE, NULL},
    {1438, ERR_LIMIT, ERR_NONE, NULL},
    {1461, ERR_LIMIT, ERR_NONE, NULL},
    {12899, ERR_LIMIT, ERR_NONE, NULL},
    /* the schema */
    {904, ERR_SCHEMA, ERR_NONE, NULL},
    {942, ERR_SCHEMA, ERR_NONE,
     "run `lockstep db migrate`; an account that is not the owner needs storage.schema and grants"},
    {1418, ERR_SCHEMA, ERR_NONE, NULL},
    {955, ERR_DATABASE, ERR_NONE, NULL},
    {1430, ERR_DATABASE, ERR_NONE, NULL},
    {2260, ERR_DATABASE, ERR_NONE, NULL},
    {2275, ERR_DATABASE, ERR_NONE, NULL},
    /* the server */
    {1013, ERR_TIMEOUT, ERR_NONE, NULL}, /* cancelled: by our watchdog */
    {1114, ERR_IO, ERR_NONE, NULL},      /* writing a block */
    {1115, ERR_IO, ERR_NONE, NULL},      /* reading a block */
    {1578, ERR_IO, ERR_NONE, NULL},      /* a corrupt block */
    {27072, ERR_IO, ERR_NONE, NULL},     /* file I/O */
    {372, ERR_READ_ONLY, ERR_NONE, NULL},
    {1456, ERR_READ_ONLY, ERR_NONE, NULL},
    {16000, ERR_READ_ONLY, ERR_NONE,
     "connect to the primary: use a service that runs only there (role PRIMARY)"},
    {257, ERR_FULL, ERR_NONE,
     "free space for archived logs; nothing of this transaction was stored"},
    {1536, ERR_FULL, ERR_NONE, space},
    {1652, ERR_FULL, ERR_NONE, space},
    {1653, ERR_FULL, ERR_NONE, space},
    {1654, ERR_FULL, ERR_NONE, space},
    {1658, ERR_FULL, ERR_NONE, space},
    {1691, ERR_FULL, ERR_NONE, space},
    {30036, ERR_FULL, ERR_NONE, "add space for undo; nothing of this transaction was stored"},
};

static const struct meaning *meaning_of(int native)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].native == native)
            return &meanings[i];
    return NULL;
}

/* The next code that the text names from *at on ("ORA-08177", "TNS-12541"), or 0. */
static int next_code(const char **at)
{
    for (const char *p = *at; *p; p++) {
        if ((strncmp(p, "ORA-", 4) != 0 && strncmp(p, "TNS-", 4) != 0) ||
            !isdigit((unsigned char)p[4]))
            continue;
        *at = p + 5;
        return atoi(p + 4);
    }
    return 0;
}

/* The native code, or what the text says when there is none or it only wraps another. */
static const struct meaning *find(const struct diag *d)
{
    const struct meaning *m = meaning_of(d->native);
    const char *at = d->text;
    int code;

    if (m && m->code != NESTED)
        return m;
    if (!m && d->native != 0)
        return NULL;
    while ((code = next_code(&at)) != 0) {
        m = meaning_of(code);
        if (m && m->code != NESTED)
            return m;
    }
    return NULL;
}

static const struct {
    const char *state;
    enum error_code code, connecting;
} states[] = {
    {"08", ERR_CONNECTION, ERR_UNAVAILABLE}, {"HYT01", ERR_CONNECTION, ERR_UNAVAILABLE},
    {"HYT00", ERR_TIMEOUT, ERR_UNAVAILABLE}, {"HY008", ERR_TIMEOUT, ERR_UNAVAILABLE},
    {"IM", ERR_CONFIG, ERR_CONFIG},          {"28", ERR_CONFIG, ERR_CONFIG},
    {"40", ERR_RETRY, ERR_UNAVAILABLE},      {"42S02", ERR_SCHEMA, ERR_SCHEMA},
    {"42S22", ERR_SCHEMA, ERR_SCHEMA},
};

static enum error_code classify(const struct diag *d, bool is_connecting)
{
    const struct meaning *m = find(d);

    if (m)
        return is_connecting && m->connecting != ERR_NONE ? m->connecting : m->code;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strncmp(d->state, states[i].state, strlen(states[i].state)) == 0)
            return is_connecting ? states[i].connecting : states[i].code;
    if (strstr(d->text, "open lib"))
        return ERR_CONFIG;
    return is_connecting ? ERR_UNAVAILABLE : ERR_DATABASE;
}

static const char *advise(const struct diag *d)
{
    const struct meaning *m = find(d);

    return m ? m->advice : NULL;
}

/* A migration's text that was run before: made, added, keyed or referenced already; or dropped. */
static bool is_done(const struct diag *d)
{
    static const int done[] = {955, 1430, 1442, 1451, 2260, 2261, 2264, 2275, 1408};

    for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
        if (d->native == done[i])
            return true;
    return false;
}

const struct dialect_ops dialect_oracle = {
    .id = DIALECT_ORACLE,
    .driver_files = drivers,
    .driver_advice = "install Oracle's Instant Client with its ODBC package",
    .rows_max = 1024,
    .long_above = 4000,
    .has_driver_txn = true,
    .has_arrays = true,
    .has_fence_last = true,
    .has_text_i64 = true,
    .has_ddl_commits = true,
    .has_no_login_timeout = true,
    .keywords = keywords,
    .classify = classify,
    .advise = advise,
    .is_done = is_done,
};
