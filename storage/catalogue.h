/* catalogue.h: the named statements and the migrations, as the build read them from sql/.
 * The format of a statement file is described in sql/statements/README. */
#ifndef STORAGE_CATALOGUE_H
#define STORAGE_CATALOGUE_H
#include "storage/db.h"

/* A parameter, a column of a row group or a column of a result. */
struct column {
    const char *name;
    enum value_kind kind;
    uint32_t max; /* characters of a text, bytes of bytes, that its column takes; 0: any */
};

#define STEP_ROWS      (-1)       /* in step.order: the row group stands here */
#define STEP_COLUMN(i) (-2 - (i)) /* one column of the row group; its own inverse */

/* One text to prepare: `?` for parameters, ":rows" for the row group. */
struct step {
    const char *sql;
    const int8_t *order; /* per placeholder: index into params, STEP_ROWS or STEP_COLUMN */
    size_t norder;
    int8_t only; /* 1 + a column: only for the rows in which it is not NULL; 0: for all */
};

struct statement {
    const char *name;
    const char *purpose; /* first line of its header */
    const char *notes;   /* rows, locks, plan, called */
    const char *fenced;  /* the table that its fence is in, or NULL */
    const struct column *params, *row, *columns;
    size_t nparams, nrow, ncolumns;
    const struct step *steps; /* one; several where one act takes several */
    size_t nsteps;
    bool is_first; /* of several: in order until one changes a row; else all of them */
};

struct migration {
    int64_t version;
    const char *name;
    const char *checksum; /* SHA-256 of the file, hex */
    const char *const *steps;
    size_t nsteps;
};

/* Sorted by name, by version. Never NULL; *n may be 0 (a dialect without files yet). */
const struct statement *catalogue_statements(enum dialect d, size_t *n);
const struct migration *catalogue_migrations(enum dialect d, size_t *n);
const struct statement *catalogue_find(enum dialect d, const char *name); /* NULL: none */
/* Texts with {marks}, see schema_sql.h: before the migrations, and for the account of the nodes. */
const char *const *catalogue_setup(enum dialect d, size_t *n);
const char *const *catalogue_grants(enum dialect d, size_t *n);
const char *dialect_name(enum dialect d); /* "postgresql", "sqlite", "oracle" */
MUST_CHECK bool dialect_parse(const char *name, enum dialect *out, struct error *err);
/* The text of step i for nrows rows of its row group (1 elsewhere), as it is prepared. */
MUST_CHECK bool statement_render(enum dialect d, const struct statement *s, size_t i, size_t nrows,
                                 struct buffer *out, struct error *err);
#endif
