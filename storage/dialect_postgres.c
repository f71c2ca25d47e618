/* dialect_postgres.c: PostgreSQL through psqlODBC. */
#include <stdio.h>
#include <string.h>

#include "storage/dialect.h"

static const char *const drivers[] = {"psqlodbcw.so", "psqlodbca.so", NULL};

/* A file for libpq, inside pqopt={...}. */
static bool tls_file(struct buffer *b, const char *key, const char *path, struct error *err)
{
    if (!path || !*path)
        return true;
    if (strpbrk(path, "{};"))
        return error_set(err, ERR_CONFIG, "rename the file", "%s: braces and semicolons in a path",
                         path);
    buffer_printf(b, " %s='", key);
    for (; *path; path++)
        buffer_printf(b, *path == '\'' || *path == '\\' ? "\\%c" : "%c", *path);
    buffer_append_str(b, "'");
    return true;
}

/* Prepared on the server, bytes bound as bytes, the transaction is ours after an error. A peer that
 * went silent is given up after 5 s by the kernel; connect_timeout is SQL_ATTR_LOGIN_TIMEOUT. */
static bool keywords(const struct db_config *cfg, struct buffer *secret, struct buffer *shown,
                     struct error *err)
{
    /* psqlODBC cuts PORT after nine characters; libpq takes any number of them. */
    const bool has_ports = cfg->port && strchr(cfg->port, ',');

    if (has_ports && strspn(cfg->port, "0123456789,") != strlen(cfg->port))
        return error_set(err, ERR_CONFIG, "write numbers with commas between them",
                         "storage.port '%.40s'", cfg->port);
    keyword_append(shown, "SERVER", cfg->server);
    if (!has_ports)
        keyword_append(shown, "PORT", cfg->port);
    keyword_append(shown, "DATABASE", cfg->database);
    keyword_append(shown, "UID", cfg->user);
    keyword_append(shown, "SSLmode", cfg->tls);
    buffer_append_bytes(secret, buffer_bytes(shown));
    if (has_ports)
        keyword_append(shown, "PORT", cfg->port);
    buffer_append_str(
        secret, ";UseServerSidePrepare=1;ByteaAsLongVarBinary=0;UseDeclareFetch=0"
                ";Protocol=7.4-0;LFConversion=0;MaxLongVarcharSize=8190;CommLog=0;Debug=0"
                ";pqopt={keepalives=1 keepalives_idle=5 keepalives_interval=2 keepalives_count=3"
                " tcp_user_timeout=5000 target_session_attrs=read-write"
                " application_name=lockstep");
    if (has_ports)
        buffer_printf(secret, " port=%s", cfg->port);
    if (!tls_file(secret, "sslrootcert", cfg->tls_root_file, err) ||
        !tls_file(secret, "sslcert", cfg->tls_cert_file, err) ||
        !tls_file(secret, "sslkey", cfg->tls_key_file, err))
        return false;
    buffer_append_str(secret, "}");
    if (cfg->options && *cfg->options)
        buffer_printf(secret, ";%s", cfg->options);
    return buffer_ok(secret, err) && buffer_ok(shown, err);
}

static bool has(const struct diag *d, const char *text)
{
    return strstr(d->text, text) != NULL;
}

static bool starts(const struct diag *d, const char *state)
{
    return strncmp(d->state, state, strlen(state)) == 0;
}

/* psqlODBC gives 08001 for whatever libpq says while connecting: only the text tells more. */
static enum error_code classify_connect(const struct diag *d)
{
    static const char *const wrong[] = {"password",
                                        "pg_hba.conf",
                                        "does not exist",
                                        "open lib",
                                        "not permitted",
                                        "no password supplied",
                                        "invalid value",
                                        "could not open",
                                        "conflicts with",
                                        "does not support SSL",
                                        "certificate verify failed",
                                        "root certificate file",
                                        "server certificate for",
                                        "private key file",
                                        "could not load",
                                        "could not read",
                                        "valid client certificate",
                                        "certificate required",
                                        "unknown ca",
                                        "connection parameter error"};

    if (starts(d, "IM") || starts(d, "28") || starts(d, "3D"))
        return ERR_CONFIG;
    if (has(d, "session is read-only") || has(d, "server is in hot standby"))
        return ERR_READ_ONLY;
    if (has(d, "No space left"))
        return ERR_FULL;
    if (has(d, "No such file or directory"))
        return ERR_UNAVAILABLE; /* the server's Unix socket */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (has(d, wrong[i]))
            return ERR_CONFIG;
    return ERR_UNAVAILABLE;
}

static const struct {
    const char *state;
    enum error_code code;
} states[] = {
    {"08", ERR_CONNECTION},    {"57P01", ERR_CONNECTION}, {"57P02", ERR_CONNECTION},
    {"57P03", ERR_CONNECTION}, {"57P05", ERR_CONNECTION}, {"25P03", ERR_CONNECTION},
    {"25006", ERR_READ_ONLY},  {"40", ERR_RETRY},         {"55P03", ERR_RETRY},
    {"23505", ERR_DUPLICATE},  {"53100", ERR_FULL},       {"53300", ERR_UNAVAILABLE},
    {"57014", ERR_TIMEOUT},    {"HYT", ERR_TIMEOUT},      {"HY008", ERR_TIMEOUT},
    {"42P01", ERR_SCHEMA},     {"42703", ERR_SCHEMA},     {"3F", ERR_SCHEMA},
    {"42S02", ERR_SCHEMA},     {"42S22", ERR_SCHEMA},     {"28", ERR_CONFIG},
    {"HY001", ERR_MEMORY},     {"58030", ERR_IO},
};

static enum error_code classify(const struct diag *d, bool is_connecting)
{
    if (is_connecting)
        return classify_connect(d);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (starts(d, states[i].state))
            return states[i].code;
    if (has(d, "No space left"))
        return ERR_FULL;
    if (has(d, "server closed the connection") || has(d, "no connection to the server") ||
        has(d, "connection not open") || has(d, "Could not send") ||
        has(d, "could not receive data from server") || has(d, "communication link failure"))
        return ERR_CONNECTION;
    return ERR_DATABASE;
}

const struct dialect_ops dialect_postgres = {
    .id = DIALECT_POSTGRES,
    .driver_files = drivers,
    .driver_advice = "apt-get install odbc-postgresql",
    .rows_max = 1024,
    .has_fenced_text = true,
    .keywords = keywords,
    .classify = classify,
};
