/* cmd_db_doctor.c: `lockstep db doctor`. */
#include <string.h>

#include "cli/cmd_db.h"
#include "storage/doctor.h"

struct examining {
    json_t *rows;
    const char *node;
    bool has_values; /* figures as numbers too: not in a table */
    bool is_fit;
};

static void add_finding(void *ctx, const struct doctor_finding *f)
{
    static const char *const verdicts[] = {"ok", "warn", "fail"};
    struct examining *x = ctx;
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "node", x->node, "check", f->check, "verdict",
                  verdicts[f->verdict], "found", f->found, "change", f->advice);

    if (x->has_values && f->n_numbers > 0) {
        json_t *values = json_object();
        for (size_t i = 0; i < f->n_numbers; i++)
            json_object_set_new(values, f->number[i].name, json_integer(f->number[i].value));
        json_object_set_new(row, "values", values);
    }
    json_array_append_new(x->rows, row);
}

static bool examine(const struct db_config *cfg, const char *node, void *ctx, struct error *err)
{
    struct examining *x = ctx;

    (void)err;
    x->node = node;
    if (!db_doctor(cfg, add_finding, x))
        x->is_fit = false;
    return true;
}

int cmd_db_doctor(struct cli *cli)
{
    struct examining x = {json_array(), "", cli_format(cli) != CLI_TABLE, true};
    int code = CLI_OK;

    if (!cmd_db_each(cli, examine, &x, &code)) {
        json_decref(x.rows);
        return code;
    }
    const int printed = cli_print(cli, x.rows);
    return printed != CLI_OK ? printed : x.is_fit ? CLI_OK : CLI_FAILED;
}
