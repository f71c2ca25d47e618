/* main.c: lockstepd(8). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "node/daemon.h"
#include "storage/db.h"

#define CONFIG_DEFAULT LS_SYSCONFDIR "/lockstep/lockstep.yaml"

static void help(FILE *to)
{
    fprintf(to,
            "usage: lockstepd [-c FILE] [--check-config]\n\n"
            "Runs every node that the configuration declares. See lockstepd(8).\n\n"
            "  -c, --config FILE   default: " CONFIG_DEFAULT "\n"
            "      --check-config  say every problem of the file and end: 0, or 78 with problems\n"
            "  -h, --help          this text\n"
            "  -V, --version       which release this is\n\n"
            "signals: TERM, INT stop; HUP checks the file and says what a restart would need\n"
            "exit status: 0 stopped, 1 failed, 2 usage, 69 database or port not available, "
            "78 configuration\n");
}

static struct config *load(const char *path)
{
    struct config_report report = {0};
    struct config *c = NULL;

    if (!config_load(path, &c, &report))
        config_report_print(&report, path, stderr);
    config_report_free(&report);
    return c;
}

static int run(const struct config *c)
{
    struct logger *lg;
    struct error err;
    int code;

    if (!logger_open(STDERR_FILENO, (enum log_format)c->log_format, (enum log_level)c->log_level,
                     &lg, &err)) {
        fprintf(stderr, "lockstepd: %s\n", err.cause);
        return DAEMON_FAILED;
    }
    log_info(lg, "lockstepd %s, configuration %s", PACKAGE_VERSION, c->path);
    code = daemon_run(c, lg);
    logger_close(lg);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                          {"check-config", no_argument, NULL, 'k'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {0}};
    const char *path = CONFIG_DEFAULT;
    bool is_check = false;
    struct config *c;
    int o, code;

    db_process_init();
    while ((o = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
        if (o == 'c') {
            path = optarg;
        } else if (o == 'k') {
            is_check = true;
        } else if (o == 'h' || o == 'V') {
            if (o == 'h')
                help(stdout);
            else
                printf("lockstepd %s\n", PACKAGE_VERSION);
            return DAEMON_OK;
        } else {
            help(stderr);
            return DAEMON_USAGE;
        }
    }
    if (optind < argc) {
        help(stderr);
        return DAEMON_USAGE;
    }
    c = load(path);
    if (c == NULL)
        return DAEMON_BAD_CONFIG;
    code = is_check ? DAEMON_OK : run(c);
    config_free(c);
    return code;
}
