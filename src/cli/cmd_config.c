/* cmd_config.c: `lockstep config`. */
#include "cli/cli.h"

/* Never a secret: names, kinds and where they listen. */
static json_t *describe(const struct config_node *n)
{
    const struct config_api *api = n->kind == CONFIG_P ? &n->api : &n->admin_api;
    static const char *const engines[] = {"sqlite", "postgresql", "oracle"};
    json_t *o = json_object();

    json_object_set_new(o, "node", json_string(n->name));
    json_object_set_new(o, "kind", json_string(config_kind_name(n->kind)));
    json_object_set_new(o, "storage", json_string(engines[n->storage.type]));
    json_object_set_new(o, "schema",
                        json_string(n->storage.schema != NULL ? n->storage.schema
                                    : n->storage.file != NULL ? n->storage.file
                                                              : ""));
    json_object_set_new(o, n->kind == CONFIG_P ? "api" : "admin-api",
                        json_sprintf("%s:%d", api->address, (int)api->port));
    if (n->kind == CONFIG_Y || n->kind == CONFIG_S)
        json_object_set_new(o, "public-api",
                            json_sprintf("%s:%d", n->public_api.address, (int)n->public_api.port));
    return o;
}

static int check(struct cli *cli)
{
    const struct config *c;
    json_t *nodes = json_array();

    if (!cli_config(cli, &c)) {
        json_decref(nodes);
        return CLI_BAD_CONFIG;
    }
    for (size_t i = 0; i < c->n_nodes; i++)
        json_array_append_new(nodes, describe(&c->node[i]));
    return cli_print(cli, nodes);
}

static int options(struct cli *cli)
{
    json_t *rows = json_array();
    struct config_option o;

    for (size_t i = 0; config_option_at(i, &o); i++) {
        json_t *row = json_object();

        json_object_set_new(row, "option", json_string(o.key));
        json_object_set_new(row, "type", json_string(o.choices != NULL ? o.choices : o.type));
        json_object_set_new(row, "default", json_string(o.fallback != NULL ? o.fallback : ""));
        json_object_set_new(row, "meaning", json_string(o.doc));
        json_array_append_new(rows, row);
    }
    return cli_print(cli, rows);
}

static const struct cli_option check_options[] = {CLI_CONFIG_OPTION, {0}};

static const struct cli_command commands[] = {
    {"check", "", 0, 0, "say every problem of a configuration, or list its nodes",
     "Ends with 78 when the file has problems.", check_options, check},
    {"options", "", 0, 0, "list every option with its default and meaning", NULL, NULL, options},
    {0},
};
const struct cli_family cmd_config = {"config", "look at configuration files", commands};
