/* clang-format off */
/* config_table.h: every option, once. The parser, the defaults, the misspelling advice and the check of
 * lockstep.yaml(5) all read these rows.
 *
 * CONFIG_NODE_OPTIONS(X), one row an option of a node:
 *   X(kinds, key path below the node, type, field of struct config_node, least, most, default, choices, doc)
 * CONFIG_TOP_OPTIONS(X), one row an option of the file:
 *   X(key path, type, field of struct config, least, most, default, choices, doc)
 * CONFIG_FOREIGN_KEYS(X), keys of the existing implementation that have no meaning here:
 *   X(kinds, key path below the node, what to write instead)
 * kinds: Y synchronizer, S sequencer, M mediator, P participant.
 * type: BOOL INT DURATION SIZE STRING HIDDEN (a string that may hold a secret) PATH ENUM URLS NAMED_URLS.
 * least and most: the number itself, microseconds or bytes. default: as written in the file; NULL means
 * unset (0, NULL, none). choices: of an ENUM, in the order of its C enum. */
#ifndef CONFIG_CONFIG_TABLE_H
#define CONFIG_CONFIG_TABLE_H

#define MS INT64_C(1000)
#define SEC INT64_C(1000000)
#define MIN (60 * SEC)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

#define CONFIG_TLS_OPTIONS(X, kinds, prefix, f)                                                    \
    X(kinds, prefix ".cert-chain-file", PATH, f.cert_chain_file, 0, 0, NULL, NULL,                 \
      "own certificates, leaf first, PEM")                                                         \
    X(kinds, prefix ".private-key-file", PATH, f.private_key_file, 0, 0, NULL, NULL,               \
      "private key of the leaf, PEM")                                                              \
    X(kinds, prefix ".trust-collection-file", PATH, f.trust_collection_file, 0, 0, NULL, NULL,     \
      "certificates of the authorities that peers must come from, PEM")

#define CONFIG_API_OPTIONS(X, kinds, prefix, f)                                                    \
    X(kinds, prefix ".address", STRING, f.address, 0, 0, "127.0.0.1", NULL,                        \
      "address to listen on")                                                                      \
    X(kinds, prefix ".port", INT, f.port, 0, 65535, NULL, NULL,                                    \
      "port to listen on; 0 takes a free one, which the log names")                                \
    CONFIG_TLS_OPTIONS(X, kinds, prefix ".tls", f.tls)                                             \
    X(kinds, prefix ".tls.client-auth", ENUM, f.tls.client_auth, 0, 0, "none",                     \
      "none|optional|require", "whether clients show a certificate")

#define CONFIG_STORAGE_OPTIONS(X, kinds)                                                           \
    X(kinds, "storage.type", ENUM, storage.type, 0, 0, NULL, "sqlite|postgresql|oracle",           \
      "the engine")                                                                                \
    X(kinds, "storage.file", PATH, storage.file, 0, 0, NULL, NULL,                                 \
      "sqlite: the database file, made when it is not there")                                      \
    X(kinds, "storage.driver", STRING, storage.driver, 0, 0, NULL, NULL,                           \
      "ODBC driver: its file, or its name in odbcinst.ini; unset finds the engine's usual one")    \
    X(kinds, "storage.dsn", STRING, storage.dsn, 0, 0, NULL, NULL,                                 \
      "name of a data source in odbc.ini, in place of driver, file, server, port and database")          \
    X(kinds, "storage.server", STRING, storage.server, 0, 0, NULL, NULL,                           \
      "host, several hosts separated by commas, or the folder of a Unix socket")                   \
    X(kinds, "storage.port", INT, storage.port, 1, 65535, NULL, NULL,                              \
      "port of the server; unset takes the engine's")                                              \
    X(kinds, "storage.database", STRING, storage.database, 0, 0, NULL, NULL,                       \
      "database on the server; oracle: its service, or without server a name of tnsnames.ora")     \
    X(kinds, "storage.schema", STRING, storage.schema, 0, 0, NULL, NULL,                           \
      "schema of this node in the database; replicas share it; oracle: the user who owns it")      \
    X(kinds, "storage.user", STRING, storage.user, 0, 0, NULL, NULL,                               \
      "account")                                                                                   \
    X(kinds, "storage.password", HIDDEN, storage.password, 0, 0, NULL, NULL,                       \
      "its password; best as password-file")                                                       \
    X(kinds, "storage.password-file", PATH, storage.password_file, 0, 0, NULL, NULL,               \
      "file with its password, read at each connection, so that it may change while nodes run")    \
    X(kinds, "storage.migration-user", STRING, storage.migration_user, 0, 0, NULL, NULL,           \
      "account that owns the tables and migrates; unset: user")                                    \
    X(kinds, "storage.migration-password", HIDDEN, storage.migration_password, 0, 0, NULL, NULL,   \
      "its password; best as migration-password-file")                                             \
    X(kinds, "storage.migration-password-file", PATH, storage.migration_password_file, 0, 0, NULL, \
      NULL, "file with its password")                                                              \
    X(kinds, "storage.tls", ENUM, storage.tls, 0, 0, NULL,                                         \
      "disable|require|verify-ca|verify-full",                                                     \
      "postgresql: never TLS; TLS with anybody; with a server of tls-root-file; that bears its name") \
    X(kinds, "storage.tls-root-file", PATH, storage.tls_root_file, 0, 0, NULL, NULL,               \
      "certificates of the authorities that the server must come from, PEM")                       \
    X(kinds, "storage.tls-cert-file", PATH, storage.tls_cert_file, 0, 0, NULL, NULL,               \
      "own certificates, leaf first, PEM")                                                         \
    X(kinds, "storage.tls-key-file", PATH, storage.tls_key_file, 0, 0, NULL, NULL,                 \
      "private key of the leaf, PEM, for this account's eyes only")                                \
    X(kinds, "storage.options", HIDDEN, storage.options, 0, 0, NULL, NULL,                         \
      "more keywords for the ODBC driver, KEY=VALUE separated by semicolons")                      \
    X(kinds, "storage.max-connections", INT, storage.max_connections, 2, 64, "8", NULL,            \
      "most connections that this process opens for this node")                                    \
    X(kinds, "storage.connection-timeout", DURATION, storage.connection_timeout_us,                \
      100 * MS, 5 * MIN, "5s", NULL, "most time to open a connection")                             \
    X(kinds, "storage.statement-timeout", DURATION, storage.statement_timeout_us,                  \
      100 * MS, HOUR, "10s", NULL, "most time for a statement or a commit")

#define CONFIG_LEASE_OPTIONS(X, kinds, prefix, f)                                                  \
    X(kinds, prefix ".enabled", BOOL, f.is_enabled, 0, 0, NULL, NULL,                              \
      "whether replicas of this node may share its database; unset: yes, but not with sqlite")     \
    X(kinds, prefix ".lease-renew", DURATION, f.lease_renew_us, 10 * MS, MIN, "250ms", NULL,       \
      "time between two signs of life")                                                            \
    X(kinds, prefix ".lease-expiry", DURATION, f.lease_expiry_us, 30 * MS, 5 * MIN, "1s", NULL,    \
      "silence after which another replica takes over; at least three times lease-renew")

#define CONFIG_NODE_OPTIONS(X)                                                                     \
    X(CONFIG_ALL, "migrate-on-start", BOOL, is_migrating, 0, 0, NULL, NULL,                        \
      "bring the schema up to date at start; unset: yes with sqlite, else as at the top, else no") \
    CONFIG_STORAGE_OPTIONS(X, CONFIG_ALL)                                                          \
    CONFIG_API_OPTIONS(X, CONFIG_Y | CONFIG_S, "public-api", public_api)                           \
    X(CONFIG_Y | CONFIG_S, "public-api.nonce-expiration-interval", DURATION, nonce_expiration_us,  \
      SEC, HOUR, "1m", NULL, "time that a member has to answer a challenge")                       \
    X(CONFIG_Y | CONFIG_S, "public-api.max-token-expiration-interval", DURATION,                   \
      token_expiration_us, 10 * SEC, DAY, "1h", NULL, "longest life of an authentication token")   \
    X(CONFIG_Y | CONFIG_S, "public-api.max-subscriptions-per-member", INT,                         \
      max_subscriptions, 1, 1000, "5", NULL,                                                       \
      "subscriptions of one member at this replica; one more ends the oldest")                     \
    CONFIG_API_OPTIONS(X, CONFIG_Y | CONFIG_S | CONFIG_M, "admin-api", admin_api)                  \
    CONFIG_API_OPTIONS(X, CONFIG_P, "api", api)                                                    \
    CONFIG_LEASE_OPTIONS(X, CONFIG_Y | CONFIG_S, "high-availability", lease)                       \
    X(CONFIG_Y | CONFIG_S, "high-availability.total-node-count", INT, total_node_count, 1, 100,    \
      "10", NULL, "most replicas of this sequencer; fixed when it is initialised")                 \
    X(CONFIG_Y | CONFIG_S, "high-availability.max-clock-skew", DURATION, max_clock_skew_us,        \
      MS, 10 * SEC, "500ms", NULL,                                                                 \
      "how far a replica's clock may be ahead of the database's; a write beyond it is refused")    \
    CONFIG_LEASE_OPTIONS(X, CONFIG_M | CONFIG_P, "replication", lease)                             \
    X(CONFIG_M, "replication.in-flight", ENUM, in_flight, 0, 0, "resume", "resume|purge",          \
      "what becomes of requests in flight when another replica takes over")                        \
    X(CONFIG_Y, "mediator", ENUM, mediator, 0, 0, "embedded", "embedded|external",                 \
      "whether this process runs the mediator too")                                                \
    X(CONFIG_M, "sequencer-connections", URLS, sequencers, 1, 64, NULL, NULL,                      \
      "public APIs of the sequencer's replicas, http://HOST:PORT or https://HOST:PORT")            \
    X(CONFIG_P, "synchronizers", NAMED_URLS, synchronizers, 1, 64, NULL, NULL,                     \
      "synchronizers to connect to: a name, and the public APIs of its sequencer's replicas")      \
    X(CONFIG_P, "confirm", ENUM, confirm, 0, 0, "auto", "auto|manual|reject",                      \
      "how requests are answered: approved at once, by a client of the API, or rejected")          \
    CONFIG_TLS_OPTIONS(X, CONFIG_M | CONFIG_P, "sequencer-client.tls", client_tls)                 \
    X(CONFIG_Y | CONFIG_S, "parameters.confirmation-response-timeout", DURATION,                   \
      confirmation_response_timeout_us, 100 * MS, DAY, "30s", NULL,                                \
      "genesis: time that participants have to respond to a request")                              \
    X(CONFIG_Y | CONFIG_S, "parameters.mediator-reaction-timeout", DURATION,                       \
      mediator_reaction_timeout_us, 100 * MS, DAY, "30s", NULL,                                    \
      "genesis: time that the mediator has for its verdict after that")                            \
    X(CONFIG_Y | CONFIG_S, "parameters.topology-change-delay", DURATION,                           \
      topology_change_delay_us, 0, HOUR, "250ms", NULL,                                            \
      "genesis: time until a sequenced topology change takes effect; fixed for ever")              \
    X(CONFIG_Y | CONFIG_S, "parameters.max-request-size", SIZE, max_request_size, 16 * KIB,        \
      512 * MIB, "10MiB", NULL, "genesis: largest submission that the sequencer takes")

#define CONFIG_TOP_OPTIONS(X)                                                                      \
    X("logging.level", ENUM, log_level, 0, 0, "info", "trace|debug|info|warn|error",               \
      "least severity that is written")                                                            \
    X("logging.format", ENUM, log_format, 0, 0, "text", "text|json",                               \
      "lines for people, or one JSON object a line")                                               \
    X("migrate-on-start", BOOL, is_migrating, 0, 0, NULL, NULL,                                    \
      "for nodes that do not say it themselves")                                                   \
    X("keys.encryption-key", HIDDEN, keys.encryption_key, 0, 0, NULL, NULL,                        \
      "what private keys are encrypted under in the databases: 64 hex digits")                     \
    X("keys.previous-encryption-key", HIDDEN, keys.previous_encryption_key, 0, 0, NULL, NULL,      \
      "reads keys that lie there under this one; they are stored anew under the other")            \
    X("keys.plaintext", BOOL, keys.is_plaintext, 0, 0, "false", NULL,                              \
      "private keys lie in the databases unencrypted")

#define CONFIG_FOREIGN_KEYS(X)                                                                     \
    X(CONFIG_ALL, "high-availability.offline-duration", "high-availability.lease-expiry")          \
    X(CONFIG_ALL, "high-availability.online-check-interval", "high-availability.lease-expiry")     \
    X(CONFIG_ALL, "high-availability.keep-alive-interval", "high-availability.lease-renew")        \
    X(CONFIG_ALL, "high-availability.exclusive-storage", "nothing: a lease in the database decides")\
    X(CONFIG_ALL, "high-availability.connection-pool", "storage.max-connections and high-availability.lease-expiry")\
    X(CONFIG_ALL, "high-availability.passive-check-period", "high-availability.lease-expiry")      \
    X(CONFIG_ALL, "replication.connection-pool", "replication.lease-expiry")                       \
    X(CONFIG_ALL, "replication.passive-check-period", "replication.lease-expiry")                  \
    X(CONFIG_ALL, "replication.exclusive-storage", "nothing: a lease in the database decides")     \
    X(CONFIG_ALL, "exclusive-storage", "nothing: a lease in the database decides")                 \
    X(CONFIG_ALL, "sequencer.type", "storage.type: a sequencer here is always a database sequencer")\
    X(CONFIG_ALL, "sequencer.config.storage", "storage of the sequencer")                          \
    X(CONFIG_ALL, "sequencer", "the same keys directly below the sequencer")                       \
    X(CONFIG_ALL, "writer", "nothing: one writer commits whatever has queued up")                  \
    X(CONFIG_ALL, "reader", "nothing: one tailer serves all subscriptions")                        \
    X(CONFIG_ALL, "storage.config", "storage.server, storage.database, storage.user, ... directly below storage")\
    X(CONFIG_ALL, "storage.parameters.migrate-and-start", "migrate-on-start")                      \
    X(CONFIG_ALL, "storage.parameters.max-connections", "storage.max-connections")                 \
    X(CONFIG_ALL, "storage.parameters.connection-timeout", "storage.connection-timeout")           \
    X(CONFIG_ALL, "storage.parameters", "storage.max-connections, storage.connection-timeout or migrate-on-start")\
    X(CONFIG_ALL, "init", "nothing: a node makes its identity and keys at its first start")        \
    X(CONFIG_ALL, "crypto", "keys.encryption-key at the top of the file; the rest needs no setting")    \
    X(CONFIG_ALL, "public-api.max-auth-tokens-per-member", "nothing: tokens are self-contained and not counted")\
    X(CONFIG_ALL, "public-api.use-exponential-random-token-expiration", "nothing: tokens expire when they say")\
    X(CONFIG_ALL, "public-api.override-max-request-size", "parameters.max-request-size, at genesis")\
    X(CONFIG_ALL, "public-api.keep-alive-server", "nothing: connections are kept alive")           \
    X(CONFIG_ALL, "admin-api.keep-alive-server", "nothing: connections are kept alive")            \
    X(CONFIG_ALL, "acknowledgements-conflate-window", "nothing: acknowledgements cost one row")    \
    X(CONFIG_ALL, "monitoring", "nothing: every port serves grpc.health.v1 (lockstep health)")     \
    X(CONFIG_ALL, "health", "nothing: health follows the node's own state")                        \
    X(CONFIG_ALL, "mediator.deduplication-store", "nothing: deduplication prunes itself")          \
    X(CONFIG_ALL, "time-tracker", "nothing: time comes with the events")                           \
    X(CONFIG_ALL, "topology", "nothing: topology is sent when it changes")                         \
    X(CONFIG_ALL, "ledger-api", "api")                                                             \
    X(CONFIG_ALL, "http-ledger-api", "api")                                                        \
    X(CONFIG_ALL, "parameters.watchdog", "nothing: systemd's watchdog is served (WatchdogSec=)")   \
    X(CONFIG_ALL, "parameters.batching", "nothing: batches take what has queued up")               \
    X(CONFIG_ALL, "parameters.caching", "nothing: caches are bounded by themselves")               \
    X(CONFIG_ALL, "parameters.delayed-verdict-sender", "nothing: the active replica sends at once")
/* clang-format on */
#endif
