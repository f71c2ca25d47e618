/* cli.h: the frame of `lockstep`: families of commands, their options, their output, their exit
 * codes.
 *
 * A family is one file cmd_X.c that defines `const struct cli_family cmd_X`, and one row in
 * families.def. From its tables come the parsing, `--help`, and the check of lockstep(1). Options
 * that every command has, and commands need not list: -o FORMAT, -h.
 *
 *   static const struct cli_option migrate_options[] = {
 *       CLI_CONFIG_OPTION, {"node", 'n', "NAME", "the node, when the file has several"}, {0}};
 *   static const struct cli_command commands[] = {
 *       {"migrate", "", 0, 0, "bring the schema up to date", NULL, migrate_options, migrate}, {0}};
 *   const struct cli_family cmd_db = {"db", "look after a node's database", commands};
 *
 * Threads: one. Secrets: never printed. */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "config/config.h"

/* Exit codes of every command; what else a command uses is in its help. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,       /* refused or failed: the message says why */
    CLI_USAGE = 2,        /* wrong arguments */
    CLI_UNAVAILABLE = 69, /* a server or database does not answer, or not in time */
    CLI_BAD_CONFIG = 78   /* a configuration file is wrong */
};
enum cli_format { CLI_TABLE, CLI_JSON, CLI_YAML };

struct cli;
struct logger;

struct cli_option {
    const char *name; /* long name without "--"; NULL ends the table */
    char letter;      /* 0: none. Not 'o' or 'h' */
    const char *arg;  /* "FILE"; NULL: a flag */
    const char *help;
};
/* -c FILE, for commands that read a node's configuration; see cli_config. */
#define CLI_CONFIG_OPTION                                                                          \
    {                                                                                              \
        "config", 'c', "FILE", "configuration file; default: lockstep/lockstep.yaml in sysconfdir" \
    }
/* How to reach a server, for commands that connect to one; see rpc.h. */
#define CLI_CONNECTION_OPTIONS                                                                     \
    {"tls-trust", 0, "FILE", "authorities of its certificate, PEM; turns TLS on"},                 \
        {"tls-cert", 0, "FILE", "own certificates, PEM"},                                          \
        {"tls-key", 0, "FILE", "their key, PEM"},                                                  \
    {                                                                                              \
        "timeout", 't', "DURATION", "longest wait; default 10s"                                    \
    }
/* -a HOST:PORT and how to reach it. */
#define CLI_SERVER_OPTIONS(what) {"server", 'a', "HOST:PORT", what}, CLI_CONNECTION_OPTIONS

struct cli_command {
    const char *name; /* "migrate"; "" when the family itself is the command; NULL ends */
    const char *args; /* positional ones for the help, "NAME [NAME...]"; "" for none */
    int min_args, max_args;
    const char *summary;              /* one line, lower case, no full stop */
    const char *help;                 /* more paragraphs, or NULL */
    const struct cli_option *options; /* NULL for none */
    int (*run)(struct cli *cli);      /* gives an exit code */
};
struct cli_family {
    const char *name;
    const char *summary;
    const struct cli_command *commands;
};

/* ---- what the command line said ---- */
const char *cli_value(const struct cli *cli, const char *name); /* last one given, or NULL */
const char *cli_value_at(const struct cli *cli, const char *name, size_t i); /* i-th, or NULL */
bool cli_flag(const struct cli *cli, const char *name);
size_t cli_n_args(const struct cli *cli);
const char *cli_arg(const struct cli *cli, size_t i); /* NULL past the end */
/* Values with units and ranges; *out stays as it is when the option was not given. False: reported,
 * end with CLI_USAGE. */
MUST_CHECK bool cli_int(struct cli *cli, const char *name, int64_t least, int64_t most,
                        int64_t *out);
MUST_CHECK bool cli_duration(struct cli *cli, const char *name, int64_t least_us, int64_t most_us,
                             int64_t *out);
MUST_CHECK bool cli_size(struct cli *cli, const char *name, int64_t least, int64_t most,
                         int64_t *out);

/* ---- what it says ---- */
enum cli_format cli_format(const struct cli *cli);
FILE *cli_out(const struct cli *cli); /* results; progress and notes go to cli_err */
FILE *cli_err(const struct cli *cli);
struct logger *cli_logger(const struct cli *cli); /* warnings, as text on cli_err */
/* Prints doc (whose reference it takes) as -o says and gives CLI_OK, or CLI_FAILED when it could
 * not be written. Table: an array of objects is a table whose columns are the keys of the first
 * object; an object is "key  value" lines, nested arrays of objects as tables below. JSON: one line
 * for an object or array. A NULL doc is "no memory". */
MUST_CHECK int cli_print(struct cli *cli, json_t *doc);
/* "lockstep FAMILY COMMAND: text" on cli_err; gives CLI_USAGE. */
int cli_usage(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "lockstep FAMILY COMMAND: cause; advice [LS-ID]" on cli_err; gives the exit code that fits err.
 */
int cli_fail(struct cli *cli, const struct error *err);

/* ---- configuration ---- */
/* Reads -c FILE. False: every problem was printed; end with CLI_BAD_CONFIG. *out belongs to the
 * frame and lives until the command ends. */
MUST_CHECK bool cli_config(struct cli *cli, const struct config **out);
/* The same, and the node that -n NAME names, or the only one. False: reported, *code says how to
 * end. */
MUST_CHECK bool cli_node(struct cli *cli, const struct config_node **out, int *code);
#define CLI_NODE_OPTION                                                                            \
    {                                                                                              \
        "node", 'n', "NAME", "the node of the file; may be left out when it has one"               \
    }

/* The program. argv[0] is ignored. Writes to out and err. */
int cli_main(int argc, char **argv, FILE *out, FILE *err);
/* All families in the order of families.def; NULL past the end. */
const struct cli_family *cli_family_at(size_t i);
#endif
