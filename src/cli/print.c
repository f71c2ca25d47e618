#include "cli/print.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

const char *cli_version(void)
{
    return PACKAGE_VERSION;
}

/* Control characters of a value would let a peer draw on the terminal. */
static void add_safe(struct buffer *b, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20 || c == 0x7f)
            buffer_printf(b, "\\x%02x", c);
        else
            buffer_append_byte(b, c);
    }
}

/* A value in a table's cell; compounds as JSON. */
static void add_cell(struct buffer *b, const json_t *v)
{
    char *text;

    if (v == NULL || json_is_null(v))
        return;
    if (json_is_string(v)) {
        add_safe(b, json_string_value(v));
        return;
    }
    if (json_is_array(v)) { /* of plain values: with commas */
        for (size_t i = 0; i < json_array_size(v); i++) {
            buffer_append_str(b, i > 0 ? ", " : "");
            add_cell(b, json_array_get(v, i));
        }
        return;
    }
    text = json_is_real(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (json_is_real(v))
        buffer_printf(b, "%.6g", json_real_value(v));
    else if (text != NULL)
        buffer_append_str(b, text);
    free(text);
}

/* How many columns of a terminal a text takes: UTF-8 characters, taken as one each. */
static int width_of(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void pad(FILE *to, const char *text, int width, bool is_last)
{
    fputs(text, to);
    for (int i = width_of(text); !is_last && i < width + 2; i++)
        fputc(' ', to);
}

static const char *cell(struct buffer *b, const json_t *v)
{
    buffer_clear(b);
    add_cell(b, v);
    const char *text = buffer_cstr(b);

    return text != NULL ? text : "";
}

static bool is_rows(const json_t *v)
{
    return json_is_array(v) && json_array_size(v) > 0 && json_is_object(json_array_get(v, 0));
}

#define COLUMNS_MAX 32

static void print_rows(FILE *to, const json_t *rows)
{
    const json_t *first = json_array_get(rows, 0);
    int widths[COLUMNS_MAX] = {0};
    struct buffer b = BUFFER_INIT;
    size_t n_columns = json_object_size(first), i, k;
    const char *key;
    json_t *row, *v;

    n_columns = n_columns < COLUMNS_MAX ? n_columns : COLUMNS_MAX;
    k = 0;
    json_object_foreach((json_t *)(uintptr_t)first, key, v)
    {
        if (k >= n_columns)
            break;
        widths[k] = width_of(key);
        json_array_foreach(rows, i, row)
        {
            int w = width_of(cell(&b, json_object_get(row, key)));

            widths[k] = w > widths[k] ? w : widths[k];
        }
        k++;
    }
    k = 0;
    json_object_foreach((json_t *)(uintptr_t)first, key, v)
    {
        if (k >= n_columns)
            break;
        pad(to, key, widths[k], k + 1 == n_columns);
        k++;
    }
    fputc('\n', to);
    json_array_foreach(rows, i, row)
    {
        k = 0;
        json_object_foreach((json_t *)(uintptr_t)first, key, v)
        {
            if (k >= n_columns)
                break;
            pad(to, cell(&b, json_object_get(row, key)), widths[k], k + 1 == n_columns);
            k++;
        }
        fputc('\n', to);
    }
    buffer_free(&b);
}

static void print_object(FILE *to, const json_t *doc)
{
    struct buffer b = BUFFER_INIT;
    const char *key;
    int width = 0;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)doc, key, v)
    {
        if (!is_rows(v) && width_of(key) > width)
            width = width_of(key);
    }
    json_object_foreach((json_t *)(uintptr_t)doc, key, v)
    {
        if (is_rows(v))
            continue;
        pad(to, key, width, false);
        fprintf(to, "%s\n", cell(&b, v));
    }
    json_object_foreach((json_t *)(uintptr_t)doc, key, v)
    {
        if (!is_rows(v))
            continue;
        fprintf(to, "\n%s\n", key);
        print_rows(to, v);
    }
    buffer_free(&b);
}

/* JSON strings are YAML strings, so only the structure is drawn. */
static void print_yaml(FILE *to, const json_t *v, int depth, bool is_in_list)
{
    const char *key;
    json_t *item;
    size_t i;
    bool is_first = true;

    if (json_is_object(v) && json_object_size(v) > 0) {
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            bool is_nested = (json_is_object(item) && json_object_size(item) > 0) ||
                             (json_is_array(item) && json_array_size(item) > 0);

            fprintf(to, "%*s%s:%s", is_first && is_in_list ? 0 : depth * 2, "", key,
                    is_nested ? "\n" : " ");
            print_yaml(to, item, is_nested ? depth + 1 : 0, false);
            is_first = false;
        }
    } else if (json_is_array(v) && json_array_size(v) > 0) {
        json_array_foreach(v, i, item)
        {
            fprintf(to, "%*s- ", depth * 2, "");
            print_yaml(to, item, depth + 1, true);
        }
    } else {
        char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));

        fprintf(to, "%s\n", text != NULL ? text : "null");
        free(text);
    }
}

bool print_document(FILE *to, const json_t *doc, enum cli_format format)
{
    switch (format) {
    case CLI_JSON:
        if (json_dumpf(doc, to, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)) != 0)
            return false;
        fputc('\n', to);
        break;
    case CLI_YAML:
        print_yaml(to, doc, 0, false);
        break;
    case CLI_TABLE:
        if (is_rows(doc))
            print_rows(to, doc);
        else if (json_is_object(doc))
            print_object(to, doc);
        else if (json_is_array(doc) && json_array_size(doc) == 0)
            fprintf(to, "nothing\n");
        else
            print_yaml(to, doc, 0, false);
        break;
    }
    return fflush(to) == 0 && ferror(to) == 0;
}

int cli_print(struct cli *cli, json_t *doc)
{
    bool ok = doc != NULL && print_document(cli_out(cli), doc, cli_format(cli));

    if (doc == NULL)
        fprintf(cli_err(cli), "lockstep: no memory [%s]\n", error_id(ERR_MEMORY));
    json_decref(doc);
    return ok ? CLI_OK : CLI_FAILED;
}
