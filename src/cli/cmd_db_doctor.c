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

/* ---- for people ---- */

#define INDENT  20
#define COLUMNS 79

/* Words of text behind `column` of the line, further lines indented. What a server says
 * may not draw on the terminal. */
static void print_words(FILE *to, size_t column, const char *text)
{
    bool is_first = true;

    while (*text != '\0') {
        const size_t n = strcspn(text, " ");
        if (!is_first && column + n + 1 > COLUMNS) {
            fprintf(to, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (!is_first) {
            fputc(' ', to);
            column++;
        }
        is_first = false;
        for (size_t i = 0; i < n; i++)
            fputc((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i], to);
        column += n;
        text += n + strspn(text + n, " ");
    }
    fputc('\n', to);
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text != NULL ? text : "";
}

static int print_findings(struct cli *cli, const json_t *rows)
{
    FILE *to = cli_out(cli);
    const char *node = "";
    size_t i;
    const json_t *row;

    json_array_foreach(rows, i, row)
    {
        if (strcmp(node, text_of(row, "node")) != 0)
            fprintf(to, "%s%s\n", i > 0 ? "\n" : "", text_of(row, "node"));
        node = text_of(row, "node");
        fprintf(to, "  %-4s  %-10s  ", text_of(row, "verdict"), text_of(row, "check"));
        print_words(to, INDENT, text_of(row, "found"));
        if (*text_of(row, "change") == '\0')
            continue;
        fprintf(to, "%*schange: ", INDENT, "");
        print_words(to, INDENT + strlen("change: "), text_of(row, "change"));
    }
    return fflush(to) == 0 ? CLI_OK : CLI_FAILED;
}

int cmd_db_doctor(struct cli *cli)
{
    struct examining x = {json_array(), "", cli_format(cli) != CLI_TABLE, true};
    int code = CLI_OK;

    if (!cmd_db_each(cli, examine, &x, &code)) {
        json_decref(x.rows);
        return code;
    }
    int printed = CLI_OK;
    if (x.has_values) {
        printed = cli_print(cli, x.rows);
    } else {
        printed = print_findings(cli, x.rows);
        json_decref(x.rows);
    }
    return printed != CLI_OK ? printed : x.is_fit ? CLI_OK : CLI_FAILED;
}
