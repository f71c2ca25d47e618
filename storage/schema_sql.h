/* schema_sql.h: the schema as a script for a DBA, and the grants of the account that nodes run
 * under. Pure: texts only. */
#ifndef STORAGE_SCHEMA_SQL_H
#define STORAGE_SCHEMA_SQL_H
#include "storage/db.h"

/* NULL: not said. */
struct schema_sql_options {
    const char *schema; /* PostgreSQL: the node's schema; Oracle: its owner's name */
    const char *owner;  /* PostgreSQL: the role that owns the tables */
    const char *user;   /* the account that nodes run under */
    int64_t after;      /* only migrations above this version; 0: all */
};

/* text: a statement without the `;` behind it, or a comment that begins with "--". */
typedef bool text_fn(void *ctx, const char *text, struct error *err);

/* The whole script, in order; every text ends in the same state as db_migrate's would. Fails:
 * ERR_CONFIG for names that the dialect does not have or take, or as fn. */
MUST_CHECK bool schema_sql(enum dialect d, const struct schema_sql_options *o, text_fn *fn,
                           void *ctx, struct error *err);
/* Only the grants to o->user. None where the engine has no accounts. */
MUST_CHECK bool schema_sql_grants(enum dialect d, const struct schema_sql_options *o, text_fn *fn,
                                  void *ctx, struct error *err);
#endif
