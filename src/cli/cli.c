/* cli.c: finds the command, parses its options, runs it. */
#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/logger.h"
#include "cli/print.h"
#include "config/value.h"

#define VALUES_MAX  256 /* options given at once */
#define OPTIONS_MAX 32  /* of one command */

#ifndef LS_SYSCONFDIR
#define LS_SYSCONFDIR "/etc"
#endif
#define CONFIG_DEFAULT LS_SYSCONFDIR "/lockstep/lockstep.yaml"

struct given {
    const char *name, *value; /* value NULL: a flag */
};
struct cli {
    const struct cli_family *family;
    const struct cli_command *command;
    struct given given[VALUES_MAX];
    size_t n_given;
    char **args;
    size_t n_args;
    enum cli_format format;
    FILE *out, *err;
    struct logger *logger;
    struct config *config;
};

#define X(family) extern const struct cli_family family;
#include "cli/families.def"
#undef X

const struct cli_family *cli_family_at(size_t i)
{
    static const struct cli_family *const all[] = {
#define X(family) &family,
#include "cli/families.def"
#undef X
    };
    return i < sizeof(all) / sizeof(all[0]) ? all[i] : NULL;
}

const char *cli_value_at(const struct cli *cli, const char *name, size_t i)
{
    for (size_t k = 0; k < cli->n_given; k++)
        if (strcmp(cli->given[k].name, name) == 0 && i-- == 0)
            return cli->given[k].value;
    return NULL;
}

const char *cli_value(const struct cli *cli, const char *name)
{
    const char *last = NULL, *v;

    for (size_t i = 0; (v = cli_value_at(cli, name, i)) != NULL; i++)
        last = v;
    return last;
}

bool cli_flag(const struct cli *cli, const char *name)
{
    for (size_t k = 0; k < cli->n_given; k++)
        if (strcmp(cli->given[k].name, name) == 0)
            return true;
    return false;
}

size_t cli_n_args(const struct cli *cli)
{
    return cli->n_args;
}

const char *cli_arg(const struct cli *cli, size_t i)
{
    return i < cli->n_args ? cli->args[i] : NULL;
}

enum cli_format cli_format(const struct cli *cli)
{
    return cli->format;
}

FILE *cli_out(const struct cli *cli)
{
    return cli->out;
}

FILE *cli_err(const struct cli *cli)
{
    return cli->err;
}

struct logger *cli_logger(const struct cli *cli)
{
    return cli->logger;
}

static void print_name(const struct cli *cli)
{
    fprintf(cli->err, "lockstep %s%s%s: ", cli->family->name,
            cli->command->name[0] != '\0' ? " " : "", cli->command->name);
}

int cli_usage(struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    print_name(cli);
    va_start(ap, fmt);
    vfprintf(cli->err, fmt, ap);
    va_end(ap);
    fprintf(cli->err, "; see --help\n");
    return CLI_USAGE;
}

int cli_fail(struct cli *cli, const struct error *err)
{
    char text[1024];

    error_format(err, text, sizeof(text));
    print_name(cli);
    fprintf(cli->err, "%s\n", text);
    if (err->code == ERR_CONFIG)
        return CLI_BAD_CONFIG;
    return err->code == ERR_UNAVAILABLE || err->code == ERR_CONNECTION ||
                   err->code == ERR_TIMEOUT || err->code == ERR_OVERLOADED
               ? CLI_UNAVAILABLE
               : CLI_FAILED;
}

/* One number option. read: of value.h. */
static bool number(struct cli *cli, const char *name, bool (*read)(const char *, int64_t *),
                   int64_t least, int64_t most, int64_t *out, void (*show)(int64_t, char *))
{
    const char *text = cli_value(cli, name);
    char a[32], b[32];
    int64_t v;

    if (text == NULL)
        return true;
    if (read(text, &v) && v >= least && v <= most) {
        *out = v;
        return true;
    }
    show(least, a);
    show(most, b);
    (void)cli_usage(cli, "--%s: \"%.64s\" is not between %s and %s", name, text, a, b);
    return false;
}

static void show_int(int64_t v, char *out)
{
    snprintf(out, 32, "%lld", (long long)v);
}

bool cli_int(struct cli *cli, const char *name, int64_t least, int64_t most, int64_t *out)
{
    return number(cli, name, value_int, least, most, out, show_int);
}

bool cli_duration(struct cli *cli, const char *name, int64_t least_us, int64_t most_us,
                  int64_t *out)
{
    return number(cli, name, value_duration, least_us, most_us, out, value_format_duration);
}

bool cli_size(struct cli *cli, const char *name, int64_t least, int64_t most, int64_t *out)
{
    return number(cli, name, value_size, least, most, out, value_format_size);
}

bool cli_config(struct cli *cli, const struct config **out)
{
    const char *path = cli_value(cli, "config");
    struct config_report report = {0};

    if (path == NULL)
        path = CONFIG_DEFAULT;
    if (cli->config == NULL && !config_load(path, &cli->config, &report)) {
        config_report_print(&report, path, cli->err);
        config_report_free(&report);
        return false;
    }
    *out = cli->config;
    return true;
}

bool cli_node(struct cli *cli, const struct config_node **out, int *code)
{
    const char *name = cli_value(cli, "node");
    const struct config *c;

    *code = CLI_BAD_CONFIG;
    if (!cli_config(cli, &c))
        return false;
    *out = config_find(c, name);
    if (*out != NULL)
        return true;
    if (name != NULL)
        *code = cli_usage(cli, "%s has no node %.64s", c->path, name);
    else
        *code = cli_usage(cli, "%s has %zu nodes; say which with -n NAME", c->path, c->n_nodes);
    return false;
}

/* ---- help ---- */

static void help_option(FILE *to, const struct cli_option *o)
{
    char left[64], letter[8] = "    ";

    if (o->letter != '\0')
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    snprintf(left, sizeof(left), "%s--%.30s%s%.20s", letter, o->name, o->arg != NULL ? " " : "",
             o->arg != NULL ? o->arg : "");
    fprintf(to, "  %-30s %s\n", left, o->help);
}

static const struct cli_option common_options[] = {
    {"output", 'o', "FORMAT", "table (the default), json or yaml"},
    {"help", 'h', NULL, "this text"},
    {0},
};

static void help_command(FILE *to, const struct cli_family *f, const struct cli_command *c)
{
    fprintf(to, "usage: lockstep %s%s%s [OPTION...]%s%s\n\n%s\n", f->name,
            c->name[0] != '\0' ? " " : "", c->name, c->args[0] != '\0' ? " " : "", c->args,
            c->summary);
    if (c->help != NULL)
        fprintf(to, "\n%s\n", c->help);
    fprintf(to, "\n");
    for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++)
        help_option(to, o);
    for (const struct cli_option *o = common_options; o->name != NULL; o++)
        help_option(to, o);
    fprintf(to, "\nexit status: 0 done, 1 failed, 2 usage, 69 unavailable, 78 configuration\n");
}

static void help_family(FILE *to, const struct cli_family *f)
{
    fprintf(to, "usage: lockstep %s COMMAND [OPTION...]\n\n%s\n\n", f->name, f->summary);
    for (const struct cli_command *c = f->commands; c->name != NULL; c++)
        fprintf(to, "  %-12s %s\n", c->name, c->summary);
    fprintf(to, "\nlockstep %s COMMAND --help says more.\n", f->name);
}

static void help_all(FILE *to)
{
    const struct cli_family *f;

    fprintf(to, "usage: lockstep FAMILY [COMMAND] [OPTION...]\n\n"
                "Looks after Lockstep synchronizers. See lockstep(1).\n\n");
    for (size_t i = 0; (f = cli_family_at(i)) != NULL; i++)
        fprintf(to, "  %-12s %s\n", f->name, f->summary);
    fprintf(to, "\nlockstep FAMILY --help says more; lockstep --version says which this is.\n");
}

/* ---- parsing ---- */

/* getopt's tables of a command: short (with room for every letter) and long. */
static size_t tables(const struct cli_command *c, char *letters, struct option *longs,
                     const struct cli_option **which)
{
    const struct cli_option *lists[] = {c->options, common_options};
    size_t n = 0, n_letters = 0;

    letters[n_letters++] = ':';
    for (size_t l = 0; l < 2; l++)
        for (const struct cli_option *o = lists[l]; o != NULL && o->name != NULL && n < OPTIONS_MAX;
             o++, n++) {
            which[n] = o;
            longs[n] = (struct option){o->name, o->arg != NULL ? required_argument : no_argument,
                                       NULL, 256 + (int)n};
            if (o->letter != '\0')
                letters[n_letters++] = o->letter;
            if (o->letter != '\0' && o->arg != NULL)
                letters[n_letters++] = ':';
        }
    letters[n_letters] = '\0';
    longs[n] = (struct option){0};
    return n;
}

static const struct cli_option *option_of(int c, const struct cli_option *const *which, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c == 256 + (int)i || (c < 256 && which[i]->letter == c))
            return which[i];
    return NULL;
}

static bool take(struct cli *cli, const struct cli_option *o, const char *value)
{
    int format;

    if (strcmp(o->name, "output") == 0) {
        format = value_choice("table|json|yaml", value);
        if (format < 0) {
            (void)cli_usage(cli, "-o: \"%.32s\" is none of table, json, yaml", value);
            return false;
        }
        cli->format = (enum cli_format)format;
        return true;
    }
    if (cli->n_given >= VALUES_MAX) {
        (void)cli_usage(cli, "more than %d options", VALUES_MAX);
        return false;
    }
    cli->given[cli->n_given++] = (struct given){o->name, o->arg != NULL ? value : NULL};
    return true;
}

/* argv[0] is the command's own name. Fills cli; -1: go on, else the exit code. */
static int parse(struct cli *cli, int argc, char **argv)
{
    const struct cli_option *which[OPTIONS_MAX], *o;
    struct option longs[OPTIONS_MAX + 1];
    char letters[2 * OPTIONS_MAX + 2];
    size_t n = tables(cli->command, letters, longs, which);
    int c;

    optind = 0; /* a fresh start of getopt */
    opterr = 0;
    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (c == ':')
            return cli_usage(cli, "%s needs a value", argv[optind - 1]);
        o = c == '?' ? NULL : option_of(c, which, n);
        if (o == NULL)
            return cli_usage(cli, "unknown option %.64s", argv[optind - 1]);
        if (strcmp(o->name, "help") == 0) {
            help_command(cli->out, cli->family, cli->command);
            return CLI_OK;
        }
        if (!take(cli, o, optarg))
            return CLI_USAGE;
    }
    cli->args = argv + optind;
    cli->n_args = (size_t)(argc - optind);
    if (argc - optind < cli->command->min_args)
        return cli_usage(cli, "needs %s", cli->command->args);
    if (argc - optind > cli->command->max_args)
        return cli_usage(cli, "does not take \"%.64s\"", argv[optind + cli->command->max_args]);
    return -1;
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || strcmp(arg, "help") == 0;
}

static const struct cli_family *find_family(const char *name, FILE *err)
{
    const struct cli_family *f, *near = NULL;
    int best = 3;

    for (size_t i = 0; (f = cli_family_at(i)) != NULL; i++) {
        if (strcmp(f->name, name) == 0)
            return f;
        if (value_distance(f->name, name) < best) {
            best = value_distance(f->name, name);
            near = f;
        }
    }
    fprintf(err, "lockstep: no command \"%.32s\"", name);
    if (near != NULL)
        fprintf(err, "; did you mean %s?\n", near->name);
    else
        fprintf(err, "; see lockstep --help\n");
    return NULL;
}

static const struct cli_command *find_command(const struct cli_family *f, const char *name,
                                              FILE *err)
{
    for (const struct cli_command *c = f->commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    fprintf(err, "lockstep %s: no command \"%.32s\"; see lockstep %s --help\n", f->name, name,
            f->name);
    return NULL;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct error err;
    int code = parse(cli, argc, argv);

    if (code >= 0)
        return code;
    if (!logger_open(fileno(cli->err), LOG_TEXT, LOG_WARN, &cli->logger, &err))
        return cli_fail(cli, &err);
    code = cli->command->run(cli);
    logger_close(cli->logger);
    config_free(cli->config);
    return code;
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
    struct cli cli = {.out = out, .err = err};
    const struct cli_command *c;

    if (argc < 2) {
        help_all(err);
        return CLI_USAGE;
    }
    if (is_help(argv[1])) {
        help_all(out);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        fprintf(out, "lockstep %s\n", cli_version());
        return CLI_OK;
    }
    cli.family = find_family(argv[1], err);
    if (cli.family == NULL)
        return CLI_USAGE;
    c = cli.family->commands;
    if (c->name[0] == '\0') {
        cli.command = c;
        return run(&cli, argc - 1, argv + 1);
    }
    if (argc < 3 || is_help(argv[2])) {
        help_family(argc < 3 ? err : out, cli.family);
        return argc < 3 ? CLI_USAGE : CLI_OK;
    }
    cli.command = find_command(cli.family, argv[2], err);
    return cli.command != NULL ? run(&cli, argc - 2, argv + 2) : CLI_USAGE;
}
