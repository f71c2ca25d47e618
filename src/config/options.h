/* options.h: the option table as rows. Private to config. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H
#include "config/config.h"

enum option_type {
    OPT_BOOL,
    OPT_INT,
    OPT_DURATION,
    OPT_SIZE,
    OPT_STRING,
    OPT_HIDDEN,
    OPT_PATH,
    OPT_ENUM,
    OPT_URLS,
    OPT_NAMED_URLS
};
struct option {
    int kinds; /* 0: of the file */
    const char *key;
    enum option_type type;
    size_t offset; /* in struct config_node, or struct config */
    int64_t least, most;
    const char *fallback, *choices, *doc;
};
struct foreign_key {
    int kinds;
    const char *key, *instead;
};

extern const struct option node_options[];
extern const size_t n_node_options;
extern const struct option top_options[];
extern const size_t n_top_options;
extern const struct foreign_key foreign_keys[];
extern const size_t n_foreign_keys;

/* Where a node said the option key; line 0 when it did not. */
struct config_place option_place(const struct config_node *n, const char *key);
/* "a duration such as 250ms, 30s or 5m, 10ms to 1m". out of size bytes. */
void option_expectation(const struct option *o, char *out, size_t size);
/* Stores text (replaced) in base by o->offset; false when it is not what the option wants. folder:
 * of relative paths. Not for URLS and NAMED_URLS. */
MUST_CHECK bool option_store(const struct option *o, void *base, const char *text,
                             const char *folder);
#endif
