/* cmd_submit.c: `lockstep submit` and `lockstep outcomes`: a participant's transactions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "cli/rpc.h"
#include "lockstep_participant_v1.pb-c.h"
#include "wire/precheck.h"

#define SERVICE "/lockstep.participant.v1.ParticipantService/"
enum { PARTIES_MAX = 64, PAYLOAD_MAX = 8 << 20 };

static const char *const verdicts[] = {"unknown", "committed", "rejected", "timed-out"};

static double ms_between(int64_t from, int64_t to)
{
    return from != 0 && to != 0 ? (double)(to - from) / 1000.0 : 0.0;
}

static json_t *list(char **texts, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(texts[i]));
    return a;
}

static json_t *describe(const Part__OutcomesResponse *r)
{
    json_t *o = json_object();
    char hash[2 * 34 + 1] = "";

    if (r->root_hash.len == 34)
        hex_encode(bytes_of(r->root_hash.data, r->root_hash.len), hash);
    json_object_set_new(o, "verdict",
                        json_string(verdicts[(unsigned)r->verdict < 4 ? (unsigned)r->verdict : 0]));
    json_object_set_new(o, "confirmed_by", list(r->confirmed_by, r->n_confirmed_by));
    json_object_set_new(o, "submit_to_verdict_ms",
                        json_real(ms_between(r->submitted_at, r->verdict_at)));
    json_object_set_new(o, "submit_to_sequenced_ms",
                        json_real(ms_between(r->submitted_at, r->sequenced_at)));
    json_object_set_new(o, "reason", json_string(r->reason));
    json_object_set_new(o, "command_id", json_string(r->command_id));
    json_object_set_new(o, "request_id", json_integer(r->request_id));
    json_object_set_new(o, "offset", json_integer(r->offset));
    json_object_set_new(o, "submitter", json_string(r->submitter));
    json_object_set_new(o, "informees", list(r->informees, r->n_informees));
    json_object_set_new(o, "confirmers", list(r->confirmers, r->n_confirmers));
    json_object_set_new(o, "threshold", json_integer(r->threshold));
    json_object_set_new(o, "payload_bytes", json_integer((json_int_t)r->payload.len));
    json_object_set_new(o, "root_hash", json_string(hash));
    return o;
}

/* --- submit ----------------------------------------------------------------------------------- */

struct parties {
    char *uids[PARTIES_MAX];
    size_t n;
};

static void parties_free(struct parties *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->uids[i]);
}

static bool parties_add(struct parties *p, const char *uid, struct error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->uids[i], uid) == 0)
            return true;
    if (p->n == PARTIES_MAX)
        return error_set(err, ERR_LIMIT, NULL, "more than %d parties", PARTIES_MAX);
    p->uids[p->n] = strdup(uid);
    return p->uids[p->n++] != NULL || error_set(err, ERR_MEMORY, NULL, "no memory");
}

/* The party of the participant at s; *offset (may be NULL): its last outcome. */
static bool ask_party(struct cli_server *s, struct parties *p, int64_t *offset, struct error *err)
{
    Part__StatusRequest rq = PART__STATUS_REQUEST__INIT;
    Part__StatusResponse *r =
        cli_call(s, SERVICE "Status", &rq, &part__status_response__descriptor, err);
    bool ok;

    if (r == NULL)
        return false;
    if (offset != NULL)
        *offset = r->last_offset;
    ok = parties_add(p, r->uid, err);
    wire_message_free(r);
    return ok;
}

static bool gather(struct cli *cli, struct cli_server *own, struct parties *p, int64_t *offset,
                   struct error *err)
{
    const char *v;

    if (!ask_party(own, p, offset, err))
        return false;
    for (size_t i = 0; (v = cli_value_at(cli, "with", i)) != NULL; i++) {
        struct cli_server *s = NULL;
        bool ok = cli_connect(cli, v, &s, err) && ask_party(s, p, NULL, err);

        cli_disconnect(s);
        if (!ok)
            return false;
    }
    for (size_t i = 0; (v = cli_value_at(cli, "informee", i)) != NULL; i++)
        if (!parties_add(p, v, err))
            return false;
    return true;
}

static bool read_payload(const char *text, struct buffer *out, struct error *err)
{
    FILE *f;
    uint8_t *to;

    if (text == NULL || text[0] != '@') {
        buffer_append_str(out, text != NULL ? text : "");
        return buffer_ok(out, err);
    }
    f = fopen(text + 1, "rb");
    if (f == NULL)
        return error_set(err, ERR_IO, NULL, "%s cannot be read: %m", text + 1);
    to = buffer_reserve(out, PAYLOAD_MAX + 1);
    if (to != NULL)
        out->len = fread(to, 1, PAYLOAD_MAX + 1, f);
    fclose(f);
    if (out->len > PAYLOAD_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%s is larger than %d bytes", text + 1, PAYLOAD_MAX);
    return buffer_ok(out, err);
}

struct awaited {
    const char *command_id; /* NULL: any */
    size_t left;
    json_t *found;
};

static bool on_outcome(void *ctx, const void *message)
{
    const Part__OutcomesResponse *r = message;
    struct awaited *a = ctx;

    if (a->command_id != NULL && strcmp(a->command_id, r->command_id) != 0)
        return true;
    json_array_append_new(a->found, describe(r));
    return --a->left > 0;
}

static bool await_outcomes(struct cli_server *s, int64_t from, struct awaited *a, int64_t until,
                           struct error *err)
{
    Part__OutcomesRequest rq = PART__OUTCOMES_REQUEST__INIT;

    rq.from_offset = from;
    return cli_stream(s, SERVICE "Outcomes", &rq, &part__outcomes_response__descriptor, until,
                      on_outcome, a, err);
}

static bool send_and_wait(struct cli *cli, struct cli_server *s, const struct parties *p,
                          int64_t offset, json_t **doc, struct error *err)
{
    Part__SubmitRequest rq = PART__SUBMIT_REQUEST__INIT;
    struct buffer payload = BUFFER_INIT;
    struct awaited a = {.left = 1};
    const char *confirmers[PARTIES_MAX];
    char uuid[UUID_TEXT_LEN];
    Part__SubmitResponse *r = NULL;
    int64_t threshold = 0, wait_us = 120 * US_PER_S;
    bool ok = false;

    random_uuid(uuid);
    a.command_id = cli_value(cli, "command-id") != NULL ? cli_value(cli, "command-id") : uuid;
    a.found = json_array();
    if (!cli_int(cli, "threshold", 0, PARTIES_MAX, &threshold) ||
        !cli_duration(cli, "wait", US_PER_MS, 3600 * US_PER_S, &wait_us)) {
        error_set(err, ERR_CONFIG, NULL, "nothing was submitted");
        goto out;
    }
    if (!read_payload(cli_value(cli, "payload"), &payload, err))
        goto out;
    for (const char *v; rq.n_confirmers < PARTIES_MAX &&
                        (v = cli_value_at(cli, "confirmer", rq.n_confirmers)) != NULL;)
        confirmers[rq.n_confirmers++] = v;
    rq.confirmers = (char **)(void *)confirmers;
    rq.command_id = (char *)a.command_id;
    rq.n_informees = p->n;
    rq.informees = (char **)(void *)p->uids;
    rq.threshold = (uint32_t)threshold;
    rq.payload = (ProtobufCBinaryData){payload.len, payload.data};
    r = cli_call(s, SERVICE "Submit", &rq, &part__submit_response__descriptor, err);
    if (r == NULL)
        goto out;
    /* A command that is known already may have its outcome anywhere in the past. */
    if (r->state == PART__COMMAND_STATE__COMMAND_STATE_DECIDED)
        offset = r->offset > 0 ? r->offset - 1 : 0;
    if (!await_outcomes(s, offset, &a, clock_mono_us() + wait_us, err))
        goto out;
    *doc = json_incref(json_array_get(a.found, 0));
    ok = *doc != NULL || error_set(err, ERR_UNAVAILABLE, "ask again with the same --command-id",
                                   "the stream of outcomes ended before %s", a.command_id);
out:
    json_decref(a.found);
    wire_message_free(r);
    buffer_free(&payload);
    return ok;
}

static int submit(struct cli *cli)
{
    struct cli_server *s = NULL;
    struct parties p = {.n = 0};
    struct error err;
    json_t *doc = NULL;
    int64_t offset = 0;
    int code = CLI_OK;

    if (cli_value(cli, "server") == NULL)
        return cli_usage(cli, "--server is needed");
    if (!cli_connect(cli, cli_value(cli, "server"), &s, &err) ||
        !gather(cli, s, &p, &offset, &err) || !send_and_wait(cli, s, &p, offset, &doc, &err))
        code = cli_fail(cli, &err);
    cli_disconnect(s);
    parties_free(&p);
    if (code != CLI_OK)
        return code;
    if (strcmp(json_string_value(json_object_get(doc, "verdict")), "committed") != 0)
        code = CLI_FAILED;
    return cli_print(cli, doc) == CLI_OK ? code : CLI_FAILED;
}

static const struct cli_option submit_options[] = {
    CLI_SERVER_OPTIONS("API of the submitting participant"),
    {"with", 'w', "HOST:PORT", "API of another participant: its party is an informee; repeatable"},
    {"informee", 'i', "PARTY", "a further informee; repeatable"},
    {"confirmer", 'C', "PARTY", "must confirm; repeatable; default: every informee"},
    {"threshold", 'T', "N", "how many of the confirmers suffice; default: all"},
    {"payload", 'p', "TEXT|@FILE", "what is agreed on; opaque to Lockstep"},
    {"command-id", 'I', "ID", "own name of the command: the same one is never done twice"},
    {"wait", 0, "DURATION", "longest wait for the verdict; default 2m"},
    {0},
};
static const struct cli_command submit_commands[] = {
    {"", "", 0, 0, "submit a transaction and wait for its verdict",
     "Ends with 0 when it was committed and with 1 when it was not.", submit_options, submit},
    {0},
};
const struct cli_family cmd_submit = {"submit", "submit a transaction to a participant",
                                      submit_commands};

/* --- outcomes --------------------------------------------------------------------------------- */

static int outcomes(struct cli *cli)
{
    struct awaited a = {.left = 1};
    struct cli_server *s = NULL;
    struct error err;
    int64_t from = 0, count = 1;
    bool ok;

    if (cli_value(cli, "server") == NULL)
        return cli_usage(cli, "--server is needed");
    if (!cli_int(cli, "from", 0, INT64_MAX, &from) || !cli_int(cli, "count", 1, 100000, &count))
        return CLI_USAGE;
    a.left = (size_t)count;
    a.found = json_array();
    ok = cli_connect(cli, cli_value(cli, "server"), &s, &err);
    if (ok && !await_outcomes(s, from, &a, clock_mono_us() + cli_server_timeout(s), &err))
        ok = err.code == ERR_TIMEOUT; /* fewer are there: these are the answer */
    cli_disconnect(s);
    if (!ok) {
        json_decref(a.found);
        return cli_fail(cli, &err);
    }
    return cli_print(cli, a.found);
}

static const struct cli_option outcomes_options[] = {
    CLI_SERVER_OPTIONS("API of the participant"),
    {"from", 'f', "OFFSET", "after this one; default 0: from the first"},
    {"count", 'n', "N", "at most so many; default 1; waits for them up to --timeout"},
    {0},
};
static const struct cli_command outcomes_commands[] = {
    {"", "", 0, 0, "list what became of transactions, oldest first", NULL, outcomes_options,
     outcomes},
    {0},
};
const struct cli_family cmd_outcomes = {"outcomes", "what became of a participant's transactions",
                                        outcomes_commands};
