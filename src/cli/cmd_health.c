/* cmd_health.c: `lockstep health`: what a load balancer would be told. */
#include "cli/rpc.h"
#include "grpc_health_v1.pb-c.h"
#include "wire/precheck.h"

#define CHECK "/grpc.health.v1.Health/Check"

/* "serving", or why not; *err keeps what an exit code is made of. NULL: no answer at all. */
static const char *ask(struct cli *cli, const char *address, const char *service, struct error *err)
{
    static const char *const texts[] = {"unknown", "serving", "not serving", "no such service"};
    Health__HealthCheckRequest rq = HEALTH__HEALTH_CHECK_REQUEST__INIT;
    Health__HealthCheckResponse *r = NULL;
    struct cli_server *s = NULL;
    const char *text = NULL;

    rq.service = (char *)(uintptr_t)service;
    if (cli_connect(cli, address, &s, err))
        r = cli_call(s, CHECK, &rq, &health__health_check_response__descriptor, err);
    if (r != NULL)
        text = texts[(unsigned)r->status < 4 ? (unsigned)r->status : 0];
    else if (err->code == ERR_NOT_FOUND)
        text = texts[3];
    wire_message_free(r);
    cli_disconnect(s);
    return text;
}

static int health(struct cli *cli)
{
    const char *service = cli_value(cli, "service");
    json_t *rows = json_array();
    int code = CLI_OK, printed;
    struct error err;

    for (size_t i = 0; i < cli_n_args(cli); i++) {
        const char *text = ask(cli, cli_arg(cli, i), service != NULL ? service : "", &err);
        json_t *row = json_object();

        json_object_set_new(row, "address", json_string(cli_arg(cli, i)));
        json_object_set_new(row, "health", json_string(text != NULL ? text : "no answer"));
        json_array_append_new(rows, row);
        if (text == NULL)
            code = cli_fail(cli, &err);
        else if (text[0] != 's' && code == CLI_OK) /* of all texts only "serving" begins so */
            code = CLI_FAILED;
    }
    printed = cli_print(cli, rows);
    return code != CLI_OK ? code : printed;
}

static const struct cli_option health_options[] = {
    {"service", 's', "NAME", "liveness, sequencer, mediator, participant, ...; default: the node"},
    CLI_CONNECTION_OPTIONS,
    {0},
};
static const struct cli_command commands[] = {
    {"", "HOST:PORT [HOST:PORT...]", 1, 64, "ask the health service of nodes",
     "Ends with 0 when all of them serve, 1 when one does not, 69 when one does not answer.",
     health_options, health},
    {0},
};
const struct cli_family cmd_health = {"health", "ask the health service of nodes", commands};
