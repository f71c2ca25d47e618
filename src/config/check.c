#include "config/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "config/options.h"
#include "config/report.h"
#include "config/value.h"

struct check {
    struct config *c;
    struct config_report *report;
};

void check_node_path(const struct config_node *n, char *out)
{
    snprintf(out, 96, "%s%s.%s", config_kind_name(n->kind), n->kind == CONFIG_Y ? "" : "s",
             n->name);
}

/* Reports at the option key, or at the node's name when the file does not say it. */
static void complain(struct check *k, const struct config_node *n, const char *key,
                     const char *what)
{
    struct config_place at = option_place(n, key);
    char path[96];

    if (at.line > 0 && at.column == 0)
        return; /* reported already */
    check_node_path(n, path);
    report_add(k->report, at.line > 0 ? at : n->place, "%s.%s: %s", path, key, what);
}

/* Said, but wrong, and reported as that. */
static bool is_bad(const struct config_node *n, const char *key)
{
    struct config_place at = option_place(n, key);

    return at.line > 0 && at.column == 0;
}

static bool is_set(const struct config_node *n, const char *key)
{
    return option_place(n, key).line > 0;
}

/* What a data source of odbc.ini brings is not said again. */
static void check_dsn(struct check *k, const struct config_node *n)
{
    static const char *const parts[] = {"storage.file", "storage.driver", "storage.server",
                                        "storage.port", "storage.database"};

    if (strpbrk(n->storage.dsn, ";{}[]()=") != NULL)
        complain(k, n, "storage.dsn",
                 "not a name of odbc.ini; write the name alone, and user, password and options as "
                 "keys of their own");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (is_set(n, parts[i]))
            complain(k, n, parts[i], "contradicts storage.dsn, which brings it; remove one");
}

static void check_storage_sqlite(struct check *k, const struct config_node *n)
{
    static const char *const others[] = {"storage.server",
                                         "storage.port",
                                         "storage.database",
                                         "storage.schema",
                                         "storage.user",
                                         "storage.password",
                                         "storage.password-file",
                                         "storage.migration-user",
                                         "storage.migration-password",
                                         "storage.migration-password-file",
                                         "storage.tls",
                                         "storage.tls-root-file",
                                         "storage.tls-cert-file",
                                         "storage.tls-key-file"};

    if (n->storage.dsn == NULL && n->storage.file == NULL)
        complain(k, n, "storage.file", "missing; sqlite needs the path of its database file");
    if (n->storage.dsn != NULL && n->kind == CONFIG_Y && n->mediator == CONFIG_MEDIATOR_EMBEDDED)
        complain(k, n, "storage.dsn",
                 "the embedded mediator has a file of its own beside this one's; write "
                 "storage.file, or mediator: external");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (is_set(n, others[i]) && (i > 2 || n->storage.dsn == NULL))
            complain(k, n, others[i], "has no meaning with sqlite; remove it");
}

static void check_storage_server(struct check *k, const struct config_node *n)
{
    if (n->storage.dsn != NULL)
        return;
    if (is_set(n, "storage.file"))
        complain(k, n, "storage.file", "is for sqlite only; remove it");
    const bool is_oracle = n->storage.type == CONFIG_ORACLE;
    if (n->storage.server == NULL &&
        !is_oracle) /* there the database may be a name of tnsnames.ora */
        complain(k, n, "storage.server", "missing; write the host, or storage.dsn");
    if (n->storage.database == NULL)
        complain(k, n, "storage.database",
                 is_oracle ? "missing; write the service, a name of tnsnames.ora, or storage.dsn"
                           : "missing; write the database, or storage.dsn");
}

/* True when the driver's keywords say key, in any case. */
static bool has_keyword(const char *options, const char *key)
{
    for (const char *p = options; p != NULL && *p != '\0'; p++)
        if (strncasecmp(p, key, strlen(key)) == 0)
            return true;
    return false;
}

static void check_password(struct check *k, const struct config_node *n)
{
    if (is_set(n, "storage.password") && is_set(n, "storage.password-file"))
        complain(k, n, "storage.password-file", "contradicts storage.password; remove one");
    if (is_set(n, "storage.migration-password") && is_set(n, "storage.migration-password-file"))
        complain(k, n, "storage.migration-password-file",
                 "contradicts storage.migration-password; remove one");
    if (n->storage.migration_user == NULL &&
        (is_set(n, "storage.migration-password") || is_set(n, "storage.migration-password-file")))
        complain(k, n, "storage.migration-user", "missing; write whose password that is");
}

static void check_storage_tls(struct check *k, const struct config_node *n)
{
    static const char *const files[] = {"storage.tls-root-file", "storage.tls-cert-file",
                                        "storage.tls-key-file"};
    const struct config_storage *s = &n->storage;
    const bool is_off = s->tls == CONFIG_TLS_UNSET || s->tls == CONFIG_TLS_DISABLE;

    if (is_bad(n, "storage.tls"))
        return;
    if (s->type == CONFIG_ORACLE) {
        if (is_set(n, "storage.tls"))
            complain(k, n, "storage.tls",
                     "is for postgresql; with oracle write DBQ=tcps://HOST:PORT/SERVICE in "
                     "storage.options, and the wallet in the client's sqlnet.ora");
        return;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (is_off && is_set(n, files[i]))
            complain(k, n, files[i], "needs storage.tls: require, verify-ca or verify-full");
    if (s->tls >= CONFIG_TLS_VERIFY_CA && s->tls_root_file == NULL)
        complain(k, n, "storage.tls-root-file",
                 "missing; write the file of the authorities that the server must come from");
    if ((s->tls_cert_file == NULL) != (s->tls_key_file == NULL))
        complain(k, n, "storage.tls-key-file",
                 "a certificate and a private key go together; write both");
    if (s->tls != CONFIG_TLS_UNSET &&
        (has_keyword(s->options, "sslmode") || has_keyword(s->options, "pqopt")))
        complain(k, n, "storage.options",
                 "its SSLmode or pqopt contradicts storage.tls; remove one");
}

static void check_storage(struct check *k, struct config_node *n)
{
    if (!is_set(n, "storage.tls"))
        n->storage.tls = CONFIG_TLS_UNSET;
    check_password(k, n);
    if (!is_set(n, "storage.type")) {
        complain(k, n, "storage.type", "missing; write sqlite, postgresql or oracle");
        return;
    }
    if (is_bad(n, "storage.type"))
        return;
    if (n->storage.dsn != NULL)
        check_dsn(k, n);
    if (n->storage.type == CONFIG_SQLITE)
        check_storage_sqlite(k, n);
    else
        check_storage_server(k, n);
    if (n->storage.type != CONFIG_SQLITE)
        check_storage_tls(k, n);
    if (!is_set(n, "migrate-on-start"))
        n->is_migrating = n->storage.type == CONFIG_SQLITE || k->c->is_migrating;
}

/* A name is none but localhost: 127.example.org is somewhere else. */
static bool is_loopback(const char *address)
{
    struct in_addr four;

    if (inet_pton(AF_INET, address, &four) == 1)
        return strncmp(address, "127.", 4) == 0;
    return strcmp(address, "localhost") == 0 || strcmp(address, "::1") == 0;
}

static void check_api(struct check *k, const struct config_node *n, const char *name,
                      const struct config_api *api, bool is_open)
{
    char key[64], what[256];
    const struct config_tls *t = &api->tls;

    snprintf(key, sizeof(key), "%s.port", name);
    if (!is_set(n, key))
        complain(k, n, key, "missing; write a port, or 0 for any free one");
    snprintf(key, sizeof(key), "%s.tls.private-key-file", name);
    if ((t->cert_chain_file == NULL) != (t->private_key_file == NULL))
        complain(k, n, key, "a certificate chain and a private key go together; write both");
    snprintf(key, sizeof(key), "%s.tls.client-auth", name);
    if (t->client_auth != CONFIG_AUTH_NONE && t->trust_collection_file == NULL)
        complain(k, n, key, "needs tls.trust-collection-file to judge clients by");
    if (t->client_auth != CONFIG_AUTH_NONE && t->cert_chain_file == NULL)
        complain(k, n, key, "needs tls.cert-chain-file and tls.private-key-file");
    snprintf(key, sizeof(key), "%s.address", name);
    if (!is_open && !is_loopback(api->address) && t->client_auth != CONFIG_AUTH_REQUIRE) {
        snprintf(what, sizeof(what),
                 "%.64s is no loopback address, and whoever reaches this port may use it; write "
                 "127.0.0.1, or tls with client-auth: require",
                 api->address);
        complain(k, n, key, what);
    }
}

static void check_lease(struct check *k, struct config_node *n, const char *name)
{
    char key[64], what[160], renew[32], expiry[32], least[32];

    snprintf(key, sizeof(key), "%s.lease-expiry", name);
    if (n->lease.lease_expiry_us < 3 * n->lease.lease_renew_us) {
        value_format_duration(n->lease.lease_renew_us, renew);
        value_format_duration(n->lease.lease_expiry_us, expiry);
        value_format_duration(3 * n->lease.lease_renew_us, least);
        snprintf(what, sizeof(what), "%s is less than 3 x lease-renew (%s); set %s or more", expiry,
                 renew, least);
        complain(k, n, key, what);
    }
    snprintf(key, sizeof(key), "%s.enabled", name);
    if (!is_set(n, key))
        n->lease.is_enabled = n->storage.type != CONFIG_SQLITE;
    else if (n->lease.is_enabled && !is_bad(n, "storage.type") && n->storage.type == CONFIG_SQLITE)
        complain(k, n, key, "sqlite is for one process; replicas need postgresql or oracle");
}

static void check_node(struct check *k, struct config_node *n)
{
    bool is_sequencer = n->kind == CONFIG_Y || n->kind == CONFIG_S;

    check_storage(k, n);
    check_lease(k, n, is_sequencer ? "high-availability" : "replication");
    if (is_sequencer)
        check_api(k, n, "public-api", &n->public_api, true);
    if (n->kind == CONFIG_P)
        check_api(k, n, "api", &n->api, false);
    else
        check_api(k, n, "admin-api", &n->admin_api, false);
    if (n->kind == CONFIG_P && n->synchronizers.n == 0 && !is_set(n, "synchronizers"))
        complain(k, n, "synchronizers",
                 "missing; write NAME: [\"http://HOST:PORT\"], the sequencer's public APIs");
    if (n->kind == CONFIG_P && n->synchronizers.n > 1)
        complain(k, n, "synchronizers",
                 "more than one; a participant connects to one synchronizer in this release");
    if ((n->client_tls.cert_chain_file == NULL) != (n->client_tls.private_key_file == NULL))
        complain(k, n, "sequencer-client.tls.private-key-file",
                 "a certificate chain and a private key go together; write both");
}

/* The API of a node by number, NULL when it has none there. */
static const struct config_api *api_at(const struct config_node *n, int i, const char **key)
{
    static const char *const keys[] = {"public-api.port", "admin-api.port", "api.port"};
    const struct config_api *apis[] = {&n->public_api, &n->admin_api, &n->api};

    *key = keys[i];
    return is_set(n, keys[i]) ? apis[i] : NULL;
}

/* Two APIs on one port cannot both listen. */
static void check_ports(struct check *k)
{
    const struct config *c = k->c;
    char what[160], path[96];

    for (size_t i = 0; i < 3 * c->n_nodes; i++) {
        const char *key, *other_key;
        const struct config_api *a = api_at(&c->node[i / 3], (int)(i % 3), &key);

        for (size_t j = 0; a != NULL && a->port != 0 && j < i; j++) {
            const struct config_api *b = api_at(&c->node[j / 3], (int)(j % 3), &other_key);

            if (b == NULL || b->port != a->port || strcmp(a->address, b->address) != 0)
                continue;
            check_node_path(&c->node[j / 3], path);
            snprintf(what, sizeof(what), "%d is the port of %s.%s too; choose another",
                     (int)a->port, path, other_key);
            complain(k, &c->node[i / 3], key, what);
        }
    }
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Two nodes in one schema would share their identity. */
static void check_apart(struct check *k)
{
    const struct config *c = k->c;
    char what[200], path[96];

    for (size_t i = 0; i < c->n_nodes; i++)
        for (size_t j = 0; j < i; j++) {
            const struct config_storage *a = &c->node[i].storage, *b = &c->node[j].storage;

            if (a->type != b->type || !same(a->file, b->file) || !same(a->dsn, b->dsn) ||
                !same(a->server, b->server) || a->port != b->port ||
                !same(a->database, b->database) || !same(a->schema, b->schema) ||
                (a->file == NULL && a->dsn == NULL && a->database == NULL))
                continue;
            check_node_path(&c->node[j], path);
            snprintf(what, sizeof(what), "the storage of %s too; each node needs a %s of its own",
                     path, a->type == CONFIG_SQLITE ? "file" : "schema");
            complain(k, &c->node[i], a->type == CONFIG_SQLITE ? "storage.file" : "storage.schema",
                     what);
        }
}

/* 32 bytes as hex digits, or not given. What it holds is a secret, and not said. */
static bool is_wrapping_key(const char *text)
{
    return text == NULL || (strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64);
}

static void check_keys(const struct config *c, struct config_report *report)
{
    const struct config_keys *k = &c->keys;
    struct config_place nowhere = {0, 0};

    if (!is_wrapping_key(k->encryption_key))
        report_add(report, nowhere,
                   "keys.encryption-key: not 64 hex digits; make one with: openssl rand -hex 32");
    if (!is_wrapping_key(k->previous_encryption_key))
        report_add(report, nowhere, "keys.previous-encryption-key: not 64 hex digits");
    if (k->is_plaintext && k->encryption_key != NULL)
        report_add(report, nowhere,
                   "keys.plaintext: contradicts keys.encryption-key; remove one (to go back to "
                   "plaintext, make the key keys.previous-encryption-key)");
    if (!k->is_plaintext && k->encryption_key == NULL && k->previous_encryption_key != NULL)
        report_add(report, nowhere,
                   "keys.previous-encryption-key: reads only; write keys.encryption-key, or "
                   "keys.plaintext: true, too");
}

void check_config(struct config *c, struct config_report *report)
{
    struct check k = {.c = c, .report = report};

    check_keys(c, report);

    for (size_t i = 0; i < c->n_nodes; i++)
        check_node(&k, &c->node[i]);
    check_ports(&k);
    check_apart(&k);
    for (size_t i = 0; i < c->n_nodes; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(c->node[i].name, c->node[j].name) == 0)
                report_add(report, c->node[i].place,
                           "%s: the name of two nodes; the log could not tell them apart",
                           c->node[i].name);
}
