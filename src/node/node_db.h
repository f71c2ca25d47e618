/* node_db.h: the database of a node, as its configuration says. Threads: any. */
#ifndef NODE_NODE_DB_H
#define NODE_NODE_DB_H
#include "config/config.h"
#include "storage/db.h"

/* What storage/ wants to know of s. Borrows from s; port_text is room for a number. expiry_us: of
 * the leases that lie there; a session that sits in a transaction is ended after half of it. */
#define NODE_PORT_TEXT 16
void node_db_config(const struct config_storage *s, int64_t expiry_us, struct logger *lg,
                    char port_text[NODE_PORT_TEXT], struct db_config *out);
/* Opens the database of a node; nothing is migrated. Fails: as db_open, one clear line. */
MUST_CHECK bool node_db_open(const struct config_node *n, struct logger *lg, struct db **out,
                             struct error *err);
/* Brings the schema up to date, by the account that owns it when there is such a one, which then
 * grants the node's account what it needs. db: open, as the node's account. Fails: as db_migrate.
 */
MUST_CHECK bool node_db_migrate(const struct config_node *n, struct db *db, struct logger *lg,
                                int *applied, struct error *err);
/* SQLite: a file is for one process, so this one takes it for itself, until *fd is closed or the
 * process is gone; waits up to 3 s for one that is ending. Call before node_db_open, and close *fd
 * after db_close only: closing any descriptor of the file drops SQLite's own locks. *fd -1: there
 * is nothing to lock (another engine, a data source of odbc.ini, or a file that cannot be opened,
 * which node_db_open then explains). Fails: ERR_UNAVAILABLE, ERR_READ_ONLY (its file system). */
MUST_CHECK bool node_db_lock(const struct config_storage *s, int *fd, struct error *err);
#endif
