/* config.h: the configuration file, YAML to one checked structure.
 * What the file may say is config_table.h and lockstep.yaml(5). All problems of a file are
 * reported, not the first alone, each as "FILE:LINE:COLUMN: what is wrong; what to write
 * [LS-CONFIG]". A value that may be a secret is never in a report: neither hidden options, nor what
 * ${env:} and ${file:} gave. Relative paths are relative to the folder of the file. Threads: a
 * struct config is read-only once loaded; any. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define CONFIG_EXIT_BAD    78 /* EX_CONFIG: exit status of every program for a bad configuration */
#define CONFIG_NAME_MAX    63
#define CONFIG_NODES_MAX   64
#define CONFIG_PROBLEM_MAX 100 /* further problems are counted, not kept */

enum config_kind { /* bits: config_table.h combines them */
                   CONFIG_Y =
                       1, /* synchronizer: a sequencer, with its mediator when that is embedded */
                   CONFIG_S = 2, /* sequencer */
                   CONFIG_M = 4, /* mediator */
                   CONFIG_P = 8, /* participant */
                   CONFIG_ALL = 15
};
enum config_storage_type { CONFIG_SQLITE, CONFIG_POSTGRESQL, CONFIG_ORACLE };
enum config_storage_tls {
    CONFIG_TLS_UNSET = -1, /* the driver's way */
    CONFIG_TLS_DISABLE,
    CONFIG_TLS_REQUIRE,
    CONFIG_TLS_VERIFY_CA,
    CONFIG_TLS_VERIFY_FULL
};
enum config_client_auth { CONFIG_AUTH_NONE, CONFIG_AUTH_OPTIONAL, CONFIG_AUTH_REQUIRE };
enum config_in_flight { CONFIG_RESUME, CONFIG_PURGE };
enum config_confirm { CONFIG_CONFIRM_AUTO, CONFIG_CONFIRM_MANUAL, CONFIG_CONFIRM_REJECT };
enum config_mediator { CONFIG_MEDIATOR_EMBEDDED, CONFIG_MEDIATOR_EXTERNAL };

struct config_place {
    int line, column; /* from 1; line 0: not in the file, the default holds */
};

struct config_tls {
    char *cert_chain_file, *private_key_file, *trust_collection_file; /* NULL: unset */
    int client_auth;                                                  /* enum config_client_auth */
};
struct config_api {
    char *address;
    int64_t port; /* 0: any free one */
    struct config_tls tls;
};
struct config_storage {
    int type;                                                      /* enum config_storage_type */
    char *file, *driver, *dsn, *server, *database, *schema, *user; /* NULL: unset */
    int64_t port;                                                  /* 0: the engine's */
    char *password, *options;                                      /* secret */
    char *password_file; /* read at each connection; also when password is one whole ${file:PATH} */
    char *migration_user, *migration_password, *migration_password_file; /* who owns the tables */
    int tls; /* enum config_storage_tls */
    char *tls_root_file, *tls_cert_file, *tls_key_file;
    int64_t max_connections, connection_timeout_us, statement_timeout_us;
};
struct config_lease {
    bool is_enabled; /* replicas may share the database */
    int64_t lease_renew_us, lease_expiry_us;
};
struct config_url {
    char *text; /* "http://host:port" as written */
    char *host; /* without brackets */
    int port;
    bool is_tls;
};
struct config_urls {
    struct config_url *url;
    size_t n;
};
struct config_named_urls {
    struct {
        char *name;
        struct config_urls urls;
    } * entry;
    size_t n;
};

struct config_node {
    enum config_kind kind;
    char *name;
    struct config_place place; /* of the name in the file */
    struct config_storage storage;
    bool is_migrating;
    struct config_api public_api; /* Y S */
    struct config_api admin_api;  /* Y S M */
    struct config_api api;        /* P */
    int64_t nonce_expiration_us, token_expiration_us, max_subscriptions;
    struct config_lease lease; /* Y S high-availability, M P replication */
    int64_t total_node_count, max_clock_skew_us;
    int in_flight;                          /* M: enum config_in_flight */
    int mediator;                           /* Y: enum config_mediator */
    struct config_urls sequencers;          /* M */
    struct config_named_urls synchronizers; /* P: exactly one in this release */
    int confirm;                            /* P: enum config_confirm */
    struct config_tls client_tls;           /* M P: towards sequencers */
    /* Y S: genesis only */
    int64_t confirmation_response_timeout_us, mediator_reaction_timeout_us,
        topology_change_delay_us, max_request_size;
    struct config_place *places; /* by row of CONFIG_NODE_OPTIONS: where it was said */
};

/* How private keys lie in the databases. */
struct config_keys {
    char *encryption_key, *previous_encryption_key; /* secret: 64 hex digits; NULL: unset */
    bool is_plaintext;
};

struct config {
    char *path;
    struct config_keys keys;
    int log_level;  /* enum log_level */
    int log_format; /* enum log_format */
    bool is_migrating;
    struct config_node *node; /* in the order of the file */
    size_t n_nodes;
};

struct config_problem {
    struct config_place place;
    char *text; /* "what is wrong; what to write [LS-CONFIG]" */
};
/* Zero-initialise; release with config_report_free. Problems are in the order of the file. */
struct config_report {
    struct config_problem *problem;
    size_t n;
    size_t n_more; /* found but not kept */
};

/* Reads and checks path ("-" is standard input). On true *out is the caller's, to config_free. On
 * false report lists at least one problem. */
MUST_CHECK bool config_load(const char *path, struct config **out, struct config_report *report);
/* The same of len bytes in memory. path names them in messages and gives the folder of relative
 * paths. */
MUST_CHECK bool config_parse(const char *path, const char *text, size_t len, struct config **out,
                             struct config_report *report);
void config_free(struct config *c);
/* Writes one line a problem: "FILE:LINE:COLUMN: text". */
void config_report_print(const struct config_report *r, const char *path, FILE *to);
void config_report_free(struct config_report *r);

/* "synchronizer", "sequencer", "mediator", "participant". */
const char *config_kind_name(enum config_kind kind);

/* The node called name; with name NULL the only one. NULL if there is none, or several. */
const struct config_node *config_find(const struct config *c, const char *name);

/* The storage of the embedded mediator of a synchronizer: its own file ("-mediator" before the
 * extension) or schema ("_mediator" behind). Deep copy, to config_storage_free. Fails: ERR_MEMORY.
 */
MUST_CHECK bool config_storage_of_mediator(const struct config_storage *from,
                                           struct config_storage *out, struct error *err);
void config_storage_free(struct config_storage *s);

/* For the tests and the completion: row i of the option table; false past the end. */
struct config_option {
    int kinds;       /* of enum config_kind; 0: an option of the file */
    const char *key; /* path below the node, or below the file */
    const char *type, *fallback, *choices, *doc;
};
bool config_option_at(size_t i, struct config_option *out);
#endif
