#include "config/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_table.h"
#include "config/value.h"

#define NODE_ROW(kinds, key, type, field, least, most, fallback, choices, doc)                     \
    {(kinds),  key,     OPT_##type, offsetof(struct config_node, field), least, most,              \
     fallback, choices, doc},
#define TOP_ROW(key, type, field, least, most, fallback, choices, doc)                             \
    {0, key, OPT_##type, offsetof(struct config, field), least, most, fallback, choices, doc},
#define FOREIGN_ROW(kinds, key, instead) {kinds, key, instead},
#define COUNT(a)                         (sizeof(a) / sizeof((a)[0]))

const struct option node_options[] = {CONFIG_NODE_OPTIONS(NODE_ROW)};
const size_t n_node_options = COUNT(node_options);
const struct option top_options[] = {CONFIG_TOP_OPTIONS(TOP_ROW)};
const size_t n_top_options = COUNT(top_options);
const struct foreign_key foreign_keys[] = {CONFIG_FOREIGN_KEYS(FOREIGN_ROW)};
const size_t n_foreign_keys = COUNT(foreign_keys);

static const char *const type_names[] = {
    "true or false", "number", "duration", "size",         "text",
    "secret",        "path",   "one of",   "list of URLs", "names with lists of URLs"};

bool config_option_at(size_t i, struct config_option *out)
{
    const struct option *o = i < n_node_options                   ? &node_options[i]
                             : i < n_node_options + n_top_options ? &top_options[i - n_node_options]
                                                                  : NULL;

    if (o == NULL)
        return false;
    *out = (struct config_option){o->kinds,    o->key,     type_names[o->type],
                                  o->fallback, o->choices, o->doc};
    return true;
}

struct config_place option_place(const struct config_node *n, const char *key)
{
    for (size_t i = 0; i < n_node_options; i++)
        if ((node_options[i].kinds & (int)n->kind) != 0 && strcmp(node_options[i].key, key) == 0)
            return n->places[i];
    return (struct config_place){0, 0};
}

void option_expectation(const struct option *o, char *out, size_t size)
{
    char least[32], most[32];

    switch (o->type) {
    case OPT_BOOL:
        snprintf(out, size, "true or false");
        break;
    case OPT_INT:
        snprintf(out, size, "a whole number, %" PRId64 " to %" PRId64, o->least, o->most);
        break;
    case OPT_DURATION:
        value_format_duration(o->least, least);
        value_format_duration(o->most, most);
        snprintf(out, size, "a duration such as 250ms, 30s or 5m, from %s to %s", least, most);
        break;
    case OPT_SIZE:
        value_format_size(o->least, least);
        value_format_size(o->most, most);
        snprintf(out, size, "a size such as 64KiB or 10MiB, from %s to %s", least, most);
        break;
    case OPT_ENUM:
        snprintf(out, size, "one of %s", o->choices);
        break;
    case OPT_URLS:
        snprintf(out, size,
                 "a list of 1 to %" PRId64 " times http://HOST:PORT or "
                 "https://HOST:PORT",
                 o->most);
        break;
    case OPT_NAMED_URLS:
        snprintf(out, size,
                 "a mapping, each a name with a list of http://HOST:PORT or "
                 "https://HOST:PORT");
        break;
    case OPT_STRING:
    case OPT_HIDDEN:
    case OPT_PATH:
        snprintf(out, size, "a text of 1 to 4096 characters");
        break;
    }
}

static bool store_text(char **to, const char *text, const char *folder)
{
    size_t len = strlen(text);
    char *copy = NULL;

    if (len == 0 || len > 4096)
        return false;
    if (folder == NULL || text[0] == '/')
        copy = strdup(text);
    else if (asprintf(&copy, "%s/%s", folder, text) < 0)
        copy = NULL;
    free(*to);
    *to = copy;
    return copy != NULL;
}

static bool store_number(const struct option *o, int64_t *to, const char *text)
{
    int64_t v;
    bool ok = o->type == OPT_INT        ? value_int(text, &v)
              : o->type == OPT_DURATION ? value_duration(text, &v)
                                        : value_size(text, &v);

    if (!ok || v < o->least || v > o->most)
        return false;
    *to = v;
    return true;
}

bool option_store(const struct option *o, void *base, const char *text, const char *folder)
{
    char *field = (char *)base + o->offset;
    int choice;

    switch (o->type) {
    case OPT_BOOL:
        return value_bool(text, (bool *)field);
    case OPT_INT:
    case OPT_DURATION:
    case OPT_SIZE:
        return store_number(o, (int64_t *)(void *)field, text);
    case OPT_STRING:
    case OPT_HIDDEN:
        return store_text((char **)(void *)field, text, NULL);
    case OPT_PATH:
        return store_text((char **)(void *)field, text, folder);
    case OPT_ENUM:
        choice = value_choice(o->choices, text);
        if (choice >= 0)
            *(int *)(void *)field = choice;
        return choice >= 0;
    case OPT_URLS:
    case OPT_NAMED_URLS:
        break;
    }
    return false;
}
