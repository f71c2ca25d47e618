/* yaml_tree.h: libyaml's events as a tree with places. Aliases point at the node of their anchor,
 * merge keys are resolved (own keys win, then the earlier source), ${env:NAME}, ${file:PATH} and
 * ${credential:NAME} are replaced in values. Private to config. */
#ifndef CONFIG_YAML_TREE_H
#define CONFIG_YAML_TREE_H
#include "config/config.h"

#define YAML_DEPTH_MAX  32
#define YAML_NODES_MAX  20000
#define YAML_KEYS_MAX   1000       /* of one mapping */
#define YAML_SECRET_MAX (64 << 10) /* of a file that ${file:} names */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    struct config_place at;
    char *text;  /* YAML_TEXT: with replacements done */
    char *shown; /* YAML_TEXT: as written: what a report may show of an option that is no secret */
    bool is_plain;            /* without quotes */
    struct yaml_entry *entry; /* YAML_MAP */
    struct yaml_node **item;  /* YAML_LIST */
    size_t n;
    struct yaml_node *next; /* of all in the tree */
};
struct yaml_entry {
    const char *key;
    struct config_place at;
    struct yaml_node *value;
};

struct yaml_tree {
    struct yaml_node *root; /* NULL for an empty file */
    struct yaml_node *all;
    size_t n_nodes;
};

/* False when the report has problems (those found so far stay in it). Release the tree either way.
 */
MUST_CHECK bool yaml_tree_read(const char *text, size_t len, const char *folder,
                               struct yaml_tree *out, struct config_report *report);
void yaml_tree_free(struct yaml_tree *t);
/* "a value", "a list", "a mapping". */
const char *yaml_kind_name(enum yaml_kind kind);
/* The value of key in a mapping, or NULL. */
struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);

/* Replaces ${env:NAME}, ${file:PATH} and ${credential:NAME} in text; "$${" stands for "${". A
 * malloc'ed string, or NULL with what is wrong (never a value) in why. */
char *yaml_expand(const char *text, const char *folder, char *why, size_t size);
/* The path when text is one ${file:PATH} and nothing else, malloc'ed; NULL otherwise. */
char *yaml_file_of(const char *text, const char *folder);
#endif
