#include "config/yaml_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/report.h"

struct anchor {
    char *name;
    struct yaml_node *node;
    struct anchor *next;
};
struct reader {
    yaml_parser_t parser;
    struct yaml_tree *tree;
    struct config_report *report;
    struct anchor *anchors;
    const char *folder;
    bool has_stopped; /* nothing more can be read */
};

static struct config_place place_of(yaml_mark_t m)
{
    return (struct config_place){(int)m.line + 1, (int)m.column + 1};
}

const char *yaml_kind_name(enum yaml_kind kind)
{
    static const char *const names[] = {"a value", "a list", "a mapping"};

    return names[kind];
}

struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map != NULL && map->kind == YAML_MAP && i < map->n; i++)
        if (strcmp(map->entry[i].key, key) == 0)
            return map->entry[i].value;
    return NULL;
}

static void stop(struct reader *r, struct config_place at, const char *what)
{
    if (!r->has_stopped)
        report_add(r->report, at, "%s", what);
    r->has_stopped = true;
}

/* Reads on; false when nothing more can be read. */
static bool next_event(struct reader *r, yaml_event_t *e)
{
    if (r->has_stopped)
        return false;
    if (yaml_parser_parse(&r->parser, e) != 0)
        return true;
    const char *why = r->parser.problem != NULL ? r->parser.problem : "no memory";

    r->has_stopped = true;
    report_add(r->report, place_of(r->parser.problem_mark),
               "not YAML: %s%s%s; nothing behind it "
               "could be checked",
               why, r->parser.context != NULL ? " " : "",
               r->parser.context != NULL ? r->parser.context : "");
    return false;
}

static struct yaml_node *node_new(struct reader *r, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *n = r->tree->n_nodes < YAML_NODES_MAX ? calloc(1, sizeof(*n)) : NULL;

    if (n == NULL) {
        stop(r, place_of(mark), "more than 20000 values; a configuration is smaller");
        return NULL;
    }
    n->kind = kind;
    n->at = place_of(mark);
    n->next = r->tree->all;
    r->tree->all = n;
    r->tree->n_nodes++;
    return n;
}

/* An anchor is known behind its node only, so that nothing can contain itself. */
static void anchor_set(struct reader *r, const char *name, struct yaml_node *node)
{
    struct anchor *a = name != NULL && node != NULL ? calloc(1, sizeof(*a)) : NULL;

    if (a == NULL)
        return;
    a->name = strdup(name);
    a->node = node;
    a->next = r->anchors;
    r->anchors = a;
}

static struct yaml_node *anchor_find(struct reader *r, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;

    for (struct anchor *a = r->anchors; a != NULL; a = a->next)
        if (a->name != NULL && strcmp(a->name, name) == 0)
            return a->node;
    report_add(r->report, place_of(e->start_mark),
               "*%s: no anchor &%s stands before it; define the anchor first", name, name);
    return NULL;
}

static struct yaml_node *scalar_node(struct reader *r, const yaml_event_t *e)
{
    struct yaml_node *n = node_new(r, YAML_TEXT, e->start_mark);
    const char *text = (const char *)e->data.scalar.value;
    char why[256];

    if (n == NULL)
        return NULL;
    n->is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->shown = strdup(text);
    if (strlen(text) != e->data.scalar.length) {
        report_add(r->report, n->at, "a NUL character in a value; remove it");
        n->text = strdup("");
    } else {
        n->text = yaml_expand(text, r->folder, why, sizeof(why));
        if (n->text == NULL) {
            report_add(r->report, n->at, "%s", why);
            n->text = strdup("");
        }
    }
    if (n->text == NULL || n->shown == NULL)
        stop(r, n->at, "no memory");
    return r->has_stopped ? NULL : n;
}

static struct yaml_node *read_node(struct reader *r, yaml_event_t *e, int depth);

static bool map_add(struct reader *r, struct yaml_node *map, const char *key,
                    struct config_place at, struct yaml_node *value)
{
    if (map->n >= YAML_KEYS_MAX) {
        stop(r, at, "more than 1000 keys in one mapping");
        return false;
    }
    struct yaml_entry *grown = realloc(map->entry, (map->n + 1) * sizeof(*grown));

    if (grown == NULL) {
        stop(r, at, "no memory");
        return false;
    }
    map->entry = grown;
    map->entry[map->n++] = (struct yaml_entry){.key = key, .at = at, .value = value};
    return true;
}

/* The keys of one merged mapping that map does not have. */
static void merge_one(struct reader *r, struct yaml_node *map, const struct yaml_node *from,
                      struct config_place at)
{
    if (from == NULL)
        return;
    if (from->kind != YAML_MAP) {
        report_add(r->report, at, "<<: merges mappings, this is %s; write <<: *NAME of a mapping",
                   yaml_kind_name(from->kind));
        return;
    }
    for (size_t i = 0; i < from->n; i++)
        if (yaml_find(map, from->entry[i].key) == NULL &&
            !map_add(r, map, from->entry[i].key, from->entry[i].at, from->entry[i].value))
            return;
}

/* Own keys first, then the sources in their order. */
static void merge(struct reader *r, struct yaml_node *map, const struct yaml_entry *source,
                  size_t n_sources)
{
    for (size_t i = 0; i < n_sources; i++) {
        const struct yaml_node *v = source[i].value;

        if (v != NULL && v->kind == YAML_LIST)
            for (size_t k = 0; k < v->n; k++)
                merge_one(r, map, v->item[k], source[i].at);
        else
            merge_one(r, map, v, source[i].at);
    }
}

#define MERGES_MAX 8

static struct yaml_node *read_map(struct reader *r, const yaml_event_t *start, int depth)
{
    struct yaml_node *map = node_new(r, YAML_MAP, start->start_mark);
    struct yaml_entry source[MERGES_MAX];
    size_t n_sources = 0;
    yaml_event_t e;

    while (map != NULL && next_event(r, &e)) {
        if (e.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&e);
            merge(r, map, source, n_sources);
            return map;
        }
        struct config_place at = place_of(e.start_mark);
        bool is_scalar = e.type == YAML_SCALAR_EVENT;
        struct yaml_node *key = NULL;

        if (is_scalar) {
            key = node_new(r, YAML_TEXT, e.start_mark);
            if (key != NULL)
                key->text = strdup((const char *)e.data.scalar.value);
        } else {
            report_add(r->report, at, "a key is a name; this is something else");
            (void)read_node(r, &e, depth);
        }
        yaml_event_delete(&e);
        if (!next_event(r, &e))
            return NULL;
        struct yaml_node *value = read_node(r, &e, depth);

        yaml_event_delete(&e);
        if (key == NULL || key->text == NULL)
            continue;
        if (strcmp(key->text, "<<") == 0) {
            if (n_sources < MERGES_MAX)
                source[n_sources++] = (struct yaml_entry){"<<", at, value};
            else
                report_add(r->report, at, "more than 8 merge keys in one mapping");
        } else if (yaml_find(map, key->text) != NULL) {
            report_add(r->report, at, "%s: said twice in one mapping; keep one", key->text);
        } else if (value != NULL && !map_add(r, map, key->text, at, value)) {
            return NULL;
        }
    }
    return NULL;
}

static struct yaml_node *read_list(struct reader *r, const yaml_event_t *start, int depth)
{
    struct yaml_node *list = node_new(r, YAML_LIST, start->start_mark);
    yaml_event_t e;

    while (list != NULL && next_event(r, &e)) {
        if (e.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&e);
            return list;
        }
        struct yaml_node *item = read_node(r, &e, depth);

        yaml_event_delete(&e);
        if (item == NULL)
            continue;
        struct yaml_node **grown = realloc(list->item, (list->n + 1) * sizeof(struct yaml_node *));

        if (grown == NULL) {
            stop(r, list->at, "no memory");
            return NULL;
        }
        list->item = grown;
        list->item[list->n++] = item;
    }
    return NULL;
}

/* The node that e begins; NULL when it was reported. e stays the caller's. */
static struct yaml_node *read_node(struct reader *r, yaml_event_t *e, int depth)
{
    struct yaml_node *n = NULL;

    if (depth >= YAML_DEPTH_MAX) {
        stop(r, place_of(e->start_mark), "nested more than 32 deep; a configuration is flatter");
        return NULL;
    }
    if (e->type == YAML_ALIAS_EVENT)
        return anchor_find(r, e);
    if (e->type == YAML_SCALAR_EVENT) {
        n = scalar_node(r, e);
        anchor_set(r, (const char *)e->data.scalar.anchor, n);
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        n = read_map(r, e, depth + 1);
        anchor_set(r, (const char *)e->data.mapping_start.anchor, n);
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        n = read_list(r, e, depth + 1);
        anchor_set(r, (const char *)e->data.sequence_start.anchor, n);
    }
    return n;
}

static void read_stream(struct reader *r)
{
    bool is_done = false, has_root = false;
    yaml_event_t e;

    while (!is_done && next_event(r, &e)) {
        bool is_node = e.type == YAML_ALIAS_EVENT || e.type == YAML_SCALAR_EVENT ||
                       e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT;

        if (is_node && has_root) {
            stop(r, place_of(e.start_mark),
                 "a second document; a configuration is one, put the rest into a file of its own");
        } else if (is_node) {
            has_root = true;
            r->tree->root = read_node(r, &e, 0);
        }
        is_done = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
}

bool yaml_tree_read(const char *text, size_t len, const char *folder, struct yaml_tree *out,
                    struct config_report *report)
{
    struct reader r = {.tree = out, .report = report, .folder = folder};

    *out = (struct yaml_tree){0};
    if (yaml_parser_initialize(&r.parser) == 0) {
        report_add(report, (struct config_place){0, 0}, "no memory");
        return false;
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    read_stream(&r);
    yaml_parser_delete(&r.parser);
    while (r.anchors != NULL) {
        struct anchor *a = r.anchors;

        r.anchors = a->next;
        free(a->name);
        free(a);
    }
    if (r.has_stopped)
        out->root = NULL;
    return report_is_clean(report);
}

void yaml_tree_free(struct yaml_tree *t)
{
    while (t->all != NULL) {
        struct yaml_node *n = t->all;

        t->all = n->next;
        free(n->text);
        free(n->shown);
        free(n->entry);
        free(n->item);
        free(n);
    }
    *t = (struct yaml_tree){0};
}
