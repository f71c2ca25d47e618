/* connect.c: Oracle's connection string as psqlODBC's. DBQ is EZConnect, "//h1:1521,h2/service",
 * with
 * "?connect_timeout=3", or a descriptor "(DESCRIPTION=...)"; there is no tnsnames.ora. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t/fakeora/fakeora.h"

#define FIELD_MAX 512

struct target {
    char hosts[FIELD_MAX], ports[FIELD_MAX]; /* as libpq takes them: comma separated */
    char service[FIELD_MAX];
    int connect_timeout; /* seconds */
};

/* The value of a keyword, braces taken off; false when it is not there. */
static bool keyword(const char *in, const char *key, char *out, size_t size)
{
    const size_t key_len = strlen(key);

    while (*in) {
        const char *value = in + strcspn(in, "=;");
        const bool is_it = (size_t)(value - in) == key_len && strncasecmp(in, key, key_len) == 0;
        size_t n = 0;
        if (*value == '=')
            value++;
        const bool is_braced = *value == '{';
        for (value += is_braced; *value && (is_braced || *value != ';'); value++) {
            if (is_braced && *value == '}') {
                if (value[1] != '}')
                    break;
                value++;
            }
            if (is_it && n < size - 1)
                out[n++] = *value;
        }
        if (is_it) {
            out[n] = '\0';
            return true;
        }
        in = value + strcspn(value, ";");
        in += *in == ';';
    }
    return false;
}

static void add(char *list, const char *item, size_t len)
{
    const size_t n = strlen(list);

    snprintf(list + n, FIELD_MAX - n, "%s%.*s", n ? "," : "", (int)len, item);
}

/* Hosts without a port take that of the next which has one: "h1,h2:1521". */
static void add_ports(struct target *t, const char *port, size_t len)
{
    size_t hosts = 1, ports = *t->ports != '\0';

    for (const char *p = t->hosts; *p; p++)
        hosts += *p == ',';
    for (const char *p = t->ports; *p; p++)
        ports += *p == ',';
    for (; ports < hosts; ports++)
        add(t->ports, port, len);
}

static bool read_ezconnect(const char *dbq, struct target *t)
{
    const char *p = strncmp(dbq, "//", 2) == 0 ? dbq + 2 : dbq;
    const char *slash = strchr(p, '/');

    while (slash && p < slash) {
        const bool is_six = *p == '[';
        const size_t host = is_six ? strcspn(p + 1, "]/") : strcspn(p, ":,/");
        if (host == 0)
            return false;
        add(t->hosts, p + is_six, host);
        p += host + 2 * is_six;
        if (*p == ':') {
            add_ports(t, p + 1, strcspn(p + 1, ",/"));
            p += 1 + strcspn(p + 1, ",/");
        }
        p += *p == ',';
    }
    if (!slash || !*t->hosts)
        return false;
    add_ports(t, "1521", 4);
    snprintf(t->service, sizeof(t->service), "%.*s", (int)strcspn(slash + 1, "?"), slash + 1);
    const char *timeout = strstr(slash, "connect_timeout="); /* transport_connect_timeout as well */
    t->connect_timeout = timeout ? atoi(strchr(timeout, '=') + 1) : 0;
    return *t->service != '\0';
}

/* The values of each KEY= in a descriptor, in order. */
static void read_all(const char *dbq, const char *key, char *out)
{
    const size_t len = strlen(key);

    for (const char *p = strchr(dbq, '('); p; p = strchr(p + 1, '(')) {
        const char *at = p + 1 + strspn(p + 1, " ");
        if (strncasecmp(at, key, len) != 0)
            continue;
        at += len;
        at += strspn(at, " =");
        add(out, at, strcspn(at, ") "));
    }
}

static bool read_descriptor(const char *dbq, struct target *t)
{
    char timeout[FIELD_MAX] = "";

    read_all(dbq, "HOST", t->hosts);
    read_all(dbq, "PORT", t->ports);
    read_all(dbq, "SERVICE_NAME", t->service);
    read_all(dbq, "TRANSPORT_CONNECT_TIMEOUT", timeout);
    if (!*timeout)
        read_all(dbq, "CONNECT_TIMEOUT", timeout);
    t->connect_timeout = atoi(timeout);
    return *t->hosts && *t->ports && *t->service;
}

/* psqlODBC decodes a password without braces, so it always gets them. */
static void put_password(char *out, size_t size, const char *password)
{
    size_t n = strlen(out);

    n += (size_t)snprintf(out + n, size - n, ";PWD={");
    for (; *password && n < size - 3; password++) {
        out[n++] = *password;
        if (*password == '}')
            out[n++] = '}';
    }
    snprintf(out + n, size - n, "}");
}

/* BoolsAsChar=0: else a text of five characters would be a boolean.
 * Everything goes as one simple query with its parameters inside (UseServerSidePrepare=0), so that
 * a block is one message. Protocol 7.4-2: a failed statement alone is undone, as on Oracle. Only a
 * writable server offers the service. sys holds what Oracle has and PostgreSQL lacks. */
char *connect_string(const char *in, struct ora_diag *d)
{
    const size_t size = 8192;
    struct target t = {.hosts = ""};
    char dbq[2 * FIELD_MAX] = "", user[FIELD_MAX] = "", password[FIELD_MAX] = "";
    char *out;

    if (!keyword(in, "DBQ", dbq, sizeof(dbq)) && !keyword(in, "ServerName", dbq, sizeof(dbq))) {
        diag_ora(d, 12560, "TNS:protocol adapter error (no DBQ)");
        return NULL;
    }
    if (!(*dbq == '(' ? read_descriptor(dbq, &t) : read_ezconnect(dbq, &t))) {
        diag_ora(d, 12154, "TNS:could not resolve the connect identifier specified");
        return NULL;
    }
    keyword(in, "UID", user, sizeof(user));
    keyword(in, "PWD", password, sizeof(password));
    out = calloc(1, size);
    if (!out) {
        diag_set(d, "HY001", 0, "no memory");
        return NULL;
    }
    snprintf(out, size,
             "SERVER=%s;PORT=%s;DATABASE=%s;UID=%s;Protocol=7.4-2;UseServerSidePrepare=0"
             ";ByteaAsLongVarBinary=0;UseDeclareFetch=0;LFConversion=0;MaxLongVarcharSize=8190;"
             "BoolsAsChar=0"
             ";BI=0;pqopt={client_encoding=UTF8 connect_timeout=%d target_session_attrs=read-write"
             " keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=5000"
             " application_name=fakeora}"
             ";ConnSettings=SET search_path = \"$user\", sys",
             t.hosts, t.ports, t.service, user, t.connect_timeout > 0 ? t.connect_timeout : 60);
    put_password(out, size, password);
    return out;
}
