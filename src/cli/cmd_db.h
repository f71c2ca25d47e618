/* cmd_db.h: the databases of a configuration, for the files of `lockstep db`. Private to cli. */
#ifndef CLI_CMD_DB_H
#define CLI_CMD_DB_H
#include "cli/cli.h"
#include "storage/db.h"

/* Works on one database's configuration. node: whose, "demo/mediator" for the second one of a
 * synchronizer. False: err. */
typedef bool db_config_fn(const struct db_config *cfg, const char *node, void *ctx,
                          struct error *err);
/* Every node of the file -c, or the one that -n names. False: reported, *code says how to end. */
MUST_CHECK bool cmd_db_each(struct cli *cli, db_config_fn *fn, void *ctx, int *code);

int cmd_db_doctor(struct cli *cli);
#endif
