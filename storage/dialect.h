/* dialect.h: what differs between the engines, as one table each. Internal to storage/. */
#ifndef STORAGE_DIALECT_H
#define STORAGE_DIALECT_H
#include "storage/db.h"

/* The first record of a failed call. */
struct diag {
    char state[8]; /* SQLSTATE; drivers exist that answer less than five characters */
    int native;
    char text[512]; /* one line */
};

struct dialect_ops {
    enum dialect id;
    const char *const *driver_files; /* tried in this order in the usual folders, NULL at the end */
    const char *driver_advice;       /* how to get it */
    size_t rows_max;                 /* rows in one text, or in one array */
    size_t long_above;               /* longer values are bound as long ones; 0: never */
    bool has_one_writer;             /* writing transactions queue inside this process */
    bool has_fenced_text;            /* a fenced write is one text */
    bool has_fence_last;       /* a fenced write ends with the block that checks and commits */
    bool has_driver_txn;       /* transactions by the driver's calls, not by texts */
    bool has_arrays;           /* many rows are one text with arrays of parameters */
    bool has_text_i64;         /* 64-bit integers travel as digits */
    bool has_ddl_commits;      /* DDL commits what was before it, and itself */
    bool has_no_login_timeout; /* setting it may crash the driver */

    /* Appends the keywords behind DRIVER or DSN: `shown` is the part for people, without a secret.
     */
    bool (*keywords)(const struct db_config *cfg, struct buffer *secret, struct buffer *shown,
                     struct error *err);
    /* What a diagnosis means; is_connecting: while the connection was made. */
    enum error_code (*classify)(const struct diag *d, bool is_connecting);
    const char *(*advise)(const struct diag *d); /* by native code, or NULL; may be NULL */
    /* True when a migration's text failed because it was run before. NULL: texts say IF NOT EXISTS.
     */
    bool (*is_done)(const struct diag *d);
};

extern const struct dialect_ops dialect_postgres, dialect_sqlite, dialect_oracle;
const struct dialect_ops *dialect_ops_of(enum dialect d);
/* What to do about a code, or NULL. */
const char *dialect_advice(enum dialect d, enum error_code code, const struct diag *g);
/* Appends ";KEY=value", braced when the value needs it. Nothing for NULL or "". */
void keyword_append(struct buffer *b, const char *key, const char *value);

/* Finds the driver: a path, a file name in the usual folders, a name of odbcinst.ini (then
 * "{name}"), or by dialect when name is NULL. Appends it to out. Fails: ERR_CONFIG with the
 * package. */
MUST_CHECK bool driver_find(const struct dialect_ops *ops, const char *name, struct buffer *out,
                            struct error *err);
#endif
