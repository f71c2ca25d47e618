/* cmd_status.c: `lockstep status`: how nodes stand, and waiting until they are ready. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/rpc.h"
#include "lockstep_admin_v1.pb-c.h"
#include "lockstep_participant_v1.pb-c.h"
#include "wire/precheck.h"

#define POLL_US (20 * US_PER_MS)

static json_t *number_of(const Lsadm__NodeStatusResponse *r)
{
    json_t *o = json_object();

    for (size_t i = 0; i < r->n_figures; i++)
        json_object_set_new(o, r->figures[i]->key, json_integer(r->figures[i]->value));
    return o;
}

static json_t *node_row(const char *address, const Lsadm__NodeStatusResponse *r, bool is_long)
{
    static const char *const kinds[] = {"", "sequencer", "mediator", "participant"};
    json_t *o = json_object();

    json_object_set_new(o, "address", json_string(address));
    json_object_set_new(o, "name", json_string(r->name));
    json_object_set_new(o, "kind",
                        json_string((unsigned)r->kind < 4 ? kinds[(unsigned)r->kind] : ""));
    json_object_set_new(o, "state", json_string(r->state));
    json_object_set_new(o, "reason", json_string(r->reason));
    json_object_set_new(o, "uid", json_string(r->uid));
    json_object_set_new(o, "synchronizer", json_string(r->physical_synchronizer_id));
    if (is_long) {
        json_object_set_new(o, "version", json_string(r->version));
        json_object_set_new(o, "uptime_s", json_integer(r->uptime_us / US_PER_S));
        json_object_set_new(o, "figures", number_of(r));
    }
    return o;
}

static json_t *participant_row(const char *address, const Part__StatusResponse *r, bool is_long)
{
    json_t *o = json_object(), *outages = json_array();

    json_object_set_new(o, "address", json_string(address));
    json_object_set_new(o, "name", json_string(""));
    json_object_set_new(o, "kind", json_string("participant"));
    json_object_set_new(o, "state", json_string(r->state));
    json_object_set_new(o, "reason", json_string(r->state_reason));
    json_object_set_new(o, "uid", json_string(r->uid));
    json_object_set_new(o, "synchronizer", json_string(r->physical_synchronizer_id));
    for (size_t i = 0; is_long && i < r->n_outages; i++) {
        const Part__Outage *x = r->outages[i];
        json_t *row = json_object();

        json_object_set_new(row, "lost", json_string(x->lost_endpoint));
        json_object_set_new(row, "now", json_string(x->new_endpoint));
        json_object_set_new(
            row, "ms", x->to != 0 ? json_real((double)(x->to - x->from) / 1000.0) : json_null());
        json_object_set_new(row, "reason", json_string(x->reason));
        json_array_append_new(outages, row);
    }
    if (is_long) {
        json_object_set_new(o, "endpoint", json_string(r->connected_endpoint));
        json_object_set_new(o, "last_offset", json_integer(r->last_offset));
        json_object_set_new(o, "outages", outages);
    } else {
        json_decref(outages);
    }
    return o;
}

/* Asks as a node, and where that service is not known as a participant. NULL: err. */
static json_t *ask(struct cli_server *s, bool is_long, struct error *err)
{
    Lsadm__NodeStatusRequest rq = LSADM__NODE_STATUS_REQUEST__INIT;
    Part__StatusRequest prq = PART__STATUS_REQUEST__INIT;
    const char *address = cli_server_address(s);
    void *r = cli_call(s, "/lockstep.participant.v1.ParticipantService/Status", &prq,
                       &part__status_response__descriptor, err);
    json_t *row;

    if (r != NULL) {
        row = participant_row(address, r, is_long);
    } else {
        if (err->code != ERR_UNSUPPORTED)
            return NULL;
        r = cli_call(s, "/lockstep.admin.v1.NodeService/NodeStatus", &rq,
                     &lsadm__node_status_response__descriptor, err);
        if (r == NULL)
            return NULL;
        row = node_row(address, r, is_long);
    }
    wire_message_free(r);
    return row;
}

static bool is_state_in(const json_t *row, const char *list)
{
    const char *state = json_string_value(json_object_get(row, "state"));
    size_t n = state != NULL ? strlen(state) : 0;

    for (const char *p = list; n > 0 && *p != '\0';) {
        size_t len = strcspn(p, ",");

        if (len == n && memcmp(p, state, n) == 0)
            return true;
        p += len + (p[len] == ',');
    }
    return false;
}

/* Between two questions: the server has no stream of states yet. */
static void pause_a_little(void)
{
    const struct timespec t = {.tv_nsec = POLL_US * 1000};

    (void)nanosleep(&t, NULL);
}

static json_t *ask_until(struct cli_server *s, const char *wanted, bool is_long, struct error *err)
{
    int64_t deadline = clock_mono_us() + cli_server_timeout(s);
    json_t *row = ask(s, is_long, err);

    while (wanted != NULL && !(row != NULL && is_state_in(row, wanted))) {
        if (clock_mono_us() >= deadline) {
            if (row != NULL)
                error_set(err, ERR_TIMEOUT, "wait longer with --timeout, or read its log",
                          "%s is %s (%s), not %s", cli_server_address(s),
                          json_string_value(json_object_get(row, "state")),
                          json_string_value(json_object_get(row, "reason")), wanted);
            json_decref(row);
            return NULL;
        }
        json_decref(row);
        pause_a_little();
        row = ask(s, is_long, err);
    }
    return row;
}

static int status(struct cli *cli)
{
    json_t *rows = json_array();
    int code = CLI_OK;

    for (size_t i = 0; i < cli_n_args(cli) && code == CLI_OK; i++) {
        struct cli_server *s = NULL;
        struct error err;
        json_t *row = NULL;

        if (cli_connect(cli, cli_arg(cli, i), &s, &err))
            row = ask_until(s, cli_value(cli, "wait"), cli_flag(cli, "long"), &err);
        cli_disconnect(s);
        if (row == NULL)
            code = cli_fail(cli, &err);
        else
            json_array_append_new(rows, row);
    }
    if (code != CLI_OK) {
        json_decref(rows);
        return code;
    }
    return cli_print(cli, rows);
}

static const struct cli_option status_options[] = {
    {"wait", 'w', "STATE[,STATE]", "wait until each has one of these states"},
    {"long", 'l', NULL, "more of each"},
    CLI_CONNECTION_OPTIONS,
    {0},
};
static const struct cli_command commands[] = {
    {"", "HOST:PORT [HOST:PORT...]", 1, 64, "how nodes stand, asked at their admin API or API",
     NULL, status_options, status},
    {0},
};
const struct cli_family cmd_status = {"status", "how nodes stand", commands};
