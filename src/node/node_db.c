#include "node/node_db.h"

#include <inttypes.h>
#include <stdio.h>

void node_db_config(const struct config_storage *s, struct logger *lg,
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
        .logger = lg,
    };
}

bool node_db_open(const struct config_storage *s, struct logger *lg, struct db **out,
                  struct error *err)
{
    char port[NODE_PORT_TEXT];
    struct db_config cfg;

    node_db_config(s, lg, port, &cfg);
    return db_open(&cfg, out, err);
}
