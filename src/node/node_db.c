#include "node/node_db.h"

#include <inttypes.h>
#include <stdio.h>

void node_db_config(const struct config_storage *s, int64_t expiry_us, struct logger *lg,
                    char port_text[NODE_PORT_TEXT], struct db_config *out)
{
    static const char *const types[] = {"sqlite", "postgresql", "oracle"};

    snprintf(port_text, NODE_PORT_TEXT, "%" PRId64, s->port);
    *out = (struct db_config){
        .type = types[s->type],
        .dsn = s->dsn,
        .driver = s->driver,
        .server = s->server,
        .port = s->port > 0 ? port_text : NULL,
        .database = s->database,
        .user = s->user,
        .password = s->password,
        .schema = s->schema,
        .file = s->file,
        .options = s->options,
        .pool_max = (uint32_t)s->max_connections,
        .checkout_timeout_us = s->connection_timeout_us,
        .login_timeout_us = s->connection_timeout_us,
        .statement_timeout_us = s->statement_timeout_us,
        .idle_in_txn_timeout_us = expiry_us / 2,
        .logger = lg,
    };
}

bool node_db_open(const struct config_node *n, struct logger *lg, struct db **out,
                  struct error *err)
{
    char port[NODE_PORT_TEXT];
    struct db_config cfg;

    node_db_config(&n->storage, n->lease.lease_expiry_us, lg, port, &cfg);
    return db_open(&cfg, out, err);
}
