/* node_db.h: the database of a node, as its configuration says. Threads: any. */
#ifndef NODE_NODE_DB_H
#define NODE_NODE_DB_H
#include "config/config.h"
#include "storage/db.h"

/* What storage/ wants to know. Borrows from s; port_text is room for a number. idle_us: db_config's
 * idle_in_txn_timeout_us, 0 for its default. */
#define NODE_PORT_TEXT 16
void node_db_config(const struct config_storage *s, struct logger *lg,
                    char port_text[NODE_PORT_TEXT], struct db_config *out);
/* Opens it; nothing is migrated. Fails: as db_open, one clear line. */
MUST_CHECK bool node_db_open(const struct config_storage *s, struct logger *lg, struct db **out,
                             struct error *err);
#endif
