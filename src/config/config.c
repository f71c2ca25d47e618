/* config.c: walks the tree of the file along the option table. */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "config/check.h"
#include "config/options.h"
#include "config/report.h"
#include "config/value.h"
#include "config/yaml_tree.h"

#define FILE_MAX (1 << 20)
#define KEY_MAX  256

struct walk {
    struct config *c;
    struct config_report *report;
    const char *folder; /* NULL: the current one */
};
/* One node, or the file itself (node NULL). */
struct scope {
    struct config_node *node;
    const struct option *options;
    size_t n_options;
    int kind;      /* 0 for the file */
    char path[96]; /* "sequencers.seq.", or "" */
};

const char *config_kind_name(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_Y:
        return "synchronizer";
    case CONFIG_S:
        return "sequencer";
    case CONFIG_M:
        return "mediator";
    case CONFIG_P:
        return "participant";
    case CONFIG_ALL:
        break;
    }
    return "node";
}

static bool is_below(const char *key, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(key, prefix, n) == 0 && key[n] == '.';
}

static const struct option *find_option(const struct scope *s, const char *key)
{
    for (size_t i = 0; i < s->n_options; i++)
        if ((s->kind == 0 || (s->options[i].kinds & s->kind) != 0) &&
            strcmp(s->options[i].key, key) == 0)
            return &s->options[i];
    return NULL;
}

static bool is_group(const struct scope *s, const char *key)
{
    for (size_t i = 0; i < s->n_options; i++)
        if ((s->kind == 0 || (s->options[i].kinds & s->kind) != 0) &&
            is_below(s->options[i].key, key))
            return true;
    return false;
}

static bool is_foreign_group(const struct scope *s, const char *key)
{
    for (size_t i = 0; s->kind != 0 && i < n_foreign_keys; i++)
        if (is_below(foreign_keys[i].key, key))
            return true;
    return false;
}

/* The longest foreign key that is key, or stands above it. */
static const struct foreign_key *find_foreign(const struct scope *s, const char *key)
{
    const struct foreign_key *best = NULL;

    for (size_t i = 0; s->kind != 0 && i < n_foreign_keys; i++) {
        const struct foreign_key *f = &foreign_keys[i];

        if ((f->kinds & s->kind) != 0 && (strcmp(f->key, key) == 0 || is_below(key, f->key)) &&
            (best == NULL || strlen(f->key) > strlen(best->key)))
            best = f;
    }
    return best;
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');

    return dot != NULL ? dot + 1 : key;
}

static void copy_part(char *out, size_t size, const char *text, size_t len)
{
    len = len < size ? len : size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

/* The valid key nearest to a wrong one: a misspelt sibling, else the same name at another place. */
static bool suggest(const struct scope *s, const char *key, char *out, size_t size)
{
    const char *dot = strrchr(key, '.'), *name = last_part(key);
    size_t prefix = dot != NULL ? (size_t)(dot - key) + 1 : 0;
    int best = (int)strlen(name) / 3 + 1;

    out[0] = '\0';
    for (size_t i = 0; i < s->n_options; i++) {
        const char *candidate = s->options[i].key;
        char part[128];

        if ((s->kind != 0 && (s->options[i].kinds & s->kind) == 0) ||
            strncmp(candidate, key, prefix) != 0)
            continue;
        copy_part(part, sizeof(part), candidate + prefix, strcspn(candidate + prefix, "."));
        int d = value_distance(name, part);

        if (d < best || (d == best && out[0] == '\0')) {
            best = d;
            copy_part(out, size, candidate, prefix + strlen(part));
        }
    }
    for (size_t i = 0; out[0] == '\0' && i < s->n_options; i++)
        if ((s->kind == 0 || (s->options[i].kinds & s->kind) != 0) &&
            strcmp(last_part(s->options[i].key), name) == 0)
            copy_part(out, size, s->options[i].key, strlen(s->options[i].key));
    return out[0] != '\0';
}

static void add_kinds(int kinds, char *out, size_t size)
{
    out[0] = '\0';
    for (int bit = 1; bit <= CONFIG_P; bit *= 2) {
        size_t len = strlen(out);

        if ((kinds & bit) != 0)
            snprintf(out + len, size - len, "%s%s", len > 0 ? " or " : "",
                     config_kind_name((enum config_kind)bit));
    }
}

static void report_unknown(struct walk *w, const struct scope *s, const char *key,
                           struct config_place at)
{
    const struct foreign_key *f = find_foreign(s, key);
    char near[KEY_MAX], kinds[96];

    if (f != NULL) {
        report_add(w->report, at,
                   "%s%s: a key of the existing implementation without meaning here; use %s",
                   s->path, key, f->instead);
        return;
    }
    for (size_t i = 0; s->kind != 0 && i < s->n_options; i++)
        if (strcmp(s->options[i].key, key) == 0 || is_below(s->options[i].key, key)) {
            add_kinds(s->options[i].kinds, kinds, sizeof(kinds));
            report_add(w->report, at, "%s%s: not an option of a %s; it belongs to a %s", s->path,
                       key, config_kind_name((enum config_kind)s->kind), kinds);
            return;
        }
    if (suggest(s, key, near, sizeof(near)))
        report_add(w->report, at, "%s%s: unknown key; did you mean %s?", s->path, key, near);
    else
        report_add(w->report, at, "%s%s: unknown key; lockstep.yaml(5) lists the keys", s->path,
                   key);
}

static void report_value(struct walk *w, const struct scope *s, const struct option *o,
                         const struct yaml_node *v)
{
    char wanted[256], shown[160] = "";

    option_expectation(o, wanted, sizeof(wanted));
    if (v->kind != YAML_TEXT)
        snprintf(shown, sizeof(shown), "%s", yaml_kind_name(v->kind));
    else if (o->type == OPT_HIDDEN)
        snprintf(shown, sizeof(shown), "this value");
    else
        snprintf(shown, sizeof(shown), "\"%.100s\"", v->shown);
    for (const char *c = o->choices; c != NULL && v->kind == YAML_TEXT && *c != '\0';) {
        char choice[64];
        size_t n = strcspn(c, "|");

        copy_part(choice, sizeof(choice), c, n);
        if (value_distance(choice, v->shown) <= (int)n / 3) {
            report_add(w->report, v->at, "%s%s: %s is wrong; did you mean %s? (%s)", s->path,
                       o->key, shown, choice, wanted);
            return;
        }
        c += n + (c[n] == '|');
    }
    report_add(w->report, v->at, "%s%s: %s is wrong; write %s", s->path, o->key, shown, wanted);
}

static bool store_urls(struct config_urls *to, const struct yaml_node *v, size_t most,
                       const struct yaml_node **bad)
{
    const struct yaml_node *const *item = (const struct yaml_node *const *)v->item;
    size_t n = v->n;

    if (v->kind == YAML_TEXT) { /* one URL without the brackets */
        item = &v;
        n = 1;
    }
    *bad = v;
    if (v->kind == YAML_MAP || n == 0 || n > most)
        return false;
    to->url = calloc(n, sizeof(*to->url));
    for (size_t i = 0; to->url != NULL && i < n; i++) {
        *bad = item[i];
        to->n = i + 1;
        if (item[i]->kind != YAML_TEXT || !value_url(item[i]->text, &to->url[i]))
            return false;
    }
    return to->url != NULL;
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > CONFIG_NAME_MAX || !isalnum((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
            return false;
    return true;
}

static void store_named_urls(struct walk *w, const struct scope *s, const struct option *o,
                             struct config_named_urls *to, const struct yaml_node *v)
{
    const struct yaml_node *bad;

    if (v->kind != YAML_MAP || v->n == 0 || v->n > (size_t)o->most) {
        report_value(w, s, o, v);
        return;
    }
    to->entry = calloc(v->n, sizeof(*to->entry));
    for (size_t i = 0; to->entry != NULL && i < v->n; i++) {
        to->n = i + 1;
        to->entry[i].name = strdup(v->entry[i].key);
        if (!is_name(v->entry[i].key))
            report_add(w->report, v->entry[i].at,
                       "%s%s: not a name; write letters, digits, - and _, at most 63", s->path,
                       o->key);
        else if (!store_urls(&to->entry[i].urls, v->entry[i].value, 64, &bad))
            report_value(w, s, o, bad);
    }
}

static void store(struct walk *w, const struct scope *s, const struct option *o,
                  const struct yaml_node *v, struct config_place at)
{
    void *base = s->node != NULL ? (void *)s->node : (void *)w->c;
    const struct yaml_node *bad = v;
    bool ok;

    if (s->node != NULL)
        s->node->places[o - s->options] = at;
    if (o->type == OPT_NAMED_URLS) {
        store_named_urls(w, s, o, (void *)((char *)base + o->offset), v);
        return;
    }
    if (o->type == OPT_URLS)
        ok = store_urls((void *)((char *)base + o->offset), v, (size_t)o->most, &bad);
    else
        ok = v->kind == YAML_TEXT && option_store(o, base, v->text, w->folder);
    if (ok && s->node != NULL && strcmp(o->key, "storage.password") == 0 &&
        s->node->storage.password_file == NULL) /* so that it is read again at each connection */
        s->node->storage.password_file = yaml_file_of(v->shown, w->folder);
    if (ok)
        return;
    report_value(w, s, o, bad);
    if (s->node != NULL)
        s->node->places[o - s->options].column = 0; /* nothing follows from it */
}

static void walk_map(struct walk *w, const struct scope *s, const struct yaml_node *map,
                     const char *prefix)
{
    char key[KEY_MAX];

    for (size_t i = 0; i < map->n; i++) {
        const struct yaml_entry *e = &map->entry[i];

        snprintf(key, sizeof(key), "%s%s%.64s", prefix, prefix[0] != '\0' ? "." : "", e->key);
        const struct option *o = find_option(s, key);
        bool is_known = is_group(s, key);

        if (o != NULL)
            store(w, s, o, e->value, e->at);
        else if (e->value->kind == YAML_MAP && (is_known || is_foreign_group(s, key)) &&
                 strlen(key) < KEY_MAX / 2)
            walk_map(w, s, e->value, key);
        else if (is_known)
            report_add(w->report, e->value->at, "%s%s: %s is wrong; write a mapping", s->path, key,
                       yaml_kind_name(e->value->kind));
        else
            report_unknown(w, s, key, e->at);
    }
}

/* A node that says its own password in one way does not get the top's in the other. */
static bool says(const struct yaml_node *own, const char *key)
{
    return yaml_find(own, key) != NULL ||
           (strcmp(key, "password") == 0 && yaml_find(own, "password-file") != NULL) ||
           (strcmp(key, "password-file") == 0 && yaml_find(own, "password") != NULL) ||
           (strcmp(key, "migration-password") == 0 &&
            yaml_find(own, "migration-password-file") != NULL) ||
           (strcmp(key, "migration-password-file") == 0 &&
            yaml_find(own, "migration-password") != NULL);
}

/* Storage at the top serves nodes whose own does not say another type. */
static void inherit_storage(struct walk *w, const struct scope *s, const struct yaml_node *own,
                            const struct yaml_node *top)
{
    struct yaml_node *a = yaml_find(own, "type"), *b = yaml_find(top, "type");

    if (top == NULL || top->kind != YAML_MAP)
        return;
    if (a != NULL && (b == NULL || a->kind != YAML_TEXT || b->kind != YAML_TEXT ||
                      strcmp(a->text, b->text) != 0))
        return;
    for (size_t i = 0; i < top->n; i++) {
        char key[KEY_MAX];

        snprintf(key, sizeof(key), "storage.%.64s", top->entry[i].key);
        const struct option *o = find_option(s, key);

        if (says(own, top->entry[i].key))
            continue;
        if (o != NULL)
            store(w, s, o, top->entry[i].value, top->entry[i].at);
        else
            report_unknown(w, s, key, top->entry[i].at);
    }
}

static bool set_defaults(struct config_node *n)
{
    n->places = calloc(n_node_options, sizeof(*n->places));
    for (size_t i = 0; n->places != NULL && i < n_node_options; i++) {
        const struct option *o = &node_options[i];

        if ((o->kinds & (int)n->kind) != 0 && o->fallback != NULL &&
            !option_store(o, n, o->fallback, NULL))
            return false;
    }
    return n->places != NULL;
}

static struct config_node *add_node(struct walk *w, enum config_kind kind,
                                    const struct yaml_entry *e)
{
    struct config *c = w->c;
    struct config_node *n;

    if (c->n_nodes >= CONFIG_NODES_MAX) {
        report_add(w->report, e->at, "more than 64 nodes in one process; start another process");
        return NULL;
    }
    n = &c->node[c->n_nodes++];
    n->kind = kind;
    n->place = e->at;
    n->name = strdup(e->key);
    if (n->name == NULL || !set_defaults(n)) {
        report_add(w->report, e->at, "no memory, or a default that does not fit its option");
        return NULL;
    }
    return n;
}

static void walk_nodes(struct walk *w, enum config_kind kind, const struct yaml_node *map,
                       const char *section, const struct yaml_node *top_storage)
{
    if (map->kind != YAML_MAP || map->n == 0) {
        report_add(w->report, map->at,
                   "%s: %s is wrong; write a mapping, each a name with its "
                   "options",
                   section, map->kind == YAML_MAP ? "nothing" : yaml_kind_name(map->kind));
        return;
    }
    for (size_t i = 0; i < map->n; i++) {
        const struct yaml_entry *e = &map->entry[i];
        struct scope s = {.options = node_options, .n_options = n_node_options, .kind = (int)kind};

        snprintf(s.path, sizeof(s.path), "%s.%.63s.", section, e->key);
        if (!is_name(e->key)) {
            report_add(w->report, e->at,
                       "%s: \"%.80s\" is no name; write letters, digits, - and _, "
                       "at most 63",
                       section, e->key);
            continue;
        }
        if (e->value->kind != YAML_MAP) {
            report_add(w->report, e->value->at,
                       "%s.%s: %s is wrong; write a mapping with the "
                       "options of the node",
                       section, e->key, yaml_kind_name(e->value->kind));
            continue;
        }
        s.node = add_node(w, kind, e);
        if (s.node == NULL)
            return;
        walk_map(w, &s, e->value, "");
        inherit_storage(w, &s, yaml_find(e->value, "storage"), top_storage);
    }
}

static const struct {
    const char *key;
    enum config_kind kind;
} sections[] = {{"synchronizer", CONFIG_Y},
                {"sequencers", CONFIG_S},
                {"mediators", CONFIG_M},
                {"participants", CONFIG_P}};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* A key of the file that is neither a section nor an option. */
static void report_unknown_top(struct walk *w, const struct scope *s, const struct yaml_entry *e)
{
    int best = (int)strlen(e->key) / 3 + 1;
    const char *near = NULL;

    if (strcmp(e->key, "canton") == 0) {
        report_add(w->report, e->at,
                   "canton: a key of the existing implementation; write "
                   "sequencers, mediators and participants at the top of the file");
        return;
    }
    if (strcmp(e->key, "synchronizer-managers") == 0) {
        report_add(w->report, e->at,
                   "synchronizer-managers: not in this release; use lockstep "
                   "bootstrap");
        return;
    }
    for (size_t i = 0; i < N_SECTIONS; i++)
        if (value_distance(e->key, sections[i].key) < best) {
            best = value_distance(e->key, sections[i].key);
            near = sections[i].key;
        }
    if (near != NULL)
        report_add(w->report, e->at, "%s: unknown key; did you mean %s?", e->key, near);
    else
        report_unknown(w, s, e->key, e->at);
}

static void walk_top(struct walk *w, const struct yaml_node *root)
{
    struct scope s = {.options = top_options, .n_options = n_top_options};
    const struct yaml_node *storage = yaml_find(root, "storage");

    if (storage != NULL && storage->kind != YAML_MAP)
        report_add(w->report, storage->at, "storage: %s is wrong; write a mapping",
                   yaml_kind_name(storage->kind));
    for (size_t i = 0; i < root->n; i++) {
        const struct yaml_entry *e = &root->entry[i];
        size_t k = 0;

        while (k < N_SECTIONS && strcmp(sections[k].key, e->key) != 0)
            k++;
        if (k < N_SECTIONS) {
            walk_nodes(w, sections[k].kind, e->value, e->key, storage);
        } else if (find_option(&s, e->key) != NULL || is_group(&s, e->key)) {
            struct yaml_entry one = *e;
            struct yaml_node map = {.kind = YAML_MAP, .at = e->at, .entry = &one, .n = 1};

            walk_map(w, &s, &map, "");
        } else if (strcmp(e->key, "storage") != 0 && strncmp(e->key, "x-", 2) != 0) {
            report_unknown_top(w, &s, e);
        }
    }
}

static bool top_defaults(struct config *c)
{
    for (size_t i = 0; i < n_top_options; i++)
        if (top_options[i].fallback != NULL &&
            !option_store(&top_options[i], c, top_options[i].fallback, NULL))
            return false;
    return true;
}

static void read_config(struct walk *w, const char *text, size_t len)
{
    struct yaml_tree tree;
    bool is_clean = yaml_tree_read(text, len, w->folder, &tree, w->report);

    if (tree.root != NULL && tree.root->kind == YAML_MAP) {
        walk_top(w, tree.root);
        if (is_clean && w->c->n_nodes == 0 && report_is_clean(w->report))
            report_add(w->report, tree.root->at,
                       "no node; write synchronizer, sequencers, "
                       "mediators or participants");
        check_config(w->c, w->report);
    } else if (is_clean) {
        report_add(w->report, tree.root != NULL ? tree.root->at : (struct config_place){1, 1},
                   "nothing is configured; write a mapping, as lockstep.yaml(5) shows");
    }
    yaml_tree_free(&tree);
}

bool config_parse(const char *path, const char *text, size_t len, struct config **out,
                  struct config_report *report)
{
    struct config *c = calloc(1, sizeof(*c));
    const char *slash = strrchr(path, '/');
    char *folder = slash != NULL ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : NULL;
    struct walk w = {.c = c, .report = report, .folder = folder};
    struct config_place nowhere = {0, 0};

    if (c != NULL) {
        c->path = strdup(path);
        c->node = calloc(CONFIG_NODES_MAX, sizeof(*c->node));
    }
    if (c == NULL || c->path == NULL || c->node == NULL || !top_defaults(c))
        report_add(report, nowhere, "no memory");
    else
        read_config(&w, text, len);
    free(folder);
    report_sort(report);
    if (report_is_clean(report)) {
        *out = c;
        return true;
    }
    config_free(c);
    return false;
}

bool config_load(const char *path, struct config **out, struct config_report *report)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "re");
    char *text = malloc(FILE_MAX + 1);
    struct config_place nowhere = {0, 0};
    size_t n = 0;
    bool ok = false;

    if (f != NULL && text != NULL)
        n = fread(text, 1, FILE_MAX + 1, f);
    if (f == NULL || text == NULL || ferror(f) != 0)
        report_add(report, nowhere, "cannot be read: %s", strerror(errno));
    else if (n > FILE_MAX)
        report_add(report, nowhere, "larger than 1MiB; a configuration is smaller");
    else
        ok = config_parse(path, text, n, out, report);
    if (text != NULL)
        explicit_bzero(text, FILE_MAX + 1);
    free(text);
    if (f != NULL && !is_stdin)
        fclose(f);
    return ok;
}

const struct config_node *config_find(const struct config *c, const char *name)
{
    if (name == NULL)
        return c->n_nodes == 1 ? &c->node[0] : NULL;
    for (size_t i = 0; i < c->n_nodes; i++)
        if (strcmp(c->node[i].name, name) == 0)
            return &c->node[i];
    return NULL;
}
